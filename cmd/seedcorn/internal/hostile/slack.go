package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Slack is the Web API as far as a bot like ours calls it, and Socket Mode.
type Slack struct {
	*site
	lastTS  int64 // microseconds
	quotas  map[string]*quota
	files   map[string]*file
	uploads int
	socket  socket
}

// A file is one that is being uploaded.
type file struct{ name, title string }

// Slack's limits on pace (https://docs.slack.dev/apis/web-api/rate-limits). A channel
// takes a message a second, with short bursts; for the burst and for the workspace no
// number is published but "several hundred messages per minute".
const (
	slackChannelBurst = 3
	slackTeamPerSec   = 5
	slackTeamBurst    = 60
)

// slackTiers are how many calls a minute a workspace has of a method that has a tier
// of the usual kind, as in each method's page.
var slackTiers = map[string]float64{
	"conversations.history": 50, "conversations.replies": 50, "conversations.open": 50, "users.info": 100, "chat.update": 50,
	"files.getUploadURLExternal": 100, "files.completeUploadExternal": 100, "apps.connections.open": 20,
}

// What Slack refuses in a message. The last is documented nowhere; it was measured in
// https://github.com/slackapi/bolt-js/issues/2509.
const (
	slackMaxBlocks     = 50 // https://docs.slack.dev/reference/block-kit/blocks
	slackMaxText       = 40_000
	slackMaxBlocksJSON = 13_200
)

// NewSlack starts a Slack. Its messages go into the ledger, a new one if nil.
func NewSlack(rules Rules, ledger *Ledger) (*Slack, error) {
	s := &Slack{site: newSite(rules, ledger), quotas: map[string]*quota{}, files: map[string]*file{}}
	s.socket.init()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/{method}", s.api)
	mux.HandleFunc("GET /api/{method}", s.api)
	mux.HandleFunc("POST /upload/{id}", s.upload)
	mux.HandleFunc("GET /link", s.link)
	return s, s.start(mux, "/api/")
}

// slackWrites are the methods that change what people see.
var slackWrites = map[string]bool{"chat.postMessage": true, "chat.update": true, "chat.delete": true, "files.completeUploadExternal": true}

// formsOnly are the methods that do not take JSON
// (https://docs.slack.dev/apis/web-api/#methods_supporting_json).
var formsOnly = map[string]bool{"users.info": true, "conversations.history": true, "conversations.replies": true, "oauth.v2.access": true, "files.getUploadURLExternal": true}

func slackNo(word string) answer { return answer{body: map[string]any{"ok": false, "error": word}} }

func (s *Slack) api(w http.ResponseWriter, r *http.Request) {
	method := r.PathValue("method")
	args, asJSON, err := arguments(r)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = str(args, "token")
	}
	channel := str(args, "channel")
	c := Call{Platform: "slack", Method: method, Channel: channel, Delivery: deliveryOf(args), Writes: slackWrites[method]}
	w.Header().Set("X-OAuth-Scopes", slackScopes)
	if wait := s.limit(method, channel); wait > 0 {
		// Whole seconds, rounded up: https://docs.slack.dev/apis/web-api/rate-limits
		s.send(w, r, None, answer{
			status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": strconv.Itoa(int(math.Ceil(wait.Seconds())))},
			body: map[string]any{"ok": false, "error": "ratelimited"},
		})
		return
	}
	f, late := s.fault(c)
	if f == InsteadLimit {
		s.send(w, r, None, answer{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "1"}, body: map[string]any{"ok": false, "error": "ratelimited"}})
		return
	}
	var a answer
	switch {
	case !f.done():
	case err != nil:
		a = slackNo("invalid_json")
	case asJSON && formsOnly[method]:
		a = slackNo("invalid_arguments")
	default:
		s.later(late)
		a = s.do(method, token, args)
	}
	s.send(w, r, f, a)
}

// slackScopes are granted to every token.
const slackScopes = "chat:write,chat:write.public,commands,channels:history,groups:history,im:history,mpim:history,users:read,im:write,files:write,links:read,links:write"

// deliveryOf is what a message's metadata says.
func deliveryOf(args map[string]any) string {
	meta, _ := args["metadata"].(map[string]any)
	payload, _ := meta["event_payload"].(map[string]any)
	return str(payload, "delivery")
}

// limit is how long a call has to wait, by the limits; 0 if it may go on.
func (s *Slack) limit(method, channel string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	second := s.rules.second()
	if second < 0 {
		return 0
	}
	now := time.Now()
	take := func(key string, each time.Duration, burst float64) time.Duration {
		q := s.quotas[key]
		if q == nil {
			q = &quota{}
			s.quotas[key] = q
		}
		wait := q.take(now, each, burst)
		if wait > 0 {
			// Told in whole seconds, and held to it.
			wait = max(wait, time.Duration(math.Ceil(wait.Seconds()))*min(second, time.Second))
		}
		s.asked(key, now, wait)
		return wait
	}
	team := s.rules.team(channel)
	if method == "chat.postMessage" {
		if wait := take("channel "+channel, second, slackChannelBurst); wait > 0 {
			return wait
		}
		return take("team "+team, second/slackTeamPerSec, slackTeamBurst)
	}
	if perMinute := slackTiers[method]; perMinute > 0 {
		return take(method+" "+team, time.Duration(60/perMinute*float64(second)), perMinute)
	}
	return 0
}

