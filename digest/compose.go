package digest

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
)

// SectionKey names a section of a digest.
type SectionKey string

// The sections, in the order in which a reader wants them: what may we build on
// comes first.
const (
	SectionOpen       SectionKey = "open"       // open weights, open source
	SectionRestricted SectionKey = "restricted" // with conditions
	SectionUnclear    SectionKey = "unclear"    // released, but the license is not known
	SectionPapers     SectionKey = "papers"     // papers without artifacts that we know of
	SectionClosed     SectionKey = "closed"     // API, hosted, announced
	SectionNews       SectionKey = "news"       // posts about no artifact
	SectionRelicensed SectionKey = "relicensed" // license changes, of older works too
)

// sections says for each its title, its blurb and how many stories it shows.
var sections = []struct {
	key          SectionKey
	title, blurb string
	most         int
}{
	{SectionOpen, "Build on it", "weights, code or data under terms without limits on who, where or what for", 15},
	{SectionRelicensed, "Licenses that changed", "the same artifact, new terms", 10},
	{SectionRestricted, "Build on it, with conditions", "obtainable, but read the condition first", 10},
	{SectionUnclear, "Released, terms unclear", "no license that we could read; without one, default copyright holds", 6},
	{SectionPapers, "Papers only", "no code, weights or data that we know of", 10},
	{SectionClosed, "Look, don't touch", "behind an API, hosted, or only announced", 6},
	{SectionNews, "Also said", "posts without an artifact", 5},
}

// A Digest is what one query is told about one period. It is a value: rendering
// is for package bot, delivery for the store.
type Digest struct {
	Title    string     `json:"title"`
	Query    string     `json:"query,omitempty"`
	Period   Period     `json:"period"`
	Composed time.Time  `json:"composed"`
	Numbers  Numbers    `json:"numbers"`
	Sections []Section  `json:"sections"`
	Balance  Balance    `json:"balance"`
	Small    SmallPrint `json:"small_print"`
	Merged   int        `json:"merged,omitempty"` // periods missed and merged into this one
	Amended  time.Time  `json:"amended,omitzero"` // the latest erratum, if there is one: see [Amend]
}

// Numbers are the line under the headline.
type Numbers struct {
	Works     int `json:"works"`
	Open      int `json:"open"`
	Labs      int `json:"labs"`
	Countries int `json:"countries"`
	Sources   int `json:"sources"`
}

// A Section is a run of stories that share an answer to "may we build on it?".
type Section struct {
	Key     SectionKey `json:"key"`
	Title   string     `json:"title"`
	Blurb   string     `json:"blurb"`
	Stories []Story    `json:"stories"`
	More    int        `json:"more,omitempty"` // stories beyond the ones shown
}

// A Story is one work, worded for a digest.
type Story struct {
	Work    WorkID      `json:"work"`
	Title   string      `json:"title"`
	URL     string      `json:"url"`
	Date    time.Time   `json:"date"`
	Labs    []StoryLab  `json:"labs"`
	Badge   Badge       `json:"badge"`
	Line    string      `json:"line,omitempty"`    // one sentence of the item's own text
	Also    []StoryLink `json:"also,omitempty"`    // other places where it appeared
	Changes []Event     `json:"changes,omitempty"` // what changed in the period
	Errata  []Erratum   `json:"errata,omitempty"`  // what was found out since
	Lineage []string    `json:"lineage,omitempty"` // what it is derived from
}

// A StoryLab is a lab with the country it counts for.
type StoryLab struct {
	Lab     feeds.LabID   `json:"lab,omitempty"`
	Name    string        `json:"name"`
	Country feeds.Country `json:"country"`
	// Disputed: another source says otherwise (rule C9), and the lab is not counted.
	Disputed bool `json:"disputed,omitempty"`
}

// A Badge is the answer to "may we build on it?" in a word, the license it rests
// on and the conditions.
type Badge struct {
	Openness feeds.Openness     `json:"openness"`
	Artifact feeds.ArtifactKind `json:"artifact,omitempty"`
	License  string             `json:"license,omitempty"`
	Basis    feeds.Basis        `json:"basis,omitempty"`
	Flags    []feeds.Flag       `json:"flags,omitempty"`
}

// A StoryLink is another place where a work appeared.
type StoryLink struct {
	Name string `json:"name"` // "Hugging Face", "GitHub", "arXiv", or the source's title
	URL  string `json:"url"`
}

