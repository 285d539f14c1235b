package main

import (
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"seedcorn/bot/terminal"
	"seedcorn/digest"
)

// postgresPlace is a schema of a test's own.
func postgresPlace(t *testing.T) string {
	t.Helper()
	server := os.Getenv("SEEDCORN_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatal("SEEDCORN_TEST_REQUIRE=1 and no SEEDCORN_TEST_POSTGRES")
		}
		t.Skip("SEEDCORN_TEST_POSTGRES is not set")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("seedcorn_cmd_%d_%d", os.Getpid(), time.Now().UnixNano()%1_000_000)
	if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP SCHEMA " + name + " CASCADE"); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// Three machines serve one database, one of them an hour ahead of the others and one an
// hour behind. All go by the database's clock: nobody composes a digest before it is due,
// everybody composes one that is, once, and nobody takes a message from who is posting it.
func TestMachinesWithOtherClocks(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			location := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
			if engine == "postgres" {
				location = postgresPlace(t)
			}
			var all []*world
			for _, off := range []time.Duration{time.Hour, -time.Hour, 0} {
				a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, follows: true, now: func() time.Time { return time.Now().Add(off) }}
				cfg := demoConfig("http://127.0.0.1:1", "")
				cfg.DatabaseURL = location
				w, err := a.openWith(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { w.close() })
				all = append(all, w)
				if err := w.prepareJobs(t.Context()); err != nil {
					t.Fatal(err)
				}
				platforms := places{terminal.Name: a.terminal(nil)}
				engine, err := a.engine(t.Context(), w, platforms, everything(t))
				if err != nil {
					t.Fatal(err)
				}
				puller, err := w.puller(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for what, now := range map[string]func() time.Time{
					"its jobs": engine.Now, "delivering": w.deliveries(a, platforms).Now, "telling owners": w.deliveries(a, platforms).Refusals.Now,
					"amending": w.amendments(a, platforms).Now, "publishing": w.publications(a, platforms).Now, "pulling": puller.Now,
				} {
					if off := now().Sub(all[0].db.Now()); off.Abs() > 20*time.Minute {
						t.Errorf("%s: a machine that is %v off is %v off the database's clock", what, off, off)
					}
				}
			}
			ahead, behind := all[0], all[1]
			subscribe := func(due time.Duration) digest.SubscriptionID {
				sub, err := behind.newSubscription("", "weekly", "UTC", behind.now())
				if err != nil {
					t.Fatal(err)
				}
				// Due at a time of the day, and every day.
				at := behind.db.Now().Add(due).Truncate(time.Minute)
				sub.Cadence, sub.Next, sub.Cursor = fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour()), at, at.Add(-24*time.Hour)
				if err := behind.db.PutSubscription(t.Context(), sub); err != nil {
					t.Fatal(err)
				}
				return sub.ID
			}
			subscribe(30 * time.Minute)
			due := subscribe(-30 * time.Minute)
			for _, w := range all {
				subs, err := w.db.DueSubscriptions(t.Context(), w.now())
				if err != nil || len(subs) != 1 || subs[0].ID != due {
					t.Errorf("due are %+v (%v), want the one", subs, err)
				}
			}
			d := digest.Digest{Title: "x", Period: digest.Period{From: time.Unix(1, 0), To: time.Unix(2, 0)}}
			sub, err := behind.db.Subscription(t.Context(), due)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := behind.db.SaveDigest(t.Context(), sub, d, behind.now().Add(time.Hour), digest.Part{Payload: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			lane := sub.Destination.Lane()
			claim := func(w *world) int {
				got, err := w.db.Claim(t.Context(), lane, digest.Rate{}, w.now(), 2*time.Minute, 8)
				if err != nil {
					t.Fatal(err)
				}
				return len(got)
			}
			if n := claim(behind); n != 1 {
				t.Fatalf("%d claimed by the machine that is behind, want the one", n)
			}
			if n := claim(ahead); n != 0 {
				t.Errorf("the machine that is ahead takes a message from who is posting it")
			}
		})
	}
}
