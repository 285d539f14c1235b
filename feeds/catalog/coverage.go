package catalog

import (
	"cmp"
	"slices"

	"seedcorn/feeds"
)

// A CoverageRow counts the sources of one country. A ratio between countries is
// only as fair as the list of places one looked at; this is that list, counted.
type CoverageRow struct {
	// Country is empty for sources that belong to no single lab (arXiv, daily
	// papers, newspapers), and [feeds.Nowhere] for labs whose country is not known.
	Country feeds.Country            `json:"country"`
	Labs    int                      `json:"labs"`
	Sources int                      `json:"sources"`
	Kinds   map[feeds.SourceKind]int `json:"kinds"`
}

// Coverage counts sources per country and kind. labCountry returns a lab's
// country, or "" or [feeds.Nowhere] if it does not know the lab. Rows come with
// the most sources first, then by country; the row without a country is last.
func Coverage(sources []feeds.Source, labCountry func(feeds.LabID) feeds.Country) []CoverageRow {
	rows := map[feeds.Country]*CoverageRow{}
	labs := map[feeds.LabID]bool{}
	for _, s := range sources {
		var c feeds.Country
		if s.Lab != "" {
			if c = labCountry(s.Lab); c == "" {
				c = feeds.Nowhere
			}
		}
		r := rows[c]
		if r == nil {
			r = &CoverageRow{Country: c, Kinds: map[feeds.SourceKind]int{}}
			rows[c] = r
		}
		r.Sources++
		r.Kinds[s.Kind]++
		if s.Lab != "" && !labs[s.Lab] {
			labs[s.Lab] = true
			r.Labs++
		}
	}
	out := make([]CoverageRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b CoverageRow) int {
		last := func(r CoverageRow) int {
			if r.Country == "" {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(b.Sources, a.Sources), cmp.Compare(a.Country, b.Country))
	})
	return out
}
