package discord

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

// A receipt is "CHANNEL/MESSAGE". In a forum the channel is the digest's own post,
// so that later parts follow there.
func receipt(channel, message string) bot.Receipt { return bot.Receipt(channel + "/" + message) }

func readReceipt(r bot.Receipt) (channel, message string, ok bool) {
	channel, message, ok = strings.Cut(string(r), "/")
	return channel, message, ok && isSnowflake(channel) && isSnowflake(message)
}

// isSnowflake reports whether s is an id of Discord's, which is all that may stand in
// a path. https://discord.com/developers/docs/reference#snowflakes
func isSnowflake(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil && s != ""
}

// nonce is a delivery as Discord's nonce: its id where that is short enough, else a
// hash of it.
func nonce(id bot.DeliveryID) string {
	short := len(id) > 0 && len(id) <= maxNonce
	for i := range len(id) {
		short = short && (isWord(id[i]) || id[i] == '.' || id[i] == ':' || id[i] == '/')
	}
	if short {
		return string(id)
	}
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:22]
}

// marks are a delivery as ids of components, which are 32-bit integers above 0.
// https://discord.com/developers/docs/components/reference#anatomy-of-a-component
func marks(id bot.DeliveryID) [2]int {
	sum := sha256.Sum256([]byte("component " + id))
	var out [2]int
	for i := range out {
		// 2^30 and above, far from the ids that Discord numbers components with.
		out[i] = 1<<30 | int(binary.BigEndian.Uint32(sum[4*i:])&(1<<30-1))
	}
	if out[0] == out[1] {
		out[1] ^= 1
	}
	return out
}

// addressed is a part's payload with what makes it one delivery: nonce, marks, and
// the message that it continues.
func addressed(part bot.Part, id bot.DeliveryID, below string) (map[string]json.RawMessage, []file, error) {
	body, files, err := unpack(part)
	if err != nil {
		return nil, nil, err
	}
	var components []map[string]json.RawMessage
	if err := json.Unmarshal(body["components"], &components); err != nil {
		return nil, nil, fmt.Errorf("reading the part's components: %w", err)
	}
	if strings.HasPrefix(part.Summary, digest.Resend) {
		if err := resent(components); err != nil {
			return nil, nil, err
		}
	}
	for i, mark := range marks(id) {
		if i < len(components) {
			components[i]["id"] = json.RawMessage(strconv.Itoa(mark))
		}
	}
	set := func(key string, v any) error {
		b, err := encode(v)
		body[key] = b
		return err
	}
	err = errors.Join(set("components", components), set("nonce", nonce(id)), set("enforce_nonce", true))
	if below != "" {
		// A first part that was deleted since does not keep the others back.
		err = errors.Join(err, set("message_reference", map[string]any{"message_id": below, "fail_if_not_exists": false}))
	}
	return body, files, err
}

// resent tells readers, below the first text, that the message may stand there twice;
// a message without room for it goes out as it is.
func resent(components []map[string]json.RawMessage) error {
	const note = "\n-# " + digest.Resend
	total, at := size(note), -1
	for i, raw := range components {
		b, err := encode(raw)
		if err != nil {
			return err
		}
		var c component
		if err := json.Unmarshal(b, &c); err != nil {
			return fmt.Errorf("reading the part's components: %w", err)
		}
		if total += c.text(); at < 0 && c.Type == typeText {
			at = i
		}
	}
	if at < 0 || total > maxText {
		return nil
	}
	var text string
	if err := json.Unmarshal(components[at]["content"], &text); err != nil {
		return fmt.Errorf("reading the part's components: %w", err)
	}
	b, err := encode(text + note)
	components[at]["content"] = b
	return err
}

// unpack is a part's payload with its files taken out.
func unpack(part bot.Part) (body map[string]json.RawMessage, files []file, err error) {
	if err := json.Unmarshal(part.Payload, &body); err != nil {
		return nil, nil, fmt.Errorf("reading the part: %w", err)
	}
	if raw, ok := body["files"]; ok {
		delete(body, "files")
		if err := json.Unmarshal(raw, &files); err != nil {
			return nil, nil, fmt.Errorf("reading the part's files: %w", err)
		}
	}
	return body, files, nil
}

