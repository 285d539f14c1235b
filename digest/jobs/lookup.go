package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// A Question is one thing to look up about a work, of one service.
type Question struct {
	Name     string // "arxiv-page:2501.12948": the cache's key, one for ever
	Service  string // whose manners hold: "arxiv", "huggingface", "github", "openalex"
	About    string // for people: "arXiv's page, for affiliations"
	Needless string // why it need not be asked: what it would tell is known; "" if it must
	// Ask returns what the service knows as items of kind [feeds.ItemLookup], which
	// take the way of any item, and a few words for people. A service that knows
	// nothing is an answer without items; an error is asked again later.
	Ask func(ctx context.Context) (items []feeds.Item, words string, err error)
}

// A Notebook is what looking up needs of storage.
type Notebook interface {
	// Unanswered returns those of names that have no answer, or an expired one.
	Unanswered(ctx context.Context, names []string, now time.Time) ([]string, error)
	// Answer keeps an answer.
	Answer(ctx context.Context, name string, a digest.Answer) error
	Ingest(ctx context.Context, batch []digest.Arrival) (digest.Ingested, error)
}

// Lookups asks services what feeds did not say. It is resumable at every
// question, bounded in each run, and never in the way of a digest: what is not
// answered yet stays unknown.
type Lookups struct {
	Notebook  Notebook
	Questions func(digest.Work) []Question
	Tag       func(feeds.Item) feeds.Tags
	Now       func() time.Time
	Note      func(q Question, words string, err error) // may be nil
}

// How long answers hold. A paper's affiliations do not change; a repository's
// license may; what a service did not know yesterday it may know tomorrow; a
// failed question is not repeated in the same day.
const (
	answerHolds  = 30 * 24 * time.Hour
	nothingHolds = 3 * 24 * time.Hour
	failureHolds = 6 * time.Hour
)

// SourceOf is the source under which answers of a service are stored.
func SourceOf(service string) feeds.SourceID { return feeds.SourceID("lookup:" + service) }

// Run asks about works, in their order, until limit questions have been asked or
// ctx ends, and returns how many were. A service that refuses (a rate limit, a
// denial, no connection) is left alone for the rest of the run. The error is
// storage's or ctx's.
func (l *Lookups) Run(ctx context.Context, works []digest.Work, limit int) (int, error) {
	asked := 0
	closed := map[string]bool{}
	for _, w := range works {
		questions := l.Questions(w)
		names := make([]string, len(questions))
		for i, q := range questions {
			names[i] = q.Name
		}
		open, err := l.Notebook.Unanswered(ctx, names, l.Now())
		if err != nil {
			return asked, fmt.Errorf("looking up: %w", err)
		}
		todo := map[string]bool{}
		for _, n := range open {
			todo[n] = true
		}
		for _, q := range questions {
			if !todo[q.Name] || closed[q.Service] || q.Needless != "" {
				continue
			}
			if asked == limit {
				return asked, nil
			}
			asked++
			if err := l.one(ctx, q, closed); err != nil {
				return asked, fmt.Errorf("looking up %s: %w", q.Name, err)
			}
		}
	}
	return asked, nil
}

func (l *Lookups) one(ctx context.Context, q Question, closed map[string]bool) error {
	items, words, err := q.Ask(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if l.Note != nil {
		l.Note(q, words, err)
	}
	now := l.Now()
	if err != nil {
		var t *feeds.Trouble
		if errors.As(err, &t) {
			words = "failed: " + t.Words()
			switch t.Kind {
			case feeds.TroubleLimited, feeds.TroubleDenied, feeds.TroubleNetwork, feeds.TroubleTimeout:
				// Nobody's fault but the service's: the question stays open, the service
				// is spared for now.
				closed[q.Service] = true
				return nil
			}
		} else {
			words = "failed: " + err.Error()
		}
		return l.Notebook.Answer(ctx, q.Name, digest.Answer{Words: words, Fetched: now, Expires: now.Add(failureHolds)})
	}
	holds := answerHolds
	if len(items) == 0 {
		holds = nothingHolds
	} else {
		entries := make([]digest.Entry, len(items))
		for i, it := range items {
			it.Kind, it.Source = feeds.ItemLookup, SourceOf(q.Service)
			it.ID = feeds.NewItemID(it.Source, it.GUID)
			if it.Seen.IsZero() {
				it.Seen = now
			}
			entries[i] = digest.Entry{Item: it, Tags: l.Tag(it)}
		}
		// The answer is noted after its items are stored: a crash between the two asks
		// once more, and storing the same items again changes nothing.
		arrival := digest.Arrival{Source: feeds.Source{ID: SourceOf(q.Service)}, Entries: entries, At: now}
		if _, err := l.Notebook.Ingest(ctx, []digest.Arrival{arrival}); err != nil {
			return err
		}
	}
	return l.Notebook.Answer(ctx, q.Name, digest.Answer{Words: words, Fetched: now, Expires: now.Add(holds)})
}
