package digest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func question(step Step, over, under string) Question {
	o, err := ParseGroup(over)
	if err != nil {
		panic(err)
	}
	u, err := ParseGroup(under)
	if err != nil {
		panic(err)
	}
	q, err := Question{Step: step, Over: o, Under: u}.Complete()
	if err != nil {
		panic(err)
	}
	return q
}

func series(works []Work, q Question) Series {
	c := NewCounter(q)
	for i := range works {
		c.Add(&works[i])
	}
	return c.Series()
}

// began is a Wednesday.
var began = time.Date(2026, 1, 7, 10, 0, 0, 0, time.UTC)

// crowd makes works of many labs of several countries over some weeks.
func crowd(seed uint64, n int) []Work {
	rnd := rand.New(rand.NewPCG(seed, 2))
	countries := []feeds.Country{"CN", "CN", "CN", "US", "US", "FR", "DE", "HK", feeds.International}
	var works []Work
	for i := range n {
		var labs []feeds.Attribution
		for range []int{1, 1, 1, 1, 2, 1, 3, 1, 1, 0}[rnd.IntN(10)] {
			c := countries[rnd.IntN(len(countries))]
			a := lab(feeds.LabID(fmt.Sprintf("%s-%d", strings.ToLower(string(c)), rnd.IntN(20))), []feeds.Role{feeds.RoleAuthor, feeds.RoleLead, feeds.RoleReleaser}[rnd.IntN(3)], feeds.Affiliation, c)
			a.Kind = []feeds.LabKind{feeds.Company, feeds.University}[rnd.IntN(2)]
			labs = append(labs, a)
		}
		w := made(feeds.Openness(rnd.IntN(5)), labs...)
		w.ID, w.First = WorkID(fmt.Sprint("w", i)), began.Add(time.Duration(rnd.IntN(12*7*24))*time.Hour)
		works = append(works, w)
	}
	return works
}

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
}

// What must hold of every series, whatever the rule.
func TestSeriesLaws(t *testing.T) {
	works := crowd(1, 3000)
	for _, rule := range Rules {
		for _, of := range Measures {
			weekly := question(StepWeekly, "CN", "US")
			weekly.Rule, weekly.Of = rule, of
			cumulative, whole, swapped := weekly, weekly, weekly
			cumulative.Step, whole.Step = StepCumulative, StepNone
			swapped.Over, swapped.Under = weekly.Under, weekly.Over
			w, c, all, turned := series(works, weekly), series(works, cumulative), series(works, whole), series(works, swapped)
			name := fmt.Sprint(rule, " ", of)
			if len(w.Points) != 13 || len(c.Points) != 13 {
				t.Fatalf("%s: %d and %d weeks, want 13", name, len(w.Points), len(c.Points))
			}
			// The weeks add up to the whole, and what is summed up is their prefix sum.
			sum := map[feeds.Country]float64{}
			known := 0
			for i, p := range w.Points {
				known += p.Balance.Known
				got := totals(c.Points[i].Balance)
				for _, r := range p.Balance.Rows {
					sum[r.Country] += r.Total
				}
				for country, n := range sum {
					if math.Abs(got[country]-n) > 0.006 {
						t.Errorf("%s, week %d: %s %.2f, want %.2f", name, i, country, got[country], n)
					}
				}
				if c.Points[i].Balance.Known != known {
					t.Errorf("%s, week %d: %d known, want %d", name, i, c.Points[i].Balance.Known, known)
				}
				if rule == RuleShare || rule == RuleLead {
					parts := 0.0
					for _, r := range p.Balance.Rows {
						if r.Country != feeds.Nowhere {
							parts += r.Total
						}
					}
					if !near(parts, float64(p.Balance.Known)) {
						t.Errorf("%s, week %d: shares add up to %v of %d works", name, i, parts, p.Balance.Known)
					}
				}
			}
			last := c.Points[12]
			for _, s := range []Series{w, c, all} {
				if diff := cmp.Diff(totals(all.Total), totals(s.Total)); diff != "" {
					t.Errorf("%s: the whole period (-want +got):\n%s", name, diff)
				}
				for _, x := range [][2]float64{{s.Ratio.Value, last.Ratio.Value}, {s.Ratio.Low, last.Ratio.Low}, {s.Ratio.High, last.Ratio.High}} {
					if !near(x[0], x[1]) {
						t.Errorf("%s: ratio %+v, and %+v at the end of the sums", name, s.Ratio, last.Ratio)
					}
				}
			}
			r, inverse := all.Ratio, turned.Ratio
			if !r.Enough || !r.Interval || r.Low >= r.Value || r.Value >= r.High {
				t.Errorf("%s: ratio %+v", name, r)
			}
			if !near(inverse.Value, 1/r.Value) || !near(inverse.Low, 1/r.High) || !near(inverse.High, 1/r.Low) || inverse.LabsOver != r.LabsUnder || r.LabsOver != 20 || r.LabsUnder != 20 {
				t.Errorf("%s: turned around %+v is %+v", name, r, inverse)
			}
		}
	}
	// Who takes part counts at least as much as who has a share, and that at least as
	// much as who is alone.
	by := map[Rule]map[feeds.Country]float64{}
	for _, rule := range Rules {
		by[rule] = totals(Count(works, Counting{Rule: rule, View: feeds.ViewHome}))
	}
	for country, share := range by[RuleShare] {
		if by[RuleAny][country] < share-0.006 || share < by[RuleSole][country]-0.006 {
			t.Errorf("%s: any %v, share %v, sole %v", country, by[RuleAny][country], share, by[RuleSole][country])
		}
	}
}