// withFiles makes a call whose message has files. Refused for want of a permission,
// which may be that to attach files, it is made once more without them: what pictures
// show is told in words, too. message is the message in the call's body.
func (a *Adapter) withFiles(ctx context.Context, c call, message map[string]json.RawMessage) (outcome, error) {
	c.brisk = true
	out := a.do(ctx, c)
	if e, _ := out.refusal(); len(c.files) == 0 || out.status != http.StatusForbidden || e.Code != codeMissingPerms {
		return out, nil
	}
	var components []map[string]json.RawMessage
	if err := json.Unmarshal(message["components"], &components); err != nil {
		return outcome{}, fmt.Errorf("reading the part's components: %w", err)
	}
	var marked []json.RawMessage // which the first of those that are kept carry on
	for _, c := range components {
		if c["id"] != nil {
			marked = append(marked, c["id"])
		}
	}
	kept := slices.DeleteFunc(components, func(c map[string]json.RawMessage) bool { return string(c["type"]) == strconv.Itoa(typeGallery) })
	if len(kept) == 0 {
		return out, nil // nothing but pictures
	}
	for i := range min(len(marked), len(kept)) {
		kept[i]["id"] = marked[i]
	}
	b, err := encode(kept)
	if err != nil {
		return outcome{}, err
	}
	message["components"] = b
	delete(message, "attachments")
	c.files = nil
	without := a.do(ctx, c)
	if without.ok() {
		a.log.Warn("a chart was left out: the permission Attach Files is missing", "path", a.public(c))
	}
	return without, nil
}

// Pace implements bot.Pacer: 50 requests a second are let through for all of a bot. Two
// and a half are left for what is not a post, and for requests that arrive less evenly
// than they leave, for which the second is a twentieth longer, too; answers to
// interactions are exempt. The limits of channels are in the headers of answers, and not
// to be known before.
// https://discord.com/developers/docs/topics/rate-limits#global-rate-limit
func (a *Adapter) Pace() digest.Pace {
	return digest.Pace{Platform: digest.Rate{Every: 2 * time.Second / (2*globalRequests - 5)}, Window: 1050 * time.Millisecond}
}

// EditPace implements bot.EditPacer: edits count among all requests of a bot. What a
// channel takes is in the headers of answers.
func (a *Adapter) EditPace() digest.Pace { return a.Pace() }

// Post implements bot.Platform. A destination's channel is a channel's or thread's
// id, or "@" and a person's id for direct messages. Later parts reply to the first
// one; in a forum, the digest is a post and later parts are messages in it.
func (a *Adapter) Post(ctx context.Context, to digest.Destination, id bot.DeliveryID, part bot.Part, first bot.Receipt) (bot.Receipt, error) {
	below, at := "", ""
	if first != "" {
		var ok bool
		if at, below, ok = readReceipt(first); !ok {
			return "", &bot.PostError{Fate: bot.FateDead, Say: "The digest's beginning cannot be found.", Err: fmt.Errorf("receipt %q", first)}
		}
	}
	channelID := at
	if channelID == "" {
		var fail *bot.PostError
		if channelID, fail = a.channelOf(ctx, to); fail != nil {
			return "", fail
		}
	}
	if first == "" && a.isForum(channelID) {
		return a.postInForum(ctx, to, channelID, id, part)
	}
	if below == channelID {
		below = "" // the post in a forum that we are in
	}
	body, files, err := addressed(part, id, below)
	if err != nil {
		return "", &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
	}
	route := "/channels/" + channelID + "/messages"
	out, err := a.withFiles(ctx, call{method: http.MethodPost, path: route, bucket: route, body: body, files: files}, body)
	if err != nil {
		return "", &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
	}
	if e, _ := out.refusal(); out.status == http.StatusBadRequest && e.Code == codeNotText && first == "" {
		// Not a channel that messages go to: perhaps a forum.
		if a.learn(ctx, channelID); a.isForum(channelID) {
			return a.postInForum(ctx, to, channelID, id, part)
		}
	}
	if e, _ := out.refusal(); e.Code == codeArchived && a.reopen(ctx, channelID) {
		if out, err = a.withFiles(ctx, call{method: http.MethodPost, path: route, bucket: route, body: body, files: files}, body); err != nil {
			return "", &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
		}
	}
	var m posted
	if fail := classify(out, &m); fail != nil {
		return "", fail
	}
	return receipt(cmp.Or(m.ChannelID, channelID), m.ID), nil
}

