// Package registry knows who is who and what is what: labs with their seats,
// names, domains and accounts; countries; places; licenses. Every entry has a
// public page as its source, and a linter holds the entries to that.
//
// What comes in is text that a person can review in a diff (data/*.txt, compiled
// into the program) or an operator's own files of the same form. What goes out
// are [feeds.Lab] and [feeds.License] values and the look-ups that package tag
// makes for every item. The data flow one way:
//
//	data/labs-*.txt ─┐
//	data/licenses.txt ┴─ parse.go ──► Registry ──► Lab, ByHandle, ByDomain, ByEmail, Find,
//	                        │                      License, LicenseByText
//	                        └─ check.go (Check, Load): every fault at once, with file and line
//	data/countries.txt ─── country.go ──► ParseCountry, CountryName, CountryFlag, RollUps
//	data/places.txt ────── place.go ────► PlaceNamed: states, provinces, cities, and their doubles
//	data/spdx.txt ──────── spdx.go ─────► SPDX: which ids exist, which are OSI-approved
//	a ROR dump ─────────── ror.go ──────► ReadROR: the long tail, one organization at a time
//
// Names are compared after [Fold], licenses after [FoldLicense], license texts
// after [NormalizeText]. hosting.go lists the hosts and mail services that say
// nothing about who wrote a thing.
//
// # The form of the files
//
// A record begins at the margin with its id and name; its fields follow, each on
// an indented line; lists are separated by " | "; a line that begins with # is a
// comment:
//
//	manus: Manus
//		kind: company
//		seat: CN ..2025-06 https://…
//		seat: SG 2025-06..2025-12-29 https://…
//		seat: SG/US 2025-12-29.. https://…
//		domain: manus.im
//		source: https://…
//
// A seat is home[/control], then the period from..to (from inclusive, to
// exclusive; dates may stop at the year or month), then the page that says so.
//
// The embedded files are parsed once, in a few milliseconds, at the first call of
// [Default]. Indexes that not every program needs are built at their first use.
package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"seedcorn/feeds"
)

// A Registry is a read-only set of labs and licenses with its look-ups. It is
// safe for concurrent use. What it returns is shared: do not change the slices
// inside a returned [feeds.Lab] or [feeds.License].
type Registry struct {
	version  func() string
	labs     []feeds.Lab // sorted by id
	licenses []feeds.License
	variants []variant

	byID     map[feeds.LabID]int
	byHandle map[feeds.Account]int // handles in lower case
	byDomain map[string]int

	// Built at first use.
	names   func() map[string][]int // of labs, folded
	aliases func() map[string]int   // of licenses, ids among them, folded
	texts   func() map[string]int   // hashes of license texts
}

// Default returns the registry that is compiled in.
var Default = sync.OnceValue(func() *Registry {
	p := parser{labs: make([]feeds.Lab, 0, 4096), licenses: make([]feeds.License, 0, 512)}
	for _, f := range embedded() {
		p.file(f.name, f.text)
	}
	return build(p, func() string { return dataVersion() + "+" + digest(embedded()) })
})

// build indexes what was parsed. Where two claim one key the first in order of
// id keeps it; [Check] reports the clash.
func build(p parser, version func() string) *Registry {
	r := &Registry{
		version:  sync.OnceValue(version),
		labs:     sorted(p.labs, func(l *feeds.Lab) string { return string(l.ID) }),
		licenses: sorted(p.licenses, func(l *feeds.License) string { return l.ID }),
		variants: p.variants,
		byID:     make(map[feeds.LabID]int, len(p.labs)),
		byHandle: make(map[feeds.Account]int, len(p.labs)),
		byDomain: make(map[string]int, 2*len(p.labs)),
	}
	for i, l := range r.labs {
		put(r.byID, l.ID, i)
		for _, h := range l.HuggingFace {
			put(r.byHandle, feeds.Account{Service: feeds.HuggingFace, Handle: strings.ToLower(h)}, i)
		}
		for _, h := range l.GitHub {
			put(r.byHandle, feeds.Account{Service: feeds.GitHub, Handle: strings.ToLower(h)}, i)
		}
		for _, d := range l.Domains {
			put(r.byDomain, strings.ToLower(d), i)
		}
	}
	r.aliases = sync.OnceValue(func() map[string]int {
		m := make(map[string]int, 8*len(r.licenses))
		for i, l := range r.licenses {
			put(m, FoldLicense(l.ID), i)
		}
		for i, l := range r.licenses { // ids before aliases
			put(m, FoldLicense(l.Name), i)
			for _, a := range l.Aliases {
				put(m, FoldLicense(a), i)
			}
		}
		return m
	})
	r.texts = sync.OnceValue(func() map[string]int {
		m := make(map[string]int, 2*len(r.licenses))
		for i, l := range r.licenses {
			if l.Text != "" {
				put(m, l.Text, i)
			}
		}
		for _, v := range r.variants {
			if i, ok := r.aliases()[FoldLicense(v.license)]; ok {
				put(m, v.hash, i)
			}
		}
		return m
	})
	r.names = sync.OnceValue(func() map[string][]int {
		m := make(map[string][]int, 4*len(r.labs))
		for i, l := range r.labs {
			for _, names := range [][]string{{l.Name}, l.Aliases, l.Ambiguous} {
				for _, n := range names {
					if k := Fold(n); k != "" && !slices.Contains(m[k], i) {
						m[k] = append(m[k], i)
					}
				}
			}
		}
		return m
	})
	return r
}

