package arxiv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// feedFunc is a reader of feeds in three lines.
type feedFunc func(src feeds.Source, last feeds.State) (feeds.Pull, error)

func (f feedFunc) Collect(_ context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	return f(src, last)
}

func TestCollectorGate(t *testing.T) {
	gate := &countingGate{}
	c := Collector{Gate: gate, Feed: feedFunc(func(feeds.Source, feeds.State) (feeds.Pull, error) {
		if gate.inside != 1 {
			t.Errorf("asked while %d inside the gate", gate.inside)
		}
		return feeds.Pull{}, &feeds.Trouble{Kind: feeds.TroubleLimited}
	})}
	_, err := c.Collect(t.Context(), feeds.Source{ID: "arxiv:cs.CL", Kind: feeds.KindArXiv}, feeds.State{})
	if feeds.TroubleOf(err) != feeds.TroubleLimited {
		t.Errorf("trouble came back as %v", err)
	}
	if gate.inside != 0 || gate.keys[GateKey] != 1 {
		t.Errorf("gate: %+v", gate)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Collect(ctx, feeds.Source{Kind: feeds.KindArXiv}, feeds.State{}); !errors.Is(err, context.Canceled) {
		t.Errorf("at a shut gate: %v", err)
	}
}

func TestCollectorErrorAsAFeed(t *testing.T) {
	c := Collector{Gate: &countingGate{}, Feed: feedFunc(func(feeds.Source, feeds.State) (feeds.Pull, error) {
		return feeds.Pull{Entries: 1, Items: []feeds.Item{{GUID: "http://arxiv.org/api/errors#x", Title: "Error", Summary: "max_results must be an integer"}}}, nil
	})}
	for _, kind := range []feeds.SourceKind{feeds.KindArXiv, feeds.KindArXivQuery} {
		pull, err := c.Collect(t.Context(), feeds.Source{ID: "arxiv:q", Kind: kind}, feeds.State{})
		if feeds.TroubleOf(err) != feeds.TroubleRefused || !strings.Contains(err.Error(), "max_results must be an integer") {
			t.Errorf("%s: %v", kind, err)
		}
		if len(pull.Items) != 0 {
			t.Errorf("%s: the error came out as an item too", kind)
		}
	}
}

func TestCollectorPages(t *testing.T) {
	src := feeds.Source{ID: "arxiv:q", Kind: feeds.KindArXivQuery, URL: QueryURL(QueryBase, "cat:cs.CL", 0, 1200)}
	tests := []struct {
		name    string
		entries []int // of each page
		known   int   // of them, on page 1
		asked   string
		items   int
	}{
		{"all of it, in pages", []int{500, 500, 500}, 0, "0+500 500+500 1000+500", 1500},
		{"until a page is not full", []int{500, 100}, 0, "0+500 500+500", 600},
		{"until something is known", []int{500, 500}, 499, "0+500", 1},
		{"nothing", []int{0}, 0, "0+500", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gate := &countingGate{}
			var asked []string
			c := Collector{Gate: gate, Feed: feedFunc(func(s feeds.Source, last feeds.State) (feeds.Pull, error) {
				n := len(asked)
				u, err := url.Parse(s.URL)
				if err != nil {
					t.Fatal(err)
				}
				asked = append(asked, u.Query().Get("start")+"+"+u.Query().Get("max_results"))
				p := feeds.Pull{Entries: tt.entries[n], State: feeds.State{ETag: fmt.Sprint(n)}}
				fresh := tt.entries[n]
				if n == 0 {
					fresh -= tt.known
				} else if last.ETag != "" {
					t.Error("page 1's state was handed to a later page")
				}
				for i := range fresh {
					p.Items = append(p.Items, feeds.Item{GUID: fmt.Sprintf("%d/%d", n, i)})
				}
				return p, nil
			})}
			pull, err := c.Collect(t.Context(), src, feeds.State{})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(asked, " "); got != tt.asked || len(pull.Items) != tt.items {
				t.Errorf("asked %s, %d items; want %s, %d", got, len(pull.Items), tt.asked, tt.items)
			}
			if gate.entered != len(asked) || gate.most > 1 {
				t.Errorf("%d requests in %d passes of the gate, %d at once", len(asked), gate.entered, gate.most)
			}
			if pull.State.ETag != "0" {
				t.Errorf("state of page %s kept, want page 1's", pull.State.ETag)
			}
		})
	}
}

