package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// A prepared is an entry with all that can be worked out about it before the
// transaction begins.
type prepared struct {
	entry *digest.Entry
	at    time.Time
	hash  int64
	item  string // as JSON
	tags  string // as JSON
	keys  []namedKey

	// If it turns out to begin a work, which most do:
	work   digest.Work
	terms  string
	body   string
	tally  string
	traits string
}

// Ingest stores what visits brought, all of it or nothing: items, the works they
// are about, what changed about works, and where each source is now. Entries that
// are known and say the same as before cost a look-up and no write.
//
// Within a batch older entries go first, so that a work bears the name of its
// oldest item. An arrival without a source stores its entries only. Sources that
// were removed meanwhile stay removed.
func (db *DB) Ingest(ctx context.Context, batch []digest.Arrival) (digest.Ingested, error) {
	const doing = "storing what sources brought"
	var all []*prepared
	for _, a := range batch {
		for _, e := range a.Entries {
			if e.Item.ID == "" || e.Item.Source == "" {
				return digest.Ingested{}, fmt.Errorf("%s: an item of %s has no id or no source", doing, a.Source.ID)
			}
			e.Via, e.Rule = feeds.Key{}, ""
			if e.Item.Seen.IsZero() {
				e.Item.Seen = a.At
			}
			e.Item.Seen = fromMillis(millis(e.Item.Seen)) // as it is stored
			all = append(all, &prepared{entry: &e, at: a.At})
		}
	}
	slices.SortStableFunc(all, func(a, b *prepared) int {
		return cmp.Or(a.entry.Item.Date().Compare(b.entry.Item.Date()), strings.Compare(string(a.entry.Item.ID), string(b.entry.Item.ID)))
	})
	if err := parallel(ctx, all, (*prepared).read); err != nil {
		return digest.Ingested{}, fmt.Errorf("%s: %w", doing, err)
	}
	var done digest.Ingested
	err := db.decide(ctx, doing, func(t *tx) error {
		d, err := newDesk(ctx, t)
		if err != nil {
			return err
		}
		if err := d.take(ctx, all); err != nil {
			return err
		}
		if err := d.save(ctx, db.engine); err != nil {
			return err
		}
		done = d.done
		return saveArrivals(ctx, t, batch)
	})
	if err != nil {
		return digest.Ingested{}, err
	}
	return done, nil
}

