package bot_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
)

// Whoever watches is told of every invocation, once, and the context of a command
// carries the id of what was asked.
func TestWatch(t *testing.T) {
	desk := bottest.Desk()
	r := bot.NewRouter(desk, slog.New(slog.DiscardHandler))
	type seen struct {
		id, command string
		outcome     bot.Outcome
	}
	var got []seen
	r.Watch = func(ctx context.Context, inv bot.Invocation, o bot.Outcome, took time.Duration) {
		if took < 0 {
			t.Errorf("%s took %v", inv.ID, took)
		}
		got = append(got, seen{bot.InvocationOf(ctx), inv.Command, o})
	}
	for _, inv := range []bot.Invocation{
		{ID: "1", Command: "help"},
		{ID: "2", Command: "nosuch"},
		{ID: "3", Command: "search"},
		{ID: "4", Command: "search", Args: map[string]string{"query": "(("}},
	} {
		r.Handle(t.Context(), inv)
	}
	desk.Err = errors.New("the database is away")
	r.Handle(t.Context(), bot.Invocation{ID: "5", Command: "search", Args: map[string]string{"query": "x"}})
	want := []seen{{"1", "help", bot.Answered}, {"2", "nosuch", bot.Declined}, {"3", "search", bot.Declined}, {"4", "search", bot.Declined}, {"5", "search", bot.Failed}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}
