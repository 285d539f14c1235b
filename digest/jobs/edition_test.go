package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"seedcorn/digest"
)

// A ledger keeps subscriptions in memory, by the promises of [Ledger].
type ledger struct {
	subs  []digest.Subscription
	said  []string      // "s1 16 Nov 09:00 – 23 Nov 09:00, 2 parts"
	parts []digest.Part // of all of them
	fails error
}

func (l *ledger) DueSubscriptions(_ context.Context, now time.Time) (due []digest.Subscription, err error) {
	for _, s := range l.subs {
		if !s.Next.After(now) && !s.PausedUntil.After(now) {
			due = append(due, s)
		}
	}
	return due, l.fails
}

func (l *ledger) SaveDigest(_ context.Context, sub digest.Subscription, d digest.Digest, next time.Time, parts ...digest.Part) (digest.DigestID, error) {
	s := l.get(sub.ID)
	if !s.Cursor.Equal(sub.Cursor) {
		return "", fmt.Errorf("saving: %w", digest.ErrSaid)
	}
	const at = "2 Jan 15:04"
	line := fmt.Sprintf("%s %s – %s, %d parts", sub.ID, d.Period.From.Format(at), d.Period.To.Format(at), len(parts))
	if d.Merged > 1 {
		line += fmt.Sprintf(", %d merged", d.Merged)
	}
	l.said, l.parts = append(l.said, line), append(l.parts, parts...)
	s.Cursor, s.Next = d.Period.To, next
	return "d", nil
}

func (l *ledger) Postpone(_ context.Context, id digest.SubscriptionID, next time.Time, result string) error {
	s := l.get(id)
	s.Next, s.LastResult = next, result
	return nil
}

func (l *ledger) get(id digest.SubscriptionID) *digest.Subscription {
	for i := range l.subs {
		if l.subs[i].ID == id {
			return &l.subs[i]
		}
	}
	panic("no subscription " + id)
}

// noon is Monday 23 November 2026, twelve o'clock UTC.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// weekly is due on Mondays at 9 UTC and was last served a week ago.
func weekly(id digest.SubscriptionID) digest.Subscription {
	at := noon.Add(-3 * time.Hour)
	return digest.Subscription{ID: id, Cadence: "0 9 * * 1", Zone: "UTC", Cursor: at.AddDate(0, 0, -7), Next: at}
}

// press composes a digest of one story, unless a subscription's query is an order to
// do otherwise.
func press(l *ledger) *Editions {
	return &Editions{
		Ledger: l,
		Passes: func(err error) bool { return errors.Is(err, errAway) },
		Compose: func(_ context.Context, sub digest.Subscription, p digest.Period, missed int) (digest.Digest, error) {
			d := digest.Digest{Period: p, Merged: missed, Small: digest.SmallPrint{Looked: 3}, Sections: []digest.Section{{Stories: []digest.Story{{Title: "A"}}}}}
			switch sub.Query {
			case "fail":
				return digest.Digest{}, errors.New("disk full")
			case "away":
				return digest.Digest{}, fmt.Errorf("reading works: %w", errAway)
			case "panic":
				panic("poison")
			case "quiet":
				d.Sections = nil
			case "blind":
				d.Sections, d.Small.Looked = nil, 0
			}
			return d, nil
		},
		Render: func(sub digest.Subscription, _ digest.Digest) ([]digest.Part, error) {
			if sub.Query == "unrenderable" {
				return nil, errors.New("no platform")
			}
			return make([]digest.Part, 2), nil
		},
	}
}

// errAway is of a storage that will be back.
var errAway = errors.New("the database fails over")

