package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// now is a Monday.
var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// A desk is everything that the pages are made of, in memory.
type desk struct {
	all         []digest.Work // newest first
	corrections []digest.Correction
	topics      []digest.Topic
	editions    []Edition
	health      []digest.SourceHealth
	broken      error // what every question fails with

	searches, composed, counted int
}

func newDesk(works ...digest.Work) *desk {
	slices.SortStableFunc(works, func(a, b digest.Work) int { return b.First.Compare(a.First) })
	return &desk{all: works}
}

var errCursor = errors.New("that does not continue any search")

func (d *desk) names() query.Names {
	return query.Names{
		Country: fakeRegistry{}.ParseCountry,
		Group: func(s string) ([]feeds.Country, bool) {
			return []feeds.Country{"FR", "DE"}, strings.EqualFold(s, "EU")
		},
		Lab: func(s string) ([]feeds.LabID, bool) {
			var ids []feeds.LabID
			for _, l := range (fakeRegistry{}).Find(s) {
				ids = append(ids, l.ID)
			}
			return ids, len(ids) > 0
		},
		License: func(s string) (string, bool) {
			l, ok := fakeRegistry{}.License(s)
			return l.ID, ok
		},
		Topic: func(name string) (string, bool) {
			i := slices.IndexFunc(d.topics, func(t digest.Topic) bool { return t.Name == name })
			if i < 0 {
				return "", false
			}
			return d.topics[i].Query, true
		},
	}
}

func (d *desk) ParseQuery(_ context.Context, text string) (query.Query, error) {
	if d.broken != nil {
		return query.Query{}, d.broken
	}
	return query.Parse(text, d.names(), now)
}

func (d *desk) Search(_ context.Context, q query.Query, limit int, after string) ([]digest.Work, string, error) {
	d.searches++
	from := 0
	if after != "" {
		n, err := strconv.Atoi(after)
		if err != nil || n < 0 {
			return nil, "", errCursor
		}
		from = n
	}
	var out []digest.Work
	for i := from; i < len(d.all); i++ {
		if !q.Match(digest.SubjectOf(d.all[i])) {
			continue
		}
		if len(out) == limit {
			return out, strconv.Itoa(i), d.broken
		}
		out = append(out, d.all[i])
	}
	return out, "", d.broken
}

func (d *desk) FindWorks(_ context.Context, text string) ([]digest.Work, error) {
	var out []digest.Work
	for _, w := range d.all {
		if len(text) > 2 && strings.HasPrefix(string(w.ID), text) || slices.Contains(w.Keys, feeds.Key{Scheme: feeds.KeyArXiv, Value: text}) {
			out = append(out, w)
		}
	}
	return out, d.broken
}

func (d *desk) Corrections(_ context.Context, id digest.WorkID) ([]digest.Correction, error) {
	return slices.DeleteFunc(slices.Clone(d.corrections), func(c digest.Correction) bool { return c.Work != id }), d.broken
}

func (d *desk) LookedUp(context.Context, digest.Work) ([]bot.Lookup, error) {
	return []bot.Lookup{{What: "affiliations on the paper's page", At: now.AddDate(0, 0, -1), Result: "2 found"}, {What: "LICENSE file", Result: "no repository is known"}}, d.broken
}

func (d *desk) in(text string, p digest.Period) ([]digest.Work, error) {
	q, err := query.Parse(text, d.names(), now)
	var out []digest.Work
	for _, w := range d.all {
		if p.Contains(w.First) && q.Match(digest.SubjectOf(w)) {
			out = append(out, w)
		}
	}
	return out, cmp.Or(err, d.broken)
}

func (d *desk) Compose(_ context.Context, title, text string, p digest.Period, how digest.Counting) (digest.Digest, error) {
	d.composed++
	works, err := d.in(text, p)
	return digest.Compose(digest.Plan{Title: title, Query: text, Period: p, Counting: how, Registry: "test", Sources: d.health}, works, now), err
}

