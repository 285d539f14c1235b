package tag

import (
	"slices"
	"strings"

	"seedcorn/feeds"
)

// A clause is a part of a license note that speaks of one thing: "Apache 2.0 for
// code".
type clause struct {
	text    string
	words   words
	scope   scope
	found   []int  // licenses named, as indexes
	comma   bool   // set off by a comma from the clause before
	host    string // the link's host, for a link
	near    bool   // names something that is like a license but is not it
	unsure  bool   // the note itself doubts it: "Apache 2.0 (?)"
	limits  []feeds.Flag
	absent  bool // says that there is no license
	closed  []feeds.Flag
	served  bool // says that it is to be had through an API
	offered bool // says that weights can be had
}

// scope says what a clause speaks of.
type scope uint8

const (
	ofCode scope = 1 << iota
	ofWeights
	ofData
	ofPaper
)

func scopeOf(kind feeds.ArtifactKind) scope {
	switch kind {
	case feeds.Code:
		return ofCode
	case feeds.Data:
		return ofData
	case feeds.Paper:
		return ofPaper
	}
	return ofWeights
}

var (
	codeWords = []string{"code", "codes", "software", "script", "scripts", "source code", "codebase", "implementation", "framework", "toolkit", "library", "package", "training and inference", "train", "training", "inference", "pretrain", "primitives", "kernels"}
	// "model" alone is too common to open anything, but inside a license note it
	// says what the clause is about.
	weightWords = []string{"weights", "weight", "model", "models", "checkpoint", "checkpoints", "parameters", "ckpt", "ckpts", "pretrained models", "base", "instruct", "weigths", "wieghts"}
	dataWords   = []string{"data", "dataset", "datasets", "corpus", "corpora"}
	paperWords  = []string{"paper", "documentation", "docs", "article"}

	nearWords = []string{"modified", "mod", "modification of", "variant of", "similar to", "based on", "inspired by", "derived from", "esque", "like", "akin to", "style", "with exceptions", "with additional", "plus", "variation of", "adapted"}

	absentPhrases = []string{
		"no license", "no licence", "no clear license", "no clear licence", "unclear license", "license unclear", "license is unclear", "license isnt clear",
		"license not", "no specific license", "without license", "without a license", "unlicensed by", "no explicit license", "unknown license",
		"license unknown", "license is unknown", "no license specified", "unclear", "licenses unclear", "unspecified license", "license is not",
	}
	ncPhrases = []string{
		"non commercial", "noncommercial", "non comm", "noncomm", "not commercial", "not for commercial", "no commercial", "commercial use forbidden",
		"commercial use is forbidden", "commercial use prohibited", "commercial use is prohibited", "prohibits commercial", "forbids commercial", "non commercially",
		"commercial usage requires separate", "cannot be used for commercial", "not be used for commercial", "not be used commercially", "not intended to be commercially",
		"not permitted for commercial", "free for non", "commercial use requires", "commercial usage requires",
	}
	researchPhrases = []string{
		"research only", "research purposes only", "research purpose only", "research use only", "academic use only", "academic usage", "academic purposes only",
		"for academic", "academic use", "research and development only", "for research purposes only", "only for research", "only be used for research",
		"research license", "purely for research", "used for research purposes", "for research and educational purposes", "academic usage only", "used for research purposes only", "scientific research", "education and research only", "for research only",
		"academic research only", "only for learning",
	}
	scalePhrases = []string{
		"mau", "monthly active users", "monthly users", "m users", "monthly active user", "annual revenue", "number of users exceeds", "massive commercial use",
		"output tokens per month", "monthly revenue",
	}
	fieldPhrases = []string{
		"use based restrictions", "use restrictions", "harmful use", "abuse restrictions", "acceptable use policy", "responsible use restrictions", "harmful use restrictions",
		"ethical restrictions", "usage restrictions", "acceptable use restrictions", "responsible ai license", "behavioral use", "usage restriction", "use policy",
		"limits uses", "no harmful", "prc laws", "not for clinical", "not for medical", "not intended for clinical", "not for diagnostic",
	}
	territoryPhrases = []string{"does not apply in the european union", "regulate usage in the eu", "not in the eu", "not available in the eu", "excluding the eu"}
	outputPhrases    = []string{"use outputs to train", "use to train other models", "train other models", "used to train other"}
	termsPhrases     = []string{"commercial license is required", "commercial license must", "commercial licenses", "apply for commercial", "apply for a commercial", "commercial license", "enterprise license", "paid license", "custom license", "requires registration", "some usage restriction", "termination", "separate license", "need to contact", "must contact", "need to apply", "written permission", "prior permission", "contact us for commercial", "permission is required", "restricted license", "restrictive license", "restricted licence"}
	servePhrases     = []string{"hosting use", "hosting restrictions", "may not host"}

	unreleasedPhrases = []string{
		"not released", "unreleased", "not been released", "no weights", "weights not", "not publicly released", "not yet released", "coming soon", "code coming",
		"upon request", "available on request", "not publicly available", "waitlist", "wait list", "private beta", "private preview", "select partners", "selected partners",
		"trusted partners", "trusted testers", "limited preview", "limited research preview", "not yet releasing", "not releasing", "plans to release", "plan to release", "no model weights",
		"will be publicly available", "will be released", "will be made available", "not accessible", "unaccessible", "inaccessible", "not available", "dont see model weights", "dont see checkpoints", "isnt released", "arent released", "werent released", "werent there", "arent there",
		"no code or weights", "never released", "never be released", "repo is empty", "cant see model", "cannot see checkpoints", "cannot see model", "can not see", "no longer available", "doesnt seem to contain", "dont think model weights", "havent found", "still no release", "not found", "404", "dead link", "no release", "asset isnt released", "not generally available", "allowlist", "select users", "to be released", "will not be released",
	}
	apiPhrases = []string{
		"via api", "via the api", "api access", "through the api", "through api", "via our api", "via its api", "api only", "api via", "the api", "api", "apis", "vertex ai", "ai studio",
		"bedrock", "azure ai", "la plateforme", "available via", "available through", "watsonx", "pricing", "paid plans", "premium version", "subscription",
	}
	hostedPhrases = []string{
		"web interface", "web app", "chat interface", "app", "demo", "web server", "website", "chatbot", "in production", "copilot", "playground", "le chat", "lmarena",
		"deployed in", "web application", "hosted",
	}
	proprietaryPhrases = []string{"proprietary", "closed source", "closed", "all rights reserved", "closed weights", "not open", "not open source"}
	offeredPhrases     = []string{"weights available", "weights are available", "model weights", "open weights", "weights and code", "code and weights", "weights on", "models available", "open weight", "pretrained weights", "pre trained models", "trained models", "weights were released", "weights released"}
)

