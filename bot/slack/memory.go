package slack

import (
	"sync"
	"time"
)

// A memory keeps what Slack told, for an hour and for so many keys at most. Its
// zero value is empty.
type memory[V any] struct {
	mu   sync.Mutex
	kept map[string]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

const (
	memoryLife = time.Hour
	memoryMost = 20_000
)

func (m *memory[V]) get(key string, now time.Time) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[key]
	if !ok || now.After(k.until) {
		var zero V
		return zero, false
	}
	return k.value, true
}

func (m *memory[V]) put(key string, v V, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= memoryMost {
		m.kept = map[string]kept[V]{} // forgetting costs a call, no more
	}
	m.kept[key] = kept[V]{v, now.Add(memoryLife)}
}

// seen remembers what was taken already, and how it was acknowledged: Slack sends
// again what was not acknowledged in time, and the acknowledgment, which may be the
// answer itself, may have been lost on the way.
type seen struct {
	mu      sync.Mutex
	entries map[string]*taken
	order   []string // oldest first
	acks    [256]*taken
	next    int
}

// taken is one request under way or done.
type taken struct {
	at   time.Time
	done chan struct{} // closed when ack is there
	ack  []byte
}

const (
	seenLife = 10 * time.Minute
	seenMost = 20_000
)

func newSeen() *seen { return &seen{entries: map[string]*taken{}} }

// begin returns what is known of a key, and whether this is its first time.
func (s *seen) begin(key string, now time.Time) (t *taken, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.entries[key]; ok && now.Sub(t.at) < seenLife {
		return t, false
	}
	for len(s.order) > 0 && (len(s.order) >= seenMost || now.Sub(s.entries[s.order[0]].at) >= seenLife) {
		delete(s.entries, s.order[0])
		s.order = s.order[1:]
	}
	t = &taken{at: now, done: make(chan struct{})}
	s.entries[key] = t
	s.order = append(s.order, key)
	return t, true
}

// end keeps the acknowledgment of one taken. Only the latest ones are kept whole.
func (s *seen) end(t *taken, ack []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.ack = ack
	close(t.done)
	if old := s.acks[s.next]; old != nil {
		old.ack = nil
	}
	s.acks[s.next] = t
	s.next = (s.next + 1) % len(s.acks)
}

// ackOf is the acknowledgment of one taken that is done.
func (s *seen) ackOf(t *taken) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.ack
}
