package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/feeds"
)

// The blocks that we use, each with no more than we use of it. All text goes into
// rich_text elements and plain_text objects, which Slack shows as they are: there
// is no mrkdwn in what we send, so a stranger's text has no syntax to abuse.

type header struct {
	Type string `json:"type"`
	Text plain  `json:"text"`
}

type plain struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji bool   `json:"emoji"` // whether :names: become pictures
}

type section struct {
	Type      string `json:"type"`
	BlockID   string `json:"block_id,omitempty"`
	Text      plain  `json:"text"`
	Accessory any    `json:"accessory,omitempty"`
}

type container struct { // context, actions, rich_text
	Type     string `json:"type"`
	BlockID  string `json:"block_id,omitempty"`
	Elements []any  `json:"elements"`
}

type divider struct {
	Type string `json:"type"`
}

// rich is an element of a rich_text block: a section, a list or preformatted text.
type rich struct {
	Type     string `json:"type"`
	Style    string `json:"style,omitempty"`
	Elements []any  `json:"elements"`
}

type inline struct {
	Type    string `json:"type"` // text, link or channel
	Text    string `json:"text,omitempty"`
	URL     string `json:"url,omitempty"`
	Channel string `json:"channel_id,omitempty"` // of a channel, which has no text
	Style   *style `json:"style,omitempty"`
}

type style struct {
	Bold   bool `json:"bold,omitempty"`
	Italic bool `json:"italic,omitempty"`
	Code   bool `json:"code,omitempty"`
}

type button struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	Text     plain  `json:"text"`
	Value    string `json:"value"`
	Style    string `json:"style,omitempty"`
}

type overflow struct {
	Type     string   `json:"type"`
	ActionID string   `json:"action_id"`
	Options  []option `json:"options"`
}

type option struct {
	Text  plain  `json:"text"`
	Value string `json:"value"`
}

// payload is a message, but for where it goes.
type payload struct {
	Text        string            `json:"text"`
	Mrkdwn      bool              `json:"mrkdwn"` // of Text; the blocks have none
	UnfurlLinks bool              `json:"unfurl_links"`
	UnfurlMedia bool              `json:"unfurl_media"`
	Blocks      []json.RawMessage `json:"blocks"`
	Charts      []chartForm       `json:"charts,omitempty"` // never sent: see chart.go
}

// Render implements [bot.Platform]. The payloads are arguments of chat.postMessage
// without the channel (https://docs.slack.dev/reference/methods/chat.postMessage).
func (a *Adapter) Render(doc message.Document) ([]bot.Part, error) { return render(doc) }

func render(doc message.Document) ([]bot.Part, error) {
	r := &renderer{}
	doc.Visit(r)
	if r.err != nil {
		return nil, fmt.Errorf("rendering: %w", r.err)
	}
	pages := paginate(r.groups, blockBudget, messageBudget)
	text := fallback(doc)
	if len(pages) == 0 {
		empty := &renderer{}
		empty.flow(false, []inline{{Type: "text", Text: text}})
		pages = paginate(empty.groups, blockBudget, messageBudget)
	}
	parts := make([]bot.Part, 0, len(pages))
	for i, page := range pages {
		t := text
		if i > 0 {
			t = fmt.Sprintf("%s (%d of %d)", text, i+1, len(pages))
		}
		body, err := encode(payload{Text: escape(t), Blocks: blocksOf(page), Charts: chartsOf(page)})
		if err != nil {
			return nil, fmt.Errorf("rendering: %w", err)
		}
		parts = append(parts, bot.Part{Payload: body, Summary: t})
	}
	return parts, nil
}

// encode is json.Marshal that leaves &, < and > alone: no browser reads this.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// fallback is the message in a line, for notifications and screen readers.
func fallback(doc message.Document) string {
	text := tidy(doc.Summary)
	for _, b := range doc.Blocks {
		if text != "" {
			break
		}
		switch b := b.(type) {
		case message.Heading:
			text = tidy(b.Text)
		case message.Paragraph:
			text = tidy(b.Text.String())
		case message.Story:
			text = tidy(b.Title)
		}
	}
	if text == "" {
		return "Nothing to show"
	}
	return clip(text, maxFallback)
}

// A piece is one block, as JSON.
type piece struct {
	json json.RawMessage
	cost int  // of a message's budget: its length once Slack has escaped it
	rule bool // a line, which has no business at the edge of a message

	chart *chartForm // that begins here
}

