package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// No address and no query makes a page fail, and none makes a page unsafe.
func FuzzRequest(f *testing.F) {
	for _, p := range paths {
		path, q, _ := strings.Cut(p, "?")
		f.Add(path, q)
	}
	for p := range lostPaths {
		path, q, _ := strings.Cut(p, "?")
		f.Add(path, q)
	}
	f.Add("/search", "q="+url.QueryEscape(evil)+"&lab="+url.QueryEscape(evil))
	f.Add("/balance", "since=9999999999999y&rule=share")
	f.Add("/feed.atom", "q=((((((&limit=-1&after=%00")
	f.Add("/work/"+evil, "")
	h := New(open(full(12)))
	f.Fuzz(func(t *testing.T, path, rawQuery string) {
		r := httptest.NewRequest(http.MethodGet, "http://research.example/", nil)
		r.URL = &url.URL{Path: path, RawQuery: rawQuery}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		resp := rec.Result()
		if resp.StatusCode >= 500 {
			t.Fatalf("status %d for %q ? %q", resp.StatusCode, path, rawQuery)
		}
		if to := resp.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("leads away to %q", to)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			text := body(t, resp)
			if fault := unclosed(text); fault != "" {
				t.Error(fault)
			}
			for _, bad := range []string{"<script", "ZgotmplZ", "onerror=alert(2)>"} {
				if strings.Contains(text, bad) {
					t.Errorf("the page says %q", bad)
				}
			}
		}
	})
}
