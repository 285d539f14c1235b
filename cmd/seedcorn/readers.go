package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
)

func (a *app) readersCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "readers", Short: "private addresses of feeds, and shutting a reader out", Args: cobra.NoArgs,
		Long: `Who has signed in to the pages can make private addresses of feeds, for feed readers.
This lists those that hold. A person whom Slack says to be deactivated is shut out by
itself; with shut you can do so sooner, and on any platform: it ends the person's
sessions, and revokes their addresses. One who is still a member can sign in again.`,
		Example: "  seedcorn readers\n  seedcorn readers shut slack U012AB3CD",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				keys, err := w.db.FeedKeys(ctx, "", "", a.now())
				if err != nil {
					return err
				}
				if len(keys) == 0 {
					_, err := fmt.Fprintln(a.errs, "no private address holds; who signs in to the pages can make them")
					return err
				}
				t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "PLATFORM\tPERSON\tMADE\tUNTIL\tLAST READ\tWORKS")
				for _, k := range keys {
					read := "never"
					if !k.Read.IsZero() {
						read = k.Read.Format(time.DateOnly)
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Platform, k.Person, k.Made.Format(time.DateOnly), k.Until.Format(time.DateOnly), read, orWord(k.Query, "all"))
				}
				return t.Flush()
			})
		},
	}
	c.AddCommand(&cobra.Command{
		Use: "shut PLATFORM PERSON", Short: "end a person's sessions and private addresses", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				n, err := w.db.ShutOut(ctx, args[0], args[1], a.now())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "%s %s is signed out everywhere; %s revoked\n", args[0], args[1], bot.Count(n, "private address"))
				return err
			})
		},
	})
	return c
}
