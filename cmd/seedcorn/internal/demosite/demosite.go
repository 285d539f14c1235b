// Package demosite is a small world to demonstrate on: a web site on loopback
// that answers like the places Seedcorn reads. It serves the blogs of labs (RSS,
// Atom, JSON Feed), arXiv's listings and query API, Hugging Face's organizations
// and daily papers, and GitHub's organizations and releases.
//
//	data/*.txt ──parse──► rows ──render at now──► data/*.tmpl, JSON ──► HTTP on 127.0.0.1
//
// The labs, titles, ids, affiliations and licenses are real; every summary is of
// our own writing; the dates are not real. They are laid over the four weeks
// before now, so that there always is a this week, and the site's front page says
// so: the demonstration is a replay, not news. The same now gives the same bytes.
//
// What a reader of feeds has to live with is here too: one work in several
// places, a revision and a cross-list, a feed with nothing in it, one without
// news for half a year, one cut off in the middle, a server that answers 500, and
// a license that changes between the first look and the second ([Site.Advance]).
package demosite

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"seedcorn/feeds"
	"seedcorn/feeds/catalog"
)

// A Site serves the sample world. It is an [http.Handler], safe for concurrent use.
type Site struct {
	now   time.Time
	phase atomic.Int32
	mux   *http.ServeMux
	world world
}

// New returns the site as it stands at now.
func New(now time.Time) *Site {
	w, _ := sample() // a test holds the faults of the embedded data at none
	s := &Site{now: now.UTC().Truncate(time.Minute), mux: http.NewServeMux(), world: w}
	s.routes()
	return s
}

// Advance lets time pass between two looks: from the second phase on, the license
// of microsoft/phi-2 is MIT and no longer Microsoft's research license. That
// change is real; it was made in January 2024.
// Source: https://huggingface.co/microsoft/phi-2/commits/main/LICENSE
func (s *Site) Advance() { s.phase.Add(1) }

// Start serves the site on a free port of 127.0.0.1 until stop is called or ctx
// ends. Stop waits until the last answer is out, at most a second, and may be
// called more than once. The error is from listening.
func (s *Site) Start(ctx context.Context) (baseURL string, stop func(), err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("starting the demo site: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // always ErrServerClosed: stop is the only way out
	}()
	end := context.AfterFunc(ctx, func() { shutdown(srv) })
	return "http://" + l.Addr().String(), func() {
		end()
		shutdown(srv)
		<-done
	}, nil
}

func shutdown(srv *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if srv.Shutdown(ctx) != nil {
		_ = srv.Close()
	}
}

// Bases are the services' addresses on a site at base.
func Bases(base string) catalog.Bases {
	base = strings.TrimRight(base, "/")
	return catalog.Bases{
		ArXivRSS:    base + "/arxiv",
		ArXivAPI:    base + "/arxiv",
		HuggingFace: base + "/huggingface",
		GitHubAPI:   base + "/github/api",
		GitHub:      base + "/github",
	}
}

// The listings and the query that the demonstration reads.
var paperSpecs = []string{
	"arxiv:cs.AI+cs.CL+cs.LG",
	"arxiv:cs.CV+cs.RO",
	"arxiv-query:cat:cs.AI OR cat:cs.CL OR cat:cs.LG OR cat:cs.CV OR cat:cs.RO",
	"hf-papers",
}

// Sources lists everything that the site at base has to offer, as sources to be
// polled. Ids do not contain the port, so that two runs speak of the same items.
func Sources(base string) []feeds.Source {
	w, _ := sample()
	base = strings.TrimRight(base, "/")
	var out []feeds.Source
	for _, f := range w.feeds {
		out = append(out, feeds.Source{
			ID: feeds.SourceID("feed:demo/" + f.name), Kind: feeds.KindFeed, URL: base + f.path(),
			Site: f.site, Title: f.title, Lab: f.lab, Official: f.official,
		})
	}
	specs := append([]string{}, paperSpecs...)
	for _, org := range w.accounts(w.modelOwners()) {
		specs = append(specs, "hf:"+org)
	}
	for _, org := range w.accounts(w.repoOwners()) {
		specs = append(specs, "gh:"+org)
	}
	for _, repo := range w.accounts(w.releaseRepos()) {
		specs = append(specs, "gh:"+repo)
	}
	b := Bases(base)
	for _, spec := range specs {
		if src, err := b.Parse(spec); err == nil { // a test holds that all of them are read
			out = append(out, src)
		}
	}
	return out
}

// ServeHTTP answers one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Site) routes() {
	get := func(pattern string, h func(r *http.Request) (answer, bool)) {
		s.mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			a, ok := h(r)
			if !ok {
				http.NotFound(w, r)
				return
			}
			a.write(w, r)
		})
	}
	get("/{$}", s.index)
	get("/feeds/{name}", s.feed)
	get("/arxiv/rss/{categories}", s.listing)
	get("/arxiv/api/query", s.query)
	get("/huggingface/api/models", s.models("model"))
	get("/huggingface/api/datasets", s.models("dataset"))
	get("/huggingface/api/models/{owner}/{name}", s.model("model"))
	get("/huggingface/api/datasets/{owner}/{name}", s.model("dataset"))
	get("/huggingface/api/daily_papers", s.daily)
	get("/huggingface/api/papers/{id}", s.paperPage)
	get("/huggingface/api/arxiv/{id}/repos", s.paperRepos)
	get("/github/api/orgs/{org}/repos", s.repos)
	get("/github/api/repos/{owner}/{name}", s.repo)
	get("/github/{owner}/{name}/releases.atom", s.releases)
}

// An answer is a document before it is sent.
type answer struct {
	status   int // 0 means 200
	mime     string
	body     []byte
	modified time.Time // zero where the service does not say
}

// write sends a document with validators, compressed if the reader likes. A
// reader who has it gets a 304.
func (a answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.mime)
	h.Set("Vary", "Accept-Encoding")
	if a.status != 0 {
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // the reader has gone away, or not
		return
	}
	sum := sha256.Sum256(a.body)
	tag := hex.EncodeToString(sum[:8])
	body := a.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		_, _ = z.Write(a.body) // a bytes.Buffer does not fail
		_ = z.Close()
		body, tag = buf.Bytes(), tag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", a.modified, bytes.NewReader(body))
}

// at is a moment so many days before now.
func (s *Site) at(days float64) time.Time {
	return s.now.Add(-time.Duration(days * float64(24*time.Hour))).Truncate(time.Minute)
}

// eastern stands for arXiv's clock. That it ignores summer time moves nothing to
// another day.
var eastern = time.FixedZone("EST", -5*60*60)

// batch is the date of arXiv's newest listing: midnight Eastern of the latest
// weekday. Source: https://info.arxiv.org/help/rss.html
func (s *Site) batch() time.Time {
	y, m, d := s.now.In(eastern).Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, eastern)
	for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		day = day.AddDate(0, 0, -1)
	}
	return day
}
