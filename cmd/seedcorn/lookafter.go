package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/feeds"
)

// lookEvery is how often the program looks after itself.
const lookEvery = "10m"

// deadFor is how long a message that was refused for ever is worth a word.
const deadFor = 30 * 24 * time.Hour

// lookAfter looks every now and then for what is wrong with the program itself, and
// tells the operator once. Several processes may do it: the database sees to it that
// one tells. It is no job, since it must find out that jobs are not done.
func (a *app) lookAfter(ctx context.Context, w *world, platforms places) error {
	return jobs.Bell{Every: lookEvery, Log: w.log}.Run(ctx, func(ctx context.Context) {
		w.note(ctx, "looking for what is wrong", a.observe(ctx, w, platforms))
	})
}

// observe compares what is wrong with what was, logs what has changed, and puts a
// message for the operator into the outbox.
func (a *app) observe(ctx context.Context, w *world, platforms places) error {
	c, err := w.condition(ctx, a.now)
	if err != nil {
		return err
	}
	if off, _, err := w.clockOff(ctx, a.now); err == nil { // without a network nobody can say
		c.Clock = off // the database's, by which things are due
		if mine := off + a.drift(); mine.Abs() > off.Abs() {
			c.Clock = mine // this machine's, by which platforms' requests are fresh
		}
	}
	var tell func(begun, over []digest.Incident) (digest.Destination, []digest.Part, error)
	if to, ok := w.cfg.operator(); ok {
		tell = func(begun, over []digest.Incident) (digest.Destination, []digest.Part, error) {
			p := platforms[to.Platform]
			if p == nil {
				return to, nil, fmt.Errorf("telling the operator: no platform %q is configured", to.Platform)
			}
			parts, err := p.Render(bot.Incidents(begun, over))
			out := make([]digest.Part, len(parts))
			for i, part := range parts {
				out[i] = digest.Part(part)
			}
			return to, out, err
		}
	}
	begun, over, err := w.db.Observe(ctx, a.now(), c.Wrong(a.now()), tell)
	for _, i := range begun {
		w.log.WarnContext(ctx, "something is wrong: "+i.Say, "kind", i.Kind, "state", "begun", "hint", i.Hint)
	}
	for _, i := range over {
		w.log.InfoContext(ctx, "it is over: "+i.Say, "kind", i.Kind, "state", "over", "since", i.Began)
	}
	return err
}

// condition is what can be known of how the program is.
func (w *world) condition(ctx context.Context, now func() time.Time) (c digest.Condition, err error) {
	if c.Sources, err = w.db.SourceHealth(ctx); err != nil {
		return c, err
	}
	if c.Dead, err = w.db.DeadLanes(ctx, now().Add(-deadFor)); err != nil {
		return c, err
	}
	if w.cfg.Lookups {
		if c.Refused, err = w.db.Refusing(ctx); err != nil {
			return c, err
		}
	}
	c.Disk = diskOf(w.db.Path())
	if err := w.prepareJobs(ctx); err != nil {
		return c, err
	}
	counts, err := w.jobs().Counts(ctx)
	for _, n := range counts {
		if n.State == "discarded" {
			if c.Jobs == nil {
				c.Jobs = map[string]int{}
			}
			c.Jobs[n.Kind] += n.Jobs
		}
	}
	return c, err
}

// clockOff compares our clock with those of two services that we ask anyway: one that
// is off may be theirs, so the smaller difference counts. It returns who was asked.
func (w *world) clockOff(ctx context.Context, now func() time.Time) (off time.Duration, by string, err error) {
	for _, base := range []string{w.cfg.HuggingFace, w.cfg.ArXivPages} {
		o, e := w.clockOf(ctx, base, now)
		if e != nil {
			err = e
			continue
		}
		if by == "" || o.Abs() < off.Abs() {
			off = o
			if u, e := url.Parse(base); e == nil {
				by = u.Hostname()
			}
		}
		if off.Abs() <= digest.ClockMost {
			return off, by, nil // a second opinion is only needed against us
		}
	}
	if by == "" {
		return 0, "", err
	}
	return off, by, nil
}

// clockOf reads the Date of an answer (https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1),
// which a cache gives with its Age.
func (w *world) clockOf(ctx context.Context, base string, now func() time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := now()
	resp, err := w.client.Get(ctx, feeds.Request{URL: strings.TrimRight(base, "/") + "/robots.txt"})
	if err != nil {
		return 0, err
	}
	took := now().Sub(began)
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, errors.New("the answer has no date")
	}
	age, _ := strconv.Atoi(resp.Header.Get("Age")) // none is no age
	off := began.Add(took / 2).Sub(date.Add(time.Duration(age) * time.Second))
	return off.Round(time.Second), nil
}

