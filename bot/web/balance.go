package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
)

// A count asked for: which works, since when, and how.
type tally struct {
	Query string
	How   digest.Counting
	Since string // as typed; "" is [sinceDefault]
	From  time.Time
	To    time.Time
}

const sinceDefault = "3mo"

// viewNames are the views of a lab's country, the default first.
var viewNames = []struct {
	View  feeds.View
	Words string
}{
	{feeds.ViewHome, "where the lab sits"},
	{feeds.ViewControl, "whose company it is"},
}

// tallied reads what to count, and counts it. A wrong query or parameter is a
// *wrong and no error.
func (s *site) tallied(r *http.Request) (t tally, b digest.Balance, bad *wrong, err error) {
	v := r.URL.Query()
	now := s.Now()
	t = tally{
		How:   digest.Counting{Rule: digest.Rule(cmp.Or(v.Get("rule"), string(byDefault.Rule))), View: feeds.View(cmp.Or(v.Get("view"), string(byDefault.View)))},
		Since: cmp.Or(strings.TrimSpace(v.Get("since")), sinceDefault), To: now,
	}
	switch v.Get("companies") {
	case "", "no":
	case "yes":
		t.How.Companies = true
	default:
		return t, b, &wrong{Msg: "companies is yes or no"}, nil
	}
	if !slices.Contains(digest.Rules, t.How.Rule) {
		t.How.Rule = byDefault.Rule
		return t, b, &wrong{Msg: "there is no such counting rule", Hint: "one of share, any, lead, sole"}, nil
	}
	if t.How.View != feeds.ViewHome && t.How.View != feeds.ViewControl {
		t.How.View = byDefault.View
		return t, b, &wrong{Msg: "there is no such view", Hint: "home or control"}, nil
	}
	a, err := asked(&http.Request{URL: &url.URL{RawQuery: url.Values{"q": {v.Get("q")}}.Encode()}})
	if err != nil {
		return t, b, nil, err
	}
	t.Query = a.Text
	if t.From, err = since(t.Since, now); err != nil {
		return t, b, &wrong{Msg: clip(err.Error(), 200), Hint: "such as 3mo, 1y or 2026-01-31"}, nil
	}
	if _, _, err := s.parse(r.Context(), a); err != nil {
		if bad = wrongIn(err, a.Text); bad == nil {
			err = fmt.Errorf("reading a query: %w", err)
			return t, b, nil, err
		}
		return t, b, bad, nil
	}
	key := fmt.Sprintf("%q %q %v %q", t.Query, t.How.Rule+" "+digest.Rule(t.How.View), t.How.Companies, t.Since)
	b, err = s.balances.get(r.Context(), key, now, func(ctx context.Context) (digest.Balance, error) {
		return s.Press.Balance(ctx, t.Query, digest.Period{From: t.From, To: t.To}, t.How)
	})
	if err != nil {
		err = fmt.Errorf("counting: %w", err)
	}
	return t, b, nil, err
}

// address is the same count at another path: its page, or a table.
func (t tally) address(path string) string {
	v := url.Values{"rule": {string(t.How.Rule)}, "view": {string(t.How.View)}, "since": {t.Since}}
	if t.Query != "" {
		v.Set("q", t.Query)
	}
	if t.How.Companies {
		v.Set("companies", "yes")
	}
	return path + "?" + v.Encode()
}

// A balanceView is the page of the balance.
type balanceView struct {
	Tally    tally
	Wrong    *wrong
	Doc      message.Document // the chart and the small print
	Balance  digest.Balance
	Rows     []balanceRow
	Classes  []string
	Coverage []coverageRow
	Looked   int // sources
	Rules    []digest.Rule
	Views    any
	CSV      string
	JSONL    string
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
	t, b, bad, err := s.tallied(r)
	if err != nil {
		return reply{}, err
	}
	v := balanceView{Tally: t, Wrong: bad, Balance: b, Rules: digest.Rules, Views: viewNames, CSV: t.address("/balance.csv"), JSONL: t.address("/balance.jsonl")}
	if bad != nil {
		return s.page("balance", http.StatusBadRequest, view{Title: "The balance", Nav: "/balance", Body: v})
	}
	v.Doc = bot.Balance(b)
	for _, c := range classes {
		v.Classes = append(v.Classes, opennessWords[c.String()])
	}
	for _, row := range b.Rows {
		x := balanceRow{Name: s.Registry.CountryName(row.Country), URL: pathTo("country", row.Country), Total: row.Total, Open: row.Open, Share: "–"}
		if row.Total > 0 {
			x.Share = fmt.Sprintf("%.0f%%", row.Open/row.Total*100)
		}
		for _, c := range classes {
			x.Classes = append(x.Classes, row.ByClass[c])
		}
		v.Rows = append(v.Rows, x)
	}
	hs, err := s.health(r.Context())
	if err != nil {
		return reply{}, err
	}
	v.Coverage = s.coverage(hs)
	for _, c := range v.Coverage {
		v.Looked += c.Sources
	}
	return s.page("balance", 0, view{Title: "The balance", Nav: "/balance", Body: v})
}
