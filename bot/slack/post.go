package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

// eventType marks our messages in their metadata
// (https://docs.slack.dev/messaging/message-metadata).
const eventType = "seedcorn_delivery"

// metadata carries the delivery's id.
type metadata struct {
	EventType string `json:"event_type"`
	Payload   struct {
		Delivery string `json:"delivery"`
	} `json:"event_payload"`
}

// where is what a payload lacks: the arguments of chat.postMessage and its kin that
// depend on the occasion.
type where struct {
	Channel  string    `json:"channel,omitempty"`
	TS       string    `json:"ts,omitempty"`
	ThreadTS string    `json:"thread_ts,omitempty"`
	User     string    `json:"user,omitempty"`
	Metadata *metadata `json:"metadata,omitempty"`

	// Of answers to commands and clicks.
	Response string `json:"response_type,omitempty"`
	Replace  *bool  `json:"replace_original,omitempty"`
}

// splice puts w before the fields of a payload, leaving its bytes as they are.
func splice(w where, payload []byte) (json.RawMessage, error) {
	head, err := encode(w)
	if err != nil {
		return nil, err
	}
	if len(payload) < 2 || payload[0] != '{' || !json.Valid(payload) {
		return nil, errors.New("the payload is no JSON object")
	}
	if len(head) == 2 || string(payload) == "{}" {
		if len(head) == 2 {
			return payload, nil
		}
		return head, nil
	}
	out := make([]byte, 0, len(head)+len(payload))
	out = append(out, head[:len(head)-1]...)
	out = append(out, ',')
	return append(out, payload[1:]...), nil
}

// A place in Slack: what a receipt holds.
type spot struct{ channel, ts string }

func (s spot) receipt() bot.Receipt { return bot.Receipt(s.channel + "/" + s.ts) }

func parseReceipt(r bot.Receipt) (spot, error) {
	channel, ts, ok := strings.Cut(string(r), "/")
	if !ok || channel == "" || ts == "" {
		return spot{}, fmt.Errorf("%q is no receipt of ours", clip(string(r), 60))
	}
	return spot{channel, ts}, nil
}

// marked is the metadata of a delivery's message.
func marked(id bot.DeliveryID) *metadata {
	m := &metadata{EventType: eventType}
	m.Payload.Delivery = string(id)
	return m
}

// Pace implements [bot.Pacer]: a message a second to a channel. What a workspace takes
// in all is not published; only refusals tell
// (https://docs.slack.dev/apis/web-api/rate-limits).
func (a *Adapter) Pace() digest.Pace {
	return digest.Pace{Channel: digest.Rate{Every: time.Second}}
}

// EditPace implements [bot.EditPacer]: chat.update is a method of tier 3, which is fifty a
// minute in a workspace (https://docs.slack.dev/reference/methods/chat.update,
// https://docs.slack.dev/apis/web-api/rate-limits).
func (a *Adapter) EditPace() digest.Pace {
	return digest.Pace{Workspace: digest.Rate{Every: time.Minute / 50}}
}

// Post implements [bot.Platform]. Later parts go into the thread of the first.
func (a *Adapter) Post(ctx context.Context, to digest.Destination, id bot.DeliveryID, part bot.Part, first bot.Receipt) (bot.Receipt, error) {
	if strings.HasPrefix(part.Summary, digest.Resend) {
		var err error
		if part, err = resent(part); err != nil {
			return "", &bot.PostError{Fate: bot.FateDead, Say: sayForm, Err: err}
		}
	}
	w := where{Metadata: marked(id)}
	token, channel, err := a.reach(ctx, to)
	if err != nil {
		a.lost(ctx, to.Workspace, err)
		return "", before(err)
	}
	w.Channel = channel
	if first != "" {
		s, err := parseReceipt(first)
		if err != nil {
			return "", &bot.PostError{Fate: bot.FateDead, Say: "The digest's first message was lost track of.", Err: err}
		}
		w.Channel, w.ThreadTS = s.channel, s.ts
	}
	r, err := a.put(ctx, token, to.Workspace, "chat.postMessage", w, part)
	a.lost(ctx, to.Workspace, err)
	return r, err
}

// lost tells that the app is not in a workspace any more if that is what an error
// means: the event that says so may have been lost, or be still on its way.
func (a *Adapter) lost(ctx context.Context, workspace string, err error) {
	if c := code(err); a.opt.Gone != nil && (c == "account_inactive" || c == "token_revoked") {
		a.opt.Gone(ctx, workspace, c, time.Now())
	}
}

