package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/digest"
	"seedcorn/feeds"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var format string
	c := &cobra.Command{
		Use:   "demo",
		Short: "see the main job with no token, no network and no set-up",
		Long: `Start a site on this machine that replays four weeks of real releases (real labs,
titles, ids and licenses; our own words; dates moved to the last four weeks), pull its
feeds as seedcorn pulls any, and print this week's digest. Then ask it things.

Nothing leaves this machine and nothing stays on it.`,
		Example: "  seedcorn demo\n  seedcorn demo --once --format html > digest.html",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(formats, format) {
				return usagef("one of text, markdown, html, json", "no format %q", format)
			}
			return a.demo(c.Context(), format, once)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "print the digest and exit")
	c.Flags().StringVar(&format, "format", "text", "text, markdown, html or json")
	complete(c, "format", formats...)
	return c
}

func (a *app) demo(ctx context.Context, format string, once bool) (err error) {
	now := a.now()
	site := demosite.New(now)
	base, stop, err := site.Start(ctx)
	if err != nil {
		return fmt.Errorf("starting the demo's site: %w", err)
	}
	defer stop()
	dir, err := os.MkdirTemp("", "seedcorn-demo-")
	if err != nil {
		return fmt.Errorf("making room for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := a.openWith(ctx, demoConfig(base, filepath.Join(dir, "demo.db")))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	w.manners = 20 * time.Millisecond // arXiv's three seconds are arXiv's; this site is our own

	sources := demosite.Sources(base)
	for _, s := range sources {
		if err := w.db.PutSource(ctx, s); err != nil {
			return err
		}
	}
	if err := w.seedTopics(ctx); err != nil {
		return err
	}
	fmt.Fprintf(a.errs, "Replaying four weeks of releases on %s\n", base)
	// The second visit finds what changed since the first: a license.
	for i := range 2 {
		if i > 0 {
			site.Advance()
		}
		step, done := a.meter(len(sources), "pulling")
		round, err := w.pullAll(ctx, sources, step)
		done()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.errs, "Visit %d: %s, %s, %s begun, %d joined a known work, %s; could not read %d\n",
			i+1, bot.Count(round.Sources, "source"), bot.Count(round.Items, "entry"), bot.Count(round.Works, "work"), round.Joined, bot.Count(round.Changes, "change"), len(round.Failed))
	}
	fmt.Fprintln(a.errs)
	period := digest.Period{From: now.Add(-7 * 24 * time.Hour), To: now.Add(time.Minute)}
	d, err := w.compose(ctx, "This week in open research", "", period, digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}, now)
	if err != nil {
		return err
	}
	if err := a.print(format, d); err != nil {
		return err
	}
	if once || !isTerminal(a.out) || format != "text" {
		return nil
	}
	return a.converse(ctx, w)
}

// demoConfig is a configuration that touches nothing but the demo's own site.
func demoConfig(base, path string) config {
	b := demosite.Bases(base)
	return config{
		DatabaseURL: "sqlite:" + path, AllowPrivate: true, Contact: "demo", Zone: "UTC", Cadence: "weekly",
		ArXivRSS: b.ArXivRSS, ArXivAPI: b.ArXivAPI, ArXivPages: b.ArXivRSS, HuggingFace: b.HuggingFace, GitHub: b.GitHubAPI, OpenAlex: base,
		Listen: defaultListen, Web: "loopback", LogFormat: "text", LogLevel: "warn",
	}
}

// converse answers commands and queries until an empty line or the end of input.
func (a *app) converse(ctx context.Context, w *world) error {
	address, stop, err := a.browse(w)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(a.out, "\nThe same in a browser: %s\n", address)
	fmt.Fprint(a.out, "\nAsk it: help, why ID, lab NAME, balance, or a query such as  country:CN openness>=open-weights\nAn empty line or quit ends.\n")
	router := bot.NewRouter(desk{w, a.now}, w.log)
	if err := a.terminal(router.Parse).Run(ctx, router); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, "\nFor the real feeds: seedcorn pull, then seedcorn digest.")
	return err
}
