package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
	"seedcorn/digest"
)

// An emulator is Slack's Web API played by somebody else
// (https://www.npmjs.com/package/emulate), with a state of its own: what it takes, and
// how it answers, is not what we expect but what its makers read in the documentation.
type emulator struct {
	t    testing.TB
	base string
	log  *bytes.Buffer
}

func startEmulator(t testing.TB, redirect string) *emulator {
	needNPM(t)
	seed := filepath.Join(t.TempDir(), "emulate.yaml")
	var scopes strings.Builder
	for _, s := range append(scopeNames(true), "channels:read", "channels:manage", "channels:join") {
		fmt.Fprintf(&scopes, "\n        - %q", s)
	}
	err := os.WriteFile(seed, []byte(`slack:
  team:
    name: Lab
    domain: lab
  users:
    - name: ada
      real_name: Ada
      email: ada@example.org
  channels:
    - name: research
      topic: what came out
  bots:
    - name: seedcorn
  oauth_apps:
    - client_id: "1.2"
      client_secret: hush-hush
      app_id: A000000001
      name: Seedcorn
      redirect_uris:
        - `+redirect+`
      scopes:`+scopes.String()+"\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody can reserve a port: take one, and another if it was taken.
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close()
		e := &emulator{t: t, base: "http://127.0.0.1:" + port, log: &bytes.Buffer{}}
		ctx, cancel := context.WithCancel(context.Background())
		cmd := exec.CommandContext(ctx, node(), npm("emulate", "dist", "index.js"), "start", "--service", "slack", "--port", port, "--seed", seed, "--base-url", e.base)
		cmd.Stdout, cmd.Stderr = e.log, e.log
		if err := cmd.Start(); err != nil {
			cancel()
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() { cancel(); <-ended })
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			resp, err := http.Post(e.base+"/api/auth.test", "application/json", strings.NewReader("{}"))
			if err == nil {
				resp.Body.Close()
				return e
			}
			if len(ended) > 0 {
				break
			}
		}
	}
	t.Fatal("the emulator does not start")
	return nil
}

