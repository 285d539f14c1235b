package web

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxMemo is how many values a memo keeps.
const maxMemo = 256

// patience is how long something that many wait for may take to make.
const patience = 30 * time.Second

// A memo keeps values that are dear to make for a little while, so that a busy
// page costs as much as a quiet one. Many who want the same at once wait for one.
type memo[T any] struct {
	fresh time.Duration

	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]kept[T]
}

type kept[T any] struct {
	value T
	until time.Time
}

// get returns what is kept under key, or makes it. Errors are not kept.
func (m *memo[T]) get(ctx context.Context, key string, now time.Time, produce func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	k, ok := m.kept[key]
	m.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.value, nil
	}
	// Whoever came first may leave; the others still want it.
	v, err, _ := m.flight.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		v, err := produce(ctx)
		if err == nil {
			m.keep(key, kept[T]{v, now.Add(m.fresh)}, now)
		}
		return v, err
	})
	return v.(T), err
}

// keep stores k, and makes room where there is none: what is stale goes first,
// then anything.
func (m *memo[T]) keep(key string, k kept[T], now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]kept[T]{}
	}
	if len(m.kept) >= maxMemo {
		for other, o := range m.kept {
			if !now.Before(o.until) {
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
