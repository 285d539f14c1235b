package slack

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// A socketFake plays Slack's side of Socket Mode: apps.connections.open, and the
// few lines of RFC 6455 that it takes to send texts and pings and to read texts.
// It is ours so that it can misbehave, and so that it shares no code with the
// library on the other side.
type socketFake struct {
	t     testing.TB
	srv   *httptest.Server
	conns chan *socketConn

	mu    sync.Mutex
	open  func(w http.ResponseWriter, n int) bool // answers apps.connections.open itself if true
	opens int
}

type socketConn struct {
	c    net.Conn
	mu   sync.Mutex // of writing
	acks chan socketAck
	gone chan struct{}
}

type socketAck struct {
	ID      string          `json:"envelope_id"`
	Payload json.RawMessage `json:"payload"`
}

func newSocketFake(t testing.TB) *socketFake {
	f := &socketFake{t: t, conns: make(chan *socketConn, 16)}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/apps.connections.open", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.opens++
		n, open := f.opens, f.open
		f.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer xapp-test" {
			t.Errorf("opened with %q", r.Header.Get("Authorization"))
		}
		if open != nil && open(w, n) {
			return
		}
		fmt.Fprintf(w, `{"ok":true,"url":"ws://%s/link"}`, r.Host)
	})
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"ok":true}`) })
	mux.HandleFunc("/link", f.link)
	f.srv = httptest.NewServer(mux)
	t.Cleanup(f.srv.Close)
	return f
}

// link upgrades to a web socket (RFC 6455, section 4.2.2).
func (f *socketFake) link(w http.ResponseWriter, r *http.Request) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	rw.Flush()
	conn := &socketConn{c: c, acks: make(chan socketAck, 4096), gone: make(chan struct{})}
	go conn.read(rw.Reader)
	f.conns <- conn
}

// read reads frames and keeps the texts, which are acknowledgments.
func (c *socketConn) read(r *bufio.Reader) {
	defer close(c.gone)
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		n := int(head[1] & 0x7f)
		switch n {
		case 126:
			var b [2]byte
			io.ReadFull(r, b[:])
			n = int(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			io.ReadFull(r, b[:])
			n = int(binary.BigEndian.Uint64(b[:]))
		}
		var mask [4]byte
		io.ReadFull(r, mask[:])
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		for i := range body {
			body[i] ^= mask[i%4]
		}
		switch head[0] & 0x0f {
		case 1:
			var a socketAck
			if json.Unmarshal(body, &a) == nil {
				c.acks <- a
			}
		case 8: // a close frame is answered by one, and that is the end
			c.frame(8, string(body))
			c.c.Close()
			return
		}
	}
}

// frame writes one frame, unmasked as a server's are.
func (c *socketConn) frame(kind byte, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := []byte{0x80 | kind}
	switch n := len(body); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = append(head, 126, byte(n>>8), byte(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	c.c.Write(append(head, body...))
}

func (c *socketConn) text(s string) { c.frame(1, s) }
func (c *socketConn) hello() {
	c.text(`{"type":"hello","num_connections":1,"connection_info":{"app_id":"A1"}}`)
}

// command is a slash command's envelope.
func (c *socketConn) command(id, text string) {
	c.text(fmt.Sprintf(`{"envelope_id":%q,"type":"slash_commands","accepts_response_payload":true,"payload":{"team_id":"T1","channel_id":"C1","user_id":"U1","user_name":"ada","text":%q}}`, id, text))
}

func (c *socketConn) ack(t testing.TB) socketAck {
	t.Helper()
	select {
	case a := <-c.acks:
		return a
	case <-time.After(30 * time.Second):
		t.Fatal("no acknowledgment")
		return socketAck{}
	}
}

func (f *socketFake) conn() *socketConn {
	f.t.Helper()
	select {
	case c := <-f.conns:
		return c
	case <-time.After(20 * time.Second):
		f.t.Fatal("no connection")
		return nil
	}
}

// socketRun runs an adapter against a fake until the test ends, and returns a
// function that ends it and returns its error.
func socketRun(t *testing.T, f *socketFake, h bot.Handler) (stop func() error, logs *testLog) {
	t.Helper()
	a, logs := newAdapter(t, newFake(t), func(o *Options) {
		o.AppToken, o.API, o.HTTP = "xapp-test", f.srv.URL+"/api/", &http.Client{Timeout: 5 * time.Second}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, h) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("it does not end")
		}
	})
	t.Cleanup(func() { stop() })
	return stop, logs
}

func TestSocket(t *testing.T) {
	f, e := newSocketFake(t), &echo{}
	stop, logs := socketRun(t, f, e)
	c := f.conn()
	c.hello()
	c.frame(9, "ping")
	c.command("e1", "search x")
	first := c.ack(t)
	if first.ID != "e1" || !strings.Contains(string(first.Payload), "asked search x") {
		t.Errorf("acknowledged with %s %s", first.ID, first.Payload)
	}
	mustBeValid(t, first.Payload)

	// Again, because the acknowledgment was lost: the same one.
	c.command("e1", "search x")
	if again := c.ack(t); again.ID != "e1" || string(again.Payload) != string(first.Payload) {
		t.Errorf("the second time %s %s", again.ID, again.Payload)
	}

	// What nobody knows, what cannot be read, and what is of no concern: acknowledged,
	// or it would come again and again.
	for _, raw := range []string{
		`{"envelope_id":"u1","type":"brand_new_kind","payload":{"x":1}}`,
		`{"envelope_id":"u2","type":"events_api","payload":{"type":"event_callback","event_id":"E2","event":{"type":"brand_new_event"}}}`,
		`{"envelope_id":"u3","type":"events_api","payload":"what"}`,
		`{"envelope_id":"u4","type":"interactive","payload":{"type":"block_actions","user":{"id":"U1"},"message":{"blocks":[{"type":"brand_new_block","elements":5}]},"actions":[{"type":"brand_new","action_id":"x"}]}}`,
		`{"envelope_id":"u5","type":"slash_commands","payload":{}}`,
		`{"envelope_id":"u6","type":"slash_commands"}`,
	} {
		c.text(raw)
		want := raw[len(`{"envelope_id":"`):][:2]
		if a := c.ack(t); a.ID != want || len(a.Payload) > 0 {
			t.Errorf("%s: acknowledged with %s %s", want, a.ID, a.Payload)
		}
	}
	// What is no envelope does not stop it.
	for _, raw := range []string{`{`, `5`, ``, `{"type":"hello"}`, `{"no":"id"}`} {
		c.text(raw)
	}
	c.command("e2", "help")
	if a := c.ack(t); a.ID != "e2" {
		t.Errorf("then %s", a.ID)
	}
	if n := len(e.all()); n != 2 {
		t.Errorf("asked %d times", n)
	}
	if err := stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(logs.String(), "connected") {
		t.Error("nothing in the log")
	}
}

