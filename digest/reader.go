package digest

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// FeedKeyID names a [FeedKey]. It can't be guessed, and opens nothing by itself.
type FeedKeyID string

// NewFeedKeyID returns an id that nobody has.
func NewFeedKeyID() FeedKeyID { return FeedKeyID("k" + strings.ToLower(rand.Text()[:20])) }

// A FeedKey is the private address of a feed: a feed reader, which cannot sign in,
// reads by it on behalf of a person.
type FeedKey struct {
	ID       FeedKeyID
	Platform string // at which its owner showed who they are
	Person   string
	Query    string // what it was made to follow; "" is all works
	Made     time.Time
	Until    time.Time
	Read     time.Time // on the last day on which it was; zero: never
	Revoked  time.Time // zero: it was not
}

// Holds reports whether it opens anything at now.
func (k FeedKey) Holds(now time.Time) bool { return k.Revoked.IsZero() && now.Before(k.Until) }

// MostFeedKeys is how many of a person's hold at the same time.
const MostFeedKeys = 20

// ErrTooManyKeys is the error of making a key when [MostFeedKeys] hold already.
var ErrTooManyKeys = errors.New("too many private addresses of this person hold")
