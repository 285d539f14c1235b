package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/digest"
)

// What may be in the way of a move.
var (
	// ErrOccupied is the error of moving into a database that holds something else.
	ErrOccupied = errors.New("the target holds something else")
	// ErrChanged is the error of a move after which the two databases differ: one of
	// them was written to meanwhile.
	ErrChanged = errors.New("the two databases differ")
)

// A Mover takes everything from one database to another, of either engine.
type Mover struct {
	From, To *DB
	// Again empties the target first, whatever it holds.
	Again bool
	// Progress is told how far each table is. It may be nil.
	Progress func(table string, done, total int)
	Now      func() time.Time

	rows int // of a batch; 0 means moveRows
}

// Moved is what one table came to, on both sides. Sum does not depend on the order
// of rows.
type Moved struct {
	Table string
	Rows  int
	Sum   string
}

// A progress is what the target remembers of a move, written with the rows that it
// speaks of: whoever comes after a kill goes on behind them.
type progress struct {
	From  string `json:"from"`            // identity of the source
	Table string `json:"table,omitempty"` // that was being filled; "" before the first
	After []any  `json:"after,omitempty"` // the key of its last row
	Done  bool   `json:"done,omitempty"`
}

// What meta holds for moves. None is taken along.
const (
	metaMove     = "move"     // of a target: a progress
	metaIdentity = "identity" // of a source: its name
	metaMoved    = "moved"    // of a source: when it was moved, in Unix milliseconds
)

// indexStep is the name under which a progress speaks of the index.
const indexStep = "search"

// Of rows a batch takes so many, or so many bytes: the memory of a move is bounded by
// one batch, and what a kill undoes, too.
const (
	moveRows  = 2000
	moveBytes = 4 << 20
)

// Move copies every table of ours, makes the index anew in the target's own kind, and
// compares the two sides row by row. What is on its way is taken along; jobs are not,
// since they are made from what is.
//
// It can be killed and run again: it goes on where it was. Run again after its end it
// compares, and changes nothing. [ErrBusy] if another process has one of the two
// open, as far as that can be told (a SQLite file must have been opened
// [Exclusively]); [ErrOccupied] if the target holds anything that is not of an
// unfinished move from this source, unless Again; [ErrChanged] if the two differ in
// the end. In the target nothing may be used after an error.
func (m *Mover) Move(ctx context.Context) ([]Moved, error) {
	moved, err := m.move(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return moved, fmt.Errorf("moving: %w", explain(err))
	}
	return moved, nil
}

func (m *Mover) move(ctx context.Context) ([]Moved, error) {
	for _, side := range []struct {
		db   *DB
		what string
	}{{m.From, "the source"}, {m.To, "the target"}} {
		if err := side.db.engine.alone(ctx, side.db); err != nil {
			return nil, fmt.Errorf("%s: %w", side.what, err)
		}
	}
	here, err := m.From.engine.whereabouts(ctx, m.From)
	if err != nil {
		return nil, err
	}
	if there, err := m.To.engine.whereabouts(ctx, m.To); err != nil || here == there {
		return nil, cmp.Or(err, errors.New("source and target are the same database"))
	}
	from, err := m.From.tables(ctx)
	if err != nil {
		return nil, err
	}
	to, err := m.To.tables(ctx)
	if err != nil {
		return nil, err
	}
	if err := sameTables(from, to); err != nil {
		return nil, err
	}
	name, err := m.From.identity(ctx)
	if err != nil {
		return nil, err
	}
	p, err := m.begin(ctx, name, from, to)
	if err != nil {
		return nil, err
	}
	// One snapshot of the source, so that what a process writes of which we could not
	// know does not come half.
	var moved []Moved
	err = m.From.snapshot(ctx, func(t *tx) error {
		if !p.Done {
			if err := m.copy(ctx, t, from, &p); err != nil {
				return err
			}
		}
		moved, err = m.compare(ctx, t, from, to)
		return err
	})
	if err == nil {
		err = m.To.engine.settle(ctx, m.To)
	}
	if err != nil || p.Done {
		return moved, err
	}
	if err := m.note(ctx, progress{From: name, Done: true}); err != nil {
		return moved, err
	}
	return moved, m.From.SetMeta(ctx, metaMoved, strconv.FormatInt(millis(m.Now()), 10))
}

// MovedAway returns when everything in this database was moved to another one, the
// zero time if it was not. Two processes on the two would say everything twice.
func (db *DB) MovedAway(ctx context.Context) (time.Time, error) {
	text, err := db.Meta(ctx, metaMoved)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	return fromMillis(ms), err
}

