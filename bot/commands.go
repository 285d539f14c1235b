package bot

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// Commands is the table of everything that can be asked. It is the only
// description of the commands there is.
func Commands() []Command {
	queryParam := Param{Name: "query", About: "words and filters, such as country:FR openness>=open-weights", Kind: ParamQuery}
	workParam := Param{Name: "work", About: "an id, a link, an arXiv id, a repository or words of the title", Kind: ParamWork, Required: true}
	subParam := Param{Name: "subscription", About: "an id that subscriptions shows, or all", Kind: ParamSub, Required: true}
	subIDParam := Param{Name: "subscription", About: "an id that subscriptions shows", Kind: ParamSub, Required: true}
	cadenceParam := Param{Name: "when", About: "weekly, daily, weekdays, monthly, Mondays at 9, or five cron fields", Kind: ParamText}
	zoneParam := Param{Name: "zone", About: "a time zone such as Europe/Paris", Kind: ParamText}
	publishParam := Param{Name: "publish", About: "also show it where this channel is followed, if it is for announcements", Kind: ParamChoice, Choices: []string{"yes", "no"}}
	balanceParams := []Param{
		queryParam,
		{Name: "over", About: "the country or group that is compared, such as CN or EU", Kind: ParamCountry},
		{Name: "under", About: "with which one, such as US", Kind: ParamCountry},
		{Name: "series", About: "week by week, or summed up", Kind: ParamChoice, Choices: []string{"weekly", "cumulative"}},
		{Name: "rule", About: "how a work of several countries is shared out", Kind: ParamChoice, Choices: []string{"share", "any", "lead", "sole"}},
		{Name: "view", About: "country of a lab: where it sits, or whose it is", Kind: ParamChoice, Choices: []string{"home", "control"}},
		{Name: "companies", About: "count companies only", Kind: ParamChoice, Choices: []string{"no", "yes"}},
		{Name: "selection", About: "all works, those in digests, or those found useful here", Kind: ParamChoice, Choices: []string{"all", "picked", "useful"}},
		{Name: "of", About: "compare open works, or all", Kind: ParamChoice, Choices: []string{"open", "all"}},
		{Name: "since", About: "beginning, such as 1mo or 2026-01-01", Kind: ParamText},
		{Name: "until", About: "end, exclusive", Kind: ParamText},
	}
	required := func(p Param) Param { p.Required = true; return p }
	return []Command{
		{Name: "help", About: "what you can ask", Params: []Param{{Name: "command", About: "one command", Kind: ParamText}}, Example: "help search", Run: runHelp},
		{Name: "latest", About: "the last digest of this channel, or this week's", Example: "latest", Run: runLatest},
		{Name: "preview", About: "what a digest of a query would say today", Params: []Param{queryParam}, Example: "preview country:EU openness>=open-weights", Run: runPreview},
		{Name: "search", About: "works by words, country, lab, openness, license, date", Params: []Param{required(queryParam), {Name: "page", About: "the next page", Kind: ParamText}}, Example: "search reasoning country:CN,FR since:1mo", Run: runSearch},
		{Name: "work", About: "one work: who, what may be had, under which license", Params: []Param{workParam}, Example: "work 2501.12948", Run: runWork},
		{Name: "why", About: "every tag of a work with its evidence and rule", Params: []Param{workParam}, Example: "why 2501.12948", Run: runWhy},
		{Name: "lab", About: "who a lab is, and its latest works", Params: []Param{{Name: "lab", About: "a name or id", Kind: ParamLab, Required: true}}, Example: "lab DeepSeek", Run: runLab},
		{Name: "country", About: "a country's latest open works", Params: []Param{{Name: "country", About: "a name or code", Kind: ParamCountry, Required: true}}, Example: "country France", Run: runCountry},
		{Name: "license", About: "what a license lets you do, and who uses it", Params: []Param{{Name: "license", About: "a name or SPDX id", Kind: ParamLicense, Required: true}}, Example: "license llama3.1", Run: runLicense},
		{Name: "can-we-use", About: "may we build on it? by this workspace's profile", Params: []Param{workParam}, Example: "can-we-use Qwen/Qwen3-8B", Run: runCanWeUse},
		{Name: "balance", About: "works by country and openness, with the rule printed", Params: balanceParams, Example: "balance over:EU under:US series:cumulative since:6mo", Run: runBalance},
		{Name: "disputed", About: "works about which the evidence disagrees with itself", Params: []Param{{Name: "since", About: "beginning, such as 1mo or 2026-01-01", Kind: ParamText}}, Example: "disputed since:1mo", Run: runDisputed},
		{Name: "topics", About: "named queries to subscribe to", Example: "topics", Run: runTopics},
		{Name: "sources", About: "the places we look, and how they are doing", Example: "sources", Run: runSources},
		{Name: "subscribe", About: "tell this channel about a query", Params: []Param{queryParam, cadenceParam, zoneParam, publishParam}, Example: `subscribe country:EU openness>=open-weights when:"Mondays at 9" zone:Europe/Paris`, Manages: true, Acts: true, Run: runSubscribe},
		{Name: "follow", About: "tell you alone about a query, in direct messages", Params: []Param{queryParam, cadenceParam, zoneParam}, Example: `follow topic:europe when:daily`, Acts: true, Run: runFollow},
		{Name: "subscriptions", About: "what this channel is told, by whom, when next", Params: []Param{{Name: "scope", About: "this channel or the whole workspace", Kind: ParamChoice, Choices: []string{"here", "all"}}}, Example: "subscriptions", Run: runSubscriptions},
		{Name: "edit", About: "change what a subscription is about, or when it comes", Params: []Param{subIDParam, queryParam, cadenceParam, zoneParam, publishParam}, Example: "edit s2f4k6q7xd when:daily", Manages: true, Acts: true, Run: runEdit},
		{Name: "unsubscribe", About: "end a subscription", Params: []Param{subParam}, Example: "unsubscribe all", Manages: true, Acts: true, Run: runUnsubscribe},
		{Name: "pause", About: "pause a subscription", Params: []Param{subParam, {Name: "until", About: "a date such as 2026-12-31", Kind: ParamText}}, Example: "pause all until:2027-01-07", Manages: true, Acts: true, Run: runPause},
		{Name: "resume", About: "resume a paused subscription", Params: []Param{subParam}, Example: "resume all", Manages: true, Acts: true, Run: runResume},
		{Name: "correct", About: "say that a tag is wrong", Params: []Param{workParam, {Name: "field", About: "what is wrong", Kind: ParamChoice, Choices: digest.CorrectionFields}, {Name: "value", About: "what is right; empty takes an earlier correction back", Kind: ParamText}, {Name: "because", About: "a link or a sentence", Kind: ParamText}}, Example: "correct 2501.12948 field:country value:CN because:https://www.deepseek.com", Acts: true, Run: runCorrect},
		{Name: "corrections", About: "corrections that wait for an editor", Params: []Param{{Name: "proposal", About: "the number of one", Kind: ParamText}, {Name: "decision", About: "an editor's word on it", Kind: ParamChoice, Choices: []string{"accept", "decline"}}, {Name: "because", About: "why not", Kind: ParamText}}, Example: "corrections 3 decision:accept", Acts: true, Run: runCorrections},
		{Name: "vote", About: "was it useful to you?", Params: []Param{workParam, {Name: "value", About: "your word", Kind: ParamChoice, Choices: []string{"useful", "not-useful", "none"}}}, Example: "vote w7k3m9q2xd value:useful", Acts: true, Run: runVote},
		{Name: "useful", About: "what people here found useful, and from which countries", Params: []Param{{Name: "since", About: "beginning, such as 1mo or 2026-01-01", Kind: ParamText}}, Example: "useful since:6mo", Run: runUseful},
		{Name: "save", About: "keep a work on your list", Params: []Param{workParam, {Name: "keep", About: "no takes it off again", Kind: ParamChoice, Choices: []string{"yes", "no"}}}, Example: "save w7k3m9q2xd", Acts: true, Run: runSave},
		{Name: "saved", About: "your list", Example: "saved", Run: runSaved},
		{Name: "settings", About: "this workspace's time zone, profile, and who may manage", Params: []Param{{Name: "set", About: "name=value, such as commercial=yes", Kind: ParamSetting}}, Example: "settings commercial=yes eu=yes", Acts: true, Run: runSettings},
	}
}

