package discord

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"seedcorn/bot"
)

// A wire is one connection to the fake gateway.
type wire struct {
	t       *testing.T
	c       *websocket.Conn
	mu      sync.Mutex
	n       int      // of this connection, from 0
	ops     chan int // what the client sent, heartbeats left out
	payload chan json.RawMessage
	silent  bool // heartbeats are not acknowledged
	seq     int
}

func (w *wire) send(v any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.c.WriteJSON(v)
}

func (w *wire) close(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, "as you wish"))
	_ = w.c.Close()
}

func (w *wire) hello() {
	w.send(map[string]any{"op": 10, "d": map[string]any{"heartbeat_interval": 100}})
}

func (w *wire) dispatch(name string, d any) {
	w.seq++
	w.send(map[string]any{"op": 0, "t": name, "s": w.seq, "d": d})
}

// expect waits for an operation of the client; ok is false if the connection ended.
func (w *wire) expect(op int) (json.RawMessage, bool) {
	select {
	case got, ok := <-w.ops:
		if !ok {
			return nil, false
		}
		d := <-w.payload
		if got != op {
			w.t.Errorf("connection %d: the client sent op %d, want %d", w.n, got, op)
		}
		return d, got == op
	case <-time.After(30 * time.Second):
		w.t.Errorf("connection %d: no op %d", w.n, op)
		return nil, false
	}
}

func (w *wire) expects(op int) bool {
	_, ok := w.expect(op)
	return ok
}

// ready takes the connection through Identify.
func (w *wire) ready() bool {
	w.hello()
	d, ok := w.expect(2)
	if !ok {
		return false
	}
	var id struct {
		Token   string
		Intents *int
		Shard   *[2]int
	}
	if json.Unmarshal(d, &id) != nil || id.Token != "Bot token-of-a-test" && id.Token != "token-of-a-test" || id.Intents == nil || *id.Intents != 0 {
		w.t.Errorf("identified with %s", d)
	}
	w.dispatch("READY", map[string]any{"v": 10, "session_id": fmt.Sprint("s", w.n), "user": map[string]any{"id": botID}, "guilds": []any{map[string]any{"id": guild, "unavailable": true}}})
	return true
}

// idle serves until the client is gone.
func (w *wire) idle() {
	for range w.ops {
		<-w.payload
	}
}

// newGateway adds a gateway to a fake; play is what it does with each connection.
func newGateway(t *testing.T, f *fake, shards int, play func(w *wire)) *httptest.Server {
	return startGateway(t, f, shards, play, (*httptest.Server).Start)
}

func startGateway(t *testing.T, f *fake, shards int, play func(w *wire), start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	n := 0
	up := websocket.Upgrader{}
	var all drain
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("v") != apiVersion || r.URL.Query().Get("encoding") != "json" {
			t.Errorf("connected to %s", r.URL)
		}
		c, err := up.Upgrade(rw, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		mu.Lock()
		w := &wire{t: t, c: c, n: n, ops: make(chan int, 10), payload: make(chan json.RawMessage, 10)}
		n++
		mu.Unlock()
		all.begin()
		go func() {
			defer all.end()
			defer close(w.ops)
			for {
				var m struct {
					Op int             `json:"op"`
					D  json.RawMessage `json:"d"`
				}
				if c.ReadJSON(&m) != nil {
					return
				}
				if m.Op == 1 {
					w.mu.Lock()
					silent := w.silent
					w.mu.Unlock()
					if !silent {
						w.send(map[string]any{"op": 11})
					}
					continue
				}
				w.ops <- m.Op
				w.payload <- m.D
			}
		}()
		play(w)
		_ = c.Close()
	}))
	start(srv)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		all.wait(5 * time.Second)
	})
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/gateway/bot") {
			return false
		}
		_, _ = w.Write(mustJSON(map[string]any{"url": "ws" + strings.TrimPrefix(srv.URL, "http"), "shards": shards, "session_start_limit": map[string]any{"total": 1000, "remaining": 1000, "reset_after": 1000, "max_concurrency": 16}}))
		return true
	}
	return srv
}

