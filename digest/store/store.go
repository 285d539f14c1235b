// Package store keeps everything that must survive a restart, in SQLite or in
// PostgreSQL, and finds works again.
//
// What comes in, and what becomes of it:
//
//	[]digest.Arrival ──► [DB.Ingest]                            (ingest.go)
//	                       │  one transaction for the batch
//	                       ├─ which items are new, which were edited?
//	                       ├─ digest.Resolve: which work?       (desk.go)
//	                       ├─ digest.Fold:    what is the work now?
//	                       └─ rows first, index entries last    (write.go)
//	[]digest.Visit   ──► [DB.Looked]                            (sources.go)
//	a person's word  ──► [DB.Correct], [DB.Split], [DB.Join]    (edit.go)
//	digest.Digest    ──► [DB.SaveDigest]: it, its messages, the cursor  (subscriptions.go)
//
// and what goes out:
//
//	[DB.Search], [DB.WorksIn]        works that match a query, newest first (search.go)
//	[DB.Work], [DB.FindWork], …      one work and why it is as it is        (works.go)
//	[DB.Count], [DB.Tally]           works by week, or as thin as counting needs  (weeks.go, tally.go)
//	[DB.TakeSources], [DB.TakeSubscriptions]  what the clock owes, each once (rounds.go)
//	[DB.Claim], [DB.Settle]          messages on their way, at one rate     (deliveries.go, lanes.go)
//	[DB.Gate]                        one slow door for every process        (gate.go)
//	[DB.Now]                         the time that they all go by           (clock.go)
//	[Mover]                          everything, into another database      (move.go)
//
// The schema (schema/*.sql) is one text for both engines except for the indexes;
// [engine] holds the few other places in which they differ. There is one writer:
// on SQLite one connection, on PostgreSQL an advisory lock around every decision
// about identity, since two batches that begin the same work at once would make
// two of it.
//
// Errors say what was being done and why it failed. [ErrNotFound], [ErrNewer],
// [ErrBusy], [ErrAway], [ErrReadOnly], [ErrFull] and [ErrDamaged] are in the chain where they
// apply.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // also the driver "pgx"

	"seedcorn/digest"
)

// A DB is an open database. Its methods may be called from several goroutines.
type DB struct {
	engine engine
	write  *sql.DB // one connection on SQLite
	read   *sql.DB // the same pool as write where there is only one
	path   string  // of the SQLite file; "" in memory and on PostgreSQL
	dsn    string  // of the SQLite file, for a connection besides the pools

	clock clock
	wall  func() time.Time // in tests: what the clock is, in place of the engine's

	exclusive bool // no other process can have the SQLite file open

	stmts sync.Map // text -> *sql.Stmt on read
	gates sync.Map // name -> chan struct{}: who of this process is next

	outgoing func(context.Context, *sql.Tx, digest.Destination) error // see Outgoing
}

// An Option changes how a database is opened.
type Option func(*options)

type options struct {
	pragmas   []string
	busy      time.Duration
	exclusive bool
}

// WithPragma adds a pragma such as "max_page_count(500)" to every SQLite
// connection (https://www.sqlite.org/pragma.html). PostgreSQL ignores it.
func WithPragma(p string) Option { return func(o *options) { o.pragmas = append(o.pragmas, p) } }

// WithBusyTimeout says how long a writer waits for another process to finish with
// the SQLite file before it gives up with [ErrBusy]. The default is ten seconds.
func WithBusyTimeout(d time.Duration) Option { return func(o *options) { o.busy = d } }

// Exclusively keeps every other process away from the SQLite file until it is closed
// (https://www.sqlite.org/pragma.html#pragma_locking_mode). One that has it open is
// found by [ErrBusy]. PostgreSQL ignores it.
func Exclusively() Option {
	return func(o *options) { o.exclusive, o.busy = true, 500*time.Millisecond }
}

