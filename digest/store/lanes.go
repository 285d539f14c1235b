package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
)

// Lanes returns the lanes that have a delivery which may go out at now, those whose
// oldest has waited longest first. A lane that is held is none of them. now may be a
// little ahead of the clock.
func (db *DB) Lanes(ctx context.Context, now time.Time) (out []digest.Lane, err error) {
	at, err := db.moment(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding lanes with deliveries: %w", explain(err))
	}
	at += micros(min(10*time.Second, max(0, now.Sub(db.Now())))) // holds are by the database's clock
	err = each(ctx, db, `SELECT platform, workspace FROM deliveries WHERE `+open+db.trusted()+` AND not_before <= $1
		AND NOT EXISTS (SELECT 1 FROM paces WHERE name IN (platform, platform || '/' || workspace) AND held_until > $2)
		GROUP BY platform, workspace ORDER BY MIN(not_before), platform, workspace`, []any{millis(now), at}, func(r *sql.Rows) error {
		var l digest.Lane
		err := r.Scan(&l.Platform, &l.Workspace)
		out = append(out, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("finding lanes with deliveries: %w", explain(err))
	}
	return out, nil
}

// Open returns how many deliveries of a lane may go out at now, counting up to limit,
// and when the next may that may not yet: zero if there is none, or if limit is reached.
// Those to a channel that is being posted to do not count until that is settled.
func (db *DB) Open(ctx context.Context, lane digest.Lane, now time.Time, limit int) (n int, next time.Time, err error) {
	at := millis(now)
	err = each(ctx, db, "SELECT not_before FROM deliveries WHERE platform = $1 AND workspace = $2 AND "+open+db.trusted()+" AND "+free+" ORDER BY not_before LIMIT $3",
		[]any{lane.Platform, lane.Workspace, limit}, func(r *sql.Rows) error {
			var ms int64
			err := r.Scan(&ms)
			switch {
			case ms <= at:
				n++
			case next.IsZero():
				next = fromMillis(ms)
			}
			return err
		})
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("looking into a lane: %w", explain(err))
	}
	return n, next, nil
}

// A pace is a row of paces: moments in microseconds by the database's clock.
type pace struct{ next, held, every int64 }

func micros(d time.Duration) int64 { return d.Microseconds() }

func fromMicros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// wait is how long from at on nothing may go by a rate; not more than 0 if it may.
func (p pace) wait(at int64, r digest.Rate) time.Duration {
	early := micros(r.Every) * int64(max(1, r.Burst)-1)
	return fromMicros(max(p.next-early, p.held) - at)
}

// take reserves n posts, one every so often.
func (p *pace) take(at int64, n int, every time.Duration) {
	p.next = max(p.next, at) + int64(n)*micros(every)
}

// Names of paces. Neither platforms nor workspaces have a slash in their names.
func laneName(l digest.Lane) string                    { return l.Platform + "/" + l.Workspace }
func channelName(l digest.Lane, channel string) string { return laneName(l) + "/" + channel }

// lockPace reads a pace that nobody else can change until t ends.
func lockPace(ctx context.Context, t *tx, name string) (p pace, err error) {
	err = first(ctx, t, `INSERT INTO paces (name, next_at, held_until, every) VALUES ($1, 0, 0, 0)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING next_at, held_until, every`, []any{name}, &p.next, &p.held, &p.every)
	return p, err
}

// readOrLockPace is lockPace where lock is set. Where nothing will be written a row that
// all workspaces have in common is better only read.
func readOrLockPace(ctx context.Context, t *tx, name string, lock bool) (p pace, err error) {
	if lock {
		return lockPace(ctx, t, name)
	}
	err = first(ctx, t, "SELECT next_at, held_until, every FROM paces WHERE name = $1", []any{name}, &p.next, &p.held, &p.every)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return p, err
}

func readPaces(ctx context.Context, q querier, names []string) (map[string]pace, error) {
	out := map[string]pace{}
	err := eachIn(ctx, q, "SELECT name, next_at, held_until, every FROM paces WHERE name IN (?)", names, func(r *sql.Rows) error {
		var name string
		var p pace
		err := r.Scan(&name, &p.next, &p.held, &p.every)
		out[name] = p
		return err
	})
	return out, err
}

func putPaces(ctx context.Context, t *tx, paces map[string]pace) error {
	type named struct {
		name string
		pace
	}
	var rows []named
	for name, p := range paces {
		rows = append(rows, named{name, p})
	}
	return bulk(ctx, t, "INSERT INTO paces (name, next_at, held_until, every) VALUES", "($,$,$,$)",
		" ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, held_until = excluded.held_until, every = excluded.every", rows, func(n named) []any {
			return []any{n.name, n.next, n.held, n.every}
		})
}

// enter locks a lane against others who claim in it, until t ends. It returns the
// moment, and for how long the lane is held.
func (db *DB) enter(ctx context.Context, t *tx, lane digest.Lane) (at int64, held time.Duration, err error) {
	p, err := lockPace(ctx, t, laneName(lane))
	if err != nil {
		return 0, 0, err
	}
	all, err := readOrLockPace(ctx, t, lane.Platform, false)
	if err != nil {
		return 0, 0, err
	}
	at, err = db.micros(ctx, t)
	return at, fromMicros(max(p.held, all.held) - at), err
}

const (
	// slotsAhead is how far ahead a lane may reserve: so much it may lose if it dies.
	slotsAhead = 250 * time.Millisecond
	// slotsFew are reserved at a time where others are waiting. The more, the fewer
	// writes; the fewer, the sooner a lane with one message has its turn.
	slotsFew = 4
	// slotsLead is from now to the first slot that can be had: by then what is to go out
	// in it is claimed.
	slotsLead = 150 * time.Millisecond
	// queueLong is the longest that slots are reserved for; who comes later asks again.
	queueLong = 10 * time.Second
)

// Reserve gives a lane up to n slots, which nobody else on this database has, in the
// order in which lanes ask. Slots that are not used are lost.
func (db *DB) Reserve(ctx context.Context, lane digest.Lane, pace digest.Pace, n int) (digest.Slots, error) {
	out := digest.Slots{At: time.Now()}
	if n <= 0 {
		return out, nil
	}
	err := db.update(ctx, "reserving posts", func(t *tx) error {
		work, err := lockPace(ctx, t, laneName(lane))
		if err != nil {
			return err
		}
		all, err := readOrLockPace(ctx, t, lane.Platform, pace.Platform.Every > 0)
		if err != nil {
			return err
		}
		// After the locks: who has queued for them asks for what comes now.
		at, err := db.micros(ctx, t)
		if err != nil {
			return err
		}
		here := db.clock.ours(at)
		own := pace.Workspace
		if learned := fromMicros(work.every); learned > own.Every {
			own = digest.Rate{Every: learned}
		}
		wait := work.wait(at, own)
		if wait <= 0 {
			wait = fromMicros(all.held - at)
		}
		if wait > 0 {
			out.At = here.Add(wait)
			return nil
		}
		if pace.Platform.Every > 0 {
			all.next = max(all.next, at+micros(slotsLead))
			wait = all.wait(at, pace.Platform)
		}
		wait = max(0, wait)
		if wait > queueLong {
			out.At = here.Add(wait - queueLong/2)
			return nil
		}
		every := max(own.Every, pace.Platform.Every)
		switch {
		case own.Every > 0 && pace.Platform.Every > 0:
			n = 1 // two rates at once: one by one
		case wait >= slotsAhead:
			n = min(n, slotsFew)
		case every > 0:
			n = min(n, max(1, int(slotsAhead/every)))
		}
		if work.every > 0 {
			// A hundredth faster with each post, until the next refusal.
			if work.every -= work.every * int64(n) / 100; work.every < micros(learnedLeast) {
				work.every = 0
			}
		}
		out.N, out.At, out.Every = n, here.Add(wait), every
		if pace.Platform.Every > 0 {
			all.take(at, n, pace.Platform.Every)
			if _, err := t.exec(ctx, "UPDATE paces SET next_at = $2 WHERE name = $1", lane.Platform, all.next); err != nil {
				return err
			}
		}
		if own.Every > 0 {
			work.take(at+micros(wait), n, own.Every)
			if _, err := t.exec(ctx, "UPDATE paces SET next_at = $2, every = $3 WHERE name = $1", laneName(lane), work.next, work.every); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// What a workspace takes in all nobody publishes. A refusal is a sign that it was too
// much: from then on posts are spaced, by a quarter of the wait at first and a quarter
// wider after each further refusal, and the space shrinks with each post.
const (
	learnedLeast = time.Millisecond
	learnedMost  = 10 * time.Second
)

// Hold keeps everybody on this database from posting, within a scope around a
// destination, for as long as the platform has asked. A shorter word does not end a
// longer one. A hold of a workspace slows it down afterwards; refusals of what was under
// way when it began count once.
func (db *DB) Hold(ctx context.Context, to digest.Destination, scope digest.Scope, during time.Duration) error {
	name := ""
	switch scope {
	case digest.ScopeChannel:
		name = channelName(to.Lane(), to.Channel)
	case digest.ScopeWorkspace:
		name = laneName(to.Lane())
	case digest.ScopePlatform:
		name = to.Platform
	default:
		return nil
	}
	return db.update(ctx, "holding posts to "+name, func(t *tx) error {
		p, err := lockPace(ctx, t, name)
		if err != nil {
			return err
		}
		at, err := db.micros(ctx, t)
		if err != nil {
			return err
		}
		if scope == digest.ScopeWorkspace && at >= p.held {
			p.every = min(micros(learnedMost), max(p.every*5/4, micros(during/4)))
		}
		p.held = max(p.held, at+micros(during))
		_, err = t.exec(ctx, "UPDATE paces SET held_until = $2, every = $3 WHERE name = $1", name, p.held, p.every)
		return err
	})
}

// sweep removes what deliveries have left behind: paces that say nothing any more,
// notices to owners whose subscriptions have ended, and notices of long ago.
func (db *DB) sweep(ctx context.Context, now time.Time) error {
	return db.update(ctx, "sweeping up after deliveries", func(t *tx) error {
		at, err := db.micros(ctx, t)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM paces WHERE next_at < $1 AND held_until < $1", at-micros(24*time.Hour)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM notices WHERE NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription)"); err != nil {
			return err
		}
		_, err = t.exec(ctx, "DELETE FROM deliveries WHERE digest IS NULL AND state IN ('sent', 'dead') AND begun < $1", millis(now.Add(-noticesFor)))
		return err
	})
}

// noticesFor is how long the list of deliveries shows what owners were told.
const noticesFor = 90 * 24 * time.Hour

// adopt gives deliveries that an older process wrote their place in a lane: their
// destinations are JSON, which the engines read in different words.
func (db *DB) adopt(ctx context.Context) error {
	to := map[string]string{}
	err := each(ctx, db, "SELECT id, destination FROM deliveries WHERE platform = ''", nil, func(r *sql.Rows) error {
		var id, text string
		err := r.Scan(&id, &text)
		to[id] = text
		return err
	})
	if err != nil || len(to) == 0 {
		return err
	}
	return db.update(ctx, "giving deliveries their lanes", func(t *tx) error {
		for id, text := range to {
			var d digest.Destination
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				return fmt.Errorf("destination of delivery %s: %w", id, err)
			}
			if _, err := t.exec(ctx, "UPDATE deliveries SET platform = $2, workspace = $3, channel = $4 WHERE id = $1", id, d.Platform, d.Workspace, d.Channel); err != nil {
				return err
			}
		}
		return nil
	})
}
