package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"seedcorn/digest"
)

// Errata is what amending needs of storage.
type Errata interface {
	// ClaimAmendments takes up to limit digests that are to be edited at now, and those
	// whose worker has been silent since stale, and begins an attempt of each.
	ClaimAmendments(ctx context.Context, now, stale time.Time, limit int) ([]digest.Amendment, error)
	// Amended returns a digest as it should read now, and its deliveries by part.
	Amended(ctx context.Context, id digest.DigestID) (digest.Digest, []digest.Delivery, error)
	// Reword stores what a delivery says, if it is still as pending, or as sent, as d is.
	Reword(ctx context.Context, d digest.Delivery, p digest.Part) (ok bool, err error)
	// BeginEdit notes that a delivery is about to be edited at now. Of a published message
	// at most most edits are begun in any time of length per: if this were one more,
	// nothing is noted, and free is when it would not be.
	BeginEdit(ctx context.Context, id digest.DeliveryID, now time.Time, most int, per time.Duration) (free time.Time, err error)
	// SettleAmendment stores the outcome of an attempt. It is ignored, and no error, if
	// the digest has been claimed again since.
	SettleAmendment(ctx context.Context, a digest.Amendment, o digest.AmendmentOutcome) error
}

// Turns is what keeping edits apart needs of storage: who edits takes a slot that nobody
// else has, as who posts does, and what a platform refuses for a time is held for all.
type Turns interface {
	Reserve(ctx context.Context, lane digest.Lane, pace digest.Pace, n int) (digest.Slots, error)
	Hold(ctx context.Context, to digest.Destination, scope digest.Scope, during time.Duration) error
}

// A Mender changes messages where they stand.
type Mender interface {
	// Pace is how fast the platform lets us edit, as far as it says so.
	Pace() digest.Pace
	// Edit replaces the message of a sent delivery by d's payload. The error is a
	// *[PostError]: Pending and Unsure may be tried again, Dead never.
	Edit(ctx context.Context, d digest.Delivery) error
	// EditCap is how often a published message may be edited in how long; 0 means as often
	// as one likes.
	EditCap() (most int, per time.Duration)
}

// Amendments edits the messages of digests about which something was found out since.
//
// An edit says the whole message again, so it may be repeated at will and needs no
// looking back: what must never happen is a second message, and there is no call in
// here that could post one. The digest is rendered again with its errata; the parts
// whose bytes differ from what stands are edited. A part that was not sent yet is
// reworded in the outbox before anybody claims it; one that is just being sent is
// waited for. A published message may be edited only so often: one that has been waits
// until it may be again, and what is found out meanwhile goes into the same edit. A
// message that cannot be edited for ever, because it was deleted or the
// platform has no edits, is given up, and the subscription goes on.
type Amendments struct {
	Errata Errata
	Turns  Turns
	// Render makes the messages of a digest, as a destination's platform wants them. For
	// the digest's id stands [digest.ThisDigest].
	Render func(to digest.Destination, d digest.Digest) ([]digest.Part, error)
	// Filler is what a message says that an amended digest has nothing left for.
	Filler  func(to digest.Destination) (digest.Part, error)
	Menders map[string]Mender // by platform; one that cannot edit has none
	Lanes   int               // digests at a time; 0 means 4
	Now     func() time.Time
	Note    func(a digest.Amendment, o digest.AmendmentOutcome) // may be nil
}

const (
	// maxTries bounds retries of an edit: with the waits below they span about a day.
	maxTries = 24
	// sendingWait is for a part that is just being sent.
	sendingWait = time.Minute
	// turnWait is the longest that an attempt waits for its turn; beyond, others may have
	// its place meanwhile.
	turnWait = 30 * time.Second
)

// Run edits everything that is due and returns how many digests were amended. The
// error is of storage, or ctx's.
func (p *Amendments) Run(ctx context.Context) (amended int, err error) {
	lanes := p.Lanes
	if lanes <= 0 {
		lanes = 4
	}
	for ctx.Err() == nil {
		now := p.Now()
		batch, err := p.Errata.ClaimAmendments(ctx, now, now.Add(-amendStale), lanes)
		if err != nil {
			return amended, fmt.Errorf("claiming amendments: %w", err)
		}
		if len(batch) == 0 {
			return amended, nil
		}
		var wg sync.WaitGroup
		outcomes := make([]digest.AmendmentOutcome, len(batch))
		faults := make([]error, len(batch))
		for i, a := range batch {
			wg.Go(func() { outcomes[i], faults[i] = p.one(ctx, a) })
		}
		wg.Wait()
		for _, o := range outcomes {
			if o.State == digest.AmendmentDone {
				amended++
			}
		}
		if err := errors.Join(faults...); err != nil {
			return amended, err
		}
	}
	return amended, ctx.Err()
}