func blocksOf(page []piece) []json.RawMessage {
	raw := make([]json.RawMessage, len(page))
	for i, p := range page {
		raw[i] = p.json
	}
	return raw
}

// chartsOf are the charts that stand whole on a page.
func chartsOf(page []piece) (out []chartForm) {
	for i, p := range page {
		if p.chart != nil && i+p.chart.N <= len(page) {
			c := *p.chart
			c.At = i
			out = append(out, c)
		}
	}
	return out
}

// A group is a run of blocks that stay together if they can.
type group struct {
	pieces []piece
	keep   bool // with the next group: a heading is never the last of a message
}

// paginate lays groups out over messages of at most so many blocks and bytes.
func paginate(groups []group, most, budget int) [][]piece {
	var pages [][]piece
	var page []piece
	used := 0
	flush := func() {
		for len(page) > 0 && page[len(page)-1].rule {
			page = page[:len(page)-1]
		}
		if len(page) == 0 {
			return
		}
		pages, page, used = append(pages, page), nil, 0
	}
	room := func(ps []piece) bool {
		n := used
		for _, p := range ps {
			n += p.cost + 1
		}
		return len(page)+len(ps) <= most && n <= budget-1
	}
	for i := 0; i < len(groups); i++ {
		unit := groups[i].pieces
		for groups[i].keep && i+1 < len(groups) {
			i++
			unit = append(unit[:len(unit):len(unit)], groups[i].pieces...)
		}
		if !room(unit) {
			flush()
		}
		for _, p := range unit {
			if !room([]piece{p}) {
				flush()
			}
			if p.rule && len(page) == 0 {
				continue
			}
			page, used = append(page, p), used+p.cost+1
		}
	}
	flush()
	return pages
}

// A renderer turns a document into groups of blocks.
type renderer struct {
	groups []group
	ids    int // given out so far
	err    error
}

func (r *renderer) add(keep bool, blocks ...any) {
	g := group{keep: keep}
	for _, b := range blocks {
		raw, err := encode(b)
		if err != nil {
			r.err = err
			return
		}
		_, rule := b.(divider)
		g.pieces = append(g.pieces, piece{json: raw, cost: cost(raw), rule: rule})
	}
	if len(g.pieces) > 0 {
		r.groups = append(r.groups, g)
	}
}

// cost is the length of JSON in which &, < and > are written as Slack keeps them:
// &amp;, &lt; and &gt;.
func cost(raw []byte) int {
	return len(raw) + 4*bytes.Count(raw, []byte("&")) + 3*bytes.Count(raw, []byte("<")) + 3*bytes.Count(raw, []byte(">"))
}

// id is unique within the message.
func (r *renderer) id(kind string) string {
	r.ids++
	return fmt.Sprintf("%s%d", kind, r.ids)
}

func (r *renderer) Heading(h message.Heading) {
	text, note := tidy(h.Text), tidy(h.Note)
	if h.Level <= 1 {
		if n := utf8.RuneCountInString(text); n > 0 && n <= maxHeader {
			r.add(true, header{"header", plain{"plain_text", text, false}})
			text = ""
		}
		if text != "" {
			r.flow(true, []inline{{Type: "text", Text: text, Style: &style{Bold: true}}})
		}
		r.small(true, note)
		return
	}
	r.add(true, divider{"divider"})
	line := []inline{{Type: "text", Text: text, Style: &style{Bold: true}}}
	if note != "" {
		line = append(line, inline{Type: "text", Text: "\n"}, inline{Type: "text", Text: note, Style: &style{Italic: true}})
	}
	r.flow(true, line)
}

func (r *renderer) Paragraph(p message.Paragraph) { r.flow(false, spans(p.Text)) }

func (r *renderer) List(l message.List) {
	// An item that is longer than a block goes on as a further item.
	var items []any
	used := 0
	flush := func() {
		if len(items) > 0 {
			r.add(false, container{Type: "rich_text", Elements: []any{rich{Type: "rich_text_list", Style: "bullet", Elements: items}}})
		}
		items, used = nil, 0
	}
	for _, it := range l.Items {
		for _, line := range pack(spans(it), chunk) {
			n := size(line)
			if used > 0 && used+n > chunk {
				flush()
			}
			items, used = append(items, rich{Type: "rich_text_section", Elements: line}), used+n
		}
	}
	flush()
}

