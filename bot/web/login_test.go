package web

import (
	"context"
	"errors"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

// A door is a login that knows what code belongs to whom.
type door struct {
	name    string
	members map[string]bot.Reader
	err     error
}

func (d door) Name() string  { return d.name }
func (d door) Label() string { return strings.ToUpper(d.name[:1]) + d.name[1:] }
func (d door) Ask(callback, state, nonce string) string {
	return "https://" + d.name + ".example/authorize?" + url.Values{"redirect_uri": {callback}, "state": {state}, "nonce": {nonce}}.Encode()
}

func (d door) Answer(_ context.Context, callback, code, nonce string) (bot.Reader, error) {
	if d.err != nil {
		return bot.Reader{}, d.err
	}
	if callback != "https://research.example/login/"+d.name+"/back" || nonce == "" {
		return bot.Reader{}, errors.New("called wrongly")
	}
	who, ok := d.members[code]
	if !ok {
		return bot.Reader{}, &bot.Problem{Say: "You are in no workspace of ours", Hint: "Ask for an invitation."}
	}
	return who, nil
}

// A cloakroom keeps what readers hold, in memory.
type cloakroom struct {
	keys   []digest.FeedKey // newest first
	out    map[string]time.Time
	broken error
}

func (c *cloakroom) PutFeedKey(_ context.Context, k digest.FeedKey) error {
	if len(c.holding(k.Platform, k.Person, k.Made)) >= digest.MostFeedKeys {
		return digest.ErrTooManyKeys
	}
	c.keys = slices.Insert(c.keys, 0, k)
	return c.broken
}

func (c *cloakroom) holding(platform, person string, now time.Time) (out []digest.FeedKey) {
	for _, k := range c.keys {
		if k.Platform == platform && k.Person == person && k.Holds(now) {
			out = append(out, k)
		}
	}
	return out
}

func (c *cloakroom) FeedKeys(_ context.Context, platform, person string, now time.Time) ([]digest.FeedKey, error) {
	return c.holding(platform, person, now), c.broken
}

func (c *cloakroom) ReadByFeedKey(_ context.Context, id digest.FeedKeyID, now time.Time) (digest.FeedKey, bool, error) {
	i := slices.IndexFunc(c.keys, func(k digest.FeedKey) bool { return k.ID == id })
	if i < 0 || c.broken != nil {
		return digest.FeedKey{}, false, c.broken
	}
	c.keys[i].Read = now
	return c.keys[i], true, nil
}

func (c *cloakroom) RevokeFeedKey(_ context.Context, platform, person string, id digest.FeedKeyID, now time.Time) error {
	for i, k := range c.keys {
		if k.ID == id && k.Platform == platform && k.Person == person && k.Revoked.IsZero() {
			c.keys[i].Revoked = now
		}
	}
	return c.broken
}

func (c *cloakroom) SignOut(_ context.Context, platform, person string, now time.Time) error {
	if c.out == nil {
		c.out = map[string]time.Time{}
	}
	c.out[platform+"/"+person] = now
	return c.broken
}

func (c *cloakroom) SignedOut(_ context.Context, platform, person string) (time.Time, error) {
	return c.out[platform+"/"+person], c.broken
}

// A browser keeps cookies, and follows nothing by itself.
type browser struct {
	t    *testing.T
	h    http.Handler
	jar  map[string]string
	site string // Sec-Fetch-Site of a POST
}

func newBrowser(t *testing.T, h http.Handler) *browser {
	return &browser{t: t, h: h, jar: map[string]string{}, site: "same-origin"}
}

func (b *browser) do(method, path string, form ...string) *http.Response {
	fields := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		fields.Set(form[i], form[i+1])
	}
	req := httptest.NewRequest(method, "https://research.example"+path, strings.NewReader(fields.Encode()))
	for name, value := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if method == http.MethodPost {
		req.Header.Set("Sec-Fetch-Site", b.site)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	rec := httptest.NewRecorder()
	b.h.ServeHTTP(rec, req)
	resp := rec.Result()
	for _, c := range resp.Cookies() {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || !strings.HasPrefix(c.Name, "__Host-") {
			b.t.Errorf("a cookie that others can reach: %v", c)
		}
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c.Value
		}
	}
	return resp
}

func (b *browser) get(path string) *http.Response { return b.do(http.MethodGet, path) }

