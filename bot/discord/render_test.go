package discord

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot/message"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newAdapter(t testing.TB, opt Options) *Adapter {
	t.Helper()
	if opt.Token == "" {
		opt.Token = "token-of-a-test"
	}
	if opt.Log == nil {
		opt.Log = quiet()
	}
	a, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// everyBlock is a document with every block and every span.
func everyBlock() message.Document {
	return message.Document{
		Summary: "This week in open research: 3 works",
		Blocks: []message.Block{
			message.Heading{Level: 1, Text: "This week in open research", Note: "16–22 November 2026 · 3 works · 2 you may build on"},
			message.Paragraph{Text: message.Line{{Text: "Plain, "}, {Text: "bold", Bold: true}, {Text: ", "}, {Text: "code `x`", Code: true}, {Text: ", "}, {Text: "quiet", Quiet: true}, {Text: " and "}, {Text: "a link", URL: "https://example.org/a_(b)"}, {Text: "."}}},
			message.Fields{Items: []message.Field{{Name: "Query", Value: message.Line{{Text: "country:FR openness>=open-weights", Code: true}}}, {Name: "When", Value: message.Plain("Mondays at 9")}}},
			message.Heading{Level: 2, Text: "New weights", Note: "what one may build on"},
			message.Story{
				Title: "A model that *plans*", URL: "https://example.org/plans", ID: "w7k3m9q2xd",
				Who:      []message.Who{{Lab: "Example Lab", Country: "FR", Flag: "🇫🇷", Place: "France"}, {Lab: "Other Lab", Place: "Erewhon"}},
				Openness: 3, Badge: "open weights, MIT", Line: "Plans before it acts.", Note: "the paper was revised: v1 → v2",
				Also:    []message.Link{{Name: "code", URL: "https://example.org/code"}, {Name: "odd", URL: "javascript:alert(1)"}},
				Actions: []message.Action{{Label: "Why?", Command: "why w7k3m9q2xd"}},
			},
			message.Story{Title: "A closed one", URL: "https://example.org/closed", Openness: 1, Badge: "closed, API only", Caution: "further conditions"},
			message.Story{Title: "Nobody knows", Badge: "no artifact known", Actions: []message.Action{{Label: "Why?", Command: "why w0"}, {Label: "Save", Command: "save w0"}}},
			message.List{Items: []message.Line{message.Plain("one"), message.Plain("- two")}},
			message.Rule{},
			message.Preformatted{Text: "country:FR AND\n           ^"},
			message.Chart{
				Title: "Works by country", Alt: "Works: China 3, France 1.5.", Series: []string{"open source", "open weights", "closed"},
				Bars: []message.Bar{{Label: "China", Flag: "🇨🇳", Values: []float64{1, 1, 1}, Note: "3 (2 open)"}, {Label: "France", Flag: "🇫🇷", Values: []float64{0.5, 0, 1}, Note: "1.5 (0.5 open)"}, {Label: "not known", Values: []float64{0, 0, 0}, Note: "0"}},
			},
			message.SmallPrint{Items: []message.Line{message.Plain("239 sources answered."), message.Plain("Not legal advice.")}},
			message.Actions{Items: []message.Action{{Label: "More", Command: "search reasoning page:x"}, {Label: "End", Command: "unsubscribe s1", Danger: true}}},
		},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", path, diff)
	}
}

// Every block is shown, in exactly these bytes.
func TestRenderGolden(t *testing.T) {
	parts, err := newAdapter(t, Options{}).Render(everyBlock())
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 1 {
		t.Fatalf("%d parts, want 1", len(parts))
	}
	golden(t, "every_block.json", parts[0].Payload)
	check(t, parts[0].Payload)
}

func check(t *testing.T, payload []byte) {
	t.Helper()
	for _, bad := range append(validate(payload), harmless(payload)...) {
		t.Errorf("%s\nin %.400s", bad, payload)
	}
}

