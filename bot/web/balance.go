package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
)

// An asking is a question about the balance, as it was typed and as it was read.
type asking struct {
	digest.Question
	Since, Until string // as typed; "" is [sinceDefault], and now
	OverText     string
	UnderText    string
}

const sinceDefault = "6mo"

// viewNames are the views of a lab's country, the default first.
var viewNames = []struct {
	View  feeds.View
	Words string
}{
	{feeds.ViewHome, "where the lab sits"},
	{feeds.ViewControl, "whose company it is"},
}

// pageSelections are those that everyone may see: what a team voted for is not
// among them.
var pageSelections = []digest.Selection{digest.SelectAll, digest.SelectPicked}

type stepName struct {
	Name, Words string
	Step        digest.Step
}

// stepNames are the steps as a form offers them, the default first. The one without
// a name has one here, since a form can't tell "" from nothing.
var stepNames = []stepName{
	{"cumulative", "summed up by week", digest.StepCumulative},
	{"weekly", "each week by itself", digest.StepWeekly},
	{"none", "one count of the whole time", digest.StepNone},
}

// ask reads a question. What is wrong with it is a *wrong and no error; the question
// is then as good as it could be read.
func (s *site) ask(r *http.Request) (a asking, bad *wrong, err error) {
	v := r.URL.Query()
	now := s.Now()
	get := func(name, usual string) string { return cmp.Or(strings.TrimSpace(v.Get(name)), usual) }
	a = asking{Since: get("since", sinceDefault), Until: get("until", ""), OverText: get("over", "CN"), UnderText: get("under", "US")}
	a.Rule, a.View, a.Selection, a.Of = byDefault.Rule, byDefault.View, digest.SelectAll, digest.MeasureOpen
	a.Step = stepNames[0].Step
	refuse := func(msg, hint string) {
		if bad == nil {
			bad = &wrong{Msg: msg, Hint: hint}
		}
	}
	switch v.Get("companies") {
	case "", "no":
	case "yes":
		a.Companies = true
	default:
		refuse("companies is yes or no", "")
	}
	if x := digest.Rule(get("rule", string(a.Rule))); slices.Contains(digest.Rules, x) {
		a.Rule = x
	} else {
		refuse("there is no such counting rule", "one of share, any, lead, sole")
	}
	if x := feeds.View(get("view", string(a.View))); x == feeds.ViewHome || x == feeds.ViewControl {
		a.View = x
	} else {
		refuse("there is no such view", "home or control")
	}
	if x := digest.Selection(get("selection", string(a.Selection))); slices.Contains(pageSelections, x) {
		a.Selection = x
	} else {
		refuse("there is no such selection here", "all or picked; what a team found useful is told in its own channels")
	}
	if x := digest.Measure(get("of", string(a.Of))); slices.Contains(digest.Measures, x) {
		a.Of = x
	} else {
		refuse("there is no such measure", "open or all")
	}
	if i := slices.IndexFunc(stepNames, func(x stepName) bool { return x.Name == get("series", stepNames[0].Name) }); i >= 0 {
		a.Step = stepNames[i].Step
	} else {
		refuse("there is no such series", "weekly, cumulative or none")
	}
	for _, x := range []struct {
		text string
		at   *digest.Group
	}{{a.OverText, &a.Over}, {a.UnderText, &a.Under}} {
		g, err := digest.ParseGroup(x.text)
		if err != nil {
			refuse(clip(err.Error(), 200), "")
		}
		*x.at = g
	}
	a.Period.To = now
	if a.Period.From, err = since(a.Since, now); err != nil {
		refuse(clip(err.Error(), 200), "such as 6mo, 1y or 2026-01-31")
	}
	if a.Until != "" {
		if a.Period.To, err = since(a.Until, now); err != nil {
			refuse(clip(err.Error(), 200), "such as 1mo or 2026-01-31")
		}
	}
	q, err := asked(&http.Request{URL: &url.URL{RawQuery: url.Values{"q": {v.Get("q")}}.Encode()}})
	if err != nil {
		return a, nil, err
	}
	a.Query = q.Text
	if bad != nil {
		return a, bad, nil
	}
	whole, err := a.Complete()
	if err != nil {
		return a, &wrong{Msg: clip(err.Error(), 200)}, nil
	}
	a.Question = whole
	if _, _, err := s.parse(r.Context(), q); err != nil {
		if bad = wrongIn(err, q.Text); bad == nil {
			return a, nil, fmt.Errorf("reading a query: %w", err)
		}
	}
	return a, bad, nil
}

// counted answers a question, from memory if somebody asked lately.
func (s *site) counted(r *http.Request, a asking) (digest.Series, error) {
	key := fmt.Sprintf("%q", []string{a.Query, string(a.Rule), string(a.View), fmt.Sprint(a.Companies), a.Since, a.Until, string(a.Step), string(a.Selection), string(a.Of), a.Over.Name, a.Under.Name})
	b, err := s.balances.get(r.Context(), key, s.Now(), func(ctx context.Context) (digest.Series, error) {
		return s.Press.Series(ctx, a.Question, digest.Destination{})
	})
	if err != nil {
		return b, fmt.Errorf("counting: %w", err)
	}
	return b, nil
}

// address is the same question at another path: its page, or a table.
func (a asking) address(path string) string {
	v := url.Values{"rule": {string(a.Rule)}, "view": {string(a.View)}, "since": {a.Since}, "series": {cmp.Or(string(a.Step), "none")}, "selection": {string(a.Selection)}, "of": {string(a.Of)}, "over": {a.OverText}, "under": {a.UnderText}}
	if a.Query != "" {
		v.Set("q", a.Query)
	}
	if a.Until != "" {
		v.Set("until", a.Until)
	}
	if a.Companies {
		v.Set("companies", "yes")
	}
	return path + "?" + v.Encode()
}