// reopen takes a thread out of the archive, which whoever may post in it may do as long
// as it is not locked, and reports whether it did.
// https://discord.com/developers/docs/resources/channel#modify-channel
func (a *Adapter) reopen(ctx context.Context, channelID string) bool {
	route := "/channels/" + channelID
	return a.do(ctx, call{method: http.MethodPatch, path: route, bucket: route, body: map[string]bool{"archived": false}}).ok()
}

// A posted message is what is read of Discord's answer.
type posted struct {
	ID        string `json:"id"`
	ChannelID string `json:"channel_id"`
}

// Direct implements bot.Correspondent.
func (a *Adapter) Direct(workspace, person string) digest.Destination {
	return digest.Destination{Platform: Name, Workspace: workspace, Channel: "@" + person, Direct: true}
}

// Edit implements bot.Editor. The message keeps its nonce, and its marks are given it
// again, so that it is found as before. Unsure means that it says either the one or
// the other. https://discord.com/developers/docs/resources/message#edit-message
func (a *Adapter) Edit(ctx context.Context, _ digest.Destination, id bot.DeliveryID, r bot.Receipt, part bot.Part) error {
	channelID, messageID, ok := readReceipt(r)
	if !ok {
		return &bot.PostError{Fate: bot.FateDead, Say: "The message cannot be found.", Err: fmt.Errorf("receipt %q", r)}
	}
	body, files, err := addressed(part, id, "")
	if err != nil {
		return &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
	}
	delete(body, "nonce")
	delete(body, "enforce_nonce")
	route := "/channels/" + channelID + "/messages/"
	edit := call{method: http.MethodPatch, path: route + messageID, bucket: route, body: body, files: files}
	out, err := a.withFiles(ctx, edit, body)
	if e, _ := out.refusal(); err == nil && e.Code == codeArchived && a.reopen(ctx, channelID) {
		out, err = a.withFiles(ctx, edit, body)
	}
	if err != nil {
		return &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
	}
	var m posted
	if fail := classify(out, &m); fail != nil {
		return fail
	}
	return nil
}

// channelOf is the channel that a destination's messages go to.
func (a *Adapter) channelOf(ctx context.Context, to digest.Destination) (string, *bot.PostError) {
	person, direct := strings.CutPrefix(to.Channel, "@")
	if !isSnowflake(person) {
		return "", &bot.PostError{Fate: bot.FateDead, Say: "The subscription names no channel of Discord.", Err: fmt.Errorf("channel %q", to.Channel)}
	}
	if !direct {
		return to.Channel, nil
	}
	a.mu.Lock()
	known := a.direct[person]
	a.mu.Unlock()
	if known != "" {
		return known, nil
	}
	// https://discord.com/developers/docs/resources/user#create-dm; asked again, it
	// gives the same channel.
	const route = "/users/@me/channels"
	out := a.do(ctx, call{method: http.MethodPost, path: route, bucket: route, body: map[string]string{"recipient_id": person}})
	var ch posted
	if fail := classify(out, &ch); fail != nil {
		if fail.Fate == bot.FateUnsure {
			fail.Fate = bot.FateRetry // no message was sent
		}
		return "", fail
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.direct) >= maxBuckets {
		clear(a.direct)
	}
	a.direct[person] = ch.ID
	return ch.ID, nil
}

