package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func TestFold(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{" — … ", ""},
		{"Test-Time Compute", "test time compute"},
		{"GPT-4o, Qwen2.5 & C++", "gpt 4o qwen2 5 c"},
		{"naïve Résumé ŁÓDŹ Straße Ærø", "naive resume lodz strasse aero"},
		{"ﬁne ｆｕｌｌ x² Ⅷ", "fine full x2 viii"},
		{"Llama™ 3®", "llama 3"},
		{"soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"},
		{"β-VAE lossλ", "β vae loss λ"},
		{"深度学习 GPT模型", "深 度 学 习 gpt 模 型"},
		{"データ が ｶﾞ", "デ ー タ が ガ"},
		{"한국어 모델", "한 국 어 모 델"},
		{"Ελλάς ΣΟΦΌΣ", "ελλασ σοφοσ"},
		{"Йод ёлка", "иод елка"},
		{"हिन्दी", "हिन्दी"},
		{"İstanbul ışık", "istanbul isik"},
		{"bad \xff\xfe bytes", "bad bytes"},
	} {
		if got := strings.Join(Fold(tt.text), " "); got != tt.want {
			t.Errorf("Fold(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := Fold(strings.Repeat("a", 200)); len(got) != 1 || len(got[0]) != maxWord {
		t.Errorf("a word of 200 letters folds to %q", got)
	}
}

func TestMatch(t *testing.T) {
	s := Subject{
		Text:       []string{"Scaling Test-Time Compute", "We train GPT-4o and Qwen 2.5 on 深度学习. It is open.", "Mistral AI"},
		Countries:  []feeds.Country{"CN", "FR"},
		Labs:       []feeds.LabID{"mistral-ai"},
		Openness:   feeds.OpenWeights,
		Kinds:      []feeds.ItemKind{feeds.ItemPaper, feeds.ItemModel},
		Sources:    []feeds.SourceID{"arxiv:cs.CL", "feed:https://www.openai.com/news/rss.xml"},
		Categories: []string{"cs.CL", "stat.ML"},
		Licenses:   []string{"Apache-2.0"},
		Has:        []feeds.ArtifactKind{feeds.Paper, feeds.Weights},
		Date:       time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC),
	}
	for _, tt := range []struct {
		query string
		want  bool
	}{
		{``, true},
		{`scaling compute`, true},
		{`scaling missing`, false},
		{`"test time compute"`, true},
		{`"compute time"`, false},
		{`"compute we"`, false}, // a phrase does not run from title to summary
		{`testtime test-time "test-time"`, true},
		{`gpt4o`, true},
		{`gpt-4o`, true},
		{`"gpt4o"`, true}, // the joined compound
		{`qwen2.5`, true},
		{`qwen-2.5`, true},
		{`qwen2`, true},
		{`"qwen2"`, false},
		{`深度`, true},
		{`度深`, false},
		{`scal* gpt-4*`, true},
		{`"scal"`, false},
		{`SCALING AND (missing OR mistral)`, true},
		{`NOT scaling`, false},
		{`country:FR`, true},
		{`country:US,DE`, false},
		{`country:unknown`, false},
		{`lab:Mistral-AI`, true},
		{`openness:open openness>=restricted openness<open-source`, true},
		{`openness>open-weights`, false},
		{`kind:model kind:paper -kind:post`, true},
		{`source:arxiv source:arxiv:cs.cl source:openai.com source:feed`, true},
		{`source:hf`, false},
		{`category:stat category:cs.CL`, true},
		{`category:math`, false},
		{`license:apache-2.0`, true},
		{`has:code,weights`, true},
		{`has:code has:weights`, false},
		{`since:7d`, true},
		{`before:7d`, false},
		{`since:6d`, false},
		{`-since:6d`, true},
	} {
		q, err := Parse(tt.query, Names{}, now)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if got := q.Match(s); got != tt.want {
			t.Errorf("Match(%s) = %v, want %v", tt.query, got, tt.want)
		}
		if p := q.Compile(); tt.want && !selects(p, s) {
			t.Errorf("the plan of %s does not select the subject: %s", tt.query, planString(p))
		}
	}
	// What is unknown satisfies no comparison, and every negation of one.
	unknown := Subject{}
	for query, want := range map[string]bool{
		"openness>=closed": false, "openness<=open-source": false, "openness<open": false, "openness:unknown": true,
		"-openness:open": true, "country:XX": true, "-country:CN": true,
	} {
		if got := mustParse(t, query).Match(unknown); got != want {
			t.Errorf("of nothing known, Match(%s) = %v, want %v", query, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	zone := time.FixedZone("east", 9*3600)
	for _, tt := range []struct {
		text string
		now  time.Time
		want string
	}{
		{"today", now, "2026-11-23T00:00:00Z"},
		{"Yesterday", now, "2026-11-22T00:00:00Z"},
		{"monday", now, "2026-11-23T00:00:00Z"},
		{"tuesday", now, "2026-11-17T00:00:00Z"},
		{"36h", now, "2026-11-21T22:30:00Z"},
		{"7d", now, "2026-11-16T00:00:00Z"},
		{"2w", now, "2026-11-09T00:00:00Z"},
		{"3mo", time.Date(2026, 5, 31, 5, 0, 0, 0, time.UTC), "2026-02-28T00:00:00Z"},
		{"1y", time.Date(2028, 2, 29, 5, 0, 0, 0, time.UTC), "2027-02-28T00:00:00Z"},
		{"2026", now, "2026-01-01T00:00:00Z"},
		{"2026-02", now, "2026-02-01T00:00:00Z"},
		{"2026-02-03", now, "2026-02-03T00:00:00Z"},
		{"2026-02-03T04:05:06Z", now, "2026-02-03T04:05:06Z"},
		{"7d", now.In(zone), "2026-11-16T00:00:00+09:00"},
		{"2026-02-03", now.In(zone), "2026-02-03T00:00:00+09:00"},
		{"9999y", now, ""},
		{"0000", now, ""},
		{"2026-02-30", now, ""},
		{"-7d", now, ""},
	} {
		got := ""
		if at, _, ok := parseDate(tt.text, tt.now); ok {
			got = at.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%s at %s is %q, want %q", tt.text, tt.now.Format(time.RFC3339), got, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, query, want string
	}{
		{"long", strings.Repeat("é", MaxRunes+1), "2001 characters"},
		{"deep", strings.Repeat("(", MaxDepth+1) + "a", "50 levels"},
		{"deep negation", strings.Repeat("-", MaxDepth+1) + "a", "50 levels"},
		{"many words", strings.Repeat("a ", MaxTerms+1), "200 words"},
		{"many values", "lab:" + strings.Repeat("a,", MaxTerms) + "a", "200 words"},
		{"one long phrase", `"` + strings.Repeat("a ", MaxTerms+1) + `"`, "200 words"},
	} {
		_, err := Parse(tt.query, Names{}, now)
		var se *SyntaxError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want %q", tt.name, err, tt.want)
			continue
		}
		if c := se.Caret(tt.query); utf8.RuneCountInString(c) > 160 || !strings.Contains(c, "^") {
			t.Errorf("%s: caret is %q", tt.name, c)
		}
	}
	// What stands within the limits is read.
	for _, query := range []string{
		strings.Repeat("a", MaxRunes), strings.Repeat("(", MaxDepth-1) + "a" + strings.Repeat(")", MaxDepth-1), strings.Repeat("a ", MaxTerms),
	} {
		if _, err := Parse(query, Names{}, now); err != nil {
			t.Errorf("%.20s…: %v", query, err)
		}
	}
	// Topics that multiply: a billion of them behind one name.
	names := Names{Topic: func(s string) (string, bool) {
		if s == "t30" {
			return "", true
		}
		var n int
		_, err := fmt.Sscanf(s, "t%d", &n)
		return fmt.Sprintf("topic:t%d topic:t%d", n+1, n+1), err == nil
	}}
	if _, err := Parse("topic:t0", names, now); err == nil || !strings.Contains(err.Error(), "200 words") {
		t.Errorf("multiplying topics: error is %v", err)
	}
}

// Every way to write a set of classes must be read as that set.
func TestClassNames(t *testing.T) {
	for set := classes(1); int(set) < len(classNames); set++ {
		q := mustParse(t, classNames[set])
		if q.root != set {
			t.Errorf("%s is read as %v, want %v", classNames[set], q.root, set)
		}
	}
}

func TestTerms(t *testing.T) {
	s := Subject{
		Text:     []string{"GPT-4o xgboost", "gpt 深λ xall"},
		Labs:     []feeds.LabID{"mistral-ai", "ror:03cve4549"},
		Openness: feeds.OpenSource,
		Sources:  []feeds.SourceID{feeds.SourceID("feed:https://example.org/" + strings.Repeat("a", 99))},
	}
	got := Terms(s)
	want := []string{
		"4o", "gpt", "gpt4o", "xall", "xcountryxx", "xlabmistralz2dai", "xlabrorz3a03cve4549", "xopennessopenz2dsource",
		"xsourceexamplez2eorg", "xsourcefeed", "xsourcezh", "xucebb", "xue6b7b1", "xwxall", "xwxgboost",
	}
	for i, term := range got {
		if strings.HasPrefix(term, "xsourcezh") {
			got[i] = "xsourcezh"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	// No field's tokens can be taken for another's, or for a word.
	marks := []string{Everything, "xu", "xw"}
	for _, f := range filters {
		marks = append(marks, "x"+string(f))
	}
	for i, a := range marks {
		for j, b := range marks {
			if i != j && strings.HasPrefix(a, b) {
				t.Errorf("%q begins with %q", a, b)
			}
		}
	}
}

// A small world, so that random queries often match random subjects.
var (
	someWords = []string{
		"test", "time", "test-time", "gpt-4o", "gpt4o", "gpt", "4o", "qwen2.5", "qwen", "2.5", "xall", "xray", "x", "深度", "学习", "β-vae", "don't", "naïve",
	}
	someCountries = []feeds.Country{"CN", "FR", "US"}
	someLabs      = []feeds.LabID{"openai", "mistral-ai", "z-ai"}
	someKinds     = []feeds.ItemKind{feeds.ItemPost, feeds.ItemPaper, feeds.ItemModel}
	someHave      = []feeds.ArtifactKind{feeds.Code, feeds.Weights}
	someSources   = []feeds.SourceID{"arxiv:cs.CL", "hf:Qwen", "feed:https://openai.com/rss"}
	someDates     = []string{"2026-11-01", "2026-11-10", "2026-11-20"}
)

func some[T any](r *rand.Rand, list []T, most int) []T {
	var out []T
	for range r.IntN(most + 1) {
		out = append(out, list[r.IntN(len(list))])
	}
	return out
}

func randomSubject(r *rand.Rand) Subject {
	return Subject{
		Text:       []string{strings.Join(some(r, someWords, 6), " "), strings.Join(some(r, someWords, 6), " ")},
		Countries:  some(r, someCountries, 2),
		Labs:       some(r, someLabs, 2),
		Openness:   feeds.Openness(r.IntN(5)),
		Kinds:      some(r, someKinds, 2),
		Sources:    some(r, someSources, 2),
		Categories: some(r, []string{"cs.CL", "cs.AI", "stat.ML"}, 2),
		Licenses:   some(r, []string{"MIT", "Apache-2.0"}, 2),
		Has:        some(r, someHave, 2),
		Date:       time.Date(2026, 11, 1+r.IntN(25), 0, 0, 0, 0, time.UTC),
	}
}

func randomQuery(r *rand.Rand, depth int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	if depth > 0 && r.IntN(3) > 0 {
		a, b := randomQuery(r, depth-1), randomQuery(r, depth-1)
		return pick("("+a+" OR "+b+")", "("+a+" "+b+")", a+" AND "+b, a+" OR "+b, "-("+a+")", "NOT "+a, "topic:sub", a, b+" "+a)
	}
	word := func() string { return someWords[r.IntN(len(someWords))] }
	return pick(
		word(), word(), word(), "-"+word(), `"`+word()+" "+word()+`"`, word()+"*", "te*", "xr*", "gp*",
		"country:CN", "country:FR,US", "country:XX", "lab:openai", "lab:z-ai,mistral-ai", "openness:open", "openness<open", "openness:unknown,closed",
		"kind:paper", "has:weights", "source:arxiv", "source:openai.com", "category:cs", "category:stat.ml", "license:mit",
		"since:"+someDates[r.IntN(3)], "before:"+someDates[r.IntN(3)],
	)
}

// Whatever a query matches, its plan selects; an exact plan selects nothing else;
// and the canonical form means the same.
func TestPlansSelectWhatMatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := Names{Topic: func(string) (string, bool) { return "kind:paper since:2026-11-05 OR -test", true }}
	var matched, exact, strict, loosened int
	for range 3000 {
		src := randomQuery(r, 4)
		q, err := Parse(src, names, now)
		if err != nil {
			if strings.Contains(err.Error(), "at least two letters") || strings.Contains(err.Error(), "more than") || strings.Contains(err.Error(), "at most") {
				continue
			}
			t.Fatalf("%s: %v", src, err)
		}
		p := q.Compile()
		if err := simple(p.Expr); err != nil {
			t.Fatalf("%s: %v in %s", src, err, planString(p))
		}
		again, err := Parse(q.String(), names, now)
		if err != nil || again.String() != q.String() {
			t.Fatalf("%s: canonical form %q: %v", src, q, err)
		}
		if p.Exact {
			exact++
		}
		for range 20 {
			s := randomSubject(r)
			match := q.Match(s)
			if match != again.Match(s) {
				t.Fatalf("%s and its canonical form %q disagree about %+v", src, q, s)
			}
			selected := selects(p, s)
			if loose, ok := p.WithoutPrefixes(); ok {
				loosened++
				if selected && !selects(loose, s) {
					t.Fatalf("%s: without prefixes %s does not select %+v", src, planString(loose), s)
				}
				if text := planString(loose); strings.Contains(text, "*") || loose.Exact || simple(loose.Expr) != nil {
					t.Fatalf("%s: without prefixes it is %s", src, text)
				}
			} else if strings.Contains(planString(p), "*") {
				t.Fatalf("%s: the prefixes of %s were not seen", src, planString(p))
			}
			if text, err := json.Marshal(s.Text); err != nil || match && !q.Sieve().MayMatch(text) {
				t.Fatalf("%s matches %+v, but its sieve does not let it through (%v)", src, s, err)
			}
			if match && !selected {
				t.Fatalf("%s matches %+v, but its plan %s does not select it", src, s, planString(p))
			}
			if p.Exact && selected && !match {
				t.Fatalf("%s: exact plan %s selects %+v, which does not match", src, planString(p), s)
			}
			if match {
				matched++
			}
			if !selected {
				strict++
			}
		}
	}
	// The test is worth something only if all cases occur.
	if matched < 5000 || exact < 300 || strict < 5000 || loosened < 1000 {
		t.Errorf("weak test: %d matches, %d exact plans, %d not selected, %d without prefixes", matched, exact, strict, loosened)
	}
}

// What a sieve lets through is what its phrases may stand in, as far as one sees
// without folding.
func TestSieve(t *testing.T) {
	for _, tt := range []struct {
		query, json string
		want        bool
	}{
		{`"test time" country:FR`, `{"title":"On Test-Time compute"}`, true},
		{`"test time" country:FR`, `{"title":"The latest time"}`, true}, // which matching will turn down
		{`"test time"`, `{"title":"A test of time"}`, false},
		{`"test time"`, `["the test\ntime","b"]`, true},
		{`"test ntime"`, `["the test\ntime","b"]`, false},
		{`"test time"`, "[\"the test – “time”\"]", true},
		{`"test time"`, "[\"the test – “timid”\"]", false},
		{`"test time"`, "[\"né\"]", true},
		{`"test time"`, `["\u0074est"]`, true},
		{`"test time" "of day"`, `["test time, off, day"]`, false},
		{`test-time*`, `["The TestTimes"]`, true},
		{`gpt4o`, `["GPT-4o and GPT 4o"]`, true},
		{`qwen2.5`, `["Qwen 2 of 5"]`, false},
		{`test time`, `["neither"]`, true}, // the index decides about words
		{`"test time" OR day`, `["neither"]`, true},
		{`-"test time"`, `["neither"]`, true},
		{`"tést time"`, `["test of time"]`, false},
		{`"тест time"`, `["neither"]`, true},
		{`"` + strings.Repeat("x", maxWord) + ` time"`, `["` + strings.Repeat("x", maxWord) + `xx time"]`, true},
		{``, `["neither"]`, true},
	} {
		if got := mustParse(t, tt.query).Sieve().MayMatch([]byte(tt.json)); got != tt.want {
			t.Errorf("%s lets %s through: %v", tt.query, tt.json, got)
		}
	}
}

// selects is the simplest index there is.
func selects(p Plan, s Subject) bool {
	if !p.Since.IsZero() && s.Date.Before(p.Since) || !p.Before.IsZero() && !s.Date.Before(p.Before) {
		return false
	}
	terms := Terms(s)
	var holds func(e Expr) bool
	holds = func(e Expr) bool {
		switch e := e.(type) {
		case Term:
			i, found := slices.BinarySearch(terms, e.Text)
			return found || e.Prefix && i < len(terms) && strings.HasPrefix(terms[i], e.Text)
		case All:
			return !slices.ContainsFunc(e, func(x Expr) bool { return !holds(x) })
		case Any:
			return slices.ContainsFunc(e, holds)
		case None:
			return !holds(e.Part)
		}
		return true
	}
	return holds(p.Expr)
}

// simple checks what Compile promises about the shape of an expression.
func simple(e Expr) error {
	var parts []Expr
	switch e := e.(type) {
	case All:
		parts = e
	case Any:
		parts = e
	case None:
		if _, ok := e.Part.(None); ok || e.Part == nil {
			return errors.New("a None without sense")
		}
		return simple(e.Part)
	default:
		return nil
	}
	if len(parts) < 2 {
		return errors.New("fewer than two parts")
	}
	for _, p := range parts {
		if fmt.Sprintf("%T", p) == fmt.Sprintf("%T", e) || p == nil {
			return errors.New("nested in its own kind")
		}
		if err := simple(p); err != nil {
			return err
		}
	}
	return nil
}

func mustParse(t testing.TB, src string) Query {
	t.Helper()
	q, err := Parse(src, Names{}, now)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return q
}

func TestZeroQuery(t *testing.T) {
	var q Query
	if !q.Match(Subject{}) || !q.Empty() || q.String() != "" || q.Explain() != "all works" || q.Compile().Expr != nil || q.Words() != nil {
		t.Errorf("the zero query is not everything: %q %q", q, q.Explain())
	}
	if q := mustParse(t, " a  b "); q.Source() != " a  b " {
		t.Errorf("source is %q", q.Source())
	}
}

func TestFound(t *testing.T) {
	q := mustParse(t, `gpt-4o OR "sparse attention" OR gpt-4o OR quant* -llama NOT -mamba country:CN`)
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"GPT4o against Llama", []string{"gpt-4o"}},
		{"Quantized sparse attention", []string{"sparse attention", "quant"}},
		{"attention, sparse", nil},
		{"Mamba", []string{"mamba"}},
	} {
		got, all := q.Found(tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" || all != 4 {
			t.Errorf("Found(%q) of %d (-want +got):\n%s", tt.text, all, diff)
		}
	}
	if _, all := mustParse(t, "country:CN").Found("x"); all != 0 {
		t.Errorf("a query without text wants %d texts", all)
	}
}

// Whatever a stranger types is read or refused with a place inside it; what is
// read can be said again.
func FuzzParse(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(randomQuery(r, 3))
	}
	for _, s := range []string{
		"", "(", "-", `"`, "a OR", "country:", "since:9999y", "openness<closed", "лаб:x", "a\x00b", "\xff", "topic:ring", "lab:“a,b”", "≥", "openness≥open", "kind=paper",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, names := range []Names{{}, testNames} {
			q, err := Parse(src, names, now)
			var se *SyntaxError
			if err != nil {
				if !errors.As(err, &se) || se.Col < 1 || se.Len < 1 || se.Col > utf8.RuneCountInString(strings.ToValidUTF8(src, "\uFFFD"))+1 || se.Msg == "" {
					t.Fatalf("%q: error %#v", src, err)
				}
				if strings.Count(se.Caret(src), "\n") != 1 {
					t.Fatalf("%q: caret %q", src, se.Caret(src))
				}
				continue
			}
			said := q.String()
			if utf8.RuneCountInString(said) > MaxRunes {
				continue // ids may be longer than names
			}
			again, err := Parse(said, names, now)
			if err != nil {
				t.Fatalf("%q: canonical form %q: %v", src, said, err)
			}
			if again.String() != said {
				t.Fatalf("%q: canonical form %q says itself as %q", src, said, again)
			}
			if diff := cmp.Diff(planString(q.Compile()), planString(again.Compile())); diff != "" {
				t.Fatalf("%q: canonical form %q has another plan:\n%s", src, said, diff)
			}
			s := Subject{Text: []string{src}, Date: now}
			if q.Match(s) && !selects(q.Compile(), s) {
				t.Fatalf("%q matches itself, but its plan does not select it", src)
			}
			if q.Explain() == "" {
				t.Fatalf("%q: no explanation", src)
			}
		}
	})
}

