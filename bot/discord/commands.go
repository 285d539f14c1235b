package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"seedcorn/bot"
)

// The commands that are registered: one with a subcommand for each that looks
// something up, one with those that change what a channel is told, and one in the
// menu of a message. The second is a command of its own because Discord knows
// permissions of whole commands only: in a server it is shown to those who may manage
// channels, unless its administrators choose other roles or people under Server
// Settings, Integrations.
const (
	chatCommand    = "digest"
	messageCommand = "What is this?"
	chatAbout      = "open research: which lab, which country, and may we build on it"
	manageCommand  = "digest-manage"
	manageAbout    = "what this channel is told, and when"
	// https://discord.com/developers/docs/interactions/application-commands#permissions
	managePermission = permManageChannels
)

// A registration is a command as Discord keeps it.
// https://discord.com/developers/docs/interactions/application-commands#application-command-object
type registration struct {
	Type             int               `json:"type"`
	Name             string            `json:"name"`
	Names            map[string]string `json:"name_localizations,omitempty"`
	Description      string            `json:"description"`
	Descriptions     map[string]string `json:"description_localizations,omitempty"`
	Options          []parameter       `json:"options,omitempty"`
	IntegrationTypes []int             `json:"integration_types,omitempty"`
	Contexts         []int             `json:"contexts,omitempty"`
	Permissions      bits              `json:"default_member_permissions,omitempty"` // that a member needs by default; 0 for none
}

// bits are permissions. They are sent as a number and come back as one in quotes, or
// as null.
type bits int64

func (b *bits) UnmarshalJSON(raw []byte) error {
	text := string(bytes.Trim(raw, `"`))
	if text == "null" || text == "" {
		*b = 0
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	*b = bits(n)
	return err
}

// A parameter is an option of a command: a subcommand, a group of them, or a value.
type parameter struct {
	Type         int               `json:"type"`
	Name         string            `json:"name"`
	Names        map[string]string `json:"name_localizations,omitempty"`
	Description  string            `json:"description"`
	Descriptions map[string]string `json:"description_localizations,omitempty"`
	Required     bool              `json:"required,omitempty"`
	Autocomplete bool              `json:"autocomplete,omitempty"`
	Choices      []named           `json:"choices,omitempty"`
	Options      []parameter       `json:"options,omitempty"`
}

type named struct {
	Name  string            `json:"name"`
	Names map[string]string `json:"name_localizations,omitempty"`
	Value string            `json:"value"`
}

// namePattern is what a chat command, a subcommand and an option may be called, in
// the letters of any script, lower case.
// https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-naming
var namePattern = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// registrations are the table of commands as Discord takes it. The error says which
// of the table's texts Discord would refuse.
func (a *Adapter) registrations() ([]registration, error) {
	b := &builder{translations: a.opt.Translations}
	for locale := range b.translations {
		if !slices.Contains(locales, locale) {
			b.fail("%q is no locale of Discord's", locale)
		}
	}
	command := func(kind int, name, about string) registration {
		r := registration{
			Type: kind, Name: name, Description: about,
			IntegrationTypes: []int{installGuild, installUser}, Contexts: []int{contextGuild, contextBotDM, contextPrivate},
		}
		if kind == commandChat {
			r.Names, r.Descriptions = b.localized(name, okName), b.localized(about, okDescription)
		} else {
			r.Names = b.localized(name, func(s string) bool { return s != "" && size(s) <= maxName })
		}
		return r
	}
	chat, manage := command(commandChat, chatCommand, chatAbout), command(commandChat, manageCommand, manageAbout)
	manage.Permissions = managePermission
	for _, c := range a.opt.Commands {
		to := &chat
		if c.Manages {
			to = &manage
		}
		to.Options = append(to.Options, b.subcommand(c))
	}
	out := []registration{chat}
	if len(manage.Options) > 0 {
		out = append(out, manage)
	}
	out = append(out, command(commandMessage, messageCommand, ""))
	for _, r := range out {
		b.apart("/"+r.Name, r.Options)
		for _, o := range r.Options {
			b.apart("/"+r.Name+" "+o.Name, o.Options)
		}
		if n := r.weight(); n > maxCommand {
			b.fail("command %s has %d characters of names and descriptions, at most %d are allowed", r.Name, n, maxCommand)
		}
		if len(r.Options) > maxOptions {
			b.fail("command %s has %d subcommands, at most %d are allowed", r.Name, len(r.Options), maxOptions)
		}
	}
	return out, errors.Join(b.errs...)
}

// A builder collects what is wrong with a table.
type builder struct {
	translations map[string]map[string]string
	errs         []error
}

func (b *builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("registering: "+format, args...))
}

func okDescription(s string) bool { return s != "" && size(s) <= maxDescription }

func okName(s string) bool {
	return namePattern.MatchString(s) && string(bytes.ToLower([]byte(s))) == s
}

