package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// Pool is what writes to this database, for an engine that keeps its jobs beside our
// tables. On SQLite it is one connection: who holds a transaction on it and asks the
// pool for another waits for ever.
func (db *DB) Pool() *sql.DB { return db.write }

// Also runs f, which prepares tables of somebody else's beside ours, as a step of
// bringing the schema up to date: under the same lock on PostgreSQL, where processes
// that start at once queue for it, and again on SQLite if another process was faster.
// f must do nothing where there is nothing to do.
func (db *DB) Also(ctx context.Context, f func(context.Context) error) error {
	var err error
	for try := range 5 {
		if err = db.queued(ctx, f); err == nil || ctx.Err() != nil || db.engine == (postgres{}) {
			break
		}
		select {
		case <-time.After(time.Duration(20<<try) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if err != nil {
		return fmt.Errorf("preparing the tables of jobs: %w", explain(err))
	}
	return nil
}

// Outgoing has told called for each destination that gets new deliveries, in the
// transaction that stores them: an error of told's undoes them. It is to be called
// before the database is used by more than one goroutine.
func (db *DB) Outgoing(told func(ctx context.Context, tx *sql.Tx, to digest.Destination) error) {
	db.outgoing = told
}

// tell tells of new deliveries, if anybody wants to know.
func (db *DB) tell(ctx context.Context, t *tx, to digest.Destination) error {
	if db.outgoing == nil {
		return nil
	}
	return db.outgoing(ctx, t.Tx, to)
}

// TakeSources takes the sources that are due at now and that nobody has taken, until
// the given time, and hands them to then in the same transaction, those longest
// overdue first. However many processes ask at once, each source goes to one of them.
// If then fails, or there is nothing, nothing is taken.
func (db *DB) TakeSources(ctx context.Context, now, until time.Time, then func(context.Context, *sql.Tx, []feeds.Source) error) error {
	// Most of the time nothing is due, and looking is cheaper than a transaction.
	due := 0
	err := first(ctx, db, `SELECT COUNT(*) FROM sources s LEFT JOIN health h ON h.source = s.id
		WHERE s.paused = 0 AND COALESCE(h.gone, 0) = 0 AND COALESCE(h.next_look, 0) <= $1 AND COALESCE(h.taken, 0) <= $1`, []any{millis(now)}, &due)
	if err != nil {
		return fmt.Errorf("reading due sources: %w", explain(err))
	}
	if due == 0 {
		return nil
	}
	return db.update(ctx, "taking due sources", func(t *tx) error {
		// The condition again at the end: on PostgreSQL it is judged on the row as it is
		// once whoever was faster is through.
		var ids []feeds.SourceID
		err := each(ctx, t, `INSERT INTO health (source, last_look, last_good, last_item, failures, trouble, words, next_look, gone_since, gone, taken)
			SELECT s.id, 0, 0, 0, 0, '', '', 0, 0, 0, CAST($2 AS BIGINT) FROM sources s LEFT JOIN health h ON h.source = s.id
			WHERE s.paused = 0 AND COALESCE(h.gone, 0) = 0 AND COALESCE(h.next_look, 0) <= $1 AND COALESCE(h.taken, 0) <= $1 ORDER BY s.id
			ON CONFLICT (source) DO UPDATE SET taken = excluded.taken WHERE health.taken <= $1 AND health.next_look <= $1
			RETURNING source`, []any{millis(now), millis(until)}, func(r *sql.Rows) error {
			var id feeds.SourceID
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		taken, err := sourcesIn(ctx, t, ids, now)
		if err != nil {
			return err
		}
		return then(ctx, t.Tx, taken)
	})
}

// DueAmong returns those of ids that are to be visited at now, longest overdue first:
// not those that were visited, paused or removed since they were taken.
func (db *DB) DueAmong(ctx context.Context, ids []feeds.SourceID, now time.Time) ([]feeds.Source, error) {
	out, err := sourcesIn(ctx, db, ids, now)
	if err != nil {
		return nil, fmt.Errorf("reading due sources: %w", explain(err))
	}
	return out, nil
}

// sourcesIn reads those sources of ids that are due at now, longest overdue first.
func sourcesIn(ctx context.Context, q querier, ids []feeds.SourceID, now time.Time) ([]feeds.Source, error) {
	type dated struct {
		feeds.Source
		next int64
	}
	var found []dated
	err := eachIn(ctx, q, "SELECT "+sourceColumns+", COALESCE(h.next_look, 0) FROM sources s LEFT JOIN health h ON h.source = s.id WHERE s.id IN (?)", asStrings(ids), func(r *sql.Rows) error {
		var next int64
		s, err := scanSource(r, &next)
		if !s.Paused && !s.Gone && next <= millis(now) {
			found = append(found, dated{s, next})
		}
		return err
	})
	slices.SortFunc(found, func(a, b dated) int { return cmp.Or(cmp.Compare(a.next, b.next), cmp.Compare(a.ID, b.ID)) })
	out := make([]feeds.Source, len(found))
	for i, s := range found {
		out[i] = s.Source
	}
	return out, err
}

// Waiting returns how many sources have been due since a time and were not visited:
// whether what came out until then has been read.
func (db *DB) Waiting(ctx context.Context, since time.Time) (n int, err error) {
	err = first(ctx, db, `SELECT COUNT(*) FROM sources s LEFT JOIN health h ON h.source = s.id
		WHERE s.paused = 0 AND COALESCE(h.gone, 0) = 0 AND COALESCE(h.next_look, 0) <= $1`, []any{millis(since)}, &n)
	if err != nil {
		return 0, fmt.Errorf("counting due sources: %w", explain(err))
	}
	return n, nil
}

// TakeSubscriptions is [DB.TakeSources] for subscriptions whose digest is due.
func (db *DB) TakeSubscriptions(ctx context.Context, now, until time.Time, then func(context.Context, *sql.Tx, []digest.Subscription) error) error {
	due := 0
	err := first(ctx, db, "SELECT COUNT(*) FROM subscriptions WHERE next_due <= $1 AND paused_until <= $1 AND taken <= $1", []any{millis(now)}, &due)
	if err != nil {
		return fmt.Errorf("reading due subscriptions: %w", explain(err))
	}
	if due == 0 {
		return nil
	}
	return db.update(ctx, "taking due subscriptions", func(t *tx) error {
		var ids []string
		err := each(ctx, t, `UPDATE subscriptions SET taken = $2 WHERE next_due <= $1 AND paused_until <= $1 AND taken <= $1 RETURNING id`,
			[]any{millis(now), millis(until)}, func(r *sql.Rows) error {
				var id string
				err := r.Scan(&id)
				ids = append(ids, id)
				return err
			})
		if err != nil || len(ids) == 0 {
			return err
		}
		taken, err := subscriptionsIn(ctx, t, ids, now)
		if err != nil {
			return err
		}
		return then(ctx, t.Tx, taken)
	})
}

// DueSubscriptionsAmong returns those of ids whose digest is due at now: not those that
// were served, paused or ended since they were taken.
func (db *DB) DueSubscriptionsAmong(ctx context.Context, ids []digest.SubscriptionID, now time.Time) ([]digest.Subscription, error) {
	out, err := subscriptionsIn(ctx, db, asStrings(ids), now)
	if err != nil {
		return nil, fmt.Errorf("reading due subscriptions: %w", explain(err))
	}
	return out, nil
}

// Release gives back all sources and subscriptions that were taken: whoever had them is
// no more.
func (db *DB) Release(ctx context.Context) error {
	return db.update(ctx, "giving back what was taken", func(t *tx) error {
		for _, text := range []string{"UPDATE health SET taken = 0 WHERE taken > 0", "UPDATE subscriptions SET taken = 0 WHERE taken > 0"} {
			if _, err := t.exec(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// Beat notes that a process is alive, and returns those that are known, with the
// database's time.
func (db *DB) Beat(ctx context.Context, p digest.Process) (all []digest.Process, now time.Time, err error) {
	err = db.update(ctx, "noting that this process runs", func(t *tx) error {
		if now, err = db.time(ctx, t); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO processes (id, roles, host, version, started, seen, knows) VALUES ($1, $2, $3, $4, $5, $5, $6)
			ON CONFLICT (id) DO UPDATE SET seen = excluded.seen`, p.ID, clean(p.Roles), clean(p.Host), clean(p.Version), millis(now), knowsShared); err != nil {
			return err
		}
		if db.clock.backward() {
			if err := db.mend(ctx, t); err != nil {
				return err
			}
		}
		all, err = readProcesses(ctx, t)
		return err
	})
	return all, now, err
}

// What programs know, as they say in their processes' rows.
const knowsShared = 13 // to read what is kept once: 00013_shared.sql

// olderFor is for how long a process counts as being at work that does not say so any
// more: its machine may have slept.
const olderFor = 10 * time.Minute

// shares reports whether everybody who is at work can read what is kept once.
func (db *DB) shares(ctx context.Context, t *tx) (bool, error) {
	older := 0
	err := first(ctx, t, "SELECT COUNT(*) FROM processes WHERE knows < $1 AND seen > $2", []any{knowsShared, millis(db.Now().Add(-olderFor))}, &older)
	return older == 0, err
}

// Processes returns the processes that are known, the longest running first. Those
// that were killed are among them for a while: Seen tells.
func (db *DB) Processes(ctx context.Context) ([]digest.Process, error) {
	out, err := readProcesses(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("reading processes: %w", explain(err))
	}
	return out, nil
}

func readProcesses(ctx context.Context, q querier) (out []digest.Process, err error) {
	err = each(ctx, q, "SELECT id, roles, host, version, started, seen FROM processes ORDER BY started, id", nil, func(r *sql.Rows) error {
		var p digest.Process
		var started, seen int64
		err := r.Scan(&p.ID, &p.Roles, &p.Host, &p.Version, &started, &seen)
		p.Started, p.Seen = fromMillis(started), fromMillis(seen)
		out = append(out, p)
		return err
	})
	return out, err
}

// Leave removes a process that ends, and those that have been silent since a time.
func (db *DB) Leave(ctx context.Context, id string, silent time.Time) error {
	return db.update(ctx, "forgetting processes", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM processes WHERE id = $1 OR seen < $2", id, millis(silent))
		return err
	})
}
