package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"seedcorn/digest"
)

const installationColumns = "platform, workspace, name, scopes, token, key, by_whom, at, removed, why"

// PutInstallation stores a workspace's installation in place of an earlier one, and
// resumes what was suspended when that was removed. It returns how many subscriptions
// go on.
func (db *DB) PutInstallation(ctx context.Context, in digest.Installation) (resumed int, err error) {
	err = db.update(ctx, "storing the installation of "+in.Owner(), func(t *tx) error {
		if in.Sealed == "" || !in.Removed.IsZero() {
			return errors.New("it has no token")
		}
		_, err := t.exec(ctx, "INSERT INTO installations ("+installationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '')
			ON CONFLICT (platform, workspace) DO UPDATE SET name = excluded.name, scopes = excluded.scopes, token = excluded.token, key = excluded.key,
				by_whom = excluded.by_whom, at = excluded.at, removed = 0, why = ''`,
			clean(in.Platform), clean(in.Workspace), clean(in.Name), clean(strings.Join(in.Scopes, ",")), in.Sealed, in.Key, clean(in.By), millis(in.At))
		if err != nil {
			return err
		}
		resumed, err = resume(ctx, t, in.Platform, in.Workspace)
		return err
	})
	return resumed, err
}

// Reseal replaces a workspace's sealed token, unless it has changed since it was read.
func (db *DB) Reseal(ctx context.Context, in digest.Installation, sealed, key string) error {
	return db.update(ctx, "sealing the token of "+in.Owner()+" again", func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE installations SET token = $4, key = $5 WHERE platform = $1 AND workspace = $2 AND token = $3 AND removed = 0",
			in.Platform, in.Workspace, in.Sealed, sealed, key)
		return err
	})
}

// RemoveInstallation deletes a workspace's token, if there is one, and suspends the
// workspace's subscriptions until it is back: those that are not suspended yet, of
// which it returns the number. The workspace need not be known. had tells whether
// there was a token.
func (db *DB) RemoveInstallation(ctx context.Context, platform, workspace string, at time.Time, why string) (had bool, suspended int, err error) {
	err = db.update(ctx, "removing the installation of "+platform+"/"+workspace, func(t *tx) error {
		r, err := t.exec(ctx, "UPDATE installations SET token = '', key = '', removed = $3, why = $4 WHERE platform = $1 AND workspace = $2 AND removed = 0",
			clean(platform), clean(workspace), max(1, millis(at)), clean(why))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return err
		}
		had = n > 0
		suspended, err = suspend(ctx, t, why, func(d digest.Destination) bool { return d.Platform == platform && d.Workspace == workspace })
		return err
	})
	return had, suspended, err
}

// suspend pauses subscriptions until resume is called for their workspace.
func suspend(ctx context.Context, t *tx, why string, whose func(digest.Destination) bool) (int, error) {
	type row struct {
		id     string
		to     digest.Destination
		paused int64
	}
	var rows []row
	err := each(ctx, t, "SELECT id, destination, paused_until FROM subscriptions WHERE id NOT IN (SELECT subscription FROM suspended) ORDER BY id", nil, func(r *sql.Rows) error {
		var x row
		var to string
		if err := r.Scan(&x.id, &to, &x.paused); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(to), &x.to); err != nil {
			return fmt.Errorf("destination of subscription %s: %w", x.id, err)
		}
		if whose(x.to) {
			rows = append(rows, x)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, x := range rows {
		if _, err := t.exec(ctx, "INSERT INTO suspended (subscription, platform, workspace, paused_until) VALUES ($1, $2, $3, $4)", x.id, x.to.Platform, x.to.Workspace, x.paused); err != nil {
			return 0, err
		}
		if _, err := t.exec(ctx, "UPDATE subscriptions SET paused_until = $2, last_result = $3 WHERE id = $1", x.id, millis(forever), clean("paused: "+why)); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// resume lets what was suspended with a workspace go on as it was before. What
// somebody has resumed or paused with an end meanwhile is left as it is.
func resume(ctx context.Context, t *tx, platform, workspace string) (int, error) {
	r, err := t.exec(ctx, `UPDATE subscriptions SET paused_until = (SELECT s.paused_until FROM suspended s WHERE s.subscription = subscriptions.id), last_result = 'resumed'
		WHERE paused_until = $3 AND id IN (SELECT subscription FROM suspended WHERE platform = $1 AND workspace = $2)`, clean(platform), clean(workspace), millis(forever))
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, "DELETE FROM suspended WHERE platform = $1 AND workspace = $2", clean(platform), clean(workspace))
	return int(n), err
}

// ResumeWorkspace lets what was suspended with a workspace go on, and returns how many
// subscriptions that are. It is for a workspace whose token is not ours to keep.
func (db *DB) ResumeWorkspace(ctx context.Context, platform, workspace string) (resumed int, err error) {
	err = db.update(ctx, "resuming "+platform+"/"+workspace, func(t *tx) error {
		resumed, err = resume(ctx, t, platform, workspace)
		return err
	})
	return resumed, err
}

// Suspended returns the workspaces of a platform of which something is suspended.
func (db *DB) Suspended(ctx context.Context, platform string) (out []string, err error) {
	err = each(ctx, db, "SELECT DISTINCT workspace FROM suspended WHERE platform = $1 ORDER BY workspace", []any{clean(platform)}, func(r *sql.Rows) error {
		var w string
		err := r.Scan(&w)
		out = append(out, w)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is suspended: %w", explain(err))
	}
	return out, nil
}

// PersonLeft lets the subscriptions of channels that somebody owned belong to their
// channels, and pauses the person's own ones; it returns how many of each. Nobody who
// has left a workspace can be asked about either.
func (db *DB) PersonLeft(ctx context.Context, platform, workspace, person string) (kept, paused int, err error) {
	err = db.update(ctx, "letting a person go", func(t *tx) error {
		type row struct {
			id string
			to digest.Destination
		}
		var rows []row
		err := each(ctx, t, "SELECT id, destination, owner FROM subscriptions ORDER BY id", nil, func(r *sql.Rows) error {
			var x row
			var to, owner string
			if err := r.Scan(&x.id, &to, &owner); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(to), &x.to); err != nil {
				return fmt.Errorf("destination of subscription %s: %w", x.id, err)
			}
			if x.to.Platform == platform && x.to.Workspace == workspace && (owner == person || x.to.Direct && x.to.Channel == person) {
				rows = append(rows, x)
			}
			return nil
		})
		for _, x := range rows {
			if err != nil {
				break
			}
			if x.to.Direct {
				paused++
				_, err = t.exec(ctx, "UPDATE subscriptions SET paused_until = $2, last_result = $3 WHERE id = $1", x.id, millis(forever), "paused: the person has left the workspace")
			} else {
				kept++
				_, err = t.exec(ctx, "UPDATE subscriptions SET owner = '', owner_name = '' WHERE id = $1", x.id)
			}
		}
		return err
	})
	return kept, paused, err
}

// Installation returns a workspace's installation, perhaps a removed one, or
// [ErrNotFound].
func (db *DB) Installation(ctx context.Context, platform, workspace string) (digest.Installation, error) {
	found, err := db.installations(ctx, "WHERE platform = $1 AND workspace = $2", clean(platform), clean(workspace))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("installation of %s/%s: %w", platform, workspace, ErrNotFound)
	}
	if err != nil {
		return digest.Installation{}, err
	}
	return found[0], nil
}

// Installations returns all installations, those removed among them, by platform and
// workspace.
func (db *DB) Installations(ctx context.Context) ([]digest.Installation, error) {
	return db.installations(ctx, "ORDER BY platform, workspace")
}

func (db *DB) installations(ctx context.Context, which string, args ...any) (out []digest.Installation, err error) {
	err = each(ctx, db, "SELECT "+installationColumns+" FROM installations "+which, args, func(r *sql.Rows) error {
		var in digest.Installation
		var scopes string
		var at, removed int64
		if err := r.Scan(&in.Platform, &in.Workspace, &in.Name, &scopes, &in.Sealed, &in.Key, &in.By, &at, &removed, &in.Why); err != nil {
			return err
		}
		in.At, in.Removed = fromMillis(at), fromMillis(removed)
		if scopes != "" {
			in.Scopes = strings.Split(scopes, ",")
		}
		out = append(out, in)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading installations: %w", explain(err))
	}
	return out, nil
}
