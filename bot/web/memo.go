package web

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxMemo is how many values a memo keeps.
	maxMemo = 256
	// patience is how long something that many wait for may take to make.
	patience = 30 * time.Second
	// maxBehind is how much is made again at the same time behind the readers' backs.
	maxBehind = 2
)

// A memo keeps values that are dear to make for a little while, so that a busy
// page costs as much as a quiet one. Many who want the same at once wait for one.
//
// What is no longer fresh is still handed out for a while, and made again meanwhile:
// only the very first reader waits. A value that cannot be made again is kept until
// it is too old, and tried again no sooner than one that could.
type memo[T any] struct {
	fresh  time.Duration // for how long a value is as good as a new one
	usable time.Duration // for how long it may be shown while a new one is made; 0: not at all
	behind *behind       // where it is made meanwhile; needed if usable is set

	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]kept[T]
}

type kept[T any] struct {
	value    T
	made     time.Time
	until    time.Time // fresh, or not to be tried again
	renewing bool
}

// get returns what is kept under key, or makes it. Errors are not kept.
func (m *memo[T]) get(ctx context.Context, key string, now time.Time, produce func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	k, ok := m.kept[key]
	usable := ok && now.Before(k.made.Add(m.usable))
	renew := usable && !now.Before(k.until) && !k.renewing
	if renew {
		k.renewing = true
		m.kept[key] = k
	}
	m.mu.Unlock()
	if renew {
		started := m.behind.do(context.WithoutCancel(ctx), func(ctx context.Context) error {
			defer m.renewed(key, now.Add(m.fresh))
			_, err := m.make(ctx, key, now, produce)
			return err
		})
		if !started { // the next reader may have more luck
			m.renewed(key, now)
		}
	}
	if ok && now.Before(k.until) || usable {
		return k.value, nil
	}
	// Whoever came first may leave; the others still want it.
	return m.make(context.WithoutCancel(ctx), key, now, produce)
}

// make makes a value and keeps it.
func (m *memo[T]) make(ctx context.Context, key string, now time.Time, produce func(context.Context) (T, error)) (T, error) {
	v, err, _ := m.flight.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		v, err := produce(ctx)
		if err == nil {
			m.keep(key, kept[T]{value: v, made: now, until: now.Add(m.fresh)}, now)
		}
		return v, err
	})
	return v.(T), err
}

// renewed says that nobody is making the value of key any more, and need not before
// next: what could not be made rests as long as a fresh one would.
func (m *memo[T]) renewed(key string, next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.kept[key]; ok {
		k.renewing = false
		if k.until.Before(next) {
			k.until = next
		}
		m.kept[key] = k
	}
}

// keep stores k, and makes room where there is none: what nobody would be shown goes
// first, then anything.
func (m *memo[T]) keep(key string, k kept[T], now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]kept[T]{}
	}
	if _, known := m.kept[key]; !known && len(m.kept) >= maxMemo {
		for other, o := range m.kept {
			if !now.Before(o.until) && !now.Before(o.made.Add(m.usable)) {
				delete(m.kept, other)
			}
		}
		for other := range m.kept {
			if len(m.kept) < maxMemo {
				break
			}
			delete(m.kept, other)
		}
	}
	m.kept[key] = k
}

// A behind does work for which no reader waits, little at a time, until it is closed.
type behind struct {
	log    *slog.Logger
	ending context.Context
	end    context.CancelFunc

	mu     sync.Mutex
	closed bool
	busy   int
	work   sync.WaitGroup
}

func newBehind(log *slog.Logger) *behind {
	b := &behind{log: log}
	b.ending, b.end = context.WithCancel(context.Background())
	return b
}

// do begins f, with what ctx carries, unless too much is going on already. A failure,
// or a panic, is logged.
func (b *behind) do(ctx context.Context, f func(context.Context) error) (started bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.busy >= maxBehind {
		return false
	}
	b.busy++
	b.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		defer context.AfterFunc(b.ending, cancel)()
		err := guarded(ctx, f)
		b.mu.Lock()
		b.busy--
		b.mu.Unlock()
		if err != nil && b.ending.Err() == nil {
			b.log.Warn("counting ahead failed; what was counted before is shown", "error", err)
		}
	})
	return true
}

// guarded is f with a panic as an error: there is no server around it to recover.
func guarded(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
		}
	}()
	return f(ctx)
}

// close ends what is going on and waits for it.
func (b *behind) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.end()
	b.work.Wait()
}