// Codes of refusals.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes
const (
	codeUnknownChannel  = 10003
	codeUnknownGuild    = 10004
	codeUnknownMessage  = 10008
	codeUnknownUser     = 10013
	codeUnknownWebhook  = 10015
	codeSlowmode        = 20016
	codeWriteLimit      = 20028
	codeEditLimit       = 30046 // of a message that is older than an hour
	codeActiveThreads   = 160006
	codeResourceLimited = 40062
	codePublished       = 40033
	codeTagRequired     = 40067
	codeMissingAccess   = 50001
	codeDMClosed        = 50007
	codeNotText         = 50008
	codeMissingPerms    = 50013
	codeInvalidForm     = 50035
	codeArchived        = 50083
	codeNoMutualGuild   = 50278
	codeThreadLocked    = 160005
	codeOverloaded      = 130000
)

// badTokenPause is how long nothing is posted after Discord did not know the token.
const badTokenPause = 10 * time.Minute

// classify is what became of a post, and what to tell the subscription's owner. A nil
// result means that it was accepted, and into is filled.
func classify(out outcome, into *posted) *bot.PostError {
	fail := func(f bot.Fate, after time.Duration, say string) *bot.PostError {
		return &bot.PostError{Fate: f, After: after, Say: say, Err: out.failure()}
	}
	slower := func(after time.Duration, scope digest.Scope) *bot.PostError {
		f := fail(bot.FateRetry, after, "Discord asks us to wait.")
		f.Scope = scope
		return f
	}
	e, spoken := out.refusal()
	switch {
	case out.wait > 0:
		return slower(out.wait, out.scope)
	case out.err != nil && out.sent:
		return fail(bot.FateUnsure, 0, "Discord was reached but did not answer.")
	case out.err != nil:
		return fail(bot.FateRetry, 0, "Discord could not be reached.")
	case out.status/100 == 2:
		if err := json.Unmarshal(out.body, into); err != nil || !isSnowflake(into.ID) {
			return &bot.PostError{Fate: bot.FateUnsure, Say: "Discord's answer could not be read.", Err: fmt.Errorf("HTTP %d without a message's id", out.status)}
		}
		return nil
	case out.status >= 500:
		// An error may come after the message was stored.
		return fail(bot.FateUnsure, 0, "Discord had an error of its own.")
	case out.status == http.StatusTooManyRequests, e.Code == codeSlowmode, e.Code == codeWriteLimit, e.Code == codeResourceLimited, e.Code == codeOverloaded, e.Code == codeActiveThreads, e.Code == codeEditLimit:
		switch e.Code {
		case codeSlowmode, codeWriteLimit, codeActiveThreads:
			out.scope = digest.ScopeChannel
		}
		return slower(cmp.Or(out.retryAfter(), unnamedPause), out.scope)
	case out.status == http.StatusUnauthorized:
		// One token speaks for all: that it was reset is no reason to end every
		// subscription. Asking seldom keeps us far from the ban on invalid requests.
		f := fail(bot.FateRetry, badTokenPause, refusalWords(out.status, e.Code))
		f.Scope = digest.ScopePlatform
		return f
	case out.status == http.StatusForbidden && !spoken:
		// A page of the network before Discord, as during a ban of our address.
		f := fail(bot.FateRetry, cmp.Or(out.retryAfter(), 10*time.Minute), "Something before Discord turned us away.")
		f.Scope = digest.ScopePlatform
		return f
	}
	return fail(bot.FateDead, 0, refusalWords(out.status, e.Code))
}

