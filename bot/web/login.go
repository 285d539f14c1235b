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
	"net/http"
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
//	POST /logout              ends it, or all that one has
//	POST /feeds, /feeds/revoke  make and end a private address of a feed: see feedkeys.go
//
// Ticket and session are cookies that we sign and nobody else can make. Of a session
// nothing is kept but, once somebody signs out everywhere or a platform says that they
// left, that those until then hold no more. Where a platform does not say, whoever
// leaves a workspace can read on for sessionLife at the most.
//
// Whatever changes something must come from a page of ours: the browser says so
// (https://pkg.go.dev/net/http#CrossOriginProtection), and the form carries a token that only a page
// for this session has.
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
	Began  int64      `json:"b"` // Unix milliseconds
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
type seal struct{ session, ticket, feed, form []byte }

func newSeal(secret []byte) (seal, error) {
	var s seal
	var errs [4]error
	s.session, errs[0] = hkdf.Key(sha256.New, secret, nil, "seedcorn session", sha256.Size)
	s.ticket, errs[1] = hkdf.Key(sha256.New, secret, nil, "seedcorn ticket", sha256.Size)
	s.feed, errs[2] = hkdf.Key(sha256.New, secret, nil, "seedcorn feed", sha256.Size)
	s.form, errs[3] = hkdf.Key(sha256.New, secret, nil, "seedcorn form", sha256.Size)
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
func (s *site) reader(r *http.Request) (who bot.Reader, ok bool, err error) {
	c, err := r.Cookie(s.cookie(sessionCookie))
	var in session
	if err != nil || !unsealed(s.seal.session, c.Value, &in) || s.Now().Unix() >= in.Until || s.login(in.Reader.Platform) == nil {
		return bot.Reader{}, false, nil
	}
	if s.Readers != nil {
		out, err := s.Readers.SignedOut(r.Context(), in.Reader.Platform, in.Reader.ID)
		if err != nil || !out.IsZero() && in.Began <= out.UnixMilli() {
			return bot.Reader{}, false, err
		}
	}
	return in.Reader, true, nil
}

// formToken is what a form carries on a page for this session.
func (s *site) formToken(r *http.Request) string {
	c, err := r.Cookie(s.cookie(sessionCookie))
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(signature(s.seal.form, c.Value))
}

const tokenField = "token"

// maxForm is longer than any form of ours is, in bytes.
const maxForm = maxTarget

// ours reports whether a form was sent from a page of ours, by who is signed in.
func (s *site) ours(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if http.NewCrossOriginProtection().Check(r) != nil || r.ParseForm() != nil {
		return false
	}
	token := s.formToken(r)
	return token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(r.PostForm.Get(tokenField))) == 1
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
var forPrograms = []string{".atom", ".json", ".csv", ".jsonl", ".opml", ".png"}

// enter lets a reader pass, and leads others to the login: a browser by a redirect to
// our own page, a feed reader, which could not follow it, by a sentence.
func (s *site) enter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok, err := s.reader(r)
		if err != nil {
			s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
			return
		}
		if ok {
			r = r.WithContext(WithReader(r.Context(), who))
		}
		key := ""
		if !ok && slices.Contains(keyedFeeds, r.URL.Path) {
			key = r.URL.Query().Get(feedKey)
		}
		switch {
		case r.Method == http.MethodPost && !ok && r.URL.Path != "/logout":
			s.refuse(w, r, http.StatusForbidden, "Sign in first, at /login.")
		case r.Method == http.MethodPost && ok && !s.ours(w, r):
			s.refuse(w, r, http.StatusForbidden, "This did not come from a page of ours. Load the page again, and try once more.")
		case ok || forAll(r.URL.Path) || r.Method == http.MethodPost:
			next.ServeHTTP(w, r)
		case key != "":
			s.byKey(next, key).ServeHTTP(w, r)
		case slices.Contains(forPrograms, path.Ext(r.URL.Path)):
			s.refuse(w, r, http.StatusUnauthorized, "This is for those who have signed in at /login. A program cannot; a feed reader can have an address of its own from there.")
		default:
			reply{to: withQuery("/login", "next", r.URL.RequestURI())}.write(w, r)
		}
	})
}

// changes reports whether a request may be one that changes something.
func (s *site) changes(r *http.Request) bool {
	return s.Access == ByLogin && r.Method == http.MethodPost && slices.Contains([]string{"/logout", "/feeds", "/feeds/revoke"}, r.URL.Path)
}

// logout ends a session, or all of a person's.
func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if who, ok := ReaderOf(r.Context()); ok && s.Readers != nil && r.PostForm.Get("everywhere") == "yes" {
		if err := s.Readers.SignOut(r.Context(), who.Platform, who.ID, s.Now()); err != nil {
			s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
			return
		}
	}
	s.setCookie(w, sessionCookie, "", 0)
	seeOther(w, "/login")
}

// seeOther leads on after something was changed, so that loading again does not do it
// again.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// A loginView is the page of the login.
type loginView struct {
	Reader   *bot.Reader // who is signed in; nil if nobody is
	Token    string      // for its forms
	Logins   []link
	FeedKeys *feedKeysView // nil: there are none to be had
}

func (s *site) loginPage(r *http.Request) (reply, error) { return s.loginWith(r, nil) }

// loginWith is the page, with what was wrong with a form of it.
func (s *site) loginWith(r *http.Request, fault *feedFault) (reply, error) {
	if s.Access != ByLogin {
		return s.nowhere(r)
	}
	title, status := "Sign in", 0
	var v loginView
	if who, ok := ReaderOf(r.Context()); ok {
		title, v.Reader, v.Token = "Account", &who, s.formToken(r)
		var err error
		if v.FeedKeys, err = s.feedKeys(r, who, fault); err != nil {
			return reply{}, err
		}
	}
	if fault != nil {
		status = fault.Status
	}
	next := local(r.URL.Query().Get("next"))
	for _, l := range s.Logins {
		v.Logins = append(v.Logins, link{l.Label(), withQuery("/login/"+l.Name(), "next", next)})
	}
	out, err := s.page("login", status, view{Title: title, Nav: "/login", Body: v})
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
		value, err = sealed(s.seal.session, session{Reader: who, Began: s.Now().UnixMilli(), Until: s.Now().Add(sessionLife).Unix()})
	}
	if err != nil {
		s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
		return
	}
	s.setCookie(w, sessionCookie, value, sessionLife)
	seeOther(w, cmp.Or(t.Next, "/"))
}
