package message

import (
	"fmt"
	"io"
	"strings"
)

// Markdown renders doc as CommonMark (https://spec.commonmark.org/0.31.2/) with
// GitHub's tables. Text of strangers is escaped: it can neither format nor link.
func Markdown(w io.Writer, doc Document) error {
	m := &markdown{}
	doc.Visit(m)
	_, err := io.WriteString(w, strings.TrimLeft(m.b.String(), "\n"))
	return err
}

type markdown struct{ b strings.Builder }

func (m *markdown) printf(format string, args ...any) { fmt.Fprintf(&m.b, format, args...) }

func (m *markdown) Heading(h Heading) {
	m.printf("\n%s %s\n", strings.Repeat("#", max(1, h.Level)), mdEscape(h.Text))
	if h.Note != "" {
		m.printf("\n%s\n", mdEscape(h.Note))
	}
}

func (m *markdown) Paragraph(p Paragraph) { m.printf("\n%s\n", mdLine(p.Text)) }

func (m *markdown) List(l List) {
	m.printf("\n")
	for _, it := range l.Items {
		m.printf("- %s\n", mdLine(it))
	}
}

func (m *markdown) Fields(f Fields) {
	m.printf("\n")
	for _, it := range f.Items {
		m.printf("- **%s:** %s\n", mdEscape(it.Name), mdLine(it.Value))
	}
}

func (m *markdown) SmallPrint(s SmallPrint) {
	for _, it := range s.Items {
		m.printf("\n_%s_\n", mdLine(it))
	}
}

func (m *markdown) Rule(Rule) { m.printf("\n---\n") }

func (m *markdown) Preformatted(p Preformatted) {
	fence := "```"
	for strings.Contains(p.Text, fence) {
		fence += "`"
	}
	m.printf("\n%s\n%s\n%s\n", fence, strings.TrimRight(visible(p.Text), "\n"), fence)
}

func (m *markdown) Story(s Story) {
	var who []string
	for _, w := range s.Who {
		who = append(who, strings.TrimSpace(w.Flag+" "+mdEscape(w.Lab)))
	}
	if len(who) == 0 {
		who = []string{"lab not known"}
	}
	badge := "**" + mdEscape(s.Badge) + "**"
	if s.Caution != "" {
		badge += " (" + mdEscape(s.Caution) + ")"
	}
	m.printf("\n- %s · %s · %s", mdLink(s.Title, s.URL), strings.Join(who, ", "), badge)
	if s.Note != "" {
		m.printf("  \n  ↻ %s", mdEscape(s.Note))
	}
	if s.Line != "" {
		m.printf("  \n  %s", mdEscape(s.Line))
	}
	if len(s.Also) > 0 {
		var links []string
		for _, l := range s.Also {
			links = append(links, mdLink(l.Name, l.URL))
		}
		m.printf("  \n  also: %s", strings.Join(links, ", "))
	}
	m.printf("\n")
}

func (m *markdown) Chart(c Chart) {
	m.printf("\n**%s**\n\n| |", mdEscape(c.Title))
	for _, s := range c.Series {
		m.printf(" %s |", mdEscape(s))
	}
	total, columns := c.Kind != ChartLines, len(c.Series) // lines do not add up
	if total {
		m.printf(" total |")
		columns++
	}
	m.printf("\n| --- |%s", strings.Repeat(" ---: |", len(c.Series)))
	if total {
		m.printf(" ---: |")
	}
	m.printf("\n")
	for _, b := range c.Bars {
		m.printf("| %s |", strings.TrimSpace(b.Flag+" "+mdEscape(b.Label)))
		if b.Missing {
			m.printf("%s\n", strings.Repeat(" – |", columns))
			continue
		}
		for i, v := range b.Values {
			m.printf(" %s%s |", Number(v), b.interval(i))
		}
		if total {
			m.printf(" %s |", Number(b.Total()))
		}
		m.printf("\n")
	}
}

func (m *markdown) Actions(a Actions) {
	m.printf("\n")
	for _, it := range a.Items {
		m.printf("- %s: `%s`\n", mdEscape(it.Label), strings.ReplaceAll(tidy(it.Command), "`", "'"))
	}
}

func mdLine(l Line) string {
	var b strings.Builder
	for _, s := range l {
		x := mdSpan(s.Text)
		switch {
		case s.Code:
			x = "`" + strings.ReplaceAll(tidy(s.Text), "`", "'") + "`"
		case s.Bold:
			x = "**" + mdEscape(s.Text) + "**"
		}
		if s.URL != "" {
			x = mdLink(s.Text, s.URL)
		}
		b.WriteString(x)
	}
	return b.String()
}

func mdLink(text, url string) string {
	if !webURL(url) {
		return mdEscape(text)
	}
	r := strings.NewReplacer(" ", "%20", "<", "%3C", ">", "%3E", "(", "%28", ")", "%29", "\n", "", "\\", "%5C")
	return "[" + mdEscape(text) + "](" + r.Replace(url) + ")"
}

// webURL reports whether a link may be followed from a message: a stranger's
// javascript: or file: URL is shown as text only.
func webURL(u string) bool {
	return strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://")
}

var mdReplacer = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "|", `\|`, "~", `\~`, "!", `\!`, "&", `\&`,
)

func mdEscape(s string) string { return mdReplacer.Replace(tidy(s)) }

// mdSpan escapes a span of a line, whose white space at the ends separates it
// from its neighbors.
func mdSpan(s string) string {
	out := mdEscape(s)
	if out == "" {
		return ""
	}
	if strings.TrimLeft(s, " ") != s {
		out = " " + out
	}
	if strings.TrimRight(s, " ") != s {
		out += " "
	}
	return out
}
