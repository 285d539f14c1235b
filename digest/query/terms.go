package query

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"seedcorn/feeds"
)

// Terms returns the words under which an index files a subject, sorted, each
// once: its folded text words, its compounds written as one word, a token for
// each value of each field, and [Everything]. Every term consists of the letters
// a to z and digits alone. Terms is what a [Plan] speaks of: a subject that a
// query matches always has the terms that the query's plan asks for.
func Terms(s Subject) []string {
	p := newPage(s.Text)
	n := 0
	for _, t := range p.texts {
		n += len(t)
	}
	out := make([]string, 0, n+len(p.compounds)+32)
	for _, words := range p.texts {
		for _, w := range words {
			out = append(out, wordTerm(w))
		}
	}
	for _, c := range p.compounds {
		out = append(out, wordTerm(strings.Join(p.parts(c), "")))
	}
	for _, f := range filters {
		each(f, s, func(v string) bool {
			out = append(out, fieldTerm(f, v))
			return true
		})
	}
	out = append(out, Everything)
	slices.Sort(out)
	return slices.Compact(out)
}

// filters are the fields that have tokens in the index. None is the beginning of
// another, nor of "all", "u" or "w", so that tokens cannot be confused.
var filters = []field{
	fieldCountry, fieldLab, fieldOpenness, fieldKind, fieldSource, fieldCategory, fieldLicense, fieldHas,
}

// each hands out the values of a field that a subject has, in lower case, until
// yield returns false. It is the one place that says what a field means, for
// Match and for Terms.
func each(f field, s Subject, yield func(string) bool) {
	switch f {
	case fieldCountry:
		if len(s.Countries) == 0 {
			yield("xx")
			return
		}
		eachLower(s.Countries, yield)
	case fieldLab:
		eachLower(s.Labs, yield)
	case fieldOpenness:
		yield(s.Openness.String())
	case fieldKind:
		eachLower(s.Kinds, yield)
	case fieldSource:
		for _, id := range s.Sources {
			// "feed:https://openai.com/news/rss.xml" is also "feed" and "openai.com".
			v := strings.ToLower(string(id))
			if !yield(v) {
				return
			}
			scheme, rest, ok := strings.Cut(v, ":")
			if !ok {
				continue
			}
			if !yield(scheme) {
				return
			}
			if u, err := url.Parse(rest); err == nil && u.Host != "" && !yield(strings.TrimPrefix(u.Host, "www.")) {
				return
			}
		}
	case fieldCategory:
		for _, c := range s.Categories {
			// "cs.CL" is also of the archive "cs".
			v := strings.ToLower(c)
			if !yield(v) {
				return
			}
			if archive, _, ok := strings.Cut(v, "."); ok && !yield(archive) {
				return
			}
		}
	case fieldLicense:
		eachLower(s.Licenses, yield)
	case fieldHas:
		eachLower(s.Has, yield)
	}
}

func eachLower[T ~string](values []T, yield func(string) bool) {
	for _, v := range values {
		if !yield(strings.ToLower(string(v))) {
			return
		}
	}
}

// fieldTerm returns the index token of a field's value: "x", the field, and the
// value with everything but letters and digits escaped by a z ("xlabmistralz2dai"
// is lab:mistral-ai). A long value is replaced by its hash.
func fieldTerm(f field, value string) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 80)
	b = append(append(b, 'x'), f...)
	if len(value) > maxWord {
		h := sha256.Sum256([]byte(value))
		return string(hex.AppendEncode(append(b, "zh"...), h[:12]))
	}
	for i := range len(value) {
		switch c := value[i]; {
		case c == 'z':
			b = append(b, "zz"...)
		case asciiWord(c):
			b = append(b, c)
		default:
			b = append(b, 'z', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// Match reports whether the query matches the subject. It is the truth that any
// index must agree with.
func (q Query) Match(s Subject) bool {
	return q.root == nil || (&matcher{s: s}).match(q.root)
}

type matcher struct {
	s      Subject
	page   page
	folded bool
}

func (m *matcher) match(n node) bool {
	switch n := n.(type) {
	case and:
		for _, p := range n {
			if !m.match(p) {
				return false
			}
		}
		return true
	case or:
		return slices.ContainsFunc(n, m.match)
	case not:
		return !m.match(n.part)
	case topic:
		return n.part == nil || m.match(n.part)
	case classes:
		return m.s.Openness <= feeds.OpenSource && n&(1<<m.s.Openness) != 0 ||
			m.s.Openness > feeds.OpenSource && n&(1<<feeds.Unknown) != 0
	case bound:
		if n.before {
			return m.s.Date.Before(n.at)
		}
		return !m.s.Date.Before(n.at)
	case filter:
		found := false
		each(n.field, m.s, func(v string) bool {
			found = slices.Contains(n.want, v)
			return !found
		})
		return found
	case text:
		if !m.folded {
			m.page, m.folded = newPage(m.s.Text), true
		}
		return slices.ContainsFunc(n.any, m.page.holds)
	}
	return false
}
