package bot

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
)

// A shelf has works, answers slowly, or fails.
type shelf struct {
	Library
	title string
	takes time.Duration
	err   error
	mu    sync.Mutex
	asked int
}

func (s *shelf) Search(ctx context.Context, _ query.Query, limit int, _ string) ([]digest.Work, string, error) {
	s.mu.Lock()
	s.asked++
	title, err := s.title, s.err
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	if err != nil {
		return nil, "", err
	}
	return []digest.Work{{ID: "w1", Title: title}}, "", nil
}

// The list is read once by who comes first, then behind the back of those who come
// later; a reading that fails leaves the old one.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{title: "First", takes: time.Second}
		var c recent
		look := func() (string, time.Duration) {
			began := time.Now()
			got, err := c.list(t.Context(), s)
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			return got[0].choice.Label, time.Since(began)
		}
		step := func(name, want string, wait time.Duration, asked int) {
			t.Helper()
			got, took := look()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got != want || took != wait || s.asked != asked {
				t.Errorf("%s: %q after %v, asked %d times; want %q, %v, %d", name, got, took, s.asked, want, wait, asked)
			}
		}
		step("first", "First", time.Second, 1)
		s.title = "Second"
		step("soon after", "First", 0, 1)
		time.Sleep(recentEvery)
		step("when it is old", "First", 0, 2)
		step("after that", "Second", 0, 2)
		s.err = errors.New("disk full")
		time.Sleep(recentEvery)
		step("when it cannot be read", "Second", 0, 3)
		step("afterwards", "Second", 0, 4)
	})
}

func TestTitled(t *testing.T) {
	title := titled{words: titleWords("DeepSeek-R1: Incentivizing Reasoning, über alles")}
	for typed, want := range map[string]bool{"": true, "deep": true, "r1 incent": true, "reas deep": true, "ÜBER": true, "seek": false, "deep x": false} {
		if got := title.hasAll(titleWords(typed)); got != want {
			t.Errorf("%q: %v", typed, got)
		}
	}
}