// call calls a method of the emulator by ourselves.
func (e *emulator) call(token, method string, args url.Values, out any) {
	e.t.Helper()
	req, err := http.NewRequest(http.MethodPost, e.base+"/api/"+method, strings.NewReader(args.Encode()))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(raw, out)
	}
	if err != nil || !bytes.Contains(raw, []byte(`"ok":true`)) {
		e.t.Fatalf("%s: %v, %s", method, err, raw)
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"/>`)

// The whole loop against the emulator: a person installs the app in a browser; it
// posts a digest of several messages, finds what it has posted, edits it, writes to
// a person, opens forms and a home, shows a picture; and learns what became of an
// archived channel.
func TestEmulator(t *testing.T) {
	needNPM(t)
	var got Installed
	mux := http.NewServeMux()
	ours := httptest.NewServer(mux)
	defer ours.Close()
	e := startEmulator(t, ours.URL+"/slack/oauth")
	router := bot.NewRouter(bottest.Desk(), slog.New(slog.DiscardHandler))
	tokens := manyTokens{}
	logs := &testLog{}
	a, err := New(Options{
		Tokens: tokens, Parse: router.Parse, API: e.base + "/api/", SigningSecret: testSecret, Charts: chartPicture, Log: slog.New(slog.NewTextHandler(logs, nil)),
		Install: &Install{ClientID: "1.2", ClientSecret: "hush-hush", Redirect: ours.URL + "/slack/oauth", Store: func(_ context.Context, in Installed) error {
			got = in
			tokens[in.Workspace] = string(in.Token)
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/slack/", a.Handler(router))

	// Installing, as a browser does it.
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	page, err := browser.Get(ours.URL + "/slack/install")
	if err != nil {
		t.Fatal(err)
	}
	asked, _ := io.ReadAll(page.Body)
	page.Body.Close()
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(string(asked), -1) {
		if !form.Has(m[1]) { // of the first of its users
			form.Set(m[1], strings.ReplaceAll(m[2], "&amp;", "&"))
		}
	}
	page, err = browser.PostForm(e.base+"/oauth/v2/authorize/callback", form)
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(page.Body)
	page.Body.Close()
	if page.StatusCode != 200 || !strings.Contains(string(said), "Seedcorn is installed") || !strings.HasPrefix(string(got.Token), "xoxb-") || got.By == "" || !strings.Contains(strings.Join(got.Scopes, ","), "chat:write") {
		t.Fatalf("installing: %d %s, %+v\n%s", page.StatusCode, said, got, asked)
	}
	ctx, team, token := t.Context(), got.Workspace, string(got.Token)
	if id, alive, err := a.Workspace(ctx, got.Token); id != team || !alive || err != nil {
		t.Errorf("whose token: %q, %t, %v", id, alive, err)
	}

	var list struct {
		Channels []struct{ ID, Name string }
	}
	e.call(token, "conversations.list", url.Values{}, &list)
	channel := ""
	for _, c := range list.Channels {
		if c.Name == "research" {
			channel = c.ID
		}
	}
	if channel == "" {
		t.Fatalf("no channel in %+v", list)
	}
	var none struct{}
	e.call(token, "conversations.join", url.Values{"channel": {channel}}, &none)

	// A digest in two messages, the second in the first one's thread.
	parts, err := render(bottest.Everything())
	if err != nil {
		t.Fatal(err)
	}
	for len(parts) < 2 {
		parts = append(parts, parts[0])
	}
	to := digest.Destination{Platform: Name, Workspace: team, Channel: channel}
	began := time.Now()
	first, err := a.Post(ctx, to, "delivery-1", parts[0], "")
	if err != nil {
		t.Fatalf("posting: %v\n%s", err, logs)
	}
	second, err := a.Post(ctx, to, "delivery-2", parts[1], first)
	if err != nil {
		t.Fatalf("posting below it: %v", err)
	}
	for id, want := range map[bot.DeliveryID]bot.Receipt{"delivery-1": first, "delivery-2": second} {
		if r, ok, err := a.Find(ctx, to, id, began); err != nil || !ok || r != want {
			t.Errorf("finding %s: %q, %t, %v; want %q", id, r, ok, err, want)
		}
	}
	if _, ok, err := a.Find(ctx, to, "delivery-3", began); ok || err != nil {
		t.Errorf("found what was never posted: %t, %v", ok, err)
	}
	if err := a.Edit(ctx, to, "delivery-1", first, onePart(t)); err != nil {
		t.Errorf("editing: %v", err)
	}
	where, _ := parseReceipt(first)
	var thread struct {
		Messages []struct {
			Text string
		}
	}
	e.call(token, "conversations.replies", url.Values{"channel": {channel}, "ts": {where.ts}}, &thread)
	if len(thread.Messages) != 2 || !strings.Contains(thread.Messages[0].Text, payloadText(t, onePart(t))) {
		t.Errorf("the thread: %+v", thread)
	}
	var files struct {
		Files []struct {
			ID   string
			Size int
		}
	}
	e.call(token, "files.list", url.Values{}, &files)
	if len(files.Files) == 0 || files.Files[0].Size < 1000 {
		t.Errorf("no picture was uploaded: %+v", files)
	}

	// To a person.
	direct := digest.Destination{Platform: Name, Workspace: team, Channel: got.By, Direct: true}
	r, err := a.Post(ctx, direct, "delivery-4", onePart(t), "")
	if err != nil {
		t.Fatalf("posting to a person: %v", err)
	}
	if found, ok, err := a.Find(ctx, direct, "delivery-4", began); err != nil || !ok || found != r {
		t.Errorf("finding what was posted to a person: %q, %t, %v", found, ok, err)
	}

	// Forms, windows, the home.
	var trigger struct {
		ID string `json:"trigger_id"`
	}
	b := back{workspace: team, channel: channel, user: got.By}
	e.call(token, "views.generateTriggerId", url.Values{"user_id": {got.By}}, &trigger)
	b.trigger = trigger.ID
	if err := a.openForm(ctx, b, aForm); err != nil {
		t.Errorf("opening a form: %v", err)
	}
	e.call(token, "views.generateTriggerId", url.Values{"user_id": {got.By}}, &trigger)
	b.trigger = trigger.ID
	if err := a.openDocument(ctx, b, bottest.Everything()); err != nil {
		t.Errorf("opening a document: %v", err)
	}
	if err := a.publish(ctx, router, "i", team, bot.Person{ID: got.By}); err != nil {
		t.Errorf("publishing a home: %v", err)
	}
	if who := a.person(ctx, team, bot.Person{ID: got.By}); who.Name == "" || who.Guest {
		t.Errorf("who asks: %+v", who)
	}
	// An answer that only the asker sees, without a response_url.
	for _, public := range []bool{false, true} {
		if err := a.follow(ctx, b, &hook{}, onePart(t), public, false); err != nil {
			t.Errorf("answering, to all %t: %v", public, err)
		}
	}

	e.call(token, "conversations.archive", url.Values{"channel": {channel}}, &none)
	_, err = a.Post(ctx, to, "delivery-5", parts[0], "")
	var p *bot.PostError
	if !errors.As(err, &p) || p.Fate != bot.FateDead || !strings.Contains(p.Say, "archived") {
		t.Errorf("posting to an archived channel: %v", err)
	}
	for _, secret := range []string{token, "hush-hush"} {
		if strings.Contains(logs.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func payloadText(t testing.TB, p bot.Part) string {
	t.Helper()
	var m payload
	if err := json.Unmarshal(p.Payload, &m); err != nil {
		t.Fatal(err)
	}
	return m.Text
}
