package tag

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFold(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"case", "OpenAI NVIDIA", []string{"openai", "nvidia"}},
		{"diacritics", "Université Côte d’Azur", []string{"universite", "cote", "dazur"}},
		{"decomposed diacritics", "Universite\u0301", []string{"universite"}},
		{"letters that do not decompose", "Łódź Ærøskøbing Weiß", []string{"lodz", "aeroskobing", "weiss"}},
		{"hyphens, slashes and dots part", "deep-seek a/b z.ai", []string{"deep", "seek", "a", "b", "z", "ai"}},
		{"apostrophe joins", "Xi’an O'Reilly", []string{"xian", "oreilly"}},
		{"possessive goes", "Google’s King's", []string{"google", "king"}},
		{"zero-width goes", "Goo\u200bgle Mic\u00adrosoft", []string{"google", "microsoft"}},
		{"full width", "ＧＯＯＧＬＥ", []string{"google"}},
		{"mathematical letters", "𝐎𝐩𝐞𝐧𝐀𝐈", []string{"openai"}},
		{"ligature", "Artiﬁcial", []string{"artificial"}},
		{"look-alikes in a Latin word", "ОpenАI Ѕtаnford", []string{"openai", "stanford"}},
		{"a Cyrillic word stays one", "Сбер", []string{"сбер"}},
		{"no spaces", "智谱AI发布", []string{"智", "谱", "ai", "发", "布"}},
		{"Korean", "네이버는", []string{"네", "이", "버", "는"}},
		{"Arabic", "جامعة الملك", []string{"جامعة", "الملك"}},
		{"marks of direction", "\u202eOpen\u202cAI", []string{"openai"}},
		{"invalid UTF-8", "Goo\xffgle", []string{"goo", "gle"}},
		{"digits stay", "01.AI GPT4", []string{"01", "ai", "gpt4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, foldWords(tt.text, false)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"llama", "3", "1", "gpl", "3"}, foldWords("llama3.1 GPL3", true)); diff != "" {
		t.Errorf("split (-want +got):\n%s", diff)
	}
}

func TestMatcher(t *testing.T) {
	names := []string{"Google", "Google DeepMind", "University of California, Berkeley", "Science University", "智谱", "King's College London", "Technical University of Munich"}
	m := newMatcher(false, len(names), "of", "the")
	m.mindCommas()
	for i, n := range names {
		if id, ok := m.add(n, uint32(i)); !ok || int(id) != i {
			t.Fatalf("add(%q) = %d, %v", n, id, ok)
		}
	}
	tests := []struct{ name, text, want string }{
		{"longest", "by Google DeepMind and Google.", "Google DeepMind|Google"},
		{"whole words", "Googler googles", ""},
		{"begun and not ended", "Google Deep Sea", "Google"},
		{"again behind a false start", "Google Google DeepMind", "Google|Google DeepMind"},
		{"comma of the name", "University of California, Berkeley", "University of California, Berkeley"},
		{"comma left out", "University of California Berkeley", "University of California Berkeley"},
		{"comma between two", "Computer Science, University of Nowhere", ""},
		{"function words come and go", "Technical University Munich", "Technical University Munich"},
		{"not across a semicolon", "Google; DeepMind", "Google"},
		{"Chinese", "今天智谱发布", "智谱"},
		{"possessive", "Kings College London King’s College London’s", "King’s College London"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, x := range m.find(tt.text, nil) {
				got = append(got, tt.text[x.start:x.end])
			}
			if s := strings.Join(got, "|"); s != tt.want {
				t.Errorf("found %q, want %q", s, tt.want)
			}
		})
	}
	if id, ok := m.add("GOOGLE", 99); !ok || id != 0 {
		t.Errorf("a second spelling got id %d, %v", id, ok)
	}
	if _, ok := m.add("—", 99); ok {
		t.Error("a name without letters was added")
	}
}

func TestExpression(t *testing.T) {
	tests := []struct{ in, want string }{
		{"MIT", "MIT"},
		{"(MIT)", "MIT"},
		{"MIT or Apache-2.0", "MIT OR Apache-2.0"},
		{"MIT AND (GPL-2.0-only OR BSD-3-Clause)", "MIT AND (GPL-2.0-only OR BSD-3-Clause)"},
		{"MIT AND GPL-2.0-only OR BSD-3-Clause", "MIT AND GPL-2.0-only OR BSD-3-Clause"},
		{"GPL-2.0+ WITH Classpath-exception-2.0", "GPL-2.0+ WITH Classpath-exception-2.0"},
		{"LicenseRef-Mine", "LicenseRef-Mine"},
		{"", ""},
		{"MIT AND", ""},
		{"AND MIT", ""},
		{"(MIT", ""},
		{"MIT)", ""},
		{"MIT Apache-2.0", ""},
		{"MIT WITH", ""},
		{"MIT, BSD", ""},
		{strings.Repeat("(", 60) + "MIT" + strings.Repeat(")", 60), ""},
		{strings.Repeat("MIT AND ", 300) + "MIT", ""},
	}
	for _, tt := range tests {
		e, err := parseExpression(tt.in)
		got := ""
		if err == nil {
			got = e.String()
		}
		if got != tt.want {
			t.Errorf("parseExpression(%.40q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
		if err == nil {
			if again, err := parseExpression(got); err != nil || again.String() != got {
				t.Errorf("%q does not survive being read again", got)
			}
		}
	}
}

// FuzzMatcher checks the trie against a search by folded words, name by name.
func FuzzMatcher(f *testing.F) {
	f.Add("Google DeepMind|Google|Deep", "Google DeepMind at Google, Deep")
	f.Add("a b|b c|a", "a b c a c")
	f.Add("智谱|谱", "智谱谱")
	f.Add("x’s|\xff|é", "x é\xffx’s")
	f.Fuzz(func(t *testing.T, list, text string) {
		if len(list)+len(text) > 2000 {
			return
		}
		m := newMatcher(false, 8)
		known := map[string]bool{}
		for i, n := range strings.Split(list, "|") {
			if _, ok := m.add(n, uint32(i)); ok {
				known[foldKey(n, false)] = true
			}
		}
		last := 0
		for _, x := range m.find(text, nil) {
			if x.start < last || x.end <= x.start || x.end > len(text) {
				t.Fatalf("match %d:%d behind %d of %d", x.start, x.end, last, len(text))
			}
			last = x.end
			if !known[foldKey(text[x.start:x.end], false)] {
				t.Errorf("%q is no name of %q", text[x.start:x.end], list)
			}
		}
		for n := range known {
			if id, ok := m.exact(n); !ok || int(id) >= len(strings.Split(list, "|")) {
				// A folded form folds to itself but where joined letters part again.
				if !slices.Equal(foldWords(n, false), strings.Fields(n)) {
					continue
				}
				t.Errorf("%q is not found as a whole", n)
			}
		}
	})
}
