package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// Digest words a composed digest: the headline, its numbers and the balance in short,
// so that the first message says the most; then what one may build on; then the whole
// balance with its rule, and the small print.
func Digest(d digest.Digest) message.Document {
	n := d.Numbers
	doc := message.Document{
		Summary: fmt.Sprintf("%s: %s, %d you may build on, from %s", d.Title, Count(n.Works, "work"), n.Open, Count(n.Countries, "country")),
	}
	add := func(b message.Block) { doc.Blocks = append(doc.Blocks, b) }
	note := span(d.Period)
	if n.Works > 0 {
		note += fmt.Sprintf(" · %s · %d you may build on · %s · %s", Count(n.Works, "work"), n.Open, Count(n.Labs, "lab"), Count(n.Countries, "country"))
	}
	add(message.Heading{Level: 1, Text: d.Title, Note: note})
	if d.Merged > 1 {
		add(message.Paragraph{Text: message.Plain(fmt.Sprintf("This digest covers %d periods: the earlier ones did not go out when they were due.", d.Merged))})
	}
	if d.Query != "" {
		add(message.Fields{Items: []message.Field{{Name: "Query", Value: message.Line{{Text: d.Query, Code: true}}}}})
	}
	if n.Works > 0 {
		add(balanceChart(d.Balance, headBars))
	}
	if len(d.Sections) == 0 {
		add(message.Paragraph{Text: message.Plain(quietWeek(d.Small))})
	}
	for _, s := range d.Sections {
		title := s.Title
		if total := len(s.Stories) + s.More; s.More > 0 {
			title = fmt.Sprintf("%s · %d of %d", s.Title, len(s.Stories), total)
		}
		add(message.Heading{Level: 2, Text: title, Note: s.Blurb})
		for _, st := range s.Stories {
			add(Story(st))
		}
	}
	if n.Works > 0 {
		whole, note := Balance(d.Balance).Blocks, "works by country and openness"
		if chart, _ := whole[0].(message.Chart); len(chart.Bars) <= headBars {
			whole, note = whole[1:], "how the works at the head were counted" // all its bars are there
		}
		add(message.Heading{Level: 2, Text: "The balance", Note: note})
		for _, b := range whole {
			add(b)
		}
	}
	add(message.Heading{Level: 2, Text: "Small print"})
	add(smallPrint(d))
	return doc
}

// Archived is a digest's document that ends with the way to it in the archive, for
// those who come later. An empty url adds nothing.
func Archived(doc message.Document, url string) message.Document {
	if url == "" {
		return doc
	}
	way := message.Line{{Text: "This digest in the archive", URL: url}, {Text: ": to cite, to search around, and as it reads after corrections."}}
	doc.Blocks = slices.Clone(doc.Blocks)
	if small, ok := doc.Blocks[max(0, len(doc.Blocks)-1)].(message.SmallPrint); ok {
		doc.Blocks[len(doc.Blocks)-1] = message.SmallPrint{Items: append(slices.Clip(small.Items), way)}
	} else {
		doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: []message.Line{way}})
	}
	return doc
}

// quietWeek says why there is nothing to tell; not having looked is another thing
// than nothing new.
func quietWeek(s digest.SmallPrint) string {
	switch {
	case s.Looked == 0 && len(s.Broken) == 0:
		return "No source was looked at in this period, so there is nothing to tell. Pull first, or choose a period since the first pull."
	case s.Looked == 0:
		return "No source could be read in this period. That is not the same as a quiet week: see the small print."
	}
	return fmt.Sprintf("Nothing that matches came out in this period. %s answered.", Count(s.Looked, "source"))
}

