// Package bottest is what tests of the conversation share: a newsroom in memory,
// and the suite that every platform must pass.
//
//	[Desk] ──► a bot.Desk with a dozen works, for tests of commands and adapters
//	[Platform] + [Manners] ──► what each bot.Platform owes: nothing clipped, nothing
//	                           lost, nothing that a stranger wrote becoming more than text
//
// Nothing here knows one platform from another. An adapter's test brings two
// functions, one that reads its messages as a person would and one that says what
// in them a stranger's text must never become.
package bottest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// Now is the time at every new [FakeDesk]: noon of a Monday.
var Now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A FakeDesk is a [bot.Desk] in memory. The same calls give the same answers. Its
// methods may be called from several goroutines; its fields may not be changed then.
type FakeDesk struct {
	// Err, if set, is what every method fails with that can fail.
	Err error
	// Time is what Now returns.
	Time time.Time
	// Keeper says whose corrections hold.
	Keeper digest.Keeper

	mu          sync.Mutex
	works       []digest.Work // newest first
	entries     map[digest.WorkID][]digest.Entry
	corrections []digest.Correction
	proposals   []digest.Proposal
	subs        []digest.Subscription
	settings    map[string]digest.Settings
	votes       map[string]int
	saved       map[string][]digest.WorkID
	done        map[string]bool
}

var _ bot.Desk = (*FakeDesk)(nil)

// A release is one of the works: who released what under which license. Lab, license
// and place are facts, each to be seen at its URL; the dates are moved to the four
// weeks before [Now].
type release struct {
	lab     feeds.LabID
	title   string
	summary string
	arxiv   string             // the paper, if there is one
	kind    feeds.ArtifactKind // of the artifact, if there is one
	repo    string             // on Hugging Face
	license string             // as the registry names it
	closed  feeds.Flag         // why it is closed
	days    int                // before Now
	cats    []string
}

