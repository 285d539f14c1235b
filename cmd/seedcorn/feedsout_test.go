package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"

	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/digest"
	"seedcorn/feeds"
)

// The feeds of a real database are valid by the rules of their formats, and a reader of
// feeds that is not ours reads in them what the database says. After a correction the
// entry is newer, and nothing has got another id.
func TestFeedsOut(t *testing.T) {
	now := time.Now().UTC()
	site := demosite.New(now)
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv(testManners, "1ms")
	cfg := demoConfig(base, filepath.Join(t.TempDir(), "feeds.db"))
	cfg.Web, cfg.WebURL = "public", "https://research.example"
	clock := now
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: func() time.Time { return clock }}
	w, err := a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	sources := demosite.Sources(base)
	if err := w.db.PutSources(t.Context(), sources); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pullAll(t.Context(), sources, func(string) {}); err != nil {
		t.Fatal(err)
	}
	period := digest.Period{From: now.AddDate(0, 0, -7), To: now.Add(time.Minute)}
	d, err := w.compose(t.Context(), "This <week> & last", "", period, digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}, now)
	if err != nil {
		t.Fatal(err)
	}
	sub := digest.Subscription{ID: "s1", Destination: digest.Destination{Platform: "terminal"}, Cadence: "0 9 * * 1", Zone: "UTC", Created: period.From, Cursor: period.From, Next: period.To}
	if err := w.db.PutSubscription(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.SaveDigest(t.Context(), sub, d, period.To.AddDate(0, 0, 7)); err != nil {
		t.Fatal(err)
	}
	pages := a.pages(w, nil)
	defer pages.Close()
	read := func(path string) []byte {
		t.Helper()
		rec := httptest.NewRecorder()
		pages.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "https://research.example"+path, nil))
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, rec.Code, rec.Body)
		}
		return rec.Body.Bytes()
	}

	for path, least := range map[string]int{"/feed.atom": 50, "/feed.atom?q=country%3ACN+openness%3E%3Dopen-weights": 5, "/feed.atom?q=nothinglikethis": 0, "/digests.atom": 1} {
		b := read(path)
		checkAtom(t, path, b)
		f, err := gofeed.NewParser().Parse(bytes.NewReader(b))
		if err != nil || f.FeedType != "atom" || len(f.Items) < least || f.FeedLink != "https://research.example"+path || f.UpdatedParsed == nil {
			t.Errorf("%s: %v, %+v", path, err, f)
		}
	}
	for path, least := range map[string]int{"/feed.json": 50, "/feed.json?q=country%3ACN": 5, "/feed.json?q=nothinglikethis": 0, "/digests.json": 1} {
		b := read(path)
		checkJSONFeed(t, path, b)
		f, err := gofeed.NewParser().Parse(bytes.NewReader(b))
		if err != nil || f.FeedType != "json" || len(f.Items) < least || f.FeedLink != "https://research.example"+path {
			t.Errorf("%s: %v, %+v", path, err, f)
		}
	}

	// What is read back is what the database says.
	f, err := gofeed.NewParser().Parse(bytes.NewReader(read("/feed.atom")))
	if err != nil {
		t.Fatal(err)
	}
	was := map[string]*gofeed.Item{}
	for _, it := range f.Items {
		was[it.GUID] = it
		id := it.Link[strings.LastIndex(it.Link, "/")+1:]
		works, err := (desk{w, a.now}).FindWorks(t.Context(), id)
		if err != nil || len(works) != 1 || it.Title != strings.TrimSpace(works[0].Title) || !it.PublishedParsed.Equal(works[0].First.Truncate(time.Second)) || !strings.HasSuffix(it.GUID, "work/"+id) {
			t.Errorf("entry %s, %q: %v, %d works", it.GUID, it.Title, err, len(works))
		}
	}
	clock = now.Add(3 * time.Hour)
	one := f.Items[len(f.Items)/2]
	work := digest.WorkID(one.Link[strings.LastIndex(one.Link, "/")+1:])
	if _, err := (desk{w, a.now}).Correct(t.Context(), digest.Correction{Work: work, Field: "country", Value: "PT", Because: "https://example.org/why", By: "ana", At: clock}); err != nil {
		t.Fatal(err)
	}
	again, err := gofeed.NewParser().Parse(bytes.NewReader(read("/feed.atom")))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range again.Items {
		old := was[it.GUID]
		if old == nil || it.UpdatedParsed.Before(*old.UpdatedParsed) || it.UpdatedParsed.After(*old.UpdatedParsed) != (it.GUID == one.GUID) {
			t.Errorf("after a correction of %s, %s is another: %v", one.GUID, it.GUID, it.Updated)
		}
		if it.GUID == one.GUID && !slices.Contains(it.Categories, "country:PT") {
			t.Errorf("the corrected one has the tags %v", it.Categories)
		}
	}
	if !again.UpdatedParsed.After(*f.UpdatedParsed) {
		t.Errorf("the feed was updated %v, after the correction %v", f.Updated, again.Updated)
	}
}

