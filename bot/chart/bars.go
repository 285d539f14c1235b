package chart

import (
	"math"

	"seedcorn/bot/message"
)

// bars draws a row for each bar: its name, its segments, its note. A segment has
// its number in it where there is room, and each series is named in the first
// segment that has room for the name; those without one come into a key above.
func (s *scene) bars(c message.Chart) {
	narrow := s.w < 560 // names stand above their bars
	row, thick := math.Round(s.size*1.8), math.Round(s.size*1.3)
	if narrow {
		row = math.Round(s.size * 2.9)
	}
	label, note, most := 0.0, 0.0, 0.0
	labels, notes := make([]string, len(c.Bars)), make([]string, len(c.Bars))
	for i, b := range c.Bars {
		room := s.w * 0.3
		if narrow {
			room = s.w - 2*s.margin - s.wide(s.fit(b.Note, s.w*0.4, false), false) - s.size
		}
		labels[i], notes[i] = s.fit(b.Label, room, false), s.fit(b.Note, s.w*0.3, false)
		label, note = max(label, s.wide(labels[i], false)), max(note, s.wide(notes[i], false))
		most = max(most, positive(b.Values))
	}
	left, room := s.margin+label+s.size*0.6, 0.0
	room = s.w - s.margin - note - s.size*0.5 - left
	if narrow {
		left = s.margin
		room = s.w - 2*s.margin
	}
	scale := 0.0
	if most >= valueLeast {
		scale = room / most
	}
	named, asked := make([]bool, len(c.Series)), make([]bool, len(c.Series))
	type segmentBox struct {
		bar, series int
		x, w        float64
		text        string
	}
	var segments []segmentBox
	for i, b := range c.Bars {
		at, sum := left, 0.0
		for j, v := range b.Values {
			if v <= 0 || scale == 0 {
				continue
			}
			sum += v
			to := max(left+sum*scale, at+1.5) // what is there is seen
			g := segmentBox{bar: i, series: j, x: at, w: to - at}
			number := message.Number(v)
			if j < len(c.Series) {
				asked[j] = true
				full := tidy(Short(c.Series[j])) + " " + number
				if !named[j] && s.wide(full, false)*small+s.size*0.6 <= g.w {
					g.text, named[j] = full, true
				}
			}
			if g.text == "" && s.wide(number, false)*small+s.size*0.35 <= g.w {
				g.text = number
			}
			segments = append(segments, g)
			at = to
		}
	}
	s.key(c, asked, named)
	top := s.y
	for i := range c.Bars {
		y := top + float64(i)*row
		base := y + (thick+s.size*0.72)/2
		if narrow {
			s.write(s.margin, y+s.ascent(1), start, ink, false, 1, labels[i])
			s.write(s.w-s.margin, y+s.ascent(1), end, quiet, false, 1, notes[i])
			y += s.size * 1.25
			base = y + (thick+s.size*0.72)/2
		} else {
			s.write(left-s.size*0.6, base, end, ink, false, 1, labels[i])
		}
		last := left
		for _, g := range segments {
			if g.bar != i {
				continue
			}
			x1 := g.x + g.w
			if g.w > 4 {
				x1 -= 1 // a hair of paper between neighbors
			}
			s.rect(g.x, y, x1, y+thick, segment(g.series))
			s.write(g.x+g.w/2, y+(thick+s.size*small*0.72)/2, middle, segmentText(g.series), false, small, g.text)
			last = g.x + g.w
		}
		if !narrow {
			s.write(last+s.size*0.4, base, start, ink, false, 1, notes[i])
		}
	}
	s.y = top + float64(len(c.Bars))*row
	s.stroke(edge, max(1, s.w/700), nil, point{left - 1.5, top - s.size*0.2}, point{left - 1.5, s.y - (row - thick) + s.size*0.2})
}

// key names the series that are drawn and stand nowhere by name.
func (s *scene) key(c message.Chart, asked, named []bool) {
	x, any := s.margin, false
	for i, name := range c.Series {
		if !asked[i] || named[i] {
			continue
		}
		square := s.size * 0.8
		text := s.fit(name, (s.w-2*s.margin-square*1.5)/small, false)
		w := square*1.5 + s.wide(text, false)*small + s.size
		if any && x+w > s.w-s.margin {
			x, s.y = s.margin, s.y+s.line(1)
		}
		s.rect(x, s.y+s.size*0.22, x+square, s.y+s.size*0.22+square, segment(i))
		s.write(x+square*1.5, s.y+s.ascent(1)*0.97, start, quiet, false, small, text)
		x, any = x+w, true
	}
	if any {
		s.y += s.line(1) + s.size*0.3
	}
}

// positive is the sum of what is drawn.
func positive(values []float64) float64 {
	t := 0.0
	for _, v := range values {
		t += max(0, v)
	}
	return t
}
