package tag

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"seedcorn/feeds"
)

// Verbs by which a sentence says that its subject made or published something:
// "X releases", "X today announced". In lower case, as the word behind the name.
var releaseVerbs = map[string]bool{
	"releases": true, "released": true, "launches": true, "launched": true, "announces": true, "announced": true, "introduces": true, "introduced": true,
	"unveils": true, "unveiled": true, "presents": true, "presented": true, "debuts": true, "debuted": true, "develops": true, "developed": true, "trained": true,
	"built": true, "created": true, "publishes": true, "published": true, "open": false, "opensources": true, "opensourced": true, "drops": true, "rolls": true,
	"upgrades": true, "upgraded": true, "establishes": true, "enters": true, "readies": true, "ships": true, "shipped": true, "showcases": true,
	"showcasing": true, "releasing": true, "launching": true, "introducing": true, "announcing": true, "unveiling": true, "building": true, "teases": true, "updates": true,
}

// Words that may stand between the name and its verb.
var adverbs = map[string]bool{
	"today": true, "has": true, "have": true, "just": true, "proudly": true, "now": true, "recently": true, "also": true, "is": true, "are": true, "officially": true,
	"team": true, "research": true, "researchers": true, "engineers": true, "scientists": true, "inc": true, "corp": true, "labs": true, "lab": true, "on": true,
	"monday": true, "tuesday": true, "wednesday": true, "thursday": true, "friday": true, "publicly": true, "formally": true, "electronics": true, "newly": true, "company": true, "startup": true, "start": true, "up": true, "s": true, "ai": true,
}

// Phrases that end right before the name of those who did the work.
var peopleAt = []string{
	"we at", "researchers at", "researchers from", "scientists at", "scientists from", "engineers at", "team at", "team from", "authors at", "colleagues at", "here at", "lab at", "group at",
	"researchers in", "deployed at", "in production at", "collaboration between", "partnership between",
}

// Phrases that end right before the name of who made a thing: the work, unless
// the sentence goes on about what "we" did with it.
var madeBy = []string{
	"developed by", "released by", "created by", "trained by", "built by", "proposed by", "introduced by", "published by", "made by", "designed by", "launched by",
	"open sourced by", "post trained by", "fine tuned by", "pretrained by", "pre trained by", "developed in house by", "unveiled by", "announced by", "maintained by",
	"developed at", "trained at", "created at", "built at", "led by", "trained from scratch by", "developed in house by", "offered by", "owned by", "model by", "models by", "model from", "family by", "llm by", "llm from", "chatbot by", "suite by",
	"developed and released by", "developed and trained by", "created and trained by", "developed by the", "trained by the", "created by the", "built by the", "released by the",
	"post trained by the", "fine tuned by the", "family from", "effort by",
}

// Phrases that, before a name in its sentence, say that it belongs to somebody
// else: a comparison, an instance, a base, a tool.
var othersBefore = []string{
	"outperforms", "outperform", "outperforming", "outperformed", "surpasses", "surpass", "surpassing", "compared", "comparable", "compare", "comparison", "than", "like", "such as",
	"including", "versus", "vs", "rival", "rivals", "rivaling", "rivalling", "beats", "beat", "match", "matches", "matching", "unlike", "similar to", "competitive with", "competes with",
	"baselines", "baseline", "e g", "for example", "evaluate", "evaluated", "evaluating", "benchmark", "using", "used by", "via", "models from", "apis", "competitors", "competitor",
	"inspired by", "following", "similarly", "against", "instead of", "alternative to", "alternatives to", "datasets from", "data from", "dataset from",
}

