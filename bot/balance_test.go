package bot

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
)

// counted is a series of twelve weeks from a Wednesday on, without the seventh: in
// each week 24 open works of 12 labs of China, 12 of 12 of the US, 3 of France, 6 that
// are closed, and 3 whose country is not known.
func counted(t *testing.T, step digest.Step) digest.Series {
	t.Helper()
	from := time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)
	q, err := digest.Question{Step: step, Period: digest.Period{From: from, To: from.AddDate(0, 0, 12*7)}}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	c := digest.NewCounter(q)
	add := func(week, n, labs int, country feeds.Country, o feeds.Openness) {
		for i := range n {
			w := digest.Work{First: from.AddDate(0, 0, 7*week).Add(time.Hour), ID: digest.WorkID(fmt.Sprint(week, country, i))}
			w.Openness = o
			if country != "" {
				w.Labs = []feeds.Attribution{{Lab: feeds.LabID(fmt.Sprint(country, i%labs)), Role: feeds.RoleReleaser, Home: country, Control: country}}
			}
			c.Add(&w)
		}
	}
	for week := range 12 {
		if week == 6 {
			continue
		}
		add(week, 24, 12, "CN", feeds.OpenWeights)
		add(week, 12, 12, "US", feeds.OpenSource)
		add(week, 6, 3, "US", feeds.Closed)
		add(week, 3, 1, "FR", feeds.OpenWeights)
		add(week, 3, 1, "", feeds.Unknown)
	}
	s := c.Series()
	s.Sources, s.Coverage, s.Total.Registry = 380, "United States 120, China 80", "of the test"
	return s
}

