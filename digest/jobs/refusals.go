package jobs

import (
	"context"
	"fmt"
	"time"

	"seedcorn/digest"
)

// A Register is what telling owners needs of storage.
type Register interface {
	// Refusals returns refusals of which nobody has been told, oldest first.
	Refusals(ctx context.Context, limit int) ([]digest.Refusal, error)
	// Told notes that an owner is told of a refusal, and puts the message into the outbox,
	// both or neither. Without a message it notes that the owner cannot be told. The
	// second to say so changes nothing.
	Told(ctx context.Context, f digest.Refusal, now time.Time, to digest.Destination, parts ...digest.Part) error
}

// Refusals tells owners why their subscriptions were paused: each once for a cause,
// until something arrives there again. What they are told is a delivery like any other,
// but one that is refused in its turn ends there: its subscription says why it is
// paused, and so does the log.
type Refusals struct {
	Register Register
	// Word makes the message to a subscription's owner. Without parts there is no way to
	// them.
	Word func(f digest.Refusal) (to digest.Destination, parts []digest.Part, err error)
	Now  func() time.Time
	Note func(f digest.Refusal, told bool, err error) // may be nil
}

// refusalsAtOnce bounds one reading of the register.
const refusalsAtOnce = 100

// Run tells all that are to be told, and returns how many it told. The error is of
// storage. One whose message cannot be worded is noted, and not tried again.
func (r *Refusals) Run(ctx context.Context) (told int, err error) {
	for {
		all, err := r.Register.Refusals(ctx, refusalsAtOnce)
		if err != nil || len(all) == 0 {
			return told, err
		}
		for _, f := range all {
			to, parts, fault := r.word(f)
			if fault != nil {
				parts = nil
			}
			if err := r.Register.Told(ctx, f, r.Now(), to, parts...); err != nil {
				return told, err
			}
			if len(parts) > 0 {
				told++
			}
			if r.Note != nil {
				r.Note(f, len(parts) > 0, fault)
			}
		}
	}
}

func (r *Refusals) word(f digest.Refusal) (to digest.Destination, parts []digest.Part, err error) {
	defer func() {
		if poison := recover(); poison != nil {
			parts, err = nil, fmt.Errorf("wording a refusal panicked: %v", poison)
		}
	}()
	return r.Word(f)
}
