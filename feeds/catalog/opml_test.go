package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func TestReadOPML(t *testing.T) {
	const file = `<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="1.0"><head><title>x</title></head><body>
<outline text="Labs & more">
  <outline text="Soci` + "\xe9" + `t&eacute;" type="rss" xmlUrl="https://a.example/feed?a=1&amp;b=2" htmlUrl="https://a.example/"/>
  <outline text="nested"><outline text="deep" title=" Deep
     title " xmlurl="b.example/rss"/></outline>
</outline>
<outline text="arXiv" type="rss" xmlUrl="http://export.arxiv.org/rss/cs.CL"/>
<outline text="a note"/>
<outline text="a link" type="link" url="https://c.example/"/>
<outline text="bad" xmlUrl="file:///etc/passwd" htmlUrl="javascript:alert(1)"/>
<outline text="again" xmlUrl="https://b.example/rss"/>
</body></opml>`
	sources, faults, err := ReadOPML(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sources {
		got = append(got, string(s.ID)+" | "+s.Title)
	}
	want := []string{
		"feed:https://a.example/feed?a=1&b=2 | Société",
		"feed:https://b.example/rss | Deep title",
		"arxiv:cs.CL | arXiv",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if len(faults) != 2 || !strings.Contains(faults[0], "only http and https") || !strings.Contains(faults[1], "twice") {
		t.Errorf("faults = %q, want the file address and the repetition", faults)
	}
}

func TestReadOPMLRefuses(t *testing.T) {
	deep := strings.Repeat(`<outline text="x">`, maxDepth+5)
	many := `<opml><body>` + strings.Repeat(`<outline text="x"/>`, maxOutlines+1) + `</body></opml>`
	tests := map[string]struct{ in, why string }{
		"empty":   {"", "empty or not XML"},
		"text":    {"hello", "empty or not XML"},
		"a feed":  {`<rss version="2.0"><channel/></rss>`, "a rss document"},
		"a page":  {`<!DOCTYPE html><html><body>no</body></html>`, "a html document"},
		"cut off": {`<opml><body><outline xmlUrl="https://a.example/"/>`, "EOF"},
		"deep":    {`<opml><body>` + deep, "elements deep"},
		"many":    {many, "more than 50000 outlines"},
		"huge":    {`<opml><body><!--` + strings.Repeat("x", maxOPML) + `--></body></opml>`, "larger than 16 MiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := ReadOPML(strings.NewReader(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("error = %v, want one that says %q", err, tt.why)
			}
		})
	}
}

func TestReadOPMLKeepsWhatCameBeforeTheEnd(t *testing.T) {
	sources, _, err := ReadOPML(strings.NewReader(`<opml><body><outline xmlUrl="https://a.example/"/><outl`))
	if err == nil || len(sources) != 1 {
		t.Errorf("got %d sources, %v; want one and an error", len(sources), err)
	}
}

func TestReadOPMLExpandsNoEntities(t *testing.T) {
	bomb := `<?xml version="1.0"?><!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">` +
		`<!ENTITY x SYSTEM "file:///etc/passwd">]><opml><body><outline text="&b;&x;" xmlUrl="https://a.example/"/></body></opml>`
	sources, _, err := ReadOPML(strings.NewReader(bomb))
	if err != nil || len(sources) != 1 {
		t.Fatalf("got %d sources, %v", len(sources), err)
	}
	if got := sources[0].Title; strings.Contains(got, "aaaa") || strings.Contains(got, "root:") {
		t.Errorf("an entity was expanded: %q", got)
	}
}

func TestReadOPMLBoundsFaults(t *testing.T) {
	in := `<opml><body>` + strings.Repeat(`<outline xmlUrl="ftp://x"/>`, maxFaults+7) + `</body></opml>`
	_, faults, err := ReadOPML(strings.NewReader(in))
	if err != nil || len(faults) != maxFaults+1 || faults[maxFaults] != "and 7 more" {
		t.Errorf("%d faults, the last %q, %v", len(faults), faults[len(faults)-1], err)
	}
}

