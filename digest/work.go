package digest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"seedcorn/digest/query"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
	"seedcorn/feeds/tag"
)

// maxEvents is how many of its latest events a work carries along. The store
// keeps them all.
const maxEvents = 20

// Fold makes the work of its entries: who, what and where taken together, with
// corrections on top. The order of entries does not matter; entries must not be
// empty. The id is left to the caller, who has known the work for longer.
//
// The title comes from the entry that names the research best: a paper, else a
// lab's own post, else the artifact. The work is as old as its oldest entry.
func Fold(entries []Entry, corrections []Correction, events []Event) Work {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Item.Date().Compare(b.Item.Date()), strings.Compare(string(a.Item.ID), string(b.Item.ID)))
	})
	oldest := entries[0]
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Item.Kind != feeds.ItemLookup }); i >= 0 {
		oldest = entries[i]
	}
	best := slices.MinFunc(entries, func(a, b Entry) int { return naming(a.Item) - naming(b.Item) })
	w := Work{
		Kind:    best.Item.Kind,
		Title:   PlainTeX(best.Item.Title),
		URL:     best.Item.URL,
		Summary: PlainTeX(best.Item.Summary),
		First:   oldest.Item.Date(),
		Places:  make([]Place, 0, len(entries)),
	}
	var labs []feeds.Attribution
	var artifacts []feeds.ArtifactTag
	said := contested(entries)
	for i, e := range entries {
		it := e.Item
		if it.Kind != feeds.ItemLookup {
			if n := it.News(); w.News.IsZero() || n.Before(w.News) {
				w.News = n
			}
			if w.Summary == "" {
				w.Summary = PlainTeX(it.Summary)
			}
			if d := it.Date(); d.After(w.Last) {
				w.Last = d
			}
			w.Places = append(w.Places, Place{
				Item: it.ID, Source: it.Source, Kind: it.Kind, Title: it.Title, URL: it.URL, Date: it.Date(), Via: e.Via, Rule: e.Rule,
			})
		}
		w.Version = max(w.Version, it.Version)
		for _, c := range it.Categories {
			if !slices.Contains(w.Categories, c) {
				w.Categories = append(w.Categories, c)
			}
		}
		for _, k := range it.Keys {
			w.Keys = addKey(w.Keys, k)
		}
		for _, a := range said[i] {
			labs = addLab(labs, a)
		}
		for _, a := range e.Tags.Artifacts {
			artifacts = addArtifact(artifacts, a)
		}
	}
	if w.News.Before(w.First) {
		w.News = w.First
	}
	slices.SortStableFunc(artifacts, func(a, b feeds.ArtifactTag) int { return artifactOrder(a.Kind) - artifactOrder(b.Kind) })
	w.Tags = tag.Summarize(settle(labs), artifacts, nil)
	if w.Openness == feeds.Unknown {
		// No artifact carries a class of its own; an entry's prose may ("available
		// through our API today").
		for _, e := range entries {
			if e.Tags.Openness != feeds.Unknown && e.Item.Publisher != "" {
				w.Openness, w.Badge, w.License, w.Flags = e.Tags.Openness, e.Tags.Badge, e.Tags.License, e.Tags.Flags
				break
			}
		}
	}
	apply(&w, corrections)
	for _, e := range events {
		if e.Kind != EventAppeared && e.At.After(w.Last) {
			w.Last = e.At
		}
	}
	w.Events = slices.Clone(events[max(0, len(events)-maxEvents):])
	return w
}

// naming orders entries by how well they name the work, best first.
func naming(it feeds.Item) int {
	_, _, arxiv := feeds.ArXivID(it.URL)
	switch {
	case it.Kind == feeds.ItemPaper && arxiv:
		return 0
	case it.Kind == feeds.ItemPaper:
		return 1
	case it.Kind == feeds.ItemPost && it.Publisher != "":
		return 2
	case it.Kind == feeds.ItemModel:
		return 3
	case it.Kind == feeds.ItemDataset:
		return 4
	case it.Kind == feeds.ItemRepo:
		return 5
	case it.Kind == feeds.ItemRelease:
		return 6
	case it.Kind == feeds.ItemLookup:
		return 8
	}
	return 7
}