// identity is the name of a database, given to it by the first move from it.
func (db *DB) identity(ctx context.Context) (string, error) {
	name, err := db.Meta(ctx, metaIdentity)
	if err != nil || name != "" {
		return name, err
	}
	name = rand.Text()
	return name, db.SetMeta(ctx, metaIdentity, name)
}

func (m *Mover) note(ctx context.Context, p progress) error {
	text, err := encode(p)
	if err != nil {
		return err
	}
	return m.To.SetMeta(ctx, metaMove, text)
}

// begin decides where to go on, and empties the target where it must.
func (m *Mover) begin(ctx context.Context, name string, from, to []table) (progress, error) {
	var p progress
	text, err := m.To.Meta(ctx, metaMove)
	if err != nil {
		return p, err
	}
	if text != "" {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber() // a key may have more digits than a float
		if err := d.Decode(&p); err != nil {
			return p, fmt.Errorf("reading how far the last move came: %w", err)
		}
		for i, v := range p.After {
			if n, ok := v.(json.Number); ok {
				if p.After[i], err = n.Int64(); err != nil {
					return p, fmt.Errorf("reading how far the last move came: %w", err)
				}
			}
		}
	}
	known := p.Table == "" || p.Table == indexStep || slices.ContainsFunc(from, func(t table) bool { return t.name == p.Table })
	if p.From == name && known && !m.Again {
		return p, nil
	}
	if !m.Again {
		for _, t := range to {
			n, err := m.To.count(ctx, m.To, t)
			if err != nil {
				return p, err
			}
			if n > 0 {
				return p, fmt.Errorf("%w: %d rows of %s", ErrOccupied, n, t.name)
			}
		}
	}
	p = progress{From: name}
	return p, m.To.update(ctx, "emptying the target", func(t *tx) error {
		for i := len(to) - 1; i >= 0; i-- {
			if _, err := t.exec(ctx, "DELETE FROM "+to[i].name); err != nil {
				return err
			}
		}
		if err := m.To.engine.unindexAll(ctx, t); err != nil {
			return err
		}
		return p.save(ctx, t)
	})
}

func (p progress) save(ctx context.Context, t *tx) error {
	text, err := encode(p)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", metaMove, text)
	return err
}

// copy fills the tables that are not full yet, then the index.
func (m *Mover) copy(ctx context.Context, t *tx, tables []table, p *progress) error {
	begun := slices.IndexFunc(tables, func(t table) bool { return t.name == p.Table })
	if p.Table == indexStep {
		begun = len(tables)
	}
	for i, tab := range tables {
		if i < begun {
			continue
		}
		if i > begun {
			p.Table, p.After = tab.name, nil
		}
		if err := m.copyTable(ctx, t, tab, p); err != nil {
			return fmt.Errorf("table %s: %w", tab.name, err)
		}
	}
	if p.Table != indexStep {
		p.Table, p.After = indexStep, nil
	}
	if err := m.index(ctx, t, p); err != nil {
		return fmt.Errorf("the search index: %w", err)
	}
	return nil
}

