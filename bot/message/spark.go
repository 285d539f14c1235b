package message

import (
	"slices"
	"strings"
)

// A Spark is one line of a chart over time, as text.
type Spark struct {
	Name  string
	Cells string // one character for each stretch of time, "·" where nothing is known
	Last  string // its latest value, "–" if there is none
}

// eighths are the heights of a cell. Zero has none: it is the baseline.
var eighths = []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// Sparks draws the lines of a chart over time as text of at most width cells, all
// on one scale from zero. Where there are more points than cells, a cell is the
// latest known value of its stretch. A chart of bars has none.
func (c Chart) Sparks(width int) []Spark {
	if c.Kind == ChartBars || len(c.Bars) == 0 {
		return nil
	}
	width = max(1, min(width, len(c.Bars)))
	most := 0.0
	for _, b := range c.Bars {
		if !b.Missing && len(b.Values) > 0 {
			most = max(most, slices.Max(b.Values))
		}
	}
	out := make([]Spark, len(c.Series))
	for i, name := range c.Series {
		var cells strings.Builder
		s := Spark{Name: name, Last: "–"}
		for k := range width {
			cell := "·"
			for _, b := range c.Bars[k*len(c.Bars)/width : (k+1)*len(c.Bars)/width] {
				if b.Missing || i >= len(b.Values) {
					continue
				}
				v := max(0, b.Values[i])
				s.Last = Number(v)
				cell = " "
				if v > 0 && most > 0 {
					cell = eighths[min(len(eighths)-1, int(v/most*float64(len(eighths))))]
				}
			}
			cells.WriteString(cell)
		}
		s.Cells = cells.String()
		out[i] = s
	}
	return out
}
