package bot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
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

// An archive has works by number, the newest with the greatest.
type archive struct {
	Library
	works []int
	read  int // works that were asked for
}

func (a *archive) Search(_ context.Context, _ query.Query, limit int, after string) (out []digest.Work, more string, err error) {
	below := math.MaxInt
	if after != "" {
		below, _ = strconv.Atoi(after)
	}
	for _, n := range slices.Backward(a.works) {
		if n >= below {
			continue
		}
		if len(out) == limit {
			return out, more, nil
		}
		more = strconv.Itoa(n)
		out = append(out, digest.Work{ID: digest.WorkID(more), Title: fmt.Sprint("Work ", n)})
		a.read++
	}
	return out, "", nil
}

// What is new is put in front, what is gone is left out, and when too much is new, or
// after some minutes, all is read anew.
func TestRecentIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{}
		for n := range 2 * recentWorks {
			a.works = append(a.works, n)
		}
		var c recent
		step := func(name string, wait time.Duration, read int) {
			t.Helper()
			a.read = 0
			time.Sleep(wait)
			if _, err := c.list(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			got, err := c.list(t.Context(), a)
			var want []string
			for _, n := range slices.Backward(a.works) {
				if want = append(want, strconv.Itoa(n)); len(want) == recentWorks {
					break
				}
			}
			var have []string
			for _, x := range got {
				have = append(have, x.choice.Value)
			}
			if err != nil || !slices.Equal(have, want) || a.read != read {
				t.Errorf("%s: %d titles, %d works read, want %d (%v)", name, len(got), a.read, read, err)
			}
		}
		add := func(n int) {
			for range n {
				a.works = append(a.works, a.works[len(a.works)-1]+1)
			}
		}
		step("first", 0, recentWorks)
		step("nothing new", recentEvery, recentNew)
		add(3)
		a.works = slices.Delete(a.works, len(a.works)-7, len(a.works)-5)
		step("three more, and two are gone", recentEvery, recentNew)
		add(recentNew)
		step("many", recentEvery, recentNew+recentWorks)
		step("later", recentWhole, recentWorks)
	})
}

func TestTitled(t *testing.T) {
	title := titled{words: beginnings(titleWords("DeepSeek-R1: Incentivizing Reasoning, über alles"))}
	for typed, want := range map[string]bool{"": true, "deep": true, "r1 incent": true, "reas deep": true, "ÜBER": true, "seek": false, "deep x": false} {
		words := titleWords(typed)
		for i, w := range words {
			words[i] = beginnings([]string{w})
		}
		if got := title.hasAll(words); got != want {
			t.Errorf("%q: %v", typed, got)
		}
	}
}
