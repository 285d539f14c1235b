package demosite

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// A Wednesday, and a Sunday on which arXiv's batch is Friday's.
var (
	wednesday = time.Date(2026, 8, 12, 15, 4, 0, 0, time.UTC)
	sunday    = time.Date(2026, 8, 16, 15, 4, 0, 0, time.UTC)
)

func TestDataIsSound(t *testing.T) {
	w, err := sample()
	if err != nil {
		t.Fatalf("data/*.txt has faults:\n%v", err)
	}
	ids := map[string]bool{}
	for _, p := range w.papers {
		if _, _, ok := feeds.ArXivID(p.id); !ok || ids[p.id] {
			t.Errorf("%q is no arXiv id, or is there twice", p.id)
		}
		ids[p.id] = true
	}
	for _, m := range w.models {
		for _, a := range m.arxiv {
			if _, _, ok := feeds.ArXivID(a); !ok {
				t.Errorf("%s: %q is no arXiv id", m.repo, a)
			}
		}
	}
	for _, p := range w.posts {
		if len(p.summary) > 320 {
			t.Errorf("%s: a summary of %d bytes is no summary", p.url, len(p.summary))
		}
	}
}

// get asks the handler for a source's document.
func get(t *testing.T, s *Site, url string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, url, nil))
	return rec
}

// entries counts what a document announces, and returns its dates.
func entries(t *testing.T, src feeds.Source, body []byte) (n int, dates []time.Time) {
	t.Helper()
	parse := func(layout, s string) {
		d, err := time.Parse(layout, strings.TrimSpace(s))
		if err != nil {
			t.Errorf("%s: date: %v", src.ID, err)
		}
		dates = append(dates, d)
	}
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")):
		var list []map[string]any
		if err := json.Unmarshal(body, &list); err != nil {
			t.Errorf("%s: %v", src.ID, err)
		}
		for _, e := range list {
			for _, field := range []string{"createdAt", "created_at", "publishedAt"} {
				if v, ok := e[field].(string); ok {
					parse(time.RFC3339, v)
				}
			}
		}
		return len(list), dates
	case bytes.HasPrefix(body, []byte("{")):
		var doc struct {
			Version string
			Items   []struct {
				ID        string
				Title     string
				Published string `json:"date_published"`
			}
		}
		if err := json.Unmarshal(body, &doc); err != nil || doc.Version == "" {
			t.Errorf("%s: JSON feed of version %q: %v", src.ID, doc.Version, err)
		}
		for _, it := range doc.Items {
			parse(time.RFC3339, it.Published)
		}
		return len(doc.Items), dates
	}
	type entry struct {
		Title     string `xml:"title"`
		GUID      string `xml:"guid"`
		ID        string `xml:"id"`
		PubDate   string `xml:"pubDate"`
		Published string `xml:"published"`
		Updated   string `xml:"updated"`
	}
	var doc struct {
		Items   []entry `xml:"channel>item"`
		Entries []entry `xml:"entry"`
	}
	if err := xml.Unmarshal(body, &doc); err != nil {
		t.Errorf("%s: %v", src.ID, err)
	}
	all := append(doc.Items, doc.Entries...)
	seen := map[string]bool{}
	for _, e := range all {
		if e.Title == "" || e.GUID+e.ID == "" || seen[e.GUID+e.ID] {
			t.Errorf("%s: an entry without title or id, or with another's: %+v", src.ID, e)
		}
		seen[e.GUID+e.ID] = true
		switch {
		case e.PubDate != "":
			parse(time.RFC1123Z, e.PubDate)
		case e.Published != "":
			parse(time.RFC3339, e.Published)
		default:
			parse(time.RFC3339, e.Updated)
		}
	}
	return len(all), dates
}

