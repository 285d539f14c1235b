package tag

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// maxAffiliation is how much of one printed affiliation is read, in bytes.
const maxAffiliation = 1_000

// Affiliation reads one affiliation as a paper prints it — department,
// institution, address, perhaps an e-mail address — and returns who and where that
// is: one attribution for each institution of the registry or the long tail that
// it names, or one without a lab where only the country is known. Nothing is
// returned where not even that is. Names of persons and the language of a name
// are no evidence (rule C2).
//
// Home is the country that the string prints: it says where the authors sat. Only
// where it prints none does the institution's own seat count. Control is the seat
// of the institution's ultimate parent on the day at.
func (t *Tagger) Affiliation(s string, at time.Time) []feeds.Attribution {
	if len(s) > maxAffiliation {
		s = s[:maxAffiliation]
	}
	s = strings.ToValidUTF8(s, " ")
	var out []feeds.Attribution
	for part := range strings.SplitSeq(s, ";") {
		for _, a := range t.affiliation(part, at) {
			if !slices.ContainsFunc(out, func(b feeds.Attribution) bool { return b.Lab == a.Lab && b.Home == a.Home }) {
				out = append(out, a)
			}
		}
	}
	return out
}

// A found organization, with the bytes of the string that name it.
type foundOrg struct {
	org        int32
	kind       nameKind
	start, end int
}

// A found place.
type foundPlace struct {
	place
	start, end int
	terminal   bool // nothing but places, digits and punctuation behind it
}

func (t *Tagger) affiliation(raw string, at time.Time) []feeds.Attribution {
	s := cleanAffiliation(raw)
	if s == "" {
		return nil
	}
	mails, s := cutMails(s)
	places := t.placesIn(s)
	printed, where := printedCountry(places, s)
	orgs := t.orgsIn(s, printed, places, at)
	if c := unglue(s); c != s { // "1School of …", "University2": unless the number is the name's ("4Paradigm")
		cp := t.placesIn(c)
		cc, cw := printedCountry(cp, c)
		if co := t.orgsIn(c, cc, cp, at); covered(co) > covered(orgs) || len(orgs) == 0 {
			s, orgs, places, printed, where = c, co, cp, cc, cw
		}
	}
	if n := len(places); printed != "" && n > 0 && places[n-1].kind == registry.StateAbb {
		// "Delft, NL" is no Newfoundland: an institution's seat decides between the
		// places that an abbreviation can mean.
		for _, f := range orgs {
			if home, _ := t.names.orgs[f.org].seat(at); home != printed && slices.Contains(places[n-1].also, home) {
				printed = home
				break
			}
		}
	}
	quote := clip(raw, maxQuote)
	evidence := []feeds.Evidence{{Field: "affiliation", Quote: quote, Rule: "C2"}}

	if len(orgs) > 0 {
		return t.attributeOrgs(s, orgs, places, printed, evidence, at)
	}
	country := printed
	if country == "" {
		for _, m := range mails {
			if c, ok := domainCountry(m); ok {
				country, where = c, m
				break
			}
		}
	}
	if country == "" {
		country, where = inferredCountry(places, s)
	}
	if country == "" {
		return nil
	}
	evidence = append(evidence, feeds.Evidence{Field: "affiliation", Quote: clip(where, maxQuote), Rule: "C2"})
	return []feeds.Attribution{{
		Name: institution(s), Role: feeds.RoleAuthor, Home: country, Control: country,
		Basis: feeds.Affiliation, Evidence: evidence,
	}}
}

// covered is how much of a string its organizations' names cover.
func covered(orgs []foundOrg) (n int) {
	for _, o := range orgs {
		n += o.end - o.start
	}
	return n
}