// Story words one story.
func Story(s digest.Story) message.Story {
	out := message.Story{
		Title: s.Title, URL: s.URL, ID: string(s.Work), Line: s.Line,
		Openness: s.Badge.Openness, Badge: BadgeWords(s.Badge), Caution: Caution(s.Badge.License, s.Badge.Flags),
	}
	id := string(s.Work)
	out.Actions = []message.Action{
		{Label: "Why?", Command: "why " + id},
		{Label: "Can we use it?", Command: "can-we-use " + id},
		{Label: "Save", Command: "save " + id},
		{Label: "Useful", Command: "vote " + id + " value:useful"},
		{Label: "Not useful", Command: "vote " + id + " value:not-useful"},
	}
	const most = 4
	for i, l := range s.Labs {
		if i == most {
			out.Who = append(out.Who, message.Who{Lab: fmt.Sprintf("and %d more", len(s.Labs)-most)})
			break
		}
		out.Who = append(out.Who, who(l.Name, l.Country))
	}
	if slices.ContainsFunc(s.Labs, func(l digest.StoryLab) bool { return l.Disputed }) {
		out.Who = append(out.Who, message.Who{Lab: "which is disputed"})
	}
	for _, a := range s.Also {
		out.Also = append(out.Also, message.Link{Name: a.Name, URL: a.URL})
	}
	var notes []string
	for _, e := range s.Changes {
		notes = append(notes, EventWords(e))
	}
	for _, e := range s.Errata {
		notes = append(notes, ErratumWords(e))
	}
	out.Note = strings.Join(notes, "; ")
	return out
}

func who(name string, c feeds.Country) message.Who {
	reg := registry.Default()
	if c == "" {
		c = feeds.Nowhere
	}
	return message.Who{Lab: name, Country: c, Flag: reg.CountryFlag(c), Place: reg.CountryName(c)}
}

// BadgeWords say what may be had: "open weights, MIT", "paper only".
func BadgeWords(b digest.Badge) string {
	name := map[feeds.ArtifactKind]string{feeds.Weights: "weights", feeds.Code: "code", feeds.Data: "data", feeds.Hosted: "service"}[b.Artifact]
	terms := LicenseName(b.License)
	switch b.Openness {
	case feeds.OpenSource:
		return joined("open source"+forKind(b.Artifact), terms)
	case feeds.OpenWeights:
		if b.Artifact != feeds.Weights && name != "" {
			return joined("open "+name, terms)
		}
		return joined("open weights", terms)
	case feeds.Restricted:
		if name == "" {
			name = "terms"
		}
		return joined("restricted "+name, terms)
	case feeds.Closed:
		return closedWords(b.Flags)
	}
	if name == "" || b.Artifact == feeds.Hosted {
		return "no artifact known"
	}
	return joined(name+", license unknown", terms)
}

func forKind(k feeds.ArtifactKind) string {
	if k == feeds.Code {
		return " (code)"
	}
	return ""
}

func closedWords(flags []feeds.Flag) string {
	switch {
	case slices.Contains(flags, feeds.FlagAPI):
		return "closed, API only"
	case slices.Contains(flags, feeds.FlagHosted):
		return "closed, hosted only"
	case slices.Contains(flags, feeds.FlagAnnounced):
		return "closed, announced only"
	}
	return "closed"
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + ", " + b
}

// LicenseName is what people call a license: the SPDX id where there is one, the
// registry's name for the others.
func LicenseName(id string) string {
	if !strings.HasPrefix(id, "LicenseRef-") {
		return id
	}
	if l, ok := registry.Default().License(id); ok && l.Name != "" {
		return l.Name
	}
	return strings.TrimPrefix(strings.TrimPrefix(id, "LicenseRef-"), "scancode-")
}

// cautions are the flags in words, in the order in which they matter.
var cautions = []struct {
	flag  feeds.Flag
	words string
}{
	{feeds.FlagNonCommercial, "non-commercial only"},
	{feeds.FlagResearch, "research only"},
	{feeds.FlagGatedManual, "access must be approved"},
	{feeds.FlagTerritory, "not licensed everywhere"},
	{feeds.FlagScale, "limit on users or revenue"},
	{feeds.FlagField, "forbidden uses"},
	{feeds.FlagMilitary, "no military use"},
	{feeds.FlagOutput, "outputs may not train other models"},
	{feeds.FlagServe, "limits on hosting it"},
	{feeds.FlagBrand, "name must be shown"},
	{feeds.FlagNoDerivatives, "no derivatives"},
	{feeds.FlagTerms, "further conditions"},
	{feeds.FlagConflict, "terms differ, strictest shown"},
	{feeds.FlagCopyleft, "copyleft"},
	{feeds.FlagGatedAuto, "contact data asked for"},
	{feeds.FlagNotOSI, "not OSI-approved"},
}

