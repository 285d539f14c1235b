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

// CountingVersion names the way of counting: it changes when the same works would be
// counted otherwise. It is in every export.
const CountingVersion = "2026-11"

// A Balance is works by country × openness under a named counting rule.
type Balance struct {
	Counting
	Rows     []BalanceRow `json:"rows"`               // most works first; XX and INTL last
	Works    int          `json:"works"`              // works looked at
	Known    int          `json:"known"`              // of them, with a country
	Unknown  int          `json:"unknown"`            // of them, without one
	Disputed int          `json:"disputed"`           // left out: evidence contradicts itself (C9)
	Registry string       `json:"registry,omitempty"` // version of the lab registry
	// Ratio compares the open works of two countries; nil if there are not two.
	Ratio *Ratio `json:"ratio,omitempty"`
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

// A part is how much of works counts: of each of them, one [whole]. Parts are whole
// numbers, so that sums depend on no order, and as many works at once are as many one
// by one.
type part int64

// whole is a work. It can be shared equally among up to 28 labs (it is the least
// common multiple of 1 to 28), and a hundred million are still a part.
const whole part = 80_313_433_200

// works is the part in works, and thirds of them.
func (p part) works() float64 { return float64(p) / float64(whole) }

// A tally is works by class of openness.
type tally [feeds.OpenSource + 1]part

func (t *tally) join(x *tally) {
	for i, n := range x {
		t[i] += n
	}
}

func (t *tally) row(c feeds.Country) BalanceRow {
	r := BalanceRow{Country: c, Total: t.of(MeasureAll).works(), Open: t.of(MeasureOpen).works()}
	for i, n := range t {
		r.ByClass[i] = n.works()
	}
	return r
}

// of sums up what a ratio compares.
func (t *tally) of(m Measure) (sum part) {
	for i, n := range t {
		if m == MeasureAll || feeds.Openness(i).Open() {
			sum += n
		}
	}
	return sum
}

// A ledger is a balance in the making.
type ledger struct {
	Balance
	rows map[feeds.Country]*tally
}

func newLedger(how Counting) *ledger {
	return &ledger{Balance: Balance{Counting: how}, rows: map[feeds.Country]*tally{}}
}

func (l *ledger) row(c feeds.Country) *tally {
	r := l.rows[c]
	if r == nil {
		r = new(tally)
		l.rows[c] = r
	}
	return r
}

// add counts n works that are alike. Their shares are of [Counting.shares].
func (l *ledger) add(w *Work, shares []share, n int) {
	l.Works += n
	switch {
	case disputed(w):
		l.Disputed += n
	case len(shares) > 0:
		l.Known += n
		for _, s := range shares {
			l.row(s.country)[w.Openness] += s.part * part(n)
		}
	case l.Rule == RuleSole && len(l.with(RuleAny).shares(w.Labs, nil)) > 0 || l.Companies && len(w.Countries) > 0:
		l.Works -= n // of several countries, or of no company: not part of this count
	default:
		l.Unknown += n
		l.row(feeds.Nowhere)[w.Openness] += whole * part(n)
	}
}

// join adds what another ledger counted.
func (l *ledger) join(x *ledger) {
	l.Works += x.Works
	l.Known += x.Known
	l.Unknown += x.Unknown
	l.Disputed += x.Disputed
	for c, r := range x.rows {
		l.row(c).join(r)
	}
}

// balance is what was counted, in order.
func (l *ledger) balance() Balance {
	b := l.Balance
	b.Rows = nil
	for c, r := range l.rows {
		b.Rows = append(b.Rows, r.row(c))
	}
	slices.SortFunc(b.Rows, func(x, y BalanceRow) int {
		return cmp.Or(aside(x.Country)-aside(y.Country), cmp.Compare(y.Total, x.Total), strings.Compare(string(x.Country), string(y.Country)))
	})
	return b
}

// disputed works are left out of every count (C9).
func disputed(w *Work) bool {
	return slices.ContainsFunc(w.Labs, func(a feeds.Attribution) bool { return a.Disputed && a.Counts() })
}

// Count measures the balance of works, with the ratio of the two countries that
// have the most open ones.
func Count(works []Work, how Counting) Balance {
	l := newLedger(how)
	for i := range works {
		l.add(&works[i], how.shares(works[i].Labs, nil), 1)
	}
	b := l.balance()
	var most []BalanceRow
	for _, r := range b.Rows {
		if r.Open > 0 && aside(r.Country) < 0 {
			most = append(most, r)
		}
	}
	slices.SortStableFunc(most, func(x, y BalanceRow) int { return cmp.Compare(y.Open, x.Open) })
	if len(most) > 1 {
		c := NewCounter(Question{Counting: how, Over: GroupOf(most[0].Country), Under: GroupOf(most[1].Country)})
		for i := range works {
			c.Add(&works[i])
		}
		r := c.Series().Ratio
		b.Ratio = &r
	}
	return b
}

func aside(c feeds.Country) int {
	return slices.Index([]feeds.Country{feeds.International, feeds.Nowhere}, c) // -1 for a country
}

type share struct {
	country feeds.Country
	part    part
}

func (how Counting) with(r Rule) Counting { how.Rule = r; return how }

// takesPart reports whether an attribution is counted.
func (how Counting) takesPart(a *feeds.Attribution) bool {
	return a.Counts() && (!how.Companies || a.Kind == feeds.Company) && how.country(*a) != ""
}

// role is the one that rule lead counts: the first author's if one is known, else
// the publisher's, else any ("").
func (how Counting) role(labs []feeds.Attribution) feeds.Role {
	for _, r := range []feeds.Role{feeds.RoleLead, feeds.RoleReleaser} {
		if slices.ContainsFunc(labs, func(a feeds.Attribution) bool { return a.Role == r && how.takesPart(&a) }) {
			return r
		}
	}
	return ""
}

// shares divides one work among countries, those of a group counted as one where
// merge says so. The sum is one [whole] except under RuleAny.
func (how Counting) shares(labs []feeds.Attribution, merge func(feeds.Country) feeds.Country) []share {
	role := feeds.Role("")
	if how.Rule == RuleLead {
		role = how.role(labs)
	}
	var out []share
	n := part(0)
	for k := range labs {
		a := &labs[k]
		if !how.takesPart(a) || role != "" && a.Role != role {
			continue
		}
		c := how.country(*a)
		if merge != nil {
			c = merge(c)
		}
		i := slices.IndexFunc(out, func(s share) bool { return s.country == c })
		if i < 0 {
			out = append(out, share{country: c})
			i = len(out) - 1
		}
		out[i].part++
		n++
	}
	for i := range out {
		out[i].part = out[i].part * whole / n
	}
	switch {
	case how.Rule == RuleAny:
		for i := range out {
			out[i].part = whole
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
