package bottest

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/feeds"
)

// Manners are what the suite must be told about a platform's messages.
type Manners struct {
	// Extract returns what a person gets out of a part: all text that is shown, with
	// the platform's escaping undone, and the addresses of its links.
	Extract func(part bot.Part) string
	// Check returns an error for a part that the platform would refuse, or that is more
	// than it should be: one that mentions or calls anybody, one with a link to anything
	// but a web page, one in which a stranger's text became markup.
	Check func(part bot.Part) error
}

// Platform is the suite that every [bot.Platform] must pass. Each part of it asks
// for a platform of its own; nothing is posted.
func Platform(t *testing.T, newPlatform func() bot.Platform, m Manners) {
	t.Helper()
	for _, s := range sections {
		t.Run(s.name, func(t *testing.T) {
			s.check(&exam{newPlatform: newPlatform, Manners: m, errorf: t.Errorf})
		})
	}
}

// sections are what is asked of a platform.
var sections = []struct {
	name  string
	check func(*exam)
}{
	{"name", func(e *exam) {
		if name := e.newPlatform().Name(); !regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`).MatchString(name) {
			e.errorf("the name %q is not short and lower case", name)
		}
	}},
	{"every block", func(e *exam) {
		e.missing(Words(Everything()), e.all(Everything()))
		for _, b := range Everything().Blocks {
			if _, rule := b.(message.Rule); rule {
				continue // it has no words
			}
			alone := message.Document{Summary: "Alone", Blocks: []message.Block{b}}
			e.missing(Words(alone), e.all(alone))
		}
	}},
	{"never clipped", func(e *exam) {
		for name, doc := range long() {
			e.about(name, func(e *exam) { e.missing(Words(doc), e.all(doc)) })
		}
	}},
	{"in order", func(e *exam) {
		shown, at := e.all(long()["stories"]), 0
		for i := range longStories {
			title := storyTitle(i)
			next := strings.Index(shown[at:], title)
			if next < 0 {
				e.errorf("%s is not shown after the one before it", title)
				return
			}
			at += next
		}
	}},
	{"same input, same bytes", func(e *exam) {
		p, doc := e.newPlatform(), Everything()
		want := e.render(doc)
		same := func(got []bot.Part, err error) bool {
			return err == nil && slices.EqualFunc(want, got, func(a, b bot.Part) bool { return bytes.Equal(a.Payload, b.Payload) && a.Summary == b.Summary })
		}
		// Several digests are rendered at a time.
		results := make(chan bool)
		for range 4 {
			go func() { results <- same(p.Render(doc)) }()
		}
		for range 4 {
			if !<-results {
				e.errorf("rendered again, it is another message")
			}
		}
	}},
	{"nothing to say", func(e *exam) {
		e.render(message.Document{})
		for _, b := range empty() {
			e.render(message.Document{Blocks: []message.Block{b}})
		}
		e.render(message.Document{Blocks: empty()})
	}},
	{"preview", func(e *exam) {
		for _, doc := range []message.Document{Everything(), long()["stories"]} {
			e.missing(Words(doc), e.preview(doc))
		}
		for _, s := range Attacks {
			e.about(fmt.Sprintf("%.60q", s), func(e *exam) {
				e.missing([]string{"WordBefore", "WordBetween", "WordAfter"}, e.preview(Hostile(s)))
			})
		}
	}},
	{"strangers", func(e *exam) {
		for _, s := range Attacks {
			e.about(fmt.Sprintf("%.60q", s), func(e *exam) {
				shown := e.all(Hostile(s))
				// What it says does not swallow what comes after it.
				e.missing([]string{"WordBefore", "WordBetween", "WordAfter"}, shown)
				if strings.ContainsAny(shown, "\x00\x07\x1b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
					e.errorf("a control character comes through")
				}
			})
		}
	}},
}

// An exam is one section's look at a platform.
type exam struct {
	newPlatform func() bot.Platform
	Manners
	errorf func(format string, args ...any)
}

// about runs a part of the exam whose faults begin with what it is about.
func (e *exam) about(what string, part func(*exam)) {
	sub := *e
	sub.errorf = func(format string, args ...any) { e.errorf("%s: "+format, append([]any{what}, args...)...) }
	part(&sub)
}

// render renders a document, which may come to nothing, and checks each part.
func (e *exam) render(doc message.Document) []bot.Part {
	parts, err := e.newPlatform().Render(doc)
	if err != nil {
		e.errorf("rendering: %v", err)
	}
	for i, p := range parts {
		// A part is kept as text until it is posted, to the byte.
		if !utf8.Valid(p.Payload) || bytes.IndexByte(p.Payload, 0) >= 0 {
			e.errorf("part %d is not text", i)
		}
		if err := e.Check(p); err != nil {
			e.errorf("part %d: %v", i, err)
		}
	}
	return parts
}

// all renders a document that says something and returns all that is shown of it.
func (e *exam) all(doc message.Document) string {
	parts := e.render(doc)
	if len(parts) == 0 {
		e.errorf("no part")
	}
	var b strings.Builder
	for i, p := range parts {
		if len(bytes.TrimSpace(p.Payload)) == 0 {
			e.errorf("part %d of %d is empty", i, len(parts))
		}
		b.WriteString(e.Extract(p) + "\n")
	}
	return b.String()
}

// preview is the text of the page that shows a document, of a platform that has one;
// the text of its parts otherwise. The page is whole, and nothing in it runs.
func (e *exam) preview(doc message.Document) string {
	p, ok := e.newPlatform().(bot.Previewer)
	if !ok {
		return e.all(doc)
	}
	var page, text strings.Builder
	if err := p.Preview(&page, e.render(doc)); err != nil {
		e.errorf("showing a preview: %v", err)
		return ""
	}
	root, err := html.Parse(strings.NewReader(page.String()))
	if err != nil {
		e.errorf("reading the preview: %v", err)
		return ""
	}
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && n.Parent.DataAtom != atom.Style && !classed(n.Parent, "raw"):
			text.WriteString(n.Data)
		case n.Type != html.ElementNode:
		case slices.Contains([]atom.Atom{atom.Script, atom.Iframe, atom.Object, atom.Embed, atom.Form, atom.Link}, n.DataAtom):
			e.errorf("the preview has a <%s>", n.Data)
		case classed(n, "strange"):
			e.errorf("the preview does not know what the platform itself made")
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "href":
				if !regexp.MustCompile(`^(?i:https?)://`).MatchString(a.Val) {
					e.errorf("the preview leads to %q", a.Val)
				}
				text.WriteString(a.Val + " ")
			case a.Key == "src" && !strings.HasPrefix(a.Val, "data:image/png;base64,"), strings.HasPrefix(a.Key, "on"), a.Key == "style":
				e.errorf("the preview has %s=%q", a.Key, a.Val)
			case a.Key == "alt":
				text.WriteString(a.Val + " ")
			}
		}
	}
	return strings.NewReplacer("\u2060", "", "\u200b", "").Replace(text.String())
}

