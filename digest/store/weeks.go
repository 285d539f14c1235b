package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// Traits are what counting tells works apart by, as they are stored: see alike in
// schema/00015_weeks_sqlite.sql.
type traits struct {
	Labs      []traitLab      `json:"labs,omitempty"`
	Countries []feeds.Country `json:"countries,omitempty"`
	Openness  feeds.Openness  `json:"openness"`
}

type traitLab struct {
	Lab      feeds.LabID   `json:"lab,omitempty"`
	Kind     feeds.LabKind `json:"kind,omitempty"`
	Role     feeds.Role    `json:"role,omitempty"`
	Home     feeds.Country `json:"home,omitempty"`
	Control  feeds.Country `json:"control,omitempty"`
	Disputed bool          `json:"disputed,omitempty"`
}

// traitsOf are the traits of a work, as JSON. Attributions that do not count are left
// out.
func traitsOf(w digest.Work) (string, error) {
	k := traits{Openness: w.Openness}
	for _, c := range w.Countries {
		k.Countries = append(k.Countries, wellFormed(c))
	}
	for _, a := range w.Labs {
		if a.Counts() {
			k.Labs = append(k.Labs, traitLab{wellFormed(a.Lab), wellFormed(a.Kind), wellFormed(a.Role), wellFormed(a.Home), wellFormed(a.Control), a.Disputed})
		}
	}
	return encode(k)
}

// wellFormed is a text as it is after it was stored as JSON: the same work has the same
// traits before and after.
func wellFormed[T ~string](s T) T {
	if utf8.ValidString(string(s)) {
		return s
	}
	return T([]rune(string(s)))
}

// readTraits makes a work with traits. It became public at no time.
func readTraits(body []byte) (digest.Work, error) {
	var k traits
	if err := json.Unmarshal(body, &k); err != nil {
		return digest.Work{}, fmt.Errorf("the traits of works can't be read: %w", err)
	}
	var w digest.Work
	w.Countries, w.Openness = k.Countries, k.Openness
	for _, a := range k.Labs {
		w.Labs = append(w.Labs, feeds.Attribution{Lab: a.Lab, Kind: a.Kind, Role: a.Role, Home: a.Home, Control: a.Control, Disputed: a.Disputed})
	}
	return w, nil
}

// traitsID names traits. Among a million of them, two share a name once in ten million
// times.
func traitsID(body string) int64 {
	sum := sha256.Sum256([]byte(body))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 1)
}

// weekOf is the week of a search id, as the triggers of works have it. The first one
// takes in all that came before, and is never counted ahead.
func weekOf(searchID int64) int64 {
	return int64(max(0, digest.WeekNumber(time.UnixMilli(searchID>>tieBits))))
}

// A census is how many works with the same traits a week has, or has more than before.
type census map[int64]int // by traitsID

// A recount is what a transaction changes about the weeks.
type recount struct {
	weeks  map[int64]census // of each week that a work is written to
	traits map[int64]string // by traitsID
	stale  map[int64]bool   // weeks that were uncounted before
}

// recount works out how saving changes the counts of weeks that are counted. It must
// be called before the works are written: the triggers make their weeks uncounted.
func (d *desk) recount(ctx context.Context, live, gone []*draft, ids map[digest.WorkID]int64) (*recount, error) {
	r := &recount{weeks: map[int64]census{}, traits: map[int64]string{}, stale: map[int64]bool{}}
	add := func(searchID int64, body string, n int) {
		week := weekOf(searchID)
		if r.weeks[week] == nil {
			r.weeks[week] = census{}
		}
		id := traitsID(body)
		r.weeks[week][id] += n
		if n > 0 {
			r.traits[id] = body
		}
	}
	for _, w := range slices.Concat(live, gone) {
		if w.stored != nil {
			body, err := w.stored.traits()
			if err != nil {
				return nil, err
			}
			add(w.stored.searchID, body, -1)
		}
		if w.into != nil {
			continue
		}
		if w.traits == "" {
			body, err := traitsOf(w.work)
			if err != nil {
				return nil, err
			}
			w.traits = body
		}
		add(ids[w.id], w.traits, 1)
	}
	err := eachIn(ctx, d.t, "SELECT week FROM weeks WHERE counted = 0 AND week IN (?)", sortedKeys(r.weeks), func(rows *sql.Rows) error {
		var week int64
		err := rows.Scan(&week)
		r.stale[week] = true
		return err
	})
	return r, err
}

