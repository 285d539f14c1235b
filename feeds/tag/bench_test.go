package tag_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
	"seedcorn/feeds/tag"
)

// madeUp returns n organizations with names like those of the Research
// Organization Registry, the same at every run.
func madeUp(n int) iter.Seq[tag.Organization] {
	kinds := []string{"University of %s", "%s University", "%s Institute of Technology", "National %s Research Center", "%s Hospital", "%s Technologies", "Institute for %s Studies", "%s College of Science"}
	return func(yield func(tag.Organization) bool) {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			name := fmt.Sprintf(kinds[i%len(kinds)], word(r)+" "+word(r))
			o := tag.Organization{
				ID: feeds.LabID(fmt.Sprintf("ror:%06d", i)), Name: name, Country: "FR",
				Aliases: []string{word(r) + " " + word(r) + " " + word(r)}, Domains: []string{fmt.Sprintf("d%d.example", i)},
			}
			if !yield(o) {
				return
			}
		}
	}
}

func word(r *rand.Rand) string {
	const letters = "aeioubcdfghklmnprstvz"
	var b strings.Builder
	b.WriteByte(byte('A' + r.IntN(26)))
	for range 3 + r.IntN(6) {
		b.WriteByte(letters[r.IntN(len(letters))])
	}
	return b.String()
}

// sampleItems are items with summaries of 1.5 KB: sentences as announcements and
// abstracts have them, one in six about who made something or what its license is.
func sampleItems(n int) []feeds.Item {
	r := rand.New(rand.NewPCG(3, 4))
	plain := []string{
		"We present a method for training sequence models that needs fewer tokens and less compute.",
		"Our experiments on mathematics, code and vision show consistent gains over strong baselines.",
		"The approach is simple to implement and orthogonal to recent work on retrieval.",
		"We study how the quality of data affects scaling, and where the usual assumptions break.",
		"In this paper, we ask whether agents that plan ahead generalize to unseen tools.",
		"Ablations show that the gains come from the second stage rather than from the larger batch.",
		"Existing benchmarks measure short answers only, which hides failures in long dialogues.",
		"A theoretical analysis explains why the estimator is unbiased under mild conditions.",
		"Human annotators preferred the answers of the smaller network in most of the cases.",
		"Finally, we discuss limitations and the risk of misuse in sensitive domains.",
	}
	telling := []string{
		"It outperforms GPT-4 and Llama 3 on eleven of fourteen tasks.",
		"Code is available at https://github.com/example/example under the Apache 2.0 license.",
		"Researchers at Stanford University and Google reported similar findings last year.",
		"We fine-tune an open-weight model with reinforcement learning from human feedback.",
	}
	var out []feeds.Item
	for range n {
		var b strings.Builder
		for b.Len() < 1500 {
			s := plain[r.IntN(len(plain))]
			if r.IntN(6) == 0 {
				s = telling[r.IntN(len(telling))]
			}
			b.WriteString(s)
			b.WriteByte(' ')
			b.WriteString(word(r) + " ")
		}
		out = append(out, feeds.Item{
			Title: "A simple method for training sequence models", Summary: b.String(), URL: "https://arxiv.org/abs/2501.12948",
		})
	}
	return out
}

// BenchmarkTag measures all tags of 1.5 KB items against 120,000 names. The mark is
// 20,000 items a second on one core.
func BenchmarkTag(b *testing.B) {
	t := tag.New(registry.Default(), tag.WithOrganizations(madeUp(40_000)))
	items := sampleItems(256)
	b.SetBytes(1500)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t.Tag(items[i%len(items)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkMatch measures finding names alone. The mark is 50,000 items a second on
// one core.
func BenchmarkMatch(b *testing.B) {
	t := tag.New(registry.Default(), tag.WithOrganizations(madeUp(40_000)))
	items := sampleItems(256)
	b.SetBytes(1500)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tag.CountNames(t, items[i%len(items)].Summary)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkNew measures building a tagger, and what it holds: of the registry alone,
// with 120,000 names
// (the mark is one second and 100 MB), and with 120,000 organizations of three
// names and a domain each.
func BenchmarkNew(b *testing.B) {
	reg := registry.Default()
	for _, n := range []int{0, 40_000, 120_000} {
		b.Run(fmt.Sprintf("organizations=%d", n), func(b *testing.B) {
			orgs := slices.Collect(madeUp(n))
			var before, after runtime.MemStats
			var t *tag.Tagger
			for b.Loop() {
				b.StopTimer()
				t = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				b.StartTimer()
				t = tag.New(reg, tag.WithOrganizations(slices.Values(orgs)))
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.StartTimer()
			}
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "MB-held")
			runtime.KeepAlive(t)
			runtime.KeepAlive(orgs)
		})
	}
}

// BenchmarkAffiliation measures one printed affiliation.
func BenchmarkAffiliation(b *testing.B) {
	t := tag.New(registry.Default(), tag.WithOrganizations(madeUp(40_000)))
	b.ReportAllocs()
	for b.Loop() {
		t.Tag(feeds.Item{Affiliations: []string{"Department of Computer Science, University of Oxford, Oxford OX1 3QD, United Kingdom"}})
	}
}