// The order in which works come in changes nothing, to the last bit.
func TestSeriesOrder(t *testing.T) {
	works := crowd(5, 800)
	q := question(StepCumulative, "EU", "CN+HK")
	want := series(works, q)
	for seed := range uint64(5) {
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(works), func(i, j int) { works[i], works[j] = works[j], works[i] })
		if diff := cmp.Diff(want, series(works, q)); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	}
}

// Many that are alike, counted together, are as many one by one: also those of labs
// that can't be found again, each of which is a cluster of its own.
func TestAlike(t *testing.T) {
	var ratio Ratio
	for _, step := range Steps {
		q := question(step, "CN+HK", "US")
		one, together := NewCounter(q), NewCounter(q)
		for i, w := range crowd(9, 300) {
			for j := range w.Labs {
				if i%3 == 0 {
					w.Labs[j].Lab = ""
				}
			}
			n := 1 + i%5
			for k := range n {
				w.ID = WorkID(fmt.Sprint(i, " ", k))
				one.Add(&w)
			}
			w.ID, w.First = "", WeekBegins(WeekNumber(w.First))
			together.AddAlike(&w, n)
		}
		want, got := one.Series(), together.Series()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("step %q (-one by one +together):\n%s", step, d)
		}
		if r := want.Ratio; !r.Interval || r.LabsOver < 60 || r.LabsUnder < 30 {
			t.Errorf("step %q: %+v, though a third of the works stand for themselves", step, r)
		}
		if step == Steps[0] {
			ratio = want.Ratio
		}
		if d := cmp.Diff(ratio, want.Ratio); d != "" {
			t.Errorf("step %q has another ratio:\n%s", step, d)
		}
	}
}

