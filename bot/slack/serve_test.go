package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// A way is one of the two ways in, as a test drives it: it hands a request in and
// returns what it was acknowledged with, and after how long.
type way func(t *testing.T, a *Adapter, h bot.Handler, kind, id, raw string) (ack string, took time.Duration)

var ways = map[string]way{
	"socket": func(t *testing.T, a *Adapter, h bot.Handler, kind, id, raw string) (string, time.Duration) {
		if kind == kindCommand { // a socket brings commands as JSON
			form, err := url.ParseQuery(raw)
			if err != nil {
				t.Fatal(err)
			}
			js, err := formJSON(form)
			if err != nil {
				t.Fatal(err)
			}
			raw = string(js)
		}
		began := time.Now()
		ack, err := a.take(t.Context(), h, kind, id, []byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return string(ack), time.Since(began)
	},
	"http": func(t *testing.T, a *Adapter, h bot.Handler, kind, id, raw string) (string, time.Duration) {
		path := map[string]string{kindCommand: "/slack/commands", kindInteractive: "/slack/interactive", kindEvent: "/slack/events"}[kind]
		if kind == kindInteractive {
			raw = url.Values{"payload": {raw}}.Encode()
		}
		r := signedRequest(path, raw, time.Now())
		began := time.Now()
		w := do(a.Handler(h), r)
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Body.String(), time.Since(began)
	},
}

// bothWays runs a test over each way in, in a bubble of its own.
func bothWays(t *testing.T, test func(t *testing.T, f *fake, a *Adapter, logs *testLog, in func(h bot.Handler, kind, id, raw string) (string, time.Duration))) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				a, logs := newAdapter(t, f, func(o *Options) { o.Unfurl = true })
				test(t, f, a, logs, func(h bot.Handler, kind, id, raw string) (string, time.Duration) {
					ack, took := w(t, a, h, kind, id, raw)
					if took >= ackWithin {
						t.Errorf("acknowledged after %s", took)
					}
					return ack, took
				})
				synctest.Wait()
			})
		})
	}
}

func settle(a *Adapter) { a.Wait(context.Background()) }

func TestFastCommand(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		e := &echo{}
		ack, took := in(e, kindCommand, "1", slash("search openness&gt;=open-weights &lt;https://arxiv.org/abs/1|x&gt;"))
		settle(a)
		mustBeValid(t, []byte(ack))
		if !strings.Contains(ack, `"response_type":"ephemeral"`) || !strings.Contains(ack, "asked search") {
			t.Errorf("acknowledged with %s", ack)
		}
		if took > time.Second || len(f.of("hook")) != 0 {
			t.Errorf("took %s, followed up %d times", took, len(f.of("hook")))
		}
		got := e.all()
		if len(got) != 1 {
			t.Fatalf("asked %d times", len(got))
		}
		want := bot.Invocation{
			ID: got[0].ID, Once: "trigger", Place: bot.Place{Platform: Name, Workspace: "T1", Channel: "C1"}, Command: "search", Args: map[string]string{"text": "openness>=open-weights <https://arxiv.org/abs/1|x>"},
			Asker: bot.Person{ID: "U1", Name: "ada", Zone: "Europe/Paris", Manages: true, Direct: digest.Destination{Platform: Name, Workspace: "T1", Channel: "U1", Direct: true}},
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("invocation (-want +got):\n%s", diff)
		}
	})
}

// However slow the handler, the acknowledgment is in time and the answer follows.
func TestSlowCommand(t *testing.T) {
	for _, slow := range []time.Duration{patience - time.Millisecond, patience + time.Millisecond, 10 * time.Second, time.Minute} {
		t.Run(slow.String(), func(t *testing.T) {
			bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
				h := handler(func(ctx context.Context, _ bot.Invocation) bot.Reply { time.Sleep(slow); return say("at last") })
				ack, took := in(h, kindCommand, "1", slash("preview"))
				if took > patience {
					t.Errorf("acknowledged after %s", took)
				}
				settle(a)
				hooks := f.of("hook")
				if slow < patience {
					if !strings.Contains(ack, "at last") || len(hooks) != 0 {
						t.Errorf("acknowledged with %q, %d follow-ups", ack, len(hooks))
					}
					return
				}
				if ack != "" || len(hooks) != 1 || !strings.Contains(string(hooks[0].Raw), "at last") || hooks[0].str("response_type") != "ephemeral" {
					t.Errorf("acknowledged with %q, follow-ups %+v", ack, hooks)
				}
			})
		})
	}
}

// A handler that never ends is told to, and what it says then still arrives.
func TestEndlessHandler(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(ctx context.Context, _ bot.Invocation) bot.Reply { <-ctx.Done(); return say("too slow") })
		in(h, kindCommand, "1", slash("preview"))
		settle(a)
		if hooks := f.of("hook"); len(hooks) != 1 || !strings.Contains(string(hooks[0].Raw), "too slow") {
			t.Errorf("follow-ups %+v", hooks)
		}
	})
}

func TestPanickingHandler(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, logs *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(context.Context, bot.Invocation) bot.Reply { panic("oh no") })
		if ack, _ := in(h, kindCommand, "1", slash("help")); ack != "" {
			t.Errorf("acknowledged with %q", ack)
		}
		settle(a)
		if !strings.Contains(logs.String(), "oh no") {
			t.Error("nothing in the log")
		}
	})
}

