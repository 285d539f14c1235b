package tag

import (
	"slices"
	"testing"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// A fine-tune is no freer than its base (rule O4): the base's license is looked up,
// and caps the class that the fine-tune declares for itself.
func TestLineageCaps(t *testing.T) {
	tagger := New(registry.Default())
	for _, tt := range []struct {
		name, declared string
		bases          []string
		want           feeds.Openness
		basis          feeds.Basis
	}{
		{"a free base", "mit", []string{"apache-2.0"}, feeds.OpenWeights, feeds.Declared},
		{"a restricted base", "mit", []string{"llama3.1"}, feeds.Restricted, feeds.Lineage},
		{"one of two bases is restricted", "apache-2.0", []string{"mit", "cc-by-nc-4.0"}, feeds.Restricted, feeds.Lineage},
		{"a base whose license is not known", "mit", []string{""}, feeds.OpenWeights, feeds.Declared},
		{"a freer base frees nothing", "cc-by-nc-4.0", []string{"mit"}, feeds.Restricted, feeds.Declared},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := feeds.Artifact{Kind: feeds.Weights, URL: "https://huggingface.co/org/tuned", License: tt.declared, BaseLicenses: tt.bases}
			for i := range tt.bases {
				a.Bases = append(a.Bases, "base/"+string(rune('a'+i)))
			}
			tags := tagger.Tag(feeds.Item{ID: "x", Title: "org/tuned", Artifacts: []feeds.Artifact{a}})
			got := tags.Artifacts[0]
			if got.Openness != tt.want || got.Basis != tt.basis {
				t.Errorf("%s by %s, want %s by %s", got.Openness, got.Basis, tt.want, tt.basis)
			}
			if tt.basis == feeds.Lineage && !slices.ContainsFunc(got.Evidence, func(e feeds.Evidence) bool { return e.Rule == "O4" }) {
				t.Errorf("no evidence of rule O4: %+v", got.Evidence)
			}
		})
	}
}
