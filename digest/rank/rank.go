// Package rank decides what comes first, and says why.
//
// What comes in is a list of works that match a query; what goes out is the order
// in which to show them, each with its [Score]. It takes two steps:
//
//	works ── [Of] ──► points, with a reason for each ── [Diversify] ──► the order
//
// Points are added, never multiplied, so that each can be shown to a person: "18
// points: open weights, you may build on it". Every rule is in [Of]; the largest
// number of points for each stands in the constants below. Nothing is learned, and
// nothing depends on who asks, but for the votes of the channel that is told.
//
// Country and lab earn no points. They matter in the second step only, where those
// that have had their turn wait a little, so that nobody fills a list by volume.
//
// Everything here is a pure function: the same works, query, time and votes give
// the same order on every machine.
package rank

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// The most points that each signal can give. What a text says weighs most, since
// people asked for it; then what they may build on.
const (
	maxText      = 30.0
	maxBuild     = 20.0
	maxVotes     = 15.0
	maxPlaces    = 12.0
	maxFreshness = 10.0
	maxKind      = 6.0
	maxComplete  = 6.0
	maxLicense   = 8.0
	revision     = -3.0
)

// halfLife is the time in which freshness halves. Digests are weekly.
const halfLife = 7 * 24 * time.Hour

// The names of the reasons.
const (
	ReasonText     = "text"
	ReasonBuild    = "build"
	ReasonPlaces   = "places"
	ReasonKind     = "kind"
	ReasonComplete = "complete"
	ReasonFresh    = "fresh"
	ReasonVotes    = "votes"
	ReasonRevision = "revision"
	ReasonLicense  = "license"
)

// A Tally counts the votes for one work.
type Tally struct {
	Useful, NotUseful int
}

// Votes are the votes of one channel, by work. A nil Votes is a channel that has
// not voted.
type Votes map[digest.WorkID]Tally

// A Score is how many points a work has, and for what.
type Score struct {
	Total float64  // the sum of the reasons' points; never below 0
	Why   []Reason // most points first; a signal that gives none is left out
}

// A Reason is one signal's part in a score.
type Reason struct {
	Name   string  // one of the Reason constants
	Points float64 // to a tenth; negative for a reason against
	Words  string  // for people, lower case, without a full stop
}

// A Ranked work is a work with its score.
type Ranked struct {
	Work  digest.Work
	Score Score
}

// Rank scores the works, puts the best first and diversifies the order. The order
// of the works that come in does not matter, if their ids differ.
func Rank(works []digest.Work, q query.Query, now time.Time, votes Votes) []Ranked {
	scores := make([]Score, len(works))
	for i, w := range works {
		scores[i] = Of(w, q, now, votes)
	}
	out := make([]Ranked, len(works))
	for i, at := range Diversify(works, scores) {
		out[i] = Ranked{works[at], scores[at]}
	}
	return out
}

