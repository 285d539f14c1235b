package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/cmd/seedcorn/internal/hostile"
	"seedcorn/digest"
)

// What Slack sends again does nothing again, in another process and after a restart,
// even if the person has done something else meanwhile.
func TestSentTwiceToTwoProcesses(t *testing.T) {
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
	cfg := demoConfig(base, filepath.Join(t.TempDir(), "twice.db"))
	cfg.SlackURL, cfg.SlackBotToken, cfg.SlackSigningSecret = platform.URL, "xoxb-sent-twice", signing
	one := newSlackEnd(t, cfg)
	if err := one.w.db.PutSources(t.Context(), demosite.Sources(base)); err != nil {
		t.Fatal(err)
	}
	if _, err := one.w.pullAll(t.Context(), demosite.Sources(base), func(string) {}); err != nil {
		t.Fatal(err)
	}
	two := newSlackEnd(t, cfg) // as after a restart, or beside it
	works, err := one.w.findWorks(t.Context(), "2505.09388")
	if err != nil || len(works) != 1 {
		t.Fatal(len(works), err)
	}
	work := string(works[0].ID)
	wait := func(e *slackEnd) {
		t.Helper()
		if err := e.s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	command := func(trigger, line string, ends ...*slackEnd) {
		t.Helper()
		for _, e := range ends {
			e.post("/slack/commands", url.Values{
				"command": {"/digest"}, "text": {line}, "team_id": {"T1"}, "channel_id": {"C1"}, "user_id": {"U1"}, "user_name": {"ada"}, "trigger_id": {trigger},
			}.Encode())
			wait(e)
		}
	}
	click := func(trigger, line string, ends ...*slackEnd) {
		t.Helper()
		for _, e := range ends {
			e.post("/slack/interactive", url.Values{"payload": {fmt.Sprintf(
				`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1","username":"ada"},"channel":{"id":"C1"},"trigger_id":%q,"actions":[{"action_id":"a1","value":%q}]}`, trigger, line)}}.Encode())
			wait(e)
		}
	}
	place := bot.Place{Platform: "slack", Workspace: "T1", Channel: "C1"}
	opinion := func() digest.Opinion {
		t.Helper()
		o, err := desk{one.w, one.a.now}.Opinion(t.Context(), place, works[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	click("1", "vote "+work+" value:useful", one)
	click("2", "vote "+work+" value:not-useful", one)
	click("1", "vote "+work+" value:useful", two)
	if o := opinion(); o != (digest.Opinion{Not: 1}) {
		t.Errorf("an old vote came back: %+v", o)
	}
	command("3", "subscribe country:FR", one, two)
	subs, err := one.w.db.Subscriptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range subs {
		if s.Destination == place.Destination() {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	private := fmt.Sprintf(`{"cmd":"correct","ch":"C1","fix":{"work":%q}}`, work)
	form := fmt.Sprintf(`{"type":"view_submission","team":{"id":"T1"},"user":{"id":"U1","username":"ada"},"trigger_id":"4","view":{"id":"V1","type":"modal","callback_id":"seedcorn_form","private_metadata":%q,
		"state":{"values":{"p:field":{"answer":{"selected_option":{"value":"country"}}},"p:value":{"answer":{"value":"FR"}},"p:because":{"answer":{"value":"it says so"}}}}}}`, private)
	for _, e := range []*slackEnd{one, two} {
		e.post("/slack/interactive", url.Values{"payload": {form}}.Encode())
		wait(e)
	}
	filed, err := one.w.db.Corrections(t.Context(), works[0].ID) // whoever asks is an editor here
	if err != nil || len(filed) != 1 {
		t.Errorf("%d corrections, %v", len(filed), err)
	}
	// An event has an id of its own.
	said := fmt.Sprintf(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event_time":%d,"event":{"type":"app_mention","user":"U1","channel":"C1","ts":"1.2","text":"<@U0> subscribe country:DE"}}`, time.Now().Unix())
	for _, e := range []*slackEnd{one, two} {
		e.post("/slack/events", said)
		wait(e)
	}
	if again, err := one.w.db.Subscriptions(t.Context()); err != nil || len(again) != len(subs)+1 {
		t.Errorf("%d subscriptions after a mention, %d before, %v", len(again), len(subs), err)
	}
}
