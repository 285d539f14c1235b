package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/feeds"
)

func TestSources(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		a := feeds.Source{
			ID: "feed:https://a.example/rss", Kind: feeds.KindFeed, URL: "https://a.example/rss", Site: "https://a.example", Title: "A",
			Lab: "a", Every: 90 * time.Minute, Official: true,
		}
		b := feeds.Source{ID: "arxiv:cs.CL", Kind: feeds.KindArXiv, URL: "https://rss.arxiv.org/rss/cs.CL"}
		if err := db.PutSources(ctx, []feeds.Source{a, b}); err != nil {
			t.Fatal(err)
		}
		all, err := db.Sources(ctx)
		if d := cmp.Diff([]feeds.Source{b, a}, all); err != nil || d != "" {
			t.Errorf("Sources: %v\n%s", err, d)
		}
		due := func(at time.Time) string {
			t.Helper()
			sources, err := db.DueSources(ctx, at)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, s := range sources {
				ids = append(ids, string(s.ID))
			}
			return strings.Join(ids, " ")
		}
		if got := due(t0); got != "arxiv:cs.CL feed:https://a.example/rss" {
			t.Errorf("new sources are due at once: %s", got)
		}
		// One brings something, the other is unchanged.
		state := feeds.State{ETag: `"1"`, Body: "h", Entries: []byte{1, 2, 3}}
		visit := digest.Arrival{
			Source: b, At: t0, Pull: feeds.Pull{State: state, Title: "cs.CL updates", MovedTo: "https://rss.arxiv.org/rss/cs.cl"},
			Entries: []digest.Entry{entry("arxiv:cs.CL", "1", "One", -2), entry("arxiv:cs.CL", "2", "Two", -3)},
		}
		if _, err := db.Ingest(ctx, []digest.Arrival{visit}); err != nil {
			t.Fatal(err)
		}
		if err := db.Looked(ctx, []digest.Visit{
			{Source: a.ID, At: t0, Unchanged: true, NotBefore: t0.Add(2 * time.Hour)},
			{Source: "feed:https://removed.example", At: t0, Unchanged: true},
		}); err != nil {
			t.Fatal(err)
		}
		if got, err := db.State(ctx, b.ID); err != nil || cmp.Diff(state, got) != "" {
			t.Errorf("State = %+v, %v", got, err)
		}
		if got, err := db.State(ctx, a.ID); err != nil || cmp.Diff(feeds.State{}, got) != "" {
			t.Errorf("State of an unchanged source = %+v, %v", got, err)
		}
		b.Title, b.URL = "cs.CL updates", "https://rss.arxiv.org/rss/cs.cl"
		if got, err := db.Source(ctx, b.ID); err != nil || got != b {
			t.Errorf("Source = %+v, %v, want title and URL as the visit found them", got, err)
		}
		for at, want := range map[time.Duration]string{
			119 * time.Minute: "", 2 * time.Hour: string(a.ID), 3 * time.Hour: string(a.ID) + " " + string(b.ID),
		} {
			if got := due(t0.Add(at)); got != want {
				t.Errorf("due after %s: %q, want %q", at, got, want)
			}
		}
		if err := db.SetPaused(ctx, a.ID, true); err != nil {
			t.Fatal(err)
		}
		if got := due(t0.Add(5 * time.Hour)); got != string(b.ID) {
			t.Errorf("due with one paused: %s", got)
		}
		health, err := db.SourceHealth(ctx)
		if err != nil || len(health) != 2 {
			t.Fatalf("SourceHealth: %d, %v", len(health), err)
		}
		want := []digest.SourceHealth{
			{ID: b.ID, Title: b.Title, Kind: b.Kind, LastLook: t0, LastGood: t0, LastItem: t0.Add(-2 * time.Hour)},
			{ID: a.ID, Title: "A", Lab: "a", Kind: a.Kind, LastLook: t0, LastGood: t0, Paused: true},
		}
		if d := cmp.Diff(want, health); d != "" {
			t.Errorf("SourceHealth (-want +got):\n%s", d)
		}
		// A new definition keeps what visits left; a new URL makes it due.
		b.Lab = "arxiv"
		if err := db.PutSource(ctx, b); err != nil {
			t.Fatal(err)
		}
		if got, _ := db.State(ctx, b.ID); got.ETag == "" || due(t0) != "" {
			t.Error("a new definition lost the state")
		}
		b.URL = "https://export.arxiv.org/rss/cs.CL"
		if err := db.PutSource(ctx, b); err != nil {
			t.Fatal(err)
		}
		if got, _ := db.State(ctx, b.ID); got.ETag != "" || due(t0) != string(b.ID) {
			t.Error("a new URL kept the state of the old one")
		}
		if err := db.DeleteSource(ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Source(ctx, b.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a removed source: %v", err)
		}
		if got := len(everyWork(t, db)); got != 2 {
			t.Errorf("%d works after their source was removed, want 2", got)
		}
		// What arrives from a removed source is kept; the source is not.
		visit.Entries = []digest.Entry{entry("arxiv:cs.CL", "3", "Three", -1)}
		if done, err := db.Ingest(ctx, []digest.Arrival{visit}); err != nil || done.Items != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		for what, err := range map[string]error{
			"remove": db.DeleteSource(ctx, b.ID), "pause": db.SetPaused(ctx, b.ID, true),
		} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s a source that is not there: %v", what, err)
			}
		}
		for _, id := range []feeds.SourceID{"", feeds.SourceID(strings.Repeat("x", maxID+1))} {
			if err := db.PutSource(ctx, feeds.Source{ID: id}); err == nil {
				t.Errorf("an id of %d bytes: no error", len(id))
			}
		}
	})
}

