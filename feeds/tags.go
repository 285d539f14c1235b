package feeds

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Country is an ISO 3166-1 alpha-2 code, or [Nowhere] or [International].
type Country string

// The two values that are not ISO 3166-1 codes of a country. XX is in the
// standard's user-assigned range; INTL is ours.
const (
	Nowhere       Country = "XX"   // not known; shown as a bar of its own, never guessed
	International Country = "INTL" // a collective without a legal seat
)

// Openness is the class of an artifact's license. The zero value is unknown, and
// unknown is never open. The order is by freedom: a later class permits more.
type Openness uint8

// The classes. Their tests stand in the rules printed by "seedcorn rules"; the
// open classes follow the Open Source AI Definition 1.0
// (https://opensource.org/ai/open-source-ai-definition) and the Model Openness
// Framework (https://arxiv.org/abs/2403.13784).
const (
	Unknown     Openness = iota // no license, unread, or contradictory
	Closed                      // not obtainable: API, hosted or only announced
	Restricted                  // obtainable under at least one condition
	OpenWeights                 // parameters under terms without limits on who, where, what for
	OpenSource                  // weights, code and data information; or software under an OSI license
)

var opennessNames = [...]string{"unknown", "closed", "restricted", "open-weights", "open-source"}

func (o Openness) String() string {
	if int(o) < len(opennessNames) {
		return opennessNames[o]
	}
	return "unknown"
}

// Open reports whether one may build on a thing of this class without conditions
// on who, where or what for.
func (o Openness) Open() bool { return o >= OpenWeights }

// ParseOpenness reads a class's name. "open" is accepted for [OpenWeights], the
// least class that is open.
func ParseOpenness(s string) (Openness, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "open" {
		return OpenWeights, nil
	}
	for i, n := range opennessNames {
		if s == n {
			return Openness(i), nil
		}
	}
	return Unknown, fmt.Errorf("unknown openness %q: want one of %s", s, strings.Join(opennessNames[:], ", "))
}

// MarshalText writes the class's name.
func (o Openness) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the class's name.
func (o *Openness) UnmarshalText(b []byte) (err error) {
	*o, err = ParseOpenness(string(b))
	return err
}

// Flag is a reason why an artifact is not simply open, or a caution about one
// that is.
type Flag string

// The flags. On restricted artifacts each names a condition; Copyleft, GatedAutoFlag
// and NotOSI caution about open ones; API, ServiceOnly and Announced say why a
// closed one is closed.
const (
	FlagNonCommercial Flag = "nc"           // no commercial use
	FlagResearch      Flag = "research"     // research only
	FlagScale         Flag = "scale"        // limits by users or revenue
	FlagField         Flag = "field"        // use-based restrictions (RAIL, acceptable use policy)
	FlagTerritory     Flag = "territory"    // not licensed everywhere
	FlagOutput        Flag = "output"       // outputs may not train other models
	FlagServe         Flag = "serve"        // hosting it for others is limited
	FlagBrand         Flag = "brand"        // must show or carry a name
	FlagGatedManual   Flag = "gated-manual" // a person must approve access
	FlagMilitary      Flag = "military"     // no military use
	FlagNoDerivatives Flag = "nd"           // no derivatives may be shared
	FlagTerms         Flag = "terms"        // other conditions: see the text

	FlagCopyleft  Flag = "copyleft"   // derivatives must carry the license
	FlagGatedAuto Flag = "gated-auto" // contact data must be shared
	FlagNotOSI    Flag = "not-osi"    // open, but not OSI-approved

	FlagAPI       Flag = "api"       // reachable through an API only
	FlagHosted    Flag = "hosted"    // usable on the maker's site only
	FlagAnnounced Flag = "announced" // paper or post only, release refused or not made
	FlagConflict  Flag = "conflict"  // sources of the license disagree; strictest taken
)

// Basis says how a license or an attribution is known.
type Basis string

// The bases of a license, then of an attribution, strongest first in each.
const (
	Verified Basis = "verified" // license text identified by its hash or by a library
	Declared Basis = "declared" // metadata or a sentence says so
	Lineage  Basis = "lineage"  // capped by the base model's license
	Conflict Basis = "conflict" // sources disagree; strictest taken

	Corrected   Basis = "correction"  // a person said so, signed
	Publisher   Basis = "publisher"   // the lab's own account, feed or domain
	Affiliation Basis = "affiliation" // as printed on the paper
	EmailDomain Basis = "email"
	Mention     Basis = "mention" // the text says who made it
)

// Evidence is why a tag is there.
type Evidence struct {
	Field      string    `json:"field"`         // where it was read: "title", "license", "affiliations[2]"
	Quote      string    `json:"quote"`         // the words themselves, at most a sentence
	Rule       string    `json:"rule"`          // the rule that drew the conclusion: "C1", "O2", …
	URL        string    `json:"url,omitempty"` // the page it was read on
	ObservedAt time.Time `json:"observed_at,omitzero"`
}

// Role is what a lab did for a work.
type Role string

// The roles.
const (
	RoleReleaser Role = "releaser" // published the weights, code, data or post
	RoleAuthor   Role = "author"   // an author's affiliation
	RoleLead     Role = "lead"     // the first author's affiliation
	RoleLineage  Role = "lineage"  // made what this is derived from; never counted
)

// An Attribution says that a lab is behind a work, and how we know.
type Attribution struct {
	Lab      LabID      `json:"lab"`
	Name     string     `json:"name"`
	Kind     LabKind    `json:"kind,omitempty"`
	Role     Role       `json:"role"`
	Home     Country    `json:"home"`    // seat of the lab on the item's date
	Control  Country    `json:"control"` // seat of its ultimate parent on that date
	Basis    Basis      `json:"basis"`
	Disputed bool       `json:"disputed,omitempty"` // contradicted at the same level (rule C9)
	Evidence []Evidence `json:"evidence"`
}

