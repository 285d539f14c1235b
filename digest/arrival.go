package digest

import (
	"time"

	"seedcorn/feeds"
)

// An Arrival is what one good visit brought, tagged and ready to be stored.
type Arrival struct {
	Source  feeds.Source
	Pull    feeds.Pull
	Entries []Entry // the tagged Pull.Items
	At      time.Time
}

// A Visit is the outcome of one look at a source that brought nothing to store:
// it was unchanged, or it failed.
type Visit struct {
	Source    feeds.SourceID
	At        time.Time
	Unchanged bool
	Trouble   feeds.TroubleKind // "" for an unchanged source
	Words     string            // the failure in words, for a person
	NotBefore time.Time         // the source asked to be left alone until then
	MovedTo   string
	State     feeds.State // of an unchanged source, if the validators are new; else zero
}

// Ingested says what storing a batch of arrivals came to.
type Ingested struct {
	Items   int // entries stored, new or edited
	Edited  int // of them, entries that were known
	Works   int // works begun
	Joined  int // entries that joined a work that others had begun
	Merged  int // works found to be one with another
	Changes int // events: revisions and new licenses
}

// Add adds other to r.
func (r *Ingested) Add(other Ingested) {
	r.Items += other.Items
	r.Edited += other.Edited
	r.Works += other.Works
	r.Joined += other.Joined
	r.Merged += other.Merged
	r.Changes += other.Changes
}

// An Answer is what is kept of a question that a service was asked about a work.
type Answer struct {
	Words   string // what came of it, in a few words for people
	Fetched time.Time
	Expires time.Time // when to ask again; zero: never
}
