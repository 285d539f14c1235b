package digest

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// Windows within which two entries may be about one work. Labs put weights up
// weeks before or months after the paper; a blog post comes within a month or so;
// a title alone proves little after a season.
const (
	windowRepository = 180 * 24 * time.Hour
	windowTitle      = 60 * 24 * time.Hour
	windowRenamed    = 24 * time.Hour // see [onList]
)

// The rules of identity, as "why" names them.
const (
	RuleSameKey   = "I1" // both are the same thing: one arXiv id, DOI, repository or page
	RuleClaimed   = "I2" // one says that the other belongs to it
	RuleSameTitle = "I3" // one title, close in time, no contradiction
	RulePerson    = "I9" // a person joined them
)

// ExplainRule says in one sentence what a rule of identity rests on.
func ExplainRule(rule string) string {
	switch rule {
	case RuleSameKey:
		return "both are the same thing by a public identifier"
	case RuleClaimed:
		return "one says that the other belongs to it, and date and labs agree"
	case RuleSameTitle:
		return "same title within two months, and nothing contradicts it"
	case RulePerson:
		return "a person joined them"
	}
	return ""
}

// A Candidate is a work that shares a key with an entry.
type Candidate struct {
	Work       WorkID
	Key        feeds.Key     // the shared key; Claim says whether the *entry* only claims it
	WorkClaims bool          // the work only claims the key, too
	Owned      []feeds.Key   // identifiers that the work owns
	Labs       []feeds.LabID // labs it is attributed to
	Places     []Place       // where it appeared
	First      time.Time
}

// A Resolution says which work an entry belongs to.
type Resolution struct {
	Join  WorkID    // "" begins a new work
	Via   feeds.Key // the key that proves it
	Rule  string
	Merge []WorkID // works that the entry proves to be the same as Join
}

// Resolve decides which of the candidates an entry belongs to. The order of
// candidates does not matter. Proof by what a thing *is* beats proof by what is
// said about it, which beats proof by title; among equals the older work wins.
//
// A work owns at most one arXiv id and at most one other DOI, so a second paper
// never joins a first through a repository that both link to. Two claims of one
// key prove nothing. Works of labs that are known and different are joined only
// by a key that both own.
func Resolve(e Entry, candidates []Candidate) Resolution {
	type proof struct {
		Candidate
		rule string
		rank int
	}
	var proofs []proof
	labs := countedLabs(e.Tags.Labs)
	date := e.Item.Date()
	for _, c := range candidates {
		if c.Key.Claim && c.WorkClaims || contradicts(e.Item.Keys, c.Owned) {
			continue
		}
		apart := date.Sub(c.First).Abs()
		strangers := strange(labs, c.Labs)
		switch {
		case c.Key.Scheme == feeds.KeyTitle:
			if !c.Key.Claim && !c.WorkClaims && !strangers && apart <= windowTitle {
				proofs = append(proofs, proof{c, RuleSameTitle, 3})
			}
		case !c.Key.Claim && !c.WorkClaims && c.Key.Scheme == feeds.KeyURL && onList(e.Item, c.Places):
			// a page of many things proves nothing about one of them
		case !c.Key.Claim && !c.WorkClaims:
			proofs = append(proofs, proof{c, RuleSameKey, 1})
		default:
			if !strangers && apart <= windowRepository {
				proofs = append(proofs, proof{c, RuleClaimed, 2})
			}
		}
	}
	if len(proofs) == 0 {
		return Resolution{}
	}
	slices.SortFunc(proofs, func(a, b proof) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		if n := a.First.Compare(b.First); n != 0 {
			return n
		}
		return strings.Compare(string(a.Work), string(b.Work))
	})
	best := proofs[0]
	r := Resolution{Join: best.Work, Via: best.Key, Rule: best.rule}
	// Others that are proven as well are one work with it, unless they contradict
	// it or one another. A title is no bridge between two works: only identifiers are.
	owned := slices.Concat(e.Item.Keys, best.Owned)
	for _, p := range proofs[1:] {
		if p.Work == r.Join || slices.Contains(r.Merge, p.Work) || p.rule == RuleSameTitle || contradicts(owned, p.Owned) {
			continue
		}
		if p.Key == best.Key && p.Key.Scheme == feeds.KeyURL && p.rule == RuleSameKey && best.rule == RuleSameKey {
			continue // both own one page and are two works: it is a list
		}
		if strange(best.Labs, p.Labs) && p.rule != RuleSameKey {
			continue
		}
		r.Merge = append(r.Merge, p.Work)
		owned = append(owned, p.Owned...)
	}
	return r
}

