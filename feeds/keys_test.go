package feeds

import (
	"strings"
	"testing"
)

func TestArXivID(t *testing.T) {
	for _, tt := range []struct {
		in      string
		id      string
		version int
		ok      bool
	}{
		{"2501.12948", "2501.12948", 0, true},
		{"arXiv:2501.12948v2", "2501.12948", 2, true},
		{"oai:arXiv.org:2203.01250v3", "2203.01250", 3, true},
		{"https://arxiv.org/abs/2501.12948", "2501.12948", 0, true},
		{"http://arxiv.org/abs/2501.12948v1", "2501.12948", 1, true},
		{"https://export.arxiv.org/pdf/2501.12948v1.pdf", "2501.12948", 1, true},
		{"https://arxiv.org/html/2501.12948v3", "2501.12948", 3, true},
		{"quant-ph/0201082v1", "quant-ph/0201082", 1, true},
		{"https://arxiv.org/abs/math.AG/0601001", "math.AG/0601001", 0, true},
		{" 0704.0001 ", "0704.0001", 0, true},
		{"https://arxiv.org/list/cs.CL/recent", "", 0, false},
		{"https://arxiv.org.evil.example/abs/2501.12948", "", 0, false},
		{"https://example.org/abs/2501.12948", "", 0, false},
		{"2501.12948v99999", "", 0, false},
		{"2501.129", "", 0, false},
		{"", "", 0, false},
	} {
		id, version, ok := ArXivID(tt.in)
		if id != tt.id || version != tt.version || ok != tt.ok {
			t.Errorf("ArXivID(%q) = %q, %d, %v; want %q, %d, %v", tt.in, id, version, ok, tt.id, tt.version, tt.ok)
		}
	}
}

func TestKeyOfURL(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // "scheme value", "" for none
	}{
		{"https://arxiv.org/abs/2501.12948v2", "arxiv 2501.12948"},
		{"https://huggingface.co/papers/2501.12948", "arxiv 2501.12948"},
		{"https://doi.org/10.48550/arXiv.2501.12948", "arxiv 2501.12948"},
		{"https://dx.doi.org/10.1038/S41586-025-09422-Z", "doi 10.1038/s41586-025-09422-z"},
		{"https://huggingface.co/deepseek-ai/DeepSeek-R1", "hf deepseek-ai/deepseek-r1"},
		{"https://hf.co/deepseek-ai/DeepSeek-R1/tree/main", "hf deepseek-ai/deepseek-r1"},
		{"https://huggingface.co/datasets/allenai/dolma", "hf datasets/allenai/dolma"},
		{"https://huggingface.co/blog/smollm3", "url https://huggingface.co/blog/smollm3"},
		{"https://huggingface.co/spaces/x/y", "url https://huggingface.co/spaces/x/y"},
		{"https://github.com/deepseek-ai/DeepSeek-R1.git", "github deepseek-ai/deepseek-r1"},
		{"https://www.github.com/deepseek-ai/DeepSeek-R1/tree/main", "github deepseek-ai/deepseek-r1"},
		{"https://github.com/deepseek-ai/DeepSeek-R1/releases/tag/v1", "url https://github.com/deepseek-ai/DeepSeek-R1/releases/tag/v1"},
		{"https://github.com/topics/llm", "url https://github.com/topics/llm"},
		{"https://example.org/post?utm_source=rss#top", "url https://example.org/post"},
		{"https://example.org/", ""},
		{"https://example.org", ""},
		{"ftp://example.org/x", ""},
		{"javascript:alert(1)", ""},
		{"not a url", ""},
	} {
		got := ""
		if k, ok := KeyOfURL(tt.in); ok {
			got = string(k.Scheme) + " " + k.Value
		}
		if got != tt.want {
			t.Errorf("KeyOfURL(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestCanonicalURL(t *testing.T) {
	const want = "https://example.org/a/b?page=2"
	for _, in := range []string{
		"https://example.org/a/b?page=2", "http://example.org/a/b?page=2", "HTTPS://WWW.Example.ORG:443/a/b/?page=2", "http://example.org:80/a/b/?page=2#x",
		"https://example.org/a/b?utm_source=x&page=2&utm_medium=y&fbclid=z", " https://user:secret@example.org/a/b?page=2 ", "https://example.org./a/b?page=2",
	} {
		if got := CanonicalURL(in); got != want {
			t.Errorf("CanonicalURL(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"https://example.org:8443/a":       "https://example.org:8443/a",
		"mailto:a@example.org":             "mailto:a@example.org",
		"https://example.org/a/index.html": "https://example.org/a",
		"":                                 "",
	} {
		if got := CanonicalURL(in); got != want {
			t.Errorf("CanonicalURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTitleKey(t *testing.T) {
	same := []string{
		"DeepSeek-R1: Incentivizing Reasoning Capability in LLMs", "DeepSeek R1 – incentivizing reasoning capability in LLMs", "  deepseek‑r1 (Incentivizing) Réasoning “capability” in LLMs. ",
	}
	want, _ := TitleKey(same[0])
	for _, s := range same {
		if got, ok := TitleKey(s); got != want || !ok {
			t.Errorf("TitleKey(%q) = %q, %v; want %q", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "Qwen3", "Qwen/Qwen3-8B", "We are hiring", "A new one is", "Release v1.2", "通义千问"} {
		if _, ok := TitleKey(s); ok {
			t.Errorf("TitleKey(%q) identifies something", s)
		}
	}
	if _, ok := TitleKey("面向大语言模型的高效推理方法研究"); !ok {
		t.Error("a long title in Chinese identifies nothing")
	}
}

func FuzzKeys(f *testing.F) {
	for _, s := range []string{"https://arxiv.org/abs/2501.12948v2", "https://hf.co/a/b", "doi:10.1/x", "\x00", "https://[::1]:99999/x", "https://example.org/%zz", strings.Repeat("a/", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, ok := KeyOfURL(s)
		if ok && (k.Value == "" || k.Claim) {
			t.Errorf("KeyOfURL(%q) = %+v", s, k)
		}
		c := CanonicalURL(s)
		if again := CanonicalURL(c); again != c {
			t.Errorf("CanonicalURL(%q) = %q, and again %q", s, c, again)
		}
		if id, _, ok := ArXivID(s); ok {
			if again, _, ok := ArXivID(id); !ok || again != id {
				t.Errorf("ArXivID(%q) = %q, which is none", s, id)
			}
		}
		if v, ok := TitleKey(s); ok {
			if again, _ := TitleKey(v); again != v {
				t.Errorf("TitleKey(%q) = %q, and again %q", s, v, again)
			}
		}
	})
}

func BenchmarkTitleKey(b *testing.B) {
	for b.Loop() {
		TitleKey("DeepSeek-R1: Incentivizing Reasoning Capability in Large Language Models via Reinforcement Learning")
	}
}
