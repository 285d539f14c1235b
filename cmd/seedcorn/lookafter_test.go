package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/bot/terminal"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/feeds"
)

// clockServer is a service whose clock is off by so much.
func clockServer(t *testing.T, off time.Duration, age string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		if age != "" {
			w.Header().Set("Age", age)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// aWorld is a world on a database of its own, whose log and output can be read.
func aWorld(t *testing.T, change func(*config)) (a *app, w *world, out, log *bytes.Buffer) {
	t.Helper()
	out, log = &bytes.Buffer{}, &bytes.Buffer{}
	cfg := demoConfig(clockServer(t, 0, ""), filepath.Join(t.TempDir(), "x.db"))
	cfg.LogFormat, cfg.LogLevel = "json", "info"
	if change != nil {
		change(&cfg)
	}
	a = &app{in: strings.NewReader(""), out: out, errs: log, now: time.Now}
	w, err := a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close() })
	return a, w, out, log
}

// The operator is told of a source that has been broken for a week, once, though the
// program starts again; and once more when it is over.
func TestOperatorIsToldOnce(t *testing.T) {
	a, w, out, log := aWorld(t, func(c *config) {
		c.Operator, c.HuggingFace, c.ArXivPages = terminal.Name, "http://127.0.0.1:1", "http://127.0.0.1:1"
	})
	ctx := t.Context()
	now := time.Now()
	a.now = func() time.Time { return now }
	visit := func(v digest.Visit) {
		t.Helper()
		v.Source, v.At = "feed:https://b.example/feed", now
		if err := w.db.Looked(ctx, []digest.Visit{v}); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		t.Helper()
		platforms := places{terminal.Name: a.terminal(bot.NewRouter(desk{w, a.now}, w.log).Parse)}
		if err := a.observe(ctx, w, platforms); err != nil {
			t.Fatal(err)
		}
		if _, err := w.deliveries(a, platforms).Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.db.PutSources(ctx, []feeds.Source{{ID: "feed:https://b.example/feed", Kind: feeds.KindFeed, URL: "https://b.example/feed", Title: "B"}}); err != nil {
		t.Fatal(err)
	}
	visit(digest.Visit{Unchanged: true})
	for range 7 {
		look()
		if strings.Contains(out.String(), "needs you") {
			t.Fatalf("told too early:\n%s", out)
		}
		now = now.Add(24 * time.Hour)
		visit(digest.Visit{Trouble: feeds.TroubleTimeout, Words: "it took too long"})
	}
	for range 3 {
		look()
		again, err := a.openWith(ctx, w.cfg) // as after a restart
		if err != nil {
			t.Fatal(err)
		}
		w.close()
		w = again
		t.Cleanup(func() { again.close() })
		now = now.Add(10 * time.Minute)
	}
	said := strings.Join(strings.Fields(out.String()), " ")
	if n := strings.Count(said, "B can't be read: it took too long"); n != 1 || !strings.Contains(said, "What to do: seedcorn sources check feed:https://b.example/feed") {
		t.Errorf("told %d times:\n%s", n, out)
	}
	visit(digest.Visit{Unchanged: true})
	for range 3 {
		now = now.Add(time.Hour)
		look()
	}
	if n := strings.Count(out.String(), "Seedcorn: it is over"); n != 1 {
		t.Errorf("the end was told %d times:\n%s", n, out)
	}
	if n := strings.Count(log.String(), `"state":"begun"`); n != 1 || strings.Count(log.String(), `"state":"over"`) != 1 {
		t.Errorf("the log has it %d times:\n%s", n, log)
	}
}

// A service that refuses our questions is noted until it answers.
func TestRefusingServices(t *testing.T) {
	_, w, _, _ := aWorld(t, nil)
	ctx := t.Context()
	q := jobs.Question{Service: "github"}
	for _, s := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("no such field"), 0},
		{&feeds.Trouble{Kind: feeds.TroubleDenied}, 1},
		{errors.New("no such field"), 1},
		{&feeds.Trouble{Kind: feeds.TroubleLimited}, 1},
		{nil, 0},
	} {
		w.asked(ctx, q, s.err)
		if got, err := w.db.Refusing(ctx); err != nil || len(got) != s.want {
			t.Errorf("after %v: %v (%v)", s.err, got, err)
		}
	}
}

