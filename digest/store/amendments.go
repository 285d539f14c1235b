package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"seedcorn/digest"
)

// How far back digests are edited: a message that nobody will read again is left
// alone, and says what was known then.
const (
	amendWithin = 30 * 24 * time.Hour // since it was composed
	amendLatest = 5                   // digests of a subscription
	// amendAfter is how long an erratum waits for others of its digest.
	amendAfter = time.Minute
)

// addDigest stores a digest, with the works that it tells about: what it says is stored
// once for all that say the same. The lock of those who decide is held: whoever changes
// one of the works from now on finds the digest. ok is false if it is stored already.
func (db *DB) addDigest(ctx context.Context, t *tx, id digest.DigestID, sub digest.SubscriptionID, d digest.Digest) (ok bool, err error) {
	body, err := encode(d)
	if err != nil {
		return false, err
	}
	shares, err := db.shares(ctx, t)
	if err != nil {
		return false, err
	}
	edition, isNew := "", 0
	if shares {
		edition = named(body)
		if isNew, err = changed(t.exec(ctx, "INSERT INTO editions (id, body) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", edition, body)); err != nil {
			return false, err
		}
		body = ""
	}
	n, err := changed(t.exec(ctx, `INSERT INTO digests (id, subscription, period_from, period_to, composed, body, edition) VALUES ($1, $2, $3, $4, $5, $6, NULLIF($7, ''))
		ON CONFLICT DO NOTHING`, string(id), string(sub), millis(d.Period.From), millis(d.Period.To), millis(d.Composed), body, edition))
	if err != nil || n == 0 {
		return false, err
	}
	told := func(table, column, name string) error {
		return bulk(ctx, t, "INSERT INTO "+table+" (work, "+column+") VALUES", "($,$)", " ON CONFLICT DO NOTHING", d.Works(),
			func(w digest.WorkID) []any { return []any{string(w), name} })
	}
	switch {
	case !shares:
		err = told("digest_works", "digest", string(id))
	case isNew > 0:
		err = told("edition_works", "edition", edition)
	}
	return true, err
}

// addOvertaken gives works that changed while their digest was composed their erratum at
// once.
func addOvertaken(ctx context.Context, t *tx, id digest.DigestID, d digest.Digest) error {
	if d.Composed.IsZero() {
		return nil
	}
	// A change of a license is dated with the visit that brought it, which may have been
	// stored a while later.
	since := millis(d.Composed.Add(-time.Hour))
	recent := map[digest.WorkID]digest.Erratum{}
	err := each(ctx, t, "SELECT work, at, old, new, detail FROM events WHERE kind = 'relicensed' AND at >= $1 ORDER BY id", []any{since}, func(r *sql.Rows) error {
		var w digest.WorkID
		var at int64
		e := digest.Erratum{Kind: digest.EventRelicensed}
		err := r.Scan(&w, &at, &e.From, &e.To, &e.What)
		e.At = fromMillis(at)
		recent[w] = e
		return err
	})
	if err != nil {
		return err
	}
	err = each(ctx, t, "SELECT work, field, value, because, by_whom, at FROM corrections WHERE at >= $1 ORDER BY id", []any{since}, func(r *sql.Rows) error {
		var c digest.Correction
		var at int64
		err := r.Scan(&c.Work, &c.Field, &c.Value, &c.Because, &c.By, &at)
		c.At = fromMillis(at)
		recent[c.Work] = c.Erratum()
		return err
	})
	if err != nil {
		return err
	}
	var rows []erratum
	for _, sec := range d.Sections {
		for _, st := range sec.Stories {
			e, ok := recent[st.Work]
			if !ok {
				continue
			}
			var body []byte
			if err := first(ctx, t, "SELECT body FROM works WHERE id = $1", []any{string(st.Work)}, &body); err != nil {
				return err
			}
			w, err := decodeWork(body)
			if err != nil {
				return err
			}
			if digest.Overtaken(st, w, d.Balance.View) && !slices.ContainsFunc(rows, func(x erratum) bool { return x.work == st.Work }) {
				rows = append(rows, erratum{digest: id, work: st.Work, Erratum: e})
			}
		}
	}
	return addErrata(ctx, t, rows)
}

// An erratum is one as it is stored.
type erratum struct {
	id     int64
	digest digest.DigestID
	work   digest.WorkID
	digest.Erratum
}

// saveErrata finds the digests that told about works which changed, and writes down
// what they do not say yet, and that they are to be edited.
func (d *desk) saveErrata(ctx context.Context, works []*draft) error {
	var rows []erratum
	for _, w := range works {
		for _, e := range w.errata {
			err := each(ctx, d.t, `SELECT d.id, w.work FROM (SELECT digest, work FROM digest_works WHERE work IN `+aliases+`
					UNION ALL SELECT x.id, e.work FROM edition_works e JOIN digests x ON x.edition = e.edition WHERE e.work IN `+aliases+`) w
				JOIN digests d ON d.id = w.digest WHERE d.composed >= $2 AND (SELECT COUNT(*) FROM digests n WHERE n.subscription = d.subscription AND n.period_to > d.period_to) < $3 ORDER BY 1, 2`,
				[]any{string(w.final().id), millis(e.At.Add(-amendWithin)), amendLatest}, func(r *sql.Rows) error {
					x := erratum{Erratum: e}
					err := r.Scan(&x.digest, &x.work)
					rows = append(rows, x)
					return err
				})
			if err != nil {
				return err
			}
		}
	}
	return addErrata(ctx, d.t, rows)
}

