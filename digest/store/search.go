package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
)

// A Page says which part of the answer is wanted.
type Page struct {
	Limit int    // works on a page: 1 to 1000; 0 means 20
	After string // the More of the page before; "" begins with the newest
}

// Results is one page of an answer.
type Results struct {
	Works []digest.Work // newest first
	// More continues the answer as the next page's After; "" at its end. A page can
	// be short, even empty, and still have More: see [maxCandidates].
	More string
}

// maxCandidates is how many works a page may cost that the index proposes and the
// query turns down, as for a phrase of frequent words that never stand together.
// The page then ends early and says where to go on.
const maxCandidates = 10_000

// A scan walks the works that a plan selects, newest first.
type scan struct {
	plan  query.Plan
	sieve query.Sieve
	match string // the plan's expression in the engine's language; "" selects all
	below int64  // the next hit is older than this search id
	from  int64  // and not older than this one
	wide  bool   // PostgreSQL: the recent window has been read
}

func (db *DB) scan(q query.Query, plan query.Plan) *scan {
	s := &scan{plan: plan, sieve: q.Sieve(), below: math.MaxInt64}
	// Works are filed by whole milliseconds, rounded down. A bound between two of
	// them keeps too many, and the query itself decides.
	if !plan.Since.IsZero() {
		s.from = startID(plan.Since.UnixMilli())
	}
	if !plan.Before.IsZero() {
		s.below = startID(ceilMillis(plan.Before))
	}
	s.plan.Exact = plan.Exact && wholeMillis(plan.Since) && wholeMillis(plan.Before)
	if plan.Expr != nil {
		s.match = db.engine.match(plan.Expr)
	}
	return s
}

func wholeMillis(t time.Time) bool { return t.Nanosecond()%int(time.Millisecond) == 0 }

func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if !wholeMillis(t) {
		ms++
	}
	return ms
}

// Search returns a page of the works that match a query, newest first.
func (db *DB) Search(ctx context.Context, q query.Query, p Page) (Results, error) {
	const doing = "searching"
	limit := min(max(cmp.Or(p.Limit, 20), 1), 1000)
	s := db.scan(q, q.Compile())
	if p.After != "" {
		id, err := strconv.ParseInt(p.After, 36, 64)
		if err != nil || id < 0 {
			return Results{}, fmt.Errorf("%s: %q does not continue any search", doing, p.After)
		}
		s.below = min(s.below, id)
	}
	match := func(w digest.Work) bool { return q.Match(digest.SubjectOf(w)) }
	var res Results
	if loose, ok := s.plan.WithoutPrefixes(); ok && db.engine.gathers() {
		done, err := db.newest(ctx, s, q, loose, match, limit, &res)
		if err != nil {
			return Results{}, fmt.Errorf("%s: %w", doing, explain(err))
		}
		if done {
			return res, nil
		}
	}
	if s.plan.Exact {
		match = nil
	}
	looked := 0
	for n := limit + 1; ; n = min(n*4, 1000) {
		ids, err := db.engine.hits(ctx, db, s, n)
		if err != nil {
			return Results{}, fmt.Errorf("%s: %w", doing, explain(err))
		}
		works, err := db.bySearchID(ctx, ids[:keep(s.plan.Exact, limit-len(res.Works), len(ids))], s.sieve, match)
		if err != nil {
			return Results{}, fmt.Errorf("%s: %w", doing, explain(err))
		}
		if res.take(works, limit, len(ids) == n || len(works) < len(ids)) {
			return res, nil
		}
		if len(ids) < n {
			return res, nil
		}
		if looked += len(ids); looked >= maxCandidates {
			res.More = strconv.FormatInt(s.below, 36)
			return res, nil
		}
	}
}

// take adds the works that are ok until the page is full, and reports whether it is.
// further says that the scan goes on behind them.
func (res *Results) take(works []foundWork, limit int, further bool) (full bool) {
	for i, w := range works {
		if !w.ok {
			continue
		}
		res.Works = append(res.Works, w.work)
		if len(res.Works) == limit {
			if i+1 < len(works) || further {
				res.More = strconv.FormatInt(w.id, 36)
			}
			return true
		}
	}
	return false
}

// newestFirst are how many works are looked at one by one for a query with a prefix,
// before the index is asked to gather all that the prefix stands for. A prefix that
// many works have fills a page from these; the others are quickly gathered.
var newestFirst = []int{64, 256}

// newest adds to res what matches among the newest works that a looser plan selects,
// and moves s on behind them. It reports whether that was the whole answer, or a whole
// page.
func (db *DB) newest(ctx context.Context, s *scan, q query.Query, loose query.Plan, match func(digest.Work) bool, limit int, res *Results) (done bool, err error) {
	l := db.scan(q, loose)
	l.below = s.below
	for _, n := range newestFirst {
		ids, err := db.engine.hits(ctx, db, l, n)
		if err != nil {
			return false, err
		}
		works, err := db.bySearchID(ctx, ids, l.sieve, match)
		if err != nil {
			return false, err
		}
		if res.take(works, limit, len(ids) == n) {
			return true, nil
		}
		if len(ids) < n {
			return true, nil
		}
	}
	s.below = l.below
	return false, nil
}

// keep is how many of n hits must be read: of exact ones no more than fit.
func keep(exact bool, room, n int) int {
	if exact {
		return min(room, n)
	}
	return n
}

type foundWork struct {
	id   int64
	body []byte
	work digest.Work
	ok   bool
}

