package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/feeds"
	"seedcorn/feeds/fetch"
)

// A garden serves feeds that grow on demand: RSS, Atom and arXiv's listing, 30 to
// 100 entries each, compressed.
type garden struct {
	validators atomic.Bool
	grown      atomic.Int64 // feeds below this number have one entry more
	now        time.Time
	cache      [][2]*leaf // of each feed, before and after it has grown; made at the start
}

type leaf struct {
	body []byte
	etag string
}

func newGarden(n int) *garden {
	g := &garden{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), cache: make([][2]*leaf, n)}
	for i := range n {
		g.cache[i] = [2]*leaf{g.leaf(i, false), g.leaf(i, true)}
	}
	g.validators.Store(true)
	return g
}

var benchWords = strings.Fields(`model language training data reasoning open weights release we introduce propose present efficient attention sparse
	mixture experts benchmark evaluation agents tools vision speech robot policy reward reinforcement learning scaling law context long memory retrieval
	alignment safety diffusion video image generation code math multilingual tokenizer inference quantization kernel optimizer distillation synthetic`)

func prose(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(benchWords[r.IntN(len(benchWords))])
		if i%17 == 16 {
			b.WriteByte('.')
		}
	}
	return b.String()
}

func (g *garden) document(i int, grown bool) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	n := 30 + r.IntN(71)
	var b bytes.Buffer
	atom := i%3 == 1
	if atom {
		fmt.Fprintf(&b, `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Garden %d</title><id>urn:garden:%d</id><updated>%s</updated>`, i, i, g.now.Format(time.RFC3339))
	} else {
		fmt.Fprintf(&b, `<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Garden %d</title><link>https://garden%d.example/</link>`, i, i)
	}
	entry := func(k int, r *rand.Rand) {
		at := g.now.Add(-time.Duration(k) * 7 * time.Hour)
		title, text := fmt.Sprintf("%s %d.%d", prose(r, 8), i, k), prose(r, 150)
		link := fmt.Sprintf("https://garden%d.example/post/%d", i, k)
		if atom {
			fmt.Fprintf(&b, `<entry><title>%s</title><id>%s</id><link href="%s"/><updated>%s</updated><summary>%s</summary><author><name>A. Gardener</name></author></entry>`, title, link, link, at.Format(time.RFC3339), text)
		} else {
			fmt.Fprintf(&b, `<item><title>%s</title><link>%s</link><guid>%s</guid><pubDate>%s</pubDate><dc:creator>A. Gardener</dc:creator><description>%s</description></item>`, title, link, link, at.Format(time.RFC1123Z), text)
		}
	}
	if grown {
		entry(-1, rand.New(rand.NewPCG(uint64(i), 11))) // of its own, so that the others stay as they are
	}
	for k := range n {
		entry(k, r)
	}
	if atom {
		b.WriteString(`</feed>`)
	} else {
		b.WriteString(`</channel></rss>`)
	}
	return b.Bytes()
}

func (g *garden) leaf(i int, grown bool) *leaf {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(g.document(i, grown)) // into memory
	_ = z.Close()
	h := sha256.Sum256(b.Bytes())
	return &leaf{body: b.Bytes(), etag: `"` + hex.EncodeToString(h[:8]) + `"`}
}

func (g *garden) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || i < 0 || i >= len(g.cache) {
		http.NotFound(w, r)
		return
	}
	l := g.cache[i][0]
	if int64(i) < g.grown.Load() {
		l = g.cache[i][1]
	}
	if g.validators.Load() {
		w.Header().Set("ETag", l.etag)
		if r.Header.Get("If-None-Match") == l.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(l.body) // the client may have left
}

