package slack

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Install is the OAuth flow by which any workspace adds the app
// (https://docs.slack.dev/authentication/installing-with-oauth): /slack/install sends
// the browser to Slack, /slack/oauth takes it back with a code and trades that for
// a token.
type Install struct {
	ClientID     string
	ClientSecret Secret
	// Redirect is the public address of /slack/oauth, as the manifest has it.
	Redirect string
	// Store keeps the token; what it returns is for the log.
	Store func(ctx context.Context, in Installed) error
}

// Installed is what a workspace gave us.
type Installed struct {
	Workspace string // T…
	Name      string
	Token     Secret // xoxb-…
	Scopes    []string
	By        string // who installed it
}

const (
	stateCookie = "seedcorn_slack_state"
	stateLife   = 10 * time.Minute
)

// install adds the two addresses of the flow.
func (a *Adapter) install(mux *http.ServeMux) {
	in := a.opt.Install
	mux.HandleFunc("GET /slack/install", func(w http.ResponseWriter, r *http.Request) {
		raw := make([]byte, 32)
		rand.Read(raw) // it never fails: https://pkg.go.dev/crypto/rand#Read
		state := base64.RawURLEncoding.EncodeToString(raw)
		// The state comes back in the address and in the cookie; nobody else can make
		// the browser bring both.
		http.SetCookie(w, &http.Cookie{
			Name: stateCookie, Value: state, Path: "/slack/oauth", MaxAge: int(stateLife.Seconds()),
			HttpOnly: true, Secure: strings.HasPrefix(in.Redirect, "https://"), SameSite: http.SameSiteLaxMode,
		})
		q := url.Values{"client_id": {in.ClientID}, "scope": {strings.Join(scopeNames(a.opt.Unfurl), ",")}, "redirect_uri": {in.Redirect}, "state": {state}}
		http.Redirect(w, r, a.api.site+"/oauth/v2/authorize?"+q.Encode(), http.StatusFound)
	})
	mux.HandleFunc("GET /slack/oauth", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: stateCookie, Path: "/slack/oauth", MaxAge: -1, HttpOnly: true})
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		status, say := a.trade(r)
		w.WriteHeader(status)
		io.WriteString(w, say+"\n")
	})
}

// Workspace asks Slack which workspace a token is of. alive is false if Slack does not
// accept the token any more; an error means that it could not be asked.
func (a *Adapter) Workspace(ctx context.Context, token Secret) (id string, alive bool, err error) {
	var who struct {
		ID string `json:"team_id"`
	}
	_, err = a.api.call(ctx, string(token), "auth.test", map[string]string{}, &who)
	switch code(err) {
	case "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed":
		return "", false, nil
	}
	return who.ID, err == nil, err
}

// Revoke has Slack forget a token (https://docs.slack.dev/reference/methods/auth.revoke).
// One that it has forgotten already is no error.
func (a *Adapter) Revoke(ctx context.Context, token Secret) error {
	_, err := a.api.call(ctx, string(token), "auth.revoke", url.Values{}, nil)
	switch code(err) {
	case "token_revoked", "account_inactive", "invalid_auth":
		return nil
	}
	return err
}

// trade makes a token of the code that the browser brought, and says what to tell
// the person.
func (a *Adapter) trade(r *http.Request) (status int, say string) {
	in, q := a.opt.Install, r.URL.Query()
	cookie, err := r.Cookie(stateCookie)
	state := q.Get("state")
	if err != nil || state == "" || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(state)) != 1 {
		return http.StatusForbidden, "This page was not reached from ours. Begin again at /slack/install."
	}
	if _, first := a.seen.begin("state "+state, time.Now()); !first {
		return http.StatusForbidden, "This page was used already. Begin again at /slack/install."
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return http.StatusOK, "Seedcorn was not installed. You can begin again at /slack/install at any time."
	}
	var got struct {
		Token   string  `json:"access_token"`
		Refresh string  `json:"refresh_token"` // there only with token rotation
		Scope   string  `json:"scope"`
		Team    *idName `json:"team"`
		User    struct {
			ID string `json:"id"`
		} `json:"authed_user"`
	}
	// https://docs.slack.dev/reference/methods/oauth.v2.access
	args := url.Values{"client_id": {in.ClientID}, "client_secret": {string(in.ClientSecret)}, "code": {q.Get("code")}, "redirect_uri": {in.Redirect}}
	if _, err := a.api.call(r.Context(), "", "oauth.v2.access", args, &got); err != nil {
		a.log.Error("installing", "platform", Name, "error", err)
		return http.StatusBadGateway, "Slack did not accept the installation. Begin again at /slack/install; a code works once and for ten minutes."
	}
	if got.Team == nil || got.Team.ID == "" || got.Token == "" {
		return http.StatusBadRequest, "Seedcorn is installed workspace by workspace, not for a whole organization. Begin again at /slack/install and choose a workspace."
	}
	if got.Refresh != "" || !strings.HasPrefix(got.Token, "xoxb-") {
		// https://docs.slack.dev/authentication/using-token-rotation: it cannot be turned
		// off again for an app, and a token that lives twelve hours is not one to post
		// weekly with.
		a.log.Error("installing", "platform", Name, "workspace", got.Team.ID, "error", "the app rotates its tokens, which is not supported: make an app from the manifest, which does not")
		return http.StatusNotImplemented, "Seedcorn does not support token rotation, which is on for this app. Its operator has to make an app without it, as the manifest does."
	}
	done := Installed{Workspace: got.Team.ID, Name: got.Team.Name, Token: Secret(got.Token), Scopes: strings.Split(got.Scope, ","), By: got.User.ID}
	if err := in.Store(r.Context(), done); err != nil {
		a.log.Error("installing", "platform", Name, "workspace", done.Workspace, "error", err)
		return http.StatusInternalServerError, "The installation could not be kept. It has been noted; begin again at /slack/install later."
	}
	return http.StatusOK, "Seedcorn is installed. Type " + a.opt.Command + " help in any channel."
}
