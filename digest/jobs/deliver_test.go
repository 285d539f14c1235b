package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// An outbox keeps deliveries in memory, by the promises of [Outbox]. It also keeps
// the history of each, and fails where it is told to.
type outbox struct {
	mu       sync.Mutex
	rows     []digest.Delivery
	claimed  map[digest.DeliveryID]time.Time
	history  map[digest.DeliveryID][]string
	silenced []string
	held     map[digest.Lane]time.Time
	next     time.Time        // the first slot that is free
	fail     map[string]error // by method
}

// newOutbox puts digests of so many parts each into an outbox, every one on its way
// to a channel of its own. Their ids are "a0", "a1", …, "b0", ….
func newOutbox(parts ...int) *outbox {
	o := &outbox{claimed: map[digest.DeliveryID]time.Time{}, history: map[digest.DeliveryID][]string{}, held: map[digest.Lane]time.Time{}, fail: map[string]error{}}
	for i, n := range parts {
		name := string(rune('a' + i))
		for k := range n {
			o.rows = append(o.rows, digest.Delivery{
				ID: digest.DeliveryID(fmt.Sprintf("%s%d", name, k)), Digest: digest.DigestID(name), Subscription: digest.SubscriptionID("s" + name), Part: k,
				To: digest.Destination{Platform: "test", Channel: name}, Payload: []byte(name), Summary: fmt.Sprintf("part %d", k), State: digest.Pending,
			})
		}
	}
	return o
}

// waiting are the deliveries of a lane that are open, behind no other, and whose
// channel nobody is posting to, the longest due first. The lock is held.
func (o *outbox) waiting(lane digest.Lane) (out []*digest.Delivery) {
	for i := range o.rows {
		d := &o.rows[i]
		early := slices.ContainsFunc(o.rows, func(e digest.Delivery) bool { return e.Digest == d.Digest && e.Part < d.Part && e.State != digest.Sent })
		busy := d.State != digest.Sending && slices.ContainsFunc(o.rows, func(e digest.Delivery) bool { return e.State == digest.Sending && e.To == d.To })
		if d.To.Lane() == lane && d.State != digest.Sent && d.State != digest.Dead && !early && !busy {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b *digest.Delivery) int { return a.NotBefore.Compare(b.NotBefore) })
	return out
}

func (o *outbox) Lanes(_ context.Context, now time.Time) (out []digest.Lane, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.rows {
		if l := d.To.Lane(); !slices.Contains(out, l) && !o.held[l].After(now) && slices.ContainsFunc(o.waiting(l), func(d *digest.Delivery) bool { return !d.NotBefore.After(now) }) {
			out = append(out, l)
		}
	}
	return out, o.fail["Lanes"]
}

func (o *outbox) Open(_ context.Context, lane digest.Lane, now time.Time, limit int) (n int, next time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.waiting(lane) {
		switch {
		case n == limit:
			return n, time.Time{}, o.fail["Open"]
		case !d.NotBefore.After(now):
			n++
		case next.IsZero():
			next = d.NotBefore
		}
	}
	return n, next, o.fail["Open"]
}

// Reserve keeps to the platform's rate alone: the store's tests are about the others.
func (o *outbox) Reserve(_ context.Context, lane digest.Lane, pace digest.Pace, n int) (digest.Slots, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if held := o.held[lane]; held.After(now) {
		return digest.Slots{At: held}, o.fail["Reserve"]
	}
	start := o.next
	if now.After(start) {
		start = now
	}
	o.next = start.Add(time.Duration(n) * pace.Platform.Every)
	return digest.Slots{N: n, At: start, Every: pace.Platform.Every}, o.fail["Reserve"]
}

// Hold holds the lane, whatever the scope.
func (o *outbox) Hold(_ context.Context, to digest.Destination, scope digest.Scope, during time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if scope != digest.ScopeMessage {
		o.held[to.Lane()] = time.Now().Add(during)
	}
	return o.fail["Hold"]
}

