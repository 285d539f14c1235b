package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/bot/slack"
	"seedcorn/bot/terminal"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/digest/store"
	"seedcorn/feeds"
)

// terminal is the terminal as a platform.
func (a *app) terminal(parse func(string) (string, map[string]string, error)) *terminal.Adapter {
	return &terminal.Adapter{
		In: a.in, Out: a.out, Parse: parse, Text: message.TextOptions{Width: columns(a.out), Color: useColor(a.out)},
		Asker: bot.Person{ID: author(), Name: author(), Manages: true},
	}
}

func (a *app) serveCommand() *cobra.Command {
	var roles []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "run: read what is due, tell every subscription when it is due, answer in chats, show the archive",
		Long: `Run until interrupted. Every few seconds it looks into the database for what is due:
sources to visit, questions to ask, digests to compose, messages to post. What was due
while it was down is caught up with; digests that were missed are merged into one.
Without a chat configured each digest is written to the terminal.

At ` + prefix + `LISTEN are the pages of the archive (for this machine only, unless
` + prefix + `WEB says otherwise), /healthz, which answers while the process runs, and
/readyz, which answers while the database takes what is written, too.

Several processes may serve one database, with all roles or with some: each thing that
is due is done by one of them, and what one that was killed had begun is done by the
others within half a minute. The roles:

` + rolesHelp() + `
An interrupt lets what runs finish within ten seconds; a second one ends at once.`,
		Example: "  seedcorn serve\n  seedcorn serve --role pull,enrich\n  seedcorn serve --role compose,deliver,bot,web,maintain",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("role") && len(roles) == 0 {
				return usagef("the roles are "+strings.Join(roleNames(), ", ")+"; without --role a process has them all", "--role names none")
			}
			has, err := parseRoles(roles)
			if err != nil {
				return err
			}
			err = a.do(c.Context(), func(ctx context.Context, w *world) error { return a.serve(ctx, w, has) })
			if c.Context().Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
				return nil // it was told to stop before it had begun
			}
			return err
		},
	}
	c.Flags().StringSliceVar(&roles, "role", nil, "what this process does, separated by commas (default: everything)")
	complete(c, "role", roleNames()...)
	return c
}

// The roles of a process that are not background work.
const (
	roleBot = "bot"
	roleWeb = "web"
)

// allRoles are what a process may do, with a word on each.
var allRoles = []struct{ name, about string }{
	{string(jobs.RolePull), "visits sources"},
	{string(jobs.RoleEnrich), "looks up what they did not say"},
	{string(jobs.RoleCompose), "composes digests"},
	{string(jobs.RoleDeliver), "posts them"},
	{roleBot, "answers commands in chats"},
	{roleWeb, "serves the pages of the archive"},
	{string(jobs.RoleMaintain), "tidies up once a day; at least one process should have it"},
}

func roleNames() (names []string) {
	for _, r := range allRoles {
		names = append(names, r.name)
	}
	return names
}

func rolesHelp() string {
	var b strings.Builder
	for _, r := range allRoles {
		fmt.Fprintf(&b, "  %-9s %s\n", r.name, r.about)
	}
	return b.String()
}

// roleSet is what one process does.
type roleSet map[string]bool

func parseRoles(words []string) (roleSet, error) {
	has := roleSet{}
	for _, word := range words {
		word = strings.ToLower(strings.TrimSpace(word))
		if !slices.Contains(roleNames(), word) {
			return nil, usagef("the roles are "+strings.Join(roleNames(), ", "), "no role %q", word)
		}
		has[word] = true
	}
	if len(words) == 0 {
		for _, name := range roleNames() {
			has[name] = true
		}
	}
	return has, nil
}

// work is the background work among the roles.
func (has roleSet) work() (roles []jobs.Role) {
	for _, r := range jobs.Roles {
		if has[string(r)] {
			roles = append(roles, r)
		}
	}
	return roles
}

func (has roleSet) String() string {
	return strings.Join(slices.DeleteFunc(roleNames(), func(name string) bool { return !has[name] }), ",")
}

