package feeds

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// arXiv identifiers, new and old style, with an optional version.
// Source: https://info.arxiv.org/help/arxiv_identifier.html
var (
	arxivNew = regexp.MustCompile(`^(\d{4}\.\d{4,5})(?:v(\d+))?$`)
	arxivOld = regexp.MustCompile(`^([a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v(\d+))?$`)
	doiForm  = regexp.MustCompile(`^10\.\d{4,9}/\S+$`)
	slug     = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// ArXivID splits an arXiv identifier in any of its printed forms
// ("arXiv:2501.12948v2", "oai:arXiv.org:2501.12948v2",
// "https://arxiv.org/abs/2501.12948") into the id without version and the
// version, 0 where none is given. ok is false if s is not one.
func ArXivID(s string) (id string, version int, ok bool) {
	s = strings.TrimSpace(s)
	for _, p := range []string{"oai:arXiv.org:", "arXiv:", "arxiv:", "ARXIV:"} {
		s = strings.TrimPrefix(s, p)
	}
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		if !isArXivHost(u.Host) {
			return "", 0, false
		}
		path := strings.Trim(u.Path, "/")
		kind, rest, found := strings.Cut(path, "/")
		switch kind {
		case "abs", "pdf", "html", "format", "e-print", "src":
		default:
			found = false
		}
		if !found {
			return "", 0, false
		}
		s = strings.TrimSuffix(rest, ".pdf")
	}
	for _, re := range []*regexp.Regexp{arxivNew, arxivOld} {
		if m := re.FindStringSubmatch(s); m != nil {
			v := 0
			for _, c := range m[2] {
				v = v*10 + int(c-'0')
				if v > 9999 {
					return "", 0, false
				}
			}
			return m[1], v, true
		}
	}
	return "", 0, false
}

func isArXivHost(h string) bool {
	h = strings.ToLower(h)
	return h == "arxiv.org" || strings.HasSuffix(h, ".arxiv.org")
}

// KeyOfURL returns the identifier that a URL is, if it is one of a paper, a hub
// repository or a DOI, and otherwise its [KeyURL].  ok is false for what is not
// an absolute http(s) URL or names nothing in particular (a site's front page).
func KeyOfURL(raw string) (k Key, ok bool) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return Key{}, false
	}
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	parts := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	switch host {
	case "doi.org", "dx.doi.org":
		return DOIKey(strings.TrimPrefix(u.Path, "/"))
	case "huggingface.co", "hf.co":
		if len(parts) >= 2 && parts[0] == "papers" {
			if id, _, ok := ArXivID(parts[1]); ok {
				return Key{Scheme: KeyArXiv, Value: id}, true
			}
		}
		if k, ok := hubKey(parts); ok {
			return k, true
		}
	case "github.com":
		if len(parts) >= 2 && slug.MatchString(parts[0]) && slug.MatchString(parts[1]) && !githubPages[strings.ToLower(parts[0])] {
			// A release or a file inside a repository is a page of its own.
			if len(parts) == 2 || parts[2] == "tree" && len(parts) <= 4 {
				return Key{Scheme: KeyGitHub, Value: strings.ToLower(parts[0] + "/" + strings.TrimSuffix(parts[1], ".git"))}, true
			}
		}
	}
	if id, _, ok := ArXivID(raw); ok {
		return Key{Scheme: KeyArXiv, Value: id}, true
	}
	c := CanonicalURL(raw)
	if cu, err := url.Parse(c); err != nil || cu.Path == "" || cu.Path == "/" && cu.RawQuery == "" {
		return Key{}, false
	}
	return Key{Scheme: KeyURL, Value: c}, true
}

// Paths of the hubs that look like owners but are pages of their own.
var (
	hubPages = map[string]bool{
		"blog": true, "docs": true, "spaces": true, "collections": true, "papers": true, "models": true, "tasks": true,
		"learn": true, "join": true, "login": true, "pricing": true, "organizations": true, "settings": true, "api": true, "posts": true,
	}
	githubPages = map[string]bool{
		"features": true, "topics": true, "orgs": true, "sponsors": true, "about": true, "marketplace": true,
		"settings": true, "login": true, "apps": true, "collections": true, "trending": true, "search": true, "readme": true,
	}
)

func hubKey(parts []string) (Key, bool) {
	prefix := ""
	if len(parts) > 0 && parts[0] == "datasets" {
		prefix, parts = "datasets/", parts[1:]
	}
	if len(parts) < 2 || hubPages[strings.ToLower(parts[0])] || !slug.MatchString(parts[0]) || !slug.MatchString(parts[1]) {
		return Key{}, false
	}
	return Key{Scheme: KeyHF, Value: strings.ToLower(prefix + parts[0] + "/" + parts[1])}, true
}

// DOIKey returns the key of a DOI in any printed form. DOIs are case-insensitive
// (https://www.doi.org/the-identifier/resources/handbook/2_numbering). arXiv's own
// DOIs (10.48550/arXiv.…) are the arXiv id.
func DOIKey(s string) (Key, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, p := range []string{"https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:"} {
		s = strings.TrimPrefix(s, p)
	}
	s = strings.TrimRight(strings.TrimSpace(s), ".,;)")
	if rest, found := strings.CutPrefix(s, "10.48550/arxiv."); found {
		if id, _, ok := ArXivID(rest); ok {
			return Key{Scheme: KeyArXiv, Value: id}, true
		}
	}
	if !doiForm.MatchString(s) {
		return Key{}, false
	}
	return Key{Scheme: KeyDOI, Value: s}, true
}

// Query parameters that say how a reader came, not what she reads.
var tracking = []string{"utm_", "fbclid", "gclid", "mc_cid", "mc_eid", "ref", "ref_src", "source", "cmpid", "igshid", "spm", "s_cid"}

// CanonicalURL folds the ways in which one page is linked into one: lower-case
// host without "www.", https for http, no default port, no fragment, no tracking
// parameters, no trailing slash, query sorted. What is not an absolute http(s) URL
// comes back as it is.
func CanonicalURL(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return strings.TrimSpace(raw)
	}
	port := u.Port()
	u.Host = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."), ".")
	if port != "" && port != "80" && port != "443" {
		u.Host += ":" + port
	}
	u.Scheme, u.Fragment, u.RawFragment, u.User = "https", "", "", nil
	q := u.Query()
	for name := range q {
		lower := strings.ToLower(name)
		for _, t := range tracking {
			if lower == t || strings.HasSuffix(t, "_") && strings.HasPrefix(lower, t) {
				q.Del(name)
			}
		}
	}
	u.RawQuery = q.Encode()
	u.ForceQuery = false
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	u.Path = strings.TrimSuffix(u.Path, "/index.html")
	return u.String()
}

// TitleKey folds a title to what two places that print it have in common:
// compatibility form, lower case, letters and digits only, single spaces. ok is
// false for a title that is too short or too common to identify anything: fewer
// than four words and twenty letters (scripts without spaces: eight letters).
func TitleKey(title string) (value string, ok bool) {
	var b strings.Builder
	words, letters, wide := 0, 0, 0
	gap := true
	for _, r := range norm.NFKD.String(title) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue // accents fold away
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap {
				if b.Len() > 0 {
					b.WriteByte(' ')
				}
				words++
				gap = false
			}
			letters++
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
				wide++
			}
			b.WriteRune(unicode.ToLower(r))
		default:
			gap = true
		}
	}
	return b.String(), words >= 4 && letters >= 20 || wide >= 8
}
