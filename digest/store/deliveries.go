package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/digest"
)

const deliveryColumns = "id, digest, subscription, destination, platform, workspace, channel, part, behind, payload, summary, state, attempt, not_before, begun, receipt, words, resent"

// open are the deliveries that are still to be done and wait for no earlier part: the
// condition of the index deliveries_lane.
const open = "state IN ('pending', 'sending', 'unsure') AND behind = 0"

// free are those of them to whose channel nobody is posting.
const free = `(state = 'sending' OR NOT EXISTS (SELECT 1 FROM deliveries b WHERE b.platform = deliveries.platform
	AND b.workspace = deliveries.workspace AND b.channel = deliveries.channel AND b.state = 'sending'))`

// trusted keeps those that others are working on out of the open ones while a lease that
// has run out proves nothing: see [clock].
func (db *DB) trusted() string {
	if db.clock.steady() {
		return ""
	}
	return " AND state <> 'sending'"
}

// named is what bytes are called that are stored once.
func named(body string) string {
	h := sha256.Sum256([]byte(body))
	return base64.RawURLEncoding.EncodeToString(h[:15])
}

// putPayload stores the bytes of a message, unless they are stored, and returns what
// they are called. Those of a digest's message are stored without its name, which is all
// in which the messages of many digests differ.
func (db *DB) putPayload(ctx context.Context, t *tx, payload []byte, of digest.DigestID) (id string, err error) {
	body := clean(string(payload))
	if of == "" || !strings.Contains(body, string(of)) {
		return keepPayload(ctx, t, body)
	}
	shares, err := db.shares(ctx, t)
	if err != nil {
		return "", err
	}
	if shares {
		body = strings.ReplaceAll(body, string(of), string(digest.ThisDigest))
	}
	return keepPayload(ctx, t, body)
}

// keepPayload stores bytes, unless they are stored.
func keepPayload(ctx context.Context, t *tx, body string) (id string, err error) {
	id = named(body)
	_, err = t.exec(ctx, "INSERT INTO payloads (id, body) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", id, body)
	return id, err
}

// addDeliveries writes the parts of a digest as pending deliveries.
func (db *DB) addDeliveries(ctx context.Context, t *tx, id digest.DigestID, sub digest.Subscription, parts []digest.Part) error {
	for k, p := range parts {
		if err := db.addDelivery(ctx, t, digest.NewDeliveryID(id, k), id, sub.ID, sub.Destination, k, p); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) addDelivery(ctx context.Context, t *tx, id digest.DeliveryID, of digest.DigestID, sub digest.SubscriptionID, to digest.Destination, part int, p digest.Part) error {
	where, err := encode(to)
	if err != nil {
		return err
	}
	named, err := db.putPayload(ctx, t, p.Payload, of)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "INSERT INTO deliveries ("+deliveryColumns+") VALUES ($1, NULLIF($2, ''), $3, $4, $5, $6, $7, $8, $9, $10, $11, 'pending', 0, 0, 0, '', '', 0)",
		string(id), string(of), string(sub), where, to.Platform, to.Workspace, to.Channel, part, bit(part > 0 && of != ""), named, clean(p.Summary))
	return err
}