// amendTime bounds an attempt, all parts of a digest together; amendStale is how long
// a claimed one may be silent before its worker counts as dead.
const (
	amendTime  = 4 * time.Minute
	amendStale = 5 * time.Minute
)

func (p *Amendments) one(ctx context.Context, a digest.Amendment) (digest.AmendmentOutcome, error) {
	work, cancel := context.WithTimeout(ctx, amendTime)
	defer cancel()
	o, err := p.attempt(work, a)
	if err != nil {
		o = p.again(a, 0, err.Error())
		o.Doubt = true
	}
	// What was done is written down even if we are being stopped.
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := p.Errata.SettleAmendment(store, a, o); err != nil {
		return o, fmt.Errorf("settling the amendment of digest %s: %w", a.Digest, err)
	}
	if p.Note != nil {
		p.Note(a, o)
	}
	return o, nil
}

// attempt edits every part that says something else than it should.
func (p *Amendments) attempt(ctx context.Context, a digest.Amendment) (o digest.AmendmentOutcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("amending panicked: %v", r)
		}
	}()
	d, stand, err := p.Errata.Amended(ctx, a.Digest)
	if err != nil {
		return o, err
	}
	if len(stand) == 0 {
		return digest.AmendmentOutcome{State: digest.AmendmentDone, Words: "nothing was posted"}, nil
	}
	defer func() { o.Platform = stand[0].To.Platform }()
	parts, err := p.fit(stand[0].To, d, len(stand))
	parts = digest.Named(parts, a.Digest)
	if err != nil || len(parts) == 0 {
		words := "what is to be added does not fit into the messages that stand"
		if err != nil {
			words = err.Error()
		}
		return digest.AmendmentOutcome{State: digest.AmendmentGivenUp, Words: words}, nil
	}
	edited, refused, words := 0, 0, ""
	var free time.Time // when the last of the messages that wait may be edited again
	for i, was := range stand {
		same := string(parts[i].Payload) == string(was.Payload)
		if same && !(a.Doubt && was.State == digest.Sent) {
			continue
		}
		now := was
		now.Payload, now.Summary = parts[i].Payload, parts[i].Summary
		now.First = stand[0].Receipt
		switch was.State {
		case digest.Pending:
			ok, err := p.Errata.Reword(ctx, was, parts[i])
			if err != nil {
				return o, err
			}
			if !ok { // claimed this very moment
				return p.waits(), nil
			}
			edited++
			continue
		case digest.Sending, digest.Unsure:
			return p.waits(), nil
		case digest.Dead:
			continue // never said
		}
		m := p.Menders[was.To.Platform]
		switch {
		case m == nil:
			refused, words = refused+1, "the platform has no edits"
			continue
		case was.Receipt == "":
			refused, words = refused+1, "where the message stands is not known"
			continue
		}
		switch wait, err := p.turn(ctx, was.To, m.Pace()); {
		case err != nil:
			return o, err
		case wait > 0:
			return digest.AmendmentOutcome{State: digest.AmendmentWaiting, NotBefore: p.Now().Add(wait), Words: "others are edited first, as fast as the platform lets us"}, nil
		}
		if most, per := m.EditCap(); most > 0 {
			at, err := p.Errata.BeginEdit(ctx, was.ID, p.Now(), most, per)
			if err != nil {
				return o, err
			}
			if !at.IsZero() {
				if at.After(free) {
					free = at
				}
				words = fmt.Sprintf("published, and edited %d times within %s; waits for room", most, per)
				continue
			}
		}
		if err := m.Edit(ctx, now); err != nil {
			var e *PostError
			if !errors.As(err, &e) {
				e = &PostError{State: digest.Unsure, Say: err.Error()}
			}
			if e.State != digest.Dead {
				if err := p.hold(ctx, was.To, e); err != nil {
					return o, err
				}
				o := p.again(a, e.After, e.Say)
				o.Doubt = e.State == digest.Unsure
				return o, nil
			}
			// Another part may stand where this one was deleted.
			refused, words = refused+1, e.Say
			continue
		}
		edited++
		if _, err := p.Errata.Reword(ctx, was, parts[i]); err != nil {
			return o, err // edited again, to the same text
		}
	}
	switch {
	case !free.IsZero():
		return digest.AmendmentOutcome{State: digest.AmendmentWaiting, NotBefore: free, Words: words}, nil
	case refused > 0 && edited == 0:
		return digest.AmendmentOutcome{State: digest.AmendmentGivenUp, Words: words}, nil
	case refused > 0:
		words = fmt.Sprintf("%d edited, %d could not be: %s", edited, refused, words)
	default:
		words = fmt.Sprintf("%d edited", edited)
	}
	return digest.AmendmentOutcome{State: digest.AmendmentDone, Words: words}, nil
}

