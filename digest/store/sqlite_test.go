package store

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// What Open refuses, and in which words.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		location, want string
		is             error
	}{
		{"", `want sqlite:PATH or postgres://`, nil},
		{"mysql://u:secret@h/d", `"mysql"`, nil},
		{"sqlite:", "no path follows", nil},
		{"sqlite:" + dir, "is a directory", nil},
		{"sqlite:" + write("text", strings.Repeat("Not a database. ", 100)), "not a database", ErrDamaged},
		{"sqlite:" + write("file", "x") + "/seedcorn.db", "making its directory", nil},
		{"postgres://u:secret@127.0.0.1:1/d?sslmode=disable&connect_timeout=2", "127.0.0.1", nil},
		{"postgres://u:secret%zz@h/d", "percent-encoded", nil},
	} {
		db, err := Open(t.Context(), c.location)
		if err == nil {
			db.Close()
			t.Errorf("%s: no error", c.location)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q", c.location, err, c.want)
		}
		if !strings.HasPrefix(err.Error(), "opening the database: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.location, err)
		}
	}
}

// The folder is made for its owner only, whatever the path is called.
func TestOpenMakesFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b", "50%?#é")
	db, err := Open(t.Context(), "sqlite:"+filepath.Join(dir, "x?y#z%41.db"))
	if err != nil {
		t.Fatal(err)
	}
	ingest(t, db, entry("feed:a", "a", "A", 0))
	db.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v, want a folder for nobody else", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "x?y#z%41.db")); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	db := place{location: "sqlite::memory:"}.open(t)
	ingest(t, db, research()...)
	if got := groups(t, db); got != "code crosslist paper post weights | news rain | otherpaper" {
		t.Error(got)
	}
	audit(t, db)
}

// A database of tomorrow's program is left alone.
func TestNewerDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		if _, err := db.write.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, $1)", true); err != nil {
			t.Fatal(err)
		}
		again, err := Open(t.Context(), p.location)
		if err == nil {
			again.Close()
		}
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "number 99") {
			t.Errorf("%v, want %v", err, ErrNewer)
		}
	})
}

// Opening again applies nothing, and two programs may start on a new database at once.
func TestOpenTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		const n = 6
		errs := make(chan error, n)
		for range n {
			go func() {
				db, err := Open(context.Background(), p.location)
				if err == nil {
					_, err = db.Ingest(context.Background(), arrival(research()...))
					err = errors.Join(err, db.Close())
				}
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		db := p.open(t)
		if got := groups(t, db); got != "code crosslist paper post weights | news rain | otherpaper" {
			t.Error(got)
		}
	})
}

// Another program holds the file: a clear error, nothing stored, and all is well
// when it lets go.
func TestLocked(t *testing.T) {
	p := sqlitePlace(t)
	db := p.open(t, WithBusyTimeout(50*time.Millisecond))
	other, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(p.location, "sqlite:")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Ingest(t.Context(), arrival(research()...))
	if !errors.Is(err, ErrBusy) || !strings.HasPrefix(err.Error(), "storing what sources brought: the database is locked") {
		t.Errorf("locked: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if s, err := db.Stats(t.Context()); err != nil || s != (Stats{}) {
		t.Errorf("stored by halves: %+v, %v", s, err)
	}
	ingest(t, db, research()...)
}

// The disk is full: a clear error, and the batch that did not fit left no trace.
func TestFull(t *testing.T) {
	db := sqlitePlace(t).open(t, WithPragma("max_page_count(600)"))
	entries := world(20_000, 2)
	stored := 0
	var err error
	for part := range slices.Chunk(entries, 200) {
		if _, err = db.Ingest(t.Context(), arrival(part...)); err != nil {
			break
		}
		stored += len(part)
	}
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "storing what sources brought: no space is left") {
		t.Fatalf("after %d items: %v", stored, err)
	}
	if n, err := db.CountItems(t.Context()); err != nil || n != stored || stored == 0 {
		t.Errorf("%d items stored, %d were accepted (%v)", n, stored, err)
	}
	audit(t, db)
	if _, err := Open(t.Context(), sqlitePlace(t).location, WithPragma("max_page_count(8)")); !errors.Is(err, ErrFull) {
		t.Errorf("no room for the tables: %v", err)
	}
}

