package store

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// What a caller may want to tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrNewer    = errors.New("the database was made by a newer version of this program")
	ErrBusy     = errors.New("the database is locked by another process")
	ErrReadOnly = errors.New("the database is read-only")
	ErrFull     = errors.New("no space is left for the database")
	ErrAway     = errors.New("the database does not answer")
	ErrDamaged  = errors.New("the file is not a database, or is damaged")
)

// explain puts the sentence that a person needs in front of what an engine said.
func explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var s *driver.Error
	if errors.As(err, &s) {
		// The low byte is the primary code: https://www.sqlite.org/rescode.html
		switch s.Code() & 0xff {
		case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
			return fmt.Errorf("%w: %w", ErrBusy, err)
		case lib.SQLITE_READONLY:
			return fmt.Errorf("%w: %w", ErrReadOnly, err)
		case lib.SQLITE_FULL:
			return fmt.Errorf("%w: %w", ErrFull, err)
		case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		case lib.SQLITE_INTERRUPT:
			return fmt.Errorf("%w: %w", context.Canceled, err)
		}
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		// https://www.postgresql.org/docs/current/errcodes-appendix.html
		switch p.Code {
		case "57P01", "57P02", "57P03", "08000", "08003", "08006":
			return fmt.Errorf("%w: %w", ErrAway, err)
		case "25006":
			return fmt.Errorf("%w: %w", ErrReadOnly, err)
		case "53100":
			return fmt.Errorf("%w: %w", ErrFull, err)
		case "55P03", "40P01":
			return fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return err
	}
	// A connection that ended, or that could not be made.
	var c *pgconn.ConnectError
	var n net.Error
	if errors.As(err, &c) || errors.As(err, &n) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

// Failed reports whether an error is one of the database itself, which will do when it is
// well again, and not of what it was asked.
func Failed(err error) bool {
	for _, kind := range []error{ErrAway, ErrBusy, ErrReadOnly, ErrFull} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
