package digest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

var (
	weekOf = Period{From: january, To: january.AddDate(0, 0, 7)}
	noon   = january.AddDate(0, 0, 7)
)

// piece is a work of the week with an artifact of a class.
func piece(n int, o feeds.Openness, badge feeds.ArtifactKind, labs ...feeds.Attribution) Work {
	w := made(o, labs...)
	w.ID, w.Title, w.URL = WorkID(fmt.Sprintf("w%010d", n)), fmt.Sprintf("Work number %d", n), fmt.Sprintf("https://example.org/%d", n)
	w.First, w.Badge = january.Add(time.Duration(n)*time.Minute), badge
	w.News = w.First
	w.Places = []Place{{Source: "feed:x", Kind: feeds.ItemPost, URL: w.URL, Date: w.First}}
	return w
}

func sectionsOf(d Digest) map[SectionKey][]WorkID {
	out := map[SectionKey][]WorkID{}
	for _, s := range d.Sections {
		for _, st := range s.Stories {
			out[s.Key] = append(out[s.Key], st.Work)
		}
	}
	return out
}

func TestComposeSections(t *testing.T) {
	paper := piece(5, feeds.Unknown, "")
	paper.Places[0].Kind = feeds.ItemPaper
	relicensed := piece(7, feeds.OpenWeights, feeds.Weights)
	relicensed.First = january.AddDate(0, -6, 0)
	relicensed.News = relicensed.First
	relicensed.Events = []Event{{At: january.AddDate(0, 0, 2), Kind: EventRelicensed, From: "X (restricted)", To: "MIT (open-weights)", Detail: "weights"}}
	earlier := relicensed
	earlier.ID, earlier.Events = "w0000000008", []Event{{At: january.AddDate(0, 0, -1), Kind: EventRelicensed}}
	works := []Work{
		piece(1, feeds.OpenWeights, feeds.Weights), piece(2, feeds.Restricted, feeds.Weights), piece(3, feeds.Closed, feeds.Hosted),
		piece(4, feeds.Unknown, feeds.Weights), paper, piece(6, feeds.Unknown, ""), relicensed, earlier,
	}
	d := Compose(Plan{Title: "t", Period: weekOf}, works, noon)
	want := map[SectionKey][]WorkID{
		SectionOpen: {"w0000000001"}, SectionRestricted: {"w0000000002"}, SectionClosed: {"w0000000003"}, SectionUnclear: {"w0000000004"},
		SectionPapers: {"w0000000005"}, SectionNews: {"w0000000006"}, SectionRelicensed: {"w0000000007"},
	}
	if diff := cmp.Diff(want, sectionsOf(d)); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if d.Numbers.Works != 6 || d.Numbers.Open != 1 {
		t.Errorf("%d works, %d open; want 6, 1: a relicensed work of last year is not of this week", d.Numbers.Works, d.Numbers.Open)
	}
	if first := d.Sections[0].Key; first != SectionOpen {
		t.Errorf("the first section is %s", first)
	}
}

func TestComposeCountsWhatItDoesNotShow(t *testing.T) {
	var works []Work
	for i := range 40 {
		works = append(works, piece(i, feeds.OpenWeights, feeds.Weights))
	}
	s := Compose(Plan{Period: weekOf}, works, noon).Sections[0]
	if len(s.Stories) != mostOf(SectionOpen) || len(s.Stories)+s.More != 40 {
		t.Errorf("%d shown and %d more, want 40 together", len(s.Stories), s.More)
	}
}

