package digest

import (
	"slices"
	"strings"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// An answer is what some entries of a work say, on one basis, about who made it.
type answer struct {
	basis feeds.Basis
	labs  []feeds.Attribution
	from  []int // the entries
}

// answers are the different answers that entries give.
func answers(entries []Entry) []answer {
	var out []answer
	for i, e := range entries {
		first := len(out)
		for _, a := range e.Tags.Labs {
			if !a.Counts() || a.Home == "" || a.Home == feeds.Nowhere || a.Home == feeds.International {
				continue // without a country there is nothing to disagree about
			}
			if a.Basis == feeds.Publisher && len(a.Evidence) > 0 && a.Evidence[0].Rule == "C2" {
				continue // known by what the entry links to: two links are two things
			}
			k := slices.IndexFunc(out[first:], func(x answer) bool { return x.basis == a.Basis })
			if k < 0 {
				out = append(out, answer{basis: a.Basis, from: []int{i}})
				k = len(out) - 1 - first
			}
			out[first+k].labs = append(out[first+k].labs, a)
		}
		for k := len(out) - 1; k >= first; k-- {
			if j := slices.IndexFunc(out[:first], out[k].same); j >= 0 {
				out[j].from = append(out[j].from, i)
				out = slices.Delete(out, k, k+1)
			}
		}
	}
	return out
}

func (x answer) same(y answer) bool {
	return x.basis == y.basis && slices.EqualFunc(x.labs, y.labs, func(a, b feeds.Attribution) bool {
		return a.Lab == b.Lab && a.Name == b.Name && a.Home == b.Home && a.Control == b.Control
	})
}

// agrees reports whether two answers can both be true as they stand: a lab, a house or
// a country is in both.
func (x answer) agrees(y answer) bool {
	for _, a := range x.labs {
		for _, b := range y.labs {
			if a.Home == b.Home || a.Control == b.Control && a.Control != "" && a.Control != feeds.Nowhere || a.Lab != "" && b.Lab != "" && !strange([]feeds.LabID{a.Lab}, []feeds.LabID{b.Lab}) {
				return true
			}
		}
	}
	return false
}

// contested returns what each entry says of labs, that which another entry contradicts
// marked as disputed, with the other's word as evidence (rule C9).
//
// Two entries contradict each other if they answer the same question on the same basis,
// and no lab, house or country is in both answers: two readings of one paper's
// affiliations, two publishers of one page or repository, two texts that each say who
// made it. Several labs in one answer are partners (C3); a lab's post beside another
// lab's repository is two releases; and a third entry that names both sides makes peace.
func contested(entries []Entry) [][]feeds.Attribution {
	labs := make([][]feeds.Attribution, len(entries))
	for i, e := range entries {
		labs[i] = e.Tags.Labs
	}
	all := answers(entries)
	for i, x := range all {
		for _, y := range all {
			if x.basis != y.basis || x.agrees(y) || !oneQuestion(x, y, entries) {
				continue
			}
			if slices.ContainsFunc(all, func(z answer) bool {
				return z.basis == x.basis && z.agrees(x) && z.agrees(y) && oneQuestion(z, x, entries) && oneQuestion(z, y, entries)
			}) {
				continue
			}
			other := entries[y.from[0]].Item
			against := feeds.Evidence{Field: "against", Quote: y.words(), Rule: "C9", URL: other.URL, ObservedAt: other.Seen}
			for _, k := range all[i].from {
				labs[k] = slices.Clone(labs[k])
				for n := range labs[k] {
					a := &labs[k][n]
					if a.Basis != x.basis || !a.Counts() {
						continue
					}
					a.Disputed = true
					if !slices.ContainsFunc(a.Evidence, func(e feeds.Evidence) bool { return e.Rule == "C9" }) {
						a.Evidence = slices.Insert(slices.Clone(a.Evidence), min(1, len(a.Evidence)), against)
					}
				}
			}
		}
	}
	return labs
}

// oneQuestion reports whether two answers are about one and the same thing. A sentence
// about who made a work is about the work, wherever it stands; a publisher and an
// affiliation are of one page, paper or repository.
func oneQuestion(x, y answer, entries []Entry) bool {
	if x.basis == feeds.Mention {
		return true
	}
	for _, i := range x.from {
		for _, j := range y.from {
			for _, k := range entries[i].Item.Keys {
				if !k.Claim && k.Scheme != feeds.KeyTitle && slices.Contains(entries[j].Item.Keys, k) {
					return true
				}
			}
		}
	}
	return false
}

// words name an answer's labs with their countries: "OpenAI (United States)".
func (x answer) words() string {
	var out []string
	for _, a := range x.labs {
		name := registry.Default().CountryName(a.Home)
		if a.Name != "" {
			name = a.Name + " (" + name + ")"
		}
		if len(out) == 3 {
			out = append(out, "…")
			break
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}
