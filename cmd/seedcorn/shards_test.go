//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"seedcorn/cmd/seedcorn/internal/hostile"
)

// ownSchema is a PostgreSQL database of the test's own: a schema on the server that
// SEEDCORN_TEST_POSTGRES names.
func ownSchema(t *testing.T) (location string) {
	t.Helper()
	server := os.Getenv("SEEDCORN_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatal("SEEDCORN_TEST_REQUIRE=1 and SEEDCORN_TEST_POSTGRES is not set")
		}
		t.Skip("SEEDCORN_TEST_POSTGRES is not set")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("seedcorn_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
		_ = admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// Processes on one database share Discord's shards: each is connected once, what is
// asked in it is answered once, and those of a process that is killed, or ends, the
// others take.
func TestShardsOverProcesses(t *testing.T) {
	t.Parallel()
	const shards = 4
	location := ownSchema(t)
	db, err := sql.Open("pgx", location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d, err := hostile.NewDiscord(hostile.Rules{Token: "token-of-a-test", Shards: shards, Least: shards, Places: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)

	type process struct {
		cmd   *exec.Cmd
		log   *lockedBuffer
		ended chan error
	}
	start := func() *process {
		p := &process{exec.CommandContext(t.Context(), "seedcorn", "serve", "--role", "bot"), &lockedBuffer{}, make(chan error, 1)}
		p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
		p.cmd.Env = append(os.Environ(), "SEEDCORN_DATABASE_URL="+location, "SEEDCORN_LISTEN=127.0.0.1:0", "SEEDCORN_DISCORD_URL="+d.URL, "SEEDCORN_DISCORD_TOKEN=token-of-a-test")
		p.cmd.WaitDelay = 20 * time.Second
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { p.ended <- p.cmd.Wait() }()
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("process %d said:\n%s", p.cmd.Process.Pid, p.log.String())
			}
		})
		return p
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come about; connected: %v", what, d.Shards())
			}
		}
	}
	all := []string{"0 of 4", "1 of 4", "2 of 4", "3 of 4"}
	settled := func(each ...int) {
		t.Helper()
		until(fmt.Sprintf("%v shards by process", each), func() bool {
			rows, err := db.Query("SELECT COUNT(*) FROM shards GROUP BY holder")
			if err != nil {
				return false // there is no such table yet
			}
			defer rows.Close()
			var got []int
			for rows.Next() {
				var n int
				if rows.Scan(&n) != nil {
					return false
				}
				got = append(got, n)
			}
			slices.Sort(got)
			return rows.Err() == nil && slices.Equal(got, each) && slices.Equal(d.Shards(), all)
		})
	}
	asked := 0
	answered := func(id string) (n int) {
		for _, a := range d.Answers() {
			if a.Path == "interactions/"+id+"/callback" {
				n++
			}
		}
		return n
	}
	ask := func(shard int) (id string) {
		t.Helper()
		asked++
		id = fmt.Sprint(500000000000000000 + asked)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := d.Dispatch(ctx, "INTERACTION_CREATE", map[string]any{
			"id": id, "application_id": "900000000000000002", "type": 2, "token": "secret", "version": 1, "channel_id": "100000000000000001",
			"guild_id": fmt.Sprint(uint64(1000*shards+shard) << 22), "member": map[string]any{"user": map[string]any{"id": "300000000000000001", "username": "ada"}, "permissions": "0"},
			"data": map[string]any{"id": "1", "name": "digest", "type": 1, "options": []any{map[string]any{"name": "help", "type": 1}}},
		}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	// Each shard is asked until it answers: what reaches a connection that is about to
	// end, as on a machine that does much else, is lost with it.
	everywhere := func() {
		t.Helper()
		for shard := range shards {
			until("an answer in shard "+fmt.Sprint(shard), func() bool {
				id := ask(shard)
				for range 400 {
					if answered(id) > 0 {
						return true
					}
					time.Sleep(50 * time.Millisecond)
				}
				return false
			})
		}
	}

	a := start()
	settled(4)
	everywhere()
	b, c := start(), start()
	settled(1, 1, 2)
	everywhere()
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	settled(2, 2)
	everywhere()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-b.ended; err != nil {
		t.Errorf("told to stop, a process ended with %v", err)
	}
	settled(4)
	everywhere()
	// There are more servers: the gateway takes no fewer than five any more.
	d.Change(func(r *hostile.Rules) { r.Shards, r.Least = 5, 5 })
	all = append([]string{}, "0 of 5", "1 of 5", "2 of 5", "3 of 5", "4 of 5")
	d.Forget()
	d.Cut()
	settled(5)
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-c.ended; err != nil {
		t.Errorf("told to stop, a process ended with %v", err)
	}

	for n := range asked {
		if id := fmt.Sprint(500000000000000001 + n); answered(id) > 1 {
			t.Errorf("what was asked as number %d was answered %d times", n+1, answered(id))
		}
	}
	if s := d.Sessions(); s.Hasty > 0 {
		t.Errorf("of %d sessions %d were begun out of turn", s.Begun, s.Hasty)
	}
	var left int
	if err := db.QueryRow("SELECT COUNT(*) FROM shards").Scan(&left); err != nil || left > 0 {
		t.Errorf("%d shards are held by nobody who lives, %v", left, err)
	}
	for _, p := range []*process{a, b, c} {
		if strings.Contains(p.log.String(), "DATA RACE") {
			t.Errorf("a race:\n%s", p.log.String())
		}
	}
}
