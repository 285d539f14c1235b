// Package bot is the conversation: it words what the editor decided and answers
// what people ask.
//
// It is the top one of Seedcorn's three layers (cmd -> bot -> digest -> feeds).
// Nothing here knows which platform a person is on:
//
//	a typed line, a button, a form ──adapter──► [Invocation]
//	    [Router.Handle] finds the [Command] and runs it with a [Desk]
//	[Reply] with a message.Document ──adapter──► the platform's own idiom
//
//	digest.Digest ── [Digest] ──► message.Document ── [Platform.Render] ──► parts ── [Platform.Post] ──► a channel
//
// A command and its help are one value: the table [Commands] is the only
// description of what can be asked, and manifests, registrations, completions and
// the help are printed from it.
//
// Its rooms: message (the document and its plain renderers), chart (a document's
// chart as a picture), one adapter for each platform, each the only home of its
// platform's library, web (the archive in the browser), and bottest, the suite that
// every adapter must pass.
package bot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
)

// A Place is where something was asked.
type Place struct {
	Platform  string
	Workspace string // "" where the platform has none
	Channel   string
	Direct    bool // between the bot and one person
	// Guarded reports whether the platform, by its own default, leaves managing to those
	// whom it gives a permission for it. Settings may say otherwise.
	Guarded bool
	// Followed reports whether other channels can follow this one, so that what is posted
	// here may be shown there, too.
	Followed bool
}

// Destination is the place as a subscription keeps it.
func (p Place) Destination() digest.Destination {
	return digest.Destination{Platform: p.Platform, Workspace: p.Workspace, Channel: p.Channel, Direct: p.Direct}
}

// A Person is who asked.
type Person struct {
	ID    string // unique within the platform and workspace
	Name  string // for signing corrections
	Zone  string // IANA time zone, where the platform tells
	Guest bool   // of the workspace: may look, may not manage
	// Manages reports whether the platform lets this person manage the channel.
	Manages bool
	Roles   []string // ids of the roles that the person has in the workspace
	// Direct is where the person alone is told something, whatever the place of asking;
	// zero where the platform does not say.
	Direct digest.Destination
}

// An Invocation is one thing that a person asked, however it was said: typed,
// clicked or filled in.
type Invocation struct {
	ID string // the platform's own, for the log
	// Once is the platform's own id of what the person did, the same however often and on
	// whichever way it is sent: what changes something is done once for it. "" where the
	// platform gives none.
	Once    string
	Place   Place
	Asker   Person
	Command string            // a name in the table
	Args    map[string]string // by parameter
	Rest    string            // what was typed after a Command that is none of the table's
}

// A Reply is what is said in answer.
type Reply struct {
	Document message.Document
	Public   bool  // everyone in the channel sees it; otherwise only the asker
	Replace  bool  // it takes the place of the message whose button was pressed
	Form     *Form // to be filled in first; Document is for platforms without forms
	// Posts says that from now on something will be posted where it was asked, so that an
	// adapter can make sure, and tell the asker if it cannot.
	Posts bool
	// Fault is the parameter that was not understood, if it is one's fault: a form that
	// was filled in can say so beside its question.
	Fault string
}

// A Form asks for parameters of a command. What is filled in is an invocation of
// it like any other.
type Form struct {
	Title   string
	Submit  string // the button's label
	Command string
	Fields  []FormField
	// Asked is the line that brings the form again, where the command with what must be
	// filled in would be done at once.
	Asked string
}

// A FormField is one question of a form.
type FormField struct {
	Param    string // of the command
	Label    string
	Hint     string
	Value    string // filled in already
	Choices  []string
	Long     bool
	Required bool
	// Fixed is of what is settled: its value goes with the form and is not asked. A
	// platform that cannot keep it asks it all the same.
	Fixed bool
}

// A Handler answers invocations. It never fails: what goes wrong is in the reply.
// It may take longer than a platform allows; the adapter acknowledges in time and
// follows up.
type Handler interface {
	Handle(ctx context.Context, inv Invocation) Reply
	// Complete returns choices for a parameter that begin as the person has typed,
	// best first, at most 25.
	Complete(ctx context.Context, inv Invocation, param, typed string) []Choice
}

// A Choice is one completion: what is shown and what is sent.
type Choice struct{ Label, Value string }

// A Problem is an error with a sentence that may be shown to the person who asked.
// Err, which may hold anything, is for the log.
type Problem struct {
	Say   string
	Hint  string
	Param string           // the parameter that was not understood, if it is one
	Try   []message.Action // what was perhaps meant
	Err   error
}

