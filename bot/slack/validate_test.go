package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"seedcorn/bot/message"
)

// A validator holds what leaves us to Slack's limits, and to our own rule that
// nothing in it is parsed.
type validator struct {
	faults  []string
	blocks  map[string]bool
	actions map[string]bool
	shown   strings.Builder // all text that a person sees
}

func (v *validator) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

// validMessage returns the faults of a message's payload, and its visible text.
func validMessage(raw []byte) (faults []string, shown string) {
	v := &validator{}
	var m struct {
		Text        string            `json:"text"`
		Mrkdwn      *bool             `json:"mrkdwn"`
		UnfurlLinks *bool             `json:"unfurl_links"`
		UnfurlMedia *bool             `json:"unfurl_media"`
		Blocks      []json.RawMessage `json:"blocks"`
	}
	if !utf8.Valid(raw) {
		v.fault("not UTF-8")
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return []string{"no JSON: " + err.Error()}, ""
	}
	if m.UnfurlLinks == nil || *m.UnfurlLinks || m.UnfurlMedia == nil || *m.UnfurlMedia || m.Mrkdwn == nil || *m.Mrkdwn {
		v.fault("it may unfurl, or be parsed")
	}
	if m.Text == "" || utf8.RuneCountInString(m.Text) > 40_000 {
		v.fault("a text of %d characters", utf8.RuneCountInString(m.Text))
	}
	if strings.ContainsAny(m.Text, "<>\n") || pings.MatchString(m.Text) {
		v.fault("the text is not literal: %.60q", m.Text)
	}
	if forms, ok := readPayload(raw); ok {
		// It is sent in one of these ways, each of which is held to the limits.
		for _, way := range []func(chartForm) []json.RawMessage{asText, asNative, func(c chartForm) []json.RawMessage {
			b, _ := picture(message.Chart(c.Data), "F0123456789")
			return []json.RawMessage{b}
		}} {
			sent, err := forms.with(way)
			if err != nil {
				v.fault("%v", err)
			}
			more, s := validMessage(sent)
			v.faults = append(v.faults, more...)
			v.shown.WriteString(s)
		}
		return v.faults, v.shown.String()
	}
	all, _ := encode(m.Blocks)
	if n := len(escape(string(all))); n > maxMessage {
		v.fault("blocks of %d bytes", n)
	}
	v.check(m.Blocks, maxBlocks)
	return v.faults, v.shown.String()
}