// attributeOrgs makes attributions of the organizations found, each in the
// country that is printed for it or else in its own.
func (t *Tagger) attributeOrgs(s string, orgs []foundOrg, places []foundPlace, printed feeds.Country, evidence []feeds.Evidence, at time.Time) []feeds.Attribution {
	var out []feeds.Attribution
	for _, f := range orgs {
		o := &t.names.orgs[f.org]
		home, control := o.seat(at)
		site := printed
		if site == "" {
			site = siteOf(places, orgs, home)
		}
		if site == "" && o.kind == feeds.Company {
			site = formOf(s)
		}
		switch {
		case site == "" || site == home:
		case site == "CN" && (home == "HK" || home == "MO" || home == "TW"):
			// Papers print "China" for the whole; the registry keeps the codes of
			// ISO 3166 apart.
		default:
			if o.lab == nil || o.kind == feeds.University {
				control = site
			}
			home = site
		}
		if home == feeds.Nowhere {
			continue
		}
		out = append(out, feeds.Attribution{
			Lab: o.id, Name: o.name, Kind: o.kind, Role: feeds.RoleAuthor, Home: home, Control: control,
			Basis: feeds.Affiliation, Evidence: evidence,
		})
	}
	return out
}

// siteOf returns the country of a city or state that stands at the end, outside of
// every organization's name, where it can only mean a country other than home.
func siteOf(places []foundPlace, orgs []foundOrg, home feeds.Country) feeds.Country {
	for i := len(places) - 1; i >= 0; i-- {
		p := places[i]
		if slices.ContainsFunc(orgs, func(o foundOrg) bool { return p.start < o.end && o.start < p.end }) {
			continue
		}
		if p.country == home || slices.Contains(p.also, home) {
			return ""
		}
		if p.kind == registry.City || p.kind == registry.State || p.kind == registry.Nation || p.kind == "" {
			return p.country // of several places of the name, the one it most likely means
		}
	}
	return ""
}

// orgsIn returns the organizations that s names, most specific only: where a lab
// and its parent are both there, the lab (rule C4).
func (t *Tagger) orgsIn(s string, printed feeds.Country, places []foundPlace, at time.Time) []foundOrg {
	var buf [16]match
	var out []foundOrg
	for _, m := range t.names.find.find(s, buf[:0]) {
		if f, ok := t.resolve(m, s, printed, places, at); ok {
			if !slices.ContainsFunc(out, func(o foundOrg) bool { return o.org == f.org }) {
				out = append(out, f)
			}
		}
	}
	if slices.ContainsFunc(out, func(f foundOrg) bool { return f.kind == nameSure }) {
		// Beside a sure name, one that may be a word or somebody else counts for
		// nothing unless it is a relative.
		sure := slices.DeleteFunc(slices.Clone(out), func(f foundOrg) bool { return f.kind != nameSure })
		out = slices.DeleteFunc(out, func(f foundOrg) bool {
			if f.kind == nameLong { // the name of an institute within: "Institute of Informatics, University of …"
				home, _ := t.names.orgs[f.org].seat(at)
				return !slices.ContainsFunc(sure, func(g foundOrg) bool {
					h, _ := t.names.orgs[g.org].seat(at)
					return h == home
				})
			}
			return (f.kind == nameAmbiguous || f.kind == nameAcronym) && !slices.ContainsFunc(sure, func(g foundOrg) bool {
				return t.within(f.org, g.org) || t.within(g.org, f.org)
			})
		})
	}
	if len(out) > 1 {
		all := out
		out = slices.DeleteFunc(slices.Clone(all), func(f foundOrg) bool {
			for _, g := range all {
				if g.org != f.org && t.within(g.org, f.org) {
					return true // g is a part of f
				}
			}
			return false
		})
	}
	return out
}

// within reports whether organization a belongs to b, directly or further up.
func (t *Tagger) within(a, b int32) bool {
	for range 8 {
		l := t.names.orgs[a].lab
		if l == nil || l.Parent == "" {
			return false
		}
		p, ok := t.names.byID[l.Parent]
		if !ok {
			return false
		}
		if p == b {
			return true
		}
		a = p
	}
	return false
}

