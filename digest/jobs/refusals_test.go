package jobs

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/store"
)

// A counter is a platform on which channels may be closed, and persons reached at "@" and
// their names.
type counter struct {
	closed map[string]string // channel -> why
	posts  []string
}

func (c *counter) Pace() digest.Pace { return digest.Pace{} }

func (c *counter) Post(_ context.Context, d digest.Delivery) (string, error) {
	if why := c.closed[d.To.Channel]; why != "" {
		return "", &PostError{State: digest.Dead, Say: why}
	}
	c.posts = append(c.posts, fmt.Sprintf("%s: %s", d.To.Channel, d.Payload))
	return "r", nil
}

func (c *counter) Find(context.Context, digest.Delivery) (string, bool, error) {
	return "", false, nil
}

// An owner is told once for each cause, whatever dies in between, and again when
// something had arrived meanwhile. What can't be told ends there.
func TestOwnersAreToldOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, open func() *store.DB, _ func() int64) {
		db, c := open(), &counter{closed: map[string]string{}}
		ctx := t.Context()
		var notes []string
		process := func(db *store.DB) *Deliveries {
			return &Deliveries{Outbox: db, Couriers: map[string]Courier{"test": c}, Now: time.Now, Refusals: &Refusals{
				Register: db, Now: time.Now,
				Word: func(f digest.Refusal) (digest.Destination, []digest.Part, error) {
					switch to := f.Subscription.Destination; {
					case to.Direct:
						return to, nil, nil
					case f.Because == "poison":
						panic(f.Because)
					}
					return digest.Destination{Platform: "test", Workspace: "w", Channel: "@ada", Direct: true}, []digest.Part{{Payload: []byte(f.Because), Summary: "paused"}}, nil
				},
				Note: func(f digest.Refusal, told bool, err error) {
					notes = append(notes, fmt.Sprintf("%s: %s (told %v, error %v)", f.Subscription.ID, f.Because, told, err != nil))
				},
			}}
		}
		week := 0
		subs := map[string]digest.Subscription{}
		// digests puts another week's digest of a channel into the outbox and delivers.
		digests := func(channel string, direct bool) {
			t.Helper()
			week++
			sub, ok := subs[channel]
			if !ok {
				sub = digest.Subscription{ID: digest.SubscriptionID("s" + channel), Destination: digest.Destination{Platform: "test", Workspace: "w", Channel: channel, Direct: direct}, Cadence: "0 9 * * 1", Zone: "UTC", Owner: "ada", Cursor: rushed}
			}
			if err := db.PutSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
			to := rushed.Add(time.Duration(week) * time.Hour)
			if _, err := db.SaveDigest(ctx, sub, digest.Digest{Title: "t", Period: digest.Period{From: sub.Cursor, To: to}}, to, digest.Part{Payload: fmt.Appendf(nil, "week %d", week)}, digest.Part{Payload: []byte("more")}); err != nil {
				t.Fatal(err)
			}
			sub.Cursor = to
			subs[channel] = sub
			if _, err := process(db).Run(ctx); err != nil {
				t.Fatal(err)
			}
		}
		seen := func(want ...string) {
			t.Helper()
			check(t, "posted", want, c.posts)
			c.posts = nil
		}
		paused := func(channel string, want string) {
			t.Helper()
			sub, err := db.Subscription(ctx, digest.SubscriptionID("s"+channel))
			if err != nil || sub.PausedUntil.IsZero() != (want == "") || want != "" && sub.LastResult != "paused: "+want {
				t.Errorf("%s is paused until %v: %s (%v), want %q", channel, sub.PausedUntil, sub.LastResult, err, want)
			}
		}

		c.closed["a"] = "archived"
		digests("a", false)
		seen("@ada: archived")
		paused("a", "archived")
		digests("a", false) // resumed, and refused again
		seen()
		c.closed["a"] = "kicked"
		digests("a", false)
		seen("@ada: kicked")
		delete(c.closed, "a")
		digests("a", false)
		seen("a: week 4", "a: more")
		paused("a", "")
		c.closed["a"] = "archived"
		digests("a", false)
		seen("@ada: archived")

		// A closed door of the owner's own is nobody's news.
		c.closed["@ada"] = "direct messages are closed"
		c.closed["b"] = "archived"
		digests("b", false)
		seen()
		paused("b", "archived")
		c.closed["d"] = "direct messages are closed"
		digests("d", true)
		seen()
		c.closed["e"] = "poison"
		digests("e", false)
		seen()
		delete(c.closed, "@ada")

		// Who settles dies before anybody is told; the next process tells.
		c.closed["f"] = "archived"
		half := process(db)
		half.Refusals = nil
		week++
		sub := digest.Subscription{ID: "sf", Destination: digest.Destination{Platform: "test", Workspace: "w", Channel: "f"}, Owner: "ada", Cursor: rushed}
		if err := db.PutSubscription(ctx, sub); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SaveDigest(ctx, sub, digest.Digest{Title: "t", Period: digest.Period{From: rushed, To: rushed.Add(time.Hour)}}, rushed, digest.Part{Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if _, err := half.Run(ctx); err != nil {
			t.Fatal(err)
		}
		seen()
		for _, again := range []*store.DB{open(), db} {
			if _, _, err := process(again).Drain(ctx, digest.Lane{Platform: "test", Workspace: "w"}); err != nil {
				t.Fatal(err)
			}
		}
		seen("@ada: archived")
		want := []string{
			"sa: archived (told true, error false)", "sa: kicked (told true, error false)", "sa: archived (told true, error false)",
			"sb: archived (told true, error false)", "sd: direct messages are closed (told false, error false)", "se: poison (told false, error true)", "sf: archived (told true, error false)",
		}
		if !slices.Equal(notes, want) {
			check(t, "noted", want, notes)
		}
	})
}
