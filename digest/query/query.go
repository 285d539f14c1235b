// Package query is the language in which people say which works they want.
//
//	"test-time compute" country:CN,FR openness>=open-weights -lab:openai since:7d
//
// What comes in is a line that a person typed; what goes out is a [Query], which
// can do four things: say itself again ([Query.String]), say itself in English
// ([Query.Explain]), judge one work ([Query.Match]) and tell an index where to
// look ([Query.Compile]).
//
//	text ── [Parse] ──► [Query] ──┬─ Match(Subject) ── the truth
//	          │                   └─ Compile() ─► [Plan] ─► an index ─► candidates ─► Match
//	          └─ *[SyntaxError], with a column and a hint
//
//	[Subject] ── [Terms] ──► the words under which the index files a work
//
// The truth is Match. A plan may select too much and never too little, so an
// index can be as coarse as it likes and two engines still give one answer.
//
// # The language
//
//	word  "a phrase"  word*            text; a phrase wants its words side by side
//	a b   a AND b   a OR b   NOT a  -a (a OR b)
//	country:CN,FR  country:Japan  country:CN+HK  country:EU  country:unknown
//	lab:deepseek  lab:"Mistral AI"
//	openness:open  openness:restricted,closed  openness>=open-weights
//	kind:paper,model,post,dataset,repo,release
//	has:paper,code,weights,data,service
//	license:MIT  category:cs.CL  category:cs  source:arxiv  source:openai.com
//	since:7d  since:2w  since:3mo  since:1y  since:monday  since:2026-01-01  before:yesterday
//	topic:NAME                         a named query in place of its name
//
// A comma means "or". AND binds tighter than OR, and two terms side by side are
// joined by AND. The operators are written in capitals, so that "research and
// development" searches for three words. A comparison speaks of known classes
// only: unknown openness never satisfies one. NOT is the plain opposite, so what
// is unknown does pass -openness:open.
//
// A word outside quotes is read generously, because nobody agrees on how to write
// the name of a model: gpt-4o, gpt4o and "GPT 4o" find one another, as do
// test-time and "test time". Quotes ask for exactly these words in this order.
package query

import (
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
)

// Limits on what is read. They keep a stranger's query from costing more than
// it is worth; nobody has typed one by hand that comes near.
const (
	MaxRunes = 2000 // of the text, and of each topic in it
	MaxDepth = 50   // of parentheses, negations and topics
	MaxTerms = 200  // words and values, with everything that groups and topics stand for
)

// Names is what the language must ask others about: it knows no registry itself.
// A nil function accepts what was typed, so the zero Names reads codes and ids.
type Names struct {
	// Country returns the code of a country, given as a code or an English name.
	Country func(string) (feeds.Country, bool)
	// Group returns the countries of a roll-up such as "EU"; it is asked first.
	Group func(string) ([]feeds.Country, bool)
	// Lab returns the labs that a name or an id means. An id must mean at least itself.
	Lab func(string) ([]feeds.LabID, bool)
	// License returns the SPDX id or LicenseRef of a license's name.
	License func(string) (string, bool)
	// Topic returns the query behind a topic's name. Without it there are no topics.
	Topic func(string) (string, bool)
	// Show returns what to call a value when explaining: field is "country", "lab",
	// "license" or "source". An empty answer shows the value itself.
	Show func(field, value string) string
	// Suggest returns near misses for a value that was not found, best first.
	Suggest func(field, value string) []string
}

// A Query is a parsed query. The zero Query matches everything. It is immutable
// and safe to share.
type Query struct {
	source string
	root   node // nil matches everything
}

// Source returns the text that was parsed, as it was typed.
func (q Query) Source() string { return q.source }

// Empty reports whether the query asks for nothing in particular.
func (q Query) Empty() bool { return q.root == nil }

// Words returns the distinct folded words that the query wants to read, in the
// order in which it asks for them, for ranking and for highlighting. Words under
// a negation are left out, and so are single letters and digits of a phrase. A word
// asked for by its beginning ends in "*".
func (q Query) Words() []string {
	var out []string
	wanted(q.root, true, func(n text) {
		for _, ph := range n.any {
			for i, w := range ph.words {
				if len(w) == 1 && len(ph.words) > 1 {
					continue // the "5" of "qwen2.5" is everywhere
				}
				if ph.prefix && i == len(ph.words)-1 {
					w += "*"
				}
				if !slices.Contains(out, w) {
					out = append(out, w)
				}
			}
		}
	})
	return out
}

// Found returns the words and phrases of the query, as they were typed, that stand
// in a text, and how many it wants to read in all, each counted once. Those under
// a negation are neither found nor wanted.
func (q Query) Found(s string) (found []string, all int) {
	var p page
	var asked []string
	wanted(q.root, true, func(n text) {
		if slices.Contains(asked, n.raw) {
			return
		}
		if asked = append(asked, n.raw); len(asked) == 1 {
			p = newPage([]string{s})
		}
		if slices.ContainsFunc(n.any, p.holds) {
			found = append(found, n.raw)
		}
	})
	return found, len(asked)
}

// wanted calls visit for every text that is not under a negation, from left to right.
func wanted(n node, yes bool, visit func(text)) {
	switch n := n.(type) {
	case and:
		for _, p := range n {
			wanted(p, yes, visit)
		}
	case or:
		for _, p := range n {
			wanted(p, yes, visit)
		}
	case not:
		wanted(n.part, !yes, visit)
	case topic:
		wanted(n.part, yes, visit)
	case text:
		if yes {
			visit(n)
		}
	}
}

// A field is a name before a colon.
type field string

