package discord

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	"seedcorn/bot"
)

// Codes with which the gateway ends a connection for good.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
var fatalCodes = map[int]string{
	4004: "the token was refused",
	4010: "the shard is none",
	4011: "there are too many servers for so few shards",
	4012: "the version of the gateway is not served any more",
	4013: "the intents are none",
	4014: "the intents are not allowed to this application",
}

// codeTooFewShards is the one of them that more shards mend.
const codeTooFewShards = 4011

// freshCodes end a session, so that it cannot be resumed.
var freshCodes = map[int]bool{4003: true, 4007: true, 4009: true}

// codeZombie is how we end a connection that does not answer: not with 1000 or 1001,
// which would end the session, too.
const codeZombie = 4000

// Waiting between attempts to connect.
const (
	firstBackoff = time.Second
	lastBackoff  = 2 * time.Minute
	steady       = 20 * time.Second // a connection that held for this long was well
	// identifyEvery is how often a session may be begun, by each of the places that the
	// gateway gives. https://discord.com/developers/docs/events/gateway#sharding-max-concurrency
	identifyEvery = 5 * time.Second
	// ackGrace is how much longer than its interval a heartbeat's answer may take.
	ackGrace      = 10 * time.Second
	shutdownGrace = 5 * time.Second
)

// Run implements bot.Platform. It connects to the gateway in as many shards as the
// gateway recommends, those of them that are this process's by [Options.Roster], and
// hands on what people ask until ctx ends. A connection that breaks, falls silent or is
// told to reconnect is resumed or begun anew; the error is for what no attempt will
// mend, such as a token that was reset. With HTTPOnly it only waits, for the answers
// that [Adapter.Handler] began, too.
func (a *Adapter) Run(ctx context.Context, h bot.Handler) error {
	defer a.answers.wait(shutdownGrace)
	if a.opt.HTTPOnly {
		<-ctx.Done()
		return nil
	}
	return newFleet(a, h).run(ctx)
}

// A gatewayInfo is where and how to connect.
// https://discord.com/developers/docs/events/gateway#get-gateway-bot
type gatewayInfo struct {
	URL    string `json:"url"`
	Shards int    `json:"shards"`
	Limit  struct {
		Remaining      int   `json:"remaining"`
		ResetAfter     int64 `json:"reset_after"` // milliseconds
		MaxConcurrency int   `json:"max_concurrency"`
	} `json:"session_start_limit"`
}

// maxShards is more than any bot that processes on one database serve.
const maxShards = 512

// sessionsKept are left of the day's: with one too many begun, Discord resets the token.
// Several processes may look at the same number.
// https://discord.com/developers/docs/events/gateway#session-start-limit-object
const sessionsKept = 5