func (o *outbox) Claim(_ context.Context, lane digest.Lane, _ digest.Rate, now time.Time, lease time.Duration, limit int) ([]digest.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fail["Claim"]; err != nil {
		return nil, err
	}
	var out []digest.Delivery
	taken := map[digest.Destination]bool{}
	for _, d := range o.waiting(lane) {
		if d.NotBefore.After(now) || taken[d.To] || len(out) == limit {
			continue
		}
		taken[d.To] = true
		c := *d
		switch d.State {
		case digest.Pending:
			c.Begun = now
		case digest.Sending:
			c.State = digest.Unsure
		}
		c.Attempt++
		if i := slices.IndexFunc(o.rows, func(e digest.Delivery) bool { return e.Digest == d.Digest && e.Part == 0 }); d.Part > 0 {
			c.First = o.rows[i].Receipt
		}
		d.State, d.Attempt, d.Begun, d.NotBefore = digest.Sending, c.Attempt, c.Begun, now.Add(lease)
		o.claimed[d.ID] = now
		out = append(out, c)
	}
	return out, nil
}

func (o *outbox) Again(_ context.Context, id digest.DeliveryID, attempt int) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.row(id)
	if err := o.fail["Again"]; err != nil || d.Attempt != attempt || d.State != digest.Sending {
		return false, err
	}
	d.Resent = true
	return true, nil
}

func (o *outbox) Settle(ctx context.Context, all ...digest.Settlement) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := cmp.Or(o.fail["Settle"], ctx.Err()); err != nil {
		return err
	}
	for _, out := range all {
		d := o.row(out.ID)
		if d.Attempt != out.Attempt || d.State != digest.Sending {
			o.history[out.ID] = append(o.history[out.ID], "ignored "+string(out.State))
			continue
		}
		if !slices.Contains([]digest.DeliveryState{digest.Pending, digest.Sent, digest.Unsure, digest.Dead}, out.State) {
			return fmt.Errorf("no state %q", out.State)
		}
		d.State, d.NotBefore, d.Receipt, d.Words, d.Resent = out.State, out.NotBefore, out.Receipt, out.Words, out.Resent
		o.history[out.ID] = append(o.history[out.ID], string(out.State))
		if out.State == digest.Dead {
			o.silenced = append(o.silenced, string(d.Subscription)+": "+out.Words)
			for i := range o.rows {
				if e := &o.rows[i]; e.Digest == d.Digest && e.Part > d.Part {
					e.State = digest.Dead
				}
			}
		}
	}
	return nil
}

// row returns the row of a delivery. The lock is held.
func (o *outbox) row(id digest.DeliveryID) *digest.Delivery {
	return &o.rows[slices.IndexFunc(o.rows, func(d digest.Delivery) bool { return d.ID == id })]
}

// get returns a copy of a delivery.
func (o *outbox) get(id digest.DeliveryID) digest.Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	return *o.row(id)
}

// A wall is a platform: it keeps what was posted, and when.
type wall struct {
	mu    sync.Mutex
	began time.Time
	posts []string // "37s a0 part 0"
	looks []string // "since 0s a0"
	// post decides about the n-th post of a delivery, from 1; nil accepts. What it
	// refuses does not stand on the wall, unless its error is lost.
	post func(ctx context.Context, n int, d digest.Delivery) error
	find func(n int, d digest.Delivery) (bool, error) // nil looks at the wall
	pace digest.Pace
	n    map[string]int
}

// lost is an error after which the message stands on the wall all the same.
type lost struct{ error }

func newWall() *wall { return &wall{began: time.Now(), n: map[string]int{}} }

func (w *wall) Pace() digest.Pace { return w.pace }

func (w *wall) Post(ctx context.Context, d digest.Delivery) (string, error) {
	w.mu.Lock()
	w.n["post "+string(d.ID)]++
	n := w.n["post "+string(d.ID)]
	line := fmt.Sprintf("%s %s %s", time.Since(w.began), d.ID, d.Summary)
	if d.Part > 0 {
		line += " below " + d.First
	}
	w.mu.Unlock()
	if w.post != nil {
		err := w.post(ctx, n, d)
		var l lost
		if err != nil && !errors.As(err, &l) {
			return "", err
		}
		if err != nil {
			w.add(line + " (answer lost)")
			return "", l.error
		}
	}
	w.add(line)
	return "r-" + string(d.ID), nil
}

func (w *wall) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posts = append(w.posts, line)
}

