package web

import (
	"errors"
	"fmt"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"seedcorn/bot"
	"seedcorn/bot/chart"
)

// paths are one of each page.
var paths = []string{
	"/", "/digests", "/digest/d000000000001", "/search", "/search?q=reasoning", "/search?q=reasoning&country=CN&openness=open-weights&since=1mo", "/search?q=zzzz", "/work/" + string(id(0)), "/work/" + string(id(7)), "/work/" + string(id(60)),
	"/labs", "/labs?name=deep", "/labs?country=CN", "/lab/deepseek", "/lab/google-deepmind", "/country/FR", "/country/XX", "/licenses", "/license/MIT", "/license/LicenseRef-scancode-llama-3.1-license-2024",
	"/balance", "/balance?rule=any&view=control&companies=yes&since=1mo&q=reasoning", "/balance?series=weekly&over=EU&under=CN%2BHK&of=all", "/balance?series=none&selection=picked&until=1w", "/sources", "/rules",
}

// filePaths are one of each file, feeds and tables among them.
var filePaths = []string{
	"/feed.atom?q=reasoning", "/feed.json", "/digests.atom", "/digests.json", "/works.csv", "/works.jsonl?q=country:CN", "/balance.csv", "/balance.jsonl", "/sources.opml", "/style.css", "/icon.svg", "/robots.txt",
	"/week.png", "/digest/d000000000000/balance.png", "/balance.png", "/balance.png?series=none&rule=any", "/balance.png?series=weekly&q=reasoning",
}

// loginPaths are the ways in and out: login_test.go goes them all.
var loginPaths = []string{"/login", "/login/chat", "/login/chat/back", "POST /logout", "POST /feeds", "POST /feeds/revoke"}

// Whatever can be asked for is in one of the lists that the other tests go through: a
// page that is new, and in none of them, fails here.
func TestEveryRouteIsTested(t *testing.T) {
	at := now
	s := New(closed(&at, door{name: "chat"})).site
	mux, missing := http.NewServeMux(), map[string]bool{}
	for pattern := range s.routes() {
		mux.HandleFunc(pattern, http.NotFound)
		missing[pattern] = true
	}
	for pattern := range s.doors() {
		mux.HandleFunc(pattern, http.NotFound)
		missing[pattern] = true
	}
	for _, p := range slices.Concat(paths, filePaths, loginPaths, []string{"/nowhere"}) {
		method, path, ok := strings.Cut(p, " ")
		if !ok {
			method, path = http.MethodGet, p
		}
		_, pattern := mux.Handler(httptest.NewRequest(method, path, nil))
		delete(missing, pattern)
	}
	if len(missing) > 0 {
		t.Errorf("in no list: %v", slices.Sorted(maps.Keys(missing)))
	}
}

// lostPaths are pages that say that something is wrong.
var lostPaths = map[string]int{
	"/search?q=country:": 400, "/search?q=lab:nobody": 400, "/search?q=a&country=Nowhereland": 400, "/search?q=%ff": 400, "/search?q=a&after=junk": 400, "/search?q=" + strings.Repeat("a", 9000): 400,
	"/work/wnone": 404, "/work/w00": 404, "/digest/none": 404, "/lab/nobody": 404, "/labs?country=ZZ": 404, "/country/ZZ": 404, "/license/MOT": 404, "/nowhere": 404, "/work/": 404, "/work//x": 404, "//evil.example/": 404, "/a/../b": 404, "/work/%00": 404, "/style.css/x": 404,
	"/balance?rule=most": 400, "/balance?view=x": 400, "/balance?since=never": 400, "/balance?companies=2": 400, "/balance?selection=useful": 400, "/balance?over=Atlantis": 400, "/balance?over=EU&under=FR": 400, "/balance?series=daily": 400, "/balance?since=30y": 400, "/balance?of=x": 400, "/balance?until=9y": 400, "/balance?q=country:": 400,
	"/feed.atom?q=country:": 400, "/feed.json?limit=0": 400, "/works.csv?limit=9999": 400, "/works.jsonl?after=x": 400, "/balance.csv?q=lab:": 400, "/balance.jsonl?rule=x": 400,
	"/balance.png?rule=x": 400, "/balance.png?q=zzzz": 404, "/digest/none/balance.png": 404, "/digest/d000000000001/balance.png": 404, "/digest/d000000000001/other.png": 404,
}

