package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"seedcorn/feeds"
)

var (
	testNow    = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	testSource = feeds.Source{ID: "feed:test", Kind: feeds.KindFeed, URL: "https://lab.example/feed.xml"}
)

func parse(t *testing.T, body string) feeds.Pull {
	t.Helper()
	pull, err := Parse([]byte(body), "", testSource, feeds.State{}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return pull
}

// brief prints what matters of a pull's items, a line each.
func brief(pull feeds.Pull) string {
	var b strings.Builder
	for _, it := range pull.Items {
		date := "-"
		if !it.Published.IsZero() {
			date = it.Published.Format("2006-01-02")
		}
		fmt.Fprintf(&b, "%s | %s | %s | %s | %s | %s\n", date, it.Title, it.URL, it.GUID, it.Summary, strings.Join(it.Authors, ", "))
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	tests := []struct{ name, body, title, want string }{
		{
			"RSS 2.0",
			`<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>The &amp;amp; Lab</title><link>https://lab.example/</link><description>d</description>
<item><title>Second &lt;b&gt;post&lt;/b&gt;</title><link>/posts/2</link><guid isPermaLink="false">two</guid>
 <pubDate>Tue, 03 Mar 2026 10:00:00 +0100</pubDate><description><![CDATA[<p>Short.</p><script>x()</script>]]></description>
 <content:encoded><![CDATA[<p>Long.</p>]]></content:encoded><dc:creator>Lovelace, Ada</dc:creator></item>
<item><title>First</title><guid>https://lab.example/posts/1</guid><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate>
 <content:encoded><![CDATA[<p>Only text.</p>]]></content:encoded><dc:creator>Ada Lovelace, Charles Babbage</dc:creator></item>
</channel></rss>`,
			"The & Lab",
			"2026-03-02 | First | https://lab.example/posts/1 | https://lab.example/posts/1 | Only text. | Ada Lovelace, Charles Babbage\n" +
				"2026-03-03 | Second post | https://lab.example/posts/2 | two | Short. | Lovelace, Ada\n",
		},
		{
			"RSS 0.91 with a DOCTYPE",
			`<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">
<rss version="0.91"><channel><title>Old</title><link>http://old.example</link>
<item><title>A</title><link>http://old.example/a</link><description>x</description></item></channel></rss>`,
			"Old", "- | A | http://old.example/a | http://old.example/a | x | \n",
		},
		{
			"RSS 1.0 (RDF)",
			`<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="http://r.example/"><title>R</title><link>http://r.example/</link><items><rdf:Seq><rdf:li resource="http://r.example/1"/></rdf:Seq></items></channel>
<item rdf:about="http://r.example/1"><title>One</title><link>http://r.example/1</link><dc:date>2026-01-05T00:00:00Z</dc:date><dc:creator>A. B.</dc:creator></item>
</rdf:RDF>`,
			"R", "2026-01-05 | One | http://r.example/1 | http://r.example/1 |  | A. B.\n",
		},
		{
			"RSS 0.90",
			`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://my.netscape.com/rdf/simple/0.9/">
<channel><title>N</title><link>http://n.example</link></channel><item><title>I</title><link>http://n.example/i</link></item></rdf:RDF>`,
			"N", "- | I | http://n.example/i | http://n.example/i |  | \n",
		},
		{
			"Atom 1.0",
			`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://atom.example/blog/"><title type="html">At&amp;lt;om</title>
<link rel="self" href="https://atom.example/feed"/><author><name>The Lab</name></author>
<entry><id>tag:atom.example,2026:2</id><title>Two</title><link href="2.html"/><updated>2026-02-02T00:00:00Z</updated><published>2026-02-01T00:00:00Z</published>
 <summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Sum <i>mary</i></div></summary></entry>
<entry><id>https://atom.example/1</id><title>One</title><updated>2026-01-01T00:00:00Z</updated><author><name>Ada</name></author><author><name>Bob</name></author><content type="text">a &lt; b</content></entry>
</feed>`,
			"At<om",
			"- | One | https://atom.example/1 | https://atom.example/1 | a < b | Ada, Bob\n" +
				"2026-02-01 | Two | https://atom.example/blog/2.html | tag:atom.example,2026:2 | Sum mary | The Lab\n",
		},
		{
			"Atom with a prefix",
			`<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:title>P</a:title><a:entry><a:id>x</a:id><a:title>T</a:title><a:link href="http://p.example/t"/></a:entry></a:feed>`,
			"P", "- | T | http://p.example/t | x |  | \n",
		},
		{
			"Atom 0.3",
			`<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>Z</title><link rel="alternate" href="http://z.example/"/>
<entry><title>E</title><link rel="alternate" href="/e"/><id>e</id><issued>2026-01-03T00:00:00Z</issued><modified>2026-01-04T00:00:00Z</modified><content mode="escaped">&lt;p&gt;c&lt;/p&gt;</content></entry></feed>`,
			"Z", "2026-01-03 | E | http://z.example/e | e | c | \n",
		},
		{
			"JSON Feed 1.1",
			`{"version":"https://jsonfeed.org/version/1.1","title":"J","home_page_url":"https://j.example/","authors":[{"name":"Team J"}],"items":[
{"id":2,"url":"/2","title":"Two","content_html":"<p>H</p>","date_published":"2026-02-02T00:00:00Z","authors":[{"name":"Ada"}]},
{"id":"1","content_text":"Words and words a<b>.","date_published":"2026-02-01T00:00:00Z"}]}`,
			"J",
			"2026-02-01 | Words and words a<b>. |  | 1 | Words and words a<b>. | Team J\n" +
				"2026-02-02 | Two | https://j.example/2 | 2 | H | Ada\n",
		},
		{
			"empty feed", `<rss version="2.0"><channel><title>Weekend</title></channel></rss>`, "Weekend", "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pull := parse(t, test.body)
			if diff := cmp.Diff(test.want, brief(pull)); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if pull.Title != test.title {
				t.Errorf("title %q, want %q", pull.Title, test.title)
			}
			if len(pull.Faults) > 0 {
				t.Errorf("faults %q", pull.Faults)
			}
			if n := strings.Count(test.want, "\n"); pull.Entries != n || len(pull.State.Entries) != 8*n {
				t.Errorf("%d entries, %d bytes of hashes, want %d entries", pull.Entries, len(pull.State.Entries), n)
			}
			again, err := Parse([]byte(test.body), "", testSource, pull.State, testNow)
			if err != nil || !again.Unchanged || len(again.Items) > 0 {
				t.Errorf("second time: %+v, %v", again, err)
			}
		})
	}
}

func rssOf(items ...string) string {
	return `<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>T</title><link>https://lab.example/</link>` + strings.Join(items, "\n") + `</channel></rss>`
}

func TestOneItem(t *testing.T) {
	tests := []struct{ name, item, want string }{
		{
			"no title", `<item><link>/a</link><description>` + strings.Repeat("word ", 40) + `</description></item>`,
			"- | " + strings.TrimSpace(strings.Repeat("word ", 18)) + "… | https://lab.example/a | https://lab.example/a | " + strings.TrimSpace(strings.Repeat("word ", 40)) + " | \n",
		},
		{"no link, no guid", `<item><title>Only words</title></item>`, "- | Only words |  | title:" + hashOf("Only words") + " |  | \n"},
		{"link only", `<item><link>https://x.example/p</link></item>`, "- | https://x.example/p | https://x.example/p | https://x.example/p |  | \n"},
		{"year 1", `<item><title>A</title><guid>g</guid><pubDate>Mon, 01 Jan 0001 00:00:00 GMT</pubDate></item>`, "- | A |  | g |  | \n"},
		{"year 2099", `<item><title>A</title><guid>g</guid><pubDate>Thu, 01 Jan 2099 00:00:00 GMT</pubDate></item>`, "- | A |  | g |  | \n"},
		{"tomorrow, by a time zone", `<item><title>A</title><guid>g</guid><pubDate>Wed, 11 Mar 2026 00:00:00 GMT</pubDate></item>`, "2026-03-11 | A |  | g |  | \n"},
		{"script link", `<item><title>A</title><link>javascript:alert(1)</link><guid isPermaLink="false">g</guid></item>`, "- | A |  | g |  | \n"},
		{"guid that is no address", `<item><title>A</title><guid isPermaLink="true">12</guid></item>`, "- | A |  | 12 |  | \n"},
		{"credentials in a link", `<item><title>A</title><link>https://u:p@x.example/</link></item>`, "- | A | https://x.example/ | https://x.example/ |  | \n"},
		{"e-mail as author", `<item><title>A</title><guid>g</guid><author>ada@x.example (Ada L)</author></item>`, "- | A |  | g |  | Ada L\n"},
		{"markup as author", `<item><title>A</title><guid>g</guid><author>&lt;name&gt;Ada L&lt;/name&gt;&lt;role/&gt;</author></item>`, "- | A |  | g |  | Ada L\n"},
		{"item in CDATA is text", `<item><title>A</title><guid>g</guid><description><![CDATA[ <item>no</item> ]]></description></item>`, "- | A |  | g | <item>no</item> | \n"},
		{"unknown entity", `<item><title>caf&eacute; &foo; x</title><guid>g</guid></item>`, "- | café &foo; x |  | g |  | \n"},
		{"stray end tag", `<item><title>A</title><guid>g</guid></p><description>b</description></item>`, "- | A |  | g | b | \n"},
		{"stray less-than", `<item><title>I <3 AI</title><guid>g</guid></item>`, "- | I <3 AI |  | g |  | \n"},
		{"unclosed tags", `<item><title>A</title><guid>g</guid><description>b<br>c<p>d</description></item>`, "- | A |  | g | b c d | \n"},
		{"illegal characters", "<item><title>A\x00\x0b&#0;&#xFFFF;\uffffB</title><guid>g</guid></item>", "- | AB |  | g |  | \n"},
		{"stray end of CDATA", `<item><title>a ]]> b</title><guid>g</guid></item>`, "- | a ]]> b |  | g |  | \n"},
		{"greater-than in an attribute", `<item a=">"><title b='/>'>A</title><guid>g</guid></item>`, "- | A |  | g |  | \n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pull := parse(t, rssOf(`<item><title>Sound</title><guid isPermaLink="false">sound</guid><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>`, test.item))
			pull.Items = slices.DeleteFunc(pull.Items, func(it feeds.Item) bool { return it.GUID == "sound" })
			if diff := cmp.Diff(test.want, brief(pull)); diff != "" {
				t.Errorf("(-want +got):\n%s\nfaults %q", diff, pull.Faults)
			}
			if pull.Entries != 2 {
				t.Errorf("%d entries, want 2", pull.Entries)
			}
		})
	}
}