func artifactOrder(k feeds.ArtifactKind) int {
	return slices.Index([]feeds.ArtifactKind{feeds.Weights, feeds.Code, feeds.Data, feeds.Hosted, feeds.Paper}, k)
}

// addKey adds k; owning a key outweighs claiming it.
func addKey(keys []feeds.Key, k feeds.Key) []feeds.Key {
	i := slices.IndexFunc(keys, func(x feeds.Key) bool { return x.Scheme == k.Scheme && x.Value == k.Value })
	if i < 0 {
		return append(keys, k)
	}
	keys[i].Claim = keys[i].Claim && k.Claim
	return keys
}

// addLab adds a; of two attributions to one lab the better-known one stays, with
// the more telling role and the evidence of both.
func addLab(labs []feeds.Attribution, a feeds.Attribution) []feeds.Attribution {
	i := slices.IndexFunc(labs, func(x feeds.Attribution) bool {
		if x.Counts() != a.Counts() {
			return false
		}
		return x.Lab != "" && x.Lab == a.Lab || x.Lab == "" && a.Lab == "" && x.Name == a.Name && x.Home == a.Home
	})
	if i < 0 {
		a.Evidence = slices.Clone(a.Evidence)
		return append(labs, a)
	}
	x := &labs[i]
	if basisOrder(a.Basis) < basisOrder(x.Basis) {
		a.Role, a.Evidence = role(x.Role, a.Role), mergeEvidence(a.Evidence, x.Evidence)
		*x = a
		return labs
	}
	x.Role, x.Evidence = role(x.Role, a.Role), mergeEvidence(x.Evidence, a.Evidence)
	x.Disputed = x.Disputed || a.Disputed && a.Basis == x.Basis
	return labs
}

// Disputed reports whether the evidence about a work disagrees with itself: two labs
// at the same strength (rule C9), or the terms of an artifact (O3).
func Disputed(w Work) bool {
	return slices.ContainsFunc(w.Labs, func(a feeds.Attribution) bool { return a.Disputed }) || slices.Contains(w.Flags, feeds.FlagConflict) ||
		slices.ContainsFunc(w.Artifacts, func(a feeds.ArtifactTag) bool { return a.Basis == feeds.Conflict })
}

// role returns the more telling of two roles of one lab.
func role(a, b feeds.Role) feeds.Role {
	for _, r := range []feeds.Role{feeds.RoleLead, feeds.RoleReleaser, feeds.RoleAuthor} {
		if a == r || b == r {
			return r
		}
	}
	return a
}

func basisOrder(b feeds.Basis) int {
	i := slices.Index([]feeds.Basis{feeds.Corrected, feeds.Publisher, feeds.Affiliation, feeds.EmailDomain, feeds.Mention}, b)
	if i < 0 {
		return 9
	}
	return i
}

const maxEvidence = 4 // of one tag; more of the same convinces nobody

func mergeEvidence(a, b []feeds.Evidence) []feeds.Evidence {
	out := slices.Clone(a)
	for _, e := range b {
		same := func(x feeds.Evidence) bool { return x.Rule == e.Rule && x.Quote == e.Quote }
		if len(out) < maxEvidence && !slices.ContainsFunc(out, same) {
			out = append(out, e)
		}
	}
	return out
}

// settle drops mentions where anything better is known: a newspaper's guess about
// a paper does not stand beside the affiliations printed on it.
func settle(labs []feeds.Attribution) []feeds.Attribution {
	known := slices.ContainsFunc(labs, func(a feeds.Attribution) bool { return a.Counts() && a.Basis != feeds.Mention })
	if !known {
		return labs
	}
	return slices.DeleteFunc(labs, func(a feeds.Attribution) bool { return a.Counts() && a.Basis == feeds.Mention })
}

