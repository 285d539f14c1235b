package store

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"seedcorn/digest"
)

// A few processes do, in any order, what can be done to deliveries, and die over it, and
// after each step the table is as it must be:
//
//   - a part that is being sent, or is sent, stands below one that is sent;
//   - what is sent stays sent, and attempts only count up;
//   - a channel is posted to by one at a time;
//   - what is given out is given to one, until its lease has run out;
//   - a subscription that is paused, by its owner or by a refusal, is owed nothing.
func TestDeliveriesWhateverHappens(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		dbs := []*DB{p.open(t), p.open(t), p.open(t)}
		any := func() *DB { return dbs[r.IntN(len(dbs))] }
		const lease = 2 * time.Minute
		now := t0
		type held struct {
			digest.Delivery
			until time.Time
		}
		var hands []held // attempts under way; some of them of processes that think that they live
		var subs []digest.Subscription
		before := map[string]struct {
			state   string
			attempt int
		}{}
		for i := range 4 {
			subs = append(subs, subscribed(t, dbs[0], digest.SubscriptionID(fmt.Sprintf("s%d", i)), fmt.Sprintf("C%d", i%3)))
		}
		digests := 0
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for step := range 250 {
			doing := ""
			switch k := r.IntN(100); {
			case k < 14:
				doing = "compose"
				i := r.IntN(len(subs))
				sub, err := any().Subscription(t.Context(), subs[i].ID)
				must(err)
				if sub.PausedUntil.After(now) {
					continue
				}
				digests++
				_, err = any().SaveDigest(t.Context(), sub, digest.Digest{Title: "x", Period: digest.Period{From: sub.Cursor, To: sub.Cursor.Add(time.Minute)}}, t0.Add(time.Hour), messages(1+r.IntN(3))...)
				must(err)
			case k < 44:
				doing = "claim"
				got, err := any().Claim(t.Context(), testLane, digest.Rate{}, now, lease, 1+r.IntN(3))
				must(err)
				for _, d := range got {
					for _, h := range hands {
						if h.ID == d.ID && h.until.After(now) {
							t.Fatalf("step %d: delivery %s is taken from who has it for another %v", step, d.ID, h.until.Sub(now))
						}
					}
					hands = append(hands, held{d, now.Add(lease)})
				}
			case k < 74 && len(hands) > 0:
				doing = "settle" // perhaps one that somebody else has had since
				i := r.IntN(len(hands))
				o := digest.Outcome{State: digest.Sent, Receipt: "r"}
				switch r.IntN(8) {
				case 0:
					o = digest.Outcome{State: digest.Dead, Words: "is_archived"}
				case 1, 2:
					o = digest.Outcome{State: digest.Pending, NotBefore: now.Add(time.Minute)}
				case 3, 4:
					o = digest.Outcome{State: digest.Unsure, NotBefore: now}
				}
				must(any().Settle(t.Context(), digest.Settlement{ID: hands[i].ID, Attempt: hands[i].Attempt, Outcome: o}))
				for j := range hands { // it is over, whoever thinks otherwise
					if hands[j].ID == hands[i].ID && hands[j].Attempt <= hands[i].Attempt {
						hands[j].until = now
					}
				}
				if r.IntN(4) > 0 { // who is slow may say it twice
					hands = slices.Delete(hands, i, i+1)
				}
			case k < 80 && len(hands) > 0:
				doing = "die" // its row stays in sending, and nobody holds it any more once its lease has run out
				i := r.IntN(len(hands))
				hands = slices.Delete(hands, i, i+1)
			case k < 84 && len(before) > 0:
				doing = "requeue"
				all, err := any().Deliveries(t.Context(), "", 100)
				must(err)
				d := all[r.IntN(len(all))]
				if err := any().Requeue(t.Context(), d.ID, r.IntN(2) == 0); err != nil && !errors.Is(err, ErrNotFound) {
					t.Fatal(err)
				}
				// By a person's hand one is taken from who has it: that attempt is over.
				hands = slices.DeleteFunc(hands, func(h held) bool { return h.ID == d.ID })
			case k < 90:
				doing = "pause or resume"
				sub, err := any().Subscription(t.Context(), subs[r.IntN(len(subs))].ID)
				must(err)
				if sub.PausedUntil = (time.Time{}); r.IntN(2) == 0 {
					sub.PausedUntil = forever
				}
				must(any().PutSubscription(t.Context(), sub))
			default:
				doing = "wait"
				now = now.Add(time.Duration(r.IntN(90)) * time.Second)
			}

			due, err := dbs[0].DueSubscriptions(t.Context(), now.AddDate(1, 0, 0))
			must(err)
			for _, s := range due {
				if s.PausedUntil.After(now) {
					t.Fatalf("step %d, %s: subscription %s is paused, and due", step, doing, s.ID)
				}
			}
			type row struct {
				id, digest, channel, state string
				part, attempt              int
			}
			var rows []row
			must(each(t.Context(), dbs[0], "SELECT id, digest, channel, state, part, attempt FROM deliveries ORDER BY digest, part", nil, func(q *sql.Rows) error {
				var x row
				err := q.Scan(&x.id, &x.digest, &x.channel, &x.state, &x.part, &x.attempt)
				rows = append(rows, x)
				return err
			}))
			busy := map[string]string{}
			for i, x := range rows {
				out := x.state == "sending" || x.state == "sent"
				if x.part > 0 && out && rows[i-1].state != "sent" {
					t.Fatalf("step %d, %s: part %d of %s is %s, the one before it %s", step, doing, x.part, x.digest, x.state, rows[i-1].state)
				}
				was := before[x.id]
				if was.state == "sent" && x.state != "sent" || x.attempt < was.attempt {
					t.Fatalf("step %d, %s: %s was %+v and is %s, attempt %d", step, doing, x.id, was, x.state, x.attempt)
				}
				was.state, was.attempt = x.state, x.attempt
				before[x.id] = was
				if x.state == "sending" {
					if other := busy[x.channel]; other != "" {
						t.Fatalf("step %d, %s: %s and %s are both posted to channel %s", step, doing, other, x.id, x.channel)
					}
					busy[x.channel] = x.id
				}
			}
		}
		if digests == 0 {
			t.Error("nothing was composed")
		}
	})
}
