package message

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"seedcorn/feeds"
)

// TextOptions say what a terminal can show.
type TextOptions struct {
	Width int  // columns; 0 means 80
	Color bool // ANSI escape sequences
}

// Text renders doc for a terminal: one column, wrapped at the width, every link
// written out. It writes no escape sequence unless asked to, and never one that
// came with the document's own text.
func Text(w io.Writer, doc Document, opt TextOptions) error {
	if opt.Width <= 0 {
		opt.Width = 80
	}
	t := &text{opt: opt}
	doc.Visit(t)
	_, err := io.WriteString(w, t.b.String())
	return err
}

type text struct {
	b    strings.Builder
	opt  TextOptions
	last string // kind of the last block, for spacing
}

// Select Graphic Rendition codes (ECMA-48, 8.3.117).
const (
	sgrBold  = "1"
	sgrFaint = "2"
)

var sgrOpenness = map[feeds.Openness]string{
	feeds.OpenSource: "32", feeds.OpenWeights: "32", feeds.Restricted: "33", feeds.Closed: "31", feeds.Unknown: "35",
}

func (t *text) paint(code, s string) string {
	if !t.opt.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// space begins a new block: a blank line unless it is of the kind of the last one
// and close stands.
func (t *text) space(kind string, close bool) {
	if t.last != "" && !(close && t.last == kind) {
		t.b.WriteByte('\n')
	}
	t.last = kind
}

func (t *text) Heading(h Heading) {
	t.space("heading", false)
	title := tidy(h.Text)
	if h.Level <= 1 {
		t.b.WriteString(t.paint(sgrBold, title) + "\n")
		if h.Note != "" {
			t.wrap(tidy(h.Note), "", "")
		}
		return
	}
	bar := max(0, t.opt.Width-uniseg.StringWidth(title)-1)
	t.b.WriteString(t.paint(sgrBold, strings.ToUpper(title)) + " " + t.paint(sgrFaint, strings.Repeat("─", bar)) + "\n")
	if h.Note != "" {
		t.faint(tidy(h.Note), "")
	}
}

func (t *text) Paragraph(p Paragraph) { t.space("paragraph", false); t.wrap(t.line(p.Text), "", "") }

func (t *text) List(l List) {
	t.space("list", true)
	for _, it := range l.Items {
		t.wrap(t.line(it), "  • ", "    ")
	}
}

func (t *text) Fields(f Fields) {
	t.space("fields", true)
	width := 0
	for _, it := range f.Items {
		width = max(width, uniseg.StringWidth(it.Name))
	}
	for _, it := range f.Items {
		name := tidy(it.Name)
		pad := strings.Repeat(" ", max(0, width-uniseg.StringWidth(name))+2)
		t.wrap(t.line(it.Value), "  "+name+pad, strings.Repeat(" ", width+4))
	}
}

func (t *text) SmallPrint(s SmallPrint) {
	t.space("small", true)
	for _, it := range s.Items {
		t.faint(t.line(it), "")
	}
}

func (t *text) Rule(Rule) {
	t.space("rule", false)
	t.b.WriteString(t.paint(sgrFaint, strings.Repeat("─", t.opt.Width)) + "\n")
}

func (t *text) Preformatted(p Preformatted) {
	t.space("pre", false)
	for l := range strings.Lines(p.Text) {
		t.b.WriteString("    " + strings.TrimRight(visible(l), "\n") + "\n")
	}
}

func (t *text) Story(s Story) {
	t.space("story", false)
	mark := t.paint(sgrOpenness[s.Openness], "●")
	title := tidy(s.Title)
	first := mark + " "
	for i, l := range fold(title, t.opt.Width-2) {
		if i > 0 {
			first = "  "
		}
		t.b.WriteString(first + t.paint(sgrBold, l) + "\n")
	}
	var who []string
	for _, w := range s.Who {
		lab := tidy(w.Lab)
		if w.Country != "" {
			lab = strings.TrimSpace(lab + " [" + tidy(string(w.Country)) + "]")
		}
		who = append(who, lab)
	}
	if len(who) == 0 {
		who = []string{"lab not known"}
	}
	badge := s.Badge
	if s.Caution != "" {
		badge += " — " + s.Caution
	}
	t.wrap(strings.Join(who, ", ")+" · "+tidy(badge), "  ", "  ")
	if s.Note != "" {
		t.wrap(tidy(s.Note), "  ↻ ", "    ")
	}
	if s.Line != "" {
		t.wrap(tidy(s.Line), "  ", "  ")
	}
	tail := s.URL
	if len(s.Also) > 0 {
		var names []string
		for _, l := range s.Also {
			names = append(names, tidy(l.Name))
		}
		tail += "  also: " + strings.Join(names, ", ")
	}
	if s.ID != "" {
		tail += "  (" + s.ID + ")"
	}
	t.faint(visible(tail), "  ")
}

// shades stand for the segments of a bar, darkest first, so that a chart can be
// read without color.
var shades = []string{"█", "▓", "▒", "░", "·"}

func (t *text) Chart(c Chart) {
	t.space("chart", false)
	t.wrap(tidy(c.Title), "", "")
	if c.Kind != ChartBars {
		t.sparks(c)
		return
	}
	most, label := 0.0, 0
	for _, b := range c.Bars {
		most = max(most, b.Total())
		label = max(label, uniseg.StringWidth(b.Label))
	}
	room := max(10, t.opt.Width-label-26)
	for _, b := range c.Bars {
		t.b.WriteString("  " + tidy(b.Label) + strings.Repeat(" ", label-uniseg.StringWidth(b.Label)+1))
		drawn, sum := 0, 0.0
		for i, v := range b.Values {
			sum += v
			// Round the running sum, so that the segments of a bar add up.
			to := 0
			if most > 0 {
				to = int(sum/most*float64(room) + 0.5)
			}
			if v > 0 && i < len(shades) {
				t.b.WriteString(strings.Repeat(shades[i], max(0, to-drawn)))
				drawn = max(drawn, to)
			}
		}
		t.b.WriteString(strings.Repeat(" ", max(0, room-drawn)) + " " + tidy(b.Note) + "\n")
	}
	var legend []string
	for i, s := range c.Series {
		if i < len(shades) {
			legend = append(legend, shades[i]+" "+tidy(s))
		}
	}
	t.faint(strings.Join(legend, "   "), "  ")
}

// sparks are the lines of a chart over time: a row of cells for each, the latest
// value behind it, and the first and the last moment below.
func (t *text) sparks(c Chart) {
	if len(c.Bars) == 0 {
		return
	}
	label, last := 0, 0
	for _, s := range c.Sparks(1) {
		label, last = max(label, uniseg.StringWidth(tidy(s.Name))), max(last, uniseg.StringWidth(s.Last))
	}
	width := 0
	for _, s := range c.Sparks(max(10, t.opt.Width-label-last-5)) {
		name := tidy(s.Name)
		width = uniseg.StringWidth(s.Cells)
		t.b.WriteString("  " + name + strings.Repeat(" ", label-uniseg.StringWidth(name)+1) + s.Cells + " " + s.Last + "\n")
	}
	from, to := tidy(c.Bars[0].Label), tidy(c.Bars[len(c.Bars)-1].Label)
	if gap := width - uniseg.StringWidth(from) - uniseg.StringWidth(to); gap > 0 {
		t.b.WriteString(strings.Repeat(" ", label+3) + t.paint(sgrFaint, from+strings.Repeat(" ", gap)+to) + "\n")
	} else {
		t.faint(from+" – "+to, "  ")
	}
	words := "Drawn from zero to the highest value."
	if slices.ContainsFunc(c.Bars, func(b Bar) bool { return b.Missing }) {
		words += " · is a time without enough data."
	}
	t.faint(words, "  ")
}

func (t *text) Actions(a Actions) {
	t.space("actions", false)
	for _, it := range a.Items {
		t.wrap(tidy(it.Label)+": "+tidy(it.Command), "  → ", "    ")
	}
}

// line renders spans; links are written out behind their text.
func (t *text) line(l Line) string {
	var b strings.Builder
	for _, s := range l {
		x := visible(s.Text)
		switch {
		case s.Code:
			x = "`" + x + "`"
		case s.Bold:
			x = t.paint(sgrBold, x)
		case s.Quiet:
			x = t.paint(sgrFaint, x)
		}
		b.WriteString(x)
		if s.URL != "" && s.URL != s.Text {
			b.WriteString(" <" + visible(s.URL) + ">")
		}
	}
	return b.String()
}

func (t *text) faint(s, indent string) {
	for _, l := range fold(s, t.opt.Width-len(indent)) {
		t.b.WriteString(indent + t.paint(sgrFaint, l) + "\n")
	}
}

func (t *text) wrap(s, first, rest string) {
	indent := first
	for _, l := range fold(s, t.opt.Width-uniseg.StringWidth(first)) {
		t.b.WriteString(indent + l + "\n")
		indent = rest
	}
}

// fold breaks s into lines of at most width columns, at white space; a word that
// is longer than a line (a URL) stays whole, so that it can be copied.
func fold(s string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		n := uniseg.StringWidth(stripSGR(word))
		if line != "" && used+1+n > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// stripSGR removes the escape sequences that paint wrote.
func stripSGR(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		j := strings.IndexByte(s[i:], 'm')
		if j < 0 {
			return s
		}
		s = s[:i] + s[i+j+1:]
	}
}

// Tidy is a stranger's text on one line, with nothing in it that a terminal obeys.
func Tidy(s string) string { return tidy(s) }

// tidy is visible text on one line.
func tidy(s string) string { return strings.Join(strings.Fields(visible(s)), " ") }

// visible drops what a stranger could use to take over a terminal or to mislead
// a reader: control characters, among them ESC, and the marks that turn the
// direction of text around (https://www.unicode.org/reports/tr9/).
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
}

// Number prints a count with one decimal, and without where that says nothing: sums of
// thirds miss a whole number by a hair.
func Number(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}
