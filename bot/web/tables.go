package web

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

const (
	tableWorks = 200 // works in a table unless asked otherwise
	tableMost  = 500 // a reply is made whole, so it has an end; Link says where the rest is
)

const (
	kindCSV   = "text/csv; charset=utf-8; header=present" // https://www.rfc-editor.org/rfc/rfc7111
	kindJSONL = "application/jsonl; charset=utf-8"        // https://jsonlines.org
)

// found are the works that a feed or a table is asked for.
type found struct {
	Text  string // the query
	Works []digest.Work
	Next  string // the address of the rest
}

// find searches for a feed or a table. What is wrong with a query is said as
// plain text, since a program asked.
func (s *site) find(r *http.Request, usual, most int) (found, *reply, error) {
	a, err := asked(r)
	if err != nil {
		return found{}, nil, err
	}
	limit := usual
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return found{}, faulty(fmt.Sprintf("limit is a number from 1 to %d", most)), nil
		}
		limit = n
	}
	q, text, err := s.parse(r.Context(), a)
	if err != nil {
		if w := wrongIn(err, text); w != nil {
			return found{}, faulty(fmt.Sprintf("query, column %d: %s\n\n%s\n%s", w.Column, w.Msg, w.Caret, w.Hint)), nil
		}
		return found{}, nil, fmt.Errorf("reading a query: %w", err)
	}
	works, more, err := s.Library.Search(r.Context(), q, limit, a.After)
	if err != nil && a.After != "" {
		if _, _, again := s.Library.Search(r.Context(), q, 1, ""); again == nil {
			return found{}, faulty("after does not continue this search"), nil
		}
	}
	if err != nil {
		return found{}, nil, fmt.Errorf("searching: %w", err)
	}
	for i, w := range works {
		works[i] = shown(w)
	}
	out := found{Text: text, Works: works}
	if more != "" {
		v := url.Values{"q": {text}, "after": {more}, "limit": {strconv.Itoa(limit)}}
		out.Next = s.absolute(r, r.URL.Path+"?"+v.Encode())
	}
	return out, nil, nil
}

func faulty(words string) *reply {
	return &reply{status: http.StatusBadRequest, kind: "text/plain; charset=utf-8", body: []byte(strings.TrimRight(words, "\n") + "\n"), cache: "no-store"}
}

// cell keeps a stranger's text from being run as a formula by the program that a
// table is opened with. https://owasp.org/www-community/attacks/CSV_Injection
func cell(s string) string {
	s = tidy(s)
	if s != "" && strings.ContainsRune("=+-@|", rune(s[0])) {
		return "'" + s
	}
	return s
}

func list[T ~string](in []T) string {
	return strings.Join(texts(in), " ")
}

func (s *site) worksCSV(r *http.Request) (reply, error) {
	f, bad, err := s.find(r, tableWorks, tableMost)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	rows := [][]string{{"id", "title", "url", "page", "kind", "first", "last", "labs", "lab_names", "countries", "control", "openness", "artifact", "license", "flags", "artifacts", "categories", "places", "corrected"}}
	for _, w := range f.Works {
		var labs []feeds.LabID
		var names, artifacts []string
		for _, a := range w.Labs {
			if a.Counts() {
				labs = append(labs, a.Lab)
				names = append(names, a.Name)
			}
		}
		for _, a := range w.Artifacts {
			artifacts = append(artifacts, fmt.Sprintf("%s=%s", a.Kind, a.Openness))
		}
		rows = append(rows, []string{
			string(w.ID), cell(w.Title), cell(webURL(w.URL)), s.absolute(r, pathTo("work", w.ID)), string(w.Kind), stamp(w.First), stamp(w.Last),
			cell(list(labs)), cell(strings.Join(names, "; ")), list(w.Countries), list(w.Control), w.Openness.String(), string(w.Badge), cell(w.License), list(w.Flags),
			list(artifacts), cell(list(w.Categories)), strconv.Itoa(len(w.Places)), strconv.FormatBool(w.Corrected),
		})
	}
	body, err := table(rows)
	return reply{kind: kindCSV, body: body, save: "works.csv", next: f.Next}, err
}

