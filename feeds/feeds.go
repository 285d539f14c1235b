// Package feeds is the world: what labs publish, where, under which license.
//
// It is the lowest of Seedcorn's three layers (cmd -> bot -> digest -> feeds) and
// holds the words every other package speaks in: [Source], [Item], [Artifact],
// [Lab], [License], [Openness], [Country], [Evidence] and [Tags]. The types here
// know nothing of HTTP, SQL or chat.
//
// Its rooms, in the order in which an item walks through them:
//
//	fetch     gets a document politely and turns it into items (gofeed lives here)
//	arxiv     reads what arXiv means: versions, announce types, affiliations
//	hub       reads Hugging Face and GitHub: organizations, cards, licenses
//	catalog   the starter list of sources, and OPML in and out
//	registry  labs, countries and licenses, each with a citation
//	tag       item -> tags, each with evidence; pure
//
// Siblings do not import one another, except tag, which reads registry. Where
// one needs another's service, this package holds the small interface between
// them ([Getter], [Collector], [Gate]) and cmd ties the knot.
package feeds

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Each id has its own type, so that none can be handed over as another.
type (
	// SourceID names a source for good: "feed:https://openai.com/news/rss.xml",
	// "arxiv:cs.CL", "hf:Qwen", "gh:deepseek-ai", "hf-papers".
	SourceID string
	// ItemID names one entry of one source. It does not change when the entry is
	// edited or, on arXiv, revised: see [NewItemID].
	ItemID string
	// LabID names a lab of the registry ("deepseek"), or an organization of the
	// Research Organization Registry ("ror:03cve4549").
	LabID string
)

// SourceKind says how a source is read.
type SourceKind string

// The kinds of source.
const (
	KindFeed        SourceKind = "feed"               // RSS, Atom or JSON Feed
	KindArXiv       SourceKind = "arxiv"              // arXiv's RSS of one or more categories
	KindArXivQuery  SourceKind = "arxiv-query"        // a query of arXiv's API
	KindHuggingFace SourceKind = "huggingface"        // models and datasets of one organization
	KindDailyPapers SourceKind = "huggingface-papers" // Hugging Face daily papers
	KindGitHub      SourceKind = "github"             // repositories of one organization
	KindReleases    SourceKind = "github-releases"    // the releases of one repository (Atom)
)

// A Source is a place we poll.
type Source struct {
	ID    SourceID
	Kind  SourceKind
	URL   string // what is fetched; permanent redirects are written back here
	Site  string // the page a person would open
	Title string
	Lab   LabID         // whose source it is; empty for a source of many labs
	Every time.Duration // how often it is polled at most; 0 means the kind's default
	// Trusted sources of a lab speak for it: an item of theirs is attributed to Lab
	// (rule C1). A newspaper's or aggregator's feed is not trusted.
	Official bool
	Paused   bool
	Gone     bool // answered 404 or 410 for long; no longer polled
}

// State is what a collector wants to be handed at its next visit. It is opaque
// to everyone but the collector that wrote it; the store keeps it as it is.
type State struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// Body is a hash of the body as it came over the wire, before decompression:
	// a server without validators costs a hash, not a parse.
	Body string `json:"body,omitempty"`
	// Head is a hash of what entries take from the document around them (namespaces,
	// base, site, authors): where it changed, every entry is read again.
	Head string `json:"head,omitempty"`
	// Entries holds eight bytes for each entry of the last document, its hash.
	Entries []byte `json:"entries,omitempty"`
	// Cursor is for sources that page by time or id.
	Cursor string `json:"cursor,omitempty"`
}

// A Pull is what one visit to a source brought.
type Pull struct {
	// Unchanged means that the source has nothing new: Items is empty, and neither
	// a parse nor a write is needed. It is good news, and not the same as an error.
	Unchanged bool
	Items     []Item // new or changed entries only, oldest first where dates say so
	Entries   int    // how many entries the document holds, known ones included
	State     State
	Title     string    // the feed's own title, for a source that has none yet
	MovedTo   string    // a permanent redirect's target, to be remembered
	NotBefore time.Time // the server asked not to be called earlier; zero if it did not
	// Faults are entries that were left out and why, for the source's page of
	// health. A pull with faults is still a good pull.
	Faults []string
}