// BenchmarkPull measures a round of pulling, with tagging, identity, storage and
// the index: cold, with nothing new, with one feed in ten changed, and from servers
// that send no validators.
//
//	go test ./cmd/seedcorn -run - -bench Pull -benchtime 1x
func BenchmarkPull(b *testing.B) {
	for _, n := range []int{200, 2000} {
		if n > 200 && testing.Short() {
			continue
		}
		g := newGarden(n)
		server := httptest.NewServer(g)
		a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
		var sources []feeds.Source
		for i := range n {
			u := fmt.Sprintf("%s/%d", server.URL, i)
			sources = append(sources, feeds.Source{ID: feeds.SourceID("feed:" + u), Kind: feeds.KindFeed, URL: u, Title: fmt.Sprintf("Garden %d", i)})
		}
		open := func(b *testing.B) *world {
			w, err := a.openWith(context.Background(), demoConfig(server.URL, filepath.Join(b.TempDir(), "bench.db")))
			if err != nil {
				b.Fatal(err)
			}
			if err := w.db.PutSources(b.Context(), sources); err != nil {
				b.Fatal(err)
			}
			return w
		}
		pull := func(b *testing.B, w *world) digest.Ingested {
			round, err := w.pullAll(b.Context(), sources, func(string) {})
			if err != nil || len(round.Failed) > 0 {
				b.Fatal(err, round.Failed)
			}
			return round.Ingested
		}
		b.Run(fmt.Sprintf("feeds=%d/cold", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := open(b)
				runtime.GC()
				b.StartTimer()
				got := pull(b, w)
				b.ReportMetric(float64(got.Items), "items")
				b.StopTimer()
				_ = w.close()
				b.StartTimer()
			}
		})
		w := open(b)
		pull(b, w)
		b.Run(fmt.Sprintf("feeds=%d/unchanged", n), func(b *testing.B) {
			for b.Loop() {
				if got := pull(b, w); got.Items != 0 {
					b.Fatal("an unchanged source was stored again")
				}
			}
		})
		b.Run(fmt.Sprintf("feeds=%d/tenth", n), func(b *testing.B) {
			for b.Loop() {
				g.grown.Store(int64(n/10) - g.grown.Load()) // grows, shrinks, grows: only growth brings items
				pull(b, w)
			}
		})
		g.validators.Store(false)
		pull(b, w)
		b.Run(fmt.Sprintf("feeds=%d/novalidators", n), func(b *testing.B) {
			for b.Loop() {
				if got := pull(b, w); got.Items != 0 {
					b.Fatal("an unchanged source was stored again")
				}
			}
		})
		_ = w.close()
		server.Close()
	}
}

// BenchmarkListing measures one listing of arXiv's with 2,000 entries from the wire
// to the index: parse, refine, tag, identify, store.
//
//	go test ./cmd/seedcorn -run - -bench Listing -benchtime 3x
func BenchmarkListing(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	var doc bytes.Buffer
	doc.WriteString(`<?xml version="1.0"?><rss version="2.0" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>cs.CL updates on arXiv.org</title>`)
	for i := range 2000 {
		id := fmt.Sprintf("2611.%05d", i+1)
		fmt.Fprintf(&doc, `<item><title>%s %d</title><link>https://arxiv.org/abs/%s</link><description>arXiv:%sv1 Announce Type: new Abstract: %s. Code is available at https://github.com/lab%d/repo%d.</description><guid isPermaLink="false">oai:arXiv.org:%sv1</guid><category>cs.CL</category><pubDate>Fri, 20 Nov 2026 00:00:00 -0500</pubDate><arxiv:announce_type>new</arxiv:announce_type><dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights><dc:creator>A. Author, B. Author</dc:creator></item>`,
			prose(r, 9), i, id, id, prose(r, 170), i%50, i, id)
	}
	doc.WriteString(`</channel></rss>`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = w.Write(doc.Bytes())
	}))
	defer server.Close()
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	source := feeds.Source{ID: "arxiv:cs.CL", Kind: feeds.KindArXiv, URL: server.URL, Title: "arXiv cs.CL"}
	b.SetBytes(int64(doc.Len()))
	for b.Loop() {
		b.StopTimer()
		w, err := a.openWith(b.Context(), demoConfig(server.URL, filepath.Join(b.TempDir(), "bench.db")))
		if err != nil {
			b.Fatal(err)
		}
		w.manners = time.Millisecond
		if err := w.db.PutSource(b.Context(), source); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		round, err := w.pullAll(b.Context(), []feeds.Source{source}, func(string) {})
		if err != nil || round.Works != 2000 {
			b.Fatalf("%v, %+v", err, round)
		}
		b.StopTimer()
		_ = w.close()
		b.StartTimer()
	}
}