func deref(p *reply) reply {
	if p == nil {
		return reply{}
	}
	return *p
}

func table(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("writing a table: %w", err)
	}
	return b.Bytes(), nil
}

// lines writes values as JSON Lines.
func lines[T any](values []T) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return nil, fmt.Errorf("writing JSON lines: %w", err)
		}
	}
	return b.Bytes(), nil
}

func (s *site) worksJSONL(r *http.Request) (reply, error) {
	f, bad, err := s.find(r, tableWorks, tableMost)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	body, err := lines(f.Works)
	return reply{kind: kindJSONL, body: body, save: "works.jsonl", next: f.Next}, err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// A balanceLine is one country of a count, with everything that one must know to
// read it: a line that is copied out of the table still says how it was counted.
type balanceLine struct {
	Country feeds.Country      `json:"country"`
	Name    string             `json:"name"`
	Total   float64            `json:"total"`
	Open    float64            `json:"open"`
	Classes map[string]float64 `json:"classes"`
	digest.Counting
	Query    string `json:"query,omitempty"`
	From     string `json:"from"`
	To       string `json:"to"`
	Works    int    `json:"works"`
	Known    int    `json:"country_known"`
	Unknown  int    `json:"country_unknown"`
	Disputed int    `json:"disputed"`
	Sources  int    `json:"sources"`
	Registry string `json:"registry"`
}

func (s *site) balanceLines(r *http.Request) ([]balanceLine, *reply, error) {
	t, b, bad, err := s.tallied(r)
	if err != nil {
		return nil, nil, err
	}
	if bad != nil {
		words := bad.Msg
		if bad.Column > 0 {
			words = fmt.Sprintf("query, column %d: %s\n\n%s", bad.Column, bad.Msg, bad.Caret)
		}
		return nil, faulty(words + "\n" + bad.Hint), nil
	}
	hs, err := s.health(r.Context())
	if err != nil {
		return nil, nil, err
	}
	sources := 0
	for _, c := range s.coverage(hs) {
		sources += c.Sources
	}
	var out []balanceLine
	for _, row := range b.Rows {
		l := balanceLine{
			Country: row.Country, Name: s.Registry.CountryName(row.Country), Total: row.Total, Open: row.Open, Classes: map[string]float64{},
			Counting: b.Counting, Query: t.Query, From: t.From.UTC().Format(time.DateOnly), To: t.To.UTC().Format(time.DateOnly),
			Works: b.Works, Known: b.Known, Unknown: b.Unknown, Disputed: b.Disputed, Sources: sources, Registry: cmp.Or(b.Registry, s.Registry.Version()),
		}
		for _, c := range classes {
			l.Classes[c.String()] = row.ByClass[c]
		}
		out = append(out, l)
	}
	return out, nil, nil
}

func (s *site) balanceCSV(r *http.Request) (reply, error) {
	ls, bad, err := s.balanceLines(r)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	head := []string{"country", "name", "total", "open"}
	for _, c := range classes {
		head = append(head, c.String())
	}
	rows := [][]string{append(head, "rule", "view", "companies_only", "query", "from", "to", "works", "country_known", "country_unknown", "disputed", "sources", "registry")}
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	for _, l := range ls {
		row := []string{string(l.Country), l.Name, number(l.Total), number(l.Open)}
		for _, c := range classes {
			row = append(row, number(l.Classes[c.String()]))
		}
		rows = append(rows, append(row,
			string(l.Rule), string(l.View), strconv.FormatBool(l.Companies), cell(l.Query), l.From, l.To,
			strconv.Itoa(l.Works), strconv.Itoa(l.Known), strconv.Itoa(l.Unknown), strconv.Itoa(l.Disputed), strconv.Itoa(l.Sources), l.Registry,
		))
	}
	body, err := table(rows)
	return reply{kind: kindCSV, body: body, save: "balance.csv"}, err
}

func (s *site) balanceJSONL(r *http.Request) (reply, error) {
	ls, bad, err := s.balanceLines(r)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	body, err := lines(ls)
	return reply{kind: kindJSONL, body: body, save: "balance.jsonl"}, err
}