func weekly(stories int) message.Document {
	doc := message.Document{Summary: "This week", Blocks: []message.Block{message.Heading{Level: 1, Text: "This week", Note: "16–22 November"}}}
	for i := range stories {
		if i%20 == 0 {
			doc.Blocks = append(doc.Blocks, message.Heading{Level: 2, Text: fmt.Sprintf("Section %d", i/20+1), Note: "what one may build on"})
		}
		s := message.Story{
			Title: fmt.Sprintf("Work number-%d: learning to plan with verifiable rewards at scale", i), URL: fmt.Sprintf("https://example.org/%d", i), ID: fmt.Sprintf("w%d", i),
			Who: []message.Who{{Lab: "Example Lab", Flag: "🇫🇷"}, {Lab: "University of Somewhere", Flag: "🇨🇳"}}, Badge: "open weights, Apache-2.0",
			Line: "It plans before it acts, and shows that this is what makes the difference on long tasks.", Also: []message.Link{{Name: "code", URL: fmt.Sprintf("https://example.org/code/%d", i)}, {Name: "weights", URL: fmt.Sprintf("https://example.org/weights/%d", i)}},
			Actions: []message.Action{{Label: "Why?", Command: fmt.Sprintf("why w%d", i%50)}},
		}
		s.Openness++
		s.Openness += 2
		doc.Blocks = append(doc.Blocks, s)
	}
	doc.Blocks = append(doc.Blocks, message.Heading{Level: 2, Text: "Small print"}, message.SmallPrint{Items: []message.Line{message.Plain("Everybody answered.")}})
	return doc
}

// A digest of sixty stories is split, loses none of them, keeps headings with what
// they head and says what is continued.
func TestRenderSplits(t *testing.T) {
	parts, err := newAdapter(t, Options{}).Render(weekly(60))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("60 stories in %d messages", len(parts))
	if len(parts) < 5 || len(parts) > 8 {
		t.Errorf("%d messages", len(parts))
	}
	all := ""
	for i, p := range parts {
		check(t, p.Payload)
		all += string(p.Payload)
		if want := fmt.Sprintf("%d of %d: This week", i+1, len(parts)); p.Summary != want {
			t.Errorf("summary %q, want %q", p.Summary, want)
		}
		var m outgoing
		if err := json.Unmarshal(p.Payload, &struct {
			Components *[]component `json:"components"`
		}{&m.Components}); err != nil {
			t.Fatal(err)
		}
		last := m.Components[len(m.Components)-1]
		lines := strings.Split(last.Content, "\n")
		if strings.HasPrefix(lines[len(lines)-1], "#") {
			t.Errorf("part %d ends with a heading: %q", i+1, last.Content)
		}
	}
	for i := range 60 {
		if n := strings.Count(all, fmt.Sprintf(`Work number-%d: `, i)); n != 1 {
			t.Errorf("work %d is there %d times", i, n)
		}
	}
	if !strings.Contains(all, "Section 1, continued") {
		t.Error("nothing is said to be continued")
	}
}

// In a long digest each work has its first button beside it, and is in the menu of its
// message, which opens it with all its buttons.
func TestRenderMenus(t *testing.T) {
	doc := weekly(60)
	for i, b := range doc.Blocks {
		if s, ok := b.(message.Story); ok {
			for _, label := range []string{"Can we use it?", "Save", "Useful", "Not useful"} {
				s.Actions = append(s.Actions, message.Action{Label: label, Command: strings.ToLower(strings.Fields(label)[0]) + " " + s.ID})
			}
			doc.Blocks[i] = s
		}
	}
	again := doc.Blocks[2].(message.Story) // told in a second section, too
	doc.Blocks = slices.Insert(doc.Blocks, 5, message.Block(again))
	parts, err := newAdapter(t, Options{}).Render(doc)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("61 stories with 5 actions in %d messages", len(parts))
	if len(parts) > 6 {
		t.Errorf("%d messages", len(parts))
	}
	for _, p := range parts {
		check(t, p.Payload)
		body := string(p.Payload)
		if n := strings.Count(body, `"type":3`); n != 1 {
			t.Errorf("%d menus in a message", n)
		}
		for i := range 60 {
			here := strings.Contains(body, fmt.Sprintf("Work number-%d: learning to plan with verifiable rewards at scale](", i))
			n := strings.Count(body, fmt.Sprintf(`"value":"c:work w%d"`, i))
			if want := map[bool]int{true: 1, false: 0}[here]; n != want {
				t.Errorf("w%d is offered %d times where the work is told: %v", i, n, here)
			}
		}
	}
	// A short answer has its buttons below each work.
	short := message.Document{Blocks: doc.Blocks[2:4]}
	parts, err = newAdapter(t, Options{}).Render(short)
	if err != nil || strings.Contains(string(parts[0].Payload), `"value"`) || !strings.Contains(string(parts[0].Payload), `"custom_id":"c:save w0"`) {
		t.Errorf("%s, %v", parts[0].Payload, err)
	}
}