// A balanceView is the page of the balance.
type balanceView struct {
	Ask        asking
	Step       string
	Wrong      *wrong
	Finding    string
	Counted    bool
	Charts     message.Document
	Small      []string
	Rows       []balanceRow
	Classes    []string
	Coverage   []coverageRow
	Looked     int // sources
	Rules      []digest.Rule
	Selections []digest.Selection
	Views, Of  any
	Steps      any
	Groups     []link // names of countries and groups, to choose from
	CSV        string
	JSONL      string
	Picture    string
	Method     string
	FloorKnown string
	FloorWorks int
	FloorLabs  int
}

// With is the page with one answer changed.
func (v balanceView) With(name, value string) string {
	u, err := url.Parse(v.Ask.address("/balance"))
	if err != nil {
		return "/balance" // which can't be: it was made here
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

type balanceRow struct {
	Name, URL   string
	Total, Open float64
	Share       string // open of total
	Classes     []float64
}

// classes are the columns of openness, the freest first.
var classes = []feeds.Openness{feeds.OpenSource, feeds.OpenWeights, feeds.Restricted, feeds.Closed, feeds.Unknown}

func (s *site) balance(r *http.Request) (reply, error) {
	a, bad, err := s.ask(r)
	if err != nil {
		return reply{}, err
	}
	v := balanceView{
		Ask: a, Step: cmp.Or(string(a.Step), "none"), Wrong: bad, Rules: digest.Rules, Selections: pageSelections, Views: viewNames, Steps: stepNames, Of: digest.Measures,
		CSV: a.address("/balance.csv"), JSONL: a.address("/balance.jsonl"), Picture: a.address("/balance.png"),
		Method: digest.Method, FloorKnown: fmt.Sprintf("%.0f%%", digest.FloorKnown*100), FloorWorks: digest.FloorWorks, FloorLabs: digest.FloorLabs,
	}
	for _, g := range digest.Groups() {
		v.Groups = append(v.Groups, link{g.Title(), g.Name})
	}
	if bad != nil {
		return s.page("balance", http.StatusBadRequest, view{Title: "The balance", Nav: "/balance", Body: v})
	}
	b, err := s.counted(r, a)
	if err != nil {
		return reply{}, err
	}
	v.Ask.Period = b.Period // it may have been counted a while ago
	v.Finding, v.Small, v.Counted = bot.SeriesFinding(b), bot.SeriesSmallPrint(b), len(b.Total.Rows) > 0
	if v.Counted {
		if len(b.Points) > 0 {
			if c, ok := bot.RatioOverTime(b); ok {
				v.Charts.Blocks = append(v.Charts.Blocks, c)
			}
			v.Charts.Blocks = append(v.Charts.Blocks, bot.WorksOverTime(b), bot.OpennessOverTime(b))
		}
		bars := bot.BalanceChart(b.Total)
		bars.Note = bot.SeriesNote(b)
		v.Charts.Blocks = append(v.Charts.Blocks, bars)
	}
	for _, c := range classes {
		v.Classes = append(v.Classes, opennessWords[c.String()])
	}
	for _, row := range b.Total.Rows {
		x := balanceRow{Name: s.Registry.CountryName(row.Country), URL: pathTo("country", row.Country), Total: row.Total, Open: row.Open, Share: "–"}
		if row.Total > 0 {
			x.Share = fmt.Sprintf("%.0f%%", row.Open/row.Total*100)
		}
		for _, c := range classes {
			x.Classes = append(x.Classes, row.ByClass[c])
		}
		v.Rows = append(v.Rows, x)
		if row.Country != feeds.Nowhere && row.Country != feeds.International {
			v.Groups = append(v.Groups, link{x.Name, string(row.Country)})
		}
	}
	hs, err := s.health(r.Context())
	if err != nil {
		return reply{}, err
	}
	v.Coverage = s.coverage(hs)
	for _, c := range v.Coverage {
		v.Looked += c.Sources
	}
	out := view{Title: "The balance", Nav: "/balance", Body: v}
	if c, ok := mainChart(b); ok && s.Access == Public {
		out.Preview = s.previewOf(r, v.Finding, v.Picture, c)
	}
	return s.page("balance", 0, out)
}

// balanceLines are the lines of a table, or what is wrong with the question as
// plain text, since a program asked.
func (s *site) balanceLines(r *http.Request) ([]bot.BalanceLine, *reply, error) {
	a, bad, err := s.ask(r)
	if err != nil {
		return nil, nil, err
	}
	if bad != nil {
		return nil, faulty(bad.words()), nil
	}
	b, err := s.counted(r, a)
	return bot.BalanceLines(b), nil, err
}

func (s *site) balanceCSV(r *http.Request) (reply, error) {
	ls, bad, err := s.balanceLines(r)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	var b bytes.Buffer
	err = bot.WriteBalanceCSV(&b, ls)
	return reply{kind: kindCSV, body: b.Bytes(), save: "balance.csv"}, err
}

func (s *site) balanceJSONL(r *http.Request) (reply, error) {
	ls, bad, err := s.balanceLines(r)
	if bad != nil || err != nil {
		return deref(bad), err
	}
	var b bytes.Buffer
	err = bot.WriteBalanceJSONL(&b, ls)
	return reply{kind: kindJSONL, body: b.Bytes(), save: "balance.jsonl"}, err
}