var releases = []release{
	// https://huggingface.co/deepseek-ai/DeepSeek-R1
	{
		lab: "deepseek", title: "DeepSeek-R1: Incentivizing Reasoning Capability in LLMs via Reinforcement Learning", arxiv: "2501.12948",
		summary: "We introduce a family of models that learn to reason by reinforcement learning.", kind: feeds.Weights, repo: "deepseek-ai/DeepSeek-R1", license: "MIT", days: 1, cats: []string{"cs.CL"},
	},
	// https://huggingface.co/Qwen/Qwen3-8B
	{
		lab: "qwen", title: "Qwen3 Technical Report", arxiv: "2505.09388", summary: "We present open models of many sizes, with and without thinking.",
		kind: feeds.Weights, repo: "Qwen/Qwen3-8B", license: "Apache-2.0", days: 2, cats: []string{"cs.CL"},
	},
	// https://huggingface.co/mistralai/Mistral-Small-3.1-24B-Instruct-2503
	{
		lab: "mistral", title: "Mistral Small 3.1", summary: "A small model that reads pictures.",
		kind: feeds.Weights, repo: "mistralai/Mistral-Small-3.1-24B-Instruct-2503", license: "Apache-2.0", days: 3,
	},
	// https://huggingface.co/meta-llama/Llama-3.1-8B
	{
		lab: "meta-ai", title: "The Llama 3 Herd of Models", arxiv: "2407.21783", summary: "This paper presents a new set of foundation models.",
		kind: feeds.Weights, repo: "meta-llama/Llama-3.1-8B", license: "llama3.1", days: 4, cats: []string{"cs.AI"},
	},
	// https://huggingface.co/tencent/HunyuanVideo
	{
		lab: "tencent", title: "HunyuanVideo: A Systematic Framework For Large Video Generative Models", arxiv: "2412.03603", summary: "We introduce a model that makes videos.",
		kind: feeds.Weights, repo: "tencent/HunyuanVideo", license: "tencent-hunyuan-community", days: 5, cats: []string{"cs.CV"},
	},
	// https://huggingface.co/CohereLabs/c4ai-command-a-03-2025
	{
		lab: "cohere", title: "Command A: An Enterprise-Ready Large Language Model", arxiv: "2504.00698", summary: "In this report we describe a model for businesses.",
		kind: feeds.Weights, repo: "CohereLabs/c4ai-command-a-03-2025", license: "CC-BY-NC-4.0", days: 6, cats: []string{"cs.CL"},
	},
	// https://openai.com/index/gpt-4-1/
	{
		lab: "openai", title: "Introducing GPT-4.1 in the API", summary: "Three new models are available through the API.", kind: feeds.Hosted, closed: feeds.FlagAPI, days: 6,
	},
	// https://huggingface.co/google/gemma-3-4b-it
	{
		lab: "google-deepmind", title: "Gemma 3 Technical Report", arxiv: "2503.19786", summary: "We introduce a family of light models.",
		kind: feeds.Weights, repo: "google/gemma-3-4b-it", license: "gemma", days: 9, cats: []string{"cs.CL"},
	},
	// https://huggingface.co/allenai/OLMo-2-1124-7B
	{
		lab: "allenai", title: "2 OLMo 2 Furious", arxiv: "2501.00656", summary: "We present the next generation of our fully open models.",
		kind: feeds.Weights, repo: "allenai/OLMo-2-1124-7B", license: "Apache-2.0", days: 12, cats: []string{"cs.CL"},
	},
	// https://huggingface.co/LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct
	{
		lab: "lg-ai-research", title: "EXAONE 3.5: Series of Large Language Models for Real-world Use Cases", arxiv: "2412.04862", summary: "This technical report introduces a series of models.",
		kind: feeds.Weights, repo: "LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct", license: "exaone-1.1-nc", days: 15, cats: []string{"cs.CL"},
	},
	// https://huggingface.co/swiss-ai/Apertus-8B-2509
	{
		lab: "swiss-ai-initiative", title: "Apertus: Democratizing Open and Compliant LLMs for Global Language Environments", arxiv: "2509.14233", summary: "We present models whose data may be used.",
		kind: feeds.Weights, repo: "swiss-ai/Apertus-8B-2509", license: "Apache-2.0", days: 20, cats: []string{"cs.CL"},
	},
	// Of this one nothing is known, and it is nobody's.
	{title: "A Note Without a Name", summary: "Somebody studies test-time compute.", days: 2},
}

// Desk returns a new desk with a dozen works, two topics, a few sources, one of
// which is broken, and no subscription.
func Desk() *FakeDesk {
	d := &FakeDesk{
		Time: Now, entries: map[digest.WorkID][]digest.Entry{}, settings: map[string]digest.Settings{}, votes: map[string]int{}, saved: map[string][]digest.WorkID{}, done: map[string]bool{},
	}
	for _, r := range releases {
		es := r.entries()
		w := digest.Fold(es, nil, nil)
		w.ID = digest.NewWorkID(es[0].Item)
		d.works = append(d.works, w)
		d.entries[w.ID] = es
	}
	slices.SortStableFunc(d.works, func(a, b digest.Work) int { return b.First.Compare(a.First) })
	return d
}