func TestPages(t *testing.T) {
	h := New(open(full(60)))
	for _, p := range paths {
		t.Run(p, func(t *testing.T) {
			resp := get(t, h, p)
			text := body(t, resp)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", resp.StatusCode, text)
			}
			checkPage(t, resp, text)
			if len(text) > 50<<10 {
				t.Errorf("%d bytes, more than 50 KB", len(text))
			}
		})
	}
	for p, status := range lostPaths {
		t.Run(p, func(t *testing.T) {
			resp := get(t, h, p)
			text := body(t, resp)
			if resp.StatusCode != status {
				t.Errorf("status %d, want %d", resp.StatusCode, status)
			}
			if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				checkPage(t, resp, text)
			}
			if resp.Header.Get("Location") != "" || resp.Header.Get("ETag") != "" {
				t.Errorf("a page that is lost leads to %q, has ETag %q", resp.Header.Get("Location"), resp.Header.Get("ETag"))
			}
		})
	}
}

// checkPage holds a page to what all of them promise: headers, whole markup, one
// h1 and headings in order, landmarks, labels, unique ids, no script, no style in
// attributes, no link that could run.
func checkPage(t *testing.T, resp *http.Response, text string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if fault := unclosed(text); fault != "" {
		t.Error(fault)
	}
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	ids, labeled, level, h1, main, skip := map[string]bool{}, map[string]bool{}, 0, 0, 0, false
	var inputs []string
	for n := range root.Descendants() {
		if n.Type == html.ErrorNode {
			t.Error("a node that could not be parsed")
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Script, atom.Style, atom.Iframe, atom.Object, atom.Img:
			t.Errorf("a <%s> in the page", n.Data)
		case atom.Html:
			if attr(n, "lang") != "en" {
				t.Error("the page names no language")
			}
		case atom.Main:
			main++
		case atom.H1, atom.H2, atom.H3, atom.H4:
			l := int(n.Data[1] - '0')
			if l > level+1 {
				t.Errorf("<%s> after h%d: %s", n.Data, level, content(n))
			}
			if level = l; l == 1 {
				h1++
			}
			if strings.TrimSpace(content(n)) == "" {
				t.Errorf("an empty <%s>", n.Data)
			}
		case atom.A:
			href := attr(n, "href")
			if strings.TrimSpace(content(n)) == "" {
				t.Errorf("a link to %q without a name", href)
			}
			u, err := url.Parse(href)
			switch {
			case err != nil || href == "":
				t.Errorf("a link to %q", href)
			case u.Host != "" && (u.Scheme != "https" && u.Scheme != "http" || !strings.Contains(attr(n, "rel"), "nofollow") || u.User != nil):
				t.Errorf("a link out to %q, rel %q", href, attr(n, "rel"))
			case u.Host == "" && (u.Scheme != "" || !strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "#")):
				t.Errorf("a link to %q", href)
			case href == "#main":
				skip = true
			}
		case atom.Input, atom.Select:
			if attr(n, "type") != "hidden" {
				inputs = append(inputs, attr(n, "id"))
			}
		case atom.Label:
			labeled[attr(n, "for")] = true
		case atom.Svg:
			if attr(n, "aria-hidden") != "true" && (attr(n, "role") != "img" || attr(n, "aria-label") == "") {
				t.Error("a picture without words")
			}
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>: the policy forbids it", n.Data, a.Key, a.Val)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("the id %q twice", a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	for n := range root.Descendants() {
		for _, name := range []string{"aria-labelledby", "aria-describedby"} {
			if ref := attr(n, name); ref != "" && !ids[ref] {
				t.Errorf("%s=%q leads nowhere", name, ref)
			}
		}
	}
	if h1 != 1 || main != 1 || !skip || !ids["main"] {
		t.Errorf("%d h1, %d main, skip link %v", h1, main, skip)
	}
	for _, in := range inputs {
		if in == "" || !labeled[in] {
			t.Errorf("the field %q has no label", in)
		}
	}
	for _, bad := range []string{"ZgotmplZ", "no value", "%!", "hush", "secret", "<script", "onerror=alert(2)>"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page says %q", bad)
		}
	}
	if strings.ContainsAny(text, "\u202e\x00\x1b") {
		t.Error("a control character in the page")
	}
}

// unclosed reports an element that is not closed where its parent is, or closed
// without being open. The parser of a browser mends such things in silence.
func unclosed(text string) string {
	void := []string{"meta", "link", "br", "hr", "input", "img"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				return fmt.Sprintf("not closed: %v", open)
			}
			return ""
		case html.StartTagToken:
			name, _ := z.TagName()
			if !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return fmt.Sprintf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func content(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// TestCrawl follows every link within the site from its first page on.
func TestCrawl(t *testing.T) {
	h := New(open(full(60)))
	seen := map[string]bool{"/": true}
	queue := []string{"/"}
	const most = 1500 // facets of facets have no end; these are enough to meet each kind
	for len(queue) > 0 && len(seen) < most {
		p := queue[0]
		queue = queue[1:]
		resp := get(t, h, p)
		text := body(t, resp)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			continue
		}
		root, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		var anchors []string
		for n := range root.Descendants() {
			ids[attr(n, "id")] = true
			href := attr(n, "href")
			if a, ok := strings.CutPrefix(href, "#"); ok {
				anchors = append(anchors, a)
			}
			if strings.HasPrefix(href, "/") && !seen[href] && len(seen) < most {
				seen[href] = true
				queue = append(queue, href)
			}
		}
		for _, a := range anchors {
			if !ids[a] {
				t.Errorf("%s: #%s leads nowhere", p, a)
			}
		}
	}
	for _, must := range []string{"/digest/d000000000000", "/work/" + string(id(5)), "/lab/mistral", "/country/CN", "/license/MIT", "/balance.csv?of=open&over=CN&rule=share&selection=all&series=cumulative&since=6mo&under=US&view=home", "/sources.opml", "/feed.atom", "/rules"} {
		if !seen[must] {
			t.Errorf("no link leads to %s", must)
		}
	}
	t.Logf("%d pages", len(seen))
}

func TestOnlyReading(t *testing.T) {
	h := New(open(full(3)))
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(method, "http://x.example/search?q=a", strings.NewReader("q=b")))
		if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, rec.Code, rec.Header().Get("Allow"))
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodHead, "http://x.example/rules", nil))
	if rec.Code != http.StatusOK || rec.Body.Len() != 0 || rec.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: %d, %d bytes, Content-Length %s", rec.Code, rec.Body.Len(), rec.Header().Get("Content-Length"))
	}
}

// Redirects lead to the one address of a thing, on this site.
func TestRedirects(t *testing.T) {
	h := New(open(full(30)))
	for from, to := range map[string]string{
		"/country/fr": "/country/FR", "/country/France": "/country/FR", "/country/unknown": "/country/XX", "/lab/Mistral%20AI": "/lab/mistral", "/license/apache": "/license/Apache-2.0",
		"/work/2511.00004": "/work/" + string(id(4)), "/work/w000000002": "",
	} {
		resp := get(t, h, from)
		if got := resp.Header.Get("Location"); got != to {
			t.Errorf("%s leads to %q (%d), want %q", from, got, resp.StatusCode, to)
		}
	}
}

func TestAccess(t *testing.T) {
	inside := netip.MustParsePrefix("10.1.0.0/16")
	for _, tt := range []struct {
		name       string
		access     Access
		peer, host string
		user       string
		want       int
	}{
		{"loopback, IPv4", LoopbackOnly, "127.0.0.1:999", "127.0.0.1:8080", "", 200},
		{"loopback, IPv6", LoopbackOnly, "[::1]:999", "[::1]:8080", "", 200},
		{"loopback, mapped", LoopbackOnly, "[::ffff:127.0.0.1]:999", "localhost", "", 200},
		{"loopback, name below localhost", LoopbackOnly, "127.0.0.1:999", "seedcorn.localhost:80", "", 200},
		{"DNS rebinding", LoopbackOnly, "127.0.0.1:999", "evil.example", "", 403},
		{"DNS rebinding, named alike", LoopbackOnly, "127.0.0.1:999", "localhost.evil.example", "", 403},
		{"DNS rebinding, glued", LoopbackOnly, "127.0.0.1:999", "notlocalhost", "", 403},
		{"no host", LoopbackOnly, "127.0.0.1:999", "", "", 403},
		{"from elsewhere", LoopbackOnly, "192.0.2.7:999", "localhost", "", 403},
		{"public", Public, "192.0.2.7:999", "any.example", "", 200},
		{"proxy", ByProxy, "10.1.2.3:999", "any.example", "ana", 200},
		{"proxy, nobody", ByProxy, "10.1.2.3:999", "any.example", " ", 403},
		{"past the proxy", ByProxy, "192.0.2.7:999", "any.example", "ana", 403},
		{"misspelled mode", "pubic", "192.0.2.7:999", "any.example", "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := open(full(1))
			opt.Access, opt.UserHeader, opt.Proxies = tt.access, "X-Person", []netip.Prefix{inside}
			req := httptest.NewRequest(http.MethodGet, "http://x/rules", nil)
			req.RemoteAddr, req.Host = tt.peer, tt.host
			req.Header.Set("X-Person", tt.user)
			rec := httptest.NewRecorder()
			New(opt).ServeHTTP(rec, req)
			if rec.Code != tt.want {
				t.Errorf("status %d, want %d", rec.Code, tt.want)
			}
		})
	}
}

func TestProxyIsBelievedOnThisMachineOnly(t *testing.T) {
	opt := open(full(1))
	opt.Access = ByProxy
	for peer, want := range map[string]int{"127.0.0.1:1": 200, "192.0.2.7:1": 403} {
		req := httptest.NewRequest(http.MethodGet, "http://x/rules", nil)
		req.RemoteAddr = peer
		req.Header.Set("X-Forwarded-User", "ana")
		rec := httptest.NewRecorder()
		New(opt).ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%s: status %d, want %d", peer, rec.Code, want)
		}
	}
}

func TestRate(t *testing.T) {
	opt := open(full(1))
	clock := now
	opt.PerSecond, opt.Burst, opt.Now = 2, 5, func() time.Time { return clock }
	h := New(opt)
	ask := func(peer string) int {
		req := httptest.NewRequest(http.MethodGet, "http://x/rules", nil)
		req.RemoteAddr = peer
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code == http.StatusTooManyRequests && rec.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
		}
		return rec.Code
	}
	var got []int
	for range 7 {
		got = append(got, ask("192.0.2.1:5"))
	}
	if want := []int{200, 200, 200, 200, 200, 429, 429}; !slices.Equal(got, want) {
		t.Errorf("in one moment: %v, want %v", got, want)
	}
	if got := ask("192.0.2.2:5"); got != 200 {
		t.Errorf("another client: %d", got)
	}
	clock = clock.Add(time.Second)
	if got := []int{ask("192.0.2.1:6"), ask("192.0.2.1:7"), ask("192.0.2.1:8")}; !slices.Equal(got, []int{200, 200, 429}) {
		t.Errorf("a second later: %v", got)
	}
	// One subscriber's IPv6 addresses are one client.
	for i := range 5 {
		ask(fmt.Sprintf("[2001:db8::%d]:1", i+1))
	}
	if got := ask("[2001:db8::ffff]:1"); got != 429 {
		t.Errorf("another address of one subscriber: %d", got)
	}
}

// Who is one client, by who may say so.
func TestClient(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		name            string
		access          Access
		proxies         []netip.Prefix
		peer, said, who string
		want            string
	}{
		{"an address", Public, nil, "192.0.2.1:5", "", "", "192.0.2.1"},
		{"one that says it is another", Public, nil, "192.0.2.1:5", "198.51.100.1", "", "192.0.2.1"},
		{"past the proxy", Public, inside, "192.0.2.1:5", "198.51.100.1", "", "192.0.2.1"},
		{"by the proxy", Public, inside, "10.0.0.1:5", "203.0.113.9, 198.51.100.1", "", "198.51.100.1"},
		{"by the proxy, IPv6", Public, inside, "10.0.0.1:5", "2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"},
		{"by a proxy that says nothing", Public, inside, "10.0.0.1:5", "", "", "10.0.0.1"},
		{"by a proxy that says nonsense", Public, inside, "10.0.0.1:5", "unknown", "", "10.0.0.1"},
		{"a person", ByProxy, inside, "10.0.0.1:5", "", "ana", "ana"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &site{Options: Options{Access: tt.access, Proxies: tt.proxies, UserHeader: "X-Forwarded-User"}}
			r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
			r.RemoteAddr = tt.peer
			r.Header.Set("X-Forwarded-For", tt.said)
			r.Header.Set("X-Forwarded-User", tt.who)
			if got := s.client(r); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// However many clients there are, so much is remembered and no more, and who
// asked too often stays so.
func TestLimiterIsBounded(t *testing.T) {
	l := &limiter{rate: 0.001, burst: 1}
	const busy = "192.0.2.1"
	l.allow(busy, now)
	for i := range 5 * maxClients {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		l.allow(a.String(), now)
		if i%1000 == 0 {
			if ok, _ := l.allow(busy, now); ok {
				t.Fatalf("forgotten after %d others", i)
			}
		}
	}
	if n := len(l.young) + len(l.old); n > 2*maxClients {
		t.Errorf("%d clients remembered", n)
	}
}

// A scan of ten thousand paths is answered from nothing but the path, in few bytes, and
// cut short for one client; another reads on.
func TestScan(t *testing.T) {
	d := full(20)
	opt := open(d)
	opt.PerSecond, opt.Burst = 10, 60
	h := New(opt)
	defer h.Close()
	ask := func(peer, path string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, "http://research.example"+path, nil)
		req.RemoteAddr = peer
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec
	}
	got := map[int]int{}
	for i := range 10_000 {
		path := fmt.Sprintf("/%s/%d.php", []string{"wp-admin", "cgi-bin", ".git", "x"}[i%4], i)
		rec := ask("192.0.2.1:5", path)
		got[rec.Code]++
		if rec.Code == http.StatusTooManyRequests && rec.Body.Len() > 200 || rec.Body.Len() > 4000 {
			t.Fatalf("%s: status %d, %d bytes", path, rec.Code, rec.Body.Len())
		}
		// From as many addresses: each is told that there is nothing.
		if rec := ask(fmt.Sprintf("10.0.%d.%d:5", i>>8, i&255), path); rec.Code != http.StatusNotFound {
			t.Fatalf("%s: status %d", path, rec.Code)
		}
	}
	if want := (map[int]int{404: 60, 429: 9940}); !maps.Equal(got, want) {
		t.Errorf("one client: %v, want %v", got, want)
	}
	if d.searches+d.composed+d.counted > 0 {
		t.Errorf("%d searches, %d composed, %d counted for paths that are not there", d.searches, d.composed, d.counted)
	}
	if rec := ask("192.0.2.9:5", "/rules"); rec.Code != http.StatusOK {
		t.Errorf("another reader: status %d", rec.Code)
	}
}

func TestETag(t *testing.T) {
	h := New(open(full(60)))
	for _, p := range slices.Concat(paths, filePaths) {
		resp := get(t, h, p)
		tag := resp.Header.Get("ETag")
		if resp.StatusCode != http.StatusOK || tag == "" {
			t.Errorf("%s: status %d, ETag %q", p, resp.StatusCode, tag)
			continue
		}
		again := get(t, h, p, "If-None-Match", `"other", `+tag)
		if again.StatusCode != http.StatusNotModified || body(t, again) != "" || again.Header.Get("ETag") != tag {
			t.Errorf("%s: status %d for one who has it", p, again.StatusCode)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodHead, "http://research.example"+p, nil))
		if head := rec.Result(); head.StatusCode != http.StatusOK || rec.Body.Len() != 0 || head.Header.Get("ETag") != tag || head.Header.Get("Content-Length") != resp.Header.Get("Content-Length") || head.Header.Get("Content-Type") != resp.Header.Get("Content-Type") {
			t.Errorf("%s: HEAD says %d, %v", p, rec.Code, head.Header)
		}
		if small := get(t, h, p, "Accept-Encoding", "gzip"); (small.Header.Get("Content-Encoding") == "gzip") != (resp.ContentLength >= packs && resp.Header.Get("Content-Type") != "image/png") || small.Header.Get("ETag") != tag {
			t.Errorf("%s: %d bytes in the encoding %q, ETag %s", p, resp.ContentLength, small.Header.Get("Content-Encoding"), small.Header.Get("ETag"))
		}
		if other := get(t, h, p, "If-None-Match", `W/"other"`); other.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d for one who has another", p, other.StatusCode)
		}
	}
	if got := get(t, h, "/style.css?v="+hashOf(styleCSS)).Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("the stylesheet under its hash: %q", got)
	}
}

// A chat that is given a link is told what the page says, and where its picture is:
// one that is there, small, and may be kept. Pages that are not for everybody say
// nothing of the kind, and their pictures are for nobody else's cache.
func TestLinkPreviews(t *testing.T) {
	d := full(60)
	h := New(open(d))
	said := func(text string) map[string]string {
		root, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for n := range root.Descendants() {
			if n.DataAtom == atom.Meta && attr(n, "property") != "" {
				out[attr(n, "property")] = attr(n, "content")
			}
		}
		return out
	}
	for _, p := range []string{"/", "/digest/d000000000000", "/balance", "/balance?series=none&rule=any&over=FR"} {
		m := said(body(t, get(t, h, p)))
		if m["og:url"] != "https://research.example"+p || m["og:title"] == "" || len(m["og:description"]) < 30 || !strings.Contains(m["og:image:alt"], "rule ") {
			t.Errorf("%s: %v", p, m)
		}
		path, ours := strings.CutPrefix(m["og:image"], "https://research.example")
		pic := get(t, h, path)
		b := body(t, pic)
		size, err := png.DecodeConfig(strings.NewReader(b))
		if !ours || err != nil || size.Width != 800 || len(b) > 25<<10 || !strings.HasPrefix(pic.Header.Get("Cache-Control"), "public, max-age=") || pic.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("%s: the picture at %q: %v, %d bytes, %v", p, m["og:image"], err, len(b), pic.Header)
		}
	}
	if m := said(body(t, get(t, h, "/work/"+string(id(0))))); m["og:image"] != "" || !strings.Contains(m["og:description"], "open weights") {
		t.Errorf("a work: %v", m)
	}
	// Drawn once for all who ask within a while.
	counted := d.counted
	for range 5 {
		get(t, h, "/balance.png")
	}
	if d.counted > counted+1 {
		t.Errorf("counted %d times", d.counted-counted)
	}

	at := now
	opt := closed(&at, door{name: "chat", members: map[string]bot.Reader{"good": ana}})
	b := newBrowser(t, New(opt))
	for _, p := range []string{"/week.png", "/balance.png", "/digest/d000000000000/balance.png"} {
		if resp := b.get(p); resp.StatusCode != http.StatusUnauthorized || strings.HasPrefix(resp.Header.Get("Content-Type"), "image/") {
			t.Errorf("%s: a stranger is shown it: %d", p, resp.StatusCode)
		}
	}
	b.signIn("chat", "", "good")
	for _, p := range []string{"/week.png", "/balance.png", "/digest/d000000000000/balance.png"} {
		if resp := b.get(p); resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "private, no-cache" || resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d, %v", p, resp.StatusCode, resp.Header)
		}
	}
	if m := said(body(t, b.get("/"))); len(m) != 0 {
		t.Errorf("a page behind a login says %v", m)
	}
}