// resent is a part that says first of all that its readers may have seen it. The
// budgets of rendering leave room for that.
func resent(part bot.Part) (bot.Part, error) {
	var p payload
	if err := json.Unmarshal(part.Payload, &p); err != nil {
		return bot.Part{}, fmt.Errorf("reading the part: %w", err)
	}
	// https://docs.slack.dev/reference/block-kit/blocks/context-block
	note, err := encode(container{Type: "context", Elements: []any{plain{Type: "plain_text", Text: digest.Resend}}})
	if err != nil {
		return bot.Part{}, err
	}
	p.Text, p.Blocks = digest.Resend+" "+p.Text, append([]json.RawMessage{note}, p.Blocks...)
	for i := range p.Charts {
		p.Charts[i].At++
	}
	part.Payload, err = encode(p)
	return part, err
}

// Direct implements [bot.Correspondent]: a person's id is a channel to write to.
func (a *Adapter) Direct(workspace, person string) digest.Destination {
	return digest.Destination{Platform: Name, Workspace: workspace, Channel: person, Direct: true}
}

// Edit implements [bot.Editor]. The message keeps its metadata, by which it is found.
// https://docs.slack.dev/reference/methods/chat.update
func (a *Adapter) Edit(ctx context.Context, to digest.Destination, id bot.DeliveryID, r bot.Receipt, part bot.Part) error {
	s, err := parseReceipt(r)
	if err != nil {
		return &bot.PostError{Fate: bot.FateDead, Say: "The message was lost track of.", Err: err}
	}
	token, err := a.opt.Tokens.Token(ctx, to.Workspace)
	if err != nil {
		return before(err)
	}
	_, err = a.put(ctx, token, to.Workspace, "chat.update", where{Channel: s.channel, TS: s.ts, Metadata: marked(id)}, part)
	return err
}

func (a *Adapter) put(ctx context.Context, token, workspace, method string, w where, part bot.Part) (bot.Receipt, error) {
	if _, err := splice(w, part.Payload); err != nil {
		return "", &bot.PostError{Fate: bot.FateDead, Say: sayForm, Err: err}
	}
	var got struct{ Channel, TS string }
	err := a.inTurn(ctx, token, workspace, part.Payload, func(payload []byte) error {
		body, err := splice(w, payload)
		if err == nil {
			_, err = a.api.call(ctx, token, method, body, &got)
		}
		return err
	})
	if err != nil {
		return "", classify(err)
	}
	if got.TS == "" {
		return "", &bot.PostError{Fate: bot.FateUnsure, Say: sayUnsure, Err: errors.New("posted, without a timestamp in the answer")}
	}
	if got.Channel == "" {
		got.Channel = w.Channel
	}
	return spot{got.Channel, got.TS}.receipt(), nil
}

// reach finds the token for a destination, and its channel: a person's is opened
// first.
func (a *Adapter) reach(ctx context.Context, to digest.Destination) (token, channel string, err error) {
	token, err = a.opt.Tokens.Token(ctx, to.Workspace)
	if err != nil {
		return "", "", err
	}
	if !isUser(to.Channel) {
		return token, to.Channel, nil
	}
	channel, err = a.open(ctx, token, to.Workspace, to.Channel)
	return token, channel, err
}

// isUser tells the id of a person (U…, W…) from that of a channel (C…, G…, D…).
func isUser(id string) bool { return strings.HasPrefix(id, "U") || strings.HasPrefix(id, "W") }

// open returns the channel of direct messages with a person.
func (a *Adapter) open(ctx context.Context, token, workspace, user string) (string, error) {
	key := workspace + "/" + user
	if c, ok := a.direct.get(key, time.Now()); ok {
		return c, nil
	}
	var got struct {
		Channel struct{ ID string }
	}
	if _, err := a.api.call(ctx, token, "conversations.open", map[string]string{"users": user}, &got); err != nil {
		return "", err
	}
	if got.Channel.ID == "" {
		return "", errors.New("opening a conversation: no channel in the answer")
	}
	a.direct.put(key, got.Channel.ID, time.Now())
	return got.Channel.ID, nil
}

// before words an error that came before there was anything to post: whatever it
// was, nothing is posted.
func before(err error) error {
	if errors.Is(err, ErrNoToken) {
		return &bot.PostError{Fate: bot.FateDead, Say: "Seedcorn is not installed in this workspace any more.", Err: err}
	}
	var p *bot.PostError
	if errors.As(classify(err), &p) && p.Fate == bot.FateUnsure {
		return &bot.PostError{Fate: bot.FateRetry, After: p.After, Scope: p.Scope, Say: sayRetry, Err: err}
	}
	return p
}

const (
	sayForm   = "Slack refused the form of the message. That is a fault of ours."
	sayUnsure = "Slack did not say whether the message was posted."
	sayRetry  = "Slack could not be reached; it will be tried again."
)

