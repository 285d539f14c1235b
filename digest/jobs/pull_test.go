package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// A shelf keeps what is written in memory, by the promises of [Shelf].
type shelf struct {
	mu      sync.Mutex
	states  map[feeds.SourceID]feeds.State
	batches [][]digest.Arrival
	visits  [][]digest.Visit
	fail    map[string]error // by method
}

func newShelf() *shelf {
	return &shelf{states: map[feeds.SourceID]feeds.State{}, fail: map[string]error{}}
}

func (s *shelf) State(_ context.Context, id feeds.SourceID) (feeds.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[id], s.fail["State"]
}

func (s *shelf) Ingest(_ context.Context, batch []digest.Arrival) (in digest.Ingested, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail["Ingest"]; err != nil {
		return in, err
	}
	s.batches = append(s.batches, slices.Clone(batch))
	for _, a := range batch {
		in.Items += len(a.Entries)
		s.states[a.Source.ID] = a.Pull.State
	}
	return in, nil
}

func (s *shelf) Looked(_ context.Context, visits []digest.Visit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail["Looked"]; err != nil {
		return err
	}
	s.visits = append(s.visits, slices.Clone(visits))
	return nil
}

// A reader is a collector that does as it is told.
type reader func(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error)

func (r reader) Collect(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	return r(ctx, src, last)
}

// items makes a pull of n items.
func items(src feeds.Source, n int) feeds.Pull {
	p := feeds.Pull{State: feeds.State{ETag: "1"}}
	for i := range n {
		guid := fmt.Sprint(i)
		p.Items = append(p.Items, feeds.Item{ID: feeds.NewItemID(src.ID, guid), Source: src.ID, GUID: guid, Title: string(src.ID) + " " + guid})
	}
	return p
}

func sourcesOf(kind feeds.SourceKind, ids ...string) (out []feeds.Source) {
	for _, id := range ids {
		out = append(out, feeds.Source{ID: feeds.SourceID(id), Kind: kind, Lab: "lab-" + feeds.LabID(id), Official: id == "official"})
	}
	return out
}

func puller(s *shelf, r reader) *Puller {
	return &Puller{
		Shelf: s, Collectors: map[feeds.SourceKind]feeds.Collector{feeds.KindFeed: r, feeds.KindArXiv: r}, Lanes: 4,
		Tag: func(it feeds.Item) feeds.Tags { return feeds.Tags{License: "of " + it.Title} },
	}
}

// noted returns what Looked was told, by source.
func (s *shelf) noted() map[feeds.SourceID]digest.Visit {
	out := map[feeds.SourceID]digest.Visit{}
	for _, vs := range s.visits {
		for _, v := range vs {
			out[v.Source] = v
		}
	}
	return out
}

