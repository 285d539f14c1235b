package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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

// heartbeatEvery is the interval that the gateway asks for.
const heartbeatEvery = 41_250 * time.Millisecond

// A gateway is Discord's side of it: sessions, and what is sent in them.
type gateway struct {
	mu       sync.Mutex
	sessions map[string]*session
	n        int
	news     chan struct{}
	conns    []*line
	begun    map[int]time.Time // the last session of each place of max_concurrency
	count    Sessions
	mute     bool
}

// Sessions are how often connections were begun.
type Sessions struct {
	Begun, Resumed int
	Hasty          int // identified before their turn, and refused
}

// A session outlives its connections, so that it can be resumed.
type session struct {
	seq    int
	sent   []frame
	shard  [2]int // which of how many
	closed bool   // by its client, for good
}

// hears reports whether a session is sent what happens in a server; what happens
// elsewhere goes to shard 0. https://discord.com/developers/docs/events/gateway#sharding
func (s *session) hears(guild string) bool {
	id, _ := strconv.ParseUint(guild, 10, 64)
	return int(id>>22%uint64(s.shard[1])) == s.shard[0]
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

func (g *gateway) init() {
	g.sessions, g.begun, g.news = map[string]*session{}, map[int]time.Time{}, make(chan struct{})
}

// hasty reports whether a session may not be begun yet, and notes it otherwise. The
// gateway is locked. https://discord.com/developers/docs/events/gateway#sharding-max-concurrency
func (g *gateway) hasty(shard, places int, second time.Duration) bool {
	now, place := time.Now(), shard%places
	if second > 0 && now.Sub(g.begun[place]) < discordIdentify*second {
		g.count.Hasty++
		return true
	}
	g.begun[place] = now
	g.count.Begun++
	return false
}

// Sessions are how often connections were begun so far.
func (d *Discord) Sessions() Sessions {
	d.gateway.mu.Lock()
	defer d.gateway.mu.Unlock()
	return d.gateway.count
}

// Shards are those that are connected, as "1 of 4", one for each connection.
func (d *Discord) Shards() (out []string) {
	d.gateway.mu.Lock()
	defer d.gateway.mu.Unlock()
	for _, l := range d.gateway.conns {
		out = append(out, fmt.Sprintf("%d of %d", l.session.shard[0], l.session.shard[1]))
	}
	slices.Sort(out)
	return out
}

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
	d.mu.Lock()
	rules := d.rules
	d.mu.Unlock()
	if w.write(frame{Op: opHello, D: map[string]any{"heartbeat_interval": rules.heartbeat().Milliseconds()}}) != nil {
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
		g.conns = slices.DeleteFunc(g.conns, func(l *line) bool { return l.session == s }) // it has one at a time
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
			// Closed with one of these, a session cannot be resumed.
			// https://discord.com/developers/docs/events/gateway#disconnecting
			if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) && ready != nil {
				g.mu.Lock()
				ready.session.closed = true
				g.mu.Unlock()
			}
			return
		}
		var hail struct {
			Token   string  `json:"token"`
			Session string  `json:"session_id"`
			Seq     int     `json:"seq"`
			Shard   *[2]int `json:"shard"`
		}
		_ = json.Unmarshal(in.D, &hail) // a heartbeat's is a number
		switch in.Op {
		case opHeartbeat:
			g.mu.Lock()
			mute := g.mute
			g.mu.Unlock()
			if !mute && w.write(frame{Op: opAck}) != nil {
				return
			}
		case opIdentify, opResume:
			d.mu.Lock()
			rules := d.rules
			d.mu.Unlock()
			shard := [2]int{0, 1}
			if hail.Shard != nil {
				shard = *hail.Shard
			}
			switch got := strings.TrimPrefix(hail.Token, "Bot "); {
			case ready != nil:
				end(4005, "Already authenticated.")
				return
			case rules.Token != "" && got != rules.Token:
				end(4004, "Authentication failed.")
				return
			case in.Op == opIdentify && (shard[0] < 0 || shard[0] >= shard[1]):
				end(4010, "Invalid shard.")
				return
			case in.Op == opIdentify && shard[1] < rules.Least:
				end(4011, "Sharding required.")
				return
			}
			g.mu.Lock()
			var out []frame
			if s := g.sessions[hail.Session]; in.Op == opResume && s != nil && !s.closed && hail.Seq <= s.seq {
				out = append(slices.Clone(s.sent[hail.Seq:]), s.next("RESUMED", map[string]any{}))
				g.count.Resumed++
				stand(s)
			} else if in.Op == opResume || g.hasty(shard[0], rules.places(), rules.second()) {
				out = []frame{{Op: opInvalid, D: false}}
			} else {
				g.n++
				id := fmt.Sprintf("session-%d", g.n)
				s := &session{shard: shard}
				g.sessions[id] = s
				out = []frame{s.next("READY", map[string]any{
					"v": 10, "session_id": id, "resume_gateway_url": "ws" + strings.TrimSuffix(strings.TrimPrefix(d.URL, "http"), "/api/v10") + "/gateway",
					"user":   map[string]any{"id": discordUser, "username": "seedcorn", "discriminator": "0000", "global_name": nil, "avatar": nil, "bot": true, "flags": 0},
					"guilds": []any{}, "application": map[string]any{"id": discordApp, "flags": 0}, "shard": shard,
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

// Dispatch sends an event, such as INTERACTION_CREATE, to every connection of the shard
// that it is for, waiting for one if there is none. The error is ctx's, or the
// connection's.
func (d *Discord) Dispatch(ctx context.Context, kind string, data map[string]any) error {
	g := &d.gateway
	for {
		g.mu.Lock()
		sent, err := 0, error(nil)
		for _, l := range g.conns {
			if l.session.hears(str(data, "guild_id")) {
				sent++
				err = errors.Join(err, l.write(l.session.next(kind, data)))
			}
		}
		news := g.news
		g.mu.Unlock()
		if err != nil {
			return fmt.Errorf("dispatching %s: %w", kind, err)
		}
		if sent > 0 {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for a connection: %w", ctx.Err())
		case <-d.closed:
			return errors.New("the platform is closed")
		}
	}
}

// Keep puts an event into the sessions that it is for and that are not connected, so
// that they are sent it when they are resumed. It returns how many those are.
func (d *Discord) Keep(kind string, data map[string]any) (n int) {
	g := &d.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sessions {
		if !s.closed && s.hears(str(data, "guild_id")) && !slices.ContainsFunc(g.conns, func(l *line) bool { return l.session == s }) {
			s.next(kind, data)
			n++
		}
	}
	return n
}

// Cut cuts every connection without a word; the sessions may be resumed.
func (d *Discord) Cut() {
	d.gateway.mu.Lock()
	defer d.gateway.mu.Unlock()
	for _, l := range d.gateway.conns {
		_ = l.c.Close()
	}
	d.gateway.conns = nil
}

// Mute says whether heartbeats are left without an answer.
func (d *Discord) Mute(on bool) {
	d.gateway.mu.Lock()
	defer d.gateway.mu.Unlock()
	d.gateway.mute = on
}

// Forget makes every session one that cannot be resumed.
func (d *Discord) Forget() {
	d.gateway.mu.Lock()
	defer d.gateway.mu.Unlock()
	clear(d.gateway.sessions)
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