// token is what the forms of the page at path carry.
func (b *browser) token(path string) string {
	b.t.Helper()
	found := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(body(b.t, b.get(path)))
	if found == nil {
		b.t.Fatalf("%s has no form with a token", path)
	}
	return found[1]
}

// signIn goes the whole way and returns where it ends.
func (b *browser) signIn(name, next, code string) *http.Response {
	b.t.Helper()
	resp := b.get(withQuery("/login/"+name, "next", next))
	if resp.StatusCode != http.StatusFound {
		b.t.Fatalf("beginning: status %d", resp.StatusCode)
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host != name+".example" {
		b.t.Fatalf("sent to %q", resp.Header.Get("Location"))
	}
	return b.get("/login/" + name + "/back?" + url.Values{"code": {code}, "state": {to.Query().Get("state")}}.Encode())
}

var ana = bot.Reader{ID: "U1", Name: "ana", Workspaces: []string{"T1"}}

// closed are the pages behind a login.
func closed(clock *time.Time, logins ...bot.Login) Options {
	opt := open(full(20))
	opt.Access, opt.Logins, opt.Secret, opt.Readers = ByLogin, logins, []byte(strings.Repeat("k", 32)), &cloakroom{}
	opt.Now = func() time.Time { return *clock }
	return opt
}

func TestLogin(t *testing.T) {
	at := now
	chat := door{name: "chat", members: map[string]bot.Reader{"good": ana}}
	opt := closed(&at, chat)
	var asked []bot.Reader
	opt.Archive = listening{opt.Archive, func(ctx context.Context) {
		who, _ := ReaderOf(ctx)
		asked = append(asked, who)
	}}
	b := newBrowser(t, New(opt))

	// A stranger sees nothing but the login and what that is made of.
	for _, p := range paths {
		resp := b.get(p)
		if resp.StatusCode != http.StatusFound || !strings.HasPrefix(resp.Header.Get("Location"), "/login?next=") {
			t.Errorf("%s: status %d, to %q", p, resp.StatusCode, resp.Header.Get("Location"))
		}
		if text := body(t, resp); text != "" {
			t.Errorf("%s: says %q to a stranger", p, text)
		}
	}
	for _, p := range []string{"/feed.atom", "/feed.json?q=x", "/works.csv", "/balance.jsonl", "/sources.opml", "/digests.atom"} {
		if resp := b.get(p); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", p, resp.StatusCode)
		}
	}
	resp := b.get("/login?next=/work/" + string(id(0)))
	text := body(t, resp)
	checkPage(t, resp, text)
	if !strings.Contains(text, `href="/login/chat?next=%2Fwork%2F`) || !strings.Contains(text, "Sign in with Chat") {
		t.Errorf("no way to sign in: %s", text)
	}
	if resp := b.get("/style.css"); resp.StatusCode != http.StatusOK {
		t.Errorf("/style.css: status %d", resp.StatusCode)
	}

	// The way in.
	resp = b.signIn("chat", "/search?q=reasoning", "good")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/search?q=reasoning" {
		t.Fatalf("signed in: status %d, to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if names := slices.Collect(maps.Keys(b.jar)); len(names) != 1 || names[0] != "__Host-"+sessionCookie {
		t.Errorf("cookies after: %v, want the session alone", names)
	}
	if resp := b.get("/digests"); resp.StatusCode != http.StatusOK {
		t.Errorf("after signing in: status %d", resp.StatusCode)
	}
	want := ana
	want.Platform = "chat"
	if len(asked) != 1 || asked[0].ID != want.ID || asked[0].Platform != "chat" || !slices.Equal(asked[0].Workspaces, want.Workspaces) {
		t.Errorf("the archive was asked by %+v", asked)
	}
	resp = b.get("/login")
	text = body(t, resp)
	checkPage(t, resp, text)
	if !strings.Contains(text, "<bdi>ana</bdi>") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("who is signed in? %s", text)
	}

	// A page of somebody else's cannot sign anyone out; our own can.
	token := b.token("/login")
	for _, tt := range []struct{ site, token string }{{"cross-site", token}, {"same-site", token}, {"same-origin", ""}, {"same-origin", token + "a"}} {
		b.site = tt.site
		if resp := b.do(http.MethodPost, "/logout", "token", tt.token); resp.StatusCode != http.StatusForbidden {
			t.Errorf("signed out from %+v: status %d", tt, resp.StatusCode)
		}
	}
	b.site = "same-origin"
	if resp := b.do(http.MethodPost, "/logout", "token", token); resp.StatusCode != http.StatusSeeOther || len(b.jar) != 0 {
		t.Errorf("signing out: status %d, cookies %v", resp.StatusCode, b.jar)
	}
	if resp := b.get("/digests"); resp.StatusCode != http.StatusFound {
		t.Errorf("after signing out: status %d", resp.StatusCode)
	}
	for _, m := range []string{http.MethodPost, http.MethodPut} {
		if resp := b.do(m, "/search"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s /search: status %d", m, resp.StatusCode)
		}
	}
}

