package slack

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errCut = errors.New("connection reset")

func TestWorkspaceOfToken(t *testing.T) {
	for _, tt := range []struct {
		answer string
		id     string
		alive  bool
		fails  bool
	}{
		{`{"ok":true,"team_id":"T1"}`, "T1", true, false},
		{`{"ok":false,"error":"account_inactive"}`, "", false, false},
		{`{"ok":false,"error":"token_revoked"}`, "", false, false},
		{`{"ok":false,"error":"fatal_error"}`, "", false, true},
		{`<html>`, "", false, true},
	} {
		f := newFake(t)
		f.on("auth.test", says(200, tt.answer))
		a, _ := newAdapter(t, f, nil)
		id, alive, err := a.Workspace(t.Context(), testToken)
		if id != tt.id || alive != tt.alive || (err != nil) != tt.fails || f.of("auth.test")[0].Token != testToken {
			t.Errorf("%s: %q, %t, %v", tt.answer, id, alive, err)
		}
	}
}

func TestRevoke(t *testing.T) {
	for answer, fails := range map[string]bool{`{"ok":true,"revoked":true}`: false, `{"ok":false,"error":"token_revoked"}`: false, `{"ok":false,"error":"internal_error"}`: true} {
		f := newFake(t)
		f.on("auth.revoke", says(200, answer))
		a, _ := newAdapter(t, f, nil)
		if err := a.Revoke(t.Context(), testToken); (err != nil) != fails || len(f.of("auth.revoke")) != 1 {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestInstall(t *testing.T) {
	const good = `{"ok":true,"access_token":"xoxb-new","scope":"commands,chat:write","team":{"id":"T9","name":"Lab"},"authed_user":{"id":"U9"}}`
	var stored []Installed
	storing := error(nil)
	f := newFake(t)
	f.on("oauth.v2.access", says(200, good))
	a, logs := newAdapter(t, f, func(o *Options) {
		o.Install = &Install{ClientID: "1.2", ClientSecret: "hush-hush", Redirect: "https://bot.example.org/slack/oauth", Store: func(_ context.Context, in Installed) error {
			stored = append(stored, in)
			return storing
		}}
	})
	h := a.Handler(&echo{})
	begin := func() (state string, cookie *http.Cookie) {
		w := do(h, httptest.NewRequest("GET", "/slack/install", nil))
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != http.StatusFound || to.Host != "slack.test" || to.Path != "/oauth/v2/authorize" {
			t.Fatalf("%d to %v, %v", w.Code, to, err)
		}
		q := to.Query()
		if q.Get("client_id") != "1.2" || q.Get("redirect_uri") != "https://bot.example.org/slack/oauth" || !strings.Contains(q.Get("scope"), "chat:write") || strings.Contains(q.Get("scope"), "links:") {
			t.Errorf("asked for %v", q)
		}
		c := w.Result().Cookies()[0]
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || len(c.Value) < 40 {
			t.Errorf("cookie %+v", c)
		}
		return q.Get("state"), c
	}
	end := func(query string, cookie *http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/slack/oauth?"+query, nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		return do(h, r)
	}

	state, cookie := begin()
	if w := end("code=c1&state="+state, cookie); w.Code != 200 || !strings.Contains(w.Body.String(), "installed") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	want := []Installed{{Workspace: "T9", Name: "Lab", Token: "xoxb-new", Scopes: []string{"commands", "chat:write"}, By: "U9"}}
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if c := f.of("oauth.v2.access")[0]; c.str("code") != "c1" || c.str("client_secret") != "hush-hush" {
		t.Errorf("traded %v", c.Args)
	}

	other, otherCookie := begin()
	if other == state {
		t.Error("the same state twice")
	}
	late, lateCookie := begin()
	tests := []struct {
		name   string
		query  string
		cookie *http.Cookie
		answer string
		store  error
		want   int
	}{
		{"used already", "code=c1&state=" + state, cookie, good, nil, 403},
		{"no cookie", "code=c1&state=" + other, nil, good, nil, 403},
		{"somebody else's cookie", "code=c1&state=" + other, lateCookie, good, nil, 403},
		{"no state", "code=c1", otherCookie, good, nil, 403},
		{"empty state", "code=c1&state=", &http.Cookie{Name: stateCookie, Value: ""}, good, nil, 403},
		{"declined", "error=access_denied&state=" + other, otherCookie, good, nil, 200},
		{"a bad code", "code=c2&state=" + late, lateCookie, `{"ok":false,"error":"invalid_code"}`, nil, 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.on("oauth.v2.access", says(200, tt.answer))
			if w := end(tt.query, tt.cookie); w.Code != tt.want {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	if len(stored) != 1 {
		t.Errorf("stored %d", len(stored))
	}
	for name, tt := range map[string]struct {
		answer string
		store  error
		want   int
	}{
		"rotating tokens":      {strings.Replace(good, `"scope"`, `"refresh_token":"xoxe-1","expires_in":43200,"scope"`, 1), nil, 501},
		"an expiring token":    {strings.Replace(good, "xoxb-new", "xoxe.xoxb-1", 1), nil, 501},
		"a whole organization": {`{"ok":true,"access_token":"xoxb-1","is_enterprise_install":true,"team":null}`, nil, 400},
		"not kept":             {good, errors.New("disk full"), 500},
	} {
		t.Run(name, func(t *testing.T) {
			state, cookie := begin()
			f.on("oauth.v2.access", says(200, tt.answer))
			storing = tt.store
			if w := end("code=c&state="+state, cookie); w.Code != tt.want {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	if len(stored) != 2 {
		t.Errorf("stored %d", len(stored))
	}
	if strings.Contains(logs.String(), "hush-hush") || strings.Contains(logs.String(), "xoxb-new") {
		t.Errorf("a secret is in the log:\n%s", logs)
	}
}
