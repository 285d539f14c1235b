package discord

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"seedcorn/bot/message"
)

// zeroWidth is put where Discord would read a mention.
const zeroWidth = "\u200b"

// clean drops what misleads a reader or breaks JSON: control characters, marks that
// turn the direction of text around (https://www.unicode.org/reports/tr9/) and bytes
// that are no UTF-8. Line ends and tabs stay.
func clean(s string) string {
	if plainASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0xfeff, r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// escape makes text of a stranger show as it is written, on one line or in one
// paragraph: it neither formats, links, pings, stamps a time nor shows an emoji of a
// server. Discord takes a backslash before any punctuation for that punctuation.
// https://discord.com/developers/docs/reference#message-formatting
func escape(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i, r := range s {
		switch r {
		case '\\', '*', '_', '`', '~', '|', '[', ']', '<', '>', '#':
			b.WriteByte('\\')
			b.WriteRune(r)
		case ':':
			// ":name:" is an emoji, "http://" is a link.
			if next := s[i+1:]; next != "" && (isWord(next[0]) || strings.HasPrefix(next, "//")) {
				b.WriteByte('\\')
			}
			b.WriteByte(':')
		case '@':
			b.WriteByte('@')
			if next := s[i+1:]; pings(next) || i > 0 && s[i-1] == '<' {
				b.WriteString(zeroWidth)
			}
		case '-', '+', '.', ')':
			// A list, at the beginning of a line: "- ", "-# ", "12. ".
			if next := s[i+1:]; (next == "" || next[0] == ' ' || next[0] == '#') && begins(s[:i], r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isWord(c byte) bool {
	return c == '_' || c == '+' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// pings reports whether an @ before s is a mention of everybody.
func pings(s string) bool {
	for _, w := range []string{"everyone", "here"} {
		if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) {
			return true
		}
	}
	return false
}

// begins reports whether a mark after before would begin a list.
func begins(before string, mark rune) bool {
	line := strings.TrimLeft(before[strings.LastIndexByte(before, '\n')+1:], " \t")
	if mark == '-' || mark == '+' {
		return line == ""
	}
	return line != "" && len(line) <= 9 && strings.Trim(line, "0123456789") == ""
}

// code is text in a code span, which knows no escapes.
func code(s string) string {
	s = strings.ReplaceAll(oneLine(s), "`", "ˋ")
	if s == "" {
		return ""
	}
	return "`" + unping(s) + "`"
}

// unping breaks mentions of everybody where a backslash would be seen.
func unping(s string) string {
	if !strings.ContainsRune(s, '@') {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		b.WriteRune(r)
		if r == '@' && (pings(s[i+1:]) || i > 0 && s[i-1] == '<') {
			b.WriteString(zeroWidth)
		}
	}
	return b.String()
}

// oneLine is clean text on one line, its ends kept.
func oneLine(s string) string {
	s = clean(s)
	if !strings.ContainsAny(s, "\n\t") && !strings.Contains(s, "  ") {
		return s
	}
	out := strings.Join(strings.Fields(s), " ")
	if out == "" {
		return ""
	}
	if strings.TrimLeft(s, " \n\t") != s {
		out = " " + out
	}
	if strings.TrimRight(s, " \n\t") != s {
		out += " "
	}
	return out
}

// isWeb reports whether a URL may be linked to: http and https only.
func isWeb(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (strings.EqualFold(u.Scheme, "https") || strings.EqualFold(u.Scheme, "http")) && u.Host != ""
}

// target is a URL as the target of a masked link, "" if it may not be one.
func target(s string) string {
	s = strings.TrimSpace(clean(s))
	if len(s) > maxLink || !isWeb(s) {
		return ""
	}
	scheme, rest, _ := strings.Cut(s, ":")
	s = strings.ToLower(scheme) + ":" + rest
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '~':
			b.WriteString("%7E")
		case r <= ' ' || strings.ContainsRune("<>()\\\"`{}|^*", r) || unicode.IsSpace(r):
			b.WriteString(url.PathEscape(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	out := strings.ReplaceAll(unping(b.String()), "@"+zeroWidth, "%40")
	if len(out) > maxLink {
		return ""
	}
	return out
}

// looksWeb reports whether text has what reads as an address, which Discord lets stand
// for no link: it could be another's.
func looksWeb(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "http://") || strings.Contains(s, "https://")
}

// A style is how a span of text looks.
type style struct {
	bold, code bool
	url        string // a target
	name       bool   // text is a mention, shown by name
}

// mark dresses text, with its white space outside of the marks.
func (st style) mark(text string) string {
	body := strings.TrimSpace(text)
	if body == "" {
		return text
	}
	at := strings.Index(text, body)
	lead, tail := text[:at], text[at+len(body):]
	out := escape(body)
	switch {
	case st.name:
		out = body
	case st.code:
		out = code(body)
	}
	switch {
	case st.url == "":
	case !looksWeb(body):
		out = "[" + out + "](" + st.url + ")"
	case target(body) == st.url && strings.HasPrefix(body, "http"): // what is shown is what was written
		out = "<" + st.url + ">"
	default:
		out += " <" + st.url + ">"
	}
	if st.bold {
		out = "**" + out + "**"
	}
	return lead + out + tail
}

// pieces renders a line as Discord's Markdown, in as many pieces as it takes to keep
// each within most characters. It splits between words, inside of a word only if it
// is longer than a piece, and dresses each piece by itself. Nothing is left out.
func pieces(l message.Line, most int) []string {
	p := &packer{most: most}
	for _, s := range l {
		st := style{bold: s.Bold, code: s.Code, url: target(s.URL)}
		text := oneLine(s.Text)
		// Nobody is called: see [mentions].
		switch {
		case isSnowflake(s.Role):
			text, st = "<@&"+s.Role+">", style{name: true}
		case isSnowflake(s.Person):
			text, st = "<@"+s.Person+">", style{name: true}
		case isSnowflake(s.Channel):
			text, st = "<#"+s.Channel+">", style{name: true}
		}
		if s.URL != "" && st.url == "" && strings.TrimSpace(s.URL) != strings.TrimSpace(s.Text) {
			// Not a link: its address is still told.
			text = strings.TrimRight(text+" ("+oneLine(s.URL)+")", " ")
		}
		if strings.TrimSpace(text) == "" && st.url != "" {
			text = oneLine(s.URL)
		}
		if st.url != "" && size(st.url)+200 > most {
			st.url = ""
			text += " (" + oneLine(s.URL) + ")"
		}
		p.add(text, st)
	}
	return p.end()
}

type packer struct {
	most int
	out  []string
	cur  string
}

func (p *packer) flush() {
	if t := strings.TrimRight(p.cur, " "); t != "" {
		p.out = append(p.out, t)
	}
	p.cur = ""
}

func (p *packer) end() []string {
	p.flush()
	return p.out
}

// fits reports whether text in a style still fits into the current piece. A line's
// beginning is escaped as a whole, so it is the joined text that counts.
func (p *packer) fits(text string, st style) bool {
	if len(text) > 4*p.most {
		return false // four bytes make a character at most
	}
	return size(p.cur)+size(st.mark(text)) <= p.most
}

func (p *packer) add(text string, st style) {
	for text != "" {
		if p.cur == "" {
			text = strings.TrimLeft(text, " ")
		}
		if p.fits(text, st) {
			p.cur += st.mark(text)
			return
		}
		// The longest run of words that fits. A word by itself has no fewer escapes than
		// the same word among others, so the sum of the words is enough to know.
		head, used := "", size(p.cur)+size(st.mark("x"))
		for at := 0; at < len(text); {
			next := strings.IndexByte(text[at+1:], ' ')
			if next < 0 {
				break
			}
			next += at + 1
			if used += 1 + size(escape(text[at:next])); used > p.most {
				break
			}
			head, at = text[:next], next
		}
		switch {
		case strings.TrimSpace(head) != "":
			p.cur += st.mark(head)
			text = text[len(head):]
			p.flush()
		case p.cur != "":
			p.flush()
		default:
			// One word is longer than a piece: it is split between what readers see as
			// letters; one such letter that is longer still, between runes.
			head = p.longest(text, st, uniseg.FirstGraphemeClusterInString)
			if head == "" {
				head = p.longest(text, st, func(s string, state int) (string, string, int, int) {
					_, n := utf8.DecodeRuneInString(s)
					return s[:n], s[n:], 0, state
				})
			}
			p.cur = st.mark(head)
			text = text[len(head):]
			p.flush()
		}
	}
}

// longest is the longest beginning of text, in steps, that fits into an empty piece.
func (p *packer) longest(text string, st style, step func(string, int) (string, string, int, int)) string {
	n, state, used := 0, -1, size(st.mark("x"))
	for rest := text; rest != ""; {
		var cluster string
		cluster, rest, _, state = step(rest, state)
		// Escaping at most triples a character's length.
		used += 3 * size(cluster)
		if used > p.most {
			break
		}
		n += len(cluster)
	}
	return text[:n]
}

// block is preformatted text in code blocks of at most most characters each.
func block(s string, most int) []string {
	const open, end = "```\n", "\n```"
	// Nothing ends a code block but three backticks in a row.
	s = unping(strings.ReplaceAll(strings.TrimRight(strings.ReplaceAll(clean(s), "\t", "    "), "\n "), "```", "`"+zeroWidth+"`"+zeroWidth+"`"))
	room := most - len(open) - len(end)
	var out []string
	cur := ""
	flush := func() {
		if strings.TrimSpace(cur) != "" {
			body := strings.TrimRight(cur, "\n")
			if strings.HasSuffix(body, "`") {
				body += zeroWidth
			}
			out = append(out, open+body+end)
		}
		cur = ""
	}
	for line := range strings.Lines(s) {
		for size(line) > room-2 {
			flush()
			n, used := 0, 0
			for i, r := range line {
				if used += size(string(r)); used > room-2 {
					n = i
					break
				}
			}
			cur, line = line[:n], line[n:]
			flush()
		}
		if size(cur)+size(line) > room-2 {
			flush()
		}
		cur += line
	}
	flush()
	return out
}
