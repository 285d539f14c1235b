package web

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"seedcorn/bot"
)

// The login. Somebody without a session is sent to /login, from there to a platform,
// and comes back with a code:
//
//	GET  /login               who am I, and where to sign in
//	GET  /login/{name}        sets a ticket (state, nonce, where to go on), leads to the platform
//	GET  /login/{name}/back   ticket and address agree ─► bot.Login.Answer ─► a session
//	POST /logout              ends it; the only request that is not a read
//	GET  /feed.atom?key=…     the works for a feed reader, which has an address only
//
// Ticket and session are cookies that we sign and nobody else can make; nothing is
// kept here. So a session cannot be called back before it ends, and it ends soon:
// whoever leaves a workspace can read on for sessionLife at the most.
const (
	sessionLife = 12 * time.Hour
	ticketLife  = 10 * time.Minute

	sessionCookie = "seedcorn_session"
	ticketCookie  = "seedcorn_login"

	// maxWorkspaces is how many memberships a session can hold: a cookie has room for
	// four kilobytes. https://www.rfc-editor.org/rfc/rfc6265#section-6.1
	maxWorkspaces = 60
)

// A session is who reads, until when.
type session struct {
	Reader bot.Reader `json:"r"`
	Until  int64      `json:"u"` // Unix seconds
}

// A ticket is what we remember of somebody who is at a platform's login.
type ticket struct {
	Login string `json:"l"`
	State string `json:"s"`
	Nonce string `json:"n"`
	Next  string `json:"x"` // a path of ours
	Until int64  `json:"u"`
}

// A seal signs cookies, each kind with a key of its own.
type seal struct{ session, ticket, feed []byte }

func newSeal(secret []byte) (seal, error) {
	var s seal
	var errs [3]error
	s.session, errs[0] = hkdf.Key(sha256.New, secret, nil, "seedcorn session", sha256.Size)
	s.ticket, errs[1] = hkdf.Key(sha256.New, secret, nil, "seedcorn ticket", sha256.Size)
	s.feed, errs[2] = hkdf.Key(sha256.New, secret, nil, "seedcorn feed", sha256.Size)
	return s, errors.Join(errs[:]...)
}

// sealed is v with a signature, fit for a cookie.
func sealed(key []byte, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(b)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature(key, text)), nil
}

func signature(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// unsealed reads what [sealed] wrote; ok is false if anybody else did.
func unsealed(key []byte, cookie string, v any) (ok bool) {
	text, sum, found := strings.Cut(cookie, ".")
	if !found {
		return false
	}
	given, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(given, signature(key, text)) {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(b, v) == nil
}

type readerKey struct{}

// ReaderOf tells who reads, where the pages are behind a login.
func ReaderOf(ctx context.Context) (bot.Reader, bool) {
	r, ok := ctx.Value(readerKey{}).(bot.Reader)
	return r, ok
}

// WithReader is ctx as that of a request by who.
func WithReader(ctx context.Context, who bot.Reader) context.Context {
	return context.WithValue(ctx, readerKey{}, who)
}

// reader is who a request's session says it is.
func (s *site) reader(r *http.Request) (bot.Reader, bool) {
	c, err := r.Cookie(s.cookie(sessionCookie))
	var in session
	if err != nil || !unsealed(s.seal.session, c.Value, &in) || s.Now().Unix() >= in.Until || s.login(in.Reader.Platform) == nil {
		return bot.Reader{}, false
	}
	return in.Reader, true
}

func (s *site) login(name string) bot.Login {
	for _, l := range s.Logins {
		if l.Name() == name {
			return l
		}
	}
	return nil
}

// cookie is a cookie's name. Over TLS it has the prefix that browsers let nobody set
// but this very host. https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-__host-prefix
func (s *site) cookie(name string) string {
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

func (s *site) secure() bool { return strings.HasPrefix(s.base, "https://") }

func (s *site) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{Name: s.cookie(name), Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// forAll are the paths that one may ask for before one has signed in.
func forAll(p string) bool {
	return p == "/login" || strings.HasPrefix(p, "/login/") || p == "/style.css" || p == "/icon.svg" || p == "/robots.txt"
}

// forPrograms are the endings of what programs ask for.
var forPrograms = []string{".atom", ".json", ".csv", ".jsonl", ".opml"}

// enter lets a reader pass, and leads others to the login: a browser by a redirect to
// our own page, a feed reader, which could not follow it, by a sentence.
func (s *site) enter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := s.reader(r)
		if ok {
			r = r.WithContext(WithReader(r.Context(), who))
		}
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/logout":
			s.logout(w, r)
		case ok || forAll(r.URL.Path):
			next.ServeHTTP(w, r)
		case s.feedReader(r):
			next.ServeHTTP(w, r)
		case slices.Contains(forPrograms, path.Ext(r.URL.Path)):
			s.refuse(w, r, http.StatusUnauthorized, "This is for those who have signed in at /login. A program cannot; a feed reader can have an address of its own from there.")
		default:
			reply{to: withQuery("/login", "next", r.URL.RequestURI())}.write(w, r)
		}
	})
}

