package query

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	ago  = regexp.MustCompile(`^(\d{1,4})(h|d|w|mo|m|y)$`)
	days = map[string]time.Weekday{
		"sunday": time.Sunday, "monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday,
		"thursday": time.Thursday, "friday": time.Friday, "saturday": time.Saturday,
	}
	dateLayouts = []string{"2006-01-02", "2006-01", "2006", time.RFC3339}
)

// parseDate reads a point in time as people give it. Everything but hours and
// RFC 3339 means the beginning of a day in now's zone: "7d" is the beginning of
// the day seven days ago, "monday" that of the latest Monday, today included.
// hint is what to suggest where s cannot be read.
func parseDate(s string, now time.Time) (t time.Time, hint string, ok bool) {
	s = strings.ToLower(s)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch s {
	case "today":
		return today, "", true
	case "yesterday":
		return today.AddDate(0, 0, -1), "", true
	}
	if d, ok := days[s]; ok {
		return today.AddDate(0, 0, -((int(now.Weekday()) - int(d) + 7) % 7)), "", true
	}
	if m := ago.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return time.Time{}, "", false
		}
		switch m[2] {
		case "h":
			t = now.Add(-time.Duration(n) * time.Hour).Truncate(time.Second)
		case "d":
			t = today.AddDate(0, 0, -n)
		case "w":
			t = today.AddDate(0, 0, -7*n)
		case "mo":
			t = monthsAgo(today, n)
		case "y":
			t = monthsAgo(today, 12*n)
		case "m":
			return time.Time{}, "for months write " + m[1] + "mo", false
		}
		return t, "it is before the year 1", t.Year() >= 1
	}
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, strings.ToUpper(s), now.Location()); err == nil && t.Year() >= 1 {
			return t.Truncate(time.Second), "", true
		}
	}
	return time.Time{}, "write 7d, 2w, 3mo, 1y, monday, yesterday or 2026-01-31", false
}

// monthsAgo goes back n months, to the last day of the month where it has no
// such day: three months before 31 May is 28 February, not 3 March.
func monthsAgo(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()-time.Month(n), 1, 0, 0, 0, 0, t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}
