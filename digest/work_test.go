package digest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func lab(id feeds.LabID, role feeds.Role, basis feeds.Basis, home feeds.Country) feeds.Attribution {
	return feeds.Attribution{Lab: id, Name: string(id), Role: role, Basis: basis, Home: home, Control: home, Kind: feeds.Company}
}

func weights(url, license string, o feeds.Openness, flags ...feeds.Flag) feeds.ArtifactTag {
	return feeds.ArtifactTag{Kind: feeds.Weights, URL: url, License: license, Openness: o, Flags: flags, Basis: feeds.Declared}
}

// r1 is one work in four places.
func r1() []Entry {
	day := func(n int) time.Time { return january.AddDate(0, 0, n) }
	return []Entry{
		{
			Item: feeds.Item{ID: "paper", Source: "arxiv:cs.CL", Kind: feeds.ItemPaper, Title: "DeepSeek-R1: Incentivizing Reasoning", Summary: "We introduce it.", URL: "https://arxiv.org/abs/2501.12948", Published: january, Seen: january, Version: 1, Categories: []string{"cs.CL"}},
			Tags: feeds.Tags{Labs: []feeds.Attribution{lab("deepseek", feeds.RoleLead, feeds.Affiliation, "CN")}, Artifacts: []feeds.ArtifactTag{{Kind: feeds.Paper, License: "CC-BY-4.0", Openness: feeds.OpenWeights}}},
		},
		{
			Item: feeds.Item{ID: "weights", Source: "hf:deepseek-ai", Kind: feeds.ItemModel, Title: "deepseek-ai/DeepSeek-R1", URL: "https://huggingface.co/deepseek-ai/DeepSeek-R1", Published: day(-2), Seen: january, Publisher: "deepseek"},
			Tags: feeds.Tags{Labs: []feeds.Attribution{lab("deepseek", feeds.RoleReleaser, feeds.Publisher, "CN")}, Artifacts: []feeds.ArtifactTag{weights("https://huggingface.co/deepseek-ai/DeepSeek-R1", "MIT", feeds.OpenWeights)}},
		},
		{
			Item: feeds.Item{ID: "news", Source: "feed:news", Kind: feeds.ItemPost, Title: "A model that thinks", URL: "https://news.example/r1", Published: day(1), Seen: day(1)},
			Tags: feeds.Tags{Labs: []feeds.Attribution{lab("openai", feeds.RoleReleaser, feeds.Mention, "US")}},
		},
		{
			Item: feeds.Item{ID: "look", Source: "lookup:github-license", Kind: feeds.ItemLookup, Title: "LICENSE", URL: "https://github.com/deepseek-ai/DeepSeek-R1", Published: day(-30), Seen: day(1)},
			Tags: feeds.Tags{Artifacts: []feeds.ArtifactTag{{Kind: feeds.Code, URL: "https://github.com/deepseek-ai/DeepSeek-R1", License: "MIT", Openness: feeds.OpenSource, Basis: feeds.Verified}}},
		},
	}
}

func TestFold(t *testing.T) {
	w := Fold(r1(), nil, nil)
	if w.Title != "DeepSeek-R1: Incentivizing Reasoning" || w.Kind != feeds.ItemPaper {
		t.Errorf("named %q, a %s; want the paper's name", w.Title, w.Kind)
	}
	if want := january.AddDate(0, 0, -2); !w.First.Equal(want) {
		t.Errorf("first %v, want %v: the weights came first, and a look-up is no appearance", w.First, want)
	}
	if len(w.Places) != 3 {
		t.Errorf("%d places, want 3: a look-up is none", len(w.Places))
	}
	if diff := cmp.Diff([]feeds.Country{"CN"}, w.Countries); diff != "" {
		t.Errorf("countries: a newspaper's mention must give way (-want +got):\n%s", diff)
	}
	if len(w.Labs) != 1 || w.Labs[0].Role != feeds.RoleLead || w.Labs[0].Basis != feeds.Publisher {
		t.Errorf("labs %+v, want one: lead, known by its own account", w.Labs)
	}
	if w.Openness != feeds.OpenWeights || w.Badge != feeds.Weights || w.License != "MIT" {
		t.Errorf("badge %s %s %s, want open-weights of MIT weights: no data is known, so it is not open source", w.Openness, w.Badge, w.License)
	}
}

