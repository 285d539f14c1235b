package fetch

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/mmcdole/gofeed/atom"
	ext "github.com/mmcdole/gofeed/extensions"

	"seedcorn/feeds"
)

const (
	maxGUID       = 1_000
	maxURL        = 2_000 // what browsers and databases agree on: https://www.sitemaps.org/protocol.html#locdef (2,048)
	maxCategories = 50
	maxName       = 200
	wordsOfTitle  = 90 // runes of text that stand in for a title
)

// add makes an item of an entry, or a fault.
func (r *reader) add(e entry) {
	it := feeds.Item{
		Source:  r.src.ID,
		Kind:    kindOf(r.src.Kind),
		Seen:    r.now.UTC(),
		Title:   plainText(e.Title, feeds.MaxTitle),
		Summary: summary(e),
	}
	if r.src.Official {
		it.Publisher = r.src.Lab
	}
	it.URL = r.link(e)
	it.GUID = guid(e, it.URL)
	if it.Title == "" && it.URL == "" && it.Summary == "" {
		r.doc.fault("an entry has neither title nor link nor text and was left out")
		return
	}
	if it.Kind == feeds.ItemPost {
		it.Title = r.siteless(it.Title)
	}
	if it.Title == "" {
		it.Title = cmp.Or(foldText(it.Summary, wordsOfTitle), it.URL)
	}
	it.ID = feeds.NewItemID(r.src.ID, it.GUID)
	it.Published, it.Updated = r.dates(e)
	it.Authors = r.names(e)
	it.Categories = categories(e.Categories)
	refine := r.refine
	if refine == nil && r.arxiv != nil && arxivEntry(it) {
		refine, it.Kind = r.arxiv, feeds.ItemPaper
	}
	r.keys(&it, e, refine == nil)
	if r.src.Kind == feeds.KindReleases {
		release(&it)
	}
	if refine != nil && !refine(&it, r.extensions(e)) {
		return
	}
	r.items = append(r.items, it)
}

// What stands between a title and the site's name.
var titleBars = []string{" | ", " – ", " — ", " - ", " · ", " :: "}

// siteless takes the site's own name off the end of a title, "We release Heron | A Lab",
// where it is that of the feed or a part of it.
func (r *reader) siteless(title string) string {
	for _, bar := range titleBars {
		i := strings.LastIndex(title, bar)
		if i <= 0 {
			continue
		}
		name, _ := feeds.TitleKey(title[i+len(bar):])
		parts := []string{r.title}
		for _, bar := range titleBars {
			parts = append(parts, strings.Split(r.title, bar)...)
		}
		if name != "" && slices.ContainsFunc(parts, func(part string) bool {
			k, _ := feeds.TitleKey(part)
			return k == name
		}) {
			return strings.TrimSpace(title[:i])
		}
	}
	return title
}

// arxivEntry reports whether arXiv itself wrote an entry, wherever it is served: its
// listings and its API name entries by id and version, which nobody else does.
func arxivEntry(it feeds.Item) bool {
	_, version, ok := feeds.ArXivID(it.GUID)
	return ok && version > 0
}

func kindOf(k feeds.SourceKind) feeds.ItemKind {
	switch k {
	case feeds.KindReleases:
		return feeds.ItemRelease
	case feeds.KindArXiv, feeds.KindArXivQuery:
		return feeds.ItemPaper
	}
	return feeds.ItemPost
}

// summary is the entry's own summary as plain text, or its content where it has none.
func summary(e entry) string {
	if e.json != nil {
		if s := foldText(e.json.Summary, feeds.MaxSummary); s != "" {
			return s
		}
		if s := foldText(e.json.ContentText, feeds.MaxSummary); s != "" {
			return s
		}
		return plainText(e.json.ContentHTML, feeds.MaxSummary)
	}
	if s := plainText(e.Description, feeds.MaxSummary); s != "" {
		return s
	}
	return plainText(e.Content, feeds.MaxSummary)
}

// link is where the entry leads, absolute, or "" if nowhere on the web. A permalink
// guid is a link where there is no other.
func (r *reader) link(e entry) string {
	var candidates []string
	if orig, ok := e.Extensions["feedburner"]["origLink"]; ok && len(orig) > 0 {
		candidates = append(candidates, orig[0].Value)
	}
	candidates = append(candidates, e.Link)
	switch {
	case e.rss != nil:
		candidates = append(candidates, e.Links...)
		if e.rss.GUID != nil && !strings.EqualFold(e.rss.GUID.IsPermalink, "false") {
			candidates = append(candidates, absolute(e.rss.GUID.Value))
		}
		for _, l := range e.Extensions["atom"]["link"] {
			if l.Attrs["rel"] == "" || l.Attrs["rel"] == "alternate" {
				candidates = append(candidates, l.Attrs["href"])
			}
		}
	case e.atom != nil:
		candidates = append(candidates, absolute(e.atom.ID))
	case e.json != nil:
		candidates = append(candidates, e.json.URL, e.json.ExternalURL, absolute(e.json.ID))
	}
	for _, c := range candidates {
		if u := r.resolve(c); u != "" {
			return u
		}
	}
	return ""
}

// absolute returns s if it can only be a web address.
func absolute(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
		return s
	}
	return ""
}

// resolve makes a link absolute. What is not http or https is no link.
func (r *reader) resolve(link string) string {
	link = strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f || invisible(c, 0) {
			return -1
		}
		return c
	}, strings.TrimSpace(link))
	if link == "" {
		return ""
	}
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	u = r.base.ResolveReference(u)
	u.User = nil
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	if s := u.String(); len(s) <= maxURL {
		return s
	}
	return ""
}

// guid is what the entry is called, or what it can be known by.
func guid(e entry, link string) string {
	id := foldText(e.GUID, 0)
	switch {
	case id == "" && link != "":
		return link
	case id == "":
		// Nothing but the words: the same words are the same entry.
		return fmt.Sprintf("title:%016x", xxhash.Sum64String(cmp.Or(strings.TrimSpace(e.Title), e.Description, e.Content)))
	case len(id) > maxGUID:
		return fmt.Sprintf("%s#%016x", clip(id, 100), xxhash.Sum64String(id))
	}
	return id
}

// dates returns when the entry says it was published and changed, where that can be
// true. An Atom entry without <published> has not been published "when updated".
func (r *reader) dates(e entry) (published, updated time.Time) {
	p, u := e.PublishedParsed, e.UpdatedParsed
	if e.atom != nil {
		p = e.atom.PublishedParsed
	}
	believed := func(t *time.Time) time.Time {
		if t == nil || !feeds.Believable(*t, r.now) {
			return time.Time{}
		}
		return t.UTC()
	}
	return believed(p), believed(u)
}

// names returns the entry's authors.
func (r *reader) names(e entry) []string {
	var list []string
	switch {
	case e.json != nil:
		h := jsonHead{Author: e.json.Author, Authors: e.json.Authors}
		list = h.authors()
	case e.atom != nil:
		list = personNames(e.atom.Authors)
		if len(list) == 0 && e.atom.Source != nil {
			list = personNames(e.atom.Source.Authors)
		}
	case e.DublinCoreExt != nil && len(e.DublinCoreExt.Creator) > 0 && e.rss.Author == "":
		for _, c := range e.DublinCoreExt.Creator {
			list = append(list, r.splitNames(c)...)
		}
	default:
		for _, p := range e.Authors {
			list = append(list, r.splitNames(p.Name)...)
		}
	}
	if len(list) == 0 {
		list = r.authors
	}
	var out []string
	for _, n := range list {
		// Some feeds put a whole <author><name>…</name><title/></author> here.
		if _, after, found := strings.Cut(n, "<name>"); found {
			n, _, _ = strings.Cut(after, "</name>")
		}
		if n = strings.Trim(plainText(n, maxName), " ,;:"); n != "" && !slices.Contains(out, n) {
			if out = append(out, n); len(out) == feeds.MaxAuthors {
				break
			}
		}
	}
	return out
}