// gateway asks where to connect until it is told, or refused for good.
func (a *Adapter) gateway(ctx context.Context) (gatewayInfo, error) {
	wait := firstBackoff
	for {
		out := a.do(ctx, call{method: http.MethodGet, path: "/gateway/bot", bucket: "/gateway/bot"})
		var info gatewayInfo
		switch {
		case ctx.Err() != nil:
			return gatewayInfo{}, nil
		case out.status == http.StatusUnauthorized:
			return gatewayInfo{}, fmt.Errorf("asking for the gateway: %s: %w", fatalCodes[4004], out.failure())
		case out.ok() && json.Unmarshal(out.body, &info) == nil && (strings.HasPrefix(info.URL, "wss://") || strings.HasPrefix(info.URL, "ws://")):
			info.Shards, info.Limit.MaxConcurrency = min(max(1, info.Shards), maxShards), max(1, info.Limit.MaxConcurrency)
			if info.Limit.Remaining <= sessionsKept && info.Limit.ResetAfter > 0 {
				pause := time.Duration(info.Limit.ResetAfter) * time.Millisecond
				a.log.Warn("no session may be begun for a while", "again_in", pause)
				if sleep(ctx, min(pause, maxWait)) != nil {
					return gatewayInfo{}, nil
				}
				continue
			}
			return info, nil
		}
		a.log.Warn("asking for the gateway", "error", cmpErr(out.failure(), errors.New("no gateway in the answer")), "again_in", wait)
		if sleep(ctx, max(wait, out.wait)) != nil {
			return gatewayInfo{}, nil
		}
		wait = min(2*wait, lastBackoff)
	}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// A shard is one connection to the gateway, over all its lives.
type shard struct {
	adapter   *Adapter
	fleet     *fleet
	id, count int
	url       string
	// work is what answers go on under: longer than the connection.
	work context.Context
}

// A line is one discordgo session with the connection below it.
type line struct {
	session *discordgo.Session
	mu      sync.Mutex
	conn    *tap
	down    chan struct{} // receives when discordgo gave the connection up
	resumes bool          // it was ready once
}

func (l *line) tap() *tap {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn
}

// run keeps a shard connected until ctx ends or the gateway refuses it for good.
func (s *shard) run(ctx context.Context) error {
	var l *line
	wait := firstBackoff
	for ctx.Err() == nil {
		begun := func() {}
		if l == nil {
			var err error
			if s.url, begun, err = s.fleet.turn(ctx, s.id); ctx.Err() != nil {
				break
			} else if err != nil {
				return err
			}
			if l, err = s.newLine(); err != nil {
				begun()
				return err
			}
		}
		began := time.Now()
		err := s.open(ctx, l)
		begun()
		if err == nil {
			s.adapter.log.Info("gateway ready", "shard", s.id, "resumed", l.resumes)
			l.resumes = true
			err = s.watch(ctx, l)
		} else {
			l.resumes = false // a session that cannot be opened is not kept
		}
		code := codeOf(err, l)
		if ctx.Err() != nil {
			break
		}
		if why, fatal := fatalCodes[code]; fatal {
			s.hangUp(l, 0)
			return &closedForGood{code, fmt.Errorf("gateway closed with %d, %s%s", code, why, s.adapter.whoAmI(ctx))}
		}
		if t := l.tap(); !l.resumes || freshCodes[code] || t != nil && t.invalid.Load() {
			// What cannot be resumed is dropped whole, discordgo's session included.
			s.hangUp(l, 0)
			l = nil
		}
		// A little chance keeps many bots from coming back at once. What held for a while
		// is resumed at once, so that what was asked meanwhile is still answered in time.
		pause := wait/2 + rand.N(wait/2+1)
		if time.Since(began) > steady {
			wait, pause = firstBackoff, rand.N(firstBackoff/4)
		} else {
			wait = min(2*wait, lastBackoff)
		}
		s.adapter.log.Warn("gateway connection lost", "shard", s.id, "code", code, "error", err, "resume", l != nil, "again_in", pause)
		if sleep(ctx, pause) != nil {
			break
		}
	}
	if l != nil {
		s.hangUp(l, websocket.CloseNormalClosure)
	}
	return nil
}

// closedForGood is the error of a gateway that takes us no more.
type closedForGood struct {
	code int
	error
}

func (e *closedForGood) Unwrap() error { return e.error }

// codeOf is the code that a connection was closed with, 0 if none is known.
func codeOf(err error, l *line) int {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	if t := l.tap(); t != nil {
		return int(t.code.Load())
	}
	return 0
}

// whoAmI asks REST about the token, for the message that ends the program.
func (a *Adapter) whoAmI(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, a.opt.Timeout)
	defer cancel()
	out := a.do(ctx, call{method: http.MethodGet, path: "/users/@me", bucket: "/users/@me"})
	switch {
	case out.status == http.StatusUnauthorized:
		return "; REST does not know the token either: set a new one"
	case out.ok():
		return "; REST still knows the token"
	}
	return ""
}

// newLine makes a session of its own, with nothing of an earlier one.
func (s *shard) newLine() (*line, error) {
	session, err := s.adapter.newSession()
	if err != nil {
		return nil, err
	}
	l := &line{session: session, down: make(chan struct{}, 1)}
	session.ShardID, session.ShardCount = s.id, s.count
	if s.count > 1 {
		session.Identify.Shard = &[2]int{s.id, s.count}
	}
	session.Client = &http.Client{Transport: gatewayAnswer(s.url)}
	session.Dialer = s.dialer(l)
	session.AddHandler(func(_ *discordgo.Session, e *discordgo.Event) {
		if e.Type != "INTERACTION_CREATE" {
			return
		}
		s.adapter.answers.begin()
		defer s.adapter.answers.end()
		s.adapter.receive(s.work, s.fleet.handler, e.RawData)
	})
	session.AddHandler(func(*discordgo.Session, *discordgo.Disconnect) {
		select {
		case l.down <- struct{}{}:
		default:
		}
	})
	return l, nil
}

