package slack

import (
	"fmt"
	"net/url"
	"strings"

	"seedcorn/bot"
)

// A Scope is a permission that the app asks for.
type Scope struct {
	Name    string
	Why     string
	Without string // what stops working without it
	Unfurl  bool   // asked for only where links are unfurled

	// Optional is a permission that an administrator may strike from the manifest.
	Optional bool
}

// Scopes are all permissions of the app (https://docs.slack.dev/reference/scopes).
var Scopes = []Scope{
	{Name: "commands", Why: "the slash command and the shortcuts", Without: "nothing can be asked by command"},
	{Name: "chat:write", Why: "to post and edit digests, and to answer", Without: "no digest can be posted"},
	{Name: "chat:write.public", Why: "to post in public channels without being invited", Without: "each channel must invite the app before it is told anything"},
	{Name: "im:write", Why: "to send a digest to one person", Without: "nobody can subscribe for themselves"},
	{Name: "im:history", Why: "to be asked in a direct message, and to look whether a post arrived there", Without: "typing to the app does nothing; an uncertain post to a person is repeated, marked as such, until Slack answers"},
	{Name: "channels:history", Why: "to look whether a post arrived after Slack failed to answer", Without: "an uncertain post in a public channel is repeated, marked as such, until Slack answers"},
	{Name: "groups:history", Why: "the same in private channels", Without: "an uncertain post in a private channel is repeated, marked as such, until Slack answers"},
	{Name: "app_mentions:read", Why: "to be asked by a mention", Without: "mentions are not answered"},
	{Name: "users:read", Why: "for the asker's time zone, to tell guests and administrators from members, and to learn who has left", Without: "times are in the workspace's zone, guests may subscribe, nobody counts as an administrator, and who has left still owns what they began"},
	{Name: "files:write", Why: "to show the balance as a picture where Slack's own chart is refused", Without: "such a workspace is shown bars of text", Optional: true},
	{Name: "links:read", Why: "to see links to arxiv.org and huggingface.co that people post", Without: "links are not unfurled", Unfurl: true},
	{Name: "links:write", Why: "to show below such a link what we know of it", Without: "links are not unfurled", Unfurl: true},
}

// scopeNames are the names of the scopes to ask for.
func scopeNames(unfurl bool) []string {
	var out []string
	for _, s := range Scopes {
		if !s.Unfurl || unfurl {
			out = append(out, s.Name)
		}
	}
	return out
}

// ManifestOptions say what the app is to be like.
type ManifestOptions struct {
	Name    string // of the app; "Seedcorn" if empty
	Command string // "/digest" if empty
	// URL is the public address of the HTTP way in, such as https://bot.example.org.
	// Without it the app uses Socket Mode.
	URL    string
	Unfurl bool
	OAuth  bool // with an address to install it from, which needs URL
}