func TestEditions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*digest.Subscription)
		said   string // "" if nothing is
		next   time.Time
		result string // a part of the last result
		err    string // a part of the error
	}{
		{name: "due", said: "s 16 Nov 09:00 – 23 Nov 09:00, 2 parts", next: noon.AddDate(0, 0, 7).Add(-3 * time.Hour)},
		{
			name: "not due", change: func(s *digest.Subscription) { s.Next = noon.Add(time.Minute) }, next: noon.Add(time.Minute),
		},
		{
			name: "missed periods are one digest that says so", change: func(s *digest.Subscription) {
				s.Cursor, s.Next = s.Cursor.AddDate(0, 0, -14), s.Next.AddDate(0, 0, -14)
			},
			said: "s 2 Nov 09:00 – 23 Nov 09:00, 2 parts, 3 merged", next: noon.AddDate(0, 0, 7).Add(-3 * time.Hour),
		},
		{
			name: "what was put off was missed, too", change: func(s *digest.Subscription) {
				s.Cursor, s.Next = s.Cursor.AddDate(0, 0, -14), noon.Add(-time.Minute)
			},
			said: "s 2 Nov 09:00 – 23 Nov 09:00, 2 parts, 3 merged", next: noon.AddDate(0, 0, 7).Add(-3 * time.Hour),
		},
		{
			name: "the first digest goes back further than the subscription, and merges nothing", change: func(s *digest.Subscription) {
				s.Cadence, s.Created, s.Cursor, s.Next = "0 9 * * *", noon.AddDate(0, 0, -1), noon.AddDate(0, 0, -8), noon.Add(-3*time.Hour)
			},
			said: "s 15 Nov 12:00 – 23 Nov 09:00, 2 parts", next: noon.AddDate(0, 0, 1).Add(-3 * time.Hour),
		},
		{
			name: "a first digest that was put off merges nothing", change: func(s *digest.Subscription) {
				s.Cadence, s.Created, s.Cursor, s.Next = "0 9 * * *", noon.AddDate(0, 0, -1), noon.AddDate(0, 0, -8), noon.Add(-time.Minute)
			},
			said: "s 15 Nov 12:00 – 23 Nov 09:00, 2 parts", next: noon.AddDate(0, 0, 1).Add(-3 * time.Hour),
		},
		{
			name: "a cadence that was made denser missed nothing", change: func(s *digest.Subscription) {
				s.Cadence = "0 9 * * *"
			},
			said: "s 16 Nov 09:00 – 23 Nov 09:00, 2 parts", next: noon.AddDate(0, 0, 1).Add(-3 * time.Hour),
		},
		{
			name: "nothing new moves the cursor", change: func(s *digest.Subscription) { s.Query = "quiet" },
			said: "s 16 Nov 09:00 – 23 Nov 09:00, 2 parts", next: noon.AddDate(0, 0, 7).Add(-3 * time.Hour),
		},
		{
			name: "could not look leaves it", change: func(s *digest.Subscription) { s.Query = "blind" },
			next: noon.Add(blindRetry), result: "no source could be read",
		},
		{
			// It is due as before, or an outage of a second would cost it an hour.
			name: "storage was away", change: func(s *digest.Subscription) { s.Query = "away" },
			next: noon.Add(-3 * time.Hour), err: "subscription s: reading works: the database fails over",
		},
		{
			name: "could not be composed", change: func(s *digest.Subscription) { s.Query = "fail" },
			next: noon.Add(blindRetry), result: "could not be composed: disk full", err: "subscription s: disk full",
		},
		{
			name: "could not be rendered", change: func(s *digest.Subscription) { s.Query = "unrenderable" },
			next: noon.Add(blindRetry), result: "could not be rendered: no platform", err: "subscription s: no platform",
		},
		{
			name: "a panic", change: func(s *digest.Subscription) { s.Query = "panic" },
			next: noon.Add(blindRetry), result: "could not be composed", err: "subscription s: composing panicked: poison",
		},
		{
			name: "a bad cadence", change: func(s *digest.Subscription) { s.Cadence = "now and then" },
			next: noon.Add(blindRetry), result: "cadence cannot be read", err: `parsing cadence "now and then"`,
		},
		{
			name: "a bad zone", change: func(s *digest.Subscription) { s.Zone = "Mars/Olympus" },
			next: noon.Add(blindRetry), result: "cadence cannot be read", err: "Mars/Olympus",
		},
		{
			name: "the cadence was changed: not owed yet", change: func(s *digest.Subscription) {
				s.Cadence, s.LastResult = "0 9 * * 2", "7 works"
				s.Cursor = noon.AddDate(0, 0, -5)
			},
			next: noon.AddDate(0, 0, 1).Add(-3 * time.Hour), result: "7 works",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub := weekly("s")
			if tt.change != nil {
				tt.change(&sub)
			}
			// One before and one after it, which it must not stop.
			l := &ledger{subs: []digest.Subscription{weekly("before"), sub, weekly("after")}}
			cursor := sub.Cursor
			done, err := press(l).Run(t.Context(), noon)
			var mine []string
			for _, line := range l.said {
				if strings.HasPrefix(line, "s ") {
					mine = append(mine, line)
				}
			}
			if got := strings.Join(mine, "; "); got != tt.said {
				t.Errorf("said %q, want %q", got, tt.said)
			}
			if others := len(l.said) - len(mine); others != 2 || done != len(l.said) {
				t.Errorf("%d others were served, %d counted; want 2, %d", others, done, len(l.said))
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
			got := l.get("s")
			if !got.Next.Equal(tt.next) || !strings.Contains(got.LastResult, tt.result) {
				t.Errorf("next %v, result %q; want %v, %q", got.Next, got.LastResult, tt.next, tt.result)
			}
			if moved := !got.Cursor.Equal(cursor); moved != (tt.said != "") {
				t.Errorf("cursor at %v, moved %v", got.Cursor, moved)
			}
			// The bell rings again at once: nothing is said twice, and nothing is tried
			// again before its time.
			before := len(l.said)
			if again, err := press(l).Run(t.Context(), noon); again != 0 || err != nil && !errors.Is(err, errAway) || len(l.said) != before {
				t.Errorf("at once again: %d, %v", again, err)
			}
		})
	}
}

