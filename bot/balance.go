package bot

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// opennessClasses are the segments of a bar, the freest first.
var opennessClasses = []struct {
	class feeds.Openness
	words string
}{
	{feeds.OpenSource, "open source"},
	{feeds.OpenWeights, "open weights, code or data"},
	{feeds.Restricted, "restricted"},
	{feeds.Closed, "closed"},
	{feeds.Unknown, "not known or paper only"},
}

// mostBars is how many countries a chart shows by name.
const mostBars = 12

// Balance words the balance of a digest: the chart, the ratio, and how it was
// counted.
func Balance(b digest.Balance) message.Document {
	small := []message.Line{message.Plain(ruleWords(b) + ".")}
	if b.Ratio != nil {
		small = append(small, message.Plain(ratioWords(*b.Ratio)))
	}
	chart := BalanceChart(b)
	return message.Document{Summary: chart.Alt, Blocks: []message.Block{chart, message.SmallPrint{Items: small}}}
}

// Series words the answer to a question about the balance: the finding, its charts,
// and all that a reader needs to doubt it.
func Series(s digest.Series) message.Document {
	finding := SeriesFinding(s)
	doc := message.Document{Summary: finding, Blocks: []message.Block{message.Paragraph{Text: message.Plain(finding)}}}
	if s.Total.Known+s.Total.Unknown == 0 {
		// There is nothing to draw; the small print says of what.
	} else if s.Step == digest.StepNone {
		chart := BalanceChart(s.Total)
		chart.Note = SeriesNote(s)
		doc.Blocks = append(doc.Blocks, chart)
	} else {
		doc.Blocks = append(doc.Blocks, WorksOverTime(s))
		if c, ok := RatioOverTime(s); ok {
			doc.Blocks = append(doc.Blocks, c)
		}
	}
	var small message.SmallPrint
	for _, l := range SeriesSmallPrint(s) {
		small.Items = append(small.Items, message.Plain(l))
	}
	doc.Blocks = append(doc.Blocks, small)
	return doc
}

// BalanceChart draws works by country and openness as bars.
func BalanceChart(b digest.Balance) message.Chart { return balanceChart(b, mostBars) }

// headBars is how many countries the chart at the head of a digest shows by name: a
// phone then shows the first story below it.
const headBars = 5

// balanceChart names the first countries of a balance, and sums up the others.
func balanceChart(b digest.Balance, most int) message.Chart {
	reg := registry.Default()
	chart := message.Chart{Title: "Works by country, " + viewWords(b.View), Note: ruleWords(b) + "."}
	for _, c := range opennessClasses {
		chart.Series = append(chart.Series, c.words)
	}
	rest := message.Bar{Values: make([]float64, len(opennessClasses))}
	others := 0
	at := -1 // where the bar of the others stands: before what has no country
	for i, r := range b.Rows {
		values := classValues(r)
		aside := r.Country == feeds.Nowhere || r.Country == feeds.International
		if i >= most && !aside {
			for j, v := range values {
				rest.Values[j] += v
			}
			others++
			continue
		}
		if aside && at < 0 {
			at = len(chart.Bars)
		}
		chart.Bars = append(chart.Bars, message.Bar{Label: reg.CountryName(r.Country), Flag: reg.CountryFlag(r.Country), Values: values, Note: barNote(r.Total, r.Open)})
	}
	if others > 0 {
		rest.Label = Count(others, "other country")
		rest.Note = barNote(rest.Total(), rest.Values[0]+rest.Values[1])
		if at < 0 {
			at = len(chart.Bars)
		}
		chart.Bars = slices.Insert(chart.Bars, at, rest)
	}
	chart.Alt = balanceFinding(b)
	return chart
}

func classValues(r digest.BalanceRow) (out []float64) {
	for _, c := range opennessClasses {
		out = append(out, r.ByClass[c.class])
	}
	return out
}