// Caution puts flags into words, the gravest first; "" for none that a reader must
// be warned of. The license, "" if it is not known, says where it licenses nothing.
func Caution(license string, flags []feeds.Flag) string {
	var out []string
	for _, c := range cautions {
		if !slices.Contains(flags, c.flag) {
			continue
		}
		words := c.words
		if l, ok := registry.Default().License(license); ok && c.flag == feeds.FlagTerritory && len(l.Withheld) > 0 {
			words = "not licensed in " + withheldWords(l.Withheld)
			if l.WithheldOf != "" {
				words = l.WithheldOf + " " + words
			}
		}
		out = append(out, words)
	}
	return strings.Join(out, ", ")
}

// withheldWords are places as in "not licensed in the EU, the UK or South Korea".
func withheldWords(places []feeds.Country) string {
	var out []string
	for _, c := range places {
		switch c {
		case "EU":
			out = append(out, "the EU")
		case "GB":
			out = append(out, "the UK")
		default:
			out = append(out, registry.CountryName(c))
		}
	}
	last := len(out) - 1
	if last == 0 {
		return out[0]
	}
	return strings.Join(out[:last], ", ") + " or " + out[last]
}

func smallPrint(d digest.Digest) message.SmallPrint {
	s := d.Small
	var out message.SmallPrint
	add := func(format string, args ...any) {
		out.Items = append(out.Items, message.Plain(fmt.Sprintf(format, args...)))
	}
	answered := fmt.Sprintf("%s answered", Count(s.Looked, "source"))
	if n := len(s.Quiet); n > 0 {
		answered += fmt.Sprintf("; quiet: %s", some(s.Quiet, 6))
	}
	add("%s.", answered)
	if len(s.Broken) > 0 {
		var broken []string
		for _, b := range s.Broken {
			line := b.Title + " (" + brokenWords(b.Why)
			if !b.Since.IsZero() {
				line += ", last read " + day(b.Since)
			} else {
				line += ", never read"
			}
			broken = append(broken, line+")")
		}
		add("Could not be read, so what they said is missing here: %s.", some(broken, 6))
	}
	if d.Numbers.Works > 0 {
		add("Country known for %d of %d works (%s); license class known for %d of %d with an artifact.", s.Known, d.Numbers.Works, percent(s.Known, d.Numbers.Works), s.LicenseKnown, s.Artifacts)
	}
	if !d.Amended.IsZero() {
		add("Corrected since it was posted, last on %s: the stories marked so are as they are now; the rest, the numbers and the balance are as they were.", day(d.Amended))
	}
	add("A tag is never a guess: what is not known says so. Lab registry %s. Not legal advice.", s.Registry)
	return out
}

// brokenWords say to a reader why a source could not be read. What is kept begins with
// a [feeds.TroubleKind], and goes on for operators.
func brokenWords(why string) string {
	kind, _, _ := strings.Cut(why, ":")
	kind, _, _ = strings.Cut(kind, ",")
	switch feeds.TroubleKind(strings.TrimSpace(kind)) {
	case feeds.TroubleNetwork, feeds.TroubleTimeout:
		return "does not answer"
	case feeds.TroubleStatus, feeds.TroubleRefused:
		return "answers with an error"
	case feeds.TroubleGone:
		return "is no longer there"
	case feeds.TroubleLimited:
		return "asks us to come less often"
	case feeds.TroubleDenied, feeds.TroublePrivate:
		return "does not let us in"
	case feeds.TroubleTooLarge, feeds.TroubleNotAFeed, feeds.TroubleMalformed:
		return "answers what cannot be read"
	}
	return "cannot be read"
}

// some joins at most most of the names and counts the rest.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func percent(part, whole int) string {
	if whole == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}

