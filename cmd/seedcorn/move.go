package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seedcorn/digest/store"
)

func (a *app) moveCommand() *cobra.Command {
	var from, to string
	var again bool
	c := &cobra.Command{
		Use:   "move --to LOCATION",
		Short: "take everything from one database to another, SQLite or PostgreSQL",
		Long: `Copy every table, what is on its way included, make the search index anew, and
compare both sides row by row: the table that is printed has the rows and the
checksum that both have. Stop seedcorn first; a source or target that another
process has open is refused. The source is left as it is.

It can be killed and run again: it goes on where it was. Run again after its end, it
compares and changes nothing. A target that holds something else is refused, unless
--again is given, which empties it first.

A password need not stand on the command line: a location without one takes it from
PGPASSWORD or ~/.pgpass.`,
		Example: "  seedcorn move --from sqlite:seedcorn.db --to postgres://seedcorn@db.internal/seedcorn\n  seedcorn move --from postgres://seedcorn@db.internal/seedcorn --to sqlite:/data/seedcorn.db",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return usagef("such as --to postgres://seedcorn@localhost/seedcorn", "--to is missing: where to")
			}
			if from == "" {
				cfg, err := loadConfigFromProcess()
				if err != nil {
					return err
				}
				from = cfg.DatabaseURL
			}
			for name, location := range map[string]string{"--from": from, "--to": to} {
				if !isLocation(location) {
					return usagef("such as sqlite:/data/seedcorn.db or postgres://seedcorn@db.internal/seedcorn", "%s: want sqlite:PATH or postgres://…", name)
				}
			}
			if from == to {
				return usagef("name two databases", "--from and --to are the same")
			}
			return a.move(c.Context(), from, to, again)
		},
	}
	c.Flags().StringVar(&from, "from", "", "where everything is: sqlite:PATH or postgres://… (default: "+prefix+"DATABASE_URL)")
	c.Flags().StringVar(&to, "to", "", "where it shall be")
	c.Flags().BoolVar(&again, "again", false, "empty the target first, whatever it holds")
	return c
}

func (a *app) move(ctx context.Context, from, to string, again bool) (err error) {
	m := store.Mover{Again: again, Now: a.now, Progress: a.stages()}
	defer func() { err = moveHint(err) }()
	for _, end := range []struct {
		db             **store.DB
		location, what string
	}{{&m.From, from, "source"}, {&m.To, to, "target"}} {
		if *end.db, err = store.Open(ctx, end.location, store.Exclusively()); err != nil {
			return fmt.Errorf("%s: %w", end.what, err)
		}
		defer func() { err = errors.Join(err, (*end.db).Close()) }()
	}
	moved, err := m.Move(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(moved, func(a, b store.Moved) int { return strings.Compare(a.Table, b.Table) })
	fmt.Fprintf(a.out, "%-20s %12s  %s\n", "TABLE", "ROWS", "CHECKSUM")
	rows := 0
	for _, m := range moved {
		rows += m.Rows
		fmt.Fprintf(a.out, "%-20s %12d  %.16s\n", m.Table, m.Rows, m.Sum)
	}
	_, err = fmt.Fprintf(a.out, "%d rows of %d tables are the same on both sides; the search index is made anew\nnow let %sDATABASE_URL name the new database, and do not start seedcorn on the old one: both would post\n", rows, len(moved), prefix)
	return err
}

func moveHint(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrOccupied):
		return hinted(err, "name an empty database, or add --again to lose what the target holds")
	case errors.Is(err, store.ErrChanged):
		return hinted(err, "one of the two was used since the move began; if the source is the one that counts, add --again")
	case errors.Is(err, store.ErrBusy):
		return hinted(err, "stop every seedcorn that uses the source or the target, then run this again")
	}
	return hinted(err, cmp.Or(storeHint(err), "run it again: it goes on where it was"))
}

// stages shows how far work of several stages is, each with a meter of its own.
func (a *app) stages() func(stage string, done, total int) {
	var now string
	set, finish := func(int, string) {}, func() {}
	return func(stage string, done, total int) {
		if stage != now {
			finish()
			now = stage
			set, finish = a.gauge(total, stage)
		}
		set(done, "")
		if done >= total {
			finish()
			finish = func() {}
		}
	}
}
