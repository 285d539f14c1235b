package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"seedcorn/digest"
)

// deliveryStates are the words of --state.
var deliveryStates = []string{string(digest.Pending), string(digest.Sending), string(digest.Sent), string(digest.Unsure), string(digest.Dead)}

func (a *app) deliveriesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "deliveries", Short: "messages on their way: list, show, retry, cancel",
		Long: `A delivery is one message of one digest. It is pending until a worker claims it,
sending while it is posted, and sent once the platform has taken it. After an answer
that got lost it is unsure: it is looked for before it is posted again. What a
platform refuses for ever is dead.`,
	}
	c.AddCommand(a.listDeliveries(), a.showDelivery(),
		a.changeDeliveries("retry", "try deliveries again; one that may stand there already is looked for first", true),
		a.changeDeliveries("cancel", "never send deliveries, nor what would follow them", false))
	return c
}

func (a *app) listDeliveries() *cobra.Command {
	var state, platform string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "deliveries, latest first", Args: cobra.NoArgs,
		Example: "  seedcorn deliveries list --state dead\n  seedcorn deliveries list --platform slack --json --limit 1000",
		RunE: func(c *cobra.Command, _ []string) error {
			if state != "" && !slices.Contains(deliveryStates, state) {
				return usagef("the states are "+strings.Join(deliveryStates, ", "), "--state: no state %q", state)
			}
			if limit < 1 || limit > 1000 {
				return usagef("--limit is 1 to 1000", "--limit: %d is out of range", limit)
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				ds, err := w.db.DeliveriesTo(ctx, platform, digest.DeliveryState(state), limit)
				if err != nil {
					return err
				}
				if asJSON {
					e := json.NewEncoder(a.out)
					for _, d := range ds {
						if err := e.Encode(deliveryJSON(d, false)); err != nil {
							return err
						}
					}
					return nil
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
					fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", d.ID, d.State, where(d.To), d.Part+1, d.Attempt, ago(d.Begun, a.now()), d.Words+publicationWords(published[d.ID]))
				}
				return t.Flush()
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", strings.Join(deliveryStates, ", "))
	c.Flags().StringVar(&platform, "platform", "", "of one platform only")
	c.Flags().IntVar(&limit, "limit", 50, "how many at most")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	complete(c, "state", deliveryStates...)
	return c
}

func (a *app) showDelivery() *cobra.Command {
	var payload, asJSON bool
	c := &cobra.Command{
		Use: "show ID", Short: "everything about one delivery", Args: cobra.ExactArgs(1),
		Example: "  seedcorn deliveries show 3f2a5c7e9b1d4f6a8c0e2b4d\n  seedcorn deliveries show 3f2a5c7e9b1d4f6a8c0e2b4d --payload",
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				d, err := w.db.Delivery(ctx, digest.DeliveryID(args[0]))
				if err != nil {
					return hinted(err, "seedcorn deliveries list shows the ids")
				}
				if asJSON {
					e := json.NewEncoder(a.out)
					e.SetIndent("", "  ")
					return e.Encode(deliveryJSON(d, payload))
				}
				return a.printDelivery(ctx, w, d, payload)
			})
		},
	}
	c.Flags().BoolVar(&payload, "payload", false, "also the bytes that the platform is sent")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func (a *app) printDelivery(ctx context.Context, w *world, d digest.Delivery, payload bool) error {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	when := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return fmt.Sprintf("%s (%s)", at.Format("2 Jan 2006 15:04:05 MST"), ago(at, a.now()))
	}
	line("delivery", "%s", d.ID)
	line("state", "%s", d.State)
	line("to", "%s", where(d.To))
	line("part", "%d", d.Part+1)
	line("summary", "%s", d.Summary)
	if d.Digest == "" {
		line("of", "no digest: it is a notice")
	} else {
		line("digest", "%s", d.Digest)
		if stored, err := w.db.Digest(ctx, d.Digest); err == nil {
			line("title", "%s", stored.Title)
			line("due", "%s", when(stored.Period.To))
			line("composed", "%s", when(stored.Composed))
		}
	}
	line("subscription", "%s", d.Subscription)
	line("attempts", "%d", d.Attempt)
	line("begun", "%s", when(d.Begun))
	switch d.State {
	case digest.Pending, digest.Unsure:
		if d.NotBefore.After(a.now()) {
			line("next attempt", "%s, in %s", d.NotBefore.Format("2 Jan 2006 15:04:05 MST"), d.NotBefore.Sub(a.now()).Round(time.Second))
		}
	case digest.Sending:
		line("worker counts as dead", "%s", d.NotBefore.Format("2 Jan 2006 15:04:05 MST"))
	}
	published, err := w.db.Publications(ctx, []digest.DeliveryID{d.ID})
	if err != nil {
		return err
	}
	line("last result", "%s", orWord(d.Words, "not tried yet")+publicationWords(published[d.ID]))
	line("receipt", "%s", d.Receipt)
	if d.Resent {
		line("resent", "it was posted again though it may have stood there already")
	}
	line("payload", "%d bytes", len(d.Payload))
	if err := t.Flush(); err != nil || !payload {
		return err
	}
	text := d.Payload
	var pretty bytes.Buffer
	if json.Indent(&pretty, d.Payload, "", "  ") == nil {
		text = pretty.Bytes()
	}
	if len(text) == 0 {
		text = []byte("(its bytes are not kept any longer: seedcorn retention show)")
	}
	_, err = fmt.Fprintf(a.out, "\n%s\n", text)
	return err
}

