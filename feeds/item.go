package feeds

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ItemKind says what an entry announces.
type ItemKind string

// The kinds of item.
const (
	ItemPost    ItemKind = "post"    // a blog post or news entry
	ItemPaper   ItemKind = "paper"   // a paper's listing
	ItemModel   ItemKind = "model"   // weights on a hub
	ItemDataset ItemKind = "dataset" // data on a hub
	ItemRepo    ItemKind = "repo"    // a code repository
	ItemRelease ItemKind = "release" // a tagged release of a repository
	// ItemLookup is no entry of a feed but the answer to a question that we asked
	// about a work: the affiliations on a paper's page, the LICENSE of a repository. It
	// takes the same way as any item, and adds to a work without being a place where
	// it appeared.
	ItemLookup ItemKind = "lookup"
)

// Announce is arXiv's announce type. Source: https://info.arxiv.org/help/rss_specifications.html
type Announce string

// The announce types.
const (
	AnnounceNew          Announce = "new"
	AnnounceCross        Announce = "cross"
	AnnounceReplace      Announce = "replace"
	AnnounceReplaceCross Announce = "replace-cross"
)

// Limits on what is kept of an item. A feed is a stranger's text.
const (
	MaxTitle   = 500   // runes
	MaxSummary = 8_000 // runes of plain text
	MaxAuthors = 200   // of 5,000-author papers we keep the first
)

// An Item is one entry exactly as one source published it, with markup removed
// and white space folded, but nothing inferred.
type Item struct {
	ID        ItemID
	Source    SourceID
	Publisher LabID   // the source's lab, where the source is official
	Account   Account // the account that released it on a hub; zero elsewhere
	Kind      ItemKind
	GUID      string
	URL       string
	Title     string    // plain text
	Summary   string    // plain text
	Published time.Time // UTC; zero if the feed gave no believable date
	Updated   time.Time // UTC; zero if unknown
	Seen      time.Time // when we first fetched it; the date of last resort
	// Backfill is set on what the first visit to a source brought: it was there before
	// we looked, and is no news of today.
	Backfill bool `json:",omitempty"`
	Authors  []string
	// Affiliations are strings as printed, in the authors' order, first author's first.
	Affiliations []string
	Emails       []string // addresses or bare domains, as printed on the paper
	Categories   []string
	Announce     Announce // arXiv only
	Version      int      // arXiv's vN; 0 if unknown
	Artifacts    []Artifact
	Keys         []Key
}

// Date is when the item became public as far as we know: Published, else
// Updated, else Seen. Dates before 1990 or more than two days after Seen are
// not believed.
func (it Item) Date() time.Time {
	for _, t := range []time.Time{it.Published, it.Updated} {
		if Believable(t, it.Seen) {
			return t
		}
	}
	return it.Seen
}

// When an item counts as news: an item that we saw later than this after its date was
// discovered late, and one that is older than maxLate is old, whenever we saw it.
const (
	promptly = time.Hour
	maxLate  = 45 * 24 * time.Hour
)

// News is when an item became news to us: its date, or, where a source that we read
// told us late (it was broken, it was slow, it was not there yet), the moment we saw
// it. So no item falls between two digests because its own day's was out already.
func (it Item) News() time.Time {
	d := it.Date()
	if late := it.Seen.Sub(d); !it.Backfill && late > promptly && late <= maxLate {
		return it.Seen
	}
	return d
}

// Believable reports whether a feed's date t can be true for an item seen at
// seen: not before 1990 (older than any feed) and at most two days ahead (time
// zones and embargoes).
func Believable(t, seen time.Time) bool {
	return t.Year() >= 1990 && (seen.IsZero() || t.Before(seen.Add(48*time.Hour)))
}

// NewItemID derives an id from the source and what the source calls the entry.
// The caller strips a version from guid first where revisions share one item.
func NewItemID(src SourceID, guid string) ItemID {
	h := sha256.Sum256([]byte(string(src) + "\x00" + guid))
	return ItemID(hex.EncodeToString(h[:10]))
}

// Account is an account on a hub: {"huggingface", "deepseek-ai"}.
type Account struct {
	Service Service `json:"service,omitempty"`
	Handle  string  `json:"handle,omitempty"`
}

// Service is a place where artifacts are released.
type Service string

// The services we know accounts of.
const (
	HuggingFace Service = "huggingface"
	GitHub      Service = "github"
)

// ArtifactKind is a thing of a work that one can obtain.
type ArtifactKind string

// The kinds of artifact.
const (
	Paper   ArtifactKind = "paper"
	Code    ArtifactKind = "code"
	Weights ArtifactKind = "weights"
	Data    ArtifactKind = "data"
	Hosted  ArtifactKind = "service"
)

// Gate states of a Hugging Face repository.
// Source: https://huggingface.co/docs/hub/models-gated
const (
	GatedNo     = ""
	GatedAuto   = "auto"   // access on sharing contact data
	GatedManual = "manual" // access on approval by a person
)

// An Artifact is a thing of a work as its source describes it. Nothing here is
// judged yet: License is the string as published.
type Artifact struct {
	Kind        ArtifactKind `json:"kind"`
	URL         string       `json:"url,omitempty"`
	License     string       `json:"license,omitempty"`      // as declared
	LicenseName string       `json:"license_name,omitempty"` // model card's license_name, where License is "other"
	LicenseURL  string       `json:"license_url,omitempty"`
	LicenseText string       `json:"license_text,omitempty"` // the LICENSE file itself, where it was read
	Gated       string       `json:"gated,omitempty"`
	Bases       []string     `json:"bases,omitempty"` // base models, as "org/name": lineage
	// BaseLicenses are the licenses that the bases declare, in their order; "" where
	// one is not known. They are looked up, and no feed has them.
	BaseLicenses []string `json:"base_licenses,omitempty"`
}

// Scheme is a kind of identifier by which two items can be known to be about
// one work.
type Scheme string

// The identifier schemes, strongest first.
const (
	KeyArXiv  Scheme = "arxiv"  // id without version: 2501.12948
	KeyDOI    Scheme = "doi"    // lower case, without resolver
	KeyHF     Scheme = "hf"     // org/name, lower case; datasets as datasets/org/name
	KeyGitHub Scheme = "github" // owner/name, lower case
	KeyURL    Scheme = "url"    // canonical URL, see [CanonicalURL]
	KeyTitle  Scheme = "title"  // normalized title, see [TitleKey]; guarded
)

// A Key is an identifier found on an item. An item *owns* the keys of what it
// is (a model's entry owns its repository) and *claims* those it says belong to
// it (an abstract that ends in "code at github.com/x/y"). Two items are one
// work when one owns what the other owns or claims; two claims of one key prove
// nothing, because everybody links to everybody.
type Key struct {
	Scheme Scheme `json:"scheme"`
	Value  string `json:"value"`
	Claim  bool   `json:"claim,omitempty"`
}