// Of returns the score of a work for a query, at a time, in the eyes of a channel.
func Of(w digest.Work, q query.Query, now time.Time, votes Votes) Score {
	var s Score
	add := func(name string, points float64, format string, args ...any) {
		// Tenths: nobody can tell less, and machines differ in the last bits.
		if points = math.Round(points*10) / 10; points != 0 {
			s.Why = append(s.Why, Reason{name, points, fmt.Sprintf(format, args...)})
		}
	}

	if points, words := text(w, q); points > 0 {
		add(ReasonText, points, "%s", words)
	}
	switch w.Openness {
	case feeds.OpenSource:
		add(ReasonBuild, maxBuild, "open source: you may build on it")
	case feeds.OpenWeights:
		add(ReasonBuild, maxBuild-2, "open weights: you may build on them")
	case feeds.Restricted:
		add(ReasonBuild, 8, "restricted: you may build on it under conditions")
	case feeds.Unknown:
		add(ReasonBuild, 3, "nobody knows yet whether you may build on it")
	case feeds.Closed:
		add(ReasonBuild, 2, "closed: you can use or read it only")
	}
	if points, n := places(w.Places); n > 1 {
		add(ReasonPlaces, points, "seen in %d places", n)
	} else {
		add(ReasonPlaces, points, "seen in one place")
	}
	add(ReasonKind, kindPoints(w.Kind), "a %s", kindName(w.Kind))
	if parts := obtainable(w); len(parts) > 1 {
		add(ReasonComplete, maxComplete*float64(len(parts)-1)/2, "comes with %s and %s",
			strings.Join(parts[:len(parts)-1], ", "), parts[len(parts)-1])
	}

	fresh, latest := news(w)
	age := max(now.Sub(fresh), 0)
	left := math.Exp2(-age.Hours() / halfLife.Hours())
	add(ReasonFresh, maxFreshness*left, "news of %s", ageWords(age))
	switch latest {
	case digest.EventRevised:
		add(ReasonRevision, revision, "since then only a new version")
	case digest.EventRelicensed:
		add(ReasonLicense, maxLicense*left, "its license has changed")
	}
	if t := votes[w.ID]; t.Useful != t.NotUseful {
		points := max(-maxVotes, min(maxVotes, 3*float64(t.Useful-t.NotUseful)))
		switch {
		case t.NotUseful == 0:
			add(ReasonVotes, points, "%s here found it useful", people(t.Useful))
		case t.Useful == 0:
			add(ReasonVotes, points, "%s here did not find it useful", people(t.NotUseful))
		default:
			add(ReasonVotes, points, "%s here found it useful, %d did not", people(t.Useful), t.NotUseful)
		}
	}

	slices.SortStableFunc(s.Why, func(a, b Reason) int { return cmp.Compare(b.Points, a.Points) })
	for _, r := range s.Why {
		s.Total += r.Points
	}
	s.Total = max(0, math.Round(s.Total*10)/10)
	return s
}

// text gives points for each thing that the query wants to read: all of its share
// in the title, most of it in a lab's name, less in the summary.
func text(w digest.Work, q query.Query) (points float64, words string) {
	found, all := q.Found(w.Title)
	if all == 0 {
		return 0, ""
	}
	seen := map[string]bool{}
	var said []string
	take := func(found []string, worth float64, where string) {
		var fresh []string
		for _, f := range found {
			if !seen[f] {
				seen[f] = true
				points += worth
				fresh = append(fresh, "“"+f+"”")
			}
		}
		if len(fresh) > 0 {
			said = append(said, strings.Join(fresh, ", ")+" "+where)
		}
	}
	take(found, 1, "in the title")
	if len(seen) < all {
		for _, a := range w.Labs {
			if a.Counts() {
				found, _ = q.Found(a.Name)
				take(found, 0.8, "in the lab's name")
			}
		}
	}
	if len(seen) < all {
		found, _ = q.Found(w.Summary)
		take(found, 0.4, "in the summary")
	}
	return min(maxText, maxText*points/float64(all)), strings.Join(said, ", ")
}

// places gives 4 points for each distinct first-hand place (arXiv, a lab's account
// on a hub), 3 for each feed that posts, 1 for each that only lists what others
// made. The categories of arXiv are one place, since a cross-list is no news.
func places(list []digest.Place) (points float64, n int) {
	var seen []string
	for _, p := range list {
		scheme, _, _ := strings.Cut(string(p.Source), ":")
		place, worth := string(p.Source), 3.0
		switch {
		case scheme == "arxiv" || scheme == "arxiv-query":
			place, worth = "arxiv", 4
		case place == "hf-papers":
			worth = 1
		case scheme != "feed":
			worth = 4
		case p.Kind != feeds.ItemPost:
			worth = 4 // a feed of papers or releases
		}
		if !slices.Contains(seen, place) {
			seen = append(seen, place)
			points += worth
		}
	}
	return min(points, maxPlaces), len(seen)
}

func kindPoints(k feeds.ItemKind) float64 {
	switch k {
	case feeds.ItemModel:
		return maxKind
	case feeds.ItemPaper:
		return 5
	case feeds.ItemDataset:
		return 4
	case feeds.ItemRepo, feeds.ItemRelease:
		return 3
	case feeds.ItemPost:
		return 2
	}
	return 0
}

func kindName(k feeds.ItemKind) string {
	switch k {
	case feeds.ItemRepo:
		return "code repository"
	case feeds.ItemPost:
		return "post"
	}
	return string(k)
}

