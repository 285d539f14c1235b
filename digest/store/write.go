package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// save writes everything on the desk that changed: all rows first, then all index
// entries, in the index's order. FTS5 gathers a batch in memory and writes it as one
// segment only if nothing else comes between and row ids ascend.
func (d *desk) save(ctx context.Context, e engine) error {
	var live, gone []*draft
	for _, id := range sortedKeys(d.works) {
		switch w := d.works[id]; {
		case !w.dirty:
		case w.into != nil:
			gone = append(gone, w)
		default:
			live = append(live, w)
		}
	}
	ids, err := d.searchIDs(ctx, live)
	if err != nil {
		return err
	}
	weeks, err := d.recount(ctx, live, gone, ids)
	if err != nil {
		return err
	}
	var unindex []int64
	for _, w := range gone {
		if w.stored == nil {
			continue // begun and merged in one batch: nobody has heard of it
		}
		if err := d.retire(ctx, w); err != nil {
			return err
		}
		unindex = append(unindex, w.stored.searchID)
	}
	var index []indexed
	for _, w := range live {
		terms := w.terms
		if terms == "" {
			terms = termsOf(w.work)
		}
		if w.stored != nil {
			if w.stored.searchID == ids[w.id] && w.stored.terms() == terms {
				continue
			}
			unindex = append(unindex, w.stored.searchID)
		}
		index = append(index, indexed{ids[w.id], terms})
	}
	if err := d.saveItems(ctx, live); err != nil {
		return err
	}
	if err := d.saveWorks(ctx, live, ids); err != nil {
		return err
	}
	if err := weeks.save(ctx, d.t); err != nil {
		return err
	}
	if err := d.saveLate(ctx, live); err != nil {
		return err
	}
	if err := d.saveKeys(ctx, live); err != nil {
		return err
	}
	if err := d.saveEvents(ctx, append(live, gone...)); err != nil {
		return err
	}
	if err := d.saveErrata(ctx, append(live, gone...)); err != nil {
		return err
	}
	if err := d.saveApart(ctx); err != nil {
		return err
	}
	if len(unindex) > 0 {
		slices.Sort(unindex)
		if err := e.unindex(ctx, d.t, unindex); err != nil {
			return err
		}
	}
	slices.SortFunc(index, func(a, b indexed) int { return int(min(max(a.id-b.id, -1), 1)) })
	return e.index(ctx, d.t, index)
}

// retire takes the rows of a work that became part of another away, and makes its
// name lead there.
func (d *desk) retire(ctx context.Context, w *draft) error {
	into := w.final()
	for _, c := range []struct {
		text string
		args []any
	}{
		{"DELETE FROM works WHERE id = $1", []any{string(w.id)}},
		{"UPDATE moved SET work = $2 WHERE work = $1", []any{string(w.id), string(into.id)}},
		{"INSERT INTO moved (id, work, at) VALUES ($1, $2, $3)", []any{string(w.id), string(into.id), millis(into.lastEvent())}},
	} {
		if _, err := d.t.exec(ctx, c.text, c.args...); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(w.stored.keys) {
		if _, err := d.t.exec(ctx, "DELETE FROM work_keys WHERE name = $1 AND work = $2", name, string(w.id)); err != nil {
			return err
		}
	}
	return nil
}

// searchIDs gives every work its place in the order of time. A work whose date did
// not change keeps it.
func (d *desk) searchIDs(ctx context.Context, works []*draft) (map[digest.WorkID]int64, error) {
	out := make(map[digest.WorkID]int64, len(works))
	taken := map[int64]bool{}
	var ask []int64
	for _, w := range works {
		want := searchID(w.work)
		if w.stored != nil && w.stored.searchID>>tieBits == want>>tieBits {
			out[w.id] = w.stored.searchID
			taken[w.stored.searchID] = true
			continue
		}
		ask = append(ask, want)
	}
	look := func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		taken[id] = true
		return err
	}
	const text = "SELECT search_id FROM works WHERE search_id IN (?)"
	if err := eachIn(ctx, d.t, text, ask, look); err != nil {
		return nil, err
	}
	for _, w := range works {
		if _, ok := out[w.id]; ok {
			continue
		}
		id := searchID(w.work)
		for taken[id] {
			// Another work of this very millisecond: take the next number.
			id = id&^(1<<tieBits-1) | (id+1)&(1<<tieBits-1)
			if !taken[id] {
				if err := eachIn(ctx, d.t, text, []int64{id}, look); err != nil {
					return nil, err
				}
			}
		}
		taken[id] = true
		out[w.id] = id
	}
	return out, nil
}

// tieBits keep works of one millisecond apart: a batch of arXiv's has one date.
const tieBits = 20

// searchID is where a work wants to stand in the order of time.
func searchID(w digest.Work) int64 {
	h := fnv.New32a()
	h.Write([]byte(w.ID))
	return startID(w.First.UnixMilli()) | int64(h.Sum32()&(1<<tieBits-1))
}

// startID is the least search id of a millisecond.
func startID(ms int64) int64 {
	const most = 1<<(63-tieBits) - 1
	return min(max(ms, 0), most) << tieBits
}

func (w *draft) lastEvent() (at time.Time) {
	if len(w.events) > 0 {
		return w.events[len(w.events)-1].At
	}
	return w.work.Last
}

// final is the work that this one ended up in.
func (w *draft) final() *draft {
	for w.into != nil {
		w = w.into
	}
	return w
}