// checkAtom holds a feed to RFC 4287.
func checkAtom(t *testing.T, name string, b []byte) {
	t.Helper()
	type link struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
		Type string `xml:"type,attr"`
	}
	type common struct {
		IDs     []string `xml:"http://www.w3.org/2005/Atom id"`
		Titles  []string `xml:"http://www.w3.org/2005/Atom title"`
		Updated []string `xml:"http://www.w3.org/2005/Atom updated"`
		Authors []struct {
			Name []string `xml:"http://www.w3.org/2005/Atom name"`
		} `xml:"http://www.w3.org/2005/Atom author"`
		Links      []link `xml:"http://www.w3.org/2005/Atom link"`
		Categories []struct {
			Term string `xml:"term,attr"`
		} `xml:"http://www.w3.org/2005/Atom category"`
	}
	var f struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		common
		Subtitles []string `xml:"http://www.w3.org/2005/Atom subtitle"`
		Entries   []struct {
			common
			Published []string `xml:"http://www.w3.org/2005/Atom published"`
			Summaries []string `xml:"http://www.w3.org/2005/Atom summary"`
			Contents  []struct {
				Type string `xml:"type,attr"`
			} `xml:"http://www.w3.org/2005/Atom content"`
		} `xml:"http://www.w3.org/2005/Atom entry"`
	}
	if err := xml.Unmarshal(b, &f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// Each element is one of RFC 4287's, in its namespace.
	known := []string{"feed", "entry", "id", "title", "subtitle", "updated", "published", "link", "generator", "author", "name", "category", "summary", "content"}
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		tok, err := d.Token()
		if err != nil {
			break
		}
		if x, ok := tok.(xml.StartElement); ok && (x.Name.Space != "http://www.w3.org/2005/Atom" || !slices.Contains(known, x.Name.Local)) {
			t.Errorf("%s: an element %v", name, x.Name)
		}
	}
	seen := map[string]bool{}
	check := func(what string, c common, must string) {
		t.Helper()
		if len(c.IDs) != 1 || len(c.Titles) != 1 || len(c.Updated) != 1 { // 4.1.1 and 4.1.2
			t.Fatalf("%s: %s has %d ids, %d titles, %d updated", name, what, len(c.IDs), len(c.Titles), len(c.Updated))
		}
		u, err := url.Parse(c.IDs[0]) // 4.2.6: an IRI, never relative, and each its own
		if err != nil || u.Scheme != "tag" || seen[c.IDs[0]] {
			t.Errorf("%s: %s has the id %q: %v", name, what, c.IDs[0], err)
		}
		seen[c.IDs[0]] = true
		if _, err := time.Parse(time.RFC3339, c.Updated[0]); err != nil || !strings.Contains(c.Updated[0], "T") { // 3.3
			t.Errorf("%s: %s was updated %q", name, what, c.Updated[0])
		}
		if strings.TrimSpace(c.Titles[0]) == "" || len(c.Authors) == 0 {
			t.Errorf("%s: %s has the title %q, %d authors", name, what, c.Titles[0], len(c.Authors))
		}
		for _, a := range c.Authors {
			if len(a.Name) != 1 || a.Name[0] == "" { // 3.2.1
				t.Errorf("%s: %s has an author of the names %q", name, what, a.Name)
			}
		}
		rels := map[string]int{}
		for _, l := range c.Links {
			if u, err := url.Parse(l.Href); err != nil || !u.IsAbs() || u.Host == "" {
				t.Errorf("%s: %s links to %q", name, what, l.Href)
			}
			rels[l.Rel+" "+l.Type]++
		}
		if rels[must] != 1 {
			t.Errorf("%s: %s has the links %v", name, what, rels)
		}
		for rel, n := range rels { // 4.1.1: no two alternates of one type
			if n > 1 && strings.HasPrefix(rel, "alternate") {
				t.Errorf("%s: %s has %d links %q", name, what, n, rel)
			}
		}
		for _, x := range c.Categories {
			if x.Term == "" { // 4.2.2
				t.Errorf("%s: %s has a category without a term", name, what)
			}
		}
	}
	check("the feed", f.common, "self application/atom+xml")
	for _, e := range f.Entries {
		check(e.IDs[0], e.common, "alternate text/html")
		if len(e.Published) != 1 || e.Published[0] > e.Updated[0] || len(e.Summaries) != 1 || len(e.Contents) > 1 || len(e.Contents) == 1 && e.Contents[0].Type != "html" {
			t.Errorf("%s: %s: published %v, updated %v, %d summaries, contents %v", name, e.IDs[0], e.Published, e.Updated, len(e.Summaries), e.Contents)
		}
		if e.Updated[0] > f.Updated[0] {
			t.Errorf("%s: %s is newer than its feed", name, e.IDs[0])
		}
	}
}