// addArtifact adds a; where two entries describe one artifact, a known license
// completes an unknown one, and of two that disagree the strictest class is taken
// and both are shown (rule O3).
func addArtifact(artifacts []feeds.ArtifactTag, a feeds.ArtifactTag) []feeds.ArtifactTag {
	i := slices.IndexFunc(artifacts, func(x feeds.ArtifactTag) bool { return x.Kind == a.Kind && sameThing(x.URL, a.URL) })
	if i < 0 {
		return append(artifacts, a)
	}
	x := &artifacts[i]
	switch {
	case a.Openness == feeds.Unknown && a.License == "":
		x.Evidence = mergeEvidence(x.Evidence, a.Evidence)
	case x.Openness == feeds.Unknown && x.License == "":
		a.Evidence = mergeEvidence(a.Evidence, x.Evidence)
		*x = a
	case x.Openness == a.Openness && x.License == a.License:
		if a.Basis == feeds.Verified {
			x.Basis = feeds.Verified
		}
		x.Evidence = mergeEvidence(x.Evidence, a.Evidence)
	default:
		strict, other := *x, a
		if a.Openness < x.Openness { // unknown is strictest: terms that can't be read permit nothing
			strict, other = a, *x
		}
		strict.Flags = slices.Clone(strict.Flags)
		more := slices.Clone(other.Flags)
		if strict.Basis != feeds.Lineage { // a cap by the base is no disagreement
			strict.Basis = feeds.Conflict
			more = append(more, feeds.FlagConflict)
		}
		for _, f := range more {
			if !slices.Contains(strict.Flags, f) {
				strict.Flags = append(strict.Flags, f)
			}
		}
		strict.Evidence = mergeEvidence(strict.Evidence, other.Evidence)
		*x = strict
	}
	return artifacts
}

// sameThing reports whether two URLs name one thing: one repository on a hub, in
// whatever spelling, or one page.
func sameThing(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := feeds.KeyOfURL(a)
	y, okY := feeds.KeyOfURL(b)
	return okX && okY && x == y
}

// apply lays corrections over the tags, oldest first (rule C11). An empty value
// takes back what was said of its field before.
func apply(w *Work, corrections []Correction) {
	latest := map[string]Correction{}
	for _, c := range corrections {
		if old, ok := latest[c.Field]; !ok || c.ID >= old.ID {
			latest[c.Field] = c
		}
	}
	for _, field := range CorrectionFields {
		c, ok := latest[field]
		if !ok || c.Value == "" {
			continue
		}
		w.Corrected = true
		why := []feeds.Evidence{{Field: c.Field, Quote: c.Because + " (" + c.By + ")", Rule: "C11", ObservedAt: c.At}}
		if strings.HasPrefix(c.Because, "https://") || strings.HasPrefix(c.Because, "http://") {
			why[0].URL = c.Because
		}
		values := splitList(c.Value)
		switch field {
		case "lab":
			w.Labs = slices.DeleteFunc(w.Labs, feeds.Attribution.Counts)
			for _, v := range values {
				w.Labs = append(w.Labs, correctedLab(feeds.LabID(v), w.First, why))
			}
		case "country":
			w.Labs = correctedCountries(w.Labs, values, why)
		case "openness":
			if o, err := feeds.ParseOpenness(c.Value); err == nil {
				w.Openness, w.Flags = o, nil
			}
		case "license":
			w.License = c.Value
			if l, ok := registry.Default().License(c.Value); ok {
				w.License, w.Openness, w.Flags = l.ID, l.Class, slices.Clone(l.Flags)
			}
		}
		if field == "openness" || field == "license" {
			if i := slices.IndexFunc(w.Artifacts, func(a feeds.ArtifactTag) bool { return a.Kind == w.Badge }); i >= 0 {
				w.Artifacts = slices.Clone(w.Artifacts)
				a := &w.Artifacts[i]
				a.Openness, a.Flags, a.License, a.Basis = w.Openness, w.Flags, w.License, feeds.Corrected
				a.Evidence = mergeEvidence(why, a.Evidence)
			}
		}
	}
	w.Countries = feeds.CountriesOf(w.Labs, feeds.ViewHome)
	w.Control = feeds.CountriesOf(w.Labs, feeds.ViewControl)
}

// CorrectionFields are the fields a person can correct, in the order in which
// corrections are applied.
var CorrectionFields = []string{"lab", "country", "license", "openness"}

func correctedLab(id feeds.LabID, at time.Time, why []feeds.Evidence) feeds.Attribution {
	a := feeds.Attribution{Lab: id, Name: string(id), Role: feeds.RoleReleaser, Home: feeds.Nowhere, Control: feeds.Nowhere, Basis: feeds.Corrected, Evidence: why}
	if l, ok := registry.Default().Lab(id); ok {
		seat := l.At(at)
		a.Name, a.Kind, a.Home, a.Control = l.Name, l.Kind, seat.Home, seat.Control
	}
	return a
}

