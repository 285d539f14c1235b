package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DeliveryID names one message that must be posted once. It is derived from the
// digest and the part, and is 24 hexadecimal digits: short enough for a platform's
// own field for it.
type DeliveryID string

// NewDeliveryID returns the id of a part of a digest.
func NewDeliveryID(d DigestID, part int) DeliveryID {
	mark := string(rune('0' + part))
	if part >= 1<<15 { // from there on some numbers are no runes, and would share a name
		mark = strconv.Itoa(part)
	}
	h := sha256.Sum256([]byte(string(d) + "\x00" + mark))
	return DeliveryID(hex.EncodeToString(h[:12]))
}

// DeliveryState is where a delivery is in its life:
//
//	           claim                 accepted
//	pending ───────────► sending ───────────────► sent
//	   ▲  ▲                 │ │ refused for ever
//	   │  └─ retry later ───┘ └──────────────────► dead
//	   │                    │ timeout, 5xx after sending, worker died
//	   └─ not found ──── unsure ── found ────────► sent
type DeliveryState string

// The states.
const (
	Pending DeliveryState = "pending"
	Sending DeliveryState = "sending"
	Sent    DeliveryState = "sent"
	Unsure  DeliveryState = "unsure"
	Dead    DeliveryState = "dead"
)

// A Lane is the way to one workspace of one platform. Deliveries of different lanes
// do not wait for each other.
type Lane struct{ Platform, Workspace string }

// Lane is the lane that leads to d.
func (d Destination) Lane() Lane { return Lane{d.Platform, d.Workspace} }

// A Pace is how fast a platform lets us post, as far as it says so beforehand: in
// all, to a workspace, to a channel. What only a refusal tells is learned.
type Pace struct {
	Platform, Workspace, Channel Rate
	// Window is in what time the platform counts all, and as much more as requests arrive
	// less evenly than they leave; 0: it says nothing.
	Window time.Duration
}

// A Rate is one post every so often, or Burst at once after a rest as long. The zero
// value is no limit.
type Rate struct {
	Every time.Duration
	Burst int // 0 means 1
}

// Slots are N posts that may be made: the first at At by the clock of this process, each
// Every after the one before. With N of 0 none may, and At is when to ask again.
type Slots struct {
	N     int
	At    time.Time
	Every time.Duration
}

// A Scope is how far a platform's "go slower" reaches.
type Scope string

// The scopes.
const (
	ScopeMessage   Scope = ""          // this message only
	ScopeChannel   Scope = "channel"   // everything to its channel
	ScopeWorkspace Scope = "workspace" // to its workspace
	ScopePlatform  Scope = "platform"  // to everybody
)

// A Part is one message of a digest: the exact bytes that its platform will be
// sent, kept from the moment of composing, so that every attempt says the same.
type Part struct {
	Payload []byte
	Summary string // for lists of deliveries
}

// ThisDigest stands in messages for the id of their digest: they are made once for
// many subscriptions, each of whose digests has an id of its own. It is no id that
// [NewDigestID] makes: z is no digit there.
const ThisDigest DigestID = "dzzzzzzzzzzzz"

// NewDigestID names the digest of a subscription by the end of its period.
func NewDigestID(sub SubscriptionID, to time.Time) DigestID {
	h := sha256.Sum256([]byte(string(sub) + "\x00" + strconv.FormatInt(to.UnixMilli(), 10)))
	return DigestID("d" + strings.ToLower(base32.HexEncoding.EncodeToString(h[:10])[:12]))
}

// Named is parts with id where [ThisDigest] stands.
func Named(parts []Part, id DigestID) []Part {
	out := slices.Clone(parts)
	for i := range out {
		out[i].Payload = bytes.ReplaceAll(out[i].Payload, []byte(ThisDigest), []byte(id))
	}
	return out
}

// A Delivery is one part of one digest on its way to one destination.
type Delivery struct {
	ID           DeliveryID
	Digest       DigestID // "" of a notice to the subscription's owner
	Subscription SubscriptionID
	To           Destination
	Part         int // from 0; part k goes out only after part k-1
	Payload      []byte
	Summary      string
	State        DeliveryState
	Attempt      int       // counts claims; an outcome of an older attempt is ignored
	NotBefore    time.Time // of a pending or unsure one
	Begun        time.Time // when it was claimed; of an unsure one, when the attempt in doubt was
	First        string    // receipt of part 0, for later parts
	Receipt      string    // of a sent one
	Words        string    // what became of the last attempt, for people
	Resent       bool      // posted again although it may stand there already
}

// An Outcome is what became of an attempt.
type Outcome struct {
	State     DeliveryState // Pending (again, later), Sent, Unsure or Dead
	Receipt   string
	NotBefore time.Time
	Words     string
	Resent    bool
}

// A Settlement is the outcome of an attempt at a delivery.
type Settlement struct {
	ID      DeliveryID
	Attempt int
	Outcome
}

// A Refusal is why a subscription was paused: what its platform refused for ever.
type Refusal struct {
	Subscription Subscription
	Because      string // for the owner
	At           time.Time
}

// Resend marks a payload that is posted although an earlier attempt may have
// succeeded, on a platform that cannot be asked: readers are told.
const Resend = "(resent)"

// MarkResent returns d with its summary marked.
func (d Delivery) MarkResent() Delivery {
	if !strings.HasPrefix(d.Summary, Resend) {
		d.Summary = Resend + " " + d.Summary
	}
	d.Resent = true
	return d
}