// note reads a license note: prose with licenses, scopes, conditions and links.
func (l *licenses) note(s string, kind feeds.ArtifactKind) Reading {
	want := scopeOf(kind)
	short := wordsOf(s).count() <= 4
	var cs []clause
	var linked []scope // for each clause, what the links of its paragraph lead to
	for p := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		ps := l.clauses(p, short)
		var to scope
		for _, c := range ps {
			switch c.host {
			case "huggingface.co", "hf.co", "modelscope.cn":
				to |= ofWeights
			case "github.com", "gitlab.com", "gitee.com":
				to |= ofCode
			}
		}
		for _, c := range ps {
			cs, linked = append(cs, c), append(linked, to)
		}
	}
	// Where one paragraph links to a hub of models and another to one of code, and both
	// say something, each license is of what stands beside it.
	said := func(what scope) bool {
		for i := range cs {
			if linked[i] == what && cs[i].says() {
				return true
			}
		}
		return false
	}
	if said(ofWeights) && said(ofCode) {
		for i := range cs {
			if cs[i].scope == 0 && (linked[i] == ofWeights || linked[i] == ofCode) {
				cs[i].scope = linked[i]
			}
		}
	}

	// "Apache 2.0, looks like just code": the license is the code's.
	justCode := slices.ContainsFunc(cs, func(c clause) bool {
		return c.words.has("just code", "just the code", "only code", "only the code", "code only", "just inference code", "only inference code", "just training code", "only training code")
	})
	if justCode && !slices.ContainsFunc(cs, func(c clause) bool { return c.scope&ofWeights != 0 || c.offered }) {
		for i := range cs {
			if cs[i].scope == 0 && len(cs[i].found) > 0 {
				cs[i].scope = ofCode
			}
		}
	}

	// A clause that names the artifact outranks clauses that name nothing, and a
	// clause about something else says nothing about it (rule O2).
	var explicit, implicit, elsewhere []clause
	for _, c := range cs {
		switch {
		case c.host != "":
		case c.scope&want != 0:
			explicit = append(explicit, c)
		case c.scope == 0:
			implicit = append(implicit, c)
		default:
			elsewhere = append(elsewhere, c)
		}
	}
	decided := false
	var out Reading
	var named []string
	use := func(c clause) {
		for _, r := range l.readings(c, kind) {
			r.Quote = clip(c.text, maxQuote)
			if !decided {
				out, decided = r, true
			} else {
				was := out
				out = stricter(out, r)
				if was.Openness != r.Openness {
					out.Basis, out.Rule = feeds.Conflict, "O3"
				}
			}
			if r.License != "" && !slices.Contains(named, r.License) {
				named = append(named, r.License)
			}
		}
	}
	for _, c := range explicit {
		use(c)
	}
	if !decided {
		for _, c := range implicit {
			use(c)
		}
	} else { // conditions bind wherever they stand
		for _, c := range implicit {
			if len(c.limits) > 0 && len(c.found) == 0 {
				use(c)
			}
		}
	}
	if !decided && kind == feeds.Weights {
		if r, ok := codeOnly(cs); ok {
			r.Quote = clip(s, maxQuote)
			return r
		}
	}
	if !decided {
		out = Reading{Rule: "O6", Quote: clip(s, maxQuote)}
		if len(elsewhere) > 0 {
			out.Rule = "O2"
		}
		return out
	}
	if len(named) > 1 {
		out.License = strings.Join(named, " AND ")
		if out.Basis == feeds.Conflict {
			out.Flags = addFlag(out.Flags, feeds.FlagConflict)
		}
	} else if len(named) == 1 {
		out.License = named[0]
	}
	return out
}

