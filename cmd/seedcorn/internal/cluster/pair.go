//go:build unix

package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Pair is a server and one that follows it: what is committed on the one has reached
// the other before anybody is told (https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION),
// so that nothing is lost when the other takes over.
type Pair struct {
	URL string // of both: whoever asks finds the one that takes writes

	primary, standby *Cluster // the standby is nil between a failover and Follow
	spare            *Cluster // the folder of the one that died, then
}

// StartPair makes a pair and waits until the second follows the first.
func StartPair(ctx context.Context) (*Pair, error) {
	one, err := Start(ctx)
	if err != nil {
		return nil, err
	}
	p := &Pair{primary: one}
	if p.spare, err = place(); err != nil {
		p.Stop()
		return nil, err
	}
	p.URL = "postgres://seedcorn@/postgres?target_session_attrs=read-write&host=" + url.QueryEscape(one.dir+","+p.spare.dir)
	if err := p.Follow(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Follow makes the one that is down a copy of the one that is up, which waits for it from
// then on.
func (p *Pair) Follow(ctx context.Context) error {
	s := p.spare
	data := filepath.Join(s.dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	cmd := s.command(ctx, "pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h", p.primary.dir, "-U", "seedcorn")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	// Whom the one waits for is nothing for its copy, which would wait for itself.
	auto := filepath.Join(data, "postgresql.auto.conf")
	b, err := os.ReadFile(auto)
	if err != nil {
		return err
	}
	var keep []string
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "synchronous_standby_names") {
			keep = append(keep, line)
		}
	}
	if err := os.WriteFile(auto, []byte(strings.Join(keep, "")), 0o600); err != nil {
		return err
	}
	if err := s.Up(ctx); err != nil {
		return err
	}
	p.standby, p.spare = s, nil
	return p.wait(ctx)
}

// wait has the one wait for the other, and returns when it does.
func (p *Pair) wait(ctx context.Context) error {
	db, err := sql.Open("pgx", p.primary.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	for range 600 {
		n := 0
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'").Scan(&n); err != nil {
			return err
		}
		if n == 1 {
			return nil
		}
		time.Sleep(50 * time.Millisecond) // another process: there is nothing to wait on
	}
	return errors.New("the second server does not follow")
}

// FailOver ends the one as a crash does and has the other take over. It returns when that
// one takes writes; nobody follows it yet.
func (p *Pair) FailOver(ctx context.Context) error {
	dead, next := p.primary, p.standby
	if next == nil {
		return errors.New("there is nobody to take over")
	}
	if err := dead.Down(syscall.SIGQUIT); err != nil {
		return err
	}
	cmd := next.command(ctx, "pg_ctl", "promote", "-w", "-D", filepath.Join(next.dir, "data"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_ctl promote: %w\n%s", err, out)
	}
	p.primary, p.standby, p.spare = next, nil, dead
	return nil
}

// Stop ends both and removes them.
func (p *Pair) Stop() {
	for _, c := range []*Cluster{p.primary, p.standby, p.spare} {
		if c != nil {
			c.Stop()
		}
	}
}
