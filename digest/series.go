package digest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// Selection says which works are counted.
type Selection string

// The selections, from what there is to what was of use.
const (
	SelectAll    Selection = "all"    // every work we have seen
	SelectPicked Selection = "picked" // works that digests have shown
	SelectUseful Selection = "useful" // works that more people here found useful than not
)

// Selections are all selections, the default first.
var Selections = []Selection{SelectAll, SelectPicked, SelectUseful}

// Explain says what is selected.
func (s Selection) Explain() string {
	switch s {
	case SelectPicked:
		return "works that digests have shown"
	case SelectUseful:
		return "works that more people here found useful than not"
	}
	return "all works that the sources told us of"
}

// Step is how a count runs through time.
type Step string

// The steps.
const (
	StepNone       Step = ""           // one count of the whole period
	StepWeekly     Step = "weekly"     // each week by itself
	StepCumulative Step = "cumulative" // from the beginning of the period to the end of each week
)

// Steps are all steps, the default first.
var Steps = []Step{StepNone, StepWeekly, StepCumulative}

// Measure is what a ratio compares.
type Measure string

// The measures.
const (
	MeasureOpen Measure = "open" // works that one may build on: open weights and open source
	MeasureAll  Measure = "all"  // all works, however open
)

// Measures are all measures, the default first.
var Measures = []Measure{MeasureOpen, MeasureAll}

// Words name what is compared.
func (m Measure) Words() string {
	if m == MeasureAll {
		return "all works"
	}
	return "open works"
}

// A Group is one side of a ratio: a country, or several that are counted as one
// under a name that is printed.
type Group struct {
	Name    string          `json:"name"` // "CN", "EU"
	Members []feeds.Country `json:"members"`
}

// GroupOf is a country by itself.
func GroupOf(c feeds.Country) Group { return Group{string(c), []feeds.Country{c}} }

// Groups are the roll-ups.
func Groups() (out []Group) {
	for _, r := range registry.RollUps() {
		out = append(out, Group{r.Name, r.Members})
	}
	return out
}

// ParseGroup reads a country's code or English name, or the name of a roll-up. A
// collective without a seat is on neither side of a ratio (C7), and what is not
// known is not a country.
func ParseGroup(s string) (Group, error) {
	s = strings.TrimSpace(s)
	if r, ok := registry.ParseRollUp(s); ok {
		return Group{r.Name, r.Members}, nil
	}
	if c, ok := registry.Default().ParseCountry(s); ok && aside(c) < 0 {
		return GroupOf(c), nil
	}
	var names []string
	for _, r := range registry.RollUps() {
		names = append(names, r.Name)
	}
	return Group{}, fmt.Errorf("there is no country or group %q: a code such as FR, an English name, or one of %s", clip(s, 40), strings.Join(names, ", "))
}

// Title is the group's name for a person: "China", "European Union (27)".
func (g Group) Title() string {
	if r, ok := registry.ParseRollUp(g.Name); ok && len(g.Members) > 1 {
		return r.Title
	}
	return registry.Default().CountryName(feeds.Country(g.Name))
}

// Floors below which a ratio, or its interval, is not printed (taxonomy C10).
const (
	FloorKnown = 0.80 // share of works whose country is known
	FloorWorks = 30   // works on each side
	FloorLabs  = 10   // labs on each side, for an interval: it rests on how labs differ
)

// Resamples is how often labs are drawn again for an interval. With one less than
// 2,000 the limits of 95% are the 50th of the resamples from below and from above.
const Resamples = 1999

// MethodName names how an interval is made, and Method says it. They are printed
// with it.
var (
	MethodName = fmt.Sprintf("percentile bootstrap clustered by lab, %d resamples, seed %d", Resamples, seed)
	Method     = "the labs are drawn again with replacement, each with all its works, because the works of one lab are not independent; " +
		"the interval is the middle 95% of the ratios (" + MethodName + ")"
)

