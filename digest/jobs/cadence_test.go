package jobs

import (
	"strings"
	"testing"
	"time"
)

func TestParseCadence(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"weekly", "0 9 * * 1"},
		{"Mondays at 9", "0 9 * * 1"},
		{"fri 16:30", "30 16 * * 5"},
		{"Sunday at 4:30pm", "30 16 * * 0"},
		{"daily at 12am", "0 0 * * *"},
		{"weekdays at 8", "0 8 * * 1-5"},
		{"monthly", "0 9 1 * *"},
		{"15 7 * * 1,3", "15 7 * * 1,3"},
		{"0 9 * * MON", "0 9 * * MON"},
	} {
		c, err := ParseCadence(tt.in, "Europe/Paris")
		if err != nil || c.String() != tt.want {
			t.Errorf("ParseCadence(%q) = %q, %v; want %q", tt.in, c, err, tt.want)
		}
	}
}

func TestParseCadenceRefuses(t *testing.T) {
	for _, in := range []string{
		"", "sometimes", "monday at", "monday at 25", "daily at 13pm", "0 0 30 2 *", "0 9 * * 7", "@every -1h", "@daily", "TZ=0", "TZ=0 * * * * *",
		"CRON_TZ=Europe/Paris 0 9 * * *", "* * * * * *", strings.Repeat("9", 10000), "\x00", "60 9 * * *",
	} {
		if c, err := ParseCadence(in, ""); err == nil {
			t.Errorf("ParseCadence(%q) = %q, want an error", in, c)
		}
	}
	for _, zone := range []string{"Mars/Olympus", "Local", "../../etc/passwd"} {
		if _, err := ParseCadence("weekly", zone); err == nil {
			t.Errorf("zone %q was accepted", zone)
		}
	}
}

func FuzzParseCadence(f *testing.F) {
	for _, s := range []string{"weekly", "TZ=0", "@every -1h", "0 0 30 2 *", "mon at 9pm", "*/0 * * * *", "1-0 * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCadence(s, "America/New_York")
		if err != nil {
			return
		}
		now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		if next := c.Next(now); !next.IsZero() && !next.After(now) {
			t.Errorf("%q: next %v is not after %v", s, next, now)
		}
	})
}

// The clocks of Berlin jump from 2:00 to 3:00 on 29 March 2026 and fall back from
// 3:00 to 2:00 on 25 October 2026; São Paulo had no midnight on 4 November 2018.
func TestNextAtClockChanges(t *testing.T) {
	for _, tt := range []struct{ name, spec, zone, after, want string }{
		{"jumped over: when the clocks have jumped", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"and the next day as usual", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"shown twice: the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"and not again", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"a midnight that does not exist", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"},
		{"weekly keeps its wall time", "0 9 * * 1", "Europe/Berlin", "2026-10-20T00:00:00Z", "2026-10-26T08:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCadence(tt.spec, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			after, _ := time.Parse(time.RFC3339, tt.after)
			if got := c.Next(after).Format(time.RFC3339); got != tt.want {
				t.Errorf("next after %s: got %s, want %s", tt.after, got, tt.want)
			}
		})
	}
}

// Zones with every habit that clocks have.
var thirtyZones = strings.Fields(`UTC Europe/Berlin Europe/London Europe/Dublin Europe/Moscow Europe/Istanbul Africa/Cairo Africa/Casablanca Africa/Lagos
		America/New_York America/Los_Angeles America/Sao_Paulo America/Havana America/St_Johns America/Santiago America/Caracas America/Asuncion
		Asia/Tokyo Asia/Shanghai Asia/Kolkata Asia/Kathmandu Asia/Tehran Asia/Gaza Asia/Beirut Australia/Lord_Howe Australia/Adelaide
		Pacific/Auckland Pacific/Chatham Pacific/Apia Antarctica/Troll`)

// Over twenty years in thirty zones, daily times near midnight and near clock
// changes come exactly once for each local date.
func TestNextOncePerLocalDate(t *testing.T) {
	start := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, zone := range thirtyZones {
		for _, spec := range []string{"0 0 * * *", "30 2 * * *", "15 1 * * *"} {
			c, err := ParseCadence(spec, zone)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			at := c.Next(start)
			for ; at.Before(start.AddDate(20, 0, 0)); at = c.Next(at) {
				seen[at.In(c.zone).Format("2006-01-02")]++
			}
			day := start.AddDate(0, 0, 2)
			for ; day.Before(start.AddDate(19, 11, 0)); day = day.AddDate(0, 0, 1) {
				date := day.Format("2006-01-02")
				want := 1
				if zone == "Pacific/Apia" && date == "2011-12-30" {
					want = 0 // Samoa left this day out
				}
				if seen[date] != want {
					t.Errorf("%s %q: %d digests on %s", zone, spec, seen[date], date)
				}
			}
		}
	}
}
