package query

import (
	"slices"
	"strings"

	"seedcorn/feeds"
)

// Explain says the query in plain English, as the rest of a sentence that begins
// with "shows" or "sends": "works from China or France, open weights or freer,
// that mention the phrase “test-time compute”, not from OpenAI, since 16 Nov 2026".
func (q Query) Explain() string {
	if q.root == nil {
		return "all works"
	}
	list, ok := q.root.(and)
	if !ok {
		list = and{q.root}
	}
	// Wishes first, in the order of a sentence, then what is not wanted, then dates.
	const places = 6
	var said [places][]string
	var mentions []string
	for _, n := range list {
		place := 3
		switch n := n.(type) {
		case filter:
			switch n.field {
			case fieldKind:
				place = 0
			case fieldCountry, fieldLab:
				place = 1
			default:
				place = 2
			}
		case classes:
			place = 2
		case text:
			mentions = append(mentions, n.quote())
			continue
		case not:
			place = 4
		case bound:
			place = 5
		}
		said[place] = append(said[place], say(n, false))
	}
	if len(mentions) > 0 {
		said[3] = append([]string{"that mention " + series(mentions, "and")}, said[3]...)
	}
	var b strings.Builder
	b.WriteString("works")
	sep := ", "
	for _, clauses := range said {
		for _, c := range clauses {
			if first, _, _ := strings.Cut(c, " "); b.Len() == len("works") && slices.Contains(fluent, first) {
				sep = " "
			}
			b.WriteString(sep)
			b.WriteString(c)
			sep = ", "
		}
	}
	return b.String()
}

// fluent are the beginnings of clauses that follow a noun without a comma.
var fluent = []string{"that", "from", "with", "without", "seen", "in", "licensed", "on", "since", "before", "of"}

// say words one node as a clause after "works", or its opposite.
func say(n node, opposite bool) string {
	pick := func(plain, opposed string) string {
		if opposite {
			return opposed
		}
		return plain
	}
	switch n := n.(type) {
	case not:
		return say(n.part, !opposite)
	case text:
		return pick("that mention ", "that do not mention ") + n.quote()
	case topic:
		return pick("on", "not on") + " the topic “" + n.name + "”"
	case classes:
		return pick("", "not ") + n.say()
	case bound:
		when := n.at.Format("2 Jan 2006")
		if h, m, s := n.at.Clock(); h+m+s > 0 {
			when = n.at.Format("2 Jan 2006 15:04 MST")
		}
		if n.before != opposite {
			return "before " + when
		}
		return "since " + when
	case filter:
		what := series(n.shown, "or")
		switch n.field {
		case fieldCountry, fieldLab:
			return pick("from ", "not from ") + what
		case fieldKind:
			plural := make([]string, len(n.shown))
			for i, s := range n.shown {
				plural[i] = s + "s"
			}
			return pick("that are ", "that are not ") + series(plural, "or")
		case fieldHas:
			return pick("with ", "without ") + what
		case fieldSource:
			return pick("seen at ", "not seen at ") + what
		case fieldCategory:
			return pick("in ", "not in ") + what
		case fieldLicense:
			return pick("licensed under ", "not licensed under ") + what
		}
	case and:
		return group(n, opposite, "and", "both", "not both")
	case or:
		if t, ok := texts(n); ok {
			return pick("that mention ", "that do not mention ") + series(t, "or")
		}
		return group(n, opposite, "or", "either", "neither")
	}
	return ""
}

// group words several clauses as one, in brackets, so that it cannot be misread.
func group(list []node, opposite bool, word, lead, opposed string) string {
	clauses := make([]string, len(list))
	for i, n := range list {
		clauses[i] = say(n, false)
	}
	if opposite {
		lead = opposed
		if opposed == "neither" {
			word = "nor"
		}
	}
	if len(list) > 2 { // "both" and its kin speak of two
		lead = map[string]string{"both": "all of", "not both": "not all of", "either": "any of", "neither": "none of"}[lead]
		if word == "nor" {
			word = "or"
		}
	}
	return lead + " (" + strings.Join(clauses, "; "+word+" ") + ")"
}

// texts returns the quotes of a list that holds nothing but text.
func texts(list []node) (quotes []string, ok bool) {
	for _, n := range list {
		t, ok := n.(text)
		if !ok {
			return nil, false
		}
		quotes = append(quotes, t.quote())
	}
	return quotes, true
}

func (n text) quote() string {
	raw := strings.Join(strings.Fields(n.raw), " ")
	switch ph := n.any[0]; {
	case ph.prefix:
		return "a word that begins with “" + raw + "”"
	case n.quoted && len(ph.words) > 1:
		return "the phrase “" + raw + "”"
	}
	return "“" + raw + "”"
}

func (n classes) say() string {
	if n == compareClass(">=", feeds.Closed) {
		return "of known openness"
	}
	words := [...]string{"of unknown openness", "closed", "restricted", "open weights", "open source"}
	if known := n &^ (1 << feeds.Unknown); known != 1<<feeds.OpenSource && known != 0 {
		for c := feeds.Closed; c < feeds.OpenSource; c++ {
			if known == compareClass(">=", c) {
				s := words[c] + " or freer"
				if n != known {
					s += " or " + words[feeds.Unknown]
				}
				return s
			}
		}
	}
	var list []string
	for c := feeds.Closed; c <= feeds.OpenSource; c++ {
		if n&(1<<c) != 0 {
			list = append(list, words[c])
		}
	}
	if n&(1<<feeds.Unknown) != 0 {
		list = append(list, words[feeds.Unknown])
	}
	return series(list, "or")
}

// series joins words as a sentence does: "a, b or c".
func series(list []string, word string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + word + " " + list[len(list)-1]
}