// entries are the places where the work appeared: the paper, and the artifact or post.
func (r release) entries() (out []digest.Entry) {
	reg := registry.Default()
	at := Now.AddDate(0, 0, -r.days).Add(-3 * time.Hour)
	var labs []feeds.Attribution
	if l, ok := reg.Lab(r.lab); ok {
		seat := l.At(at)
		labs = []feeds.Attribution{{
			Lab: l.ID, Name: l.Name, Kind: l.Kind, Role: feeds.RoleReleaser, Home: seat.Home, Control: seat.Control, Basis: feeds.Publisher,
			Evidence: []feeds.Evidence{{Field: "source", Quote: l.Name, Rule: "C1", URL: l.Source, ObservedAt: at}},
		}}
	}
	add := func(src feeds.SourceID, kind feeds.ItemKind, guid, url string, key feeds.Key, arts ...feeds.ArtifactTag) {
		e := digest.Entry{
			Item: feeds.Item{
				ID: feeds.NewItemID(src, guid), Source: src, Publisher: r.lab, Kind: kind, GUID: guid, URL: url, Title: r.title, Summary: r.summary,
				Published: at, Seen: at, Categories: r.cats,
			},
			Tags: feeds.Tags{Labs: labs, Artifacts: arts},
		}
		if key.Value != "" {
			e.Item.Keys = []feeds.Key{key}
		}
		if len(out) > 0 {
			e.Via, e.Rule = out[0].Item.Keys[0], digest.RuleClaimed
		}
		out = append(out, e)
	}
	if r.arxiv != "" {
		add("arxiv:cs.CL", feeds.ItemPaper, r.arxiv, "https://arxiv.org/abs/"+r.arxiv, feeds.Key{Scheme: feeds.KeyArXiv, Value: r.arxiv})
	}
	switch {
	case r.repo != "":
		url := "https://huggingface.co/" + r.repo
		a := feeds.ArtifactTag{Kind: r.kind, URL: url, Basis: feeds.Declared, Evidence: []feeds.Evidence{{Field: "license", Quote: r.license, Rule: "O2", URL: url, ObservedAt: at}}}
		if l, ok := reg.License(r.license); ok {
			a.License, a.Openness, a.Flags = l.ID, l.Class, l.Flags
		}
		owner, _, _ := strings.Cut(r.repo, "/")
		add(feeds.SourceID("hf:"+owner), feeds.ItemModel, r.repo, url, feeds.Key{Scheme: feeds.KeyHF, Value: strings.ToLower(r.repo)}, a)
	case r.closed != "":
		url := "https://openai.com/index/gpt-4-1/"
		add("feed:https://openai.com/news/rss.xml", feeds.ItemPost, url, url, feeds.Key{}, feeds.ArtifactTag{Kind: r.kind, URL: url, Openness: feeds.Closed, Flags: []feeds.Flag{r.closed}})
	default:
		add("feed:https://example.org/feed", feeds.ItemPost, "note", "https://example.org/note", feeds.Key{})
	}
	return out
}

// WorkID returns the id of the work whose title begins so.
func (d *FakeDesk) WorkID(title string) digest.WorkID {
	for _, w := range d.works {
		if strings.HasPrefix(w.Title, title) {
			return w.ID
		}
	}
	panic(fmt.Sprintf("bottest: no work %q", title))
}

// Subscriptions returns all subscriptions there are, in the order in which they began.
func (d *FakeDesk) Subscriptions() []digest.Subscription {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.subs)
}

// Votes returns the votes of a place, as "PERSON WORK" and the value.
func (d *FakeDesk) Votes() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]int{}
	for k, v := range d.votes {
		out[k] = v
	}
	return out
}

// Now implements [bot.Desk].
func (d *FakeDesk) Now() time.Time { return d.Time }

var topics = []digest.Topic{
	{Name: "europe", Query: "country:EU openness>=open-weights", About: "open work from the European Union"},
	{Name: "reasoning", Query: "reasoning OR thinking", About: "models that think first"},
}

func names() query.Names {
	reg := registry.Default()
	return query.Names{
		Country: reg.ParseCountry,
		Group: func(s string) ([]feeds.Country, bool) {
			r, ok := registry.ParseRollUp(s)
			return r.Members, ok
		},
		Lab: func(s string) (ids []feeds.LabID, ok bool) {
			if l, ok := reg.Lab(feeds.LabID(s)); ok {
				return []feeds.LabID{l.ID}, true
			}
			for _, l := range reg.Find(s) {
				ids = append(ids, l.ID)
			}
			return ids, len(ids) > 0
		},
		License: func(s string) (string, bool) {
			l, ok := reg.License(s)
			return l.ID, ok
		},
		Topic: func(name string) (string, bool) {
			for _, t := range topics {
				if t.Name == name {
					return t.Query, true
				}
			}
			return "", false
		},
		Suggest: func(field, value string) []string {
			var names []string
			for _, t := range topics {
				names = append(names, t.Name)
			}
			return bot.Suggest(field, value, names)
		},
		Show: func(field, value string) string {
			if field == "country" {
				return reg.CountryName(feeds.Country(value))
			}
			return ""
		},
	}
}

