package digest

import (
	"strings"
	"testing"
	"time"
)

func TestWrong(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	tests := []struct {
		name string
		c    Condition
		want []string // name, then a part of what is said
	}{
		{"nothing is known", Condition{}, nil},
		{"a source that answers, one that is quiet, one that is paused, one that broke lately", Condition{Sources: []SourceHealth{
			{ID: "a", LastGood: now}, {ID: "b", LastGood: now, LastItem: ago(300)}, {ID: "c", LastGood: ago(30), Failures: 9, Paused: true}, {ID: "d", LastGood: ago(6), Failures: 9},
		}}, nil},
		{
			"a source that has been broken for a week",
			Condition{Sources: []SourceHealth{{ID: "d", Title: "D", LastGood: ago(7), Failures: 9, Trouble: "it took too long"}}},
			[]string{"source:d", "D can't be read: it took too long; it last answered on 19 November 2026"},
		},
		{
			"a source that never answered",
			Condition{Sources: []SourceHealth{{ID: "d", Failures: 11}, {ID: "e", Failures: 10}}},
			[]string{"source:d", "d can't be read: no reason is known; it never answered"},
		},
		{
			"dead messages",
			Condition{Dead: []DeadLane{{"p", "w", 3, "the channel is archived"}, {"q", "", 1, "no"}}},
			[]string{"delivery:p/w", "3 messages were refused for ever by p w: the channel is archived", "delivery:q/", "A message was refused for ever by q: no"},
		},
		{
			"a service that refuses since yesterday",
			Condition{Refused: map[string]time.Time{"github": ago(1), "arxiv": ago(1).Add(time.Minute)}},
			[]string{"lookup:github", "since 25 November 2026 12:00 UTC"},
		},
		{"room on the disk", Condition{Disk: Disk{6 << 30, 1 << 50}}, nil},
		{"room on a small disk", Condition{Disk: Disk{300 << 20, 1 << 30}}, nil},
		{"a disk with little room", Condition{Disk: Disk{4 << 30, 100 << 30}}, []string{"disk:database", "4.0 of 100 GB are free"}},
		{"a small disk with little room", Condition{Disk: Disk{255 << 20, 1 << 30}}, []string{"disk:database", "0.2 of 1 GB are free"}},
		{"jobs", Condition{Jobs: map[string]int{"pull": 2, "compose": 0}}, []string{"job:pull", "2 jobs of kind pull"}},
		{"a clock that is off a little", Condition{Clock: -ClockMost}, nil},
		{"a clock that is ahead", Condition{Clock: 3 * time.Minute}, []string{"clock:here", "3m0s ahead of others'"}},
		{"a clock that is behind", Condition{Clock: -time.Hour}, []string{"clock:here", "1h0m0s behind others'"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.c.Wrong(now)
			if len(got) != len(tt.want)/2 {
				t.Fatalf("%d incidents, want %d: %+v", len(got), len(tt.want)/2, got)
			}
			for i, g := range got {
				if g.Name != tt.want[2*i] || !strings.Contains(g.Say, tt.want[2*i+1]) {
					t.Errorf("%s: %s", g.Name, g.Say)
				}
				if g.Hint == "" || !strings.HasPrefix(g.Name, string(g.Kind)+":") {
					t.Errorf("%s says not what to do, or is of the wrong kind: %+v", g.Name, g)
				}
			}
		})
	}
}
