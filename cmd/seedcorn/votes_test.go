package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/digest"
)

// What a channel finds useful comes first in its digests, and what it does not comes
// later; other channels are not concerned. A digest that is due is composed so, too.
func TestVotesMoveADigest(t *testing.T) {
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv(testManners, "1ms")
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), demoConfig(base, filepath.Join(t.TempDir(), "votes.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	ctx, d := t.Context(), desk{w, a.now}
	if err := w.db.PutSources(ctx, demosite.Sources(base)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pullAll(ctx, demosite.Sources(base), func(string) {}); err != nil {
		t.Fatal(err)
	}
	here, elsewhere := bot.Place{Platform: "test", Workspace: "w", Channel: "c"}, bot.Place{Platform: "test", Workspace: "w", Channel: "other"}
	now := time.Now()
	p := digest.Period{From: now.AddDate(0, 0, -7), To: now}
	order := func(in bot.Place) (ids []digest.WorkID) {
		t.Helper()
		dig, err := d.ComposeFor(ctx, in, "x", "", p, digest.Counting{Rule: digest.RuleShare, View: "home"})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range dig.Sections {
			if len(s.Stories) > 2 {
				for _, st := range s.Stories {
					ids = append(ids, st.Work)
				}
				return ids
			}
		}
		t.Fatal("no section has three stories")
		return nil
	}
	before := order(here)
	last := before[len(before)-1]
	for _, person := range []string{"ada", "ben", "cy"} {
		if err := d.Vote(ctx, here, person, last, 1); err != nil {
			t.Fatal(err)
		}
		if err := d.Vote(ctx, here, person, before[0], -1); err != nil {
			t.Fatal(err)
		}
	}
	after := order(here)
	if slices.Index(after, last) >= len(before)-1 || slices.Index(after, before[0]) == 0 {
		t.Errorf("before %v\nafter  %v: three votes for the last and against the first move neither", before, after)
	}
	if got := order(elsewhere); !slices.Equal(got, before) {
		t.Errorf("another channel's order has changed:\n%v\n%v", before, got)
	}
	sub := digest.Subscription{Destination: here.Destination()}
	due, err := w.editions(a, places{}).Compose(ctx, sub, p, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []digest.WorkID
	for _, s := range due.Sections {
		for _, st := range s.Stories {
			ids = append(ids, st.Work)
		}
	}
	if i, j := slices.Index(ids, after[0]), slices.Index(ids, before[0]); i < 0 || j >= 0 && j < i {
		t.Errorf("a digest that is due is not composed in the channel's order: %v", ids)
	}
}
