package catalog

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func TestStarterListIsSound(t *testing.T) {
	if _, err := load(catalogTSV); err != nil {
		t.Fatalf("catalog.tsv has faults:\n%v", err)
	}
	sources := Sources()
	labs := map[feeds.LabID]map[feeds.SourceKind]bool{}
	for _, s := range sources {
		if u, err := url.Parse(s.URL); err != nil || u.Scheme != "https" || u.Host == "" {
			t.Errorf("%s: URL %q is not an https address", s.ID, s.URL)
		}
		if s.Official && s.Lab == "" {
			t.Errorf("%s speaks officially for nobody", s.ID)
		}
		if strings.Contains(s.URL, "raw.githubusercontent.com") && s.Official {
			t.Errorf("%s is made by a third party and must not be official", s.ID)
		}
		if s.Site == "" || s.Title == "" {
			t.Errorf("%s lacks a site or a title", s.ID)
		}
		got, err := Parse(string(s.ID))
		if err != nil {
			t.Errorf("Parse(%q): %v", s.ID, err)
		} else if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("%s does not read back (-starter +parsed):\n%s", s.ID, diff)
		}
		if s.Lab != "" {
			if labs[s.Lab] == nil {
				labs[s.Lab] = map[feeds.SourceKind]bool{}
			}
			labs[s.Lab][s.Kind] = true
		}
	}
	if len(sources) < 150 || len(labs) < 60 {
		t.Errorf("%d sources of %d labs, want at least 150 of 60", len(sources), len(labs))
	}
	// Even-handed: where a lab is on one hub it should be on both, if it exists
	// there. Some do not, so the share is what can be tested.
	both, any := 0, 0
	for _, kinds := range labs {
		if kinds[feeds.KindHuggingFace] || kinds[feeds.KindGitHub] {
			any++
			if kinds[feeds.KindHuggingFace] && kinds[feeds.KindGitHub] {
				both++
			}
		}
	}
	if both*100 < any*75 {
		t.Errorf("only %d of %d labs on a hub are listed with both hubs", both, any)
	}
	t.Logf("%d sources, %d labs, %d of %d on both hubs", len(sources), len(labs), both, any)
}

func TestTrapsAreNotListed(t *testing.T) {
	// Addresses that answer with something that is not the lab's feed.
	traps := []string{
		"https://cohere.com/blog/rss.xml",          // a web page
		"https://alignment.anthropic.com/feed.xml", // the home page
		"gh:pytorch/pytorch",                       // one release for each build
		"https://www.theneurondaily.com/feed",      // the home page
		"https://export.arxiv.org/rss/cs.CL",       // the old place
		"https://mistral.ai/feed.xml",              // 404
	}
	have := map[feeds.SourceID]bool{}
	for _, s := range Sources() {
		have[s.ID] = true
	}
	for _, trap := range traps {
		if have[feeds.SourceID(trap)] || have[feeds.SourceID("feed:"+trap)] {
			t.Errorf("%s is in the starter list", trap)
		}
	}
}

func TestStarterListFitsTheServicesLimits(t *testing.T) {
	perHour := map[feeds.SourceKind]float64{}
	for _, s := range Sources() {
		every := s.Every
		if every == 0 {
			every = Every(s.Kind)
		}
		perHour[s.Kind] += float64(time.Hour) / float64(every)
	}
	// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: 60 an hour
	if n := perHour[feeds.KindGitHub]; n > 30 {
		t.Errorf("GitHub's API is called %.0f times an hour, more than half of what is free", n)
	}
	// https://huggingface.co/docs/hub/rate-limits: 500 in five minutes; two calls a visit
	if n := 2 * perHour[feeds.KindHuggingFace]; n > 500 {
		t.Errorf("Hugging Face is called %.0f times an hour: one round no longer fits into one window", n)
	}
}

