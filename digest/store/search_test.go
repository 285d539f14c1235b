package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// What an index finds is what the query matches, work by work, newest first, on
// every page, on both engines.
func TestSearch(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		entries := world(900, 9)
		for part := range slices.Chunk(entries, 300) {
			ingest(t, db, part...)
		}
		// An item that comes again under another date and other words moves in the index.
		for i := range 40 {
			entries[i].Item.Title = "Moved " + entries[i].Item.Title
			entries[i].Item.Published = entries[i].Item.Published.Add(200 * time.Hour)
		}
		ingest(t, db, entries[:40]...)
		ingest(t, db,
			entry("feed:https://zh.example", "zh", "深度求索 发布 新模型", 1, summary("日本語のモデル")),
			entry("feed:https://fr.example", "fr", "Étude des modèles à l'École Polytechnique", 2),
			entry("feed:https://x.example", "x", "x-ray of xall: test-time compute", 3, summary("compute at test time, in time")),
		)
		all := everyWork(t, db)
		a, b, c := word(1), word(5), word(40)
		found := 0
		for _, text := range []string{
			"", a, b, c, word(3000), "nosuchword",
			a + " " + b, a + " OR " + c, a + " -" + b, "-" + a, "(" + a + " OR " + b + ") -" + c, "-(" + a + " " + b + ")",
			`"` + a + " " + b + `"`, `"` + a + " " + a + `"`, `-"` + a + " " + b + `"`,
			a[:2] + "*", a[:3] + "*", word(100)[:4] + "*", word(3000)[:4] + "*", "moved", "moved " + a,
			a + " " + c[:2] + "*", "country:CN " + a[:2] + "*", "-" + a[:2] + "*", "-" + word(3000)[:4] + "*", word(100)[:4] + "* OR " + word(3000)[:4] + "*", "since:2026-03-02 " + c[:2] + "*", "modèl*",
			"country:CN", "country:CN,FR", "-country:CN", "country:XX", "country:CN " + a,
			"lab:qwen", "lab:qwen -kind:paper", "kind:model openness:open-weights", "openness>=open-weights", "openness<restricted",
			"kind:paper category:cs.CL", "category:cs", "source:arxiv", "has:weights", "license:MIT", "has:weights -license:MIT",
			"since:2026-03-02", "before:2026-03-03", "since:2026-03-02 before:2026-03-03 country:US", "since:2026-03-03 OR " + c,
			"深度求索", "模型", "モデル", "étude", "etude", "polytechnique", `"test-time compute"`, "test-time", "x-ray", "xall",
		} {
			q, err := query.Parse(text, query.Names{}, t0)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			var want, got []string
			for _, w := range all {
				if q.Match(digest.SubjectOf(w)) {
					want = append(want, string(w.ID))
				}
			}
			page := Page{Limit: 7}
			for {
				res, err := db.Search(t.Context(), q, page)
				if err != nil {
					t.Errorf("%s: %v", text, err)
					break
				}
				if len(res.Works) > page.Limit || len(res.Works) == 0 && res.More != "" && len(all) < maxCandidates {
					t.Errorf("%s: a page of %d works and More %q", text, len(res.Works), res.More)
				}
				for _, w := range res.Works {
					got = append(got, string(w.ID))
				}
				if page.After = res.More; res.More == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q found %d works, want %d", text, len(got), len(want))
			}
			found += len(got)
		}
		if found < 3000 {
			t.Errorf("only %d works found: the queries test nothing", found)
		}
		if !slices.IsSortedFunc(all, func(a, b digest.Work) int {
			return b.First.Truncate(time.Millisecond).Compare(a.First.Truncate(time.Millisecond))
		}) {
			t.Error("works are not in the order of time, newest first")
		}
		for _, after := range []string{"!", "-1", strings.Repeat("z", 30)} {
			if _, err := db.Search(t.Context(), query.Query{}, Page{After: after}); err == nil {
				t.Errorf("a page after %q: no error", after)
			}
		}
		audit(t, db)
	})
}

