// Package catalog knows where the world's AI research is announced: it holds the
// starter list of sources and turns what a person types, or an OPML file says,
// into a [feeds.Source].
//
//	catalog.tsv ──┐
//	"hf:Qwen"  ───┼──> Source{ID, Kind, URL, …} ──> digest/store, which polls it
//	x.opml     ───┘                             └─> WriteOPML, Coverage
//
// The starter list is even-handed by construction: for each lab it names the
// same kinds of source wherever they exist (a feed of its own, a Hugging Face
// organization, a GitHub organization), and [Coverage] counts what that came to
// for each country, so that whoever reads a ratio can see what was looked at.
// A lab's country is not stored here. It belongs to the registry, which this
// package does not import; Coverage is handed a function.
//
// Every source has one spelling, its [feeds.SourceID], and [Parse] reads that
// spelling back. A page or API address of Hugging Face, GitHub or arXiv is taken
// for the source behind it, so that those services' manners (arXiv's three
// seconds, GitHub's sixty calls an hour) hold however the source was named.
//
// The package opens no connection. Whether an address may be fetched at all is
// the fetcher's decision.
package catalog

import (
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"seedcorn/feeds"
)

// Bases are the addresses of the services that sources are built on. They are
// configurable so that everything can be run against loopback. An empty field
// means the service's own address.
type Bases struct {
	ArXivRSS    string // https://info.arxiv.org/help/rss.html
	ArXivAPI    string // https://info.arxiv.org/help/api/user-manual.html
	HuggingFace string // https://huggingface.co/docs/hub/api
	GitHubAPI   string // https://docs.github.com/en/rest
	GitHub      string // pages and release feeds
}

// DefaultBases are the services themselves.
var DefaultBases = Bases{
	ArXivRSS:    "https://rss.arxiv.org",
	ArXivAPI:    "https://export.arxiv.org",
	HuggingFace: "https://huggingface.co",
	GitHubAPI:   "https://api.github.com",
	GitHub:      "https://github.com",
}

// filled returns b without a trailing slash anywhere, empty fields replaced by
// the defaults.
func (b Bases) filled() Bases {
	or := func(s, def string) string {
		if s == "" {
			return def
		}
		return strings.TrimRight(s, "/")
	}
	return Bases{
		ArXivRSS:    or(b.ArXivRSS, DefaultBases.ArXivRSS),
		ArXivAPI:    or(b.ArXivAPI, DefaultBases.ArXivAPI),
		HuggingFace: or(b.HuggingFace, DefaultBases.HuggingFace),
		GitHubAPI:   or(b.GitHubAPI, DefaultBases.GitHubAPI),
		GitHub:      or(b.GitHub, DefaultBases.GitHub),
	}
}

// Every returns how often a source of a kind is polled unless it says otherwise.
// It is never zero; an unknown kind is polled like a feed.
func Every(kind feeds.SourceKind) time.Duration {
	switch kind {
	case feeds.KindArXiv:
		// A batch appears once a day, at midnight Eastern; asking four times
		// finds a late one the same day.
		// https://info.arxiv.org/help/rss.html
		return 6 * time.Hour
	case feeds.KindArXivQuery:
		// "There is no need to call the API more than once in a day for the same query."
		// https://info.arxiv.org/help/api/user-manual.html#3112-start-and-max_results-paging
		return 24 * time.Hour
	case feeds.KindHuggingFace:
		// Two calls a visit; 500 calls in five minutes are free without a token.
		// https://huggingface.co/docs/hub/rate-limits
		return 2 * time.Hour
	case feeds.KindDailyPapers:
		return 2 * time.Hour // readers add papers all day long
	case feeds.KindGitHub:
		// Sixty calls an hour without a token, for everything behind one address:
		// the whole starter list must fit in well under that.
		// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
		return 6 * time.Hour
	case feeds.KindReleases:
		return 2 * time.Hour // a plain file, outside the API's limit
	default:
		return time.Hour // a blog's readers expect minutes; a digest needs a day
	}
}

