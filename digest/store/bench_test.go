package store

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/digest/store/plenty"
)

// Benchmarks say what an operation costs; none of them judges. The large ones build
// a database of -works works first, which takes a minute or so for each 200,000;
// with -keep DIR it is built once and found again there.
var (
	benchWorks = flag.Int("works", 100_000, "works in the database that searches are measured on")
	benchKeep  = flag.String("keep", "", "folder in which that database is kept (SQLite only)")
)

const batch = 2000 // entries, as package jobs gathers them

// BenchmarkIngest stores new items in batches, and the same again.
func BenchmarkIngest(b *testing.B) {
	for _, engine := range []func(testing.TB) place{sqlitePlace, postgresPlace} {
		p := engine(b)
		b.Run(p.name+"/new", func(b *testing.B) {
			db := engine(b).open(b)
			entries := world(b.N, 1)
			b.ResetTimer()
			for part := range slices.Chunk(entries, batch) {
				ingest(b, db, part...)
			}
		})
		b.Run(p.name+"/known", func(b *testing.B) {
			db := engine(b).open(b)
			entries := world(20_000, 1)
			for part := range slices.Chunk(entries, batch) {
				ingest(b, db, part...)
			}
			b.ResetTimer()
			for n := 0; n < b.N; n += batch {
				at := n % len(entries)
				ingest(b, db, entries[at:min(at+batch, at+b.N-n)]...)
			}
		})
	}
}

// kept is where -keep says that a place is.
func kept(b *testing.B, p place) place {
	b.Helper()
	if *benchKeep != "" && p.name == "sqlite" {
		if err := os.MkdirAll(*benchKeep, 0o700); err != nil {
			b.Fatal(err)
		}
		p.location = fmt.Sprintf("sqlite:%s/works-%d.db", *benchKeep, *benchWorks)
	}
	return p
}

// filled opens a database of -works works.
func filled(b *testing.B, p place) *DB {
	b.Helper()
	db := kept(b, p).open(b)
	n, err := db.CountItems(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if n == 0 {
		began := time.Now()
		var part []digest.Entry
		for e := range plenty.Entries(*benchWorks, 1) {
			if part = append(part, e); len(part) == batch {
				ingest(b, db, part...)
				part = nil
			}
		}
		ingest(b, db, part...)
		b.Logf("%s: %d items stored in %v, %v each", p.name, *benchWorks, time.Since(began).Round(time.Millisecond), time.Since(began)/time.Duration(*benchWorks))
	}
	if p.name == "postgres" {
		if _, err := db.write.ExecContext(b.Context(), "VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
	return db
}

// phrases are questions that no index without positions answers: two words that
// stood side by side in an old title.
func phrases(b *testing.B, n int) []query.Query {
	written := world(n, 1)
	out := make([]query.Query, n)
	for i := range out {
		title := strings.Fields(written[i].Item.Title)
		at := i % (len(title) - 1)
		out[i] = parse(b, `"`+title[at]+" "+title[at+1]+`"`)
	}
	return out
}

// questions are what people ask: words as frequent as words are, filters, both.
func questions(b *testing.B, n int) []query.Query {
	ask := plenty.Questions(3)
	out := make([]query.Query, n)
	for i := range out {
		out[i] = parse(b, ask())
	}
	return out
}

// percentiles reports the 50th and 99th percentile of times.
func percentiles(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	at := func(p float64) float64 {
		return float64(times[min(len(times)-1, int(p*float64(len(times))))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

// BenchmarkSearch asks 2,000 mixed questions, and 200 phrases, for a page of ten.
func BenchmarkSearch(b *testing.B) {
	for _, engine := range []func(testing.TB) place{sqlitePlace, postgresPlace} {
		p := engine(b)
		b.Run(p.name, func(b *testing.B) {
			db := filled(b, p)
			for _, set := range []struct {
				name string
				qs   []query.Query
			}{{"mixed", questions(b, 2000)}, {"phrases", phrases(b, 200)}} {
				b.Run(set.name, func(b *testing.B) {
					var times []time.Duration
					for b.Loop() {
						for _, q := range set.qs {
							began := time.Now()
							if _, err := db.Search(b.Context(), q, Page{Limit: 10}); err != nil {
								b.Fatal(err)
							}
							times = append(times, time.Since(began))
						}
					}
					percentiles(b, times)
				})
			}
		})
	}
}

// BenchmarkWeek reads and composes a week.
func BenchmarkWeek(b *testing.B) {
	for _, engine := range []func(testing.TB) place{sqlitePlace, postgresPlace} {
		p := engine(b)
		b.Run(p.name, func(b *testing.B) {
			db := filled(b, p)
			// Works are a minute apart; 2,000 of them, a busy week's, take a day and a half.
			end := t0.Add(time.Duration(*benchWorks) * time.Minute)
			period := digest.Period{From: end.Add(-2000 * time.Minute), To: end}
			for _, text := range []string{"", "country:CN openness>=open-weights"} {
				q := parse(b, text)
				b.Run(strings.ReplaceAll("q="+text, " ", "+"), func(b *testing.B) {
					n := 0
					for b.Loop() {
						works, err := db.WorksIn(b.Context(), period, q)
						if err != nil {
							b.Fatal(err)
						}
						d := digest.Compose(digest.Plan{Title: "This week", Period: period}, works, end)
						n = d.Numbers.Works
					}
					b.ReportMetric(float64(n), "works")
				})
			}
		})
	}
}

// BenchmarkCount counts every work into a series with its intervals, as the page of
// the balance does: by week, and one by one.
func BenchmarkCount(b *testing.B) {
	q, err := digest.Question{Step: digest.StepCumulative}.Complete()
	if err != nil {
		b.Fatal(err)
	}
	for _, engine := range []func(testing.TB) place{sqlitePlace, postgresPlace} {
		p := engine(b)
		b.Run(p.name, func(b *testing.B) {
			db := filled(b, p)
			for _, how := range []struct {
				name  string
				count func(*digest.Counter) error
			}{
				{"weeks", func(c *digest.Counter) error {
					return db.Count(b.Context(), q.Period, func(w digest.Work, n int) bool { c.AddAlike(&w, n); return true })
				}},
				{"works", func(c *digest.Counter) error {
					return db.Tally(b.Context(), q.Period, func(w digest.Work) bool { c.Add(&w); return true })
				}},
			} {
				b.Run(how.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						c := digest.NewCounter(q)
						if err := how.count(c); err != nil {
							b.Fatal(err)
						}
						if s := c.Series(); s.Total.Works == 0 {
							b.Fatal("nothing was counted")
						}
					}
				})
			}
		})
	}
}

// BenchmarkOrganizations loads as many organizations as the Research Organization
// Registry has.
func BenchmarkOrganizations(b *testing.B) {
	db := sqlitePlace(b).open(b)
	for b.Loop() {
		if _, err := db.ReplaceOrganizations(b.Context(), labs(120_000, nil)); err != nil {
			b.Fatal(err)
		}
		if _, err := db.Organizations(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a database that is there.
func BenchmarkOpen(b *testing.B) {
	p := sqlitePlace(b)
	p.open(b)
	for b.Loop() {
		db, err := Open(context.Background(), p.location)
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
}
