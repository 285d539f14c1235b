package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// Alone runs f in one process at a time of all that share this database: it waits until
// nobody else runs something of that name, and f's context ends when another process
// may have begun, because the database could not be told in time that we are still
// there. It returns f's error, or the context's, or that of the database. A process
// that dies is followed by another when its lease has run out.
func (db *DB) Alone(ctx context.Context, name string, lease time.Duration, f func(context.Context) error) error {
	g := &gate{db: db, lease: lease}
	key, me := "alone:"+name, rand.Text()
	for {
		wait, err := g.try(ctx, key, me)
		if err != nil {
			return fmt.Errorf("waiting to be the only one of %s: %w", name, err)
		}
		if wait <= 0 {
			break
		}
		// Nobody is in a hurry here: a tenth of the lease is soon enough.
		if err := pause(ctx, max(wait, lease/10)); err != nil {
			return fmt.Errorf("waiting to be the only one of %s: %w", name, err)
		}
	}
	defer g.leave(ctx, key, me, 0)
	mine, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go func() {
		until := time.Now().Add(lease)
		for pause(mine, lease/4) == nil {
			now := time.Now()
			ok, err := g.stay(mine, key, me)
			switch {
			case err == nil && !ok, err != nil && time.Until(until) < lease/4:
				lost(fmt.Errorf("another process may be the only one of %s", name))
				return
			case err == nil:
				until = now.Add(lease)
			}
		}
	}()
	return f(mine)
}

// stay renews the lease of whoever is inside; ok is false if it is somebody else.
func (g *gate) stay(ctx context.Context, key, me string) (ok bool, err error) {
	err = g.db.update(ctx, "staying behind the gate", func(t *tx) error {
		now, err := g.db.time(ctx, t)
		if err != nil {
			return err
		}
		r, err := t.exec(ctx, "UPDATE gates SET lease_until = $3 WHERE name = $1 AND holder = $2", key, me, millis(now)+g.lease.Milliseconds())
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		ok = n == 1
		return err
	})
	return ok, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