// correctedCountries makes values the countries of labs: attributions that agree
// stay, a single one that does not is moved, others give way.
func correctedCountries(labs []feeds.Attribution, values []string, why []feeds.Evidence) []feeds.Attribution {
	var counted, out []feeds.Attribution
	for _, a := range labs {
		if a.Counts() {
			counted = append(counted, a)
		} else {
			out = append(out, a)
		}
	}
	for _, v := range values {
		c := feeds.Country(strings.ToUpper(v))
		had := false
		for _, a := range counted {
			if a.Home == c {
				a.Disputed = false
				out, had = append(out, a), true
			}
		}
		if had {
			continue
		}
		a := feeds.Attribution{Role: feeds.RoleReleaser}
		if len(counted) == 1 && len(values) == 1 {
			a = counted[0]
			a.Evidence = mergeEvidence(why, a.Evidence)
		} else {
			a.Evidence = why
		}
		a.Home, a.Control, a.Basis, a.Disputed = c, c, feeds.Corrected, false
		out = append(out, a)
	}
	return out
}

func splitList(s string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }), func(s string) bool { return s == "" })
}

// Changes returns what an edited entry changed about its work: a new version of
// a paper, another license or gate on an artifact. A license that becomes known,
// or another wording of the same one, is no change.
func Changes(old, edited Entry, at time.Time) []Event {
	var events []Event
	if old.Item.Version > 0 && edited.Item.Version > old.Item.Version {
		events = append(events, Event{
			At: at, Kind: EventRevised, Item: edited.Item.ID, What: edited.Item.URL,
			From: fmt.Sprintf("v%d", old.Item.Version), To: fmt.Sprintf("v%d", edited.Item.Version),
		})
	}
	for _, was := range old.Tags.Artifacts {
		if was.Kind == feeds.Paper || was.License == "" && was.Openness == feeds.Unknown {
			continue
		}
		i := slices.IndexFunc(edited.Tags.Artifacts, func(a feeds.ArtifactTag) bool { return a.Kind == was.Kind && sameThing(a.URL, was.URL) })
		if i < 0 {
			continue // gone from the entry, which says nothing about its license
		}
		is := edited.Tags.Artifacts[i]
		if was.License == is.License && was.Openness == is.Openness {
			continue
		}
		events = append(events, Event{
			At: at, Kind: EventRelicensed, Item: edited.Item.ID, What: was.URL,
			From: terms(was), To: terms(is), Detail: string(was.Kind),
		})
	}
	return events
}

// terms says under what an artifact is to be had: "MIT (open-weights)", and
// "(unknown)" for one without a license. See [SplitTerms].
func terms(a feeds.ArtifactTag) string {
	return strings.TrimSpace(a.License + " (" + a.Openness.String() + ")")
}

// SplitTerms takes an [EventRelicensed]'s From or To apart.
func SplitTerms(s string) (license, class string) {
	license, class, _ = strings.Cut(strings.TrimSuffix(s, ")"), "(")
	return strings.TrimSpace(license), class
}

// SubjectOf flattens a work to what a query can speak of.
func SubjectOf(w Work) query.Subject {
	s := query.Subject{
		Text:       []string{w.Title, w.Summary},
		Countries:  w.Countries,
		Openness:   w.Openness,
		Categories: w.Categories,
		Date:       w.First,
	}
	for _, a := range w.Labs {
		if a.Counts() {
			s.Labs = append(s.Labs, a.Lab)
			s.Text = append(s.Text, a.Name)
		}
	}
	for _, p := range w.Places {
		if !slices.Contains(s.Kinds, p.Kind) {
			s.Kinds = append(s.Kinds, p.Kind)
		}
		if !slices.Contains(s.Sources, p.Source) {
			s.Sources = append(s.Sources, p.Source)
		}
		if p.Title != w.Title {
			s.Text = append(s.Text, p.Title)
		}
	}
	for _, a := range w.Artifacts {
		if a.License != "" && !slices.Contains(s.Licenses, a.License) {
			s.Licenses = append(s.Licenses, a.License)
		}
		if !slices.Contains(s.Has, a.Kind) {
			s.Has = append(s.Has, a.Kind)
		}
	}
	return s
}
