package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// Work returns a work by its id, or by an id that it had before it was merged;
// [ErrNotFound] if there is none.
func (db *DB) Work(ctx context.Context, id digest.WorkID) (digest.Work, error) {
	works, err := db.works(ctx, []digest.WorkID{id})
	if err == nil && len(works) == 0 {
		works, err = db.worksOf(ctx, "SELECT work FROM moved WHERE id = $1", string(id))
	}
	if err != nil {
		return digest.Work{}, fmt.Errorf("reading work %s: %w", id, explain(err))
	}
	if len(works) == 0 {
		return digest.Work{}, fmt.Errorf("work %s: %w", id, ErrNotFound)
	}
	return works[0], nil
}

// works reads works by id, in the order of ids; missing ones are left out.
func (db *DB) works(ctx context.Context, ids []digest.WorkID) ([]digest.Work, error) {
	found := map[digest.WorkID]digest.Work{}
	err := eachIn(ctx, db, "SELECT body FROM works WHERE id IN (?)", asStrings(ids), func(r *sql.Rows) error {
		w, err := scanWork(r)
		found[w.ID] = w
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]digest.Work, 0, len(ids))
	for _, id := range ids {
		if w, ok := found[id]; ok {
			out = append(out, w)
			delete(found, id)
		}
	}
	return out, nil
}

