package main

import (
	"cmp"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/store/plenty"
	"seedcorn/feeds"
)

var (
	benchChannels = flag.Int("channels", 10_000, "channels that have a digest due")
	benchQueries  = flag.Int("queries", 500, "distinct queries that they ask")
)

// BenchmarkComposeRush measures what it takes to compose the digests of -channels
// channels that are due at once, half of them on each platform, of -queries queries,
// from a store of -works works, and to store them with their messages: the jobs of one
// process, without posting. MB-digests is by how much the database grows.
//
//	go test ./cmd/seedcorn -run - -bench ComposeRush -benchtime 1x -works 30000
func BenchmarkComposeRush(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				composeRush(b, engine)
				b.StartTimer()
			}
		})
	}
}

func composeRush(b *testing.B, engine string) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	cfg := demoConfig("http://127.0.0.1:1", filepath.Join(b.TempDir(), "bench.db"))
	if engine == "postgres" {
		cfg.DatabaseURL = emptySchema(b)
	}
	cfg.Web, cfg.WebURL = "public", "https://digests.example"
	cfg.SlackBotToken, cfg.SlackAppToken, cfg.SlackURL, cfg.SlackCharts = "xoxb-bench", "xapp-bench", "http://127.0.0.1:1", "auto"
	cfg.DiscordToken, cfg.DiscordApplication, cfg.DiscordURL, cfg.DiscordCharts = "bench", "1", "http://127.0.0.1:1", "picture"
	a, w := plentifulIn(b, cfg)
	platforms, err := a.platforms(w, bot.NewRouter(desk{w, a.now}, w.log))
	if err != nil {
		b.Fatal(err)
	}
	now := a.now()
	// A source that has answered: without one, nothing new is no digest.
	src := feeds.Source{ID: "feed:https://mistral.example/1", Kind: feeds.KindFeed, URL: "https://mistral.example/1"}
	if err := w.db.PutSources(ctx, []feeds.Source{src}); err != nil {
		b.Fatal(err)
	}
	if err := w.db.Looked(ctx, []digest.Visit{{Source: src.ID, At: now.Add(-time.Minute), Unchanged: true}}); err != nil {
		b.Fatal(err)
	}
	ask, distinct := plenty.Questions(5), map[string]bool{}
	var queries []string
	for len(queries) < *benchQueries {
		if q := ask(); !distinct[q] {
			distinct[q] = true
			queries = append(queries, q)
		}
	}
	for i := range *benchChannels {
		sub, err := w.newSubscription(queries[i%len(queries)], "weekly", "UTC", now)
		if err != nil {
			b.Fatal(err)
		}
		sub.ID = digest.SubscriptionID(fmt.Sprintf("s%d", i))
		sub.Destination = digest.Destination{Platform: [...]string{"slack", "discord"}[i/100%2], Workspace: fmt.Sprintf("W%d", i/100), Channel: fmt.Sprintf("C%d", i)}
		sub.Cursor, sub.Created, sub.Next = sub.Cursor.AddDate(0, 0, -7), sub.Created.AddDate(0, 0, -7), now
		if err := w.db.PutSubscription(ctx, sub); err != nil {
			b.Fatal(err)
		}
	}
	size := func() float64 {
		v, err := w.db.Vitals(ctx)
		if err != nil {
			b.Fatal(err)
		}
		return float64(v.Bytes) / 1e6
	}
	has, err := parseRoles([]string{"compose"})
	if err != nil {
		b.Fatal(err)
	}
	e, err := a.engine(ctx, w, platforms, has)
	if err != nil {
		b.Fatal(err)
	}
	before := size()
	done := make(chan error)
	b.StartTimer()
	began := time.Now()
	go func() { done <- e.Run(ctx) }()
	for {
		n := 0
		if err := w.db.Pool().QueryRowContext(ctx, "SELECT COUNT(*) FROM digests").Scan(&n); err != nil {
			b.Fatal(err)
		}
		if n == *benchChannels {
			break
		}
		if time.Since(began) > 20*time.Minute {
			b.Fatalf("%d digests after 20 minutes", n)
		}
		time.Sleep(20 * time.Millisecond) // the jobs are another goroutine's, and tell nobody
	}
	took := time.Since(began)
	b.StopTimer()
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(float64(*benchChannels)/took.Seconds(), "digests/s")
	b.ReportMetric(size()-before, "MB-digests")
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}

// emptySchema is where a database of its own is on the PostgreSQL of tests.
func emptySchema(b *testing.B) string {
	b.Helper()
	location := os.Getenv("SEEDCORN_TEST_POSTGRES")
	if location == "" {
		b.Skip("SEEDCORN_TEST_POSTGRES is not set")
	}
	admin, err := sql.Open("pgx", location)
	if err != nil {
		b.Fatal(err)
	}
	schema := fmt.Sprintf("seedcorn_bench_%d_%d", os.Getpid(), time.Now().UnixNano())
	_, err = admin.Exec("CREATE SCHEMA " + schema)
	b.Cleanup(func() {
		_, drop := admin.Exec("DROP SCHEMA IF EXISTS " + schema + " CASCADE")
		if fault := cmp.Or(drop, admin.Close()); fault != nil {
			b.Error(fault)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	u, err := url.Parse(location)
	if err != nil {
		b.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