// gatewayAnswer is the answer to the one request that discordgo makes by itself when
// it connects. It was asked already, under our limits and below our base.
type gatewayAnswer string

func (g gatewayAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := encode(map[string]string{"url": string(g)})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r,
	}, nil
}

// dialer connects with a tap on the line.
func (s *shard) dialer(l *line) *websocket.Dialer {
	d := &websocket.Dialer{HandshakeTimeout: s.adapter.opt.OpenTimeout}
	u, err := url.Parse(s.url)
	secure := err != nil || u.Scheme != "ws"
	keep := func(c net.Conn, encrypted bool) net.Conn {
		t := newTap(c, encrypted)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conn = t
		return t
	}
	raw := &net.Dialer{Timeout: 10 * time.Second}
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := raw.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return keep(c, secure), nil
	}
	if !secure || err != nil {
		return d
	}
	if p, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: u.Host}}); err != nil || p != nil {
		// Through a proxy the tap is below the encryption: it can hang up, not listen.
		d.Proxy = http.ProxyFromEnvironment
		return d
	}
	d.NetDialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&tls.Dialer{NetDialer: raw, Config: &tls.Config{NextProtos: []string{"http/1.1"}, RootCAs: s.adapter.opt.roots}}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return keep(c, false), nil
	}
	return d
}

// open connects and waits until the session is ready, no longer than the deadline. A
// gateway that accepts and says nothing would hold discordgo for ever: its
// connection is cut.
func (s *shard) open(ctx context.Context, l *line) error {
	select {
	case <-l.down: // of the connection before
	default:
	}
	done := make(chan error, 1)
	go func() { done <- l.session.Open() }()
	deadline := time.NewTimer(s.adapter.opt.OpenTimeout)
	defer deadline.Stop()
	var why error
	select {
	case err := <-done:
		if t := l.tap(); t != nil {
			t.opening.Store(false)
		}
		if err != nil {
			return fmt.Errorf("opening the gateway: %w", err)
		}
		return nil
	case <-deadline.C:
		why = errors.New("opening the gateway: it did not become ready in time")
	case <-ctx.Done():
		why = ctx.Err()
	}
	if t := l.tap(); t != nil {
		_ = t.Close()
	}
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return why
}

// watch returns when the connection of an open line is lost: closed by the other
// side, given up by discordgo, or silent for longer than heartbeats allow.
// https://discord.com/developers/docs/events/gateway#sending-heartbeats
func (s *shard) watch(ctx context.Context, l *line) error {
	t := l.tap()
	every := time.Second
	limit := time.Duration(0)
	if t != nil {
		if interval := time.Duration(t.interval.Load()); interval > 0 {
			limit = interval + min(ackGrace, 2*interval)
			every = min(every, max(interval/4, time.Millisecond))
		}
	}
	if limit == 0 {
		limit = 60 * time.Second // Discord's interval is 41.25 s
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.down:
			return errors.New("the gateway closed the connection")
		case <-tick.C:
		}
		l.session.RLock()
		last := l.session.LastHeartbeatAck
		l.session.RUnlock()
		if silent := time.Since(last); silent > limit {
			s.hangUp(l, codeZombie)
			return fmt.Errorf("heartbeats were not acknowledged for %s", silent.Round(time.Millisecond))
		}
	}
}

// hangUp ends a line's connection. With a code it is closed by the protocol first;
// discordgo holds its lock while it does, so the wait for that is bounded.
func (s *shard) hangUp(l *line, code int) {
	if code != 0 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = l.session.CloseWithCode(code)
		}()
		select {
		case <-done:
		case <-time.After(3 * time.Second):
		}
	}
	if t := l.tap(); t != nil {
		_ = t.Close()
	}
}
