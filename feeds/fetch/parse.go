package fetch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
	"github.com/mmcdole/gofeed/rss"

	"seedcorn/feeds"
)

// A Refiner finishes an item of a service whose extensions we know nothing of here,
// such as arXiv's. It may change everything in it, its ID included, and returns false
// for an entry that is no item at all.
//
// Ext holds what the entry says beyond RSS and Atom, in document order:
//
//	"prefix:name"        text of each extension element: "arxiv:announce_type", "dc:rights"
//	"prefix:name@attr"   value of an attribute of one: "arxiv:primary_category@term"
//	"arxiv:affiliation"  of the authors of an Atom entry, the first author's first;
//	                     the same for any other extension element inside of an author
//	"link:rel"           target of each Atom link, by relation: "link:related"
//	"link:title"         and by its title in lower case, if it has one: "link:pdf", "link:doi"
//	"rights"             text of Atom's own rights element
//
// Prefixes are the usual ones (dc, media, arxiv, …) whatever the document calls them;
// names are in lower case. The item's text has not been searched for claims.
type Refiner func(it *feeds.Item, ext map[string][]string) (keep bool)

const (
	// stateVersion is part of State.Head: when items are made in another way, all
	// entries are read again.
	stateVersion = 1
	// gofeed is given this much at a time, so that a document made of nothing but
	// tags never stands in memory as a whole.
	chunkBytes   = 256 << 10
	chunkEntries = 500
	// An entry that gofeed refuses is found by halving; a document full of them is
	// given up on after so many attempts.
	maxAttempts = 1_000
	maxFaults   = 20
)

// Parse reads a feed: RSS, Atom or JSON Feed in any charset. Last is the state of the
// source's last good visit; entries that were in the document then, and look the same
// now, are not read again, unless something they inherit changed. Now is when the
// document was fetched, and bounds the dates that are believed.
//
// The pull's State has Head and Entries only; the validators are the caller's. Its
// items are in the order of their dates, oldest first.
//
// The error is a *[feeds.Trouble]: TroubleNotAFeed, naming what the document is, or
// TroubleMalformed. Entries that cannot be read are faults of the pull.
func Parse(body []byte, contentType string, src feeds.Source, last feeds.State, now time.Time) (feeds.Pull, error) {
	return ParseRefined(body, contentType, src, last, now, nil)
}

// ParseRefined is [Parse] with a refiner for the items, which may be nil.
func ParseRefined(body []byte, contentType string, src feeds.Source, last feeds.State, now time.Time, refine Refiner) (feeds.Pull, error) {
	return parseDocument(body, contentType, src, last, now, refine, nil)
}

// parseDocument has two refiners: one for every entry, and one for entries that arXiv wrote
// in a feed of which nobody said that it is arXiv's.
func parseDocument(body []byte, contentType string, src feeds.Source, last feeds.State, now time.Time, refine, arxiv Refiner) (feeds.Pull, error) {
	text, remark := toUTF8(body, contentType)
	d, err := takeApart(text)
	if err != nil {
		return feeds.Pull{}, malformed(src, err)
	}
	if remark != "" {
		d.fault("%s", remark)
	}

	pull := feeds.Pull{Entries: d.count}
	pull.State.Head = headHash(d, src)
	var known []uint64
	if last.Head == pull.State.Head {
		known = unpackHashes(last.Entries)
	}
	hashes := make([]uint64, len(d.entries))
	fresh := make([][]byte, 0, min(len(d.entries), 64))
	seen := make(map[uint64]bool)
	for i, e := range d.entries {
		h := xxhash.Sum64(e)
		hashes[i] = h
		if _, found := slices.BinarySearch(known, h); !found && !seen[h] {
			seen[h] = true
			fresh = append(fresh, e)
		}
	}
	slices.Sort(hashes)
	pull.State.Entries = packHashes(hashes)

	if len(fresh) > 0 {
		r := reader{doc: d, src: src, now: now, refine: refine, arxiv: arxiv}
		r.head()
		pull.Title = r.title
		r.read(fresh)
		pull.Items = r.items
		// Feeds are newest first; reversed, entries without a date of their own stay
		// in their order too.
		slices.Reverse(pull.Items)
		slices.SortStableFunc(pull.Items, func(a, b feeds.Item) int { return a.Date().Compare(b.Date()) })
	} else if last.Head == pull.State.Head {
		pull.Unchanged = true
	} else {
		r := reader{doc: d, src: src, now: now}
		r.head()
		pull.Title = r.title
	}
	pull.Faults = bounded(d.faults)
	return pull, nil
}

func takeApart(text []byte) (*document, error) {
	if lead := bytes.TrimLeft(text, " \t\r\n"); len(lead) > 0 && (lead[0] == '{' || lead[0] == '[') {
		return splitJSON(lead)
	}
	return split(text)
}

func malformed(src feeds.Source, err error) error {
	t := &feeds.Trouble{Kind: feeds.TroubleMalformed, Source: src.ID, Err: err}
	if u, perr := url.Parse(src.URL); perr == nil {
		t.URL = Redact(u)
	}
	var not *errNotAFeed
	if errors.As(err, &not) {
		t.Kind = feeds.TroubleNotAFeed
	}
	return t
}

