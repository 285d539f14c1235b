package query

import (
	"fmt"
	"time"
)

// ParseTime reads a point in time as since: and before: do: "7d", "2w", "3mo",
// "monday", "yesterday", "2026-01-31". Days begin in now's zone.
func ParseTime(s string, now time.Time) (time.Time, error) {
	t, hint, ok := parseDate(s, now)
	if !ok {
		return time.Time{}, fmt.Errorf("cannot read %q: %s", s, hint)
	}
	return t, nil
}