// bySearchID reads works by their place in the order of time, newest first. Those
// that the sieve or match turns down (nil turns none down) are marked as not ok, and
// the sieve's are not read. Reading and matching is what a phrase of frequent words
// costs, so it is done on every core.
func (db *DB) bySearchID(ctx context.Context, ids []int64, sieve query.Sieve, match func(digest.Work) bool) ([]foundWork, error) {
	out := make([]foundWork, 0, len(ids))
	err := eachIn(ctx, db, "SELECT search_id, body FROM works WHERE search_id IN (?)", ids, func(r *sql.Rows) error {
		var f foundWork
		err := r.Scan(&f.id, &f.body)
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b foundWork) int { return cmp.Compare(b.id, a.id) })
	each := make([]*foundWork, len(out))
	for i := range out {
		each[i] = &out[i]
	}
	return out, parallel(ctx, each, func(f *foundWork) (err error) {
		if !sieve.MayMatch(f.body) {
			f.body = nil
			return nil
		}
		f.work, err = decodeWork(f.body)
		f.body = nil
		f.ok = err == nil && (match == nil || match(f.work))
		return err
	})
}

// WorksIn returns the works that match a query and either became news in a period or
// had a license change in it, newest first: what a digest of the period is made of.
func (db *DB) WorksIn(ctx context.Context, p digest.Period, q query.Query) ([]digest.Work, error) {
	doing := "reading the works of a period"
	s := db.scan(q, q.Compile())
	s.from = max(s.from, startID(p.From.UnixMilli()))
	s.below = min(s.below, startID(ceilMillis(p.To)))
	var found []foundWork
	match := func(w digest.Work) bool { return q.Match(digest.SubjectOf(w)) }
	inPeriod := func(w digest.Work) bool { return p.Contains(w.News) && (s.plan.Exact || match(w)) }
	for {
		const n = 500
		ids, err := db.engine.hits(ctx, db, s, n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, explain(err))
		}
		works, err := db.bySearchID(ctx, ids, s.sieve, inPeriod)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, explain(err))
		}
		found = append(found, works...)
		if len(ids) < n {
			break
		}
	}
	var changed []int64
	err := each(ctx, db, `SELECT w.search_id FROM events e LEFT JOIN moved m ON m.id = e.work JOIN works w ON w.id = COALESCE(m.work, e.work)
		WHERE e.kind = 'relicensed' AND e.at >= $1 AND e.at < $2
		UNION SELECT w.search_id FROM late l JOIN works w ON w.id = l.work WHERE l.news >= $1 AND l.news < $2`, []any{ceilMillis(p.From), ceilMillis(p.To)}, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		if !slices.ContainsFunc(found, func(f foundWork) bool { return f.id == id }) {
			changed = append(changed, id)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	works, err := db.bySearchID(ctx, changed, s.sieve, match)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, explain(err))
	}
	found = append(found, works...)
	slices.SortFunc(found, func(a, b foundWork) int { return cmp.Compare(b.id, a.id) })
	out := make([]digest.Work, 0, len(found))
	for _, f := range found {
		if f.ok {
			out = append(out, f.work)
		}
	}
	return out, nil
}

// collectIDs runs a query for search ids and moves the scan on.
func (s *scan) collect(ctx context.Context, db *DB, text string, args ...any) (ids []int64, err error) {
	err = each(ctx, db, text, args, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if len(ids) > 0 {
		s.below = ids[len(ids)-1]
	}
	return ids, err
}

// everything walks all works; both engines do it alike.
func (s *scan) everything(ctx context.Context, db *DB, n int) ([]int64, error) {
	return s.collect(ctx, db, "SELECT search_id FROM works WHERE search_id < $1 AND search_id >= $2 ORDER BY search_id DESC LIMIT $3", s.below, s.from, n)
}

func (sqlite) hits(ctx context.Context, db *DB, s *scan, n int) ([]int64, error) {
	if s.match == "" {
		return s.everything(ctx, db, n)
	}
	return s.collect(ctx, db, "SELECT rowid FROM search WHERE search MATCH $1 AND rowid < $2 AND rowid >= $3 ORDER BY rowid DESC LIMIT $4", s.match, s.below, s.from, n)
}

// window is how many of the newest works PostgreSQL reads one by one before it asks
// the GIN index, which knows no order and must gather every hit there is. Queries
// with many hits find a page among the newest; the others have few to gather.
const window = 1000

func (postgres) hits(ctx context.Context, db *DB, s *scan, n int) ([]int64, error) {
	if s.match == "" {
		return s.everything(ctx, db, n)
	}
	var ids []int64
	if !s.wide {
		below := s.below
		edge := s.from
		err := each(ctx, db, "SELECT search_id FROM search WHERE search_id < $1 AND search_id >= $2 ORDER BY search_id DESC OFFSET $3 LIMIT 1", []any{below, s.from, window}, func(r *sql.Rows) error {
			return r.Scan(&edge)
		})
		if err != nil {
			return nil, err
		}
		ids, err = s.collect(ctx, db, `SELECT search_id FROM (SELECT search_id, terms FROM search WHERE search_id < $2 AND search_id >= $3 ORDER BY search_id DESC) w
			WHERE terms @@ $1::tsquery ORDER BY search_id DESC LIMIT $4`, s.match, below, edge, n)
		if err != nil || len(ids) == n || edge == s.from {
			return ids, err
		}
		s.wide, s.below = true, edge
	}
	more, err := s.collect(ctx, db, `WITH hit AS MATERIALIZED (SELECT search_id FROM search WHERE terms @@ $1::tsquery AND search_id < $2 AND search_id >= $3)
		SELECT search_id FROM hit ORDER BY search_id DESC LIMIT $4`, s.match, s.below, s.from, n-len(ids))
	return append(ids, more...), err
}