// ts is a new timestamp: no two messages have the same.
func (s *Slack) ts() string {
	now := time.Now().UnixMicro()
	s.lastTS = max(now, s.lastTS+1)
	return fmt.Sprintf("%d.%06d", s.lastTS/1_000_000, s.lastTS%1_000_000)
}

func (s *Slack) do(method, token string, args map[string]any) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := method == "apps.connections.open"
	switch {
	case token == "":
		return slackNo("not_authed")
	case app && !strings.HasPrefix(token, "xapp-"), !app && strings.HasPrefix(token, "xapp-"):
		return slackNo("not_allowed_token_type")
	case !app && s.rules.Token != "" && token != s.rules.Token:
		return slackNo("invalid_auth")
	}
	channel := str(args, "channel")
	if why := s.rules.refuse(channel); channel != "" && why != "" && why != "is_archived" {
		return slackNo(why)
	}
	switch method {
	case "auth.test":
		return answer{body: map[string]any{"ok": true, "url": "https://example.slack.com/", "team": "Example", "user": "seedcorn", "team_id": "T1", "user_id": slackBot, "bot_id": "B1"}}
	case "api.test":
		return answer{body: map[string]any{"ok": true, "args": args}}
	case "apps.connections.open":
		return answer{body: map[string]any{"ok": true, "url": "ws" + strings.TrimSuffix(strings.TrimPrefix(s.URL, "http"), "api/") + "link"}}
	case "users.info":
		id := str(args, "user")
		if id == "" {
			return slackNo("user_not_found")
		}
		return answer{body: map[string]any{"ok": true, "user": map[string]any{"id": id, "team_id": "T1", "name": "ada", "real_name": "Ada", "tz": "Europe/Paris", "is_admin": true, "profile": map[string]any{"display_name": "Ada"}}}}
	case "conversations.open":
		users := str(args, "users")
		if users == "" {
			return slackNo("users_list_not_supplied")
		}
		return answer{body: map[string]any{"ok": true, "channel": map[string]any{"id": "D" + strings.TrimLeft(users, "UW")}}}
	case "chat.postMessage":
		return s.post(args)
	case "chat.update", "chat.delete":
		m := s.Ledger.find("slack", channel, str(args, "ts"))
		if m == nil {
			return slackNo("message_not_found")
		}
		if method == "chat.delete" {
			s.Ledger.remove(m)
		} else {
			if why := slackForm(args); why != "" {
				return slackNo(why)
			}
			s.Ledger.edit(m, args, slackText(args))
		}
		return answer{body: map[string]any{"ok": true, "channel": channel, "ts": m.ID, "text": str(args, "text"), "message": map[string]any{"type": "message", "text": str(args, "text")}}}
	case "conversations.history", "conversations.replies":
		return s.history(channel, str(args, "ts"), method == "conversations.replies", args)
	case "files.getUploadURLExternal":
		s.uploads++
		id := fmt.Sprintf("F%06d", s.uploads)
		s.files[id] = &file{name: str(args, "filename")}
		return answer{body: map[string]any{"ok": true, "upload_url": strings.TrimSuffix(s.URL, "api/") + "upload/" + id, "file_id": id}}
	case "files.completeUploadExternal":
		return s.complete(args)
	case "chat.postEphemeral":
		return answer{body: map[string]any{"ok": true, "message_ts": s.ts()}}
	case "chat.unfurl", "views.open", "views.push", "views.publish", "views.update", "blocks.validate":
		return answer{body: map[string]any{"ok": true, "view": map[string]any{"id": "V1"}}}
	}
	return slackNo("unknown_method")
}

// slackBot is the bot's user.
const slackBot = "U0BOT"

// slackForm is Slack's word for what is wrong with a message's form; "" if nothing is.
func slackForm(args map[string]any) string {
	blocks, _ := args["blocks"].([]any)
	raw, _ := json.Marshal(blocks)
	text := str(args, "text")
	switch {
	case len(blocks) == 0 && text == "" && args["attachments"] == nil:
		return "no_text"
	case len(blocks) > slackMaxBlocks:
		return "invalid_blocks"
	case utf8.RuneCount(raw) > slackMaxBlocksJSON:
		return "msg_blocks_too_long"
	case utf8.RuneCountInString(text) > slackMaxText:
		return "msg_too_long"
	}
	ids := map[string]bool{}
	for _, b := range blocks {
		block, _ := b.(map[string]any)
		if str(block, "type") == "" {
			return "invalid_blocks"
		}
		if id := str(block, "block_id"); id != "" {
			if ids[id] || len(id) > 255 {
				return "invalid_blocks"
			}
			ids[id] = true
		}
	}
	return ""
}

// slackText is what people read: the blocks, and only without any the text.
func slackText(args map[string]any) string {
	if blocks, _ := args["blocks"].([]any); len(blocks) > 0 {
		return shown(blocks)
	}
	return str(args, "text")
}