func (d *desk) Series(_ context.Context, q digest.Question, _ digest.Destination) (digest.Series, error) {
	d.counted++
	works, err := d.in(q.Query, q.Period)
	c := digest.NewCounter(q)
	for i := range works {
		c.Add(&works[i])
	}
	s := c.Series()
	s.Total.Registry = "of the test"
	s.Sources, s.Coverage = bot.Coverage(d.health)
	return s, err
}

func (d *desk) Health(context.Context) ([]digest.SourceHealth, error) { return d.health, d.broken }
func (d *desk) Topics(context.Context) ([]digest.Topic, error)        { return d.topics, d.broken }

func (d *desk) Digest(_ context.Context, id digest.DigestID) (digest.Digest, bool, error) {
	i := slices.IndexFunc(d.editions, func(e Edition) bool { return e.ID == id })
	if i < 0 {
		return digest.Digest{}, false, d.broken
	}
	return d.editions[i].Digest, true, d.broken
}

func (d *desk) Digests(_ context.Context, limit int) ([]Edition, error) {
	return d.editions[:min(limit, len(d.editions))], d.broken
}

// fakeRegistry knows a handful of real labs.
type fakeRegistry struct{}

var fakeLabs = []feeds.Lab{
	{ID: "ai2", Name: "Ai2", Kind: feeds.Nonprofit, Seats: []feeds.Seat{{Home: "US", Control: "US"}}, Source: "https://allenai.org"},
	{ID: "deepseek", Name: "DeepSeek", Kind: feeds.Company, Seats: []feeds.Seat{{Home: "CN", Control: "CN"}}, HuggingFace: []string{"deepseek-ai"}, Source: "https://www.deepseek.com"},
	{ID: "google", Name: "Google", Kind: feeds.Company, Seats: []feeds.Seat{{Home: "US", Control: "US"}}, Source: "https://research.google"},
	{ID: "google-deepmind", Name: "Google DeepMind", Kind: feeds.Company, Parent: "google", Seats: []feeds.Seat{{Home: "GB", Control: "US"}}, Source: "https://deepmind.google"},
	{ID: "mistral", Name: "Mistral AI", Kind: feeds.Company, Seats: []feeds.Seat{{Home: "FR", Control: "FR"}}, Source: "https://mistral.ai"},
	{ID: "openai", Name: "OpenAI", Kind: feeds.Company, Seats: []feeds.Seat{{Home: "US", Control: "US"}}, Source: "https://openai.com"},
	{ID: "qwen", Name: "Qwen", Kind: feeds.Company, Seats: []feeds.Seat{{Home: "CN", Control: "CN"}}, Source: "https://qwen.ai"},
	{ID: "tsinghua", Name: "Tsinghua University", Kind: feeds.University, Seats: []feeds.Seat{{Home: "CN", Control: "CN"}}, Source: "https://www.tsinghua.edu.cn"},
}

var fakeLicenses = []feeds.License{
	{ID: "Apache-2.0", Name: "Apache License 2.0", Class: feeds.OpenWeights, OSI: true, Aliases: []string{"apache"}, Source: "https://www.apache.org/licenses/LICENSE-2.0"},
	{ID: "CC-BY-NC-4.0", Name: "Creative Commons Attribution Non Commercial 4.0", Class: feeds.Restricted, Flags: []feeds.Flag{feeds.FlagNonCommercial}, Source: "https://creativecommons.org/licenses/by-nc/4.0/"},
	{ID: "LicenseRef-scancode-llama-3.1-license-2024", Name: "Llama 3.1 Community License", Class: feeds.Restricted, Flags: []feeds.Flag{feeds.FlagScale, feeds.FlagField, feeds.FlagBrand}, Source: "https://www.llama.com/llama3_1/license/"},
	{ID: "MIT", Name: "MIT License", Class: feeds.OpenWeights, OSI: true, Source: "https://opensource.org/license/mit"},
}

