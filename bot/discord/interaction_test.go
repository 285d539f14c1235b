package discord

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// A desk answers with functions.
type desk struct {
	mu       sync.Mutex
	asked    []bot.Invocation
	handle   func(ctx context.Context, inv bot.Invocation) bot.Reply
	complete func(ctx context.Context, inv bot.Invocation, param, typed string) []bot.Choice
}

func (d *desk) Handle(ctx context.Context, inv bot.Invocation) bot.Reply {
	d.mu.Lock()
	d.asked = append(d.asked, inv)
	d.mu.Unlock()
	if d.handle == nil {
		return plainly("answer to " + inv.Command)
	}
	return d.handle(ctx, inv)
}

func (d *desk) Complete(ctx context.Context, inv bot.Invocation, param, typed string) []bot.Choice {
	return d.complete(ctx, inv, param, typed)
}

// raw is an interaction as Discord sends it, in a server unless more says otherwise.
func raw(kind int, data any, more map[string]any) []byte {
	it := map[string]any{
		"id": "700000000000000001", "application_id": appID, "type": kind, "token": "aW50ZXJhY3Rpb24.token_1-x", "version": 1,
		"guild_id": guild, "channel_id": chanID, "context": 0, "locale": "fr", "app_permissions": "0",
		"authorizing_integration_owners": map[string]string{"0": guild}, "entitlements": []any{},
		"member": map[string]any{"user": map[string]any{"id": userID, "username": "ada", "global_name": "Ada"}, "nick": "Ada L.", "permissions": "0", "roles": []string{}},
		"data":   data,
	}
	for k, v := range more {
		if v == nil {
			delete(it, k)
			continue
		}
		it[k] = v
	}
	return mustJSON(it)
}

func chat(sub string, options ...any) map[string]any {
	return map[string]any{"id": "1", "name": "digest", "type": 1, "options": []any{map[string]any{"name": sub, "type": 1, "options": options}}}
}

func opt(name string, value any) map[string]any {
	return map[string]any{"name": name, "type": 3, "value": value}
}