// Slack refreshes connections, and cuts them.
func TestSocketReconnects(t *testing.T) {
	f, e := newSocketFake(t), &echo{}
	stop, _ := socketRun(t, f, e)
	c := f.conn()
	c.hello()
	c.text(`{"type":"disconnect","reason":"refresh_requested","debug_info":{"host":"x"}}`)
	c = f.conn()
	c.hello()
	c.command("e1", "one")
	c.ack(t)
	c.c.Close() // without a word
	c = f.conn()
	c.hello()
	c.command("e1", "one") // Slack did not get the acknowledgment
	if a := c.ack(t); a.ID != "e1" || !strings.Contains(string(a.Payload), "asked one") {
		t.Errorf("acknowledged with %s %s", a.ID, a.Payload)
	}
	c.frame(8, "\x03\xe8") // a close frame
	c = f.conn()
	c.hello()
	c.command("e2", "two")
	c.ack(t)
	if n := len(e.all()); n != 2 {
		t.Errorf("asked %d times", n)
	}
	if err := stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A slow handler holds up neither its own acknowledgment nor anybody else's.
func TestSocketSlowHandler(t *testing.T) {
	f, release := newSocketFake(t), make(chan struct{})
	stop, _ := socketRun(t, f, handler(func(_ context.Context, inv bot.Invocation) bot.Reply {
		if inv.Command == "slow" {
			<-release
		}
		return say("done")
	}))
	defer close(release)
	c := f.conn()
	c.hello()
	for i := range 60 { // more than slack-go's channel of events holds
		c.command(fmt.Sprintf("slow%d", i), "slow")
	}
	began := time.Now()
	c.command("fast", "fast")
	var order []string
	for range 61 {
		order = append(order, c.ack(t).ID)
	}
	if took := time.Since(began); took > ackWithin {
		t.Errorf("the last acknowledgment came after %s", took)
	}
	if order[0] != "fast" {
		t.Errorf("%s was acknowledged before the fast one", order[0])
	}
	_ = stop
}

// The largest answer that is given as an acknowledgment is one: slack-go refuses those
// of 20 kB and more, and what it refuses nobody would see.
func TestSocketLargestAck(t *testing.T) {
	f := newSocketFake(t)
	var doc message.Document
	for n := 1; ; n++ { // to the brim of one message
		more := message.Document{Blocks: append(doc.Blocks[:len(doc.Blocks):len(doc.Blocks)], message.Paragraph{Text: message.Plain(strings.Repeat("<&>ü\"", 50))})}
		if parts, err := render(more); err != nil || len(parts) > 1 {
			break
		}
		doc = more
	}
	stop, logs := socketRun(t, f, handler(func(context.Context, bot.Invocation) bot.Reply { return bot.Reply{Document: doc} }))
	c := f.conn()
	c.hello()
	c.command("e1", "large")
	a := c.ack(t)
	if len(a.Payload) < messageBudget*2/3 {
		t.Errorf("an acknowledgment of %d bytes, which is not large", len(a.Payload))
	}
	// On its way slack-go writes < as \u003c, which Slack reads as one character.
	var read any
	if err := json.Unmarshal(a.Payload, &read); err != nil {
		t.Fatal(err)
	}
	raw, err := encode(read)
	if err != nil {
		t.Fatal(err)
	}
	mustBeValid(t, raw)
	if err := stop(); err != nil || strings.Contains(logs.String(), "acknowledging") {
		t.Errorf("%v, %s", err, logs)
	}
}

// A token that Slack refuses ends it, with the reason.
func TestSocketRefused(t *testing.T) {
	for _, code := range []string{"invalid_auth", "account_inactive", "not_allowed_token_type", "token_expired", "missing_scope"} {
		t.Run(code, func(t *testing.T) {
			f := newSocketFake(t)
			f.open = func(w http.ResponseWriter, _ int) bool {
				fmt.Fprintf(w, `{"ok":false,"error":%q}`, code)
				return true
			}
			a, _ := newAdapter(t, newFake(t), func(o *Options) {
				o.AppToken, o.API, o.HTTP = "xapp-test", f.srv.URL+"/api/", &http.Client{Timeout: time.Second}
			})
			ended := make(chan error, 1)
			go func() { ended <- a.Run(t.Context(), &echo{}) }()
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), code) {
					t.Errorf("ended with %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("it goes on")
			}
		})
	}
}

