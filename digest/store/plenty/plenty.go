// Package plenty makes up research by the hundred thousand, to measure with. Nothing
// that ships imports it.
//
// The world it makes is shaped as the real one is where that costs something: words
// are as frequent as words are, texts as long as abstracts, half of the items are
// papers, and one item in eight is about something that another one is about, too.
package plenty

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// Began is when the first item of every world became public. The others follow a
// minute apart: 100,000 are ten weeks.
var Began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

var labs = []struct {
	id      feeds.LabID
	country feeds.Country
}{
	{"deepseek", "CN"}, {"openai", "US"}, {"mistral", "FR"}, {"qwen", "CN"}, {"anthropic", "US"}, {"sakana", "JP"}, {"cohere", "CA"}, {"naver", "KR"}, {"yandex", "RU"}, {"tii", "AE"},
}

var classes = []feeds.Openness{feeds.Unknown, feeds.Closed, feeds.Restricted, feeds.OpenWeights, feeds.OpenSource}

// Filters are filters of the query language that many of the works pass.
var Filters = []string{"country:CN", "country:US,FR", "openness>=open-weights", "lab:mistral", "kind:paper", "kind:model", "-country:CN", "has:weights", "license:MIT", "category:cs.CL"}

// Entries makes n entries, oldest first. The same seed makes the same ones.
func Entries(n int, seed uint64) iter.Seq[digest.Entry] {
	return func(yield func(digest.Entry) bool) {
		r := rand.New(rand.NewPCG(seed, 7))
		words := Words(r)
		text := func(n int) string {
			var b strings.Builder
			for i := range n {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(words())
			}
			return b.String()
		}
		for i := range n {
			lab := labs[r.IntN(len(labs))]
			title := text(9)
			src := feeds.SourceID(fmt.Sprintf("feed:https://%s.example/%d", lab.id, i%200))
			at := Began.Add(time.Duration(i) * time.Minute)
			it := feeds.Item{
				Kind: feeds.ItemPost, GUID: fmt.Sprint(i), URL: fmt.Sprintf("https://%s.example/%d", lab.id, i), Title: title, Summary: text(110),
				Published: at, Seen: at.Add(time.Minute),
			}
			name := strings.ToUpper(string(lab.id[:1])) + string(lab.id[1:])
			tags := feeds.Tags{Labs: []feeds.Attribution{{
				Lab: lab.id, Name: name, Kind: feeds.Company, Role: feeds.RoleReleaser, Home: lab.country, Control: lab.country, Basis: feeds.Publisher,
				Evidence: []feeds.Evidence{{Field: "source", Quote: string(lab.id), Rule: "C1", ObservedAt: it.Seen}},
			}}}
			tags.Countries, tags.Control = feeds.CountriesOf(tags.Labs, feeds.ViewHome), feeds.CountriesOf(tags.Labs, feeds.ViewControl)
			key := func(s feeds.Scheme, value string, claim bool) {
				it.Keys = append(it.Keys, feeds.Key{Scheme: s, Value: value, Claim: claim})
			}
			switch r.IntN(8) {
			case 0, 1, 2, 3:
				src, it.Kind, it.Version, it.Categories = "arxiv:cs.CL", feeds.ItemPaper, 1, []string{"cs.CL", "cs.AI"}
				key(feeds.KeyArXiv, paper(i), false)
			case 4:
				repo := fmt.Sprintf("%s/model-%d", lab.id, i)
				src, it.Kind = feeds.SourceID("hf:"+string(lab.id)), feeds.ItemModel
				key(feeds.KeyHF, repo, false)
				o := classes[r.IntN(len(classes))]
				tags.Openness, tags.Badge, tags.License = o, feeds.Weights, "MIT"
				tags.Artifacts = []feeds.ArtifactTag{{
					Kind: feeds.Weights, URL: "https://huggingface.co/" + repo, License: "MIT", Openness: o, Basis: feeds.Declared,
					Evidence: []feeds.Evidence{{Field: "license", Quote: "MIT", Rule: "O2"}},
				}}
				if i > 0 {
					key(feeds.KeyArXiv, paper(r.IntN(min(i, 90_000))), true)
				}
			default:
				key(feeds.KeyGitHub, fmt.Sprintf("%s/repo-%d", lab.id, r.IntN(n)), true)
			}
			if k, ok := feeds.TitleKey(title); ok {
				key(feeds.KeyTitle, k, false)
			}
			key(feeds.KeyURL, it.URL, false)
			it.Source, it.ID = src, feeds.NewItemID(src, it.GUID)
			if !yield(digest.Entry{Item: it, Tags: tags}) {
				return
			}
		}
	}
}

// paper is the id on arXiv of the i-th item.
func paper(i int) string { return fmt.Sprintf("26%02d.%05d", i/90_000+1, i%90_000) }

// Words draws words of a language of its own: a few stand everywhere, most hardly
// ever.
func Words(r *rand.Rand) func() string {
	zipf := rand.NewZipf(r, 1.1, 8, 60_000)
	return func() string { return Word(zipf.Uint64()) }
}

// Questions draws what people ask: words, filters, both.
func Questions(seed uint64) func() string {
	r := rand.New(rand.NewPCG(seed, seed))
	w := Words(r)
	f := func() string { return Filters[r.IntN(len(Filters))] }
	return func() string {
		switch r.IntN(10) {
		case 0, 1:
			return w()
		case 2, 3:
			return w() + " " + w()
		case 4:
			return w() + " OR " + w()
		case 5:
			return f() + " " + f()
		case 6:
			return w() + " -" + w() + " " + f()
		}
		return w() + " " + f()
	}
}

// Word is the n-th word of that language.
func Word(n uint64) string {
	const consonants, vowels = "bdfgklmnprst", "aeiou"
	var b []byte
	for n++; n > 0; n /= 60 {
		b = append(b, consonants[n%12], vowels[n/12%5])
	}
	return string(b) + "n"
}