func (p *Problem) Error() string {
	if p.Err != nil {
		return p.Say + ": " + p.Err.Error()
	}
	return p.Say
}

func (p *Problem) Unwrap() error { return p.Err }

func problemf(hint, format string, args ...any) error {
	return &Problem{Say: fmt.Sprintf(format, args...), Hint: hint}
}

// A DeliveryID names one message that must be posted once. Platforms carry it, so
// that it can be found again.
type DeliveryID string

// A Part is one message of a digest as a platform wants it: the exact bytes, kept
// from the moment of composing, so that a second attempt says the same.
type Part struct {
	Payload []byte
	Summary string // for the log and the list of deliveries
}

// A Receipt is what a platform gave for a message: enough to find, edit or
// continue it. It means something to its adapter only.
type Receipt string

// A Platform is a place where people talk.
type Platform interface {
	// Name is the platform's name in destinations: short, lower case.
	Name() string
	// Render splits a document into messages within the platform's limits. It never
	// clips: what does not fit goes into a further part.
	Render(doc message.Document) ([]Part, error)
	// Post sends one part. first is the receipt of the digest's first part, "" for
	// that part itself, so that later parts can be put below it. The error is a
	// *[PostError].
	Post(ctx context.Context, to digest.Destination, id DeliveryID, part Part, first Receipt) (Receipt, error)
	// Find looks for a message that was perhaps posted since a time. ok is false if
	// it is certainly not there; an error that is [ErrCannotLook] means that the
	// platform does not let us know.
	Find(ctx context.Context, to digest.Destination, id DeliveryID, since time.Time) (r Receipt, ok bool, err error)
	// Run hands what people ask to h until ctx ends or the platform refuses us for
	// good, which is the error.
	Run(ctx context.Context, h Handler) error
}

// A Publisher is a [Platform] that can show a message in all channels that follow the
// message's own.
type Publisher interface {
	// Publish publishes a message that was posted; one that is published already is no
	// error. The error is a *[PostError].
	Publish(ctx context.Context, to digest.Destination, r Receipt) error
	// Cap is how many messages of one channel may be published in how long.
	Cap() (most int, per time.Duration)
	// EditCap is how often a published message may be edited in how long.
	EditCap() (most int, per time.Duration)
}

// A Previewer is a [Platform] that can show in a browser what it would post.
type Previewer interface {
	// Preview writes a page with parts of [Platform.Render] on it. It asks nobody.
	Preview(w io.Writer, parts []Part) error
}

// An Editor is a [Platform] whose messages can be changed where they stand.
type Editor interface {
	// Edit replaces a posted message by a part. It never posts: a message that is not
	// there is an error. The error is a *[PostError]; an edit of unsure fate may be
	// repeated at will.
	Edit(ctx context.Context, to digest.Destination, id DeliveryID, r Receipt, part Part) error
}

// A Correspondent is a [Platform] on which one can write to a person unasked.
type Correspondent interface {
	// Direct is where messages to a person of a workspace go, as a [Place] has their ids.
	Direct(workspace, person string) digest.Destination
}

// A Pacer is a platform that says beforehand how fast one may post. What it does not
// say is learned from its refusals.
type Pacer interface {
	Pace() digest.Pace
}

// An EditPacer is an [Editor] that says so of edits.
type EditPacer interface {
	EditPace() digest.Pace
}

// ErrCannotLook is returned by [Platform.Find] where reading back is not allowed.
var ErrCannotLook = errors.New("the platform does not let us read back")

// Fate is what became of a post that failed.
type Fate string

// The fates.
const (
	FateRetry  Fate = "retry"  // certainly not posted; try again after PostError.After
	FateUnsure Fate = "unsure" // perhaps posted: look before trying again
	FateDead   Fate = "dead"   // refused for ever: the channel is gone, the token revoked
)

// A PostError is a failed post.
type PostError struct {
	Fate  Fate
	After time.Duration // of a retry: what the platform asked for; 0 if it did not
	Scope digest.Scope  // what is to wait so long: this message, or all to its channel, workspace or platform
	Say   string        // for the subscription's owner, safe and plain
	Err   error
}

func (e *PostError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("posting (%s): %v", e.Fate, e.Err)
	}
	return fmt.Sprintf("posting (%s): %s", e.Fate, e.Say)
}

func (e *PostError) Unwrap() error { return e.Err }