// Ctrl-C in the middle of a batch leaves the batch out altogether.
func TestCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		entries := world(3000, 4)
		ingest(t, db, entries[:500]...)
		canceled := 0
		for i := range 12 {
			before, err := db.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				time.Sleep(time.Duration(1<<i) * 100 * time.Microsecond) // somewhere in the middle
				cancel()
			}()
			_, err = db.Ingest(ctx, arrival(entries...))
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("canceled: %v", err)
			}
			canceled++
			if after, err := db.Stats(t.Context()); err != nil || after != before {
				t.Fatalf("canceled after %d×100 µs: stored by halves: %+v became %+v (%v)", 1<<i, before, after, err)
			}
		}
		if canceled == 0 {
			t.Error("nothing was canceled")
		}
		ingest(t, db, entries...)
		if n, err := db.CountItems(t.Context()); err != nil || n != len(entries) {
			t.Errorf("%d items, want %d (%v)", n, len(entries), err)
		}
	})
}

// again runs this test binary as another process.
func again(job, location string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SEEDCORN_TEST_CHILD="+job, "SEEDCORN_TEST_LOCATION="+location)
	return cmd
}

// The process is killed while it writes: what it had stored is there, whole.
func TestKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		cmd := again("ingest", p.location)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		last := ""
		for lines.Scan() {
			last = lines.Text()
			if last == "stored 2000" {
				time.Sleep(20 * time.Millisecond) // into the next batch
				cmd.Process.Kill()
				break
			}
		}
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err == nil || last != "stored 2000" {
			t.Fatalf("the child was not killed: %s", last)
		}
		if s := strings.Fields(string(rest)); len(s) > 0 {
			last = s[len(s)-1]
		}
		db := p.open(t)
		n, err := db.CountItems(t.Context())
		if err != nil || n < 2000 || n%400 != 0 {
			t.Errorf("%d items of batches of 400 after %q (%v)", n, last, err)
		}
		var check string
		if p.name == "sqlite" {
			if err := first(t.Context(), db, "PRAGMA integrity_check", nil, &check); err != nil || check != "ok" {
				t.Errorf("integrity: %s, %v", check, err)
			}
			if _, err := db.write.ExecContext(t.Context(), "INSERT INTO search (search) VALUES ('integrity-check')"); err != nil {
				t.Errorf("integrity of the index: %v", err)
			}
		}
		if t.Failed() {
			return
		}
		audit(t, db)
		ingest(t, db, world(n+400, 3)[n:]...)
	})
}