// BenchmarkPullTogether measures a round of 2,000 small sources that take 200 ms to
// answer, by one process and by four that share a PostgreSQL database, with all that a
// serving process does besides. together/alone is what four take of the time of one.
//
//	SEEDCORN_TEST_POSTGRES=postgres://… go test ./cmd/seedcorn -run - -bench PullTogether -benchtime 1x
func BenchmarkPullTogether(b *testing.B) {
	location := os.Getenv("SEEDCORN_TEST_POSTGRES")
	if location == "" {
		b.Skip("SEEDCORN_TEST_POSTGRES is not set")
	}
	const n = 2000
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(200 * time.Millisecond) // the latency that is shared
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprintf(w, `<?xml version="1.0"?><rss version="2.0"><channel><title>%[1]s</title><item><title>One of %[1]s</title><link>https://garden.example%[1]s</link><guid>%[1]s</guid></item></channel></rss>`, r.URL.Path)
	}))
	defer server.Close()
	var sources []feeds.Source
	for i := range n {
		u := fmt.Sprintf("%s/%d", server.URL, i)
		sources = append(sources, feeds.Source{ID: feeds.SourceID("feed:" + u), Kind: feeds.KindFeed, URL: u})
	}
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	pull := func(processes int) time.Duration {
		admin, err := sql.Open("pgx", location)
		if err != nil {
			b.Fatal(err)
		}
		defer admin.Close()
		schema := fmt.Sprintf("seedcorn_bench_%d_%d", os.Getpid(), time.Now().UnixNano())
		if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
			b.Fatal(err)
		}
		defer admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		u, err := url.Parse(location)
		if err != nil {
			b.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", schema)
		u.RawQuery = q.Encode()
		cfg := demoConfig(server.URL, "")
		cfg.DatabaseURL = u.String()
		has, err := parseRoles([]string{"pull"})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		var engines []*jobs.Engine
		var first *world
		for range processes {
			w, err := a.openWith(ctx, cfg)
			if err != nil {
				b.Fatal(err)
			}
			if first == nil {
				first = w
				if err := w.db.PutSources(ctx, sources); err != nil {
					b.Fatal(err)
				}
			}
			defer w.close()
			// Two thousand sources are on as many hosts; here they share one.
			w.client = fetch.New(fetch.Options{UserAgent: "bench", AllowPrivate: true, PerHost: n})
			e, err := a.engine(ctx, w, places{}, has)
			if err != nil {
				b.Fatal(err)
			}
			engines = append(engines, e)
		}
		b.StartTimer()
		began := time.Now()
		for _, e := range engines {
			running.Go(func() {
				if err := e.Run(ctx); err != nil {
					b.Error(err)
				}
			})
		}
		for {
			waiting, err := first.db.Waiting(ctx, began)
			if err != nil {
				b.Fatal(err)
			}
			if waiting == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond) // other processes: there is nothing to wait on
		}
		took := time.Since(began)
		b.StopTimer()
		cancel()
		running.Wait()
		return took
	}
	for b.Loop() {
		b.StopTimer()
		alone := pull(1)
		together := pull(4)
		b.ReportMetric(alone.Seconds(), "alone-s")
		b.ReportMetric(together.Seconds(), "together-s")
		b.ReportMetric(together.Seconds()/alone.Seconds(), "together/alone")
		b.StartTimer()
	}
}