const (
	fieldCountry  field = "country"
	fieldLab      field = "lab"
	fieldOpenness field = "openness"
	fieldKind     field = "kind"
	fieldSource   field = "source"
	fieldCategory field = "category"
	fieldLicense  field = "license"
	fieldHas      field = "has"
	fieldSince    field = "since"
	fieldBefore   field = "before"
	fieldTopic    field = "topic"
)

// fields lists every field with a value that shows how it is used.
var fields = []struct {
	name    field
	example string
}{
	{fieldCountry, "country:CN,FR"},
	{fieldLab, `lab:deepseek`},
	{fieldOpenness, "openness>=open-weights"},
	{fieldKind, "kind:paper"},
	{fieldSource, "source:arxiv"},
	{fieldCategory, "category:cs.CL"},
	{fieldLicense, "license:MIT"},
	{fieldHas, "has:weights"},
	{fieldSince, "since:7d"},
	{fieldBefore, "before:2026-01-01"},
	{fieldTopic, "topic:NAME"},
}

// The tree. A node is immutable once parsed.
type node interface {
	// write appends the canonical form.
	write(b *strings.Builder)
}

type (
	and []node // two or more, none of them an and
	or  []node // two or more, none of them an or
	not struct{ part node }

	// text is a word or a phrase, as the alternatives in which it may be written.
	text struct {
		raw    string // as typed, without quotes and star
		quoted bool
		any    []phrase
	}
	// filter wants one of a field's values.
	filter struct {
		field field
		terms []string // canonical, for printing
		shown []string // for people
		want  []string // as each yields them
	}
	// classes wants one of a set of openness classes, bit i for class i.
	classes uint8
	// bound is since (inclusive) or before (exclusive).
	bound struct {
		before bool
		at     time.Time
		raw    string
	}
	// topic stands for the query of its name. part is nil if that is empty.
	topic struct {
		name string
		part node
	}
)

// A phrase is words side by side; the last may be a prefix.
type phrase struct {
	words  []string
	prefix bool
}

// String returns the canonical form of the query: it parses to the same query
// with the same names at the same time. Names of labs, countries and licenses are
// replaced by ids; groups, topics and relative dates stay as they are, because
// they may mean something else tomorrow.
func (q Query) String() string {
	if q.root == nil {
		return ""
	}
	var b strings.Builder
	q.root.write(&b)
	return b.String()
}

func (n and) write(b *strings.Builder) {
	for i, p := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		if _, ok := p.(or); ok {
			b.WriteByte('(')
			p.write(b)
			b.WriteByte(')')
			continue
		}
		p.write(b)
	}
}

func (n or) write(b *strings.Builder) {
	for i, p := range n {
		if i > 0 {
			b.WriteString(" OR ")
		}
		p.write(b)
	}
}

func (n not) write(b *strings.Builder) {
	b.WriteByte('-')
	switch n.part.(type) {
	case and, or:
		b.WriteByte('(')
		n.part.write(b)
		b.WriteByte(')')
	default:
		n.part.write(b)
	}
}

func (n text) write(b *strings.Builder) {
	if n.quoted {
		b.WriteByte('"')
		b.WriteString(n.raw)
		b.WriteByte('"')
		return
	}
	b.WriteString(n.raw)
	if n.any[0].prefix {
		b.WriteByte('*')
	}
}

func (n filter) write(b *strings.Builder) {
	b.WriteString(string(n.field))
	b.WriteByte(':')
	for i, t := range n.terms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoteValue(t))
	}
}

func (n bound) write(b *strings.Builder) {
	if n.before {
		b.WriteString("before:")
	} else {
		b.WriteString("since:")
	}
	b.WriteString(n.raw)
}

func (n topic) write(b *strings.Builder) {
	b.WriteString("topic:")
	b.WriteString(quoteValue(n.name))
}

// write prints the shortest way to say the set, the plainest of the shortest.
func (n classes) write(b *strings.Builder) { b.WriteString(classNames[n]) }

// classNames[set] is the canonical form of a set of classes.
var classNames = func() (names [1 << (feeds.OpenSource + 1)]string) {
	offer := func(set classes, s string) {
		if names[set] == "" || len(s) < len(names[set]) {
			names[set] = s
		}
	}
	for set := range classes(len(names)) {
		var list []string
		for c := feeds.Unknown; c <= feeds.OpenSource; c++ {
			if set&(1<<c) != 0 {
				list = append(list, c.String())
			}
		}
		offer(set, "openness:"+strings.Join(list, ","))
	}
	offer(openClasses, "openness:open")
	offer(openClasses|1<<feeds.Unknown, "openness:open,unknown")
	for c := feeds.Closed; c <= feeds.OpenSource; c++ {
		for _, op := range []string{">=", "<=", ">", "<"} {
			offer(compareClass(op, c), "openness"+op+c.String())
		}
	}
	offer(compareClass("<", feeds.OpenWeights), "openness<open")
	return names
}()

// openClasses are the classes that one may build on.
const openClasses classes = 1<<feeds.OpenWeights | 1<<feeds.OpenSource

// compareClass returns the known classes that stand in relation op to c.
func compareClass(op string, c feeds.Openness) (set classes) {
	for x := feeds.Closed; x <= feeds.OpenSource; x++ {
		ok := false
		switch op {
		case ">=":
			ok = x >= c
		case "<=":
			ok = x <= c
		case ">":
			ok = x > c
		case "<":
			ok = x < c
		}
		if ok {
			set |= 1 << x
		}
	}
	return set
}

// quoteValue quotes a value where it could not be read back without. No value
// holds a quotation mark: the language has no way to write one.
func quoteValue(s string) string {
	if s == "" || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "!") || strings.ContainsFunc(s, func(r rune) bool {
		return r == ',' || !isWordRune(r)
	}) {
		return `"` + s + `"`
	}
	return s
}
