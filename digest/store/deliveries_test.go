package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// subscribed stores a subscription of a channel.
func subscribed(t testing.TB, db *DB, id digest.SubscriptionID, channel string) digest.Subscription {
	t.Helper()
	sub := digest.Subscription{
		ID: id, Destination: digest.Destination{Platform: "test", Workspace: "w", Channel: channel}, Cadence: "0 9 * * 1", Zone: "UTC",
		Created: t0, Cursor: t0.Add(-time.Hour), Next: t0,
	}
	if err := db.PutSubscription(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	return sub
}

// outgoing stores a digest of so many parts for a channel and returns the ids of its
// deliveries.
func outgoing(t testing.TB, db *DB, name digest.SubscriptionID, channel string, parts int) []digest.DeliveryID {
	t.Helper()
	sub := subscribed(t, db, name, channel)
	id, err := db.SaveDigest(t.Context(), sub, digest.Digest{Title: "This week", Period: digest.Period{From: sub.Cursor, To: t0}}, t0.Add(time.Hour), messages(parts)...)
	if err != nil {
		t.Fatal(err)
	}
	var ids []digest.DeliveryID
	for k := range parts {
		ids = append(ids, digest.NewDeliveryID(id, k))
	}
	return ids
}

func messages(n int) (out []digest.Part) {
	for k := range n {
		out = append(out, digest.Part{Payload: fmt.Appendf(nil, `{"text":"part %d \u003c&> “é” %s"}`, k, strings.Repeat("x", 3000)), Summary: fmt.Sprintf("part %d", k)})
	}
	return out
}

// testLane is the lane of subscribed's channels.
var testLane = digest.Lane{Platform: "test", Workspace: "w"}

// claim claims at a time after t0, and says what came as "state attempt".
func claim(t testing.TB, db *DB, after time.Duration, limit int) map[digest.DeliveryID]digest.Delivery {
	t.Helper()
	now := t0.Add(after)
	got, err := db.Claim(t.Context(), testLane, digest.Rate{}, now, 2*time.Minute, limit)
	if err != nil {
		t.Fatal(err)
	}
	out := map[digest.DeliveryID]digest.Delivery{}
	for _, d := range got {
		out[d.ID] = d
	}
	return out
}

func settle(t testing.TB, db *DB, d digest.Delivery, o digest.Outcome) digest.Delivery {
	t.Helper()
	if err := db.Settle(t.Context(), digest.Settlement{ID: d.ID, Attempt: d.Attempt, Outcome: o}); err != nil {
		t.Fatal(err)
	}
	return stored(t, db, d.ID)
}

func stored(t testing.TB, db *DB, id digest.DeliveryID) digest.Delivery {
	t.Helper()
	d, err := db.Delivery(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A digest and its messages are stored together or not at all.
func TestSaveDigestWithParts(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ids := outgoing(t, db, "s1", "c", 3)
		for k, id := range ids {
			want := digest.Delivery{
				ID: id, Digest: digest.NewDigestID("s1", t0), Subscription: "s1", To: digest.Destination{Platform: "test", Workspace: "w", Channel: "c"},
				Part: k, Payload: messages(3)[k].Payload, Summary: messages(3)[k].Summary, State: digest.Pending,
			}
			if d := cmp.Diff(want, stored(t, db, id)); d != "" {
				t.Errorf("part %d (-want +got):\n%s", k, d)
			}
		}
		// Said before: nothing more is on its way.
		sub, err := db.Subscription(t.Context(), "s1")
		if err != nil {
			t.Fatal(err)
		}
		sub.Cursor = t0.Add(-time.Hour)
		if _, err := db.SaveDigest(t.Context(), sub, digest.Digest{Period: digest.Period{From: sub.Cursor, To: t0}}, t0, messages(5)...); !errors.Is(err, digest.ErrSaid) {
			t.Errorf("said twice: %v", err)
		}
		// One message cannot be stored: not the digest either, and the cursor stays.
		other := subscribed(t, db, "s2", "d")
		taken := digest.NewDigestID("s2", t0)
		if _, err := db.write.ExecContext(t.Context(), "UPDATE deliveries SET id = $1 WHERE id = $2", string(digest.NewDeliveryID(taken, 1)), string(ids[2])); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SaveDigest(t.Context(), other, digest.Digest{Period: digest.Period{From: other.Cursor, To: t0}}, t0.Add(time.Hour), messages(3)...); err == nil {
			t.Error("a message's id was taken: no error")
		}
		if got, err := db.Subscription(t.Context(), "s2"); err != nil || !got.Cursor.Equal(other.Cursor) {
			t.Errorf("the cursor moved to %v (%v)", got.Cursor, err)
		}
		if _, err := db.Digest(t.Context(), taken); !errors.Is(err, ErrNotFound) {
			t.Errorf("half of a digest is stored: %v", err)
		}
		if all, err := db.Deliveries(t.Context(), "", 0); err != nil || len(all) != 3 {
			t.Errorf("%d deliveries (%v), want 3", len(all), err)
		}
	})
}

// A delivery's way through its states, as one process after another sees it.
func TestDeliveryStates(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ids := outgoing(t, db, "s1", "c", 3)
		first, second, third := ids[0], ids[1], ids[2]

		got := claim(t, db, time.Minute, 10)
		if len(got) != 1 || got[first].Attempt != 1 || got[first].State != digest.Pending || !got[first].Begun.Equal(t0.Add(time.Minute)) {
			t.Fatalf("claimed %+v, want part 0 only", got)
		}
		if d := stored(t, db, first); d.State != digest.Sending || d.Attempt != 1 || !d.Begun.Equal(t0.Add(time.Minute)) {
			t.Errorf("claimed, it is stored as %+v", d)
		}
		if again := claim(t, db, 2*time.Minute, 10); len(again) != 0 {
			t.Errorf("claimed twice: %+v", again)
		}
		one := got[first]
		settle(t, db, one, digest.Outcome{State: digest.Pending, NotBefore: t0.Add(5 * time.Minute), Words: "busy"})
		if early := claim(t, db, 5*time.Minute-time.Second, 10); len(early) != 0 {
			t.Errorf("claimed before its time: %+v", early)
		}
		two := claim(t, db, 5*time.Minute, 10)[first]
		if two.Attempt != 2 || two.Words != "busy" || !two.Begun.Equal(t0.Add(5*time.Minute)) {
			t.Errorf("the second attempt: %+v", two)
		}
		// The word of an older attempt is not heard.
		if d := settle(t, db, one, digest.Outcome{State: digest.Dead, Words: "late"}); d.State != digest.Sending || d.Words != "busy" {
			t.Errorf("an old attempt settled it: %+v", d)
		}
		if ok, err := db.Again(t.Context(), first, one.Attempt); ok || err != nil {
			t.Errorf("an old attempt may post again: %v, %v", ok, err)
		}
		// In doubt: it is looked for since the attempt in doubt, however often one looks.
		settle(t, db, two, digest.Outcome{State: digest.Unsure, NotBefore: t0.Add(6 * time.Minute), Words: "no answer"})
		three := claim(t, db, 6*time.Minute, 10)[first]
		if three.State != digest.Unsure || three.Attempt != 3 || !three.Begun.Equal(t0.Add(5*time.Minute)) {
			t.Errorf("in doubt: %+v", three)
		}
		if ok, err := db.Again(t.Context(), first, three.Attempt); !ok || err != nil {
			t.Errorf("Again = %v, %v", ok, err)
		}
		// The worker dies over it.
		if early := claim(t, db, 8*time.Minute-time.Second, 10); len(early) != 0 {
			t.Errorf("taken over too early: %+v", early)
		}
		four := claim(t, db, 8*time.Minute, 10)[first]
		if four.State != digest.Unsure || !four.Resent || four.Attempt != 4 || !four.Begun.Equal(t0.Add(5*time.Minute)) {
			t.Errorf("taken over: %+v", four)
		}
		if d := settle(t, db, four, digest.Outcome{State: digest.Sent, Receipt: "1700.42", Words: "found", Resent: true}); d.State != digest.Sent || d.Receipt != "1700.42" || !d.Resent {
			t.Errorf("sent: %+v", d)
		}
		if d := settle(t, db, four, digest.Outcome{State: digest.Dead}); d.State != digest.Sent {
			t.Errorf("settled twice: %+v", d)
		}
		// Later parts know where to go, and die with the one before.
		five := claim(t, db, 9*time.Minute, 10)
		if len(five) != 1 || five[second].First != "1700.42" {
			t.Fatalf("after part 0: %+v", five)
		}
		settle(t, db, five[second], digest.Outcome{State: digest.Dead, Words: "the channel is gone"})
		if d := stored(t, db, third); d.State != digest.Dead || d.Words != "the channel is gone" || d.Attempt != 0 {
			t.Errorf("the part after a dead one: %+v", d)
		}
		if stored(t, db, first).State != digest.Sent {
			t.Error("the part before a dead one is not sent any more")
		}
		if late := claim(t, db, 1000*time.Hour, 10); len(late) != 0 {
			t.Errorf("claimed from the dead: %+v", late)
		}
		if err := db.Settle(t.Context(), digest.Settlement{ID: "none", Attempt: 1, Outcome: digest.Outcome{State: digest.Sent}}); err != nil {
			t.Errorf("settling what is not there: %v", err)
		}
	})
}