// mentions returns who made the work, where the text says so in a sentence; a name
// that is merely there attributes nothing.
func (t *Tagger) mentions(it *feeds.Item, s *scan, at time.Time) []feeds.Attribution {
	var out []feeds.Attribution
	seen := func(o int32) bool {
		return slices.ContainsFunc(out, func(a feeds.Attribution) bool { return a.Lab == t.names.orgs[o].id })
	}
	parts := []struct {
		field, text string
		found       []match
	}{{"title", it.Title, s.title}, {"summary", it.Summary, s.summary}}
	if headline := slugOf(it.URL); headline != "" { // "/2026/05/some-lab-launches-a-model/"
		parts = append(parts, struct {
			field, text string
			found       []match
		}{"url", headline, t.names.find.find(headline, nil)})
	}
	for _, part := range parts {
		if part.field == "url" && len(out) > 0 {
			break
		}
		listed := -1 // end of the last name accepted, whose list may go on
		for _, m := range part.found {
			o, kind, ok := t.mentioned(m, part.text)
			if !ok {
				continue
			}
			titled := part.field == "title" && t.names.orgs[o].kind == feeds.Company && titled(part.text, m)
			states := titled || t.states(it.Title, part.text, m) || part.field == "title" && headline(part.text, m, kind) ||
				part.field == "summary" && t.names.orgs[o].kind != "" && introduced(part.text, m)
			if !states && listed >= 0 && isList(part.text[listed:m.start]) {
				states = true
			}
			if !states {
				listed = -1
				continue
			}
			if kind == nameAmbiguous && !innerCapital(part.text[m.start:m.end]) && !t.supported(o, it, s) &&
				!(titled && named(it.Summary, s.summary, m.name)) {
				continue
			}
			listed = m.end
			if seen(o) {
				continue
			}
			from, to := sentenceAround(part.text, m.start)
			out = append(out, t.attribution(o, feeds.RoleAuthor, feeds.Mention, at,
				feeds.Evidence{Field: part.field, Quote: clip(part.text[from:to], maxQuote), Rule: "C2", URL: it.URL}))
			if len(out) == 8 {
				return out
			}
		}
	}
	if len(out) == 0 {
		if o, quote, ok := t.ownModel(it, s); ok {
			out = append(out, t.attribution(o, feeds.RoleAuthor, feeds.Mention, at,
				feeds.Evidence{Field: "title", Quote: quote, Rule: "C2", URL: it.URL}))
		}
	}
	// A lab and its parent in one statement are one: the more specific stays.
	return slices.DeleteFunc(out, func(a feeds.Attribution) bool {
		return slices.ContainsFunc(out, func(b feeds.Attribution) bool {
			return a.Lab != b.Lab && t.within(t.names.byID[b.Lab], t.names.byID[a.Lab])
		})
	})
}

// slugOf returns the words of a page's last path element, where it is a headline:
// four words or more, joined by hyphens.
func slugOf(page string) string {
	if _, onHub := accountOf(page); onHub {
		return ""
	}
	p := strings.Trim(pathOf(unwrap(page)), "/")
	p = p[strings.LastIndexByte(p, '/')+1:]
	if len(p) > 300 || strings.Count(p, "-") < 3 {
		return ""
	}
	return strings.ReplaceAll(p, "-", " ")
}

// mentioned returns the lab that a name in prose can mean. Names of the long tail
// do not count in prose, and a name that several labs share means none.
func (t *Tagger) mentioned(m match, text string) (int32, nameKind, bool) {
	first := t.names.first[m.name]
	if more := t.names.more[m.name]; len(more) > 0 {
		labs := 0
		for _, o := range append([]owner{first}, more...) {
			if o.kind == nameSure || o.kind == nameAmbiguous {
				labs++
				first = o
			}
		}
		if labs != 1 {
			return 0, 0, false
		}
	}
	if first.kind != nameSure && first.kind != nameAmbiguous {
		return 0, 0, false
	}
	if first.caps {
		if w := text[m.start:m.end]; w != strings.ToUpper(w) {
			return 0, 0, false
		}
		if t.names.orgs[first.org].kind != feeds.Company {
			first.kind = nameAmbiguous // four letters of a university are a method's name more often
		}
	}
	// A name is written like one: some capital, or a script without capitals.
	word := text[m.start:m.end]
	if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsUpper(r) || r >= 0x2E80 }) && first.kind == nameAmbiguous {
		return 0, 0, false
	}
	// Part of an address or of a longer compound is not the name.
	if m.start > 0 && strings.ContainsRune("/@._", rune(text[m.start-1])) || m.end < len(text) && strings.ContainsRune("/@_", rune(text[m.end])) {
		return 0, 0, false
	}
	return first.org, first.kind, true
}

