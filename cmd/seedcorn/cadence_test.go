package main

import (
	"testing"

	"seedcorn/bot"
	"seedcorn/digest/jobs"
)

// The words for a cadence mean the same cadence.
func TestCadenceWords(t *testing.T) {
	for cron, want := range map[string]string{
		"0 9 * * 1": "Mondays at 9", "30 16 * * 5": "Fridays at 16:30", "0 0 * * 0": "Sundays at 0", "5 8 * * *": "daily at 8:05",
		"0 9 * * 1-5": "weekdays at 9", "0 9 1 * *": "monthly at 9",
		"0 9 1 1 *": "0 9 1 1 *", "0 9 1 * 1": "0 9 1 * 1", "*/5 9 * * 1": "*/5 9 * * 1", "0 9 * * 1,4": "0 9 * * 1,4", "0 9 15 * *": "0 9 15 * *",
	} {
		got := bot.CadenceWords(cron)
		c, err := jobs.ParseCadence(got, "UTC")
		if got != want || err != nil || c.String() != cron {
			t.Errorf("%s in words is %q, which is read as %s, %v", cron, got, c, err)
		}
	}
}
