package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
)

// metaRetention is under what meta holds how long things are kept.
const metaRetention = "retention"

// Retention returns how long things are kept: the default, unless a person chose.
func (db *DB) Retention(ctx context.Context) (digest.Retention, error) {
	r := digest.DefaultRetention
	text, err := db.Meta(ctx, metaRetention)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &r)
	}
	if err != nil {
		return digest.Retention{}, fmt.Errorf("reading how long things are kept: %w", err)
	}
	return r, nil
}

// SetRetention keeps things so long from now on.
func (db *DB) SetRetention(ctx context.Context, r digest.Retention) error {
	text, err := encode(r)
	if err != nil {
		return err
	}
	return db.SetMeta(ctx, metaRetention, text)
}

// A Removed counts what was removed, by the names of [digest.RetentionNames].
type Removed map[string]int

// Retain removes at now what is not to be kept any longer. It does so in small
// transactions, so that nobody waits for it, and may be stopped and called again:
// nothing else depends on what it removes. A message that is not sent keeps its bytes
// and its digest, and a subscription its latest digest. [Removed] has what was removed
// until an error, too.
func (db *DB) Retain(ctx context.Context, now time.Time, r digest.Retention) (Removed, error) {
	out := Removed{}
	for _, step := range []struct {
		name string
		keep time.Duration
		some func(ctx context.Context, t *tx, before int64) (int, error)
	}{
		{"payloads", r.Payloads, removePayloads},
		{"digests", r.Digests, removeDigests},
		{"lookups", r.Lookups, removing("lookups", "name", "expires > 0 AND expires < $1")},
		{"incidents", r.Incidents, removing("incidents", "name, began", "ended > 0 AND ended < $1")},
	} {
		for step.keep > 0 {
			n := 0
			if err := db.update(ctx, "removing old "+step.name, func(t *tx) (err error) {
				n, err = step.some(ctx, t, millis(now.Add(-step.keep)))
				return err
			}); err != nil {
				return out, err
			}
			if n == 0 {
				break
			}
			out[step.name] += n
		}
	}
	return out, errors.Join(db.sweep(ctx, now), db.forgetReaders(ctx, now), db.forgetActs(ctx), db.removeUnused(ctx))
}

// removeSome is how many rows one transaction removes.
const removeSome = 500

// removing removes rows of a table by its key.
func removing(table, key, where string) func(context.Context, *tx, int64) (int, error) {
	text := fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s WHERE %s LIMIT %d)", table, key, key, table, where, removeSome)
	return func(ctx context.Context, t *tx, before int64) (int, error) { return changed(t.exec(ctx, text, before)) }
}

func changed(r sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// removePayloads takes the bytes of messages away that were sent, unless they are
// being edited.
func removePayloads(ctx context.Context, t *tx, before int64) (int, error) {
	none, err := keepPayload(ctx, t, "")
	if err != nil {
		return 0, err
	}
	return changed(t.exec(ctx, fmt.Sprintf(`UPDATE deliveries SET payload = $2 WHERE id IN (SELECT d.id FROM deliveries d
		WHERE d.state = 'sent' AND d.begun < $1 AND d.payload <> $2
		AND NOT EXISTS (SELECT 1 FROM amendments a WHERE a.digest = d.digest AND a.state IN ('waiting', 'editing')) LIMIT %d)`, removeSome), before, none))
}

// removeUnused removes bytes that no message has, and what no digest says.
func (db *DB) removeUnused(ctx context.Context) error {
	for _, kept := range []struct{ table, by string }{
		{"payloads", "deliveries x WHERE x.payload"},
		{"editions", "digests x WHERE x.edition"},
	} {
		text := fmt.Sprintf("DELETE FROM %[1]s WHERE id IN (SELECT p.id FROM %[1]s p WHERE NOT EXISTS (SELECT 1 FROM %[2]s = p.id) LIMIT %[3]d)", kept.table, kept.by, removeSome)
		for n := 1; n > 0; {
			if err := db.update(ctx, "removing unused "+kept.table, func(t *tx) (err error) {
				n, err = changed(t.exec(ctx, text))
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeDigests removes digests with what hangs on them. What a digest is about, and
// what was found out later, goes with it by the schema's own rules.
func removeDigests(ctx context.Context, t *tx, before int64) (int, error) {
	ids, err := names(ctx, t, fmt.Sprintf(`SELECT d.id FROM digests d WHERE d.composed < $1
		AND EXISTS (SELECT 1 FROM digests n WHERE n.subscription = d.subscription AND n.period_to > d.period_to)
		AND NOT EXISTS (SELECT 1 FROM deliveries x WHERE x.digest = d.id AND x.state NOT IN ('sent', 'dead')) LIMIT %d`, removeSome/5), before)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		for _, text := range []string{
			"DELETE FROM publications WHERE delivery IN (SELECT id FROM deliveries WHERE digest = $1)",
			"DELETE FROM deliveries WHERE digest = $1",
			"DELETE FROM digests WHERE id = $1",
		} {
			if _, err := t.exec(ctx, text, id); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), nil
}
