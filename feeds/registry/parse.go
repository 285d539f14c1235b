package registry

import (
	_ "embed" // the data files below
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/feeds"
)

// The embedded files, each a string so that the values cut out of it share its
// memory.
var (
	//go:embed data/labs-companies.txt
	companiesText string
	//go:embed data/labs-institutes.txt
	institutesText string
	//go:embed data/labs-universities.txt
	universitiesText string
	//go:embed data/licenses.txt
	licensesText string
	//go:embed data/version.txt
	versionText string
)

// A source is one data file.
type source struct{ name, text string }

func embedded() []source {
	return []source{
		{"labs-companies.txt", companiesText},
		{"labs-institutes.txt", institutesText},
		{"labs-universities.txt", universitiesText},
		{"licenses.txt", licensesText},
	}
}

func dataVersion() string { return strings.TrimSpace(versionText) }

// MaxFile is the size above which [Load] refuses a data file, in bytes. The
// largest embedded one has less than a megabyte.
const MaxFile = 64 << 20

// Load reads an operator's own registry: every labs*.txt and licenses*.txt at the
// root of fsys, in the form described at the top of this package. It returns all
// faults at once, those of form and those that [Check] finds, each with file and
// line. The registry is usable even then: a broken record is left out, a broken
// field is ignored.
func Load(fsys fs.FS) (*Registry, []Fault) { return load(nil, fsys) }

// Extend returns r with an operator's own files added, checked together. Faults
// of the operator's entries carry file and line.
func (r *Registry) Extend(fsys fs.FS) (*Registry, []Fault) { return load(r, fsys) }

func load(base *Registry, fsys fs.FS) (*Registry, []Fault) {
	p := parser{track: true}
	if base != nil {
		p.labs, p.licenses, p.variants = slices.Clone(base.labs), slices.Clone(base.licenses), slices.Clone(base.variants)
		p.labLines, p.licenseLines = make([]lines, len(p.labs)), make([]lines, len(p.licenses))
	}
	files, err := readAll(fsys)
	if err != nil {
		p.faults = append(p.faults, Fault{What: err.Error(), Hint: "give a folder with labs*.txt and licenses*.txt that can be read"})
	}
	for _, f := range files {
		p.file(f.name, f.text)
	}
	if err == nil && len(files) == 0 {
		p.faults = append(p.faults, Fault{What: "no labs*.txt or licenses*.txt found", Hint: "give the folder that holds them"})
	}
	for _, c := range check(p.labs, p.licenses, p.variants) {
		p.faults = append(p.faults, p.place(c))
	}
	slices.SortStableFunc(p.faults, func(a, b Fault) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return build(p, func() string {
		if base != nil {
			return base.Version() + "+" + digest(files)
		}
		return digest(files)
	}), p.faults
}

func readAll(fsys fs.FS) ([]source, error) {
	if fsys == nil {
		return nil, errors.New("reading registry: no folder given")
	}
	var files []source
	var errs []error
	for _, pattern := range []string{"labs*.txt", "licenses*.txt"} {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return files, fmt.Errorf("reading registry: %w", err)
		}
		slices.Sort(names)
		for _, name := range names {
			if info, err := fs.Stat(fsys, name); err == nil && info.Size() > MaxFile {
				errs = append(errs, fmt.Errorf("reading registry: %s has %d bytes, more than %d", name, info.Size(), MaxFile))
				continue
			}
			b, err := fs.ReadFile(fsys, name)
			if err != nil {
				errs = append(errs, fmt.Errorf("reading registry: %w", err))
				continue
			}
			files = append(files, source{name, strings.ToValidUTF8(string(b), "\uFFFD")})
		}
	}
	return files, errors.Join(errs...)
}

// lines remembers where the parts of a record stand, for faults that are found
// only when all records are known.
type lines struct {
	file string
	head int
	at   []valueLine
}

type valueLine struct {
	field, value string
	line         int
}

