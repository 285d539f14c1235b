package slack

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"seedcorn/bot"
	"seedcorn/bot/message"
)

// The page shows a chart as it would be posted: drawn, with its bars of text below, or
// as bars alone where charts are text or cannot be drawn.
func TestPreviewChart(t *testing.T) {
	for _, tt := range []struct {
		charts  string
		fails   bool
		picture bool
	}{{"auto", false, true}, {"native", false, true}, {"picture", false, true}, {"text", false, false}, {"auto", true, false}} {
		a, err := New(Options{Tokens: OneToken(""), Parse: func(string) (string, map[string]string, error) { return "", nil, nil }, Charts: tt.charts})
		if err != nil {
			t.Fatal(err)
		}
		if tt.fails {
			a.draw = func(message.Chart) ([]byte, error) { return nil, errors.New("no such letters") }
		}
		var page bytes.Buffer
		if err := a.Preview(&page, []bot.Part{chartPart(t)}); err != nil {
			t.Fatal(err)
		}
		got := page.String()
		if has := strings.Contains(got, `<img src="data:image/png;base64,iVBOR`); has != tt.picture {
			t.Errorf("%s, fails %t: a picture: %t", tt.charts, tt.fails, has)
		}
		if has := strings.Contains(got, "The same as bars of text"); has != tt.picture {
			t.Errorf("%s, fails %t: bars of text aside: %t", tt.charts, tt.fails, has)
		}
		if n := strings.Count(got, "<pre tabindex=\"0\">France █"); n != 1 {
			t.Errorf("%s, fails %t: bars of text %d times", tt.charts, tt.fails, n)
		}
		if i, j := strings.Index(got, "France 4.5, China 3."), strings.Index(got, "small print"); i < 0 || j < i {
			t.Errorf("%s: the words of the chart at %d, what follows at %d", tt.charts, i, j)
		}
	}
}
