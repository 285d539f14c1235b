package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

const (
	perPage  = 20
	sampled  = 100 // works whose facets are counted
	mostOf   = 8   // values of a facet that are offered
	maxInput = 4 * query.MaxRunes
)

// An ask is what a request wants found: a query as typed, and facets chosen
// beside it. Together they are one query, and it is shown, so that clicking
// teaches the language.
type ask struct {
	Text    string
	Choices []choice
	After   string
}

// A choice is one value of a facet.
type choice struct{ Param, Value string }

func (c choice) encode() string { return url.Values{c.Param: {c.Value}}.Encode() }

// A facetKind is a property by which works can be narrowed down. Its parameter
// is also its name in the query language.
type facetKind struct {
	param, title string
	of           func(query.Subject) []string
	fixed        []string // offered whatever was found
	show         func(s *site, value string) string
}

var facetKinds = []facetKind{
	{
		param: "openness", title: "May we build on it?",
		of:   func(x query.Subject) []string { return []string{x.Openness.String()} },
		show: func(_ *site, v string) string { return opennessWords[v] },
	},
	{
		param: "country", title: "Country of the lab",
		of: func(x query.Subject) []string {
			if len(x.Countries) == 0 {
				return []string{"unknown"}
			}
			return texts(x.Countries)
		},
		show: func(s *site, v string) string {
			if c, ok := s.Registry.ParseCountry(v); ok {
				return s.Registry.CountryName(c)
			}
			if v == "unknown" {
				return "not known"
			}
			return v
		},
	},
	{
		param: "lab", title: "Lab",
		of: func(x query.Subject) []string { return texts(x.Labs) },
		show: func(s *site, v string) string {
			if l, ok := s.Registry.Lab(feeds.LabID(v)); ok {
				return l.Name
			}
			return v
		},
	},
	{param: "has", title: "What may be had", of: func(x query.Subject) []string { return texts(x.Has) }},
	{param: "kind", title: "Announced as", of: func(x query.Subject) []string { return texts(x.Kinds) }},
	{param: "source", title: "Seen at", of: func(x query.Subject) []string {
		var out []string
		for _, id := range x.Sources {
			out = append(out, sourceFacet(id))
		}
		return out
	}, show: func(_ *site, v string) string {
		return map[string]string{"hf": "Hugging Face", "hf-papers": "Hugging Face papers", "gh": "GitHub", "arxiv": "arXiv", "arxiv-query": "arXiv, by query"}[v]
	}},
	{param: "category", title: "Category", of: func(x query.Subject) []string { return x.Categories }},
	{
		param: "since", title: "First public", fixed: []string{"7d", "1mo", "3mo", "1y"},
		show: func(_ *site, v string) string {
			return cmp.Or(map[string]string{"7d": "in the last 7 days", "1mo": "in the last month", "3mo": "in the last 3 months", "1y": "in the last year"}[v], "since "+v)
		},
	},
}

var opennessWords = map[string]string{
	"open-source": "open source", "open-weights": "open weights, code or data", "restricted": "restricted", "closed": "closed", "unknown": "not known or paper only", "open": "open",
}

func texts[T ~string](in []T) []string {
	var out []string
	for _, v := range in {
		if v != "" {
			out = append(out, string(v))
		}
	}
	return out
}

// sourceFacet is the shortest name that the query language has for a source.
func sourceFacet(id feeds.SourceID) string {
	scheme, rest, _ := strings.Cut(string(id), ":")
	if u, err := url.Parse(rest); err == nil && u.Host != "" {
		return strings.TrimPrefix(strings.ToLower(u.Host), "www.")
	}
	return scheme
}

// asked reads what a request wants found.
func asked(r *http.Request) (ask, error) {
	v := r.URL.Query()
	a := ask{Text: strings.TrimSpace(v.Get("q")), After: v.Get("after")}
	size := len(a.Text)
	for _, k := range facetKinds {
		for _, value := range v[k.param] {
			value = strings.TrimSpace(value)
			c := choice{k.param, value}
			if value == "" || slices.Contains(a.Choices, c) {
				continue
			}
			if k.param == "since" { // the narrower one would win anyway; the last word does here
				a.Choices = slices.DeleteFunc(a.Choices, func(c choice) bool { return c.Param == "since" })
			}
			a.Choices = append(a.Choices, c)
			size += len(value)
		}
	}
	if !utf8.ValidString(a.Text) || strings.ContainsRune(a.Text, 0) {
		return ask{}, &lost{Status: http.StatusBadRequest, Title: "That query cannot be read", Words: "Its bytes are not UTF-8.", Links: []link{{"Search", "/search"}}}
	}
	if size > maxInput*utf8.UTFMax || len(a.Choices) > query.MaxTerms || len(a.After) > maxID {
		return ask{}, &lost{Status: http.StatusBadRequest, Title: "That query is too long", Words: fmt.Sprintf("At most %d characters are read.", query.MaxRunes), Links: []link{{"Search", "/search"}}}
	}
	return a, nil
}