// classed reports whether an element of a preview has a class: raw holds the payload
// itself, for who wants to see that, and strange what the page could not draw.
func classed(n *html.Node, class string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool {
		return a.Key == "class" && slices.Contains(strings.Fields(a.Val), class)
	})
}

// missing reports the words of a document that are not shown. Upper and lower case
// are the platform's to choose.
func (e *exam) missing(words []string, shown string) {
	shown = strings.ToLower(shown)
	lost := 0
	for _, w := range words {
		if strings.Contains(shown, strings.ToLower(w)) {
			continue
		}
		if lost++; lost <= 5 {
			e.errorf("%q is not shown", w)
		}
	}
	if lost > 5 {
		e.errorf("and %d more of %d words", lost-5, len(words))
	}
}

// Words are the words that a platform must show of a document: all but what it may
// draw in its own way (flags, the lengths of bars, the commands behind buttons) and
// a story's actions, which it may leave to one menu.
func Words(doc message.Document) []string {
	w := &words{}
	doc.Visit(w)
	return w.all
}

type words struct{ all []string }

func (w *words) add(texts ...string) {
	for _, t := range texts {
		w.all = append(w.all, strings.Fields(t)...)
	}
}

func (w *words) lines(ls ...message.Line) {
	for _, l := range ls {
		w.add(l.String())
		for _, s := range l {
			w.add(s.URL)
		}
	}
}

