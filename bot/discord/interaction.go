package discord

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// Types of interactions.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object-interaction-type
const (
	interactionPing         = 1
	interactionCommand      = 2
	interactionComponent    = 3
	interactionAutocomplete = 4
	interactionModal        = 5
)

// Types of commands, and of options that hold further ones.
// https://discord.com/developers/docs/interactions/application-commands
const (
	commandChat      = 1
	commandMessage   = 3
	optionSubcommand = 1
	optionGroup      = 2
	optionString     = 3
)

// Contexts of an interaction.
const (
	contextGuild   = 0
	contextBotDM   = 1
	contextPrivate = 2
)

// Ways in which an application can be installed.
const (
	installGuild = 0
	installUser  = 1
)

// Permissions: the first three let a person manage a channel, the others let us post.
// https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags
const (
	permAdministrator  = 1 << 3
	permManageChannels = 1 << 4
	permManageGuild    = 1 << 5
	permViewChannel    = 1 << 10
	permSendMessages   = 1 << 11
	permAttachFiles    = 1 << 15
	permReadHistory    = 1 << 16
	permSendInThreads  = 1 << 38
)

// An interaction is what a person did, as either way in brings it. Only what is used
// is read, so that what Discord adds does no harm.
type interaction struct {
	ID            string `json:"id"`
	ApplicationID string `json:"application_id"`
	Type          int    `json:"type"`
	Token         string `json:"token"`
	GuildID       string `json:"guild_id"`
	ChannelID     string `json:"channel_id"`
	Channel       *struct {
		Type int `json:"type"`
	} `json:"channel"`
	Context *int            `json:"context"`
	Locale  string          `json:"locale"`
	Data    json.RawMessage `json:"data"`
	User    *person         `json:"user"`
	Member  *struct {
		User        *person  `json:"user"`
		Nick        string   `json:"nick"`
		Permissions string   `json:"permissions"`
		Roles       []string `json:"roles"`
	} `json:"member"`
	Message *struct {
		Flags    int `json:"flags"`
		Metadata *struct {
			User *person `json:"user"`
		} `json:"interaction_metadata"`
	} `json:"message"`
	Owners map[string]string `json:"authorizing_integration_owners"`
}

type person struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	GlobalName string `json:"global_name"`
}

// data is an interaction's data, of any type.
type data struct {
	Name     string   `json:"name"`
	Type     int      `json:"type"`
	Options  []option `json:"options"`
	TargetID string   `json:"target_id"`
	Resolved struct {
		Messages map[string]json.RawMessage `json:"messages"`
	} `json:"resolved"`
	CustomID   string   `json:"custom_id"`
	Values     []string `json:"values"`
	Components []input  `json:"components"`
}

type option struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value"`
	Options []option        `json:"options"`
	Focused bool            `json:"focused"`
}

// An input is a part of a form that was filled in, in rows or labels.
type input struct {
	CustomID   string   `json:"custom_id"`
	Value      *string  `json:"value"`
	Values     []string `json:"values"`
	Components []input  `json:"components"`
	Component  *input   `json:"component"`
}

// An ask is a decoded interaction.
type ask struct {
	kind      int
	app       string // application and token: where the answer goes
	id, token string
	inv       bot.Invocation
	// Of an autocompletion: the parameter, and what is typed of it.
	param, typed string
	// reply is the answer where no command is needed for it.
	reply *bot.Reply
	// own is whether the message whose button was pressed is the asker's own, so that it
	// may be replaced.
	own bool
}

// errNotInteraction means that what came in is no interaction.
var errNotInteraction = errors.New("not an interaction")

// decode reads an interaction. The error is for what Discord would not send; whatever
// a person can do gives an ask.
func (a *Adapter) decode(raw []byte) (ask, error) {
	var it interaction
	if err := json.Unmarshal(raw, &it); err != nil {
		return ask{}, fmt.Errorf("%w: %w", errNotInteraction, err)
	}
	q := ask{kind: it.Type, app: it.ApplicationID, id: it.ID, token: it.Token}
	if it.Type == interactionPing {
		return q, nil
	}
	if !isSnowflake(it.ID) || it.Token == "" || !isToken(it.Token) || it.ApplicationID != "" && !isSnowflake(it.ApplicationID) {
		return ask{}, fmt.Errorf("%w: no id or token", errNotInteraction)
	}
	who, where, err := it.asker()
	if err != nil {
		return ask{}, err
	}
	q.inv = bot.Invocation{ID: it.ID, Once: it.ID, Place: where, Asker: who, Args: map[string]string{}}
	if m := it.Message; m != nil {
		q.own = m.Flags&flagEphemeral != 0 || m.Metadata != nil && m.Metadata.User != nil && m.Metadata.User.ID == who.ID
	}
	var d data
	if len(it.Data) > 0 {
		if err := json.Unmarshal(it.Data, &d); err != nil {
			return ask{}, fmt.Errorf("%w: its data: %w", errNotInteraction, err)
		}
	}
	switch it.Type {
	case interactionCommand, interactionAutocomplete:
		a.decodeCommand(&q, d)
	case interactionComponent:
		a.decodeComponent(&q, d)
	case interactionModal:
		a.decodeModal(&q, d)
	default:
		return ask{}, fmt.Errorf("%w of a type that is known: %d", errNotInteraction, it.Type)
	}
	return q, nil
}

