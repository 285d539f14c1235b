package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// serve starts a loopback server and returns a client that may talk to it.
func serve(t *testing.T, o Options, h http.HandlerFunc) (*Client, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.AllowPrivate = true
	return New(o), server.URL
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func TestGet(t *testing.T) {
	var got http.Header
	c, url := serve(t, Options{UserAgent: "Seedcorn/9", Contact: "https://contact.example/bot"}, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("ETag", `W/"1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Mar 2026 10:00:00 GMT")
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(gzipped([]byte("hello")))
	})
	before := time.Now()
	resp, err := c.Get(context.Background(), feeds.Request{URL: url + "/feed", ETag: `"0"`, LastModified: "Sun, 01 Mar 2026 10:00:00 GMT", Header: http.Header{"X-Mine": {"1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if string(resp.Body) != "hello" || resp.Status != 200 || resp.ETag != `W/"1"` || resp.LastModified != "Mon, 02 Mar 2026 10:00:00 GMT" || resp.MovedTo != "" || resp.URL != url+"/feed" {
		t.Errorf("response %+v", resp)
	}
	if d := resp.NotBefore.Sub(before); d < 590*time.Second || d > 620*time.Second {
		t.Errorf("not before %v from now, want 10m", d)
	}
	for name, want := range map[string]string{
		"User-Agent": "Seedcorn/9 (+https://contact.example/bot)", "If-None-Match": `"0"`, "If-Modified-Since": "Sun, 01 Mar 2026 10:00:00 GMT",
		"Accept-Encoding": "gzip", "X-Mine": "1",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}

	again, err := c.Get(context.Background(), feeds.Request{URL: url + "/feed", Hash: resp.Hash})
	if err != nil || again.Status != http.StatusNotModified || again.Body != nil || again.Hash != resp.Hash {
		t.Errorf("known body: %+v, %v", again, err)
	}
}

func TestStatuses(t *testing.T) {
	tests := []struct {
		status int
		header http.Header
		want   feeds.TroubleKind
		wait   time.Duration
	}{
		{404, nil, feeds.TroubleGone, 0},
		{410, nil, feeds.TroubleGone, 0},
		{401, nil, feeds.TroubleDenied, 0},
		{403, nil, feeds.TroubleDenied, 0},
		{429, nil, feeds.TroubleLimited, 0},
		{429, http.Header{"Retry-After": {"120"}}, feeds.TroubleLimited, 2 * time.Minute},
		{429, http.Header{"Retry-After": {"99999999999999999999"}}, feeds.TroubleLimited, 24 * time.Hour},
		{503, http.Header{"Retry-After": {"5"}}, feeds.TroubleLimited, 5 * time.Second},
		{503, http.Header{"Retry-After": {"-5"}}, feeds.TroubleStatus, 0},
		{503, nil, feeds.TroubleStatus, 0},
		{500, nil, feeds.TroubleStatus, 0},
		{400, nil, feeds.TroubleStatus, 0},
		{204, nil, feeds.TroubleStatus, 0},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status, test.header), func(t *testing.T) {
			c, url := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range test.header {
					w.Header()[k] = v
				}
				w.WriteHeader(test.status)
			})
			_, err := c.Get(context.Background(), feeds.Request{URL: url})
			var trouble *feeds.Trouble
			if !errors.As(err, &trouble) {
				t.Fatal(err)
			}
			if trouble.Kind != test.want || trouble.Status != test.status || trouble.RetryAfter != test.wait {
				t.Errorf("%+v", trouble)
			}
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	h := http.Header{"Retry-After": {testNow.Add(90 * time.Second).Format(http.TimeFormat)}}
	if d, ok := retryAfter(h, testNow); !ok || d != 90*time.Second {
		t.Errorf("%v, %t", d, ok)
	}
	h.Set("Retry-After", testNow.Add(-time.Hour).Format(http.TimeFormat))
	if d, ok := retryAfter(h, testNow); !ok || d != 0 {
		t.Errorf("past: %v, %t", d, ok)
	}
	h.Set("Retry-After", "soon")
	if _, ok := retryAfter(h, testNow); ok {
		t.Error("nonsense was read")
	}
}

func TestNotBefore(t *testing.T) {
	date := testNow.Format(http.TimeFormat)
	at := func(d time.Duration) string { return testNow.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name string
		h    map[string]string
		want time.Duration // 0: zero time
	}{
		{"nothing", nil, 0},
		{"max-age", map[string]string{"Cache-Control": "max-age=60"}, time.Minute},
		{"max-age and age", map[string]string{"Cache-Control": "max-age=60", "Age": "20"}, 40 * time.Second},
		{"stale", map[string]string{"Cache-Control": "max-age=60", "Age": "70"}, 0},
		{"a year", map[string]string{"Cache-Control": "max-age=31536000"}, 24 * time.Hour},
		{"no-cache", map[string]string{"Cache-Control": "no-cache, max-age=60"}, 0},
		{"no-store", map[string]string{"Cache-Control": "max-age=60, No-Store"}, 0},
		{"max-age before expires", map[string]string{"Cache-Control": "max-age=60", "Expires": at(time.Hour), "Date": date}, time.Minute},
		{"expires", map[string]string{"Expires": at(time.Hour), "Date": date}, time.Hour},
		{"expires without date", map[string]string{"Expires": at(time.Hour)}, time.Hour},
		{"expired", map[string]string{"Expires": at(-time.Hour), "Date": date}, 0},
		{"expires 0", map[string]string{"Expires": "0"}, 0},
		{"nonsense", map[string]string{"Cache-Control": "max-age=soon"}, 0},
		{"negative", map[string]string{"Cache-Control": "max-age=-1"}, 0},
	}
	for _, test := range tests {
		h := http.Header{}
		for k, v := range test.h {
			h.Set(k, v)
		}
		want := time.Time{}
		if test.want > 0 {
			want = testNow.Add(test.want)
		}
		if got := notBefore(h, testNow); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", test.name, got, want)
		}
	}
}

func TestRedirects(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		// "/301/302/end" answers 301 to "/302/end".
		first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch first {
		case "301", "302", "303", "307", "308":
			w.Header().Set("Location", "/"+rest)
			w.WriteHeader(int(first[0]-'0')*100 + int(first[2]-'0'))
		case "loop":
			http.Redirect(w, r, "/loop", http.StatusMovedPermanently)
		case "nowhere":
			w.WriteHeader(302)
		case "file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		default:
			_, _ = io.WriteString(w, "ok")
		}
	}
	tests := []struct {
		path, moved string
		trouble     feeds.TroubleKind
	}{
		{"/end", "", ""},
		{"/301/end", "/end", ""},
		{"/308/301/end", "/end", ""},
		{"/301/302/end", "", ""},
		{"/302/301/end", "", ""},
		{"/307/end", "", ""},
		{"/303/end", "", ""},
		{"/301/301/301/301/301/end", "/end", ""},
		{"/301/301/301/301/301/301/end", "", feeds.TroubleStatus},
		{"/loop", "", feeds.TroubleStatus},
		{"/nowhere", "", feeds.TroubleStatus},
		{"/file", "", feeds.TroublePrivate},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			c, base := serve(t, Options{}, handler)
			resp, err := c.Get(context.Background(), feeds.Request{URL: base + test.path})
			if feeds.TroubleOf(err) != test.trouble || err != nil && test.trouble == "" {
				t.Fatalf("error %v, want %q", err, test.trouble)
			}
			if got := strings.TrimPrefix(resp.MovedTo, base); got != test.moved {
				t.Errorf("moved to %q, want %q", got, test.moved)
			}
			if err == nil && resp.URL != base+"/end" {
				t.Errorf("final URL %q", resp.URL)
			}
		})
	}
}

func TestNoSecretsAcrossOrigins(t *testing.T) {
	var got http.Header
	_, other := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	c, base := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/same" {
			got = r.Header.Clone()
			return
		}
		http.Redirect(w, r, map[string]string{"/a": other, "/b": "/same"}[r.URL.Path], http.StatusFound)
	})
	withUser := strings.Replace(base, "http://", "http://me:secret@", 1)
	req := feeds.Request{Header: http.Header{"Authorization": {"Bearer secret"}, "Cookie": {"c=secret"}}}
	for _, path := range []string{"/a", "/b"} {
		got = nil
		req.URL = withUser + path
		if _, err := c.Get(context.Background(), req); err != nil {
			t.Fatal(err)
		}
		if sent := got.Get("Authorization") + got.Get("Cookie"); strings.Contains(sent, "secret") != (path == "/b") {
			t.Errorf("%s: sent %q", path, sent)
		}
	}
}

func TestErrorsHideSecrets(t *testing.T) {
	c, base := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	for _, raw := range []string{
		"http://u:s3cret@127.0.0.1:" + port + "/x?token=s3cret&q=1#s3cret",
		"http://u:s3cret@127.0.0.1:1/x?token=s3cret",
		"http://u:s3cret@nowhere.invalid/x?token=s3cret",
		"http://u:s3cret@[::1/x?token=s3cret",
		"ftp://u:s3cret@x/?token=s3cret",
	} {
		_, err := c.Get(context.Background(), feeds.Request{URL: raw})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v", raw, err)
		}
		var trouble *feeds.Trouble
		if errors.As(err, &trouble) && strings.Contains(trouble.URL, "s3cret") {
			t.Errorf("trouble's URL %q", trouble.URL)
		}
	}
}

func TestRedact(t *testing.T) {
	u, err := url.Parse("https://u:p@x.example/a/b?q=secret&token=t&flag#f")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Redact(u), "https://x.example/a/b?q=…&token=…&…"; got != want {
		t.Errorf("Redact = %q, want %q", got, want)
	}
}

func TestPrivateAddresses(t *testing.T) {
	asked := atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	c := New(Options{})
	for _, raw := range []string{
		server.URL,
		"http://localhost:" + port, // a name that resolves to it
		"http://[::ffff:127.0.0.1]:" + port,
		"http://0.0.0.0:" + port,
		"http://169.254.169.254/latest/meta-data/",
		"http://10.0.0.1/", "http://[fd00::1]/", "http://[::1]:" + port,
		"file:///etc/passwd", "gopher://x/", "http:///x", "javascript:alert(1)",
	} {
		_, err := c.Get(context.Background(), feeds.Request{URL: raw})
		if feeds.TroubleOf(err) != feeds.TroublePrivate {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the private server was asked %d times", n)
	}
}

// TestRedirectToPrivateAddress has a public server, played by a transport that
// answers for one host, redirect to a private one.
func TestRedirectToPrivateAddress(t *testing.T) {
	real := newTransport(false)
	c := New(Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "public.example" {
			return real.RoundTrip(r)
		}
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://127.0.0.1:9/admin"}}, Body: http.NoBody, Request: r}, nil
	})})
	_, err := c.Get(context.Background(), feeds.Request{URL: "http://public.example/"})
	if feeds.TroubleOf(err) != feeds.TroublePrivate {
		t.Errorf("%v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPublic(t *testing.T) {
	tests := []struct {
		addr string
		want bool
	}{
		{"8.8.8.8", true},
		{"1.1.1.1", true},
		{"172.15.0.1", true},
		{"172.32.0.1", true},
		{"100.63.0.1", true},
		{"2606:4700::1111", true},
		{"64:ff9b::808:808", true},
		{"2002:808:808::1", true},
		{"127.0.0.1", false},
		{"127.8.8.8", false},
		{"0.0.0.0", false},
		{"10.1.2.3", false},
		{"172.16.0.1", false},
		{"172.31.255.255", false},
		{"192.168.1.1", false},
		{"169.254.169.254", false},
		{"100.64.0.1", false},
		{"100.100.100.200", false},
		{"168.63.129.16", false},
		{"224.0.0.1", false},
		{"239.255.255.250", false},
		{"255.255.255.255", false},
		{"240.0.0.1", false},
		{"198.18.0.1", false},
		{"192.0.2.1", false},
		{"::", false},
		{"::1", false},
		{"fe80::1%eth0", false},
		{"fd00:ec2::254", false},
		{"fc00::1", false},
		{"ff02::1", false},
		{"fec0::1", false},
		{"::ffff:10.0.0.1", false},
		{"::ffff:127.0.0.1", false},
		{"::ffff:8.8.8.8", true},
		{"::10.0.0.1", false},
		{"64:ff9b::a00:1", false},
		{"64:ff9b::7f00:1", false},
		{"2002:7f00:1::", false},
		{"2002:a00:1::1", false},
		{"2001:db8::1", false},
		{"2001::1", false},
	}
	for _, test := range tests {
		err := checkAddress(net.JoinHostPort(test.addr, "80"))
		if (err == nil) != test.want {
			t.Errorf("%s: %v, want public %t", test.addr, err, test.want)
		}
	}
	if checkAddress("nonsense") == nil {
		t.Error("an unreadable address was allowed")
	}
}

func TestBodies(t *testing.T) {
	zeros := make([]byte, 8<<20)
	var zl, raw bytes.Buffer
	zw := zlib.NewWriter(&zl)
	_, _ = zw.Write([]byte("deflated"))
	_ = zw.Close()
	fw, err := flate.NewWriter(&raw, 9)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fw.Write([]byte("deflated"))
	_ = fw.Close()

	tests := []struct {
		name, encoding string
		body           []byte
		want           string
		trouble        feeds.TroubleKind
	}{
		{"identity", "", []byte("plain"), "plain", ""},
		{"empty", "", nil, "", ""},
		{"gzip", "gzip", gzipped([]byte("zipped")), "zipped", ""},
		{"gzip in two members", "gzip", append(gzipped([]byte("one")), gzipped([]byte("two"))...), "onetwo", ""},
		{"gzip that is not said", "", gzipped([]byte("zipped")), "zipped", ""},
		{"gzip that is only said", "gzip", []byte("plain"), "plain", ""},
		{"deflate as zlib", "deflate", zl.Bytes(), "deflated", ""},
		{"deflate raw", "deflate", raw.Bytes(), "deflated", ""},
		{"brotli", "br", []byte("x"), "", feeds.TroubleMalformed},
		{"two codings", "gzip, gzip", gzipped(gzipped([]byte("x"))), "", feeds.TroubleMalformed},
		{"cut gzip", "gzip", gzipped([]byte(strings.Repeat("zipped", 100)))[:20], "", feeds.TroubleNetwork},
		{"broken gzip", "gzip", append(gzipped([]byte("x"))[:10], "garbage in here"...), "", feeds.TroubleMalformed},
		{"bomb under the cap", "gzip", gzipped(zeros), "", feeds.TroubleTooLarge},
		{"too large", "", make([]byte, 16<<20+1), "", feeds.TroubleTooLarge},
		{"too large decompressed", "gzip", gzipped(bytes.Repeat([]byte("0123456789abcdefghij\n"), 900_000)), "", feeds.TroubleTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, url := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				_, _ = w.Write(test.body)
			})
			resp, err := c.Get(context.Background(), feeds.Request{URL: url})
			if feeds.TroubleOf(err) != test.trouble || err != nil && test.trouble == "" {
				t.Fatalf("error %v, want %q", err, test.trouble)
			}
			if string(resp.Body) != test.want || err == nil && resp.Body == nil {
				t.Errorf("body %.40q, want %q", resp.Body, test.want)
			}
		})
	}
	c, url := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "12345") })
	if _, err := c.Get(context.Background(), feeds.Request{URL: url, MaxBytes: 4}); feeds.TroubleOf(err) != feeds.TroubleTooLarge {
		t.Errorf("over the request's own cap: %v", err)
	}
	if _, err := c.Get(context.Background(), feeds.Request{URL: url, MaxBytes: 5}); err != nil {
		t.Errorf("at the request's own cap: %v", err)
	}
}

func TestSlowServers(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/headers" {
			<-r.Context().Done()
			return
		}
		if r.URL.Path == "/cut" {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "short")
			return
		}
		for { // a byte now and then, for ever
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	c, url := serve(t, Options{Timeout: 60 * time.Millisecond}, handler)
	for path, want := range map[string]feeds.TroubleKind{"/headers": feeds.TroubleTimeout, "/drip": feeds.TroubleTimeout, "/cut": feeds.TroubleNetwork} {
		if _, err := c.Get(context.Background(), feeds.Request{URL: url + path}); feeds.TroubleOf(err) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c, url = serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Get(ctx, feeds.Request{URL: url}); !errors.Is(err, context.Canceled) || feeds.TroubleOf(err) != "" {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := New(Options{AllowPrivate: true}).Get(context.Background(), feeds.Request{URL: "http://127.0.0.1:1/"}); feeds.TroubleOf(err) != feeds.TroubleNetwork {
		t.Errorf("nobody there: %v", err)
	}
}

func TestHostGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hostGate{limit: 2}
		var wg sync.WaitGroup
		var running, most atomic.Int32
		start := time.Now()
		for range 10 {
			wg.Go(func() {
				leave, err := g.enter(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
			})
		}
		wg.Go(func() {
			leave, err := g.enter(t.Context(), "b")
			if err != nil {
				t.Error(err)
				return
			}
			leave()
			if time.Since(start) > 0 {
				t.Error("another host had to wait")
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		synctest.Wait()
		if _, err := g.enter(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait that was given up: %v", err)
		}
		wg.Wait()
		if most.Load() != 2 || time.Since(start) != 5*time.Second {
			t.Errorf("%d at once, %v in all; want 2, 5s", most.Load(), time.Since(start))
		}
		if len(g.hosts) > 0 {
			t.Errorf("%d hosts are remembered", len(g.hosts))
		}
	})
}

type countingGate struct {
	entered, left []string
	err           error
}

func (g *countingGate) Enter(_ context.Context, key string) (func(), error) {
	if g.err != nil {
		return nil, g.err
	}
	g.entered = append(g.entered, key)
	return func() { g.left = append(g.left, key) }, nil
}

func TestSharedGate(t *testing.T) {
	gate := &countingGate{}
	c, base := serve(t, Options{Gate: gate}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusFound)
		}
	})
	if _, err := c.Get(context.Background(), feeds.Request{URL: base + "/a"}); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(base, "http://")
	if diff := cmp.Diff([]string{host, host}, gate.entered); diff != "" {
		t.Errorf("entered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(gate.entered, gate.left); diff != "" {
		t.Errorf("left (-entered +left):\n%s", diff)
	}
	gate.err = errors.New("database is locked")
	if _, err := c.Get(context.Background(), feeds.Request{URL: base}); !errors.Is(err, gate.err) || feeds.TroubleOf(err) != "" {
		t.Errorf("gate's failure: %v", err)
	}
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}
