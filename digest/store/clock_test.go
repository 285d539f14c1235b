package store

import (
	"sync/atomic"
	"testing"
	"time"

	"seedcorn/digest"
)

// A turned clock is the database's, for processes that go by it.
type turned struct{ ahead atomic.Int64 } // a time.Duration

func (c *turned) by(d time.Duration) { c.ahead.Store(int64(d)) }

func (c *turned) open(t *testing.T, p place) *DB {
	t.Helper()
	db := p.open(t)
	db.wall = func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
	db.clock = clock{}
	db.Now()
	if far, err := db.stale(t.Context()); err != nil {
		t.Fatal(err)
	} else if far { // as by Open, which had the machine's clock
		if err := db.update(t.Context(), "mending", func(x *tx) error { return db.mend(t.Context(), x) }); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// later lets the time pass in which leases that have run out are not believed.
func (db *DB) later() {
	db.clock.mu.Lock()
	defer db.clock.mu.Unlock()
	db.clock.jumped = time.Now().Add(-leaseMost - time.Second)
}

func take(t *testing.T, db *DB) []digest.Delivery {
	t.Helper()
	got, err := db.Claim(t.Context(), testLane, digest.Rate{}, db.Now(), leaseMost, 8)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// nothing says that a lane has nothing for a process.
func nothing(t *testing.T, db *DB, when string) {
	t.Helper()
	if n, _, err := db.Open(t.Context(), testLane, db.Now(), 8); n != 0 || err != nil {
		t.Errorf("%s %d may go out (%v)", when, n, err)
	}
	if l, err := db.Lanes(t.Context(), db.Now()); len(l) != 0 || err != nil {
		t.Errorf("%s lanes are %v (%v)", when, l, err)
	}
	if got := take(t, db); len(got) != 0 {
		t.Errorf("%s %d deliveries are taken from a worker that lives", when, len(got))
	}
}

// The clock jumps forward by an hour while a delivery is being posted: every lease has
// run out, and yet nobody takes it, neither its own process nor another, until leases
// can be believed again. What nobody works on goes on meanwhile.
func TestClockJumpsForward(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		var c turned
		one, two := c.open(t, p), c.open(t, p)
		ids := outgoing(t, one, "s1", "C1", 1)
		if got := take(t, one); len(got) != 1 || got[0].ID != ids[0] {
			t.Fatalf("claimed %+v", got)
		}
		c.by(time.Hour)
		nothing(t, one, "after a jump, in its own process,")
		nothing(t, two, "after a jump, in another process,")
		outgoing(t, one, "s2", "C2", 1)
		if got := take(t, two); len(got) != 1 || got[0].State != digest.Pending {
			t.Errorf("a new one is not taken: %+v", got)
		}
		c.by(0) // and back, and forth
		nothing(t, two, "back again")
		c.by(time.Hour)
		nothing(t, two, "forth again")
		two.later()
		got := take(t, two)
		if len(got) != 1 || got[0].ID != ids[0] || got[0].State != digest.Unsure {
			t.Errorf("its worker died, and it is not taken over: %+v", got)
		}
	})
}

// The clock was an hour ahead when a worker died, and is set right: what it left does not
// wait for the hour, neither in a process that saw it happen nor in one that starts.
func TestClockJumpsBack(t *testing.T) {
	for _, how := range []string{"seen", "started"} {
		t.Run(how, func(t *testing.T) {
			onBoth(t, func(t *testing.T, p place) {
				var c turned
				c.by(time.Hour)
				dead := c.open(t, p)
				ids := outgoing(t, dead, "s1", "C1", 1)
				if got := take(t, dead); len(got) != 1 {
					t.Fatalf("claimed %+v", got)
				}
				door := &gate{db: dead, spacing: map[string]time.Duration{"door": time.Second}, lease: gateLease}
				if _, err := door.Enter(t.Context(), "door"); err != nil { // and never leaves
					t.Fatal(err)
				}
				if s, err := dead.Reserve(t.Context(), testLane, digest.Pace{Platform: digest.Rate{Every: time.Second}}, 3); s.N == 0 || err != nil {
					t.Fatal(s, err)
				}
				c.by(0)
				db := dead
				if how == "seen" {
					if _, _, err := db.Beat(t.Context(), digest.Process{ID: "p"}); err != nil {
						t.Fatal(err)
					}
				} else {
					db = c.open(t, p)
				}
				if at, most := stored(t, db, ids[0]).NotBefore, db.Now().Add(leaseMost); at.After(most) {
					t.Errorf("it is left to the dead until %v, which is %v too long", at, at.Sub(most))
				}
				nothing(t, db, "before its lease has run out,")
				c.by(leaseMost + 5*time.Second)
				db.Now()
				db.later()
				if got := take(t, db); len(got) != 1 || got[0].State != digest.Unsure {
					t.Errorf("it is not taken over: %+v", got)
				}
				if wait, err := (&gate{db: db, lease: gateLease}).try(t.Context(), "door", "me"); wait > time.Second || err != nil {
					t.Errorf("the door of the dead is locked for another %v (%v)", wait, err)
				}
				if s, err := db.Reserve(t.Context(), testLane, digest.Pace{Platform: digest.Rate{Every: time.Second}}, 1); s.N == 0 || time.Until(s.At) > time.Minute || err != nil {
					t.Errorf("posts are reserved as far ahead as the clock was: %+v (%v)", s, err)
				}
			})
		})
	}
}

// What a clock makes of answers, by how long they took.
func TestClockLearns(t *testing.T) {
	began := time.Now()
	at := func(d time.Duration) time.Time { return began.Add(d) }
	db := func(d time.Duration) time.Time { return began.Add(7*time.Hour + d) } // a database seven hours ahead
	for _, x := range []struct {
		name             string
		asked, got, said time.Duration
		off              time.Duration // of what it holds for true afterwards, from db
		steady, back     bool
	}{
		{"the same", 0, 2 * time.Millisecond, time.Millisecond, 0, true, false},
		{"a slow answer", 0, 4 * time.Second, 500 * time.Millisecond, 0, true, false},
		{"it is steered", 0, 2 * time.Millisecond, 301 * time.Millisecond, 300 * time.Millisecond, true, false},
		{"forward", 0, 2 * time.Millisecond, time.Hour + time.Millisecond, time.Hour, false, false},
		{"back", 0, 2 * time.Millisecond, -time.Hour + time.Millisecond, -time.Hour, false, true},
		{"back, and slow", 0, 4 * time.Second, -time.Hour + 2*time.Second, -time.Hour, false, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			var c clock
			c.learn(at(-2*time.Millisecond), at(0), db(-time.Millisecond))
			c.learn(at(x.asked), at(x.got), db(x.said))
			off := c.now().Sub(db(0)) - time.Since(began)
			if (off - x.off).Abs() > 100*time.Millisecond {
				t.Errorf("it is %v from the truth, want %v", off, x.off)
			}
			if d := c.ours(db(0).UnixMicro()).Sub(at(-off)); d.Abs() > time.Millisecond {
				t.Errorf("a moment of the database's is off by %v on our clock", d)
			}
			if c.steady() != x.steady || c.backward() != x.back || c.backward() {
				t.Errorf("steady is %t, want %t; backward want %t, once", c.steady(), x.steady, x.back)
			}
		})
	}
}