// query is all of it in the query language.
func (a ask) query() string {
	if len(a.Choices) == 0 {
		return a.Text
	}
	parts := []string{}
	switch {
	case strings.Contains(a.Text, "OR"):
		parts = append(parts, "("+a.Text+")") // AND binds tighter
	case a.Text != "":
		parts = append(parts, a.Text)
	}
	for _, k := range facetKinds {
		var values []string
		for _, c := range a.Choices {
			if c.Param == k.param {
				values = append(values, quote(c.Value))
			}
		}
		if len(values) > 0 {
			parts = append(parts, k.param+":"+strings.Join(values, ","))
		}
	}
	return strings.Join(parts, " ")
}

// quote writes a value so that the query language reads it back.
func quote(v string) string {
	plain := v != "" && v[0] != '-' && strings.IndexFunc(v, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	}) < 0
	if plain {
		return v
	}
	return `"` + strings.ReplaceAll(v, `"`, "") + `"`
}

// with and without are the addresses of the same search, narrowed and widened.
func (a ask) with(c choice) string {
	cs := slices.DeleteFunc(slices.Clone(a.Choices), func(x choice) bool { return x == c || c.Param == "since" && x.Param == "since" })
	return ask{Text: a.Text, Choices: append(cs, c)}.address()
}

func (a ask) without(c choice) string {
	cs := slices.DeleteFunc(slices.Clone(a.Choices), func(x choice) bool { return x == c })
	return ask{Text: a.Text, Choices: cs}.address()
}

func (a ask) address() string {
	v := url.Values{}
	if a.Text != "" {
		v.Set("q", a.Text)
	}
	for _, c := range a.Choices {
		v.Add(c.Param, c.Value)
	}
	if a.After != "" {
		v.Set("after", a.After)
	}
	if len(v) == 0 {
		return "/search"
	}
	return "/search?" + v.Encode()
}

// A facet is a property with the values that were found.
type facet struct {
	Title  string
	Values []facetValue
}

type facetValue struct {
	Name, URL string
	Count     int
	Chosen    bool
}

// A sample is the newest works of a search, in which facets are counted.
type sample struct {
	works []digest.Work
	all   bool // there are no others
}

// A finding is the page of a search.
type finding struct {
	Ask      ask
	Explain  string // the query in English
	Combined string // the query with what was chosen beside it
	Wrong    *wrong
	Works    *listing
	Facets   []facet
	Sample   int // works that the facets were counted in
	All      bool
	Topics   []digest.Topic
	First    string // the first page, from a later one
}

// wrong says what is wrong with a query, and where.
type wrong struct {
	Column    int
	Msg, Hint string
	Caret     string
}