// Fields are lines of one block, which is divided between fields if it must be.
func (r *renderer) Fields(f message.Fields) {
	var block []inline
	used := 0
	for _, it := range f.Items {
		line := spans(it.Value)
		if name := tidy(it.Name); name != "" {
			line = append([]inline{{Type: "text", Text: name, Style: &style{Bold: true}}, {Type: "text", Text: "  "}}, line...)
		}
		if len(line) == 0 {
			continue
		}
		n := 0
		for _, in := range line {
			n += in.size()
		}
		if used > 0 && used+n > chunk-100 {
			r.flow(false, block)
			block, used = nil, 0
		}
		if len(block) > 0 {
			block = append(block, inline{Type: "text", Text: "\n"})
		}
		block, used = append(block, line...), used+n+100
	}
	r.flow(false, block)
}

func (r *renderer) SmallPrint(s message.SmallPrint) {
	var texts []string
	for _, it := range s.Items {
		linked := false
		for _, sp := range it {
			linked = linked || webURL(sp.URL)
		}
		if linked { // a context has links only in mrkdwn, which we do not speak
			r.small(false, texts...)
			texts = nil
			r.flow(false, spans(it))
			continue
		}
		texts = append(texts, tidy(it.String()))
	}
	r.small(false, texts...)
}

func (r *renderer) Rule(message.Rule) { r.add(false, divider{"divider"}) }

func (r *renderer) Preformatted(p message.Preformatted) { r.pre(false, strings.Split(p.Text, "\n")) }

// dots color a badge where text has no colors.
var dots = map[feeds.Openness]string{
	feeds.OpenSource: "🟢", feeds.OpenWeights: "🔵", feeds.Restricted: "🟡", feeds.Closed: "🔴", feeds.Unknown: "⚪",
}

// Story is a block for what it is, and one for what it says with a menu of what
// can be done at its side, so that a page of stories is not a page of buttons.
func (r *renderer) Story(s message.Story) {
	bold := &style{Bold: true}
	title := tidy(s.Title)
	if title == "" {
		title = "Untitled"
	}
	line := []inline{link(title, s.URL, bold)}
	say := func(text string, st *style) {
		if text != "" {
			line = append(line, inline{Type: "text", Text: text, Style: st})
		}
	}
	var who []string
	for _, w := range s.Who {
		if x := tidy(w.Flag + " " + w.Lab); x != "" {
			who = append(who, x)
		}
	}
	if len(who) == 0 {
		who = []string{"lab not known"}
	}
	say("\n"+strings.Join(who, ", ")+"  ·  "+dots[s.Openness]+" ", nil)
	say(tidy(s.Badge), bold)
	if c := tidy(s.Caution); c != "" {
		say(" · "+c, &style{Italic: true})
	}
	if n := tidy(s.Note); n != "" {
		say("\n↻ "+n, nil)
	}
	for i, l := range s.Also {
		name := tidy(l.Name)
		if name == "" {
			continue
		}
		before := ", "
		if i == 0 {
			before = "\nAlso: "
		}
		say(before, nil)
		line = append(line, link(name, l.URL, nil))
	}
	texts := cut(tidy(s.Line), chunk-400)
	var side any
	if len(texts) > 0 {
		side = r.side(s.Actions)
	}
	if len(texts) > 0 && side == nil {
		say("\n", nil)
		for _, t := range texts {
			say(t, nil)
		}
		texts = nil
	}
	var blocks []any
	for _, l := range pack(line, chunk) {
		blocks = append(blocks, textBlock(l))
	}
	for i, t := range texts {
		b := section{Type: "section", Text: plain{"plain_text", t, false}}
		if i == 0 {
			b.BlockID, b.Accessory = r.id("b"), side
		}
		blocks = append(blocks, b)
	}
	if side == nil {
		more, left := r.buttons(s.Actions)
		blocks = append(blocks, more...)
		for _, l := range pack(left, chunk) {
			blocks = append(blocks, textBlock(l))
		}
	}
	r.add(false, blocks...)
}

// side is what fits at the side of a section: one button or a menu of up to five;
// nil if it does not fit.
func (r *renderer) side(actions []message.Action) any {
	var options []option
	for _, act := range actions {
		label, line := tidy(act.Label), commandLine(act.Command)
		if label == "" || line == "" {
			return nil
		}
		if utf8.RuneCountInString(label) > maxOptionText || len(line) > maxOptionValue {
			return nil
		}
		options = append(options, option{Text: plain{"plain_text", label, false}, Value: line})
	}
	switch n := len(options); {
	case n == 0 || n > maxOverflow:
		return nil
	case n == 1:
		return button{Type: "button", ActionID: r.id("a"), Text: options[0].Text, Value: options[0].Value, Style: danger(actions[0])}
	}
	return overflow{Type: "overflow", ActionID: r.id("a"), Options: options}
}