// ParseQuery implements [bot.Library].
func (d *FakeDesk) ParseQuery(_ context.Context, text string) (query.Query, error) {
	if d.Err != nil {
		return query.Query{}, d.Err
	}
	return query.Parse(text, names(), d.Time)
}

// Search implements [bot.Library]. What to pass as after is a number.
func (d *FakeDesk) Search(_ context.Context, q query.Query, limit int, after string) (works []digest.Work, more string, err error) {
	if d.Err != nil {
		return nil, "", d.Err
	}
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil || from < 0 {
			return nil, "", &bot.Problem{Say: "There is no such page", Hint: "search again"}
		}
	}
	found := d.matching(q)
	from = min(from, len(found))
	to := min(from+limit, len(found))
	if to < len(found) {
		more = strconv.Itoa(to)
	}
	return found[from:to], more, nil
}

func (d *FakeDesk) matching(q query.Query) (out []digest.Work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.works {
		if q.Match(digest.SubjectOf(w)) {
			out = append(out, w)
		}
	}
	return out
}

// FindWorks implements [bot.Library].
func (d *FakeDesk) FindWorks(_ context.Context, text string) (out []digest.Work, err error) {
	if d.Err != nil {
		return nil, d.Err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key, isURL := feeds.KeyOfURL(text)
	id, _, isArXiv := feeds.ArXivID(text)
	for _, w := range d.works {
		owns := func(s feeds.Scheme, v string) bool {
			return slices.ContainsFunc(w.Keys, func(k feeds.Key) bool { return k.Scheme == s && k.Value == v })
		}
		if string(w.ID) == text || isURL && owns(key.Scheme, key.Value) || isArXiv && owns(feeds.KeyArXiv, id) || owns(feeds.KeyHF, strings.ToLower(text)) {
			return []digest.Work{w}, nil
		}
		if text != "" && strings.Contains(strings.ToLower(w.Title), strings.ToLower(text)) {
			out = append(out, w)
		}
	}
	return out, nil
}

// Corrections implements [bot.Library].
func (d *FakeDesk) Corrections(_ context.Context, id digest.WorkID) ([]digest.Correction, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.corrections), func(c digest.Correction) bool { return c.Work != id }), d.Err
}

// LookedUp implements [bot.Library]: arXiv was asked, GitHub was not.
func (d *FakeDesk) LookedUp(context.Context, digest.Work) ([]bot.Lookup, error) {
	return []bot.Lookup{
		{What: "arXiv's page, for affiliations", At: Now.AddDate(0, 0, -1), Result: "nothing"},
		{What: "GitHub, for the license", Result: "it links to no repository"},
	}, d.Err
}

