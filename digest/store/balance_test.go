package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// What digests have shown is what they showed in channels, under the ids that works
// have today.
func TestPicked(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		ingest(t, db, entry("feed:a", "1", "One", 0), entry("feed:a", "2", "Two", 1), entry("feed:a", "3", "Three", 2))
		works := everyWork(t, db)
		send := func(name string, direct bool, ids ...digest.WorkID) {
			t.Helper()
			sub := digest.Subscription{ID: digest.SubscriptionID(name), Destination: digest.Destination{Platform: "test", Workspace: "w", Channel: name, Direct: direct}, Cadence: "0 9 * * 1", Zone: "UTC", Created: t0, Cursor: t0}
			if err := db.PutSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
			d := digest.Digest{Period: digest.Period{From: t0, To: t0.Add(time.Hour)}}
			for _, id := range ids {
				d.Sections = append(d.Sections, digest.Section{Stories: []digest.Story{{Work: id}}})
			}
			if _, err := db.SaveDigest(ctx, sub, d, t0.Add(2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := db.Picked(ctx); err != nil || len(got) != 0 {
			t.Errorf("before any digest: %v, %v", got, err)
		}
		send("channel", false, works[0].ID)
		send("person", true, works[2].ID)
		one, err := db.Join(ctx, works[0].ID, works[1].ID, "ada", "the same")
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.Picked(ctx)
		if err != nil || !got[one] || got[works[2].ID] {
			t.Errorf("picked %v (%v), want %s and nothing that one person was sent", got, err, one)
		}
	})
}

func TestUseful(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		at := func(platform, workspace, channel string) digest.Destination {
			return digest.Destination{Platform: platform, Workspace: workspace, Channel: channel}
		}
		for _, v := range []struct {
			in     digest.Destination
			person string
			work   digest.WorkID
			value  int
		}{
			{at("test", "w", "c"), "ada", "w1", 1},
			{at("test", "w", "d"), "bob", "w1", 1},
			{at("test", "w", "d"), "eve", "w1", -1},
			{at("test", "w", "c"), "ada", "w2", 1},
			{at("test", "w", "c"), "bob", "w2", -1}, // as many against as for
			{at("test", "w2", "c"), "ada", "w3", 1}, // of a workspace whose name begins alike
			{at("test", "", "ada"), "ada", "w4", 1},
		} {
			if err := db.Vote(ctx, v.in, v.person, v.work, v.value, t0); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			in   digest.Destination
			want map[digest.WorkID]bool
		}{
			{at("test", "w", "c"), map[digest.WorkID]bool{"w1": true}},
			{at("test", "w2", "x"), map[digest.WorkID]bool{"w3": true}},
			{at("test", "", "ada"), map[digest.WorkID]bool{"w4": true}},
			{at("test", "", "eve"), map[digest.WorkID]bool{}},
			{digest.Destination{}, map[digest.WorkID]bool{"w1": true, "w3": true, "w4": true}},
		} {
			got, err := db.Useful(ctx, tt.in)
			if d := cmp.Diff(tt.want, got); err != nil || d != "" {
				t.Errorf("%+v: %v\n%s", tt.in, err, d)
			}
		}
	})
}

// What is read back in short is what JSON says, for works that are alike and for
// those that are not.
func TestThinReader(t *testing.T) {
	var r thinReader
	texts := []string{`{"id":"w\u0031","first":"2026-01-01T00:00:00Z"}`, `{"id":"w1"}`, `{"first":"2026-01-01T00:00:00Z","id":"w1"}`, `{"id":"w1","first":"2026-01-01T01:00:00.5+01:00","openness":"closed"}`}
	for i, w := range everyThin(t, 400) {
		text, err := encode(w)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
		w.ID, w.First = digest.WorkID(fmt.Sprintf("wother%d", i)), w.First.Add(time.Duration(i)*time.Hour)
		if text, err = encode(w); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		var want digest.Work
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got, err := r.read([]byte(text))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", text, err, d)
		}
	}
	if n := len(r.seen); n == 0 || n > 401 {
		t.Errorf("%d are remembered of %d, of which each but four has its like", n, len(texts))
	}
	for _, bad := range []string{"", "{", `{"id":"w1","first":"2026-01-01T00:00:00Z","openness":"ajar"}`, `{"id":"w1","first":"yesterday"}`, `null,`} {
		if w, err := r.read([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, w)
		}
	}
}