// onList reports whether an entry and a work share a page only because the page lists
// many things, as release notes do: their source gave the work another title on another
// day. An entry that was only renamed keeps its day.
func onList(it feeds.Item, places []Place) bool {
	title, _ := feeds.TitleKey(it.Title)
	return slices.ContainsFunc(places, func(p Place) bool {
		other, _ := feeds.TitleKey(p.Title)
		return p.Source == it.Source && p.Item != it.ID && other != title && it.Date().Sub(p.Date).Abs() >= windowRenamed
	})
}

// contradicts reports whether a and b own different identifiers of a kind of
// which one work can own only one.
func contradicts(a, b []feeds.Key) bool {
	for _, x := range a {
		if x.Claim || x.Scheme != feeds.KeyArXiv && x.Scheme != feeds.KeyDOI {
			continue
		}
		for _, y := range b {
			if !y.Claim && y.Scheme == x.Scheme && y.Value != x.Value {
				return true
			}
		}
	}
	return false
}

func countedLabs(as []feeds.Attribution) []feeds.LabID {
	var out []feeds.LabID
	for _, a := range as {
		if a.Counts() && a.Lab != "" {
			out = append(out, a.Lab)
		}
	}
	return out
}

// strange reports whether two works are known to be of different houses: no lab
// of the one is, or belongs with, a lab of the other. A lab and its company are one
// house (Qwen and Alibaba, Cohere Labs and Cohere).
func strange(a, b []feeds.LabID) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	return !slices.ContainsFunc(a, func(x feeds.LabID) bool {
		return slices.ContainsFunc(b, func(y feeds.LabID) bool { return x == y || house(x) == house(y) })
	})
}

// house is the ultimate parent of a lab.
func house(id feeds.LabID) feeds.LabID {
	for range 10 { // the registry's check refuses cycles; an operator's own file may hold one
		l, ok := registry.Default().Lab(id)
		if !ok || l.Parent == "" {
			break
		}
		id = l.Parent
	}
	return id
}

// crockford is the alphabet of Crockford's base 32, lower case: no i, l, o or u,
// so that a person can read an id aloud (https://www.crockford.com/base32.html).
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// NewWorkID derives a work's id from the entry that begins it: from its strongest
// owned key where it has one, else from the item.
func NewWorkID(it feeds.Item) WorkID {
	seed := "item\x00" + string(it.ID)
	best := 99
	for _, k := range it.Keys {
		if n := strength(k.Scheme); !k.Claim && n < best {
			best, seed = n, string(k.Scheme)+"\x00"+k.Value
		}
	}
	return workID(seed)
}

func workID(seed string) WorkID {
	h := sha256.Sum256([]byte(seed))
	b := []byte{'w', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for i := range 10 {
		b[i+1] = crockford[h[i]&31]
	}
	return WorkID(b)
}

// strength orders schemes by how well they name a work, strongest first.
func strength(s feeds.Scheme) int {
	return slices.Index([]feeds.Scheme{feeds.KeyArXiv, feeds.KeyDOI, feeds.KeyHF, feeds.KeyGitHub, feeds.KeyURL, feeds.KeyTitle}, s)
}