// Counts reports whether the attribution takes part in counting countries.
func (a Attribution) Counts() bool { return a.Role != RoleLineage }

// ArtifactTag is the judgment of one artifact.
type ArtifactTag struct {
	Kind     ArtifactKind `json:"kind"`
	URL      string       `json:"url,omitempty"`
	License  string       `json:"license,omitempty"` // SPDX expression or LicenseRef-…; "" if unknown
	Openness Openness     `json:"openness"`
	Flags    []Flag       `json:"flags,omitempty"`
	Basis    Basis        `json:"basis,omitempty"`
	Bases    []string     `json:"bases,omitempty"` // base models: lineage
	Evidence []Evidence   `json:"evidence,omitempty"`
}

// Tags are what we conclude about an item or a work.
type Tags struct {
	Labs      []Attribution `json:"labs,omitempty"`
	Countries []Country     `json:"countries,omitempty"` // home view, counted roles only, first is the lead's
	Control   []Country     `json:"control,omitempty"`
	Openness  Openness      `json:"openness"`
	// Badge is the kind of the artifact that Openness speaks of; "" if unknown.
	Badge     ArtifactKind  `json:"badge,omitempty"`
	License   string        `json:"license,omitempty"` // of the badge's artifact
	Flags     []Flag        `json:"flags,omitempty"`   // of the badge's artifact
	Artifacts []ArtifactTag `json:"artifacts,omitempty"`
}

// CountriesOf returns the distinct countries of the counted attributions in the
// given view, leads and releasers first. [Nowhere] is left out.
func CountriesOf(labs []Attribution, view View) []Country {
	var out []Country
	add := func(a Attribution) {
		c := a.Home
		if view == ViewControl {
			c = a.Control
		}
		if c != "" && c != Nowhere && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	for _, a := range labs {
		if a.Role == RoleLead || a.Role == RoleReleaser {
			add(a)
		}
	}
	for _, a := range labs {
		if a.Counts() {
			add(a)
		}
	}
	return out
}

// View says which country of a lab is meant.
type View string

// The views of rule C2: where the lab sits, or whose company it is.
const (
	ViewHome    View = "home"
	ViewControl View = "control"
)

// LabKind is the kind of organization.
type LabKind string

// The kinds of lab.
const (
	Company    LabKind = "company"
	University LabKind = "university"
	StateLab   LabKind = "state-lab"
	Nonprofit  LabKind = "nonprofit"
	Collective LabKind = "collective"
)

// A Seat is where a lab sat, and whose it was, for a time.
type Seat struct {
	Home    Country   `json:"home"`
	Control Country   `json:"control"`
	From    time.Time `json:"from,omitzero"` // inclusive; zero: since ever
	To      time.Time `json:"to,omitzero"`   // exclusive; zero: still
	Source  string    `json:"source,omitempty"`
}

// A Lab is an organization of the registry.
type Lab struct {
	ID      LabID    `json:"id"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	// Ambiguous are names that are also words or other things ("Meta", "Together"):
	// they count only with support from the surroundings.
	Ambiguous   []string `json:"ambiguous,omitempty"`
	Models      []string `json:"models,omitempty"` // names of its model families ("Qwen"), which identify it as releaser in its own posts only
	Kind        LabKind  `json:"kind"`
	Parent      LabID    `json:"parent,omitempty"`
	Origin      Country  `json:"origin,omitempty"` // where it was founded, if elsewhere; shown, not counted
	Seats       []Seat   `json:"seats"`            // in order of time
	Domains     []string `json:"domains,omitempty"`
	HuggingFace []string `json:"huggingface,omitempty"`
	GitHub      []string `json:"github,omitempty"`
	Source      string   `json:"source"` // a public page that states who and where it is
	Note        string   `json:"note,omitempty"`
}

// At returns the lab's seat on a day. Before the first known seat it is the
// first one, and a zero time means today, the last one (rule C6).
func (l Lab) At(t time.Time) Seat {
	if len(l.Seats) == 0 {
		return Seat{Home: Nowhere, Control: Nowhere}
	}
	if t.IsZero() {
		return l.Seats[len(l.Seats)-1]
	}
	for i := len(l.Seats) - 1; i > 0; i-- {
		if !t.Before(l.Seats[i].From) {
			return l.Seats[i]
		}
	}
	return l.Seats[0]
}

// A License is an entry of the license registry. Class and Flags are what the
// license makes of *weights* that carry it; for code, [Openness] is OpenSource
// exactly if OSI is true.
type License struct {
	ID      string   `json:"id"` // SPDX id, or LicenseRef-scancode-… or LicenseRef-…
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"` // declared strings met in the wild, Hugging Face ids among them
	Class   Openness `json:"class"`
	Flags   []Flag   `json:"flags,omitempty"`
	OSI     bool     `json:"osi,omitempty"`
	Text    string   `json:"text,omitempty"` // SHA-256 of the normalized text, where we know it
	Source  string   `json:"source"`         // where the text stands
	Read    bool     `json:"read,omitempty"` // flags read in the text itself, not in a secondary source
	Note    string   `json:"note,omitempty"` // the clause that sets each flag, in our words
	// Withheld are the countries, and EU, in which it licenses nothing; WithheldOf says of
	// what, where that is not everything: "multimodal models".
	Withheld   []Country `json:"withheld,omitempty"`
	WithheldOf string    `json:"withheld_of,omitempty"`
}
