package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Discord is its REST API v10 as far as a bot like ours calls it, and the gateway.
type Discord struct {
	*site
	seq      int64
	buckets  map[string]*window
	nonces   map[string]nonced
	commands map[string]json.RawMessage // registered, by path
	forums   map[string]bool
	threads  []map[string]any
	archive  []map[string]any // the latest first
	answers  []Answer
	gateway  gateway
}

// An Answer is one to an interaction.
type Answer struct {
	Path string // without the token
	Body json.RawMessage
}

type nonced struct {
	m  *Message
	at time.Time
}

// A window is a rate limit as Discord counts it: so many until it begins anew.
type window struct {
	used  int
	reset time.Time
}

// What Discord allows (https://discord.com/developers/docs/topics/rate-limits). The
// limit of messages is not documented and comes in headers; it has been five in five
// seconds for years.
const (
	discordGlobal   = 50
	discordMessages = 5
	discordPer      = 5 // seconds
	discordNonces   = 300
	// discordIdentify is between two sessions that begin in one place, in seconds.
	discordIdentify = 5
)

const (
	discordUser = "900000000000000001"
	discordApp  = "900000000000000002"
	// discordEpoch is the first millisecond of ids:
	// https://discord.com/developers/docs/reference#snowflakes
	discordEpoch = 1420070400000
	// isComponentsV2 is a flag: https://discord.com/developers/docs/components/reference
	isComponentsV2 = 1 << 15
)

// NewDiscord starts a Discord. Its messages go into the ledger, a new one if nil.
func NewDiscord(rules Rules, ledger *Ledger) (*Discord, error) {
	d := &Discord{site: newSite(rules, ledger), buckets: map[string]*window{}, nonces: map[string]nonced{}, commands: map[string]json.RawMessage{}, forums: map[string]bool{}}
	d.gateway.init()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v10/", d.rest)
	mux.HandleFunc("/gateway/", d.connect)
	mux.HandleFunc("/gateway", d.connect)
	return d, d.start(mux, "/api/v10")
}

// Forum makes a channel a forum.
func (d *Discord) Forum(channel string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forums[channel] = true
}

// Answers are the answers to interactions so far.
func (d *Discord) Answers() []Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.answers)
}

func discordNo(status, code int, message string) answer {
	return answer{status: status, body: map[string]any{"code": code, "message": message}}
}

func (d *Discord) rest(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v10")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	channel := ""
	if parts[0] == "channels" && len(parts) > 1 {
		channel = parts[1]
	}
	body, err := payload(r)
	route := routeOf(r.Method, parts)
	c := Call{Platform: "discord", Method: route, Channel: channel, Delivery: str(body, "nonce"), Writes: channel != "" && r.Method != http.MethodGet}
	if limited := d.limit(w, route, channel, parts[0]); limited != nil {
		d.send(w, r, None, *limited)
		return
	}
	f, late := d.fault(c)
	if f == InsteadLimit {
		d.send(w, r, None, tooMany(200*time.Millisecond, false))
		return
	}
	var a answer
	switch {
	case !f.done():
	case err != nil:
		a = discordNo(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	default:
		d.later(late)
		a = d.do(r, parts, path, channel, body)
	}
	d.send(w, r, f, a)
}

// payload is a request's JSON, whether it came alone or with files.
func payload(r *http.Request) (map[string]any, error) {
	body := map[string]any{}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		r.Body = io.NopCloser(strings.NewReader(string(raw)))
		form, err := r.MultipartReader()
		if err != nil {
			return nil, err
		}
		var files []any
		for {
			p, err := form.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return nil, err
			}
			if p.FormName() == "payload_json" {
				if err := json.Unmarshal(b, &body); err != nil {
					return nil, err
				}
			} else {
				files = append(files, map[string]any{"name": p.FileName(), "size": len(b)})
			}
		}
		if body["files"] = files; len(files) == 0 {
			delete(body, "files")
		}
		return body, nil
	}
	if len(raw) == 0 {
		return body, nil
	}
	if raw[0] == '[' {
		var list []any
		err := json.Unmarshal(raw, &list)
		body["list"] = list
		return body, err
	}
	return body, json.Unmarshal(raw, &body)
}

