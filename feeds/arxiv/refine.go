package arxiv

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"seedcorn/feeds"
)

// announced is what arXiv's RSS prints before the abstract.
// Source: https://info.arxiv.org/help/rss_specifications.html
var announced = regexp.MustCompile(`^\s*arXiv:(\S+)\s+Announce Type:\s*([a-z-]+)\s+(?:Abstract:\s*)?`)

// Refine turns an entry of an arXiv listing or query, as a parser of feeds leaves
// it, into the paper that it announces. Ext holds the entry's extension elements
// as "prefix:name" and their attributes as "prefix:name@attr".
//
// The item's GUID and ID lose the version, so that a revision is the same item;
// a replacement's date is the date of the revision, not of the paper, and goes to
// Updated. Cross-lists and replacements are kept: they are the same work, found
// again by its id. It returns false for an entry that is no paper at all, which
// is to be dropped.
//
// The API answers a bad query with a feed whose only entry is its error. Refine
// leaves such an entry as it is and returns true: [Collector] makes an error of it.
func Refine(it *feeds.Item, ext map[string][]string) bool {
	if _, bad := APIError(*it); bad {
		return true
	}
	id, version, ok := feeds.ArXivID(it.GUID)
	if !ok {
		if id, version, ok = feeds.ArXivID(it.URL); !ok {
			return false
		}
	}
	it.Kind = feeds.ItemPaper
	it.Version = version
	it.Announce = announceType(first(ext, "arxiv:announce_type"))
	if m := announced.FindStringSubmatch(it.Summary); m != nil {
		if it.Announce == "" {
			it.Announce = announceType(m[2])
		}
		if printed, v, ok := feeds.ArXivID(m[1]); ok && printed == id && it.Version == 0 {
			it.Version = v
		}
		it.Summary = it.Summary[len(m[0]):]
	}
	if it.Announce == feeds.AnnounceReplace || it.Announce == feeds.AnnounceReplaceCross {
		if it.Updated.IsZero() || it.Published.After(it.Updated) {
			it.Updated = it.Published
		}
		it.Published = time.Time{}
	}

	it.GUID = "arxiv:" + id
	it.ID = feeds.NewItemID(it.Source, it.GUID)
	it.URL = absBase + id
	it.Authors, it.Affiliations = people(it.Authors, ext)
	it.Categories = categories(it.Categories, ext)

	it.Keys = []feeds.Key{{Scheme: feeds.KeyArXiv, Value: id}}
	for _, dois := range ext["arxiv:doi"] {
		for _, doi := range strings.Fields(dois) {
			addKey(it, doi)
		}
	}
	if title, ok := feeds.TitleKey(it.Title); ok {
		it.Keys = append(it.Keys, feeds.Key{Scheme: feeds.KeyTitle, Value: title})
	}
	rights := first(ext, "dc:rights")
	if rights == "" {
		rights = first(ext, "rights") // the Atom form of a listing
	}
	it.Artifacts = []feeds.Artifact{{Kind: feeds.Paper, URL: it.URL, License: rights}}
	for _, text := range append(slices.Clone(ext["arxiv:comment"]), it.Summary) {
		for _, l := range Links(text) {
			addLink(it, l)
		}
	}
	return true
}

func addKey(it *feeds.Item, doi string) {
	if k, ok := feeds.DOIKey(doi); ok && !slices.Contains(it.Keys, k) {
		it.Keys = append(it.Keys, k)
	}
}

func addLink(it *feeds.Item, l Link) {
	if l.Key.Scheme != "" && !slices.Contains(it.Keys, l.Key) {
		it.Keys = append(it.Keys, l.Key)
	}
	if l.Artifact == "" || slices.ContainsFunc(it.Artifacts, func(a feeds.Artifact) bool { return a.URL == l.URL }) {
		return
	}
	it.Artifacts = append(it.Artifacts, feeds.Artifact{Kind: l.Artifact, URL: l.URL})
}

// APIError reports whether an entry is the API's way of saying that a query was
// wrong, and what it says.
// Source: https://info.arxiv.org/help/api/user-manual.html#_errors
func APIError(it feeds.Item) (message string, ok bool) {
	for _, s := range []string{it.GUID, it.URL} {
		if i := strings.Index(s, errorPath); i >= 0 && strings.Contains(s[:i], "arxiv.org") {
			if it.Summary != "" {
				return it.Summary, true
			}
			_, fragment, _ := strings.Cut(s, "#")
			return strings.ReplaceAll(fragment, "_", " "), true
		}
	}
	return "", false
}

func announceType(s string) feeds.Announce {
	switch a := feeds.Announce(strings.ToLower(strings.TrimSpace(s))); a {
	case feeds.AnnounceNew, feeds.AnnounceCross, feeds.AnnounceReplace, feeds.AnnounceReplaceCross:
		return a
	}
	return ""
}

func first(ext map[string][]string, name string) string {
	for _, v := range ext[name] {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}

// categories puts the primary category first, where it is known.
func categories(cats []string, ext map[string][]string) []string {
	out := make([]string, 0, len(cats)+1)
	for _, c := range append([]string{first(ext, "arxiv:primary_category@term")}, cats...) {
		if c = strings.TrimSpace(c); c != "" && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// people splits RSS's one string of authors and takes affiliations, which a few
// papers print behind a name in brackets or in the API's own element.
func people(authors []string, ext map[string][]string) (names, affiliations []string) {
	if c := ext["dc:creator"]; len(c) > 0 {
		authors = c
	}
	for _, a := range authors {
		for _, part := range splitNames(a) {
			name, where, _ := strings.Cut(part, "(")
			if name = strings.Join(strings.Fields(name), " "); name != "" && len(names) < feeds.MaxAuthors {
				names = append(names, name)
			}
			affiliations = appendNew(affiliations, strings.TrimRight(where, ") "))
		}
	}
	for _, a := range ext["arxiv:affiliation"] {
		affiliations = appendNew(affiliations, a)
	}
	return names, affiliations
}

// appendNew adds an affiliation unless it is known, or a mere footnote mark.
func appendNew(list []string, s string) []string {
	s = clip(strings.Join(strings.Fields(s), " "), maxAffiliation)
	if strings.Count(s, "") < 4 || !strings.ContainsFunc(s, unicode.IsLetter) || slices.Contains(list, s) || len(list) >= maxAffiliations {
		return list
	}
	return append(list, s)
}

// Parts of a name that a comma sets off without beginning another one.
var suffixes = map[string]bool{"jr": true, "sr": true, "ii": true, "iii": true, "iv": true, "phd": true, "md": true}

// splitNames splits "A. One, B. Two (X, Y) and C. Three, Jr." at commas and "and"
// outside of brackets.
func splitNames(s string) []string {
	var out []string
	depth, start := 0, 0
	cut := func(end int) {
		name := strings.TrimSpace(s[start:end])
		for _, and := range []string{"and ", "& "} {
			name = strings.TrimSpace(strings.TrimPrefix(name, and))
		}
		switch {
		case name == "":
		case len(out) > 0 && suffixes[strings.ToLower(strings.TrimRight(name, "."))]:
			out[len(out)-1] += ", " + name
		default:
			out = append(out, name)
		}
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth = max(depth-1, 0)
		case ',', ';':
			if depth == 0 {
				cut(i)
				start = i + 1
			}
		case ' ':
			if depth == 0 && strings.HasPrefix(s[i:], " and ") {
				cut(i)
				start = i + len(" and ")
				i = start - 1
			}
		}
	}
	cut(len(s))
	return out
}

// clip cuts s to n runes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}
