package arxiv

import (
	"net/url"
	"regexp"
	"strings"

	"seedcorn/feeds"
)

// A link is taken as the authors' own only if its clause introduces it as such:
//
//   - the clause that ends in the link says where something is to be had ("code
//     is available at", "models:", "project page", "we release … at"), and
//   - nothing in that clause points at somebody else's ("we use", "based on",
//     "code from", "their").
//
// A clause begins at the last sentence end, semicolon or ", and we" before the
// link; a list "at X and Y" shares one introduction. What is introduced decides
// the kind of artifact: "data" and its kin make a repository data, otherwise a
// Git host holds code and a Hugging Face repository holds weights or data. When
// in doubt a link is left out: a missed link costs a line in a digest, a wrong
// one joins two pieces of research.
var (
	introduces = regexp.MustCompile(`(?i)(` +
		`\b(available|accessible|released?|releasing|be found|hosted|published|be accessed|be downloaded|be obtained|provided|open[- ]?sourced?|shared?|maintained)\b` +
		`|\b(code|codes|codebase|models?|weights|checkpoints?|data|datasets?|benchmarks?|demo|website|webpage|github|git|repo|repository|implementation|resources|artifacts?|materials?|homepage|page|site|huggingface|hugging face)\b[^.]{0,24}(:|\bat|\bin|\bon|\bhere|=|\()\s*[\[(<"'\x60]*\s*$` +
		`|\b(project|home|web)[ -]?(page|site|website|repo|repository)\b` +
		`|\bopen[- ]sourced?\b` +
		`)`)
	others = regexp.MustCompile(`(?i)\b(` +
		`we (use|used|adopt|adopted|employ|employed|follow|followed|build|built|modify|modified|fine-?tune[ds]?|start(ed)? from|rely|evaluate|compare|borrow(ed)?|download(ed)?|obtain(ed)?|access(ed)?|initiali[sz]e[ds]?)` +
		`|based (up)?on|builds? (up)?on|built (up)?on|adapted from|derived from|borrowed from|taken from|provided by|released by|forked? (of|from)|implementation by|code from|originally` +
		`|(was|were|are|is) (downloaded|obtained|retrieved|collected|crawled|sourced|taken) from` +
		`|their|third[- ]party|such as|e\.g\.|unlike|compared (to|with)|previous|prior|existing|using the)\b`)
	// Words that say that a repository holds data rather than code, and no code word beside them.
	dataWords  = regexp.MustCompile(`(?i)\b(data|datasets?|corpus|corpora|benchmarks?|annotations?)\b`)
	codeWords  = regexp.MustCompile(`(?i)\b(code|codes|codebase|implementation|software|library|toolkit|framework|package|scripts?|github|repo|repository|notebooks?|models?|weights|checkpoints?|tools?|artifacts?|stack)\b`)
	pageWords  = regexp.MustCompile(`(?i)\b(project|home|web)[ -]?(page|site)s?\b|\bwebsite\b|\bhomepage\b`)
	clauseEnd  = regexp.MustCompile(`[.!?;](\s+|$)|,\s+(and|while|whereas)\s+(we|our)\s|\n\n`)
	linkForm   = regexp.MustCompile(`(?i)(?:https?://|\b(?:www\.)?(?:github\.com|gitlab\.com|huggingface\.co|hf\.co|codeberg\.org|bitbucket\.org)/)[^\s<>"'\x60{}|\\^]+`)
	texURL     = regexp.MustCompile(`\\(?:url|href|footnote|texttt)\s*\{`)
	betweenTwo = regexp.MustCompile(`(?i)^[\s,;()\[\]{}]*(and|or|&|/)?[\s,;()\[\]{}]*(?:[a-z ]{0,24}[:(]?\s*)?$`)
)

const (
	maxLinks  = 12     // of one text
	maxScan   = 40_000 // bytes of text that are looked at
	maxClause = 220    // bytes before a link in which an introduction can stand
)

// A Link is a link that a paper introduces as its own.
type Link struct {
	URL      string
	Artifact feeds.ArtifactKind // "" for a project page
	Key      feeds.Key          // a claim; zero where the link names no single thing
}

