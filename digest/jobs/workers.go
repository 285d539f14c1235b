package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// working counts a job of this process. When the last one has ended and no other has
// begun for a moment, the process rests.
func (e *Engine) working() (done func()) {
	e.idling.Lock()
	defer e.idling.Unlock()
	e.busy++
	if e.rest != nil {
		e.rest.Stop()
		e.rest = nil
	}
	return func() {
		e.idling.Lock()
		defer e.idling.Unlock()
		if e.busy--; e.busy > 0 || e.Idle == nil || e.stopping.Load() {
			return
		}
		e.rest = time.AfterFunc(restAfter, func() {
			if !e.stopping.Load() {
				e.Idle(context.Background())
			}
		})
	}
}

const restAfter = 2 * time.Second

// quiesce lets nobody rest any more.
func (e *Engine) quiesce() {
	e.idling.Lock()
	defer e.idling.Unlock()
	if e.rest != nil {
		e.rest.Stop()
	}
}

// A pullWorker visits the sources of a chunk. A second attempt visits them one by one,
// so that one that cannot be stored is noted as broken and the others are not held up.
type pullWorker struct {
	river.WorkerDefaults[pullArgs]
	e *Engine
}

func (*pullWorker) Timeout(*river.Job[pullArgs]) time.Duration { return 30 * time.Minute }

func (w *pullWorker) Work(ctx context.Context, job *river.Job[pullArgs]) error {
	defer w.e.working()()
	due, err := w.e.Agenda.DueAmong(ctx, job.Args.Sources, w.e.Now())
	if err != nil || len(due) == 0 {
		return err
	}
	var round Round
	if job.Attempt == 1 {
		round, err = w.e.Pull(ctx, due)
	} else {
		for _, src := range due {
			var r Round
			if r, err = w.alone(ctx, src); err != nil {
				break
			}
			round.add(r)
		}
	}
	if round.Sources > 0 {
		w.e.Log.Info("pulled", "job", job.ID, "sources", round.Sources, "unchanged", round.Unchanged, "failed", len(round.Failed), "items", round.Items, "works", round.Works, "changes", round.Changes)
	}
	for _, f := range round.Failed {
		w.e.Log.Warn("source not read", "source", f.Source.ID, "error", f.Err)
	}
	if round.Works > 0 && w.e.Enrich != nil && err == nil {
		// After what was stored and not with it: storing is the busiest transaction of
		// all, and a look-up that is asked for twice or late changes nothing.
		w.e.askEnrich()
		if _, err := w.e.client.Insert(ctx, enrichArgs{}, nil); err != nil && ctx.Err() == nil {
			w.e.Log.Warn("asking for look-ups", "error", err) // the bell asks again
		}
	}
	return err
}

// alone visits one source. If what it brought cannot be stored, it counts as broken;
// the error is of a storage that does not even take that.
func (w *pullWorker) alone(ctx context.Context, src feeds.Source) (round Round, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("visiting it panicked: %v", r)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		round = Round{Sources: 1, Failed: []Failure{{src, err}}}
		err = w.e.Agenda.Looked(ctx, []digest.Visit{{Source: src.ID, At: w.e.Now(), Trouble: feeds.TroubleMalformed, Words: "what it brought could not be stored"}})
	}()
	return w.e.Pull(ctx, []feeds.Source{src})
}

func (r *Round) add(o Round) {
	r.Sources += o.Sources
	r.Unchanged += o.Unchanged
	r.Brought += o.Brought
	r.Failed = append(r.Failed, o.Failed...)
	r.Faults = append(r.Faults, o.Faults...)
	r.Ingested.Add(o.Ingested)
}

// An enrichWorker looks up what feeds did not say, some questions at a time.
type enrichWorker struct {
	river.WorkerDefaults[enrichArgs]
	e *Engine
}

func (*enrichWorker) Timeout(*river.Job[enrichArgs]) time.Duration { return 30 * time.Minute }

func (w *enrichWorker) Work(ctx context.Context, job *river.Job[enrichArgs]) error {
	if w.e.Enrich == nil {
		return river.JobCancel(errors.New("look-ups are switched off"))
	}
	defer w.e.working()()
	asked, err := w.e.Enrich(ctx, enrichLimit)
	if asked > 0 {
		w.e.Log.Info("looked up", "job", job.ID, "questions", asked)
	}
	if err != nil {
		return err
	}
	if asked >= enrichLimit {
		return river.JobSnooze(time.Second) // there is more
	}
	w.e.enriched()
	return nil
}

