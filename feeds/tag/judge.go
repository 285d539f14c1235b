package tag

import (
	"slices"
	"strings"

	"seedcorn/feeds"
)

// Judge reads one artifact's license. Sources outrank one another (rule O2): the
// LICENSE text, identified word for word, then what is declared. Where text and
// declaration differ in class the strictest counts and both are shown (O3); a text
// that is not known leaves an open declaration unproved and the class unknown
// (O6). A gate that a person must open restricts; one that only asks for contact
// data is flagged (O5). Base is as in [Summarize].
func (t *Tagger) Judge(a feeds.Artifact, base func(id string) (feeds.ArtifactTag, bool)) feeds.ArtifactTag {
	tag := feeds.ArtifactTag{Kind: a.Kind, URL: a.URL, Bases: slices.Clone(a.Bases)}
	declared, field := t.declared(a)
	text, hasText := Reading{}, strings.TrimSpace(a.LicenseText) != ""
	identified := false
	if hasText {
		if id, ok := t.IdentifyText(a.LicenseText); ok {
			if x, known := t.reg.License(id); known {
				text, identified = read(x, a.Kind), true
				text.Basis, text.Rule, text.Quote = feeds.Verified, "O2", clip(firstLine(a.LicenseText), maxQuote)
			}
		}
	}
	evidence := func(field string, r Reading) {
		if r.Quote == "" {
			return
		}
		url := a.LicenseURL
		if url == "" {
			url = a.URL
		}
		tag.Evidence = append(tag.Evidence, feeds.Evidence{Field: field, Quote: r.Quote, Rule: r.Rule, URL: url})
	}
	r := declared
	switch {
	case identified && declared.Openness != feeds.Unknown && declared.Openness != text.Openness:
		r = stricter(text, declared)
		r.Basis = feeds.Conflict
		r.Flags = addFlag(r.Flags, feeds.FlagConflict)
		text.Rule, declared.Rule = "O3", "O3"
		evidence("license_text", text)
		evidence(field, declared)
	case identified:
		r = text
		evidence("license_text", text)
	case hasText && declared.Openness.Open():
		evidence(field, declared)
		evidence("license_text", Reading{Quote: clip(firstLine(a.LicenseText), maxQuote), Rule: "O6"})
		r = Reading{License: declared.License, Basis: feeds.Conflict, Flags: []feeds.Flag{feeds.FlagConflict}}
	default:
		evidence(field, declared)
	}
	tag.License, tag.Openness, tag.Flags, tag.Basis = r.License, r.Openness, r.Flags, r.Basis
	if a.Kind == feeds.Hosted && tag.Openness == feeds.Unknown {
		tag.Openness = feeds.Closed
		tag.Flags = addFlag(tag.Flags, feeds.FlagAPI)
		if a.URL != "" {
			tag.Evidence = append(tag.Evidence, feeds.Evidence{Field: "url", Quote: clip(a.URL, maxQuote), Rule: "O1", URL: a.URL})
		}
	}
	switch a.Gated {
	case feeds.GatedNo:
	case feeds.GatedManual:
		if tag.Openness.Open() {
			tag.Openness = feeds.Restricted
		}
		tag.Flags = addFlag(tag.Flags, feeds.FlagGatedManual)
		tag.Evidence = append(tag.Evidence, feeds.Evidence{Field: "gated", Quote: a.Gated, Rule: "O5", URL: a.URL})
	default: // "auto", and any gate we do not know only ever adds a caution
		tag.Flags = addFlag(tag.Flags, feeds.FlagGatedAuto)
		tag.Evidence = append(tag.Evidence, feeds.Evidence{Field: "gated", Quote: clip(a.Gated, maxQuote), Rule: "O5", URL: a.URL})
	}
	return capped(tag, base)
}

// basesOf judges an artifact's base models by the licenses that they were found to
// declare; nil where none was looked up.
func (t *Tagger) basesOf(a feeds.Artifact) func(id string) (feeds.ArtifactTag, bool) {
	if len(a.BaseLicenses) == 0 {
		return nil
	}
	return func(id string) (feeds.ArtifactTag, bool) {
		i := slices.Index(a.Bases, id)
		if i < 0 || i >= len(a.BaseLicenses) || a.BaseLicenses[i] == "" {
			return feeds.ArtifactTag{}, false
		}
		r := t.ParseLicense(a.BaseLicenses[i], feeds.Weights)
		return feeds.ArtifactTag{Kind: feeds.Weights, License: r.License, Openness: r.Openness, Flags: r.Flags, Basis: r.Basis}, true
	}
}

// declared reads what an artifact declares, from the most telling field: license,
// then the name and the link that go with "other".
func (t *Tagger) declared(a feeds.Artifact) (Reading, string) {
	r := t.ParseLicense(a.License, a.Kind)
	if r.License != "" || r.Openness != feeds.Unknown {
		return r, "license"
	}
	if a.LicenseName != "" {
		if n := t.ParseLicense(a.LicenseName, a.Kind); n.License != "" || n.Openness != feeds.Unknown {
			return n, "license_name"
		}
	}
	if a.LicenseURL != "" {
		if x, ok := t.reg.License(a.LicenseURL); ok {
			n := read(x, a.Kind)
			n.Quote = clip(a.LicenseURL, maxQuote)
			return n, "license_url"
		}
	}
	return r, "license"
}

func firstLine(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}