func TestDecode(t *testing.T) {
	a := newAdapter(t, Options{})
	place := bot.Place{Platform: Name, Workspace: guild, Channel: chanID, Guarded: true}
	followed := place
	followed.Followed = true
	alone := bot.Place{Platform: Name, Workspace: "@" + userID, Channel: "@" + userID, Direct: true}
	direct := digest.Destination{Platform: Name, Workspace: "@" + userID, Channel: "@" + userID, Direct: true}
	ada := bot.Person{ID: userID, Name: "Ada L.", Roles: []string{}, Direct: direct}
	manager, role := ada, ada
	manager.Manages, role.Roles = true, []string{"54", "55"}
	byPermission := manager
	byPermission.Roles = nil
	user := map[string]any{"id": userID, "username": "ada"}
	for _, tt := range []struct {
		name string
		raw  []byte
		want bot.Invocation
		say  string
	}{
		{"command", raw(2, chat("search", opt("query", " reasoning country:FR "), opt("page", "2")), nil), bot.Invocation{Place: place, Asker: ada, Command: "search", Args: map[string]string{"query": "reasoning country:FR", "page": "2"}}, ""},
		{"in a group", raw(2, map[string]any{"name": "digest", "type": 1, "options": []any{map[string]any{"name": "manage", "type": 2, "options": []any{map[string]any{"name": "pause", "type": 1, "options": []any{opt("subscription", "all")}}}}}}, nil), bot.Invocation{Place: place, Asker: ada, Command: "pause", Args: map[string]string{"subscription": "all"}}, ""},
		{"the command that manages, which Discord guards", raw(2, map[string]any{"name": "digest-manage", "type": 1, "options": []any{map[string]any{"name": "pause", "type": 1, "options": []any{opt("subscription", "all")}}}}, nil), bot.Invocation{Place: place, Asker: manager, Command: "pause", Args: map[string]string{"subscription": "all"}}, ""},
		{"managing by the command that is open to all", raw(2, chat("pause", opt("subscription", "all")), nil), bot.Invocation{Place: place, Asker: ada, Command: "pause", Args: map[string]string{"subscription": "all"}}, ""},
		{"mentions", raw(2, chat("settings", opt("set", "managers=<@&55> <@300000000000000009> editors=<@!7>")), nil), bot.Invocation{Place: place, Asker: ada, Command: "settings", Args: map[string]string{"set": "managers=role:55 300000000000000009 editors=7"}}, ""},
		{"in a channel that can be followed", raw(2, chat("topics"), map[string]any{"channel": map[string]any{"id": chanID, "type": 5}}), bot.Invocation{Place: followed, Asker: ada, Command: "topics", Args: map[string]string{}}, ""},
		{"number", raw(2, chat("search", opt("query", 42)), nil), bot.Invocation{Place: place, Asker: ada, Command: "search", Args: map[string]string{"query": "42"}}, ""},
		{"alone", raw(2, map[string]any{"name": "digest", "type": 1}, nil), bot.Invocation{Place: place, Asker: ada, Command: "help", Args: map[string]string{}}, ""},
		{"manager", raw(2, chat("topics"), map[string]any{"member": map[string]any{"user": user, "nick": "Ada L.", "permissions": "16"}}), bot.Invocation{Place: place, Asker: byPermission, Command: "topics", Args: map[string]string{}}, ""},
		{"roles", raw(2, chat("topics"), map[string]any{"member": map[string]any{"user": user, "nick": "Ada L.", "permissions": "0", "roles": []string{"54", "55"}}}), bot.Invocation{Place: place, Asker: role, Command: "topics", Args: map[string]string{}}, ""},
		{"direct message", raw(2, chat("topics"), map[string]any{"guild_id": nil, "member": nil, "context": 1, "user": user, "authorizing_integration_owners": map[string]string{"0": "0"}}), bot.Invocation{Place: alone, Asker: bot.Person{ID: userID, Name: "ada", Manages: true, Direct: direct}, Command: "topics", Args: map[string]string{}}, ""},
		{"where only the person installed us", raw(2, chat("topics"), map[string]any{"authorizing_integration_owners": map[string]string{"1": userID}}), bot.Invocation{Place: alone, Asker: manager, Command: "topics", Args: map[string]string{}}, ""},
		{"between two people", raw(2, chat("topics"), map[string]any{"guild_id": nil, "member": nil, "context": 2, "user": user, "authorizing_integration_owners": map[string]string{"1": userID}}), bot.Invocation{Place: alone, Asker: bot.Person{ID: userID, Name: "ada", Manages: true, Direct: direct}, Command: "topics", Args: map[string]string{}}, ""},
		{"button", raw(3, map[string]any{"custom_id": "c:why w7k3m9q2xd", "component_type": 2}, nil), bot.Invocation{Place: place, Asker: ada, Command: "why", Args: map[string]string{"work": "w7k3m9q2xd"}}, ""},
		{"button, repeated", raw(3, map[string]any{"custom_id": "c12:vote w7 value:useful", "component_type": 2}, nil), bot.Invocation{Place: place, Asker: ada, Command: "vote", Args: map[string]string{"work": "w7", "value": "useful"}}, ""},
		{"menu", raw(3, map[string]any{"custom_id": "s2:", "component_type": 3, "values": []string{"c:subscribe topic:llm"}}, nil), bot.Invocation{Place: place, Asker: ada, Command: "subscribe", Args: map[string]string{"query": "topic:llm"}}, ""},
		{"menu, nothing chosen", raw(3, map[string]any{"custom_id": "s:", "component_type": 3, "values": []string{}}, nil), bot.Invocation{}, "Nothing was chosen"},
		{"button of others", raw(3, map[string]any{"custom_id": "zzz", "component_type": 2}, nil), bot.Invocation{}, "older version"},
		{"button of a command that is gone", raw(3, map[string]any{"custom_id": "c:frobnicate", "component_type": 2}, nil), bot.Invocation{}, "older version"},
		{"button that was forgotten", raw(3, map[string]any{"custom_id": "l:0123456789abcdef:search country:FR", "component_type": 2}, nil), bot.Invocation{}, "too old"},
		{"form in rows", raw(5, map[string]any{"custom_id": "f:subscribe", "components": []any{map[string]any{"type": 1, "components": []any{map[string]any{"type": 4, "custom_id": "query", "value": "country:EU"}}}, map[string]any{"type": 1, "components": []any{map[string]any{"type": 4, "custom_id": "zone", "value": ""}}}}}, nil), bot.Invocation{Place: place, Asker: ada, Command: "subscribe", Args: map[string]string{"query": "country:EU", "zone": ""}}, ""},
		{"form in labels", raw(5, map[string]any{"custom_id": "f:correct", "components": []any{map[string]any{"type": 18, "component": map[string]any{"type": 4, "custom_id": "work", "value": "w7"}}, map[string]any{"type": 18, "component": map[string]any{"type": 3, "custom_id": "field", "values": []string{"country"}}}}}, nil), bot.Invocation{Place: place, Asker: ada, Command: "correct", Args: map[string]string{"work": "w7", "field": "country"}}, ""},
		{"old command", raw(2, map[string]any{"name": "seedcorn", "type": 1}, nil), bot.Invocation{}, "left over"},
		{"old menu", raw(2, map[string]any{"name": "Explain", "type": 3, "target_id": "1"}, nil), bot.Invocation{}, "left over"},
		{"what is this", raw(2, map[string]any{"name": "What is this?", "type": 3, "target_id": "8", "resolved": map[string]any{"messages": map[string]any{"8": map[string]any{"content": "see <https://example.org/x> and [this](https://arxiv.org/abs/2501.12948v2).", "embeds": []any{}}}}}, nil), bot.Invocation{Place: place, Asker: ada, Command: "work", Args: map[string]string{"work": "https://arxiv.org/abs/2501.12948v2"}}, ""},
		{"what is this, in an embed", raw(2, map[string]any{"name": "What is this?", "type": 3, "target_id": "8", "resolved": map[string]any{"messages": map[string]any{"8": map[string]any{"content": "", "embeds": []any{map[string]any{"url": "https://huggingface.co/Qwen/Qwen3-8B"}}}}}}, nil), bot.Invocation{Place: place, Asker: ada, Command: "work", Args: map[string]string{"work": "https://huggingface.co/Qwen/Qwen3-8B"}}, ""},
		{"what is this, without a link", raw(2, map[string]any{"name": "What is this?", "type": 3, "target_id": "8", "resolved": map[string]any{"messages": map[string]any{"8": map[string]any{"content": "hello"}}}}, nil), bot.Invocation{}, "no link"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := a.decode(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			if tt.say != "" {
				if q.reply == nil || !strings.Contains(q.reply.Document.Summary, tt.say) {
					t.Fatalf("answered with %v, want …%s…", q.reply, tt.say)
				}
				return
			}
			tt.want.ID, tt.want.Once = "700000000000000001", "700000000000000001"
			if diff := cmp.Diff(tt.want, q.inv); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	a := newAdapter(t, Options{})
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("x"), "a list": []byte("[]"), "no type": []byte("{}"),
		"no user": raw(2, chat("x"), map[string]any{"member": nil}), "type 99": raw(99, nil, nil),
		"a path for a token": raw(2, chat("x"), map[string]any{"token": "../../x"}), "no token": raw(2, chat("x"), map[string]any{"token": ""}),
		"id": raw(2, chat("x"), map[string]any{"id": "x/y"}), "data": raw(2, "x", nil),
	} {
		if q, err := a.decode(b); err == nil {
			t.Errorf("%s is taken for %+v", name, q)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(raw(2, chat("search", opt("query", "x")), nil))
	f.Add(raw(3, map[string]any{"custom_id": "l:0:search x"}, nil))
	f.Add(raw(5, map[string]any{"custom_id": "f:x", "components": []any{map[string]any{"component": map[string]any{"custom_id": "a"}}}}, nil))
	f.Add(raw(2, map[string]any{"name": "What is this?", "type": 3, "target_id": "8", "resolved": map[string]any{"messages": map[string]any{"8": map[string]any{"content": "https://x"}}}}, nil))
	f.Add([]byte(`{"type":1}`))
	a := newAdapter(f, Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := a.decode(b)
		if err != nil || q.kind == interactionPing {
			return
		}
		if q.reply == nil && q.inv.Command == "" {
			t.Errorf("neither a command nor an answer: %+v", q)
		}
		if strings.ContainsAny(q.token+q.id+q.app, "/?#%\\ ") {
			t.Errorf("a path is broken by %q %q %q", q.id, q.token, q.app)
		}
	})
}

// A first answer, as what Discord makes of it.
type answered struct {
	Type int
	Data struct {
		Flags      int
		CustomID   string `json:"custom_id"`
		Title      string
		Choices    []completion
		Components json.RawMessage
	}
}

func ask1(t *testing.T, a *Adapter, h bot.Handler, b []byte) (answered, func(bool)) {
	t.Helper()
	q, err := a.decode(b)
	if err != nil {
		t.Fatal(err)
	}
	first, after := a.respond(t.Context(), h, q)
	out, err := encode(first)
	if err != nil {
		t.Fatal(err)
	}
	var got answered
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Type == callbackMessage || got.Type == callbackUpdate {
		m, _ := json.Marshal(first.Data)
		check(t, m)
	}
	return got, after
}

func longDoc() message.Document {
	doc := message.Document{Summary: "long"}
	for i := range 9 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain(fmt.Sprint(i, strings.Repeat(" word", 200)))})
	}
	return doc
}

