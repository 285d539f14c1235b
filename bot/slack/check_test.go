package slack

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
)

func TestCheck(t *testing.T) {
	now := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	granted := strings.Join(scopeNames(false), ",")
	who := `{"ok":true,"team":"Lab","user":"seedcorn","team_id":"T1"}`
	date := now.Format(http.TimeFormat)
	tests := []struct {
		name   string
		answer func(call) (*http.Response, error)
		change func(*Options)
		bad    string // what of the findings are faults, joined
		say    string // somewhere in what is said or hinted
	}{
		{"all well", says(200, who, "X-OAuth-Scopes", granted, "Date", date), nil, "", "seedcorn of Lab (T1)"},
		{"more than needed", says(200, who, "X-OAuth-Scopes", granted+",files:read", "Date", date), nil, "", "granted and not needed: files:read"},
		{"without what is optional", says(200, who, "X-OAuth-Scopes", strings.Replace(granted, ",files:write", "", 1), "Date", date), nil, "", "files:write (so such a workspace is shown bars of text)"},
		{"scopes missing", says(200, who, "X-OAuth-Scopes", "chat:write, commands", "Date", date), nil, "scopes", "im:write (without it, nobody can subscribe for themselves)"},
		{"no scopes named", says(200, who, "Date", date), nil, "scopes", "did not name"},
		{"clock off", says(200, who, "X-OAuth-Scopes", granted, "Date", now.Add(-4*time.Minute).Format(http.TimeFormat)), nil, "clock", "4m0s"},
		{"revoked", says(200, `{"ok":false,"error":"token_revoked"}`, "Date", date), nil, "bot token", "install the app again"},
		{"no way to Slack", func(call) (*http.Response, error) { return nil, errCut }, nil, "bot token", "HTTPS_PROXY"},
		{"no token", nil, func(o *Options) { o.Tokens = OneToken("") }, "bot token", "install the app"},
		{"a person's token", says(200, who, "X-OAuth-Scopes", granted, "Date", date), func(o *Options) { o.Tokens = OneToken("xoxp-1") }, "bot token", "Bot User OAuth Token"},
		{"no way in", says(200, who, "X-OAuth-Scopes", granted, "Date", date), func(o *Options) { o.SigningSecret = "" }, "way in", "xapp-"},
		{"a socket", says(200, who, "X-OAuth-Scopes", granted, "Date", date), func(o *Options) { o.AppToken = "xapp-1" }, "", "a socket can be opened"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			if tt.answer != nil {
				f.on("auth.test", tt.answer)
			}
			a, _ := newAdapter(t, f, tt.change)
			var bad []string
			all := ""
			for _, x := range a.Check(t.Context(), "T1", func() time.Time { return now }) {
				if !x.OK {
					bad = append(bad, x.What)
					if x.Hint == "" {
						t.Errorf("%s: no hint", x.What)
					}
				}
				all += x.What + ": " + x.Say + " " + x.Hint + "\n"
			}
			if got := strings.Join(bad, ","); got != tt.bad {
				t.Errorf("faults %q, want %q\n%s", got, tt.bad, all)
			}
			if !strings.Contains(all, tt.say) {
				t.Errorf("nothing says %q:\n%s", tt.say, all)
			}
			if strings.Contains(all, testToken) {
				t.Error("the token is told")
			}
		})
	}
	t.Run("a socket that is refused", func(t *testing.T) {
		f := newFake(t)
		f.on("auth.test", says(200, who, "X-OAuth-Scopes", granted, "Date", date))
		f.on("apps.connections.open", says(200, `{"ok":false,"error":"missing_scope","needed":"connections:write"}`))
		a, _ := newAdapter(t, f, func(o *Options) { o.AppToken = "xapp-1" })
		last := a.Check(t.Context(), "T1", func() time.Time { return now })
		x := last[len(last)-1]
		if x.OK || !strings.Contains(x.Hint, "connections:write") {
			t.Errorf("%+v", x)
		}
	})
}

func TestCheckLive(t *testing.T) {
	f := newFake(t)
	n := 0
	f.on("blocks.validate", func(c call) (*http.Response, error) {
		if faults, _ := validMessage([]byte(c.str("message"))); len(faults) > 0 {
			t.Errorf("asked about %q", faults)
		}
		if n++; n == 2 {
			return response(200, `{"ok":false,"error":"invalid_message","errors":[{"pointer":"/blocks/0/text","code":"failed_constraint","message":"must be less than 151 characters"}]}`), nil
		}
		return response(200, `{"ok":true}`), nil
	})
	a, _ := newAdapter(t, f, nil)
	got := a.CheckLive(t.Context(), "T1", []bot.Part{onePart(t), onePart(t), onePart(t)})
	if len(got) != 3 || !got[0].OK || got[1].OK || !got[2].OK || !strings.Contains(got[1].Say, "/blocks/0/text") {
		t.Errorf("%+v", got)
	}
}
