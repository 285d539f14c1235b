package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/cmd/seedcorn/internal/hostile"
)

// Every subcommand is asked of the whole program, with a database of real works, over
// the gateway and over HTTP: with the options of its example, without any, by somebody
// who may not, and in direct messages. Both ways say the same, and nothing goes wrong on
// our side.
func TestEverySubcommandBothWaysOnDiscord(t *testing.T) {
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv(testManners, "1ms")
	platform, err := hostile.NewDiscord(hostile.Rules{Second: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer platform.Close()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	logs := &lockedBuffer{}
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: logs, now: time.Now}
	w, err := a.openWith(t.Context(), demoConfig(base, filepath.Join(t.TempDir(), "every.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.db.PutSources(t.Context(), demosite.Sources(base)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pullAll(t.Context(), demosite.Sources(base), func(string) {}); err != nil {
		t.Fatal(err)
	}
	router := bot.NewRouter(desk{w, a.now}, w.log)
	adapter := func(key string) *discord.Adapter {
		t.Helper()
		// Nothing is deferred, so that the first answer is the whole of it.
		d, err := discord.New(discord.Options{Token: "t", Base: platform.URL, Commands: router.Table(), Log: w.log, PublicKey: key, HTTPOnly: key != "", Patience: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	over := adapter(hex.EncodeToString(public))
	endpoint := over.Handler(router)
	ctx, cancel := context.WithCancel(t.Context())
	running := 0
	ended := make(chan error, 2)
	for _, d := range []*discord.Adapter{adapter(""), over} {
		running++
		go func() { ended <- d.Run(ctx, router) }()
	}
	defer func() {
		cancel()
		for range running {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()

	asked := 0
	interaction := func(q map[string]any) map[string]any {
		asked++
		out := map[string]any{
			"id": fmt.Sprint(500000000000000000 + asked), "application_id": "900000000000000002", "type": 2, "token": "secret", "version": 1, "channel_id": "100000000000000001",
			"guild_id": "200000000000000001", "member": map[string]any{"user": map[string]any{"id": "300000000000000001", "username": "ada"}, "permissions": "16"},
		}
		for k, v := range q {
			out[k] = v
			if v == nil {
				delete(out, k)
			}
		}
		return out
	}
	again := func(raw []byte) string {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return subscriptionIDs.ReplaceAllString(string(out), "")
	}
	answered := func(q map[string]any) []byte {
		body, err := json.Marshal(interaction(q))
		if err != nil {
			t.Fatal(err)
		}
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/discord/interactions", strings.NewReader(string(body)))
		r.Header.Set("X-Signature-Timestamp", stamp)
		r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(private, append([]byte(stamp), body...))))
		rec := httptest.NewRecorder()
		endpoint.ServeHTTP(rec, r)
		if rec.Code != 200 {
			t.Fatalf("HTTP %d: %s", rec.Code, rec.Body)
		}
		return rec.Body.Bytes()
	}
	overHTTP := func(q map[string]any) string { return again(answered(q)) }
	overGateway := func(q map[string]any) string {
		in := interaction(q)
		within, done := context.WithTimeout(t.Context(), time.Minute)
		defer done()
		if err := platform.Dispatch(within, "INTERACTION_CREATE", in); err != nil {
			t.Fatal(err)
		}
		for {
			all := platform.Answers()
			if i := slices.IndexFunc(all, func(x hostile.Answer) bool { return x.Path == fmt.Sprintf("interactions/%s/callback", in["id"]) }); i >= 0 {
				return again(all[i].Body)
			}
			select {
			case <-within.Done():
				t.Fatalf("no answer to %v", in["data"])
			case <-time.After(5 * time.Millisecond): // what the other side does cannot be waited on
			}
		}
	}

	data := func(c bot.Command, args map[string]string) map[string]any {
		name := "digest"
		if c.Manages {
			name = "digest-manage"
		}
		options := []any{}
		for _, p := range c.Params {
			if v, ok := args[p.Name]; ok {
				options = append(options, map[string]any{"name": p.Name, "type": 3, "value": v})
			}
		}
		return map[string]any{"id": "1", "name": name, "type": 1, "options": []any{map[string]any{"name": c.Name, "type": 1, "options": options}}}
	}
	type question struct {
		name string
		q    map[string]any
	}
	var questions []question
	stranger := map[string]any{"user": map[string]any{"id": "300000000000000009", "username": "eve"}, "permissions": "0"}
	for _, c := range bot.Commands() {
		_, args, err := router.Parse(c.Example)
		if err != nil {
			t.Fatalf("%s: %v", c.Example, err)
		}
		questions = append(
			questions,
			question{c.Example, map[string]any{"data": data(c, args)}},
			question{c.Name, map[string]any{"data": data(c, nil)}},
			question{c.Example + ", by a stranger", map[string]any{"data": data(c, args), "member": stranger}},
			question{c.Example + ", in direct messages", map[string]any{"data": data(c, args), "member": nil, "guild_id": nil, "context": 1, "user": map[string]any{"id": "300000000000000001", "username": "ada"}}},
		)
	}
	questions = append(
		questions,
		question{"a subcommand that is gone", map[string]any{"data": map[string]any{"id": "1", "name": "digest", "type": 1, "options": []any{map[string]any{"name": "explain", "type": 1}}}}},
		question{"a command that is gone", map[string]any{"data": map[string]any{"id": "1", "name": "seedcorn", "type": 1}}},
		question{"a button of long ago", map[string]any{"type": 3, "data": map[string]any{"custom_id": "x:1", "component_type": 2}}},
		question{"What is this?", map[string]any{"data": map[string]any{
			"id": "1", "name": "What is this?", "type": 3, "target_id": "7", "resolved": map[string]any{"messages": map[string]any{"7": map[string]any{"content": "see https://arxiv.org/abs/2505.09388"}}},
		}}},
	)
	for _, x := range questions {
		one := overHTTP(x.q)
		forget(t, w.db, x.name)
		two := overGateway(x.q)
		if strings.Contains(one+two, "wrong on our side") {
			t.Errorf("%s: %.300s", x.name, one)
		}
		// The second time there is nothing to end.
		if diff := cmp.Diff(one, two); diff != "" && !strings.HasPrefix(x.name, "unsubscribe") {
			t.Errorf("%s: two answers (-over HTTP +over the gateway):\n%s", x.name, diff)
		}
		var first struct {
			Type int
			Data json.RawMessage
		}
		if err := json.Unmarshal([]byte(one), &first); err != nil || first.Type != 4 && first.Type != 9 || len(first.Data) < 20 {
			t.Errorf("%s: answered with %.300s", x.name, one)
		}
	}
	// What a button below an answer brings: a form, with what it is about filled in.
	var subscribed, form struct {
		Type int
		Data struct {
			CustomID   string `json:"custom_id"`
			Components json.RawMessage
		}
	}
	_, args, err := router.Parse(`subscribe country:FR when:daily`)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(bot.Commands(), func(c bot.Command) bool { return c.Name == "subscribe" })
	if err := json.Unmarshal(answered(map[string]any{"data": data(bot.Commands()[i], args)}), &subscribed); err != nil {
		t.Fatal(err)
	}
	change := button(t, subscribed.Data.Components, "c:edit ")
	if err := json.Unmarshal(answered(map[string]any{"type": 3, "data": map[string]any{"custom_id": change, "component_type": 2}}), &form); err != nil {
		t.Fatal(err)
	}
	if form.Type != 9 || !strings.HasPrefix(form.Data.CustomID, "f:edit") || !strings.Contains(string(form.Data.Components), `"country:FR"`) {
		t.Errorf("Change brings %+v", form)
	}
	if s := logs.String(); strings.Contains(s, "level=ERROR") || strings.Contains(s, "level=WARN") {
		t.Errorf("the log complains:\n%s", s)
	}
}

// subscriptionIDs are what differs between two answers to one question.
var subscriptionIDs = regexp.MustCompile(`\bs[a-z2-7]{10}\b`)
