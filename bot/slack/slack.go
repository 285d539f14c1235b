// Package slack shows Seedcorn's messages in Slack and hands on what people ask
// there. It is the only package that knows Slack's manners, and the only home of
// slack-go.
//
// What goes out:
//
//	message.Document ──[Adapter.Render]──► Block Kit payloads, split within every limit
//	bot.Part ──[Adapter.Post]──► chat.postMessage with the delivery's id in its metadata
//	            [Adapter.Find] reads the channel back and looks for that id
//	            [Adapter.Edit] says it anew in its place
//
// What comes in takes one of two ways and meets in one decoder:
//
//	Socket Mode ──[Adapter.Run]──────┐
//	                                 ├─► take: known already? decode ─► bot.Invocation ─► bot.Handler
//	HTTP ──[Adapter.Handler]─verify──┘        │ answered at once: the answer is the acknowledgment
//	                                          └ slower: acknowledged empty, followed up
//
// Strangers' text is only ever put where Slack does not parse: rich_text elements
// and plain_text objects. There is no mrkdwn in what we send.
//
// Slack has no idempotent post (https://github.com/slackapi/slack-api-specs/issues/10),
// so a post whose fate is not known is never repeated here: it is reported as
// [bot.FateUnsure], to be looked for with Find. No call is ever retried behind the
// caller's back.
//
// [Manifest] prints the app that an administrator pastes into Slack, [Check] says
// what is wrong with one.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/chart"
	"seedcorn/bot/message"
)

// Name is the platform's name in destinations.
const Name = "slack"

// Tokens knows the bot token of each workspace.
type Tokens interface {
	// Token returns the token (xoxb-…) of a workspace by its id (T…), or an error
	// that is [ErrNoToken] if the app is not, or no longer, installed there.
	Token(ctx context.Context, workspace string) (string, error)
}

// ErrNoToken says that the app is not installed in a workspace.
var ErrNoToken = errors.New("the app is not installed in this workspace")

// OneToken is the token of a single team, for any workspace.
type OneToken Secret

// Token implements [Tokens].
func (t OneToken) Token(context.Context, string) (string, error) {
	if t == "" {
		return "", ErrNoToken
	}
	return string(t), nil
}

func (t OneToken) String() string { return Secret(t).String() }

// GoString keeps the token out of %#v.
func (t OneToken) GoString() string { return Secret(t).String() }

// LogValue keeps the token out of logs.
func (t OneToken) LogValue() slog.Value { return Secret(t).LogValue() }

// A Secret prints as <redacted>.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "<redacted>"
}

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Options are what an adapter is made of. Tokens and Parse are needed; the rest
// has defaults.
type Options struct {
	Tokens Tokens
	// Parse reads a typed line as a command with its arguments.
	Parse func(line string) (command string, args map[string]string, err error)
	Log   *slog.Logger

	// AppToken (xapp-…) opens Socket Mode. Without it Run only waits, and Handler is
	// the way in.
	AppToken Secret
	// SigningSecret is what Slack signs HTTP requests with. Without it Handler
	// refuses all of them.
	SigningSecret Secret

	// Command is the slash command; "/digest" if empty.
	Command string
	// Unfurl shows what we know about links of arxiv.org and huggingface.co that
	// people post.
	Unfurl bool
	// Charts is how charts are shown: "auto", which is also "", as Slack's own block
	// where the workspace takes it, else as a picture, else as bars of text; or "native",
	// "picture", "text": so only, or as text.
	Charts string
	// Gone is told that a workspace has removed the app or revoked its token, and when
	// Slack says that was. It may be told more than once, and late: the workspace may
	// have installed the app again since.
	Gone func(ctx context.Context, workspace, why string, at time.Time)
	// Left is told that a person's account in a workspace was deactivated.
	Left func(ctx context.Context, workspace, person string)
	// Install, if set, is the OAuth flow for many workspaces; see [Install].
	Install *Install

	// API is where the Web API is; Slack's own if empty.
	API string
	// HTTP sends our requests; a client with a timeout of 15 seconds if nil. It is
	// used without following redirects.
	HTTP *http.Client
	// AnswerWithin bounds a handler's work; 2 minutes if 0.
	AnswerWithin time.Duration
}

// An Adapter is Slack as a [bot.Platform].
type Adapter struct {
	opt  Options
	api  *api
	log  *slog.Logger
	seen *seen // envelopes, events and requests that were taken already

	people memory[bot.Person] // by workspace and user
	direct memory[string]     // channel of direct messages, by workspace and user
	typing memory[string]     // what was last typed into a form, by view
	tasks  tasks              // answers under way
	charts refusals           // how workspaces are shown charts
	draw   func(message.Chart) ([]byte, error)

	helloWithin time.Duration
}

var (
	_ bot.Platform      = (*Adapter)(nil)
	_ bot.Pacer         = (*Adapter)(nil)
	_ bot.Editor        = (*Adapter)(nil)
	_ bot.Correspondent = (*Adapter)(nil)
)

// New returns an adapter.
func New(opt Options) (*Adapter, error) {
	if opt.Tokens == nil || opt.Parse == nil {
		return nil, errors.New("slack: Tokens and Parse are needed")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Command == "" {
		opt.Command = "/digest"
	}
	if opt.AnswerWithin == 0 {
		opt.AnswerWithin = 2 * time.Minute
	}
	opt.Charts = either(opt.Charts, "auto")
	if chartWays[opt.Charts] == nil {
		return nil, fmt.Errorf("slack: charts are shown as auto, native, picture or text, not %q", opt.Charts)
	}
	c, err := newAPI(opt.API, opt.HTTP)
	if err != nil {
		return nil, err
	}
	return &Adapter{draw: func(c message.Chart) ([]byte, error) { return chart.PNG(c, chart.Options{}) }, opt: opt, api: c, log: opt.Log, seen: newSeen(), helloWithin: helloWithin}, nil
}

// Name implements [bot.Platform].
func (a *Adapter) Name() string { return Name }

// Wait returns when the answers under way are given, or with ctx's error.
func (a *Adapter) Wait(ctx context.Context) error { return a.tasks.wait(ctx) }

func newAPI(base string, client *http.Client) (*api, error) {
	if base == "" {
		base = "https://slack.com/api/"
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("slack: %q is no address of an API", base)
	}
	own := http.Client{Timeout: 15 * time.Second}
	if client != nil {
		own = *client
	}
	// A redirect would carry the token elsewhere; the API has none.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &api{base: strings.TrimSuffix(base, "/") + "/", site: u.Scheme + "://" + u.Host, host: u.Host, http: &own}, nil
}