func heading(text, note string) message.Heading {
	return message.Heading{Level: 1, Text: text, Note: note}
}

func namesOf(table []Command) (out []string) {
	for _, c := range table {
		out = append(out, c.Name)
	}
	return out
}

func runHelp(_ context.Context, _ Desk, inv Invocation) (Reply, error) {
	table := Commands()
	if name := strings.ToLower(strings.TrimSpace(inv.Args["command"])); name != "" {
		i := slices.IndexFunc(table, func(c Command) bool { return c.Name == name })
		if i < 0 {
			n := Nearest(name, namesOf(table))
			if n == "" {
				return Reply{}, noCommand(name, "", table)
			}
			return Reply{}, noSuch(inv, "command", fmt.Sprintf("There is no command %q", clip(name, 40)), "", []string{n})
		}
		return Reply{Document: helpOf(table[i])}, nil
	}
	doc := message.Document{Summary: "What you can ask"}
	f := message.Fields{}
	for _, c := range table {
		f.Items = append(f.Items, message.Field{Name: c.Name, Value: message.Plain(c.About)})
	}
	doc.Blocks = []message.Block{
		heading("What you can ask", "which lab, which country, and may we build on it"), f,
		message.SmallPrint{Items: []message.Line{message.Plain("help COMMAND shows one of them with an example. Each tag has its evidence: why WORK.")}},
		message.Actions{Items: []message.Action{{Label: "This week", Command: "latest"}, {Label: "Subscribe here", Command: "subscribe"}, {Label: "Topics", Command: "topics"}}},
	}
	return Reply{Document: doc}, nil
}

func helpOf(c Command) message.Document {
	f := message.Fields{Items: []message.Field{{Name: "Usage", Value: message.Line{{Text: c.Usage(), Code: true}}}}}
	for _, p := range c.Params {
		about := p.About
		if len(p.Choices) > 0 {
			about += " (" + strings.Join(p.Choices, ", ") + ")"
		}
		f.Items = append(f.Items, message.Field{Name: p.Name, Value: message.Plain(about)})
	}
	f.Items = append(f.Items, message.Field{Name: "Example", Value: message.Line{{Text: c.Example, Code: true}}})
	return message.Document{Summary: c.About, Blocks: []message.Block{heading(c.Name, c.About), f}}
}

// week is the period that a look-up without dates speaks of.
func week(now time.Time) digest.Period {
	return digest.Period{From: now.Add(-7 * 24 * time.Hour), To: now}
}

var byDefault = digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}

func runLatest(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	last, ok, err := d.Latest(ctx, inv.Place.Destination())
	if err != nil {
		return Reply{}, err
	}
	if !ok {
		if last, err = d.ComposeFor(ctx, inv.Place, "This week in open research", "", week(d.Now()), byDefault); err != nil {
			return Reply{}, err
		}
	}
	return Reply{Document: Digest(last)}, nil
}

func runPreview(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	text := inv.Args["query"]
	if _, err := d.ParseQuery(ctx, text); err != nil {
		return Reply{}, err
	}
	out, err := d.ComposeFor(ctx, inv.Place, "Preview of the last seven days", text, week(d.Now()), byDefault)
	if err != nil {
		return Reply{}, err
	}
	doc := Digest(out)
	doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "Subscribe to this", Command: "subscribe " + text}}})
	return Reply{Document: doc}, nil
}

// pageSize is how many works a reply shows: what a phone shows without tiring.
const pageSize = 5

func runSearch(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	text := inv.Args["query"]
	q, err := d.ParseQuery(ctx, text)
	if err != nil {
		return Reply{}, err
	}
	works, more, err := d.Search(ctx, q, pageSize, inv.Args["page"])
	if err != nil {
		return Reply{}, err
	}
	doc := Results(text, works, false)
	if len(works) > 0 {
		doc.Blocks = append([]message.Block{message.SmallPrint{Items: []message.Line{message.Plain(sentenceCase(q.Explain()) + ".")}}}, doc.Blocks...)
	}
	if more != "" {
		doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "More", Command: "search " + text + " page:" + more}}})
	}
	return Reply{Document: doc, Replace: inv.Args["page"] != ""}, nil
}

