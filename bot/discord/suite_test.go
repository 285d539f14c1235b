package discord

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
)

func TestPlatform(t *testing.T) {
	bottest.Platform(t, func() bot.Platform { return newAdapter(t, Options{}) }, bottest.Manners{
		Extract: func(p bot.Part) string { return shown(p.Payload) },
		Check: func(p bot.Part) error {
			var faults []error
			for _, f := range append(validate(p.Payload), harmless(p.Payload)...) {
				faults = append(faults, errors.New(f))
			}
			return errors.Join(faults...)
		},
	})
}

// shown is what a person gets out of a message: the text of its components, with
// what escaping added taken out, the labels of buttons and where links lead.
func shown(payload []byte) string {
	var message map[string]any
	if json.Unmarshal(payload, &message) != nil {
		return ""
	}
	var b strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for _, name := range []string{"content", "label", "url", "description", "placeholder"} {
				if s, ok := v[name].(string); ok {
					b.WriteString(s + "\n")
				}
			}
			for _, name := range []string{"components", "accessory", "options", "media", "items"} {
				walk(v[name])
			}
		}
	}
	walk(message)
	var out strings.Builder
	escaped := false
	for _, r := range strings.ReplaceAll(b.String(), zeroWidth, "") {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		out.WriteRune(r)
	}
	return out.String()
}

func TestEditing(t *testing.T) {
	f := newFake(t)
	bottest.Editing(t, bottest.Editable{Platform: f.adapter(t, Options{}), To: here, Stand: func() (out []string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, m := range f.messages[chanID] {
			out = append(out, shown(mustJSON(m)))
		}
		return out
	}})
}
