// Package digest is the editor: it turns items into works, works into stories,
// and stories into the digest of a period.
//
// It is the middle one of Seedcorn's three layers (cmd -> bot -> digest -> feeds).
// Everything in this package is a pure function of its arguments: time is handed
// in, storage is behind package store, and nothing here knows of a chat platform.
//
// The way of a work through this layer:
//
//	feeds.Item + feeds.Tags = [Entry]
//	    [Resolve] finds the work an entry belongs to     (identity.go)
//	    [Fold] makes a [Work] of all its entries         (work.go)
//	    [Changes] says what an edited entry changed      (work.go)
//	works + [Period]
//	    [Compose] picks, sorts and words the [Digest]    (compose.go)
//	    [Count] measures the [Balance] between countries (balance.go)
//	corrections
//	    [Keeper] says whose word holds for all at once    (correction.go)
//	    [Amend] says what was said anew, with its errata
//	subscriptions
//	    package jobs says which [Period] each is owed, and when
//
// Its rooms: query (the query language), rank (what comes first, and why), store
// (SQL), vault (secrets of others, sealed), jobs (the bell and the background work).
package digest

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"seedcorn/feeds"
)

// Each id has its own type.
type (
	// WorkID names a work: "w" and ten letters of Crockford's base 32. It is derived
	// from the work's first identifier, so that two machines give one name.
	WorkID string
	// SubscriptionID names a subscription.
	SubscriptionID string
	// DigestID names one composed digest: one subscription, one period.
	DigestID string
)

// An Entry is an item with what the tagger concluded about it.
type Entry struct {
	Item feeds.Item `json:"item"`
	Tags feeds.Tags `json:"tags"`
	// Via is the identifier by which the entry was joined to its work, and Rule the
	// rule of identity that allowed it. Both are empty on the entry that began it.
	Via  feeds.Key `json:"via,omitzero"`
	Rule string    `json:"rule,omitempty"`
}

// A Work is the one piece of research that its entries are about. It is always
// the [Fold] of its entries and corrections: nothing in it is edited by hand, so
// it can be recomputed, and a merge can be undone.
type Work struct {
	ID      WorkID         `json:"id"`
	Kind    feeds.ItemKind `json:"kind"` // of the entry that gave the title
	Title   string         `json:"title"`
	Summary string         `json:"summary,omitempty"`
	URL     string         `json:"url"`
	First   time.Time      `json:"first"` // when it first became public, as far as we know
	// News is when it became news to us; later than First only where a source told us
	// late. A digest is made of what became news in its period.
	News    time.Time `json:"news"`
	Last    time.Time `json:"last"`              // the latest event: an entry, a revision, a new license
	Version int       `json:"version,omitempty"` // arXiv's latest
	feeds.Tags
	Categories []string    `json:"categories,omitempty"`
	Keys       []feeds.Key `json:"keys,omitempty"`
	Places     []Place     `json:"places"` // where it appeared, oldest first
	Events     []Event     `json:"events,omitempty"`
	Corrected  bool        `json:"corrected,omitempty"`
}

// A Place is where a work appeared: one entry of one source.
type Place struct {
	Item   feeds.ItemID   `json:"item"`
	Source feeds.SourceID `json:"source"`
	Kind   feeds.ItemKind `json:"kind"`
	Title  string         `json:"title"`
	URL    string         `json:"url"`
	Date   time.Time      `json:"date"`
	Via    feeds.Key      `json:"via,omitzero"`
	Rule   string         `json:"rule,omitempty"`
}

// EventKind is what happened to a work after it was first seen.
type EventKind string

// The kinds of event.
const (
	EventAppeared   EventKind = "appeared"   // another entry joined
	EventRevised    EventKind = "revised"    // a new version of the paper
	EventRelicensed EventKind = "relicensed" // an artifact's license or gate changed
	EventMerged     EventKind = "merged"     // another work was found to be this one
	EventSplit      EventKind = "split"      // an entry was taken out again
	EventCorrected  EventKind = "corrected"  // a person corrected a tag
)

