package slack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"seedcorn/bot"
)

// Login is “Sign in with Slack” (https://docs.slack.dev/authentication/sign-in-with-slack/)
// as a [bot.Login]: it lets in the members of workspaces in which the app is
// installed, and no guests of theirs.
func (a *Adapter) Login(clientID string, secret Secret) bot.Login {
	return &login{a: a, clientID: clientID, secret: secret, authorize: "https://slack.com/openid/connect/authorize", now: time.Now}
}

type login struct {
	a         *Adapter
	clientID  string
	secret    Secret
	authorize string
	now       func() time.Time
}

func (l *login) Name() string  { return Name }
func (l *login) Label() string { return "Slack" }

func (l *login) Ask(callback, state, nonce string) string {
	return l.authorize + "?" + url.Values{
		"response_type": {"code"}, "scope": {"openid profile"}, "client_id": {l.clientID}, "redirect_uri": {callback}, "state": {state}, "nonce": {nonce},
	}.Encode()
}

// Claims are what an id_token says.
// https://docs.slack.dev/reference/methods/openid.connect.token
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Nonce    string `json:"nonce"`
	Expires  int64  `json:"exp"`
	Team     string `json:"https://slack.com/team_id"`
	User     string `json:"https://slack.com/user_id"`
	Name     string `json:"name"`
}

func (l *login) Answer(ctx context.Context, callback, code, nonce string) (bot.Reader, error) {
	again := func(err error) error {
		return &bot.Problem{Say: "Slack did not say who you are", Hint: "Sign in once more; a code works once and for ten minutes.", Err: fmt.Errorf("signing in: %w", err)}
	}
	var got struct {
		ID string `json:"id_token"`
	}
	args := map[string]string{"client_id": l.clientID, "client_secret": string(l.secret), "code": code, "redirect_uri": callback, "grant_type": "authorization_code"}
	if _, err := l.a.api.call(ctx, "", "openid.connect.token", args, &got); err != nil {
		return bot.Reader{}, again(err)
	}
	c, err := l.read(got.ID, nonce)
	if err != nil {
		return bot.Reader{}, again(err)
	}
	ours, err := l.installed(ctx, c.Team)
	if err != nil {
		return bot.Reader{}, again(err)
	}
	if !ours {
		return bot.Reader{}, &bot.Problem{Say: "Seedcorn is not installed in the workspace that you chose", Hint: "Sign in again and choose another, or ask for it to be installed there."}
	}
	who := l.a.person(ctx, c.Team, bot.Person{ID: c.User, Name: c.Name})
	if who.Guest {
		return bot.Reader{}, &bot.Problem{Say: "You are a guest of that workspace", Hint: "Its members can read these pages."}
	}
	return bot.Reader{Platform: Name, ID: c.User, Name: either(c.Name, who.Name), Workspaces: []string{c.Team}}, nil
}

// read reads an id_token. It came from Slack itself over TLS, so its signature need
// not be checked (https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation,
// number 6); that it is meant for us, now, and for this very login must be.
func (l *login) read(token, nonce string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("no id_token in the answer")
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	switch {
	case err != nil:
		return c, errors.New("the id_token cannot be read")
	case strings.TrimSuffix(c.Issuer, "/") != "https://slack.com" || c.Audience != l.clientID:
		return c, errors.New("the id_token is not of Slack's for us")
	case nonce == "" || c.Nonce != nonce:
		return c, errors.New("the id_token is of another login")
	case l.now().Unix() >= c.Expires:
		return c, errors.New("the id_token is too old; check the clock")
	case c.Team == "" || c.User == "":
		return c, errors.New("the id_token names no member of a workspace")
	}
	return c, nil
}

// installed reports whether the app is in a workspace: whether we have a token that
// Slack takes to be of that one.
func (l *login) installed(ctx context.Context, workspace string) (bool, error) {
	token, err := l.a.opt.Tokens.Token(ctx, workspace)
	if errors.Is(err, ErrNoToken) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var got struct {
		Team string `json:"team_id"`
	}
	// https://docs.slack.dev/reference/methods/auth.test
	if _, err := l.a.api.call(ctx, token, "auth.test", struct{}{}, &got); err != nil {
		return false, err
	}
	return got.Team == workspace, nil
}
