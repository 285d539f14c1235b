package discord

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"seedcorn/bot"
)

//go:embed preview.html
var previewHTML string

var previewTemplate = template.Must(template.New("preview").Parse(previewHTML))

// Preview writes a page that shows parts much as Discord would, for a browser:
// without a script and without asking Discord. A component that it does not know is
// named.
func (a *Adapter) Preview(w io.Writer, parts []bot.Part) error {
	var page struct {
		Colors   []string
		Messages []shownMessage
	}
	for i, p := range parts {
		var m struct {
			Components []component `json:"components"`
			Files      []file      `json:"files"`
		}
		var raw map[string]any
		if err := errors.Join(json.Unmarshal(p.Payload, &m), json.Unmarshal(p.Payload, &raw)); err != nil {
			return fmt.Errorf("showing part %d: %w", i, err)
		}
		delete(raw, "files") // pictures are not to be read
		b, err := json.MarshalIndent(raw, "", "  ")
		if err != nil {
			return fmt.Errorf("showing part %d: %w", i, err)
		}
		s := shownMessage{Number: i + 1, Size: len(p.Payload), JSON: string(b), Components: shownOf(m.Components, m.Files)}
		for _, c := range m.Components {
			if color := hexColor(c.AccentColor); c.Type == typeContainer && !slices.Contains(page.Colors, color) {
				page.Colors = append(page.Colors, color)
			}
		}
		page.Messages = append(page.Messages, s)
	}
	return previewTemplate.Execute(w, page)
}

var _ bot.Previewer = (*Adapter)(nil)

func hexColor(n int) string { return fmt.Sprintf("%06x", n&0xffffff) }

type shownMessage struct {
	Number, Size int
	JSON         string
	Components   []shownComponent
}

// A shownComponent is a component with what the page makes of it.
type shownComponent struct {
	component
	Components []shownComponent
	Accessory  *shownComponent
	Pictures   []shownPicture
}

type shownPicture struct {
	URL   template.URL // of its bytes
	Words string
}

func shownOf(cs []component, files []file) []shownComponent {
	out := make([]shownComponent, len(cs))
	for i, c := range cs {
		out[i] = shownComponent{component: c, Components: shownOf(c.Components, files)}
		if c.Accessory != nil {
			out[i].Accessory = &shownOf([]component{*c.Accessory}, files)[0]
		}
		for _, p := range c.Items {
			s := shownPicture{Words: p.Description}
			for _, f := range files {
				if f.Name == strings.TrimPrefix(p.Media.URL, attached) {
					s.URL = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(f.Data)) // of our own drawing
				}
			}
			out[i].Pictures = append(out[i].Pictures, s)
		}
	}
	return out
}

// Color is a container's.
func (c shownComponent) Color() string { return hexColor(c.AccentColor) }

// Marked is a text display as HTML: of Discord's Markdown, what we write.
func (c shownComponent) Marked() template.HTML {
	var b strings.Builder
	inBlock := false
	for line := range strings.SplitSeq(c.Content, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			if inBlock = !inBlock; inBlock {
				b.WriteString(`<pre tabindex="0">`)
			} else {
				b.WriteString("</pre>")
			}
		case inBlock:
			b.WriteString(template.HTMLEscapeString(line) + "\n")
		default:
			tag, class := "div", ` class="line"`
			for _, p := range []struct{ mark, tag, class string }{{"### ", "h3", ""}, {"## ", "h2", ""}, {"-# ", "small", ""}, {"- ", "div", ` class="line item"`}} {
				if rest, ok := strings.CutPrefix(line, p.mark); ok {
					line, tag, class = rest, p.tag, p.class
					if p.mark == "- " {
						line = "• " + line
					}
					break
				}
			}
			b.WriteString("<" + tag + class + ">")
			inlineHTML(&b, line)
			b.WriteString("</" + tag + ">\n")
		}
	}
	if inBlock {
		b.WriteString("</pre>")
	}
	return template.HTML(b.String()) // every text in it went through an escaper
}

// inlineHTML writes a line: escapes, bold, code spans and masked links.
func inlineHTML(b *strings.Builder, s string) {
	bold := false
	for i := 0; i < len(s); {
		rest := s[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			n := 1 + len(firstRune(rest[1:]))
			template.HTMLEscape(b, []byte(rest[1:n]))
			i += n
		case strings.HasPrefix(rest, "**"):
			if bold = !bold; bold {
				b.WriteString("<b>")
			} else {
				b.WriteString("</b>")
			}
			i += 2
		case rest[0] == '`' && strings.IndexByte(rest[1:], '`') >= 0:
			n := strings.IndexByte(rest[1:], '`')
			b.WriteString("<code>")
			template.HTMLEscape(b, []byte(rest[1:1+n]))
			b.WriteString("</code>")
			i += n + 2
		case strings.HasPrefix(rest, "<http") && strings.IndexByte(rest, '>') > 0 && isWeb(rest[1:strings.IndexByte(rest, '>')]):
			n := strings.IndexByte(rest, '>')
			link := template.HTMLEscapeString(rest[1:n])
			fmt.Fprintf(b, `<a href="%s" rel="noreferrer">%s</a>`, link, link)
			i += n + 1
		case rest[0] == '[' && maskedLink(rest) != nil:
			m := maskedLink(rest)
			fmt.Fprintf(b, `<a href="%s" rel="noreferrer">`, template.HTMLEscapeString(m.url))
			inlineHTML(b, m.text)
			b.WriteString("</a>")
			i += m.size
		default:
			r := firstRune(rest)
			template.HTMLEscape(b, []byte(r))
			i += len(r)
		}
	}
	if bold {
		b.WriteString("</b>")
	}
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

type maskedAt struct {
	text, url string
	size      int
}

// maskedLink reads "[text](url)" at the beginning of s; nil if there is none.
func maskedLink(s string) *maskedAt {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ']':
			if !strings.HasPrefix(s[i:], "](") {
				return nil
			}
			end := strings.IndexByte(s[i:], ')')
			if end < 0 || !isWeb(s[i+2:i+end]) {
				return nil
			}
			return &maskedAt{text: s[1:i], url: s[i+2 : i+end], size: i + end + 1}
		}
	}
	return nil
}
