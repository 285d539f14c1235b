package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/digest/rank"
	"seedcorn/feeds"
)

var formats = []string{"text", "markdown", "html", "json"}

func (a *app) digestCommand() *cobra.Command {
	var text, since, until, format, rule, view string
	var companies bool
	c := &cobra.Command{
		Use:   "digest",
		Short: "print the digest of a period",
		Long: `Print what came out in a period: first the balance between countries in a few bars,
then what you may build on; license changes; what has conditions, papers without
artifacts, what is closed; the whole balance, with its rule; and, in the small print,
which sources were silent.`,
		Example: "  seedcorn digest --since 7d\n  seedcorn digest --query 'country:EU openness>=open-weights' --since 1mo --format markdown",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(formats, format) {
				return usagef("one of text, markdown, html, json", "no format %q", format)
			}
			how, err := counting(rule, view, companies)
			if err != nil {
				return err
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				now := a.now()
				period, err := w.period(since, until, now)
				if err != nil {
					return err
				}
				d, err := w.compose(ctx, "This period in open research", text, period, how, now)
				if err != nil {
					return err
				}
				return a.print(format, d)
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&text, "query", "q", "", "only works that match (see: seedcorn help query)")
	f.StringVar(&since, "since", "7d", "beginning: 7d, 2w, 1mo, monday, 2026-01-31")
	f.StringVar(&until, "until", "", "end, exclusive (default: now)")
	f.StringVar(&format, "format", "text", "text, markdown, html or json")
	f.StringVar(&rule, "rule", "share", "counting rule of the balance: share, any, lead, sole")
	f.StringVar(&view, "view", "home", "country of a lab: home (where it sits) or control (whose it is)")
	f.BoolVar(&companies, "companies", false, "count companies only")
	complete(c, "format", formats...)
	complete(c, "rule", "share", "any", "lead", "sole")
	complete(c, "view", "home", "control")
	return c
}

func complete(c *cobra.Command, flag string, values ...string) {
	// The only error is a flag that is not there, which the tests would show.
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}

func counting(rule, view string, companies bool) (digest.Counting, error) {
	how := digest.Counting{Rule: digest.Rule(rule), View: feeds.View(view), Companies: companies}
	if !slices.Contains(digest.Rules, how.Rule) {
		return how, usagef("one of share, any, lead, sole; seedcorn rules explains them", "no counting rule %q", rule)
	}
	if how.View != feeds.ViewHome && how.View != feeds.ViewControl {
		return how, usagef("home or control", "no view %q", view)
	}
	return how, nil
}

// period reads the bounds of a period as people type them.
func (w *world) period(since, until string, now time.Time) (digest.Period, error) {
	p := digest.Period{To: now.In(w.zone)}
	if until != "" {
		t, err := query.ParseTime(until, now.In(w.zone))
		if err != nil {
			return p, usagef("such as 7d, 2w, monday, 2026-01-31", "--until: %v", err)
		}
		p.To = t
	}
	t, err := query.ParseTime(since, p.To)
	if err != nil {
		return p, usagef("such as 7d, 2w, monday, 2026-01-31", "--since: %v", err)
	}
	p.From = t
	if !p.From.Before(p.To) {
		return p, usagef("--since must lie before --until", "an empty period: %s to %s", p.From.Format(time.DateOnly), p.To.Format(time.DateOnly))
	}
	return p, nil
}

// compose selects, ranks and words the digest of a period, for nobody in particular.
func (w *world) compose(ctx context.Context, title, text string, period digest.Period, how digest.Counting, now time.Time) (digest.Digest, error) {
	return w.composeFor(ctx, digest.Destination{}, title, text, period, how, now)
}

// composeFor is compose in the eyes of a destination, whose votes it ranks by.
func (w *world) composeFor(ctx context.Context, to digest.Destination, title, text string, period digest.Period, how digest.Counting, now time.Time) (digest.Digest, error) {
	q, err := w.parse(ctx, text, now)
	if err != nil {
		return digest.Digest{}, err
	}
	works, err := w.db.WorksIn(ctx, period, q)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("composing: %w", err)
	}
	health, err := w.sourceHealth(ctx)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("composing: %w", err)
	}
	votes := rank.Votes{}
	if to != (digest.Destination{}) {
		cast, err := w.db.Votes(ctx, to)
		if err != nil {
			return digest.Digest{}, fmt.Errorf("composing: %w", err)
		}
		for work, n := range cast {
			votes[work] = rank.Tally{Useful: n[0], NotUseful: n[1]}
		}
	}
	ranked := rank.Rank(works, q, period.To, votes)
	for i, r := range ranked {
		works[i] = r.Work
	}
	return digest.Compose(digest.Plan{
		Title: title, Query: text, Period: period, Counting: how, Registry: w.reg.Version(), Sources: health,
	}, works, now), nil
}

func (a *app) print(format string, d digest.Digest) error {
	if format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	}
	return a.show(format, a.out, bot.Digest(d))
}

// show renders a document in a format.
func (a *app) show(format string, w io.Writer, doc message.Document) error {
	switch format {
	case "markdown":
		return message.Markdown(w, doc)
	case "html":
		return message.HTML(w, doc)
	}
	return message.Text(w, doc, message.TextOptions{Width: columns(w), Color: useColor(w)})
}
