package demosite

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"seedcorn/feeds"
)

//go:embed data
var files embed.FS

// world is the content of data/*.txt. The head of each file explains its fields.
type world struct {
	feeds    []feedRow
	posts    []postRow
	papers   []paperRow
	daily    []dailyRow
	models   []modelRow
	repos    []repoRow
	releases []releaseRow
}

type feedRow struct {
	name, format, state string
	lab                 feeds.LabID
	official            bool
	title, site         string
}

func (f feedRow) path() string {
	ext := ".xml"
	if f.format == "json" {
		ext = ".json"
	}
	return "/feeds/" + f.name + ext
}

type postRow struct {
	feed                string
	days                float64
	url, title, summary string
	links               []string
}

type paperRow struct {
	id         string
	version    int
	announce   string  // "new", "replace", or "" for a paper that is not in the batch
	days       float64 // since its first version; 0 for a new one
	categories []string
	license    string // address
	authors    []author
	title      string
	summary    string
	comment    string
}

type author struct{ Name, Affiliation string }

type dailyRow struct {
	paper   paperRow
	days    float64
	upvotes int
	org     string
	repo    string
}

type modelRow struct {
	repo, kind           string
	days                 float64
	license, licenseName string
	gated                string
	arxiv, bases         []string
	task                 string
	phase                int // -1 means every phase
}

type repoRow struct {
	repo                  string
	created, pushed       float64
	license               string
	language, description string
}

type releaseRow struct {
	repo, tag   string
	days        float64
	title, text string
}

// licenses of papers. Source: https://info.arxiv.org/help/license/index.html
var paperLicenses = map[string]string{
	"arxiv": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
	"by":    "http://creativecommons.org/licenses/by/4.0/",
	"by-sa": "http://creativecommons.org/licenses/by-sa/4.0/",
	"nc-sa": "http://creativecommons.org/licenses/by-nc-sa/4.0/",
	"nc-nd": "http://creativecommons.org/licenses/by-nc-nd/4.0/",
	"zero":  "http://creativecommons.org/publicdomain/zero/1.0/",
}

// sample is the embedded world and its faults.
var sample = sync.OnceValues(func() (world, error) {
	var w world
	var faults []error
	each := func(name string, fields int, row func(f []string) error) {
		text, err := files.ReadFile("data/" + name)
		if err != nil {
			faults = append(faults, err)
			return
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			f := strings.Split(line, "|")
			for i := range f {
				f[i] = strings.TrimSpace(f[i])
			}
			err := fmt.Errorf("%d fields, want %d", len(f), fields)
			if len(f) == fields {
				err = row(f)
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("%s:%d: %w", name, n, err))
			}
		}
	}
	each("feeds.txt", 7, func(f []string) error {
		w.feeds = append(w.feeds, feedRow{f[0], f[1], f[2], feeds.LabID(f[3]), f[4] == "yes", f[5], f[6]})
		return oneOf(f[1], "rss", "atom", "json")
	})
	each("posts.txt", 6, func(f []string) error {
		days, err := number(f[1])
		w.posts = append(w.posts, postRow{f[0], days, f[2], f[3], f[4], strings.Fields(f[5])})
		if !slices.ContainsFunc(w.feeds, func(r feedRow) bool { return r.name == f[0] }) {
			err = errors.Join(err, fmt.Errorf("no feed %q", f[0]))
		}
		return err
	})
	each("papers.txt", 9, func(f []string) error { return w.paper(f) })
	each("daily.txt", 5, func(f []string) error {
		days, err := number(f[1])
		up, err2 := strconv.Atoi(f[2])
		i := slices.IndexFunc(w.papers, func(p paperRow) bool { return p.id == f[0] })
		if i < 0 {
			return fmt.Errorf("no paper %s", f[0])
		}
		w.daily = append(w.daily, dailyRow{w.papers[i], days, up, f[3], f[4]})
		return errors.Join(err, err2)
	})
	each("models.txt", 10, func(f []string) error {
		days, err := number(f[2])
		m := modelRow{f[0], f[1], days, f[3], f[4], f[5], strings.Fields(f[6]), strings.Fields(f[7]), f[8], -1}
		if f[9] != "" {
			m.phase, _ = strconv.Atoi(f[9])
		}
		w.models = append(w.models, m)
		return errors.Join(err, oneOf(f[1], "model", "dataset"), oneOf(f[5], "", "auto", "manual"))
	})
	each("repos.txt", 6, func(f []string) error {
		created, err := number(f[1])
		pushed, err2 := number(f[2])
		w.repos = append(w.repos, repoRow{f[0], created, pushed, f[3], f[4], f[5]})
		return errors.Join(err, err2)
	})
	each("releases.txt", 5, func(f []string) error {
		days, err := number(f[2])
		w.releases = append(w.releases, releaseRow{f[0], f[1], days, f[3], f[4]})
		return err
	})
	return w, errors.Join(faults...)
})

func (w *world) paper(f []string) error {
	version, err := strconv.Atoi(f[1])
	p := paperRow{id: f[0], version: version, categories: strings.Fields(f[3]), license: paperLicenses[f[4]], title: f[6], summary: f[7], comment: f[8]}
	when, days, hasDays := strings.Cut(f[2], " ")
	switch {
	case when == "new":
		p.announce = "new"
		if version != 1 {
			err = errors.Join(err, errors.New("a new paper has version 1"))
		}
	case when == "replace" && hasDays:
		p.announce = "replace"
		if version < 2 {
			err = errors.Join(err, errors.New("a replacement has version 2 or more"))
		}
	default:
		days = when
	}
	if when != "new" {
		d, e := number(days)
		p.days, err = d, errors.Join(err, e)
	}
	if p.license == "" {
		err = errors.Join(err, fmt.Errorf("no license %q", f[4]))
	}
	for a := range strings.SplitSeq(f[5], ";") {
		name, affiliation, ok := strings.Cut(a, "@")
		if !ok {
			err = errors.Join(err, fmt.Errorf("author %q has no affiliation", a))
		}
		p.authors = append(p.authors, author{strings.TrimSpace(name), strings.TrimSpace(affiliation)})
	}
	w.papers = append(w.papers, p)
	return err
}

func number(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err == nil && (f < 0 || f > 400) {
		err = fmt.Errorf("%s days", s)
	}
	return f, err
}

func oneOf(s string, allowed ...string) error {
	if slices.Contains(allowed, s) {
		return nil
	}
	return fmt.Errorf("%q, want one of %q", s, allowed)
}

// accounts returns what it is given without repetition, in the order of the file.
func (world) accounts(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func owner(repo string) string {
	o, _, _ := strings.Cut(repo, "/")
	return o
}

func (w world) modelOwners() (names []string) {
	for _, m := range w.models {
		names = append(names, owner(m.repo))
	}
	return names
}

func (w world) repoOwners() (names []string) {
	for _, r := range w.repos {
		names = append(names, owner(r.repo))
	}
	return names
}

func (w world) releaseRepos() (names []string) {
	for _, r := range w.releases {
		names = append(names, r.repo)
	}
	return names
}