// listening is an archive that tells for whom it is asked.
type listening struct {
	Archive
	hear func(context.Context)
}

func (l listening) Digests(ctx context.Context, limit int) ([]Edition, error) {
	l.hear(ctx)
	return l.Archive.Digests(ctx, limit)
}

func TestLoginRefuses(t *testing.T) {
	at := now
	chat, other := door{name: "chat", members: map[string]bot.Reader{"good": ana}}, door{name: "other", members: map[string]bot.Reader{"good": ana}}
	opt := closed(&at, chat, other, door{name: "broken", err: errors.New("no answer")})
	start := func() (*browser, string) {
		b := newBrowser(t, New(opt))
		u, _ := url.Parse(b.get("/login/chat").Header.Get("Location"))
		return b, u.Query().Get("state")
	}
	for name, try := range map[string]func() (*browser, *http.Response){
		"no ticket": func() (*browser, *http.Response) {
			b, state := start()
			clear(b.jar)
			return b, b.get("/login/chat/back?code=good&state=" + state)
		},
		"another state": func() (*browser, *http.Response) {
			b, _ := start()
			return b, b.get("/login/chat/back?code=good&state=AAAA")
		},
		"an empty state": func() (*browser, *http.Response) {
			b, _ := start()
			return b, b.get("/login/chat/back?code=good&state=")
		},
		"somebody else's ticket": func() (*browser, *http.Response) {
			b, state := start()
			b.jar["__Host-"+ticketCookie], _ = sealed([]byte("another key"), ticket{Login: "chat", State: state, Until: at.Unix() + 60})
			return b, b.get("/login/chat/back?code=good&state=" + state)
		},
		"a session for a ticket": func() (*browser, *http.Response) {
			b, _ := start()
			s, _ := newSeal(opt.Secret)
			b.jar["__Host-"+ticketCookie], _ = sealed(s.session, ticket{Login: "chat", State: "AAAA", Until: at.Unix() + 60})
			return b, b.get("/login/chat/back?code=good&state=AAAA")
		},
		"by another door": func() (*browser, *http.Response) {
			b, state := start()
			return b, b.get("/login/other/back?code=good&state=" + state)
		},
		"too late": func() (*browser, *http.Response) {
			b, state := start()
			at = at.Add(ticketLife)
			return b, b.get("/login/chat/back?code=good&state=" + state)
		},
		"the person said no": func() (*browser, *http.Response) {
			b, state := start()
			return b, b.get("/login/chat/back?error=access_denied&state=" + state)
		},
		"not a member": func() (*browser, *http.Response) {
			b, state := start()
			return b, b.get("/login/chat/back?code=bad&state=" + state)
		},
	} {
		t.Run(name, func(t *testing.T) {
			at = now
			b, resp := try()
			text := body(t, resp)
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("status %d, want 403: %s", resp.StatusCode, text)
			}
			checkPage(t, resp, text)
			if _, in := b.jar["__Host-"+sessionCookie]; in {
				t.Error("let in all the same")
			}
			if _, kept := b.jar["__Host-"+ticketCookie]; kept {
				t.Error("the ticket is good for another try")
			}
		})
	}
	at = now
	b := newBrowser(t, New(opt))
	if resp := b.signIn("broken", "", "good"); resp.StatusCode != http.StatusInternalServerError || len(b.jar) != 0 {
		t.Errorf("a door that is broken: status %d, cookies %v", resp.StatusCode, b.jar)
	}
	if resp := b.get("/login/nobody"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a door that is not there: status %d", resp.StatusCode)
	}

	// A session ends, and nobody can lengthen or make one.
	b.signIn("chat", "", "good")
	for _, forge := range []string{"", "x", "x.y", strings.Replace(b.jar["__Host-"+sessionCookie], ".", ".A", 1), "e30." + strings.SplitAfter(b.jar["__Host-"+sessionCookie], ".")[1]} {
		f := newBrowser(t, b.h)
		f.jar["__Host-"+sessionCookie] = forge
		if resp := f.get("/digests"); resp.StatusCode != http.StatusFound {
			t.Errorf("a forged session %q: status %d", forge, resp.StatusCode)
		}
	}
	at = now.Add(sessionLife - time.Second)
	if resp := b.get("/digests"); resp.StatusCode != http.StatusOK {
		t.Errorf("before its end: status %d", resp.StatusCode)
	}
	at = now.Add(sessionLife)
	if resp := b.get("/digests"); resp.StatusCode != http.StatusFound {
		t.Errorf("after its end: status %d", resp.StatusCode)
	}
}