// A failing source is asked less and less often; one that is gone for a week is
// asked no more; one that answers is well again.
func TestFailingSource(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		src := feeds.Source{ID: "feed:x", Kind: feeds.KindFeed, URL: "https://x.example"}
		if err := db.PutSource(ctx, src); err != nil {
			t.Fatal(err)
		}
		now := t0
		var waits []time.Duration
		look := func(v digest.Visit) digest.SourceHealth {
			t.Helper()
			v.Source, v.At = src.ID, now
			if err := db.Looked(ctx, []digest.Visit{v}); err != nil {
				t.Fatal(err)
			}
			h, err := db.SourceHealth(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return h[0]
		}
		for range 7 {
			h := look(digest.Visit{Trouble: feeds.TroubleTimeout, Words: "no answer in 20 s"})
			if h.Trouble != "no answer in 20 s" || h.LastLook != now || !h.LastGood.IsZero() {
				t.Errorf("%+v", h)
			}
			wait := time.Duration(0)
			for ; wait < 100*time.Hour; wait += time.Hour {
				if s, err := db.DueSources(ctx, now.Add(wait)); err != nil || len(s) > 0 {
					break
				}
			}
			waits = append(waits, wait)
			now = now.Add(wait)
		}
		h := time.Hour
		if want := []time.Duration{h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h, 24 * h}; !slices.Equal(waits, want) {
			t.Errorf("waits between visits %v, want %v", waits, want)
		}
		if h := look(digest.Visit{Unchanged: true, State: feeds.State{ETag: "2"}}); h.Failures != 0 || h.Trouble != "" || h.LastGood != now {
			t.Errorf("after an answer: %+v", h)
		}
		if s, err := db.State(ctx, src.ID); err != nil || s.ETag != "2" {
			t.Errorf("an unchanged source with new validators: %+v, %v", s, err)
		}
		if h := look(digest.Visit{Trouble: feeds.TroubleGone, Words: "HTTP 404"}); h.Gone {
			t.Error("gone at the first 404")
		}
		now = now.Add(6 * 24 * time.Hour)
		look(digest.Visit{Trouble: feeds.TroubleTimeout}) // not a 404: the week begins again
		now = now.Add(24 * time.Hour)
		if h := look(digest.Visit{Trouble: feeds.TroubleGone}); h.Gone {
			t.Error("gone although something else came between")
		}
		now = now.Add(7 * 24 * time.Hour)
		if h := look(digest.Visit{Trouble: feeds.TroubleGone}); !h.Gone {
			t.Error("not gone after a week of 404")
		}
		if s, err := db.DueSources(ctx, now.Add(1000*time.Hour)); err != nil || len(s) != 0 {
			t.Errorf("a gone source is due (%v)", err)
		}
		if s, err := db.Source(ctx, src.ID); err != nil || !s.Gone {
			t.Errorf("Source: %+v, %v", s, err)
		}
	})
}

