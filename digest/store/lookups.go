package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// Answered returns the last answer to a question, expired or not, or [ErrNotFound].
func (db *DB) Answered(ctx context.Context, name string) (digest.Answer, error) {
	var a digest.Answer
	var fetched, expires int64
	err := first(ctx, db, "SELECT words, fetched, expires FROM lookups WHERE name = $1", []any{clean(name)}, &a.Words, &fetched, &expires)
	if err != nil {
		return digest.Answer{}, fmt.Errorf("look-up %s: %w", name, explain(err))
	}
	a.Fetched, a.Expires = fromMillis(fetched), fromMillis(expires)
	return a, nil
}

// Answer keeps an answer in place of an earlier one to the same question.
func (db *DB) Answer(ctx context.Context, name string, a digest.Answer) error {
	return db.update(ctx, "storing look-up "+name, func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO lookups (name, words, fetched, expires) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET words = excluded.words, fetched = excluded.fetched, expires = excluded.expires`,
			clean(name), clean(a.Words), millis(a.Fetched), millis(a.Expires))
		return err
	})
}

// Unanswered returns those of names, in their order, that have no answer or one
// that has expired at now.
func (db *DB) Unanswered(ctx context.Context, names []string, now time.Time) ([]string, error) {
	fresh := map[string]bool{}
	at := millis(now)
	err := eachIn(ctx, db, "SELECT name, expires FROM lookups WHERE name IN (?)", names, func(r *sql.Rows) error {
		var name string
		var expires int64
		err := r.Scan(&name, &expires)
		fresh[name] = expires == 0 || expires > at
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading look-ups: %w", explain(err))
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return fresh[n] }), nil
}

// ReplaceOrganizations stores organizations in place of all that were stored, and
// returns how many there are. An error of the sequence, or a second organization of
// one id, changes nothing.
func (db *DB) ReplaceOrganizations(ctx context.Context, orgs iter.Seq2[feeds.Lab, error]) (int, error) {
	n := 0
	err := db.update(ctx, "storing organizations", func(t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM organizations"); err != nil {
			return err
		}
		type row struct{ id, body string }
		batch := make([]row, 0, 1024)
		flush := func() error {
			err := bulk(ctx, t, "INSERT INTO organizations (id, body) VALUES", "($,$)", "", batch, func(r row) []any { return []any{r.id, r.body} })
			n += len(batch)
			batch = batch[:0]
			return err
		}
		for o, err := range orgs {
			if err != nil {
				return err
			}
			body, err := encode(o)
			if err != nil {
				return err
			}
			batch = append(batch, row{clean(string(o.ID)), body})
			if len(batch) == cap(batch) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return flush()
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Organizations returns all organizations by id.
func (db *DB) Organizations(ctx context.Context) ([]feeds.Lab, error) {
	var out []feeds.Lab
	err := each(ctx, db, "SELECT body FROM organizations ORDER BY id", nil, func(r *sql.Rows) error {
		var body sql.RawBytes
		if err := r.Scan(&body); err != nil {
			return err
		}
		out = append(out, feeds.Lab{})
		return json.Unmarshal(body, &out[len(out)-1])
	})
	if err != nil {
		return nil, fmt.Errorf("reading organizations: %w", explain(err))
	}
	return out, nil
}
