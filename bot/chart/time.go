package chart

import (
	"math"
	"slices"
	"strconv"

	"seedcorn/bot/message"
)

// A plot is the field of a chart over time.
type plot struct {
	x0, x1, y0, y1 float64 // y1 is the baseline
	top            float64 // the value at y0
	n              int     // points
}

func (p plot) x(i int) float64 {
	if p.n < 2 {
		return (p.x0 + p.x1) / 2
	}
	return p.x0 + (p.x1-p.x0)*float64(i)/float64(p.n-1)
}

func (p plot) y(v float64) float64 {
	return p.y1 - (p.y1-p.y0)*min(max(v/p.top, 0), 1)
}

// time draws series over time, with each name at the end of its line or area.
func (s *scene) time(c message.Chart) {
	p := plot{n: len(c.Bars)}
	most := 0.0
	if c.Level.Name != "" {
		most = c.Level.At
	}
	for _, b := range c.Bars {
		if b.Missing {
			continue
		}
		if c.Kind == message.ChartStack {
			most = max(most, positive(b.Values))
			continue
		}
		for i, v := range b.Values {
			most = max(most, v)
			if i < len(b.High) {
				// A wide interval is cut off rather than flatten everything else.
				most = max(most, min(b.High[i], 4*v))
			}
		}
	}
	if most < valueLeast {
		most = 0
	}
	step := finest(most*1.02, 5)
	p.top = step * math.Ceil(most*1.02/step)
	if p.top <= 0 {
		p.top = 1
	}
	// Room for the scale on the left and for the names on the right.
	scaleRoom := 0.0
	for v := 0.0; v <= p.top*1.0001; v += step {
		scaleRoom = max(scaleRoom, s.wide(message.Number(v), false)*small)
	}
	ends := s.ends(c)
	nameRoom := 0.0
	for _, e := range ends {
		for _, t := range e.lines {
			nameRoom = max(nameRoom, s.wide(t, true)*small)
		}
	}
	p.x0 = s.margin + scaleRoom + s.size*0.6
	p.x1 = s.w - s.margin - nameRoom - s.size*1.1
	p.y0 = s.y + s.size*0.5
	p.y1 = p.y0 + max(s.w*s.rise, s.size*11)

	s.holes(c, p)
	for v := 0.0; v <= p.top*1.0001; v += step {
		y := p.y(v)
		if v > 0 {
			s.stroke(line, 1, nil, point{p.x0, y}, point{p.x1, y})
		}
		s.write(p.x0-s.size*0.5, y+s.size*small*0.36, end, quiet, false, small, message.Number(v))
	}
	if c.Kind == message.ChartStack {
		s.areas(c, p)
	} else {
		s.bands(c, p)
		s.lines(c, p)
	}
	if c.Level.Name != "" {
		y := p.y(c.Level.At)
		s.stroke(edge, max(1, s.w/800), []float64{4, 4}, point{p.x0, y}, point{p.x1, y})
		s.write(p.x0+s.size*0.4, y-s.size*0.35, start, quiet, false, small, s.fit(c.Level.Name, (p.x1-p.x0)/small, false))
		s.shapes[len(s.shapes)-1].halo = true
	}
	s.stroke(edge, max(1, s.w/700), nil, point{p.x0, p.y1}, point{p.x1, p.y1})
	s.dates(c, p)
	s.names(ends, p)
	s.y = p.y1 + s.size*1.6
}

// lines draws the lines themselves: none where a value is missing, dots where a
// value stands alone.
func (s *scene) lines(c message.Chart, p plot) {
	width := max(2, s.w/330)
	for i := range slices.Backward(c.Series) { // the first series lies on top
		dash := scaled(dashes[i%len(dashes)], s.w/700)
		for _, run := range runs(c, i) {
			var points []point
			for k := run[0]; k < run[1]; k++ {
				points = append(points, point{p.x(k), p.y(c.Bars[k].Values[i])})
			}
			if len(points) > 1 {
				s.stroke(lineInk(i), width, dash, points...)
			}
			last := points[len(points)-1]
			if run[1] == len(c.Bars) || run[1]-run[0] == 1 {
				s.dot(last, width*1.6, lineInk(i))
			}
		}
	}
}

