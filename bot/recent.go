package bot

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"seedcorn/digest/query"
)

// A recent list holds the newest works by the words of their titles: what a person who
// is typing most probably means. What is new is read now and then, while the old list
// still answers, so that nobody who types waits for it but the first.
type recent struct {
	mu      sync.Mutex
	titles  []titled // newest first
	at      time.Time
	whole   time.Time // when all of it was read
	reading bool
}

type titled struct {
	choice Choice
	words  string // each behind a space
}

const (
	// recentWorks is how many are held: weeks of them, in about two megabytes.
	recentWorks = 5000
	recentEvery = 30 * time.Second
	// recentNew is how many of the newest are read each time, and recentWhole after what
	// time all are: an old title may have been corrected.
	recentNew   = 100
	recentWhole = 10 * time.Minute
)

// list returns the list as it is. The error is of the first reading.
func (c *recent) list(ctx context.Context, d Library) ([]titled, error) {
	c.mu.Lock()
	old, fresh := c.titles, time.Since(c.at) < recentEvery
	if fresh || c.titles != nil && c.reading {
		c.mu.Unlock()
		return old, nil
	}
	c.reading = true
	c.mu.Unlock()
	if old == nil {
		return c.read(ctx, d, nil)
	}
	go func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), recentEvery)
		defer cancel()
		_, _ = c.read(within, d, old) // the old list goes on
	}()
	return old, nil
}

// read reads the list, or what is new in front of the old one.
func (c *recent) read(ctx context.Context, d Library, old []titled) ([]titled, error) {
	now := time.Now()
	c.mu.Lock()
	whole := old == nil || now.Sub(c.whole) >= recentWhole
	c.mu.Unlock()
	var titles []titled
	var err error
	if !whole {
		if titles, _, err = titlesOf(ctx, d, recentNew, ""); err == nil && len(titles) > 0 {
			last := titles[len(titles)-1].choice.Value
			i := slices.IndexFunc(old, func(t titled) bool { return t.choice.Value == last })
			if whole = i < 0; !whole { // or more came in than was read
				titles = append(titles, old[i+1:]...)
				titles = titles[:min(len(titles), recentWorks)]
			}
		}
	}
	if whole {
		titles = []titled{}
		for after := ""; err == nil; {
			var more []titled
			more, after, err = titlesOf(ctx, d, 500, after)
			if titles = append(titles, more...); after == "" || len(titles) >= recentWorks {
				break
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if err != nil {
		return c.titles, err
	}
	c.titles, c.at = titles, time.Now()
	if whole {
		c.whole = now
	}
	return titles, nil
}

func titlesOf(ctx context.Context, d Library, n int, after string) (titles []titled, more string, err error) {
	works, more, err := d.Search(ctx, query.Query{}, n, after)
	for _, w := range works {
		titles = append(titles, titled{Choice{Label: clip(w.Title, 100), Value: string(w.ID)}, beginnings(titleWords(w.Title))})
	}
	return titles, more, err
}

func titleWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// beginnings writes words so that each begins behind a space.
func beginnings(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ")
}

// hasAll reports whether each of the words that were typed, behind a space, begins a
// word of the title.
func (t titled) hasAll(typed []string) bool {
	for _, w := range typed {
		if !strings.Contains(t.words, w) {
			return false
		}
	}
	return true
}
