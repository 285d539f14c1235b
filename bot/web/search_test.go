package web

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What is chosen beside a query is a query too.
func TestAskIsAQuery(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"", ""},
		{"q=reasoning", "reasoning"},
		{"q=+a+OR+b+&country=FR", "(a OR b) country:FR"},
		{"country=FR&country=CN&country=FR&has=weights", "country:FR,CN has:weights"},
		{"lab=Mistral+AI&q=x", `x lab:"Mistral AI"`},
		{"source=openai.com&since=7d&since=1mo", "source:openai.com since:1mo"},
		{`lab=%22a%22+b&category=-x`, `lab:"a b" category:"-x"`},
		{"country=", ""},
	} {
		a, err := asked(&http.Request{URL: &url.URL{RawQuery: tt.query}})
		if err != nil {
			t.Fatal(err)
		}
		if got := a.query(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.query, got, tt.want)
		}
	}
}

// The error of a query stands in the page, under its column.
func TestCaret(t *testing.T) {
	h := New(open(full(5)))
	text := body(t, get(t, h, "/search?q=reasoning+lab:nobody&country=CN"))
	for _, want := range []string{"Column 15:", "reasoning lab:nobody\n              ^^^^^^", `value="reasoning lab:nobody"`, `name="country" value="CN"`, `aria-invalid="true"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	plain := get(t, h, "/works.csv?q=lab:nobody")
	if got := body(t, plain); !strings.HasPrefix(got, "query, column 5: ") || plain.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("a table of a wrong query: %q", got)
	}
}

func TestFacets(t *testing.T) {
	d := full(60)
	h := New(open(d))
	text := html.UnescapeString(body(t, get(t, h, "/search?q=reasoning&country=CN")))
	for _, want := range []string{
		`Showing works`, `As a query: <code dir="auto">reasoning country:CN</code>`, `<a class="chosen" href="/search?q=reasoning">`, `href="/search?country=CN&has=weights&q=reasoning"`,
		`Older works`, `<a href="/feed.atom?q=reasoning+country%3ACN">Atom</a>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	// All pages together show each work once.
	seen, at := map[string]bool{}, "/search?q=experts"
	for pages := 0; at != "" && pages < 10; pages++ {
		text := body(t, get(t, h, at))
		for part := range strings.SplitSeq(text, `<h3 dir="auto"><a href="/work/`) {
			if id, _, ok := strings.Cut(part, `"`); ok && strings.HasPrefix(id, "w0") {
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
			}
		}
		_, rest, ok := strings.Cut(text, `<a class="button" href="`)
		at = ""
		if ok {
			at, _, _ = strings.Cut(rest, `"`)
			at = strings.ReplaceAll(at, "&amp;", "&")
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d works by way of the pages, want 60", len(seen))
	}
}

// A merged chip: what was chosen can be taken back even if nothing was found.
func TestChosenButNotFound(t *testing.T) {
	text := body(t, get(t, New(open(full(5))), "/search?q=zzzz&country=JP"))
	for _, want := range []string{"Nothing matches", `<a class="chosen" href="/search?q=zzzz">`, "Japan"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
}
