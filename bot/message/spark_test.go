package message

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Sparks begin at zero, leave out what is not known, and keep the latest of what has
// no room.
func TestSparks(t *testing.T) {
	at := func(v ...float64) Bar { return Bar{Values: v} }
	c := Chart{Kind: ChartLines, Series: []string{"a", "b"}, Bars: []Bar{at(0, 8), at(4, 0.1), {Missing: true, Values: []float64{9, 9}}, at(8), at(2, 8)}}
	for _, tt := range []struct {
		width int
		want  []Spark
	}{
		{80, []Spark{{"a", " ▅·█▃", "2"}, {"b", "█▁··█", "8"}}},
		{2, []Spark{{"a", "▅▃", "2"}, {"b", "▁█", "8"}}},
		{0, []Spark{{"a", "▃", "2"}, {"b", "█", "8"}}},
	} {
		if diff := cmp.Diff(tt.want, c.Sparks(tt.width)); diff != "" {
			t.Errorf("%d cells (-want +got):\n%s", tt.width, diff)
		}
	}
	c.Bars = c.Bars[2:3]
	if diff := cmp.Diff([]Spark{{"a", "·", "–"}, {"b", "·", "–"}}, c.Sparks(9)); diff != "" {
		t.Errorf("nothing known (-want +got):\n%s", diff)
	}
	c.Kind = ChartBars
	if s := c.Sparks(9); s != nil {
		t.Errorf("bars have %v", s)
	}
}