// obtainable returns which of paper, code and weights a work has.
func obtainable(w digest.Work) (parts []string) {
	for _, k := range []feeds.ArtifactKind{feeds.Paper, feeds.Code, feeds.Weights} {
		has := slices.ContainsFunc(w.Artifacts, func(a feeds.ArtifactTag) bool {
			return a.Kind == k && !slices.Contains(a.Flags, feeds.FlagAnnounced)
		})
		if has {
			parts = append(parts, string(k))
		}
	}
	return parts
}

// news returns when something last happened to a work that is worth a look: it
// became public, another place had it, its license changed. A revision alone is
// not. latest is the kind of what happened last, revisions included, or "" if it
// only became public.
func news(w digest.Work) (at time.Time, latest digest.EventKind) {
	at = w.First
	last := w.First
	for _, e := range w.Events {
		switch e.Kind {
		case digest.EventAppeared, digest.EventRelicensed:
			if e.At.After(at) {
				at = e.At
			}
		case digest.EventRevised:
		default: // our own doing, not the world's
			continue
		}
		if e.At.After(last) {
			last, latest = e.At, e.Kind
		}
	}
	return at, latest
}

func ageWords(age time.Duration) string {
	switch days := int(age.Hours() / 24); days {
	case 0:
		return "today"
	case 1:
		return "yesterday"
	default:
		return fmt.Sprintf("%d days ago", days)
	}
}

func people(n int) string {
	if n == 1 {
		return "one person"
	}
	return fmt.Sprintf("%d people", n)
}

// How much longer a work waits for each one before it of the same lab, and of the
// same country: its points are divided by 1 + n/4 and by 1 + n/40. So of two works
// of 50 points, the one of a lab that had its turn counts 40, and a lab's fifth
// work half. A country's share of a list is moved gently, and never to nothing.
const (
	labPatience     = 4.0
	countryPatience = 40.0
)

// Diversify returns the order in which to show works, as indexes into them, best
// first. Each next one is that with the most points after damping: see
// [labPatience]. A work counts for its lead or releasing lab and the country of
// it; works of no known lab or country are not damped for it. Points that are
// equal go by date, latest first, then by id. scores has one score for each work.
func Diversify(works []digest.Work, scores []Score) []int {
	order := make([]int, len(works))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(scores[b].Total, scores[a].Total),
			works[b].First.Compare(works[a].First),
			strings.Compare(string(works[a].ID), string(works[b].ID)),
		)
	})

	// Works of one lab and country are damped alike and keep their order, so only
	// the first of each such lane can be next.
	type seat struct {
		lab     feeds.LabID
		country feeds.Country
	}
	type lane struct {
		seat
		queue []int // places in order
	}
	var lanes []*lane
	index := map[seat]*lane{}
	for place, at := range order {
		var s seat
		s.lab, s.country = lead(works[at])
		l := index[s]
		if l == nil {
			l = &lane{seat: s}
			index[s] = l
			lanes = append(lanes, l)
		}
		l.queue = append(l.queue, place)
	}
	labs, countries := map[feeds.LabID]int{}, map[feeds.Country]int{}
	out := make([]int, 0, len(works))
	for len(lanes) > 0 {
		best, most := 0, -1.0
		for i, l := range lanes {
			points := scores[order[l.queue[0]]].Total
			points /= 1 + float64(labs[l.lab])/labPatience
			points /= 1 + float64(countries[l.country])/countryPatience
			if points > most || points == most && l.queue[0] < lanes[best].queue[0] {
				best, most = i, points
			}
		}
		l := lanes[best]
		out = append(out, order[l.queue[0]])
		if l.lab != "" {
			labs[l.lab]++
		}
		if l.country != "" {
			countries[l.country]++
		}
		if l.queue = l.queue[1:]; len(l.queue) == 0 {
			lanes = slices.Delete(lanes, best, best+1)
		}
	}
	return out
}

// lead returns the lab that a work counts for, and its country.
func lead(w digest.Work) (feeds.LabID, feeds.Country) {
	var first *feeds.Attribution
	for i, a := range w.Labs {
		if a.Role == feeds.RoleLead || a.Role == feeds.RoleReleaser {
			first = &w.Labs[i]
			break
		}
		if first == nil && a.Counts() {
			first = &w.Labs[i]
		}
	}
	switch {
	case first == nil && len(w.Countries) > 0:
		return "", w.Countries[0]
	case first == nil:
		return "", ""
	case first.Home == feeds.Nowhere:
		return first.Lab, ""
	}
	return first.Lab, first.Home
}
