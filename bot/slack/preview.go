package slack

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

//go:embed preview.html
var previewHTML string

var previewTemplate = template.Must(template.New("preview").Parse(previewHTML))

// Preview writes a page that shows parts much as Slack would, for a browser: without
// a script and without asking Slack. A block that it does not know is shown as it is.
// A chart is drawn as the picture that would be uploaded, with the bars of text below
// it, unless all charts are to be text.
func (a *Adapter) Preview(w io.Writer, parts []bot.Part) error {
	messages := make([]shownMessage, len(parts))
	for i, p := range parts {
		m := &messages[i]
		if err := json.Unmarshal(p.Payload, m); err != nil {
			return fmt.Errorf("showing part %d: %w", i, err)
		}
		m.Number, m.Size, m.Text = i+1, len(p.Payload), unescape(m.Text)
		m.JSON = indented(p.Payload)
		var err error
		if m.Blocks, err = a.drawn(m.Blocks, p.Payload); err != nil {
			return fmt.Errorf("showing part %d: %w", i, err)
		}
	}
	return previewTemplate.Execute(w, messages)
}

var _ bot.Previewer = (*Adapter)(nil)

// chartWords say under a picture how else a workspace may see the chart.
var chartWords = map[string]string{
	"auto":       "Slack draws this itself where the workspace takes its chart block; elsewhere it is this picture, or the bars of text.",
	chartNative:  "Slack draws this itself where the workspace takes its chart block; elsewhere it is bars of text.",
	chartPicture: "This picture, where it can be uploaded; elsewhere bars of text.",
}

// drawn are the blocks of a payload with a picture in place of each chart that can be
// drawn.
func (a *Adapter) drawn(blocks []shownBlock, raw []byte) ([]shownBlock, error) {
	p, ok := readPayload(raw)
	words := chartWords[a.opt.Charts]
	if !ok || words == "" || a.draw == nil {
		return blocks, nil
	}
	var out []shownBlock
	at := 0
	for _, c := range p.Charts {
		if c.At < at || c.N < 1 || c.At+c.N > len(blocks) {
			return nil, errors.New("a chart is not where the payload says")
		}
		out = append(out, blocks[at:c.At]...)
		at = c.At + c.N
		bars := blocks[c.At:at]
		png, err := a.draw(message.Chart(c.Data))
		if err != nil { // as when posting: then it is text
			out = append(out, bars...)
			continue
		}
		out = append(out, shownBlock{
			Type: shownChart, AltText: c.Data.Alt, Words: words, Bars: bars,
			Picture: template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png)), // of our own drawing
		})
	}
	return append(out, blocks[at:]...), nil
}

// shownChart is the type of a block that only the page has.
const shownChart = "chart"

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

	Picture template.URL `json:"-"` // of a chart
	Words   string       `json:"-"` // on how else it may be shown
	Bars    []shownBlock `json:"-"` // of text
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