// long is a reply of some parts.
func long(parts int) bot.Reply {
	var doc message.Document
	doc.Summary = "long"
	for i := range parts {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain(fmt.Sprintf("page%05d ", i) + strings.Repeat("x ", 5400))})
	}
	return bot.Reply{Document: doc}
}

// A response_url serves five; what is beyond goes by the Web API, in order.
func TestLongReply(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		parts, err := a.Render(long(7).Document)
		if err != nil || len(parts) < 7 {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
		h := handler(func(context.Context, bot.Invocation) bot.Reply { return long(7) })
		ack, _ := in(h, kindCommand, "1", slash("latest"))
		settle(a)
		if hooks, rest := f.of("hook"), f.of("chat.postEphemeral"); ack != "" || len(hooks) != 5 || len(hooks)+len(rest) != len(parts) {
			t.Errorf("acknowledged with %q; %d by response_url and %d otherwise of %d parts", ack, len(hooks), len(rest), len(parts))
		} else if rest[0].str("user") != "U1" || rest[0].str("channel") != "C1" {
			t.Errorf("the rest went to %+v", rest[0].Args)
		}
	})
}

// A response_url asks to go slower, has expired, or fails.
func TestHookTrouble(t *testing.T) {
	slow := handler(func(context.Context, bot.Invocation) bot.Reply { time.Sleep(2 * time.Second); return say("here") })
	tests := []struct {
		name         string
		answers      []func(call) (*http.Response, error) // of the response_url; the last one stays
		hooks, posts int
		log          string
	}{
		{"slower", []func(call) (*http.Response, error){says(429, "", "Retry-After", "7"), says(429, ""), says(200, "ok")}, 3, 0, ""},
		{"much slower", []func(call) (*http.Response, error){says(429, "", "Retry-After", "3600")}, 1, 0, "answering"},
		{"expired", []func(call) (*http.Response, error){says(404, `{"ok":false,"error":"expired_url"}`)}, 1, 1, ""},
		{"broken", []func(call) (*http.Response, error){says(500, "oops")}, 1, 0, "answering"},
		{"refused", []func(call) (*http.Response, error){says(200, `{"ok":false,"error":"invalid_blocks"}`)}, 1, 0, "invalid_blocks"},
		{"cut", []func(call) (*http.Response, error){func(call) (*http.Response, error) { return nil, errCut }}, 1, 0, "connection reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, f *fake, a *Adapter, logs *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
				n := 0
				f.on("hook", func(c call) (*http.Response, error) {
					n++
					return tt.answers[min(n, len(tt.answers))-1](c)
				})
				in(slow, kindCommand, "1", slash("x"))
				settle(a)
				if hooks, posts := len(f.of("hook")), len(f.of("chat.postEphemeral")); hooks != tt.hooks || posts != tt.posts {
					t.Errorf("%d by response_url, %d otherwise", hooks, posts)
				}
				if tt.log != "" && !strings.Contains(logs.String(), tt.log) || tt.log == "" && logs.String() != "" {
					t.Errorf("log %q", logs)
				}
			})
		})
	}
}

func TestPublicReply(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(context.Context, bot.Invocation) bot.Reply { r := say("for all"); r.Public = true; return r })
		if ack, _ := in(h, kindCommand, "1", slash("x")); !strings.Contains(ack, `"in_channel"`) {
			t.Errorf("acknowledged with %q", ack)
		}
		settle(a)
	})
}

// Where something is to be posted from now on, the answer is posted in the same way;
// if Slack refuses, the asker alone hears of it, by whatever way there is.
func TestReplyWhereItPosts(t *testing.T) {
	tests := []struct {
		name   string
		post   string // the answer of chat.postMessage in the channel
		hook   int    // status of the response_url
		public bool   // it is shown to all
		alone  string // what only the asker is told; "" for nothing
		by     string // by which way
	}{
		{"it can be posted", `{"ok":true,"channel":"C1","ts":"1.1"}`, 200, true, "", ""},
		{"not invited", `{"ok":false,"error":"not_in_channel"}`, 200, false, "Invite it again", "hook"},
		{"a private channel", `{"ok":false,"error":"channel_not_found"}`, 200, false, "cannot see it", "hook"},
		{"archived", `{"ok":false,"error":"is_archived"}`, 200, false, "archived", "hook"},
		{"no scope", `{"ok":false,"error":"missing_scope","needed":"chat:write"}`, 200, false, "chat:write", "hook"},
		{"not invited, and the response_url is used up", `{"ok":false,"error":"not_in_channel"}`, 404, false, "Invite it again", "D1"},
		{"certainly not posted", `{"ok":false,"error":"moon_phase"}`, 200, true, "", "hook"},
		{"nobody knows", `{"ok":false,"error":"fatal_error"}`, 200, false, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, f *fake, a *Adapter, logs *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
				f.on("chat.postMessage", func(c call) (*http.Response, error) {
					if c.str("channel") == "C1" {
						return response(200, tt.post), nil
					}
					return response(200, `{"ok":true,"channel":"D1","ts":"1.1"}`), nil
				})
				f.on("chat.postEphemeral", says(200, `{"ok":false,"error":"not_in_channel"}`))
				f.on("hook", says(tt.hook, `ok`))
				h := handler(func(context.Context, bot.Invocation) bot.Reply {
					r := say("This channel will be told")
					r.Public, r.Posts = true, true
					return r
				})
				if ack, _ := in(h, kindCommand, "1", slash("subscribe x")); ack != "" {
					t.Errorf("acknowledged with %s", ack)
				}
				settle(a)
				public, alone, by := tt.post[6:10] == "true", "", ""
				for _, c := range f.of("hook") {
					switch c.str("response_type") {
					case "in_channel":
						public, by = true, "hook"
					case "ephemeral":
						if tt.hook == 200 {
							alone, by = string(c.Raw), "hook"
						}
					}
				}
				for _, c := range f.of("chat.postMessage") {
					if c.str("channel") == "D1" {
						alone, by = string(c.Raw), "D1"
					}
				}
				if public != tt.public || (alone == "") != (tt.alone == "") || !strings.Contains(alone, tt.alone) || by != tt.by {
					t.Errorf("public %t, by %q, alone %s", public, by, alone)
				}
				if alone != "" && !strings.Contains(alone, "This channel will be told") {
					t.Errorf("the answer itself is lost: %s", alone)
				}
				if tt.alone != "" && strings.Count(logs.String(), "\n") > 2 {
					t.Errorf("more than a line for each way:\n%s", logs)
				}
			})
		})
	}
}

