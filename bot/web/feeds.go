package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

const (
	feedWorks = 50
	feedMost  = 200
)

// The parts of an Atom feed that we write. https://www.rfc-editor.org/rfc/rfc4287
type (
	atomFeed struct {
		XMLName   xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		ID        string      `xml:"id"`
		Title     string      `xml:"title"`
		Subtitle  string      `xml:"subtitle,omitempty"`
		Updated   string      `xml:"updated"`
		Links     []atomLink  `xml:"link"`
		Generator string      `xml:"generator"`
		Author    atomPerson  `xml:"author"` // of the feed; entries have their own
		Entries   []atomEntry `xml:"entry"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomEntry struct {
		ID         string         `xml:"id"`
		Title      string         `xml:"title"`
		Updated    string         `xml:"updated"`
		Published  string         `xml:"published"`
		Authors    []atomPerson   `xml:"author"`
		Links      []atomLink     `xml:"link"`
		Categories []atomCategory `xml:"category"`
		Summary    string         `xml:"summary"` // plain text, the default type
		Content    *atomContent   `xml:"content"`
	}
	atomContent struct {
		Type string `xml:"type,attr"`
		Body string `xml:",chardata"`
	}
	atomPerson struct {
		Name string `xml:"name"`
	}
	atomCategory struct {
		Term   string `xml:"term,attr"`
		Scheme string `xml:"scheme,attr,omitempty"`
	}
)

// feedTitle names a feed by its query.
func (s *site) feedTitle(text string) string {
	if text == "" {
		return s.Title + ": all works"
	}
	return s.Title + ": " + tidy(text)
}

// titled is a title for programs, some of which take an entry without one for broken.
func titled(title string) string { return cmp.Or(strings.TrimSpace(tidy(title)), "without a title") }

// unnamed is the author of a work of no lab that is known: Atom wants one.
const unnamed = "lab not known"

func authors(w digest.Work) []string {
	var out []string
	for _, a := range w.Labs {
		if a.Counts() && a.Name != "" {
			out = append(out, tidy(a.Name))
		}
	}
	if len(out) == 0 {
		return []string{unnamed}
	}
	return out
}

// synopsis is a work in a few lines of plain text.
func synopsis(w digest.Work) string {
	st := bot.Story(digest.StoryOf(w))
	var who []string
	for _, x := range st.Who {
		if x.Place != "" {
			who = append(who, x.Lab+" ("+x.Place+")")
		} else {
			who = append(who, x.Lab)
		}
	}
	line := cmp.Or(strings.Join(who, ", "), unnamed) + ". " + st.Badge
	if st.Caution != "" {
		line += " (" + st.Caution + ")"
	}
	line += "."
	for _, more := range []string{st.Note, st.Line} {
		if more != "" {
			line += "\n" + more
		}
	}
	return strings.Map(func(r rune) rune { // line breaks are ours
		if r == 0 {
			return -1
		}
		return r
	}, line)
}

// updated is when the newest thing in a feed happened. A feed without entries
// says the day, so that it stays the same for a reader who comes back.
func (s *site) updated(works []digest.Work) time.Time {
	var last time.Time
	for _, w := range works {
		last = latestOf(last, changed(w))
	}
	if last.IsZero() {
		last = s.Now().UTC().Truncate(24 * time.Hour)
	}
	return last
}

// changed is when the newest thing happened to a work, a correction among them.
func changed(w digest.Work) time.Time {
	last := latestOf(w.First, w.Last)
	for _, e := range w.Events {
		last = latestOf(last, e.At)
	}
	return last
}

// tag names a thing for ever: unlike an address it stays when the pages come to be
// asked by another scheme, port or path. https://www.rfc-editor.org/rfc/rfc4151
func (s *site) tag(r *http.Request, thing string) string {
	host := "localhost" // which an address of IPv6 stands for: it can't be in a tag
	if u, err := url.Parse(s.absolute(r, "/")); err == nil && u.Hostname() != "" && !strings.Contains(u.Hostname(), ":") {
		host = strings.ToLower(u.Hostname())
	}
	return "tag:" + host + ",2026:" + thing
}

func (s *site) workTag(r *http.Request, id digest.WorkID) string {
	return s.tag(r, "work/"+url.PathEscape(string(id)))
}

func (s *site) digestTag(r *http.Request, id digest.DigestID) string {
	return s.tag(r, "digest/"+url.PathEscape(string(id)))
}

func latestOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *site) atom(r *http.Request) (reply, error) {
	f, bad, err := s.find(r, feedWorks, feedMost)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	self := s.absolute(r, withQuery("/feed.atom", "q", f.Text))
	feed := atomFeed{
		ID: s.tag(r, withQuery("works", "q", f.Text)), Title: s.feedTitle(f.Text), Author: atomPerson{s.Title}, Subtitle: "AI research with the country of the lab and the openness of the license", Updated: stamp(s.updated(f.Works)), Generator: "Seedcorn",
		Links: []atomLink{{"self", "application/atom+xml", s.keyed(r, self)}, {"alternate", "text/html", s.absolute(r, searchFor(f.Text))}},
	}
	if f.Next != "" {
		feed.Links = append(feed.Links, atomLink{"next", "application/atom+xml", f.Next}) // https://www.rfc-editor.org/rfc/rfc5005
	}
	for _, w := range f.Works {
		page := s.absolute(r, pathTo("work", w.ID))
		e := atomEntry{
			ID: s.workTag(r, w.ID), Title: titled(w.Title), Updated: stamp(changed(w)), Published: stamp(w.First), Summary: synopsis(w),
			Links: []atomLink{{"alternate", "text/html", page}},
		}
		if u := webURL(w.URL); u != "" {
			e.Links = append(e.Links, atomLink{Rel: "related", Href: u})
		}
		for _, a := range authors(w) {
			e.Authors = append(e.Authors, atomPerson{a})
		}
		for _, t := range tagsOf(w) {
			e.Categories = append(e.Categories, atomCategory{Term: t})
		}
		feed.Entries = append(feed.Entries, e)
	}
	return encodeAtom(feed)
}

func encodeAtom(feed atomFeed) (reply, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", " ")
	if err := enc.Encode(feed); err != nil {
		return reply{}, fmt.Errorf("writing Atom: %w", err)
	}
	return reply{kind: "application/atom+xml; charset=utf-8", body: b.Bytes()}, nil
}

func encodeJSONFeed(feed jsonFeed) (reply, error) {
	body, err := json.MarshalIndent(feed, "", " ")
	if err != nil {
		return reply{}, fmt.Errorf("writing a JSON feed: %w", err)
	}
	return reply{kind: "application/feed+json; charset=utf-8", body: body}, nil
}

// tagsOf are the tags of a work as the query language writes them.
func tagsOf(w digest.Work) []string {
	tags := []string{"openness:" + w.Openness.String(), "kind:" + string(w.Kind)}
	for _, c := range w.Countries {
		tags = append(tags, "country:"+string(c))
	}
	for _, a := range w.Labs {
		if a.Counts() && a.Lab != "" {
			tags = append(tags, "lab:"+string(a.Lab))
		}
	}
	for _, c := range w.Categories {
		tags = append(tags, "category:"+tidy(c))
	}
	return tags
}

const jsonFeedVersion = "https://jsonfeed.org/version/1.1"

// A JSON Feed. https://www.jsonfeed.org/version/1.1/
type (
	jsonFeed struct {
		Version     string     `json:"version"`
		Title       string     `json:"title"`
		HomePageURL string     `json:"home_page_url"`
		FeedURL     string     `json:"feed_url"`
		Description string     `json:"description"`
		NextURL     string     `json:"next_url,omitempty"`
		Items       []jsonItem `json:"items"`
	}
	jsonItem struct {
		ID          string       `json:"id"`
		URL         string       `json:"url"`
		ExternalURL string       `json:"external_url,omitempty"`
		Title       string       `json:"title"`
		ContentText string       `json:"content_text"`
		Image       string       `json:"image,omitempty"`
		Published   string       `json:"date_published"`
		Modified    string       `json:"date_modified"`
		Authors     []jsonAuthor `json:"authors"`
		Tags        []string     `json:"tags"`
	}
	jsonAuthor struct {
		Name string `json:"name"`
	}
)

func (s *site) jsonFeed(r *http.Request) (reply, error) {
	f, bad, err := s.find(r, feedWorks, feedMost)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	feed := jsonFeed{
		Version: jsonFeedVersion, Title: s.feedTitle(f.Text), HomePageURL: s.absolute(r, searchFor(f.Text)),
		FeedURL: s.keyed(r, s.absolute(r, withQuery("/feed.json", "q", f.Text))), Description: "AI research with the country of the lab and the openness of the license",
		NextURL: f.Next, Items: []jsonItem{},
	}
	for _, w := range f.Works {
		page := s.absolute(r, pathTo("work", w.ID))
		it := jsonItem{
			ID: s.workTag(r, w.ID), URL: page, ExternalURL: webURL(w.URL), Title: titled(w.Title), ContentText: synopsis(w),
			Published: stamp(w.First), Modified: stamp(changed(w)), Tags: tagsOf(w),
		}
		for _, a := range authors(w) {
			it.Authors = append(it.Authors, jsonAuthor{a})
		}
		feed.Items = append(feed.Items, it)
	}
	return encodeJSONFeed(feed)
}

// feedEditions is how many digests their feed has.
const feedEditions = 20

func (s *site) editions(r *http.Request) ([]Edition, time.Time, error) {
	editions, err := s.Archive.Digests(r.Context(), feedEditions)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("listing digests: %w", err)
	}
	last := s.updated(nil)
	for i, e := range editions {
		if at := amended(e); i == 0 || at.After(last) {
			last = at
		}
	}
	return editions, last, nil
}

// amended is when a digest was composed, or corrected since.
func amended(e Edition) time.Time {
	if e.Amended.After(e.Composed) {
		return e.Amended
	}
	return e.Composed
}

// digestsAtom and digestsJSON are feeds of the digests, one entry for each.
func (s *site) digestsAtom(r *http.Request) (reply, error) {
	if s.Archive == nil {
		return s.nowhere(r)
	}
	editions, last, err := s.editions(r)
	if err != nil {
		return reply{}, err
	}
	self := s.absolute(r, "/digests.atom")
	feed := atomFeed{
		ID: s.tag(r, "digests"), Title: s.Title + ": digests", Author: atomPerson{s.Title}, Updated: stamp(last), Generator: "Seedcorn",
		Links: []atomLink{{"self", "application/atom+xml", self}, {"alternate", "text/html", s.absolute(r, "/digests")}},
	}
	for _, e := range editions {
		page := s.absolute(r, pathTo("digest", e.ID))
		x := atomEntry{
			ID: s.digestTag(r, e.ID), Title: editionTitle(e), Updated: stamp(amended(e)), Published: stamp(e.Composed), Summary: tidy(bot.Digest(e.Digest).Summary),
			Authors: []atomPerson{{s.Title}}, Links: []atomLink{{"alternate", "text/html", page}},
		}
		if pic, ok := s.pictureOf(r, e); ok {
			x.Content = &atomContent{"html", "<p>" + html.EscapeString(x.Summary) + "</p>\n<p><a href=\"" + html.EscapeString(page) + "\"><img src=\"" + html.EscapeString(pic.URL) + "\" alt=\"" + html.EscapeString(pic.Name) + "\"></a></p>"}
		}
		feed.Entries = append(feed.Entries, x)
	}
	return encodeAtom(feed)
}

func (s *site) digestsJSON(r *http.Request) (reply, error) {
	if s.Archive == nil {
		return s.nowhere(r)
	}
	editions, _, err := s.editions(r)
	if err != nil {
		return reply{}, err
	}
	feed := jsonFeed{
		Version: jsonFeedVersion, Title: s.Title + ": digests", HomePageURL: s.absolute(r, "/digests"), FeedURL: s.absolute(r, "/digests.json"), Description: "What was sent, newest first", Items: []jsonItem{},
	}
	for _, e := range editions {
		page := s.absolute(r, pathTo("digest", e.ID))
		it := jsonItem{
			ID: s.digestTag(r, e.ID), URL: page, Title: editionTitle(e), ContentText: tidy(bot.Digest(e.Digest).Summary), Published: stamp(e.Composed), Modified: stamp(amended(e)),
			Authors: []jsonAuthor{{s.Title}}, Tags: []string{},
		}
		if pic, ok := s.pictureOf(r, e); ok {
			it.Image = pic.URL
		}
		feed.Items = append(feed.Items, it)
	}
	return encodeJSONFeed(feed)
}

// pictureOf is the picture of a digest with its words, where whoever reads the feed can
// have it: a feed reader shows no cookie.
func (s *site) pictureOf(r *http.Request, e Edition) (link, bool) {
	c, ok := headChart(e.Digest)
	if !ok || s.Access != Public {
		return link{}, false
	}
	return link{tidy(c.Alt), s.absolute(r, picturePath(e.ID))}, true
}

// editionTitle tells one week's digest from the next.
func editionTitle(e Edition) string {
	return tidy(e.Title) + ", " + day(e.Period.From) + " – " + day(e.Period.To)
}
