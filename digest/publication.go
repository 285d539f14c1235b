package digest

import "time"

// PublicationState is where a publication is in its life.
type PublicationState string

// The states.
const (
	PublishWaiting PublicationState = "waiting"    // for its channel to have room
	Publishing     PublicationState = "publishing" // a worker has it
	Published      PublicationState = "published"
	PublishRefused PublicationState = "refused"
)

// A Publication is a posted message on its way to the channels that follow its own.
type Publication struct {
	Delivery  DeliveryID
	To        Destination
	Receipt   string // of the delivery
	State     PublicationState
	Attempt   int // counts claims; an outcome of an older attempt is ignored
	NotBefore time.Time
	At        time.Time // when it was last claimed
	Words     string    // what became of the last attempt, for people
}
