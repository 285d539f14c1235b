package store

import (
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"seedcorn/digest"
)

// Four processes that reserve at once have no slot in common: the platform's rate holds
// over all of them.
func TestReserveIsShared(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		pace := digest.Pace{Platform: digest.Rate{Every: 50 * time.Millisecond}}
		var wg sync.WaitGroup
		var mu sync.Mutex
		granted := 0
		first := p.open(t)
		began, err := first.moment(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for process := range 4 {
			db := p.open(t)
			for lane := range 3 {
				wg.Go(func() {
					for range 4 {
						s, err := db.Reserve(t.Context(), digest.Lane{Platform: "test", Workspace: fmt.Sprintf("w%d-%d", process, lane)}, pace, 3)
						if err != nil || s.N < 1 || s.N > 3 || s.Every != pace.Platform.Every {
							t.Errorf("%+v, %v", s, err)
						}
						mu.Lock()
						granted += s.N
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		ended, err := first.moment(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		paces, err := readPaces(t.Context(), first, []string{"test"})
		if err != nil {
			t.Fatal(err)
		}
		// Each slot has its own fiftieth of a second, and the first is a little after we began.
		next := paces["test"].next - int64(granted)*micros(pace.Platform.Every) - micros(slotsLead)
		if next < began || next > ended {
			t.Errorf("%d slots end %v after we began, which is not %v from somewhere between then and now", granted, fromMicros(paces["test"].next-began), fromMicros(int64(granted)*micros(pace.Platform.Every)))
		}
		// Who comes when the queue is long is told when to ask again.
		for range 100 {
			s, err := first.Reserve(t.Context(), digest.Lane{Platform: "test", Workspace: "w"}, pace, 100)
			if err != nil {
				t.Fatal(err)
			}
			if s.N == 0 {
				if wait := time.Until(s.At); wait > queueLong {
					t.Errorf("turned away for %v", wait)
				}
				return
			}
			if s.N > slotsFew || time.Until(s.At) > queueLong {
				t.Fatalf("in a queue one got %+v", s)
			}
		}
		t.Error("the queue has no end")
	})
}

// What a platform has refused for a time nobody asks for meanwhile, within the scope
// that it named.
func TestHold(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		a, b := p.open(t), p.open(t)
		ctx := t.Context()
		lane := func(w string) digest.Lane { return digest.Lane{Platform: "test", Workspace: w} }
		reserve := func(l digest.Lane) bool {
			t.Helper()
			s, err := b.Reserve(ctx, l, digest.Pace{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			if wait := time.Until(s.At); s.N == 0 && (wait <= 50*time.Minute || wait > time.Hour) {
				t.Errorf("%v is held for %v, want the hour that was asked for", l, wait)
			}
			return s.N > 0
		}
		hold := func(to digest.Destination, scope digest.Scope, d time.Duration) {
			t.Helper()
			if err := a.Hold(ctx, to, scope, d); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range []string{"c1", "c2", "c3"} {
			outgoing(t, a, digest.SubscriptionID(fmt.Sprintf("s%d", i)), c, 1)
		}
		to := digest.Destination{Platform: "test", Workspace: "w", Channel: "c1"}

		hold(to, digest.ScopeMessage, time.Hour)
		hold(to, digest.ScopeChannel, time.Hour)
		if !reserve(lane("w")) {
			t.Error("a held channel holds its workspace")
		}
		got := claim(t, b, 0, 10)
		var channels []string
		for _, d := range got {
			channels = append(channels, d.To.Channel)
			settle(t, b, d, digest.Outcome{State: digest.Pending})
		}
		slices.Sort(channels)
		if d := cmp.Diff([]string{"c2", "c3"}, channels); d != "" {
			t.Errorf("claimed while c1 is held (-want +got):\n%s", d)
		}
		if n, next, err := b.Open(ctx, lane("w"), t0.Add(time.Minute), 10); n != 2 || next.Before(t0.Add(50*time.Minute)) || err != nil {
			t.Errorf("open: %d, and one at %v (%v), want 2, and one in an hour", n, next, err)
		}

		hold(to, digest.ScopeWorkspace, time.Hour)
		hold(to, digest.ScopeWorkspace, time.Second) // the longer word holds
		if reserve(lane("w")) || !reserve(lane("v")) {
			t.Error("held is not the one workspace")
		}
		if got := claim(t, b, time.Minute, 10); len(got) != 0 {
			t.Errorf("claimed in a held workspace: %v", got)
		}
		if lanes, err := b.Lanes(ctx, t0.Add(time.Minute)); len(lanes) != 0 || err != nil {
			t.Errorf("lanes: %v, %v, want none", lanes, err)
		}

		hold(to, digest.ScopePlatform, time.Hour)
		if reserve(lane("v")) {
			t.Error("a held platform lets a workspace post")
		}
		if !reserve(digest.Lane{Platform: "other", Workspace: "w"}) {
			t.Error("another platform is held, too")
		}
	})
}

// The rate of a channel holds for all that goes there, and keeps nothing else waiting.
func TestChannelRate(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		for i := range 4 {
			outgoing(t, db, digest.SubscriptionID(fmt.Sprintf("s%d", i)), "c1", 1)
		}
		outgoing(t, db, "other", "c2", 1)
		rate := digest.Rate{Every: time.Hour, Burst: 2}
		take := func(after time.Duration) (channels []string) {
			t.Helper()
			got, err := db.Claim(t.Context(), testLane, rate, t0.Add(after), time.Minute, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range got {
				channels = append(channels, d.To.Channel)
				settle(t, db, d, digest.Outcome{State: digest.Sent, Receipt: "r"})
			}
			slices.Sort(channels)
			return channels
		}
		for i, want := range [][]string{{"c1", "c2"}, {"c1"}, nil, nil} {
			if d := cmp.Diff(want, take(time.Duration(i)*time.Second)); d != "" {
				t.Errorf("claim %d (-want +got):\n%s", i+1, d)
			}
		}
		// The two that are left have their turns one after the other.
		var turns []time.Duration
		for _, d := range must(db.Deliveries(t.Context(), digest.Pending, 0)) {
			turns = append(turns, d.NotBefore.Sub(t0).Round(10*time.Minute))
		}
		slices.Sort(turns)
		if d := cmp.Diff([]time.Duration{time.Hour, 2 * time.Hour}, turns); d != "" {
			t.Errorf("turns (-want +got):\n%s", d)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A workspace that refuses is asked more slowly, by refusals that come one by one, and
// faster again with each post that it takes.
func TestLearnedPace(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		to := digest.Destination{Platform: "test", Workspace: "w", Channel: "c"}
		every := func() time.Duration {
			t.Helper()
			paces, err := readPaces(ctx, db, []string{"test/w"})
			if err != nil {
				t.Fatal(err)
			}
			return fromMicros(paces["test/w"].every)
		}
		over := func() {
			t.Helper()
			if _, err := db.write.ExecContext(ctx, "UPDATE paces SET held_until = 0, next_at = 0"); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []time.Duration{200 * time.Millisecond, 250 * time.Millisecond, 312500 * time.Microsecond} {
			for range 5 { // five were under way
				if err := db.Hold(ctx, to, digest.ScopeWorkspace, 800*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			if got := every(); got != want {
				t.Errorf("after %d refusals: every %v, want %v", i+1, got, want)
			}
			over()
		}
		s, err := db.Reserve(ctx, digest.Lane{Platform: "test", Workspace: "w"}, digest.Pace{}, 50)
		if err != nil || s.N != 1 || s.Every != 312500*time.Microsecond {
			t.Errorf("slots %+v, %v", s, err)
		}
		if got := every(); got != 312500*time.Microsecond-3125*time.Microsecond {
			t.Errorf("after a post: every %v", got)
		}
		for range 1000 {
			over()
			if _, err := db.Reserve(ctx, digest.Lane{Platform: "test", Workspace: "w"}, digest.Pace{}, 50); err != nil {
				t.Fatal(err)
			}
		}
		if got := every(); got != 0 {
			t.Errorf("after a thousand: every %v, want no limit", got)
		}
	})
}

func TestLanes(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		if lanes, err := db.Lanes(ctx, t0); len(lanes) != 0 || err != nil {
			t.Errorf("of nothing: %v, %v", lanes, err)
		}
		ids := outgoing(t, db, "s1", "c", 3)
		now := t0
		see := func(want, open int, next time.Time) {
			t.Helper()
			lanes, err := db.Lanes(ctx, now)
			if err != nil || len(lanes) != want || want == 1 && lanes[0] != testLane {
				t.Errorf("lanes: %v, %v", lanes, err)
			}
			n, at, err := db.Open(ctx, testLane, now, 10)
			if err != nil || n != open || !at.Equal(next) {
				t.Errorf("open: %d, then %v (%v), want %d, then %v", n, at, err, open, next)
			}
		}
		see(1, 1, time.Time{})
		d := claim(t, db, 0, 10)[ids[0]]
		see(0, 0, t0.Add(2*time.Minute)) // when its worker counts as dead
		now = t0.Add(2 * time.Minute)
		see(1, 1, time.Time{})
		settle(t, db, d, digest.Outcome{State: digest.Unsure, NotBefore: t0.Add(time.Hour)})
		see(0, 0, t0.Add(time.Hour))
		now = t0.Add(time.Hour)
		see(1, 1, time.Time{})
		settle(t, db, claim(t, db, time.Hour, 10)[ids[0]], digest.Outcome{State: digest.Sent, Receipt: "r"})
		see(1, 1, time.Time{}) // the next part
		settle(t, db, claim(t, db, time.Hour, 10)[ids[1]], digest.Outcome{State: digest.Dead, Words: "gone"})
		see(0, 0, time.Time{})
	})
}

// What equal digests say is kept once, and no longer than it is needed.
func TestPayloadsAreKeptOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		for i := range 5 {
			outgoing(t, db, digest.SubscriptionID(fmt.Sprintf("s%d", i)), fmt.Sprintf("c%d", i), 2)
		}
		count := func() (n int) {
			t.Helper()
			if err := first(ctx, db, "SELECT COUNT(*) FROM payloads", nil, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count(); n != 2 {
			t.Errorf("%d payloads of 5 equal digests of 2 parts, want 2", n)
		}
		d := must(db.Deliveries(ctx, "", 0))[0]
		if ok, err := db.Reword(ctx, d, digest.Part{Payload: []byte(`{"text":"corrected"}`), Summary: "s"}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if got := stored(t, db, d.ID); string(got.Payload) != `{"text":"corrected"}` || count() != 3 {
			t.Errorf("reworded: %s, %d payloads", got.Payload, count())
		}
		if got := stored(t, db, must(db.Deliveries(ctx, "", 0))[3].ID); string(got.Payload) == `{"text":"corrected"}` {
			t.Error("all of them are reworded")
		}
		if err := db.removeUnused(ctx); err != nil || count() != 3 {
			t.Errorf("%v, %d payloads are left while all are needed", err, count())
		}
		if _, err := db.write.ExecContext(ctx, "DELETE FROM deliveries WHERE id = $1", string(d.ID)); err != nil {
			t.Fatal(err)
		}
		if err := db.removeUnused(ctx); err != nil || count() != 2 {
			t.Errorf("%v, %d payloads are left", err, count())
		}
	})
}

// What deliveries leave behind goes when it says nothing any more.
func TestSweep(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		to := digest.Destination{Platform: "test", Workspace: "w", Channel: "c"}
		if err := db.Hold(ctx, to, digest.ScopeWorkspace, time.Hour); err != nil {
			t.Fatal(err)
		}
		at := must(db.moment(ctx))
		old := map[string]pace{"old": {next: at - micros(25*time.Hour), every: 5}, "test/w/recent": {next: at}}
		if err := db.update(ctx, "test", func(t *tx) error { return putPaces(ctx, t, old) }); err != nil {
			t.Fatal(err)
		}
		if _, err := db.write.ExecContext(ctx, "INSERT INTO notices (subscription, cause, at, told) VALUES ('ended', 'gone', 1, 0)"); err != nil {
			t.Fatal(err)
		}
		names := func() (out []string) {
			t.Helper()
			if err := each(ctx, db, "SELECT name FROM paces UNION SELECT subscription FROM notices ORDER BY 1", nil, func(r *sql.Rows) error {
				var s string
				err := r.Scan(&s)
				out = append(out, s)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return out
		}
		if err := db.sweep(ctx, t0); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"test/w", "test/w/recent"}, names()); d != "" {
			t.Errorf("left (-want +got):\n%s", d)
		}
	})
}

// A part that was canceled takes the later ones along.
func TestCancelTakesLaterParts(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ids := outgoing(t, db, "s1", "c", 3)
		settle(t, db, claim(t, db, 0, 1)[ids[0]], digest.Outcome{State: digest.Sent, Receipt: "r"})
		if err := db.Requeue(t.Context(), ids[1], false); err != nil {
			t.Fatal(err)
		}
		for i, want := range []digest.DeliveryState{digest.Sent, digest.Dead, digest.Dead} {
			if got := stored(t, db, ids[i]); got.State != want {
				t.Errorf("part %d is %s (%s), want %s", i, got.State, got.Words, want)
			}
		}
		if sub, err := db.Subscription(t.Context(), "s1"); err != nil || !sub.PausedUntil.IsZero() {
			t.Errorf("a person's word paused the subscription: %+v, %v", sub, err)
		}
	})
}

// What was on its way when the schema changed goes on: each delivery in its lane, with
// its bytes, the later parts behind the first.
func TestDeliveriesGetLanes(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		var old *DB
		var err error
		if path, ok := strings.CutPrefix(p.location, "sqlite:"); ok {
			old, err = openSQLite(ctx, path, options{busy: time.Second})
		} else {
			old, err = openPostgres(ctx, p.location)
		}
		if err != nil {
			t.Fatal(err)
		}
		dir := must(fs.Sub(schema, "schema"))
		before := must(goose.NewProvider(old.engine.dialect(), old.write, dir, goose.WithDisableGlobalRegistry(true), goose.WithExcludeNames(old.engine.notMine())))
		if _, err := before.UpTo(ctx, 4); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"INSERT INTO digests (id, subscription, period_from, period_to, composed, body) VALUES ('d', 's', 1, 2, 3, '{}'), ('e', 's', 2, 3, 3, '{}')",
			`INSERT INTO deliveries (id, digest, subscription, destination, part, payload, summary, state, attempt, not_before, begun, receipt, words, resent) VALUES
				('d0', 'd', 's', '{"platform":"test","workspace":"w","channel":"c"}', 0, 'one', 'p', 'sent', 1, 0, 1, 'r0', 'sent', 0),
				('d1', 'd', 's', '{"platform":"test","workspace":"w","channel":"c"}', 1, 'two', 'p', 'sending', 1, ` + fmt.Sprint(t0.UnixMilli()) + `, 1, '', '', 0),
				('d2', 'd', 's', '{"platform":"test","workspace":"w","channel":"c"}', 2, 'three', 'p', 'pending', 0, 0, 0, '', '', 0),
				('e0', 'e', 's', '{"platform":"test","channel":"direct"}', 0, 'three', 'p', 'unsure', 3, 0, 1, '', 'no answer', 1)`,
		} {
			if _, err := old.write.ExecContext(ctx, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		db := p.open(t)
		if lanes, err := db.Lanes(ctx, t0.Add(2*time.Minute)); err != nil || len(lanes) != 2 {
			t.Errorf("lanes: %v, %v", lanes, err)
		}
		if got := claim(t, db, 2*time.Minute-time.Second, 10); len(got) != 0 {
			t.Errorf("claimed %v while an old process may be posting it", got)
		}
		d1 := claim(t, db, 2*time.Minute, 10)["d1"]
		if d1.State != digest.Unsure || d1.First != "r0" || string(d1.Payload) != "two" {
			t.Errorf("taken over: %+v", d1)
		}
		settle(t, db, d1, digest.Outcome{State: digest.Sent, Receipt: "r1"})
		if got := claim(t, db, 2*time.Minute, 10); string(got["d2"].Payload) != "three" || len(got) != 1 {
			t.Errorf("after part 1: %+v", got)
		}
		got, err := db.Claim(ctx, digest.Lane{Platform: "test"}, digest.Rate{}, t0, time.Minute, 10)
		if err != nil || len(got) != 1 || got[0].ID != "e0" || !got[0].Resent || got[0].Attempt != 4 {
			t.Errorf("in the lane without a workspace: %+v, %v", got, err)
		}
	})
}