func TestFoldInAnyOrder(t *testing.T) {
	want := Fold(r1(), nil, nil)
	for range 20 {
		entries := r1()
		rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		if diff := cmp.Diff(want, Fold(entries, nil, nil)); diff != "" {
			t.Fatalf("the order of entries changed the work (-want +got):\n%s", diff)
		}
	}
}

func TestFoldConflictTakesTheStrictest(t *testing.T) {
	entries := r1()[1:2]
	other := entries[0]
	other.Item.ID = "other"
	other.Tags.Artifacts = []feeds.ArtifactTag{weights("https://huggingface.co/deepseek-ai/DeepSeek-R1/", "CC-BY-NC-4.0", feeds.Restricted, feeds.FlagNonCommercial)}
	for _, both := range [][]Entry{{entries[0], other}, {other, entries[0]}} {
		w := Fold(both, nil, nil)
		if w.Openness != feeds.Restricted || len(w.Artifacts) != 1 || w.Artifacts[0].Basis != feeds.Conflict {
			t.Errorf("%s, %+v; want one restricted artifact in conflict", w.Openness, w.Artifacts)
		}
		if !slices.Contains(w.Flags, feeds.FlagConflict) || !slices.Contains(w.Flags, feeds.FlagNonCommercial) {
			t.Errorf("flags %v", w.Flags)
		}
	}
}

func TestFoldCorrections(t *testing.T) {
	correct := func(pairs ...string) []Correction {
		var cs []Correction
		for i := 0; i < len(pairs); i += 2 {
			cs = append(cs, Correction{ID: int64(i), Field: pairs[i], Value: pairs[i+1], Because: "https://example.org/why", By: "ada", At: january})
		}
		return cs
	}
	for _, tt := range []struct {
		name        string
		corrections []Correction
		countries   []feeds.Country
		openness    feeds.Openness
		license     string
	}{
		{"none", nil, []feeds.Country{"CN"}, feeds.OpenWeights, "MIT"},
		{"country", correct("country", "FR"), []feeds.Country{"FR"}, feeds.OpenWeights, "MIT"},
		{"two countries keep the one that agrees", correct("country", "CN,SG"), []feeds.Country{"CN", "SG"}, feeds.OpenWeights, "MIT"},
		{"lab", correct("lab", "mistral"), []feeds.Country{"FR"}, feeds.OpenWeights, "MIT"},
		{"license", correct("license", "CC-BY-NC-4.0"), []feeds.Country{"CN"}, feeds.Restricted, "CC-BY-NC-4.0"},
		{"openness", correct("openness", "closed"), []feeds.Country{"CN"}, feeds.Closed, "MIT"},
		{"taken back", correct("country", "FR", "country", ""), []feeds.Country{"CN"}, feeds.OpenWeights, "MIT"},
		{"the latest wins", correct("country", "FR", "country", "DE"), []feeds.Country{"DE"}, feeds.OpenWeights, "MIT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := Fold(r1(), tt.corrections, nil)
			if diff := cmp.Diff(tt.countries, w.Countries); diff != "" {
				t.Errorf("countries (-want +got):\n%s", diff)
			}
			if w.Openness != tt.openness || w.License != tt.license {
				t.Errorf("%s under %s, want %s under %s", w.Openness, w.License, tt.openness, tt.license)
			}
			for _, a := range w.Labs {
				if a.Basis == feeds.Corrected && (len(a.Evidence) == 0 || a.Evidence[0].Rule != "C11") {
					t.Errorf("a corrected tag without its reason: %+v", a)
				}
			}
		})
	}
}

