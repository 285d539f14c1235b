package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what happens and shows it to Prometheus. Everybody else calls its
// methods, which know nothing of the format; on a nil Metrics they do nothing.
//
// Every label has few values, known beforehand: what is none of them is counted as
// "other". No channel, person, workspace, query or address is ever one, so that what
// is shown here tells nothing of anybody, and a stranger can't make it grow.
type Metrics struct {
	opt   MetricsOptions
	serve http.Handler
	reg   *prometheus.Registry

	visits, lookups, digests, deliveries, amendments, commands, requests, limited, scrapes *prometheus.CounterVec
	delay, took                                                                            *prometheus.HistogramVec

	reading sync.Mutex
	state   State
	read    time.Time
	failed  bool
}

// MetricsOptions are what metrics are made of.
type MetricsOptions struct {
	Version   string
	Platforms []string // that may occur as a label, and so on
	Commands  []string
	Services  []string
	// State reads what is counted in the database. It is asked for at most every
	// [stateHolds].
	State func(ctx context.Context) (State, error)
	// Token lets in those who send it as a bearer token, from anywhere. Without it this
	// machine is let in, and nobody else.
	Token string
	Now   func() time.Time // nil is time.Now
	Log   *slog.Logger     // nil is slog.Default
}

// State is what the database says of itself. Maps are by the label's value.
type State struct {
	Sources       map[string]int        // "good", "broken", "quiet", "paused", "gone", "new"
	Deliveries    map[PlatformState]int // what is in the outbox
	Jobs          map[KindState]int     // of the engine
	Incidents     map[string]int        // what is wrong now, by its kind
	Amendments    map[string]int        // digests that were corrected, by how far their messages are edited
	Items         int
	Works         int
	Subscriptions int
	Bytes         int64     // of the database; 0: it can't be told
	LastRound     time.Time // when what is due was last looked for
}

// A PlatformState is a platform and the state of deliveries.
type PlatformState struct{ Platform, State string }

// A KindState is a kind of job and its state.
type KindState struct{ Kind, State string }

// stateHolds is how long a State is shown again: counting a large table takes a
// while, and two who scrape must not make it two.
const stateHolds = 15 * time.Second

// other is the label of what is not known beforehand.
const other = "other"

// The values of labels that are ours.
var (
	visitOutcomes    = []string{"brought", "unchanged", "unreachable", "timeout", "status", "gone", "limited", "denied", "private", "too-large", "not-a-feed", "malformed", "refused"}
	lookupOutcomes   = []string{"answered", "refused", "failed"}
	digestOutcomes   = []string{"composed", "postponed", "failed"}
	deliveryOutcomes = []string{"sent", "pending", "unsure", "dead"}
	amendOutcomes    = []string{"waiting", "done", "given-up"}
	commandOutcomes  = []string{"answered", "declined", "failed"}
	statusClasses    = []string{"1xx", "2xx", "3xx", "4xx", "5xx"}
)

// NewMetrics returns metrics in which nothing has been counted.
func NewMetrics(opt MetricsOptions) *Metrics {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	m := &Metrics{opt: opt, reg: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seedcorn_" + name, Help: help}, labels)
		m.reg.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "seedcorn_" + name, Help: help, Buckets: buckets}, labels)
		m.reg.MustRegister(h)
		return h
	}
	m.visits = counter("visits_total", "Visits to sources.", "outcome")
	m.lookups = counter("lookups_total", "Questions asked about works.", "service", "outcome")
	m.digests = counter("digests_total", "Digests that were due.", "outcome")
	m.deliveries = counter("delivery_attempts_total", "Attempts to post a message.", "platform", "outcome")
	m.amendments = counter("amendment_attempts_total", "Attempts to edit the messages of a digest that was corrected.", "platform", "outcome")
	m.delay = histogram("delivery_delay_seconds", "From when a digest was due to when a message of it was posted.", []float64{5, 15, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600}, "platform")
	m.limited = counter("rate_limits_total", "Posts and edits that a platform refused because they came too fast.", "platform")
	m.commands = counter("commands_total", "Commands that people gave.", "command", "platform", "outcome")
	m.took = histogram("command_duration_seconds", "Time to answer a command.", []float64{.005, .01, .025, .05, .1, .25, .5, 1, 3, 10}, "command", "platform")
	m.requests = counter("http_requests_total", "Requests for pages and from platforms.", "route", "class")
	m.scrapes = counter("state_errors_total", "Times that the database could not be asked for its gauges.")
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seedcorn_build_info", Help: "The running program."}, []string{"version", "goversion"})
	build.WithLabelValues(opt.Version, runtime.Version()).Set(1)
	m.reg.MustRegister(build, gauges{m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.scrapes.WithLabelValues()
	m.serve = promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{})
	return m
}