// A side of several countries is one side: a work of two of its members is not two
// works, and not a work of several countries.
func TestGroupsCountAsOne(t *testing.T) {
	works := []Work{
		made(feeds.OpenWeights, lab("a", feeds.RoleAuthor, feeds.Affiliation, "FR"), lab("b", feeds.RoleAuthor, feeds.Affiliation, "DE")),
		made(feeds.OpenWeights, lab("a", feeds.RoleAuthor, feeds.Affiliation, "FR"), lab("c", feeds.RoleAuthor, feeds.Affiliation, "HK")),
		made(feeds.Closed, lab("c", feeds.RoleAuthor, feeds.Affiliation, "HK"), lab("d", feeds.RoleAuthor, feeds.Affiliation, "CN")),
	}
	for rule, want := range map[Rule][4]float64{ // open and all of the EU, of China with Hong Kong
		RuleShare: {1.5, 1.5, 0.5, 1.5},
		RuleAny:   {2, 2, 1, 2},
		RuleSole:  {1, 1, 0, 1},
	} {
		q := question(StepNone, "eu-27", "CN+HK")
		q.Rule = rule
		s := series(works, q)
		if got := [4]float64{s.OverRow.Open, s.OverRow.Total, s.UnderRow.Open, s.UnderRow.Total}; got != want {
			t.Errorf("%s: %v, want %v", rule, got, want)
		}
	}
}

