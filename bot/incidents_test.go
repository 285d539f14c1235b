package bot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

func TestIncidents(t *testing.T) {
	disk := digest.Incident{Name: "disk:database", Say: "the disk is nearly full", Hint: "make room", Began: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	clock := digest.Incident{Name: "clock:here", Say: "our clock is off", Hint: "set it", Began: disk.Began}
	var many []digest.Incident
	for i := range 25 {
		many = append(many, digest.Incident{Say: fmt.Sprintf("source %d can't be read", i), Hint: "check it"})
	}
	for _, tt := range []struct {
		name        string
		begun, over []digest.Incident
		summary     string
		want        []string
		not         string
	}{
		{"one", []digest.Incident{disk}, nil, "Seedcorn needs you: something is wrong: the disk is nearly full", []string{"the disk is nearly full. What to do: make room.", "said once"}, "OVER"},
		{"two, one over", []digest.Incident{disk, clock}, []digest.Incident{clock}, "Seedcorn needs you: 2 things are wrong: the disk is nearly full", []string{"What to do: set it.", "OVER ", "our clock is off (since 20 Nov 2026)"}, ""},
		{"over", nil, []digest.Incident{clock}, "Seedcorn: it is over: our clock is off", []string{"our clock is off (since 20 Nov 2026)"}, "What to do"},
		{"all over", nil, []digest.Incident{clock, disk}, "Seedcorn: 2 things are over: our clock is off", nil, "said once"},
		{"many", many, nil, "Seedcorn needs you: 25 things are wrong: source 0 can't be read", []string{"source 9 can't be read", "and 15 more: seedcorn doctor"}, "source 10 "},
		{"a stranger's title", []digest.Incident{{Say: strings.Repeat("x", 5000), Hint: "y"}}, nil, "Seedcorn needs you", []string{"…. What to do: y."}, strings.Repeat("x", 301)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := bot.Incidents(tt.begun, tt.over)
			var b strings.Builder
			if err := message.Text(&b, d, message.TextOptions{Width: 400}); err != nil {
				t.Fatal(err)
			}
			text := b.String()
			if !strings.HasPrefix(d.Summary, tt.summary) {
				t.Errorf("summary %q", d.Summary)
			}
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			if tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("%q in\n%s", tt.not, text)
			}
		})
	}
}
