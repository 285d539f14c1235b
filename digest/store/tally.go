package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"seedcorn/digest"
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

// Tally hands out every work that became public in a period, oldest first, with
// only ID, Kind, First, Labs (without names and evidence), Countries, Control,
// Openness and Badge. It stops when yield returns false.
func (db *DB) Tally(ctx context.Context, p digest.Period, yield func(digest.Work) bool) error {
	const page = 2000
	from, to := startID(millis(p.From)), int64(math.MaxInt64)
	if !p.To.IsZero() {
		to = startID(millis(p.To))
	}
	for {
		var works []digest.Work
		err := each(ctx, db, "SELECT search_id, tally FROM works WHERE search_id >= $1 AND search_id < $2 ORDER BY search_id LIMIT $3", []any{from, to, page}, func(r *sql.Rows) error {
			var text []byte
			if err := r.Scan(&from, &text); err != nil {
				return err
			}
			var w digest.Work
			works = append(works, w)
			return json.Unmarshal(text, &works[len(works)-1])
		})
		if err != nil {
			return fmt.Errorf("counting works: %w", explain(err))
		}
		for _, w := range works {
			if !yield(w) {
				return nil
			}
		}
		if len(works) < page {
			return nil
		}
		from++
	}
}
