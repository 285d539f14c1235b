package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"seedcorn/digest"
)

// An Outbox is what delivering needs of storage.
type Outbox interface {
	// Claim takes up to limit deliveries that may go out at now, one to a destination:
	// pending and unsure ones whose time has come and whose earlier parts are sent, and
	// those in sending whose worker has been silent since stale; these come as unsure.
	// A claimed one is in sending, with a new attempt.
	Claim(ctx context.Context, now, stale time.Time, limit int) ([]digest.Delivery, error)
	// Again notes, before the fact, that an attempt posts a delivery that may stand
	// there already. ok is false if the delivery has been claimed again since.
	Again(ctx context.Context, id digest.DeliveryID, attempt int) (ok bool, err error)
	// Settle stores the outcome of an attempt. It is ignored, and no error, if the
	// delivery has been claimed again since.
	Settle(ctx context.Context, id digest.DeliveryID, attempt int, o digest.Outcome) error
	// Silence pauses the subscription of a delivery that was refused for ever.
	Silence(ctx context.Context, id digest.SubscriptionID, because string) error
}

// A Courier posts to a platform.
type Courier interface {
	// Post posts a delivery. The error is a *[PostError].
	Post(ctx context.Context, d digest.Delivery) (receipt string, err error)
	// Find looks for a delivery that was perhaps posted since Begun. An error that is
	// [ErrCannotLook] means that the platform does not let us.
	Find(ctx context.Context, d digest.Delivery) (receipt string, found bool, err error)
}

// ErrCannotLook is returned by a [Courier] whose platform does not let us read back.
var ErrCannotLook = errors.New("the platform does not let us read back")

// A PostError is a failed post: State is what the delivery is now.
type PostError struct {
	State digest.DeliveryState // Pending, Unsure or Dead
	After time.Duration        // of Pending: what the platform asked for; 0 if it did not
	Say   string               // for the subscription's owner
	Err   error
}

func (e *PostError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("posting: %v", e.Err)
	}
	return "posting: " + e.Say
}

func (e *PostError) Unwrap() error { return e.Err }

// Deliveries posts what is in the outbox, each message once.
//
// The truth is the delivery's row, fenced by attempt: a claim is written before
// anything is posted, so a process that dies leaves a delivery in sending, which
// another finds stale and treats as unsure. An unsure one is looked for before it is
// posted again; where the platform cannot be asked it is posted once more, marked,
// and that is written down first: a process that dies over it leaves no third one.
type Deliveries struct {
	Outbox   Outbox
	Couriers map[string]Courier // by platform
	Lanes    int                // posts at a time; 0 means 8
	Now      func() time.Time
	Note     func(d digest.Delivery, o digest.Outcome) // may be nil
}

const (
	// attemptTime bounds an attempt, whatever a platform does.
	attemptTime = 90 * time.Second
	// staleAfter is how long a claimed delivery may be silent before its worker counts
	// as dead: longer than any attempt.
	staleAfter = 2 * time.Minute
	// maxAttempts bounds retries: with the waits below they span about three days.
	maxAttempts = 40
	maxWait     = 2 * time.Hour
	// patience is for how many attempts a platform's own word for the wait is enough.
	// One that still says "in a second" afterwards is not believed: forty such seconds
	// must not be the end of a digest.
	patience = 8
)

// Run posts everything that is due and returns how many were sent. The error is of
// storage, or ctx's.
func (p *Deliveries) Run(ctx context.Context) (sent int, err error) {
	lanes := p.Lanes
	if lanes <= 0 {
		lanes = 8
	}
	for ctx.Err() == nil {
		now := p.Now()
		batch, err := p.Outbox.Claim(ctx, now, now.Add(-staleAfter), lanes)
		if err != nil {
			return sent, fmt.Errorf("claiming deliveries: %w", err)
		}
		if len(batch) == 0 {
			return sent, nil
		}
		var wg sync.WaitGroup
		outcomes := make([]digest.Outcome, len(batch))
		faults := make([]error, len(batch))
		for i, d := range batch {
			wg.Go(func() { outcomes[i], faults[i] = p.one(ctx, d) })
		}
		wg.Wait()
		for _, o := range outcomes {
			if o.State == digest.Sent {
				sent++
			}
		}
		if err := errors.Join(faults...); err != nil {
			return sent, err
		}
	}
	return sent, ctx.Err()
}