func (w *wall) Find(_ context.Context, d digest.Delivery) (string, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = append(w.looks, fmt.Sprintf("since %s %s", d.Begun.Sub(w.began), d.ID))
	w.n["find "+string(d.ID)]++
	if w.find != nil {
		found, err := w.find(w.n["find "+string(d.ID)], d)
		return "r-" + string(d.ID), found, err
	}
	found := slices.ContainsFunc(w.posts, func(l string) bool { return strings.Contains(l, " "+string(d.ID)+" ") })
	return "r-" + string(d.ID), found, nil
}

func process(o Outbox, c Courier) *Deliveries {
	return &Deliveries{Outbox: o, Couriers: map[string]Courier{"test": c}, Now: time.Now}
}

// ring runs p at each interval for a while, from now on.
func ring(t *testing.T, p *Deliveries, every, during time.Duration) (sent int) {
	t.Helper()
	for end := time.Now().Add(during); ; time.Sleep(every) {
		n, err := p.Run(t.Context())
		if err != nil {
			t.Errorf("after %v: %v", during-time.Until(end), err)
		}
		sent += n
		if !time.Now().Before(end) {
			return sent
		}
	}
}

func check[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestDeliver(t *testing.T) {
	retry := func(after time.Duration) error { return &PostError{State: digest.Pending, After: after, Say: "busy"} }
	unsure := &PostError{State: digest.Unsure, Say: "no answer in 20 s"}
	dead := &PostError{State: digest.Dead, Say: "the channel is gone"}
	for _, tt := range []struct {
		name     string
		parts    int
		post     func(ctx context.Context, n int, d digest.Delivery) error
		find     func(n int, d digest.Delivery) (bool, error)
		posts    []string // what stands on the wall, in order
		looks    []string
		history  []string // states of the first part
		silenced []string
		resent   bool
		sent     int
	}{
		{
			name: "accepted", parts: 1,
			posts: []string{"0s a0 part 0"}, history: []string{"sent"}, sent: 1,
		},
		{
			name: "parts in order, below the first", parts: 3,
			posts: []string{"0s a0 part 0", "0s a1 part 1 below r-a0", "0s a2 part 2 below r-a0"}, history: []string{"sent"}, sent: 3,
		},
		{
			name: "a later part waits for the one before", parts: 2,
			post: func(_ context.Context, n int, d digest.Delivery) error {
				if d.Part == 0 && n == 1 {
					return retry(time.Minute)
				}
				return nil
			},
			posts: []string{"1m0s a0 part 0", "1m0s a1 part 1 below r-a0"}, history: []string{"pending", "sent"}, sent: 2,
		},
		{
			name: "asked to wait, to the second", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				switch n {
				case 1:
					return retry(37 * time.Second)
				case 2:
					return retry(3 * time.Second)
				}
				return nil
			},
			posts: []string{"40s a0 part 0"}, history: []string{"pending", "pending", "sent"}, sent: 1,
		},
		{
			name: "not asked to wait: longer each time", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n < 5 {
					return retry(0)
				}
				return nil
			},
			posts: []string{"1m0s a0 part 0"}, history: []string{"pending", "pending", "pending", "pending", "sent"}, sent: 1, // 4+8+16+32
		},
		{
			name: "answer lost, then found", parts: 2,
			post: func(_ context.Context, n int, d digest.Delivery) error {
				if d.Part == 0 {
					return lost{unsure}
				}
				return nil
			},
			posts: []string{"0s a0 part 0 (answer lost)", "4s a1 part 1 below r-a0"}, looks: []string{"since 0s a0"}, history: []string{"unsure", "sent"}, sent: 2,
		},
		{
			name: "not found: posted again, once", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					return unsure
				}
				return nil
			},
			posts: []string{"4s a0 part 0"}, looks: []string{"since 0s a0"}, history: []string{"unsure", "sent"}, sent: 1,
		},
		{
			name: "looking fails twice: looked for since the doubt began", parts: 1,
			post: func(context.Context, int, digest.Delivery) error { return lost{unsure} },
			find: func(n int, _ digest.Delivery) (bool, error) {
				if n < 3 {
					return false, errors.New("HTTP 500")
				}
				return true, nil
			},
			posts: []string{"0s a0 part 0 (answer lost)"}, looks: []string{"since 0s a0", "since 0s a0", "since 0s a0"},
			history: []string{"unsure", "unsure", "unsure", "sent"}, sent: 1,
		},
		{
			name: "cannot look: once more, marked", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					return lost{unsure}
				}
				return nil
			},
			find:  func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook },
			posts: []string{"0s a0 part 0 (answer lost)", "4s a0 (resent) part 0"}, looks: []string{"since 0s a0"},
			history: []string{"unsure", "sent"}, resent: true, sent: 1,
		},
		{
			name: "cannot look, and the second was not accepted either: again, marked", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n <= 3 {
					return unsure
				}
				return nil
			},
			find:  func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook },
			posts: []string{"2m44s a0 (resent) part 0"}, looks: []string{"since 0s a0", "since 0s a0", "since 0s a0"}, // 4+32+128
			history: []string{"unsure", "unsure", "unsure", "sent"}, resent: true, sent: 1,
		},
		{
			name: "cannot look; looking fails in another way between", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					return lost{unsure}
				}
				return nil
			},
			find: func(n int, _ digest.Delivery) (bool, error) {
				if n == 1 {
					return false, errors.New("HTTP 500")
				}
				return false, ErrCannotLook
			},
			posts: []string{"0s a0 part 0 (answer lost)", "12s a0 (resent) part 0"}, looks: []string{"since 0s a0", "since 0s a0"},
			history: []string{"unsure", "unsure", "sent"}, resent: true, sent: 1,
		},
		{
			name: "cannot look; the second is certainly not posted: it may be tried again, marked", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				switch n {
				case 1:
					return lost{unsure}
				case 2:
					return retry(time.Minute)
				}
				return nil
			},
			find:  func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook },
			posts: []string{"0s a0 part 0 (answer lost)", "1m4s a0 (resent) part 0"}, looks: []string{"since 0s a0"},
			history: []string{"unsure", "pending", "sent"}, resent: true, sent: 1,
		},
		{
			name: "refused for ever: silence, and no later part", parts: 3,
			post:    func(context.Context, int, digest.Delivery) error { return dead },
			history: []string{"dead"}, silenced: []string{"sa: the channel is gone"},
		},
		{
			name: "an error of no known kind is doubt", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					return errors.New("strange")
				}
				return nil
			},
			posts: []string{"4s a0 part 0"}, looks: []string{"since 0s a0"}, history: []string{"unsure", "sent"}, sent: 1,
		},
		{
			name: "a state that is none is doubt", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					return lost{&PostError{State: "sent?"}}
				}
				return nil
			},
			posts: []string{"0s a0 part 0 (answer lost)"}, looks: []string{"since 0s a0"}, history: []string{"unsure", "sent"}, sent: 1,
		},
		{
			name: "a panic is doubt", parts: 1,
			post: func(_ context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					panic("poison")
				}
				return nil
			},
			posts: []string{"4s a0 part 0"}, looks: []string{"since 0s a0"}, history: []string{"unsure", "sent"}, sent: 1,
		},
		{
			name: "no answer ever: the attempt ends, and is doubt", parts: 1,
			post: func(ctx context.Context, n int, _ digest.Delivery) error {
				if n == 1 {
					<-ctx.Done()
					return lost{ctx.Err()}
				}
				return nil
			},
			posts: []string{"0s a0 part 0 (answer lost)"}, looks: []string{"since 0s a0"}, history: []string{"unsure", "sent"}, sent: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := newOutbox(tt.parts), newWall()
				w.post, w.find = tt.post, tt.find
				sent := ring(t, process(o, w), time.Second, 10*time.Minute)
				check(t, "on the wall", tt.posts, w.posts)
				check(t, "looks", tt.looks, w.looks)
				check(t, "history", tt.history, o.history["a0"])
				check(t, "silenced", tt.silenced, o.silenced)
				if d := o.get("a0"); d.Resent != tt.resent || sent != tt.sent {
					t.Errorf("resent %v, %d sent; want %v, %d", d.Resent, sent, tt.resent, tt.sent)
				}
			})
		})
	}
}

