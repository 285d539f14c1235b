package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// A notebook keeps answers in memory, by the promises of [Notebook].
type notebook struct {
	answers map[string]digest.Answer
	stored  []digest.Arrival
	fail    map[string]error // by method
}

func newNotebook() *notebook {
	return &notebook{answers: map[string]digest.Answer{}, fail: map[string]error{}}
}

func (n *notebook) Unanswered(_ context.Context, names []string, now time.Time) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		a, ok := n.answers[name]
		return ok && (a.Expires.IsZero() || a.Expires.After(now))
	}), n.fail["Unanswered"]
}

func (n *notebook) Answer(_ context.Context, name string, a digest.Answer) error {
	if err := n.fail["Answer"]; err != nil {
		return err
	}
	n.answers[name] = a
	return nil
}

func (n *notebook) Ingest(_ context.Context, batch []digest.Arrival) (digest.Ingested, error) {
	if err := n.fail["Ingest"]; err != nil {
		return digest.Ingested{}, err
	}
	n.stored = append(n.stored, batch...)
	return digest.Ingested{}, nil
}

// A desk of questions: each work has those of its title, such as "arxiv:1 github:x".
type desk struct {
	*notebook
	asked []string
	ask   func(ctx context.Context, name string) ([]feeds.Item, string, error)
}

func (d *desk) lookups() *Lookups {
	return &Lookups{
		Notebook: d.notebook, Now: time.Now,
		Tag: func(it feeds.Item) feeds.Tags { return feeds.Tags{License: "of " + it.GUID} },
		Questions: func(w digest.Work) (qs []Question) {
			for name := range strings.FieldsSeq(w.Title) {
				name, needless := strings.CutSuffix(name, "!")
				service, _, _ := strings.Cut(name, ":")
				q := Question{Name: name, Service: service, Ask: func(ctx context.Context) ([]feeds.Item, string, error) {
					d.asked = append(d.asked, name)
					if d.ask == nil {
						return []feeds.Item{{GUID: name}}, "one item", nil
					}
					return d.ask(ctx, name)
				}}
				if needless {
					q.Needless = "known"
				}
				qs = append(qs, q)
			}
			return qs
		},
	}
}

func asWorks(titles ...string) (works []digest.Work) {
	for _, t := range titles {
		works = append(works, digest.Work{Title: t})
	}
	return works
}

func (d *desk) run(t *testing.T, limit int, titles ...string) string {
	t.Helper()
	d.asked = nil
	n, err := d.lookups().Run(t.Context(), asWorks(titles...), limit)
	if err != nil || n != len(d.asked) {
		t.Errorf("Run = %d, %v after asking %q", n, err, d.asked)
	}
	return strings.Join(d.asked, " ")
}

func TestLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{notebook: newNotebook()}
		if got := d.run(t, 2, "arxiv:1 github:a! hf:a", "arxiv:2", "arxiv:3"); got != "arxiv:1 hf:a" {
			t.Errorf("with a limit of 2: %s", got)
		}
		// It goes on where it stopped.
		if got := d.run(t, 2, "arxiv:1 github:a! hf:a", "arxiv:2", "arxiv:3"); got != "arxiv:2 arxiv:3" {
			t.Errorf("resumed: %s", got)
		}
		if got := d.run(t, 2, "arxiv:1 github:a! hf:a", "arxiv:2", "arxiv:3"); got != "" {
			t.Errorf("with every answer in the notebook: %s", got)
		}
		if got := d.run(t, 0, "arxiv:9"); got != "" {
			t.Errorf("with a limit of 0: %s", got)
		}
		time.Sleep(answerHolds)
		if got := d.run(t, 9, "arxiv:1", "arxiv:2"); got != "arxiv:1 arxiv:2" {
			t.Errorf("when the answers have expired: %s", got)
		}
		// What came of it took the way of any item.
		first := d.stored[0]
		it := first.Entries[0].Item
		if first.Source.ID != "lookup:arxiv" || it.Kind != feeds.ItemLookup || it.Source != "lookup:arxiv" || it.Seen.IsZero() ||
			it.ID != feeds.NewItemID("lookup:arxiv", "arxiv:1") || first.Entries[0].Tags.License != "of arxiv:1" {
			t.Errorf("stored %+v", first)
		}
		if a := d.answers["hf:a"]; a.Words != "one item" || a.Expires.Sub(a.Fetched) != answerHolds {
			t.Errorf("the answer: %+v", a)
		}
	})
}

func TestLookupsThatBringNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		words string
		holds time.Duration // 0: the question stays open
		spare bool          // the service is not asked again in this run
	}{
		{name: "the service knows nothing", words: "nothing", holds: nothingHolds},
		{name: "gone", err: &feeds.Trouble{Kind: feeds.TroubleGone, Status: 404}, words: "failed: gone, HTTP 404", holds: failureHolds},
		{name: "not understood", err: errors.New("no table"), words: "failed: no table", holds: failureHolds},
		{name: "limited", err: &feeds.Trouble{Kind: feeds.TroubleLimited, Status: 429}, spare: true},
		{name: "denied", err: fmt.Errorf("asking: %w", &feeds.Trouble{Kind: feeds.TroubleDenied, Status: 403}), spare: true},
		{name: "no connection", err: &feeds.Trouble{Kind: feeds.TroubleNetwork}, spare: true},
		{name: "timeout", err: &feeds.Trouble{Kind: feeds.TroubleTimeout}, spare: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{notebook: newNotebook()}
				d.ask = func(_ context.Context, name string) ([]feeds.Item, string, error) {
					if strings.HasPrefix(name, "hf") {
						return nil, "nothing", tt.err
					}
					return []feeds.Item{{GUID: name}}, "one item", nil
				}
				want := "hf:1 arxiv:1 hf:2 arxiv:2"
				if tt.spare {
					want = "hf:1 arxiv:1 arxiv:2"
				}
				if got := d.run(t, 9, "hf:1 arxiv:1", "hf:2 arxiv:2"); got != want {
					t.Errorf("asked %s, want %s", got, want)
				}
				if a := d.answers["hf:1"]; a.Words != tt.words || a.Expires.Sub(a.Fetched) != tt.holds {
					t.Errorf("kept %+v", a)
				}
				if len(d.stored) != 2 {
					t.Errorf("%d arrivals stored, want those of arxiv", len(d.stored))
				}
				time.Sleep(tt.holds)
				again := "hf:1 hf:2"
				if tt.spare {
					again = "hf:1"
				}
				if got := d.run(t, 9, "hf:1 arxiv:1", "hf:2 arxiv:2"); got != again {
					t.Errorf("asked later: %s, want %s", got, again)
				}
			})
		})
	}
}

// A failure is not asked about again in the same six hours.
func TestLookupFailureHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{notebook: newNotebook()}
		d.ask = func(context.Context, string) ([]feeds.Item, string, error) { return nil, "", errors.New("HTTP 500") }
		for hours, want := range []string{"gh:x", "", "", "", "", "", "gh:x", ""} {
			if got := d.run(t, 9, "gh:x"); got != want {
				t.Errorf("after %d hours: asked %q, want %q", hours, got, want)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestLookupsStop(t *testing.T) {
	// ctx ends in the middle of a question: it stays open, and nothing is kept of it.
	d := &desk{notebook: newNotebook()}
	ctx, cancel := context.WithCancel(t.Context())
	d.ask = func(_ context.Context, name string) ([]feeds.Item, string, error) {
		if name == "arxiv:2" {
			cancel()
			return nil, "", ctx.Err()
		}
		return []feeds.Item{{GUID: name}}, "one item", nil
	}
	noted := 0
	l := d.lookups()
	l.Note = func(Question, string, error) { noted++ }
	if n, err := l.Run(ctx, asWorks("arxiv:1 arxiv:2 arxiv:3"), 9); n != 2 || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "arxiv:2") {
		t.Errorf("canceled: %d, %v", n, err)
	}
	if len(d.answers) != 1 || len(d.stored) != 1 || noted != 1 {
		t.Errorf("%d answers, %d arrivals, %d noted; want those of the first question", len(d.answers), len(d.stored), noted)
	}
	d.ask = nil
	if got := d.run(t, 9, "arxiv:1 arxiv:2 arxiv:3"); got != "arxiv:2 arxiv:3" {
		t.Errorf("resumed: %s", got)
	}
	// Storage fails: an answer is never noted before its items are stored.
	full := errors.New("disk full")
	for _, method := range []string{"Unanswered", "Answer", "Ingest"} {
		d := &desk{notebook: newNotebook()}
		d.fail[method] = full
		if _, err := d.lookups().Run(t.Context(), asWorks("hf:1", "hf:2"), 9); !errors.Is(err, full) || len(d.answers) != 0 || len(d.asked) > 1 {
			t.Errorf("%s fails: %v, %d answers, asked %q", method, err, len(d.answers), d.asked)
		}
		d.fail = map[string]error{}
		if got := d.run(t, 9, "hf:1", "hf:2"); got != "hf:1 hf:2" {
			t.Errorf("after %s failed: asked %s", method, got)
		}
	}
}