// The way back leads to a page of ours, whatever the address says.
func TestLoginLeadsNowhereElse(t *testing.T) {
	at := now
	for next, want := range map[string]string{
		"/balance?rule=any": "/balance?rule=any", "/": "/", "": "/",
		"//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/", "/a/../b": "/", "javascript:alert(1)": "/", "/x\r\nSet-Cookie: a=b": "/", "/login": "/", "/login/chat": "/", "evil": "/", "/" + strings.Repeat("a", 3000): "/",
	} {
		b := newBrowser(t, New(closed(&at, door{name: "chat", members: map[string]bot.Reader{"good": ana}})))
		if resp := b.signIn("chat", next, "good"); resp.Header.Get("Location") != want {
			t.Errorf("next %q leads to %q, want %q", next, resp.Header.Get("Location"), want)
		}
	}
}

// Without a login there is none: no page of that name, no cookie that counts.
func TestNoLogin(t *testing.T) {
	h := New(open(full(3)))
	for _, p := range []string{"/login", "/login/chat", "/login/chat/back"} {
		if resp := get(t, h, p); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
	}
	_, ok := ReaderOf(context.Background())
	if ok {
		t.Error("somebody reads")
	}
}

// A feed reader reads works by a private address, and nothing else, as long as it
// holds; what became of one that was good is said to whoever still asks.
func TestFeedKey(t *testing.T) {
	at := now
	chat := door{name: "chat", members: map[string]bot.Reader{"good": ana, "bob": {ID: "U2", Name: "bob", Workspaces: []string{"T1"}}}}
	opt := closed(&at, chat)
	d, room := full(20), &cloakroom{}
	opt.Library, opt.Readers = d, room
	var log strings.Builder
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	h := New(opt)
	b := newBrowser(t, h)
	if text := body(t, b.get("/login?q=reasoning")); strings.Contains(text, "key=") || strings.Contains(text, "token") {
		t.Fatal("a stranger is given a key or a form")
	}
	if resp := b.do(http.MethodPost, "/feeds", "q", "x"); resp.StatusCode != http.StatusForbidden || len(room.keys) != 0 {
		t.Fatalf("a stranger makes one: status %d", resp.StatusCode)
	}
	b.signIn("chat", "", "good")
	const text1 = "reasoning -lab:openai"
	if text := body(t, b.get("/login?q=reasoning+-lab:openai")); !strings.Contains(text, `value="`+text1+`"`) || strings.Contains(text, "key=") {
		t.Error("the form does not begin with what was asked for")
	}
	if text := body(t, b.get("/search?q=reasoning")); !strings.Contains(text, `href="/login?q=reasoning#feeds"`) {
		t.Error("no way from a search to an address of its own")
	}
	token := b.token("/login")
	make := func(q string) *http.Response { return b.do(http.MethodPost, "/feeds", "token", token, "q", q) }

	// Only from our own page, and only what can be read.
	b.site = "cross-site"
	if resp := make("x"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("made from elsewhere: status %d", resp.StatusCode)
	}
	b.site = "same-origin"
	if resp := b.do(http.MethodPost, "/feeds", "token", "", "q", "x"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("made without a token: status %d", resp.StatusCode)
	}
	resp := make("reasoning country:")
	text := body(t, resp)
	checkPage(t, resp, text)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "Column 11") || !strings.Contains(text, `value="reasoning country:"`) {
		t.Errorf("status %d: %s", resp.StatusCode, text)
	}
	if resp := make(strings.Repeat("a", maxForm)); resp.StatusCode != http.StatusForbidden || len(room.keys) != 0 {
		t.Errorf("a long form: status %d, %d made", resp.StatusCode, len(room.keys))
	}
	for _, q := range []string{"", text1} {
		if resp := make(q); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login#feeds" {
			t.Fatalf("%q: status %d, to %q", q, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	resp = b.get("/login")
	text = body(t, resp)
	checkPage(t, resp, text)
	found := regexp.MustCompile(`https://research\.example(/feed\.(?:atom|json)\?[^<]*)<`).FindAllStringSubmatch(text, -1)
	if len(found) != 4 || resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(text, "good until 21 Feb 2027, not read yet") || !strings.Contains(text, "All works") {
		t.Fatalf("%d addresses, cache %q: %s", len(found), resp.Header.Get("Cache-Control"), text)
	}
	session := b.jar["__Host-"+sessionCookie]
	reader := newBrowser(t, h) // without the cookie
	var key, first string
	for _, f := range found[:2] {
		path := html.UnescapeString(f[1])
		resp := reader.get(path)
		text := body(t, resp)
		if resp.StatusCode != http.StatusOK || len(resp.Header["Set-Cookie"]) > 0 || !strings.Contains(text, "Mistral AI report") || strings.Contains(text, "OpenAI report") {
			t.Fatalf("%s: status %d, cookies %v: %.600s", path, resp.StatusCode, resp.Header["Set-Cookie"], text)
		}
		if again := reader.do(http.MethodHead, path); again.StatusCode != http.StatusOK || again.Header.Get("ETag") != resp.Header.Get("ETag") {
			t.Errorf("%s: asked again, status %d", path, again.StatusCode)
		}
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		key, first = u.Query().Get("key"), path
		// It goes on by an address that is as good, and leads people to pages without it.
		// It is in two: its own, and the next.
		if text := body(t, reader.get(path+"&limit=3")); strings.Count(text, "key="+key) != 2 || strings.Count(text, "key=") != 2 {
			t.Errorf("%s: %s", path, text)
		}
	}
	if text := body(t, b.get("/login")); !strings.Contains(text, "last read 23 Nov 2026") {
		t.Errorf("nobody has read: %s", text)
	}
	next := regexp.MustCompile(`"next_url": "https://research\.example([^"]*)"`).FindStringSubmatch(body(t, reader.get(first+"&limit=3")))
	if next == nil {
		t.Fatal("no next page")
	}
	if resp := reader.get(strings.ReplaceAll(next[1], `\u0026`, "&")); resp.StatusCode != http.StatusOK {
		t.Errorf("the next page: status %d", resp.StatusCode)
	}
	for _, p := range append(slices.Clone(paths), "/digests.atom", "/digests.json", "/works.csv", "/works.jsonl", "/balance.csv", "/sources.opml", "/nowhere") {
		p += map[bool]string{true: "&", false: "?"}[strings.Contains(p, "?")] + "key=" + key
		if resp := reader.get(p); resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
	}
	forged, _ := sealed([]byte("another"), room.keys[0].ID)
	bare := string(room.keys[0].ID)
	never, _ := sealed(h.site.seal.feed, "knever")
	for name, k := range map[string]string{"none": "", "half": key[:len(key)/2], "changed": "e" + key, "forged": forged, "a bare id": bare, "a session": session, "long": strings.Repeat("a", 5000), "no text": "%ff%00"} {
		if resp := reader.get("/feed.atom?key=" + k); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	if resp := reader.get("/feed.atom?key=" + never); resp.StatusCode != http.StatusGone {
		t.Errorf("one that is long forgotten: status %d", resp.StatusCode)
	}
	reader.jar["__Host-"+sessionCookie] = key
	if resp := reader.get("/digests"); resp.StatusCode != http.StatusFound {
		t.Errorf("a key for a session: status %d", resp.StatusCode)
	}
	delete(reader.jar, "__Host-"+sessionCookie)

	for _, broken := range []*error{&d.broken, &room.broken} {
		*broken = errors.New("no disk")
		log.Reset()
		if resp := reader.get(first); resp.StatusCode != http.StatusInternalServerError || !strings.Contains(log.String(), "no disk") || strings.Contains(log.String(), key) {
			t.Errorf("status %d, and the log says %s", resp.StatusCode, log.String())
		}
		*broken = nil
	}

	// Nobody revokes what is somebody else's; its owner revokes one alone.
	bob := newBrowser(t, h)
	bob.signIn("chat", "", "bob")
	if text := body(t, bob.get("/login")); strings.Contains(text, "key=") {
		t.Error("somebody else's addresses are shown")
	}
	id := string(room.keys[0].ID)
	bob.do(http.MethodPost, "/feeds/revoke", "token", bob.token("/login"), "id", id)
	if resp := b.do(http.MethodPost, "/feeds/revoke", "token", bob.token("/login"), "id", id); resp.StatusCode != http.StatusForbidden {
		t.Errorf("by the token of another session: status %d", resp.StatusCode)
	}
	if resp := reader.get(first); resp.StatusCode != http.StatusOK {
		t.Fatalf("revoked by another: status %d", resp.StatusCode)
	}
	if resp := b.do(http.MethodPost, "/feeds/revoke", "token", token, "id", id); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("revoking: status %d", resp.StatusCode)
	}
	resp = reader.get(first)
	if text := body(t, resp); resp.StatusCode != http.StatusGone || resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(text, "was revoked on 23 Nov 2026") || !strings.Contains(text, "https://research.example/login") {
		t.Errorf("a revoked one: status %d, %s", resp.StatusCode, text)
	}
	other := html.UnescapeString(found[2][1])
	if resp := reader.get(other); resp.StatusCode != http.StatusOK {
		t.Errorf("the other one: status %d", resp.StatusCode)
	}

	// There is an end to how many one has, and to how long each holds.
	for range digest.MostFeedKeys - 1 {
		make("")
	}
	resp = make("")
	if text := body(t, resp); resp.StatusCode != http.StatusConflict || !strings.Contains(text, "You have 20 of them already") {
		t.Errorf("one too many: status %d: %s", resp.StatusCode, text)
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{feedLife - time.Second, http.StatusOK}, {feedLife, http.StatusGone}} {
		at = now.Add(tt.after)
		if resp := reader.get(other); resp.StatusCode != tt.want {
			t.Errorf("after %v: status %d, want %d", tt.after, resp.StatusCode, tt.want)
		}
	}
	at = now

	// Pages that are not behind a login know no keys, and repeat none.
	if text := body(t, get(t, New(open(full(20))), other)); strings.Contains(text, room.keys[0].Query+"key=") || strings.Contains(text, "key=") {
		t.Error("a public page repeats a key")
	}
	opt.Readers = nil
	b = newBrowser(t, New(opt))
	b.signIn("chat", "", "good")
	if text := body(t, b.get("/login")); strings.Contains(text, "/feeds") || strings.Contains(text, "everywhere") {
		t.Error("what is not kept is offered")
	}
	if resp := b.do(http.MethodPost, "/feeds", "token", b.token("/login")); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what is not kept is made: status %d", resp.StatusCode)
	}
}