// enrichEvery is how long a look-up that left no question open is not asked for again
// when nothing new came in: it reads every recent work. Other processes bring new works
// of which this one is not told.
const enrichEvery = 5 * time.Minute

func (e *Engine) enrichDue() bool { return e.Now().Unix() >= e.enrichNext.Load() }
func (e *Engine) askEnrich()      { e.enrichNext.Store(0) }
func (e *Engine) enriched()       { e.enrichNext.Store(e.Now().Add(enrichEvery).Unix()) }

// A composeWorker composes the digests of a chunk of subscriptions.
type composeWorker struct {
	river.WorkerDefaults[composeArgs]
	e *Engine
}

func (*composeWorker) Timeout(*river.Job[composeArgs]) time.Duration { return 10 * time.Minute }

func (w *composeWorker) Work(ctx context.Context, job *river.Job[composeArgs]) error {
	defer w.e.working()()
	subs, err := w.e.Agenda.DueSubscriptionsAmong(ctx, job.Args.Subscriptions, w.e.Now())
	if err != nil || len(subs) == 0 {
		return err
	}
	said, err := w.e.Editions.Some(ctx, subs, w.e.Now())
	w.e.Log.Info("composed", "job", job.ID, "digests", said, "subscriptions", len(subs))
	// What was stored has its job already, but this process does not know it: asking
	// once more, now that it is committed, wakes it.
	lanes := map[digest.Lane]bool{}
	var again []river.InsertManyParams
	for _, s := range subs {
		if l := s.Destination.Lane(); !lanes[l] {
			lanes[l] = true
			again = append(again, river.InsertManyParams{Args: deliverArgs(l)})
		}
	}
	if said > 0 {
		if _, err := w.e.client.InsertMany(ctx, again); err != nil && ctx.Err() == nil {
			w.e.Log.Warn("waking deliveries", "error", err) // the bell does it, too
		}
	}
	return err
}

// A deliverWorker works one lane of the outbox.
type deliverWorker struct {
	river.WorkerDefaults[deliverArgs]
	e *Engine
}

// Timeout is none: each attempt has its own, and an attempt that is cut off is one in
// doubt.
func (*deliverWorker) Timeout(*river.Job[deliverArgs]) time.Duration { return -1 }

func (w *deliverWorker) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	defer w.e.working()()
	full := w.e.delivering.Add(1) >= int32(queues[RoleDeliver][queueDeliver])
	defer w.e.delivering.Add(-1)
	for {
		_, next, err := w.e.Deliveries.Drain(ctx, digest.Lane(job.Args))
		if err != nil {
			return err
		}
		wait := next.Sub(w.e.Now())
		switch {
		case next.IsZero():
			return nil
		case w.e.stopping.Load(), full && wait <= 0:
			return river.JobSnooze(max(wait, 0)) // others want the place
		case wait > shortWait:
			return nil // the bell knows
		}
		timer := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-timer.C:
		case <-w.e.quit:
			timer.Stop()
			return river.JobSnooze(max(wait, 0))
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// An errandWorker does one of the errands.
type errandWorker struct {
	river.WorkerDefaults[errandArgs]
	e *Engine
}

func (*errandWorker) Timeout(*river.Job[errandArgs]) time.Duration { return -1 } // as of delivering

func (w *errandWorker) Work(ctx context.Context, job *river.Job[errandArgs]) error {
	for _, x := range w.e.Errands {
		if x.Name == job.Args.Name {
			_, err := x.Run(ctx)
			return err
		}
	}
	return nil // of a program that knew more errands
}

// A maintainWorker does the daily chores. One that fails keeps no other.
type maintainWorker struct {
	river.WorkerDefaults[maintainArgs]
	e *Engine
}

func (*maintainWorker) Timeout(*river.Job[maintainArgs]) time.Duration { return 50 * time.Minute }

func (w *maintainWorker) Work(ctx context.Context, _ *river.Job[maintainArgs]) error {
	defer w.e.working()()
	now := w.e.Now()
	faults := []error{w.e.Agenda.Leave(ctx, "", now.Add(-24*time.Hour))}
	for _, c := range w.e.Chores {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := chore(ctx, c, now); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", c.Name, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return w.e.Agenda.SetMeta(ctx, maintained, now.UTC().Format(time.DateOnly))
}

func chore(ctx context.Context, c Chore, now time.Time) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panicked: %v", r)
		}
	}()
	return c.Do(ctx, now)
}