// known is a value if it is among those that may occur.
func known(value string, values []string) string {
	for _, v := range values {
		if v == value {
			return v
		}
	}
	return other
}

func (m *Metrics) platform(name string) string { return known(name, m.opt.Platforms) }

// Visited counts n visits to sources: "brought", "unchanged", or the kind of trouble.
func (m *Metrics) Visited(outcome string, n int) {
	if m != nil && n > 0 {
		m.visits.WithLabelValues(known(outcome, visitOutcomes)).Add(float64(n))
	}
}

// LookedUp counts a question: "answered", "refused" (the service is left alone for a
// while) or "failed".
func (m *Metrics) LookedUp(service, outcome string) {
	if m != nil {
		m.lookups.WithLabelValues(known(service, m.opt.Services), known(outcome, lookupOutcomes)).Inc()
	}
}

// Composed counts a digest that was due: "composed", "postponed" or "failed".
func (m *Metrics) Composed(outcome string) {
	if m != nil {
		m.digests.WithLabelValues(known(outcome, digestOutcomes)).Inc()
	}
}

// Delivered counts an attempt to post by the state that it left.
func (m *Metrics) Delivered(platform, state string) {
	if m != nil {
		m.deliveries.WithLabelValues(m.platform(platform), known(state, deliveryOutcomes)).Inc()
	}
}

// Amended counts an attempt to edit a digest's messages by the state that it left.
func (m *Metrics) Amended(platform, state string) {
	if m != nil {
		m.amendments.WithLabelValues(m.platform(platform), known(state, amendOutcomes)).Inc()
	}
}

// Delayed notes how long after its time a message was posted.
func (m *Metrics) Delayed(platform string, d time.Duration) {
	if m != nil {
		m.delay.WithLabelValues(m.platform(platform)).Observe(max(d, 0).Seconds())
	}
}

// Limited counts a post that came too fast for its platform.
func (m *Metrics) Limited(platform string) {
	if m != nil {
		m.limited.WithLabelValues(m.platform(platform)).Inc()
	}
}

// Commanded counts a command: "answered", "declined" (the asker was told why not) or
// "failed" (through our fault).
func (m *Metrics) Commanded(command, platform, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	command, platform = known(command, m.opt.Commands), m.platform(platform)
	m.commands.WithLabelValues(command, platform, known(outcome, commandOutcomes)).Inc()
	m.took.WithLabelValues(command, platform).Observe(took.Seconds())
}

