package discord

import (
	"fmt"
	"strings"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// A look is how a class of openness shows: the color of its card, and a mark for
// those who do not see colors.
type look struct {
	color int
	dot   string
}

// looks are by the class's name. The colors are legible on Discord's dark and light
// themes.
var looks = map[string]look{
	"open-source":  {0x2da44e, "🟢"},
	"open-weights": {0x388bfd, "🔵"},
	"restricted":   {0xd29922, "🟡"},
	"closed":       {0xcf222e, "🔴"},
}

var unknownLook = look{0x8c959f, "⚪"}

func lookOf(class string) look {
	if l, ok := looks[strings.ReplaceAll(class, " ", "-")]; ok {
		return l
	}
	return unknownLook
}

// pieceSize is the most characters in one text display. Four of them fill a
// message, so that a long text leaves room beside it for a short one.
const pieceSize = 1600

// A unit is what stays together in one message.
type unit struct {
	text   string      // a top-level text, which is joined with its neighbors
	parts  []component // or components
	card   int         // color of the container that holds them, 0 for none
	sticky bool        // a heading: it does not stand last in a message
	opens  string      // title of the section that it begins
	story  bool
	rule   bool
	more   *choice // the story in the menu below those of a message, which opens it with all its buttons

	components, chars int // what it takes of a message, its card not counted
}

// weighed is the unit with what it takes.
func (u unit) weighed() unit {
	u.components, u.chars = 0, 0
	if u.text != "" {
		u.components, u.chars = 1, size(u.text)+1
	}
	for _, c := range u.parts {
		u.components += c.count()
		u.chars += c.text()
	}
	return u
}

// Render implements bot.Platform: the final JSON of each message, within every
// limit. It never clips.
func (a *Adapter) Render(doc message.Document) ([]bot.Part, error) {
	out := a.render(doc, a.opt.Pictures)
	parts := make([]bot.Part, len(out))
	for i, m := range out {
		b, err := encode(m)
		if err != nil {
			return nil, err
		}
		summary := cut(oneLine(doc.Summary), 200)
		if len(out) > 1 {
			summary = fmt.Sprintf("%d of %d: %s", i+1, len(out), summary)
		}
		parts[i] = bot.Part{Payload: b, Summary: summary}
	}
	return parts, nil
}

// messages renders a document without pictures, as an answer has it; there is always
// at least one message.
func (a *Adapter) messages(doc message.Document) []outgoing { return a.render(doc, false) }

func (a *Adapter) render(doc message.Document, pictures bool) []outgoing {
	r := &renderer{customID: a.customID, pictures: pictures}
	for _, b := range doc.Blocks {
		if _, ok := b.(message.Story); ok {
			r.stories++
		}
	}
	doc.Visit(r)
	for i := range r.units {
		r.units[i] = r.units[i].weighed()
	}
	b := &binder{}
	for i, u := range r.units {
		b.add(u, r.units[i+1:])
	}
	b.flush()
	if len(b.out) == 0 {
		text := pieces(message.Plain(doc.Summary), maxText)
		if len(text) == 0 {
			text = []string{"Nothing to show."}
		}
		for _, p := range text {
			b.out = append(b.out, []component{{Type: typeText, Content: p}})
		}
	}
	out := make([]outgoing, len(b.out))
	for i, c := range b.out {
		unique(c, map[string]int{})
		out[i] = outgoing{Flags: flagComponentsV2, Components: c}
		out[i].attach(c, r.files)
	}
	return out
}

// attach adds the files that a message's galleries show.
func (m *outgoing) attach(cs []component, files map[string][]byte) {
	for _, c := range cs {
		for _, p := range c.Items {
			name := strings.TrimPrefix(p.Media.URL, attached)
			m.Attachments = append(m.Attachments, attachment{ID: len(m.Files), Filename: name, Description: p.Description})
			m.Files = append(m.Files, file{Name: name, Data: files[name]})
		}
	}
}

// unique tells custom ids of one message apart: Discord refuses two that are the
// same, as of a work that is told about in two sections.
func unique(cs []component, seen map[string]int) {
	for i := range cs {
		if id := cs[i].CustomID; id != "" {
			n := seen[id]
			seen[id]++
			if n > 0 {
				cs[i].CustomID = again(id, n)
			}
		}
		unique(cs[i].Components, seen)
		if cs[i].Accessory != nil {
			one := []component{*cs[i].Accessory}
			unique(one, seen)
			cs[i].Accessory = &one[0]
		}
	}
}

// A binder puts units into messages, as many into each as the limits let.
type binder struct {
	out     [][]component
	cur     []unit
	section string // the one that is being told
}

func (b *binder) add(u unit, next []unit) {
	if u.opens != "" {
		b.section = u.opens
	}
	// A heading needs room for what it heads, too.
	group := []unit{u}
	for i := 0; u.sticky && i < len(next) && len(group) < 4; i++ {
		group = append(group, next[i])
		if !next[i].sticky {
			break
		}
	}
	cur := b.cur[:len(b.cur):len(b.cur)]
	// What is nothing but headings is not ended for the sake of what they head: a
	// message of headings alone would be left behind.
	if len(cur) > 0 && (!fit(append(cur, u)) || !b.headed() && !fit(append(cur, group...))) {
		b.flush()
		if u.story && u.opens == "" && b.section != "" {
			again := unit{text: "-# " + b.section + ", continued", sticky: true}.weighed()
			if fit([]unit{again, u}) {
				b.cur = append(b.cur, again)
			}
		}
	}
	if u.rule && len(b.cur) == 0 {
		return // the break between two messages is one
	}
	b.cur = append(b.cur, u)
}

// headed reports whether the current message is nothing but headings.
func (b *binder) headed() bool {
	for _, u := range b.cur {
		if !u.sticky {
			return false
		}
	}
	return true
}

func (b *binder) flush() {
	for len(b.cur) > 0 && b.cur[len(b.cur)-1].rule {
		b.cur = b.cur[:len(b.cur)-1]
	}
	if len(b.cur) > 0 {
		b.out = append(b.out, bind(b.cur))
	}
	b.cur = nil
}

// bind makes components of units: neighboring texts become one, neighboring stories
// of one color share a card.
func bind(units []unit) []component {
	var out []component
	card, lastMenu := 0, -1
	for i, u := range units {
		if u.more != nil {
			lastMenu = i
		}
	}
	for i, u := range units {
		last := len(out) - 1
		switch {
		case u.card != 0 && u.card == card:
			out[last].Components = append(out[last].Components, u.parts...)
		case u.card != 0:
			out = append(out, component{Type: typeContainer, AccentColor: u.card, Components: append([]component(nil), u.parts...)})
		case u.text != "" && last >= 0 && out[last].Type == typeText && size(out[last].Content)+1+size(u.text) <= maxText:
			out[last].Content += "\n" + u.text
		case u.text != "":
			out = append(out, component{Type: typeText, Content: u.text})
		default:
			out = append(out, u.parts...)
		}
		card = u.card
		if i == lastMenu {
			menu := component{Type: typeSelect, CustomID: menuID, Placeholder: "Use it? Save it? Useful? Choose a work", Options: menuOf(units)}
			out = append(out, component{Type: typeRow, Components: []component{menu}})
			card = 0
		}
	}
	return out
}

// menuOf are the stories of a message that can be opened, those that are told in two
// sections once.
func menuOf(units []unit) (out []choice) {
	seen := map[string]bool{}
	for _, u := range units {
		if u.more != nil && !seen[u.more.Value] {
			seen[u.more.Value] = true
			out = append(out, *u.more)
		}
	}
	return out
}

// fit reports whether units make one message within the limits.
func fit(units []unit) bool {
	n, text, card, texts, lastMenu := 0, 0, 0, false, -1
	for i, u := range units {
		if u.more != nil {
			lastMenu = i
		}
	}
	for i, u := range units {
		if n += u.components; u.text != "" && texts {
			n-- // one text with the one before
		}
		if u.card != 0 && u.card != card {
			n++
		}
		text, card, texts = text+u.chars, u.card, u.text != ""
		if i == lastMenu {
			n, card = n+2, 0 // a row with a select in it; what follows begins a card of its own
		}
	}
	return n <= maxComponents && text <= maxText && len(menuOf(units)) <= maxOptions
}

// A renderer makes units of blocks.
type renderer struct {
	units    []unit
	customID func(command string) string
	pictures bool
	stories  int // of the document
	files    map[string][]byte
}

func (r *renderer) texts(prefix, rest string, ps []string) {
	for i, p := range ps {
		if i > 0 {
			prefix = rest
		}
		r.units = append(r.units, unit{text: prefix + p})
	}
}

func (r *renderer) Heading(h message.Heading) {
	marks := "## "
	if h.Level > 1 {
		marks = "### "
	}
	ps := pieces(message.Plain(h.Text), pieceSize)
	for i, p := range ps {
		u := unit{text: marks + p, sticky: true}
		if i == 0 {
			u.opens = p
			if len(ps) > 1 || size(p) > 100 {
				u.opens = escape(cut(oneLine(h.Text), 60))
			}
		}
		r.units = append(r.units, u)
	}
	for _, p := range pieces(message.Plain(h.Note), pieceSize) {
		r.units = append(r.units, unit{text: "-# " + p, sticky: true})
	}
}

func (r *renderer) Paragraph(p message.Paragraph) { r.texts("", "", pieces(p.Text, pieceSize)) }

func (r *renderer) List(l message.List) {
	for _, it := range l.Items {
		r.texts("- ", "  ", pieces(it, pieceSize))
	}
}

func (r *renderer) Fields(f message.Fields) {
	for _, it := range f.Items {
		line := message.Line{{Text: strings.TrimSpace(oneLine(it.Name)) + ":", Bold: true}, {Text: " "}}
		r.texts("", "", pieces(append(line, it.Value...), pieceSize))
	}
}

func (r *renderer) SmallPrint(s message.SmallPrint) {
	for _, it := range s.Items {
		r.texts("-# ", "-# ", pieces(it, pieceSize))
	}
}

func (r *renderer) Rule(message.Rule) {
	r.units = append(r.units, unit{parts: []component{{Type: typeSeparator}}, rule: true})
}

func (r *renderer) Preformatted(p message.Preformatted) {
	r.texts("", "", block(p.Text, pieceSize))
}

// buttonsUpTo is the most stories of a document that have all their buttons below
// them. In a longer one each has its first button beside it, and a menu below the stories
// of a message opens one of them with all its buttons: a reader of sixty works wants to
// read, and forty components make four stories with five buttons, or twelve with one.
const buttonsUpTo = 3

// Story is a section: the text, and beside it the button that asks why.
func (r *renderer) Story(s message.Story) {
	l := lookOf(s.Openness.String())
	var lines []string
	add := func(prefix string, line message.Line) {
		for _, p := range pieces(line, pieceSize) {
			lines = append(lines, prefix+p)
		}
	}
	add("", message.Line{{Text: s.Title, URL: s.URL, Bold: true}})
	who := ""
	for i, w := range s.Who {
		if i > 0 {
			who += ", "
		}
		if who += strings.TrimSpace(w.Flag + " " + w.Lab); w.Flag == "" && w.Place != "" {
			who += " (" + w.Place + ")"
		}
	}
	if who == "" {
		who = "lab not known"
	}
	what := message.Line{{Text: who + " · " + l.dot + " "}, {Text: s.Badge, Bold: true}}
	if s.Caution != "" {
		what = append(what, message.Span{Text: " (" + s.Caution + ")"})
	}
	add("", what)
	add("", message.Plain(s.Line))
	if s.Note != "" {
		add("-# ", message.Plain("↻ "+s.Note))
	}
	if len(s.Also) > 0 {
		also := message.Line{{Text: "also: "}}
		for i, x := range s.Also {
			if i > 0 {
				also = append(also, message.Span{Text: ", "})
			}
			also = append(also, message.Span{Text: x.Name, URL: x.URL})
		}
		add("-# ", also)
	}
	// The lines, in texts that are not too long for one display.
	var displays []component
	for _, line := range lines {
		if n := len(displays); n > 0 && size(displays[n-1].Content)+1+size(line) <= pieceSize {
			displays[n-1].Content += "\n" + line
			continue
		}
		displays = append(displays, component{Type: typeText, Content: line})
	}
	buttons, loose := r.buttons(s.Actions)
	first := unit{card: l.color, story: true, parts: []component{displays[0]}}
	if len(buttons) > 0 {
		first.parts[0] = component{Type: typeSection, Components: displays[:1:1], Accessory: &buttons[0]}
		buttons = buttons[1:]
	}
	if open := r.customID("work " + s.ID); r.stories > buttonsUpTo && len(buttons) > 0 && s.ID != "" && size(open) <= maxOption {
		if title := cut(unping(strings.TrimSpace(oneLine(s.Title))), maxOption); title != "" {
			first.more, buttons = &choice{Label: title, Value: open}, nil
		}
	}
	r.units = append(r.units, first)
	for _, d := range displays[1:] {
		r.units = append(r.units, unit{card: l.color, story: true, parts: []component{d}})
	}
	for _, row := range rows(buttons) {
		r.units = append(r.units, unit{card: l.color, story: true, parts: []component{row}})
	}
	for _, line := range loose {
		r.units = append(r.units, unit{card: l.color, story: true, parts: []component{{Type: typeText, Content: line}}})
	}
}

// shades are the segments of a bar, as in a terminal: they can be told apart
// without color.
var shades = []string{"█", "▓", "▒", "░", "·"}

// barWidth is a bar's length in cells; with a flag before it and a count after, it
// fits a phone that is held upright.
const barWidth = 12

// Chart is a line for each bar: the flag, the bar in a code span, which has one
// width for all characters, then the words.
func (r *renderer) Chart(c message.Chart) {
	if r.pictures && r.picture(c) { // the title is drawn into it
		r.texts("-# ", "-# ", pieces(message.Plain(c.Alt), pieceSize))
		return
	}
	r.texts("", "", pieces(message.Line{{Text: c.Title, Bold: true}}, pieceSize))
	if c.Kind != message.ChartBars {
		r.sparks(c)
		return
	}
	most := 0.0
	for _, b := range c.Bars {
		most = max(most, b.Total())
	}
	for _, b := range c.Bars {
		flag := strings.TrimSpace(oneLine(b.Flag))
		if flag == "" {
			flag = "▫️"
		}
		words := message.Line{{Text: b.Label, Bold: true}, {Text: " " + b.Note}}
		r.texts(escape(cut(flag, 20))+" `"+bar(b.Values, most)+"` ", "", pieces(words, pieceSize))
	}
	legend := ""
	for i, s := range c.Series {
		if i < len(shades) {
			legend += shades[i] + " " + oneLine(s) + "\u2003"
		}
	}
	r.texts("-# ", "-# ", pieces(message.Plain(strings.TrimSpace(legend)), pieceSize))
	r.texts("-# ", "-# ", pieces(message.Plain(c.Alt), pieceSize))
}

// sparks are the lines of a chart over time: a row of cells for each, its name and
// its latest value behind it.
func (r *renderer) sparks(c message.Chart) {
	for _, s := range c.Sparks(2 * barWidth) {
		words := message.Line{{Text: s.Name, Bold: true}, {Text: " " + s.Last}}
		r.texts("`"+strings.ReplaceAll(s.Cells, " ", "\u00a0")+"` ", "", pieces(words, pieceSize))
	}
	if n := len(c.Bars); n > 0 {
		r.texts("-# ", "-# ", pieces(message.Plain(c.Bars[0].Label+" – "+c.Bars[n-1].Label), pieceSize))
	}
	r.texts("-# ", "-# ", pieces(message.Plain(c.Alt), pieceSize))
}

// bar draws values to a scale on which most is the full width. What is left is
// filled with spaces that do not break, so that all bars are of one length.
func bar(values []float64, most float64) string {
	var b strings.Builder
	drawn, sum := 0, 0.0
	for i, v := range values {
		if v > 0 {
			sum += v
		}
		// Round the running sum, so that the segments of a bar add up.
		to := 0
		if most > 0 {
			to = min(barWidth, int(sum/most*barWidth+0.5))
		}
		if i < len(shades) && to > drawn {
			b.WriteString(strings.Repeat(shades[i], to-drawn))
			drawn = to
		}
	}
	if drawn == 0 && sum > 0 {
		b.WriteString("▏")
		drawn = 1
	}
	b.WriteString(strings.Repeat("\u00a0", barWidth-drawn))
	return b.String()
}

// menuFrom is from how many buttons on a block of actions becomes a menu: more rows
// than two push the text off a phone.
const menuFrom = 11

// Actions are rows of buttons, or menus if there are many.
func (r *renderer) Actions(a message.Actions) {
	buttons, loose := r.buttons(a.Items)
	if len(buttons) >= menuFrom {
		r.menus(buttons)
	} else {
		for _, row := range rows(buttons) {
			r.units = append(r.units, unit{parts: []component{row}})
		}
	}
	r.texts("", "", loose)
}

// buttons makes buttons of actions; those with a label that is too long for one are
// told as text.
func (r *renderer) buttons(actions []message.Action) (buttons []component, loose []string) {
	for _, it := range actions {
		label := strings.TrimSpace(oneLine(it.Label))
		if label == "" {
			label = oneLine(it.Command)
		}
		if command := strings.TrimSpace(oneLine(it.Command)); command == "" || size(label) > maxLabel {
			loose = append(loose, pieces(message.Line{{Text: label + ": "}, {Text: command, Code: true}}, pieceSize)...)
			continue
		}
		b := component{Type: typeButton, Style: styleSecondary, Label: unping(label), CustomID: r.customID(it.Command)}
		if size(b.Label) > maxLabel {
			b.Label = label
		}
		if it.Danger {
			b.Style = styleDanger
		}
		buttons = append(buttons, b)
	}
	return buttons, loose
}

// rows are as few rows as hold the buttons, of about the same length: one button alone
// below five looks forgotten.
func rows(buttons []component) []component {
	var out []component
	most := (len(buttons) + maxRow - 1) / maxRow // rows
	for ; len(buttons) > 0; most-- {
		n := (len(buttons) + most - 1) / most
		out = append(out, component{Type: typeRow, Components: buttons[:n:n]})
		buttons = buttons[n:]
	}
	return out
}

// menus offers many actions in select menus.
func (r *renderer) menus(buttons []component) {
	for at := 0; at < len(buttons); at += maxOptions {
		menu := component{Type: typeSelect, CustomID: menuID, Placeholder: "Choose"}
		seen := map[string]bool{}
		for _, b := range buttons[at:min(at+maxOptions, len(buttons))] {
			if seen[b.CustomID] {
				continue // the same action twice
			}
			seen[b.CustomID] = true
			menu.Options = append(menu.Options, choice{Label: b.Label, Value: b.CustomID})
		}
		r.units = append(r.units, unit{parts: []component{{Type: typeRow, Components: []component{menu}}}})
	}
}