// Every kind of trouble that a source can make, and two good ones among them.
func TestPullTroubleStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.states["unchanged"], s.states["rewritten"] = feeds.State{ETag: "1"}, feeds.State{Body: "old", Entries: []byte("12345678")}
		p := puller(s, func(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
			switch src.ID {
			case "limited":
				return feeds.Pull{}, &feeds.Trouble{Kind: feeds.TroubleLimited, Source: src.ID, Status: 429, RetryAfter: 90 * time.Second}
			case "gone":
				return feeds.Pull{}, fmt.Errorf("collecting: %w", &feeds.Trouble{Kind: feeds.TroubleGone, Source: src.ID, Status: 404})
			case "plain":
				return feeds.Pull{}, errors.New("strange")
			case "panics":
				panic("poison")
			case "unchanged":
				return feeds.Pull{Unchanged: true, State: last, NotBefore: time.Now().Add(time.Hour), MovedTo: "https://new.example"}, nil
			case "rewritten":
				return feeds.Pull{Unchanged: true, State: feeds.State{Body: "new", Entries: []byte("12345678")}}, nil
			case "faulty":
				pull := items(src, 1)
				pull.Faults = []string{"an entry without a link"}
				return pull, nil
			}
			return items(src, 3), nil
		})
		var progress []string
		p.Progress = func(at Progress) {
			if at.Done != len(progress)+1 || at.Of != 9 {
				t.Errorf("progress %d of %d after %d", at.Done, at.Of, len(progress))
			}
			progress = append(progress, string(at.Source.ID))
		}
		all := append(sourcesOf(feeds.KindFeed, "limited", "gone", "plain", "panics", "unchanged", "rewritten", "faulty", "official"), sourcesOf("smoke-signal", "unread")...)
		round, err := p.Pull(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		if round.Sources != 9 || round.Unchanged != 2 || round.Brought != 2 || len(round.Failed) != 5 || len(round.Faults) != 1 || round.Items != 4 {
			t.Errorf("the round: %+v", round)
		}
		if len(s.batches) != 1 || len(s.visits) != 1 || len(progress) != 9 {
			t.Errorf("%d writes of arrivals, %d of visits, %d calls of progress; want one, one, 9", len(s.batches), len(s.visits), len(progress))
		}
		now := time.Now()
		want := map[feeds.SourceID]digest.Visit{
			"limited":   {Trouble: feeds.TroubleLimited, Words: "limited, HTTP 429", NotBefore: now.Add(90 * time.Second)},
			"gone":      {Trouble: feeds.TroubleGone, Words: "gone, HTTP 404"},
			"plain":     {Trouble: feeds.TroubleNetwork, Words: "strange"},
			"panics":    {Trouble: feeds.TroubleMalformed, Words: "malformed: reading it panicked: poison"},
			"unchanged": {Unchanged: true, NotBefore: now.Add(time.Hour), MovedTo: "https://new.example"},
			"rewritten": {Unchanged: true, State: feeds.State{Body: "new", Entries: []byte("12345678")}},
			"unread":    {Trouble: feeds.TroubleNetwork, Words: `no collector for sources of kind "smoke-signal"`},
		}
		for id, v := range want {
			v.Source, v.At = id, now
			want[id] = v
		}
		check(t, "visits", want, s.noted())
		for _, a := range s.batches[0] {
			publisher := map[feeds.SourceID]feeds.LabID{"official": "lab-official"}[a.Source.ID]
			for _, e := range a.Entries {
				if e.Item.Publisher != publisher || !e.Item.Seen.Equal(now) || e.Tags.License != "of "+e.Item.Title || len(a.Pull.Items) != 0 {
					t.Errorf("stored %+v", e)
				}
			}
		}
	})
}

// A source that is unchanged costs one line in one write, and no tag.
func TestPullUnchangedWritesOnlyThat(t *testing.T) {
	s := newShelf()
	p := puller(s, func(_ context.Context, _ feeds.Source, last feeds.State) (feeds.Pull, error) {
		return feeds.Pull{Unchanged: true, State: last}, nil
	})
	p.Tag = func(feeds.Item) feeds.Tags { t.Error("tagged"); return feeds.Tags{} }
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	p.Now = func() time.Time { return at }
	var ids []string
	for i := range 300 {
		ids = append(ids, fmt.Sprint(i))
		s.states[feeds.SourceID(fmt.Sprint(i))] = feeds.State{ETag: "1", Entries: []byte{}}
	}
	round, err := p.Pull(t.Context(), sourcesOf(feeds.KindFeed, ids...))
	if err != nil || round.Unchanged != 300 || len(s.batches) != 0 || len(s.visits) != 1 || len(s.visits[0]) != 300 {
		t.Errorf("%+v, %v: %d batches, %d writes of visits", round, err, len(s.batches), len(s.visits))
	}
	for _, v := range s.visits[0] {
		if v.State.ETag != "" || !v.At.Equal(at) {
			t.Fatalf("a state that is the same is written again: %+v", v)
		}
	}
}

func TestPullPanickingTagger(t *testing.T) {
	s := newShelf()
	p := puller(s, func(_ context.Context, src feeds.Source, _ feeds.State) (feeds.Pull, error) {
		return items(src, 3), nil
	})
	p.Tag = func(it feeds.Item) feeds.Tags {
		if it.Title == "b 1" {
			panic("poison")
		}
		return feeds.Tags{License: "MIT"}
	}
	round, err := p.Pull(t.Context(), sourcesOf(feeds.KindFeed, "a", "b", "c"))
	if err != nil || round.Brought != 3 || round.Items != 9 || len(round.Faults) != 1 || !strings.Contains(round.Faults[0].Err.Error(), `"b 1"`) || round.Faults[0].Source.ID != "b" {
		t.Fatalf("%+v, %v", round, err)
	}
	for _, a := range s.batches[0] {
		for _, e := range a.Entries {
			if untagged := e.Tags.License == ""; untagged != (e.Item.Title == "b 1") {
				t.Errorf("%s: untagged %v", e.Item.Title, untagged)
			}
		}
	}
}