func TestRespond(t *testing.T) {
	button := func(own bool) []byte {
		flags := 0
		if own {
			flags = flagEphemeral
		}
		return raw(3, map[string]any{"custom_id": "c:search x page:2", "component_type": 2}, map[string]any{"message": map[string]any{"id": "5", "flags": flags}})
	}
	form := &bot.Form{Title: "Subscribe", Submit: "Go", Command: "subscribe", Fields: []bot.FormField{{Param: "query", Label: "Query", Hint: "empty for everything"}, {Param: "field", Label: "Field", Choices: []string{"a", "b"}, Value: "b", Required: true}}}
	type want struct {
		kind, flags int
		then        string // requests after the first answer
	}
	for _, tt := range []struct {
		name  string
		raw   []byte
		reply bot.Reply
		slow  bool
		want  want
	}{
		{"fast", raw(2, chat("topics"), nil), plainly("x"), false, want{callbackMessage, flagEphemeral | flagComponentsV2, ""}},
		{"fast, public", raw(2, chat("topics"), nil), bot.Reply{Document: everyBlock(), Public: true}, false, want{callbackMessage, flagComponentsV2, ""}},
		{"fast, long", raw(2, chat("topics"), nil), bot.Reply{Document: longDoc()}, false, want{callbackMessage, flagEphemeral | flagComponentsV2, "POST 32832, POST 32832"}},
		{"fast, long, public", raw(2, chat("topics"), nil), bot.Reply{Document: longDoc(), Public: true}, false, want{callbackMessage, flagComponentsV2, "POST 32768, POST 32768"}},
		{"slow", raw(2, chat("topics"), nil), plainly("x"), true, want{callbackDefer, flagEphemeral, "PATCH 32768"}},
		{"slow, long", raw(2, chat("topics"), nil), bot.Reply{Document: longDoc()}, true, want{callbackDefer, flagEphemeral, "PATCH 32768, POST 32832, POST 32832"}},
		{"slow, public", raw(2, chat("topics"), nil), bot.Reply{Document: plainly("x").Document, Public: true}, true, want{callbackDefer, flagEphemeral, "PATCH 32768, POST 32768"}},
		{"slow, form", raw(2, chat("subscribe"), nil), bot.Reply{Document: plainly("x").Document, Form: form}, true, want{callbackDefer, flagEphemeral, "PATCH 32768 c:subscribe"}},
		{"form", raw(2, chat("subscribe"), nil), bot.Reply{Document: plainly("x").Document, Form: form}, false, want{callbackModal, 0, ""}},
		{"form after a form", raw(5, map[string]any{"custom_id": "f:x", "components": []any{}}, nil), bot.Reply{Document: plainly("x").Document, Form: form}, false, want{callbackMessage, flagEphemeral | flagComponentsV2, ""}},
		{"form without room", raw(2, chat("x"), nil), bot.Reply{Document: plainly("x").Document, Form: &bot.Form{Title: "T", Command: "help", Fields: make([]bot.FormField, 9)}}, false, want{callbackMessage, flagEphemeral | flagComponentsV2, ""}},
		{"replace own", button(true), bot.Reply{Document: plainly("x").Document, Replace: true}, false, want{callbackUpdate, flagComponentsV2, ""}},
		{"replace others'", button(false), bot.Reply{Document: plainly("x").Document, Replace: true}, false, want{callbackMessage, flagEphemeral | flagComponentsV2, ""}},
		{"slow, replace own", button(true), bot.Reply{Document: plainly("x").Document, Replace: true}, true, want{callbackDeferUpdate, 0, "PATCH 32768"}},
		{"slow, replace others'", button(false), bot.Reply{Document: plainly("x").Document, Replace: true}, true, want{callbackDeferUpdate, 0, "POST 32832"}},
		{"slow, button", button(true), plainly("x"), true, want{callbackDeferUpdate, 0, "POST 32832"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			a := f.adapter(t, Options{Patience: 20 * time.Millisecond})
			release := make(chan struct{})
			h := &desk{handle: func(context.Context, bot.Invocation) bot.Reply {
				if tt.slow {
					<-release
				}
				return tt.reply
			}}
			if !tt.slow {
				a.opt.Patience = 10 * time.Second
			}
			got, after := ask1(t, a, h, tt.raw)
			close(release)
			after(true)
			var then []string
			for _, r := range f.all() {
				var m struct{ Flags int }
				if err := json.Unmarshal(r.body, &m); err != nil {
					t.Fatal(err)
				}
				check(t, r.body)
				s := fmt.Sprint(r.method, " ", m.Flags)
				if strings.Contains(string(r.body), `"c:subscribe"`) {
					s += " c:subscribe"
				}
				then = append(then, s)
				path := "/webhooks/" + appID + "/aW50ZXJhY3Rpb24.token_1-x"
				if r.method == http.MethodPatch {
					path += "/messages/@original"
				}
				if r.path != path {
					t.Errorf("sent to %s, want %s", r.path, path)
				}
			}
			if g := (want{got.Type, got.Data.Flags, strings.Join(then, ", ")}); g != tt.want {
				t.Errorf("got %+v, want %+v", g, tt.want)
			}
			if len(a.limits.buckets) > 0 {
				t.Errorf("an answer left %d buckets behind", len(a.limits.buckets))
			}
		})
	}
}