// Hours of "come back in a second" are no reason to give a digest up, and none to
// ask every second.
func TestRateLimitStorm(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := newOutbox(3, 1, 2, 1), newWall()
				const storm = 6 * time.Hour
				posts := 0
				w.post = func(context.Context, int, digest.Delivery) error {
					w.mu.Lock()
					defer w.mu.Unlock()
					posts++
					if time.Since(w.began) < storm {
						return &PostError{State: digest.Pending, After: after, Say: "HTTP 429"}
					}
					return nil
				}
				sent := ring(t, process(o, w), 10*time.Second, storm+3*time.Hour)
				if sent != 7 || len(w.posts) != 7 || len(o.silenced) != 0 {
					t.Errorf("%d sent, %d on the wall, silenced %q; want all 7 and nobody", sent, len(w.posts), o.silenced)
				}
				if posts > 100 {
					t.Errorf("asked %d times", posts)
				}
			})
		})
	}
}

// A platform that refuses for days is given up, by the count of attempts.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(2), newWall()
		w.post = func(context.Context, int, digest.Delivery) error {
			return &PostError{State: digest.Pending, Say: "HTTP 503"}
		}
		ring(t, process(o, w), time.Minute, 10*24*time.Hour)
		if d := o.get("a0"); d.State != digest.Dead || d.Attempt != maxAttempts {
			t.Errorf("%s after %d attempts", d.State, d.Attempt)
		}
		check(t, "silenced", []string{"sa: HTTP 503"}, o.silenced)
		if took := o.claimed["a0"].Sub(w.began); took < 2*24*time.Hour || took > 4*24*time.Hour {
			t.Errorf("given up after %v, want about three days", took)
		}
	})
}

