package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
)

const proposalColumns = "id, work, field, value, because, by_whom, person, place, at, state, decided_by, decided_at, why"

// maxOpenOf is how many proposals of one person may wait: a queue is for people to
// read.
const maxOpenOf = 20

// Propose puts a correction into the queue and returns it as it stands there. The same
// of the same person, while it is open, is one. [ErrNotFound] if there is no such work;
// [digest.ErrTooMany] if too many of that person's wait.
func (db *DB) Propose(ctx context.Context, p digest.Proposal) (out digest.Proposal, err error) {
	err = db.decide(ctx, fmt.Sprintf("proposing a correction of work %s", p.Work), func(t *tx) error {
		if !slices.Contains(digest.CorrectionFields, p.Field) {
			return fmt.Errorf("%q is none of the fields %s", p.Field, strings.Join(digest.CorrectionFields, ", "))
		}
		if err := first(ctx, t, "SELECT work FROM moved WHERE id = $1", []any{string(p.Work)}, &p.Work); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		var there int
		if err := first(ctx, t, "SELECT 1 FROM works WHERE id = $1", []any{string(p.Work)}, &there); err != nil {
			return err
		}
		open, err := readProposals(ctx, t, "WHERE state = 'open' AND person = $1", clean(p.Person))
		if err != nil {
			return err
		}
		mine := 0
		for _, o := range open {
			if o.Place.Platform != p.Place.Platform || o.Place.Workspace != p.Place.Workspace {
				continue // somebody else of that name
			}
			if o.Work == p.Work && o.Field == p.Field && o.Value == clean(p.Value) {
				out = o
				return nil
			}
			mine++
		}
		if mine >= maxOpenOf {
			return digest.ErrTooMany
		}
		place, err := encode(p.Place)
		if err != nil {
			return err
		}
		last, err := lastID(ctx, t, "proposals")
		if err != nil {
			return err
		}
		p.ID, p.State, p.At = last+1, digest.ProposalOpen, fromMillis(millis(p.At))
		out = p
		_, err = t.exec(ctx, "INSERT INTO proposals ("+proposalColumns+", told, answered) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', '', 0, '', 0, 0)",
			p.ID, string(p.Work), p.Field, clean(p.Value), clean(p.Because), clean(p.By), clean(p.Person), place, millis(p.At))
		return err
	})
	return out, err
}

// Proposals returns proposals of a state, or of any with "", oldest first if they are
// open and latest first otherwise. work, if it is not "", asks for those of one work.
// limit is 1 to 1000, 0 means 100.
func (db *DB) Proposals(ctx context.Context, state digest.ProposalState, work digest.WorkID, limit int) ([]digest.Proposal, error) {
	if limit <= 0 {
		limit = 100
	}
	order := "DESC"
	if state == digest.ProposalOpen {
		order = "ASC"
	}
	which, args := "WHERE ($1 = '' OR state = $1) ORDER BY id "+order+" LIMIT $2", []any{string(state), min(limit, 1000)}
	if work != "" {
		which, args = "WHERE ($2 = '' OR state = $2) AND work IN "+aliases+" ORDER BY id "+order+" LIMIT $3", []any{string(work), string(state), min(limit, 1000)}
	}
	out, err := readProposals(ctx, db, which, args...)
	if err == nil {
		err = db.entitle(ctx, out)
	}
	if err != nil {
		return nil, fmt.Errorf("reading proposals: %w", explain(err))
	}
	return out, nil
}

// Proposal returns one, or [ErrNotFound].
func (db *DB) Proposal(ctx context.Context, id int64) (digest.Proposal, error) {
	out, err := readProposals(ctx, db, "WHERE id = $1", id)
	if err == nil && len(out) == 0 {
		err = ErrNotFound
	}
	if err == nil {
		err = db.entitle(ctx, out)
	}
	if err != nil {
		return digest.Proposal{}, fmt.Errorf("proposal %d: %w", id, explain(err))
	}
	return out[0], nil
}

// entitle gives proposals the titles of their works.
func (db *DB) entitle(ctx context.Context, ps []digest.Proposal) error {
	for i := range ps {
		w, err := db.Work(ctx, ps[i].Work)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		ps[i].Title = w.Title
	}
	return nil
}

// Decide closes an open proposal and returns it. One that is accepted corrects its
// work in the same transaction. [ErrNotFound] if there is none of that number,
// [digest.ErrDecided] if it was decided before.
func (db *DB) Decide(ctx context.Context, id int64, accept bool, by, why string, at time.Time) (out digest.Proposal, err error) {
	err = db.decide(ctx, fmt.Sprintf("deciding about proposal %d", id), func(t *tx) error {
		found, err := readProposals(ctx, t, "WHERE id = $1", id)
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return ErrNotFound
		case found[0].State != digest.ProposalOpen:
			out = found[0]
			return digest.ErrDecided
		}
		p := found[0]
		p.State, p.DecidedBy, p.DecidedAt, p.Why = digest.ProposalDeclined, by, fromMillis(millis(at)), why
		if accept {
			p.State = digest.ProposalAccepted
		}
		if _, err := t.exec(ctx, "UPDATE proposals SET state = $2, decided_by = $3, decided_at = $4, why = $5 WHERE id = $1 AND state = 'open'",
			p.ID, string(p.State), clean(by), millis(at), clean(why)); err != nil {
			return err
		}
		out = p
		if !accept {
			return nil
		}
		return db.correct(ctx, t, p.Correction(by, at))
	})
	return out, err
}

// TakeNotices returns what is to be said to people about proposals, and notes before
// the fact that it was said: it is said once, or not at all.
func (db *DB) TakeNotices(ctx context.Context, now time.Time, limit int) (out []digest.Notice, err error) {
	err = db.update(ctx, "taking notices", func(t *tx) error {
		out = nil
		ps, err := readProposals(ctx, t, "WHERE told = 0 OR state <> 'open' AND answered = 0 ORDER BY id LIMIT $1", limit)
		if err != nil {
			return err
		}
		for _, p := range ps {
			// What was decided meanwhile waits for nobody.
			r, err := t.exec(ctx, `UPDATE proposals SET told = CASE WHEN told = 0 THEN $2 ELSE told END, answered = CASE WHEN state = 'open' THEN answered ELSE $2 END
				WHERE id = $1 AND (told = 0 OR state <> 'open' AND answered = 0)`, p.ID, millis(now))
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			if n == 1 {
				out = append(out, digest.Notice{Proposal: p})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		w, err := db.Work(ctx, out[i].Work)
		if err == nil {
			out[i].Title = w.Title
		}
	}
	return out, nil
}

func readProposals(ctx context.Context, q querier, which string, args ...any) (out []digest.Proposal, err error) {
	err = each(ctx, q, "SELECT "+proposalColumns+" FROM proposals "+which, args, func(r *sql.Rows) error {
		var p digest.Proposal
		var place string
		var at, decided int64
		if err := r.Scan(&p.ID, &p.Work, &p.Field, &p.Value, &p.Because, &p.By, &p.Person, &place, &at, &p.State, &p.DecidedBy, &decided, &p.Why); err != nil {
			return err
		}
		p.At, p.DecidedAt = fromMillis(at), fromMillis(decided)
		if err := json.Unmarshal([]byte(place), &p.Place); err != nil {
			return fmt.Errorf("place of proposal %d: %w", p.ID, err)
		}
		out = append(out, p)
		return nil
	})
	return out, err
}
