package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/slack"
	"seedcorn/digest"
)

const (
	testKeyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	testKeyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	signing  = "8f742231b10e8888abcd99yyyzzz85a5"
)

// slackFake plays Slack's Web API for the whole program: which tokens are alive, and
// with which token what was called.
type slackFake struct {
	*httptest.Server
	mu     sync.Mutex
	tokens map[string]string // alive, with the workspace of each
	next   string            // what the next code is traded for
	calls  []string          // "method token"
}

func newSlackFake(t testing.TB) *slackFake {
	f := &slackFake{tokens: map[string]string{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.answer))
	t.Cleanup(f.Close)
	return f
}

func (f *slackFake) answer(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.calls = append(f.calls, method+" "+token)
	w.Header().Set("Content-Type", "application/json")
	say := func(v map[string]any) { _ = json.NewEncoder(w).Encode(v) }
	if method == "oauth.v2.access" {
		say(map[string]any{"ok": true, "access_token": f.next, "scope": "commands,chat:write", "team": map[string]string{"id": f.tokens[f.next], "name": "Lab " + f.tokens[f.next]}, "authed_user": map[string]string{"id": "U1"}})
		return
	}
	team, alive := f.tokens[token]
	if !alive {
		say(map[string]any{"ok": false, "error": "account_inactive"})
		return
	}
	switch method {
	case "auth.test":
		w.Header().Set("X-OAuth-Scopes", "commands,chat:write,chat:write.public,im:write,im:history,channels:history,groups:history,app_mentions:read,users:read,files:write")
		say(map[string]any{"ok": true, "team_id": team, "team": "Lab", "user": "seedcorn"})
	case "auth.revoke":
		delete(f.tokens, token)
		say(map[string]any{"ok": true, "revoked": true})
	case "users.info":
		say(map[string]any{"ok": true, "user": map[string]any{"id": "U1", "name": "ada", "tz": "Europe/Paris", "is_admin": true}})
	case "conversations.history", "conversations.replies":
		say(map[string]any{"ok": true, "messages": []any{}})
	default:
		say(map[string]any{"ok": true, "channel": "C1", "ts": fmt.Sprintf("1700000000.%06d", len(f.calls))})
	}
}

func (f *slackFake) set(token, team string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if team == "" {
		delete(f.tokens, token)
		return
	}
	f.tokens[token], f.next = team, token
}

// called are the calls so far that begin so, and none is remembered.
func (f *slackFake) called(prefix string) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if strings.HasPrefix(c, prefix) {
			out = append(out, c)
		}
	}
	f.calls = nil
	return out
}