func TestTopics(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		for _, topic := range []digest.Topic{{Name: "b", Query: "x", About: ""}, {Name: "a", Query: "country:FR", About: "French"}, {Name: "b", Query: "y", About: "again"}} {
			if err := db.PutTopic(ctx, topic); err != nil {
				t.Fatal(err)
			}
		}
		topics, err := db.Topics(ctx)
		if d := cmp.Diff([]digest.Topic{{Name: "a", Query: "country:FR", About: "French"}, {Name: "b", Query: "y", About: "again"}}, topics); err != nil || d != "" {
			t.Errorf("Topics: %v\n%s", err, d)
		}
		if got, err := db.Topic(ctx, "a"); err != nil || got != topics[0] {
			t.Errorf("Topic = %+v, %v", got, err)
		}
		if err := db.DeleteTopic(ctx, "a"); err != nil {
			t.Error(err)
		}
		if _, err := db.Topic(ctx, "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a removed topic: %v", err)
		}
		if err := db.DeleteTopic(ctx, "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
	})
}

// A period is composed once, whoever composes it and however often.
func TestDigests(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		week := 7 * 24 * time.Hour
		sub := digest.Subscription{
			ID: "s1", Destination: digest.Destination{Platform: "terminal", Channel: "c"}, Query: "country:FR", Cadence: "0 9 * * 1", Zone: "Europe/Paris",
			Owner: "ada", Created: t0.Add(-week), Cursor: t0.Add(-week), Next: t0,
		}
		paused := sub
		paused.ID, paused.PausedUntil, paused.Publish = "s2", t0.Add(time.Hour), true
		paused.Asked = digest.Destination{Platform: "terminal", Workspace: "w", Channel: "where ada asked"}
		for _, s := range []digest.Subscription{sub, paused} {
			if err := db.PutSubscription(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		for at, want := range map[time.Duration]int{-time.Second: 0, 0: 1, time.Hour: 2} {
			if due, err := db.DueSubscriptions(ctx, t0.Add(at)); err != nil || len(due) != want {
				t.Errorf("%d due at %v (%v), want %d", len(due), at, err, want)
			}
		}
		all, err := db.Subscriptions(ctx)
		if d := cmp.Diff([]digest.Subscription{sub, paused}, all); err != nil || d != "" {
			t.Errorf("Subscriptions: %v\n%s", err, d)
		}
		if err := db.Postpone(ctx, sub.ID, t0.Add(time.Minute), "no source could be read"); err != nil {
			t.Fatal(err)
		}
		if s, err := db.Subscription(ctx, sub.ID); err != nil || !s.Next.Equal(t0.Add(time.Minute)) || !s.Cursor.Equal(sub.Cursor) || s.LastResult == "" {
			t.Errorf("postponed: %+v, %v", s, err)
		}
		d := digest.Digest{Title: "This week", Period: digest.Period{From: sub.Cursor, To: t0}, Composed: t0, Numbers: digest.Numbers{Works: 3}}
		// Two processes at once: one of them says it.
		other := p.open(t)
		type result struct {
			id  digest.DigestID
			err error
		}
		results := make(chan result, 2)
		for _, db := range []*DB{db, other} {
			go func() {
				id, err := db.SaveDigest(ctx, sub, d, t0.Add(week))
				results <- result{id, err}
			}()
		}
		a, b := <-results, <-results
		if a.err != nil {
			a, b = b, a
		}
		if a.err != nil || !errors.Is(b.err, digest.ErrSaid) {
			t.Fatalf("two at once: %v and %v, want one to be told it was said", a.err, b.err)
		}
		got, err := db.Subscription(ctx, sub.ID)
		if err != nil || !got.Cursor.Equal(t0) || !got.Next.Equal(t0.Add(week)) || got.LastResult != "3 works" {
			t.Errorf("afterwards: %+v, %v", got, err)
		}
		if _, err := db.SaveDigest(ctx, sub, d, t0.Add(week)); !errors.Is(err, digest.ErrSaid) {
			t.Errorf("said again: %v", err)
		}
		stored, err := db.Digest(ctx, a.id)
		if err != nil || stored.Title != d.Title || stored.Subscription != sub.ID || !stored.Period.To.Equal(t0) {
			t.Errorf("Digest = %+v, %v", stored, err)
		}
		next := d
		next.Period = digest.Period{From: t0, To: t0.Add(week)}
		id, err := db.SaveDigest(ctx, got, next, t0.Add(2*week))
		if err != nil || id == a.id {
			t.Errorf("the next one: %s, %v", id, err)
		}
		list, err := db.Digests(ctx, sub.ID, 0)
		if err != nil || len(list) != 2 || list[0].ID != id {
			t.Errorf("Digests: %d, %v, want two, the newest first", len(list), err)
		}
		if list, err := db.Digests(ctx, "", 1); err != nil || len(list) != 1 {
			t.Errorf("Digests of all: %d, %v", len(list), err)
		}
		if err := db.DeleteSubscription(ctx, sub.ID); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"save": second(db.SaveDigest(ctx, got, next, t0)), "end": db.DeleteSubscription(ctx, sub.ID), "postpone": db.Postpone(ctx, sub.ID, t0, ""),
			"read": second(db.Subscription(ctx, sub.ID)), "digest": second(db.Digest(ctx, "dnone")),
		} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s after its end: %v", what, err)
			}
		}
		if _, err := db.Digest(ctx, a.id); err != nil {
			t.Errorf("what was said is gone: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestLookups(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		names := []string{"arxiv-page:1", "hf:x/y", "gh:x/y", "never"}
		for name, a := range map[string]digest.Answer{
			names[0]: {Words: "2 affiliations", Fetched: t0, Expires: t0.Add(time.Hour)},
			names[1]: {Words: "nothing", Fetched: t0.Add(-time.Hour), Expires: t0},
			names[3]: {Words: "for good", Fetched: t0},
		} {
			if err := db.Answer(ctx, name, a); err != nil {
				t.Fatal(err)
			}
		}
		open, err := db.Unanswered(ctx, names, t0)
		if d := cmp.Diff(names[1:3], open); err != nil || d != "" {
			t.Errorf("Unanswered: %v\n%s", err, d)
		}
		want := digest.Answer{Words: "now known", Fetched: t0, Expires: t0.Add(time.Minute)}
		if err := db.Answer(ctx, names[1], want); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Answered(ctx, names[1]); err != nil || got != want {
			t.Errorf("Answered = %+v, %v", got, err)
		}
		if _, err := db.Answered(ctx, names[2]); !errors.Is(err, ErrNotFound) {
			t.Errorf("never asked: %v", err)
		}
	})
}

