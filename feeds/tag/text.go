package tag

import "strings"

// words is a text folded to its words, with a space before, between and behind
// them, so that a phrase is looked for with its boundaries.
type words string

func wordsOf(s string) words { return words(" " + foldKey(s, false) + " ") }

// has reports whether any of the phrases occurs.
func (w words) has(phrases ...string) bool {
	for _, p := range phrases {
		if strings.Contains(string(w), " "+p+" ") {
			return true
		}
	}
	return false
}

// first returns the phrase that occurs first, and where; "" and -1 if none does.
func (w words) first(phrases ...string) (phrase string, at int) {
	at = -1
	for _, p := range phrases {
		if i := strings.Index(string(w), " "+p+" "); i >= 0 && (at < 0 || i < at) {
			phrase, at = p, i
		}
	}
	return phrase, at
}

// clip shortens a quotation to at most n bytes, at a word's end, without cutting a
// character.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
	if len(s) <= n {
		return s
	}
	s = s[:n]
	if i := strings.LastIndexByte(s, ' '); i > n/2 {
		s = s[:i]
	} else {
		s = strings.ToValidUTF8(s, "")
	}
	return s + "…"
}

// maxQuote is the length of the quotations in evidence, in bytes.
const maxQuote = 240
