package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// everything stores something of each kind.
func everything(t testing.TB, db *DB, items int) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(db.PutSources(ctx, []feeds.Source{
		{ID: "feed:https://a.example/feed", Kind: feeds.KindFeed, URL: "https://a.example/feed", Title: "A"},
		{ID: "feed:https://b.example/feed", Kind: feeds.KindFeed, URL: "https://b.example/feed", Title: "“B” é 🌽"},
	}))
	check(db.Looked(ctx, []digest.Visit{
		{Source: "feed:https://a.example/feed", At: t0, Unchanged: true, State: feeds.State{ETag: `"x"`}},
		{Source: "feed:https://b.example/feed", At: t0, Trouble: feeds.TroubleTimeout, Words: "it took too long"},
	}))
	written := world(items, 5)
	for part := range slices.Chunk(written, batch) {
		ingest(t, db, part...)
	}
	late := entry("arxiv:cs.CL", "late", "A paper that a source told us late", 0, owns(feeds.KeyArXiv, "2601.99999"))
	late.Item.Published, late.Item.Seen = t0, t0.Add(5*24*time.Hour)
	ingest(t, db, late)
	works, err := db.WorksIn(ctx, digest.Period{From: t0.Add(-time.Hour), To: t0.Add(365 * 24 * time.Hour)}, query.Query{})
	check(err)
	slices.SortFunc(works, func(a, b digest.Work) int { return strings.Compare(string(a.ID), string(b.ID)) })
	_, err = db.Join(ctx, works[0].ID, works[1].ID, "me", "the same")
	check(err)
	both, err := db.Join(ctx, works[2].ID, works[3].ID, "me", "the same")
	check(err)
	work, err := db.Work(ctx, both)
	check(err)
	_, err = db.Split(ctx, both, work.Places[1].Item, "me", "not the same")
	check(err)
	check(db.Correct(ctx, digest.Correction{Work: works[4].ID, Field: "country", Value: "CH", Because: "https://x.example", By: "me", At: t0}))
	check(db.PutTopic(ctx, digest.Topic{Name: "eu", Query: "country:EU", About: "Europe"}))
	_, err = db.ReplaceOrganizations(ctx, labs(3, nil))
	check(err)
	check(db.Answer(ctx, "arxiv-page:2601.00001", digest.Answer{Words: "two affiliations", Fetched: t0, Expires: t0.Add(time.Hour)}))
	check(db.SetMeta(ctx, "sources", "own"))
	leave, err := db.Gate(map[string]time.Duration{"arxiv": time.Millisecond}).Enter(ctx, "arxiv")
	check(err)
	leave()
	outgoing(t, db, "s1", "c1", 2)
	outgoing(t, db, "s2", "c2", 3)
	if got := claim(t, db, time.Minute, 1); len(got) != 1 {
		t.Fatal("nothing is in flight")
	}
	place := digest.Destination{Platform: "test", Workspace: "w", Channel: "c1"}
	check(db.PutSettings(ctx, place, digest.Settings{Zone: "Asia/Tokyo"}))
	check(db.Vote(ctx, place, "p", works[4].ID, 1, t0))
	check(db.Save(ctx, place, "p", works[4].ID, true, t0))
}

// ends are the two ends of every kind of move.
func ends(t *testing.T, test func(t *testing.T, from, to place)) {
	t.Run("sqlite to postgres", func(t *testing.T) { test(t, sqlitePlace(t), postgresPlace(t)) })
	t.Run("postgres to sqlite", func(t *testing.T) { test(t, postgresPlace(t), sqlitePlace(t)) })
}

func moveAll(t *testing.T, from, to place, again bool) ([]Moved, error) {
	t.Helper()
	m := Mover{Again: again, Now: time.Now}
	var err error
	if m.From, err = Open(t.Context(), from.location, Exclusively()); err != nil {
		return nil, err
	}
	defer m.From.Close()
	if m.To, err = Open(t.Context(), to.location, Exclusively()); err != nil {
		return nil, err
	}
	defer m.To.Close()
	return m.Move(t.Context())
}

