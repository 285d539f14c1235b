package registry

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"seedcorn/feeds"
)

// A Fault is something wrong in the registry's data, with what to do about it.
type Fault struct {
	File string // "" where the entry came from no file
	Line int    // from 1; 0 where unknown
	ID   string // of the lab or license
	What string
	Hint string
}

// String prints the fault as compilers do: "labs.txt:12: acme: what (hint)".
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", f.File, f.Line)
	}
	if f.ID != "" {
		b.WriteString(f.ID + ": ")
	}
	b.WriteString(f.What)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Check returns everything that is wrong with a set of labs and licenses, all at
// once, in their order. [Load] does the same for files and adds the lines.
func Check(labs []feeds.Lab, licenses []feeds.License) []Fault {
	var out []Fault
	for _, c := range check(labs, licenses, nil) {
		out = append(out, Fault{ID: c.id, What: c.what, Hint: c.hint})
	}
	return out
}

// A complaint is a fault before its place is known.
type complaint struct {
	license      bool
	index        int // into labs or licenses
	id           string
	field, value string
	what, hint   string
}

func check(labs []feeds.Lab, licenses []feeds.License, variants []variant) []complaint {
	c := checker{labs: labs, licenses: licenses, variants: variants, ids: make(map[feeds.LabID]int, len(labs))}
	c.allLabs()
	c.allLicenses()
	slices.SortStableFunc(c.found, func(a, b complaint) int {
		if a.license != b.license {
			if b.license {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.index, b.index)
	})
	return c.found
}

type checker struct {
	labs     []feeds.Lab
	licenses []feeds.License
	variants []variant
	ids      map[feeds.LabID]int
	found    []complaint
}

func (c *checker) lab(i int, field, value, what, hint string) {
	c.found = append(c.found, complaint{index: i, id: string(c.labs[i].ID), field: field, value: value, what: what, hint: hint})
}

func (c *checker) license(i int, field, value, what, hint string) {
	c.found = append(c.found, complaint{license: true, index: i, id: c.licenses[i].ID, field: field, value: value, what: what, hint: hint})
}

var labKinds = []feeds.LabKind{feeds.Company, feeds.University, feeds.StateLab, feeds.Nonprofit, feeds.Collective}

func (c *checker) allLabs() {
	for i, l := range c.labs {
		if first, dup := c.ids[l.ID]; dup {
			c.lab(i, "", "", fmt.Sprintf("id already used by %q", c.labs[first].Name), "ids are for good: choose another, or merge the two")
			continue
		}
		c.ids[l.ID] = i
	}
	type claim struct {
		lab   int
		loose bool // marked ambiguous
	}
	var (
		names   = make(map[string]claim, 4*len(c.labs))
		handles = make(map[feeds.Account]int, 2*len(c.labs))
		domains = make(map[string]int, 2*len(c.labs))
	)
	for i, l := range c.labs {
		if l.ID == "" || !validID(string(l.ID)) {
			c.lab(i, "", "", "id is missing or has characters other than letters, digits, '.', '-', '_'", "use lower-case letters and hyphens")
		}
		if l.Name == "" {
			c.lab(i, "", "", "name is missing", `write "id: Name"`)
		}
		if !slices.Contains(labKinds, l.Kind) {
			c.lab(i, "kind", string(l.Kind), fmt.Sprintf("bad kind %q", l.Kind), "want company, university, state-lab, nonprofit or collective")
		}
		if l.Origin != "" && !KnownCountry(l.Origin) {
			c.lab(i, "origin", string(l.Origin), fmt.Sprintf("unknown country code %q", l.Origin), "use ISO 3166-1 alpha-2, XX or INTL")
		}
		c.parent(i)
		c.seats(i)
		c.source(c.lab, i, l.Source)

		loose := make(map[string]bool, len(l.Ambiguous))
		for _, n := range l.Ambiguous {
			loose[Fold(n)] = true
		}
		own := make(map[string]bool)
		for _, n := range slices.Concat([]string{l.Name}, l.Aliases, l.Ambiguous) {
			k := Fold(n)
			if k == "" {
				c.lab(i, "alias", n, fmt.Sprintf("alias %q has no letter or digit", n), "remove it")
				continue
			}
			if own[k] {
				continue
			}
			own[k] = true
			first, taken := names[k]
			if !taken {
				names[k] = claim{i, loose[k]}
				continue
			}
			if !first.loose || !loose[k] {
				c.lab(i, "alias", n, fmt.Sprintf("name %q is also claimed by %q", n, c.labs[first.lab].ID), "give it to one of them, or mark it ambiguous in both")
			}
		}
		for service, hs := range map[feeds.Service][]string{feeds.HuggingFace: l.HuggingFace, feeds.GitHub: l.GitHub} {
			field := map[feeds.Service]string{feeds.HuggingFace: "hf", feeds.GitHub: "gh"}[service]
			for _, h := range hs {
				if !validID(h) {
					c.lab(i, field, h, fmt.Sprintf("bad %s handle %q", service, h), "write the account's name only, no URL")
					continue
				}
				key := feeds.Account{Service: service, Handle: strings.ToLower(h)}
				if first, taken := handles[key]; taken {
					c.lab(i, field, h, fmt.Sprintf("%s handle %q is also claimed by %q", service, h, c.labs[first].ID), "an account has one owner")
					continue
				}
				handles[key] = i
			}
		}
		for _, d := range l.Domains {
			if what, hint := badDomain(l.ID, d); what != "" {
				c.lab(i, "domain", d, what, hint)
				continue
			}
			if first, taken := domains[strings.ToLower(d)]; taken {
				c.lab(i, "domain", d, fmt.Sprintf("domain %q is also claimed by %q", d, c.labs[first].ID), "a domain has one owner; give the longer name to the part")
				continue
			}
			domains[strings.ToLower(d)] = i
		}
	}
}

// parent checks that a lab's parent exists and that no lab is its own ancestor.
func (c *checker) parent(i int) {
	l := c.labs[i]
	if l.Parent == "" {
		return
	}
	if _, ok := c.ids[l.Parent]; !ok {
		c.lab(i, "parent", string(l.Parent), fmt.Sprintf("unknown parent %q", l.Parent), "add the parent, or leave the field out")
		return
	}
	at := l.Parent
	for range len(c.labs) {
		if at == l.ID {
			c.lab(i, "parent", string(l.Parent), fmt.Sprintf("cycle: %q is among its own parents", l.ID), "take one parent out of the circle")
			return
		}
		next, ok := c.ids[at]
		if !ok || c.labs[next].Parent == "" {
			return
		}
		at = c.labs[next].Parent
	}
}

func (c *checker) seats(i int) {
	l := c.labs[i]
	if len(l.Seats) == 0 {
		c.lab(i, "seat", "", "no seat", `write "seat: XX" if the country is not known`)
	}
	for n, s := range l.Seats {
		value := "#" + strconv.Itoa(n)
		for _, country := range []feeds.Country{s.Home, s.Control} {
			if !KnownCountry(country) {
				c.lab(i, "seat", value, fmt.Sprintf("unknown country code %q", country), "use ISO 3166-1 alpha-2, XX or INTL")
			}
		}
		if s.Source != "" && !validURL(s.Source) {
			c.lab(i, "seat", value, fmt.Sprintf("invalid URL %q", clip(s.Source)), "give an absolute https URL")
		}
		if !s.To.IsZero() && !s.From.Before(s.To) {
			c.lab(i, "seat", value, "seat ends before it begins", "the period is from..to, to exclusive")
		}
		if n == 0 {
			continue
		}
		last := l.Seats[n-1]
		switch {
		case s.From.IsZero() || s.From.Before(last.From):
			c.lab(i, "seat", value, "seats are not in order of time", "the earliest first; only the first may have no beginning")
		case last.To.IsZero() || s.From.Before(last.To):
			c.lab(i, "seat", value, "seats overlap", "end the earlier seat on the day when the later begins")
		}
	}
}

// source checks a citation; report is c.lab or c.license.
func (c *checker) source(report func(i int, field, value, what, hint string), i int, src string) {
	switch {
	case src == "":
		report(i, "source", "", "source is missing", "give the public page that states it")
	case !validURL(src):
		report(i, "source", src, fmt.Sprintf("invalid URL %q", clip(src)), "give an absolute https URL")
	}
}

func validURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && strings.Contains(u.Hostname(), ".") && !strings.ContainsAny(s, " \t|")
}