// worksOf reads the works whose ids a query returns.
func (db *DB) worksOf(ctx context.Context, text string, args ...any) ([]digest.Work, error) {
	var ids []digest.WorkID
	err := each(ctx, db, text, args, func(r *sql.Rows) error {
		var id digest.WorkID
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return db.works(ctx, ids)
}

func scanWork(r *sql.Rows, more ...any) (digest.Work, error) {
	var body sql.RawBytes
	if err := r.Scan(append([]any{&body}, more...)...); err != nil {
		return digest.Work{}, err
	}
	return decodeWork(body)
}

// WorkByKey returns the work that owns a key, or [ErrNotFound].
func (db *DB) WorkByKey(ctx context.Context, k feeds.Key) (digest.Work, error) {
	works, err := db.byKey(ctx, k, false)
	if err == nil && len(works) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return digest.Work{}, fmt.Errorf("work of %s: %w", keyName(k), explain(err))
	}
	return works[0], nil
}

// maxFound is how many works [DB.FindWork] returns.
const maxFound = 20

func (db *DB) byKey(ctx context.Context, k feeds.Key, claims bool) ([]digest.Work, error) {
	return db.worksOf(ctx, "SELECT work FROM work_keys WHERE name = $1 AND claim <= $2 ORDER BY claim, work LIMIT $3", keyName(k), bit(claims), maxFound)
}

// FindWork returns the works that a person may mean by text: a work's id or its
// beginning ("w3k"), a URL, an arXiv id, a DOI, a repository ("org/name"), a title.
// Works that are the thing named come before those that only say it is theirs.
// Nothing found is an empty list. At most twenty are returned.
func (db *DB) FindWork(ctx context.Context, text string) ([]digest.Work, error) {
	works, err := db.findWork(ctx, clean(strings.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("looking for %q: %w", text, explain(err))
	}
	return works, nil
}

func (db *DB) findWork(ctx context.Context, text string) ([]digest.Work, error) {
	if looksLikeID(text) {
		id := strings.ToLower(text)
		// "~" sorts after every letter of an id.
		works, err := db.worksOf(ctx, `SELECT id FROM works WHERE id >= $1 AND id < $2
			UNION SELECT work FROM moved WHERE id >= $1 AND id < $2 ORDER BY 1 LIMIT $3`, id, id+"~", maxFound)
		if err != nil || len(works) > 0 {
			return works, err
		}
	}
	for _, k := range keysMeant(text) {
		works, err := db.byKey(ctx, k, true)
		if err != nil || len(works) > 0 {
			return works, err
		}
	}
	return nil, nil
}

// looksLikeID reports whether text may be a work's id or the first letters of one.
func looksLikeID(text string) bool {
	if len(text) < 3 || len(text) > 11 || text[0] != 'w' && text[0] != 'W' {
		return false
	}
	for i := range len(text) {
		if c := text[i] | 0x20; (c < 'a' || c > 'z') && (text[i] < '0' || text[i] > '9') {
			return false
		}
	}
	return true
}

// keysMeant returns the keys that text may be, likeliest first.
func keysMeant(text string) (keys []feeds.Key) {
	add := func(k feeds.Key, ok bool) {
		if ok && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if id, _, ok := feeds.ArXivID(text); ok {
		add(feeds.Key{Scheme: feeds.KeyArXiv, Value: id}, true)
	}
	add(feeds.DOIKey(text))
	add(feeds.KeyOfURL(text))
	if c := feeds.CanonicalURL(text); strings.HasPrefix(c, "https://") {
		add(feeds.Key{Scheme: feeds.KeyURL, Value: c}, true)
	} else if name := strings.ToLower(text); strings.Count(name, "/") >= 1 && !strings.ContainsAny(name, " :") {
		add(feeds.Key{Scheme: feeds.KeyHF, Value: name}, true)
		add(feeds.Key{Scheme: feeds.KeyGitHub, Value: name}, true)
		if strings.Contains(name, ".") {
			add(feeds.KeyOfURL("https://" + text))
		}
	}
	title, _ := feeds.TitleKey(text)
	add(feeds.Key{Scheme: feeds.KeyTitle, Value: title}, title != "")
	return keys
}

// Entries returns the entries of a work, oldest first, or [ErrNotFound].
func (db *DB) Entries(ctx context.Context, id digest.WorkID) ([]digest.Entry, error) {
	var out []digest.Entry
	err := each(ctx, db, `SELECT id, seen, hash, via, rule, item, tags FROM items
		WHERE work = COALESCE((SELECT work FROM moved WHERE id = $1), $1) ORDER BY id`, []any{string(id)}, func(r *sql.Rows) error {
		e, err := scanEntry(r, &slot{})
		out = append(out, e)
		return err
	})
	if err == nil && len(out) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the items of work %s: %w", id, explain(err))
	}
	slices.SortStableFunc(out, func(a, b digest.Entry) int { return a.Item.Date().Compare(b.Item.Date()) })
	return out, nil
}

// Item returns one entry and the id of its work, or [ErrNotFound].
func (db *DB) Item(ctx context.Context, id feeds.ItemID) (e digest.Entry, work digest.WorkID, err error) {
	err = ErrNotFound
	failed := each(ctx, db, "SELECT id, seen, hash, via, rule, item, tags FROM items WHERE id = $1", []any{string(id)}, func(r *sql.Rows) error {
		e, err = scanEntry(r, &slot{})
		return err
	})
	if err = firstError(failed, err); err == nil {
		err = first(ctx, db, "SELECT work FROM items WHERE id = $1", []any{string(id)}, &work)
	}
	if err != nil {
		return digest.Entry{}, "", fmt.Errorf("reading item %s: %w", id, explain(err))
	}
	return e, work, nil
}

// aliases selects a work's id and the ids it had before: what was recorded under
// those belongs to it, too.
const aliases = "(SELECT $1 UNION SELECT id FROM moved WHERE work = $1)"

// Events returns the whole history of a work, oldest first.
func (db *DB) Events(ctx context.Context, id digest.WorkID) ([]digest.Event, error) {
	id, err := db.current(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading the history of work %s: %w", id, explain(err))
	}
	var out []digest.Event
	err = each(ctx, db, "SELECT at, kind, item, what, old, new, detail FROM events WHERE work IN "+aliases+" ORDER BY at, id", []any{string(id)}, func(r *sql.Rows) error {
		var e digest.Event
		var at int64
		err := r.Scan(&at, &e.Kind, &e.Item, &e.What, &e.From, &e.To, &e.Detail)
		e.At = fromMillis(at)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the history of work %s: %w", id, explain(err))
	}
	return out, nil
}

// Corrections returns what people said against the rules about a work, oldest first.
func (db *DB) Corrections(ctx context.Context, id digest.WorkID) ([]digest.Correction, error) {
	id, err := db.current(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading corrections of work %s: %w", id, explain(err))
	}
	out, err := corrections(ctx, db, id)
	if err != nil {
		return nil, fmt.Errorf("reading corrections of work %s: %w", id, explain(err))
	}
	return out, nil
}

func corrections(ctx context.Context, q querier, id digest.WorkID) (out []digest.Correction, err error) {
	err = each(ctx, q, "SELECT id, work, field, value, because, by_whom, at FROM corrections WHERE work IN "+aliases+" ORDER BY id", []any{string(id)}, func(r *sql.Rows) error {
		var c digest.Correction
		var at int64
		err := r.Scan(&c.ID, &c.Work, &c.Field, &c.Value, &c.Because, &c.By, &at)
		c.At = fromMillis(at)
		out = append(out, c)
		return err
	})
	return out, err
}

// current returns the id that a work has now.
func (db *DB) current(ctx context.Context, id digest.WorkID) (digest.WorkID, error) {
	now := id
	err := first(ctx, db, "SELECT work FROM moved WHERE id = $1", []any{string(id)}, &now)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return id, err
	}
	return now, nil
}
