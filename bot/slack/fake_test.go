package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// A call is one request that reached the fake.
type call struct {
	Method string // of the API, or "hook" for a response_url
	Token  string
	Args   map[string]any
	Raw    []byte
	At     time.Time
}

func (c call) str(key string) string {
	s, _ := c.Args[key].(string)
	return s
}

// A fake plays the Web API, without a socket so that it can stand in a bubble of
// synctest. It is a hostile one: each method answers as its script says, and what
// is sent to it is held to the limits.
type fake struct {
	t       testing.TB
	mu      sync.Mutex
	calls   []call
	scripts map[string]func(c call) (*http.Response, error)
	posted  int
}

func newFake(t testing.TB) *fake {
	return &fake{t: t, scripts: map[string]func(call) (*http.Response, error){}}
}

// on sets what a method answers.
func (f *fake) on(method string, answer func(c call) (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[method] = answer
}

// says answers with JSON and headers given as pairs.
func says(status int, body string, headers ...string) func(call) (*http.Response, error) {
	return func(call) (*http.Response, error) { return response(status, body, headers...), nil }
}

func response(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// RoundTrip implements http.RoundTripper.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c := call{Method: strings.TrimPrefix(r.URL.Path, "/api/"), Token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), Raw: raw, Args: map[string]any{}, At: time.Now()}
	if strings.HasPrefix(r.URL.Path, "/upload") {
		c.Method = "upload"
	}
	if strings.HasPrefix(r.URL.Path, "/hook") {
		c.Method = "hook"
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &c.Args); err != nil {
			f.t.Errorf("%s: no JSON: %v", c.Method, err)
		}
	} else if form, err := url.ParseQuery(string(raw)); err == nil {
		for k := range form {
			c.Args[k] = form.Get(k)
		}
	}
	f.hold(c)
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.posted++
	n, script := f.posted, f.scripts[c.Method]
	f.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if script != nil {
		return script(c)
	}
	switch c.Method {
	case "chat.postMessage", "chat.update":
		return response(200, fmt.Sprintf(`{"ok":true,"channel":%q,"ts":"1700000000.%06d"}`, c.str("channel"), n)), nil
	case "files.getUploadURLExternal":
		return response(200, `{"ok":true,"upload_url":"https://slack.test/upload/secret-address","file_id":"F1"}`), nil
	case "conversations.open":
		return response(200, `{"ok":true,"channel":{"id":"D1"}}`), nil
	case "users.info":
		return response(200, `{"ok":true,"user":{"id":"U1","name":"ada","tz":"Europe/Paris","is_admin":true}}`), nil
	case "conversations.history", "conversations.replies":
		return response(200, `{"ok":true,"messages":[],"has_more":false}`), nil
	}
	return response(200, `{"ok":true}`), nil
}

// formsOnly are the methods, of those that we call, that do not take JSON.
var formsOnly = []string{"users.info", "conversations.history", "conversations.replies", "oauth.v2.access", "auth.revoke", "files.getUploadURLExternal"}

// hold holds a request to what Slack takes.
func (f *fake) hold(c call) {
	f.t.Helper()
	if c.Method == "upload" {
		return
	}
	if form := !bytes.HasPrefix(c.Raw, []byte("{")); form != slices.Contains(formsOnly, c.Method) {
		f.t.Errorf("%s: called with %.60q", c.Method, c.Raw)
	}
	switch c.Method {
	case "chat.postMessage", "chat.update", "chat.postEphemeral", "hook":
		if c.Args["charts"] != nil {
			f.t.Errorf("%s: what is for us alone was sent", c.Method)
		}
		faults, _ := validMessage(c.Raw)
		for _, fault := range faults {
			f.t.Errorf("%s: %s", c.Method, fault)
		}
	case "views.open", "views.push", "views.publish", "views.update":
		raw, _ := json.Marshal(c.Args["view"])
		faults, _ := validView(raw)
		for _, fault := range faults {
			f.t.Errorf("%s: %s", c.Method, fault)
		}
	}
}

// of are the calls of a method so far.
func (f *fake) of(method string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []call
	for _, c := range f.calls {
		if c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// testLog is a log that a test can read.
type testLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	testToken  = "xoxb-do-not-print-me"
	testSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	testAPI    = "https://slack.test/api/"
	testHook   = "https://slack.test/hook/secret-address"
)

// parse is as simple as a parser can be.
func parse(line string) (string, map[string]string, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch name {
	case "":
		return "help", nil, nil
	case "unknown":
		return "", nil, fmt.Errorf("no command %q", name)
	}
	return name, map[string]string{"text": rest}, nil
}

// newAdapter returns an adapter that speaks to a fake.
func newAdapter(t testing.TB, f *fake, change func(*Options)) (*Adapter, *testLog) {
	t.Helper()
	logs := &testLog{}
	opt := Options{
		Tokens: OneToken(testToken), Parse: parse, Log: slog.New(slog.NewTextHandler(logs, nil)), API: testAPI,
		SigningSecret: testSecret, HTTP: &http.Client{Transport: f, Timeout: 10 * time.Second},
	}
	if change != nil {
		change(&opt)
	}
	a, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, secret := range []string{testToken, testSecret, "secret-address", "xapp-"} {
			if strings.Contains(logs.String(), secret) {
				t.Errorf("a secret is in the log:\n%s", logs)
			}
		}
	})
	return a, logs
}

// A handler is a bot.Handler that is one function.
type handler func(ctx context.Context, inv bot.Invocation) bot.Reply

func (h handler) Handle(ctx context.Context, inv bot.Invocation) bot.Reply { return h(ctx, inv) }

func (h handler) Complete(context.Context, bot.Invocation, string, string) []bot.Choice { return nil }

// say is a reply of one sentence.
func say(text string) bot.Reply {
	return bot.Reply{Document: message.Document{Summary: text, Blocks: []message.Block{message.Paragraph{Text: message.Plain(text)}}}}
}

// echo says what was asked, and keeps it.
type echo struct {
	mu    sync.Mutex
	asked []bot.Invocation
}

func (e *echo) Handle(_ context.Context, inv bot.Invocation) bot.Reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, inv)
	return say("asked " + inv.Command + " " + inv.Args["text"])
}

func (e *echo) Complete(context.Context, bot.Invocation, string, string) []bot.Choice { return nil }

func (e *echo) all() []bot.Invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]bot.Invocation(nil), e.asked...)
}

// signedRequest is a request as Slack makes it.
func signedRequest(path, body string, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	stamp := fmt.Sprint(at.Unix())
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", fmt.Sprintf("v0=%x", sign(testSecret, stamp, []byte(body))))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// slash is the body of a slash command.
func slash(text string, change ...string) string {
	v := url.Values{
		"command": {"/digest"}, "text": {text}, "team_id": {"T1"}, "channel_id": {"C1"}, "channel_name": {"research"}, "user_id": {"U1"}, "user_name": {"ada"},
		"response_url": {testHook}, "trigger_id": {"trigger"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return v.Encode()
}
