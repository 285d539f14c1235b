package chart

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"golang.org/x/image/font"

	"seedcorn/bot/message"
)

var classes = []string{"open source", "open weights, code or data", "restricted", "closed", "not known or paper only"}

func bar(label string, values ...float64) message.Bar {
	t := 0.0
	for _, v := range values {
		t += v
	}
	open := 0.0
	for _, v := range values[:min(2, len(values))] {
		open += v
	}
	return message.Bar{Label: label, Values: values, Note: fmt.Sprintf("%s (%s open)", message.Number(t), message.Number(open))}
}

const rule = "Counting rule “share”: a work counts as one, shared equally among its labs. Country: by where the lab sits. 412 works counted; country unknown for 58 (14%); 3 left out because evidence contradicts itself. Lab registry 2026-11-23+1f0c9a3e."

// gallery has the charts that a picture must be able to show.
func gallery() map[string]message.Chart {
	out := map[string]message.Chart{}
	base := message.Chart{Title: "Works by country, by where the lab sits", Alt: "China 12 of 31 open works.", Note: rule, Series: classes}
	with := func(name string, bars ...message.Bar) {
		c := base
		c.Bars = bars
		out[name] = c
	}
	with("usual", bar("China", 12, 33, 8, 2, 18), bar("United States", 11, 14, 12, 9, 41), bar("France", 5, 4, 0, 0, 1), bar("United Kingdom", 0, 1.5, 2, 1, 6), bar("South Korea", 0, 2, 1, 0, 2), bar("not known", 1, 2, 0, 0, 27))
	with("none")
	with("zero", bar("China", 0, 0, 0, 0, 0), bar("France", 0, 0, 0, 0, 0))
	with("one", bar("China", 3, 2, 0, 0, 0))
	with("tiny", bar("China", 900, 300, 1, 0.3, 2), bar("Liechtenstein", 0, 0.25, 0, 0, 0), bar("France", 0, 1, 0, 0, 0))
	var fifteen []message.Bar
	for i, n := range []string{"China", "United States", "France", "Germany", "Japan", "South Korea", "Canada", "United Kingdom", "Israel", "Switzerland", "United Arab Emirates", "Singapore", "9 other countries", "international", "not known"} {
		k := float64(40 - 2*i)
		fifteen = append(fifteen, bar(n, k/4, k/2, k/8, k/10, k/5))
	}
	with("fifteen", fifteen...)
	with("long", bar("Democratic Republic of the Congo and the islands that nobody has ever named", 3, 2, 1, 1, 1), bar("Bosnia and Herzegovina", 1, 1, 1, 1, 1), bar("Российская Федерация", 1, 0, 2, 0, 0), bar("Ελλάδα", 0, 1, 0, 0, 0))
	with("letters", bar("中华人民共和国", 3, 2, 1, 1, 1), bar("الإمارات العربية المتحدة", 1, 1, 1, 1, 1), bar("ישראל", 1, 0, 0, 0, 0), bar("대한민국", 0, 1, 0, 0, 0))

	rnd := rand.New(rand.NewPCG(1, 2))
	weeks := func(n int, f func(k int) message.Bar) (bars []message.Bar) {
		for k := range n {
			b := f(k)
			b.Label = []string{"5 Jan", "12 Jan", "19 Jan", "26 Jan"}[k%4]
			if k%4 == 0 {
				b.Label += " 2026"
			}
			bars = append(bars, b)
		}
		return bars
	}
	sums := make([]float64, 4)
	lines := message.Chart{Kind: message.ChartLines, Title: "Open works per week, by where the lab sits", Alt: "lines", Note: rule, Series: []string{"China", "United States", "France", "United Kingdom", "European Union (27)"}}
	lines.Bars = weeks(30, func(k int) message.Bar {
		return message.Bar{Values: []float64{10 + 5*math.Sin(float64(k)/3) + rnd.Float64()*4, 8 + rnd.Float64()*5, 2 + rnd.Float64()*2, rnd.Float64() * 3, 4 + rnd.Float64()}, Missing: k == 11 || k > 18 && k < 23}
	})
	out["lines"] = lines
	sum := lines
	sum.Title = "Open works since January, summed up"
	sum.Bars = weeks(30, func(k int) message.Bar {
		for i := range sums {
			sums[i] += float64(4-i) * 3 * rnd.Float64()
		}
		return message.Bar{Values: append(append([]float64(nil), sums...), sums[2]+0.1)}
	})
	out["summed"] = sum
	ratio := message.Chart{Kind: message.ChartLines, Title: "Open works of China for each one of the United States, summed up", Alt: "ratio", Note: rule, Series: []string{"China ÷ United States"}, Level: message.Level{At: 1, Name: "as many"}}
	ratio.Bars = weeks(40, func(k int) message.Bar {
		if k < 9 {
			return message.Bar{Missing: true, Note: "not enough data"}
		}
		v := 1.2 + 0.5*math.Sin(float64(k)/9)
		w := 3 / float64(k)
		return message.Bar{Values: []float64{v}, Low: []float64{v / (1 + w)}, High: []float64{v * (1 + w)}}
	})
	out["ratio"] = ratio
	stack := lines
	stack.Kind, stack.Title, stack.Series = message.ChartStack, "Works per week by openness", classes
	out["stack"] = stack
	single := ratio
	single.Bars = ratio.Bars[20:21]
	out["single"] = single
	empty := ratio
	empty.Bars = ratio.Bars[:9]
	out["unknown"] = empty
	flat := lines
	flat.Bars = weeks(6, func(int) message.Bar { return message.Bar{Values: make([]float64, 5)} })
	out["flat"] = flat
	huge := sum
	huge.Bars = weeks(200, func(k int) message.Bar {
		return message.Bar{Values: []float64{float64(k * k * 10), float64(k * k * 9), float64(k * k * 9), float64(k * 100), 0.01}}
	})
	out["huge"] = huge
	attack := base
	attack.Title, attack.Alt, attack.Note = `</svg><script>alert(1)</script>`, `" onload="x`, "<b>&\x00"
	attack.Bars = []message.Bar{bar(`<img src=x onerror=alert(1)>`, 1), bar(strings.Repeat("x", 3000), 1)}
	out["attack"] = attack
	return out
}

// measure is how wide a face writes a text, in pixels.
func measure(f font.Face, text string) int { return font.MeasureString(f, text).Round() }