// codeOnly reads a note on weights that decides nothing about them: one that lists
// nothing but code says that there are none, and one that is nothing but links to
// a service says where they are served.
func codeOnly(cs []clause) (Reading, bool) {
	code, service, chat := false, false, false
	for _, c := range cs {
		label, _, _ := strings.Cut(c.host, ".")
		switch {
		case c.scope&ofWeights != 0 || c.offered || c.near || c.unsure:
			return Reading{}, false
		case c.host != "" && strings.Contains(strings.ToLower(pathOf(c.text)), "license"):
			return Reading{}, false // a license's text that is linked and not read
		case c.host == "huggingface.co" || c.host == "hf.co" || c.host == "modelscope.cn" || c.host == "zenodo.org":
			return Reading{}, false
		case c.scope&ofCode != 0 && c.words.has("license", "licence") && len(c.found) == 0 && !c.absent:
			return Reading{}, false // a license that is not known, which may cover more
		case c.scope&ofCode != 0 && !c.words.has("no training code", "code here", "has been released"):
			code = code || c.words.has("code", "codes", "training", "train", "script", "scripts", "kernels", "primitives")
		case label == "platform" || label == "api" || label == "console" || label == "developer" || label == "dev" || strings.Contains(c.text, "/vertex-ai/"):
			service = true
		case label == "chat":
			chat = true
		case c.host == "github.com" || c.host == "":
		default:
			if !code {
				return Reading{}, false
			}
		}
	}
	r := Reading{Openness: feeds.Closed, Basis: feeds.Declared, Rule: "O2"}
	switch {
	case code:
		r.Flags = []feeds.Flag{feeds.FlagAnnounced}
	case service:
		r.Flags = []feeds.Flag{feeds.FlagAPI}
	case chat:
		r.Flags = []feeds.Flag{feeds.FlagHosted}
	default:
		return Reading{}, false
	}
	return r, true
}

