package web

import (
	"bytes"
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
			return found{}, faulty(w.words()), nil
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
		out.Next = s.keyed(r, s.absolute(r, r.URL.Path+"?"+v.Encode()))
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
