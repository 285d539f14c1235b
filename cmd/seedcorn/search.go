package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/digest/store"
	"seedcorn/feeds"
)

func (a *app) searchCommand() *cobra.Command {
	var asJSON, explain bool
	var limit int
	c := &cobra.Command{
		Use:     "search [QUERY]",
		Short:   "find works by words, country, lab, openness, license, date",
		Long:    "Find works, newest first; without a query, all. seedcorn help query shows the language; --explain says a\nquery in plain English without searching.",
		Example: "  seedcorn search 'reasoning country:CN,FR openness>=open-weights since:1mo'\n  seedcorn search --json 'license:MIT has:weights' --limit 100",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if limit <= 0 {
				return usagef("a number of works, such as 20", "--limit %d finds nothing", limit)
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				text := strings.Join(args, " ")
				q, err := w.parse(ctx, text, a.now())
				if err != nil {
					return err
				}
				if explain {
					_, err := fmt.Fprintln(a.out, q.Explain())
					return err
				}
				found, err := w.db.Search(ctx, q, store.Page{Limit: limit})
				if err != nil {
					return err
				}
				if asJSON {
					return a.encodeWorks(found.Works)
				}
				if text == "" && len(found.Works) == 0 {
					return hinted(errors.New("there are no works yet"), "seedcorn pull visits every source")
				}
				return a.show("text", a.out, bot.Results(cmp.Or(text, "all works"), found.Works, found.More != ""))
			})
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON Lines, one work a line")
	f.BoolVar(&explain, "explain", false, "say what the query asks for, in English")
	f.IntVar(&limit, "limit", 20, "how many works at most")
	return c
}

func (a *app) encodeWorks(works []digest.Work) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, w := range works {
		if err := enc.Encode(w); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) whyCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "why WORK",
		Short:   "every tag of a work with its evidence, rule and date",
		Long:    "Say why a work is tagged as it is. WORK is its id, or anything that identifies it:\nan arXiv id, a DOI, a URL, the name of a repository, or words of its title.",
		Example: "  seedcorn why 2501.12948\n  seedcorn why huggingface.co/deepseek-ai/DeepSeek-R1",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				work, err := w.findWork(ctx, strings.Join(args, " "))
				if err != nil {
					return err
				}
				if asJSON {
					return a.encodeWorks([]digest.Work{work})
				}
				corrections, err := w.db.Corrections(ctx, work.ID)
				if err != nil {
					return err
				}
				looked, err := w.lookedUp(ctx, work)
				if err != nil {
					return err
				}
				return a.show("text", a.out, bot.Why(work, corrections, looked))
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the work as JSON")
	return c
}

// findWorks returns the works that a person may mean: by an identifier, or else the
// newest whose title has all the words.
func (w *world) findWorks(ctx context.Context, text string) ([]digest.Work, error) {
	works, err := w.db.FindWork(ctx, text)
	if err != nil || len(works) > 0 {
		return works, err
	}
	q, err := query.Parse(strings.Join(query.Fold(text), " "), query.Names{}, time.Time{})
	if err != nil || len(q.Words()) == 0 {
		return nil, nil // not words
	}
	found, err := w.db.Search(ctx, q, store.Page{Limit: 50})
	if err != nil {
		return nil, err
	}
	for _, x := range found.Works {
		if q.Match(query.Subject{Text: []string{x.Title}}) {
			works = append(works, x)
		}
	}
	return works, nil
}

// findWork finds the one work that a person means. Several are an error that
// names them.
func (w *world) findWork(ctx context.Context, text string) (digest.Work, error) {
	works, err := w.findWorks(ctx, text)
	switch {
	case err != nil:
		return digest.Work{}, err
	case len(works) == 0:
		return digest.Work{}, hinted(fmt.Errorf("no work %q", text), "seedcorn search WORDS finds works and prints their ids")
	case len(works) > 1:
		var b strings.Builder
		for _, x := range works[:min(5, len(works))] {
			fmt.Fprintf(&b, "\n  %s  %s", x.ID, x.Title)
		}
		return digest.Work{}, hinted(fmt.Errorf("%q fits %d works:%s", text, len(works), b.String()), "say the id")
	}
	return works[0], nil
}

func (a *app) splitCommand() *cobra.Command {
	var because string
	c := &cobra.Command{
		Use:     "split WORK ENTRY",
		Short:   "undo a merge: take an entry out of a work again",
		Long:    "Take an entry out of a work that it was wrongly joined to. It becomes a work of its\nown and is not joined again. ENTRY is its URL or id, as seedcorn why prints it.",
		Example: "  seedcorn split w7k3m9q2xd https://example.org/post --because 'another model of that name'",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				work, err := w.findWork(ctx, args[0])
				if err != nil {
					return err
				}
				i := slices.IndexFunc(work.Places, func(p digest.Place) bool {
					return string(p.Item) == args[1] || feeds.CanonicalURL(p.URL) == feeds.CanonicalURL(args[1])
				})
				if i < 0 {
					return hinted(fmt.Errorf("no entry %q in %s", args[1], work.ID), "seedcorn why "+string(work.ID)+" lists them")
				}
				if len(work.Places) == 1 {
					return usagef("", "%s has only this entry", work.ID)
				}
				id, err := w.db.Split(ctx, work.ID, work.Places[i].Item, author(), because)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "%s is now %s\n", work.Places[i].Title, id)
				return err
			})
		},
	}
	c.Flags().StringVar(&because, "because", "", "why, for the work's history")
	return c
}

// lookedUp says what was asked of which service about a work, and what was not.
func (w *world) lookedUp(ctx context.Context, work digest.Work) ([]bot.Lookup, error) {
	var out []bot.Lookup
	for _, q := range w.questions(work) {
		l := bot.Lookup{What: q.About}
		got, err := w.db.Answered(ctx, q.Name)
		switch {
		case err == nil:
			l.At, l.Result = got.Fetched, got.Words
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		case q.Needless != "":
			l.Result = q.Needless
		case !w.cfg.Lookups:
			l.Result = "look-ups are off: " + prefix + "LOOKUPS"
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		out = append(out, bot.Lookup{What: "nothing to look up: no arXiv id and no repository", At: time.Time{}})
	}
	return out, nil
}
