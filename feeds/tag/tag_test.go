package tag_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"seedcorn/feeds"
	"seedcorn/feeds/tag"
)

// Ten megabytes of anything, five thousand authors and as many affiliations end in
// tags, soon.
func TestLargeItems(t *testing.T) {
	big := map[string]string{
		"words":        strings.Repeat("OpenAI released GPT-4 under the Apache 2.0 license. ", 200_000),
		"one sentence": strings.Repeat("Google and Meta, open source models ", 300_000),
		"one word":     strings.Repeat("a", 10<<20),
		"links":        strings.Repeat("our code is available at https://github.com/x/y ", 200_000),
		"marks":        strings.Repeat("\u200b\u0301", 2<<20),
		"commas":       strings.Repeat(",", 10<<20),
		"University":   strings.Repeat("University of ", 700_000),
	}
	for name, text := range big {
		t.Run(name, func(t *testing.T) {
			it := feeds.Item{Title: text, Summary: text, Affiliations: []string{text}, Emails: []string{text}, Artifacts: []feeds.Artifact{{Kind: feeds.Weights, License: text, LicenseText: text}}}
			for range 5_000 {
				it.Authors = append(it.Authors, "A. Author")
				it.Affiliations = append(it.Affiliations, "Department of Physics, University of Oxford, UK")
			}
			start := time.Now()
			got := fuzzed().Tag(it)
			if n := len(got.Labs); n > 300 {
				t.Errorf("%d attributions", n)
			}
			t.Logf("%s: %v", name, time.Since(start).Round(time.Millisecond))
		})
	}
}

// One tagger serves many goroutines.
func TestConcurrentUse(t *testing.T) {
	items := sampleItems(8)
	want := make([]feeds.Tags, len(items))
	for i, it := range items {
		want[i] = fuzzed().Tag(it)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, it := range items {
				if diff := cmp.Diff(want[i], fuzzed().Tag(it)); diff != "" {
					t.Errorf("differs (-alone +together):\n%s", diff)
				}
			}
		})
	}
	wg.Wait()
}

// The caller's item is not changed.
func TestTagLeavesItemAlone(t *testing.T) {
	it := feeds.Item{
		Title: "T", Affiliations: []string{"Stanford University"},
		Artifacts: []feeds.Artifact{{Kind: feeds.Weights, License: "mit", Bases: []string{"Qwen/Qwen3-8B"}}},
	}
	before := it
	before.Affiliations = slices.Clone(it.Affiliations)
	before.Artifacts = slices.Clone(it.Artifacts)
	fuzzed().Tag(it)
	if diff := cmp.Diff(before, it); diff != "" {
		t.Errorf("item changed (-before +after):\n%s", diff)
	}
}

