package chart

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math"
	"slices"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"seedcorn/bot/message"
)

// PNG draws a chart as a picture of few colors. It fails if the chart has
// letters that the fonts have not ([ErrLetters]), more than [MaxBars] bars or values
// that are no numbers; then it is told as text.
func PNG(c message.Chart, opt Options) ([]byte, error) {
	s, err := lay(c, opt, false)
	if err != nil {
		return nil, err
	}
	img, err := s.paint(opt.Dark)
	if err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	var out bytes.Buffer
	inks := s.inks(opt.Dark)
	// The best compression takes five times as long for a twentieth less.
	if err := (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(&out, reduce(img, inks, s.depth(len(inks)))); err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	return out.Bytes(), nil
}

// A brush paints shapes.
type brush struct {
	img    *image.RGBA
	colors palette
	faces  map[[2]float64]font.Face
}

func (s *scene) paint(isDark bool) (*image.RGBA, error) {
	b := brush{img: image.NewRGBA(image.Rect(0, 0, int(s.w), int(s.h))), colors: light, faces: map[[2]float64]font.Face{}}
	if isDark {
		b.colors = dark
	}
	defer func() {
		for _, f := range b.faces {
			_ = f.Close() // it holds nothing outside the program
		}
	}()
	draw.Draw(b.img, b.img.Bounds(), image.NewUniform(b.colors[paper]), image.Point{}, draw.Src)
	for _, x := range s.shapes {
		switch x.form {
		case box:
			r := image.Rect(round(x.points[0].x), round(x.points[0].y), round(x.points[1].x), round(x.points[1].y))
			draw.Draw(b.img, r, image.NewUniform(b.colors[x.ink]), image.Point{}, draw.Src)
		case filled:
			b.fill(x.points, b.colors[x.ink], x.alpha)
		case stroked:
			b.stroke(x)
		case lettered:
			if err := b.write(x, s.size); err != nil {
				return nil, err
			}
		}
	}
	return b.img, nil
}

func round(f float64) int { return int(math.Round(f)) }

// fill fills polygons, which may overlap, in one color.
func (b *brush) fill(points []point, c color.RGBA, alpha float64) {
	b.fillAll([][]point{points}, c, alpha)
}

func (b *brush) fillAll(all [][]point, c color.RGBA, alpha float64) {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, points := range all {
		for _, p := range points {
			x0, y0, x1, y1 = min(x0, p.x), min(y0, p.y), max(x1, p.x), max(y1, p.y)
		}
	}
	r := image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1)), int(math.Ceil(y1))).Intersect(b.img.Bounds())
	if r.Empty() {
		return
	}
	z := vector.NewRasterizer(r.Dx(), r.Dy())
	at := func(p point) (float32, float32) {
		return float32(p.x) - float32(r.Min.X), float32(p.y) - float32(r.Min.Y)
	}
	for _, points := range all {
		for i, p := range points {
			if i == 0 {
				z.MoveTo(at(p))
			} else {
				z.LineTo(at(p))
			}
		}
		z.ClosePath()
	}
	var src image.Image = image.NewUniform(c)
	if alpha > 0 {
		src = image.NewUniform(color.NRGBA{c.R, c.G, c.B, uint8(alpha * 255)})
	}
	z.Draw(b.img, r, src, image.Point{})
}

// stroke draws a line as quadrilaterals with round joints. They all turn the same
// way, so that where they overlap they add up (vector counts by the nonzero rule).
func (b *brush) stroke(x shape) {
	var all [][]point
	half := x.width / 2
	for _, run := range dashed(x.points, x.dash) {
		for i := 1; i < len(run); i++ {
			p, q := run[i-1], run[i]
			d := math.Hypot(q.x-p.x, q.y-p.y)
			if d == 0 {
				continue
			}
			nx, ny := (q.y-p.y)/d*half, -(q.x-p.x)/d*half
			all = append(all, []point{{p.x + nx, p.y + ny}, {q.x + nx, q.y + ny}, {q.x - nx, q.y - ny}, {p.x - nx, p.y - ny}})
			if i > 1 && half > 0.8 {
				joint := make([]point, 10)
				for k := range joint {
					sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(len(joint)))
					joint[k] = point{p.x + half*cos, p.y + half*sin}
				}
				all = append(all, joint)
			}
		}
	}
	b.fillAll(all, b.colors[x.ink], 0)
}