// Open opens the database at location and brings its schema up to date.
//
//	sqlite:PATH       a file; it and its directory are made where missing (0700)
//	sqlite::memory:   a database that ends with the process
//	postgres://…      https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
//	                  with several hosts and target_session_attrs=read-write it is
//	                  whichever of them takes writes
//
// A database made by a newer program is refused with [ErrNewer]. No error holds
// the password of a location.
func Open(ctx context.Context, location string, opts ...Option) (*DB, error) {
	o := options{busy: 10 * time.Second}
	for _, f := range opts {
		f(&o)
	}
	var db *DB
	var err error
	switch {
	case strings.HasPrefix(location, "sqlite:"):
		db, err = openSQLite(ctx, strings.TrimPrefix(strings.TrimPrefix(location, "sqlite:"), "//"), o)
	case strings.HasPrefix(location, "postgres://"), strings.HasPrefix(location, "postgresql://"):
		db, err = openPostgres(ctx, location)
	default:
		scheme, _, _ := strings.Cut(location, ":")
		return nil, fmt.Errorf("opening the database: location begins with %q: want sqlite:PATH or postgres://HOST/NAME", scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := db.migrate(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if db.exclusive {
		// The file is taken when it is first written to, and kept from then on.
		if err := db.update(ctx, "opening the database", func(*tx) error { return nil }); err != nil {
			db.Close()
			return nil, err
		}
	}
	if err := db.adopt(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	switch far, err := db.stale(ctx); {
	case err != nil:
		db.Close()
		return nil, fmt.Errorf("opening the database: %w", explain(err))
	case far:
		if err := db.update(ctx, "bringing moments near that are too far away", func(t *tx) error { return db.mend(ctx, t) }); err != nil {
			db.Close()
			return nil, err
		}
	}
	return db, nil
}

func openSQLite(ctx context.Context, path string, o options) (*DB, error) {
	memory := path == ":memory:"
	switch {
	case path == "":
		return nil, errors.New("no path follows sqlite: in its location")
	case !memory:
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		path = abs
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("making its directory: %w", err)
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s is a directory", path)
		}
	}
	// Pragmas go into the name, so that every connection of a pool has them.
	dsn := func(more ...string) string {
		// The driver sets pragmas in the order of the alphabet, and _journal_mode after
		// them: the log would fix the size of pages, which must come first.
		q := url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}
		for _, p := range append([]string{
			fmt.Sprintf("busy_timeout(%d)", o.busy.Milliseconds()),
			// Most rows have two or three kilobytes, and a page of four wastes what is left.
			"page_size(8192)",
			"synchronous(NORMAL)", "foreign_keys(1)", "temp_store(MEMORY)",
		}, append(more, o.pragmas...)...) {
			q.Add("_pragma", p)
		}
		name := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
		return "file:" + name + "?" + q.Encode()
	}
	// The writer's cache holds the upper levels of every tree that a batch touches;
	// a longer write-ahead log is checkpointed less often in a cold pull.
	own := []string{"cache_size(-24000)", "wal_autocheckpoint(2000)"}
	if o.exclusive {
		own = append(own, "locking_mode(EXCLUSIVE)")
	}
	write, err := sql.Open("sqlite", dsn(own...))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetConnMaxIdleTime(0)
	db := &DB{engine: sqlite{}, write: write, read: write, path: path, dsn: dsn()}
	switch {
	case memory:
		db.path = ""
	case o.exclusive:
		db.exclusive = true // a second connection would be kept away, too
	default:
		// The writer first: it makes the file and turns the log on.
		if err := write.PingContext(ctx); err != nil {
			write.Close()
			return nil, explain(err)
		}
		if db.read, err = sql.Open("sqlite", dsn("query_only(1)", "cache_size(-16000)")); err != nil {
			write.Close()
			return nil, err
		}
		n := max(4, runtime.GOMAXPROCS(0))
		db.read.SetMaxOpenConns(n)
		db.read.SetMaxIdleConns(n)
	}
	if err := db.write.PingContext(ctx); err != nil {
		db.Close()
		return nil, explain(err)
	}
	return db, nil
}

func openPostgres(ctx context.Context, location string) (*DB, error) {
	config, err := pgx.ParseConfig(location)
	if err != nil {
		return nil, errors.New("the postgres:// location can't be read; its user, password and options must be percent-encoded")
	}
	// A server whose machine is gone answers nothing, not even that it is gone. Where
	// another may have taken over, it must not be waited for as long as the system would.
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: lostAfter / 2, Interval: lostAfter / 8, Count: 4}, Control: giveUp}
	config.DialFunc = dialer.DialContext
	// Who looks at the server's activity sees us, and we one another: see alone.
	name := appName(rand.Text())
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SELECT set_config('application_name', $1 || COALESCE(current_schema(), ''), false)", name)
		return err
	}))
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(8)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		pool.Close()
		return nil, explain(err)
	}
	return &DB{engine: postgres{}, write: pool, read: pool}, nil
}

const (
	// connectWithin is for each server that a location names, unless it says connect_timeout.
	connectWithin = 10 * time.Second
	// lostAfter is how long a server may be out of reach before its connections end.
	lostAfter = 30 * time.Second
)

// appName is what our connections to PostgreSQL are called, in front of the schema's
// name.
func appName(random string) string { return fmt.Sprintf("seedcorn %-8.8s ", random) }

// Close closes the database. Nothing written before is lost.
func (db *DB) Close() error {
	db.stmts.Range(func(_, s any) bool { s.(*sql.Stmt).Close(); return true })
	var err error
	if db.read != nil && db.read != db.write {
		err = db.read.Close()
	}
	return errors.Join(err, db.write.Close())
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if _, err := db.write.ExecContext(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("asking the database: %w", explain(err))
	}
	return nil
}

// Engine returns "sqlite" or "postgres".
func (db *DB) Engine() string { return db.engine.name() }
