package tag

import (
	"slices"
	"strings"

	"seedcorn/feeds"
)

// A part is one of the texts of an item.
type part uint8

const (
	inTitle part = iota
	inSummary
)

// A cue is a phrase that may announce openness: where it stands and which it is.
type cue struct {
	part       part
	kind       cueKind
	start, end int
}

type cueKind uint8

const (
	cueOpenThing cueKind = iota // "open-source", "open-weight", "open model" before a thing
	cueOpening                  // the act: "open-sourcing", "open-sourced", "now open source"
	cueLicense                  // "licensed under", "Apache 2.0"
	cueAPI                      // "API"
	cueHosted                   // "in preview", "generally available"
)

// cues finds the phrases at which prose is worth reading: most items have none and
// cost no more than the pass over their words.
type cues struct {
	find *matcher
	kind []cueKind
}

func newCues() *cues {
	c := &cues{find: newMatcher(false, 64)}
	for kind, phrases := range [...][]string{
		cueOpenThing: {"open source", "open weight", "open weights", "open model", "open models", "opensource", "fully open", "openly available", "open dataset", "open datasets"},
		cueOpening:   {"open sourcing", "open sourced", "open sources", "now open source", "open release"},
		cueLicense:   {"license", "licensed", "licence", "licenced", "licensing", "apache 2 0", "mit licensed", "cc by"},
		cueAPI:       {"api", "apis"},
		cueHosted:    {"in beta", "in preview", "in public preview", "in private preview", "early preview", "research preview", "generally available", "rolling out", "rolls out", "available today", "available now", "available to", "available for", "available in"},
	} {
		for _, p := range phrases {
			if id, ok := c.find.add(p, uint32(len(c.kind))); ok && int(id) == len(c.kind) {
				c.kind = append(c.kind, cueKind(kind))
			}
		}
	}
	return c
}

// stems are letters that every cue has, in the spellings that occur. They are
// looked for instead of words: most texts have none, and a text's words need not be
// cut twice.
var stems = []string{"pen", "PEN", "icen", "ICEN", "pache", "API", "CC", "preview", "Preview", "beta", "Beta", "enerally", "MIT", "vailable ", "olling out", "olls out"}

// in appends the cues in a text to out, in order.
func (c *cues) in(text string, p part, out []cue) []cue {
	begin := len(out)
	var buf [4]match
	for _, stem := range stems {
		for from := 0; ; {
			i := strings.Index(text[from:], stem)
			if i < 0 {
				break
			}
			i += from
			from = i + len(stem)
			start := i
			for start > 0 && i-start < 12 && ascii[text[start-1]&0x7F] != 0 && text[start-1] < 0x80 {
				start--
			}
			if stem == "preview" || stem == "Preview" || stem == "beta" || stem == "Beta" { // "in preview": the word before
				if j := strings.LastIndexAny(text[:max(0, start-1)], " \n"); start > 1 && start-j < 16 {
					start = j + 1
				}
			}
			if word := "fully "; stem == "pen" && start >= len(word) && strings.EqualFold(text[start-len(word):start], word) {
				start -= len(word)
			}
			for _, m := range c.find.find(text[start:clean(text, min(len(text), i+32))], buf[:0]) {
				x := cue{p, c.kind[m.name], start + m.start, start + m.end}
				if m.start <= i-start+1 && !slices.ContainsFunc(out[begin:], func(y cue) bool { return x.start < y.end && y.start < x.end }) {
					out = append(out, x)
				}
				break
			}
			if len(out)-begin >= 64 {
				break
			}
		}
	}
	slices.SortFunc(out[begin:], func(a, b cue) int { return a.start - b.start })
	return out
}

