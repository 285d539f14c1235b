package catalog

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"seedcorn/feeds"
)

// Limits on an OPML file. A stranger wrote it.
const (
	maxOPML     = 16 << 20 // bytes
	maxDepth    = 64       // outlines in outlines
	maxOutlines = 50_000
	maxFaults   = 1_000 // reported; the rest are counted
)

// namespace is of our own attributes in an OPML file. OPML 2.0 allows attributes
// it does not define if they are in a namespace:
// http://opml.org/spec2.opml#1629042982000
const namespace = "urn:x-seedcorn:opml"

// ReadOPML reads the sources of an OPML file (http://opml.org/spec2.opml), all
// folders flattened, with addresses of the real services. See [Bases.ReadOPML].
func ReadOPML(r io.Reader) (sources []feeds.Source, faults []string, err error) {
	return DefaultBases.ReadOPML(r)
}

// ReadOPML reads the sources of an OPML file: every outline with an xmlUrl, and
// every other one that [WriteOPML] wrote. faults are outlines that were left out
// and why, in the order of the file. The error is for a file that is no OPML at
// all, too large or cut off; sources then holds what was read until there.
//
// What the file says about labs is passed on as it stands. An import is the
// operator's act; a caller that reads a stranger's file clears Lab and Official.
func (b Bases) ReadOPML(r io.Reader) (sources []feeds.Source, faults []string, err error) {
	limited := &io.LimitedReader{R: r, N: maxOPML + 1}
	d := xml.NewDecoder(bufio.NewReader(limited))
	// Files in the wild carry bare ampersands and HTML's entities. Entities that
	// the file itself declares are never expanded: encoding/xml skips DOCTYPE.
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = charset.NewReaderLabel

	left := 0
	fault := func(format string, args ...any) {
		if len(faults) < maxFaults {
			faults = append(faults, fmt.Sprintf(format, args...))
		} else {
			left++
		}
	}
	defer func() {
		if left > 0 {
			faults = append(faults, fmt.Sprintf("and %d more", left))
		}
	}()

	seen := map[feeds.SourceID]bool{}
	root, depth, n := "", 0, 0
	for {
		tok, err := d.Token()
		switch {
		case limited.N <= 0:
			return sources, faults, fmt.Errorf("reading OPML: the file is larger than %d MiB", maxOPML>>20)
		case errors.Is(err, io.EOF) && root == "opml" && depth == 0:
			return sources, faults, nil
		case errors.Is(err, io.EOF) && root == "":
			return nil, nil, errors.New("reading OPML: the file is empty or not XML")
		case err != nil:
			return sources, faults, fmt.Errorf("reading OPML: line %d: %w", lineOf(d), err)
		}
		switch el := tok.(type) {
		case xml.EndElement:
			depth--
			if depth == 0 {
				return sources, faults, nil
			}
		case xml.StartElement:
			depth++
			name := strings.ToLower(el.Name.Local)
			if root == "" {
				if root = name; root != "opml" {
					return nil, nil, fmt.Errorf("reading OPML: the file is a %s document, not OPML", shorten(el.Name.Local))
				}
			}
			if depth > maxDepth {
				return sources, faults, fmt.Errorf("reading OPML: line %d: more than %d elements deep", lineOf(d), maxDepth)
			}
			if name != "outline" {
				continue
			}
			if n++; n > maxOutlines {
				return sources, faults, fmt.Errorf("reading OPML: more than %d outlines", maxOutlines)
			}
			src, ok, err := b.outline(el.Attr)
			switch {
			case err != nil:
				fault("line %d: %v", lineOf(d), err)
			case ok && seen[src.ID]:
				fault("line %d: %s is in the file twice", lineOf(d), shorten(redact(string(src.ID))))
			case ok:
				seen[src.ID] = true
				sources = append(sources, src)
			}
		}
	}
}

func lineOf(d *xml.Decoder) int {
	line, _ := d.InputPos()
	return line
}