// Claim takes up to limit deliveries of a lane that may go out at now, at most one to
// a destination, and begins an attempt of each: pending and unsure ones whose time has
// come, and those whose worker has been silent for longer than its lease, which come
// back as unsure. A part waits until the ones before it are sent, a delivery to a
// channel that somebody is posting to until that is settled, and one to a channel that
// is at its rate, or is held, until its turn. While the lane is held there are none.
// Several processes may claim at once; each delivery goes to one of them. A claim
// outlives a loss of power: what may have been posted after it is then looked for.
//
// While a delivery is in sending, not_before is when the lease of its worker ends.
// begun moves only with a claim of a pending one: of an unsure one it stays where the
// doubt began, which is from when on the platform must be searched.
func (db *DB) Claim(ctx context.Context, lane digest.Lane, rate digest.Rate, now time.Time, lease time.Duration, limit int) ([]digest.Delivery, error) {
	var out []digest.Delivery
	err := db.durably(ctx, "claiming deliveries", func(t *tx) error {
		// One who claims in a lane at a time: the same rows are not wanted in two orders,
		// and the rates of channels are read and written by one.
		at, held, err := db.enter(ctx, t, lane)
		if err != nil || held > 0 {
			return err
		}
		type candidate struct {
			id      string
			channel string
			state   digest.DeliveryState
			attempt int
		}
		var found []candidate
		err = each(ctx, t, "SELECT id, channel, state, attempt FROM deliveries WHERE platform = $1 AND workspace = $2 AND not_before <= $3 AND "+open+db.trusted()+" AND "+free+
			" ORDER BY not_before, id LIMIT $4", []any{lane.Platform, lane.Workspace, millis(now), 4 * limit}, func(r *sql.Rows) error {
			var c candidate
			err := r.Scan(&c.id, &c.channel, &c.state, &c.attempt)
			found = append(found, c)
			return err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		channels := make([]string, len(found))
		for i, c := range found {
			channels[i] = channelName(lane, c.channel)
		}
		paces, err := readPaces(ctx, t, channels)
		if err != nil {
			return err
		}
		var ids []string
		old := map[string]candidate{}
		taken := map[string]bool{}
		used := map[string]pace{}
		for i, c := range found {
			p := paces[channels[i]]
			if wait := p.wait(at, rate); wait > 0 {
				// Out of the way until its turn, and the ones behind it until theirs.
				if _, err := t.exec(ctx, "UPDATE deliveries SET not_before = $2 WHERE id = $1 AND attempt = $3 AND state = $4",
					c.id, millis(now.Add(wait+time.Millisecond)), c.attempt, string(c.state)); err != nil {
					return err
				}
				if taken[c.channel] {
					p.next += micros(rate.Every) // in this reckoning only: it reserves nothing
					paces[channels[i]] = p
				}
				continue
			}
			if taken[c.channel] || len(ids) == limit {
				continue
			}
			taken[c.channel] = true
			ids, old[c.id] = append(ids, c.id), c
			if rate.Every > 0 {
				p.take(at, 1, rate.Every)
				paces[channels[i]], used[channels[i]] = p, p
			}
		}
		if len(ids) == 0 {
			return nil
		}
		// The condition again: what was settled or canceled meanwhile is not ours.
		attempts := map[string]int{}
		err = eachAmong(ctx, t, "UPDATE deliveries SET state = 'sending', attempt = attempt + 1, begun = CASE state WHEN 'pending' THEN $ ELSE begun END, not_before = $ WHERE id IN (?) AND "+
			open+db.trusted()+" AND not_before <= $ RETURNING id, attempt", []any{millis(now), millis(now.Add(lease))}, ids, []any{millis(now)}, func(r *sql.Rows) error {
			var id string
			var attempt int
			err := r.Scan(&id, &attempt)
			attempts[id] = attempt
			return err
		})
		if err != nil {
			return err
		}
		claimed := slices.DeleteFunc(ids, func(id string) bool { return attempts[id] == 0 })
		got := map[digest.DeliveryID]digest.Delivery{}
		err = eachIn(ctx, t, deliveryQuery+"WHERE d.id IN (?)", claimed, func(r *sql.Rows) error {
			d, err := scanDelivery(r)
			got[d.ID] = d
			return err
		})
		if err != nil {
			return err
		}
		for _, id := range claimed {
			d, c, attempt := got[digest.DeliveryID(id)], old[id], attempts[id]
			d.NotBefore, d.State = time.Time{}, c.state
			if c.state == digest.Sending || attempt != c.attempt+1 {
				// Its worker is silent, or it was somebody's between the two statements.
				d.State = digest.Unsure
			}
			out = append(out, d)
		}
		return putPaces(ctx, t, used)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Again notes, before the fact, that an attempt posts a delivery that may stand there
// already. ok is false if the delivery has been claimed again since, or is settled.
func (db *DB) Again(ctx context.Context, id digest.DeliveryID, attempt int) (ok bool, err error) {
	err = db.durably(ctx, "noting a second post of delivery "+string(id), func(t *tx) error {
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

// Settle stores outcomes of attempts. One whose delivery has been claimed again since,
// or is settled, changes nothing. A part that is sent lets the next one go. A part that
// is dead takes the later parts of its digest with it, since they would stand below
// nothing, and pauses the subscription, and its owner is to be told: see [DB.Refusals].
func (db *DB) Settle(ctx context.Context, settled ...digest.Settlement) error {
	if len(settled) == 0 {
		return nil
	}
	doing := "settling delivery " + string(settled[0].ID)
	if len(settled) > 1 {
		doing = fmt.Sprintf("settling %d deliveries", len(settled))
	}
	// In one order, or two who settle might wait for one another.
	settled = slices.SortedFunc(slices.Values(settled), func(a, b digest.Settlement) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return db.update(ctx, doing, func(t *tx) error {
		var arrived []string
		for _, s := range settled {
			var sub, of string
			var part int
			err := first(ctx, t, `UPDATE deliveries SET state = $3, not_before = $4, receipt = $5, words = $6, resent = $7
				WHERE id = $1 AND attempt = $2 AND state = 'sending' RETURNING subscription, COALESCE(digest, ''), part`,
				[]any{string(s.ID), s.Attempt, string(s.State), millis(s.NotBefore), clean(s.Receipt), clean(s.Words), bit(s.Resent)}, &sub, &of, &part)
			switch {
			case errors.Is(err, ErrNotFound):
				continue
			case err != nil:
				return err
			case of == "":
				continue // a notice: nothing follows, and nobody is told that it could not be told
			case s.State == digest.Sent:
				if _, err := t.exec(ctx, "UPDATE deliveries SET behind = 0 WHERE digest = $1 AND part = $2", of, part+1); err != nil {
					return err
				}
				arrived = append(arrived, sub)
			case s.State == digest.Dead:
				if err := bury(ctx, t, of, part, s.Words); err != nil {
					return err
				}
				if err := db.silence(ctx, t, digest.SubscriptionID(sub), s.Words); err != nil {
					return err
				}
			}
		}
		return eachIn(ctx, t, "DELETE FROM notices WHERE subscription IN (?)", arrived, func(*sql.Rows) error { return nil })
	})
}

// bury lets the parts after a dead one die.
func bury(ctx context.Context, t *tx, of string, part int, words string) error {
	_, err := t.exec(ctx, "UPDATE deliveries SET state = 'dead', words = $3 WHERE state IN ('pending', 'unsure') AND digest = $1 AND part > $2", of, part, clean(words))
	return err
}

// silence pauses a subscription until it is resumed, notes why, and that its owner is
// to be told, unless that is noted. One that has ended is no error.
func (db *DB) silence(ctx context.Context, t *tx, id digest.SubscriptionID, because string) error {
	because = clean(because)
	r, err := t.exec(ctx, "UPDATE subscriptions SET paused_until = $2, last_result = $3 WHERE id = $1", string(id), millis(forever), "paused: "+because)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = t.exec(ctx, "INSERT INTO notices (subscription, cause, at, told) VALUES ($1, $2, $3, 0) ON CONFLICT (subscription, cause) DO NOTHING",
		string(id), because, millis(db.Now()))
	return err
}

// Refusals returns refusals of which the owners have not been told, oldest first.
func (db *DB) Refusals(ctx context.Context, limit int) ([]digest.Refusal, error) {
	var found []digest.Refusal
	err := each(ctx, db, `SELECT subscription, cause, at FROM notices WHERE told = 0 AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription)
		ORDER BY at, subscription LIMIT $1`, []any{limit}, func(r *sql.Rows) error {
		var f digest.Refusal
		var at int64
		err := r.Scan(&f.Subscription.ID, &f.Because, &at)
		f.At = fromMillis(at)
		found = append(found, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading refusals: %w", explain(err))
	}
	var out []digest.Refusal
	for _, f := range found {
		switch f.Subscription, err = db.Subscription(ctx, f.Subscription.ID); {
		case errors.Is(err, ErrNotFound): // it has just ended
		case err != nil:
			return nil, err
		default:
			out = append(out, f)
		}
	}
	return out, nil
}

// Told notes that the owner of a subscription is told of a refusal, and puts the
// messages into the outbox, in one transaction: whoever comes second does nothing. With
// no messages it notes that the owner cannot be told.
func (db *DB) Told(ctx context.Context, f digest.Refusal, now time.Time, to digest.Destination, parts ...digest.Part) error {
	return db.update(ctx, "telling the owner of subscription "+string(f.Subscription.ID), func(t *tx) error {
		r, err := t.exec(ctx, "UPDATE notices SET told = $3 WHERE subscription = $1 AND cause = $2 AND told = 0", string(f.Subscription.ID), f.Because, millis(now))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		// The same cause may come again after something has arrived: a name of its own.
		name := digest.DigestID(fmt.Sprintf("%s\x00%s\x00%d", f.Subscription.ID, f.Because, millis(f.At)))
		for k, p := range parts {
			if err := db.addDelivery(ctx, t, digest.NewDeliveryID(name, k), "", f.Subscription.ID, to, k, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// forever is a pause without an end.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Deliveries returns deliveries of a state, or of all with "", the latest tried first.
// limit is 1 to 1000, 0 means 100.
func (db *DB) Deliveries(ctx context.Context, state digest.DeliveryState, limit int) ([]digest.Delivery, error) {
	return db.DeliveriesTo(ctx, "", state, limit)
}

// DeliveriesTo is [DB.Deliveries] of one platform, or of all with "".
func (db *DB) DeliveriesTo(ctx context.Context, platform string, state digest.DeliveryState, limit int) ([]digest.Delivery, error) {
	if limit <= 0 {
		limit = 100
	}
	out, err := readDeliveries(ctx, db, `WHERE ($1 = '' OR d.state = $1) AND ($2 = '' OR d.platform = $2) ORDER BY d.begun DESC, d.digest, d.part LIMIT $3`, string(state), platform, min(limit, 1000))
	if err != nil {
		return nil, fmt.Errorf("reading deliveries: %w", explain(err))
	}
	return out, nil
}

// Delivery returns a delivery, or [ErrNotFound].
func (db *DB) Delivery(ctx context.Context, id digest.DeliveryID) (digest.Delivery, error) {
	out, err := readDeliveries(ctx, db, "WHERE d.id = $1", string(id))
	if err == nil && len(out) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return digest.Delivery{}, fmt.Errorf("delivery %s: %w", id, explain(err))
	}
	return out[0], nil
}

// Requeue lets a delivery that is not sent go out at once (retry), or makes it dead, and
// the later parts of its digest with it (cancel). A dead one that was tried before comes
// back as unsure: it may stand there. [ErrNotFound] if its state does not allow it.
func (db *DB) Requeue(ctx context.Context, id digest.DeliveryID, retry bool) error {
	if retry {
		return db.one(ctx, "retrying delivery "+string(id), `UPDATE deliveries SET state = CASE WHEN state <> 'dead' THEN state WHEN begun = 0 THEN 'pending' ELSE 'unsure' END,
			not_before = 0, attempt = attempt + 1 WHERE id = $1 AND state IN ('dead', 'unsure', 'pending')`, string(id))
	}
	return db.update(ctx, "canceling delivery "+string(id), func(t *tx) error {
		var of string
		var part int
		if err := first(ctx, t, `UPDATE deliveries SET state = 'dead', attempt = attempt + 1, words = 'canceled'
			WHERE id = $1 AND state IN ('pending', 'unsure', 'sending') RETURNING COALESCE(digest, ''), part`, []any{string(id)}, &of, &part); err != nil {
			return err
		}
		return bury(ctx, t, of, part, "canceled with part "+strconv.Itoa(part+1))
	})
}

// deliveryQuery reads deliveries, called d, each with its bytes and with the receipt of
// its digest's first part.
const deliveryQuery = `SELECT d.id, COALESCE(d.digest, ''), d.subscription, d.destination, d.part, p.body, d.summary, d.state, d.attempt, d.not_before, d.begun, d.receipt, d.words, d.resent,
	CASE d.part WHEN 0 THEN '' ELSE COALESCE((SELECT f.receipt FROM deliveries f WHERE f.digest = d.digest AND f.part = 0), '') END
	FROM deliveries d JOIN payloads p ON p.id = d.payload `

func scanDelivery(r *sql.Rows) (d digest.Delivery, err error) {
	var to, payload string
	var notBefore, begun int64
	var resent int
	if err := r.Scan(&d.ID, &d.Digest, &d.Subscription, &to, &d.Part, &payload, &d.Summary, &d.State, &d.Attempt, &notBefore, &begun, &d.Receipt, &d.Words, &resent, &d.First); err != nil {
		return d, err
	}
	if d.Digest != "" {
		payload = strings.ReplaceAll(payload, string(digest.ThisDigest), string(d.Digest))
	}
	d.Payload, d.NotBefore, d.Begun, d.Resent = []byte(payload), fromMillis(notBefore), fromMillis(begun), resent == 1
	if err := json.Unmarshal([]byte(to), &d.To); err != nil {
		return d, fmt.Errorf("destination of delivery %s: %w", d.ID, err)
	}
	return d, nil
}

func readDeliveries(ctx context.Context, q querier, where string, args ...any) (out []digest.Delivery, err error) {
	err = each(ctx, q, deliveryQuery+where, args, func(r *sql.Rows) error {
		d, err := scanDelivery(r)
		out = append(out, d)
		return err
	})
	return out, err
}