func TestPatience(t *testing.T) {
	now := time.UnixMilli(epoch + 1e12)
	for _, tt := range []struct{ age, want time.Duration }{
		{0, 1500 * time.Millisecond},
		{-time.Hour, 1500 * time.Millisecond},
		{500 * time.Millisecond, 1500 * time.Millisecond},
		{1400 * time.Millisecond, 1100 * time.Millisecond},
		{2900 * time.Millisecond, 50 * time.Millisecond},
		{time.Minute, 1500 * time.Millisecond},
	} {
		if got := patienceFor(snowflake(now.Add(-tt.age)), 1500*time.Millisecond, now); got != tt.want {
			t.Errorf("an interaction %s old may wait %s, want %s", tt.age, got, tt.want)
		}
	}
}

// A command that never ends is answered before its token dies, in a bubble of time.
func TestRespondTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		began := time.Now()
		a := newAdapter(t, Options{Base: "http://discord.test", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			asked = append(asked, fmt.Sprintf("%s %s after %s", r.Method, b, time.Since(began)))
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
		})})
		stuck := make(chan struct{})
		defer close(stuck)
		q, err := a.decode(raw(2, chat("topics"), nil))
		if err != nil {
			t.Fatal(err)
		}
		first, after := a.respond(t.Context(), &desk{handle: func(context.Context, bot.Invocation) bot.Reply { <-stuck; return bot.Reply{} }}, q)
		if d := time.Since(began); first.Type != callbackDefer || d != 1500*time.Millisecond {
			t.Errorf("type %d after %s", first.Type, d)
		}
		after(true)
		if d := time.Since(began); len(asked) != 1 || !strings.Contains(asked[0], "took too long") || d >= tokenLife || d < 14*time.Minute {
			t.Errorf("told %q after %s", asked, d)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestModal(t *testing.T) {
	a := newAdapter(t, Options{})
	h := &desk{handle: func(context.Context, bot.Invocation) bot.Reply {
		return bot.Reply{Form: &bot.Form{Title: "Fix a tag", Submit: "Fix it", Command: "correct", Fields: []bot.FormField{
			{Param: "work", Label: "Work", Value: "w7", Required: true},
			{Param: "field", Label: "What is wrong?", Choices: []string{"country", "lab"}, Value: "lab", Required: true},
			{Param: "because", Label: "How do you know?", Hint: "a link or a sentence", Long: true},
		}}}
	}}
	q, err := a.decode(raw(2, chat("correct"), nil))
	if err != nil {
		t.Fatal(err)
	}
	first, after := a.respond(t.Context(), h, q)
	after(true)
	b, err := encode(first)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "modal.json", b)
	if _, ok := formOf(bot.Form{Title: "x", Command: "x", Fields: make([]bot.FormField, 6)}); ok {
		t.Error("a form of six fields is a modal")
	}
	// A button of which only the beginning is known opens a form to complete it.
	q, err = a.decode(raw(3, map[string]any{"custom_id": "l:0123456789abcdef:search country:FR", "component_type": 2}, nil))
	if err != nil {
		t.Fatal(err)
	}
	first, after = a.respond(t.Context(), h, q)
	after(true)
	m, ok := first.Data.(modal)
	if !ok || m.CustomID != "f:search" || m.Components[0].Component.Value != "country:FR" {
		t.Errorf("answered with %+v", first)
	}
}

