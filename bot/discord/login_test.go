package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
)

func TestLogin(t *testing.T) {
	const callback = "https://research.example/login/discord/back"
	const token = `{"access_token":"a-person's","token_type":"Bearer"}`
	const me = `{"id":"` + userID + `","username":"ana","global_name":"Ana"}`
	theirs := `[{"id":"` + guild + `"},{"id":"99999"}]`
	tests := []struct {
		name              string
		token, me, theirs string
		ours              int // how many other servers the bot is in, before theirs
		status            int
		want              bot.Reader
		say               string
	}{
		{name: "a member", token: token, me: me, theirs: theirs, want: bot.Reader{Platform: "discord", ID: userID, Name: "Ana", Workspaces: []string{guild}}},
		{name: "a member of the last of many", token: token, me: me, theirs: theirs, ours: 430, want: bot.Reader{Platform: "discord", ID: userID, Name: "Ana", Workspaces: []string{guild}}},
		{name: "without a name to show", token: token, me: `{"id":"` + userID + `","username":"ana"}`, theirs: theirs, want: bot.Reader{Platform: "discord", ID: userID, Name: "ana", Workspaces: []string{guild}}},
		{name: "of none of our servers", token: token, me: me, theirs: `[{"id":"299000000000000000"}]`, say: "Seedcorn is in none of your servers"},
		{name: "of no server", token: token, me: me, theirs: `[]`, say: "Seedcorn is in none of your servers"},
		{name: "a code that was used", token: `{"error":"invalid_grant"}`, status: 400, say: "Discord did not say who you are"},
		{name: "no token", token: `{}`, say: "Discord did not say who you are"},
		{name: "a token of another kind", token: `{"access_token":"x","token_type":"MAC"}`, say: "Discord did not say who you are"},
		{name: "nobody", token: token, me: `{}`, say: "Discord did not say who you are"},
		{name: "garbage", token: token, me: me, theirs: `<html>`, say: "Discord did not say who you are"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
				path, auth := strings.TrimPrefix(r.URL.Path, "/api/v10"), r.Header.Get("Authorization")
				person := auth == "Bearer a-person's"
				if auth == "" || auth == "Bearer " {
					t.Errorf("%s asked by nobody", path)
				}
				switch {
				case path == "/oauth2/token":
					if id, secret, _ := r.BasicAuth(); id != appID || secret != "hush-hush" {
						t.Errorf("traded by %q", id)
					}
					if tt.status != 0 {
						w.WriteHeader(tt.status)
					}
					fmt.Fprint(w, tt.token)
				case path == "/users/@me" && person:
					fmt.Fprint(w, tt.me)
				case path == "/users/@me/guilds" && person:
					fmt.Fprint(w, tt.theirs)
				case path == "/users/@me/guilds":
					// Ascending by id, from after on.
					var after int
					fmt.Sscan(r.URL.Query().Get("after"), &after)
					var page []string
					for n := after + 1; n <= tt.ours && len(page) < serversPage; n++ {
						page = append(page, fmt.Sprintf(`{"id":"%d"}`, n))
					}
					if len(page) < serversPage && fmt.Sprint(after) != guild {
						page = append(page, `{"id":"`+guild+`"}`)
					}
					fmt.Fprint(w, "["+strings.Join(page, ",")+"]")
				default:
					return false
				}
				return true
			}
			a := f.adapter(t, Options{})
			l := a.Login(appID, "hush-hush")

			u, err := url.Parse(l.Ask(callback, "s1", "n1"))
			if err != nil {
				t.Fatal(err)
			}
			want := url.Values{"response_type": {"code"}, "scope": {"identify guilds"}, "client_id": {appID}, "redirect_uri": {callback}, "state": {"s1"}, "prompt": {"none"}}
			if diff := cmp.Diff(want, u.Query()); diff != "" || u.Host != "discord.com" {
				t.Errorf("asks at %s (-want +got):\n%s", u.Host, diff)
			}

			for range 2 { // the second time our servers are known
				got, err := l.Answer(context.Background(), callback, "c1", "n1")
				var p *bot.Problem
				switch {
				case tt.say == "" && err != nil:
					t.Fatalf("refused: %v", err)
				case tt.say != "" && (!errors.As(err, &p) || p.Say != tt.say):
					t.Fatalf("said %v, want %q", err, tt.say)
				case err != nil && strings.Contains(err.Error(), "hush-hush"):
					t.Errorf("a secret in %v", err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}