// Count is a number with its noun: "1 work", "3 countries".
func Count(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok {
			noun = stem + "ies"
		} else if strings.HasSuffix(noun, "s") {
			noun += "es"
		} else {
			noun += "s"
		}
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// span prints a period by its first and last day: "16–22 Nov 2026".
func span(p digest.Period) string {
	from, last := p.From, p.To.Add(-time.Nanosecond).In(p.To.Location())
	switch {
	case from.Format("2006-01-02") == last.Format("2006-01-02"):
		return last.Format("2 January 2006")
	case from.Format("2006-01") == last.Format("2006-01"):
		return from.Format("2") + "–" + last.Format("2 January 2006")
	case from.Year() == last.Year():
		return from.Format("2 Jan") + " – " + last.Format("2 Jan 2006")
	}
	return from.Format("2 Jan 2006") + " – " + last.Format("2 Jan 2006")
}

// Results words the answer to a search.
func Results(query string, works []digest.Work, more bool) message.Document {
	doc := message.Document{Summary: fmt.Sprintf("%s for %s", Count(len(works), "work"), query)}
	if len(works) == 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Line{{Text: "Nothing matches "}, {Text: query, Code: true}, {Text: "."}}})
		return doc
	}
	for _, w := range works {
		doc.Blocks = append(doc.Blocks, Story(digest.StoryOf(w)))
	}
	if more {
		doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("There are more: raise the limit or narrow the query.")}})
	}
	return doc
}

// Why words everything that is known about why a work is tagged as it is: each
// tag with its evidence, the rule and the date, where it appeared and what joined
// those places, what changed, what people corrected, and what was never looked up.
func Why(w digest.Work, corrections []digest.Correction, looked []Lookup) message.Document {
	doc := message.Document{Summary: w.Title}
	add := func(b message.Block) { doc.Blocks = append(doc.Blocks, b) }
	add(message.Heading{Level: 1, Text: w.Title, Note: fmt.Sprintf("%s · %s · first public %s", w.ID, w.Kind, day(w.First))})
	add(message.Paragraph{Text: message.Line{{Text: w.URL, URL: w.URL}}})

	add(message.Heading{Level: 2, Text: "Who, and from where"})
	reg := registry.Default()
	if len(w.Labs) == 0 {
		add(message.Paragraph{Text: message.Plain("Not known (rule C10): no releasing account, feed, affiliation or statement names a lab. A name or a language is never evidence.")})
	}
	for _, a := range w.Labs {
		value := fmt.Sprintf("%s, %s", a.Role, reg.CountryName(a.Home))
		if a.Control != a.Home {
			value += fmt.Sprintf(" (controlled from %s)", reg.CountryName(a.Control))
		}
		value += fmt.Sprintf("; known by %s", a.Basis)
		if a.Disputed {
			value += "; disputed, so not counted"
		}
		name := a.Name
		if name == "" {
			name = "lab not named"
		}
		add(message.Fields{Items: []message.Field{{Name: name, Value: message.Plain(value)}}})
		if len(a.Evidence) > 0 {
			add(evidence(a.Evidence))
		}
	}

	add(message.Heading{Level: 2, Text: "May we build on it?", Note: BadgeWords(digest.StoryOf(w).Badge)})
	if len(w.Artifacts) == 0 {
		add(message.Paragraph{Text: message.Plain("No artifact is known: nothing to build on but the text.")})
	}
	for _, a := range w.Artifacts {
		value := message.Line{{Text: a.Openness.String(), Bold: true}}
		if a.License != "" {
			value = append(value, message.Span{Text: ", " + LicenseName(a.License)})
		}
		if a.Basis != "" {
			value = append(value, message.Span{Text: " (" + string(a.Basis) + ")"})
		}
		if c := Caution(a.License, a.Flags); c != "" {
			value = append(value, message.Span{Text: "; " + c})
		}
		if a.URL != "" {
			value = append(value, message.Span{Text: " "}, message.Span{Text: a.URL, URL: a.URL})
		}
		add(message.Fields{Items: []message.Field{{Name: string(a.Kind), Value: value}}})
		if len(a.Evidence) > 0 {
			add(evidence(a.Evidence))
		}
	}

	add(message.Heading{Level: 2, Text: "Where it appeared, and why that is one work"})
	var places message.List
	for _, p := range w.Places {
		line := message.Line{{Text: day(p.Date) + " "}, {Text: p.Title, URL: p.URL}, {Text: " (" + string(p.Source) + ")", Quiet: true}}
		if p.Rule != "" {
			line = append(line, message.Span{Text: fmt.Sprintf(" — joined by %s %s, rule %s: %s", p.Via.Scheme, p.Via.Value, p.Rule, digest.ExplainRule(p.Rule))})
		}
		places.Items = append(places.Items, line)
	}
	add(places)

	if len(w.Events) > 0 {
		add(message.Heading{Level: 2, Text: "History"})
		var l message.List
		for _, e := range w.Events {
			l.Items = append(l.Items, message.Plain(day(e.At)+": "+EventWords(e)))
		}
		add(l)
	}
	if len(corrections) > 0 {
		add(message.Heading{Level: 2, Text: "Corrections"})
		var l message.List
		for _, c := range corrections {
			l.Items = append(l.Items, message.Plain(day(c.At)+" "+CorrectionWords(c)))
		}
		add(l)
	}
	add(message.Heading{Level: 2, Text: "Looked up"})
	var l message.List
	because := map[string]int{} // the item of what was not asked, by reason
	for _, x := range looked {
		if !x.At.IsZero() {
			l.Items = append(l.Items, message.Plain(fmt.Sprintf("%s: %s, %s", x.What, day(x.At), x.Result)))
			continue
		}
		if i, ok := because[x.Result]; ok {
			l.Items[i] = append(l.Items[i], message.Span{Text: "; " + x.What})
			continue
		}
		reason := ""
		if x.Result != "" {
			reason = " (" + x.Result + ")"
		}
		because[x.Result] = len(l.Items)
		l.Items = append(l.Items, message.Plain("not looked up"+reason+": "+x.What))
	}
	add(l)
	return doc
}