// One delivery goes to a channel at a time, and limit holds.
func TestClaimOneToADestination(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		for i := range 6 {
			outgoing(t, db, digest.SubscriptionID(fmt.Sprintf("s%d", i)), fmt.Sprintf("c%d", i%4), 1)
		}
		got := claim(t, db, 0, 3)
		if len(got) != 3 {
			t.Errorf("claimed %d, want the limit of 3", len(got))
		}
		// To the fourth, and to nobody who is being posted to.
		more := claim(t, db, time.Second, 10)
		if len(more) != 1 {
			t.Errorf("claimed %d more while 3 of 4 channels are being posted to, want 1", len(more))
		}
		maps.Copy(got, more)
		channels := map[string]int{}
		for _, d := range got {
			channels[d.To.Channel]++
			settle(t, db, d, digest.Outcome{State: digest.Sent, Receipt: "r"})
		}
		if len(channels) != 4 {
			t.Errorf("channels that were posted to: %v, want all 4 once", channels)
		}
		if n := len(claim(t, db, 2*time.Second, 10)); n != 2 {
			t.Errorf("%d claimed afterwards, want the other 2", n)
		}
	})
}

// Processes that claim at once get each delivery once between them.
func TestConcurrentClaims(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		a, b := p.open(t), p.open(t)
		const digests = 24
		for i := range digests {
			outgoing(t, a, digest.SubscriptionID(fmt.Sprintf("s%d", i)), fmt.Sprintf("c%d", i), 2)
		}
		type result struct {
			ids []digest.DeliveryID
			err error
		}
		results := make(chan result)
		for _, db := range []*DB{a, b, a, b} {
			go func() {
				var r result
				for range 4 * digests {
					batch, err := db.Claim(t.Context(), testLane, digest.Rate{}, t0, time.Hour, 5)
					if err != nil || len(batch) == 0 {
						r.err = err
						break
					}
					for _, d := range batch {
						r.ids = append(r.ids, d.ID)
						if err := db.Settle(t.Context(), digest.Settlement{ID: d.ID, Attempt: d.Attempt, Outcome: digest.Outcome{State: digest.Sent, Receipt: "r"}}); err != nil {
							r.err = err
						}
					}
				}
				results <- r
			}()
		}
		var all []digest.DeliveryID
		for range 4 {
			r := <-results
			if r.err != nil {
				t.Error(r.err)
			}
			all = append(all, r.ids...)
		}
		// One who found nothing left while another held a part 0 has gone home.
		for _, d := range claim(t, a, 0, 1000) {
			all = append(all, d.ID)
		}
		slices.Sort(all)
		if distinct := slices.Compact(slices.Clone(all)); len(all) != 2*digests || len(distinct) != len(all) {
			t.Errorf("%d claims of %d deliveries, want %d of each", len(all), len(distinct), 2*digests)
		}
	})
}

