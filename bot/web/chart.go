package web

import (
	"fmt"
	"strconv"
	"strings"

	"seedcorn/bot/message"
)

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
