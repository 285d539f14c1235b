package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/chart"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

func (a *app) balanceCommand() *cobra.Command {
	var text, since, until, rule, view, selection, over, under, of, format, svg, png string
	var companies, weekly, cumulative, asCSV, asJSON, dark bool
	c := &cobra.Command{
		Use:   "balance",
		Short: "works by country and openness, with the counting rule printed",
		Long: `Count works by country and openness, in a period or week by week, and compare two
countries or groups (EU, CN+HK, ASEAN, Nordic). The counting rule moves the answer by a
third, so it is printed with every number; a ratio is given only where enough is known,
with an interval of 95%.

Works are counted by the day they became public. --csv and --json print a line for each
country and week, each with the rule that it was counted by; --svg and --png draw what
the text shows.`,
		Example: "  seedcorn balance --since 3mo\n  seedcorn balance --since 1y --weekly --over EU --under CN+HK --csv > balance.csv\n  seedcorn balance --since 1y --cumulative --png balance.png\n  seedcorn balance --rule lead --view control --companies --format json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := a.question(rule, view, selection, over, under, of, companies)
			if err != nil {
				return err
			}
			q.Query = text
			switch {
			case weekly && cumulative:
				return usagef("one of the two", "--weekly and --cumulative are two series")
			case weekly:
				q.Step = digest.StepWeekly
			case cumulative:
				q.Step = digest.StepCumulative
			}
			if err := oneOf("format", format, formats); err != nil {
				return err
			}
			if asCSV && asJSON {
				return usagef("one of the two", "--csv and --json both write to standard output")
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				now := a.now()
				if q.Period, err = w.period(cmp.Or(since, map[bool]string{true: "6mo", false: "1mo"}[q.Step != digest.StepNone]), until, now); err != nil {
					return err
				}
				if q, err = q.Complete(); err != nil {
					return usagef("--over and --under are two sides, --since and --until a period of at most ten years", "%v", err)
				}
				if _, err := w.parse(ctx, text, now); err != nil {
					return err
				}
				s, err := w.series(ctx, q, digest.Destination{}, now)
				if err != nil {
					return err
				}
				if err := drawTo(s, svg, png, dark); err != nil {
					return err
				}
				switch {
				case asCSV:
					return bot.WriteBalanceCSV(a.out, bot.BalanceLines(s))
				case asJSON:
					return bot.WriteBalanceJSONL(a.out, bot.BalanceLines(s))
				case format == "json":
					enc := json.NewEncoder(a.out)
					enc.SetIndent("", "  ")
					return enc.Encode(s)
				}
				return a.show(format, a.out, bot.Series(s))
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&text, "query", "q", "", "only works that match")
	f.StringVar(&since, "since", "", "beginning: 7d, 2w, 1mo, 2026-01-31 (default 1mo, and 6mo for a series)")
	f.StringVar(&until, "until", "", "end, exclusive (default: now)")
	f.BoolVar(&weekly, "weekly", false, "each week by itself")
	f.BoolVar(&cumulative, "cumulative", false, "week by week, summed up")
	f.StringVar(&rule, "rule", "share", "share, any, lead or sole")
	f.StringVar(&view, "view", "home", "home or control")
	f.BoolVar(&companies, "companies", false, "count companies only")
	f.StringVar(&selection, "selection", "all", "all works, those picked in digests, or those voted useful: all, picked, useful")
	f.StringVar(&over, "over", "CN", "the country or group that is compared")
	f.StringVar(&under, "under", "US", "with which one")
	f.StringVar(&of, "of", "open", "compare open works, or all: open, all")
	f.BoolVar(&asCSV, "csv", false, "print a table, one line for each country and week")
	f.BoolVar(&asJSON, "json", false, "print JSON Lines, one for each country and week")
	f.StringVar(&svg, "svg", "", "draw the chart to this file, in light and dark")
	f.StringVar(&png, "png", "", "draw the chart to this file")
	f.BoolVar(&dark, "dark", false, "draw the PNG for a dark page")
	f.StringVar(&format, "format", "text", "text, markdown, html or json")
	complete(c, "rule", "share", "any", "lead", "sole")
	complete(c, "view", "home", "control")
	complete(c, "selection", "all", "picked", "useful")
	complete(c, "of", "open", "all")
	complete(c, "format", formats...)
	return c
}

// question reads what is asked, but for when.
func (a *app) question(rule, view, selection, over, under, of string, companies bool) (q digest.Question, err error) {
	if q.Counting, err = counting(rule, view, companies); err != nil {
		return q, err
	}
	q.Selection, q.Of = digest.Selection(selection), digest.Measure(of)
	if err := oneOf("selection", q.Selection, digest.Selections); err != nil {
		return q, err
	}
	if err := oneOf("measure", q.Of, digest.Measures); err != nil {
		return q, err
	}
	for _, x := range []struct {
		flag, text string
		at         *digest.Group
	}{{"over", over, &q.Over}, {"under", under, &q.Under}} {
		if *x.at, err = digest.ParseGroup(x.text); err != nil {
			return q, usagef("seedcorn labs list --country shows codes", "--%s: %v", x.flag, err)
		}
	}
	return q, nil
}

func oneOf[T ~string](what string, value T, among []T) error {
	hint := ""
	for i, x := range among {
		if x == value {
			return nil
		}
		if i > 0 {
			hint += ", "
		}
		hint += string(x)
	}
	return usagef("one of "+hint, "no %s %q", what, value)
}

// drawTo draws what the text shows: the ratio over time where there is one, else the
// works over time, else the bars.
func drawTo(s digest.Series, svg, png string, dark bool) error {
	if svg == "" && png == "" {
		return nil
	}
	var c message.Chart
	for _, b := range bot.Series(s).Blocks {
		if x, ok := b.(message.Chart); ok {
			c = x
		}
	}
	for _, x := range []struct {
		path string
		draw func(message.Chart, chart.Options) ([]byte, error)
	}{{svg, chart.SVG}, {png, chart.PNG}} {
		if x.path == "" {
			continue
		}
		b, err := x.draw(c, chart.Options{Dark: dark})
		if err != nil {
			return err
		}
		if err := os.WriteFile(x.path, b, 0o644); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
	}
	return nil
}