// Ratio compares the works of two sides, with what a reader needs to judge it.
type Ratio struct {
	Of            Measure `json:"of"`
	Over          Group   `json:"over"`
	Under         Group   `json:"under"`
	NOver         float64 `json:"n_over"` // works on each side
	NUnder        float64 `json:"n_under"`
	LabsOver      int     `json:"labs_over"` // labs on each side
	LabsUnder     int     `json:"labs_under"`
	Unknown       float64 `json:"unknown"` // share of works whose country is not known
	Enough        bool    `json:"enough"`
	Value         float64 `json:"value,omitempty"`          // 0 unless Enough
	Why           string  `json:"why,omitempty"`            // why there is no value
	Interval      bool    `json:"interval"`                 // there is one, of 95%
	Low           float64 `json:"low,omitempty"`            // 0 unless Interval
	High          float64 `json:"high,omitempty"`           // 0 unless Interval
	WhyNoInterval string  `json:"why_no_interval,omitzero"` // of a value without one
}

// A Question is what is to be counted.
type Question struct {
	Counting
	Selection   Selection `json:"selection"`
	Query       string    `json:"query,omitempty"` // only works that match
	Period      Period    `json:"period"`          // when works became public
	Step        Step      `json:"step,omitempty"`
	Of          Measure   `json:"of"` // what the ratio compares
	Over, Under Group     `json:"-"`  // its sides; they are in each [Ratio]
}

// Complete fills in what was left open, and refuses what can't be counted.
func (q Question) Complete() (Question, error) {
	q.Rule = cmp.Or(q.Rule, RuleShare)
	q.View = cmp.Or(q.View, feeds.ViewHome)
	q.Selection = cmp.Or(q.Selection, SelectAll)
	q.Of = cmp.Or(q.Of, MeasureOpen)
	if q.Over.Name == "" {
		q.Over = GroupOf("CN")
	}
	if q.Under.Name == "" {
		q.Under = GroupOf("US")
	}
	for _, c := range q.Over.Members {
		if slices.Contains(q.Under.Members, c) {
			return q, fmt.Errorf("%s and %s have %s in common, which can't be on both sides", q.Over.Title(), q.Under.Title(), registry.Default().CountryName(c))
		}
	}
	if !q.Period.To.IsZero() && !q.Period.From.Before(q.Period.To) {
		return q, errors.New("the period ends before it begins")
	}
	if q.Step != StepNone && q.Period.To.Sub(q.Period.From) > weeksMost*weekLong {
		return q, fmt.Errorf("a series has %d weeks at most", weeksMost)
	}
	return q, nil
}

// weeksMost is the longest series, ten years: what came before was another field.
const weeksMost = 522

// A Series is the answer: the whole period, and its weeks if there is a step.
type Series struct {
	Question
	Total     Balance `json:"total"`
	OverRow   Side    `json:"over"`
	UnderRow  Side    `json:"under"`
	Ratio     Ratio   `json:"ratio"`
	Points    []Point `json:"points,omitempty"`
	Sources   int     `json:"sources"`            // how many places we look at
	Coverage  string  `json:"coverage,omitempty"` // where they are, in words
	Resamples int     `json:"resamples"`
}

// A Side is a side's works by class. A work of two of its countries is one work of
// the side, under every rule.
type Side struct {
	Name string `json:"name"`
	BalanceRow
}

// A Point is one week, or all weeks up to it.
type Point struct {
	Period
	Part    bool    `json:"part,omitempty"` // the week is not whole: the period begins or ends in it
	Silent  bool    `json:"silent,omitempty"`
	Balance Balance `json:"balance"`
	Over    Side    `json:"over"`
	Under   Side    `json:"under"`
	Ratio   Ratio   `json:"ratio"`
}

// A Counter answers a question about works that it is handed one by one, or many that
// are alike at once, in any order: the answer is the same to the last bit.
type Counter struct {
	q     Question
	weeks map[int]*weekly
	labs  map[string]*cluster
	lone  map[loner]int // works that stand for themselves
}

type weekly struct {
	ledger      *ledger
	over, under tally
}

// A cluster is the works of one lab on both sides, by week.
type cluster struct {
	name  string
	own   int // its own side: 0 over, 1 under, -1 neither
	like  int // how many clusters there are like it, itself among them
	sides map[int]*[2]part
}

// A loner is a work of a lab that can't be found again: a cluster of one work. Those
// that are alike are counted together.
type loner struct {
	week, own int
	sides     [2]part
}

