package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// Types of callbacks.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object-interaction-callback-type
const (
	callbackPong         = 1
	callbackMessage      = 4
	callbackDefer        = 5
	callbackDeferUpdate  = 6
	callbackUpdate       = 7
	callbackAutocomplete = 8
	callbackModal        = 9
)

// Discord's deadlines, and ours inside of them.
// https://discord.com/developers/docs/interactions/receiving-and-responding#followup-messages
const (
	firstDeadline  = 2500 * time.Millisecond // of the 3 s for a first answer
	tokenLife      = 15 * time.Minute
	followUpMargin = 15 * time.Second
	lastWord       = time.Second // for a handler that is told to stop
	followUpTries  = 4
	followUpPause  = 400 * time.Millisecond
)

// A callback is the first answer to an interaction.
type callback struct {
	Type int `json:"type"`
	Data any `json:"data,omitempty"`
}

// deferral is the data of a deferred answer.
type deferral struct {
	Flags int `json:"flags,omitempty"`
}

// A modal is a form.
// https://discord.com/developers/docs/components/reference#label
type modal struct {
	CustomID   string      `json:"custom_id"`
	Title      string      `json:"title"`
	Components []component `json:"components"`
}

type completions struct {
	Choices []completion `json:"choices"`
}

type completion struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// respond runs an ask. It returns the first answer within Discord's deadline, and
// what is to be called after it: with true if it was given, with false if not.
func (a *Adapter) respond(ctx context.Context, h bot.Handler, q ask) (first callback, after func(given bool)) {
	began := time.Now()
	switch q.kind {
	case interactionPing:
		return callback{Type: callbackPong}, func(bool) {}
	case interactionAutocomplete:
		return a.autocomplete(ctx, h, q), func(bool) {}
	}
	// The handler may take as long as the token lives, whichever connection brought the
	// question.
	ctx, cancel := context.WithDeadline(ctx, began.Add(tokenLife-followUpMargin))
	answer := make(chan bot.Reply, 1)
	if q.reply != nil {
		answer <- *q.reply
	} else {
		go func() { answer <- a.handle(ctx, h, q.inv) }()
	}
	patience := time.NewTimer(patienceFor(q.id, a.opt.Patience, began))
	defer patience.Stop()
	select {
	case r := <-answer:
		first, rest := a.inline(q, r)
		return first, func(given bool) {
			defer cancel()
			if given {
				a.followUps(ctx, q, rest, r.Public)
			}
		}
	case <-patience.C:
	}
	first = callback{Type: callbackDefer, Data: deferral{Flags: flagEphemeral}}
	if q.kind == interactionComponent {
		// Whether the message will be replaced is not known yet. This acknowledgement
		// allows for both: an edit replaces it, a follow-up leaves it.
		first = callback{Type: callbackDeferUpdate}
	}
	return first, func(given bool) {
		defer cancel()
		if !given {
			return
		}
		select {
		case r := <-answer:
			a.late(ctx, q, r)
		case <-ctx.Done():
			// Whoever waits is told something in any case: the token still lives for a moment.
			say := "That took too long. Please ask again, for less at once."
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				say = "Seedcorn is being restarted. Please ask again in a minute."
			}
			select {
			case r := <-answer:
				a.late(ctx, q, r)
			case <-time.After(lastWord):
				a.log.Error("answering too late", "invocation", q.id, "command", q.inv.Command, "error", ctx.Err())
				a.late(ctx, q, plainly(say))
			}
		}
	}
}

// patienceFor is how long an answer may take before it is deferred. An interaction
// that comes late, as one that a resumed session repeats, has used up some of its
// three seconds; its id says when it was made. An age that cannot be, because then
// the token would have died, is that of a clock that is wrong.
func patienceFor(id string, most time.Duration, now time.Time) time.Duration {
	const dead, least = 3 * time.Second, 50 * time.Millisecond
	n, err := strconv.ParseUint(id, 10, 64)
	age := now.Sub(time.UnixMilli(int64(n>>22) + epoch))
	if err != nil || age <= 0 || age >= dead {
		return most
	}
	return max(least, min(most, firstDeadline-age))
}

// handle calls the handler; a panic of a command is an answer, too.
func (a *Adapter) handle(ctx context.Context, h bot.Handler, inv bot.Invocation) (r bot.Reply) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("command panicked", "invocation", inv.ID, "command", inv.Command, "panic", fmt.Sprint(p))
			r = plainly("Something went wrong on our side; it has been noted.")
		}
	}()
	return h.Handle(ctx, inv)
}