func (a *app) serve(ctx context.Context, w *world, has roleSet) error {
	if err := w.seed(ctx); err != nil {
		return err
	}
	if !w.cfg.chats() {
		if err := w.seedSubscription(ctx, a.now()); err != nil {
			return err
		}
	}
	if at, err := w.db.MovedAway(ctx); err != nil {
		return err
	} else if !at.IsZero() {
		w.log.Warn("this database was moved to another one: a seedcorn on that one says everything, too", "since", at)
	}
	listener, err := net.Listen("tcp", w.cfg.Listen)
	if err != nil {
		return hinted(fmt.Errorf("listening on %s: %w", w.cfg.Listen, err), "another seedcorn may be running; "+prefix+"LISTEN chooses another address")
	}
	router := bot.NewRouter(desk{w, a.now}, w.log)
	platforms, err := a.platforms(w, router)
	if err != nil {
		return err
	}
	if s, ok := platforms[slack.Name].(*slack.Adapter); ok {
		a.tidyWorkspaces(ctx, w, s)
	}
	if to, ok := w.cfg.operator(); ok && has[string(jobs.RoleMaintain)] && platforms[to.Platform] == nil {
		return usagef("set its token, or name a channel of a platform that is configured", "%sOPERATOR: no platform %q is configured", prefix, to.Platform)
	}
	engine, err := a.engine(ctx, w, platforms, has)
	if err != nil {
		return err
	}
	mux := healthPage(w, engine.Rung, engine.Fault)
	if has[roleBot] {
		platforms.mount(mux, router)
	}
	if has[roleWeb] {
		if pages := a.pages(w, platforms); pages != nil {
			mux.Handle("/", pages)
			defer pages.Close()
			pages.Warm()
		}
	}
	server := newServer(a.measure(w, router, platforms, mux, engine.Rung))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	w.log.Info("serving", "at", "http://"+listener.Addr().String()+"/", "roles", has.String(), "process", engine.Process.ID, "version", buildVersion())

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("health page ended", "error", err)
			stop()
		}
	}()
	talking := &sync.WaitGroup{}
	if has[roleBot] {
		talking = platforms.talk(ctx, w, router)
	}
	if has[string(jobs.RoleMaintain)] {
		talking.Go(func() { w.note(ctx, "looking after itself", a.lookAfter(ctx, w, platforms)) })
	}
	defer context.AfterFunc(ctx, func() { w.log.Info("stopping") })()
	err = engine.Run(ctx)
	talking.Wait()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(grace))
}

// engine ties the background work to the store, the collectors and the platforms.
func (a *app) engine(ctx context.Context, w *world, platforms places, has roleSet) (*jobs.Engine, error) {
	host, _ := os.Hostname() // for people
	e := &jobs.Engine{
		Base: w.jobs(), Agenda: w.crashing.agenda(w.db), Roles: has.work(), Now: a.now, Log: w.log,
		Process: digest.Process{Roles: has.String(), Host: host, Version: buildVersion()},
		Pull: func(ctx context.Context, sources []feeds.Source) (jobs.Round, error) {
			return w.pullAll(ctx, sources, func(string) {})
		},
		Gated: slow, Errands: w.errands(a, platforms), Hint: w.unwritable,
		Editions: w.editions(a, platforms), Deliveries: w.deliveries(a, platforms),
		Idle: func(ctx context.Context) {
			w.note(ctx, "resting", w.db.Rest(ctx))
			debug.FreeOSMemory() // a round takes many times what the wait for the next one needs
		},
	}
	e.Chores = []jobs.Chore{{Name: "retention", Do: func(ctx context.Context, _ time.Time) error {
		_, err := w.retain(ctx, a)
		return err
	}}}
	if w.cfg.Lookups {
		e.Enrich = func(ctx context.Context, limit int) (int, error) { return w.lookUp(ctx, a.now(), limit, nil) }
	}
	w.crashing.hurry(e)
	if err := w.prepareJobs(ctx); err != nil {
		return nil, err
	}
	if err := e.Prepare(); err != nil {
		return nil, err
	}
	w.db.Outgoing(e.Outgoing)
	return e, nil
}