// Sources returns the starter list, with addresses of the real services. The
// slice is the caller's.
func Sources() []feeds.Source { return DefaultBases.Sources() }

// Sources returns the starter list with addresses under b.
func (b Bases) Sources() []feeds.Source {
	rows, _ := starter()
	b = b.filled()
	out := make([]feeds.Source, len(rows))
	for i, r := range rows {
		out[i] = r.source(b)
	}
	return out
}

//go:embed catalog.tsv
var catalogTSV string

// starter is the embedded list and its faults. A test holds the faults at none.
var starter = sync.OnceValues(func() ([]row, error) { return load(catalogTSV) })

// starterByID finds rows of the starter list by lower-case id: account names are
// not case-sensitive on the hubs.
var starterByID = sync.OnceValue(func() map[string]row {
	rows, _ := starter()
	m := make(map[string]row, len(rows))
	for _, r := range rows {
		m[strings.ToLower(string(r.spec.id()))] = r
	}
	return m
})

// A row is a line of catalog.tsv. The file's head explains the columns.
type row struct {
	spec     spec
	title    string
	site     string // "" means the page that follows from the spec
	lab      feeds.LabID
	official bool
	every    time.Duration // 0 means the kind's default
	how      string        // how the source is known: one of howKnown
	note     string
}

// howKnown are the values of the column "known", with what each promises.
var howKnown = map[string]string{
	"read":   "a copy of the document itself was read",
	"listed": "public lists of feeds name it",
	"seen":   "the account occurs in public data about models, papers or code",
	"known":  "the lab is commonly known by it; not looked up",
}

func (r row) source(b Bases) feeds.Source {
	src := r.spec.source(b)
	src.Title, src.Lab, src.Official, src.Every = r.title, r.lab, r.official, r.every
	if r.site != "" {
		src.Site = r.site
	}
	return src
}

// load reads the catalog's text. It returns every good row, and all faults
// joined into one error.
func load(text string) ([]row, error) {
	var rows []row
	var faults []error
	line := 0
	seen := map[string]int{}
	for l := range strings.Lines(text) {
		line++
		l = strings.TrimRight(l, "\r\n")
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		r, err := parseRow(l)
		if err == nil {
			key := strings.ToLower(string(r.spec.id()))
			if first, dup := seen[key]; dup {
				err = fmt.Errorf("%s is already on line %d", r.spec.id(), first)
			}
			seen[key] = line
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("catalog line %d: %w", line, err))
			continue
		}
		rows = append(rows, r)
	}
	return rows, errors.Join(faults...)
}

func parseRow(line string) (row, error) {
	f := strings.Split(line, "\t")
	if len(f) != 8 {
		return row{}, fmt.Errorf("%d columns, want 8", len(f))
	}
	sp, err := parseSpec(f[0])
	if err != nil {
		return row{}, err
	}
	r := row{spec: sp, title: f[1], site: f[2], lab: feeds.LabID(f[3]), how: f[6], note: f[7]}
	switch {
	case r.title == "":
		return row{}, errors.New("no title")
	case f[4] != "" && f[4] != "yes":
		return row{}, fmt.Errorf("official is %q, want yes or nothing", f[4])
	case howKnown[r.how] == "":
		return row{}, fmt.Errorf("known is %q, want read, listed, seen or known", r.how)
	}
	r.official = f[4] == "yes"
	if r.site != "" {
		if u, err := url.Parse(r.site); err != nil || u.Scheme != "https" || u.Host == "" {
			return row{}, fmt.Errorf("site %q is not an https address", r.site)
		}
	} else if sp.kind == feeds.KindFeed {
		return row{}, errors.New("a feed needs a site")
	}
	if f[5] != "" {
		if r.every, err = time.ParseDuration(f[5]); err != nil || r.every < time.Minute {
			return row{}, fmt.Errorf("every is %q, want a duration of a minute or more", f[5])
		}
	}
	return r, nil
}