// dead are the answers after which trying again is no use, in words for the
// subscription's owner (https://docs.slack.dev/reference/methods/chat.postMessage#errors).
var dead = map[string]string{
	"channel_not_found":       "The channel does not exist any more, or Seedcorn cannot see it. Invite it again or subscribe elsewhere.",
	"not_in_channel":          "Seedcorn was removed from the channel. Invite it again, then resume.",
	"is_archived":             "The channel is archived. Unarchive it or subscribe elsewhere.",
	"is_inactive":             "The channel is frozen. Subscribe elsewhere.",
	"user_not_found":          "The person is not in this workspace any more.",
	"user_disabled":           "The person's account was deactivated.",
	"user_not_visible":        "Seedcorn may not write to this person.",
	"cannot_dm_bot":           "Slack does not let bots write to bots.",
	"messages_tab_disabled":   "The app's Messages tab is off. Turn it on in the app's settings, under App Home.",
	"restricted_action":       "A setting of the workspace keeps Seedcorn from posting in this channel. Ask an administrator.",
	"token_revoked":           "Seedcorn's access to the workspace was revoked. Install it again.",
	"token_expired":           "Seedcorn's access to the workspace has expired. Install it again.",
	"account_inactive":        "Seedcorn was removed from the workspace. Install it again.",
	"invalid_auth":            "Slack does not accept Seedcorn's token. Install it again.",
	"not_authed":              "Seedcorn has no token for the workspace. Install it again.",
	"no_permission":           "Seedcorn may not post here. Install it again with all of its scopes.",
	"not_allowed_token_type":  "Seedcorn has the wrong kind of token. It needs a bot token.",
	"org_login_required":      "The workspace is moving to an Enterprise organization. Install Seedcorn again afterwards.",
	"team_access_not_granted": "Seedcorn is not approved in this workspace. Ask an administrator.",
	"access_denied":           "Seedcorn may not post here. Ask an administrator.",
	"ekm_access_denied":       "An administrator has suspended posting for this workspace.",
	"thread_not_found":        "The digest's first message was deleted.",
	"message_not_found":       "The message was deleted.",
	"cant_update_message":     "The message is not Seedcorn's own.",
	"edit_window_closed":      "The message can no longer be edited: the workspace limits the time for that.",

	"restricted_action_read_only_channel":      "Only some people may post in this channel. Ask its managers to let Seedcorn.",
	"restricted_action_thread_locked":          "The digest's thread is locked.",
	"restricted_action_thread_only_channel":    "In this channel one may only answer in threads.",
	"restricted_action_non_threadable_channel": "This channel has no threads, which a long digest needs.",
	"as_user_not_supported":                    sayForm,
	"invalid_blocks":                           sayForm, "invalid_blocks_format": sayForm, "msg_blocks_too_long": sayForm, "msg_too_long": sayForm,
	"no_text": sayForm, "invalid_arguments": sayForm, "invalid_arg_name": sayForm, "invalid_json": sayForm, "json_not_object": sayForm,
	"metadata_too_large": sayForm, "invalid_metadata_format": sayForm, "metadata_must_be_sent_from_app": sayForm,
}

// unsure are the answers after which the message may be there all the same: Slack's
// own words are that some part of the operation may have succeeded.
var unsure = map[string]bool{"fatal_error": true, "internal_error": true, "request_timeout": true, "service_unavailable": true}

// classify says what became of a post.
func classify(err error) error {
	out := &bot.PostError{Fate: bot.FateRetry, Say: sayRetry, Err: err}
	var e *callError
	if !errors.As(err, &e) {
		return out
	}
	out.After = e.After
	switch {
	case e.Status == http.StatusTooManyRequests:
		out.Say = "Slack asks to go slower; it will be tried again."
		out.Scope = digest.ScopeWorkspace // the channel's rate is kept: see Pace
		if out.After == 0 {
			out.After = 30 * time.Second
		}
	case e.Code == "ratelimited", e.Code == "rate_limited", e.Code == "message_limit_exceeded":
		out.Say = "Slack asks to go slower; it will be tried again."
		out.Scope = digest.ScopeWorkspace // the channel's rate is kept: see Pace
		if out.After == 0 {
			out.After = time.Minute
		}
	case unsure[e.Code], e.Status >= 500:
		out.Fate, out.Say = bot.FateUnsure, sayUnsure
	case e.Code == "missing_scope":
		out.Fate = bot.FateDead
		out.Say = "Seedcorn lacks a permission here. Install it again with all of its scopes."
		if e.Needed != "" {
			out.Say = fmt.Sprintf("Seedcorn lacks the permission %s. Install it again with all of its scopes.", clip(tidy(e.Needed), 60))
		}
	case dead[e.Code] != "":
		out.Fate, out.Say = bot.FateDead, dead[e.Code]
	case e.Code != "":
		// A refusal that we have no word for. Refused is not posted; a later attempt
		// loses nothing, giving up would lose a digest.
	case e.Status/100 == 2, e.Status == 0 && e.Left:
		// An answer that is not the API's, a time-out, a connection that was cut.
		out.Fate, out.Say = bot.FateUnsure, sayUnsure
	}
	return out
}

