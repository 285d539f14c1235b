package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/bot/message"
	"seedcorn/bot/slack"
	"seedcorn/digest"
)

func TestJudge(t *testing.T) {
	m := func(delivery, text string) Message {
		return Message{Platform: "p", Channel: "C", Delivery: delivery, Text: text}
	}
	d := func(delivery string, part int, change ...func(*Decided)) Decided {
		out := Decided{Delivery: delivery, Digest: "D", Part: part, Platform: "p", Channel: "C", Sent: true}
		for _, c := range change {
			c(&out)
		}
		return out
	}
	resent := func(d *Decided) { d.Resent = true }
	unsent := func(d *Decided) { d.Sent = false }
	tests := []struct {
		name  string
		seen  []Message
		books []Decided
		want  []string // how each fault begins
	}{
		{"all in order", []Message{m("a", "1"), m("b", "2")}, []Decided{d("a", 0), d("b", 1)}, nil},
		{"nothing was to be posted", nil, []Decided{d("a", 0, unsent)}, nil},
		{"lost", nil, []Decided{d("a", 0)}, []string{"lost: delivery a"}},
		{"doubled", []Message{m("a", "1"), m("a", "1")}, []Decided{d("a", 0)}, []string{"doubled: delivery a"}},
		{"doubled, and only marked", []Message{m("a", "1"), m("a", "(resent) 1")}, []Decided{d("a", 0)}, []string{"doubled: delivery a"}},
		{"resent", []Message{m("a", "1"), m("a", "(resent) 1")}, []Decided{d("a", 0, resent)}, nil},
		{"resent where the first did not arrive", []Message{m("a", "(resent) 1")}, []Decided{d("a", 0, resent)}, nil},
		{"resent without a word", []Message{m("a", "1"), m("a", "1")}, []Decided{d("a", 0, resent)}, []string{"doubled: delivery a"}},
		{"resent twice", []Message{m("a", "1"), m("a", "(resent)"), m("a", "(resent)")}, []Decided{d("a", 0, resent)}, nil},
		{"resent twice, marked once", []Message{m("a", "1"), m("a", "1"), m("a", "(resent)")}, []Decided{d("a", 0, resent)}, []string{"doubled: delivery a"}},
		{"marked for nothing", []Message{m("a", "(resent) 1")}, []Decided{d("a", 0)}, []string{"unmarked: delivery a"}},
		{"in no book", []Message{m("x", "1")}, nil, []string{"strange: delivery x"}},
		{"without a name", []Message{m("", "1")}, nil, []string{"strange: message"}},
		{"not sent, and there", []Message{m("a", "1")}, []Decided{d("a", 0, unsent)}, []string{"strange: delivery a"}},
		{"elsewhere", []Message{m("a", "1")}, []Decided{d("a", 0, func(d *Decided) { d.Channel = "E" })}, []string{"strange: delivery a"}},
		{"out of order", []Message{m("b", "2"), m("a", "1")}, []Decided{d("a", 0), d("b", 1)}, []string{"out of order: part 1"}},
		{"headless", []Message{m("b", "2")}, []Decided{d("a", 0, unsent), d("b", 1)}, []string{"out of order: part 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Judge(tt.seen, tt.books).Faults()
			if len(got) != len(tt.want) {
				t.Fatalf("faults: %q, want %q", got, tt.want)
			}
			for i, w := range tt.want {
				if !strings.HasPrefix(got[i], w) {
					t.Errorf("fault %q, want %q", got[i], w)
				}
			}
		})
	}
}

// By chance, and yet the same for the same call of the same delivery, in the shares
// that were asked for.
func TestChance(t *testing.T) {
	shares := map[Fault]float64{ThenError: 0.2, InsteadDown: 0.1}
	a, b := Chance(7, shares), Chance(7, shares)
	counts := map[Fault]int{}
	for i := range 4000 {
		c := Call{Platform: "p", Method: "post", Delivery: fmt.Sprint(i)}
		f := a(c)
		counts[f]++
		b(Call{Platform: "p", Method: "read", Delivery: "other"})
		if g := b(c); g != f {
			t.Fatalf("delivery %d: %s, and %s beside other calls", i, f, g)
		}
	}
	if n := counts[ThenError]; n < 700 || n > 900 {
		t.Errorf("%d of 4000 had a share of 0.2", n)
	}
	if n := counts[InsteadDown]; n < 320 || n > 480 {
		t.Errorf("%d of 4000 had a share of 0.1", n)
	}
	if counts[None]+counts[ThenError]+counts[InsteadDown] != 4000 {
		t.Errorf("other faults came: %v", counts)
	}
}