func TestBases(t *testing.T) {
	b := Bases{ArXivRSS: "http://127.0.0.1:1/a/", ArXivAPI: "http://127.0.0.1:1/b", HuggingFace: "http://127.0.0.1:1/c", GitHubAPI: "http://127.0.0.1:1/d", GitHub: "http://127.0.0.1:1/e"}
	want := map[string]string{
		"arxiv:cs.CL":            "http://127.0.0.1:1/a/rss/cs.CL",
		"arxiv-query:all:corn":   "http://127.0.0.1:1/b/api/query?max_results=100&search_query=all%3Acorn&sortBy=submittedDate&sortOrder=descending",
		"hf:Qwen":                "http://127.0.0.1:1/c/api/models?author=Qwen",
		"hf-papers":              "http://127.0.0.1:1/c/api/daily_papers",
		"gh:deepseek-ai":         "http://127.0.0.1:1/d/orgs/deepseek-ai/repos",
		"gh:vllm-project/vllm":   "http://127.0.0.1:1/e/vllm-project/vllm/releases.atom",
		"https://example.org/f/": "https://example.org/f/",
	}
	for text, url := range want {
		src, err := b.Parse(text)
		if err != nil || src.URL != url {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, src.URL, err, url)
		}
	}
	for _, s := range b.Sources() {
		if s.Kind != feeds.KindFeed && !strings.HasPrefix(s.URL, "http://127.0.0.1:1/") {
			t.Errorf("%s leaves the bases: %s", s.ID, s.URL)
		}
	}
}

