// Package web is the archive in the browser: this week, every digest, search,
// each work with its evidence, labs, countries, licenses, the balance, the sources
// and the rules; and the same out again as feeds and tables.
//
// What comes in is a GET of a stranger and what [Options] hands over: a [Library]
// of works, a [Press] that composes and counts, a [Registry] of labs and licenses.
// What goes out is whole HTML that needs one stylesheet and no script, or a feed,
// or a table. Data flows one way:
//
//	request ──guard──► host, person, rate, method, path      (guard.go, limit.go, login.go)
//	        ──handler──► words from package bot, works        (pages.go, search.go, balance.go)
//	        ──template──► HTML (page/*.html), or a feed, CSV… (view.go, feeds.go, tables.go)
//	        ──reply──► ETag, 304, gzip                        (reply.go)
//
// The words are package bot's: a document that a channel is shown is the same
// document here, block for block, in another idiom.
//
// Nothing that is read here can be changed through these pages: every request is a
// read, except that who has signed in can sign out, and make and revoke private
// addresses of feeds. Timeouts and TLS belong to the http.Server around the handler.
package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// A Library finds works. A [bot.Library] is one.
type Library interface {
	// ParseQuery reads a query; its error is a *query.SyntaxError.
	ParseQuery(ctx context.Context, text string) (query.Query, error)
	// Search returns the newest works that match, and what to pass as after for the
	// next page, "" if this is the last.
	Search(ctx context.Context, q query.Query, limit int, after string) (works []digest.Work, more string, err error)
	// FindWorks returns the works that a person may mean by an id, its beginning, or an
	// arXiv id; none is no error.
	FindWorks(ctx context.Context, text string) ([]digest.Work, error)
	Corrections(ctx context.Context, id digest.WorkID) ([]digest.Correction, error)
	LookedUp(ctx context.Context, w digest.Work) ([]bot.Lookup, error)
}

// A Press composes and counts. A [bot.Press] is one.
type Press interface {
	Compose(ctx context.Context, title, text string, p digest.Period, how digest.Counting) (digest.Digest, error)
	// Series answers a question about the balance, which is complete. The pages never
	// ask for what a team found useful: votes are nobody else's business.
	Series(ctx context.Context, q digest.Question, team digest.Destination) (digest.Series, error)
	Health(ctx context.Context) ([]digest.SourceHealth, error)
	Topics(ctx context.Context) ([]digest.Topic, error)
}

// An Archive keeps the digests that were sent. It hands out only those which
// everyone who is let in may read: what went to one person stays with that person.
type Archive interface {
	// Digest returns a digest; ok is false if there is none of that id to be shown.
	Digest(ctx context.Context, id digest.DigestID) (d digest.Digest, ok bool, err error)
	// Digests returns the latest digests, newest first.
	Digests(ctx context.Context, limit int) ([]Edition, error)
}

// An Edition is a digest with its id.
type Edition struct {
	ID digest.DigestID
	digest.Digest
}

// A Registry knows labs, countries and licenses.
type Registry interface {
	Version() string
	Labs() []feeds.Lab
	Lab(id feeds.LabID) (feeds.Lab, bool)
	Find(name string) []feeds.Lab
	Licenses() []feeds.License
	License(idOrAlias string) (feeds.License, bool)
	ParseCountry(nameOrCode string) (feeds.Country, bool)
	CountryName(c feeds.Country) string
	CountryFlag(c feeds.Country) string
}

// Options are what the pages are made of. Library, Press and Registry must be
// there.
type Options struct {
	Library  Library
	Press    Press
	Registry Registry
	Archive  Archive                                      // nil: no past digests
	OPML     func(ctx context.Context, w io.Writer) error // writes the list of sources; nil: none

	Title string // of the site; "" is Seedcorn
	// BaseURL is where the pages stand for their readers, such as
	// "https://research.example.org", without a path: links in feeds begin with it.
	// "" takes the host that was asked for.
	BaseURL string

	Access Access
	// Logins are the ways to show who one is, for [ByLogin]. They want a BaseURL, which
	// the platforms send people back to.
	Logins []bot.Login
	// Readers keeps what who has signed in holds; nil: no private addresses of feeds, and
	// no signing out everywhere.
	Readers Readers
	// Secret is what sessions are signed with, of [ByLogin]: 32 bytes, the same for every
	// process behind one address. Without one, sessions end with the process.
	Secret []byte
	// UserHeader is the header in which a reverse proxy names the person that it let
	// in, for [ByProxy]. "" is X-Forwarded-User.
	UserHeader string
	// Proxies are the addresses whose word is taken for who asks: in that header, and
	// in X-Forwarded-For. None means this machine only for the one, nobody for the
	// other.
	Proxies []netip.Prefix

	// PerSecond requests of one client are answered in the long run, Burst at once.
	// 0 stands for 10 and 60; a negative PerSecond lifts the limit. A client is a
	// person behind [ByProxy], and an address otherwise.
	PerSecond float64
	Burst     int

	// Fresh is how long a count or a composed week is as good as a new one; 0 is a
	// minute. After it, for an hour, whoever asks is shown it still while a new one is
	// made.
	Fresh time.Duration
	Now   func() time.Time // nil is time.Now
	Log   *slog.Logger     // nil is slog.Default
}

// Access says who is let in.
type Access string

// The ways in.
const (
	// LoopbackOnly is the default: connections from this machine that ask for it by a
	// loopback name. A page of a stranger's that points a name of its own here (DNS
	// rebinding) asks by another name, and is refused.
	LoopbackOnly Access = ""
	Public       Access = "public"
	// ByProxy lets in whom a reverse proxy names in a header. The proxy must remove
	// the header from what its clients send.
	ByProxy Access = "proxy"
	// ByLogin lets in the members of workspaces in which we are at work: see login.go.
	ByLogin Access = "login"
)

