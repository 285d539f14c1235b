//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"seedcorn/cmd/seedcorn/internal/hostile"
	"seedcorn/cmd/seedcorn/internal/kill"
	"seedcorn/digest"
)

// A report is what was counted. Faults are what must not be; nil is what is hoped for.
type report struct {
	Setup         string
	Kills         map[string]int
	Storm, Total  time.Duration
	Slack         map[string]int
	Discord       map[string]int
	Verdict       hostile.Verdict
	SeenTwice     int // messages that people see more than once, marked
	Dead          int
	Subscriptions int
	Digests       int
	Parts         int // the most parts of a digest
	Outages       int // of the database
	ByOld         int // messages that an older program posted
	Failovers     int // of it to another server
	GaveUp        int // starts that found none
	Faults        []string
}

func (r report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	total := 0
	var steps []string
	for _, step := range append([]string{"random"}, kill.Steps...) {
		if n := r.Kills[step]; n > 0 {
			steps = append(steps, fmt.Sprintf("%s %d", step, n))
			total += n
		}
	}
	line("crash", "%s", r.Setup)
	line("kills", "%d in %s: %s", total, r.Storm.Round(time.Second), strings.Join(steps, ", "))
	line("slack", "%s", counts(r.Slack))
	line("discord", "%s", counts(r.Discord))
	line("digests", "%d for %d subscriptions, of up to %d parts", r.Digests, r.Subscriptions, r.Parts)
	line("messages", "decided %d, posted %d, lost %d, doubled %d, resent %d (of which seen again, and marked, %d), refused for ever %d",
		r.Verdict.Decided, r.Verdict.Posted, len(r.Verdict.Lost), len(r.Verdict.Doubled), r.Verdict.Resent, r.SeenTwice, r.Dead)
	if r.Outages > 0 {
		line("database", "died %d times; %d starts gave up meanwhile", r.Outages, r.GaveUp)
	}
	if r.ByOld > 0 {
		line("older", "the older program posted %d of them, from before the newer one's migrations to the end", r.ByOld)
	}
	if r.Failovers > 0 {
		line("database", "failed over %d times; %d starts gave up meanwhile", r.Failovers, r.GaveUp)
	}
	line("wall time", "%s", r.Total.Round(time.Second))
	if len(r.Faults) == 0 {
		line("verdict", "all is well")
	}
	for i, f := range r.Faults {
		if i == 40 {
			line("FAULT", "and %d more", len(r.Faults)-i)
			break
		}
		line("FAULT", "%s", f)
	}
	return b.String()
}

func counts(m map[string]int) string {
	out := []string{fmt.Sprintf("%d calls", m["calls"])}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k != "calls" && k != hostile.None.String() && m[k] > 0 {
			out = append(out, fmt.Sprintf("%s %d", k, m[k]))
		}
	}
	return strings.Join(out, ", ")
}

// judge holds the ledgers against the database.
func (h *harness) judge(ctx context.Context, stormed time.Duration) (report, error) {
	r := report{
		Setup: fmt.Sprintf("%s, %d processes, stale after %s, seed %d", h.Database, h.Processes, h.Stale, h.Seed),
		Kills: h.kills, Storm: stormed, Outages: h.outages, Failovers: h.failovers, ByOld: h.byOld, GaveUp: h.gaveUp, Slack: h.slack.Counts(), Discord: h.discord.Counts(),
	}
	if h.Break != "" {
		r.Setup += ", broken on purpose: " + h.Break
	}
	rows, err := h.sql.QueryContext(ctx, "SELECT id, COALESCE(digest, id), subscription, destination, part, state, resent FROM deliveries")
	if err != nil {
		return r, fmt.Errorf("reading deliveries: %w", err)
	}
	defer rows.Close()
	var books []hostile.Decided
	dead := map[digest.SubscriptionID]bool{}
	for rows.Next() {
		var d hostile.Decided
		var sub digest.SubscriptionID
		var to digest.Destination
		var where, state string
		var resent int
		if err := rows.Scan(&d.Delivery, &d.Digest, &sub, &where, &d.Part, &state, &resent); err != nil {
			return r, err
		}
		if err := json.Unmarshal([]byte(where), &to); err != nil {
			return r, err
		}
		d.Platform, d.Channel, d.Sent, d.Resent = to.Platform, to.Channel, state == "sent", resent == 1
		if strings.HasPrefix(to.Channel, "U") || strings.HasPrefix(to.Channel, "@") {
			d.Channel = "" // a person's channel has a name of its own
		}
		refuses := to.Channel == slackDead || to.Channel == discordDead
		if refuses != (state == "dead") {
			h.fault("delivery %s to %s is %s", d.Delivery, to.Channel, state)
		}
		if state == "dead" {
			dead[sub] = true
			r.Dead++
		}
		r.Parts = max(r.Parts, d.Part+1)
		books = append(books, d)
	}
	if err := rows.Err(); err != nil {
		return r, err
	}
	seen := h.slack.Ledger.All() // both platforms'
	r.Verdict = hostile.Judge(seen, books)
	times := map[string]int{}
	for _, m := range seen {
		if times[m.Delivery]++; times[m.Delivery] == 2 {
			r.SeenTwice++
		}
	}
	if err := h.periods(ctx, &r, dead); err != nil {
		return r, err
	}
	h.logs()
	r.Total = time.Since(h.began)
	r.Faults = append(r.Verdict.Faults(), h.faults...)
	return r, nil
}

// periods holds every subscription to its periods: the first begins where it was
// made, each begins where the one before it ended, and the last ends at the cursor.
func (h *harness) periods(ctx context.Context, r *report, dead map[digest.SubscriptionID]bool) error {
	rows, err := h.sql.QueryContext(ctx, "SELECT subscription, period_from, period_to FROM digests ORDER BY subscription, period_to")
	if err != nil {
		return fmt.Errorf("reading digests: %w", err)
	}
	defer rows.Close()
	at := map[digest.SubscriptionID]int64{}
	for id, start := range h.starts {
		at[id] = start.UnixMilli()
	}
	for rows.Next() {
		var id digest.SubscriptionID
		var from, to int64
		if err := rows.Scan(&id, &from, &to); err != nil {
			return err
		}
		if from != at[id] {
			h.fault("a period of subscription %s begins %d ms from the end of the one before it", id, from-at[id])
		}
		at[id] = to
		r.Digests++
	}
	if err := rows.Err(); err != nil {
		return err
	}
	subs, err := h.db.Subscriptions(ctx)
	if err != nil {
		return err
	}
	for _, s := range subs {
		start, ours := h.starts[s.ID]
		if !ours {
			h.fault("subscription %s is not one of ours", s.ID)
			continue
		}
		r.Subscriptions++
		if at[s.ID] == start.UnixMilli() {
			h.fault("subscription %s to %s was never told anything (%s)", s.ID, s.Destination.Channel, s.LastResult)
		}
		if s.Cursor.UnixMilli() != at[s.ID] {
			h.fault("the cursor of subscription %s is %d ms from the end of its last period", s.ID, s.Cursor.UnixMilli()-at[s.ID])
		}
		if paused := s.PausedUntil.After(time.Now()); paused != dead[s.ID] {
			h.fault("subscription %s to %s: paused %t, refused for ever %t", s.ID, s.Destination.Channel, paused, dead[s.ID])
		}
	}
	return nil
}