// A delivery that is refused for ever pauses its subscription, in the same breath.
func TestSilence(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		id := outgoing(t, db, "s1", "c", 1)[0]
		settle(t, db, claim(t, db, 0, 1)[id], digest.Outcome{State: digest.Dead, Words: "the channel is gone"})
		got, err := db.Subscription(t.Context(), "s1")
		if err != nil || got.LastResult != "paused: the channel is gone" || !got.Cursor.Equal(t0) {
			t.Errorf("%+v, %v", got, err)
		}
		if due, err := db.DueSubscriptions(t.Context(), t0.AddDate(1000, 0, 0)); err != nil || len(due) != 0 {
			t.Errorf("a silenced subscription is due: %v", err)
		}
		got.PausedUntil = time.Time{}
		if err := db.PutSubscription(t.Context(), got); err != nil {
			t.Fatal(err)
		}
		if due, err := db.DueSubscriptions(t.Context(), t0.Add(time.Hour)); err != nil || len(due) != 1 {
			t.Errorf("a resumed one is not due: %v", err)
		}
		// One that has ended meanwhile is no error.
		ended := outgoing(t, db, "s2", "d", 1)[0]
		d := claim(t, db, 0, 1)[ended]
		if err := db.DeleteSubscription(t.Context(), "s2"); err != nil {
			t.Fatal(err)
		}
		if d := settle(t, db, d, digest.Outcome{State: digest.Dead, Words: "gone"}); d.State != digest.Dead {
			t.Errorf("of an ended subscription: %+v", d)
		}
	})
}