func TestClock(t *testing.T) {
	const off = time.Hour
	for _, tt := range []struct {
		name        string
		first, then string
		ok          bool
		say         string
	}{
		{"ours is right", clockServer(t, 0, ""), clockServer(t, off, ""), true, "from that of 127.0.0.1"},
		{"ours is behind", clockServer(t, off, ""), clockServer(t, off, ""), false, "from that of 127.0.0.1"},
		{"ours is ahead", clockServer(t, -off, ""), clockServer(t, -off, ""), false, ""},
		{"one of theirs is off", clockServer(t, off, ""), clockServer(t, 0, ""), true, ""},
		{"an answer from a cache", clockServer(t, -off, "3600"), clockServer(t, -off, "3600"), true, ""},
		{"nobody answers", "http://127.0.0.1:1", "http://127.0.0.1:1", true, "it can't be compared"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, w, _, _ := aWorld(t, func(c *config) { c.HuggingFace, c.ArXivPages = tt.first, tt.then })
			var found []finding
			for _, f := range a.diagnoseSelf(t.Context(), w) {
				if f.what == "clock" {
					found = append(found, f)
				}
			}
			if len(found) != 1 || found[0].ok != tt.ok || !strings.Contains(found[0].say, tt.say) || found[0].ok == (found[0].hint != "") {
				t.Errorf("%+v", found)
			}
		})
	}
}

// A refusing platform refuses every post.
type refusing struct{ err error }

func (refusing) Name() string                                { return terminal.Name }
func (refusing) Render(message.Document) ([]bot.Part, error) { return nil, nil }
func (refusing) Run(context.Context, bot.Handler) error      { return nil }
func (r refusing) Post(context.Context, digest.Destination, bot.DeliveryID, bot.Part, bot.Receipt) (bot.Receipt, error) {
	return "", r.err
}

func (refusing) Find(context.Context, digest.Destination, bot.DeliveryID, time.Time) (bot.Receipt, bool, error) {
	return "", false, nil
}

// What people asked is counted, shown at /metrics, and can be followed in the log by
// its id.
func TestMeasure(t *testing.T) {
	a, w, _, log := aWorld(t, func(c *config) { c.MetricsToken = "sesame" })
	if err := w.prepareJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	router := bot.NewRouter(desk{w, a.now}, w.log)
	platforms := places{terminal.Name: a.terminal(router.Parse)}
	h := a.measure(w, router, platforms, http.NewServeMux(), time.Now)
	router.Handle(t.Context(), bot.Invocation{ID: "i7", Command: "help", Place: bot.Place{Platform: terminal.Name}})
	router.Handle(t.Context(), bot.Invocation{ID: "i8", Command: "nosuch", Place: bot.Place{Platform: terminal.Name}})
	w.visited(jobs.Round{Unchanged: 3, Failed: []jobs.Failure{{Err: &feeds.Trouble{Kind: feeds.TroubleTimeout}}}})
	sub, err := w.newSubscription("", "weekly", "UTC", a.now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.PutSubscription(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(-time.Minute)
	id, err := w.editions(a, platforms).Ledger.SaveDigest(t.Context(), sub, digest.Digest{Period: digest.Period{From: sub.Cursor, To: due}}, due.AddDate(0, 0, 7), digest.Part{Payload: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	w.delivered(context.Background(), digest.Delivery{Digest: id, To: sub.Destination}, digest.Outcome{State: digest.Sent})
	tooFast := &bot.PostError{Fate: bot.FateRetry, After: time.Second}
	if _, err := (courier{refusing{tooFast}, w}).Post(t.Context(), digest.Delivery{To: sub.Destination}); err == nil {
		t.Error("a refusal is no error")
	}
	scrape := func(token string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	if code, _ := scrape("guess"); code != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d", code)
	}
	code, text := scrape("sesame")
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, text)
	}
	for _, want := range []string{
		`seedcorn_commands_total{command="help",outcome="answered",platform="terminal"} 1`,
		`seedcorn_commands_total{command="other",outcome="declined",platform="terminal"} 1`,
		`seedcorn_visits_total{outcome="unchanged"} 3`, `seedcorn_visits_total{outcome="timeout"} 1`,
		`seedcorn_digests_total{outcome="composed"} 1`,
		`seedcorn_deliveries{platform="terminal",state="pending"} 1`,
		`seedcorn_delivery_attempts_total{outcome="sent",platform="terminal"} 1`,
		`seedcorn_delivery_delay_seconds_bucket{platform="terminal",le="30"} 0`, `seedcorn_delivery_delay_seconds_bucket{platform="terminal",le="120"} 1`,
		`seedcorn_http_requests_total{class="4xx",route="/metrics"} 1`,
		`seedcorn_rate_limits_total{platform="terminal"} 1`, `seedcorn_subscriptions 1`, `seedcorn_sources{state="good"} 0`, `seedcorn_incidents{kind="disk"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for _, want := range []string{`"msg":"command","invocation":"i7"`, `"outcome":"declined"`, `"digest":"` + string(id) + `"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, log)
		}
	}
}

