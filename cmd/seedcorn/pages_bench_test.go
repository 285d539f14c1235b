package main

import (
	"cmp"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
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
	return plentifulIn(b, cfg)
}

// plentifulIn is plentiful with a configuration.
func plentifulIn(b *testing.B, cfg config) (*app, *world) {
	b.Helper()
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
// of the pages are searches, each another one. It prints a line for each page: how
// often it was asked for, its bytes as sent and unpacked, and its times.
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
	type page struct{ name, path string }
	pageAt := func(i int) page {
		search := "q=" + url.QueryEscape(ask())
		switch n := i / 10; i % 10 {
		case 0:
			return page{"/", "/"}
		case 1, 2:
			return page{"/work", "/work/" + string(found[i%len(found)].ID)}
		case 3:
			return page{"/lab", "/lab/" + []string{"deepseek", "openai", "mistral", "qwen", "anthropic"}[n%5]}
		case 4:
			others := []page{
				{"/balance", "/balance"},
				{"/country", "/country/FR"},
				{"/license", "/license/MIT"},
				{"/labs", "/labs"},
				{"/rules", "/rules"},
				{"/sources", "/sources"},
				{"/licenses", "/licenses"},
				{"/digests", "/digests"},
				{"/feed.atom", "/feed.atom?" + search},
				{"/works.csv", "/works.csv?" + search},
				{"/balance.csv", "/balance.csv?over=EU"},
				{"/balance, another", fmt.Sprintf("/balance?series=weekly&since=%dd", 20+n%400)}, // which nobody has asked before
			}
			return others[n%len(others)]
		case 5:
			if n%10 == 0 {
				return page{"/search, phrase", "/search?q=" + url.QueryEscape(`"`+strings.Join(strings.Fields(found[i%len(found)].Title)[:2], " ")+`"`)}
			}
		}
		return page{"/search", "/search?" + search}
	}
	type answer struct {
		took         time.Duration
		sent, actual int
	}
	serve := func(i int, path string, began time.Time) (answer, int) {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.RemoteAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()
		req.Header.Set("Accept-Encoding", "gzip")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		out := answer{took: time.Since(began), sent: rec.Body.Len()}
		out.actual = out.sent
		if z, err := gzip.NewReader(rec.Body); err == nil {
			n, err := io.Copy(io.Discard, z)
			if err != nil {
				b.Error(err)
			}
			out.actual = int(n)
		}
		return out, rec.Code
	}
	for i := range 10 { // what is read at the first request is read once
		serve(i, pageAt(i).path, time.Now())
	}
	var mu sync.Mutex
	var took []time.Duration
	by := map[string][]answer{}
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		p, began := pageAt(i), <-tick.C
		all.Go(func() {
			got, code := serve(i, p.path, began)
			mu.Lock()
			defer mu.Unlock()
			took, by[p.name] = append(took, got.took), append(by[p.name], got)
			if code != http.StatusOK {
				b.Errorf("%s: status %d", p.path, code)
			}
		})
	}
	all.Wait()
	reportTimes(b, took)
	var table strings.Builder
	fmt.Fprintf(&table, "%-18s %6s %9s %9s %9s %9s\n", "page", "times", "sent", "bytes", "p50 ms", "p99 ms")
	for _, name := range slices.Sorted(maps.Keys(by)) {
		as := by[name]
		at := func(q float64, of func(answer) float64) float64 {
			slices.SortFunc(as, func(x, y answer) int { return cmp.Compare(of(x), of(y)) })
			return of(as[int(q*float64(len(as)-1))])
		}
		ms := func(a answer) float64 { return float64(a.took.Microseconds()) / 1000 }
		fmt.Fprintf(&table, "%-18s %6d %9.0f %9.0f %9.1f %9.1f\n", name, len(as),
			at(0.5, func(a answer) float64 { return float64(a.sent) }), at(0.5, func(a answer) float64 { return float64(a.actual) }), at(0.5, ms), at(0.99, ms))
	}
	fmt.Print(table.String()) // a benchmark's log is cut
}
