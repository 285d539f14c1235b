package kill

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	for _, bad := range []string{"posted", "posted:", "posted:0", "posted:x", "elsewhere:1", ":1"} {
		if _, err := New(bad); err == nil || !strings.Contains(err.Error(), "posted") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	s, err := New("")
	if s != nil || err != nil {
		t.Errorf("without a value: %v, %v", s, err)
	}
	s.At("posted") // a nil one does nothing
	s.During("posting", time.Second)()
}

// The process dies at its step, at the n-th time, and not before.
func TestDies(t *testing.T) {
	if plan := os.Getenv("KILL_PLAN"); plan != "" {
		s, err := New(plan)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s.At("posted")
			s.During("posting", time.Millisecond)()
			os.Stdout.WriteString("round\n")
		}
		os.Exit(0)
	}
	for plan, rounds := range map[string]int{"posted:1": 0, "posting:1": 0, "posted:2": 1, "posting:2": 1, "posted:3": 2, "saved:1": 2} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDies$")
		cmd.Env = append(os.Environ(), "KILL_PLAN="+plan)
		out, err := cmd.Output()
		if n := strings.Count(string(out), "round\n"); n != rounds {
			t.Errorf("%s: %d rounds, want %d", plan, n, rounds)
		}
		var exit *exec.ExitError
		if died := errors.As(err, &exit) && !exit.Exited(); died != (rounds < 2) {
			t.Errorf("%s: %v", plan, err)
		}
	}
}