// What Slack sends again is acknowledged as it was, and asked once.
func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		a, _ := newAdapter(t, f, nil)
		e := &echo{}
		slow := handler(func(ctx context.Context, inv bot.Invocation) bot.Reply {
			time.Sleep(patience / 2)
			return e.Handle(ctx, inv)
		})
		acks := make(chan string, 3)
		for range 3 {
			go func() {
				ack, _ := ways["socket"](t, a, slow, kindCommand, "same", slash("help"))
				acks <- ack
			}()
		}
		first := <-acks
		if first == "" || <-acks != first || <-acks != first {
			t.Error("the acknowledgments differ")
		}
		if n := len(e.all()); n != 1 {
			t.Errorf("asked %d times", n)
		}
		// Events have an id of their own, whichever envelope brings them.
		event := `{"type":"event_callback","team_id":"T1","event_id":"E1","event":{"type":"app_mention","user":"U1","channel":"C1","ts":"1.2","text":"<@UBOT> latest"}}`
		ways["socket"](t, a, e, kindEvent, "envelope 1", event)
		ways["socket"](t, a, e, kindEvent, "envelope 2", event)
		ways["http"](t, a, e, kindEvent, "", event)
		settle(a)
		if n := len(e.all()); n != 2 {
			t.Errorf("asked %d times", n)
		}
		// After the memory's life it may be asked again.
		time.Sleep(seenLife)
		ways["socket"](t, a, e, kindEvent, "envelope 3", event)
		settle(a)
		if n := len(e.all()); n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestSeenIsBounded(t *testing.T) {
	s, now := newSeen(), time.Now()
	for i := range seenMost + 5000 {
		k, first := s.begin(fmt.Sprint(i), now)
		if !first {
			t.Fatal("the first time is not the first")
		}
		s.end(k, make([]byte, 1000))
	}
	if len(s.entries) > seenMost || len(s.order) > seenMost {
		t.Errorf("%d entries", len(s.entries))
	}
	whole := 0
	for _, k := range s.entries {
		if s.ackOf(k) != nil {
			whole++
		}
	}
	if whole > len(s.acks) {
		t.Errorf("%d acknowledgments kept", whole)
	}
}

func click(value, more string) string {
	return fmt.Sprintf(`{"type":"block_actions","trigger_id":"trigger","response_url":%q,"team":{"id":"T1"},"user":{"id":"U1","username":"ada"},"channel":{"id":"C1"},
		"container":{"type":"message","message_ts":"1.2","thread_ts":"1.1"},"actions":[{"action_id":"a1","value":%q}]%s}`, testHook, value, more)
}

func TestClick(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		e := &echo{}
		if ack, took := in(e, kindInteractive, "1", click("why w1&amp;", "")); ack != "" || took > 100*time.Millisecond {
			t.Errorf("acknowledged with %q after %s", ack, took)
		}
		// A menu sends its choice.
		in(e, kindInteractive, "2", `{"type":"block_actions","response_url":"`+testHook+`","team":{"id":"T1"},"user":{"id":"U1"},"channel":{"id":"C1"},"actions":[{"action_id":"a2","selected_option":{"value":"save w2"}}]}`)
		settle(a)
		hooks := f.of("hook")
		if len(hooks) != 2 {
			t.Fatalf("%d follow-ups", len(hooks))
		}
		byText := map[string]call{}
		for _, c := range hooks {
			byText[c.str("text")] = c
		}
		if c := byText["asked why w1&amp;amp;"]; c.Args["replace_original"] != false || c.str("response_type") != "ephemeral" || c.str("thread_ts") != "1.1" {
			t.Errorf("follow-ups %v", byText)
		}
		if _, ok := byText["asked save w2"]; !ok {
			t.Errorf("follow-ups %v", byText)
		}
	})
}