// isToken reports whether a token may stand in a path.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isWord(c) && c != '.' && c != '=' && c != '~' {
			return false
		}
	}
	return true
}

// asker is who asked, and where.
func (it *interaction) asker() (bot.Person, bot.Place, error) {
	u := it.User
	var perms uint64
	nick := ""
	var roles []string
	if it.Member != nil {
		u = cmp.Or(it.Member.User, u)
		nick = it.Member.Nick
		perms, _ = strconv.ParseUint(it.Member.Permissions, 10, 64)
		roles = it.Member.Roles
	}
	if u == nil || !isSnowflake(u.ID) {
		return bot.Person{}, bot.Place{}, fmt.Errorf("%w: nobody asked", errNotInteraction)
	}
	self := "@" + u.ID
	who := bot.Person{
		ID: u.ID, Name: cmp.Or(nick, u.GlobalName, u.Username), Roles: roles,
		Manages: perms&(permAdministrator|permManageChannels|permManageGuild) != 0,
		Direct:  digest.Destination{Platform: Name, Workspace: self, Channel: self, Direct: true},
	}
	_, installed := it.Owners[strconv.Itoa(installGuild)]
	here := it.GuildID != "" && (installed || len(it.Owners) == 0)
	if here && it.Context != nil && *it.Context != contextGuild {
		here = false
	}
	if here {
		return who, bot.Place{Platform: Name, Workspace: it.GuildID, Channel: it.ChannelID, Guarded: true, Followed: it.Channel != nil && it.Channel.Type == channelAnnouncement}, nil
	}
	// A direct message, or a place where only the person has installed us: there we can
	// answer but not post, so that what is told goes to the person. A person alone is a
	// workspace of their own, and manages it.
	who.Manages = true
	return who, bot.Place{Platform: Name, Workspace: self, Channel: self, Direct: true}, nil
}

func (a *Adapter) decodeCommand(q *ask, d data) {
	if d.Type == commandMessage {
		a.decodeMessage(q, d)
		return
	}
	switch {
	case d.Name == manageCommand && !q.inv.Place.Direct && q.kind == interactionCommand:
		// Discord shows it to those only whom the server's administrators let use it.
		q.inv.Asker.Manages = true
	case d.Name != chatCommand && d.Name != manageCommand:
		q.say("That command is left over from an older version of Seedcorn. /" + chatCommand + " help lists what you can ask.")
		return
	}
	options := d.Options
	for len(options) == 1 && (options[0].Type == optionSubcommand || options[0].Type == optionGroup) {
		q.inv.Command = options[0].Name
		options = options[0].Options
	}
	q.inv.Command = cmp.Or(q.inv.Command, "help")
	for _, o := range options {
		value := o.text()
		if o.Focused {
			q.param, q.typed = o.Name, value
			continue
		}
		q.inv.Args[o.Name] = mentioned(value)
	}
}

// A role and a person as a message or an option has them.
// https://discord.com/developers/docs/reference#message-formatting
var (
	roleMention   = regexp.MustCompile(`<@&(\d{1,20})>`)
	personMention = regexp.MustCompile(`<@!?(\d{1,20})>`)
)

// mentioned is text with mentions written as settings name people and roles.
func mentioned(s string) string {
	if !strings.Contains(s, "<@") {
		return s
	}
	s = roleMention.ReplaceAllString(s, bot.RolePrefix+"$1")
	return personMention.ReplaceAllString(s, "$1")
}

// text is an option's value as typed.
func (o option) text() string {
	var s string
	if json.Unmarshal(o.Value, &s) == nil {
		return strings.TrimSpace(s)
	}
	return strings.TrimSpace(string(o.Value)) // a number or a boolean is its own text
}

// say answers without a command.
func (q *ask) say(text string) { q.reply = ptr(plainly(text)) }

func plainly(text string) bot.Reply {
	return bot.Reply{Document: message.Document{Summary: text, Blocks: []message.Block{message.Paragraph{Text: message.Plain(text)}}}}
}

