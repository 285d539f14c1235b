package chart

import "image/color"

// An inkName names what a shape is drawn with. What color that is depends on the
// page.
type inkName uint8

const (
	paper inkName = iota
	ink
	quiet
	line
	edge
	s0 // segments, from the most open class on
	s1
	s2
	s3
	s4
	t0 // the text on them
	t1
	t2
	t3
	t4
	l0 // lines
	l1
	l2
	l3
	l4
	inks // how many there are
)

// inkNames are the CSS variables of the inks.
var inkNames = [inks]string{"card", "ink", "quiet", "line", "edge", "s0", "s1", "s2", "s3", "s4", "t0", "t1", "t2", "t3", "t4", "l0", "l1", "l2", "l3", "l4"}

// A palette has the colors of the inks. Text is at least 4.5:1 on what is below it,
// and so are the lines, whose names are written in their ink (WCAG 2.2, 1.4.3,
// https://www.w3.org/TR/WCAG22/#contrast-minimum). Segments that meet, and lines, are
// far apart for normal, red-blind and green-blind eyes.
type palette [inks]color.RGBA

var (
	light = palette{
		rgb(0xffffff), rgb(0x1d1c1a), rgb(0x5a564e), rgb(0xd9d4c8), rgb(0x837c6f),
		rgb(0x12507f), rgb(0x62aee0), rgb(0xf2c94c), rgb(0xa8431a), rgb(0xc9c4ba),
		rgb(0xffffff), rgb(0x10222f), rgb(0x2b2200), rgb(0xffffff), rgb(0x1d1c1a),
		rgb(0x12507f), rgb(0xb8480f), rgb(0x5020d0), rgb(0x4c7a6b), rgb(0x300a18),
	}
	dark = palette{
		rgb(0x201f1b), rgb(0xefece4), rgb(0xb1ab9e), rgb(0x3d3a33), rgb(0x8d8678),
		rgb(0x2773b2), rgb(0xb3dcf8), rgb(0xe6ba3c), rgb(0xd96c3f), rgb(0x6d6860),
		rgb(0xffffff), rgb(0x10222f), rgb(0x2b2200), rgb(0x1a0b04), rgb(0xffffff),
		rgb(0x8fc0f5), rgb(0xf2904a), rgb(0xe8f8c8), rgb(0xb87878), rgb(0x7878f8),
	}
)

func rgb(c uint32) color.RGBA { return color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 0xff} }

// segment and line are the inks of the i-th series; segmentText stands on a segment.
func segment(i int) inkName     { return s0 + inkName(min(i, 4)) }
func segmentText(i int) inkName { return t0 + inkName(min(i, 4)) }
func lineInk(i int) inkName     { return l0 + inkName(i%5) }

// dashes set lines apart where colors do not: in gray, in print.
var dashes = [][]float64{nil, {9, 4}, {2.5, 3.5}, {12, 4, 2.5, 4}, {5, 3}}
