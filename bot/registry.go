package bot

import (
	"fmt"
	"strings"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// Lab words all that the registry knows of a lab.
func Lab(l feeds.Lab) message.Document {
	reg := registry.Default()
	now := l.At(time.Time{})
	doc := message.Document{Summary: l.Name + ", " + reg.CountryName(now.Home)}
	fields := message.Fields{}
	add := func(name, value string) {
		if value != "" {
			fields.Items = append(fields.Items, message.Field{Name: name, Value: message.Plain(value)})
		}
	}
	add("Kind", string(l.Kind))
	add("Home", reg.CountryFlag(now.Home)+" "+reg.CountryName(now.Home))
	add("Control", reg.CountryFlag(now.Control)+" "+reg.CountryName(now.Control))
	if len(l.Seats) > 1 {
		for _, s := range l.Seats {
			add("Seat", seat(reg, s))
		}
	}
	if l.Origin != "" {
		add("Founded in", reg.CountryName(l.Origin)+" (shown, not counted)")
	}
	if p, ok := reg.Lab(l.Parent); ok {
		add("Part of", p.Name)
	}
	add("Also called", strings.Join(l.Aliases, ", "))
	if len(l.Ambiguous) > 0 {
		add("Only with support", strings.Join(l.Ambiguous, ", ")+" (also a word or another thing)")
	}
	add("Models", strings.Join(l.Models, ", "))
	add("Domains", strings.Join(l.Domains, ", "))
	add("Hugging Face", strings.Join(l.HuggingFace, ", "))
	add("GitHub", strings.Join(l.GitHub, ", "))
	add("Note", l.Note)
	fields.Items = append(fields.Items, message.Field{Name: "Source", Value: message.Line{{Text: l.Source, URL: l.Source}}})
	doc.Blocks = []message.Block{message.Heading{Level: 1, Text: l.Name, Note: string(l.ID)}, fields}
	return doc
}

func seat(reg *registry.Registry, s feeds.Seat) string {
	out := reg.CountryName(s.Home)
	if s.Control != s.Home {
		out += ", controlled from " + reg.CountryName(s.Control)
	}
	switch {
	case s.From.IsZero() && !s.To.IsZero():
		out += ", until " + day(s.To)
	case !s.From.IsZero() && s.To.IsZero():
		out += ", since " + day(s.From)
	case !s.From.IsZero():
		out += ", " + day(s.From) + " to " + day(s.To)
	}
	return out
}

// License words what a license lets one do with weights and with code.
func License(l feeds.License) message.Document {
	doc := message.Document{Summary: l.Name + ": " + l.Class.String()}
	value := func(s string) message.Line { return message.Plain(s) }
	f := message.Fields{Items: []message.Field{
		{Name: "Weights under it", Value: message.Line{{Text: l.Class.String(), Bold: true}}},
		{Name: "Code under it", Value: value(codeClass(l))},
	}}
	if c := Caution(l.ID, l.Flags); c != "" {
		f.Items = append(f.Items, message.Field{Name: "Conditions", Value: value(c)})
	}
	read := "no: set from a secondary source"
	if l.Read {
		read = "yes"
	}
	f.Items = append(f.Items, message.Field{Name: "Text read by us", Value: value(read)})
	if l.Note != "" {
		f.Items = append(f.Items, message.Field{Name: "Note", Value: value(l.Note)})
	}
	if len(l.Aliases) > 0 {
		f.Items = append(f.Items, message.Field{Name: "Also declared as", Value: value(strings.Join(l.Aliases, ", "))})
	}
	f.Items = append(f.Items, message.Field{Name: "Text", Value: message.Line{{Text: l.Source, URL: l.Source}}})
	doc.Blocks = []message.Block{
		message.Heading{Level: 1, Text: l.Name, Note: l.ID},
		f,
		message.SmallPrint{Items: []message.Line{message.Plain("Not legal advice: the text decides.")}},
	}
	return doc
}

func codeClass(l feeds.License) string {
	if l.OSI {
		return feeds.OpenSource.String() + " (OSI-approved)"
	}
	return "not open source: not on OSI's list"
}

// rules are the rules of tagging, by the names that evidence carries. Each is
// enforced in package tag or digest; this is what they promise.
var rules = []struct{ name, words string }{
	{"C1", "A release belongs to the account, feed or domain that published it. A fine-tune belongs to who released it; what it is derived from is recorded and never counted."},
	{"C2", "A paper's labs are the affiliations printed on it: publisher metadata, then the front matter, then e-mail domains, then the linked release account. Personal names, language and earlier papers are never evidence."},
	{"C3", "Several organizations are all kept; the counting rule says how a work is shared out."},
	{"C4", "A named lab inside a company has a home of its own only if the registry has it and the work names it."},
	{"C5", "A site that differs from the seat (an office in Zurich) does not move the lab's home."},
	{"C6", "Seats are dated: a work counts for where the lab sat on the day it became public."},
	{"C7", "A collective counts for its legal seat, or as international where it has none; international is on neither side of a ratio."},
	{"C8", "A university and a company on one work both count; a count of companies takes the company only."},
	{"C9", "Two sources that contradict each other about one thing at the same strength, with no lab, house or country in both, are both kept, marked as disputed and left out of every count. A third that names both sides, or a correction, ends it."},
	{"C10", fmt.Sprintf("Nothing found is %s, shown as a bar of its own. A ratio needs %.0f%% of countries known and %d works on each side.", feeds.Nowhere, digest.FloorKnown*100, digest.FloorWorks)},
	{"C11", "Every tag answers why. Corrections are signed, kept for ever and reversible."},
	{"O1", "The license is that of this artifact, not of its family."},
	{"O2", "A LICENSE file beats model-card metadata, which beats a sentence, which beats a blog's claim. A code license never covers weights."},
	{"O3", "Where sources disagree the strictest class is taken, and both are shown."},
	{"O4", "A derivative is no freer than its base, unless the base's license allows it."},
	{"O5", "A gate that asks for contact data is a caution; one that a person must open makes it restricted."},
	{"O6", "A license that is not known is unknown. A near match, such as a modified MIT, is never taken for the license it resembles."},
	{"O7", "A class holds from the day it was seen; a change is news of its own."},
}

// Rules words how things are tagged, joined and counted, from the data that the
// code itself uses.
func Rules() message.Document {
	doc := message.Document{Summary: "How Seedcorn tags and counts"}
	add := func(b message.Block) { doc.Blocks = append(doc.Blocks, b) }
	add(message.Heading{Level: 1, Text: "How things are tagged and counted", Note: "lab registry " + registry.Default().Version()})
	section := func(title, prefix string) {
		add(message.Heading{Level: 2, Text: title})
		f := message.Fields{}
		for _, r := range rules {
			if strings.HasPrefix(r.name, prefix) {
				f.Items = append(f.Items, message.Field{Name: r.name, Value: message.Plain(r.words)})
			}
		}
		add(f)
	}
	section("Country", "C")
	section("Openness", "O")
	add(message.Heading{Level: 2, Text: "One work"})
	f := message.Fields{}
	for _, r := range []string{digest.RuleSameKey, digest.RuleClaimed, digest.RuleSameTitle, digest.RulePerson} {
		f.Items = append(f.Items, message.Field{Name: r, Value: message.Plain(digest.ExplainRule(r))})
	}
	add(f)
	add(message.Heading{Level: 2, Text: "Counting"})
	f = message.Fields{}
	for _, r := range digest.Rules {
		f.Items = append(f.Items, message.Field{Name: string(r), Value: message.Plain(r.Explain())})
	}
	var open []string
	for _, c := range opennessClasses {
		if c.class.Open() {
			open = append(open, c.words)
		}
	}
	f.Items = append(f.Items, message.Field{Name: "open", Value: message.Plain("what one may build on: " + strings.Join(open, "; ") + ". A work has the class of its weights where that is known, else of its code, its data, its service; of several of a kind that differ, the strictest")},
		message.Field{Name: "when", Value: message.Plain("a work counts on the day it became public, whenever we saw it; weeks begin on Mondays at 00:00 UTC")},
		message.Field{Name: "version", Value: message.Plain("counting " + digest.CountingVersion + "; it changes when the same works would be counted otherwise")},
		message.Field{Name: "floors", Value: message.Plain(fmt.Sprintf("no ratio below %.0f%% of countries known or %d works on a side", digest.FloorKnown*100, digest.FloorWorks))},
		message.Field{Name: "interval", Value: message.Plain(fmt.Sprintf("%s; none below %d labs on a side", digest.Method, digest.FloorLabs))})
	for _, s := range digest.Selections {
		f.Items = append(f.Items, message.Field{Name: "of " + string(s), Value: message.Plain(s.Explain())})
	}
	add(f)
	return doc
}
