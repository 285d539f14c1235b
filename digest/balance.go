package digest

import (
	"cmp"
	"slices"
	"strings"

	"seedcorn/feeds"
)

// Rule is a counting rule: how a work of several countries is shared out. The
// rule moves the answer by a third, so it is printed with every number. Share
// and any are Nature Index's *Share* and *Count*
// (https://www.nature.com/nature-index/glossary).
type Rule string

// The counting rules (taxonomy C3).
const (
	RuleShare Rule = "share" // one work is one; its labs share it equally
	RuleAny   Rule = "any"   // one for each country that takes part
	RuleLead  Rule = "lead"  // the first author's lab, or the publisher of a release
	RuleSole  Rule = "sole"  // only works of a single country
)

// Rules are all counting rules, the default first.
var Rules = []Rule{RuleShare, RuleAny, RuleLead, RuleSole}

// Explain says in one sentence what the rule does.
func (r Rule) Explain() string {
	switch r {
	case RuleAny:
		return "a work counts once for each country that takes part"
	case RuleLead:
		return "a work counts for the first author's lab, a release for its publisher"
	case RuleSole:
		return "only works of a single country count"
	}
	return "a work counts as one, shared equally among its labs"
}

// Counting says how to count.
type Counting struct {
	Rule      Rule       `json:"rule"`
	View      feeds.View `json:"view"`
	Companies bool       `json:"companies_only"`
}

// Floors below which a ratio between countries is not printed (taxonomy C10).
const (
	FloorKnown = 0.80 // share of works whose country is known
	FloorWorks = 30   // works on each side
)

// A Balance is works by country × openness under a named counting rule.
type Balance struct {
	Counting
	Rows     []BalanceRow `json:"rows"`               // most works first; XX and INTL last
	Works    int          `json:"works"`              // works looked at
	Known    int          `json:"known"`              // of them, with a country
	Unknown  int          `json:"unknown"`            // of them, without one
	Disputed int          `json:"disputed"`           // left out: evidence contradicts itself (C9)
	Registry string       `json:"registry,omitempty"` // version of the lab registry
}

// A BalanceRow is one country's works by class.
type BalanceRow struct {
	Country feeds.Country `json:"country"`
	Total   float64       `json:"total"`
	// Open is the part of Total that one may build on: open weights and open source.
	Open float64 `json:"open"`
	// ByClass is indexed by [feeds.Openness].
	ByClass [feeds.OpenSource + 1]float64 `json:"by_class"`
}

// Count measures the balance of works.
func Count(works []Work, how Counting) Balance {
	b := Balance{Counting: how, Works: len(works)}
	rows := map[feeds.Country]*BalanceRow{}
	add := func(c feeds.Country, o feeds.Openness, n float64) {
		r := rows[c]
		if r == nil {
			r = &BalanceRow{Country: c}
			rows[c] = r
		}
		r.Total += n
		r.ByClass[o] += n
		if o.Open() {
			r.Open += n
		}
	}
	for _, w := range works {
		if slices.ContainsFunc(w.Labs, func(a feeds.Attribution) bool { return a.Disputed && a.Counts() }) {
			b.Disputed++
			continue
		}
		shares := how.shares(w.Labs)
		if len(shares) == 0 {
			if how.Rule == RuleSole && len(how.with(RuleAny).shares(w.Labs)) > 0 || how.Companies && len(w.Countries) > 0 {
				b.Works-- // of several countries, or of no company: not part of this count
				continue
			}
			b.Unknown++
			add(feeds.Nowhere, w.Openness, 1)
			continue
		}
		b.Known++
		for _, s := range shares {
			add(s.country, w.Openness, s.part)
		}
	}
	for _, r := range rows {
		b.Rows = append(b.Rows, *r)
	}
	slices.SortFunc(b.Rows, func(x, y BalanceRow) int {
		return cmp.Or(aside(x.Country)-aside(y.Country), cmp.Compare(y.Total, x.Total), strings.Compare(string(x.Country), string(y.Country)))
	})
	return b
}

func aside(c feeds.Country) int {
	return slices.Index([]feeds.Country{feeds.International, feeds.Nowhere}, c) // -1 for a country
}

type share struct {
	country feeds.Country
	part    float64
}

func (how Counting) with(r Rule) Counting { how.Rule = r; return how }

// shares divides one work among countries. The sum is 1 except under RuleAny.
func (how Counting) shares(labs []feeds.Attribution) []share {
	var counted []feeds.Attribution
	for _, a := range labs {
		if a.Counts() && (!how.Companies || a.Kind == feeds.Company) && how.country(a) != "" {
			counted = append(counted, a)
		}
	}
	if how.Rule == RuleLead {
		for _, r := range []feeds.Role{feeds.RoleLead, feeds.RoleReleaser} {
			lead := slices.DeleteFunc(slices.Clone(counted), func(a feeds.Attribution) bool { return a.Role != r })
			if len(lead) > 0 {
				counted = lead
				break
			}
		}
	}
	var out []share
	for _, a := range counted {
		i := slices.IndexFunc(out, func(s share) bool { return s.country == how.country(a) })
		if i < 0 {
			out = append(out, share{country: how.country(a)})
			i = len(out) - 1
		}
		out[i].part += 1 / float64(len(counted))
	}
	switch {
	case how.Rule == RuleAny:
		for i := range out {
			out[i].part = 1
		}
	case how.Rule == RuleSole && len(out) != 1:
		return nil
	}
	return out
}

// country is the attribution's country in the counting's view, "" if unknown.
func (how Counting) country(a feeds.Attribution) feeds.Country {
	c := a.Home
	if how.View == feeds.ViewControl {
		c = a.Control
	}
	if c == feeds.Nowhere {
		return ""
	}
	return c
}

// Ratio is the ratio of open works of two countries, with what a reader needs to
// judge it.
type Ratio struct {
	Over, Under   feeds.Country
	NOver, NUnder float64 // open works on each side
	Value         float64 // 0 unless Enough
	Enough        bool
	Why           string // why it is not printed
}

// Ratio compares the open works of two countries. Below the floors it says why
// there is no number.
func (b Balance) Ratio(over, under feeds.Country) Ratio {
	r := Ratio{Over: over, Under: under}
	for _, row := range b.Rows {
		switch row.Country {
		case over:
			r.NOver = row.Open
		case under:
			r.NUnder = row.Open
		}
	}
	known := 0.0
	if b.Known+b.Unknown > 0 {
		known = float64(b.Known) / float64(b.Known+b.Unknown)
	}
	switch {
	case known < FloorKnown:
		r.Why = "the country is known for too few works"
	case r.NOver < FloorWorks || r.NUnder < FloorWorks:
		r.Why = "too few open works on one side"
	default:
		r.Enough, r.Value = true, r.NOver/r.NUnder
	}
	return r
}
