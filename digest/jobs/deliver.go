package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"seedcorn/digest"
)

// An Outbox is what delivering needs of storage.
type Outbox interface {
	// Lanes returns the lanes that have a delivery that may go out at now.
	Lanes(ctx context.Context, now time.Time) ([]digest.Lane, error)
	// Open returns how many deliveries of a lane may go out at now, counting up to
	// limit, and when the next may that may not yet; zero if there is none.
	Open(ctx context.Context, lane digest.Lane, now time.Time, limit int) (n int, next time.Time, err error)
	// Reserve gives a lane up to n slots for posts, which nobody else has, within the
	// platform's pace and while nothing is held.
	Reserve(ctx context.Context, lane digest.Lane, pace digest.Pace, n int) (digest.Slots, error)
	// Hold keeps everybody from posting, within a scope around a destination, for a time.
	Hold(ctx context.Context, to digest.Destination, scope digest.Scope, during time.Duration) error
	// Claim takes up to limit deliveries of a lane that may go out at now, one to a
	// destination, within the rate of channels: pending and unsure ones whose time has
	// come and whose earlier parts are sent, and those in sending whose worker has been
	// silent for longer than its lease; these come as unsure. A claimed one is in
	// sending, with a new attempt.
	Claim(ctx context.Context, lane digest.Lane, rate digest.Rate, now time.Time, lease time.Duration, limit int) ([]digest.Delivery, error)
	// Again notes, before the fact, that an attempt posts a delivery that may stand
	// there already. ok is false if the delivery has been claimed again since.
	Again(ctx context.Context, id digest.DeliveryID, attempt int) (ok bool, err error)
	// Settle stores outcomes of attempts, and pauses the subscriptions of those that are
	// dead. One whose delivery has been claimed again since is ignored, and no error.
	Settle(ctx context.Context, outcomes ...digest.Settlement) error
}

// A Courier posts to a platform.
type Courier interface {
	// Pace is how fast the platform lets us post, as far as it says so.
	Pace() digest.Pace
	// Post posts a delivery. The error is a *[PostError].
	Post(ctx context.Context, d digest.Delivery) (receipt string, err error)
	// Find looks for a delivery that was perhaps posted since Begun. An error that is
	// [ErrCannotLook] means that the platform does not let us; a *[PostError] may say
	// when to look again.
	Find(ctx context.Context, d digest.Delivery) (receipt string, found bool, err error)
}

// ErrCannotLook is returned by a [Courier] whose platform does not let us read back.
var ErrCannotLook = errors.New("the platform does not let us read back")

