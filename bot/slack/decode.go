package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"seedcorn/bot"
)

// The kinds of request, as Socket Mode names them
// (https://docs.slack.dev/apis/events-api/using-socket-mode). Over HTTP each has an
// address of its own.
const (
	kindCommand     = "slash_commands"
	kindInteractive = "interactive"
	kindEvent       = "events_api"
)

// Ids by which Slack hands back what is ours.
const (
	callbackForm   = "seedcorn_form"
	callbackReply  = "seedcorn_reply"
	shortcutWhat   = "seedcorn_what"      // "What is this?" on a message
	shortcutSub    = "seedcorn_subscribe" // "Subscribe" in the search box
	actionLive     = "seedcorn_live"      // the input that a form previews
	blockLive      = "seedcorn_preview"
	inputPrefix    = "p:" // block_id of a form's question, with its parameter behind
	actionAnswer   = "answer"
	directCommands = "directmessage" // channel_name of a direct message, any
)

// An ask is one thing asked, and the way back to who asked.
type ask struct {
	inv   bot.Invocation
	back  back
	asked map[string]bool // blocks of the form that it was filled in
}

// back is how an answer reaches its asker.
type back struct {
	workspace string
	channel   string // "" where there is none: the App Home
	user      string
	thread    string
	direct    bool
	said      bool   // asked by a message: answered by one
	inline    bool   // the acknowledgment may be the answer
	hook      string // response_url
	trigger   string // opens a modal, for three seconds
	replace   bool   // the message that was clicked on may be replaced
	view      string // "home" or "modal": what was clicked in
}

// command is a slash command
// (https://docs.slack.dev/interactivity/implementing-slash-commands).
type command struct {
	TeamID       string `json:"team_id"`
	EnterpriseID string `json:"enterprise_id"`
	ChannelID    string `json:"channel_id"`
	ChannelName  string `json:"channel_name"`
	UserID       string `json:"user_id"`
	UserName     string `json:"user_name"`
	Text         string `json:"text"`
	ResponseURL  string `json:"response_url"`
	TriggerID    string `json:"trigger_id"`
}

// interaction is a click, a submitted form or a shortcut
// (https://docs.slack.dev/reference/interaction-payloads).
type interaction struct {
	Type        string  `json:"type"`
	CallbackID  string  `json:"callback_id"`
	TriggerID   string  `json:"trigger_id"`
	ResponseURL string  `json:"response_url"`
	Team        *idName `json:"team"`
	Enterprise  *idName `json:"enterprise"`
	User        struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Name     string `json:"name"`
		TeamID   string `json:"team_id"`
	} `json:"user"`
	Channel   idName `json:"channel"`
	Container struct {
		Type      string `json:"type"`
		ThreadTS  string `json:"thread_ts"`
		Ephemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message json.RawMessage `json:"message"`
	Actions []struct {
		ActionID string `json:"action_id"`
		BlockID  string `json:"block_id"`
		Value    string `json:"value"`
		Selected *struct {
			Value string `json:"value"`
		} `json:"selected_option"`
	} `json:"actions"`
	View *view `json:"view"`
}

type idName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// view is a modal or an App Home as Slack hands it back.
type view struct {
	ID              string            `json:"id"`
	Type            string            `json:"type"`
	Hash            string            `json:"hash"`
	CallbackID      string            `json:"callback_id"`
	PrivateMetadata string            `json:"private_metadata"`
	Title           json.RawMessage   `json:"title"`
	Submit          json.RawMessage   `json:"submit"`
	Close           json.RawMessage   `json:"close"`
	Blocks          []json.RawMessage `json:"blocks"`
	State           struct {
		Values map[string]map[string]struct {
			Value    string `json:"value"`
			Selected *struct {
				Value string `json:"value"`
			} `json:"selected_option"`
		} `json:"values"`
	} `json:"state"`
}

// callback is an event with its envelope (https://docs.slack.dev/apis/events-api).
type callback struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	TeamID    string `json:"team_id"`
	EventID   string `json:"event_id"`
	EventTime int64  `json:"event_time"` // Unix time
	Event     event  `json:"event"`
}

func (c callback) at(now time.Time) time.Time {
	if c.EventTime <= 0 {
		return now
	}
	return time.Unix(c.EventTime, 0)
}