// Every table of the schema is known to both engines by its columns and its key, so
// that none is left behind.
func TestTables(t *testing.T) {
	var want []string
	statement := regexp.MustCompile(`(?m)^(CREATE TABLE|DROP TABLE|ALTER TABLE) (\w+)(?: RENAME TO (\w+);)?`)
	check := fs.WalkDir(schema, "schema", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := schema.ReadFile(path)
		for _, m := range statement.FindAllStringSubmatch(string(text), -1) {
			gone, made := "", ""
			switch {
			case m[1] == "CREATE TABLE":
				made = m[2]
			case m[1] == "DROP TABLE":
				gone = m[2]
			case m[3] != "":
				gone, made = m[2], m[3]
			}
			want = slices.DeleteFunc(want, func(s string) bool { return s == gone })
			if made != "" && !rebuilt[made] && !slices.Contains(want, made) {
				want = append(want, made)
			}
		}
		return err
	})
	if check != nil {
		t.Fatal(check)
	}
	slices.Sort(want)
	var lists [][]table
	onBoth(t, func(t *testing.T, p place) {
		tables, err := p.open(t).tables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, tables)
		var got []string
		for _, tab := range tables {
			for _, parent := range tab.parents {
				if !slices.Contains(got, parent) {
					t.Errorf("%s comes before its parent %s", tab.name, parent)
				}
			}
			if len(tab.key) == 0 {
				t.Errorf("%s has no key", tab.name)
			}
			got = append(got, tab.name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tables of the schema's text and of the engine (-text +engine):\n%s", diff)
		}
	})
	if len(lists) == 2 {
		if err := sameTables(lists[0], lists[1]); err != nil {
			t.Error(err)
		}
	}
}