// Results page in place where only the asker sees them, and never for everybody.
func TestReplace(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(context.Context, bot.Invocation) bot.Reply { r := say("page 2"); r.Replace = true; return r })
		in(h, kindInteractive, "1", click("search x", ""))
		settle(a)
		in(h, kindInteractive, "2", strings.Replace(click("search y", ""), `"type":"message"`, `"type":"message","is_ephemeral":true`, 1))
		settle(a)
		hooks := f.of("hook")
		if len(hooks) != 2 || hooks[0].Args["replace_original"] != false || hooks[1].Args["replace_original"] != true {
			t.Errorf("follow-ups %+v", hooks)
		}
	})
}

// A response_url of another host is nobody's that we know.
func TestForeignHook(t *testing.T) {
	for hook, want := range map[string]bool{
		"https://hooks.slack.com/commands/x": true, "https://hooks.slack-gov.com/x": true, testHook: true,
		"http://hooks.slack.com/x": false, "https://169.254.169.254/latest": false, "https://hooks.slack.com.evil.example/": false, "https://u:p@hooks.slack.com/": false, "": false, "::": false,
	} {
		a, _ := newAdapter(t, newFake(t), nil)
		if got := a.api.hookable(hook); got != want {
			t.Errorf("%s: %t", hook, got)
		}
	}
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		in(&echo{}, kindInteractive, "1", strings.ReplaceAll(click("help", ""), testHook, "https://evil.example/hook/x"))
		settle(a)
		if len(f.of("hook")) != 0 || len(f.of("chat.postEphemeral")) != 1 {
			t.Errorf("calls %+v", f.calls)
		}
	})
}

var aForm = bot.Form{Title: "Subscribe to a digest of open research", Submit: "Subscribe", Command: "subscribe", Fields: []bot.FormField{
	{Param: "query", Label: "Query", Hint: "empty for everything", Value: "country:EU"},
	{Param: "when", Label: "When", Value: "Mondays at 9", Required: true},
	{Param: "zone", Label: "Zone", Choices: []string{"Europe/Paris", "UTC"}, Value: "UTC"},
	{Param: "note", Label: "Note", Long: true},
}}

func TestForm(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		var asked []bot.Invocation
		h := handler(func(_ context.Context, inv bot.Invocation) bot.Reply {
			asked = append(asked, inv)
			switch {
			case inv.Args["when"] == "":
				r := say("type it all")
				r.Form = &aForm
				return r
			case inv.Args["when"] == "never":
				return say("That time was not understood")
			case inv.Args["when"] == "sometimes":
				r := say("That time was not understood.")
				r.Document.Blocks = append(r.Document.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("Hint: such as weekly")}})
				r.Fault = "when"
				return r
			case inv.Args["when"] == "elsewhere":
				r := say("It is not in the form")
				r.Fault = "publish"
				return r
			}
			r := say("subscribed")
			r.Public = true
			return r
		})
		if ack, _ := in(h, kindCommand, "1", slash("subscribe")); ack != "" {
			t.Errorf("acknowledged with %q", ack)
		}
		settle(a)
		opens := f.of("views.open")
		if len(opens) != 1 || opens[0].str("trigger_id") != "trigger" {
			t.Fatalf("views %+v", opens)
		}
		v := opens[0].Args["view"].(map[string]any)
		if v["callback_id"] != callbackForm || len(v["blocks"].([]any)) != 4 {
			t.Errorf("view %v", v)
		}
		submit := func(id, when string) string {
			private, _ := json.Marshal(v["private_metadata"])
			ack, _ := in(h, kindInteractive, id, fmt.Sprintf(`{"type":"view_submission","team":{"id":"T1"},"user":{"id":"U1","username":"ada"},"trigger_id":"t2","view":{"id":"V1","type":"modal","callback_id":"seedcorn_form","private_metadata":%s,
				"state":{"values":{"p:query":{"seedcorn_live":{"type":"plain_text_input","value":"country:FR"}},"p:when":{"answer":{"type":"plain_text_input","value":%q}},"p:zone":{"answer":{"type":"static_select","selected_option":{"value":"UTC"}}},"p:note":{"answer":{"type":"plain_text_input","value":null}}}}}}`, private, when))
			settle(a)
			return ack
		}
		if ack := submit("2", " "); ack != `{"errors":{"p:when":"This needs an answer."},"response_action":"errors"}` {
			t.Errorf("without an answer: %s", ack)
		}
		if n := len(asked); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if ack := submit("3a", "sometimes"); ack != `{"errors":{"p:when":"That time was not understood. Hint: such as weekly"},"response_action":"errors"}` {
			t.Errorf("a fault of one answer: %s", ack)
		}
		if ack := submit("3b", "elsewhere"); !strings.Contains(ack, `"push"`) {
			t.Errorf("a fault of what the form does not ask: %s", ack)
		}
		ack := submit("3", "never")
		var pushed struct {
			Action string          `json:"response_action"`
			View   json.RawMessage `json:"view"`
		}
		if err := json.Unmarshal([]byte(ack), &pushed); err != nil || pushed.Action != "push" {
			t.Fatalf("a fault: %s", ack)
		}
		if faults, shown := validView(pushed.View); len(faults) > 0 || !strings.Contains(shown, "not understood") {
			t.Errorf("%q %q", faults, shown)
		}
		if ack := submit("4", "weekly"); ack != `{"response_action":"clear"}` {
			t.Errorf("done: %s", ack)
		}
		posts := f.of("chat.postMessage")
		if len(posts) != 1 || posts[0].str("channel") != "C1" || posts[0].str("text") != "subscribed" {
			t.Errorf("posts %+v", posts)
		}
		last := asked[len(asked)-1]
		want := map[string]string{"query": "country:FR", "when": "weekly", "zone": "UTC", "note": ""}
		if diff := cmp.Diff(want, last.Args); diff != "" || last.Command != "subscribe" || last.Place.Channel != "C1" || last.Place.Direct {
			t.Errorf("%+v (-want +got):\n%s", last, diff)
		}
	})
}