// What an operator may do to a delivery in each state.
func TestRequeue(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		for _, tt := range []struct {
			name          string
			outcome       digest.Outcome // "": left in sending
			retry, cancel digest.DeliveryState
		}{
			{"pending", digest.Outcome{State: digest.Pending, NotBefore: t0.Add(time.Hour)}, digest.Pending, digest.Dead},
			{"sending", digest.Outcome{}, "", digest.Dead},
			{"unsure", digest.Outcome{State: digest.Unsure, NotBefore: t0.Add(time.Hour)}, digest.Unsure, digest.Dead},
			{"dead", digest.Outcome{State: digest.Dead}, digest.Unsure, ""},
			{"sent", digest.Outcome{State: digest.Sent}, "", ""},
		} {
			for _, retry := range []bool{true, false} {
				name := fmt.Sprintf("%s-%v", tt.name, retry)
				id := outgoing(t, db, digest.SubscriptionID(name), name, 1)[0]
				d := claim(t, db, 0, 10)[id]
				if tt.outcome.State != "" {
					settle(t, db, d, tt.outcome)
				}
				want := tt.cancel
				if retry {
					want = tt.retry
				}
				err := db.Requeue(t.Context(), id, retry)
				got := stored(t, db, id)
				switch {
				case want == "":
					if !errors.Is(err, ErrNotFound) {
						t.Errorf("%s: %v, want that it can't be", name, err)
					}
				case err != nil || got.State != want:
					t.Errorf("%s: %s, %v, want %s", name, got.State, err, want)
				case retry:
					if c, ok := claim(t, db, 0, 10)[id]; !ok || !c.Begun.Equal(t0) {
						t.Errorf("%s: does not go out at once: %+v", name, c)
					}
				default:
					if d := settle(t, db, d, digest.Outcome{State: digest.Sent}); d.State != digest.Dead || d.Words != "canceled" {
						t.Errorf("%s: what was canceled became %+v", name, d)
					}
				}
			}
		}
		// A part that died with the one before was never tried: there is nothing to look for.
		ids := outgoing(t, db, "never", "never", 2)
		settle(t, db, claim(t, db, 0, 10)[ids[0]], digest.Outcome{State: digest.Dead})
		for _, id := range ids {
			if err := db.Requeue(t.Context(), id, true); err != nil {
				t.Error(err)
			}
		}
		if a, b := stored(t, db, ids[0]).State, stored(t, db, ids[1]).State; a != digest.Unsure || b != digest.Pending {
			t.Errorf("retried as %s and %s, want unsure and pending", a, b)
		}
		if err := db.Requeue(t.Context(), "none", true); !errors.Is(err, ErrNotFound) {
			t.Errorf("one that is not there: %v", err)
		}
		if _, err := db.Delivery(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("reading it: %v", err)
		}
	})
}

