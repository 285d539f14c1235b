package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"seedcorn/bot"
)

// Login is Discord's OAuth2 (https://discord.com/developers/docs/topics/oauth2#authorization-code-grant)
// as a [bot.Login]: it lets in the members of servers that the bot is in.
func (a *Adapter) Login(clientID string, secret Secret) bot.Login {
	return &login{a: a, clientID: clientID, secret: secret, authorize: "https://discord.com/oauth2/authorize"}
}

type login struct {
	a         *Adapter
	clientID  string
	secret    Secret
	authorize string

	mu     sync.Mutex
	guilds map[string]bool // that the bot is in
	asked  time.Time
}

func (l *login) Name() string  { return Name }
func (l *login) Label() string { return "Discord" }

// Ask has no use for nonce: without an id_token there is nothing to carry it.
func (l *login) Ask(callback, state, _ string) string {
	return l.authorize + "?" + url.Values{
		"response_type": {"code"}, "scope": {"identify guilds"}, "client_id": {l.clientID}, "redirect_uri": {callback}, "state": {state}, "prompt": {"none"},
	}.Encode()
}

func (l *login) Answer(ctx context.Context, callback, code, _ string) (bot.Reader, error) {
	again := func(err error) error {
		return &bot.Problem{Say: "Discord did not say who you are", Hint: "Sign in once more; a code works once and for a few minutes.", Err: fmt.Errorf("signing in: %w", err)}
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}
	var token struct {
		Access string `json:"access_token"`
		Type   string `json:"token_type"`
	}
	if err := l.ask(ctx, http.MethodPost, "/oauth2/token", "", strings.NewReader(form.Encode()), &token); err != nil {
		return bot.Reader{}, again(err)
	}
	if token.Access == "" || !strings.EqualFold(token.Type, "Bearer") {
		return bot.Reader{}, again(errors.New("no token in the answer"))
	}
	var me struct {
		ID     string `json:"id"`
		Name   string `json:"username"`
		Global string `json:"global_name"`
	}
	if err := l.ask(ctx, http.MethodGet, "/users/@me", token.Access, nil, &me); err != nil {
		return bot.Reader{}, again(err)
	}
	if !isSnowflake(me.ID) {
		return bot.Reader{}, again(errors.New("the answer names nobody"))
	}
	// At most 200, which is as many as a person can be in.
	// https://discord.com/developers/docs/resources/user#get-current-user-guilds
	var theirs []struct {
		ID string `json:"id"`
	}
	if err := l.ask(ctx, http.MethodGet, "/users/@me/guilds", token.Access, nil, &theirs); err != nil {
		return bot.Reader{}, again(err)
	}
	ours, err := l.servers(ctx)
	if err != nil {
		return bot.Reader{}, again(err)
	}
	who := bot.Reader{Platform: Name, ID: me.ID, Name: me.Name}
	if me.Global != "" {
		who.Name = me.Global
	}
	for _, g := range theirs {
		if ours[g.ID] {
			who.Workspaces = append(who.Workspaces, g.ID)
		}
	}
	if len(who.Workspaces) == 0 {
		return bot.Reader{}, &bot.Problem{Say: "Seedcorn is in none of your servers", Hint: "Ask for it to be added to one."}
	}
	return who, nil
}

// ask makes a request that is not the bot's: with a person's token, or with the
// application's name and secret if token is "". It shares no limit with the bot's.
func (l *login) ask(ctx context.Context, method, path, token string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, l.a.opt.Base+path, body)
	if err != nil {
		return fmt.Errorf("asking %s: %w", path, err)
	}
	if token == "" {
		req.SetBasicAuth(l.clientID, string(l.secret))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("User-Agent", l.a.session.UserAgent)
	resp, err := l.a.session.Client.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w", path, bare(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("asking %s: %w", path, bare(err))
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking %s: HTTP %d", path, resp.StatusCode)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("asking %s: not Discord's JSON", path)
	}
	return nil
}

const (
	// serversHold is how long the list of our servers is believed.
	serversHold = 5 * time.Minute
	// serversPage is the most that one answer lists.
	serversPage = 200
	maxServers  = 100_000
)

// servers are those that the bot is in.
func (l *login) servers(ctx context.Context) (map[string]bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guilds != nil && time.Since(l.asked) < serversHold {
		return l.guilds, nil
	}
	found, after := map[string]bool{}, "0"
	for len(found) < maxServers {
		var page []struct {
			ID string `json:"id"`
		}
		out := l.a.do(ctx, call{method: http.MethodGet, path: fmt.Sprintf("/users/@me/guilds?limit=%d&after=%s", serversPage, after), bucket: "/users/@me/guilds"})
		if !out.ok() {
			return nil, fmt.Errorf("listing our servers: %w", out.failure())
		}
		if err := json.Unmarshal(out.body, &page); err != nil {
			return nil, errors.New("listing our servers: not Discord's JSON")
		}
		for _, g := range page {
			if isSnowflake(g.ID) {
				found[g.ID], after = true, g.ID
			}
		}
		if len(page) < serversPage {
			break
		}
	}
	l.guilds, l.asked = found, time.Now()
	return found, nil
}
