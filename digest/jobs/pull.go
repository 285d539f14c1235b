package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// A Shelf is what pulling needs of storage.
type Shelf interface {
	// State returns what the last good visit to a source left; the zero State if
	// there was none.
	State(ctx context.Context, id feeds.SourceID) (feeds.State, error)
	// Ingest stores a batch of arrivals, all or nothing.
	Ingest(ctx context.Context, batch []digest.Arrival) (digest.Ingested, error)
	// Looked notes visits that brought nothing, in one write.
	Looked(ctx context.Context, visits []digest.Visit) error
}

// A Puller visits sources and stores what they bring.
//
//	sources ─► lane 1..n ─┐
//	           fetch,     ├─► writer ─► Shelf.Ingest   (one transaction a batch)
//	           parse, tag ┘        └──► Shelf.Looked   (one write for all that is unchanged or failed)
//
// Many sources are visited at a time; one goroutine writes, so that a batch is one
// transaction. Sources of a kind in Slow share a lane of their own: they wait for a
// gate, and must not keep others waiting.
type Puller struct {
	Shelf      Shelf
	Collectors map[feeds.SourceKind]feeds.Collector
	Tag        func(feeds.Item) feeds.Tags
	Lanes      int                       // sources visited at a time; 0 means 16
	Slow       map[feeds.SourceKind]bool // kinds that queue for a gate
	Progress   func(Progress)            // called from one goroutine; may be nil
	Now        func() time.Time          // time.Now, unless several machines share a clock, or a replay has one of its own
}

// Progress tells how far a round is.
type Progress struct {
	Done, Of int
	Source   feeds.Source
	Items    int   // brought by this source
	Err      error // its trouble
}

// A Round says what one round of pulling came to.
type Round struct {
	Sources   int // visited
	Unchanged int
	Brought   int // sources with something new
	Failed    []Failure
	Faults    []Failure // entries left out of sources that were otherwise good
	digest.Ingested
}

// A Failure is a source with its trouble.
type Failure struct {
	Source feeds.Source
	Err    error
}

// batchEntries is how many entries the writer gathers before it writes: enough to
// pay for a transaction, few enough that a crash loses little.
const batchEntries = 2000

// Pull visits every one of sources once. A source's trouble is in the Round and
// stops nobody else. The error is of storage, or ctx's: what was written until
// then stays, and nothing is written by halves.
func (p *Puller) Pull(ctx context.Context, sources []feeds.Source) (Round, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	fast, slow := make(chan feeds.Source), make(chan feeds.Source)
	outcomes := make(chan outcome)
	lanes := p.Lanes
	if lanes <= 0 {
		lanes = 16
	}
	var visiting sync.WaitGroup
	lane := func(queue <-chan feeds.Source) {
		for src := range queue {
			select {
			case outcomes <- p.visit(ctx, src):
			case <-ctx.Done():
				return
			}
		}
	}
	for range lanes {
		visiting.Go(func() { lane(fast) })
	}
	visiting.Go(func() { lane(slow) })
	feed := func(queue chan<- feeds.Source, mine bool) {
		defer close(queue)
		for _, src := range sources {
			if p.Slow[src.Kind] != mine {
				continue
			}
			select {
			case queue <- src:
			case <-ctx.Done():
				return
			}
		}
	}
	visiting.Go(func() { feed(fast, false) })
	visiting.Go(func() { feed(slow, true) })
	go func() { visiting.Wait(); close(outcomes) }()

	round := Round{}
	w := writer{shelf: p.Shelf}
	for o := range outcomes {
		if ctx.Err() != nil {
			continue // drain, so that every lane can leave
		}
		round.note(o)
		if p.Progress != nil {
			p.Progress(Progress{Done: round.Sources, Of: len(sources), Source: o.source, Items: len(o.arrival.Entries), Err: o.err})
		}
		w.take(o)
		if w.entries >= batchEntries {
			if err := w.flush(ctx); err != nil {
				cancel(err)
			}
		}
	}
	if err := context.Cause(ctx); err != nil {
		round.Ingested = w.total
		return round, fmt.Errorf("pulling: %w", err)
	}
	err := w.flush(ctx)
	round.Ingested = w.total
	if err != nil {
		return round, fmt.Errorf("pulling: %w", err)
	}
	return round, nil
}

// An outcome is one visit: an arrival, or what came in its place.
type outcome struct {
	source  feeds.Source
	arrival digest.Arrival
	visit   *digest.Visit // nil if the visit brought something
	err     error
}

func (p *Puller) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

