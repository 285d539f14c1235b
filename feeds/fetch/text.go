package fetch

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// plainText turns what a feed holds in a title or a text, HTML or not, into plain
// text of at most limit runes: tags and scripts dropped, entities read, white space
// folded, and characters gone that are there to deceive the eye. Text that is cut
// ends in an ellipsis.
//
// Nobody says whether "a < b" is HTML. What cannot be a tag, and tags that HTML does
// not know ("vector<int>", "<think>"), are taken for text.
func plainText(s string, limit int) string {
	f := folder{limit: limit}
	switch {
	case strings.IndexByte(s, '<') >= 0:
		f.markup(s)
	case strings.IndexByte(s, '&') >= 0:
		// HTML that was escaped once too often still has its end tags.
		if once := html.UnescapeString(s); endTag.MatchString(once) {
			f.markup(once)
		} else {
			f.text(once)
		}
	default:
		f.text(s)
	}
	return f.String()
}

var endTag = regexp.MustCompile(`(?i)</(?:p|a|b|i|em|strong|div|span|li|ul|ol|h[1-6]|code|pre|blockquote|figure|td|table)>`)

// foldText is plainText for text that is known not to be HTML.
func foldText(s string, limit int) string {
	f := folder{limit: limit}
	f.text(s)
	return f.String()
}

// A folder gathers plain text.
type folder struct {
	limit int // runes; none if 0
	out   []byte
	runes int
	gap   bool // white space is due before the next rune
	full  bool
	// breaks, if set, writes a line feed where a block of the page ends.
	breaks bool
	line   bool
	last   rune
}

// block asks for the end of a block before what comes next.
func (f *folder) block() { f.gap, f.line = true, true }

func (f *folder) text(s string) {
	for i := 0; i < len(s) && !f.full; {
		c := s[i]
		if ' ' < c && c < 0x7f { // most of what there is
			f.add(rune(c))
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == ' ' || r == '\n' || r == '\t' || r == '\r' || r > 0x7f && unicode.IsSpace(r):
			f.gap = true
		case invisible(r, f.last):
		default:
			f.add(r)
		}
	}
}

func (f *folder) add(r rune) {
	if !f.gap && r < 0x80 && (f.limit == 0 || f.runes < f.limit) {
		f.out = append(f.out, byte(r))
		f.runes++
		f.last = r
		return
	}
	need := 1
	if f.gap && len(f.out) > 0 {
		need = 2
	}
	if f.limit > 0 && f.runes+need > f.limit {
		f.full = true
		return
	}
	if need == 2 {
		if f.line && f.breaks {
			f.out = append(f.out, '\n')
		} else {
			f.out = append(f.out, ' ')
		}
	}
	f.gap, f.line = false, false
	f.runes += need
	f.out = utf8.AppendRune(f.out, r)
	f.last = r
}

// String returns the text. What did not fit is cut at the end of a word, if there is
// one near.
func (f *folder) String() string {
	if !f.full {
		return string(f.out)
	}
	out, whole := f.out, f.gap
	if f.runes >= f.limit {
		_, n := utf8.DecodeLastRune(out)
		out, whole = out[:len(out)-n], false
	}
	if !whole {
		if i := bytes.LastIndexByte(out, ' '); i > 0 && len(out)-i < 40 {
			out = out[:i]
		}
	}
	return string(bytes.TrimRight(out, " ,;:")) + "…"
}

// invisible reports whether a rune is one of those that draw nothing, reorder what
// is around them, or smuggle text: control characters, bidirectional controls
// (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters),
// zero-width characters, tag characters. Joiners stay where scripts and emoji that
// need them stand before them.
func invisible(r, before rune) bool {
	switch {
	case r < 0x20 || 0x7f <= r && r < 0xa0:
		return true
	case r < 0xad:
		return false
	case r == 0x200c || r == 0x200d:
		return before < 0x600
	}
	switch {
	case r == 0xad, r == 0x034f, r == 0x061c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x180e,
		0x200b <= r && r <= 0x200f, 0x202a <= r && r <= 0x202e, 0x2060 <= r && r <= 0x206f,
		r == 0x3164, r == 0xfeff, r == 0xffa0, 0xfff0 <= r && r <= 0xfffb, 0xfffe <= r && r <= 0xffff,
		0xe0000 <= r && r <= 0xe0fff:
		return true
	}
	return false
}

