//go:build unix

// Crash kills the real program hundreds of times and counts what people then see.
//
//	go run ./cmd/seedcorn/internal/crash --kills 500
//	SEEDCORN_TEST_POSTGRES=postgres://… go run ./cmd/seedcorn/internal/crash --kills 500 --database postgres
//
// It builds seedcorn, starts it on a database of its own against a hostile Slack and
// a hostile Discord (package hostile), and kills it with SIGKILL: at random times, and
// at each named step of a delivery's life (package kill). Before each start more
// subscriptions fall due. At the end the platforms are well again, everything is let
// finish, and the ledgers are held against the database:
//
//   - every message that was decided stands, once;
//   - where a workspace does not let us read back, it may stand more often, but for
//     the first time marked "(resent)", and the database says so;
//   - no part stands above the one before it, nothing stands that was not decided;
//   - the periods of a subscription follow one another without a gap or an overlap;
//   - a subscription whose channel refuses it for ever is paused;
//   - an interrupt ends the program within ten seconds, with status 0.
//
// With --outages PostgreSQL itself dies and comes back meanwhile; with --failovers it dies
// for good, each time, and the standby that follows it takes over. With --old an older
// program is there from the beginning to the end, and is not killed:
//
//	git worktree add /tmp/old v1.2.3 && (cd /tmp/old && go build -o /tmp/seedcorn-old ./cmd/seedcorn)
//	go run ./cmd/seedcorn/internal/crash --database postgres --old /tmp/seedcorn-old
//
// It prints its seed and what was counted, and exits with 1 if anything of that is
// not so. With --break it makes the platforms forget or lose, to show that it would
// notice.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var o options
	seed := flag.Uint64("seed", 0, "of everything that is left to chance; 0 takes a new one")
	flag.IntVar(&o.Kills, "kills", 100, "how often to kill")
	flag.StringVar(&o.Database, "database", "sqlite", "sqlite, or postgres: a schema of its own in the database that SEEDCORN_TEST_POSTGRES names")
	flag.IntVar(&o.Processes, "processes", 0, "how many run at once (default: 1 on SQLite, 3 on PostgreSQL)")
	flag.StringVar(&o.Roles, "roles", "", "roles of the processes, such as all/pull,compose/deliver,bot; the list is gone through again and again")
	flag.StringVar(&o.Break, "break", "", "forget or lose: have the platforms break their promises, which must be noticed")
	flag.IntVar(&o.Outages, "outages", 0, "how often PostgreSQL dies meanwhile; it is one of our own then, made from an installed PostgreSQL")
	flag.IntVar(&o.Failovers, "failovers", 0, "how often PostgreSQL is killed and its synchronous standby takes over; the two are of our own then")
	flag.DurationVar(&o.Life, "life", 0, "the longest that a process lives before it is killed (default: seconds); a busy machine needs more, and so do failovers, to be lived through")
	flag.StringVar(&o.Old, "old", "", "an older seedcorn: it makes the database, and works on beside the newer processes, which migrate under it")
	flag.StringVar(&o.Binary, "binary", "", "a seedcorn that is built already")
	flag.DurationVar(&o.Stale, "stale", 4*time.Second, "after how long a silent worker counts as dead (in life two minutes)")
	flag.StringVar(&o.Keep, "keep", "", "a folder for the database and the logs, which stay there")
	flag.BoolVar(&o.Verbose, "v", false, "a line for each kill")
	flag.Parse()
	if o.Seed = *seed; o.Seed == 0 {
		o.Seed = rand.Uint64()>>1 | 1
	}
	o.Postgres = os.Getenv("SEEDCORN_TEST_POSTGRES")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r, err := run(ctx, o, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	fmt.Print(r)
	if len(r.Faults) > 0 {
		os.Exit(1)
	}
}
