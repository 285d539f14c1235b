package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// A desk is where a transaction decides about identity: works and items it touches
// are fetched onto it, changed there, and written back together by [desk.save].
type desk struct {
	t     *tx
	works map[digest.WorkID]*draft
	items map[feeds.ItemID]*slot            // known items: stored ones, and those of this batch
	keys  map[string]map[digest.WorkID]bool // key -> works that have it -> whether they only claim it
	apart map[[2]digest.WorkID]said         // works that people took apart
	taken map[digest.WorkID]bool            // ids that are or once were a work's

	apartDirty bool
	done       digest.Ingested
}

// A slot is an item on the desk.
type slot struct {
	work  *draft
	id    feeds.ItemID
	hash  int64
	entry *digest.Entry // nil until its work's entries are fetched
	item  string        // as JSON
	tags  string
	dirty bool // to be written
}

// A draft is a work on the desk.
type draft struct {
	id          digest.WorkID
	work        digest.Work // the fold of entries
	slots       []*slot     // nil until fetched
	corrections []digest.Correction
	events      []digest.Event   // what the work carries, and what happened just now
	fresh       []digest.Event   // of them, those to be appended to its history
	errata      []digest.Erratum // what digests that told about it do not say yet

	stored *storedWork // nil for a work begun just now
	into   *draft      // the work it was found to be
	dirty  bool        // to be written
	terms  string      // of a work begun just now, made ahead; "" if not
	body   string      // likewise
	tally  string      // likewise
	traits string      // likewise
}

// A storedWork is a work as the database has it.
type storedWork struct {
	searchID int64
	keys     map[string]bool
	// Of the work as it was; asked for only if it is written.
	terms  func() string
	traits func() (string, error)
}

func newDesk(ctx context.Context, t *tx) (*desk, error) {
	d := &desk{
		t: t, works: map[digest.WorkID]*draft{}, items: map[feeds.ItemID]*slot{}, keys: map[string]map[digest.WorkID]bool{},
		apart: map[[2]digest.WorkID]said{}, taken: map[digest.WorkID]bool{},
	}
	// Made by people, one at a time: few.
	err := each(ctx, t, "SELECT a, b, by_whom, because, at FROM apart", nil, func(r *sql.Rows) error {
		var p [2]digest.WorkID
		var s said
		err := r.Scan(&p[0], &p[1], &s.by, &s.because, &s.at)
		d.apart[p] = s
		return err
	})
	return d, err
}

// said is who took works apart, why and when.
type said struct {
	by, because string
	at          int64
}

func (d *desk) areApart(a, b digest.WorkID) bool { _, ok := d.apart[pair(a, b)]; return ok }

func pair(a, b digest.WorkID) [2]digest.WorkID {
	if b < a {
		a, b = b, a
	}
	return [2]digest.WorkID{a, b}
}

// knownItems returns those of ids that are stored.
func knownItems(ctx context.Context, q querier, ids []feeds.ItemID) (map[feeds.ItemID]knownItem, error) {
	known := map[feeds.ItemID]knownItem{}
	err := eachIn(ctx, q, "SELECT id, work, hash FROM items WHERE id IN (?)", asStrings(ids), func(r *sql.Rows) error {
		var id feeds.ItemID
		var k knownItem
		err := r.Scan(&id, &k.work, &k.hash)
		known[id] = k
		return err
	})
	return known, err
}

type knownItem struct {
	work digest.WorkID
	hash int64
}

// fetchKeys fetches who has the keys of entries. Where an entry only claims a key,
// those who claim it, too, are of no interest: two claims prove nothing.
func (d *desk) fetchKeys(ctx context.Context, entries []*prepared) error {
	owned, claimed := map[string]bool{}, map[string]bool{}
	for _, p := range entries {
		for _, k := range p.keys {
			if k.claim {
				claimed[k.name] = true
			} else {
				owned[k.name] = true
			}
		}
	}
	for name := range owned {
		delete(claimed, name)
	}
	take := func(r *sql.Rows) error {
		var name string
		var work digest.WorkID
		var claim bool
		if err := r.Scan(&name, &work, &claim); err != nil {
			return err
		}
		d.has(name, work, claim)
		return nil
	}
	if err := eachIn(ctx, d.t, "SELECT name, work, claim FROM work_keys WHERE name IN (?)", sortedKeys(owned), take); err != nil {
		return err
	}
	return eachIn(ctx, d.t, "SELECT name, work, claim FROM work_keys WHERE claim = 0 AND name IN (?)", sortedKeys(claimed), take)
}

func (d *desk) has(name string, work digest.WorkID, claim bool) {
	m := d.keys[name]
	if m == nil {
		m = make(map[digest.WorkID]bool, 1)
		d.keys[name] = m
	}
	if was, ok := m[work]; ok {
		claim = claim && was
	}
	m[work] = claim
}

