package bot

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// maxChoices is the most that a list of completions may hold, on every platform.
const maxChoices = 25

// Complete implements [Handler].
func (r *Router) Complete(ctx context.Context, inv Invocation, param, typed string) []Choice {
	c, ok := r.find(inv.Command)
	if !ok {
		return nil
	}
	i := slices.IndexFunc(c.Params, func(p Param) bool { return p.Name == param })
	if i < 0 {
		return nil
	}
	var out pick
	switch c.Params[i].Kind {
	case ParamChoice:
		for _, v := range c.Params[i].Choices {
			out.offer(typed, v, v)
		}
	case ParamLab:
		offerLabs(ctx, r, &out, typed)
	case ParamCountry:
		offerCountries(ctx, r, &out, typed)
	case ParamLicense:
		offerLicenses(ctx, r, &out, typed)
	case ParamTopic:
		offerTopics(ctx, r, &out, typed)
	case ParamSub:
		subs, err := r.desk.SubscriptionsOf(ctx, inv.Place, false)
		if err != nil {
			r.log.Error("completing", "param", param, "error", err)
		}
		if c.Name != "edit" { // one at a time
			out.offer(typed, "all of this channel", "all")
		}
		own, err := ownSubscriptions(ctx, r.desk, inv)
		if err != nil {
			r.log.Error("completing", "param", param, "error", err)
		}
		for _, s := range append(subs, own...) {
			out.offer(typed, orEverything(s.Query)+" · "+s.Cadence, string(s.ID), string(s.ID))
		}
	case ParamWork:
		return r.completeWork(ctx, typed)
	case ParamQuery:
		return r.completeQuery(ctx, typed)
	case ParamSetting:
		head, last := lastWord(typed)
		for _, name := range flagNames() {
			for _, value := range []string{"yes", "no"} {
				out.offer(last, name+"="+value, head+name+"="+value)
			}
		}
	}
	return out.best()
}

func offerLabs(_ context.Context, _ *Router, p *pick, typed string) {
	reg := registry.Default()
	for _, l := range reg.Labs() {
		p.offer(typed, l.Name+" · "+reg.CountryName(l.At(time.Time{}).Home), string(l.ID), append(l.Aliases, l.Ambiguous...)...)
	}
}

func offerCountries(_ context.Context, _ *Router, p *pick, typed string) {
	reg := registry.Default()
	for _, code := range reg.Countries() {
		p.offer(typed, reg.CountryName(code), string(code), string(code))
	}
}

func offerLicenses(_ context.Context, _ *Router, p *pick, typed string) {
	for _, l := range registry.Default().Licenses() {
		p.offer(typed, l.Name, l.ID, append(l.Aliases, l.ID)...)
	}
}

func offerTopics(ctx context.Context, r *Router, p *pick, typed string) {
	topics, err := r.desk.Topics(ctx)
	if err != nil {
		r.log.Error("completing", "param", "topic", "error", err)
	}
	for _, t := range topics {
		p.offer(typed, t.Name+" · "+t.About, t.Name)
	}
}

func orEverything(q string) string {
	if q == "" {
		return "everything"
	}
	return q
}

// completeWork offers works: the newest whose titles have words that begin as typed,
// then others that have those words anywhere.
func (r *Router) completeWork(ctx context.Context, typed string) []Choice {
	titles, err := r.recent.list(ctx, r.desk)
	if err != nil {
		r.log.Error("completing", "param", "work", "error", err)
		return nil
	}
	var out []Choice
	add := func(c Choice) bool {
		if len(out) < maxChoices && !slices.ContainsFunc(out, func(have Choice) bool { return have.Value == c.Value }) {
			out = append(out, c)
		}
		return len(out) < maxChoices
	}
	words := titleWords(typed)
	starts := make([]string, len(words))
	for i, w := range words {
		starts[i] = beginnings([]string{w})
	}
	for _, t := range titles {
		if t.hasAll(starts) && !add(t.choice) {
			return out
		}
	}
	if len(words) == 0 {
		return out
	}
	// What a person is typing is no query yet: quotes and colons are only letters.
	q, err := r.desk.ParseQuery(ctx, strings.Join(words, " ")+"*")
	if err != nil {
		return out
	}
	for _, w := range r.others(ctx, q) {
		add(Choice{Label: clip(w.Title, 100), Value: string(w.ID)})
	}
	return out
}

const (
	// othersWithin is how long a search of all works may take. What is found by then is
	// enough for someone who goes on typing.
	othersWithin = 5 * time.Millisecond
	// mostOthers is how many such searches go on at the same time. The beginning of a
	// word can be dear to search for, and an engine may not stop when it is told to.
	mostOthers = 2
)

// others searches all works, if there is time for it.
func (r *Router) others(ctx context.Context, q query.Query) []digest.Work {
	select {
	case r.searches <- struct{}{}:
	default:
		return nil
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), othersWithin)
	found := make(chan []digest.Work, 1)
	go func() {
		defer cancel()
		defer func() { <-r.searches }()
		works, _, err := r.desk.Search(within, q, maxChoices, "")
		if err != nil && within.Err() == nil {
			r.log.Error("completing", "param", "work", "error", err)
		}
		found <- works
	}()
	select {
	case works := <-found:
		return works
	case <-within.Done():
		return nil
	}
}

