package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"seedcorn/digest"
)

// Shards are the parts of one connection that the processes on this database share.
// Each process says again and again that it lives ([Shards.Share]); what one held that
// fell silent for a lease's time the others take.
type Shards struct {
	db    *DB
	name  string
	lease time.Duration
}

// Shards returns those of the connection of a name.
func (db *DB) Shards(name string, lease time.Duration) *Shards { return &Shards{db, name, lease} }

// Share renews what holder has, and takes what nobody has, as far as that is its share.
// total is how many shards holder thinks there are; the largest number that a living
// process names is in force. What holder has and is not told to hold it should let go
// and yield.
func (s *Shards) Share(ctx context.Context, holder string, total int) (out digest.Sharing, err error) {
	err = s.db.update(ctx, "sharing the "+s.name, func(t *tx) error {
		// Who shares has this row, so that no two do at once.
		if _, err := t.exec(ctx, "INSERT INTO shard_holders (name, holder, total, seen_until) VALUES ($1, '', 0, 0) ON CONFLICT (name, holder) DO UPDATE SET total = 0", s.name); err != nil {
			return err
		}
		at, err := s.db.time(ctx, t)
		if err != nil {
			return err
		}
		now, until := millis(at), millis(at.Add(s.lease))
		if _, err := t.exec(ctx, "DELETE FROM shard_holders WHERE name = $1 AND holder <> '' AND holder <> $2 AND seen_until <= $3", s.name, holder, now); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "INSERT INTO shard_holders (name, holder, total, seen_until) VALUES ($1, $2, $3, $4) ON CONFLICT (name, holder) DO UPDATE SET total = excluded.total, seen_until = excluded.seen_until",
			s.name, holder, total, until); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE shards SET lease_until = $3 WHERE name = $1 AND holder = $2", s.name, holder, until); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM shards WHERE name = $1 AND lease_until <= $2", s.name, now); err != nil {
			return err
		}
		out = digest.Sharing{For: s.lease}
		var living []string
		if err := each(ctx, t, "SELECT holder, total FROM shard_holders WHERE name = $1 AND holder <> ''", []any{s.name}, func(r *sql.Rows) error {
			var who string
			var n int
			err := r.Scan(&who, &n)
			living, out.Total = append(living, who), max(out.Total, n)
			return err
		}); err != nil {
			return err
		}
		var held []heldShard
		if err := each(ctx, t, "SELECT total, shard, holder FROM shards WHERE name = $1 ORDER BY total, shard", []any{s.name}, func(r *sql.Rows) error {
			var h heldShard
			err := r.Scan(&h.total, &h.shard, &h.holder)
			held = append(held, h)
			return err
		}); err != nil {
			return err
		}
		var take []int
		if out.Held, take = shareOut(held, living, holder, out.Total); len(take) == 0 {
			return nil
		}
		// A process older than these tables has all of it while it holds this.
		var lease int64
		if err := first(ctx, t, "SELECT lease_until FROM gates WHERE name = $1", []any{"alone:" + s.name}, &lease); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		} else if lease > now {
			return nil
		}
		for _, n := range take {
			if _, err := t.exec(ctx, "INSERT INTO shards (name, total, shard, holder, lease_until) VALUES ($1, $2, $3, $4, $5)", s.name, out.Total, n, holder, until); err != nil {
				return err
			}
		}
		out.Held = append(out.Held, take...)
		slices.Sort(out.Held)
		return nil
	})
	return out, err
}

// A heldShard is one with a lease that has not run out.
type heldShard struct {
	total, shard int
	holder       string
}

// shareOut says which of its shards a holder keeps, and which it takes besides, so that
// in the end all are held and nobody has two more than another.
func shareOut(held []heldShard, living []string, holder string, total int) (keep, take []int) {
	count := map[string]int{holder: 0}
	for _, who := range living {
		count[who] = 0
	}
	taken := map[int]bool{}
	overlap := false
	for _, h := range held {
		if h.total != total {
			overlap = true
			continue
		}
		taken[h.shard] = true
		if count[h.holder]++; h.holder == holder {
			keep = append(keep, h.shard)
		}
	}
	least := total // that another has
	for who, n := range count {
		if who != holder {
			least = min(least, n)
		}
	}
	fair := (total + len(count) - 1) / len(count)
	for n := 0; n < total && !overlap && len(keep)+len(take) < fair && len(keep)+len(take) <= least; n++ {
		if !taken[n] {
			take = append(take, n)
		}
	}
	if len(keep) > least+1 {
		keep = keep[:max(least+1, min(fair, len(keep)-1))]
	}
	return keep, take
}

// Yield gives one shard back, whose connection has ended.
func (s *Shards) Yield(ctx context.Context, holder string, total, shard int) error {
	return s.db.update(ctx, "yielding a shard of the "+s.name, func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM shards WHERE name = $1 AND total = $2 AND shard = $3 AND holder = $4", s.name, total, shard, holder)
		return err
	})
}

// Leave gives everything back that holder has.
func (s *Shards) Leave(ctx context.Context, holder string) error {
	return s.db.update(ctx, "leaving the "+s.name, func(t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM shards WHERE name = $1 AND holder = $2", s.name, holder); err != nil {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM shard_holders WHERE name = $1 AND holder = $2", s.name, holder)
		return err
	})
}

// turnLease is how long a process that died while it began a session keeps others from
// beginning theirs.
const turnLease = 15 * time.Second

// Turn waits for the turn to begin a session in a place, where sessions begin one after
// another, every apart. leave is called when it has begun, or failed.
func (s *Shards) Turn(ctx context.Context, place int, every time.Duration) (leave func(), err error) {
	key := fmt.Sprintf("%s, place %d", s.name, place)
	g := &gate{db: s.db, spacing: map[string]time.Duration{key: every}, lease: turnLease}
	return g.Enter(ctx, key)
}