// operator is where the operator is told; ok is false if nobody is.
func (c *config) operator() (to digest.Destination, ok bool) {
	platform, rest, _ := strings.Cut(c.Operator, ":")
	if platform == "" {
		return digest.Destination{}, false
	}
	to.Platform = platform
	to.Workspace, to.Channel, ok = strings.Cut(rest, "/")
	if !ok {
		to.Workspace, to.Channel = "", rest
	}
	return to, true
}

// A refusals remembers which services refuse our questions, so that the database is
// written to only when that changes.
type refusals struct {
	sync.Mutex
	known map[string]bool
}

// asked notes what became of a question: for metrics, and for the operator if the
// service has refused us.
func (w *world) asked(ctx context.Context, q jobs.Question, err error) {
	outcome, refuses := "answered", false
	switch feeds.TroubleOf(err) {
	case feeds.TroubleLimited, feeds.TroubleDenied, feeds.TroubleNetwork, feeds.TroubleTimeout:
		outcome, refuses = "refused", true
	default:
		if err != nil {
			outcome = "failed"
		}
	}
	w.metrics.LookedUp(q.Service, outcome)
	if outcome == "failed" {
		return // of this question, and no word about the service
	}
	w.refused.Lock()
	defer w.refused.Unlock()
	if was, ok := w.refused.known[q.Service]; ok && was == refuses {
		return
	}
	if err := w.db.Refused(ctx, q.Service, w.now(), refuses); err != nil {
		w.note(ctx, "noting who refuses", err)
		return
	}
	if w.refused.known == nil {
		w.refused.known = map[string]bool{}
	}
	w.refused.known[q.Service] = refuses
}

// maxSaid is how many sources doctor names, of those that have been broken for long.
const maxSaid = 5

// diagnoseSelf says what the operator would be told, whether or not anybody is.
func (a *app) diagnoseSelf(ctx context.Context, w *world) (out []finding) {
	c, err := w.condition(ctx, a.now)
	if err != nil {
		return []finding{{"itself", false, err.Error(), storeHint(err)}}
	}
	sources := 0
	for _, i := range c.Wrong(a.now()) {
		switch i.Kind {
		case digest.IncidentDelivery, digest.IncidentDisk, digest.IncidentClock:
			continue // said by itself
		case digest.IncidentSource:
			if sources++; sources > maxSaid {
				continue
			}
		}
		out = append(out, finding{string(i.Kind), false, i.Say, i.Hint})
	}
	if sources > maxSaid {
		out = append(out, finding{"source", false, fmt.Sprintf("and %d more have been broken for long", sources-maxSaid), "seedcorn sources list shows them all"})
	}
	if c.Disk.Total > 0 {
		f := finding{"disk", !c.Disk.NearlyFull(), fmt.Sprintf("%.1f of %.0f GB are free where the database is", float64(c.Disk.Free)/(1<<30), float64(c.Disk.Total)/(1<<30)), ""}
		if !f.ok {
			f.hint = "make room on that disk, or let seedcorn retention keep less"
		}
		out = append(out, f)
	}
	if w.db.Engine() == "postgres" {
		f := finding{"database clock", a.drift().Abs() <= digest.ClockMost, fmt.Sprintf("that of this machine is %s from it", a.drift().Abs().Round(time.Millisecond)), ""}
		if !f.ok {
			f.hint = "set both clocks (NTP): what is due is due by the database's, and requests of platforms are judged by this machine's"
		}
		out = append(out, f)
	}
	off, by, err := w.clockOff(ctx, a.now)
	off = (off + a.drift()).Round(time.Second)
	switch {
	case err != nil:
		out = append(out, finding{"clock", true, "it can't be compared with anybody's: " + err.Error(), ""})
	case off.Abs() > digest.ClockMost:
		out = append(out, finding{"clock", false, fmt.Sprintf("ours is %s from that of %s", off.Abs(), by), "set the clock of this machine (NTP): requests of platforms are good for five minutes only, and due times are missed"})
	default:
		out = append(out, finding{"clock", true, fmt.Sprintf("ours is %s from that of %s", off.Abs(), by), ""})
	}
	if _, ok := w.cfg.operator(); !ok {
		out = append(out, finding{"operator", true, "nobody is told what is wrong: " + prefix + "OPERATOR names no channel", ""})
	}
	return out
}