var fakeCountries = map[feeds.Country][2]string{
	"CN": {"China", "🇨🇳"}, "US": {"United States", "🇺🇸"}, "FR": {"France", "🇫🇷"}, "DE": {"Germany", "🇩🇪"}, "GB": {"United Kingdom", "🇬🇧"}, "CA": {"Canada", "🇨🇦"}, "JP": {"Japan", "🇯🇵"}, "KR": {"South Korea", "🇰🇷"},
	feeds.Nowhere: {"unknown", ""}, feeds.International: {"international", "🌐"},
}

func (fakeRegistry) Version() string           { return "test" }
func (fakeRegistry) Labs() []feeds.Lab         { return fakeLabs }
func (fakeRegistry) Licenses() []feeds.License { return fakeLicenses }
func (fakeRegistry) Lab(id feeds.LabID) (feeds.Lab, bool) {
	for _, l := range fakeLabs {
		if l.ID == id {
			return l, true
		}
	}
	return feeds.Lab{}, false
}

func (fakeRegistry) Find(name string) []feeds.Lab {
	var out []feeds.Lab
	for _, l := range fakeLabs {
		if strings.EqualFold(l.Name, name) || strings.EqualFold(string(l.ID), name) {
			out = append(out, l)
		}
	}
	return out
}

func (fakeRegistry) License(name string) (feeds.License, bool) {
	for _, l := range fakeLicenses {
		if strings.EqualFold(l.ID, name) || slices.Contains(l.Aliases, strings.ToLower(name)) {
			return l, true
		}
	}
	return feeds.License{}, false
}

func (fakeRegistry) ParseCountry(s string) (feeds.Country, bool) {
	for c, names := range fakeCountries {
		if strings.EqualFold(string(c), s) || strings.EqualFold(names[0], s) {
			return c, true
		}
	}
	return "", false
}

func (fakeRegistry) CountryName(c feeds.Country) string {
	return cmp.Or(fakeCountries[c][0], string(c))
}

func (fakeRegistry) CountryFlag(c feeds.Country) string { return fakeCountries[c][1] }

// id makes a work's id of a number.
func id(n int) digest.WorkID { return digest.WorkID(fmt.Sprintf("w%010d", n)) }

