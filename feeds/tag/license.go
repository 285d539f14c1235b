package tag

import (
	"html"
	"slices"
	"strings"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// A Reading is what a declared license string says about one kind of artifact.
type Reading struct {
	License  string         // SPDX expression or LicenseRef; "" where no license is named
	Openness feeds.Openness // [feeds.Unknown] where the string does not decide it
	Flags    []feeds.Flag
	Basis    feeds.Basis // [feeds.Declared], or [feeds.Conflict] where the string names several that differ
	Quote    string      // the part of the string that decided
	Rule     string
}

// maxDeclared is how much of a declared string is read, in bytes. A field of a
// model card is a line; what is longer is a page that was pasted in.
const maxDeclared = 4_000

// licenses finds license names in strings.
type licenses struct {
	reg  *registry.Registry
	all  []feeds.License
	byID map[string]int
	find *matcher // name id = index into all
}

// Words that come and go inside a license's name without changing it.
var licenseNoise = []string{"the", "license", "licence", "agreement", "version", "v", "licensed", "licenses"}

func newLicenses(reg *registry.Registry) *licenses {
	l := &licenses{reg: reg, all: reg.Licenses(), byID: map[string]int{}}
	l.find = newMatcher(true, 16*len(l.all), licenseNoise...)
	for i, x := range l.all {
		l.byID[strings.ToLower(x.ID)] = i
		if x.Class == feeds.Unknown {
			continue // "no", "custom", "unknown": words, not names
		}
		l.find.add(x.ID, uint32(i))
		if !strings.Contains(x.ID, "LicenseRef") {
			continue
		}
		for _, p := range []string{"LicenseRef-scancode-", "LicenseRef-"} {
			if s, ok := strings.CutPrefix(x.ID, p); ok {
				l.find.add(s, uint32(i))
				break
			}
		}
	}
	for i, x := range l.all {
		if x.Class == feeds.Unknown {
			continue
		}
		l.find.add(x.Name, uint32(i))
		for _, a := range x.Aliases {
			l.find.add(a, uint32(i))
		}
	}
	return l
}

// read says what a license makes of an artifact of the given kind. For software
// the test is the Open Source Initiative's list, for everything else the class
// that the registry gives to weights under it.
func read(l feeds.License, kind feeds.ArtifactKind) Reading {
	r := Reading{License: l.ID, Openness: l.Class, Flags: slices.Clone(l.Flags), Basis: feeds.Declared, Rule: "O1"}
	switch {
	case kind == feeds.Code && l.OSI:
		r.Openness = feeds.OpenSource
	case l.Class == feeds.OpenSource && kind != feeds.Code:
		r.Openness = feeds.OpenWeights
	case kind == feeds.Code && l.Class.Open():
		r.Openness = feeds.OpenWeights
		r.Flags = addFlag(r.Flags, feeds.FlagNotOSI)
	}
	return r
}

func addFlag(flags []feeds.Flag, f ...feeds.Flag) []feeds.Flag {
	for _, x := range f {
		if !slices.Contains(flags, x) {
			flags = append(flags, x)
		}
	}
	return flags
}

// stricter joins two readings that both bind: the stricter class wins, the
// conditions of both hold (rule O3).
func stricter(a, b Reading) Reading {
	if rank(b.Openness) < rank(a.Openness) {
		a, b = b, a
	}
	if a.Openness != b.Openness || a.License != b.License {
		for _, f := range b.Flags {
			if b.Openness == a.Openness || isCondition(f) {
				a.Flags = addFlag(a.Flags, f)
			}
		}
	}
	return a
}

// rank orders classes by strictness, unknown between closed and restricted: an
// unread license may be as strict as any that obtains.
func rank(o feeds.Openness) int {
	switch o {
	case feeds.Closed:
		return 0
	case feeds.Unknown:
		return 1
	}
	return int(o)
}

func isCondition(f feeds.Flag) bool {
	switch f {
	case feeds.FlagCopyleft, feeds.FlagGatedAuto, feeds.FlagNotOSI, feeds.FlagConflict, feeds.FlagAPI, feeds.FlagHosted, feeds.FlagAnnounced:
		return false
	}
	return true
}

// Declared strings that say that nothing is said.
var saysNothing = map[string]bool{
	"": true, "other": true, "unknown": true, "none": true, "not specified": true, "unspecified": true, "n a": true, "na": true, "null": true,
	"noassertion": true, "custom": true, "see license": true, "see license file": true, "license": true, "licence": true, "mixed": true,
	"tbd": true, "no license": true, "open": true, "other license": true, "see repository": true, "varies": true, "undefined": true,
}

// ParseLicense reads a license as it is declared in the wild — an SPDX expression,
// a hub's id, a name with its many spellings, or a note with several licenses and
// links — for one kind of artifact. A license declared for the code never covers
// weights (rule O2), and a near match is no match (rule O6): "modified MIT" is not
// MIT. What is not understood is unknown; there is no error.
func (t *Tagger) ParseLicense(declared string, kind feeds.ArtifactKind) Reading {
	return t.licenses.parse(declared, kind)
}

func (l *licenses) parse(declared string, kind feeds.ArtifactKind) Reading {
	s := declared
	if len(s) > maxDeclared {
		s = strings.ToValidUTF8(s[:maxDeclared], "")
	}
	s = strings.TrimSpace(html.UnescapeString(s))
	if saysNothing[foldKey(s, false)] {
		return Reading{Rule: "O6", Quote: clip(s, maxQuote)}
	}
	if x, ok := l.whole(s); ok && (!strings.Contains(s, "?") || strings.Contains(s, "://")) { // "MIT (?)" doubts itself
		r := read(x, kind)
		r.Quote = clip(s, maxQuote)
		return r
	}
	if e, err := parseExpression(s); err == nil && e.op+e.exception != "" {
		if r, ok := l.expression(e, kind); ok {
			r.Quote = clip(s, maxQuote)
			return r
		}
	}
	return l.note(s, kind)
}

// whole looks the string up as one license's name.
func (l *licenses) whole(s string) (feeds.License, bool) {
	if x, ok := l.reg.License(s); ok {
		return x, true
	}
	if i, ok := l.find.exact(s); ok {
		return l.all[i], true
	}
	return feeds.License{}, false
}

// expression judges a parsed SPDX expression. OR lets the reader choose, so the
// freest side counts; AND binds to both. ok is false if an id is not known.
func (l *licenses) expression(e *expression, kind feeds.ArtifactKind) (Reading, bool) {
	if e.op == "" {
		id := e.id
		if e.later {
			id += "-or-later"
		}
		i, ok := l.byID[strings.ToLower(id)]
		if !ok {
			i, ok = l.byID[strings.ToLower(e.id)]
		}
		if !ok {
			if x, found := l.reg.License(e.id); found {
				i, ok = l.byID[strings.ToLower(x.ID)]
			}
		}
		if !ok {
			return Reading{}, false
		}
		r := read(l.all[i], kind)
		r.License = l.all[i].ID
		if e.exception != "" {
			// SPDX exceptions only ever permit more; the class cannot fall by one.
			r.License += " WITH " + e.exception
		}
		return r, true
	}
	a, ok := l.expression(e.left, kind)
	if !ok {
		return Reading{}, false
	}
	b, ok := l.expression(e.right, kind)
	if !ok {
		return Reading{}, false
	}
	var r Reading
	if e.op == "OR" {
		r = a
		if rank(b.Openness) > rank(a.Openness) {
			r = b
		}
	} else {
		r = stricter(a, b)
	}
	r.License = e.joined(a.License, b.License)
	return r, true
}

func (e *expression) joined(a, b string) string {
	if e.op == "AND" {
		if e.left.op == "OR" {
			a = "(" + a + ")"
		}
		if e.right.op == "OR" {
			b = "(" + b + ")"
		}
	}
	return a + " " + e.op + " " + b
}
