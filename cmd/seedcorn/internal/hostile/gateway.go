package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Operations of the gateway.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes
const (
	opDispatch  = 0
	opHeartbeat = 1
	opIdentify  = 2
	opResume    = 6
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
	opAck       = 11
)

// heartbeatEvery is the interval that the gateway asks for, in milliseconds.
const heartbeatEvery = 41_250

// A gateway is Discord's side of it: sessions, and what is sent in them.
type gateway struct {
	mu       sync.Mutex
	sessions map[string]*session
	n        int
	news     chan struct{}
	conns    []*line
}

// A session outlives its connections, so that it can be resumed.
type session struct {
	seq  int
	sent []frame
}

type frame struct {
	Op int    `json:"op"`
	D  any    `json:"d"`
	S  *int   `json:"s"`
	T  string `json:"t,omitempty"`
}

// A line is a connection that is ready.
type line struct {
	*wire
	session *session
}

func (g *gateway) init() { g.sessions, g.news = map[string]*session{}, make(chan struct{}) }

// next numbers an event of a session. The gateway is locked.
func (s *session) next(kind string, data any) frame {
	s.seq++
	n := s.seq
	f := frame{Op: opDispatch, D: data, S: &n, T: kind}
	s.sent = append(s.sent, f)
	return f
}

// connect is one connection: Hello, then Identify or Resume, then heartbeats and
// what [Discord.Dispatch] sends.
func (d *Discord) connect(rw http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(rw, r, nil)
	if err != nil {
		return // it has been answered
	}
	defer c.Close()
	ctx, cancel := d.until()
	defer cancel()
	context.AfterFunc(ctx, func() { _ = c.Close() })
	w := &wire{c: c}
	if w.write(frame{Op: opHello, D: map[string]any{"heartbeat_interval": heartbeatEvery}}) != nil {
		return
	}
	g := &d.gateway
	var ready *line
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.conns = slices.DeleteFunc(g.conns, func(l *line) bool { return l == ready })
	}()
	end := func(code int, why string) {
		_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
	}
	stand := func(s *session) {
		ready = &line{w, s}
		g.conns = append(g.conns, ready)
		close(g.news)
		g.news = make(chan struct{})
	}
	for {
		var in struct {
			Op int             `json:"op"`
			D  json.RawMessage `json:"d"`
		}
		if err := c.ReadJSON(&in); err != nil {
			return
		}
		var hail struct {
			Token   string `json:"token"`
			Session string `json:"session_id"`
			Seq     int    `json:"seq"`
		}
		_ = json.Unmarshal(in.D, &hail) // a heartbeat's is a number
		switch in.Op {
		case opHeartbeat:
			if w.write(frame{Op: opAck}) != nil {
				return
			}
		case opIdentify, opResume:
			d.mu.Lock()
			token := d.rules.Token
			d.mu.Unlock()
			if got := strings.TrimPrefix(hail.Token, "Bot "); ready != nil {
				end(4005, "Already authenticated.")
				return
			} else if token != "" && got != token {
				end(4004, "Authentication failed.")
				return
			}
			g.mu.Lock()
			var out []frame
			if s := g.sessions[hail.Session]; in.Op == opResume && s != nil && hail.Seq <= s.seq {
				out = append(slices.Clone(s.sent[hail.Seq:]), s.next("RESUMED", map[string]any{}))
				stand(s)
			} else if in.Op == opResume {
				out = []frame{{Op: opInvalid, D: false}}
			} else {
				g.n++
				id := fmt.Sprintf("session-%d", g.n)
				s := &session{}
				g.sessions[id] = s
				out = []frame{s.next("READY", map[string]any{
					"v": 10, "session_id": id, "resume_gateway_url": "ws" + strings.TrimSuffix(strings.TrimPrefix(d.URL, "http"), "/api/v10") + "/gateway",
					"user":   map[string]any{"id": discordUser, "username": "seedcorn", "discriminator": "0000", "global_name": nil, "avatar": nil, "bot": true, "flags": 0},
					"guilds": []any{}, "application": map[string]any{"id": discordApp, "flags": 0}, "shard": []int{0, 1},
				})}
				stand(s)
			}
			// Written under the lock, so that no event comes before READY.
			var err error
			for _, f := range out {
				err = errors.Join(err, w.write(f))
			}
			g.mu.Unlock()
			if err != nil {
				return
			}
		default:
			// Presence, voice and the like are of no interest here.
		}
	}
}

// Dispatch sends an event, such as INTERACTION_CREATE, to the newest connection,
// waiting for one if there is none. The error is ctx's, or the connection's.
func (d *Discord) Dispatch(ctx context.Context, kind string, data any) error {
	g := &d.gateway
	for {
		g.mu.Lock()
		if n := len(g.conns); n > 0 {
			l := g.conns[n-1]
			err := l.write(l.session.next(kind, data))
			g.mu.Unlock()
			if err != nil {
				return fmt.Errorf("dispatching %s: %w", kind, err)
			}
			return nil
		}
		news := g.news
		g.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for a connection: %w", ctx.Err())
		case <-d.closed:
			return errors.New("the platform is closed")
		}
	}
}

// Reconnect asks every connection to come again, as the gateway does every few
// hours.
func (d *Discord) Reconnect() {
	d.gateway.mu.Lock()
	conns := slices.Clone(d.gateway.conns)
	d.gateway.mu.Unlock()
	for _, l := range conns {
		_ = l.write(frame{Op: opReconnect}) // one that is gone will come by itself
	}
}
