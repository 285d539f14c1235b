package store

import (
	"strings"
	"testing"
	"time"

	"seedcorn/digest"
)

// sent posts all parts of a digest.
func sent(t *testing.T, db *DB, after time.Duration) {
	t.Helper()
	for {
		got := claim(t, db, after, 50)
		if len(got) == 0 {
			return
		}
		for id, d := range got {
			if err := db.Settle(t.Context(), digest.Settlement{ID: id, Attempt: d.Attempt, Outcome: digest.Outcome{State: digest.Sent, Receipt: "r/" + string(id), Words: "sent"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The cap of a channel holds over restarts, and only for that channel.
func TestPublications(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		outgoing(t, db, "s1", "news", 12)
		outgoing(t, db, "s2", "other", 1)
		outgoing(t, db, "s3", "plain", 1)
		for _, id := range []digest.SubscriptionID{"s1", "s2"} {
			sub, err := db.Subscription(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			sub.Publish = true
			if err := db.PutSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := db.Announce(ctx, t0); n != 0 || err != nil {
			t.Fatalf("%d noted before anything was posted, %v", n, err)
		}
		sent(t, db, time.Minute)
		now := t0.Add(2 * time.Minute)
		for i, want := range []int{13, 0} {
			if n, err := db.Announce(ctx, now); n != want || err != nil {
				t.Errorf("time %d: %d noted, %v, want %d", i+1, n, err, want)
			}
		}
		if n, err := db.Announce(ctx, now, "test"); n != 1 || err != nil {
			t.Errorf("of a whole platform: %d more, %v, want the plain one", n, err)
		}
		// publish claims and settles all that may go out at now, by channel.
		publish := func(now time.Time) map[string]int {
			out := map[string]int{}
			for {
				x, ok, err := db.ClaimPublication(ctx, now, time.Minute, 10, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					return out
				}
				if x.Receipt != "r/"+string(x.Delivery) {
					t.Errorf("receipt %q of %s", x.Receipt, x.Delivery)
				}
				out[x.To.Channel]++
				x.State, x.Words = digest.Published, "published"
				if err := db.SettlePublication(ctx, x); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := publish(now); got["news"] != 10 || got["other"] != 1 || got["plain"] != 1 {
			t.Fatalf("at first: %v", got)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = p.open(t)
		if got := publish(now.Add(59 * time.Minute)); len(got) != 0 {
			t.Errorf("within the hour, after a restart: %v", got)
		}
		waits := 0
		ds, err := db.Deliveries(ctx, digest.Sent, 50)
		if err != nil {
			t.Fatal(err)
		}
		var ids []digest.DeliveryID
		for _, d := range ds {
			ids = append(ids, d.ID)
		}
		all, err := db.Publications(ctx, ids)
		if err != nil || len(all) != 14 {
			t.Fatalf("%d publications, %v", len(all), err)
		}
		for _, x := range all {
			if x.State == digest.PublishWaiting {
				waits++
				if !x.NotBefore.Equal(now.Add(time.Hour)) || !strings.Contains(x.Words, "waits for room") {
					t.Errorf("waits until %v: %q", x.NotBefore, x.Words)
				}
			}
		}
		if waits != 2 {
			t.Errorf("%d wait, want 2", waits)
		}
		if got := publish(now.Add(time.Hour)); got["news"] != 2 {
			t.Errorf("after the hour: %v", got)
		}
	})
}

// A worker that died is followed by another when its lease is over, and has no say
// any more.
func TestPublicationLease(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		outgoing(t, db, "s1", "news", 1)
		sent(t, db, time.Minute)
		now := t0.Add(2 * time.Minute)
		if _, err := db.Announce(ctx, now, "test"); err != nil {
			t.Fatal(err)
		}
		first, ok, err := db.ClaimPublication(ctx, now, time.Minute, 10, time.Hour)
		if !ok || err != nil || first.Attempt != 1 {
			t.Fatalf("%+v, %v, %v", first, ok, err)
		}
		if x, ok, err := db.ClaimPublication(ctx, now.Add(59*time.Second), time.Minute, 10, time.Hour); ok || err != nil {
			t.Errorf("claimed while another has it: %+v, %v", x, err)
		}
		second, ok, err := db.ClaimPublication(ctx, now.Add(time.Minute), time.Minute, 10, time.Hour)
		if !ok || err != nil || second.Attempt != 2 {
			t.Fatalf("%+v, %v, %v", second, ok, err)
		}
		first.State = digest.PublishRefused
		second.State, second.Words = digest.Published, "published"
		for _, x := range []digest.Publication{first, second} {
			if err := db.SettlePublication(ctx, x); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Publications(ctx, []digest.DeliveryID{first.Delivery, "none"})
		if err != nil || got[first.Delivery].State != digest.Published || len(got) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A published message is edited so often in an hour and not more, whoever counts; others
// as often as one likes.
func TestPublishedEdits(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		outgoing(t, db, "s1", "news", 2)
		sent(t, db, time.Minute)
		ids := []digest.DeliveryID{}
		ds, err := db.Deliveries(ctx, "", 10)
		if err != nil || len(ds) < 2 {
			t.Fatalf("%d deliveries, %v", len(ds), err)
		}
		for _, d := range ds {
			ids = append(ids, d.ID)
		}
		now := t0.Add(2 * time.Minute)
		edit := func(id digest.DeliveryID, after, free time.Duration) {
			t.Helper()
			got, err := db.BeginEdit(ctx, id, now.Add(after), 3, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if want := now.Add(free); free == 0 && !got.IsZero() || free != 0 && !got.Equal(want) {
				t.Errorf("after %s: free at %s, want %s", after, got, want)
			}
		}
		for i := range 5 {
			edit(ids[0], time.Duration(i)*time.Minute, 0) // not published
		}
		if n, err := db.Announce(ctx, now, "test"); n != len(ids) || err != nil {
			t.Fatalf("%d noted, %v", n, err)
		}
		edit(ids[0], 0, 0) // nor yet
		for range ids {
			pub, ok, err := db.ClaimPublication(ctx, now, time.Minute, 10, time.Hour)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			pub.State = digest.Published
			if err := db.SettlePublication(ctx, pub); err != nil {
				t.Fatal(err)
			}
		}
		edit(ids[0], 0, 0)
		edit(ids[0], 10*time.Minute, 0)
		edit(ids[0], 20*time.Minute, 0)
		edit(ids[0], 30*time.Minute, time.Hour)
		edit(ids[1], 30*time.Minute, 0)
		edit(ids[0], time.Hour, 0)
		edit(ids[0], 61*time.Minute, 70*time.Minute)
	})
}
