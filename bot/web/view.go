package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"seedcorn/bot"
	"seedcorn/bot/chart"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
)

//go:embed page/*.html
var pageFiles embed.FS

var (
	//go:embed page/style.css
	pageCSS []byte
	//go:embed page/icon.svg
	iconSVG []byte
)

// A view is what a page is filled with.
type view struct {
	Title string // of this page
	Nav   string // the entry of the navigation that it is under
	Query string // stands in the search box
	Feed  string // the query that the page can be followed by; see Feeds
	Feeds bool   // it can be followed
	Body  any
	// Preview is what a chat shows of a link to it; nil: no more than the title.
	Preview *preview

	Site       string
	Navigation []link
	OPML       bool
	Private    bool // feed readers need private addresses
}

// A box is the form to search with.
type box struct {
	Query   string
	Choices []choice // kept when the words change
	Wrong   bool
}

// A link is a place to go to.
type link struct{ Name, URL string }

var navigation = []link{
	{"This week", "/"}, {"Search", "/search"}, {"Balance", "/balance"}, {"Labs", "/labs"}, {"Licenses", "/licenses"}, {"Sources", "/sources"}, {"Rules", "/rules"},
}

// asset serves a file that never changes under one address: the address carries
// the hash of what it says.
func asset(kind string, body []byte) handler {
	return func(r *http.Request) (reply, error) {
		out := reply{kind: kind, body: body}
		if r.URL.Query().Get("v") == hashOf(body) {
			out.cache = "public, max-age=31536000, immutable" // https://www.rfc-editor.org/rfc/rfc8246
		}
		return out, nil
	}
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// page fills the template of that name.
func (s *site) page(name string, status int, v view) (reply, error) {
	v.Site, v.OPML, v.Navigation = s.Title, s.OPML != nil, navigation
	if s.Archive != nil {
		v.Navigation = slices.Insert(slices.Clone(navigation), 1, link{"Digests", "/digests"})
	}
	if s.Access == ByLogin {
		v.Private = s.Readers != nil
		v.Navigation = append(slices.Clip(v.Navigation), link{"Account", "/login"})
	}
	var b bytes.Buffer
	if err := s.templates.ExecuteTemplate(&b, name, v); err != nil {
		return reply{}, fmt.Errorf("filling the page %q: %w", name, err)
	}
	return reply{status: status, kind: "text/html; charset=utf-8", body: b.Bytes()}, nil
}

// pages are the templates, without what a site adds.
// styleCSS is the stylesheet: the pages' own rules, and those of the pictures in them.
var styleCSS = append(bytes.Clone(pageCSS), chart.Rules...)

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"style":    func() string { return "/style.css?v=" + hashOf(styleCSS) },
	"icon":     func() string { return "/icon.svg?v=" + hashOf(iconSVG) },
	"web":      webURL,
	"day":      day,
	"date":     func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"path":     pathTo,
	"search":   searchFor,
	"text":     tidy,
	"number":   message.Number,
	"count":    bot.Count,
	"clip":     clip,
	"openness": func(o feeds.Openness) string { return opennessWords[o.String()] },
	"follow":   func(path, q string) string { return withQuery(path, "q", q) },
	"contents": contents,
	"days":     days,
	"box":      func(q string, cs []choice, wrong bool) box { return box{q, cs, wrong} },
	// What follows needs a site's registry.
	"blocks": func(message.Document, map[string]time.Time) (template.HTML, error) { return "", nil },
	"story":  func(message.Story, time.Time) storyView { return storyView{} },
}).ParseFS(pageFiles, "page/*.html"))

// ownPages are the pages with the functions that look into the site's registry.
func (s *site) ownPages() *template.Template {
	t := template.Must(pages.Clone()) // fails only after a template was executed, and pages never is
	return t.Funcs(template.FuncMap{"blocks": s.blocks, "story": s.story})
}

// blocks renders the blocks of a document, with the dates of its stories where
// they are known.
func (s *site) blocks(d message.Document, dates map[string]time.Time) (template.HTML, error) {
	v := &blockWriter{site: s, dates: dates}
	once(d).Visit(v)
	return template.HTML(v.b.String()), v.err
}

// once is d without the notes of charts below which the small print says the same.
func once(d message.Document) message.Document {
	d.Blocks = slices.Clone(d.Blocks)
	for i := range len(d.Blocks) - 1 {
		c, ok := d.Blocks[i].(message.Chart)
		small, below := d.Blocks[i+1].(message.SmallPrint)
		if ok && below && len(small.Items) > 0 && small.Items[0].String() == c.Note {
			c.Note = ""
			d.Blocks[i] = c
		}
	}
	return d
}

// A blockWriter has a template for each block of a document: the set is sealed,
// so a block that is forgotten here does not compile.
type blockWriter struct {
	site  *site
	dates map[string]time.Time
	b     bytes.Buffer
	err   error

	anchors anchors
}

type headingView struct {
	message.Heading
	ID string // for links to it
}

// Anchors gives the sections of a page names that links can lead to.
type anchors map[string]bool

func (a *anchors) of(title string) string {
	name := "s"
	for _, word := range strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		name += "-" + word
	}
	if *a == nil {
		*a = anchors{}
	}
	for (*a)[name] {
		name += "-"
	}
	(*a)[name] = true
	return name
}

