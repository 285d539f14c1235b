package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A tx is a transaction that prepares each statement once.
type tx struct {
	*sql.Tx
	prepares bool
	stmts    map[string]*sql.Stmt
}

// update runs fn in one transaction: all of it is stored, or nothing. doing says
// for an error what was being done.
func (db *DB) update(ctx context.Context, doing string, fn func(*tx) error) error {
	raw, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return db.within(ctx, raw, doing, fn)
}

// durably is update for what must be known after a loss of power, too, before
// anything is done about it in the world. PostgreSQL keeps every commit. SQLite's log
// is otherwise brought to the disk at checkpoints only: a commit that is lost takes
// nothing else along (https://www.sqlite.org/pragma.html#pragma_synchronous). One that
// is kept keeps all before it.
func (db *DB) durably(ctx context.Context, doing string, fn func(*tx) error) (err error) {
	if db.path == "" {
		return db.update(ctx, doing, fn)
	}
	c, err := db.write.Conn(ctx) // the one writer: nobody comes between
	if err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	defer func() {
		// Left at FULL, it would only be slower.
		if _, fault := c.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = NORMAL"); fault != nil && err == nil {
			err = fmt.Errorf("%s: %w", doing, explain(fault))
		}
	}()
	raw, err := c.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return db.within(ctx, raw, doing, fn)
}

// within runs fn in a transaction and ends it.
func (db *DB) within(ctx context.Context, raw *sql.Tx, doing string, fn func(*tx) error) error {
	defer raw.Rollback() // after a commit it does nothing
	t := &tx{Tx: raw, prepares: db.engine.prepares(), stmts: map[string]*sql.Stmt{}}
	if err := fn(t); err != nil {
		if ctx.Err() != nil { // the engine's word for it differs; the caller's does not
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	if err := raw.Commit(); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return nil
}

// decide is update under the lock of those who decide about identity.
func (db *DB) decide(ctx context.Context, doing string, fn func(*tx) error) error {
	return db.update(ctx, doing, func(t *tx) error {
		if err := db.engine.lock(ctx, t); err != nil {
			return err
		}
		return fn(t)
	})
}

func (t *tx) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := t.stmts[text]; ok {
		return s, nil
	}
	s, err := t.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	t.stmts[text] = s // closed with the transaction
	return s, nil
}

func (t *tx) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if !t.prepares {
		return t.ExecContext(ctx, text, args...)
	}
	s, err := t.stmt(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (t *tx) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if !t.prepares {
		return t.QueryContext(ctx, text, args...)
	}
	s, err := t.stmt(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// A querier reads: a transaction, or the pool of readers.
type querier interface {
	query(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	// numbers reports whether arguments are $1, $2, … even in long lists. SQLite takes
	// them as names, and looking hundreds of names up is what a batch would spend its
	// time on; there, long lists have a bare ? for each.
	numbers() bool
}

func (t *tx) numbers() bool  { return !t.prepares }
func (db *DB) numbers() bool { return !db.engine.prepares() }

// query reads outside of a transaction, through a statement prepared once.
func (db *DB) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if !db.engine.prepares() {
		return db.read.QueryContext(ctx, text, args...)
	}
	if s, ok := db.stmts.Load(text); ok {
		return s.(*sql.Stmt).QueryContext(ctx, args...)
	}
	s, err := db.read.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if other, loaded := db.stmts.LoadOrStore(text, s); loaded {
		s.Close()
		s = other.(*sql.Stmt)
	}
	return s.QueryContext(ctx, args...)
}

// each calls fn for every row of a query. The rows are closed when it returns.
func each(ctx context.Context, q querier, text string, args []any, fn func(*sql.Rows) error) error {
	rows, err := q.query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// first scans the only row of a query, or returns [ErrNotFound].
func first(ctx context.Context, q querier, text string, args []any, dest ...any) error {
	found := false
	err := each(ctx, q, text, args, func(r *sql.Rows) error {
		found = true
		return r.Scan(dest...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// Lists and rows go to the engine in pieces of few sizes, so that few statements
// are prepared and none has more parameters than an engine takes (32,766 on
// SQLite, 65,535 on PostgreSQL).
var pieces = [...]int{64, 16, 4, 1}

// eachIn runs a query whose text holds "IN (?)" for all of values, piece by piece.
func eachIn[T any](ctx context.Context, q querier, text string, values []T, fn func(*sql.Rows) error) error {
	return eachAmong(ctx, q, text, nil, values, nil, fn)
}

// eachAmong is eachIn for a text with other arguments, before and after the list. In
// it "$" stands for the next of them.
func eachAmong[T any](ctx context.Context, q querier, text string, before []any, values []T, after []any, fn func(*sql.Rows) error) error {
	const most = 128
	for len(values) > 0 {
		n := min(len(values), most)
		size := 1
		for size < n {
			size *= 4
		}
		size = min(size, most)
		args := append(make([]any, 0, len(before)+size+len(after)), before...)
		for i := range size {
			args = append(args, values[min(i, n-1)]) // the last again: IN is a set
		}
		args = append(args, after...)
		if err := each(ctx, q, placeholders(q, strings.Replace(text, "(?)", "("+strings.Repeat(",$", size)[1:]+")", 1)), args, fn); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// bulk inserts a row for each value: head, then as many tuples as fit, then tail.
// In a tuple "$" stands for the next argument.
func bulk[T any](ctx context.Context, t *tx, head, tuple, tail string, values []T, row func(T) []any) error {
	width := strings.Count(tuple, "$")
	args := make([]any, 0, width*pieces[0])
	for _, size := range pieces {
		if len(values) < size {
			continue
		}
		text := head + placeholders(t, strings.Repeat(","+tuple, size)[1:]) + tail
		for len(values) >= size {
			args = args[:0]
			for _, v := range values[:size] {
				args = append(args, row(v)...)
			}
			if _, err := t.exec(ctx, text, args...); err != nil {
				return err
			}
			values = values[size:]
		}
	}
	return nil
}

// placeholders writes the bare "$" of text as q wants them.
func placeholders(q querier, text string) string {
	if !q.numbers() {
		return strings.ReplaceAll(text, "$", "?")
	}
	var b strings.Builder
	b.Grow(len(text) * 2)
	n := 0
	for i := range len(text) {
		b.WriteByte(text[i])
		if text[i] == '$' {
			n++
			b.WriteString(strconv.Itoa(n))
		}
	}
	return b.String()
}

// millis is how a moment is stored: Unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// clean makes a stranger's string fit for a TEXT column: PostgreSQL takes neither
// NUL nor invalid UTF-8. What is not valid is replaced as JSON replaces it, so that
// a key has one name before and after it was stored.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == 0 {
			return -1
		}
		return r // U+FFFD for each byte that is not valid
	}, s)
}

// encode writes JSON as we store it: without escapes for HTML, which nobody needs
// inside a database.
func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