// keyedFeeds are the feeds that have a private address: those of works, in which
// everyone who is let in reads the same. Digests are their workspace's, whose members
// change sooner than addresses do.
var keyedFeeds = []string{"/feed.atom", "/feed.json"}

// feedLife is how long a private address of a feed is good at least.
const feedLife = 90 * 24 * time.Hour

// A pass is what the private address of a feed says: who asked for it, until when it
// is good. A feed reader keeps no cookies and cannot sign in, so this stands in the
// address; it opens keyedFeeds and nothing else, and says nothing of workspaces.
type pass struct {
	Platform string `json:"p"`
	Person   string `json:"i"`
	Until    int64  `json:"u"`
}

const feedKey = "key"

// passFor is the key of who's private addresses. It is the same all day.
func (s *site) passFor(who bot.Reader) (string, error) {
	until := s.Now().UTC().Truncate(24 * time.Hour).Add(24*time.Hour + feedLife)
	return sealed(s.seal.feed, pass{who.Platform, who.ID, until.Unix()})
}

// feedReader reports whether a request is for a feed, by an address that we made.
func (s *site) feedReader(r *http.Request) bool {
	key := r.URL.Query().Get(feedKey)
	var p pass
	return slices.Contains(keyedFeeds, r.URL.Path) && len(key) <= maxPass && unsealed(s.seal.feed, key, &p) && s.Now().Unix() < p.Until && s.login(p.Platform) != nil
}

// maxPass is longer than any key is, in bytes.
const maxPass = 1000

// keyed is an address of a feed for whoever asked by a private one: a program that goes
// on from there has nothing else to show.
func (s *site) keyed(r *http.Request, address string) string {
	key := r.URL.Query().Get(feedKey)
	u, err := url.Parse(address)
	if s.Access != ByLogin || key == "" || err != nil || !slices.Contains(keyedFeeds, u.Path) || !s.feedReader(r) {
		return address
	}
	return withKey(u, key)
}

func withKey(u *url.URL, key string) string {
	q := u.Query()
	q.Set(feedKey, key)
	u.RawQuery = q.Encode()
	return u.String()
}

// logout ends a session. A page of a stranger's can send people here, so the browser
// must say that the request came from a page of ours.
// https://pkg.go.dev/net/http#CrossOriginProtection
func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		s.refuse(w, r, http.StatusForbidden, "Sign out from a page of ours.")
		return
	}
	s.setCookie(w, sessionCookie, "", 0)
	w.Header().Set("Location", "/login")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// A loginView is the page of the login.
type loginView struct {
	Reader *bot.Reader // who is signed in; nil if nobody is
	Logins []link
	Query  string // what the private addresses follow
	Feeds  []link // the private addresses
	Until  time.Time
}