func hashOf(s string) string {
	g := guid(entry{Item: goItem(s)}, "")
	return strings.TrimPrefix(g, "title:")
}

func TestEmptyItemIsAFault(t *testing.T) {
	pull := parse(t, rssOf(`<item/>`, `<item><title>Here</title></item>`, `<item><description><![CDATA[<script>x</script>]]></description></item>`))
	if len(pull.Items) != 1 || pull.Entries != 3 || len(pull.Faults) != 2 {
		t.Errorf("%d items of %d entries, faults %q", len(pull.Items), pull.Entries, pull.Faults)
	}
}

func TestNotAFeed(t *testing.T) {
	tests := []struct{ name, body, say string }{
		{"page", "<!DOCTYPE html>\n<html><head><title>Sign in &amp; go</title></head><body>x</body></html>", `web page, not a feed: "Sign in & go"`},
		{"XHTML page", `<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd"><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Well formed</title></head><body><item/></body></html>`, `web page, not a feed: "Well formed"`},
		{"fragment", "<div>hello</div>", "web page"},
		{"text", "Not found", `plain text that begins "Not found"`},
		{"empty", " \n", "empty"},
		{"JSON", `{"error":"no"}`, "JSON, but not a JSON Feed"},
		{"JSON list", `[1,2]`, "JSON, but not a JSON Feed"},
		{"site map", `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"/>`, "site map"},
		{"other XML", `<Error><Code>AccessDenied</Code></Error>`, "<Error> is no feed"},
		{"comment only", "<!-- x -->", "no element"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.body), "", testSource, feeds.State{}, testNow)
			if feeds.TroubleOf(err) != feeds.TroubleNotAFeed || !strings.Contains(err.Error(), test.say) || !strings.Contains(err.Error(), "feed:test") {
				t.Errorf("error %v, want it to say %q", err, test.say)
			}
		})
	}
}