// unwritable says what to do about a database that takes no writes; "" if an error says
// something else.
func (w *world) unwritable(err error) string {
	switch {
	case errors.Is(err, store.ErrReadOnly) && w.db.Engine() == "postgres":
		return "the server takes no writes: it is a standby, or it was told so; name all servers and target_session_attrs=read-write in " + prefix + "DATABASE_URL. It goes on by itself"
	case errors.Is(err, store.ErrReadOnly):
		return storeHint(err) + ". It goes on by itself once it may"
	case errors.Is(err, store.ErrFull):
		return "make room on the disk of the database. It goes on by itself; nothing was stored by halves"
	}
	return ""
}

// errands are what is due besides messages and needs a platform.
func (w *world) errands(a *app, platforms places) []jobs.Errand {
	all := []jobs.Errand{{Name: "tell", Run: w.notices(a, platforms).Run}}
	if p := w.publications(a, platforms); len(p.Publishers) > 0 {
		all = append(all, jobs.Errand{Name: "publish", Run: p.Run})
	}
	if m := w.amendments(a, platforms); len(m.Menders) > 0 {
		all = append(all, jobs.Errand{Name: "amend", Run: m.Run})
	}
	return all
}

// jobs is where jobs are kept: beside everything else.
func (w *world) jobs() jobs.Base { return jobs.Base{Pool: w.db.Pool(), Engine: w.db.Engine()} }

// prepareJobs makes the tables of jobs, which only serve and jobs need.
func (w *world) prepareJobs(ctx context.Context) error {
	err := w.db.Also(ctx, w.jobs().Migrate)
	if errors.Is(err, jobs.ErrNewer) {
		return hinted(err, storeHint(store.ErrNewer))
	}
	return err
}

// note logs a failure: the next ring finds what was left undone.
func (w *world) note(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		w.log.Error(what, "error", err)
	}
}

// editions ties composing to the store and the platforms.
func (w *world) editions(a *app, platforms places) *jobs.Editions {
	return &jobs.Editions{
		Ledger: countedLedger{w.crashing.ledger(w.db), w}, Passes: store.Failed,
		// A channel that votes has a ranking of its own.
		Apart: func(ctx context.Context, sub digest.Subscription) (string, error) {
			votes, err := w.db.Votes(ctx, sub.Destination)
			if err != nil || len(votes) == 0 {
				return "", err
			}
			to := sub.Destination
			return to.Platform + "/" + to.Workspace + "/" + to.Channel, nil
		},
		Compose: func(ctx context.Context, sub digest.Subscription, period digest.Period, missed int) (digest.Digest, error) {
			d, err := w.composeFor(ctx, sub.Destination, titleOf(sub, period), sub.Query, period, digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}, a.now())
			d.Merged = missed
			return d, err
		},
		Render: func(sub digest.Subscription, d digest.Digest) ([]digest.Part, error) {
			return platforms.render(sub.Destination, w.posted(sub.Destination, d))
		},
	}
}

// laneTurn is how long a lane is worked on without a look at anything else, such as
// whether we are to stop.
const laneTurn = 2 * time.Second

// deliveries ties the outbox to the platforms.
func (w *world) deliveries(a *app, platforms places) *jobs.Deliveries {
	d := &jobs.Deliveries{
		Outbox: w.crashing.outbox(w.db), Couriers: map[string]jobs.Courier{}, Now: a.now, Turn: laneTurn,
		Note: func(d digest.Delivery, o digest.Outcome) {
			w.delivered(context.Background(), d, o)
			w.log.Info("delivery", "delivery", d.ID, "digest", d.Digest, "subscription", d.Subscription, "platform", d.To.Platform, "part", d.Part, "attempt", d.Attempt, "state", o.State, "words", o.Words)
		},
	}
	d.Refusals = &jobs.Refusals{
		Register: w.db, Now: a.now, Word: platforms.refused,
		Note: func(f digest.Refusal, told bool, err error) {
			log := w.log.With("subscription", f.Subscription.ID, "platform", f.Subscription.Destination.Platform, "why", f.Because, "owner_told", told)
			if err != nil {
				log = log.With("error", err)
			}
			log.Warn("subscription paused")
		},
	}
	for name, p := range platforms {
		d.Couriers[name] = w.crashing.courier(courier{p, w})
	}
	return d
}