func scaled(dash []float64, by float64) []float64 {
	out := make([]float64, len(dash))
	for i, d := range dash {
		out[i] = d * max(by, 0.8)
	}
	return out
}

func (s *scene) dot(at point, r float64, i inkName) {
	const n = 16
	points := make([]point, n)
	for k := range points {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / n)
		points[k] = point{at.x + r*cos, at.y + r*sin}
	}
	s.fill(i, 0, points...)
}

// bands draws the intervals.
func (s *scene) bands(c message.Chart, p plot) {
	for i := range c.Series {
		for _, run := range runs(c, i) {
			for from := run[0]; from < run[1]; from++ {
				to := from
				var up, down []point
				for ; to < run[1] && i < len(c.Bars[to].Low) && i < len(c.Bars[to].High); to++ {
					up = append(up, point{p.x(to), p.y(c.Bars[to].High[i])})
					down = append(down, point{p.x(to), p.y(c.Bars[to].Low[i])})
				}
				switch len(up) {
				case 0:
					continue
				case 1: // a single interval is a whisker
					s.stroke(lineInk(i), max(1.5, s.w/500), nil, down[0], up[0])
				default:
					slices.Reverse(down)
					s.fill(lineInk(i), 0.22, append(up, down...)...)
				}
				from = to
			}
		}
	}
}

// areas stacks the series, the first at the bottom.
func (s *scene) areas(c message.Chart, p plot) {
	below := make([]float64, len(c.Bars))
	for i := range c.Series {
		for _, run := range runs(c, i) {
			var up, down []point
			for k := run[0]; k < run[1]; k++ {
				v := max(0, c.Bars[k].Values[i])
				down = append(down, point{p.x(k), p.y(below[k])})
				below[k] += v
				up = append(up, point{p.x(k), p.y(below[k])})
			}
			if len(up) == 1 { // one point in time is a bar
				half := s.size
				up = []point{{up[0].x - half, up[0].y}, {up[0].x + half, up[0].y}}
				down = []point{{down[0].x - half, down[0].y}, {down[0].x + half, down[0].y}}
			}
			slices.Reverse(down)
			s.fill(segment(i), 0, append(slices.Clone(up), down...)...)
			s.stroke(paper, 1, nil, up...)
		}
	}
}

// holes shades the stretches without values.
func (s *scene) holes(c message.Chart, p plot) {
	for k := 0; k < len(c.Bars); k++ {
		if !c.Bars[k].Missing {
			continue
		}
		from := k
		for k+1 < len(c.Bars) && c.Bars[k+1].Missing {
			k++
		}
		x0, x1 := p.x(max(0, from-1)), p.x(min(len(c.Bars)-1, k+1))
		if len(c.Bars) == 1 {
			x0, x1 = p.x0, p.x1
		}
		s.fill(line, 0.4, point{x0, p.y0}, point{x1, p.y0}, point{x1, p.y1}, point{x0, p.y1})
		words := tidy(c.Bars[k].Note)
		if words == "" {
			words = "not enough data"
		}
		lines := s.fold(words, (x1-x0-s.size*0.6)/small, 3, false)
		if len(lines) == 3 || x1-x0 < s.size*5 {
			continue // no room to say it
		}
		for n, l := range lines {
			s.write((x0+x1)/2, p.y0+s.line(small)*float64(n+1), middle, quiet, false, small, l)
			s.shapes[len(s.shapes)-1].halo = true
		}
	}
}