// event has the fields of all events that we take.
type event struct {
	Type        string          `json:"type"`
	Subtype     string          `json:"subtype"`
	User        userRef         `json:"user"`
	BotID       string          `json:"bot_id"`
	Channel     string          `json:"channel"`
	ChannelType string          `json:"channel_type"`
	Text        string          `json:"text"`
	Tab         string          `json:"tab"`
	TS          string          `json:"ts"`
	ThreadTS    string          `json:"thread_ts"`
	MessageTS   string          `json:"message_ts"`
	UnfurlID    string          `json:"unfurl_id"`
	Source      string          `json:"source"`
	Links       []sharedLink    `json:"links"`
	Tokens      json.RawMessage `json:"tokens"`
}

// userRef is the person of an event: an id, or of user_change the whole person.
type userRef struct {
	ID      string
	Deleted bool
}

// UnmarshalJSON reads either form. What is neither names nobody.
func (u *userRef) UnmarshalJSON(raw []byte) error {
	*u = userRef{}
	if json.Unmarshal(raw, &u.ID) == nil {
		return nil
	}
	var whole struct {
		ID      string `json:"id"`
		Deleted bool   `json:"deleted"`
	}
	if json.Unmarshal(raw, &whole) == nil {
		u.ID, u.Deleted = whole.ID, whole.Deleted
	}
	return nil
}

type sharedLink struct {
	Domain string `json:"domain"`
	URL    string `json:"url"`
}

// formJSON makes the JSON of a slash command of an HTTP form, so that both ways in
// are decoded alike.
func formJSON(form url.Values) ([]byte, error) {
	flat := make(map[string]string, len(form))
	for k := range form {
		flat[k] = form.Get(k)
	}
	return encode(flat)
}

func (a *Adapter) decodeCommand(id string, raw []byte) (ask, error) {
	var c command
	if err := json.Unmarshal(raw, &c); err != nil {
		return ask{}, fmt.Errorf("reading a command: %w", err)
	}
	if c.UserID == "" || c.ChannelID == "" {
		return ask{}, errors.New("reading a command: nobody asks it")
	}
	b := back{
		workspace: either(c.TeamID, c.EnterpriseID), channel: c.ChannelID, user: c.UserID, hook: c.ResponseURL, trigger: c.TriggerID,
		direct: isDirect(c.ChannelID) || c.ChannelName == directCommands, inline: true,
	}
	q := a.typed(id, unformat(c.Text), c.UserName, b)
	q.inv.Once = c.TriggerID
	return q, nil
}

// typed is what a typed line asks. A line that does not parse is handed on by its
// first word, with the others: the handler says it best.
func (a *Adapter) typed(id, line, name string, b back) ask {
	inv := bot.Invocation{ID: id, Place: place(b), Asker: bot.Person{ID: b.user, Name: name}}
	cmd, args, err := a.opt.Parse(line)
	if err != nil {
		cmd, inv.Rest, _ = strings.Cut(strings.TrimLeft(strings.TrimSpace(line), "/"), " ")
		cmd, args = strings.ToLower(clip(cmd, 60)), nil
		inv.Rest = strings.TrimSpace(inv.Rest)
	}
	inv.Command, inv.Args = cmd, args
	return ask{inv: inv, back: b}
}

// place is where something was asked. A conversation with one person is named by
// the person, so that a subscription finds them whatever they asked it in.
func place(b back) bot.Place {
	p := bot.Place{Platform: Name, Workspace: b.workspace, Channel: b.channel, Direct: b.direct}
	if b.direct || b.channel == "" {
		p.Channel, p.Direct = b.user, true
	}
	return p
}

// isDirect tells the id of a conversation with one person.
func isDirect(channel string) bool { return strings.HasPrefix(channel, "D") }

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (x interaction) workspace() string {
	if x.Team != nil && x.Team.ID != "" {
		return x.Team.ID
	}
	if x.Enterprise != nil && x.Enterprise.ID != "" {
		return x.Enterprise.ID
	}
	return x.User.TeamID
}

func (x interaction) name() string { return either(x.User.Username, x.User.Name) }

func (x interaction) back() back {
	b := back{
		workspace: x.workspace(), channel: x.Channel.ID, user: x.User.ID, thread: x.Container.ThreadTS, hook: x.ResponseURL, trigger: x.TriggerID,
		direct: isDirect(x.Channel.ID) || x.Channel.Name == directCommands || x.Channel.ID == "",
	}
	// One reader's paging must not change what everybody sees.
	b.replace = x.Container.Ephemeral || b.direct
	if x.View != nil {
		b.view = x.View.Type
		if m, ok := parseMemo(x.View.PrivateMetadata); ok {
			b.channel, b.direct, b.thread = m.Channel, m.Direct, m.Thread
		}
	}
	return b
}

