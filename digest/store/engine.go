package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"seedcorn/digest/query"
)

// An engine is where SQLite and PostgreSQL differ. Everything else is one text.
type engine interface {
	name() string
	dialect() goose.Dialect
	// notMine names the migrations of the other engine.
	notMine() []string
	// prepares reports whether statements must be prepared by hand to be fast. pgx
	// keeps prepared statements on its own.
	prepares() bool
	// lock takes the lock of everyone who decides about identity, until t ends.
	lock(ctx context.Context, t *tx) error
	// clock is the question for the time that every process which shares the database
	// agrees on, in Unix microseconds; "" where that is the machine's.
	clock() string
	// gathers reports whether the index gathers all that a prefix stands for before it
	// gives the first hit.
	gathers() bool
	// match writes a plan's expression in the language of the index.
	match(e query.Expr) string
	// hits returns the next n search ids of a scan, newest first; fewer at its end.
	hits(ctx context.Context, db *DB, s *scan, n int) ([]int64, error)
	// index and unindex write and remove search entries.
	index(ctx context.Context, t *tx, entries []indexed) error
	unindex(ctx context.Context, t *tx, ids []int64) error
	unindexAll(ctx context.Context, t *tx) error
	// tables describes the schema.
	tables(ctx context.Context, q querier) ([]table, error)
	// What moving needs: whether nobody else has the database open, which one it is,
	// how to see one state of it, and what is to be done once it is full.
	alone(ctx context.Context, db *DB) error
	whereabouts(ctx context.Context, db *DB) (string, error)
	snapshot() *sql.TxOptions
	settle(ctx context.Context, db *DB) error
	// size is the question for the bytes that everything takes.
	size() string
}

// An indexed is a work's entry in the index.
type indexed struct {
	id    int64
	terms string // joined by spaces
}

// Lock ids of ours on PostgreSQL ("seed" and "corn" in ASCII). The second number
// of an identity lock is the schema's, so that two in one database don't wait for
// one another.
const (
	lockMigrate  = 0x73656564_636f726e
	lockIdentity = 0x73656564
)

type sqlite struct{}

func (sqlite) name() string           { return "sqlite" }
func (sqlite) dialect() goose.Dialect { return goose.DialectSQLite3 }
func (sqlite) notMine() []string {
	return []string{"00002_index_postgres.sql", "00015_weeks_postgres.sql"}
}
func (sqlite) prepares() bool { return true }

// gathers: FTS5 merges the lists of all terms with a prefix in memory, at a million
// works for up to seconds, unless it keeps an index of prefixes, which would double
// what writing costs (https://www.sqlite.org/fts5.html#prefix_indexes).
func (sqlite) gathers() bool { return true }

// lock has nothing to do: transactions begin IMMEDIATE, and there is one writer.
func (sqlite) lock(context.Context, *tx) error { return nil }

// clock is the machine's: who shares the file shares the machine.
func (sqlite) clock() string { return "" }

func (sqlite) index(ctx context.Context, t *tx, entries []indexed) error {
	// FTS5 gathers a batch in memory and writes it as one segment, unless it must
	// write earlier: when a row id is not greater than the last, or when a statement
	// opens a savepoint, as one that inserts several rows does. So: in order, and one
	// by one (TestBatchIsOneSegment).
	for _, e := range entries {
		if _, err := t.exec(ctx, "INSERT INTO search (rowid, terms) VALUES ($1, $2)", e.id, e.terms); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) unindex(ctx context.Context, t *tx, ids []int64) error {
	for _, id := range ids {
		if _, err := t.exec(ctx, "DELETE FROM search WHERE rowid = $1", id); err != nil {
			return err
		}
	}
	return nil
}

// match writes FTS5's query syntax: https://www.sqlite.org/fts5.html#full_text_query_syntax
func (e sqlite) match(x query.Expr) string {
	var b strings.Builder
	e.write(&b, x)
	return b.String()
}

func (e sqlite) write(b *strings.Builder, x query.Expr) {
	list := func(parts []query.Expr, word string) {
		b.WriteByte('(')
		for i, p := range parts {
			if i > 0 {
				b.WriteString(word)
			}
			e.write(b, p)
		}
		b.WriteByte(')')
	}
	switch x := x.(type) {
	case query.Term:
		b.WriteString(`"` + strings.ReplaceAll(x.Text, `"`, `""`) + `"`)
		if x.Prefix {
			b.WriteByte('*')
		}
	case query.Any:
		list(x, " OR ")
	case query.None:
		e.write(b, query.All{x})
	case query.All:
		// NOT takes two sides: what is wanted, without what is not.
		wanted, not := sides(x)
		b.WriteByte('(')
		list(wanted, " AND ")
		if len(not) > 0 {
			b.WriteString(" NOT ")
			list(not, " OR ")
		}
		b.WriteByte(')')
	}
}

// sides splits a conjunction into what is wanted and what is not. What is wanted
// is never empty.
func sides(all query.All) (wanted, not []query.Expr) {
	for _, p := range all {
		if n, ok := p.(query.None); ok {
			not = append(not, n.Part)
		} else {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		wanted = []query.Expr{query.Term{Text: query.Everything}}
	}
	return wanted, not
}

type postgres struct{}

func (postgres) name() string           { return "postgres" }
func (postgres) dialect() goose.Dialect { return goose.DialectPostgres }
func (postgres) notMine() []string {
	return []string{"00002_index_sqlite.sql", "00015_weeks_sqlite.sql"}
}
func (postgres) prepares() bool { return false }

// gathers: the newest works are asked one by one first in any case (see window).
func (postgres) gathers() bool { return false }

func (postgres) lock(ctx context.Context, t *tx) error {
	_, err := t.exec(ctx, "SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))", lockIdentity)
	return err
}

func (postgres) clock() string {
	return "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
}

func (postgres) index(ctx context.Context, t *tx, entries []indexed) error {
	return bulk(ctx, t, "INSERT INTO search (search_id, terms) VALUES", "($,array_to_tsvector(string_to_array($,' ')))", "", entries, func(e indexed) []any {
		return []any{e.id, e.terms}
	})
}

func (postgres) unindex(ctx context.Context, t *tx, ids []int64) error {
	_, err := t.exec(ctx, "DELETE FROM search WHERE search_id = ANY($1)", ids)
	return err
}

// match writes a tsquery: https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY
func (e postgres) match(x query.Expr) string {
	var b strings.Builder
	e.write(&b, x)
	return b.String()
}

func (e postgres) write(b *strings.Builder, x query.Expr) {
	list := func(parts []query.Expr, word string) {
		b.WriteByte('(')
		for i, p := range parts {
			if i > 0 {
				b.WriteString(word)
			}
			e.write(b, p)
		}
		b.WriteByte(')')
	}
	switch x := x.(type) {
	case query.Term:
		b.WriteString("'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(x.Text) + "'")
		if x.Prefix {
			b.WriteString(":*")
		}
	case query.Any:
		list(x, " | ")
	case query.None:
		e.write(b, query.All{x})
	case query.All:
		wanted, not := sides(x)
		b.WriteByte('(')
		list(wanted, " & ")
		if len(not) > 0 {
			b.WriteString(" & !")
			list(not, " | ")
		}
		b.WriteByte(')')
	}
}