// Correct implements [bot.CorrectionDesk].
func (d *FakeDesk) Correct(_ context.Context, c digest.Correction) (digest.Work, error) {
	if d.Err != nil {
		return digest.Work{}, d.Err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.correct(c)
}

// correct is Correct with the lock held.
func (d *FakeDesk) correct(c digest.Correction) (digest.Work, error) {
	i := slices.IndexFunc(d.works, func(w digest.Work) bool { return w.ID == c.Work })
	if i < 0 {
		return digest.Work{}, fmt.Errorf("correcting %s: no such work", c.Work)
	}
	c.ID = int64(len(d.corrections) + 1)
	d.corrections = append(d.corrections, c)
	mine := slices.DeleteFunc(slices.Clone(d.corrections), func(x digest.Correction) bool { return x.Work != c.Work })
	d.works[i] = digest.Fold(d.entries[c.Work], mine, nil)
	d.works[i].ID = c.Work
	return d.works[i], nil
}

// Holds implements [bot.CorrectionDesk].
func (d *FakeDesk) Holds(_ context.Context, p bot.Place, person string) (bool, error) {
	return d.Keeper.Holds(p.Destination(), person), d.Err
}

// Propose implements [bot.CorrectionDesk]. Three of one person may wait.
func (d *FakeDesk) Propose(_ context.Context, p digest.Proposal) (digest.Proposal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err != nil {
		return p, d.Err
	}
	mine := 0
	for _, o := range d.proposals {
		if o.State != digest.ProposalOpen || o.Person != p.Person {
			continue
		}
		if mine++; o.Work == p.Work && o.Field == p.Field && o.Value == p.Value {
			return o, nil
		}
	}
	if mine >= 3 {
		return p, digest.ErrTooMany
	}
	p.ID, p.State = int64(len(d.proposals)+1), digest.ProposalOpen
	if i := slices.IndexFunc(d.works, func(w digest.Work) bool { return w.ID == p.Work }); i >= 0 {
		p.Title = d.works[i].Title
	}
	d.proposals = append(d.proposals, p)
	return p, nil
}

// Proposals implements [bot.CorrectionDesk].
func (d *FakeDesk) Proposals(_ context.Context, work digest.WorkID) ([]digest.Proposal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.proposals), func(p digest.Proposal) bool {
		return p.State != digest.ProposalOpen || work != "" && p.Work != work
	}), d.Err
}

// Proposal implements [bot.CorrectionDesk].
func (d *FakeDesk) Proposal(_ context.Context, id int64) (digest.Proposal, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err != nil || id < 1 || id > int64(len(d.proposals)) {
		return digest.Proposal{}, false, d.Err
	}
	return d.proposals[id-1], true, nil
}

// Decide implements [bot.CorrectionDesk].
func (d *FakeDesk) Decide(_ context.Context, id int64, accept bool, by, why string) (digest.Proposal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err != nil {
		return digest.Proposal{}, d.Err
	}
	p := &d.proposals[id-1]
	if p.State != digest.ProposalOpen {
		return *p, digest.ErrDecided
	}
	p.State, p.DecidedBy, p.DecidedAt, p.Why = digest.ProposalDeclined, by, d.Time, why
	if !accept {
		return *p, nil
	}
	p.State = digest.ProposalAccepted
	_, err := d.correct(p.Correction(by, d.Time))
	return *p, err
}

// Disputed implements [bot.Library].
func (d *FakeDesk) Disputed(_ context.Context, p digest.Period) (out []digest.Work, err error) {
	if d.Err != nil {
		return nil, d.Err
	}
	for _, w := range d.matching(query.Query{}) {
		if p.Contains(w.News) && digest.Disputed(w) {
			out = append(out, w)
		}
	}
	return out, nil
}

// ComposeFor implements [bot.Press]. Votes change nothing here.
func (d *FakeDesk) ComposeFor(ctx context.Context, _ bot.Place, title, text string, p digest.Period, how digest.Counting) (digest.Digest, error) {
	q, err := d.ParseQuery(ctx, text)
	if err != nil {
		return digest.Digest{}, err
	}
	health, err := d.Health(ctx)
	return digest.Compose(digest.Plan{Title: title, Query: text, Period: p, Counting: how, Registry: "of the test", Sources: health}, d.matching(q), d.Time), err
}

// Latest implements [bot.Press]: nothing was sent yet.
func (d *FakeDesk) Latest(context.Context, digest.Destination) (digest.Digest, bool, error) {
	return digest.Digest{}, false, d.Err
}

