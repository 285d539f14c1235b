package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

var sgr = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[35m", "")

// A terminal shows what it is sent, so there is no escaping to undo but our own
// colors; and it does what control characters say, so there may be none.
func manners(color bool) bottest.Manners {
	text := func(p bot.Part) string {
		if color {
			return sgr.Replace(string(p.Payload))
		}
		return string(p.Payload)
	}
	return bottest.Manners{
		Extract: text,
		Check: func(p bot.Part) error {
			for i, r := range text(p) {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
					return fmt.Errorf("%U at %d", r, i)
				}
			}
			return nil
		},
	}
}

func TestPlatform(t *testing.T) {
	for _, opt := range []message.TextOptions{{}, {Width: 40, Color: true}} {
		t.Run(fmt.Sprintf("%+v", opt), func(t *testing.T) {
			bottest.Platform(t, func() bot.Platform { return &Adapter{Text: opt} }, manners(opt.Color))
		})
	}
}

// A session at a terminal, to the letter.
func TestRun(t *testing.T) {
	in := strings.NewReader("help why\nopen weights from france country:FR\n/search country:Frnce\n\nhelp never read\n")
	var out bytes.Buffer
	desk := bottest.Desk()
	r := bot.NewRouter(desk, slog.New(slog.DiscardHandler))
	a := &Adapter{In: in, Out: &out, Asker: bot.Person{ID: "ada", Manages: true}, Parse: r.Parse}
	if err := a.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{
		"\n> why\n", "why WORK", // the help of one command
		"Nothing matches `open weights from france country:FR`", // what is no command is a query
		"query, column 9", "^^^^^", // its mistakes are shown where they are
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n> "); n != 4 {
		t.Errorf("%d prompts, want 4: an empty line ends it", n)
	}
}

// A handler that keeps what it was asked.
type listener struct{ asked []bot.Invocation }

func (l *listener) Handle(_ context.Context, inv bot.Invocation) bot.Reply {
	l.asked = append(l.asked, inv)
	return bot.Reply{Document: message.Document{Blocks: []message.Block{message.Paragraph{Text: message.Plain("noted")}}}}
}

func (l *listener) Complete(context.Context, bot.Invocation, string, string) []bot.Choice { return nil }

func TestRunEnds(t *testing.T) {
	r := bot.NewRouter(bottest.Desk(), slog.New(slog.DiscardHandler))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, in string
		ctx      context.Context
		asked    int
		fails    bool
	}{
		{name: "end of input", in: "latest\ntopics", asked: 2},
		{name: "nothing", in: ""},
		{name: "canceled", in: "latest\n", ctx: canceled},
		{name: "a line of two megabytes", in: "latest\n" + strings.Repeat("x", 2<<20), asked: 1, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			l, out := &listener{}, &bytes.Buffer{}
			err := (&Adapter{In: strings.NewReader(tt.in), Out: out, Parse: r.Parse, Asker: bot.Person{ID: "ada"}}).Run(ctx, l)
			if len(l.asked) != tt.asked || (err != nil) != tt.fails {
				t.Errorf("%d asked, %v", len(l.asked), err)
			}
			ids := map[string]bool{}
			for _, inv := range l.asked {
				ids[inv.ID] = true
				if inv.Place.Platform != Name || !inv.Place.Direct || inv.Asker.ID != "ada" || inv.Command == "" {
					t.Errorf("asked %+v", inv)
				}
			}
			if len(ids) != tt.asked {
				t.Errorf("ids are not their own: %v", ids)
			}
		})
	}
}

// A broken pipe.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestPost(t *testing.T) {
	var out bytes.Buffer
	a := &Adapter{Out: &out}
	parts, err := a.Render(bottest.Everything())
	if err != nil || len(parts) != 1 || parts[0].Summary != bottest.Everything().Summary {
		t.Fatal(parts, err)
	}
	r, err := a.Post(t.Context(), digest.Destination{Platform: Name}, "d1", parts[0], "")
	if err != nil || r != "d1" || out.String() != "\n"+string(parts[0].Payload)+"\n" {
		t.Errorf("Post = %q, %v: %s", r, err, out.String())
	}
	a.Out = gone{}
	var e *bot.PostError
	if _, err := a.Post(t.Context(), digest.Destination{}, "d1", parts[0], ""); !errors.As(err, &e) || e.Fate != bot.FateRetry || e.Say == "" {
		t.Errorf("a broken pipe: %v", err)
	}
	a.In, a.Parse = strings.NewReader("latest\n"), func(line string) (string, map[string]string, error) { return line, nil, nil }
	if err := a.Run(t.Context(), &listener{}); err == nil {
		t.Error("answering into a broken pipe: no error")
	}
	if _, found, err := a.Find(t.Context(), digest.Destination{}, "d1", time.Time{}); found || !errors.Is(err, bot.ErrCannotLook) {
		t.Errorf("Find = %v, %v", found, err)
	}
}
