package digest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

var january = time.Date(2025, 1, 22, 0, 0, 0, 0, time.UTC)

// entry makes an entry of a lab from a few words: keys are "scheme:value", a
// claimed one begins with "?".
func entry(date time.Time, lab feeds.LabID, keys ...string) Entry {
	e := Entry{Item: feeds.Item{ID: feeds.NewItemID("test", lab2(lab, keys)), Published: date, Seen: date, Keys: parseKeys(keys)}}
	if lab != "" {
		e.Tags.Labs = []feeds.Attribution{{Lab: lab, Role: feeds.RoleReleaser}}
	}
	return e
}

func lab2(lab feeds.LabID, keys []string) string {
	s := string(lab)
	for _, k := range keys {
		s += "|" + k
	}
	return s
}

func parseKeys(words []string) []feeds.Key {
	var keys []feeds.Key
	for _, w := range words {
		k := feeds.Key{}
		if w[0] == '?' {
			k.Claim, w = true, w[1:]
		}
		for i := range w {
			if w[i] == ':' {
				k.Scheme, k.Value = feeds.Scheme(w[:i]), w[i+1:]
				break
			}
		}
		keys = append(keys, k)
	}
	return keys
}

// candidates are the works that share a key with e, as the store finds them.
func candidates(e Entry, works map[WorkID]Entry) []Candidate {
	var out []Candidate
	for id, w := range works {
		for _, k := range e.Item.Keys {
			for _, x := range w.Item.Keys {
				if k.Scheme != x.Scheme || k.Value != x.Value {
					continue
				}
				var owned []feeds.Key
				for _, o := range w.Item.Keys {
					if !o.Claim {
						owned = append(owned, o)
					}
				}
				out = append(out, Candidate{Work: id, Key: k, WorkClaims: x.Claim, Owned: owned, Labs: countedLabs(w.Tags.Labs), First: w.Item.Date()})
			}
		}
	}
	return out
}