func TestLoadReportsAllFaults(t *testing.T) {
	_, err := load(strings.Join([]string{
		"# comment",
		"hf:Qwen\tQwen\t\tqwen\tyes\t\tseen\t",
		"HF:qwen\tQwen again\t\tqwen\tyes\t\tseen\t",
		"hf:Qwen2\tno columns",
		"hf:Qwen3\t\t\tqwen\tyes\t\tseen\t",
		"hf:Qwen4\tT\t\tqwen\tmaybe\t\tseen\t",
		"hf:Qwen5\tT\t\tqwen\tyes\t\trumor\t",
		"hf:Qwen6\tT\t\tqwen\tyes\t3s\tseen\t",
		"https://x.example/feed\tT\t\tqwen\tyes\t\tseen\t",
		"ftp://x.example/feed\tT\thttps://x.example/\tqwen\tyes\t\tseen\t",
	}, "\n"))
	for _, want := range []string{
		"line 3: hf:qwen is already on line 2", "line 4: 2 columns", "line 5: no title", `line 6: official is "maybe"`,
		`line 7: known is "rumor"`, `line 8: every is "3s"`, "line 9: a feed needs a site", "line 10: reading source",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not say %q:\n%v", want, err)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		id   string // "" means refused
		why  string // part of the error
		help string // part of the hint
	}{
		{in: "https://openai.com/news/rss.xml", id: "feed:https://openai.com/news/rss.xml"},
		{in: " HTTPS://OpenAI.com:443/news/rss.xml#top ", id: "feed:https://openai.com/news/rss.xml"},
		{in: "openai.com/news/rss.xml", id: "feed:https://openai.com/news/rss.xml"},
		{in: "feed://example.org/a", id: "feed:https://example.org/a"},
		{in: "feed:http://example.org:8080/a?x=1", id: "feed:http://example.org:8080/a?x=1"},
		{in: "http://[::1]:80/a", id: "feed:http://[::1]/a"},
		{in: "https://example.org", id: "feed:https://example.org/"},
		{in: "arxiv:cs.CL", id: "arxiv:cs.CL"},
		{in: "arxiv:stat.ml+CS.cl, cs.AI+cs.cl", id: "arxiv:cs.AI+cs.CL+stat.ML"},
		{in: "arxiv:cond-mat.MTRL-SCI", id: "arxiv:cond-mat.mtrl-sci"},
		{in: "arxiv:quant-ph", id: "arxiv:quant-ph"},
		{in: "https://rss.arxiv.org/atom/cs.AI+cs.CL", id: "arxiv:cs.AI+cs.CL"},
		{in: "http://export.arxiv.org/rss/cs.LG", id: "arxiv:cs.LG"},
		{in: "http://arxiv.org/list/cs.LG/recent", id: "arxiv:cs.LG"},
		{in: `arxiv-query:all:"test-time   compute"`, id: `arxiv-query:all:"test-time compute"`},
		{in: "https://export.arxiv.org/api/query?search_query=cat:cs.CL&max_results=5", id: "arxiv-query:cat:cs.CL"},
		{in: "hf:Qwen", id: "hf:Qwen"},
		{in: "hf:qwen", id: "hf:Qwen"}, // the starter list's spelling
		{in: "huggingface:01-ai", id: "hf:01-ai"},
		{in: "https://huggingface.co/moonshotai", id: "hf:moonshotai"},
		{in: "https://huggingface.co/organizations/some-body/activity", id: "feed:https://huggingface.co/organizations/some-body/activity"},
		{in: "https://huggingface.co/blog/feed.xml", id: "feed:https://huggingface.co/blog/feed.xml"},
		{in: "https://huggingface.co/papers", id: "hf-papers"},
		{in: "HF-Papers", id: "hf-papers"},
		{in: "gh:deepseek-ai", id: "gh:deepseek-ai"},
		{in: "github:Some-Body/re.po_1", id: "gh:Some-Body/re.po_1"},
		{in: "https://github.com/vllm-project/vllm/releases.atom", id: "gh:vllm-project/vllm"},
		{in: "https://github.com/vllm-project/vllm.git", id: "gh:vllm-project/vllm"},
		{in: "https://github.com/QwenLM/Qwen3/commits/main.atom", id: "feed:https://github.com/QwenLM/Qwen3/commits/main.atom"},
		{in: "https://api.github.com/orgs/QwenLM/repos?per_page=3", id: "gh:QwenLM"},

		{in: "", why: "empty", help: "hf:Qwen"},
		{in: "deepseek-ai", why: "several services", help: "hf:deepseek-ai"},
		{in: "what is this", why: "not an address", help: "arxiv:"},
		{in: "arxiv:2501.12948", why: "a paper", help: "arxiv:cs.CL"},
		{in: "arxiv:cs.CL+alchemy", why: `no category "alchemy"`, help: "category_taxonomy"},
		{in: "arxiv:", why: "no category"},
		{in: "arxiv-query:", why: "query is empty", help: "arxiv-query:"},
		{in: `arxiv-query:all:"open`, why: "quotation mark"},
		{in: `arxiv-query:(a AND b))`, why: "parenthesis"},
		{in: "hf:deepseek-ai/DeepSeek-R1", why: "a repository", help: "hf:deepseek-ai"},
		{in: "hf:no spaces", why: "not a Hugging Face account"},
		{in: "gh:a--b", why: "neither a GitHub account"},
		{in: "gh:a/b/c", why: "neither a GitHub account"},
		{in: "file:///etc/passwd", why: "only http and https"},
		{in: "gopher://example.org/1", why: "only http and https"},
		{in: "https:///nohost", why: "no host"},
		{in: "https://user:secret@example.org/feed?key=secret", why: "user name or a password"},
		{in: "https://example.org/\x00", why: "control characters"},
		{in: "https://example.org/" + strings.Repeat("a", maxSpec), why: "longer than"},
	}
	for _, tt := range tests {
		src, err := Parse(tt.in)
		if tt.id != "" {
			if err != nil || string(src.ID) != tt.id {
				t.Errorf("Parse(%q) = %q, %v; want %q", tt.in, src.ID, err, tt.id)
			}
			continue
		}
		var se *SpecError
		if !errors.As(err, &se) {
			t.Errorf("Parse(%.40q) = %+v, %v; want a SpecError", tt.in, src, err)
			continue
		}
		if !strings.Contains(se.Reason, tt.why) || !strings.Contains(se.Hint(), tt.help) {
			t.Errorf("Parse(%.40q): %q, hint %q; want %q, hint %q", tt.in, se.Reason, se.Hint(), tt.why, tt.help)
		}
		if strings.Contains(se.Error(), "secret") {
			t.Errorf("Parse(%.40q) prints a secret: %v", tt.in, se)
		}
	}
}