// checkJSONFeed holds a feed to https://www.jsonfeed.org/version/1.1/.
func checkJSONFeed(t *testing.T, name string, b []byte) {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	items, ok := f["items"].([]any)
	if f["version"] != "https://jsonfeed.org/version/1.1" || f["title"] == "" || f["feed_url"] != "https://research.example"+name || !ok {
		t.Fatalf("%s: %v, %v, %v", name, f["version"], f["title"], f["feed_url"])
	}
	address := func(x any) bool {
		s, ok := x.(string)
		u, err := url.Parse(s)
		return ok && err == nil && u.IsAbs() && u.Host != ""
	}
	if !address(f["home_page_url"]) {
		t.Errorf("%s: home page %v", name, f["home_page_url"])
	}
	seen := map[any]bool{}
	for _, x := range items {
		it := x.(map[string]any)
		id, ok := it["id"].(string)
		if !ok || id == "" || seen[id] || !address(it["url"]) {
			t.Errorf("%s: id %v, url %v", name, it["id"], it["url"])
		}
		seen[id] = true
		for _, at := range []string{"date_published", "date_modified"} {
			s, _ := it[at].(string)
			if _, err := time.Parse(time.RFC3339, s); err != nil {
				t.Errorf("%s: %s: %s %q", name, id, at, s)
			}
		}
		if text, _ := it["content_text"].(string); text == "" {
			t.Errorf("%s: %s has no content", name, id)
		}
		for _, at := range []string{"external_url", "image"} {
			if u, ok := it[at]; ok && !address(u) {
				t.Errorf("%s: %s: %s %v", name, id, at, u)
			}
		}
		authors, _ := it["authors"].([]any)
		for _, a := range authors {
			if n, _ := a.(map[string]any)["name"].(string); n == "" {
				t.Errorf("%s: %s has an author without a name", name, id)
			}
		}
		tags, ok := it["tags"].([]any)
		for _, tag := range tags {
			if s, _ := tag.(string); s == "" {
				t.Errorf("%s: %s has a tag %v", name, id, tag)
			}
		}
		if len(authors) == 0 || !ok {
			t.Errorf("%s: %s: authors %v, tags %v", name, id, it["authors"], it["tags"])
		}
	}
}
