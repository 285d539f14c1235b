package registry

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"seedcorn/feeds"
)

// Limits on a dump. The one of 2025 has some 120,000 records and 300 MB of JSON
// (https://ror.readme.io/docs/data-dump); these are far above it.
const (
	MaxRORRecord = 4 << 20 // bytes of one record
	MaxRORBytes  = 4 << 30 // bytes of the whole dump, unpacked
)

// An Org is an organization of the Research Organization Registry, schema v2,
// reduced to what names, places and groups it (https://ror.readme.io/docs/data-structure).
type Org struct {
	ID        feeds.LabID // "ror:03cve4549"
	Name      string      // the one ROR displays
	Labels    []string    // official names, in any language
	Aliases   []string
	Acronyms  []string
	Types     []string // education, company, government, …
	Country   feeds.Country
	Countries []feeds.Country // of every location, Country first
	Domains   []string        // as listed, else the host of the website
	Website   string
	Wikipedia string
	Parents   []feeds.LabID
}

// rorRecord is the part of schema v2 that is read.
type rorRecord struct {
	ID    string `json:"id"`
	Name  string `json:"name"` // schema v1 only: tells an old dump
	Names []struct {
		Value string   `json:"value"`
		Types []string `json:"types"`
	} `json:"names"`
	Status    string   `json:"status"`
	Types     []string `json:"types"`
	Domains   []string `json:"domains"`
	Locations []struct {
		Details struct {
			Country string `json:"country_code"`
		} `json:"geonames_details"`
	} `json:"locations"`
	Links         []rorLink `json:"links"`
	Relationships []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"relationships"`
}

// A rorLink is {"type", "value"}; in schema v1 it was a bare string, which is
// accepted here so that the dump's version can be named in the error.
type rorLink struct{ Type, Value string }

func (l *rorLink) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &l.Value)
	}
	var v struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	err := json.Unmarshal(b, &v)
	l.Type, l.Value = v.Type, v.Value
	return err
}

// ReadROR reads the JSON of a dump, one record at a time, and yields the active
// organizations. The sequence ends with the first error, which names the record
// and the byte: input that is no JSON, cut off, of schema v1, or over the limits.
func ReadROR(r io.Reader) iter.Seq2[Org, error] {
	return func(yield func(Org, error) bool) {
		g := &guard{r: r}
		dec := json.NewDecoder(g)
		g.dec = dec
		n := 0
		fail := func(err error) {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the data end in the middle: is the file complete?")
			}
			yield(Org{}, fmt.Errorf("reading ROR dump: record %d at byte %d: %w", n+1, dec.InputOffset(), err))
		}
		t, err := dec.Token()
		if err != nil {
			fail(err)
			return
		}
		if t != json.Delim('[') {
			fail(errors.New("not a list of records: want the dump's JSON, schema v2"))
			return
		}
		for ; dec.More(); n++ {
			var rec rorRecord
			if err := dec.Decode(&rec); err != nil {
				fail(err)
				return
			}
			org, active, err := rec.org()
			if err != nil {
				fail(err)
				return
			}
			if active && !yield(org, nil) {
				return
			}
		}
		if _, err := dec.Token(); err != nil { // the closing bracket
			fail(err)
		}
	}
}

// guard refuses input that grows without ever ending a record.
type guard struct {
	r   io.Reader
	dec *json.Decoder
	n   int64
}

func (g *guard) Read(p []byte) (int, error) {
	if g.n > MaxRORBytes {
		return 0, fmt.Errorf("more than %d bytes", int64(MaxRORBytes))
	}
	if g.dec != nil && g.n-g.dec.InputOffset() > MaxRORRecord {
		return 0, fmt.Errorf("a record of more than %d bytes", MaxRORRecord)
	}
	n, err := g.r.Read(p)
	g.n += int64(n)
	return n, err
}

// ReadRORFile reads a dump from a file, the published zip or the JSON inside it.
// Of a zip with both schemas it takes the JSON of v2.
func ReadRORFile(name string) iter.Seq2[Org, error] {
	return func(yield func(Org, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(Org{}, fmt.Errorf("reading ROR dump: %w", err))
			return
		}
		defer f.Close()
		magic := make([]byte, 4)
		n, _ := io.ReadFull(f, magic)
		if !bytes.Equal(magic[:n], []byte("PK\x03\x04")) {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				yield(Org{}, fmt.Errorf("reading ROR dump: %w", err))
				return
			}
			for org, err := range ReadROR(f) {
				if !yield(org, err) {
					return
				}
			}
			return
		}
		info, err := f.Stat()
		if err != nil {
			yield(Org{}, fmt.Errorf("reading ROR dump: %w", err))
			return
		}
		member, err := rorMember(f, info.Size())
		if err != nil {
			yield(Org{}, fmt.Errorf("reading ROR dump: %s: %w", path.Base(name), err))
			return
		}
		defer member.Close()
		for org, err := range ReadROR(member) {
			if !yield(org, err) {
				return
			}
		}
	}
}

// rorMember opens the JSON of schema v2 inside the published zip. Dumps before
// v2.0 name it …_schema_v2.json beside the JSON of schema v1.
func rorMember(r io.ReaderAt, size int64) (io.ReadCloser, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not a whole zip: %w", err)
	}
	var best *zip.File
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".json") || strings.HasPrefix(path.Base(f.Name), ".") {
			continue
		}
		if best == nil || strings.Contains(f.Name, "schema_v2") {
			best = f
		}
	}
	if best == nil {
		return nil, errors.New("no JSON inside the zip")
	}
	if best.UncompressedSize64 > MaxRORBytes {
		return nil, fmt.Errorf("%s unpacks to %d bytes, more than %d", best.Name, best.UncompressedSize64, int64(MaxRORBytes))
	}
	return best.Open()
}

// org reduces a record; active is false for inactive and withdrawn ones.
func (r *rorRecord) org() (o Org, active bool, err error) {
	if len(r.Names) == 0 && r.Name != "" {
		return o, false, errors.New("schema v1: want the JSON of schema v2")
	}
	id, ok := rorID(r.ID)
	if !ok {
		return o, false, fmt.Errorf("bad id %q", clip(r.ID))
	}
	if r.Status != "active" {
		return o, false, nil
	}
	o.ID, o.Types, o.Country = id, r.Types, feeds.Nowhere
	for _, n := range r.Names {
		v := strings.Join(strings.Fields(n.Value), " ")
		if v == "" {
			continue
		}
		if slices.Contains(n.Types, "ror_display") && o.Name == "" {
			o.Name = v
		}
		switch {
		case slices.Contains(n.Types, "acronym"):
			o.Acronyms = append(o.Acronyms, v)
		case slices.Contains(n.Types, "label"):
			o.Labels = append(o.Labels, v)
		case slices.Contains(n.Types, "alias"):
			o.Aliases = append(o.Aliases, v)
		}
	}
	if o.Name == "" {
		switch {
		case len(o.Labels) > 0:
			o.Name = o.Labels[0]
		case len(o.Aliases) > 0:
			o.Name = o.Aliases[0]
		default:
			return o, false, fmt.Errorf("%s has no name", id)
		}
	}
	for _, l := range r.Locations {
		c := feeds.Country(strings.ToUpper(l.Details.Country))
		if KnownCountry(c) && c != feeds.Nowhere && !slices.Contains(o.Countries, c) {
			o.Countries = append(o.Countries, c)
		}
	}
	if len(o.Countries) > 0 {
		o.Country = o.Countries[0]
	}
	for _, l := range r.Links {
		switch l.Type {
		case "website":
			o.Website = l.Value
		case "wikipedia":
			o.Wikipedia = l.Value
		}
	}
	for _, d := range r.Domains {
		if d = strings.ToLower(strings.TrimSpace(d)); d != "" {
			o.Domains = append(o.Domains, d)
		}
	}
	if len(o.Domains) == 0 {
		if u, err := url.Parse(o.Website); err == nil {
			if h := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."); strings.Contains(h, ".") {
				o.Domains = []string{h}
			}
		}
	}
	for _, rel := range r.Relationships {
		if p, ok := rorID(rel.ID); ok && rel.Type == "parent" {
			o.Parents = append(o.Parents, p)
		}
	}
	return o, true, nil
}

// rorID turns "https://ror.org/03cve4549" into "ror:03cve4549": a zero, six
// characters and a checksum of two digits
// (https://ror.readme.io/docs/ror-identifier-pattern).
func rorID(s string) (feeds.LabID, bool) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "ror.org/")
	if len(s) != 9 || s[0] != '0' {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
			return "", false
		}
	}
	return feeds.LabID("ror:" + s), true
}

// Lab returns the organization as a lab: acronyms are ambiguous, and so is the
// plain name of a company that ROR lists by country ("Intel (Germany)"); domains on
// which strangers publish or that are public suffixes are left out.
func (o Org) Lab() feeds.Lab {
	l := feeds.Lab{
		ID: o.ID, Name: o.Name, Ambiguous: slices.Clone(o.Acronyms), Kind: o.kind(),
		Seats:  []feeds.Seat{{Home: o.Country, Control: o.Country}},
		Source: "https://ror.org/" + strings.TrimPrefix(string(o.ID), "ror:"),
	}
	for _, names := range [][]string{o.Labels, o.Aliases} {
		for _, n := range names {
			if n != o.Name && !slices.Contains(l.Aliases, n) {
				l.Aliases = append(l.Aliases, n)
			}
		}
	}
	if plain, rest, found := strings.Cut(o.Name, " ("); found && strings.HasSuffix(rest, ")") {
		if _, ok := ParseCountry(strings.TrimSuffix(rest, ")")); ok {
			l.Ambiguous = append(l.Ambiguous, plain)
		}
	}
	if len(o.Parents) > 0 {
		l.Parent = o.Parents[0]
	}
	for _, d := range o.Domains {
		if what, _ := badDomain(o.ID, d); what == "" {
			l.Domains = append(l.Domains, d)
		}
	}
	return l
}

func (o Org) kind() feeds.LabKind {
	for _, k := range []struct {
		ror string
		is  feeds.LabKind
	}{
		{"education", feeds.University},
		{"company", feeds.Company},
		{"government", feeds.StateLab},
		{"facility", feeds.StateLab},
	} {
		if slices.Contains(o.Types, k.ror) {
			return k.is
		}
	}
	return feeds.Nonprofit
}
