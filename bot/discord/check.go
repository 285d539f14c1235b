package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Finding is one thing that was checked.
type Finding struct {
	What string // "token"
	OK   bool
	Say  string // what was found
	Hint string // what to do, if it is not well
}

// Flags of an application that say which privileged intents it may use.
// https://discord.com/developers/docs/resources/application#application-object-application-flags
var privileged = []struct {
	bits int
	name string
}{
	{1<<12 | 1<<13, "presence"}, {1<<14 | 1<<15, "server members"}, {1<<18 | 1<<19, "message content"},
}

// maxSkew is how far the clock may be from Discord's before signed requests and
// waiting times are misjudged.
const maxSkew = 30 * time.Second

// Check asks Discord who we are and looks for what goes wrong most often. It changes
// nothing.
func (a *Adapter) Check(ctx context.Context) []Finding {
	var fs []Finding
	add := func(what string, ok bool, say, hint string) {
		if ok {
			hint = ""
		}
		fs = append(fs, Finding{What: what, OK: ok, Say: say, Hint: hint})
	}
	began := time.Now()
	out := a.do(ctx, call{method: http.MethodGet, path: "/users/@me", bucket: "/users/@me"})
	took := time.Since(began)
	var me struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Bot      bool   `json:"bot"`
	}
	switch {
	case out.status == http.StatusUnauthorized:
		add("token", false, "Discord does not know the token", "reset it on the application's Bot page and set the new one")
		return fs
	case !out.ok():
		add("reach", false, "Discord could not be asked: "+out.failure().Error(), "check the network, and https://discordstatus.com")
		return fs
	case json.Unmarshal(out.body, &me) != nil || !isSnowflake(me.ID):
		add("reach", false, "the answer to who we are is not Discord's", "check the base URL")
		return fs
	}
	add("token", true, fmt.Sprintf("we are %s (%s)", clean(me.Username), me.ID), "")
	if date, err := http.ParseTime(out.header.Get("Date")); err == nil {
		// The header has whole seconds, and the answer took its time.
		skew := began.Add(took / 2).Sub(date.Add(500 * time.Millisecond)).Round(time.Second)
		add("clock", skew.Abs() <= maxSkew, fmt.Sprintf("differs from Discord's by %s", skew.Abs()), "set the clock by NTP")
	}

	var app struct {
		ID        string `json:"id"`
		Flags     int    `json:"flags"`
		VerifyKey string `json:"verify_key"`
		Endpoint  string `json:"interactions_endpoint_url"`
	}
	if err := a.get(ctx, "/applications/@me", &app); err != nil {
		add("application", false, err.Error(), "the token must be a bot's")
		return fs
	}
	if a.opt.ApplicationID != "" {
		add("application", app.ID == a.opt.ApplicationID, "the token is of application "+app.ID, "set that application id, or none")
	}
	var more []string
	for _, p := range privileged {
		if app.Flags&p.bits != 0 {
			more = append(more, p.name)
		}
	}
	add("intents", len(more) == 0, "privileged intents switched on: "+orNone(more), "Seedcorn needs none of them; switch them off on the application's Bot page")
	if a.opt.HTTPOnly {
		add("interactions", app.Endpoint != "", "interactions come over HTTP to "+orNone([]string{app.Endpoint}), "set the interactions endpoint URL on the application's General Information page")
	} else {
		add("interactions", app.Endpoint == "", "interactions come over the gateway", "an interactions endpoint URL is set, so that the gateway brings none; remove it, or use HTTP")
	}
	if a.key != nil || a.opt.HTTPOnly {
		same := strings.EqualFold(strings.TrimSpace(a.opt.PublicKey), app.VerifyKey)
		add("public key", same, "compared with the application's", "copy the public key from the application's General Information page")
	}
	want, err := a.registrations()
	if err != nil {
		add("commands", false, err.Error(), "shorten what the table of commands says")
		return fs
	}
	// A person looks before the first start: what serve will do by itself is no fault.
	var have []registration
	path := "/applications/" + app.ID + "/commands"
	out = a.do(ctx, call{method: http.MethodGet, path: path + "?with_localizations=true", bucket: path})
	switch {
	case out.status == http.StatusNotFound, out.ok() && json.Unmarshal(out.body, &have) == nil && len(have) == 0:
		add("commands", true, "none is registered everywhere yet; seedcorn serve does it when it starts", "")
	case !out.ok():
		add("commands", false, out.failure().Error(), "try again")
	default:
		say := fmt.Sprintf("%d are registered everywhere", len(have))
		if same, err := equal(have, want); err != nil || !same {
			say += "; they differ from this version's, and seedcorn serve registers them anew when it starts"
		}
		add("commands", true, say, "")
	}
	var guilds []struct {
		Name string `json:"name"`
	}
	if a.get(ctx, "/users/@me/guilds?limit=200", &guilds) == nil {
		in, _ := Manifest(app.ID, a.opt.Pictures) // the id is Discord's own
		add("servers", len(guilds) > 0, fmt.Sprintf("we are in %d", len(guilds)), "open this link to add Seedcorn to one: "+in.Server)
	}
	return fs
}

func orNone(names []string) string {
	if s := strings.Join(names, ", "); s != "" {
		return s
	}
	return "none"
}