// Series implements [bot.Press]: no digest has shown a work.
func (d *FakeDesk) Series(ctx context.Context, ask digest.Question, team digest.Destination) (digest.Series, error) {
	q, err := d.ParseQuery(ctx, ask.Query)
	if err != nil {
		return digest.Series{}, err
	}
	c := digest.NewCounter(ask)
	for _, w := range d.matching(q) {
		o, err := d.Opinion(ctx, bot.Place{Platform: team.Platform, Workspace: team.Workspace}, w.ID)
		if err != nil {
			return digest.Series{}, err
		}
		if ask.Selection == digest.SelectAll || ask.Selection == digest.SelectUseful && o.Useful > o.Not {
			c.Add(&w)
		}
	}
	s := c.Series()
	health, err := d.Health(ctx)
	s.Sources, s.Coverage = bot.Coverage(health)
	s.Total.Registry = "of the test"
	return s, err
}

// Health implements [bot.Press].
func (d *FakeDesk) Health(context.Context) ([]digest.SourceHealth, error) {
	look := Now.Add(-time.Hour)
	return []digest.SourceHealth{
		{ID: "arxiv:cs.CL", Title: "arXiv cs.CL", Kind: feeds.KindArXiv, LastLook: look, LastGood: look, LastItem: Now.AddDate(0, 0, -1)},
		{ID: "hf:Qwen", Title: "Qwen on Hugging Face", Lab: "qwen", Country: "CN", Kind: feeds.KindHuggingFace, LastLook: look, LastGood: look, LastItem: Now.AddDate(0, 0, -2)},
		{ID: "hf:mistralai", Title: "Mistral AI on Hugging Face", Lab: "mistral", Country: "FR", Kind: feeds.KindHuggingFace, LastLook: look, LastGood: look, LastItem: Now.AddDate(0, -2, 0)},
		{ID: "feed:https://example.org/feed", Title: "A broken blog", Kind: feeds.KindFeed, LastLook: look, LastGood: Now.AddDate(0, 0, -10), Failures: 4, Trouble: "timeout"},
	}, d.Err
}

// Topics implements [bot.Press].
func (d *FakeDesk) Topics(context.Context) ([]digest.Topic, error) {
	if d.Err != nil {
		return nil, d.Err
	}
	return slices.Clone(topics), nil
}

// SubscriptionsOf implements [bot.Subscribers].
func (d *FakeDesk) SubscriptionsOf(_ context.Context, p bot.Place, all bool) ([]digest.Subscription, error) {
	if d.Err != nil {
		return nil, d.Err
	}
	to := p.Destination()
	return slices.DeleteFunc(d.Subscriptions(), func(s digest.Subscription) bool {
		if all {
			return s.Destination.Platform != to.Platform || s.Destination.Workspace != to.Workspace
		}
		return s.Destination != to
	}), nil
}

// PutSubscription implements [bot.Subscribers].
func (d *FakeDesk) PutSubscription(_ context.Context, s digest.Subscription) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err != nil {
		return d.Err
	}
	if i := d.sub(s.ID); i >= 0 {
		d.subs[i] = s
	} else {
		d.subs = append(d.subs, s)
	}
	return nil
}

// DeleteSubscription implements [bot.Subscribers]. One that is not there is an error.
func (d *FakeDesk) DeleteSubscription(_ context.Context, id digest.SubscriptionID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.sub(id)
	if d.Err != nil || i < 0 {
		return cmp.Or(d.Err, fmt.Errorf("ending subscription %s: not found", id))
	}
	d.subs = slices.Delete(d.subs, i, i+1)
	return nil
}

func (d *FakeDesk) sub(id digest.SubscriptionID) int {
	return slices.IndexFunc(d.subs, func(s digest.Subscription) bool { return s.ID == id })
}

