package fetch

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mmcdole/gofeed"

	"seedcorn/feeds"
)

func goItem(title string) *gofeed.Item { return &gofeed.Item{Title: title} }

// blog writes an RSS feed of n posts with some HTML in each.
func blog(n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel><title>A lab's blog</title><link>https://lab.example/blog</link><lastBuildDate>Tue, 10 Mar 2026 10:00:00 GMT</lastBuildDate>`)
	for i := range n {
		fmt.Fprintf(&b, `<item><title>Post number %d about open models</title><link>https://lab.example/blog/%d</link><guid isPermaLink="false">https://lab.example/?p=%d</guid><pubDate>Mon, 02 Mar 2026 10:%02d:00 GMT</pubDate><dc:creator><![CDATA[Ada Lovelace]]></dc:creator><category>Research</category><description><![CDATA[<p>%s</p>]]></description></item>`,
			i, i, i, i%60, strings.Repeat("We trained a <b>model</b> and it is good. ", 20))
	}
	b.WriteString(`</channel></rss>`)
	return b.String()
}

// arxiv writes a listing as arXiv does, of n papers.
func arxiv(n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version='1.0' encoding='UTF-8'?><rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0"><channel><title>cs updates</title><link>http://rss.arxiv.org/rss/cs</link>`)
	for i := range n {
		fmt.Fprintf(&b, `
    <item><title>A study of number %d in language models</title><link>https://arxiv.org/abs/2603.%05d</link><description>arXiv:2603.%05dv1 Announce Type: new
Abstract: %s Code is available at https://github.com/org/repo%d.</description><guid isPermaLink="false">oai:arXiv.org:2603.%05dv1</guid><category>cs.CL</category><category>cs.AI</category><pubDate>Mon, 09 Mar 2026 00:00:00 -0400</pubDate><arxiv:announce_type>new</arxiv:announce_type><dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights><dc:creator>Ada Lovelace, Charles Babbage, Mary Somerville</dc:creator></item>`,
			i, i, i, strings.Repeat("We show that large models do what they do, and why. ", 24), i, i)
	}
	b.WriteString("</channel></rss>")
	return b.String()
}

func benchmarkParse(b *testing.B, body, before string, src feeds.Source) {
	var last feeds.State
	if before != "" {
		pull, err := Parse([]byte(before), "", src, feeds.State{}, testNow)
		if err != nil {
			b.Fatal(err)
		}
		last = pull.State
	}
	text := []byte(body)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, "", src, last, testNow); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse100Cold(b *testing.B)      { benchmarkParse(b, blog(100), "", testSource) }
func BenchmarkParse100Unchanged(b *testing.B) { benchmarkParse(b, blog(100), blog(100), testSource) }
func BenchmarkParse100OneNew(b *testing.B)    { benchmarkParse(b, blog(100), blog(99), testSource) }

func BenchmarkParseArXiv2000Cold(b *testing.B) {
	src := testSource
	src.Kind = feeds.KindArXiv
	benchmarkParse(b, arxiv(2000), "", src)
}

func BenchmarkParseArXiv2000Unchanged(b *testing.B) {
	src := testSource
	src.Kind = feeds.KindArXiv
	benchmarkParse(b, arxiv(2000), arxiv(2000), src)
}

// BenchmarkCollectUnchanged visits a server without validators whose feed, of 100
// posts and compressed, is always the same.
func BenchmarkCollectUnchanged(b *testing.B) {
	body := gzipped([]byte(blog(100)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	}))
	defer server.Close()
	c := NewCollector(New(Options{AllowPrivate: true}), nil)
	src := feeds.Source{ID: "s", Kind: feeds.KindFeed, URL: server.URL}
	first, err := c.Collect(b.Context(), src, feeds.State{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		pull, err := c.Collect(b.Context(), src, first.State)
		if err != nil || !pull.Unchanged {
			b.Fatal(pull.Unchanged, err)
		}
	}
}

// BenchmarkGofeed100 is gofeed alone on the same feed, to compare with.
func BenchmarkGofeed100(b *testing.B) {
	text := []byte(blog(100))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gofeed.NewParser().Parse(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