// running runs an adapter until the test is over, and gives what Run returned.
func running(t *testing.T, a *Adapter, h bot.Handler) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, h) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			select {
			case err = <-done:
			case <-time.After(30 * time.Second):
				t.Error("Run does not end")
			}
		})
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// What people ask over the gateway is answered, in every shard.
func TestGateway(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	newGateway(t, f, 2, func(w *wire) {
		if w.ready() {
			w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(2, chat("topics"), map[string]any{"id": fmt.Sprint(700 + w.n), "token": fmt.Sprint("t", w.n)})))
			// What is no interaction, or broken, is passed over.
			w.dispatch("MESSAGE_CREATE", map[string]any{"id": "1", "content": "x", "author": map[string]any{"id": "2"}})
			w.dispatch("INTERACTION_CREATE", map[string]any{"id": "x"})
			w.dispatch("SOMETHING_NEW", map[string]any{"a": 1})
			// A form in labels, which discordgo cannot read.
			w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(5, map[string]any{"custom_id": "f:correct", "components": []any{map[string]any{"type": 18, "component": map[string]any{"type": 4, "custom_id": "work", "value": "w7"}}}}, map[string]any{"id": fmt.Sprint(800 + w.n), "token": fmt.Sprint("f", w.n)})))
		}
		w.idle()
	})
	h := &desk{}
	a := f.adapter(t, Options{identifyEvery: 10 * time.Millisecond})
	stop := running(t, a, h)
	eventually(t, "an answer to each", func() bool { return f.count(http.MethodPost, "/callback") == 4 })
	got := map[string]bool{}
	for _, r := range f.all() {
		if strings.HasSuffix(r.path, "/callback") {
			got[r.path] = true
			if !strings.Contains(string(r.body), `"type":4`) {
				t.Errorf("answered with %s", r.body)
			}
		}
	}
	for _, p := range []string{"/interactions/700/t0/callback", "/interactions/701/t1/callback", "/interactions/800/f0/callback", "/interactions/801/f1/callback"} {
		if !got[p] {
			t.Errorf("%s was not answered", p)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Encrypted, as the real one is; a certificate that is not trusted is not.
func TestGatewayTLS(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	srv := startGateway(t, f, 1, func(w *wire) {
		if w.ready() {
			w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(2, chat("topics"), map[string]any{"id": "700"})))
			time.Sleep(100 * time.Millisecond)
			w.close(4004)
		}
	}, (*httptest.Server).StartTLS)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	a := f.adapter(t, Options{identifyEvery: 10 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := a.Run(ctx, &desk{}); err != nil || f.count(http.MethodPost, "/callback") > 0 {
		t.Errorf("with a certificate that is not trusted: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	a = f.adapter(t, Options{identifyEvery: 10 * time.Millisecond, roots: pool})
	if err := a.Run(t.Context(), &desk{}); err == nil || !strings.Contains(err.Error(), "4004") || f.count(http.MethodPost, "/callback") != 1 {
		t.Errorf("ended with %v after %d answers", err, f.count(http.MethodPost, "/callback"))
	}
}

// What discordgo does behind our back, and the test that holds our way around it:
//
//	never Hello: Open hangs, holding its lock         TestGatewayNeverHello
//	op 7 in place of RESUMED: it locks up             TestGatewayReconnect
//	close 4004 while running: it reconnects for ever  TestGatewayFatal
//	no heartbeat acknowledged: noticed after 206 s    TestGatewayZombie
//	op 9: an invalid session                          TestGatewayInvalidSession
//	429: it sleeps whatever the context says          TestBuckets
//	429 without an end, or in HTML: it goes on        TestPostFates (one request each), TestBreaker
//	500, 503: it repeats them                         TestPostFates (one request each)
//	buckets of interaction tokens are never freed     TestAnswersLeaveNoBuckets
//	no nonce, no enforce_nonce                        TestPost, TestNonce
//	signatures of any age                             TestHTTP

// A gateway that accepts and never says Hello is left after a while, not waited for
// for ever.
func TestGatewayNeverHello(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ready := make(chan int, 10)
	newGateway(t, f, 1, func(w *wire) {
		if w.n == 0 {
			w.idle()
			return
		}
		if w.ready() {
			ready <- w.n
		}
		w.idle()
	})
	running(t, f.adapter(t, Options{OpenTimeout: 300 * time.Millisecond, identifyEvery: 10 * time.Millisecond}), &desk{})
	select {
	case <-ready:
	case <-time.After(15 * time.Second):
		t.Error("never connected again")
	}
}

// Told to reconnect, a session is resumed, and what was asked in between is answered.
// Told so in place of RESUMED, on which discordgo locks up, it is begun anew.
func TestGatewayReconnect(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	resumed, fresh := make(chan int, 10), make(chan int, 10)
	newGateway(t, f, 1, func(w *wire) {
		switch w.n {
		case 0:
			if w.ready() {
				w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(2, chat("topics"), map[string]any{"id": "701"})))
				time.Sleep(50 * time.Millisecond)
				w.send(map[string]any{"op": 7})
			}
		case 1:
			w.hello()
			d, ok := w.expect(6)
			if !ok {
				break
			}
			if !strings.Contains(string(d), `"session_id":"s0"`) {
				t.Errorf("resumed with %s", d)
			}
			w.seq = 2
			w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(2, chat("topics"), map[string]any{"id": "702"})))
			w.dispatch("RESUMED", map[string]any{})
			resumed <- w.n
			time.Sleep(50 * time.Millisecond)
			w.send(map[string]any{"op": 7})
		case 2:
			w.hello()
			if _, ok := w.expect(6); ok {
				w.send(map[string]any{"op": 7})
			}
		default:
			if w.ready() {
				fresh <- w.n
				w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(2, chat("topics"), map[string]any{"id": "703"})))
			}
		}
		w.idle()
	})
	running(t, f.adapter(t, Options{OpenTimeout: 5 * time.Second, identifyEvery: 10 * time.Millisecond}), &desk{})
	for name, c := range map[string]chan int{"resumed": resumed, "begun anew": fresh} {
		select {
		case <-c:
		case <-time.After(20 * time.Second):
			t.Fatalf("not %s", name)
		}
	}
	eventually(t, "an answer to each", func() bool {
		return f.count(http.MethodPost, "/701/") == 1 && f.count(http.MethodPost, "/702/") == 1 && f.count(http.MethodPost, "/703/") == 1
	})
}