func TestOPMLRoundTrip(t *testing.T) {
	in := Sources()
	in = append(in,
		feeds.Source{ID: "feed:https://x.example/?a=1&b=2", Kind: feeds.KindFeed, URL: "https://x.example/?a=1&b=2", Title: `<b>"quoted" & 'more'</b>`, Paused: true, Every: 90 * time.Minute},
		feeds.Source{ID: "gh:x/y", Kind: feeds.KindReleases, URL: "https://github.com/x/y/releases.atom", Site: "https://github.com/x/y/releases", Title: "y", Lab: "ror:03cve4549"},
	)
	var buf bytes.Buffer
	if err := WriteOPML(&buf, "Everything & more", in); err != nil {
		t.Fatal(err)
	}
	out, faults, err := ReadOPML(bytes.NewReader(buf.Bytes()))
	if err != nil || len(faults) > 0 {
		t.Fatalf("reading back: %v, %q", err, faults)
	}
	byID := func(a, b feeds.Source) int { return strings.Compare(string(a.ID), string(b.ID)) }
	slices.SortFunc(in, byID)
	slices.SortFunc(out, byID)
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	// What is not a feed must not be offered to other readers as one.
	for line := range strings.Lines(buf.String()) {
		if strings.Contains(line, "xmlUrl") && (strings.Contains(line, "api.github.com") || strings.Contains(line, "huggingface.co/api")) {
			t.Errorf("an API is offered as a feed: %s", line)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteOPMLReportsTheWriter(t *testing.T) {
	if err := WriteOPML(brokenWriter{}, "x", Sources()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error = %v, want the writer's", err)
	}
}

func TestReadOPMLFromTheWild(t *testing.T) {
	dir := os.Getenv("SEEDCORN_TEST_DATA")
	if dir == "" {
		t.Skip("SEEDCORN_TEST_DATA is not set")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "feeds", "opml", "*.opml"))
	if len(files) == 0 {
		t.Fatal("no OPML files found")
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources, faults, err := ReadOPML(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
		// Every xmlUrl is a source or a fault.
		if want := bytes.Count(bytes.ToLower(b), []byte("xmlurl=")); len(sources)+len(faults) != want {
			t.Errorf("%s: %d sources and %d faults of %d outlines", filepath.Base(name), len(sources), len(faults), want)
		}
		t.Logf("%s: %d sources, faults %q", filepath.Base(name), len(sources), faults)
	}
}

func FuzzReadOPML(f *testing.F) {
	var buf bytes.Buffer
	if err := WriteOPML(&buf, "x", Sources()[:20]); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte(`<opml><body><outline text="&bull;&x;" xmlUrl=feed:a.b></outline><outline xmlUrl='hf:Qwen' text="` + "\xff" + `"/></body></opml>`))
	f.Add([]byte(`<?xml version="1.0" encoding="shift_jis"?><opml><outline xmlurl="x.y"/></opml>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		sources, _, err := ReadOPML(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteOPML(&out, "again", sources); err != nil {
			t.Fatal(err)
		}
		again, faults, err := ReadOPML(&out)
		if err != nil || len(faults) > 0 || len(again) != len(sources) {
			t.Fatalf("%d sources became %d: %v %q", len(sources), len(again), err, faults)
		}
		have := map[feeds.SourceID]bool{}
		for _, s := range sources {
			have[s.ID] = true
		}
		for _, s := range again {
			if !have[s.ID] {
				t.Fatalf("%q was never written", s.ID)
			}
		}
	})
}

func BenchmarkReadOPML(b *testing.B) {
	var src []feeds.Source
	for i := range 2000 {
		src = append(src, feeds.Source{ID: feeds.SourceID(fmt.Sprintf("feed:https://x%d.example/rss", i)), Kind: feeds.KindFeed, URL: fmt.Sprintf("https://x%d.example/rss", i), Title: "A feed"})
	}
	var buf bytes.Buffer
	if err := WriteOPML(&buf, "x", src); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(buf.Len()))
	for b.Loop() {
		if got, _, err := ReadOPML(bytes.NewReader(buf.Bytes())); err != nil || len(got) != 2000 {
			b.Fatal(len(got), err)
		}
	}
}