// sorted returns a copy of all in order of id. It sorts pointers: the records
// themselves are large to move.
func sorted[T any](all []T, id func(*T) string) []T {
	at := make([]*T, len(all))
	for i := range all {
		at[i] = &all[i]
	}
	slices.SortStableFunc(at, func(a, b *T) int { return strings.Compare(id(a), id(b)) })
	out := make([]T, len(all))
	for i, t := range at {
		out[i] = *t
	}
	return out
}

func put[K comparable](m map[K]int, k K, i int) {
	if _, taken := m[k]; !taken {
		m[k] = i
	}
}

// Version names the data: their date and the beginning of their SHA-256, as in
// "2026-11-23+1f0c9a3e". It is printed with every number that rests on them.
func (r *Registry) Version() string { return r.version() }

// Lab returns the lab with the given id.
func (r *Registry) Lab(id feeds.LabID) (feeds.Lab, bool) {
	i, ok := r.byID[id]
	if !ok {
		return feeds.Lab{}, false
	}
	return r.labs[i], true
}

// Labs returns all labs, sorted by id.
func (r *Registry) Labs() []feeds.Lab { return slices.Clone(r.labs) }

// ByHandle returns the lab that an account on a hub belongs to. Handles are
// compared without regard to case, as the hubs do.
func (r *Registry) ByHandle(service feeds.Service, handle string) (feeds.Lab, bool) {
	handle = strings.TrimPrefix(strings.TrimSpace(handle), "@")
	i, ok := r.byHandle[feeds.Account{Service: service, Handle: strings.ToLower(handle)}]
	if !ok {
		return feeds.Lab{}, false
	}
	return r.labs[i], true
}

// ByDomain returns the lab whose domain is the longest suffix of host, on a
// label boundary: "news.mit.edu" is MIT's, "notmit.edu" is not. On hosts where
// strangers publish (github.io, huggingface.co, medium.com, …) a lab is found
// only if its domain is longer than the host's: "qwenlm.github.io".
func (r *Registry) ByDomain(host string) (feeds.Lab, bool) {
	for _, h := range suffixes(host) {
		if Hosting(h) {
			return feeds.Lab{}, false
		}
		if i, ok := r.byDomain[h]; ok {
			return r.labs[i], true
		}
	}
	return feeds.Lab{}, false
}

// ByEmail returns the lab whose domain an e-mail address, or the domain of one,
// belongs to. Mail services open to everybody (gmail.com, qq.com, naver.com, …)
// say nothing about the writer and are never found.
func (r *Registry) ByEmail(address string) (feeds.Lab, bool) {
	_, host, found := strings.Cut(address, "@")
	if !found {
		host = address
	}
	for _, h := range suffixes(host) {
		if freeMail[h] {
			return feeds.Lab{}, false
		}
		if i, ok := r.byDomain[h]; ok {
			return r.labs[i], true
		}
	}
	return feeds.Lab{}, false
}

// suffixes returns host and its parents by label, longest first.
func suffixes(host string) []string {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	if len(host) > 253 { // https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
		return nil
	}
	var out []string
	for host != "" {
		out = append(out, host)
		_, rest, found := strings.Cut(host, ".")
		if !found {
			break
		}
		host = rest
	}
	return out
}

// Find returns the labs that have the given name, alias or ambiguous name, after
// [Fold]; sorted by id, empty where there is none. An id is found as well, and so
// is a name with its short form in parentheses: "Carnegie Mellon University (CMU)".
func (r *Registry) Find(name string) []feeds.Lab {
	k := Fold(name)
	if k == "" {
		return nil
	}
	at := r.names()[k]
	if before, _, found := strings.Cut(name, " ("); len(at) == 0 && found && strings.HasSuffix(name, ")") {
		at = r.names()[Fold(before)]
	}
	if i, ok := r.byID[feeds.LabID(strings.ToLower(strings.TrimSpace(name)))]; ok && !slices.Contains(at, i) {
		at = append([]int{i}, at...)
	}
	out := make([]feeds.Lab, 0, len(at))
	for _, i := range at {
		out = append(out, r.labs[i])
	}
	return out
}

// License returns the license with the given SPDX id, LicenseRef or alias as met
// in the wild, after [FoldLicense]: "Apache 2.0", "apache-2.0" and "Apache
// License, Version 2.0" are one. A near match is no match (rule O6).
func (r *Registry) License(idOrAlias string) (feeds.License, bool) {
	k := FoldLicense(idOrAlias)
	if k == "" {
		return feeds.License{}, false
	}
	i, ok := r.aliases()[k]
	if !ok {
		return feeds.License{}, false
	}
	return r.licenses[i], true
}

// LicenseByText returns the license whose whole text this is, by [TextHash].
func (r *Registry) LicenseByText(text string) (feeds.License, bool) {
	i, ok := r.texts()[TextHash(text)]
	if !ok {
		return feeds.License{}, false
	}
	return r.licenses[i], true
}

// Licenses returns all licenses, sorted by id.
func (r *Registry) Licenses() []feeds.License { return slices.Clone(r.licenses) }

func digest(files []source) string {
	h := sha256.New()
	for _, f := range files {
		h.Write([]byte(f.name + "\x00" + f.text + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}
