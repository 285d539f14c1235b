package digest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// said is an entry of a work that owns or claims key, and what it says of labs.
func said(id feeds.ItemID, key feeds.Key, labs ...feeds.Attribution) Entry {
	return Entry{
		Item: feeds.Item{
			ID: id, Source: "feed:" + feeds.SourceID(id), Kind: feeds.ItemPost, Title: "A model", URL: "https://" + string(id) + ".example/model",
			Published: january, Seen: january, Keys: []feeds.Key{key},
		},
		Tags: feeds.Tags{Labs: labs},
	}
}

func TestDisputed(t *testing.T) {
	paper := feeds.Key{Scheme: feeds.KeyArXiv, Value: "2501.00001"}
	claim := feeds.Key{Scheme: feeds.KeyArXiv, Value: "2501.00001", Claim: true}
	title := feeds.Key{Scheme: feeds.KeyTitle, Value: "a model of some length"}
	by := func(id feeds.LabID, basis feeds.Basis, home feeds.Country) feeds.Attribution {
		return lab(id, feeds.RoleAuthor, basis, home)
	}
	unnamed := func(name string, home feeds.Country) feeds.Attribution {
		return feeds.Attribution{Name: name, Role: feeds.RoleAuthor, Basis: feeds.Affiliation, Home: home, Control: home}
	}
	linked := by("openai", feeds.Publisher, "US")
	linked.Evidence = []feeds.Evidence{{Field: "summary", Quote: "our code is at github.com/openai/x", Rule: "C2"}}
	for _, tt := range []struct {
		name    string
		entries []Entry
		want    []string // the disputed
	}{
		{"two readings of one paper", []Entry{said("a", paper, by("deepseek", feeds.Affiliation, "CN")), said("b", paper, by("openai", feeds.Affiliation, "US"))}, []string{"deepseek", "openai"}},
		{"two publishers of one thing", []Entry{said("a", paper, by("mistral", feeds.Publisher, "FR")), said("b", paper, by("openai", feeds.Publisher, "US"))}, []string{"mistral", "openai"}},
		{"two texts, each of which says who made it", []Entry{said("a", paper, by("mistral", feeds.Mention, "FR")), said("b", claim, by("openai", feeds.Mention, "US"))}, []string{"mistral", "openai"}},
		{"one institution in two countries", []Entry{said("a", paper, unnamed("Institute of X", "AT")), said("b", paper, unnamed("Institute of X", "AU"))}, []string{"Institute of X", "Institute of X"}},
		{"partners, in one answer", []Entry{said("a", paper, by("mistral", feeds.Affiliation, "FR"), by("nvidia", feeds.Affiliation, "US"))}, nil},
		{"one answer names fewer", []Entry{said("a", paper, by("mistral", feeds.Affiliation, "FR"), by("nvidia", feeds.Affiliation, "US")), said("b", paper, by("nvidia", feeds.Affiliation, "US"))}, nil},
		{"a third names both", []Entry{said("a", paper, by("mistral", feeds.Mention, "FR")), said("b", paper, by("nvidia", feeds.Mention, "US")), said("c", paper, by("mistral", feeds.Mention, "FR"), by("nvidia", feeds.Mention, "US"))}, nil},
		{"another lab of the same country", []Entry{said("a", paper, by("openai", feeds.Affiliation, "US")), said("b", paper, by("nvidia", feeds.Affiliation, "US"))}, nil},
		{"a lab and its house, abroad", []Entry{said("a", paper, lab("google-deepmind", feeds.RoleReleaser, feeds.Publisher, "GB")), said("b", paper, lab("google", feeds.RoleReleaser, feeds.Publisher, "US"))}, nil},
		{"a site of the same lab", []Entry{said("a", paper, by("openai", feeds.Affiliation, "US")), said("b", paper, by("openai", feeds.Affiliation, "CH"))}, nil},
		{"better evidence", []Entry{said("a", paper, by("mistral", feeds.Publisher, "FR")), said("b", paper, by("openai", feeds.Mention, "US"))}, nil},
		{"releases of two things, joined by a claim", []Entry{said("a", paper, by("mistral", feeds.Publisher, "FR")), said("b", claim, by("openai", feeds.Publisher, "US"))}, nil},
		{"a title is no proof that both mean one thing", []Entry{said("a", title, by("mistral", feeds.Publisher, "FR")), said("b", title, by("openai", feeds.Publisher, "US"))}, nil},
		{"an account that is only linked", []Entry{said("a", paper, by("mistral", feeds.Publisher, "FR")), said("b", paper, linked)}, nil},
		{"where it is derived from", []Entry{said("a", paper, by("mistral", feeds.Publisher, "FR")), said("b", paper, lab("openai", feeds.RoleLineage, feeds.Publisher, "US"))}, nil},
		{"no country", []Entry{said("a", paper, by("mistral", feeds.Affiliation, "FR")), said("b", paper, by("x", feeds.Affiliation, feeds.Nowhere))}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, entries := range [][]Entry{tt.entries, reversed(tt.entries)} {
				w := Fold(entries, nil, nil)
				var got []string
				for _, a := range w.Labs {
					if a.Disputed {
						got = append(got, a.Name)
						if !slices.ContainsFunc(a.Evidence, func(e feeds.Evidence) bool { return e.Rule == "C9" && e.Quote != "" && e.URL != "" }) {
							t.Errorf("%s is disputed, and nothing says by whom: %+v", a.Name, a.Evidence)
						}
					}
				}
				slices.Sort(got)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("disputed (-want +got):\n%s", diff)
				}
				if Disputed(w) != (tt.want != nil) {
					t.Errorf("the work is disputed: %t", Disputed(w))
				}
				if n := Count([]Work{w}, Counting{Rule: RuleShare, View: feeds.ViewHome}); (n.Disputed == 1) != (tt.want != nil) {
					t.Errorf("%d works are left out of the count", n.Disputed)
				}
			}
		})
	}
}

