package bot

import (
	"context"
	"time"
)

// invocationKey is the context's key of the id of the invocation that is answered.
type invocationKey struct{}

// WithInvocation returns a context that carries the id of an invocation: whatever is
// logged with it can be found by that id.
func WithInvocation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, invocationKey{}, id)
}

// InvocationOf returns the id of the invocation for which something is done; "" where
// nobody asked.
func InvocationOf(ctx context.Context) string {
	id, _ := ctx.Value(invocationKey{}).(string)
	return id
}

// An Outcome is what became of an invocation.
type Outcome string

// The outcomes.
const (
	Answered Outcome = "answered"
	Declined Outcome = "declined" // the asker was told why not, and what would do
	Failed   Outcome = "failed"   // through our fault
)

// A Watcher is told of each invocation once it is answered.
type Watcher func(ctx context.Context, inv Invocation, o Outcome, took time.Duration)
