package query

import (
	"time"

	"seedcorn/feeds"
)

// A Subject is what a query is matched against: a work, flattened to the fields
// that the language can speak of.
type Subject struct {
	Text       []string // title first, then summary, lab names, other titles
	Countries  []feeds.Country
	Labs       []feeds.LabID
	Openness   feeds.Openness
	Kinds      []feeds.ItemKind
	Sources    []feeds.SourceID
	Categories []string
	Licenses   []string // SPDX ids or LicenseRefs of its artifacts
	Has        []feeds.ArtifactKind
	Date       time.Time
}

// A Plan is what an index needs to know of a query. Its expression selects a
// superset of what matches; unless Exact is set, each candidate must still pass
// [Query.Match], which is the truth. So an index may be as coarse as it likes,
// and two engines still give one answer.
type Plan struct {
	Expr   Expr      // nil selects everything
	Since  time.Time // inclusive; zero: no bound
	Before time.Time // exclusive; zero: no bound
	Exact  bool
}

// An Expr is a boolean expression over index terms: [Term], [All], [Any], [None].
type Expr interface{ expr() }

type (
	// Term is one word of the index, as [Terms] makes them: folded text words and
	// filter tokens share one space and can never be confused.
	Term struct {
		Text   string
		Prefix bool // matches every term that begins with Text
	}
	// All selects what every one of its parts selects.
	All []Expr
	// Any selects what one of its parts selects.
	Any []Expr
	// None selects everything but what its part selects. The index gives every
	// document the term [Everything], so None can be built as Everything minus Part.
	None struct{ Part Expr }
)

func (Term) expr() {}
func (All) expr()  {}
func (Any) expr()  {}
func (None) expr() {}

// Everything is a term that every document has.
const Everything = "xall"
