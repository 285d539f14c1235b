// Package terminal is the third platform: digests are printed, and commands are
// read from lines. It needs no configuration, so that Seedcorn runs where there is
// nothing but a shell; it is also what a preview and a script talk to.
//
//	lines ── [Adapter.Run] ──► bot.Handler ──► message.Document ──► text
//	message.Document ── [Adapter.Render] ──► one part of text ── [Adapter.Post] ──► the output
package terminal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// Name is the platform's name in destinations.
const Name = "terminal"

// An Adapter is a [bot.Platform] over a reader and a writer.
type Adapter struct {
	In    io.Reader
	Out   io.Writer
	Text  message.TextOptions
	Asker bot.Person
	// Parse reads a typed line: see bot.Router.Parse. A line that it does not
	// understand is a query if it can be one.
	Parse func(line string) (command string, args map[string]string, err error)

	mu sync.Mutex // a digest is not printed into the middle of an answer
}

var _ bot.Platform = (*Adapter)(nil)

// Name implements [bot.Platform].
func (a *Adapter) Name() string { return Name }

// Render implements [bot.Platform]: a terminal takes any length in one part.
func (a *Adapter) Render(doc message.Document) ([]bot.Part, error) {
	var b bytes.Buffer
	if err := message.Text(&b, doc, a.Text); err != nil {
		return nil, err
	}
	return []bot.Part{{Payload: b.Bytes(), Summary: doc.Summary}}, nil
}

// Post implements [bot.Platform]. A terminal accepts everything or is gone.
func (a *Adapter) Post(_ context.Context, _ digest.Destination, id bot.DeliveryID, part bot.Part, _ bot.Receipt) (bot.Receipt, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := fmt.Fprintf(a.Out, "\n%s\n", part.Payload); err != nil {
		return "", &bot.PostError{Fate: bot.FateRetry, Say: "the terminal is gone", Err: err}
	}
	return bot.Receipt(id), nil
}

// Find implements [bot.Platform]: what was printed cannot be read back.
func (a *Adapter) Find(context.Context, digest.Destination, bot.DeliveryID, time.Time) (bot.Receipt, bool, error) {
	return "", false, bot.ErrCannotLook
}

// Run implements [bot.Platform]: each line is a command, or else a query; an empty
// line, quit, exit or the end of the input ends it.
func (a *Adapter) Run(ctx context.Context, h bot.Handler) error {
	lines := bufio.NewScanner(a.In)
	lines.Buffer(nil, 1<<20)
	for n := 1; ; n++ {
		a.print("\n> ")
		if ctx.Err() != nil || !lines.Scan() {
			return lines.Err()
		}
		line := strings.TrimSpace(lines.Text())
		if line == "" || line == "quit" || line == "exit" {
			return nil
		}
		command, args, err := a.Parse(line)
		if err != nil {
			command, args = "search", map[string]string{"query": line}
		}
		reply := h.Handle(ctx, bot.Invocation{
			ID: fmt.Sprintf("terminal-%d", n), Place: bot.Place{Platform: Name, Channel: "terminal", Direct: true}, Asker: a.Asker, Command: command, Args: args,
		})
		if err := a.show(reply); err != nil {
			return err
		}
		var slip *bot.Problem
		if errors.As(err, &slip) && strings.HasPrefix(slip.Hint, "did you mean") { // "wy 2505.09388"
			a.print("\nIt was read as a query. " + strings.ToUpper(slip.Hint[:1]) + slip.Hint[1:] + "\n")
		}
	}
}

// show prints a reply; a form is asked for by its usage, which is its document.
func (a *Adapter) show(r bot.Reply) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return message.Text(a.Out, r.Document, a.Text)
}

func (a *Adapter) print(s string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprint(a.Out, s)
}
