package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// Correct appends a person's correction and folds its work again. An empty value
// takes earlier ones of the field back; with none to take back nothing happens, and
// neither does when the same person says the same twice. The ID is given here. Digests
// that told about the work lately are to be edited from then on. [ErrNotFound] if
// there is no such work.
func (db *DB) Correct(ctx context.Context, c digest.Correction) error {
	return db.decide(ctx, fmt.Sprintf("correcting work %s", c.Work), func(t *tx) error { return db.correct(ctx, t, c) })
}

// correct is [DB.Correct] inside of a transaction. What the correction changes about
// digests that were composed lately is written there, too: see amendments.go.
func (db *DB) correct(ctx context.Context, t *tx, c digest.Correction) error {
	if !slices.Contains(digest.CorrectionFields, c.Field) {
		return fmt.Errorf("%q is none of the fields %s", c.Field, strings.Join(digest.CorrectionFields, ", "))
	}
	d, w, err := openWork(ctx, t, c.Work)
	if err != nil {
		return err
	}
	var holds digest.Correction // the latest of the field
	for _, x := range w.corrections {
		if x.Field == c.Field && x.ID >= holds.ID {
			holds = x
		}
	}
	switch {
	case holds.ID > 0 && holds.Value == c.Value && holds.By == c.By && holds.Because == c.Because && c.At.Sub(holds.At) < saidTwice:
		return nil // a click that came twice
	case holds.Value == "" && c.Value == "":
		return nil // there is nothing to take back
	}
	last, err := lastID(ctx, t, "corrections")
	if err != nil {
		return err
	}
	c.ID, c.Work = last+1, w.id
	if _, err := t.exec(ctx, "INSERT INTO corrections (id, work, field, value, because, by_whom, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		c.ID, string(c.Work), c.Field, clean(c.Value), clean(c.Because), clean(c.By), millis(c.At)); err != nil {
		return err
	}
	w.corrections = append(w.corrections, c)
	detail := fmt.Sprintf("%s set %s to %s: %s", c.By, c.Field, c.Value, c.Because)
	if c.Value == "" {
		detail = fmt.Sprintf("%s took the correction of %s back: %s", c.By, c.Field, c.Because)
	}
	w.happened(digest.Event{At: c.At, Kind: digest.EventCorrected, What: c.Field, To: c.Value, Detail: detail})
	w.errata = append(w.errata, c.Erratum())
	w.fold()
	return d.save(ctx, db.engine)
}

// saidTwice is within what time the same correction by the same person is one.
const saidTwice = time.Hour