// states reports whether the text around a name states that its bearer made or
// released the work.
func (t *Tagger) states(title, text string, m match) bool {
	from, to := sentenceAround(text, m.start)
	before, after := text[from:m.start], text[m.end:to]
	if len(before) > 300 {
		before = before[len(before)-300:]
	}
	if len(after) > 200 {
		after = after[:200]
	}
	wb := wordsOf(before)
	if wb.has(othersBefore...) {
		return false
	}
	if ends(wb, peopleAt) {
		return true
	}
	if ends(wb, madeBy) || wb.ends("by") && wb.has("release of", "launch of", "announce", "introducing") {
		// "Starting from the model released by X, we …" is about what X made, not us.
		return !wordsOf(text[from:to]).has("we", "our") || wb.has("announce", "we introduce", "we present", "we release", "model developed by", "models trained from scratch by", "trained from scratch by")
	}
	if wb.ends("by") && defines(title, wb) {
		return true
	}
	if possessive(after[min(len(after), apostrophe(after)):], 0) {
		for _, v := range presenting {
			if wb.ends(v) {
				return true
			}
		}
		if wb.ends("is") && defines(title, wb) { // "Heron is X's third model"
			return true
		}
	}
	if made(after) {
		return true
	}
	// "X today announced …", with nothing but an opening before X.
	if r, _ := utf8.DecodeRuneInString(strings.TrimLeft(after, " ")); r == '\'' || r == '’' {
		return wb.count() <= 4 && (possessiveRelease(after) || wordsOf(after).has("has been launched", "has been released", "has been unveiled", "was released", "is now available", "officially launched", "officially released"))
	}
	if wb.count() > 12 {
		return false
	}
	if hasAnyPrefix(strings.TrimLeft(after, " "), eastAsianVerbs) {
		return true
	}
	if wb.count() <= 2 && wordsOf(after).has("has been launched", "has been released", "has been unveiled", "officially launched", "officially released") {
		return true
	}
	// "X, the largest operator of its kind, unveiled …"
	for _, b := range [][2]string{{",", ","}, {" (", ")"}, {" — ", " — "}, {" – ", " – "}} {
		if rest, ok := strings.CutPrefix(after, b[0]); ok {
			if i := strings.Index(rest, b[1]); i > 0 && i < 120 {
				after = rest[i+len(b[1]):]
			}
			break
		}
	}
	sc := scanner{text: after}
	for range 5 {
		tok, ok := sc.next()
		if !ok {
			return false
		}
		word := string(sc.buf[:sc.n])
		if strings.ContainsAny(after[:tok.start], ".:!?()\"") {
			return false
		}
		if releaseVerbs[word] {
			return true
		}
		if word == "open" {
			if _, ok := sc.next(); ok {
				w := string(sc.buf[:sc.n])
				return w == "sources" || w == "sourced" || w == "sourcing"
			}
			return false
		}
		if !adverbs[word] {
			return false
		}
	}
	return false
}

// presenting are verbs right before a possessive that announce its bearer's own:
// "we present X's new model".
var presenting = []string{
	"we describe", "we present", "we introduce", "we propose", "we report", "we share", "introducing", "to introduce", "announcing", "to announce", "unveiling", "to unveil",
	"to present", "presenting", "launching",
}

// made reports whether a name is followed by a participle that makes what comes
// behind it its bearer's: "X-developed", "X-trained".
func made(after string) bool {
	for _, p := range []string{"-developed", "-trained", "-built", "-made", "-led ", "-created", "‑developed", "‑trained", "‑built"} {
		if strings.HasPrefix(after, p) {
			return true
		}
	}
	return false
}

