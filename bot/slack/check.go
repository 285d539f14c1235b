package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"seedcorn/bot"
)

// A Finding is one thing that a check looked at.
type Finding struct {
	What string // "bot token", "scopes", "clock"
	OK   bool
	Say  string // what was found
	Hint string // what to do about it; "" if nothing
}

// clockMost is how far our clock may be from Slack's: signatures are good for five
// minutes, of which the way takes some.
const clockMost = 2 * time.Minute

// Check asks Slack about the app in a workspace: whether the bot token is good,
// whose it is, which scopes are missing, whether our clock agrees with Slack's, and
// with an app token whether a socket can be opened. It changes nothing. now is the
// time here.
func (a *Adapter) Check(ctx context.Context, workspace string, now func() time.Time) []Finding {
	var out []Finding
	add := func(what string, ok bool, hint, format string, args ...any) {
		if ok {
			hint = ""
		}
		out = append(out, Finding{what, ok, fmt.Sprintf(format, args...), hint})
	}
	token, err := a.opt.Tokens.Token(ctx, workspace)
	switch {
	case errors.Is(err, ErrNoToken):
		add("bot token", false, "install the app in the workspace, and give Seedcorn its bot token (xoxb-…)", "there is none")
	case err != nil:
		add("bot token", false, "check the database and the key of the tokens", "it could not be read: %v", err)
	case !strings.HasPrefix(token, "xoxb-"):
		add("bot token", false, "take the “Bot User OAuth Token” of the app's page “OAuth & Permissions”", "it does not begin with xoxb-")
	}
	if token != "" {
		a.checkToken(ctx, token, now, add)
	}
	switch {
	case a.opt.AppToken != "":
		_, err := a.api.call(ctx, string(a.opt.AppToken), "apps.connections.open", map[string]string{}, nil)
		add("socket", err == nil, hintOf(err, "make an app-level token with the scope connections:write, and turn Socket Mode on"), "%s", found(err, "a socket can be opened"))
	case a.opt.SigningSecret != "":
		add("requests", true, "", "signed requests are expected at /slack/commands, /slack/interactive and /slack/events")
	default:
		add("way in", false, "give Seedcorn an app token (xapp-…) for Socket Mode, or the signing secret for requests over HTTP", "nothing can be asked: there is neither an app token nor a signing secret")
	}
	return out
}

// CheckLive has Slack look at messages without posting them
// (https://docs.slack.dev/reference/methods/blocks.validate), one finding for each.
func (a *Adapter) CheckLive(ctx context.Context, workspace string, parts []bot.Part) []Finding {
	token, err := a.opt.Tokens.Token(ctx, workspace)
	if err != nil {
		return []Finding{{What: "messages", Say: err.Error(), Hint: "install the app in the workspace"}}
	}
	var out []Finding
	for i, p := range parts {
		x := Finding{What: fmt.Sprintf("message %d of %d", i+1, len(parts)), OK: true, Say: "Slack takes it"}
		validate := func(message []byte) error {
			_, err := a.api.call(ctx, token, "blocks.validate", map[string]string{"message": string(message)}, nil)
			return err
		}
		text := []byte(p.Payload)
		if forms, ok := readPayload(p.Payload); ok {
			x.Say = "Slack takes it, with its own charts"
			native, err := forms.with(asNative)
			if err == nil {
				err = validate(native)
			}
			if err != nil {
				x.Say = "Slack takes it, with pictures or bars of text in place of its own charts: " + err.Error()
			}
			if text, err = forms.with(asText); err != nil {
				text = p.Payload
			}
		}
		if err := validate(text); err != nil {
			x.OK, x.Say, x.Hint = false, err.Error(), hintOf(err, "this is a fault of ours: please report it with this line")
		}
		out = append(out, x)
	}
	return out
}

func (a *Adapter) checkToken(ctx context.Context, token string, now func() time.Time, add func(what string, ok bool, hint, format string, args ...any)) {
	var who struct {
		Team string `json:"team"`
		User string `json:"user"`
		ID   string `json:"team_id"`
	}
	began := now()
	// https://docs.slack.dev/reference/methods/auth.test
	header, err := a.api.call(ctx, token, "auth.test", map[string]string{}, &who)
	add("bot token", err == nil, hintOf(err, "install the app again and take its new token"), "%s", found(err, fmt.Sprintf("Slack knows it as %s of %s (%s)", tidy(who.User), tidy(who.Team), tidy(who.ID))))
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		off := began.Sub(at).Round(time.Second)
		add("clock", off.Abs() <= clockMost, "set the clock (NTP): Slack's signatures are good for five minutes only", "ours is %s from Slack's", off.Abs())
	}
	if err != nil {
		return
	}
	granted := strings.FieldsFunc(header.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(granted) == 0 {
		add("scopes", false, "look at the app's page “OAuth & Permissions”", "Slack did not name them")
		return
	}
	var missing, declined []string
	for _, s := range Scopes {
		if s.Unfurl && !a.opt.Unfurl || slices.Contains(granted, s.Name) {
			continue
		}
		if s.Optional {
			declined = append(declined, s.Name+" (so "+s.Without+")")
			continue
		}
		missing = append(missing, s.Name+" (without it, "+s.Without+")")
	}
	add("scopes", len(missing) == 0, "add them on the app's page “OAuth & Permissions”, and install the app again", "%s", either(strings.Join(missing, "; "), fmt.Sprintf("all %d are granted", len(scopeNames(a.opt.Unfurl))-len(declined))))
	if len(declined) > 0 {
		add("scopes", true, "", "not granted, and not needed: %s", strings.Join(declined, "; "))
	}
	var extra []string
	for _, g := range granted {
		if !slices.ContainsFunc(Scopes, func(s Scope) bool { return s.Name == g }) {
			extra = append(extra, g)
		}
	}
	if len(extra) > 0 {
		add("scopes", true, "", "granted and not needed: %s", strings.Join(extra, ", "))
	}
}

func found(err error, good string) string {
	if err == nil {
		return good
	}
	return err.Error()
}

// hintOf is the hint for an error: what is wrong with the token, or with the way
// to Slack.
func hintOf(err error, refused string) string {
	if err != nil && code(err) == "" {
		return "is there a way from here to https://slack.com? Behind a proxy set HTTPS_PROXY"
	}
	return refused
}
