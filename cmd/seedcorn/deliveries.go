package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"seedcorn/digest"
)

func (a *app) deliveriesCommand() *cobra.Command {
	var state string
	var limit int
	c := &cobra.Command{Use: "deliveries", Short: "messages on their way: list, show, retry, cancel"}
	list := &cobra.Command{
		Use: "list", Short: "deliveries, latest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				ds, err := w.db.Deliveries(ctx, digest.DeliveryState(state), limit)
				if err != nil {
					return err
				}
				ids := make([]digest.DeliveryID, len(ds))
				for i, d := range ds {
					ids[i] = d.ID
				}
				published, err := w.db.Publications(ctx, ids)
				if err != nil {
					return err
				}
				t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "ID\tSTATE\tTO\tPART\tATTEMPTS\tBEGUN\tWORDS")
				for _, d := range ds {
					fmt.Fprintf(t, "%s\t%s\t%s %s\t%d\t%d\t%s\t%s\n", d.ID, d.State, d.To.Platform, d.To.Channel, d.Part, d.Attempt, ago(d.Begun, a.now()), d.Words+publicationWords(published[d.ID]))
				}
				return t.Flush()
			})
		},
	}
	list.Flags().StringVar(&state, "state", "", "pending, sending, sent, unsure or dead")
	list.Flags().IntVar(&limit, "limit", 50, "how many at most")
	complete(list, "state", "pending", "sending", "sent", "unsure", "dead")
	show := &cobra.Command{
		Use: "show ID", Short: "one delivery and the bytes that are sent", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				d, err := w.db.Delivery(ctx, digest.DeliveryID(args[0]))
				if err != nil {
					return hinted(err, "seedcorn deliveries list shows the ids")
				}
				_, err = fmt.Fprintf(a.out, "%s  %s  part %d of digest %s, subscription %s\nto %s %s %s\nattempts %d, %s\n\n%s\n",
					d.ID, d.State, d.Part, d.Digest, d.Subscription, d.To.Platform, d.To.Workspace, d.To.Channel, d.Attempt, orWord(d.Words, "not tried yet"), d.Payload)
				return err
			})
		},
	}
	change := func(use, short string, retry bool) *cobra.Command {
		return &cobra.Command{
			Use: use + " ID…", Short: short, Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return a.do(c.Context(), func(ctx context.Context, w *world) error {
					for _, id := range args {
						if err := w.db.Requeue(ctx, digest.DeliveryID(id), retry); err != nil {
							return hinted(err, "only what is not sent can be changed; seedcorn deliveries list shows the states")
						}
						fmt.Fprintln(a.out, use, id)
					}
					return nil
				})
			},
		}
	}
	c.AddCommand(list, show, change("retry", "try a delivery again; one that may stand there already is looked for first", true), change("cancel", "never send a delivery", false))
	return c
}
