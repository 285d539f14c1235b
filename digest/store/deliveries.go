package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"seedcorn/digest"
)

const deliveryColumns = "id, digest, subscription, destination, part, payload, summary, state, attempt, not_before, begun, receipt, words, resent"

// addDeliveries writes the parts of a digest as pending deliveries.
func addDeliveries(ctx context.Context, t *tx, id digest.DigestID, sub digest.Subscription, parts []digest.Part) error {
	to, err := encode(sub.Destination)
	if err != nil {
		return err
	}
	for k, p := range parts {
		if _, err := t.exec(ctx, "INSERT INTO deliveries ("+deliveryColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 0, 0, 0, '', '', 0)",
			string(digest.NewDeliveryID(id, k)), string(id), string(sub.ID), to, k, clean(string(p.Payload)), clean(p.Summary)); err != nil {
			return err
		}
	}
	return nil
}

// Claim takes up to limit deliveries that may go out at now, at most one to a
// destination, and begins an attempt of each: pending and unsure ones whose time has
// come, and those whose worker has been silent since stale, which come back as
// unsure. A part waits until the ones before it are sent. Several processes may
// claim at once; each delivery goes to one of them.
//
// While a delivery is in sending, not_before is when it was claimed. begun moves only
// with a claim of a pending one: of an unsure one it stays where the doubt began,
// which is from when on the platform must be searched.
func (db *DB) Claim(ctx context.Context, now, stale time.Time, limit int) ([]digest.Delivery, error) {
	var out []digest.Delivery
	err := db.update(ctx, "claiming deliveries", func(t *tx) error {
		open, err := readDeliveries(ctx, t, `WHERE (state IN ('pending', 'unsure') AND not_before <= $1 OR state = 'sending' AND not_before <= $2)
			AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.digest = deliveries.digest AND e.part < deliveries.part AND e.state <> 'sent')
			ORDER BY not_before, digest, part LIMIT $3`, millis(now), millis(stale), 20*limit)
		if err != nil {
			return err
		}
		taken := map[digest.Destination]bool{}
		for _, d := range open {
			if taken[d.To] || len(out) == limit {
				continue
			}
			r, err := t.exec(ctx, `UPDATE deliveries SET state = 'sending', attempt = attempt + 1, begun = CASE state WHEN 'pending' THEN $3 ELSE begun END, not_before = $3
				WHERE id = $1 AND attempt = $2 AND state IN ('pending', 'unsure', 'sending')`, string(d.ID), d.Attempt, millis(now))
			if err != nil {
				return err
			}
			if n, err := r.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return err
				}
				continue // another process was faster
			}
			if d.Part > 0 {
				if err := first(ctx, t, "SELECT receipt FROM deliveries WHERE digest = $1 AND part = 0", []any{string(d.Digest)}, &d.First); err != nil {
					return err
				}
			}
			switch d.State {
			case digest.Pending:
				d.Begun = now
			case digest.Sending:
				d.State = digest.Unsure
			}
			d.Attempt++
			taken[d.To] = true
			out = append(out, d)
		}
		return nil
	})
	return out, err
}

// Again notes, before the fact, that an attempt posts a delivery that may stand there
// already. ok is false if the delivery has been claimed again since, or is settled.
func (db *DB) Again(ctx context.Context, id digest.DeliveryID, attempt int) (ok bool, err error) {
	err = db.update(ctx, "noting a second post of delivery "+string(id), func(t *tx) error {
		r, err := t.exec(ctx, "UPDATE deliveries SET resent = 1 WHERE id = $1 AND attempt = $2 AND state = 'sending'", string(id), attempt)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		ok = n == 1
		return err
	})
	return ok, err
}