// A trigger lives for three seconds; then the words that say how to type it remain.
func TestFormTooLate(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		f.on("views.open", says(200, `{"ok":false,"error":"expired_trigger_id"}`))
		h := handler(func(context.Context, bot.Invocation) bot.Reply { r := say("type it all"); r.Form = &aForm; return r })
		if ack, _ := in(h, kindCommand, "1", slash("subscribe")); !strings.Contains(ack, "type it all") {
			t.Errorf("acknowledged with %q", ack)
		}
		settle(a)
	})
}

// A submission whose answer is slow closes the form and is followed up.
func TestSlowSubmission(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(context.Context, bot.Invocation) bot.Reply { time.Sleep(5 * time.Second); return say("late") })
		ack, _ := in(h, kindInteractive, "1", `{"type":"view_submission","team":{"id":"T1"},"user":{"id":"U1"},"view":{"type":"modal","callback_id":"seedcorn_form","private_metadata":"{\"cmd\":\"correct\",\"ch\":\"C1\"}","state":{"values":{}}}}`)
		settle(a)
		if posts := f.of("chat.postEphemeral"); ack != "" || len(posts) != 1 || posts[0].str("channel") != "C1" || posts[0].str("user") != "U1" {
			t.Errorf("acknowledged with %q, posts %+v", ack, posts)
		}
	})
}