func TestSummarize(t *testing.T) {
	weights := func(o feeds.Openness, bases ...string) feeds.ArtifactTag {
		return feeds.ArtifactTag{Kind: feeds.Weights, License: "MIT", Openness: o, Basis: feeds.Declared, Bases: bases}
	}
	code := feeds.ArtifactTag{Kind: feeds.Code, License: "Apache-2.0", Openness: feeds.OpenSource}
	unlicensed := feeds.ArtifactTag{Kind: feeds.Code}
	data := feeds.ArtifactTag{Kind: feeds.Data, License: "CC-BY-4.0", Openness: feeds.OpenWeights}
	service := feeds.ArtifactTag{Kind: feeds.Hosted, Openness: feeds.Closed, Flags: []feeds.Flag{feeds.FlagAPI}}
	paper := feeds.ArtifactTag{Kind: feeds.Paper, License: "CC-BY-4.0", Openness: feeds.OpenWeights}
	llama := feeds.ArtifactTag{Kind: feeds.Weights, License: "LicenseRef-Llama", Openness: feeds.Restricted, Flags: []feeds.Flag{feeds.FlagScale, feeds.FlagGatedAuto}}
	base := func(id string) (feeds.ArtifactTag, bool) {
		switch id {
		case "meta-llama/Llama":
			return llama, true
		case "some/unknown":
			return feeds.ArtifactTag{}, true
		}
		return feeds.ArtifactTag{}, false
	}
	tests := []struct {
		name      string
		artifacts []feeds.ArtifactTag
		want      feeds.Tags
	}{
		{"nothing", nil, feeds.Tags{}},
		{"a paper opens nothing", []feeds.ArtifactTag{paper}, feeds.Tags{}},
		{"weights before code", []feeds.ArtifactTag{code, weights(feeds.Restricted)}, feeds.Tags{Openness: feeds.Restricted, Badge: feeds.Weights, License: "MIT"}},
		{"code before service", []feeds.ArtifactTag{service, code}, feeds.Tags{Openness: feeds.OpenSource, Badge: feeds.Code, License: "Apache-2.0"}},
		{"a service is closed", []feeds.ArtifactTag{service}, feeds.Tags{Openness: feeds.Closed, Badge: feeds.Hosted, Flags: []feeds.Flag{feeds.FlagAPI}}},
		{"code never hides weights nobody knows (O2)", []feeds.ArtifactTag{code, weights(feeds.Unknown)}, feeds.Tags{Badge: feeds.Weights, License: "MIT"}},
		{"nor does a service", []feeds.ArtifactTag{service, weights(feeds.Unknown)}, feeds.Tags{Badge: feeds.Weights, License: "MIT"}},
		{"known weights beside unknown ones", []feeds.ArtifactTag{weights(feeds.Unknown), weights(feeds.OpenWeights), code}, feeds.Tags{Openness: feeds.OpenWeights, Badge: feeds.Weights, License: "MIT"}},
		{"code without a license is still code", []feeds.ArtifactTag{paper, unlicensed}, feeds.Tags{Badge: feeds.Code}},
		{"but what is known comes first", []feeds.ArtifactTag{unlicensed, service}, feeds.Tags{Openness: feeds.Closed, Badge: feeds.Hosted, Flags: []feeds.Flag{feeds.FlagAPI}}},
		{"all three make a model open source", []feeds.ArtifactTag{weights(feeds.OpenWeights), code, data}, feeds.Tags{Openness: feeds.OpenSource, Badge: feeds.Weights, License: "MIT"}},
		{"two of three do not", []feeds.ArtifactTag{weights(feeds.OpenWeights), code}, feeds.Tags{Openness: feeds.OpenWeights, Badge: feeds.Weights, License: "MIT"}},
		{"checkpoints that differ", []feeds.ArtifactTag{weights(feeds.OpenWeights), weights(feeds.Restricted)}, feeds.Tags{Openness: feeds.Restricted, Badge: feeds.Weights, License: "MIT", Flags: []feeds.Flag{feeds.FlagConflict}}},
		{"no freer than its base (O4)", []feeds.ArtifactTag{weights(feeds.OpenWeights, "meta-llama/Llama")}, feeds.Tags{Openness: feeds.Restricted, Badge: feeds.Weights, License: "MIT", Flags: []feeds.Flag{feeds.FlagScale}}},
		{"an unknown base proves nothing", []feeds.ArtifactTag{weights(feeds.OpenWeights, "some/unknown", "not/there")}, feeds.Tags{Openness: feeds.OpenWeights, Badge: feeds.Weights, License: "MIT"}},
		{"a base frees nothing", []feeds.ArtifactTag{weights(feeds.Closed, "meta-llama/Llama")}, feeds.Tags{Openness: feeds.Closed, Badge: feeds.Weights, License: "MIT"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tag.Summarize(nil, tt.artifacts, base)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(feeds.Tags{}, "Artifacts"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Leads and releasers come first; lineage is kept and not counted.
func TestSummarizeCountries(t *testing.T) {
	at := func(lab feeds.LabID, role feeds.Role, home, control feeds.Country) feeds.Attribution {
		return feeds.Attribution{Lab: lab, Role: role, Home: home, Control: control}
	}
	got := tag.Summarize([]feeds.Attribution{
		at("llama", feeds.RoleLineage, "US", "US"), at("b", feeds.RoleAuthor, "CH", "CH"), at("a", feeds.RoleLead, "GB", "US"), at("x", feeds.RoleAuthor, feeds.Nowhere, feeds.Nowhere),
	}, nil, nil)
	if diff := cmp.Diff([]feeds.Country{"GB", "CH"}, got.Countries); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]feeds.Country{"US", "CH"}, got.Control); diff != "" {
		t.Errorf("control (-want +got):\n%s", diff)
	}
	if got.Labs[0].Lab != "a" || len(got.Labs) != 4 {
		t.Errorf("labs in order %v", got.Labs)
	}
}

func TestIdentifyText(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", "licenses", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	mit := read("mit.txt")
	tests := []struct{ name, text, want string }{
		{"as published", mit, "MIT"},
		{"reflowed, in capitals", strings.ToUpper(strings.Join(strings.Fields(mit), " ")), ""}, // the copyright line is no line of its own
		{"indented, Windows line ends", strings.ReplaceAll(mit, "\n", "\r\n    "), "MIT"},
		{"without title", strings.TrimPrefix(mit, "MIT License\n"), "MIT"},
		{"one sentence more", read("mit-plus.txt"), ""},
		{"one word less", strings.Replace(mit, "sublicense, ", "", 1), ""},
		{"one word changed", strings.Replace(mit, "any person", "any researcher", 1), ""},
		{"three clauses", read("bsd-3.txt"), "BSD-3-Clause"},
		{"another holder", strings.ReplaceAll(read("bsd-3.txt"), "the Ledger Authors", "Somebody GmbH & Co. KG"), "BSD-3-Clause"},
		{"empty", "", ""},
		{"too long", strings.Repeat(mit, 400), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := fuzzed().IdentifyText(tt.text); got != tt.want || ok != (tt.want != "") {
				t.Errorf("IdentifyText = %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

func TestPublisherOf(t *testing.T) {
	for feed, want := range map[string]feeds.LabID{
		"https://openai.com/news/rss.xml":                                  "openai",
		"https://github.com/mistralai/client-python/releases.atom":         "mistral",
		"https://huggingface.co/blog/feed.xml":                             "hugging-face",
		"https://web.archive.org/web/2024/https://openai.com/news/rss.xml": "openai",
		"https://techcrunch.com/feed/":                                     "",
		"https://rss.arxiv.org/rss/cs.CL":                                  "",
		"https://someone.github.io/feed.xml":                               "",
		"":                                                                 "",
		"::":                                                               "",
	} {
		if got := fuzzed().PublisherOf(feed); got != want {
			t.Errorf("PublisherOf(%q) = %q, want %q", feed, got, want)
		}
	}
}