// An invalid session is identified anew, in its turn: not at once on the same
// connection, as discordgo would, again and again.
func TestGatewayInvalidSession(t *testing.T) {
	invalid := func(w *wire, resumable bool) { w.send(map[string]any{"op": 9, "d": resumable}) }
	for _, tt := range []struct {
		name  string
		lives []func(w *wire) // of a connection after the other; then it is ready and asks
	}{
		{"before its turn", []func(w *wire){func(w *wire) {
			if w.hello(); w.expects(2) {
				invalid(w, false)
			}
		}}},
		{"not to be resumed", []func(w *wire){func(w *wire) {
			if w.ready() {
				time.Sleep(50 * time.Millisecond)
				w.close(4000)
			}
		}, func(w *wire) {
			if w.hello(); w.expects(6) {
				invalid(w, false)
			}
		}}},
		{"while it runs", []func(w *wire){func(w *wire) {
			if w.ready() {
				time.Sleep(50 * time.Millisecond)
				invalid(w, false)
			}
		}}},
		{"while it runs, to be resumed", []func(w *wire){func(w *wire) {
			if w.ready() {
				time.Sleep(50 * time.Millisecond)
				invalid(w, true)
			}
		}, func(w *wire) {
			if w.hello(); w.expects(6) {
				w.dispatch("RESUMED", map[string]any{})
				time.Sleep(50 * time.Millisecond)
				invalid(w, false)
			}
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			newGateway(t, f, 1, func(w *wire) {
				if w.n < len(tt.lives) {
					tt.lives[w.n](w)
				} else if w.ready() {
					w.dispatch("INTERACTION_CREATE", json.RawMessage(raw(2, chat("topics"), map[string]any{"id": "709"})))
				}
				w.idle()
			})
			running(t, f.adapter(t, Options{identifyEvery: 10 * time.Millisecond}), &desk{})
			eventually(t, "an answer", func() bool { return f.count(http.MethodPost, "/709/") == 1 })
		})
	}
}

// With the day's sessions used up but for a few, none is begun: one too many, and the
// token would be reset.
func TestGatewayBudget(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var asked atomic.Int32
	connected := make(chan int32, 10)
	srv := newGateway(t, f, 1, func(w *wire) {
		connected <- asked.Load()
		w.ready()
		w.idle()
	})
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/gateway/bot") {
			return false
		}
		left := sessionsKept
		if asked.Add(1) > 2 {
			left = sessionsKept + 1
		}
		_, _ = w.Write(mustJSON(map[string]any{"url": "ws" + strings.TrimPrefix(srv.URL, "http"), "shards": 1, "session_start_limit": map[string]any{"total": 1000, "remaining": left, "reset_after": 50, "max_concurrency": 1}}))
		return true
	}
	running(t, f.adapter(t, Options{identifyEvery: 10 * time.Millisecond}), &desk{})
	select {
	case n := <-connected:
		if n < 3 {
			t.Errorf("connected after Discord was asked %d times", n)
		}
	case <-time.After(time.Minute):
		t.Fatal("never connected")
	}
}

