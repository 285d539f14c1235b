package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// maxID is how long an id may be: PostgreSQL refuses index entries over 2,704 bytes
// (https://www.postgresql.org/docs/current/btree.html).
const maxID = 2000

const sourceColumns = `s.id, s.kind, s.url, s.site, s.title, s.lab, s.every, s.official, s.paused, COALESCE(h.gone, 0)`

func scanSource(r *sql.Rows, more ...any) (s feeds.Source, err error) {
	var every int64
	err = r.Scan(append([]any{&s.ID, &s.Kind, &s.URL, &s.Site, &s.Title, &s.Lab, &every, &s.Official, &s.Paused, &s.Gone}, more...)...)
	s.Every = time.Duration(every) * time.Millisecond
	return s, err
}

// PutSource stores a source, or gives a known one a new definition. What visits
// left (state, health) stays, unless the URL is another one: then the validators of
// the old one mean nothing, and the source is due at once.
func (db *DB) PutSource(ctx context.Context, s feeds.Source) error {
	return db.PutSources(ctx, []feeds.Source{s})
}

// PutSources is [DB.PutSource] for many, all or nothing.
func (db *DB) PutSources(ctx context.Context, sources []feeds.Source) error {
	return db.update(ctx, "storing sources", func(t *tx) error {
		for _, s := range sources {
			if s.ID == "" || len(s.ID) > maxID {
				return fmt.Errorf("a source's id must have 1 to %d bytes, this one has %d", maxID, len(s.ID))
			}
			var was string
			err := first(ctx, t, "SELECT url FROM sources WHERE id = $1", []any{string(s.ID)}, &was)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if err == nil && was != s.URL {
				if err := forgetVisits(ctx, t, s.ID); err != nil {
					return err
				}
			}
			if _, err := t.exec(ctx, `INSERT INTO sources (id, kind, url, site, title, lab, every, official, paused)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, url = excluded.url, site = excluded.site, title = excluded.title,
					lab = excluded.lab, every = excluded.every, official = excluded.official, paused = excluded.paused`,
				clean(string(s.ID)), string(s.Kind), clean(s.URL), clean(s.Site), clean(s.Title), clean(string(s.Lab)),
				s.Every.Milliseconds(), bit(s.Official), bit(s.Paused)); err != nil {
				return err
			}
		}
		return nil
	})
}

func forgetVisits(ctx context.Context, t *tx, id feeds.SourceID) error {
	for _, text := range []string{
		"DELETE FROM states WHERE source = $1",
		"UPDATE health SET next_look = 0, gone_since = 0, gone = 0 WHERE source = $1",
	} {
		if _, err := t.exec(ctx, text, string(id)); err != nil {
			return err
		}
	}
	return nil
}

// Sources returns all sources by id, paused and gone ones included.
func (db *DB) Sources(ctx context.Context) ([]feeds.Source, error) {
	return db.sources(ctx, "reading sources", "SELECT "+sourceColumns+" FROM sources s LEFT JOIN health h ON h.source = s.id ORDER BY s.id")
}