// Folded words fold to themselves, and every term is plain.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "GPT-4o", "naïve ﬁ ™", "深度学习 データ 한국어", "हिन्दी", "a\u0301\u0323", "\xff", "ŁÓDŹ", "xX", "e\u200d-e", "ࢰ̔", "Ó\xf6\xf6\xf6\xf6Ó"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := Fold(text)
		if again := Fold(strings.Join(words, " ")); !slices.Equal(words, again) {
			t.Fatalf("Fold(%q) = %q, folded again %q", text, words, again)
		}
		for _, w := range words {
			if w == "" || len(w) > maxWord || !utf8.ValidString(w) {
				t.Fatalf("Fold(%q) has the word %q", text, w)
			}
		}
		terms := Terms(Subject{Text: []string{text}, Labs: []feeds.LabID{feeds.LabID(text)}})
		if !slices.Contains(terms, Everything) {
			t.Fatalf("Terms(%q) lacks %q", text, Everything)
		}
		for _, term := range terms {
			for i := range len(term) {
				if !asciiWord(term[i]) {
					t.Fatalf("Terms(%q) has the term %q", text, term)
				}
			}
		}
	})
}

// sample is a subject of the usual size: a title and an abstract of 1.5 kB.
func sample() Subject {
	const sentence = "We study how test-time compute can be traded for parameters in large language models, and release weights of GPT-like models. "
	return Subject{
		Text:       []string{"Scaling Test-Time Compute for Open Models", strings.Repeat(sentence, 12)[:1500], "DeepSeek", "Tsinghua University"},
		Countries:  []feeds.Country{"CN"},
		Labs:       []feeds.LabID{"deepseek", "tsinghua"},
		Openness:   feeds.OpenWeights,
		Kinds:      []feeds.ItemKind{feeds.ItemPaper, feeds.ItemModel},
		Sources:    []feeds.SourceID{"arxiv:cs.CL", "hf:deepseek-ai"},
		Categories: []string{"cs.CL", "cs.AI"},
		Licenses:   []string{"MIT"},
		Has:        []feeds.ArtifactKind{feeds.Paper, feeds.Weights},
		Date:       now,
	}
}

const sampleQuery = `"test-time compute" country:CN,FR openness>=open-weights -lab:openai since:7d`

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		q, err := Parse(sampleQuery, Names{}, now)
		if err != nil {
			b.Fatal(err)
		}
		_ = q.Compile()
	}
}

func BenchmarkMatch(b *testing.B) {
	s := sample()
	for _, bb := range []struct{ name, query string }{
		{"fields", "country:CN,FR openness>=open-weights -lab:openai"},
		{"phrase", sampleQuery},
		{"absent", `"nowhere to be found"`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			q := mustParse(b, bb.query)
			b.ReportAllocs()
			for b.Loop() {
				q.Match(s)
			}
		})
	}
}

func BenchmarkTerms(b *testing.B) {
	s := sample()
	wide := s
	wide.Text = []string{s.Text[0], strings.ReplaceAll(s.Text[1], "trade", "“tràde”")}
	for name, s := range map[string]Subject{"ascii": s, "unicode": wide} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(s.Text[1])))
			for b.Loop() {
				Terms(s)
			}
		})
	}
}
