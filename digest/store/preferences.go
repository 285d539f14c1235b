package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
)

// workspaceOf is under which name settings are kept: a workspace's, or where there is
// none a channel's own.
func workspaceOf(d digest.Destination) string {
	if d.Workspace == "" {
		return d.Platform + "//" + d.Channel
	}
	return d.Platform + "/" + d.Workspace
}

func placeOf(d digest.Destination) string {
	return d.Platform + "/" + d.Workspace + "/" + d.Channel
}

// Settings returns what a destination's workspace has chosen; the zero Settings if
// nothing.
func (db *DB) Settings(ctx context.Context, of digest.Destination) (s digest.Settings, err error) {
	var body string
	err = first(ctx, db, "SELECT body FROM settings WHERE workspace = $1", []any{clean(workspaceOf(of))}, &body)
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return s, nil
		}
		return s, fmt.Errorf("reading settings: %w", explain(err))
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return s, fmt.Errorf("reading settings: %w", err)
	}
	return s, nil
}

// PutSettings stores what a destination's workspace has chosen.
func (db *DB) PutSettings(ctx context.Context, of digest.Destination, s digest.Settings) error {
	return db.update(ctx, "storing settings", func(t *tx) error {
		body, err := encode(s)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "INSERT INTO settings (workspace, body) VALUES ($1, $2) ON CONFLICT (workspace) DO UPDATE SET body = excluded.body", clean(workspaceOf(of)), body)
		return err
	})
}

// currently selects the id that the work of a row of table has now: it may have been
// found to be another since the row was written.
func currently(table string) string {
	return "COALESCE((SELECT m.work FROM moved m WHERE m.id = " + table + ".work), " + table + ".work)"
}

// allOf selects every id that the work $1 goes by.
const allOf = `(SELECT $1 UNION SELECT work FROM moved WHERE id = $1
	UNION SELECT id FROM moved WHERE work = COALESCE((SELECT m.work FROM moved m WHERE m.id = $1), $1))`