// NewCounter returns a counter for a question that is complete.
func NewCounter(q Question) *Counter {
	q.Of = cmp.Or(q.Of, MeasureOpen)
	return &Counter{q: q, weeks: map[int]*weekly{}, labs: map[string]*cluster{}, lone: map[loner]int{}}
}

// monday is the Monday that weeks are counted from.
var monday = time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)

const weekLong = 7 * 24 * time.Hour

// WeekNumber numbers the weeks in which works are counted. They begin on Mondays at
// 00:00 UTC (ISO 8601).
func WeekNumber(t time.Time) int {
	d := t.Sub(monday)
	n := int(d / weekLong)
	if d%weekLong < 0 {
		n--
	}
	return n
}

// WeekBegins is the first moment of a week.
func WeekBegins(n int) time.Time { return monday.Add(time.Duration(n) * weekLong) }

// sides are the names under which the countries of a group are counted as one.
const over, under = feeds.Country("+"), feeds.Country("-")

func (c *Counter) side(x feeds.Country) feeds.Country {
	switch {
	case slices.Contains(c.q.Over.Members, x):
		return over
	case slices.Contains(c.q.Under.Members, x):
		return under
	}
	return x
}

// Add counts a work, if it became public in the question's period.
func (c *Counter) Add(w *Work) { c.AddAlike(w, 1) }

// AddAlike counts n works that became public in one week (see [WeekNumber]) and are
// alike in their Labs, Countries and Openness. w.First is the date of any of them.
func (c *Counter) AddAlike(w *Work, n int) {
	if p := c.q.Period; w.First.Before(p.From) || !p.To.IsZero() && !w.First.Before(p.To) {
		return
	}
	week := 0
	if c.q.Step != StepNone {
		week = WeekNumber(w.First)
	}
	k := c.weeks[week]
	if k == nil {
		k = &weekly{ledger: newLedger(c.q.Counting)}
		c.weeks[week] = k
	}
	k.ledger.add(w, c.q.shares(w.Labs, nil), n)
	if disputed(w) {
		return
	}
	var sides [2]part
	for _, s := range c.q.shares(w.Labs, c.side) {
		switch s.country {
		case over:
			k.over[w.Openness] += s.part * part(n)
			sides[0] = s.part
		case under:
			k.under[w.Openness] += s.part * part(n)
			sides[1] = s.part
		}
	}
	if sides == [2]part{} || c.q.Of == MeasureOpen && !w.Openness.Open() {
		return
	}
	name, country := c.q.whose(w)
	own := -1
	switch c.side(country) {
	case over:
		own = 0
	case under:
		own = 1
	}
	if name == "" {
		c.lone[loner{week, own, sides}] += n
		return
	}
	l := c.labs[name]
	if l == nil {
		l = &cluster{name: name, own: -1, like: 1, sides: map[int]*[2]part{}}
		c.labs[name] = l
	}
	l.own = max(l.own, own) // where a lab that moved is counted, whatever the order
	at := l.sides[week]
	if at == nil {
		at = new([2]part)
		l.sides[week] = at
	}
	at[0] += sides[0] * part(n)
	at[1] += sides[1] * part(n)
}

// whose is the one lab whose work it is, for the interval, and its country: the
// first author's, else the publisher's, else the first in the alphabet. A lab that
// the registry has not comes after all others. It can't be found again in another
// work: its name is "".
func (how Counting) whose(w *Work) (name string, c feeds.Country) {
	role := how.role(w.Labs)
	found := false
	for i := range w.Labs {
		a := &w.Labs[i]
		if !how.takesPart(a) || role != "" && a.Role != role {
			continue
		}
		if id := string(a.Lab); !found || id != "" && (name == "" || id < name) {
			name, c, found = id, how.country(*a), true
		}
	}
	return name, c
}