func barNote(total, open float64) string {
	return fmt.Sprintf("%s (%s open)", message.Number(total), message.Number(open))
}

func viewWords(v feeds.View) string {
	if v == feeds.ViewControl {
		return "by whose company the lab is"
	}
	return "by where the lab sits"
}

// balanceFinding says what a balance comes to, in a sentence.
func balanceFinding(b digest.Balance) string {
	if b.Ratio != nil {
		return finding(b, *b.Ratio)
	}
	reg := registry.Default()
	var says []string
	for _, r := range b.Rows {
		if r.Country != feeds.Nowhere && r.Country != feeds.International && len(says) < 3 {
			says = append(says, fmt.Sprintf("%s %s (%s open)", reg.CountryName(r.Country), message.Number(r.Total), message.Number(r.Open)))
		}
	}
	if len(says) == 0 {
		return "No work of a known country."
	}
	return fmt.Sprintf("Works: %s; rule %s, country unknown for %s.", strings.Join(says, ", "), b.Rule, percent(b.Unknown, b.Known+b.Unknown))
}

// SeriesFinding says what a series comes to, in a sentence.
func SeriesFinding(s digest.Series) string { return finding(s.Total, s.Ratio) }

func finding(b digest.Balance, r digest.Ratio) string {
	if b.Known+b.Unknown == 0 {
		return "Nothing was counted."
	}
	var out strings.Builder
	what, last := "open work", r.NOver
	if r.Of == digest.MeasureAll {
		what = "work"
	}
	fmt.Fprintf(&out, "%s %s", r.Over.Title(), message.Number(r.NOver))
	if b.Rule != digest.RuleAny { // under which the works of several countries are in several sums
		all := 0.0
		for _, row := range b.Rows {
			if r.Of == digest.MeasureAll {
				all += row.Total
			} else {
				all += row.Open
			}
		}
		fmt.Fprintf(&out, " of %s", message.Number(all))
		last = all
	}
	if last != 1 {
		what += "s"
	}
	fmt.Fprintf(&out, " %s, ", what)
	if r.Enough {
		fmt.Fprintf(&out, "%s times %s (%s", Times(r.Value), theTitle(r.Under), message.Number(r.NUnder))
		if r.Interval {
			fmt.Fprintf(&out, "; 95%%: %s–%s", Times(r.Low), Times(r.High))
		}
		out.WriteString(")")
	} else {
		fmt.Fprintf(&out, "%s %s; not enough data for a ratio", theTitle(r.Under), message.Number(r.NUnder))
	}
	fmt.Fprintf(&out, "; rule %s, country unknown for %s.", b.Rule, percent(b.Unknown, b.Known+b.Unknown))
	return out.String()
}

// theTitle is a group's name as it stands in a sentence.
func theTitle(g digest.Group) string {
	t := g.Title()
	for _, p := range []string{"United ", "European Union", "Nordic", "Netherlands", "Philippines"} {
		if strings.HasPrefix(t, p) {
			return "the " + t
		}
	}
	return t
}

