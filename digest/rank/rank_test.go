package rank

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func ask(t testing.TB, src string) query.Query {
	t.Helper()
	q, err := query.Parse(src, query.Names{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func lab(id string, home feeds.Country) []feeds.Attribution {
	return []feeds.Attribution{{Lab: feeds.LabID(id), Name: id, Role: feeds.RoleReleaser, Home: home, Basis: feeds.Publisher}}
}

func daysAgo(n int) time.Time { return now.AddDate(0, 0, -n) }

func TestWhy(t *testing.T) {
	full := digest.Work{
		ID: "w1", Kind: feeds.ItemModel, Title: "Sparse Attention at Scale", Summary: "We train GPT-4o-like models.", First: daysAgo(7),
		Tags: feeds.Tags{
			Openness: feeds.OpenWeights, Labs: lab("Mistral AI", "FR"),
			Artifacts: []feeds.ArtifactTag{{Kind: feeds.Paper}, {Kind: feeds.Code}, {Kind: feeds.Weights}},
		},
		Places: []digest.Place{
			{Source: "arxiv:cs.CL", Kind: feeds.ItemPaper},
			{Source: "arxiv:cs.AI", Kind: feeds.ItemPaper},
			{Source: "hf:mistralai", Kind: feeds.ItemModel},
			{Source: "feed:https://example.org/rss", Kind: feeds.ItemPost},
			{Source: "hf-papers", Kind: feeds.ItemPaper},
		},
	}
	for _, tt := range []struct {
		name  string
		work  digest.Work
		query string
		votes Votes
		want  Score
	}{
		{
			name: "everything speaks for it", work: full, query: `"sparse attention" mistral OR gpt4o OR mamba`,
			votes: Votes{"w1": {Useful: 3, NotUseful: 1}},
			want: Score{69.5, []Reason{
				{ReasonBuild, 18, "open weights: you may build on them"},
				{ReasonText, 16.5, "“sparse attention” in the title, “mistral” in the lab's name, “gpt4o” in the summary"},
				{ReasonPlaces, 12, "seen in 4 places"},
				{ReasonKind, 6, "a model"},
				{ReasonComplete, 6, "comes with paper, code and weights"},
				{ReasonVotes, 6, "3 people here found it useful, 1 did not"},
				{ReasonFresh, 5, "news of 7 days ago"},
			}},
		},
		{
			name: "nothing is known of it", work: digest.Work{ID: "w2", Kind: feeds.ItemPost, Title: "Hello", First: daysAgo(400)}, query: `country:CN`,
			want: Score{5, []Reason{{ReasonBuild, 3, "nobody knows yet whether you may build on it"}, {ReasonKind, 2, "a post"}}},
		},
		{
			name: "a date in the future is no merit", query: "", votes: Votes{"w3": {NotUseful: 40}},
			work: digest.Work{ID: "w3", Kind: feeds.ItemPost, First: now.Add(40 * time.Hour), Tags: feeds.Tags{Openness: feeds.Closed}},
			want: Score{0, []Reason{
				{ReasonFresh, 10, "news of today"},
				{ReasonBuild, 2, "closed: you can use or read it only"},
				{ReasonKind, 2, "a post"},
				{ReasonVotes, -15, "40 people here did not find it useful"},
			}},
		},
		{
			name: "a revision does not make it new", query: "",
			work: digest.Work{
				ID: "w4", Kind: feeds.ItemPaper, First: daysAgo(14), Tags: feeds.Tags{Openness: feeds.Restricted},
				Places: []digest.Place{{Source: "arxiv:cs.LG", Kind: feeds.ItemPaper}},
				Events: []digest.Event{{At: daysAgo(1), Kind: digest.EventRevised}, {At: daysAgo(0), Kind: digest.EventCorrected}},
			},
			want: Score{16.5, []Reason{
				{ReasonBuild, 8, "restricted: you may build on it under conditions"},
				{ReasonKind, 5, "a paper"},
				{ReasonPlaces, 4, "seen in one place"},
				{ReasonFresh, 2.5, "news of 14 days ago"},
				{ReasonRevision, -3, "since then only a new version"},
			}},
		},
		{
			name: "a new license does", query: "", votes: Votes{"w5": {Useful: 1}},
			work: digest.Work{
				ID: "w5", Kind: feeds.ItemModel, First: daysAgo(300), Tags: feeds.Tags{Openness: feeds.OpenSource},
				Events: []digest.Event{{At: daysAgo(9), Kind: digest.EventRevised}, {At: daysAgo(7), Kind: digest.EventRelicensed}},
			},
			want: Score{38, []Reason{
				{ReasonBuild, 20, "open source: you may build on it"},
				{ReasonKind, 6, "a model"},
				{ReasonFresh, 5, "news of 7 days ago"},
				{ReasonLicense, 4, "its license has changed"},
				{ReasonVotes, 3, "one person here found it useful"},
			}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Of(tt.work, ask(t, tt.query), now, tt.votes)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestObtainable(t *testing.T) {
	w := digest.Work{Tags: feeds.Tags{Artifacts: []feeds.ArtifactTag{
		{Kind: feeds.Weights, Flags: []feeds.Flag{feeds.FlagAnnounced}}, {Kind: feeds.Paper}, {Kind: feeds.Paper},
	}}}
	if got := obtainable(w); !slices.Equal(got, []string{"paper"}) {
		t.Errorf("obtainable = %q; what is only announced is not", got)
	}
}

// A lab that publishes a lot does not fill the list; it only waits.
func TestDiversify(t *testing.T) {
	var works []digest.Work
	var scores []Score
	put := func(id string, points float64, labs []feeds.Attribution, age int) {
		works = append(works, digest.Work{ID: digest.WorkID(id), First: daysAgo(age), Tags: feeds.Tags{Labs: labs}})
		scores = append(scores, Score{Total: points})
	}
	big := lab("big", "US")
	put("big1", 50, big, 0)
	put("big2", 50, big, 1)
	put("big3", 50, big, 2)
	put("small", 42, lab("small", "FR"), 0)
	put("same-country", 41, lab("other", "US"), 0)
	put("nobody2", 30, nil, 3)
	put("nobody1", 30, nil, 3)
	put("site", 30.5, append([]feeds.Attribution{
		{Lab: "big", Role: feeds.RoleLineage, Home: "US"}, {Lab: "coauthor", Role: feeds.RoleAuthor, Home: "US"},
	}, lab("lead", feeds.Nowhere)...), 0)
	put("poor", 0, lab("big", "US"), 0)
	order := func() (ids []string) {
		for _, i := range Diversify(works, scores) {
			ids = append(ids, string(works[i].ID))
		}
		return ids
	}
	want := []string{"big1", "small", "same-country", "big2", "big3", "site", "nobody1", "nobody2", "poor"}
	if diff := cmp.Diff(want, order()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 { // the order that comes in does not matter
		r.Shuffle(len(works), func(i, j int) {
			works[i], works[j] = works[j], works[i]
			scores[i], scores[j] = scores[j], scores[i]
		})
		if diff := cmp.Diff(want, order()); diff != "" {
			t.Fatalf("shuffled (-want +got):\n%s", diff)
		}
	}
}

func world(n int) []digest.Work {
	r := rand.New(rand.NewPCG(7, 7))
	countries := []feeds.Country{"US", "CN", "FR", "JP", "KR"}
	works := make([]digest.Work, n)
	for i := range works {
		l := min(r.IntN(60), r.IntN(60)) // a few labs publish most
		works[i] = digest.Work{
			ID: digest.WorkID(fmt.Sprintf("w%04d", i)), Kind: feeds.ItemPaper, First: daysAgo(r.IntN(14)),
			Title:   fmt.Sprintf("Sparse attention and test-time compute, part %d", i),
			Summary: fmt.Sprintf("%0*d We trade compute for parameters in language models. ", 1200, i),
			Tags:    feeds.Tags{Openness: feeds.Openness(r.IntN(5)), Labs: lab(fmt.Sprintf("lab%d", l), countries[l%5])},
			Places:  []digest.Place{{Source: "arxiv:cs.CL", Kind: feeds.ItemPaper}},
		}
	}
	return works
}

func TestRank(t *testing.T) {
	works := world(300)
	q := ask(t, "compute openness:open OR sparse")
	got := Rank(works, q, now, nil)
	if len(got) != len(works) {
		t.Fatalf("%d works ranked of %d", len(got), len(works))
	}
	seen := map[digest.WorkID]bool{}
	most := 0.0
	for _, r := range got {
		seen[r.Work.ID] = true
		most = max(most, r.Score.Total)
	}
	if len(seen) != len(works) {
		t.Errorf("%d distinct works ranked of %d", len(seen), len(works))
	}
	if got[0].Score.Total != most {
		t.Errorf("first has %v points, the best %v", got[0].Score.Total, most)
	}
	slices.Reverse(works)
	if diff := cmp.Diff(got, Rank(works, q, now, nil)); diff != "" {
		t.Errorf("the order of the works matters (-want +got):\n%s", diff)
	}
	if got := Rank(nil, q, now, nil); len(got) != 0 {
		t.Errorf("nothing ranks as %v", got)
	}
}

func BenchmarkRank1000(b *testing.B) {
	works := world(1000)
	for _, src := range []string{"country:CN", `"test-time compute" OR parameters`} {
		b.Run(src, func(b *testing.B) {
			q := ask(b, src)
			b.ReportAllocs()
			for b.Loop() {
				Rank(works, q, now, nil)
			}
		})
	}
}
