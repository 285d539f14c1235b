package fetch

import (
	"context"
	"sync"
)

// hostGate lets at most limit requests to one host run at a time, within this
// process. It remembers hosts only while somebody is there.
type hostGate struct {
	limit int
	mu    sync.Mutex
	hosts map[string]*hostSlots
}

type hostSlots struct {
	slots chan struct{}
	users int // inside and waiting
}

// enter waits for a free slot and returns the function that frees it. It fails only
// when ctx ends first.
func (g *hostGate) enter(ctx context.Context, host string) (leave func(), err error) {
	g.mu.Lock()
	h := g.hosts[host]
	if h == nil {
		if g.hosts == nil {
			g.hosts = make(map[string]*hostSlots)
		}
		h = &hostSlots{slots: make(chan struct{}, g.limit)}
		g.hosts[host] = h
	}
	h.users++
	g.mu.Unlock()

	forget := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(g.hosts, host)
		}
	}
	select {
	case h.slots <- struct{}{}:
		return func() {
			<-h.slots
			forget()
		}, nil
	case <-ctx.Done():
		forget()
		return nil, context.Cause(ctx)
	}
}