func decodeInteraction(raw []byte) (interaction, error) {
	var x interaction
	if err := json.Unmarshal(raw, &x); err != nil {
		return x, fmt.Errorf("reading an interaction: %w", err)
	}
	if x.User.ID == "" {
		return x, errors.New("reading an interaction: nobody acts")
	}
	return x, nil
}

// A memo is what a modal remembers of where it came from, in its private_metadata,
// and of the form it shows.
type memo struct {
	Command  string   `json:"cmd,omitempty"`
	Channel  string   `json:"ch,omitempty"`
	Direct   bool     `json:"dm,omitempty"`
	Thread   string   `json:"th,omitempty"`
	Title    string   `json:"t,omitempty"`
	Required []string `json:"req,omitempty"`
	// Fixed are the form's values that are not asked, by parameter.
	Fixed map[string]string `json:"fix,omitempty"`
}

func parseMemo(s string) (memo, bool) {
	var m memo
	if s == "" || json.Unmarshal([]byte(s), &m) != nil {
		return memo{}, false
	}
	return m, true
}

// decodeSubmission reads a filled-in form. missing has the questions that need an
// answer and have none, with a sentence for each, by block.
func decodeSubmission(id string, x interaction) (q ask, missing map[string]string, err error) {
	if x.View == nil {
		return ask{}, nil, errors.New("reading a form: there is none")
	}
	m, ok := parseMemo(x.View.PrivateMetadata)
	if !ok || m.Command == "" {
		return ask{}, nil, errors.New("reading a form: it is not ours")
	}
	args, asked := map[string]string{}, map[string]bool{}
	maps.Copy(args, m.Fixed)
	for blockID, answers := range x.View.State.Values {
		param, ok := strings.CutPrefix(blockID, inputPrefix)
		if !ok {
			continue
		}
		for _, v := range answers {
			value := v.Value
			if v.Selected != nil {
				value = v.Selected.Value
			}
			args[param], asked[blockID] = strings.TrimSpace(value), true
		}
	}
	missing = map[string]string{}
	for _, param := range m.Required {
		if args[param] == "" {
			missing[inputPrefix+param] = "This needs an answer."
		}
	}
	b := x.back()
	return ask{bot.Invocation{ID: id, Place: place(b), Asker: bot.Person{ID: x.User.ID, Name: x.name()}, Command: m.Command, Args: args, Once: x.TriggerID}, b, asked}, missing, nil
}

// ourAction is what the renderer calls its buttons and menus.
var ourAction = regexp.MustCompile(`^a[0-9]+$`)

var (
	wrapped = regexp.MustCompile(`<(https?://[^|>\s]+)(?:\|[^>]*)?>`)
	mention = regexp.MustCompile(`<@[UW][A-Z0-9]+(?:\|[^>]*)?>`)
	// research finds what "What is this?" can be asked of.
	research = regexp.MustCompile(`(?i)https?://(?:[a-z0-9-]+\.)*(?:arxiv\.org|huggingface\.co|hf\.co|github\.com)/[^\s|<>"'` + "`" + `)\]}]+`)
	arxivID  = regexp.MustCompile(`(?i)\barxiv:\s?(\d{4}\.\d{4,5})`)
)

// unformat is a line as it was typed: Slack escapes what people write and wraps its
// links (https://docs.slack.dev/messaging/formatting-message-text).
func unformat(s string) string {
	return html.UnescapeString(wrapped.ReplaceAllString(s, "$1"))
}

// maxLinks is how many links of one message are answered for.
const maxLinks = 3

// findLinks finds links to research in a message, wherever in its text, blocks or
// attachments, in order, each once.
func findLinks(raw json.RawMessage) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var out []string
	add := func(s string) {
		s = strings.TrimRight(s, ".,;:!?…*_~")
		if !slices.Contains(out, s) && len(out) < maxLinks {
			out = append(out, s)
		}
	}
	scan := func(s string) {
		s = unformat(s)
		for _, u := range research.FindAllString(s, -1) {
			add(u)
		}
		for _, m := range arxivID.FindAllStringSubmatch(s, -1) {
			add(m[1])
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			scan(v)
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if s, ok := v["text"].(string); ok {
				scan(s) // the text is what a person reads first
			}
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				walk(v[k])
			}
		}
	}
	walk(v)
	return out
}