// refusalWords say to an owner why a post was refused for ever, and what to do.
func refusalWords(status, code int) string {
	switch code {
	case codeUnknownChannel:
		return "The channel does not exist any more. Subscribe in another one."
	case codeUnknownGuild:
		return "The server does not exist any more, or Seedcorn was removed from it."
	case codeUnknownMessage:
		return "The message was deleted."
	case codeUnknownUser:
		return "The person does not exist any more."
	case codeMissingAccess:
		return "Seedcorn cannot see the channel. Invite it again, or let it view the channel, then resume the subscription."
	case codeMissingPerms:
		return "Seedcorn may not post in the channel. Give it Send Messages (in threads: Send Messages in Threads), then resume the subscription."
	case codeDMClosed, codeNoMutualGuild:
		return "Your direct messages are closed to Seedcorn. Open them in the privacy settings of a server that we share, then resume the subscription."
	case codeTagRequired:
		return "The forum asks for a tag on every post and has none that fits. Add a tag, or lift the rule, then resume the subscription."
	case codeThreadLocked, codeArchived:
		return "The thread is locked. Unlock it, or subscribe elsewhere."
	case codeNotText:
		return "That kind of channel takes no messages. Subscribe in a text channel, a thread or a forum."
	}
	switch status {
	case http.StatusUnauthorized:
		return "Discord does not know Seedcorn's token any more. Whoever runs Seedcorn has to set a new one."
	case http.StatusForbidden:
		return "Discord does not let Seedcorn post there. Check its permissions in the channel, then resume the subscription."
	case http.StatusNotFound:
		return "The channel is gone. Subscribe in another one."
	}
	return "Discord refused the message."
}

// Of an announcement channel so many messages are let through in so long, and a message
// that was may be edited so often.
// https://github.com/discord/discord-api-docs/issues/2258
const (
	maxPublished      = 10
	maxPublishedEdits = 3
	publishedWithin   = time.Hour
)

// Cap implements bot.Publisher.
func (a *Adapter) Cap() (most int, per time.Duration) { return maxPublished, publishedWithin }

// EditCap implements bot.Publisher.
func (a *Adapter) EditCap() (most int, per time.Duration) { return maxPublishedEdits, publishedWithin }

// Publish implements bot.Publisher: it shows a message of an announcement channel in
// the channels that follow it.
// https://discord.com/developers/docs/resources/message#crosspost-message
func (a *Adapter) Publish(ctx context.Context, _ digest.Destination, r bot.Receipt) error {
	channelID, messageID, ok := readReceipt(r)
	if !ok {
		return &bot.PostError{Fate: bot.FateDead, Say: "The message cannot be found.", Err: fmt.Errorf("receipt %q", r)}
	}
	if a.learn(ctx, channelID); a.isKnown(channelID) && a.kind(channelID) != channelAnnouncement {
		return &bot.PostError{Fate: bot.FateDead, Say: "Only messages of announcement channels can be published."}
	}
	route := "/channels/" + channelID + "/messages/"
	out := a.do(ctx, call{method: http.MethodPost, path: route + messageID + "/crosspost", bucket: route + "crosspost"})
	if e, _ := out.refusal(); e.Code == codePublished {
		return nil
	}
	var m posted
	if fail := classify(out, &m); fail != nil {
		if e, _ := out.refusal(); fail.Fate == bot.FateDead && e.Code == codeMissingPerms {
			fail.Say = "Seedcorn may not publish here. It needs Send Messages in the channel."
		}
		return fail
	}
	return nil
}

// Kinds of channels.
// https://discord.com/developers/docs/resources/channel#channel-object-channel-types
const (
	channelAnnouncement = 5
	channelForum        = 15
	channelMedia        = 16
)

// A channel is what is remembered of one.
type channel struct {
	Type          int        `json:"type"`
	Flags         int        `json:"flags"`
	AvailableTags []forumTag `json:"available_tags"`
}

type forumTag struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Moderated bool   `json:"moderated"`
}

// learn asks what kind of channel one is, unless that is known. What cannot be
// learned is left unknown.
func (a *Adapter) learn(ctx context.Context, channelID string) {
	a.mu.Lock()
	_, known := a.kinds[channelID]
	a.mu.Unlock()
	if known {
		return
	}
	out := a.do(ctx, call{method: http.MethodGet, path: "/channels/" + channelID, bucket: "/channels/" + channelID})
	var ch channel
	if err := json.Unmarshal(out.body, &ch); !out.ok() || err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kinds) >= maxBuckets {
		clear(a.kinds)
	}
	a.kinds[channelID] = ch
}

func (a *Adapter) kind(channelID string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kinds[channelID].Type
}