// Signing out everywhere ends the sessions of other browsers, too, and those of nobody
// else; a session that begins later holds.
func TestSignOutEverywhere(t *testing.T) {
	at := now
	room := &cloakroom{}
	opt := closed(&at, door{name: "chat", members: map[string]bot.Reader{"good": ana, "bob": {ID: "U2", Workspaces: []string{"T1"}}}})
	opt.Readers = room
	h := New(opt)
	home, work, bob := newBrowser(t, h), newBrowser(t, h), newBrowser(t, h)
	home.signIn("chat", "", "good")
	work.signIn("chat", "", "good")
	bob.signIn("chat", "", "bob")
	at = at.Add(time.Minute)
	reads := func(b *browser) bool { return b.get("/digests").StatusCode == http.StatusOK }
	if resp := home.do(http.MethodPost, "/logout", "token", home.token("/login")); resp.StatusCode != http.StatusSeeOther || reads(home) || !reads(work) {
		t.Fatal("signing out in one browser ends more, or nothing")
	}
	home.signIn("chat", "", "good")
	at = at.Add(time.Minute)
	if resp := home.do(http.MethodPost, "/logout", "token", home.token("/login"), "everywhere", "yes"); resp.StatusCode != http.StatusSeeOther || reads(home) || reads(work) || !reads(bob) {
		t.Errorf("signing out everywhere: home %v, work %v, bob %v", reads(home), reads(work), reads(bob))
	}
	at = at.Add(time.Minute)
	work.signIn("chat", "", "good")
	if !reads(work) {
		t.Error("signing in again does not help")
	}
	// What can't be asked is not taken for a yes.
	room.broken = errors.New("no disk")
	if resp := work.get("/digests"); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("nobody knows whether the session holds: status %d", resp.StatusCode)
	}
}
