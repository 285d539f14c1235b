package query

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// A SyntaxError says what is wrong with a query, where, and what to type instead.
type SyntaxError struct {
	Col  int    // where the fault begins, in runes, from 1
	Len  int    // how many runes it spans, at least 1
	Msg  string // what is wrong, lower case
	Hint string // what to do about it; may be empty
	// Instead are texts of which one is perhaps meant in place of the fault, best first.
	Instead []string
}

// Mended is src with one of [SyntaxError.Instead] in place of the fault.
func (e *SyntaxError) Mended(src, instead string) string {
	runes := []rune(strings.ToValidUTF8(src, "\uFFFD"))
	at := min(max(e.Col-1, 0), len(runes))
	end := min(at+max(e.Len, 1), len(runes))
	return string(runes[:at]) + instead + string(runes[end:])
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("query, column %d: %s", e.Col, e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// caretWidth is how much of a query Caret shows on either side of the fault, in
// runes: together they fit a terminal of 80 columns.
const caretWidth = 36

// Caret returns two lines: the part of src around the fault, and marks under it.
// src is the text that was parsed. Wide characters are counted as two columns, as
// terminals show them.
func (e *SyntaxError) Caret(src string) string {
	runes := []rune(strings.ToValidUTF8(src, "\uFFFD"))
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	at := min(max(e.Col-1, 0), len(runes))
	end := min(at+max(e.Len, 1), len(runes))
	from, to := max(at-caretWidth, 0), min(at+caretWidth, len(runes))
	end = min(end, to)
	before, after := "", ""
	if from > 0 {
		before = "…"
	}
	if to < len(runes) {
		after = "…"
	}
	gap := columns([]rune(before)) + columns(runes[from:at])
	marks := max(columns(runes[at:max(end, at)]), 1)
	return before + string(runes[from:to]) + after + "\n" + strings.Repeat(" ", gap) + strings.Repeat("^", marks)
}

// columns returns how many columns of a terminal the runes take.
func columns(runes []rune) int {
	n := 0
	for _, r := range runes {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case width.LookupRune(r).Kind() == width.EastAsianWide || width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// nearest returns the one of the words that was probably meant, or "": at most
// two slips of the finger away, and fewer in short words.
func nearest(typed string, words []string) string {
	best, least := "", min(2, len(typed)/2)+1
	for _, w := range words {
		if d := slips(typed, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// slips counts the letters to insert, drop, change or swap with their neighbour
// to make b of a (optimal string alignment).
func slips(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 40
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
