package jobs

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"seedcorn/digest"
)

// A Cadence says at which wall-clock times a digest is due, in a zone.
type Cadence struct {
	spec     string
	zone     *time.Location
	schedule cron.Schedule
}

// cadences are what people type instead of cron. Five fields: minute, hour, day of
// month, month, day of week (https://pkg.go.dev/github.com/robfig/cron/v3).
var cadences = map[string]string{
	"weekly":   "0 9 * * 1",
	"daily":    "0 9 * * *",
	"weekdays": "0 9 * * 1-5",
	"monthly":  "0 9 1 * *",
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// ParseCadence reads a cadence as people type it: "weekly", "daily", "weekdays",
// "monthly", "Mondays at 9", "Friday 16:30", "daily at 8", or five cron fields.
// zone is an IANA name; "" is UTC. The error says what was not understood and
// what would be.
//
// A specification of a stranger can't harm: robfig's parser panics on some, takes
// descriptors and zones of its own, and accepts days that never come; all of them
// are refused here.
func ParseCadence(spec, zone string) (c Cadence, err error) {
	loc := time.UTC
	if zone != "" {
		if strings.EqualFold(zone, "local") {
			return Cadence{}, fmt.Errorf("parsing cadence: zone %q is not an IANA name such as Europe/Paris", zone)
		}
		if loc, err = time.LoadLocation(zone); err != nil {
			return Cadence{}, fmt.Errorf("parsing cadence: zone %q is not an IANA name such as Europe/Paris", zone)
		}
	}
	fields, err := cronFields(spec)
	if err != nil {
		return Cadence{}, err
	}
	c = Cadence{spec: fields, zone: loc}
	if c.schedule, err = parseCron(fields); err != nil {
		return Cadence{}, fmt.Errorf("parsing cadence %q: %w", spec, err)
	}
	if c.schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Cadence{}, fmt.Errorf("parsing cadence %q: %w", spec, digest.ErrNever)
	}
	return c, nil
}

// String returns the cadence's five cron fields.
func (c Cadence) String() string { return c.spec }

// parseCron guards the library's parser, which panics on some input.
func parseCron(fields string) (s cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("not five cron fields")
		}
	}()
	return cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(fields)
}

// cronFields turns what a person types into five cron fields.
func cronFields(spec string) (string, error) {
	words := strings.Fields(strings.ToLower(strings.ReplaceAll(spec, ",", ", ")))
	if joined := strings.Join(strings.Fields(spec), " "); len(words) >= 5 && !strings.ContainsAny(joined, "@=") {
		return strings.ReplaceAll(joined, ", ", ","), nil
	}
	fail := fmt.Errorf("parsing cadence %q: want weekly, daily, weekdays, monthly, a day and time such as %q, or five cron fields", spec, "Mondays at 9")
	if len(words) == 0 {
		return "", fail
	}
	fields, ok := cadences[words[0]]
	if !ok {
		name := strings.TrimSuffix(words[0], "s")
		day := -1
		for i, d := range weekdays {
			if name == d || len(name) == 3 && strings.HasPrefix(d, name) {
				day = i
			}
		}
		if day < 0 {
			return "", fail
		}
		fields = fmt.Sprintf("0 9 * * %d", day)
	}
	rest := words[1:]
	if len(rest) > 0 && rest[0] == "at" {
		rest = rest[1:]
		if len(rest) == 0 {
			return "", fail
		}
	}
	switch len(rest) {
	case 0:
		return fields, nil
	case 1, 2:
		hour, minute, ok := clock(strings.Join(rest, ""))
		if !ok {
			return "", fail
		}
		return fmt.Sprintf("%d %d%s", minute, hour, strings.TrimPrefix(fields, "0 9")), nil
	}
	return "", fail
}

// clock reads "9", "09:30", "9am", "4:30pm".
func clock(s string) (hour, minute int, ok bool) {
	pm := strings.HasSuffix(s, "pm")
	half := pm || strings.HasSuffix(s, "am")
	if half {
		s = s[:len(s)-2]
	}
	for _, layout := range []string{"15:04", "15"} {
		if !strings.Contains(s, ":") && len(s) == 1 {
			s = "0" + s
		}
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		hour, minute = t.Hour(), t.Minute()
		if half && (hour == 0 || hour > 12) {
			return 0, 0, false
		}
		if half && hour == 12 {
			hour = 0
		}
		if pm {
			hour += 12
		}
		return hour, minute, true
	}
	return 0, 0, false
}

// Next returns the first due time after t, in UTC; zero if there is none within
// robfig's horizon of five years.
//
// Each wall-clock time gives exactly one digest. A time that the clocks jump over
// in spring is due when they have jumped; one that they show twice in autumn is due
// the first time. robfig's own zones skip the one and ring twice for the other, so
// the schedule runs on a wall clock without a zone, and the zone comes in last.
func (c Cadence) Next(t time.Time) time.Time {
	local := t.In(c.zone)
	wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), time.UTC)
	// An instant's wall time may lie behind that of an earlier due one (autumn), or
	// its due time before it (spring): begin a little earlier and pass over what is
	// not after t. Far from a change of the clocks neither can be, and going back
	// would cost a cadence of every minute 180 steps each time.
	const near = 26 * time.Hour // Samoa skipped a day
	_, before := t.Add(-near).In(c.zone).Zone()
	_, after := t.Add(near).In(c.zone).Zone()
	if _, now := local.Zone(); before != now || after != now {
		wall = wall.Add(-3 * time.Hour)
	}
	for {
		wall = c.schedule.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if due, ok := instant(wall, c.zone); ok && due.After(t) {
			return due.UTC()
		}
	}
}

// instant returns the first instant at which clocks in zone show wall, or, where
// they never do, the one at which they jump over it. ok is false for a day that
// the zone left out altogether, as Samoa did with 30 December 2011.
func instant(wall time.Time, zone *time.Location) (at time.Time, ok bool) {
	y, m, d := wall.Date()
	t := time.Date(y, m, d, wall.Hour(), wall.Minute(), 0, 0, zone)
	if t.Hour() != wall.Hour() || t.Minute() != wall.Minute() || t.Day() != d {
		// In a gap: time.Date gives an instant on either side of it.
		jump, end := t.ZoneBounds()
		if jump.IsZero() || t.Sub(jump) > 24*time.Hour {
			jump = end
		}
		return jump, jump.Day() == d
	}
	// In an overlap the same wall time came before, too: take the first.
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		_, now := t.Zone()
		if earlier := t.Add(time.Duration(now-before) * time.Second); now < before && earlier.Before(start) {
			return earlier, true
		}
	}
	return t, true
}
