package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// counted are metrics in which everything has been counted once.
func counted(t *testing.T, change func(*MetricsOptions)) *Metrics {
	t.Helper()
	opt := MetricsOptions{
		Version: "v1", Platforms: []string{"alpha", "beta"}, Commands: []string{"search", "why"}, Services: []string{"arxiv"}, Log: slog.New(slog.DiscardHandler),
		State: func(context.Context) (State, error) {
			return State{
				Sources:    map[string]int{"good": 3, "broken": 1},
				Deliveries: map[PlatformState]int{{"alpha", "dead"}: 2, {"gamma", "sent"}: 3, {"delta", "sent"}: 4},
				Jobs:       map[KindState]int{{"pull", "available"}: 1}, Incidents: map[string]int{"deliveries": 1},
				Amendments: map[string]int{"done": 3},
				Items:      10, Works: 8, Subscriptions: 2, Bytes: 4096, LastRound: time.Unix(1_800_000_000, 5e8),
			}, nil
		},
	}
	if change != nil {
		change(&opt)
	}
	m := NewMetrics(opt)
	m.Visited("brought", 2)
	m.Visited("timeout", 1)
	m.LookedUp("arxiv", "answered")
	m.Composed("composed")
	m.Delivered("alpha", "sent")
	m.Amended("alpha", "done")
	m.Amended("gamma", "lost")
	m.Delayed("alpha", 3*time.Second)
	m.Delayed("alpha", -time.Second)
	m.Limited("beta")
	m.Commanded("search", "alpha", "answered", 20*time.Millisecond)
	return m
}