// manyConfig is a configuration for many workspaces.
func manyConfig(t testing.TB, f *slackFake, keys string) config {
	t.Helper()
	cfg, err := loadConfig([]string{
		prefix + "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "many.db"), prefix + "SLACK_URL=" + f.URL + "/api/",
		prefix + "SLACK_CLIENT_ID=1.2", prefix + "SLACK_CLIENT_SECRET=hush-hush", prefix + "SLACK_SIGNING_SECRET=" + signing,
		prefix + "SECRET_KEY=" + keys, prefix + "WEB_URL=https://bot.example.org/",
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// slackEnd is the program from its ways in over HTTP to its database.
type slackEnd struct {
	t    testing.TB
	a    *app
	w    *world
	s    *slack.Adapter
	http http.Handler
	logs *lockedBuffer
	n    int
}

func newSlackEnd(t testing.TB, cfg config) *slackEnd {
	t.Helper()
	e := &slackEnd{t: t, logs: &lockedBuffer{}}
	e.a = &app{in: strings.NewReader(""), out: io.Discard, errs: e.logs, now: time.Now}
	var err error
	if e.w, err = e.a.openWith(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.w.close(); err != nil {
			t.Error(err)
		}
	})
	router := bot.NewRouter(desk{e.w, e.a.now}, e.w.log)
	if e.s, err = e.a.slack(e.w, router); err != nil || e.s == nil {
		t.Fatal(e.s, err)
	}
	e.http = e.s.Handler(router)
	return e
}

// post sends a signed request.
func (e *slackEnd) post(path, body string) *httptest.ResponseRecorder {
	e.t.Helper()
	rec := httptest.NewRecorder()
	e.http.ServeHTTP(rec, signedTo(e.t, path, body))
	return rec
}

// signedTo is a request as Slack signs it.
func signedTo(t testing.TB, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	stamp := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(signing))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", fmt.Sprintf("v0=%x", mac.Sum(nil)))
	return r
}

// command types a line in a channel of a workspace and returns the acknowledgment.
func (e *slackEnd) command(team, line string) string {
	e.t.Helper()
	e.n++
	rec := e.post("/slack/commands", url.Values{
		"command": {"/digest"}, "text": {line}, "team_id": {team}, "channel_id": {"C1"}, "user_id": {"U1"}, "user_name": {"ada"}, "trigger_id": {fmt.Sprint(e.n)},
	}.Encode())
	if rec.Code != http.StatusOK {
		e.t.Errorf("%s: %d %s", line, rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func (e *slackEnd) event(team, event string, at time.Time) {
	e.t.Helper()
	e.n++
	rec := e.post("/slack/events", fmt.Sprintf(`{"type":"event_callback","team_id":%q,"event_id":"Ev%d","event_time":%d,"event":%s}`, team, e.n, at.Unix(), event))
	if rec.Code != http.StatusOK {
		e.t.Errorf("%s: %d %s", event, rec.Code, rec.Body)
	}
	if err := e.s.Wait(e.t.Context()); err != nil {
		e.t.Error(err)
	}
}

// install goes through the OAuth flow as a browser does.
func (e *slackEnd) install() *httptest.ResponseRecorder {
	e.t.Helper()
	begun := httptest.NewRecorder()
	e.http.ServeHTTP(begun, httptest.NewRequest(http.MethodGet, "/slack/install", nil))
	to, err := url.Parse(begun.Header().Get("Location"))
	if err != nil {
		e.t.Fatal(err)
	}
	if got := to.Query().Get("redirect_uri"); got != "https://bot.example.org/slack/oauth" {
		e.t.Errorf("sent back to %q", got)
	}
	r := httptest.NewRequest(http.MethodGet, "/slack/oauth?code=c&state="+to.Query().Get("state"), nil)
	r.AddCookie(begun.Result().Cookies()[0])
	rec := httptest.NewRecorder()
	e.http.ServeHTTP(rec, r)
	return rec
}

func (e *slackEnd) paused() (n int) {
	e.t.Helper()
	subs, err := e.w.db.Subscriptions(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	for _, s := range subs {
		if s.PausedUntil.After(time.Now()) {
			n++
		}
	}
	return n
}

// cli runs a command of the program on the same database.
func cli(t testing.TB, cfg config, words ...string) (string, error) {
	t.Helper()
	for name, value := range map[string]string{
		"DATABASE_URL": cfg.DatabaseURL, "SLACK_URL": cfg.SlackURL, "SLACK_CLIENT_ID": cfg.SlackClientID, "SLACK_CLIENT_SECRET": cfg.SlackClientSecret.reveal(),
		"SLACK_SIGNING_SECRET": cfg.SlackSigningSecret.reveal(), "SECRET_KEY": cfg.SecretKey.reveal(), "WEB_URL": cfg.WebURL,
	} {
		os.Setenv(prefix+name, value)
		defer os.Unsetenv(prefix + name)
	}
	var out bytes.Buffer
	root := newRoot(strings.NewReader(""), &out, &out)
	root.SetArgs(words)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// A workspace comes, subscribes, goes, and comes back; another one beside it is not
// concerned. Its token is nowhere to be read.
func TestWorkspaceComesAndGoes(t *testing.T) {
	f := newSlackFake(t)
	cfg := manyConfig(t, f, testKeyA)
	e := newSlackEnd(t, cfg)
	ctx := t.Context()
	for token, team := range map[string]string{"xoxb-token-one": "T1", "xoxb-token-two": "T2"} {
		f.set(token, team)
		if rec := e.install(); rec.Code != 200 || !strings.Contains(rec.Body.String(), "installed") {
			t.Fatalf("installing %s: %d %s", team, rec.Code, rec.Body)
		}
		e.command(team, "subscribe country:FR when:weekly")
		if err := e.s.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if said := e.command(team, "subscriptions"); !strings.Contains(said, "by ada") || !strings.Contains(said, "1 subscription") {
			t.Fatal(said)
		}
	}
	if got := f.called("chat.postMessage"); len(got) != 2 {
		t.Errorf("told their channels %q", got)
	}
	for _, c := range f.called("users.info") {
		if c != "users.info xoxb-token-one" && c != "users.info xoxb-token-two" {
			t.Error(c)
		}
	}
	to := digest.Destination{Platform: slack.Name, Workspace: "T2", Channel: "C1"}
	part, err := e.s.Render(bot.Digest(digest.Digest{Title: "This week"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.s.Post(ctx, to, "d1", part[0], ""); err != nil {
		t.Fatal(err)
	}
	if got := f.called("chat.postMessage"); len(got) != 1 || got[0] != "chat.postMessage xoxb-token-two" {
		t.Errorf("posted %q", got)
	}
	raw, err := os.ReadFile(strings.TrimPrefix(cfg.DatabaseURL, "sqlite:"))
	wal, _ := os.ReadFile(strings.TrimPrefix(cfg.DatabaseURL, "sqlite:") + "-wal")
	if err != nil || bytes.Contains(raw, []byte("token-one")) || bytes.Contains(wal, []byte("token-one")) || !bytes.Contains(append(raw, wal...), []byte("Lab T1")) {
		t.Errorf("the token can be read in the database, or the database is not there: %v", err)
	}

	// It goes: both events come, and once more, late.
	f.set("xoxb-token-one", "")
	gone := time.Now().Add(-time.Second)
	e.event("T1", `{"type":"tokens_revoked","tokens":{"bot":["U0"]}}`, gone)
	e.event("T1", `{"type":"app_uninstalled"}`, gone)
	if e.paused() != 1 {
		t.Errorf("%d subscriptions are paused, want 1", e.paused())
	}
	if _, err := (tenants{e.w}).Token(ctx, "T1"); err != slack.ErrNoToken {
		t.Errorf("its token: %v", err)
	}
	if tok, err := (tenants{e.w}).Token(ctx, "T2"); err != nil || tok != "xoxb-token-two" {
		t.Errorf("the other's token: %v", err)
	}
	out, err := cli(t, cfg, "workspaces")
	if err != nil || !strings.Contains(out, "gone since") || !strings.Contains(out, "tokens_revoked") || !strings.Contains(out, "Lab T2") || strings.Contains(out, "xoxb-") {
		t.Errorf("workspaces: %v\n%s", err, out)
	}

	// It comes back, and word of the removal comes a third time.
	f.set("xoxb-token-three", "T1")
	e.install()
	if e.paused() != 0 {
		t.Error("it is back, and its subscription is paused")
	}
	e.event("T1", `{"type":"app_uninstalled"}`, gone)
	if tok, err := (tenants{e.w}).Token(ctx, "T1"); err != nil || tok != "xoxb-token-three" || e.paused() != 0 {
		t.Errorf("late word of a removal removed it again: %v", err)
	}
	// A token that died without a word is noticed by the next post.
	f.set("xoxb-token-three", "")
	to.Workspace = "T1"
	if _, err := e.s.Post(ctx, to, "d2", part[0], ""); err == nil {
		t.Error("posted with a dead token")
	}
	if e.paused() != 1 {
		t.Error("a dead token pauses nothing")
	}

	out, err = cli(t, cfg, "workspaces", "remove", "T2")
	if err != nil || !strings.Contains(out, "removed T2") || !strings.Contains(out, "1 of its subscriptions") {
		t.Errorf("remove: %v\n%s", err, out)
	}
	if got := f.called("auth.revoke"); len(got) != 1 || got[0] != "auth.revoke xoxb-token-two" {
		t.Errorf("revoked %q", got)
	}
	if _, err := cli(t, cfg, "workspaces", "remove", "T2"); err == nil {
		t.Error("removed twice")
	}
	for _, secret := range []string{"xoxb-", "hush-hush", signing, testKeyA} {
		if strings.Contains(e.logs.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, e.logs)
		}
	}
	if !strings.Contains(e.logs.String(), `msg="workspace gone" platform=slack workspace=T1 why=tokens_revoked token_deleted=true subscriptions_paused=1`) {
		t.Errorf("the log does not say so:\n%s", e.logs)
	}
}

// A new key seals what the old one sealed at the next start, after which the old one
// is not needed; a key that was dropped too early is named, not hidden.
func TestChangeOfKey(t *testing.T) {
	f := newSlackFake(t)
	cfg := manyConfig(t, f, testKeyA)
	e := newSlackEnd(t, cfg)
	f.set("xoxb-token-one", "T1")
	e.install()
	token := func(keys string) (string, error) {
		c := cfg
		c.SecretKey = secret(keys)
		e := newSlackEnd(t, c)
		return tenants{e.w}.Token(t.Context(), "T1")
	}
	if _, err := token(testKeyB); err == nil || strings.Contains(err.Error(), "xoxb-") {
		t.Errorf("opened with another key: %v", err)
	}
	lost := cfg
	lost.SecretKey = testKeyB
	if out, err := cli(t, lost, "doctor"); err == nil || !strings.Contains(out, "behind the new one") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	both := cfg
	both.SecretKey = testKeyB + "," + testKeyA
	e2 := newSlackEnd(t, both)
	e2.a.tidyWorkspaces(t.Context(), e2.w, e2.s)
	if !strings.Contains(e2.logs.String(), "workspaces=1") {
		t.Errorf("nothing was sealed again:\n%s", e2.logs)
	}
	if got, err := token(testKeyB); err != nil || got != "xoxb-token-one" {
		t.Errorf("after the change: %v", err)
	}
	if _, err := token(testKeyA); err == nil {
		t.Error("the old key still opens it")
	}
	if out, err := cli(t, lost, "doctor", "--live"); !strings.Contains(out, "1 have installed") || !strings.Contains(out, "message 1 of 1 Slack takes it") || !strings.Contains(out, "Slack knows it as seedcorn") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// With one fixed token a workspace that goes is paused, too, and goes on at the next
// start with a token that is good.
func TestFixedTokenComesBack(t *testing.T) {
	f := newSlackFake(t)
	f.set("xoxb-fixed-token", "T1")
	cfg, err := loadConfig([]string{
		prefix + "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "one.db"), prefix + "SLACK_URL=" + f.URL + "/api/",
		prefix + "SLACK_BOT_TOKEN=xoxb-fixed-token", prefix + "SLACK_SIGNING_SECRET=" + signing,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := newSlackEnd(t, cfg)
	e.command("T1", "subscribe country:FR when:weekly")
	e.event("T1", `{"type":"app_uninstalled"}`, time.Now()) // the token holds: it was late
	if e.paused() != 0 {
		t.Error("paused although the token holds")
	}
	f.set("xoxb-fixed-token", "")
	e.event("T1", `{"type":"app_uninstalled"}`, time.Now())
	e.a.tidyWorkspaces(t.Context(), e.w, e.s)
	if e.paused() != 1 {
		t.Error("not paused, or resumed by a dead token")
	}
	f.set("xoxb-fixed-token", "T1")
	e.a.tidyWorkspaces(t.Context(), e.w, e.s)
	if e.paused() != 0 || !strings.Contains(e.logs.String(), "workspace is back") {
		t.Errorf("not resumed:\n%s", e.logs)
	}
	e.event("T1", `{"type":"user_change","user":{"id":"U1","deleted":true}}`, time.Now())
	subs, err := e.w.db.Subscriptions(t.Context())
	if err != nil || len(subs) != 1 || subs[0].Owner != "" || e.paused() != 0 {
		t.Errorf("after its owner left: %+v, %v", subs, err)
	}
}

func TestManyWorkspacesConfig(t *testing.T) {
	const id, sec, web, sign, key = prefix + "SLACK_CLIENT_ID=1", prefix + "SLACK_CLIENT_SECRET=s", prefix + "WEB_URL=https://b.example", prefix + "SLACK_SIGNING_SECRET=x", prefix + "SECRET_KEY=" + testKeyA
	for _, tt := range []struct {
		name string
		env  []string
		want string
	}{
		{"all in order", []string{id, sec, web, sign, key}, ""},
		{"no secret", []string{id, web, sign, key}, "SLACK_CLIENT_SECRET"},
		{"no id", []string{sec}, "SLACK_CLIENT_ID"},
		{"no key", []string{id, sec, web, sign}, "openssl rand"},
		{"a bad key", []string{id, sec, web, sign, prefix + "SECRET_KEY=hunter2"}, "SECRET_KEY: key 1 of 1"},
		{"no address", []string{id, sec, sign, key}, "/slack/oauth"},
		{"no way in", []string{id, sec, web, key}, "nobody can ask"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadConfig(append(tt.env, prefix+"DATABASE_URL=sqlite:x"))
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// BenchmarkThousandWorkspaces reports what a thousand installed workspaces, each with
// a subscription and a command asked, add to the program's heap, database and all; and
// how long the token of one takes to find.
//
//	go test ./cmd/seedcorn -run - -bench ThousandWorkspaces -benchtime 1x
func BenchmarkThousandWorkspaces(b *testing.B) {
	f := newSlackFake(b)
	for b.Loop() {
		cfg := manyConfig(b, f, testKeyA)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := newSlackEnd(b, cfg)
		for i := range 1000 {
			team := fmt.Sprintf("T%d", i)
			err := e.w.workspaceInstalled(b.Context(), slack.Installed{Workspace: team, Name: "Lab", Token: slack.Secret(fmt.Sprintf("xoxb-%d-%s", i, strings.Repeat("x", 40)))}, time.Now())
			if err != nil {
				b.Fatal(err)
			}
			f.set(fmt.Sprintf("xoxb-%d-%s", i, strings.Repeat("x", 40)), team)
			e.command(team, "subscribe country:FR when:weekly")
			if err := e.s.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		f.called("")
		began := time.Now()
		for i := range 1000 {
			if _, err := (tenants{e.w}).Token(context.Background(), fmt.Sprintf("T%d", i)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "us/token")
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB")
		runtime.KeepAlive(e)
	}
}
