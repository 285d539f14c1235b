package tag

import "strings"

// words is a text folded to its words, with a space before, between and behind
// them, so that a phrase is looked for with its boundaries.
type words string

func wordsOf(s string) words { return words(" " + foldKey(s, false) + " ") }

// has reports whether any of the phrases occurs.
func (w words) has(phrases ...string) bool {
	for _, p := range phrases {
		if w.index(p) >= 0 {
			return true
		}
	}
	return false
}

// index returns where a phrase begins, or -1.
func (w words) index(phrase string) int {
	for from := 0; ; {
		i := strings.Index(string(w[from:]), phrase)
		if i < 0 {
			return -1
		}
		i += from
		if i > 0 && w[i-1] == ' ' && i+len(phrase) < len(w) && w[i+len(phrase)] == ' ' {
			return i
		}
		from = i + 1
	}
}

// ends reports whether the phrase stands at the end.
func (w words) ends(phrase string) bool {
	s := strings.TrimSuffix(string(w), " ")
	return strings.HasSuffix(s, phrase) && len(s) > len(phrase) && s[len(s)-len(phrase)-1] == ' '
}

// begins reports whether the phrase stands at the beginning.
func (w words) begins(phrase string) bool {
	return len(w) > len(phrase)+1 && strings.HasPrefix(string(w[1:]), phrase) && w[len(phrase)+1] == ' '
}

// count returns how many words there are.
func (w words) count() int { return max(0, strings.Count(string(w), " ")-1) }

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