// Times prints a ratio with as many digits as it deserves.
func Times(v float64) string {
	switch {
	case v < 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 10:
		if out := strconv.FormatFloat(v, 'f', 1, 64); out != "1.0" || v == 1 {
			return out
		}
		return strconv.FormatFloat(v, 'f', 2, 64) // or nobody sees who has more
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// ruleWords says how it was counted and of what, without the full stop.
func ruleWords(b digest.Balance) string {
	out := fmt.Sprintf("Counting rule “%s”: %s. Country: %s. ", b.Rule, b.Rule.Explain(), viewWords(b.View))
	if b.Companies {
		out += "Companies only. "
	}
	out += fmt.Sprintf("%s counted; country unknown for %d (%s)", Count(b.Works, "work"), b.Unknown, percent(b.Unknown, b.Known+b.Unknown))
	if b.Disputed > 0 {
		out += fmt.Sprintf("; %d left out because evidence contradicts itself", b.Disputed)
	}
	return out
}

// ratioWords gives a ratio, or says why there is none to give.
func ratioWords(r digest.Ratio) string {
	sides := fmt.Sprintf("%s %s by %s, %s %s by %s", r.Over.Title(), message.Number(r.NOver), Count(r.LabsOver, "lab"), r.Under.Title(), message.Number(r.NUnder), Count(r.LabsUnder, "lab"))
	if !r.Enough {
		return fmt.Sprintf("Ratio of %s: not enough data (%s; %s).", r.Of.Words(), r.Why, sides)
	}
	out := fmt.Sprintf("Ratio of %s: %s", r.Of.Words(), Times(r.Value))
	if r.Interval {
		out += fmt.Sprintf(", 95%% interval %s–%s", Times(r.Low), Times(r.High))
	} else {
		out += ", no interval: " + r.WhyNoInterval
	}
	return out + " (" + sides + ")."
}

// SeriesNote says how a series was counted, for a picture that travels alone.
func SeriesNote(s digest.Series) string {
	return strings.Join(append([]string{ruleWords(s.Total) + "."}, selectionWords(s), coverageWords(s)), " ")
}

func selectionWords(s digest.Series) string {
	out := "Of " + s.Selection.Explain()
	if s.Query != "" {
		out += ", those that match “" + clip(s.Query, 120) + "”"
	}
	if !s.Period.From.IsZero() {
		out += ", by the day they became public, " + span(s.Period)
	}
	return out + "."
}

func coverageWords(s digest.Series) string {
	out := Count(s.Sources, "source") + " looked at"
	if s.Coverage != "" {
		out += ": " + s.Coverage
	}
	return fmt.Sprintf("%s. Lab registry %s, counting %s.", out, cmp.Or(s.Total.Registry, "not said"), digest.CountingVersion)
}

// SeriesSmallPrint is all that must be printed with a series.
func SeriesSmallPrint(s digest.Series) []string {
	out := []string{ruleWords(s.Total) + ".", selectionWords(s), ratioWords(s.Ratio)}
	if s.Ratio.Interval {
		out = append(out, "How the interval is made: "+digest.Method+".")
	}
	for _, g := range []digest.Group{s.Over, s.Under} {
		if len(g.Members) > 1 {
			var codes []string
			for _, c := range g.Members {
				codes = append(codes, string(c))
			}
			out = append(out, fmt.Sprintf("%s is a view of several countries as one: %s.", g.Title(), strings.Join(codes, ", ")))
		}
	}
	silent := 0
	for _, p := range s.Points {
		if p.Silent {
			silent++
		}
	}
	if n := len(s.Points) - len(drawn(s)); n > 0 {
		out = append(out, fmt.Sprintf("Of the weeks, %d at the ends of the period are not whole and so not drawn; the tables have them.", n))
	}
	if silent > 0 {
		out = append(out, fmt.Sprintf("In %s no work of any country was seen; they are holes and not zeros.", Count(silent, "week")))
	}
	return append(out, coverageWords(s))
}

// weekLabel names a point by the day its week begins, or, of a sum, its last day.
func weekLabel(s digest.Series, p digest.Point) string {
	if s.Step == digest.StepCumulative {
		return day(p.To.Add(-time.Nanosecond))
	}
	return day(p.From)
}

// drawn are the points that a chart shows: a week that is not whole is not to be
// compared with whole ones, unless there is no other. Tables have them all.
func drawn(s digest.Series) []digest.Point {
	if s.Step != digest.StepWeekly {
		return s.Points
	}
	whole := slices.DeleteFunc(slices.Clone(s.Points), func(p digest.Point) bool { return p.Part })
	if len(whole) == 0 {
		return s.Points
	}
	return whole
}

func stepWords(s digest.Series) string {
	if s.Step == digest.StepCumulative {
		return "summed up since " + day(s.Points[0].From)
	}
	return "a week"
}

// WorksOverTime draws what the ratio compares, of both sides and of the two largest
// other countries.
func WorksOverTime(s digest.Series) message.Chart {
	reg := registry.Default()
	what := "Open works "
	if s.Of == digest.MeasureAll {
		what = "Works "
	}
	of := func(r digest.BalanceRow) float64 {
		if s.Of == digest.MeasureAll {
			return r.Total
		}
		return r.Open
	}
	c := message.Chart{Kind: message.ChartLines, Title: what + stepWords(s) + ", " + viewWords(s.View), Note: SeriesNote(s), Series: []string{s.Over.Title(), s.Under.Title()}}
	var others []digest.BalanceRow
	for _, r := range s.Total.Rows {
		if r.Country != feeds.Nowhere && r.Country != feeds.International && of(r) > 0 && !slices.Contains(s.Over.Members, r.Country) && !slices.Contains(s.Under.Members, r.Country) {
			others = append(others, r)
		}
	}
	slices.SortStableFunc(others, func(a, b digest.BalanceRow) int { return cmp.Compare(of(b), of(a)) })
	others = others[:min(2, len(others))]
	for _, r := range others {
		c.Series = append(c.Series, reg.CountryName(r.Country))
	}
	for _, p := range drawn(s) {
		b := message.Bar{Label: weekLabel(s, p), Values: []float64{of(p.Over.BalanceRow), of(p.Under.BalanceRow)}}
		for _, o := range others {
			n := 0.0
			for _, r := range p.Balance.Rows {
				if r.Country == o.Country {
					n = of(r)
				}
			}
			b.Values = append(b.Values, n)
		}
		if p.Silent && s.Step == digest.StepWeekly {
			b.Missing, b.Note = true, "nothing was seen"
		}
		c.Bars = append(c.Bars, b)
	}
	c.Alt = SeriesFinding(s)
	return c
}

// RatioOverTime draws the ratio with its interval; ok is false where there is
// nowhere enough data for one.
func RatioOverTime(s digest.Series) (c message.Chart, ok bool) {
	what := "Open works of "
	if s.Of == digest.MeasureAll {
		what = "Works of "
	}
	c = message.Chart{
		Kind: message.ChartLines, Title: fmt.Sprintf("%s%s for each one of %s, %s", what, theTitle(s.Over), theTitle(s.Under), stepWords(s)), Note: SeriesNote(s) + " Band: 95% interval, " + digest.MethodName + ".",
		Series: []string{s.Over.Name + " ÷ " + s.Under.Name}, Level: message.Level{At: 1, Name: "as many"}, Alt: ratioWords(s.Ratio),
	}
	for _, p := range drawn(s) {
		b := message.Bar{Label: weekLabel(s, p)}
		switch {
		case !p.Ratio.Enough:
			b.Missing, b.Note = true, "not enough data"
		case p.Ratio.Interval:
			b.Values, b.Low, b.High, ok = []float64{p.Ratio.Value}, []float64{p.Ratio.Low}, []float64{p.Ratio.High}, true
		default:
			b.Values, b.Note, ok = []float64{p.Ratio.Value}, "no interval: "+p.Ratio.WhyNoInterval, true
		}
		c.Bars = append(c.Bars, b)
	}
	return c, ok
}

// OpennessOverTime draws all works by class as areas.
func OpennessOverTime(s digest.Series) message.Chart {
	c := message.Chart{Kind: message.ChartStack, Title: "Works " + stepWords(s) + " by openness, all countries", Note: SeriesNote(s)}
	for _, x := range opennessClasses {
		c.Series = append(c.Series, x.words)
	}
	all, open := 0.0, 0.0
	for _, p := range drawn(s) {
		var sum digest.BalanceRow
		for _, r := range p.Balance.Rows {
			for i, n := range r.ByClass {
				sum.ByClass[i] += n
			}
		}
		c.Bars = append(c.Bars, message.Bar{Label: weekLabel(s, p), Values: classValues(sum), Missing: p.Silent && s.Step == digest.StepWeekly})
	}
	for _, r := range s.Total.Rows {
		all, open = all+r.Total, open+r.Open
	}
	if all > 0 {
		c.Alt = fmt.Sprintf("%s of %s works may be built on (%.0f%%); rule %s.", message.Number(open), message.Number(all), open/all*100, s.Rule)
	}
	return c
}

// A BalanceLine is one country in one week, or in the whole period, with everything
// that one must know to read it: a line that is copied out of its table still says
// how it was counted.
type BalanceLine struct {
	From    string             `json:"from"`
	To      string             `json:"to"` // exclusive
	Part    bool               `json:"part_of_week"`
	Silent  bool               `json:"nothing_seen"`
	Country feeds.Country      `json:"country"` // "" in a week without any work
	Name    string             `json:"name"`
	Total   float64            `json:"total"`
	Open    float64            `json:"open"`
	Classes map[string]float64 `json:"classes"`
	digest.Counting
	Step      digest.Step      `json:"step"`
	Selection digest.Selection `json:"selection"`
	Query     string           `json:"query"`
	Works     int              `json:"works"` // of the week or the sum
	Known     int              `json:"country_known"`
	Unknown   int              `json:"country_unknown"`
	Disputed  int              `json:"disputed"`
	Of        digest.Measure   `json:"ratio_of"`
	Over      string           `json:"ratio_over"`
	Under     string           `json:"ratio_under"`
	NOver     float64          `json:"n_over"`
	NUnder    float64          `json:"n_under"`
	Ratio     *float64         `json:"ratio"` // null: see RatioNote
	Low       *float64         `json:"ratio_low"`
	High      *float64         `json:"ratio_high"`
	RatioNote string           `json:"ratio_note"`
	Resamples int              `json:"resamples"`
	Sources   int              `json:"sources"`
	Registry  string           `json:"registry"`
	Version   string           `json:"counting"`
}

// BalanceLines are the lines of a series, oldest first.
func BalanceLines(s digest.Series) []BalanceLine {
	points := s.Points
	if s.Step == digest.StepNone {
		points = []digest.Point{{Period: s.Period, Balance: s.Total, Ratio: s.Ratio}}
	}
	var out []BalanceLine
	for _, p := range points {
		rows := p.Balance.Rows
		if len(rows) == 0 {
			rows = []digest.BalanceRow{{}}
		}
		if s.Step == digest.StepCumulative {
			p.From, p.Silent = s.Period.From, false
			if p.From.IsZero() {
				p.From = s.Points[0].From
			}
		}
		for _, r := range rows {
			l := BalanceLine{
				From: p.From.UTC().Format(time.RFC3339), To: p.To.UTC().Format(time.RFC3339), Part: p.Part, Silent: p.Silent,
				Country: r.Country, Total: r.Total, Open: r.Open, Classes: map[string]float64{},
				Counting: s.Counting, Step: s.Step, Selection: s.Selection, Query: s.Query,
				Works: p.Balance.Works, Known: p.Balance.Known, Unknown: p.Balance.Unknown, Disputed: p.Balance.Disputed,
				Of: s.Of, Over: s.Over.Name, Under: s.Under.Name, NOver: p.Ratio.NOver, NUnder: p.Ratio.NUnder, RatioNote: cmp.Or(p.Ratio.Why, p.Ratio.WhyNoInterval),
				Resamples: s.Resamples, Sources: s.Sources, Registry: s.Total.Registry, Version: digest.CountingVersion,
			}
			if r.Country != "" {
				l.Name = registry.Default().CountryName(r.Country)
			}
			if p.Ratio.Enough {
				l.Ratio = &p.Ratio.Value
			}
			if p.Ratio.Interval {
				l.Low, l.High = &p.Ratio.Low, &p.Ratio.High
			}
			for _, c := range opennessClasses {
				l.Classes[c.class.String()] = r.ByClass[c.class]
			}
			out = append(out, l)
		}
	}
	return out
}

// WriteBalanceJSONL writes lines as JSON Lines (https://jsonlines.org).
func WriteBalanceJSONL(w io.Writer, lines []BalanceLine) error {
	e := json.NewEncoder(w)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return fmt.Errorf("writing the balance: %w", err)
		}
	}
	return nil
}