// What is settled already goes with a form without being asked, as far as it fits.
func TestModalKeepsWhatIsSettled(t *testing.T) {
	a := newAdapter(t, Options{})
	form := func(id string) bot.Form {
		return bot.Form{Title: "Change", Command: "edit", Fields: []bot.FormField{
			{Param: "subscription", Label: "Subscription", Value: id, Fixed: true},
			{Param: "when", Label: "When", Value: "weekly"},
		}}
	}
	m, ok := formOf(form("s2,s4 &=?"))
	if !ok || len(m.Components) != 1 || m.Components[0].Component.CustomID != "when" {
		t.Fatalf("%v %+v", ok, m)
	}
	q, err := a.decode(raw(5, map[string]any{"custom_id": m.CustomID, "components": []any{map[string]any{"type": 18, "component": map[string]any{"type": 4, "custom_id": "when", "value": "daily"}}}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"subscription": "s2,s4 &=?", "when": "daily"}
	if diff := cmp.Diff(want, q.inv.Args); diff != "" || q.inv.Command != "edit" {
		t.Errorf("%s %s", q.inv.Command, diff)
	}
	if m, ok := formOf(form(strings.Repeat("s2f4k6q7xd,", 20))); !ok || len(m.Components) != 2 || m.CustomID != "f:edit" {
		t.Errorf("what does not fit is not asked: %v %+v", ok, m)
	}
}

// The handler learns nothing of Discord's deadline, and its panic is an answer.
func TestRespondPanicAndLateness(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{Patience: time.Millisecond})
	h := &desk{handle: func(ctx context.Context, _ bot.Invocation) bot.Reply {
		if d, ok := ctx.Deadline(); !ok || time.Until(d) < 10*time.Minute {
			t.Errorf("the handler's deadline is %s", d)
		}
		panic("oh")
	}}
	_, after := ask1(t, a, h, raw(2, chat("topics"), nil))
	after(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, after := ask1(t, a, &desk{handle: func(context.Context, bot.Invocation) bot.Reply { panic("oh") }}, raw(3, map[string]any{"custom_id": "c:topics"}, nil))
		after(false) // never given: nothing follows
	})
	wg.Wait()
	if n := len(f.all()); n > 1 {
		t.Errorf("%d requests", n)
	}
}

