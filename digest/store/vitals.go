package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"seedcorn/digest"
)

// Vitals are what can be counted quickly of a database, for metrics.
type Vitals struct {
	Items, Works, Subscriptions int
	Deliveries                  map[Outgoing]int
	Incidents                   map[digest.IncidentKind]int // what is wrong now
	Bytes                       int64                       // its size
}

// Outgoing is a platform and the state of messages to it.
type Outgoing struct {
	Platform string
	State    digest.DeliveryState
}

// Vitals counts.
func (db *DB) Vitals(ctx context.Context) (Vitals, error) {
	v := Vitals{Deliveries: map[Outgoing]int{}, Incidents: map[digest.IncidentKind]int{}}
	fail := func(err error) (Vitals, error) { return Vitals{}, fmt.Errorf("counting: %w", explain(err)) }
	if err := first(ctx, db, "SELECT (SELECT COUNT(*) FROM items), (SELECT COUNT(*) FROM works), (SELECT COUNT(*) FROM subscriptions)", nil, &v.Items, &v.Works, &v.Subscriptions); err != nil {
		return fail(err)
	}
	if err := each(ctx, db, "SELECT platform, state, COUNT(*) FROM deliveries GROUP BY platform, state", nil, func(r *sql.Rows) error {
		var k Outgoing
		var n int
		err := r.Scan(&k.Platform, &k.State, &n)
		v.Deliveries[k] = n
		return err
	}); err != nil {
		return fail(err)
	}
	if err := each(ctx, db, "SELECT kind, COUNT(*) FROM incidents WHERE ended = 0 GROUP BY kind", nil, func(r *sql.Rows) error {
		var kind digest.IncidentKind
		var n int
		err := r.Scan(&kind, &n)
		v.Incidents[kind] = n
		return err
	}); err != nil {
		return fail(err)
	}
	if err := first(ctx, db, db.engine.size(), nil, &v.Bytes); err != nil {
		return fail(err)
	}
	return v, nil
}

// Path is where the SQLite file is; "" in memory and on PostgreSQL.
func (db *DB) Path() string { return db.path }

func (sqlite) size() string {
	return "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
}

func (postgres) size() string {
	return "SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0)::BIGINT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
}

// DueOf returns when a digest was due: the end of its period. [ErrNotFound] if there
// is none of that id.
func (db *DB) DueOf(ctx context.Context, id digest.DigestID) (time.Time, error) {
	var ms int64
	if err := first(ctx, db, "SELECT period_to FROM digests WHERE id = $1", []any{string(id)}, &ms); err != nil {
		return time.Time{}, fmt.Errorf("digest %s: %w", id, explain(err))
	}
	return fromMillis(ms), nil
}
