package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// modal is a view to be opened (https://docs.slack.dev/reference/views/modal-views).
type modal struct {
	Type            string            `json:"type"`
	CallbackID      string            `json:"callback_id,omitempty"`
	Title           *plain            `json:"title,omitempty"`
	Submit          *plain            `json:"submit,omitempty"`
	Close           *plain            `json:"close,omitempty"`
	PrivateMetadata string            `json:"private_metadata,omitempty"`
	Blocks          []json.RawMessage `json:"blocks"`
}

type input struct {
	Type           string `json:"type"`
	BlockID        string `json:"block_id"`
	Label          plain  `json:"label"`
	Hint           *plain `json:"hint,omitempty"`
	Optional       bool   `json:"optional"`
	DispatchAction bool   `json:"dispatch_action,omitempty"`
	Element        any    `json:"element"`
}

type textInput struct {
	Type      string    `json:"type"`
	ActionID  string    `json:"action_id"`
	Multiline bool      `json:"multiline,omitempty"`
	Initial   string    `json:"initial_value,omitempty"`
	MaxLength int       `json:"max_length"`
	Dispatch  *dispatch `json:"dispatch_action_config,omitempty"`
}

type dispatch struct {
	On []string `json:"trigger_actions_on"`
}

type selectInput struct {
	Type     string   `json:"type"`
	ActionID string   `json:"action_id"`
	Options  []option `json:"options"`
	Initial  *option  `json:"initial_option,omitempty"`
}

func words(s string, most int) *plain { return &plain{"plain_text", clip(tidy(s), most), false} }

// previews are the forms whose query is tried while it is being typed, with the
// command that tries it.
var previews = map[string]string{"subscribe": "preview", "follow": "preview", "edit": "preview"}

// formView is a form as a modal.
func formView(f bot.Form, m memo) (modal, error) {
	m.Command, m.Title = f.Command, f.Title
	v := modal{Type: "modal", CallbackID: callbackForm, Title: words(f.Title, maxViewTitle), Submit: words(either(f.Submit, "Send"), maxViewTitle), Close: words("Cancel", maxViewTitle)}
	if v.Title.Text == "" {
		v.Title = words("Seedcorn", maxViewTitle)
	}
	for _, q := range f.Fields {
		if q.Fixed {
			if m.Fixed == nil {
				m.Fixed = map[string]string{}
			}
			m.Fixed[q.Param] = q.Value
			continue
		}
		if q.Required {
			m.Required = append(m.Required, q.Param)
		}
		in := input{Type: "input", BlockID: inputPrefix + q.Param, Label: *words(either(q.Label, q.Param), maxInputLabel), Optional: !q.Required}
		if tidy(q.Hint) != "" {
			in.Hint = words(q.Hint, maxInputLabel)
		}
		if n := len(q.Choices); n > 0 && n <= maxSelectItems {
			s := selectInput{Type: "static_select", ActionID: actionAnswer}
			for _, c := range q.Choices {
				o := option{Text: *words(c, maxOptionText), Value: c}
				if tidy(c) == "" || len(c) > maxOptionValue {
					continue
				}
				s.Options = append(s.Options, o)
				if c == q.Value {
					s.Initial = &o
				}
			}
			in.Element = s
		} else {
			if utf8.RuneCountInString(q.Value) > maxInput {
				return modal{}, fmt.Errorf("%s is longer than a form takes", q.Param)
			}
			t := textInput{Type: "plain_text_input", ActionID: actionAnswer, Multiline: q.Long, Initial: q.Value, MaxLength: maxInput}
			if previews[f.Command] != "" && q.Param == "query" {
				in.DispatchAction, t.ActionID = true, actionLive
				t.Dispatch = &dispatch{[]string{"on_enter_pressed", "on_character_entered"}}
			}
			in.Element = t
		}
		raw, err := encode(in)
		if err != nil {
			return modal{}, err
		}
		v.Blocks = append(v.Blocks, raw)
	}
	private, err := encode(m)
	if err != nil {
		return modal{}, err
	}
	if len(private) > maxPrivate {
		return modal{}, fmt.Errorf("a form of %d bytes to remember", len(private))
	}
	v.PrivateMetadata = string(private)
	return v, nil
}

func (b back) memo() memo { return memo{Channel: b.channel, Direct: b.direct, Thread: b.thread} }

// openForm shows a form, in three seconds from the click or never.
func (a *Adapter) openForm(ctx context.Context, b back, f bot.Form) error {
	v, err := formView(f, b.memo())
	if err != nil {
		return err
	}
	return a.openView(ctx, b, v)
}