// readings are what one clause says about an artifact; none if it says nothing.
func (l *licenses) readings(c clause, kind feeds.ArtifactKind) []Reading {
	var out []Reading
	if c.unsure || c.absent && len(c.found) == 0 && len(c.limits) == 0 {
		return []Reading{{Rule: "O6"}}
	}
	for _, i := range c.found {
		r := read(l.all[i], kind)
		if len(c.limits) > 0 && r.Openness.Open() {
			r = Reading{Openness: feeds.Restricted, Flags: c.limits, Basis: feeds.Declared, Rule: "O3"}
		} else {
			for _, f := range c.limits {
				r.Flags = addFlag(r.Flags, f)
			}
		}
		out = append(out, r)
	}
	switch {
	case len(out) > 0:
	case c.served && len(c.closed) > 0:
		out = append(out, Reading{Openness: feeds.Closed, Flags: c.closed, Basis: feeds.Declared, Rule: "O3"})
	case c.near && len(c.limits) == 0:
		out = append(out, Reading{Rule: "O6"})
	case len(c.limits) > 0:
		out = append(out, Reading{Openness: feeds.Restricted, Flags: c.limits, Basis: feeds.Declared, Rule: "O3"})
	case len(c.closed) > 0:
		out = append(out, Reading{Openness: feeds.Closed, Flags: c.closed, Basis: feeds.Declared, Rule: "O3"})
	}
	return out
}

// clauses cuts a paragraph into clauses and reads each.
func (l *licenses) clauses(s string, short bool) []clause {
	var out []clause
	var heading scope // of a line that is nothing but "weights:"
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var here []clause
		parts := splitClauses(line)
		alone := slices.IndexFunc(parts[1:], func(p piece) bool { return !isLink(p.text) }) < 0 && // a line of its own
			wordsOf(parts[0].text).count() <= 4 && !wordsOf(parts[0].text).has(nearWords...)
		for i, part := range parts {
			if c, ok := l.clause(part.text, short || alone && i == 0); ok {
				c.comma = part.comma
				here = append(here, c)
			}
		}
		if len(here) == 0 {
			continue
		}
		if wordsOf(line).has("and commercial use", "and commercial purposes", "or commercial use") { // "for academic, personal and commercial use"
			for i := range here {
				here[i].limits = slices.DeleteFunc(here[i].limits, func(f feeds.Flag) bool { return f == feeds.FlagResearch })
			}
		}
		// A scope without a license belongs to the license beside it: "MIT, code and
		// weights"; "code and weights, MIT license".
		for i := range here {
			if here[i].scope == 0 || here[i].says() || here[i].words.has("includes", "including", "see") {
				continue
			}
			switch {
			case i > 0 && here[i].comma && here[i-1].scope == 0 && here[i-1].says():
				here[i-1].scope |= here[i].scope
			case i+1 < len(here) && here[i+1].comma && here[i+1].scope == 0 && here[i+1].says():
				here[i+1].scope |= here[i].scope
			}
		}
		if heading != 0 {
			for i := range here {
				if here[i].scope == 0 {
					here[i].scope = heading
				}
			}
			heading = 0
		}
		if len(here) == 1 && here[0].scope != 0 && !here[0].says() && strings.HasSuffix(line, ":") {
			heading = here[0].scope
			continue
		}
		out = append(out, here...)
	}
	return out
}

func (c clause) says() bool {
	return len(c.found) > 0 || len(c.limits) > 0 || c.near || c.absent || len(c.closed) > 0
}

// A piece is a part of a line, and whether a comma set it off.
type piece struct {
	text  string
	comma bool
}

