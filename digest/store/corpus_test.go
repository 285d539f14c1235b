package store

import (
	"slices"
	"strings"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/store/plenty"
	"seedcorn/feeds"
)

// t0 is when the made-up world of these tests begins.
var t0 = plenty.Began

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

// world makes n entries of made-up research; see package plenty.
func world(n int, seed uint64) []digest.Entry {
	return slices.Collect(plenty.Entries(n, seed))
}

// word is the n-th word of that world's language.
func word(n uint64) string { return plenty.Word(n) }
