package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"seedcorn/bot"
	"seedcorn/bot/web"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/digest/query"
	"seedcorn/digest/store"
	"seedcorn/digest/vault"
	"seedcorn/feeds"
	"seedcorn/feeds/arxiv"
	"seedcorn/feeds/catalog"
	"seedcorn/feeds/fetch"
	"seedcorn/feeds/hub"
	"seedcorn/feeds/registry"
	"seedcorn/feeds/tag"
)

// A world is everything a command may need, tied together.
type world struct {
	cfg    config
	db     *store.DB
	client *fetch.Client
	hub    *hub.Client
	reg    *registry.Registry
	ring   vault.Ring // of workspaces' tokens
	log    *slog.Logger
	zone   *time.Location
	now    func() time.Time // the app's

	metrics *web.Metrics // nil outside of serve
	refused refusals

	manners  time.Duration // between requests to arXiv
	crashing crashing      // nothing, but under the crash harness
	tagging  sync.Mutex    // guards tagger
	tagger   *tag.Tagger   // built at first use: see tags
}

// open reads the configuration and opens the database. The caller closes the world.
func (a *app) open(ctx context.Context) (*world, error) {
	cfg, err := loadConfigFromProcess()
	if err != nil {
		return nil, err
	}
	return a.openWith(ctx, cfg)
}

