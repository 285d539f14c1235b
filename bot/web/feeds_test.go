package web

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"seedcorn/bot"
	"seedcorn/digest"
)

// What went out is read back.
func TestAtom(t *testing.T) {
	h := New(open(full(60)))
	resp := get(t, h, "/feed.atom?q=experts&country=CN")
	if got := resp.Header.Get("Content-Type"); got != "application/atom+xml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	var f atomFeed
	if err := xml.Unmarshal([]byte(body(t, resp)), &f); err != nil {
		t.Fatal(err)
	}
	const self = "https://research.example/feed.atom?q=experts+country%3ACN"
	if f.ID != "tag:research.example,2026:works?q=experts+country%3ACN" || f.Links[0].Href != self || f.Links[1].Href != "https://research.example/search?q=experts+country%3ACN" {
		t.Errorf("id %s, links %v", f.ID, f.Links)
	}
	if len(f.Entries) < 10 {
		t.Fatalf("%d entries", len(f.Entries))
	}
	last := ""
	for _, e := range f.Entries {
		if _, err := time.Parse(time.RFC3339, e.Updated); err != nil || e.Published > e.Updated || e.Title == "" || len(e.Authors) == 0 || !strings.HasPrefix(e.ID, "tag:research.example,2026:work/w") {
			t.Errorf("entry %+v: %v", e, err)
		}
		if !slices.Contains(e.Categories, atomCategory{Term: "country:CN"}) {
			t.Errorf("categories %v", e.Categories)
		}
		last = max(last, e.Updated)
	}
	if f.Updated != last {
		t.Errorf("updated %s, the newest entry %s", f.Updated, last)
	}
}

func TestJSONFeed(t *testing.T) {
	h := New(open(full(60)))
	var f jsonFeed
	if err := json.Unmarshal([]byte(body(t, get(t, h, "/feed.json?q=experts&limit=7"))), &f); err != nil {
		t.Fatal(err)
	}
	if f.Version != "https://jsonfeed.org/version/1.1" || len(f.Items) != 7 || f.NextURL == "" {
		t.Fatalf("version %q, %d items, next %q", f.Version, len(f.Items), f.NextURL)
	}
	seen := map[string]bool{}
	for pages := 0; ; pages++ {
		for _, it := range f.Items {
			if seen[it.ID] {
				t.Errorf("%s twice", it.ID)
			}
			seen[it.ID] = true
		}
		if f.NextURL == "" {
			break
		}
		u, err := url.Parse(f.NextURL)
		if err != nil || pages > 20 {
			t.Fatal(err, pages)
		}
		f = jsonFeed{}
		if err := json.Unmarshal([]byte(body(t, get(t, h, u.RequestURI()))), &f); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d works by way of the pages, want 60", len(seen))
	}
	empty := body(t, get(t, h, "/feed.json?q=zzzz"))
	if !strings.Contains(empty, `"items": []`) {
		t.Errorf("a feed of nothing: %s", empty)
	}
}

func TestDigestFeeds(t *testing.T) {
	h := New(open(full(30)))
	var f atomFeed
	if err := xml.Unmarshal([]byte(body(t, get(t, h, "/digests.atom"))), &f); err != nil {
		t.Fatal(err)
	}
	var j jsonFeed
	if err := json.Unmarshal([]byte(body(t, get(t, h, "/digests.json"))), &j); err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != 3 || len(j.Items) != 3 || f.Updated != f.Entries[0].Updated {
		t.Fatalf("%d entries, %d items, updated %s", len(f.Entries), len(j.Items), f.Updated)
	}
	for i, e := range f.Entries {
		if e.ID != "tag:research.example,2026:digest/d00000000000"+strconv.Itoa(i) || e.ID != j.Items[i].ID || e.Links[0].Href != j.Items[i].URL || e.Title != j.Items[i].Title || !strings.Contains(e.Summary, "work") {
			t.Errorf("entry %+v, item %+v", e, j.Items[i])
		}
	}
}

