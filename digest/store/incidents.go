package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
)

// overAfter is how long an incident must not be seen to be over: one that comes and
// goes is told once.
const overAfter = time.Hour

// Observe compares what is wrong at now with what was, and notes what has begun and
// what is over. It returns both, as a log would tell them: each is in one answer of
// all, whichever process asks.
//
// tell makes the messages of what no message has said yet, and says where they go;
// they leave with the next deliveries, and are noted as told in the same transaction.
// With a nil tell nobody is told: what still lasts when there is one is told then.
func (db *DB) Observe(ctx context.Context, now time.Time, wrong []digest.Incident, tell func(begun, over []digest.Incident) (digest.Destination, []digest.Part, error)) (begun, over []digest.Incident, err error) {
	err = db.decide(ctx, "noting what is wrong", func(t *tx) error {
		begun, over = nil, nil
		open, err := readIncidents(ctx, t, "WHERE ended = 0")
		if err != nil {
			return err
		}
		for _, i := range wrong {
			if !slices.ContainsFunc(open, func(o incident) bool { return o.Name == i.Name }) {
				i.Began = now
				begun = append(begun, i)
			}
			if _, err := t.exec(ctx, `INSERT INTO incidents (name, began, kind, say, hint, seen, ended, told, told_end) VALUES ($1, $2, $3, $4, $5, $2, 0, 0, 0)
				ON CONFLICT (name) WHERE ended = 0 DO UPDATE SET say = excluded.say, hint = excluded.hint, seen = excluded.seen`,
				clean(i.Name), millis(now), string(i.Kind), clean(i.Say), clean(i.Hint)); err != nil {
				return err
			}
		}
		for _, o := range open {
			if now.Sub(o.seen) < overAfter || slices.ContainsFunc(wrong, func(i digest.Incident) bool { return i.Name == o.Name }) {
				continue
			}
			o.Ended = now
			over = append(over, o.Incident)
			if _, err := t.exec(ctx, "UPDATE incidents SET ended = $2 WHERE name = $1 AND ended = 0", o.Name, millis(now)); err != nil {
				return err
			}
		}
		if tell == nil {
			return nil
		}
		untold, err := readIncidents(ctx, t, "WHERE ended = 0 AND told = 0 OR ended > 0 AND told > 0 AND told_end = 0")
		if err != nil || len(untold) == 0 {
			return err
		}
		var news, ends []digest.Incident
		id := sha256.New()
		for _, i := range untold {
			fmt.Fprintf(id, "%s\x00%d\x00%d\x00", i.Name, millis(i.Began), millis(i.Ended))
			column := "told"
			if i.Ended.IsZero() {
				news = append(news, i.Incident)
			} else {
				ends, column = append(ends, i.Incident), "told_end"
			}
			if _, err := t.exec(ctx, "UPDATE incidents SET "+column+" = $3 WHERE name = $1 AND began = $2", i.Name, millis(i.Began), millis(now)); err != nil {
				return err
			}
		}
		to, parts, err := tell(news, ends)
		if err != nil {
			return err
		}
		message := digest.DigestID("i" + hex.EncodeToString(id.Sum(nil)[:12])) // no digest, but something to name parts by
		for k, p := range parts {
			if err := db.addDelivery(ctx, t, digest.NewDeliveryID(message, k), "", "", to, k, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return begun, over, nil
}

// An incident is a row.
type incident struct {
	digest.Incident
	seen time.Time
}

// Incidents returns what is wrong now, by name.
func (db *DB) Incidents(ctx context.Context) ([]digest.Incident, error) {
	rows, err := readIncidents(ctx, db, "WHERE ended = 0")
	if err != nil {
		return nil, fmt.Errorf("reading what is wrong: %w", explain(err))
	}
	out := make([]digest.Incident, len(rows))
	for i, r := range rows {
		out[i] = r.Incident
	}
	return out, nil
}

func readIncidents(ctx context.Context, q querier, where string) (out []incident, err error) {
	err = each(ctx, q, "SELECT name, began, kind, say, hint, seen, ended FROM incidents "+where+" ORDER BY name, began", nil, func(r *sql.Rows) error {
		var i incident
		var began, seen, ended int64
		err := r.Scan(&i.Name, &began, &i.Kind, &i.Say, &i.Hint, &seen, &ended)
		i.Began, i.seen, i.Ended = fromMillis(began), fromMillis(seen), fromMillis(ended)
		out = append(out, i)
		return err
	})
	return out, err
}

// DeadLanes counts the messages that were refused for ever since a moment, by where
// they went. What a person canceled is not among them.
func (db *DB) DeadLanes(ctx context.Context, since time.Time) ([]digest.DeadLane, error) {
	var out []digest.DeadLane
	err := each(ctx, db, `SELECT platform, workspace, COUNT(*), MAX(words) FROM deliveries WHERE state = 'dead' AND begun >= $1 AND words <> 'canceled'
		GROUP BY platform, workspace ORDER BY platform, workspace`, []any{millis(since)}, func(r *sql.Rows) error {
		var d digest.DeadLane
		err := r.Scan(&d.Platform, &d.Workspace, &d.N, &d.Words)
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("counting dead deliveries: %w", explain(err))
	}
	return out, nil
}

// refusal is the name in meta under which the moment stands since when a service has
// refused our questions.
const refusal = "refused:"

// Refused notes that a service refuses our questions since now, unless it did before;
// with on false, that it answers again.
func (db *DB) Refused(ctx context.Context, service string, now time.Time, on bool) error {
	return db.update(ctx, "noting that "+service+" refuses", func(t *tx) error {
		text, args := "DELETE FROM meta WHERE name = $1", []any{refusal + clean(service)}
		if on {
			text, args = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", append(args, fmt.Sprint(millis(now)))
		}
		_, err := t.exec(ctx, text, args...)
		return err
	})
}

// Refusing returns the services that refuse our questions, with since when.
func (db *DB) Refusing(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := each(ctx, db, "SELECT name, value FROM meta WHERE name LIKE 'refused:%'", nil, func(r *sql.Rows) error {
		var name string
		var ms int64
		err := r.Scan(&name, &ms)
		out[strings.TrimPrefix(name, refusal)] = fromMillis(ms)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading who refuses our questions: %w", explain(err))
	}
	return out, nil
}
