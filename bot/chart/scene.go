package chart

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

type point struct{ x, y float64 }

type form uint8

const (
	filled  form = iota // a polygon
	box                 // a rectangle, points are its corners
	stroked             // a line through points
	lettered
)

type anchor uint8

const (
	start anchor = iota
	middle
	end
)

// A shape is one thing that is drawn.
type shape struct {
	form   form
	ink    inkName
	points []point
	alpha  float64 // of a fill; 0 means opaque
	width  float64 // of a stroke
	dash   []float64
	halo   bool // an outline in the paper's ink, so that text can cross lines

	text   string
	anchor anchor
	bold   bool
	scale  float64 // of the letters
}

// A scene is a picture as shapes, with what is needed to lay them out.
type scene struct {
	w, h   float64
	y      float64 // how far down it is laid out
	margin float64
	size   float64 // of the letters
	spare  float64 // how much wider than ours a reader's letters may be
	rise   float64 // height of a field to its width
	own    bool    // its letters are those of our fonts
	square bool    // nothing in it slants but letters
	shapes []shape
	faces  [2]font.Face // regular and bold, of the size
}

const small = 0.84 // the scale of small print

// fonts are read once; they are part of the program.
var fonts = sync.OnceValues(func() (out [2]*opentype.Font, err error) {
	for i, ttf := range [][]byte{goregular.TTF, gobold.TTF} {
		if out[i], err = opentype.Parse(ttf); err != nil {
			return out, fmt.Errorf("reading a font: %w", err)
		}
	}
	return out, nil
})

// written is a text of which our fonts can write every letter: where they cannot,
// a mark says that something is left out.
func written(text string) (string, error) {
	fs, err := fonts()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	lost := false
	for _, r := range text {
		g, err := fs[0].GlyphIndex(nil, r)
		switch {
		case err == nil && g != 0:
			out.WriteRune(r)
			lost = lost && r == ' '
		case !lost:
			out.WriteString("[…]")
			lost = true
		}
	}
	return out.String(), nil
}

func face(bold bool, size float64) (font.Face, error) {
	fs, err := fonts()
	if err != nil {
		return nil, err
	}
	f := fs[0]
	if bold {
		f = fs[1]
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

// newScene begins a picture. Letters grow with it, but less: a picture that is shown
// on a phone at a third of its size has to be read, and one that is as wide as the
// phone has room for few.
//
// A picture with forReader is shown in its reader's own letters and at its own size.
func newScene(w float64, forReader bool) (*scene, error) {
	s := &scene{w: w, size: min(30, 9+w*0.0165), margin: min(28, 6+w*0.02), spare: 1.04, rise: 0.4, own: !forReader}
	if forReader {
		s.size, s.margin, s.spare, s.rise = 15, 8, 1.24, 0.34
	}
	if w < 560 {
		s.size = 14
	}
	for i := range s.faces {
		f, err := face(i == 1, s.size)
		if err != nil {
			return nil, err
		}
		s.faces[i] = f
	}
	return s, nil
}

func (s *scene) close() {
	for _, f := range s.faces {
		if f != nil {
			_ = f.Close() // it holds nothing outside the program
		}
	}
}

func (s *scene) line(scale float64) float64   { return s.size * scale * 1.3 }
func (s *scene) ascent(scale float64) float64 { return s.size * scale * 0.98 }

// wide is how much room a text takes, at scale 1.
func (s *scene) wide(text string, bold bool) float64 {
	f := s.faces[0]
	if bold {
		f = s.faces[1]
	}
	return float64(font.MeasureString(f, text)) / 64 * s.spare
}

// fit shortens a text to the room.
func (s *scene) fit(text string, room float64, bold bool) string {
	text = tidy(text)
	if s.wide(text, bold) <= room {
		return text
	}
	runes := []rune(text)
	if len(runes) > 400 {
		runes = runes[:400]
	}
	lo, hi := 0, len(runes)
	for lo < hi {
		n := (lo + hi + 1) / 2
		if s.wide(strings.TrimRight(string(runes[:n]), " ")+"…", bold) <= room {
			lo = n
		} else {
			hi = n - 1
		}
	}
	if lo == 0 {
		return ""
	}
	return strings.TrimRight(string(runes[:lo]), " ") + "…"
}

// fold breaks a text into at most most lines; the last one is shortened.
func (s *scene) fold(text string, room float64, most int, bold bool) []string {
	var out []string
	words := strings.Fields(text)
	for len(words) > 0 {
		if len(out) == most-1 {
			return append(out, s.fit(strings.Join(words, " "), room, bold))
		}
		n := 1
		for n < len(words) && s.wide(strings.Join(words[:n+1], " "), bold) <= room {
			n++
		}
		out = append(out, s.fit(strings.Join(words[:n], " "), room, bold))
		words = words[n:]
	}
	return out
}

func (s *scene) write(x, y float64, a anchor, i inkName, bold bool, scale float64, text string) {
	if text != "" {
		s.shapes = append(s.shapes, shape{form: lettered, ink: i, points: []point{{x, y}}, anchor: a, bold: bold, scale: scale, text: text})
	}
}

func (s *scene) rect(x0, y0, x1, y1 float64, i inkName) {
	s.shapes = append(s.shapes, shape{form: box, ink: i, points: []point{{x0, y0}, {x1, y1}}})
}

func (s *scene) stroke(i inkName, width float64, dash []float64, points ...point) {
	s.shapes = append(s.shapes, shape{form: stroked, ink: i, width: width, dash: dash, points: points})
}

func (s *scene) fill(i inkName, alpha float64, points ...point) {
	s.shapes = append(s.shapes, shape{form: filled, ink: i, alpha: alpha, points: points})
}
