package digest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSentence is the length of a story's line, in runes: two lines on a phone.
const maxSentence = 220

// telling are words with which the sentence begins that says what a paper or a
// post brings. Abstracts open with the state of the field, which every reader of
// this digest knows.
var telling = []string{
	"we introduce", "we present", "we propose", "we release", "we describe", "we develop", "we open-source", "we show", "we study", "we train",
	"in this paper", "in this work", "in this report", "in this post", "this paper", "this work", "this report", "this technical report",
	"today we", "today, we", "today, ", "introducing", "our model", "here we", "here, we", "to address", "to this end", "we're releasing", "we are releasing",
}

// Sentence returns the one sentence of text that says what is new, cut at a word
// if it is long: the first that announces something, else the first. A sentence
// that only repeats title is passed over. It returns "" for a text without words.
func Sentence(text, title string) string {
	const look = 12 // sentences; what is new is not announced on page two
	best := ""
	rest := text
	for range look {
		var s string
		s, rest = cutSentence(rest)
		if s == "" {
			break
		}
		if strings.EqualFold(strings.Trim(s, ". "), strings.Trim(title, ". ")) || !hasWords(s) {
			continue
		}
		if best == "" {
			best = s
		}
		low := strings.ToLower(s)
		if hasAny(low, telling) {
			best = s
			break
		}
	}
	return clip(best, maxSentence)
}

func hasAny(s string, starts []string) bool {
	for _, t := range starts {
		if strings.HasPrefix(s, t) {
			return true
		}
	}
	return false
}

func hasWords(s string) bool {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
			n += 3 // a character is most of a word
		case unicode.IsLetter(r):
			n++
		}
	}
	return n >= 12
}

// cutSentence splits off the first sentence of s: up to a full stop, question or
// exclamation mark followed by white space and something that can begin a
// sentence. Stops inside numbers, initials and common abbreviations do not count.
func cutSentence(s string) (sentence, rest string) {
	s = strings.TrimSpace(s)
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		switch r {
		case '。', '！', '？':
			return s[:end], s[end:]
		case '\n':
			if strings.HasPrefix(s[end:], "\n") {
				return strings.TrimSpace(s[:i]), s[end:]
			}
		case '.', '!', '?':
			next, size := utf8.DecodeRuneInString(s[end:])
			if size > 0 && !unicode.IsSpace(next) {
				continue
			}
			after, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(s[end:], unicode.IsSpace))
			if r == '.' && (abbreviated(s[:i]) || unicode.IsLower(after)) {
				continue
			}
			return s[:end], s[end:]
		}
	}
	return s, ""
}

// abbreviated reports whether a stop after s belongs to its last word.
func abbreviated(s string) bool {
	word := s[strings.LastIndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '(' })+1:]
	switch strings.ToLower(word) {
	case "e.g", "i.e", "et al", "al", "vs", "cf", "fig", "eq", "sec", "dr", "prof", "mr", "ms", "inc", "ltd", "co", "approx", "resp", "no", "st", "u.s", "u.k":
		return true
	}
	return utf8.RuneCountInString(word) == 1 && !unicode.IsDigit([]rune(word)[0]) // an initial
}

// clip cuts s to at most most runes, at a word where there is one, with an ellipsis.
func clip(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	runes := []rune(s)[:most-1]
	cut := string(runes)
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " ,;:–—-") + "…"
}
