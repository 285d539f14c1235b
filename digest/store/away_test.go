package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A server that is not there is told from an answer that is no: the one passes.
func TestAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := Open(ctx, "postgres://seedcorn@127.0.0.1:1,127.0.0.1:2/x?sslmode=disable&target_session_attrs=read-write")
	if !errors.Is(err, ErrAway) || !Failed(err) {
		t.Errorf("nobody there: %v", err)
	}
	for code, passes := range map[string]bool{"57P01": true, "57P03": true, "25006": true, "53100": true, "40P01": true, "42P01": false, "23505": false} {
		if err := explain(fmt.Errorf("asking: %w", &pgconn.PgError{Code: code})); Failed(err) != passes {
			t.Errorf("%s: %v", code, err)
		}
	}
	if Failed(explain(context.Canceled)) || Failed(ErrNotFound) || Failed(nil) {
		t.Error("what is no failure counts as one")
	}
}