// forum is what is known of a forum.
func (a *Adapter) forum(channelID string) channel {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kinds[channelID]
}

func (a *Adapter) forget(channelID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.kinds, channelID)
}

func (a *Adapter) isKnown(channelID string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.kinds[channelID]
	return ok
}

func (a *Adapter) isForum(channelID string) bool {
	k := a.kind(channelID)
	return k == channelForum || k == channelMedia
}

// postInForum makes the digest a post of a forum. Threads take no nonce, so that one
// that is unsure is found by its marks alone.
// https://discord.com/developers/docs/resources/channel#start-thread-in-forum-or-media-channel
func (a *Adapter) postInForum(ctx context.Context, to digest.Destination, channelID string, id bot.DeliveryID, part bot.Part) (bot.Receipt, error) {
	body, files, err := addressed(part, id, "")
	if err != nil {
		return "", &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
	}
	delete(body, "nonce")
	delete(body, "enforce_nonce")
	title := part.Summary
	if rest, ok := strings.CutPrefix(title, "1 of "); ok {
		_, title, _ = strings.Cut(rest, ": ")
	}
	thread := map[string]any{"name": cut(cmp.Or(strings.TrimSpace(oneLine(title)), "Digest"), maxThreadName), "message": body}
	route := "/channels/" + channelID + "/threads"
	var m posted
	for again := false; ; again = true {
		tags, fits := a.forum(channelID).tagsFor(string(part.Payload))
		if !fits {
			return "", &bot.PostError{Fate: bot.FateDead, Say: refusalWords(0, codeTagRequired)}
		}
		delete(thread, "applied_tags")
		if len(tags) > 0 {
			thread["applied_tags"] = tags
		}
		out, err := a.withFiles(ctx, call{method: http.MethodPost, path: route, bucket: route, body: thread, files: files}, body)
		if err != nil {
			return "", &bot.PostError{Fate: bot.FateDead, Say: "The message was kept in a form that cannot be read.", Err: err}
		}
		// The forum may have other tags, or another rule, than when we asked.
		if e, _ := out.refusal(); !again && out.status == http.StatusBadRequest && (e.Code == codeTagRequired || len(tags) > 0) {
			a.forget(channelID)
			if a.learn(ctx, channelID); a.isForum(channelID) {
				continue
			}
		}
		if fail := classify(out, &m); fail != nil {
			return "", fail
		}
		// The first message of a forum's post has the post's id.
		return receipt(m.ID, m.ID), nil
	}
}