// Settle stores the outcome of an attempt. If the delivery has been claimed again
// since, or is settled, nothing happens. A part that is dead takes the later parts of
// its digest with it: they would stand below nothing.
func (db *DB) Settle(ctx context.Context, id digest.DeliveryID, attempt int, o digest.Outcome) error {
	return db.update(ctx, "settling delivery "+string(id), func(t *tx) error {
		r, err := t.exec(ctx, "UPDATE deliveries SET state = $3, not_before = $4, receipt = $5, words = $6, resent = $7 WHERE id = $1 AND attempt = $2 AND state = 'sending'",
			string(id), attempt, string(o.State), millis(o.NotBefore), clean(o.Receipt), clean(o.Words), bit(o.Resent))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil || n == 0 || o.State != digest.Dead {
			return err
		}
		_, err = t.exec(ctx, `UPDATE deliveries SET state = 'dead', words = $2 WHERE state IN ('pending', 'unsure')
			AND digest = (SELECT digest FROM deliveries WHERE id = $1) AND part > (SELECT part FROM deliveries WHERE id = $1)`, string(id), clean(o.Words))
		return err
	})
}

// Silence pauses a subscription until it is resumed and notes why. One that has
// ended is no error.
func (db *DB) Silence(ctx context.Context, id digest.SubscriptionID, because string) error {
	return db.update(ctx, "pausing subscription "+string(id), func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE subscriptions SET paused_until = $2, last_result = $3 WHERE id = $1", string(id), millis(forever), clean("paused: "+because))
		return err
	})
}

// forever is a pause without an end.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Deliveries returns deliveries of a state, or of all with "", the latest tried first.
// limit is 1 to 1000, 0 means 100.
func (db *DB) Deliveries(ctx context.Context, state digest.DeliveryState, limit int) ([]digest.Delivery, error) {
	if limit <= 0 {
		limit = 100
	}
	out, err := readDeliveries(ctx, db, `WHERE $1 = '' OR state = $1 ORDER BY begun DESC, digest, part LIMIT $2`, string(state), min(limit, 1000))
	if err != nil {
		return nil, fmt.Errorf("reading deliveries: %w", explain(err))
	}
	return out, nil
}

// Delivery returns a delivery, or [ErrNotFound].
func (db *DB) Delivery(ctx context.Context, id digest.DeliveryID) (digest.Delivery, error) {
	out, err := readDeliveries(ctx, db, "WHERE id = $1", string(id))
	if err == nil && len(out) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return digest.Delivery{}, fmt.Errorf("delivery %s: %w", id, explain(err))
	}
	return out[0], nil
}

// Requeue lets a delivery that is not sent go out at once (retry), or makes it dead
// (cancel). A dead one that was tried before comes back as unsure: it may stand there.
// [ErrNotFound] if its state does not allow it.
func (db *DB) Requeue(ctx context.Context, id digest.DeliveryID, retry bool) error {
	if retry {
		return db.one(ctx, "retrying delivery "+string(id), `UPDATE deliveries SET state = CASE WHEN state <> 'dead' THEN state WHEN begun = 0 THEN 'pending' ELSE 'unsure' END,
			not_before = 0, attempt = attempt + 1 WHERE id = $1 AND state IN ('dead', 'unsure', 'pending')`, string(id))
	}
	return db.one(ctx, "canceling delivery "+string(id), "UPDATE deliveries SET state = 'dead', attempt = attempt + 1, words = 'canceled' WHERE id = $1 AND state IN ('pending', 'unsure', 'sending')", string(id))
}

func readDeliveries(ctx context.Context, q querier, where string, args ...any) ([]digest.Delivery, error) {
	var out []digest.Delivery
	err := each(ctx, q, "SELECT "+deliveryColumns+" FROM deliveries "+where, args, func(r *sql.Rows) error {
		var d digest.Delivery
		var to, payload string
		var notBefore, begun int64
		var resent int
		if err := r.Scan(&d.ID, &d.Digest, &d.Subscription, &to, &d.Part, &payload, &d.Summary, &d.State, &d.Attempt, &notBefore, &begun, &d.Receipt, &d.Words, &resent); err != nil {
			return err
		}
		d.Payload, d.NotBefore, d.Begun, d.Resent = []byte(payload), fromMillis(notBefore), fromMillis(begun), resent == 1
		if err := json.Unmarshal([]byte(to), &d.To); err != nil {
			return fmt.Errorf("destination of delivery %s: %w", d.ID, err)
		}
		out = append(out, d)
		return nil
	})
	return out, err
}
