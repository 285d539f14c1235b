//go:build unix

package main

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"seedcorn/cmd/seedcorn/internal/cluster"
	"seedcorn/cmd/seedcorn/internal/hostile"
)

// prepared is a harness with everything around the program, and no faults but what a
// test makes. Subscriptions are due.
func prepared(t *testing.T, o options) *harness {
	t.Helper()
	o.Calm = true
	if o.Processes == 0 {
		o.Processes = 1
	}
	h := newHarness(o, t.Logf)
	stop, err := h.prepare(t.Context())
	t.Cleanup(stop)
	if errors.Is(err, cluster.ErrNone) && os.Getenv("SEEDCORN_TEST_REQUIRE") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve starts the program in a slot until the test ends.
func (h *harness) serve(t *testing.T, slot int) *process {
	t.Helper()
	p, err := h.start(t.Context(), slot, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// all is a slot's log.
func (h *harness) all(t *testing.T, slot int) string {
	t.Helper()
	b, err := os.ReadFile(h.log(slot))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// health is what the program says about how it is in a slot.
func (h *harness) health(t *testing.T, slot int) string {
	t.Helper()
	found := regexp.MustCompile(`"at":"(http://[^"]+)/"`).FindStringSubmatch(h.all(t, slot))
	if found == nil {
		t.Fatal("it does not say where it serves")
	}
	out, _ := h.command(t.Context(), "", "health", "--url", found[1]+"/readyz").CombinedOutput() // its status is in what it says
	return string(out)
}

// until waits until something is so, in another process.
func until(t *testing.T, what string, within time.Duration, so func() bool) {
	t.Helper()
	end := time.Now().Add(within)
	for !so() {
		if time.Now().After(end) || t.Context().Err() != nil {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// well lets everything finish and holds the ledgers against the database.
func (h *harness) well(t *testing.T) {
	t.Helper()
	if err := h.calm(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := h.judge(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Faults {
		t.Error(f)
	}
	if r.Verdict.Posted == 0 {
		t.Error("nothing was posted")
	}
}

// A program that is older than the database goes on while it runs: migrations only
// add. It does not start again, and says why and what to do.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			h := prepared(t, short(t, database))
			h.serve(t, 0)
			until(t, "the first digests", time.Minute, func() bool { return h.slack.Ledger.Len() > 0 })
			if _, err := h.sql.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, $1)", true); err != nil {
				t.Fatal(err)
			}
			before := h.slack.Ledger.Len()
			if err := h.feed(t.Context(), 6); err != nil {
				t.Fatal(err)
			}
			until(t, "digests of the running one", 90*time.Second, func() bool { return h.slack.Ledger.Len() > before })
			out, err := h.command(t.Context(), "", "serve").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "made by a newer version") || !strings.Contains(string(out), "hint: a newer seedcorn has used this database") || strings.Contains(string(out), "goose") {
				t.Errorf("a second one started: %v\n%s", err, out)
			}
			if _, err := h.sql.ExecContext(t.Context(), "DELETE FROM goose_db_version WHERE version_id = 99999"); err != nil {
				t.Fatal(err)
			}
			h.well(t)
		})
	}
}

// A platform that only ever says "go slower" is asked seldom, and when it is well
// again everything arrives, once.
func TestEndlessLimits(t *testing.T) {
	t.Parallel()
	o := short(t, "sqlite")
	o.Stale = 0 // as in life
	h := prepared(t, o)
	if err := h.feed(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	storm := func(r *hostile.Rules) {
		r.Fault = func(c hostile.Call) hostile.Fault {
			if c.Writes {
				return hostile.InsteadLimit
			}
			return hostile.None
		}
	}
	h.slack.Change(storm)
	h.discord.Change(storm)
	h.serve(t, 0)
	limits := func() int { return h.slack.Counts()["429"] + h.discord.Counts()["429"] }
	until(t, "a 429 on each", time.Minute, func() bool { return h.slack.Counts()["429"] > 0 && h.discord.Counts()["429"] > 0 })
	began, at := time.Now(), limits()
	time.Sleep(5 * time.Second) // of storm
	// Two platforms, in a few workspaces, each of which said one second or a fifth of one.
	if rate := float64(limits()-at) / time.Since(began).Seconds(); rate > 25 {
		t.Errorf("it was asked %.0f times a second during the storm", rate)
	}
	if n := h.slack.Ledger.Len(); n > 0 {
		t.Fatalf("%d messages stand: there was no storm", n)
	}
	h.slack.Change(func(r *hostile.Rules) { r.Fault = nil })
	h.discord.Change(func(r *hostile.Rules) { r.Fault = nil })
	until(t, "messages on both after the storm", 2*time.Minute, func() bool {
		on := map[string]bool{}
		for _, m := range h.slack.Ledger.All() {
			on[m.Platform] = true
		}
		return len(on) == 2
	})
	h.well(t)
}

// A platform that answers a byte at a time, without an end, holds up its own message
// only, and for no longer than an attempt may take.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	o := short(t, "sqlite")
	o.Stale = 0
	h := prepared(t, o)
	slow := slackChannel(0)
	h.slack.Change(func(r *hostile.Rules) {
		r.Fault = func(c hostile.Call) hostile.Fault {
			if c.Writes && c.Channel == slow {
				return hostile.ThenLoris
			}
			return hostile.None
		}
	})
	h.serve(t, 0)
	until(t, "the others' digests", time.Minute, func() bool {
		for _, m := range h.slack.Ledger.All() {
			if m.Platform == "slack" && m.Channel != slow {
				return true
			}
		}
		return false
	})
	until(t, "the slow one's being found", 2*time.Minute, func() bool {
		var n int
		err := h.sql.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM deliveries WHERE words = 'found'").Scan(&n)
		return err == nil && n > 0
	})
	h.well(t)
}

// While PostgreSQL takes no writes, as one does that became a standby, nothing is
// posted; afterwards everything is, once.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	o := short(t, "postgres")
	o.Outages = 1 // a cluster of our own; the storm that would take it down is not run
	h := prepared(t, o)
	writes := func(value string) {
		t.Helper()
		for _, text := range []string{"ALTER SYSTEM SET default_transaction_read_only = " + value, "SELECT pg_reload_conf()"} {
			c, err := h.sql.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	}
	h.serve(t, 0)
	until(t, "the first digests", time.Minute, func() bool { return h.slack.Ledger.Len() > 0 })
	if err := h.feed(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	writes("on")
	const complaint = `"msg":"the database cannot be written to"`
	until(t, "a complaint in the log", time.Minute, func() bool { return strings.Contains(h.all(t, 0), complaint) })
	if said := h.health(t, 0); !strings.Contains(said, "not ready: the database cannot be written to\nhint: the server takes no writes") {
		t.Errorf("seedcorn health says %q", said)
	}
	before := h.slack.Ledger.Len()
	time.Sleep(5 * time.Second) // in which nothing may happen
	_, after, _ := strings.Cut(h.all(t, 0), complaint)
	_, after, _ = strings.Cut(after, "\n")
	var more []string
	for l := range strings.Lines(after) {
		if strings.Contains(l, "read-only") && !strings.Contains(l, `"level":"DEBUG"`) {
			more = append(more, l)
		}
	}
	// One or two may have been under way when it was found out.
	if len(more) > 3 {
		t.Errorf("%d more complaints follow the first within seconds:\n%s", len(more), strings.Join(more, ""))
	}
	if n := h.slack.Ledger.Len(); n != before {
		t.Errorf("%d messages were posted that could not be written down", n-before)
	}
	writes("off")
	until(t, "digests when it can be written to again", 90*time.Second, func() bool { return h.slack.Ledger.Len() > before })
	until(t, "it is ready again", time.Minute, func() bool { return h.health(t, 0) == "ready\n" })
	h.well(t)
}