func (p *Puller) visit(ctx context.Context, src feeds.Source) outcome {
	o := outcome{source: src}
	fail := func(err error) outcome {
		o.err = err
		v := digest.Visit{Source: src.ID, At: p.now(), Trouble: feeds.TroubleNetwork, Words: err.Error()}
		if t := (*feeds.Trouble)(nil); errors.As(err, &t) {
			v.Trouble, v.Words = t.Kind, t.Words()
			if t.RetryAfter > 0 {
				v.NotBefore = v.At.Add(t.RetryAfter)
			}
		}
		o.visit = &v
		return o
	}
	collector := p.Collectors[src.Kind]
	if collector == nil {
		return fail(fmt.Errorf("no collector for sources of kind %q", src.Kind))
	}
	state, err := p.Shelf.State(ctx, src.ID)
	if err != nil {
		return fail(fmt.Errorf("reading the state of %s: %w", src.ID, err))
	}
	first := reflect.ValueOf(state).IsZero()
	pull, err := collect(ctx, collector, src, state)
	if err != nil {
		return fail(err)
	}
	// Collectors go by the machine's clock.
	now, local := p.now(), time.Now()
	ours := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Add(t.Sub(local))
	}
	pull.NotBefore = ours(pull.NotBefore)
	if pull.Unchanged {
		o.visit = &digest.Visit{Source: src.ID, At: now, Unchanged: true, NotBefore: pull.NotBefore, MovedTo: pull.MovedTo}
		if !sameState(pull.State, state) {
			// Nothing new in a document that is another: with its validators the next
			// visit costs no parse again.
			o.visit.State = pull.State
		}
		return o
	}
	entries := make([]digest.Entry, len(pull.Items))
	for i, it := range pull.Items {
		if it.Seen = ours(it.Seen); it.Seen.IsZero() {
			it.Seen = now
		}
		it.Backfill = first
		if it.Publisher == "" && src.Official {
			it.Publisher = src.Lab
		}
		tags, err := p.tag(it)
		if err != nil {
			pull.Faults = append(pull.Faults, err.Error())
		}
		entries[i] = digest.Entry{Item: it, Tags: tags}
	}
	pull.Items = nil // the entries hold them now
	o.arrival = digest.Arrival{Source: src, Pull: pull, Entries: entries, At: now}
	return o
}

func sameState(a, b feeds.State) bool {
	same := bytes.Equal(a.Entries, b.Entries)
	return same && a.ETag == b.ETag && a.LastModified == b.LastModified && a.Body == b.Body && a.Head == b.Head && a.Cursor == b.Cursor
}

// collect is one visit by a collector. One that panics is wrong, but that is one
// source that could not be read.
func collect(ctx context.Context, c feeds.Collector, src feeds.Source, last feeds.State) (pull feeds.Pull, err error) {
	defer func() {
		if r := recover(); r != nil {
			pull, err = feeds.Pull{}, &feeds.Trouble{Kind: feeds.TroubleMalformed, Source: src.ID, Err: fmt.Errorf("reading it panicked: %v", r)}
		}
	}()
	return c.Collect(ctx, src, last)
}

// tag tags one item. A tagger that panics on it is wrong, but that is one item
// without tags, named among the faults; it must not stop every source.
func (p *Puller) tag(it feeds.Item) (tags feeds.Tags, err error) {
	defer func() {
		if r := recover(); r != nil {
			tags, err = feeds.Tags{}, fmt.Errorf("tagging %q panicked and left it untagged: %v", it.Title, r)
		}
	}()
	return p.Tag(it), nil
}

func (r *Round) note(o outcome) {
	r.Sources++
	switch {
	case o.err != nil:
		r.Failed = append(r.Failed, Failure{o.source, o.err})
	case o.visit != nil:
		r.Unchanged++
	default:
		r.Brought++
	}
	for _, f := range o.arrival.Pull.Faults {
		r.Faults = append(r.Faults, Failure{o.source, errors.New(f)})
	}
}

// A writer gathers outcomes and writes them in batches.
type writer struct {
	shelf   Shelf
	batch   []digest.Arrival
	visits  []digest.Visit
	entries int
	total   digest.Ingested
}

func (w *writer) take(o outcome) {
	if o.visit != nil {
		w.visits = append(w.visits, *o.visit)
		return
	}
	w.batch = append(w.batch, o.arrival)
	w.entries += len(o.arrival.Entries)
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.batch) > 0 {
		done, err := w.shelf.Ingest(ctx, w.batch)
		if err != nil {
			return err
		}
		w.total.Add(done)
	}
	if len(w.visits) > 0 {
		if err := w.shelf.Looked(ctx, w.visits); err != nil {
			return err
		}
	}
	w.batch, w.visits, w.entries = nil, nil, 0
	return nil
}
