package fetch

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"seedcorn/feeds"
)

// A text that links to a paper, a repository or a model mostly speaks of somebody
// else's. A link is taken for a claim only where the words before it, in the same
// sentence, say that it leads to something of this work:
//
//	Code is available at …     The weights and the dataset can be found on …
//	Paper: …                   GitHub: …              Model weights: …
//	our paper …                our model on …         read our technical report
//	We release the code at …   We open-source our model on …
//
// and nothing in that sentence says otherwise ("based on", "their", "compared with").
// A text that claims two papers, two repositories, or models of two organizations is a
// round-up, and claims none of them. The rule prefers to miss: a missed claim leaves
// two works apart that a title may still join, a wrong one folds strangers together.
var (
	things = `(?:source code|training code|inference code|evaluation code|codebase|code|implementation|repo(?:sitory)?|scripts?|` +
		`model weights|model checkpoints?|pre-?trained models?|weights|checkpoints?|models?|model cards?|` +
		`data ?sets?|data|benchmark|paper|pre-?print|technical report|tech report|report|project)`
	and    = `(?:(?:,? and |, | & )(?:the |our |all |its |related |corresponding )?` + things + `)*`
	quiet  = `(?: (?:is|are|will be|has been|have been|can be|(?:is|are) now))?(?: (?:now|also|publicly|openly|freely|fully|made|all))*`
	places = `(?: (?:on|at|in|from|under|via|through|here|here at|at this|by visiting))?(?: (?:the|our|this))?` +
		`(?: (?:hugging ?face|github|arxiv|hub|hf|repo(?:sitory)?|link|url|following|https?))*(?: (?:at|link|url|repo(?:sitory)?|here))?\s*[:(\[]*\s*$`

	claimForms = []*regexp.Regexp{
		// "Code and data are available at"
		regexp.MustCompile(`\b` + things + and + `(?: for this \w+| of this \w+)?` + quiet + ` (?:available|released|open-?sourced|accessible|hosted|found|downloaded|published|provided)(?: (?:publicly|openly|freely|now))?` + places),
		// "We release the code, the weights and the data at"
		regexp.MustCompile(`\bwe (?:also |have |are |now |publicly |fully |hereby )*(?:release|released|releasing|open-?source|open-?sourced|open-?sourcing|publish|published|share|provide|make)\b[^.;!?]{0,80}\b` + things + and + `(?: for [a-z ]{3,40},?)?` + places),
		// "Paper:", "GitHub –", "Model weights on Hugging Face:"
		regexp.MustCompile(`(?:^|[\n.;|•·–—(\[]\s*)(?:official |project |our |the |full |read the |see the )?(?:` + things + `|github|hugging ?face|hf|arxiv|github repo(?:sitory)?|hugging ?face (?:models?|collection|hub))(?: link| page| url)?(?: (?:on|at) (?:hugging ?face|github|arxiv))?\s*[:–—-]\s*$`),
	}
	// "our paper", "read our technical report", "our model on Hugging Face": the link's own
	// words must then name nothing else.
	claimOurs  = regexp.MustCompile(`\bour (?:new |open |latest |full |accompanying |official |research |released )*(?:` + things + `|github|hugging ?face)(?: (?:is )?(?:available |hosted )?(?:on|at|in) (?:the )?(?:hugging ?face|github|arxiv)(?: hub| repo(?:sitory)?)?)?\s*[:(\[]?\s*$`)
	claimPlain = regexp.MustCompile(`^(?:here|link|this link|url|pdf|on|arxiv\S*|github\S*|(?:on )?hugging ?face\S*|https?://\S+|[\w.-]+/[\w.-]+|` + things + `)$`)
	// The words of a link that need no sentence around them.
	claimAnchors = regexp.MustCompile(`^(?:(?:read|see|view|get|check out) )?(?:our|the full) (?:` + things + `|github(?: repo(?:sitory)?)?|hugging ?face(?: page| collection)?)(?: (?:on|at) (?:hugging ?face|github|arxiv))?$|` +
		`^(?:read|download) the (?:full )?(?:paper|technical report|model weights|weights|code|model)$|^(?:download|get) (?:the )?weights$`)

	claimDenials = regexp.MustCompile(`\b(?:their|his|her|et al|cited?|evaluated (?:on|these|this|it|our)|adapted|based on|built (?:on|upon|with)|builds (?:on|upon)|inspired by|derived from|fine-?tuned? (?:from|on)|distilled from|initiali[sz]ed (?:from|with)|` +
		`forked? (?:of|from)|compar(?:e|ed|ing|ison)|unlike|outperform\w*|surpass\w*|baselines?|such as|similar to|following the|borrow\w*|thanks? to|credits?|courtesy|original(?:ly)?|previous(?:ly)?|earlier|others?|by (?:researchers|authors|the authors|a team|the team at)|third-party|other people|see also|related)\b`)

	bareURL = regexp.MustCompile(`https?://(?:www\.)?(?:huggingface\.co|hf\.co|github\.com|arxiv\.org)/[^\s<>"'` + "`" + `{}|\\^\[\]（）。，、]+`)
)