// outline reads one outline's attributes. ok is false for a folder, a note or a
// link, which are no sources.
func (b Bases) outline(attrs []xml.Attr) (src feeds.Source, ok bool, err error) {
	var text, title, address, site, ours string
	var lab, official, every, paused string
	for _, a := range attrs {
		v := strings.TrimSpace(a.Value)
		if a.Name.Space == namespace || a.Name.Space == "seedcorn" {
			switch a.Name.Local {
			case "source":
				ours = v
			case "lab":
				lab = v
			case "official":
				official = v
			case "every":
				every = v
			case "paused":
				paused = v
			}
			continue
		}
		if a.Name.Space != "" {
			continue
		}
		switch strings.ToLower(a.Name.Local) { // "xmlurl" occurs
		case "text":
			text = v
		case "title":
			title = v
		case "xmlurl":
			address = v
		case "htmlurl":
			site = v
		}
	}
	what := ours
	if what == "" {
		what = address
	}
	if what == "" {
		return feeds.Source{}, false, nil
	}
	if src, err = b.Parse(what); err != nil {
		return feeds.Source{}, false, err
	}
	if title == "" {
		title = text
	}
	if title = plain(title); title != "" {
		src.Title = title
	}
	if page, err := webPage(site); err == nil {
		src.Site = page
	}
	if ours == "" {
		return src, true, nil
	}
	src.Lab = feeds.LabID(labID(lab))
	src.Official = official == "true"
	src.Paused = paused == "true"
	src.Every = 0
	if d, err := time.ParseDuration(every); err == nil && d >= time.Minute {
		src.Every = d
	}
	return src, true, nil
}

// webPage returns a web page's address as it is, or an error if it is none.
func webPage(s string) (string, error) {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return "", errors.New("not a web address")
	}
	if _, err := address(s); err != nil {
		return "", err
	}
	return s, nil
}

// plain folds white space and control characters and bounds a title.
func plain(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "�"), func(r rune) bool {
		return r < ' ' || r == ' ' || r >= 0x7f && r <= 0xa0
	}), " ")
	if r := []rune(s); len(r) > feeds.MaxTitle {
		s = strings.TrimSpace(string(r[:feeds.MaxTitle]))
	}
	return s
}

// labID returns s if it can be the id of a lab, else "".
func labID(s string) string {
	if len(s) > 100 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-:") != "" {
		return ""
	}
	return s
}

// folders are the kinds in the order in which they are written, with the name of
// the folder each goes into.
var folders = []struct {
	name  string
	kinds []feeds.SourceKind
}{
	{"Feeds", []feeds.SourceKind{feeds.KindFeed}},
	{"Papers", []feeds.SourceKind{feeds.KindArXiv, feeds.KindArXivQuery, feeds.KindDailyPapers}},
	{"Hugging Face", []feeds.SourceKind{feeds.KindHuggingFace}},
	{"GitHub", []feeds.SourceKind{feeds.KindGitHub, feeds.KindReleases}},
}

// WriteOPML writes sources as OPML 2.0 (http://opml.org/spec2.opml), in one folder
// for each kind. Any feed reader can subscribe to what is a feed: blogs, arXiv
// listings, releases. Sources that are none are written as links, which other
// readers pass over; [ReadOPML] reads all of them back, in the order of the file.
// The error is w's.
func WriteOPML(w io.Writer, title string, sources []feeds.Source) error {
	bw := bufio.NewWriter(w)
	fmt.Fprintf(bw, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\" xmlns:seedcorn=%q>\n", namespace)
	fmt.Fprintf(bw, "  <head>\n    <title>%s</title>\n    <docs>http://opml.org/spec2.opml</docs>\n  </head>\n  <body>\n", escape(title))
	for _, f := range folders {
		open := false
		for _, k := range f.kinds {
			for _, s := range sources {
				if s.Kind != k {
					continue
				}
				if !open {
					fmt.Fprintf(bw, "    <outline text=\"%s\">\n", escape(f.name))
					open = true
				}
				writeOutline(bw, s)
			}
		}
		if open {
			fmt.Fprint(bw, "    </outline>\n")
		}
	}
	fmt.Fprint(bw, "  </body>\n</opml>\n")
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("writing OPML: %w", err)
	}
	return nil
}

func writeOutline(w io.Writer, s feeds.Source) {
	attr := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, " %s=\"%s\"", name, escape(value))
		}
	}
	title := s.Title
	if title == "" {
		title = string(s.ID)
	}
	fmt.Fprint(w, "      <outline")
	attr("text", title)
	attr("title", title)
	switch s.Kind {
	case feeds.KindHuggingFace, feeds.KindGitHub, feeds.KindDailyPapers, feeds.KindArXivQuery:
		attr("type", "link")
		attr("url", s.Site)
	default:
		attr("type", "rss")
		attr("xmlUrl", s.URL)
	}
	attr("htmlUrl", s.Site)
	attr("seedcorn:source", string(s.ID))
	attr("seedcorn:lab", string(s.Lab))
	if s.Official {
		attr("seedcorn:official", "true")
	}
	if s.Paused {
		attr("seedcorn:paused", "true")
	}
	if s.Every > 0 {
		attr("seedcorn:every", s.Every.String())
	}
	fmt.Fprint(w, "/>\n")
}

// escape makes s safe inside a quoted attribute or an element.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