// Quiet is not broken, and neither is not having been looked at.
func TestComposeSmallPrint(t *testing.T) {
	inWeek := january.AddDate(0, 0, 3)
	d := Compose(Plan{Period: weekOf, Sources: []SourceHealth{
		{ID: "a", Title: "talks", LastLook: inWeek, LastGood: inWeek, LastItem: inWeek},
		{ID: "b", Title: "quiet", LastLook: inWeek, LastGood: inWeek, LastItem: january.AddDate(0, -1, 0)},
		{ID: "c", Title: "broken", LastLook: inWeek, LastGood: january.AddDate(0, 0, -9), Failures: 3, Trouble: "timeout"},
		{ID: "d", Title: "paused", Paused: true, LastLook: inWeek, Failures: 1},
		{ID: "e", Title: "never looked at"},
		{ID: "f", Title: "not looked at this week", LastLook: january.AddDate(0, 0, -1), LastGood: january.AddDate(0, 0, -1)},
		{ID: "g", Title: "has spoken since, and perhaps then", LastLook: january.AddDate(0, 3, 0), LastGood: inWeek, LastItem: january.AddDate(0, 2, 0)},
		{ID: "feed:https://never.example/feed", LastLook: inWeek, Failures: 1, Trouble: "not a feed"},
	}}, nil, noon)
	want := SmallPrint{
		Looked: 3, Quiet: []string{"quiet"}, Rule: RuleShare.Explain(),
		Broken: []Broken{{Title: "broken", Why: "timeout", Since: january.AddDate(0, 0, -9)}, {Title: "never.example/feed", Why: "not a feed"}},
	}
	if diff := cmp.Diff(want, d.Small); diff != "" {
		t.Errorf("small print (-want +got):\n%s", diff)
	}
}

func TestComposeIsDeterministic(t *testing.T) {
	works := []Work{Fold(r1(), nil, nil), piece(2, feeds.Restricted, feeds.Weights, lab("meta-ai", feeds.RoleReleaser, feeds.Publisher, "US"))}
	plan := Plan{Title: "t", Period: weekOf, Sources: []SourceHealth{{ID: "hf:deepseek-ai", Title: "DeepSeek on Hugging Face", LastLook: noon, LastGood: noon}}}
	first, err := json.Marshal(Compose(plan, works, noon))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, _ := json.Marshal(Compose(plan, works, noon))
		if string(first) != string(again) {
			t.Fatalf("two digests of the same week:\n%s\n%s", first, again)
		}
	}
	if strings.Contains(string(first), "lookup:") {
		t.Error("a look-up is told as a place")
	}
}

func TestStoryNamesPlacesOnce(t *testing.T) {
	w := Fold(r1(), nil, nil)
	s := StoryOf(w)
	want := []StoryLink{
		{"Hugging Face", "https://huggingface.co/deepseek-ai/DeepSeek-R1"},
		{"news.example", "https://news.example/r1"},
		{"GitHub", "https://github.com/deepseek-ai/DeepSeek-R1"},
	}
	if diff := cmp.Diff(want, s.Also); diff != "" {
		t.Errorf("also (-want +got):\n%s", diff)
	}
}

func TestProfileMay(t *testing.T) {
	for _, tt := range []struct {
		name    string
		profile Profile
		o       feeds.Openness
		flags   []feeds.Flag
		want    Verdict
	}{
		{"open to all", Profile{Commercial: true, EU: true, Large: true}, feeds.OpenWeights, nil, VerdictYes},
		{"unknown is never yes", Profile{}, feeds.Unknown, nil, VerdictAsk},
		{"closed", Profile{}, feeds.Closed, []feeds.Flag{feeds.FlagAPI}, VerdictNo},
		{"non-commercial, for a company", Profile{Commercial: true}, feeds.Restricted, []feeds.Flag{feeds.FlagNonCommercial}, VerdictNo},
		{"non-commercial, for a student", Profile{}, feeds.Restricted, []feeds.Flag{feeds.FlagNonCommercial}, VerdictYes},
		{"not licensed in the EU", Profile{EU: true}, feeds.Restricted, []feeds.Flag{feeds.FlagTerritory, feeds.FlagScale}, VerdictNo},
		{"a limit that a large one may meet", Profile{Large: true}, feeds.Restricted, []feeds.Flag{feeds.FlagScale}, VerdictAsk},
		{"no outweighs ask", Profile{Commercial: true, Large: true}, feeds.Restricted, []feeds.Flag{feeds.FlagNonCommercial, feeds.FlagScale}, VerdictNo},
		{"a gate", Profile{}, feeds.Restricted, []feeds.Flag{feeds.FlagGatedManual}, VerdictAsk},
	} {
		if got, _ := tt.profile.May(tt.o, tt.flags); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	var works []Work
	for i := range 2000 {
		works = append(works, piece(i, feeds.Openness(i%5), feeds.Weights, lab("meta-ai", feeds.RoleReleaser, feeds.Publisher, "US")))
	}
	for b.Loop() {
		Compose(Plan{Period: weekOf}, works, noon)
	}
}