func sentenceCase(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// oneWork finds the one work that a person means.
func oneWork(ctx context.Context, d Desk, inv Invocation) (digest.Work, error) {
	text := strings.TrimSpace(inv.Args["work"])
	works, err := d.FindWorks(ctx, text)
	switch {
	case err != nil:
		return digest.Work{}, err
	case len(works) == 0:
		return digest.Work{}, &Problem{
			Param: "work", Say: fmt.Sprintf("No work fits %q", clip(text, 80)), Hint: "search finds works and shows their ids",
			Try: []message.Action{{Label: "Search for it", Command: "search " + clip(text, 500)}},
		}
	case len(works) > 1:
		var names []string
		var try []message.Action
		for _, w := range works[:min(3, len(works))] {
			names = append(names, fmt.Sprintf("%s (%s)", clip(w.Title, 60), w.ID))
			try = append(try, message.Action{Label: clip(w.Title, 60), Command: again(inv, "work", string(w.ID))})
		}
		return digest.Work{}, &Problem{Say: fmt.Sprintf("%d works fit %q", len(works), clip(text, 80)), Hint: "say an id: " + strings.Join(names, "; "), Try: try}
	}
	return works[0], nil
}

// again is what was asked as it is typed, with another value of its first parameter.
func again(inv Invocation, first, value string) string {
	line := inv.Command + " " + value
	for _, name := range slices.Sorted(maps.Keys(inv.Args)) {
		if v := strings.ReplaceAll(inv.Args[name], `"`, "'"); name != first && v != "" {
			line += fmt.Sprintf(" %s:\"%s\"", name, v)
		}
	}
	return line
}

func runWork(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	w, err := oneWork(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	doc := WorkCard(w)
	said, err := aboutCorrections(ctx, d, inv, w, true)
	if err != nil {
		return Reply{}, err
	}
	doc.Blocks = append(doc.Blocks, said...)
	if said, err = aboutUse(ctx, d, inv, w); err != nil {
		return Reply{}, err
	}
	doc.Blocks = slices.Insert(doc.Blocks, 1, said...)
	return Reply{Document: doc}, nil
}

// WorkCard words one work: the story, each artifact with its license, and what can
// be done next.
func WorkCard(w digest.Work) message.Document {
	st := Story(digest.StoryOf(w))
	st.Actions = nil // they are below, with one more
	doc := message.Document{Summary: w.Title, Blocks: []message.Block{st}}
	f := message.Fields{}
	for _, a := range w.Artifacts {
		value := message.Line{{Text: a.Openness.String(), Bold: true}}
		if a.License != "" {
			value = append(value, message.Span{Text: ", " + LicenseName(a.License)})
		}
		if c := Caution(a.License, a.Flags); c != "" {
			value = append(value, message.Span{Text: "; " + c})
		}
		if a.URL != "" {
			value = append(value, message.Span{Text: " "}, message.Span{Text: "link", URL: a.URL})
		}
		f.Items = append(f.Items, message.Field{Name: string(a.Kind), Value: value})
	}
	if len(f.Items) > 0 {
		doc.Blocks = append(doc.Blocks, f)
	}
	id := string(w.ID)
	doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{
		{Label: "Why?", Command: "why " + id},
		{Label: "Can we use it?", Command: "can-we-use " + id},
		{Label: "Save", Command: "save " + id},
		{Label: "Useful", Command: "vote " + id + " value:useful"},
		{Label: "Not useful", Command: "vote " + id + " value:not-useful"},
		{Label: "Fix a tag", Command: "correct " + id},
	}})
	return doc
}

func runWhy(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	w, err := oneWork(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	corrections, err := d.Corrections(ctx, w.ID)
	if err != nil {
		return Reply{}, err
	}
	looked, err := d.LookedUp(ctx, w)
	if err != nil {
		return Reply{}, err
	}
	doc := Why(w, corrections, looked)
	said, err := aboutCorrections(ctx, d, inv, w, false) // those that hold are in it
	if err != nil {
		return Reply{}, err
	}
	doc.Blocks = append(doc.Blocks, said...)
	if said, err = aboutUse(ctx, d, inv, w); err != nil {
		return Reply{}, err
	}
	doc.Blocks = slices.Insert(doc.Blocks, 2, said...)
	doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "Fix a tag", Command: "correct " + string(w.ID)}}})
	return Reply{Document: doc}, nil
}

// latestOf adds the newest works that match to a document.
func latestOf(ctx context.Context, d Desk, doc *message.Document, text string) error {
	q, err := d.ParseQuery(ctx, text)
	if err != nil {
		return err
	}
	works, more, err := d.Search(ctx, q, pageSize, "")
	if err != nil {
		return err
	}
	if len(works) == 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("We have seen no such work yet.")})
		return nil
	}
	doc.Blocks = append(doc.Blocks, message.Heading{Level: 2, Text: "Latest"})
	for _, w := range works {
		doc.Blocks = append(doc.Blocks, Story(digest.StoryOf(w)))
	}
	if more != "" {
		doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "More", Command: "search " + text + " page:" + more}}})
	}
	return nil
}

func runLab(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	name := strings.TrimSpace(inv.Args["lab"])
	reg := registry.Default()
	labs := reg.Find(name)
	if l, ok := reg.Lab(feeds.LabID(strings.ToLower(name))); ok {
		labs = []feeds.Lab{l}
	}
	if len(labs) == 0 {
		p := noSuch(inv, "lab", fmt.Sprintf("The registry has no lab %q", clip(name, 60)), "search finds works of labs that are not in the registry", nearLabs(name))
		p.Try = append(p.Try, message.Action{Label: "Search for it", Command: "search " + name})
		return Reply{}, p
	}
	doc := Lab(labs[0])
	if err := latestOf(ctx, d, &doc, "lab:"+string(labs[0].ID)); err != nil {
		return Reply{}, err
	}
	return Reply{Document: doc}, nil
}

func runCountry(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	reg := registry.Default()
	c, ok := reg.ParseCountry(inv.Args["country"])
	if !ok {
		return Reply{}, noSuch(inv, "country", fmt.Sprintf("There is no country %q", clip(inv.Args["country"], 40)), "a code such as FR, or an English name", nearCountries(inv.Args["country"]))
	}
	labs := 0
	for _, l := range reg.Labs() {
		if l.At(d.Now()).Home == c {
			labs++
		}
	}
	doc := message.Document{Summary: reg.CountryName(c), Blocks: []message.Block{
		heading(strings.TrimSpace(reg.CountryFlag(c)+" "+reg.CountryName(c)), Count(labs, "lab")+" in the registry"),
	}}
	if err := latestOf(ctx, d, &doc, "country:"+string(c)+" openness>=open-weights"); err != nil {
		return Reply{}, err
	}
	return Reply{Document: doc}, nil
}

