package bottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/digest/query"
)

// tooHard stands for a document that a platform refuses to render.
var tooHard = []byte("too hard")

// A plain platform shows text, in one part or, as fault says, wrongly.
type plain struct {
	name  string
	fault func(doc *message.Document, text []byte) [][]byte // nil: one part
	page  string                                            // of its preview, around the text; "" for none
}

// A shown platform has a preview.
type shown struct{ plain }

func (s shown) Preview(w io.Writer, parts []bot.Part) error {
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(html.EscapeString(string(p.Payload)))
	}
	_, err := fmt.Fprintf(w, s.page, text.String())
	return err
}

func (p plain) Name() string { return p.name }

func (p plain) Render(doc message.Document) (out []bot.Part, err error) {
	var b bytes.Buffer
	if err := message.Text(&b, doc, message.TextOptions{}); err != nil {
		return nil, err
	}
	texts := [][]byte{b.Bytes()}
	if p.fault != nil {
		texts = p.fault(&doc, b.Bytes())
	}
	for _, t := range texts {
		if bytes.Equal(t, tooHard) {
			return nil, errors.New("too hard")
		}
		out = append(out, bot.Part{Payload: t, Summary: doc.Summary})
	}
	return out, nil
}

func (plain) Post(context.Context, digest.Destination, bot.DeliveryID, bot.Part, bot.Receipt) (bot.Receipt, error) {
	return "", errors.New("the suite posts nothing")
}

func (plain) Find(context.Context, digest.Destination, bot.DeliveryID, time.Time) (bot.Receipt, bool, error) {
	return "", false, bot.ErrCannotLook
}

func (plain) Run(context.Context, bot.Handler) error { return nil }

var plainly = Manners{
	Extract: func(p bot.Part) string { return string(p.Payload) },
	Check: func(p bot.Part) error {
		if bytes.Contains(p.Payload, []byte("<mention>")) {
			return errors.New("it mentions somebody")
		}
		return nil
	},
}

// faults are what a section finds in a platform, or all of them with "".
func faults(p plain, section string) (out string) {
	for _, s := range sections {
		if section != "" && s.name != section {
			continue
		}
		s.check(&exam{newPlatform: func() bot.Platform {
			if p.page != "" {
				return shown{p}
			}
			return p
		}, Manners: plainly, errorf: func(format string, args ...any) {
			out += fmt.Sprintf(format, args...) + "\n"
		}})
	}
	return out
}

// The suite is shown platforms that do wrong: one that has never caught anyone
// guards nothing.
func TestSuiteCatches(t *testing.T) {
	var calls atomic.Int64
	for _, tt := range []struct {
		name    string
		p       plain
		section string // "" for none
		want    string // a part of what it says
	}{
		{name: "all in order", p: plain{name: "plain"}},
		{name: "all in order, and shown", p: plain{name: "plain", page: "<!doctype html><title>t</title><pre>%s</pre>"}},
		{name: "a preview of the payload", section: "preview", want: "is not shown", p: plain{name: "plain", page: `<pre class="raw">%s</pre>`}},
		{name: "a preview that runs", section: "preview", want: "has a <script>", p: plain{name: "plain", page: "<pre>%s</pre><script>1</script>"}},
		{name: "a preview that gives up", section: "preview", want: "does not know", p: plain{name: "plain", page: `<pre class="block strange">%s</pre>`}},
		{name: "a preview that leads astray", section: "preview", want: "leads to", p: plain{name: "plain", page: `<pre>%s</pre><a href="javascript:1">x</a>`}},
		{name: "a loud name", p: plain{name: "Plain Old Terminal"}, section: "name", want: "not short and lower case"},
		{
			name: "it clips", section: "never clipped", want: "is not shown",
			p: plain{name: "plain", fault: func(_ *message.Document, b []byte) [][]byte { return [][]byte{b[:min(len(b), 4000)]} }},
		},
		{
			name: "it has no small print", section: "every block", want: `"WordSmall" is not shown`,
			p: plain{name: "plain", fault: func(_ *message.Document, b []byte) [][]byte {
				return [][]byte{bytes.ReplaceAll(b, []byte("WordSmall"), nil)}
			}},
		},
		{
			name: "it says the end first", section: "in order", want: "after the one before it",
			p: plain{name: "plain", fault: func(_ *message.Document, b []byte) [][]byte {
				return [][]byte{b[len(b)/2:], append(b[:len(b)/2:len(b)/2], '\n')}
			}},
		},
		{
			name: "it counts", section: "same input, same bytes", want: "another message",
			p: plain{name: "plain", fault: func(_ *message.Document, b []byte) [][]byte { return [][]byte{fmt.Appendf(b, "%d", calls.Add(1))} }},
		},
		{
			name: "it refuses to say nothing", section: "nothing to say", want: "rendering: too hard",
			p: plain{name: "plain", fault: func(doc *message.Document, b []byte) [][]byte {
				if len(doc.Blocks) == 0 {
					b = tooHard
				}
				return [][]byte{b}
			}},
		},
		{
			name: "it sends an empty part", section: "every block", want: "part 1 of 2 is empty",
			p: plain{name: "plain", fault: func(_ *message.Document, b []byte) [][]byte { return [][]byte{b, []byte(" \n")} }},
		},
		{
			name: "it sends nothing", section: "every block", want: "no part",
			p: plain{name: "plain", fault: func(*message.Document, []byte) [][]byte { return nil }},
		},
		{
			name: "it trusts strangers", section: "strangers", want: "it mentions somebody",
			p: plain{name: "plain", fault: func(_ *message.Document, b []byte) [][]byte {
				return [][]byte{bytes.ReplaceAll(b, []byte("@everyone"), []byte("<mention>"))}
			}},
		},
		{
			name: "it passes control characters", section: "strangers", want: "a control character comes through",
			p: plain{name: "plain", fault: func(doc *message.Document, b []byte) [][]byte { return [][]byte{append(b, doc.Summary...)} }},
		},
		{
			name: "it is not text", section: "strangers", want: "is not text",
			p: plain{name: "plain", fault: func(doc *message.Document, b []byte) [][]byte { return [][]byte{append(b, doc.Summary...)} }},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := faults(tt.p, tt.section)
			switch {
			case tt.section == "" && got != "":
				t.Errorf("faults in a platform without any:\n%.500s", got)
			case tt.section != "" && !strings.Contains(got, tt.want):
				t.Errorf("%q is not among what %q finds:\n%.500s", tt.want, tt.section, got)
			}
		})
	}
}