// fetchWorks puts works onto the desk, without their entries.
func (d *desk) fetchWorks(ctx context.Context, ids []digest.WorkID) error {
	var missing []string
	for _, id := range ids {
		if d.works[id] == nil {
			missing = append(missing, string(id))
		}
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	return eachIn(ctx, d.t, "SELECT id, search_id, body FROM works WHERE id IN (?)", missing, func(r *sql.Rows) error {
		var id digest.WorkID
		var searchID int64
		var body []byte
		if err := r.Scan(&id, &searchID, &body); err != nil {
			return err
		}
		w, err := decodeWork(body)
		if err != nil {
			return err
		}
		s := &storedWork{searchID: searchID, keys: map[string]bool{}}
		for _, k := range w.Keys {
			s.keys[keyName(k)] = k.Claim
		}
		s.terms = func() string { return termsOf(w) }
		s.traits = func() (string, error) { return traitsOf(w) }
		d.works[id] = &draft{id: id, work: w, events: w.Events, stored: s}
		return nil
	})
}

// fetchTaken learns which of ids are, or once were, a work's.
func (d *desk) fetchTaken(ctx context.Context, ids []digest.WorkID) error {
	take := func(r *sql.Rows) error {
		var id digest.WorkID
		err := r.Scan(&id)
		d.taken[id] = true
		return err
	}
	if err := eachIn(ctx, d.t, "SELECT id FROM works WHERE id IN (?)", asStrings(ids), take); err != nil {
		return err
	}
	return eachIn(ctx, d.t, "SELECT id FROM moved WHERE id IN (?)", asStrings(ids), take)
}

// open fetches a work with its entries and corrections, so that it can be changed.
func (d *desk) open(ctx context.Context, id digest.WorkID) (*draft, error) {
	if err := d.fetchWorks(ctx, []digest.WorkID{id}); err != nil {
		return nil, err
	}
	w := d.works[id]
	if w == nil {
		return nil, fmt.Errorf("work %s: %w", id, ErrNotFound)
	}
	if w.slots != nil {
		return w, nil
	}
	err := each(ctx, d.t, "SELECT id, seen, hash, via, rule, item, tags FROM items WHERE work = $1 ORDER BY id", []any{string(id)}, func(r *sql.Rows) error {
		s := &slot{work: w}
		e, err := scanEntry(r, s)
		if err != nil {
			return err
		}
		s.entry = &e
		if known := d.items[s.id]; known != nil { // met before in this batch
			*known = *s
			s = known
		}
		d.items[s.id] = s
		w.slots = append(w.slots, s)
		return nil
	})
	if err == nil && len(w.slots) == 0 {
		err = fmt.Errorf("work %s has no items", id)
	}
	if err == nil {
		w.corrections, err = corrections(ctx, d.t, id)
	}
	return w, err
}

func scanEntry(r *sql.Rows, s *slot) (e digest.Entry, err error) {
	var via, rule string
	var seen int64
	if err := r.Scan(&s.id, &seen, &s.hash, &via, &rule, &s.item, &s.tags); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(s.item), &e.Item); err != nil {
		return e, fmt.Errorf("item %s: %w", s.id, err)
	}
	e.Item.Seen = fromMillis(seen)
	if err := json.Unmarshal([]byte(s.tags), &e.Tags); err != nil {
		return e, fmt.Errorf("tags of item %s: %w", s.id, err)
	}
	if via != "" {
		if err := json.Unmarshal([]byte(via), &e.Via); err != nil {
			return e, fmt.Errorf("key of item %s: %w", s.id, err)
		}
	}
	e.Rule = rule
	return e, nil
}

// fold makes the draft's work anew of its entries.
func (w *draft) fold() {
	entries := make([]digest.Entry, len(w.slots))
	for i, s := range w.slots {
		entries[i] = *s.entry
	}
	w.work = digest.Fold(entries, w.corrections, w.events)
	w.work.ID = w.id
	w.dirty, w.terms, w.body, w.tally, w.traits = true, "", "", "", ""
}

// happened adds to the work's history.
func (w *draft) happened(e digest.Event) {
	e.At = e.At.UTC().Truncate(time.Millisecond) // as it is stored
	w.events = append(slices.Clone(w.events), e)
	w.fresh = append(w.fresh, e)
	if x, ok := digest.ErratumOf(e); ok {
		w.errata = append(w.errata, x)
	}
}

// maxClaimants is how many works may claim a key before the claims prove nothing:
// everybody links to a popular repository.
const maxClaimants = 50

