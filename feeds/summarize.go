package feeds

import "slices"

// Summarize derives the tags of an item or a work from who is behind it and
// what can be had of it: the countries of the counted attributions, and a badge.
//
// The badge speaks of the artifact that a reader would build on first: weights,
// then code, then data, then a hosted service. A paper is never the badge: what
// its PDF permits says nothing about the method. Among several artifacts of that
// kind the freest one speaks, because it can be had; an artifact whose license is
// unknown speaks only where there is no better-known one of its kind.
//
// A model is open-source only as the Open Source AI Definition has it: weights
// under an open-source license, with code under one, and with the data or a
// description of it (https://opensource.org/ai/open-source-ai-definition). The
// class of weights alone never exceeds open-weights.
func Summarize(labs []Attribution, artifacts []ArtifactTag) Tags {
	t := Tags{
		Labs:      labs,
		Countries: CountriesOf(labs, ViewHome),
		Control:   CountriesOf(labs, ViewControl),
		Artifacts: artifacts,
	}
	var badge *ArtifactTag
	for _, kind := range []ArtifactKind{Weights, Code, Data, Hosted} {
		for i := range artifacts {
			a := &artifacts[i]
			if a.Kind == kind && (badge == nil || badge.Kind == kind && a.Openness > badge.Openness) {
				badge = a
			}
		}
		if badge != nil && badge.Openness != Unknown {
			break
		}
		// Weights without a known license say less than code with one, but they must
		// not be forgotten: code alone does not make the work free.
		if badge != nil && kind == Weights {
			break
		}
	}
	if badge == nil {
		return t
	}
	t.Badge, t.License, t.Flags, t.Openness = badge.Kind, badge.License, slices.Clone(badge.Flags), badge.Openness
	if badge.Kind == Weights && badge.Openness >= OpenWeights {
		t.Openness = OpenWeights
		if openOf(artifacts, Code, OpenSource) && openOf(artifacts, Data, OpenWeights) && !slices.Contains(badge.Flags, FlagNotOSI) {
			t.Openness = OpenSource
		}
	}
	return t
}

func openOf(artifacts []ArtifactTag, kind ArtifactKind, least Openness) bool {
	return slices.ContainsFunc(artifacts, func(a ArtifactTag) bool { return a.Kind == kind && a.Openness >= least })
}
