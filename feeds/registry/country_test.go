package registry

import (
	"testing"

	"seedcorn/feeds"
)

func TestParseCountry(t *testing.T) {
	for in, want := range map[string]feeds.Country{
		"US": "US", "us": "US", "USA": "US", "U.S.A.": "US", "U.S.": "US", "United States of America": "US", "the United States": "US",
		"GB": "GB", "UK": "GB", "U.K.": "GB", "Great Britain": "GB", "Scotland": "GB", "GBR": "GB",
		"South Korea": "KR", "Republic of Korea": "KR", "Korea, Republic of": "KR", "Korea": "KR", "KOR": "KR", "대한민국": "KR", "韩国": "KR", "Corée du Sud": "KR", "Südkorea": "KR",
		"North Korea": "KP", "DPRK": "KP",
		"China": "CN", "PRC": "CN", "P. R. China": "CN", "P.R.China": "CN", "PR China": "CN", "People's Republic of China": "CN", "中国": "CN", "中國": "CN", "Chine": "CN", "Китай": "CN", "الصين": "CN", "중국": "CN",
		"Hong Kong": "HK", "Hong Kong SAR": "HK", "Hong Kong SAR, China": "HK", "香港": "HK", "Macau": "MO",
		"Taiwan": "TW", "Taiwan, R.O.C.": "TW", "ROC": "TW", "台灣": "TW",
		"Viet Nam": "VN", "Vietnam": "VN", "Việt Nam": "VN",
		"Russia": "RU", "Russian Federation": "RU", "Россия": "RU",
		"The Netherlands": "NL", "Netherlands": "NL", "Holland": "NL", "Nederland": "NL", "Pays-Bas": "NL",
		"Germany": "DE", "Deutschland": "DE", "Allemagne": "DE", "DEU": "DE", "ドイツ": "DE", "德国": "DE",
		"Türkiye": "TR", "Turkey": "TR", "Turkiye": "TR", "Czech Republic": "CZ", "Czechia": "CZ", "Česko": "CZ",
		"Côte d'Ivoire": "CI", "Ivory Coast": "CI", "Cote d'Ivoire": "CI",
		"UAE": "AE", "U.A.E.": "AE", "United Arab Emirates": "AE", "KSA": "SA", "Iran, Islamic Republic of": "IR",
		"日本": "JP", "Japón": "JP", "Nippon": "JP", "Brasil": "BR", "España": "ES", "Österreich": "AT", "Suisse": "CH", "Schweiz": "CH", "Svizzera": "CH",
		"Bosnia & Herzegovina": "BA", "Bosnia and Herzegovina": "BA", "Trinidad and Tobago": "TT", "Eswatini": "SZ", "Swaziland": "SZ",
		"North Macedonia": "MK", "Kosovo": "XK", "Georgia": "GE", " France ": "FR", "FRANCE": "FR", "frança": "FR",
		"Niger": "NE", "Nigeria": "NG", "Guinea": "GN", "Guinea-Bissau": "GW", "Congo": "CG", "DRC": "CD", "Dominica": "DM", "Dominican Republic": "DO",
		"XX": feeds.Nowhere, "intl": feeds.International, "unknown": feeds.Nowhere,
	} {
		if got, ok := ParseCountry(in); got != want || !ok {
			t.Errorf("ParseCountry(%q) = %q, %t; want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "ZZ", "EU", "Europe", "Atlantis", "California", "Zurich", "United", "..", "Republic of", "X"} {
		if got, ok := ParseCountry(in); ok {
			t.Errorf("ParseCountry(%q) = %q, want none", in, got)
		}
	}
}

// TestCountryRoundTrip: code, alpha-3, English name and every other name of a
// country lead back to it.
func TestCountryRoundTrip(t *testing.T) {
	shared := map[string]bool{}
	for _, c := range countries().all {
		for _, s := range []string{string(c.code), c.iso3, c.name} {
			if got, ok := ParseCountry(s); got != c.code || !ok {
				t.Errorf("%q of %s leads to %q", s, c.code, got)
			}
		}
		for _, n := range list(c.names) {
			if got, ok := ParseCountry(n); n != "" && (got != c.code || !ok) {
				shared[n+" ("+string(c.code)+", "+string(got)+")"] = true
			}
		}
	}
	for n := range shared {
		t.Errorf("a name of two countries: %s", n)
	}
}

func TestCountryName(t *testing.T) {
	for c, want := range map[feeds.Country][2]string{
		"FR":                {"France", "🇫🇷"},
		"HK":                {"Hong Kong", "🇭🇰"},
		"TR":                {"Türkiye", "🇹🇷"},
		feeds.Nowhere:       {"unknown", "🏳️"},
		feeds.International: {"international", "🌐"},
		"":                  {"unknown", "🏳️"},
		"QQ":                {"QQ", "🏳️"},
	} {
		if got := [2]string{CountryName(c), CountryFlag(c)}; got != want {
			t.Errorf("%q: %q, want %q", c, got, want)
		}
	}
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		name      string
		country   feeds.Country
		kind      PlaceKind
		ambiguous bool
	}{
		{"California", "US", State, false},
		{"CA", "US", StateAbb, true},
		{"MA", "US", StateAbb, true},
		{"NY", "US", StateAbb, false},
		{"Georgia", "US", State, true},
		{"Ontario", "CA", State, false},
		{"Scotland", "GB", Nation, false},
		{"Zhejiang", "CN", State, false},
		{"Cambridge", "GB", City, true},
		{"London", "GB", City, true},
		{"Birmingham", "GB", City, true},
		{"Hyderabad", "IN", City, true},
		{"Valencia", "ES", City, true},
		{"München", "DE", City, false},
		{"munchen", "DE", City, false},
		{"Tuebingen", "DE", City, false},
		{"Pittsburgh", "US", City, false},
		{"Hangzhou", "CN", City, false},
		{"北京", "CN", City, false},
		{"서울", "KR", City, false},
		{"Thuwal", "SA", City, false},
		{"Palaiseau", "FR", City, false},
	} {
		p, ok := Default().Place(c.name)
		if !ok || p.Country != c.country || p.Kind != c.kind || p.Ambiguous() != c.ambiguous {
			t.Errorf("Place(%q) = %+v, %t", c.name, p, ok)
		}
	}
	if p, ok := PlaceNamed("Nowhere-on-Sea"); ok {
		t.Errorf("Place finds %+v", p)
	}
}

func FuzzParseCountry(f *testing.F) {
	for _, s := range []string{"", "U.S.A.", "the the", "中国", "\xff", "I.N.D.I.A.", "a b c d e f", "Côte d’Ivoire"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := ParseCountry(s)
		if ok && !KnownCountry(c) || !ok && c != "" {
			t.Errorf("ParseCountry(%q) = %q, %t", s, c, ok)
		}
		if p, ok := PlaceNamed(s); ok && !KnownCountry(p.Country) {
			t.Errorf("Place(%q) = %+v", s, p)
		}
		if k := Fold(s); Fold(k) != Fold(Fold(k)) {
			t.Errorf("folding %q does not settle", k)
		}
	})
}