// routeOf is a path with its ids taken out.
func routeOf(method string, parts []string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 64); err == nil {
			p = "{}"
		}
		if i > 1 && (parts[0] == "interactions" || parts[0] == "webhooks") && i == 2 {
			p = "{token}"
		}
		out[i] = p
	}
	return method + " /" + strings.Join(out, "/")
}

func tooMany(wait time.Duration, global bool) answer {
	seconds := max(wait.Seconds(), 0.001)
	scope := "user"
	header := map[string]string{"Retry-After": strconv.Itoa(int(math.Ceil(seconds)))}
	if global {
		scope = "global"
		header["X-RateLimit-Global"] = "true"
	}
	header["X-RateLimit-Scope"] = scope
	return answer{status: http.StatusTooManyRequests, header: header, body: map[string]any{"message": "You are being rate limited.", "retry_after": seconds, "global": global}}
}

// limit counts a call and writes the headers that tell of the limit, or returns the
// 429. Answers to interactions have no global limit.
func (d *Discord) limit(w http.ResponseWriter, route, channel, first string) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	second := d.rules.second()
	if second < 0 || first == "interactions" {
		return nil
	}
	now := time.Now()
	count := func(key string, most int, per time.Duration) (left int, reset time.Duration) {
		b := d.buckets[key]
		if b == nil {
			b = &window{}
			d.buckets[key] = b
		}
		if !now.Before(b.reset) {
			b.used, b.reset = 0, now.Add(per)
		}
		reset = b.reset.Sub(now)
		if b.used >= most {
			d.asked(key, now, reset)
			return -1, reset
		}
		d.asked(key, now, 0)
		b.used++
		return most - b.used, reset
	}
	if left, reset := count("global", discordGlobal, second); left < 0 {
		a := tooMany(reset, true)
		return &a
	}
	most, per := 50, second
	if strings.HasPrefix(route, "POST /channels/{}/messages") {
		most, per = discordMessages, discordPer*second
	}
	left, reset := count(route+" "+channel, most, per)
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(most))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(max(left, 0)))
	w.Header().Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", reset.Seconds()))
	w.Header().Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(now.Add(reset).UnixMilli())/1000))
	w.Header().Set("X-RateLimit-Bucket", fmt.Sprintf("%x", len(route)*7919))
	if left < 0 {
		a := tooMany(reset, false)
		return &a
	}
	return nil
}

func (d *Discord) id() string {
	d.seq++
	return strconv.FormatInt((time.Now().UnixMilli()-discordEpoch)<<22|d.seq&(1<<22-1), 10)
}