// The engines write one plan each in their own language.
func TestMatchExpression(t *testing.T) {
	a, b, p := query.Term{Text: "a"}, query.Term{Text: "b"}, query.Term{Text: "p", Prefix: true}
	for _, c := range []struct {
		expr             query.Expr
		sqlite, postgres string
	}{
		{a, `"a"`, `'a'`},
		{p, `"p"*`, `'p':*`},
		{query.All{a, b}, `(("a" AND "b"))`, `(('a' & 'b'))`},
		{query.Any{a, query.All{b, p}}, `("a" OR (("b" AND "p"*)))`, `('a' | (('b' & 'p':*)))`},
		{query.All{a, query.None{Part: b}, query.None{Part: p}}, `(("a") NOT ("b" OR "p"*))`, `(('a') & !('b' | 'p':*))`},
		{query.None{Part: a}, `(("xall") NOT ("a"))`, `(('xall') & !('a'))`},
		{query.Term{Text: `it's "\`}, `"it's ""\"`, `'it''s "\\'`},
	} {
		if got := (sqlite{}).match(c.expr); got != c.sqlite {
			t.Errorf("SQLite: %s, want %s", got, c.sqlite)
		}
		if got := (postgres{}).match(c.expr); got != c.postgres {
			t.Errorf("PostgreSQL: %s, want %s", got, c.postgres)
		}
	}
}

// A digest is made of what became public in its period and of what was relicensed
// in it, however old that is.
func TestWorksIn(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		model := entry("hf:x", "old", "Old model", -500, kind(feeds.ItemModel), owns(feeds.KeyHF, "x/old"), weights("https://huggingface.co/x/old", "other", feeds.Restricted), by("x", "FR"))
		ingest(t, db, model,
			entry("feed:https://a.example", "before", "Before", -1), entry("feed:https://a.example", "first", "At the beginning", 0),
			entry("feed:https://a.example", "last", "Just before the end", 24), entry("feed:https://a.example", "end", "At the end", 25),
		)
		model.Tags = feeds.Tags{}
		by("x", "FR")(&model)
		weights("https://huggingface.co/x/old", "Apache-2.0", feeds.OpenWeights)(&model)
		if _, err := db.Ingest(t.Context(), []digest.Arrival{{Entries: []digest.Entry{model}, At: t0.Add(3 * time.Hour)}}); err != nil {
			t.Fatal(err)
		}
		period := digest.Period{From: t0, To: t0.Add(25 * time.Hour)}
		for _, c := range []struct{ query, want string }{
			{"", "Just before the end, At the beginning, Old model"},
			{"country:FR", "Old model"},
			{"openness:restricted", ""},
			{"before", "Just before the end"},
			{"since:2026-03-03", "Just before the end"},
			{"before:2026-03-03", "At the beginning, Old model"},
		} {
			works, err := db.WorksIn(t.Context(), period, parse(t, c.query))
			if err != nil {
				t.Fatal(err)
			}
			var titles []string
			for _, w := range works {
				titles = append(titles, w.Title)
			}
			if got := strings.Join(titles, ", "); got != c.want {
				t.Errorf("%q: %s, want %s", c.query, got, c.want)
			}
		}
		// To the nanosecond: a period that ends within a millisecond.
		period.To = t0.Add(24*time.Hour + time.Microsecond)
		if works, err := db.WorksIn(t.Context(), period, query.Query{}); err != nil || len(works) != 3 {
			t.Errorf("%d works (%v), want 3", len(works), err)
		}
	})
}