// refused words what a subscription's owner is told when it was paused: directly, on
// the same platform. Where it is the direct messages themselves that are refused, it is
// said where the owner asked for them. There is no way where the platform has none,
// nobody owns it, or the direct messages were asked for in direct messages.
func (p places) refused(f digest.Refusal) (to digest.Destination, parts []digest.Part, err error) {
	sub := f.Subscription
	if sub.Destination.Direct && sub.Asked != (digest.Destination{}) && sub.Asked != sub.Destination {
		parts, err = p.render(sub.Asked, bot.Shut(sub))
		return sub.Asked, parts, err
	}
	c, ok := p[sub.Destination.Platform].(bot.Correspondent)
	if !ok || sub.Owner == "" || sub.Destination.Direct {
		return to, nil, nil
	}
	to = c.Direct(sub.Destination.Workspace, sub.Owner)
	parts, err = p.render(to, bot.Paused(sub, f.Because))
	return to, parts, err
}

// A courier is a platform as delivering sees it.
type courier struct {
	platform bot.Platform
	w        *world
}

func (c courier) Pace() digest.Pace {
	if p, ok := c.platform.(bot.Pacer); ok {
		return p.Pace()
	}
	return digest.Pace{}
}

func (c courier) Post(ctx context.Context, d digest.Delivery) (string, error) {
	receipt, err := c.platform.Post(ctx, d.To, bot.DeliveryID(d.ID), bot.Part{Payload: d.Payload, Summary: d.Summary}, bot.Receipt(d.First))
	var e *bot.PostError
	if errors.As(err, &e) && e.Fate == bot.FateRetry && e.After > 0 {
		c.w.metrics.Limited(d.To.Platform)
	}
	return string(receipt), failedPost(err)
}

func (c courier) Find(ctx context.Context, d digest.Delivery) (string, bool, error) {
	receipt, ok, err := c.platform.Find(ctx, d.To, bot.DeliveryID(d.ID), d.Begun)
	if errors.Is(err, bot.ErrCannotLook) {
		return "", false, jobs.ErrCannotLook
	}
	return string(receipt), ok, failedPost(err)
}

// titleOf names a digest by what its reader would call the period.
func titleOf(sub digest.Subscription, p digest.Period) string {
	title := "Open research"
	switch days := p.To.Sub(p.From).Hours() / 24; {
	case days <= 1.1:
		title = "Today in open research"
	case days <= 8:
		title = "This week in open research"
	case days <= 32:
		title = "This month in open research"
	}
	if name, ok := strings.CutPrefix(sub.Query, "topic:"); ok {
		title += ": " + name
	}
	return title
}

// seedSubscription gives a new database the one subscription that needs no chat:
// everything, weekly, to the terminal, beginning with the week before.
func (w *world) seedSubscription(ctx context.Context, now time.Time) error {
	subs, err := w.db.Subscriptions(ctx)
	if err != nil || len(subs) > 0 {
		return err
	}
	sub, err := w.newSubscription("", w.cfg.Cadence, w.cfg.Zone, now)
	if err != nil {
		return err // the configuration was checked
	}
	return w.db.PutSubscription(ctx, sub)
}

func (w *world) newSubscription(query, cadence, zone string, now time.Time) (digest.Subscription, error) {
	c, err := jobs.ParseCadence(cadence, zone)
	if err != nil {
		return digest.Subscription{}, err
	}
	return digest.Subscription{
		ID: digest.NewSubscriptionID(), Destination: digest.Destination{Platform: terminal.Name},
		Query: query, Cadence: c.String(), Zone: zone, Owner: author(), Created: now.UTC(),
		Cursor: now.Add(-7 * 24 * time.Hour).UTC(), Next: c.Next(now),
	}, nil
}