// A process that is stopped in the middle of a post does not know whether it
// posted; the next one finds out.
func TestStoppedInPost(t *testing.T) {
	for _, stands := range []bool{true, false} {
		t.Run(fmt.Sprint(stands), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := newOutbox(2), newWall()
				w.post = func(ctx context.Context, n int, d digest.Delivery) error {
					if d.Part > 0 || n > 1 {
						return nil
					}
					<-ctx.Done()
					if stands {
						return lost{ctx.Err()}
					}
					// It says more than it can know.
					return &PostError{State: digest.Pending, Say: "canceled", Err: ctx.Err()}
				}
				ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
				defer stop()
				if n, err := process(o, w).Run(ctx); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("stopped: %d sent, %v", n, err)
				}
				if d := o.get("a0"); d.State != digest.Unsure {
					t.Errorf("left as %s", d.State)
				}
				if sent := ring(t, process(o, w), time.Second, 0); sent != 2 {
					t.Errorf("the next process sent %d", sent)
				}
				want := []string{"5s a0 part 0", "5s a1 part 1 below r-a0"}
				if stands {
					want[0] = "0s a0 part 0 (answer lost)"
				}
				check(t, "on the wall", want, w.posts)
				check(t, "looks", []string{"since 0s a0"}, w.looks)
			})
		})
	}
}

// A held is an outbox whose every fifth claim takes a while: longer than posts may be
// late, where it says so.
type held struct {
	*outbox
	claims int
	up     time.Duration
}

func (h *held) Claim(ctx context.Context, lane digest.Lane, rate digest.Rate, now time.Time, lease time.Duration, limit int) ([]digest.Delivery, error) {
	if h.claims++; h.claims%5 == 0 {
		time.Sleep(h.up)
	}
	return h.outbox.Claim(ctx, lane, rate, now, lease, limit)
}

// Posts that were held up do not go together with those that come then: as many go
// within what the platform counts as have their slots in it.
func TestHeldUpPostsKeepTheRate(t *testing.T) {
	for _, up := range []time.Duration{150 * time.Millisecond, 400 * time.Millisecond, 3 * time.Second} {
		t.Run(fmt.Sprint("for ", up), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 250
				o, w := newOutbox(slices.Repeat([]int{1}, n)...), newWall()
				w.pace = digest.Pace{Platform: digest.Rate{Every: 20 * time.Millisecond}, Window: time.Second}
				var went []time.Time
				w.post = func(context.Context, int, digest.Delivery) error {
					w.mu.Lock()
					went = append(went, time.Now())
					w.mu.Unlock()
					time.Sleep(100 * time.Millisecond)
					return nil
				}
				if sent, err := process(&held{outbox: o, up: up}, w).Run(t.Context()); sent != n || err != nil {
					t.Fatalf("%d sent, %v", sent, err)
				}
				for i := 50; i < n; i++ {
					if in := went[i].Sub(went[i-50]); in < time.Second {
						t.Fatalf("posts %d to %d go within %v", i-50, i, in)
					}
				}
			})
		})
	}
}