// What is rendered once for many names each one's own digest; a channel and a person
// are rendered for apart.
func TestEditionsName(t *testing.T) {
	person := weekly("s3")
	person.Destination.Direct = true
	l := &ledger{subs: []digest.Subscription{weekly("s1"), weekly("s2"), person}}
	e := press(l)
	rendered := 0
	e.Render = func(s digest.Subscription, _ digest.Digest) ([]digest.Part, error) {
		rendered++
		return []digest.Part{{Payload: []byte("see /digest/" + string(digest.ThisDigest))}}, nil
	}
	if done, err := e.Run(t.Context(), noon); done != 3 || err != nil || rendered != 2 {
		t.Fatalf("%d done, %d rendered, %v", done, rendered, err)
	}
	end := noon.Add(-3 * time.Hour)
	for i, id := range []digest.SubscriptionID{"s1", "s2", "s3"} {
		if want := "see /digest/" + string(digest.NewDigestID(id, end)); string(l.parts[i].Payload) != want {
			t.Errorf("%s: %q, want %q", id, l.parts[i].Payload, want)
		}
	}
}

// Those that ask the same are told the same, composed once and rendered once for each
// platform; whoever is set apart has a digest of its own.
func TestEditionsShare(t *testing.T) {
	sub := func(id digest.SubscriptionID, platform, query string) digest.Subscription {
		s := weekly(id)
		s.Destination.Platform, s.Query = platform, query
		return s
	}
	late := sub("late", "a", "x")
	late.Cursor = late.Cursor.AddDate(0, 0, -7)
	abroad := sub("abroad", "a", "x")
	abroad.Zone = "Europe/London" // the same hour in November, but other words for it
	l := &ledger{subs: []digest.Subscription{
		sub("s1", "a", "x"), sub("s2", "b", "x"), sub("s3", "a", "y"), sub("s4", "a", "x"), sub("s5", "b", "x"), late, abroad, sub("voter", "a", "x"),
	}}
	e := press(l)
	compose, render := e.Compose, e.Render
	var composed, rendered []string
	e.Compose = func(ctx context.Context, s digest.Subscription, p digest.Period, missed int) (digest.Digest, error) {
		composed = append(composed, string(s.ID))
		return compose(ctx, s, p, missed)
	}
	e.Render = func(s digest.Subscription, d digest.Digest) ([]digest.Part, error) {
		rendered = append(rendered, string(s.ID))
		return render(s, d)
	}
	e.Apart = func(_ context.Context, s digest.Subscription) (string, error) {
		if s.ID == "voter" {
			return "its votes", nil
		}
		return "", nil
	}
	if done, err := e.Run(t.Context(), noon); done != 8 || err != nil {
		t.Fatalf("%d done, %v; want 8", done, err)
	}
	if want := "s1 s3 late abroad voter"; strings.Join(composed, " ") != want {
		t.Errorf("composed for %v, want for %s", composed, want)
	}
	if want := "s1 s2 s3 late abroad voter"; strings.Join(rendered, " ") != want {
		t.Errorf("rendered for %v, want for %s", rendered, want)
	}
}