// The button that stands for a form asks for it again, with what cannot be left out
// and nothing that would be acted on.
func TestAsking(t *testing.T) {
	a := newAdapter(t, Options{})
	for _, tt := range []struct {
		form bot.Form
		want string
		args map[string]string
	}{
		{bot.Form{Command: "subscribe", Fields: []bot.FormField{{Param: "query"}, {Param: "when", Value: "Mondays at 9"}, {Param: "zone", Value: "UTC"}}}, "subscribe", map[string]string{}},
		{bot.Form{Command: "correct", Fields: []bot.FormField{{Param: "work", Value: `a "b" c`}, {Param: "field", Value: "lab"}}}, `correct work:"a 'b' c"`, map[string]string{"work": "a 'b' c"}},
		{bot.Form{Command: "pause", Asked: "pause s1 until:?", Fields: []bot.FormField{{Param: "subscription", Value: "s1", Required: true}, {Param: "until"}}}, "pause s1 until:?", map[string]string{"subscription": "s1", "until": "?"}},
	} {
		got := a.asking(tt.form)
		command, args, err := a.typed.Parse(got)
		if err != nil || got != tt.want || command != tt.form.Command {
			t.Errorf("%q (%v), want %q", got, err, tt.want)
		}
		if diff := cmp.Diff(tt.args, args); diff != "" {
			t.Error(diff)
		}
	}
}

// Whoever waits when the program is stopped, or when a command never ends, is told.
func TestRespondGivesUp(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{Patience: time.Millisecond})
	stuck := make(chan struct{})
	defer close(stuck)
	h := &desk{handle: func(context.Context, bot.Invocation) bot.Reply {
		<-stuck
		return plainly("too late")
	}}
	q, err := a.decode(raw(2, chat("topics"), nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, after := a.respond(ctx, h, q)
	cancel()
	after(true)
	if r := f.last(t, http.MethodPatch, "/messages/@original"); !strings.Contains(string(r.body), "being restarted") {
		t.Errorf("told %s", r.body)
	}
}

// Each interaction has a token, and discordgo would keep a bucket for each for ever.
func TestAnswersLeaveNoBuckets(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{})
	kept := func() int { return reflect.ValueOf(a.session.Ratelimiter).Elem().FieldByName("buckets").Len() }
	before := kept()
	for i := range 50 {
		a.receive(t.Context(), &desk{}, raw(2, chat("topics"), map[string]any{"id": fmt.Sprint(710 + i), "token": fmt.Sprint("token", i)}))
	}
	if n := f.count(http.MethodPost, "/callback"); n != 50 {
		t.Fatalf("%d answers", n)
	}
	a.limits.mu.Lock()
	own := len(a.limits.buckets)
	a.limits.mu.Unlock()
	if n := kept() - before; n != 0 || own != 0 {
		t.Errorf("%d buckets of discordgo's and %d of ours are kept", n, own)
	}
	// The measure measures: a post does leave one.
	if _, err := a.Post(t.Context(), here, "d1", onePart(t, a), ""); err != nil || kept() == before {
		t.Errorf("%d buckets after a post, %v", kept(), err)
	}
}