// Elements whose content is not for reading.
var unread = names("script style noscript iframe noembed noframes template")

// Elements after which a new line of thought begins.
var blocks = names(`address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset
	figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html li legend main menu nav ol option p pre
	section summary table tbody td tfoot th thead title tr ul video audio img iframe`)

// The other elements that are markup: HTML's (https://html.spec.whatwg.org/#elements-3),
// obsolete ones, and the common ones of SVG and MathML.
var inline = names(`a abbr acronym area b base basefont bdi bdo big blink button canvas cite code col colgroup data
	datalist del dfn embed em font frame frameset hgroup i input ins kbd label link map mark marquee meta meter nobr
	object optgroup output param picture plaintext portal progress q rb rp rt rtc ruby s samp search select slot small
	source span strike strong sub sup svg textarea time track tt u var wbr xmp
	path g rect circle ellipse line polygon polyline defs use symbol text tspan lineargradient radialgradient clippath
	mask stop desc filter math mi mo mn ms mtext mrow msup msub msubsup mfrac msqrt mroot mover munder munderover
	mtable mtr mtd mspace mstyle mpadded mphantom menclose semantics annotation`)

func names(list string) map[string]bool {
	m := make(map[string]bool)
	for _, n := range strings.Fields(list) {
		m[n] = true
	}
	return m
}

// markup reads s as HTML.
func (f *folder) markup(s string) {
	walk(s, func(t token) bool {
		switch t.kind {
		case textToken:
			f.text(t.text)
		case breakToken:
			f.block()
		}
		return !f.full
	})
}

// token is what walk finds in HTML.
type token struct {
	kind tokenKind
	text string // of a text
	href string // of the start of a link
}

type tokenKind uint8

const (
	textToken tokenKind = iota
	breakToken
	linkToken    // <a href>
	linkEndToken // </a>
)

// walk calls f with the text, the breaks and the links of an HTML fragment, until f
// returns false.
func walk(s string, f func(token) bool) {
	z := html.NewTokenizer(strings.NewReader(s))
	hidden := "" // the element whose content is skipped
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			// The text ended inside a tag that was none: "for all n<p".
			if raw := z.Raw(); hidden == "" && len(raw) > 1 && raw[0] == '<' && !bytes.HasPrefix(raw, []byte("<!")) {
				f(token{text: string(raw)})
			}
			return
		case html.TextToken:
			if hidden == "" && !f(token{text: string(z.Text())}) {
				return
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			raw := z.Raw()
			var upper [32]byte // TagName lowers the case of raw in place
			spelled := upper[:copy(upper[:], raw)]
			name, hasAttr := z.TagName()
			switch {
			case hidden != "":
				if kind == html.EndTagToken && string(name) == hidden {
					hidden = ""
				}
				continue
			case unread[string(name)]:
				if kind == html.StartTagToken {
					hidden = string(name)
				}
				continue
			case blocks[string(name)]:
				if !f(token{kind: breakToken}) {
					return
				}
				continue
			case !inline[string(name)] && !bytes.ContainsAny(name, "-:") || len(name) == 1 && hasAttr && bytes.IndexByte(raw, '=') < 0:
				if !f(token{text: html.UnescapeString(string(spelled) + string(raw[len(spelled):]))}) {
					return
				}
				continue
			}
			if len(name) == 1 && name[0] == 'a' {
				t := token{kind: linkEndToken}
				if kind == html.StartTagToken {
					t.kind = linkToken
					for hasAttr {
						var key, value []byte
						key, value, hasAttr = z.TagAttr()
						if string(key) == "href" {
							t.href = strings.TrimSpace(string(value))
						}
					}
				}
				if !f(t) {
					return
				}
			}
		}
	}
}

// pageTitle returns the title of a web page, or "" where it has none near its
// beginning.
func pageTitle(page []byte) string {
	z := html.NewTokenizer(bytes.NewReader(page[:min(len(page), 64<<10)]))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken:
			if name, _ := z.TagName(); string(name) == "title" && z.Next() == html.TextToken {
				return foldText(string(z.Text()), 120)
			}
		}
	}
}