// inline is a reply as first answer, and the messages that come after it.
func (a *Adapter) inline(q ask, r bot.Reply) (callback, []outgoing) {
	if r.Form != nil && q.kind != interactionModal {
		if m, ok := formOf(*r.Form); ok {
			return callback{Type: callbackModal, Data: m}, nil
		}
	}
	all := a.messages(a.withForm(r))
	if r.Replace && q.kind == interactionComponent && q.own {
		return callback{Type: callbackUpdate, Data: all[0]}, all[1:]
	}
	m := all[0]
	if !r.Public {
		m = m.with(flagEphemeral)
	}
	return callback{Type: callbackMessage, Data: m}, all[1:]
}

// late gives a reply after it was deferred.
func (a *Adapter) late(ctx context.Context, q ask, r bot.Reply) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opt.Timeout)
	defer cancel()
	all := a.messages(a.withForm(r))
	switch {
	case q.kind == interactionComponent && r.Replace && q.own:
		a.edit(ctx, q, all[0])
		a.followUps(ctx, q, all[1:], r.Public)
	case q.kind == interactionComponent:
		a.followUps(ctx, q, all, r.Public)
	case r.Public:
		// What was deferred is for the asker alone, and stays so.
		a.edit(ctx, q, a.messages(plainly("Here it is, for everyone to see.").Document)[0])
		a.followUps(ctx, q, all, true)
	default:
		a.edit(ctx, q, all[0])
		a.followUps(ctx, q, all[1:], false)
	}
}

// withForm is a reply's document, with a button for its form if it has one: a form
// itself can only be a first answer, and not to a form. Pressed, the button asks the
// same again, and this time the answer is in time.
func (a *Adapter) withForm(r bot.Reply) message.Document {
	doc := r.Document
	if r.Form != nil {
		button := message.Action{Label: cmp.Or(r.Form.Title, "Fill in"), Command: a.asking(*r.Form)}
		doc.Blocks = append(doc.Blocks[:len(doc.Blocks):len(doc.Blocks)], message.Actions{Items: []message.Action{button}})
	}
	return doc
}

// asking is the typed line that brings a form: the command with what it cannot do
// without. What else is filled in already is left out, or the command might act on it
// instead of asking.
func (a *Adapter) asking(f bot.Form) string {
	if f.Asked != "" {
		return f.Asked
	}
	line := f.Command
	for _, c := range a.opt.Commands {
		for _, p := range c.Params {
			i := slices.IndexFunc(f.Fields, func(x bot.FormField) bool { return x.Param == p.Name })
			if c.Name != f.Command || !p.Required || i < 0 || f.Fields[i].Value == "" {
				continue
			}
			line += " " + p.Name + `:"` + strings.ReplaceAll(oneLine(f.Fields[i].Value), `"`, "'") + `"`
		}
	}
	return line
}

// edit changes the first answer.
func (a *Adapter) edit(ctx context.Context, q ask, m outgoing) {
	a.webhook(ctx, q, http.MethodPatch, "/messages/@original", m)
}

// followUps sends what comes after the first answer, in order.
func (a *Adapter) followUps(ctx context.Context, q ask, ms []outgoing, public bool) {
	for _, m := range ms {
		if !public {
			m = m.with(flagEphemeral)
		}
		if !a.webhook(ctx, q, http.MethodPost, "", m) {
			return
		}
	}
}

// webhook speaks to an interaction's webhook. The first answer may still be on its
// way when we are here, so "unknown webhook" is asked again a few times.
// https://discord.com/developers/docs/interactions/receiving-and-responding#followup-messages
func (a *Adapter) webhook(ctx context.Context, q ask, method, path string, m outgoing) bool {
	app := q.app
	if app == "" {
		var err error
		if app, err = a.application(ctx); err != nil {
			a.log.Error("answering", "invocation", q.id, "error", err)
			return false
		}
	}
	for try := 1; ; try++ {
		out := a.do(ctx, call{method: method, path: "/webhooks/" + app + "/" + q.token + path, answer: true, body: m})
		if out.ok() {
			return true
		}
		// A post that was perhaps accepted is not repeated; an edit and a refusal may be.
		early := out.status == http.StatusNotFound
		limited := out.status == http.StatusTooManyRequests
		if try < followUpTries && (early || limited) {
			pause := followUpPause
			if limited {
				pause = max(pause, out.retryAfter())
			}
			if pause <= patience && sleep(ctx, pause) == nil {
				continue
			}
		}
		a.log.Error("answering", "invocation", q.id, "command", q.inv.Command, "error", out.failure())
		return false
	}
}