// dashed cuts a line into its dashes.
func dashed(points []point, dash []float64) [][]point {
	if len(dash) == 0 {
		return [][]point{points}
	}
	var out [][]point
	k, left, on := 0, dash[0], true
	var run []point
	for i := 1; i < len(points); i++ {
		p, q := points[i-1], points[i]
		d := math.Hypot(q.x-p.x, q.y-p.y)
		at := 0.0
		for at < d {
			step := min(left, d-at)
			if on {
				if len(run) == 0 {
					run = append(run, along(p, q, at/d))
				}
				run = append(run, along(p, q, (at+step)/d))
			}
			at += step
			if left -= step; left <= 1e-9 {
				if on {
					out, run = append(out, run), nil
				}
				k, on = (k+1)%len(dash), !on
				left = dash[k]
			}
		}
	}
	if len(run) > 1 {
		out = append(out, run)
	}
	return out
}

func along(p, q point, t float64) point { return point{p.x + (q.x-p.x)*t, p.y + (q.y-p.y)*t} }

func (b *brush) write(x shape, size float64) error {
	bold := 0.0
	if x.bold {
		bold = 1
	}
	f := b.faces[[2]float64{bold, x.scale}]
	if f == nil {
		var err error
		if f, err = face(x.bold, size*x.scale); err != nil {
			return err
		}
		b.faces[[2]float64{bold, x.scale}] = f
	}
	fs, err := fonts()
	if err != nil {
		return err
	}
	for _, r := range x.text {
		if g, err := fs[int(bold)].GlyphIndex(nil, r); err != nil || g == 0 {
			return fmt.Errorf("%w: %q", ErrLetters, r)
		}
	}
	d := font.Drawer{Dst: b.img, Src: image.NewUniform(b.colors[x.ink]), Face: f}
	left := x.points[0].x
	wide := float64(d.MeasureString(x.text)) / 64
	switch x.anchor {
	case middle:
		left -= wide / 2
	case end:
		left -= wide
	}
	at := fixed.P(round(left), round(x.points[0].y))
	if x.halo {
		d.Src = image.NewUniform(b.colors[paper])
		for _, o := range []fixed.Point26_6{{X: 128}, {X: -128}, {Y: 128}, {Y: -128}, {X: 96, Y: 96}, {X: -96, Y: 96}, {X: 96, Y: -96}, {X: -96, Y: -96}} {
			d.Dot = at.Add(o)
			d.DrawString(x.text)
		}
		d.Src = image.NewUniform(b.colors[x.ink])
	}
	d.Dot = at
	d.DrawString(x.text)
	return nil
}

// inks are the colors that a scene is drawn in.
func (s *scene) inks(isDark bool) []uint32 {
	p := light
	if isDark {
		p = dark
	}
	var out []uint32
	add := func(i inkName) {
		if c := uint32(p[i].R)<<16 | uint32(p[i].G)<<8 | uint32(p[i].B); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	add(paper)
	for _, x := range s.shapes {
		add(x.ink)
	}
	return out
}

// depth is how many colors a picture has of so many inks. Sixteen are half a byte a
// pixel; letters and boxes look no worse with fewer, and compress better.
func (s *scene) depth(inks int) int {
	switch {
	case s.square && inks <= 13:
		return inks + 3
	case inks > 12:
		return 32
	}
	return 16
}

// reduce makes a picture of at most depth colors: the inks, then the most frequent of
// those between, which soften the edges of letters, are many and look alike.
func reduce(img *image.RGBA, inks []uint32, depth int) *image.Paletted {
	count := map[uint32]int{}
	pixel := func(i int) uint32 {
		return uint32(img.Pix[i])<<16 | uint32(img.Pix[i+1])<<8 | uint32(img.Pix[i+2])
	}
	last, run := pixel(0), 0
	for i := 0; i < len(img.Pix); i += 4 {
		if p := pixel(i); p != last {
			count[last] += run
			last, run = p, 0
		}
		run++
	}
	count[last] += run
	colors := slices.SortedFunc(maps.Keys(count), func(a, b uint32) int {
		ia, ib := slices.Index(inks, a), slices.Index(inks, b)
		if ia >= 0 && ib >= 0 || ia < 0 && ib < 0 {
			return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
		}
		return cmp.Compare(ib, ia) // inks first
	})
	kept := colors[:min(len(colors), depth)]
	index := make(map[uint32]uint8, len(colors))
	out := image.NewPaletted(img.Bounds(), make(color.Palette, len(kept)))
	for i, c := range kept {
		index[c] = uint8(i)
		out.Palette[i] = rgb(c)
	}
	for _, c := range colors[len(kept):] {
		best, least := 0, math.MaxInt
		for i, k := range kept {
			dr, dg, db := int(c>>16)-int(k>>16), int(c>>8&255)-int(k>>8&255), int(c&255)-int(k&255)
			if d := dr*dr + dg*dg + db*db; d < least {
				best, least = i, d
			}
		}
		index[c] = uint8(best)
	}
	last, at := pixel(0), index[pixel(0)]
	for i := 0; i < len(img.Pix); i += 4 {
		if p := pixel(i); p != last {
			last, at = p, index[p]
		}
		out.Pix[i/4] = at
	}
	return out
}
