package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// ingest stores entries as one batch.
func ingest(t testing.TB, db *DB, entries ...digest.Entry) digest.Ingested {
	t.Helper()
	done, err := db.Ingest(t.Context(), arrival(entries...))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// parse reads a query.
func parse(t testing.TB, text string) query.Query {
	t.Helper()
	q, err := query.Parse(text, query.Names{}, t0)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// groups says which items are one work, each item by its guid: "a b | c".
func groups(t testing.TB, db *DB) string {
	t.Helper()
	var out []string
	for _, w := range everyWork(t, db) {
		entries, err := db.Entries(t.Context(), w.ID)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Item.GUID)
		}
		slices.Sort(names)
		out = append(out, strings.Join(names, " "))
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

// everyWork returns all works, newest first.
func everyWork(t testing.TB, db *DB) (works []digest.Work) {
	t.Helper()
	page := Page{Limit: 1000}
	for {
		res, err := db.Search(t.Context(), query.Query{}, page)
		if err != nil {
			t.Fatal(err)
		}
		works = append(works, res.Works...)
		if page.After = res.More; res.More == "" {
			return works
		}
	}
}

// oneWork returns the work that a text finds, and fails unless it is one.
func oneWork(t testing.TB, db *DB, text string) digest.Work {
	t.Helper()
	works, err := db.FindWork(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if len(works) != 1 {
		t.Fatalf("FindWork(%q) found %d works, want 1", text, len(works))
	}
	return works[0]
}

// research is one piece of research in five places, and others that are not it.
func research() []digest.Entry {
	const title = "Growing seeds with very little water"
	key, _ := feeds.TitleKey(title)
	return []digest.Entry{
		entry("arxiv:cs.CL", "paper", title, 0, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00001"), owns(feeds.KeyTitle, key), category("cs.CL"), version(1)),
		entry("arxiv:cs.AI", "crosslist", title, 3, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00001"), owns(feeds.KeyTitle, key), category("cs.CL", "cs.AI")),
		entry("hf:seed", "weights", "seed-7b", 5, kind(feeds.ItemModel), owns(feeds.KeyHF, "seed/seed-7b"), claims(feeds.KeyArXiv, "2603.00001"), by("seed", "CN"),
			weights("https://huggingface.co/seed/seed-7b", "MIT", feeds.OpenWeights)),
		entry("gh:seed", "code", "seed/water", 9, kind(feeds.ItemRepo), owns(feeds.KeyGitHub, "seed/water"), claims(feeds.KeyHF, "seed/seed-7b"), by("seed", "CN")),
		entry("feed:https://seed.example/rss", "post", "We grow seeds", 30, owns(feeds.KeyURL, "https://seed.example/post"), claims(feeds.KeyGitHub, "seed/water"), by("seed", "CN")),

		entry("arxiv:cs.CL", "otherpaper", "Rain, measured", 4, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00002"), claims(feeds.KeyGitHub, "seed/water")),
		entry("feed:https://news.example/rss", "news", "Two labs say they grow seeds", 40, claims(feeds.KeyHF, "rain/rain-1"), claims(feeds.KeyURL, "https://rain.example/about")),
		entry("hf:rain", "rain", "rain-1", 41, kind(feeds.ItemModel), owns(feeds.KeyHF, "rain/rain-1"), by("rain", "FR")),
	}
}

// However items arrive, one batch or many, in any order: the same works come of it.
func TestOrderOfArrival(t *testing.T) {
	const want = "code crosslist paper post weights | news rain | otherpaper"
	onBoth(t, func(t *testing.T, p place) {
		rounds := 30
		if p.name == "postgres" {
			rounds = 8
		}
		for seed := range rounds {
			p := p
			if seed > 0 {
				if p.name == "sqlite" {
					p = sqlitePlace(t)
				} else {
					p = postgresPlace(t)
				}
			}
			db := p.open(t)
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			entries := research()
			if seed > 0 {
				r.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			}
			var order []string
			for len(entries) > 0 {
				n := 1 + r.IntN(len(entries))
				for _, e := range entries[:n] {
					order = append(order, e.Item.GUID)
				}
				order = append(order, "/")
				ingest(t, db, entries[:n]...)
				entries = entries[n:]
			}
			// A paper that came before anything of the repository it links to is the
			// first to know it; the rules then prefer it. All other orders agree.
			if got := groups(t, db); got != want && !onlyRepositoryDiffers(got) {
				t.Errorf("arrived as %s:\n got %s\nwant %s", strings.Join(order, " "), got, want)
			}
			audit(t, db)
			db.Close()
		}
	})
}

// onlyRepositoryDiffers reports whether the works are those expected but for the
// code, which two papers claim: it belongs to whichever proof came first.
func onlyRepositoryDiffers(got string) bool {
	rest := map[string]bool{}
	for _, g := range strings.Split(got, " | ") {
		var names []string
		for _, n := range strings.Fields(g) {
			if n != "code" && n != "post" && n != "weights" {
				names = append(names, n)
			}
		}
		rest[strings.Join(names, " ")] = true
	}
	return rest["crosslist paper"] && rest["otherpaper"] && rest["news rain"]
}

// audit checks what must hold of every database: every item belongs to a work that
// is there, every work is the fold of its items, keys and index agree with it.
func audit(t testing.TB, db *DB) {
	t.Helper()
	ctx := t.Context()
	for _, c := range []struct{ what, text string }{
		{"items of no work", "SELECT COUNT(*) FROM items WHERE work NOT IN (SELECT id FROM works)"},
		{"works of no item", "SELECT COUNT(*) FROM works WHERE id NOT IN (SELECT work FROM items)"},
		{"keys of no work", "SELECT COUNT(*) FROM work_keys WHERE work NOT IN (SELECT id FROM works)"},
		{"names that lead nowhere", "SELECT COUNT(*) FROM moved WHERE work NOT IN (SELECT id FROM works)"},
		{"names of two works", "SELECT COUNT(*) FROM moved WHERE id IN (SELECT id FROM works)"},
		{"works apart that are not there", "SELECT COUNT(*) FROM apart WHERE a NOT IN (SELECT id FROM works) OR b NOT IN (SELECT id FROM works)"},
	} {
		var n int
		if err := first(ctx, db, c.text, nil, &n); err != nil || n != 0 {
			t.Errorf("%d %s (%v)", n, c.what, err)
		}
	}
	works := everyWork(t, db)
	var indexed int
	res, err := db.Search(ctx, parse(t, "-zzzzzz"), Page{Limit: 1000})
	for err == nil {
		indexed += len(res.Works)
		if res.More == "" {
			break
		}
		res, err = db.Search(ctx, parse(t, "-zzzzzz"), Page{Limit: 1000, After: res.More})
	}
	if err != nil || indexed != len(works) {
		t.Errorf("%d works are indexed, %d stored (%v)", indexed, len(works), err)
	}
	for _, w := range works {
		entries, err := db.Entries(ctx, w.ID)
		if err != nil {
			t.Error(err)
			continue
		}
		corrections, err := db.Corrections(ctx, w.ID)
		if err != nil {
			t.Error(err)
		}
		events, err := db.Events(ctx, w.ID)
		if err != nil {
			t.Error(err)
		}
		want := digest.Fold(entries, corrections, events)
		want.ID = w.ID
		slices.SortFunc(want.Events, byMoment)
		slices.SortFunc(w.Events, byMoment)
		if d := gocmp.Diff(jsonOf(t, want), jsonOf(t, w)); d != "" {
			t.Errorf("work %s is not the fold of its entries (-fold +stored):\n%s", w.ID, d)
		}
		for _, k := range w.Keys {
			if k.Value == "" {
				continue
			}
			var claim bool
			if err := first(ctx, db, "SELECT claim FROM work_keys WHERE name = $1 AND work = $2", []any{keyName(k), string(w.ID)}, &claim); err != nil || claim != k.Claim {
				t.Errorf("work %s: key %s is not indexed as it should be: %v", w.ID, keyName(k), err)
			}
		}
	}
	auditWeeks(t, db, works)
}

// auditWeeks checks that weeks which count as counted have just their works, and that
// every work has a week.
func auditWeeks(t testing.TB, db *DB, works []digest.Work) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, w := range works {
		text, err := traitsOf(w)
		if err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprint(digest.WeekNumber(w.First), " ", text)]++
	}
	known := map[int64]bool{}
	err := each(t.Context(), db, "SELECT week, counted FROM weeks", nil, func(r *sql.Rows) error {
		var week int64
		var counted bool
		err := r.Scan(&week, &counted)
		known[week] = counted
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		var week int64
		fmt.Sscan(name, &week)
		if counted, ok := known[week]; !ok {
			t.Errorf("week %d has works, and nobody knows", week)
		} else if !counted {
			delete(want, name)
		}
	}
	err = each(t.Context(), db, "SELECT y.week, a.body, y.works FROM weekly y JOIN weeks k ON k.week = y.week LEFT JOIN alike a ON a.id = y.alike WHERE k.counted = 1", nil, func(r *sql.Rows) error {
		var week, n int
		var text string
		err := r.Scan(&week, &text, &n)
		got[fmt.Sprint(week, " ", text)] = n
		return err
	})
	if d := gocmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("weeks are not counted as they are (%v) (-works +counted):\n%s", err, d)
	}
}

// byMoment orders events that a merge may have brought in any order.
func byMoment(a, b digest.Event) int {
	return cmp.Or(a.At.Compare(b.At), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	s, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A work that was found to be another one goes on being found under its old name,
// and its history comes with it.
func TestMerge(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		paper := entry("arxiv:cs.CL", "paper", "A", 0, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00001"))
		model := entry("hf:x", "model", "B", 1, kind(feeds.ItemModel), owns(feeds.KeyHF, "x/b"), weights("https://huggingface.co/x/b", "other", feeds.Restricted))
		ingest(t, db, paper, model)
		old := oneWork(t, db, "x/b")
		relicensed := model
		relicensed.Tags = feeds.Tags{}
		weights("https://huggingface.co/x/b", "MIT", feeds.OpenWeights)(&relicensed)
		if done := ingest(t, db, relicensed); done.Changes != 1 || done.Edited != 1 {
			t.Errorf("a new license: %+v, want one change of one edited item", done)
		}
		if err := db.Correct(t.Context(), digest.Correction{Work: old.ID, Field: "country", Value: "FR", Because: "https://x.example", By: "ada", At: t0}); err != nil {
			t.Fatal(err)
		}
		if got := groups(t, db); got != "model | paper" {
			t.Fatalf("works %s, want two", got)
		}
		bridge := entry("feed:https://x.example/rss", "post", "C", 2, claims(feeds.KeyArXiv, "2603.00001"), claims(feeds.KeyHF, "x/b"))
		if done := ingest(t, db, bridge); done.Merged != 1 || done.Joined != 1 {
			t.Errorf("the bridge: %+v, want one joined and one merged", done)
		}
		if got := groups(t, db); got != "model paper post" {
			t.Errorf("works %s, want one", got)
		}
		w, err := db.Work(t.Context(), old.ID)
		if err != nil {
			t.Fatal(err)
		}
		if w.ID == old.ID || !w.Corrected || !slices.Equal(w.Countries, []feeds.Country{"FR"}) {
			t.Errorf("the old name leads to %s with countries %v", w.ID, w.Countries)
		}
		events, err := db.Events(t.Context(), old.ID)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []digest.EventKind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		for _, k := range []digest.EventKind{digest.EventRelicensed, digest.EventCorrected, digest.EventAppeared, digest.EventMerged} {
			if !slices.Contains(kinds, k) {
				t.Errorf("the history %v has no %q", kinds, k)
			}
		}
		for _, pl := range w.Places {
			if (pl.Rule == "") != (pl.Item == paper.Item.ID) {
				t.Errorf("item %s of %s joined by rule %q: only the paper began the work", pl.Item, pl.Source, pl.Rule)
			}
		}
		audit(t, db)
	})
}

// An edit can prove what the first version did not.
func TestEditedItemMerges(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		paper := entry("arxiv:cs.CL", "paper", "A", 0, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00001"), version(1))
		model := entry("hf:x", "model", "B", 1, kind(feeds.ItemModel), owns(feeds.KeyHF, "x/b"))
		other := entry("arxiv:cs.CL", "other", "O", 2, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00002"))
		ingest(t, db, paper, model, other)
		model.Item.Keys = append(model.Item.Keys, feeds.Key{Scheme: feeds.KeyArXiv, Value: "2603.00001", Claim: true})
		if done := ingest(t, db, model); done.Merged != 1 {
			t.Errorf("%+v, want one merged", done)
		}
		if got := groups(t, db); got != "model paper | other" {
			t.Errorf("works %s", got)
		}
		// The work owns an arXiv id now: a claim to another is no proof.
		model.Item.Keys = append(model.Item.Keys, feeds.Key{Scheme: feeds.KeyArXiv, Value: "2603.00002", Claim: true})
		ingest(t, db, model)
		if got := groups(t, db); got != "model paper | other" {
			t.Errorf("works %s", got)
		}
		paper.Item.Version, paper.Item.Title = 2, "A, revised"
		if done := ingest(t, db, paper); done.Changes != 1 {
			t.Errorf("%+v, want one change: a revision", done)
		}
		w := oneWork(t, db, "2603.00001")
		if w.Title != "A, revised" || w.Version != 2 {
			t.Errorf("%q v%d, want the revised paper", w.Title, w.Version)
		}
		// A key that no item has any more finds nothing.
		model.Item.Keys = model.Item.Keys[:1]
		model.Item.Keys[0].Value = "x/renamed"
		ingest(t, db, model)
		if works, err := db.FindWork(t.Context(), "x/b"); err != nil || len(works) != 0 {
			t.Errorf("x/b still finds %d works (%v)", len(works), err)
		}
		oneWork(t, db, "x/renamed")
		audit(t, db)
	})
}

// What a person takes apart stays apart, until a person joins it.
func TestSplitAndJoin(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		research := func() []digest.Entry { // without the other paper's claim to the code
			entries := research()
			entries[5].Item.Keys = entries[5].Item.Keys[:1]
			return entries
		}
		ingest(t, db, research()...)
		w := oneWork(t, db, "2603.00001")
		item := func(guid string) feeds.ItemID {
			for _, e := range research() {
				if e.Item.GUID == guid {
					return e.Item.ID
				}
			}
			t.Fatalf("no item %s", guid)
			return ""
		}
		var ids []digest.WorkID
		for _, guid := range []string{"weights", "code"} {
			id, err := db.Split(ctx, w.ID, item(guid), "ada", "another seed")
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		// The code belongs with the weights, by the code's own word.
		if ids[0] != ids[1] {
			t.Errorf("taken out one by one, code and weights became %v, want one work", ids)
		}
		const apart = "code weights | crosslist paper post | news rain | otherpaper"
		if got := groups(t, db); got != apart {
			t.Errorf("after the split:\n got %s\nwant %s", got, apart)
		}
		audit(t, db)
		// The same items come again, edited; and a new one that claims both.
		edited := research()
		for i := range edited {
			edited[i].Item.Summary = "edited"
		}
		ingest(t, db, edited...)
		ingest(t, db, entry("feed:https://z.example/rss", "zbridge", "Z", 50, claims(feeds.KeyArXiv, "2603.00001"), claims(feeds.KeyHF, "seed/seed-7b")))
		if got := strings.ReplaceAll(groups(t, db), " zbridge", ""); got != apart {
			t.Errorf("after new items:\n got %s\nwant %s", got, apart)
		}
		if _, err := db.Join(ctx, ids[0], w.ID, "bob", "the same seed"); err != nil {
			t.Fatal(err)
		}
		if got := groups(t, db); got != "code crosslist paper post weights zbridge | news rain | otherpaper" {
			t.Errorf("after the join: %s", got)
		}
		if got, err := db.Work(ctx, ids[0]); err != nil || got.ID != w.ID {
			t.Errorf("Work(%s) = %s, %v, want %s, the older", ids[0], got.ID, err, w.ID)
		}
		audit(t, db)

		if _, err := db.Split(ctx, w.ID, "nothing", "ada", ""); !isNotFound(err) {
			t.Errorf("Split of an unknown item: %v", err)
		}
		lone := oneWork(t, db, "2603.00002")
		if _, err := db.Split(ctx, lone.ID, lone.Places[0].Item, "ada", ""); err == nil || !strings.Contains(err.Error(), "only item") {
			t.Errorf("Split of the only item: %v", err)
		}
		if _, err := db.Join(ctx, w.ID, ids[0], "ada", ""); err == nil || !strings.Contains(err.Error(), "one already") {
			t.Errorf("Join of one work with itself: %v", err)
		}
	})
}

// Nothing changes when the same is stored again, whatever the order and the batch.
func TestSameAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		entries := world(300, 5)
		ingest(t, db, entries...)
		before, err := db.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		works := jsonOf(t, everyWork(t, db))
		slices.Reverse(entries)
		for i := range entries {
			entries[i].Item.Seen = entries[i].Item.Seen.Add(time.Hour) // seen again is no news
		}
		for part := range slices.Chunk(entries, 70) {
			if done := ingest(t, db, part...); done != (digest.Ingested{}) {
				t.Errorf("the same again: %+v, want nothing", done)
			}
		}
		after, err := db.Stats(t.Context())
		if err != nil || after != before {
			t.Errorf("counts went from %+v to %+v (%v)", before, after, err)
		}
		if got := jsonOf(t, everyWork(t, db)); got != works {
			t.Error("works read differently")
		}
		// One entry, twice in one batch, the second time edited.
		e := entry("feed:https://twice.example", "twice", "First wording", 1)
		f := e
		f.Item.Title = "Second wording"
		if done := ingest(t, db, e, f, f); done.Items != 2 || done.Edited != 1 || done.Works != 1 {
			t.Errorf("twice in one batch: %+v", done)
		}
		audit(t, db)
	})
}

// Two programs that store the same at the same time make one work of it.
func TestConcurrentIngest(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		a, b := p.open(t), p.open(t)
		errs := make(chan error, 2)
		for _, db := range []*DB{a, b} {
			go func() {
				for _, part := range chunks(research(), 3) {
					if _, err := db.Ingest(context.Background(), arrival(part...)); err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		if got := groups(t, a); got != "code crosslist paper post weights | news rain | otherpaper" {
			t.Errorf("works %s", got)
		}
		audit(t, b)
	})
}

func chunks(es []digest.Entry, n int) [][]digest.Entry { return slices.Collect(slices.Chunk(es, n)) }

// A feed is a stranger's text: what no column takes must not stop a batch.
func TestHostileText(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		bad := "a\x00b\xff\xfe'\";--\u202e" + strings.Repeat("é", 3)
		long := "https://long.example/" + strings.Repeat("0123456789abcdef", 600)
		var entries []digest.Entry
		for i, o := range [][]opt{
			{owns(feeds.KeyURL, bad), claims(feeds.KeyGitHub, bad)},
			{owns(feeds.KeyURL, long), category(bad, "")},
			{owns(feeds.KeyURL, long+"x"), by(bad, "XX"), weights(bad, bad, feeds.Restricted)},
			{owns(feeds.KeyArXiv, "")},
		} {
			e := entry("feed:https://bad.example/\x00", fmt.Sprint(i, bad), bad, i, append(o, summary(bad))...)
			entries = append(entries, e)
		}
		ingest(t, db, entries...)
		if got := len(everyWork(t, db)); got != len(entries) {
			t.Errorf("%d works, want %d", got, len(entries))
		}
		for _, text := range []string{bad, long, "'", "%", "_", "w%", "\x00", "", "wwwwwwwwwwww", "https://", "10.1/x"} {
			if _, err := db.FindWork(t.Context(), text); err != nil {
				t.Errorf("FindWork(%q): %v", text, err)
			}
		}
		if w := oneWork(t, db, long); w.Places[0].Item != entries[1].Item.ID {
			t.Errorf("a long URL found %s", w.Title)
		}
		audit(t, db)
		if _, err := db.Ingest(t.Context(), arrival(digest.Entry{})); err == nil || !strings.Contains(err.Error(), "no id") {
			t.Errorf("an item without an id: %v", err)
		}
	})
}