func (d *desk) saveItems(ctx context.Context, works []*draft) error {
	var rows []*slot
	for _, w := range works {
		for _, s := range w.slots {
			if s.dirty {
				rows = append(rows, s)
			}
		}
	}
	var failed error
	err := bulk(ctx, d.t, "INSERT INTO items (id, source, work, seen, hash, via, rule, item, tags) VALUES", "($,$,$,$,$,$,$,$,$)",
		` ON CONFLICT (id) DO UPDATE SET work = excluded.work, hash = excluded.hash, via = excluded.via, rule = excluded.rule,
		item = excluded.item, tags = excluded.tags`, rows, func(s *slot) []any {
			via := ""
			if s.entry.Via != (feeds.Key{}) {
				b, err := json.Marshal(s.entry.Via)
				via, failed = string(b), firstError(failed, err)
			}
			return []any{clean(string(s.id)), clean(string(s.entry.Item.Source)), string(s.work.final().id), millis(s.entry.Item.Seen), s.hash, via, s.entry.Rule, s.item, s.tags}
		})
	return firstError(err, failed)
}

func (d *desk) saveWorks(ctx context.Context, works []*draft, ids map[digest.WorkID]int64) error {
	var failed error
	return firstError(bulk(ctx, d.t, "INSERT INTO works (id, search_id, body, tally) VALUES", "($,$,$,$)",
		" ON CONFLICT (id) DO UPDATE SET search_id = excluded.search_id, body = excluded.body, tally = excluded.tally",
		works, func(w *draft) []any {
			if w.body == "" {
				b, err := encode(w.work)
				w.body, failed = b, firstError(failed, err)
			}
			if w.tally == "" {
				tally, err := encode(thin(w.work))
				w.tally, failed = tally, firstError(failed, err)
			}
			return []any{string(w.id), ids[w.id], w.body, w.tally}
		}), failed)
}

// saveLate notes works that became news later than they became public, and forgets
// those that no longer did: an earlier entry was found.
func (d *desk) saveLate(ctx context.Context, works []*draft) error {
	var late []*draft
	for _, w := range works {
		switch {
		case w.work.News.After(w.work.First):
			late = append(late, w)
		case w.stored != nil:
			if _, err := d.t.exec(ctx, "DELETE FROM late WHERE work = $1", string(w.id)); err != nil {
				return err
			}
		}
	}
	return bulk(ctx, d.t, "INSERT INTO late (work, news) VALUES", "($,$)", " ON CONFLICT (work) DO UPDATE SET news = excluded.news", late,
		func(w *draft) []any { return []any{string(w.id), millis(w.work.News)} })
}

// saveKeys writes the difference between the keys works had and have.
func (d *desk) saveKeys(ctx context.Context, works []*draft) error {
	type row struct {
		name, work string
		claim      bool
	}
	var rows []row
	for _, w := range works {
		has := map[string]bool{}
		for _, k := range namedKeys(w.work.Keys) {
			if claim, ok := has[k.name]; ok {
				k.claim = k.claim && claim
			}
			has[k.name] = k.claim
		}
		var had map[string]bool
		if w.stored != nil {
			had = w.stored.keys
		}
		for _, name := range sortedKeys(had) {
			if _, ok := has[name]; !ok {
				if _, err := d.t.exec(ctx, "DELETE FROM work_keys WHERE name = $1 AND work = $2", name, string(w.id)); err != nil {
					return err
				}
			}
		}
		for name, claim := range has {
			if was, ok := had[name]; !ok || was != claim {
				rows = append(rows, row{name, string(w.id), claim})
			}
		}
	}
	// In the order of the tree, so that neighbours meet the same page.
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return bulk(ctx, d.t, "INSERT INTO work_keys (name, work, claim) VALUES", "($,$,$)",
		" ON CONFLICT (name, work) DO UPDATE SET claim = excluded.claim", rows, func(r row) []any {
			return []any{r.name, r.work, bit(r.claim)}
		})
}

func (d *desk) saveEvents(ctx context.Context, works []*draft) error {
	type row struct {
		id   int64
		work digest.WorkID
		e    digest.Event
	}
	var rows []row
	for _, w := range works {
		id := w.id
		if w.stored == nil {
			id = w.final().id
		}
		for _, e := range w.fresh {
			rows = append(rows, row{0, id, e})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.e.At.Compare(b.e.At) })
	last, err := lastID(ctx, d.t, "events")
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].id = last + int64(i) + 1
	}
	return bulk(ctx, d.t, "INSERT INTO events (id, work, at, kind, item, what, old, new, detail) VALUES", "($,$,$,$,$,$,$,$,$)", "", rows, func(r row) []any {
		return []any{r.id, string(r.work), millis(r.e.At), string(r.e.Kind), string(r.e.Item), clean(r.e.What), clean(r.e.From), clean(r.e.To), clean(r.e.Detail)}
	})
}

// lastID returns the greatest id of a table that is only appended to.
func lastID(ctx context.Context, t *tx, table string) (id int64, err error) {
	err = first(ctx, t, fmt.Sprintf("SELECT COALESCE(MAX(id), 0) FROM %s", table), nil, &id)
	return id, err
}

func (d *desk) saveApart(ctx context.Context) error {
	if !d.apartDirty {
		return nil
	}
	if _, err := d.t.exec(ctx, "DELETE FROM apart"); err != nil {
		return err
	}
	for p, s := range d.apart {
		if _, err := d.t.exec(ctx, "INSERT INTO apart (a, b, by_whom, because, at) VALUES ($1, $2, $3, $4, $5)",
			string(p[0]), string(p[1]), s.by, s.because, s.at); err != nil {
			return err
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
