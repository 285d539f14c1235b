package web

import (
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// maxClients is how many clients are remembered in each of two generations: a
// few megabytes, however many there are.
const maxClients = 10_000

// A limiter keeps a bucket of tokens for each client. Buckets live in two
// generations: when the young one is full it becomes the old one, and the old one
// is forgotten. So the memory is bounded, and whoever asks often is never
// forgotten for asking often. The nil limiter allows everything.
type limiter struct {
	rate, burst float64

	mu         sync.Mutex
	young, old map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// allow takes a token, or says after how many seconds there will be one.
func (l *limiter) allow(who string, now time.Time) (ok bool, wait int) {
	if l == nil {
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.young[who]
	if !known {
		if b, known = l.old[who]; !known {
			b = bucket{tokens: l.burst, at: now}
		}
	}
	if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.tokens = min(l.burst, b.tokens+gone*l.rate)
		b.at = now
	}
	if ok = b.tokens >= 1; ok {
		b.tokens--
	} else {
		wait = max(1, int(math.Ceil((1-b.tokens)/l.rate)))
	}
	if l.young == nil || len(l.young) >= maxClients {
		l.young, l.old = map[string]bucket{}, l.young
	}
	l.young[who] = b
	return ok, wait
}

// client is who is counted as one: the person whom a proxy names, an IPv4 address,
// or the /64 that a single IPv6 subscriber is given
// (https://www.rfc-editor.org/rfc/rfc6177).
func (s *site) client(r *http.Request) string {
	if s.Access == ByProxy {
		return clip(r.Header.Get(s.UserHeader), maxID)
	}
	a, _ := address(r.RemoteAddr)
	if len(s.Proxies) > 0 && s.believes(a) {
		// Each proxy adds, at the end, the address that it was asked from.
		said := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
		last := strings.TrimSpace(said[strings.LastIndexByte(said, ',')+1:])
		if b, err := netip.ParseAddr(last); err == nil {
			a = b.Unmap()
		}
	}
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64) // fails for bits out of range only
		return p.String()
	}
	return a.String()
}
