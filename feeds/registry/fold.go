package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold brings names that people write differently to one form: compatibility
// composition, lower case, Latin, Greek and Cyrillic accents removed, everything
// that is not a letter, mark or digit turned into single spaces. Scripts that
// need their marks (Devanagari, kana, Thai) keep them. "Université de Montréal"
// becomes "universite de montreal", "Z.ai" becomes "z ai".
func Fold(s string) string {
	if isASCII(s) {
		return foldASCII(s)
	}
	if k, ok := foldPlain(s); ok {
		return k
	}
	return foldAny(s)
}

// foldAny folds by the book: decompose, drop, compose.
func foldAny(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	var last rune
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r >= 0x300 && r <= 0x36F: // combining diacritical marks, https://www.unicode.org/charts/PDF/U0300.pdf
			continue
		case unicode.Is(unicode.Cf, r): // zero-width and direction marks
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) && last != 0:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			if f := unfolded[r]; f != "" {
				b.WriteString(f)
			} else {
				b.WriteRune(unicode.ToLower(r))
			}
			last = r
		default:
			gap, last = true, 0
		}
	}
	return norm.NFC.String(b.String())
}

// foldPlain folds what needs no tables: ASCII, accented Latin letters, Chinese
// characters, Korean syllables, kana and the dashes and quotes between them. ok is
// false for a string with anything else.
func foldPlain(s string) (folded string, ok bool) {
	b := make([]byte, 0, len(s))
	gap := false
	for _, r := range s {
		var as string
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
		case r < utf8.RuneSelf || r >= 0x2010 && r <= 0x2027: // punctuation
			gap = true
			continue
		case r >= 0xC0 && r < 0xC0+rune(len(latin())):
			if as = latin()[r-0xC0]; as == "" {
				return "", false
			}
		case r >= 0x4E00 && r <= 0x9FFF, r >= 0xAC00 && r <= 0xD7A3, // Han, Hangul
			r >= 0x3041 && r <= 0x3096, r >= 0x30A1 && r <= 0x30FA, r == 0x30FC: // kana
		default:
			return "", false
		}
		if gap && len(b) > 0 {
			b = append(b, ' ')
		}
		gap = false
		if as != "" {
			b = append(b, as...)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b), true
}

// latin holds the folded forms of U+00C0 to U+017F, "" for what is no letter.
var latin = sync.OnceValue(func() []string {
	t := make([]string, 0x180-0xC0)
	for i := range t {
		t[i] = foldAny(string(rune(0xC0 + i)))
	}
	return t
})

// Letters that no decomposition takes to their plain form.
var unfolded = map[rune]string{
	'ø': "o", 'Ø': "o", 'ł': "l", 'Ł': "l", 'đ': "d", 'Đ': "d", 'ß': "ss", 'æ': "ae", 'Æ': "ae",
	'œ': "oe", 'Œ': "oe", 'ı': "i", 'þ': "th", 'Þ': "th", 'ð': "d", 'Ð': "d",
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func foldASCII(s string) string {
	b := make([]byte, 0, len(s))
	gap := false
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		default:
			gap = true
			continue
		}
		if gap && len(b) > 0 {
			b = append(b, ' ')
		}
		gap = false
		b = append(b, c)
	}
	return string(b)
}

// FoldLicense brings the spellings of one license to one form: lower case, words
// separated by single spaces, '+' and the dot inside a version kept, "version" and
// "v" before a number and the words "the", "license", "licence" and "agreement"
// dropped. Nothing else is guessed: "modified MIT" stays apart from "MIT".
func FoldLicense(s string) string {
	words := licenseWords(s)
	out := words[:0]
	for i, w := range words {
		switch w {
		case "the", "license", "licence", "agreement":
			continue
		case "version", "v", "ver":
			if i+1 < len(words) && isVersion(words[i+1]) {
				continue
			}
		}
		if len(w) > 1 && w[0] == 'v' && isVersion(w[1:]) {
			w = w[1:]
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// licenseWords splits s into its words in lower case.
func licenseWords(s string) []string {
	if !isASCII(s) {
		s = norm.NFKC.String(s)
		s = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) {
				return -1
			}
			return r
		}, s)
	}
	s = strings.ToLower(s)
	digit := func(i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }
	words := make([]string, 0, 8)
	start := -1 // of the current word
	for i, r := range s {
		in := r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '.' && digit(i-1) && digit(i+1)) ||
			r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
		switch {
		case in && start < 0:
			start = i
		case !in && start >= 0:
			words = append(words, s[start:i])
			start = -1
		}
	}
	if start >= 0 {
		words = append(words, s[start:])
	}
	return words
}

func isVersion(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// NormalizeText folds a license text to its words, so that two copies that differ
// in layout, quotes, case, numbering or copyright holder are equal: lower case,
// only letters and digits, single spaces; list markers, lines that name a
// copyright holder and "all rights reserved" left out; the holder whose name the
// BSD licenses forbid to use is "the copyright holder". It follows the spirit of SPDX's matching
// guidelines (https://spdx.github.io/spdx-spec/v2.3/license-matching-guidelines-and-templates/)
// but stays stricter: a word more or less is a different text.
func NormalizeText(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for line := range strings.Lines(text) {
		f := Fold(listMarker.ReplaceAllString(line, ""))
		if f == "" || isCopyright(line, f) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f)
	}
	return bsdHolder.ReplaceAllString(b.String(), "neither the name of the copyright holder nor the names of ${1}contributors")
}

// "1. ", "(a) ", "* " and "- " at the beginning of a line; and the clause of the
// BSD licenses that names the holder, https://spdx.org/licenses/BSD-3-Clause.html.
var (
	listMarker = regexp.MustCompile(`^\s*(?:\(?[0-9]{1,2}[.)]|\(?[a-z][.)]|[*•-])\s+`)
	bsdHolder  = regexp.MustCompile(`neither the names? of .{1,120}? nor the names of (its |any |their )?contributors`)
)

// isCopyright reports whether a line names a holder: it begins with the word or
// the sign and goes on with a year, the sign or a bracketed placeholder. A clause
// that merely begins with the word ("Copyright license. Subject to …") is not one.
func isCopyright(line, folded string) bool {
	if folded == "all rights reserved" {
		return true
	}
	line = strings.TrimLeft(line, " \t#*/%;>-")
	if strings.HasPrefix(line, "©") || strings.HasPrefix(strings.ToLower(line), "(c)") {
		return true
	}
	rest, found := strings.CutPrefix(strings.ToLower(line), "copyright")
	if !found {
		return false
	}
	rest = strings.TrimLeft(rest, " \t:")
	for _, p := range []string{"(c)", "©", "[", "<", "{", "19", "20"} {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

// TextHash is the SHA-256 of [NormalizeText] in hexadecimal; "" for a text
// without words.
func TextHash(text string) string {
	n := NormalizeText(text)
	if n == "" {
		return ""
	}
	h := sha256.Sum256([]byte(n))
	return hex.EncodeToString(h[:])
}
