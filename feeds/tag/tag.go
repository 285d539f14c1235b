// Package tag concludes, from one item and the registry alone, which lab in which
// country is behind it and what its license permits. It is pure: no clock but the
// item's own date, no network, no state, and the same item always gets the same
// tags. Every tag carries the words it was read in and the rule that read them.
//
// What comes in is a [feeds.Item] as a source published it; what goes out are
// [feeds.Tags]. The data flow one way:
//
//	account, links, source ──release.go──┐
//	affiliations ──affiliation.go────────┤
//	e-mail domains ──release.go──────────┼─► attributions ──┐
//	title, summary ──mention.go──────────┘                  ├─► summarize.go ─► Tags
//	artifacts' licenses ──license.go, note.go, template.go ─┤
//	title, summary ──prose.go────────────► artifacts ───────┘
//
// Beneath them: fold.go brings spellings of one word together, matcher.go finds
// 120,000 names in one pass, names.go says whose they are, place.go where places
// are.
//
// The rules, by the names that evidence quotes:
//
//	C1  who releases: the publishing account, source or domain
//	C2  who wrote: affiliations as printed, then e-mail domains, then a linked account;
//	    last, a sentence that states who made it. Never a name of a person, never a
//	    mention: "outperforms GPT-4" attributes nothing
//	C3  several organizations: all of them
//	C4  a lab inside a company counts as itself only where it is named
//	C6  a lab that moved: its seat on the item's date
//	O1  the license of this artifact
//	O2  license text, then metadata, then prose; a code license never covers weights
//	O3  sources that differ: the strictest, and all are shown
//	O4  a derivative is no freer than its base
//	O5  gates
//	O6  what is not a known license is unknown; nearly is not
package tag

import (
	"iter"
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// A Tagger draws conclusions from items. It is safe for concurrent use: nothing
// in it changes after [New].
type Tagger struct {
	reg      *registry.Registry
	names    *names
	places   *gazetteer
	licenses *licenses
	cues     *cues
}

// An Option adds to what a tagger knows.
type Option func(*options)

type options struct {
	long []iter.Seq[Organization]
}

// WithOrganizations adds the long tail: organizations that the registry of labs
// does not hold. Their names count in affiliations only; their acronyms only
// where the printed country agrees. The sequence is read once, by [New].
func WithOrganizations(seq iter.Seq[Organization]) Option {
	return func(o *options) { o.long = append(o.long, seq) }
}

// New returns a tagger over the registry. It takes some milliseconds, and with a
// long tail of 120,000 organizations less than a second.
func New(reg *registry.Registry, opts ...Option) *Tagger {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	t := &Tagger{reg: reg, names: newNames(reg), places: newGazetteer(), licenses: newLicenses(reg), cues: newCues()}
	for _, seq := range o.long {
		for x := range seq {
			t.names.organization(x)
		}
	}
	return t
}

// Limits on what is read of one item. A feed is a stranger's text; the collector
// cuts at [feeds.MaxSummary] already, other callers may not.
const (
	maxText         = 64 << 10 // bytes of title or summary
	maxAffiliations = feeds.MaxAuthors
)

// Tag concludes what can be concluded about one item. Where nothing is certain
// the tags are empty and openness is unknown.
func (t *Tagger) Tag(it feeds.Item) feeds.Tags {
	it.Title, it.Summary = cut(it.Title), cut(it.Summary)
	var scan scan
	t.scan(&it, &scan)
	labs := t.attribute(&it, &scan)
	artifacts := make([]feeds.ArtifactTag, 0, len(it.Artifacts)+1)
	for _, a := range it.Artifacts {
		artifacts = append(artifacts, t.Judge(a, t.basesOf(a)))
	}
	for _, a := range t.prose(&it, labs, &scan) {
		if i := slices.IndexFunc(artifacts, func(b feeds.ArtifactTag) bool { return b.Kind == a.Kind }); i >= 0 {
			// Prose never overrules metadata (rule O2); it may fill a gap that is empty.
			if artifacts[i].License == "" && artifacts[i].Openness == feeds.Unknown && len(artifacts[i].Evidence) == 0 {
				a.URL, a.Bases = artifacts[i].URL, artifacts[i].Bases
				artifacts[i] = a
			}
			continue
		}
		artifacts = append(artifacts, a)
	}
	tags := Summarize(labs, artifacts, nil)
	for _, l := range tags.Labs {
		observe(l.Evidence, it.Seen)
	}
	for _, a := range tags.Artifacts {
		observe(a.Evidence, it.Seen)
	}
	return tags
}

// observe dates evidence: what we know is from when we saw the item.
func observe(es []feeds.Evidence, seen time.Time) {
	for i := range es {
		if es[i].ObservedAt.IsZero() {
			es[i].ObservedAt = seen
		}
	}
}

func cut(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// A scan is what one pass over an item's text found, for the steps that need it.
type scan struct {
	title, summary []match // names of organizations and models
	cues           []cue   // in title, then summary
}

func (t *Tagger) scan(it *feeds.Item, s *scan) {
	s.title = t.names.find.find(it.Title, nil)
	s.summary = t.names.find.find(it.Summary, make([]match, 0, 16))
	s.cues = t.cues.in(it.Title, inTitle, nil)
	s.cues = t.cues.in(it.Summary, inSummary, s.cues)
}
