package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"seedcorn/bot"
	"seedcorn/bot/chart"
	"seedcorn/bot/message"
)

// A plotView is a chart over time: the picture for a wide page and for a narrow one,
// of which the stylesheet shows one, and its numbers.
type plotView struct {
	message.Chart
	Wide, Narrow template.HTML
	Rows         []plotRow
}

type plotRow struct {
	Label, Note string
	Cells       []string
}

// Widths of the pictures, in pixels: of the page's column, and of a phone.
const (
	plotWide   = 960
	plotNarrow = 330
)

func plotOf(c message.Chart) (plotView, error) {
	v := plotView{Chart: c}
	drawn := c
	drawn.Title, drawn.Note = "", "" // they stand in the page
	for _, x := range []struct {
		at    *template.HTML
		width int
	}{{&v.Wide, plotWide}, {&v.Narrow, plotNarrow}} {
		svg, err := chart.Inline(drawn, chart.Options{Width: x.width})
		if err != nil {
			return v, err
		}
		*x.at = template.HTML(svg)
	}
	for _, b := range c.Bars {
		row := plotRow{Label: b.Label, Note: b.Note}
		for i := range c.Series {
			switch {
			case b.Missing || i >= len(b.Values):
				row.Cells = append(row.Cells, "–")
			case c.Level.Name != "": // a ratio
				cell := bot.Times(b.Values[i])
				if i < len(b.Low) && i < len(b.High) {
					cell += fmt.Sprintf(" (%s–%s)", bot.Times(b.Low[i]), bot.Times(b.High[i]))
				}
				row.Cells = append(row.Cells, cell)
			default:
				row.Cells = append(row.Cells, message.Number(b.Values[i]))
			}
		}
		v.Rows = append(v.Rows, row)
	}
	return v, nil
}

// A chartView is a chart as one small picture for each bar. Lengths are shares of
// the picture's width, so that a bar is as wide as the page lets it be while its
// text keeps its size.
type chartView struct {
	message.Chart
	Key  []keyView
	Bars []barView
}

type keyView struct {
	Class, Name string
}

type barView struct {
	Label, Flag, Note string
	Says              string // the bar in words
	Parts             []partView
}

type partView struct {
	X, Width, Middle string // in percent
	Class            string
	Says             string
	Text             string // what stands in it, where there is room
}

// Shares of the width, in percent, from which a part can hold a number, and its
// name as well, on a phone.
const (
	roomForNumber = 9
	roomForName   = 40
)

func chartOf(c message.Chart) chartView {
	out := chartView{Chart: c}
	for i, name := range c.Series {
		out.Key = append(out.Key, keyView{"s" + strconv.Itoa(i), name})
	}
	most := 0.0
	for _, b := range c.Bars {
		most = max(most, b.Total())
	}
	named := map[int]bool{} // each series is named in the first bar that has room
	for _, b := range c.Bars {
		bar := barView{Label: b.Label, Flag: b.Flag, Note: b.Note}
		var says []string
		at := 0.0
		for i, v := range b.Values {
			if v <= 0 || most <= 0 || i >= len(c.Series) {
				continue
			}
			wide := v / most * 100
			p := partView{
				X: percent(at), Width: percent(wide), Middle: percent(at + wide/2), Class: "s" + strconv.Itoa(i),
				Says: fmt.Sprintf("%s: %s", c.Series[i], message.Number(v)),
			}
			short, _, _ := strings.Cut(c.Series[i], ",")
			short, _, _ = strings.Cut(short, " or ")
			switch {
			case wide >= roomForName && !named[i]:
				p.Text, named[i] = short+" "+message.Number(v), true
			case wide >= roomForNumber:
				p.Text = message.Number(v)
			}
			says = append(says, fmt.Sprintf("%s %s", c.Series[i], message.Number(v)))
			bar.Parts = append(bar.Parts, p)
			at += wide
		}
		bar.Says = b.Label + ": " + strings.Join(says, ", ")
		if len(says) == 0 {
			bar.Says = b.Label + ": none"
		}
		out.Bars = append(out.Bars, bar)
	}
	return out
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) + "%" }
