package query

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of folding. A longer word is cut, in texts and queries alike: no word of
// a language is that long, and PostgreSQL refuses lexemes over 2 kB
// (https://www.postgresql.org/docs/current/textsearch-limitations.html).
const (
	maxWord  = 64 // bytes
	maxParts = 6  // of a compound that is also filed joined
)

// Fold returns the words of a text in their order, as texts and queries are
// compared: compatibility form (NFKD, so that "ﬁ" is "fi"), lower case, accents
// dropped. Digits are letters like others. Everything else separates words, as
// does the border between ASCII and another script.
//
//	"Test-Time Compute"  → test time compute
//	"GPT-4o naïvely"     → gpt 4o naively
//	"β-VAE"              → β vae
//
// Scripts written without spaces give one word for each character, so that a
// query of several characters is a phrase: "深度学习" → 深 度 学 习. Korean is
// treated the same way, because its particles cling to its nouns.
func Fold(text string) []string {
	var out []string
	scan(normalize(text), func(word string, _ []string) { out = append(out, word) })
	return out
}

// scan calls each for every word of a normalized text, in order. At the end of a
// compound (words tied by hyphens, dots, underscores or apostrophes, "gpt-4o"),
// it hands over its parts with the last of them; otherwise parts is nil. The slice is
// valid during the call only.
func scan(s string, each func(word string, parts []string)) {
	var buf [maxParts + 1]string
	var parts []string = buf[:0] // words of the current compound; over maxParts: none
	pending, has := "", false    // a word that waits to learn whether its compound goes on
	flush := func() {
		if !has {
			return
		}
		if has = false; len(parts) > 1 && len(parts) <= maxParts {
			each(pending, parts)
		} else {
			each(pending, nil)
		}
		parts = buf[:0]
	}
	push := func(word string, tied bool) {
		if len(word) > maxWord {
			n := maxWord
			for !utf8.RuneStart(word[n]) {
				n--
			}
			word = word[:n]
		}
		if has && tied {
			each(pending, nil)
		} else {
			flush()
		}
		if len(parts) <= maxParts {
			parts = append(parts, word)
		}
		pending, has = word, true
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if !asciiWord(c) {
				i++
				continue
			}
			start := i
			for i < len(s) && asciiWord(s[i]) {
				i++
			}
			// Tied: one joiner stands between this word and the one before.
			tied := has && start > 1 && isJoiner(s[start-1]) && asciiWord(s[start-2])
			push(s[start:i], tied)
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isLetter(r) {
			i += n
			continue
		}
		start, wide := i, isWide(r)
		for i += n; i < len(s); i += n {
			r, n = utf8.DecodeRuneInString(s[i:])
			if r < utf8.RuneSelf || !isLetter(r) || !unicode.IsMark(r) && (wide || isWide(r)) {
				break
			}
		}
		push(s[start:i], false)
	}
	flush()
}

func asciiWord(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// isJoiner reports whether c ties words into a compound: "gpt-4o", "qwen2.5",
// "snake_case", "don't". normalize turns the typographic ones into these.
func isJoiner(c byte) bool { return c == '-' || c == '.' || c == '_' || c == '\'' }

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

// isWide reports whether r is of a script that puts no spaces between words, or
// of Korean.
func isWide(r rune) bool {
	return r >= 0x0e00 && (r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
		unicode.Bopomofo, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar))
}

// latin are letters that Unicode does not decompose, as people without them on
// the keyboard type them.
var latin = map[rune]string{
	'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ß': "ss", 'ı': "i", 'ħ': "h", 'ŋ': "n",
	'ς': "σ",
}

// normalize brings a text into the form that scan reads.
func normalize(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	s = strings.ToValidUTF8(s, " ") // norm mixes up what stands around invalid bytes
	// A trademark sign is not the letters "tm" at the end of a name.
	s = trademarks.Replace(s)
	var b strings.Builder
	b.Grow(len(s))
	compose := false
	for _, r := range norm.NFKD.String(s) {
		if r < utf8.RuneSelf {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
			continue
		}
		switch {
		case r == '\u3099' || r == '\u309a':
			compose = true // the voicing marks of kana make another letter
		case r >= 0x1100 && r <= 0x11ff:
			compose = true // Korean letters, to be put together again
		case unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Arabic, unicode.Hebrew), unicode.Is(unicode.Cf, r):
			continue // accents, points, soft hyphens, zero-width characters
		case r == '‐' || r == '‑' || r == '−':
			b.WriteByte('-')
			continue
		case r == '’' || r == 'ʼ':
			b.WriteByte('\'')
			continue
		}
		r = unicode.ToLower(r)
		if t, ok := latin[r]; ok {
			b.WriteString(t)
			continue
		}
		b.WriteRune(r)
	}
	if compose {
		return norm.NFC.String(b.String())
	}
	return b.String()
}

var trademarks = strings.NewReplacer("™", " ", "℠", " ")

// A page is a subject's text, folded once and asked often.
type page struct {
	texts     [][]string // words of each text, in order
	compounds []compound
}

// A compound is words of a text that may also be written as one.
type compound struct {
	text     int
	from, to int // in its words
}

func newPage(texts []string) page {
	p := page{texts: make([][]string, len(texts))}
	for i, t := range texts {
		words := make([]string, 0, len(t)/5+1)
		scan(normalize(t), func(w string, parts []string) {
			words = append(words, w)
			if joinable(parts) {
				p.compounds = append(p.compounds, compound{i, len(words) - len(parts), len(words)})
			}
		})
		p.texts[i] = words
	}
	return p
}

// parts returns the words of a compound.
func (p page) parts(c compound) []string { return p.texts[c.text][c.from:c.to] }

// joinable reports whether parts are a compound that is short enough to be a word.
func joinable(parts []string) bool {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	return len(parts) > 1 && n <= maxWord
}

// holds reports whether the phrase stands in one of the texts. A single word may
// also be a compound written as one.
func (p page) holds(ph phrase) bool {
	last := len(ph.words) - 1
	for _, words := range p.texts {
		for i := 0; i+last < len(words); i++ {
			if wordIs(words[i+last], ph.words[last], ph.prefix) && slices.Equal(words[i:i+last], ph.words[:last]) {
				return true
			}
		}
	}
	return last == 0 && slices.ContainsFunc(p.compounds, func(c compound) bool { return joinedIs(p.parts(c), ph.words[0], ph.prefix) })
}

func wordIs(word, want string, prefix bool) bool {
	return word == want || prefix && strings.HasPrefix(word, want)
}

// joinedIs is wordIs for the parts written as one word, without writing it.
func joinedIs(parts []string, want string, prefix bool) bool {
	for _, part := range parts {
		if prefix && strings.HasPrefix(part, want) {
			return true
		}
		var ok bool
		if want, ok = strings.CutPrefix(want, part); !ok {
			return false
		}
	}
	return want == ""
}

// wordTerm returns the index term of a folded word. Every term is made of ASCII
// letters and digits, so that no tokenizer can take it apart; all that are not
// plain words begin with "x". Words that begin with x, too, are marked as words,
// and those of other scripts are written as the hexadecimal digits of their
// UTF-8. Both keep prefixes: the term of a word's beginning begins its term.
func wordTerm(w string) string {
	switch {
	case w[0] >= utf8.RuneSelf:
		return "xu" + hex.EncodeToString([]byte(w))
	case w[0] == 'x':
		return "xw" + w
	}
	return w
}
