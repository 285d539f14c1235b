package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/digest/jobs"
	"seedcorn/feeds"
)

func (a *app) pullCommand() *cobra.Command {
	var asJSON, due bool
	c := &cobra.Command{
		Use:   "pull",
		Short: "visit every source once and store what is new",
		Long: `Visit every source that is not paused once and store what is new. A source that
cannot be read is named, and stops nobody else.

Exit status: 0 unless nothing could be reached.`,
		Example: "  seedcorn pull\n  seedcorn pull --due --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error { return a.pull(ctx, w, due, asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	c.Flags().BoolVar(&due, "due", false, "visit only sources that are due")
	return c
}

func (a *app) pull(ctx context.Context, w *world, due, asJSON bool) error {
	if err := w.seed(ctx); err != nil {
		return err
	}
	var sources []feeds.Source
	var err error
	if due {
		sources, err = w.db.DueSources(ctx, a.now())
	} else {
		sources, err = w.db.Sources(ctx)
	}
	if err != nil {
		return err
	}
	visit := sources[:0:0]
	for _, s := range sources {
		if !s.Paused && !s.Gone {
			visit = append(visit, s)
		}
	}
	step, done := a.meter(len(visit), "pulling")
	round, err := w.pullAll(ctx, visit, step)
	done()
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(a.out).Encode(roundJSON(round))
	} else {
		printRound(a.out, a.errs, round)
	}
	if err != nil {
		return err
	}
	if round.Sources > 0 && len(round.Failed) == round.Sources {
		return hinted(fmt.Errorf("none of %d sources could be reached", round.Sources), "check the network; seedcorn sources check says what each source answers")
	}
	return nil
}

func printRound(out, errs io.Writer, r jobs.Round) {
	for _, f := range r.Failed {
		fmt.Fprintf(errs, "could not read %v\n", f.Err)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(errs, "left out of %s: %v\n", f.Source.ID, f.Err)
	}
	fmt.Fprintf(out, "%s: %d with news, %d unchanged, %d not readable\n", bot.Count(r.Sources, "source"), r.Brought, r.Unchanged, len(r.Failed))
	fmt.Fprintf(out, "%s stored: %s, %d joined a known work, %s, %s merged, %d revisions or new licenses\n",
		bot.Count(r.Items, "entry"), bot.Count(r.Works, "new work"), r.Joined, bot.Count(r.Edited, "edit"), bot.Count(r.Merged, "work"), r.Changes)
}

func roundJSON(r jobs.Round) map[string]any {
	failed := []map[string]string{}
	for _, f := range r.Failed {
		failed = append(failed, map[string]string{"source": string(f.Source.ID), "error": f.Err.Error()})
	}
	return map[string]any{
		"sources": r.Sources, "unchanged": r.Unchanged, "brought": r.Brought, "failed": failed,
		"items": r.Items, "works": r.Works, "joined": r.Joined, "edited": r.Edited, "merged": r.Merged, "changes": r.Changes,
	}
}