// made makes the n-th of many works, all different.
func made(n int) digest.Work {
	lab := fakeLabs[n%len(fakeLabs)]
	seat := lab.Seats[0]
	first := now.Add(-time.Duration(n) * 47 * time.Minute)
	evidence := []feeds.Evidence{{Field: "account", Quote: lab.Name, Rule: "C1", URL: lab.Source, ObservedAt: first}}
	w := digest.Work{
		ID: id(n), Kind: feeds.ItemPaper, Title: fmt.Sprintf("%s report %d on reasoning with %d experts", lab.Name, n, n%64+2), URL: fmt.Sprintf("https://arxiv.org/abs/2511.%05d", n),
		Summary: fmt.Sprintf("Reasoning has come far. We present a model of %d billion parameters that thinks longer where that pays, and measure when it does not.", n%400+1),
		First:   first, News: first, Last: first.Add(time.Hour), Version: 1,
		Categories: []string{[]string{"cs.CL", "cs.LG", "cs.AI"}[n%3]},
		Keys:       []feeds.Key{{Scheme: feeds.KeyArXiv, Value: fmt.Sprintf("2511.%05d", n)}},
		Places: []digest.Place{{
			Item: feeds.ItemID(fmt.Sprint(n)), Source: "arxiv:cs.CL", Kind: feeds.ItemPaper, Title: fmt.Sprintf("%s report %d", lab.Name, n), URL: fmt.Sprintf("https://arxiv.org/abs/2511.%05d", n), Date: first,
		}},
	}
	w.Labs = []feeds.Attribution{{Lab: lab.ID, Name: lab.Name, Kind: lab.Kind, Role: feeds.RoleLead, Home: seat.Home, Control: seat.Control, Basis: feeds.Affiliation, Evidence: evidence}}
	if n%5 == 0 {
		w.Labs = append(w.Labs, feeds.Attribution{Lab: "tsinghua", Name: "Tsinghua University", Kind: feeds.University, Role: feeds.RoleAuthor, Home: "CN", Control: "CN", Basis: feeds.Affiliation, Evidence: evidence})
	}
	if n%11 == 3 {
		w.Labs = nil
	}
	w.Countries, w.Control = feeds.CountriesOf(w.Labs, feeds.ViewHome), feeds.CountriesOf(w.Labs, feeds.ViewControl)
	switch n % 6 {
	case 0, 1:
		w.Openness, w.Badge, w.License = feeds.OpenWeights, feeds.Weights, "Apache-2.0"
	case 2:
		w.Openness, w.Badge, w.License, w.Flags = feeds.Restricted, feeds.Weights, "CC-BY-NC-4.0", []feeds.Flag{feeds.FlagNonCommercial}
	case 3:
		w.Openness, w.Badge, w.License = feeds.OpenSource, feeds.Code, "MIT"
	case 4:
		w.Openness, w.Badge, w.Flags = feeds.Closed, feeds.Hosted, []feeds.Flag{feeds.FlagAPI}
	}
	if w.Badge != "" {
		w.Artifacts = []feeds.ArtifactTag{
			{Kind: w.Badge, URL: fmt.Sprintf("https://huggingface.co/%s/model-%d", lab.ID, n), License: w.License, Openness: w.Openness, Flags: w.Flags, Basis: feeds.Declared, Evidence: []feeds.Evidence{{Field: "license", Quote: cmp.Or(w.License, "available through our API"), Rule: "O2", ObservedAt: first}}},
			{Kind: feeds.Paper, URL: w.URL},
		}
		w.Places = append(w.Places, digest.Place{
			Item: feeds.ItemID(fmt.Sprint(n, "b")), Source: feeds.SourceID("hf:" + string(lab.ID)), Kind: feeds.ItemModel, Title: fmt.Sprintf("model-%d", n), URL: fmt.Sprintf("https://huggingface.co/%s/model-%d", lab.ID, n),
			Date: first.Add(time.Hour), Via: w.Keys[0], Rule: digest.RuleClaimed,
		})
	}
	return w
}

// evil is what a stranger may write anywhere.
const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)> ]]> {{.}} & ' ` + "\u202egnirts\u0000\x1b[31m" + ` <!-- `

// hostile is a work with a stranger's worst in every field.
func hostile(n int) digest.Work {
	w := made(n)
	w.Title, w.Summary, w.URL, w.Categories = evil+strings.Repeat("x", 400), evil+strings.Repeat("ש", 4000), "javascript:alert(3)", []string{evil}
	w.Labs = []feeds.Attribution{{Name: evil, Role: feeds.RoleLead, Home: "FR", Control: "FR", Basis: feeds.Mention, Evidence: []feeds.Evidence{{Field: evil, Quote: evil, Rule: "C1", URL: "data:text/html,<script>alert(4)</script>"}}}}
	w.Countries = []feeds.Country{"FR"}
	w.License, w.Openness, w.Badge = evil, feeds.Restricted, feeds.Weights
	w.Artifacts = []feeds.ArtifactTag{{Kind: feeds.Weights, URL: "vbscript:x", License: evil, Openness: feeds.Restricted}, {Kind: feeds.Code, URL: "https://user:secret@evil.example/<b>?a=1&b=\"2", Openness: feeds.Unknown}}
	w.Places = []digest.Place{
		{Item: "a", Source: "feed:https://private.example/rss?token=hush", Kind: feeds.ItemPost, Title: evil, URL: " https://ok.example/a b", Date: w.First},
		{Item: "b", Source: feeds.SourceID("feed:" + evil), Kind: feeds.ItemPost, Title: "قراءة البحث المفتوح", URL: "//evil.example", Date: w.First},
	}
	w.Events = []digest.Event{{At: w.First, Kind: digest.EventRelicensed, What: evil, From: "MIT (open-weights)", To: evil, Detail: evil}}
	return w
}