// Words for what an organization is, by which catalogs and press releases introduce
// the maker: "X, a French AI company."
var organizationWords = []string{
	"company", "companies", "startup", "start up", "start-up", "firm", "lab", "laboratory", "university", "institute", "institution", "organization", "organisation", "nonprofit", "non profit",
	"collective", "initiative", "conglomerate", "collaboration", "team", "builder", "maker", "developer", "provider", "corporation", "foundation", "center", "centre", "consortium",
	"venture", "platform", "research group", "agency", "community", "giant", "group", "arm", "subsidiary", "division", "unit", "college", "school", "academy", "council", "hospital",
}

// introduced reports whether a name begins a sentence that does nothing but say
// what its bearer is, as the last words of a catalog's entry or a press release do:
// "X, a chip maker." A sentence that goes on to do something is none.
func introduced(text string, m match) bool {
	from, to := sentenceAround(text, m.start)
	if from == 0 || strings.TrimSpace(text[to:]) != "" && from > 0 && !isBoilerplate(text[to:]) {
		return false
	}
	before, after := strings.TrimSpace(text[from:m.start]), strings.TrimRight(text[m.end:to], " .")
	if len(after) > 160 || before != "" && !strings.HasSuffix(before, " and") && !strings.EqualFold(before, "the") {
		return false
	}
	w := wordsOf(after)
	if w.has("has", "have", "had", "will", "said", "invested", "acquired", "announced", "was", "were", "which", "we", "our") {
		return false
	}
	appositive := strings.HasPrefix(after, ", ") && (w.begins("a") || w.begins("an") || w.begins("the"))
	copular := w.begins("is a") || w.begins("is an") || w.begins("is the")
	return (appositive || copular) && w.has(organizationWords...)
}

// isBoilerplate reports whether a text is no more than another sentence or two.
func isBoilerplate(rest string) bool { return len(rest) < 200 && !wordsOf(rest).has("we", "our") }

// defines reports whether a sentence begins by saying what the title's thing is:
// "Heron is the latest version of the detector by", under the title "Heron 2".
func defines(title string, before words) bool {
	subject, _, is := strings.Cut(string(before), " is ")
	if !is || strings.Count(subject, " ") > 4 || before.has("we", "our") {
		return false
	}
	tw := wordsOf(title)
	for w := range strings.FieldsSeq(subject) {
		if len(w) >= 3 && w != "the" && tw.has(w) || len(w) >= 5 && strings.Contains(string(tw), " "+w) {
			return true
		}
	}
	return false
}

// Words that describe a lab before its name: "developed by the Chinese AI start-up X".
var describing = map[string]bool{
	"the": true, "chinese": true, "american": true, "french": true, "german": true, "japanese": true, "korean": true, "israeli": true, "british": true, "canadian": true, "indian": true,
	"swiss": true, "european": true, "us": true, "ai": true, "start": true, "up": true, "startup": true, "company": true, "giant": true, "tech": true, "lab": true, "firm": true,
	"research": true, "technology": true, "internet": true, "search": true, "cloud": true, "based": true, "beijing": true, "shanghai": true, "paris": true, "san": true, "francisco": true,
}

// ends reports whether one of the phrases stands right before the end of w, but
// for words that describe what follows.
func ends(w words, phrases []string) bool {
	for range 6 {
		for _, p := range phrases {
			if w.ends(p) {
				return true
			}
		}
		i := strings.LastIndexByte(strings.TrimSuffix(string(w), " "), ' ')
		if i < 0 || !describing[strings.TrimSuffix(string(w[i+1:]), " ")] {
			return false
		}
		w = w[:i+1]
	}
	return false
}

// Chinese, Japanese and Korean ways to say that a name's bearer releases, right
// behind the name.
var eastAsianVerbs = []string{
	"研发", "自主研发", "自研", "打造", "は開発", "이 개발", "가 개발", "发布", "發布", "推出", "开源", "開源", "宣布", "正式发布", "今日发布", "今天发布", "上线", "が公開", "は公開", "が発表", "は発表", "を公開したのは", "が開発", "가 공개", "이 공개", "가 출시", "는 공개", "가 발표", "이 발표",
}

func hasAnyPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// apostrophe returns the length of an apostrophe at the beginning of s, or
// len(s)+1 if there is none.
func apostrophe(s string) int {
	if kind, size := classAt(s, 0); kind == runeJoin {
		return size
	}
	return len(s) + 1
}

// titled reports whether a title says where the work was done: "… at X", "… at X:
// lessons", for a company.
func titled(title string, m match) bool {
	rest := strings.TrimSpace(title[m.end:])
	if rest != "" && rest[0] != ':' {
		return false
	}
	before := wordsOf(title[:m.start])
	return strings.HasSuffix(string(before), " at ") || rest == "" && strings.HasSuffix(string(before), " models from ")
}

// Words in a title "Introducing X …" that make it about a product's place among
// others' rather than about X's own.
var placing = []string{"support", "integration", "in", "on", "with", "via", "plugin", "connector", "provider", "vs", "versus", "for", "using", "users", "models on"}

// headline reports whether a title credits a name as titles do: "Introducing X's
// …", "Introducing X Heron 2", "Heron 2 (X)", "Heron 2 by X".
func headline(title string, m match, kind nameKind) bool {
	before, after := title[:m.start], title[m.end:]
	if kind == nameAmbiguous && !innerCapital(title[m.start:m.end]) {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(before)) {
	case "introducing", "announcing", "meet", "unveiling", "launching":
		return strings.HasPrefix(after, " ") && !wordsOf(after).has(placing...)
	}
	rest := strings.TrimSpace(after)
	if rest == ")" && strings.HasSuffix(before, "(") || rest == "]" && strings.HasSuffix(before, "[") {
		return !strings.HasSuffix(strings.ToLower(before), "via (")
	}
	return rest == "" && strings.HasSuffix(before, " by ") && !wordsOf(before).has("used", "inspired", "powered", "adopted", "acquired", "sued", "backed", "supported")
}

// possessiveRelease reports whether what follows a name's possessive announces:
// "X's new model", "X's latest".
func possessiveRelease(after string) bool {
	w := wordsOf(clip(after, 60))
	for _, p := range []string{"s new", "s latest", "s first", "s flagship", "s next", "s newest", "s most", "s open"} {
		if w.begins(p) {
			return true
		}
	}
	return false
}

// isList reports whether gap only continues a list of names: commas and "and".
func isList(gap string) bool {
	if len(gap) > 12 {
		return false
	}
	w := strings.Trim(gap, " ,&")
	return w == "" || w == "and"
}

// innerCapital reports whether a word is written as only a name is: "MiniMax".
func innerCapital(s string) bool {
	lower := false
	for _, r := range s {
		if unicode.IsUpper(r) && lower {
			return true
		}
		lower = unicode.IsLower(r)
	}
	return false
}

// named reports whether a name stands in a text as a name: in a capital where no
// sentence begins. "Learning at Scale" is not at Scale, unless the text is about it.
func named(text string, found []match, name uint32) bool {
	return slices.ContainsFunc(found, func(m match) bool {
		if m.name != name || m.start < 2 {
			return false
		}
		r, _ := utf8.DecodeRuneInString(text[m.start:])
		return unicode.IsUpper(r) && text[m.start-1] == ' ' && !strings.ContainsRune(".!?:", rune(text[m.start-2]))
	})
}

// supported reports whether something else in the item points to the same lab or
// its relatives: another sure name, a model family, its site or account.
func (t *Tagger) supported(o int32, it *feeds.Item, s *scan) bool {
	related := func(x int32) bool { return x == o || t.within(x, o) || t.within(o, x) }
	for _, found := range [][]match{s.title, s.summary} {
		for _, m := range found {
			yes := false
			t.names.owners(m.name, func(w owner) {
				if (w.kind == nameSure || w.kind == nameModel) && related(w.org) {
					yes = true
				}
			})
			if yes {
				return true
			}
		}
	}
	if x, ok := t.site(unwrap(it.URL)); ok && related(x) {
		return true
	}
	for _, a := range it.Artifacts {
		if acc, ok := accountOf(a.URL); ok {
			if l, ok := t.reg.ByHandle(acc.Service, acc.Handle); ok && related(t.names.byID[l.ID]) {
				return true
			}
		}
	}
	return false
}

