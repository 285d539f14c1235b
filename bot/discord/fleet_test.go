package discord

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"seedcorn/digest"
)

// A book is a roster that can be out of reach.
type book struct {
	alone
	mu     sync.Mutex
	away   bool
	left   bool
	yields []int
	held   int // of the shards that there are
}

func (b *book) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *book) Share(ctx context.Context, holder string, total int) (digest.Sharing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return digest.Sharing{}, errors.New("no database")
	}
	s, err := b.alone.Share(ctx, holder, total)
	s.Held, s.For = s.Held[:b.held], 200*time.Millisecond
	return s, err
}

func (b *book) Yield(_ context.Context, _ string, _, shard int) error {
	b.set(func() { b.yields = append(b.yields, shard) })
	return nil
}

func (b *book) Leave(context.Context, string) error {
	b.set(func() { b.left = true })
	return nil
}

// Who cannot say that he lives lets his shards go, since others may take them, and has
// them again when he can; what is not his any more he closes before he yields it.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ready, gone := make(chan int, 20), make(chan int, 20)
	newGateway(t, f, 2, func(w *wire) {
		if w.ready() {
			ready <- w.n
		}
		w.idle()
		gone <- w.n
	})
	wait := func(what string, c chan int) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Fatalf("%s did not come about", what)
		}
	}
	b := &book{held: 2}
	stop := running(t, f.adapter(t, Options{Roster: b, identifyEvery: 10 * time.Millisecond}), &desk{})
	wait("a connection", ready)
	wait("another", ready)
	b.set(func() { b.away = true })
	wait("the end of one", gone)
	wait("the end of the other", gone)
	b.set(func() { b.away = false })
	wait("a connection again", ready)
	wait("another again", ready)
	b.set(func() { b.held = 1 })
	wait("the end of the one that is another's", gone)
	eventually(t, "its yielding", func() (ok bool) {
		b.set(func() { ok = len(b.yields) == 1 && b.yields[0] == 1 })
		return ok
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	wait("the end of the last", gone)
	b.set(func() {
		if !b.left {
			t.Error("ended without giving back what it had")
		}
	})
}
