package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"seedcorn/digest"
)

// PutTopic stores a named query, or replaces it.
func (db *DB) PutTopic(ctx context.Context, topic digest.Topic) error {
	return db.update(ctx, "storing topic "+topic.Name, func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO topics (name, query, about) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET query = excluded.query, about = excluded.about`, clean(topic.Name), clean(topic.Query), clean(topic.About))
		return err
	})
}

// Topic returns a topic by its name, or [ErrNotFound].
func (db *DB) Topic(ctx context.Context, name string) (digest.Topic, error) {
	t := digest.Topic{Name: name}
	if err := first(ctx, db, "SELECT query, about FROM topics WHERE name = $1", []any{clean(name)}, &t.Query, &t.About); err != nil {
		return digest.Topic{}, fmt.Errorf("topic %q: %w", name, explain(err))
	}
	return t, nil
}

// Topics returns all topics by name.
func (db *DB) Topics(ctx context.Context) (out []digest.Topic, err error) {
	err = each(ctx, db, "SELECT name, query, about FROM topics ORDER BY name", nil, func(r *sql.Rows) error {
		var t digest.Topic
		err := r.Scan(&t.Name, &t.Query, &t.About)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading topics: %w", explain(err))
	}
	return out, nil
}

// DeleteTopic removes a topic, or returns [ErrNotFound].
func (db *DB) DeleteTopic(ctx context.Context, name string) error {
	return db.one(ctx, "removing topic "+name, "DELETE FROM topics WHERE name = $1", name)
}

// PutSubscription stores a subscription, or replaces all of it.
func (db *DB) PutSubscription(ctx context.Context, s digest.Subscription) error {
	return db.putSubscription(ctx, s, "excluded.period_from", "excluded.next_due")
}

// ChangeSubscription is [DB.PutSubscription] for what somebody has read, and changed.
// A digest may have been composed since: the cursor never goes back, and the due time
// with it, so that no period is told twice.
func (db *DB) ChangeSubscription(ctx context.Context, s digest.Subscription) error {
	const moved = "CASE WHEN subscriptions.period_from > excluded.period_from THEN subscriptions."
	return db.putSubscription(ctx, s, moved+"period_from ELSE excluded.period_from END", moved+"next_due ELSE excluded.next_due END")
}

func (db *DB) putSubscription(ctx context.Context, s digest.Subscription, from, due string) error {
	return db.update(ctx, "storing subscription "+string(s.ID), func(t *tx) error {
		to, err := encode(s.Destination)
		if err != nil {
			return err
		}
		asked := ""
		if s.Asked != (digest.Destination{}) {
			if asked, err = encode(s.Asked); err != nil {
				return err
			}
		}
		_, err = t.exec(ctx, `INSERT INTO subscriptions (id, destination, query, cadence, zone, owner, created, period_from, next_due, paused_until, last_result, asked, publish, owner_name)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
			ON CONFLICT (id) DO UPDATE SET destination = excluded.destination, query = excluded.query, cadence = excluded.cadence, zone = excluded.zone,
				owner = excluded.owner, created = excluded.created, period_from = `+from+`, next_due = `+due+`,
				paused_until = excluded.paused_until, last_result = excluded.last_result, asked = excluded.asked, publish = excluded.publish, owner_name = excluded.owner_name, taken = 0`,
			string(s.ID), to, clean(s.Query), clean(s.Cadence), clean(s.Zone), clean(s.Owner), millis(s.Created),
			millis(s.Cursor), millis(s.Next), millis(s.PausedUntil), clean(s.LastResult), asked, bit(s.Publish), clean(s.OwnerName))
		return err
	})
}

// Subscriptions returns all subscriptions by id.
func (db *DB) Subscriptions(ctx context.Context) ([]digest.Subscription, error) {
	return db.subscriptions(ctx, "reading subscriptions", "ORDER BY id")
}

// Subscription returns one subscription, or [ErrNotFound].
func (db *DB) Subscription(ctx context.Context, id digest.SubscriptionID) (digest.Subscription, error) {
	found, err := db.subscriptions(ctx, "reading a subscription", "WHERE id = $1", string(id))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("subscription %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return digest.Subscription{}, err
	}
	return found[0], nil
}

// DueSubscriptions returns the subscriptions whose next digest is due at now and
// which are not paused, longest overdue first.
func (db *DB) DueSubscriptions(ctx context.Context, now time.Time) ([]digest.Subscription, error) {
	return db.subscriptions(ctx, "reading due subscriptions", "WHERE next_due <= $1 AND paused_until <= $1 ORDER BY next_due, id", millis(now))
}

const subscriptionColumns = "id, destination, query, cadence, zone, owner, created, period_from, next_due, paused_until, last_result, asked, publish, owner_name"

func scanSubscription(r *sql.Rows) (s digest.Subscription, err error) {
	var to, asked string
	var created, from, next, paused int64
	var publish int
	if err := r.Scan(&s.ID, &to, &s.Query, &s.Cadence, &s.Zone, &s.Owner, &created, &from, &next, &paused, &s.LastResult, &asked, &publish, &s.OwnerName); err != nil {
		return s, err
	}
	s.Created, s.Cursor, s.Next, s.PausedUntil = fromMillis(created), fromMillis(from), fromMillis(next), fromMillis(paused)
	s.Publish = publish == 1
	if err := json.Unmarshal([]byte(to), &s.Destination); err != nil {
		return s, fmt.Errorf("destination of subscription %s: %w", s.ID, err)
	}
	if asked != "" {
		if err := json.Unmarshal([]byte(asked), &s.Asked); err != nil {
			return s, fmt.Errorf("where subscription %s was asked for: %w", s.ID, err)
		}
	}
	return s, nil
}

// subscriptionsIn reads those subscriptions of ids that are due at now, in no order.
func subscriptionsIn(ctx context.Context, q querier, ids []string, now time.Time) (out []digest.Subscription, err error) {
	err = eachIn(ctx, q, "SELECT "+subscriptionColumns+" FROM subscriptions WHERE id IN (?)", ids, func(r *sql.Rows) error {
		s, err := scanSubscription(r)
		if !s.Next.After(now) && !s.PausedUntil.After(now) {
			out = append(out, s)
		}
		return err
	})
	return out, err
}

func (db *DB) subscriptions(ctx context.Context, doing, which string, args ...any) (out []digest.Subscription, err error) {
	err = each(ctx, db, "SELECT "+subscriptionColumns+" FROM subscriptions "+which, args, func(r *sql.Rows) error {
		s, err := scanSubscription(r)
		out = append(out, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	return out, nil
}

// DeleteSubscription ends a subscription, or returns [ErrNotFound]. Its digests stay.
func (db *DB) DeleteSubscription(ctx context.Context, id digest.SubscriptionID) error {
	return db.one(ctx, "ending subscription "+string(id), "DELETE FROM subscriptions WHERE id = $1", string(id))
}

// Postpone sets when a subscription is due next and what came of the last attempt,
// and leaves its cursor: the period is still owed. [ErrNotFound] if it has ended.
func (db *DB) Postpone(ctx context.Context, id digest.SubscriptionID, next time.Time, result string) error {
	return db.one(ctx, "postponing subscription "+string(id), "UPDATE subscriptions SET next_due = $2, last_result = $3, taken = 0 WHERE id = $1", string(id), millis(next), clean(result))
}

// SaveDigest stores a composed digest, moves the subscription's cursor to the end of
// its period and its due time to next: all of it or nothing. sub is the subscription
// as it was when the digest was composed. If its cursor has moved since, or the
// period was stored before, [digest.ErrSaid] is in the error's chain;
// [ErrNotFound] if the subscription has ended.
//
// The parts, if any, become deliveries in the same transaction: what is decided is on
// its way.
func (db *DB) SaveDigest(ctx context.Context, sub digest.Subscription, d digest.Digest, next time.Time, parts ...digest.Part) (digest.DigestID, error) {
	id := digest.NewDigestID(sub.ID, d.Period.To)
	err := db.decide(ctx, "storing a digest of subscription "+string(sub.ID), func(t *tx) error {
		var cursor int64
		if err := first(ctx, t, "SELECT period_from FROM subscriptions WHERE id = $1", []any{string(sub.ID)}, &cursor); err != nil {
			return err
		}
		result := strconv.Itoa(d.Numbers.Works) + " works"
		r, err := t.exec(ctx, "UPDATE subscriptions SET period_from = $3, next_due = $4, last_result = $5, taken = 0 WHERE id = $1 AND period_from = $2",
			string(sub.ID), millis(sub.Cursor), millis(d.Period.To), millis(next), result)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return firstError(err, digest.ErrSaid)
		}
		if ok, err := db.addDigest(ctx, t, id, sub.ID, d); err != nil || !ok {
			return firstError(err, digest.ErrSaid)
		}
		if err := addOvertaken(ctx, t, id, d); err != nil {
			return err
		}
		if err := db.addDeliveries(ctx, t, id, sub, parts); err != nil || len(parts) == 0 {
			return err
		}
		return db.tell(ctx, t, sub.Destination)
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// A StoredDigest is a digest with what it was made for. It reads as it should now:
// what was found out since is laid over what was said.
type StoredDigest struct {
	ID           digest.DigestID
	Subscription digest.SubscriptionID
	digest.Digest
}

// Digests returns the latest digests of a subscription, newest first; of all
// subscriptions if sub is "". limit is 1 to 1000, 0 means 20.
func (db *DB) Digests(ctx context.Context, sub digest.SubscriptionID, limit int) ([]StoredDigest, error) {
	if limit <= 0 {
		limit = 20
	}
	return db.digests(ctx, "reading digests", "WHERE $1 = '' OR d.subscription = $1 ORDER BY d.period_to DESC, d.id LIMIT $2", string(sub), min(limit, 1000))
}

// Digest returns one digest, or [ErrNotFound].
func (db *DB) Digest(ctx context.Context, id digest.DigestID) (StoredDigest, error) {
	found, err := db.digests(ctx, "reading a digest", "WHERE d.id = $1", string(id))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("digest %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return StoredDigest{}, err
	}
	return found[0], nil
}

// An Address is where a digest went.
type Address struct {
	ID digest.DigestID
	To digest.Destination
}

// Addresses returns where the latest digests went, newest first: by their messages,
// which stay when a subscription ends, or by the subscription. Those of which neither
// is left are not among them. limit is 1 to 10,000, 0 means 1,000.
func (db *DB) Addresses(ctx context.Context, limit int) ([]Address, error) {
	if limit <= 0 {
		limit = 1000
	}
	return db.addresses(ctx, "ORDER BY d.period_to DESC, d.id LIMIT $1", min(limit, 10_000))
}

// AddressOf returns where one digest went, or [ErrNotFound] if nothing tells.
func (db *DB) AddressOf(ctx context.Context, id digest.DigestID) (digest.Destination, error) {
	found, err := db.addresses(ctx, "WHERE d.id = $1", string(id))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("address of digest %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return digest.Destination{}, err
	}
	return found[0].To, nil
}

func (db *DB) addresses(ctx context.Context, which string, args ...any) (out []Address, err error) {
	err = each(ctx, db, `SELECT d.id, COALESCE(x.destination, s.destination, '') FROM digests d
		LEFT JOIN deliveries x ON x.digest = d.id AND x.part = 0
		LEFT JOIN subscriptions s ON s.id = d.subscription `+which, args, func(r *sql.Rows) error {
		var a Address
		var to string
		if err := r.Scan(&a.ID, &to); err != nil || to == "" {
			return err
		}
		if err := json.Unmarshal([]byte(to), &a.To); err != nil {
			return fmt.Errorf("destination of digest %s: %w", a.ID, err)
		}
		out = append(out, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading where digests went: %w", explain(err))
	}
	return out, nil
}

func (db *DB) digests(ctx context.Context, doing, which string, args ...any) (out []StoredDigest, err error) {
	err = each(ctx, db, "SELECT d.id, d.subscription, COALESCE(e.body, d.body) FROM digests d LEFT JOIN editions e ON e.id = d.edition "+which, args, func(r *sql.Rows) error {
		var d StoredDigest
		var body []byte
		err := r.Scan(&d.ID, &d.Subscription, &body)
		err = errors.Join(err, json.Unmarshal(body, &d.Digest))
		out = append(out, d)
		return err
	})
	if err == nil {
		err = db.amend(ctx, out)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	return out, nil
}

// Picked returns the works that digests have shown in channels. What was sent to one
// person, and what nobody can say where it went, is not among them.
func (db *DB) Picked(ctx context.Context) (map[digest.WorkID]bool, error) {
	subs, err := db.Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	shared := map[digest.SubscriptionID]bool{}
	for _, s := range subs {
		shared[s.ID] = !s.Destination.Direct
	}
	const doing = "reading the works of digests"
	out := map[digest.WorkID]bool{}
	err = each(ctx, db, "SELECT d.subscription, COALESCE(e.body, d.body) FROM digests d LEFT JOIN editions e ON e.id = d.edition", nil, func(r *sql.Rows) error {
		var sub digest.SubscriptionID
		var body []byte
		if err := r.Scan(&sub, &body); err != nil || !shared[sub] {
			return err
		}
		var d struct {
			Sections []struct {
				Stories []struct {
					Work digest.WorkID `json:"work"`
				} `json:"stories"`
			} `json:"sections"`
		}
		if err := json.Unmarshal(body, &d); err != nil {
			return err
		}
		for _, section := range d.Sections {
			for _, story := range section.Stories {
				out[story.Work] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	// A digest has the ids of its day.
	err = each(ctx, db, "SELECT id, work FROM moved", nil, func(r *sql.Rows) error {
		var was, is digest.WorkID
		err := r.Scan(&was, &is)
		if out[was] {
			out[is] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	return out, nil
}