// fit renders an amended digest as exactly n messages: as it is if that is what comes
// of it, shortened if it is more, and with a word in those that are left if it is fewer.
// It returns none if it does not fit at all.
func (p *Amendments) fit(to digest.Destination, d digest.Digest, n int) ([]digest.Part, error) {
	for by := range digest.Shortenings + 1 {
		parts, err := p.Render(to, digest.Shorten(d, by))
		if err != nil {
			return nil, fmt.Errorf("rendering it again: %w", err)
		}
		if len(parts) == 0 || len(parts) > n {
			continue
		}
		if len(parts) < n {
			rest, err := p.Filler(to)
			if err != nil {
				return nil, fmt.Errorf("filling what is left: %w", err)
			}
			for len(parts) < n {
				parts = append(parts, rest)
			}
		}
		return parts, nil
	}
	return nil, nil
}

// waits is the outcome while a part is on its way.
func (p *Amendments) waits() digest.AmendmentOutcome {
	return digest.AmendmentOutcome{State: digest.AmendmentWaiting, NotBefore: p.Now().Add(sendingWait), Words: "a part of it is being posted"}
}

// again is the outcome of an attempt that is to be made again, or that was the last.
func (p *Amendments) again(a digest.Amendment, after time.Duration, words string) digest.AmendmentOutcome {
	if a.Tries >= maxTries {
		return digest.AmendmentOutcome{State: digest.AmendmentGivenUp, Words: words}
	}
	wait := max(after, min(maxWait, 15*time.Second<<min(a.Tries, 10)))
	return digest.AmendmentOutcome{State: digest.AmendmentWaiting, NotBefore: p.Now().Add(wait), Words: words, Failed: true}
}

// edits is the destination whose lane has the pace of edits to a destination's workspace:
// platforms count them apart from posts, but for what they count of everybody together.
// No workspace has such a name.
func edits(to digest.Destination) digest.Destination {
	to.Workspace += " edits"
	return to
}

// turn waits until an edit may be made, or says how long that is if it is too long to wait.
func (p *Amendments) turn(ctx context.Context, to digest.Destination, pace digest.Pace) (wait time.Duration, err error) {
	until := time.Now().Add(turnWait)
	for {
		s, err := p.Turns.Reserve(ctx, edits(to).Lane(), pace, 1)
		if err != nil {
			return 0, fmt.Errorf("waiting for a turn: %w", err)
		}
		if s.N == 0 && s.At.After(until) {
			return time.Until(s.At), nil
		}
		if err := sleep(ctx, s.At); err != nil || s.N > 0 {
			return 0, err
		}
	}
}

// hold keeps everybody from editing, as far and for as long as the platform has asked: a
// correction may touch a thousand channels of it.
func (p *Amendments) hold(ctx context.Context, to digest.Destination, e *PostError) error {
	if e.After <= 0 {
		return nil
	}
	scope := digest.ScopeWorkspace
	if e.Scope == digest.ScopePlatform {
		scope = e.Scope
	}
	if err := p.Turns.Hold(context.WithoutCancel(ctx), edits(to), scope, e.After); err != nil {
		return fmt.Errorf("holding edits: %w", err)
	}
	return nil
}

// A Queue is what telling people about proposals needs of storage.
type Queue interface {
	// TakeNotices returns what is to be said, and notes before the fact that it was.
	TakeNotices(ctx context.Context, now time.Time, limit int) ([]digest.Notice, error)
}

// Notices tells editors what waits for them, and proposers what became of it. It is
// said once or not at all: the list of proposals holds everything.
type Notices struct {
	Queue Queue
	Tell  func(ctx context.Context, n digest.Notice) error
	Now   func() time.Time
}

// Run says what is to be said and returns how many proposals it was about. What could
// not be said comes back joined; it is not said again.
func (p *Notices) Run(ctx context.Context) (told int, err error) {
	var faults []error
	for ctx.Err() == nil {
		batch, err := p.Queue.TakeNotices(ctx, p.Now(), 20)
		if err != nil {
			return told, errors.Join(append(faults, fmt.Errorf("taking notices: %w", err))...)
		}
		if len(batch) == 0 {
			break
		}
		for _, n := range batch {
			told++
			if err := p.Tell(ctx, n); err != nil {
				faults = append(faults, fmt.Errorf("telling about proposal %d: %w", n.ID, err))
			}
		}
	}
	return told, errors.Join(faults...)
}