// A subscription can be followed from whoever asked for it.
func TestSubscribingIsLogged(t *testing.T) {
	a, w, _, log := aWorld(t, nil)
	router := bot.NewRouter(desk{w, a.now}, w.log)
	reply := router.Handle(t.Context(), bot.Invocation{
		ID: "i9", Command: "subscribe", Args: map[string]string{"query": "country:FR"},
		Place: bot.Place{Platform: "test", Workspace: "w", Channel: "c"}, Asker: bot.Person{ID: "p", Manages: true},
	})
	subs, err := w.db.Subscriptions(t.Context())
	if err != nil || len(subs) != 1 {
		t.Fatalf("%d subscriptions (%v): %s", len(subs), err, reply.Document.Summary)
	}
	want := `"msg":"subscription stored","subscription":"` + string(subs[0].ID) + `","platform":"test","workspace":"w","invocation":"i9"`
	if !strings.Contains(log.String(), want) {
		t.Errorf("no %s in\n%s", want, log)
	}
}

// Where the operator can't be told, the program says so before it begins.
func TestOperatorWithoutPlatform(t *testing.T) {
	a, w, _, _ := aWorld(t, func(c *config) { c.Operator, c.Listen = "slack:T1/C1", "127.0.0.1:0" })
	has, err := parseRoles(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.serve(t.Context(), w, has); err == nil || !strings.Contains(err.Error(), `OPERATOR: no platform "slack" is configured`) {
		t.Errorf("got %v", err)
	}
}

func TestOperatorSetting(t *testing.T) {
	for value, want := range map[string]digest.Destination{
		"slack:T1/C2": {Platform: "slack", Workspace: "T1", Channel: "C2"}, "discord:1/2": {Platform: "discord", Workspace: "1", Channel: "2"},
		"discord:2": {Platform: "discord", Channel: "2"}, "terminal": {Platform: "terminal"},
	} {
		c, err := loadConfig([]string{prefix + "OPERATOR=" + value})
		if to, ok := c.operator(); err != nil || !ok || to != want {
			t.Errorf("%s: %+v, %v (%v)", value, to, ok, err)
		}
	}
	for _, value := range []string{"slack", "slack:", "slack:T1/", ":T1/C2"} {
		if _, err := loadConfig([]string{prefix + "OPERATOR=" + value}); err == nil || !strings.Contains(err.Error(), prefix+"OPERATOR") {
			t.Errorf("%s: %v", value, err)
		}
	}
}
