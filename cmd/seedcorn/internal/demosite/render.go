package demosite

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"hash/fnv"
	htmltemplate "html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// The documents are templates, so that their form can be compared with the real
// thing by eye. Every value goes through x, which escapes it for XML.
var documents = template.Must(template.New("").Funcs(template.FuncMap{
	"x": func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
		return b.String()
	},
	"rfc822":  func(t time.Time) string { return t.Format(time.RFC1123Z) },
	"rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"join":    strings.Join,
}).ParseFS(files, "data/*.xml.tmpl"))

var pages = htmltemplate.Must(htmltemplate.ParseFS(files, "data/*.html.tmpl"))

func document(name, mime string, modified time.Time, data any) (answer, bool) {
	var b bytes.Buffer
	if err := documents.ExecuteTemplate(&b, name, data); err != nil {
		return failed(err), true
	}
	return answer{mime: mime, body: b.Bytes(), modified: modified}, true
}

func jsonAnswer(v any) (answer, bool) {
	b, err := json.Marshal(v)
	if err != nil {
		return failed(err), true
	}
	return answer{mime: "application/json; charset=utf-8", body: b}, true
}

func failed(err error) answer {
	return answer{status: http.StatusInternalServerError, mime: "text/plain; charset=utf-8", body: []byte(err.Error() + "\n")}
}

func (s *Site) index(*http.Request) (answer, bool) {
	var b bytes.Buffer
	err := pages.ExecuteTemplate(&b, "index.html.tmpl", map[string]any{"Now": s.now.Format("2 January 2006, 15:04 UTC"), "Sources": Sources("")})
	if err != nil {
		return failed(err), true
	}
	return answer{mime: "text/html; charset=utf-8", body: b.Bytes(), modified: s.now}, true
}

// A post is an entry of a feed, with its date.
type post struct {
	URL, Title, HTML, Text string
	Date                   time.Time
}

func (s *Site) feed(r *http.Request) (answer, bool) {
	i := slices.IndexFunc(s.world.feeds, func(f feedRow) bool { return f.path() == r.URL.Path })
	if i < 0 {
		return answer{}, false
	}
	f := s.world.feeds[i]
	if f.state == "broken" {
		return answer{status: http.StatusInternalServerError, mime: "text/plain; charset=utf-8", body: []byte("the database is on fire\n")}, true
	}
	var posts []post
	for _, p := range s.world.posts {
		if p.feed == f.name {
			html, text := body(p)
			posts = append(posts, post{p.url, p.title, html, text, s.at(p.days)})
		}
	}
	slices.SortStableFunc(posts, func(a, b post) int { return b.Date.Compare(a.Date) })
	newest := s.at(200) // of an empty feed
	if len(posts) > 0 {
		newest = posts[0].Date
	}
	data := map[string]any{"Title": f.title, "Site": f.site, "Self": f.path(), "Posts": posts, "Newest": newest}
	switch f.format {
	case "atom":
		return document("atom.xml.tmpl", "application/atom+xml; charset=utf-8", newest, data)
	case "json":
		a, ok := jsonAnswer(jsonFeed(f, posts))
		a.mime, a.modified = "application/feed+json", newest
		return a, ok
	}
	a, ok := document("rss.xml.tmpl", "application/rss+xml; charset=utf-8", newest, data)
	if f.state == "cut" {
		a.body = a.body[:bytes.Index(a.body, []byte("The document ends"))+20]
	}
	return a, ok
}

// body writes a post's summary and says of each link what it leads to.
func body(p postRow) (html, text string) {
	var h, t strings.Builder
	h.WriteString("<p>" + htmltemplate.HTMLEscapeString(p.summary) + "</p>")
	t.WriteString(p.summary)
	for _, l := range p.links {
		what := "Model weights"
		switch {
		case strings.Contains(l, "arxiv.org"):
			what = "Paper"
		case strings.Contains(l, "github.com"):
			what = "Code"
		}
		u := htmltemplate.HTMLEscapeString(l)
		h.WriteString("\n<p>" + what + ": <a href=\"" + u + "\">" + u + "</a></p>")
		t.WriteString("\n" + what + ": " + l)
	}
	return h.String(), t.String()
}