// Cadence implements [bot.Subscribers]: weekly, daily, "Mondays at 9", or the five
// fields of one of these. The real thing is package jobs'.
func (d *FakeDesk) Cadence(spec, zone string) (cron string, next time.Time, err error) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("parsing cadence: zone %q: %w", zone, err)
	}
	now := d.Time.In(loc)
	nine := time.Date(now.Year(), now.Month(), now.Day(), 9, 0, 0, 0, loc)
	switch strings.ToLower(spec) {
	case "daily", "0 9 * * *":
		cron, next = "0 9 * * *", nine
	case "weekly", "mondays at 9", "0 9 * * 1":
		cron, next = "0 9 * * 1", nine.AddDate(0, 0, int(time.Monday-now.Weekday()))
	case "0 0 30 2 *":
		return "", time.Time{}, fmt.Errorf("parsing cadence %q: %w", spec, digest.ErrNever)
	default:
		return "", time.Time{}, fmt.Errorf("parsing cadence %q: want weekly or daily", spec)
	}
	for !next.After(d.Time) {
		if next = next.AddDate(0, 0, 1); cron == "0 9 * * 1" {
			next = next.AddDate(0, 0, 6)
		}
	}
	return cron, next.UTC(), nil
}

// Once implements [bot.Desk].
func (d *FakeDesk) Once(_ context.Context, id string, f func() error) (did bool, err error) {
	d.mu.Lock()
	known := d.done[id]
	d.mu.Unlock()
	if known || d.Err != nil {
		return false, d.Err
	}
	if err := f(); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done[id] = true
	return true, nil
}

// Settings implements [bot.Preferences].
func (d *FakeDesk) Settings(_ context.Context, p bot.Place) (digest.Settings, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings[p.Platform+"/"+p.Workspace], d.Err
}

// PutSettings implements [bot.Preferences].
func (d *FakeDesk) PutSettings(_ context.Context, p bot.Place, s digest.Settings) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err == nil {
		d.settings[p.Platform+"/"+p.Workspace] = s
	}
	return d.Err
}

// Vote implements [bot.Preferences].
func (d *FakeDesk) Vote(_ context.Context, _ bot.Place, person string, work digest.WorkID, value int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err == nil {
		if d.votes[person+" "+string(work)] = value; value == 0 {
			delete(d.votes, person+" "+string(work))
		}
	}
	return d.Err
}

// Opinion implements [bot.Preferences].
func (d *FakeDesk) Opinion(_ context.Context, _ bot.Place, work digest.WorkID) (o digest.Opinion, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, value := range d.votes {
		if _, of, _ := strings.Cut(key, " "); digest.WorkID(of) != work {
			continue
		}
		if value > 0 {
			o.Useful++
		} else {
			o.Not++
		}
	}
	return o, d.Err
}

// FoundUseful implements [bot.Preferences]. Votes have no date here.
func (d *FakeDesk) FoundUseful(ctx context.Context, p bot.Place, _ time.Time, limit int) (out []digest.Found, err error) {
	if d.Err != nil {
		return nil, d.Err
	}
	for _, w := range d.matching(query.Query{}) {
		if o, _ := d.Opinion(ctx, p, w.ID); o.Useful > o.Not && len(out) < limit {
			out = append(out, digest.Found{Work: w, Opinion: o})
		}
	}
	slices.SortStableFunc(out, func(a, b digest.Found) int { return b.Useful - a.Useful })
	return out, nil
}

// Save implements [bot.Preferences].
func (d *FakeDesk) Save(_ context.Context, _ bot.Place, person string, work digest.WorkID, on bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err != nil {
		return d.Err
	}
	list := slices.DeleteFunc(d.saved[person], func(id digest.WorkID) bool { return id == work })
	if on {
		list = append([]digest.WorkID{work}, list...)
	}
	d.saved[person] = list
	return nil
}

// Saved implements [bot.Preferences].
func (d *FakeDesk) Saved(_ context.Context, _ bot.Place, person string) (out []digest.Work, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.saved[person] {
		if i := slices.IndexFunc(d.works, func(w digest.Work) bool { return w.ID == id }); i >= 0 {
			out = append(out, d.works[i])
		}
	}
	return out, d.Err
}
