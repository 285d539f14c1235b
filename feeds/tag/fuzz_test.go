package tag_test

import (
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
	"seedcorn/feeds/tag"
)

// fuzzed is the tagger that fuzz tests share.
var fuzzed = sync.OnceValue(func() *tag.Tagger {
	return tag.New(registry.Default(), tag.WithOrganizations(madeUp(500)))
})

// hostile are texts that have broken parsers of text before.
var hostile = []string{
	"", " ", "\x00", "\xff\xfe", "\xe2\x80", "a\xcc", "'", "’s", "s’s’s", "…", "\u200b\u200d\ufeff", "\u202eIANEPO\u202c", "ОpenАI", "Ｇｏｏｇｌｅ", "Goo\u00adgle",
	"谷歌발표マイクロソフト", "نموذج جديد من شركة", "İıŞßœ", "𝐎𝐩𝐞𝐧𝐀𝐈", "e\u0301\u0301\u0301\u0301", strings.Repeat("a", 300), strings.Repeat("University of ", 60),
	strings.Repeat("(", 200), strings.Repeat("MIT OR (", 60), "MIT AND", "AND OR WITH", "MIT+ WITH", "https://", "https://github.com/", "@", "{a,b}@", "a@b.c@d.e", ";;;;", ",,,,",
	"1.1.1.1", "01.AI", "4Paradigm", strings.Repeat("Google, ", 80), "We at ", "by", "X's new", "licensed under", "Apache 2.0.", "weights:", "\r\n\r\n\n", "code:\nMIT\n\nweights:\n",
}

// checkQuotes fails on evidence that could break who shows it: invalid UTF-8 or
// quotations without end.
func checkQuotes(t *testing.T, es []feeds.Evidence) {
	t.Helper()
	for _, e := range es {
		if !utf8.ValidString(e.Quote) || len(e.Quote) > 300 || e.Rule == "" || e.Field == "" {
			t.Errorf("bad evidence %+q", e)
		}
	}
}

func FuzzTag(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, hostile[(i*7+3)%len(hostile)], "https://huggingface.co/"+s)
	}
	f.Fuzz(func(t *testing.T, title, text, link string) {
		it := feeds.Item{Title: title, Summary: text, URL: link, Source: feeds.SourceID("feed:" + link), Affiliations: []string{title}, Emails: []string{text}, Published: time.Unix(1.7e9, 0)}
		got := fuzzed().Tag(it)
		for _, l := range got.Labs {
			if l.Home == "" || l.Role == "" || l.Basis == "" || len(l.Evidence) == 0 {
				t.Errorf("incomplete attribution %+v", l)
			}
			checkQuotes(t, l.Evidence)
		}
		for _, a := range got.Artifacts {
			checkQuotes(t, a.Evidence)
			if a.Openness != feeds.Unknown && len(a.Evidence) == 0 {
				t.Errorf("no evidence for %+v", a)
			}
		}
		if again := fuzzed().Tag(it); len(again.Labs) != len(got.Labs) || again.Openness != got.Openness {
			t.Errorf("not pure: %+v, then %+v", got, again)
		}
	})
}

func FuzzAffiliation(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
		f.Add("Department of " + s + ", University of " + s + ", Paris, France")
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range fuzzed().Affiliation(s, time.Time{}) {
			if !registry.KnownCountry(a.Home) || a.Home == feeds.Nowhere {
				t.Errorf("%q: home %q", s, a.Home)
			}
			checkQuotes(t, a.Evidence)
		}
	})
}

func FuzzParseLicense(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
		f.Add("MIT " + s)
		f.Add(s + " Apache-2.0")
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []feeds.ArtifactKind{feeds.Weights, feeds.Code, feeds.Data, feeds.Paper, feeds.Hosted, ""} {
			r := fuzzed().ParseLicense(s, kind)
			if r.Openness != feeds.Unknown && r.Rule == "" {
				t.Errorf("%q: %v without a rule", s, r)
			}
			if r.Openness == feeds.OpenSource && kind != feeds.Code {
				t.Errorf("%q: a license alone makes no open-source %s", s, kind)
			}
			if !utf8.ValidString(r.Quote) || len(r.Quote) > 300 {
				t.Errorf("%q: quote %q", s, r.Quote)
			}
		}
	})
}

func FuzzIdentifyText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add("Permission is hereby granted, free of charge")
	f.Fuzz(func(t *testing.T, s string) {
		id, ok := fuzzed().IdentifyText(s)
		if ok != (id != "") {
			t.Errorf("id %q, ok %v", id, ok)
		}
	})
}
