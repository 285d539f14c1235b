package arxiv

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"seedcorn/feeds"
)

// ErrNoHTML means that arXiv has no HTML version of a paper, and never will have
// of this version: about a quarter of all papers are PDF only or do not convert.
// Source: https://info.arxiv.org/about/accessible_HTML.html
var ErrNoHTML = errors.New("arXiv has no HTML version")

// Bounds of what is kept of a front matter.
const (
	maxAffiliation  = 300 // runes
	maxAffiliations = 200
	maxEmails       = 200
	maxPage         = 16 << 20 // bytes; formulas make pages of papers large
)

// A Front is a paper's front matter: who wrote it, and where.
type Front struct {
	URL     string // where it was read
	Authors []Author
	// Affiliations are all affiliations as printed, each once, in the authors' order.
	Affiliations []string
	// Emails are addresses as printed, host in lower case; a bare domain where the
	// paper prints "{…}@" in a way that names nobody.
	Emails    []string
	Artifacts []feeds.Artifact // links to code, weights and data that the paper calls its own
	Keys      []feeds.Key      // claims that go with them
}

// Affiliations looks a paper's front matter up on arXiv's HTML page at
// base/html/id, behind arXiv's gate. The error is [ErrNoHTML] where there is no
// such page, and holds a *[feeds.Trouble] where it could not be fetched. A page
// that prints no affiliation is not an error: the Front has none.
func Affiliations(ctx context.Context, get feeds.Getter, gate feeds.Gate, base, id string) (Front, error) {
	id, version, ok := feeds.ArXivID(id)
	if !ok {
		return Front{}, errors.New("reading a paper's front matter: not an arXiv id")
	}
	page := strings.TrimRight(base, "/") + "/html/" + id
	if version > 0 {
		page += fmt.Sprintf("v%d", version)
	}
	resp, err := getBehind(ctx, get, gate, feeds.Request{URL: page, Accept: "text/html", MaxBytes: maxPage})
	if feeds.TroubleOf(err) == feeds.TroubleGone {
		return Front{}, fmt.Errorf("reading the front matter of %s: %w", id, ErrNoHTML)
	}
	if err != nil {
		return Front{}, fmt.Errorf("reading the front matter of %s: %w", id, err)
	}
	front, ok := ParseFront(resp.Body)
	if !ok {
		return Front{}, fmt.Errorf("reading the front matter of %s: %w", id, ErrNoHTML)
	}
	front.URL = resp.URL
	if front.URL == "" {
		front.URL = page
	}
	return front, nil
}

// ParseFront reads the front matter of a page that LaTeXML made. ok is false if
// the page is not one. It never fails on a bad page: it finds less.
//
// LaTeXML keeps what authors' classes and packages made of the author block, so
// there is no one layout. What is understood:
//
//	contacts   a name, then spans of role affiliation, address or institution (ACM, REVTeX, IEEE)
//	marks      names with superscripts, and the same superscripts before affiliations,
//	           below the names or in notes (NeurIPS, ICML, LNCS, Elsevier)
//	lines      names on the first line, affiliation below, address of mail below that
//	sentences  "A. Author is with the University of X" in a footnote (IEEE journals)
//	teams      a collective as only author ("DeepSeek-AI", "Gemini Team, Google")
func ParseFront(page []byte) (Front, bool) {
	root, latexml := frontMatter(page)
	if !latexml {
		return Front{}, false
	}
	r := &reader{defs: make(map[string]string)}
	var abstract []*node
	root.each(func(n *node) bool {
		switch {
		case n.has("ltx_authors"):
			r.block(n)
			return false
		case n.has("ltx_abstract"):
			abstract = append(abstract, n)
		case n.has("ltx_note"):
			r.note(n, nil)
			return false
		}
		return true
	})
	f := r.front()
	for _, n := range abstract {
		f.links(proseOf(n))
	}
	return f, true
}

// reader gathers what an author block says.
type reader struct {
	authors []*person
	defs    map[string]string // superscript -> affiliation
	order   []string          // superscripts in order of definition
	loose   []string          // affiliations that no author could be found for
	emails  []string
	own     []string // lines of the author block that hold a link
}

type person struct {
	name   string
	labels []string
	where  []string
	emails []string
}