func (d *Discord) do(r *http.Request, parts []string, path, channel string, body map[string]any) answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	open := parts[0] == "interactions" || parts[0] == "webhooks" || path == "/gateway"
	auth, isBot := strings.CutPrefix(r.Header.Get("Authorization"), "Bot ")
	if !open && (!isBot || d.rules.Token != "" && auth != d.rules.Token) {
		return discordNo(http.StatusUnauthorized, 0, "401: Unauthorized")
	}
	if why := d.rules.refuse(channel); channel != "" && why != "" {
		code, _ := strconv.Atoi(why)
		status := http.StatusForbidden
		if code/1000 == 10 {
			status = http.StatusNotFound
		}
		return discordNo(status, code, "Refused")
	}
	me := map[string]any{"id": discordUser, "username": "seedcorn", "discriminator": "0000", "global_name": nil, "avatar": nil, "bot": true, "flags": 0}
	switch {
	case path == "/users/@me":
		return answer{body: me}
	case path == "/applications/@me", path == "/oauth2/applications/@me":
		return answer{body: map[string]any{"id": discordApp, "name": "seedcorn", "flags": 0, "verify_key": "", "description": "", "bot": me}}
	case path == "/gateway/bot", path == "/gateway":
		return answer{body: map[string]any{
			"url": "ws" + strings.TrimSuffix(strings.TrimPrefix(d.URL, "http"), "/api/v10") + "/gateway", "shards": max(1, d.rules.Shards),
			"session_start_limit": map[string]any{"total": 1000, "remaining": 1000, "reset_after": 14_400_000, "max_concurrency": d.rules.places()},
		}}
	case path == "/users/@me/channels":
		to := str(body, "recipient_id")
		if len(to) < 2 {
			return discordNo(http.StatusBadRequest, 50033, "Invalid Recipient(s)")
		}
		return answer{body: map[string]any{"id": "4" + to[1:], "type": 1, "recipients": []any{map[string]any{"id": to}}}}
	case parts[0] == "applications" && parts[len(parts)-1] == "commands":
		return d.registered(r.Method, path, body)
	case parts[0] == "guilds" && len(parts) > 2 && parts[2] == "threads":
		return answer{body: map[string]any{"threads": append([]map[string]any{}, d.threads...), "members": []any{}}}
	case parts[0] == "interactions" && len(parts) == 4:
		raw, _ := json.Marshal(body)
		d.answers = append(d.answers, Answer{Path: parts[0] + "/" + parts[1] + "/" + parts[3], Body: raw})
		return answer{status: http.StatusNoContent}
	case parts[0] == "webhooks" && len(parts) >= 3:
		raw, _ := json.Marshal(body)
		d.answers = append(d.answers, Answer{Path: parts[0] + "/" + strings.Join(parts[3:], "/"), Body: raw})
		if r.Method == http.MethodDelete {
			return answer{status: http.StatusNoContent}
		}
		return answer{body: d.past(&Message{ID: d.id(), Channel: "100000000000000001", At: time.Now(), raw: body}, false)}
	case channel == "":
	case len(parts) == 2 && r.Method == http.MethodGet:
		return answer{body: map[string]any{"id": channel, "type": d.kind(channel), "guild_id": d.rules.team(channel), "name": "research"}}
	case parts[2] == "threads" && len(parts) == 3 && r.Method == http.MethodPost:
		return d.thread(channel, body)
	case parts[2] == "threads" && len(parts) == 5 && r.Method == http.MethodGet:
		return d.archived(channel, r)
	case parts[2] != "messages":
	case len(parts) == 3 && d.forums[channel]:
		return discordNo(http.StatusBadRequest, 50008, "Cannot send messages in a non-text channel")
	case len(parts) == 3 && r.Method == http.MethodPost:
		return d.post(channel, body)
	case len(parts) == 3 && r.Method == http.MethodGet:
		return d.list(channel, r)
	case len(parts) == 5 && parts[4] == "crosspost":
		return answer{body: map[string]any{"id": parts[3], "channel_id": channel}}
	case len(parts) == 4:
		m := d.Ledger.find("discord", channel, parts[3])
		switch {
		case m == nil:
			return discordNo(http.StatusNotFound, 10008, "Unknown Message")
		case r.Method == http.MethodDelete:
			d.Ledger.remove(m)
			return answer{status: http.StatusNoContent}
		case r.Method == http.MethodPatch:
			if a := discordForm(body); a != nil {
				return *a
			}
			d.Ledger.edit(m, body, shown(body))
		}
		return answer{body: d.past(m, false)}
	}
	return discordNo(http.StatusNotFound, 0, "404: Not Found")
}

func (d *Discord) kind(channel string) int {
	if d.forums[channel] {
		return 15
	}
	return 0
}

// registered keeps commands as Discord does: with more in them, and not all as it
// was.
func (d *Discord) registered(method, path string, body map[string]any) answer {
	if method == http.MethodPut {
		list, _ := body["list"].([]any)
		for _, x := range list {
			c, _ := x.(map[string]any)
			if str(c, "name") == "" {
				return discordNo(http.StatusBadRequest, 50035, "Invalid Form Body")
			}
			c["id"], c["application_id"], c["version"], c["nsfw"] = d.id(), discordApp, d.id(), false
			if p, ok := c["default_member_permissions"].(float64); ok {
				c["default_member_permissions"] = fmt.Sprintf("%.0f", p)
			}
		}
		raw, _ := json.Marshal(append([]any{}, list...))
		d.commands[path] = raw
	}
	if d.commands[path] == nil {
		return answer{body: []any{}}
	}
	return answer{body: d.commands[path]}
}