// contents are the sections of a document, if it has enough to get lost among.
func contents(d message.Document) []link {
	var a anchors
	var out []link
	for _, b := range d.Blocks {
		if h, ok := b.(message.Heading); ok && h.Level > 1 {
			out = append(out, link{h.Text, "#" + a.of(h.Text)})
		}
	}
	if len(out) < 3 {
		return nil
	}
	return out
}

func (w *blockWriter) fill(name string, data any) {
	if w.err == nil {
		w.err = w.site.templates.ExecuteTemplate(&w.b, name, data)
	}
}

func (w *blockWriter) Heading(h message.Heading) {
	v := headingView{Heading: h}
	if h.Level > 1 {
		v.ID = w.anchors.of(h.Text)
	}
	w.fill("heading", v)
}

func (w *blockWriter) Paragraph(p message.Paragraph)       { w.fill("paragraph", p) }
func (w *blockWriter) List(l message.List)                 { w.fill("list", l) }
func (w *blockWriter) Fields(f message.Fields)             { w.fill("fields", f) }
func (w *blockWriter) SmallPrint(p message.SmallPrint)     { w.fill("small", p) }
func (w *blockWriter) Rule(message.Rule)                   { w.fill("rule", nil) }
func (w *blockWriter) Preformatted(p message.Preformatted) { w.fill("pre", p) }
func (w *blockWriter) Story(s message.Story)               { w.fill("a story", w.site.story(s, w.dates[s.ID])) }

// Chart draws bars of elements that are as wide as the page, and what runs through
// time as a picture.
func (w *blockWriter) Chart(c message.Chart) {
	if c.Kind == message.ChartBars {
		w.fill("a chart", chartOf(c))
		return
	}
	v, err := plotOf(c)
	if err != nil {
		w.err = cmp.Or(w.err, err)
		return
	}
	w.fill("a plot", v)
}

// Actions are commands to type elsewhere. Those that only look something up are
// links here.
func (w *blockWriter) Actions(a message.Actions) {
	var links []link
	var rest []message.Action
	for _, it := range a.Items {
		name, arg, _ := strings.Cut(it.Command, " ")
		switch name {
		case "why", "work":
			links = append(links, link{it.Label, pathTo("work", arg)})
		case "search", "preview":
			links = append(links, link{it.Label, searchFor(arg)})
		case "latest":
			links = append(links, link{it.Label, "/"})
		default:
			rest = append(rest, it)
		}
	}
	w.fill("actions", map[string]any{"Links": links, "Rest": rest})
}

// A storyView is a story with what its block leaves out.
type storyView struct {
	message.Story
	Date time.Time
	Who  []whoView
	Out  []link // where to read it
}

type whoView struct {
	message.Who
	ID feeds.LabID // "" where the registry has no such lab
}

func (s *site) story(m message.Story, date time.Time) storyView {
	out := storyView{Story: m, Date: date}
	for _, l := range append([]message.Link{{URL: m.URL}}, m.Also...) {
		// A source without a title goes by its id.
		if u := webURL(l.URL); u != "" {
			out.Out = append(out.Out, link{cmp.Or(string(sourceName(feeds.SourceID(l.Name))), hostOf(u)), u})
		}
	}
	for _, w := range m.Who {
		v := whoView{Who: w}
		if labs := s.Registry.Find(w.Lab); len(labs) == 1 && labs[0].Name == w.Lab {
			v.ID = labs[0].ID
		}
		out.Who = append(out.Who, v)
	}
	return out
}

// pathTo is the page of one thing.
func pathTo(kind string, id any) string { return "/" + kind + "/" + url.PathEscape(fmt.Sprint(id)) }

// searchFor is the page of a query.
func searchFor(q string) string { return withQuery("/search", "q", q) }

// withQuery adds a parameter that says something.
func withQuery(path, name, value string) string {
	if value == "" {
		return path
	}
	return path + "?" + url.Values{name: {value}}.Encode()
}

// webURL is a stranger's link if it may be followed, and "" otherwise.
func webURL(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	u.User = nil // "https://bank.example@evil.example/" reads like another place
	return u.String()
}

// hostOf is what a link's place is called.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
}

// tidy makes a stranger's text fit to stand in a page: no control characters, and
// none that turn the direction of what follows. A title gets a direction of its own
// from its markup.
func tidy(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r) && r != '\u200e' && r != '\u200f', unicode.Is(unicode.Noncharacter_Code_Point, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006")
}

// days are the first and the last day of a period.
func days(p digest.Period) string { return day(p.From) + " – " + day(p.To.Add(-1)) }

// sourceName is a source's id without what an address may hold that is not for
// everyone: a feed's key stands in its query.
func sourceName(id feeds.SourceID) feeds.SourceID {
	scheme, rest, ok := strings.Cut(string(id), ":")
	if u, err := url.Parse(rest); ok && err == nil && u.Host != "" {
		u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
		return feeds.SourceID(scheme + ":" + u.String())
	}
	return id
}

// shown is a work as everyone may see it.
func shown(w digest.Work) digest.Work {
	w.Places = slices.Clone(w.Places)
	for i, p := range w.Places {
		w.Places[i].Source = sourceName(p.Source)
	}
	return w
}
