package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// take is where both ways in meet: it decodes one request, has it answered, and
// returns what to acknowledge it with, nil for an empty acknowledgment, within
// patience however slow the answer is. A request that was taken before is
// acknowledged as it was then and not answered again. The error is for the log:
// what cannot be read is acknowledged all the same, or it would come again.
func (a *Adapter) take(ctx context.Context, h bot.Handler, kind, id string, raw []byte) ([]byte, error) {
	var work func(t *turn)
	switch kind {
	case kindCommand:
		q, err := a.decodeCommand(id, raw)
		if err != nil {
			return nil, err
		}
		work = func(t *turn) { a.answer(t, h, q) }
	case kindInteractive:
		x, err := decodeInteraction(raw)
		if err != nil {
			return nil, err
		}
		if work, err = a.interact(h, id, x); err != nil {
			return nil, err
		}
	case kindEvent:
		var c callback
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("reading an event: %w", err)
		}
		if c.EventID != "" {
			id = c.EventID
		}
		work = a.happen(h, id, c)
	}
	if work == nil {
		return nil, nil // of no concern to us
	}
	known, first := a.seen.begin(kind+" "+id, time.Now())
	if !first {
		timer := time.NewTimer(patienceWith(kind))
		defer timer.Stop()
		select {
		case <-known.done:
			return a.seen.ackOf(known), nil
		case <-timer.C:
			return nil, nil
		}
	}
	ack := a.run(ctx, patienceWith(kind), work)
	a.seen.end(known, ack)
	return ack, nil
}

// A turn is the time in which an answer can still be the acknowledgment.
type turn struct {
	ctx  context.Context
	ack  chan []byte
	over chan struct{} // closed when the acknowledgment is gone
}

// acknowledge hands over the acknowledgment, and reports whether it was in time.
// After the first time it is too late.
func (t *turn) acknowledge(ack []byte) bool {
	select {
	case t.ack <- ack:
		return true
	case <-t.over:
		return false
	}
}

// patienceWith is how long a request may wait for its answer. An event has none.
func patienceWith(kind string) time.Duration {
	switch kind {
	case kindCommand:
		return patience
	case kindInteractive:
		return formPatience
	}
	return 0
}

