package main

import (
	"context"
	"os"
	"time"

	"seedcorn/cmd/seedcorn/internal/kill"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
)

// What follows is for the crash harness (internal/crash) alone: it kills this process
// at named steps of a delivery's life, and makes the time after which a silent worker
// counts as dead so short that it can do so hundreds of times. Neither is for
// operators: with a stale time that is shorter than an attempt, messages double.
const (
	testKill  = foreign + "KILL"  // step:n, see package kill
	testStale = foreign + "STALE" // a duration
)

// A crashing is what the environment asks for; the zero value asks for nothing.
type crashing struct {
	kill  *kill.Switch
	stale time.Duration
}

func newCrashing() (crashing, error) {
	var c crashing
	var err error
	if v := os.Getenv(testStale); v != "" {
		if c.stale, err = time.ParseDuration(v); err != nil {
			return c, usagef("such as 4s", "%s: %v", testStale, err)
		}
	}
	if c.kill, err = kill.New(os.Getenv(testKill)); err != nil {
		return c, usagef("such as posted:1", "%s: %v", testKill, err)
	}
	return c, nil
}

func (c crashing) none() bool { return c.kill == nil && c.stale <= 0 }

func (c crashing) ledger(l jobs.Ledger) jobs.Ledger {
	if c.none() {
		return l
	}
	return deadlyLedger{l, c}
}

func (c crashing) agenda(a jobs.Agenda) jobs.Agenda {
	if c.none() {
		return a
	}
	return deadlyAgenda{a, c}
}

// hurry has a process that was killed missed as soon as a delivery that it held.
func (c crashing) hurry(e *jobs.Engine) {
	if c.stale > 0 {
		e.Beat, e.Missed = c.stale/8, c.stale/2
	}
}

func (c crashing) outbox(o jobs.Outbox) jobs.Outbox {
	if c.none() {
		return o
	}
	return deadlyOutbox{o, c}
}

func (c crashing) courier(k jobs.Courier) jobs.Courier {
	if c.none() {
		return k
	}
	return deadlyCourier{k, c}
}

// A deadlyLedger is a ledger that can be the last thing a process uses.
type deadlyLedger struct {
	jobs.Ledger
	crashing
}

func (l deadlyLedger) SaveDigest(ctx context.Context, sub digest.Subscription, d digest.Digest, next time.Time, parts ...digest.Part) (digest.DigestID, error) {
	l.kill.At("composed")
	done := l.kill.During("saving", 3*time.Millisecond)
	id, err := l.Ledger.SaveDigest(ctx, sub, d, next, parts...)
	done()
	l.kill.At("saved")
	return id, err
}

// A deadlyAgenda is an agenda that can be the last thing a process uses.
type deadlyAgenda struct {
	jobs.Agenda
	crashing
}

func (a deadlyAgenda) DueSubscriptionsAmong(ctx context.Context, ids []digest.SubscriptionID, now time.Time) ([]digest.Subscription, error) {
	subs, err := a.Agenda.DueSubscriptionsAmong(ctx, ids, now)
	if len(subs) > 0 {
		a.kill.At("due")
	}
	return subs, err
}

// A deadlyOutbox is an outbox that can be the last thing a process uses.
type deadlyOutbox struct {
	jobs.Outbox
	crashing
}

func (o deadlyOutbox) Claim(ctx context.Context, lane digest.Lane, rate digest.Rate, now time.Time, lease time.Duration, limit int) ([]digest.Delivery, error) {
	if o.stale > 0 {
		// What is claimed must have its turn within the lease.
		lease, limit = o.stale, min(limit, 4)
	}
	done := o.kill.During("claiming", 3*time.Millisecond)
	batch, err := o.Outbox.Claim(ctx, lane, rate, now, lease, limit)
	done()
	if len(batch) > 0 {
		o.kill.At("claimed")
	}
	return batch, err
}

func (o deadlyOutbox) Again(ctx context.Context, id digest.DeliveryID, attempt int) (bool, error) {
	ok, err := o.Outbox.Again(ctx, id, attempt)
	o.kill.At("resending")
	return ok, err
}

func (o deadlyOutbox) Settle(ctx context.Context, outcomes ...digest.Settlement) error {
	done := o.kill.During("settling", 3*time.Millisecond)
	err := o.Outbox.Settle(ctx, outcomes...)
	done()
	o.kill.At("settled")
	return err
}

// A deadlyCourier is a courier that can be the last thing a process uses. With a
// stale time its calls are so short that an attempt, which looks and posts, stays well within it.
type deadlyCourier struct {
	jobs.Courier
	crashing
}

func (c deadlyCourier) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.stale <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.stale/4)
}

func (c deadlyCourier) Post(ctx context.Context, d digest.Delivery) (string, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	done := c.kill.During("posting", 20*time.Millisecond)
	receipt, err := c.Courier.Post(ctx, d)
	done()
	if err != nil {
		c.kill.At("refused")
	} else {
		c.kill.At("posted")
	}
	return receipt, err
}

func (c deadlyCourier) Find(ctx context.Context, d digest.Delivery) (string, bool, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	done := c.kill.During("looking", 20*time.Millisecond)
	receipt, ok, err := c.Courier.Find(ctx, d)
	done()
	c.kill.At("looked")
	return receipt, ok, err
}