func runLicense(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	l, ok := registry.Default().License(inv.Args["license"])
	if !ok {
		return Reply{}, noSuch(inv, "license", fmt.Sprintf("The registry has no license %q", clip(inv.Args["license"], 60)), "an unknown license is never taken for one that it resembles", nearLicenses(inv.Args["license"]))
	}
	doc := License(l)
	s, err := d.Settings(ctx, inv.Place)
	if err != nil {
		return Reply{}, err
	}
	if s.Profile != (digest.Profile{}) {
		verdict, because := verdictOf(s.Profile, l.ID, l.Class, l.Flags)
		say := sentenceCase(string(verdict))
		if len(because) > 0 && l.Class != feeds.Closed {
			say += ": " + becauseWords(s.Profile, l.ID, because)
		}
		fields := doc.Blocks[1].(message.Fields)
		fields.Items = slices.Insert(fields.Items, 0, message.Field{Name: "For this workspace", Value: message.Line{{Text: say, Bold: true}}})
		doc.Blocks[1] = fields
	}
	if err := latestOf(ctx, d, &doc, `license:"`+l.ID+`"`); err != nil {
		return Reply{}, err
	}
	return Reply{Document: doc}, nil
}

func runCanWeUse(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	w, err := oneWork(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	s, err := d.Settings(ctx, inv.Place)
	if err != nil {
		return Reply{}, err
	}
	verdict, because := verdictOf(s.Profile, w.License, w.Openness, w.Flags)
	doc := message.Document{Summary: fmt.Sprintf("%s: %s", verdict, w.Title)}
	reason := "Nothing in its license stands against it that we know of"
	switch {
	case w.Openness == feeds.Unknown && w.Badge == "":
		reason = "No code, weights or data are known: there is nothing to build on but the text"
	case w.Openness == feeds.Unknown:
		reason = "Its license is not known; without one, default copyright holds"
	case w.Openness == feeds.Closed:
		reason = "There is nothing to build on: " + closedWords(w.Flags)
	case len(because) > 0:
		reason = sentenceCase(becauseWords(s.Profile, w.License, because))
	case w.Openness == feeds.Restricted:
		reason = "Its conditions do not touch who asks: " + cmp.Or(Caution(w.License, w.Flags), "see the text")
	}
	f := message.Fields{Items: []message.Field{{Name: "Why", Value: message.Plain(reason)}, {Name: "What", Value: message.Plain(BadgeWords(digest.StoryOf(w).Badge))}}}
	if l, ok := registry.Default().License(w.License); ok {
		if l.Note != "" {
			f.Items = append(f.Items, message.Field{Name: "The clause", Value: message.Plain(l.Note)})
		}
		f.Items = append(f.Items, message.Field{Name: "Text", Value: message.Line{{Text: l.Name, URL: l.Source}}})
	}
	f.Items = append(f.Items, message.Field{Name: "Asked for", Value: message.Plain(profileWords(s.Profile))})
	doc.Blocks = []message.Block{
		heading(sentenceCase(string(verdict)), w.Title), f,
		message.SmallPrint{Items: []message.Line{message.Plain("Not legal advice: the text decides. settings changes who asks.")}},
	}
	return Reply{Document: doc}, nil
}

// verdictOf is whether those of a profile may build on what has a license: the word of
// its flags, and of the license on where it licenses nothing.
func verdictOf(p digest.Profile, license string, o feeds.Openness, flags []feeds.Flag) (digest.Verdict, []feeds.Flag) {
	l, ok := registry.Default().License(license)
	partly := l.WithheldOf != ""
	if !ok || !p.EU || !slices.Contains(flags, feeds.FlagTerritory) || len(l.Withheld) == 0 || slices.Contains(l.Withheld, "EU") && !partly {
		return p.May(o, flags)
	}
	verdict, because := p.May(o, slices.DeleteFunc(slices.Clone(flags), func(f feeds.Flag) bool { return f == feeds.FlagTerritory }))
	if partly && slices.Contains(l.Withheld, "EU") && (o == feeds.Restricted || o.Open()) {
		because = append(because, feeds.FlagTerritory)
		if verdict == digest.VerdictYes {
			verdict = digest.VerdictAsk
		}
	}
	return verdict, because
}

// becauseWords are what stands against a use. What is withheld from the European Union
// is said with where those who ask are.
func becauseWords(p digest.Profile, license string, because []feeds.Flag) string {
	out := Caution(license, because)
	if p.EU && slices.Contains(because, feeds.FlagTerritory) {
		out += " (this workspace is in the European Union)"
	}
	return out
}

// forThisWorkspace warns of what a workspace's profile has against a work.
func forThisWorkspace(ctx context.Context, d Desk, inv Invocation, w digest.Work) ([]message.Block, error) {
	s, err := d.Settings(ctx, inv.Place)
	if err != nil {
		return nil, err
	}
	verdict, because := verdictOf(s.Profile, w.License, w.Openness, w.Flags)
	if len(because) == 0 || w.Openness == feeds.Closed || s.Profile == (digest.Profile{}) {
		return nil, nil
	}
	say := fmt.Sprintf("May this workspace build on it? %s: %s.", sentenceCase(string(verdict)), becauseWords(s.Profile, w.License, because))
	return []message.Block{message.Paragraph{Text: message.Line{{Text: say, Bold: true}}}}, nil
}

func profileWords(p digest.Profile) string {
	var out []string
	for _, x := range profileFields(&p) {
		if *x.on {
			out = append(out, x.about)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "private or academic use, small, nothing special")
}

// flagNames are the settings that are yes or no.
func flagNames() []string {
	out := []string{"only-managers"}
	for _, x := range profileFields(&digest.Profile{}) {
		out = append(out, x.name)
	}
	return out
}

type profileField struct {
	name, about string
	on          *bool
}

func profileFields(p *digest.Profile) []profileField {
	return []profileField{
		{"commercial", "commercial use", &p.Commercial},
		{"eu", "in the European Union", &p.EU},
		{"large", "over 100 million users or 20 million US dollars a month", &p.Large},
		{"military", "military use", &p.Military},
		{"train", "training other models on its outputs", &p.Train},
		{"host", "offering it to others as a service", &p.Host},
	}
}

// mostDisputed is how many works a list of the disputed shows.
const mostDisputed = 10

func runDisputed(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	now := d.Now()
	p := digest.Period{From: now.AddDate(0, -1, 0), To: now}
	if since := inv.Args["since"]; since != "" {
		from, err := parseDay(since, now)
		if err != nil {
			return Reply{}, err
		}
		p.From = from
	}
	works, err := d.Disputed(ctx, p)
	if err != nil {
		return Reply{}, err
	}
	doc := message.Document{Summary: Count(len(works), "disputed work"), Blocks: []message.Block{heading("Disputed", span(p)+" · "+Count(len(works), "work"))}}
	if len(works) == 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("Of no work from these days does the evidence disagree with itself.")})
		return Reply{Document: doc}, nil
	}
	for _, w := range works[:min(len(works), mostDisputed)] {
		doc.Blocks = append(doc.Blocks, Story(digest.StoryOf(w)))
	}
	if n := len(works) - mostDisputed; n > 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain(fmt.Sprintf("And %s. A later since shows the latest only.", Count(n, "more work")))})
	}
	doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("Labs that contradict each other at the same strength are kept and not counted (C9); of licenses that disagree the strictest is taken (O3). why WORK shows both sides.")}})
	return Reply{Document: doc}, nil
}