// A digest in a feed shows its picture where a feed reader can have it, with what it
// says for those who do not see it, and it is there.
func TestDigestPictures(t *testing.T) {
	h := New(open(full(30)))
	var f atomFeed
	if err := xml.Unmarshal([]byte(body(t, get(t, h, "/digests.atom"))), &f); err != nil {
		t.Fatal(err)
	}
	if f.Entries[1].Content != nil {
		t.Error("a picture of a digest of nothing")
	}
	for _, e := range f.Entries[:1] {
		if e.Content == nil || e.Content.Type != "html" {
			t.Fatalf("entry %s has content %+v", e.ID, e.Content)
		}
		root, err := html.Parse(strings.NewReader(e.Content.Body))
		if err != nil {
			t.Fatal(err)
		}
		var src, alt string
		for n := range root.Descendants() {
			if n.DataAtom == atom.Img {
				src, alt = attr(n, "src"), attr(n, "alt")
			}
		}
		path, ours := strings.CutPrefix(src, "https://research.example")
		if resp := get(t, h, path); !ours || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/png" || !strings.Contains(alt, "rule share") {
			t.Errorf("a picture at %q, which says %q", src, alt)
		}
	}
	at := now
	opt := closed(&at)
	opt.Access = ByProxy
	req := httptest.NewRequest("GET", "http://research.example/digests.atom", nil)
	req.RemoteAddr = "127.0.0.1:1"
	req.Header.Set("X-Forwarded-User", "ana")
	rec := httptest.NewRecorder()
	New(opt).ServeHTTP(rec, req)
	if text := rec.Body.String(); rec.Code != 200 || strings.Contains(text, ".png") {
		t.Errorf("status %d, and a picture that a feed reader may not have: %s", rec.Code, text)
	}
}

// A correction makes an entry and its feed newer, and no id another.
func TestFeedsAfterCorrection(t *testing.T) {
	d := full(20)
	h := New(open(d))
	read := func() (updated string, entries map[string]string) {
		t.Helper()
		var f atomFeed
		if err := xml.Unmarshal([]byte(body(t, get(t, h, "/feed.atom"))), &f); err != nil {
			t.Fatal(err)
		}
		entries = map[string]string{}
		for _, e := range f.Entries {
			entries[e.ID] = e.Updated
		}
		return f.Updated, entries
	}
	before, was := read()
	i := slices.IndexFunc(d.all, func(w digest.Work) bool { return w.ID == id(9) })
	d.all[i].Events = append(d.all[i].Events, digest.Event{At: now.Add(2 * time.Hour), Kind: digest.EventCorrected, What: "country", To: "FR"})
	after, is := read()
	corrected := "tag:research.example,2026:work/" + string(id(9))
	for id, u := range is {
		if old, ok := was[id]; !ok || (u > old) != (id == corrected) || u < old {
			t.Errorf("%s was updated %q, then %q", id, old, u)
		}
	}
	if len(is) != len(was) || after <= before || after != is[corrected] {
		t.Errorf("the feed was updated %s, then %s", before, after)
	}
}

