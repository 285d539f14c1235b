package store

import (
	"context"
	"time"
)

const (
	// actLease is how long an act is somebody's before he is thought dead. An act is a
	// statement or two.
	actLease = 20 * time.Second
	// actPoll is how soon one looks whether somebody else's act is done.
	actPoll = 250 * time.Millisecond
	// actsFor is how long acts are remembered: platforms send a request again within
	// minutes.
	actsFor = 24 * time.Hour
)

// Once runs f unless what has this id was done before, by this process or another: then
// did is false. While another one is at it, it waits. The error is that of f, after which
// it may be tried again, or of the database.
func (db *DB) Once(ctx context.Context, id string, f func() error) (did bool, err error) {
	id = clean(id)
	for {
		mine, done, err := db.claimAct(ctx, id)
		switch {
		case err != nil || done:
			return false, err
		case mine:
			if err := f(); err != nil {
				return false, firstError(err, db.update(context.WithoutCancel(ctx), "letting an act go", func(t *tx) error {
					_, err := t.exec(ctx, "DELETE FROM acts WHERE id = $1 AND done = 0", id)
					return err
				}))
			}
			return true, db.update(context.WithoutCancel(ctx), "marking an act as done", func(t *tx) error {
				_, err := t.exec(context.WithoutCancel(ctx), "UPDATE acts SET done = 1 WHERE id = $1", id)
				return err
			})
		}
		select {
		case <-time.After(actPoll):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// claimAct takes an act, or says that it is done; neither while somebody else is at it.
func (db *DB) claimAct(ctx context.Context, id string) (mine, done bool, err error) {
	err = db.update(ctx, "claiming an act", func(t *tx) error {
		now, err := db.time(ctx, t)
		if err != nil {
			return err
		}
		n, err := changed(t.exec(ctx, `INSERT INTO acts (id, begun, done) VALUES ($1, $2, 0)
			ON CONFLICT (id) DO UPDATE SET begun = excluded.begun WHERE acts.done = 0 AND acts.begun <= $3`, id, millis(now), millis(now.Add(-actLease))))
		if mine = n == 1; err != nil || mine {
			return err
		}
		var is int
		err = first(ctx, t, "SELECT done FROM acts WHERE id = $1", []any{id}, &is)
		done = is == 1
		return err
	})
	return mine, done, err
}

// forgetActs removes what was done long ago.
func (db *DB) forgetActs(ctx context.Context) error {
	return db.update(ctx, "forgetting acts", func(t *tx) error {
		now, err := db.time(ctx, t)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "DELETE FROM acts WHERE begun < $1", millis(now.Add(-actsFor)))
		return err
	})
}