// A PostError is a failed post: State is what the delivery is now.
type PostError struct {
	State digest.DeliveryState // Pending, Unsure or Dead
	After time.Duration        // of Pending: what the platform asked for; 0 if it did not
	Scope digest.Scope         // how far After reaches
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
// posted again. Where the platform cannot be asked it is posted again, marked, and that
// is written down first; if it remains in doubt it is posted again, marked, after ever
// longer waits, and given up as dead, for all to see, when it was never answered:
// to see a digest twice is better than not at all.
//
// What may be posted when is in the outbox, too: slots are reserved there, by all
// processes on one database, and what a platform refuses for a time is held for all.
// Each lane asks for a few slots at a time and is served in turn, so that a workspace
// with thousands of channels does not keep one with a single channel waiting.
//
// A Deliveries may be used by several goroutines.
type Deliveries struct {
	Outbox   Outbox
	Couriers map[string]Courier // by platform
	Hands    int                // posts at a time in one lane; 0: as many as its platform's pace asks for
	Turn     time.Duration      // how long a lane is worked on before others have a turn; 0: until it is done
	Now      func() time.Time
	Note     func(d digest.Delivery, o digest.Outcome) // may be nil
	Refusals *Refusals                                 // tells owners of what was refused for ever; may be nil

	holds sync.Map // digest.Lane -> time.Time: what this process knows of holds, without asking
	doors sync.Map // platform -> *door
}

// A door lets no more posts of this process out, within the time in which a platform
// counts, than it has slots in it. Slots are even. Posts that were held up for a moment,
// as by their machine, would go at once, together with those whose slots come now: so
// many too many would the platform count.
type door struct {
	mu           sync.Mutex
	slots, posts []time.Time // of the last window, and slots to come; in order
}

// book tells of a slot that a post has.
func (d *door) book(slot time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, _ := slices.BinarySearchFunc(d.slots, slot, time.Time.Compare)
	d.slots = slices.Insert(d.slots, i, slot)
}

// pass lets a post out now, or says when to ask again.
func (d *door) pass(now time.Time, window time.Duration) (wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	past := func(all []time.Time, at time.Time) int {
		i, _ := slices.BinarySearchFunc(all, at, func(t, at time.Time) int {
			if t.After(at) {
				return 1
			}
			return -1
		})
		return i
	}
	d.slots = slices.Delete(d.slots, 0, past(d.slots, now.Add(-window)))
	d.posts = slices.Delete(d.posts, 0, past(d.posts, now.Add(-window)))
	came := past(d.slots, now)
	if len(d.posts) < max(came, 1) {
		d.posts = append(d.posts, now)
		return 0
	}
	wait = d.posts[0].Add(window).Sub(now)
	if came < len(d.slots) {
		wait = min(wait, d.slots[came].Sub(now))
	}
	return wait
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
	// maxResends is the attempt after which one in doubt, on a platform that cannot be
	// asked, is not posted again, once it is in doubt for doubtTime: with the waits for
	// such ones that is about five hours. Attempts alone do not say so much: a worker that
	// dies over one costs an attempt, too, and nobody is to blame for that but us.
	maxResends = 8
	doubtTime  = 4 * time.Hour
	// patience is for how many attempts a platform's own word for the wait is enough.
	// One that still says "in a second" afterwards is not believed: forty such seconds
	// must not be the end of a digest.
	patience = 8
	// handsPaced are enough for 50 posts a second that take half a second each.
	handsPaced = 32
	// handsUnpaced are few: where only a refusal tells that it is too much, all that is
	// under way is refused.
	handsUnpaced = 8
	// claimAhead is how long before its slot comes what is to go out in it is claimed.
	claimAhead = 150 * time.Millisecond
	// slotsMissed is how often a post takes another slot because it has missed its own.
	slotsMissed = 2
	// linger is the longest that a lane in which nothing happens is waited in.
	linger = 2 * time.Second
	// briefHold is the longest hold that is sat out by those who hear of it: it is over
	// before others do.
	briefHold = 200 * time.Millisecond
	// lanesAtOnce bounds the lanes that one Run works on.
	lanesAtOnce = 64
	// runTurn is the turn of a lane where Turn is 0 and more lanes wait than that.
	runTurn = 5 * time.Second
)

// Run posts everything that may go, in all lanes at once, and returns how many were
// sent when nothing may go any more. The error is of storage, or ctx's.
func (p *Deliveries) Run(ctx context.Context) (sent int, err error) {
	later := map[digest.Lane]time.Time{}
	for ctx.Err() == nil {
		now := p.Now()
		lanes, err := p.Outbox.Lanes(ctx, now)
		if err != nil {
			return sent, fmt.Errorf("claiming deliveries: %w", err)
		}
		lanes = slices.DeleteFunc(lanes, func(l digest.Lane) bool { return later[l].After(now) })
		if len(lanes) == 0 {
			return sent, nil
		}
		turn := p.Turn
		if turn <= 0 && len(lanes) > lanesAtOnce {
			turn = runTurn
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var faults []error
		room := make(chan struct{}, lanesAtOnce)
		for _, l := range lanes {
			room <- struct{}{}
			wg.Go(func() {
				defer func() { <-room }()
				n, next, err := p.drain(ctx, l, turn)
				mu.Lock()
				defer mu.Unlock()
				sent += n
				later[l] = next
				if err != nil {
					faults = append(faults, err)
				}
			})
		}
		wg.Wait()
		if ctx.Err() == nil && len(faults) > 0 {
			return sent, errors.Join(faults...)
		}
	}
	return sent, ctx.Err()
}

// Drain posts what may go in one lane, and returns how many were sent and when to come
// back: when the next may go, at once if its turn is over, zero if nothing is left to
// do. It waits for what may go in a moment. The error is of storage, or ctx's; then
// next says nothing.
func (p *Deliveries) Drain(ctx context.Context, lane digest.Lane) (sent int, next time.Time, err error) {
	return p.drain(ctx, lane, p.Turn)
}

// A result is an attempt that has come to its end.
type result struct {
	delivery digest.Delivery
	outcome  digest.Outcome
	hold     digest.Scope // with holdFor: what the platform asked for
	holdFor  time.Duration
	err      error // of storage: nothing is settled
}

func (p *Deliveries) drain(ctx context.Context, lane digest.Lane, turn time.Duration) (sent int, next time.Time, err error) {
	if p.Refusals != nil { // whoever was to tell may have died over it
		if _, err := p.Refusals.Run(ctx); err != nil {
			return 0, time.Time{}, fmt.Errorf("telling owners: %w", err)
		}
	}
	var pace digest.Pace
	if c := p.Couriers[lane.Platform]; c != nil {
		pace = c.Pace()
	}
	hands := p.Hands
	switch {
	case hands > 0:
	case pace.Platform.Every > 0:
		hands = handsPaced
	default:
		hands = handsUnpaced
	}
	var (
		began   = time.Now()
		busy    = map[digest.DeliveryID]time.Time{} // posts under way, and since when
		results = make(chan result, hands)          // nobody who posts waits to say so
		slots   digest.Slots                        // reserved, and not used yet
		at      = time.Now()                        // when to use them or, without any, when to look again
		idle    = 0                                 // claims in a row that gave nothing
		still   = time.Now().Add(linger)            // from then on there is no waiting
		stuck   = func() bool {
			// One who heeds no deadline: it must not be taken for dead by ourselves.
			for _, since := range busy {
				if time.Since(since) > attemptTime+(staleAfter-attemptTime)/2 {
					return true
				}
			}
			return false
		}
		done = func() bool {
			// What is reserved is used, even when the turn is over: it would be lost.
			return err != nil || ctx.Err() != nil || turn > 0 && slots.N == 0 && time.Since(began) >= turn || stuck()
		}
	)
	for {
		if !done() && !time.Now().Before(at) && len(busy) < hands {
			switch {
			case slots.N > 0:
				batch, fault := p.Outbox.Claim(ctx, lane, pace.Channel, p.Now(), staleAfter, min(slots.N, hands-len(busy)))
				if fault != nil {
					err = fmt.Errorf("claiming deliveries: %w", fault)
					continue
				}
				for i, d := range batch {
					slot := slots.At.Add(time.Duration(i) * slots.Every)
					busy[d.ID] = time.Now()
					go func() { results <- p.one(ctx, lane, d, slot, pace) }()
				}
				at = time.Now()
				if len(batch) == 0 { // somebody was faster, or a channel is at its rate
					at = at.Add(10 * time.Millisecond << min(idle, 10))
					idle++
				} else {
					still, idle = at.Add(linger), 0
				}
				slots = digest.Slots{}
				continue
			default:
				n, soon, fault := p.Outbox.Open(ctx, lane, p.Now(), hands-len(busy))
				if fault != nil {
					err = fmt.Errorf("claiming deliveries: %w", fault)
					continue
				}
				next = soon
				if n > 0 {
					next = p.Now()
					if slots, fault = p.Outbox.Reserve(ctx, lane, pace, n); fault != nil {
						err = fmt.Errorf("reserving posts: %w", fault)
						continue
					}
					if at = slots.At; slots.N == 0 {
						next = p.Now().Add(time.Until(at))
					} else if at = at.Add(-claimAhead); !time.Now().Before(at) {
						continue
					}
				} else if next.IsZero() {
					at = time.Now().Add(time.Hour) // what is under way will tell
				} else {
					at = time.Now().Add(next.Sub(p.Now()))
				}
			}
		}
		if len(busy) == 0 {
			switch {
			case err != nil:
				return sent, time.Time{}, err
			case ctx.Err() != nil:
				return sent, time.Time{}, ctx.Err()
			case done():
				return sent, p.Now(), nil
			case slots.N == 0 && (next.IsZero() || at.After(still)):
				if back := p.Now().Add(time.Until(at)); !next.IsZero() && back.After(next) {
					next = back
				}
				return sent, next, nil
			}
		}
		wait := time.Until(at)
		if len(busy) == hands || done() {
			wait = time.Hour // for a result
		}
		timer := time.NewTimer(max(0, wait))
		select {
		case r := <-results:
			some := []result{r}
			for more := true; more; {
				select {
				case r := <-results:
					some = append(some, r)
				default:
					more = false
				}
			}
			for _, r := range some {
				delete(busy, r.delivery.ID)
			}
			n, fault := p.settle(ctx, some)
			sent += n
			if fault != nil && err == nil {
				err = fault
			}
			still = time.Now().Add(linger)
			if slots.N == 0 {
				at = time.Now() // there may be more to do now
			}
		case <-timer.C:
		case <-ctx.Done():
			// Those under way hear of it, too. Their results are waited for.
			if len(busy) > 0 {
				r := <-results
				delete(busy, r.delivery.ID)
				n, fault := p.settle(ctx, []result{r})
				sent += n
				if fault != nil && err == nil {
					err = fault
				}
			}
		}
		timer.Stop()
	}
}

// one makes an attempt at a delivery when its slot has come.
func (p *Deliveries) one(ctx context.Context, lane digest.Lane, d digest.Delivery, slot time.Time, pace digest.Pace) result {
	back := digest.Outcome{State: d.State, NotBefore: p.Now(), Words: d.Words, Resent: d.Resent}
	for missed := 0; ; missed++ {
		wait, err := p.leave(ctx, lane, slot, pace, missed == slotsMissed)
		if err != nil {
			return result{delivery: d, outcome: back} // as it was
		}
		if wait > 0 {
			back.NotBefore = p.Now().Add(wait)
			return result{delivery: d, outcome: back}
		}
		if wait == 0 {
			break
		}
		another, err := p.Outbox.Reserve(ctx, lane, pace, 1)
		if slot = another.At; err != nil || another.N == 0 {
			back.NotBefore = p.Now().Add(max(0, time.Until(slot)))
			return result{delivery: d, outcome: back} // what is wrong with storage, settling tells
		}
	}
	within, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	r := result{}
	r.outcome, r.err = p.attempt(within, &d, &r)
	r.delivery = d
	if r.err == nil && ctx.Err() != nil && r.outcome.State != digest.Sent {
		// Interrupted: whether it was posted is for the next process to find out.
		r.outcome = digest.Outcome{State: digest.Unsure, NotBefore: p.Now(), Words: "interrupted"}
	}
	r.outcome.Resent = d.Resent
	if r.holdFor > 0 {
		p.hold(lane, r.hold, r.holdFor)
	}
	return r
}

// leave waits until what has a slot may go. It returns 0 when it may, for how long its
// lane is held if that is long, and less than 0 if it has missed its slot, unless it is
// to go late: a moment late it may be, but not so late that others, who know nothing of
// it, have its place in what the platform counts. The error is ctx's.
func (p *Deliveries) leave(ctx context.Context, lane digest.Lane, slot time.Time, pace digest.Pace, late bool) (wait time.Duration, err error) {
	var out *door
	if pace.Window > 0 {
		at, _ := p.doors.LoadOrStore(lane.Platform, &door{})
		out = at.(*door)
		out.book(slot)
	}
	for until := slot; ; {
		if err := sleep(ctx, until); err != nil {
			return 0, err
		}
		held := p.held(lane)
		now := time.Now()
		switch {
		case held > briefHold:
			return held, nil
		case held > 0:
			until = now.Add(held)
			continue
		case out == nil:
			return 0, nil
		case now.Sub(slot) > pace.Window/16 && !late:
			return -1, nil
		}
		if wait := out.pass(now, pace.Window); wait > 0 {
			until = now.Add(wait)
			continue
		}
		return 0, nil
	}
}

// sleep waits until a time, or for ctx, whose error it returns.
func sleep(ctx context.Context, until time.Time) error {
	wait := time.Until(until)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held is how long this process knows that a lane is held.
func (p *Deliveries) held(lane digest.Lane) time.Duration {
	wait := time.Duration(0)
	for _, l := range []digest.Lane{lane, {Platform: lane.Platform, Workspace: everyWorkspace}} {
		if until, ok := p.holds.Load(l); ok {
			wait = max(wait, time.Until(until.(time.Time)))
		}
	}
	return wait
}

// everyWorkspace stands for all of a platform among holds. No workspace has that name.
const everyWorkspace = "\x00"

func (p *Deliveries) hold(lane digest.Lane, scope digest.Scope, during time.Duration) {
	switch scope {
	case digest.ScopePlatform:
		lane.Workspace = everyWorkspace
	case digest.ScopeWorkspace:
	default:
		return
	}
	p.holds.Store(lane, time.Now().Add(during))
}

// settle writes down what became of attempts, even while we are being stopped, and
// returns how many were sent.
func (p *Deliveries) settle(ctx context.Context, results []result) (sent int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var all []digest.Settlement
	for _, r := range results {
		switch {
		case r.err != nil:
			err = errors.Join(err, r.err) // the row stays in sending until it is stale
			continue
		case r.holdFor > briefHold:
			if fault := p.Outbox.Hold(ctx, r.delivery.To, r.hold, r.holdFor); fault != nil {
				err = errors.Join(err, fmt.Errorf("holding posts: %w", fault))
			}
		}
		all = append(all, digest.Settlement{ID: r.delivery.ID, Attempt: r.delivery.Attempt, Outcome: r.outcome})
	}
	if fault := p.Outbox.Settle(ctx, all...); fault != nil {
		return 0, errors.Join(err, fmt.Errorf("settling deliveries: %w", fault))
	}
	refused := false
	for _, r := range results {
		if r.err != nil {
			continue
		}
		switch r.outcome.State {
		case digest.Sent:
			sent++
		case digest.Dead:
			refused = true
		}
		if p.Note != nil {
			p.Note(r.delivery, r.outcome)
		}
	}
	if refused && p.Refusals != nil {
		if _, fault := p.Refusals.Run(ctx); fault != nil {
			err = errors.Join(err, fmt.Errorf("telling owners: %w", fault))
		}
	}
	return sent, err
}

// attempt looks for an unsure delivery, posts a pending one, and says what became
// of it. It marks d where it posts again, and in r what the platform wants held. The
// error is of storage.
func (p *Deliveries) attempt(ctx context.Context, d *digest.Delivery, r *result) (o digest.Outcome, err error) {
	defer func() {
		if poison := recover(); poison != nil {
			// How far it got nobody knows.
			o, err = p.later(*d, digest.Unsure, 0, fmt.Sprintf("posting panicked: %v", poison)), nil
		}
	}()
	c := p.Couriers[d.To.Platform]
	if c == nil {
		return digest.Outcome{State: d.State, NotBefore: p.Now().Add(maxWait), Words: fmt.Sprintf("no platform %q is configured", d.To.Platform)}, nil
	}
	if d.State == digest.Unsure {
		receipt, found, err := c.Find(ctx, *d)
		switch {
		case errors.Is(err, ErrCannotLook) && d.Resent && d.Attempt > maxResends && p.Now().Sub(d.Begun) > doubtTime:
			return digest.Outcome{State: digest.Dead, Words: "posted again and again, and the platform never said whether it stands there"}, nil
		case errors.Is(err, ErrCannotLook) && !d.Resent:
			ok, err := p.Outbox.Again(ctx, d.ID, d.Attempt)
			if err != nil {
				return digest.Outcome{}, fmt.Errorf("noting that delivery %s is posted again: %w", d.ID, err)
			}
			if !ok {
				return digest.Outcome{State: digest.Unsure, Words: "another process has it"}, nil // settling it changes nothing
			}
			d.Resent = true
		case errors.Is(err, ErrCannotLook): // again, as is written down
		case err != nil:
			after := time.Duration(0)
			if e := (*PostError)(nil); errors.As(err, &e) {
				after = e.After
			}
			return p.later(*d, digest.Unsure, after, "looking for it failed: "+err.Error()), nil
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
	if e.State == digest.Pending && e.After > 0 {
		r.hold, r.holdFor = e.Scope, e.After
	}
	if e.State == digest.Unsure && d.Resent {
		// Each such post may be one more that people see: a moment's failure costs one, an
		// hour's five.
		return p.later(*d, e.State, max(e.After, min(maxWait, 2*time.Second<<min(2*d.Attempt, 12))), e.Say), nil
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
