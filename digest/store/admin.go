package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Meta returns what was remembered under a name, or "".
func (db *DB) Meta(ctx context.Context, name string) (value string, err error) {
	err = first(ctx, db, "SELECT value FROM meta WHERE name = $1", []any{name}, &value)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("reading %s: %w", name, explain(err))
	}
	return value, nil
}

// SetMeta remembers value under a name.
func (db *DB) SetMeta(ctx context.Context, name, value string) error {
	return db.update(ctx, "remembering "+name, func(t *tx) error {
		_, err := t.exec(ctx, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, clean(value))
		return err
	})
}

// Stats are counts of what is stored.
type Stats struct {
	Sources, Items, Works, Events, Corrections, Subscriptions, Digests, Organizations int
}

// Stats counts what is stored.
func (db *DB) Stats(ctx context.Context) (s Stats, err error) {
	err = first(ctx, db, `SELECT (SELECT COUNT(*) FROM sources), (SELECT COUNT(*) FROM items), (SELECT COUNT(*) FROM works), (SELECT COUNT(*) FROM events),
		(SELECT COUNT(*) FROM corrections), (SELECT COUNT(*) FROM subscriptions), (SELECT COUNT(*) FROM digests), (SELECT COUNT(*) FROM organizations)`, nil,
		&s.Sources, &s.Items, &s.Works, &s.Events, &s.Corrections, &s.Subscriptions, &s.Digests, &s.Organizations)
	if err != nil {
		return Stats{}, fmt.Errorf("counting: %w", explain(err))
	}
	return s, nil
}

// Backup writes a copy of the database to a new file while it goes on being used.
// The file appears whole or not at all; one that exists is left alone. On PostgreSQL
// it is an error: pg_dump does that.
func (db *DB) Backup(ctx context.Context, path string) error {
	doing := "backing up to " + path
	if db.engine != (sqlite{}) {
		return fmt.Errorf("%s: this database is PostgreSQL: use pg_dump", doing)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", doing, os.ErrExist)
	}
	// VACUUM INTO copies in one read transaction (https://www.sqlite.org/lang_vacuum.html),
	// but what it leaves when it fails half-way is half a file.
	part, err := os.MkdirTemp(filepath.Dir(path), ".backup-*")
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer os.RemoveAll(part)
	file := filepath.Join(part, "copy.db")
	pool := db.write
	if db.path != "" {
		// A connection of its own, so that writers need not wait for the copy.
		if pool, err = sql.Open("sqlite", db.dsn); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		defer pool.Close()
	}
	if _, err := pool.ExecContext(ctx, "VACUUM INTO $1", file); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := os.Rename(file, path); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Rest gives back what a burst of work took and keeps only what waiting needs: on
// SQLite the page cache of the writer (https://www.sqlite.org/pragma.html#pragma_shrink_memory),
// and on the way the query planner's statistics are refreshed, and the index is tidied
// for a second at most. PostgreSQL sees to all that itself.
func (db *DB) Rest(ctx context.Context) error {
	if db.engine != (sqlite{}) {
		return nil
	}
	const doing = "resting: %w"
	for began := time.Now(); time.Since(began) < time.Second; {
		if more, err := db.mergeSome(ctx); err != nil {
			return fmt.Errorf(doing, err)
		} else if !more {
			break
		}
	}
	for _, pragma := range []string{"PRAGMA optimize", "PRAGMA shrink_memory"} {
		if _, err := db.write.ExecContext(ctx, pragma); err != nil {
			return fmt.Errorf(doing, explain(err))
		}
	}
	return nil
}

// mergePages is how many pages of the index one step of merging writes: a few
// hundredths of a second, in which nobody else writes.
const mergePages = 100

// mergeSome merges some of the index's segments where four or more of a size are, and
// reports whether there was anything to be done. A search looks each of its terms up
// in every segment. While a batch is written, more of them are let be.
// https://www.sqlite.org/fts5.html#the_merge_command
func (db *DB) mergeSome(ctx context.Context) (more bool, err error) {
	err = db.update(ctx, "merging the index", func(t *tx) error {
		var before, after int64
		if err := first(ctx, t, "SELECT total_changes()", nil, &before); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "INSERT INTO search (search, rank) VALUES ('merge', $1)", mergePages); err != nil {
			return err
		}
		err := first(ctx, t, "SELECT total_changes()", nil, &after)
		more = after-before > 1 // the statement itself counts as one
		return err
	})
	return more, err
}