// autocomplete offers choices, best first.
func (a *Adapter) autocomplete(ctx context.Context, h bot.Handler, q ask) callback {
	ctx, cancel := context.WithTimeout(ctx, firstDeadline)
	defer cancel()
	got := make(chan []bot.Choice, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				a.log.Error("completing panicked", "param", q.param, "panic", fmt.Sprint(p))
				got <- nil
			}
		}()
		if q.reply != nil || q.param == "" {
			got <- nil
			return
		}
		got <- h.Complete(ctx, q.inv, q.param, q.typed)
	}()
	out := completions{Choices: []completion{}}
	select {
	case choices := <-got:
		for _, c := range choices {
			// A value is sent back as it is, so that one that is too long is no choice; a label
			// is only shown.
			value := c.Value
			if len(out.Choices) == maxOptions || value == "" || size(value) > maxOption {
				continue
			}
			name := cut(oneLine(c.Label), maxOption)
			if name == "" {
				name = value
			}
			out.Choices = append(out.Choices, completion{Name: name, Value: value})
		}
	case <-ctx.Done():
	}
	return callback{Type: callbackAutocomplete, Data: out}
}

// settled puts the values of fields that are not asked behind a custom id, and returns
// the fields that are left. What does not fit is asked.
func settled(fields []bot.FormField, id string) ([]bot.FormField, string) {
	values := url.Values{}
	var ask []bot.FormField
	for _, x := range fields {
		if x.Fixed {
			values.Set(x.Param, x.Value)
		} else {
			ask = append(ask, x)
		}
	}
	if long := id + "?" + values.Encode(); len(values) > 0 && len(ask) > 0 && size(long) <= maxCustomID {
		return ask, long
	}
	return fields, id
}

// formOf is a form as a modal; ok is false if it does not fit one.
func formOf(f bot.Form) (modal, bool) {
	m := modal{CustomID: "f:" + f.Command, Title: cut(oneLine(f.Title), maxTitle)}
	f.Fields, m.CustomID = settled(f.Fields, m.CustomID)
	if len(f.Fields) == 0 || len(f.Fields) > maxFields || m.Title == "" || size(m.CustomID) > maxCustomID {
		return modal{}, false
	}
	for _, x := range f.Fields {
		label := component{Type: typeLabel, Label: cut(oneLine(x.Label), maxTitle), Description: cut(oneLine(x.Hint), maxHint)}
		if label.Label == "" {
			label.Label = x.Param
		}
		in := component{CustomID: x.Param, Required: ptr(x.Required)}
		if fits := len(x.Choices) > 0 && len(x.Choices) <= maxOptions; fits {
			in.Type, in.Placeholder = typeSelect, "Choose"
			for _, c := range x.Choices {
				if c == "" || size(c) > maxOption {
					return modal{}, false
				}
				in.Options = append(in.Options, choice{Label: c, Value: c, Default: c == x.Value})
			}
		} else {
			in.Type, in.Style, in.MaxLength = typeInput, styleShort, maxInput
			if x.Long {
				in.Style = styleParagraph
			}
			in.Value = clean(x.Value)
			if size(in.Value) > maxInput {
				return modal{}, false
			}
		}
		label.Component = &in
		m.Components = append(m.Components, label)
	}
	return m, true
}

// answerOver gives the first answer by a request of ours, as the gateway wants it.
// https://discord.com/developers/docs/interactions/receiving-and-responding#create-interaction-response
func (a *Adapter) answerOver(ctx context.Context, q ask, first callback) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstDeadline)
	defer cancel()
	out := a.do(ctx, call{method: http.MethodPost, path: "/interactions/" + q.id + "/" + q.token + "/callback", answer: true, body: first})
	if out.ok() {
		return true
	}
	a.log.Error("answering", "invocation", q.id, "command", q.inv.Command, "error", out.failure())
	// After an error of the other side the answer may have been given all the same.
	return out.err != nil || out.status >= 500
}

// receive is an interaction that the gateway brought.
func (a *Adapter) receive(ctx context.Context, h bot.Handler, raw json.RawMessage) {
	q, err := a.decode(raw)
	if err != nil {
		a.log.Error("reading an interaction", "error", err)
		return
	}
	first, after := a.respond(ctx, h, q)
	after(a.answerOver(ctx, q, first))
}
