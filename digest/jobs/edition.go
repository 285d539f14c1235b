package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
)

// A Ledger is what composing needs of storage.
type Ledger interface {
	// DueSubscriptions returns the subscriptions whose next digest is due at now and
	// which are not paused.
	DueSubscriptions(ctx context.Context, now time.Time) ([]digest.Subscription, error)
	// SaveDigest stores a composed digest and moves the subscription's cursor to the
	// end of its period and its next due time to next, and puts its parts into the
	// outbox, all in one transaction. A digest of that subscription and period that was
	// stored before is an error in whose chain is [digest.ErrSaid]: somebody else was
	// faster.
	SaveDigest(ctx context.Context, sub digest.Subscription, d digest.Digest, next time.Time, parts ...digest.Part) (digest.DigestID, error)
	// Postpone sets the next due time and the last result and leaves the cursor.
	Postpone(ctx context.Context, id digest.SubscriptionID, next time.Time, result string) error
}

// Editions composes what is due.
//
// What is due is decided from the ledger, never from the bell that rang: a process
// that was down finds the same subscriptions due when it is back. Periods missed
// meanwhile are merged into one digest that says so. A digest with nothing new
// moves the cursor; when no source could be read the cursor stays, and it is tried
// again later.
type Editions struct {
	Ledger Ledger
	// Compose words the digest of sub's query over period.
	Compose func(ctx context.Context, sub digest.Subscription, period digest.Period, missed int) (digest.Digest, error)
	// Render makes the messages of a digest, as the subscription's platform wants them.
	Render func(sub digest.Subscription, d digest.Digest) ([]digest.Part, error)
}

// blindRetry is how long to wait when no source could be read.
const blindRetry = time.Hour

// Run composes every digest that is due at now and puts it into the outbox, and
// returns how many it did. One subscription's failure stops no other; the failures come
// back joined.
func (e *Editions) Run(ctx context.Context, now time.Time) (int, error) {
	subs, err := e.Ledger.DueSubscriptions(ctx, now)
	if err != nil {
		return 0, fmt.Errorf("finding due digests: %w", err)
	}
	done := 0
	var faults []error
	for _, sub := range subs {
		if ctx.Err() != nil {
			return done, errors.Join(append(faults, ctx.Err())...)
		}
		said, err := e.one(ctx, sub, now)
		if said {
			done++
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("digest of subscription %s: %w", sub.ID, err))
		}
	}
	return done, errors.Join(faults...)
}

func (e *Editions) one(ctx context.Context, sub digest.Subscription, now time.Time) (said bool, err error) {
	// A subscription that cannot be served is tried again later, or it would be due at
	// every ring; and its owner can read why.
	later := func(why string, err error) (bool, error) {
		return false, errors.Join(err, e.Ledger.Postpone(ctx, sub.ID, now.Add(blindRetry), why))
	}
	defer func() {
		if r := recover(); r != nil {
			said, err = later("could not be composed", fmt.Errorf("composing panicked: %v", r))
		}
	}()
	cadence, err := ParseCadence(sub.Cadence, sub.Zone)
	if err != nil {
		return later("its cadence cannot be read: "+err.Error(), err)
	}
	period, missed := Owed(sub, cadence, now)
	next := cadence.Next(now)
	if period.To.IsZero() {
		// Due times were moved past the cursor by a change of cadence or zone.
		return false, e.Ledger.Postpone(ctx, sub.ID, next, sub.LastResult)
	}
	d, err := e.Compose(ctx, sub, period, missed)
	if err != nil {
		return later("could not be composed: "+err.Error(), err)
	}
	if d.Small.Looked == 0 && len(d.Sections) == 0 {
		return later("no source could be read; trying again", nil)
	}
	parts, err := e.Render(sub, d)
	if err != nil {
		return later("could not be rendered: "+err.Error(), err)
	}
	_, err = e.Ledger.SaveDigest(ctx, sub, d, next, parts...)
	if errors.Is(err, digest.ErrSaid) {
		return false, nil
	}
	return err == nil, err
}

// Owed returns the period that a subscription is owed at now: from its cursor to
// the last due time that has passed, and how many due times lie in it. The period
// is zero if none has passed since the cursor.
func Owed(sub digest.Subscription, c Cadence, now time.Time) (p digest.Period, dues int) {
	const most = 100_000 // a cadence of every minute, missed for two months
	due := time.Time{}
	for at := c.Next(sub.Cursor); !at.IsZero() && !at.After(now) && dues < most; at = c.Next(at) {
		due = at
		dues++
	}
	if dues == 0 {
		return digest.Period{}, 0
	}
	return digest.Period{From: sub.Cursor.In(c.zone), To: due.In(c.zone)}, dues
}