// Somebody else was faster between reading what is due and saving it.
func TestEditionsSaidBySomebodyElse(t *testing.T) {
	l := &ledger{subs: []digest.Subscription{weekly("s1"), weekly("s2")}}
	e := press(l)
	compose := e.Compose
	e.Compose = func(ctx context.Context, sub digest.Subscription, p digest.Period, missed int) (digest.Digest, error) {
		if sub.ID == "s1" {
			l.get("s1").Cursor = p.To
		}
		return compose(ctx, sub, p, missed)
	}
	if done, err := e.Run(t.Context(), noon); done != 1 || err != nil || len(l.said) != 1 {
		t.Errorf("%d done, %v, said %q; want the other one and no error", done, err, l.said)
	}
}

func TestEditionsStops(t *testing.T) {
	l := &ledger{subs: []digest.Subscription{weekly("s1"), weekly("s2")}}
	ctx, cancel := context.WithCancel(t.Context())
	e := press(l)
	render := e.Render
	e.Render = func(sub digest.Subscription, d digest.Digest) ([]digest.Part, error) {
		cancel() // in the middle of the first
		return render(sub, d)
	}
	if done, err := e.Run(ctx, noon); done != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %d, %v, want the first one", done, err)
	}
	l.fails = errors.New("disk full")
	if done, err := press(l).Run(t.Context(), noon); done != 0 || !errors.Is(err, l.fails) {
		t.Errorf("a ledger that fails: %d, %v", done, err)
	}
}

// Whatever the zone, and however irregularly the bell rings, periods follow one
// another without an overlap and without a gap, and every due time is in one.
func TestOwedLeavesNoGap(t *testing.T) {
	specs := []string{"0 9 * * 1", "30 2 * * *", "0 0 * * *", "0 9 1 * *", "15 7 * * 1,3", "59 23 * * 0", "0 */6 * * *"}
	r := rand.New(rand.NewPCG(1, 2))
	for i, zone := range thirtyZones {
		for k := range 2 {
			spec := specs[(i+2*k)%len(specs)]
			c, err := ParseCadence(spec, zone)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(365 * 24 * time.Hour))))
			sub := digest.Subscription{Cursor: began}
			now, served, last := began, 0, time.Time{}
			for now.Before(began.AddDate(20, 0, 0)) {
				now = now.Add(time.Duration(r.Int64N(int64(20 * 24 * time.Hour)))) // sometimes it is down for weeks
				p, dues := Owed(sub, c, now)
				if dues == 0 {
					if !p.To.IsZero() || !c.Next(sub.Cursor).After(now) {
						t.Fatalf("%s %s: nothing owed at %v although %v is due", zone, spec, now, c.Next(sub.Cursor))
					}
					continue
				}
				if !p.From.Equal(sub.Cursor) || !p.To.After(p.From) || p.To.After(now) || !c.Next(p.To).After(now) {
					t.Fatalf("%s %s: at %v the period is %v – %v after a cursor of %v", zone, spec, now, p.From, p.To, sub.Cursor)
				}
				served += dues
				sub.Cursor, last = p.To, now
			}
			// The same count as by going from one due time to the next.
			want := 0
			for at := c.Next(began); !at.After(last); at = c.Next(at) {
				want++
			}
			if served != want {
				t.Errorf("%s %s: %d due times in the periods, want %d", zone, spec, served, want)
			}
		}
	}
}

