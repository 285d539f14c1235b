package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/digest"
	"seedcorn/digest/jobs"
)

// A jobsReport is what "seedcorn jobs" knows.
type jobsReport struct {
	Counts    []jobs.Count     `json:"counts"`
	SetAside  []jobs.Job       `json:"set_aside"`
	Processes []digest.Process `json:"processes"`
}

func (a *app) jobsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "jobs", Short: "the background work: what waits, what runs, what was set aside, and who is there", Args: cobra.NoArgs,
		Long: `Show the background jobs by kind and state, those that failed every time and were set
aside, with their last error, and the processes that serve this database.

A job is not the truth about anything: what is due is in the database, and is found due
again if its job is lost. So a job can be discarded without losing a digest or a message.`,
		Example: "  seedcorn jobs\n  seedcorn jobs --json\n  seedcorn jobs retry 4711",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				r, err := w.jobsReport(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					enc := json.NewEncoder(a.out)
					enc.SetEscapeHTML(false)
					enc.SetIndent("", "  ")
					return enc.Encode(r)
				}
				return a.printJobs(r)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	change := func(use, short string, f func(jobs.Base, context.Context, int64) error) *cobra.Command {
		return &cobra.Command{
			Use: use + " ID…", Short: short, Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return a.do(c.Context(), func(ctx context.Context, w *world) error {
					if err := w.prepareJobs(ctx); err != nil {
						return err
					}
					for _, arg := range args {
						id, err := strconv.ParseInt(arg, 10, 64)
						if err != nil {
							return usagef("seedcorn jobs shows the ids", "%q is not the number of a job", arg)
						}
						if err := f(w.jobs(), ctx, id); err != nil {
							return hinted(err, "seedcorn jobs shows the ids; what ended well is forgotten after an hour")
						}
						fmt.Fprintln(a.out, use, id)
					}
					return nil
				})
			},
		}
	}
	c.AddCommand(
		change("retry", "do a job again at once", jobs.Base.Retry),
		change("discard", "remove a job that is not being done", jobs.Base.Discard),
	)
	return c
}

func (w *world) jobsReport(ctx context.Context) (r jobsReport, err error) {
	if err = w.prepareJobs(ctx); err != nil {
		return r, err
	}
	if r.Counts, err = w.jobs().Counts(ctx); err != nil {
		return r, err
	}
	if r.SetAside, err = w.jobs().SetAside(ctx, 100); err != nil {
		return r, err
	}
	all, err := w.db.Processes(ctx)
	r.Processes = append([]digest.Process{}, all...)
	return r, err
}

func (a *app) printJobs(r jobsReport) error {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if len(r.Counts) == 0 {
		fmt.Fprintln(t, "no jobs")
	} else {
		fmt.Fprintln(t, "KIND\tSTATE\tJOBS")
		for _, c := range r.Counts {
			state := c.State
			if state == "discarded" {
				state = "set aside"
			}
			fmt.Fprintf(t, "%s\t%s\t%d\n", c.Kind, state, c.Jobs)
		}
	}
	if len(r.SetAside) > 0 {
		fmt.Fprintln(t, "\nSET ASIDE\tKIND\tATTEMPTS\tWHEN\tLAST ERROR")
		for _, j := range r.SetAside {
			fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%s\n", j.ID, j.Kind, j.Attempt, ago(j.At, a.now()), oneLine(j.Error))
		}
	}
	if len(r.Processes) > 0 {
		fmt.Fprintln(t, "\nPROCESS\tHOST\tROLES\tSINCE\tSEEN")
		for _, p := range r.Processes {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.ID, p.Host, p.Roles, p.Started.Format(time.DateTime), ago(p.Seen, a.now()))
		}
	}
	return t.Flush()
}

// oneLine is the beginning of a text, for a table.
func oneLine(s string) string {
	for i, r := range s {
		if r == '\n' || i > 150 {
			return s[:i] + "…"
		}
	}
	return s
}
