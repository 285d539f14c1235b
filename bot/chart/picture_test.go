package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot/message"
)

var update = flag.Bool("update", false, "write the golden files anew")

var widths = []int{300, 360, 700, 800, 900, 1600}

// Every chart becomes pictures at every width, in light and dark. With
// SEEDCORN_TEST_PICTURE set to a folder they are kept, to be looked at.
func TestPictures(t *testing.T) {
	dir := os.Getenv("SEEDCORN_TEST_PICTURE")
	keep := func(name string, b []byte) {
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range gallery() {
		for _, w := range widths {
			for _, isDark := range []bool{false, true} {
				b, err := PNG(c, Options{Width: w, Dark: isDark})
				if name == "letters" {
					if !errors.Is(err, ErrLetters) {
						t.Errorf("%s: %v, want a refusal", name, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(name, err)
				}
				img, err := png.Decode(bytes.NewReader(b))
				if err != nil || img.Bounds().Dx() != w {
					t.Fatalf("%s: %v", name, err)
				}
				if p, ok := img.(*image.Paletted); !ok || len(p.Palette) > 32 {
					t.Errorf("%s: %T is not of few colors", name, img)
				}
				keep(fmt.Sprintf("%s-%d-%v.png", name, w, isDark), b)
			}
			b, err := SVG(c, Options{Width: w})
			if err != nil {
				t.Fatal(name, err)
			}
			wellFormed(t, name, string(b))
			keep(fmt.Sprintf("%s-%d.svg", name, w), b)
		}
	}
}

// What is posted is small: a phone on a train loads it.
func TestPicturesAreSmall(t *testing.T) {
	const most = 25 << 10
	for name, c := range gallery() {
		if name == "letters" {
			continue
		}
		b, err := PNG(c, Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		if len(b) > most {
			t.Errorf("%s: %d bytes, want at most %d", name, len(b), most)
		}
	}
}

// A note may quote what the fonts cannot write: a mark says that something is left
// out, and the picture stays. Names are what it is about, and must be whole.
func TestForeignLetters(t *testing.T) {
	words := func(c message.Chart, forReader bool) string {
		s, err := lay(c, Options{}, forReader)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range s.shapes {
			out = append(out, x.text)
		}
		return strings.Join(out, " ")
	}
	c := gallery()["usual"]
	c.Note = "Those that match “深度 学习 lab:qwen النموذج OR Яндекс”."
	if got, want := words(c, false), "Those that match “[…] lab:qwen […] OR Яндекс”."; !strings.Contains(got, want) {
		t.Errorf("%q is not in %q", want, got)
	}
	if got := words(c, true); !strings.Contains(got, c.Note) {
		t.Errorf("for a reader with letters of their own: %q is not in %q", c.Note, got)
	}
	if _, err := PNG(c, Options{}); err != nil {
		t.Error(err)
	}
	for _, where := range []func(c *message.Chart){
		func(c *message.Chart) { c.Title = "平衡" },
		func(c *message.Chart) { c.Bars[0].Label = "中国" },
		func(c *message.Chart) { c.Bars[0].Note = "三" },
		func(c *message.Chart) { c.Series = []string{"오픈 소스", "b", "c", "d", "e"} },
	} {
		c := gallery()["usual"]
		c.Bars = slices.Clone(c.Bars)
		where(&c)
		if b, err := PNG(c, Options{}); !errors.Is(err, ErrLetters) || b != nil {
			t.Errorf("a picture without some of its names, %v", err)
		}
	}
}

// wellFormed reads an SVG back: XML, with only the elements that a picture needs.
func wellFormed(t *testing.T, name, text string) (words []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words
		}
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, text)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if !slices.Contains([]string{"svg", "style", "rect", "polygon", "polyline", "text"}, tok.Name.Local) {
				t.Errorf("%s: an element %q", name, tok.Name.Local)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(tok)); s != "" {
				words = append(words, s)
			}
		}
	}
}

