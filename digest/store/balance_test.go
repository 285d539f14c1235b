package store

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// What digests have shown is what they showed in channels, under the ids that works
// have today.
func TestPicked(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		ingest(t, db, entry("feed:a", "1", "One", 0), entry("feed:a", "2", "Two", 1), entry("feed:a", "3", "Three", 2))
		works := everyWork(t, db)
		send := func(name string, direct bool, ids ...digest.WorkID) {
			t.Helper()
			sub := digest.Subscription{ID: digest.SubscriptionID(name), Destination: digest.Destination{Platform: "test", Workspace: "w", Channel: name, Direct: direct}, Cadence: "0 9 * * 1", Zone: "UTC", Created: t0, Cursor: t0}
			if err := db.PutSubscription(ctx, sub); err != nil {
				t.Fatal(err)
			}
			d := digest.Digest{Period: digest.Period{From: t0, To: t0.Add(time.Hour)}}
			for _, id := range ids {
				d.Sections = append(d.Sections, digest.Section{Stories: []digest.Story{{Work: id}}})
			}
			if _, err := db.SaveDigest(ctx, sub, d, t0.Add(2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := db.Picked(ctx); err != nil || len(got) != 0 {
			t.Errorf("before any digest: %v, %v", got, err)
		}
		send("channel", false, works[0].ID)
		send("person", true, works[2].ID)
		one, err := db.Join(ctx, works[0].ID, works[1].ID, "ada", "the same")
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.Picked(ctx)
		if err != nil || !got[one] || got[works[2].ID] {
			t.Errorf("picked %v (%v), want %s and nothing that one person was sent", got, err, one)
		}
	})
}

func TestUseful(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ctx := t.Context()
		at := func(platform, workspace, channel string) digest.Destination {
			return digest.Destination{Platform: platform, Workspace: workspace, Channel: channel}
		}
		for _, v := range []struct {
			in     digest.Destination
			person string
			work   digest.WorkID
			value  int
		}{
			{at("test", "w", "c"), "ada", "w1", 1},
			{at("test", "w", "d"), "bob", "w1", 1},
			{at("test", "w", "d"), "eve", "w1", -1},
			{at("test", "w", "c"), "ada", "w2", 1},
			{at("test", "w", "c"), "bob", "w2", -1}, // as many against as for
			{at("test", "w2", "c"), "ada", "w3", 1}, // of a workspace whose name begins alike
			{at("test", "", "ada"), "ada", "w4", 1},
		} {
			if err := db.Vote(ctx, v.in, v.person, v.work, v.value, t0); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			in   digest.Destination
			want map[digest.WorkID]bool
		}{
			{at("test", "w", "c"), map[digest.WorkID]bool{"w1": true}},
			{at("test", "w2", "x"), map[digest.WorkID]bool{"w3": true}},
			{at("test", "", "ada"), map[digest.WorkID]bool{"w4": true}},
			{at("test", "", "eve"), map[digest.WorkID]bool{}},
			{digest.Destination{}, map[digest.WorkID]bool{"w1": true, "w3": true, "w4": true}},
		} {
			got, err := db.Useful(ctx, tt.in)
			if d := cmp.Diff(tt.want, got); err != nil || d != "" {
				t.Errorf("%+v: %v\n%s", tt.in, err, d)
			}
		}
	})
}

// What is read back in short is what JSON says, for works that are alike and for
// those that are not.
func TestThinReader(t *testing.T) {
	var r thinReader
	texts := []string{`{"id":"w\u0031","first":"2026-01-01T00:00:00Z"}`, `{"id":"w1"}`, `{"first":"2026-01-01T00:00:00Z","id":"w1"}`, `{"id":"w1","first":"2026-01-01T01:00:00.5+01:00","openness":"closed"}`}
	for i, w := range everyThin(t, 400) {
		text, err := encode(w)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
		w.ID, w.First = digest.WorkID(fmt.Sprintf("wother%d", i)), w.First.Add(time.Duration(i)*time.Hour)
		if text, err = encode(w); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		var want digest.Work
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got, err := r.read([]byte(text))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", text, err, d)
		}
	}
	if n := len(r.seen); n == 0 || n > 401 {
		t.Errorf("%d are remembered of %d, of which each but four has its like", n, len(texts))
	}
	for _, bad := range []string{"", "{", `{"id":"w1","first":"2026-01-01T00:00:00Z","openness":"ajar"}`, `{"id":"w1","first":"yesterday"}`, `null,`} {
		if w, err := r.read([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, w)
		}
	}
}

// everyThin are the works of a small world, as thin as they are kept.
func everyThin(t *testing.T, n int) (out []digest.Work) {
	t.Helper()
	for i, e := range world(n, 1) {
		w := digest.Fold([]digest.Entry{e}, nil, nil)
		w.ID = digest.WorkID(fmt.Sprint("w", i))
		out = append(out, thin(w))
	}
	return out
}