// Pages of history, and how many of them we turn.
const (
	historyPage  = 200
	historyPages = 20
	// threadsBefore is how long before a part a digest's first message may be.
	threadsBefore = 48 * time.Hour
)

// past is a message as conversations.history and conversations.replies show it
// (https://docs.slack.dev/reference/methods/conversations.history).
type past struct {
	TS          string    `json:"ts"`
	LatestReply string    `json:"latest_reply"`
	ReplyCount  int       `json:"reply_count"`
	Metadata    *metadata `json:"metadata"`
}

func (p past) ours() bool { return p.Metadata != nil && p.Metadata.EventType == eventType }

func (p past) is(id bot.DeliveryID) bool {
	return p.ours() && p.Metadata.Payload.Delivery == string(id)
}

// Find implements [bot.Platform]: it reads the channel's history for a message whose
// metadata has the delivery's id, and the threads below digests for later parts. It
// needs the history scopes; where they are missing the error is
// [bot.ErrCannotLook]. Where Slack asks to go slower, it is a *[bot.PostError] with
// the wait.
func (a *Adapter) Find(ctx context.Context, to digest.Destination, id bot.DeliveryID, since time.Time) (bot.Receipt, bool, error) {
	token, channel, err := a.reach(ctx, to)
	if err != nil {
		return "", false, lookError(err)
	}
	// Slack's clock and ours need not agree to the second.
	since = since.Add(-2 * time.Minute)
	var threads []string
	found, err := a.scan(ctx, token, "conversations.history", url.Values{"channel": {channel}, "oldest": {stamp(since.Add(-threadsBefore))}}, func(p past) bool {
		if p.ours() && p.ReplyCount > 0 && (p.LatestReply == "" || p.LatestReply >= stamp(since)) {
			threads = append(threads, p.TS)
		}
		return p.is(id)
	})
	for _, ts := range threads {
		if found != "" || err != nil {
			break
		}
		found, err = a.scan(ctx, token, "conversations.replies", url.Values{"channel": {channel}, "ts": {ts}, "oldest": {stamp(since)}}, func(p past) bool { return p.is(id) })
	}
	if err != nil {
		return "", false, lookError(err)
	}
	if found == "" {
		return "", false, nil
	}
	return spot{channel, found}.receipt(), true, nil
}

// scan turns the pages of a history until match is content, and returns the
// message's timestamp, or "" at the end.
func (a *Adapter) scan(ctx context.Context, token, method string, args url.Values, match func(past) bool) (string, error) {
	args.Set("include_all_metadata", "true")
	args.Set("limit", fmt.Sprint(historyPage))
	for range historyPages {
		var page struct {
			Messages []past `json:"messages"`
			More     bool   `json:"has_more"`
			Meta     struct {
				Next string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if _, err := a.api.call(ctx, token, method, args, &page); err != nil {
			return "", err
		}
		for _, m := range page.Messages {
			if match(m) {
				return m.TS, nil
			}
		}
		if page.Meta.Next == "" {
			if page.More {
				return "", errors.New("looking back: there is more, and no way to it")
			}
			return "", nil
		}
		args.Set("cursor", page.Meta.Next)
	}
	// Not having seen all is not the same as not being there.
	return "", fmt.Errorf("looking back: more than %d messages", historyPage*historyPages)
}

// cannotLook are the answers that mean that we may never read there.
var cannotLook = map[string]bool{
	"missing_scope": true, "not_in_channel": true, "channel_not_found": true, "no_permission": true, "not_allowed_token_type": true,
	"access_denied": true, "team_access_not_granted": true, "method_not_supported_for_channel_type": true, "is_archived": true,
	"token_revoked": true, "account_inactive": true, "invalid_auth": true, "not_authed": true, "token_expired": true,
}

func lookError(err error) error {
	var e *callError
	switch {
	case errors.Is(err, ErrNoToken), cannotLook[code(err)]:
		return fmt.Errorf("%w: %w", bot.ErrCannotLook, err)
	case errors.As(err, &e) && (e.After > 0 || e.Status == http.StatusTooManyRequests || e.Code == "ratelimited"):
		after := e.After
		if after == 0 {
			after = time.Minute
		}
		return &bot.PostError{Fate: bot.FateUnsure, After: after, Say: sayUnsure, Err: err}
	}
	return fmt.Errorf("looking back: %w", err)
}

// stamp is a time as Slack's timestamps are: they compare as strings for as long
// as seconds have ten digits.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }
