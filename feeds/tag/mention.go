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
}

// Words that may stand between the name and its verb.
var adverbs = map[string]bool{
	"today": true, "has": true, "have": true, "just": true, "proudly": true, "now": true, "recently": true, "also": true, "is": true, "are": true, "officially": true,
	"team": true, "research": true, "researchers": true, "engineers": true, "scientists": true, "inc": true, "corp": true, "labs": true, "lab": true, "on": true,
	"monday": true, "tuesday": true, "wednesday": true, "thursday": true, "friday": true, "publicly": true, "formally": true, "electronics": true,
}

// Phrases that end right before the name of who made the work.
var madeBy = []string{
	"we at", "researchers at", "researchers from", "scientists at", "scientists from", "engineers at", "team at", "team from", "the team at", "authors at", "colleagues at",
	"developed by", "released by", "created by", "trained by", "built by", "proposed by", "introduced by", "published by", "made by", "designed by", "launched by",
	"open sourced by", "post trained by", "fine tuned by", "pretrained by", "pre trained by", "developed in house by", "unveiled by", "announced by", "maintained by",
	"developed at", "trained at", "created at", "built at", "led by", "model by", "models by", "model from", "family by", "llm by", "llm from", "chatbot by", "suite by", "here at",
	"developed and released by", "developed and trained by", "created and trained by", "developed by the", "trained by the", "created by the", "built by the", "released by the",
	"post trained by the", "fine tuned by the", "family from", "effort by", "collaboration between", "collaboration with", "partnership between", "group at", "lab at",
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
	for _, part := range []struct {
		field, text string
		found       []match
	}{{"title", it.Title, s.title}, {"summary", it.Summary, s.summary}} {
		listed := -1 // end of the last name accepted, whose list may go on
		for _, m := range part.found {
			o, kind, ok := t.mentioned(m, part.text)
			if !ok {
				continue
			}
			states := t.states(part.text, m)
			if !states && listed >= 0 && isList(part.text[listed:m.start]) {
				states = true
			}
			if !states {
				listed = -1
				continue
			}
			if kind == nameAmbiguous && !t.supported(o, m, it, s) {
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
func (t *Tagger) states(text string, m match) bool {
	from, to := sentenceAround(text, m.start)
	before, after := text[from:m.start], text[m.end:to]
	if len(before) > 400 {
		before = before[len(before)-400:]
	}
	if len(after) > 200 {
		after = after[:200]
	}
	wb := wordsOf(before)
	if wb.has(othersBefore...) {
		return false
	}
	for _, p := range madeBy {
		if strings.HasSuffix(string(wb), " "+p+" ") {
			return true
		}
	}
	// "X today announced …", with nothing but an opening before X.
	if r, _ := utf8.DecodeRuneInString(strings.TrimLeft(after, " ")); r == '\'' || r == '’' {
		return possessiveRelease(after) && len(strings.Fields(string(wb))) <= 4
	}
	if len(strings.Fields(string(wb))) > 12 {
		return false
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
		if (word == "releasing" || word == "launching" || word == "introducing" || word == "announcing") && strings.Contains(after[:tok.start], " is ") {
			return true
		}
		if !adverbs[word] {
			return false
		}
	}
	return false
}

// possessiveRelease reports whether what follows a name's possessive announces:
// "X's new model", "X's latest".
func possessiveRelease(after string) bool {
	w := wordsOf(clip(after, 60))
	for _, p := range []string{"s new", "s latest", "s first", "s flagship", "s next", "s newest", "s most", "s open"} {
		if strings.HasPrefix(string(w), " "+p+" ") {
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

// supported reports whether something else in the item points to the same lab or
// its relatives: another sure name, a model family, its site or account.
func (t *Tagger) supported(o int32, at match, it *feeds.Item, s *scan) bool {
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

// Words that a maker puts behind a family's name to name one of its own models.
var variants = map[string]bool{
	"vl": true, "audio": true, "coder": true, "code": true, "math": true, "vision": true, "omni": true, "image": true, "max": true, "plus": true, "pro": true, "flash": true,
	"ultra": true, "nano": true, "chat": true, "instruct": true, "base": true, "moe": true, "mini": true, "small": true, "large": true, "medium": true, "lite": true, "turbo": true,
	"v": true, "r": true, "o": true, "next": true, "preview": true, "technical": true, "report": true, "model": true, "models": true, "series": true, "family": true, "embedding": true,
	"system": true, "card": true, "llm": true, "b": true, "x": true, "s": true, "reasoning": true, "thinking": true, "video": true, "prover": true,
}

// ownModel recognizes a maker's own paper on its own model: the title is the
// model's name and "Technical Report" or "System Card", or the title begins with
// the name and the summary says "we introduce" it. Somebody else's paper on the
// model ("GPT-4 as a judge", "LLaMA-Adapter") is none.
func (t *Tagger) ownModel(it *feeds.Item, s *scan) (int32, string, bool) {
	if len(s.title) == 0 || s.title[0].start > 0 {
		return 0, "", false
	}
	m := s.title[0]
	o := int32(-1)
	shared := false
	t.names.owners(m.name, func(w owner) {
		if w.kind == nameModel {
			shared = shared || o >= 0
			o = w.org
		}
	})
	if o < 0 || shared {
		return 0, "", false
	}
	rest := it.Title[m.end:]
	head, tail, colon := strings.Cut(rest, ":")
	for _, w := range foldWords(head, true) {
		if !variants[w] && (len(w) == 0 || !isDigit(w[0])) {
			return 0, "", false
		}
	}
	w := wordsOf(rest)
	if w.has("technical report", "system card", "model card") {
		return o, clip(it.Title, maxQuote), true
	}
	if !colon || strings.TrimSpace(tail) == "" {
		return 0, "", false
	}
	name := strings.Trim(foldKey(it.Title[m.start:m.end]+head, false), " ")
	for _, v := range []string{"introduce", "present", "release", "develop", "report"} {
		if sw := wordsOf(clip(it.Summary, 2000)); sw.has("we "+v+" "+name, "we "+v+" the "+name) {
			return o, clip(it.Title, maxQuote), true
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
			for _, p := range derivedFrom {
				if strings.HasSuffix(string(before), " "+p+" ") || strings.HasSuffix(string(before), " "+p+" the ") {
					from, to := sentenceAround(part.text, m.start)
					add(w.org, feeds.Evidence{Field: part.field, Quote: clip(part.text[from:to], maxQuote), Rule: "C1", URL: it.URL})
					break
				}
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