// What an adjective of openness can belong to, and the artifact it is.
var things = map[string]feeds.ArtifactKind{
	"model": feeds.Weights, "models": feeds.Weights, "llm": feeds.Weights, "llms": feeds.Weights, "weights": feeds.Weights, "checkpoint": feeds.Weights, "checkpoints": feeds.Weights,
	"vlm": feeds.Weights, "net": feeds.Weights, "network": feeds.Weights, "networks": feeds.Weights, "transformer": feeds.Weights,
	"library": feeds.Code, "framework": feeds.Code, "software": feeds.Code, "toolkit": feeds.Code, "tool": feeds.Code, "tools": feeds.Code, "platform": feeds.Code,
	"implementation": feeds.Code, "package": feeds.Code, "sdk": feeds.Code, "code": feeds.Code, "agent": feeds.Code, "harness": feeds.Code, "engine": feeds.Code, "kernel": feeds.Code,
	"kernels": feeds.Code, "megakernel": feeds.Code, "server": feeds.Code, "compiler": feeds.Code, "simulator": feeds.Code, "simulation": feeds.Code, "stack": feeds.Code,
	"runtime": feeds.Code, "cli": feeds.Code, "environment": feeds.Code, "environments": feeds.Code, "pipeline": feeds.Code, "project": feeds.Code, "repository": feeds.Code,
	"system": feeds.Code, "systems": feeds.Code, "assistant": feeds.Code, "codebase": feeds.Code, "plugin": feeds.Code, "app": feeds.Code, "database": feeds.Code, "protocol": feeds.Code,
	"dataset": feeds.Data, "datasets": feeds.Data, "corpus": feeds.Data, "benchmark": feeds.Data, "benchmarks": feeds.Data, "evals": feeds.Data, "evaluations": feeds.Data, "data": feeds.Data,
}

// Titles that begin with these show how to use a thing, which is somebody else's
// or known already.
var howTo = map[string]bool{
	"use": true, "using": true, "connect": true, "how": true, "run": true, "running": true, "build": true, "building": true, "mastering": true, "deploy": true, "deploying": true,
	"support": true, "integrating": true, "memory": true, "guide": true, "tutorial": true, "fine": true, "why": true, "what": true, "getting": true, "securing": true, "day": true,
	"evaluating": true, "managing": true, "understanding": true, "lessons": true, "when": true, "risks": true, "how to": true, "a": false, "investigating": true,
}

// Words behind "open-source software" that make a subject of it.
var aboutOpen = map[string]bool{
	"development": true, "community": true, "communities": true, "ecosystem": true, "movement": true, "contributors": true, "developers": true, "foundation": true,
	"repositories": true, "licenses": true, "alternatives": true, "landscape": true, "baselines": true, "and": false,
}

// Phrases by which a sentence releases something.
var releaseCues = []string{
	"introducing", "introduce", "introduces", "announcing", "announce", "announces", "releasing", "release", "releases", "released", "launching", "launch", "launches", "launched",
	"unveiling", "unveil", "unveils", "meet", "announced", "introduced", "unveiled", "now available", "available today", "newly released", "is available", "are available", "sharing", "publishing",
	"proud to", "excited to", "we present", "we propose", "presents", "open sourcing",
}

// Phrases that tell of something past, planned, or somebody else's.
var notNow = []string{
	"recently", "since", "previously", "last year", "last month", "earlier this year", "existing", "third party", "will open", "plan to", "plans to", "in the future", "coming soon",
	"other open", "leading open", "popular open", "current open", "many open", "most open", "several open", "various open", "available open", "against open", "compared", "compatible with",
	"powered by", "inside", "within", "evaluated", "evaluate", "evaluating", "such as", "like", "including", "than", "based on", "built on", "on top of", "contributed", "support for",
	"towards", "external", "fine tune", "fine tuned", "akin to",
	"attacks on", "risks of", "risk", "risks", "study", "studies", "survey", "investigate",
}

// prose reads openness from announcements: a license that a sentence names for
// what it releases, an act of open-sourcing, an open thing presented as the
// publisher's, or availability through an API. A sentence that only speaks of open
// models, or of somebody else's, says nothing. The sentence is the evidence.
func (t *Tagger) prose(it *feeds.Item, labs []feeds.Attribution, s *scan) []feeds.ArtifactTag {
	if len(s.cues) == 0 {
		return nil
	}
	title := wordsOf(clip(it.Title, 300))
	if first, _, _ := strings.Cut(strings.TrimLeft(string(title), " "), " "); howTo[first] {
		return nil
	}
	// What is served and how, a maker says of its own; others only mention it.
	official := slices.ContainsFunc(labs, func(a feeds.Attribution) bool { return a.Role == feeds.RoleReleaser })
	// A post of nobody that we know tells of others' things more often than of its own: it
	// is believed of what it links to, and in the first person.
	own := func(w words, kind feeds.ArtifactKind) bool {
		return official || it.Kind != feeds.ItemPost || w.has("we", "our", "were", "weve") ||
			slices.ContainsFunc(it.Artifacts, func(a feeds.Artifact) bool { return a.Kind == kind && a.URL != "" })
	}
	var open, closed []feeds.ArtifactTag
	lastFrom := [2]int{-1, -1}
	tried := 0
	for _, c := range s.cues {
		if !official && (c.kind == cueAPI || c.kind == cueHosted) {
			continue
		}
		text, field := it.Title, "title"
		if c.part == inSummary {
			text, field = it.Summary, "summary"
		}
		from, to := 0, len(text)
		if c.part == inSummary {
			from, to = sentenceAround(text, c.start)
		}
		if c.end > to {
			continue // the words lie on two sides of a full stop: "it is open. Weights of …"
		}
		if to-from > 600 {
			from, to = clean(text, max(from, c.start-300)), clean(text, min(to, c.end+300))
		}
		again := from == lastFrom[c.part] && len(open) > 0 // the sentence has opened something already
		if again && c.kind != cueAPI && c.kind != cueHosted && (c.kind != cueLicense || open[len(open)-1].License != "") {
			continue
		}
		if tried++; tried > 40 {
			break
		}
		sentence := text[from:to]
		w := wordsOf(sentence)
		var a feeds.ArtifactTag
		ok := false
		switch c.kind {
		case cueLicense:
			a, ok = t.licenseSentence(sentence, w)
		case cueOpening:
			a, ok = openingSentence(sentence, c.start-from, c.end-from, w, c.part == inTitle)
		case cueOpenThing:
			a, ok = t.openThing(text, from, to, c, w, it)
		case cueAPI:
			a, ok = apiSentence(w)
		case cueHosted:
			a, ok = hostedSentence(w, c.part == inTitle)
		}
		if !ok || !own(w, a.Kind) {
			continue
		}
		if again && c.kind == cueLicense { // "an open-weight model under Apache 2.0": the terms of the same thing
			if l, known := t.reg.License(a.License); known {
				last := &open[len(open)-1]
				r := read(l, last.Kind)
				last.License, last.Openness, last.Flags = r.License, r.Openness, r.Flags
			}
			continue
		}
		lastFrom[c.part] = from
		a.Basis = feeds.Declared
		a.Evidence = []feeds.Evidence{{Field: field, Quote: clip(sentence, maxQuote), Rule: "O2", URL: it.URL}}
		if a.Openness == feeds.Closed {
			closed = append(closed, a)
		} else {
			open = append(open, a)
		}
	}
	if len(open) == 0 && len(closed) > 0 {
		return closed[:1]
	}
	// One artifact of each kind: a named license outranks an adjective; else the first.
	var out []feeds.ArtifactTag
next:
	for _, a := range open {
		for i := range out {
			if out[i].Kind == a.Kind {
				if out[i].License == "" && a.License != "" {
					out[i] = a
				}
				continue next
			}
		}
		out = append(out, a)
	}
	return out
}

// licenseSentence reads a sentence that names a license for what it speaks of:
// "available under the Apache 2.0 license".
func (t *Tagger) licenseSentence(sentence string, w words) (feeds.ArtifactTag, bool) {
	if w.has("recently", "previously", "third party", "we compared", "we compare", "compared with", "compared to", "we evaluated", "we evaluate", "we tested", "such as", "from its maker", "will open", "plan to", "plans to", "in the future", "coming soon", "compatible with", "powered by", "inside") || w.has("trains on", "emits", "license agreement to", "licenses for", "one license", "per license", "licensing deal", "license plate", "site license") {
		return feeds.ArtifactTag{}, false
	}
	ms := t.licenses.find.find(sentence, nil)
	if len(ms) > 1 { // "for non-commercial use under the CC BY-NC 4.0 license": names by their id outrank words
		if named := slices.DeleteFunc(slices.Clone(ms), func(m match) bool { return strings.HasPrefix(t.licenses.all[m.name].ID, "LicenseRef-") }); len(named) == 1 {
			if only := named[0].name; t.licenses.all[only].Class == feeds.Restricted {
				ms = named
			}
		}
	}
	if len(ms) != 1 {
		return feeds.ArtifactTag{}, false
	}
	m := ms[0]
	before, after := wordsOf(sentence[:m.start]), wordsOf(sentence[m.end:])
	if t.licenses.nearMatch(before, sentence[m.end:]) {
		return feeds.ArtifactTag{}, false
	}
	if rest := wordsOf(without(sentence, ms)); rest.has("community license", "license agreement", "model license", "akin to") {
		return feeds.ArtifactTag{}, false // a second license, which is not known
	}
	tied := false
	for _, p := range []string{"under", "under the", "under an", "under a", "licensed under", "licensed under the", "licensed", "license", "with an", "with a", "free"} {
		tied = tied || before.ends(p)
	}
	for _, p := range []string{"license", "licensed", "licence"} {
		tied = tied || after.begins(p)
	}
	tied = tied || len(strings.Fields(sentence)) <= 4 && strings.Trim(string(before), " ") == "" // "Apache 2.0."
	if !tied {
		return feeds.ArtifactTag{}, false
	}
	kind := feeds.Weights
	switch {
	case w.has("model", "models", "weights", "checkpoint", "checkpoints", "parameters", "llm"):
	case w.has("dataset", "datasets", "corpus"):
		kind = feeds.Data
	case w.has("code", "library", "framework", "repository", "toolkit", "software", "tool", "source"):
		kind = feeds.Code
	}
	r := read(t.licenses.all[m.name], kind)
	return feeds.ArtifactTag{Kind: kind, License: r.License, Openness: r.Openness, Flags: r.Flags}, r.Openness != feeds.Unknown
}

