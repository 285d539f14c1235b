package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
)

func TestPlatform(t *testing.T) {
	bottest.Platform(t, func() bot.Platform {
		a, _ := newAdapter(t, newFake(t), nil)
		return a
	}, bottest.Manners{
		Extract: func(p bot.Part) string {
			_, shown := validMessage(p.Payload)
			return strings.ReplaceAll(shown, joiner, "")
		},
		Check: func(p bot.Part) error {
			faults, _ := validMessage(p.Payload)
			return errors.Join(asErrors(faults)...)
		},
	})
}

// answers is how many answers have come after their acknowledgment.
func answers(f *fake) int {
	return len(f.of("hook")) + len(f.of("views.open")) + len(f.of("chat.postMessage"))
}

func asErrors(faults []string) (out []error) {
	for _, f := range faults {
		out = append(out, errors.New(f))
	}
	return out
}

// Every command is asked as its own help says it is, and without anything, through
// both ways in; whatever is answered, Slack would take it. The fakes hold all that
// is sent to the limits.
func TestEveryCommand(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, logs *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		router := bot.NewRouter(bottest.Desk(), slog.New(slog.DiscardHandler))
		a.opt.Parse = router.Parse
		n := 0
		ask := func(line string) string {
			n++
			before := answers(f)
			ack, _ := in(router, kindCommand, fmt.Sprint(n), slash(line, "trigger_id", fmt.Sprint(n)))
			settle(a)
			if ack == "" {
				if answers(f) == before {
					t.Errorf("%s: no answer", line)
				}
				return ""
			}
			return mustBeValid(t, []byte(ack))
		}
		for _, c := range bot.Commands() {
			if shown := ask(c.Example); strings.Contains(shown, "wrong on our side") {
				t.Errorf("%s: %s", c.Example, shown)
			}
			ask(c.Name)
			ask("help " + c.Name)
			ask(c.Name + " <!channel> *_`~ @here")
		}
		if shown := ask("serach reasoning"); !strings.Contains(shown, "search") {
			t.Errorf("a slip is answered with %q", shown)
		}
		if n < 4*len(bot.Commands()) || strings.Contains(logs.String(), "ERROR") {
			t.Errorf("%d asked:\n%s", n, logs)
		}
	})
}

// Every button that an answer brings does something when it is pressed.
func TestEveryButton(t *testing.T) {
	bothWays(t, func(t *testing.T, f *fake, a *Adapter, _ *testLog, in func(bot.Handler, string, string, string) (string, time.Duration)) {
		router := bot.NewRouter(bottest.Desk(), slog.New(slog.DiscardHandler))
		a.opt.Parse = router.Parse
		in(router, kindCommand, "latest", slash("latest"))
		in(router, kindCommand, "work", slash("work 2501.12948"))
		settle(a)
		ack, _ := in(router, kindCommand, "again", slash("work 2501.12948 "))
		settle(a)
		var values []string
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, x := range v {
					walk(x)
				}
			case map[string]any:
				if s, ok := v["value"].(string); ok {
					values = append(values, s)
				}
				for _, x := range v {
					walk(x)
				}
			}
		}
		var v any
		if err := json.Unmarshal([]byte(ack), &v); err != nil {
			t.Fatal(err)
		}
		walk(v)
		for _, c := range f.of("hook") {
			walk(map[string]any(c.Args))
		}
		if len(values) < 5 {
			t.Fatalf("only %q to press", values)
		}
		for i, value := range values {
			before := answers(f)
			in(router, kindInteractive, fmt.Sprint(i), click(value, fmt.Sprintf(`,"n":%d`, i)))
			settle(a)
			if answers(f) == before {
				t.Errorf("%q does nothing", value)
			}
		}
		for _, c := range f.of("hook") {
			if strings.Contains(c.str("text"), "no command") {
				t.Errorf("a button that nobody knows: %s", c.Raw)
			}
		}
	})
}

func TestEditing(t *testing.T) {
	f := newFake(t)
	a, _ := newAdapter(t, f, nil)
	// What stands is what was posted, with what was edited in its place.
	stand := func() (ids []string, all map[string]call) {
		all = map[string]call{}
		f.mu.Lock()
		calls := slices.Clone(f.calls)
		f.mu.Unlock()
		for i, c := range calls {
			switch c.Method {
			case "chat.postMessage":
				id := fmt.Sprintf("1700000000.%06d", i+1)
				ids, all[id] = append(ids, id), c
			case "chat.update":
				if _, ok := all[c.str("ts")]; ok {
					all[c.str("ts")] = c
				}
			}
		}
		return ids, all
	}
	f.on("chat.update", func(c call) (*http.Response, error) {
		if _, all := stand(); all[c.str("ts")].Method == "" {
			return response(200, `{"ok":false,"error":"message_not_found"}`), nil
		}
		return response(200, fmt.Sprintf(`{"ok":true,"channel":%q,"ts":%q}`, c.str("channel"), c.str("ts"))), nil
	})
	f.on("conversations.history", func(call) (*http.Response, error) {
		ids, all := stand()
		var page []map[string]any
		for _, id := range ids {
			page = append(page, map[string]any{"ts": id, "metadata": all[id].Args["metadata"]})
		}
		b, err := json.Marshal(map[string]any{"ok": true, "messages": page})
		return response(200, string(b)), err
	})
	bottest.Editing(t, bottest.Editable{Platform: a, To: channel, Stand: func() (out []string) {
		ids, all := stand()
		for _, id := range ids {
			_, text := validMessage(all[id].Raw)
			out = append(out, text)
		}
		return out
	}})
}
