package discord

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"seedcorn/bot/message"
)

// attached begins the URL of a file that comes with the message.
const attached = "attachment://"

// maxAlt is the longest description of a picture.
// https://discord.com/developers/docs/components/reference#media-gallery-media-gallery-item-structure
const maxAlt = 1024

// maxBars is the most bars of a picture; more are told as text.
const maxBars = 40

// picture adds a chart as a gallery of one PNG; false if it must be told as text.
func (r *renderer) picture(c message.Chart) bool {
	if len(c.Bars) == 0 || len(c.Bars) > maxBars {
		return false
	}
	b, err := chartPNG(c)
	if err != nil {
		return false
	}
	if r.files == nil {
		r.files = map[string][]byte{}
	}
	name := fmt.Sprintf("chart-%d.png", len(r.files)+1)
	r.files[name] = b
	p := picture{Description: cut(strings.TrimSpace(oneLine(c.Alt)), maxAlt)}
	p.Media.URL = attached + name
	r.units = append(r.units, unit{parts: []component{{Type: typeGallery, Items: []picture{p}}}})
	return true
}

// Measures of a chart in pixels: as wide as a phone shows at full sharpness.
const (
	chartWidth  = 1000
	chartMargin = 24
	chartRow    = 44
	chartBar    = 28
	chartSize   = 22 // of its letters
)

// Colors of a chart. Its paper is white, so that it reads the same on Discord's dark
// and light themes; the segments are those of the cards, from the most open one on.
var (
	paper  = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink    = color.RGBA{0x1f, 0x23, 0x28, 0xff}
	colors = []color.RGBA{rgb(0x2da44e), rgb(0x388bfd), rgb(0xd29922), rgb(0xcf222e), rgb(0x8c959f)}
)

func rgb(c int) color.RGBA { return color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 0xff} }

// chartFont is read once; it is part of the program.
var chartFont = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

// chartPNG draws a chart: a row for each bar, with its name on the left and its note
// after it, and the series below. Labels that are too long for their column are
// shortened; in full they are in the text.
func chartPNG(c message.Chart) ([]byte, error) {
	f, err := chartFont()
	if err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: chartSize, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	defer face.Close()
	wide := func(s string) int { return font.MeasureString(face, s).Ceil() }
	fitted := func(s string, most int) string {
		s = strings.TrimSpace(oneLine(s))
		for n := len([]rune(s)); wide(s) > most && n > 0; n-- {
			s = cut(s, n)
		}
		return s
	}
	labels, notes, label, note, most := make([]string, len(c.Bars)), make([]string, len(c.Bars)), 0, 0, 0.0
	for i, b := range c.Bars {
		labels[i], notes[i] = fitted(b.Label, 260), fitted(b.Note, 220)
		label, note, most = max(label, wide(labels[i])), max(note, wide(notes[i])), max(most, b.Total())
	}
	series := c.Series[:min(len(c.Series), len(colors))]
	// The legend, in as many rows as it takes.
	const square, gap = 20, 10
	type mark struct {
		x, row int
		name   string
	}
	var legend []mark
	x, row := chartMargin, 0
	for _, s := range series {
		name := fitted(s, chartWidth-2*chartMargin-square-gap)
		w := square + gap + wide(name) + 2*gap
		if x > chartMargin && x+w > chartWidth-chartMargin {
			x, row = chartMargin, row+1
		}
		legend = append(legend, mark{x, row, name})
		x += w
	}
	height := 2*chartMargin + chartRow*(len(c.Bars)+row+1)
	img := image.NewRGBA(image.Rect(0, 0, chartWidth, height))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	write := func(x, y int, s string) {
		(&font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(x, y+chartBar-6)}).DrawString(s)
	}
	fill(img.Bounds(), paper)
	left := chartMargin + label + 16
	room := chartWidth - chartMargin - note - 16 - left
	for i, b := range c.Bars {
		y := chartMargin + i*chartRow
		write(chartMargin, y, labels[i])
		drawn, sum := left, 0.0
		for j, v := range b.Values {
			if v <= 0 || j >= len(colors) || most <= 0 {
				continue
			}
			sum += v
			to := min(left+room, left+int(sum/most*float64(room)+0.5))
			fill(image.Rect(drawn, y, to, y+chartBar), colors[j])
			drawn = max(drawn, to)
		}
		write(drawn+16, y, notes[i])
	}
	for i, m := range legend {
		y := chartMargin + (len(c.Bars)+m.row)*chartRow + 8
		fill(image.Rect(m.x, y+4, m.x+square, y+4+square), colors[i])
		write(m.x+square+gap, y, m.name)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	return out.Bytes(), nil
}