// Everything has every block, and so has what is empty.
func TestEverythingHasEveryBlock(t *testing.T) {
	for what, blocks := range map[string][]message.Block{"Everything": Everything().Blocks, "empty": empty()} {
		have := map[string]bool{}
		for _, b := range blocks {
			have[reflect.TypeOf(b).Name()] = true
		}
		v := reflect.TypeFor[message.Visitor]()
		for i := range v.NumMethod() {
			if name := v.Method(i).Name; !have[name] {
				t.Errorf("%s has no %s", what, name)
			}
		}
	}
}

// Two desks are alike, and what is done at one is not seen at the other.
func TestDesk(t *testing.T) {
	ctx := t.Context()
	search := func(d *FakeDesk, text string) []digest.Work {
		t.Helper()
		q, err := d.ParseQuery(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		works, more, err := d.Search(ctx, q, 100, "")
		if err != nil || more != "" {
			t.Fatal(more, err)
		}
		return works
	}
	a, b := Desk(), Desk()
	if d := cmp.Diff(search(a, ""), search(b, "")); d != "" || len(search(a, "")) != 12 {
		t.Errorf("two desks differ, or have other than twelve works:\n%s", d)
	}
	for _, w := range search(a, "") {
		if known := len(w.Labs) > 0; known != (w.Title != "A Note Without a Name") || known && len(w.Artifacts) == 0 {
			t.Errorf("%s: %d labs, %d artifacts", w.Title, len(w.Labs), len(w.Artifacts))
		}
		for _, x := range w.Artifacts {
			if x.License == "" && x.Kind == "weights" {
				t.Errorf("%s: the registry does not know its license", w.Title)
			}
		}
	}
	id := a.WorkID("Gemma 3")
	if _, err := a.Correct(ctx, digest.Correction{Work: id, Field: "country", Value: "FR", By: "ada", At: Now}); err != nil {
		t.Fatal(err)
	}
	if x, y := len(search(a, "country:FR")), len(search(b, "country:FR")); x != 2 || y != 1 {
		t.Errorf("after a correction at one: %d and %d French works", x, y)
	}
	// Pages follow one another and end.
	var titles []string
	for after, n := "", 0; n < 10; n++ {
		works, more, err := a.Search(ctx, query.Query{}, 5, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range works {
			titles = append(titles, w.Title)
		}
		if after = more; more == "" {
			break
		}
	}
	if len(titles) != 12 {
		t.Errorf("%d works on all pages", len(titles))
	}
	if _, _, err := a.Search(ctx, query.Query{}, 5, "-1"); err == nil {
		t.Error("a page before the first: no error")
	}
	a.Err = errors.New("down")
	if err := a.PutSubscription(ctx, digest.Subscription{ID: "s"}); err == nil || len(a.Subscriptions()) != 0 {
		t.Errorf("a desk that fails stores: %v", err)
	}
}

// A board is a platform that keeps what is posted, and edits it, or does wrong.
type board struct {
	plain
	texts []string
	edit  func(b *board, i int, text string) error // in place of what is right
}

func (b *board) Post(_ context.Context, _ digest.Destination, id bot.DeliveryID, part bot.Part, _ bot.Receipt) (bot.Receipt, error) {
	b.texts = append(b.texts, string(part.Payload))
	return bot.Receipt(id), nil
}

func (b *board) Find(_ context.Context, _ digest.Destination, id bot.DeliveryID, _ time.Time) (bot.Receipt, bool, error) {
	return bot.Receipt(id), true, nil
}

func (b *board) Edit(_ context.Context, _ digest.Destination, id bot.DeliveryID, r bot.Receipt, part bot.Part) error {
	if r != bot.Receipt(id) {
		return &bot.PostError{Fate: bot.FateDead, Say: "no such message"}
	}
	if b.edit != nil {
		return b.edit(b, 0, string(part.Payload))
	}
	b.texts[0] = string(part.Payload)
	return nil
}

func TestEditingCatches(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		edit       func(b *board, i int, text string) error
	}{
		{name: "all in order"},
		{"it posts", "another number of messages", func(b *board, _ int, text string) error { b.texts = append(b.texts, text); return nil }},
		{"it edits another", "does not say WordBefore", func(b *board, _ int, text string) error { b.texts[1] = text; return nil }},
		{"it adds below", "does not say WordAfter", func(b *board, _ int, text string) error { b.texts[0] += text; return nil }},
		{"it does nothing", "does not say WordAfter", func(*board, int, string) error { return nil }},
		{"it fails", "editing: no", func(*board, int, string) error { return errors.New("no") }},
	} {
		b := &board{plain: plain{name: "board"}, edit: tt.edit}
		got := strings.Join(editing(t, Editable{Platform: b, Stand: func() []string { return b.texts }}), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := editing(t, Editable{Platform: plain{name: "plain"}}); len(got) != 1 {
		t.Errorf("one that cannot edit: %q", got)
	}
}
