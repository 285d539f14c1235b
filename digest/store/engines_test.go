package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The suite runs on both engines. PostgreSQL is, in this order: the server that
// SEEDCORN_TEST_POSTGRES names, where schemas may be made; a private one, started
// from the programs of an installed PostgreSQL; or none, and its half is skipped,
// unless SEEDCORN_TEST_REQUIRE=1 makes that a failure.

// A place is where a test's database is.
type place struct {
	name     string
	location string // for Open
}

// open opens the place's database until the test ends.
func (p place) open(t testing.TB, opts ...Option) *DB {
	t.Helper()
	db, err := Open(t.Context(), p.location, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func sqlitePlace(t testing.TB) place {
	return place{"sqlite", "sqlite:" + filepath.Join(t.TempDir(), "seedcorn.db")}
}

var schemaNumber atomic.Int64

func postgresPlace(t testing.TB) place {
	t.Helper()
	server := postgresServer(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("seedcorn_test_%d_%d", os.Getpid(), schemaNumber.Add(1))
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
	return place{"postgres", u.String()}
}

// onBoth runs a test on each engine.
func onBoth(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, sqlitePlace(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, postgresPlace(t)) })
}

var private struct {
	once     sync.Once
	location string
	err      error
	stop     func()
}

func postgresServer(t testing.TB) string {
	t.Helper()
	if s := os.Getenv("SEEDCORN_TEST_POSTGRES"); s != "" {
		return s
	}
	private.once.Do(func() { private.location, private.stop, private.err = startPostgres() })
	if private.err != nil {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatalf("SEEDCORN_TEST_REQUIRE=1 and no PostgreSQL: %v", private.err)
		}
		t.Skipf("no PostgreSQL: %v", private.err)
	}
	return private.location
}

func TestMain(m *testing.M) {
	if job := os.Getenv("SEEDCORN_TEST_CHILD"); job != "" {
		os.Exit(child(job))
	}
	code := m.Run()
	if private.stop != nil {
		private.stop()
	}
	os.Exit(code)
}

// startPostgres makes a cluster in a temporary folder and serves it on a socket
// there. It never listens on the network.
func startPostgres() (location string, stop func(), err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(found)
	if p, err := exec.LookPath("initdb"); err == nil {
		found = append(found, p)
	}
	if len(found) == 0 {
		return "", nil, errors.New("initdb is neither in PATH nor under /usr/lib/postgresql")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	run := func(name string, args ...string) (*exec.Cmd, error) {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
		return cmd, notRoot(cmd, dir) // PostgreSQL refuses to run as root
	}
	data := filepath.Join(dir, "data")
	initdb, err := run("initdb", "-D", data, "-U", "seedcorn", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return "", nil, err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	server, err := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off",
		"-c", "full_page_writes=off", "-c", "shared_buffers=256MB", "-c", "jit=off")
	if err != nil {
		return "", nil, err
	}
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		server.Process.Signal(syscall.SIGINT) // a fast shutdown
		server.Wait()
		os.RemoveAll(dir)
	}
	location = "postgres://seedcorn@/postgres?host=" + url.QueryEscape(dir)
	db, err := sql.Open("pgx", location)
	if err != nil {
		stop()
		return "", nil, err
	}
	defer db.Close()
	for range 200 {
		if err = db.PingContext(context.Background()); err == nil {
			return location, stop, nil
		}
		time.Sleep(50 * time.Millisecond) // another process: there is nothing to wait on
	}
	stop()
	return "", nil, fmt.Errorf("PostgreSQL does not answer: %w", err)
}
