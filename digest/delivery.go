package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// DeliveryID names one message that must be posted once. It is derived from the
// digest and the part, and is 24 hexadecimal digits: short enough for a platform's
// own field for it.
type DeliveryID string

// NewDeliveryID returns the id of a part of a digest.
func NewDeliveryID(d DigestID, part int) DeliveryID {
	h := sha256.Sum256([]byte(string(d) + "\x00" + string(rune('0'+part))))
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

// A Part is one message of a digest: the exact bytes that its platform will be
// sent, kept from the moment of composing, so that every attempt says the same.
type Part struct {
	Payload []byte
	Summary string // for lists of deliveries
}

// A Delivery is one part of one digest on its way to one destination.
type Delivery struct {
	ID           DeliveryID
	Digest       DigestID
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