func TestChanges(t *testing.T) {
	e := func(version int, as ...feeds.ArtifactTag) Entry {
		return Entry{Item: feeds.Item{ID: "x", Version: version}, Tags: feeds.Tags{Artifacts: as}}
	}
	const u = "https://huggingface.co/microsoft/phi-4"
	for _, tt := range []struct {
		name     string
		old, new Entry
		want     []string
	}{
		{"nothing", e(1, weights(u, "MIT", feeds.OpenWeights)), e(1, weights(u, "MIT", feeds.OpenWeights)), nil},
		{"a revision", e(1), e(3), []string{"revised v1>v3"}},
		{"an older version seen late", e(3), e(1), nil},
		{"a new license", e(0, weights(u, "LicenseRef-msr", feeds.Restricted)), e(0, weights(u+"/", "MIT", feeds.OpenWeights)), []string{"relicensed LicenseRef-msr (restricted)>MIT (open-weights)"}},
		{"a license that becomes known", e(0, weights(u, "", feeds.Unknown)), e(0, weights(u, "MIT", feeds.OpenWeights)), nil},
		{"a license that is taken away", e(0, weights(u, "MIT", feeds.OpenWeights)), e(0, weights(u, "", feeds.Unknown)), []string{"relicensed MIT (open-weights)>(unknown)"}},
		{"a gate", e(0, weights(u, "MIT", feeds.OpenWeights)), e(0, weights(u, "MIT", feeds.Restricted, feeds.FlagGatedManual)), []string{"relicensed MIT (open-weights)>MIT (restricted)"}},
		{"an artifact that is gone", e(0, weights(u, "MIT", feeds.OpenWeights)), e(0), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, ev := range Changes(tt.old, tt.new, january) {
				got = append(got, fmt.Sprintf("%s %s>%s", ev.Kind, ev.From, ev.To))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	for _, tt := range []struct{ name, text, title, want string }{
		{"the telling one", "Large models are large. We introduce a small one, e.g. for phones. It is good.", "", "We introduce a small one, e.g. for phones."},
		{"the first otherwise", "A model with 3.5 billion parameters by J. Doe et al. was made. It is good.", "", "A model with 3.5 billion parameters by J. Doe et al. was made."},
		{"not the title again", "Big News.\n\nThe news is that it works well.", "Big News", "The news is that it works well."},
		{"not what the site's software adds", "Continue reading Big News in full.\n\nThe post Big News appeared first on A Blog.", "Big News", ""},
		{"nothing", "  ", "x", ""},
		{"no words", "12 34!!", "x", ""},
		{"Chinese", "我们发布了新的开源模型。它很好。", "", "我们发布了新的开源模型。"},
		{"cut at a word", "This paper " + string(make([]byte, 0)) + longWords(60), "", "This paper " + longWords(34) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sentence(tt.text, tt.title); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func longWords(n int) string {
	s := ""
	for i := range n {
		if i > 0 {
			s += " "
		}
		s += "wordy"
	}
	return s
}

func FuzzSentence(f *testing.F) {
	f.Add("We show. That.", "t")
	f.Add("a.b.c. \xff\xfe é. D", "")
	f.Fuzz(func(t *testing.T, text, title string) {
		if got := Sentence(text, title); len([]rune(got)) > maxSentence {
			t.Errorf("%d runes", len([]rune(got)))
		}
	})
}

// A work is news when the first of its entries is: on its date, or, where a source
// that we read told us late, when it told us.
func TestNews(t *testing.T) {
	day := func(n int) time.Time { return january.AddDate(0, 0, n) }
	e := func(id feeds.ItemID, published, seen time.Time, backfill bool) Entry {
		return Entry{Item: feeds.Item{ID: id, Published: published, Seen: seen, Backfill: backfill, Kind: feeds.ItemPost}}
	}
	for _, tt := range []struct {
		name    string
		entries []Entry
		want    time.Time
	}{
		{"seen at once", []Entry{e("a", day(0), day(0).Add(20*time.Minute), false)}, day(0)},
		{"the source was broken for three days", []Entry{e("a", day(0), day(3), false)}, day(3)},
		{"there before we first looked", []Entry{e("a", day(0), day(3), true)}, day(0)},
		{"an old post in a feed that we read", []Entry{e("a", day(-400), day(3), false)}, day(-400)},
		{"told late by one source and in time by another", []Entry{e("a", day(0), day(5), false), e("b", day(1), day(1), false)}, day(1)},
	} {
		if w := Fold(tt.entries, nil, nil); !w.News.Equal(tt.want) {
			t.Errorf("%s: news at %v, want %v", tt.name, w.News, tt.want)
		}
	}
}
