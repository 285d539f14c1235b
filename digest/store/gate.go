package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"seedcorn/feeds"
)

// Gate returns a gate that everyone who shares this database queues at: behind it,
// one request at a time, and after its answer a pause of spacing[key] before the
// next. Keys that spacing does not name are let through at once.
//
// Within a process those who wait go in turn; between processes who looks first
// goes first. No transaction is open while anyone waits.
func (db *DB) Gate(spacing map[string]time.Duration) feeds.Gate {
	return &gate{db: db, spacing: spacing, lease: gateLease}
}

// gateLease is how long one may stay behind the gate: longer than any request may
// take. The gate of a process that died inside opens again after it.
const gateLease = time.Minute

// gatePoll is how often those outside look whether the one inside has left: there
// is no telling another process.
const gatePoll = 250 * time.Millisecond

type gate struct {
	db      *DB
	spacing map[string]time.Duration
	lease   time.Duration
}

func (g *gate) Enter(ctx context.Context, key string) (leave func(), err error) {
	pause, ok := g.spacing[key]
	if !ok {
		return func() {}, ctx.Err()
	}
	doing := "waiting for the turn to ask " + key
	// One of this process asks the database for all of it.
	c, _ := g.db.gates.LoadOrStore(key, make(chan struct{}, 1))
	turn := c.(chan struct{})
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	me := rand.Text()
	for {
		wait, err := g.try(ctx, key, me)
		if err != nil {
			<-turn
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		if wait <= 0 {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			<-turn
			return nil, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		}
	}
	left := false
	return func() {
		if left {
			return
		}
		left = true
		g.leave(ctx, key, me, pause)
		<-turn
	}, nil
}

// try goes in if nobody is there, or says how long to wait before looking again.
func (g *gate) try(ctx context.Context, key, me string) (wait time.Duration, err error) {
	err = g.db.update(ctx, "looking at the gate", func(t *tx) error {
		now, err := g.db.time(ctx, t)
		if err != nil {
			return err
		}
		var next, lease int64
		var holder string
		err = first(ctx, t, "SELECT next_at, holder, lease_until FROM gates WHERE name = $1", []any{key}, &next, &holder, &lease)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		at := millis(now)
		switch {
		case holder != "" && lease > at:
			wait = min(time.Duration(lease-at)*time.Millisecond, gatePoll)
			return nil
		case next > at:
			wait = time.Duration(next-at) * time.Millisecond
			return nil
		}
		// The condition again: between the two statements another process may have
		// gone in (not on SQLite, where this transaction is the only writer).
		r, err := t.exec(ctx, `INSERT INTO gates (name, next_at, holder, lease_until) VALUES ($1, 0, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
			WHERE (gates.holder = '' OR gates.lease_until <= $4) AND gates.next_at <= $4`, key, me, at+g.lease.Milliseconds(), at)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if n == 0 {
			wait = gatePoll
		}
		return err
	})
	return wait, err
}

// leave opens the gate for the next, after the pause. It must work even when the
// request's context has ended; if the database fails, the lease runs out.
func (g *gate) leave(ctx context.Context, key, me string, pause time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = g.db.update(ctx, "leaving the gate", func(t *tx) error {
		now, err := g.db.time(ctx, t)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "UPDATE gates SET holder = '', lease_until = 0, next_at = $3 WHERE name = $1 AND holder = $2",
			key, me, millis(now.Add(pause)))
		return err
	})
}
