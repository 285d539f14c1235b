package store

import (
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// A source that was broken over a weekend tells on Tuesday what came out on Sunday:
// Monday's digest is out, so the work belongs to the next one, once.
func TestLateWorksAreInTheNextDigest(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		sunday := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		monday, tuesday := sunday.Add(21*time.Hour), sunday.Add(45*time.Hour)
		this := digest.Period{From: monday.AddDate(0, 0, -7), To: monday}
		next := digest.Period{From: monday, To: monday.AddDate(0, 0, 7)}
		put := func(guid string, seen time.Time, backfill bool, keys ...feeds.Key) {
			t.Helper()
			e := entry("feed:x", guid, "Work "+guid, 0)
			e.Item.Published, e.Item.Seen, e.Item.Backfill = sunday, seen, backfill
			e.Item.Keys = append(e.Item.Keys, keys...)
			if _, err := db.Ingest(ctx, arrival(e)); err != nil {
				t.Fatal(err)
			}
		}
		titles := func(p digest.Period) (out string) {
			t.Helper()
			works, err := db.WorksIn(ctx, p, query.Query{})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range works {
				out += w.Title + ";"
			}
			return out
		}
		put("late", tuesday, false)
		put("backfill", tuesday, true)
		put("in time", sunday.Add(time.Minute), false)
		if got := titles(this); got != "Work in time;Work backfill;" && got != "Work backfill;Work in time;" {
			t.Errorf("this week: %s", got)
		}
		if got := titles(next); got != "Work late;" {
			t.Errorf("next week: %s", got)
		}
		// An edit of what was there before we looked is no news, either.
		put("backfill", tuesday.Add(time.Hour), false, feeds.Key{Scheme: feeds.KeyHF, Value: "a/b"})
		if got := titles(next); got != "Work late;" {
			t.Errorf("next week, after an edit: %s", got)
		}
		// The same work turns out to have been told in time elsewhere.
		key := feeds.Key{Scheme: feeds.KeyArXiv, Value: "2611.00001"}
		put("told late", tuesday, false, key)
		put("told in time", sunday.Add(time.Minute), false, key)
		if got := titles(next); got != "Work late;" {
			t.Errorf("next week, after another source had told in time: %s", got)
		}
	})
}