// No text stands on another or leaves the picture, whatever the chart and the width.
func TestTextsStandApart(t *testing.T) {
	charts := gallery()
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 90 {
		c := message.Chart{Kind: message.ChartKind(i % 3), Title: "Random", Note: rule, Level: message.Level{At: rnd.Float64() * 3, Name: []string{"", "as many"}[i%2]}}
		for k := range 1 + rnd.IntN(5) {
			c.Series = append(c.Series, []string{"China", "United States of America", "X", "European Union (27)", "United Arab Emirates"}[k])
		}
		for range 1 + rnd.IntN(30) {
			b := message.Bar{Label: "12 Jan 2026", Note: "12 (3 open)", Missing: rnd.IntN(6) == 0}
			for range c.Series {
				b.Values = append(b.Values, math.Floor(math.Exp(rnd.Float64()*12)-1)/10)
			}
			c.Bars = append(c.Bars, b)
		}
		charts[fmt.Sprintf("random %d", i)] = c
	}
	for name, c := range charts {
		for k := range 2 * len(widths) {
			w, forReader := widths[k/2], k%2 == 1
			s, err := lay(c, Options{Width: w}, forReader)
			if err != nil {
				t.Fatal(err)
			}
			type place struct {
				text           string
				x0, y0, x1, y1 float64
			}
			var places []place
			for _, x := range s.shapes {
				if x.form != lettered {
					continue
				}
				f, err := face(x.bold, s.size*x.scale)
				if err != nil {
					t.Fatal(err)
				}
				wide := float64(measure(f, x.text))
				if forReader { // whose letters are wider, as DejaVu's are
					wide *= 1.15
				}
				f.Close()
				p := place{text: x.text, x0: x.points[0].x, y1: x.points[0].y + 1}
				p.y0 = p.y1 - s.size*x.scale*0.72 // a capital's height
				switch x.anchor {
				case middle:
					p.x0 -= wide / 2
				case end:
					p.x0 -= wide
				}
				p.x1 = p.x0 + wide
				if p.x0 < 0 || p.x1 > s.w || p.y0 < 0 || p.y1 > s.h {
					t.Errorf("%s at %d: %q leaves the picture", name, w, x.text)
				}
				for _, o := range places {
					if p.x0 < o.x1 && o.x0 < p.x1 && p.y0 < o.y1 && o.y0 < p.y1 {
						t.Errorf("%s at %d: %q stands on %q", name, w, x.text, o.text)
					}
				}
				places = append(places, p)
			}
		}
	}
}

// A bar is as long as its value, from zero, and what is there is seen.
func TestBarsAreTrue(t *testing.T) {
	s, err := lay(message.Chart{Series: classes, Bars: []message.Bar{bar("China", 30, 10), bar("France", 10, 5), bar("Malta", 0.001)}}, Options{}, false)
	if err != nil {
		t.Fatal(err)
	}
	var wide []float64
	left := math.Inf(1)
	for _, x := range s.shapes {
		if x.form == box && (x.ink == s0 || x.ink == s1) && x.points[1].y-x.points[0].y > s.size {
			wide = append(wide, x.points[1].x-x.points[0].x)
			left = min(left, x.points[0].x)
		}
	}
	if len(wide) != 5 {
		t.Fatalf("%d segments, want 5", len(wide))
	}
	unit := (wide[0] + 1) / 30
	for i, want := range []float64{30, 10, 10, 5} {
		if math.Abs(wide[i]+1-want*unit) > 0.01 {
			t.Errorf("segment %d is %.1f wide, want %.1f", i, wide[i]+1, want*unit)
		}
	}
	if wide[4] < 1 {
		t.Errorf("a small value is %.2f wide", wide[4])
	}
}

// The scale of a chart over time begins at zero, and the points stand on it.
func TestLinesAreTrue(t *testing.T) {
	for _, top := range []float64{0, 0.004, 1, 7, 99, 1234567} {
		p := plot{y0: 10, y1: 110, top: 1}
		step := finest(top*1.02, 5)
		if n := top / step; n > 5.001 || top > 0 && n < 1.9 {
			t.Errorf("to %v in steps of %v", top, step)
		}
		if p.y(0) != 110 || p.y(1) != 10 || p.y(0.5) != 60 {
			t.Errorf("zero at %v, the top at %v", p.y(0), p.y(1))
		}
	}
	c := gallery()["lines"]
	s, err := lay(c, Options{}, false)
	if err != nil {
		t.Fatal(err)
	}
	// A line has a hole where a value is missing: two runs at least for each series.
	n := 0
	for _, x := range s.shapes {
		if x.form == stroked && x.ink == l0 && len(x.points) > 2 {
			n++
		}
	}
	if n != 3 {
		t.Errorf("the first line is in %d pieces, want 3: a value is missing twice", n)
	}
}