func TestCompression(t *testing.T) {
	h := New(open(full(60)))
	plain, packed := get(t, h, "/"), get(t, h, "/", "Accept-Encoding", "br, gzip")
	if packed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("ETag") != plain.Header.Get("ETag") {
		t.Errorf("encodings %q and %q, tags %s and %s", plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"), plain.Header.Get("ETag"), packed.Header.Get("ETag"))
	}
	t.Logf("the first page: %d bytes, %d compressed; the stylesheet %d", plain.ContentLength, packed.ContentLength, len(styleCSS))
}

// What fails behind the pages is for the log. The asker learns that it failed.
func TestFailure(t *testing.T) {
	d := full(3)
	d.broken = errors.New("dial tcp: password=hunter2")
	h := New(open(d))
	for _, p := range []string{"/", "/digests", "/digest/d000000000001", "/search?q=a", "/work/" + string(id(0)), "/lab/mistral", "/country/FR", "/license/MIT", "/balance", "/sources", "/feed.atom", "/digests.json", "/works.csv", "/balance.csv"} {
		resp := get(t, h, p)
		if text := body(t, resp); resp.StatusCode != http.StatusInternalServerError || strings.Contains(text, "hunter2") || !strings.Contains(text, "on our side") {
			t.Errorf("%s: status %d: %.80s", p, resp.StatusCode, text)
		}
	}
}

// A site without the parts that may be left out does not speak of them.
func TestWithout(t *testing.T) {
	opt := open(full(5))
	opt.Archive, opt.OPML = nil, nil
	h := New(opt)
	for _, p := range []string{"/digests", "/digests.atom", "/digests.json", "/digest/x", "/sources.opml"} {
		if got := get(t, h, p).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", p, got)
		}
	}
	if text := body(t, get(t, h, "/sources")); strings.Contains(text, "opml") || strings.Contains(text, "/digests") {
		t.Error("the page of sources links to what is not there")
	}
}

// The pages and the pictures in them have one palette.
func TestPalette(t *testing.T) {
	sheet := regexp.MustCompile(`#([0-9a-f])([0-9a-f])([0-9a-f]);`).ReplaceAllString(string(pageCSS), "#$1$1$2$2$3$3;")
	bright, night, ok := strings.Cut(sheet, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("the stylesheet has no dark side")
	}
	for _, part := range []struct {
		name, css string
		dark      bool
	}{{"light", bright, false}, {"dark", night[:strings.Index(night, "\n}")], true}} {
		for v := range strings.SplitSeq(chart.Variables(part.dark), "; ") {
			if v = strings.TrimSuffix(v, ";") + ";"; !strings.Contains(part.css, v) {
				t.Errorf("%s: the pictures have %s, the pages have not", part.name, v)
			}
		}
	}
}