func (a *Adapter) openView(ctx context.Context, b back, v modal) error {
	token, err := a.opt.Tokens.Token(ctx, b.workspace)
	if err != nil {
		return err
	}
	method := "views.open"
	if b.view == "modal" {
		method = "views.push"
	}
	_, err = a.api.call(ctx, token, method, map[string]any{"trigger_id": b.trigger, "view": v}, nil)
	return err
}

// documentView is a reply as a modal.
func documentView(doc message.Document, m memo) (modal, error) {
	r := &renderer{}
	doc.Visit(r)
	if r.err != nil {
		return modal{}, r.err
	}
	title := ""
	for _, b := range doc.Blocks {
		if h, ok := b.(message.Heading); ok && len([]rune(h.Text)) <= maxViewTitle {
			title = h.Text
			break
		}
	}
	private, err := encode(m)
	if err != nil {
		return modal{}, err
	}
	v := modal{Type: "modal", CallbackID: callbackReply, Title: words(title, maxViewTitle), Close: words("Back", maxViewTitle), PrivateMetadata: string(private)}
	if v.Title.Text == "" {
		v.Title.Text = "Seedcorn"
	}
	v.Blocks, err = firstBlocks(r.groups, maxViewBlocks)
	if len(v.Blocks) == 0 && err == nil {
		empty := &renderer{}
		empty.flow(false, []inline{{Type: "text", Text: fallback(doc)}})
		v.Blocks, err = firstBlocks(empty.groups, maxViewBlocks)
	}
	return v, err
}

// viewBudget is for the JSON of a view's blocks. Slack documents 250 kB; this is
// what a socket's acknowledgment carries besides, of its 20 kB
// (slack-go, socketmode.Client.SendCtx).
const viewBudget = 16_000

// firstBlocks are the first blocks of groups that fit into a view, with a word on
// where the rest is if there is one.
func firstBlocks(groups []group, most int) ([]json.RawMessage, error) {
	pages := paginate(groups, most-1, viewBudget)
	if len(pages) == 0 {
		return nil, nil
	}
	if len(pages) == 1 {
		return blocksOf(pages[0]), nil
	}
	more, err := encode(container{Type: "context", Elements: []any{plain{"plain_text", "There is more than a window shows: type the command in a channel to see all of it.", false}}})
	return append(blocksOf(pages[0]), more), err
}

func (a *Adapter) openDocument(ctx context.Context, b back, doc message.Document) error {
	v, err := documentView(doc, b.memo())
	if err != nil {
		return err
	}
	return a.openView(ctx, b, v)
}

// submit answers a filled-in form. What everybody is to see is posted, and the form
// closes; anything else is shown on top of it, so that one can go back and mend it.
func (a *Adapter) submit(t *turn, h bot.Handler, q ask) {
	r := a.ask(t.ctx, h, q.inv)
	if block := inputPrefix + r.Fault; r.Fault != "" && q.asked[block] {
		// It is said beside the question, and what was filled in stays.
		t.acknowledgeJSON(map[string]any{"response_action": "errors", "errors": map[string]string{block: clip(faultWords(r.Document), maxFault)}})
		return
	}
	q.back.view, q.back.trigger = "", "" // an acknowledgment opens views by itself
	if r.Public && !q.back.direct {
		t.acknowledgeJSON(map[string]string{"response_action": "clear"})
		a.reply(t, q, r)
		return
	}
	var v modal
	var err error
	if r.Form != nil {
		v, err = formView(*r.Form, q.back.memo())
	} else {
		v, err = documentView(r.Document, q.back.memo())
	}
	if err != nil {
		a.warn("answering a form", q, err)
	}
	if err == nil && t.acknowledgeJSON(map[string]any{"response_action": "push", "view": v}) {
		return
	}
	r.Form = nil
	a.reply(t, q, r)
}

// faultWords are a fault and what to do about it, in a line.
func faultWords(doc message.Document) string {
	say := fallback(doc)
	for _, b := range doc.Blocks {
		if s, ok := b.(message.SmallPrint); ok && len(s.Items) > 0 {
			say = strings.TrimRight(say, ".") + ". " + tidy(s.Items[0].String())
		}
	}
	return say
}

// typingPause is how long somebody must have stopped typing.
const typingPause = 400 * time.Millisecond

