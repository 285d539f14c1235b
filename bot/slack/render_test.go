package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot/message"
	"seedcorn/feeds"
)

var update = flag.Bool("update", false, "write the goldens anew")

// everything is a digest with every block in it.
func everything() message.Document {
	story := message.Story{
		Title: "WordStory: reasoning in the open", URL: "https://example.org/story?a=1&b=2", ID: "w0123456789", Openness: feeds.OpenWeights,
		Badge: "open weights, MIT", Caution: "WordCaution", Line: "WordLine says what is new in one sentence.", Note: "WordChange",
		Who:  []message.Who{{Lab: "WordLab", Country: "FR", Flag: "🇫🇷", Place: "France"}, {Lab: "Second", Country: "CN", Flag: "🇨🇳", Place: "China"}},
		Also: []message.Link{{Name: "weights", URL: "https://example.org/weights"}, {Name: "code", URL: "https://example.org/code"}},
		Actions: []message.Action{
			{Label: "Why?", Command: "why w0123456789"},
			{Label: "Save", Command: "save w0123456789"},
			{Label: "Useful", Command: "vote w0123456789 value:useful"},
			{Label: "Not useful", Command: "vote w0123456789 value:not-useful"},
		},
	}
	oneButton := message.Story{
		Title: "One thing to do", URL: "https://example.org/one", Openness: feeds.Restricted, Badge: "restricted weights, WordBadge", Line: "A sentence.",
		Actions: []message.Action{{Label: "Why?", Command: "why w1"}},
	}
	return message.Document{
		Summary: "This week in open research: 231 works, 41 you may build on, from 9 countries",
		Blocks: []message.Block{
			message.Heading{Level: 1, Text: "WordHeading", Note: "16–22 November 2026 · 231 works · WordNote"},
			message.Paragraph{Text: message.Line{{Text: "WordParagraph "}, {Text: "WordBold", Bold: true}, {Text: " "}, {Text: "WordCode", Code: true}, {Text: " "}, {Text: "WordQuiet", Quiet: true}, {Text: " "}, {Text: "WordLink", URL: "https://example.org/link"}}},
			message.Heading{Level: 2, Text: "WordSection", Note: "WordBlurb"},
			story,
			oneButton,
			message.Story{Title: "Nothing is known", URL: "https://example.org/bare", Badge: "no artifact known"},
			message.Story{Title: "Closed", URL: "javascript:alert(1)", Openness: feeds.Closed, Badge: "closed, API only", Line: "Told without a menu."},
			message.List{Items: []message.Line{message.Plain("WordItem"), {{Text: "another "}, {Text: "item", URL: "https://example.org/item"}}}},
			message.Fields{Items: []message.Field{{Name: "WordName", Value: message.Plain("WordValue")}, {Name: "Longer name", Value: message.Plain("more")}}},
			message.Heading{Level: 2, Text: "The balance"},
			message.Chart{
				Title: "WordChart", Alt: "WordAlt: France 4.5.", Series: []string{"WordSeries", "other"},
				Bars: []message.Bar{{Label: "WordBar", Flag: "🇫🇷", Values: []float64{3, 1.5}, Note: "4.5"}, {Label: "Nothing", Values: []float64{0, 0}, Note: "0"}},
			},
			message.Preformatted{Text: "country:WordPre\n        ^"},
			message.Rule{},
			message.Actions{Items: []message.Action{{Label: "WordAction", Command: "search WordCommand"}, {Label: "End", Command: "unsubscribe s1", Danger: true}}},
			message.SmallPrint{Items: []message.Line{message.Plain("WordSmall"), {{Text: "WordTerms", URL: "https://example.org/terms"}}}},
		},
	}
}

func TestEverythingHasEveryBlock(t *testing.T) {
	have := map[string]bool{}
	for _, b := range everything().Blocks {
		have[reflect.TypeOf(b).Name()] = true
	}
	v := reflect.TypeFor[message.Visitor]()
	for i := range v.NumMethod() {
		if name := v.Method(i).Name; !have[name] {
			t.Errorf("no %s in everything()", name)
		}
	}
}