// badDomain says what is wrong with d as a domain of the lab id, "" if nothing is.
func badDomain(id feeds.LabID, d string) (what, hint string) {
	for i := range len(d) {
		c := d[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-') {
			return fmt.Sprintf("bad domain %q", clip(d)), "write a host name in lower case, no scheme, no path"
		}
	}
	if !strings.Contains(d, ".") || strings.HasPrefix(d, ".") || strings.HasSuffix(d, ".") || strings.Contains(d, "..") {
		return fmt.Sprintf("bad domain %q", clip(d)), "write a host name such as example.org"
	}
	// The ICANN part of the Public Suffix List, https://publicsuffix.org/; its
	// private part holds universities' own domains besides the hosts below.
	if suffix, icann := publicsuffix.PublicSuffix(d); icann && suffix == d {
		return fmt.Sprintf("domain %q is a public suffix", d), "name the organization's own part of it"
	}
	if Hosting(d) && operators[d] != id {
		return fmt.Sprintf("domain %q hosts pages of strangers", d), "name the organization's own part of it, or leave it out"
	}
	return "", ""
}

// Flags that are conditions: an open license has none of them, a restricted one
// at least one.
var conditions = []feeds.Flag{
	feeds.FlagNonCommercial, feeds.FlagResearch, feeds.FlagScale, feeds.FlagField, feeds.FlagTerritory, feeds.FlagOutput,
	feeds.FlagServe, feeds.FlagBrand, feeds.FlagGatedManual, feeds.FlagMilitary, feeds.FlagNoDerivatives, feeds.FlagTerms,
}

