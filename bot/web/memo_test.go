package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A mill makes numbers, slowly.
type mill struct {
	memo[int]

	mu   sync.Mutex
	made int
	err  error
	bang any
}

func newMill(t *testing.T) *mill {
	m := &mill{memo: memo[int]{fresh: time.Minute, usable: time.Hour, behind: newBehind(slog.New(slog.DiscardHandler))}}
	t.Cleanup(m.behind.close)
	return m
}

// take asks for a value, and says how long it took to be had.
func (m *mill) take(t *testing.T, key string) (v int, took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	v, err = m.get(t.Context(), key, began, func(ctx context.Context) (int, error) {
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.made++
		if m.bang != nil {
			panic(m.bang)
		}
		return m.made, m.err
	})
	return v, time.Since(began), err
}

// count is how often something was made, when nothing is being made.
func (m *mill) count() int {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.made
}

func (m *mill) want(t *testing.T, key string, v int, took time.Duration) {
	t.Helper()
	if got, d, err := m.take(t, key); got != v || err != nil || d != took {
		t.Errorf("got %d after %v (%v), want %d after %v", got, d, err, v, took)
	}
}

// Only the first reader waits; and who comes when the value is too old.
func TestMemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t)
		m.want(t, "a", 1, 5*time.Second)
		m.want(t, "a", 1, 0)
		time.Sleep(2 * time.Minute)
		for range 5 { // the old one, while one new one is made
			m.want(t, "a", 1, 0)
		}
		time.Sleep(6 * time.Second)
		m.want(t, "a", 2, 0)
		time.Sleep(time.Hour)
		m.want(t, "a", 3, 5*time.Second)
		m.want(t, "b", 4, 5*time.Second)
		if n := m.count(); n != 4 {
			t.Errorf("made %d times", n)
		}
	})
}

// What cannot be made again is shown until it is too old, and not tried at every
// reader's; a panic ends nothing.
func TestMemoFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t)
		m.want(t, "a", 1, 5*time.Second)
		time.Sleep(2 * time.Minute)
		m.err = errors.New("no disk")
		for i := range 3 {
			for range 10 {
				m.want(t, "a", 1, 0)
				time.Sleep(6 * time.Second)
			}
			if n := m.count(); n != i+2 {
				t.Errorf("made %d times after %d minutes", n, i+1)
			}
			if i == 1 {
				m.err, m.bang = nil, "dear me"
			}
		}
		m.err, m.bang = errors.New("no disk"), nil
		time.Sleep(time.Hour)
		if _, _, err := m.take(t, "a"); !errors.Is(err, m.err) {
			t.Errorf("too old and not to be made: %v", err)
		}
		m.err = nil
		if v, _, err := m.take(t, "a"); v == 1 || err != nil {
			t.Errorf("a failure was kept: %d, %v", v, err)
		}
	})
}

// However much is old at once, little is made at once, and little is kept.
func TestMemoBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t)
		for i := range maxMemo + 5 {
			m.take(t, fmt.Sprint(i))
		}
		if len(m.kept) != maxMemo {
			t.Errorf("%d kept", len(m.kept))
		}
		time.Sleep(2 * time.Minute)
		before := m.count()
		keys := slices.Collect(maps.Keys(m.kept))
		for _, key := range keys {
			if _, took, _ := m.take(t, key); took != 0 {
				t.Fatalf("%s: waited %v", key, took)
			}
		}
		time.Sleep(6 * time.Second)
		if n := m.count(); n != before+maxBehind {
			t.Errorf("%d made at once", n-before)
		}
		for _, key := range keys { // and those that had to wait have their turn
			m.take(t, key)
			time.Sleep(6 * time.Second)
		}
		if n := m.count(); n < before+maxMemo/2 {
			t.Errorf("%d made again", n-before)
		}
	})
}

// Closing ends what is being made, and is not a failure; afterwards readers wait.
func TestMemoCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMill(t)
		var said strings.Builder
		m.behind.log = slog.New(slog.NewTextHandler(&said, nil))
		m.want(t, "a", 1, 5*time.Second)
		time.Sleep(2 * time.Minute)
		m.want(t, "a", 1, 0)
		began := time.Now()
		m.behind.close()
		if d := time.Since(began); d != 0 || m.count() != 1 {
			t.Errorf("closing took %v, made %d", d, m.count())
		}
		m.want(t, "a", 1, 0)
		time.Sleep(time.Hour)
		m.want(t, "a", 2, 5*time.Second)
		if said.Len() > 0 {
			t.Errorf("said %q", said.String())
		}
	})
}

// The pages are ready before the first reader, show the last count while the next
// is made, and a reader who has it is told so.
func TestWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := full(10)
		opt := open(d)
		clock := now
		opt.Now, opt.Log = func() time.Time { return clock }, slog.New(slog.NewTextHandler(io.Discard, nil))
		h := New(opt)
		defer h.Close()
		h.Warm()
		synctest.Wait()
		tags := map[string]string{}
		for range 5 {
			for _, p := range []string{"/", "/balance"} {
				tags[p] = get(t, h, p).Header.Get("ETag")
			}
		}
		if d.composed != 1 || d.counted != 1 {
			t.Errorf("composed %d times, counted %d times", d.composed, d.counted)
		}
		clock = clock.Add(2 * time.Minute)
		d.all = nil // much has changed
		for p, tag := range tags {
			if resp := get(t, h, p, "If-None-Match", tag); resp.StatusCode != 304 {
				t.Errorf("%s: status %d for what was counted before", p, resp.StatusCode)
			}
			synctest.Wait()
			if resp := get(t, h, p, "If-None-Match", tag); resp.StatusCode != 200 || resp.Header.Get("ETag") == tag {
				t.Errorf("%s: status %d, tag %s for what was counted again", p, resp.StatusCode, resp.Header.Get("ETag"))
			}
		}
		if d.composed != 2 || d.counted != 2 {
			t.Errorf("composed %d times, counted %d times", d.composed, d.counted)
		}
	})
}
