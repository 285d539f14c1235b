package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
)

const feedKeyColumns = "id, platform, person, query, made, until, last_read, revoked"

// PutFeedKey keeps a new key. The error is [digest.ErrTooManyKeys] if its owner has
// [digest.MostFeedKeys] that hold when it is made.
func (db *DB) PutFeedKey(ctx context.Context, k digest.FeedKey) error {
	return db.update(ctx, "keeping a private address", func(t *tx) error {
		n := 0
		err := first(ctx, t, "SELECT COUNT(*) FROM feed_keys WHERE platform = $1 AND person = $2 AND revoked = 0 AND until > $3", []any{clean(k.Platform), clean(k.Person), millis(k.Made)}, &n)
		if err != nil {
			return err
		}
		if n >= digest.MostFeedKeys {
			return digest.ErrTooManyKeys
		}
		_, err = t.exec(ctx, "INSERT INTO feed_keys ("+feedKeyColumns+") VALUES ($1, $2, $3, $4, $5, $6, 0, 0)",
			string(k.ID), clean(k.Platform), clean(k.Person), clean(k.Query), millis(k.Made), millis(k.Until))
		return err
	})
}

// FeedKeys returns a person's keys that hold at now, newest first; those of everybody
// if platform is "".
func (db *DB) FeedKeys(ctx context.Context, platform, person string, now time.Time) ([]digest.FeedKey, error) {
	whose, args := "", []any{millis(now)}
	if platform != "" {
		whose, args = " AND platform = $2 AND person = $3", append(args, clean(platform), clean(person))
	}
	return db.feedKeys(ctx, "revoked = 0 AND until > $1"+whose+" ORDER BY made DESC, id", args...)
}

func (db *DB) feedKeys(ctx context.Context, which string, args ...any) (out []digest.FeedKey, err error) {
	err = each(ctx, db, "SELECT "+feedKeyColumns+" FROM feed_keys WHERE "+which, args, func(r *sql.Rows) error {
		var k digest.FeedKey
		var made, until, read, revoked int64
		err := r.Scan(&k.ID, &k.Platform, &k.Person, &k.Query, &made, &until, &read, &revoked)
		k.Made, k.Until, k.Read, k.Revoked = fromMillis(made), fromMillis(until), fromMillis(read), fromMillis(revoked)
		out = append(out, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading private addresses: %w", explain(err))
	}
	return out, nil
}

// ReadByFeedKey returns a key by which somebody reads at now, whether it holds or not;
// ok is false if there is none. That it was read is noted once a day.
func (db *DB) ReadByFeedKey(ctx context.Context, id digest.FeedKeyID, now time.Time) (k digest.FeedKey, ok bool, err error) {
	found, err := db.feedKeys(ctx, "id = $1", clean(string(id)))
	if err != nil || len(found) == 0 {
		return k, false, err
	}
	const day = 24 * time.Hour
	k = found[0]
	if today := now.UTC().Truncate(day); k.Holds(now) && k.Read.Before(today) {
		err = db.update(ctx, "noting that a private address was read", func(t *tx) error {
			_, err := t.exec(ctx, "UPDATE feed_keys SET last_read = $2 WHERE id = $1", string(k.ID), millis(now))
			return err
		})
	}
	return k, true, err
}

// RevokeFeedKey ends a key of a person's; one that has ended, or is somebody else's,
// stays as it is.
func (db *DB) RevokeFeedKey(ctx context.Context, platform, person string, id digest.FeedKeyID, now time.Time) error {
	return db.update(ctx, "revoking a private address", func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE feed_keys SET revoked = $4 WHERE id = $1 AND platform = $2 AND person = $3 AND revoked = 0", clean(string(id)), clean(platform), clean(person), millis(now))
		return err
	})
}

// SignOut ends a person's sessions that began by now.
func (db *DB) SignOut(ctx context.Context, platform, person string, now time.Time) error {
	return db.update(ctx, "signing out everywhere", func(t *tx) error { return signOut(ctx, t, platform, person, now) })
}

func signOut(ctx context.Context, t *tx, platform, person string, now time.Time) error {
	_, err := t.exec(ctx, `INSERT INTO signed_out (platform, person, at) VALUES ($1, $2, $3)
		ON CONFLICT (platform, person) DO UPDATE SET at = excluded.at WHERE signed_out.at < excluded.at`, clean(platform), clean(person), millis(now))
	return err
}

// ShutOut ends a person's sessions and revokes all their keys, of which it returns how
// many held.
func (db *DB) ShutOut(ctx context.Context, platform, person string, now time.Time) (revoked int, err error) {
	err = db.update(ctx, "shutting a reader out", func(t *tx) error {
		if revoked, err = changed(t.exec(ctx, "UPDATE feed_keys SET revoked = $3 WHERE platform = $1 AND person = $2 AND revoked = 0 AND until > $3", clean(platform), clean(person), millis(now))); err != nil {
			return err
		}
		return signOut(ctx, t, platform, person, now)
	})
	return revoked, err
}

// SignedOut returns by when a person's sessions must have begun to hold no more; the
// zero time if all hold.
func (db *DB) SignedOut(ctx context.Context, platform, person string) (time.Time, error) {
	var at int64
	err := first(ctx, db, "SELECT at FROM signed_out WHERE platform = $1 AND person = $2", []any{clean(platform), clean(person)}, &at)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return time.Time{}, fmt.Errorf("reading who has signed out: %w", explain(err))
	}
	return fromMillis(at), nil
}

// readersFor is how long is remembered what holds no more: a feed reader that still
// asks is told why, and no session is as old.
const readersFor = 365 * 24 * time.Hour

// forgetReaders removes what nobody asks for any more.
func (db *DB) forgetReaders(ctx context.Context, now time.Time) error {
	return db.update(ctx, "forgetting what readers held", func(t *tx) error {
		before := millis(now.Add(-readersFor))
		if _, err := t.exec(ctx, "DELETE FROM feed_keys WHERE until < $1 OR revoked > 0 AND revoked < $1", before); err != nil {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM signed_out WHERE at < $1", before)
		return err
	})
}
