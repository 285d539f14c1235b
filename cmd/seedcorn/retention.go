package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"seedcorn/digest"
	"seedcorn/digest/store"
)

func (a *app) retentionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "retention", Short: "how long is kept what is only of use for a while: show, set, run",
		Long: `serve removes once a day what is older than it is to be kept. Entries, works with
their events, and corrections are the record, and always kept; a message that is not
sent keeps its bytes, and a subscription its latest digest.

How long is a setting in the database, so that every process on it removes the same.`,
		Example: "  seedcorn retention show\n  seedcorn retention set payloads=90d digests=2y\n  seedcorn retention set digests=forever\n  seedcorn retention run",
	}
	show := func(r digest.Retention) error {
		for _, n := range digest.RetentionNames {
			if _, err := fmt.Fprintf(a.out, "%-10s %-8s %s\n", n[0], r.Of(n[0]), n[1]); err != nil {
				return err
			}
		}
		return nil
	}
	c.AddCommand(&cobra.Command{
		Use: "show", Short: "how long each is kept", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				r, err := w.db.Retention(ctx)
				if err != nil {
					return err
				}
				return show(r)
			})
		},
	}, &cobra.Command{
		Use: "set NAME=TIME…", Short: "keep something for 30d, 8w, 6mo, 2y or forever", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				r, err := w.db.Retention(ctx)
				if err != nil {
					return err
				}
				for _, arg := range args {
					name, value, ok := strings.Cut(arg, "=")
					if !ok {
						return usagef("such as payloads=90d", "%q is not NAME=TIME", arg)
					}
					if err := r.Set(name, value); err != nil {
						return usagef("such as payloads=90d; seedcorn retention show lists the names", "%v", err)
					}
				}
				if err := w.db.SetRetention(ctx, r); err != nil {
					return err
				}
				return show(r)
			})
		},
	}, &cobra.Command{
		Use: "run", Short: "remove now what serve would remove tonight", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				removed, err := w.retain(ctx, a)
				for _, n := range digest.RetentionNames {
					if removed[n[0]] > 0 {
						fmt.Fprintf(a.out, "%-10s %d\n", n[0], removed[n[0]])
					}
				}
				if err == nil && len(removed) == 0 {
					_, err = fmt.Fprintln(a.out, "nothing is older than it is to be kept")
				}
				return err
			})
		},
	})
	return c
}

// retain removes what is older than it is to be kept.
func (w *world) retain(ctx context.Context, a *app) (store.Removed, error) {
	r, err := w.db.Retention(ctx)
	if err != nil {
		return nil, err
	}
	removed, err := w.db.Retain(ctx, a.now(), r)
	n := 0
	for _, m := range removed {
		n += m
	}
	if n > 0 {
		w.log.InfoContext(ctx, "removed what is not to be kept any longer", "removed", n)
	}
	return removed, err
}