const token = "xoxb-of-a-test"

func newSlack(t *testing.T, rules Rules) *Slack {
	t.Helper()
	rules.Token = token
	s, err := NewSlack(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newDiscord(t *testing.T, rules Rules) *Discord {
	t.Helper()
	rules.Token = token
	d, err := NewDiscord(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

var document = message.Document{Summary: "a digest", Blocks: []message.Block{message.Paragraph{Text: message.Plain("What came out this week.")}}}

// A stand is one platform with our adapter before it.
type stand struct {
	name      string
	workspace string
	channel   string
	adapter   bot.Platform
	site      *site
}

func stands(t *testing.T, rules Rules) []stand {
	t.Helper()
	s, d := newSlack(t, rules), newDiscord(t, rules)
	sa, err := slack.New(slack.Options{
		Tokens: slack.OneToken(token), API: s.URL, HTTP: &http.Client{Timeout: time.Second},
		Parse: func(string) (string, map[string]string, error) { return "help", nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	da, err := discord.New(discord.Options{Token: token, Base: d.URL, Timeout: time.Second, Commands: bot.NewRouter(nil, slog.New(slog.DiscardHandler)).Table()})
	if err != nil {
		t.Fatal(err)
	}
	return []stand{{"slack", "T1", "C1", sa, s.site}, {"discord", "200000000000000001", "100000000000000001", da, d.site}}
}

// forum is a stand whose channel is a forum, with what archives its posts.
func forum(t *testing.T, rules Rules) (stand, *Discord) {
	t.Helper()
	rules.Team = func(string) string { return "200000000000000001" }
	d := newDiscord(t, rules)
	d.Forum("100000000000000015")
	a, err := discord.New(discord.Options{Token: token, Base: d.URL, Timeout: time.Second, Commands: bot.NewRouter(nil, slog.New(slog.DiscardHandler)).Table()})
	if err != nil {
		t.Fatal(err)
	}
	return stand{"discord", "200000000000000001", "100000000000000015", a, d.site}, d
}

func (s stand) post(ctx context.Context, t *testing.T, id bot.DeliveryID, channel string) (bot.Receipt, error) {
	t.Helper()
	parts, err := s.adapter.Render(document)
	if err != nil || len(parts) != 1 {
		t.Fatalf("rendered in %d parts: %v", len(parts), err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // the adapters' own are longer
	defer cancel()
	return s.adapter.Post(ctx, digest.Destination{Platform: s.name, Workspace: s.workspace, Channel: channel}, id, parts[0], "")
}

func (s stand) find(ctx context.Context, id bot.DeliveryID, channel string) (bot.Receipt, bool, error) {
	return s.adapter.Find(ctx, digest.Destination{Platform: s.name, Workspace: s.workspace, Channel: channel}, id, time.Now().Add(-time.Minute))
}

func fate(err error) bot.Fate {
	var p *bot.PostError
	if errors.As(err, &p) {
		return p.Fate
	}
	return ""
}

// Whatever goes wrong with a post, the adapter tells its fate in a way that loses
// nothing and doubles nothing: what stands is unsure and found, what was refused in
// the platform's words is to be tried again.
func TestEveryFault(t *testing.T) {
	for f := ThenError; f <= InsteadSilence; f++ {
		for _, s := range stands(t, Rules{Second: -1, Fault: func(c Call) Fault {
			if c.Writes {
				return f
			}
			return None
		}}) {
			t.Run(f.String()+" "+s.name, func(t *testing.T) {
				t.Parallel()
				const id = "0123456789abcdef01234567"
				_, err := s.post(t.Context(), t, id, s.channel)
				want := bot.FateUnsure
				if f == InsteadLimit || f == InsteadPage {
					want = bot.FateRetry
				}
				if got := fate(err); got != want {
					t.Errorf("posting: fate %v (%v), want %v", got, err, want)
				}
				if err != nil && strings.Contains(err.Error(), token) {
					t.Errorf("the token is in the error: %v", err)
				}
				stood := 0
				if f.done() {
					stood = 1
				}
				if n := s.site.Ledger.Len(); n != stood {
					t.Errorf("%d messages stand, want %d", n, stood)
				}
				_, found, err := s.find(t.Context(), id, s.channel)
				if err != nil || found != f.done() {
					t.Errorf("finding: %t, %v", found, err)
				}
				s.site.Change(func(r *Rules) { r.Fault = nil })
				if found {
					return
				}
				if _, err := s.post(t.Context(), t, id, s.channel); err != nil && f != InsteadLimit && f != InsteadPage {
					t.Errorf("posting again: %v", err) // after a limit the adapter may wait first
				}
			})
		}
	}
}

// A forum's posts have no nonce: one that was accepted, whatever was answered, is found
// by what it carries, among the active posts and in the archive; and where it is not
// there, it was not accepted.
func TestEveryFaultInForums(t *testing.T) {
	for f := ThenError; f <= InsteadSilence; f++ {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			s, d := forum(t, Rules{Second: -1})
			const id = "0123456789abcdef01234567"
			// Others' posts, and ours of before, are not taken for it.
			if _, err := s.post(t.Context(), t, "another", s.channel); err != nil {
				t.Fatal(err)
			}
			before := d.Ledger.Len()
			d.Change(func(r *Rules) {
				r.Fault = func(c Call) Fault {
					if c.Writes {
						return f
					}
					return None
				}
			})
			_, err := s.post(t.Context(), t, id, s.channel)
			want := bot.FateUnsure
			if f == InsteadLimit || f == InsteadPage {
				want = bot.FateRetry
			}
			if got := fate(err); got != want {
				t.Errorf("posting: fate %v (%v), want %v", got, err, want)
			}
			stood := 0
			if f.done() {
				stood = 1
			}
			if n := d.Ledger.Len() - before; n != stood {
				t.Errorf("%d posts stand, want %d", n, stood)
			}
			d.Change(func(r *Rules) { r.Fault = nil })
			for _, archived := range []bool{false, true} {
				if archived {
					d.Archive()
				}
				r, found, err := s.find(t.Context(), id, s.channel)
				if err != nil || found != f.done() {
					t.Errorf("finding, archived %t: %t, %v", archived, found, err)
				}
				if last := d.Ledger.All(); found && string(r) != last[len(last)-1].Channel+"/"+last[len(last)-1].ID {
					t.Errorf("found %s", r)
				}
			}
			if n := d.Ledger.Len() - before; n != stood {
				t.Errorf("%d posts stand after looking", n)
			}
		})
	}
}

// The platforms remember, unless they are told to forget; then what is posted again
// stands twice, and the judge says so.
func TestMemory(t *testing.T) {
	for _, forget := range []bool{false, true} {
		for _, s := range stands(t, Rules{Second: -1, Forget: forget}) {
			t.Run(fmt.Sprint(s.name, " forgets ", forget), func(t *testing.T) {
				const id = "0123456789abcdef01234567"
				for range 2 {
					if _, found, err := s.find(t.Context(), id, s.channel); err != nil {
						t.Fatal(err)
					} else if found {
						continue
					}
					if _, err := s.post(t.Context(), t, id, s.channel); err != nil {
						t.Fatal(err)
					}
				}
				v := Judge(s.site.Ledger.All(), []Decided{{Delivery: id, Digest: "D", Platform: s.name, Channel: s.channel, Sent: true}})
				if got := len(v.Doubled) == 1; got != forget {
					t.Errorf("doubled: %v", v.Doubled)
				}
				if len(v.Lost)+len(v.Strange) > 0 {
					t.Errorf("%q", v.Faults())
				}
			})
		}
	}
}

// The same nonce gives the first message for as long as it is known, in its channel.
func TestNonce(t *testing.T) {
	d := newDiscord(t, Rules{Second: -1, Memory: 200 * time.Millisecond})
	post := func(channel, body string) string {
		status, _, got := ask(t, "POST", d.URL+"/channels/"+channel+"/messages", body)
		if status != 200 {
			t.Fatalf("HTTP %d: %v", status, got)
		}
		return str(got, "id")
	}
	const body = `{"content":"hello","nonce":"n1","enforce_nonce":true}`
	first := post("1", body)
	if again := post("1", body); again != first {
		t.Errorf("the same nonce made %s after %s", again, first)
	}
	if other := post("2", body); other == first {
		t.Error("a nonce of another channel was taken for it")
	}
	if loose := post("1", `{"content":"hello","nonce":"n1"}`); loose == first {
		t.Error("a nonce was enforced that was not to be")
	}
	d.Change(func(r *Rules) { r.Memory = time.Nanosecond })
	if late := post("1", body); late == first {
		t.Error("a nonce was known after its time")
	}
}

func ask(t *testing.T, method, url, body string) (status int, header http.Header, got map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	auth := "Bot " + token
	if strings.Contains(url, "/api/v10") {
		req.Header.Set("Content-Type", "application/json")
	} else {
		auth = "Bearer " + token
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(body, "{") {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	req.Header.Set("Authorization", auth)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(raw, []byte("[")) {
		raw = []byte(`{"list":` + string(raw) + "}")
	}
	_ = json.Unmarshal(raw, &got) // an HTML page leaves it empty
	return resp.StatusCode, resp.Header, got
}

// The limits of a channel, of a workspace and of all are kept, each with a wait; a
// caller who does not wait is counted.
func TestLimits(t *testing.T) {
	const hour = time.Hour // a second that does not pass while the test runs
	t.Run("slack", func(t *testing.T) {
		s := newSlack(t, Rules{Second: hour, Team: func(string) string { return "T1" }})
		post := func(channel string) (int, http.Header) {
			status, h, _ := ask(t, "POST", s.URL+"chat.postMessage", `{"channel":"`+channel+`","text":"x"}`)
			return status, h
		}
		for i := range slackChannelBurst {
			if status, _ := post("C1"); status != 200 {
				t.Fatalf("post %d: HTTP %d", i, status)
			}
		}
		status, h := post("C1")
		if n, err := strconv.Atoi(h.Get("Retry-After")); status != 429 || err != nil || n < 3500 || n > 3600 {
			t.Errorf("a post too many: HTTP %d, Retry-After %q", status, h.Get("Retry-After"))
		}
		post("C1")
		if c := s.Counts(); c["early"] != 1 || c["limited"] != 2 {
			t.Errorf("counts: %v", c)
		}
		good := 0
		for i := range 2 * slackTeamBurst {
			if status, _ := post(fmt.Sprint("C", 10+i)); status == 200 {
				good++
			}
		}
		if good != slackTeamBurst-slackChannelBurst {
			t.Errorf("the workspace took %d more", good)
		}
	})
	t.Run("discord", func(t *testing.T) {
		d := newDiscord(t, Rules{Second: hour})
		post := func(channel int) (int, http.Header, map[string]any) {
			return ask(t, "POST", fmt.Sprintf("%s/channels/%d/messages", d.URL, channel), `{"content":"x"}`)
		}
		for i := range discordMessages {
			status, h, _ := post(1)
			if left := h.Get("X-RateLimit-Remaining"); status != 200 || left != fmt.Sprint(discordMessages-1-i) {
				t.Fatalf("post %d: HTTP %d, %s left", i, status, left)
			}
		}
		status, h, got := post(1)
		if after, _ := got["retry_after"].(float64); status != 429 || got["global"] != false || after < 17_000 || h.Get("X-RateLimit-Scope") != "user" {
			t.Errorf("a post too many: HTTP %d, %v", status, got)
		}
		for i := range discordGlobal - discordMessages - 1 {
			if status, _, got := post(10 + i); status != 200 {
				t.Fatalf("post to channel %d: HTTP %d, %v", 10+i, status, got)
			}
		}
		status, h, got = post(1000)
		if status != 429 || got["global"] != true || h.Get("X-RateLimit-Global") != "true" {
			t.Errorf("one too many for all: HTTP %d, %v", status, got)
		}
	})
}

// History comes in pages that neither miss a message nor show one twice, and shows
// metadata only to who asks for it and may read.
func TestHistory(t *testing.T) {
	s := newSlack(t, Rules{Second: -1, Blind: func(c string) bool { return c == "C9" }})
	var want []string
	for i := range 25 {
		_, _, got := ask(t, "POST", s.URL+"chat.postMessage", fmt.Sprintf(`{"channel":"C1","text":"%d","metadata":{"event_type":"e","event_payload":{"delivery":"d%d"}}}`, i, i))
		want = append([]string{str(got, "ts")}, want...)
		if i == 3 {
			ask(t, "POST", s.URL+"chat.postMessage", `{"channel":"C1","text":"below","thread_ts":"`+str(got, "ts")+`"}`)
		}
	}
	var seen []string
	for cursor := ""; ; {
		_, _, got := ask(t, "POST", s.URL+"conversations.history", "channel=C1&limit=10&include_all_metadata=true&cursor="+cursor)
		for _, x := range got["messages"].([]any) {
			m := x.(map[string]any)
			seen = append(seen, str(m, "ts"))
			if deliveryOf(m) != "d"+str(m, "text") {
				t.Errorf("message %s has metadata %v", str(m, "text"), m["metadata"])
			}
			if n, _ := m["reply_count"].(int); str(m, "text") == "3" && m["reply_count"] != float64(1) {
				t.Errorf("replies: %d", n)
			}
		}
		meta, _ := got["response_metadata"].(map[string]any)
		if cursor = str(meta, "next_cursor"); cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	_, _, got := ask(t, "POST", s.URL+"conversations.history", "channel=C1&limit=1")
	if m := got["messages"].([]any)[0].(map[string]any); m["metadata"] != nil {
		t.Error("metadata came unasked")
	}
	_, _, got = ask(t, "POST", s.URL+"conversations.history", "channel=C9")
	if got["error"] != "missing_scope" {
		t.Errorf("a blind workspace: %v", got)
	}
	_, _, got = ask(t, "POST", s.URL+"conversations.history", `{"channel":"C1"}`)
	if got["error"] != "invalid_arguments" {
		t.Errorf("asked in JSON: %v", got)
	}

	d := newDiscord(t, Rules{Second: -1})
	want, seen = nil, nil
	for range 25 {
		_, _, got := ask(t, "POST", d.URL+"/channels/1/messages", `{"content":"x"}`)
		want = append(want, str(got, "id"))
	}
	for after := "1"; ; {
		_, _, got := ask(t, "GET", d.URL+"/channels/1/messages?limit=10&after="+after, "")
		list := got["list"].([]any)
		for i := len(list) - 1; i >= 0; i-- {
			seen = append(seen, str(list[i].(map[string]any), "id"))
		}
		if len(list) < 10 {
			break
		}
		after = seen[len(seen)-1]
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// A message of the wrong form is refused as the real ones refuse it, and nothing
// stands.
func TestForm(t *testing.T) {
	s, d := newSlack(t, Rules{Second: -1, Refuse: func(c string) string {
		if c == "C2" {
			return "is_archived"
		}
		return ""
	}}), newDiscord(t, Rules{Second: -1, Refuse: func(c string) string {
		if c == "2" {
			return "50001"
		}
		return ""
	}})
	many := func(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	for _, tt := range []struct{ method, url, body, want string }{
		{"POST", s.URL + "chat.postMessage", `{"channel":"C1"}`, "no_text"},
		{"POST", s.URL + "chat.postMessage", `{"text":"x"}`, "channel_not_found"},
		{"POST", s.URL + "chat.postMessage", `{"channel":"C2","text":"x"}`, "is_archived"},
		{"POST", s.URL + "chat.postMessage", `{"channel":"C1","blocks":[` + many(`{"type":"divider"}`, 51) + `]}`, "invalid_blocks"},
		{"POST", s.URL + "chat.postMessage", `{"channel":"C1","blocks":[{"type":"header","x":"` + strings.Repeat("x", 13_200) + `"}]}`, "msg_blocks_too_long"},
		{"POST", s.URL + "chat.postMessage", `{"channel":"C1","blocks":[` + many(`{"type":"divider","block_id":"same"}`, 2) + `]}`, "invalid_blocks"},
		{"POST", s.URL + "chat.postMessage", `{"channel":"C1","text":"x","thread_ts":"1.0"}`, "thread_not_found"},
		{"POST", s.URL + "chat.update", `{"channel":"C1","ts":"1.0","text":"x"}`, "message_not_found"},
		{"POST", s.URL + "nothing.known", `{}`, "unknown_method"},
		{"POST", s.URL + "apps.connections.open", `{}`, "not_allowed_token_type"},
		{"POST", d.URL + "/channels/1/messages", `{}`, "50006"},
		{"POST", d.URL + "/channels/1/messages", `{"content":"` + strings.Repeat("x", 2001) + `"}`, "50035"},
		{"POST", d.URL + "/channels/1/messages", `{"content":"x","nonce":"` + strings.Repeat("x", 26) + `"}`, "50035"},
		{"POST", d.URL + "/channels/1/messages", `{"flags":32768,"content":"x","components":[{"type":10,"content":"x"}]}`, "50035"},
		{"POST", d.URL + "/channels/1/messages", `{"flags":32768,"components":[` + many(`{"type":10,"content":"x"}`, 41) + `]}`, "50035"},
		{"POST", d.URL + "/channels/1/messages", `{"flags":32768,"components":[` + many(`{"type":10,"content":"`+strings.Repeat("x", 1001)+`"}`, 4) + `]}`, "50035"},
		{"POST", d.URL + "/channels/1/messages", `{"flags":32768,"components":[` + many(`{"type":10,"id":7,"content":"x"}`, 2) + `]}`, "50035"},
		{"POST", d.URL + "/channels/2/messages", `{"content":"x"}`, "50001"},
		{"PATCH", d.URL + "/channels/1/messages/7", `{"content":"x"}`, "10008"},
		{"POST", d.URL + "/channels/1/threads", `{"name":"x","message":{"content":"x"}}`, "50024"},
	} {
		_, _, got := ask(t, tt.method, tt.url, tt.body)
		if fmt.Sprint(got["error"]) != tt.want && fmt.Sprint(got["code"]) != tt.want {
			t.Errorf("%s %.80s: %v, want %s", tt.url, tt.body, got, tt.want)
		}
	}
	if s.Ledger.Len()+d.Ledger.Len() != 0 {
		t.Error("something stands")
	}
}

// What people read is what stands in blocks, the notification's text only without
// them; an edit changes it in place.
func TestText(t *testing.T) {
	s := newSlack(t, Rules{Second: -1})
	_, _, got := ask(t, "POST", s.URL+"chat.postMessage", `{"channel":"C1","text":"hidden","blocks":[{"type":"section","text":{"type":"plain_text","text":"seen"}}]}`)
	ask(t, "POST", s.URL+"chat.postMessage", `{"channel":"C1","text":"alone"}`)
	ask(t, "POST", s.URL+"chat.update", `{"channel":"C1","ts":"`+str(got, "ts")+`","text":"edited (resent)"}`)
	all := s.Ledger.All()
	if len(all) != 2 || strings.TrimSpace(all[0].Text) != "edited (resent)" || !all[0].Resent() || all[0].Edits != 1 || all[1].Text != "alone" {
		t.Errorf("ledger: %+v", all)
	}
}

// Our own adapter connects to Socket Mode and answers what is asked there.
func TestSocketMode(t *testing.T) {
	s := newSlack(t, Rules{})
	a, err := slack.New(slack.Options{
		Tokens: slack.OneToken(token), AppToken: "xapp-of-a-test", API: s.URL,
		Parse: func(line string) (string, map[string]string, error) { return line, nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, says("it works")) }()
	ack, err := s.Ask(ctx, "slash_commands", map[string]any{"command": "/digest", "text": "help", "team_id": "T1", "channel_id": "C1", "user_id": "U1"})
	if err != nil || !strings.Contains(string(ack), "it works") {
		t.Errorf("acknowledged with %s, %v", ack, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// says is a handler that says one thing.
type says string

func (s says) Handle(context.Context, bot.Invocation) bot.Reply {
	return bot.Reply{Document: message.Document{Summary: string(s), Blocks: []message.Block{message.Paragraph{Text: message.Plain(string(s))}}}}
}

func (says) Complete(context.Context, bot.Invocation, string, string) []bot.Choice { return nil }

// Our own adapter stays connected to the gateway, over a reconnect, and answers.
func TestGateway(t *testing.T) {
	d := newDiscord(t, Rules{})
	a, err := discord.New(discord.Options{Token: token, Base: d.URL, Commands: bot.NewRouter(nil, slog.New(slog.DiscardHandler)).Table()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if changed, err := a.Register(ctx); err != nil || !changed {
		t.Fatalf("registering: %t, %v", changed, err)
	}
	if changed, err := a.Register(ctx); err != nil || changed {
		t.Errorf("registering what is registered: %t, %v", changed, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, says("it works")) }()
	for i := range 2 {
		if err := d.Dispatch(ctx, "INTERACTION_CREATE", map[string]any{
			"id": "500000000000000001", "application_id": discordApp, "type": 2, "token": "secret", "version": 1, "channel_id": "100000000000000001",
			"guild_id": "200000000000000001", "member": map[string]any{"user": map[string]any{"id": "300000000000000001", "username": "ada"}, "permissions": "0"},
			"data": map[string]any{"id": "1", "name": "digest", "type": 1, "options": []any{map[string]any{"name": "help", "type": 1}}},
		}); err != nil {
			t.Fatal(err)
		}
		for len(d.Answers()) <= i {
			select {
			case <-ctx.Done():
				t.Fatal("no answer")
			case <-time.After(10 * time.Millisecond): // what the other side does cannot be waited on
			}
		}
		if body := d.Answers()[i].Body; !strings.Contains(string(body), "it works") {
			t.Errorf("answered with %s", body)
		}
		if i == 0 {
			d.Reconnect()
			gone(ctx, t, d)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// gone waits until no connection stands.
func gone(ctx context.Context, t *testing.T, d *Discord) {
	t.Helper()
	for {
		d.gateway.mu.Lock()
		n := len(d.gateway.conns)
		d.gateway.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("it does not let go of the connection")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A wrong token is refused as the gateway refuses it.
func TestGatewayRefuses(t *testing.T) {
	d := newDiscord(t, Rules{})
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(strings.TrimSuffix(d.URL, "/api/v10"), "http", "ws", 1)+"/gateway?v=10&encoding=json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer c.Close()
	if err := c.WriteJSON(map[string]any{"op": opIdentify, "d": map[string]any{"token": "wrong", "intents": 0}}); err != nil {
		t.Fatal(err)
	}
	for {
		_, _, err = c.ReadMessage()
		if err != nil {
			break
		}
	}
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4004 {
		t.Errorf("closed with %v", err)
	}
}

func TestUpload(t *testing.T) {
	s := newSlack(t, Rules{Second: -1})
	_, _, got := ask(t, "POST", s.URL+"files.getUploadURLExternal", "filename=chart.png&length=3")
	resp, err := http.Post(str(got, "upload_url"), "application/octet-stream", strings.NewReader("png"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, _, got = ask(t, "POST", s.URL+"files.completeUploadExternal", `{"channel_id":"C1","files":[{"id":"`+str(got, "file_id")+`","title":"A chart"}]}`)
	if all := s.Ledger.All(); got["ok"] != true || len(all) != 1 || !strings.Contains(all[0].Text, "A chart") {
		t.Errorf("answered %v; stands: %+v", got, all)
	}
}