func runTopics(ctx context.Context, d Desk, _ Invocation) (Reply, error) {
	topics, err := d.Topics(ctx)
	if err != nil {
		return Reply{}, err
	}
	doc := message.Document{Summary: Count(len(topics), "topic"), Blocks: []message.Block{heading("Topics", "named queries")}}
	if len(topics) == 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("There are none yet. Any query can be subscribed to as it is.")})
		return Reply{Document: doc}, nil
	}
	f, actions := message.Fields{}, message.Actions{}
	for _, t := range topics {
		f.Items = append(f.Items, message.Field{Name: t.Name, Value: message.Line{{Text: t.About + " "}, {Text: t.Query, Code: true}}})
		actions.Items = append(actions.Items, message.Action{Label: "Subscribe to " + t.Name, Command: "subscribe topic:" + t.Name})
	}
	doc.Blocks = append(doc.Blocks, f, actions)
	return Reply{Document: doc}, nil
}

func runSources(ctx context.Context, d Desk, _ Invocation) (Reply, error) {
	health, err := d.Health(ctx)
	if err != nil {
		return Reply{}, err
	}
	good, broken := 0, []string(nil)
	countries := map[feeds.Country]int{}
	for _, h := range health {
		if h.Country != "" {
			countries[h.Country]++
		}
		switch {
		case h.Paused || h.LastLook.IsZero():
		case h.Failures > 0:
			broken = append(broken, fmt.Sprintf("%s (%s)", h.Title, brokenWords(h.Trouble)))
		default:
			good++
		}
	}
	doc := message.Document{Summary: fmt.Sprintf("%s, %d could not be read", Count(len(health), "source"), len(broken))}
	f := message.Fields{Items: []message.Field{
		{Name: "Sources", Value: message.Plain(fmt.Sprintf("%d in %s", len(health), Count(len(countries), "country")))},
		{Name: "Answering", Value: message.Plain(fmt.Sprint(good))},
		{Name: "Broken", Value: message.Plain(cmp.Or(some(broken, 8), "none"))},
	}}
	doc.Blocks = []message.Block{heading("Where we look", ""), f}
	return Reply{Document: doc}, nil
}

func runSubscribe(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	return subscribe(ctx, d, inv, inv.Place.Destination())
}

// runFollow subscribes the asker alone, from wherever it is asked.
func runFollow(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	to := inv.Asker.Direct
	if inv.Place.Direct {
		to = inv.Place.Destination()
	}
	if to == (digest.Destination{}) {
		return Reply{}, problemf("write to Seedcorn in a direct message and subscribe there", "From here Seedcorn cannot write to you alone")
	}
	return subscribe(ctx, d, inv, to)
}

// subscribe begins a subscription of a destination, or asks what it is to be about.
func subscribe(ctx context.Context, d Desk, inv Invocation, dest digest.Destination) (Reply, error) {
	text := strings.TrimSpace(inv.Args["query"])
	s, err := d.Settings(ctx, inv.Place)
	if err != nil {
		return Reply{}, err
	}
	zone := cmp.Or(inv.Args["zone"], s.Zone, inv.Asker.Zone, "UTC")
	if err := checkZone(zone); err != nil {
		return Reply{}, err
	}
	when := cmp.Or(inv.Args["when"], "weekly")
	_, asked := inv.Args["query"]
	if !asked && inv.Args["when"] == "" {
		begin := digest.Subscription{Destination: dest, Cadence: "0 9 * * 1", Zone: zone}
		return Reply{
			Document: commandHelp(inv.Command),
			Form:     &Form{Title: sentenceCase(inv.Command), Submit: sentenceCase(inv.Command), Command: inv.Command, Fields: subscriptionFields(begin, inv.Place)},
		}, nil
	}
	q, err := d.ParseQuery(ctx, text)
	if err != nil {
		return Reply{}, err
	}
	cron, next, err := due(d, when, zone)
	if err != nil {
		return Reply{}, err
	}
	now := d.Now()
	there, err := d.SubscriptionsOf(ctx, Place{Platform: dest.Platform, Workspace: dest.Workspace, Channel: dest.Channel, Direct: dest.Direct}, false)
	if err != nil {
		return Reply{}, err
	}
	if i := slices.IndexFunc(there, func(s digest.Subscription) bool { return s.Destination == dest && s.Query == text }); i >= 0 {
		return already(there[i], q.Explain(), cron, zone, now), nil
	}
	sub := digest.Subscription{
		ID: digest.NewSubscriptionID(), Destination: dest, Query: text, Cadence: cron, Zone: zone, Owner: inv.Asker.ID, OwnerName: inv.Asker.Name,
		Created: now, Cursor: now.Add(-7 * 24 * time.Hour), Next: next,
	}
	sub.Publish = inv.Args["publish"] == "yes"
	if here := inv.Place.Destination(); here != dest {
		sub.Asked = here
	}
	if err := d.PutSubscription(ctx, sub); err != nil {
		return Reply{}, err
	}
	to := "This channel"
	if dest.Direct {
		to = "You"
	}
	doc := message.Document{Summary: "Subscribed", Blocks: []message.Block{
		message.Paragraph{Text: message.Plain(fmt.Sprintf("%s will be told about %s. The first digest comes on %s.", to, q.Explain(), local(next, zone)))},
		message.Actions{Items: []message.Action{
			{Label: "Preview", Command: strings.TrimSpace("preview " + text)}, {Label: "Change", Command: "edit " + string(sub.ID)}, {Label: "Undo", Command: "unsubscribe " + string(sub.ID), Danger: true},
		}},
	}}
	doc.Blocks = append(doc.Blocks, publishWords(inv)...)
	return Reply{Document: doc, Public: !dest.Direct, Posts: !dest.Direct}, nil
}

