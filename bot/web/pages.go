package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
)

// latest is how many works the page of a lab, a country or a license shows.
const latest = 15

// maxID is the longest id that is looked up, in bytes.
const maxID = 200

// byDefault is how the balance is counted unless one says otherwise.
var byDefault = digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}

// A reading is a document with the dates of its stories, and works below it.
type reading struct {
	Head  message.Document // what stands above the table of contents
	Doc   message.Document
	Dates map[string]time.Time
	Also  []group // where to go on
	Works *listing
}

// A group is a row of links.
type group struct {
	Name  string
	Links []link
}

// A listing is works that match a query.
type listing struct {
	Title   string
	Stories []storyView
	Query   string // which works: to be searched and followed by
	More    string // the page with the rest, "" if these are all
	Empty   string // what to say if there are none
}

func (s *site) listing(ctx context.Context, title string, works []digest.Work) (*listing, error) {
	names, err := s.sourceNames(ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{Title: title}
	for _, w := range works {
		l.Stories = append(l.Stories, s.story(wordedWith(names, w), w.First))
	}
	return l, nil
}

// wordedWith words a work, with the titles of sources in place of their ids.
func wordedWith(names map[string]string, w digest.Work) message.Story {
	m := bot.Story(digest.StoryOf(shown(w)))
	m.Also = slices.Clone(m.Also)
	for i, l := range m.Also {
		m.Also[i].Name = cmp.Or(names[l.Name], l.Name)
	}
	return m
}

// sourceNames are the titles of the sources, by [sourceName].
func (s *site) sourceNames(ctx context.Context) (map[string]string, error) {
	return s.titles.get(ctx, "", s.Now(), func(ctx context.Context) (map[string]string, error) {
		hs, err := s.health(ctx)
		names := map[string]string{}
		for _, h := range hs {
			names[string(sourceName(h.ID))] = h.Title
		}
		return names, err
	})
}

// digestPage is a digest to be read.
func digestPage(d digest.Digest) reading {
	doc := bot.Digest(d)
	i := max(0, slices.IndexFunc(doc.Blocks, func(b message.Block) bool {
		h, ok := b.(message.Heading)
		return ok && h.Level > 1
	}))
	return reading{Head: message.Document{Blocks: doc.Blocks[:i]}, Doc: message.Document{Blocks: doc.Blocks[i:]}, Dates: datesOf(d)}
}

func datesOf(d digest.Digest) map[string]time.Time {
	dates := map[string]time.Time{}
	for _, sec := range d.Sections {
		for _, st := range sec.Stories {
			dates[string(st.Work)] = st.Date
		}
	}
	return dates
}

// thisWeek is the digest of the last seven days.
func (s *site) thisWeek(ctx context.Context) (digest.Digest, error) {
	d, err := s.weeks.get(ctx, "", s.Now(), func(ctx context.Context) (digest.Digest, error) {
		now := s.Now()
		return s.Press.Compose(ctx, "This week in open research", "", digest.Period{From: now.AddDate(0, 0, -7), To: now}, byDefault)
	})
	if err != nil {
		return d, fmt.Errorf("composing this week: %w", err)
	}
	return d, nil
}

// warm makes what the pages show by default.
func (s *site) warm(ctx context.Context) error {
	if _, err := s.thisWeek(ctx); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/balance", http.NoBody)
	if err != nil {
		return err
	}
	a, _, err := s.ask(r)
	if err != nil {
		return err
	}
	_, err = s.counted(r, a)
	return err
}

func (s *site) week(r *http.Request) (reply, error) {
	d, err := s.thisWeek(r.Context())
	if err != nil {
		return reply{}, err
	}
	return s.page("reading", 0, view{
		Title: d.Title, Nav: "/", Feeds: true,
		Body: digestPage(d), Preview: s.previewDigest(r, d, "/week.png"),
	})
}

// maxEditions is how many past digests are listed.
const maxEditions = 100

func (s *site) digests(r *http.Request) (reply, error) {
	if s.Archive == nil {
		return s.nowhere(r)
	}
	editions, err := s.Archive.Digests(r.Context(), maxEditions)
	if err != nil {
		return reply{}, fmt.Errorf("listing digests: %w", err)
	}
	return s.page("digests", 0, view{Title: "Digests", Nav: "/digests", Body: editions})
}

func (s *site) digest(r *http.Request) (reply, error) {
	d, err := s.edition(r)
	if err != nil {
		return reply{}, err
	}
	return s.page("reading", 0, view{
		Title: d.Title, Nav: "/digests", Feeds: true, Feed: d.Query,
		Body: digestPage(d), Preview: s.previewDigest(r, d, picturePath(digest.DigestID(r.PathValue("id")))),
	})
}

// previewDigest is what a chat shows of a link to a digest, whose picture is at path.
func (s *site) previewDigest(r *http.Request, d digest.Digest, path string) *preview {
	if s.Access != Public {
		return nil
	}
	c, ok := headChart(d)
	if !ok {
		path = ""
	}
	return s.previewOf(r, bot.Digest(d).Summary, path, c)
}

// edition is the digest that a path names, or an error that is a *lost.
func (s *site) edition(r *http.Request) (digest.Digest, error) {
	id := r.PathValue("id")
	if s.Archive == nil || !fit(id) {
		_, err := s.nowhere(r)
		return digest.Digest{}, err
	}
	d, ok, err := s.Archive.Digest(r.Context(), digest.DigestID(id))
	switch {
	case err != nil:
		return d, fmt.Errorf("reading a digest: %w", err)
	case !ok:
		return d, missing("There is no such digest", "It may have gone to one person only, or its address is not whole.", link{"All digests", "/digests"}, link{"This week", "/"})
	}
	return d, nil
}

// fit reports whether an id from a path may be looked up.
func fit(id string) bool {
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}

func (s *site) work(r *http.Request) (reply, error) {
	id := r.PathValue("id")
	if !fit(id) {
		return s.nowhere(r)
	}
	works, err := s.Library.FindWorks(r.Context(), id)
	if err != nil {
		return reply{}, fmt.Errorf("looking for a work: %w", err)
	}
	if i := slices.IndexFunc(works, func(w digest.Work) bool { return string(w.ID) == id }); i >= 0 {
		works = works[i : i+1]
	}
	switch {
	case len(works) == 0:
		return reply{}, missing("There is no such work", "Its address may not be whole. Search finds works by words, labs and countries.", link{"Search", "/search"}, link{"This week", "/"})
	case len(works) > 1:
		var links []link
		for _, w := range works {
			links = append(links, link{w.Title, pathTo("work", w.ID)})
		}
		return reply{}, missing("Several works fit", "Which of these do you mean?", links...)
	case string(works[0].ID) != id: // it was merged, or only the beginning was given
		return reply{to: pathTo("work", works[0].ID)}, nil
	}
	w := shown(works[0])
	corrections, err := s.Library.Corrections(r.Context(), w.ID)
	if err != nil {
		return reply{}, fmt.Errorf("reading corrections: %w", err)
	}
	looked, err := s.Library.LookedUp(r.Context(), w)
	if err != nil {
		return reply{}, fmt.Errorf("reading what was looked up: %w", err)
	}
	names, err := s.sourceNames(r.Context())
	if err != nil {
		return reply{}, err
	}
	v := workView{Work: w, Story: s.story(wordedWith(names, w), w.First), reading: reading{Doc: bot.Why(w, corrections, looked), Also: s.around(w)}}
	// The page has its own way to show the title and the link below it.
	if h, ok := v.Doc.Blocks[0].(message.Heading); ok {
		v.Note, v.Doc.Blocks = h.Note, v.Doc.Blocks[1:]
	}
	if _, ok := v.Doc.Blocks[0].(message.Paragraph); ok {
		v.Doc.Blocks = v.Doc.Blocks[1:]
	}
	return s.page("work", 0, view{Title: w.Title, Body: v, Preview: s.previewOf(r, synopsis(w), "", message.Chart{})})
}

// A workView is a work with everything that is known of it.
type workView struct {
	reading
	Work  digest.Work
	Note  string
	Story storyView
}

// around are the pages that a work leads to.
func (s *site) around(w digest.Work) []group {
	var labs, countries, licenses, categories []link
	add := func(to *[]link, l link) {
		if !slices.Contains(*to, l) {
			*to = append(*to, l)
		}
	}
	for _, a := range w.Labs {
		if l, ok := s.Registry.Lab(a.Lab); ok {
			add(&labs, link{l.Name, pathTo("lab", l.ID)})
		}
		for _, c := range []feeds.Country{a.Home, a.Control} {
			if c != "" {
				add(&countries, link{s.Registry.CountryName(c), pathTo("country", c)})
			}
		}
	}
	for _, a := range w.Artifacts {
		if l, ok := s.Registry.License(a.License); ok && a.License != "" {
			add(&licenses, link{bot.LicenseName(l.ID), pathTo("license", l.ID)})
		}
	}
	for _, c := range w.Categories {
		add(&categories, link{c, "/search?" + choice{"category", c}.encode()})
	}
	return groups(group{"Labs", labs}, group{"Countries", countries}, group{"Licenses", licenses}, group{"Categories", categories})
}

func groups(gs ...group) []group {
	return slices.DeleteFunc(gs, func(g group) bool { return len(g.Links) == 0 })
}

// newest lists the newest works that match a query made here.
func (s *site) newest(ctx context.Context, title, text string) (*listing, error) {
	q, err := s.Library.ParseQuery(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("reading our own query %q: %w", text, err)
	}
	works, more, err := s.Library.Search(ctx, q, latest, "")
	if err != nil {
		return nil, fmt.Errorf("searching %q: %w", text, err)
	}
	l, err := s.listing(ctx, title, works)
	if err != nil {
		return nil, err
	}
	l.Query = text
	if more != "" {
		l.More = searchFor(text)
	}
	return l, nil
}

func (s *site) lab(r *http.Request) (reply, error) {
	id := r.PathValue("id")
	l, ok := s.Registry.Lab(feeds.LabID(id))
	if !ok {
		if found := s.Registry.Find(clipped(id)); len(found) == 1 {
			return reply{to: pathTo("lab", found[0].ID)}, nil
		}
		return reply{}, missing("The registry has no such lab", "Works of labs that are not in it can be searched for.", link{"All labs", "/labs"}, link{"Search", "/search"})
	}
	now := l.At(time.Time{})
	works, err := s.newest(r.Context(), "Latest works", "lab:"+quote(string(l.ID)))
	if err != nil {
		return reply{}, err
	}
	works.Empty = "We have seen no work of theirs yet."
	countries := []link{{s.Registry.CountryName(now.Home), pathTo("country", now.Home)}}
	if now.Control != now.Home {
		countries = append(countries, link{s.Registry.CountryName(now.Control), pathTo("country", now.Control)})
	}
	var family []link
	if p, ok := s.Registry.Lab(l.Parent); ok {
		family = append(family, link{p.Name, pathTo("lab", p.ID)})
	}
	for _, other := range s.Registry.Labs() {
		if l.ID != "" && other.Parent == l.ID {
			family = append(family, link{other.Name, pathTo("lab", other.ID)})
		}
	}
	return s.page("reading", 0, view{
		Title: l.Name, Nav: "/labs", Feeds: true, Feed: works.Query,
		Body: reading{Doc: bot.Lab(l), Works: works, Also: groups(group{"Countries", countries}, group{"Related labs", family})},
	})
}

// clipped is a stranger's word at a length that is worth looking up.
func clipped(s string) string {
	if !fit(s) {
		return ""
	}
	return s
}

func (s *site) country(r *http.Request) (reply, error) {
	id := r.PathValue("id")
	c, ok := feeds.Country(strings.ToUpper(id)), true
	if c != feeds.Nowhere && c != feeds.International {
		c, ok = s.Registry.ParseCountry(clipped(id))
	}
	switch {
	case !ok:
		return reply{}, missing("There is no such country", "A code such as FR works, and so does an English name.", link{"Countries and labs", "/labs"}, link{"Balance", "/balance"})
	case string(c) != id:
		return reply{to: pathTo("country", c)}, nil
	}
	labs := 0
	for _, l := range s.Registry.Labs() {
		if home(l) == c {
			labs++
		}
	}
	name := s.Registry.CountryName(c)
	code := string(c)
	if c == feeds.Nowhere {
		code = "unknown"
	}
	works, err := s.newest(r.Context(), "Latest open works", "country:"+code+" openness>=open-weights")
	if err != nil {
		return reply{}, err
	}
	works.Empty = "We have seen no open work from there yet."
	doc := message.Document{Blocks: []message.Block{
		message.Heading{Level: 1, Text: strings.TrimSpace(s.Registry.CountryFlag(c) + " " + name), Note: bot.Count(labs, "lab") + " in the registry"},
	}}
	more := []link{{"Every work, open or not", "/search?" + choice{"country", code}.encode()}}
	if labs > 0 {
		more = append(more, link{"Labs of the registry", "/labs?" + choice{"country", string(c)}.encode()})
	}
	return s.page("reading", 0, view{
		Title: name, Nav: "/labs", Feeds: true, Feed: works.Query,
		Body: reading{Doc: doc, Works: works, Also: []group{{"More", more}}},
	})
}

func (s *site) license(r *http.Request) (reply, error) {
	id := r.PathValue("id")
	l, ok := s.Registry.License(clipped(id))
	switch {
	case !ok:
		return reply{}, missing("The registry has no such license", "A license that is not known is never taken for one that it resembles.", link{"All licenses", "/licenses"})
	case l.ID != id:
		return reply{to: pathTo("license", l.ID)}, nil
	}
	works, err := s.newest(r.Context(), "Latest works under it", "license:"+quote(l.ID))
	if err != nil {
		return reply{}, err
	}
	works.Empty = "We have seen no work under it yet."
	return s.page("reading", 0, view{
		Title: l.Name, Nav: "/licenses", Feeds: true, Feed: works.Query,
		Body: reading{Doc: bot.License(l), Works: works},
	})
}

// A labsView is the page of all labs: countries with how many labs they have,
// or the labs of one country, or those with a name.
type labsView struct {
	Version string
	All     int
	Name    string // what was looked for
	Place   string // the country whose labs these are
	Labs    []labRow
	More    int // labs that fit too, and are left out
	Places  []placeRow
}

type labRow struct {
	link
	Kind    feeds.LabKind
	Country string
}

type placeRow struct {
	Name, Flag string
	Code       feeds.Country
	Labs       int
}

// mostLabs is how many labs a search by name shows.
const mostLabs = 100

func (s *site) labs(r *http.Request) (reply, error) {
	q := r.URL.Query()
	v := labsView{Version: s.Registry.Version(), Name: strings.TrimSpace(tidy(clipped(q.Get("name"))))}
	code := feeds.Country(q.Get("country"))
	if code != "" {
		c, ok := s.Registry.ParseCountry(clipped(string(code)))
		if !ok && code != feeds.Nowhere && code != feeds.International {
			return reply{}, missing("There is no such country", "A code such as FR works, and so does an English name.", link{"All labs", "/labs"})
		}
		if ok {
			code = c
		}
		v.Place = s.Registry.CountryName(code)
	}
	by := map[feeds.Country]int{}
	want := strings.ToLower(v.Name)
	for _, l := range s.Registry.Labs() {
		c := home(l)
		by[c]++
		v.All++
		switch {
		case code == "" && want == "", code != "" && code != c, want != "" && !goesBy(l, want):
			continue
		case len(v.Labs) >= mostLabs && code == "":
			v.More++
			continue
		}
		v.Labs = append(v.Labs, labRow{link{l.Name, pathTo("lab", l.ID)}, l.Kind, s.Registry.CountryName(c)})
	}
	slices.SortFunc(v.Labs, func(a, b labRow) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	if code == "" && want == "" {
		for c, n := range by {
			v.Places = append(v.Places, placeRow{s.Registry.CountryName(c), s.Registry.CountryFlag(c), c, n})
		}
		slices.SortFunc(v.Places, func(a, b placeRow) int { return cmp.Or(cmp.Compare(b.Labs, a.Labs), cmp.Compare(a.Name, b.Name)) })
	}
	return s.page("labs", 0, view{Title: "Labs", Nav: "/labs", Body: v})
}

// home is where a lab sits today.
func home(l feeds.Lab) feeds.Country { return cmp.Or(l.At(time.Time{}).Home, feeds.Nowhere) }

// goesBy reports whether part of a lab's names is want, which is in lower case.
func goesBy(l feeds.Lab, want string) bool {
	for _, names := range [][]string{{l.Name, string(l.ID)}, l.Aliases, l.Ambiguous} {
		if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(strings.ToLower(n), want) }) {
			return true
		}
	}
	return false
}