func (a *app) openWith(ctx context.Context, cfg config) (*world, error) {
	db, err := store.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return nil, hinted(err, cmp.Or(storeHint(err), prefix+"DATABASE_URL says where the database is; check that the place exists and may be written"))
	}
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	client := fetch.New(fetch.Options{
		UserAgent:    "Seedcorn/" + buildVersion(),
		Contact:      cfg.Contact,
		AllowPrivate: cfg.AllowPrivate,
	})
	hubs, err := hub.New(client, hub.Options{
		HuggingFace: cfg.HuggingFace, HuggingFaceToken: hub.Secret(cfg.HFToken.reveal()),
		GitHub: cfg.GitHub, GitHubToken: hub.Secret(cfg.GitHubToken.reveal()),
		OpenAlex: cfg.OpenAlex, OpenAlexKey: hub.Secret(cfg.OpenAlexKey.reveal()),
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ring, err := vault.Parse(cfg.SecretKey.reveal())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	manners := arxiv.Spacing
	if d, err := time.ParseDuration(os.Getenv(testManners)); err == nil {
		manners = d
	}
	crash, err := newCrashing()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if a.follows {
		a.now = db.Now
	}
	return &world{
		crashing: crash, now: func() time.Time { return a.now() },
		client: client, hub: hubs, cfg: cfg, db: db, ring: ring, reg: registry.Default(), log: newLogger(a.errs, cfg), zone: zone, manners: manners,
	}, nil
}

// testManners shortens the wait at arXiv's gate for tests that ask a stand-in on
// loopback hundreds of times. It is not for operators: arXiv's limit is arXiv's.
const testManners = foreign + "MANNERS"

// storeHint says what to do about a failure of the database; "" if there is nothing
// to say.
func storeHint(err error) string {
	switch {
	case errors.Is(err, store.ErrNewer):
		return "a newer seedcorn has used this database; run that one, or restore a backup"
	case errors.Is(err, store.ErrBusy):
		return "another program holds the database; stop it, or wait and try again"
	case errors.Is(err, store.ErrFull):
		return "make room on that disk and try again; nothing was stored by halves"
	case errors.Is(err, store.ErrReadOnly):
		return "the file or its directory may not be written by this user"
	case errors.Is(err, store.ErrDamaged):
		return "move the file away, or restore a backup over it"
	}
	return ""
}

func (w *world) close() error { return w.db.Close() }

// do runs f with a world and closes it.
func (a *app) do(ctx context.Context, f func(context.Context, *world) error) error {
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	err = f(ctx, w)
	if hint := storeHint(err); hint != "" {
		err = hinted(err, hint)
	}
	return errors.Join(err, w.close())
}

func (w *world) bases() catalog.Bases {
	return catalog.Bases{ArXivRSS: w.cfg.ArXivRSS, ArXivAPI: w.cfg.ArXivAPI, HuggingFace: w.cfg.HuggingFace, GitHubAPI: w.cfg.GitHub}
}

// seeded is what the database remembers once a list of sources has begun: the
// starter list is offered to an empty one only, and never forced on a list that its
// operator began or emptied.
const seeded = "sources"

// seed puts the starter list into a database in which no list has begun, and the
// starter topics beside it.
func (w *world) seed(ctx context.Context) error {
	if err := w.seedTopics(ctx); err != nil {
		return err
	}
	begun, err := w.db.Meta(ctx, seeded)
	if err != nil || begun != "" {
		return err
	}
	return w.addStarter(ctx)
}

func (w *world) addStarter(ctx context.Context) error {
	if err := w.db.PutSources(ctx, w.bases().Sources()); err != nil {
		return err
	}
	return w.db.SetMeta(ctx, seeded, "starter")
}

// begin notes that the operator has begun a list, and reports whether it is the
// first thing in it.
func (w *world) begin(ctx context.Context) (first bool, err error) {
	begun, err := w.db.Meta(ctx, seeded)
	if err != nil || begun != "" {
		return false, err
	}
	return true, w.db.SetMeta(ctx, seeded, "own")
}

// slow are the kinds of source that wait for arXiv's gate.
var slow = map[feeds.SourceKind]bool{feeds.KindArXiv: true, feeds.KindArXivQuery: true}

// gate is arXiv's, shared by every process on the database.
func (w *world) gate() feeds.Gate {
	return w.db.Gate(map[string]time.Duration{arxiv.GateKey: w.manners})
}

// collectors say who reads which kind of source.
func (w *world) collectors() map[feeds.SourceKind]feeds.Collector {
	refine := map[feeds.SourceKind]fetch.Refiner{feeds.KindArXiv: arxiv.Refine, feeds.KindArXivQuery: arxiv.Refine}
	feed := fetch.NewCollector(w.client, refine)
	papers := arxiv.Collector{Feed: feed, Gate: w.gate()}
	hubs := hub.Collector{Client: w.hub}
	return map[feeds.SourceKind]feeds.Collector{
		feeds.KindFeed: feed, feeds.KindReleases: feed,
		feeds.KindArXiv: papers, feeds.KindArXivQuery: papers,
		feeds.KindHuggingFace: hubs, feeds.KindDailyPapers: hubs, feeds.KindGitHub: hubs,
	}
}

// tags returns the tagger, which knows the registry and whatever organizations
// were imported into the database.
func (w *world) tags(ctx context.Context) (*tag.Tagger, error) {
	w.tagging.Lock()
	defer w.tagging.Unlock()
	if w.tagger != nil {
		return w.tagger, nil
	}
	orgs, err := w.db.Organizations(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading organizations: %w", err)
	}
	w.tagger = tag.New(w.reg, tag.WithOrganizations(func(yield func(tag.Organization) bool) {
		for _, l := range orgs {
			if !yield(tag.Organization{
				ID: l.ID, Name: l.Name, Aliases: l.Aliases, Acronyms: l.Ambiguous, Domains: l.Domains, Country: l.At(time.Time{}).Home, Kind: l.Kind,
			}) {
				return
			}
		}
	}))
	return w.tagger, nil
}

func (w *world) puller(ctx context.Context, progress func(jobs.Progress)) (*jobs.Puller, error) {
	t, err := w.tags(ctx)
	if err != nil {
		return nil, err
	}
	return &jobs.Puller{Shelf: w.db, Collectors: w.collectors(), Tag: t.Tag, Slow: slow, Progress: progress, Now: w.now}, nil
}

// pullAll visits sources once, with a step of progress for each.
func (w *world) pullAll(ctx context.Context, sources []feeds.Source, step func(note string)) (jobs.Round, error) {
	p, err := w.puller(ctx, func(pr jobs.Progress) { step(pr.Source.Title) })
	if err != nil {
		return jobs.Round{}, err
	}
	// Parsing makes garbage at a rate that lets the heap double between collections.
	// Collecting twice as often costs a twelfth of the time and saves a seventh of the
	// memory.
	defer thrift()()
	r, err := p.Pull(ctx, sources)
	w.visited(r)
	return r, err
}

// thrifty counts the rounds that are running: what the first has set, the last takes back.
var thrifty struct {
	sync.Mutex
	rounds, before int
}

func thrift() (done func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	t := &thrifty
	t.Lock()
	defer t.Unlock()
	if t.rounds++; t.rounds == 1 {
		t.before = debug.SetGCPercent(50)
	}
	return func() {
		t.Lock()
		defer t.Unlock()
		if t.rounds--; t.rounds == 0 {
			debug.SetGCPercent(t.before)
		}
	}
}

// names tells the query language what it must ask others about.
func (w *world) names(ctx context.Context) query.Names {
	return query.Names{
		Country: w.reg.ParseCountry,
		Group: func(s string) ([]feeds.Country, bool) {
			r, ok := registry.ParseRollUp(s)
			return r.Members, ok
		},
		Lab: func(s string) ([]feeds.LabID, bool) {
			if l, ok := w.reg.Lab(feeds.LabID(s)); ok {
				return []feeds.LabID{l.ID}, true
			}
			if strings.HasPrefix(s, "ror:") {
				return []feeds.LabID{feeds.LabID(s)}, true
			}
			var ids []feeds.LabID
			for _, l := range w.reg.Find(s) {
				ids = append(ids, l.ID)
			}
			return ids, len(ids) > 0
		},
		License: func(s string) (string, bool) {
			l, ok := w.reg.License(s)
			return l.ID, ok
		},
		Topic: func(name string) (string, bool) {
			t, err := w.db.Topic(ctx, strings.ToLower(name))
			return t.Query, err == nil
		},
		Suggest: func(field, value string) []string {
			var names []string
			if field == "topic" {
				topics, err := w.db.Topics(ctx)
				if err != nil {
					return nil // there is a fault to tell without them
				}
				for _, t := range topics {
					names = append(names, t.Name)
				}
			}
			return bot.Suggest(field, value, names)
		},
		Show: func(field, value string) string {
			switch field {
			case "country":
				return w.reg.CountryName(feeds.Country(value))
			case "lab":
				if l, ok := w.reg.Lab(feeds.LabID(value)); ok {
					return l.Name
				}
			}
			return ""
		},
	}
}

// parse reads a query and turns its error into one with a caret below it.
func (w *world) parse(ctx context.Context, text string, now time.Time) (query.Query, error) {
	q, err := query.Parse(text, w.names(ctx), now)
	var syntax *query.SyntaxError
	if errors.As(err, &syntax) {
		hint := syntax.Hint
		if hint == "" {
			hint = "seedcorn help query shows the language"
		}
		return q, &usageError{fmt.Errorf("query, column %d: %s\n\n%s", syntax.Col, syntax.Msg, syntax.Caret(text)), hint}
	}
	return q, err
}

// meter shows how far long work is: a bar where stderr is a terminal, a plain
// line now and then elsewhere. Its step must be called from one goroutine.
func (a *app) meter(total int, what string) (step func(note string), done func()) {
	n := 0
	set, done := a.gauge(total, what)
	return func(note string) {
		n++
		set(n, note)
	}, done
}

// gauge is a meter that is told how much is done.
func (a *app) gauge(total int, what string) (set func(n int, note string), done func()) {
	if isTerminal(a.errs) {
		bar := progressbar.NewOptions(total,
			progressbar.OptionSetWriter(a.errs), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(65*time.Millisecond), progressbar.OptionClearOnFinish())
		return func(n int, note string) {
			if note != "" {
				bar.Describe(fmt.Sprintf("%s %-28.28s", what, note))
			}
			_ = bar.Set(n) // a bar that cannot be drawn stops no work
		}, func() { _ = bar.Finish() }
	}
	last := time.Now()
	return func(n int, _ string) {
		if time.Since(last) >= 10*time.Second {
			last = time.Now()
			fmt.Fprintf(a.errs, "%s %d of %d\n", what, n, total)
		}
	}, func() {}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is the width of the terminal, within what reads well.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return min(max(n, 40), 110)
		}
	}
	return 88
}

// useColor follows https://no-color.org.
func useColor(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }

// sourceHealth is every source's health with the country of its lab, as the small
// print wants it.
func (w *world) sourceHealth(ctx context.Context) ([]digest.SourceHealth, error) {
	hs, err := w.db.SourceHealth(ctx)
	for i, h := range hs {
		if l, ok := w.reg.Lab(h.Lab); ok {
			hs[i].Country = l.At(time.Time{}).Home
		}
	}
	return hs, err
}
