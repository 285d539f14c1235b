package fetch

import (
	"testing"
	"time"

	"seedcorn/feeds"
)

// A listing of arXiv's under another address is still arXiv's; a newsletter that
// links to arXiv is not.
func TestArXivEntriesInOtherFeeds(t *testing.T) {
	const doc = `<rss version="2.0" xmlns:arxiv="http://arxiv.org/schemas/atom"><channel><title>mirror</title>
<item><title>A paper</title><link>https://arxiv.org/abs/2604.00001</link><guid isPermaLink="false">oai:arXiv.org:2604.00001v2</guid></item>
<item><title>A newsletter on a paper</title><link>https://arxiv.org/abs/2604.00002</link><guid>https://arxiv.org/abs/2604.00002</guid></item>
</channel></rss>`
	refined := map[string]bool{}
	src := feeds.Source{ID: "feed:https://mirror.example/rss", Kind: feeds.KindFeed, URL: "https://mirror.example/rss"}
	pull, err := parseDocument([]byte(doc), "application/rss+xml", src, feeds.State{}, time.Date(2026, 4, 27, 0, 0, 0, 0, time.UTC), nil,
		func(it *feeds.Item, _ map[string][]string) bool { refined[it.Title] = true; return true })
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]feeds.ItemKind{}
	for _, it := range pull.Items {
		kinds[it.Title] = it.Kind
	}
	if !refined["A paper"] || kinds["A paper"] != feeds.ItemPaper {
		t.Errorf("arXiv's own entry was not refined: %v, %v", refined, kinds)
	}
	if refined["A newsletter on a paper"] || kinds["A newsletter on a paper"] != feeds.ItemPost {
		t.Errorf("a newsletter was taken for arXiv: %v, %v", refined, kinds)
	}
}
