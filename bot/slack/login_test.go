package slack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
)

func TestLogin(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	const callback = "https://research.example/login/slack/back"
	good := map[string]any{
		"iss": "https://slack.com", "aud": "1.2", "nonce": "n1", "exp": now.Unix() + 60, "https://slack.com/team_id": "T1", "https://slack.com/user_id": "U7", "name": "Ana",
	}
	// idToken is an answer with claims, some of them changed.
	idToken := func(change ...any) string {
		c := maps.Clone(good)
		for i := 0; i+1 < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return `{"ok":true,"access_token":"xoxp-secret","id_token":"e30.` + base64.RawURLEncoding.EncodeToString(b) + `.c2ln"}`
	}
	const member = `{"ok":true,"user":{"id":"U7","name":"ana"}}`
	tests := []struct {
		name   string
		token  string // what openid.connect.token answers
		team   string // what auth.test answers
		user   string // what users.info answers
		tokens Tokens
		want   bot.Reader
		say    string
	}{
		{name: "a member", token: idToken(), team: `{"ok":true,"team_id":"T1"}`, user: member, want: bot.Reader{Platform: "slack", ID: "U7", Name: "Ana", Workspaces: []string{"T1"}}},
		{name: "without users:read", token: idToken(), team: `{"ok":true,"team_id":"T1"}`, user: `{"ok":false,"error":"missing_scope"}`, want: bot.Reader{Platform: "slack", ID: "U7", Name: "Ana", Workspaces: []string{"T1"}}},
		{name: "a guest", token: idToken(), team: `{"ok":true,"team_id":"T1"}`, user: `{"ok":true,"user":{"id":"U7","is_restricted":true}}`, say: "You are a guest of that workspace"},
		{name: "of another workspace", token: idToken("https://slack.com/team_id", "T2"), team: `{"ok":true,"team_id":"T1"}`, user: member, say: "Seedcorn is not installed in the workspace that you chose"},
		{name: "where there is no token", token: idToken(), team: `{"ok":true,"team_id":"T1"}`, user: member, tokens: OneToken(""), say: "Seedcorn is not installed in the workspace that you chose"},
		{name: "our token was revoked", token: idToken(), team: `{"ok":false,"error":"token_revoked"}`, user: member, say: "Slack did not say who you are"},
		{name: "for another app", token: idToken("aud", "9.9"), say: "Slack did not say who you are"},
		{name: "of another issuer", token: idToken("iss", "https://slack.com.evil.example"), say: "Slack did not say who you are"},
		{name: "of another login", token: idToken("nonce", "n2"), say: "Slack did not say who you are"},
		{name: "without a nonce", token: idToken("nonce", ""), say: "Slack did not say who you are"},
		{name: "too old", token: idToken("exp", now.Unix()), say: "Slack did not say who you are"},
		{name: "of nobody", token: idToken("https://slack.com/user_id", ""), say: "Slack did not say who you are"},
		{name: "no token", token: `{"ok":true}`, say: "Slack did not say who you are"},
		{name: "garbage", token: `{"ok":true,"id_token":"a.b.c"}`, say: "Slack did not say who you are"},
		{name: "a code that was used", token: `{"ok":false,"error":"invalid_code"}`, say: "Slack did not say who you are"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.on("openid.connect.token", says(200, tt.token))
			f.on("auth.test", says(200, tt.team))
			f.on("users.info", says(200, tt.user))
			a, _ := newAdapter(t, f, func(o *Options) {
				if tt.tokens != nil {
					o.Tokens = tt.tokens
				}
			})
			l := a.Login("1.2", "hush-hush").(*login)
			l.now = func() time.Time { return now }

			u, err := url.Parse(l.Ask(callback, "s1", "n1"))
			if err != nil {
				t.Fatal(err)
			}
			want := url.Values{"response_type": {"code"}, "scope": {"openid profile"}, "client_id": {"1.2"}, "redirect_uri": {callback}, "state": {"s1"}, "nonce": {"n1"}}
			if diff := cmp.Diff(want, u.Query()); diff != "" || u.Host != "slack.com" {
				t.Errorf("asks at %s (-want +got):\n%s", u.Host, diff)
			}

			got, err := l.Answer(context.Background(), callback, "c1", "n1")
			if c := f.of("openid.connect.token")[0]; c.str("code") != "c1" || c.str("redirect_uri") != callback || c.str("client_secret") != "hush-hush" {
				t.Errorf("traded %v", c.Args)
			}
			var p *bot.Problem
			switch {
			case tt.say == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.say != "" && (!errors.As(err, &p) || p.Say != tt.say):
				t.Fatalf("said %v, want %q", err, tt.say)
			case err != nil && (strings.Contains(err.Error(), "hush-hush") || strings.Contains(err.Error(), "c1")):
				t.Errorf("a secret in %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