// Writes are of batches: none is much larger than it must be, and nothing is left.
func TestPullBatches(t *testing.T) {
	s := newShelf()
	p := puller(s, func(_ context.Context, src feeds.Source, _ feeds.State) (feeds.Pull, error) {
		return items(src, 700), nil
	})
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprint(i))
	}
	round, err := p.Pull(t.Context(), sourcesOf(feeds.KindFeed, ids...))
	var sizes []int
	for _, b := range s.batches {
		sizes = append(sizes, len(b))
	}
	if err != nil || round.Items != 7000 || !slices.Equal(sizes, []int{3, 3, 3, 1}) {
		t.Errorf("%+v, %v: batches of %v sources", round, err, sizes)
	}
}

// Being stopped keeps what was written and stores nothing by halves.
func TestPullCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := puller(s, func(ctx context.Context, src feeds.Source, _ feeds.State) (feeds.Pull, error) {
			if src.ID == "big" {
				return items(src, batchEntries), nil
			}
			<-ctx.Done() // all the others hang
			return feeds.Pull{}, &feeds.Trouble{Kind: feeds.TroubleTimeout, Err: ctx.Err()}
		})
		time.AfterFunc(time.Minute, cancel)
		round, err := p.Pull(ctx, sourcesOf(feeds.KindFeed, "big", "1", "2", "3", "4", "5", "6", "7"))
		if !errors.Is(err, context.Canceled) || round.Items != batchEntries {
			t.Errorf("%+v, %v", round, err)
		}
		if len(s.batches) != 1 || len(s.visits) != 0 {
			t.Errorf("%d batches, %d writes of visits: a source that was cut short has not failed", len(s.batches), len(s.visits))
		}
	})
}

func TestPullStorageFails(t *testing.T) {
	full := errors.New("disk full")
	for _, method := range []string{"Ingest", "Looked"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				s.fail[method] = full
				visited := 0
				p := puller(s, func(_ context.Context, src feeds.Source, _ feeds.State) (feeds.Pull, error) {
					s.mu.Lock()
					visited++
					s.mu.Unlock()
					if src.ID == "unchanged" {
						return feeds.Pull{Unchanged: true}, nil
					}
					return items(src, batchEntries), nil
				})
				ids := []string{"unchanged"}
				for i := range 100 {
					ids = append(ids, fmt.Sprint(i))
				}
				if _, err := p.Pull(t.Context(), sourcesOf(feeds.KindFeed, ids...)); !errors.Is(err, full) {
					t.Errorf("%v", err)
				}
				if visited > 50 {
					t.Errorf("%d sources were visited for a disk that is full", visited)
				}
			})
		})
	}
}

// Slow sources queue for one gate, one at a time, and keep nobody else waiting.
func TestPullSlowLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		began := time.Now()
		var mu sync.Mutex
		at, most, lastFast := map[feeds.SourceKind]int{}, map[feeds.SourceKind]int{}, time.Duration(0)
		p := puller(s, func(_ context.Context, src feeds.Source, _ feeds.State) (feeds.Pull, error) {
			mu.Lock()
			at[src.Kind]++
			most[src.Kind] = max(most[src.Kind], at[src.Kind])
			mu.Unlock()
			wait := time.Second
			if src.Kind == feeds.KindArXiv {
				wait = time.Minute
			}
			time.Sleep(wait)
			mu.Lock()
			defer mu.Unlock()
			at[src.Kind]--
			if src.Kind == feeds.KindFeed {
				lastFast = time.Since(began)
			}
			return items(src, 1), nil
		})
		p.Slow = map[feeds.SourceKind]bool{feeds.KindArXiv: true}
		all := slices.Concat(sourcesOf(feeds.KindArXiv, "a", "b", "c", "d", "e"), sourcesOf(feeds.KindFeed, "1", "2", "3", "4", "5", "6", "7", "8"))
		if _, err := p.Pull(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if most[feeds.KindArXiv] != 1 || most[feeds.KindFeed] != 4 {
			t.Errorf("at a time: %v; want 1 slow, 4 others", most)
		}
		if lastFast != 2*time.Second || time.Since(began) != 5*time.Minute {
			t.Errorf("the others were done after %v, all after %v; want 2s, 5m", lastFast, time.Since(began))
		}
	})
}