// openingSentence reads an act: "we're open-sourcing X", "X is now open source".
// Start and end are the cue's place in the sentence.
func openingSentence(sentence string, start, end int, w words, title bool) (feeds.ArtifactTag, bool) {
	if w.has(notNow...) || w.has("will be", "to be", "grateful", "thank", "thanks") {
		return feeds.ArtifactTag{}, false
	}
	// An apostrophe joins: "we’re" is "were".
	if !title && !w.has("we", "our", "today", "is now open source", "now open source", "are open sourcing", "is open sourcing", "weve", "were open sourcing", "were also open sourcing") {
		return feeds.ArtifactTag{}, false
	}
	before := wordsOf(sentence[:start])
	switch foldKey(sentence[start:end], false) {
	case "open sourced": // "we open-sourced X", not "the open-sourced X"
		acts := false
		for _, p := range []string{"we", "have", "has", "are", "is", "also", "and", "been", "weve", "fully", "now"} {
			acts = acts || before.ends(p)
		}
		if !acts || before.ends("both") || w.has("open sourced and closed") {
			return feeds.ArtifactTag{}, false
		}
	case "open sources": // a verb in headlines, a noun elsewhere
		if !title {
			return feeds.ArtifactTag{}, false
		}
	}
	kind := feeds.Code
	if w.has("model", "models", "parameters", "weights") || foldKey(sentence[start:end], false) == "open release" {
		kind = feeds.Weights
	}
	found := false
	for _, x := range strings.Fields(string(wordsOf(clip(sentence[end:], 120)))) {
		k, ok := things[x]
		if !ok && found {
			break
		}
		if ok { // the last of nouns in a row: "LLM evaluations" are no LLM
			kind, found = k, true
		}
	}
	return openAs(kind), true
}

func openAs(kind feeds.ArtifactKind) feeds.ArtifactTag {
	if kind == feeds.Code {
		return feeds.ArtifactTag{Kind: kind, Openness: feeds.OpenSource}
	}
	return feeds.ArtifactTag{Kind: kind, Openness: feeds.OpenWeights}
}

