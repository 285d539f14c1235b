package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// A key is its owner's to end, holds for its time, and is remembered when it ended.
func TestFeedKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx, db := t.Context(), p.open(t)
		put := func(id digest.FeedKeyID, person string, made time.Time) digest.FeedKey {
			t.Helper()
			k := digest.FeedKey{ID: id, Platform: "chat", Person: person, Query: "country:FR", Made: made, Until: made.Add(48 * time.Hour)}
			if err := db.PutFeedKey(ctx, k); err != nil {
				t.Fatal(err)
			}
			return k
		}
		holding := func(now time.Time, platform, person string, want ...digest.FeedKey) {
			t.Helper()
			got, err := db.FeedKeys(ctx, platform, person, now)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v, (-want +got):\n%s", person, err, diff)
			}
		}
		a, b, c := put("ka", "ana", t0), put("kb", "ana", t0.Add(time.Hour)), put("kc", "bob", t0)
		now := t0.Add(2 * time.Hour)
		holding(now, "chat", "ana", b, a)
		holding(now, "chat", "bob", c)
		holding(now, "talk", "ana")
		holding(now, "", "", b, a, c)

		if _, ok, err := db.ReadByFeedKey(ctx, "none", now); ok || err != nil {
			t.Errorf("a key that is not there: %v, %v", ok, err)
		}
		// Read three times on one day, and on the next: noted twice.
		for _, at := range []time.Time{now, now.Add(time.Minute), now.Add(2 * time.Minute)} {
			if k, ok, err := db.ReadByFeedKey(ctx, "ka", at); !ok || err != nil || !k.Holds(at) {
				t.Fatalf("%+v, %v, %v", k, ok, err)
			}
		}
		a.Read = now
		holding(now, "chat", "ana", b, a)
		a.Read = now.Add(24 * time.Hour)
		if _, _, err := db.ReadByFeedKey(ctx, "ka", a.Read); err != nil {
			t.Fatal(err)
		}
		holding(a.Read, "chat", "ana", b, a)

		// Somebody else's can't be revoked, and one that was stays as it was.
		for _, try := range []struct {
			person string
			at     time.Time
		}{{"bob", now}, {"ana", now.Add(time.Minute)}, {"ana", now.Add(time.Hour)}} {
			if err := db.RevokeFeedKey(ctx, "chat", try.person, "kb", try.at); err != nil {
				t.Fatal(err)
			}
		}
		holding(now, "chat", "ana", a)
		b.Revoked = now.Add(time.Minute)
		got, ok, err := db.ReadByFeedKey(ctx, "kb", now.Add(time.Hour))
		if diff := cmp.Diff(b, got); diff != "" || !ok || err != nil || got.Holds(now) {
			t.Errorf("%v, %v, (-want +got):\n%s", ok, err, diff)
		}
		holding(t0.Add(48*time.Hour), "chat", "ana")

		// There is an end to how many.
		for i := range digest.MostFeedKeys - 1 {
			put(digest.FeedKeyID(fmt.Sprint("k", i)), "ana", now)
		}
		if err := db.PutFeedKey(ctx, digest.FeedKey{ID: "more", Platform: "chat", Person: "ana", Made: now, Until: now.Add(time.Hour)}); !errors.Is(err, digest.ErrTooManyKeys) {
			t.Errorf("one too many: %v", err)
		}

		// Who is shut out holds nothing; others do.
		n, err := db.ShutOut(ctx, "chat", "ana", now)
		if out, again := db.SignedOut(ctx, "chat", "ana"); n != digest.MostFeedKeys || err != nil || again != nil || !out.Equal(now) {
			t.Errorf("%d keys, %v; signed out %v, %v", n, err, out, again)
		}
		holding(now, "chat", "ana")
		holding(now, "chat", "bob", c)

		// What ended is forgotten in time.
		if err := db.forgetReaders(ctx, now.Add(readersFor+time.Hour)); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[digest.FeedKeyID]bool{"ka": false, "kb": false, "kc": true} {
			if _, ok, err := db.ReadByFeedKey(ctx, id, now); ok != want || err != nil {
				t.Errorf("%s: %v, %v", id, ok, err)
			}
		}
		if out, err := db.SignedOut(ctx, "chat", "ana"); !out.IsZero() || err != nil {
			t.Errorf("signed out %v, %v", out, err)
		}
	})
}

// Signing out everywhere never moves back.
func TestSignOut(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx, db := t.Context(), p.open(t)
		for _, x := range []struct{ at, want time.Time }{{t0, t0}, {t0.Add(time.Hour), t0.Add(time.Hour)}, {t0, t0.Add(time.Hour)}} {
			if err := db.SignOut(ctx, "chat", "ana", x.at); err != nil {
				t.Fatal(err)
			}
			if got, err := db.SignedOut(ctx, "chat", "ana"); err != nil || !got.Equal(x.want) {
				t.Errorf("%v, %v, want %v", got, err, x.want)
			}
		}
		if got, err := db.SignedOut(ctx, "chat", "bob"); err != nil || !got.IsZero() {
			t.Errorf("somebody else: %v, %v", got, err)
		}
	})
}
