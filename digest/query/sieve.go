package query

import (
	"bytes"
	"sync"
)

// A Sieve turns texts down that a query can't match, without folding them: an index
// without positions proposes every text that has all words of a phrase, wherever they
// stand.
type Sieve struct{ all [][][]byte } // of each phrase, in one of its spellings, the letters

// Sieve returns the sieve of a query: of the phrases that every match must have. One
// without a phrase lets everything through.
func (q Query) Sieve() Sieve {
	var s Sieve
	var top func(n node)
	top = func(n node) {
		switch n := n.(type) {
		case and:
			for _, part := range n {
				top(part)
			}
		case topic:
			top(n.part)
		case text:
			var any [][]byte
			phrases := false
			for _, ph := range n.any {
				var letters []byte
				for _, w := range ph.words {
					if len(w) >= maxWord || !isASCII(w) {
						return // of a longer word only the beginning is compared
					}
					letters = append(letters, w...)
				}
				any = append(any, letters)
				phrases = phrases || len(ph.words) > 1
			}
			if phrases {
				s.all = append(s.all, any)
			}
		}
	}
	top(q.root)
	return s
}

// Empty reports whether everything is let through.
func (s Sieve) Empty() bool { return len(s.all) == 0 }

// MayMatch reports whether a text that is part of some JSON may match. What stands
// beside it does no harm: words that follow one another there are let through, too.
//
// Words of ASCII that follow one another in a text do so in its letters and digits,
// whatever stands between them. Other scripts have letters that fold into these, so
// that a text with any of them is let through.
func (s Sieve) MayMatch(json []byte) bool {
	if s.Empty() {
		return true
	}
	buf := lettersPool.Get().(*[]byte)
	letters := (*buf)[:0]
	defer func() { *buf = letters; lettersPool.Put(buf) }()
	for i := 0; i < len(json); i++ {
		switch c := json[i]; {
		case asciiWord(c):
			letters = append(letters, c)
		case 'A' <= c && c <= 'Z':
			letters = append(letters, c+'a'-'A')
		case c == '\\':
			if i++; i < len(json) && json[i] == 'u' {
				return true // any character, by its number
			}
		case c < 0x80:
		case c == 0xe2 && i+2 < len(json) && json[i+1] == 0x80:
			i += 2 // dashes, quotation marks and spaces, U+2000 to U+203F: none has a letter in it
		default:
			return true
		}
	}
	for _, any := range s.all {
		found := false
		for _, want := range any {
			found = found || bytes.Contains(letters, want)
		}
		if !found {
			return false
		}
	}
	return true
}

var lettersPool = sync.Pool{New: func() any { return new([]byte) }}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
