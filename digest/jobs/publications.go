package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"seedcorn/digest"
)

// A Board is what publishing needs of storage.
type Board interface {
	// Announce notes the posted messages that are to be published: of subscriptions that
	// ask for it, and all of the named platforms.
	Announce(ctx context.Context, now time.Time, platforms ...string) (n int, err error)
	// ClaimPublication takes one that may be published at now, and holds it for lease;
	// at most most of one destination in any time of length per.
	ClaimPublication(ctx context.Context, now time.Time, lease time.Duration, most int, per time.Duration) (p digest.Publication, ok bool, err error)
	// SettlePublication stores what became of an attempt.
	SettlePublication(ctx context.Context, p digest.Publication) error
}

// A Publisher is a platform that can show a message in all channels that follow the
// message's own.
type Publisher interface {
	// Publish publishes a posted message; one that is published already is no error. The
	// error is a *[PostError]; unsure means that it may be tried again.
	Publish(ctx context.Context, to digest.Destination, receipt string) error
	// Cap is how many messages of one channel may be published in how long.
	Cap() (most int, per time.Duration)
}

// Publications publishes what was posted for subscriptions that ask for it, as fast as
// the platform's cap allows. The cap is counted in storage, so that neither a restart
// nor a second process forgets it.
type Publications struct {
	Board      Board
	Publishers map[string]Publisher // by platform
	Always     []string             // platforms where everything is published
	Now        func() time.Time
	Note       func(p digest.Publication) // may be nil
}

// The patience of publishing: a message that could not be published after so many
// attempts is left as it is. It stands in its channel all the same.
const maxPublishing = 12

// Run publishes what may be published now and returns how many were. The error is of
// storage, or ctx's.
func (p *Publications) Run(ctx context.Context) (n int, err error) {
	if len(p.Publishers) == 0 {
		return 0, nil
	}
	most, per := 0, time.Duration(0)
	for _, x := range p.Publishers {
		if m, d := x.Cap(); most == 0 || m < most {
			most, per = m, d
		}
	}
	if _, err := p.Board.Announce(ctx, p.Now(), p.Always...); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		x, ok, err := p.Board.ClaimPublication(ctx, p.Now(), staleAfter, most, per)
		if err != nil || !ok {
			return n, err
		}
		p.attempt(ctx, &x)
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		err = p.Board.SettlePublication(settle, x)
		cancel()
		if err != nil {
			return n, fmt.Errorf("settling publication %s: %w", x.Delivery, err)
		}
		if x.State == digest.Published {
			n++
		}
		if p.Note != nil {
			p.Note(x)
		}
	}
	return n, ctx.Err()
}

func (p *Publications) attempt(ctx context.Context, x *digest.Publication) {
	within, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	who := p.Publishers[x.To.Platform]
	if who == nil {
		x.State, x.Words = digest.PublishRefused, "messages of this platform cannot be published"
		return
	}
	err := who.Publish(within, x.To, x.Receipt)
	var e *PostError
	switch {
	case err == nil:
		x.State, x.Words = digest.Published, "published"
	case errors.As(err, &e) && e.State == digest.Dead || x.Attempt >= maxPublishing:
		x.State, x.Words = digest.PublishRefused, words(err)
	default:
		wait := time.Duration(0)
		if e != nil {
			wait = e.After
		}
		if wait <= 0 {
			wait = min(maxWait, time.Minute<<min(x.Attempt, 7))
		}
		x.State, x.Words, x.NotBefore = digest.PublishWaiting, words(err), p.Now().Add(wait)
	}
}

// words are an error's, for people.
func words(err error) string {
	var e *PostError
	if errors.As(err, &e) && e.Say != "" {
		return e.Say
	}
	return err.Error()
}