// A file that may not be written: somebody without rights opens it.
func TestReadOnly(t *testing.T) {
	dir, err := os.MkdirTemp("", "ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700); os.RemoveAll(dir) })
	path := filepath.Join(dir, "seedcorn.db")
	db := place{location: "sqlite:" + path}.open(t)
	ingest(t, db, research()...)
	db.Close()
	binary := filepath.Join(dir, "child") // where the other user may run it
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := again("open", "sqlite:"+path)
	cmd.Path, cmd.Args, cmd.Dir = binary, []string{binary}, dir
	if err := notRoot(cmd, dir); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{path: 0o400, dir: 0o500} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "open: opening the database: the database is read-only") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestBackup(t *testing.T) {
	p := sqlitePlace(t)
	db := p.open(t)
	ingest(t, db, research()...)
	outgoing(t, db, "s1", "c1", 2)
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	copied := place{location: "sqlite:" + path}.open(t)
	if got, want := groups(t, copied), groups(t, db); got != want {
		t.Errorf("the copy has %s, want %s", got, want)
	}
	audit(t, copied)
	// Life goes on in the copy: the same entries change nothing, new ones come in, and
	// what was on its way is sent from here.
	before, err := copied.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ingest(t, copied, research()...)
	if after, err := copied.Stats(t.Context()); err != nil || after != before {
		t.Errorf("the same entries again made %+v of %+v (%v)", after, before, err)
	}
	ingest(t, copied, entry("arxiv:cs.CL", "new", "A paper that came after the restore", 0))
	if after, err := copied.Stats(t.Context()); err != nil || after.Works != before.Works+1 {
		t.Errorf("a new entry made %+v of %+v (%v)", after, before, err)
	}
	if got := claim(t, copied, time.Minute, 9); len(got) != 1 {
		t.Errorf("%d deliveries go out from the copy, want the first part of the digest that was on its way", len(got))
	}
	audit(t, copied)
	if err := db.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	if err := db.Backup(t.Context(), filepath.Join(t.TempDir(), "none", "copy.db")); err == nil {
		t.Error("into no folder: no error")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".backup-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	memory := place{location: "sqlite::memory:"}.open(t)
	ingest(t, memory, research()...)
	if err := memory.Backup(t.Context(), filepath.Join(t.TempDir(), "m.db")); err != nil {
		t.Errorf("of a database in memory: %v", err)
	}
}

// An unchanged round costs one small write, however many sources there are.
func TestUnchangedRoundIsOneWrite(t *testing.T) {
	db := sqlitePlace(t).open(t)
	var sources []feeds.Source
	var visits []digest.Visit
	for i := range 2000 {
		id := feeds.SourceID("feed:" + word(uint64(i)))
		sources = append(sources, feeds.Source{ID: id, Kind: feeds.KindFeed, URL: string(id)})
		visits = append(visits, digest.Visit{Source: id, At: t0, Unchanged: true})
	}
	if err := db.PutSources(t.Context(), sources); err != nil {
		t.Fatal(err)
	}
	if err := db.Looked(t.Context(), visits); err != nil {
		t.Fatal(err)
	}
	if _, err := db.write.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	for i := range visits {
		visits[i].At = t0.Add(time.Hour)
	}
	if err := db.Looked(t.Context(), visits); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 500_000 {
		t.Errorf("2,000 unchanged sources wrote %d bytes", info.Size())
	}
	if due, err := db.DueSources(t.Context(), t0.Add(119*time.Minute)); err != nil || len(due) != 0 {
		t.Errorf("%d due (%v)", len(due), err)
	}
}

// A batch becomes one segment of the index, however the dates of its entries lie:
// written one by one, out of order, or several rows to a statement, each entry
// would become a segment of its own, to be merged with the others at great cost.
func TestBatchIsOneSegment(t *testing.T) {
	db := sqlitePlace(t).open(t)
	entries := world(1200, 6)
	for i := range entries { // newest first, as feeds have them
		entries[i].Item.Published = t0.Add(-time.Duration(i) * time.Hour)
	}
	for batches := 1; len(entries) > 0; batches++ {
		ingest(t, db, entries[:400]...)
		entries = entries[400:]
		var segments int
		if err := first(t.Context(), db, "SELECT COUNT(DISTINCT segid) FROM search_idx", nil, &segments); err != nil {
			t.Fatal(err)
		}
		if segments != batches {
			t.Errorf("%d batches are %d segments", batches, segments)
		}
	}
}

// At rest, segments of a size are merged once there are four, and what is found stays
// the same.
func TestRestMergesSegments(t *testing.T) {
	db := sqlitePlace(t).open(t)
	segments := func() (n int) {
		t.Helper()
		if err := first(t.Context(), db, "SELECT COUNT(DISTINCT segid) FROM search_idx", nil, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, want := range []int{1, 2, 3, 1} {
		ingest(t, db, world(1200, 6)[i*300:(i+1)*300]...)
		for more := true; more; {
			var err error
			if more, err = db.mergeSome(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := segments(); n != want {
			t.Errorf("%d segments after %d batches and a rest, want %d", n, i+1, want)
		}
	}
	if err := db.Rest(t.Context()); err != nil {
		t.Error(err)
	}
	audit(t, db)
}

// Who opened the file for itself has it for itself, and finds out who has not closed
// it, even if they do nothing.
func TestExclusively(t *testing.T) {
	p := sqlitePlace(t)
	idle := p.open(t)
	if _, err := Open(t.Context(), p.location, Exclusively()); !errors.Is(err, ErrBusy) {
		t.Errorf("beside one that does nothing: %v", err)
	}
	idle.Close()
	alone := p.open(t, Exclusively())
	for _, opts := range [][]Option{{Exclusively()}, {WithBusyTimeout(50 * time.Millisecond)}} {
		if db, err := Open(t.Context(), p.location, opts...); !errors.Is(err, ErrBusy) {
			t.Errorf("beside one that has it for itself: %v", err)
			db.Close()
		}
	}
	if err := alone.SetMeta(t.Context(), "x", "y"); err != nil {
		t.Error(err)
	}
	alone.Close()
	p.open(t)
}

// What must outlive a loss of power is brought to the disk by its commit, and nothing
// else is slowed down by that.
func TestDurably(t *testing.T) {
	db := sqlitePlace(t).open(t)
	level := func(q interface {
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	},
	) (n int) {
		t.Helper()
		if err := q.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const normal, full = 1, 2 // https://www.sqlite.org/pragma.html#pragma_synchronous
	failed := errors.New("failed")
	for _, outcome := range []error{nil, failed} {
		err := db.durably(t.Context(), "testing", func(tx *tx) error {
			if got := level(tx); got != full {
				t.Errorf("within: synchronous is %d, want %d", got, full)
			}
			return outcome
		})
		if !errors.Is(err, outcome) {
			t.Errorf("%v, want %v", err, outcome)
		}
		if got := level(db.write); got != normal {
			t.Errorf("after %v: synchronous is %d, want %d", outcome, got, normal)
		}
	}
	if err := db.update(t.Context(), "testing", func(tx *tx) error {
		if got := level(tx); got != normal {
			t.Errorf("of others: synchronous is %d, want %d", got, normal)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