// elsewhere reports whether the item's page is somebody's account on a hub that is
// not known: whatever it holds is theirs (rule C1).
func (t *Tagger) elsewhere(it *feeds.Item) bool {
	_, onHub := accountOf(unwrap(it.URL))
	return onHub || it.Account.Handle != ""
}

// Words that a maker puts behind a family's name to name one of its own models.
var variants = map[string]bool{
	"vl": true, "audio": true, "coder": true, "code": true, "math": true, "vision": true, "omni": true, "image": true, "max": true, "plus": true, "pro": true, "flash": true,
	"ultra": true, "nano": true, "chat": true, "instruct": true, "base": true, "moe": true, "mini": true, "small": true, "large": true, "medium": true, "lite": true, "turbo": true,
	"v": true, "r": true, "o": true, "next": true, "preview": true, "technical": true, "report": true, "model": true, "models": true, "series": true, "family": true, "embedding": true,
	"system": true, "card": true, "llm": true, "b": true, "x": true, "s": true, "reasoning": true, "thinking": true, "gpt": true, "video": true, "prover": true,
	"language": true, "foundation": true, "open": true, "multimodal": true, "herd": true, "of": true, "guard": true, "reranker": true, "exp": true, "haiku": true, "sonnet": true, "opus": true,
}

// ownModel recognizes a maker's own paper on its own model: the title begins with
// the model's name and goes on with "Technical Report" or "System Card", or the
// summary says "we introduce" it. A model's name begins with the name of a family
// or of the lab itself and has nothing behind it but sizes, versions and the like.
// Somebody else's paper on the model ("GPT-4 as a judge", "LLaMA-Adapter") is none.
func (t *Tagger) ownModel(it *feeds.Item, s *scan) (int32, string, bool) {
	if len(s.title) == 0 || t.elsewhere(it) {
		return 0, "", false
	}
	m := s.title[0]
	switch strings.ToLower(strings.TrimSpace(it.Title[:m.start])) {
	case "", "introducing", "announcing", "meet", "the", "presenting", "launching", "releasing":
	default:
		return 0, "", false
	}
	o, shared := int32(-1), false
	t.names.owners(m.name, func(w owner) {
		switch w.kind {
		case nameModel:
			if spelled := t.names.spelled[m.name]; it.Title[m.start:m.end] != spelled {
				return
			}
		case nameSure, nameAmbiguous:
			// A lab's own name is a model's only with something behind it: "Mistral 7B".
			if rest := it.Title[m.end:]; t.names.orgs[w.org].kind == feeds.University || (rest == "" || rest[0] == ':') && !innerCapital(it.Title[m.start:m.end]) && !strings.ContainsFunc(it.Title[m.start:m.end], unicode.IsDigit) || !strings.HasPrefix(it.Title[m.start:], t.names.orgs[w.org].name[:1]) {
				return
			}
			if w.kind == nameAmbiguous && t.names.orgs[w.org].kind != feeds.Company {
				return
			}
		default:
			return
		}
		shared = shared || o >= 0
		o = w.org
	})
	if o < 0 || shared {
		return 0, "", false
	}
	head, _, _ := strings.Cut(it.Title[m.end:], ":")
	if rest := wordsOf(it.Title[m.end:]); rest.has("technical report", "system card", "model card") {
		head = ""
	}
	for _, w := range foldWords(head, true) {
		if !variants[w] && !isDigit(w[0]) {
			return 0, "", false
		}
	}
	if head == "" && wordsOf(it.Title[m.end:]).has("technical report", "system card", "model card") {
		return o, clip(it.Title, maxQuote), true
	}
	// "DeepSeek-VL: …": a model that carries the lab's own name is the lab's.
	if first := t.names.first[m.name]; first.kind == nameSure && strings.TrimSpace(head) != "" && (head[0] == '-' || head[0] == ' ') ||
		first.kind == nameModel && strings.HasPrefix(it.Title[m.start:], t.names.orgs[o].name) && len(t.names.orgs[o].name) > 4 {
		return o, clip(it.Title, maxQuote), true
	}
	name := " " + foldKey(it.Title[m.start:m.end]+head, false) + " "
	for sentence := range strings.SplitSeq(clip(it.Summary, 3000), ". ") {
		w := wordsOf(sentence)
		if i := strings.Index(string(w), name+"our "); i >= 0 && w.has("model", "models", "series", "family") { // "Heron 2, our latest model"
			return o, clip(sentence, maxQuote), true
		}
		for _, who := range []string{"we", "this paper", "this report", "this work", "this technical report", "were", "we are", "excited to", "thrilled to", "proud to"} {
			for _, verb := range []string{"introduce", "present", "release", "develop", "report on", "propose", "introduces", "presents", "releases", "describes", "announce", "launch", "releasing", "launching", "introducing", "announcing"} {
				if i := strings.Index(string(w), " "+who+" "+verb+" "); i >= 0 {
					if j := strings.Index(string(w)[i:], name); j >= 0 && j < 100 {
						return o, clip(sentence, maxQuote), true
					}
				}
			}
		}
	}
	return 0, "", false
}