// preview tries the query of a form while it is typed, and says below the form what
// comes of it.
func (a *Adapter) preview(ctx context.Context, h bot.Handler, id string, x interaction) {
	m, ok := parseMemo(x.View.PrivateMetadata)
	try := previews[m.Command]
	if !ok || try == "" || len(x.View.Blocks) == 0 {
		return
	}
	b := x.back()
	query := x.Actions[0].Value
	// A letter that is followed by another one soon is not looked up.
	a.typing.put(x.View.ID, query, time.Now())
	pause := time.NewTimer(typingPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return
	}
	if latest, _ := a.typing.get(x.View.ID, time.Now()); latest != query {
		return
	}
	r := a.ask(ctx, h, bot.Invocation{ID: id, Place: place(b), Asker: bot.Person{ID: x.User.ID, Name: x.name()}, Command: try, Args: map[string]string{"query": query}})
	err := a.updatePreview(ctx, b, x.View, fallback(r.Document))
	if err != nil && code(err) != "hash_conflict" { // somebody types faster than we look
		a.log.Warn("previewing", "platform", Name, "invocation", id, "workspace", b.workspace, "error", err)
	}
}

func (a *Adapter) updatePreview(ctx context.Context, b back, v *view, say string) error {
	line, err := encode(container{Type: "context", BlockID: blockLive, Elements: []any{plain{"plain_text", clip(say, maxHeader*2), false}}})
	if err != nil {
		return err
	}
	blocks := slices.DeleteFunc(slices.Clone(v.Blocks), func(raw json.RawMessage) bool {
		var b struct {
			ID string `json:"block_id"`
		}
		return json.Unmarshal(raw, &b) == nil && b.ID == blockLive
	})
	token, err := a.opt.Tokens.Token(ctx, b.workspace)
	if err != nil {
		return err
	}
	again := map[string]any{
		"type": "modal", "callback_id": v.CallbackID, "private_metadata": v.PrivateMetadata,
		"title": v.Title, "submit": v.Submit, "close": v.Close, "blocks": append(blocks, line),
	}
	args := map[string]any{"view_id": v.ID, "view": again}
	if v.Hash != "" {
		args["hash"] = v.Hash
	}
	_, err = a.api.call(ctx, token, "views.update", args, nil)
	return err
}

// homeParts are the parts of the App Home: what is asked for each, and how much of
// a home's hundred blocks it may take.
var homeParts = []struct {
	title, command string
	most           int
}{
	{"My subscriptions", "subscriptions", 20},
	{"This week", "latest", 40},
	{"Found useful here", "useful", 20},
	{"Saved", "saved", 16},
}

// home publishes somebody's App Home.
func (a *Adapter) home(ctx context.Context, h bot.Handler, id, workspace string, who bot.Person) {
	err := a.publish(ctx, h, id, workspace, who)
	if err != nil {
		a.log.Warn("publishing a home", "platform", Name, "invocation", id, "workspace", workspace, "error", err)
	}
}

func (a *Adapter) publish(ctx context.Context, h bot.Handler, id, workspace string, who bot.Person) error {
	if who.ID == "" {
		return errors.New("nobody's home")
	}
	v := modal{Type: "home"}
	r := &renderer{} // one for all, so that ids are unique
	section := func(doc message.Document, most int) {
		from := len(r.groups)
		doc.Visit(r)
		pages := paginate(r.groups[from:], most, 60_000)
		if len(pages) > 0 {
			v.Blocks = append(v.Blocks, blocksOf(pages[0])...)
		}
	}
	section(message.Document{Blocks: []message.Block{
		message.Actions{Items: []message.Action{{Label: "Subscribe", Command: "subscribe"}, {Label: "Settings", Command: "settings"}, {Label: "Corrections", Command: "corrections"}, {Label: "Help", Command: "help"}}},
	}}, 2)
	b := back{workspace: workspace, user: who.ID, direct: true}
	for _, p := range homeParts {
		got := a.ask(ctx, h, bot.Invocation{ID: id, Place: place(b), Asker: who, Command: p.command, Args: map[string]string{}})
		doc := message.Document{Blocks: got.Document.Blocks}
		if first, ok := headed(doc); !ok || first != p.title {
			doc.Blocks = append([]message.Block{message.Heading{Level: 2, Text: p.title}}, doc.Blocks...)
		}
		section(doc, p.most)
	}
	if r.err != nil {
		return r.err
	}
	token, err := a.opt.Tokens.Token(ctx, workspace)
	if err != nil {
		return err
	}
	// https://docs.slack.dev/reference/methods/views.publish
	_, err = a.api.call(ctx, token, "views.publish", map[string]any{"user_id": who.ID, "view": v}, nil)
	return err
}

// headed is the text of a heading that a document begins with.
func headed(doc message.Document) (string, bool) {
	if len(doc.Blocks) == 0 {
		return "", false
	}
	h, ok := doc.Blocks[0].(message.Heading)
	return h.Text, ok
}