func danger(a message.Action) string {
	if a.Danger {
		return "danger"
	}
	return ""
}

// buttons lays actions out in blocks. A command that is longer than a button's
// value cannot be clicked; it is left over as text to be typed, whole.
func (r *renderer) buttons(actions []message.Action) (blocks []any, left []inline) {
	var row []any
	used := 0
	flush := func() {
		if len(row) > 0 {
			blocks = append(blocks, container{Type: "actions", BlockID: r.id("b"), Elements: row})
		}
		row, used = nil, 0
	}
	for _, act := range actions {
		label, line := tidy(act.Label), commandLine(act.Command)
		if line == "" {
			continue
		}
		if label == "" {
			label = clip(line, maxButtonText)
		}
		n := jsonLen(line) + jsonLen(label)
		if n > maxButtonValue {
			if len(left) > 0 {
				left = append(left, inline{Type: "text", Text: "\n"})
			}
			left = append(left, inline{Type: "text", Text: label + ": "}, inline{Type: "text", Text: defuse(line), Style: &style{Code: true}})
			continue
		}
		if len(row) == maxActions || used > 0 && used+n > 2*chunk {
			flush()
		}
		row = append(row, button{Type: "button", ActionID: r.id("a"), Text: plain{"plain_text", clip(label, maxButtonText), false}, Value: line, Style: danger(act)})
		used += n + 120
	}
	flush()
	return blocks, left
}

func (r *renderer) Actions(a message.Actions) {
	blocks, left := r.buttons(a.Items)
	r.add(false, blocks...)
	r.flow(false, left)
}

// shades stand for the segments of a bar, darkest first, as in the terminal.
var shades = []string{"█", "▓", "▒", "░", "·"}

func shade(i int) string { return shades[min(i, len(shades)-1)] }

// barWidth is what a phone shows beside a country's name without wrapping.
const barWidth = 16

// Chart draws bars of text in a monospace block, and keeps beside them how the chart
// can be shown otherwise: see chart.go. The words below say to a screen reader what
// is seen.
func (r *renderer) Chart(c message.Chart) {
	from := len(r.groups)
	r.bars(c)
	if r.err != nil || len(r.groups) == from {
		return
	}
	var bars []piece
	for _, g := range r.groups[from:] {
		bars = append(bars, g.pieces...)
	}
	form := &chartForm{N: len(bars), Data: chartData(c)}
	if b := r.native(c); b != nil {
		n := &renderer{}
		n.add(false, b)
		n.small(false, tidy(c.Alt))
		if n.err != nil {
			r.err = n.err
			return
		}
		for _, g := range n.groups {
			for _, p := range g.pieces {
				form.Native = append(form.Native, p.json)
			}
		}
	}
	first := &r.groups[from].pieces[0]
	first.chart = form
	first.cost += chartCost(bars, form.Native, c)
}

func (r *renderer) bars(c message.Chart) {
	if c.Kind != message.ChartBars {
		r.sparks(c)
		return
	}
	most, wide := 0.0, labelWidth(c)
	for _, b := range c.Bars {
		most = max(most, b.Total())
	}
	var lines []string
	for _, b := range c.Bars {
		label := tidy(b.Label)
		var bar strings.Builder
		drawn, sum := 0, 0.0
		for i, v := range b.Values {
			sum += max(0, v)
			to := 0
			if most > 0 {
				to = min(barWidth, int(sum/most*barWidth+0.5))
			}
			bar.WriteString(strings.Repeat(shade(i), max(0, to-drawn)))
			drawn = max(drawn, to)
		}
		pad := strings.Repeat(" ", max(0, wide-utf8.RuneCountInString(label)))
		lines = append(lines, strings.TrimRight(label+pad+" "+bar.String()+strings.Repeat(" ", barWidth-drawn)+" "+tidy(b.Note), " "))
	}
	if t := tidy(c.Title); t != "" {
		r.flow(true, []inline{{Type: "text", Text: t, Style: &style{Bold: true}}})
	}
	r.pre(true, lines)
	var legend []string
	for i, s := range c.Series {
		legend = append(legend, shade(i)+" "+tidy(s))
	}
	r.small(false, strings.Join(legend, "   "), tidy(c.Alt))
}

