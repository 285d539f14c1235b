package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"seedcorn/feeds"
)

// Parse reads a query. Names resolves what the language does not know itself, and
// relative dates are counted from now, in now's zone. An empty text matches
// everything. Every error is a *[SyntaxError].
func Parse(src string, names Names, now time.Time) (Query, error) {
	root, err := newParser(src, &shared{names: names, now: now}).parse()
	if err != nil {
		return Query{}, err
	}
	return Query{source: src, root: root}, nil
}

// shared is what the parser of a query and those of its topics have in common.
type shared struct {
	names  Names
	now    time.Time
	depth  int
	terms  int
	topics []string // being read, outermost first
}

type parser struct {
	*shared
	src []rune
	pos int
}

func newParser(src string, s *shared) *parser {
	return &parser{shared: s, src: []rune(strings.ToValidUTF8(src, "\uFFFD"))}
}

// errorf faults the runes from start to the current position.
func (p *parser) errorf(start int, hint, format string, args ...any) *SyntaxError {
	return &SyntaxError{Col: start + 1, Len: max(p.pos-start, 1), Msg: fmt.Sprintf(format, args...), Hint: hint}
}

func (p *parser) parse() (node, error) {
	if len(p.src) > MaxRunes {
		p.pos = len(p.src)
		return nil, p.errorf(MaxRunes, "use a topic for part of it", "the query has %d characters, at most %d are read", len(p.src), MaxRunes)
	}
	p.space()
	if p.end() {
		return nil, nil
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.end() { // or stops at the end or at a closing parenthesis only
		p.pos++
		return nil, p.errorf(p.pos-1, "", "this closes a parenthesis that was never opened")
	}
	return n, nil
}

func (p *parser) end() bool { return p.pos >= len(p.src) }

func (p *parser) space() {
	for !p.end() && isSpace(p.src[p.pos]) {
		p.pos++
	}
}

// operator reports whether an operator stands here, and takes it if it is one of want.
func (p *parser) operator(want ...string) string {
	end := p.pos
	for end < len(p.src) && isWordRune(p.src[end]) {
		end++
	}
	if w := string(p.src[p.pos:end]); slices.Contains(want, w) {
		p.pos = end
		return w
	}
	return ""
}

// or = and { "OR" and }
func (p *parser) or() (node, error) {
	var list or
	for {
		n, err := p.and()
		if err != nil {
			return nil, err
		}
		if l, ok := n.(or); ok {
			list = append(list, l...)
		} else {
			list = append(list, n)
		}
		if p.space(); p.operator("OR") == "" {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// and = unary { ["AND"] unary }
func (p *parser) and() (node, error) {
	var list and
	for {
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		if l, ok := n.(and); ok {
			list = append(list, l...)
		} else {
			list = append(list, n)
		}
		p.space()
		if p.operator("AND") != "" {
			continue
		}
		if at := p.pos; p.end() || p.src[at] == ')' || p.operator("OR") != "" {
			p.pos = at
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// unary = ("NOT" | "-") unary | "(" or ")" | term
func (p *parser) unary() (node, error) {
	if p.depth++; p.depth > MaxDepth {
		return nil, p.errorf(p.pos, "", "more than %d levels deep", MaxDepth)
	}
	defer func() { p.depth-- }()

	p.space()
	start := p.pos
	if p.end() {
		return nil, p.errorf(start, "", "something is missing at the end")
	}
	switch r := p.src[p.pos]; {
	case r == '(':
		p.pos++
		if p.space(); !p.end() && p.src[p.pos] == ')' {
			p.pos++
			return nil, p.errorf(start, "", "there is nothing in these parentheses")
		}
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.end() {
			p.pos = start + 1
			return nil, p.errorf(start, "", "this parenthesis is never closed")
		}
		p.pos++ // or stops at a closing one
		return n, nil
	case r == ')':
		p.pos++
		return nil, p.errorf(start, "", "something is missing before this parenthesis")
	case r == '-':
		p.pos++
		if p.end() || isSpace(p.src[p.pos]) {
			return nil, p.errorf(start, "write -word without a space, or put the whole title in quotes", "a dash stands alone")
		}
		return p.negation()
	case isQuote(r):
		return p.quotedText()
	}
	switch op := p.operator("AND", "OR", "NOT"); op {
	case "NOT":
		return p.negation()
	case "AND", "OR":
		return nil, p.errorf(start, fmt.Sprintf(`to search for the word, write it in small letters or as "%s"`, op), "%s needs something before it", op)
	}
	if n, ok, err := p.field(); ok {
		return n, err
	}
	return p.word()
}

func (p *parser) negation() (node, error) {
	n, err := p.unary()
	if err != nil {
		return nil, err
	}
	if inner, ok := n.(not); ok {
		return inner.part, nil
	}
	return not{n}, nil
}

// count counts n more terms, of the text since start.
func (p *parser) count(start, n int) error {
	if p.terms += n; p.terms > MaxTerms {
		return p.errorf(start, "", "more than %d words and values", MaxTerms)
	}
	return nil
}

// quoted reads the text between quotation marks.
func (p *parser) quoted() (string, error) {
	start := p.pos
	for p.pos++; !p.end(); p.pos++ {
		if isQuote(p.src[p.pos]) {
			p.pos++
			return string(p.src[start+1 : p.pos-1]), nil
		}
	}
	p.pos = start + 1
	return "", p.errorf(start, "", "this quotation mark is never closed")
}

func (p *parser) quotedText() (node, error) {
	start := p.pos
	raw, err := p.quoted()
	if err != nil {
		return nil, err
	}
	words := Fold(raw)
	if len(words) == 0 {
		return nil, p.errorf(start, "", "there is no word in these quotation marks")
	}
	return text{raw: raw, quoted: true, any: []phrase{{words: words}}}, p.count(start, len(words))
}

// word reads a word outside quotation marks, which is looked for in every way
// that it may be written.
func (p *parser) word() (node, error) {
	start := p.pos
	for !p.end() && isWordRune(p.src[p.pos]) {
		p.pos++
	}
	raw := string(p.src[start:p.pos])
	stem, prefix := strings.CutSuffix(raw, "*")
	if strings.Contains(stem, "*") {
		return nil, p.errorf(start, "", "a star can only end a word")
	}
	alternatives := spellings(stem, prefix)
	if len(alternatives) == 0 {
		hint := "words are made of letters and digits"
		switch raw {
		case "*":
			hint = "an empty query matches everything"
		case "&", "&&", "+":
			hint = "for both, write AND"
		case "|", "||", "/":
			hint = "for either, write OR"
		case "!":
			hint = "for the opposite, write NOT"
		}
		return nil, p.errorf(start, hint, "there is no word in %q", raw)
	}
	words := alternatives[0].words
	if prefix && len(words) == 1 && len(words[0]) < 2 {
		return nil, p.errorf(start, "", "at least two letters must stand before a star")
	}
	return text{raw: stem, any: alternatives}, p.count(start, len(words))
}

// spellings returns the ways in which a word may be written: its parts side by
// side ("gpt-4o" as "gpt 4o"), joined ("gpt4o"), and with a gap before numbers
// ("qwen2.5" as "qwen 2 5").
func spellings(word string, prefix bool) []phrase {
	var words []string
	var compound []string
	scan(normalize(word), func(w string, parts []string) {
		words = append(words, w)
		compound = append(compound[:0], parts...)
	})
	if len(words) == 0 {
		return nil
	}
	out := []phrase{{words, prefix}}
	if joinable(compound) && len(compound) == len(words) {
		out = append(out, phrase{[]string{strings.Join(words, "")}, prefix})
	}
	var gaps []string
	for _, w := range words {
		for i := 1; i < len(w) && len(w) <= maxWord; i++ {
			if isDigit(w[i]) && 'a' <= w[i-1] && w[i-1] <= 'z' {
				gaps = append(gaps, w[:i])
				w, i = w[i:], 0
			}
		}
		gaps = append(gaps, w)
	}
	if len(gaps) > len(words) {
		out = append(out, phrase{gaps, prefix})
	}
	return out
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isQuote(r rune) bool { return strings.ContainsRune(`"“”„«»`, r) }

func isSpace(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// isWordRune reports whether r may stand in a word or a value.
func isWordRune(r rune) bool { return !isSpace(r) && !isQuote(r) && r != '(' && r != ')' }

// meant are names that people try, and the fields they mean.
var meant = map[string]field{
	"date": fieldSince, "after": fieldSince, "from": fieldSince, "until": fieldBefore, "to": fieldBefore,
	"org": fieldLab, "company": fieldLab, "author": fieldLab, "by": fieldLab, "in": fieldCountry, "nation": fieldCountry,
	"type": fieldKind, "cat": fieldCategory, "subject": fieldCategory, "feed": fieldSource, "site": fieldSource,
	"open": fieldOpenness, "with": fieldHas, "artifact": fieldHas, "licence": fieldLicense,
}

// field reads "name:value,value" and its kin. ok is false, and nothing is taken,
// where no field stands here.
func (p *parser) field() (n node, ok bool, err error) {
	start, end := p.pos, p.pos
	for end < len(p.src) && (p.src[end] >= 'a' && p.src[end] <= 'z' || p.src[end] >= 'A' && p.src[end] <= 'Z') {
		end++
	}
	name := strings.ToLower(string(p.src[start:end]))
	known := exampleOf(field(name)) != ""
	at := end
	if known { // "openness >= open-weights"
		for at < len(p.src) && isSpace(p.src[at]) {
			at++
		}
		if at > end && (at == len(p.src) || !strings.ContainsRune("<>=≤≥", p.src[at])) {
			at = end
		}
	}
	op := ""
	if end > start && at < len(p.src) {
		switch rest := p.src[at:]; rest[0] {
		case ':', '=':
			op, at = string(rest[0]), at+1
		case '≥':
			op, at = ">=", at+1
		case '≤':
			op, at = "<=", at+1
		case '<', '>':
			op, at = string(rest[0]), at+1
			if len(rest) > 1 && rest[1] == '=' {
				op, at = op+"=", at+1
			}
		}
	}
	if op == "" {
		return nil, false, nil
	}
	if !known {
		var names []string
		for _, f := range fields {
			names = append(names, string(f.name))
		}
		guess := nearest(name, names)
		if m := meant[name]; m != "" {
			guess = string(m)
		}
		if guess == "" && op != ":" {
			return nil, false, nil // just a word with a sign in it
		}
		p.pos = at
		fault := p.errorf(start, `to search for it as text, put it in quotes`, "there is no field %q", name)
		if guess != "" {
			fault.Hint, fault.Instead = "did you mean "+guess+":?", []string{guess + op}
		}
		return nil, true, fault
	}
	p.pos = at
	if op == "=" {
		op = ":"
	}
	if op != ":" && name != string(fieldOpenness) {
		return nil, true, p.errorf(start, "write "+name+":", "only openness can be compared with %s", op)
	}
	n, err = p.values(field(name), op, start)
	return n, true, err
}

// exampleOf returns how a field is used, or "" where there is no such field.
func exampleOf(name field) string {
	for _, f := range fields {
		if f.name == name {
			return f.example
		}
	}
	return ""
}

// A value is one of the things after a field's colon.
type value struct {
	text   string
	at, to int // in src
}

// values reads a field's values and makes its node.
func (p *parser) values(f field, op string, start int) (node, error) {
	var vs []value
	for {
		p.space()
		at := p.pos
		v := ""
		if !p.end() && isQuote(p.src[at]) {
			var err error
			if v, err = p.quoted(); err != nil {
				return nil, err
			}
		} else {
			for !p.end() && isWordRune(p.src[p.pos]) && p.src[p.pos] != ',' {
				p.pos++
			}
			v = string(p.src[at:p.pos])
			if strings.HasPrefix(v, "-") || strings.HasPrefix(v, "!") {
				return nil, p.errorf(at, fmt.Sprintf("write -%s:%s", f, v[1:]), "a value cannot be negated")
			}
		}
		if name, _, ok := strings.Cut(v, ":"); ok && exampleOf(field(strings.ToLower(name))) != "" && !isQuote(p.src[at]) {
			v, p.pos = "", at // "country: lab:openai"
		}
		if v = strings.TrimSpace(v); v == "" {
			p.pos = max(at, start+1)
			return nil, p.errorf(start, "for example "+exampleOf(f), "%s: needs a value", f)
		}
		vs = append(vs, value{v, at, p.pos})
		if p.end() || p.src[p.pos] != ',' {
			break
		}
		p.pos++
	}
	if err := p.count(start, len(vs)); err != nil {
		return nil, err
	}
	switch f {
	case fieldOpenness:
		return p.openness(op, vs)
	case fieldSince, fieldBefore, fieldTopic:
		if len(vs) > 1 {
			p.pos = vs[1].to
			return nil, p.errorf(vs[1].at, "", "%s: takes one value", f)
		}
		if f == fieldTopic {
			return p.topic(vs[0])
		}
		at, hint, ok := parseDate(vs[0].text, p.now)
		if !ok {
			return nil, p.unknown(vs[0], hint, "cannot read %q as a date", vs[0].text)
		}
		raw := strings.ToLower(vs[0].text)
		if len(raw) > len(time.DateOnly) {
			raw = strings.ToUpper(raw) // RFC 3339
		}
		return bound{before: f == fieldBefore, at: at, raw: raw}, nil
	}
	return p.filter(f, vs, start)
}

// unknown faults one value.
func (p *parser) unknown(v value, hint, format string, args ...any) *SyntaxError {
	return &SyntaxError{Col: v.at + 1, Len: max(v.to-v.at, 1), Msg: fmt.Sprintf(format, args...), Hint: hint}
}

func (p *parser) openness(op string, vs []value) (node, error) {
	if op != ":" && len(vs) > 1 {
		return nil, p.unknown(vs[1], "", "a comparison takes one value")
	}
	var set classes
	for _, v := range vs {
		c, err := feeds.ParseOpenness(v.text)
		if err != nil {
			names := []string{"open"}
			for c := feeds.Unknown; c <= feeds.OpenSource; c++ {
				names = append(names, c.String())
			}
			fault := p.unknown(v, "one of open, "+strings.Join(names[1:], ", "), "%q is not a class of openness", v.text)
			if g := nearest(strings.ToLower(v.text), names); g != "" {
				fault.Hint, fault.Instead = "did you mean openness:"+g+"?", []string{g}
			}
			return nil, fault
		}
		switch {
		case op != ":" && c == feeds.Unknown:
			return nil, p.unknown(v, "write openness:unknown", "what is unknown cannot be compared")
		case op != ":":
			if set = compareClass(op, c); set == 0 {
				return nil, p.unknown(v, "", "no class of openness is %s %s", op, c)
			}
		case strings.EqualFold(v.text, "open"):
			set |= openClasses
		default:
			set |= 1 << c
		}
	}
	return set, nil
}

func (p *parser) topic(v value) (node, error) {
	if p.names.Topic == nil {
		return nil, p.unknown(v, "", "topics are not available here")
	}
	src, ok := p.names.Topic(v.text)
	if !ok {
		return nil, p.suggest(p.unknown(v, "", "there is no topic %q", v.text), fieldTopic, v.text, v.text)
	}
	name := strings.ToLower(v.text)
	if slices.Contains(p.topics, name) {
		return nil, p.unknown(v, "", "the topic %q contains itself", v.text)
	}
	p.topics = append(p.topics, name)
	n, err := newParser(src, p.shared).parse()
	p.topics = p.topics[:len(p.topics)-1]
	if se, ok := errors.AsType[*SyntaxError](err); ok {
		return nil, p.unknown(v, se.Hint, "in the topic %q, column %d: %s", v.text, se.Col, se.Msg)
	}
	return topic{name: v.text, part: n}, nil
}

// suggest adds the names' near misses of what was typed to a fault of a whole value.
func (p *parser) suggest(fault *SyntaxError, f field, typed, whole string) *SyntaxError {
	if p.names.Suggest == nil {
		return fault
	}
	near := p.names.Suggest(string(f), typed)
	if len(near) == 0 {
		return fault
	}
	near = slices.Clone(near[:min(3, len(near))])
	for i, s := range near {
		s = strings.Replace(whole, typed, s, 1) // one of "CN+Frnace"
		fault.Instead = append(fault.Instead, quoteValue(s))
		near[i] = string(f) + ":" + quoteValue(s)
	}
	fault.Hint = "did you mean " + strings.Join(near, " or ") + "?"
	return fault
}

// The closed lists, with the names that people use for their members.
var (
	kinds = []feeds.ItemKind{feeds.ItemPost, feeds.ItemPaper, feeds.ItemModel, feeds.ItemDataset, feeds.ItemRepo, feeds.ItemRelease}
	haves = []feeds.ArtifactKind{feeds.Paper, feeds.Code, feeds.Weights, feeds.Data, feeds.Hosted}
)

func (p *parser) filter(f field, vs []value, start int) (node, error) {
	n := filter{field: f}
	add := func(id string, shown string) {
		if id = strings.ToLower(id); !slices.Contains(n.want, id) {
			n.want = append(n.want, id)
		}
		if shown != "" && !slices.Contains(n.shown, shown) {
			n.shown = append(n.shown, shown)
		}
	}
	print := func(s string) {
		if !slices.Contains(n.terms, s) {
			n.terms = append(n.terms, s)
		}
	}
	show := func(id string) string {
		if p.names.Show != nil {
			if s := p.names.Show(string(f), id); s != "" {
				return s
			}
		}
		return id
	}
	for _, v := range vs {
		switch f {
		case fieldCountry:
			codes, group, err := p.countries(v)
			if err != nil {
				return nil, err
			}
			for _, c := range codes {
				shown := ""
				switch {
				case group != "":
				case c == feeds.Nowhere:
					shown = "an unknown country"
				default:
					shown = show(string(c))
				}
				add(string(c), shown)
				if group == "" {
					print(string(c))
				}
			}
			if group != "" {
				print(group)
				if s := show(group); !slices.Contains(n.shown, s) {
					n.shown = append(n.shown, s)
				}
			}
		case fieldLab:
			labs := []feeds.LabID{feeds.LabID(strings.ToLower(v.text))}
			if p.names.Lab != nil {
				var ok bool
				if labs, ok = p.names.Lab(v.text); !ok || len(labs) == 0 {
					return nil, p.suggest(p.unknown(v, "", "there is no lab %q in the registry", v.text), f, v.text, v.text)
				}
			}
			for _, l := range labs {
				add(string(l), show(string(l)))
				print(string(l))
			}
		case fieldLicense:
			id := v.text
			if p.names.License != nil {
				var ok bool
				if id, ok = p.names.License(v.text); !ok {
					return nil, p.suggest(p.unknown(v, "", "there is no license %q in the registry", v.text), f, v.text, v.text)
				}
			}
			add(id, show(id))
			print(id)
		case fieldKind:
			id, err := oneOf(p, f, v, kinds)
			if err != nil {
				return nil, err
			}
			add(id, id)
			print(id)
		case fieldHas:
			id, err := oneOf(p, f, v, haves)
			if err != nil {
				return nil, err
			}
			add(id, id)
			print(id)
		default: // source, category
			id := strings.ToLower(v.text)
			add(id, show(v.text))
			print(v.text)
		}
	}
	return n, p.count(start, len(n.want)-min(len(vs), len(n.want)))
}

// oneOf reads a member of a closed list, also in the plural.
func oneOf[T ~string](p *parser, f field, v value, list []T) (string, error) {
	typed := strings.ToLower(v.text)
	var names []string
	for _, k := range list {
		if typed == string(k) || typed == string(k)+"s" {
			return string(k), nil
		}
		names = append(names, string(k))
	}
	fault := p.unknown(v, "one of "+strings.Join(names, ", "), "%s: has no value %q", f, v.text)
	if g := nearest(typed, names); g != "" {
		fault.Hint, fault.Instead = fmt.Sprintf("did you mean %s:%s?", f, g), []string{g}
	}
	return "", fault
}

// countries returns what a value of country: stands for, and its name if it is a
// roll-up.
func (p *parser) countries(v value) (codes []feeds.Country, group string, err error) {
	switch strings.ToLower(v.text) {
	case "xx", "unknown":
		return []feeds.Country{feeds.Nowhere}, "", nil
	case "intl", "international":
		return []feeds.Country{feeds.International}, "", nil
	}
	if p.names.Group != nil {
		if codes, ok := p.names.Group(v.text); ok && len(codes) > 0 {
			return codes, strings.ToUpper(v.text), nil
		}
	}
	for part := range strings.SplitSeq(v.text, "+") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil, "", p.unknown(v, "for example country:CN+HK", "a country is missing in %q", v.text)
		}
		code := feeds.Country(strings.ToUpper(part))
		if p.names.Country != nil {
			var ok bool
			if code, ok = p.names.Country(part); !ok {
				return nil, "", p.suggest(p.unknown(v, "", "there is no country %q", part), fieldCountry, part, v.text)
			}
		}
		codes = append(codes, code)
	}
	return codes, "", nil
}