func TestFindings(t *testing.T) {
	s := counted(t, digest.StepNone)
	if want, got := "China 264 of 429 open works, 2.0 times the United States (132; 95%: 0.82–4.9); rule share, country unknown for 6%.", SeriesFinding(s); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	s.Total.Rule, s.Ratio.Interval, s.Ratio.WhyNoInterval = digest.RuleAny, false, "fewer than 10 labs on one side"
	if got := SeriesFinding(s); !strings.HasPrefix(got, "China 264 open works, 2.0 times the United States (132); ") {
		t.Error(got)
	}
	if got := strings.Join(SeriesSmallPrint(s), "\n"); strings.Contains(got, "bootstrap") || !strings.Contains(got, "no interval: fewer than 10 labs on one side") {
		t.Error(got)
	}
	s.Ratio = digest.Ratio{Of: digest.MeasureOpen, Over: s.Over, Under: s.Under, NOver: 1, Why: "too few"}
	s.Total.Rule = digest.RuleShare
	if got := SeriesFinding(s); !strings.Contains(got, "not enough data for a ratio") || strings.Contains(got, "times") {
		t.Error(got)
	}
	if got := SeriesFinding(digest.Series{}); got != "Nothing was counted." {
		t.Error(got)
	}
	for v, want := range map[float64]string{0.744: "0.74", 0.996: "1.00", 1: "1.0", 1.04: "1.04", 1.84: "1.8", 12.3: "12"} {
		if got := Times(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

// Each chart and each small print has what a skeptic asks for.
func TestSeriesSaysHow(t *testing.T) {
	for _, step := range digest.Steps {
		s := counted(t, step)
		doc := Series(s)
		var text bytes.Buffer
		if err := message.Text(&text, doc, message.TextOptions{Width: 10_000}); err != nil {
			t.Fatal(err)
		}
		must := []string{"Counting rule “share”: a work counts as one", "by where the lab sits", "country unknown for 33 (6%)", "380 sources looked at: United States 120", "Lab registry of the test, counting " + digest.CountingVersion, "95% interval", "seed 1", "all works that the sources told us of", "7 Jan – 31 Mar 2026", "China 264 by 12 labs, United States 132 by 12 labs"}
		for _, m := range must {
			if !strings.Contains(text.String(), m) {
				t.Errorf("%q: no %q in\n%s", step, m, text.String())
			}
		}
		charts := 0
		for _, b := range doc.Blocks {
			c, ok := b.(message.Chart)
			if !ok {
				continue
			}
			charts++
			for _, m := range []string{"Counting rule “share”", "country unknown for 33 (6%)", "380 sources", "counting " + digest.CountingVersion} {
				if !strings.Contains(c.Note, m) {
					t.Errorf("%q: the chart %q does not say %q", step, c.Title, m)
				}
			}
			if c.Alt == "" {
				t.Errorf("%q: the chart %q has no words", step, c.Title)
			}
		}
		if want := map[digest.Step]int{digest.StepNone: 1, digest.StepWeekly: 1, digest.StepCumulative: 2}[step]; charts != want {
			t.Errorf("%q: %d charts, want %d", step, charts, want)
		}
	}
}

// A week in which nothing was seen is a hole, a week that is not whole is not drawn,
// and a ratio without enough works is none.
func TestChartsOverTime(t *testing.T) {
	weekly := WorksOverTime(counted(t, digest.StepWeekly))
	if n := len(weekly.Bars); n != 11 {
		t.Fatalf("%d weeks drawn, want 11 of 13", n)
	}
	for i, b := range weekly.Bars {
		if hole := i == 5; b.Missing != hole || b.Values[0] != map[bool]float64{true: 0, false: 24}[hole] {
			t.Errorf("week %d: %+v", i, b)
		}
	}
	if got := strings.Join(weekly.Series, ", "); got != "China, United States, France" {
		t.Errorf("lines of %s", got)
	}
	if _, ok := RatioOverTime(counted(t, digest.StepWeekly)); ok {
		t.Error("a ratio of 24 to 12")
	}
	ratio, ok := RatioOverTime(counted(t, digest.StepCumulative))
	if !ok || len(ratio.Bars) != 13 || !ratio.Bars[1].Missing || ratio.Bars[2].Missing || ratio.Bars[12].Values[0] != 2 || len(ratio.Bars[12].Low) != 1 {
		t.Errorf("%v %+v", ok, ratio.Bars)
	}
	open := OpennessOverTime(counted(t, digest.StepCumulative))
	if last := open.Bars[12]; last.Total() != 528 || open.Alt != "429 of 528 works may be built on (81%); rule share." {
		t.Errorf("%+v, %s", last, open.Alt)
	}
}

// The table and the lines come back as they were, each row with its rule.
func TestBalanceOut(t *testing.T) {
	for _, step := range digest.Steps {
		s := counted(t, step)
		s.Query = `=HYPERLINK("https://evil.example")`
		lines := BalanceLines(s)
		var table, jsonl bytes.Buffer
		if err := errors.Join(WriteBalanceCSV(&table, lines), WriteBalanceJSONL(&jsonl, lines)); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&table).ReadAll()
		if err != nil || len(rows) != len(lines)+1 {
			t.Fatalf("%d rows of %d lines, %v", len(rows), len(lines), err)
		}
		column := func(row int, name string) string { return rows[row][slices.Index(rows[0], name)] }
		d := json.NewDecoder(&jsonl)
		total := 0.0
		for n := 1; ; n++ {
			var l BalanceLine
			if err := d.Decode(&l); errors.Is(err, io.EOF) {
				if n != len(rows) {
					t.Errorf("%d lines", n-1)
				}
				break
			} else if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, v := range l.Classes {
				sum += v
			}
			if sum != l.Total || l.Rule != digest.RuleShare || l.Version != digest.CountingVersion || l.Registry != "of the test" || l.Sources != 380 || l.Step != step {
				t.Errorf("line %+v", l)
			}
			if (l.Ratio == nil) != (column(n, "ratio") == "") || (l.Low == nil) != (column(n, "ratio_low") == "") || l.Ratio == nil && l.RatioNote == "" {
				t.Errorf("ratio %v (%s), in the table %q", l.Ratio, l.RatioNote, column(n, "ratio"))
			}
			if column(n, "country") != string(l.Country) || column(n, "total") != strconv.FormatFloat(l.Total, 'f', -1, 64) || column(n, "rule") != "share" || column(n, "query") != "'"+s.Query {
				t.Errorf("row %v, line %+v", rows[n], l)
			}
			if step != digest.StepCumulative {
				total += l.Total
			} else if l.To == "2026-04-01T00:00:00Z" {
				total += l.Total
			}
		}
		if total != 528 {
			t.Errorf("%q: the lines add up to %v works, want 528", step, total)
		}
	}
}

// The balance is in short at the head of a digest, before the first story, and whole
// at its end if the head left something out.
func TestDigestBalance(t *testing.T) {
	for n, want := range map[int]int{1: 1, headBars: 1, headBars + 1: 2, mostBars + 3: 2} {
		d := digest.Digest{
			Title: "This week", Numbers: digest.Numbers{Works: n},
			Sections: []digest.Section{{Title: "Build on it", Stories: []digest.Story{{Title: "A work"}}}},
		}
		for i := range n {
			d.Balance.Rows = append(d.Balance.Rows, digest.BalanceRow{Country: feeds.Country(string([]byte{'A', byte('A' + i)})), Total: 1, Open: 1, ByClass: [5]float64{feeds.OpenSource: 1}})
		}
		var charts []message.Chart
		story := false
		for _, b := range Digest(d).Blocks {
			switch b := b.(type) {
			case message.Story:
				story = true
			case message.Chart:
				if len(charts) == 0 && story {
					t.Errorf("%d countries: the first chart comes after a story", n)
				}
				charts = append(charts, b)
			}
		}
		if len(charts) != want {
			t.Fatalf("%d countries: %d charts, want %d", n, len(charts), want)
		}
		for i, c := range charts {
			sum := 0.0
			for _, b := range c.Bars {
				sum += b.Total()
			}
			if sum != float64(n) {
				t.Errorf("%d countries: chart %d shows %g works", n, i, sum)
			}
		}
		if most := len(charts[0].Bars); most > headBars+1 {
			t.Errorf("%d countries: %d bars at the head", n, most)
		}
	}
}
