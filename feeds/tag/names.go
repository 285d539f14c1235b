package tag

import (
	"strings"
	"time"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// nameKind says how much a name proves.
type nameKind uint8

const (
	nameSure      nameKind = iota // a lab's name or alias
	nameAmbiguous                 // also a word or another thing: counts only with support
	nameModel                     // a model family: proves its maker only in the maker's own words
	nameLong                      // an organization of the long tail
	nameAcronym                   // an acronym of the long tail: counts only with other evidence
)

// An Organization is one of the long tail: an entry of the Research Organization
// Registry (https://ror.org/about/), which the registry of labs does not hold.
type Organization struct {
	ID       feeds.LabID
	Name     string
	Aliases  []string
	Acronyms []string // count only with other evidence
	Domains  []string
	Country  feeds.Country
	Kind     feeds.LabKind
}

// An owner is an organization that a name belongs to.
type owner struct {
	org  int32 // index into names.orgs
	kind nameKind
	caps bool // the name is a short acronym and counts in capitals only
}

// An org is a lab of the registry or an organization of the long tail.
type org struct {
	id      feeds.LabID
	name    string
	kind    feeds.LabKind
	country feeds.Country // of the long tail
	lab     *feeds.Lab    // nil for the long tail
}

// seat returns where the organization sat on a day, and whose it was.
func (o *org) seat(at time.Time) (home, control feeds.Country) {
	if o.lab == nil {
		return o.country, o.country
	}
	s := o.lab.At(at)
	home, control = s.Home, s.Control
	if home == "" {
		home = feeds.Nowhere
	}
	if control == "" {
		control = home
	}
	return home, control
}

// names are all the names we look for, and whose they are.
type names struct {
	orgs    []org
	byID    map[feeds.LabID]int32
	find    *matcher
	first   []owner            // name id -> its first owner
	more    map[uint32][]owner // the other owners of names that have several
	domains map[string]int32   // of the long tail; the registry knows its own
	spelled map[uint32]string  // model families as their makers write them
}

func newNames(reg *registry.Registry) *names {
	labs := reg.Labs()
	n := &names{
		orgs:    make([]org, 0, len(labs)),
		byID:    make(map[feeds.LabID]int32, len(labs)),
		find:    newMatcher(false, 6*len(labs), "of", "the", "and", "for", "at", "in", "de", "du", "la"),
		more:    map[uint32][]owner{},
		domains: map[string]int32{},
		spelled: map[uint32]string{},
	}
	n.find.mindCommas()
	for i := range labs {
		l := &labs[i]
		o := n.org(org{id: l.ID, name: l.Name, kind: l.Kind, lab: l})
		ambiguous := map[string]bool{}
		for _, a := range l.Ambiguous {
			ambiguous[foldKey(a, false)] = true
			n.add(a, owner{org: o, kind: nameAmbiguous})
		}
		for _, a := range append([]string{l.Name}, l.Aliases...) {
			if !ambiguous[foldKey(a, false)] {
				n.add(a, owner{org: o, kind: nameSure})
			}
		}
		for _, m := range l.Models {
			n.add(m, owner{org: o, kind: nameModel})
			if id, ok := n.find.exact(m); ok {
				n.spelled[id] = m
			}
		}
	}
	for i := range labs {
		if l := &labs[i]; l.Kind == feeds.University && !fixedNames[l.At(time.Time{}).Home] {
			for _, a := range append([]string{l.Name}, l.Aliases...) {
				for _, d := range turned(a) {
					if isGeneric(d) {
						continue
					}
					if _, taken := n.find.exact(d); !taken {
						n.add(d, owner{org: n.byID[l.ID], kind: nameLong})
					}
				}
			}
		}
	}
	return n
}

// fixedNames are countries where a university's name is not turned about: York
// University is not the University of York.
var fixedNames = map[feeds.Country]bool{"US": true, "GB": true, "CA": true, "AU": true, "IE": true, "NZ": true, "ZA": true}

// turned returns the other ways in which papers print a university's name:
// "University of Nantes" is "Nantes University", and "Ben-Gurion University of the
// Negev" goes without its region.
func turned(name string) []string {
	var out []string
	name = strings.TrimPrefix(name, "The ")
	if x, ok := strings.CutPrefix(name, "University of "); ok && strings.Count(x, " ") < 2 && !strings.Contains(x, ",") {
		out = append(out, x+" University")
	}
	if x, ok := strings.CutSuffix(name, " University"); ok && strings.Count(x, " ") < 2 {
		out = append(out, "University of "+x)
	}
	if i := strings.LastIndexByte(name, ' '); i > 0 && strings.HasSuffix(name[:i], " University") {
		if _, isPlace := registry.PlaceNamed(name[i+1:]); isPlace { // "Radboud University Nijmegen"
			out = append(out, name[:i])
		}
	}
	if before, after, ok := strings.Cut(name, " University of "); ok && after != "" && before != "" {
		if _, isPlace := registry.PlaceNamed(before); !isPlace {
			if _, isCountry := registry.ParseCountry(before); !isCountry {
				out = append(out, before+" University")
			}
		}
	}
	return out
}

func (n *names) org(o org) int32 {
	i := int32(len(n.orgs))
	n.orgs = append(n.orgs, o)
	if _, taken := n.byID[o.id]; !taken {
		n.byID[o.id] = i
	}
	return i
}

func (n *names) add(name string, o owner) {
	o.caps = len(name) <= 4 && len(name) > 1 && name == strings.ToUpper(name) && isASCII(name)
	id, ok := n.find.add(name, uint32(len(n.first)))
	if !ok {
		return
	}
	if int(id) == len(n.first) {
		n.first = append(n.first, o)
		return
	}
	if n.first[id].org == o.org {
		return
	}
	for _, x := range n.more[id] {
		if x.org == o.org {
			return
		}
	}
	n.more[id] = append(n.more[id], o)
}

// owners calls yield with each owner of a name.
func (n *names) owners(id uint32, yield func(owner)) {
	yield(n.first[id])
	for _, o := range n.more[id] {
		yield(o)
	}
}

// organization adds one organization of the long tail. One that the registry has
// already, by a name and country that agree, adds its other names to that lab.
func (n *names) organization(x Organization) {
	if x.Country == "" || x.Name == "" {
		return
	}
	o := int32(-1)
	if id, ok := n.find.exact(x.Name); ok {
		n.owners(id, func(w owner) {
			if l := n.orgs[w.org].lab; l != nil && w.kind == nameSure && l.At(time.Time{}).Home == x.Country {
				o = w.org
			}
		})
	}
	if o < 0 {
		o = n.org(org{id: x.ID, name: x.Name, kind: x.Kind, country: x.Country})
	}
	n.add(x.Name, owner{org: o, kind: longKind(x.Name)})
	for _, a := range x.Aliases {
		n.add(a, owner{org: o, kind: longKind(a)})
	}
	for _, a := range x.Acronyms {
		n.add(a, owner{org: o, kind: nameAcronym})
	}
	for _, d := range x.Domains {
		if _, taken := n.domains[d]; !taken {
			n.domains[strings.ToLower(d)] = o
		}
	}
}

// longKind says how much a name of the long tail proves: one short word is no
// better than an acronym.
func longKind(name string) nameKind {
	if !strings.Contains(strings.TrimSpace(name), " ") && len(name) < 12 {
		return nameAcronym
	}
	return nameLong
}

// byDomain returns the organization whose domain is the longest suffix of host.
func (n *names) byDomain(reg *registry.Registry, host string, mail bool) (int32, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	var l feeds.Lab
	var ok bool
	if mail {
		l, ok = reg.ByEmail(host)
	} else {
		l, ok = reg.ByDomain(host)
	}
	if ok {
		i, known := n.byID[l.ID]
		return i, known
	}
	for h := host; strings.Contains(h, "."); {
		if !mail && registry.Hosting(h) {
			return 0, false
		}
		if i, ok := n.domains[h]; ok {
			return i, true
		}
		_, h, _ = strings.Cut(h, ".")
	}
	return 0, false
}
