package query

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"seedcorn/feeds"
)

var update = flag.Bool("update", false, "rewrite the pages of rules")

// now is a Monday.
var now = time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC)

// testNames is a small registry: enough to see what the language asks for.
var testNames = Names{
	Country: func(s string) (feeds.Country, bool) {
		switch strings.ToLower(s) {
		case "cn", "china":
			return "CN", true
		case "fr", "france":
			return "FR", true
		case "us", "united states":
			return "US", true
		case "hk", "hong kong":
			return "HK", true
		}
		return "", false
	},
	Group: func(s string) ([]feeds.Country, bool) {
		return []feeds.Country{"FR", "DE", "IT"}, strings.EqualFold(s, "eu")
	},
	Lab: func(s string) ([]feeds.LabID, bool) {
		switch strings.ToLower(s) {
		case "mistral-ai", "mistral ai", "mistral":
			return []feeds.LabID{"mistral-ai"}, true
		case "openai":
			return []feeds.LabID{"openai"}, true
		case "google":
			return []feeds.LabID{"google", "google-deepmind"}, true
		case "google-deepmind":
			return []feeds.LabID{"google-deepmind"}, true
		}
		return nil, false
	},
	License: func(s string) (string, bool) {
		switch strings.ToLower(s) {
		case "mit":
			return "MIT", true
		case "apache", "apache 2.0", "apache-2.0":
			return "Apache-2.0", true
		}
		return "", false
	},
	Topic: func(s string) (string, bool) {
		q, ok := map[string]string{
			"reasoning": `"test-time compute" OR reasoning`,
			"week":      "since:7d",
			"all":       "",
			"snake":     "tail OR topic:ring",
			"ring":      "topic:snake",
			"broken":    "a (b",
		}[s]
		return q, ok
	},
	Show: func(field, v string) string {
		return map[string]string{
			"country CN": "China", "country FR": "France", "country US": "the United States", "country EU": "the European Union",
			"lab openai": "OpenAI", "lab mistral-ai": "Mistral AI", "lab google": "Google", "lab google-deepmind": "Google DeepMind",
		}[field+" "+v]
	},
	Suggest: func(field, v string) []string {
		if field == "lab" && v == "mistrall" {
			return []string{"mistral-ai"}
		}
		return nil
	},
}

// Each page of testdata/rules is a list of queries with what the language makes of
// them: its canonical form, its meaning, its plan; or the fault and its place.
func TestRules(t *testing.T) {
	pages, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages of rules: %v", err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range a.Files {
				first, _, _ := bytes.Cut(f.Data, []byte("\n"))
				src, ok := strings.CutPrefix(string(first), ">")
				src = strings.TrimPrefix(src, " ")
				if !ok {
					t.Fatalf("%s: %q is no query", f.Name, first)
				}
				got := describe(t, src)
				if *update {
					a.Files[i].Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(page, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func describe(t *testing.T, src string) string {
	t.Helper()
	q, err := Parse(src, testNames, now)
	if err != nil {
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Fatalf("%q: error is a %T", src, err)
		}
		line, marks, _ := strings.Cut(se.Caret(src), "\n")
		if line != src { // shortened
			marks = line + "\n  " + marks
		}
		return fmt.Sprintf("> %s\n  %s\n%v\n", src, marks, se)
	}
	again, err := Parse(q.String(), testNames, now)
	if err != nil {
		t.Errorf("%q: canonical form: %v", src, err)
	}
	if diff := cmp.Diff(planString(q.Compile()), planString(again.Compile())); diff != "" || again.String() != q.String() {
		t.Errorf("%q: canonical form %q is another query: %s", src, q, diff)
	}
	var b strings.Builder
	for _, l := range [][2]string{
		{">", src},
		{"says:", q.String()},
		{"means:", q.Explain()},
		{"plan:", planString(q.Compile())},
		{"words:", strings.Join(q.Words(), " ")},
	} {
		if l[1] != "" || l[0] == ">" {
			b.WriteString(strings.TrimSpace(l[0]+" "+l[1]) + "\n")
		}
	}
	return b.String()
}

func planString(p Plan) string {
	s := "everything"
	if p.Expr != nil {
		s = exprString(p.Expr)
	}
	if !p.Since.IsZero() {
		s += " since " + p.Since.Format(time.RFC3339)
	}
	if !p.Before.IsZero() {
		s += " before " + p.Before.Format(time.RFC3339)
	}
	if !p.Exact {
		s += ", then match"
	}
	return s
}

func exprString(e Expr) string {
	list := func(parts []Expr, sep string) string {
		var out []string
		for _, p := range parts {
			out = append(out, exprString(p))
		}
		return "(" + strings.Join(out, sep) + ")"
	}
	switch e := e.(type) {
	case Term:
		if e.Prefix {
			return e.Text + "*"
		}
		return e.Text
	case All:
		return list(e, " & ")
	case Any:
		return list(e, " | ")
	case None:
		return "!" + exprString(e.Part)
	}
	return "?"
}