func (a *Adapter) decodeComponent(q *ask, d data) {
	id := d.CustomID
	if kind, _, _ := strings.Cut(id, ":"); kind != "" && kind[:1] == menuID[:1] {
		if len(d.Values) == 0 {
			q.say("Nothing was chosen.")
			return
		}
		id = d.Values[0]
	}
	line, whole, ok := a.command(id)
	if !ok {
		q.say("That button is of an older version of Seedcorn. /" + chatCommand + " help lists what you can ask.")
		return
	}
	command, args, err := a.typed.Parse(line)
	if err != nil {
		q.say("That button is of an older version of Seedcorn. /" + chatCommand + " help lists what you can ask.")
		return
	}
	q.inv.Command = command
	if args != nil {
		q.inv.Args = args
	}
	if !whole {
		q.reply = ptr(a.complete(command, args))
	}
}

// complete asks a person to complete a command of which only the beginning is known.
func (a *Adapter) complete(command string, args map[string]string) bot.Reply {
	r := plainly("That button is too old. Please type the command again.")
	for _, c := range a.opt.Commands {
		if c.Name != command || len(c.Params) == 0 {
			continue
		}
		p := c.Params[0]
		r.Form = &bot.Form{Title: "Say it again", Submit: "Ask", Command: command, Fields: []bot.FormField{
			{Param: p.Name, Label: p.Name, Hint: "This button is old: only the beginning is left of it.", Value: args[p.Name], Long: true, Required: p.Required},
		}}
	}
	return r
}

func (a *Adapter) decodeModal(q *ask, d data) {
	kind, command, _ := strings.Cut(d.CustomID, ":")
	if kind != "f" || command == "" {
		q.say("That form is of an older version of Seedcorn. /" + chatCommand + " help lists what you can ask.")
		return
	}
	command, fixed, _ := strings.Cut(command, "?")
	q.inv.Command = command
	if values, err := url.ParseQuery(fixed); err == nil {
		for name := range values {
			q.inv.Args[name] = values.Get(name)
		}
	}
	var read func(in input)
	read = func(in input) {
		switch {
		case in.CustomID == "":
		case in.Value != nil:
			q.inv.Args[in.CustomID] = strings.TrimSpace(*in.Value)
		case len(in.Values) > 0:
			q.inv.Args[in.CustomID] = in.Values[0]
		}
		for _, c := range in.Components {
			read(c)
		}
		if in.Component != nil {
			read(*in.Component)
		}
	}
	for _, c := range d.Components {
		read(c)
	}
}

// decodeMessage is "What is this?" asked of a message: the work that its best link
// names.
func (a *Adapter) decodeMessage(q *ask, d data) {
	if d.Name != messageCommand {
		q.say("That command is left over from an older version of Seedcorn. /" + chatCommand + " help lists what you can ask.")
		return
	}
	link := bestLink(d.Resolved.Messages[d.TargetID])
	if link == "" {
		q.say("There is no link in that message. /" + chatCommand + " search finds works by their words.")
		return
	}
	q.inv.Command, q.inv.Args["work"] = "work", link
}

var linkPattern = regexp.MustCompile(`https?://[^\s<>"\\)\]]+`)

// telling are the parts of addresses that name a work by themselves, the best first.
var telling = []string{"arxiv.org/", "huggingface.co/", "doi.org/", "github.com/", "openreview.net/", "aclanthology.org/"}

// bestLink is the link in a message that most probably names a work: its text, its
// embeds and its components are looked through, in the order in which they stand.
func bestLink(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var m struct {
		Content    string `json:"content"`
		Embeds     any    `json:"embeds"`
		Components any    `json:"components"`
		Snapshots  any    `json:"message_snapshots"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	var links []string
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if depth > 12 || len(links) > 200 {
			return
		}
		switch v := v.(type) {
		case string:
			for _, l := range linkPattern.FindAllString(v, 50) {
				if l = strings.TrimRight(l, ".,;:!?'*_"); isWeb(l) && len(l) <= maxLink {
					links = append(links, l)
				}
			}
		case []any:
			for _, x := range v {
				walk(x, depth+1)
			}
		case map[string]any:
			for _, k := range []string{"message", "content", "url", "title", "description", "fields", "value", "embeds", "components", "accessory", "footer", "text", "author", "name"} {
				walk(v[k], depth+1)
			}
		}
	}
	for _, v := range []any{m.Content, m.Snapshots, m.Embeds, m.Components} {
		walk(v, 0)
	}
	for _, t := range telling {
		for _, l := range links {
			if strings.Contains(strings.ToLower(l), t) {
				return l
			}
		}
	}
	if len(links) > 0 {
		return links[0]
	}
	return ""
}