// Flags that caution about an open license, and flags that say why a thing is closed.
var (
	cautions = []feeds.Flag{feeds.FlagCopyleft, feeds.FlagNotOSI}
	closures = []feeds.Flag{feeds.FlagAPI, feeds.FlagHosted, feeds.FlagAnnounced}
)

func (c *checker) allLicenses() {
	ids := make(map[string]int, len(c.licenses))
	names := make(map[string]int, 8*len(c.licenses))
	hashes := make(map[string]int)
	spdx := spdxIDs()
	for i, l := range c.licenses {
		if first, dup := ids[strings.ToLower(l.ID)]; dup {
			c.license(i, "", "", fmt.Sprintf("id already used by %q", c.licenses[first].Name), "merge the two")
			continue
		}
		ids[strings.ToLower(l.ID)] = i
		if !validID(l.ID) {
			c.license(i, "", "", fmt.Sprintf("bad id %q", clip(l.ID)), "use an SPDX id or LicenseRef-…")
		}
		if !strings.HasPrefix(l.ID, "LicenseRef-") && !spdx[l.ID] {
			c.license(i, "", "", fmt.Sprintf("unknown SPDX id %q", l.ID), "see https://spdx.org/licenses/, or name it LicenseRef-…")
		}
		if l.Name == "" {
			c.license(i, "", "", "name is missing", `write "id: Name"`)
		}
		c.source(c.license, i, l.Source)
		c.class(i)
		for _, h := range c.texts(l) {
			if len(h) != 64 || strings.Trim(h, "0123456789abcdef") != "" {
				c.license(i, "text", h, "text is not a SHA-256 in lower-case hexadecimal", "use what TextHash returns")
			} else if first, taken := hashes[h]; taken {
				c.license(i, "text", h, fmt.Sprintf("text hash is also claimed by %q", c.licenses[first].ID), "one text is one license")
			} else {
				hashes[h] = i
			}
		}
		for _, n := range slices.Concat([]string{l.ID, l.Name}, l.Aliases) {
			k := FoldLicense(n)
			if k == "" {
				c.license(i, "alias", n, fmt.Sprintf("alias %q folds to nothing", clip(n)), "remove it")
				continue
			}
			if first, taken := names[k]; taken && first != i {
				c.license(i, "alias", n, fmt.Sprintf("alias %q is also claimed by %q", clip(n), c.licenses[first].ID), "an alias names one license")
				continue
			}
			names[k] = i
		}
	}
}