// lastWord splits what was typed before the word that is being typed.
func lastWord(typed string) (head, last string) {
	at := strings.LastIndexAny(typed, " \t") + 1
	return typed[:at], typed[at:]
}

// filters are the parts of a query whose values can be offered: the text before the
// value, and what offers it.
var filters = []struct {
	names []string
	offer func(ctx context.Context, r *Router, p *pick, typed string)
}{
	{[]string{"topic:"}, offerTopics},
	{[]string{"country:"}, offerCountries},
	{[]string{"lab:"}, offerLabs},
	{[]string{"license:"}, offerLicenses},
	{[]string{"openness>=", "openness:"}, func(_ context.Context, _ *Router, p *pick, typed string) {
		for _, o := range []feeds.Openness{feeds.OpenSource, feeds.OpenWeights, feeds.Restricted, feeds.Closed} {
			p.offer(typed, o.String(), o.String())
		}
	}},
}

// completeQuery offers a query with its last word completed. What was typed is
// offered, too, if it is a query already: first where it is words, since who presses
// Enter means them, and last where a filter's value is being typed.
func (r *Router) completeQuery(ctx context.Context, typed string) []Choice {
	typed = strings.TrimLeft(typed, " ")
	head, last := lastWord(typed)
	minus := ""
	if rest, ok := strings.CutPrefix(last, "-"); ok {
		minus, last = "-", rest
	}
	var out []Choice
	add := func(label, text string) {
		text = strings.TrimSpace(text)
		if text == "" || utf8.RuneCountInString(text) > 100 || len(out) == maxChoices || slices.ContainsFunc(out, func(c Choice) bool { return c.Value == text }) {
			return
		}
		out = append(out, Choice{Label: clip(label, 100), Value: text})
	}
	whole := false
	for _, f := range filters {
		for _, name := range f.names {
			value, ok := cutFold(last, name)
			if !ok {
				continue
			}
			whole = true
			// The last of several values is being typed.
			at := strings.LastIndex(value, ",") + 1
			var p pick
			f.offer(ctx, r, &p, value[at:])
			for _, c := range p.best() {
				add(head+minus+name+value[:at]+c.Label, head+minus+name+value[:at]+quoteSpaced(c.Value))
			}
		}
	}
	if !whole && (last != "" || strings.TrimSpace(head) == "") {
		for _, f := range filters {
			var p pick
			f.offer(ctx, r, &p, last)
			for i, c := range p.best() {
				if i == 5 {
					break
				}
				add(head+minus+f.names[0]+c.Label, head+minus+f.names[0]+quoteSpaced(c.Value))
			}
		}
	}
	if text := strings.TrimSpace(typed); text != "" && utf8.RuneCountInString(text) <= 100 {
		if _, err := r.desk.ParseQuery(ctx, text); err == nil {
			if !whole {
				out = slices.DeleteFunc(out, func(c Choice) bool { return c.Value == text })
				out = append([]Choice{{Label: clip(text, 100), Value: text}}, out...)
			}
			add(text, text)
		}
	}
	return out[:min(len(out), maxChoices)]
}

// cutFold is strings.CutPrefix without regard to case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// quoteSpaced is a value as a query takes it.
func quoteSpaced(s string) string {
	if strings.ContainsAny(s, " \t") {
		return `"` + s + `"`
	}
	return s
}

// A pick gathers choices: what goes by exactly the name that was typed, then what is
// shown with a label that begins so, then what has another name that does, then what
// has a word that does, then what holds it anywhere.
type pick struct{ ranks [5][]Choice }

func (p *pick) offer(typed, label, value string, names ...string) {
	typed = strings.ToLower(strings.TrimSpace(typed))
	rank := len(p.ranks)
	for i, n := range append([]string{label, value}, names...) {
		n = strings.ToLower(n)
		switch {
		case n == typed:
			rank = 0
		case strings.HasPrefix(n, typed) && i == 0:
			rank = min(rank, 1)
		case strings.HasPrefix(n, typed):
			rank = min(rank, 2)
		case strings.Contains(n, " "+typed):
			rank = min(rank, 3)
		case strings.Contains(n, typed):
			rank = min(rank, 4)
		}
	}
	if rank < len(p.ranks) && len(p.ranks[rank]) < maxChoices {
		p.ranks[rank] = append(p.ranks[rank], Choice{Label: clip(label, 100), Value: value})
	}
}

func (p *pick) best() []Choice {
	all := slices.Concat(p.ranks[:]...)
	return all[:min(len(all), maxChoices)]
}

// parseDay reads a day as people give it.
func parseDay(s string, now time.Time) (time.Time, error) {
	t, err := query.ParseTime(s, now)
	if err != nil {
		return time.Time{}, problemf("such as 7d, 2w, 1mo, monday or 2026-01-31", "%q is not a date", clip(s, 20))
	}
	return t, nil
}