// What a process was doing when it was killed is taken over when it has been silent
// for long enough, not earlier.
func TestStaleIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(1), newWall()
		killed, err := o.Claim(t.Context(), digest.Lane{Platform: "test"}, digest.Rate{}, time.Now(), staleAfter, 8)
		if err != nil || len(killed) != 1 {
			t.Fatal(killed, err)
		}
		ring(t, process(o, w), time.Second, staleAfter-time.Second)
		check(t, "looks before", nil, w.looks)
		time.Sleep(time.Second)
		ring(t, process(o, w), time.Second, time.Second)
		check(t, "looks", []string{"since 0s a0"}, w.looks)
		check(t, "on the wall", []string{"2m0s a0 part 0"}, w.posts)
		// And the word of the dead is not heard.
		if err := o.Settle(t.Context(), digest.Settlement{ID: "a0", Attempt: killed[0].Attempt, Outcome: digest.Outcome{State: digest.Dead}}); err != nil || o.get("a0").State != digest.Sent {
			t.Errorf("%v, %s", err, o.get("a0").State)
		}
	})
}

// A process that is killed while it posts for the second time has written down that
// it would: whatever stands there is marked, and none is lost.
func TestKilledInSecondPost(t *testing.T) {
	for _, accepted := range []bool{false, true} {
		t.Run(fmt.Sprint("accepted ", accepted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := newOutbox(1), newWall()
				w.find = func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook }
				gone := errors.New("power cut")
				w.post = func(_ context.Context, n int, _ digest.Delivery) error {
					if n > 2 {
						return nil
					}
					o.mu.Lock()
					o.fail["Settle"] = gone // nothing is written from here on
					o.mu.Unlock()
					if !accepted {
						return gone
					}
					return nil
				}
				for range 2 {
					if _, err := process(o, w).Run(t.Context()); !errors.Is(err, gone) {
						t.Errorf("%v", err)
					}
					delete(o.fail, "Settle")
					time.Sleep(staleAfter)
				}
				ring(t, process(o, w), time.Minute, 24*time.Hour)
				want := []string{"4m0s a0 (resent) part 0"}
				if accepted {
					want = []string{"0s a0 part 0", "2m0s a0 (resent) part 0", "4m0s a0 (resent) part 0"}
				}
				check(t, "on the wall", want, w.posts)
				if d := o.get("a0"); d.State != digest.Sent || !d.Resent {
					t.Errorf("%s, resent %v", d.State, d.Resent)
				}
			})
		})
	}
}

// A process that dies over a message again and again is no reason to give it up.
func TestDeathsAreNotTheMessagesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(1), newWall()
		w.find = func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook }
		d := o.row("a0")
		d.State, d.Attempt, d.Begun, d.Resent = digest.Unsure, 3*maxResends, time.Now().Add(-20*time.Minute), true
		ring(t, process(o, w), time.Minute, time.Hour)
		if d := o.get("a0"); d.State != digest.Sent || len(w.posts) != 1 {
			t.Errorf("%s after %d posts: %s", d.State, len(w.posts), d.Words)
		}
	})
}

// Where the platform can neither be asked nor answers, a message is given up after a
// few posts, in the open: it is dead, and its subscription waits for a person.
func TestNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(1), newWall()
		w.find = func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook }
		w.post = func(context.Context, int, digest.Delivery) error {
			return lost{&PostError{State: digest.Unsure, Say: "no answer"}}
		}
		ring(t, process(o, w), time.Minute, 72*time.Hour)
		if n := len(w.posts); n < 5 || n > maxResends {
			t.Errorf("posted %d times: %q", n, w.posts)
		}
		for _, p := range w.posts[1:] {
			if !strings.Contains(p, digest.Resend) {
				t.Errorf("not marked: %s", p)
			}
		}
		if d := o.get("a0"); d.State != digest.Dead || !strings.Contains(d.Words, "never said") {
			t.Errorf("%s: %s", d.State, d.Words)
		}
		within := func(limit time.Duration) (n int) {
			for _, p := range w.posts {
				at, _, _ := strings.Cut(p, " ")
				if d, err := time.ParseDuration(at); err == nil && d < limit {
					n++
				}
			}
			return n
		}
		if m, h := within(time.Minute), within(time.Hour); m > 3 || h > 6 {
			t.Errorf("%d posts within a minute, %d within an hour", m, h)
		}
	})
}