// block reads one author block.
func (r *reader) block(n *node) {
	creators := 0
	n.each(func(c *node) bool {
		if !c.has("ltx_creator") && !(c.has("ltx_personname") && creators == 0) {
			return true
		}
		creators++
		r.creator(c)
		return false
	})
	if creators == 0 {
		r.lines(flatten(n), nil)
	}
}

// creator reads what LaTeXML calls a creator: one author, or all of them.
func (r *reader) creator(c *node) {
	var names, rest []piece
	var contacts, notes []*node
	c.each(func(n *node) bool {
		switch {
		case n.has("ltx_contact"):
			contacts = append(contacts, n)
			return false
		case n.has("ltx_note"):
			notes = append(notes, n)
			return false
		case n.has("ltx_personname"):
			names = append(names, flatten(n)...)
			names = append(names, piece{kind: pieceBreak})
			n.each(func(m *node) bool {
				if m.has("ltx_note") {
					notes = append(notes, m)
					return false
				}
				return true
			})
			return false
		case n.has("ltx_author_before") || n.has("ltx_author_after"):
			return false
		case n.tag == "":
			rest = append(rest, piece{kind: pieceText, text: n.text})
		case n.tag == "br":
			rest = append(rest, piece{kind: pieceBreak})
		case n.tag == "sup":
			rest = append(rest, flatten(n)...)
			return false
		}
		return true
	})
	first, mails := len(r.authors), len(r.emails)
	r.lines(append(append(names, piece{kind: pieceBreak}), rest...), nil)
	added := r.authors[first:]
	for _, contact := range contacts {
		r.contact(contact, added)
	}
	for _, n := range notes {
		r.note(n, added)
	}
	if len(added) == 1 {
		added[0].emails = append(added[0].emails, r.emails[min(mails, len(r.emails)):]...)
	}
}

// contact reads a span that LaTeXML marked as an author's contact.
func (r *reader) contact(n *node, of []*person) {
	if n.has("ltx_role_orcid") || n.has("ltx_role_homepage") || n.has("ltx_role_url") {
		return
	}
	lines := split(flatten(n))
	if n.has("ltx_role_email") || n.has("ltx_role_thanks") || n.has("ltx_role_note") {
		for _, l := range lines {
			text := r.takeEmails(l.text())
			r.sentences(text, of)
		}
		return
	}
	for _, l := range lines {
		if _, ok := l.definitions(); ok {
			r.lines(flatten(n), of)
			return
		}
	}
	var texts []string
	for _, l := range lines {
		if text := tidy(r.takeEmails(l.text())); text != "" && !notice.MatchString(text) {
			texts = append(texts, text)
		}
	}
	for _, a := range join(texts) {
		r.attach(of, a)
	}
}

// note reads a footnote of the front matter. Of is whom it hangs on; nil for a
// note that stands alone.
func (r *reader) note(n *node, of []*person) {
	var mark string
	var content *node
	n.each(func(m *node) bool {
		switch {
		case m.has("ltx_note_mark") && mark == "":
			mark = rawText(m)
		case m.has("ltx_note_content") && content == nil:
			content = m
			return false
		}
		return true
	})
	if content == nil {
		content = n
	}
	content.each(func(m *node) bool {
		if m.has("ltx_note") && m != content { // LNCS hangs addresses of mail on the institute
			r.takeEmails(rawText(m))
			return false
		}
		return true
	})
	lines := split(flatten(content))
	place := n.has("ltx_role_institutetext") || n.has("ltx_role_affiliationtext") || n.has("ltx_role_addresstext") ||
		n.has("ltx_role_affiliation") || n.has("ltx_role_address") || n.has("ltx_role_institution")
	for _, l := range lines {
		if _, ok := l.definitions(); ok {
			r.lines(flatten(content), []*person{})
			return
		}
	}
	var texts []string
	for _, l := range lines {
		text := r.takeEmails(l.text())
		if r.sentences(text, of) {
			continue
		}
		if text = tidy(noRemark(text)); text != "" && !notice.MatchString(text) && (place || organization.MatchString(text)) {
			texts = append(texts, text)
		}
	}
	labels := labelsOf(mark)
	for _, a := range join(texts) {
		if len(labels) > 0 && r.define(labels[0], a) {
			continue
		}
		r.attach(of, a)
	}
}