func (w *words) Heading(h message.Heading)           { w.add(h.Text, h.Note) }
func (w *words) Paragraph(p message.Paragraph)       { w.lines(p.Text) }
func (w *words) List(l message.List)                 { w.lines(l.Items...) }
func (w *words) SmallPrint(s message.SmallPrint)     { w.lines(s.Items...) }
func (w *words) Rule(message.Rule)                   {}
func (w *words) Preformatted(p message.Preformatted) { w.add(p.Text) }

func (w *words) Fields(f message.Fields) {
	for _, it := range f.Items {
		w.add(it.Name)
		w.lines(it.Value)
	}
}

func (w *words) Story(s message.Story) {
	w.add(s.Title, s.URL, s.Badge, s.Caution, s.Line, s.Note)
	for _, x := range s.Who {
		w.add(x.Lab)
	}
	for _, l := range s.Also {
		w.add(l.Name)
	}
}

func (w *words) Chart(c message.Chart) {
	w.add(c.Title)
	w.add(c.Series...)
	for i, b := range c.Bars {
		if c.Kind != message.ChartBars { // a chart over time names its first and its last moment
			if i == 0 || i == len(c.Bars)-1 {
				w.add(b.Label)
			}
			continue
		}
		w.add(b.Label, b.Note)
	}
}

func (w *words) Actions(a message.Actions) {
	for _, it := range a.Items {
		w.add(it.Label)
	}
}

// Everything is a document with every block in it.
func Everything() message.Document {
	return message.Document{
		Summary: "WordSummary of the week",
		Blocks: []message.Block{
			message.Heading{Level: 1, Text: "WordHeading of the week", Note: "WordNote beside it"},
			message.Paragraph{Text: message.Line{
				{Text: "WordParagraph, "},
				{Text: "WordBold", Bold: true},
				{Text: " and "},
				{Text: "WordCode", Code: true},
				{Text: " "},
				{Text: "WordQuiet", Quiet: true},
				{Text: " "},
				{Text: "WordLink", URL: "https://example.org/link?a=1&b=2"},
			}},
			message.Heading{Level: 2, Text: "WordSection", Note: "WordBlurb"},
			message.Story{
				Title: "WordStory: R&D in the open, 100% of it", URL: "https://example.org/story?a=1&b=2", ID: "w0123456789", Openness: feeds.Restricted,
				Badge: "WordBadge, MIT", Caution: "WordCaution", Line: "WordLine says what is new.", Note: "WordChange happened",
				Who:  []message.Who{{Lab: "WordLab", Country: "FR", Flag: "🇫🇷", Place: "France"}, {Lab: "深度求索", Country: "CN", Flag: "🇨🇳", Place: "China"}},
				Also: []message.Link{{Name: "WordAlso", URL: "https://example.org/also"}},
				Actions: []message.Action{
					{Label: "Why?", Command: "why w0123456789"},
					{Label: "Save", Command: "save w0123456789"},
				},
			},
			message.Story{Title: "WordBare", URL: "https://example.org/bare", Badge: "no artifact known"},
			message.List{Items: []message.Line{message.Plain("WordItem one"), {{Text: "WordOther", URL: "https://example.org/item"}}}},
			message.Fields{Items: []message.Field{{Name: "WordName", Value: message.Plain("WordValue")}, {Name: "a longer name", Value: message.Line{{Text: "WordMore", Code: true}}}}},
			message.Chart{
				Title: "WordChart", Alt: "Works: France 4.5.", Series: []string{"WordSeries", "closed"},
				Bars: []message.Bar{{Label: "WordBar", Flag: "🇫🇷", Values: []float64{3, 1.5}, Note: "4.5 (3 open)"}, {Label: "WordNothing", Values: []float64{0, 0}, Note: "0"}},
			},
			message.Chart{
				Kind: message.ChartLines, Title: "WordOverTime", Alt: "Open works a week: France 4.5.", Series: []string{"WordLine", "WordBelow"},
				Bars: []message.Bar{{Label: "WordFirstWeek", Values: []float64{3, 1.5}}, {Missing: true, Label: "between", Note: "not enough data"}, {Label: "WordLastWeek", Values: []float64{4.5, 0}, Low: []float64{3, 0}, High: []float64{6, 1}}},
			},
			message.Preformatted{Text: "country:WordPre\n        ^^^^^^^"},
			message.Rule{},
			message.Actions{Items: []message.Action{{Label: "WordAction", Command: "search country:FR"}, {Label: "WordDanger", Command: "unsubscribe s1", Danger: true}}},
			message.SmallPrint{Items: []message.Line{message.Plain("WordSmall print."), {{Text: "WordTerms", URL: "https://example.org/terms"}}}},
		},
	}
}