// discordForm is what Discord says of a message whose form is wrong, nil if it is
// right. https://discord.com/developers/docs/resources/message#create-message
func discordForm(body map[string]any) *answer {
	wrong := func(why string) *answer {
		a := discordNo(http.StatusBadRequest, 50035, "Invalid Form Body: "+why)
		return &a
	}
	flags, _ := body["flags"].(float64)
	content := str(body, "content")
	embeds, _ := body["embeds"].([]any)
	components, _ := body["components"].([]any)
	if len(str(body, "nonce")) > 25 {
		return wrong("nonce")
	}
	if int(flags)&isComponentsV2 == 0 {
		switch {
		case content == "" && len(embeds) == 0 && len(components) == 0 && body["files"] == nil:
			a := discordNo(http.StatusBadRequest, 50006, "Cannot send an empty message")
			return &a
		case units(content) > 2000:
			return wrong("content")
		case len(embeds) > 10 || units(shown(embeds)) > 6000:
			return wrong("embeds")
		}
		return nil
	}
	if content != "" || len(embeds) > 0 {
		return wrong("flags: components alone")
	}
	n, text := 0, 0
	ids := map[float64]bool{}
	twice := false
	var walk func(list []any)
	walk = func(list []any) {
		for _, x := range list {
			c, _ := x.(map[string]any)
			n++
			text += units(str(c, "content"))
			if id, _ := c["id"].(float64); id != 0 {
				twice = twice || ids[id]
				ids[id] = true
			}
			inner, _ := c["components"].([]any)
			walk(inner)
			if a, ok := c["accessory"].(map[string]any); ok {
				walk([]any{a})
			}
		}
	}
	walk(components)
	switch {
	case n == 0 || n > 40:
		return wrong("components")
	case text > 4000:
		return wrong("text")
	case twice:
		return wrong("component ids")
	}
	return nil
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func (d *Discord) post(channel string, body map[string]any) answer {
	if a := discordForm(body); a != nil {
		return *a
	}
	memory := d.rules.Memory
	if memory == 0 {
		memory = discordNonces * max(d.rules.second(), time.Millisecond)
	}
	nonce := str(body, "nonce")
	key := channel + " " + nonce
	now := time.Now()
	if old, ok := d.nonces[key]; ok && nonce != "" && body["enforce_nonce"] == true && !d.rules.Forget && now.Sub(old.at) < memory {
		d.counts["same nonce"]++
		return answer{body: d.past(old.m, true)}
	}
	below := ""
	if ref, ok := body["message_reference"].(map[string]any); ok {
		below = str(ref, "message_id")
		if d.Ledger.find("discord", channel, below) == nil && ref["fail_if_not_exists"] != false {
			return discordNo(http.StatusBadRequest, 50035, "Invalid Form Body: unknown message")
		}
	}
	m := &Message{Platform: "discord", Workspace: d.rules.team(channel), Channel: channel, ID: d.id(), Thread: below, Delivery: nonce, Text: shown(body), At: now, raw: body}
	if !d.rules.Lose {
		d.Ledger.add(m)
		if nonce != "" {
			d.nonces[key] = nonced{m, now}
		}
	}
	return answer{body: d.past(m, true)}
}

// past is a message as Discord gives it. A nonce comes with the answer to its own
// post; that it comes with a list is nowhere promised.
func (d *Discord) past(m *Message, nonce bool) map[string]any {
	out := map[string]any{
		"id": m.ID, "channel_id": m.Channel, "type": 0, "content": str(m.raw, "content"), "timestamp": m.At.UTC().Format(time.RFC3339Nano), "edited_timestamp": nil,
		"author": map[string]any{"id": discordUser, "username": "seedcorn", "discriminator": "0000", "avatar": nil, "bot": true}, "tts": false, "mention_everyone": false,
		"mentions": []any{}, "mention_roles": []any{}, "attachments": []any{}, "embeds": or(m.raw["embeds"], []any{}), "pinned": false, "components": or(m.raw["components"], []any{}),
	}
	if f := m.raw["flags"]; f != nil {
		out["flags"] = f
	}
	if nonce && m.Delivery != "" {
		out["nonce"] = m.Delivery
	}
	if d.rules.Forget {
		out["components"] = []any{}
	}
	return out
}

func or(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

// list is a page of a channel, newest first
// (https://discord.com/developers/docs/resources/message#get-channel-messages). With
// after it is the page next to it, without the one at the end.
func (d *Discord) list(channel string, r *http.Request) answer {
	if d.rules.blind(channel) {
		// Without Read Message History there are none to be seen.
		return discordNo(http.StatusForbidden, 50001, "Missing Access")
	}
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		limit = 50
	}
	if limit < 1 || limit > 100 {
		return discordNo(http.StatusBadRequest, 50035, "Invalid Form Body: limit")
	}
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	var page []map[string]any
	all := d.Ledger.in("discord", channel)
	if after == 0 {
		slices.Reverse(all)
	}
	for _, m := range all {
		id, _ := strconv.ParseInt(m.ID, 10, 64)
		if id <= after || before > 0 && id >= before || len(page) == limit {
			continue
		}
		page = append(page, d.past(m, false))
	}
	if after != 0 {
		slices.Reverse(page)
	}
	return answer{body: append([]map[string]any{}, page...)}
}

// thread is a post in a forum. Its first message has its id, and no nonce is kept.
func (d *Discord) thread(channel string, body map[string]any) answer {
	if !d.forums[channel] {
		return discordNo(http.StatusBadRequest, 50024, "Cannot execute action on this channel type")
	}
	message, _ := body["message"].(map[string]any)
	if str(body, "name") == "" || message == nil {
		return discordNo(http.StatusBadRequest, 50035, "Invalid Form Body")
	}
	if a := discordForm(message); a != nil {
		return *a
	}
	id := d.id()
	if !d.rules.Lose {
		d.Ledger.add(&Message{Platform: "discord", Workspace: d.rules.team(channel), Channel: id, ID: id, Thread: channel, Delivery: str(message, "nonce"), Text: shown(message), At: time.Now(), raw: message})
	}
	th := map[string]any{"id": id, "type": 11, "name": str(body, "name"), "parent_id": channel, "owner_id": discordUser, "guild_id": d.rules.team(channel), "applied_tags": or(body["applied_tags"], []any{})}
	d.threads = append(d.threads, th)
	return answer{status: http.StatusCreated, body: th}
}

// Archive puts every post of the forums into the archive, where those who list the
// active ones do not see them.
func (d *Discord) Archive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, th := range d.threads {
		th["thread_metadata"] = map[string]any{"archived": true, "archive_timestamp": time.Now().UTC().Format(time.RFC3339Nano), "auto_archive_duration": 60, "locked": false}
		d.archive = append([]map[string]any{th}, d.archive...)
	}
	d.threads = nil
}

// archived is a page of a forum's archive, the latest first
// (https://discord.com/developers/docs/resources/channel#list-public-archived-threads).
func (d *Discord) archived(channel string, r *http.Request) answer {
	if d.rules.blind(channel) {
		return discordNo(http.StatusForbidden, 50001, "Missing Access")
	}
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		limit = 50
	}
	before, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("before"))
	if r.URL.Query().Get("before") != "" && err != nil {
		return discordNo(http.StatusBadRequest, 50035, "Invalid Form Body: before")
	}
	page, more := []map[string]any{}, false
	for _, th := range d.archive {
		at, _ := time.Parse(time.RFC3339Nano, str(th["thread_metadata"].(map[string]any), "archive_timestamp"))
		if str(th, "parent_id") != channel || !before.IsZero() && !at.Before(before) {
			continue
		}
		if len(page) == limit {
			more = true
			break
		}
		page = append(page, th)
	}
	return answer{body: map[string]any{"threads": page, "members": []any{}, "has_more": more}}
}
