package digest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func made(o feeds.Openness, labs ...feeds.Attribution) Work {
	return Work{Tags: feeds.Tags{Openness: o, Labs: labs, Countries: feeds.CountriesOf(labs, feeds.ViewHome)}}
}

func totals(b Balance) map[feeds.Country]float64 {
	m := map[feeds.Country]float64{}
	for _, r := range b.Rows {
		m[r.Country] = math.Round(r.Total*100) / 100
	}
	return m
}

func TestCountRules(t *testing.T) {
	deepmind := feeds.Attribution{Lab: "google-deepmind", Role: feeds.RoleReleaser, Home: "GB", Control: "US", Kind: feeds.Company}
	tsinghua := lab("tsinghua", feeds.RoleAuthor, feeds.Affiliation, "CN")
	tsinghua.Kind = feeds.University
	lead := lab("alibaba", feeds.RoleLead, feeds.Affiliation, "CN")
	disputed := lab("manus", feeds.RoleReleaser, feeds.Publisher, "SG")
	disputed.Disputed = true
	base := lab("meta", feeds.RoleLineage, feeds.Declared, "US")
	works := []Work{
		made(feeds.OpenWeights, lead, tsinghua, lab("nvidia", feeds.RoleAuthor, feeds.Affiliation, "US")), // two thirds CN
		made(feeds.Closed, deepmind),
		made(feeds.Restricted, lab("mistral-ai", feeds.RoleReleaser, feeds.Publisher, "FR"), base), // lineage never counts
		made(feeds.Unknown),
		made(feeds.OpenWeights, disputed),
	}
	for _, tt := range []struct {
		how      Counting
		want     map[feeds.Country]float64
		known    int
		unknown  int
		disputed int
	}{
		{Counting{Rule: RuleShare, View: feeds.ViewHome}, map[feeds.Country]float64{"CN": 0.67, "US": 0.33, "GB": 1, "FR": 1, "XX": 1}, 3, 1, 1},
		{Counting{Rule: RuleAny, View: feeds.ViewHome}, map[feeds.Country]float64{"CN": 1, "US": 1, "GB": 1, "FR": 1, "XX": 1}, 3, 1, 1},
		{Counting{Rule: RuleLead, View: feeds.ViewHome}, map[feeds.Country]float64{"CN": 1, "GB": 1, "FR": 1, "XX": 1}, 3, 1, 1},
		{Counting{Rule: RuleSole, View: feeds.ViewHome}, map[feeds.Country]float64{"GB": 1, "FR": 1, "XX": 1}, 2, 1, 1},
		{Counting{Rule: RuleShare, View: feeds.ViewControl}, map[feeds.Country]float64{"CN": 0.67, "US": 1.33, "FR": 1, "XX": 1}, 3, 1, 1},
		{Counting{Rule: RuleShare, View: feeds.ViewHome, Companies: true}, map[feeds.Country]float64{"CN": 0.5, "US": 0.5, "GB": 1, "FR": 1, "XX": 1}, 3, 1, 1},
	} {
		b := Count(works, tt.how)
		if diff := cmp.Diff(tt.want, totals(b)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.how, diff)
		}
		if b.Known != tt.known || b.Unknown != tt.unknown || b.Disputed != tt.disputed {
			t.Errorf("%+v: known %d, unknown %d, disputed %d; want %d, %d, %d", tt.how, b.Known, b.Unknown, b.Disputed, tt.known, tt.unknown, tt.disputed)
		}
	}
}

// Shares of one work add up to one, whoever made it; so the bars add up to the
// works that were counted.
func TestSharesAddUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	countries := []feeds.Country{"CN", "US", "FR", feeds.Nowhere, feeds.International}
	var works []Work
	for range 2000 {
		var labs []feeds.Attribution
		for range rnd.IntN(5) {
			labs = append(labs, lab(feeds.LabID(rune('a'+rnd.IntN(9))), feeds.RoleAuthor, feeds.Affiliation, countries[rnd.IntN(len(countries))]))
		}
		works = append(works, made(feeds.Openness(rnd.IntN(5)), labs...))
	}
	b := Count(works, Counting{Rule: RuleShare, View: feeds.ViewHome})
	sum, classes := 0.0, 0.0
	for _, r := range b.Rows {
		sum += r.Total
		for _, n := range r.ByClass {
			classes += n
		}
	}
	if math.Abs(sum-2000) > 1e-6 || math.Abs(classes-2000) > 1e-6 || b.Known+b.Unknown != 2000 {
		t.Errorf("bars %.3f, classes %.3f, works %d; want 2000 each", sum, classes, b.Known+b.Unknown)
	}
	if last := b.Rows[len(b.Rows)-1].Country; last != feeds.Nowhere {
		t.Errorf("the last bar is %s, want the unknown", last)
	}
}
