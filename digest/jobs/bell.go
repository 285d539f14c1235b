package jobs

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/robfig/cron/v3"
)

// A Bell rings at a fixed interval and runs one function, never twice at a time:
// a ring during a run is skipped, and a panic is logged and ends that run only.
// It decides nothing. What is due is asked of the database at each ring, so a bell
// that was silent for a week, or rings twice, changes nothing.
type Bell struct {
	Every string // an interval, such as "1m"
	Log   *slog.Logger
}

// Run rings once at the start and then at the interval until ctx ends, and waits
// for the last run to finish.
func (b Bell) Run(ctx context.Context, f func(context.Context)) error {
	log := cronLog{b.Log}
	// Recover must be the inner one: SkipIfStillRunning v3.0.1 gives its token back
	// only when the job returns, so a panic that passes it silences the bell for ever.
	c := cron.New(cron.WithChain(cron.SkipIfStillRunning(log), cron.Recover(log)), cron.WithLogger(log))
	id, err := c.AddFunc("@every "+b.Every, func() { f(ctx) })
	if err != nil {
		return fmt.Errorf("setting the bell: %w", err)
	}
	first := make(chan struct{})
	go func() { defer close(first); c.Entry(id).WrappedJob.Run() }()
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	<-first
	return nil
}

// cronLog keeps the library's chatter at debug level and its errors as errors.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.log.Debug("bell: "+msg, kv...) }
func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("bell: "+msg, append(kv, "error", err)...)
}
