package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// thin keeps of a work what counting it needs (digest.Count): who, where, how open,
// when. It is a tenth of the work, kept beside it.
func thin(w digest.Work) digest.Work {
	out := digest.Work{ID: w.ID, Kind: w.Kind, First: w.First}
	out.Countries, out.Control, out.Openness, out.Badge = w.Countries, w.Control, w.Openness, w.Badge
	for _, a := range w.Labs {
		out.Labs = append(out.Labs, feeds.Attribution{Lab: a.Lab, Kind: a.Kind, Role: a.Role, Home: a.Home, Control: a.Control, Basis: a.Basis, Disputed: a.Disputed})
	}
	return out
}

// A thinReader reads tallies back. Most works are like many others in all but their
// id and their date, so what is the same is decoded once and shared.
type thinReader struct {
	seen map[string]digest.Work // by the tally without those two
	key  []byte
}

const (
	maxAlike   = 1 << 15 // tallies that are remembered
	beforeID   = `{"id":"`
	beforeDate = `"first":"`
)

func (r *thinReader) read(text []byte) (w digest.Work, err error) {
	rest, ok := bytes.CutPrefix(text, []byte(beforeID))
	id, rest, ok1 := bytes.Cut(rest, []byte{'"'})
	middle, rest, ok2 := bytes.Cut(rest, []byte(beforeDate))
	date, rest, ok3 := bytes.Cut(rest, []byte{'"'})
	if !ok || !ok1 || !ok2 || !ok3 || bytes.IndexByte(id, '\\') >= 0 || w.First.UnmarshalText(date) != nil {
		err := json.Unmarshal(text, &w)
		return w, err
	}
	first := w.First
	r.key = append(append(append(r.key[:0], middle...), 0), rest...)
	w, ok = r.seen[string(r.key)]
	if !ok {
		if err := json.Unmarshal(text, &w); err != nil {
			return w, err
		}
		if r.seen == nil || len(r.seen) >= maxAlike {
			r.seen = map[string]digest.Work{}
		}
		r.seen[string(r.key)] = w
	}
	w.ID, w.First = digest.WorkID(id), first
	return w, nil
}

// Tally hands out every work that became public in a period, oldest first, with
// only ID, Kind, First, Labs (without names and evidence), Countries, Control,
// Openness and Badge. It stops when yield returns false. Works share what they have
// alike, so nothing of them may be changed. [DB.Count] counts more with less.
func (db *DB) Tally(ctx context.Context, p digest.Period, yield func(digest.Work) bool) error {
	if err := db.tally(ctx, p, yield); err != nil {
		return fmt.Errorf("counting works: %w", explain(err))
	}
	return nil
}

func (db *DB) tally(ctx context.Context, p digest.Period, yield func(digest.Work) bool) error {
	const page = 2000
	from, to := startID(millis(p.From)), int64(math.MaxInt64)
	if !p.To.IsZero() {
		to = startID(ceilMillis(p.To))
	}
	var reader thinReader
	works := make([]digest.Work, 0, page)
	for {
		n := 0
		works = works[:0]
		err := each(ctx, db, "SELECT search_id, tally FROM works WHERE search_id >= $1 AND search_id < $2 ORDER BY search_id LIMIT $3", []any{from, to, page}, func(r *sql.Rows) error {
			var text sql.RawBytes
			if err := r.Scan(&from, &text); err != nil {
				return err
			}
			w, err := reader.read(text)
			if n++; within(p, w.First) {
				works = append(works, w)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, w := range works {
			if !yield(w) {
				return nil
			}
		}
		if n < page {
			return nil
		}
		from++
	}
}

// within reports whether a period, which may have no end, has a moment.
func within(p digest.Period, t time.Time) bool {
	return !t.Before(p.From) && (p.To.IsZero() || t.Before(p.To))
}

// TallyOf hands out those of some works that are there, as [DB.Tally] does, in no order.
func (db *DB) TallyOf(ctx context.Context, ids []digest.WorkID, yield func(digest.Work) bool) error {
	if err := tallyIn(ctx, db, "SELECT tally FROM works WHERE id IN (?)", asStrings(ids), yield); err != nil {
		return fmt.Errorf("counting works: %w", explain(err))
	}
	return nil
}

// errEnough ends the reading of rows.
var errEnough = errors.New("enough")

// tallyIn is [eachIn] for tallies.
func tallyIn[T any](ctx context.Context, db *DB, text string, values []T, yield func(digest.Work) bool) error {
	var reader thinReader
	err := eachIn(ctx, db, text, values, func(r *sql.Rows) error {
		var text sql.RawBytes
		if err := r.Scan(&text); err != nil {
			return err
		}
		w, err := reader.read(text)
		if err == nil && !yield(w) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}

// TallyFound hands out the works that match a query and became public in a period, as
// [DB.Tally] does, newest first.
func (db *DB) TallyFound(ctx context.Context, p digest.Period, q query.Query, yield func(digest.Work) bool) error {
	if err := db.tallyFound(ctx, p, q, yield); err != nil {
		return fmt.Errorf("counting works: %w", explain(err))
	}
	return nil
}

func (db *DB) tallyFound(ctx context.Context, p digest.Period, q query.Query, yield func(digest.Work) bool) error {
	const page = 1000
	s := db.scan(q, q.Compile())
	s.from = max(s.from, startID(millis(p.From)))
	if !p.To.IsZero() {
		s.below = min(s.below, startID(ceilMillis(p.To)))
	}
	more := true
	one := func(w digest.Work) bool {
		if within(p, w.First) {
			more = yield(w)
		}
		return more
	}
	for more {
		ids, err := db.engine.hits(ctx, db, s, page)
		if err != nil {
			return err
		}
		if s.plan.Exact {
			err = tallyIn(ctx, db, "SELECT tally FROM works WHERE search_id IN (?) ORDER BY search_id DESC", ids, one)
		} else {
			var works []foundWork
			works, err = db.bySearchID(ctx, ids, s.sieve, func(w digest.Work) bool { return q.Match(digest.SubjectOf(w)) })
			for _, w := range works {
				if w.ok && !one(thin(w.work)) {
					break
				}
			}
		}
		if err != nil || len(ids) < page {
			return err
		}
	}
	return nil
}