// An Event is something that happened to a work. Events are appended, never
// changed: they are the work's history.
type Event struct {
	At     time.Time    `json:"at"`
	Kind   EventKind    `json:"kind"`
	Item   feeds.ItemID `json:"item,omitempty"`
	What   string       `json:"what,omitempty"` // the artifact's URL, the key, the field
	From   string       `json:"from,omitempty"`
	To     string       `json:"to,omitempty"`
	Detail string       `json:"detail,omitempty"` // one sentence for a person
}

// A Correction is a person's word against the rules'. Corrections are appended;
// the latest one of a field wins, and an empty Value takes earlier ones back.
type Correction struct {
	ID      int64     `json:"id"`
	Work    WorkID    `json:"work"`
	Field   string    `json:"field"` // "country", "lab", "openness", "license"
	Value   string    `json:"value"`
	Because string    `json:"because"` // a URL or a sentence
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// ErrSaid is the error of storing the digest of a subscription and period twice.
var ErrSaid = errors.New("this digest was composed before")

// A Period is a span of time, [From, To).
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Contains reports whether t lies in the period.
func (p Period) Contains(t time.Time) bool { return !t.Before(p.From) && t.Before(p.To) }

// A Topic is a named query that people subscribe to.
type Topic struct {
	Name  string `json:"name"`
	Query string `json:"query"`
	About string `json:"about"`
}

// A Destination is where digests of a subscription go. Platform is the name an
// adapter gave itself; the other fields mean something to that adapter only.
type Destination struct {
	Platform  string `json:"platform"`
	Workspace string `json:"workspace,omitempty"`
	Channel   string `json:"channel,omitempty"`
	// Direct is set where the channel is one person's: what goes there is nobody else's.
	Direct bool `json:"direct,omitempty"`
}

// A Subscription is a destination, a query, a cadence and an owner.
type Subscription struct {
	ID          SubscriptionID `json:"id"`
	Destination Destination    `json:"destination"`
	Query       string         `json:"query"`   // in the query language, or a topic's name as "topic:NAME"
	Cadence     string         `json:"cadence"` // five-field cron expression
	Zone        string         `json:"zone"`    // IANA time zone
	Owner       string         `json:"owner"`   // who began it; "" once that person has left
	OwnerName   string         `json:"owner_name,omitempty"`
	Created     time.Time      `json:"created"`
	// Cursor is the end of the last period that was composed: the next one starts
	// here, so that periods never overlap and never leave a hole.
	Cursor      time.Time `json:"cursor"`
	Next        time.Time `json:"next"`                  // when the next digest is due
	PausedUntil time.Time `json:"paused_until,omitzero"` // far future: until resumed
	LastResult  string    `json:"last_result,omitempty"`
	// Asked is where it was asked for, if that is another place than the destination:
	// there a person is told when the destination turns us away.
	Asked Destination `json:"asked,omitzero"`
	// Publish asks for its messages to be shown in all channels that follow its own.
	Publish bool `json:"publish,omitempty"`
}

// An Opinion is how many people found a work useful, and how many not.
type Opinion struct{ Useful, Not int }

// Found is a work with what people found of it.
type Found struct {
	Work Work
	Opinion
}

// ErrNever is in the chain of the error for a cadence whose day never comes, as 30
// February.
var ErrNever = errors.New("that day never comes")

// NewSubscriptionID returns an id that no other subscription has.
func NewSubscriptionID() SubscriptionID {
	return SubscriptionID("s" + strings.ToLower(rand.Text()[:10]))
}

// SourceHealth is how a source did over a period, as the small print needs it.
type SourceHealth struct {
	ID       feeds.SourceID   `json:"id"`
	Title    string           `json:"title"`
	Lab      feeds.LabID      `json:"lab,omitempty"`
	Country  feeds.Country    `json:"country,omitempty"` // home of the lab
	Kind     feeds.SourceKind `json:"kind"`
	LastLook time.Time        `json:"last_look,omitzero"` // last visit, good or bad
	LastGood time.Time        `json:"last_good,omitzero"` // last visit that was answered
	LastItem time.Time        `json:"last_item,omitzero"` // date of its newest item
	Failures int              `json:"failures"`           // failed visits in a row
	Trouble  string           `json:"trouble,omitempty"`  // the last failure, in words
	Paused   bool             `json:"paused,omitempty"`
	Gone     bool             `json:"gone,omitempty"`
}

// Settings are what a workspace has chosen. The zero value is the default.
type Settings struct {
	Zone         string   `json:"zone,omitempty"`          // IANA; "" is UTC
	OnlyManagers bool     `json:"only_managers,omitempty"` // who may change what a channel is told
	AllManage    bool     `json:"all_manage,omitempty"`    // everyone may, where the platform's default is otherwise
	Managers     []string `json:"managers,omitempty"`      // ids of people and roles who manage, whatever the platform says
	Editors      []string `json:"editors,omitempty"`       // whose corrections hold at once: people and roles
	Profile      Profile  `json:"profile,omitzero"`
}

// OnlyManage reports whether only those who manage a channel may change what it is
// told, on a platform with the given default.
func (s Settings) OnlyManage(byDefault bool) bool {
	return s.OnlyManagers || byDefault && !s.AllManage
}

// A Profile is who wants to build on a work, for the question whether they may.
type Profile struct {
	Commercial bool `json:"commercial,omitempty"` // uses it in a business
	EU         bool `json:"eu,omitempty"`         // is in the European Union
	Large      bool `json:"large,omitempty"`      // has over 100 million users, or 20 million US dollars revenue a month
	Military   bool `json:"military,omitempty"`
	Train      bool `json:"train,omitempty"` // trains other models on outputs
	Host       bool `json:"host,omitempty"`  // offers it to others as a service
}

// Verdict is the answer to "may we use it?".
type Verdict string

// The verdicts. [VerdictAsk] is for what a rule cannot decide.
const (
	VerdictYes Verdict = "yes"
	VerdictNo  Verdict = "no"
	VerdictAsk Verdict = "ask counsel"
)

// May answers whether a profile may build on something of a class with the given
// flags, and names the flags that decide. It is not legal advice: a flag is a
// pointer to a clause, and the text decides.
func (p Profile) May(o feeds.Openness, flags []feeds.Flag) (Verdict, []feeds.Flag) {
	switch o {
	case feeds.Unknown:
		return VerdictAsk, nil
	case feeds.Closed:
		return VerdictNo, flags
	}
	verdict := VerdictYes
	var because []feeds.Flag
	weigh := func(f feeds.Flag, v Verdict) {
		because = append(because, f)
		if v == VerdictNo || verdict == VerdictYes {
			verdict = v
		}
	}
	for _, f := range flags {
		switch f {
		case feeds.FlagNonCommercial, feeds.FlagResearch:
			if p.Commercial {
				weigh(f, VerdictNo)
			}
		case feeds.FlagTerritory:
			if p.EU {
				weigh(f, VerdictNo)
			}
		case feeds.FlagMilitary:
			if p.Military {
				weigh(f, VerdictNo)
			}
		case feeds.FlagScale:
			if p.Large {
				weigh(f, VerdictAsk)
			}
		case feeds.FlagOutput:
			if p.Train {
				weigh(f, VerdictNo)
			}
		case feeds.FlagServe:
			if p.Host {
				weigh(f, VerdictAsk)
			}
		case feeds.FlagGatedManual, feeds.FlagTerms, feeds.FlagConflict:
			weigh(f, VerdictAsk)
		}
	}
	return verdict, because
}