func TestCollectorPageFails(t *testing.T) {
	n := 0
	c := Collector{Gate: &countingGate{}, Feed: feedFunc(func(feeds.Source, feeds.State) (feeds.Pull, error) {
		if n++; n == 2 {
			return feeds.Pull{}, &feeds.Trouble{Kind: feeds.TroubleLimited}
		}
		return feeds.Pull{Entries: PageSize, Items: make([]feeds.Item, PageSize)}, nil
	})}
	pull, err := c.Collect(t.Context(), feeds.Source{Kind: feeds.KindArXivQuery, URL: QueryURL(QueryBase, "x", 0, 1000)}, feeds.State{})
	if feeds.TroubleOf(err) != feeds.TroubleLimited || len(pull.Items) != 0 {
		t.Errorf("got %d items and %v", len(pull.Items), err)
	}
}

func TestQueryOfOnePageIsAskedAsItIs(t *testing.T) {
	const raw = "https://export.arxiv.org/api/query?id_list=2501.12948"
	c := Collector{Gate: &countingGate{}, Feed: feedFunc(func(s feeds.Source, _ feeds.State) (feeds.Pull, error) {
		if s.URL != raw {
			t.Errorf("asked %s", s.URL)
		}
		return feeds.Pull{Entries: 1}, nil
	})}
	if _, err := c.Collect(t.Context(), feeds.Source{Kind: feeds.KindArXivQuery, URL: raw}, feeds.State{}); err != nil {
		t.Error(err)
	}
}

// TestQuietAndStale lives through two weeks in a bubble, whose clock begins on
// Saturday 2000-01-01 UTC.
func TestQuietAndStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := feeds.Pull{}
		c := Collector{Gate: &countingGate{}, Feed: feedFunc(func(_ feeds.Source, last feeds.State) (feeds.Pull, error) {
			if last.Cursor != "" {
				t.Errorf("the feed reader was handed our cursor %q", last.Cursor)
			}
			return answer, nil
		})}
		src := feeds.Source{ID: "arxiv:cs.CL", Kind: feeds.KindArXiv}
		var state feeds.State
		visit := func(at string, p feeds.Pull) feeds.Pull {
			t.Helper()
			when, err := time.ParseInLocation("2006-01-02 15:04", at, eastern)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(when))
			answer = p
			got, err := c.Collect(t.Context(), src, state)
			if err != nil {
				t.Fatal(err)
			}
			state = got.State
			return got
		}
		item := func(day string) []feeds.Item {
			d, err := time.ParseInLocation(time.DateOnly, day, eastern)
			if err != nil {
				t.Fatal(err)
			}
			return []feeds.Item{{GUID: "arxiv:0001.00001", Published: d}}
		}

		if p := visit("2000-01-08 12:00", feeds.Pull{}); !p.Unchanged || len(p.Faults) != 0 {
			t.Errorf("empty on a Saturday: %+v", p)
		}
		if p := visit("2000-01-10 00:30", feeds.Pull{}); !p.Unchanged || len(p.Faults) != 0 {
			t.Errorf("empty half an hour after midnight: %+v", p)
		}
		if p := visit("2000-01-10 12:00", feeds.Pull{}); p.Unchanged || len(p.Faults) != 1 {
			t.Errorf("empty on a Monday: %+v", p)
		}
		if p := visit("2000-01-10 13:00", feeds.Pull{Entries: 1, Items: item("2000-01-10")}); len(p.Faults) != 0 || len(p.Items) != 1 {
			t.Errorf("Monday's batch: %+v", p)
		}
		if p := visit("2000-01-11 12:00", feeds.Pull{Entries: 1}); len(p.Faults) != 1 || !strings.Contains(p.Faults[0], "stale") {
			t.Errorf("Monday's batch rebuilt on Tuesday: %+v", p)
		}
		if p := visit("2000-01-11 13:00", feeds.Pull{Unchanged: true}); len(p.Faults) != 0 {
			t.Errorf("unchanged: %+v", p)
		}
		if p := visit("2000-01-14 12:00", feeds.Pull{Entries: 1, Items: item("2000-01-14")}); len(p.Faults) != 0 {
			t.Errorf("Friday's batch: %+v", p)
		}
		if p := visit("2000-01-17 12:00", feeds.Pull{Entries: 1}); len(p.Faults) != 0 {
			t.Errorf("Friday's batch on Martin Luther King Day: %+v", p)
		}
	})
}

