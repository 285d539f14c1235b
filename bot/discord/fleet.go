package discord

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

// A Roster shares the gateway's shards out among the processes of one bot, so that each
// is connected once: everyone who connects with one token is sent everything.
type Roster interface {
	// Share says that holder lives, and how many shards it thinks there are, and returns
	// what is its own. What holder has besides it is to close and to yield. The error is
	// of storage, or ctx's.
	Share(ctx context.Context, holder string, total int) (digest.Sharing, error)
	// Yield gives back one of total shards, whose connection has ended.
	Yield(ctx context.Context, holder string, total, shard int) error
	// Leave gives back all.
	Leave(ctx context.Context, holder string) error
	// Turn waits until a session may be begun in a place, every apart from the one before.
	// leave is to be called when it was begun, or failed.
	Turn(ctx context.Context, place int, every time.Duration) (leave func(), err error)
}

// alone is the roster of a process that has every shard.
type alone struct {
	mu   sync.Mutex
	next map[int]time.Time // by place
}

func (*alone) Share(_ context.Context, _ string, total int) (digest.Sharing, error) {
	s := digest.Sharing{Total: total}
	for n := range total {
		s.Held = append(s.Held, n)
	}
	return s, nil
}

func (*alone) Yield(context.Context, string, int, int) error { return nil }
func (*alone) Leave(context.Context, string) error           { return nil }

func (a *alone) Turn(ctx context.Context, place int, every time.Duration) (leave func(), err error) {
	a.mu.Lock()
	if a.next == nil {
		a.next = map[int]time.Time{}
	}
	at := later(a.next[place], time.Now())
	a.next[place] = at.Add(every)
	a.mu.Unlock()
	return func() {}, sleep(ctx, time.Until(at))
}

// A fleet is the shards of this process.
type fleet struct {
	adapter *Adapter
	handler bot.Handler
	roster  Roster
	holder  string // what this process is called among others

	mu     sync.Mutex
	info   gatewayInfo
	looked time.Time
}

func newFleet(a *Adapter, h bot.Handler) *fleet {
	f := &fleet{adapter: a, handler: h, roster: a.opt.Roster, holder: rand.Text()}
	if f.roster == nil {
		f.roster = &alone{}
	}
	return f
}

// lookAgain is how old what the gateway said about itself may be when a session is
// begun.
const lookAgain = 30 * time.Second

// look asks the gateway about itself, unless it was asked just now, and waits until it
// lets a session be begun. The error is for good, or ctx's.
func (f *fleet) look(ctx context.Context) (gatewayInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookAgain && f.info.Limit.Remaining > sessionsKept {
		return f.info, nil
	}
	info, err := f.adapter.gateway(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		f.info, f.looked = info, time.Now()
	}
	return info, err
}

// turn waits until a shard may begin a session, and returns where. begun is to be called
// when it has, or failed. The error is for good, or ctx's.
func (f *fleet) turn(ctx context.Context, shard int) (url string, begun func(), err error) {
	info, err := f.look(ctx)
	if err != nil {
		return "", nil, err
	}
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		if begun, err = f.roster.Turn(ctx, shard%info.Limit.MaxConcurrency, f.adapter.opt.identifyEvery); err == nil {
			break
		}
		if ctx.Err() == nil {
			f.adapter.log.Warn("waiting for the turn to begin a session", "shard", shard, "error", err, "again_in", wait)
		}
		if err := sleep(ctx, wait); err != nil {
			return "", nil, err
		}
	}
	if info, err = f.look(ctx); err != nil { // the wait may have been long
		begun()
		return "", nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info.Limit.Remaining--
	return info.URL, begun, nil
}

// A berth is a shard that this process runs.
type berth struct {
	total, shard int
}

// An ending is that of a shard; without an error it was told to.
type ending struct {
	at  berth
	err error
}