// Counting the thin rows is counting the works.
func TestTally(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ingest(t, db, world(2500, 11)...)
		period := digest.Period{From: t0.Add(time.Hour), To: t0.Add(2200 * time.Minute)}
		works, err := db.WorksIn(t.Context(), period, query.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var thin []digest.Work
		if err := db.Tally(t.Context(), period, func(w digest.Work) bool { thin = append(thin, w); return true }); err != nil {
			t.Fatal(err)
		}
		if len(works) < 1000 || len(works) != len(thin) {
			t.Fatalf("%d thin works of %d", len(thin), len(works))
		}
		for _, how := range []digest.Counting{{Rule: digest.RuleShare, View: feeds.ViewHome}, {Rule: digest.RuleLead, View: feeds.ViewControl, Companies: true}} {
			if got, want := jsonOf(t, digest.Count(thin, how)), jsonOf(t, digest.Count(works, how)); got != want {
				t.Errorf("%v:\n got %s\nwant %s", how, got, want)
			}
		}
		all := 0
		err = db.Tally(t.Context(), digest.Period{}, func(digest.Work) bool { all++; return all < 2300 })
		if err != nil || all != 2300 {
			t.Errorf("%d works of all time before the caller stopped (%v), want 2300", all, err)
		}
	})
}

// FindWork takes what people have at hand.
func TestFindWork(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		const title = "Growing seeds with very little water"
		key, _ := feeds.TitleKey(title)
		ingest(t, db,
			entry("arxiv:cs.CL", "paper", title, 0, kind(feeds.ItemPaper), owns(feeds.KeyArXiv, "2603.00001"), owns(feeds.KeyTitle, key), owns(feeds.KeyDOI, "10.5555/seed.1")),
			entry("feed:https://claims.example", "claims", "About seeds", 9000, claims(feeds.KeyArXiv, "2603.00001"), owns(feeds.KeyURL, "https://claims.example/seeds")),
			entry("gh:x", "repo", "x/seeds", 5, kind(feeds.ItemRepo), owns(feeds.KeyGitHub, "x/seeds")),
		)
		paper := everyWork(t, db)[2]
		for _, text := range []string{
			string(paper.ID), strings.ToUpper(string(paper.ID)), " " + string(paper.ID)[:7], "10.5555/SEED.1", "https://doi.org/10.5555/seed.1", strings.ToUpper(title),
		} {
			if w := oneWork(t, db, text); w.ID != paper.ID {
				t.Errorf("FindWork(%q) = %q", text, w.Title)
			}
		}
		// The paper before the one that speaks of it.
		for _, text := range []string{"2603.00001", "arXiv:2603.00001v3", "https://arxiv.org/abs/2603.00001", "https://huggingface.co/papers/2603.00001"} {
			works, err := db.FindWork(t.Context(), text)
			if err != nil || len(works) != 2 || works[0].ID != paper.ID {
				t.Errorf("FindWork(%q) = %d works (%v), want the paper first of two", text, len(works), err)
			}
		}
		for _, text := range []string{"x/seeds", "github.com/X/seeds", "https://github.com/x/seeds.git"} {
			if w := oneWork(t, db, text); w.Title != "x/seeds" {
				t.Errorf("FindWork(%q) = %q", text, w.Title)
			}
		}
		if w := oneWork(t, db, "http://www.claims.example/seeds/?utm_source=x#top"); w.Title != "About seeds" {
			t.Errorf("by URL: %q", w.Title)
		}
		if works, err := db.FindWork(t.Context(), "nothing of the kind"); err != nil || len(works) != 0 {
			t.Errorf("%d works of nothing (%v)", len(works), err)
		}
		if w, err := db.WorkByKey(t.Context(), feeds.Key{Scheme: feeds.KeyGitHub, Value: "x/seeds"}); err != nil || w.Title != "x/seeds" {
			t.Errorf("WorkByKey: %q, %v", w.Title, err)
		}
		if _, err := db.WorkByKey(t.Context(), feeds.Key{Scheme: feeds.KeyGitHub, Value: "x/none"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("WorkByKey of nothing: %v", err)
		}
		if _, err := db.Work(t.Context(), "wnone"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Work of nothing: %v", err)
		}
		if _, err := db.Entries(t.Context(), "wnone"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Entries of nothing: %v", err)
		}
		e, work, err := db.Item(t.Context(), paper.Places[0].Item)
		if err != nil || work != paper.ID || e.Item.GUID != "paper" {
			t.Errorf("Item = %s of %s, %v", e.Item.GUID, work, err)
		}
		if _, _, err := db.Item(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Item of nothing: %v", err)
		}
	})
}

