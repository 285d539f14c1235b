package chart

import (
	"fmt"
	"html"
	"strconv"
	"strings"

	"seedcorn/bot/message"
)

// Rules are the rules of a stylesheet for the shapes of an inline SVG. They speak of
// the variables --card, --ink, --quiet, --line, --edge, --s0 … --s4, --t0 … --t4 and
// --l0 … --l4, which the page defines ([Variables]).
var Rules = rules()

func rules() string {
	var b strings.Builder
	b.WriteString(".plot text { font-family: system-ui, -apple-system, \"Segoe UI\", \"Noto Sans\", sans-serif; font-weight: 400; text-anchor: start; }\n" +
		".plot .b { font-weight: 600; }\n.plot .m { text-anchor: middle; }\n.plot .e { text-anchor: end; }\n" +
		".plot .h { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }\n" +
		".plot polyline { fill: none; stroke-linejoin: round; }\n.plot rect { stroke: none; }\n")
	for _, n := range inkNames {
		fmt.Fprintf(&b, ".plot .f-%s { fill: var(--%s); }\n.plot .k-%s { stroke: var(--%s); }\n", n, n, n, n)
	}
	return b.String()
}

// Variables are the variables of [Rules], for light or for dark.
func Variables(isDark bool) string {
	p := light
	if isDark {
		p = dark
	}
	var b strings.Builder
	for i, n := range inkNames {
		fmt.Fprintf(&b, "--%s: #%02x%02x%02x; ", n, p[i].R, p[i].G, p[i].B)
	}
	return strings.TrimSpace(b.String())
}

// SVG draws a chart as a file of its own, which follows its reader's theme. It fails
// where a chart has more than [MaxBars] bars or values that are no numbers.
func SVG(c message.Chart, opt Options) ([]byte, error) {
	s, err := lay(c, opt, true)
	if err != nil {
		return nil, err
	}
	style := "<style>\nsvg { " + Variables(false) + " }\n@media (prefers-color-scheme: dark) { svg { " + Variables(true) + " } }\n" + Rules + "</style>\n"
	return []byte(s.svg(c, ` xmlns="http://www.w3.org/2000/svg"`, style, `<rect class="f-card" width="100%" height="100%"/>`+"\n")), nil
}

// Inline draws a chart as an element of a page that has [Rules] and their variables
// in its stylesheet. It is valid HTML, and safe whatever the chart's texts are.
func Inline(c message.Chart, opt Options) (string, error) {
	s, err := lay(c, opt, true)
	if err != nil {
		return "", err
	}
	return s.svg(c, "", "", ""), nil
}

func (s *scene) svg(c message.Chart, attributes, style, ground string) string {
	var b strings.Builder
	alt := tidy(c.Alt)
	if alt == "" {
		alt = tidy(c.Title)
	}
	fmt.Fprintf(&b, `<svg%s class="plot" role="img" aria-label="%s" viewBox="0 0 %s %s" width="%s" height="%s">`+"\n%s%s",
		attributes, html.EscapeString(alt), num(s.w), num(s.h), num(s.w), num(s.h), style, ground)
	for _, x := range s.shapes {
		x.svg(&b, s.size)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (x shape) svg(b *strings.Builder, size float64) {
	name := inkNames[x.ink]
	switch x.form {
	case box:
		p, q := x.points[0], x.points[1]
		fmt.Fprintf(b, `<rect class="f-%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", name, num(p.x), num(p.y), num(q.x-p.x), num(q.y-p.y))
	case filled:
		fmt.Fprintf(b, `<polygon class="f-%s"`, name)
		if x.alpha > 0 {
			fmt.Fprintf(b, ` fill-opacity="%s"`, num(x.alpha))
		}
		fmt.Fprintf(b, ` points="%s"/>`+"\n", path(x.points))
	case stroked:
		fmt.Fprintf(b, `<polyline class="k-%s" stroke-width="%s"`, name, num(x.width))
		if len(x.dash) > 0 {
			var d []string
			for _, l := range x.dash {
				d = append(d, num(l))
			}
			fmt.Fprintf(b, ` stroke-dasharray="%s"`, strings.Join(d, " "))
		}
		fmt.Fprintf(b, ` points="%s"/>`+"\n", path(x.points))
	case lettered:
		class := "f-" + name
		if x.bold {
			class += " b"
		}
		if x.halo {
			class += " h"
		}
		class += [...]string{start: "", middle: " m", end: " e"}[x.anchor]
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%s" font-size="%s">%s</text>`+"\n", class, num(x.points[0].x), num(x.points[0].y), num(size*x.scale), html.EscapeString(x.text))
	}
}

func path(points []point) string {
	var out []string
	for _, p := range points {
		out = append(out, num(p.x)+","+num(p.y))
	}
	return strings.Join(out, " ")
}

// num writes a measure to a tenth of a pixel.
func num(f float64) string {
	t := strconv.FormatFloat(f, 'f', 1, 64)
	if f < 1 && f > 0 {
		t = strconv.FormatFloat(f, 'f', 2, 64)
	}
	if strings.ContainsRune(t, '.') {
		t = strings.TrimRight(strings.TrimRight(t, "0"), ".")
	}
	return t
}