func TestEverythingParsesAndIsEnough(t *testing.T) {
	for _, now := range []time.Time{wednesday, sunday} {
		s := New(now)
		total, week := 0, 0
		labs := map[feeds.LabID]bool{}
		kinds := map[feeds.SourceKind]int{}
		for _, src := range Sources("http://x.example") {
			rec := get(t, s, strings.TrimPrefix(src.URL, "http://x.example"))
			state := "ok"
			for _, f := range s.world.feeds {
				if src.ID == feeds.SourceID("feed:demo/"+f.name) {
					state = f.state
				}
			}
			if state == "broken" {
				if rec.Code != http.StatusInternalServerError {
					t.Errorf("%s answers %d", src.ID, rec.Code)
				}
				continue
			}
			if rec.Code != http.StatusOK {
				t.Errorf("%s: %s answers %d", src.ID, src.URL, rec.Code)
				continue
			}
			if state == "cut" {
				if xml.Unmarshal(rec.Body.Bytes(), new(struct{})) == nil {
					t.Errorf("%s is not cut off", src.ID)
				}
				continue
			}
			n, dates := entries(t, src, rec.Body.Bytes())
			if (n == 0) != (state == "quiet") {
				t.Errorf("%s has %d entries", src.ID, n)
			}
			total += n
			kinds[src.Kind] += n
			for _, d := range dates {
				age := now.Sub(d)
				if state == "ok" && (age < 0 || age > 28*24*time.Hour) || state == "stale" && age < 180*24*time.Hour {
					t.Errorf("%s: an entry is %v old", src.ID, age)
				}
				if age <= 7*24*time.Hour {
					week++
				}
			}
			if src.Lab != "" && n > 0 {
				labs[src.Lab] = true
			}
		}
		if total < 150 || week < 60 || len(labs) < 25 {
			t.Errorf("%d entries, %d of this week, %d labs: want 150, 60, 25", total, week, len(labs))
		}
		t.Logf("%s: %d entries, %d of this week, %d labs, by kind %v", now.Weekday(), total, week, len(labs), kinds)
	}
}

func TestSourcesAreComplete(t *testing.T) {
	sources := Sources("http://127.0.0.1:1/")
	seen := map[feeds.SourceID]bool{}
	kinds := map[feeds.SourceKind]int{}
	for _, s := range sources {
		if seen[s.ID] {
			t.Errorf("%s twice", s.ID)
		}
		seen[s.ID] = true
		kinds[s.Kind]++
		if !strings.HasPrefix(s.URL, "http://127.0.0.1:1/") || s.Title == "" || s.Official && s.Lab == "" {
			t.Errorf("incomplete: %+v", s)
		}
		if s.Kind == feeds.KindHuggingFace || s.Kind == feeds.KindGitHub {
			if s.Lab == "" || !s.Official {
				t.Errorf("%s is not in the starter catalog", s.ID)
			}
		}
	}
	for kind, least := range map[feeds.SourceKind]int{
		feeds.KindFeed: 20, feeds.KindArXiv: 2, feeds.KindArXivQuery: 1, feeds.KindHuggingFace: 10,
		feeds.KindDailyPapers: 1, feeds.KindGitHub: 8, feeds.KindReleases: 1,
	} {
		if kinds[kind] < least {
			t.Errorf("%d sources of kind %s, want %d", kinds[kind], kind, least)
		}
	}
}

func TestSameNowSameBytes(t *testing.T) {
	a, b, later := New(wednesday), New(wednesday), New(wednesday.Add(24*time.Hour))
	differ := 0
	for _, src := range Sources("") {
		x, y := get(t, a, src.URL).Body.Bytes(), get(t, b, src.URL).Body.Bytes()
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs between two sites of one time", src.ID)
		}
		if !bytes.Equal(x, get(t, later, src.URL).Body.Bytes()) {
			differ++
		}
	}
	if differ < 40 {
		t.Errorf("only %d sources move with time", differ)
	}
}

func TestAdvanceChangesOneLicense(t *testing.T) {
	s := New(wednesday)
	before := map[feeds.SourceID]string{}
	for _, src := range Sources("") {
		before[src.ID] = get(t, s, src.URL).Body.String()
	}
	s.Advance()
	var changed []feeds.SourceID
	for _, src := range Sources("") {
		if get(t, s, src.URL).Body.String() != before[src.ID] {
			changed = append(changed, src.ID)
		}
	}
	if diff := cmp.Diff([]feeds.SourceID{"hf:microsoft"}, changed); diff != "" {
		t.Errorf("changed sources (-want +got):\n%s", diff)
	}
	const phi = "/huggingface/api/models/microsoft/phi-2"
	if b := get(t, New(wednesday), phi).Body.String(); !strings.Contains(b, `"license:other"`) || !strings.Contains(b, "microsoft-research-license") {
		t.Errorf("before: %s", b)
	}
	if b := get(t, s, phi).Body.String(); !strings.Contains(b, `"license:mit"`) || strings.Contains(b, "microsoft-research-license") {
		t.Errorf("after: %s", b)
	}
	s.Advance()
	if b := get(t, s, phi).Body.String(); !strings.Contains(b, `"license:mit"`) {
		t.Errorf("a third look: %s", b)
	}
}