// resolve decides which owner of a name an affiliation means. An affiliation is a
// place for names, so a lab's ambiguous names count here where they are written
// as names; an acronym of the long tail counts only if the printed country agrees
// with it.
func (t *Tagger) resolve(m match, s string, printed feeds.Country, places []foundPlace, at time.Time) (foundOrg, bool) {
	var best []foundOrg
	rank := func(k nameKind) int {
		switch k {
		case nameSure:
			return 0
		case nameAmbiguous:
			return 1
		case nameLong:
			return 2
		}
		return 3
	}
	at0 := 9
	alone := segmentIs(s, m)
	if hyphened(s, m) && !alone {
		return foundOrg{}, false
	}
	if headless(s, m) {
		return foundOrg{}, false
	}
	generic := isGeneric(s[m.start:m.end])
	whole := strings.Trim(s[:m.start]+s[m.end:], " .,") == ""
	t.names.owners(m.name, func(o owner) {
		if o.caps && s[m.start:m.end] != strings.ToUpper(s[m.start:m.end]) {
			return
		}
		if home, _ := t.names.orgs[o.org].seat(at); generic && printed != home && !(whole && o.kind == nameSure && len(t.names.more[m.name]) == 0) {
			return // "Western University" is one only where nothing else is said
		}
		switch o.kind {
		case nameModel:
			return
		case nameAmbiguous:
			if r, _ := utf8.DecodeRuneInString(s[m.start:]); unicode.IsLower(r) || !alone && (t.names.orgs[o.org].kind != feeds.Company || !leads(s, m)) {
				return
			}
		case nameAcronym:
			home, _ := t.names.orgs[o.org].seat(at)
			if printed != home {
				return
			}
			if r, _ := utf8.DecodeRuneInString(s[m.start:]); unicode.IsLower(r) {
				return
			}
		}
		f := foundOrg{o.org, o.kind, m.start, m.end}
		if k := rank(o.kind); k < at0 {
			at0, best = k, append(best[:0], f)
		} else if k == at0 {
			best = append(best, f)
		}
	})
	switch len(best) {
	case 0:
		return foundOrg{}, false
	case 1:
		return best[0], true
	}
	// Several organizations of one name: the printed country or a place decides.
	agree := func(c feeds.Country) []foundOrg {
		var out []foundOrg
		for _, f := range best {
			if home, _ := t.names.orgs[f.org].seat(at); home == c {
				out = append(out, f)
			}
		}
		return out
	}
	if printed != "" {
		if a := agree(printed); len(a) > 0 {
			return a[0], true
		}
	}
	for _, p := range places {
		if p.start < m.end && m.start < p.end {
			continue
		}
		if a := agree(p.country); len(a) > 0 {
			return a[0], true
		}
	}
	first, _ := t.names.orgs[best[0].org].seat(at)
	for _, f := range best[1:] {
		if home, _ := t.names.orgs[f.org].seat(at); home != first {
			return foundOrg{}, false
		}
	}
	return best[0], true
}

// Words that a company's or lab's name may carry without becoming another name.
var corporate = map[string]bool{
	"inc": true, "ltd": true, "llc": true, "corp": true, "corporation": true, "co": true, "company": true, "group": true, "limited": true, "ai": true, "research": true,
	"labs": true, "lab": true, "technologies": true, "technology": true, "team": true, "gmbh": true, "the": true, "sa": true, "ag": true, "plc": true, "com": true,
	"institute": true, "holdings": true, "global": true, "systems": true, "semiconductor": true, "cloud": true, "science": true, "applied": true, "studio": true, "usa": true, "us": true,
}

// segmentIs reports whether a name stands for itself between two commas, but for
// words that names of companies carry.
func segmentIs(s string, m match) bool {
	from, to := segment(s, m)
	for _, part := range []string{s[from:m.start], s[m.end:to]} {
		for _, w := range foldWords(part, true) {
			if !corporate[w] && !isDigit(w[0]) {
				return false
			}
		}
	}
	return true
}

// segment returns the bounds of what a name stands in between two commas, brackets
// or the like.
func segment(s string, m match) (from, to int) {
	from, to = strings.LastIndexAny(s[:m.start], ",(&/-@")+1, len(s)
	if i := strings.IndexAny(s[m.end:], ",)&/-@("); i >= 0 {
		to = m.end + i
	}
	return from, to
}