// openThing reads an adjective and its noun, where the sentence presents the thing
// as new or as the publisher's: "introducing the best open-source model", "X is an
// open-weight model for …" with X in the title.
func (t *Tagger) openThing(text string, from, to int, c cue, w words, it *feeds.Item) (feeds.ArtifactTag, bool) {
	// The noun: among the words behind, before the phrase ends.
	phrase := foldKey(text[c.start:c.end], false)
	kind := feeds.ArtifactKind("")
	plural := false
	switch {
	case strings.HasSuffix(phrase, "model"), strings.HasSuffix(phrase, "models"):
		kind, plural = feeds.Weights, strings.HasSuffix(phrase, "s")
	case strings.HasSuffix(phrase, "dataset"), strings.HasSuffix(phrase, "datasets"):
		kind, plural = feeds.Data, strings.HasSuffix(phrase, "s")
	default:
		sc := scanner{text: text[c.end:to]}
		end := 0
		for range 6 {
			tok, ok := sc.next()
			if !ok || strings.ContainsAny(text[c.end+end:c.end+tok.start], ",;:()") && kind != "" {
				break
			}
			end = tok.end
			x := string(sc.buf[:sc.n])
			if aboutOpen[x] { // "open-source software development"
				return feeds.ArtifactTag{}, false
			}
			if x == "for" || x == "to" || x == "that" || x == "and" || x == "of" || x == "with" || x == "from" || x == "in" || x == "is" {
				break
			}
			if k, ok := things[x]; ok {
				kind, plural = k, strings.HasSuffix(x, "s")
			}
		}
	}
	before := text[from:c.start]
	wb := wordsOf(before)
	if acts(wb) && phrase == "open source" && !w.has("will", "plan", "plans", "why", "should", "when", "if", "how") { // "we open-source Heron"
		if kind == "" {
			kind = kindOf(w, it)
		}
		return openAs(kind), true
	}
	if kind == "" && phrase != "openly available" && isOpen(wb, text[c.end:to], it) {
		return openAs(kindOf(wb, it)), true
	}
	if kind == "" || wordsOf(text[from:clean(text, min(to, c.end+40))]).has(notNow...) {
		return feeds.ArtifactTag{}, false
	}
	fields := strings.Fields(string(wb))
	near := words(" " + strings.Join(fields[max(0, len(fields)-4):], " ") + " ")
	ours := near.has("our", "first", "the best") && !near.has("on", "for", "to", "about", "with", "against", "in", "view of", "risks of", "use of", "study of", "evaluation of") || !plural && w.has("implementation of our", "version of our")
	presented := wb.has(releaseCues...)
	// "X is an open-…": X is what the title names.
	copular := false
	for _, p := range []string{" is an ", " is a ", " is the ", " are two ", " are "} {
		if i := strings.LastIndex(string(wb), p); i >= 0 && len(strings.Fields(string(wb)[i:])) <= 8 {
			subject := strings.Fields(string(wb)[:i])
			if words(string(wb)[i:]).has("against", "for", "of", "in", "on", "to", "by", "with", "from", "than") {
				continue
			}
			if len(subject) > 0 && len(subject) <= 10 {
				tw := wordsOf(it.Title)
				for _, x := range subject {
					if len(x) >= 4 && tw.has(x) || x == "it" || x == "s" || x == "this" && subject[len(subject)-1] == "model" || x == "this" && w.has("this model is") {
						copular = true
					}
				}
			}
		}
	}
	for _, p := range []string{"it a", "it an", "it is a", "it is an"} {
		copular = copular || wb.begins(p) && len(fields) <= 10
	}
	if c.part == inTitle && !plural && len(fields) <= 5 { // "Heron: an open-source toolkit"
		if name, rest, found := strings.Cut(before, ": "); found && name != "" && !strings.Contains(rest, ":") {
			switch strings.ToLower(strings.TrimSpace(rest)) {
			case "a", "an", "the", "our", "a new", "the first", "":
				copular = true
			}
		}
	}
	switch {
	case ours && len(fields) <= 12, copular, presented && (!plural || ours):
		return openAs(kind), true
	case len(fields) == 0 && c.part == inSummary && !plural && strings.HasPrefix(strings.TrimSpace(it.Summary), strings.TrimSpace(text[from:c.end])):
		return openAs(kind), true
	}
	return feeds.ArtifactTag{}, false
}

// acts reports whether what stands before "open-source" makes it a verb of ours.
func acts(before words) bool {
	for _, p := range []string{"we", "we also", "we now", "today we", "and we", "we fully"} {
		if before.ends(p) {
			return true
		}
	}
	return false
}

// isOpen reports whether "open source" is said of the announced thing: "Heron is
// fully open source", "we are making Heron open source". Said in passing of another
// ("PyTorch, which is open source") it says nothing.
func isOpen(before words, after string, it *feeds.Item) bool {
	if next := wordsOf(after); next.begins("or") || next.begins("model") || next.begins("software") || before.has(notNow...) || before.has("which", "that", "not", "if", "whether", "will", "should", "why") {
		return false
	}
	if before.has("we are making", "were making", "we have made", "weve made", "we made") {
		return before.count() <= 12
	}
	at := -1
	for _, verb := range []string{" is ", " are "} {
		at = max(at, strings.LastIndex(string(before), verb))
	}
	if at < 0 {
		return false
	}
	for _, x := range strings.Fields(string(before)[at:])[1:] { // nothing but adverbs between
		switch x {
		case "now", "fully", "completely", "entirely", "also", "100", "both", "available", "as", "truly":
		default:
			return false
		}
	}
	subject := strings.Fields(string(before)[:at])
	if len(subject) == 0 || len(subject) > 8 {
		return false
	}
	title := wordsOf(it.Title)
	for _, x := range subject {
		switch x {
		case "it", "everything", "code", "weights":
			return true
		case "model", "models", "framework", "library", "project":
			if subject[0] == "the" || subject[0] == "our" || subject[0] == "this" || subject[0] == "both" || subject[0] == "all" {
				return true
			}
		}
		if len(x) >= 4 && title.has(x) {
			return true
		}
	}
	return false
}