// WriteBalanceCSV writes lines as a table with a head
// (https://www.rfc-editor.org/rfc/rfc4180).
func WriteBalanceCSV(w io.Writer, lines []BalanceLine) error {
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	perhaps := func(f *float64) string {
		if f == nil {
			return ""
		}
		return number(*f)
	}
	rows := [][]string{{"from", "to", "part_of_week", "nothing_seen", "country", "name", "total", "open"}}
	for _, c := range opennessClasses {
		rows[0] = append(rows[0], c.class.String())
	}
	rows[0] = append(rows[0], "rule", "view", "companies_only", "step", "selection", "query", "works", "country_known", "country_unknown", "disputed",
		"ratio_of", "ratio_over", "ratio_under", "n_over", "n_under", "ratio", "ratio_low", "ratio_high", "ratio_note", "resamples", "sources", "registry", "counting")
	for _, l := range lines {
		row := []string{l.From, l.To, strconv.FormatBool(l.Part), strconv.FormatBool(l.Silent), string(l.Country), Cell(l.Name), number(l.Total), number(l.Open)}
		for _, c := range opennessClasses {
			row = append(row, number(l.Classes[c.class.String()]))
		}
		rows = append(rows, append(row, string(l.Rule), string(l.View), strconv.FormatBool(l.Companies), string(l.Step), string(l.Selection), Cell(l.Query),
			strconv.Itoa(l.Works), strconv.Itoa(l.Known), strconv.Itoa(l.Unknown), strconv.Itoa(l.Disputed),
			string(l.Of), l.Over, l.Under, number(l.NOver), number(l.NUnder), perhaps(l.Ratio), perhaps(l.Low), perhaps(l.High), l.RatioNote,
			strconv.Itoa(l.Resamples), strconv.Itoa(l.Sources), l.Registry, l.Version))
	}
	c := csv.NewWriter(w)
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("writing the balance: %w", err)
	}
	return nil
}