func TestMove(t *testing.T) {
	ends(t, func(t *testing.T, from, to place) {
		db := from.open(t)
		everything(t, db, 1500)
		before, err := db.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		flight, err := db.Deliveries(t.Context(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		questions := []string{"", "country:CN", "openness>=open-weights -lab:openai", world(1500, 5)[7].Item.Title}
		answers := func(db *DB) (out []string) {
			for _, text := range questions {
				q, err := query.Parse(text, query.Names{}, t0)
				if err != nil {
					t.Fatal(err)
				}
				hits, err := db.Search(t.Context(), q, Page{Limit: 50})
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range hits.Works {
					out = append(out, text+" "+string(w.ID))
				}
				if len(hits.Works) == 0 {
					t.Errorf("nothing is found by %q", text)
				}
			}
			return out
		}
		found := answers(db)
		db.Close()
		moved, err := moveAll(t, from, to, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range moved {
			if m.Rows == 0 {
				t.Logf("table %s was empty", m.Table)
			}
		}
		db = to.open(t)
		after, err := db.Stats(t.Context())
		if err != nil || after != before {
			t.Errorf("%+v became %+v (%v)", before, after, err)
		}
		if diff := cmp.Diff(found, answers(db)); diff != "" {
			t.Errorf("searches (-before +after):\n%s", diff)
		}
		then, err := db.Deliveries(t.Context(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(flight, then); diff != "" {
			t.Errorf("deliveries (-before +after):\n%s", diff)
		}
		audit(t, db)
		if at, err := db.MovedAway(t.Context()); err != nil || !at.IsZero() {
			t.Errorf("the target was moved away at %v, %v", at, err)
		}
		old := from.open(t)
		if at, err := old.MovedAway(t.Context()); err != nil || at.IsZero() {
			t.Errorf("the source does not know that it was moved: %v", err)
		}
		old.Close()
		db.Close()
		// Again, it compares and changes nothing.
		same, err := moveAll(t, from, to, false)
		if diff := cmp.Diff(moved, same); diff != "" || err != nil {
			t.Errorf("moved again: %v (-first +second):\n%s", err, diff)
		}
		// Life goes on in the target: it is not overwritten by a second run.
		db = to.open(t)
		ingest(t, db, entry("arxiv:cs.CL", "new", "A paper that came after the move", 0))
		db.Close()
		if _, err := moveAll(t, from, to, false); !errors.Is(err, ErrChanged) {
			t.Errorf("moved over a target that is in use: %v", err)
		}
		if _, err := moveAll(t, from, to, true); err != nil {
			t.Errorf("moving again when told to: %v", err)
		}
		db = to.open(t)
		if after, err = db.Stats(t.Context()); err != nil || after != before {
			t.Errorf("moved again, %+v became %+v (%v)", before, after, err)
		}
		if diff := cmp.Diff(found, answers(db)); diff != "" {
			t.Errorf("searches after the second move (-before +after):\n%s", diff)
		}
	})
}

func TestMoveRefuses(t *testing.T) {
	ends(t, func(t *testing.T, from, to place) {
		db := from.open(t)
		everything(t, db, 100)
		t.Run("source in use", func(t *testing.T) {
			if _, err := moveAll(t, from, to, false); !errors.Is(err, ErrBusy) {
				t.Errorf("got %v", err)
			}
		})
		db.Close()
		t.Run("target in use", func(t *testing.T) {
			other := to.open(t)
			defer other.Close()
			if _, err := other.Meta(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			if _, err := moveAll(t, from, to, false); !errors.Is(err, ErrBusy) {
				t.Errorf("got %v", err)
			}
		})
		t.Run("onto itself", func(t *testing.T) {
			if _, err := moveAll(t, from, from, true); err == nil || !errors.Is(err, ErrBusy) && !strings.Contains(err.Error(), "the same database") {
				t.Errorf("got %v", err)
			}
		})
		t.Run("target holds something else", func(t *testing.T) {
			other := to.open(t)
			if err := other.PutTopic(t.Context(), digest.Topic{Name: "mine", Query: "x"}); err != nil {
				t.Fatal(err)
			}
			other.Close()
			_, err := moveAll(t, from, to, false)
			if !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), "1 rows of topics") {
				t.Errorf("got %v", err)
			}
			if _, err := moveAll(t, from, to, true); err != nil {
				t.Errorf("when told to: %v", err)
			}
			other = to.open(t)
			if _, err := other.Topic(t.Context(), "mine"); !errors.Is(err, ErrNotFound) {
				t.Errorf("the target's own topic: %v", err)
			}
			other.Close()
		})
		t.Run("a row went bad", func(t *testing.T) {
			other := to.open(t)
			if _, err := other.write.ExecContext(t.Context(), "UPDATE lookups SET words = 'three affiliations'"); err != nil {
				t.Fatal(err)
			}
			other.Close()
			if _, err := moveAll(t, from, to, false); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "lookups") {
				t.Errorf("got %v", err)
			}
		})
	})
}

// The process is killed in a table, in the index, and while it compares: run again it
// goes on, and both sides are the same.
func TestMoveKilled(t *testing.T) {
	ends(t, func(t *testing.T, from, to place) {
		db := from.open(t)
		everything(t, db, 900)
		db.Close()
		for _, step := range []string{"items 200 ", "works 400 ", indexStep + " 200 ", "comparing "} {
			cmd := again("move", from.location)
			cmd.Env = append(cmd.Env, "SEEDCORN_TEST_TO="+to.location)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines, began := bufio.NewScanner(out), ""
			for lines.Scan() {
				if began == "" {
					began = lines.Text()
				}
				if strings.HasPrefix(lines.Text(), step) {
					cmd.Process.Kill()
					break
				}
			}
			rest, _ := io.ReadAll(out)
			if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("not killed in %q: %v\n%s%s", step, err, lines.Text(), rest)
			}
			t.Logf("began with %q, killed in %q", began, step)
			if strings.HasPrefix(step, "works") && strings.HasPrefix(began, "apart") {
				t.Errorf("after a kill it began at %q", began)
			}
		}
		if _, err := moveAll(t, from, to, false); err != nil {
			t.Fatal(err)
		}
		audit(t, to.open(t))
	})
}

// A move of -works works, with its rate.
func BenchmarkMove(b *testing.B) {
	for _, reverse := range []bool{false, true} {
		ends := []place{sqlitePlace(b), postgresPlace(b)}
		if reverse {
			slices.Reverse(ends)
		}
		b.Run(ends[0].name+" to "+ends[1].name, func(b *testing.B) {
			filled(b, ends[0]).Close()
			ends[0] = kept(b, ends[0])
			for b.Loop() {
				m := Mover{Again: true, Now: time.Now}
				var err error
				if m.From, err = Open(b.Context(), ends[0].location, Exclusively()); err != nil {
					b.Fatal(err)
				}
				if m.To, err = Open(b.Context(), ends[1].location, Exclusively()); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				moved, err := m.Move(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				rows := 0
				for _, t := range moved {
					rows += t.Rows
				}
				b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
				b.ReportMetric(peak(b), "MB-peak")
				m.From.Close()
				m.To.Close()
			}
		})
	}
}

// peak is the most memory that this process has had, in megabytes; 0 where the
// system does not say.
func peak(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kb float64
	if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
		if _, err := fmt.Sscan(after, &kb); err != nil {
			b.Fatal(err)
		}
	}
	return kb / 1024
}