// SmallPrint is what a reader must know to trust the rest.
type SmallPrint struct {
	Looked int `json:"looked"` // sources that answered in the period
	// Quiet sources answered and had nothing new; broken ones could not be read.
	// They are never the same list.
	Quiet        []string `json:"quiet,omitempty"`
	Broken       []Broken `json:"broken,omitempty"`
	Known        int      `json:"country_known"` // works whose country is known
	LicenseKnown int      `json:"license_known"` // works with an artifact whose class is known
	Artifacts    int      `json:"with_artifacts"`
	Rule         string   `json:"rule"`
	Registry     string   `json:"registry,omitempty"`
}

// Broken is a source that could not be read.
type Broken struct {
	Title string    `json:"title"`
	Why   string    `json:"why"`
	Since time.Time `json:"since,omitzero"` // the last time it could be read
}

// Plan says what to compose.
type Plan struct {
	Title    string
	Query    string
	Period   Period
	Counting Counting
	Registry string         // version, for the small print
	Sources  []SourceHealth // every source that could have contributed
	Merged   int
}

// Compose makes the digest of works, which the caller has selected and put in
// order: a work belongs to the period if it became news in it, or if its license
// changed in it. The same arguments always give the same digest.
func Compose(plan Plan, works []Work, now time.Time) Digest {
	d := Digest{Title: plan.Title, Query: plan.Query, Period: plan.Period, Composed: now.UTC(), Merged: plan.Merged}
	names := map[feeds.SourceID]string{}
	for _, s := range plan.Sources {
		names[s.ID] = s.Title
	}
	byKey, total := map[SectionKey][]Story{}, map[SectionKey]int{}
	// Only what is shown is worded; what is beyond it is counted.
	tell := func(key SectionKey, w Work, changes []Event) {
		if total[key]++; total[key] > mostOf(key) {
			return
		}
		s := story(w, plan, names)
		s.Changes = changes
		byKey[key] = append(byKey[key], s)
	}
	var fresh []Work
	labs, countries, sources := map[string]bool{}, map[feeds.Country]bool{}, map[feeds.SourceID]bool{}
	for _, w := range works {
		changed := changesIn(w, plan.Period)
		if len(changed) > 0 {
			tell(SectionRelicensed, w, changed)
		}
		if !plan.Period.Contains(w.News) {
			continue
		}
		fresh = append(fresh, w)
		tell(section(w), w, nil)
		if w.Openness.Open() {
			d.Numbers.Open++
		}
		for _, a := range w.Labs {
			if a.Counts() && a.Name != "" {
				labs[a.Name] = true
			}
		}
		for _, c := range w.Countries {
			countries[c] = true
		}
		for _, p := range w.Places {
			sources[p.Source] = true
		}
		if len(w.Countries) > 0 {
			d.Small.Known++
		}
		if w.Badge != "" {
			d.Small.Artifacts++
			if w.Openness != feeds.Unknown {
				d.Small.LicenseKnown++
			}
		}
	}
	d.Numbers.Works, d.Numbers.Labs, d.Numbers.Countries, d.Numbers.Sources = len(fresh), len(labs), len(countries), len(sources)
	for _, s := range sections {
		stories := byKey[s.key]
		if len(stories) == 0 {
			continue
		}
		d.Sections = append(d.Sections, Section{Key: s.key, Title: s.title, Blurb: s.blurb, Stories: stories, More: total[s.key] - len(stories)})
	}
	if plan.Counting.Rule == "" {
		plan.Counting = Counting{Rule: RuleShare, View: feeds.ViewHome}
	}
	d.Balance = Count(fresh, plan.Counting)
	d.Balance.Registry = plan.Registry
	d.Small.Rule, d.Small.Registry = plan.Counting.Rule.Explain(), plan.Registry
	smallPrint(&d.Small, plan, sources)
	return d
}

// mostOf is how many stories a section shows.
func mostOf(key SectionKey) int {
	for _, s := range sections {
		if s.key == key {
			return s.most
		}
	}
	return 0
}

