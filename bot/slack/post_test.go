package slack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

var channel = digest.Destination{Platform: Name, Workspace: "T1", Channel: "C1"}

func onePart(t testing.TB) bot.Part {
	t.Helper()
	parts, err := render(message.Document{Summary: "Hello <you> & me", Blocks: []message.Block{message.Paragraph{Text: message.Plain("Hello")}}})
	if err != nil {
		t.Fatal(err)
	}
	return parts[0]
}

func TestPost(t *testing.T) {
	f := newFake(t)
	a, _ := newAdapter(t, f, nil)
	part := onePart(t)
	first, err := a.Post(t.Context(), channel, "d1", part, "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Post(t.Context(), channel, "d2", part, first)
	if err != nil {
		t.Fatal(err)
	}
	if first == second || !strings.HasPrefix(string(first), "C1/1700000000.") {
		t.Errorf("receipts %q, %q", first, second)
	}
	calls := f.of("chat.postMessage")
	if len(calls) != 2 {
		t.Fatalf("%d posts", len(calls))
	}
	want := `{"channel":"C1","metadata":{"event_type":"seedcorn_delivery","event_payload":{"delivery":"d1"}},` + string(part.Payload[1:])
	if diff := cmp.Diff(want, string(calls[0].Raw)); diff != "" {
		t.Errorf("first post (-want +got):\n%s", diff)
	}
	if calls[0].Token != testToken {
		t.Error("the token is not in the header")
	}
	if got, want := calls[1].str("thread_ts"), strings.TrimPrefix(string(first), "C1/"); got != want {
		t.Errorf("the second part is in thread %q, want %q", got, want)
	}
	if err := a.Edit(t.Context(), channel, "d1", first, part); err != nil {
		t.Fatal(err)
	}
	if c := f.of("chat.update"); len(c) != 1 || c[0].str("ts") != calls[1].str("thread_ts") || c[0].str("channel") != "C1" || !strings.Contains(string(c[0].Raw), `"metadata":{"event_type":"seedcorn_delivery","event_payload":{"delivery":"d1"}}`) {
		t.Errorf("edits %+v", c)
	}
	if n := len(f.of("chat.postMessage")); n != 2 {
		t.Errorf("an edit makes %d posts of 2", n)
	}
}

func TestPostToAPerson(t *testing.T) {
	f := newFake(t)
	a, _ := newAdapter(t, f, nil)
	to := digest.Destination{Platform: Name, Workspace: "T1", Channel: "U1"}
	for range 2 {
		r, err := a.Post(t.Context(), to, "d1", onePart(t), "")
		if err != nil || !strings.HasPrefix(string(r), "D1/") {
			t.Fatalf("receipt %q, error %v", r, err)
		}
	}
	if n := len(f.of("conversations.open")); n != 1 {
		t.Errorf("opened %d times", n)
	}
	// Whatever goes wrong before there is anything to post, nothing is posted.
	f = newFake(t)
	a, _ = newAdapter(t, f, nil)
	f.on("conversations.open", says(500, "oops"))
	if _, err := a.Post(t.Context(), to, "d1", onePart(t), ""); fate(err) != bot.FateRetry {
		t.Errorf("error %v, want one to retry", err)
	}
	f.on("conversations.open", says(200, `{"ok":false,"error":"user_disabled"}`))
	if _, err := a.Post(t.Context(), to, "d1", onePart(t), ""); fate(err) != bot.FateDead {
		t.Errorf("error %v, want a dead one", err)
	}
}

func fate(err error) bot.Fate {
	var p *bot.PostError
	if !errors.As(err, &p) {
		return ""
	}
	return p.Fate
}

func TestPostErrors(t *testing.T) {
	tests := []struct {
		name   string
		answer func(call) (*http.Response, error)
		want   bot.Fate
		after  time.Duration
	}{
		{"429 with a wait", says(429, `{"ok":false,"error":"ratelimited"}`, "Retry-After", "17"), bot.FateRetry, 17 * time.Second},
		{"429 in HTML", says(429, `<html>slow down</html>`, "Retry-After", "5"), bot.FateRetry, 5 * time.Second},
		{"429 without a wait", says(429, ``), bot.FateRetry, 30 * time.Second},
		{"429 with a foolish wait", says(429, ``, "Retry-After", "999999999"), bot.FateRetry, time.Hour},
		{"200 and ratelimited", says(200, `{"ok":false,"error":"ratelimited"}`), bot.FateRetry, time.Minute},
		{"500", says(500, `oops`), bot.FateUnsure, 0},
		{"503 in HTML", says(503, `<html>`), bot.FateUnsure, 0},
		{"200 in HTML", says(200, `<html>sign in to the hotel's network</html>`), bot.FateUnsure, 0},
		{"200 cut short", says(200, `{"ok":tr`), bot.FateUnsure, 0},
		{"200 without ok", says(200, `{}`), bot.FateUnsure, 0},
		{"200 without a timestamp", says(200, `{"ok":true}`), bot.FateUnsure, 0},
		{"200 of another type", says(200, `{"ok":true,"ts":17}`), bot.FateUnsure, 0},
		{"fatal_error", says(200, `{"ok":false,"error":"fatal_error"}`), bot.FateUnsure, 0},
		{"internal_error", says(200, `{"ok":false,"error":"internal_error"}`), bot.FateUnsure, 0},
		{"403 of a proxy", says(403, `<html>blocked</html>`), bot.FateRetry, 0},
		{"a redirect", says(302, ``, "Location", "https://evil.example/"), bot.FateRetry, 0},
		{"an error nobody knows", says(200, `{"ok":false,"error":"moon_phase"}`), bot.FateRetry, 0},
		{"missing_scope", says(200, `{"ok":false,"error":"missing_scope","needed":"chat:write"}`), bot.FateDead, 0},
		{"401", says(401, `{"ok":false,"error":"invalid_auth"}`), bot.FateDead, 0},
	}
	for code := range dead {
		tests = append(tests, struct {
			name   string
			answer func(call) (*http.Response, error)
			want   bot.Fate
			after  time.Duration
		}{code, says(200, fmt.Sprintf(`{"ok":false,"error":%q}`, code)), bot.FateDead, 0})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.on("chat.postMessage", tt.answer)
			a, _ := newAdapter(t, f, nil)
			_, err := a.Post(t.Context(), channel, "d1", onePart(t), "")
			var p *bot.PostError
			if !errors.As(err, &p) {
				t.Fatalf("error %v", err)
			}
			if p.Fate != tt.want || p.After != tt.after {
				t.Errorf("%s after %s, want %s after %s: %v", p.Fate, p.After, tt.want, tt.after, err)
			}
			scope := digest.ScopeMessage
			if strings.Contains(p.Say, "slower") {
				scope = digest.ScopeWorkspace
			}
			if p.Scope != scope || p.Scope == "" && p.After > 0 {
				t.Errorf("to wait is %q, want %q", p.Scope, scope)
			}
			if p.Say == "" || !strings.HasSuffix(p.Say, ".") {
				t.Errorf("nothing to say to the owner: %q", p.Say)
			}
			if n := len(f.of("chat.postMessage")); n != 1 {
				t.Errorf("posted %d times", n)
			}
			if strings.Contains(err.Error(), testToken) {
				t.Error("the token is in the error")
			}
		})
	}
	if !strings.Contains(mustPostError(t, `{"ok":false,"error":"missing_scope","needed":"chat:write"}`).Say, "chat:write") {
		t.Error("the missing scope is not named")
	}
}

