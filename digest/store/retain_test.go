package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

func TestRetain(t *testing.T) {
	const day = 24 * time.Hour
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		run := func(text string, args ...any) {
			t.Helper()
			_, err := db.write.ExecContext(ctx, text, args...)
			check(err)
		}
		bytes := func(id digest.DeliveryID) int {
			d, err := db.Delivery(ctx, id)
			check(err)
			return len(d.Payload)
		}
		count := func(table string) (n int) {
			check(first(ctx, db, "SELECT COUNT(*) FROM "+table, nil, &n))
			return n
		}
		// Three messages of one age and four fates, and one that was sent lately.
		ids := map[string]digest.DeliveryID{}
		for i, state := range []string{"sent", "pending", "dead", "unsure", "lately"} {
			ids[state] = outgoing(t, db, digest.SubscriptionID(fmt.Sprint("s", i)), fmt.Sprint("c", i), 1)[0]
			at := t0
			if state == "lately" {
				state, at = "sent", t0.Add(20*day)
			}
			run("UPDATE deliveries SET state = $1, begun = $2 WHERE subscription = $3", state, millis(at), fmt.Sprint("s", i))
		}
		// The subscription of the sent one has a later digest; the others' are their last.
		sub, err := db.Subscription(ctx, "s0")
		check(err)
		second, err := db.SaveDigest(ctx, sub, digest.Digest{Title: "Next week", Period: digest.Period{From: sub.Cursor, To: t0.Add(7 * day)}, Composed: t0.Add(7 * day)}, t0.Add(8*day))
		check(err)
		check(db.Answer(ctx, "a", digest.Answer{Fetched: t0, Expires: t0.Add(day)}))
		check(db.Answer(ctx, "b", digest.Answer{Fetched: t0, Expires: t0.Add(20 * day)}))
		check(db.Answer(ctx, "c", digest.Answer{Fetched: t0}))
		ingest(t, db, research()...)
		for i := range 3 {
			run("INSERT INTO incidents (name, began, kind, say, hint, seen, ended, told, told_end) VALUES ($1, $2, 'disk', '', '', 0, $3, 0, 0)", fmt.Sprint(i), millis(t0), []int64{0, millis(t0.Add(day)), millis(t0.Add(20 * day))}[i])
		}
		works, items := count("works"), count("items")

		now := t0.Add(30 * day)
		r := digest.Retention{Payloads: 15 * day, Lookups: 15 * day, Incidents: 15 * day}
		got, err := db.Retain(ctx, now, r)
		if diff := cmp.Diff(Removed{"payloads": 1, "lookups": 1, "incidents": 1}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for state, id := range ids {
			if n := bytes(id); (n == 0) != (state == "sent") {
				t.Errorf("the %s message has %d bytes", state, n)
			}
		}
		if _, err := db.Digests(ctx, "s0", 10); err != nil {
			t.Error(err)
		}
		if n := count("digests"); n != 6 {
			t.Errorf("%d digests are left, want all 6", n)
		}
		if n := count("incidents"); n != 2 {
			t.Errorf("%d incidents are left, want the one that lasts and the one that ended lately", n)
		}
		// Again, nothing is left to do.
		if got, err = db.Retain(ctx, now, r); len(got) > 0 || err != nil {
			t.Errorf("again, it removed %v (%v)", got, err)
		}

		// Digests, when told so; never the last of a subscription, nor one on its way.
		run("INSERT INTO publications (delivery, destination, state, attempt, not_before, at, words) VALUES ($1, '{}', 'published', 1, 0, 0, '')", string(ids["sent"]))
		got, err = db.Retain(ctx, now, digest.Retention{Digests: day})
		if err != nil || got["digests"] != 1 {
			t.Errorf("it removed %v (%v)", got, err)
		}
		if _, err := db.Digest(ctx, second); err != nil {
			t.Errorf("the latest digest of a subscription: %v", err)
		}
		if _, err := db.Delivery(ctx, ids["sent"]); !errors.Is(err, ErrNotFound) {
			t.Errorf("a message of a digest that is gone: %v", err)
		}
		for _, state := range []string{"pending", "unsure", "dead", "lately"} {
			if bytes(ids[state]) == 0 {
				t.Errorf("the %s message lost its bytes", state)
			}
		}
		if works != count("works") || items != count("items") {
			t.Error("works or entries were removed")
		}
		if n := count("payloads"); n != 1 {
			t.Errorf("%d payloads are left, and all messages that are have the same", n)
		}
		audit(t, db)
	})
}

func TestRetention(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		if r, err := db.Retention(t.Context()); err != nil || r != digest.DefaultRetention {
			t.Errorf("%+v, %v", r, err)
		}
		want := digest.Retention{Payloads: 24 * time.Hour}
		if err := db.SetRetention(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if r, err := db.Retention(t.Context()); err != nil || r != want {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