const longStories = 300

func storyTitle(i int) string { return fmt.Sprintf("Story-%03d", i) }

// long are documents that fit into no single message.
func long() map[string]message.Document {
	numbered := func(word string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s%d ", word, i)
		}
		return b.String()
	}
	stories := message.Document{Summary: "A year", Blocks: []message.Block{message.Heading{Level: 1, Text: "A year", Note: "of stories"}}}
	for i := range longStories {
		if i%50 == 0 {
			stories.Blocks = append(stories.Blocks, message.Heading{Level: 2, Text: fmt.Sprintf("Section-%d", i/50), Note: "a blurb"})
		}
		stories.Blocks = append(stories.Blocks, message.Story{
			Title: fmt.Sprintf("%s: a title of some length, as they are", storyTitle(i)), URL: fmt.Sprintf("https://example.org/story/%d", i), ID: fmt.Sprintf("w%010d", i),
			Openness: feeds.Openness(i % 5), Badge: "open weights, MIT", Caution: "name must be shown", Line: fmt.Sprintf("Line-%03d says in a sentence what is new about it.", i),
			Who:     []message.Who{{Lab: fmt.Sprintf("Lab-%03d", i), Country: "FR", Flag: "🇫🇷", Place: "France"}},
			Also:    []message.Link{{Name: fmt.Sprintf("also-%03d", i), URL: fmt.Sprintf("https://example.org/also/%d", i)}},
			Actions: []message.Action{{Label: "Why?", Command: fmt.Sprintf("why w%010d", i)}},
		})
	}
	list, fields, chart, actions := message.List{}, message.Fields{}, message.Chart{Title: "Chart", Series: []string{"open", "closed"}}, message.Actions{}
	for i := range 200 {
		list.Items = append(list.Items, message.Plain(numbered(fmt.Sprintf("item%d-", i), 30)))
		fields.Items = append(fields.Items, message.Field{Name: fmt.Sprintf("name%d", i), Value: message.Plain(numbered(fmt.Sprintf("value%d-", i), 30))})
		actions.Items = append(actions.Items, message.Action{Label: fmt.Sprintf("Label%d", i), Command: fmt.Sprintf("search %d", i)})
	}
	for i := range 60 {
		chart.Bars = append(chart.Bars, message.Bar{Label: fmt.Sprintf("Country%d", i), Values: []float64{float64(i), 1}, Note: fmt.Sprintf("note%d", i)})
	}
	one := func(b message.Block) message.Document {
		return message.Document{Summary: "Long", Blocks: []message.Block{b}}
	}
	return map[string]message.Document{
		"stories":      stories,
		"a paragraph":  one(message.Paragraph{Text: message.Plain(numbered("word", 4000))}),
		"a list":       one(list),
		"fields":       one(fields),
		"one field":    one(message.Fields{Items: []message.Field{{Name: "name", Value: message.Plain(numbered("value", 3000))}}}),
		"small print":  one(message.SmallPrint{Items: []message.Line{message.Plain(numbered("small", 3000))}}),
		"preformatted": one(message.Preformatted{Text: strings.ReplaceAll(numbered("pre", 3000), "0 ", "0\n")}),
		"a heading":    one(message.Heading{Level: 2, Text: numbered("title", 200), Note: numbered("note", 400)}),
		"one story":    one(message.Story{Title: numbered("title", 90), URL: "https://example.org/long", Badge: "MIT", Line: numbered("line", 300), Note: numbered("note", 100)}),
		"a chart":      one(chart),
		"a long time":  one(message.Chart{Kind: message.ChartLines, Title: chart.Title, Series: chart.Series, Bars: chart.Bars}),
		"actions":      one(actions),
	}
}