// A site is the pages with what they are made of.
type site struct {
	Options
	base      string // BaseURL without a slash at the end
	templates *template.Template
	limiter   *limiter
	behind    *behind
	seal      seal // of cookies, for ByLogin

	weeks    memo[digest.Digest]
	balances memo[digest.Series]
	samples  memo[sample]
	healths  memo[[]digest.SourceHealth]
	titles   memo[map[string]string]
	pictures memo[[]byte]
}

// maxAge is how old a count or a composed week may be when it is shown.
const maxAge = time.Hour

// Pages are the archive as a handler for "/". It serves every path, with a page of
// its own for what is not there.
type Pages struct {
	handler http.Handler
	site    *site
}

func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Warm makes what most readers ask for, and is dear to make, before the first asks. It
// returns at once.
func (p *Pages) Warm() { p.site.behind.do(context.Background(), p.site.warm) }

// Close ends what goes on behind the readers' backs, and waits for it. The pages can
// still be read.
func (p *Pages) Close() { p.site.behind.close() }

// New returns the pages. Whoever has served them must close them.
func New(opt Options) *Pages {
	opt.Title = cmp.Or(opt.Title, "Seedcorn")
	opt.UserHeader = cmp.Or(opt.UserHeader, "X-Forwarded-User")
	opt.PerSecond = cmp.Or(opt.PerSecond, 10)
	opt.Burst = cmp.Or(opt.Burst, 60)
	opt.Fresh = cmp.Or(opt.Fresh, time.Minute)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	s := &site{Options: opt, base: strings.TrimRight(opt.BaseURL, "/"), behind: newBehind(opt.Log)}
	if opt.PerSecond > 0 {
		s.limiter = &limiter{rate: opt.PerSecond, burst: float64(opt.Burst)}
	}
	s.templates = s.ownPages()
	s.weeks.fresh, s.balances.fresh, s.samples.fresh, s.healths.fresh, s.titles.fresh = opt.Fresh, opt.Fresh, opt.Fresh, opt.Fresh, opt.Fresh
	s.pictures.fresh = maxAge // each is kept under what it shows
	s.weeks.usable, s.balances.usable, s.titles.usable = maxAge, maxAge, maxAge
	s.weeks.behind, s.balances.behind, s.titles.behind = s.behind, s.behind, s.behind
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		mux.HandleFunc(pattern, s.serve(h))
	}
	if s.Access != ByLogin {
		return &Pages{s.guard(mux), s}
	}
	secret := opt.Secret
	if len(secret) == 0 {
		secret = []byte(rand.Text())
	}
	var err error
	if s.seal, err = newSeal(secret); err != nil {
		panic(err) // of lengths that are constants
	}
	for pattern, h := range s.doors() {
		mux.HandleFunc(pattern, h)
	}
	return &Pages{s.guard(s.enter(mux)), s}
}

// routes are the pages and files, by their patterns.
func (s *site) routes() map[string]handler {
	return map[string]handler{
		"/{$}":                     s.week,
		"/digests":                 s.digests,
		"/digests.atom":            s.digestsAtom,
		"/digests.json":            s.digestsJSON,
		"/digest/{id}":             s.digest,
		"/digest/{id}/balance.png": s.digestPNG,
		"/week.png":                s.weekPNG,
		"/balance.png":             s.balancePNG,
		"/search":                  s.search,
		"/work/{id}":               s.work,
		"/labs":                    s.labs,
		"/lab/{id}":                s.lab,
		"/country/{id}":            s.country,
		"/licenses":                s.licenses,
		"/license/{id}":            s.license,
		"/balance":                 s.balance,
		"/sources":                 s.sources,
		"/rules":                   s.rules,
		"/feed.atom":               s.atom,
		"/feed.json":               s.jsonFeed,
		"/works.csv":               s.worksCSV,
		"/works.jsonl":             s.worksJSONL,
		"/balance.csv":             s.balanceCSV,
		"/balance.jsonl":           s.balanceJSONL,
		"/sources.opml":            s.opml,
		"/style.css":               asset("text/css; charset=utf-8", styleCSS),
		"/icon.svg":                asset("image/svg+xml", iconSVG),
		"/robots.txt":              s.robots,
		"/login":                   s.loginPage,
		"/":                        s.nowhere,
	}
}

// doors are the ways in and out, of pages behind a login.
func (s *site) doors() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /logout":       s.logout,
		"POST /feeds":        s.makeFeed,
		"POST /feeds/revoke": s.revokeFeed,
		"/login/{name}":      s.begin,
		"/login/{name}/back": s.back,
	}
}

// absolute is the address of a path for the reader of a feed, who reads elsewhere.
func (s *site) absolute(r *http.Request, path string) string {
	if s.base != "" {
		return s.base + path
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u := url.URL{Scheme: scheme, Host: r.Host}
	return u.String() + path
}

// robots asks crawlers to leave alone what has no end.
// https://www.rfc-editor.org/rfc/rfc9309
func (s *site) robots(*http.Request) (reply, error) {
	const text = "User-agent: *\nDisallow: /search?\nDisallow: /balance?\nDisallow: /balance.png?\nDisallow: /balance.csv\nDisallow: /balance.jsonl\nDisallow: /feed.\nDisallow: /works.\n"
	return reply{kind: "text/plain; charset=utf-8", body: []byte(text)}, nil
}