// of returns the line of a field's value: the n-th line of the field where value
// is "#n" (from 0), else the line on which the value stands, else the field's
// first, else the record's head.
func (l lines) of(field, value string) int {
	first, nth := 0, 0
	for _, v := range l.at {
		if v.field != field {
			continue
		}
		if v.value == value || value == "#"+strconv.Itoa(nth) {
			return v.line
		}
		if first == 0 {
			first = v.line
		}
		nth++
	}
	if first == 0 || field == "alias" { // names stand in several fields
		for _, v := range l.at {
			if v.value == value {
				return v.line
			}
		}
	}
	if first == 0 {
		return l.head
	}
	return first
}

// A parser turns data files into records. The zero parser is ready for use.
type parser struct {
	track        bool // remember lines
	labs         []feeds.Lab
	licenses     []feeds.License
	labLines     []lines
	licenseLines []lines
	variants     []variant
	faults       []Fault
}

// A variant is the hash of another text of a license, as "text" lists it after
// the first: with or without a title, with or without an appendix.
type variant struct {
	license string
	hash    string
}

func (p *parser) place(c complaint) Fault {
	f := Fault{ID: c.id, What: c.what, Hint: c.hint}
	table := p.labLines
	if c.license {
		table = p.licenseLines
	}
	if c.index < len(table) {
		f.File, f.Line = table[c.index].file, table[c.index].of(c.field, c.value)
	}
	return f
}

// file reads one data file; its name says what it holds.
func (p *parser) file(name, text string) {
	isLicense := strings.HasPrefix(name, "licenses")
	id := ""     // of the current record; "" before the first and in a broken one
	skip := true // fields belong to no usable record
	n := 0
	fault := func(what, hint string) {
		p.faults = append(p.faults, Fault{File: name, Line: n, ID: id, What: what, Hint: hint})
	}
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		n++
		line = strings.TrimRight(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, found := strings.Cut(strings.TrimLeft(line, " \t"), ":")
		value = strings.TrimSpace(value)
		if line[0] != ' ' && line[0] != '\t' { // a new record
			id, skip = key, false
			if !found || value == "" || !validID(key) {
				fault(fmt.Sprintf("not a record: %s", clip(line)), `a record begins with "id: Name"; fields are indented`)
				skip = true
				continue
			}
			at := lines{file: name, head: n}
			if isLicense {
				p.licenses = append(p.licenses, feeds.License{ID: key, Name: value})
				if p.track {
					p.licenseLines = append(p.licenseLines, at)
				}
			} else {
				p.labs = append(p.labs, feeds.Lab{ID: feeds.LabID(key), Name: value})
				if p.track {
					p.labLines = append(p.labLines, at)
				}
			}
			continue
		}
		if skip {
			if id == "" {
				fault("a field before any record: "+clip(line), `a record begins at the margin with "id: Name"`)
			}
			continue
		}
		if !found || value == "" {
			fault("a field without value: "+clip(line), `a field is "key: value"`)
			continue
		}
		var err error
		if isLicense {
			l := &p.licenses[len(p.licenses)-1]
			if key == "text" {
				hashes := list(value)
				for _, h := range hashes[min(1, len(hashes)):] {
					p.variants = append(p.variants, variant{l.ID, h})
				}
				value, _, _ = strings.Cut(value, " ")
			}
			err = licenseField(l, key, value)
		} else {
			err = labField(&p.labs[len(p.labs)-1], key, value)
		}
		if err != nil {
			fault(err.Error(), hintOf(err))
		}
		if p.track {
			table := p.labLines
			if isLicense {
				table = p.licenseLines
			}
			rec := &table[len(table)-1]
			rec.at = append(rec.at, valueLine{key, value, n})
			if strings.Contains(value, "|") {
				for _, v := range list(value) {
					rec.at = append(rec.at, valueLine{key, v, n})
				}
			}
		}
	}
}

// A fieldError is a broken field, with what to do about it.
type fieldError struct{ what, hint string }

func (e *fieldError) Error() string { return e.what }

func hintOf(err error) string {
	var e *fieldError
	if errors.As(err, &e) {
		return e.hint
	}
	return ""
}