// take decides about every entry of a batch.
func (d *desk) take(ctx context.Context, all []*prepared) error {
	known, err := knownItems(ctx, d.t, itemIDs(all))
	if err != nil {
		return err
	}
	news := slices.DeleteFunc(slices.Clone(all), func(p *prepared) bool {
		k, ok := known[p.entry.Item.ID]
		return ok && k.hash == p.hash
	})
	if err := d.fetchKeys(ctx, news); err != nil {
		return err
	}
	begin := slices.DeleteFunc(slices.Clone(news), func(p *prepared) bool { return known[p.entry.Item.ID].work != "" })
	if err := parallel(ctx, begin, (*prepared).guess); err != nil {
		return err
	}
	names := make([]digest.WorkID, len(begin))
	for i, p := range begin {
		names[i] = p.work.ID
	}
	if err := d.fetchTaken(ctx, names); err != nil {
		return err
	}
	for i, p := range news {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		id := p.entry.Item.ID
		s, k := d.items[id], known[id]
		switch {
		case s != nil && s.hash == p.hash: // twice in one batch
		case s != nil:
			err = d.edited(ctx, p, s.work.id)
		case k.work != "":
			err = d.edited(ctx, p, k.work)
		default:
			err = d.arrive(ctx, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func itemIDs(all []*prepared) []feeds.ItemID {
	ids := make([]feeds.ItemID, len(all))
	for i, p := range all {
		ids[i] = p.entry.Item.ID
	}
	return ids
}

// read makes an entry's rows.
func (p *prepared) read() (err error) {
	if p.item, err = encodeItem(p.entry.Item); err != nil {
		return err
	}
	if p.tags, err = encode(p.entry.Tags); err != nil {
		return fmt.Errorf("tags of item %s: %w", p.entry.Item.ID, err)
	}
	p.hash, err = entryHash(p.item, p.entry.Tags)
	p.keys = namedKeys(p.entry.Item.Keys)
	return err
}

// encodeItem writes an item as it is stored: Seen has a column of its own, so that
// the text says whether the item is what it was.
func encodeItem(it feeds.Item) (string, error) {
	it.Seen = time.Time{}
	s, err := encode(it)
	if err != nil {
		return "", fmt.Errorf("item %s: %w", it.ID, err)
	}
	return s, nil
}

// guess makes the work that the entry begins, if it does.
func (p *prepared) guess() (err error) {
	p.work = digest.Fold([]digest.Entry{*p.entry}, nil, nil)
	p.work.ID = digest.NewWorkID(p.entry.Item)
	p.terms = termsOf(p.work)
	if p.body, err = encode(p.work); err != nil {
		return err
	}
	if p.tally, err = encode(thin(p.work)); err != nil {
		return err
	}
	p.traits, err = traitsOf(p.work)
	return err
}

func termsOf(w digest.Work) string { return strings.Join(query.Terms(digest.SubjectOf(w)), " ") }

// entryHash says whether an entry is what it was: the item as published, and the
// conclusions about it. The wording of evidence, and when it was observed, do not
// matter.
func entryHash(item string, tags feeds.Tags) (int64, error) {
	type lab struct {
		Lab           feeds.LabID
		Name          string
		Role          feeds.Role
		Home, Control feeds.Country
		Basis         feeds.Basis
		Disputed      bool
	}
	type artifact struct {
		Kind     feeds.ArtifactKind
		URL      string
		License  string
		Openness feeds.Openness
		Flags    []feeds.Flag
		Basis    feeds.Basis
		Bases    []string
	}
	labs := make([]lab, len(tags.Labs))
	for i, a := range tags.Labs {
		labs[i] = lab{a.Lab, a.Name, a.Role, a.Home, a.Control, a.Basis, a.Disputed}
	}
	artifacts := make([]artifact, len(tags.Artifacts))
	for i, a := range tags.Artifacts {
		artifacts[i] = artifact{a.Kind, a.URL, a.License, a.Openness, a.Flags, a.Basis, a.Bases}
	}
	h := sha256.New()
	io.WriteString(h, item)
	err := json.NewEncoder(h).Encode([]any{labs, artifacts, tags.Openness, tags.Badge, tags.License, tags.Flags})
	return int64(binary.BigEndian.Uint64(h.Sum(nil))), err
}

// parallel calls fn for all of values on as many goroutines as there are cores.
func parallel[T any](ctx context.Context, values []T, fn func(T) error) error {
	const step = 32
	var mu sync.Mutex
	var failed error
	next := 0
	take := func() []T {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = ctx.Err()
		}
		if failed != nil || next >= len(values) {
			return nil
		}
		from := next
		next = min(next+step, len(values))
		return values[from:next]
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(values)/step+1) {
		wg.Go(func() {
			for part := take(); part != nil; part = take() {
				for _, v := range part {
					if err := fn(v); err != nil {
						mu.Lock()
						failed = firstError(failed, err)
						mu.Unlock()
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// saveArrivals notes for each source that it answered, and what to hand its
// collector next time.
func saveArrivals(ctx context.Context, t *tx, batch []digest.Arrival) error {
	var ids []feeds.SourceID
	for _, a := range batch {
		if a.Source.ID != "" {
			ids = append(ids, a.Source.ID)
		}
	}
	rows, err := loadHealth(ctx, t, ids)
	if err != nil {
		return err
	}
	for _, a := range batch {
		if h := rows[a.Source.ID]; h != nil {
			h.arrived(a)
		}
	}
	return saveHealth(ctx, t, rows)
}