// leads reports whether a name begins its segment and is followed by a few words in
// capitals, as the teams of a company are named: "Amazon Prime Video".
func leads(s string, m match) bool {
	from, to := segment(s, m)
	if strings.TrimSpace(s[from:m.start]) != "" {
		return false
	}
	fields := strings.Fields(s[m.end:to])
	for _, w := range fields {
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsLower(r) || genericWords[strings.ToLower(w)] {
			return false
		}
	}
	return len(fields) > 0 && len(fields) <= 3
}

// hyphened reports whether a short name in capitals is one half of a compound:
// "SDU-NTU", "C-FAIR".
func hyphened(s string, m match) bool {
	if w := s[m.start:m.end]; len(w) > 5 || w != strings.ToUpper(w) {
		return false
	}
	return m.start > 0 && s[m.start-1] == '-' || m.end < len(s) && s[m.end] == '-'
}

// Words of which a name can consist without naming anybody in particular.
var genericWords = map[string]bool{
	"university": true, "of": true, "science": true, "and": true, "technology": true, "institute": true, "for": true, "school": true, "college": true,
	"academy": true, "national": true, "research": true, "medical": true, "engineering": true, "sciences": true, "artificial": true, "intelligence": true,
	"arts": true, "applied": true, "polytechnic": true, "the": true, "center": true, "centre": true, "laboratory": true, "agriculture": true, "central": true, "state": true,
	"international": true, "technical": true, "information": true, "business": true, "computing": true, "computer": true, "studies": true, "health": true, "medicine": true,
	"faculty": true, "department": true, "hospital": true, "general": true, "federal": true, "institution": true, "education": true, "social": true, "natural": true, "physics": true,
	"mathematics": true, "management": true, "law": true, "design": true, "ministry": true, "graduate": true, "foundation": true, "system": true, "ai": true,
	"universite": true, "universidad": true, "systems": true, "industry": true, "commerce": true, "finance": true, "eastern": true, "western": true,
	"northern": true, "southern": true, "software": true, "data": true, "council": true, "office": true, "communication": true, "communications": true, "electronic": true, "electronics": true,
}

// isGeneric reports whether a name has nothing but such words.
func isGeneric(name string) bool {
	if !strings.Contains(name, " ") {
		return false
	}
	for _, w := range foldWords(name, false) {
		if !genericWords[w] {
			return false
		}
	}
	return true
}

// headless reports whether a name is the tail of a longer one: "Institute for
// Advanced Study" in "Westlake Institute for Advanced Study".
func headless(s string, m match) bool {
	first, _, _ := strings.Cut(s[m.start:m.end], " ")
	switch strings.ToLower(first) {
	case "university", "institute", "college", "school", "academy", "center", "centre", "laboratory":
	default:
		return false
	}
	before := strings.TrimRight(s[:m.start], " ")
	if before == "" || len(before) == m.start {
		return false
	}
	word := before[strings.LastIndexAny(before, " ,;(")+1:]
	r, _ := utf8.DecodeRuneInString(word)
	last := word[max(0, len(word)-1):]
	return unicode.IsUpper(r) && !genericWords[strings.ToLower(word)] && !strings.ContainsAny(last, ".,:;)-")
}

// formOf reads a country off a company's legal form.
func formOf(s string) feeds.Country {
	w := wordsOf(s)
	for _, f := range legalForms {
		if w.has(f.phrase) {
			return f.country
		}
	}
	return ""
}

