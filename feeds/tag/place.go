package tag

import (
	"maps"
	"slices"
	"strings"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// A place is a country, state or city whose name was found in a text.
type place struct {
	country feeds.Country
	kind    registry.PlaceKind // "" for a country's own name
	also    []feeds.Country
}

// gazetteer finds countries, states and cities.
type gazetteer struct {
	find *matcher
	all  []place
}

func newGazetteer() *gazetteer {
	g := &gazetteer{find: newMatcher(false, 8192)}
	add := func(name string, p place) {
		id, ok := g.find.add(name, uint32(len(g.all)))
		if ok && int(id) == len(g.all) {
			g.all = append(g.all, p)
		}
	}
	// In order of name, so that two names that fold to one always fold to the same.
	places, countries := maps.Collect(registry.Places), maps.Collect(registry.CountryNames)
	for _, name := range slices.Sorted(maps.Keys(places)) {
		if p := places[name]; p.Kind != registry.City {
			add(name, place{p.Country, p.Kind, p.Also})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(countries)) {
		c := countries[name]
		if c == feeds.Nowhere || c == feeds.International || len(name) <= 3 && isASCII(name) && !shortNames[name] {
			continue
		}
		add(name, place{country: c})
		add(strings.ReplaceAll(name, " s ", " "), place{country: c}) // the registry folds "People's" to two words
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		p := places[name]
		add(name, place{p.Country, p.Kind, p.Also})
	}
	for _, x := range typeset {
		add(x.name, place{country: x.country})
	}
	return g
}

// typeset are names of countries as papers print them: with dots, or as capitals in
// a name ("Research US").
var typeset = []struct {
	name    string
	country feeds.Country
}{
	{"U.S.", "US"},
	{"U.S.A.", "US"},
	{"US", "US"},
	{"U.K.", "GB"},
	{"UK", "GB"},
	{"P.R. China", "CN"},
	{"PR China", "CN"},
	{"S. Korea", "KR"},
	{"R. Korea", "KR"},
	{"U.A.E.", "AE"},
	{"R.O.C.", "TW"},
	{"Hong Kong S.A.R.", "HK"},
	{"America", "US"},
	{"North America", "US"},
}

// Names of countries with three letters that are names, not ISO codes: "and", "can"
// and "are" are codes.
var shortNames = map[string]bool{"usa": true, "uae": true, "prc": true, "roc": true, "ksa": true, "drc": true}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Demonyms stand in the names of national institutions. "American", "English" and
// "Arab" are left out: universities abroad carry them.
var demonyms = map[string]feeds.Country{
	"indian": "IN", "chinese": "CN", "korean": "KR", "japanese": "JP", "german": "DE", "deutsches": "DE", "french": "FR", "italian": "IT", "swiss": "CH",
	"swedish": "SE", "norwegian": "NO", "danish": "DK", "finnish": "FI", "dutch": "NL", "polish": "PL", "czech": "CZ", "hungarian": "HU", "russian": "RU",
	"ukrainian": "UA", "turkish": "TR", "iranian": "IR", "israeli": "IL", "egyptian": "EG", "australian": "AU", "canadian": "CA", "brazilian": "BR",
	"mexican": "MX", "vietnamese": "VN", "vietnam": "VN", "thai": "TH", "malaysian": "MY", "indonesian": "ID", "pakistani": "PK", "bangladesh": "BD",
	"austrian": "AT", "belgian": "BE", "irish": "IE", "british": "GB", "scottish": "GB", "spanish": "ES", "portuguese": "PT", "greek": "GR",
	"hellenic": "GR", "romanian": "RO", "bulgarian": "BG", "serbian": "RS", "croatian": "HR", "slovak": "SK", "slovenian": "SI", "estonian": "EE",
	"latvian": "LV", "lithuanian": "LT", "icelandic": "IS", "luxembourg": "LU", "argentine": "AR", "chilean": "CL", "colombian": "CO", "taiwanese": "TW",
	"singaporean": "SG", "kazakh": "KZ", "saudi": "SA", "emirati": "AE", "moroccan": "MA", "tunisian": "TN", "algerian": "DZ", "nigerian": "NG",
	"kenyan": "KE", "ethiopian": "ET", "zealand": "NZ", "qatari": "QA", "cypriot": "CY", "armenian": "AM", "azerbaijani": "AZ",
}

// Words that make an institution of a demonym: "Indian Institute of …".
var institutionWords = []string{
	"institute", "institution", "academy", "center", "centre", "national", "research", "agency", "university", "council", "aerospace", "laboratory", "school",
	"ministry", "society", "academies", "institutes", "statistical", "technical", "naval", "defense", "defence", "air", "space", "federal", "medical", "federation",
}

// A form is a phrase that occurs in the names of organizations of one country
// only, nearly.
type form struct {
	phrase  string
	country feeds.Country
}

// legalForms are forms of companies.
var legalForms = []form{
	{"private limited", "IN"}, // https://www.mca.gov.in/MinistryV2/companyregistration.html
	{"pvt ltd", "IN"},
	{"pvt", "IN"},
	{"pty ltd", "AU"}, // https://asic.gov.au/for-business/registering-a-company/
	{"gmbh", "DE"},    // https://www.gesetze-im-internet.de/gmbhg/
	{"gesellschaft", "DE"},
	{"s p a", "IT"}, // https://www.normattiva.it/uri-res/N2Ls?urn:nir:stato:regio.decreto:1942-03-16;262
	{"s r l", "IT"},
	{"sp z o o", "PL"},
	{"b v", "NL"},
	{"oy", "FI"},
	{"sarl", "FR"},
	{"kabushiki kaisha", "JP"},
	{"llc", "US"},
}

// nationalForms are words of institutions.
var nationalForms = []form{
	{"key laboratory", "CN"}, // https://en.wikipedia.org/wiki/State_Key_Laboratories
	{"key laboratories", "CN"},
	{"key lab", "CN"},
	{"collaborative innovation center", "CN"},
	{"academician", "CN"},
	{"universita degli studi", "IT"},
	{"politecnico", "IT"},
	{"universite de", "FR"},
	{"cnrs", "FR"},
	{"inserm", "FR"},
	{"umr", "FR"},
	{"fraunhofer", "DE"},
	{"max planck", "DE"},
	{"helmholtz", "DE"},
	{"leibniz", "DE"},
	{"iit", "IN"},
	{"iiit", "IN"},
	{"nit", "IN"},
	{"vnu", "VN"},
	{"hochschule", "DE"},
	{"consiglio nazionale", "IT"},
	{"csic", "ES"},
	{"csiro", "AU"},
	{"nasa", "US"},
}

// Second-level domains and suffixes of the academic and national name space.
// Sources: https://www.iana.org/domains/root/db, https://net.educause.edu (.edu
// is open to institutions accredited in the United States only).
var genericTLD = map[string]bool{
	"com": true, "org": true, "net": true, "int": true, "info": true, "biz": true, "ai": true, "io": true, "co": true, "me": true, "tv": true, "cc": true,
	"ly": true, "gg": true, "to": true, "sh": true, "fm": true, "am": true, "app": true, "dev": true, "xyz": true, "id": true, "la": true, "so": true, "ac": true, "eu": true, "su": true,
}

// domainCountry reads a country off a host's name: .edu, .gov and .mil are of the
// United States, a country's own domain is the country's. Country domains that
// are sold to the world as words (.ai, .io, .co, …) say nothing, except below
// their academic level ("uniandes.edu.co").
func domainCountry(host string) (feeds.Country, bool) {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	i := strings.LastIndexByte(host, '.')
	if i <= 0 {
		return "", false
	}
	tld, rest := host[i+1:], host[:i]
	switch tld {
	case "edu", "gov", "mil":
		return "US", true
	case "uk":
		return "GB", true
	}
	if len(tld) != 2 {
		return "", false
	}
	second := rest[strings.LastIndexByte(rest, '.')+1:]
	academic := second == "edu" || second == "ac" || second == "gov" || second == "go"
	if genericTLD[tld] && !academic {
		return "", false
	}
	c, ok := registry.ParseCountry(tld)
	return c, ok && c != feeds.Nowhere
}