// save writes the changes of weeks that were counted before. They are counted again.
func (r *recount) save(ctx context.Context, t *tx) error {
	var changes []weekly
	var weeks []int64
	for _, week := range sortedKeys(r.weeks) {
		if r.stale[week] || week == 0 {
			continue
		}
		weeks = append(weeks, week)
		for _, id := range sortedKeys(r.weeks[week]) {
			if n := r.weeks[week][id]; n != 0 {
				changes = append(changes, weekly{week, id, n})
			}
		}
	}
	if err := saveTraits(ctx, t, r.traits); err != nil {
		return err
	}
	if err := saveWeekly(ctx, t, changes); err != nil {
		return err
	}
	for _, c := range changes {
		if c.works < 0 {
			if _, err := t.exec(ctx, "DELETE FROM weekly WHERE week = $1 AND alike = $2 AND works = 0", c.week, c.alike); err != nil {
				return err
			}
		}
	}
	for _, week := range weeks {
		if _, err := t.exec(ctx, "UPDATE weeks SET counted = 1 WHERE week = $1", week); err != nil {
			return err
		}
	}
	return nil
}

// A weekly is a row of that table.
type weekly struct {
	week, alike int64
	works       int
}

func saveTraits(ctx context.Context, t *tx, traits map[int64]string) error {
	return bulk(ctx, t, "INSERT INTO alike (id, body) VALUES", "($,$)", " ON CONFLICT (id) DO NOTHING", sortedKeys(traits),
		func(id int64) []any { return []any{id, traits[id]} })
}

func saveWeekly(ctx context.Context, t *tx, rows []weekly) error {
	return bulk(ctx, t, "INSERT INTO weekly (week, alike, works) VALUES", "($,$,$)", " ON CONFLICT (week, alike) DO UPDATE SET works = weekly.works + excluded.works",
		rows, func(r weekly) []any { return []any{r.week, r.alike, r.works} })
}

// Count hands out the works that became public in a period, in no order. Those of one
// week that count alike are handed out together, with their number: such a work has
// only Labs (without names, basis and evidence), Countries, Openness, and as First a
// moment of that week in the period. It stops when yield returns false. Works share
// what they have alike, so nothing of them may be changed.
//
// Whole weeks are read as they were counted when their works were stored. One that is
// not, because an older process wrote to it, is counted for good now.
func (db *DB) Count(ctx context.Context, p digest.Period, yield func(w digest.Work, n int) bool) error {
	err := db.countPeriod(ctx, p, yield)
	if err != nil {
		return fmt.Errorf("counting works: %w", explain(err))
	}
	return nil
}

