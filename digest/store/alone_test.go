package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// One runs, the other waits until it is done.
func TestAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		a, b := p.open(t), p.open(t)
		const lease = 2 * time.Second
		in, out := make(chan string, 2), make(chan struct{})
		ended := make(chan error, 2)
		go func() {
			ended <- a.Alone(t.Context(), "gateway", lease, func(context.Context) error { in <- "a"; <-out; return errors.New("done") })
		}()
		if got := <-in; got != "a" {
			t.Fatal(got)
		}
		go func() {
			ended <- b.Alone(t.Context(), "gateway", lease, func(context.Context) error { in <- "b"; return nil })
		}()
		// Longer than the lease, which a renews meanwhile.
		select {
		case got := <-in:
			t.Errorf("%s came in while a was there", got)
		case <-time.After(lease + lease/2):
		}
		// Another name is another matter.
		if err := b.Alone(t.Context(), "elsewhere", lease, func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		close(out)
		if err := <-ended; err == nil || err.Error() != "done" {
			t.Errorf("a ended with %v", err)
		}
		if got := <-in; got != "b" {
			t.Error(got)
		}
		if err := <-ended; err != nil {
			t.Errorf("b ended with %v", err)
		}
	})
}

// Whoever has lost the lease is told to stop; whoever waits can be stopped.
func TestAloneLost(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		err := db.Alone(t.Context(), "gateway", time.Second, func(ctx context.Context) error {
			// As another process would leave it that has taken over.
			err := db.update(ctx, "taking over", func(t *tx) error {
				_, err := t.exec(ctx, "UPDATE gates SET holder = 'another', lease_until = 9999999999999 WHERE name = 'alone:gateway'")
				return err
			})
			if err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(20 * time.Second):
				return errors.New("nobody said that the lease was lost")
			}
		})
		if err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := db.Alone(ctx, "gateway", time.Second, func(context.Context) error { return errors.New("came in") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting ended with %v", err)
		}
	})
}