// Inks that meet can be told apart by every eye, and what is written can be read.
// The eyes of people who lack one kind of cone are simulated after Machado et al.
// 2009, severity 1 (https://doi.org/10.1109/TVCG.2009.113), distances are CIE76.
func TestPalette(t *testing.T) {
	eyes := map[string][9]float64{
		"full":        {1, 0, 0, 0, 1, 0, 0, 0, 1},
		"protanopia":  {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
		"deutanopia":  {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
		"tritanopia":  {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
		"achromatism": {0.2126, 0.7152, 0.0722, 0.2126, 0.7152, 0.0722, 0.2126, 0.7152, 0.0722},
	}
	// How far apart inks must be: 10 is a clear difference side by side. Lines differ in
	// dashes too, and segments have an order and numbers: without any color, or without
	// blue, less is asked.
	least := map[string]float64{"full": 25, "protanopia": 25, "deutanopia": 25, "tritanopia": 12, "achromatism": 4}
	for name, p := range map[string]palette{"light": light, "dark": dark} {
		for eye, m := range eyes {
			apart := func(what string, inks []inkName) {
				for i, a := range inks {
					for _, b := range inks[i+1:] {
						if d := distance(p[a], p[b], m); d < least[eye] {
							t.Errorf("%s: %s %s and %s are %.1f apart for %s, want %.0f", name, what, inkNames[a], inkNames[b], d, eye, least[eye])
						}
					}
				}
			}
			for i := s0; i < s4; i++ {
				apart("segments", []inkName{i, i + 1})
			}
			if eye != "achromatism" {
				apart("segments", []inkName{s0, s1, s2, s3, s4})
				apart("lines", []inkName{l0, l1, l2, l3, l4})
			}
		}
		for _, on := range [][2]inkName{{ink, paper}, {quiet, paper}, {t0, s0}, {t1, s1}, {t2, s2}, {t3, s3}, {t4, s4}, {l0, paper}, {l1, paper}, {l2, paper}, {l3, paper}, {l4, paper}} {
			if c := contrast(p[on[0]], p[on[1]]); c < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.1f, want 4.5", name, inkNames[on[0]], inkNames[on[1]], c)
			}
		}
		if c := contrast(p[edge], p[paper]); c < 3 {
			t.Errorf("%s: the baseline has a contrast of %.1f, want 3", name, c)
		}
	}
}

func linear(c color.RGBA) (out [3]float64) {
	for i, v := range []uint8{c.R, c.G, c.B} {
		f := float64(v) / 255
		if f <= 0.04045 {
			out[i] = f / 12.92
		} else {
			out[i] = math.Pow((f+0.055)/1.055, 2.4)
		}
	}
	return out
}

func luminance(v [3]float64) float64 { return 0.2126*v[0] + 0.7152*v[1] + 0.0722*v[2] }

func contrast(a, b color.RGBA) float64 {
	x, y := luminance(linear(a))+0.05, luminance(linear(b))+0.05
	return max(x, y) / min(x, y)
}

func distance(a, b color.RGBA, eye [9]float64) float64 {
	lab := func(c color.RGBA) (out [3]float64) {
		v := linear(c)
		var w [3]float64
		for i := range w {
			w[i] = min(1, max(0, eye[3*i]*v[0]+eye[3*i+1]*v[1]+eye[3*i+2]*v[2]))
		}
		f := func(t float64) float64 {
			if t > 0.008856 {
				return math.Cbrt(t)
			}
			return 7.787*t + 16.0/116
		}
		x := f((0.4124*w[0] + 0.3576*w[1] + 0.1805*w[2]) / 0.95047)
		y := f(luminance(w))
		z := f((0.0193*w[0] + 0.1192*w[1] + 0.9505*w[2]) / 1.08883)
		return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
	}
	p, q := lab(a), lab(b)
	return math.Sqrt((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2]))
}

// The inks of a picture are in it, however small what they draw is.
func TestInksAreKept(t *testing.T) {
	c := message.Chart{Series: classes, Bars: []message.Bar{bar("China", 1000, 500, 0.01, 0.01, 0.01)}, Note: rule}
	b, err := PNG(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	found := map[color.RGBA]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			found[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}] = true
		}
	}
	for _, i := range []inkName{paper, s0, s1, s2, s3, s4} {
		if !found[light[i]] {
			t.Errorf("%s is not in the picture", inkNames[i])
		}
	}
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"usual", "ratio", "stack"} {
		got, err := SVG(gallery()[name], Options{Width: 700})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, diff)
		}
	}
}