func (db *DB) countPeriod(ctx context.Context, p digest.Period, yield func(digest.Work, int) bool) error {
	first, last, err := db.wholeWeeks(ctx, p)
	if err != nil {
		return err
	}
	var uncounted []int64
	err = each(ctx, db, "SELECT week FROM weeks WHERE week >= $1 AND week <= $2 AND counted = 0 ORDER BY week", []any{first, last}, func(r *sql.Rows) error {
		var week int64
		err := r.Scan(&week)
		uncounted = append(uncounted, week)
		return err
	})
	if err != nil {
		return err
	}
	for _, week := range uncounted {
		// Who can't write it down counts it all the same.
		if err := explain(db.countWeek(ctx, week)); errors.Is(err, ErrBusy) || errors.Is(err, ErrReadOnly) || errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			return err
		}
	}
	var done []int64
	var alike int64
	var w digest.Work
	more := true
	err = each(ctx, db, `SELECT k.week, COALESCE(y.works, 0), COALESCE(y.alike, 0), COALESCE(a.body, '') FROM weeks k LEFT JOIN weekly y ON y.week = k.week LEFT JOIN alike a ON a.id = y.alike
		WHERE k.counted = 1 AND k.week >= $1 AND k.week <= $2 ORDER BY y.alike`, []any{first, last}, func(r *sql.Rows) error {
		var week, id int64
		var n int
		var body sql.RawBytes
		if err := r.Scan(&week, &n, &id, &body); err != nil || !more {
			return err
		}
		if i, found := slices.BinarySearch(done, week); !found {
			done = slices.Insert(done, i, week)
		}
		if n == 0 {
			return nil // a week that has no works any more
		}
		if id != alike || w.First.IsZero() {
			if w, err = readTraits(body); err != nil {
				return err
			}
			alike = id
		}
		if w.First = digest.WeekBegins(int(week)); w.First.Before(p.From) {
			w.First = p.From
		}
		more = yield(w, n)
		return nil
	})
	if err != nil || !more {
		return err
	}
	// What is left lies between those weeks and beside them.
	from := p.From
	one := func(w digest.Work) bool { more = yield(w, 1); return more }
	for _, week := range done {
		if begins := digest.WeekBegins(int(week)); from.Before(begins) {
			if err := db.tally(ctx, digest.Period{From: from, To: begins}, one); err != nil || !more {
				return err
			}
		}
		from = digest.WeekBegins(int(week) + 1)
	}
	if p.To.IsZero() || from.Before(p.To) {
		return db.tally(ctx, digest.Period{From: from, To: p.To}, one)
	}
	return nil
}

// wholeWeeks are the first and the last week of which a period has all works; if there
// are none, the last is before the first.
func (db *DB) wholeWeeks(ctx context.Context, p digest.Period) (first, last int64, err error) {
	none := func(from, to int64) (bool, error) {
		n := 0
		err := each(ctx, db, "SELECT 1 FROM works WHERE search_id >= $1 AND search_id < $2 LIMIT 1", []any{from, to}, func(*sql.Rows) error { n++; return nil })
		return n == 0, err
	}
	first, last = 1, math.MaxInt32
	if id := startID(ceilMillis(p.From)); !p.From.IsZero() && weekOf(id) > 0 {
		first = weekOf(id)
		if all, err := none(beginsWeek(first), id); err != nil {
			return 0, 0, err
		} else if !all {
			first++
		}
	}
	if !p.To.IsZero() {
		id := startID(p.To.UnixMilli())
		last = weekOf(id)
		if all, err := none(id, beginsWeek(last+1)); err != nil {
			return 0, 0, err
		} else if !all {
			last--
		}
	}
	return first, last, nil
}

// beginsWeek is the least search id of a week.
func beginsWeek(week int64) int64 { return startID(digest.WeekBegins(int(week)).UnixMilli()) }

// countWeek counts a week for good, unless it is.
func (db *DB) countWeek(ctx context.Context, week int64) error {
	return db.decide(ctx, "counting a week", func(t *tx) error {
		var counted bool
		if err := first(ctx, t, "SELECT counted FROM weeks WHERE week = $1", []any{week}, &counted); err != nil || counted {
			return err
		}
		var reader thinReader
		n, found := census{}, map[int64]string{}
		err := each(ctx, t, "SELECT tally FROM works WHERE search_id >= $1 AND search_id < $2", []any{beginsWeek(week), beginsWeek(week + 1)}, func(r *sql.Rows) error {
			var text sql.RawBytes
			if err := r.Scan(&text); err != nil {
				return err
			}
			w, err := reader.read(text)
			if err != nil {
				return err
			}
			body, err := traitsOf(w)
			id := traitsID(body)
			n[id]++
			found[id] = body
			return err
		})
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM weekly WHERE week = $1", week); err != nil {
			return err
		}
		rows := make([]weekly, 0, len(n))
		for _, id := range sortedKeys(n) {
			rows = append(rows, weekly{week, id, n[id]})
		}
		if err := saveTraits(ctx, t, found); err != nil {
			return err
		}
		if err := saveWeekly(ctx, t, rows); err != nil {
			return err
		}
		_, err = t.exec(ctx, "UPDATE weeks SET counted = 1 WHERE week = $1", week)
		return err
	})
}