func (db *DB) sources(ctx context.Context, doing, text string, args ...any) (out []feeds.Source, err error) {
	err = each(ctx, db, text, args, func(r *sql.Rows) error {
		s, err := scanSource(r)
		out = append(out, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	return out, nil
}

// Source returns one source, or [ErrNotFound].
func (db *DB) Source(ctx context.Context, id feeds.SourceID) (feeds.Source, error) {
	found, err := db.sources(ctx, "reading a source", "SELECT "+sourceColumns+" FROM sources s LEFT JOIN health h ON h.source = s.id WHERE s.id = $1", string(id))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("source %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return feeds.Source{}, err
	}
	return found[0], nil
}

// SourceHealth returns how every source is doing, by id.
func (db *DB) SourceHealth(ctx context.Context) ([]digest.SourceHealth, error) {
	var out []digest.SourceHealth
	err := each(ctx, db, "SELECT "+sourceColumns+`, COALESCE(h.last_look, 0), COALESCE(h.last_good, 0), COALESCE(h.last_item, 0),
		COALESCE(h.failures, 0), COALESCE(h.words, '') FROM sources s LEFT JOIN health h ON h.source = s.id ORDER BY s.id`, nil, func(r *sql.Rows) error {
		var look, good, item int64
		var h digest.SourceHealth
		s, err := scanSource(r, &look, &good, &item, &h.Failures, &h.Trouble)
		h.ID, h.Title, h.Lab, h.Kind, h.Paused, h.Gone = s.ID, s.Title, s.Lab, s.Kind, s.Paused, s.Gone
		h.LastLook, h.LastGood, h.LastItem = fromMillis(look), fromMillis(good), fromMillis(item)
		out = append(out, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the health of sources: %w", explain(err))
	}
	return out, nil
}

// DeleteSource removes a source, or returns [ErrNotFound]. What it brought stays.
func (db *DB) DeleteSource(ctx context.Context, id feeds.SourceID) error {
	return db.one(ctx, "removing source "+string(id), "DELETE FROM sources WHERE id = $1", string(id))
}

// SetPaused pauses a source or lets it go on, or returns [ErrNotFound].
func (db *DB) SetPaused(ctx context.Context, id feeds.SourceID, paused bool) error {
	return db.one(ctx, "pausing source "+string(id), "UPDATE sources SET paused = $2 WHERE id = $1", string(id), bit(paused))
}

// one runs a statement that must change a row; [ErrNotFound] if it did not.
func (db *DB) one(ctx context.Context, doing, text string, args ...any) error {
	return db.update(ctx, doing, func(t *tx) error {
		r, err := t.exec(ctx, text, args...)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, ErrNotFound)
		}
		return nil
	})
}

// State returns what the last good visit to a source left; the zero State if there
// was none.
func (db *DB) State(ctx context.Context, id feeds.SourceID) (feeds.State, error) {
	var text string
	var s feeds.State
	err := first(ctx, db, "SELECT state FROM states WHERE source = $1", []any{string(id)}, &text)
	if errors.Is(err, ErrNotFound) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	if err != nil {
		return feeds.State{}, fmt.Errorf("reading the state of %s: %w", id, explain(err))
	}
	return s, nil
}

// DueSources returns the sources to be visited at now, longest overdue first.
func (db *DB) DueSources(ctx context.Context, now time.Time) ([]feeds.Source, error) {
	return db.sources(ctx, "reading due sources", "SELECT "+sourceColumns+` FROM sources s LEFT JOIN health h ON h.source = s.id
		WHERE s.paused = 0 AND COALESCE(h.gone, 0) = 0 AND COALESCE(h.next_look, 0) <= $1
		ORDER BY COALESCE(h.next_look, 0), s.id`, millis(now))
}

// health is a row of that table.
type health struct {
	source                       feeds.SourceID
	lastLook, lastGood, lastItem int64
	failures                     int64
	trouble, words               string
	nextLook, goneSince          int64
	gone                         bool
	every                        time.Duration // of the source, resolved
	movedTo, title               string        // to be written to the source; '' if not
	state                        *feeds.State
}

// Looked notes visits that brought nothing to store: unchanged sources and failures.
// It is one small write however many they are. Visits to sources that were removed
// meanwhile are dropped.
func (db *DB) Looked(ctx context.Context, visits []digest.Visit) error {
	if len(visits) == 0 {
		return nil
	}
	return db.update(ctx, "noting visits", func(t *tx) error {
		ids := make([]feeds.SourceID, len(visits))
		for i, v := range visits {
			ids[i] = v.Source
		}
		rows, err := loadHealth(ctx, t, ids)
		if err != nil {
			return err
		}
		for _, v := range visits {
			if h := rows[v.Source]; h != nil {
				h.visited(v)
			}
		}
		return saveHealth(ctx, t, rows)
	})
}

// loadHealth reads the health of sources; those that don't exist are left out.
func loadHealth(ctx context.Context, t *tx, ids []feeds.SourceID) (map[feeds.SourceID]*health, error) {
	rows := make(map[feeds.SourceID]*health, len(ids))
	err := eachIn(ctx, t, `SELECT s.id, s.kind, s.every, COALESCE(h.last_look, 0), COALESCE(h.last_good, 0), COALESCE(h.last_item, 0),
		COALESCE(h.failures, 0), COALESCE(h.trouble, ''), COALESCE(h.words, ''), COALESCE(h.next_look, 0), COALESCE(h.gone_since, 0), COALESCE(h.gone, 0)
		FROM sources s LEFT JOIN health h ON h.source = s.id WHERE s.id IN (?)`, asStrings(ids), func(r *sql.Rows) error {
		h := &health{}
		var kind feeds.SourceKind
		var every int64
		err := r.Scan(&h.source, &kind, &every, &h.lastLook, &h.lastGood, &h.lastItem, &h.failures, &h.trouble, &h.words, &h.nextLook, &h.goneSince, &h.gone)
		h.every = cmp.Or(time.Duration(every)*time.Millisecond, everyOf(kind))
		rows[h.source] = h
		return err
	})
	return rows, err
}

// everyOf is how often sources of a kind are visited unless they say otherwise.
// arXiv announces once a day (https://info.arxiv.org/help/rss.html), hubs and blogs
// at any time.
func everyOf(kind feeds.SourceKind) time.Duration {
	switch kind {
	case feeds.KindArXiv:
		return 3 * time.Hour
	case feeds.KindArXivQuery:
		return 12 * time.Hour
	case feeds.KindHuggingFace, feeds.KindGitHub, feeds.KindDailyPapers:
		return 2 * time.Hour
	}
	return time.Hour
}

const (
	maxBackoff = 24 * time.Hour     // between visits to a failing source
	goneAfter  = 7 * 24 * time.Hour // of nothing but 404 and 410
)

// visited notes a visit without an arrival.
func (h *health) visited(v digest.Visit) {
	at := millis(v.At)
	h.lastLook = at
	h.movedTo = v.MovedTo
	if v.Unchanged {
		h.good(v.At, v.NotBefore)
		if !stateIsZero(v.State) {
			h.state = &v.State
		}
		return
	}
	h.failures++
	h.trouble, h.words = string(v.Trouble), v.Words
	wait := h.every << min(h.failures-1, 10)
	if wait > maxBackoff || wait <= 0 {
		wait = max(maxBackoff, h.every)
	}
	h.nextLook = max(millis(v.At.Add(wait)), millis(v.NotBefore))
	if v.Trouble != feeds.TroubleGone {
		h.goneSince = 0
		return
	}
	if h.goneSince == 0 {
		h.goneSince = at
	}
	h.gone = v.At.Sub(fromMillis(h.goneSince)) >= goneAfter
}

// good notes that a source answered.
func (h *health) good(at, notBefore time.Time) {
	h.lastLook, h.lastGood = millis(at), millis(at)
	h.failures, h.trouble, h.words, h.goneSince, h.gone = 0, "", "", 0, false
	h.nextLook = max(millis(at.Add(h.every)), millis(notBefore))
}

// arrived notes a visit that brought something.
func (h *health) arrived(a digest.Arrival) {
	h.good(a.At, a.Pull.NotBefore)
	h.state, h.movedTo = &a.Pull.State, a.Pull.MovedTo
	if a.Source.Title == "" {
		h.title = a.Pull.Title
	}
	for _, e := range a.Entries {
		h.lastItem = max(h.lastItem, millis(e.Item.Date()))
	}
}

func stateIsZero(s feeds.State) bool {
	return s.ETag == "" && s.LastModified == "" && s.Body == "" && s.Head == "" && len(s.Entries) == 0 && s.Cursor == ""
}

func saveHealth(ctx context.Context, t *tx, rows map[feeds.SourceID]*health) error {
	list := make([]*health, 0, len(rows))
	for _, id := range sortedKeys(rows) {
		list = append(list, rows[id])
	}
	err := bulk(ctx, t, `INSERT INTO health (source, last_look, last_good, last_item, failures, trouble, words, next_look, gone_since, gone) VALUES`,
		"($,$,$,$,$,$,$,$,$,$)", ` ON CONFLICT (source) DO UPDATE SET last_look = excluded.last_look, last_good = excluded.last_good,
		last_item = excluded.last_item, failures = excluded.failures, trouble = excluded.trouble, words = excluded.words,
		next_look = excluded.next_look, gone_since = excluded.gone_since, gone = excluded.gone, taken = 0`, list, func(h *health) []any {
			return []any{string(h.source), h.lastLook, h.lastGood, h.lastItem, h.failures, h.trouble, clean(h.words), h.nextLook, h.goneSince, bit(h.gone)}
		})
	if err != nil {
		return err
	}
	for _, h := range list {
		if h.state != nil {
			text, err := encode(h.state)
			if err != nil {
				return err
			}
			if _, err := t.exec(ctx, `INSERT INTO states (source, state) VALUES ($1, $2)
				ON CONFLICT (source) DO UPDATE SET state = excluded.state`, string(h.source), text); err != nil {
				return err
			}
		}
		if h.movedTo != "" {
			if _, err := t.exec(ctx, "UPDATE sources SET url = $2 WHERE id = $1", string(h.source), clean(h.movedTo)); err != nil {
				return err
			}
		}
		if h.title != "" {
			if _, err := t.exec(ctx, "UPDATE sources SET title = $2 WHERE id = $1 AND title = ''", string(h.source), clean(h.title)); err != nil {
				return err
			}
		}
	}
	return nil
}