// run does work in the background and waits for its acknowledgment, if it is worth
// waiting, so long.
func (a *Adapter) run(ctx context.Context, wait time.Duration, work func(*turn)) []byte {
	// The answer outlives the request: it follows up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opt.AnswerWithin+time.Minute)
	t := &turn{ctx: ctx, ack: make(chan []byte), over: make(chan struct{})}
	finished := make(chan struct{})
	a.tasks.begin()
	go func() {
		defer a.tasks.end()
		defer cancel()
		defer close(finished)
		defer func() {
			if p := recover(); p != nil {
				a.log.Error("answering", "platform", Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
		}()
		work(t)
	}()
	defer close(t.over)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case ack := <-t.ack:
		return ack
	case <-finished:
		return nil
	case <-timer.C:
		return nil
	}
}

// ask hands an invocation to the handler, with what Slack tells of the asker.
func (a *Adapter) ask(ctx context.Context, h bot.Handler, inv bot.Invocation) bot.Reply {
	ctx, cancel := context.WithTimeout(ctx, a.opt.AnswerWithin)
	defer cancel()
	inv.Asker = a.person(ctx, inv.Place.Workspace, inv.Asker)
	if inv.Asker.ID != "" {
		inv.Asker.Direct = digest.Destination{Platform: Name, Workspace: inv.Place.Workspace, Channel: inv.Asker.ID, Direct: true}
	}
	return h.Handle(ctx, inv)
}

func (a *Adapter) answer(t *turn, h bot.Handler, q ask) { a.reply(t, q, a.ask(t.ctx, h, q.inv)) }

// person adds to who asked what Slack tells: the time zone, whether they are a
// guest or manage the workspace. All of it is best effort: without the scope
// users:read nobody is a guest and nobody manages.
func (a *Adapter) person(ctx context.Context, workspace string, p bot.Person) bot.Person {
	key := workspace + "/" + p.ID
	if known, ok := a.people.get(key, time.Now()); ok {
		if p.Name != "" {
			known.Name = p.Name
		}
		return known
	}
	// Not worth more of the three seconds than this.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	token, err := a.opt.Tokens.Token(ctx, workspace)
	if err != nil {
		return p
	}
	var got struct {
		User struct {
			Name       string `json:"name"`
			TZ         string `json:"tz"`
			Admin      bool   `json:"is_admin"`
			Owner      bool   `json:"is_owner"`
			Guest      bool   `json:"is_restricted"`
			OneChannel bool   `json:"is_ultra_restricted"`
			Stranger   bool   `json:"is_stranger"` // of another organization, in a shared channel
		} `json:"user"`
	}
	// https://docs.slack.dev/reference/methods/users.info
	if _, err := a.api.call(ctx, token, "users.info", url.Values{"user": {p.ID}}, &got); err != nil {
		if code(err) == "missing_scope" { // it will be missing the next time, too
			a.people.put(key, p, time.Now())
		}
		return p
	}
	u := got.User
	p.Name, p.Zone = either(p.Name, u.Name), u.TZ
	p.Guest, p.Manages = u.Guest || u.OneChannel || u.Stranger, u.Admin || u.Owner
	a.people.put(key, p, time.Now())
	return p
}

// interact says what is to be done about a click, a form or a shortcut; nil for
// nothing.
func (a *Adapter) interact(h bot.Handler, id string, x interaction) (func(*turn), error) {
	b := x.back()
	asker := bot.Person{ID: x.User.ID, Name: x.name()}
	switch {
	case x.Type == "block_actions" && len(x.Actions) > 0:
		act := x.Actions[0]
		if act.ActionID == actionLive && x.View != nil {
			return func(t *turn) { t.acknowledge(nil); a.preview(t.ctx, h, id, x) }, nil
		}
		line := act.Value
		if act.Selected != nil {
			line = act.Selected.Value
		}
		if line == "" || !ourAction.MatchString(act.ActionID) {
			return nil, nil
		}
		q := a.typed(id, line, asker.Name, b)
		q.inv.Once = x.TriggerID
		return func(t *turn) {
			// A click is acknowledged empty; the answer always follows up.
			t.acknowledge(nil)
			a.answer(t, h, q)
			if b.view == "home" {
				a.home(t.ctx, h, id, b.workspace, asker)
			}
		}, nil
	case x.Type == "view_submission" && x.View != nil && x.View.CallbackID == callbackForm:
		q, missing, err := decodeSubmission(id, x)
		if err != nil {
			return nil, err
		}
		return func(t *turn) {
			if len(missing) > 0 {
				t.acknowledgeJSON(map[string]any{"response_action": "errors", "errors": missing})
				return
			}
			a.submit(t, h, q)
		}, nil
	case x.Type == "message_action" && x.CallbackID == shortcutWhat:
		return func(t *turn) { t.acknowledge(nil); a.whatIsThis(t, h, id, asker, b, x.Message) }, nil
	case x.Type == "shortcut" && x.CallbackID == shortcutSub:
		q := ask{inv: bot.Invocation{ID: id, Place: place(b), Asker: asker, Command: "subscribe", Args: map[string]string{}}, back: b}
		return func(t *turn) { t.acknowledge(nil); a.answer(t, h, q) }, nil
	}
	return nil, nil
}

func (t *turn) acknowledgeJSON(v any) bool {
	raw, err := encode(v)
	return err == nil && t.acknowledge(raw)
}

// whatIsThis answers for the links to research in somebody's message.
func (a *Adapter) whatIsThis(t *turn, h bot.Handler, id string, asker bot.Person, b back, raw json.RawMessage) {
	b.replace = false
	links := findLinks(raw)
	if len(links) == 0 {
		say := "There is no link to arXiv, Hugging Face or GitHub in this message."
		a.reply(t, ask{back: b}, bot.Reply{Document: message.Document{Summary: say, Blocks: []message.Block{message.Paragraph{Text: message.Plain(say)}}}})
		return
	}
	var doc message.Document
	for i, l := range links {
		r := a.ask(t.ctx, h, bot.Invocation{ID: id, Place: place(b), Asker: asker, Command: "work", Args: map[string]string{"work": l}})
		if i == 0 {
			doc.Summary = r.Document.Summary
		} else {
			doc.Blocks = append(doc.Blocks, message.Rule{})
		}
		doc.Blocks = append(doc.Blocks, r.Document.Blocks...)
	}
	a.reply(t, ask{back: b}, bot.Reply{Document: doc})
}

// happen says what is to be done about an event; nil for nothing.
func (a *Adapter) happen(h bot.Handler, id string, c callback) func(*turn) {
	e := c.Event
	b := back{workspace: c.TeamID, channel: e.Channel, user: e.User.ID, thread: either(e.ThreadTS, e.TS), said: true}
	switch {
	case c.Type != "event_callback":
		return nil
	case e.Type == "app_uninstalled", e.Type == "tokens_revoked" && revokesBot(e.Tokens):
		if a.opt.Gone == nil {
			return nil
		}
		return func(t *turn) { a.opt.Gone(t.ctx, c.TeamID, e.Type, c.at(time.Now())) }
	case e.Type == "user_change":
		if a.opt.Left == nil || !e.User.Deleted {
			return nil
		}
		return func(t *turn) { a.opt.Left(t.ctx, c.TeamID, e.User.ID) }
	case e.BotID != "" || e.User.ID == "":
		return nil // bots, ourselves among them
	case e.Type == "app_home_opened" && e.Tab == "home":
		return func(t *turn) { a.home(t.ctx, h, id, c.TeamID, bot.Person{ID: e.User.ID}) }
	case e.Type == "app_mention":
		return func(t *turn) { a.answer(t, h, a.said(id, mention.ReplaceAllString(e.Text, " "), c, b)) }
	case e.Type == "message" && e.ChannelType == "im" && e.Subtype == "":
		b.direct = true
		b.thread = e.ThreadTS
		return func(t *turn) { a.answer(t, h, a.said(id, e.Text, c, b)) }
	case e.Type == "link_shared" && a.opt.Unfurl:
		return func(t *turn) { a.unfurl(t.ctx, h, id, c.TeamID, e) }
	}
	return nil
}

// said is what a message asks.
func (a *Adapter) said(id, text string, c callback, b back) ask {
	q := a.typed(id, unformat(text), "", b)
	q.inv.Once = c.EventID
	return q
}

// revokesBot reports whether a bot's token is among those revoked; people's are
// none of ours (https://docs.slack.dev/reference/events/tokens_revoked).
func revokesBot(raw json.RawMessage) bool {
	var tokens struct {
		Bot []string `json:"bot"`
	}
	return json.Unmarshal(raw, &tokens) == nil && len(tokens.Bot) > 0
}

// reply brings a reply back to who asked, by the first of these that there is: a
// form; on top of the view that was clicked in; as the acknowledgment; by the
// response_url; by a message.
func (a *Adapter) reply(t *turn, q ask, r bot.Reply) {
	b := q.back
	if r.Form != nil && b.trigger != "" {
		if err := a.openForm(t.ctx, b, *r.Form); err == nil {
			t.acknowledge(nil)
			return
		} else {
			a.warn("opening a form", q, err)
		}
	}
	if b.view != "" && b.trigger != "" && (b.direct || !r.Public) {
		if err := a.openDocument(t.ctx, b, r.Document); err == nil {
			return
		} else {
			a.warn("opening a view", q, err)
		}
	}
	if r.Posts && r.Public && !b.direct && b.channel != "" {
		// Said in the way in which the digests will be, or it is said to the asker that
		// they will not.
		t.acknowledge(nil)
		err := a.deliver(t.ctx, b, &hook{}, r, true)
		if err == nil {
			return
		}
		a.warn("answering in the channel", q, err)
		var p *bot.PostError
		switch errors.As(classify(err), &p); p.Fate {
		case bot.FateDead:
			r.Public, r.Document = false, warned(p.Say, r.Document)
		case bot.FateUnsure:
			return // it may stand there
		}
	}
	hook := &hook{url: b.hook, born: time.Now(), public: r.Public && !b.direct}
	if b.inline {
		if body, ok := a.single(b, hook, r); ok && t.acknowledge(body) {
			return
		}
	}
	t.acknowledge(nil)
	err := a.deliver(t.ctx, b, hook, r, r.Public || b.direct || b.said)
	if why := refusal(err); why != "" && !b.direct {
		// Nothing reaches the asker where it was asked.
		a.warn("answering in the channel", q, err)
		r.Document = warned(why, r.Document)
		err = a.deliver(t.ctx, back{workspace: b.workspace, user: b.user, direct: true}, nil, r, true)
	}
	if err != nil {
		a.warn("answering", q, err)
	}
}

// refusal says in words why Slack will not let us post somewhere however often we try;
// "" if that is not what an error says.
func refusal(err error) string {
	var p *bot.PostError
	if err == nil || !errors.As(classify(err), &p) || p.Fate != bot.FateDead {
		return ""
	}
	return p.Say
}

// warned is a document with a warning before it.
func warned(why string, doc message.Document) message.Document {
	out := message.Document{Summary: why, Blocks: []message.Block{message.Paragraph{Text: message.Line{{Text: why, Bold: true}}}}}
	out.Blocks = append(out.Blocks, doc.Blocks...)
	return out
}

// single is a reply as an acknowledgment, if it is short enough to be one.
func (a *Adapter) single(b back, h *hook, r bot.Reply) (json.RawMessage, bool) {
	parts, err := a.Render(r.Document)
	if err != nil || len(parts) != 1 {
		return nil, false
	}
	parts[0].Payload = a.safe(b.workspace, parts[0].Payload)
	body, err := h.body(parts[0], "", false)
	return body, err == nil
}

// deliver brings a reply to where it was asked, after the acknowledgment.
func (a *Adapter) deliver(ctx context.Context, b back, h *hook, r bot.Reply, public bool) error {
	if h == nil {
		h = &hook{}
	}
	parts, err := a.Render(r.Document)
	if err != nil {
		return fmt.Errorf("rendering: %w", err)
	}
	for i, p := range parts {
		p.Payload = a.safe(b.workspace, p.Payload)
		if err := a.follow(ctx, b, h, p, public, r.Replace && b.replace && i == 0); err != nil {
			return err
		}
	}
	return nil
}

// warn writes the one line that an operator sees of an answer that did not arrive.
func (a *Adapter) warn(doing string, q ask, err error) {
	a.log.Warn(doing, "platform", Name, "invocation", q.inv.ID, "command", q.inv.Command, "workspace", q.back.workspace, "error", err)
}

// A hook is a response_url with what is left of it.
type hook struct {
	url    string
	born   time.Time
	used   int
	public bool
}

func (h *hook) body(p bot.Part, thread string, replace bool) (json.RawMessage, error) {
	w := where{Response: "ephemeral", Replace: &replace, ThreadTS: thread}
	if h.public {
		w.Response = "in_channel"
	}
	return splice(w, p.Payload)
}

// left reports whether the response_url takes one more.
func (h *hook) left(now time.Time) bool {
	return h.url != "" && h.used < hookUses && now.Sub(h.born) < hookLife
}

// maxWait is how long an answer waits when Slack asks to go slower; the person has
// turned to something else by then.
const maxWait = 30 * time.Second

// follow sends one part after the acknowledgment: by the response_url while it
// lasts, else by the Web API. Where Slack asks to go slower it waits and tries again:
// a 429 is the one answer after which nothing can have been posted.
func (a *Adapter) follow(ctx context.Context, b back, h *hook, p bot.Part, public, replace bool) error {
	for {
		err := a.followOnce(ctx, b, h, p, public, replace)
		var e *callError
		if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.After > maxWait {
			return err
		}
		timer := time.NewTimer(max(e.After, time.Second))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

func (a *Adapter) followOnce(ctx context.Context, b back, h *hook, p bot.Part, public, replace bool) error {
	if h.left(time.Now()) && a.api.hookable(h.url) {
		body, err := h.body(p, b.thread, replace)
		if err != nil {
			return err
		}
		err = a.api.send(ctx, h.url, body)
		var e *callError
		switch {
		case errors.As(err, &e) && e.Status == http.StatusTooManyRequests:
			return err
		case e != nil && e.Status/100 == 4:
			h.used = hookUses // Slack knows it no more: it was used up, or is too old
		default:
			h.used++
			return err
		}
	}
	token, err := a.opt.Tokens.Token(ctx, b.workspace)
	if err != nil {
		return err
	}
	w, method := where{Channel: b.channel, ThreadTS: b.thread}, "chat.postMessage"
	switch {
	case b.direct && !isDirect(b.channel) || b.channel == "":
		w.ThreadTS = ""
		if w.Channel, err = a.open(ctx, token, b.workspace, b.user); err != nil {
			return err
		}
	case !public:
		// https://docs.slack.dev/reference/methods/chat.postEphemeral
		w.User, method = b.user, "chat.postEphemeral"
	}
	body, err := splice(w, p.Payload)
	if err != nil {
		return err
	}
	_, err = a.api.call(ctx, token, method, body, nil)
	return err
}

// unfurl shows what we know of links that somebody posted
// (https://docs.slack.dev/messaging/unfurling-links-in-messages). What we do not know
// stays as it is.
func (a *Adapter) unfurl(ctx context.Context, h bot.Handler, id, workspace string, e event) {
	unfurls := map[string]any{}
	for _, l := range e.Links[:min(len(e.Links), maxLinks)] {
		if !research.MatchString(l.URL) {
			continue
		}
		b := back{workspace: workspace, channel: e.Channel, user: e.User.ID, direct: isDirect(e.Channel)}
		r := a.ask(ctx, h, bot.Invocation{ID: id, Place: place(b), Asker: bot.Person{ID: e.User.ID}, Command: "work", Args: map[string]string{"work": l.URL}})
		doc := message.Document{Summary: r.Document.Summary}
		for _, block := range r.Document.Blocks {
			if s, ok := block.(message.Story); ok {
				doc.Blocks = append(doc.Blocks, s)
			}
		}
		if len(doc.Blocks) == 0 {
			continue
		}
		parts, err := a.Render(doc)
		if err != nil {
			continue
		}
		var p payload
		if json.Unmarshal(parts[0].Payload, &p) == nil {
			unfurls[l.URL] = map[string]any{"blocks": p.Blocks}
		}
	}
	if len(unfurls) == 0 {
		return
	}
	token, err := a.opt.Tokens.Token(ctx, workspace)
	if err == nil {
		args := map[string]any{"channel": e.Channel, "ts": e.MessageTS, "unfurls": unfurls}
		if e.UnfurlID != "" && e.Source != "" {
			args = map[string]any{"unfurl_id": e.UnfurlID, "source": e.Source, "unfurls": unfurls}
		}
		_, err = a.api.call(ctx, token, "chat.unfurl", args, nil)
	}
	if err != nil {
		a.log.Warn("unfurling", "platform", Name, "workspace", workspace, "error", err)
	}
}