func addErrata(ctx context.Context, t *tx, rows []erratum) error {
	if len(rows) == 0 {
		return nil
	}
	last, err := lastID(ctx, t, "errata")
	if err != nil {
		return err
	}
	wanted := map[digest.DigestID]erratum{}
	bodies := make(map[int64]string, len(rows))
	for i := range rows {
		rows[i].id = last + int64(i) + 1
		if bodies[rows[i].id], err = encode(rows[i].Erratum); err != nil {
			return err
		}
		wanted[rows[i].digest] = rows[i]
	}
	if err := bulk(ctx, t, "INSERT INTO errata (id, digest, work, body) VALUES", "($,$,$,$)", "", rows, func(r erratum) []any {
		return []any{r.id, string(r.digest), string(r.work), bodies[r.id]}
	}); err != nil {
		return err
	}
	for _, id := range sortedKeys(wanted) {
		r := wanted[id]
		// One that waits goes out when it would have; one that is being edited is edited
		// again after that.
		if _, err := t.exec(ctx, `INSERT INTO amendments (digest, state, wanted, attempt, tries, doubt, not_before, words) VALUES ($1, 'waiting', $2, 0, 0, 0, $3, '')
			ON CONFLICT (digest) DO UPDATE SET wanted = excluded.wanted,
				state = CASE WHEN amendments.state = 'editing' THEN 'editing' ELSE 'waiting' END,
				tries = CASE WHEN amendments.state IN ('editing', 'waiting') THEN amendments.tries ELSE 0 END,
				not_before = CASE WHEN amendments.state IN ('editing', 'waiting') THEN amendments.not_before ELSE excluded.not_before END`,
			string(id), r.id, millis(r.At.Add(amendAfter))); err != nil {
			return err
		}
	}
	return nil
}

// amend lays errata over digests.
func (db *DB) amend(ctx context.Context, ds []StoredDigest) error {
	ids := make([]string, len(ds))
	for i, d := range ds {
		ids[i] = string(d.ID)
	}
	errata := map[digest.DigestID]map[digest.WorkID][]digest.Erratum{}
	works := map[digest.WorkID]digest.Work{}
	err := eachIn(ctx, db, "SELECT digest, work, body FROM errata WHERE digest IN (?) ORDER BY id", ids, func(r *sql.Rows) error {
		var id digest.DigestID
		var w digest.WorkID
		var body []byte
		var e digest.Erratum
		if err := r.Scan(&id, &w, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &e); err != nil {
			return fmt.Errorf("an erratum of digest %s: %w", id, err)
		}
		if errata[id] == nil {
			errata[id] = map[digest.WorkID][]digest.Erratum{}
		}
		errata[id][w] = append(errata[id][w], e)
		works[w] = digest.Work{}
		return nil
	})
	if err != nil || len(errata) == 0 {
		return err
	}
	for _, id := range sortedKeys(works) {
		now, err := db.current(ctx, id)
		if err != nil {
			return err
		}
		found, err := db.works(ctx, []digest.WorkID{now})
		if err != nil {
			return err
		}
		if delete(works, id); len(found) == 1 {
			works[id] = found[0]
		}
	}
	for i, d := range ds {
		if errata[d.ID] != nil {
			ds[i].Digest = digest.Amend(d.Digest, works, errata[d.ID])
		}
	}
	return nil
}

// ClaimAmendments takes up to limit digests that are to be edited at now, and those
// whose worker has been silent since stale, and begins an attempt of each.
func (db *DB) ClaimAmendments(ctx context.Context, now, stale time.Time, limit int) (out []digest.Amendment, err error) {
	err = db.update(ctx, "claiming amendments", func(t *tx) error {
		var open []digest.Amendment
		err := each(ctx, t, `SELECT digest, wanted, attempt, tries, CASE state WHEN 'editing' THEN 1 ELSE doubt END FROM amendments WHERE state = 'waiting' AND not_before <= $1 OR state = 'editing' AND not_before <= $2
			ORDER BY not_before, digest LIMIT $3`, []any{millis(now), millis(stale), limit}, func(r *sql.Rows) error {
			var a digest.Amendment
			err := r.Scan(&a.Digest, &a.Wanted, &a.Attempt, &a.Tries, &a.Doubt)
			open = append(open, a)
			return err
		})
		if err != nil {
			return err
		}
		for _, a := range open {
			r, err := t.exec(ctx, "UPDATE amendments SET doubt = CASE state WHEN 'editing' THEN 1 ELSE doubt END, state = 'editing', attempt = attempt + 1, not_before = $3 WHERE digest = $1 AND attempt = $2 AND state IN ('waiting', 'editing')",
				string(a.Digest), a.Attempt, millis(now))
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			if n == 1 { // no other process was faster
				a.Attempt++
				out = append(out, a)
			}
		}
		return nil
	})
	return out, err
}