// validView returns the faults of a modal or a home.
func validView(raw []byte) (faults []string, shown string) {
	v := &validator{}
	var m struct {
		Type            string            `json:"type"`
		Title           *plain            `json:"title"`
		Submit          *plain            `json:"submit"`
		PrivateMetadata string            `json:"private_metadata"`
		Blocks          []json.RawMessage `json:"blocks"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return []string{"no JSON: " + err.Error()}, ""
	}
	switch m.Type {
	case "modal":
		if m.Title == nil || m.Title.Text == "" || utf8.RuneCountInString(m.Title.Text) > 24 {
			v.fault("title %v", m.Title)
		}
		if m.Submit != nil && utf8.RuneCountInString(m.Submit.Text) > 24 {
			v.fault("submit %v", m.Submit)
		}
	case "home":
	default:
		v.fault("a view of type %q", m.Type)
	}
	if len(m.PrivateMetadata) > 3000 {
		v.fault("private_metadata of %d", len(m.PrivateMetadata))
	}
	if len(raw) > 250_000 {
		v.fault("a view of %d bytes", len(raw))
	}
	v.check(m.Blocks, maxViewBlocks)
	return v.faults, v.shown.String()
}

func (v *validator) check(blocks []json.RawMessage, most int) {
	v.blocks, v.actions = map[string]bool{}, map[string]bool{}
	if len(blocks) == 0 || len(blocks) > most {
		v.fault("%d blocks", len(blocks))
	}
	for _, raw := range blocks {
		v.block(raw)
	}
	v.faults = append(v.faults, schemaFaults(blocks)...)
	// A third opinion: slack-go must know every block.
	joined, _ := json.Marshal(blocks)
	var theirs slack.Blocks
	if err := json.Unmarshal(joined, &theirs); err != nil {
		v.fault("slack-go: %v", err)
	}
	for _, b := range theirs.BlockSet {
		if _, ok := b.(*slack.UnknownBlock); ok {
			v.fault("slack-go does not know a %s", b.BlockType())
		}
	}
}

func (v *validator) unique(what string, have map[string]bool, id string) {
	if id == "" {
		return
	}
	if have[id] || len(id) > maxID {
		v.fault("%s %q twice, or too long", what, id)
	}
	have[id] = true
}

func (v *validator) plain(p plain, most int) {
	if p.Type != "plain_text" {
		v.fault("text of type %q", p.Type)
	}
	if p.Emoji {
		v.fault("names of emoji would be pictures in %.60q", p.Text)
	}
	v.text(p.Text, most)
}

func (v *validator) text(s string, most int) {
	if n := utf8.RuneCountInString(s); n == 0 || n > most {
		v.fault("a text of %d characters where 1 to %d may be", n, most)
	}
	if pings.MatchString(s) {
		v.fault("a ping in %.60q", s)
	}
	if strings.ContainsAny(s, "\u202e\u2066\x00\x1b") {
		v.fault("a control character in %.60q", s)
	}
	v.shown.WriteString(s + " ")
}

func (v *validator) block(raw json.RawMessage) {
	var b struct {
		Type      string            `json:"type"`
		BlockID   string            `json:"block_id"`
		Text      *plain            `json:"text"`
		Accessory json.RawMessage   `json:"accessory"`
		Elements  []json.RawMessage `json:"elements"`
		Label     *plain            `json:"label"`
		Hint      *plain            `json:"hint"`
		Element   json.RawMessage   `json:"element"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		v.fault("block %s: %v", raw, err)
		return
	}
	v.unique("block_id", v.blocks, b.BlockID)
	switch b.Type {
	case "divider":
	case "header":
		v.plain(*b.Text, maxHeader)
	case "section":
		v.plain(*b.Text, maxSection)
		if len(b.Accessory) > 0 {
			v.element(b.Accessory)
		}
	case "context":
		if len(b.Elements) == 0 || len(b.Elements) > maxContext {
			v.fault("a context of %d elements", len(b.Elements))
		}
		for _, e := range b.Elements {
			var p plain
			if json.Unmarshal(e, &p) != nil {
				v.fault("a context of %s", e)
			}
			v.plain(p, maxField)
		}
	case "actions":
		if len(b.Elements) == 0 || len(b.Elements) > maxActions {
			v.fault("%d actions", len(b.Elements))
		}
		for _, e := range b.Elements {
			v.element(e)
		}
	case "image":
		var i imageBlock
		if json.Unmarshal(raw, &i) != nil || i.Alt == "" || utf8.RuneCountInString(i.Alt) > maxAlt || i.File.ID == "" {
			v.fault("an image %s", raw)
		}
		if i.Title != nil {
			v.plain(*i.Title, maxAlt)
		}
		v.shown.WriteString(i.Alt + " ")
	case "data_visualization":
		var d slack.DataVisualizationBlock
		if err := json.Unmarshal(raw, &d); err != nil {
			v.fault("a chart: %v", err)
		} else if err := d.Validate(); err != nil {
			v.fault("a chart: %v", err)
		}
		v.text(d.Title, maxChartTitle)
		if bars, ok := d.Chart.(*slack.DataVisualizationBarChart); ok {
			for _, s := range bars.Series {
				v.text(s.Name, maxChartLabel)
				for _, p := range s.Data {
					v.text(p.Label, maxChartLabel)
				}
			}
		}
	case "rich_text":
		if len(b.Elements) == 0 || len(raw) > maxSection+300 {
			v.fault("a rich_text of %d elements, %d bytes", len(b.Elements), len(raw))
		}
		for _, e := range b.Elements {
			v.rich(e)
		}
	case "input":
		v.plain(*b.Label, maxInputLabel)
		if b.Hint != nil {
			v.plain(*b.Hint, maxInputLabel)
		}
		v.element(b.Element)
	default:
		v.fault("a block of type %q", b.Type)
	}
}

