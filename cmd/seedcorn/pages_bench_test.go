package main

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/digest/store/plenty"
)

// Benchmarks of what many works cost make a database of -works works first, or take
// the one that -db names, which holds made-up works already.
var (
	manyWorks = flag.Int("works", 100_000, "works in the database that is measured on")
	benchDB   = flag.String("db", "", "a database of made-up works (sqlite:PATH or postgres://…) to measure on")
)

// plentiful is a world of -works made-up works, the newest of which came out now.
func plentiful(b *testing.B) (*app, *world) {
	b.Helper()
	location := *benchDB
	if location == "" {
		location = "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
	}
	cfg := demoConfig("http://127.0.0.1:1", "")
	cfg.DatabaseURL, cfg.Web = location, "public"
	end := plenty.Began.Add(time.Duration(*manyWorks) * time.Minute)
	a := &app{in: nil, out: io.Discard, errs: io.Discard, now: func() time.Time { return end }}
	w, err := a.openWith(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.close() })
	stats, err := w.db.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if stats.Works > 0 {
		return a, w
	}
	var batch []digest.Entry
	put := func() {
		if _, err := w.db.Ingest(b.Context(), []digest.Arrival{{Entries: batch, At: end}}); err != nil {
			b.Fatal(err)
		}
		batch = nil
	}
	for e := range plenty.Entries(*manyWorks, 1) {
		if batch = append(batch, e); len(batch) == 2000 {
			put()
		}
	}
	put()
	if err := w.db.Rest(b.Context()); err != nil {
		b.Fatal(err)
	}
	return a, w
}

// reportTimes reports the median, the 99th percentile and the maximum.
func reportTimes(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []struct {
		q    float64
		name string
	}{{0.5, "ms/median"}, {0.99, "ms/p99"}, {1, "ms/max"}} {
		b.ReportMetric(float64(took[int(p.q*float64(len(took)-1))].Microseconds())/1000, p.name)
	}
}

// BenchmarkPages asks for pages fifty times a second, whether the ones before are
// answered or not, each by another reader, and reports how long readers wait: half
// of the pages are searches, each another one.
//
//	go test ./cmd/seedcorn -run - -bench 'Pages' -benchtime 1500x -works 1000000
func BenchmarkPages(b *testing.B) {
	a, w := plentiful(b)
	h := a.pages(w, nil)
	b.Cleanup(h.Close)
	found, err := w.db.WorksIn(b.Context(), digest.Period{From: a.now().Add(-48 * time.Hour), To: a.now()}, query.Query{})
	if err != nil || len(found) == 0 {
		b.Fatalf("%d works in two days: %v", len(found), err)
	}
	ask := plenty.Questions(5)
	path := func(i int) string {
		search := "q=" + url.QueryEscape(ask())
		switch i % 10 {
		case 0:
			return "/"
		case 1, 2:
			return "/work/" + string(found[i%len(found)].ID)
		case 3:
			return "/lab/" + []string{"deepseek", "openai", "mistral", "qwen", "anthropic"}[i/10%5]
		case 4:
			return []string{"/country/FR", "/license/MIT", "/labs", "/rules", "/sources", "/feed.atom?" + search, "/works.csv?" + search}[i/10%7]
		}
		return "/search?" + search
	}
	serve := func(i int, path string) int {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.RemoteAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()
		req.Header.Set("Accept-Encoding", "gzip")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec.Code
	}
	for i := range 10 { // what is read at the first request is read once
		serve(i, path(i))
	}
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		p, began := path(i), <-tick.C
		all.Go(func() {
			code := serve(i, p)
			mu.Lock()
			defer mu.Unlock()
			if took = append(took, time.Since(began)); code != http.StatusOK {
				b.Errorf("%s: status %d", p, code)
			}
		})
	}
	all.Wait()
	reportTimes(b, took)
}
