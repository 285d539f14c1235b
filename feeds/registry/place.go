package registry

import (
	_ "embed" // places.txt
	"strings"
	"sync"

	"seedcorn/feeds"
)

// places.txt holds what stands beside or instead of a country at the end of an
// affiliation; the file says where it is from.
//
//go:embed data/places.txt
var placesText string

// PlaceKind says what sort of place a name is.
type PlaceKind string

// The kinds of place.
const (
	Nation   PlaceKind = "nation"   // a part of a state with its own name: Scotland
	State    PlaceKind = "state"    // a state or province by name: California, Zhejiang
	StateAbb PlaceKind = "state-ab" // its postal abbreviation: CA, ON; collides with country codes and words
	City     PlaceKind = "city"
)

// A Place is a state, province or city and the country it most likely means.
type Place struct {
	Name    string
	Country feeds.Country
	Kind    PlaceKind
	// Also are the other countries in which a place of that name is likely meant:
	// a Cambridge is in GB or US, a London in GB or CA. Where it is not empty the
	// name alone proves nothing.
	Also []feeds.Country
}

// Ambiguous reports whether the name also means a place in another country.
func (p Place) Ambiguous() bool { return len(p.Also) > 0 }

var places = sync.OnceValue(func() map[string]Place {
	m := make(map[string]Place, 2048)
	for line := range strings.Lines(placesText) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		// country, kind, names separated by " | "; a name may be followed by
		// /CC/CC, the other countries it may mean.
		f := strings.SplitN(line, "\t", 3)
		if len(f) != 3 {
			continue // a test counts them
		}
		for _, name := range list(f[2]) {
			p := Place{Country: feeds.Country(f[0]), Kind: PlaceKind(f[1])}
			parts := strings.Split(name, "/")
			p.Name = strings.TrimSpace(parts[0])
			for _, c := range parts[1:] {
				p.Also = append(p.Also, feeds.Country(strings.TrimSpace(c)))
			}
			k := Fold(p.Name)
			if old, taken := m[k]; taken {
				if old.Country != p.Country { // listed twice: each is the other's doubt
					old.Also = append(old.Also, p.Country)
					m[k] = old
				}
				continue
			}
			m[k] = p
		}
	}
	return m
})

// PlaceNamed returns the state, province or city with the given name or postal
// abbreviation, after [Fold].
func PlaceNamed(name string) (Place, bool) {
	if len(name) > 200 {
		return Place{}, false
	}
	p, ok := places()[Fold(name)]
	return p, ok
}

// Place is [PlaceNamed], for those who hold a registry.
func (r *Registry) Place(name string) (Place, bool) { return PlaceNamed(name) }

// Places calls yield with every folded name and its place: the material of a
// matcher.
func Places(yield func(folded string, p Place) bool) {
	for k, p := range places() {
		if !yield(k, p) {
			return
		}
	}
}