// headHash is of all that an item is made of besides its entry.
func headHash(d *document, src feeds.Source) string {
	h := xxhash.New()
	// Of the address only what links are relative to: a redirect may sign its query.
	address, _, _ := strings.Cut(src.URL, "?")
	_, _ = fmt.Fprintf(h, "%d\x00%d\x00%016x\x00%s\x00%s\x00%s\x00%s\x00%t", stateVersion, d.format, d.inherit, src.ID, src.Kind, address, src.Lab, src.Official)
	return strconv.FormatUint(h.Sum64(), 16)
}

func packHashes(hashes []uint64) []byte {
	out := make([]byte, 0, 8*len(hashes))
	for _, h := range hashes {
		out = binary.LittleEndian.AppendUint64(out, h)
	}
	return out
}

// unpackHashes returns the hashes in order, whoever wrote them.
func unpackHashes(b []byte) []uint64 {
	out := make([]uint64, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		out = append(out, binary.LittleEndian.Uint64(b))
	}
	if !slices.IsSorted(out) {
		slices.Sort(out)
	}
	return out
}

func bounded(faults []string) []string {
	if len(faults) <= maxFaults {
		return faults
	}
	return append(faults[:maxFaults:maxFaults], fmt.Sprintf("and %d more", len(faults)-maxFaults))
}

// A reader makes items of entries.
type reader struct {
	doc    *document
	src    feeds.Source
	now    time.Time
	refine Refiner
	arxiv  Refiner

	title   string
	base    *url.URL // what relative links are relative to
	authors []string // who wrote the entries that name no author

	items    []feeds.Item
	attempts int
	buf      []byte
}

// An entry is what gofeed made of one: its common form and one of the others.
type entry struct {
	*gofeed.Item
	rss  *rss.Item
	atom *atom.Entry
	json *jsonItem
	raw  []byte
}

// head reads what entries inherit, and the feed's title.
func (r *reader) head() {
	r.base, _ = url.Parse(r.src.URL)
	if r.base == nil {
		r.base = &url.URL{}
	}
	site := ""
	switch r.doc.format {
	case formatJSON:
		h := readJSONHead(r.doc.frame)
		r.title, site, r.authors = h.Title, h.HomePageURL, h.authors()
	default:
		text := r.doc.headOnly()
		if text == nil {
			r.doc.fault("the head of the feed is too large; its title was not read")
			return
		}
		if r.doc.format == formatAtom {
			f, err := (&atom.Parser{}).Parse(bytes.NewReader(text))
			if err != nil {
				f, err = (&atom.Parser{}).Parse(bytes.NewReader(scrub(text)))
			}
			if err != nil {
				r.doc.fault("reading the head of the feed: %v", err)
				return
			}
			r.title = f.Title
			for _, l := range f.Links {
				if site == "" && l.Rel == "alternate" {
					site = l.Href
				}
			}
			r.authors = personNames(f.Authors)
			break
		}
		f, err := (&rss.Parser{}).Parse(bytes.NewReader(text))
		if err != nil {
			f, err = (&rss.Parser{}).Parse(bytes.NewReader(scrub(text)))
		}
		if err != nil {
			r.doc.fault("reading the head of the feed: %v", err)
			return
		}
		r.title, site = f.Title, f.Link
	}
	r.title = plainText(r.title, feeds.MaxTitle)
	if u, err := url.Parse(site); err == nil && site != "" {
		if u = r.base.ResolveReference(u); u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			r.base = u
		}
	}
}

// read makes items of entries, a chunk at a time.
func (r *reader) read(entries [][]byte) {
	r.items = make([]feeds.Item, 0, len(entries))
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && n < chunkEntries && (n == 0 || size+len(entries[n]) <= chunkBytes) {
			size += len(entries[n])
			n++
		}
		r.chunk(entries[:n])
		entries = entries[n:]
	}
}

// chunk has gofeed read entries. If it cannot, or finds more or less in them than we
// did, one of them is broken: halving finds it.
func (r *reader) chunk(entries [][]byte) {
	if r.attempts++; r.attempts > maxAttempts {
		r.doc.fault("%d entries were left out after too many broken ones", len(entries))
		return
	}
	found, err := r.gofeed(entries)
	if err == nil && len(found) == len(entries) {
		for _, e := range found {
			r.add(e)
		}
		return
	}
	if len(entries) > 1 {
		half := len(entries) / 2
		r.chunk(entries[:half])
		r.chunk(entries[half:])
		return
	}
	if r.doc.format != formatJSON {
		r.attempts++
		repaired, rerr := r.gofeed([][]byte{scrub(entries[0])})
		if rerr == nil && len(repaired) > 0 {
			r.add(repaired[0])
			return
		}
		err = cmp.Or(err, rerr)
	}
	if err == nil {
		err = errors.New("it holds no entry")
	}
	r.doc.fault("an entry was left out: %s", clip(err.Error(), 200))
}