// sparks are the lines of a chart over time: a row of cells for each, with its latest
// value, and the first and the last moment below.
func (r *renderer) sparks(c message.Chart) {
	wide := 0
	for _, s := range c.Series {
		wide = max(wide, utf8.RuneCountInString(tidy(s)))
	}
	wide = min(wide, 24)
	var lines []string
	for _, s := range c.Sparks(2 * barWidth) {
		name := clip(tidy(s.Name), wide)
		lines = append(lines, name+strings.Repeat(" ", wide-utf8.RuneCountInString(name)+1)+s.Cells+" "+s.Last)
	}
	if n := len(c.Bars); n > 0 {
		lines = append(lines, strings.Repeat(" ", wide+1)+tidy(c.Bars[0].Label)+" – "+tidy(c.Bars[n-1].Label))
	}
	if t := tidy(c.Title); t != "" {
		r.flow(true, []inline{{Type: "text", Text: t, Style: &style{Bold: true}}})
	}
	r.pre(true, lines)
	r.small(false, tidy(c.Alt))
}

// pre adds preformatted lines.
func (r *renderer) pre(keep bool, lines []string) {
	text := &strings.Builder{}
	flush := func() {
		if t := strings.TrimRight(text.String(), "\n"); strings.TrimSpace(t) != "" {
			r.add(keep, container{Type: "rich_text", Elements: []any{rich{Type: "rich_text_preformatted", Elements: []any{inline{Type: "text", Text: t}}}}})
		}
		text.Reset()
	}
	used := 0
	for _, l := range lines {
		for _, l := range cut(defuse(strings.TrimRight(visible(l), " ")), chunk/2) {
			n := jsonLen(l) + 2
			if used > 0 && used+n > chunk {
				flush()
				used = 0
			}
			text.WriteString(l + "\n")
			used += n
		}
	}
	flush()
}

// fewSmall is how many small texts get a line each; a context sets its elements side
// by side.
const fewSmall = 8

// small adds contexts of plain texts.
func (r *renderer) small(keep bool, texts ...string) {
	most := maxContext
	if len(texts) <= fewSmall {
		most = 1
	}
	var elements []any
	used := 0
	flush := func() {
		if len(elements) > 0 {
			r.add(keep, container{Type: "context", Elements: elements})
		}
		elements, used = nil, 0
	}
	for _, t := range texts {
		for _, t := range cut(t, chunk/2) {
			if len(elements) == most || used > 0 && used+jsonLen(t) > chunk {
				flush()
			}
			elements, used = append(elements, plain{"plain_text", t, false}), used+jsonLen(t)
		}
	}
	flush()
}

// flow adds running text, over as many blocks as it needs.
func (r *renderer) flow(keep bool, line []inline) {
	for _, l := range pack(line, chunk) {
		r.add(keep, textBlock(l))
	}
}

func textBlock(line []any) container {
	return container{Type: "rich_text", Elements: []any{rich{Type: "rich_text_section", Elements: line}}}
}

// spans are a line's inlines.
func spans(l message.Line) []inline {
	var out []inline
	for _, s := range l {
		if isChannel(s.Channel) { // shown by its name to those who may know it
			out = append(out, inline{Type: "channel", Channel: s.Channel})
			continue
		}
		text := clean(s.Text)
		if text == "" {
			continue
		}
		var st *style
		if s.Bold || s.Code || s.Quiet {
			st = &style{Bold: s.Bold, Code: s.Code, Italic: s.Quiet}
		}
		if s.URL != "" {
			out = append(out, link(text, s.URL, st))
			continue
		}
		out = append(out, inline{Type: "text", Text: text, Style: st})
	}
	return out
}