// where says where a message goes.
func where(to digest.Destination) string {
	return strings.TrimRight(to.Platform+" "+strings.Trim(to.Workspace+"/"+to.Channel, "/"), " ")
}

// A jsonDelivery is a delivery for a script.
type jsonDelivery struct {
	ID           digest.DeliveryID     `json:"id"`
	State        digest.DeliveryState  `json:"state"`
	To           digest.Destination    `json:"to"`
	Digest       digest.DigestID       `json:"digest,omitempty"`
	Subscription digest.SubscriptionID `json:"subscription,omitempty"`
	Part         int                   `json:"part"` // from 0
	Summary      string                `json:"summary,omitempty"`
	Attempts     int                   `json:"attempts"`
	Begun        time.Time             `json:"begun,omitzero"`
	NotBefore    time.Time             `json:"not_before,omitzero"`
	Words        string                `json:"words,omitempty"`
	Receipt      string                `json:"receipt,omitempty"`
	Resent       bool                  `json:"resent,omitempty"`
	Payload      any                   `json:"payload,omitempty"` // JSON where it is, otherwise text
}

func deliveryJSON(d digest.Delivery, payload bool) jsonDelivery {
	out := jsonDelivery{
		ID: d.ID, State: d.State, To: d.To, Digest: d.Digest, Subscription: d.Subscription, Part: d.Part, Summary: d.Summary,
		Attempts: d.Attempt, Begun: d.Begun, NotBefore: d.NotBefore, Words: d.Words, Receipt: d.Receipt, Resent: d.Resent,
	}
	switch {
	case !payload || len(d.Payload) == 0:
	case json.Valid(d.Payload):
		out.Payload = json.RawMessage(d.Payload)
	case utf8.Valid(d.Payload):
		out.Payload = string(d.Payload)
	default:
		out.Payload = d.Payload
	}
	return out
}

func (a *app) changeDeliveries(use, short string, retry bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " ID…", Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				for _, id := range args {
					if err := a.changeDelivery(ctx, w, digest.DeliveryID(id), use, retry); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// changeDelivery says why what cannot be done cannot.
func (a *app) changeDelivery(ctx context.Context, w *world, id digest.DeliveryID, use string, retry bool) error {
	d, err := w.db.Delivery(ctx, id)
	if err != nil {
		return hinted(err, "seedcorn deliveries list shows the ids")
	}
	switch {
	case d.State == digest.Sent:
		return hinted(fmt.Errorf("delivery %s is sent", id), "what stands in a channel can't be taken back from here")
	case !retry && d.State == digest.Dead:
		return hinted(fmt.Errorf("delivery %s is dead already: %s", id, d.Words), "retry would send it")
	case retry && d.State == digest.Sending:
		return hinted(fmt.Errorf("delivery %s is being posted at this moment", id), "wait for what becomes of it; a worker that has died is noticed within minutes")
	}
	if err := w.db.Requeue(ctx, id, retry); err != nil {
		return hinted(err, "it was changed at this moment: seedcorn deliveries show "+string(id))
	}
	_, err = fmt.Fprintln(a.out, use, id)
	return err
}