func mustPostError(t *testing.T, body string) *bot.PostError {
	t.Helper()
	f := newFake(t)
	f.on("chat.postMessage", says(200, body))
	a, _ := newAdapter(t, f, nil)
	_, err := a.Post(t.Context(), channel, "d1", onePart(t), "")
	var p *bot.PostError
	if !errors.As(err, &p) {
		t.Fatalf("error %v", err)
	}
	return p
}

// Every request has an end: without a client of its own the adapter makes one.
func TestRequestsEnd(t *testing.T) {
	c, err := newAPI("", nil)
	if err != nil || c.http.Timeout <= 0 || c.http.Timeout > 30*time.Second {
		t.Errorf("a client with a timeout of %s, %v", c.http.Timeout, err)
	}
	stop := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer silent.Close()
	defer close(stop)
	c, err = newAPI(silent.URL, &http.Client{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.send(t.Context(), silent.URL+"/hook", []byte("{}")); err == nil {
		t.Error("a response_url that never answers is no error")
	}
	if _, err := c.call(t.Context(), "xoxb-1", "chat.postMessage", map[string]string{}, nil); err == nil {
		t.Error("an API that never answers is no error")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// What happens on the wire decides between "certainly not posted" and "perhaps".
func TestPostOnTheWire(t *testing.T) {
	var reached atomic.Int32
	post := func(t *testing.T, api string, timeout time.Duration) error {
		t.Helper()
		a, _ := newAdapter(t, newFake(t), func(o *Options) {
			o.API, o.HTTP = api, &http.Client{Timeout: timeout, Transport: &http.Transport{}}
		})
		_, err := a.Post(t.Context(), channel, "d1", onePart(t), "")
		return err
	}
	serve := func(t *testing.T, f http.HandlerFunc) string {
		t.Helper()
		reached.Store(0)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Add(1); f(w, r) }))
		t.Cleanup(s.Close)
		return s.URL + "/api/"
	}
	hijack := func(write string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			c.Write([]byte(write))
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}
	t.Run("refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := post(t, "http://"+l.Addr().String()+"/api/", time.Second); fate(err) != bot.FateRetry {
			t.Errorf("error %v, want one to retry", err)
		}
	})
	t.Run("no such name", func(t *testing.T) {
		a, _ := newAdapter(t, newFake(t), func(o *Options) {
			o.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "slack.test", IsNotFound: true}
			}}}
		})
		if _, err := a.Post(t.Context(), channel, "d1", onePart(t), ""); fate(err) != bot.FateRetry {
			t.Errorf("error %v, want one to retry", err)
		}
	})
	t.Run("cut after the request", func(t *testing.T) {
		if err := post(t, serve(t, hijack("")), time.Second); fate(err) != bot.FateUnsure {
			t.Errorf("error %v, want an unsure one", err)
		}
		if reached.Load() != 1 {
			t.Errorf("posted %d times", reached.Load())
		}
	})
	t.Run("cut within the answer", func(t *testing.T) {
		api := serve(t, hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{\"ok\":true,"))
		if err := post(t, api, time.Second); fate(err) != bot.FateUnsure {
			t.Errorf("error %v, want an unsure one", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		stop := make(chan struct{})
		api := serve(t, func(http.ResponseWriter, *http.Request) { <-stop })
		defer close(stop)
		if err := post(t, api, 50*time.Millisecond); fate(err) != bot.FateUnsure {
			t.Errorf("error %v, want an unsure one", err)
		}
	})
	t.Run("without end", func(t *testing.T) {
		api := serve(t, func(w http.ResponseWriter, r *http.Request) {
			chunk := make([]byte, 1<<20)
			for range 64 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		if err := post(t, api, 10*time.Second); fate(err) != bot.FateUnsure {
			t.Errorf("error %v, want an unsure one", err)
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		a, _ := newAdapter(t, newFake(t), func(o *Options) { o.HTTP = &http.Client{} })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Post(ctx, channel, "d1", onePart(t), ""); fate(err) != bot.FateRetry {
			t.Errorf("error %v, want one to retry", err)
		}
	})
}

func TestPostWithoutAToken(t *testing.T) {
	a, _ := newAdapter(t, newFake(t), func(o *Options) { o.Tokens = OneToken("") })
	if _, err := a.Post(t.Context(), channel, "d1", onePart(t), ""); fate(err) != bot.FateDead {
		t.Errorf("error %v, want a dead one", err)
	}
	a, _ = newAdapter(t, newFake(t), nil)
	for _, bad := range []bot.Receipt{"nonsense", "/1", "C1/"} {
		if _, err := a.Post(t.Context(), channel, "d1", onePart(t), bad); fate(err) != bot.FateDead {
			t.Errorf("receipt %q: error %v, want a dead one", bad, err)
		}
		if err := a.Edit(t.Context(), channel, "d1", bad, onePart(t)); fate(err) != bot.FateDead {
			t.Errorf("receipt %q: error %v, want a dead one", bad, err)
		}
	}
	for _, bad := range []string{"", "[]", "{", "null"} {
		if _, err := a.Post(t.Context(), channel, "d1", bot.Part{Payload: []byte(bad)}, ""); fate(err) != bot.FateDead {
			t.Errorf("payload %q: error %v, want a dead one", bad, err)
		}
	}
}

// said is a message of a history.
func said(ts, delivery string, more string) string {
	return fmt.Sprintf(`{"ts":%q,"text":"x","metadata":{"event_type":"seedcorn_delivery","event_payload":{"delivery":%q}}%s}`, ts, delivery, more)
}

func TestFind(t *testing.T) {
	since := time.Unix(1_700_000_000, 0)
	t.Run("there", func(t *testing.T) {
		f := newFake(t)
		f.on("conversations.history", func(c call) (*http.Response, error) {
			if c.str("cursor") == "" {
				return response(200, `{"ok":true,"messages":[{"ts":"1700000009.000100","text":"chat"},{"ts":"1700000008.0","metadata":{"event_type":"other","event_payload":{"delivery":"d1"}}}],"has_more":true,"response_metadata":{"next_cursor":"next"}}`), nil
			}
			return response(200, `{"ok":true,"messages":[`+said("1700000005.000200", "d1", "")+`],"has_more":false}`), nil
		})
		a, _ := newAdapter(t, f, nil)
		r, ok, err := a.Find(t.Context(), channel, "d1", since)
		if err != nil || !ok || r != "C1/1700000005.000200" {
			t.Errorf("%q, %t, %v", r, ok, err)
		}
		c := f.of("conversations.history")[0]
		if c.str("include_all_metadata") != "true" || c.str("channel") != "C1" || c.str("oldest") == "" {
			t.Errorf("asked %+v", c.Args)
		}
	})
	t.Run("in a thread", func(t *testing.T) {
		f := newFake(t)
		f.on("conversations.history", says(200, `{"ok":true,"messages":[`+said("1699999000.000100", "d1", `,"reply_count":2,"latest_reply":"1700000001.000000"`)+`,`+said("1699990000.000100", "d0", `,"reply_count":2,"latest_reply":"1699990005.000000"`)+`]}`))
		f.on("conversations.replies", says(200, `{"ok":true,"messages":[`+said("1700000001.000000", "d2", "")+`]}`))
		a, _ := newAdapter(t, f, nil)
		r, ok, err := a.Find(t.Context(), channel, "d2", since)
		if err != nil || !ok || r != "C1/1700000001.000000" {
			t.Errorf("%q, %t, %v", r, ok, err)
		}
		if n := len(f.of("conversations.replies")); n != 1 {
			t.Errorf("looked into %d threads; one is too old", n)
		}
	})
	t.Run("in a thread without a date", func(t *testing.T) {
		f := newFake(t)
		f.on("conversations.history", says(200, `{"ok":true,"messages":[`+said("1699999000.000100", "d1", `,"reply_count":1`)+`]}`))
		f.on("conversations.replies", says(200, `{"ok":true,"messages":[`+said("1700000001.000000", "d2", "")+`]}`))
		a, _ := newAdapter(t, f, nil)
		if _, ok, err := a.Find(t.Context(), channel, "d2", since); err != nil || !ok {
			t.Errorf("%t, %v", ok, err)
		}
	})
	t.Run("not there", func(t *testing.T) {
		a, _ := newAdapter(t, newFake(t), nil)
		if r, ok, err := a.Find(t.Context(), channel, "d1", since); err != nil || ok || r != "" {
			t.Errorf("%q, %t, %v", r, ok, err)
		}
	})
	t.Run("may not look", func(t *testing.T) {
		for code := range cannotLook {
			f := newFake(t)
			f.on("conversations.history", says(200, fmt.Sprintf(`{"ok":false,"error":%q}`, code)))
			a, _ := newAdapter(t, f, nil)
			if _, ok, err := a.Find(t.Context(), channel, "d1", since); ok || !errors.Is(err, bot.ErrCannotLook) {
				t.Errorf("%s: %t, %v", code, ok, err)
			}
		}
	})
	// Not having seen everything is never "not there".
	for name, answer := range map[string]func(call) (*http.Response, error){
		"slow down":     says(429, ``, "Retry-After", "7"),
		"ratelimited":   says(200, `{"ok":false,"error":"ratelimited"}`),
		"500":           says(500, `oops`),
		"HTML":          says(200, `<html>`),
		"more, no way":  says(200, `{"ok":true,"messages":[],"has_more":true}`),
		"without end":   says(200, `{"ok":true,"messages":[],"has_more":true,"response_metadata":{"next_cursor":"again"}}`),
		"nobody knows":  says(200, `{"ok":false,"error":"moon_phase"}`),
		"cut":           func(call) (*http.Response, error) { return nil, errors.New("connection reset") },
		"other content": says(200, `{"ok":true,"messages":"none"}`),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("conversations.history", answer)
			a, _ := newAdapter(t, f, nil)
			_, ok, err := a.Find(t.Context(), channel, "d1", since)
			if ok || err == nil || errors.Is(err, bot.ErrCannotLook) {
				t.Errorf("%t, %v", ok, err)
			}
			var p *bot.PostError
			if name == "slow down" && (!errors.As(err, &p) || p.After != 7*time.Second) {
				t.Errorf("the wait is lost: %v", err)
			}
		})
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	opt := Options{Tokens: OneToken(testToken), AppToken: "xapp-hidden", SigningSecret: testSecret}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, opt); strings.Contains(got, testToken) || strings.Contains(got, "xapp-") || strings.Contains(got, testSecret) {
			t.Errorf("%s prints a secret: %s", format, got)
		}
	}
}

// A part that may stand there already says so above everything else, where people
// read and in the notification, and even the fullest one stays within the limits.
func TestPostResent(t *testing.T) {
	f := newFake(t)
	a, _ := newAdapter(t, f, nil)
	doc := bottest.Everything()
	for range 2000 { // small enough to fill a message to the brim
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("word")})
	}
	parts, err := render(doc)
	if err != nil || len(parts) < 2 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	charts := 0
	for i, p := range parts {
		p.Summary = digest.Resend + " " + p.Summary
		if _, err := a.Post(t.Context(), channel, "d1", p, ""); err != nil { // the fake holds it to the limits
			t.Fatal(err)
		}
		raw := f.of("chat.postMessage")[i].Raw
		_, shown := validMessage(raw)
		if text := f.of("chat.postMessage")[i].str("text"); !strings.HasPrefix(text, "(resent) ") || !strings.HasPrefix(strings.TrimSpace(shown), "(resent)") {
			t.Errorf("part %d begins with %.40q, its notification with %.40q", i, shown, text)
		}
		sent := p.Payload
		if forms, ok := readPayload(sent); ok {
			if sent, err = forms.with(asNative); err != nil {
				t.Fatal(err)
			}
			charts++
		}
		_, before := validMessage(sent)
		if !strings.HasSuffix(shown, before) {
			t.Errorf("part %d says something else", i)
		}
	}
	if charts == 0 {
		t.Error("no part has a chart, which must move with the rest")
	}
}
