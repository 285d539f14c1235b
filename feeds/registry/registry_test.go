package registry

import (
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func day(s string) time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(err)
	}
	return t
}

// TestSeats asks for labs on dates on which the answer differs (rule C6).
func TestSeats(t *testing.T) {
	for _, c := range []struct {
		lab           feeds.LabID
		on            string
		home, control feeds.Country
	}{
		{"manus", "2025-03-06", "CN", "CN"},
		{"manus", "2025-09-01", "SG", "SG"},
		{"manus", "2026-02-01", "SG", "US"},
		{"google-deepmind", "2013-12-19", "GB", "GB"},
		{"google-deepmind", "2024-05-08", "GB", "US"},
		{"microsoft-research-asia", "2015-12-10", "CN", "US"},
		{"fair-paris", "2023-02-24", "FR", "US"},
		{"silo-ai", "2024-03-01", "FI", "FI"},
		{"silo-ai", "2025-01-01", "FI", "US"},
		{"hugging-face", "2025-01-01", "US", "US"},
		{"stability-ai", "2023-01-01", "GB", "GB"},
		{"mistral", "2025-01-01", "FR", "FR"},
		{"cohere", "2025-01-01", "CA", "CA"},
		{"sea-ai-lab", "2025-01-01", "SG", "SG"},
		{"sensetime", "2025-01-01", "HK", "HK"},
		{"tii", "2025-01-01", "AE", "AE"},
		{"laion", "2025-01-01", "DE", "DE"},
		{"eleutherai", "2025-01-01", "US", "US"},
		{"bigscience", "2022-07-01", "INTL", "INTL"},
		{"bigcode", "2023-05-01", "INTL", "INTL"},
		{"arm", "2010-01-01", "GB", "GB"},
		{"arm", "2020-01-01", "GB", "JP"},
	} {
		l, ok := Default().Lab(c.lab)
		if !ok {
			t.Errorf("no lab %q", c.lab)
			continue
		}
		if s := l.At(day(c.on)); s.Home != c.home || s.Control != c.control {
			t.Errorf("%s on %s: %s/%s, want %s/%s", c.lab, c.on, s.Home, s.Control, c.home, c.control)
		}
	}
	if l, _ := Default().Lab("hugging-face"); l.Origin != "FR" {
		t.Errorf("Hugging Face was founded by %q", l.Origin)
	}
}

func TestByHandle(t *testing.T) {
	for _, c := range []struct {
		service feeds.Service
		handle  string
		want    feeds.LabID
	}{
		{feeds.HuggingFace, "deepseek-ai", "deepseek"},
		{feeds.HuggingFace, "QWEN", "qwen"},
		{feeds.HuggingFace, "@meta-llama", "meta-ai"},
		{feeds.HuggingFace, "THUDM", "zhipu"},
		{feeds.HuggingFace, "stabilityai", "stability-ai"},
		{feeds.HuggingFace, "LGAI-EXAONE", "lg-ai-research"},
		{feeds.GitHub, "QwenLM", "qwen"},
		{feeds.GitHub, "openai", "openai"},
		{feeds.GitHub, "nobody-we-know", ""},
		{feeds.GitHub, "", ""},
		{"gitlab", "openai", ""},
	} {
		l, ok := Default().ByHandle(c.service, c.handle)
		if l.ID != c.want || ok != (c.want != "") {
			t.Errorf("ByHandle(%s, %q) = %q, %t; want %q", c.service, c.handle, l.ID, ok, c.want)
		}
	}
}

func TestByDomain(t *testing.T) {
	for _, c := range []struct {
		host string
		want feeds.LabID
	}{
		{"openai.com", "openai"},
		{"www.OpenAI.com.", "openai"},
		{"news.mit.edu", "mit"},
		{"notmit.edu", ""},
		{"seed.bytedance.com", "bytedance-seed"}, // the longer name wins
		{"team.bytedance.com", "bytedance"},
		{"qwenlm.github.io", "qwen"},
		{"someone.github.io", ""},
		{"github.io", ""},
		{"huggingface.co", ""}, // others publish there
		{"x.medium.com", ""},
		{"thegradient.substack.com", ""},
		{"sites.google.com", ""},
		{"research.google", "google-research"},
		{"research.google.com", "google-research"},
		{"ac.uk", ""},
		{"cs.ox.ac.uk", "oxford"},
		{"com", ""},
		{"", ""},
		{"..", ""},
	} {
		l, ok := Default().ByDomain(c.host)
		if l.ID != c.want || ok != (c.want != "") {
			t.Errorf("ByDomain(%q) = %q, %t; want %q", c.host, l.ID, ok, c.want)
		}
	}
}