// kindOf says what a thing without a noun is: weights where anything speaks of a
// model, code else.
func kindOf(w words, it *feeds.Item) feeds.ArtifactKind {
	switch {
	case w.has("code", "framework", "library", "toolkit", "tool", "project", "repository", "app", "cli", "sdk", "agent"):
		return feeds.Code
	case w.has("dataset", "datasets", "corpus", "benchmark"):
		return feeds.Data
	case w.has("model", "models", "weights", "llm", "parameters"):
		return feeds.Weights
	}
	if x := wordsOf(clip(it.Title, 300) + " " + clip(it.Summary, 1000)); x.has("model", "models", "weights", "llm", "parameters", "language model") {
		return feeds.Weights
	}
	return feeds.Code
}

// apiSentence reads availability through an API: "available through our API
// today".
func apiSentence(w words) (feeds.ArtifactTag, bool) {
	if w.has("open source", "open weight", "open weights", "weights", "compatible", "compatibility", "library", "how to", "documentation", "gateway", "third party", "call") {
		return feeds.ArtifactTag{}, false
	}
	api := feeds.ArtifactTag{Kind: feeds.Hosted, Openness: feeds.Closed, Flags: []feeds.Flag{feeds.FlagAPI}}
	if w.begins("access the") || w.has("introducing a free api", "introducing our api", "introducing the api") || w.has("bringing", "coming") && w.has("to the") {
		return api, true
	}
	i := strings.Index(string(w), " available ")
	for _, verb := range []string{" access ", " use it ", " try it "} {
		if i < 0 {
			i = strings.Index(string(w), verb)
		}
	}
	if i < 0 {
		return feeds.ArtifactTag{}, false
	}
	rest := strings.Fields(string(w)[i:])
	via := false
	for j, x := range rest {
		if j > 14 {
			break
		}
		switch x {
		case "via", "through", "in", "on", "to", "over":
			via = true
		case "api", "apis":
			if via {
				return api, true
			}
		}
	}
	return feeds.ArtifactTag{}, false
}

// hostedSentence reads a preview or the general availability of a thing that its
// maker runs: "an early preview of X, our most advanced model".
func hostedSentence(w words, title bool) (feeds.ArtifactTag, bool) {
	if w.has("open source", "open weight", "open weights", "weights", "feature", "support", "third party", "library", "powered by") {
		return feeds.ArtifactTag{}, false
	}
	released := w.has("introducing", "announcing", "launching", "now in preview", "unveil", "announce", "introduce", "today", "now")
	// A plan that one pays for, or an app, is the maker's own service: "rolling out to
	// Pro users".
	if w.has("rolling out", "rolls out") && w.has("app", "apps") || w.has("available", "rolling out", "rolls out") && w.has("users", "subscribers", "customers", "plans", "subscriptions", "tiers") &&
		w.has("pro", "plus", "max", "team", "enterprise", "subscribers", "premium", "paid", "ultra", "business") && !w.has("hugging face", "github", "download", "docs", "dataset", "report", "paper") {
		return feeds.ArtifactTag{Kind: feeds.Hosted, Openness: feeds.Closed, Flags: []feeds.Flag{feeds.FlagHosted}}, true
	}
	ours := w.has("our") && w.has("model", "models", "assistant", "agent", "system")
	general := w.has("generally available") && (w.has("model", "models") || w.has("stable"))
	if released && (title || ours) || general && !w.has("will be") {
		return feeds.ArtifactTag{Kind: feeds.Hosted, Openness: feeds.Closed, Flags: []feeds.Flag{feeds.FlagHosted}}, true
	}
	return feeds.ArtifactTag{}, false
}