// placesIn finds the places in s, in order.
func (t *Tagger) placesIn(s string) []foundPlace {
	var buf [16]match
	var out []foundPlace
	for _, m := range t.places.find.find(s, buf[:0]) {
		p := t.places.all[m.name]
		word := s[m.start:m.end]
		if len(word) <= 3 && word != strings.ToUpper(word) {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(word); unicode.IsLower(r) {
			continue
		}
		out = append(out, foundPlace{place: p, start: m.start, end: m.end})
	}
	end := len(s)
	for i := len(out) - 1; i >= 0; i-- {
		if !onlyFiller(s[out[i].end:end]) {
			break
		}
		out[i].terminal = true
		end = out[i].start
	}
	// Two capitals at the very end: a country's code, unless they are a state's.
	if code, start := lastCode(s); code != "" && (len(out) == 0 || out[len(out)-1].end <= start) {
		if c, ok := registry.ParseCountry(code); ok && c != feeds.Nowhere {
			out = append(out, foundPlace{place: place{country: c}, start: start, end: start + 2, terminal: true})
		}
	}
	return out
}

// lastCode returns a word of two capitals at the end of s behind a comma.
func lastCode(s string) (string, int) {
	s = strings.TrimRight(s, " .,)")
	i := strings.LastIndexAny(s, ", ")
	if i < 0 || len(s)-i-1 != 2 {
		return "", 0
	}
	w := s[i+1:]
	if w != strings.ToUpper(w) || !isASCII(w) || ascii[w[0]] == 0 || isDigit(w[0]) || isDigit(w[1]) {
		return "", 0
	}
	if !strings.HasSuffix(strings.TrimRight(s[:i+1], " "), ",") {
		return "", 0
	}
	return w, i + 1
}

// Words that stand between places without being places.
var fillers = map[string]bool{
	"sar": true, "province": true, "city": true, "district": true, "state": true, "roc": true, "r": true, "o": true, "c": true, "the": true, "region": true, "cedex": true,
	"of": true, "republic": true, "p": true, "and": true, "county": true, "municipality": true, "country": true, "peoples": true, "s": true,
}

// onlyFiller reports whether s has only punctuation, numbers, postal codes and
// words of addresses.
func onlyFiller(s string) bool {
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if strings.ContainsFunc(w, unicode.IsDigit) || fillers[strings.ToLower(w)] {
			continue
		}
		if utf8.RuneCountInString(w) <= 3 && w == strings.ToUpper(w) && isASCII(w) {
			continue // a half of a postal code: "EH8 9AB", "CB2"
		}
		return false
	}
	return true
}

// printedCountry returns the country that an address ends in, and the words that
// say so. "Hong Kong, China" is HK.
func printedCountry(places []foundPlace, s string) (feeds.Country, string) {
	if len(places) == 0 {
		return "", ""
	}
	last := places[len(places)-1]
	if !last.terminal {
		return "", ""
	}
	var before *foundPlace
	if len(places) > 1 && places[len(places)-2].terminal {
		before = &places[len(places)-2]
	}
	words := s[last.start:last.end]
	switch last.kind {
	case "":
		c := last.country
		if c == "CN" {
			for _, p := range places {
				if p.terminal && (p.country == "HK" || p.country == "MO" || p.country == "TW") {
					return p.country, s[p.start:p.end]
				}
			}
		}
		// A country's code that is also a state's: the city before it decides.
		if len(words) == 2 {
			if st, ok := registry.PlaceNamed(words); ok && st.Kind == registry.StateAbb && st.Country != c {
				if before != nil && before.country == c {
					return c, words
				}
				return st.Country, words
			}
		}
		// A country that is also a state ("Georgia") behind a city of that state.
		if before != nil && before.kind == registry.City && before.country != c && len(before.also) == 0 {
			if st, ok := registry.PlaceNamed(words); ok && (st.Country == before.country || slices.Contains(st.Also, before.country)) {
				return before.country, words
			}
		}
		return c, words
	case registry.StateAbb:
		if before != nil && before.country != last.country && len(before.also) == 0 && before.kind == registry.City {
			if c, ok := registry.ParseCountry(words); ok && c == before.country {
				return c, words // "Aachen, DE"
			}
			return "", ""
		}
		if before == nil && s[last.end:] == "" && !strings.Contains(s[:last.start], ",") {
			return "", ""
		}
		return last.country, words
	}
	return "", ""
}