func TestAnnounces(t *testing.T) {
	// Deferred mailings that arXiv has named: https://info.arxiv.org/help/availability.html#holiday
	for _, day := range []string{"2023-01-16", "2023-06-19", "2023-07-04", "2023-09-04", "2023-11-23", "2023-12-25", "2023-12-27", "2026-04-25", "2026-04-26", "2027-07-05"} {
		if d := mustDay(t, day); announces(d) {
			t.Errorf("%s: a batch is expected", day)
		}
	}
	for _, day := range []string{"2026-04-27", "2026-11-23", "2026-11-30", "2026-12-23", "2027-01-04", "2026-06-22", "2026-09-14", "2026-05-18"} {
		if d := mustDay(t, day); !announces(d) {
			t.Errorf("%s: no batch is expected", day)
		}
	}
}

func mustDay(t *testing.T, s string) time.Time {
	t.Helper()
	d, err := time.ParseInLocation(time.DateOnly, s, eastern)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestURLs(t *testing.T) {
	if got, want := ListingURL(ListingBase+"/", "cs.CL", "", "cs.LG"), "https://rss.arxiv.org/rss/cs.CL+cs.LG"; got != want {
		t.Errorf("ListingURL = %s, want %s", got, want)
	}
	got := QueryURL(QueryBase, `cat:cs.CL AND abs:"test time"`, -1, 9999)
	want := "https://export.arxiv.org/api/query?max_results=2000&search_query=cat%3Acs.CL+AND+abs%3A%22test+time%22&sortBy=submittedDate&sortOrder=descending&start=0"
	if got != want {
		t.Errorf("QueryURL = %s, want %s", got, want)
	}
}

func TestLicense(t *testing.T) {
	tests := map[string]string{
		"http://creativecommons.org/licenses/by/4.0/":                "CC-BY-4.0",
		"https://creativecommons.org/licenses/by-sa/4.0":             "CC-BY-SA-4.0",
		"http://creativecommons.org/licenses/by-nc-sa/4.0/":          "CC-BY-NC-SA-4.0",
		"http://creativecommons.org/licenses/by-nc-nd/4.0/legalcode": "CC-BY-NC-ND-4.0",
		"http://creativecommons.org/publicdomain/zero/1.0/":          "CC0-1.0",
		"http://arxiv.org/licenses/nonexclusive-distrib/1.0/":        "LicenseRef-arXiv-nonexclusive-1.0",
		"http://arxiv.org/licenses/assumed-1991-2003/":               "LicenseRef-arXiv-assumed-1991-2003",
		"https://creativecommons.org/licenses/by/3.0/":               "CC-BY-3.0",
		"https://evil.example/creativecommons.org/licenses/by/4.0/":  "",
		"CC BY 4.0": "", "": "", "ftp://creativecommons.org/licenses/by/4.0/": "",
	}
	for in, want := range tests {
		if got, ok := License(in); got != want || ok != (want != "") {
			t.Errorf("License(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestMemory(t *testing.T) {
	for _, m := range []memory{{}, {Feed: "x"}, {Batch: "2026-04-27"}, {Feed: `{"a":1}`, Batch: "2026-04-27"}} {
		if diff := cmp.Diff(m, readMemory(m.String())); diff != "" {
			t.Errorf("memory (-want +got):\n%s", diff)
		}
	}
	if m := readMemory("somebody else's"); m.Feed != "somebody else's" {
		t.Errorf("a cursor that is not ours: %+v", m)
	}
}