func (s *Slack) post(args map[string]any) answer {
	channel, thread := str(args, "channel"), str(args, "thread_ts")
	if channel == "" {
		return slackNo("channel_not_found")
	}
	if why := s.rules.refuse(channel); why != "" {
		return slackNo(why)
	}
	if why := slackForm(args); why != "" {
		return slackNo(why)
	}
	if thread != "" && s.Ledger.find("slack", channel, thread) == nil && !s.rules.Lose {
		return slackNo("thread_not_found")
	}
	m := &Message{
		Platform: "slack", Workspace: s.rules.team(channel), Channel: channel, ID: s.ts(), Thread: thread,
		Delivery: deliveryOf(args), Text: slackText(args), At: time.Now(), raw: args,
	}
	if !s.rules.Lose {
		s.Ledger.add(m)
	}
	return answer{body: map[string]any{"ok": true, "channel": channel, "ts": m.ID, "message": s.past(m, true, nil)}}
}

// past is a message as those who read back see it.
func (s *Slack) past(m *Message, metadata bool, replies []*Message) map[string]any {
	out := map[string]any{"type": "message", "user": slackBot, "bot_id": "B1", "ts": m.ID, "text": str(m.raw, "text")}
	if m.Thread != "" {
		out["thread_ts"] = m.Thread
	}
	if b := m.raw["blocks"]; b != nil {
		out["blocks"] = b
	}
	if metadata && m.raw["metadata"] != nil && !s.rules.Forget {
		out["metadata"] = m.raw["metadata"]
	}
	if len(replies) > 0 {
		out["thread_ts"], out["reply_count"], out["latest_reply"] = m.ID, len(replies), replies[len(replies)-1].ID
	}
	return out
}

// history is a page of a channel, newest first, or of a thread, oldest first
// (https://docs.slack.dev/reference/methods/conversations.history).
func (s *Slack) history(channel, thread string, replies bool, args map[string]any) answer {
	if s.rules.blind(channel) {
		return answer{body: map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"}}
	}
	limit, err := strconv.Atoi(str(args, "limit"))
	if n, ok := args["limit"].(float64); ok {
		limit, err = int(n), nil
	}
	if err != nil || limit <= 0 || limit > 999 {
		limit = 100
	}
	oldest, latest, cursor := str(args, "oldest"), str(args, "latest"), str(args, "cursor")
	withMeta := str(args, "include_all_metadata") == "true" || args["include_all_metadata"] == true
	var below map[string][]*Message
	var list []*Message
	all := s.Ledger.in("slack", channel)
	if replies {
		for _, m := range all {
			if m.Thread == thread || m.ID == thread {
				list = append(list, m)
			}
		}
		if len(list) == 0 {
			return slackNo("thread_not_found")
		}
	} else {
		below = map[string][]*Message{}
		for _, m := range all {
			if m.Thread == "" {
				list = append(list, m)
			} else {
				below[m.Thread] = append(below[m.Thread], m)
			}
		}
		slices.Reverse(list)
	}
	page := []any{}
	next := ""
	for _, m := range list {
		parent := replies && m.ID == thread // comes with every page
		switch {
		case oldest != "" && m.ID <= oldest && !parent, latest != "" && m.ID >= latest && !parent:
			continue
		case cursor != "" && !parent && (replies && m.ID <= cursor || !replies && m.ID >= cursor):
			continue
		case len(page) == limit:
			next = str(page[len(page)-1].(map[string]any), "ts")
		}
		if next != "" {
			break
		}
		page = append(page, s.past(m, withMeta, below[m.ID]))
	}
	out := map[string]any{"ok": true, "messages": page, "has_more": next != ""}
	if next != "" {
		out["response_metadata"] = map[string]any{"next_cursor": next}
	}
	return answer{body: out}
}

func (s *Slack) upload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.files[r.PathValue("id")]
	s.mu.Unlock()
	n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
	if f == nil || err != nil || n == 0 {
		http.Error(w, "no such upload", http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "OK - %d", n)
}

// complete shares uploaded files, which makes a message.
func (s *Slack) complete(args map[string]any) answer {
	list, _ := args["files"].([]any)
	channel := str(args, "channel_id")
	if len(list) == 0 {
		return slackNo("invalid_arguments")
	}
	var done []any
	text := str(args, "initial_comment")
	for _, x := range list {
		one, _ := x.(map[string]any)
		f := s.files[str(one, "id")]
		if f == nil {
			return slackNo("file_not_found")
		}
		f.title = str(one, "title")
		text += "\n[" + f.title + "]"
		done = append(done, map[string]any{"id": str(one, "id"), "name": f.name, "title": f.title})
	}
	if channel != "" {
		if why := s.rules.refuse(channel); why != "" {
			return slackNo(why)
		}
		s.Ledger.add(&Message{Platform: "slack", Workspace: s.rules.team(channel), Channel: channel, ID: s.ts(), Thread: str(args, "thread_ts"), Text: text, At: time.Now(), raw: args})
	}
	return answer{body: map[string]any{"ok": true, "files": done}}
}