// copyTable copies the rows behind p.After.
func (m *Mover) copyTable(ctx context.Context, from *tx, tab table, p *progress) error {
	total, err := m.From.count(ctx, from, tab)
	if err != nil {
		return err
	}
	done := 0
	if len(p.After) > 0 {
		left, err := m.From.countAfter(ctx, from, tab, p.After)
		if err != nil {
			return err
		}
		done = total - left
	}
	m.tell(tab.name, done, total)
	head := "INSERT INTO " + tab.name + " (" + strings.Join(tab.columns, ", ") + ") VALUES"
	tuple := "(" + strings.Repeat(",$", len(tab.columns))[1:] + ")"
	var batch [][]any
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := m.To.update(ctx, "storing rows", func(t *tx) error {
			if err := bulk(ctx, t, head, tuple, "", batch, func(row []any) []any { return row }); err != nil {
				return err
			}
			return p.save(ctx, t)
		})
		done += len(batch)
		batch, size = batch[:0], 0
		m.tell(tab.name, done, total)
		return err
	}
	err = tab.read(ctx, from, p.After, func(key, row []any) error {
		for _, v := range row {
			if s, ok := v.(string); ok {
				size += len(s)
			}
		}
		batch, p.After = append(batch, row), key
		if len(batch) >= cmp.Or(m.rows, moveRows) || size >= moveBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// index makes the index of the target anew, from the works of the source in the
// order of time, which is the index's own.
func (m *Mover) index(ctx context.Context, from *tx, p *progress) error {
	var total, done int
	after := int64(math.MinInt64)
	if len(p.After) == 1 {
		after, _ = p.After[0].(int64)
	}
	if err := first(ctx, from, "SELECT COUNT(*), COUNT(CASE WHEN search_id <= $1 THEN 1 END) FROM works", []any{after}, &total, &done); err != nil {
		return err
	}
	m.tell(indexStep, done, total)
	var batch []indexed
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		p.After = []any{batch[len(batch)-1].id}
		err := m.To.update(ctx, "indexing", func(t *tx) error {
			if err := m.To.engine.index(ctx, t, batch); err != nil {
				return err
			}
			return p.save(ctx, t)
		})
		done += len(batch)
		batch, size = batch[:0], 0
		m.tell(indexStep, done, total)
		return err
	}
	err := each(ctx, from, "SELECT search_id, body FROM works WHERE search_id > $1 ORDER BY search_id", []any{after}, func(r *sql.Rows) error {
		var id int64
		var body []byte
		var w digest.Work
		if err := r.Scan(&id, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &w); err != nil {
			return fmt.Errorf("a work's body: %w", err)
		}
		e := indexed{id, termsOf(w)}
		batch, size = append(batch, e), size+len(e.terms)
		if len(batch) >= cmp.Or(m.rows, moveRows) || size >= moveBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// compare counts and sums every table on both sides, and the entries of the index.
// It returns what it found, and [ErrChanged] where the sides differ.
func (m *Mover) compare(ctx context.Context, from *tx, here, there []table) ([]Moved, error) {
	var out []Moved
	var works int
	for i, tab := range here {
		j := slices.IndexFunc(there, func(t table) bool { return t.name == tab.name })
		other := there[j]
		other.columns = tab.columns // in one order
		a, err := m.sum(ctx, from, tab, i, 2*len(here))
		if err != nil {
			return out, fmt.Errorf("table %s: %w", tab.name, err)
		}
		b, err := m.sum(ctx, m.To, other, i+len(here), 2*len(here))
		if err != nil {
			return out, fmt.Errorf("table %s: %w", tab.name, err)
		}
		if a != b {
			return out, fmt.Errorf("%w: of %s the source has %d rows (%s), the target %d (%s)", ErrChanged, tab.name, a.Rows, a.Sum, b.Rows, b.Sum)
		}
		out = append(out, a)
		if tab.name == "works" {
			works = a.Rows
		}
	}
	var entries int
	if err := first(ctx, m.To, "SELECT COUNT(*) FROM search", nil, &entries); err != nil {
		return out, fmt.Errorf("the search index: %w", err)
	}
	if entries != works {
		return out, fmt.Errorf("%w: there are %d works and %d entries of the search index", ErrChanged, works, entries)
	}
	return out, nil
}

// sum reads a whole table.
func (m *Mover) sum(ctx context.Context, q querier, tab table, step, steps int) (Moved, error) {
	m.tell("comparing", step, steps)
	s := Moved{Table: tab.name}
	var total checksum
	err := tab.read(ctx, q, nil, func(_, row []any) error {
		s.Rows++
		total.add(tab.columns, row)
		return nil
	})
	s.Sum = total.String()
	return s, err
}

func (m *Mover) tell(table string, done, total int) {
	if m.Progress != nil {
		m.Progress(table, done, total)
	}
}

// ours leaves out of a table what a move itself wrote.
func (t table) ours() string {
	if t.name == "meta" {
		return "name NOT IN ('" + metaMove + "', '" + metaIdentity + "', '" + metaMoved + "')"
	}
	return "1 = 1"
}

func (db *DB) count(ctx context.Context, q querier, t table) (n int, err error) {
	err = first(ctx, q, "SELECT COUNT(*) FROM "+t.name+" WHERE "+t.ours(), nil, &n)
	return n, err
}

func (db *DB) countAfter(ctx context.Context, q querier, t table, after []any) (n int, err error) {
	err = first(ctx, q, "SELECT COUNT(*) FROM "+t.name+" WHERE "+t.ours()+" AND "+t.behind(), after, &n)
	return n, err
}

// behind is the condition of the rows after a key.
func (t table) behind() string {
	args := make([]string, len(t.key))
	for i := range args {
		args[i] = fmt.Sprintf("$%d", i+1)
	}
	return "(" + strings.Join(t.key, ", ") + ") > (" + strings.Join(args, ", ") + ")"
}

// read calls fn for the rows of a table behind a key, all with nil, in the order of
// their keys. Values are int64, float64, string or nil; fn may keep them.
func (t table) read(ctx context.Context, q querier, after []any, fn func(key, row []any) error) error {
	text := "SELECT " + strings.Join(slices.Concat(t.key, t.columns), ", ") + " FROM " + t.name + " WHERE " + t.ours()
	if len(after) > 0 {
		text += " AND " + t.behind()
	}
	width := len(t.key) + len(t.columns)
	return each(ctx, q, text+" ORDER BY "+strings.Join(t.key, ", "), after, func(r *sql.Rows) error {
		row, into := make([]any, width), make([]any, width)
		for i := range row {
			into[i] = &row[i]
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		for i, v := range row {
			switch v := v.(type) {
			case []byte:
				row[i] = string(v)
			case bool:
				row[i] = int64(bit(v))
			case nil, int64, float64, string:
			default:
				return fmt.Errorf("column %s holds a %T, which the two engines may not keep alike", slices.Concat(t.key, t.columns)[i], v)
			}
		}
		return fn(row[:len(t.key):len(t.key)], row[len(t.key):])
	})
}

// A checksum is the sum of the hashes of rows: in whatever order they come, and
// however an engine sorts text, the same rows have the same sum.
type checksum [2]uint64

func (s *checksum) add(columns []string, row []any) {
	h := sha256.New()
	var n [9]byte
	for i, v := range row {
		h.Write([]byte(columns[i]))
		switch v := v.(type) {
		case nil:
			n[0] = 'n'
			h.Write(n[:1])
		case int64:
			n[0] = 'i'
			binary.BigEndian.PutUint64(n[1:], uint64(v))
			h.Write(n[:])
		case float64:
			n[0] = 'f'
			binary.BigEndian.PutUint64(n[1:], math.Float64bits(v))
			h.Write(n[:])
		case string:
			n[0] = 's'
			binary.BigEndian.PutUint64(n[1:], uint64(len(v)))
			h.Write(n[:])
			h.Write([]byte(v))
		}
	}
	hash := h.Sum(nil)
	for i := range s {
		s[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
}

func (s checksum) String() string { return fmt.Sprintf("%016x%016x", s[0], s[1]) }

// snapshot runs fn in a transaction that sees one state of the database. It writes
// nothing.
func (db *DB) snapshot(ctx context.Context, fn func(*tx) error) error {
	raw, err := db.read.BeginTx(ctx, db.engine.snapshot())
	if err != nil {
		return err
	}
	defer raw.Rollback()
	return fn(&tx{Tx: raw, prepares: db.engine.prepares(), stmts: map[string]*sql.Stmt{}})
}

// alone reports by [ErrBusy] that another process has the file open, unless it was
// opened so that none can have.
func (sqlite) alone(_ context.Context, db *DB) error {
	if db.path != "" && !db.exclusive {
		return fmt.Errorf("%w, or may be: it was not opened exclusively", ErrBusy)
	}
	return nil
}

// alone looks whether another process of ours is connected: each carries a name of
// its own and its schema's. One that reaches the server through a pooler may not be
// seen.
func (postgres) alone(ctx context.Context, db *DB) error {
	const mine = "current_setting('application_name')"
	after := fmt.Sprint(len(appName("")) + 1) // where the schema's name begins
	var n int
	for begun := time.Now(); ; {
		err := first(ctx, db, `SELECT COUNT(DISTINCT application_name) FROM pg_stat_activity WHERE datname = current_database()
			AND application_name LIKE 'seedcorn %' AND substr(application_name, `+after+`) = substr(`+mine+`, `+after+`)
			AND application_name <> `+mine, nil, &n)
		if err != nil || n == 0 {
			return err
		}
		// One that has just ended is seen for a moment more.
		if time.Since(begun) > 3*time.Second {
			return fmt.Errorf("%w: %d more are connected", ErrBusy, n)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (sqlite) whereabouts(_ context.Context, db *DB) (string, error) {
	return cmp.Or(db.path, fmt.Sprintf("memory %p", db)), nil
}

func (postgres) whereabouts(ctx context.Context, db *DB) (s string, err error) {
	err = first(ctx, db, "SELECT COALESCE(host(inet_server_addr()), '') || ' ' || pg_postmaster_start_time() || ' ' || current_database() || ' ' || current_schema()", nil, &s)
	return s, err
}

func (sqlite) snapshot() *sql.TxOptions { return nil }

func (postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// unindexAll empties the index: https://www.sqlite.org/fts5.html#the_delete_all_command
func (sqlite) unindexAll(ctx context.Context, t *tx) error {
	_, err := t.exec(ctx, "INSERT INTO search (search) VALUES ('delete-all')")
	return err
}

func (postgres) unindexAll(ctx context.Context, t *tx) error {
	_, err := t.exec(ctx, "DELETE FROM search")
	return err
}

// settle gives the planner its statistics, without which the first questions to a
// freshly filled database are slow.
func (sqlite) settle(ctx context.Context, db *DB) error {
	_, err := db.write.ExecContext(ctx, "PRAGMA optimize")
	return err
}

func (postgres) settle(ctx context.Context, db *DB) error {
	tables, err := db.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range append(tables, table{name: "search"}) {
		if _, err := db.write.ExecContext(ctx, "ANALYZE "+t.name); err != nil {
			return err
		}
	}
	return nil
}