// Watch counts the requests that next answers, by the pattern that took them.
func (m *Metrics) Watch(next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w}
		defer func() {
			status := seen.status
			if status == 0 {
				status = http.StatusOK
			}
			route := r.Pattern // of the innermost mux that was handed this request
			if route == "" {
				route = "none"
			}
			class := other
			if i := status/100 - 1; i >= 0 && i < len(statusClasses) {
				class = statusClasses[i]
			}
			m.requests.WithLabelValues(route, class).Inc()
		}()
		next.ServeHTTP(seen, r)
	})
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 || w.status < 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP answers a scrape: of this machine, under a name of its own, as with pages
// that are [LoopbackOnly]; or of whoever has the token. Pages that are open to others
// do not open it.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Metrics can be read, not written to.", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !m.admits(r) {
		if m.opt.Token != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="metrics"`)
			http.Error(w, "Metrics are shown to this machine, and to whoever sends the token.", http.StatusUnauthorized)
			return
		}
		http.Error(w, "Metrics are shown to this machine only. Whoever runs it can set a token.", http.StatusForbidden)
		return
	}
	m.serve.ServeHTTP(w, r)
}

func (m *Metrics) admits(r *http.Request) bool {
	if m.opt.Token != "" {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(m.opt.Token))
		if strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			return true
		}
	}
	peer, ok := address(r.RemoteAddr)
	return ok && peer.IsLoopback() && loopbackName(r.Host)
}

// gauges shows the State.
type gauges struct{ m *Metrics }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("seedcorn_"+name, help, labels, nil)
}

var (
	sourcesDesc       = describe("sources", "Sources by how they are: good, broken, quiet for long, paused, gone, or new and not visited yet.", "state")
	outboxDesc        = describe("deliveries", "Messages by state.", "platform", "state")
	jobsDesc          = describe("jobs", "Background jobs by state.", "kind", "state")
	incidentsDesc     = describe("incidents", "What is wrong now.", "kind")
	amendmentsDesc    = describe("amendments", "Digests that were corrected, by how far their messages are edited.", "state")
	itemsDesc         = describe("items", "Entries of sources that are stored.")
	worksDesc         = describe("works", "Works that entries are about.")
	subscriptionsDesc = describe("subscriptions", "Subscriptions.")
	bytesDesc         = describe("database_bytes", "Size of the database.")
	lastRoundDesc     = describe("last_round_timestamp_seconds", "When what is due was last looked for.")
)

func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sourcesDesc, outboxDesc, jobsDesc, incidentsDesc, amendmentsDesc, itemsDesc, worksDesc, subscriptionsDesc, bytesDesc, lastRoundDesc} {
		ch <- d
	}
}

// scrapeTime bounds the questions to the database: Prometheus gives up after ten
// seconds unless told otherwise.
const scrapeTime = 5 * time.Second

func (g gauges) Collect(ch chan<- prometheus.Metric) {
	s, ok := g.m.now()
	if !ok {
		return // a gauge that is not there is better than one that is wrong
	}
	show := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for state, n := range s.Sources {
		show(sourcesDesc, float64(n), state)
	}
	outbox := map[PlatformState]int{}
	for k, n := range s.Deliveries {
		outbox[PlatformState{g.m.platform(k.Platform), k.State}] += n
	}
	for k, n := range outbox {
		show(outboxDesc, float64(n), k.Platform, k.State)
	}
	for k, n := range s.Jobs {
		show(jobsDesc, float64(n), k.Kind, k.State)
	}
	for kind, n := range s.Incidents {
		show(incidentsDesc, float64(n), kind)
	}
	for state, n := range s.Amendments {
		show(amendmentsDesc, float64(n), state)
	}
	show(itemsDesc, float64(s.Items))
	show(worksDesc, float64(s.Works))
	show(subscriptionsDesc, float64(s.Subscriptions))
	if s.Bytes > 0 {
		show(bytesDesc, float64(s.Bytes))
	}
	if !s.LastRound.IsZero() {
		show(lastRoundDesc, float64(s.LastRound.UnixMilli())/1000)
	}
}

// now returns the State, read lately; ok is false if it can't be read.
func (m *Metrics) now() (State, bool) {
	if m.opt.State == nil {
		return State{}, false
	}
	m.reading.Lock() // who comes meanwhile waits, and is shown the same
	defer m.reading.Unlock()
	if at := m.opt.Now(); m.read.IsZero() || at.Sub(m.read) >= stateHolds {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
		defer cancel()
		s, err := m.opt.State(ctx)
		m.state, m.read, m.failed = s, at, err != nil
		if err != nil {
			m.scrapes.WithLabelValues().Inc()
			m.opt.Log.Warn("reading the state for metrics", "error", err)
		}
	}
	return m.state, !m.failed
}

// Dashboard is a dashboard of these metrics for Grafana, as JSON to be imported.
//
//go:embed grafana.json
var Dashboard []byte