// labs makes n organizations, and fails after them if err is set.
func labs(n int, err error) iter.Seq2[feeds.Lab, error] {
	return func(yield func(feeds.Lab, error) bool) {
		for i := range n {
			o := feeds.Lab{
				ID: feeds.LabID(fmt.Sprintf("ror:%09d", i)), Name: fmt.Sprintf("University of %s", word(uint64(i))), Kind: feeds.University,
				Aliases: []string{"Universität " + word(uint64(i)), "大学" + word(uint64(i))}, Domains: []string{word(uint64(i)) + ".example"},
				Seats: []feeds.Seat{{Home: "DE", Control: "DE"}},
			}
			if !yield(o, nil) {
				return
			}
		}
		if err != nil {
			yield(feeds.Lab{}, err)
		}
	}
}

func TestOrganizations(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		if n, err := db.ReplaceOrganizations(ctx, labs(3000, nil)); err != nil || n != 3000 {
			t.Fatalf("ReplaceOrganizations = %d, %v", n, err)
		}
		broken := errors.New("row 1500 is cut short")
		if _, err := db.ReplaceOrganizations(ctx, labs(1500, broken)); !errors.Is(err, broken) {
			t.Errorf("a broken dump: %v", err)
		}
		orgs, err := db.Organizations(ctx)
		if err != nil || len(orgs) != 3000 {
			t.Fatalf("%d organizations after a broken dump (%v), want the 3000 of before", len(orgs), err)
		}
		var want feeds.Lab
		for o := range labs(1, nil) {
			want = o
		}
		if d := cmp.Diff(want, orgs[0]); d != "" {
			t.Error(d)
		}
		if n, err := db.ReplaceOrganizations(ctx, labs(10, nil)); err != nil || n != 10 {
			t.Errorf("a smaller dump: %d, %v", n, err)
		}
		if s, err := db.Stats(ctx); err != nil || s.Organizations != 10 {
			t.Errorf("%+v, %v", s, err)
		}
		twice := func(yield func(feeds.Lab, error) bool) {
			for range 2 {
				if !yield(feeds.Lab{ID: "ror:1"}, nil) {
					return
				}
			}
		}
		if _, err := db.ReplaceOrganizations(ctx, twice); err == nil {
			t.Error("one id twice: no error")
		}
	})
}