func reversed(entries []Entry) []Entry {
	out := slices.Clone(entries)
	slices.Reverse(out)
	return out
}

// The other side is quoted in words, and the entries that were given stay as they were.
func TestDisputedSaysByWhom(t *testing.T) {
	key := feeds.Key{Scheme: feeds.KeyHF, Value: "x/model"}
	entries := []Entry{said("a", key, lab("mistral", feeds.RoleReleaser, feeds.Publisher, "FR")), said("b", key, lab("openai", feeds.RoleReleaser, feeds.Publisher, "US"))}
	w := Fold(entries, nil, nil)
	for _, a := range w.Labs {
		if len(a.Evidence) == 0 {
			t.Fatalf("nothing says who is against %s", a.Name)
		}
		e := a.Evidence[len(a.Evidence)-1]
		if a.Lab == "mistral" && (!strings.Contains(e.Quote, "openai (United States)") || e.URL != "https://b.example/model") {
			t.Errorf("against mistral: %+v", e)
		}
	}
	if entries[0].Tags.Labs[0].Disputed || entries[1].Tags.Labs[0].Disputed {
		t.Error("the entries themselves were marked")
	}
}

// A person's word ends a dispute, and taking it back begins it again.
func TestCorrectionSettlesADispute(t *testing.T) {
	key := feeds.Key{Scheme: feeds.KeyHF, Value: "x/model"}
	entries := []Entry{said("a", key, lab("mistral", feeds.RoleReleaser, feeds.Publisher, "FR")), said("b", key, lab("openai", feeds.RoleReleaser, feeds.Publisher, "US"))}
	c := []Correction{{ID: 1, Field: "country", Value: "FR", Because: "https://example.org", By: "ada", At: january}}
	if w := Fold(entries, c, nil); Disputed(w) || !slices.Equal(w.Countries, []feeds.Country{"FR"}) {
		t.Errorf("after a correction: disputed %t, %v", Disputed(w), w.Countries)
	}
	c = append(c, Correction{ID: 2, Field: "country", At: january})
	if w := Fold(entries, c, nil); !Disputed(w) {
		t.Error("the correction was taken back, and the work is not disputed")
	}
}