// already answers who asks for what is subscribed to: the same digest twice helps nobody.
func already(s digest.Subscription, about, cron, zone string, now time.Time) Reply {
	say := "There is such a subscription already: " + toldWords(s, about) + "."
	var do []message.Action
	if s.Cadence != cron || s.Zone != zone {
		label := "Make it " + CadenceWords(cron)
		if s.Zone != zone {
			label += " (" + zone + ")"
		}
		do = append(do, message.Action{Label: clip(label, 70), Command: fmt.Sprintf(`edit %s when:"%s" zone:%s`, s.ID, cron, zone)})
	}
	if s.PausedUntil.After(now) {
		say += " It is paused."
		do = append(do, message.Action{Label: "Resume", Command: "resume " + string(s.ID)})
	}
	do = append(do, message.Action{Label: "Change", Command: "edit " + string(s.ID)}, message.Action{Label: "End", Command: "unsubscribe " + string(s.ID), Danger: true})
	return Reply{Document: message.Document{Summary: "Subscribed already", Blocks: []message.Block{message.Paragraph{Text: message.Plain(say)}, message.Actions{Items: do}}}}
}

// local prints a time where its reader is.
func local(t time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc).Format("Mon 2 Jan 15:04 MST")
}

func runSubscriptions(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	all := inv.Args["scope"] == "all"
	subs, err := d.SubscriptionsOf(ctx, inv.Place, all)
	if err != nil {
		return Reply{}, err
	}
	if all { // what another person alone is told is nobody else's business
		subs = slices.DeleteFunc(subs, func(s digest.Subscription) bool {
			return s.Destination.Direct && s.Destination != inv.Place.Destination() && s.Destination != inv.Asker.Direct
		})
	}
	doc := message.Document{Summary: Count(len(subs), "subscription"), Blocks: []message.Block{heading("Subscriptions", Count(len(subs), "subscription"))}}
	own, err := ownSubscriptions(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	if len(subs) == 0 {
		offers := message.Actions{Items: []message.Action{{Label: "Subscribe", Command: "subscribe"}}}
		if inv.Asker.Direct != (digest.Destination{}) && !inv.Place.Direct {
			offers.Items = append(offers.Items, message.Action{Label: "Tell me alone", Command: "follow"})
		}
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("None yet.")}, offers)
	}
	doc.Blocks = append(doc.Blocks, subscriptionList(inv, subs, d.Now(), all)...)
	own = slices.DeleteFunc(own, func(s digest.Subscription) bool { return slices.Contains(subs, s) }) // with all, some platforms have told them
	if len(own) > 0 {
		doc.Blocks = append(doc.Blocks, message.Heading{Level: 2, Text: "Yours alone", Note: "told in direct messages"})
		doc.Blocks = append(doc.Blocks, subscriptionList(inv, own, d.Now(), false)...)
	}
	return Reply{Document: doc}, nil
}

// subscriptionList words subscriptions with what can be done to each. Those of another
// channel are changed there.
func subscriptionList(inv Invocation, subs []digest.Subscription, now time.Time, all bool) (out []message.Block) {
	for _, s := range subs {
		next := "next " + local(s.Next, s.Zone)
		toggle := message.Action{Label: "Pause", Command: "pause " + string(s.ID) + " until:" + askUntil}
		if s.PausedUntil.After(now) {
			next = "paused"
			if s.PausedUntil.Before(now.AddDate(50, 0, 0)) {
				next += " until " + day(s.PausedUntil)
			}
			toggle = message.Action{Label: "Resume", Command: "resume " + string(s.ID)}
		}
		value := message.Line{{Text: fmt.Sprintf("%s · %s · by %s · last: %s · ", CadenceWords(s.Cadence), next, cmp.Or(s.OwnerName, s.Owner, "this channel"), cmp.Or(s.LastResult, "none yet"))}, {Text: string(s.ID), Code: true}}
		if all {
			value = append(value, message.Span{Text: " · in "}, message.Span{Text: s.Destination.Channel, Channel: s.Destination.Channel})
		}
		out = append(out, message.Fields{Items: []message.Field{{Name: orEverything(s.Query), Value: value}}})
		if here := s.Destination; here == inv.Place.Destination() || here == inv.Asker.Direct {
			out = append(out, message.Actions{Items: []message.Action{{Label: "Change", Command: "edit " + string(s.ID)}, toggle, {Label: "End", Command: "unsubscribe " + string(s.ID), Danger: true}}})
		}
	}
	return out
}

// chosen are the subscriptions of the place that an argument names; the asker's own
// can be named from everywhere.
func chosen(ctx context.Context, d Desk, inv Invocation) ([]digest.Subscription, error) {
	subs, err := d.SubscriptionsOf(ctx, inv.Place, false)
	if err != nil {
		return nil, err
	}
	want := subscriptionIDs(inv)
	if len(want) == 0 {
		return nil, problemf("subscriptions shows the ids of this channel; all means all of them", "No subscription was named")
	}
	if len(want) == 1 && want[0] == "all" {
		if len(subs) == 0 {
			return nil, problemf("subscribe begins one", "There is no subscription here")
		}
		return subs, nil
	}
	own, err := ownSubscriptions(ctx, d, inv)
	if err != nil {
		return nil, err
	}
	subs = append(subs[:len(subs):len(subs)], own...)
	var out []digest.Subscription
	for _, id := range want {
		i := slices.IndexFunc(subs, func(s digest.Subscription) bool { return string(s.ID) == id })
		if i < 0 {
			return nil, problemf("subscriptions shows the ids of this channel", "There is no subscription %q here", clip(id, 40))
		}
		if !slices.ContainsFunc(out, func(s digest.Subscription) bool { return s.ID == subs[i].ID }) {
			out = append(out, subs[i])
		}
	}
	return out, nil
}