var (
	// Looking for pictures in each item's HTML would cost more than everything else.
	rssTranslator  = &gofeed.DefaultRSSTranslator{DisableContentImageScan: true}
	atomTranslator = &gofeed.DefaultAtomTranslator{}
)

// gofeed parses a document reduced to the given entries.
func (r *reader) gofeed(entries [][]byte) ([]entry, error) {
	if r.doc.format == formatJSON {
		return readJSONItems(entries)
	}
	r.buf = r.doc.reduced(r.buf[:0], entries)
	var (
		common *gofeed.Feed
		of     func(i int) entry
	)
	if r.doc.format == formatAtom {
		f, err := (&atom.Parser{}).Parse(bytes.NewReader(r.buf))
		if err != nil {
			return nil, err
		}
		if common, err = atomTranslator.Translate(f); err != nil {
			return nil, err
		}
		of = func(i int) entry { return entry{Item: common.Items[i], atom: f.Entries[i]} }
	} else {
		f, err := (&rss.Parser{}).Parse(bytes.NewReader(r.buf))
		if err != nil {
			return nil, err
		}
		if common, err = rssTranslator.Translate(f); err != nil {
			return nil, err
		}
		of = func(i int) entry { return entry{Item: common.Items[i], rss: f.Items[i]} }
	}
	out := make([]entry, len(common.Items))
	for i := range common.Items {
		out[i] = of(i)
		if i < len(entries) {
			out[i].raw = entries[i]
		}
	}
	return out, nil
}

// scrub rewrites broken XML so that encoding/xml reads it: stray '<' and "]]>" are
// escaped, characters XML has no place for are dropped, comments and instructions
// too, and tags are balanced.
func scrub(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+64)
	var open []string
	endless := false // a comment or instruction was not closed; looking again costs n²
	for i := 0; i < len(raw); {
		rest := raw[i:]
		switch {
		case rest[0] == '<' && bytes.HasPrefix(rest, []byte("<![CDATA[")):
			n := bytes.Index(rest, []byte("]]>"))
			if n < 0 {
				out = append(append(out, rest...), "]]>"...)
				i = len(raw)
				continue
			}
			out = append(out, rest[:n+3]...)
			i += n + 3
		case rest[0] == '<' && len(rest) > 1 && (rest[1] == '!' || rest[1] == '?'):
			s := scanner{text: raw, at: i}
			ok := false
			switch {
			case endless:
			case rest[1] == '!':
				ok = s.skipDeclaration(i)
			default:
				ok = s.skipTo(i+2, "?>")
			}
			if ok {
				i = s.at
			} else {
				endless = true
				out = append(out, "&lt;"...)
				i++
			}
		case rest[0] == '<' && len(rest) > 2 && (isASCIILetter(rest[1]) || rest[1] == '/' && isASCIILetter(rest[2])):
			s := scanner{text: raw, at: i}
			t, ok := s.next()
			if !ok || t.start != i || raw[t.end-1] != '>' {
				out = append(out, "&lt;"...)
				i++
				continue
			}
			i = t.end
			name := t.name(raw)
			switch t.kind {
			case openTag:
				if len(open) >= maxDepth {
					continue
				}
				open = append(open, name)
			case closeTag:
				at := lastIndex(open, name)
				if at < 0 {
					continue
				}
				for len(open) > at+1 {
					out = append(out, "</"+open[len(open)-1]+">"...)
					open = open[:len(open)-1]
				}
				open = open[:at]
			}
			out = append(out, t.bytes(raw)...)
		case rest[0] == '<':
			out = append(out, "&lt;"...)
			i++
		case rest[0] == ']' && bytes.HasPrefix(rest, []byte("]]>")):
			out = append(out, "]]&gt;"...)
			i += 3
		case rest[0] == '&' && bytes.HasPrefix(rest, []byte("&#")):
			n := bytes.IndexByte(rest[:min(len(rest), 16)], ';')
			if n > 0 && legalReference(rest[2:n]) {
				out = append(out, rest[:n+1]...)
			}
			i += max(n+1, 2)
		default:
			r, n := utf8.DecodeRune(rest)
			if legalRune(r) && (r != utf8.RuneError || n > 1) {
				out = append(out, rest[:n]...)
			}
			i += n
		}
	}
	for i := len(open) - 1; i >= 0; i-- {
		out = append(out, "</"+open[i]+">"...)
	}
	return out
}

func isASCIILetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }

func lastIndex(s []string, v string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == v {
			return i
		}
	}
	return -1
}

// legalReference reads the digits of a character reference, "65" or "x41".
func legalReference(digits []byte) bool {
	s, base := string(digits), 10
	if len(s) > 0 && (s[0] == 'x' || s[0] == 'X') {
		s, base = s[1:], 16
	}
	n, err := strconv.ParseInt(s, base, 32)
	return err == nil && legalRune(rune(n))
}

// legalRune reports whether XML may hold r.
// Source: https://www.w3.org/TR/xml/#charsets
func legalRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || 0x20 <= r && r <= 0xd7ff || 0xe000 <= r && r <= 0xfffd || 0x10000 <= r && r <= 0x10ffff
}