// destinationWords name a destination as SEEDCORN_OPERATOR and SEEDCORN_EDITORS do.
func destinationWords(d digest.Destination) string {
	var parts []string
	for _, p := range []string{d.Workspace, d.Channel} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return d.Platform
	}
	return d.Platform + ":" + strings.Join(parts, "/")
}

func (a *app) subscriptionsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "subscriptions", Short: "who is told what, and when", Args: cobra.NoArgs,
		Example: "  seedcorn subscriptions\n  seedcorn subscriptions add 'country:EU openness>=open-weights' --cadence 'Fridays at 16' --zone Europe/Paris",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				subs, err := w.db.Subscriptions(ctx)
				if err != nil {
					return err
				}
				t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "ID\tTO\tQUERY\tCADENCE\tZONE\tOWNER\tNEXT\tLAST")
				for _, s := range subs {
					zone, err := time.LoadLocation(s.Zone)
					if err != nil {
						zone = time.UTC // this machine does not know it
					}
					next := s.Next.In(zone).Format("Mon 2 Jan 15:04 MST")
					if s.PausedUntil.After(a.now()) {
						next = "paused"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, destinationWords(s.Destination), orWord(s.Query, "everything"), bot.CadenceWords(s.Cadence), s.Zone, s.Owner, next, orWord(s.LastResult, "-"))
				}
				return t.Flush()
			})
		},
	}
	var cadence, zone string
	add := &cobra.Command{
		Use: "add [QUERY]", Short: "subscribe the terminal to a query or topic:NAME", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				text := strings.Join(args, " ")
				q, err := w.parse(ctx, text, a.now())
				if err != nil {
					return err
				}
				if zone == "" {
					zone = w.cfg.Zone
				}
				sub, err := w.newSubscription(text, cadence, zone, a.now())
				if err != nil {
					return usagef("such as --cadence 'Mondays at 9' --zone Europe/Paris", "%v", err)
				}
				if err := w.db.PutSubscription(ctx, sub); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "subscribed (%s): %s; next %s\n", sub.ID, q.Explain(), sub.Next.Format("Mon 2 Jan 2006 15:04 MST"))
				return err
			})
		},
	}
	add.Flags().StringVar(&cadence, "cadence", "weekly", "weekly, daily, weekdays, monthly, 'Mondays at 9', or five cron fields")
	add.Flags().StringVar(&zone, "zone", "", "IANA time zone (default: "+prefix+"ZONE)")
	var query, newCadence, newZone string
	edit := &cobra.Command{
		Use: "edit ID", Short: "change what a subscription is about, or when it is due", Args: cobra.ExactArgs(1),
		Long: `Change the query, the cadence or the zone of a subscription, whoever's it is. What it
was told stays told: its next digest begins where the last one ended, and comes at the
first time that the new cadence names.`,
		Example: "  seedcorn subscriptions edit s2f4k6 --cadence 'Fridays at 16'\n  seedcorn subscriptions edit s2f4k6 --query 'country:CN' --zone Asia/Shanghai",
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				changed := c.Flags().Changed
				if !changed("query") && !changed("cadence") && !changed("zone") {
					return usagef("--query, --cadence or --zone says what is to change", "nothing is to be changed")
				}
				sub, err := w.db.Subscription(ctx, digest.SubscriptionID(args[0]))
				if err != nil {
					return hinted(err, "seedcorn subscriptions lists the ids")
				}
				if changed("query") {
					if _, err := w.parse(ctx, query, a.now()); err != nil {
						return err
					}
					sub.Query = query
				}
				if changed("cadence") {
					sub.Cadence = newCadence
				}
				if changed("zone") {
					sub.Zone = newZone
				}
				due, err := jobs.ParseCadence(sub.Cadence, sub.Zone)
				if err != nil {
					return usagef("such as --cadence 'Mondays at 9' --zone Europe/Paris", "%v", err)
				}
				if changed("cadence") || changed("zone") {
					sub.Cadence, sub.Next = due.String(), due.Next(a.now())
				}
				if err := w.db.ChangeSubscription(ctx, sub); err != nil {
					return err
				}
				q, err := w.parse(ctx, sub.Query, a.now())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "changed (%s): %s; next %s\n", sub.ID, q.Explain(), sub.Next.Format("Mon 2 Jan 2006 15:04 MST"))
				return err
			})
		},
	}
	edit.Flags().StringVar(&query, "query", "", "a query or topic:NAME")
	edit.Flags().StringVar(&newCadence, "cadence", "", "weekly, daily, weekdays, monthly, 'Mondays at 9', or five cron fields")
	edit.Flags().StringVar(&newZone, "zone", "", "IANA time zone")
	remove := &cobra.Command{
		Use: "remove ID…", Short: "end subscriptions", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				for _, id := range args {
					if err := w.db.DeleteSubscription(ctx, digest.SubscriptionID(id)); err != nil {
						return hinted(err, "seedcorn subscriptions lists the ids")
					}
					fmt.Fprintln(a.out, "ended", id)
				}
				return nil
			})
		},
	}
	c.AddCommand(add, edit, remove)
	return c
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// healthPage answers probes and people.
func healthPage(w *world, rung func() time.Time, fault func() *jobs.Fault) *http.ServeMux {
	mux := http.NewServeMux()
	answer := func(rw http.ResponseWriter, status int, body map[string]any) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "no-store")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(body) // the client may have left
	}
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		answer(rw, http.StatusOK, map[string]any{"status": "ok", "version": buildVersion()})
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		if err := w.db.Ping(ctx); err != nil {
			w.log.Debug("not ready", "error", err) // who beats says so once
			answer(rw, http.StatusServiceUnavailable, map[string]any{"status": "the database does not answer"})
			return
		}
		if f := fault(); f != nil {
			answer(rw, http.StatusServiceUnavailable, map[string]any{"status": "the database cannot be written to", "since": f.Since.UTC(), "hint": f.Hint})
			return
		}
		answer(rw, http.StatusOK, map[string]any{"status": "ok", "last_round": rung()})
	})
	return mux
}

