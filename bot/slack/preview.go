package slack

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"seedcorn/bot"
)

//go:embed preview.html
var previewHTML string

var previewTemplate = template.Must(template.New("preview").Parse(previewHTML))

// Preview writes a page that shows parts much as Slack would, for a browser: without
// a script and without asking Slack. A block that it does not know is shown as it is.
func (a *Adapter) Preview(w io.Writer, parts []bot.Part) error {
	messages := make([]shownMessage, len(parts))
	for i, p := range parts {
		m := &messages[i]
		if err := json.Unmarshal(p.Payload, m); err != nil {
			return fmt.Errorf("showing part %d: %w", i, err)
		}
		m.Number, m.Size, m.Text = i+1, len(p.Payload), unescape(m.Text)
		m.JSON = indented(p.Payload)
	}
	return previewTemplate.Execute(w, messages)
}

var _ bot.Previewer = (*Adapter)(nil)

// A shownMessage is a payload as the page shows it.
type shownMessage struct {
	Number, Size int    `json:"-"`
	JSON         string `json:"-"`
	Text         string
	Blocks       []shownBlock
}

// A shownBlock is any block: the page looks at what its type has.
type shownBlock struct {
	Type      string
	Text      shownText
	Fields    []shownText
	Elements  []shownElement
	Accessory *shownElement
	AltText   string `json:"alt_text"`
	JSON      string `json:"-"`
}

func (b *shownBlock) UnmarshalJSON(raw []byte) error {
	type plain shownBlock // without this method
	if err := json.Unmarshal(raw, (*plain)(b)); err != nil {
		return err
	}
	b.JSON = indented(raw)
	return nil
}

// A shownText is a text, or the object that holds one.
type shownText struct{ Text string }

func (t *shownText) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &t.Text) == nil {
		return nil
	}
	type plain shownText
	return json.Unmarshal(raw, (*plain)(t))
}

func (t shownText) String() string { return t.Text }

// A shownElement is an element of a block, or one of such an element.
type shownElement struct {
	Type     string
	Text     shownText
	URL      string
	Name     string // of an emoji
	Style    shownStyle
	Options  []shownElement
	Elements []shownElement
}

// Danger reports whether it is a button that warns.
func (e shownElement) Danger() bool { return e.Style.Name == "danger" }

// A shownStyle is a text's style, or the name of a button's or a list's.
type shownStyle struct {
	Bold, Italic, Code bool
	Name               string `json:"-"`
}

func (s *shownStyle) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &s.Name) == nil {
		return nil
	}
	type plain shownStyle
	return json.Unmarshal(raw, (*plain)(s))
}

func indented(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(b)
}