// smallPrint says which sources answered, which of them were quiet and which could not
// be read. Told are the sources of the period's stories. A source whose newest item is
// of later than the period may have said something in it, so it is not called quiet.
func smallPrint(s *SmallPrint, plan Plan, told map[feeds.SourceID]bool) {
	for _, h := range plan.Sources {
		switch {
		case h.Paused || h.LastLook.IsZero() || h.LastLook.Before(plan.Period.From):
			continue // not looked at in the period
		case h.Failures > 0:
			s.Broken = append(s.Broken, Broken{Title: h.name(), Why: h.Trouble, Since: h.LastGood})
		default:
			s.Looked++
			if h.LastItem.Before(plan.Period.From) && !told[h.ID] {
				s.Quiet = append(s.Quiet, h.name())
			}
		}
	}
	slices.Sort(s.Quiet)
	slices.SortFunc(s.Broken, func(a, b Broken) int { return strings.Compare(a.Title, b.Title) })
}

// name is what a reader calls a source: one that was never read may have no title.
func (h SourceHealth) name() string {
	if h.Title != "" {
		return h.Title
	}
	name := strings.TrimPrefix(string(h.ID), "feed:")
	return strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
}

func section(w Work) SectionKey {
	switch {
	case w.Openness.Open():
		return SectionOpen
	case w.Openness == feeds.Restricted:
		return SectionRestricted
	case w.Openness == feeds.Closed:
		return SectionClosed
	case w.Badge != "":
		return SectionUnclear
	case slices.ContainsFunc(w.Places, func(p Place) bool { return p.Kind == feeds.ItemPaper }):
		return SectionPapers
	}
	return SectionNews
}

func changesIn(w Work, p Period) []Event {
	var out []Event
	for _, e := range w.Events {
		if e.Kind == EventRelicensed && p.Contains(e.At) {
			out = append(out, e)
		}
	}
	return out
}

// StoryOf words one work outside of any digest.
func StoryOf(w Work) Story { return story(w, Plan{}, nil) }

// maxAlso is how many other places a story names.
const maxAlso = 4

func story(w Work, plan Plan, names map[feeds.SourceID]string) Story {
	s := Story{
		Work: w.ID, Title: w.Title, URL: w.URL, Date: w.First,
		Badge: Badge{Openness: w.Openness, Artifact: w.Badge, License: w.License, Flags: w.Flags},
		Line:  Sentence(w.Summary, w.Title),
	}
	for _, a := range w.Artifacts {
		if a.Kind == w.Badge && a.License == w.License {
			s.Badge.Basis = a.Basis
			break
		}
	}
	for _, a := range w.Labs {
		if !a.Counts() {
			s.Lineage = append(s.Lineage, a.Name)
			continue
		}
		c := a.Home
		if plan.Counting.View == feeds.ViewControl {
			c = a.Control
		}
		s.Labs = append(s.Labs, StoryLab{Lab: a.Lab, Name: a.Name, Country: c, Disputed: a.Disputed})
	}
	seen := map[string]bool{feeds.CanonicalURL(w.URL): true}
	also := func(name, url string) {
		if c := feeds.CanonicalURL(url); url != "" && !seen[c] && len(s.Also) < maxAlso {
			seen[c] = true
			if slices.ContainsFunc(s.Also, func(l StoryLink) bool { return l.Name == name }) {
				name = path.Base(url) // a second repository goes by its own name
			}
			s.Also = append(s.Also, StoryLink{Name: name, URL: url})
		}
	}
	for _, p := range w.Places {
		also(placeName(p, names), p.URL)
	}
	for _, a := range w.Artifacts {
		if a.Kind != feeds.Paper {
			also(siteName(a.URL, string(a.Kind)), a.URL)
		}
	}
	return s
}

func placeName(p Place, names map[feeds.SourceID]string) string {
	title := names[p.Source]
	if title == "" {
		title = string(p.Source)
		if u, err := url.Parse(p.URL); err == nil && u.Hostname() != "" {
			title = strings.TrimPrefix(u.Hostname(), "www.") // people know it better than an id of ours
		}
	}
	return siteName(p.URL, title)
}

// siteName is what people call the place of a URL, or otherwise.
func siteName(url, otherwise string) string {
	k, ok := feeds.KeyOfURL(url)
	if !ok {
		return otherwise
	}
	switch k.Scheme {
	case feeds.KeyArXiv:
		if _, _, page := feeds.ArXivID(url); !page {
			return "Hugging Face papers"
		}
		return "arXiv"
	case feeds.KeyHF:
		return "Hugging Face"
	case feeds.KeyGitHub:
		return "GitHub"
	}
	return otherwise
}
