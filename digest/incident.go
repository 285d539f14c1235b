package digest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// IncidentKind is what an incident is about.
type IncidentKind string

// The kinds of incident.
const (
	IncidentSource   IncidentKind = "source"   // a source has been broken for a week
	IncidentDelivery IncidentKind = "delivery" // messages were refused for ever
	IncidentLookup   IncidentKind = "lookup"   // a service refuses our questions
	IncidentDisk     IncidentKind = "disk"     // it is nearly full
	IncidentJob      IncidentKind = "job"      // jobs were given up
	IncidentClock    IncidentKind = "clock"    // ours is off
)

// IncidentKinds are all of them.
var IncidentKinds = []IncidentKind{IncidentSource, IncidentDelivery, IncidentLookup, IncidentDisk, IncidentJob, IncidentClock}

// An Incident is something that is wrong with this program itself, and that whoever
// runs it can mend.
type Incident struct {
	Name  string // the same as long as it lasts
	Kind  IncidentKind
	Say   string    // what is wrong
	Hint  string    // what to do about it
	Began time.Time // when it was first seen
	Ended time.Time // zero while it lasts
}

// A Condition is what is looked at to find what is wrong. What is not known is left
// out.
type Condition struct {
	Sources []SourceHealth
	Dead    []DeadLane
	Refused map[string]time.Time // services that refuse our questions, with since when
	Disk    Disk
	Jobs    map[string]int // jobs that were given up, by kind
	Clock   time.Duration  // how far ours is from others': positive if it is ahead
}

// A DeadLane is how many messages to one workspace were refused for ever.
type DeadLane struct {
	Platform, Workspace string
	N                   int
	Words               string // why one of them was
}

// Disk is the room where the database is. The zero value is not known.
type Disk struct{ Free, Total int64 }

// From when on something is wrong.
const (
	brokenFor    = 7 * 24 * time.Hour // a source
	brokenVisits = 11                 // or one that never answered: as many visits take a week
	refusedFor   = 24 * time.Hour     // a service
	// ClockMost is how far a clock may be off: signatures of platforms are good for five
	// minutes, of which the way takes some.
	ClockMost = 2 * time.Minute
	gigabyte  = 1 << 30
)

// NearlyFull reports whether a disk has little room left: under a twentieth and five
// gigabytes, or under 256 megabytes.
func (d Disk) NearlyFull() bool {
	return d.Total > 0 && (d.Free < 256<<20 || d.Free < d.Total/20 && d.Free < 5*gigabyte)
}

// Wrong returns what is wrong at now, by name.
func (c Condition) Wrong(now time.Time) []Incident {
	var out []Incident
	add := func(kind IncidentKind, name, hint, format string, args ...any) {
		out = append(out, Incident{Name: string(kind) + ":" + name, Kind: kind, Say: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, h := range c.Sources {
		if h.Paused || h.Failures == 0 {
			continue
		}
		since := "it never answered"
		if h.LastGood.IsZero() {
			if h.Failures < brokenVisits {
				continue
			}
		} else {
			if now.Sub(h.LastGood) < brokenFor {
				continue
			}
			since = "it last answered on " + h.LastGood.Format("2 January 2006")
		}
		hint := fmt.Sprintf("seedcorn sources check %s says what it answers now; pause or remove it if it is gone", h.ID)
		if h.Gone {
			hint = fmt.Sprintf("it is gone and no longer asked: add its new address, and seedcorn sources remove %s", h.ID)
		}
		add(IncidentSource, string(h.ID), hint, "%s can't be read: %s; %s", cmp.Or(h.Title, string(h.ID)), cmp.Or(h.Trouble, "no reason is known"), since)
	}
	for _, d := range c.Dead {
		where := d.Platform
		if d.Workspace != "" {
			where += " " + d.Workspace
		}
		messages := fmt.Sprintf("%d messages were", d.N)
		if d.N == 1 {
			messages = "A message was"
		}
		add(IncidentDelivery, d.Platform+"/"+d.Workspace, "seedcorn deliveries list --state dead shows them; once the cause is gone, seedcorn deliveries retry ID sends one again",
			"%s refused for ever by %s: %s", messages, where, d.Words)
	}
	for service, since := range c.Refused {
		if now.Sub(since) >= refusedFor {
			add(IncidentLookup, service, "seedcorn lookup --limit 1 says what it answers; a token may be missing, or be no longer good (seedcorn help environment)",
				"%s has refused our questions since %s, so that what feeds do not say stays unknown", service, since.Format("2 January 2006 15:04 MST"))
		}
	}
	if c.Disk.NearlyFull() {
		add(IncidentDisk, "database", "make room on that disk, or let seedcorn retention keep less",
			"the disk of the database is nearly full: %.1f of %.0f GB are free", float64(c.Disk.Free)/gigabyte, float64(c.Disk.Total)/gigabyte)
	}
	for kind, n := range c.Jobs {
		if n > 0 {
			add(IncidentJob, kind, "seedcorn jobs shows them with their errors", "%d jobs of kind %s were given up after many attempts", n, kind)
		}
	}
	if off := c.Clock.Abs(); off > ClockMost {
		side := "ahead of"
		if c.Clock < 0 {
			side = "behind"
		}
		add(IncidentClock, "here", "set the clocks of this machine and of the database's (NTP): requests of platforms are refused and due times are missed while it is off",
			"our clock is %s %s others'", off.Round(time.Second), side)
	}
	slices.SortFunc(out, func(a, b Incident) int { return strings.Compare(a.Name, b.Name) })
	return out
}