// An id stays when the pages come to be asked by another scheme or port.
func TestTagsStay(t *testing.T) {
	ids := map[string]bool{}
	for _, base := range []string{"https://research.example", "http://research.example", "https://Research.Example:8443/", ""} {
		opt := open(full(3))
		opt.BaseURL = base
		var f atomFeed
		if err := xml.Unmarshal([]byte(body(t, get(t, New(opt), "/feed.atom"))), &f); err != nil {
			t.Fatal(err)
		}
		ids[f.Entries[0].ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("ids of one work: %v", ids)
	}
	s := &site{Options: Options{BaseURL: "http://[::1]:8080"}, base: "http://[::1]:8080"}
	if got := s.tag(httptest.NewRequest("GET", "http://x/", nil), "x"); got != "tag:localhost,2026:x" {
		t.Errorf("by an address of IPv6: %q", got)
	}
}

// A stranger's text stays text in every format.
func TestHostileFeeds(t *testing.T) {
	h := New(open(newDesk(hostile(1))))
	var f atomFeed
	if err := xml.Unmarshal([]byte(body(t, get(t, h, "/feed.atom"))), &f); err != nil {
		t.Fatal(err)
	}
	if e := f.Entries[0]; !strings.Contains(e.Title, "<script>") || strings.ContainsAny(e.Title, "\u202e\x00\x1b") || len(e.Links) != 1 {
		t.Errorf("entry %q with links %v", e.Title, e.Links)
	}
	var j jsonFeed
	if err := json.Unmarshal([]byte(body(t, get(t, h, "/feed.json"))), &j); err != nil {
		t.Fatal(err)
	}
	if it := j.Items[0]; it.ExternalURL != "" || !strings.Contains(it.Title, "<script>") {
		t.Errorf("item %+v", it)
	}
	lines := body(t, get(t, h, "/works.jsonl"))
	var w digest.Work
	if err := json.Unmarshal([]byte(lines), &w); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(lines, "hush") || w.Title == "" {
		t.Errorf("a work with a source's key: %s", lines)
	}
}

func TestWorksCSV(t *testing.T) {
	w := made(1)
	w.Title = "=HYPERLINK(\"https://evil.example\")\nand, more"
	resp := get(t, New(open(newDesk(w, made(2), made(3)))), "/works.csv?limit=2")
	if got := resp.Header.Get("Content-Disposition"); got != `attachment; filename="works.csv"` {
		t.Errorf("Content-Disposition %q", got)
	}
	if got := resp.Header.Get("Link"); !strings.HasPrefix(got, "<https://research.example/works.csv?") || !strings.HasSuffix(got, `; rel="next"`) {
		t.Errorf("Link %q", got)
	}
	rows, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(err, len(rows))
	}
	if got := rows[1][slices.Index(rows[0], "title")]; got != `'=HYPERLINK("https://evil.example") and, more` {
		t.Errorf("title %q", got)
	}
	if got := rows[1][slices.Index(rows[0], "page")]; got != "https://research.example/work/"+string(id(1)) {
		t.Errorf("page %q", got)
	}
}

// The table and the lines say what the page says, and how it was counted.
func TestBalanceTables(t *testing.T) {
	h := New(open(full(60)))
	const ask = "?rule=any&view=control&since=1mo&companies=yes&series=none"
	rows, err := csv.NewReader(get(t, h, "/balance.csv"+ask).Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(get(t, h, "/balance.jsonl"+ask).Body)
	n := 0
	for {
		var l bot.BalanceLine
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
		sum := 0.0
		for _, v := range l.Classes {
			sum += v
		}
		if l.Rule != digest.RuleAny || l.View != "control" || !l.Companies || !strings.HasPrefix(l.From, "2026-10-23T") || l.Works == 0 || l.Registry == "" || sum != l.Total {
			t.Errorf("line %+v", l)
		}
		if row := rows[n]; row[slices.Index(rows[0], "country")] != string(l.Country) || row[slices.Index(rows[0], "rule")] != "any" {
			t.Errorf("row %v, line %+v", row, l)
		}
	}
	if n == 0 || len(rows) != n+1 {
		t.Errorf("%d rows, %d lines", len(rows)-1, n)
	}
}

// Without an address of its own the site goes by the name it was asked for.
func TestOwnName(t *testing.T) {
	opt := open(full(2))
	opt.BaseURL = ""
	if got := body(t, get(t, New(opt), "/feed.json")); !strings.Contains(got, `"http://research.example/feed.json"`) {
		t.Error(got)
	}
	opt.BaseURL = "https://elsewhere.example/"
	if got := body(t, get(t, New(opt), "/feed.json")); !strings.Contains(got, `"https://elsewhere.example/feed.json"`) {
		t.Error(got)
	}
}
