package fetch

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlainText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "  Hello,\n\tworld ", "Hello, world"},
		{"tags", "<p>One</p><p>Two <b>th</b>ree</p>", "One Two three"},
		{"entities", "AT&amp;T &lt;3 caf&eacute; &#8212; x", "AT&T <3 café — x"},
		{"script and style", "a<script>alert('x')</script><style>p{}</style><noscript>n</noscript>b", "ab"},
		{"unclosed script", "a<script>alert(1)", "a"},
		{"comment", "a<!-- <b>x</b> -->b", "ab"},
		{"line breaks", "a<br/>b<br>c<hr>d", "a b c d"},
		{"mathematics", "for p<0.05 and x < y and z>w", "for p<0.05 and x < y and z>w"},
		{"inequality that looks like a tag", "if a<b and c>d then", "if a<b and c>d then"},
		{"ends in a tag", "for all n<p", "for all n<p"},
		{"generics", "Why vector<Int> wins", "Why vector<Int> wins"},
		{"thinking tags", "Models that <think> aloud", "Models that <think> aloud"},
		{"custom elements", "<my-card>x</my-card><o:p>y</o:p>", "xy"},
		{"bidirectional override", "abc\u202etxt.exe\u2069", "abctxt.exe"},
		{"zero width", "O\u200bpen\ufeffAI\u00ad", "OpenAI"},
		{"joiner in emoji and Persian", "\U0001F469\u200d\U0001F4BB می\u200cخواهم", "\U0001F469\u200d\U0001F4BB می\u200cخواهم"},
		{"joiner between Latin letters", "Open\u200dAI", "OpenAI"},
		{"smuggled tags", "hi\U000E0068\U000E0069", "hi"},
		{"control characters", "a\x00b\x07c", "abc"},
		{"no-break space", "a\u00a0\u3000b", "a b"},
		{"attributes", `<a href="x>y" title='<b>'>link</a> after`, "link after"},
		{"chinese", "<p>开源模型</p>", "开源模型"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := plainText(test.in, 1000); got != test.want {
				t.Errorf("plainText(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

func TestPlainTextIsCutAtAWord(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
	}{
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two…"},
		{"one two three", 8, "one two…"},
		{"one two three", 7, "one…"},
		{"開源模型開源模型", 5, "開源模型…"},
		{"abcdefghij", 4, "abc…"},
	}
	for _, test := range tests {
		got := plainText(test.in, test.limit)
		if got != test.want {
			t.Errorf("plainText(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
		if n := utf8.RuneCountInString(got); n > test.limit {
			t.Errorf("%q has %d runes, over %d", got, n, test.limit)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"<p>a</p>", "a<b", "<a href='", "&#0;&#xFFFE;", "<script", "\xff<\x00b>", "<!--", "<![CDATA[x]]>"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + limit&0xff
		got := plainText(s, limit)
		if n := utf8.RuneCountInString(got); n > limit {
			t.Errorf("%d runes, over %d", n, limit)
		}
		if strings.TrimSpace(got) != got || strings.ContainsAny(got, "\n\x00\u202e\u200b") || !utf8.ValidString(got) {
			t.Errorf("not plain: %q", got)
		}
	})
}