// EventWords say what happened to a work.
func EventWords(e digest.Event) string {
	switch e.Kind {
	case digest.EventRelicensed:
		return fmt.Sprintf("%s relicensed: %s → %s", e.Detail, termsWords(e.From), termsWords(e.To))
	case digest.EventRevised:
		return fmt.Sprintf("the paper was revised: %s → %s", e.From, e.To)
	}
	if (e.Kind == digest.EventAppeared || e.Kind == digest.EventMerged || e.Kind == digest.EventCorrected) && e.Detail != "" {
		return e.Detail
	}
	words := string(e.Kind)
	if e.What != "" {
		words += " " + e.What
	}
	if e.From != "" || e.To != "" {
		words += fmt.Sprintf(": %s → %s", e.From, e.To)
	}
	if e.Detail != "" {
		words += " (" + e.Detail + ")"
	}
	return words
}

func termsWords(s string) string {
	license, class := digest.SplitTerms(s)
	if license == "" {
		return "no license"
	}
	return LicenseName(license) + " (" + class + ")"
}

// A Lookup is a question that was, or was not, asked of a service about a work.
type Lookup struct {
	What   string    // "arXiv page for affiliations"
	At     time.Time // zero: not asked
	Result string    // what came of it; or why it was not asked
}

func evidence(es []feeds.Evidence) message.List {
	var l message.List
	for _, e := range es {
		line := message.Line{{Text: "rule " + e.Rule}, {Text: ", " + e.Field + ": "}, {Text: "“" + e.Quote + "”"}}
		if e.URL != "" {
			line = append(line, message.Span{Text: " "}, message.Span{Text: e.URL, URL: e.URL})
		}
		if !e.ObservedAt.IsZero() {
			line = append(line, message.Span{Text: ", seen " + day(e.ObservedAt), Quiet: true})
		}
		l.Items = append(l.Items, line)
	}
	return l
}

// Paused tells the owner of a subscription that it was paused, and why.
func Paused(sub digest.Subscription, because string) message.Document {
	what := "Your digest of everything"
	if sub.Query != "" {
		what = "Your digest of " + clip(sub.Query, 200)
	}
	return message.Document{Summary: what + " is paused", Blocks: []message.Block{
		message.Paragraph{Text: message.Plain(what + " could not be posted and is paused. " + because)},
		message.SmallPrint{Items: []message.Line{message.Plain("Resume it in its channel once that is mended: resume " + string(sub.ID) + ". You are told once for each cause.")}},
	}}
}