// everyThin are the works of a small world, as thin as they are kept.
func everyThin(t *testing.T, n int) (out []digest.Work) {
	t.Helper()
	for i, e := range world(n, 1) {
		w := digest.Fold([]digest.Entry{e}, nil, nil)
		w.ID = digest.WorkID(fmt.Sprint("w", i))
		out = append(out, thin(w))
	}
	return out
}

// The balance of what is counted by week is the balance of the works one by one, to
// the last bit, whatever has happened to them, and whoever wrote them.
func TestCountIsTally(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		r := rand.New(rand.NewPCG(3, 9))
		const n, hours = 400, 7 * 7 * 24
		countries := []feeds.Country{"CN", "CN", "US", "US", "FR", "HK", feeds.Nowhere}
		made := func(i int) digest.Entry {
			e := entry("feed:https://x.example", fmt.Sprint(i), fmt.Sprintf("Work %d", i), r.IntN(hours))
			for range r.IntN(4) {
				c := countries[r.IntN(len(countries))]
				a := feeds.Attribution{Home: c, Control: countries[r.IntN(len(countries))], Basis: feeds.Affiliation}
				a.Name = fmt.Sprintf("Lab %d of %s", r.IntN(9), c)
				if r.IntN(3) > 0 { // or the registry has no such lab
					a.Lab = feeds.LabID(a.Name)
				}
				a.Kind = []feeds.LabKind{feeds.Company, feeds.University}[r.IntN(2)]
				a.Role = []feeds.Role{feeds.RoleAuthor, feeds.RoleLead, feeds.RoleReleaser, feeds.RoleLineage}[r.IntN(4)]
				a.Disputed = r.IntN(20) == 0
				e.Tags.Labs = append(e.Tags.Labs, a)
			}
			e.Tags.Openness = []feeds.Openness{feeds.Unknown, feeds.OpenWeights, feeds.OpenSource}[r.IntN(3)]
			if o := e.Tags.Openness; o.Open() {
				weights(fmt.Sprintf("https://x.example/weights/%d", i), "MIT", o)(&e)
			}
			e.Item.Keys = append(e.Item.Keys, feeds.Key{Scheme: feeds.KeyArXiv, Value: fmt.Sprintf("2603.%05d", i)})
			return e
		}
		var entries []digest.Entry
		for i := range n {
			entries = append(entries, made(i))
		}
		check := func(when string) {
			t.Helper()
			for i := range 12 {
				q := digest.Question{Step: digest.Steps[i%3], Of: digest.Measures[i%2]}
				q.Rule, q.View, q.Companies = digest.Rules[r.IntN(4)], []feeds.View{feeds.ViewHome, feeds.ViewControl}[r.IntN(2)], r.IntN(4) == 0
				if i%4 > 0 { // within a week, across some, all but an hour
					q.Period.From = t0.Add(time.Duration(r.IntN(hours))*time.Hour + time.Duration(r.IntN(2)))
				}
				if i%4 > 1 {
					q.Period.To = q.Period.From.Add(time.Duration(1+r.IntN(hours))*time.Hour + time.Duration(r.IntN(3e6)))
				}
				if i == 3 {
					q.Period.To = t0.Add(2 * hours * time.Hour) // after all of them, as today is
				}
				q, err := q.Complete()
				if err != nil {
					t.Fatal(err)
				}
				one, many := digest.NewCounter(q), digest.NewCounter(q)
				if err := db.Tally(ctx, q.Period, func(w digest.Work) bool { one.Add(&w); return true }); err != nil {
					t.Fatal(err)
				}
				if err := db.Count(ctx, q.Period, func(w digest.Work, n int) bool { many.AddAlike(&w, n); return true }); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(one.Series(), many.Series()); d != "" {
					t.Fatalf("%s, %+v (-one by one +by week):\n%s", when, q, d)
				}
			}
		}
		counted := func(when string, uncounted int) {
			t.Helper()
			var n int
			if err := first(ctx, db, "SELECT COUNT(*) FROM weeks WHERE counted = 0", nil, &n); err != nil || n != uncounted {
				t.Errorf("%s, %d weeks are uncounted (%v), want %d", when, n, err, uncounted)
			}
			auditWeeks(t, db, everyWork(t, db))
			check(when)
		}
		for part := range slices.Chunk(entries, 90) {
			ingest(t, db, part...)
		}
		counted("stored", 0)
		for _, i := range r.Perm(n)[:60] { // as its source and its people say now
			e := made(i)
			e.Item.ID, e.Item.GUID = entries[i].Item.ID, entries[i].Item.GUID
			entries[i] = e
		}
		ingest(t, db, entries...)
		counted("edited", 0)
		works := everyWork(t, db)
		correct := func(i int, field, value string) {
			t.Helper()
			if err := db.Correct(ctx, digest.Correction{Work: works[i].ID, Field: field, Value: value, Because: "https://x.example", By: "ada", At: t0.Add(time.Duration(i) * time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			correct(i, "country", "FR")
			correct(i+10, "openness", "open-source")
		}
		counted("corrected", 0)
		for i := range 20 {
			correct(i, "country", "")
		}
		counted("taken back", 0)
		for i := 30; i < 50; i += 2 {
			one, err := db.Join(ctx, works[i].ID, works[i+100].ID, "ada", "the same")
			if err != nil {
				t.Fatal(err)
			}
			if i%4 == 0 {
				if _, err := db.Split(ctx, one, works[i].Places[0].Item, "ada", "not the same"); err != nil {
					t.Fatal(err)
				}
			}
		}
		counted("merged, and some taken apart", 0)
		if _, err := db.Retag(ctx, func(it feeds.Item) feeds.Tags {
			return feeds.Tags{Labs: []feeds.Attribution{{Lab: "one", Home: "CN", Control: "CN", Role: feeds.RoleReleaser, Basis: feeds.Publisher}}, Countries: []feeds.Country{"CN"}, Control: []feeds.Country{"CN"}}
		}, func() {}); err != nil {
			t.Fatal(err)
		}
		counted("tagged again", 0)

		// A process that knows nothing of weeks writes: a work moves to another week, one
		// is gone, one is new.
		works = everyWork(t, db)
		week := func(w digest.Work) int { return digest.WeekNumber(w.First) }
		moved, gone := works[0], works[len(works)-1]
		later := moved
		later.First = moved.First.AddDate(0, 0, 14)
		fresh := later
		fresh.ID, fresh.First = "wfresh", later.First.AddDate(0, 0, 7)
		if week(moved) == week(gone) {
			t.Fatal("one week has all works")
		}
		err := db.decide(ctx, "writing as of old", func(t *tx) error {
			write := func(text string, w digest.Work) error {
				body, err := encode(w)
				if err != nil {
					return err
				}
				tally, err := encode(thin(w))
				if err != nil {
					return err
				}
				_, err = t.exec(ctx, text, string(w.ID), searchID(w), body, tally)
				return err
			}
			if _, err := t.exec(ctx, "DELETE FROM works WHERE id = $1", string(gone.ID)); err != nil {
				return err
			}
			const put = "INSERT INTO works (id, search_id, body, tally) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET search_id = excluded.search_id, body = excluded.body, tally = excluded.tally"
			return firstError(write(put, later), write(put, fresh))
		})
		if err != nil {
			t.Fatal(err)
		}
		// What knows of weeks goes on in one that is uncounted, and makes it no better.
		ingest(t, db, entry("feed:https://x.example", "new", "One more", int(later.First.Sub(t0).Hours())))
		var n4 int
		if err := first(ctx, db, "SELECT COUNT(*) FROM weeks WHERE counted = 0", nil, &n4); err != nil || n4 != 4 {
			t.Errorf("an older process wrote to four weeks, and %d are uncounted (%v)", n4, err)
		}
		check("written by an older process")
		if err := db.Count(ctx, digest.Period{}, func(digest.Work, int) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if err := first(ctx, db, "SELECT COUNT(*) FROM weeks WHERE counted = 0", nil, &n4); err != nil || n4 != 0 {
			t.Errorf("after a count of everything %d weeks are uncounted (%v)", n4, err)
		}
		check("counted for good")
		stopped := 0
		if err := db.Count(ctx, digest.Period{}, func(digest.Work, int) bool { stopped++; return stopped < 3 }); err != nil || stopped != 3 {
			t.Errorf("%d were handed out before the caller stopped (%v), want 3", stopped, err)
		}
	})
}

// What a query finds is counted by the thin rows, and so are works by name.
func TestTallyFound(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ingest(t, db, world(2500, 11)...)
		period := digest.Period{From: t0.Add(time.Hour), To: t0.Add(2200*time.Minute + time.Nanosecond)}
		for _, text := range []string{"", "country:CN", word(3), word(3) + " -country:CN", `"` + word(1) + " " + word(2) + `"`, word(40)[:2] + "*", "-since:2026-03-02"} {
			q := parse(t, text)
			var want, got []digest.Work
			var ids []digest.WorkID
			for _, w := range everyWork(t, db) {
				if q.Match(digest.SubjectOf(w)) && period.Contains(w.First) {
					text, err := encode(thin(w))
					if err != nil {
						t.Fatal(err)
					}
					var r thinReader
					w, err := r.read([]byte(text))
					if err != nil {
						t.Fatal(err)
					}
					want, ids = append(want, w), append(ids, w.ID)
				}
			}
			all := func(w digest.Work) bool { got = append(got, w); return true }
			if err := db.TallyFound(t.Context(), period, q, all); err != nil || text[:min(1, len(text))] != "-" && len(want) == 0 {
				t.Errorf("%q: %d works, %v", text, len(want), err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%q (-matching +handed out):\n%s", text, d)
			}
			got = nil
			if err := db.TallyOf(t.Context(), append(ids, "wnone"), all); err != nil || len(got) != len(ids) {
				t.Errorf("%d of %d works by name: %v", len(got), len(ids), err)
			}
			n := 0
			if err := db.TallyFound(t.Context(), period, q, func(digest.Work) bool { n++; return n < 2 }); err != nil || n != min(2, len(want)) {
				t.Errorf("%q: %d works before the caller stopped (%v)", text, n, err)
			}
		}
	})
}

// People are counted once whatever channels they vote in, in their workspace only, and
// under whichever id they meant a work.
func TestOpinions(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		ingest(t, db, entry("feed:a", "1", "One", 0), entry("feed:a", "2", "Two", 1), entry("feed:a", "3", "Three", 2))
		works := everyWork(t, db)
		in := func(workspace, channel string) digest.Destination {
			return digest.Destination{Platform: "test", Workspace: workspace, Channel: channel}
		}
		for i, v := range []struct {
			in     digest.Destination
			person string
			work   int
			value  int
		}{
			{in("w", "c"), "ada", 0, 1},
			{in("w", "d"), "ada", 0, 1},
			{in("w", "d"), "bob", 0, 1},
			{in("w", "d"), "eve", 0, -1},
			{in("w", "c"), "ada", 1, 1},
			{in("w", "c"), "eve", 2, -1},
			{in("w2", "c"), "ada", 2, 1},
		} {
			if err := db.Vote(ctx, v.in, v.person, works[v.work].ID, v.value, t0.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		found := func(in digest.Destination, since time.Time, limit int) (out []string) {
			t.Helper()
			got, err := db.FoundUseful(ctx, in, since, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range got {
				if o, err := db.Opinion(ctx, in, f.Work.ID); err != nil || o != f.Opinion {
					t.Errorf("of %s %+v and %+v, %v", f.Work.Title, o, f.Opinion, err)
				}
				out = append(out, fmt.Sprintf("%s %d-%d", f.Work.Title, f.Useful, f.Not))
			}
			return out
		}
		for _, tt := range []struct {
			in    digest.Destination
			since time.Time
			limit int
			want  []string
		}{
			{in("w", "c"), t0, 5, []string{works[0].Title + " 2-1", works[1].Title + " 1-0"}},
			{in("w", "c"), t0, 1, []string{works[0].Title + " 2-1"}},
			{in("w", "elsewhere"), t0.Add(4 * time.Hour), 5, []string{works[1].Title + " 1-0"}},
			{in("w2", "c"), t0, 5, []string{works[2].Title + " 1-0"}},
			{in("w3", "c"), t0, 5, nil},
		} {
			if d := cmp.Diff(tt.want, found(tt.in, tt.since, tt.limit)); d != "" {
				t.Errorf("%+v since %s: %s", tt.in, tt.since, d)
			}
		}
		if o, err := db.Opinion(ctx, in("w", "c"), works[2].ID); err != nil || o != (digest.Opinion{Not: 1}) {
			t.Errorf("%+v, %v", o, err)
		}
		one, err := db.Join(ctx, works[0].ID, works[1].ID, "ada", "the same")
		if err != nil {
			t.Fatal(err)
		}
		joined, err := db.Work(ctx, one)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{joined.Title + " 2-1"}, found(in("w", "c"), t0, 5)); d != "" {
			t.Error(d)
		}
	})
}