// Amended returns a digest as it should read now, and its deliveries by part.
func (db *DB) Amended(ctx context.Context, id digest.DigestID) (digest.Digest, []digest.Delivery, error) {
	d, err := db.Digest(ctx, id)
	if err != nil {
		return digest.Digest{}, nil, err
	}
	parts, err := readDeliveries(ctx, db, "WHERE d.digest = $1 ORDER BY d.part", string(id))
	if err != nil {
		return digest.Digest{}, nil, fmt.Errorf("reading the deliveries of digest %s: %w", id, explain(err))
	}
	return d.Digest, parts, nil
}

// Reword stores what a delivery says: of one that is pending before anybody claims it,
// of one that is sent after it was edited. ok is false if it is neither any more.
func (db *DB) Reword(ctx context.Context, d digest.Delivery, p digest.Part) (ok bool, err error) {
	err = db.update(ctx, "rewording delivery "+string(d.ID), func(t *tx) error {
		named, err := db.putPayload(ctx, t, p.Payload, d.Digest)
		if err != nil {
			return err
		}
		r, err := t.exec(ctx, "UPDATE deliveries SET payload = $4, summary = $5 WHERE id = $1 AND state = $2 AND attempt = $3 AND state IN ('pending', 'sent')",
			string(d.ID), string(d.State), d.Attempt, named, clean(p.Summary))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		ok = n == 1
		return err
	})
	return ok, err
}

// BeginEdit notes that a delivery is about to be edited at now. Of a message that is
// published at most most edits are begun in any time of length per: if this were one
// more, nothing is noted, and free is when it would not be.
func (db *DB) BeginEdit(ctx context.Context, id digest.DeliveryID, now time.Time, most int, per time.Duration) (free time.Time, err error) {
	err = db.update(ctx, "beginning an edit of delivery "+string(id), func(t *tx) error {
		free = time.Time{}
		// Written to first, so that nobody else counts meanwhile.
		r, err := t.exec(ctx, "UPDATE publications SET words = words WHERE delivery = $1 AND state IN ('publishing', 'published')", string(id))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err // not published
		}
		if _, err := t.exec(ctx, "DELETE FROM published_edits WHERE delivery = $1 AND at <= $2", string(id), millis(now.Add(-per))); err != nil {
			return err
		}
		var n int
		var oldest, last int64
		if err := first(ctx, t, "SELECT COUNT(*), COALESCE(MIN(at), 0), COALESCE(MAX(nth), 0) FROM published_edits WHERE delivery = $1", []any{string(id)}, &n, &oldest, &last); err != nil {
			return err
		}
		if n >= most {
			free = fromMillis(oldest).Add(per)
			return nil
		}
		_, err = t.exec(ctx, "INSERT INTO published_edits (delivery, nth, at) VALUES ($1, $2, $3)", string(id), last+1, millis(now))
		return err
	})
	return free, err
}

// SettleAmendment stores the outcome of an attempt. It is ignored if the digest has
// been claimed again since. One that is done, while another erratum came in, waits
// for its next edit.
func (db *DB) SettleAmendment(ctx context.Context, a digest.Amendment, o digest.AmendmentOutcome) error {
	return db.update(ctx, "settling the amendment of digest "+string(a.Digest), func(t *tx) error {
		_, err := t.exec(ctx, `UPDATE amendments SET state = CASE WHEN $3 <> 'waiting' AND wanted > $4 THEN 'waiting' ELSE $3 END, not_before = $5, words = $6,
			tries = CASE WHEN $3 <> 'waiting' THEN 0 ELSE tries + $7 END, doubt = CASE WHEN $3 = 'done' THEN 0 WHEN $8 = 1 THEN 1 ELSE doubt END
			WHERE digest = $1 AND attempt = $2 AND state = 'editing'`,
			string(a.Digest), a.Attempt, string(o.State), a.Wanted, millis(o.NotBefore), clean(o.Words), bit(o.Failed), bit(o.Doubt))
		return err
	})
}

// Amendments returns how many digests are in each state of being edited.
func (db *DB) Amendments(ctx context.Context) (map[digest.AmendmentState]int, error) {
	out := map[digest.AmendmentState]int{}
	err := each(ctx, db, "SELECT state, COUNT(*) FROM amendments GROUP BY state", nil, func(r *sql.Rows) error {
		var s digest.AmendmentState
		var n int
		err := r.Scan(&s, &n)
		out[s] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("counting amendments: %w", explain(err))
	}
	return out, nil
}
