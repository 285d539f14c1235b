package tag

import (
	"slices"

	"seedcorn/feeds"
)

// Summarize derives the rest of the tags from attributions and judged artifacts:
// countries in both views, and the badge with its class, license and flags. The
// tagger uses it on one item, the digest on all items of a work.
//
// Base returns the judgment of a base model by its id on the hub ("org/name"), or
// false if it is not known; nil knows none. A derivative is no freer than its base
// (rule O4).
//
// The badge speaks of the most useful artifact whose class is known: weights, then
// code, then data, then a service. A paper's own license never makes the work open.
// Weights without a known class are never hidden behind an artifact that has one:
// a code license does not cover them (rule O2), so the badge is the weights and its
// class unknown. A work of which nothing is known still says what there is: code
// without a license is a badge of code, unknown.
//
// Where a work has several artifacts of one kind that differ, as the sizes of a
// family do, the badge is the strictest with [feeds.FlagConflict]: what it permits
// holds for all of them, and what a single size permits beyond it stands with that
// artifact in Tags.Artifacts. Artifacts of unknown class beside known ones of their
// kind do not move the badge.
func Summarize(labs []feeds.Attribution, artifacts []feeds.ArtifactTag, base func(id string) (feeds.ArtifactTag, bool)) feeds.Tags {
	labs = slices.Clone(labs)
	slices.SortStableFunc(labs, func(a, b feeds.Attribution) int { return roleOrder(a.Role) - roleOrder(b.Role) })
	tags := feeds.Tags{
		Labs:      labs,
		Countries: feeds.CountriesOf(labs, feeds.ViewHome),
		Control:   feeds.CountriesOf(labs, feeds.ViewControl),
		Artifacts: make([]feeds.ArtifactTag, 0, len(artifacts)),
	}
	for _, a := range artifacts {
		tags.Artifacts = append(tags.Artifacts, capped(a, base))
	}
	if len(tags.Artifacts) == 0 {
		tags.Artifacts = nil
	}
	if i, differ := badge(tags.Artifacts); i >= 0 {
		a := tags.Artifacts[i]
		tags.Badge, tags.Openness, tags.License = a.Kind, a.Openness, a.License
		tags.Flags = slices.Clone(a.Flags)
		if differ {
			tags.Flags = addFlag(tags.Flags, feeds.FlagConflict)
		}
	}
	if tags.Badge == feeds.Weights && tags.Openness == feeds.OpenWeights && wholeModel(tags.Artifacts) {
		tags.Openness = feeds.OpenSource
	}
	return tags
}

// badge returns the artifact that the badge speaks of, -1 if there is none, and
// whether others of its kind differ from it in class.
func badge(as []feeds.ArtifactTag) (best int, differ bool) {
	unknown := -1 // the most useful artifact without a known class
	for _, kind := range []feeds.ArtifactKind{feeds.Weights, feeds.Code, feeds.Data, feeds.Hosted} {
		best = -1
		for i, a := range as {
			switch {
			case a.Kind != kind:
			case a.Openness == feeds.Unknown:
				if unknown < 0 {
					unknown = i
				}
			case best < 0:
				best = i
			case a.Openness != as[best].Openness:
				differ = true
				if a.Openness < as[best].Openness {
					best = i
				}
			}
		}
		if best >= 0 {
			return best, differ
		}
		if kind == feeds.Weights && unknown >= 0 {
			return unknown, false
		}
	}
	return unknown, false
}

func roleOrder(r feeds.Role) int {
	switch r {
	case feeds.RoleReleaser:
		return 0
	case feeds.RoleLead:
		return 1
	case feeds.RoleAuthor:
		return 2
	}
	return 3
}

// wholeModel reports whether beside the open weights there are code under an
// OSI-approved license and open data: the Open Source AI Definition asks for all
// three (https://opensource.org/ai/open-source-ai-definition).
func wholeModel(as []feeds.ArtifactTag) bool {
	code, data := false, false
	for _, a := range as {
		switch {
		case a.Kind == feeds.Code && a.Openness == feeds.OpenSource:
			code = true
		case a.Kind == feeds.Data && a.Openness.Open():
			data = true
		case (a.Kind == feeds.Code || a.Kind == feeds.Data) && !a.Openness.Open():
			return false
		}
	}
	return code && data
}

// capped lowers an artifact's class to that of its base models, where theirs is
// known and stricter (rule O4).
func capped(a feeds.ArtifactTag, base func(string) (feeds.ArtifactTag, bool)) feeds.ArtifactTag {
	if base == nil || a.Kind != feeds.Weights || a.Openness <= feeds.Closed {
		return a
	}
	for _, id := range a.Bases {
		b, ok := base(id)
		if !ok || b.Openness == feeds.Unknown || b.Openness == feeds.Closed || b.Openness >= a.Openness {
			continue
		}
		a.Evidence = append(slices.Clone(a.Evidence), feeds.Evidence{
			Field: "bases", Quote: id + ": " + b.Openness.String() + licensed(b.License), Rule: "O4",
		})
		a.Openness, a.Basis = b.Openness, feeds.Lineage
		flags := slices.Clone(a.Flags)
		for _, f := range b.Flags {
			if isCondition(f) {
				flags = addFlag(flags, f)
			}
		}
		a.Flags = flags
	}
	return a
}

func licensed(id string) string {
	if id == "" {
		return ""
	}
	return " (" + id + ")"
}