// A query is tried while it is typed: the last of what is typed in a hurry, once.
func TestLivePreview(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		e := &echo{}
		h := handler(func(ctx context.Context, inv bot.Invocation) bot.Reply {
			e.Handle(ctx, inv)
			return say("12 works for " + inv.Args["query"])
		})
		v, err := formView(aForm, memo{Channel: "C1"})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		typed := func(id, text string) {
			view := strings.Replace(string(raw), "{", `{"id":"V1","hash":"h1",`, 1)
			in(h, kindInteractive, id, fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"view":%s,"actions":[{"action_id":"seedcorn_live","block_id":"p:query","value":%q}]}`, view, text))
		}
		typed("1", "country:C")
		time.Sleep(50 * time.Millisecond)
		typed("2", "country:CN")
		settle(a)
		updates := f.of("views.update")
		if len(updates) != 1 || len(e.all()) != 1 || e.all()[0].Command != "preview" {
			t.Fatalf("%d updates, asked %+v", len(updates), e.all())
		}
		after, _ := json.Marshal(updates[0].Args["view"])
		if !strings.Contains(string(after), "12 works for country:CN") || updates[0].str("view_id") != "V1" || updates[0].str("hash") != "h1" {
			t.Errorf("update %s", after)
		}
	})
}

func TestWhatIsThis(t *testing.T) {
	shortcut := func(msg string) string {
		return `{"type":"message_action","callback_id":"seedcorn_what","trigger_id":"t","response_url":"` + testHook + `","team":{"id":"T1"},"user":{"id":"U1"},"channel":{"id":"C1"},"message":` + msg + `}`
	}
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		e := &echo{}
		in(e, kindInteractive, "1", shortcut(`{"text":"see <https:\/\/arxiv.org\/abs\/2501.12948|this> and https://example.org","blocks":[{"type":"rich_text","elements":[{"type":"link","url":"https://huggingface.co/deepseek-ai/DeepSeek-R1"}]}]}`))
		settle(a)
		in(e, kindInteractive, "2", shortcut(`{"text":"lunch?"}`))
		settle(a)
		var asked []string
		for _, inv := range e.all() {
			asked = append(asked, inv.Command+" "+inv.Args["work"])
		}
		if diff := cmp.Diff([]string{"work https://arxiv.org/abs/2501.12948", "work https://huggingface.co/deepseek-ai/DeepSeek-R1"}, asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		hooks := f.of("hook")
		if len(hooks) != 2 || !strings.Contains(hooks[1].str("text"), "There is no link") {
			t.Errorf("answers %+v", hooks)
		}
	})
}

func TestFindLinks(t *testing.T) {
	tests := map[string][]string{
		`{"text":"<https://arxiv.org/abs/2501.12948>."}`: {"https://arxiv.org/abs/2501.12948"},
		`{"text":"arXiv:2501.12948v2 is good"}`:          {"2501.12948"},
		`{"text":"(https://github.com/a/b)"}`:            {"https://github.com/a/b"},
		`{"text":"https://evil.example/arxiv.org/abs/1 https://arxiv.org.evil.example/x https://notgithub.com/a"}`:               nil,
		`{"attachments":[{"title_link":"https://www.hf.co/a/b","text":"x"}]}`:                                                    {"https://www.hf.co/a/b"},
		`{"text":"https://github.com/a/1 https://github.com/a/2 https://github.com/a/3 https://github.com/a/4 https://hf.co/a"}`: {"https://github.com/a/1", "https://github.com/a/2", "https://github.com/a/3"},
		`null`: nil, ``: nil, `[]`: nil, `{"text":5}`: nil,
	}
	for raw, want := range tests {
		if diff := cmp.Diff(want, findLinks([]byte(raw))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestMessages(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		e := &echo{}
		event := func(id, body string) {
			if ack, took := in(e, kindEvent, id, `{"type":"event_callback","team_id":"T1","event_id":"`+id+`","event":`+body+`}`); ack != "" || took > 0 {
				t.Errorf("acknowledged with %q after %s", ack, took)
			}
			settle(a)
		}
		event("1", `{"type":"app_mention","user":"U1","channel":"C1","ts":"5.1","text":"<@UBOT> search a &amp; b"}`)
		event("2", `{"type":"message","channel_type":"im","user":"U1","channel":"D7","ts":"6.1","text":"saved"}`)
		// Ourselves, other bots and edits.
		event("3", `{"type":"message","channel_type":"im","user":"U1","bot_id":"B1","channel":"D7","ts":"6.2","text":"saved"}`)
		event("4", `{"type":"message","channel_type":"im","subtype":"message_changed","user":"U1","channel":"D7","text":"saved"}`)
		event("5", `{"type":"message","channel_type":"channel","user":"U1","channel":"C1","text":"saved"}`)
		posts := f.of("chat.postMessage")
		if len(posts) != 2 {
			t.Fatalf("%d answers", len(posts))
		}
		if posts[0].str("channel") != "C1" || posts[0].str("thread_ts") != "5.1" || posts[0].str("text") != "asked search a &amp; b" {
			t.Errorf("mention: %+v", posts[0].Args)
		}
		if posts[1].str("channel") != "D7" || posts[1].str("thread_ts") != "" {
			t.Errorf("message: %+v", posts[1].Args)
		}
		if p := e.all()[1].Place; !p.Direct || p.Channel != "U1" {
			t.Errorf("place %+v", p)
		}
	})
}

func TestUnfurl(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(_ context.Context, inv bot.Invocation) bot.Reply {
			if strings.Contains(inv.Args["work"], "known") {
				return bot.Reply{Document: message.Document{Summary: "A work", Blocks: []message.Block{message.Story{Title: "A work", URL: "https://arxiv.org/abs/known"}, message.Paragraph{Text: message.Plain("more")}}}}
			}
			return say("No work fits")
		})
		in(h, kindEvent, "1", `{"type":"event_callback","team_id":"T1","event_id":"1","event":{"type":"link_shared","user":"U1","channel":"C1","message_ts":"7.1","links":[{"url":"https://arxiv.org/abs/known"},{"url":"https://arxiv.org/abs/other"},{"url":"https://example.org"}]}}`)
		settle(a)
		calls := f.of("chat.unfurl")
		if len(calls) != 1 || calls[0].str("ts") != "7.1" {
			t.Fatalf("unfurls %+v", calls)
		}
		unfurls := calls[0].Args["unfurls"].(map[string]any)
		if _, ok := unfurls["https://arxiv.org/abs/known"]; !ok || len(unfurls) != 1 {
			t.Errorf("unfurls %v", unfurls)
		}
	})
}

func TestHome(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		h := handler(func(_ context.Context, inv bot.Invocation) bot.Reply {
			if inv.Place.Channel != "U1" || !inv.Place.Direct {
				t.Errorf("place %+v", inv.Place)
			}
			if inv.Command == "latest" {
				return bot.Reply{Document: message.Document{Blocks: append([]message.Block{message.Heading{Level: 1, Text: "This week"}}, long(9).Document.Blocks...)}}
			}
			return bot.Reply{Document: everything()}
		})
		in(h, kindEvent, "1", `{"type":"event_callback","team_id":"T1","event_id":"1","event":{"type":"app_home_opened","user":"U1","tab":"home"}}`)
		in(h, kindEvent, "2", `{"type":"event_callback","team_id":"T1","event_id":"2","event":{"type":"app_home_opened","user":"U1","tab":"messages"}}`)
		settle(a)
		calls := f.of("views.publish")
		if len(calls) != 1 || calls[0].str("user_id") != "U1" {
			t.Fatalf("homes %+v", calls)
		}
		raw, _ := json.Marshal(calls[0].Args["view"])
		for _, want := range []string{"My subscriptions", "Saved", "This week", "settings", "subscribe"} {
			if !strings.Contains(string(raw), want) {
				t.Errorf("no %s", want)
			}
		}
		// A click in the home opens a window, and the home is shown anew.
		in(h, kindInteractive, "3", `{"type":"block_actions","trigger_id":"t","team":{"id":"T1"},"user":{"id":"U1"},"container":{"type":"view"},"view":{"id":"V","type":"home"},"actions":[{"action_id":"a1","value":"settings"}]}`)
		settle(a)
		if len(f.of("views.open")) != 1 || len(f.of("views.publish")) != 2 {
			t.Errorf("%d windows, %d homes", len(f.of("views.open")), len(f.of("views.publish")))
		}
		// Too late for a window: by direct message.
		f.on("views.open", says(200, `{"ok":false,"error":"expired_trigger_id"}`))
		in(handler(func(context.Context, bot.Invocation) bot.Reply { return say("settings") }), kindInteractive, "4", `{"type":"block_actions","trigger_id":"t4","team":{"id":"T1"},"user":{"id":"U1"},"container":{"type":"view"},"view":{"id":"V","type":"home"},"actions":[{"action_id":"a1","value":"settings"}]}`)
		settle(a)
		if posts := f.of("chat.postMessage"); len(posts) != 1 || posts[0].str("channel") != "D1" {
			t.Errorf("posts %+v", posts)
		}
	})
}

func TestGone(t *testing.T) {
	var gone []string
	a, _ := newAdapter(t, newFake(t), func(o *Options) {
		o.Gone = func(_ context.Context, workspace, why string, at time.Time) {
			gone = append(gone, fmt.Sprintf("%s %s %d", workspace, why, at.Unix()))
		}
		o.Left = func(_ context.Context, workspace, person string) { gone = append(gone, workspace+" without "+person) }
	})
	for i, e := range []string{
		`{"type":"app_uninstalled"}`, `{"type":"tokens_revoked","tokens":{"oauth":["U1"]}}`, `{"type":"tokens_revoked","tokens":{"bot":["UBOT"]}}`,
		`{"type":"user_change","user":{"id":"U1","deleted":false}}`, `{"type":"user_change","user":{"id":"U2","deleted":true}}`, `{"type":"user_change","user":17}`,
	} {
		if _, err := a.take(t.Context(), &echo{}, kindEvent, fmt.Sprint(i), fmt.Appendf(nil, `{"type":"event_callback","team_id":"T1","event_id":"%d","event_time":1700000000,"event":%s}`, i, e)); err != nil {
			t.Fatal(err)
		}
		settle(a)
	}
	if diff := cmp.Diff([]string{"T1 app_uninstalled 1700000000", "T1 tokens_revoked 1700000000", "T1 without U2"}, gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
}

// A post tells that the workspace has gone, should its event have been lost; what may
// pass does not.
func TestGoneByPost(t *testing.T) {
	for code, want := range map[string]int{"account_inactive": 1, "token_revoked": 1, "invalid_auth": 0, "channel_not_found": 0, "fatal_error": 0} {
		for method, to := range map[string]digest.Destination{"chat.postMessage": channel, "conversations.open": {Platform: Name, Workspace: "T1", Channel: "U1", Direct: true}} {
			f := newFake(t)
			f.on(method, says(200, fmt.Sprintf(`{"ok":false,"error":%q}`, code)))
			told := 0
			a, _ := newAdapter(t, f, func(o *Options) {
				o.Gone = func(_ context.Context, workspace, why string, _ time.Time) {
					if told++; workspace != "T1" || why != code {
						t.Errorf("told of %s, %s", workspace, why)
					}
				}
			})
			if _, err := a.Post(t.Context(), to, "d1", onePart(t), ""); err == nil || told != want {
				t.Errorf("%s by %s: told %d times, want %d; %v", code, method, told, want, err)
			}
		}
	}
}

// Each workspace is spoken to with its own token, whatever is called.
func TestEachWorkspaceItsToken(t *testing.T) {
	f := newFake(t)
	tokens := manyTokens{"T1": "xoxb-1", "T2": "xoxb-2"}
	a, _ := newAdapter(t, f, func(o *Options) { o.Tokens, o.Unfurl = tokens, true })
	h := handler(func(_ context.Context, inv bot.Invocation) bot.Reply {
		r := say("hello")
		r.Document.Blocks = append(r.Document.Blocks, message.Story{Title: "x"})
		if inv.Command == "form" {
			r.Form = &bot.Form{Title: "Form", Command: "form", Fields: []bot.FormField{{Param: "query", Label: "Query"}}}
		}
		return r
	})
	for team, token := range tokens {
		f.calls = nil
		to := digest.Destination{Platform: Name, Workspace: team, Channel: "U1", Direct: true}
		r, err := a.Post(t.Context(), to, "d1", onePart(t), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Find(t.Context(), to, "d1", time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := a.Edit(t.Context(), to, "d1", r, onePart(t)); err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct{ kind, raw string }{
			{kindCommand, `{"team_id":"` + team + `","channel_id":"C1","user_id":"U1","text":"help"}`},
			{kindCommand, `{"team_id":"` + team + `","channel_id":"C1","user_id":"U1","text":"form","trigger_id":"t"}`},
			{kindEvent, `{"type":"event_callback","team_id":"` + team + `","event":{"type":"app_home_opened","tab":"home","user":"U1"}}`},
			{kindEvent, `{"type":"event_callback","team_id":"` + team + `","event":{"type":"app_mention","channel":"C1","user":"U1","text":"help"}}`},
			{kindEvent, `{"type":"event_callback","team_id":"` + team + `","event":{"type":"link_shared","channel":"C1","user":"U1","message_ts":"1.1","links":[{"url":"https://arxiv.org/abs/2501.12948"}]}}`},
		} {
			if _, err := a.take(t.Context(), h, c.kind, fmt.Sprint(team, i), []byte(c.raw)); err != nil {
				t.Fatal(err)
			}
			settle(a)
		}
		called := map[string]bool{}
		for _, c := range f.calls {
			called[c.Method] = true
			if c.Token != token {
				t.Errorf("%s of %s: with the token %s", c.Method, team, c.Token)
			}
		}
		for _, m := range []string{"chat.postMessage", "chat.update", "conversations.open", "conversations.history", "users.info", "views.open", "views.publish", "chat.unfurl"} {
			if !called[m] && !(m == "conversations.open" && team != "T1") {
				t.Errorf("%s: %s was not called", team, m)
			}
		}
	}
}

func TestPerson(t *testing.T) {
	ask := func(t *testing.T, f *fake, change func(*Options)) bot.Person {
		a, _ := newAdapter(t, f, change)
		e := &echo{}
		for i := range 3 {
			ways["socket"](t, a, e, kindCommand, fmt.Sprint(i), slash("help"))
			settle(a)
		}
		all := e.all()
		return all[len(all)-1].Asker
	}
	t.Run("guest", func(t *testing.T) {
		f := newFake(t)
		f.on("users.info", says(200, `{"ok":true,"user":{"tz":"Asia/Tokyo","is_restricted":true}}`))
		if p := ask(t, f, nil); !p.Guest || p.Manages || p.Zone != "Asia/Tokyo" || p.Name != "ada" {
			t.Errorf("%+v", p)
		}
		if n := len(f.of("users.info")); n != 1 {
			t.Errorf("asked Slack %d times", n)
		}
	})
	t.Run("without the scope", func(t *testing.T) {
		f := newFake(t)
		f.on("users.info", says(200, `{"ok":false,"error":"missing_scope"}`))
		if p := ask(t, f, nil); p.Guest || p.Manages || p.ID != "U1" {
			t.Errorf("%+v", p)
		}
		if n := len(f.of("users.info")); n != 1 {
			t.Errorf("asked Slack %d times", n)
		}
	})
	t.Run("broken", func(t *testing.T) {
		f := newFake(t)
		f.on("users.info", says(500, `oops`))
		if p := ask(t, f, nil); p.Manages || p.ID != "U1" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("without a token", func(t *testing.T) {
		if p := ask(t, newFake(t), func(o *Options) { o.Tokens = OneToken("") }); p.Manages || p.ID != "U1" {
			t.Errorf("%+v", p)
		}
	})
}

// An unknown command is handed on by its name: the handler says it best.
func TestUnknownCommand(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		e := &echo{}
		in(e, kindCommand, "1", slash("Unknown thing"))
		in(e, kindCommand, "2", slash("unknown"))
		settle(a)
		if got := e.all(); len(got) != 2 || got[1].Command != "unknown" || got[1].Args != nil {
			t.Errorf("%+v", got)
		}
	})
}

func FuzzTake(f *testing.F) {
	f.Add(kindCommand, `{"user_id":"U1","channel_id":"C1","text":"help"}`)
	f.Add(kindInteractive, click("why w1", ""))
	f.Add(kindInteractive, `{"type":"view_submission","user":{"id":"U1"},"view":{"callback_id":"seedcorn_form","private_metadata":"{\"cmd\":\"x\"}","state":{"values":{"p:a":{"b":{"value":"c"}}}}}}`)
	f.Add(kindInteractive, `{"type":"message_action","callback_id":"seedcorn_what","user":{"id":"U1"},"message":{"text":"https://arxiv.org/abs/1"}}`)
	f.Add(kindEvent, `{"type":"event_callback","event":{"type":"link_shared","user":"U1","links":[{"url":"https://arxiv.org/abs/1"}]}}`)
	f.Add(kindEvent, `{"type":"event_callback","event":{"type":"tokens_revoked","tokens":5}}`)
	f.Add("hello", `{}`)
	n := 0
	f.Fuzz(func(t *testing.T, kind, raw string) {
		fk := newFake(t)
		a, _ := newAdapter(t, fk, func(o *Options) { o.Unfurl = true })
		n++
		ack, err := a.take(t.Context(), &echo{}, kind, fmt.Sprint(n), []byte(raw))
		settle(a)
		if err != nil && ack != nil {
			t.Error("an error, and an acknowledgment")
		}
		if ack != nil && !json.Valid(ack) {
			t.Errorf("acknowledged with %q", ack)
		}
	})
}

var _ http.RoundTripper = (*fake)(nil)

// What is settled already goes with a form without being asked.
func TestFormKeepsWhatIsSettled(t *testing.T) {
	v, err := formView(bot.Form{Title: "Change", Command: "edit", Fields: []bot.FormField{
		{Param: "subscription", Label: "Subscription", Value: "s2f4k6", Fixed: true, Required: true},
		{Param: "when", Label: "When", Value: "weekly", Required: true},
	}}, memo{Channel: "C1"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if faults, shown := validView(raw); len(faults) > 0 || len(v.Blocks) != 1 || strings.Contains(shown, "s2f4k6") {
		t.Errorf("%q %q", faults, shown)
	}
	var x interaction
	back := fmt.Sprintf(`{"type":"view_submission","user":{"id":"U1"},"view":{"type":"modal","private_metadata":%q,"state":{"values":{"p:when":{"answer":{"value":"daily"}}}}}}`, v.PrivateMetadata)
	if err := json.Unmarshal([]byte(back), &x); err != nil {
		t.Fatal(err)
	}
	q, missing, err := decodeSubmission("1", x)
	if err != nil || len(missing) > 0 {
		t.Fatal(missing, err)
	}
	want := map[string]string{"subscription": "s2f4k6", "when": "daily"}
	if diff := cmp.Diff(want, q.inv.Args); diff != "" || q.inv.Command != "edit" {
		t.Errorf("%s %s", q.inv.Command, diff)
	}
}
