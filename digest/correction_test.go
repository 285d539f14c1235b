package digest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// An amended story says what its work is now, below where it stood, and nothing else
// moves.
func TestAmend(t *testing.T) {
	day := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	old := Story{Work: "w1", Title: "As it was titled", Line: "A sentence.", Also: []StoryLink{{Name: "arXiv"}}, Badge: Badge{Openness: feeds.OpenWeights, License: "MIT"}, Labs: []StoryLab{{Name: "Lab", Country: "DE"}}}
	other := Story{Work: "w2", Title: "Another", Badge: Badge{License: "MIT"}}
	d := Digest{
		Title: "This week", Numbers: Numbers{Works: 2, Open: 2}, Balance: Balance{Counting: Counting{View: feeds.ViewControl}},
		Sections: []Section{{Key: SectionOpen, Stories: []Story{old, other}}, {Key: SectionRelicensed, Stories: []Story{old}}},
	}
	w := Work{
		ID: "w9", Title: "As it is titled now",
		Tags: feeds.Tags{
			Openness: feeds.Restricted, License: "CC-BY-NC-4.0", Badge: feeds.Weights,
			Labs: []feeds.Attribution{{Name: "Lab", Role: feeds.RoleReleaser, Home: "FR", Control: "US"}},
		},
	}
	relicensed := func(n int, from, to string) Erratum {
		return Erratum{At: day.AddDate(0, 0, n), Kind: EventRelicensed, What: "weights", From: from, To: to}
	}
	corrected := func(n int, to string) Erratum {
		return Erratum{At: day.AddDate(0, 0, n), Kind: EventCorrected, What: "country", To: to, By: "Ada"}
	}
	for _, tt := range []struct {
		name   string
		errata []Erratum
		want   string // errata as they are told
		moved  int    // days until the last
	}{
		{"one", []Erratum{relicensed(1, "MIT", "NC")}, "relicensed MIT→NC", 1},
		{"the latest of a field", []Erratum{corrected(1, "DE"), corrected(2, "FR")}, "corrected →FR", 2},
		{"taken back", []Erratum{corrected(1, "DE"), corrected(2, "")}, "corrected →", 2},
		{"two steps are one", []Erratum{relicensed(1, "MIT", "X"), relicensed(3, "X", "NC")}, "relicensed MIT→NC", 3},
		{"there and back", []Erratum{relicensed(1, "MIT", "X"), relicensed(3, "X", "MIT")}, "", 0},
		{"of two kinds, in order", []Erratum{relicensed(4, "MIT", "NC"), corrected(2, "FR")}, "corrected →FR relicensed MIT→NC", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Amend(d, map[WorkID]Work{"w1": w}, map[WorkID][]Erratum{"w1": tt.errata})
			s := got.Sections[0].Stories[0]
			var told []string
			for _, e := range s.Errata {
				told = append(told, fmt.Sprintf("%s %s→%s", e.Kind, e.From, e.To))
			}
			if strings.Join(told, " ") != tt.want {
				t.Errorf("told %q, want %q", told, tt.want)
			}
			if tt.want == "" {
				if d := cmp.Diff(d, got); d != "" {
					t.Errorf("nothing changed (-want +got):\n%s", d)
				}
				return
			}
			want := old
			want.Badge, want.Labs, want.Errata = Badge{Openness: feeds.Restricted, Artifact: feeds.Weights, License: "CC-BY-NC-4.0"}, []StoryLab{{Name: "Lab", Country: "US"}}, s.Errata
			if d := cmp.Diff(want, s); d != "" {
				t.Errorf("the story (-want +got):\n%s", d)
			}
			if d := cmp.Diff(got.Sections[0].Stories[0], got.Sections[1].Stories[0]); d != "" {
				t.Errorf("told twice, it is told differently:\n%s", d)
			}
			if d := cmp.Diff(other, got.Sections[0].Stories[1]); d != "" {
				t.Errorf("another story moved:\n%s", d)
			}
			if got.Numbers != d.Numbers || !got.Amended.Equal(day.AddDate(0, 0, tt.moved)) {
				t.Errorf("numbers %+v, amended %v", got.Numbers, got.Amended)
			}
		})
	}
	if d := d.Sections[0].Stories[0]; d.Errata != nil || d.Badge.License != "MIT" {
		t.Error("what was said has changed")
	}
	// A work that is gone is told as before, and says why it was wrong.
	gone := Amend(d, nil, map[WorkID][]Erratum{"w1": {corrected(1, "FR")}}).Sections[0].Stories[0]
	if gone.Badge.License != "MIT" || len(gone.Errata) != 1 {
		t.Errorf("of a work that is gone: %+v", gone)
	}
}

func TestKeeper(t *testing.T) {
	in := func(workspace string) Destination {
		return Destination{Platform: "p", Workspace: workspace, Channel: "c"}
	}
	for _, tt := range []struct {
		name   string
		k      Keeper
		in     Destination
		person string
		want   bool
	}{
		{"the only workspace", Keeper{}, in("w"), "ada", true},
		{"one of several", Keeper{Others: true}, in("w"), "ada", false},
		{"named", Keeper{Names: []string{"p/w"}, Others: true}, in("w"), "ada", true},
		{"another is named", Keeper{Names: []string{"p/other"}}, in("w"), "ada", false},
		{"of another platform", Keeper{Names: []string{"q/w"}}, in("w"), "ada", false},
		{"named in person", Keeper{Names: []string{"p/w/ada"}, Others: true}, in("w"), "ada", true},
		{"a colleague is named", Keeper{Names: []string{"p/w/ben"}}, in("w"), "ada", false},
		{"of that name elsewhere", Keeper{Names: []string{"p/w/ada"}}, in("other"), "ada", false},
		{"without a workspace", Keeper{}, Destination{Platform: "p", Channel: "ada", Direct: true}, "ada", false},
		{"without a workspace, and a name that ends early", Keeper{Names: []string{"p/"}}, Destination{Platform: "p", Direct: true}, "ada", false},
		{"a workspace of one's own", Keeper{}, Destination{Platform: "p", Workspace: "@ada", Channel: "@ada", Direct: true}, "ada", false},
		{"directly, in the only workspace", Keeper{}, Destination{Platform: "p", Workspace: "w", Channel: "ada", Direct: true}, "ada", true},
		{"nobody", Keeper{Names: []string{"p/w/"}}, in("w"), "", false},
	} {
		if got := tt.k.Holds(tt.in, tt.person); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
