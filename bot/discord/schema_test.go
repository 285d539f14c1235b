package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// schemas are Discord's own description of its API
// (https://github.com/discord/discord-api-spec), which judges what we send.
type schemas struct{ c *jsonschema.Compiler }

func loadSchemas(t *testing.T) schemas {
	t.Helper()
	dir := os.Getenv("SEEDCORN_TEST_SPECS")
	if dir == "" {
		data := os.Getenv("SEEDCORN_TEST_DATA")
		if data == "" {
			t.Skip("neither SEEDCORN_TEST_SPECS nor SEEDCORN_TEST_DATA is set")
		}
		dir = filepath.Join(data, "..", "specs")
	}
	b, err := os.ReadFile(filepath.Join(dir, "discord-openapi.json"))
	if err != nil {
		t.Skip(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("discord.json", doc); err != nil {
		t.Fatal(err)
	}
	return schemas{c}
}

// at is the schema of a request's body.
func (s schemas) at(t *testing.T, method, path string) *jsonschema.Schema {
	t.Helper()
	path = strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
	sch, err := s.c.Compile("discord.json#/paths/" + path + "/" + strings.ToLower(method) + "/requestBody/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	return sch
}

func judge(t *testing.T, s *jsonschema.Schema, body []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("Discord's schema refuses %.600s:\n%v", body, err)
	}
}

func TestSchemaMessages(t *testing.T) {
	s := loadSchemas(t)
	create := s.at(t, http.MethodPost, "/channels/{channel_id}/messages")
	edit := s.at(t, http.MethodPatch, "/channels/{channel_id}/messages/{message_id}")
	thread := s.at(t, http.MethodPost, "/channels/{channel_id}/threads")
	f := newFake(t)
	a := f.adapter(t, Options{})
	var menu message.Actions
	for range 30 {
		menu.Items = append(menu.Items, message.Action{Label: "x", Command: "subscribe topic:" + strings.Repeat("x", len(menu.Items)+1)})
	}
	docs := []message.Document{everyBlock(), weekly(30), longDoc(), {}, {Blocks: []message.Block{menu}}}
	for _, doc := range docs {
		parts, err := a.Render(doc)
		if err != nil {
			t.Fatal(err)
		}
		first := bot.Receipt("")
		for i, p := range parts {
			judge(t, create, p.Payload)
			judge(t, edit, p.Payload)
			r, err := a.Post(t.Context(), here, bot.DeliveryID(strings.Repeat("d", i+1)), p, first)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = r
			}
			judge(t, create, f.last(t, http.MethodPost, "/messages").body)
		}
	}
	withPicture := f.adapter(t, Options{Pictures: true})
	parts, err := withPicture.Render(everyBlock())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withPicture.Post(t.Context(), here, "picture", parts[0], ""); err != nil {
		t.Fatal(err)
	}
	judge(t, create, f.last(t, http.MethodPost, "/messages").body)
	f.kinds[chanID] = map[string]any{"id": chanID, "type": channelForum, "available_tags": []map[string]any{{"id": "123456789012345678", "name": "this week"}}}
	b := f.adapter(t, Options{})
	if _, err := b.Post(t.Context(), here, "forum", onePart(t, b), ""); err != nil {
		t.Fatal(err)
	}
	judge(t, thread, f.last(t, http.MethodPost, "/threads").body)
}

func TestSchemaAnswers(t *testing.T) {
	s := loadSchemas(t)
	first := s.at(t, http.MethodPost, "/interactions/{interaction_id}/{interaction_token}/callback")
	follow := s.at(t, http.MethodPost, "/webhooks/{webhook_id}/{webhook_token}")
	edit := s.at(t, http.MethodPatch, "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
	focused := opt("lab", "deep")
	focused["focused"] = true
	for _, slow := range []bool{false, true} {
		f := newFake(t)
		a := f.adapter(t, Options{Patience: 1})
		if !slow {
			a.opt.Patience = firstDeadline
		}
		h := &desk{
			complete: func(context.Context, bot.Invocation, string, string) []bot.Choice {
				return []bot.Choice{{Label: "DeepSeek", Value: "deepseek"}}
			},
			handle: func(_ context.Context, inv bot.Invocation) bot.Reply {
				switch inv.Command {
				case "subscribe":
					return bot.Reply{Document: plainly("x").Document, Form: &bot.Form{Title: "T", Command: "subscribe", Fields: []bot.FormField{{Param: "query", Label: "Q", Hint: "h"}, {Param: "field", Label: "F", Choices: []string{"a"}}}}}
				case "latest":
					return bot.Reply{Document: weekly(20), Public: true}
				}
				return bot.Reply{Document: everyBlock(), Replace: true}
			},
		}
		for _, b := range [][]byte{
			[]byte(`{"type":1}`), raw(2, chat("latest"), nil), raw(2, chat("subscribe"), nil), raw(4, chat("lab", focused), nil),
			raw(3, map[string]any{"custom_id": "c:search x page:2"}, map[string]any{"message": map[string]any{"flags": 64}}),
		} {
			a.receive(t.Context(), h, b)
		}
		answers := 0
		for _, r := range f.all() {
			switch {
			case strings.HasSuffix(r.path, "/callback"):
				answers++
				judge(t, first, r.body)
			case r.method == http.MethodPatch:
				judge(t, edit, r.body)
			case strings.HasPrefix(r.path, "/webhooks/"):
				judge(t, follow, r.body)
			default:
				t.Errorf("%s %s", r.method, r.path)
			}
		}
		if answers != 5 {
			t.Errorf("%d of 5 were answered", answers)
		}
	}
}

func TestSchemaCommands(t *testing.T) {
	s := loadSchemas(t)
	rs, err := newAdapter(t, Options{Translations: map[string]map[string]string{"fr": {"help": "aide"}}}).registrations()
	if err != nil {
		t.Fatal(err)
	}
	one := s.at(t, http.MethodPost, "/applications/{application_id}/commands")
	all := s.at(t, http.MethodPut, "/applications/{application_id}/commands")
	judge(t, all, must(encode(rs)))
	for _, r := range rs {
		judge(t, one, must(encode(r)))
	}
}

// The schema and our own validator do refuse what is wrong.
func TestJudgesRefuse(t *testing.T) {
	for name, body := range map[string]string{
		"6,000 characters over all embeds": `{"allowed_mentions":{"parse":[]},"embeds":[{"description":"` + strings.Repeat("x", 4000) + `"},{"description":"` + strings.Repeat("x", 2001) + `"}]}`,
		"one URL twice":                    `{"allowed_mentions":{"parse":[]},"embeds":[{"title":"a","url":"https://x.y"},{"title":"b","url":"https://x.y"}]}`,
		"content":                          `{"allowed_mentions":{"parse":[]},"content":"` + strings.Repeat("x", 2001) + `"}`,
		"mentions":                         `{"content":"x"}`,
		"parse":                            `{"content":"x","allowed_mentions":{"parse":["users"]}}`,
		"empty":                            `{"allowed_mentions":{"parse":[]}}`,
		"41 components":                    `{"allowed_mentions":{"parse":[]},"flags":32768,"components":[` + strings.Repeat(`{"type":14},`, 40) + `{"type":10,"content":"x"}]}`,
		"4,001 characters":                 `{"allowed_mentions":{"parse":[]},"flags":32768,"components":[{"type":10,"content":"` + strings.Repeat("x", 4000) + `"},{"type":10,"content":"x"}]}`,
		"no flag":                          `{"allowed_mentions":{"parse":[]},"components":[{"type":10,"content":"x"}]}`,
		"content beside":                   `{"allowed_mentions":{"parse":[]},"flags":32768,"content":"x","components":[{"type":10,"content":"x"}]}`,
		"custom id twice":                  `{"allowed_mentions":{"parse":[]},"flags":32768,"components":[{"type":1,"components":[{"type":2,"style":2,"label":"x","custom_id":"a"},{"type":2,"style":2,"label":"x","custom_id":"a"}]}]}`,
	} {
		if !json.Valid([]byte(body)) {
			t.Fatal(name)
		}
		if len(validate([]byte(body))) == 0 {
			t.Errorf("%s: the validator takes it", name)
		}
	}
	for _, text := range []string{"@everyone", "hi @Here", "<@1>", "x <#1>", "https://x.y", "<t:1:R>", "<:a:1>"} {
		if len(harmlessText(text)) == 0 {
			t.Errorf("%q is taken as harmless", text)
		}
	}
	for _, text := range []string{"`<@1>`", `\<@1\>`, "[a](https://x.y)", `https\://x.y`} {
		if bad := harmlessText(text); len(bad) > 0 {
			t.Errorf("%q is refused: %v", text, bad)
		}
	}
}