func TestResolve(t *testing.T) {
	day := func(n int) time.Time { return january.AddDate(0, 0, n) }
	paper := entry(january, "deepseek", "arxiv:2501.12948", "title:deepseek r1 incentivizing reasoning capability", "?github:deepseek-ai/deepseek-r1")
	weights := entry(day(-2), "deepseek", "hf:deepseek-ai/deepseek-r1", "?arxiv:2501.12948")
	for _, tt := range []struct {
		name  string
		new   Entry
		works map[WorkID]Entry
		want  Resolution
	}{
		{
			"nothing shared begins a work",
			entry(january, "qwen", "arxiv:2505.09388"),
			map[WorkID]Entry{"w1": paper},
			Resolution{},
		},
		{
			"a cross-list of the same paper",
			entry(day(1), "", "arxiv:2501.12948"),
			map[WorkID]Entry{"w1": paper},
			Resolution{Join: "w1", Via: feeds.Key{Scheme: feeds.KeyArXiv, Value: "2501.12948"}, Rule: RuleSameKey},
		},
		{
			"the lab's own weights name the paper",
			weights,
			map[WorkID]Entry{"w1": paper},
			Resolution{Join: "w1", Via: feeds.Key{Scheme: feeds.KeyArXiv, Value: "2501.12948", Claim: true}, Rule: RuleClaimed},
		},
		{
			"another lab's fine-tune cites the paper",
			entry(day(3), "perplexity", "hf:perplexity-ai/r1-1776", "?arxiv:2501.12948"),
			map[WorkID]Entry{"w1": paper},
			Resolution{},
		},
		{
			"a post of the company about the weights of its lab",
			entry(day(3), "alibaba", "url:https://example.org/qwen", "?hf:qwen/qwen3-8b"),
			map[WorkID]Entry{"w1": entry(january, "qwen", "hf:qwen/qwen3-8b")},
			Resolution{Join: "w1", Via: feeds.Key{Scheme: feeds.KeyHF, Value: "qwen/qwen3-8b", Claim: true}, Rule: RuleClaimed},
		},
		{
			"a second paper links to the same repository",
			entry(day(30), "", "arxiv:2502.00001", "?github:deepseek-ai/deepseek-r1"),
			map[WorkID]Entry{"w1": paper},
			Resolution{},
		},
		{
			"a second paper and the repository that the first one has taken",
			entry(day(30), "deepseek", "arxiv:2502.00001", "?github:deepseek-ai/deepseek-r1"),
			map[WorkID]Entry{"w1": entry(january, "deepseek", "arxiv:2501.12948", "github:deepseek-ai/deepseek-r1")},
			Resolution{},
		},
		{
			"a paper that names a repository years older than itself",
			entry(january, "", "arxiv:2501.00001", "?github:vllm-project/vllm"),
			map[WorkID]Entry{"w1": entry(january.AddDate(-2, 0, 0), "", "github:vllm-project/vllm")},
			Resolution{},
		},
		{
			"one title within a month",
			entry(day(20), "", "url:https://example.org/a", "title:a title of four words and more"),
			map[WorkID]Entry{"w1": entry(january, "qwen", "title:a title of four words and more")},
			Resolution{Join: "w1", Via: feeds.Key{Scheme: feeds.KeyTitle, Value: "a title of four words and more"}, Rule: RuleSameTitle},
		},
		{
			"one title a season apart",
			entry(day(90), "", "title:a title of four words and more"),
			map[WorkID]Entry{"w1": entry(january, "", "title:a title of four words and more")},
			Resolution{},
		},
		{
			"one title of two labs",
			entry(day(1), "mistral-ai", "title:a title of four words and more"),
			map[WorkID]Entry{"w1": entry(january, "qwen", "title:a title of four words and more")},
			Resolution{},
		},
		{
			"one title of two papers",
			entry(day(1), "", "arxiv:2501.00002", "title:a title of four words and more"),
			map[WorkID]Entry{"w1": entry(january, "", "arxiv:2501.00001", "title:a title of four words and more")},
			Resolution{},
		},
		{
			"the paper unites weights and code that came before it",
			entry(day(5), "deepseek", "arxiv:2501.12948", "?github:deepseek-ai/deepseek-r1"),
			map[WorkID]Entry{"w1": weights, "w2": entry(day(-1), "deepseek", "github:deepseek-ai/deepseek-r1")},
			Resolution{Join: "w1", Via: feeds.Key{Scheme: feeds.KeyArXiv, Value: "2501.12948"}, Rule: RuleClaimed, Merge: []WorkID{"w2"}},
		},
		{
			"a title is no bridge",
			entry(day(1), "", "url:https://example.org/a", "title:a title of four words and more"),
			map[WorkID]Entry{"w1": entry(january, "qwen", "url:https://example.org/a"), "w2": entry(january, "qwen", "arxiv:2501.00001", "title:a title of four words and more")},
			Resolution{Join: "w1", Via: feeds.Key{Scheme: feeds.KeyURL, Value: "https://example.org/a"}, Rule: RuleSameKey},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Resolve(tt.new, candidates(tt.new, tt.works))); diff != "" {
				t.Errorf("resolution (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewWorkID(t *testing.T) {
	a := NewWorkID(entry(january, "x", "title:t", "arxiv:2501.12948").Item)
	b := NewWorkID(entry(january, "y", "arxiv:2501.12948", "hf:a/b").Item)
	if a != b {
		t.Errorf("one paper, two ids: %s, %s", a, b)
	}
	if c := NewWorkID(entry(january, "y", "?arxiv:2501.12948").Item); c == a {
		t.Errorf("a claim gives the id of what it claims: %s", c)
	}
	if len(a) != 11 || a[0] != 'w' {
		t.Errorf("id %q, want w and ten characters", a)
	}
}

// A page that a source gives for many things, as release notes are, is no proof that
// they are one, and a stranger's link to it does not make them one.
func TestResolveOnAList(t *testing.T) {
	key := feeds.Key{Scheme: feeds.KeyURL, Value: "https://lab.example/release-notes"}
	at := func(source feeds.SourceID, title string, day int) Entry {
		d := january.AddDate(0, 0, day)
		return Entry{Item: feeds.Item{ID: feeds.NewItemID(source, title), Source: source, Title: title, Published: d, Seen: d, Keys: []feeds.Key{key}}}
	}
	candidate := func(id WorkID, e Entry) Candidate {
		return Candidate{Work: id, Key: key, Owned: []feeds.Key{key}, First: e.Item.Date(), Places: Fold([]Entry{e}, nil, nil).Places}
	}
	heron, stork := at("feed:lab", "Heron 1", 0), at("feed:lab", "Stork 2", 9)
	one := []Candidate{candidate("w1", heron)}
	for _, tt := range []struct {
		name  string
		new   Entry
		works []Candidate
		want  Resolution
	}{
		{"another thing on the same page", stork, one, Resolution{}},
		{"the same title again", at("feed:lab", "heron 1!", 9), one, Resolution{Join: "w1", Via: key, Rule: RuleSameKey}},
		{"renamed the same day", at("feed:lab", "Heron One", 0), one, Resolution{Join: "w1", Via: key, Rule: RuleSameKey}},
		{"another source's title for it", at("feed:news", "A new heron", 9), one, Resolution{Join: "w1", Via: key, Rule: RuleSameKey}},
		{"another source, and two works on the page", at("feed:news", "A new heron", 1), []Candidate{candidate("w1", heron), candidate("w2", stork)}, Resolution{Join: "w1", Via: key, Rule: RuleSameKey}},
	} {
		if diff := cmp.Diff(tt.want, Resolve(tt.new, tt.works)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