// clusters are what is drawn for the interval, in an order that depends on nothing but
// what was counted, and not on the step: labs by name, then the works that stand for
// themselves.
func (c *Counter) clusters() []*cluster {
	out := make([]*cluster, 0, len(c.labs)+len(c.lone))
	for _, name := range slices.Sorted(maps.Keys(c.labs)) {
		out = append(out, c.labs[name])
	}
	for _, l := range slices.SortedFunc(maps.Keys(c.lone), func(a, b loner) int {
		return cmp.Or(cmp.Compare(a.own, b.own), cmp.Compare(a.sides[0], b.sides[0]), cmp.Compare(a.sides[1], b.sides[1]), cmp.Compare(a.week, b.week))
	}) {
		out = append(out, &cluster{own: l.own, like: c.lone[l], sides: map[int]*[2]part{l.week: &l.sides}})
	}
	return out
}

// Series is what was counted so far.
func (c *Counter) Series() Series {
	out := Series{Question: c.q, Resamples: Resamples}
	total := &weekly{ledger: newLedger(c.q.Counting)}
	weeks := slices.Sorted(maps.Keys(c.weeks))
	for _, n := range weeks {
		k := c.weeks[n]
		total.ledger.join(k.ledger)
		total.over.join(&k.over)
		total.under.join(&k.under)
	}
	out.Total = total.ledger.balance()
	out.OverRow, out.UnderRow = c.sideOf(c.q.Over, &total.over), c.sideOf(c.q.Under, &total.under)
	clusters := c.clusters()
	var all []int // the weeks of the series, also those without a work
	if c.q.Step != StepNone && len(weeks) > 0 {
		first, last := weeks[0], weeks[len(weeks)-1]
		if to := c.q.Period.To; !to.IsZero() {
			last = max(last, WeekNumber(to.Add(-1)))
		}
		for n := first; n <= last; n++ {
			all = append(all, n)
		}
	}
	draws, whole := c.resample(clusters, all)
	labs, together := c.counted(clusters, all)
	out.Ratio = c.ratio(out.Total, total, whole, together)
	running := &weekly{ledger: newLedger(c.q.Counting)}
	for i, n := range all {
		p := Point{Period: Period{WeekBegins(n), WeekBegins(n + 1)}}
		if p.From.Before(c.q.Period.From) {
			p.From, p.Part = c.q.Period.From, true
		}
		if to := c.q.Period.To; !to.IsZero() && p.To.After(to) {
			p.To, p.Part = to, true
		}
		k := c.weeks[n]
		if k == nil {
			k = &weekly{ledger: newLedger(c.q.Counting)}
			// Where everything is counted and there was nothing, nobody looked.
			p.Silent = c.q.Selection == SelectAll && c.q.Query == ""
		}
		if c.q.Step == StepCumulative {
			running.ledger.join(k.ledger)
			running.over.join(&k.over)
			running.under.join(&k.under)
			k = running
		}
		p.Balance = k.ledger.balance()
		p.Over, p.Under = c.sideOf(c.q.Over, &k.over), c.sideOf(c.q.Under, &k.under)
		p.Ratio = c.ratio(p.Balance, k, draws[i], labs[i])
		out.Points = append(out.Points, p)
	}
	return out
}

func (c *Counter) sideOf(g Group, t *tally) Side { return Side{g.Name, t.row("")} }

// counted is how many labs of each side have works there: in each week, or up to it
// under [StepCumulative], and in the whole period.
func (c *Counter) counted(clusters []*cluster, weeks []int) (by [][2]int, together [2]int) {
	by = make([][2]int, len(weeks))
	for _, l := range clusters {
		if l.own < 0 {
			continue
		}
		first := len(by)
		any := false
		for week, at := range l.sides {
			if at[l.own] == 0 {
				continue
			}
			any = true
			if len(weeks) == 0 {
				break
			}
			if c.q.Step == StepCumulative {
				first = min(first, week-weeks[0])
			} else {
				by[week-weeks[0]][l.own] += l.like
			}
		}
		if any {
			together[l.own] += l.like
		}
		if first < len(by) {
			by[first][l.own] += l.like
		}
	}
	if c.q.Step == StepCumulative {
		for i := 1; i < len(by); i++ {
			by[i][0] += by[i-1][0]
			by[i][1] += by[i-1][1]
		}
	}
	return by, together
}

