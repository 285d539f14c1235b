package registry

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"seedcorn/feeds"
)

// TestEmbedded runs the linter over the compiled-in data.
func TestEmbedded(t *testing.T) {
	files := fstest.MapFS{}
	for _, f := range embedded() {
		files[f.name] = &fstest.MapFile{Data: []byte(f.text)}
	}
	r, faults := Load(files)
	for _, f := range faults {
		t.Error(f)
	}
	if got, want := len(r.Labs()), len(Default().Labs()); got != want {
		t.Errorf("Load finds %d labs, Default %d", got, want)
	}
}

// TestCounts holds the size of the data to what the project promises.
func TestCounts(t *testing.T) {
	r := Default()
	kinds := make(map[feeds.LabKind]int)
	homes := make(map[feeds.Country]bool)
	for _, l := range r.Labs() {
		kinds[l.Kind]++
		homes[l.At(l.Seats[len(l.Seats)-1].From).Home] = true
	}
	read, texts := 0, 0
	for _, l := range r.Licenses() {
		if l.Read {
			read++
		}
		if l.Text != "" {
			texts++
		}
	}
	cities := 0
	for _, p := range Places {
		if p.Kind == City {
			cities++
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"labs", len(r.Labs()), 1000},
		{"countries with a lab", len(homes), 50},
		{"companies", kinds[feeds.Company], 300},
		{"universities", kinds[feeds.University], 300},
		{"state labs", kinds[feeds.StateLab], 50},
		{"nonprofits", kinds[feeds.Nonprofit], 50},
		{"collectives", kinds[feeds.Collective], 10},
		{"licenses", len(r.Licenses()), 150},
		{"licenses read", read, 25},
		{"licenses known by text", texts, 100},
		{"countries", len(r.Countries()), 249},
		{"cities", cities, 500},
	} {
		t.Logf("%5d %s", c.got, c.what)
		if c.got < c.want {
			t.Errorf("%s: %d, want at least %d", c.what, c.got, c.want)
		}
	}
}

// TestTables checks what the linter does not: the files beside labs and licenses.
func TestTables(t *testing.T) {
	for _, file := range []struct {
		name, text string
		fields     int
	}{{"countries.txt", countriesText, 4}, {"places.txt", placesText, 3}} {
		n := 0
		for line := range strings.Lines(file.text) {
			n++
			line = strings.TrimRight(line, "\n")
			if line == "" || line[0] == '#' {
				continue
			}
			if got := strings.Count(line, "\t") + 1; got != file.fields {
				t.Errorf("%s:%d: %d fields, want %d", file.name, n, got, file.fields)
			}
		}
	}
	if !slices.IsSorted(Countries()) {
		t.Error("countries are not sorted")
	}
	for name, p := range Places {
		if !slices.Contains([]PlaceKind{Nation, State, StateAbb, City}, p.Kind) {
			t.Errorf("place %q: bad kind %q", name, p.Kind)
		}
		for _, c := range append([]feeds.Country{p.Country}, p.Also...) {
			if !KnownCountry(c) || c == feeds.Nowhere {
				t.Errorf("place %q: unknown country %q", name, c)
			}
		}
	}
	for _, r := range RollUps() {
		for _, c := range r.Members {
			if _, ok := countries().byCode[c]; !ok {
				t.Errorf("roll-up %s: unknown country %q", r.Name, c)
			}
		}
	}
	if eu, _ := ParseRollUp("eu-27"); len(eu.Members) != 27 {
		t.Errorf("EU has %d members", len(eu.Members))
	}
	if len(spdxTable()) < 700 {
		t.Errorf("%d SPDX ids", len(spdxTable()))
	}
}

// TestNoMachine guards against paths and hosts of one machine in the data.
func TestNoMachine(t *testing.T) {
	for _, f := range embedded() {
		for _, bad := range []string{"/work/", "/tmp/", "localhost", "../shared", "127.0.0.1"} {
			if i := strings.Index(f.text, bad); i >= 0 {
				t.Errorf("%s holds %q near %q", f.name, bad, f.text[max(0, i-30):min(len(f.text), i+30)])
			}
		}
	}
}

// TestAmbiguousWords: names that are also words must never stand alone.
func TestAmbiguousWords(t *testing.T) {
	for _, name := range strings.Split("Meta Apple Mistral Together Nous Cohere Amazon Stability Runway Character Inflection Adept Magic Liquid "+
		"Essential Reka Writer Sea LINE Grab Unity Block Figure Ideogram Pika Poolside Snowflake Luma Suno Arc MIT Target Intel Oracle Orange Snap", " ") {
		labs := Default().Find(name)
		if len(labs) == 0 {
			t.Errorf("%q is not in the registry", name)
		}
		for _, l := range labs {
			if !slices.ContainsFunc(l.Ambiguous, func(a string) bool { return Fold(a) == Fold(name) }) {
				t.Errorf("%s: %q is not marked ambiguous", l.ID, name)
			}
		}
	}
}

func BenchmarkDefault(b *testing.B) {
	n := 0
	for _, f := range embedded() {
		n += len(f.text)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		p := parser{labs: make([]feeds.Lab, 0, 4096), licenses: make([]feeds.License, 0, 512)}
		for _, f := range embedded() {
			p.file(f.name, f.text)
		}
		build(p, dataVersion)
	}
}

func BenchmarkCountryNames(b *testing.B) {
	b.ReportAllocs()
	names := make([]string, 0, 5000)
	for _, c := range countries().all {
		names = append(names, list(c.names)...)
	}
	for b.Loop() {
		for _, n := range names {
			foldCountry(n)
		}
	}
}