// empty has every block with nothing in it.
func empty() []message.Block {
	return []message.Block{
		message.Heading{},
		message.Paragraph{},
		message.List{},
		message.Fields{},
		message.SmallPrint{},
		message.Rule{},
		message.Preformatted{},
		message.Story{},
		message.Chart{},
		message.Actions{},
		message.List{Items: []message.Line{nil, {}}},
		message.Fields{Items: []message.Field{{}}},
		message.SmallPrint{Items: []message.Line{nil}},
		message.Chart{Bars: []message.Bar{{}}},
		message.Chart{Series: []string{""}, Bars: []message.Bar{{Label: "x", Values: []float64{-1, 2, 3}}}},
		message.Chart{Kind: message.ChartLines},
		message.Chart{Kind: message.ChartStack, Series: []string{"", "x"}, Bars: []message.Bar{{Missing: true}, {Values: []float64{-1}}}},
		message.Actions{Items: []message.Action{{}}},
		message.Paragraph{Text: message.Line{{}, {URL: "https://example.org/"}}},
	}
}

// Attacks are texts of strangers who want more than to be read: to mention or call
// people, to format, to link elsewhere, to run, to take over a terminal, to break out
// of a message's encoding, to hide.
var Attacks = []string{
	// Mentions, in every way that a chat has been seen to write one.
	"@everyone", "@here", "@channel", "@all", "<!everyone>", "<!here>", "<!channel>", "<!here|here>", "<@123456789012345678>", "<@!123456789012345678>", "<@&123456789012345678>",
	"<@U0123ABCD>", "<@W0123ABCD|ada>", "<#C0123ABCD>", "<#123456789012345678>", "<!subteam^S0123ABCD>", "<!date^1392734382^{date}|x>", "<t:1618953630:R>", "</why:123456789012345678>",
	"@\u200beveryone", "@every\u00adone", "\uff20everyone", "<\u200b@U0123ABCD>", "<<!here>>", "&lt;!here&gt;", "&amp;lt;!channel&amp;gt;", "<\x00!here>", "<\n!here>", `\<!here\>`, `<@\u0055>`,
	"<id:customize>", "<:emoji:123456789012345678>", "<a:emoji:123456789012345678>", ":tada: :sob:",
	// Markup.
	"**bold** __under__ _it_ ~~no~~ ~no~ *b* ||hidden||", "`code` ``co`de`` ```\npre\n```", "```", "`", "# head\n## head\n> quote\n>>> quote\n- item\n1. item\n-# small", "| a | b |\n| --- | --- |",
	"***", "___", "\\", `\*`, "a\n\n# b", "~~~", "{{template}} ${shell} %s %d",
	// Links that are not what they say, or do not lead to a page.
	"[x](javascript:alert(1))", "[x](https://evil.example)", "[https://example.org](https://evil.example)", "<https://evil.example|https://example.org>", "<javascript:alert(1)|x>", "javascript:alert(1)",
	"data:text/html,<script>alert(1)</script>", "file:///etc/passwd", "https://example.org/) [x](https://evil.example", "https://example.org/|x>", "https://example.org/>x", "https://example.org/<!here>",
	"https://user:pass@evil.example/", "https://", "http:// x", "//evil.example", "https://example.org/" + strings.Repeat("x", 3000), "https://example.org/\"onclick=\"x", "HTTPS://EXAMPLE.ORG/\u202egpj.exe",
	// Pages and encodings.
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</textarea><svg/onload=alert(1)>", "&lt;b&gt; &#60;b&#62;", "]]>", "<!--", `"},{"type":"x"}`, `\u003c!here\u003e`, `\"`, "\\u0000",
	// Terminals and readers.
	"\x1b[2J\x1b]0;title\x07", "\x9b31m", "a\rb", "a\bb", "a\u202eb\u2066c\u2069", "\u061cx", "\u200e\u200f", "\u2028\u2029", "\x00\xff\xfe", "\xf0\x9f", "\ufeff", "a\u0300" + strings.Repeat("\u0300", 500), "🏴\u200d☠️👨\u200d👩\u200d👧\u200d👦",
	// Too much and too little.
	"", " ", "\n\n\n", "\t", "\u00a0", "\u3000", strings.Repeat("x", 5000), strings.Repeat("@here ", 1000), strings.Repeat("研", 2500), strings.Repeat("🇫🇷", 800), strings.Repeat("\n", 3000), strings.Repeat("*_`~|>", 500),
	strings.Repeat("<", 3000), strings.Repeat("&", 3000), strings.Repeat(`"`, 3000), strings.Repeat(`\`, 3000),
}

// Hostile is a document with a stranger's text wherever a document takes text, and
// three words of ours, WordBefore, WordBetween and WordAfter, which must be shown.
func Hostile(s string) message.Document {
	ours := func(w string) message.Paragraph { return message.Paragraph{Text: message.Plain(w)} }
	return message.Document{Summary: s, Blocks: []message.Block{
		ours("WordBefore"),
		message.Heading{Level: 1, Text: s, Note: s},
		message.Heading{Level: 2, Text: s, Note: s},
		message.Paragraph{Text: message.Line{{Text: s}, {Text: s, Bold: true}, {Text: s, Code: true}, {Text: s, Quiet: true}, {Text: s, URL: s}, {Text: s, URL: "https://example.org/" + s}, {Text: "x", URL: s}}},
		message.List{Items: []message.Line{message.Plain(s), {{Text: s, URL: s}}}},
		message.Fields{Items: []message.Field{{Name: s, Value: message.Plain(s)}}},
		ours("WordBetween"),
		message.Preformatted{Text: s},
		message.Story{
			Title: s, URL: s, ID: s, Badge: s, Caution: s, Line: s, Note: s, Who: []message.Who{{Lab: s, Country: feeds.Country(s), Flag: s, Place: s}},
			Also: []message.Link{{Name: s, URL: s}, {Name: s, URL: "https://example.org/"}}, Actions: []message.Action{{Label: s, Command: s}, {Label: "Why?", Command: "why " + s}},
		},
		message.Chart{Title: s, Alt: s, Series: []string{s}, Bars: []message.Bar{{Label: s, Flag: s, Values: []float64{1}, Note: s}}},
		message.Chart{Kind: message.ChartLines, Title: s, Alt: s, Series: []string{s}, Bars: []message.Bar{{Label: s, Values: []float64{1}, Note: s}, {Label: s, Missing: true, Note: s}}},
		message.Actions{Items: []message.Action{{Label: s, Command: s}, {Label: "Go", Command: "search " + s}}},
		message.SmallPrint{Items: []message.Line{message.Plain(s), {{Text: s, URL: s}}}},
		ours("WordAfter"),
	}}
}
