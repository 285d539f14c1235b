package registry

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// good is a small registry without faults; each test breaks one thing in it.
const (
	goodLabs = `# two labs
acme: Acme
	kind: company
	seat: FR
	alias: Acme Research | 艾克米
	ambiguous: Peak
	domain: acme.example.com
	hf: acme
	gh: acme
	source: https://acme.example.com/about

acme-lab: Acme Lab
	kind: university
	parent: acme
	seat: FR ..2020-05
	seat: DE/FR 2020-05.. https://acme.example.com/move
	ambiguous: Peak
	source: https://acme.example.com/lab
`
	goodLicenses = `MIT: MIT License
	class: open-weights
	osi: yes
	alias: Expat
	source: https://spdx.org/licenses/MIT.html

LicenseRef-Acme: Acme License
	class: restricted
	flags: nc
	source: https://acme.example.com/license
	note: not for sale
`
)

// TestFaults breaks the good registry in every way that the linter knows.
func TestFaults(t *testing.T) {
	lab := func(old, repl string) (string, string) { return strings.Replace(goodLabs, old, repl, 1), goodLicenses }
	lic := func(old, repl string) (string, string) { return goodLabs, strings.Replace(goodLicenses, old, repl, 1) }
	for _, c := range []struct {
		name      string
		kind      func(old, repl string) (string, string)
		old, repl string
		want      string // "file:line: id: what" of each fault, one a line
	}{
		{"nothing", lab, "", "", ""},
		{"duplicate id", lab, "acme-lab:", "acme:", "labs.txt:12: acme: id already used by \"Acme\"\nlabs.txt:14: acme: cycle: \"acme\" is among its own parents"},
		{"alias claimed by two", lab, "parent: acme\n", "parent: acme\n\talias: ACME research\n", `labs.txt:15: acme-lab: name "ACME research" is also claimed by "acme"`},
		{"name that the other marks ambiguous", lab, "\tambiguous: Peak\n\tdomain", "\talias: Peak\n\tdomain", `labs.txt:17: acme-lab: name "Peak" is also claimed by "acme"`},
		{"handle claimed twice", lab, "parent: acme\n", "parent: acme\n\thf: ACME\n", `labs.txt:15: acme-lab: huggingface handle "ACME" is also claimed by "acme"`},
		{"other handle claimed twice", lab, "parent: acme\n", "parent: acme\n\tgh: Acme\n", `labs.txt:15: acme-lab: github handle "Acme" is also claimed by "acme"`},
		{"handle as URL", lab, "hf: acme", "hf: https://huggingface.co/acme", `labs.txt:8: acme: bad huggingface handle "https://huggingface.co/acme"`},
		{"domain claimed twice", lab, "parent: acme\n", "parent: acme\n\tdomain: acme.example.com\n", `labs.txt:15: acme-lab: domain "acme.example.com" is also claimed by "acme"`},
		{"domain with a path", lab, "domain: acme.example.com", "domain: acme.example.com/lab", `labs.txt:7: acme: bad domain "acme.example.com/lab"`},
		{"domain without a dot", lab, "domain: acme.example.com", "domain: acme", `labs.txt:7: acme: bad domain "acme"`},
		{"public suffix", lab, "domain: acme.example.com", "domain: ac.uk", `labs.txt:7: acme: domain "ac.uk" is a public suffix`},
		{"host of strangers", lab, "domain: acme.example.com", "domain: medium.com", `labs.txt:7: acme: domain "medium.com" hosts pages of strangers`},
		{"another's hub", lab, "domain: acme.example.com", "domain: huggingface.co", `labs.txt:7: acme: domain "huggingface.co" hosts pages of strangers`},
		{"unknown country", lab, "seat: FR\n", "seat: UK\n", "labs.txt:4: acme: unknown country code \"UK\"\nlabs.txt:4: acme: unknown country code \"UK\""},
		{"unknown origin", lab, "seat: FR\n", "seat: FR\n\torigin: ZZ\n", `labs.txt:5: acme: unknown country code "ZZ"`},
		{"unknown parent", lab, "parent: acme\n", "parent: nobody\n", `labs.txt:14: acme-lab: unknown parent "nobody"`},
		{"cycle", lab, "seat: FR\n", "parent: acme-lab\n\tseat: FR\n", "labs.txt:4: acme: cycle: \"acme\" is among its own parents\nlabs.txt:15: acme-lab: cycle: \"acme-lab\" is among its own parents"},
		{"overlapping seats", lab, "seat: FR ..2020-05\n", "seat: FR ..2021\n", "labs.txt:16: acme-lab: seats overlap"},
		{"seat without end before another", lab, "seat: FR ..2020-05\n", "seat: FR\n", "labs.txt:16: acme-lab: seats overlap"},
		{"unordered seats", lab, "DE/FR 2020-05..", "DE/FR ..2019", "labs.txt:16: acme-lab: seats are not in order of time"},
		{"seat that ends before it begins", lab, "DE/FR 2020-05..", "DE/FR 2020-05..2020-04", "labs.txt:16: acme-lab: seat ends before it begins"},
		{"seat with a bad date", lab, "DE/FR 2020-05..", "DE/FR May..", "labs.txt:16: acme-lab: seat \"DE/FR May.. https://acme.example.com/move\": date May"},
		{"seat with words", lab, "seat: FR\n", "seat: FR since ever\n", "labs.txt:4: acme: no seat\nlabs.txt:4: acme: seat \"FR since ever\": what is since?"},
		{"seat with a bad URL", lab, "https://acme.example.com/move", "file://move", "labs.txt:16: acme-lab: invalid URL \"file://move\""},
		{"no seat", lab, "\tseat: FR\n", "", "labs.txt:2: acme: no seat"},
		{"missing source", lab, "\tsource: https://acme.example.com/lab\n", "", "labs.txt:12: acme-lab: source is missing"},
		{"invalid source", lab, "https://acme.example.com/lab", "acme.example.com/lab", `labs.txt:18: acme-lab: invalid URL "acme.example.com/lab"`},
		{"bad kind", lab, "kind: university", "kind: school", `labs.txt:13: acme-lab: bad kind "school"`},
		{"no kind", lab, "\tkind: university\n", "", `labs.txt:12: acme-lab: bad kind ""`},
		{"alias without letters", lab, "艾克米", "---", `labs.txt:5: acme: alias "---" has no letter or digit`},
		{"unknown field", lab, "\tkind: university", "\tcolour: red\n\tkind: university", `labs.txt:13: acme-lab: unknown field "colour" of a lab`},
		{"field without value", lab, "kind: university", "kind:", "labs.txt:13: acme-lab: a field without value: \tkind:\nlabs.txt:12: acme-lab: bad kind \"\""},
		{"record without a name", lab, "acme-lab: Acme Lab", "acme-lab", "labs.txt:12: acme-lab: not a record: acme-lab"},
		{"record with a bad id", lab, "acme-lab: Acme Lab", "acme lab: Acme Lab", "labs.txt:12: acme lab: not a record: acme lab: Acme Lab"},
		{"field before any record", lab, "# two labs", "\tkind: company", "labs.txt:1: a field before any record: \tkind: company"},

		{"duplicate license", lic, "LicenseRef-Acme:", "mit:", "licenses.txt:7: mit: id already used by \"MIT License\""},
		{"alias of two licenses", lic, "flags: nc", "flags: nc\n\talias: expat license", `licenses.txt:10: LicenseRef-Acme: alias "expat license" is also claimed by "MIT"`},
		{"unknown SPDX id", lic, "LicenseRef-Acme:", "Acme-1.0:", `licenses.txt:7: Acme-1.0: unknown SPDX id "Acme-1.0"`},
		{"restricted without a flag", lic, "\tflags: nc\n", "", "licenses.txt:7: LicenseRef-Acme: class restricted without a flag that says why"},
		{"open with a condition", lic, "osi: yes\n", "osi: yes\n\tflags: field\n", `licenses.txt:4: MIT: class open-weights contradicts flag "field"`},
		{"open but who approved it?", lic, "class: restricted\n\tflags: nc\n", "class: open-weights\n", "licenses.txt:7: LicenseRef-Acme: open but neither OSI-approved nor flagged not-osi"},
		{"OSI and not", lic, "osi: yes\n", "osi: yes\n\tflags: not-osi\n", "licenses.txt:4: MIT: OSI-approved and flagged not-osi"},
		{"OSI against the list", lic, "osi: yes\n", "flags: not-osi\n", "licenses.txt:1: MIT: osi is false, the SPDX License List says true"},
		{"OSI but restricted", lic, "flags: nc", "flags: nc\n\tosi: yes", "licenses.txt:10: LicenseRef-Acme: OSI-approved but not open"},
		{"OSI but unknown", lic, "class: restricted\n\tflags: nc\n", "class: unknown\n\tosi: yes\n", "licenses.txt:9: LicenseRef-Acme: OSI-approved but of unknown class"},
		{"open source is no license", lic, "class: open-weights", "class: open-source", "licenses.txt:2: MIT: class open-source is for works, not licenses"},
		{"closed without a flag", lic, "class: restricted\n\tflags: nc\n", "class: closed\n", "licenses.txt:7: LicenseRef-Acme: class closed without a flag that says why"},
		{"unknown flag", lic, "flags: nc", "flags: nc | evil", `licenses.txt:9: LicenseRef-Acme: flag "evil" is not one a license can have`},
		{"unknown class", lic, "class: restricted", "class: free", "licenses.txt:8: LicenseRef-Acme: unknown openness \"free\": want one of unknown, closed, restricted, open-weights, open-source"},
		{"osi maybe", lic, "osi: yes", "osi: perhaps", "licenses.txt:1: MIT: open but neither OSI-approved nor flagged not-osi\nlicenses.txt:3: MIT: osi is false, the SPDX License List says true\nlicenses.txt:3: MIT: osi is \"perhaps\""},
		{"bad hash", lic, "alias: Expat", "text: abc", "licenses.txt:4: MIT: text is not a SHA-256 in lower-case hexadecimal"},
		{"license without a source", lic, "\tsource: https://acme.example.com/license\n", "", "licenses.txt:7: LicenseRef-Acme: source is missing"},
		{"unknown field of a license", lic, "note:", "remark:", `licenses.txt:11: LicenseRef-Acme: unknown field "remark" of a license`},
	} {
		t.Run(c.name, func(t *testing.T) {
			labs, licenses := c.kind(c.old, c.repl)
			_, faults := Load(fstest.MapFS{"labs.txt": {Data: []byte(labs)}, "licenses.txt": {Data: []byte(licenses)}})
			var got []string
			for _, f := range faults {
				if f.Hint == "" {
					t.Errorf("no hint: %s", f)
				}
				f.Hint = ""
				got = append(got, f.String())
			}
			want := strings.Split(c.want, "\n")
			if c.want == "" {
				want = nil
			}
			less := func(s []string) map[string]int { // order within a file is by line, then by kind of fault
				m := make(map[string]int)
				for _, x := range s {
					m[x]++
				}
				return m
			}
			if d := cmp.Diff(less(want), less(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestAllAtOnce: many faults come back together, in the order of the file.
func TestAllAtOnce(t *testing.T) {
	labs := strings.NewReplacer("kind: company", "kind: shop", "seat: FR\n", "seat: ZZ\n", "parent: acme\n", "parent: gone\n").Replace(goodLabs)
	_, faults := Load(fstest.MapFS{"labs.txt": {Data: []byte(labs)}})
	var lines []int
	for _, f := range faults {
		lines = append(lines, f.Line)
	}
	if d := cmp.Diff([]int{3, 4, 4, 14}, lines); d != "" {
		t.Errorf("%s\n%v", d, faults)
	}
}

func TestCheckValues(t *testing.T) {
	faults := Check([]feeds.Lab{{ID: "a", Name: "A", Kind: feeds.Company, Seats: []feeds.Seat{{Home: "FR", Control: "FR"}}}}, nil)
	want := []Fault{{ID: "a", What: "source is missing", Hint: "give the public page that states it"}}
	if d := cmp.Diff(want, faults); d != "" {
		t.Error(d)
	}
}

func TestLoadNothing(t *testing.T) {
	if _, faults := Load(fstest.MapFS{}); len(faults) != 1 || !strings.Contains(faults[0].What, "no labs*.txt") {
		t.Errorf("an empty folder: %v", faults)
	}
	if _, faults := Load(nil); len(faults) != 1 || !strings.Contains(faults[0].What, "no folder") {
		t.Errorf("no folder: %v", faults)
	}
	if _, faults := Load(fstest.MapFS{"labs.txt": {Mode: 0o755 | 1<<31}}); len(faults) == 0 {
		t.Error("a folder named labs.txt is read as a file")
	}
}

// FuzzLoad: a stranger's file never panics, and the registry stays usable.
func FuzzLoad(f *testing.F) {
	f.Add(goodLabs, goodLicenses)
	f.Add("a: A\n\tseat: FR/ ..\n", "x: X\n\ttext: | |\n")
	f.Add("\t:\n:\n a: |\n", "\xff\xfe: \x00\n")
	f.Add("a: A\n\tparent: a\n\tseat:\tGB/US\t2014..2013 https://x\n", "a:b:c\n\tclass: ::\n")
	f.Fuzz(func(t *testing.T, labs, licenses string) {
		r, faults := Load(fstest.MapFS{"labs.txt": {Data: []byte(labs)}, "licenses.txt": {Data: []byte(licenses)}})
		for _, f := range faults {
			if f.What == "" || f.String() == "" {
				t.Errorf("a fault without words: %#v", f)
			}
		}
		for _, l := range r.Labs() {
			r.Find(l.Name)
			if _, ok := r.Lab(l.ID); !ok {
				t.Errorf("lab %q is listed and not found", l.ID)
			}
		}
		for _, l := range r.Licenses() {
			if FoldLicense(l.ID) == "" {
				continue
			}
			if _, ok := r.License(l.ID); !ok {
				t.Errorf("license %q is listed and not found", l.ID)
			}
		}
	})
}

// FuzzLicenseText: normalizing is stable, and folding never grows a text much.
func FuzzLicenseText(f *testing.F) {
	f.Add(mit)
	f.Add("Copyright (c) 1. * (a) - \u200b ßßß")
	f.Fuzz(func(t *testing.T, text string) {
		n := NormalizeText(text)
		if TextHash(text) != TextHash(text+"\n\n") {
			t.Error("trailing lines change the hash")
		}
		if strings.Contains(n, "  ") || strings.TrimSpace(n) != n {
			t.Errorf("loose spaces in %q", n)
		}
		if k := FoldLicense(text); FoldLicense(k) != FoldLicense(FoldLicense(k)) {
			t.Errorf("folding %q does not settle", k)
		}
	})
}
