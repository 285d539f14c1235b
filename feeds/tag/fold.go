package tag

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A token is one folded word of a text: buf[from:to] of the scanner that found
// it, and the bytes [start, end) of the text it was folded from.
type token struct {
	start, end int
}

// A scanner cuts a text into folded words.
//
// Two spellings of one name fold to the same words: case, diacritics and
// compatibility forms go ("Ｇｏｏｇｌｅ", "Télécom"); hyphens, slashes and dots part
// words; apostrophes join ("Xi’an") save for the possessive, which goes
// ("Google’s"); zero-width characters vanish; a letter that looks like a Latin
// one becomes it where the word has Latin letters too ("ОpenАI" in half Cyrillic).
// Chinese and Japanese characters and Korean syllables are words of their own,
// because those scripts do not put spaces around a name.
type scanner struct {
	text  string
	pos   int
	split bool // also part letters from digits: "llama3.1" is llama, 3, 1
	buf   [maxWord]byte
	alike [maxWord]byte // buf with look-alikes replaced
	n     int           // length of the word in buf; alike has the same length or less
	hash  uint64        // of the word
}

// maxWord is the longest folded word told apart, in bytes. Longer ones, which no
// name contains, come out cut.
const maxWord = 64

// What a character does to a word.
const (
	runeBreak  = iota // parts words
	runeSkip          // vanishes
	runeJoin          // an apostrophe
	runeLetter        // belongs to a word
	runeDigit         // belongs to a word
	runeWide          // is a word
)

// ascii holds the folded form of the ASCII characters that make words, and 0 for
// those that part them.
var ascii = func() (t [128]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = byte(c), byte(c)
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = byte(c)
	}
	return t
}()

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// next moves to the next word and reports whether there is one. The word is
// s.buf[:s.n] until the following call.
func (s *scanner) next() (t token, ok bool) {
	text, i := s.text, s.pos
	// What parts words.
	for i < len(text) {
		c := text[i]
		if c < utf8.RuneSelf {
			if ascii[c] != 0 {
				break
			}
			i++
			continue
		}
		kind, size := classAt(text, i)
		if kind == runeLetter || kind == runeDigit || kind == runeWide {
			break
		}
		i += size
	}
	if i >= len(text) {
		s.pos = i
		return token{}, false
	}
	// The word, in the common case.
	start, n, hash := i, 0, uint64(hashSeed)
	digit := isDigit(text[i])
	for i < len(text) {
		c := text[i]
		if c >= utf8.RuneSelf || c == '\'' {
			return s.slow(start)
		}
		f := ascii[c]
		if f == 0 || s.split && isDigit(c) != digit {
			break
		}
		if n < maxWord {
			s.buf[n] = f
			hash = (hash ^ uint64(f)) * hashPrime
			n++
		}
		i++
	}
	s.pos, s.n, s.hash = i, n, hash
	return token{start, i}, true
}

// The parameters of FNV-1a, 64 bits (https://www.rfc-editor.org/rfc/rfc9923). Words
// are told apart by their hash alone: among 500,000 words the chance that any two
// share one is below one in a hundred million, and who wants to be taken for a lab
// need not look for a collision but can write its name.
const (
	hashSeed  = 14695981039346656037
	hashPrime = 1099511628211
)

func hashOf(word []byte) uint64 {
	h := uint64(hashSeed)
	for _, c := range word {
		h = (h ^ uint64(c)) * hashPrime
	}
	return h
}

// slow reads the word at start, which has something other than ASCII letters and
// digits in it.
func (s *scanner) slow(start int) (token, bool) {
	text, i := s.text, start
	n, m := 0, 0
	end := start
	latin, alike, first, digit := false, false, true, false
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		kind, folded := foldRune(r)
		if kind == runeSkip {
			i += size
			continue
		}
		if kind == runeBreak {
			break
		}
		if kind == runeJoin {
			if first || possessive(text, i+size) {
				break
			}
			// An apostrophe joins only letters.
			k, _ := classAt(text, i+size)
			if k != runeLetter {
				break
			}
			i += size
			continue
		}
		if kind == runeWide {
			if first {
				n = copy(s.buf[:], folded)
				s.pos, s.n, s.hash = i+size, n, hashOf(s.buf[:n])
				return token{i, i + size}, true
			}
			break
		}
		if s.split && !first && (kind == runeDigit) != digit {
			break
		}
		digit = kind == runeDigit
		first = false
		n += copy(s.buf[n:], folded)
		if l := lookAlike(r); l != 0 {
			alike = true
			if m < maxWord {
				s.alike[m] = l
				m++
			}
		} else {
			if kind == runeLetter && len(folded) > 0 && folded[0] < utf8.RuneSelf {
				latin = true
			}
			m += copy(s.alike[m:], folded)
		}
		i += size
		end = i
	}
	if first { // only skipped characters and breaks: cannot happen after next's search, but never stand still
		_, size := utf8.DecodeRuneInString(text[start:])
		s.pos = start + size
		return s.next()
	}
	if latin && alike {
		copy(s.buf[:], s.alike[:m])
		n = m
	}
	s.pos, s.n, s.hash = i, n, hashOf(s.buf[:n])
	if possessiveAt(text, i) {
		_, size := utf8.DecodeRuneInString(text[i:])
		s.pos = i + size + 1
	}
	return token{start, end}, true
}

// possessive reports whether text goes on at i with an s that ends a word.
func possessive(text string, i int) bool {
	if i >= len(text) || text[i] != 's' && text[i] != 'S' {
		return false
	}
	k, _ := classAt(text, i+1)
	return k != runeLetter && k != runeDigit
}