// Links returns the links that text introduces as the authors' own, in order,
// each once, by the rule stated above in this file. Text is plain, as in an
// abstract or a comment; LaTeX's \url{…} is understood.
func Links(text string) []Link {
	if len(text) > maxScan {
		text = text[:maxScan]
	}
	start := firstLink(text)
	if start < 0 {
		return nil // most abstracts: no need for a regular expression
	}
	text = text[max(0, start-2*maxClause):]
	text = texURL.ReplaceAllString(text, " ")
	var out []Link
	seen := make(map[string]bool)
	prevEnd, prevClause, theirs := -1, "", false
	for _, span := range linkForm.FindAllStringIndex(text, -1) {
		raw := trimLink(text[span[0]:span[1]])
		clause := clauseBefore(text[:span[0]])
		if prevEnd >= 0 && betweenTwo.MatchString(text[prevEnd:span[0]]) {
			clause = prevClause
		} else {
			theirs = introduces.MatchString(clause) && !others.MatchString(clause)
		}
		prevEnd, prevClause = span[0]+len(raw), clause
		if !theirs {
			continue
		}
		if l, ok := own(raw, clause); ok && !seen[l.URL] {
			seen[l.URL] = true
			if out = append(out, l); len(out) == maxLinks {
				break
			}
		}
	}
	return out
}

// firstLink returns where the first thing stands that may be a link, or -1.
func firstLink(text string) int {
	first := -1
	for _, s := range []string{"http", "github.com", "GitHub.com", "gitlab.com", "huggingface.co", "hf.co", "codeberg.org", "bitbucket.org"} {
		if i := strings.Index(text, s); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// clauseBefore returns the end of before from where its last clause begins.
func clauseBefore(before string) string {
	if len(before) > maxClause {
		before = before[len(before)-maxClause:]
	}
	ends := clauseEnd.FindAllStringIndex(before, -1)
	if len(ends) == 0 {
		return before
	}
	last := ends[len(ends)-1]
	if strings.HasPrefix(before[last[0]:], ",") {
		return before[last[0]+1:] // keep "and we", it carries the meaning
	}
	return before[last[1]:]
}

// trimLink drops what prose puts behind a link: full stops, brackets, quotes. A
// closing bracket stays where the link itself opens one.
func trimLink(s string) string {
	for s != "" {
		switch c := s[len(s)-1]; {
		case strings.IndexByte(".,;:!?*_~", c) >= 0,
			c == ')' && strings.Count(s, "(") < strings.Count(s, ")"),
			c == ']' && strings.Count(s, "[") < strings.Count(s, "]"):
			s = s[:len(s)-1]
		default:
			return s
		}
	}
	return s
}

// own turns a link and the clause that introduces it into what it offers. Front
// pages, organizations' pages and shorteners name no single thing and are refused.
func own(raw, clause string) (Link, bool) {
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 300 || u.User != nil {
		return Link{}, false
	}
	key, ok := feeds.KeyOfURL(raw)
	if !ok {
		// A page at the root of its own host ("https://x-research.github.io").
		if u.Host != "" && strings.Contains(u.Host, ".") && pageWords.MatchString(clause) && strings.HasSuffix(u.Hostname(), ".github.io") {
			return Link{URL: raw, Key: feeds.Key{Scheme: feeds.KeyURL, Value: feeds.CanonicalURL(raw), Claim: true}}, true
		}
		return Link{}, false
	}
	key.Claim = true
	data := dataWords.MatchString(clause) && !codeWords.MatchString(clause)
	code := feeds.Code
	if data {
		code = feeds.Data
	}
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	switch key.Scheme {
	case feeds.KeyGitHub:
		return Link{URL: raw, Artifact: code, Key: key}, true
	case feeds.KeyHF:
		if strings.HasPrefix(key.Value, "datasets/") {
			return Link{URL: raw, Artifact: feeds.Data, Key: key}, true
		}
		return Link{URL: raw, Artifact: feeds.Weights, Key: key}, true
	case feeds.KeyDOI:
		// Zenodo, figshare and Dryad hold data and code; a publisher's DOI is an article.
		if !strings.HasPrefix(key.Value, "10.5281/") && !strings.HasPrefix(key.Value, "10.6084/") && !strings.HasPrefix(key.Value, "10.5061/") {
			return Link{}, false
		}
		return Link{URL: raw, Artifact: code, Key: key}, true
	case feeds.KeyURL:
		switch host {
		case "github.com":
			// A folder or file in a repository of many things: worth a link, but no
			// claim to the whole.
			if strings.Count(strings.Trim(u.Path, "/"), "/") < 2 {
				return Link{}, false
			}
			return Link{URL: raw, Artifact: code}, true
		case "gitlab.com", "codeberg.org", "bitbucket.org":
			if strings.Count(strings.Trim(u.Path, "/"), "/") < 1 {
				return Link{}, false
			}
			return Link{URL: raw, Artifact: code, Key: key}, true
		case "huggingface.co", "hf.co":
			return Link{}, false // organizations, collections, spaces
		}
		if pageWords.MatchString(clause) {
			return Link{URL: raw, Key: key}, true
		}
	}
	return Link{}, false
}