// runs are the stretches in which a series has values: from, and the end after it.
func runs(c message.Chart, series int) (out [][2]int) {
	from := -1
	for k, b := range c.Bars {
		has := !b.Missing && series < len(b.Values)
		switch {
		case has && from < 0:
			from = k
		case !has && from >= 0:
			out, from = append(out, [2]int{from, k}), -1
		}
	}
	if from >= 0 {
		out = append(out, [2]int{from, len(c.Bars)})
	}
	return out
}

// dates writes as many moments below the baseline as have room, the last one
// among them.
func (s *scene) dates(c message.Chart, p plot) {
	widest := 0.0
	for _, b := range c.Bars {
		widest = max(widest, s.wide(s.fit(b.Label, s.w*0.4, false), false)*small)
	}
	every := 1
	if p.n > 1 {
		every = max(1, int(math.Ceil((widest+s.size*1.2)/((p.x1-p.x0)/float64(p.n-1)))))
	}
	y := p.y1 + s.size*1.25
	for k := p.n - 1; k >= 0; k -= every {
		x := p.x(k)
		text := s.fit(c.Bars[k].Label, s.w*0.4, false)
		half := s.wide(text, false) * small / 2
		s.stroke(edge, 1, nil, point{x, p.y1}, point{x, p.y1 + s.size*0.3})
		s.write(min(max(x, s.margin+half), s.w-s.margin-half), y, middle, quiet, false, small, text)
	}
}

// figure is a value as it is written at the end of a line: a ratio, which is drawn
// against a level, needs its second decimal.
func figure(c message.Chart, v float64) string {
	if c.Level.Name != "" {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return message.Number(v)
}

// An endName is what stands at the end of a line or an area.
type endName struct {
	series int
	at     int     // the point it belongs to
	value  float64 // where it points, in values
	lines  []string
	ink    inkName
	mark   inkName // of the leader
}

// ends are the names with their latest values.
func (s *scene) ends(c message.Chart) []endName {
	var out []endName
	room := min(s.w*0.34, s.size*14) / small
	if s.w < 560 {
		room = s.w * 0.3 / small
	}
	below := 0.0
	for i, name := range c.Series {
		rs := runs(c, i)
		if len(rs) == 0 {
			continue
		}
		k := rs[len(rs)-1][1] - 1
		v := c.Bars[k].Values[i]
		e := endName{series: i, at: k, value: v, ink: lineInk(i), mark: lineInk(i)}
		if c.Kind == message.ChartStack {
			// The middle of its layer.
			below = 0
			for j := range i {
				if j < len(c.Bars[k].Values) {
					below += max(0, c.Bars[k].Values[j])
				}
			}
			e.value, e.ink, e.mark = below+max(0, v)/2, ink, segment(i)
			if v <= 0 {
				e.value = below
			}
		}
		words := tidy(Short(name)) + " " + figure(c, v)
		if s.wide(words, true) <= room {
			e.lines = []string{words}
		} else {
			e.lines = []string{s.fit(Short(name), room, true), figure(c, v)}
		}
		out = append(out, e)
	}
	return out
}

// names writes the names to the right of the plot, moved apart where they would
// stand on each other, each with a mark in the ink of what it names.
func (s *scene) names(ends []endName, p plot) {
	if len(ends) == 0 {
		return
	}
	h := 0.0
	ys := make([]float64, len(ends))
	for i, e := range ends {
		ys[i] = p.y(e.value)
		h = max(h, float64(len(e.lines))*s.line(small))
	}
	h = min(h*1.02, (p.y1-p.y0)/float64(len(ends)))
	placed := apart(ys, h, p.y0, p.y1-max(0, h-s.line(small))/2)
	for i, e := range ends {
		y := placed[i]
		x := p.x1 + s.size*0.95
		s.stroke(e.mark, max(1.5, s.w/600), nil, point{p.x1 + s.size*0.15, ys[i]}, point{x - s.size*0.2, y})
		top := y - float64(len(e.lines)-1)*s.line(small)/2
		for n, l := range e.lines {
			s.write(x, top+float64(n)*s.line(small)+s.size*small*0.36, start, e.ink, true, small, l)
		}
	}
}