// Phrases right before the name of what a work is derived from.
var derivedFrom = []string{
	"fine tuned from", "finetuned from", "fine tuned on top of", "based on", "built on", "built upon", "built on top of", "derived from", "distilled from", "initialized from",
	"initialised from", "continued pretraining of", "continually pretrained from", "fine tuning", "finetuning", "post trained from", "on top of", "adapted from", "merged from",
	"fine tune of", "finetune of", "fine tuned version of", "a version of", "quantized version of", "quantization of", "distillation of",
}

// lineage returns the makers of what the item is derived from: its artifacts'
// base models, and a family that a sentence calls its base. They are recorded and
// never counted (rule C1).
func (t *Tagger) lineage(it *feeds.Item, s *scan, labs []feeds.Attribution, at time.Time) []feeds.Attribution {
	var out []feeds.Attribution
	add := func(o int32, e feeds.Evidence) {
		id := t.names.orgs[o].id
		same := func(a feeds.Attribution) bool { return a.Lab == id }
		if slices.ContainsFunc(out, same) || slices.ContainsFunc(labs, same) || len(out) == 8 {
			return
		}
		out = append(out, t.attribution(o, feeds.RoleLineage, feeds.Declared, at, e))
	}
	for _, a := range it.Artifacts {
		for _, b := range a.Bases {
			handle, _, found := strings.Cut(b, "/")
			if !found {
				continue
			}
			if l, ok := t.reg.ByHandle(feeds.HuggingFace, handle); ok {
				add(t.names.byID[l.ID], feeds.Evidence{Field: "bases", Quote: clip(b, maxQuote), Rule: "C1", URL: a.URL})
			}
		}
	}
	for _, part := range []struct {
		field, text string
		found       []match
	}{{"title", it.Title, s.title}, {"summary", it.Summary, s.summary}} {
		for _, m := range part.found {
			w := t.names.first[m.name]
			if w.kind != nameModel || len(t.names.more[m.name]) > 0 {
				continue
			}
			before := wordsOf(part.text[clean(part.text, max(0, m.start-60)):m.start])
			if ends(before, derivedFrom) {
				from, to := sentenceAround(part.text, m.start)
				add(w.org, feeds.Evidence{Field: part.field, Quote: clip(part.text[from:to], maxQuote), Rule: "C1", URL: it.URL})
			}
		}
	}
	return out
}

// clean moves i forward to the beginning of a character.
func clean(s string, i int) int {
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return i
}
