//go:build unix

package cluster

import (
	"database/sql"
	"errors"
	"os"
	"testing"
)

// Two failovers, there and back: every row whose commit was acknowledged is there, and
// one address leads to whoever takes writes.
func TestPair(t *testing.T) {
	ctx := t.Context()
	p, err := StartPair(ctx)
	if errors.Is(err, ErrNone) && os.Getenv("SEEDCORN_TEST_REQUIRE") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE said (n INT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if _, err := db.ExecContext(ctx, "INSERT INTO said VALUES ($1)", n); err != nil {
			t.Fatal(err)
		}
		if n%8 != 7 {
			continue
		}
		was := p.primary
		if err := p.FailOver(ctx); err != nil {
			t.Fatal(err)
		}
		if p.primary == was {
			t.Error("the same one leads")
		}
		db.SetMaxIdleConns(0) // those that are open lead to the dead one
		db.SetMaxIdleConns(2)
		if err := p.Follow(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM said").Scan(&n); err != nil || n != 20 {
		t.Errorf("%d rows (%v), want 20", n, err)
	}
}