// "Unknown webhook" is what an early follow-up gets; it is asked again.
func TestFollowUpTooEarly(t *testing.T) {
	f := newFake(t)
	n := 0
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		if n++; n < 3 {
			refuse(w, 404, codeUnknownWebhook, "Unknown Webhook")
			return true
		}
		return false
	}
	a := f.adapter(t, Options{})
	_, after := ask1(t, a, &desk{handle: func(context.Context, bot.Invocation) bot.Reply { return bot.Reply{Document: longDoc()} }}, raw(2, chat("topics"), nil))
	after(true)
	if n := f.count(http.MethodPost, "/webhooks/"); n != 4 {
		t.Errorf("%d requests, want two refused and two messages", n)
	}
	// An expired token is refused, too, and not asked about for ever; a post that was
	// perhaps accepted is not repeated.
	for _, status := range []int{401, 404, 500} {
		f := newFake(t)
		f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
			refuse(w, status, 50027, "Invalid Webhook Token")
			return true
		}
		a := f.adapter(t, Options{})
		_, after := ask1(t, a, &desk{handle: func(context.Context, bot.Invocation) bot.Reply { return bot.Reply{Document: longDoc()} }}, raw(2, chat("topics"), nil))
		after(true)
		want := 1
		if status == 404 {
			want = followUpTries
		}
		if n := len(f.all()); n != want {
			t.Errorf("%d: %d requests, want %d", status, n, want)
		}
	}
}

func TestAutocomplete(t *testing.T) {
	a := newAdapter(t, Options{})
	h := &desk{complete: func(_ context.Context, inv bot.Invocation, param, typed string) []bot.Choice {
		if inv.Command != "lab" || param != "lab" || typed != "deep" || inv.Place.Workspace != guild {
			t.Errorf("asked for %s of %s: %q", param, inv.Command, typed)
		}
		out := []bot.Choice{{Label: "too long to be sent", Value: strings.Repeat("x", 101)}, {Label: "no value"}, {Label: "", Value: "bare"}}
		for i := range 40 {
			out = append(out, bot.Choice{Label: fmt.Sprint(i, strings.Repeat(" é", 80)), Value: fmt.Sprint("v", i)})
		}
		return out
	}}
	focused := opt("lab", "deep")
	focused["focused"] = true
	got, _ := ask1(t, a, h, raw(4, chat("lab", focused), nil))
	if got.Type != callbackAutocomplete || len(got.Data.Choices) != maxOptions || got.Data.Choices[0] != (completion{"bare", "bare"}) || got.Data.Choices[1].Value != "v0" {
		t.Fatalf("got %+v", got)
	}
	for _, c := range got.Data.Choices {
		if size(c.Name) > maxOption || c.Name == "" {
			t.Errorf("choice %q", c.Name)
		}
	}
	// A panic offers nothing, and still answers; so does a leftover command.
	got, _ = ask1(t, a, &desk{}, raw(4, chat("lab", focused), nil))
	if got.Type != callbackAutocomplete || got.Data.Choices == nil || len(got.Data.Choices) != 0 {
		t.Errorf("after a panic: %+v", got)
	}
	got, _ = ask1(t, a, h, raw(4, map[string]any{"name": "old", "type": 1, "options": []any{focused}}, nil))
	if got.Type != callbackAutocomplete || len(got.Data.Choices) != 0 {
		t.Errorf("of a leftover command: %+v", got)
	}
}

