// Package chart draws a [message.Chart] as a picture: [PNG] for places that show
// pictures only, [SVG] for a page or a file.
//
// What comes in is a chart and how wide it may be. It is laid out once, as a list of
// shapes in named inks; the two pictures are two ways to write that list down:
//
//	message.Chart ──bars.go, time.go──► scene ──png.go──► PNG with a palette of few colors
//	                                      └─────svg.go──► SVG, inks as CSS variables: light and dark
//
// What holds for every picture: the baseline is zero; names stand at what they name;
// what does not fit is shortened with an ellipsis and never runs into its neighbor;
// inks that meet differ in lightness, so that a picture can be read in gray and with
// any color vision (palette.go, and its test); a picture carries how it was counted,
// because it travels without the text around it. The letters are the Go fonts, which
// are part of the program: Latin, Greek and Cyrillic. A PNG whose names have other
// letters is refused ([ErrLetters]) rather than drawn with empty boxes, and told as
// text; in its note, which may quote anything, a mark stands for them. An SVG leaves
// letters to its reader's browser.
//
// The charting libraries of Go draw for one place in fixed colors. None writes an
// SVG that follows its reader's theme, puts names at the ends of lines, or draws an
// interval with holes where there is not enough data, and the layout would be ours
// with any of them.
package chart

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"seedcorn/bot/message"
)

// MaxBars is the most bars of a picture. Who has more tells them as text.
const MaxBars = 40

// ErrLetters means that a chart has letters that the fonts have not.
var ErrLetters = errors.New("letters that the fonts have not")

// errTall means that a chart has more bars than [MaxBars].
var errTall = fmt.Errorf("more than %d bars", MaxBars)

// Options say what a picture is for.
type Options struct {
	Width int  // in pixels; 0 means 800, and it is held between 300 and 2000
	Dark  bool // a PNG for a dark page; an SVG follows its reader
}

const (
	widthDefault = 800
	widthLeast   = 300
	widthMost    = 2000
	valueMost    = 1e12 // as many works as nobody has
	valueLeast   = 1e-9 // less is nothing
	maxNote      = 12   // lines
)

// lay lays a chart out.
func lay(c message.Chart, opt Options, forReader bool) (*scene, error) {
	w := opt.Width
	if w == 0 {
		w = widthDefault
	}
	s, err := newScene(float64(min(max(w, widthLeast), widthMost)), forReader)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if !(math.Abs(c.Level.At) <= valueMost) {
		c.Level = message.Level{}
	}
	for _, b := range c.Bars {
		for _, values := range [][]float64{b.Values, b.Low, b.High} {
			for _, v := range values {
				if !(math.Abs(v) <= valueMost) { // nor is what is no number
					return nil, fmt.Errorf("drawing a chart: the value %g of %q is not within what can be drawn", v, b.Label)
				}
			}
		}
	}
	s.head(c)
	switch {
	case len(c.Bars) == 0:
		s.say("Nothing was counted.")
	case c.Kind == message.ChartBars:
		s.square = true
		if len(c.Bars) > MaxBars {
			return nil, fmt.Errorf("drawing a chart: %w", errTall)
		}
		s.bars(c)
	default:
		s.time(c)
	}
	if s.own { // the words around the picture have the note whole
		if c.Note, err = written(tidy(c.Note)); err != nil {
			return nil, err
		}
	}
	s.foot(c)
	return s, nil
}

// head writes the title.
func (s *scene) head(c message.Chart) {
	s.y = s.margin
	if c.Title == "" {
		return
	}
	for _, l := range s.fold(tidy(c.Title), s.w-2*s.margin, 2, true) {
		s.write(s.margin, s.y+s.ascent(1), start, ink, true, 1, l)
		s.y += s.line(1)
	}
	s.y += s.size * 0.4
}

// foot writes how it was counted, and ends the picture.
func (s *scene) foot(c message.Chart) {
	if note := tidy(c.Note); note != "" {
		s.y += s.size * 0.3
		for _, l := range s.fold(note, (s.w-2*s.margin)/small, maxNote, false) {
			s.write(s.margin, s.y+s.ascent(small), start, quiet, false, small, l)
			s.y += s.line(small)
		}
	}
	s.h = math.Ceil(s.y + s.margin*0.6)
}

func (s *scene) say(words string) {
	s.write(s.margin, s.y+s.ascent(1), start, quiet, false, 1, words)
	s.y += s.line(1)
}

// tidy is a stranger's text on one line, without what could mislead a reader.
func tidy(t string) string {
	t = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Noncharacter_Code_Point, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, t)
	return strings.Join(strings.Fields(t), " ")
}

// Short is a series' name as it stands inside a picture: "open weights, code or
// data" is "open weights".
func Short(name string) string {
	name, _, _ = strings.Cut(name, ",")
	name, _, _ = strings.Cut(name, " or ")
	return name
}

// finest returns a step of 1, 2 or 5 times a power of ten such that most is at most
// n steps.
func finest(most float64, n int) float64 {
	if most <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if most <= step*f*float64(n)*(1+1e-9) {
			return step * f
		}
	}
	return step * 10
}

// apart moves labels of height h, which want to stand at ys, apart from each other
// and into the room from low to high, changing no one's order.
func apart(ys []float64, h, low, high float64) []float64 {
	order := make([]int, len(ys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ys[a] < ys[b]:
			return -1
		case ys[a] > ys[b]:
			return 1
		}
		return 0
	})
	out := slices.Clone(ys)
	at := low
	for _, i := range order {
		out[i] = max(out[i], at)
		at = out[i] + h
	}
	at = high
	for _, i := range slices.Backward(order) {
		out[i] = min(out[i], at)
		at = out[i] - h
	}
	return out
}
