// Package message is the small closed document that every platform must be able
// to show.
//
// A [Document] is a sequence of blocks. The set of blocks is sealed: there is no
// escape hatch, so whatever is written once can be read everywhere, and a renderer
// that forgets a block does not compile against [Visit]. What comes in is plain
// text from anybody, strangers included; escaping, limits and paging are the
// business of whoever renders. What goes out of this package's own renderers is
// plain text for terminals ([Text]), Markdown ([Markdown]) and HTML ([HTML]).
//
// A button *is* an invocation of a command: an [Action] holds the words that a
// person could have typed, so that a click and a typed command take the same way.
package message

import "seedcorn/feeds"

// A Document is one message, however long.
type Document struct {
	// Summary is the message in a line, for notifications and screen readers.
	Summary string
	Blocks  []Block
}

// A Block is a part of a document. The implementations in this package are all
// there are.
type Block interface{ block() }

// Heading begins the document (Level 1) or a section of it (Level 2).
type Heading struct {
	Level int
	Text  string
	Note  string // a few words after it, less loud
}

// Paragraph is a run of text.
type Paragraph struct{ Text Line }

// List is a bulleted list.
type List struct{ Items []Line }

// Fields is a list of names and values: "License: MIT".
type Fields struct{ Items []Field }

// Field is a name and its value.
type Field struct {
	Name  string
	Value Line
}

// SmallPrint is text that must be there and need not be loud.
type SmallPrint struct{ Items []Line }

// Rule is a horizontal line.
type Rule struct{}

// Preformatted is text whose columns matter: a query with a caret below it.
type Preformatted struct{ Text string }

// Story is one work.
type Story struct {
	Title    string
	URL      string
	ID       string // the work's id, for "why" and "work"
	Who      []Who
	Openness feeds.Openness
	Badge    string // "MIT weights"
	Caution  string // "non-commercial only"
	Line     string
	Note     string // what changed
	Also     []Link
	Actions  []Action
}

// Who is a lab and its country.
type Who struct {
	Lab     string
	Country feeds.Country
	Flag    string // an emoji
	Place   string // the country's name
}

// Link is a named URL.
type Link struct{ Name, URL string }

// Chart is one table of numbers with a way to draw it. Alt says what it shows, in
// words: the finding, not the axes.
type Chart struct {
	Kind   ChartKind
	Title  string
	Alt    string
	Note   string   // how it was counted: drawn in pictures, which travel without the text around them
	Series []string // names of the segments or lines, in order
	Bars   []Bar    // the bars, or the points in time, oldest first
	Level  Level    // a line to compare with
}

// ChartKind is how a chart is drawn.
type ChartKind uint8

// The kinds of chart. Each has its baseline at zero.
const (
	ChartBars  ChartKind = iota // stacked horizontal bars
	ChartLines                  // a line for each series over time, with its interval where it has one
	ChartStack                  // areas over time, stacked
)

// Level is a named value that a chart of lines is compared with. Without a name
// there is none.
type Level struct {
	At   float64
	Name string
}

// Bar is one bar of a chart, or one point in time of all its lines, with one value
// for each series.
type Bar struct {
	Label  string
	Flag   string
	Values []float64
	// Low and High are the interval of each value; nil for values without one.
	Low, High []float64
	Missing   bool // there is no value here, which is not the same as zero: Note says why
	Note      string
}

// Total is the bar's length.
func (b Bar) Total() float64 {
	t := 0.0
	for _, v := range b.Values {
		t += v
	}
	return t
}

// interval is a value's interval in words, "" if it has none.
func (b Bar) interval(i int) string {
	if i >= len(b.Low) || i >= len(b.High) {
		return ""
	}
	return " (" + Number(b.Low[i]) + "–" + Number(b.High[i]) + ")"
}

// Actions are buttons.
type Actions struct{ Items []Action }

// Action is a button: a label and the command it stands for, as typed.
type Action struct {
	Label   string
	Command string // "why w7k3m9q2xd"
	Danger  bool
}

func (Heading) block()      {}
func (Paragraph) block()    {}
func (List) block()         {}
func (Fields) block()       {}
func (SmallPrint) block()   {}
func (Rule) block()         {}
func (Preformatted) block() {}
func (Story) block()        {}
func (Chart) block()        {}
func (Actions) block()      {}

// A Line is text made of spans.
type Line []Span

// A Span is a run of text in one style, possibly a link.
type Span struct {
	Text  string
	URL   string
	Bold  bool
	Code  bool
	Quiet bool
	// Person and Role are the platform's id of somebody, or of a role, whose name is shown
	// in place of Text where the platform can do so without calling anyone.
	Person, Role string
	// Channel is the platform's id of a channel, likewise.
	Channel string
}

// Plain makes a line of one unstyled span.
func Plain(s string) Line { return Line{{Text: s}} }

// String returns the line's text without styles or links.
func (l Line) String() string {
	s := ""
	for _, p := range l {
		s += p.Text
	}
	return s
}

// A Visitor renders blocks. Every block has its method, so a renderer that
// forgets one does not compile.
type Visitor interface {
	Heading(Heading)
	Paragraph(Paragraph)
	List(List)
	Fields(Fields)
	SmallPrint(SmallPrint)
	Rule(Rule)
	Preformatted(Preformatted)
	Story(Story)
	Chart(Chart)
	Actions(Actions)
}

// Visit hands each block of the document to its method of v, in order.
func (d Document) Visit(v Visitor) {
	for _, b := range d.Blocks {
		switch b := b.(type) {
		case Heading:
			v.Heading(b)
		case Paragraph:
			v.Paragraph(b)
		case List:
			v.List(b)
		case Fields:
			v.Fields(b)
		case SmallPrint:
			v.SmallPrint(b)
		case Rule:
			v.Rule(b)
		case Preformatted:
			v.Preformatted(b)
		case Story:
			v.Story(b)
		case Chart:
			v.Chart(b)
		case Actions:
			v.Actions(b)
		}
	}
}