// sentences reads "A. Author is with the University of X": the place goes to
// those of the authors that the sentence names, or to all where it names none.
func (r *reader) sentences(text string, of []*person) bool {
	found := employer.FindAllStringSubmatchIndex(text, 20)
	subject := 0
	for _, m := range found {
		var who []*person
		for _, p := range of {
			words := strings.Fields(p.name)
			if len(words) > 0 && strings.Contains(text[subject:m[0]], words[len(words)-1]) {
				who = append(who, p)
			}
		}
		if who == nil {
			who = of
		}
		r.attach(who, tidy(noRemark(text[m[2]:m[3]])))
		subject = m[1]
	}
	return len(found) > 0
}

// noRemark cuts off what follows an affiliation in a note.
func noRemark(s string) string {
	s, _, _ = strings.Cut(s, "Correspond")
	return strings.TrimRight(s, ". ")
}

func (r *reader) define(label, where string) bool {
	where = tidy(noRemark(where))
	if where == "" || notice.MatchString(where) || len(r.order) >= maxAffiliations {
		return false
	}
	if old, known := r.defs[label]; known {
		return old == where
	}
	r.defs[label] = clip(where, maxAffiliation)
	r.order = append(r.order, label)
	return true
}

// attach gives an affiliation to authors, or keeps it as the paper's.
func (r *reader) attach(of []*person, where string) {
	if len(of) == 0 {
		r.loose = appendNew(r.loose, where)
		return
	}
	for _, p := range of {
		p.where = appendNew(p.where, where)
	}
}

// lines reads an author block line by line: names, marks with affiliations,
// affiliations, addresses. Of says whose lines they are, where they hold no names
// of their own (a contact, a note); nil means that the first line names authors.
func (r *reader) lines(ps []piece, of []*person) {
	named := of != nil
	var pending []string // unmarked affiliation lines for who
	who := of
	open := ""     // the mark whose affiliation may go on in the next line
	fresh := false // the last line was of names
	flush := func() {
		for _, a := range join(pending) {
			r.attach(who, a)
		}
		pending = nil
	}
	for _, l := range split(ps) {
		if link := l.text(); linkForm.MatchString(link) {
			if len(r.own) < maxLinks {
				r.own = append(r.own, link)
			}
			continue
		}
		if defs, ok := l.definitions(); ok {
			flush()
			open = ""
			for _, d := range defs {
				if text := r.takeEmails(d.text); r.define(d.label, text) {
					open = d.label
				}
			}
			named = true
			continue
		}
		text := tidy(r.takeEmails(l.text()))
		if text == "" || notice.MatchString(text) {
			continue
		}
		isNames := !named || l.marked() && open == "" && !organization.MatchString(text) || open == "" && nameList(text)
		if isNames && of == nil {
			if !fresh {
				flush()
				who = nil
			}
			names := r.names(l)
			who = append(who, names...)
			named, fresh = true, len(names) > 0
			continue
		}
		fresh = false
		if open != "" {
			r.defs[open] = clip(r.defs[open]+", "+text, maxAffiliation)
			continue
		}
		if len(pending) < maxAffiliations {
			pending = append(pending, text)
		}
	}
	flush()
}

// names reads a line of authors, each with the superscripts behind it.
func (r *reader) names(l line) (added []*person) {
	text := tidy(r.takeEmails(l.text()))
	if collective.MatchString(text) && !l.marked() && (!strings.Contains(text, ",") || team.MatchString(text)) && len(text) < 120 {
		p := &person{name: text, where: []string{text}}
		r.authors = append(r.authors, p)
		return []*person{p}
	}
	var last *person
	for _, p := range l {
		if p.kind == pieceMark {
			if last != nil {
				last.labels = append(last.labels, labelsOf(p.text)...)
			}
			continue
		}
		for _, part := range splitNames(gaps.Replace(p.text)) {
			name := cleanName(part)
			if name == "" || len(r.authors) >= feeds.MaxAuthors {
				continue
			}
			if len(added) > 0 && (organization.MatchString(name) || collective.MatchString(name)) { // "A. Author, Acme AI"
				r.attach(added, tidy(part))
				continue
			}
			last = &person{name: name}
			r.authors = append(r.authors, last)
			added = append(added, last)
		}
	}
	return added
}