// A stranger's text is text, inline and in a file, and the picture says its finding.
func TestStrangersText(t *testing.T) {
	c := gallery()["attack"]
	got, err := Inline(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	words := wellFormed(t, "attack", got)
	if strings.Contains(got, "<script") || strings.Contains(got, "<img") || strings.Contains(got, `" onload`) || !slices.Contains(words, c.Title) {
		t.Errorf("%q in\n%s", words, got)
	}
	if !strings.Contains(got, `role="img" aria-label="&#34; onload=&#34;x"`) || strings.Contains(got, "<style") || strings.Contains(got, "xmlns") {
		t.Errorf("%s", got[:300])
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []message.Chart{
		{Bars: make([]message.Bar, MaxBars+1)},
		{Bars: []message.Bar{{Values: []float64{math.NaN()}}}},
		{Kind: message.ChartLines, Series: []string{"x"}, Bars: []message.Bar{{Values: []float64{1}, Low: []float64{1}, High: []float64{math.Inf(1)}}}},
	} {
		if b, err := PNG(c, Options{}); err == nil || b != nil {
			t.Errorf("a picture of %d bars", len(c.Bars))
		}
		if b, err := SVG(c, Options{}); err == nil || b != nil {
			t.Errorf("a picture of %d bars", len(c.Bars))
		}
	}
}

// FuzzChart: no text and no number breaks a picture.
func FuzzChart(f *testing.F) {
	f.Add("China", "3 (2 open)", 3.0, 1.0, uint8(0), 900)
	f.Add(strings.Repeat("very long ", 50), "\x00\xff\u202e", -1.0, 0.0, uint8(1), -5)
	f.Add("", "", 1e308, 1e308, uint8(2), 1<<30)
	f.Add("\u0301\u200d", "a\u00adb", 1e-300, 5e-324, uint8(1), 300)
	f.Fuzz(func(t *testing.T, label, note string, x, y float64, kind uint8, width int) {
		if len(label)+len(note) > 2000 {
			return // long enough
		}
		c := message.Chart{
			Kind: message.ChartKind(kind % 3), Title: label, Alt: note, Note: note, Series: []string{label, note, "x"},
			Bars: []message.Bar{
				{Label: label, Note: note, Values: []float64{x, y, x, y, x, y}, Low: []float64{y}, High: []float64{x}},
				{Values: []float64{y}},
				{Missing: true, Note: note},
				{Label: note},
			},
			Level: message.Level{At: y, Name: note},
		}
		b, err := PNG(c, Options{Width: width})
		if err == nil {
			if _, err := png.DecodeConfig(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
		}
		if svg, err := Inline(c, Options{Width: width}); err == nil {
			wellFormed(t, "fuzz", svg)
		}
	})
}

// BenchmarkPNG draws what a digest and the page of the balance show. bytes/op is
// memory; B/picture the size of the file.
func BenchmarkPNG(b *testing.B) {
	for _, name := range []string{"usual", "fifteen", "lines", "ratio"} {
		c := gallery()[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				p, err := PNG(c, Options{})
				if err != nil {
					b.Fatal(err)
				}
				n = len(p)
			}
			b.ReportMetric(float64(n), "B/picture")
		})
	}
}
