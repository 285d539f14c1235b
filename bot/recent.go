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
// is typing most probably means. It is read anew now and then, while the old one still
// answers, so that nobody who types waits for it but the first.
type recent struct {
	mu      sync.Mutex
	titles  []titled // newest first
	at      time.Time
	reading bool
}

type titled struct {
	choice Choice
	words  []string
}

const (
	// recentWorks is how many are held: some weeks of them, in about a megabyte.
	recentWorks = 1000
	recentEvery = 30 * time.Second
	// restWithin is how long a search of all the others may take. What is found by then
	// is enough for someone who goes on typing.
	restWithin = 40 * time.Millisecond
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
		return c.read(ctx, d)
	}
	go func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), recentEvery)
		defer cancel()
		_, _ = c.read(within, d) // the old list goes on
	}()
	return old, nil
}

func (c *recent) read(ctx context.Context, d Library) ([]titled, error) {
	works, _, err := d.Search(ctx, query.Query{}, recentWorks, "")
	titles := make([]titled, len(works))
	for i, w := range works {
		titles[i] = titled{Choice{Label: clip(w.Title, 100), Value: string(w.ID)}, titleWords(w.Title)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if err != nil {
		return c.titles, err
	}
	c.titles, c.at = titles, time.Now()
	return titles, nil
}

func titleWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// hasAll reports whether each of what was typed begins a word of the title.
func (t titled) hasAll(typed []string) bool {
	for _, w := range typed {
		if !slices.ContainsFunc(t.words, func(have string) bool { return strings.HasPrefix(have, w) }) {
			return false
		}
	}
	return true
}