// payloads renders a document and holds each part to the limits.
func payloads(t testing.TB, doc message.Document) (raws [][]byte, shown string) {
	t.Helper()
	parts, err := render(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) == 0 {
		t.Fatal("no parts")
	}
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(mustBeValid(t, p.Payload))
		raws = append(raws, p.Payload)
	}
	return raws, all.String()
}

func TestRenderShowsEverything(t *testing.T) {
	raws, shown := payloads(t, everything())
	raw := string(bytes.Join(raws, nil))
	for _, w := range strings.Fields(`WordHeading WordNote WordParagraph WordBold WordCode WordQuiet WordLink WordSection WordBlurb WordStory WordCaution WordLine WordChange
		WordLab WordItem WordName WordValue WordChart WordAlt WordSeries WordBar WordPre WordAction WordSmall WordTerms WordBadge 🇫🇷 🔵 🟡 🔴 ⚪`) {
		if !strings.Contains(shown, w) {
			t.Errorf("%q is not shown", w)
		}
	}
	for _, w := range []string{"search WordCommand", "https://example.org/story?a=1&b=2", "https://example.org/terms", `"danger"`, "vote w0123456789 value:useful"} {
		if !strings.Contains(raw, w) {
			t.Errorf("%q is not in the payload", w)
		}
	}
	if strings.Contains(raw, "javascript:") {
		t.Error("a script has become a link")
	}
}

// The goldens are what leaves, byte for byte, one message in a line.
func TestGoldens(t *testing.T) {
	long := message.Document{Summary: "Sixty stories", Blocks: []message.Block{message.Heading{Level: 1, Text: "Sixty stories", Note: "a long digest"}}}
	for i := range 24 {
		if i%8 == 0 {
			long.Blocks = append(long.Blocks, message.Heading{Level: 2, Text: fmt.Sprintf("Section %d", i/8+1)})
		}
		long.Blocks = append(long.Blocks, message.Story{
			Title: fmt.Sprintf("Story %d", i+1), URL: fmt.Sprintf("https://example.org/%d", i+1), Openness: feeds.OpenSource, Badge: "open source (code), Apache-2.0",
			Who: []message.Who{{Lab: "A lab", Flag: "🇯🇵"}}, Line: "What is new in it, in a sentence.", Actions: []message.Action{{Label: "Why?", Command: fmt.Sprintf("why w%d", i+1)}, {Label: "Save", Command: fmt.Sprintf("save w%d", i+1)}},
		})
	}
	docs := map[string]message.Document{
		"everything": everything(),
		"long":       long,
		"empty":      {},
		"error": {Summary: "There is no command \"sreach\"", Blocks: []message.Block{
			message.Paragraph{Text: message.Plain("There is no command \"sreach\".")}, message.SmallPrint{Items: []message.Line{message.Plain("Hint: did you mean search?")}},
		}},
	}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			raws, _ := payloads(t, doc)
			got := append(bytes.Join(raws, []byte("\n")), '\n')
			golden := filepath.Join("testdata", name+".jsonl")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("golden (-want +got; -update writes it anew):\n%s", diff)
			}
			again, _ := payloads(t, doc)
			if !bytes.Equal(bytes.Join(raws, nil), bytes.Join(again, nil)) {
				t.Error("the same document has other bytes the second time")
			}
		})
	}
}

// numbered is a text of words that are told apart, about n bytes long.
func numbered(prefix string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%s%05d ", prefix, i)
	}
	return strings.TrimSpace(b.String())
}

