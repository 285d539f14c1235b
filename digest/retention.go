package digest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Retention says how long to keep what is only of use for a while. Zero is for
// ever. Entries, works with their events, and corrections are the record: a work is what
// they make it, so they are always kept.
type Retention struct {
	// Payloads are the bytes of messages that were sent. Whatever is not sent keeps its
	// bytes: it may still go out.
	Payloads time.Duration `json:"payloads"`
	// Digests go with their messages and their pages, unless a message of theirs is
	// not sent.
	Digests time.Duration `json:"digests"`
	// Lookups are notes that a service was asked, counted from when its answer is to be
	// asked for again. What it answered is an entry.
	Lookups time.Duration `json:"lookups"`
	// Incidents that are over.
	Incidents time.Duration `json:"incidents"`
}

const aDay = 24 * time.Hour

// DefaultRetention keeps digests for ever: people link to them.
var DefaultRetention = Retention{Payloads: 30 * aDay, Lookups: 180 * aDay, Incidents: 365 * aDay}

// RetentionNames are what [Retention.Set] knows, in order, with a word on each.
var RetentionNames = [][2]string{
	{"payloads", "the bytes of messages that were sent"},
	{"digests", "digests with their messages and their pages"},
	{"lookups", "notes that a service was asked, after they have expired"},
	{"incidents", "incidents that are over"},
}

func (r *Retention) field(name string) *time.Duration {
	switch name {
	case "payloads":
		return &r.Payloads
	case "digests":
		return &r.Digests
	case "lookups":
		return &r.Lookups
	case "incidents":
		return &r.Incidents
	}
	return nil
}

// Of returns how long something is kept, as [Retention.Set] reads it.
func (r Retention) Of(name string) string {
	d := r.field(name)
	switch {
	case d == nil:
		return ""
	case *d == 0:
		return "forever"
	}
	return strconv.FormatInt(int64(*d/aDay), 10) + "d"
}

// Set sets how long something is kept: "30d", "8w", "6mo", "2y" or "forever". The
// least is a day: a digest that was posted an hour ago may still have to be found.
func (r *Retention) Set(name, value string) error {
	d := r.field(name)
	if d == nil {
		names := make([]string, len(RetentionNames))
		for i, n := range RetentionNames {
			names[i] = n[0]
		}
		return fmt.Errorf("nothing is called %q: there are %s", name, strings.Join(names, ", "))
	}
	if value == "forever" {
		*d = 0
		return nil
	}
	for _, unit := range []struct {
		suffix string
		days   int
	}{{"mo", 30}, {"d", 1}, {"w", 7}, {"y", 365}} {
		digits, ok := strings.CutSuffix(value, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n*unit.days > 36_500 || n > 36_500 {
			break
		}
		*d = time.Duration(n*unit.days) * aDay
		return nil
	}
	return fmt.Errorf("%s: %q is no time to keep something: want 30d, 8w, 6mo, 2y or forever", name, value)
}
