package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// t0 is when the made-up world of these tests begins.
var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// An opt changes an entry that a test makes.
type opt func(*digest.Entry)

// entry makes an item of source src that is published n hours after t0.
func entry(src, guid, title string, n int, opts ...opt) digest.Entry {
	at := t0.Add(time.Duration(n) * time.Hour)
	e := digest.Entry{Item: feeds.Item{
		ID: feeds.NewItemID(feeds.SourceID(src), guid), Source: feeds.SourceID(src), Kind: feeds.ItemPost, GUID: guid,
		URL: "https://" + strings.ReplaceAll(src, ":", ".") + "/" + guid, Title: title, Published: at, Seen: at.Add(time.Minute),
	}}
	for _, f := range opts {
		f(&e)
	}
	return e
}

func owns(s feeds.Scheme, v string) opt {
	return func(e *digest.Entry) { e.Item.Keys = append(e.Item.Keys, feeds.Key{Scheme: s, Value: v}) }
}

func claims(s feeds.Scheme, v string) opt {
	return func(e *digest.Entry) {
		e.Item.Keys = append(e.Item.Keys, feeds.Key{Scheme: s, Value: v, Claim: true})
	}
}

func kind(k feeds.ItemKind) opt { return func(e *digest.Entry) { e.Item.Kind = k } }
func summary(s string) opt      { return func(e *digest.Entry) { e.Item.Summary = s } }
func version(v int) opt         { return func(e *digest.Entry) { e.Item.Version = v } }
func category(cs ...string) opt { return func(e *digest.Entry) { e.Item.Categories = cs } }

// by attributes an entry to a lab of a country.
func by(lab string, country feeds.Country) opt {
	return func(e *digest.Entry) {
		e.Tags.Labs = append(e.Tags.Labs, feeds.Attribution{
			Lab: feeds.LabID(lab), Name: strings.ToUpper(lab[:1]) + lab[1:], Kind: feeds.Company, Role: feeds.RoleReleaser, Home: country, Control: country,
			Basis: feeds.Publisher, Evidence: []feeds.Evidence{{Field: "source", Quote: lab, Rule: "C1", ObservedAt: e.Item.Seen}},
		})
		e.Tags.Countries = feeds.CountriesOf(e.Tags.Labs, feeds.ViewHome)
		e.Tags.Control = feeds.CountriesOf(e.Tags.Labs, feeds.ViewControl)
	}
}

// weights gives an entry an artifact under a license.
func weights(url, license string, o feeds.Openness) opt {
	return func(e *digest.Entry) {
		a := feeds.ArtifactTag{
			Kind: feeds.Weights, URL: url, License: license, Openness: o, Basis: feeds.Declared,
			Evidence: []feeds.Evidence{{Field: "license", Quote: license, Rule: "O2"}},
		}
		e.Tags.Artifacts = append(e.Tags.Artifacts, a)
		e.Tags.Openness, e.Tags.Badge, e.Tags.License = o, feeds.Weights, license
	}
}

func arrival(entries ...digest.Entry) []digest.Arrival {
	return []digest.Arrival{{Entries: entries, At: t0}}
}

// world makes n entries of made-up research, about one in eight of which is about
// something that another one is about, too. The same seed makes the same world.
func world(n int, seed uint64) []digest.Entry {
	r := rand.New(rand.NewPCG(seed, 7))
	labs := []string{"deepseek", "openai", "mistral", "qwen", "anthropic", "sakana", "cohere", "naver", "yandex", "tii"}
	countries := []feeds.Country{"CN", "US", "FR", "CN", "US", "JP", "CA", "KR", "RU", "AE"}
	classes := []feeds.Openness{feeds.Unknown, feeds.Closed, feeds.Restricted, feeds.OpenWeights, feeds.OpenSource}
	// Words as frequent as words are: a few everywhere, most hardly ever.
	zipf := rand.NewZipf(r, 1.1, 8, 60_000)
	words := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(word(zipf.Uint64()))
		}
		return b.String()
	}
	out := make([]digest.Entry, 0, n)
	for i := range n {
		lab := r.IntN(len(labs))
		title := words(9)
		opts := []opt{summary(words(110)), by(labs[lab], countries[lab])}
		key, _ := feeds.TitleKey(title)
		src := fmt.Sprintf("feed:https://%s.example/%d", labs[lab], i%200)
		switch r.IntN(8) {
		case 0, 1, 2, 3:
			src = "arxiv:cs.CL"
			opts = append(opts, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, fmt.Sprintf("26%02d.%05d", i/90_000+1, i%90_000)), category("cs.CL", "cs.AI"), version(1))
		case 4:
			src = "hf:" + labs[lab]
			repo := fmt.Sprintf("%s/model-%d", labs[lab], i)
			opts = append(opts, kind(feeds.ItemModel), owns(feeds.KeyHF, repo), weights("https://huggingface.co/"+repo, "MIT", classes[r.IntN(len(classes))]))
			if i > 0 {
				opts = append(opts, claims(feeds.KeyArXiv, fmt.Sprintf("26%02d.%05d", 1, r.IntN(min(i, 90_000)))))
			}
		default:
			opts = append(opts, claims(feeds.KeyGitHub, fmt.Sprintf("%s/repo-%d", labs[lab], r.IntN(n))))
		}
		opts = append(opts, owns(feeds.KeyTitle, key), owns(feeds.KeyURL, fmt.Sprintf("https://%s.example/%d", labs[lab], i)))
		// A minute apart: 100,000 works are ten weeks.
		e := entry(src, fmt.Sprint(i), title, 0, opts...)
		e.Item.Published = t0.Add(time.Duration(i) * time.Minute)
		e.Item.Seen = e.Item.Published.Add(time.Minute)
		out = append(out, e)
	}
	return out
}

// word makes the n-th word of a language of its own.
func word(n uint64) string {
	const consonants, vowels = "bdfgklmnprst", "aeiou"
	var b []byte
	for n++; n > 0; n /= 60 {
		b = append(b, consonants[n%12], vowels[n/12%5])
	}
	return string(b) + "n"
}