func (s *site) search(r *http.Request) (reply, error) {
	a, err := asked(r)
	if err != nil {
		return reply{}, err
	}
	f := finding{Ask: a}
	v := view{Title: "Search", Nav: "/search", Query: a.Text, Feeds: true}
	if a.Text != "" {
		v.Title = "Search: " + clip(a.Text, 60)
	}
	q, text, err := s.parse(r.Context(), a)
	if err != nil {
		if f.Wrong = wrongIn(err, text); f.Wrong == nil {
			return reply{}, fmt.Errorf("reading a query: %w", err)
		}
		v.Body, v.Feeds = f, false
		return s.page("search", http.StatusBadRequest, v)
	}
	v.Feed, f.Combined = text, text
	if !q.Empty() {
		f.Explain = q.Explain()
	}
	works, more, err := s.Library.Search(r.Context(), q, perPage, a.After)
	if err != nil && a.After != "" {
		if _, _, again := s.Library.Search(r.Context(), q, 1, ""); again == nil {
			return reply{}, &lost{Status: http.StatusBadRequest, Title: "That page is not of this search", Words: "Its address may not be whole.", Links: []link{{"Begin the search again", ask{Text: a.Text, Choices: a.Choices}.address()}}}
		}
	}
	if err != nil {
		return reply{}, fmt.Errorf("searching: %w", err)
	}
	if f.Works, err = s.listing(r.Context(), "Works", works); err != nil {
		return reply{}, err
	}
	f.Works.Empty = "Nothing matches. Fewer words or filters find more."
	if more != "" {
		f.Works.More = ask{a.Text, a.Choices, more}.address()
	}
	if a.After != "" {
		f.First = ask{Text: a.Text, Choices: a.Choices}.address()
		f.Works.Empty = "There are no more."
	}
	sample, err := s.samples.get(r.Context(), text, s.Now(), func(ctx context.Context) (sample, error) {
		if a.After != "" {
			works, more, err := s.Library.Search(ctx, q, sampled, "")
			return sample{works, more == ""}, err
		}
		if more == "" {
			return sample{works, true}, nil
		}
		rest, more, err := s.Library.Search(ctx, q, sampled-perPage, more)
		return sample{slices.Concat(works, rest), more == ""}, err
	})
	if err != nil {
		return reply{}, fmt.Errorf("counting facets: %w", err)
	}
	f.Facets, f.Sample, f.All = s.facets(a, sample.works), len(sample.works), sample.all
	if a.Text == "" && len(a.Choices) == 0 {
		if f.Topics, err = s.Press.Topics(r.Context()); err != nil {
			return reply{}, fmt.Errorf("reading topics: %w", err)
		}
	}
	v.Body = f
	return s.page("search", 0, v)
}

// parse reads what was asked for. The text that it returns is the one that the
// columns of an error count in: what was typed, as long as the fault is there.
func (s *site) parse(ctx context.Context, a ask) (q query.Query, text string, err error) {
	if len(a.Choices) > 0 {
		if _, err := s.Library.ParseQuery(ctx, a.Text); err != nil {
			return q, a.Text, err
		}
	}
	text = a.query()
	q, err = s.Library.ParseQuery(ctx, text)
	return q, text, err
}

// wrongIn words a fault of a query, or returns nil if the error is of another kind.
func wrongIn(err error, text string) *wrong {
	var e *query.SyntaxError
	if !errors.As(err, &e) {
		return nil
	}
	return &wrong{Column: e.Col, Msg: e.Msg, Hint: e.Hint, Caret: e.Caret(text)}
}

// words are what is wrong, for a program that asked.
func (w *wrong) words() string {
	if w.Column > 0 {
		return fmt.Sprintf("query, column %d: %s\n\n%s\n%s", w.Column, w.Msg, w.Caret, w.Hint)
	}
	return w.Msg + "\n" + w.Hint
}

// facets counts the values of each facet in a sample of what was found.
func (s *site) facets(a ask, works []digest.Work) []facet {
	var out []facet
	counts := make([]map[string]int, len(facetKinds))
	for i := range counts {
		counts[i] = map[string]int{}
	}
	for _, w := range works {
		x := digest.SubjectOf(w)
		for i, k := range facetKinds {
			if k.of == nil {
				continue
			}
			values := k.of(x)
			slices.Sort(values)
			for _, v := range slices.Compact(values) {
				counts[i][v]++
			}
		}
	}
	for i, k := range facetKinds {
		f := facet{Title: k.title}
		show := func(v string) string {
			if k.show == nil {
				return v
			}
			return cmp.Or(k.show(s, v), v)
		}
		chosen := func(v string) bool { return slices.Contains(a.Choices, choice{k.param, v}) }
		var values []string
		for v := range counts[i] {
			values = append(values, v)
		}
		slices.SortFunc(values, func(x, y string) int { return cmp.Or(cmp.Compare(counts[i][y], counts[i][x]), cmp.Compare(x, y)) })
		values = append(values[:min(len(values), mostOf)], k.fixed...)
		for _, c := range a.Choices { // a choice can be taken back, whatever it found
			if c.Param == k.param && !slices.Contains(values, c.Value) {
				values = append(values, c.Value)
			}
		}
		for _, v := range values {
			c := choice{k.param, v}
			fv := facetValue{Name: show(v), Count: counts[i][v], Chosen: chosen(v), URL: a.with(c)}
			if fv.Chosen {
				fv.URL = a.without(c)
			}
			f.Values = append(f.Values, fv)
		}
		if len(f.Values) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// clip shortens a text to most runes.
func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

// since reads the beginning of a span as the query language does.
func since(text string, now time.Time) (time.Time, error) {
	if len(text) > maxID {
		return time.Time{}, errors.New("that is too long for a date")
	}
	return query.ParseTime(text, now)
}
