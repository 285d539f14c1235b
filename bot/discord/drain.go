package discord

import (
	"sync"
	"time"
)

// A drain counts what is under way, so that ending waits for it. A WaitGroup cannot
// be waited for while others still begin.
type drain struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n is 0 again; nil while nobody waits
}

func (d *drain) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
}

func (d *drain) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n--; d.n == 0 && d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
}

// wait waits until nothing is under way, at most for as long as most.
func (d *drain) wait(most time.Duration) {
	d.mu.Lock()
	if d.n == 0 {
		d.mu.Unlock()
		return
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}