// each does f to every chosen subscription and says that it was done.
func each(ctx context.Context, d Desk, inv Invocation, done string, f func(digest.Subscription) error) (Reply, error) {
	subs, err := chosen(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	for _, s := range subs {
		if err := f(s); err != nil {
			return Reply{}, err
		}
	}
	say := fmt.Sprintf("%s %s.", sentenceCase(done), Count(len(subs), "subscription"))
	alone := !slices.ContainsFunc(subs, func(s digest.Subscription) bool { return !s.Destination.Direct })
	return Reply{Document: message.Document{Summary: say, Blocks: []message.Block{message.Paragraph{Text: message.Plain(say)}}}, Public: !alone}, nil
}

func runUnsubscribe(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	return each(ctx, d, inv, "ended", func(s digest.Subscription) error { return d.DeleteSubscription(ctx, s.ID) })
}

// askUntil stands for the end of a pause that is still to be asked for, as by a button.
const askUntil = "?"

// forever is a pause without an end.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func runPause(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	until, done := forever, "paused"
	if inv.Args["until"] == askUntil {
		return askPause(ctx, d, inv)
	}
	if text := inv.Args["until"]; text != "" {
		hint := "a date to come, such as " + d.Now().AddDate(0, 0, 14).Format(time.DateOnly)
		t, err := parseDay(text, d.Now())
		if err != nil {
			return Reply{}, &Problem{Param: "until", Say: fmt.Sprintf("%q is not a date", clip(text, 20)), Hint: hint}
		}
		if !t.After(d.Now()) {
			return Reply{}, &Problem{Param: "until", Say: day(t) + " has passed", Hint: hint}
		}
		until, done = t, "paused until "+day(t)+":"
	}
	return each(ctx, d, inv, done, func(s digest.Subscription) error {
		s.PausedUntil = until
		return d.PutSubscription(ctx, s)
	})
}

// askPause asks how long to pause. Where there are no forms it is asked with buttons.
func askPause(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	subs, err := chosen(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	id, now := inv.Args["subscription"], d.Now()
	choice := func(label, until string) message.Action {
		return message.Action{Label: label, Command: strings.TrimSpace("pause " + id + until)}
	}
	say := "How long is " + Count(len(subs), "subscription") + " to be paused?"
	return Reply{
		Document: message.Document{Summary: say, Blocks: []message.Block{
			message.Paragraph{Text: message.Plain(say)},
			message.Actions{Items: []message.Action{
				choice("Two weeks", " until:"+now.AddDate(0, 0, 14).Format(time.DateOnly)),
				choice("A month", " until:"+now.AddDate(0, 1, 0).Format(time.DateOnly)),
				choice("Until resumed", ""),
			}},
		}},
		Form: &Form{Title: "Choose a date", Submit: "Pause", Command: "pause", Asked: "pause " + id + " until:" + askUntil, Fields: []FormField{
			{Param: "subscription", Label: "Subscription", Value: id, Fixed: true, Required: true},
			{Param: "until", Label: "Until", Hint: "a date such as " + now.AddDate(0, 0, 14).Format(time.DateOnly) + "; empty until it is resumed"},
		}},
	}, nil
}

func runResume(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	r, err := each(ctx, d, inv, "resumed", func(s digest.Subscription) error {
		s.PausedUntil = time.Time{}
		return d.PutSubscription(ctx, s)
	})
	r.Posts = r.Public
	return r, err
}

func runVote(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	w, err := oneWork(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	value, say := 0, "Your vote is taken back."
	switch inv.Args["value"] {
	case "useful", "":
		value, say = 1, "Noted: useful. Works like it will come first here."
	case "not-useful":
		value, say = -1, "Noted: not useful."
	case "none":
	default:
		return Reply{}, problemf("useful, not-useful or none", "There is no vote %q", clip(inv.Args["value"], 20))
	}
	if err := d.Vote(ctx, inv.Place, inv.Asker.ID, w.ID, value); err != nil {
		return Reply{}, err
	}
	reply := plainly(say)
	o, err := d.Opinion(ctx, inv.Place, w.ID)
	if err != nil {
		return Reply{}, err
	}
	if words := opinionWords(o); words != "" {
		reply.Document.Blocks = append(reply.Document.Blocks, message.SmallPrint{Items: []message.Line{message.Plain(words)}})
	}
	if value != 0 {
		reply.Document.Blocks = append(reply.Document.Blocks, message.Actions{Items: []message.Action{
			{Label: "Take it back", Command: "vote " + string(w.ID) + " value:none"}, {Label: "What was found useful here", Command: "useful"},
		}})
	}
	return reply, nil
}

// opinionWords say what people of a workspace found of a work; "" if nobody said.
func opinionWords(o digest.Opinion) string {
	people := func(n int) string {
		if n == 1 {
			return "1 person"
		}
		return fmt.Sprintf("%d people", n)
	}
	switch {
	case o.Useful > 0 && o.Not > 0:
		return fmt.Sprintf("%s here found it useful, %d did not.", people(o.Useful), o.Not)
	case o.Useful > 0:
		return people(o.Useful) + " here found it useful."
	case o.Not > 0:
		return people(o.Not) + " here found it not useful."
	}
	return ""
}

// aboutUse is what is to be said of a work in one workspace: whether its profile lets
// it build on it, and what its people found of it.
func aboutUse(ctx context.Context, d Desk, inv Invocation, w digest.Work) ([]message.Block, error) {
	out, err := forThisWorkspace(ctx, d, inv, w)
	if err != nil {
		return nil, err
	}
	o, err := d.Opinion(ctx, inv.Place, w.ID)
	if err != nil {
		return nil, err
	}
	if words := opinionWords(o); words != "" {
		out = append(out, message.SmallPrint{Items: []message.Line{message.Plain(words)}})
	}
	return out, nil
}

// usefulWorks is how many works a list of the useful ones shows.
const usefulWorks = 5

// runUseful tells what the people of a workspace found useful, and from where it came.
func runUseful(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	now := d.Now()
	p := digest.Period{From: now.AddDate(0, -3, 0), To: now}
	if since := inv.Args["since"]; since != "" {
		from, err := parseDay(since, now)
		if err != nil {
			return Reply{}, err
		}
		p.From = from
	}
	found, err := d.FoundUseful(ctx, inv.Place, p.From, usefulWorks)
	if err != nil {
		return Reply{}, err
	}
	doc := message.Document{Summary: Count(len(found), "work") + " found useful here", Blocks: []message.Block{heading("Found useful here", span(p))}}
	if len(found) == 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("Nobody here has called a work useful yet in these days. Useful below a story does; what is like it then comes first in this channel's digests.")})
		return Reply{Document: doc}, nil
	}
	for _, f := range found {
		st := Story(digest.StoryOf(f.Work))
		st.Line = strings.TrimSpace(opinionWords(f.Opinion) + " " + st.Line)
		doc.Blocks = append(doc.Blocks, st)
	}
	q, err := digest.Question{Counting: byDefault, Selection: digest.SelectUseful, Period: p}.Complete()
	if err != nil {
		return Reply{}, err
	}
	s, err := d.Series(ctx, q, inv.Place.Destination())
	if err != nil {
		return Reply{}, err
	}
	doc.Blocks = append(doc.Blocks, message.Heading{Level: 2, Text: "From which countries"})
	doc.Blocks = append(doc.Blocks, Series(s).Blocks...)
	ask := "balance selection:useful since:" + p.From.Format(time.DateOnly)
	doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "Week by week", Command: ask + " series:weekly"}, {Label: "Against all works", Command: "balance since:" + p.From.Format(time.DateOnly)}}})
	return Reply{Document: doc}, nil
}

