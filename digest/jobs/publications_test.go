package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/digest/jobs"
)

// A board holds publications in memory, without a cap.
type board struct {
	open    []digest.Publication
	settled []digest.Publication
	always  []string
	err     error
}

func (b *board) Announce(_ context.Context, _ time.Time, platforms ...string) (int, error) {
	b.always = platforms
	return 0, b.err
}

func (b *board) ClaimPublication(_ context.Context, _ time.Time, lease time.Duration, most int, per time.Duration) (digest.Publication, bool, error) {
	if len(b.open) == 0 {
		return digest.Publication{}, false, nil
	}
	if lease <= 0 || most != 10 || per != time.Hour {
		return digest.Publication{}, false, fmt.Errorf("a lease of %v, %d in %v", lease, most, per)
	}
	x := b.open[0]
	b.open = b.open[1:]
	x.Attempt++
	return x, true, nil
}

func (b *board) SettlePublication(_ context.Context, p digest.Publication) error {
	b.settled = append(b.settled, p)
	return nil
}

// A press publishes, or fails, by receipt.
type press map[string]error

func (p press) Publish(_ context.Context, _ digest.Destination, receipt string) error {
	return p[receipt]
}
func (press) Cap() (int, time.Duration) { return 10, time.Hour }

func TestPublish(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	b := &board{open: []digest.Publication{
		{Delivery: "good", To: digest.Destination{Platform: "test"}, Receipt: "good"},
		{Delivery: "limited", To: digest.Destination{Platform: "test"}, Receipt: "limited"},
		{Delivery: "dead", To: digest.Destination{Platform: "test"}, Receipt: "dead"},
		{Delivery: "broken", To: digest.Destination{Platform: "test"}, Receipt: "broken"},
		{Delivery: "broken for long", To: digest.Destination{Platform: "test"}, Receipt: "broken", Attempt: 11},
		{Delivery: "elsewhere", To: digest.Destination{Platform: "none"}, Receipt: "good"},
	}}
	p := &jobs.Publications{Board: b, Now: func() time.Time { return now }, Always: []string{"test"}, Publishers: map[string]jobs.Publisher{"test": press{
		"limited": &jobs.PostError{State: digest.Pending, After: 20 * time.Minute, Say: "wait"},
		"dead":    &jobs.PostError{State: digest.Dead, Say: "deleted"},
		"broken":  errors.New("boom"),
	}}}
	n, err := p.Run(t.Context())
	if n != 1 || err != nil {
		t.Errorf("%d published, %v", n, err)
	}
	type result struct {
		State digest.PublicationState
		Wait  time.Duration
		Words string
	}
	got := map[digest.DeliveryID]result{}
	for _, x := range b.settled {
		r := result{State: x.State, Words: x.Words}
		if !x.NotBefore.IsZero() {
			r.Wait = x.NotBefore.Sub(now)
		}
		got[x.Delivery] = r
	}
	want := map[digest.DeliveryID]result{
		"good":            {digest.Published, 0, "published"},
		"limited":         {digest.PublishWaiting, 20 * time.Minute, "wait"},
		"dead":            {digest.PublishRefused, 0, "deleted"},
		"broken":          {digest.PublishWaiting, 2 * time.Minute, "boom"},
		"broken for long": {digest.PublishRefused, 0, "boom"},
		"elsewhere":       {digest.PublishRefused, 0, "messages of this platform cannot be published"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"test"}, b.always); d != "" {
		t.Error(d)
	}
	b.err = errors.New("disk full")
	if _, err := p.Run(t.Context()); !errors.Is(err, b.err) {
		t.Errorf("with a board that fails: %v", err)
	}
	// Without a platform that can, storage is not even asked.
	p.Publishers = nil
	if _, err := p.Run(t.Context()); err != nil {
		t.Error(err)
	}
}