func (c *Counter) ratio(b Balance, k *weekly, draws []float64, labs [2]int) Ratio {
	r := Ratio{Of: c.q.Of, Over: c.q.Over, Under: c.q.Under, NOver: k.over.of(c.q.Of).works(), NUnder: k.under.of(c.q.Of).works(), LabsOver: labs[0], LabsUnder: labs[1]}
	if n := b.Known + b.Unknown; n > 0 {
		r.Unknown = float64(b.Unknown) / float64(n)
	}
	// Works of more labs than a whole can be shared among may miss it by a hair.
	const hair = 1e-9
	switch {
	case b.Known+b.Unknown == 0:
		r.Why = "nothing was counted"
		return r
	case 1-r.Unknown < FloorKnown:
		r.Why = fmt.Sprintf("the country is known for too few works: %.0f%%, and %.0f%% is asked", (1-r.Unknown)*100, FloorKnown*100)
		return r
	case min(r.NOver, r.NUnder) < FloorWorks-hair:
		r.Why = fmt.Sprintf("too few %s on one side: %d is asked", strings.TrimPrefix(c.q.Of.Words(), "all "), FloorWorks)
		return r
	}
	r.Enough, r.Value = true, r.NOver/r.NUnder
	low, high := draws[(Resamples+1)/40-1], draws[Resamples-(Resamples+1)/40]
	switch {
	case min(labs[0], labs[1]) < FloorLabs:
		r.WhyNoInterval = fmt.Sprintf("fewer than %d labs on one side", FloorLabs)
	case low <= 0 || high > maxRatio:
		r.WhyNoInterval = "a few labs have most of the works"
	default:
		r.Interval, r.Low, r.High = true, low, high
	}
	return r
}

// maxRatio is where a resampled ratio has lost its other side.
const maxRatio = 1e6

// seed begins the sequence of the resamples: the same works give the same interval.
const seed = 1

// A dice is SplitMix64 (https://doi.org/10.1145/2660193.2660195): this package is
// pure, and the same everywhere.
type dice uint64

func (d *dice) roll() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1.
func (d *dice) below(n int) int {
	hi, _ := bits.Mul64(d.roll(), uint64(n))
	return int(hi)
}

// resample draws the clusters again and again, and returns for each week the sorted
// ratios, and those of the whole period. Under [StepCumulative] a week has all before
// it. All weeks see the same draws, so that a curve's interval moves as a curve does,
// and its last point is the whole period's.
func (c *Counter) resample(clusters []*cluster, weeks []int) (by [][]float64, together []float64) {
	type entry struct {
		cluster int
		sides   [2]part
	}
	entries := make([][]entry, max(1, len(weeks)))
	n := 0
	for i, l := range clusters {
		n += l.like
		for week, at := range l.sides {
			k := 0
			if len(weeks) > 0 {
				k = week - weeks[0]
			}
			entries[k] = append(entries[k], entry{i, *at})
		}
	}
	by = make([][]float64, len(weeks))
	for k := range by {
		by[k] = make([]float64, Resamples)
	}
	together = make([]float64, Resamples)
	if n == 0 {
		return by, together
	}
	which := make([]int32, 0, n)
	for i, l := range clusters {
		which = append(which, slices.Repeat([]int32{int32(i)}, l.like)...)
	}
	d := dice(seed)
	weights := make([]part, len(clusters))
	for r := range Resamples {
		clear(weights)
		for range n {
			weights[which[d.below(n)]]++
		}
		var sum [2]part
		for k, es := range entries {
			var week [2]part
			for _, e := range es {
				week[0] += weights[e.cluster] * e.sides[0]
				week[1] += weights[e.cluster] * e.sides[1]
			}
			sum[0] += week[0]
			sum[1] += week[1]
			switch {
			case len(by) == 0:
			case c.q.Step == StepCumulative:
				by[k][r] = ratioOf(sum)
			default:
				by[k][r] = ratioOf(week)
			}
		}
		together[r] = ratioOf(sum)
	}
	for k := range by {
		slices.Sort(by[k])
	}
	slices.Sort(together)
	return by, together
}

func ratioOf(sides [2]part) float64 {
	switch {
	case sides[1] > 0:
		return float64(sides[0]) / float64(sides[1])
	case sides[0] > 0:
		return maxRatio * 2
	}
	return 0
}