const (
	maxClaims     = 8      // models of one family
	claimText     = 64_000 // runes of a text that are searched
	claimSentence = 240    // bytes before a link that are its sentence
)

// A claim is a link that its surroundings call the work's own.
type claim struct {
	key feeds.Key
	url string
}

// claims finds the links of a text, HTML or plain, that it claims as its own.
func claims(s string) []claim {
	if !strings.Contains(s, "huggingface.co/") && !strings.Contains(s, "hf.co/") &&
		!strings.Contains(s, "github.com/") && !strings.Contains(s, "arxiv.org/") {
		return nil
	}
	type link struct {
		start, end int
		href       string
	}
	var links []link
	f := folder{limit: claimText, breaks: true}
	open := -1
	walk(s, func(t token) bool {
		switch t.kind {
		case textToken:
			f.text(t.text)
		case breakToken:
			f.block()
		case linkToken:
			if len(links) < 500 {
				open = len(links)
				links = append(links, link{start: len(f.out), end: -1, href: t.href})
			}
		case linkEndToken:
			if open >= 0 {
				links[open].end = len(f.out)
				open = -1
			}
		}
		return !f.full
	})
	text := string(f.out)
	for _, m := range bareURL.FindAllStringIndex(text, 200) {
		if !slices.ContainsFunc(links, func(l link) bool { return l.start <= m[0] && m[0] < l.end }) {
			links = append(links, link{m[0], m[1], text[m[0]:m[1]]})
		}
	}

	var out []claim
	for _, l := range links {
		key, ok := hubLink(l.href)
		if !ok || l.end < l.start || !claimed(text, l.start, l.end) {
			continue
		}
		if !slices.ContainsFunc(out, func(c claim) bool { return c.key == key }) {
			out = append(out, claim{key, strings.TrimRight(l.href, trailing)})
		}
	}
	return slices.DeleteFunc(out, func(c claim) bool { return roundUp(out, c.key) })
}

const trailing = ".,;:!?)*_"

// hubLink returns the key of a link to a paper, a repository or a model.
func hubLink(href string) (feeds.Key, bool) {
	href = strings.TrimRight(href, trailing)
	if u, err := url.Parse(href); err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return feeds.Key{}, false
	}
	key, ok := feeds.KeyOfURL(href)
	key.Claim = true
	return key, ok && (key.Scheme == feeds.KeyArXiv || key.Scheme == feeds.KeyGitHub || key.Scheme == feeds.KeyHF)
}

// roundUp reports whether claims of key's scheme lead to more than one place.
func roundUp(all []claim, key feeds.Key) bool {
	n := 0
	for _, c := range all {
		if c.key.Scheme != key.Scheme {
			continue
		}
		n++
		if key.Scheme != feeds.KeyHF && c.key != key || owner(c.key.Value) != owner(key.Value) {
			return true
		}
	}
	return n > maxClaims
}

func owner(repo string) string {
	o, _, _ := strings.Cut(strings.TrimPrefix(repo, "datasets/"), "/")
	return o
}

// claimed reports whether the link text[start:end] is called the work's own.
func claimed(text string, start, end int) bool {
	from := max(0, start-claimSentence)
	if i := sentenceStart(text[from:start]); i >= 0 {
		from += i
	}
	before := strings.ToLower(text[from:start])
	if claimDenials.MatchString(before) {
		return false
	}
	anchor := strings.ToLower(strings.TrimSpace(text[start:end]))
	if strings.Contains(anchor, "et al") {
		return false
	}
	if claimAnchors.MatchString(anchor) {
		return true
	}
	if claimPlain.MatchString(anchor) && claimOurs.MatchString(before) {
		return true
	}
	for _, form := range claimForms {
		if form.MatchString(before) {
			return true
		}
	}
	// "Code is available <a>here</a>", "available on <a>Hugging Face</a>"
	switch anchor {
	case "here", "this link", "link", "github", "hugging face", "huggingface", "the hub", "arxiv", "on github", "on hugging face":
		for _, form := range claimForms[:2] {
			if form.MatchString(before + anchor) {
				return true
			}
		}
	}
	return false
}

// sentenceStart returns where the last sentence of s begins, or -1 if s is one.
func sentenceStart(s string) int {
	for i := len(s) - 2; i >= 0; i-- {
		switch s[i] {
		case '\n':
			return i + 1
		case '.', '!', '?':
			if s[i+1] != ' ' || i+2 >= len(s) {
				continue
			}
			// "e.g. x", "et al. x", "v1. x" go on.
			if i > 1 && (s[i-2] == '.' || strings.HasSuffix(s[:i], " al") || strings.HasSuffix(s[:i], " vs")) {
				continue
			}
			return i + 2
		}
	}
	return -1
}
