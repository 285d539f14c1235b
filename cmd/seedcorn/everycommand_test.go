package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/cmd/seedcorn/internal/hostile"
	"seedcorn/digest/store"
)

// ids are what differs between two answers to one question: ids of subscriptions, and
// of clicks.
var ids = regexp.MustCompile(`\bs[a-z2-7]{10}\b|"(block|action)_id":"[a-z0-9]+",?`)

// Every subcommand is asked of the whole program, with a database of real works,
// through both ways in: as its help shows it, without anything, and misspelled. Both
// say the same, and nothing goes wrong on our side.
func TestEverySubcommandBothWays(t *testing.T) {
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv(testManners, "1ms")
	platform, err := hostile.NewSlack(hostile.Rules{Second: -1}, hostile.NewLedger())
	if err != nil {
		t.Fatal(err)
	}
	defer platform.Close()
	cfg := demoConfig(base, filepath.Join(t.TempDir(), "every.db"))
	cfg.SlackURL, cfg.SlackBotToken, cfg.SlackAppToken, cfg.SlackSigningSecret, cfg.SlackCharts = platform.URL, "xoxb-every-command", "xapp-every-command", signing, "auto"
	e := newSlackEnd(t, cfg)
	if err := e.w.db.PutSources(t.Context(), demosite.Sources(base)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.w.pullAll(t.Context(), demosite.Sources(base), func(string) {}); err != nil {
		t.Fatal(err)
	}
	router := bot.NewRouter(desk{e.w, e.a.now}, e.w.log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.s.Run(ctx, router) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	// What is said is the acknowledgment, or what was posted after it, or a form.
	said := func(ack []byte, before int) string {
		if err := e.s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		out := ""
		if len(ack) > 0 { // one way writes < as \u003c
			var v any
			if err := json.Unmarshal(ack, &v); err != nil {
				t.Fatalf("%v: %s", err, ack)
			}
			again, _ := json.Marshal(v)
			out = string(again)
		}
		for _, m := range platform.Ledger.All()[before:] {
			out += m.Text
		}
		return ids.ReplaceAllString(out, "")
	}
	trigger := 0
	form := func(line string) url.Values {
		trigger++
		return url.Values{
			"command": {"/digest"}, "text": {line}, "team_id": {"T1"}, "channel_id": {"C1"}, "channel_name": {"research"}, "user_id": {"U1"}, "user_name": {"ada"},
			"trigger_id": {strings.Repeat("t", trigger)},
		}
	}
	overHTTP := func(line string) string {
		before := platform.Ledger.Len()
		rec := e.post("/slack/commands", form(line).Encode())
		if rec.Code != http.StatusOK {
			t.Errorf("%s: %d", line, rec.Code)
		}
		return said(rec.Body.Bytes(), before)
	}
	overSocket := func(line string) string {
		before := platform.Ledger.Len()
		flat := map[string]string{}
		for k, v := range form(line) {
			flat[k] = v[0]
		}
		within, done := context.WithTimeout(t.Context(), 30*time.Second)
		defer done()
		ack, err := platform.Ask(within, "slash_commands", flat)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return said(ack, before)
	}
	var lines []string
	for _, c := range bot.Commands() {
		lines = append(lines, c.Example, c.Name, "help "+c.Name)
		if len(c.Name) > 4 {
			lines = append(lines, c.Name[:2]+c.Name[3:]) // a letter was lost
		}
	}
	for _, line := range lines {
		a := overHTTP(line)
		forget(t, e.w.db, line)
		b := overSocket(line)
		for way, answer := range map[string]string{"over HTTP": a, "over a socket": b} {
			if strings.Contains(answer, "wrong on our side") {
				t.Errorf("%s %s: %.300s", line, way, answer)
			}
		}
		if diff := cmp.Diff(a, b); diff != "" && line != "unsubscribe all" { // the second time there is nothing to end
			t.Errorf("%s: two answers (-over HTTP +over a socket):\n%s", line, diff)
		}
		if a == "" && !elsewhere[line] {
			t.Errorf("%s: no answer", line)
		}
	}
	if logs := e.logs.String(); strings.Contains(logs, "level=ERROR") || strings.Contains(logs, "level=WARN") {
		t.Errorf("the log complains:\n%s", logs)
	}
}

// forget ends the subscription that a line has begun, so that it says the same again.
func forget(t *testing.T, db *store.DB, line string) {
	t.Helper()
	if !strings.HasPrefix(line, "subscribe") && !strings.HasPrefix(line, "follow") {
		return
	}
	subs, err := db.Subscriptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range subs {
		if err := db.DeleteSubscription(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// elsewhere are the lines whose answer is neither an acknowledgment nor a message that
// stands: forms, and what takes several messages that only the asker sees. That they
// could be shown the log tells.
var elsewhere = map[string]bool{"subscribe": true, "follow": true, "latest": true, "preview": true}