// The way of a completion through the adapter, without the handler's own time.
func BenchmarkAutocomplete(b *testing.B) {
	a := newAdapter(b, Options{})
	choices := make([]bot.Choice, 25)
	for i := range choices {
		choices[i] = bot.Choice{Label: fmt.Sprint("A work with a title of usual length, number ", i), Value: fmt.Sprint("w", i)}
	}
	h := &desk{complete: func(context.Context, bot.Invocation, string, string) []bot.Choice { return choices }}
	focused := opt("work", "reas")
	focused["focused"] = true
	body := raw(4, chat("why", focused), nil)
	b.ReportAllocs()
	for b.Loop() {
		q, err := a.decode(body)
		if err != nil {
			b.Fatal(err)
		}
		first, _ := a.respond(b.Context(), h, q)
		if _, err := encode(first); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeButton(b *testing.B) {
	a := newAdapter(b, Options{})
	body := raw(3, map[string]any{"custom_id": "c:why w7k3m9q2xd", "component_type": 2}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

// The vectors of https://www.rfc-editor.org/rfc/rfc8032#section-7.1: a timestamp and
// a body are one message, wherever it is cut.
func TestVerifyRFC8032(t *testing.T) {
	for _, tt := range []struct{ key, msg, sig string }{
		{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	} {
		key, _ := hex.DecodeString(tt.key)
		msg, _ := hex.DecodeString(tt.msg)
		if len(msg) == 0 {
			if !ed25519.Verify(key, msg, must(hex.DecodeString(tt.sig))) || verify(key, tt.sig, "", nil) {
				t.Error("a request without a timestamp is taken")
			}
			continue
		}
		for cut := 1; cut <= len(msg); cut++ {
			if !verify(key, tt.sig, string(msg[:cut]), msg[cut:]) {
				t.Errorf("vector %x is refused when cut at %d", msg, cut)
			}
		}
		if verify(key, tt.sig, string(msg), []byte{0}) || verify(key, tt.sig[2:], string(msg), nil) || verify(key, "zz"+tt.sig[2:], string(msg), nil) || verify(nil, tt.sig, string(msg), nil) {
			t.Errorf("vector %x is taken with something wrong", msg)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// A signer plays Discord's side of HTTP.
type signer struct {
	key ed25519.PrivateKey
	url string
}

func (s signer) post(t *testing.T, body []byte, stamp string, damage func(r *http.Request)) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(headerTimestamp, stamp)
	r.Header.Set(headerSignature, hex.EncodeToString(ed25519.Sign(s.key, append([]byte(stamp), body...))))
	if damage != nil {
		damage(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, out
}

func serveHTTP(t *testing.T, f *fake, h bot.Handler, opt Options) (*Adapter, signer) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	opt.PublicKey, opt.HTTPOnly = hex.EncodeToString(pub), true
	a := f.adapter(t, opt)
	srv := httptest.NewServer(a.Handler(h))
	t.Cleanup(srv.Close)
	return a, signer{key, srv.URL}
}

func TestHTTP(t *testing.T) {
	h := &desk{}
	_, s := serveHTTP(t, newFake(t), h, Options{})
	stamp := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	ping, ask := []byte(`{"type":1}`), raw(2, chat("topics"), nil)
	for _, tt := range []struct {
		name   string
		body   []byte
		stamp  string
		damage func(*http.Request)
		status int
		has    string
	}{
		{"ping", ping, stamp(0), nil, 200, `{"type":1}`},
		{"command", ask, stamp(0), nil, 200, "answer to topics"},
		{"a little late", ask, stamp(-time.Minute), nil, 200, "answer to topics"},
		{"forged", ask, stamp(0), func(r *http.Request) { r.Header.Set(headerSignature, strings.Repeat("00", 64)) }, 401, ""},
		{"unsigned", ask, stamp(0), func(r *http.Request) { r.Header.Del(headerSignature) }, 401, ""},
		{"no signature", ask, stamp(0), func(r *http.Request) { r.Header.Set(headerSignature, "x") }, 401, ""},
		{"another timestamp", ask, stamp(0), func(r *http.Request) { r.Header.Set(headerTimestamp, stamp(time.Second)) }, 401, ""},
		{"another body", ask, stamp(0), func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(ping)), int64(len(ping)) }, 401, ""},
		{"replayed", ask, stamp(-time.Hour), nil, 401, ""},
		{"from the future", ask, stamp(time.Hour), nil, 401, ""},
		{"no time", ask, "now", nil, 401, ""},
		{"not JSON", []byte("hello"), stamp(0), nil, 400, ""},
		{"huge", bytes.Repeat([]byte(" "), maxInteraction+1), stamp(0), nil, 413, ""},
		{"fetched", nil, stamp(0), func(r *http.Request) { r.Method = http.MethodGet }, 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := s.post(t, tt.body, tt.stamp, tt.damage)
			if status != tt.status || !strings.Contains(string(body), tt.has) {
				t.Errorf("%d %s, want %d with %s", status, body, tt.status, tt.has)
			}
		})
	}
	if n := len(h.asked); n != 2 {
		t.Errorf("the handler was asked %d times, want 2", n)
	}
	// Without a key nothing is taken.
	a := newAdapter(t, Options{})
	srv := httptest.NewServer(a.Handler(h))
	defer srv.Close()
	if status, _ := (signer{s.key, srv.URL}).post(t, ping, stamp(0), nil); status != 401 {
		t.Errorf("without a public key: %d", status)
	}
}

// A slow answer over HTTP is deferred in time, and Run waits for it when it ends.
func TestHTTPSlow(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	h := &desk{handle: func(context.Context, bot.Invocation) bot.Reply {
		<-release
		return plainly("at last")
	}}
	a, s := serveHTTP(t, f, h, Options{Patience: 30 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, h) }()
	status, body := s.post(t, raw(2, chat("topics"), nil), strconv.FormatInt(time.Now().Unix(), 10), nil)
	if status != 200 || string(body) != `{"type":5,"data":{"flags":64}}` {
		t.Fatalf("%d %s", status, body)
	}
	cancel()
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := f.last(t, http.MethodPatch, "/messages/@original"); !strings.Contains(string(r.body), "at last") {
		t.Errorf("edited to %s", r.body)
	}
}
