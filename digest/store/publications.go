package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"seedcorn/digest"
)

// publishedWithin is how long after it was posted a message is still published for the
// first time. News that is older is not shown anew.
const publishedWithin = 48 * time.Hour

// Announce notes the digests' messages that are to be published: those posted for a
// subscription that asks for it, or to one of the platforms where everything is. It
// returns how many are new.
func (db *DB) Announce(ctx context.Context, now time.Time, platforms ...string) (n int, err error) {
	err = db.update(ctx, "noting what is to be published", func(t *tx) error {
		var subs []digest.SubscriptionID
		err := each(ctx, t, "SELECT id, destination, publish FROM subscriptions", nil, func(r *sql.Rows) error {
			var id digest.SubscriptionID
			var text string
			var publish int
			var to digest.Destination
			if err := r.Scan(&id, &text, &publish); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &to); err != nil {
				return fmt.Errorf("destination of subscription %s: %w", id, err)
			}
			if !to.Direct && (publish == 1 || slices.Contains(platforms, to.Platform)) {
				subs = append(subs, id)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range subs {
			r, err := t.exec(ctx, `INSERT INTO publications (delivery, destination, state, attempt, not_before, at, words)
				SELECT d.id, d.destination, 'waiting', 0, 0, 0, '' FROM deliveries d
				WHERE d.subscription = $1 AND d.begun > $2 AND d.state = 'sent' AND d.receipt <> '' AND d.digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.delivery = d.id)`,
				string(id), millis(now.Add(-publishedWithin)))
			if err != nil {
				return err
			}
			added, err := r.RowsAffected()
			if err != nil {
				return err
			}
			n += int(added)
		}
		return nil
	})
	return n, err
}

// ClaimPublication takes one message that may be published at now, and holds it for
// lease. Where most messages of its destination were published since, its turn is put
// off until the first of them no longer counts; such ones are skipped. ok is false if
// there is none.
func (db *DB) ClaimPublication(ctx context.Context, now time.Time, lease time.Duration, most int, per time.Duration) (p digest.Publication, ok bool, err error) {
	err = db.update(ctx, "claiming a publication", func(t *tx) error {
		ok = false
		for {
			var text string
			err := first(ctx, t, `SELECT p.delivery, p.destination, p.attempt, d.receipt FROM publications p JOIN deliveries d ON d.id = p.delivery
				WHERE p.state IN ('waiting', 'publishing') AND p.not_before <= $1 ORDER BY d.begun, d.part, p.delivery LIMIT 1`, []any{millis(now)}, &p.Delivery, &text, &p.Attempt, &p.Receipt)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			var counted, oldest int64
			if err := first(ctx, t, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM (SELECT at FROM publications WHERE destination = $1 AND at > $2 AND delivery <> $3 ORDER BY at DESC LIMIT $4) AS q`,
				[]any{text, millis(now.Add(-per)), string(p.Delivery), most}, &counted, &oldest); err != nil {
				return err
			}
			if counted >= int64(most) {
				free := fromMillis(oldest).Add(per)
				if _, err := t.exec(ctx, "UPDATE publications SET state = 'waiting', not_before = $2, words = $3 WHERE delivery = $1", string(p.Delivery), millis(free),
					clean(fmt.Sprintf("%d were published within %s; waits for room", most, per))); err != nil {
					return err
				}
				continue
			}
			if err := json.Unmarshal([]byte(text), &p.To); err != nil {
				return fmt.Errorf("destination of publication %s: %w", p.Delivery, err)
			}
			r, err := t.exec(ctx, "UPDATE publications SET state = 'publishing', attempt = attempt + 1, at = $3, not_before = $4 WHERE delivery = $1 AND attempt = $2",
				string(p.Delivery), p.Attempt, millis(now), millis(now.Add(lease)))
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			if n == 0 {
				continue // another process was faster
			}
			p.Attempt++
			ok = true
			return nil
		}
	})
	return p, ok, err
}

// SettlePublication stores what became of an attempt; one that was claimed again since
// changes nothing.
func (db *DB) SettlePublication(ctx context.Context, p digest.Publication) error {
	return db.update(ctx, "settling a publication", func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE publications SET state = $3, not_before = $4, words = $5 WHERE delivery = $1 AND attempt = $2 AND state = 'publishing'",
			string(p.Delivery), p.Attempt, string(p.State), millis(p.NotBefore), clean(p.Words))
		return err
	})
}

// Publications returns what is known of publishing deliveries, by id.
func (db *DB) Publications(ctx context.Context, ids []digest.DeliveryID) (map[digest.DeliveryID]digest.Publication, error) {
	out := map[digest.DeliveryID]digest.Publication{}
	for _, id := range ids {
		p := digest.Publication{Delivery: id}
		var notBefore, at int64
		err := first(ctx, db, "SELECT state, attempt, not_before, at, words FROM publications WHERE delivery = $1", []any{string(id)}, &p.State, &p.Attempt, &notBefore, &at, &p.Words)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading publications: %w", explain(err))
		}
		p.NotBefore, p.At = fromMillis(notBefore), fromMillis(at)
		out[id] = p
	}
	return out, nil
}
