//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/cmd/seedcorn/internal/cluster"
	"seedcorn/cmd/seedcorn/internal/hostile"
)

// binary builds the program once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "seedcorn-under-test")
	out, err := exec.Command("go", "build", "-o", path, "seedcorn/cmd/seedcorn").CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return path, nil
})

var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "crash-test")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func short(t *testing.T, database string) options {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("building: %v\n%s", err, path)
	}
	o := options{Kills: 12, Database: database, Seed: 1, Binary: path, Stale: 4 * time.Second, Postgres: os.Getenv("SEEDCORN_TEST_POSTGRES")}
	if database == "postgres" && o.Postgres == "" {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatal("SEEDCORN_TEST_REQUIRE=1 and no SEEDCORN_TEST_POSTGRES")
		}
		t.Skip("SEEDCORN_TEST_POSTGRES is not set")
	}
	return o
}

// A dozen kills on each engine, at chance and at steps, and everything stands once.
// The command makes as many as one likes.
func TestCrash(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			r, err := run(t.Context(), short(t, database), t.Logf)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("\n%s", r)
			for _, f := range r.Faults {
				t.Error(f)
			}
			if r.Verdict.Posted < 12 || r.Digests < 12 {
				t.Error("hardly anything was posted: nothing was tested")
			}
		})
	}
}

// PostgreSQL dies twice under the program, as in a crash and as by an operator, and
// is back a moment later.
func TestCrashOfTheDatabase(t *testing.T) {
	o := short(t, "sqlite")
	o.Database, o.Outages, o.Kills = "postgres", 2, 8
	r, err := run(t.Context(), o, t.Logf)
	if errors.Is(err, cluster.ErrNone) && os.Getenv("SEEDCORN_TEST_REQUIRE") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", r)
	for _, f := range r.Faults {
		t.Error(f)
	}
	if r.Outages != 2 {
		t.Errorf("the database died %d times", r.Outages)
	}
}

// PostgreSQL dies under three processes that are posting, and its standby takes over;
// and again, back. They find the other server by themselves, nothing that was
// acknowledged is lost, and everything stands once.
func TestFailover(t *testing.T) {
	o := short(t, "sqlite")
	o.Database, o.Failovers, o.Processes = "postgres", 2, 3
	h := prepared(t, o)
	var running []*process
	for slot := range o.Processes {
		running = append(running, h.serve(t, slot))
	}
	until(t, "the first digests", time.Minute, func() bool { return h.slack.Ledger.Len() > 0 })
	for range o.Failovers {
		if err := h.feed(t.Context(), 12); err != nil {
			t.Fatal(err)
		}
		if err := h.failOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := h.slack.Ledger.Len()
		if err := h.feed(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		until(t, "digests through the other server", 90*time.Second, func() bool { return h.slack.Ledger.Len() > before })
	}
	if err := h.interrupt(running); err != nil {
		t.Error(err)
	}
	h.well(t)
}

// Platforms that forget make doubles, platforms that lose make losses, and the
// harness says so: its silence elsewhere means something.
func TestCrashNotices(t *testing.T) {
	for how, faults := range map[string]func(hostile.Verdict) []string{
		"forget": func(v hostile.Verdict) []string { return v.Doubled },
		"lose":   func(v hostile.Verdict) []string { return v.Lost },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			o := short(t, "sqlite")
			o.Break, o.Calm, o.Kills, o.Steps = how, true, 3, []string{"posted"}
			r, err := run(t.Context(), o, t.Logf)
			if err != nil {
				t.Fatal(err)
			}
			if len(faults(r.Verdict)) == 0 || !strings.Contains(r.String(), "FAULT") {
				t.Errorf("it noticed nothing:\n%s", r)
			}
		})
	}
}