// jsonFeed is a feed in the form of https://www.jsonfeed.org/version/1.1/
func jsonFeed(f feedRow, posts []post) any {
	type item struct {
		ID        string `json:"id"`
		URL       string `json:"url"`
		Title     string `json:"title"`
		Text      string `json:"content_text"`
		Published string `json:"date_published"`
	}
	items := []item{}
	for _, p := range posts {
		items = append(items, item{p.URL, p.URL, p.Title, p.Text, p.Date.Format(time.RFC3339)})
	}
	return map[string]any{
		"version": "https://jsonfeed.org/version/1.1", "title": f.title, "home_page_url": f.site, "items": items,
	}
}

// A paper as arXiv's two services print it.
type paper struct {
	ID, Title, Summary, Announce, License, Comment string
	Version                                        int
	Categories                                     []string
	Authors                                        []author
	Date                                           time.Time // of the batch, in a listing
	Published, Updated                             time.Time
}

// Names are the authors as a listing prints them, in one string.
func (p paper) Names() string {
	var names []string
	for _, a := range p.Authors {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

func (s *Site) paper(row paperRow) paper {
	p := paper{
		ID: row.id, Title: row.title, Summary: row.summary, License: row.license, Comment: row.comment,
		Version: row.version, Categories: row.categories, Authors: row.authors,
		Published: s.at(row.days), Date: s.batch(),
	}
	// Papers of a batch were handed in before 14:00 Eastern of the day before.
	// Source: https://info.arxiv.org/help/availability.html
	deadline := s.batch().Add(-10 * time.Hour)
	switch {
	case row.announce == "new":
		p.Published, p.Updated = deadline, deadline
	case row.announce == "replace":
		p.Updated = deadline
	case row.version > 1:
		p.Updated = p.Published.Add(12 * time.Hour)
	default:
		p.Updated = p.Published
	}
	return p
}

// listing is the batch of some categories. A paper is new where its primary
// category is among them and a cross-list where only another one is.
// Source: https://info.arxiv.org/help/rss_specifications.html
func (s *Site) listing(r *http.Request) (answer, bool) {
	cats := strings.Split(r.PathValue("categories"), "+")
	var papers []paper
	for _, row := range s.world.papers {
		if row.announce == "" || !slices.ContainsFunc(row.categories, func(c string) bool { return slices.Contains(cats, c) }) {
			continue
		}
		p := s.paper(row)
		p.Announce = row.announce
		if !slices.Contains(cats, row.categories[0]) {
			p.Announce = map[string]string{"new": "cross", "replace": "replace-cross"}[row.announce]
		}
		papers = append(papers, p)
	}
	return document("arxiv-rss.xml.tmpl", "application/rss+xml; charset=utf-8", s.batch(),
		map[string]any{"Categories": cats, "Papers": papers, "Batch": s.batch(), "Built": s.batch().Add(5 * time.Hour).UTC()})
}

var queryTerm = regexp.MustCompile(`(all|ti|abs|cat):("[^"]*"|[^\s()]+)`)

// query answers a search: cat:, ti:, abs: and all:, every term joined by OR.
func (s *Site) query(r *http.Request) (answer, bool) {
	q := r.URL.Query()
	terms := queryTerm.FindAllStringSubmatch(q.Get("search_query"), -1)
	var papers []paper
	for _, row := range s.world.papers {
		if slices.ContainsFunc(terms, func(t []string) bool { return matches(row, t[1], strings.Trim(t[2], `"`)) }) {
			papers = append(papers, s.paper(row))
		}
	}
	slices.SortStableFunc(papers, func(a, b paper) int {
		return cmp.Or(b.Published.Compare(a.Published), cmp.Compare(b.ID, a.ID))
	})
	total := len(papers)
	start := min(atoi(q.Get("start"), 0), total)
	papers = papers[start:min(start+atoi(q.Get("max_results"), 10), total)]
	newest := s.at(200)
	for _, p := range papers {
		if p.Updated.After(newest) {
			newest = p.Updated
		}
	}
	return document("arxiv-api.xml.tmpl", "application/atom+xml; charset=utf-8", newest, map[string]any{
		"Query": q.Get("search_query"), "Papers": papers, "Total": total, "Start": start, "Updated": s.batch(),
	})
}

func matches(p paperRow, field, value string) bool {
	value = strings.ToLower(value)
	title, summary := strings.ToLower(p.title), strings.ToLower(p.summary)
	switch field {
	case "cat":
		return slices.ContainsFunc(p.categories, func(c string) bool { return strings.EqualFold(c, value) })
	case "ti":
		return strings.Contains(title, value)
	case "abs":
		return strings.Contains(summary, value)
	}
	return strings.Contains(title+"\n"+summary, value)
}

// atoi reads a count, def where there is none.
func atoi(s string, def int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return def
	}
	return min(n, 10_000)
}

// A hubRepo is a repository as https://huggingface.co/docs/hub/api prints it.
type hubRepo struct {
	MongoID      string         `json:"_id"`
	ID           string         `json:"id"`
	ModelID      string         `json:"modelId,omitempty"`
	Author       string         `json:"author"`
	SHA          string         `json:"sha"`
	LastModified string         `json:"lastModified"`
	CreatedAt    string         `json:"createdAt"`
	Private      bool           `json:"private"`
	Gated        any            `json:"gated"` // false, "auto" or "manual"
	Disabled     bool           `json:"disabled"`
	Downloads    int            `json:"downloads"`
	Likes        int            `json:"likes"`
	Tags         []string       `json:"tags"`
	Task         string         `json:"pipeline_tag,omitempty"`
	Library      string         `json:"library_name,omitempty"`
	CardData     map[string]any `json:"cardData"`
}

const hubTime = "2006-01-02T15:04:05.000Z"

func (s *Site) hubRepo(m modelRow) hubRepo {
	h := number64(m.repo)
	r := hubRepo{
		MongoID: strconv.FormatUint(h, 16), ID: m.repo, Author: owner(m.repo), SHA: strconv.FormatUint(number64(m.repo+m.license), 16),
		CreatedAt: s.at(m.days).Format(hubTime), LastModified: s.at(m.days * 0.98).Format(hubTime),
		Gated: false, Downloads: int(h % 90_000), Likes: int(h % 900), Task: m.task, CardData: map[string]any{},
	}
	if m.phase > 0 {
		r.LastModified = s.at(0.01).Format(hubTime)
	}
	if m.gated != "" {
		r.Gated = m.gated
	}
	if m.kind == "model" {
		r.ModelID, r.Library = m.repo, "transformers"
		r.Tags = append(r.Tags, "transformers", "safetensors")
	}
	if m.task != "" {
		r.Tags = append(r.Tags, m.task)
		r.CardData["pipeline_tag"] = m.task
	}
	for _, a := range m.arxiv {
		r.Tags = append(r.Tags, "arxiv:"+a)
	}
	var bases []string
	for _, b := range m.bases {
		_, name, _ := strings.Cut(b, ":")
		bases = append(bases, name)
		r.Tags = append(r.Tags, "base_model:"+name, "base_model:"+b)
	}
	if bases != nil {
		r.CardData["base_model"] = bases
	}
	if m.license != "" {
		r.Tags = append(r.Tags, "license:"+m.license)
		r.CardData["license"] = m.license
	}
	if m.licenseName != "" {
		r.CardData["license_name"] = m.licenseName
		r.CardData["license_link"] = "https://huggingface.co/" + m.repo + "/blob/main/LICENSE"
	}
	r.Tags = append(r.Tags, "region:us")
	return r
}

// number64 makes a number out of a name. Downloads, likes and stars are such
// numbers: nobody counted them.
func number64(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash does not fail
	return h.Sum64()
}

// current lists the repositories of a kind in the phase the site is in.
func (s *Site) current(kind string) []modelRow {
	phase := int(s.phase.Load())
	var out []modelRow
	for _, m := range s.world.models {
		if m.kind == kind && (m.phase < 0 || m.phase == min(phase, 1)) {
			out = append(out, m)
		}
	}
	return out
}

func (s *Site) models(kind string) func(*http.Request) (answer, bool) {
	return func(r *http.Request) (answer, bool) {
		q := r.URL.Query()
		repos := []hubRepo{}
		for _, m := range s.current(kind) {
			if a := q.Get("author"); a == "" || strings.EqualFold(a, owner(m.repo)) {
				repos = append(repos, s.hubRepo(m))
			}
		}
		slices.SortStableFunc(repos, func(a, b hubRepo) int {
			if q.Get("sort") == "createdAt" {
				return strings.Compare(b.CreatedAt, a.CreatedAt)
			}
			return strings.Compare(b.LastModified, a.LastModified)
		})
		return jsonAnswer(repos[:min(len(repos), atoi(q.Get("limit"), 1000))])
	}
}

func (s *Site) model(kind string) func(*http.Request) (answer, bool) {
	return func(r *http.Request) (answer, bool) {
		name := r.PathValue("owner") + "/" + r.PathValue("name")
		for _, m := range s.current(kind) {
			if strings.EqualFold(m.repo, name) {
				return jsonAnswer(s.hubRepo(m))
			}
		}
		return answer{}, false
	}
}

// A hubPaper is a paper as https://huggingface.co/docs/hub/paper-pages has it.
type hubPaper struct {
	ID           string      `json:"id"`
	Authors      []hubPerson `json:"authors"`
	PublishedAt  string      `json:"publishedAt"`
	OnDailyAt    string      `json:"submittedOnDailyAt"`
	Title        string      `json:"title"`
	Summary      string      `json:"summary"`
	Upvotes      int         `json:"upvotes"`
	DiscussionID string      `json:"discussionId"`
	Repo         string      `json:"githubRepo,omitempty"`
	Organization *hubOrg     `json:"organization,omitempty"`
}

type hubPerson struct {
	ID     string `json:"_id"`
	Name   string `json:"name"`
	Hidden bool   `json:"hidden"`
}

type hubOrg struct {
	ID       string `json:"_id"`
	Name     string `json:"name"`
	Fullname string `json:"fullname"`
}

func (s *Site) hubPaper(d dailyRow) hubPaper {
	p := s.paper(d.paper)
	out := hubPaper{
		ID: p.ID, PublishedAt: p.Published.UTC().Format(hubTime), OnDailyAt: s.at(d.days).Format(hubTime), Title: p.Title, Summary: p.Summary,
		Upvotes: d.upvotes, DiscussionID: strconv.FormatUint(number64("d"+p.ID), 16), Repo: d.repo,
	}
	for _, a := range p.Authors {
		out.Authors = append(out.Authors, hubPerson{ID: strconv.FormatUint(number64(a.Name), 16), Name: a.Name})
	}
	if d.org != "" {
		out.Organization = &hubOrg{strconv.FormatUint(number64(d.org), 16), d.org, d.org}
	}
	return out
}

// daily are the daily papers, newest first. A date keeps those of one day.
func (s *Site) daily(r *http.Request) (answer, bool) {
	type entry struct {
		Paper        hubPaper `json:"paper"`
		PublishedAt  string   `json:"publishedAt"`
		Title        string   `json:"title"`
		Summary      string   `json:"summary"`
		NumComments  int      `json:"numComments"`
		Organization *hubOrg  `json:"organization,omitempty"`
	}
	out := []entry{}
	for _, d := range s.world.daily {
		if day := r.URL.Query().Get("date"); day != "" && day != s.at(d.days).Format(time.DateOnly) {
			continue
		}
		p := s.hubPaper(d)
		out = append(out, entry{p, p.OnDailyAt, p.Title, p.Summary, int(number64(p.ID) % 9), p.Organization})
	}
	slices.SortStableFunc(out, func(a, b entry) int { return strings.Compare(b.PublishedAt, a.PublishedAt) })
	return jsonAnswer(out[:min(len(out), atoi(r.URL.Query().Get("limit"), 100))])
}

// paperPage is what Hugging Face knows of one paper.
func (s *Site) paperPage(r *http.Request) (answer, bool) {
	for _, d := range s.world.daily {
		if d.paper.id == r.PathValue("id") {
			return jsonAnswer(s.hubPaper(d))
		}
	}
	return answer{}, false
}

// paperRepos are the repositories whose cards cite a paper.
func (s *Site) paperRepos(r *http.Request) (answer, bool) {
	citing := func(kind string) []hubRepo {
		repos := []hubRepo{}
		for _, m := range s.current(kind) {
			if slices.Contains(m.arxiv, r.PathValue("id")) {
				repos = append(repos, s.hubRepo(m))
			}
		}
		return repos
	}
	models, datasets := citing("model"), citing("dataset")
	return jsonAnswer(map[string]any{"models": models, "datasets": datasets, "spaces": []hubRepo{}, "numTotalModels": len(models), "numTotalDatasets": len(datasets), "numTotalSpaces": 0})
}

// A gitRepo is a repository as https://docs.github.com/en/rest/repos/repos prints it.
type gitRepo struct {
	ID            uint32      `json:"id"`
	Name          string      `json:"name"`
	FullName      string      `json:"full_name"`
	Private       bool        `json:"private"`
	Owner         gitOwner    `json:"owner"`
	HTMLURL       string      `json:"html_url"`
	Description   string      `json:"description"`
	Fork          bool        `json:"fork"`
	CreatedAt     time.Time   `json:"created_at"`
	UpdatedAt     time.Time   `json:"updated_at"`
	PushedAt      time.Time   `json:"pushed_at"`
	Homepage      *string     `json:"homepage"`
	Size          int         `json:"size"`
	Stars         int         `json:"stargazers_count"`
	Language      *string     `json:"language"`
	Archived      bool        `json:"archived"`
	Disabled      bool        `json:"disabled"`
	License       *gitLicense `json:"license"`
	Topics        []string    `json:"topics"`
	Visibility    string      `json:"visibility"`
	DefaultBranch string      `json:"default_branch"`
}

type gitOwner struct {
	Login string `json:"login"`
	ID    uint32 `json:"id"`
	Type  string `json:"type"`
}

type gitLicense struct {
	Key    string  `json:"key"`
	Name   string  `json:"name"`
	SPDXID string  `json:"spdx_id"`
	URL    *string `json:"url"`
}

func (s *Site) gitRepo(row repoRow) gitRepo {
	login, name, _ := strings.Cut(row.repo, "/")
	r := gitRepo{
		ID: uint32(number64(row.repo)), Name: name, FullName: row.repo, Owner: gitOwner{login, uint32(number64(login)), "Organization"},
		HTMLURL: "https://github.com/" + row.repo, Description: row.description,
		CreatedAt: s.at(row.created), UpdatedAt: s.at(row.pushed), PushedAt: s.at(row.pushed),
		Size: int(number64(row.repo) % 9000), Stars: int(number64(row.repo) % 20_000), Topics: []string{}, Visibility: "public", DefaultBranch: "main",
	}
	if row.language != "" {
		r.Language = &row.language
	}
	switch row.license {
	case "":
	case "NOASSERTION":
		r.License = &gitLicense{Key: "other", Name: "Other", SPDXID: "NOASSERTION"}
	default:
		key := strings.ToLower(row.license)
		url := "https://api.github.com/licenses/" + key
		r.License = &gitLicense{Key: key, Name: row.license, SPDXID: row.license, URL: &url}
	}
	return r
}

func (s *Site) repos(r *http.Request) (answer, bool) {
	q := r.URL.Query()
	repos := []gitRepo{}
	for _, row := range s.world.repos {
		if strings.EqualFold(owner(row.repo), r.PathValue("org")) {
			repos = append(repos, s.gitRepo(row))
		}
	}
	if len(repos) == 0 {
		return notFound(), true
	}
	slices.SortStableFunc(repos, func(a, b gitRepo) int {
		switch q.Get("sort") {
		case "pushed", "updated":
			return b.PushedAt.Compare(a.PushedAt)
		case "full_name":
			return strings.Compare(a.FullName, b.FullName)
		}
		return b.CreatedAt.Compare(a.CreatedAt)
	})
	size := max(atoi(q.Get("per_page"), 30), 1)
	from := min((max(atoi(q.Get("page"), 1), 1)-1)*size, len(repos))
	return jsonAnswer(repos[from:min(from+size, len(repos))])
}

func (s *Site) repo(r *http.Request) (answer, bool) {
	name := r.PathValue("owner") + "/" + r.PathValue("name")
	for _, row := range s.world.repos {
		if strings.EqualFold(row.repo, name) {
			return jsonAnswer(s.gitRepo(row))
		}
	}
	return notFound(), true
}

func notFound() answer {
	return answer{
		status: http.StatusNotFound, mime: "application/json; charset=utf-8",
		body: []byte(`{"message":"Not Found","documentation_url":"https://docs.github.com/rest"}`),
	}
}

func (s *Site) releases(r *http.Request) (answer, bool) {
	name := r.PathValue("owner") + "/" + r.PathValue("name")
	type release struct {
		Tag, Title, Text string
		ID               uint32
		Date             time.Time
	}
	var out []release
	for _, row := range s.world.releases {
		if strings.EqualFold(row.repo, name) {
			out = append(out, release{row.tag, row.title, "<p>" + htmltemplate.HTMLEscapeString(row.text) + "</p>", uint32(number64(row.repo)), s.at(row.days)})
		}
	}
	if len(out) == 0 {
		return answer{}, false
	}
	slices.SortStableFunc(out, func(a, b release) int { return b.Date.Compare(a.Date) })
	_, short, _ := strings.Cut(name, "/")
	return document("releases.xml.tmpl", "application/atom+xml; charset=utf-8", out[0].Date,
		map[string]any{"Repo": name, "Name": short, "Owner": owner(name), "Releases": out, "Updated": out[0].Date})
}
