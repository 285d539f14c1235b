package bot_test

import (
	"bytes"
	"strings"
	"testing"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// The notice names the person and not the subscription's business, and its button does
// what it says for that person alone.
func TestShut(t *testing.T) {
	k := newTalk()
	k.say(t, "dia> follow country:FR when:daily")
	sub := k.desk.Subscriptions()[0]
	k.say(t, "dia> pause "+string(sub.ID))
	sub = k.desk.Subscriptions()[0]
	var b bytes.Buffer
	doc := bot.Shut(sub)
	if err := message.Text(&b, doc, message.TextOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.Contains(text, "Dia") || !strings.Contains(text, "resume") || strings.Contains(text, "FR") || strings.Contains(text, "France") {
		t.Errorf("it says:\n%s", text)
	}
	press := doc.Blocks[len(doc.Blocks)-1].(message.Actions).Items[0].Command
	for _, who := range []string{"eve", "ada"} {
		if got := k.say(t, who+"> "+press); !strings.Contains(got, "There is no subscription") || k.desk.Subscriptions()[0].PausedUntil.IsZero() {
			t.Errorf("%s presses it:\n%s", who, got)
		}
	}
	if got := k.say(t, "dia> "+press); !strings.Contains(got, "Resumed 1 subscription") || strings.Contains(got, "to everyone") || !k.desk.Subscriptions()[0].PausedUntil.IsZero() {
		t.Errorf("dia presses it:\n%s", got)
	}
	sub.OwnerName = ""
	b.Reset()
	if err := message.Text(&b, bot.Shut(sub), message.TextOptions{Width: 100}); err != nil || strings.Contains(b.String(), "  ") && !strings.Contains(b.String(), "The person who asked:") {
		t.Errorf("without a name:\n%s", b.String())
	}
}