// front puts together what was read.
func (r *reader) front() Front {
	var f Front
	for _, p := range r.authors {
		a := Author{Name: p.name, Emails: p.emails}
		for _, label := range r.resolve(p.labels) {
			a.Affiliations = appendNew(a.Affiliations, r.defs[label])
		}
		for _, w := range p.where {
			a.Affiliations = appendNew(a.Affiliations, w)
		}
		for _, w := range a.Affiliations {
			f.Affiliations = appendNew(f.Affiliations, w)
		}
		f.Authors = append(f.Authors, a)
	}
	for _, label := range r.order {
		if !mute(label) {
			f.Affiliations = appendNew(f.Affiliations, r.defs[label])
		}
	}
	for _, w := range r.loose {
		f.Affiliations = appendNew(f.Affiliations, w)
	}
	f.Emails = r.emails
	for _, l := range r.own {
		// A link that is printed in the author block is the authors' own, unless the
		// line says otherwise.
		f.links("Code is available at " + l)
		f.links(l)
	}
	return f
}

// resolve turns an author's superscripts into those that are defined: "12" is 1
// and 2 where there is no twelfth affiliation, and "11" is how LNCS prints 1.
func (r *reader) resolve(labels []string) (out []string) {
	add := func(l string) {
		if _, ok := r.defs[l]; ok && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	for _, l := range labels {
		if _, ok := r.defs[l]; ok {
			add(l)
			continue
		}
		for _, c := range l {
			add(string(c))
		}
	}
	return out
}

// mute reports whether a mark is one of those that papers use for remarks.
func mute(label string) bool {
	c, _ := utf8.DecodeRuneInString(label)
	return !unicode.IsLetter(c) && !unicode.IsDigit(c)
}

func (f *Front) links(text string) {
	for _, l := range Links(text) {
		if l.Key.Scheme != "" && !slices.Contains(f.Keys, l.Key) {
			f.Keys = append(f.Keys, l.Key)
		}
		if l.Artifact != "" && len(f.Artifacts) < maxLinks &&
			!slices.ContainsFunc(f.Artifacts, func(a feeds.Artifact) bool { return a.URL == l.URL }) {
			f.Artifacts = append(f.Artifacts, feeds.Artifact{Kind: l.Artifact, URL: l.URL})
		}
	}
}

// Pieces of a line.
const (
	pieceText  = 't'
	pieceMark  = 's' // a superscript
	pieceBreak = 'b'
)

type piece struct {
	kind byte
	text string
}

type line []piece

func (l line) text() string {
	var b strings.Builder
	for _, p := range l {
		if p.kind == pieceText {
			b.WriteString(p.text)
		} else {
			b.WriteByte(' ')
		}
	}
	return fold(b.String())
}

// marked reports whether a superscript follows some text, as behind a name.
func (l line) marked() bool {
	text := false
	for _, p := range l {
		switch {
		case p.kind == pieceMark && text:
			return true
		case p.kind == pieceText && strings.TrimSpace(p.text) != "":
			text = true
		}
	}
	return false
}

type definition struct{ label, text string }

// definitions reads "¹ University of X ² Acme" into its parts. ok is false for a
// line that does not begin with a mark.
func (l line) definitions() (defs []definition, ok bool) {
	began := false
	for _, p := range l {
		if p.kind == pieceMark {
			if labels := labelsOf(p.text); len(labels) > 0 {
				began = true
				defs = append(defs, definition{label: labels[0]})
			}
			continue
		}
		if strings.TrimSpace(p.text) == "" {
			continue
		}
		if !began {
			break
		}
		defs[len(defs)-1].text += p.text
	}
	if !began {
		return printed(l.text())
	}
	kept := defs[:0]
	for _, d := range defs {
		if d.text = fold(d.text); d.text != "" {
			kept = append(kept, d)
		}
	}
	return kept, len(kept) > 0
}

// printed reads marks that are plain digits: "1 University of X, 2 Acme Inc.",
// "(1) University of X". They count up from wherever they begin.
func printed(text string) (defs []definition, ok bool) {
	m := digitMark.FindAllStringSubmatchIndex(text, maxAffiliations)
	if len(m) == 0 || m[0][0] != 0 {
		return nil, false
	}
	next := 0
	for _, at := range m {
		n := 0
		for _, c := range text[at[2]:at[3]] {
			n = n*10 + int(c-'0')
		}
		if len(defs) > 0 && n != next {
			continue
		}
		if len(defs) > 0 {
			d := &defs[len(defs)-1]
			d.text = d.text[:len(d.text)-(len(text)-at[0])]
		}
		defs = append(defs, definition{label: text[at[2]:at[3]], text: text[at[3]:]})
		next = n + 1
	}
	for i := range defs {
		defs[i].text = strings.TrimLeft(defs[i].text, ") .:")
	}
	return defs, true
}

var (
	digitMark = regexp.MustCompile(`(?:^|[\s,;])\(?(\d{1,2})(?:\)\s*|\s*)\p{Lu}`)
	// What tells an organization from a person. "AI" must be in capitals: Ai is a surname.
	organization = regexp.MustCompile(`(?i:universi|institut|college|\bschool\b|dep(artmen)?t\b|laborator|\blabs?\b|research|academ|hospital|\bcent(er|re)\b|\b(inc|ltd|llc|gmbh|corp|plc)\b|company|corporation|technolog|polytech|politec|foundation|\bgroup\b|facult|école|ecole)|\bAI\b|大学|大學|研究|公司|学院|대학`)
	collective   = regexp.MustCompile(`(?i:\b(team|consortium|collaboration|group|inc\.?|labs?|research|foundation)$|\bteam\b)|[- ]AI$|^[A-Z][A-Za-z]*AI$`)
	team         = regexp.MustCompile(`(?i)\bteam\b`)
	// Remarks that are no affiliation.
	notice   = regexp.MustCompile(`(?i)equal(ly)? (contribut|advis|supervis)|contributed equally|correspond|\bthese authors\b|work (was )?(done|performed|conducted)|internship|\bintern\b|project (lead|page|website)|lead author|authors? (are )?listed|alphabetical|permission to|copyright|preprint|under review|manuscript|^(code|data|models?|website|homepage|github|huggingface)\b|supported by|funded|grant\b|^e-?mails?:?$|^(and|affiliation:?|abstract)$|footnotemark|footnotetext|^[\d\s,.*]+$`)
	employer = regexp.MustCompile(`(?i)\b(?:is|are|was|were)\s+(?:also\s+|currently\s+|now\s+|both\s+)*with\s+(?:the\s+)?(.+?)(?:\s*[(\[]?\be-?mails?\b|\.\s+[A-Z]|\.?\s*$|;)`)
	ordinal  = regexp.MustCompile(`^\d{1,3}\s*(st|nd|rd|th)\b\s*`)
	rank     = regexp.MustCompile(`(?i)^(ieee|acm|(graduate |student |senior |life |associate )*(student )?(member|fellow)|ph\.?\s?d\.?|m\.?d\.?|et al\.?|authors?)$`)
	address  = regexp.MustCompile(`[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}\b`)
	grouped  = regexp.MustCompile(`[{\[(]([^{}\[\]()@]{1,400})[}\])]\s*@\s*((?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})\b`)
	bareHost = regexp.MustCompile(`(?:^|\s)@((?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})\b`)
	texMark  = regexp.MustCompile(`\^\{?((?:[^{}]|\{[^{}]*\})*)\}?`)
	gaps     = strings.NewReplacer("\u2003", ",", "\u00a0\u00a0", ",", "\u2001", ",", " & ", ",", "·", ",", "•", ",", "|", ",")
)

// labelsOf reads the marks in a superscript: "1,2,∗" -> 1, 2, ∗. Words are no marks.
func labelsOf(s string) (out []string) {
	number, letters := "", ""
	flush := func() {
		if len(number) > 2 { // LNCS: "1122"
			for _, c := range number {
				out = append(out, string(c))
			}
		} else if number != "" {
			out = append(out, number)
		}
		if utf8.RuneCountInString(letters) == 1 {
			out = append(out, letters)
		}
		number, letters = "", ""
	}
	for _, c := range clip(s, 60) {
		switch {
		case c >= '0' && c <= '9':
			if letters != "" {
				flush()
			}
			number += string(c)
		case unicode.IsLetter(c):
			if number != "" {
				flush()
			}
			letters += string(unicode.ToLower(c))
		case unicode.IsSpace(c) || strings.ContainsRune(",;.(){}[]\\-–", c):
			flush()
		default:
			flush()
			out = append(out, string(c))
		}
	}
	flush()
	return out
}

// flatten turns a subtree into text, superscripts and line breaks. Notes leave
// their mark, labels that LaTeXML adds ("Affiliation:") leave nothing.
func flatten(root *node) (out []piece) {
	brk := func() { out = append(out, piece{kind: pieceBreak}) }
	var walk func(n *node, top bool)
	walk = func(n *node, top bool) {
		switch {
		case n.tag == "":
			out = append(out, piece{kind: pieceText, text: n.text})
			return
		case n.tag == "br":
			brk()
			return
		case n.tag == "math":
			if m := texMark.FindStringSubmatch(n.text); m != nil {
				out = append(out, piece{kind: pieceMark, text: texSymbols.Replace(m[1])})
			} else if !strings.ContainsAny(n.text, `\{}^_`) {
				out = append(out, piece{kind: pieceText, text: n.text})
			}
			return
		case n.has("ltx_note_mark"), n.has("ltx_contact_name"), n.has("ltx_note_type"), n.has("ltx_tag"),
			n.has("ltx_orcid"), n.has("ltx_ERROR"), n.has("ltx_contact") && !top:
			return
		case n.tag == "sup":
			text := rawText(n)
			switch fold(strings.ToLower(text)) {
			case "st", "nd", "rd", "th", "tm", "®", "™":
				out = append(out, piece{kind: pieceText, text: text})
			default:
				out = append(out, piece{kind: pieceMark, text: text})
			}
			return
		case n.has("ltx_note") && !top:
			n.each(func(m *node) bool {
				if m.has("ltx_note_mark") {
					out = append(out, piece{kind: pieceMark, text: rawText(m)})
				}
				return !m.has("ltx_note_mark") && !m.has("ltx_note_outer")
			})
			return
		case n.tag == "a" && strings.HasPrefix(n.href, "mailto:"):
			out = append(out, piece{kind: pieceText, text: " " + strings.TrimPrefix(n.href, "mailto:") + " "})
			return
		case n.tag == "a" && strings.HasPrefix(n.href, "http") && strings.Contains(n.href, "orcid.org"):
			return
		case n.tag == "a" && strings.HasPrefix(n.href, "http"):
			out = append(out, piece{kind: pieceText, text: rawText(n)})
			if !strings.Contains(rawText(n), "://") {
				out = append(out, piece{kind: pieceText, text: " " + n.href + " "})
			}
			return
		}
		block := n.tag == "p" || n.tag == "div" || n.tag == "li" || n.tag == "tr" || n.tag == "td" ||
			n.has("ltx_tr") || n.has("ltx_td") || n.has("ltx_p") || n.has("ltx_block")
		if block {
			brk()
		}
		for _, k := range n.kids {
			walk(k, false)
		}
		if n.hasPart("ltx_affiliation_") { // acmart: institution, city, country
			out = append(out, piece{kind: pieceText, text: ", "})
		}
		if block {
			brk()
		}
	}
	walk(root, true)
	return out
}

var texSymbols = strings.NewReplacer(`\dagger`, "†", `\ddagger`, "‡", `\ast`, "*", `\star`, "*", `\diamond`, "◇", `\heartsuit`, "♡",
	`\clubsuit`, "♣", `\spadesuit`, "♠", `\S`, "§", `\P`, "¶", `\textbf`, "", `\mathrm`, "", `\text`, "", `\rm`, "", "{", "", "}", "", "∗", "*")

// split cuts pieces into lines, leaving out empty ones.
func split(ps []piece) (out []line) {
	var cur line
	flush := func() {
		if slices.ContainsFunc(cur, func(p piece) bool { return p.kind == pieceText && strings.TrimSpace(p.text) != "" }) {
			out = append(out, cur)
		}
		cur = nil
	}
	for _, p := range ps {
		switch {
		case p.kind == pieceBreak:
			flush()
		case p.kind == pieceText && len(cur) > 0 && cur[len(cur)-1].kind == pieceText:
			if len(cur[len(cur)-1].text) < maxTextRun {
				cur[len(cur)-1].text += p.text
			}
		default:
			if p.kind == pieceMark {
				p.text = strings.ReplaceAll(p.text, "∗", "*")
			}
			cur = append(cur, p)
		}
	}
	flush()
	return out
}

// rawText is all text below n.
func rawText(n *node) string {
	var b strings.Builder
	n.each(func(m *node) bool {
		if m.tag == "" {
			b.WriteString(m.text)
		}
		return b.Len() < maxTextRun
	})
	return b.String()
}

// proseOf is the text of a paragraph with its links written out.
func proseOf(n *node) string {
	var b strings.Builder
	for _, p := range flatten(n) {
		switch p.kind {
		case pieceText:
			b.WriteString(p.text)
		case pieceBreak:
			b.WriteString("\n")
		}
	}
	return fold(b.String())
}

// tidy trims what separates one affiliation from the next.
func tidy(s string) string {
	s = fold(s)
	for strings.Contains(s, ", ,") {
		s = strings.ReplaceAll(s, ", ,", ",")
	}
	s = strings.ReplaceAll(s, " ,", ",")
	s = strings.ReplaceAll(s, ",,", ",")
	return strings.Trim(s, " ,;:&*†‡§¶|-–\u2003\u00a0")
}

// join puts the lines of one affiliation together: department, university, city.
// A line that names another organization begins another affiliation.
func join(lines []string) (out []string) {
	for _, l := range lines {
		if n := len(out); n > 0 && !(major.MatchString(out[n-1]) && major.MatchString(l)) {
			out[n-1] = clip(strings.TrimRight(out[n-1], ".,")+", "+l, maxAffiliation)
			continue
		}
		out = append(out, clip(l, maxAffiliation))
	}
	return out
}

// major organizations, of which an affiliation has one.
var major = regexp.MustCompile(`(?i)universi|college|academ|polytech|politec|\binstitute of technology|\b(inc|ltd|llc|gmbh|corp)\b|corporation|大学|大學|公司|대학`)

// nameList reports whether a line without marks is a list of people.
func nameList(s string) bool {
	if organization.MatchString(s) {
		return false
	}
	parts := splitNames(gaps.Replace(s))
	if len(parts) < 3 {
		return false
	}
	for _, p := range parts {
		words := strings.Fields(p)
		if len(words) < 2 || len(words) > 4 {
			return false
		}
		for _, w := range words {
			if c, _ := utf8.DecodeRuneInString(w); !unicode.IsUpper(c) {
				return false
			}
		}
	}
	return true
}

// cleanName returns a name without what surrounds it, or "" for what is none.
func cleanName(s string) string {
	s, _, _ = strings.Cut(s, "(")
	s = ordinal.ReplaceAllString(fold(s), "")
	s = strings.TrimPrefix(s, "name=")
	s = strings.TrimFunc(s, func(c rune) bool { return !unicode.IsLetter(c) && c != '.' && c != '\'' })
	n := utf8.RuneCountInString(s)
	if n < 2 || n > 80 || len(strings.Fields(s)) > 8 || strings.Contains(s, "@") || rank.MatchString(s) || notice.MatchString(s) {
		return ""
	}
	if !strings.ContainsFunc(s, unicode.IsLetter) || strings.HasPrefix(s, "affiliation=") {
		return ""
	}
	return s
}

// takeEmails collects the addresses in s and returns what is left of it.
func (r *reader) takeEmails(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	keep := func(user, host string) {
		mail := strings.ToLower(host)
		if user != "" {
			mail = user + "@" + mail
		}
		if len(r.emails) < maxEmails && !slices.Contains(r.emails, mail) {
			r.emails = append(r.emails, mail)
		}
	}
	s = grouped.ReplaceAllStringFunc(s, func(g string) string {
		m := grouped.FindStringSubmatch(g)
		users := strings.FieldsFunc(m[1], func(c rune) bool { return c == ',' || c == ';' || c == '|' || unicode.IsSpace(c) })
		named := false
		for _, u := range users {
			if address.MatchString(u+"@"+m[2]) && address.FindString(u+"@"+m[2]) == u+"@"+m[2] {
				keep(u, m[2])
				named = true
			}
		}
		if !named {
			keep("", m[2])
		}
		return " "
	})
	s = address.ReplaceAllStringFunc(s, func(a string) string {
		user, host, _ := strings.Cut(a, "@")
		keep(user, host)
		return " "
	})
	s = bareHost.ReplaceAllStringFunc(s, func(a string) string {
		_, host, _ := strings.Cut(a, "@")
		keep("", host)
		return " "
	})
	return emailWord.ReplaceAllString(s, " ")
}

var emailWord = regexp.MustCompile(`(?i)[(\[{<]?\s*\be-?mails?( address(es)?)?\s*:?\s*[)\]}>]?`)
