package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

func chartPart(t testing.TB) bot.Part {
	t.Helper()
	parts, err := render(message.Document{Summary: "The balance", Blocks: []message.Block{
		message.Heading{Level: 2, Text: "The balance"},
		message.Chart{
			Title: "Works by country", Alt: "France 4.5, China 3.", Series: []string{"open source", "open weights, code or data"},
			Bars: []message.Bar{{Label: "France", Values: []float64{3, 1.5}, Note: "4.5"}, {Label: "China", Values: []float64{3}, Note: "3"}},
		},
		message.SmallPrint{Items: []message.Line{message.Plain("small print")}},
	}})
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	mustBeValid(t, parts[0].Payload)
	return parts[0]
}

// shownAs says in which way a message that was sent shows its chart.
func shownAs(t testing.TB, raw []byte) string {
	t.Helper()
	var m struct {
		Blocks []struct {
			Type string `json:"type"`
		} `json:"blocks"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for _, b := range m.Blocks {
		switch b.Type {
		case "data_visualization":
			return chartNative
		case "image":
			return chartPicture
		}
	}
	if strings.Contains(string(raw), "█") {
		return chartText
	}
	return "nothing"
}

// A workspace is shown a chart in the best way that it takes, in one message, and is
// not asked again what it refused.
func TestChartWays(t *testing.T) {
	const refusal = `{"ok":false,"error":"invalid_blocks","errors":["unsupported type: data_visualization [json-pointer:/blocks/2/type]"]}`
	drawn := func(message.Chart) ([]byte, error) { return []byte("\x89PNG"), nil }
	tests := []struct {
		name   string
		setup  func(f *fake, a *Adapter)
		first  string // ways tried by the first post, in order
		second string // by the second
		fails  bool
	}{
		{"it takes Slack's own", func(*fake, *Adapter) {}, "native", "native", false},
		{"it does not, and there is nobody to draw", func(f *fake, _ *Adapter) { refuse(f, refusal, chartNative) }, "native text", "text", false},
		{"it does not, and takes a picture", func(f *fake, a *Adapter) { refuse(f, refusal, chartNative); a.draw = drawn }, "native picture", "picture", false},
		{"it takes neither", func(f *fake, a *Adapter) { refuse(f, refusal, chartNative, chartPicture); a.draw = drawn }, "native picture picture picture picture picture text", "text", false},
		{"no scope for files", func(f *fake, a *Adapter) {
			refuse(f, refusal, chartNative)
			a.draw = drawn
			f.on("files.getUploadURLExternal", says(200, `{"ok":false,"error":"missing_scope","needed":"files:write"}`))
		}, "native text", "text", false},
		{"the upload fails", func(f *fake, a *Adapter) {
			refuse(f, refusal, chartNative)
			a.draw = drawn
			f.on("upload", says(500, ``))
		}, "native text", "text", false},
		{"the upload is told to wait", func(f *fake, a *Adapter) {
			refuse(f, refusal, chartNative)
			a.draw = drawn
			f.on("upload", says(429, ``, "Retry-After", "30"))
		}, "native text", "text", false},
		{"an upload elsewhere", func(f *fake, a *Adapter) {
			refuse(f, refusal, chartNative)
			a.draw = drawn
			f.on("files.getUploadURLExternal", says(200, `{"ok":true,"upload_url":"https://evil.example/","file_id":"F1"}`))
		}, "native text", "text", false},
		{"the drawing fails", func(f *fake, a *Adapter) {
			refuse(f, refusal, chartNative)
			a.draw = func(message.Chart) ([]byte, error) { return nil, errors.New("no ink") }
		}, "native text", "text", false},
		{"only text is wanted", func(_ *fake, a *Adapter) { a.opt.Charts = chartText }, "text", "text", false},
		{"only a picture is wanted", func(_ *fake, a *Adapter) { a.opt.Charts, a.draw = chartPicture, drawn }, "picture", "picture", false},
		{"the fault is elsewhere", func(f *fake, _ *Adapter) { refuse(f, refusal, chartNative, chartPicture, chartText) }, "native text", "native text", true},
		{"the channel is gone", func(f *fake, _ *Adapter) {
			f.on("chat.postMessage", says(200, `{"ok":false,"error":"channel_not_found"}`))
		}, "native", "native", true},
		{"nobody knows what became of it", func(f *fake, _ *Adapter) {
			f.on("chat.postMessage", func(call) (*http.Response, error) { return nil, errCut })
		}, "native", "native", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				a, logs := newAdapter(t, f, nil)
				a.draw = nil
				tt.setup(f, a)
				part := chartPart(t)
				for i, want := range []string{tt.first, tt.second} {
					f.calls = nil
					r, err := a.Post(t.Context(), channel, bot.DeliveryID(fmt.Sprint("d", i)), part, "")
					if (err != nil) != tt.fails || (r == "") != tt.fails {
						t.Errorf("receipt %q, %v", r, err)
					}
					var ways []string
					for _, c := range f.of("chat.postMessage") {
						ways = append(ways, shownAs(t, c.Raw))
						if c.str("text") != "The balance" || !strings.Contains(string(c.Raw), "small print") || !strings.Contains(string(c.Raw), "France 4.5, China 3.") {
							t.Errorf("something is missing in %s", c.Raw)
						}
					}
					if got := strings.Join(ways, " "); got != want {
						t.Errorf("post %d: tried %q, want %q", i+1, got, want)
					}
				}
				if n := len(f.of("upload")); tt.name == "the upload is told to wait" && n != 1 {
					t.Errorf("uploaded %d times", n)
				}
				if strings.Contains(logs.String(), "secret-address") {
					t.Error("the address of an upload is in the log")
				}
			})
		})
	}
}

// refuse has posts that show a chart in one of these ways refused.
func refuse(f *fake, answer string, ways ...string) {
	f.on("chat.postMessage", func(c call) (*http.Response, error) {
		for _, w := range ways {
			if shownAs(f.t, c.Raw) == w {
				return response(200, answer), nil
			}
		}
		return response(200, `{"ok":true,"channel":"C1","ts":"1700000000.000001"}`), nil
	})
}

// After a day a workspace is tried again: it may have learned.
func TestChartRefusalIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		a, _ := newAdapter(t, f, nil)
		refuse(f, `{"ok":false,"error":"invalid_blocks"}`, chartNative)
		post := func() int {
			f.calls = nil
			if _, err := a.Post(t.Context(), channel, "d1", chartPart(t), ""); err != nil {
				t.Fatal(err)
			}
			return len(f.of("chat.postMessage"))
		}
		if a, b := post(), post(); a != 2 || b != 1 {
			t.Errorf("%d and %d calls, want 2 and 1", a, b)
		}
		time.Sleep(refusalLife + time.Hour)
		if n := post(); n != 2 {
			t.Errorf("%d calls a day later, want 2", n)
		}
	})
}

// A picture is uploaded whole, belongs to no channel, and is what the message shows.
func TestPicture(t *testing.T) {
	f := newFake(t)
	a, _ := newAdapter(t, f, func(o *Options) { o.Charts = chartPicture })
	var asked message.Chart
	a.draw = func(c message.Chart) ([]byte, error) { asked = c; return []byte("\x89PNG picture"), nil }
	part := chartPart(t)
	if _, err := a.Post(t.Context(), channel, "d1", part, ""); err != nil {
		t.Fatal(err)
	}
	if asked.Title != "Works by country" || len(asked.Bars) != 2 || asked.Bars[0].Total() != 4.5 {
		t.Errorf("drew %+v", asked)
	}
	if up := f.of("upload"); len(up) != 1 || string(up[0].Raw) != "\x89PNG picture" || up[0].Token != "" {
		t.Errorf("uploaded %+v", up)
	}
	if c := f.of("files.getUploadURLExternal"); len(c) != 1 || c[0].str("length") != "12" || c[0].str("filename") != "chart-1.png" || c[0].str("alt_txt") == "" {
		t.Errorf("asked for %+v", c)
	}
	done := f.of("files.completeUploadExternal")
	if len(done) != 1 || done[0].Args["channel_id"] != nil || !strings.Contains(string(done[0].Raw), `"F1"`) {
		t.Errorf("completed %s", done[0].Raw)
	}
	if raw := string(f.of("chat.postMessage")[0].Raw); !strings.Contains(raw, `"slack_file":{"id":"F1"}`) || !strings.Contains(raw, `"alt_text":"France 4.5, China 3."`) {
		t.Errorf("posted %s", raw)
	}
}

// What cannot be taken back if it is refused shows Slack's own chart only in a
// workspace that has taken one.
func TestChartInReplies(t *testing.T) {
	f := newFake(t)
	a, _ := newAdapter(t, f, nil)
	doc := message.Document{Blocks: []message.Block{everything().Blocks[10]}}
	if _, ok := doc.Blocks[0].(message.Chart); !ok {
		t.Fatal("the chart is elsewhere")
	}
	h := handler(func(context.Context, bot.Invocation) bot.Reply { return bot.Reply{Document: doc} })
	ask := func(id, team string) string {
		ack, err := a.take(t.Context(), h, kindCommand, id, []byte(`{"team_id":"`+team+`","channel_id":"C1","user_id":"U1","text":"balance"}`))
		if err != nil {
			t.Fatal(err)
		}
		mustBeValid(t, ack)
		return shownAs(t, ack)
	}
	if got := ask("1", "T1"); got != chartText {
		t.Errorf("before any post: %s", got)
	}
	if _, err := a.Post(t.Context(), channel, "d1", chartPart(t), ""); err != nil {
		t.Fatal(err)
	}
	if one, other := ask("2", "T1"), ask("3", "T2"); one != chartNative || other != chartText {
		t.Errorf("after T1 took one: %s there, %s elsewhere", one, other)
	}
	a.opt.Charts = chartText
	if got := ask("4", "T1"); got != chartText {
		t.Errorf("where only text is wanted: %s", got)
	}
}

// Names that Slack's chart cannot take are cut and kept apart; a chart that it cannot
// take at all is bars of text.
func TestNativeChart(t *testing.T) {
	bars := func(n int) (out []message.Bar) {
		for i := range n {
			out = append(out, message.Bar{Label: fmt.Sprintf("A country with a very long name %d", i%2), Values: []float64{1}})
		}
		return out
	}
	tests := []struct {
		name  string
		chart message.Chart
		want  bool
	}{
		{"long names", message.Chart{Title: strings.Repeat("title ", 20), Series: []string{"open weights, code or data", "open weights, code or what", ""}, Bars: bars(20)}, true},
		{"a stranger's names", message.Chart{Title: "<!here> x", Series: []string{"@channel"}, Bars: []message.Bar{{Label: "<@U123>\u202e", Values: []float64{1}}, {Label: "", Values: nil}}}, true},
		{"lines", message.Chart{Kind: message.ChartLines, Title: "x", Series: []string{"a", "b"}, Bars: bars(5)}, true},
		{"lines with a hole", message.Chart{Kind: message.ChartLines, Title: "x", Series: []string{"a"}, Bars: append(bars(2), message.Bar{Label: "z", Missing: true, Note: "not enough data"})}, false},
		{"lines with an interval", message.Chart{Kind: message.ChartLines, Title: "x", Series: []string{"a"}, Bars: []message.Bar{{Label: "z", Values: []float64{1}, Low: []float64{0}, High: []float64{2}}}}, false},
		{"stacked areas", message.Chart{Kind: message.ChartStack, Title: "x", Series: []string{"a"}, Bars: bars(3)}, false},
		{"too many bars", message.Chart{Title: "x", Series: []string{"a"}, Bars: bars(21)}, false},
		{"too many series", message.Chart{Title: "x", Series: strings.Fields("a b c d e f g"), Bars: bars(2)}, false},
		{"no title", message.Chart{Series: []string{"a"}, Bars: bars(2)}, false},
		{"no series", message.Chart{Title: "x", Bars: bars(2)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts, err := render(message.Document{Summary: "x", Blocks: []message.Block{tt.chart}})
			if err != nil {
				t.Fatal(err)
			}
			mustBeValid(t, parts[0].Payload)
			p, ok := readPayload(parts[0].Payload)
			if !ok || len(p.Charts) != 1 || (len(p.Charts[0].Native) > 0) != tt.want {
				t.Errorf("native: %t, want %t", ok && len(p.Charts[0].Native) > 0, tt.want)
			}
			if forms := string(parts[0].Payload); tt.chart.Kind == message.ChartLines && strings.Contains(forms, `"type":"line"`) != tt.want {
				t.Errorf("lines are not a chart of lines: %s", forms)
			}
			if ok && !reflect.DeepEqual(message.Chart(p.Charts[0].Data), tt.chart) {
				t.Errorf("kept %+v", p.Charts[0].Data)
			}
		})
	}
}
