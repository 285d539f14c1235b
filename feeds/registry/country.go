package registry

import (
	_ "embed" // countries.txt
	"slices"
	"strings"
	"sync"

	"seedcorn/feeds"
)

// countries.txt holds ISO 3166-1 with alpha-2, alpha-3, an English short name and
// the names in use elsewhere; the file says where they are from.
//
//go:embed data/countries.txt
var countriesText string

type country struct {
	code  feeds.Country
	iso3  string
	name  string
	names string // separated by " | ", split when the index of names is built
}

// countries is parsed at first use: 250 lines.
var countries = sync.OnceValue(func() (t struct {
	all    []country
	byCode map[feeds.Country]int
},
) {
	t.byCode = make(map[feeds.Country]int, 256)
	for line := range strings.Lines(countriesText) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, "\t", 4)
		if len(f) != 4 {
			continue // a test counts them
		}
		t.byCode[feeds.Country(f[0])] = len(t.all)
		t.all = append(t.all, country{feeds.Country(f[0]), f[1], f[2], f[3]})
	}
	return t
})

// countryNames maps folded names and alpha-3 codes to codes.
var countryNames = sync.OnceValue(func() map[string]feeds.Country {
	m := make(map[string]feeds.Country, 5000)
	add := func(name string, c feeds.Country) {
		if k := foldCountry(name); k != "" {
			if _, taken := m[k]; !taken {
				m[k] = c
			}
		}
	}
	all := countries().all
	for _, c := range all { // English before the rest
		add(c.name, c.code)
	}
	for _, c := range all {
		add(c.iso3, c.code)
		for name := range strings.SplitSeq(c.names, "|") {
			add(name, c.code)
		}
	}
	add("international", feeds.International)
	add("unknown", feeds.Nowhere)
	return m
})

// foldCountry is [Fold] without an article and with the dots of abbreviations
// closed up: "U.S.A." is "usa", "The Netherlands" is "netherlands".
func foldCountry(s string) string {
	k := Fold(s)
	k = strings.TrimPrefix(k, "the ")
	if len(k) <= 9 && strings.Contains(k, " ") {
		short := true
		for w := range strings.SplitSeq(k, " ") {
			short = short && len(w) == 1
		}
		if short {
			k = strings.ReplaceAll(k, " ", "")
		}
	}
	return strings.ReplaceAll(k, " and ", " ")
}

// Countries returns every code of ISO 3166-1 alpha-2, and XK, in use for Kosovo
// by the European Union (https://ec.europa.eu/eurostat/statistics-explained/index.php?title=Glossary:Country_codes),
// sorted.
func Countries() []feeds.Country {
	all := countries().all
	out := make([]feeds.Country, len(all))
	for i, c := range all {
		out[i] = c.code
	}
	return out
}

// Countries is [Countries], for those who hold a registry.
func (r *Registry) Countries() []feeds.Country { return Countries() }

// KnownCountry reports whether c is a country's code, [feeds.Nowhere] or
// [feeds.International].
func KnownCountry(c feeds.Country) bool {
	if c == feeds.Nowhere || c == feeds.International {
		return true
	}
	_, ok := countries().byCode[c]
	return ok
}

// CountryName returns the English short name; "unknown" for XX, "international"
// for INTL, and the code itself for what is no code.
func CountryName(c feeds.Country) string {
	switch c {
	case feeds.Nowhere, "":
		return "unknown"
	case feeds.International:
		return "international"
	}
	t := countries()
	if i, ok := t.byCode[c]; ok {
		return t.all[i].name
	}
	return string(c)
}

// CountryName is [CountryName], for those who hold a registry.
func (r *Registry) CountryName(c feeds.Country) string { return CountryName(c) }

// CountryFlag returns the flag's emoji, two regional indicator symbols
// (https://unicode.org/reports/tr51/#Flags); a globe for INTL and a white flag
// for XX and for what is no code.
func CountryFlag(c feeds.Country) string {
	if c == feeds.International {
		return "🌐"
	}
	if _, ok := countries().byCode[c]; !ok {
		return "🏳️"
	}
	const a = 0x1F1E6 // regional indicator symbol letter A
	return string([]rune{a + rune(c[0]-'A'), a + rune(c[1]-'A')})
}

// CountryFlag is [CountryFlag], for those who hold a registry.
func (r *Registry) CountryFlag(c feeds.Country) string { return CountryFlag(c) }

// ParseCountry reads a country as people write it: ISO alpha-2 or alpha-3 in any
// case, the English name and its variants ("UK", "Viet Nam", "P. R. China",
// "Republic of Korea"), the names in French, German, Spanish, Portuguese, Italian,
// Russian, Chinese, Japanese, Korean and Arabic, and the country's own. It knows
// nothing of context: "Georgia" is the country, and "in" is India, so text of
// strangers should go through it only where a country is expected. Parts of the
// United Kingdom are GB (see [PlaceNamed] for states and cities).
func ParseCountry(nameOrCode string) (feeds.Country, bool) {
	s := strings.TrimSpace(nameOrCode)
	if len(s) > 200 { // the longest name in the table has 60 bytes
		return "", false
	}
	switch up := feeds.Country(strings.ToUpper(s)); {
	case up == feeds.International, up == feeds.Nowhere:
		return up, true
	case len(up) == 2:
		if _, ok := countries().byCode[up]; ok {
			return up, true
		}
	}
	c, ok := countryNames()[foldCountry(s)]
	return c, ok
}

// ParseCountry is [ParseCountry], for those who hold a registry.
func (r *Registry) ParseCountry(nameOrCode string) (feeds.Country, bool) {
	return ParseCountry(nameOrCode)
}

// CountryNames calls yield with every folded name in the table and its country,
// alpha-3 codes among them, alpha-2 codes not: the material of a matcher.
func CountryNames(yield func(folded string, c feeds.Country) bool) {
	for k, c := range countryNames() {
		if !yield(k, c) {
			return
		}
	}
}

// A RollUp is a named view that counts several countries as one. Its name is
// printed wherever it is used; the facts stay per country.
type RollUp struct {
	Name    string
	Title   string
	Members []feeds.Country
	Source  string
}

// RollUps returns the named views, sorted by name.
func RollUps() []RollUp {
	return []RollUp{
		{"ASEAN", "ASEAN", codes("BN ID KH LA MM MY PH SG TH TL VN"), "https://asean.org/member-states/"},
		{"CN+HK", "China with Hong Kong", codes("CN HK"), "https://www.iso.org/obp/ui/#iso:code:3166:HK"},
		{"CN+HK+MO", "China with Hong Kong and Macao", codes("CN HK MO"), "https://www.iso.org/obp/ui/#iso:code:3166:MO"},
		{
			"EU", "European Union (27)", codes("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"),
			"https://european-union.europa.eu/principles-countries-history/eu-countries_en",
		},
		{"NORDIC", "Nordic countries", codes("DK FI FO GL IS NO SE AX"), "https://www.norden.org/en/information/facts-about-nordic-countries"},
	}
}

func codes(s string) []feeds.Country {
	var out []feeds.Country
	for c := range strings.FieldsSeq(s) {
		out = append(out, feeds.Country(c))
	}
	slices.Sort(out)
	return out
}

// ParseRollUp returns the roll-up with the given name, in any case; "EU-27" and
// "EU27" are EU.
func ParseRollUp(name string) (RollUp, bool) {
	up := strings.ToUpper(strings.TrimSpace(name))
	if up == "EU-27" || up == "EU27" {
		up = "EU"
	}
	for _, r := range RollUps() {
		if r.Name == up {
			return r, true
		}
	}
	return RollUp{}, false
}