func TestCharsets(t *testing.T) {
	russian := rssOf(`<item><title>Сбер открыл веса модели под лицензией</title><guid>1</guid></item>`)
	french := rssOf(`<item><title>Modèle dévoilé à Paris</title><guid>1</guid></item>`)
	chinese := rssOf(`<item><title>开源模型发布了，大家都可以下载使用</title><guid>1</guid></item>`)
	declare := func(s, charset string) string {
		return strings.Replace(s, `version="1.0"?`, `version="1.0" encoding="`+charset+`"?`, 1)
	}
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	w1251 := must(charmap.Windows1251.NewEncoder().Bytes([]byte(russian)))
	latin := must(charmap.ISO8859_1.NewEncoder().Bytes([]byte(french)))
	tests := []struct {
		name, contentType string
		body              []byte
		want              string
		faults            int
	}{
		{"UTF-8", "", []byte(russian), "Сбер открыл веса модели под лицензией", 0},
		{"UTF-8 with a mark", "", append([]byte("\xef\xbb\xbf"), russian...), "Сбер открыл веса модели под лицензией", 0},
		{"UTF-8 that says Latin-1", "", []byte(declare(french, "iso-8859-1")), "Modèle dévoilé à Paris", 0},
		{"UTF-8 served as Latin-1", "text/xml; charset=iso-8859-1", []byte(french), "Modèle dévoilé à Paris", 0},
		{"windows-1251 undeclared", "", w1251, "Сбер открыл веса модели под лицензией", 1},
		{"windows-1251 that says UTF-8", "text/xml; charset=utf-8", w1251, "Сбер открыл веса модели под лицензией", 1},
		{"windows-1251 by its header", "application/rss+xml; charset=windows-1251", w1251, "Сбер открыл веса модели под лицензией", 0},
		{"windows-1251 declared", "", must(charmap.Windows1251.NewEncoder().Bytes([]byte(declare(russian, "windows-1251")))), "Сбер открыл веса модели под лицензией", 0},
		{"Latin-1 undeclared", "", latin, "Modèle dévoilé à Paris", 1},
		{"GB 18030 undeclared", "", must(simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(chinese))), "开源模型发布了，大家都可以下载使用", 1},
		{"GBK declared", "", must(simplifiedchinese.GBK.NewEncoder().Bytes([]byte(declare(chinese, "gb2312")))), "开源模型发布了，大家都可以下载使用", 0},
		{"UTF-16 with a mark", "", must(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(declare(chinese, "utf-16")))), "开源模型发布了，大家都可以下载使用", 0},
		{"UTF-16 without", "", must(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().Bytes([]byte(chinese))), "开源模型发布了，大家都可以下载使用", 0},
		{"one bad byte", "", []byte(strings.Replace(french, "Paris", "Par\xeds ‘x’", 1)), "Modèle dévoilé à París ‘x’", 1},
		{"unknown label", "text/xml; charset=klingon", []byte(french), "Modèle dévoilé à Paris", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pull, err := Parse(test.body, test.contentType, testSource, feeds.State{}, testNow)
			if err != nil {
				t.Fatal(err)
			}
			if len(pull.Items) != 1 || pull.Items[0].Title != test.want || len(pull.Faults) != test.faults {
				t.Errorf("%q, faults %q, want %q", brief(pull), pull.Faults, test.want)
			}
		})
	}
}