// candidates returns the works that share a key with an entry, except one.
func (d *desk) candidates(ctx context.Context, e digest.Entry, keys []namedKey, except digest.WorkID) ([]digest.Candidate, error) {
	type hit struct {
		work  digest.WorkID
		key   feeds.Key
		claim bool
	}
	var hits []hit
	var ids []digest.WorkID
	for _, k := range keys {
		claimants := 0
		for _, claim := range d.keys[k.name] {
			if claim {
				claimants++
			}
		}
		for work, claim := range d.keys[k.name] {
			if work == except || claim && (k.claim || claimants > maxClaimants) {
				continue
			}
			hits = append(hits, hit{work, k.key, claim})
			ids = append(ids, work)
		}
	}
	if len(hits) == 0 {
		return nil, nil
	}
	if err := d.fetchWorks(ctx, ids); err != nil {
		return nil, err
	}
	out := make([]digest.Candidate, 0, len(hits))
	for _, h := range hits {
		w := d.works[h.work]
		if w == nil || w.into != nil {
			continue
		}
		c := digest.Candidate{Work: w.id, Key: h.key, WorkClaims: h.claim, First: w.work.First, Places: w.work.Places}
		for _, k := range w.work.Keys {
			if !k.Claim {
				c.Owned = append(c.Owned, k)
			}
		}
		for _, a := range w.work.Labs {
			if a.Counts() && a.Lab != "" {
				c.Labs = append(c.Labs, a.Lab)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// arrive puts a new item where it belongs.
func (d *desk) arrive(ctx context.Context, p *prepared) error {
	s := &slot{id: p.entry.Item.ID, hash: p.hash, entry: p.entry, item: p.item, tags: p.tags, dirty: true}
	found, err := d.candidates(ctx, *p.entry, p.keys, "")
	if err != nil {
		return err
	}
	var r digest.Resolution
	if len(found) > 0 {
		r = digest.Resolve(*p.entry, found)
	}
	if r.Join == "" && p.entry.Item.Kind == feeds.ItemLookup {
		return nil // an answer about a work that is not there
	}
	d.items[s.id] = s
	d.done.Items++
	if r.Join == "" {
		w, err := d.begin(ctx, p.entry.Item)
		if err != nil {
			return err
		}
		w.slots = []*slot{s}
		s.work = w
		w.work, w.terms, w.body, w.tally, w.traits = p.work, p.terms, p.body, p.tally, p.traits
		w.work.ID, w.dirty = w.id, true
		if w.id != p.work.ID {
			w.body, w.tally = "", "" // made ahead under another name
		}
		d.note(w, p.keys)
		return nil
	}
	w, err := d.open(ctx, r.Join)
	if err != nil {
		return err
	}
	p.entry.Via, p.entry.Rule = r.Via, r.Rule
	s.work = w
	w.slots = append(w.slots, s)
	if p.entry.Item.Kind != feeds.ItemLookup {
		w.happened(digest.Event{
			At: p.at, Kind: digest.EventAppeared, Item: s.id, What: keyName(r.Via), To: string(p.entry.Item.Source),
			Detail: "also at " + p.entry.Item.URL,
		})
		d.done.Joined++
	}
	d.note(w, p.keys)
	return d.mergeAll(ctx, w, r, s.id, p.at)
}

// mergeAll merges the works that an entry of w proves to be one with it, and folds w.
func (d *desk) mergeAll(ctx context.Context, w *draft, r digest.Resolution, item feeds.ItemID, at time.Time) error {
	for _, id := range r.Merge {
		if id == w.id || d.works[id] == nil || d.works[id].into != nil || d.areApart(w.id, id) {
			continue
		}
		if err := d.merge(ctx, w, id, r.Via, r.Rule, digest.Event{At: at, Item: item, What: keyName(r.Via)}); err != nil {
			return err
		}
	}
	w.fold()
	return nil
}

// edited takes in an item that is known and has changed.
func (d *desk) edited(ctx context.Context, p *prepared, work digest.WorkID) error {
	w, err := d.open(ctx, work)
	if err != nil {
		return err
	}
	s := d.items[p.entry.Item.ID]
	if s == nil || s.entry == nil {
		return fmt.Errorf("item %s is not among those of its work %s", p.entry.Item.ID, work)
	}
	old := *s.entry
	now := *p.entry
	now.Via, now.Rule, now.Item.Seen, now.Item.Backfill = old.Via, old.Rule, old.Item.Seen, old.Item.Backfill
	s.entry, s.hash, s.item, s.tags, s.dirty = &now, p.hash, p.item, p.tags, true
	d.done.Items++
	d.done.Edited++
	for _, e := range digest.Changes(old, now, p.at) {
		w.happened(e)
		d.done.Changes++
	}
	before := map[string]bool{}
	for _, k := range w.work.Keys {
		before[keyName(k)] = true
	}
	w.fold()
	for name := range before { // what no item has any more
		if !slices.ContainsFunc(w.work.Keys, func(k feeds.Key) bool { return keyName(k) == name }) {
			delete(d.keys[name], w.id)
		}
	}
	d.note(w, p.keys)

	// What it says now may prove its work to be one with another. The question is
	// asked for the work as a whole, so that what the work owns can contradict.
	found, err := d.candidates(ctx, now, p.keys, w.id)
	if err != nil || len(found) == 0 {
		return err
	}
	whole := now
	whole.Item.Keys, whole.Tags = w.work.Keys, w.work.Tags
	found = slices.DeleteFunc(found, func(c digest.Candidate) bool { return d.areApart(c.Work, w.id) || c.Key.Scheme == feeds.KeyTitle })
	r := digest.Resolve(whole, found)
	if r.Join == "" {
		return nil
	}
	r.Merge = append([]digest.WorkID{r.Join}, r.Merge...)
	into := w
	if o := d.works[r.Join]; o.work.First.Before(w.work.First) {
		// The older work keeps its name.
		into, r.Merge[0] = o, w.id
		if _, err := d.open(ctx, into.id); err != nil {
			return err
		}
	}
	return d.mergeAll(ctx, into, r, now.Item.ID, p.at)
}

// begin opens a new work for an item.
func (d *desk) begin(ctx context.Context, it feeds.Item) (*draft, error) {
	id := digest.NewWorkID(it)
	for n := 0; d.taken[id] || d.works[id] != nil; n++ {
		// Another work has that name: the item was taken out of it, or may not join it.
		id = digest.NewWorkID(feeds.Item{ID: it.ID + feeds.ItemID(strings.Repeat("+", n))})
		if err := d.fetchTaken(ctx, []digest.WorkID{id}); err != nil {
			return nil, err
		}
	}
	w := &draft{id: id}
	d.works[id] = w
	d.done.Works++
	return w, nil
}

// note records the keys that an entry brings to a work.
func (d *desk) note(w *draft, keys []namedKey) {
	for _, k := range keys {
		d.has(k.name, w.id, k.claim)
	}
}

// merge makes all of work id part of w. Its items keep the reason that joined them
// to it; the ones that began it get the reason of the merge. w is to be folded.
func (d *desk) merge(ctx context.Context, w *draft, id digest.WorkID, via feeds.Key, rule string, e digest.Event) error {
	from, err := d.open(ctx, id)
	if err != nil {
		return err
	}
	for _, s := range from.slots {
		if s.entry.Rule == "" {
			moved := *s.entry
			moved.Via, moved.Rule = via, rule
			s.entry = &moved
		}
		s.work, s.dirty = w, true
		w.slots = append(w.slots, s)
	}
	for _, k := range from.work.Keys {
		name := keyName(k)
		delete(d.keys[name], from.id)
		d.has(name, w.id, k.Claim)
	}
	for p, s := range d.apart { // what was apart from the one stays apart from both
		if p[0] != from.id && p[1] != from.id {
			continue
		}
		delete(d.apart, p)
		d.apartDirty = true
		if other := cmp.Or(dropID(p[0], from.id), dropID(p[1], from.id)); other != w.id {
			d.apart[pair(other, w.id)] = s
		}
	}
	w.corrections = append(slices.Clone(w.corrections), from.corrections...)
	w.events = slices.Concat(w.events, from.events)
	slices.SortStableFunc(w.events, func(a, b digest.Event) int { return a.At.Compare(b.At) })
	from.into, from.dirty = w, true
	e.Kind, e.From, e.To = digest.EventMerged, string(from.id), string(w.id)
	e.Detail = fmt.Sprintf("%s was found to be this work", from.id)
	w.happened(e)
	d.done.Merged++
	return nil
}

func dropID(id, drop digest.WorkID) digest.WorkID {
	if id == drop {
		return ""
	}
	return id
}

// A namedKey is a key as the index knows it.
type namedKey struct {
	name  string
	claim bool
	key   feeds.Key
}

func namedKeys(keys []feeds.Key) []namedKey {
	out := make([]namedKey, 0, len(keys))
	for _, k := range keys {
		if k.Value != "" {
			out = append(out, namedKey{keyName(k), k.Claim, k})
		}
	}
	return out
}

// keyName writes a key as the index knows it: "arxiv:2501.12948". A long one ends
// in a hash, so that every key fits into an index entry.
func keyName(k feeds.Key) string {
	const most = 400
	name := clean(string(k.Scheme) + ":" + k.Value)
	if len(name) > most {
		h := sha256.Sum256([]byte(name))
		name = strings.ToValidUTF8(name[:most], "") + "#" + hex.EncodeToString(h[:12])
	}
	return name
}

func decodeWork(body []byte) (digest.Work, error) {
	var w digest.Work
	if err := json.Unmarshal(body, &w); err != nil {
		return w, fmt.Errorf("a stored work can't be read: %w", err)
	}
	return w, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// asStrings turns ids of any type into what a driver takes.
func asStrings[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}