// localized are the translations of a text that Discord takes; others are left out,
// so that the English one is shown.
func (b *builder) localized(text string, ok func(string) bool) map[string]string {
	var out map[string]string
	for locale, texts := range b.translations {
		t, found := texts[text]
		if !found || t == text {
			continue
		}
		if !ok(t) {
			b.fail("the translation %q of %q for %s is too long or of the wrong form", t, text, locale)
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[locale] = t
	}
	return out
}

// parameter is an option with its texts checked.
func (b *builder) parameter(kind int, name, about string) parameter {
	if !okName(name) {
		b.fail("name %q is not 1 to %d lower-case letters, digits, - or _", name, maxName)
	}
	if !okDescription(about) {
		b.fail("description of %s is empty or longer than %d characters: %q", name, maxDescription, about)
	}
	return parameter{Type: kind, Name: name, Description: about, Names: b.localized(name, okName), Descriptions: b.localized(about, okDescription)}
}

func (b *builder) subcommand(c bot.Command) parameter {
	out := b.parameter(optionSubcommand, c.Name, c.About)
	if len(c.Params) > maxOptions {
		b.fail("%s has %d parameters, at most %d are allowed", c.Name, len(c.Params), maxOptions)
	}
	for _, p := range c.Params {
		o := b.parameter(optionString, p.Name, p.About)
		o.Required = p.Required
		switch p.Kind {
		case bot.ParamChoice:
			if len(p.Choices) > maxOptions {
				o.Autocomplete = true // more than fit are typed and completed
				break
			}
			for _, v := range p.Choices {
				o.Choices = append(o.Choices, named{Name: v, Value: v, Names: b.localized(v, func(s string) bool { return s != "" && size(s) <= maxOption })})
			}
		case bot.ParamLab, bot.ParamCountry, bot.ParamLicense, bot.ParamTopic, bot.ParamWork, bot.ParamSub, bot.ParamQuery, bot.ParamSetting:
			o.Autocomplete = true
		}
		out.Options = append(out.Options, o)
	}
	// Required options come first, or Discord refuses the command.
	slices.SortStableFunc(out.Options, func(x, y parameter) int {
		switch {
		case x.Required == y.Required:
			return 0
		case x.Required:
			return -1
		}
		return 1
	})
	return out
}

// weight is how many characters Discord counts of a command: its names, descriptions
// and values, of each the longest language.
func (r registration) weight() int {
	n := longest(r.Name, r.Names) + longest(r.Description, r.Descriptions)
	for _, o := range r.Options {
		n += o.weight()
	}
	return n
}

func (p parameter) weight() int {
	n := longest(p.Name, p.Names) + longest(p.Description, p.Descriptions)
	for _, c := range p.Choices {
		n += longest(c.Name, c.Names) + size(c.Value)
	}
	for _, o := range p.Options {
		n += o.weight()
	}
	return n
}

func longest(s string, others map[string]string) int {
	n := size(s)
	for _, o := range others {
		n = max(n, size(o))
	}
	return n
}

// typeEntryPoint is a command that Discord makes for an application with an activity;
// an overwrite that leaves it out is refused.
const typeEntryPoint = 4

// Register makes Discord know the commands: everywhere, or, with guilds, at once in
// those only, as one wants it while developing. It asks what is known and sends
// nothing if that is the same. changed is whether something was sent.
// https://discord.com/developers/docs/interactions/application-commands#bulk-overwrite-global-application-commands
func (a *Adapter) Register(ctx context.Context, guilds ...string) (changed bool, err error) {
	want, err := a.registrations()
	if err != nil {
		return false, err
	}
	app, err := a.application(ctx)
	if err != nil {
		return false, err
	}
	paths := []string{"/applications/" + app + "/commands"}
	if len(guilds) > 0 {
		paths = nil
		for _, g := range guilds {
			if !isSnowflake(g) {
				return false, fmt.Errorf("registering: %q is not a server's id", g)
			}
			paths = append(paths, "/applications/"+app+"/guilds/"+g+"/commands")
		}
		// Where a command may be used and who may install it is said of global ones only.
		for i := range want {
			want[i].IntegrationTypes, want[i].Contexts = nil, nil
		}
	}
	for _, path := range paths {
		did, err := a.overwrite(ctx, path, want)
		changed = changed || did
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func (a *Adapter) overwrite(ctx context.Context, path string, want []registration) (bool, error) {
	out := a.do(ctx, call{method: http.MethodGet, path: path + "?with_localizations=true", bucket: path})
	var known []json.RawMessage
	switch {
	case out.status == http.StatusNotFound:
		// Nothing there yet; if it is the application that is not there, the overwrite
		// says so.
	case !out.ok():
		return false, fmt.Errorf("reading the registered commands: %w", out.failure())
	default:
		if err := json.Unmarshal(out.body, &known); err != nil {
			return false, fmt.Errorf("reading the registered commands: %w", err)
		}
	}
	var have []registration
	body := make([]any, 0, len(want)+1)
	for _, w := range want {
		body = append(body, w)
	}
	for _, k := range known {
		var r registration
		if err := json.Unmarshal(k, &r); err != nil {
			return false, fmt.Errorf("reading the registered commands: %w", err)
		}
		if r.Type == typeEntryPoint {
			body = append(body, k)
			continue
		}
		if r.Type == 0 {
			r.Type = commandChat
		}
		have = append(have, r)
	}
	same, err := equal(have, want)
	if err != nil || same {
		return false, err
	}
	out = a.do(ctx, call{method: http.MethodPut, path: path, bucket: path, body: body})
	if out.status == http.StatusBadRequest || out.status >= 500 {
		// Discord's schema wants permissions as a number, its documentation as text.
		if b, err := encode(body); err == nil {
			out = a.do(ctx, call{method: http.MethodPut, path: path, bucket: path, body: json.RawMessage(numericPermissions.ReplaceAll(b, []byte(`$1"$2"`)))})
		}
	}
	if !out.ok() {
		return false, fmt.Errorf("overwriting the registered commands: %w", out.failure())
	}
	return true, nil
}

var numericPermissions = regexp.MustCompile(`("default_member_permissions":)(\d+)`)

// equal compares commands in their canonical form: sorted by name, lists of numbers
// sorted, empty lists and maps left out.
func equal(x, y []registration) (bool, error) {
	bx, err := canonical(x)
	if err != nil {
		return false, err
	}
	by, err := canonical(y)
	return bytes.Equal(bx, by), err
}

func canonical(rs []registration) ([]byte, error) {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].IntegrationTypes = slices.Sorted(slices.Values(rs[i].IntegrationTypes))
		rs[i].Contexts = slices.Sorted(slices.Values(rs[i].Contexts))
	}
	slices.SortFunc(rs, func(x, y registration) int {
		return bytes.Compare([]byte(strconv.Itoa(x.Type)+x.Name), []byte(strconv.Itoa(y.Type)+y.Name))
	})
	return encode(rs)
}

// A Permission is one that the bot asks for in a server.
type Permission struct {
	Name    string
	Why     string
	Without string // what does not work where it is denied
	bit     int64
}

// Permissions are the least that Seedcorn needs, with or without
// [Options.Pictures], and what each is for.
// https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags
func Permissions(pictures bool) []Permission {
	ps := []Permission{
		{"View Channels", "to see the channel that a digest goes to", "no digest there", permViewChannel},
		{"Send Messages", "to post digests, and to publish them in announcement channels", "no digest there", permSendMessages},
		{"Send Messages in Threads", "to post in threads and forums", "no digest in threads and forums", permSendInThreads},
		{"Read Message History", "to see whether a digest arrived when Discord did not say, and to reply to its first part", "an uncertain digest is posted again, marked (resent), until Discord answers", permReadHistory},
	}
	if pictures {
		ps = append(ps, Permission{"Attach Files", "to attach charts as pictures", "charts are told in words alone", permAttachFiles})
	}
	return ps
}

// A Scope is what an install link asks for.
// https://discord.com/developers/docs/topics/oauth2#shared-resources-oauth2-scopes
type Scope struct{ Name, Why string }

// An Install is what is needed to add Seedcorn to Discord.
type Install struct {
	Server      string // link that adds it to a server
	Person      string // link that adds it to a person's own account
	Scopes      []Scope
	Permissions []Permission
}

// Manifest is how to install the application. An empty id leaves its name in the
// links, to be filled in; the error is for one that is none.
// https://discord.com/developers/docs/topics/oauth2#bot-authorization-flow
func Manifest(applicationID string, pictures bool) (Install, error) {
	if applicationID != "" && !isSnowflake(applicationID) {
		return Install{}, fmt.Errorf("%q is not an application id, which is a number of some 18 digits", cut(applicationID, 40))
	}
	if applicationID == "" {
		applicationID = "APPLICATION_ID"
	}
	in := Install{Permissions: Permissions(pictures), Scopes: []Scope{
		{"bot", "to be a member of the server, with the permissions below and no others"},
		{"applications.commands", "to offer /" + chatCommand + ", /" + manageCommand + " and “" + messageCommand + "”"},
	}}
	var bits int64
	for _, p := range in.Permissions {
		bits |= p.bit
	}
	link := "https://discord.com/oauth2/authorize?client_id=" + applicationID
	in.Server = link + "&integration_type=0&permissions=" + strconv.FormatInt(bits, 10) + "&scope=bot+applications.commands"
	in.Person = link + "&integration_type=1&scope=applications.commands"
	return in, nil
}