func TestByEmail(t *testing.T) {
	for address, want := range map[string]feeds.LabID{
		"jane@cs.stanford.edu": "stanford",
		"huggingface.co":       "hugging-face",
		"a.b@huggingface.co":   "hugging-face",
		"someone@gmail.com":    "",
		"someone@naver.com":    "", // open to everybody
		"x@navercorp.com":      "naver",
		"{a,b}@pku.edu.cn":     "peking-university",
		"@":                    "",
		"":                     "",
	} {
		if l, _ := Default().ByEmail(address); l.ID != want {
			t.Errorf("ByEmail(%q) = %q, want %q", address, l.ID, want)
		}
	}
}

func TestFind(t *testing.T) {
	for name, want := range map[string]feeds.LabID{
		"DeepSeek":                 "deepseek",
		"深度求索":                     "deepseek",
		"智谱":                       "zhipu",
		"月之暗面":                     "moonshot",
		"字节跳动":                     "bytedance",
		"上海人工智能实验室":                "shanghai-ai-lab",
		"阶跃星辰":                     "stepfun",
		"零一万物":                     "01-ai",
		"小红书":                      "xiaohongshu",
		"華為":                       "",
		"华为":                       "huawei",
		"네이버":                      "naver",
		"카카오":                      "kakao",
		"サカナAI":                    "sakana",
		"東京大学":                     "university-of-tokyo",
		"清华大学":                     "tsinghua",
		"université de montréal":   "umontreal",
		"Universite de Montreal":   "umontreal",
		"UC BERKELEY":              "uc-berkeley",
		"allenai":                  "allenai",
		"Hangzhou  Deep-Seek":      "",
		"":                         "",
		"!!!":                      "",
		"École Normale Supérieure": "ens-paris",
	} {
		got := Default().Find(name)
		if want == "" {
			if len(got) != 0 {
				t.Errorf("Find(%q) = %v, want none", name, got[0].ID)
			}
			continue
		}
		if !slices.ContainsFunc(got, func(l feeds.Lab) bool { return l.ID == want }) {
			t.Errorf("Find(%q) does not find %q", name, want)
		}
	}
	if got := Default().Find("Northeastern University"); len(got) != 2 {
		t.Errorf("Northeastern University: %d labs, want the American and the Chinese one", len(got))
	}
}

