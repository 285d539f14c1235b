package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed schema/*.sql
var schema embed.FS

// migrate brings the schema up to date. Two programs that start at once on a new
// database are no error: on PostgreSQL they queue for a lock, on SQLite the one
// that lost the race looks again.
func (db *DB) migrate(ctx context.Context) error {
	var err error
	for try := range 5 {
		if err = db.queued(ctx, db.migrateOnce); err == nil || errors.Is(err, ErrNewer) || ctx.Err() != nil {
			return err
		}
		if kind := explain(err); errors.Is(kind, ErrFull) || errors.Is(kind, ErrReadOnly) || errors.Is(kind, ErrDamaged) || errors.Is(kind, ErrBusy) {
			break
		}
		select {
		case <-time.After(time.Duration(20<<try) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("preparing its tables: %w", explain(err))
}

// queued runs f while nobody else prepares tables, on PostgreSQL. The library's own
// lock asks every five seconds whether it may; this one is had when it is free.
func (db *DB) queued(ctx context.Context, f func(context.Context) error) error {
	if db.engine != (postgres{}) {
		return f(ctx)
	}
	c, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lockMigrate)); err != nil {
		return err
	}
	defer func() {
		_, _ = c.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lockMigrate)) // ends with the connection at the latest
	}()
	return f(ctx)
}

func (db *DB) migrateOnce(ctx context.Context) error {
	dir, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	opts := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
		goose.WithExcludeNames(db.engine.notMine()),
		goose.WithAllowOutofOrder(true), // they do not build on each other, and are written side by side
	}
	p, err := goose.NewProvider(db.engine.dialect(), db.write, dir, opts...)
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("%w: its schema is number %d, this one knows up to %d", ErrNewer, have, want)
	}
	pending, err := p.HasPending(ctx)
	if err != nil || !pending {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