// A process that hangs so long that another takes over changes nothing when it
// wakes up, and does not post what the other has in hand.
func TestWakesUpTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, slow, fast := newOutbox(1), newWall(), newWall()
		o.rows[0].State = digest.Unsure
		slow.find = func(int, digest.Delivery) (bool, error) {
			time.Sleep(staleAfter + time.Minute) // heeds no deadline
			return false, ErrCannotLook
		}
		fast.find = func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook }
		done := make(chan error)
		go func() {
			_, err := process(o, slow).Run(t.Context())
			done <- err
		}()
		synctest.Wait()
		ring(t, process(o, fast), time.Second, staleAfter+time.Second)
		if err := <-done; err != nil {
			t.Error(err)
		}
		check(t, "posted by the late one", nil, slow.posts)
		check(t, "posted by the other", []string{"2m0s a0 (resent) part 0"}, fast.posts)
		check(t, "history", []string{"sent", "ignored unsure"}, o.history["a0"])
	})
}

// Without its platform a delivery waits, and what was in doubt stays in doubt.
func TestNoCourier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(1, 1), newWall()
		o.rows[1].State = digest.Unsure
		w.posts = []string{"0s b0 part 0"}
		ring(t, &Deliveries{Outbox: o, Now: time.Now}, time.Minute, 5*time.Hour)
		if a, b := o.get("a0"), o.get("b0"); a.State != digest.Pending || b.State != digest.Unsure || !strings.Contains(a.Words, `"test"`) {
			t.Errorf("%s (%s), %s", a.State, a.Words, b.State)
		}
		ring(t, process(o, w), time.Minute, 3*time.Hour)
		if len(w.posts) != 2 || o.get("a0").State != digest.Sent || o.get("b0").State != digest.Sent {
			t.Errorf("afterwards: %q", w.posts)
		}
	})
}

// What storage cannot do is the caller's to know, and posts nothing twice.
func TestOutboxFails(t *testing.T) {
	full := errors.New("disk full")
	for _, method := range []string{"Lanes", "Open", "Reserve", "Claim", "Again", "Settle"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := newOutbox(1), newWall()
				o.fail[method] = full
				switch method {
				case "Again":
					o.rows[0].State = digest.Unsure
					w.find = func(int, digest.Delivery) (bool, error) { return false, ErrCannotLook }
				}
				if _, err := process(o, w).Run(t.Context()); !errors.Is(err, full) {
					t.Errorf("%v", err)
				}
				posted := len(w.posts)
				o.fail = map[string]error{}
				ring(t, process(o, w), time.Minute, time.Hour)
				if want := 1; len(w.posts) != want {
					t.Errorf("%d posts at first, %d in the end, want %d", posted, len(w.posts), want)
				}
			})
		})
	}
}

// Hands bounds the posts at a time, and one channel never gets two at a time.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(1, 1, 1, 1, 1, 1, 1), newWall()
		for i := range o.rows {
			o.rows[i].To.Channel = string(rune('a' + i/2)) // two digests to a channel
		}
		at, most, here := 0, 0, map[string]int{}
		w.post = func(_ context.Context, _ int, d digest.Delivery) error {
			w.mu.Lock()
			at++
			here[d.To.Channel]++
			most = max(most, at)
			if here[d.To.Channel] > 1 {
				t.Errorf("two at a time to %s", d.To.Channel)
			}
			w.mu.Unlock()
			time.Sleep(time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			at--
			here[d.To.Channel]--
			return nil
		}
		p := process(o, w)
		p.Hands = 3
		noted := 0
		p.Note = func(d digest.Delivery, out digest.Outcome) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if d.ID != "" && out.State == digest.Sent {
				noted++
			}
		}
		if sent, err := p.Run(t.Context()); sent != 7 || err != nil || most != 3 || noted != 7 {
			t.Errorf("%d sent (%v), %d noted, %d at a time; want 7, 7, 3", sent, err, noted, most)
		}
	})
}
