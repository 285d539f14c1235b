package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// Where a digest went is known as long as its messages or its subscription are.
func TestAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db, ctx := p.open(t), t.Context()
		save := func(sub digest.SubscriptionID, channel string, week int, parts ...digest.Part) digest.DigestID {
			t.Helper()
			s := digest.Subscription{ID: sub, Destination: digest.Destination{Platform: "p", Channel: channel}, Created: t0, Cursor: t0.AddDate(0, 0, 7*week-7)}
			if err := db.PutSubscription(ctx, s); err != nil {
				t.Fatal(err)
			}
			id, err := db.SaveDigest(ctx, s, digest.Digest{Period: digest.Period{From: s.Cursor, To: t0.AddDate(0, 0, 7*week)}}, t0.AddDate(0, 0, 7*week+7), parts...)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		posted := save("s1", "posted", 1, digest.Part{Payload: []byte("a")}, digest.Part{Payload: []byte("b")})
		quiet := save("s2", "quiet", 2)
		lost := save("s3", "lost", 3)
		for _, sub := range []digest.SubscriptionID{"s1", "s3"} {
			if err := db.DeleteSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Addresses(ctx, 0)
		want := []Address{{quiet, digest.Destination{Platform: "p", Channel: "quiet"}}, {posted, digest.Destination{Platform: "p", Channel: "posted"}}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got, err := db.Addresses(ctx, 1); err != nil || len(got) != 0 {
			t.Errorf("the newest, whose address is lost: %v, %v", got, err)
		}
		if to, err := db.AddressOf(ctx, posted); err != nil || to.Channel != "posted" {
			t.Errorf("AddressOf = %v, %v", to, err)
		}
		for _, id := range []digest.DigestID{lost, "dnone"} {
			if _, err := db.AddressOf(ctx, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("AddressOf(%s): %v, want ErrNotFound", id, err)
			}
		}
	})
}
