package store

import (
	"context"
	"sync"
	"time"
)

// The clock of a database is the only one that all processes on it share: their machines'
// may be hours apart. Leases, holds, paces and due times are by it. On PostgreSQL it is
// the server's, on SQLite that of the one machine.
//
// Nobody wants to ask the server each time what it is. So [DB.Now] counts on from the
// last answer, on the machine's monotonic clock, which nobody can set. An answer that
// cannot be explained by how long it took, because the database's clock was set or
// another server has taken over, begins anew. A clock that jumps forward makes every
// lease look as if it had run out, so for as long as leases last nobody is taken for dead
// ([clock.steady]). One that jumps back leaves moments in the tables that are far
// away, which [DB.mend] brings near.
type clock struct {
	mu     sync.Mutex
	said   time.Time     // by the database
	heard  time.Time     // by us, with a monotonic reading
	off    time.Duration // by how much that may be wrong
	jumped time.Time     // by us, when we last heard something that cannot be; zero: never
	back   bool          // it has jumped back, and what is stored is not mended
}

const (
	// jumpLeast is how far an answer must be off to be a jump and not a clock that is
	// being steered.
	jumpLeast = time.Second
	// leaseMost is longer than any lease of a delivery.
	leaseMost = 2 * time.Minute
	// farAway is beyond every moment that is set in earnest: a platform's "not before",
	// the next attempt.
	farAway = 48 * time.Hour
)

// learn takes an answer of the database, asked for and got by our clock.
func (c *clock) learn(asked, got, said time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := got.Sub(asked)
	middle := asked.Add(took / 2)
	if c.heard.IsZero() {
		c.said, c.heard, c.off = said, middle, took/2
		return
	}
	off := said.Sub(c.said.Add(middle.Sub(c.heard)))
	if off.Abs() <= took/2+c.off && c.off <= took/2 {
		return // a slow answer proves nothing
	}
	jump := off.Abs()-took/2-c.off >= jumpLeast
	c.said, c.heard, c.off = said, middle, took/2
	if jump {
		c.jumped = got
		c.back = c.back || off < 0
	}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard.IsZero() {
		return time.Now()
	}
	return c.said.Add(time.Since(c.heard))
}

// ours is a moment of the database's, in Unix microseconds, on our clock.
func (c *clock) ours(moment int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard.Add(time.UnixMicro(moment).Sub(c.said))
}

// steady reports whether leases can be trusted that have run out.
func (c *clock) steady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumped.IsZero() || time.Since(c.jumped) > leaseMost
}

// backward reports, once for each time, whether the clock has jumped back.
func (c *clock) backward() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.back
	c.back = false
	return was
}

// Now is the time by the database's clock, without asking it: as of the last answer, and
// what has passed since. Before there was one it is the machine's.
func (db *DB) Now() time.Time {
	if db.engine.clock() == "" || db.wall != nil { // asking costs nothing
		_, _ = db.micros(context.Background(), nil) // it cannot fail
	}
	return db.clock.now().UTC()
}

// micros asks for the time that all processes agree on, in Unix microseconds.
func (db *DB) micros(ctx context.Context, q querier) (n int64, err error) {
	asked := time.Now()
	switch text := db.engine.clock(); {
	case db.wall != nil:
		n = db.wall().UnixMicro()
	case text == "":
		n = asked.UnixMicro()
	default:
		if err := first(ctx, q, text, nil, &n); err != nil {
			return 0, err
		}
	}
	db.clock.learn(asked, time.Now(), time.UnixMicro(n))
	return n, nil
}

// time is micros as a time.
func (db *DB) time(ctx context.Context, q querier) (time.Time, error) {
	n, err := db.micros(ctx, q)
	return time.UnixMicro(n).UTC(), err
}

// moment is micros outside of a transaction.
func (db *DB) moment(ctx context.Context) (int64, error) { return db.micros(ctx, db) }

// mend brings moments near that lie where nobody can have set them in earnest: the clock
// was ahead, and somebody has set it right. Without it whoever died then would not be
// missed, and whoever waited would wait, until the clock is there again.
func (db *DB) mend(ctx context.Context, t *tx) error {
	at, err := db.micros(ctx, t)
	if err != nil {
		return err
	}
	ms := at / 1000
	after := func(d time.Duration) int64 { return ms + d.Milliseconds() }
	for _, x := range []struct {
		text string
		args []any
	}{
		// Workers that live have ended by then.
		{"UPDATE deliveries SET not_before = $1 WHERE state = 'sending' AND not_before > $2", []any{after(leaseMost), after(leaseMost + 30*time.Second)}},
		{"UPDATE deliveries SET not_before = $1 WHERE state IN ('pending', 'unsure') AND not_before > $2", []any{ms, after(farAway)}},
		{"UPDATE amendments SET not_before = $1 WHERE state IN ('waiting', 'editing') AND not_before > $2", []any{ms, after(farAway)}},
		{"UPDATE publications SET not_before = $1 WHERE state IN ('waiting', 'publishing') AND not_before > $2", []any{ms, after(farAway)}},
		{"UPDATE publications SET at = $1 WHERE at > $1", []any{ms}},
		{"UPDATE subscriptions SET taken = 0 WHERE taken > $1", []any{after(2 * time.Hour)}},
		{"UPDATE health SET taken = 0 WHERE taken > $1", []any{after(2 * time.Hour)}},
		{"UPDATE gates SET holder = '', lease_until = 0 WHERE lease_until > $1", []any{after(10 * time.Minute)}},
		{"UPDATE gates SET next_at = $1 WHERE next_at > $2", []any{ms, after(10 * time.Minute)}},
		// Slots are reserved for seconds; a platform may ask for hours.
		{"UPDATE paces SET next_at = $1 WHERE next_at > $2", []any{at, at + micros(time.Minute)}},
		{"UPDATE paces SET held_until = $1 WHERE held_until > $2", []any{at, at + micros(farAway)}},
	} {
		if _, err := t.exec(ctx, x.text, x.args...); err != nil {
			return err
		}
	}
	return nil
}

// stale reports whether anything is to be mended: a look costs less than a transaction.
func (db *DB) stale(ctx context.Context) (yes bool, err error) {
	at, err := db.moment(ctx)
	if err != nil {
		return false, err
	}
	ms := at / 1000
	var n int
	err = first(ctx, db, `SELECT (SELECT COUNT(*) FROM deliveries WHERE state = 'sending' AND not_before > $1)
		+ (SELECT COUNT(*) FROM paces WHERE next_at > $2 OR held_until > $3) + (SELECT COUNT(*) FROM gates WHERE lease_until > $4 OR next_at > $4)`,
		[]any{ms + (leaseMost + 30*time.Second).Milliseconds(), at + micros(time.Minute), at + micros(farAway), ms + (10 * time.Minute).Milliseconds()}, &n)
	return n > 0, err
}