func personNames(list []*atom.Person) (names []string) {
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

// splitNames takes "Ada Lovelace, Charles Babbage" apart. arXiv always writes its
// authors so (https://info.arxiv.org/help/rss_specifications.html); elsewhere
// "Lovelace, Ada" is one person, and a list is one only if each part has two words.
// Commas inside of parentheses belong to an affiliation.
func (r *reader) splitNames(s string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',', ';':
			if depth <= 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	parts = append(parts, s[start:])
	if kindOf(r.src.Kind) == feeds.ItemPaper {
		return parts
	}
	for _, p := range parts {
		if !strings.Contains(strings.TrimSpace(p), " ") {
			return []string{s}
		}
	}
	return parts
}

func categories(list []string) []string {
	var out []string
	for _, c := range list {
		if c = plainText(c, maxName); c != "" && !slices.Contains(out, c) {
			if out = append(out, c); len(out) == maxCategories {
				break
			}
		}
	}
	return out
}

// keys gives the item the identifiers it owns, of its link and its title, and those
// it claims in its text, with their artifacts, if those are wanted: whoever knows a
// service's extensions knows how it links, too.
func (r *reader) keys(it *feeds.Item, e entry, wanted bool) {
	own, ok := feeds.KeyOfURL(it.URL)
	if ok {
		it.Keys = append(it.Keys, own)
	}
	if it.Kind != feeds.ItemRelease { // "Release v1.2" is everybody's title
		if v, ok := feeds.TitleKey(it.Title); ok {
			it.Keys = append(it.Keys, feeds.Key{Scheme: feeds.KeyTitle, Value: v})
		}
	}
	if !wanted {
		return
	}
	text := e.Content
	if e.json != nil {
		text = cmp.Or(e.json.ContentHTML, e.json.ContentText)
	}
	for _, c := range claims(cmp.Or(text, e.Description)) {
		if c.key.Scheme == own.Scheme && c.key.Value == own.Value {
			continue
		}
		it.Keys = append(it.Keys, c.key)
		it.Artifacts = append(it.Artifacts, feeds.Artifact{Kind: artifactOf(c.key), URL: c.url})
	}
}

func artifactOf(k feeds.Key) feeds.ArtifactKind {
	switch {
	case k.Scheme == feeds.KeyArXiv:
		return feeds.Paper
	case k.Scheme == feeds.KeyGitHub:
		return feeds.Code
	case strings.HasPrefix(k.Value, "datasets/"):
		return feeds.Data
	}
	return feeds.Weights
}

// release completes an entry of a GitHub releases feed, whose title is often only a
// version, with what its address says: the repository, and whose it is.
func release(it *feeds.Item) {
	u, err := url.Parse(it.URL)
	if err != nil {
		return
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 4 || parts[2] != "releases" {
		return
	}
	it.Account = feeds.Account{Service: feeds.GitHub, Handle: parts[0]}
	repo := u.Scheme + "://" + u.Host + "/" + parts[0] + "/" + parts[1]
	it.Artifacts = append(it.Artifacts, feeds.Artifact{Kind: feeds.Code, URL: repo})
	if !strings.Contains(strings.ToLower(it.Title), strings.ToLower(parts[1])) {
		it.Title = foldText(parts[1]+" "+it.Title, feeds.MaxTitle)
	}
}

const arxivSpace = "http://arxiv.org/schemas/atom" // https://info.arxiv.org/help/api/user-manual.html#_details_of_atom_results_returned

// extensions flattens what an entry says beyond RSS and Atom: see [Refiner].
func (r *reader) extensions(e entry) map[string][]string {
	out := make(map[string][]string)
	put := func(key, value string) {
		if value = strings.TrimSpace(value); value != "" {
			out[key] = append(out[key], value)
		}
	}
	var all ext.Extensions
	switch {
	case e.rss != nil:
		all = e.rss.Extensions
	case e.atom != nil:
		all = e.atom.Extensions
		put("rights", e.atom.Rights)
		for _, l := range e.atom.Links {
			put("link:"+l.Rel, l.Href)
			if l.Title != "" && l.Title != l.Rel {
				put("link:"+strings.ToLower(l.Title), l.Href)
			}
		}
		r.ofAuthors(e.raw, put)
	}
	for prefix, elements := range all {
		prefix = r.usual(prefix)
		for name, list := range elements {
			key := prefix + ":" + strings.ToLower(name)
			for _, x := range list {
				put(key, x.Value)
				for attr, value := range x.Attrs {
					put(key+"@"+strings.ToLower(attr), value)
				}
			}
		}
	}
	return out
}

// usual returns arXiv's usual prefix for whatever a document calls it.
func (r *reader) usual(prefix string) string {
	if prefix == arxivSpace || r.doc.prefix[prefix] == arxivSpace {
		return "arxiv"
	}
	return prefix
}

// ofAuthors reads the extension elements inside of an Atom entry's authors, which
// gofeed drops: arXiv prints affiliations there.
func (r *reader) ofAuthors(raw []byte, put func(key, value string)) {
	if !bytes.Contains(raw, []byte("affiliation")) {
		return
	}
	inside := false
	s := scanner{text: raw}
	for {
		t, ok := s.next()
		if !ok {
			return
		}
		prefix, local := t.parts(raw)
		switch {
		case bytes.EqualFold(local, []byte("author")) && t.kind != emptyTag:
			inside = t.kind == openTag
		case inside && t.kind == openTag && len(prefix) > 0:
			key := r.usual(string(prefix)) + ":" + strings.ToLower(string(local))
			start := t.end
			if end, ok := s.next(); ok && end.kind == closeTag {
				text := raw[start:end.start]
				if inner, found := bytes.CutPrefix(bytes.TrimSpace(text), []byte("<![CDATA[")); found {
					put(key, string(bytes.TrimSuffix(inner, []byte("]]>"))))
				} else {
					put(key, html.UnescapeString(string(text)))
				}
			}
		}
	}
}
