package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Caps on a document. They are far above any feed seen (arXiv's largest listing has
// 2,000 entries and some 25,000 elements; https://info.arxiv.org/help/rss.html), and
// low enough that nothing a stranger can write in 16 MiB costs more than a few
// seconds or some tens of megabytes.
const (
	maxEntries    = 10_000
	maxTags       = 300_000 // elements in all entries; gofeed takes about a microsecond for each
	maxEntryTags  = 50_000
	maxEntryBytes = 4 << 20
	maxDepth      = 100 // open tags in one entry; gofeed recurses, and copies namespaces, for each
	maxFrame      = 16 << 10
	maxSpaces     = 64 // namespaces of the frame; gofeed copies them for each element
	maxHead       = 256 << 10
)

type format uint8

const (
	formatRSS format = iota // RSS 0.9x and 2.0, and the RDF of 0.90 and 1.0
	formatAtom
	formatJSON
)

// A document is a feed taken apart, but not parsed. An entry inherits from its
// document only what stands in the frame; everything else in the head may change
// (and lastBuildDate does, each time) without making an entry another.
type document struct {
	format  format
	frame   []byte   // the opening tags that an entry stands in: namespaces, xml:base
	close   []byte   // and the tags that close them
	entries [][]byte // the first maxEntries of them
	count   int      // all of them
	head    [][]byte // what is not an entry, in pieces
	inherit uint64   // hash of the frame and of what else entries take from the head
	prefix  map[string]string
	faults  []string
}

// Namespaces whose elements are RSS's or Atom's own, whatever their prefix.
var (
	rssSpaces = map[string]bool{
		"http://www.w3.org/1999/02/22-rdf-syntax-ns#":     true, // https://www.w3.org/TR/rdf-syntax-grammar/
		"http://purl.org/rss/1.0/":                        true, // https://web.resource.org/rss/1.0/spec
		"http://channel.netscape.com/rdf/simple/0.9/":     true, // https://www.rssboard.org/rss-0-9-0
		"http://my.netscape.com/rdf/simple/0.9/":          true,
		"http://backend.userland.com/rss2":                true,
		"http://blogs.law.harvard.edu/tech/rss":           true,
		"http://cyber.law.harvard.edu/rss/rss.html":       true,
		"http://www.rssboard.org/rss-specification":       true,
		"http://my.netscape.com/publish/formats/rss-0.91": true,
	}
	atomSpaces = map[string]bool{
		"http://www.w3.org/2005/Atom": true, // https://www.rfc-editor.org/rfc/rfc4287#section-2
		"http://purl.org/atom/ns#":    true, // Atom 0.3
	}
)

// errNotAFeed says what a document is instead.
type errNotAFeed struct{ what string }

func (e *errNotAFeed) Error() string { return e.what }

// split takes an XML document apart. Text must be UTF-8.
func split(text []byte) (*document, error) {
	d := &document{prefix: map[string]string{}}
	lead := bytes.TrimLeft(text, " \t\r\n\x00")
	if len(lead) == 0 {
		return nil, &errNotAFeed{"the document is empty"}
	}
	if lead[0] != '<' {
		at := bytes.IndexByte(lead, '<')
		if at < 0 || at > 1024 || !bytes.HasPrefix(lead[at:], []byte("<?xml")) {
			return nil, &errNotAFeed{fmt.Sprintf("the document is plain text that begins %q", clip(plainText(string(lead[:min(len(lead), 300)]), 60), 200))}
		}
		d.fault("text before the XML declaration was skipped")
	}

	s := scanner{text: text}
	root, ok := s.next()
	for ok && root.kind == closeTag {
		root, ok = s.next()
	}
	if !ok {
		return nil, &errNotAFeed{"the document holds no element"}
	}
	rootPrefix, local := root.parts(text)
	spaces := rssSpaces
	entryName := "item"
	switch strings.ToLower(string(local)) {
	case "rss", "rdf":
	case "feed":
		d.format, spaces, entryName = formatAtom, atomSpaces, "entry"
	default:
		return nil, &errNotAFeed{whatIsIt(text, string(local))}
	}
	native := map[string]bool{"": true, "rss": d.format == formatRSS, "rdf": d.format == formatRSS}
	if d.format == formatAtom {
		native[string(rootPrefix)] = true
	}
	note := func(t tag) {
		eachAttr(t.bytes(text), func(name, value string) {
			p, found := strings.CutPrefix(name, "xmlns:")
			if !found {
				return
			}
			value = strings.TrimSpace(value)
			d.prefix[p] = value
			if spaces[value] {
				native[p] = true
			}
		})
	}
	note(root)
	rootName, rootLocal := root.name(text), string(local)
	d.frame = append(d.frame, root.bytes(text)...)
	d.close = fmt.Appendf(nil, "</%s>", rootName)
	if root.kind == emptyTag {
		// An empty feed: nothing to put into the frame, and nothing inside.
		d.frame = append(bytes.TrimRight(d.frame[:len(d.frame)-2], " "), '>')
	}

	inChannel := func(channel tag) {
		d.frame = append(d.frame, channel.bytes(text)...)
		d.close = fmt.Appendf(nil, "</%s></%s>", channel.name(text), rootName)
	}
	channels := 0
	inherited := xxhash.New()
	gap := s.at // where the current piece of the head begins
	endGap := func(end int) {
		if piece := bytes.TrimSpace(text[gap:end]); len(piece) > 0 {
			d.head = append(d.head, piece)
		}
	}
	open := tag{start: -1} // the entry we are in
	tags, depth, deepest, allTags := 0, 0, 0, 0
	finish := func(end int, closed bool) {
		d.count++
		gap = end
		raw := text[open.start:end]
		open.start = -1
		switch {
		case d.count > maxEntries:
			return
		case len(raw) > maxEntryBytes:
			d.fault("entry %d is larger than %d bytes and was left out", d.count, maxEntryBytes)
			return
		case tags > maxEntryTags:
			d.fault("entry %d has more than %d elements and was left out", d.count, maxEntryTags)
			return
		case allTags+tags > maxTags:
			d.fault("entry %d was left out: the document has more than %d elements", d.count, maxTags)
			return
		}
		allTags += tags + 1
		if !closed {
			d.fault("entry %d has no end tag; it ends where the next begins", d.count)
		}
		if depth != 0 || deepest > maxDepth || s.stray > 0 {
			// encoding/xml would refuse it, or close elements at the wrong place.
			raw = scrub(raw)
		}
		d.entries = append(d.entries, raw)
	}

	ended := root.kind == emptyTag
	for !ended {
		t, ok := s.next()
		if !ok {
			break
		}
		prefix, local := t.parts(text)
		isEntry := len(local) == len(entryName) && bytes.EqualFold(local, []byte(entryName)) && native[string(prefix)]
		if open.start >= 0 {
			switch t.kind {
			case closeTag:
				depth--
				if isEntry {
					finish(t.end, true)
				}
			case openTag:
				tags++
				depth++
				deepest = max(deepest, depth)
				if isEntry {
					finish(t.start, false)
					gap = t.start
					open, tags, depth, deepest, s.stray = t, 0, 1, 1, 0
				}
			case emptyTag:
				tags++
			}
			continue
		}
		switch {
		case isEntry && t.kind != closeTag:
			endGap(t.start)
			open, tags, depth, deepest, s.stray = t, 0, 1, 1, 0
			if t.kind == emptyTag {
				depth = 0
				finish(t.end, true)
			}
		case t.kind == closeTag && t.name(text) == rootName:
			endGap(t.start)
			ended = true
		case d.format == formatRSS && bytes.EqualFold(local, []byte("channel")) && native[string(prefix)]:
			if t.kind != openTag {
				continue
			}
			// In RDF, items stand beside the channel, not in it.
			if channels++; channels == 1 && strings.EqualFold(rootLocal, "rss") {
				note(t)
				inChannel(t)
			}
		case t.kind == openTag || t.kind == emptyTag:
			// What entries take from the head: the site that their links are relative
			// to, and in Atom the author of those that name none.
			if bytes.EqualFold(local, []byte("link")) || d.format == formatAtom && bytes.EqualFold(local, []byte("author")) {
				end := t.end
				if t.kind == openTag {
					end = s.until(local)
				}
				_, _ = inherited.Write(text[t.start:end])
			}
		}
	}
	switch {
	case !ended && d.count == 0:
		return nil, errors.New("the document is cut off before the end of its first entry")
	case open.start >= 0:
		d.fault("the document is cut off inside entry %d, which was left out", d.count+1)
	case !ended:
		endGap(len(text))
		d.fault("the document is cut off before its end")
	}
	if d.count > maxEntries {
		d.fault("the document has %d entries; only the first %d were read", d.count, maxEntries)
	}
	if len(d.frame) > maxFrame || len(d.prefix) > maxSpaces {
		return nil, errors.New("the tags around the entries are too large")
	}
	_, _ = inherited.Write(d.frame)
	d.inherit = inherited.Sum64()
	return d, nil
}

// reduced appends to buf a document that holds only the given entries.
func (d *document) reduced(buf []byte, entries [][]byte) []byte {
	buf = append(buf, d.frame...)
	for _, e := range entries {
		if d.format == formatAtom {
			buf = appendAtom(buf, e)
		} else {
			buf = appendRSS(buf, e)
		}
		buf = append(buf, '\n')
	}
	return append(buf, d.close...)
}

// appendAtom appends an entry, with other names for the types html and xhtml of its
// texts. gofeed parses those into trees, to take off a <div> and to resolve links that
// nobody follows here; a text/html it unescapes, and a type it does not know it leaves
// alone, which is all we want of it.
func appendAtom(buf, e []byte) []byte {
	s := scanner{text: e}
	done := 0
	for t, ok := s.next(); ok; t, ok = s.next() {
		if t.kind != openTag {
			continue
		}
		switch _, local := t.parts(e); string(local) {
		case "title", "summary", "content", "rights":
		default:
			continue
		}
		at, end := t.nameEnd, t.end
		i := bytes.Index(e[at:end], []byte("type="))
		if i < 0 {
			continue
		}
		at += i + len("type=") + 1 // behind the quote
		switch {
		case at < end && bytes.HasPrefix(e[at:end], []byte("html")):
			buf = append(append(buf, e[done:at]...), "text/html"...)
			done = at + len("html")
		case at < end && bytes.HasPrefix(e[at:end], []byte("xhtml")):
			buf = append(append(buf, e[done:at]...), "markup"...)
			done = at + len("xhtml")
		}
	}
	return append(buf, e[done:]...)
}

// appendRSS appends an entry, with an RSS date in the usual form, "Mon, 02 Jan 2006
// 15:04:05 GMT", written as RFC 3339. gofeed tries over a hundred other forms before
// that one, which costs it more than the rest of the entry.
func appendRSS(buf, e []byte) []byte {
	const open = "<pubDate>"
	start := bytes.Index(e, []byte(open))
	if start < 0 || bytes.LastIndex(e[:start], []byte("<![CDATA[")) > bytes.LastIndex(e[:start], []byte("]]>")) {
		return append(buf, e...)
	}
	start += len(open)
	end := bytes.IndexByte(e[start:], '<')
	if end < 0 || end > 64 {
		return append(buf, e...)
	}
	text, found := bytes.CutSuffix(bytes.TrimSpace(e[start:start+end]), []byte(" GMT"))
	if !found {
		return append(buf, e...)
	}
	t, err := time.Parse("Mon, 2 Jan 2006 15:04:05", string(text))
	if err != nil {
		return append(buf, e...)
	}
	buf = append(buf, e[:start]...)
	buf = t.AppendFormat(buf, time.RFC3339)
	return append(buf, e[start+end:]...)
}

// headOnly returns a document without any entry, or nil where the head is too large
// or too deep to be worth reading.
func (d *document) headOnly() []byte {
	size, tags, depth, deepest := 0, 0, 0, 0
	for _, piece := range d.head {
		size += len(piece)
		s := scanner{text: piece}
		for t, ok := s.next(); ok; t, ok = s.next() {
			tags++
			switch t.kind {
			case openTag:
				depth++
			case closeTag:
				depth--
			}
			deepest = max(deepest, depth)
		}
	}
	if size > maxHead || tags > maxEntryTags || deepest > maxDepth {
		return nil
	}
	// The pieces hold the channel's own tags, if there are any; the frame's copy of
	// them is left out.
	root := scanner{text: d.frame}
	t, _ := root.next()
	out := bytes.Clone(d.frame[:t.end])
	for _, piece := range d.head {
		out = append(out, piece...)
		out = append(out, '\n')
	}
	if !bytes.Contains(out, []byte("</channel")) && bytes.Contains(out, []byte("<channel")) {
		out = append(out, "</channel>"...)
	}
	return append(out, "</"+t.name(d.frame)+">"...)
}

func (d *document) fault(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

// whatIsIt names a document that is not a feed, with the title of the page if it is
// one.
func whatIsIt(text []byte, root string) string {
	switch strings.ToLower(root) {
	case "html", "head", "body", "title", "meta", "div", "script", "link", "p", "h1", "center", "span", "table", "style", "br", "b":
		if title := pageTitle(text); title != "" {
			return fmt.Sprintf("the document is a web page, not a feed: %q", title)
		}
		return "the document is a web page, not a feed"
	case "urlset", "sitemapindex":
		return "the document is a site map, not a feed"
	case "opml":
		return "the document is an OPML list of feeds, not a feed"
	}
	return fmt.Sprintf("the document is XML, but <%s> is no feed", clip(root, 40))
}

// tagKind tells start tags, end tags and empty-element tags apart.
type tagKind uint8

const (
	openTag tagKind = iota
	closeTag
	emptyTag
)

// A tag is text[start:end], "<…>".
type tag struct {
	start, end int
	nameStart  int
	nameEnd    int
	kind       tagKind
}

func (t tag) bytes(text []byte) []byte { return text[t.start:t.end] }
func (t tag) name(text []byte) string  { return string(text[t.nameStart:t.nameEnd]) }

// parts splits the tag's name at its colon.
func (t tag) parts(text []byte) (prefix, local []byte) {
	n := text[t.nameStart:t.nameEnd]
	if i := bytes.IndexByte(n, ':'); i >= 0 {
		return n[:i], n[i+1:]
	}
	return nil, n
}

// A scanner finds tags and jumps over everything else: text, comments, CDATA,
// processing instructions, DOCTYPE. It never fails; what is not a tag is text.
type scanner struct {
	text  []byte
	at    int
	stray int // how often '<' began nothing
}

// next returns the next tag. ok is false at the end of the text, and where the text
// ends inside of something.
func (s *scanner) next() (t tag, ok bool) {
	for {
		i := bytes.IndexByte(s.text[s.at:], '<')
		if i < 0 {
			s.at = len(s.text)
			return tag{}, false
		}
		start := s.at + i
		rest := s.text[start:]
		switch {
		case len(rest) < 2:
			s.at = len(s.text)
			return tag{}, false
		case rest[1] == '!':
			if !s.skipDeclaration(start) {
				return tag{}, false
			}
		case rest[1] == '?':
			if !s.skipTo(start+2, "?>") {
				return tag{}, false
			}
		case rest[1] == '/' || isNameStart(rest[1]):
			end := tagEnd(s.text, start+1)
			if end < 0 {
				s.at = len(s.text)
				return tag{}, false
			}
			s.at = end
			t := tag{start: start, end: end, nameStart: start + 1}
			switch {
			case rest[1] == '/':
				t.kind = closeTag
				t.nameStart++
			case s.text[end-2] == '/':
				t.kind = emptyTag
			}
			t.nameEnd = t.nameStart
			for t.nameEnd < end-1 && !isNameEnd(s.text[t.nameEnd]) {
				t.nameEnd++
			}
			return t, true
		default:
			s.at = start + 1 // "a < b"
			s.stray++
		}
	}
}

// until moves behind the end tag with the given local name and returns where that
// is; if there is none before the next start tag of that name, it stays.
func (s *scanner) until(local []byte) int {
	back := s.at
	for {
		t, ok := s.next()
		if !ok {
			s.at = back
			return back
		}
		if _, l := t.parts(s.text); bytes.EqualFold(l, local) {
			if t.kind == closeTag {
				return t.end
			}
			s.at = back
			return back
		}
	}
}

func (s *scanner) skipTo(from int, mark string) bool {
	i := bytes.Index(s.text[from:], []byte(mark))
	if i < 0 {
		s.at = len(s.text)
		return false
	}
	s.at = from + i + len(mark)
	return true
}

// skipDeclaration jumps over "<!…": a comment, a CDATA section, or a DOCTYPE, whose
// internal subset may hold entities. They are never expanded.
func (s *scanner) skipDeclaration(start int) bool {
	rest := s.text[start:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return s.skipTo(start+4, "-->")
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		return s.skipTo(start+9, "]]>")
	}
	subset := 0
	for i := start + 2; i < len(s.text); i++ {
		switch c := s.text[i]; c {
		case '"', '\'':
			if n := bytes.IndexByte(s.text[i+1:], c); n >= 0 {
				i += n + 1
			}
		case '[':
			subset++
		case ']':
			subset--
		case '>':
			if subset <= 0 {
				s.at = i + 1
				return true
			}
		}
	}
	s.at = len(s.text)
	return false
}

// tagEnd returns the index behind the '>' that ends the tag, or -1. A '>' inside a
// quoted attribute is part of it; a quote that is not closed before the next '<'
// was an apostrophe.
func tagEnd(text []byte, i int) int {
	for ; i < len(text); i++ {
		switch c := text[i]; c {
		case '>':
			return i + 1
		case '<':
			return i // a tag that was never closed; encoding/xml will judge it
		case '"', '\'':
			for j := i + 1; j < len(text) && text[j] != '<'; j++ {
				if text[j] == c {
					i = j
					break
				}
			}
		}
	}
	return -1
}

func isNameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

func isNameEnd(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '/' || c == '>' || c == '<'
}

// eachAttr calls f with each attribute of a tag, its value unescaped.
func eachAttr(tag []byte, f func(name, value string)) {
	i := 1
	for i < len(tag) && !isNameEnd(tag[i]) {
		i++
	}
	for i < len(tag) {
		for i < len(tag) && (isNameEnd(tag[i]) || tag[i] == '=') {
			i++
		}
		start := i
		for i < len(tag) && !isNameEnd(tag[i]) && tag[i] != '=' {
			i++
		}
		name := string(tag[start:i])
		for i < len(tag) && (tag[i] == ' ' || tag[i] == '\t' || tag[i] == '\r' || tag[i] == '\n') {
			i++
		}
		if i >= len(tag) || tag[i] != '=' {
			continue
		}
		i++
		for i < len(tag) && (tag[i] == ' ' || tag[i] == '\t' || tag[i] == '\r' || tag[i] == '\n') {
			i++
		}
		if i >= len(tag) || tag[i] != '"' && tag[i] != '\'' {
			continue
		}
		n := bytes.IndexByte(tag[i+1:], tag[i])
		if n < 0 {
			return
		}
		f(name, html.UnescapeString(string(tag[i+1:i+1+n])))
		i += n + 2
	}
}