// Cell keeps a stranger's text from being run as a formula by the program that a
// table is opened with. https://owasp.org/www-community/attacks/CSV_Injection
func Cell(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s != "" && strings.ContainsRune("=+-@|", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Coverage says in words where sources are: a ratio between countries is only as
// fair as the list of places one looked at. sources counts those that are visited.
func Coverage(health []digest.SourceHealth) (sources int, words string) {
	by := map[feeds.Country]int{}
	for _, h := range health {
		if !h.Paused && !h.Gone {
			sources++
			by[h.Country]++
		}
	}
	var cs []feeds.Country
	for c := range by {
		if c != "" {
			cs = append(cs, c)
		}
	}
	slices.SortFunc(cs, func(a, b feeds.Country) int {
		return cmp.Or(cmp.Compare(by[b], by[a]), strings.Compare(string(a), string(b)))
	})
	var says []string
	rest := 0
	for i, c := range cs {
		if i >= 5 {
			rest += by[c]
			continue
		}
		says = append(says, fmt.Sprintf("%s %d", registry.Default().CountryName(c), by[c]))
	}
	if rest > 0 {
		says = append(says, fmt.Sprintf("%s %d", Count(len(cs)-5, "other country"), rest))
	}
	if n := by[""]; n > 0 {
		says = append(says, fmt.Sprintf("of many labs %d", n))
	}
	return sources, strings.Join(says, ", ")
}

func runBalance(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	now := d.Now()
	if word := strings.ToLower(strings.TrimSpace(inv.Args["query"])); inv.Args["selection"] == "" && (word == string(digest.SelectUseful) || word == string(digest.SelectPicked)) {
		inv.Args["query"], inv.Args["selection"] = "", word // "balance useful" is not about the word
	}
	q := digest.Question{
		Counting:  digest.Counting{Rule: digest.Rule(inv.Args["rule"]), View: feeds.View(inv.Args["view"]), Companies: inv.Args["companies"] == "yes"},
		Selection: digest.Selection(inv.Args["selection"]), Query: inv.Args["query"], Step: digest.Step(inv.Args["series"]), Of: digest.Measure(inv.Args["of"]),
		Period: digest.Period{From: now.AddDate(0, -1, 0), To: now},
	}
	if q.Step != digest.StepNone {
		q.Period.From = now.AddDate(0, -6, 0)
	}
	for name, at := range map[string]*time.Time{"since": &q.Period.From, "until": &q.Period.To} {
		if text := inv.Args[name]; text != "" {
			t, err := parseDay(text, now)
			if err != nil {
				return Reply{}, err
			}
			*at = t
		}
	}
	for name, at := range map[string]*digest.Group{"over": &q.Over, "under": &q.Under} {
		if text := inv.Args[name]; text != "" {
			g, err := digest.ParseGroup(text)
			if err != nil {
				return Reply{}, wrongValue(name, "a code such as FR, an English name, or EU, CN+HK, ASEAN, Nordic", nearCountries(text), "There is no country or group %q", clip(text, 40))
			}
			*at = g
		}
	}
	if p := balanceProblem(q); p != nil {
		return Reply{}, p
	}
	q, err := q.Complete()
	if err != nil {
		return Reply{}, problemf("another period, or two sides that have nothing in common", "%s", sentenceCase(err.Error()))
	}
	if _, err := d.ParseQuery(ctx, q.Query); err != nil {
		return Reply{}, err
	}
	s, err := d.Series(ctx, q, inv.Place.Destination())
	if err != nil {
		return Reply{}, err
	}
	doc := Series(s)
	doc.Blocks = append([]message.Block{heading("The balance of open work", span(q.Period))}, doc.Blocks...)
	if q.Step == digest.StepNone {
		doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "Week by week", Command: strings.TrimSpace("balance "+argWords(inv.Args)) + " series:weekly"}}})
	}
	return Reply{Document: doc}, nil
}