func (v *validator) element(raw json.RawMessage) {
	var e struct {
		Type     string `json:"type"`
		ActionID string `json:"action_id"`
		Text     *plain `json:"text"`
		Value    string `json:"value"`
		Style    string `json:"style"`
		Options  []struct {
			Text  plain  `json:"text"`
			Value string `json:"value"`
		} `json:"options"`
		Initial string `json:"initial_value"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		v.fault("element %s: %v", raw, err)
		return
	}
	if e.ActionID != actionAnswer {
		v.unique("action_id", v.actions, e.ActionID)
	}
	switch e.Type {
	case "button":
		v.plain(*e.Text, maxButtonText)
		if n := utf8.RuneCountInString(e.Value); n == 0 || n > maxButtonValue {
			v.fault("a button's value of %d", n)
		}
		if e.Style != "" && e.Style != "danger" && e.Style != "primary" {
			v.fault("a button's style %q", e.Style)
		}
	case "overflow", "static_select":
		most := maxOverflow
		if e.Type == "static_select" {
			most = maxSelectItems
		}
		if n := len(e.Options); n == 0 || n > most {
			v.fault("%d options", n)
		}
		for _, o := range e.Options {
			v.plain(o.Text, maxOptionText)
			if n := utf8.RuneCountInString(o.Value); n == 0 || n > maxOptionValue {
				v.fault("an option's value of %d", n)
			}
		}
	case "plain_text_input":
		if utf8.RuneCountInString(e.Initial) > maxInput {
			v.fault("an initial value of %d", utf8.RuneCountInString(e.Initial))
		}
	default:
		v.fault("an element of type %q", e.Type)
	}
}

func (v *validator) rich(raw json.RawMessage) {
	var e struct {
		Type     string            `json:"type"`
		Elements []json.RawMessage `json:"elements"`
	}
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Elements) == 0 {
		v.fault("rich text %s: %v", raw, err)
		return
	}
	for _, x := range e.Elements {
		switch e.Type {
		case "rich_text_list":
			v.rich(x)
		case "rich_text_section", "rich_text_preformatted":
			v.inline(x)
		default:
			v.fault("rich text of type %q", e.Type)
		}
	}
}

// inline lets three kinds of element pass: the others are how a rich text pings.
func (v *validator) inline(raw json.RawMessage) {
	var in inline
	if err := json.Unmarshal(raw, &in); err != nil {
		v.fault("%s: %v", raw, err)
		return
	}
	switch in.Type {
	case "text":
		if in.URL != "" {
			v.fault("a text with an address")
		}
	case "link":
		if !strings.HasPrefix(in.URL, "https://") && !strings.HasPrefix(in.URL, "http://") || len(in.URL) > maxURL {
			v.fault("a link to %.60q", in.URL)
		}
	case "channel":
		if !isChannel(in.Channel) || in.Text != "" || in.URL != "" {
			v.fault("a channel %.60q", in.Channel)
		}
		return
	default:
		v.fault("an inline of type %q", in.Type)
	}
	v.text(in.Text, maxSection)
	v.shown.WriteString(in.URL + " ")
}

func mustBeValid(t testing.TB, raw []byte) (shown string) {
	t.Helper()
	faults, shown := validMessage(raw)
	for _, f := range faults {
		t.Errorf("%s", f)
	}
	return shown
}

// A guard that has never caught anyone guards nothing.
func TestValidator(t *testing.T) {
	message := func(blocks string) string {
		return `{"text":"x","mrkdwn":false,"unfurl_links":false,"unfurl_media":false,"blocks":[` + blocks + `]}`
	}
	richText := func(inlines string) string {
		return message(`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[` + inlines + `]}]}`)
	}
	button := func(id, value string) string {
		return `{"type":"button","action_id":"` + id + `","text":{"type":"plain_text","text":"x","emoji":false},"value":"` + value + `"}`
	}
	tests := []struct{ name, raw, want string }{
		{"all in order", richText(`{"type":"text","text":"hello"}`), ""},
		{"no blocks", message(``), "0 blocks"},
		{"too many blocks", message(strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 51), ",")), "51 blocks"},
		{"a parsed text", `{"text":"<!here>","mrkdwn":false,"unfurl_links":false,"unfurl_media":false,"blocks":[{"type":"divider"}]}`, "not literal"},
		{"unfurling", `{"text":"x","blocks":[{"type":"divider"}]}`, "unfurl"},
		{"markup", message(`{"type":"section","text":{"type":"mrkdwn","text":"*x*"}}`), "mrkdwn"},
		{"a broadcast", richText(`{"type":"broadcast","range":"here"}`), "broadcast"},
		{"a channel of nobody", richText(`{"type":"channel","channel_id":"!here"}`), "a channel"},
		{"a person", richText(`{"type":"user","user_id":"U1"}`), "user"},
		{"a script", richText(`{"type":"link","url":"javascript:alert(1)","text":"x"}`), "javascript"},
		{"an empty text", richText(`{"type":"text","text":""}`), "0 characters"},
		{"a long header", message(`{"type":"header","text":{"type":"plain_text","text":"` + strings.Repeat("x", 151) + `"}}`), "151"},
		{"one id twice", message(`{"type":"actions","elements":[` + button("a1", "x") + `,` + button("a1", "y") + `]}`), "twice"},
		{"a long value", message(`{"type":"actions","elements":[` + button("a1", strings.Repeat("x", 2001)) + `]}`), "2001"},
		{"too large", message(strings.TrimSuffix(strings.Repeat(`{"type":"section","text":{"type":"plain_text","text":"`+strings.Repeat("x", 2900)+`"}},`, 5), ",")), "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults, _ := validMessage([]byte(tt.raw))
			if tt.want == "" && len(faults) > 0 || tt.want != "" && !strings.Contains(strings.Join(faults, "\n"), tt.want) {
				t.Errorf("faults %q, want one that says %q", faults, tt.want)
			}
		})
	}
}