// A Collector reads sources of one or more kinds.
type Collector interface {
	// Collect visits src once. State is what the last good visit returned, or the
	// zero State. An error is a *[Trouble] wherever the cause is the source's; it
	// stores nothing, and a later visit may succeed.
	Collect(ctx context.Context, src Source, last State) (Pull, error)
}

// TroubleKind says what went wrong at a source, in words an operator can act on.
type TroubleKind string

// What can go wrong.
const (
	TroubleNetwork   TroubleKind = "unreachable" // no connection, no name, connection cut
	TroubleTimeout   TroubleKind = "timeout"
	TroubleStatus    TroubleKind = "status"    // 4xx or 5xx other than the ones below
	TroubleGone      TroubleKind = "gone"      // 404 or 410
	TroubleLimited   TroubleKind = "limited"   // 429, or 503 with Retry-After
	TroubleDenied    TroubleKind = "denied"    // 401 or 403
	TroublePrivate   TroubleKind = "private"   // address refused by policy
	TroubleTooLarge  TroubleKind = "too-large" // over the byte or entry cap
	TroubleNotAFeed  TroubleKind = "not-a-feed"
	TroubleMalformed TroubleKind = "malformed" // a feed, but broken beyond reading
	TroubleRefused   TroubleKind = "refused"   // the service answered with its own error
)

// Trouble is a failed visit to a source.
type Trouble struct {
	Kind       TroubleKind
	Source     SourceID
	URL        string // without credentials or query secrets
	Status     int    // HTTP status, 0 where there was no answer
	RetryAfter time.Duration
	Err        error
}

func (t *Trouble) Error() string {
	s := string(t.Kind)
	if t.Status != 0 {
		s = fmt.Sprintf("%s (HTTP %d)", s, t.Status)
	}
	where := string(t.Source)
	if where == "" {
		where = t.URL
	}
	if t.Err != nil {
		return fmt.Sprintf("%s: %s: %v", where, s, t.Err)
	}
	return fmt.Sprintf("%s: %s", where, s)
}

// Words says for a person what went wrong, without naming the source.
func (t *Trouble) Words() string {
	switch t.Kind {
	case TroubleStatus, TroubleLimited, TroubleDenied, TroubleGone:
		if t.Status != 0 {
			return fmt.Sprintf("%s, HTTP %d", t.Kind, t.Status)
		}
	case TroubleNotAFeed, TroubleMalformed, TroubleTooLarge, TroublePrivate, TroubleRefused, TroubleNetwork:
		if t.Err != nil {
			return fmt.Sprintf("%s: %v", t.Kind, t.Err)
		}
	}
	return string(t.Kind)
}

func (t *Trouble) Unwrap() error { return t.Err }

// TroubleOf returns the kind of trouble in err's chain, or "" where there is none.
func TroubleOf(err error) TroubleKind {
	var t *Trouble
	if errors.As(err, &t) {
		return t.Kind
	}
	return ""
}

// A Request is one polite GET.
type Request struct {
	URL          string
	Accept       string
	ETag         string // sent as If-None-Match
	LastModified string // sent as If-Modified-Since
	// Hash is the [Response] Hash of the body the caller has. A body that comes over
	// the wire with the same hash is answered as a 304 and not even decompressed, so
	// a server without validators is as cheap as one with them.
	Hash     string
	Header   http.Header
	MaxBytes int64 // cap after decompression; 0 means the client's default
}

// A Response is the answer to a [Request]. The body is whole, decompressed and
// within the cap.
type Response struct {
	Status       int    // 200 or 304; everything else is a *[Trouble]
	URL          string // after redirects
	MovedTo      string // set where every hop of the redirect was permanent
	Header       http.Header
	ETag         string
	LastModified string
	Body         []byte
	Hash         string    // of the body as it came over the wire
	NotBefore    time.Time // from Cache-Control or Expires, bounded
}

// A Getter fetches documents with our manners: user agent, timeout, size cap,
// address policy, host gate. Package fetch implements it.
type Getter interface {
	// Get returns the answer to req. A 304 is an answer; any status other than 200
	// or 304, and any failure on the way, is a *[Trouble].
	Get(ctx context.Context, req Request) (Response, error)
}

// A Gate spaces requests to one service out over everyone who shares it.
type Gate interface {
	// Enter waits until a request to key may be made and returns a function that
	// must be called when the answer is in. It fails only when ctx ends first or
	// when the gate's own storage does.
	Enter(ctx context.Context, key string) (leave func(), err error)
}