func TestMeta(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		for _, want := range []string{"", "1", "2"} {
			if want != "" {
				if err := db.SetMeta(t.Context(), "catalog", want); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := db.Meta(t.Context(), "catalog"); err != nil || got != want {
				t.Errorf("Meta = %q, %v, want %q", got, err, want)
			}
		}
		if err := db.Ping(t.Context()); err != nil || db.Engine() != p.name {
			t.Errorf("Ping: %v; engine %s", err, db.Engine())
		}
	})
}

// Everyone who shares the database goes through the gate one at a time, with the
// pause between one's answer and the next one's request.
func TestGate(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		const pause = 60 * time.Millisecond
		spacing := map[string]time.Duration{"arxiv": pause}
		type stay struct{ in, out time.Time }
		stays := make(chan stay, 100)
		done := make(chan error, 6)
		for i := range 6 {
			db := p.open(t)
			gate := db.Gate(spacing)
			if i%2 == 1 { // two in one process
				gate = db.Gate(spacing)
			}
			go func() {
				for range 2 {
					leave, err := gate.Enter(t.Context(), "arxiv")
					if err != nil {
						done <- err
						return
					}
					s := stay{in: time.Now()}
					time.Sleep(5 * time.Millisecond) // the request
					s.out = time.Now()
					leave()
					leave() // twice does no harm
					stays <- s
				}
				done <- nil
			}()
		}
		for range 6 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		close(stays)
		var all []stay
		for s := range stays {
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b stay) int { return a.in.Compare(b.in) })
		if len(all) != 12 {
			t.Fatalf("%d went through, want 12", len(all))
		}
		for i := range all[1:] {
			// A millisecond is lost to rounding.
			if gap := all[i+1].in.Sub(all[i].out); gap < pause-2*time.Millisecond {
				t.Errorf("number %d went in %v after the one before was answered, want %v or more", i+1, gap, pause)
			}
		}
		// Others are let through, and nobody waits longer than asked to.
		db := p.open(t)
		leave, err := db.Gate(spacing).Enter(t.Context(), "elsewhere")
		if err != nil {
			t.Fatal(err)
		}
		leave()
		inside, err := db.Gate(spacing).Enter(t.Context(), "arxiv")
		if err != nil {
			t.Fatal(err)
		}
		for _, waiting := range []*DB{db, p.open(t)} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			if _, err := waiting.Gate(spacing).Enter(ctx, "arxiv"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "arxiv") {
				t.Errorf("a wait that ended: %v", err)
			}
			cancel()
		}
		inside()
	})
}

// A process that dies behind the gate keeps it shut for as long as its lease, not
// for ever; and the real pause is kept to, in fake time.
func TestGateLease(t *testing.T) {
	location := sqlitePlace(t).location
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		open := func() *DB {
			db, err := Open(ctx, location)
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
		dead, db := open(), open()
		defer db.Close()
		defer dead.Close()
		spacing := map[string]time.Duration{"arxiv": 3 * time.Second}
		if _, err := dead.Gate(spacing).Enter(ctx, "arxiv"); err != nil { // and never leaves
			t.Fatal(err)
		}
		began := time.Now()
		for i, want := range []time.Duration{gateLease, gateLease + 3*time.Second, gateLease + 6*time.Second} {
			leave, err := db.Gate(spacing).Enter(ctx, "arxiv")
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Since(began); got < want || got > want+2*gatePoll {
				t.Errorf("number %d went in after %v, want %v", i, got, want)
			}
			leave()
		}
	})
}