// A connection that never says hello is given up for another one.
func TestSocketSilence(t *testing.T) {
	f := newSocketFake(t)
	a, logs := newAdapter(t, newFake(t), func(o *Options) {
		o.AppToken, o.API, o.HTTP = "xapp-test", f.srv.URL+"/api/", &http.Client{Timeout: time.Second}
	})
	a.helloWithin = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, &echo{}) }()
	silent := f.conn()
	c := f.conn()
	c.hello()
	c.command("e1", "help")
	c.ack(t)
	select {
	case <-silent.gone:
	case <-time.After(30 * time.Second):
		t.Error("the silent connection is still open")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(logs.String(), errSilent.Error()) {
		t.Error("nothing in the log")
	}
}

// A fault of Slack's is waited out.
func TestSocketComesBack(t *testing.T) {
	f := newSocketFake(t)
	f.open = func(w http.ResponseWriter, n int) bool {
		switch n {
		case 1:
			http.Error(w, "oops", http.StatusBadGateway)
		case 2:
			io.WriteString(w, "<html>")
		case 3:
			io.WriteString(w, `{"ok":true,"url":"ws://127.0.0.1:1/"}`)
		default:
			return false
		}
		return true
	}
	stop, _ := socketRun(t, f, &echo{})
	c := f.conn()
	c.hello()
	c.command("e1", "help")
	c.ack(t)
	if err := stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// Two hundred commands a second over a socket: the mark for the 99th percentile is
// 300 ms, and none may take three seconds. The figures are reported, not asserted:
// a loaded machine is no fault of ours.
func BenchmarkSocketAck(b *testing.B) {
	f := newSocketFake(b)
	a, _ := newAdapter(b, newFake(b), func(o *Options) {
		o.AppToken, o.API, o.HTTP = "xapp-test", f.srv.URL+"/api/", &http.Client{Timeout: 5 * time.Second}
	})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	ended := make(chan error, 1)
	doc := everything()
	go func() {
		ended <- a.Run(ctx, handler(func(context.Context, bot.Invocation) bot.Reply { return bot.Reply{Document: doc} }))
	}()
	c := f.conn()
	c.hello()
	c.command("warm", "help")
	<-c.acks
	sent := map[string]time.Time{}
	var mu sync.Mutex
	var took []time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range b.N {
			ack := <-c.acks
			mu.Lock()
			took = append(took, time.Since(sent[ack.ID]))
			mu.Unlock()
		}
	}()
	b.ResetTimer()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range b.N {
		<-tick.C
		id := fmt.Sprint(i)
		mu.Lock()
		sent[id] = time.Now()
		mu.Unlock()
		c.command(id, "help")
	}
	<-done
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
	cancel()
	<-ended
}