// A correction wins over the rules, through edits and new tags, until it is taken back.
func TestCorrections(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		e := entry("feed:https://a.example", "a", "A model", 0, by("acme", "US"), summary("first"))
		ingest(t, db, e)
		id := everyWork(t, db)[0].ID
		say := func(field, value string) {
			t.Helper()
			if err := db.Correct(ctx, digest.Correction{Work: id, Field: field, Value: value, Because: "https://a.example/about", By: "ada", At: t0}); err != nil {
				t.Fatal(err)
			}
		}
		finds := func(text string, want int) {
			t.Helper()
			res, err := db.Search(ctx, parse(t, text), Page{})
			if err != nil || len(res.Works) != want {
				t.Errorf("%s found %d (%v), want %d", text, len(res.Works), err, want)
			}
		}
		finds("country:US", 1)
		say("country", "FR")
		finds("country:US", 0)
		finds("country:FR", 1)
		e.Item.Summary = "second"
		ingest(t, db, e)
		finds("country:FR second", 1)

		items := 0
		changes, err := db.Retag(ctx, func(it feeds.Item) feeds.Tags {
			again := digest.Entry{Item: it}
			by("acme", "JP")(&again)
			weights("https://a.example/w", "MIT", feeds.OpenWeights)(&again)
			return again.Tags
		}, func() { items++ })
		if err != nil || items != 1 || len(changes) != 1 {
			t.Fatalf("Retag: %d items, %d changes, %v", items, len(changes), err)
		}
		if got := changes[0].String(); !strings.Contains(got, "openness: unknown → open-weights") || strings.Contains(got, "country") {
			t.Errorf("Retag changed %s; the country was corrected and stays", got)
		}
		finds("country:FR openness:open-weights", 1)
		say("country", "")
		finds("country:FR", 0)
		finds("country:JP", 1)
		list, err := db.Corrections(ctx, id)
		if err != nil || len(list) != 2 || list[0].Value != "FR" || list[1].ID <= list[0].ID || !list[0].At.Equal(t0) {
			t.Errorf("Corrections = %+v, %v", list, err)
		}
		if n, err := db.CountItems(ctx); err != nil || n != 1 {
			t.Errorf("CountItems = %d, %v", n, err)
		}
		audit(t, db)
		if err := db.Correct(ctx, digest.Correction{Work: id, Field: "title"}); err == nil || !strings.Contains(err.Error(), "title") {
			t.Errorf("a field that can't be corrected: %v", err)
		}
		if err := db.Correct(ctx, digest.Correction{Work: "wnone", Field: "country"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a work that is not there: %v", err)
		}
		// Tagging again with nothing new changes nothing, except what an older program
		// folded by other rules.
		before := everyWork(t, db)
		for _, text := range []string{"UPDATE works SET body = body", "UPDATE works SET body = REPLACE(body, 'A model', 'An odd model')"} {
			if _, err := db.Pool().Exec(text); err != nil {
				t.Fatal(err)
			}
			changes, err = db.Retag(ctx, func(it feeds.Item) feeds.Tags {
				tagged, _, err := db.Item(context.Background(), it.ID)
				if err != nil {
					t.Error(err)
				}
				return tagged.Tags
			}, func() {})
			if err != nil || len(changes) != 0 {
				t.Errorf("Retag with the same tags: %v, %v", changes, err)
			}
			if diff := cmp.Diff(before, everyWork(t, db)); diff != "" {
				t.Errorf("after %s and Retag (-want +got):\n%s", text, diff)
			}
			audit(t, db)
		}
	})
}
