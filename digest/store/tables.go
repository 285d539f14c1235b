package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// A table is one of the schema's, as its engine describes it. Whoever handles the
// schema as a whole (see [Move]) asks for it, so that a table of tomorrow's is not
// forgotten.
type table struct {
	name    string
	columns []string
	key     []string // in whose order rows are read, and after which reading goes on
	parents []string // tables that its rows point to
}

// rebuilt are the tables that are made anew from others: in them the engines differ.
var rebuilt = map[string]bool{"search": true, "alike": true, "weekly": true, "weeks": true}

// foreign reports whether a table belongs to one of our libraries: the record of
// migrations, and the engine of the jobs, which begins again from our own tables.
func foreign(name string) bool {
	return name == "goose_db_version" || strings.HasPrefix(name, "river_")
}

// tables returns the tables of ours, parents first.
func (db *DB) tables(ctx context.Context) ([]table, error) {
	all, err := db.engine.tables(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", explain(err))
	}
	byName := map[string]table{}
	for _, t := range all {
		if !foreign(t.name) && !rebuilt[t.name] {
			byName[t.name] = t
		}
	}
	var out []table
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		t, ours := byName[name]
		if !ours || done[name] {
			return
		}
		done[name] = true
		for _, p := range t.parents {
			add(p)
		}
		out = append(out, t)
	}
	for _, name := range sortedKeys(byName) {
		add(name)
	}
	return out, nil
}

// tables asks SQLite: https://www.sqlite.org/pragma.html#pragma_table_list
func (sqlite) tables(ctx context.Context, q querier) ([]table, error) {
	var out []table
	bare := map[string]bool{} // WITHOUT ROWID
	err := each(ctx, q, "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name", nil, func(r *sql.Rows) error {
		var t table
		var wr bool
		err := r.Scan(&t.name, &wr)
		out, bare[t.name] = append(out, t), wr
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		t := &out[i]
		if err := each(ctx, q, "SELECT name, pk FROM pragma_table_info($1) ORDER BY cid", []any{t.name}, func(r *sql.Rows) error {
			var column string
			var pk int
			err := r.Scan(&column, &pk)
			t.columns = append(t.columns, column)
			if pk > 0 && bare[t.name] {
				t.key = append(t.key, column) // every key of ours is in the order of its columns
			}
			return err
		}); err != nil {
			return nil, err
		}
		if !bare[t.name] {
			t.key = []string{"rowid"} // as rows lie in the file
		}
		if t.parents, err = names(ctx, q, `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1) ORDER BY 1`, t.name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tables asks PostgreSQL: https://www.postgresql.org/docs/current/catalogs.html
func (postgres) tables(ctx context.Context, q querier) ([]table, error) {
	const in = "c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
	found, err := names(ctx, q, "SELECT c.relname FROM pg_class c WHERE "+in+" ORDER BY 1")
	if err != nil {
		return nil, err
	}
	out := make([]table, len(found))
	for i, name := range found {
		t := table{name: name}
		for _, ask := range []struct {
			into *[]string
			text string
		}{
			{&t.columns, "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE " + in + " AND c.relname = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"},
			{&t.key, `SELECT a.attname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
				CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (num, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num
				WHERE ` + in + " AND c.relname = $1 ORDER BY k.place"},
			{&t.parents, "SELECT DISTINCT p.relname FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid WHERE " + in + " AND f.contype = 'f' AND c.relname = $1 ORDER BY 1"},
		} {
			if *ask.into, err = names(ctx, q, ask.text, name); err != nil {
				return nil, err
			}
		}
		out[i] = t
	}
	return out, nil
}

// names reads one column of text.
func names(ctx context.Context, q querier, text string, args ...any) (out []string, err error) {
	err = each(ctx, q, text, args, func(r *sql.Rows) error {
		var s string
		err := r.Scan(&s)
		out = append(out, s)
		return err
	})
	return out, err
}

// sameTables says in what two lists of tables differ; nil if in nothing that matters.
func sameTables(a, b []table) error {
	shape := func(ts []table) map[string]string {
		out := map[string]string{}
		for _, t := range ts {
			columns := slices.Sorted(slices.Values(t.columns))
			out[t.name] = strings.Join(columns, ", ")
		}
		return out
	}
	x, y := shape(a), shape(b)
	for _, name := range sortedKeys(x) {
		if other, ok := y[name]; !ok || other != x[name] {
			return fmt.Errorf("table %s has the columns (%s) here and (%s) there", name, x[name], other)
		}
	}
	for _, name := range sortedKeys(y) {
		if _, ok := x[name]; !ok {
			return fmt.Errorf("table %s is there only", name)
		}
	}
	return nil
}