// Nor does it matter how often cadence and zone are changed meanwhile.
func TestOwedAcrossChanges(t *testing.T) {
	specs := []string{"0 9 * * 1", "30 2 * * *", "0 0 1 * *", "15 7 * * 1,3", "59 23 * * 0", "0 */12 * * *"}
	r := rand.New(rand.NewPCG(3, 4))
	for _, zone := range thirtyZones {
		began := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(365 * 24 * time.Hour))))
		c, err := ParseCadence(specs[0], zone)
		if err != nil {
			t.Fatal(err)
		}
		sub := digest.Subscription{Cursor: began, Next: c.Next(began)}
		digests := 0
		for now := began; now.Before(began.AddDate(20, 0, 0)); now = now.Add(time.Duration(r.Int64N(int64(9 * 24 * time.Hour)))) {
			if r.IntN(10) == 0 {
				in := zone
				if r.IntN(2) == 0 {
					in = thirtyZones[r.IntN(len(thirtyZones))]
				}
				if c, err = ParseCadence(specs[r.IntN(len(specs))], in); err != nil {
					t.Fatal(err)
				}
				sub.Next = c.Next(now) // as an edit does
			}
			if sub.Next.After(now) {
				continue
			}
			p, dues := Owed(sub, c, now)
			sub.Next = c.Next(now)
			if dues == 0 {
				t.Fatalf("%s: due at %v, but nothing is owed since %v", zone, now, sub.Cursor)
			}
			if !p.From.Equal(sub.Cursor) || !p.To.After(p.From) || p.To.After(now) {
				t.Fatalf("%s: at %v the period is %v – %v after a cursor of %v", zone, now, p.From, p.To, sub.Cursor)
			}
			sub.Cursor = p.To
			digests++
		}
		if digests < 100 {
			t.Errorf("%s: %d digests in 20 years", zone, digests)
		}
	}
}

// A cadence of every minute that was missed for years is caught up with in steps.
func TestOwedIsBounded(t *testing.T) {
	c, err := ParseCadence("* * * * *", "")
	if err != nil {
		t.Fatal(err)
	}
	p, dues := Owed(digest.Subscription{Cursor: noon.AddDate(-3, 0, 0)}, c, noon)
	if want := 100_000; dues != want || p.To.Sub(p.From) != time.Duration(want)*time.Minute {
		t.Errorf("%d due times over %v", dues, p.To.Sub(p.From))
	}
}

// A clock that jumps moves what is owed, and never makes it owed twice: what was said
// is behind the cursor, wherever the clock is.
func TestOwedWhenClocksJump(t *testing.T) {
	c, err := ParseCadence("weekly", "Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	sub := digest.Subscription{Cursor: start}
	var said []digest.Period
	for _, jump := range []time.Duration{0, 8 * 24 * time.Hour, time.Hour, -20 * 24 * time.Hour, 365 * 24 * time.Hour, -300 * 24 * time.Hour, 330 * 24 * time.Hour, 8 * 24 * time.Hour} {
		start = start.Add(jump)
		p, missed := Owed(sub, c, start)
		if p.To.IsZero() {
			continue
		}
		if !p.From.Equal(sub.Cursor) || !p.From.Before(p.To) || p.To.After(start) {
			t.Errorf("at %s, after %s: owed %s to %s", start, sub.Cursor, p.From, p.To)
		}
		if weeks := int(p.To.Sub(p.From).Hours()/24/7 + 0.5); missed != weeks {
			t.Errorf("at %s: %d due times in %d weeks", start, missed, weeks)
		}
		said = append(said, p)
		sub.Cursor = p.To
	}
	if len(said) != 4 { // a week, a year in one, four weeks in one, a week
		t.Errorf("%d digests: %v", len(said), said)
	}
}