// scrape asks as this machine does.
func scrape(t *testing.T, m *Metrics, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/metrics", nil)
	r.RemoteAddr = "127.0.0.1:5000"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

func TestMetrics(t *testing.T) {
	m := counted(t, nil)
	watched := m.Watch(func() http.Handler {
		inner := http.NewServeMux()
		inner.HandleFunc("GET /work/{id}", func(http.ResponseWriter, *http.Request) {})
		inner.HandleFunc("GET /bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		mux := http.NewServeMux()
		mux.Handle("/", inner)
		return mux
	}())
	for _, path := range []string{"/work/w1", "/work/w2", "/bad", "/nowhere"} {
		watched.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	w := scrape(t, m, nil)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for _, want := range []string{
		`seedcorn_build_info{goversion="go1.`,
		`seedcorn_visits_total{outcome="brought"} 2`,
		`seedcorn_visits_total{outcome="timeout"} 1`,
		`seedcorn_lookups_total{outcome="answered",service="arxiv"} 1`,
		`seedcorn_digests_total{outcome="composed"} 1`,
		`seedcorn_delivery_attempts_total{outcome="sent",platform="alpha"} 1`,
		`seedcorn_amendment_attempts_total{outcome="done",platform="alpha"} 1`,
		`seedcorn_amendment_attempts_total{outcome="other",platform="other"} 1`,
		`seedcorn_amendments{state="done"} 3`,
		`seedcorn_delivery_delay_seconds_bucket{platform="alpha",le="5"} 2`,
		`seedcorn_rate_limits_total{platform="beta"} 1`,
		`seedcorn_commands_total{command="search",outcome="answered",platform="alpha"} 1`,
		`seedcorn_command_duration_seconds_bucket{command="search",platform="alpha",le="0.025"} 1`,
		`seedcorn_http_requests_total{class="2xx",route="GET /work/{id}"} 2`,
		`seedcorn_http_requests_total{class="5xx",route="GET /bad"} 1`,
		`seedcorn_http_requests_total{class="4xx",route="none"} 1`,
		`seedcorn_sources{state="broken"} 1`,
		`seedcorn_deliveries{platform="alpha",state="dead"} 2`,
		`seedcorn_deliveries{platform="other",state="sent"} 7`,
		`seedcorn_jobs{kind="pull",state="available"} 1`,
		`seedcorn_incidents{kind="deliveries"} 1`,
		"seedcorn_items 10", "seedcorn_works 8", "seedcorn_subscriptions 2", "seedcorn_database_bytes 4096",
		"seedcorn_last_round_timestamp_seconds 1.8000000005e+09",
		"seedcorn_state_errors_total 0",
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("there is no %s", want)
		}
	}
	// What promtool would say of names, units and help.
	faults, err := testutil.GatherAndLint(m.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("%s: %s", f.Metric, f.Text)
	}
}

// What strangers type and what services answer makes no new series.
func TestMetricsAreBounded(t *testing.T) {
	m := counted(t, nil)
	before, err := testutil.GatherAndCount(m.reg)
	if err != nil {
		t.Fatal(err)
	}
	odd := func(s string) {
		m.Visited(s, 1)
		m.LookedUp(s, s)
		m.Composed(s)
		m.Delivered(s, s)
		m.Delayed(s, time.Second)
		m.Limited(s)
		m.Commanded(s, s, s, time.Second)
	}
	odd("C0123/secret-channel")
	after, err := testutil.GatherAndCount(m.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"U999", "https://x.example/?token=1", "", "select *", "\xff"} {
		odd(s)
	}
	if again, err := testutil.GatherAndCount(m.reg); err != nil || again != after || after-before > 8 {
		t.Errorf("%d series, then %d, then %d (%v)", before, after, again, err)
	}
	if text := scrape(t, m, nil).Body.String(); strings.Contains(text, "secret-channel") {
		t.Error("a name that a stranger gave is shown")
	}
}

func TestMetricsAccess(t *testing.T) {
	open, token := counted(t, nil), counted(t, func(o *MetricsOptions) { o.Token = "sesame" })
	away := func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5000" }
	with := func(value string) func(*http.Request) {
		return func(r *http.Request) { away(r); r.Header.Set("Authorization", value) }
	}
	for _, tt := range []struct {
		name   string
		m      *Metrics
		change func(*http.Request)
		want   int
	}{
		{"this machine", open, nil, 200},
		{"another machine", open, away, 403},
		{"another machine with a token that nobody set", open, with("Bearer "), 403},
		{"this machine by a name of somebody's (DNS rebinding, or a proxy)", open, func(r *http.Request) { r.Host = "rebound.example" }, 403},
		{"this machine, where there is a token", token, nil, 200},
		{"the token", token, with("Bearer sesame"), 200},
		{"the token, as others write it", token, with("bearer  sesame"), 200},
		{"another token", token, with("Bearer sesam"), 401},
		{"no token", token, away, 401},
		{"the token as a password", token, with("Basic sesame"), 401},
		{"a change", open, func(r *http.Request) { r.Method = http.MethodPost }, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := scrape(t, tt.m, tt.change)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
			if w.Code != 200 && strings.Contains(w.Body.String(), "seedcorn_") {
				t.Error("metrics are shown all the same")
			}
		})
	}
}

// The database is not asked again at once, and its silence leaves the gauges out.
func TestMetricsState(t *testing.T) {
	now, asked, fail := time.Unix(1_800_000_000, 0), 0, false
	m := counted(t, func(o *MetricsOptions) {
		o.Now = func() time.Time { return now }
		o.State = func(context.Context) (State, error) {
			asked++
			if fail {
				return State{}, errors.New("away")
			}
			return State{Works: asked}, nil
		}
	})
	for range 3 {
		scrape(t, m, nil)
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	now, fail = now.Add(stateHolds), true
	text := scrape(t, m, nil).Body.String()
	if strings.Contains(text, "\nseedcorn_works ") {
		t.Error("a gauge is shown that could not be read")
	}
	now, fail = now.Add(stateHolds), false
	text = scrape(t, m, nil).Body.String()
	if !strings.Contains(text, "\nseedcorn_works 3\n") || !strings.Contains(text, "\nseedcorn_state_errors_total 1\n") {
		t.Errorf("after it came back:\n%s", text)
	}
}

// A program without metrics counts nothing, and does not fall over it.
func TestNoMetrics(t *testing.T) {
	var m *Metrics
	m.Visited("brought", 1)
	m.LookedUp("arxiv", "failed")
	m.Composed("composed")
	m.Delivered("alpha", "sent")
	m.Delayed("alpha", time.Second)
	m.Limited("alpha")
	m.Commanded("search", "alpha", "answered", time.Second)
	w := httptest.NewRecorder()
	m.Watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") })).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Body.String() != "x" {
		t.Error("the handler was lost")
	}
}

// The dashboard asks for metrics and labels that exist.
func TestDashboard(t *testing.T) {
	m := counted(t, nil)
	m.Watch(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	families, err := m.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]map[string]bool{} // of each series
	for _, f := range families {
		has := map[string]bool{"le": true, "instance": true, "job": true}
		for _, l := range f.GetMetric()[0].GetLabel() {
			has[l.GetName()] = true
		}
		labels[f.GetName()] = has
		if f.GetType().String() == "HISTOGRAM" {
			labels[f.GetName()+"_bucket"] = has
		}
	}
	var board struct {
		Panels []struct {
			Title, Description string
			Targets            []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(Dashboard, &board); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	series := regexp.MustCompile(`((?:seedcorn|process|go)_\w+)\{([^}]*)\}`)
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			found := series.FindAllStringSubmatch(q.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s: %s asks for nothing", p.Title, q.Expr)
			}
			for _, f := range found {
				has, ok := labels[f[1]]
				if !ok {
					t.Errorf("%s: there is no metric %s", p.Title, f[1])
					continue
				}
				shown[strings.TrimSuffix(f[1], "_bucket")] = true
				used := regexp.MustCompile(`(\w+)(?:=~|!=|=)"`).FindAllStringSubmatch(f[2], -1)
				for _, by := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(q.Expr, -1) {
					for _, l := range strings.Split(by[1], ",") {
						used = append(used, []string{"", strings.TrimSpace(l)})
					}
				}
				for _, l := range used {
					if !has[l[1]] {
						t.Errorf("%s: %s has no label %s", p.Title, f[1], l[1])
					}
				}
			}
		}
	}
	for name := range labels {
		if strings.HasPrefix(name, "seedcorn_") && !strings.HasSuffix(name, "_bucket") && !shown[name] && name != "seedcorn_state_errors_total" {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
