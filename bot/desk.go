package bot

import (
	"context"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
)

// A Desk is what commands need. It is made of small parts, each of which a fake
// can be in a few lines.
type Desk interface {
	Library
	CorrectionDesk
	Press
	Subscribers
	Preferences
	Now() time.Time
	// Once runs f, unless what has this id was done before, here or in another process:
	// then did is false. While another one is at it, it waits. The error is that of f,
	// after which it may be tried again, or that of looking.
	Once(ctx context.Context, id string, f func() error) (did bool, err error)
}

// A Library finds works.
type Library interface {
	// ParseQuery reads a query; its error is a *query.SyntaxError.
	ParseQuery(ctx context.Context, text string) (query.Query, error)
	// Search returns the newest works that match, and what to pass as after for the
	// next page, "" if this is the last.
	Search(ctx context.Context, q query.Query, limit int, after string) (works []digest.Work, more string, err error)
	// FindWorks returns the works that a person may mean by an id, a URL, an arXiv id, a
	// repository's name or words of a title; none is no error.
	FindWorks(ctx context.Context, text string) ([]digest.Work, error)
	// Disputed returns the works that became news in a period and about which the
	// evidence disagrees with itself, newest first.
	Disputed(ctx context.Context, p digest.Period) ([]digest.Work, error)
	Corrections(ctx context.Context, id digest.WorkID) ([]digest.Correction, error)
	LookedUp(ctx context.Context, w digest.Work) ([]Lookup, error)
}

// A CorrectionDesk takes corrections. What is tagged is one record that all
// workspaces share: see [digest.Keeper].
type CorrectionDesk interface {
	// Correct stores a correction and returns the work as it is now.
	Correct(ctx context.Context, c digest.Correction) (digest.Work, error)
	// Holds reports whether the word of an editor, said in a place by a person, holds
	// for everybody at once.
	Holds(ctx context.Context, p Place, person string) (bool, error)
	// Propose puts a correction into the queue. The same of the same person is one. The
	// error may be [digest.ErrTooMany].
	Propose(ctx context.Context, p digest.Proposal) (digest.Proposal, error)
	// Proposals returns those that are open, oldest first, of one work or with "" of all.
	Proposals(ctx context.Context, work digest.WorkID) ([]digest.Proposal, error)
	// Proposal returns one, open or not; ok is false if there is none.
	Proposal(ctx context.Context, id int64) (p digest.Proposal, ok bool, err error)
	// Decide closes an open one; one that is accepted is corrected with it. The error may
	// be [digest.ErrDecided], and then the proposal says by whom.
	Decide(ctx context.Context, id int64, accept bool, by, why string) (digest.Proposal, error)
}

// A Press composes digests and counts.
type Press interface {
	// ComposeFor composes a digest of a query as a place would be told it: what its people
	// found useful comes first.
	ComposeFor(ctx context.Context, in Place, title, text string, p digest.Period, how digest.Counting) (digest.Digest, error)
	// Latest returns the last digest that a destination was sent.
	Latest(ctx context.Context, to digest.Destination) (d digest.Digest, ok bool, err error)
	// Series answers a question about the balance, which is complete. What was found
	// useful is asked of the workspace of team.
	Series(ctx context.Context, q digest.Question, team digest.Destination) (digest.Series, error)
	Health(ctx context.Context) ([]digest.SourceHealth, error)
	Topics(ctx context.Context) ([]digest.Topic, error)
}

// Subscribers keeps who is told what.
type Subscribers interface {
	// SubscriptionsOf returns the subscriptions of a place's channel, and with all
	// those of its whole workspace.
	SubscriptionsOf(ctx context.Context, p Place, all bool) ([]digest.Subscription, error)
	PutSubscription(ctx context.Context, s digest.Subscription) error
	DeleteSubscription(ctx context.Context, id digest.SubscriptionID) error
	// Cadence reads a cadence as people type it, and says when it is next due.
	Cadence(spec, zone string) (cron string, next time.Time, err error)
}

// Preferences keeps what workspaces and people prefer.
type Preferences interface {
	Settings(ctx context.Context, p Place) (digest.Settings, error)
	PutSettings(ctx context.Context, p Place, s digest.Settings) error
	// Vote keeps a person's latest word on a work: 1 useful, -1 not, 0 taken back.
	Vote(ctx context.Context, p Place, person string, work digest.WorkID, value int) error
	// Opinion counts the people of a place's workspace who have voted on a work.
	Opinion(ctx context.Context, p Place, work digest.WorkID) (digest.Opinion, error)
	// FoundUseful returns the works that more of them found useful than not, of those
	// that were voted on since a time: what most found useful first.
	FoundUseful(ctx context.Context, p Place, since time.Time, limit int) ([]digest.Found, error)
	Save(ctx context.Context, p Place, person string, work digest.WorkID, on bool) error
	Saved(ctx context.Context, p Place, person string) ([]digest.Work, error)
}