func TestTruncation(t *testing.T) {
	whole := rssOf(
		`<item><title>A</title><guid>a</guid><description><![CDATA[x]]></description></item>`,
		`<item><title>B</title><guid>b</guid><description><![CDATA[x]]></description></item>`,
		`<item><title>C</title><guid>c</guid><description><![CDATA[x]]></description></item>`)
	for cut := strings.Index(whole, "<item>"); cut < len(whole)-1; cut++ {
		pull, err := Parse([]byte(whole[:cut]), "", testSource, feeds.State{}, testNow)
		want := strings.Count(whole[:cut], "</item>")
		if want == 0 {
			if feeds.TroubleOf(err) != feeds.TroubleMalformed {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if len(pull.Items) != want || len(pull.Faults) != 1 || !strings.Contains(pull.Faults[0], "cut off") {
			t.Fatalf("cut at %d: %d items, want %d, faults %q", cut, len(pull.Items), want, pull.Faults)
		}
		if pull.Title != "T" {
			t.Fatalf("cut at %d: title %q", cut, pull.Title)
		}
	}
	json := `{"version":"https://jsonfeed.org/version/1","title":"J","items":[{"id":"1","title":"A"},{"id":"2","title":"B"}]}`
	pull, err := Parse([]byte(json[:len(json)-10]), "", testSource, feeds.State{}, testNow)
	if err != nil || len(pull.Items) != 1 || len(pull.Faults) != 1 {
		t.Errorf("JSON: %d items, faults %q, %v", len(pull.Items), pull.Faults, err)
	}
}

func TestMissingEndTag(t *testing.T) {
	pull := parse(t, rssOf(`<item><title>A</title><guid>a</guid>`, `<item><title>B</title><guid>b</guid></item>`))
	if len(pull.Items) != 2 || len(pull.Faults) != 1 {
		t.Errorf("%s faults %q", brief(pull), pull.Faults)
	}
}

// TestManyBrokenEntries checks that entries that encoding/xml refuses are repaired one
// by one, however many they are.
func TestManyBrokenEntries(t *testing.T) {
	for _, form := range []string{`<item><title>I <3 model %d</title></item>`, `<item><title>a%d<b></i></title></x></item>`, "<item><title>a%d &#0;</title></item>"} {
		var items []string
		for i := range 300 {
			items = append(items, fmt.Sprintf(form, i))
		}
		pull := parse(t, rssOf(items...))
		if len(pull.Items) != 300 || len(pull.Faults) > 0 {
			t.Errorf("%s: %d of 300 items, faults %q", form, len(pull.Items), pull.Faults)
		}
	}
}

// Bombs are documents that are small to write and meant to be large to read.
func TestBombs(t *testing.T) {
	sound := `<item><title>Sound</title><guid>s</guid></item>`
	var lol strings.Builder
	lol.WriteString(`<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "ha">`)
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&lol, `<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	lol.WriteString(`]><rss version="2.0"><channel><title>&a29;</title><item><title>&a29;</title><guid>g</guid></item></channel></rss>`)

	tests := []struct {
		name, body     string
		entries, items int
	}{
		{"entities", lol.String(), 1, 1},
		{"200,000 empty items", rssOf(sound, strings.Repeat("<item></item>", 200_000)), 200_001, 1},
		{"200,000 empty elements", rssOf(sound, strings.Repeat("<item/>", 200_000)), 200_001, 1},
		{"deep nesting in an item", rssOf(`<item><title>x</title><a:b>`+strings.Repeat("<a:b>", 500_000)+`</item>`, sound), 2, 1},
		{"wide item", rssOf(`<item><title>x</title>`+strings.Repeat("<a:b/>", 500_000)+`</item>`, sound), 2, 1},
		{"deep head", rssOf(strings.Repeat("<a:b>", 500_000), sound), 1, 1},
		{"huge item", rssOf(`<item><title>`+strings.Repeat("x", 5<<20)+`</title></item>`, sound), 2, 1},
		{"nested items", rssOf(strings.Repeat("<item>", 50_000), sound), 50_001, 0},
		{"open comments", rssOf(sound, strings.Repeat("<!--", 500_000)), 1, 1},
		{"open declarations in an item", rssOf(`<item><title>x <y`+strings.Repeat("<!", 500_000)+`</title></item>`, sound), 0, 0},
		{"open tags", rssOf(sound, strings.Repeat("<a ", 500_000)), 1, 1},
		{"quotes", rssOf(sound, `<item><title a="`+strings.Repeat(`'"`, 500_000)+`>x</title></item>`), 2, 1},
		{"ampersands", rssOf(sound, `<item><title>x`+strings.Repeat(`&`, 500_000)+`</title></item>`), 2, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			pull := parse(t, test.body)
			t.Logf("%d bytes took %v", len(test.body), time.Since(start))
			if test.entries > 0 && (pull.Entries != test.entries || len(pull.Items) != test.items) {
				t.Errorf("%d items of %d entries, want %d of %d, faults %.300q", len(pull.Items), pull.Entries, test.items, test.entries, pull.Faults)
			}
			if len(pull.Faults) > maxFaults+1 {
				t.Errorf("%d faults", len(pull.Faults))
			}
			for _, it := range pull.Items {
				if len(it.Title) > 4*feeds.MaxTitle || len(it.Summary) > 4*feeds.MaxSummary {
					t.Errorf("title of %d bytes, summary of %d", len(it.Title), len(it.Summary))
				}
			}
		})
	}

	if _, err := Parse([]byte(`{"version":"https://jsonfeed.org/version/1","items":`+strings.Repeat("[", 1_000_000)), "", testSource, feeds.State{}, testNow); err == nil {
		t.Error("deeply nested JSON was accepted")
	}
	frame := `<rss ` + strings.Repeat(`xmlns:a="b" `, 5_000) + `><channel>` + sound + `</channel></rss>`
	if _, err := Parse([]byte(frame), "", testSource, feeds.State{}, testNow); feeds.TroubleOf(err) != feeds.TroubleMalformed {
		t.Errorf("huge frame: %v", err)
	}
}

func TestVolatileHead(t *testing.T) {
	doc := func(build, base string, items ...string) string {
		return `<rss version="2.0"` + base + `><channel><title>T ` + build + `</title><lastBuildDate>` + build + `</lastBuildDate><link>https://lab.example/</link>` + strings.Join(items, "") + `<ttl>` + build + `</ttl></channel></rss>`
	}
	a, b := `<item><title>A</title><link>a</link></item>`, `<item><title>B</title><link>b</link></item>`
	first := parse(t, doc("1", "", a))
	if len(first.Items) != 1 {
		t.Fatalf("%d items", len(first.Items))
	}
	steps := []struct {
		name, body string
		items      int
		unchanged  bool
	}{
		{"another build date", doc("2", "", a), 0, true},
		{"a new entry", doc("2", "", b, a), 1, false},
		{"an edited entry", doc("2", "", strings.Replace(a, ">A<", ">A!<", 1)), 1, false},
		{"the entry gone", doc("2", ""), 0, true},
		{"another xml:base", doc("2", ` xml:base="https://new.example/"`, a), 1, false},
		{"another namespace", doc("2", ` xmlns:x="y"`, a), 1, false},
		{"another site", strings.Replace(doc("2", "", a), "https://lab.example/", "https://other.example/", 1), 1, false},
	}
	for _, step := range steps {
		pull, err := Parse([]byte(step.body), "", testSource, first.State, testNow)
		if err != nil || len(pull.Items) != step.items || pull.Unchanged != step.unchanged {
			t.Errorf("%s: %d items, unchanged %t, %v; want %d, %t", step.name, len(pull.Items), pull.Unchanged, err, step.items, step.unchanged)
		}
	}
	moved := testSource
	moved.URL = "https://moved.example/feed"
	pull, err := Parse([]byte(doc("1", "", a)), "", moved, first.State, testNow)
	if err != nil || len(pull.Items) != 1 {
		t.Errorf("moved: %d items, %v", len(pull.Items), err)
	}
}

// TestIncremental checks that a document read in two visits, some entries first and
// then the rest, brings the same items as one read at once.
func TestIncremental(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		doc := randomFeed(rng)
		all := doc.entries
		full, err := Parse(doc.render(all), "", testSource, feeds.State{}, testNow)
		if err != nil {
			t.Fatal(err)
		}
		known := slices.DeleteFunc(slices.Clone(all), func(string) bool { return rng.IntN(2) == 0 })
		first, err := Parse(doc.render(known), "", testSource, feeds.State{}, testNow)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Parse(doc.render(all), "", testSource, first.State, testNow)
		if err != nil {
			t.Fatal(err)
		}
		got := append(slices.Clone(first.Items), second.Items...)
		byID := func(a, b feeds.Item) int { return strings.Compare(string(a.ID), string(b.ID)) }
		slices.SortFunc(got, byID)
		want := slices.Clone(full.Items)
		slices.SortFunc(want, byID)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d, %d of %d entries known (-full +incremental):\n%s", round, len(known), len(all), diff)
		}
		if len(second.Items) != len(all)-len(known) || second.Entries != len(all) {
			t.Fatalf("round %d: %d new items, %d entries", round, len(second.Items), second.Entries)
		}
		if !bytes.Equal(second.State.Entries, full.State.Entries) || second.State.Head != full.State.Head {
			t.Fatalf("round %d: states differ", round)
		}
	}
}