// Whatever does not fit is put further down, never left out.
func TestRenderNeverClips(t *testing.T) {
	words := make([]string, 5000)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i)
	}
	long := strings.Join(words, " ")
	solid := strings.Repeat("ab", 6000) // one word of 12,000 characters
	for name, doc := range map[string]message.Document{
		"paragraph": {Blocks: []message.Block{message.Paragraph{Text: message.Plain(long)}}},
		"link":      {Blocks: []message.Block{message.Paragraph{Text: message.Line{{Text: long, URL: "https://example.org/"}}}}},
		"code":      {Blocks: []message.Block{message.Paragraph{Text: message.Line{{Text: long, Code: true}}}}},
		"pre":       {Blocks: []message.Block{message.Preformatted{Text: long}}},
		"title":     {Blocks: []message.Block{message.Story{Title: long, URL: "https://example.org/"}}},
		"caution":   {Blocks: []message.Block{message.Story{Title: "x", Caution: long}}},
		"heading":   {Blocks: []message.Block{message.Heading{Level: 1, Text: long}}},
		"summary":   {Summary: long},
		"label":     {Blocks: []message.Block{message.Actions{Items: []message.Action{{Label: long, Command: "help"}}}}},
		"bar":       {Blocks: []message.Block{message.Chart{Bars: []message.Bar{{Label: long}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			parts, err := newAdapter(t, Options{}).Render(doc)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, p := range parts {
				check(t, p.Payload)
				got += text(t, p.Payload) + " "
			}
			have := map[string]bool{}
			for _, w := range regexp.MustCompile(`w\d+`).FindAllString(got, -1) {
				have[w] = true
			}
			for _, w := range words {
				if !have[w] {
					t.Fatalf("%s was lost", w)
				}
			}
		})
	}
	parts, err := newAdapter(t, Options{}).Render(message.Document{Blocks: []message.Block{message.Paragraph{Text: message.Plain(solid)}}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range parts {
		check(t, p.Payload)
		n += strings.Count(text(t, p.Payload), "a")
	}
	if n != 6000 {
		t.Errorf("%d of 6000 letters are left of a long word", n)
	}
}

// text is all text of a message.
func text(t *testing.T, payload []byte) string {
	t.Helper()
	var m struct {
		Components []component `json:"components"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(cs []component)
	walk = func(cs []component) {
		for _, c := range cs {
			b.WriteString(c.Content)
			walk(c.Components)
		}
	}
	walk(m.Components)
	return b.String()
}

func TestRenderManyActions(t *testing.T) {
	var actions message.Actions
	for i := range 30 {
		actions.Items = append(actions.Items, message.Action{Label: fmt.Sprintf("Subscribe to topic %d", i), Command: fmt.Sprintf("subscribe topic:t%d", i)})
	}
	parts, err := newAdapter(t, Options{}).Render(message.Document{Blocks: []message.Block{actions}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, parts[0].Payload)
	if n := strings.Count(string(parts[0].Payload), `"value":"c:subscribe topic:t`); n != 30 {
		t.Errorf("%d of 30 actions are in the menus", n)
	}
}

// Two stories about one work have two buttons, which stand for one command.
func TestRenderSameButtonTwice(t *testing.T) {
	a := newAdapter(t, Options{})
	s := message.Story{Title: "x", Actions: []message.Action{{Label: "Why?", Command: "why w1"}}}
	parts, err := a.Render(message.Document{Blocks: []message.Block{s, s, s}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, parts[0].Payload)
	for _, id := range []string{"c:why w1", "c2:why w1", "c3:why w1"} {
		if !strings.Contains(string(parts[0].Payload), `"`+id+`"`) {
			t.Errorf("%s is missing", id)
		}
		if line, whole, ok := a.command(id); line != "why w1" || !whole || !ok {
			t.Errorf("%s is read as %q, %v, %v", id, line, whole, ok)
		}
	}
}

func TestCustomIDOfLongCommand(t *testing.T) {
	a := newAdapter(t, Options{})
	long := "search " + strings.Repeat("country:FR ", 20) + "page:x"
	id := a.customID(long)
	if size(id) > maxCustomID {
		t.Fatalf("custom id of %d characters", size(id))
	}
	if line, whole, ok := a.command(id); line != strings.TrimSpace(long) || !whole || !ok {
		t.Errorf("read as %q, %v, %v", line, whole, ok)
	}
	// After a restart, its beginning is known.
	line, whole, ok := newAdapter(t, Options{}).command(id)
	if !strings.HasPrefix(long, line) || whole || !ok || len(line) < 40 {
		t.Errorf("after a restart read as %q, %v, %v", line, whole, ok)
	}
	for range memorySize + 10 {
		a.customID(long + fmt.Sprint(len(a.long.at)+a.long.order.Len()))
	}
	for i := range memorySize + 10 {
		a.customID(fmt.Sprint(long, i))
	}
	if n := a.long.order.Len(); n != memorySize {
		t.Errorf("%d lines are remembered", n)
	}
	if _, whole, _ := a.command(id); whole {
		t.Error("the oldest line is still remembered")
	}
}

func TestEscape(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain text, 3.5 of 4", "plain text, 3.5 of 4"},
		{"*bold* _it_ `code` ~~no~~ ||spoiler||", `\*bold\* \_it\_ \` + "`code\\`" + ` \~\~no\~\~ \|\|spoiler\|\|`},
		{"@everyone and @HERE", "@\u200beveryone and @\u200bHERE"},
		{"<@123> <@&1> <#2> </a:3> <t:1:R>", "\\<@\u200b123\\> \\<@\u200b&1\\> \\<\\#2\\> \\</a\\:3\\> \\<t\\:1\\:R\\>"},
		{"me@example.org", "me@example.org"},
		{"[x](https://evil)", `\[x\](https\://evil)`},
		{"see https://a.b/c", `see https\://a.b/c`},
		{":smile: a:b: 12:30", `\:smile: a\:b: 12\:30`},
		{"# no heading", `\# no heading`},
		{"> no quote", `\> no quote`},
		{"- no list", `\- no list`},
		{"-# no small print", `\-\# no small print`},
		{"12. no list", `12\. no list`},
		{"a - b", "a - b"},
		{`back\slash`, `back\\slash`},
	} {
		if got := escape(tt.in); got != tt.want {
			t.Errorf("escape(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"https://example.org/a", "https://example.org/a"},
		{"HTTP://example.org", "http://example.org"},
		{"javascript:alert(1)", ""},
		{"ftp://example.org", ""},
		{"discord://-/", ""},
		{"//example.org", ""},
		{"https://", ""},
		{"https://example.org/a b(c)<d>", "https://example.org/a%20b%28c%29%3Cd%3E"},
		{"https://example.org/\n)x", ""},
		{"https://x/@everyone", "https://x/%40everyone"},
		{"https://example.org/" + strings.Repeat("a", 2000), ""},
	} {
		if got := target(tt.in); got != tt.want {
			t.Errorf("target(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzRender: no text of a stranger makes a message that is invalid, too large,
// pings anybody or links anywhere by itself.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"", "plain", "@everyone", "<@1><@&2><#3></x:4><t:5:R><a:b:6>", "[a](https://b)", "```x```\n``` @here", "`a``b`", "\\", "\\`\\`<@1>", "a\x00b\xffc", "https://x.y/z", "://", "\u202eevil", "# x\n- y\n1. z\n> w", strings.Repeat("a", 5000), strings.Repeat("`", 4100), strings.Repeat("é́", 3000), "&lt;@1&gt;", "@\u200beveryone", "<<@1", "@@everyone", "a`<@1>`b",
	} {
		f.Add(s, "https://example.org/"+s)
		f.Add("title", s)
	}
	a := newAdapter(f, Options{})
	f.Fuzz(func(t *testing.T, s, link string) {
		if len(s) > 20_000 || len(link) > 5_000 {
			return // as long as this is tested elsewhere
		}
		line := message.Line{{Text: s}, {Text: s, Bold: true}, {Text: s, Code: true}, {Text: s, URL: link}}
		doc := message.Document{Summary: s, Blocks: []message.Block{
			message.Heading{Level: 1, Text: s, Note: s},
			message.Paragraph{Text: line},
			message.List{Items: []message.Line{line}},
			message.Fields{Items: []message.Field{{Name: s, Value: line}}},
			message.SmallPrint{Items: []message.Line{line}},
			message.Rule{},
			message.Preformatted{Text: s},
			message.Story{Title: s, URL: link, Who: []message.Who{{Lab: s, Flag: s, Place: s}}, Badge: s, Caution: s, Line: s, Note: s, Also: []message.Link{{Name: s, URL: link}}, Actions: []message.Action{{Label: s, Command: "search " + s}, {Label: s, Command: s}}},
			message.Chart{Title: s, Alt: s, Series: []string{s}, Bars: []message.Bar{{Label: s, Flag: s, Values: []float64{1, -1, 2}, Note: s}}},
			message.Actions{Items: []message.Action{{Label: s, Command: s}, {Label: s, Command: "why " + s}}},
		}}
		parts, err := a.Render(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			for _, bad := range append(validate(p.Payload), harmless(p.Payload)...) {
				t.Errorf("%s", bad)
			}
		}
	})
}

// BenchmarkRenderLong renders what a stranger could send at worst: a text of 20,000
// words of one letter, all of which need an escape.
func BenchmarkRenderLong(b *testing.B) {
	a := newAdapter(b, Options{})
	doc := message.Document{Blocks: []message.Block{message.Paragraph{Text: message.Line{{Text: strings.Repeat("* ", 20_000), Bold: true}}}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Render(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender60(b *testing.B) {
	a := newAdapter(b, Options{})
	doc := weekly(60)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Render(doc); err != nil {
			b.Fatal(err)
		}
	}
}

// Buttons are spread over as few rows as hold them, none left alone below a full one.
func TestRows(t *testing.T) {
	for n, want := range map[int][]int{0: nil, 1: {1}, 5: {5}, 6: {3, 3}, 7: {4, 3}, 10: {5, 5}, 11: {4, 4, 3}} {
		buttons := make([]component, n)
		for i := range buttons {
			buttons[i].CustomID = fmt.Sprint(i)
		}
		var got []int
		at := 0
		for _, r := range rows(buttons) {
			got = append(got, len(r.Components))
			for _, b := range r.Components {
				if b.CustomID != fmt.Sprint(at) {
					t.Errorf("%d buttons: %s in place of %d", n, b.CustomID, at)
				}
				at++
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d buttons (-want +got):\n%s", n, diff)
		}
	}
}

// People, roles and channels are shown by name, which calls nobody, and only where an id is one.
func TestMembers(t *testing.T) {
	a := newAdapter(t, Options{})
	parts, err := a.Render(message.Document{Summary: "x", Blocks: []message.Block{message.Fields{Items: []message.Field{{Name: "managers", Value: message.Line{
		{Text: "role:42", Role: "42"}, {Text: ", "}, {Text: "43", Person: "43"}, {Text: ", "}, {Text: "role:everyone", Role: "everyone"}, {Text: ", "}, {Text: "<@44>", Person: "<@44>"}, {Text: " in "}, {Text: "45", Channel: "45"}, {Text: ", "}, {Text: "@here", Channel: "@here"},
	}}}}}})
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	var m struct {
		Components []component
		Mentions   json.RawMessage `json:"allowed_mentions"`
	}
	if err := json.Unmarshal(parts[0].Payload, &m); err != nil {
		t.Fatal(err)
	}
	if got, want := m.Components[0].Content, "**managers:** <@&42>, <@43>, role\\:everyone, \\<@\u200b44\\> in <#45>, @\u200bhere"; got != want {
		t.Errorf("shown as %q, want %q", got, want)
	}
	if string(m.Mentions) != `{"parse":[],"replied_user":false}` {
		t.Errorf("may call %s", m.Mentions)
	}
}

// Words that are an address are a link by themselves: one of other words Discord would
// not make of them.
func TestLinksOfAddresses(t *testing.T) {
	for _, tt := range []struct {
		span message.Span
		want string
	}{
		{message.Span{Text: "link", URL: "https://a.example/b"}, "[link](https://a.example/b)"},
		{message.Span{Text: "https://a.example/b", URL: "https://a.example/b"}, "<https://a.example/b>"},
		{message.Span{Text: "https://a.example/b c(d)", URL: "https://a.example/b c(d)"}, "<https://a.example/b%20c%28d%29>"},
		{message.Span{Text: "", URL: "https://a.example/b"}, "<https://a.example/b>"},
		{message.Span{Text: "https://good.example", URL: "https://evil.example/"}, `https\://good.example <https://evil.example/>`},
		{message.Span{Text: "read https://a.example", URL: "https://a.example", Bold: true}, `**read https\://a.example <https://a.example>**`},
	} {
		if got := strings.Join(pieces(message.Line{tt.span}, 1000), "|"); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.span, got, tt.want)
		}
	}
}
