package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/digest/query"
	"seedcorn/digest/store"
)

// A desk is the world as commands see it: a [bot.Desk].
type desk struct {
	*world
	now func() time.Time
}

var _ bot.Desk = desk{}

func (d desk) Now() time.Time { return d.now().In(d.zone) }

func (d desk) Once(ctx context.Context, id string, f func() error) (bool, error) {
	return d.db.Once(ctx, id, f)
}

func (d desk) ParseQuery(ctx context.Context, text string) (query.Query, error) {
	return query.Parse(text, d.names(ctx), d.Now())
}

func (d desk) Search(ctx context.Context, q query.Query, limit int, after string) ([]digest.Work, string, error) {
	found, err := d.db.Search(ctx, q, store.Page{Limit: limit, After: after})
	return found.Works, found.More, err
}

func (d desk) FindWorks(ctx context.Context, text string) ([]digest.Work, error) {
	return d.findWorks(ctx, text)
}

func (d desk) Corrections(ctx context.Context, id digest.WorkID) ([]digest.Correction, error) {
	return d.db.Corrections(ctx, id)
}

func (d desk) LookedUp(ctx context.Context, w digest.Work) ([]bot.Lookup, error) {
	return d.lookedUp(ctx, w)
}

func (d desk) Compose(ctx context.Context, title, text string, p digest.Period, how digest.Counting) (digest.Digest, error) {
	return d.compose(ctx, title, text, p, how, d.Now())
}

func (d desk) ComposeFor(ctx context.Context, in bot.Place, title, text string, p digest.Period, how digest.Counting) (digest.Digest, error) {
	return d.composeFor(ctx, in.Destination(), title, text, p, how, d.Now())
}

func (d desk) Disputed(ctx context.Context, p digest.Period) ([]digest.Work, error) {
	works, err := d.db.WorksIn(ctx, p, query.Query{})
	return slices.DeleteFunc(works, func(w digest.Work) bool { return !digest.Disputed(w) }), err
}

func (d desk) Latest(ctx context.Context, to digest.Destination) (digest.Digest, bool, error) {
	subs, err := d.db.Subscriptions(ctx)
	if err != nil {
		return digest.Digest{}, false, err
	}
	var last store.StoredDigest
	for _, s := range subs {
		if s.Destination != to {
			continue
		}
		ds, err := d.db.Digests(ctx, s.ID, 1)
		if err != nil {
			return digest.Digest{}, false, err
		}
		if len(ds) > 0 && ds[0].Period.To.After(last.Period.To) {
			last = ds[0]
		}
	}
	return last.Digest, last.ID != "", nil
}

func (d desk) Series(ctx context.Context, q digest.Question, team digest.Destination) (digest.Series, error) {
	return d.series(ctx, q, team, d.Now())
}

// series answers a question about the balance. The workspace of team says what was
// useful; without a platform, everyone here does.
func (w *world) series(ctx context.Context, ask digest.Question, team digest.Destination, now time.Time) (digest.Series, error) {
	const doing = "counting: %w"
	var among map[digest.WorkID]bool
	var err error
	switch ask.Selection {
	case digest.SelectPicked:
		among, err = w.db.Picked(ctx)
	case digest.SelectUseful:
		among, err = w.db.Useful(ctx, team)
	}
	if err != nil {
		return digest.Series{}, fmt.Errorf(doing, err)
	}
	c := digest.NewCounter(ask)
	switch {
	case ask.Query != "":
		var q query.Query
		if q, err = w.parse(ctx, ask.Query, now); err != nil {
			return digest.Series{}, err
		}
		err = w.db.TallyFound(ctx, ask.Period, q, func(x digest.Work) bool {
			if among == nil || among[x.ID] {
				c.Add(&x)
			}
			return true
		})
	case among != nil:
		err = w.db.TallyOf(ctx, slices.Collect(maps.Keys(among)), func(x digest.Work) bool { c.Add(&x); return true })
	default:
		err = w.db.Count(ctx, ask.Period, func(x digest.Work, n int) bool { c.AddAlike(&x, n); return true })
	}
	if err != nil {
		return digest.Series{}, fmt.Errorf(doing, err)
	}
	health, err := w.sourceHealth(ctx)
	if err != nil {
		return digest.Series{}, fmt.Errorf(doing, err)
	}
	s := c.Series()
	s.Total.Registry = w.reg.Version()
	s.Sources, s.Coverage = bot.Coverage(health)
	return s, nil
}

func (d desk) Health(ctx context.Context) ([]digest.SourceHealth, error) { return d.sourceHealth(ctx) }

func (d desk) Topics(ctx context.Context) ([]digest.Topic, error) { return d.db.Topics(ctx) }

func (d desk) SubscriptionsOf(ctx context.Context, p bot.Place, all bool) ([]digest.Subscription, error) {
	subs, err := d.db.Subscriptions(ctx)
	to := p.Destination()
	return slices.DeleteFunc(subs, func(s digest.Subscription) bool {
		if all {
			return s.Destination.Platform != to.Platform || s.Destination.Workspace != to.Workspace
		}
		return s.Destination != to
	}), err
}

func (d desk) PutSubscription(ctx context.Context, s digest.Subscription) error {
	if err := d.db.ChangeSubscription(ctx, s); err != nil {
		return err
	}
	d.log.InfoContext(ctx, "subscription stored", "subscription", s.ID, "platform", s.Destination.Platform, "workspace", s.Destination.Workspace)
	return nil
}

func (d desk) DeleteSubscription(ctx context.Context, id digest.SubscriptionID) error {
	if err := d.db.DeleteSubscription(ctx, id); err != nil {
		return err
	}
	d.log.InfoContext(ctx, "subscription ended", "subscription", id)
	return nil
}

func (d desk) Cadence(spec, zone string) (string, time.Time, error) {
	c, err := jobs.ParseCadence(spec, zone)
	if err != nil {
		return "", time.Time{}, err
	}
	return c.String(), c.Next(d.now()), nil
}

func (d desk) Settings(ctx context.Context, p bot.Place) (digest.Settings, error) {
	return d.db.Settings(ctx, p.Destination())
}

func (d desk) PutSettings(ctx context.Context, p bot.Place, s digest.Settings) error {
	return d.db.PutSettings(ctx, p.Destination(), s)
}

func (d desk) Vote(ctx context.Context, p bot.Place, person string, work digest.WorkID, value int) error {
	return d.db.Vote(ctx, p.Destination(), person, work, value, d.now())
}

func (d desk) Opinion(ctx context.Context, p bot.Place, work digest.WorkID) (digest.Opinion, error) {
	return d.db.Opinion(ctx, p.Destination(), work)
}

func (d desk) FoundUseful(ctx context.Context, p bot.Place, since time.Time, limit int) ([]digest.Found, error) {
	return d.db.FoundUseful(ctx, p.Destination(), since, limit)
}

func (d desk) Save(ctx context.Context, p bot.Place, person string, work digest.WorkID, on bool) error {
	return d.db.Save(ctx, p.Destination(), person, work, on, d.now())
}

func (d desk) Saved(ctx context.Context, p bot.Place, person string) ([]digest.Work, error) {
	return d.db.Saved(ctx, p.Destination(), person)
}
