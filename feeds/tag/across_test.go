package tag

import (
	"testing"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// A cue whose words stand in two sentences is none, and must not be cut out of one.
func TestCueAcrossSentences(t *testing.T) {
	tagger := New(registry.Default())
	for _, text := range []string{
		"We keep it open. Sourced locally, our food is good.",
		"The door is open.\nRelease the weights of the scale.",
		"We like open. Weights are heavy.",
	} {
		tags := tagger.Tag(feeds.Item{ID: "x", Title: "A title", Summary: text, Publisher: "mistral"})
		if tags.Openness.Open() {
			t.Errorf("%q was read as %s", text, tags.Openness)
		}
	}
}
