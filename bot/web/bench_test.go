package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkPage makes each page of a site with 1,000 works. "bytes" is what goes
// over the wire to a browser, which reads gzip.
func BenchmarkPage(b *testing.B) {
	d := full(1000)
	h := New(open(d))
	for _, p := range append(paths, "/feed.atom", "/feed.json", "/works.csv", "/works.jsonl", "/balance.csv", "/nowhere") {
		b.Run(strings.ReplaceAll(p, "/", "_"), func(b *testing.B) {
			var rec *httptest.ResponseRecorder
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "http://research.example"+p, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				rec = httptest.NewRecorder()
				h.ServeHTTP(rec, r)
			}
			b.ReportMetric(float64(rec.Body.Len()), "bytes")
		})
	}
}