// openWork puts a work on a new desk, by an id that it has or had.
func openWork(ctx context.Context, t *tx, id digest.WorkID) (*desk, *draft, error) {
	d, err := newDesk(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	w, err := d.openCurrent(ctx, id)
	return d, w, err
}

func (d *desk) openCurrent(ctx context.Context, id digest.WorkID) (*draft, error) {
	err := first(ctx, d.t, "SELECT work FROM moved WHERE id = $1", []any{string(id)}, &id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return d.open(ctx, id)
}

// Split takes an item out of a work that it was wrongly joined to, and returns the
// work it is now: one of its own, or that of items which were taken out before it
// and which it belongs with. No rule joins the two works again; [DB.Join] does.
// [ErrNotFound] if the work has no such item, and an error if it has no other.
func (db *DB) Split(ctx context.Context, work digest.WorkID, item feeds.ItemID, by, because string) (digest.WorkID, error) {
	var id digest.WorkID
	err := db.decide(ctx, fmt.Sprintf("taking an item out of work %s", work), func(t *tx) error {
		d, w, err := openWork(ctx, t, work)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(w.slots, func(s *slot) bool { return s.id == item })
		switch {
		case i < 0:
			return fmt.Errorf("item %s: %w", item, ErrNotFound)
		case len(w.slots) == 1:
			return fmt.Errorf("%s is its only item", item)
		}
		s := w.slots[i]
		w.slots = slices.Delete(slices.Clone(w.slots), i, i+1)
		if len(w.slots) == 1 { // nothing is left that it could have been joined to
			w.slots[0].unjoin()
		}
		s.unjoin()
		now := db.Now()
		w.fold()

		p := &prepared{entry: s.entry, at: now, hash: s.hash, item: s.item, tags: s.tags, keys: namedKeys(s.entry.Item.Keys)}
		if err := d.fetchKeys(ctx, []*prepared{p}); err != nil {
			return err
		}
		found, err := d.candidates(ctx, *s.entry, p.keys, w.id)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(c digest.Candidate) bool { return !d.areApart(c.Work, w.id) })
		r := digest.Resolution{}
		if len(found) > 0 {
			r = digest.Resolve(*s.entry, found)
		}
		var own *draft
		if r.Join != "" {
			if own, err = d.open(ctx, r.Join); err != nil {
				return err
			}
			joined := *s.entry
			joined.Via, joined.Rule = r.Via, r.Rule
			s.entry = &joined
		} else {
			if err := d.fetchTaken(ctx, []digest.WorkID{digest.NewWorkID(s.entry.Item)}); err != nil {
				return err
			}
			if own, err = d.begin(ctx, s.entry.Item); err != nil {
				return err
			}
		}
		s.work, s.dirty = own, true
		own.slots = append(own.slots, s)
		detail := strings.TrimSuffix(fmt.Sprintf("%s took %s out: %s", by, s.entry.Item.URL, because), ": ")
		e := digest.Event{At: now, Kind: digest.EventSplit, Item: item, From: string(w.id), To: string(own.id), Detail: detail}
		w.happened(e)
		own.happened(e)
		own.fold()
		w.fold()
		d.apart[pair(w.id, own.id)] = said{by: clean(by), because: clean(because), at: millis(now)}
		d.apartDirty = true
		id = own.id
		return d.save(ctx, db.engine)
	})
	return id, err
}

// unjoin forgets why an item was joined.
func (s *slot) unjoin() {
	alone := *s.entry
	alone.Via, alone.Rule = feeds.Key{}, ""
	s.entry, s.dirty = &alone, true
}

// Join makes one work of two, because a person says so, and returns the one that
// remains: the older. The other's id leads to it from now on. [ErrNotFound] if
// there is no such work.
func (db *DB) Join(ctx context.Context, a, b digest.WorkID, by, because string) (digest.WorkID, error) {
	var id digest.WorkID
	err := db.decide(ctx, fmt.Sprintf("joining works %s and %s", a, b), func(t *tx) error {
		d, w, err := openWork(ctx, t, a)
		if err != nil {
			return err
		}
		other, err := d.openCurrent(ctx, b)
		if err != nil {
			return err
		}
		if other == w {
			return errors.New("they are one already")
		}
		if other.work.First.Before(w.work.First) {
			w, other = other, w
		}
		if d.areApart(w.id, other.id) {
			delete(d.apart, pair(w.id, other.id))
			d.apartDirty = true
		}
		now := db.Now()
		if err := d.merge(ctx, w, other.id, feeds.Key{}, digest.RulePerson, digest.Event{At: now}); err != nil {
			return err
		}
		said := strings.TrimSuffix(fmt.Sprintf("%s joined %s to this work: %s", by, other.id, because), ": ")
		w.events[len(w.events)-1].Detail, w.fresh[len(w.fresh)-1].Detail = said, said
		w.fold()
		id = w.id
		return d.save(ctx, db.engine)
	})
	return id, err
}

// A Change is what tagging again changed about a work.
type Change struct {
	Work          digest.WorkID
	Title         string
	Before, After feeds.Tags
}

// String says what changed: "country: XX → CN; openness: unknown → open-weights".
func (c Change) String() string {
	var out []string
	say := func(what, before, after string) {
		if before != after {
			out = append(out, fmt.Sprintf("%s: %s → %s", what, cmp.Or(before, "none"), cmp.Or(after, "none")))
		}
	}
	say("country", list(c.Before.Countries), list(c.After.Countries))
	say("control", list(c.Before.Control), list(c.After.Control))
	say("lab", list(labsOf(c.Before)), list(labsOf(c.After)))
	say("openness", c.Before.Openness.String(), c.After.Openness.String())
	say("license", c.Before.License, c.After.License)
	say("flags", list(c.Before.Flags), list(c.After.Flags))
	return strings.Join(out, "; ")
}

func list[T ~string](values []T) string { return strings.Join(asStrings(values), ", ") }

func labsOf(t feeds.Tags) (ids []feeds.LabID) {
	for _, a := range t.Labs {
		if a.Counts() {
			ids = append(ids, cmp.Or(a.Lab, feeds.LabID(a.Name)))
		}
	}
	return ids
}

// CountItems returns how many items are stored.
func (db *DB) CountItems(ctx context.Context) (n int, err error) {
	if err = first(ctx, db, "SELECT COUNT(*) FROM items", nil, &n); err != nil {
		return 0, fmt.Errorf("counting items: %w", explain(err))
	}
	return n, nil
}

// Retag concludes about every stored item again, folds all works again, writes those
// that came out differently, and returns those whose tags read differently now. Corrections stay in
// force. It writes a few hundred works at a time; when it is interrupted, what was
// written stays and the rest is as before. step is called for every item.
func (db *DB) Retag(ctx context.Context, tag func(feeds.Item) feeds.Tags, step func()) ([]Change, error) {
	const page = 200
	var changes []Change
	after := ""
	for {
		var ids []digest.WorkID
		err := each(ctx, db, "SELECT id FROM works WHERE id > $1 ORDER BY id LIMIT $2", []any{after, page}, func(r *sql.Rows) error {
			err := r.Scan(&after)
			ids = append(ids, digest.WorkID(after))
			return err
		})
		if err != nil {
			return changes, fmt.Errorf("tagging again: %w", explain(err))
		}
		if len(ids) == 0 {
			return changes, nil
		}
		var found []Change
		err = db.decide(ctx, "tagging again", func(t *tx) error {
			found = nil
			d, err := newDesk(ctx, t)
			if err != nil {
				return err
			}
			if err := d.fetchWorks(ctx, ids); err != nil {
				return err
			}
			for _, id := range ids {
				if d.works[id] == nil {
					continue // merged meanwhile
				}
				c, err := d.retag(ctx, id, tag, step)
				if err != nil {
					return err
				}
				if c.String() != "" {
					found = append(found, c)
				}
			}
			return d.save(ctx, db.engine)
		})
		if err != nil {
			return changes, err
		}
		changes = append(changes, found...)
	}
}

func (d *desk) retag(ctx context.Context, id digest.WorkID, tag func(feeds.Item) feeds.Tags, step func()) (Change, error) {
	w, err := d.open(ctx, id)
	if err != nil {
		return Change{}, err
	}
	changed := false
	for _, s := range w.slots {
		step()
		e := *s.entry
		e.Tags = tag(e.Item)
		text, err := encode(e.Tags)
		if err != nil {
			return Change{}, err
		}
		if text == s.tags {
			continue
		}
		if s.hash, err = entryHash(s.item, e.Tags); err != nil {
			return Change{}, err
		}
		s.entry, s.tags, s.dirty, changed = &e, text, true, true
	}
	before := w.work
	was, err := encode(before)
	if err != nil {
		return Change{}, err
	}
	w.fold() // its rules may have changed, too
	if is, err := encode(w.work); err != nil || !changed && is == was {
		w.dirty = false
		return Change{}, err
	}
	return Change{Work: id, Title: w.work.Title, Before: before.Tags, After: w.work.Tags}, nil
}