// inferredCountry returns what the rest of an address says where it prints no
// country: a country or an unambiguous place within a name, the national form of
// an institution's name.
func inferredCountry(places []foundPlace, s string) (feeds.Country, string) {
	for i := len(places) - 1; i >= 0; i-- {
		if p := places[i]; p.kind == "" && len(p.also) == 0 {
			if w := s[p.start:p.end]; len(w) > 2 && !stateToo(w) {
				return p.country, w
			}
		}
	}
	for i := len(places) - 1; i >= 0; i-- {
		p := places[i]
		if p.kind == registry.StateAbb && !p.terminal || len(p.also) > 0 {
			continue
		}
		if w := s[p.start:p.end]; p.kind != "" {
			return p.country, w
		}
	}
	w := wordsOf(s)
	fields := strings.Fields(string(w))
	for i, x := range fields {
		c, ok := demonyms[x]
		if !ok {
			continue
		}
		for _, y := range fields[i+1 : min(i+4, len(fields))] {
			if slices.Contains(institutionWords, y) {
				return c, x + " " + y
			}
		}
	}
	for _, f := range append(nationalForms, legalForms...) {
		if w.has(f.phrase) {
			return f.country, f.phrase
		}
	}
	return "", ""
}

// stateToo reports whether a country's name is a state's too: Georgia.
func stateToo(w string) bool {
	p, ok := registry.PlaceNamed(w)
	return ok && p.Kind == registry.State
}

// institution returns the part of an affiliation that most likely names the
// institution, for people to read.
func institution(s string) string {
	best := ""
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if best == "" {
			best = part
		}
		if wordsOf(part).has("university", "institute", "universite", "universitat", "universidad", "universita", "college", "academy", "laboratory", "inc", "ltd", "company", "hospital") {
			return clip(part, 120)
		}
	}
	return clip(best, 120)
}

// cutMails takes the e-mail addresses out of an affiliation and returns their
// domains. A list in braces ("{a, b}@x.edu") has one domain.
func cutMails(s string) (domains []string, rest string) {
	if !strings.Contains(s, "@") {
		return nil, s
	}
	var kept []string
	for f := range strings.FieldsSeq(s) {
		_, host, found := strings.Cut(f, "@")
		host = strings.Trim(host, ".,;:)>]}\"'")
		if !found || !strings.Contains(host, ".") {
			kept = append(kept, f)
			continue
		}
		domains = append(domains, strings.ToLower(host))
	}
	return domains, strings.TrimRight(strings.Join(kept, " "), " ,;{}()")
}

// cleanAffiliation undoes what typesetting does to names: accents set as
// characters of their own ("S ˜ao Carlos"), footnote marks, doubled spaces.
func cleanAffiliation(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch r {
		case '´', '˜', '¨', 'ˆ', '¸', 'ˇ', '˘', '˙', '˚', '¯':
			if t := strings.TrimSuffix(b.String(), " "); len(t) < b.Len() && t != "" && unicode.IsLetter(lastRune(t)) {
				b.Reset()
				b.WriteString(t)
			}
			continue
		case '*', '†', '‡', '§', '¶', '♢', '♣', '♠', '♡', '∗', '⋆', '⋄', '^', '$', '#', '_', '{', '}', '|':
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(r)
	}
	return abbreviations.Replace(strings.Join(strings.Fields(b.String()), " "))
}

// abbreviations are written out before names are looked for.
var abbreviations = strings.NewReplacer("Univ. ", "University ", "Univ.,", "University,", "U. of ", "University of ", "Inst. ", "Institute ", "Lab. ", "Laboratory ", "Natl. ", "National ", "Dept. ", "Department ",
	"Key Lab ", "Key Laboratory ", "Univ ", "University ", "Tech. ", "Technology ")

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// unglue parts footnote numbers from the words they stick to: "1School",
// "University2", "Ltd.3".
func unglue(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		if unicode.IsDigit(r) {
			glued := i > 0 && (unicode.IsLetter(runes[i-1]) || runes[i-1] == '.') || i+1 < len(runes) && unicode.IsLetter(runes[i+1]) || i == 0
			if glued {
				b.WriteByte(' ')
				continue
			}
		}
		b.WriteRune(r)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