// texts returns the hashes of a license's texts.
func (c *checker) texts(l feeds.License) []string {
	var out []string
	if l.Text != "" {
		out = append(out, l.Text)
	}
	for _, v := range c.variants {
		if v.license == l.ID {
			out = append(out, v.hash)
		}
	}
	return out
}

// class checks that class, flags and OSI agree.
func (c *checker) class(i int) {
	l := c.licenses[i]
	has := func(of []feeds.Flag) (feeds.Flag, bool) {
		for _, f := range l.Flags {
			if slices.Contains(of, f) {
				return f, true
			}
		}
		return "", false
	}
	known := slices.Concat(conditions, cautions, closures)
	for _, f := range l.Flags {
		if !slices.Contains(known, f) {
			c.license(i, "flags", string(f), fmt.Sprintf("flag %q is not one a license can have", clip(string(f))), "see the flags in package feeds")
		}
	}
	condition, conditional := has(conditions)
	switch l.Class {
	case feeds.OpenSource:
		c.license(i, "class", "", "class open-source is for works, not licenses", "an OSI license is open-weights with osi: yes")
	case feeds.OpenWeights:
		if conditional {
			c.license(i, "flags", string(condition), fmt.Sprintf("class open-weights contradicts flag %q", condition), "a condition makes it restricted")
		}
		if !l.OSI && !slices.Contains(l.Flags, feeds.FlagNotOSI) {
			c.license(i, "flags", "", "open but neither OSI-approved nor flagged not-osi", `add "osi: yes" or flag not-osi`)
		}
	case feeds.Restricted:
		if !conditional {
			c.license(i, "flags", "", "class restricted without a flag that says why", "add the flag, or terms")
		}
	case feeds.Closed:
		if _, ok := has(closures); !ok {
			c.license(i, "flags", "", "class closed without a flag that says why", "add api, hosted or announced")
		}
	case feeds.Unknown:
		if l.OSI {
			c.license(i, "osi", "", "OSI-approved but of unknown class", "set its class")
		}
	}
	if l.OSI && (l.Class == feeds.Restricted || l.Class == feeds.Closed) {
		c.license(i, "osi", "", "OSI-approved but not open", "the Open Source Definition allows no such condition")
	}
	if osi, known := SPDX(l.ID); known && osi != l.OSI {
		c.license(i, "osi", "", fmt.Sprintf("osi is %t, the SPDX License List says %t", l.OSI, osi), "see https://spdx.org/licenses/")
	}
	for _, w := range l.Withheld {
		if _, ok := ParseCountry(string(w)); !ok && w != "EU" {
			c.license(i, "withheld", string(w), fmt.Sprintf("no country %q", clip(string(w))), "give ISO 3166-1 codes, or EU")
		}
	}
	if territory := slices.Contains(l.Flags, feeds.FlagTerritory); len(l.Withheld) > 0 && !territory || l.WithheldOf != "" && len(l.Withheld) == 0 {
		c.license(i, "withheld", "", "withheld without the flag territory, or withheld-of without withheld", "give both")
	}
	if l.OSI && slices.Contains(l.Flags, feeds.FlagNotOSI) {
		c.license(i, "flags", string(feeds.FlagNotOSI), "OSI-approved and flagged not-osi", "keep one of them")
	}
}