// splitClauses cuts a line at semicolons, sentence ends, commas and the words
// that set one thing against another, but not inside a link.
func splitClauses(line string) []piece {
	var out []piece
	from, comma := 0, false
	cut := func(to, next int) {
		if p := strings.TrimSpace(line[from:to]); p != "" {
			out = append(out, piece{p, comma})
		}
		comma = to < len(line) && line[to] == ','
		from = next
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case isLink(line[i:]):
			end := strings.IndexAny(line[i:], " \t)")
			if end < 0 {
				end = len(line) - i
			}
			cut(i, i)
			cut(i+end, i+end)
			i += end - 1
		case c == ';':
			cut(i, i+1)
		case c == ',' || c == '.':
			if i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '"') {
				cut(i, i+1)
			}
		case c == ' ':
			for _, w := range []string{" but ", " while ", " whereas ", " & "} {
				if strings.HasPrefix(line[i:], w) {
					cut(i, i+len(w)-1)
					break
				}
			}
		}
	}
	cut(len(line), len(line))
	return out
}

func isLink(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// clause reads one clause. Short says that the whole note is no more than a name. ok
// is false for a clause that says nothing at all.
func (l *licenses) clause(s string, short bool) (c clause, ok bool) {
	c.text = s
	if isLink(s) {
		if x, found := l.reg.License(strings.TrimRight(s, ".,)]\"'")); found {
			i := l.byID[strings.ToLower(x.ID)]
			c.found = []int{i}
			return c, true
		}
		c.host = hostOf(strings.TrimRight(s, ".,)]\"'"))
		return c, c.host != ""
	}
	c.words = wordsOf(s)
	w := c.words
	for _, m := range l.find.find(s, nil) {
		after := strings.TrimLeft(s[m.end:], " ")
		before := wordsOf(s[:m.start])
		if strings.HasPrefix(after, "(?)") || strings.HasPrefix(after, "?") {
			c.unsure = true
		}
		if l.nearMatch(before, s[m.end:]) {
			c.near = true
			continue
		}
		if !short && l.ambiguous(int(m.name)) && !l.inContext(s, m) {
			c.near = c.near || wordsOf(s[m.start:m.end]).has(nearWords...)
			continue
		}
		if !slices.Contains(c.found, int(m.name)) {
			c.found = append(c.found, int(m.name))
		}
	}
	if w.has("like license", "like licence", "style license") && len(c.found) == 0 {
		c.near = true
	}
	if short && len(c.found) > 0 && !onlyAround(without(s, l.find.find(s, nil))) {
		// "apache-2.0-custom" is a name of its own; "API via Tencent Cloud" is none.
		c.found = nil
		c.near = slices.ContainsFunc(l.find.find(s, nil), func(m match) bool {
			return !strings.HasPrefix(l.all[m.name].ID, "LicenseRef-") || l.inContext(s, m)
		})
	}
	c.limits = limitsIn(w)
	c.absent = w.has(absentPhrases...)
	rest := w
	if len(c.found) > 0 { // words of the license's own name are no scope: "NVIDIA Open Model License"
		rest = wordsOf(without(s, l.find.find(s, nil)))
	}
	if rest.has(codeWords...) {
		c.scope |= ofCode
	}
	if rest.has(weightWords...) {
		c.scope |= ofWeights
	}
	if rest.has(dataWords...) {
		c.scope |= ofData
	}
	if rest.has(paperWords...) {
		c.scope |= ofPaper
	}
	if rest.has("source code license", "sample code license", "source code licence") {
		c.found, c.near, c.scope = nil, true, c.scope&^ofCode // part of a longer name than the one found
	}
	c.offered = w.has(offeredPhrases...)
	c.served = w.has("via our api", "via the api", "through our api", "via api", "api access") || w.has("available") && w.has("api")
	if len(c.found) == 0 {
		switch {
		case w.has(unreleasedPhrases...):
			c.closed = []feeds.Flag{feeds.FlagAnnounced}
		case w.has(apiPhrases...):
			c.closed = []feeds.Flag{feeds.FlagAPI}
		case w.has(hostedPhrases...):
			c.closed = []feeds.Flag{feeds.FlagHosted}
		case w.has(proprietaryPhrases...):
			c.closed = []feeds.Flag{feeds.FlagTerms}
		}
	}
	return c, c.says() || c.scope != 0
}

// Words that may stand around a license's name in a declaration of a few words.
var around = map[string]bool{
	"the": true, "license": true, "licence": true, "licensed": true, "lisense": true, "agreement": true, "version": true, "v": true, "for": true, "and": true, "of": true, "is": true, "in": true,
	"a": true, "an": true, "under": true, "on": true, "public": true, "international": true, "only": true, "repo": true, "repository": true, "see": true, "all": true, "both": true, "with": false,
	"weights": true, "code": true, "data": true, "model": true, "models": true, "dataset": true, "inference": true, "training": true, "as": true, "indicated": true, "paper": true,
}

// onlyAround reports whether nothing is left of a declaration, beside the names in
// it, that could make another license of it.
func onlyAround(rest string) bool {
	for _, w := range foldWords(rest, true) {
		if !around[w] {
			return false
		}
	}
	return true
}

// ambiguous reports whether a license's name may be a model's or a company's too.
// The names of families of standard licenses are not: "CC BY-NC", "GPL".
func (l *licenses) ambiguous(i int) bool {
	id, found := strings.CutPrefix(l.all[i].ID, "LicenseRef-")
	if !found {
		return false
	}
	switch family, is := strings.CutSuffix(id, "-family"); {
	case !is:
		return true
	case strings.HasPrefix(family, "CC-"):
		return false
	default:
		return !slices.Contains([]string{"BSD", "GPL", "LGPL", "GFDL", "CDLA"}, family)
	}
}

// inContext reports whether the name of a license that is also a model's or a
// company's ("GLM-4", "Tencent", "Llama") stands as a license: beside the word.
func (l *licenses) inContext(s string, m match) bool {
	before, after := strings.ToLower(s[clean(s, max(0, m.start-40)):m.start]), strings.ToLower(s[m.end:clean(s, min(len(s), m.end+20))])
	if strings.Contains(before, "unlike ") {
		return false
	}
	for _, w := range []string{" restrictions", " finetune", " fine-tune"} { // "it is also a Llama 2 fine-tune": no freer than its base
		if strings.HasPrefix(after, w) {
			return true
		}
	}
	for _, w := range []string{"licen", "lisen", "terms", "agreement", "under ", "comply with "} {
		if strings.Contains(before, w) || strings.Contains(after, w) || strings.Contains(strings.ToLower(s[m.start:m.end]), w) {
			return true
		}
	}
	return false
}

// nearMatch reports whether what stands around a license's name makes it another
// license (rule O6).
func (l *licenses) nearMatch(before words, after string) bool {
	for _, p := range nearWords {
		if before.ends(p) || before.ends(p+" the") || before.ends(p+" version of") {
			return true
		}
	}
	a := strings.ToLower(after)
	if rest := strings.TrimLeft(a, " _-"); strings.HasPrefix(rest, "+") && !strings.HasPrefix(a, "+") || strings.HasPrefix(a, "+ ") {
		return true
	}
	for _, p := range []string{"-like", "-style", " like", "-based", "-derived", " (modified", " modified", " with modification"} {
		if strings.HasPrefix(a, p) {
			return true
		}
	}
	return wordsOf(clip(after, 60)).has("with mild", "with acceptable use", "with an acceptable use", "with additional", "with restrictions", "with modifications", "with some")
}

func limitsIn(w words) (out []feeds.Flag) {
	for _, x := range []struct {
		flag    feeds.Flag
		phrases []string
	}{
		{feeds.FlagNonCommercial, ncPhrases},
		{feeds.FlagResearch, researchPhrases},
		{feeds.FlagScale, scalePhrases},
		{feeds.FlagField, fieldPhrases},
		{feeds.FlagTerritory, territoryPhrases},
		{feeds.FlagOutput, outputPhrases},
		{feeds.FlagServe, servePhrases},
		{feeds.FlagTerms, termsPhrases},
	} {
		if w.has(x.phrases...) {
			out = append(out, x.flag)
		}
	}
	return out
}

// without returns s with the matches blanked.
func without(s string, ms []match) string {
	b := []byte(s)
	for _, m := range ms {
		for i := m.start; i < m.end; i++ {
			b[i] = ' '
		}
	}
	return string(b)
}