// A connection whose heartbeats are not acknowledged is dead, however open it is.
func TestGatewayZombie(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	again := make(chan int, 10)
	newGateway(t, f, 1, func(w *wire) {
		if w.n == 0 {
			w.mu.Lock()
			w.silent = true
			w.mu.Unlock()
			w.ready()
			w.idle()
			return
		}
		w.hello()
		if _, ok := w.expect(6); ok {
			w.dispatch("RESUMED", map[string]any{})
			again <- w.n
		}
		w.idle()
	})
	running(t, f.adapter(t, Options{identifyEvery: 10 * time.Millisecond}), &desk{})
	select {
	case <-again:
	case <-time.After(15 * time.Second):
		t.Error("a zombie was kept")
	}
}

// Close codes that no attempt will mend end Run with an error, at the beginning and
// while running; the others do not.
func TestGatewayFatal(t *testing.T) {
	for _, tt := range []struct {
		code    int
		running bool
		want    string
	}{
		{4004, false, "the token was refused"}, {4004, true, "the token was refused"}, {4014, false, "intents are not allowed"}, {4011, true, "too many servers"}, {4013, false, "intents are none"},
	} {
		t.Run(fmt.Sprint(tt.code, tt.running), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			var mu sync.Mutex
			n := 0
			newGateway(t, f, 1, func(w *wire) {
				mu.Lock()
				n++
				mu.Unlock()
				if tt.running && w.n == 0 {
					w.ready()
					time.Sleep(100 * time.Millisecond)
				} else {
					w.hello()
					w.expect(2)
				}
				w.close(tt.code)
			})
			a := f.adapter(t, Options{identifyEvery: 10 * time.Millisecond})
			done := make(chan error, 1)
			go func() { done <- a.Run(t.Context(), &desk{}) }()
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), fmt.Sprint(tt.code)) {
					t.Errorf("ended with %v", err)
				}
			case <-time.After(15 * time.Second):
				t.Fatal("goes on for ever")
			}
			mu.Lock()
			defer mu.Unlock()
			if n != 1 {
				t.Errorf("connected %d times", n)
			}
		})
	}
}

// A token that REST does not know ends Run before anything is connected; trouble with
// the network does not.
func TestGatewayRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		refuse(w, 401, 0, "401: Unauthorized")
		return true
	}
	if err := f.adapter(t, Options{}).Run(t.Context(), &desk{}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("ended with %v", err)
	}
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		w.WriteHeader(503)
		return true
	}
	stop := running(t, f.adapter(t, Options{identifyEvery: 10 * time.Millisecond}), &desk{})
	eventually(t, "a second try", func() bool { return f.count(http.MethodGet, "/gateway/bot") >= 3 })
	if err := stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// FuzzTap: whatever a gateway sends, and however it is cut, the tap neither fails nor
// keeps it all.
func FuzzTap(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 x\r\n\r\n\x81\x0b{\"op\":10  }\x88\x02\x0f\xa4"), 3)
	f.Add([]byte("HTTP/1.1 101 x\r\n\r\n\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xffabc"), 1)
	f.Add([]byte("HTTP/1.1 101 x\r\n\r\n\x81\x7e\x00\x02{}\x81\x09{\"op\":7}"), 100)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		x := newTap(nil, false)
		step = max(1, step)
		for at := 0; at < len(b) && x.cut == nil; at += step {
			end := len(b)
			if step < len(b)-at {
				end = at + step
			}
			x.follow(b[at:end])
			if step > len(b) {
				break
			}
		}
		if len(x.buf) > maxFrame+maxHead+len(b) {
			t.Errorf("%d bytes are kept", len(x.buf))
		}
	})
}

func TestTap(t *testing.T) {
	hello := `{"op":10,"d":{"heartbeat_interval":41250}}`
	stream := "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n\x81" + string(rune(len(hello))) + hello +
		"\x81\x7e\x01\x00" + strings.Repeat("x", 256) + "\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x70" + strings.Repeat("y", 70000) + "\x88\x05\x0f\xa4bye"
	for _, step := range []int{1, 2, 3, 7, 1000, len(stream)} {
		x := newTap(nil, false)
		for at := 0; at < len(stream); at += step {
			x.follow([]byte(stream[at:min(at+step, len(stream))]))
		}
		if x.code.Load() != 4004 || time.Duration(x.interval.Load()) != 41250*time.Millisecond || x.cut != nil {
			t.Errorf("in steps of %d: code %d, interval %s, %v", step, x.code.Load(), time.Duration(x.interval.Load()), x.cut)
		}
	}
	again := "HTTP/1.1 101 x\r\n\r\n\x81\x08{\"op\":7}"
	x := newTap(nil, false)
	if x.follow([]byte(again)); x.cut == nil {
		t.Error("a call to reconnect while opening is passed on")
	}
	x = newTap(nil, false)
	x.opening.Store(false)
	if x.follow([]byte(again)); x.cut != nil {
		t.Error("a call to reconnect is kept from discordgo")
	}
}