func (s *site) loginPage(r *http.Request) (reply, error) {
	if s.Access != ByLogin {
		return s.nowhere(r)
	}
	var v loginView
	if who, ok := ReaderOf(r.Context()); ok {
		v.Reader = &who
		key, err := s.passFor(who)
		if err != nil {
			return reply{}, fmt.Errorf("making a private address: %w", err)
		}
		a, err := asked(r)
		if err != nil {
			return reply{}, err
		}
		v.Query, v.Until = a.Text, s.Now().Add(feedLife)
		for i, name := range []string{"Atom", "JSON Feed"} {
			u, err := url.Parse(s.absolute(r, withQuery(keyedFeeds[i], "q", v.Query)))
			if err != nil {
				return reply{}, fmt.Errorf("making a private address: %w", err)
			}
			v.Feeds = append(v.Feeds, link{name, withKey(u, key)})
		}
	}
	next := local(r.URL.Query().Get("next"))
	for _, l := range s.Logins {
		v.Logins = append(v.Logins, link{l.Label(), withQuery("/login/"+l.Name(), "next", next)})
	}
	out, err := s.page("login", 0, view{Title: "Sign in", Nav: "/login", Body: v})
	out.cache = "no-store"
	return out, err
}

// local is next if it is a path of ours, and "" otherwise: what is not certainly a
// path here may lead anywhere.
func local(next string) string {
	if len(next) > 2000 || !strings.HasPrefix(next, "/") || strings.ContainsAny(next, "\\\r\n\t\x00") {
		return ""
	}
	p, _, _ := strings.Cut(next, "?")
	if path.Clean(p) != p || forAll(p) { // "//elsewhere" is not clean
		return ""
	}
	return next
}

// begin sends somebody to a platform.
func (s *site) begin(w http.ResponseWriter, r *http.Request) {
	l := s.login(r.PathValue("name"))
	if l == nil {
		s.serve(s.nowhere)(w, r)
		return
	}
	t := ticket{Login: l.Name(), State: rand.Text(), Nonce: rand.Text(), Next: local(r.URL.Query().Get("next")), Until: s.Now().Add(ticketLife).Unix()}
	value, err := sealed(s.seal.ticket, t)
	if err != nil {
		s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
		return
	}
	s.setCookie(w, ticketCookie, value, ticketLife)
	w.Header().Set("Location", l.Ask(s.callback(l), t.State, t.Nonce))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}

func (s *site) callback(l bot.Login) string { return s.base + "/login/" + l.Name() + "/back" }

// back takes somebody in who comes from a platform.
func (s *site) back(w http.ResponseWriter, r *http.Request) {
	var t ticket
	if c, err := r.Cookie(s.cookie(ticketCookie)); err == nil {
		unsealed(s.seal.ticket, c.Value, &t) // a ticket of somebody else's making stays empty
	}
	s.setCookie(w, ticketCookie, "", 0) // it is good for one try
	again := link{"Sign in", "/login"}
	l, q := s.login(r.PathValue("name")), r.URL.Query()
	var who bot.Reader
	var err error
	switch {
	case l == nil:
		err = missing("There is no such login", "", again)
	case t.Login != l.Name() || t.State == "" || s.Now().Unix() >= t.Until || subtle.ConstantTimeCompare([]byte(t.State), []byte(q.Get("state"))) != 1:
		err = &lost{http.StatusForbidden, "This was not begun here", "Signing in begins on our page, and is good for ten minutes and one try.", []link{again}}
	case q.Get("error") != "" || q.Get("code") == "":
		err = &lost{http.StatusForbidden, "You are not signed in", l.Label() + " was not allowed to say who you are.", []link{again}}
	default:
		who, err = l.Answer(r.Context(), s.callback(l), q.Get("code"), t.Nonce)
		var p *bot.Problem
		if errors.As(err, &p) {
			s.Log.Warn("login refused", "platform", l.Name(), "error", err)
			err = &lost{http.StatusForbidden, "You are not let in", p.Say + ". " + p.Hint, []link{again}}
		}
	}
	var value string
	if err == nil {
		who.Platform = l.Name()
		who.Name = clip(tidy(cmp.Or(who.Name, who.ID)), 80)
		who.Workspaces = slices.Clip(who.Workspaces[:min(len(who.Workspaces), maxWorkspaces)])
		value, err = sealed(s.seal.session, session{Reader: who, Until: s.Now().Add(sessionLife).Unix()})
	}
	if err != nil {
		s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
		return
	}
	s.setCookie(w, sessionCookie, value, sessionLife)
	w.Header().Set("Location", cmp.Or(t.Next, "/"))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