// run keeps the shards that are this process's connected until ctx ends or the gateway
// refuses us for good.
func (f *fleet) run(ctx context.Context) error {
	info, err := f.look(ctx)
	if err != nil {
		return f.over(ctx, err)
	}
	f.adapter.log.Info("connecting to the gateway", "shards", info.Shards, "sessions_left", info.Limit.Remaining)
	running := map[berth]context.CancelFunc{}
	ended := make(chan ending, maxShards)
	var endings []ending // that are not looked at yet
	begin := func(b berth) {
		mine, stop := context.WithCancel(ctx)
		running[b] = stop
		s := &shard{adapter: f.adapter, fleet: f, id: b.shard, count: b.total, work: ctx}
		go func() { ended <- ending{b, s.run(mine)} }()
	}
	// end ends shards and waits for it.
	end := func(these func(berth) bool) (gone []berth) {
		for b, stop := range running {
			if these(b) {
				gone = append(gone, b)
				stop()
			}
		}
		for slices.ContainsFunc(gone, func(b berth) bool { return running[b] != nil }) {
			x := <-ended
			delete(running, x.at)
			endings = append(endings, x)
		}
		return gone
	}
	all := func(berth) bool { return true }
	defer func() {
		end(all)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := f.roster.Leave(ctx, f.holder); err != nil {
			f.adapter.log.Warn("giving the shards back", "error", err)
		}
	}()
	total, told := info.Shards, -1
	every, patience := firstBackoff, f.adapter.opt.Timeout
	var until time.Time // others may take what is ours soon after
	failing := false    // the last time it could not be said that this process lives
	for {
		began := time.Now()
		s, err := f.share(ctx, patience, total)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			level := slog.LevelWarn
			if failing { // said already
				level = slog.LevelDebug
			}
			failing = true
			f.adapter.log.Log(ctx, level, "sharing the shards", "error", err, "again_in", every)
			if time.Now().After(until) {
				end(all)
			}
		default:
			failing = false
			total = max(total, s.Total)
			gone := end(func(b berth) bool { return b.total != s.Total || !slices.Contains(s.Held, b.shard) })
			for _, b := range gone {
				if err := f.roster.Yield(ctx, f.holder, b.total, b.shard); err != nil && ctx.Err() == nil {
					f.adapter.log.Warn("giving a shard back", "shard", b.shard, "error", err)
				}
			}
			for _, n := range s.Held {
				if b := (berth{s.Total, n}); running[b] == nil {
					begin(b)
				}
			}
			if len(s.Held) != told {
				told = len(s.Held)
				f.adapter.log.Info("shards shared out", "shards", s.Total, "held", told)
			}
			if s.For > 0 {
				until, every, patience = began.Add(s.For/2), s.For/10, s.For/8
			} else {
				every = 0 // they are ours for good
			}
		}
		for _, x := range endings {
			if x.err == nil {
				continue
			}
			var closed *closedForGood
			if !errors.As(x.err, &closed) || closed.code != codeTooFewShards {
				return x.err
			}
			if x.at.total >= total {
				if total, err = f.more(ctx, total); err != nil {
					return f.over(ctx, errors.Join(x.err, err))
				}
			}
		}
		if len(endings) > 0 {
			endings = nil
			continue
		}
		var tick <-chan time.Time
		if every > 0 {
			tick = time.After(every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		case x := <-ended:
			delete(running, x.at)
			endings = append(endings, x)
		}
	}
}

// share asks for what is ours, no longer than patience.
func (f *fleet) share(ctx context.Context, patience time.Duration, total int) (digest.Sharing, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f.roster.Share(ctx, f.holder, total)
}

// over is an error, or none if we were told to end.
func (f *fleet) over(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// more is how many shards the gateway recommends now. The error is for no more than
// total, or as look's.
func (f *fleet) more(ctx context.Context, total int) (int, error) {
	f.mu.Lock()
	f.looked = time.Time{}
	f.mu.Unlock()
	info, err := f.look(ctx)
	if err == nil && info.Shards <= total {
		err = fmt.Errorf("the gateway recommends %d", info.Shards)
	}
	return info.Shards, err
}