// balanceProblem says which word of a question is not one of those it can be.
func balanceProblem(q digest.Question) error {
	bad := func(what, value string, among ...string) error {
		return problemf("one of "+strings.Join(among, ", "), "There is no %s %q", what, clip(value, 20))
	}
	switch {
	case q.Rule != "" && !slices.Contains(digest.Rules, q.Rule):
		return bad("counting rule", string(q.Rule), "share", "any", "lead", "sole")
	case q.View != "" && q.View != feeds.ViewHome && q.View != feeds.ViewControl:
		return bad("view", string(q.View), "home", "control")
	case q.Selection != "" && !slices.Contains(digest.Selections, q.Selection):
		return bad("selection", string(q.Selection), "all", "picked", "useful")
	case !slices.Contains(digest.Steps, q.Step):
		return bad("series", string(q.Step), "weekly", "cumulative")
	case q.Of != "" && !slices.Contains(digest.Measures, q.Of):
		return bad("measure", string(q.Of), "open", "all")
	}
	return nil
}

// argWords are the arguments of the command balance as one types them.
func argWords(args map[string]string) string {
	var out []string
	if q := strings.TrimSpace(args["query"]); q != "" {
		out = append(out, q)
	}
	for _, name := range []string{"over", "under", "rule", "view", "companies", "selection", "of", "since", "until"} {
		if v := args[name]; v != "" {
			out = append(out, name+":"+quoteSpaced(v))
		}
	}
	return strings.Join(out, " ")
}
