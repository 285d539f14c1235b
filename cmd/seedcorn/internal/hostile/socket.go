package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A socket is Slack's side of Socket Mode, with one connection or more.
type socket struct {
	mu    sync.Mutex
	conns []*wire
	acks  map[string]chan json.RawMessage
	n     int
	news  chan struct{} // closed and made anew when a connection comes
}

func (s *socket) init() { s.acks, s.news = map[string]chan json.RawMessage{}, make(chan struct{}) }

// A wire is one web socket.
type wire struct {
	c  *websocket.Conn
	mu sync.Mutex // of writing
}

func (w *wire) write(v any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return w.c.WriteJSON(v)
}

func (w *wire) ping() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c.WriteControl(websocket.PingMessage, nil, time.Now().Add(5*time.Second))
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

// pingEvery is how often Slack pings: clients that hear nothing for half a minute
// connect again.
const pingEvery = 5 * time.Second

// link is one connection of Socket Mode
// (https://docs.slack.dev/apis/events-api/using-socket-mode).
func (s *Slack) link(rw http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(rw, r, nil)
	if err != nil {
		return // it has been answered
	}
	w := &wire{c: c}
	defer c.Close()
	if w.write(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A1"}, "debug_info": map[string]any{"host": "loopback"}}) != nil {
		return
	}
	k := &s.socket
	k.mu.Lock()
	k.conns = append(k.conns, w)
	close(k.news)
	k.news = make(chan struct{})
	k.mu.Unlock()
	ctx, cancel := s.until()
	defer cancel()
	go func() {
		tick := time.NewTicker(pingEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = w.ping()
			case <-ctx.Done():
				_ = c.Close()
				return
			}
		}
	}()
	for {
		var ack struct {
			ID      string          `json:"envelope_id"`
			Payload json.RawMessage `json:"payload"`
		}
		if err := c.ReadJSON(&ack); err != nil {
			break
		}
		k.mu.Lock()
		if ch := k.acks[ack.ID]; ch != nil {
			ch <- ack.Payload
			delete(k.acks, ack.ID)
		}
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, o := range k.conns {
		if o == w {
			k.conns = append(k.conns[:i], k.conns[i+1:]...)
			break
		}
	}
}

// Ask sends an envelope of a kind ("slash_commands", "interactive", "events_api")
// over Socket Mode, waiting for a connection if there is none, and returns what it
// was acknowledged with. The error is ctx's, or the connection's.
func (s *Slack) Ask(ctx context.Context, kind string, payload any) (json.RawMessage, error) {
	k := &s.socket
	for {
		k.mu.Lock()
		if len(k.conns) == 0 {
			news := k.news
			k.mu.Unlock()
			select {
			case <-news:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("waiting for a connection: %w", ctx.Err())
			case <-s.closed:
				return nil, errors.New("the platform is closed")
			}
		}
		w := k.conns[len(k.conns)-1]
		k.n++
		id := fmt.Sprintf("envelope-%d", k.n)
		ch := make(chan json.RawMessage, 1)
		k.acks[id] = ch
		k.mu.Unlock()
		if err := w.write(map[string]any{"envelope_id": id, "type": kind, "accepts_response_payload": true, "payload": payload}); err != nil {
			return nil, fmt.Errorf("sending an envelope: %w", err)
		}
		select {
		case ack := <-ch:
			return ack, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for an acknowledgment: %w", ctx.Err())
		case <-s.closed:
			return nil, errors.New("the platform is closed")
		}
	}
}