// A licenseRow is a license in the list of all.
type licenseRow struct {
	Name, URL, Caution string
	Weights            feeds.Openness
	OSI                bool
}

func (s *site) licenses(*http.Request) (reply, error) {
	var rows []licenseRow
	for _, l := range s.Registry.Licenses() {
		rows = append(rows, licenseRow{cmp.Or(l.Name, l.ID), pathTo("license", l.ID), bot.Caution(l.ID, l.Flags), l.Class, l.OSI})
	}
	slices.SortStableFunc(rows, func(a, b licenseRow) int {
		return cmp.Or(cmp.Compare(b.Weights, a.Weights), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	return s.page("licenses", 0, view{Title: "Licenses", Nav: "/licenses", Body: rows})
}

func (s *site) rules(*http.Request) (reply, error) {
	return s.page("reading", 0, view{Title: "Rules", Nav: "/rules", Body: reading{Doc: bot.Rules()}})
}

// A sourceRow is a source in the list of all.
type sourceRow struct {
	Title, Kind, Country string
	State                string // "fine", "trouble", "new", "paused", "gone"
	Words                string
	LastGood, LastItem   time.Time
}

// kindWords say how a source is read.
var kindWords = map[feeds.SourceKind]string{
	feeds.KindFeed: "feed", feeds.KindArXiv: "arXiv", feeds.KindArXivQuery: "arXiv, by query", feeds.KindHuggingFace: "Hugging Face", feeds.KindDailyPapers: "Hugging Face papers",
	feeds.KindGitHub: "GitHub", feeds.KindReleases: "GitHub releases",
}

func (s *site) health(ctx context.Context) ([]digest.SourceHealth, error) {
	hs, err := s.healths.get(ctx, "", s.Now(), s.Press.Health)
	if err != nil {
		return nil, fmt.Errorf("reading the health of sources: %w", err)
	}
	return hs, nil
}

func (s *site) sources(r *http.Request) (reply, error) {
	hs, err := s.health(r.Context())
	if err != nil {
		return reply{}, err
	}
	var rows []sourceRow
	for _, h := range hs {
		row := sourceRow{
			Title: cmp.Or(h.Title, string(sourceName(h.ID))), Kind: cmp.Or(kindWords[h.Kind], string(h.Kind)), Country: "many labs", LastGood: h.LastGood, LastItem: h.LastItem, State: "fine", Words: "answers",
		}
		if h.Country != "" {
			row.Country = s.Registry.CountryName(h.Country)
		}
		switch {
		case h.Gone:
			row.State, row.Words = "gone", "gone: "+cmp.Or(h.Trouble, "no longer there")
		case h.Paused:
			row.State, row.Words = "paused", "paused by whoever runs this"
		case h.Failures > 0:
			row.State, row.Words = "trouble", fmt.Sprintf("%s; %s in a row", cmp.Or(h.Trouble, "could not be read"), bot.Count(h.Failures, "failed visit"))
		case h.LastLook.IsZero():
			row.State, row.Words = "new", "not visited yet"
		}
		rows = append(rows, row)
	}
	order := []string{"trouble", "gone", "fine", "new", "paused"}
	slices.SortStableFunc(rows, func(a, b sourceRow) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)), cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)))
	})
	states := map[string]int{}
	for _, state := range order {
		states[state] = 0
	}
	for _, row := range rows {
		states[row.State]++
	}
	return s.page("sources", 0, view{Title: "Sources", Nav: "/sources", Body: map[string]any{
		"Rows": rows, "States": states, "Coverage": s.coverage(hs),
	}})
}

