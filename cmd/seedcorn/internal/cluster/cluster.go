//go:build unix

// Package cluster runs a PostgreSQL of one's own, for tests that take it down. It is
// made from the programs of an installed PostgreSQL, in a temporary folder, and
// listens on a socket there and nowhere else.
package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// A Cluster is one PostgreSQL server.
type Cluster struct {
	URL string

	bin, dir string
	cmd      *exec.Cmd
	owner    *syscall.Credential // nil: whoever we are
}

// ErrNone means that no PostgreSQL is installed.
var ErrNone = errors.New("initdb is neither in PATH nor under /usr/lib/postgresql")

// Start makes a cluster and waits until it answers. Nothing of it is flushed to the
// disk; what was committed outlives the server all the same, as long as the machine
// does.
func Start(ctx context.Context) (*Cluster, error) {
	c, err := place()
	if err != nil {
		return nil, err
	}
	if err = c.make(ctx); err == nil {
		err = c.Up(ctx)
	}
	if err != nil {
		os.RemoveAll(c.dir)
		return nil, err
	}
	return c, nil
}

// place is a cluster that is still to be filled: its folder, and whose it is.
func place() (*Cluster, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(found)
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil { // where the others are, too
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, ErrNone
	}
	dir, err := os.MkdirTemp("", "pg") // short: the path of a socket has 107 bytes
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: filepath.Dir(found[len(found)-1]), dir: dir, URL: "postgres://seedcorn@/postgres?host=" + url.QueryEscape(dir)}
	if err := c.disown(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

// disown gives the folder to somebody whom PostgreSQL lets run it.
func (c *Cluster) disown() error {
	if os.Getuid() == 0 { // which PostgreSQL refuses to be run by
		for _, name := range []string{"postgres", "nobody"} {
			who, err := user.Lookup(name)
			if err != nil {
				continue
			}
			uid, err1 := strconv.ParseUint(who.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(who.Gid, 10, 32)
			if err := errors.Join(err1, err2, os.Chown(c.dir, int(uid), int(gid))); err != nil {
				return err
			}
			c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			break
		}
	}
	return nil
}

func (c *Cluster) make(ctx context.Context) error {
	cmd := c.command(ctx, "initdb", "-D", filepath.Join(c.dir, "data"), "-U", "seedcorn", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (c *Cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.Env = c.dir, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if c.owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	}
	return cmd
}

// Up starts the server again after [Cluster.Down] and waits until it answers.
func (c *Cluster) Up(ctx context.Context) error {
	c.cmd = c.command(context.WithoutCancel(ctx), "postgres", "-D", filepath.Join(c.dir, "data"), "-k", c.dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB", "-c", "jit=off")
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	db, err := sql.Open("pgx", c.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	for range 600 {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond) // another process: there is nothing to wait on
	}
	return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w", err), c.Down(syscall.SIGQUIT))
}

// Down ends the server: with SIGQUIT at once, as a crash does, so that it recovers
// when it is next started; with SIGINT as an operator does, cutting connections.
// https://www.postgresql.org/docs/current/server-shutdown.html
func (c *Cluster) Down(how syscall.Signal) error {
	if c.cmd == nil {
		return nil
	}
	err := c.cmd.Process.Signal(how)
	_ = c.cmd.Wait() // its status says only that it was ended
	c.cmd = nil
	return err
}

// Stop ends the server and removes it.
func (c *Cluster) Stop() {
	_ = c.Down(syscall.SIGQUIT)
	os.RemoveAll(c.dir)
}
