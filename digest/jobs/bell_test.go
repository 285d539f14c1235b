package jobs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBellRingsAtOnceAndNeverTwiceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
		defer cancel()
		var runs, at, most atomic.Int32
		err := Bell{Every: "1m", Log: slog.New(slog.DiscardHandler)}.Run(ctx, func(context.Context) {
			if n := at.Add(1); n > most.Load() {
				most.Store(n)
			}
			runs.Add(1)
			time.Sleep(90 * time.Second) // longer than the interval
			at.Add(-1)
		})
		if err != nil {
			t.Fatal(err)
		}
		// Rings at 0, then at each minute when the last run is over: 2, 4, 6, 8, 10.
		if runs.Load() != 6 || most.Load() != 1 {
			t.Errorf("%d runs, %d at a time; want 6, 1", runs.Load(), most.Load())
		}
	})
}

func TestBellSurvivesPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+time.Second)
		defer cancel()
		runs := 0
		if err := (Bell{Every: "1m", Log: slog.New(slog.DiscardHandler)}).Run(ctx, func(context.Context) {
			runs++
			panic("poison")
		}); err != nil {
			t.Fatal(err)
		}
		if runs != 4 {
			t.Errorf("%d runs, want 4", runs)
		}
	})
}