func TestDeliveriesByState(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ids := outgoing(t, db, "s1", "c", 3)
		settle(t, db, claim(t, db, 0, 1)[ids[0]], digest.Outcome{State: digest.Sent})
		for state, want := range map[digest.DeliveryState]int{"": 3, digest.Sent: 1, digest.Pending: 2, digest.Dead: 0} {
			if got, err := db.Deliveries(t.Context(), state, 0); err != nil || len(got) != want {
				t.Errorf("%d are %q (%v), want %d", len(got), state, err, want)
			}
		}
		if got, err := db.Deliveries(t.Context(), "", 2); err != nil || len(got) != 2 || got[0].ID != ids[0] {
			t.Errorf("the first two: %+v, %v", got, err)
		}
	})
}

func TestSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		channel := func(workspace, channel string) digest.Destination {
			return digest.Destination{Platform: "test", Workspace: workspace, Channel: channel}
		}
		if s, err := db.Settings(ctx, channel("w", "c")); err != nil || cmp.Diff(digest.Settings{}, s) != "" {
			t.Errorf("nothing chosen yet: %+v, %v", s, err)
		}
		want := digest.Settings{Zone: "Europe/Paris", OnlyManagers: true, Editors: []string{"U1", "U2"}, Profile: digest.Profile{Commercial: true, EU: true, Host: true}}
		for _, s := range []digest.Settings{{Zone: "Asia/Tokyo"}, want} {
			if err := db.PutSettings(ctx, channel("w", "c"), s); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := db.Settings(ctx, channel("w", "another")); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("another channel of the workspace has %+v, %v", got, err)
		}
		// A person's own, where there is no workspace; and nobody else's.
		if err := db.PutSettings(ctx, channel("", "D1"), digest.Settings{Zone: "America/Lima"}); err != nil {
			t.Fatal(err)
		}
		for d, zone := range map[digest.Destination]string{
			channel("", "D1"): "America/Lima", channel("", "D2"): "", channel("v", "c"): "", {Platform: "other", Workspace: "w", Channel: "c"}: "",
		} {
			if got, err := db.Settings(ctx, d); err != nil || got.Zone != zone {
				t.Errorf("%+v has %+v, %v", d, got, err)
			}
		}
	})
}