// full is a desk with something on every page: many works, a changed license, a
// hostile work, digests, topics, sources in every state.
func full(works int) *desk {
	all := make([]digest.Work, 0, works+1)
	for n := range works {
		all = append(all, made(n))
	}
	if works > 7 {
		all[7].Events = []digest.Event{
			{At: now.Add(-time.Hour), Kind: digest.EventRelicensed, What: all[7].URL, From: "MIT (open-weights)", To: "CC-BY-NC-4.0 (restricted)", Detail: "weights"},
			{At: now.Add(-2 * time.Hour), Kind: digest.EventRevised, From: "v1", To: "v2"},
		}
	}
	all = append(all, hostile(works))
	all[len(all)-1].First = now.Add(-30 * time.Minute)
	all[len(all)-1].News = now.Add(-30 * time.Minute)
	d := newDesk(all...)
	d.corrections = []digest.Correction{{ID: 1, Work: id(0), Field: "country", Value: "FR", Because: "https://mistral.ai/terms", By: "ana", At: now}}
	d.topics = []digest.Topic{{Name: "reasoning", Query: "reasoning openness>=open-weights", About: "thinking longer"}, {Name: "europe", Query: "country:EU"}}
	day := 24 * time.Hour
	d.health = []digest.SourceHealth{
		{ID: "arxiv:cs.CL", Title: "arXiv cs.CL", Kind: feeds.KindArXiv, LastLook: now, LastGood: now, LastItem: now.Add(-day)},
		{ID: "hf:deepseek-ai", Title: "DeepSeek on Hugging Face", Lab: "deepseek", Country: "CN", Kind: feeds.KindHuggingFace, LastLook: now, LastGood: now, LastItem: now.Add(-3 * day)},
		{ID: "feed:https://openai.com/news/rss.xml", Title: "OpenAI News", Lab: "openai", Country: "US", Kind: feeds.KindFeed, LastLook: now, LastGood: now.Add(-9 * day), Failures: 4, Trouble: "denied, HTTP 403"},
		{ID: "feed:https://mistral.ai/rss", Title: evil, Lab: "mistral", Country: "FR", Kind: feeds.KindFeed, Paused: true},
		{ID: "feed:https://private.example/rss?token=hush", Kind: feeds.KindFeed},
		{ID: "feed:https://gone.example/rss", Title: "Gone", Kind: feeds.KindFeed, Gone: true, LastLook: now, Trouble: "gone, HTTP 404"},
	}
	for i := range 3 {
		p := digest.Period{From: now.AddDate(0, 0, -7*(i+1)), To: now.AddDate(0, 0, -7*i)}
		dig, _ := d.Compose(context.Background(), "This week in open research", []string{"", "country:EU", "reasoning"}[i], p, byDefault)
		d.editions = append(d.editions, Edition{ID: digest.DigestID(fmt.Sprintf("d%012d", i)), Digest: dig})
	}
	// The latest was corrected since.
	if amended := &d.editions[0].Digest; len(amended.Sections) > 0 {
		amended.Amended = now.Add(-time.Hour)
		amended.Sections[0].Stories[0].Errata = []digest.Erratum{{At: amended.Amended, Kind: digest.EventCorrected, What: "country", From: "US", To: "FR", By: "ana", Because: "https://mistral.ai/terms"}}
	}
	d.composed = 0
	return d
}

// open are options under which anyone may read as fast as they can.
func open(d *desk) Options {
	return Options{
		Library: d, Press: d, Archive: d, Registry: fakeRegistry{},
		OPML: func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, `<?xml version="1.0"?><opml version="2.0"><head><title>t</title></head><body/></opml>`)
			return err
		},
		BaseURL: "https://research.example", Access: Public, PerSecond: -1, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
}

// get asks a handler for a path.
func get(t testing.TB, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "http://research.example"+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Result()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