// Splits, never clips: every word of documents of any length arrives, in order.
func TestNothingIsClipped(t *testing.T) {
	many := func(n int, f func(i int) message.Block) (out []message.Block) {
		for i := range n {
			out = append(out, f(i))
		}
		return out
	}
	lines := func(n int) (out []message.Line) {
		for i := range n {
			out = append(out, message.Plain(fmt.Sprintf("item%05d", i)))
		}
		return out
	}
	tests := map[string][]message.Block{
		"a long title":     {message.Story{Title: numbered("t", 9000), URL: "https://example.org", Line: "x", Actions: []message.Action{{Label: "a", Command: "why w"}}}},
		"a long line":      {message.Story{Title: "x", Line: numbered("l", 20_000), Actions: []message.Action{{Label: "a", Command: "why w"}}}},
		"a long note":      {message.Story{Title: "x", Note: numbered("n", 20_000), Badge: numbered("b", 5000), Caution: numbered("c", 5000)}},
		"a long heading":   {message.Heading{Level: 1, Text: numbered("h", 4000), Note: numbered("n", 8000)}, message.Heading{Level: 2, Text: numbered("i", 4000), Note: numbered("j", 8000)}},
		"a long paragraph": {message.Paragraph{Text: message.Line{{Text: numbered("p", 60_000)}, {Text: numbered("q", 30_000), URL: "https://example.org", Bold: true}}}},
		"in Chinese":       {message.Paragraph{Text: message.Plain(strings.Repeat("研究", 20_000))}},
		"in quotes":        {message.Paragraph{Text: message.Plain(strings.Repeat(`"\`, 20_000))}},
		"a long list":      {message.List{Items: append(lines(3000), message.Plain(numbered("z", 9000)))}},
		"long fields":      {message.Fields{Items: []message.Field{{Name: numbered("f", 5000), Value: message.Plain(numbered("v", 20_000))}}}},
		"small print":      {message.SmallPrint{Items: append(lines(100), message.Plain(numbered("s", 9000)))}},
		"preformatted":     {message.Preformatted{Text: numbered("c", 5000) + "\n" + strings.Repeat("row\n", 3000)}},
		"a tall chart": {message.Chart{Title: numbered("t", 4000), Alt: numbered("a", 4000), Series: strings.Fields(numbered("s", 40)), Bars: func() (out []message.Bar) {
			for i := range 500 {
				out = append(out, message.Bar{Label: fmt.Sprintf("bar%05d", i), Values: []float64{float64(i)}, Note: fmt.Sprintf("note%05d", i)})
			}
			return out
		}()}},
		"many rules":   many(300, func(int) message.Block { return message.Rule{} }),
		"many stories": many(200, func(i int) message.Block { return message.Story{Title: fmt.Sprintf("story%05d", i), Line: "x"} }),
		"many headings": many(200, func(i int) message.Block {
			return message.Heading{Level: 1 + i%2, Text: fmt.Sprintf("head%05d", i)}
		}),
		"many buttons": {message.Actions{Items: func() (out []message.Action) {
			for i := range 200 {
				out = append(out, message.Action{Label: fmt.Sprintf("button%05d", i), Command: strings.Repeat("x", 1700)})
			}
			return out
		}()}},
		"a story of buttons": {message.Story{Title: "x", Line: "y", Actions: func() (out []message.Action) {
			for i := range 60 {
				out = append(out, message.Action{Label: fmt.Sprintf("button%05d", i), Command: "why w"})
			}
			return out
		}()}},
		"commands too long for a button": {message.Actions{Items: []message.Action{{Label: "More", Command: "search " + numbered("q", 5000)}, {Label: "Less", Command: "search x"}}}},
	}
	for name, blocks := range tests {
		t.Run(name, func(t *testing.T) {
			raws, shown := payloads(t, message.Document{Summary: "S", Blocks: append(blocks, message.Paragraph{Text: message.Plain("the end")})})
			squeezed := strings.ReplaceAll(shown, " ", "")
			at := 0
			for _, w := range wordsOf(blocks) {
				i := strings.Index(squeezed[at:], w)
				if i < 0 {
					t.Fatalf("%q is lost", w)
				}
				if strings.HasSuffix(name, "paragraph") {
					at += i
				}
			}
			if !strings.Contains(shown, "the end") {
				t.Error("the end is lost")
			}
			for _, raw := range raws[1:] {
				var p payload
				if err := json.Unmarshal(raw, &p); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(p.Blocks[0]), `"divider"`) {
					t.Error("a message begins with a line")
				}
			}
		})
	}
}

// wordsOf are the words that a document shows somewhere, of our numbered kind.
func wordsOf(blocks []message.Block) []string {
	var out []string
	for w := range strings.FieldsFuncSeq(fmt.Sprintf("%+v", blocks), func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z') }) {
		if len(w) >= 6 && strings.HasSuffix(strings.TrimLeft(w, "abcdefghijklmnopqrstuvwxyz"), w[len(w)-5:]) {
			out = append(out, w)
		}
	}
	return out
}

// hostile puts one string of a stranger's wherever a document takes text.
func hostile(s string) message.Document {
	return message.Document{Summary: s, Blocks: []message.Block{
		message.Heading{Level: 1, Text: s, Note: s},
		message.Heading{Level: 2, Text: s, Note: s},
		message.Paragraph{Text: message.Line{{Text: s}, {Text: s, Bold: true}, {Text: s, URL: s}, {Text: s, Code: true}, {Text: s, URL: "https://example.org/" + s}}},
		message.List{Items: []message.Line{message.Plain(s), {{Text: s, URL: s}}}},
		message.Fields{Items: []message.Field{{Name: s, Value: message.Plain(s)}}},
		message.Preformatted{Text: s},
		message.Story{
			Title: s, URL: s, ID: s, Badge: s, Caution: s, Line: s, Note: s, Who: []message.Who{{Lab: s, Flag: s}}, Also: []message.Link{{Name: s, URL: s}},
			Actions: []message.Action{{Label: s, Command: s}, {Label: "Why?", Command: "why " + s}},
		},
		message.Chart{Title: s, Alt: s, Series: []string{s}, Bars: []message.Bar{{Label: s, Values: []float64{1}, Note: s}}},
		message.Actions{Items: []message.Action{{Label: s, Command: s}}},
		message.SmallPrint{Items: []message.Line{message.Plain(s), {{Text: s, URL: s}}}},
	}}
}

var attacks = []string{
	"<!channel>", "<!here>", "<!everyone>", "<@U012AB3CD>", "<#C012AB3CD>", "<!subteam^S012AB>", "@here", "@channel @everyone", "@HERE", "<!date^0^x|y>",
	"<https://evil.example|click>", "*bold* _it_ ~no~ `code` ```pre``` > quote", ":tada:", "&lt;!here&gt;", "&amp;", "<\x00!here>", "<\u202e!channel>", "@\u200fhere", "<\n!here>",
	"javascript:alert(1)", "https://example.org/<!here>", "https://example.org/|x>", "data:text/html,x", "\x1b[2J", "\xff\xfe", "\u2028\u2029", `"},{"type":"broadcast"}`, "\\", "", " ", "\n\n",
	"https://", "http:// x", strings.Repeat("@here", 3000), strings.Repeat("x", 4000), "https://example.org/" + strings.Repeat("x", 4000), "slack://open",
}

func checkHostile(t *testing.T, s string) {
	doc := hostile(s)
	raws, _ := payloads(t, doc)
	for _, raw := range raws {
		if bytes.Contains(raw, []byte(`"mrkdwn"`)) && !bytes.HasPrefix(raw[bytes.Index(raw, []byte(`"mrkdwn"`)):], []byte(`"mrkdwn":false`)) {
			t.Errorf("%q: markup in %s", s, raw)
		}
	}
	v, err := documentView(doc, memo{Channel: "C1"})
	if err != nil {
		t.Fatal(err)
	}
	mustBeValidView(t, v)
}

func mustBeValidView(t testing.TB, v modal) string {
	t.Helper()
	raw, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	faults, shown := validView(raw)
	for _, f := range faults {
		t.Errorf("view: %s", f)
	}
	return shown
}

func TestStrangersText(t *testing.T) {
	for _, s := range attacks {
		checkHostile(t, s)
	}
}

func FuzzStrangersText(f *testing.F) {
	for _, s := range attacks {
		f.Add(s)
	}
	f.Fuzz(checkHostile)
}

// A button's value is the command to the letter, however long the page.
func TestCommandsComeBack(t *testing.T) {
	for _, line := range []string{"why w7k3m9q2xd", `search "test-time  compute" country:CN,FR page:abc<>&`, "search " + strings.Repeat("研", 500)} {
		raws, _ := payloads(t, message.Document{Blocks: []message.Block{message.Actions{Items: []message.Action{{Label: "Go", Command: line}}}}})
		var m struct {
			Blocks []struct {
				Elements []struct{ Value string } `json:"elements"`
			} `json:"blocks"`
		}
		if err := json.Unmarshal(raws[0], &m); err != nil {
			t.Fatal(err)
		}
		if got := m.Blocks[0].Elements[0].Value; got != line {
			t.Errorf("value %q, want %q", got, line)
		}
	}
}

// A channel is shown by its name, and only where an id is one.
func TestChannels(t *testing.T) {
	l := message.Line{{Text: "in "}}
	for _, id := range []string{"C0123ABCD", "G9", "D0123", "!here", "here", "C", "C1|x", "c1", ""} {
		l = append(l, message.Span{Text: "the place " + id, Channel: id})
	}
	got := pack(spans(l), chunk)
	text := func(s string) inline { return inline{Type: "text", Text: s} }
	channel := func(id string) inline { return inline{Type: "channel", Channel: id} }
	want := [][]any{{text("in "), channel("C0123ABCD"), channel("G9"), text("the place D0123"), text("the place !here"), text("the place here"), text("the place C"), text("the place C1|x"), text("the place c1"), text("the place ")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw, err := json.Marshal(got[0][1])
	if err != nil || string(raw) != `{"type":"channel","channel_id":"C0123ABCD"}` {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestLinks(t *testing.T) {
	for u, want := range map[string]bool{
		"https://arxiv.org/abs/2501.12948": true, "http://example.org/a?b=c#d": true, "HTTPS://example.org": false, "ftp://example.org": false,
		"javascript:alert(1)": false, "https://": false, "https://a b": false, "https://a|b": false, "https://a>b": false, "https://a\u202eb": false, "": false, "mailto:a@b.c": false, "slack://open": false,
		"https://example.org/" + strings.Repeat("x", 2000): false,
	} {
		if got := webURL(u); got != want {
			t.Errorf("webURL(%.40q) = %t", u, got)
		}
	}
}

func TestCut(t *testing.T) {
	for _, s := range []string{"", "a", "hello world", numbered("w", 500), strings.Repeat("研", 100), strings.Repeat(`"`, 90), " lead", "🇫🇷🇨🇳"} {
		pieces := cut(s, 40)
		if got := strings.Join(pieces, ""); got != s {
			t.Errorf("cut %q: %q", s, got)
		}
		for _, p := range pieces {
			if jsonLen(p) > 40 || p == "" {
				t.Errorf("cut %q: a piece of %d", s, jsonLen(p))
			}
		}
	}
}

func TestJSONLen(t *testing.T) {
	for _, s := range append(attacks, "研究", "\t\n", "\x01") {
		s = strings.ToValidUTF8(s, "")
		raw, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := jsonLen(s), cost(raw)-2; got != want {
			t.Errorf("jsonLen(%.30q) = %d, want %d", s, got, want)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	doc := message.Document{Summary: "Sixty stories", Blocks: []message.Block{message.Heading{Level: 1, Text: "This week", Note: "sixty stories"}}}
	for range 60 {
		doc.Blocks = append(doc.Blocks, everything().Blocks[3])
	}
	b.ReportAllocs()
	for b.Loop() {
		parts, err := render(doc)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(parts)), "parts")
	}
}