func TestQuestionsRefused(t *testing.T) {
	eu, _ := ParseGroup("EU")
	for want, q := range map[string]Question{
		"have France in common":       {Over: eu, Under: GroupOf("FR")},
		"have China in common":        {Over: GroupOf("CN"), Under: GroupOf("CN")},
		"ends before it begins":       {Period: Period{began, began}},
		"a series has 522 weeks at m": {Period: Period{began.AddDate(-11, 0, 0), began}, Step: StepWeekly},
	} {
		if _, err := q.Complete(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, s := range []string{"", "XX", "INTL", "Atlantis", "CN+US"} {
		if g, err := ParseGroup(s); err == nil {
			t.Errorf("%q is %v", s, g)
		}
	}
}

func TestRatioNeedsEnough(t *testing.T) {
	var works []Work
	add := func(n, labs int, o feeds.Openness, c feeds.Country) {
		for i := range n {
			if c == "" {
				works = append(works, made(o))
				continue
			}
			works = append(works, made(o, lab(feeds.LabID(fmt.Sprintf("%s%d", c, i%labs)), feeds.RoleReleaser, feeds.Publisher, c)))
		}
	}
	ratio := func() Ratio { return series(works, question(StepNone, "CN", "US")).Ratio }
	if r := ratio(); r.Enough || r.Why != "nothing was counted" {
		t.Errorf("of nothing: %+v", r)
	}
	add(60, 12, feeds.OpenWeights, "CN")
	add(29, 9, feeds.OpenWeights, "US")
	if r := ratio(); r.Enough || r.Value != 0 || !strings.HasPrefix(r.Why, "too few open works") {
		t.Errorf("29 works on a side give %+v", r)
	}
	add(1, 1, feeds.OpenWeights, "US")
	add(500, 20, feeds.Closed, "US")
	if r := ratio(); !r.Enough || r.Value != 2 || r.Interval || r.WhyNoInterval != "fewer than 10 labs on one side" {
		t.Errorf("60 to 30 open works, of 9 labs, give %+v", r)
	}
	works = append(works, made(feeds.OpenSource, lab("another", feeds.RoleReleaser, feeds.Publisher, "US")))
	if r := ratio(); !r.Interval || r.Low >= r.Value || r.High <= r.Value || r.LabsUnder != 10 {
		t.Errorf("with ten labs: %+v", r)
	}
	// A disputed work is in no ratio, and is counted as such.
	x := lab("disputed", feeds.RoleReleaser, feeds.Publisher, "CN")
	x.Disputed = true
	before := ratio()
	works = append(works, made(feeds.OpenSource, x))
	if diff := cmp.Diff(before, ratio()); diff != "" {
		t.Errorf("a disputed work changes the ratio:\n%s", diff)
	}
	if b := Count(works, Counting{Rule: RuleShare, View: feeds.ViewHome}); b.Disputed != 1 {
		t.Errorf("%d disputed", b.Disputed)
	}
	add(400, 1, feeds.Unknown, "")
	if r := ratio(); r.Enough || !strings.Contains(r.Why, "known for too few works: 60%, and 80% is asked") {
		t.Errorf("with a third unknown: %+v", r)
	}
}

// Weeks that are not whole say so, and so do those in which nobody looked. A week
// without a work that was picked is a week with none.
func TestSparseWeeks(t *testing.T) {
	at := func(d time.Duration) Work {
		w := made(feeds.OpenWeights, lab("x", feeds.RoleReleaser, feeds.Publisher, "CN"))
		w.First = began.Add(d)
		return w
	}
	works := []Work{at(-time.Nanosecond), at(0), at(16 * 24 * time.Hour), at(24 * 24 * time.Hour)}
	q := question(StepWeekly, "CN", "US")
	q.Period = Period{began, began.Add(24 * 24 * time.Hour)} // Wednesday to Saturday
	words := func(s Series) string {
		var out []string
		for _, p := range s.Points {
			out = append(out, fmt.Sprintf("%s-%s %v part=%v silent=%v", p.From.Format("2"), p.To.Format("2"), p.Over.Open, p.Part, p.Silent))
		}
		return strings.Join(out, "\n")
	}
	want := "7-12 1 part=true silent=false\n12-19 0 part=false silent=true\n19-26 1 part=false silent=false\n26-31 0 part=true silent=true"
	if got := words(series(works, q)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	q.Selection = SelectPicked
	if got := words(series(works, q)); got != strings.ReplaceAll(want, "silent=true", "silent=false") {
		t.Errorf("picked: got\n%s", got)
	}
	q.Step = StepCumulative
	if got := words(series(works, q)); !strings.Contains(got, "12-19 1 part=false") || !strings.Contains(got, "26-31 2 part=true") {
		t.Errorf("summed up: got\n%s", got)
	}
	if n := WeekNumber(began.AddDate(-60, 0, 0)); WeekBegins(n).After(began.AddDate(-60, 0, 0)) || WeekBegins(n).Weekday() != time.Monday {
		t.Errorf("before 1970 a week begins on %s", WeekBegins(n))
	}
	if s := series(nil, q); len(s.Points) != 0 || s.Ratio.Enough {
		t.Errorf("nothing gives %+v", s)
	}
}

func parts(works float64) part { return part(works * float64(whole)) }

func clusters(sides ...[2]float64) (out []*cluster) {
	for i, s := range sides {
		out = append(out, &cluster{name: fmt.Sprintf("lab%02d", i), like: 1, sides: map[int]*[2]part{0: {parts(s[0]), parts(s[1])}}})
	}
	return out
}

// The resamples are drawn from the right distribution. Six labs have 6^6 = 46,656
// resamples, all equally likely; a program that went through all of them
// (itertools.product(labs, repeat=6)) counted those whose ratio is at most x:
//
//	x = 1/2: 7,011 (15.0%)   1: 20,278 (43.5%)   2: 35,485 (76.1%)   4: 43,213 (92.6%)
//
// The share among ours is within four standard errors of that, √(p(1-p)/1999).
func TestResamplesAreRight(t *testing.T) {
	c := NewCounter(question(StepNone, "CN", "US"))
	_, draws := c.resample(clusters([2]float64{5, 0}, [2]float64{9, 0}, [2]float64{4, 1}, [2]float64{0, 6}, [2]float64{0, 3}, [2]float64{2, 7}), nil)
	if len(draws) != Resamples || !slices.IsSorted(draws) {
		t.Fatalf("%d resamples, sorted: %v", len(draws), slices.IsSorted(draws))
	}
	for x, n := range map[float64]float64{0.5: 7011, 1: 20278, 2: 35485, 4: 43213} {
		p := n / 46656
		got := 0.0
		for _, r := range draws {
			if r <= x {
				got += 1.0 / Resamples
			}
		}
		if math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/Resamples) {
			t.Errorf("%.3f of the resamples are at most %v, want %.3f", got, x, p)
		}
	}
}

// The interval of 24 labs, to the last digit as another program computed it: Python,
// with SplitMix64 from seed 1, each draw being (z*24)>>64, the labs in order of name;
// of the 1,999 sorted ratios the 50th and the 1,950th. With that program's own
// generator, twenty times, the limits came out as 0.475–0.526 and 3.40–3.78.
func TestIntervalAgainstAnotherProgram(t *testing.T) {
	over := []float64{3, 1, 7, 2, 12, 4, 1, 5, 2, 9, 6, 3}
	under := []float64{2, 4, 1, 3, 8, 2, 2, 6, 1, 3, 5, 2}
	var labs []*cluster
	var k weekly
	k.ledger = newLedger(Counting{})
	for i, n := range over {
		labs = append(labs, clusters([2]float64{n, 0})...)
		labs[i].name = fmt.Sprintf("a%02d", i)
		k.over[feeds.OpenSource] += parts(n)
	}
	labs[2].sides[0][1] = parts(1.5) // a lab with works of both sides
	k.under[feeds.OpenSource] = parts(1.5)
	for _, n := range under {
		labs = append(labs, clusters([2]float64{0, n})...)
		k.under[feeds.OpenSource] += parts(n)
	}
	c := NewCounter(question(StepNone, "CN", "US"))
	_, draws := c.resample(labs, nil)
	r := c.ratio(Balance{Known: 100}, &k, draws, [2]int{12, 13})
	if !r.Interval || !near(r.Value, 1.3580246913580247) || !near(r.Low, 0.4897959183673469) || !near(r.High, 3.5294117647058822) {
		t.Errorf("%.16v (%.16v to %.16v)", r.Value, r.Low, r.High)
	}
}

// In a world whose true ratio is known, about 95 of 100 intervals have it. Intervals
// that took works for independent would not: here labs publish in bursts, as they do.
func TestIntervalCovers(t *testing.T) {
	const worlds, labs = 300, 80
	rnd := rand.New(rand.NewPCG(7, 7))
	c := NewCounter(question(StepNone, "CN", "US"))
	burst := func(mean float64) float64 { return 1 + math.Floor(rnd.ExpFloat64()*mean) }
	mean := func(m float64) float64 { return 1 + 1/(math.Exp(1/m)-1) } // of 1+⌊X⌋
	truth := 0.6 / 0.4 * mean(9) / mean(5)
	covered, naive := 0, 0
	for range worlds {
		var sides [][2]float64
		var n [2]float64
		for range labs {
			s := [2]float64{0, burst(5)}
			if rnd.Float64() < 0.6 {
				s = [2]float64{burst(9), 0}
			}
			n[0], n[1] = n[0]+s[0], n[1]+s[1]
			sides = append(sides, s)
		}
		_, draws := c.resample(clusters(sides...), nil)
		if draws[49] <= truth && truth <= draws[1949] {
			covered++
		}
		if math.Abs(math.Log(n[0]/n[1]/truth)) <= 1.96*math.Sqrt(1/n[0]+1/n[1]) {
			naive++
		}
	}
	// Of 300 with 95% each, 270 to 297 is all but certain.
	if covered < 270 || covered > 297 {
		t.Errorf("%d of %d intervals have the true ratio, want 95%%", covered, worlds)
	}
	if naive > worlds*3/4 {
		t.Errorf("%d of %d intervals over works have it: then there is no reason to cluster", naive, worlds)
	}
	t.Logf("clustered by lab %d, over works %d, of %d", covered, naive, worlds)
}

// BenchmarkSeries counts works that are in memory already, with intervals.
func BenchmarkSeries(b *testing.B) {
	works := crowd(1, 100_000)
	for _, step := range Steps {
		b.Run("step="+string(step), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				series(works, question(step, "CN", "US"))
			}
		})
	}
}
