package bottest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// An Editable is a platform that posts and edits, with what people see of it.
type Editable struct {
	Platform bot.Platform
	To       digest.Destination
	// Stand are the texts of the messages that stand in the destination, oldest first.
	Stand func() []string
}

// Editing is the suite of every [bot.Platform] that is a [bot.Editor]: an edit shows
// the new text where the old one stood, in that message alone, and never posts,
// whatever it is asked to edit.
func Editing(t *testing.T, e Editable) {
	t.Helper()
	for _, fault := range editing(t, e) {
		t.Error(fault)
	}
}

func editing(t testing.TB, e Editable) (faults []string) {
	fault := func(s string) { faults = append(faults, s) }
	editor, ok := e.Platform.(bot.Editor)
	if !ok {
		return []string{"it is no editor"}
	}
	ctx, began := t.Context(), time.Now()
	render := func(words string) bot.Part {
		parts, err := e.Platform.Render(message.Document{Summary: words, Blocks: []message.Block{
			message.Heading{Level: 1, Text: words}, message.Story{Title: "A story", URL: "https://example.org/", ID: "w0123456789", Badge: "open weights, MIT", Note: words},
		}})
		if err != nil || len(parts) != 1 {
			t.Fatalf("rendering: %d parts, %v", len(parts), err)
		}
		return parts[0]
	}
	var receipts []bot.Receipt
	for i, id := range []bot.DeliveryID{"aaaaaaaaaaaaaaaaaaaaaaa1", "aaaaaaaaaaaaaaaaaaaaaaa2"} {
		first := bot.Receipt("")
		if i > 0 {
			first = receipts[0]
		}
		r, err := e.Platform.Post(ctx, e.To, id, render("WordBefore"), first)
		if err != nil {
			t.Fatalf("posting: %v", err)
		}
		receipts = append(receipts, r)
	}
	shows := func(when string, want ...string) {
		got := e.Stand()
		if len(got) != len(want) {
			fault(when + ": another number of messages stands: " + strings.Join(got, " | "))
			return
		}
		for i, w := range want {
			other := "WordBefore"
			if w == other {
				other = "WordAfter"
			}
			if !strings.Contains(got[i], w) || strings.Contains(got[i], other) {
				fault(when + ": a message does not say " + w + ": " + got[i])
			}
		}
	}
	shows("when posted", "WordBefore", "WordBefore")
	after := render("WordAfter corrected on 25 Nov 2026")
	for range 2 { // said twice, it is the same
		if err := editor.Edit(ctx, e.To, "aaaaaaaaaaaaaaaaaaaaaaa1", receipts[0], after); err != nil {
			fault("editing: " + err.Error())
		}
		shows("when edited", "WordAfter", "WordBefore")
	}
	for _, bad := range []bot.Receipt{"", "nonsense", "a/b/c", receipts[0] + "x"} {
		var p *bot.PostError
		if err := editor.Edit(ctx, e.To, "aaaaaaaaaaaaaaaaaaaaaaa1", bad, after); !errors.As(err, &p) || p.Fate != bot.FateDead {
			fault("a message that is not there is not refused for ever: " + string(bad))
		}
		shows("after an edit of nothing", "WordAfter", "WordBefore")
	}
	// It is found as before, so that a post whose fate is unsure is not repeated.
	if r, ok, err := e.Platform.Find(ctx, e.To, "aaaaaaaaaaaaaaaaaaaaaaa1", began); err != nil || !ok || r != receipts[0] {
		fault("an edited message is not found any more")
	}
	return faults
}