type generated struct {
	open, close string
	entries     []string
}

func (g generated) render(entries []string) []byte {
	sep := "\n"
	if strings.HasPrefix(g.open, "{") {
		sep = ","
	}
	return []byte(g.open + strings.Join(entries, sep) + g.close)
}

func randomFeed(rng *rand.Rand) (g generated) {
	kind := rng.IntN(4)
	switch kind {
	case 0:
		g.open, g.close = `<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel xml:base="https://x.example/"><title>T</title>`, `</channel></rss>`
	case 1:
		g.open, g.close = `<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://x.example/"><title>T</title><author><name>Feed Author</name></author>`, `</feed>`
	case 2:
		g.open, g.close = `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>T</title><link>https://x.example/</link></channel>`, `</rdf:RDF>`
	case 3:
		g.open, g.close = `{"version":"https://jsonfeed.org/version/1.1","home_page_url":"https://x.example/","items":[`, `]}`
	}
	text := []string{"plain words", "a &lt;b&gt;bold&lt;/b&gt; move", "I <3 broken", "Code is available at https://github.com/org/repo", "caf&eacute; &#0; x", "</p> stray"}
	for i := range 1 + rng.IntN(40) {
		words := fmt.Sprintf("%s %d", text[rng.IntN(len(text))], i)
		date := time.Date(2026, 1, 1+rng.IntN(60), 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
		switch kind {
		case 0:
			g.entries = append(g.entries, fmt.Sprintf(`<item><title>%s</title><link>p/%d</link><dc:date>%s</dc:date><content:encoded><![CDATA[<p>%s</p>]]></content:encoded></item>`, words, i, date, words))
		case 1:
			g.entries = append(g.entries, fmt.Sprintf(`<entry><id>%d</id><title>%s</title><link href="p/%d"/><updated>%s</updated></entry>`, i, words, i, date))
		case 2:
			g.entries = append(g.entries, fmt.Sprintf(`<item rdf:about="%d"><title>%s</title><link>p/%d</link></item>`, i, words, i))
		case 3:
			g.entries = append(g.entries, fmt.Sprintf(`{"id":%d,"title":%q,"url":"p/%d","date_published":%q}`, i, words, i, date))
		}
	}
	return g
}

func TestRefiner(t *testing.T) {
	src := feeds.Source{ID: "arxiv:cs.CL", Kind: feeds.KindArXiv, URL: "https://rss.example/cs.CL"}
	var seen []map[string][]string
	refine := func(it *feeds.Item, ext map[string][]string) bool {
		seen = append(seen, ext)
		it.Announce = feeds.Announce(strings.Join(ext["arxiv:announce_type"], ""))
		it.Affiliations = ext["arxiv:affiliation"]
		return it.Title != "Error"
	}
	rssBody := `<rss version="2.0" xmlns:ax="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>cs.CL</title>
<item><title>A paper of note</title><link>https://arxiv.org/abs/2501.00001</link><guid isPermaLink="false">oai:arXiv.org:2501.00001v2</guid>
<ax:announce_type>replace</ax:announce_type><ax:DOI>10.1/x</ax:DOI><dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights><dc:creator>Ada Lovelace, Plato, Bob (X, Y)</dc:creator></item></channel></rss>`
	pull, err := ParseRefined([]byte(rssBody), "", src, feeds.State{}, testNow, refine)
	if err != nil || len(pull.Items) != 1 {
		t.Fatalf("%d items, %v", len(pull.Items), err)
	}
	it := pull.Items[0]
	if it.Announce != feeds.AnnounceReplace || it.Kind != feeds.ItemPaper {
		t.Errorf("announce %q, kind %q", it.Announce, it.Kind)
	}
	if diff := cmp.Diff([]string{"Ada Lovelace", "Plato", "Bob (X, Y)"}, it.Authors); diff != "" {
		t.Errorf("authors (-want +got):\n%s", diff)
	}
	if !slices.Contains(it.Keys, feeds.Key{Scheme: feeds.KeyArXiv, Value: "2501.00001"}) {
		t.Errorf("keys %v", it.Keys)
	}
	want := map[string][]string{
		"arxiv:announce_type": {"replace"}, "arxiv:doi": {"10.1/x"}, "dc:rights": {"http://creativecommons.org/licenses/by/4.0/"},
		"dc:creator": {"Ada Lovelace, Plato, Bob (X, Y)"},
	}
	if diff := cmp.Diff(want, seen[0]); diff != "" {
		t.Errorf("RSS extensions (-want +got):\n%s", diff)
	}

	atomBody := `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom"><title>q</title>
<entry><id>http://arxiv.org/abs/2501.00002v1</id><title>B</title><link href="https://arxiv.org/abs/2501.00002v1" rel="alternate"/><link title="pdf" href="https://arxiv.org/pdf/2501.00002v1" rel="related"/>
<arxiv:primary_category term="cs.CL"/><arxiv:comment>8 pages</arxiv:comment>
<author><name>A</name><arxiv:affiliation>ETH Z&#252;rich</arxiv:affiliation><arxiv:affiliation><![CDATA[Google & Co]]></arxiv:affiliation></author><author><name>B</name><arxiv:affiliation>MIT</arxiv:affiliation></author></entry>
<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title></entry></feed>`
	seen = nil
	src.Kind = feeds.KindArXivQuery
	pull, err = ParseRefined([]byte(atomBody), "", src, feeds.State{}, testNow, refine)
	if err != nil || len(pull.Items) != 1 || pull.Entries != 2 {
		t.Fatalf("%d items, %v", len(pull.Items), err)
	}
	want = map[string][]string{
		"link:alternate": {"https://arxiv.org/abs/2501.00002v1"}, "link:related": {"https://arxiv.org/pdf/2501.00002v1"}, "link:pdf": {"https://arxiv.org/pdf/2501.00002v1"},
		"arxiv:primary_category@term": {"cs.CL"}, "arxiv:comment": {"8 pages"}, "arxiv:affiliation": {"ETH Zürich", "Google & Co", "MIT"},
	}
	if diff := cmp.Diff(want, seen[0]); diff != "" {
		t.Errorf("Atom extensions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ETH Zürich", "Google & Co", "MIT"}, pull.Items[0].Affiliations); diff != "" {
		t.Errorf("affiliations (-want +got):\n%s", diff)
	}
}

func TestOfficialSourceAndReleases(t *testing.T) {
	src := feeds.Source{ID: "rel", Kind: feeds.KindReleases, URL: "https://github.com/org/repo/releases.atom", Lab: "lab", Official: true}
	pull, err := Parse([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><title>Release notes from repo</title>
<entry><id>tag:1</id><updated>2026-03-01T00:00:00Z</updated><link rel="alternate" href="https://github.com/org/repo/releases/tag/v1"/><title>v1.0 of the very long name</title></entry></feed>`), "", src, feeds.State{}, testNow)
	if err != nil || len(pull.Items) != 1 {
		t.Fatalf("%d items, %v", len(pull.Items), err)
	}
	got := pull.Items[0]
	want := feeds.Item{
		ID: feeds.NewItemID("rel", "tag:1"), Source: "rel", Publisher: "lab", Account: feeds.Account{Service: feeds.GitHub, Handle: "org"}, Kind: feeds.ItemRelease,
		GUID: "tag:1", URL: "https://github.com/org/repo/releases/tag/v1", Title: "repo v1.0 of the very long name",
		Updated: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Seen: testNow,
		Artifacts: []feeds.Artifact{{Kind: feeds.Code, URL: "https://github.com/org/repo"}},
		Keys:      []feeds.Key{{Scheme: feeds.KeyURL, Value: "https://github.com/org/repo/releases/tag/v1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManyAuthors(t *testing.T) {
	pull := parse(t, rssOf(`<item><title>A</title><dc:creator>`+strings.Repeat("x", 10)+`</dc:creator>`+authors(5000)+`</item>`))
	if n := len(pull.Items[0].Authors); n != feeds.MaxAuthors {
		t.Errorf("%d authors, want %d", n, feeds.MaxAuthors)
	}
}

func authors(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<dc:creator>Author %d</dc:creator>", i)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		g := randomFeed(rng)
		g.entries = g.entries[:min(len(g.entries), 2)]
		f.Add(g.render(g.entries))
	}
	f.Add([]byte("<html><title>x</title>"))
	f.Add([]byte(`<rss><channel><item><title>a<b></item><item/>`))
	f.Add([]byte("<\x00r\x00s\x00s\x00"))
	f.Add([]byte(`<feed><entry><author><x:affiliation>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keep := func(*feeds.Item, map[string][]string) bool { return true }
		pull, err := ParseRefined(body, "", testSource, feeds.State{}, testNow, keep)
		if err != nil {
			var trouble *feeds.Trouble
			if !errors.As(err, &trouble) {
				t.Errorf("not a trouble: %v", err)
			}
			return
		}
		for _, it := range pull.Items {
			if it.Title == "" || it.GUID == "" || it.ID == "" || strings.ContainsAny(it.Title, "\x00\n") {
				t.Errorf("item %+v", it)
			}
		}
		if len(pull.Items) > pull.Entries {
			t.Errorf("%d items of %d entries", len(pull.Items), pull.Entries)
		}
		again, err := ParseRefined(body, "", testSource, pull.State, testNow, keep)
		if err != nil || !again.Unchanged || again.Entries != pull.Entries {
			t.Errorf("second time: %+v, %v", again, err)
		}
	})
}

// A site's own name behind each title says nothing there; another's does.
func TestTitleWithoutItsSite(t *testing.T) {
	for _, tt := range []struct{ feed, title, want string }{
		{"A Lab", "We release Heron | A Lab", "We release Heron"},
		{"AI News | A Lab", "We release Heron – a lab", "We release Heron"},
		{"A Lab", "Heron - a model for birds", "Heron - a model for birds"},
		{"A Lab", "Somebody else on us | Another Lab", "Somebody else on us | Another Lab"},
		{"A Lab", "A Lab", "A Lab"},
		{"", "We release Heron | A Lab", "We release Heron | A Lab"},
	} {
		body := `<rss version="2.0"><channel><title>` + tt.feed + `</title><item><title>` + tt.title + `</title><link>https://lab.example/1</link></item></channel></rss>`
		pull, err := Parse([]byte(body), "application/rss+xml", feeds.Source{ID: "feed:x", Kind: feeds.KindFeed, URL: "https://lab.example/feed"}, feeds.State{}, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
		if err != nil || len(pull.Items) != 1 {
			t.Fatalf("%q: %d items, %v", tt.title, len(pull.Items), err)
		}
		if got := pull.Items[0].Title; got != tt.want {
			t.Errorf("%q of %q: %q, want %q", tt.title, tt.feed, got, tt.want)
		}
	}
}