func (p *Deliveries) one(ctx context.Context, d digest.Delivery) (digest.Outcome, error) {
	within, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	o, err := p.attempt(within, &d)
	if err != nil {
		return o, err // the row stays in sending until it is stale
	}
	if ctx.Err() != nil && o.State != digest.Sent {
		// Interrupted: whether it was posted is for the next process to find out.
		o = digest.Outcome{State: digest.Unsure, NotBefore: p.Now(), Words: "interrupted"}
	}
	o.Resent = d.Resent
	// What happened must be written down even if we are being stopped.
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := p.Outbox.Settle(settle, d.ID, d.Attempt, o); err != nil {
		return o, fmt.Errorf("settling delivery %s: %w", d.ID, err)
	}
	if o.State == digest.Dead {
		if err := p.Outbox.Silence(settle, d.Subscription, o.Words); err != nil {
			return o, fmt.Errorf("pausing subscription %s: %w", d.Subscription, err)
		}
	}
	if p.Note != nil {
		p.Note(d, o)
	}
	return o, nil
}

// attempt looks for an unsure delivery, posts a pending one, and says what became
// of it. It marks d where it posts again. The error is of storage.
func (p *Deliveries) attempt(ctx context.Context, d *digest.Delivery) (o digest.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			// How far it got nobody knows.
			o, err = p.later(*d, digest.Unsure, 0, fmt.Sprintf("posting panicked: %v", r)), nil
		}
	}()
	c := p.Couriers[d.To.Platform]
	if c == nil {
		return digest.Outcome{State: d.State, NotBefore: p.Now().Add(maxWait), Words: fmt.Sprintf("no platform %q is configured", d.To.Platform)}, nil
	}
	if d.State == digest.Unsure {
		receipt, found, err := c.Find(ctx, *d)
		switch {
		case errors.Is(err, ErrCannotLook) && d.Resent:
			return digest.Outcome{State: digest.Sent, Words: "posted twice at most; the platform cannot be asked"}, nil
		case errors.Is(err, ErrCannotLook):
			ok, err := p.Outbox.Again(ctx, d.ID, d.Attempt)
			if err != nil {
				return digest.Outcome{}, fmt.Errorf("noting that delivery %s is posted again: %w", d.ID, err)
			}
			if !ok {
				return digest.Outcome{State: digest.Unsure, Words: "another process has it"}, nil // settling it changes nothing
			}
			d.Resent = true
		case err != nil:
			return p.later(*d, digest.Unsure, 0, "looking for it failed: "+err.Error()), nil
		case found:
			return digest.Outcome{State: digest.Sent, Receipt: receipt, Words: "found"}, nil
		}
	}
	if d.Resent {
		*d = d.MarkResent()
	}
	receipt, err := c.Post(ctx, *d)
	if err == nil {
		return digest.Outcome{State: digest.Sent, Receipt: receipt, Words: "sent"}, nil
	}
	var e *PostError
	if !errors.As(err, &e) {
		e = &PostError{State: digest.Unsure, Say: err.Error()}
	}
	return p.later(*d, e.State, e.After, e.Say), nil
}

// later is the outcome of an attempt that is to be made again, or that was the last.
// What is neither certainly not posted nor refused for ever is unsure.
func (p *Deliveries) later(d digest.Delivery, state digest.DeliveryState, after time.Duration, words string) digest.Outcome {
	if state == digest.Dead || d.Attempt >= maxAttempts {
		return digest.Outcome{State: digest.Dead, Words: words}
	}
	if state != digest.Pending {
		state = digest.Unsure
	}
	wait := after
	if wait <= 0 || d.Attempt > patience {
		wait = max(wait, min(maxWait, 2*time.Second<<min(d.Attempt, 12)))
	}
	return digest.Outcome{State: state, NotBefore: p.Now().Add(wait), Words: words}
}