func (a *app) healthCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use: "health", Short: "ask a running seedcorn whether it is ready (for container health checks)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if url == "" {
				listen := defaultListen
				if cfg, err := loadConfigFromProcess(); err == nil {
					listen = cfg.Listen
				}
				host, port, err := net.SplitHostPort(listen)
				if err != nil {
					return usagef("host:port", "%sLISTEN: %v", prefix, err)
				}
				if host == "" || host == "0.0.0.0" || host == "::" {
					host = "127.0.0.1"
				}
				url = "http://" + net.JoinHostPort(host, port) + "/readyz"
			}
			ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return usagef("", "%v", err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return hinted(fmt.Errorf("asking: %w", err), "is seedcorn serve running?")
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				var said struct{ Status, Hint string }
				if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&said) != nil || said.Status == "" {
					return fmt.Errorf("not ready: HTTP %d", resp.StatusCode)
				}
				return hinted(fmt.Errorf("not ready: %s", said.Status), said.Hint)
			}
			_, err = fmt.Fprintln(a.out, "ready")
			return err
		},
	}
	c.Flags().StringVar(&url, "url", "", "the page to ask (default: /readyz at "+prefix+"LISTEN)")
	return c
}

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "copy the database while it is in use (SQLite)", Args: cobra.ExactArgs(1),
		Long: "Copy the database to FILE, which must not exist, while seedcorn runs. To restore,\nstop seedcorn and point " + prefix + "DATABASE_URL at the copy. For PostgreSQL use pg_dump.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				if err := w.db.Backup(ctx, args[0]); errors.Is(err, fs.ErrExist) {
					return hinted(err, "a backup is a new file: name one that is not there")
				} else if errors.Is(err, fs.ErrNotExist) {
					return hinted(err, "the folder must be there")
				} else if err != nil {
					return err
				}
				_, err := fmt.Fprintln(a.out, "copied to", args[0])
				return err
			})
		},
	}
}