// Vote keeps a person's latest word on a work in a channel: 1 useful, -1 not, and 0
// takes it back.
func (db *DB) Vote(ctx context.Context, in digest.Destination, person string, work digest.WorkID, value int, at time.Time) error {
	return db.update(ctx, "voting", func(t *tx) error {
		// A word on a work that was merged into this one was a word on this one.
		_, err := t.exec(ctx, "DELETE FROM votes WHERE place = $2 AND person = $3 AND work IN "+allOf, string(work), clean(placeOf(in)), clean(person))
		if err != nil || value == 0 {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO votes (place, person, work, value, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (place, person, work) DO UPDATE SET value = excluded.value, at = excluded.at`, clean(placeOf(in)), clean(person), string(work), value, millis(at))
		return err
	})
}

// Votes returns a channel's votes by work, as it is now: useful, and not.
func (db *DB) Votes(ctx context.Context, in digest.Destination) (map[digest.WorkID][2]int, error) {
	out := map[digest.WorkID][2]int{}
	err := each(ctx, db, "SELECT "+currently("votes")+", value, COUNT(*) FROM votes WHERE place = $1 GROUP BY 1, 2", []any{clean(placeOf(in))}, func(r *sql.Rows) error {
		var work digest.WorkID
		var value, n int
		if err := r.Scan(&work, &value, &n); err != nil {
			return err
		}
		v := out[work]
		if value > 0 {
			v[0] += n
		} else {
			v[1] += n
		}
		out[work] = v
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading votes: %w", explain(err))
	}
	return out, nil
}

// Save puts a work on a person's list, or takes it off, under whichever id it was
// put there.
func (db *DB) Save(ctx context.Context, in digest.Destination, person string, work digest.WorkID, on bool, at time.Time) error {
	in.Channel = person
	return db.update(ctx, "saving a work", func(t *tx) error {
		text, args := "DELETE FROM saved WHERE person = $2 AND work IN "+allOf, []any{string(work), clean(placeOf(in))}
		if on {
			text, args = "INSERT INTO saved (work, person, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", append(args, millis(at))
		}
		_, err := t.exec(ctx, text, args...)
		return err
	})
}

// Saved returns a person's list, latest first, at most a hundred works. A work that
// was merged with another comes as the one it is now, and once.
func (db *DB) Saved(ctx context.Context, in digest.Destination, person string) ([]digest.Work, error) {
	in.Channel = person
	var ids []digest.WorkID
	err := each(ctx, db, "SELECT "+currently("saved")+", MAX(at) FROM saved WHERE person = $1 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100", []any{clean(placeOf(in))}, func(r *sql.Rows) error {
		var id digest.WorkID
		var at int64
		err := r.Scan(&id, &at)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading a list: %w", explain(err))
	}
	var out []digest.Work
	for _, id := range ids {
		w, err := db.Work(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// workspacePrefix begins the places of a destination's workspace; of every place if it
// names no platform.
func workspacePrefix(in digest.Destination) string {
	prefix := ""
	switch {
	case in.Workspace != "":
		prefix = in.Platform + "/" + in.Workspace + "/"
	case in.Platform != "": // one person's, or a platform without workspaces
		prefix = placeOf(in)
	}
	return clean(prefix)
}

// Opinion counts who in a destination's workspace has voted on a work, under whichever
// id. Somebody who has voted in two channels is one.
func (db *DB) Opinion(ctx context.Context, in digest.Destination, work digest.WorkID) (o digest.Opinion, err error) {
	err = first(ctx, db, `SELECT COUNT(DISTINCT CASE WHEN value > 0 THEN person END), COUNT(DISTINCT CASE WHEN value < 0 THEN person END)
		FROM votes WHERE work IN `+allOf+` AND SUBSTR(place, 1, LENGTH($2)) = $2`, []any{string(work), workspacePrefix(in)}, &o.Useful, &o.Not)
	if err != nil {
		return o, fmt.Errorf("reading votes: %w", explain(err))
	}
	return o, nil
}

// FoundUseful returns the works that more people of a destination's workspace found
// useful than not, of those on which somebody has voted since a time: what most found
// useful first, then what was voted on last. limit is 1 to 100.
func (db *DB) FoundUseful(ctx context.Context, in digest.Destination, since time.Time, limit int) (out []digest.Found, err error) {
	err = each(ctx, db, `SELECT `+currently("votes")+`, COUNT(DISTINCT CASE WHEN value > 0 THEN person END), COUNT(DISTINCT CASE WHEN value < 0 THEN person END), MAX(at)
		FROM votes WHERE SUBSTR(place, 1, LENGTH($1)) = $1 GROUP BY 1 HAVING SUM(value) > 0 AND MAX(at) >= $2 ORDER BY 2 DESC, 4 DESC, 1 LIMIT $3`,
		[]any{workspacePrefix(in), millis(since), min(max(limit, 1), 100)}, func(r *sql.Rows) error {
			var f digest.Found
			var at int64
			err := r.Scan(&f.Work.ID, &f.Useful, &f.Not, &at)
			out = append(out, f)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("reading votes: %w", explain(err))
	}
	kept := out[:0]
	for _, f := range out {
		w, err := db.Work(ctx, f.Work.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f.Work = w
		kept = append(kept, f)
	}
	return kept, nil
}

// Useful returns the works that more people found useful than not, in any channel of
// a destination's workspace; in every place if it names no platform.
func (db *DB) Useful(ctx context.Context, in digest.Destination) (map[digest.WorkID]bool, error) {
	prefix := workspacePrefix(in)
	out := map[digest.WorkID]bool{}
	err := each(ctx, db, "SELECT "+currently("votes")+" FROM votes WHERE SUBSTR(place, 1, LENGTH($1)) = $1 GROUP BY 1 HAVING SUM(value) > 0", []any{prefix}, func(r *sql.Rows) error {
		var id digest.WorkID
		err := r.Scan(&id)
		out[id] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading votes: %w", explain(err))
	}
	return out, nil
}