func TestParseKnowsTheStarterList(t *testing.T) {
	src, err := Parse("https://github.com/deepseek-ai")
	if err != nil || src.Lab != "deepseek" || !src.Official || src.Kind != feeds.KindGitHub {
		t.Errorf("Parse = %+v, %v; want DeepSeek's official GitHub organization", src, err)
	}
	src, err = Parse("hf:nobody-we-know")
	if err != nil || src.Lab != "" || src.Title == "" {
		t.Errorf("Parse = %+v, %v; want a source with a title and no lab", src, err)
	}
}

func TestEvery(t *testing.T) {
	for _, k := range []feeds.SourceKind{
		feeds.KindFeed, feeds.KindArXiv, feeds.KindArXivQuery, feeds.KindHuggingFace,
		feeds.KindDailyPapers, feeds.KindGitHub, feeds.KindReleases, "other",
	} {
		if d := Every(k); d < time.Hour || d > 24*time.Hour {
			t.Errorf("Every(%s) = %v, want between an hour and a day", k, d)
		}
	}
}

func TestCoverage(t *testing.T) {
	country := map[feeds.LabID]feeds.Country{"qwen": "CN", "deepseek": "CN", "mistral": "FR"}
	got := Coverage([]feeds.Source{
		{Kind: feeds.KindArXiv},
		{Kind: feeds.KindFeed, Lab: "mistral"},
		{Kind: feeds.KindHuggingFace, Lab: "qwen"},
		{Kind: feeds.KindGitHub, Lab: "qwen"},
		{Kind: feeds.KindGitHub, Lab: "deepseek"},
		{Kind: feeds.KindGitHub, Lab: "stranger"},
	}, func(l feeds.LabID) feeds.Country { return country[l] })
	want := []CoverageRow{
		{Country: "CN", Labs: 2, Sources: 3, Kinds: map[feeds.SourceKind]int{feeds.KindHuggingFace: 1, feeds.KindGitHub: 2}},
		{Country: "FR", Labs: 1, Sources: 1, Kinds: map[feeds.SourceKind]int{feeds.KindFeed: 1}},
		{Country: feeds.Nowhere, Labs: 1, Sources: 1, Kinds: map[feeds.SourceKind]int{feeds.KindGitHub: 1}},
		{Labs: 0, Sources: 1, Kinds: map[feeds.SourceKind]int{feeds.KindArXiv: 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"hf:Qwen", "gh:a/b", "arxiv:cs.CL+stat.ML", "arxiv-query:all:(\"x\")", "feed:https://x.example/?a=b", "x.example/é",
		"https://user@x.example", "http://[::1]:9/", "https://x.example:0443/%2f", "feed:feed:x.example", "HTTPS://X.example./", "hf-papers", "http://a.b/#\u2028",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		src, err := Parse(s)
		if err != nil {
			var se *SpecError
			if !errors.As(err, &se) {
				t.Fatalf("Parse(%q): %v is not a SpecError", s, err)
			}
			return
		}
		if src.ID == "" || src.Kind == "" || src.Title == "" && src.Kind != feeds.KindFeed {
			t.Fatalf("Parse(%q) = %+v: incomplete", s, src)
		}
		if u, err := url.Parse(src.URL); err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("Parse(%q).URL = %q, %v: cannot be fetched", s, src.URL, err)
		}
		again, err := Parse(string(src.ID))
		if err != nil {
			t.Fatalf("Parse(%q), the id of %q: %v", src.ID, s, err)
		}
		if diff := cmp.Diff(src, again); diff != "" {
			t.Fatalf("%q does not read back from its id:\n%s", s, diff)
		}
	})
}
