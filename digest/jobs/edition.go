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
//
// Subscriptions that ask the same of the same period are told the same: their digest
// is composed once, and rendered once for each platform.
type Editions struct {
	Ledger Ledger
	// Apart says by what a digest for sub differs from one for others of the same query
	// and zone: "" if by nothing. nil: none does.
	Apart func(ctx context.Context, sub digest.Subscription) (string, error)
	// Compose words the digest of sub's query over period. Of sub it may use the query,
	// the zone, and what sets it apart, which all that share the digest have in common.
	Compose func(ctx context.Context, sub digest.Subscription, period digest.Period, missed int) (digest.Digest, error)
	// Render makes the messages of a digest, as the subscription's platform wants them.
	// Of sub it may use the platform, and whether it is one person's. For the digest's
	// id, which each subscription's has its own, stands [digest.ThisDigest].
	Render func(sub digest.Subscription, d digest.Digest) ([]digest.Part, error)
	// Passes reports whether an error is of storage, which will be well again: then a
	// digest stays due, and nothing is noted about it. May be nil.
	Passes func(error) bool
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
	return e.Some(ctx, subs, now)
}

// Some is [Editions.Run] for subscriptions that are known to be due.
func (e *Editions) Some(ctx context.Context, subs []digest.Subscription, now time.Time) (int, error) {
	done := 0
	var faults []error
	fault := func(sub digest.Subscription, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("digest of subscription %s: %w", sub.ID, err))
		}
	}
	// Those that share a digest, in the order in which the first of each is due.
	var order []edition
	sharing := map[edition][]owed{}
	for _, sub := range subs {
		ed, o, err := e.owes(ctx, sub, now)
		if fault(sub, err); o.sub.ID == "" {
			continue
		}
		if sharing[ed] == nil {
			order = append(order, ed)
		}
		sharing[ed] = append(sharing[ed], o)
	}
	for _, ed := range order {
		said := shared{}
		for _, o := range sharing[ed] {
			if ctx.Err() != nil {
				return done, errors.Join(append(faults, ctx.Err())...)
			}
			ok, err := e.one(ctx, o, &said, now)
			if ok {
				done++
			}
			fault(o.sub, err)
		}
	}
	return done, errors.Join(faults...)
}

// An edition is what subscriptions that share a digest have in common.
type edition struct {
	query, zone, apart string
	from, to           int64 // of the period
	missed             int
}

// An owed is a subscription with the period it is owed and the time after it.
type owed struct {
	sub    digest.Subscription
	period digest.Period
	missed int
	next   time.Time
}

// A shared is an edition as far as it is made.
type shared struct {
	made   bool
	digest digest.Digest
	err    error
	parts  map[idiom][]digest.Part
	faults map[idiom]error // of rendering
}

// An idiom is how messages are made.
type idiom struct {
	platform string
	direct   bool
}

// owes says what a subscription is owed. Its id is empty if that is nothing, or if it
// cannot be said, which is noted.
func (e *Editions) owes(ctx context.Context, sub digest.Subscription, now time.Time) (edition, owed, error) {
	cadence, err := ParseCadence(sub.Cadence, sub.Zone)
	if err != nil {
		return edition{}, owed{}, e.later(ctx, sub, now, "its cadence cannot be read: "+err.Error(), err)
	}
	period, _ := Owed(sub, cadence, now)
	next := cadence.Next(now)
	if period.To.IsZero() {
		// Due times were moved past the cursor by a change of cadence or zone.
		return edition{}, owed{}, e.Ledger.Postpone(ctx, sub.ID, next, sub.LastResult)
	}
	missed := late(sub, cadence, period)
	apart := ""
	if e.Apart != nil {
		if apart, err = e.Apart(ctx, sub); err != nil {
			return edition{}, owed{}, err
		}
	}
	return edition{sub.Query, sub.Zone, apart, period.From.UnixNano(), period.To.UnixNano(), missed}, owed{sub, period, missed, next}, nil
}

// later notes why a subscription cannot be served: it is tried again later, or it would
// be due at every ring; and its owner can read why.
func (e *Editions) later(ctx context.Context, sub digest.Subscription, now time.Time, why string, err error) error {
	return errors.Join(err, e.Ledger.Postpone(ctx, sub.ID, now.Add(blindRetry), why))
}

func (e *Editions) one(ctx context.Context, o owed, said *shared, now time.Time) (bool, error) {
	if !said.made {
		said.digest, said.err = e.compose(ctx, o)
		if ctx.Err() != nil {
			return false, ctx.Err() // not the digest's fault
		}
		said.made, said.parts, said.faults = true, map[idiom][]digest.Part{}, map[idiom]error{}
	}
	if said.err != nil && e.Passes != nil && e.Passes(said.err) {
		return false, said.err
	}
	if said.err != nil {
		return false, e.later(ctx, o.sub, now, "could not be composed: "+said.err.Error(), said.err)
	}
	d := said.digest
	if d.Small.Looked == 0 && len(d.Sections) == 0 {
		return false, e.later(ctx, o.sub, now, "no source could be read; trying again", nil)
	}
	in := idiom{o.sub.Destination.Platform, o.sub.Destination.Direct}
	if _, ok := said.parts[in]; !ok && said.faults[in] == nil {
		parts, err := e.render(o.sub, d)
		if err != nil {
			said.faults[in] = err
		} else {
			said.parts[in] = parts
		}
	}
	if err := said.faults[in]; err != nil {
		return false, e.later(ctx, o.sub, now, "could not be rendered: "+err.Error(), err)
	}
	parts := digest.Named(said.parts[in], digest.NewDigestID(o.sub.ID, d.Period.To))
	_, err := e.Ledger.SaveDigest(ctx, o.sub, d, o.next, parts...)
	if errors.Is(err, digest.ErrSaid) {
		return false, nil
	}
	return err == nil, err
}

// compose and render are what others do for us. Who panics over one digest must not
// keep the others.
func (e *Editions) compose(ctx context.Context, o owed) (d digest.Digest, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("composing panicked: %v", r)
		}
	}()
	return e.Compose(ctx, o.sub, o.period, o.missed)
}

func (e *Editions) render(sub digest.Subscription, d digest.Digest) (parts []digest.Part, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rendering panicked: %v", r)
		}
	}()
	return e.Render(sub, d)
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

// late returns how many digests are in one, itself included: how many times of the
// period one was due. Before the subscription was there none was, however far back its
// first period goes; nor before the time that it is said to be due at, which a change of
// its cadence sets anew. One that was put off says no such time.
func late(sub digest.Subscription, c Cadence, p digest.Period) int {
	after := sub.Cursor
	if sub.Created.After(after) {
		after = sub.Created
	}
	if before := sub.Next.Add(-time.Second); before.After(after) && c.Next(before).Equal(sub.Next) {
		after = before
	}
	n := 0
	for at := c.Next(after); !at.IsZero() && !at.After(p.To); at = c.Next(at) {
		n++
	}
	return max(n, 1)
}
