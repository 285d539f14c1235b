package bot

import (
	"context"
	"slices"
	"strings"
	"time"

	"seedcorn/digest/query"
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
	reg := registry.Default()
	var out pick
	switch c.Params[i].Kind {
	case ParamChoice:
		for _, v := range c.Params[i].Choices {
			out.offer(typed, v, v)
		}
	case ParamLab:
		for _, l := range reg.Labs() {
			out.offer(typed, l.Name+" · "+reg.CountryName(l.At(time.Time{}).Home), string(l.ID), append(l.Aliases, l.Ambiguous...)...)
		}
	case ParamCountry:
		for _, code := range reg.Countries() {
			out.offer(typed, reg.CountryName(code), string(code), string(code))
		}
	case ParamLicense:
		for _, l := range reg.Licenses() {
			out.offer(typed, l.Name, l.ID, append(l.Aliases, l.ID)...)
		}
	case ParamTopic:
		topics, err := r.desk.Topics(ctx)
		if err != nil {
			r.log.Error("completing", "param", param, "error", err)
		}
		for _, t := range topics {
			out.offer(typed, t.Name+" · "+t.About, t.Name)
		}
	case ParamSub:
		subs, err := r.desk.SubscriptionsOf(ctx, inv.Place, false)
		if err != nil {
			r.log.Error("completing", "param", param, "error", err)
		}
		out.offer(typed, "all of this channel", "all")
		for _, s := range subs {
			out.offer(typed, orEverything(s.Query)+" · "+s.Cadence, string(s.ID), string(s.ID))
		}
	case ParamWork:
		return r.completeWork(ctx, typed)
	}
	return out.best()
}

func orEverything(q string) string {
	if q == "" {
		return "everything"
	}
	return q
}

// completeWork offers recent works whose words begin as typed.
func (r *Router) completeWork(ctx context.Context, typed string) []Choice {
	// What a person is typing is no query yet: quotes and colons are only letters.
	text := strings.TrimSpace(strings.Map(func(c rune) rune {
		if strings.ContainsRune(`"():<>=*-,`, c) {
			return ' '
		}
		return c
	}, typed))
	var q query.Query
	if text != "" {
		var err error
		if q, err = r.desk.ParseQuery(ctx, text+"*"); err != nil {
			return nil
		}
	}
	works, _, err := r.desk.Search(ctx, q, maxChoices, "")
	if err != nil {
		r.log.Error("completing", "param", "work", "error", err)
		return nil
	}
	var out []Choice
	for _, w := range works {
		out = append(out, Choice{Label: clip(w.Title, 100), Value: string(w.ID)})
	}
	return out
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