func plainly(say string) Reply {
	return Reply{Document: message.Document{Summary: say, Blocks: []message.Block{message.Paragraph{Text: message.Plain(say)}}}}
}

func runSave(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	w, err := oneWork(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	on := inv.Args["keep"] != "no"
	if err := d.Save(ctx, inv.Place, inv.Asker.ID, w.ID, on); err != nil {
		return Reply{}, err
	}
	if !on {
		return plainly("Taken off your list: " + clip(w.Title, 80) + "."), nil
	}
	return plainly("Saved: " + clip(w.Title, 80) + ". saved shows your list."), nil
}

func runSaved(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	works, err := d.Saved(ctx, inv.Place, inv.Asker.ID)
	if err != nil {
		return Reply{}, err
	}
	if len(works) == 0 {
		return plainly("Your list is empty. Save on a work puts it here."), nil
	}
	doc := message.Document{Summary: Count(len(works), "work"), Blocks: []message.Block{heading("Saved", Count(len(works), "work"))}}
	for _, w := range works {
		doc.Blocks = append(doc.Blocks, Story(digest.StoryOf(w)))
	}
	return Reply{Document: doc}, nil
}

func runSettings(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	s, err := d.Settings(ctx, inv.Place)
	if err != nil {
		return Reply{}, err
	}
	if set := strings.TrimSpace(inv.Args["set"]); set != "" {
		if !manages(inv.Asker, s) {
			return Reply{}, problemf("ask someone who manages this channel", "Settings are changed by those who manage the channel")
		}
		for _, pair := range pairs(set) {
			if err := change(&s, pair); err != nil {
				return Reply{}, err
			}
		}
		if err := d.PutSettings(ctx, inv.Place, s); err != nil {
			return Reply{}, err
		}
	}
	f := message.Fields{Items: []message.Field{
		{Name: "zone", Value: message.Plain(cmp.Or(s.Zone, "UTC"))},
		{Name: "only-managers", Value: message.Plain(yesNo(s.OnlyManage(inv.Place.Guarded)) + ": only those who manage a channel may change what it is told")},
		{Name: "managers", Value: members(s.Managers, "none: those whom the platform lets manage the channel")},
		{Name: "editors", Value: members(s.Editors, "none: those who manage the channel")},
	}}
	for _, x := range profileFields(&s.Profile) {
		f.Items = append(f.Items, message.Field{Name: x.name, Value: message.Plain(yesNo(*x.on) + ": " + x.about)})
	}
	doc := message.Document{Summary: "Settings", Blocks: []message.Block{heading("Settings of this workspace", "settings NAME=VALUE changes one"), f}}
	if manages(inv.Asker, s) {
		var switches message.Actions
		for _, x := range profileFields(&s.Profile) {
			set := x.name + "=" + yesNo(!*x.on)
			switches.Items = append(switches.Items, message.Action{Label: set, Command: "settings " + set})
		}
		doc.Blocks = append(doc.Blocks, switches)
	}
	return Reply{Document: doc}, nil
}

// members are people and roles as settings list them, or what to say of none.
func members(ids []string, none string) (l message.Line) {
	for i, id := range ids {
		if i > 0 {
			l = append(l, message.Span{Text: ", "})
		}
		s := message.Span{Text: id}
		if role, ok := strings.CutPrefix(id, RolePrefix); ok {
			s.Role = role
		} else {
			s.Person = id
		}
		l = append(l, s)
	}
	if len(ids) == 0 {
		return message.Plain(none)
	}
	return l
}

// pairs are the name=value pairs of a line. A word without a name goes on with the
// list before it, as in "managers=ada, ben".
func pairs(line string) (out []string) {
	for _, word := range strings.Fields(line) {
		if n := len(out); n > 0 && !strings.Contains(word, "=") && (strings.HasPrefix(out[n-1], "managers=") || strings.HasPrefix(out[n-1], "editors=")) {
			out[n-1] += "," + word
			continue
		}
		out = append(out, word)
	}
	return out
}

// list are the names of a list in a setting; "none" is the empty one.
func list(value string) (out []string) {
	if strings.EqualFold(value, "none") {
		return nil
	}
	for _, v := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// change applies one name=value to settings.
func change(s *digest.Settings, pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		return problemf("such as commercial=yes", "%q is not name=value", clip(pair, 40))
	}
	on := map[string]bool{"yes": true, "true": true, "on": true}
	off := map[string]bool{"no": true, "false": true, "off": true}
	flag := func(p *bool) error {
		if !on[value] && !off[value] {
			return problemf(name+"=yes or "+name+"=no", "%q is neither yes nor no", clip(value, 20))
		}
		*p = on[value]
		return nil
	}
	switch name {
	case "zone":
		if err := checkZone(value); err != nil {
			return err
		}
		s.Zone = value
		return nil
	case "only-managers":
		if err := flag(&s.OnlyManagers); err != nil {
			return err
		}
		s.AllManage = !s.OnlyManagers
		return nil
	case "managers":
		s.Managers = list(value)
		return nil
	case "editors":
		s.Editors = list(value)
		return nil
	}
	for _, x := range profileFields(&s.Profile) {
		if x.name == name {
			return flag(x.on)
		}
	}
	return problemf("settings without a value shows all of them", "There is no setting %q", clip(name, 20))
}