// possessiveAt reports whether an apostrophe and a possessive s stand at i.
func possessiveAt(text string, i int) bool {
	if i >= len(text) {
		return false
	}
	kind, size := classAt(text, i)
	return kind == runeJoin && possessive(text, i+size)
}

// classAt returns what the character at i does, and its length in bytes.
func classAt(text string, i int) (kind uint8, size int) {
	if i >= len(text) {
		return runeBreak, 0
	}
	if c := text[i]; c < utf8.RuneSelf {
		switch {
		case c == '\'':
			return runeJoin, 1
		case ascii[c] == 0:
			return runeBreak, 1
		case isDigit(c):
			return runeDigit, 1
		}
		return runeLetter, 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	if r == utf8.RuneError && size == 1 {
		return runeBreak, 1
	}
	kind, _ = foldRune(r)
	return kind, size
}

// foldings are the folded forms of the characters below foldTable, worked out once.
const foldTable = 0x2000

type folding struct {
	kind uint8
	text string
}

var foldings = sync.OnceValue(func() *[foldTable]folding {
	var t [foldTable]folding
	for r := rune(0); r < foldTable; r++ {
		t[r].kind, t[r].text = foldSlow(r)
	}
	return &t
})

func foldRune(r rune) (kind uint8, folded string) {
	switch {
	case r < foldTable:
		f := &foldings()[r]
		return f.kind, f.text
	case r >= 0x4E00 && r <= 0x9FFF, r >= 0xAC00 && r <= 0xD7A3, r >= 0x3041 && r <= 0x30FA:
		return runeWide, string(r)
	case r >= 0xFF01 && r <= 0xFF5E: // full-width ASCII
		return foldRune(r - 0xFF01 + '!')
	}
	return foldSlow(r)
}

func foldSlow(r rune) (kind uint8, folded string) {
	switch r {
	case '\'', '’', '‘', 'ʼ', 'ʻ', '`', '´', '′':
		return runeJoin, ""
	case 0xAD, 0x034F, 0x061C, 0x180E, 0xFEFF: // soft hyphen, joiners, marks of direction
		return runeSkip, ""
	case 'ß':
		return runeLetter, "ss"
	case 'æ', 'Æ':
		return runeLetter, "ae"
	case 'œ', 'Œ':
		return runeLetter, "oe"
	case 'ø', 'Ø':
		return runeLetter, "o"
	case 'đ', 'Đ', 'ð', 'Ð':
		return runeLetter, "d"
	case 'ł', 'Ł':
		return runeLetter, "l"
	case 'ı', 'İ':
		return runeLetter, "i"
	case 'þ', 'Þ':
		return runeLetter, "th"
	case utf8.RuneError:
		return runeBreak, ""
	}
	if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Variation_Selector, r) {
		return runeSkip, ""
	}
	if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
		return runeWide, norm.NFKC.String(string(r))
	}
	var b []byte
	kind = runeBreak
	for _, d := range norm.NFKD.String(string(r)) {
		switch {
		case unicode.Is(unicode.Mn, d):
		case unicode.IsLetter(d):
			kind = runeLetter
			b = utf8.AppendRune(b, unicode.ToLower(d))
		case unicode.IsDigit(d):
			if kind == runeBreak {
				kind = runeDigit
			}
			b = utf8.AppendRune(b, d)
		case unicode.Is(unicode.Mc, d):
			b = utf8.AppendRune(b, d)
		}
	}
	if kind == runeBreak && unicode.Is(unicode.Mc, r) { // a vowel sign inside an Indic word
		return runeLetter, string(b)
	}
	return kind, string(b)
}

// lookAlike returns the Latin letter that r is easily taken for, or 0. Only
// letters that are told apart by nothing but their code point are in it.
// Source: https://www.unicode.org/Public/security/latest/confusables.txt
func lookAlike(r rune) byte {
	switch unicode.ToLower(r) {
	case 'а', 'α':
		return 'a'
	case 'с', 'ϲ':
		return 'c'
	case 'ԁ':
		return 'd'
	case 'е':
		return 'e'
	case 'һ':
		return 'h'
	case 'і', 'ι':
		return 'i'
	case 'ј':
		return 'j'
	case 'ο', 'о', 'օ':
		return 'o'
	case 'р', 'ρ':
		return 'p'
	case 'ԛ':
		return 'q'
	case 'ѕ':
		return 's'
	case 'ν':
		return 'v'
	case 'ԝ':
		return 'w'
	case 'х', 'χ':
		return 'x'
	case 'у', 'ү':
		return 'y'
	}
	switch r { // capitals that look like Latin ones, though their small letters do not
	case 'В', 'Β':
		return 'b'
	case 'Н', 'Η':
		return 'h'
	case 'К', 'Κ':
		return 'k'
	case 'М', 'Μ':
		return 'm'
	case 'Ν':
		return 'n'
	case 'Т', 'Τ':
		return 't'
	case 'Ζ':
		return 'z'
	case 'Ε':
		return 'e'
	case 'Υ':
		return 'y'
	}
	return 0
}

// foldWords returns the folded words of s.
func foldWords(s string, split bool) []string {
	var out []string
	sc := scanner{text: s, split: split}
	for {
		if _, ok := sc.next(); !ok {
			return out
		}
		out = append(out, string(sc.buf[:sc.n]))
	}
}

// foldKey returns the folded words of s with one space between them.
func foldKey(s string, split bool) string {
	var b []byte
	sc := scanner{text: s, split: split}
	for {
		if _, ok := sc.next(); !ok {
			return string(b)
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, sc.buf[:sc.n]...)
	}
}
