package message

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"

	"seedcorn/feeds"
)

var update = flag.Bool("update", false, "write the goldens anew")

// everything is a document with every block in it, each with a word of its own.
func everything() Document {
	return Document{
		Summary: "A summary",
		Blocks: []Block{
			Heading{Level: 1, Text: "WordHeading", Note: "WordNote"},
			Heading{Level: 2, Text: "WordSection", Note: "WordBlurb"},
			Paragraph{Text: Line{{Text: "WordParagraph "}, {Text: "WordBold", Bold: true}, {Text: " "}, {Text: "WordCode", Code: true}, {Text: " "}, {Text: "WordLink", URL: "https://example.org/link"}}},
			List{Items: []Line{Plain("WordItem"), Plain("another item")}},
			Fields{Items: []Field{{Name: "WordName", Value: Plain("WordValue")}, {Name: "Longer name", Value: Plain("more")}}},
			Story{
				Title: "WordStory: a title that is rather long, so that it has to be broken over two lines on a terminal of eighty columns",
				URL:   "https://example.org/story", ID: "w0123456789", Openness: feeds.Restricted, Badge: "WordBadge", Caution: "WordCaution",
				Who:  []Who{{Lab: "WordLab", Country: "FR", Flag: "🇫🇷", Place: "France"}, {Lab: "Second", Country: "CN", Flag: "🇨🇳", Place: "China"}},
				Line: "WordLine says what is new.", Note: "WordChange", Also: []Link{{"WordAlso", "https://example.org/also"}},
				Actions: []Action{{Label: "Why?", Command: "why w0123456789"}},
			},
			Story{Title: "A story about which nothing is known", URL: "https://example.org/bare", Badge: "no artifact known"},
			Chart{
				Title: "WordChart", Alt: "WordAlt", Series: []string{"WordSeries", "other"},
				Bars: []Bar{{Label: "WordBar", Flag: "🇫🇷", Values: []float64{3, 1.5}, Note: "4.5"}, {Label: "Nothing", Values: []float64{0, 0}, Note: "0"}},
			},
			Preformatted{Text: "WordPre\n   ^"},
			Rule{},
			Actions{Items: []Action{{Label: "WordAction", Command: "search WordCommand"}}},
			SmallPrint{Items: []Line{Plain("WordSmall")}},
		},
	}
}

var renderers = map[string]func(io.Writer, Document) error{
	"text":     func(w io.Writer, d Document) error { return Text(w, d, TextOptions{}) },
	"markdown": Markdown,
	"html":     HTML,
}

func render(t *testing.T, format string, d Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := renderers[format](&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The set of blocks is sealed, and everything has one of each.
func TestEverythingHasEveryBlock(t *testing.T) {
	have := map[string]bool{}
	for _, b := range everything().Blocks {
		have[reflect.TypeOf(b).Name()] = true
	}
	v := reflect.TypeFor[Visitor]()
	for i := range v.NumMethod() {
		if name := v.Method(i).Name; !have[name] {
			t.Errorf("no %s in everything()", name)
		}
	}
	if len(have) != v.NumMethod() {
		t.Errorf("%d kinds of block, %d methods of Visitor", len(have), v.NumMethod())
	}
}

func TestRenderersShowEverything(t *testing.T) {
	words := strings.Fields(`WordHeading WordNote WordSection WordBlurb WordParagraph WordBold WordCode WordLink WordItem WordName WordValue WordStory WordBadge
		WordCaution WordLab WordLine WordChange WordAlso WordChart WordSeries WordBar WordPre WordAction WordCommand WordSmall https://example.org/story https://example.org/link`)
	for format := range renderers {
		t.Run(format, func(t *testing.T) {
			got := render(t, format, everything())
			low := strings.ToLower(got)
			for _, w := range words {
				if !strings.Contains(low, strings.ToLower(w)) {
					t.Errorf("%q is not shown", w)
				}
			}
			golden := filepath.Join("testdata", "everything."+format)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("golden (-want +got; -update writes it anew):\n%s", diff)
			}
		})
	}
}

func TestTextFitsItsWidth(t *testing.T) {
	for _, width := range []int{40, 60, 100} {
		var b bytes.Buffer
		if err := Text(&b, everything(), TextOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimRight(l, "\n"))); n > width && strings.Contains(strings.TrimSpace(l), " ") {
				t.Errorf("width %d: a line of %d: %q", width, n, l)
			}
		}
	}
}

// hostile puts one string of a stranger's wherever a document takes text.
func hostile(s string) Document {
	return Document{Summary: s, Blocks: []Block{
		Heading{Level: 2, Text: s, Note: s},
		Paragraph{Text: Line{{Text: s}, {Text: s, Bold: true}, {Text: s, URL: s}, {Text: s, Code: true}}},
		Story{Title: s, URL: s, ID: "w0", Badge: s, Caution: s, Line: s, Note: s, Who: []Who{{Lab: s, Flag: "🇫🇷"}}, Also: []Link{{s, s}}},
		Chart{Title: s, Alt: s, Series: []string{s}, Bars: []Bar{{Label: s, Values: []float64{1}, Note: s}}},
		SmallPrint{Items: []Line{Plain(s)}},
	}}
}

var attacks = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "[x](javascript:alert(1))",
	"\x1b[2J\x1b]0;title\x07", "a\u202eb", "**bold** _it_ `code` # head", "| a | b |", "a\n\n# b", "\x00\xff\xfe", "]]>", "&lt;b&gt;", "https://example.org/) [x](https://evil.example",
}

func checkHostile(t *testing.T, s string) {
	doc := hostile(s)
	if got := render(t, "text", doc); strings.ContainsAny(got, "\x1b\x07\x00\u202e") {
		t.Errorf("text: a control character of %q comes through", s)
	}
	checkPage(t, "html", s, render(t, "html", doc))
	// What a reader of the Markdown gets to see, by somebody else's reading of it.
	var page bytes.Buffer
	md := render(t, "markdown", doc)
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(md), &page); err != nil {
		t.Fatal(err)
	}
	checkPage(t, "markdown", s, page.String())
}

func checkPage(t *testing.T, format, s, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" || n.Data == "img" || n.Data == "iframe" {
			t.Errorf("%s: %q makes a <%s>", format, s, n.Data)
		}
		for _, a := range n.Attr {
			v := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || a.Key == "href" && (strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:")) {
				t.Errorf("%s: %q makes %s=%q", format, s, a.Key, a.Val)
			}
		}
	}
}

func TestStrangersText(t *testing.T) {
	for _, s := range attacks {
		checkHostile(t, s)
	}
	plain := Document{Blocks: []Block{Paragraph{Text: Plain("# x\n\n- y **z** _a_ ~~b~~ | c |\n1. d")}}}
	var page bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(render(t, "markdown", plain)), &page); err != nil {
		t.Fatal(err)
	}
	if want := "<p># x - y **z** _a_ ~~b~~ | c | 1. d</p>\n"; page.String() != want {
		t.Errorf("a stranger's text formats: %q, want %q", page.String(), want)
	}
}

func FuzzStrangersText(f *testing.F) {
	for _, s := range attacks {
		f.Add(s)
	}
	f.Fuzz(checkHostile)
}

func BenchmarkText(b *testing.B) {
	doc := Document{}
	for range 60 {
		doc.Blocks = append(doc.Blocks, everything().Blocks...)
	}
	for b.Loop() {
		if err := Text(io.Discard, doc, TextOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
