package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

func TestInstallations(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx, db := t.Context(), p.open(t)
		if _, err := db.Installation(ctx, "test", "w"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("an installation that is not there: %v", err)
		}
		in := digest.Installation{Platform: "test", Workspace: "w", Name: "Lab\x00", Scopes: []string{"commands", "chat:write"}, Sealed: "c2VhbGVk", Key: "k1", By: "ada", At: t0}
		other := digest.Installation{Platform: "test", Workspace: "v", Sealed: "b3RoZXI=", Key: "k1", At: t0}
		for _, x := range []digest.Installation{in, other} {
			if n, err := db.PutInstallation(ctx, x); err != nil || n != 0 {
				t.Fatal(n, err)
			}
		}
		if _, err := db.PutInstallation(ctx, digest.Installation{Platform: "test", Workspace: "u"}); err == nil {
			t.Error("an installation without a token was stored")
		}
		in.Name = "Lab"
		got, err := db.Installations(ctx)
		if diff := cmp.Diff([]digest.Installation{other, in}, got); diff != "" || err != nil {
			t.Fatalf("%v, (-want +got):\n%s", err, diff)
		}

		// Sealed again with another key, but not over a token that came meanwhile.
		if err := db.Reseal(ctx, in, "bmV3", "k2"); err != nil {
			t.Fatal(err)
		}
		if err := db.Reseal(ctx, in, "bGF0ZQ==", "k3"); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Installation(ctx, "test", "w"); err != nil || got.Sealed != "bmV3" || got.Key != "k2" {
			t.Errorf("after sealing again: %+v, %v", got, err)
		}

		gone := t0.Add(time.Hour)
		had, _, err := db.RemoveInstallation(ctx, "test", "w", gone, "app_uninstalled")
		if err != nil || !had {
			t.Fatal(had, err)
		}
		if had, _, err := db.RemoveInstallation(ctx, "test", "w", gone.Add(time.Hour), "tokens_revoked"); err != nil || had {
			t.Errorf("removed twice: %v, %v", had, err)
		}
		got1, err := db.Installation(ctx, "test", "w")
		if err != nil || got1.Sealed != "" || got1.Key != "" || !got1.Removed.Equal(gone) || got1.Why != "app_uninstalled" || got1.Name != "Lab" {
			t.Errorf("after its removal: %+v, %v", got1, err)
		}
		if got, err := db.Installation(ctx, "test", "v"); err != nil || got.Sealed == "" {
			t.Errorf("the other workspace's token is gone, too: %+v, %v", got, err)
		}
		if err := db.Reseal(ctx, got1, "bmV3", "k2"); err != nil {
			t.Fatal(err)
		}
	})
}

// What is paused when a workspace goes is what goes on when it is back, and nothing
// else: not what was paused before, not what is paused by hand meanwhile.
func TestSuspended(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx, db := t.Context(), p.open(t)
		later := t0.Add(240 * time.Hour)
		put := func(id digest.SubscriptionID, workspace string, until time.Time) {
			t.Helper()
			sub := subscribed(t, db, id, "c")
			sub.Destination.Workspace, sub.PausedUntil = workspace, until
			if err := db.PutSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
		}
		put("s1", "w", time.Time{})
		put("s2", "w", later)
		put("s3", "w", forever)
		put("s4", "w", time.Time{})
		put("s5", "v", time.Time{})
		state := func() map[digest.SubscriptionID]string {
			t.Helper()
			subs, err := db.Subscriptions(ctx)
			if err != nil {
				t.Fatal(err)
			}
			out := map[digest.SubscriptionID]string{}
			for _, s := range subs {
				switch {
				case s.PausedUntil.IsZero():
					out[s.ID] = "on"
				case s.PausedUntil.Equal(forever):
					out[s.ID] = "paused"
				default:
					out[s.ID] = "until " + s.PausedUntil.Format(time.DateOnly)
				}
			}
			return out
		}
		before := state()
		remove := func(want int) {
			t.Helper()
			if _, n, err := db.RemoveInstallation(ctx, "test", "w", t0, "app_uninstalled"); err != nil || n != want {
				t.Fatalf("suspended %d, want %d: %v", n, want, err)
			}
		}
		remove(4)
		remove(0) // the second event of the same removal
		if diff := cmp.Diff(map[digest.SubscriptionID]string{"s1": "paused", "s2": "paused", "s3": "paused", "s4": "paused", "s5": "on"}, state()); diff != "" {
			t.Errorf("after the removal (-want +got):\n%s", diff)
		}
		if due, err := db.DueSubscriptions(ctx, later.Add(time.Hour)); err != nil || len(due) != 1 || due[0].ID != "s5" {
			t.Errorf("due: %v, %v", due, err)
		}
		if ws, err := db.Suspended(ctx, "test"); err != nil || len(ws) != 1 || ws[0] != "w" {
			t.Errorf("suspended: %v, %v", ws, err)
		}
		if err := db.DeleteSubscription(ctx, "s4"); err != nil {
			t.Fatal(err)
		}
		n, err := db.PutInstallation(ctx, digest.Installation{Platform: "test", Workspace: "w", Sealed: "eA==", Key: "k", At: t0})
		if err != nil || n != 3 {
			t.Errorf("resumed %d, %v", n, err)
		}
		delete(before, "s4")
		if diff := cmp.Diff(before, state()); diff != "" {
			t.Errorf("after it came back (-want +got):\n%s", diff)
		}
		if ws, err := db.Suspended(ctx, "test"); err != nil || len(ws) != 0 {
			t.Errorf("still suspended: %v, %v", ws, err)
		}

		// Without a token of its own in the database it goes and comes back alike.
		remove(3)
		put("s2", "w", later) // somebody set an end meanwhile
		if n, err := db.ResumeWorkspace(ctx, "test", "w"); err != nil || n != 2 {
			t.Errorf("resumed %d, %v", n, err)
		}
		if diff := cmp.Diff(before, state()); diff != "" {
			t.Errorf("after it came back again (-want +got):\n%s", diff)
		}
	})
}

func TestPersonLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx, db := t.Context(), p.open(t)
		put := func(id digest.SubscriptionID, workspace, channel, owner string, direct bool) {
			t.Helper()
			sub := subscribed(t, db, id, channel)
			sub.Destination.Workspace, sub.Destination.Direct, sub.Owner = workspace, direct, owner
			if err := db.PutSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
		}
		put("s1", "w", "c", "ada", false)
		put("s2", "w", "ada", "ada", true)
		put("s3", "w", "c", "ben", false)
		put("s4", "v", "c", "ada", false) // another workspace's ada
		kept, paused, err := db.PersonLeft(ctx, "test", "w", "ada")
		if kept != 1 || paused != 1 || err != nil {
			t.Fatal(kept, paused, err)
		}
		subs, err := db.Subscriptions(ctx)
		if err != nil || len(subs) != 4 {
			t.Fatal(subs, err)
		}
		for i, want := range []struct {
			owner  string
			paused bool
		}{{"", false}, {"ada", true}, {"ben", false}, {"ada", false}} {
			if s := subs[i]; s.Owner != want.owner || s.PausedUntil.IsZero() == want.paused {
				t.Errorf("%s: owner %q, paused until %v", s.ID, s.Owner, s.PausedUntil)
			}
		}
	})
}
