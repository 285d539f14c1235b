package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/slack"
	"seedcorn/digest"
	"seedcorn/digest/query"
	"seedcorn/feeds"
)

// BenchmarkAck sends two hundred signed commands a second over loopback to the program
// with 100,000 works in SQLite, and reports how long the acknowledgments take: Slack
// waits three seconds. First come commands of every kind that looks something up, then
// among them one in fifty that composes a digest or counts a month. An empty
// acknowledgment is followed up by an answer that took longer.
//
//	go test ./cmd/seedcorn -run - -bench Ack -benchtime 6000x
func BenchmarkAck(b *testing.B) {
	const feedsOf65 = 1540
	g := newGarden(feedsOf65)
	garden := httptest.NewServer(g)
	defer garden.Close()
	f := newSlackFake(b)
	f.set("xoxb-fixed-token", "T1")
	cfg, err := loadConfig([]string{
		prefix + "DATABASE_URL=sqlite:" + filepath.Join(b.TempDir(), "ack.db"), prefix + "SLACK_URL=" + f.URL + "/api/", prefix + "ALLOW_PRIVATE_NETWORKS=true",
		prefix + "SLACK_BOT_TOKEN=xoxb-fixed-token", prefix + "SLACK_SIGNING_SECRET=" + signing,
	})
	if err != nil {
		b.Fatal(err)
	}
	e := newSlackEnd(b, cfg)
	e.a.now = func() time.Time { return g.now }
	var sources []feeds.Source
	for i := range feedsOf65 {
		u := fmt.Sprintf("%s/%d", garden.URL, i)
		sources = append(sources, feeds.Source{ID: feeds.SourceID("feed:" + u), Kind: feeds.KindFeed, URL: u, Title: fmt.Sprintf("Garden %d", i)})
	}
	if err := e.w.db.PutSources(b.Context(), sources); err != nil {
		b.Fatal(err)
	}
	if round, err := e.w.pullAll(b.Context(), sources, func(string) {}); err != nil || round.Works < 95_000 {
		b.Fatal(round.Works, err)
	}
	found, _, err := desk{e.w, e.a.now}.Search(b.Context(), mustQuery(b, e.w, "model"), 50, "")
	if err != nil || len(found) < 50 {
		b.Fatal(len(found), err)
	}
	lines := []string{
		"search reasoning agents", "search \"language model\" openness>=open-weights", "search country:FR", "search benchmark -robot kind:paper", "lab DeepSeek",
		"country France", "license MIT", "topics", "sources", "subscriptions", "help", "saved", "settings", "serach slip",
	}
	ids := make([]string, len(found))
	for i, w := range found {
		ids[i] = string(w.ID)
	}
	b.Run("look-ups", func(b *testing.B) { measureAcks(b, e, lines, nil, ids) })
	b.Run("with-digests", func(b *testing.B) {
		measureAcks(b, e, lines, []string{"latest", "balance", "preview reasoning"}, ids)
	})
}

func measureAcks(b *testing.B, e *slackEnd, lines, slow, ids []string) {
	server := httptest.NewServer(e.http)
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	var mu sync.Mutex
	var wg sync.WaitGroup
	var took []time.Duration
	var empty atomic.Int64
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	i := int(time.Now().UnixNano() % 1e9) // no request is a repeated one
	for b.Loop() {
		<-tick.C
		i++
		line := lines[i%len(lines)]
		if i%3 == 0 { // the most frequent look-ups are of one work
			line = []string{"work ", "why ", "can-we-use "}[i/3%3] + ids[i%len(ids)]
		}
		if len(slow) > 0 && i%50 == 0 {
			line = slow[i/50%len(slow)]
		}
		body := url.Values{
			"command": {"/digest"}, "text": {line}, "team_id": {"T1"}, "channel_id": {fmt.Sprintf("C%d", i%50)}, "user_id": {fmt.Sprintf("U%d", i%500)}, "user_name": {"ada"},
			"trigger_id": {fmt.Sprint(i)},
		}.Encode()
		req := signedTo(b, server.URL+"/slack/commands", body)
		wg.Go(func() {
			began := time.Now()
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			said, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Errorf("%s: %d %v", line, resp.StatusCode, err)
			}
			if len(said) == 0 {
				empty.Add(1)
			}
			if strings.Contains(string(said), "wrong on our side") {
				b.Errorf("%s: %s", line, said)
			}
			mu.Lock()
			took = append(took, time.Since(began))
			mu.Unlock()
		})
	}
	wg.Wait()
	if err := e.s.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
	b.ReportMetric(float64(empty.Load()), "followed-up")
}

// BenchmarkDigestToMessages composes a week of the garden's works from the database,
// and renders it for Slack.
//
//	go test ./cmd/seedcorn -run - -bench DigestToMessages
func BenchmarkDigestToMessages(b *testing.B) {
	g := newGarden(200)
	garden := httptest.NewServer(g)
	defer garden.Close()
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: func() time.Time { return g.now }}
	w, err := a.openWith(b.Context(), demoConfig(garden.URL, filepath.Join(b.TempDir(), "digest.db")))
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	var sources []feeds.Source
	for i := range 200 {
		u := fmt.Sprintf("%s/%d", garden.URL, i)
		sources = append(sources, feeds.Source{ID: feeds.SourceID("feed:" + u), Kind: feeds.KindFeed, URL: u, Title: fmt.Sprintf("Garden %d", i)})
	}
	if err := w.db.PutSources(b.Context(), sources); err != nil {
		b.Fatal(err)
	}
	if _, err := w.pullAll(b.Context(), sources, func(string) {}); err != nil {
		b.Fatal(err)
	}
	s, err := slack.New(slack.Options{Tokens: slack.OneToken("xoxb-1"), Parse: bot.NewRouter(desk{w, a.now}, w.log).Parse})
	if err != nil {
		b.Fatal(err)
	}
	p := digest.Period{From: g.now.AddDate(0, 0, -7), To: g.now}
	compose := func() digest.Digest {
		d, err := w.compose(b.Context(), "This week in open research", "", p, digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}, g.now)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	d := compose()
	b.Run("compose", func(b *testing.B) {
		for b.Loop() {
			compose()
		}
		b.ReportMetric(float64(d.Numbers.Works), "works")
	})
	b.Run("render", func(b *testing.B) {
		n := 0
		for b.Loop() {
			parts, err := s.Render(bot.Digest(d))
			if err != nil {
				b.Fatal(err)
			}
			n = len(parts)
		}
		b.ReportMetric(float64(n), "messages")
	})
}

func mustQuery(t testing.TB, w *world, text string) query.Query {
	t.Helper()
	q, err := w.parse(t.Context(), text, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return q
}