// Manifest prints the app as YAML, to be pasted at https://api.slack.com/apps under
// "From a manifest" (https://docs.slack.dev/reference/app-manifest). Each scope has
// its reason beside it.
func Manifest(opt ManifestOptions, table []bot.Command) ([]byte, error) {
	opt.Name, opt.Command = either(opt.Name, "Seedcorn"), either(opt.Command, "/digest")
	opt.URL = strings.TrimSuffix(opt.URL, "/")
	if opt.URL != "" {
		if u, err := url.Parse(opt.URL); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("printing a manifest: %q is no https address, and Slack calls no other", opt.URL)
		}
	}
	if opt.OAuth && opt.URL == "" {
		return nil, fmt.Errorf("printing a manifest: installing by OAuth needs a public address")
	}
	if !strings.HasPrefix(opt.Command, "/") || len(opt.Command) < 2 || len(opt.Command) > 32 || strings.ContainsAny(opt.Command, " \t") {
		return nil, fmt.Errorf("printing a manifest: %q is no slash command", opt.Command)
	}
	var names []string
	for _, c := range table {
		names = append(names, c.Name)
	}
	y := &yaml{}
	y.line(0, "display_information:")
	y.pair(1, "name", clip(opt.Name, 35))
	y.pair(1, "description", "Which lab, which country, and may we build on it: AI research, weekly")
	y.pair(1, "long_description", longDescription(opt.Command, table))
	y.pair(1, "background_color", "#2f5d3a")
	y.line(0, "features:")
	y.line(1, "app_home:")
	y.line(2, "home_tab_enabled: true")
	y.line(2, "messages_tab_enabled: true")
	y.line(2, "messages_tab_read_only_enabled: false")
	y.line(1, "bot_user:")
	y.pair(2, "display_name", slug(opt.Name))
	y.line(2, "always_online: true")
	y.line(1, "shortcuts:")
	y.shortcut("What is this?", "message", shortcutWhat, "Lab, country and license of the research that a message links to")
	y.shortcut("Subscribe to a digest", "global", shortcutSub, "A weekly digest for yourself, by direct message")
	y.line(1, "slash_commands:")
	y.item(2, "command", opt.Command)
	if opt.URL != "" {
		y.pair(3, "url", opt.URL+"/slack/commands")
	}
	y.pair(3, "description", "AI research by lab, country and license")
	y.pair(3, "usage_hint", usageHint(names))
	y.line(3, "should_escape: false")
	if opt.Unfurl {
		y.line(1, "unfurl_domains:")
		for _, d := range []string{"arxiv.org", "huggingface.co"} {
			y.line(2, "- "+quote(d))
		}
	}
	y.line(0, "oauth_config:")
	if opt.OAuth {
		y.line(1, "redirect_urls:")
		y.line(2, "- "+quote(opt.URL+"/slack/oauth"))
	}
	y.line(1, "scopes:")
	y.line(2, "bot:")
	for _, s := range Scopes {
		if s.Unfurl && !opt.Unfurl {
			continue
		}
		y.line(3, "# "+s.Why+"; without it, "+s.Without)
		y.line(3, "- "+quote(s.Name))
	}
	y.line(0, "settings:")
	y.line(1, "event_subscriptions:")
	if opt.URL != "" {
		y.pair(2, "request_url", opt.URL+"/slack/events")
	}
	y.line(2, "bot_events:")
	events := []string{"app_home_opened", "app_mention", "app_uninstalled", "message.im", "tokens_revoked", "user_change"}
	if opt.Unfurl {
		events = append(events, "link_shared")
	}
	for _, e := range events {
		y.line(3, "- "+quote(e))
	}
	y.line(1, "interactivity:")
	y.line(2, "is_enabled: true")
	if opt.URL != "" {
		y.pair(2, "request_url", opt.URL+"/slack/interactive")
	}
	y.line(1, "org_deploy_enabled: false")
	y.line(1, fmt.Sprintf("socket_mode_enabled: %t", opt.URL == ""))
	y.line(1, "token_rotation_enabled: false")
	return []byte(y.b.String()), nil
}

// slug is a name of the letters that a bot user's may have: a-z, 0-9, -, _ and .
// (https://docs.slack.dev/reference/app-manifest#bot_user).
func slug(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '.':
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return either(strings.Trim(clip(out, 80), "-…"), "seedcorn")
}

// usageHint is what Slack shows beside the command while one types it; it shows
// about a line of it.
func usageHint(names []string) string {
	hint := ""
	for _, n := range []string{"help", "latest", "search", "work", "lab", "country", "license", "subscribe", "why"} {
		for _, have := range names {
			if n == have {
				hint += "|" + n
			}
		}
	}
	return "[" + strings.TrimPrefix(hint, "|") + "] …"
}

// longDescription lists the commands. Slack wants at least 174 characters and takes
// 4,000 (https://docs.slack.dev/reference/app-manifest#display).
func longDescription(command string, table []bot.Command) string {
	var b strings.Builder
	b.WriteString("Seedcorn reads the feeds of AI research, works out which lab in which country is behind each piece of work and what its license lets you do with it, with the evidence, and tells your team once a week. A tag is never a guess: what is not known says so.\n")
	for _, c := range table {
		line := fmt.Sprintf("\n%s %s: %s", command, c.Name, c.About)
		if b.Len()+len(line) > 3900 {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// A yaml is a small writer of YAML: every text is quoted, and a quoted text of YAML
// is one of JSON (https://yaml.org/spec/1.2.2/#732-double-quoted-style).
type yaml struct{ b strings.Builder }

func (y *yaml) line(depth int, s string) {
	y.b.WriteString(strings.Repeat("  ", depth) + s + "\n")
}

func (y *yaml) pair(depth int, key, value string) { y.line(depth, key+": "+quote(value)) }

// item begins a list's item, at the depth of its further pairs less one.
func (y *yaml) item(depth int, key, value string) { y.line(depth, "- "+key+": "+quote(value)) }

func (y *yaml) shortcut(name, kind, id, about string) {
	y.item(2, "name", name)
	y.pair(3, "type", kind)
	y.pair(3, "callback_id", id)
	y.pair(3, "description", about)
}

func quote(s string) string {
	raw, err := encode(visibleLines(s))
	if err != nil { // strings always encode
		return `""`
	}
	return string(raw)
}

// visibleLines is visible, with its line breaks.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}