func labField(l *feeds.Lab, key, value string) error {
	switch key {
	case "kind":
		l.Kind = feeds.LabKind(value)
	case "parent":
		l.Parent = feeds.LabID(value)
	case "origin":
		l.Origin = feeds.Country(value)
	case "seat":
		seat, err := parseSeat(value)
		if err != nil {
			return err
		}
		l.Seats = append(l.Seats, seat)
	case "alias":
		l.Aliases = appendList(l.Aliases, value)
	case "ambiguous":
		l.Ambiguous = appendList(l.Ambiguous, value)
	case "model":
		l.Models = appendList(l.Models, value)
	case "domain":
		l.Domains = appendList(l.Domains, value)
	case "hf":
		l.HuggingFace = appendList(l.HuggingFace, value)
	case "gh":
		l.GitHub = appendList(l.GitHub, value)
	case "source":
		l.Source = value
	case "note":
		l.Note = value
	default:
		return &fieldError{
			fmt.Sprintf("unknown field %q of a lab", clip(key)),
			"want kind, parent, origin, seat, alias, ambiguous, model, domain, hf, gh, source or note",
		}
	}
	return nil
}

func licenseField(l *feeds.License, key, value string) error {
	switch key {
	case "class":
		c, err := feeds.ParseOpenness(value)
		if err != nil {
			return &fieldError{err.Error(), "see the classes in package feeds"}
		}
		l.Class = c
	case "flags":
		for _, f := range list(value) {
			l.Flags = append(l.Flags, feeds.Flag(f))
		}
	case "osi", "read":
		if value != "yes" && value != "no" {
			return &fieldError{fmt.Sprintf("%s is %q", key, clip(value)), "write yes or no"}
		}
		if key == "osi" {
			l.OSI = value == "yes"
		} else {
			l.Read = value == "yes"
		}
	case "alias":
		l.Aliases = appendList(l.Aliases, value)
	case "text":
		l.Text = value
	case "source":
		l.Source = value
	case "note":
		l.Note = value
	case "withheld":
		for _, c := range list(value) {
			l.Withheld = append(l.Withheld, feeds.Country(c))
		}
	case "withheld-of":
		l.WithheldOf = value
	default:
		return &fieldError{
			fmt.Sprintf("unknown field %q of a license", clip(key)),
			"want class, flags, osi, read, alias, text, source, note, withheld or withheld-of",
		}
	}
	return nil
}

// parseSeat reads "GB/US 2014-01..2024 https://…".
func parseSeat(s string) (seat feeds.Seat, err error) {
	const hint = `write "HOME[/CONTROL] [FROM..TO] [URL]", dates as 2024, 2024-03 or 2024-03-26`
	bad := func(what string) error { return &fieldError{fmt.Sprintf("seat %q: %s", clip(s), what), hint} }
	for i, w := range strings.Fields(s) {
		from, to, isPeriod := strings.Cut(w, "..")
		switch {
		case i == 0:
			home, control, found := strings.Cut(w, "/")
			if !found {
				control = home
			}
			seat.Home, seat.Control = feeds.Country(home), feeds.Country(control)
		case strings.Contains(w, "://"):
			seat.Source = w
		case isPeriod:
			if seat.From, err = parseDay(from); err != nil {
				return seat, bad("date " + clip(from))
			}
			if seat.To, err = parseDay(to); err != nil {
				return seat, bad("date " + clip(to))
			}
		default:
			return seat, bad("what is " + clip(w) + "?")
		}
	}
	return seat, nil
}

func parseDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01", "2006"} {
		if len(s) == len(layout) {
			return time.Parse(layout, s)
		}
	}
	return time.Time{}, errors.New("not a date")
}

// appendList adds the parts of value to dst.
func appendList(dst []string, value string) []string {
	if dst == nil {
		return list(value)
	}
	return append(dst, list(value)...)
}

// list splits "a | b" and drops empty parts.
func list(s string) []string {
	if !strings.Contains(s, "|") {
		return []string{s}
	}
	out := make([]string, 0, strings.Count(s, "|")+1)
	for part := range strings.SplitSeq(s, "|") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// validID reports whether s is fit for an id: letters, digits, '.', '-', '+', '_'.
func validID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == '_') {
			return false
		}
	}
	return s != ""
}

// clip bounds what an error quotes of a stranger's text.
func clip(s string) string {
	const limit = 80
	n := 0
	for i := range s {
		if n++; n > limit {
			return s[:i] + "…"
		}
	}
	return s
}