// isChannel reports whether an id is one of a channel, which calls nobody. Those of
// direct messages begin with a D. https://docs.slack.dev/reference/objects/conversation-object
func isChannel(id string) bool {
	return len(id) > 1 && (id[0] == 'C' || id[0] == 'G') && !strings.ContainsFunc(id, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// link is a link if its address may be followed from a message, else its text.
func link(text, url string, st *style) inline {
	if !webURL(url) {
		return inline{Type: "text", Text: text, Style: st}
	}
	return inline{Type: "link", URL: url, Text: text, Style: st}
}

// webURL reports whether an address is one that a click may go to: http or https,
// with a host, of one word, and no longer than Slack takes.
func webURL(u string) bool {
	rest, ok := strings.CutPrefix(u, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(u, "http://"); !ok {
			return false
		}
	}
	if rest == "" || len(u) > maxURL/2 || !utf8.ValidString(u) {
		return false
	}
	return !strings.ContainsFunc(u, func(r rune) bool {
		return r <= ' ' || r == 0x7f || unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>|\"`\\", r) || steers(r)
	})
}

// pack divides inlines into runs of at most so many bytes of JSON, cutting texts
// where they are longer.
func pack(line []inline, most int) [][]any {
	var out [][]any
	var run []any
	used := 0
	flush := func() {
		for len(run) > 0 && run[0].(inline).Text == "\n" {
			run = run[1:]
		}
		if len(run) > 0 {
			out = append(out, run)
		}
		run, used = nil, 0
	}
	for _, in := range line {
		over := in.size() - jsonLen(in.Text)
		texts := []string{""}
		if in.Type != "channel" {
			texts = cut(in.Text, max(200, most-over))
		}
		for _, text := range texts {
			one := in
			one.Text = text
			n := over + jsonLen(text)
			if used > 0 && used+n > most {
				flush()
			}
			run, used = append(run, one), used+n
		}
	}
	flush()
	return out
}

// size is about the cost of an inline.
func (in inline) size() int { return 70 + jsonLen(in.URL) + jsonLen(in.Text) + len(in.Channel) }

// size is about the cost of a run.
func size(run []any) int {
	n := 0
	for _, x := range run {
		n += x.(inline).size()
	}
	return n
}

// cut divides a text into pieces of at most so many bytes of JSON, at a space
// where there is one near the end. The pieces add up to the text.
func cut(s string, most int) []string {
	var out []string
	for s != "" {
		used, end, space := 0, len(s), -1
		for i, r := range s {
			used += runeLen(r)
			if used > most {
				end = i
				break
			}
			if r == ' ' && used > most/2 {
				space = i
			}
		}
		if end == len(s) {
			return append(out, s)
		}
		if space > 0 {
			end = space + 1
		}
		if end == 0 { // never by our sizes; but a loop must end
			_, end = utf8.DecodeRuneInString(s)
		}
		out, s = append(out, s[:end]), s[end:]
	}
	return out
}

// jsonLen is the cost of a string in JSON, without its quotes.
func jsonLen(s string) int {
	n := 0
	for _, r := range s {
		n += runeLen(r)
	}
	return n
}

func runeLen(r rune) int {
	switch {
	case r == '"', r == '\\', r == '\n', r == '\t', r == '\r', r == '\b', r == '\f':
		return 2
	case r < 0x20, r == 0x2028, r == 0x2029, r == utf8.RuneError:
		return 6
	case r == '&':
		return 5
	case r == '<', r == '>':
		return 4
	}
	return utf8.RuneLen(r)
}

// commandLine is a command as a button's value: one line, without the characters
// that could not have been typed.
func commandLine(s string) string { return strings.TrimSpace(visible(s)) }

// tidy is visible text on one line that pings nobody.
func tidy(s string) string { return defuse(strings.Join(strings.Fields(visible(s)), " ")) }

// clean is tidy for a span, whose white space at the ends parts it from its
// neighbors.
func clean(s string) string {
	v := visible(s)
	out := strings.Join(strings.Fields(v), " ")
	if out == "" {
		if v != "" {
			return " "
		}
		return ""
	}
	if r, _ := utf8.DecodeRuneInString(v); unicode.IsSpace(r) {
		out = " " + out
	}
	if r, _ := utf8.DecodeLastRuneInString(v); unicode.IsSpace(r) {
		out += " "
	}
	return defuse(out)
}

// visible drops what misleads a reader: control characters, and the marks that
// turn the direction of text around (https://www.unicode.org/reports/tr9/).
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case unicode.IsControl(r), steers(r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

func steers(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

// pings are the forms that Slack turns into mentions in text that it parses
// (https://docs.slack.dev/messaging/formatting-message-text#special-mentions). We
// send none to be parsed; should some client do so, there is nothing in it.
var pings = regexp.MustCompile(`(?i)<[!@#]|@(?:here|channel|everyone|group)`)

// joiner is U+2060 WORD JOINER: it has no width and breaks no line.
const joiner = "\u2060"

func defuse(s string) string {
	if !strings.ContainsAny(s, "<@") {
		return s
	}
	return pings.ReplaceAllStringFunc(s, func(m string) string { return m[:1] + joiner + m[1:] })
}

// escape makes text literal where Slack looks for &, < and >
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// unescape is what Slack shows of it.
func unescape(s string) string {
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
}

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