func TestListing(t *testing.T) {
	type item struct {
		GUID     string   `xml:"guid"`
		Announce string   `xml:"http://arxiv.org/schemas/atom announce_type"`
		Rights   string   `xml:"http://purl.org/dc/elements/1.1/ rights"`
		Creator  string   `xml:"http://purl.org/dc/elements/1.1/ creator"`
		Category []string `xml:"category"`
		Text     string   `xml:"description"`
		Date     string   `xml:"pubDate"`
	}
	read := func(now time.Time, cats string) map[string]item {
		var doc struct {
			Items []item `xml:"channel>item"`
		}
		if err := xml.Unmarshal(get(t, New(now), "/arxiv/rss/"+cats).Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		m := map[string]item{}
		for _, it := range doc.Items {
			if it.Rights == "" || it.Creator == "" || len(it.Category) == 0 || !strings.HasPrefix(it.Text, "arXiv:"+strings.TrimPrefix(it.GUID, "oai:arXiv.org:")+" Announce Type: "+it.Announce) {
				t.Errorf("not in arXiv's shape: %+v", it)
			}
			m[strings.TrimPrefix(it.GUID, "oai:arXiv.org:")] = it
		}
		return m
	}
	text := read(wednesday, "cs.AI+cs.CL+cs.LG")
	vision := read(wednesday, "cs.CV+cs.RO")
	if text["2503.14734v1"].Announce != "cross" || vision["2503.14734v1"].Announce != "new" {
		t.Error("GR00T N1 should be new in cs.RO and a cross-list in cs.AI")
	}
	if text["2501.12948v2"].Announce != "replace" || text["2507.20534v1"].Announce != "new" {
		t.Error("R1 should be a replacement and Kimi K2 new")
	}
	if vision["2504.13837v2"].Announce != "replace-cross" {
		t.Error("a replacement of a cross-listed paper should say so")
	}
	if d := text["2507.20534v1"].Date; d != "Wed, 12 Aug 2026 00:00:00 -0500" {
		t.Errorf("batch of Wednesday is dated %s", d)
	}
	if d := read(sunday, "cs.CL")["2507.20534v1"].Date; d != "Fri, 14 Aug 2026 00:00:00 -0500" {
		t.Errorf("batch of Sunday is dated %s", d)
	}
	if len(read(wednesday, "math.CO")) != 0 {
		t.Error("a category without papers has some")
	}
}

func TestQuery(t *testing.T) {
	s := New(wednesday)
	var doc struct {
		Total   int `xml:"totalResults"`
		Entries []struct {
			ID           string   `xml:"id"`
			Affiliations []string `xml:"author>affiliation"`
			Published    string   `xml:"published"`
		} `xml:"entry"`
	}
	read := func(q string) {
		doc.Entries = nil
		if err := xml.Unmarshal(get(t, s, "/arxiv/api/query?"+q).Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
	}
	read("search_query=cat:cs.CL&max_results=1000")
	if len(doc.Entries) < 40 || doc.Total != len(doc.Entries) {
		t.Errorf("%d of %d entries", len(doc.Entries), doc.Total)
	}
	if !slices.IsSortedFunc(doc.Entries, func(a, b struct {
		ID           string   `xml:"id"`
		Affiliations []string `xml:"author>affiliation"`
		Published    string   `xml:"published"`
	},
	) int {
		return strings.Compare(b.Published, a.Published)
	}) {
		t.Error("not newest first")
	}
	for _, e := range doc.Entries {
		if len(e.Affiliations) == 0 {
			t.Errorf("%s has no affiliation", e.ID)
		}
	}
	read("search_query=ti:%22darwin+godel%22&start=0&max_results=5")
	if len(doc.Entries) != 1 || doc.Entries[0].ID != "http://arxiv.org/abs/2505.22954v1" {
		t.Errorf("title search found %+v", doc.Entries)
	}
	read("search_query=cat:cs.CL&start=99999&max_results=-4")
	if len(doc.Entries) != 0 {
		t.Error("a page past the end has entries")
	}
}

func TestLookUpsOfAPaper(t *testing.T) {
	s := New(wednesday)
	var page struct {
		Title        string
		Repo         string `json:"githubRepo"`
		Organization struct{ Name string }
	}
	if err := json.Unmarshal(get(t, s, "/huggingface/api/papers/2501.12948").Body.Bytes(), &page); err != nil || page.Organization.Name != "deepseek-ai" || page.Repo != "https://github.com/deepseek-ai/DeepSeek-R1" {
		t.Errorf("the page of DeepSeek-R1: %+v, %v", page, err)
	}
	var repos struct{ Models, Datasets []struct{ ID string } }
	if err := json.Unmarshal(get(t, s, "/huggingface/api/arxiv/2501.00656/repos").Body.Bytes(), &repos); err != nil || len(repos.Models) != 2 || len(repos.Datasets) != 1 {
		t.Errorf("repositories that cite OLMo 2: %+v, %v", repos, err)
	}
}

// FuzzRequest holds that no path or query makes the site fall over.
func FuzzRequest(f *testing.F) {
	for _, src := range Sources("") {
		f.Add(src.URL)
	}
	f.Add("/arxiv/api/query?search_query=(((&start=-1&max_results=99999999999999999999")
	f.Add("/github/api/orgs/openai/repos?per_page=0&page=9999999")
	f.Add("/huggingface/api/models?limit=-1&sort=%00")
	s := New(wednesday)
	f.Fuzz(func(t *testing.T, target string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := r.URL.Parse(target)
		if err != nil {
			return // not an address
		}
		r.URL = u
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		if rec.Code == http.StatusInternalServerError && u.Path != "/feeds/broken.xml" {
			t.Errorf("%q answers %d: %s", target, rec.Code, rec.Body)
		}
	})
}

func TestValidatorsAndCompression(t *testing.T) {
	s := New(wednesday)
	ask := func(header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/feeds/openai.xml", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		return rec
	}
	plain, packed := ask(), ask("Accept-Encoding", "gzip")
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(unpacked, plain.Body.Bytes()) {
		t.Errorf("compressed and plain bodies differ: %v", err)
	}
	if plain.Header().Get("ETag") == packed.Header().Get("ETag") || plain.Header().Get("Last-Modified") == "" {
		t.Errorf("validators: %v and %v", plain.Header(), packed.Header())
	}
	for _, again := range []*httptest.ResponseRecorder{
		ask("If-None-Match", plain.Header().Get("ETag")),
		ask("Accept-Encoding", "gzip", "If-None-Match", packed.Header().Get("ETag")),
		ask("If-Modified-Since", plain.Header().Get("Last-Modified")),
	} {
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("asked again, it answers %d with %d bytes", again.Code, again.Body.Len())
		}
	}
	for _, url := range []string{"/feeds/nobody.xml", "/github/api/orgs/nobody/repos", "/huggingface/api/models/a/b", "/github/a/b/releases.atom", "/elsewhere"} {
		if rec := get(t, s, url); rec.Code != http.StatusNotFound {
			t.Errorf("%s answers %d", url, rec.Code)
		}
	}
}

func TestIndexSaysWhatThisIs(t *testing.T) {
	body := get(t, New(wednesday), "/").Body.String()
	for _, want := range []string{"A replay, not news", "12 August 2026", "made up", "/arxiv/rss/cs.AI&#43;cs.CL&#43;cs.LG"} {
		if !strings.Contains(body, want) {
			t.Errorf("the front page lacks %q", want)
		}
	}
}

func TestStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	base, stop, err := New(wednesday).Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(base, "http://127.0.0.1:") {
		t.Errorf("listens on %s", base)
	}
	resp, err := http.Get(base + "/feeds/qwen.xml")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("answers %d", resp.StatusCode)
	}
	cancel()
	stop()
	stop()
	if resp, err := http.Get(base); err == nil {
		resp.Body.Close()
		t.Error("still answers after stop")
	}
}
