package digest

import (
	"errors"
	"slices"
	"time"

	"seedcorn/feeds"
)

// ProposalState is what became of a proposal.
type ProposalState string

// The states of a proposal. It is decided once.
const (
	ProposalOpen     ProposalState = "open"
	ProposalAccepted ProposalState = "accepted"
	ProposalDeclined ProposalState = "declined"
)

// A Proposal is a correction by somebody whose word does not hold at once. It waits
// for an editor; accepted, it becomes a [Correction] signed by both.
type Proposal struct {
	ID      int64  `json:"id"`
	Work    WorkID `json:"work"`
	Title   string `json:"title,omitempty"` // of the work, as it is now
	Field   string `json:"field"`
	Value   string `json:"value"`
	Because string `json:"because"`
	By      string `json:"by"`
	// Person is the proposer's id, in the workspace of Place, which is where it was said.
	Person string        `json:"person"`
	Place  Destination   `json:"place"`
	At     time.Time     `json:"at"`
	State  ProposalState `json:"state"`

	DecidedBy string    `json:"decided_by,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	Why       string    `json:"why,omitempty"` // of a decline
}

var (
	// ErrDecided is the error of deciding about a proposal that is not open any more.
	ErrDecided = errors.New("this proposal was decided before")
	// ErrTooMany is the error of proposing when so many of one person's wait already.
	ErrTooMany = errors.New("too many proposals of this person wait")
)

// A Notice is a word to people about a proposal, to be said once: that it waits, to
// the editors, or, when it was decided, what became of it, to its proposer.
type Notice struct{ Proposal }

// Correction is what a proposal becomes when an editor accepts it.
func (p Proposal) Correction(editor string, at time.Time) Correction {
	by := p.By
	if editor != "" && editor != p.By {
		by += " (accepted by " + editor + ")"
	}
	return Correction{Work: p.Work, Field: p.Field, Value: p.Value, Because: p.Because, By: by, At: at}
}

// An Erratum is what is added to a story after its digest was composed: a person
// corrected a tag, or the license changed. Errata are appended, never changed.
type Erratum struct {
	At      time.Time `json:"at"`
	Kind    EventKind `json:"kind"` // EventCorrected or EventRelicensed
	What    string    `json:"what"` // the field; of a license change the kind of artifact
	From    string    `json:"from,omitempty"`
	To      string    `json:"to,omitempty"` // of a correction that was taken back: ""
	By      string    `json:"by,omitempty"`
	Because string    `json:"because,omitempty"`
}

// ErratumOf is the erratum of a license change; ok is false for other events.
func ErratumOf(e Event) (Erratum, bool) {
	if e.Kind != EventRelicensed {
		return Erratum{}, false
	}
	return Erratum{At: e.At, Kind: e.Kind, What: e.Detail, From: e.From, To: e.To}, true
}

// Erratum is the erratum of a correction.
func (c Correction) Erratum() Erratum {
	return Erratum{At: c.At, Kind: EventCorrected, What: c.Field, To: c.Value, By: c.By, Because: c.Because}
}

// Amend returns a digest as it should read now: the stories of works with errata have
// the labs and licenses that the works have now, and say what changed. Nothing else
// moves: words, sections, order and numbers are those that were said. A work that is missing is told as before.
// Of several errata about one thing the latest is told.
func Amend(d Digest, works map[WorkID]Work, errata map[WorkID][]Erratum) Digest {
	sections := slices.Clone(d.Sections)
	for i := range sections {
		sections[i].Stories = slices.Clone(sections[i].Stories)
		for j, old := range sections[i].Stories {
			es := latestErrata(errata[old.Work])
			if len(es) == 0 {
				continue
			}
			now := old
			if w, ok := works[old.Work]; ok {
				fresh := story(w, Plan{Counting: Counting{View: d.Balance.View}}, nil)
				now.Labs, now.Badge, now.Lineage = fresh.Labs, fresh.Badge, fresh.Lineage
			}
			now.Errata = es
			sections[i].Stories[j] = now
			d.Amended = later(d.Amended, es[len(es)-1].At)
		}
	}
	d.Sections = sections
	return d
}

func latestErrata(all []Erratum) (out []Erratum) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Erratum) int { return a.At.Compare(b.At) })
	for i, e := range all {
		again := func(x Erratum) bool { return x.Kind == e.Kind && x.What == e.What }
		if slices.ContainsFunc(all[i+1:], again) {
			continue
		}
		// The license was one thing when the digest was composed, whatever it was between.
		if first := slices.IndexFunc(all, again); e.Kind == EventRelicensed {
			e.From = all[first].From
			if e.From == e.To {
				continue
			}
		}
		out = append(out, e)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Overtaken reports whether a story says of a work's license or countries what does not
// hold any more: the work changed while its digest was composed.
func Overtaken(s Story, w Work, v feeds.View) bool {
	now := story(w, Plan{Counting: Counting{View: v}}, nil)
	same := func(a, b StoryLab) bool { return a.Lab == b.Lab && a.Country == b.Country }
	return now.Badge.License != s.Badge.License || now.Badge.Openness != s.Badge.Openness || !slices.EqualFunc(now.Labs, s.Labs, same)
}

// Shortenings is how many ways there are to [Shorten] a digest.
const Shortenings = 3

// Shorten takes away from a digest what it can do without, so that an amended one
// fits into the messages that stand: from 1 the reasons of errata, which "why" shows,
// from 2 the other places of every story, from 3 their sentences. What is said of
// licenses and countries stays. 0 changes nothing.
func Shorten(d Digest, by int) Digest {
	if by <= 0 {
		return d
	}
	d.Sections = slices.Clone(d.Sections)
	for i := range d.Sections {
		d.Sections[i].Stories = slices.Clone(d.Sections[i].Stories)
		for j := range d.Sections[i].Stories {
			s := &d.Sections[i].Stories[j]
			s.Errata = slices.Clone(s.Errata)
			for k := range s.Errata {
				s.Errata[k].Because = ""
			}
			if by >= 2 {
				s.Also = nil
			}
			if by >= 3 {
				s.Line = ""
			}
		}
	}
	return d
}

// Works are the works that a digest tells about.
func (d Digest) Works() (ids []WorkID) {
	for _, s := range d.Sections {
		for _, st := range s.Stories {
			if st.Work != "" && !slices.Contains(ids, st.Work) {
				ids = append(ids, st.Work)
			}
		}
	}
	return ids
}

// An Amendment is a digest whose messages are to be edited, as a worker claims it.
type Amendment struct {
	Digest  DigestID
	Attempt int // counts claims; an outcome of an older attempt is ignored
	// Wanted is the latest erratum that this attempt knows of. A later one makes
	// another edit.
	Wanted int64
	Tries  int // failed attempts in a row
	// Doubt is set where an earlier attempt left open what a message says: every one of
	// them is edited, whatever its delivery says.
	Doubt bool
}

// AmendmentState is where the edit of a digest's messages is in its life.
type AmendmentState string

// The states of an amendment. Another erratum makes any of them wait again.
const (
	AmendmentWaiting AmendmentState = "waiting"
	AmendmentEditing AmendmentState = "editing"
	AmendmentDone    AmendmentState = "done"
	AmendmentGivenUp AmendmentState = "given-up"
)

// An AmendmentOutcome is what became of an attempt.
type AmendmentOutcome struct {
	State     AmendmentState // waiting (again, later), done or given up
	NotBefore time.Time
	Words     string // for people
	Failed    bool   // of waiting: an attempt was made in vain
	Doubt     bool   // what a message says is not known
	Platform  string // where its messages stand; "" if that is not known
}

// A Keeper says whose corrections hold for everybody at once.
//
// What is tagged is one record that all workspaces on a database share, so a
// correction changes what every one of them is told, and signs it. An editor is
// named by a workspace; whether that workspace's editors speak for the record is the
// operator's to say: Names lists workspaces ("platform/T0123") or single people
// ("platform/T0123/U0456"). Without a list the editors of the only workspace there is
// speak for it; as soon as a second one is told digests, nobody does until the
// operator names somebody. Everyone else's corrections, other workspaces' editors'
// among them, are proposals.
type Keeper struct {
	Names []string
	// Others reports whether workspaces besides the asker's are told digests.
	Others bool
}

// Holds reports whether the word of an editor in a place holds at once.
func (k Keeper) Holds(in Destination, person string) bool {
	if in.Direct && (in.Workspace == "" || in.Workspace == in.Channel) && len(k.Names) == 0 {
		// Outside of any workspace everyone is their own manager, and nobody's editor.
		return false
	}
	workspace := in.Platform + "/" + in.Workspace
	if len(k.Names) > 0 {
		return in.Workspace != "" && slices.Contains(k.Names, workspace) || person != "" && slices.Contains(k.Names, workspace+"/"+person)
	}
	return !k.Others
}