// A coverageRow says how many sources there are for a country.
type coverageRow struct {
	Country string
	Code    feeds.Country // "" for sources of many labs
	Labs    int
	Sources int
}

// coverage counts where we look: a ratio between countries is only as fair as
// the list of places one looked at.
func (s *site) coverage(hs []digest.SourceHealth) []coverageRow {
	by := map[feeds.Country]*coverageRow{}
	labs := map[feeds.LabID]bool{}
	for _, h := range hs {
		if h.Paused || h.Gone {
			continue
		}
		c := by[h.Country]
		if c == nil {
			c = &coverageRow{Country: "many labs", Code: h.Country}
			if h.Country != "" {
				c.Country = s.Registry.CountryName(h.Country)
			}
			by[h.Country] = c
		}
		c.Sources++
		if h.Lab != "" && !labs[h.Lab] {
			labs[h.Lab] = true
			c.Labs++
		}
	}
	var out []coverageRow
	for _, c := range by {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b coverageRow) int {
		return cmp.Or(cmp.Compare(b.Sources, a.Sources), cmp.Compare(a.Country, b.Country))
	})
	return out
}

func (s *site) opml(r *http.Request) (reply, error) {
	if s.OPML == nil {
		return s.nowhere(r)
	}
	var b strings.Builder
	if err := s.OPML(r.Context(), &b); err != nil {
		return reply{}, fmt.Errorf("writing the list of sources: %w", err)
	}
	return reply{kind: "text/x-opml; charset=utf-8", body: []byte(b.String()), save: "sources.opml"}, nil
}

func (s *site) nowhere(*http.Request) (reply, error) {
	return reply{}, missing("There is nothing here", "The address may be wrong, or what stood here is gone.", link{"This week", "/"}, link{"Search", "/search"}, link{"Rules", "/rules"})
}
