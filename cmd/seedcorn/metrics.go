package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/web"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/feeds"
)

func (a *app) grafanaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "grafana", Short: "a dashboard (JSON) of what /metrics shows, to be imported", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(web.Dashboard)
			return err
		},
	}
}

// measure begins to count, and shows at /metrics what was counted. It returns mux with
// its requests counted.
func (a *app) measure(w *world, router *bot.Router, platforms places, mux *http.ServeMux, lastRound func() time.Time) http.Handler {
	opt := web.MetricsOptions{
		Version: buildVersion(), Services: []string{"arxiv", "huggingface", "github", "openalex"}, Token: w.cfg.MetricsToken.reveal(), Now: a.now, Log: w.log,
		State: func(ctx context.Context) (web.State, error) { return w.state(ctx, a.now(), lastRound()) },
	}
	for name := range platforms {
		opt.Platforms = append(opt.Platforms, name)
	}
	for _, c := range router.Table() {
		opt.Commands = append(opt.Commands, c.Name)
	}
	w.metrics = web.NewMetrics(opt)
	router.Watch = func(ctx context.Context, inv bot.Invocation, o bot.Outcome, took time.Duration) {
		w.metrics.Commanded(inv.Command, inv.Place.Platform, string(o), took)
		w.log.InfoContext(ctx, "command", "invocation", inv.ID, "command", inv.Command, "platform", inv.Place.Platform, "workspace", inv.Place.Workspace, "outcome", o, "took", took)
	}
	mux.Handle("/metrics", w.metrics)
	return w.metrics.Watch(mux)
}

// quietAfter is how long a source that answers has had nothing new when it counts as
// quiet.
const quietAfter = 60 * 24 * time.Hour

// state is what the database says of itself.
func (w *world) state(ctx context.Context, now, lastRound time.Time) (web.State, error) {
	v, err := w.db.Vitals(ctx)
	if err != nil {
		return web.State{}, err
	}
	health, err := w.db.SourceHealth(ctx)
	if err != nil {
		return web.State{}, err
	}
	s := web.State{
		Sources: map[string]int{"good": 0, "broken": 0, "quiet": 0, "paused": 0, "gone": 0, "new": 0}, Deliveries: map[web.PlatformState]int{}, Incidents: map[string]int{}, Amendments: map[string]int{}, Jobs: map[web.KindState]int{},
		Items: v.Items, Works: v.Works, Subscriptions: v.Subscriptions, Bytes: v.Bytes, LastRound: lastRound,
	}
	for _, h := range health {
		s.Sources[sourceState(h, now)]++
	}
	for k, n := range v.Deliveries {
		s.Deliveries[web.PlatformState{Platform: k.Platform, State: string(k.State)}] = n
	}
	amendments, err := w.db.Amendments(ctx)
	if err != nil {
		return web.State{}, err
	}
	for state, n := range amendments {
		s.Amendments[string(state)] = n
	}
	counts, err := w.jobs().Counts(ctx)
	if err != nil {
		return web.State{}, err
	}
	for _, n := range counts {
		s.Jobs[web.KindState{Kind: n.Kind, State: n.State}] = n.Jobs
	}
	for _, kind := range digest.IncidentKinds {
		s.Incidents[string(kind)] = v.Incidents[kind]
	}
	return s, nil
}

// sourceState is how a source is, in one word.
func sourceState(h digest.SourceHealth, now time.Time) string {
	switch {
	case h.Paused:
		return "paused"
	case h.Gone:
		return "gone"
	case h.LastLook.IsZero():
		return "new"
	case h.Failures > 0:
		return "broken"
	case now.Sub(h.LastItem) > quietAfter:
		return "quiet"
	}
	return "good"
}

// visited counts the visits of a round.
func (w *world) visited(r jobs.Round) {
	w.metrics.Visited("brought", r.Brought)
	w.metrics.Visited("unchanged", r.Unchanged)
	for _, f := range r.Failed {
		w.metrics.Visited(string(feeds.TroubleOf(f.Err)), 1)
	}
}

// delivered counts an attempt to post, and how late a message was.
func (w *world) delivered(ctx context.Context, d digest.Delivery, o digest.Outcome) {
	if w.metrics == nil {
		return
	}
	w.metrics.Delivered(d.To.Platform, string(o.State))
	if o.State != digest.Sent || d.Digest == "" {
		return
	}
	if due, err := w.db.DueOf(ctx, d.Digest); err == nil { // a digest that is gone is late for nobody
		w.metrics.Delayed(d.To.Platform, w.now().Sub(due))
	}
}

// A countedLedger counts what it is told of digests.
type countedLedger struct {
	jobs.Ledger
	w *world
}

func (c countedLedger) SaveDigest(ctx context.Context, sub digest.Subscription, d digest.Digest, next time.Time, parts ...digest.Part) (digest.DigestID, error) {
	id, err := c.Ledger.SaveDigest(ctx, sub, d, next, parts...)
	if err == nil {
		c.w.metrics.Composed("composed")
		c.w.log.InfoContext(ctx, "digest composed", "digest", id, "subscription", sub.ID, "platform", sub.Destination.Platform, "works", d.Numbers.Works)
	}
	return id, err
}

func (c countedLedger) Postpone(ctx context.Context, id digest.SubscriptionID, next time.Time, result string) error {
	err := c.Ledger.Postpone(ctx, id, next, result)
	if err == nil {
		c.w.metrics.Composed("postponed")
	}
	return err
}
