package store

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// What many are told alike is kept once, although each message names its digest, and
// each reads and sends what it was given. A correction finds them all.
func TestEditionsAreKeptOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db, ctx := p.open(t), t.Context()
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		d := digest.Digest{
			Title: "This week", Period: digest.Period{From: t0.Add(-time.Hour), To: t0}, Composed: t0,
			Sections: []digest.Section{{Key: digest.SectionOpen, Stories: []digest.Story{digest.StoryOf(w)}}},
		}
		var ids []digest.DigestID
		for i := range 3 {
			sub := subscribed(t, db, digest.SubscriptionID(fmt.Sprint("s", i)), fmt.Sprint("c", i))
			id := digest.NewDigestID(sub.ID, t0)
			ids = append(ids, id)
			got, err := db.SaveDigest(ctx, sub, d, t0.Add(time.Hour), digest.Part{Payload: []byte("see /digest/" + id)})
			if got != id || err != nil {
				t.Fatal(got, err)
			}
		}
		count := func(table string) (n int) {
			t.Helper()
			if err := first(ctx, db, "SELECT COUNT(*) FROM "+table, nil, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, table := range []string{"editions", "edition_works", "payloads"} {
			if n := count(table); n != 1 {
				t.Errorf("%d rows of %s, want 1", n, table)
			}
		}
		for _, id := range ids {
			parts, err := readDeliveries(ctx, db, "WHERE d.digest = $1", string(id))
			if err != nil || len(parts) != 1 || string(parts[0].Payload) != "see /digest/"+string(id) {
				t.Errorf("%s sends %+v (%v)", id, parts, err)
			}
		}
		correct(t, db, w, "license", "CC-BY-NC-4.0", "Ada", time.Hour)
		var edited []digest.DigestID
		for _, a := range toEdit(t, db, 2*time.Hour) {
			edited = append(edited, a.Digest)
			if got, want := says(t, db, a.Digest), "CC-BY-NC-4.0 [corrected license →CC-BY-NC-4.0 Ada]"; got != want {
				t.Errorf("%s reads %q", a.Digest, got)
			}
			_, parts, err := db.Amended(ctx, a.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := db.Reword(ctx, parts[0], digest.Part{Payload: []byte("not " + a.Digest)}); !ok || err != nil {
				t.Errorf("rewording: %v, %v", ok, err)
			}
		}
		if len(edited) != 3 {
			t.Errorf("to be edited: %v, want all 3", edited)
		}
		if err := db.removeUnused(ctx); err != nil {
			t.Fatal(err)
		}
		if n := count("payloads"); n != 1 {
			t.Errorf("%d payloads after edits that say the same, want 1", n)
		}
		audit(t, db)
	})
}

// As long as an older program is at work, digests and messages are written as it reads
// them.
func TestOlderProgramsReadDigests(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db, ctx := p.open(t), t.Context()
		save := func(name string) (body, payload string) {
			t.Helper()
			sub := subscribed(t, db, digest.SubscriptionID(name), name)
			id := digest.NewDigestID(sub.ID, t0)
			d := digest.Digest{Title: "This week", Period: digest.Period{From: t0.Add(-time.Hour), To: t0}}
			if _, err := db.SaveDigest(ctx, sub, d, t0.Add(time.Hour), digest.Part{Payload: []byte("see /digest/" + id)}); err != nil {
				t.Fatal(err)
			}
			// As an older one asks.
			if err := first(ctx, db, "SELECT g.body, p.body FROM digests g JOIN deliveries d ON d.digest = g.id JOIN payloads p ON p.id = d.payload WHERE g.id = $1", []any{string(id)}, &body, &payload); err != nil {
				t.Fatal(err)
			}
			if got, err := db.Digest(ctx, id); err != nil || got.Title != d.Title {
				t.Errorf("%s reads %+v (%v)", name, got, err)
			}
			return body, strings.ReplaceAll(payload, string(id), "this")
		}
		older := func(seen time.Time) {
			t.Helper()
			if _, err := db.write.ExecContext(ctx, `INSERT INTO processes (id, roles, host, version, started, seen) VALUES ('older', '', '', '', $1, $1)
				ON CONFLICT (id) DO UPDATE SET seen = excluded.seen`, millis(seen)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := db.Beat(ctx, digest.Process{ID: "newer"}); err != nil {
			t.Fatal(err)
		}
		if body, _ := save("alone"); body != "" {
			t.Errorf("without an older program, a digest has a body of its own: %s", body)
		}
		older(db.Now())
		if body, payload := save("beside"); !strings.Contains(body, "This week") || payload != "see /digest/this" {
			t.Errorf("an older program reads %q, and posts %q", body, payload)
		}
		older(db.Now().Add(-time.Hour))
		if body, _ := save("after"); body != "" {
			t.Errorf("long after an older program, a digest has a body of its own: %s", body)
		}
	})
}

// Digests of an older program read, go out and are edited as they were.
func TestDigestsFromBeforeEditions(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		var old *DB
		var err error
		if path, ok := strings.CutPrefix(p.location, "sqlite:"); ok {
			old, err = openSQLite(ctx, path, options{busy: time.Second})
		} else {
			old, err = openPostgres(ctx, p.location)
		}
		if err != nil {
			t.Fatal(err)
		}
		dir := must(fs.Sub(schema, "schema"))
		before := must(goose.NewProvider(old.engine.dialect(), old.write, dir, goose.WithDisableGlobalRegistry(true), goose.WithExcludeNames(old.engine.notMine())))
		if _, err := before.UpTo(ctx, 12); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"INSERT INTO digests (id, subscription, period_from, period_to, composed, body) VALUES ('d', 's', 1, 2, 2, '{}')",
			"INSERT INTO payloads (id, body) VALUES ('p', 'see /digest/d')",
			`INSERT INTO deliveries (id, digest, subscription, destination, platform, workspace, channel, part, behind, payload, summary, state, attempt, not_before, begun, receipt, words, resent)
				VALUES ('d0', 'd', 's', '{"platform":"test","workspace":"w","channel":"c"}', 'test', 'w', 'c', 0, 0, 'p', 'p', 'pending', 0, 0, 0, '', '', 0)`,
		} {
			if _, err := old.write.ExecContext(ctx, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		db := p.open(t)
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		d := digest.Digest{
			Title: "This week", Period: digest.Period{From: t0.Add(-time.Hour), To: t0}, Composed: t0,
			Sections: []digest.Section{{Key: digest.SectionOpen, Stories: []digest.Story{digest.StoryOf(w)}}},
		}
		for text, args := range map[string][]any{
			"UPDATE digests SET body = $1, composed = $2":              {must(encode(d)), millis(t0)},
			"INSERT INTO digest_works (work, digest) VALUES ($1, 'd')": {string(w.ID)},
		} {
			if _, err := db.write.ExecContext(ctx, text, args...); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Digest(ctx, "d")
		if diff := cmp.Diff(d, got.Digest); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if sent := claim(t, db, 0, 10)["d0"]; string(sent.Payload) != "see /digest/d" {
			t.Errorf("sends %q", sent.Payload)
		}
		correct(t, db, w, "license", "CC-BY-NC-4.0", "Ada", time.Hour)
		if as := toEdit(t, db, 2*time.Hour); len(as) != 1 || as[0].Digest != "d" {
			t.Errorf("to be edited: %v", as)
		}
		if err := db.removeUnused(ctx); err != nil {
			t.Error(err)
		}
		audit(t, db)
	})
}