func TestVotes(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		here, there := digest.Destination{Platform: "test", Workspace: "w", Channel: "c"}, digest.Destination{Platform: "test", Workspace: "w", Channel: "d"}
		for i, v := range []struct {
			in     digest.Destination
			person string
			work   digest.WorkID
			value  int
		}{
			{here, "ada", "w1", 1},
			{here, "ada", "w1", -1}, // she changes her mind
			{here, "bob", "w1", 1},
			{here, "eve", "w1", 1},
			{here, "ada", "w2", 1},
			{here, "ada", "w2", 0},
			{here, "bob", "w3", 0}, // and takes it back
			{there, "ada", "w1", 1},
		} {
			if err := db.Vote(ctx, v.in, v.person, v.work, v.value, t0.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Votes(ctx, here)
		if d := cmp.Diff(map[digest.WorkID][2]int{"w1": {2, 1}}, got); err != nil || d != "" {
			t.Errorf("here: %v\n%s", err, d)
		}
		got, err = db.Votes(ctx, there)
		if d := cmp.Diff(map[digest.WorkID][2]int{"w1": {1, 0}}, got); err != nil || d != "" {
			t.Errorf("there: %v\n%s", err, d)
		}
		if err := db.Vote(ctx, here, "ada", "w1", 2, t0); err == nil {
			t.Error("a vote of 2: no error")
		}
		// Words on two works that turn out to be one are words on the one.
		ingest(t, db, entry("feed:a", "1", "One", 0), entry("feed:a", "2", "Two", 1))
		var ids []digest.WorkID
		for _, w := range everyWork(t, db) {
			ids = append(ids, w.ID)
		}
		vote := func(person string, work digest.WorkID, value int) {
			t.Helper()
			if err := db.Vote(ctx, there, person, work, value, t0); err != nil {
				t.Fatal(err)
			}
		}
		vote("ada", "w1", 0)
		vote("ada", ids[0], 1)
		vote("bob", ids[1], 1)
		one, err := db.Join(ctx, ids[0], ids[1], "ada", "the same model")
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			work  digest.WorkID
			value int
			want  map[digest.WorkID][2]int
		}{{one, 1, map[digest.WorkID][2]int{one: {2, 0}}}, {ids[0], -1, map[digest.WorkID][2]int{one: {1, 1}}}, {ids[1], 0, map[digest.WorkID][2]int{one: {1, 0}}}} {
			vote("ada", tt.work, tt.value)
			got, err := db.Votes(ctx, there)
			if d := cmp.Diff(tt.want, got); err != nil || d != "" {
				t.Errorf("after a merge and %+d: %v\n%s", tt.value, err, d)
			}
		}
	})
}

func TestSaved(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		ingest(t, db, entry("feed:a", "1", "One", 0), entry("feed:a", "2", "Two", 1), entry("feed:a", "3", "Three", 2))
		id := map[string]digest.WorkID{}
		for _, w := range everyWork(t, db) {
			id[w.Title] = w.ID
		}
		in := digest.Destination{Platform: "test", Workspace: "w", Channel: "c"}
		save := func(person string, work digest.WorkID, on bool, after time.Duration) {
			t.Helper()
			if err := db.Save(ctx, in, person, work, on, t0.Add(after)); err != nil {
				t.Fatal(err)
			}
		}
		list := func(in digest.Destination, person string) string {
			t.Helper()
			works, err := db.Saved(ctx, in, person)
			if err != nil {
				t.Fatal(err)
			}
			var titles []string
			for _, w := range works {
				titles = append(titles, w.Title)
			}
			return strings.Join(titles, ", ")
		}
		save("ada", id["One"], true, 0)
		save("ada", id["Two"], true, time.Second)
		save("ada", id["One"], true, time.Hour) // again: it keeps its place
		save("ada", id["Three"], true, 2*time.Second)
		save("ada", "wnone", true, 0) // it may have been removed since
		save("bob", id["One"], true, 0)
		if got := list(in, "ada"); got != "Three, Two, One" {
			t.Errorf("her list: %s", got)
		}
		in.Channel = "elsewhere"
		if got := list(in, "ada"); got != "Three, Two, One" {
			t.Errorf("her list in another channel: %s", got)
		}
		in.Workspace = "other"
		if got := list(in, "ada"); got != "" {
			t.Errorf("her namesake's list in another workspace: %s", got)
		}
		in.Workspace = "w"
		save("ada", id["Two"], false, 0)
		save("ada", id["Two"], false, 0)
		if got := list(in, "ada"); got != "Three, One" {
			t.Errorf("after taking one off: %s", got)
		}
		// Two of her works turn out to be one: it stands there once, and goes at once.
		one, err := db.Join(ctx, id["One"], id["Three"], "ada", "the same model")
		if err != nil {
			t.Fatal(err)
		}
		works, err := db.Saved(ctx, in, "ada")
		if err != nil || len(works) != 1 || works[0].ID != one {
			t.Fatalf("after a merge: %d works, %v", len(works), err)
		}
		save("ada", one, false, 0)
		if got := list(in, "ada"); got != "" {
			t.Errorf("a merged work stays on the list: %s", got)
		}
	})
}