// tagsFor are the forum's tags that the digest has sections for, at most as many as a
// post may have. Where the forum wants a tag on each post and none fits, it is the
// first that we may set; fits is false if there is none.
func (c channel) tagsFor(payload string) (ids []string, fits bool) {
	var titles []string
	for _, m := range sectionTitle.FindAllStringSubmatch(payload, -1) {
		titles = append(titles, strings.ToLower(m[1]))
	}
	open := ""
	for _, t := range c.AvailableTags {
		name := strings.ToLower(strings.TrimSpace(t.Name))
		if name == "" || t.Moderated {
			continue
		}
		open = cmp.Or(open, t.ID)
		about := slices.ContainsFunc(titles, func(title string) bool {
			rest, begins := strings.CutPrefix(title, name)
			return begins && (rest == "" || !isWord(rest[0]) && rest[0] < 0x80)
		})
		if about && len(ids) < maxTags {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 && c.Flags&flagRequireTag != 0 {
		if open == "" {
			return nil, false
		}
		ids = []string{open}
	}
	return ids, true
}

// sectionTitle is the heading of a section in a payload.
var sectionTitle = regexp.MustCompile(`(?:"|\\n)### ((?:[^"\\]|\\[^n])+)`)

// flagRequireTag is set on a forum in which each post needs a tag.
// https://discord.com/developers/docs/resources/channel#channel-object-channel-flags
const flagRequireTag = 1 << 4

// How far back a channel is read: pages of a hundred messages.
const (
	pageOf   = 100
	maxPages = 20
)

// Find implements bot.Platform. It reads the channel from since on, oldest first,
// and knows a message by its nonce or its marks. Without Read Message History the
// error is bot.ErrCannotLook.
func (a *Adapter) Find(ctx context.Context, to digest.Destination, id bot.DeliveryID, since time.Time) (bot.Receipt, bool, error) {
	channelID, fail := a.channelOf(ctx, to)
	if fail != nil {
		if fail.Fate == bot.FateDead {
			return "", false, nil // there is no channel that it could be in
		}
		return "", false, fail
	}
	me, err := a.self(ctx)
	if err != nil {
		return "", false, err
	}
	// Clocks differ; a minute more is read.
	from := since.Add(-time.Minute)
	a.learn(ctx, channelID)
	r, ok, err := a.findIn(ctx, channelID, me, id, from)
	if ok || err == nil && !a.isForum(channelID) || err != nil && !errors.Is(err, errForum) {
		return r, ok, err
	}
	// A forum's posts are threads, and each part is in one of them.
	var fault error
	err = a.threads(ctx, to, channelID, from, func(t string) bool {
		r, ok, fault = a.findIn(ctx, t, me, id, from)
		return !ok && fault == nil
	})
	if err = errors.Join(fault, err); err != nil || !ok {
		return "", false, err
	}
	return r, true, nil
}

// errForum means that a channel holds no messages but threads.
var errForum = errors.New("the channel is a forum")

// epoch is the first millisecond of Discord's ids.
// https://discord.com/developers/docs/reference#snowflakes
const epoch = 1420070400000

// snowflake is the least id of a time.
func snowflake(t time.Time) string {
	ms := max(0, t.UnixMilli()-epoch)
	return strconv.FormatInt(ms<<22, 10)
}

// A found message is what is read of those in a channel.
type found struct {
	ID        string          `json:"id"`
	ChannelID string          `json:"channel_id"`
	Nonce     json.RawMessage `json:"nonce"`
	Author    struct {
		ID string `json:"id"`
	} `json:"author"`
	Components []struct {
		ID int `json:"id"`
	} `json:"components"`
}

// carries reports whether a message is the delivery.
func (m found) carries(me string, id bot.DeliveryID) bool {
	if m.Author.ID != me {
		return false
	}
	if strings.Trim(string(m.Nonce), `"`) == nonce(id) {
		return true
	}
	want := marks(id)
	for i, c := range m.Components {
		if i < len(want) && c.ID != want[i] {
			return false
		}
	}
	return len(m.Components) > 0
}

func (a *Adapter) findIn(ctx context.Context, channelID, me string, id bot.DeliveryID, from time.Time) (bot.Receipt, bool, error) {
	after := snowflake(from)
	route := "/channels/" + channelID + "/messages"
	for range maxPages {
		out := a.do(ctx, call{method: http.MethodGet, path: route + "?limit=" + strconv.Itoa(pageOf) + "&after=" + after, bucket: route})
		e, _ := out.refusal()
		switch {
		case e.Code == codeNotText:
			a.learn(ctx, channelID)
			return "", false, errForum
		case out.status == http.StatusNotFound:
			return "", false, nil // with the channel, the message is gone
		case out.status == http.StatusForbidden, out.status == http.StatusUnauthorized:
			return "", false, fmt.Errorf("%w: %w", bot.ErrCannotLook, out.failure())
		case !out.ok():
			return "", false, fmt.Errorf("reading messages of channel %s: %w", channelID, out.failure())
		}
		var page []found
		if err := json.Unmarshal(out.body, &page); err != nil {
			return "", false, fmt.Errorf("reading messages of channel %s: %w", channelID, err)
		}
		newest := after
		for _, m := range page {
			if m.carries(me, id) {
				return receipt(cmp.Or(m.ChannelID, channelID), m.ID), true, nil
			}
			if olderID(newest, m.ID) {
				newest = m.ID
			}
		}
		if len(page) < pageOf || newest == after {
			return "", false, nil
		}
		after = newest
	}
	return "", false, fmt.Errorf("channel %s has more than %d messages since: %w", channelID, maxPages*pageOf, bot.ErrCannotLook)
}

// olderID reports whether a is an earlier id than b.
func olderID(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

// A thread is what is read of a forum's post.
type thread struct {
	ID       string `json:"id"`
	ParentID string `json:"parent_id"`
	OwnerID  string `json:"owner_id"`
	Metadata struct {
		Archived time.Time `json:"archive_timestamp"` // when it was archived, or taken out again
	} `json:"thread_metadata"`
}

// threads are our posts in a forum that were begun since from: the active ones, then,
// as yield asks for more, those that were archived meanwhile. It stops when yield says
// that it has found what it looked for, or fails.
// https://discord.com/developers/docs/resources/guild#list-active-guild-threads
// https://discord.com/developers/docs/resources/channel#list-public-archived-threads
func (a *Adapter) threads(ctx context.Context, to digest.Destination, forum string, from time.Time, yield func(id string) (more bool)) error {
	if !isSnowflake(to.Workspace) {
		return bot.ErrCannotLook
	}
	me, err := a.self(ctx)
	if err != nil {
		return err
	}
	oldest := snowflake(from)
	page := func(bucket, query string) (found []thread, more bool, err error) {
		out := a.do(ctx, call{method: http.MethodGet, path: bucket + query, bucket: bucket})
		if out.status == http.StatusForbidden || out.status == http.StatusUnauthorized {
			return nil, false, fmt.Errorf("%w: %w", bot.ErrCannotLook, out.failure())
		}
		if !out.ok() {
			return nil, false, fmt.Errorf("reading the posts of forum %s: %w", forum, out.failure())
		}
		var list struct {
			Threads []thread `json:"threads"`
			More    bool     `json:"has_more"`
		}
		if err := json.Unmarshal(out.body, &list); err != nil {
			return nil, false, fmt.Errorf("reading the posts of forum %s: %w", forum, err)
		}
		return list.Threads, list.More, nil
	}
	ours := func(list []thread) (goOn bool) {
		for _, t := range list {
			if t.ParentID == forum && (t.OwnerID == "" || t.OwnerID == me) && isSnowflake(t.ID) && !olderID(t.ID, oldest) && !yield(t.ID) {
				return false
			}
		}
		return true
	}
	active, _, err := page("/guilds/"+to.Workspace+"/threads/active", "")
	if err != nil || !ours(active) {
		return err
	}
	before := ""
	for range maxPages {
		archived, more, err := page("/channels/"+forum+"/threads/archived/public", "?limit="+strconv.Itoa(pageOf)+before)
		if err != nil || !ours(archived) || !more || len(archived) == 0 {
			return err
		}
		last := archived[len(archived)-1].Metadata.Archived
		if last.Before(from) {
			return nil // those after it were archived before ours was begun
		}
		before = "&before=" + url.QueryEscape(last.UTC().Format(time.RFC3339Nano))
	}
	return fmt.Errorf("forum %s has more than %d posts since: %w", forum, maxPages*pageOf, bot.ErrCannotLook)
}

// self is the bot's own user id.
func (a *Adapter) self(ctx context.Context) (string, error) {
	a.mu.Lock()
	known := a.botID
	a.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var me posted
	if err := a.get(ctx, "/users/@me", &me); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.botID = me.ID
	return me.ID, nil
}

// application is the application's id.
func (a *Adapter) application(ctx context.Context) (string, error) {
	a.mu.Lock()
	known := a.appID
	a.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var app posted
	if err := a.get(ctx, "/applications/@me", &app); err != nil {
		return "", err
	}
	if !isSnowflake(app.ID) {
		return "", errors.New("asking for the application: no id in the answer")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.appID = app.ID
	return app.ID, nil
}

// get reads one resource.
func (a *Adapter) get(ctx context.Context, path string, into any) error {
	out := a.do(ctx, call{method: http.MethodGet, path: path, bucket: path})
	if !out.ok() {
		return fmt.Errorf("reading %s: %w", path, out.failure())
	}
	if err := json.Unmarshal(out.body, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