func TestLabsSorted(t *testing.T) {
	labs := Default().Labs()
	if !slices.IsSortedFunc(labs, func(a, b feeds.Lab) int { return cmpString(string(a.ID), string(b.ID)) }) {
		t.Error("labs are not sorted by id")
	}
	labs[0] = feeds.Lab{}
	if Default().Labs()[0].ID == "" {
		t.Error("the slice that Labs returns is the registry's own")
	}
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestVersion(t *testing.T) {
	v := Default().Version()
	if len(v) != len("2026-11-23+12345678") || v != Default().Version() {
		t.Errorf("version %q", v)
	}
	other, _ := Load(fstest.MapFS{"labs.txt": {Data: []byte("a: A\n\tkind: company\n\tseat: FR\n\tsource: https://a.example/\n")}})
	if other.Version() == v || other.Version() == "" {
		t.Errorf("version of other data is %q", other.Version())
	}
}

func TestLicense(t *testing.T) {
	const (
		open       = feeds.OpenWeights
		restricted = feeds.Restricted
	)
	for _, c := range []struct {
		in    string
		id    string
		class feeds.Openness
	}{
		{"apache-2.0", "Apache-2.0", open},
		{"Apache 2.0", "Apache-2.0", open},
		{"apache_2_0", "Apache-2.0", open},
		{"Apache License, Version 2.0", "Apache-2.0", open},
		{"The MIT License", "MIT", open},
		{"CC BY\u2011SA 4.0", "CC-BY-SA-4.0", open}, // non-breaking hyphen
		{"cc-by-nc-4.0", "CC-BY-NC-4.0", restricted},
		{"cc_by_nc", "LicenseRef-CC-BY-NC-family", restricted},
		{"cc", "LicenseRef-CC-family", feeds.Unknown},
		{"other", "LicenseRef-scancode-unknown", feeds.Unknown},
		{"NOASSERTION", "LicenseRef-scancode-unknown", feeds.Unknown},
		{"Modified MIT", "LicenseRef-scancode-moonshot-ai-modified-mit-2025", restricted},
		{"llama3.1", "LicenseRef-scancode-llama-3.1-license-2024", restricted},
		{"llama_3_1_community_license", "LicenseRef-scancode-llama-3.1-license-2024", restricted},
		{"Llama 4 Community License Agreement", "LicenseRef-scancode-llama-4-cla-2025", restricted},
		{"gemma", "LicenseRef-scancode-gemma-tou-2025-03-24", restricted},
		{"openrail++", "LicenseRef-OpenRAIL-PP-M", restricted},
		{"openrail", "LicenseRef-OpenRAIL-family", restricted},
		{"GPL-3.0+", "GPL-3.0-or-later", open},
		{"gpl-3.0", "GPL-3.0-only", open},
		{"openmdw-1.0", "LicenseRef-scancode-openmdw-1.0", open},
		{"Proprietary", "LicenseRef-Proprietary", feeds.Closed},
		{"http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "LicenseRef-arXiv-nonexclusive-1.0", restricted},
		// Near matches are no matches (rule O6).
		{"MIT + non-commercial", "", feeds.Unknown},
		{"Apache 2.0 with mild acceptable use policy", "", feeds.Unknown},
		{"MIT-like", "", feeds.Unknown},
		{"license", "", feeds.Unknown},
		{"", "", feeds.Unknown},
	} {
		l, ok := Default().License(c.in)
		if l.ID != c.id || l.Class != c.class || ok != (c.id != "") {
			t.Errorf("License(%q) = %q %s %t; want %q %s", c.in, l.ID, l.Class, ok, c.id, c.class)
		}
	}
}

// TestLicenseTable holds the registry to the table in the project's rules.
func TestLicenseTable(t *testing.T) {
	for _, c := range []struct {
		alias string
		class feeds.Openness
		flags []feeds.Flag // at least these
		osi   bool
	}{
		{"MIT", feeds.OpenWeights, nil, true},
		{"BSD-3-Clause", feeds.OpenWeights, nil, true},
		{"ISC", feeds.OpenWeights, nil, true},
		{"MulanPSL-2.0", feeds.OpenWeights, nil, true},
		{"AGPL-3.0", feeds.OpenWeights, []feeds.Flag{feeds.FlagCopyleft}, true},
		{"CC-BY-SA-4.0", feeds.OpenWeights, []feeds.Flag{feeds.FlagCopyleft, feeds.FlagNotOSI}, false},
		{"CDLA-Permissive-2.0", feeds.OpenWeights, []feeds.Flag{feeds.FlagNotOSI}, false},
		{"CC0-1.0", feeds.OpenWeights, []feeds.Flag{feeds.FlagNotOSI}, false},
		{"Modified MIT", feeds.Restricted, []feeds.Flag{feeds.FlagBrand, feeds.FlagScale}, false},
		{"deepseek", feeds.Restricted, []feeds.Flag{feeds.FlagField}, false},
		{"bigscience-bloom-rail-1.0", feeds.Restricted, []feeds.Flag{feeds.FlagField}, false},
		{"llama2", feeds.Restricted, []feeds.Flag{feeds.FlagScale, feeds.FlagField, feeds.FlagOutput}, false},
		{"llama3", feeds.Restricted, []feeds.Flag{feeds.FlagScale, feeds.FlagField, feeds.FlagBrand, feeds.FlagOutput}, false},
		{"llama4", feeds.Restricted, []feeds.Flag{feeds.FlagScale, feeds.FlagField, feeds.FlagBrand, feeds.FlagTerritory}, false},
		{"qwen", feeds.Restricted, []feeds.Flag{feeds.FlagScale}, false},
		{"qwen-research", feeds.Restricted, []feeds.Flag{feeds.FlagNonCommercial}, false},
		{"mrl", feeds.Restricted, []feeds.Flag{feeds.FlagResearch}, false},
		{"apple-amlr", feeds.Restricted, []feeds.Flag{feeds.FlagResearch}, false},
		{"tencent-hunyuan-community", feeds.Restricted, []feeds.Flag{feeds.FlagTerritory, feeds.FlagScale, feeds.FlagField, feeds.FlagOutput}, false},
		{"exaone", feeds.Restricted, []feeds.Flag{feeds.FlagNonCommercial}, false},
		{"minimax-m2.7", feeds.Restricted, []feeds.Flag{feeds.FlagNonCommercial, feeds.FlagMilitary}, false},
	} {
		l, ok := Default().License(c.alias)
		if !ok || l.Class != c.class || l.OSI != c.osi {
			t.Errorf("%s: %s %s osi=%t, want %s osi=%t", c.alias, l.ID, l.Class, l.OSI, c.class, c.osi)
		}
		for _, f := range c.flags {
			if !slices.Contains(l.Flags, f) {
				t.Errorf("%s: no flag %q in %v", l.ID, f, l.Flags)
			}
		}
	}
}

const mit = `MIT License

Copyright (c) %YEAR%

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

func TestLicenseByText(t *testing.T) {
	l, ok := Default().LicenseByText(mit)
	if !ok || l.ID != "MIT" {
		t.Errorf("MIT's text is %q, %t", l.ID, ok)
	}
	// One clause more is another license.
	if l, ok := Default().LicenseByText(mit + "\nProducts with more than 100 million users shall display the name.\n"); ok {
		t.Errorf("MIT with a rider is taken for %s", l.ID)
	}
	if _, ok := Default().LicenseByText(""); ok {
		t.Error("an empty text is a license")
	}
}

func TestNormalizeText(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"layout, quotes and case", "THE “SOFTWARE”\n  is\tprovided", `The "software" is provided`},
		{"holder", "Copyright (c) 2024 Jane Doe\nAll rights reserved.\nRedistribution is permitted", "© 1999 Acme\nRedistribution is permitted"},
		{"list markers", "1. Redistributions of source\n(b) in binary form", "* Redistributions of source\n- in binary form"},
		{"the name in BSD", "Neither the name of Google Inc. nor the names of its contributors may", "Neither the name of the copyright holder nor the names of its contributors may"},
	} {
		if a, b := NormalizeText(c.a), NormalizeText(c.b); a != b {
			t.Errorf("%s:\n%s\n%s", c.name, a, b)
		}
	}
	if TextHash("Copyright license. Subject to the terms") == TextHash("Subject to the terms") {
		t.Error("a clause that begins with the word copyright was dropped")
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Z.ai":                 "z ai",
		"  DeepSeek-AI ":       "deepseek ai",
		"Universität Tübingen": "universitat tubingen",
		"Wrocław":              "wroclaw",
		"Straße":               "strasse",
		"ＡＩ２":                  "ai2",
		"サカナAI":                "サカナai",
		"ガ":                    "ガ",
		"한국과학기술원":              "한국과학기술원",
		"भारत":                 "भारत",
		"a\u200bb":             "ab",
		"":                     "",
		"—":                    "",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestFoldPlain: the short way folds as the long one does, for every name.
func TestFoldPlain(t *testing.T) {
	names := []string{"Zażółć gęślą jaźń", "Ærøskøbing", "İstanbul", "ŉ ſ ĳ Ŀ", "東京・大阪", "ガ", "네이버 — Clova", "×÷ ü"}
	for _, l := range Default().Labs() {
		names = append(names, l.Name)
		names = append(names, l.Aliases...)
	}
	for _, n := range names {
		if k, ok := foldPlain(n); ok && k != foldAny(n) {
			t.Errorf("%q folds to %q in short and %q in full", n, k, foldAny(n))
		}
	}
}

func TestExtend(t *testing.T) {
	own := fstest.MapFS{
		"labs-own.txt": {Data: []byte("acme-ai: Acme AI Lab\n\tkind: company\n\tseat: FR\n\talias: OpenAI\n\thf: acme-ai-lab\n\tsource: https://acme.example/about\n")},
	}
	r, faults := Default().Extend(own)
	want := []Fault{{
		File: "labs-own.txt", Line: 4, ID: "acme-ai",
		What: `name "OpenAI" is also claimed by "openai"`, Hint: "give it to one of them, or mark it ambiguous in both",
	}}
	if d := cmp.Diff(want, faults); d != "" {
		t.Error(d)
	}
	if l, ok := r.ByHandle(feeds.HuggingFace, "Acme-AI-Lab"); !ok || l.ID != "acme-ai" {
		t.Error("the added lab is not found")
	}
	if _, ok := r.Lab("openai"); !ok {
		t.Error("the embedded labs are gone")
	}
	if _, ok := Default().Lab("acme-ai"); ok {
		t.Error("Extend changed the registry it extends")
	}
	if l, ok := r.LicenseByText(mit); !ok || l.ID != "MIT" {
		t.Error("the texts of licenses are gone")
	}
}

func BenchmarkByDomain(b *testing.B) {
	r := Default()
	for b.Loop() {
		r.ByDomain("blog.research.some.where.cs.ox.ac.uk")
	}
}

func BenchmarkLicense(b *testing.B) {
	r := Default()
	for b.Loop() {
		r.License("Apache License, Version 2.0")
	}
}
