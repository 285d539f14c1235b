// Package hostile plays Slack and Discord on loopback, as unkind as the real ones
// are on their worst day, and keeps a ledger of what a person would see there.
//
//	the real binary ──SEEDCORN_SLACK_URL──► Slack ──┐
//	                ──SEEDCORN_DISCORD_URL► Discord ┴─► Ledger ──[Judge]──► lost, doubled, (resent)
//
// What people ask comes over Slack's Socket Mode ([Slack.Ask]) and Discord's gateway
// ([Discord.Dispatch]), which are here, too.
//
// A call passes three gates. Limits come first, the real ones or the same in less
// time ([Rules.Second]): a call too many is a 429 and changes nothing. Then comes the
// fault that [Rules.Fault] chooses for it: some are answers that are no answers, after
// the message was stored. Last come the platform's own words: a channel that is
// archived, a scope that was not granted, a message that is too long.
//
// What each platform remembers, it remembers here: Slack the metadata of its
// messages, which a workspace lets us read or not; Discord the nonces of the last few
// minutes and the ids of components. [Rules.Forget] takes that memory away, so that
// whoever counts doubles can show that he would have counted them.
package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Fault is one way in which a call goes wrong.
type Fault int

// The faults. The first group comes after the call was done, the second in its place.
const (
	None           Fault = iota
	ThenError            // done, and answered with 500
	ThenReset            // done, and the connection is cut
	ThenSilence          // done, and never answered
	ThenLoris            // done, and answered a byte at a time, without an end
	ThenGarbage          // done, and answered with 200 and a page of HTML
	InsteadLimit         // 429 in the platform's own words
	InsteadPage          // 429 with the page of whoever stands before the platform
	InsteadDown          // 503
	InsteadReset         // the connection is cut
	InsteadSilence       // never answered
)

var faultNames = [...]string{"none", "then-500", "then-reset", "then-silence", "then-loris", "then-garbage", "429", "429-page", "503", "reset", "silence"}

func (f Fault) String() string {
	if f < 0 || int(f) >= len(faultNames) {
		return fmt.Sprintf("fault %d", int(f))
	}
	return faultNames[f]
}

// done reports whether the call is done before its answer goes wrong.
func (f Fault) done() bool { return f <= ThenGarbage }

// A Call is one request, as a plan sees it.
type Call struct {
	Platform string // "slack" or "discord"
	Method   string // "chat.postMessage", "POST /channels/{}/messages"
	Channel  string // "" if it is about none
	Delivery string // of a post; "" if it names none
	Writes   bool   // it changes what people see
	N        int    // counts the calls of the platform, from 1
}

// A Plan chooses the fault of a call. It is called from many goroutines.
type Plan func(Call) Fault

// Chance plans faults by chance, of writing and of reading calls alike: each with its
// share of 1. The same seed gives the same fault to the same delivery's n-th call,
// however the calls of others fall between.
func Chance(seed uint64, shares map[Fault]float64) Plan {
	var mu sync.Mutex
	seen := map[string]uint64{}
	return func(c Call) Fault {
		key := c.Platform + c.Method + c.Channel + c.Delivery
		mu.Lock()
		seen[key]++
		n := seen[key]
		mu.Unlock()
		h := fnv.New64a()
		_, _ = io.WriteString(h, key)
		at := rand.New(rand.NewPCG(seed, h.Sum64()+n)).Float64()
		for f := ThenError; f <= InsteadSilence; f++ {
			if at -= shares[f]; at < 0 {
				return f
			}
		}
		return None
	}
}

// Rules are how a platform behaves. The zero value keeps the real limits and has no
// faults.
type Rules struct {
	// Token is the bot's; any is good if it is empty.
	Token string
	// Second is how long a second of the limits is; a real one if 0. Below 0 there
	// are no limits.
	Second time.Duration
	// Fault is what goes wrong; nothing if nil.
	Fault Plan
	// Late is the longest that a post takes to stand, from when it was read. It stands
	// then whatever became of the one who sent it.
	Late time.Duration
	// Team is the workspace of a channel, for the limits that one has; one for all if nil.
	Team func(channel string) string
	// Refuse is why a channel takes nothing, in the platform's word ("is_archived") or
	// code ("50001"); "" or nil if it does.
	Refuse func(channel string) string
	// Blind reports whether reading a channel back is not allowed.
	Blind func(channel string) bool
	// Memory is how long Discord knows a nonce; five minutes of Second if 0. How long
	// it really is, nobody says but "in the past few minutes".
	// https://discord.com/developers/docs/resources/message#create-message
	Memory time.Duration
	// Forget hides from readers what a message could be known by, and forgets nonces at
	// once. Lose answers a post without storing it. They break the platform's promises,
	// to show that the ledger's judge sees it.
	Forget, Lose bool
	// Shards are as many as Discord recommends, Least the fewest that it takes, and Places
	// how many sessions may begin at once: its max_concurrency. 0 means 1.
	Shards, Least, Places int
	// Heartbeat is the interval that the gateway asks for; 0 means Discord's, 41.25 s.
	Heartbeat time.Duration
	// Seed is of chance where no plan decides: how late a post is.
	Seed uint64
}

func (r Rules) second() time.Duration {
	if r.Second == 0 {
		return time.Second
	}
	return r.Second
}

func (r Rules) places() int { return max(1, r.Places) }

func (r Rules) heartbeat() time.Duration {
	if r.Heartbeat == 0 {
		return heartbeatEvery
	}
	return r.Heartbeat
}

func (r Rules) refuse(channel string) string {
	if r.Refuse == nil {
		return ""
	}
	return r.Refuse(channel)
}

func (r Rules) blind(channel string) bool { return r.Blind != nil && r.Blind(channel) }

func (r Rules) team(channel string) string {
	if r.Team == nil {
		return "T1"
	}
	return r.Team(channel)
}

// A site is what both platforms have: an address, rules that can be changed, faults.
type site struct {
	Ledger *Ledger
	URL    string // of the API, for SEEDCORN_SLACK_URL or SEEDCORN_DISCORD_URL

	mu     sync.Mutex // of all that follows, and of the platform's own
	rules  Rules
	rng    *rand.Rand
	calls  int
	counts map[string]int
	told   map[string]time.Time // until when a caller was asked to wait, by limit
	early  int

	srv    *http.Server
	closed chan struct{}
	served chan struct{}
}

// Counts are how many calls had each fault, and each limit, by name; "early" are
// those that came before a wait they had been asked for was over.
func (s *site) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{"calls": s.calls, "early": s.early}
	for k, v := range s.counts {
		out[k] = v
	}
	return out
}

// Change changes the rules while the platform runs.
func (s *site) Change(f func(*Rules)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.rules)
}

func (s *site) start(h http.Handler, path string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting a platform: %w", err)
	}
	s.URL = "http://" + l.Addr().String() + path
	s.srv = &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second}
	go func() {
		defer close(s.served)
		_ = s.srv.Serve(l) // always ErrServerClosed: Close is the only way out
	}()
	return nil
}

// Close stops the platform and cuts every connection. It may be called twice.
func (s *site) Close() {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	s.mu.Unlock()
	_ = s.srv.Close()
	<-s.served
}

func newSite(rules Rules, ledger *Ledger) *site {
	if ledger == nil {
		ledger = NewLedger()
	}
	return &site{
		Ledger: ledger, rules: rules, rng: rand.New(rand.NewPCG(rules.Seed, 2)),
		counts: map[string]int{}, told: map[string]time.Time{}, closed: make(chan struct{}), served: make(chan struct{}),
	}
}

// fault counts a call and chooses what goes wrong with it, and how long a post takes
// to stand.
func (s *site) fault(c Call) (f Fault, late time.Duration) {
	s.mu.Lock()
	s.calls++
	c.N = s.calls
	plan := s.rules.Fault
	if c.Writes && s.rules.Late > 0 {
		late = time.Duration(s.rng.Int64N(int64(s.rules.Late)))
	}
	s.mu.Unlock()
	if plan == nil {
		return None, late
	}
	f = plan(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[f.String()]++
	return f, late
}

// wait tells whether a caller of a limit was asked to wait and did not, and notes
// what he is asked now.
func (s *site) asked(key string, now time.Time, wait time.Duration) {
	if until := s.told[key]; now.Before(until) {
		s.early++
	}
	if wait > 0 {
		s.told[key] = now.Add(wait)
		s.counts["limited"]++
	}
}

// An answer is what a platform says.
type answer struct {
	status int
	header map[string]string
	body   any // as JSON; a string is written as it is
}

// send writes an answer as a fault lets it.
func (s *site) send(w http.ResponseWriter, r *http.Request, f Fault, a answer) {
	switch f {
	case ThenError:
		a = answer{status: http.StatusInternalServerError, body: "<html><body>Internal Server Error</body></html>"}
	case ThenGarbage:
		a = answer{status: http.StatusOK, body: "<html><body>Sign in to the network</body></html>"}
	case InsteadPage:
		a = answer{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "1"}, body: "<html><body>You are being rate limited</body></html>"}
	case InsteadDown:
		a = answer{status: http.StatusServiceUnavailable, body: "upstream connect error or disconnect/reset before headers"}
	case ThenReset, InsteadReset:
		cut(w)
		return
	case ThenSilence, InsteadSilence:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		cut(w)
		return
	case ThenLoris:
		s.drip(w, r)
		return
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	text, plain := a.body.(string)
	switch {
	case plain:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, text)
	case a.body == nil:
		w.WriteHeader(a.status)
	default:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(a.body) // the caller may have left
	}
}

// drip answers with spaces, which JSON may begin with, until the caller has enough.
func (s *site) drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, " "); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.closed:
			cut(w)
			return
		}
	}
}

// cut resets a connection, without a word.
func cut(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// later waits, but not for the one who asked: what a platform has read, it does.
func (s *site) later(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-s.closed:
	}
}

// maxBody is the most that is read of a request.
const maxBody = 32 << 20

// arguments are a request's, whether they came as JSON or as a form. In a form,
// objects and lists are JSON.
func arguments(r *http.Request) (args map[string]any, asJSON bool, err error) {
	args = map[string]any{}
	for k := range r.URL.Query() {
		args[k] = r.URL.Query().Get(k)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, false, err
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if len(body) == 0 {
			return args, true, nil
		}
		return args, true, json.Unmarshal(body, &args)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false, err
	}
	for k := range form {
		v := form.Get(k)
		args[k] = v
		if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
			var x any
			if json.Unmarshal([]byte(v), &x) == nil {
				args[k] = x
			}
		}
	}
	return args, false, nil
}

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// shown is the text in a JSON value that people read: what stands under the keys in
// which platforms keep it.
func shown(v any) string {
	var b strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for _, key := range []string{"title", "text", "label", "content", "description"} {
				if s, ok := v[key].(string); ok {
					b.WriteString(s)
					b.WriteByte('\n')
				} else {
					walk(v[key])
				}
			}
			for _, key := range []string{"elements", "fields", "components", "accessory", "blocks", "rows", "embeds"} {
				walk(v[key])
			}
		}
	}
	walk(v)
	return b.String()
}

// A quota is a limit in the form of a bucket that fills evenly.
type quota struct {
	level float64
	at    time.Time
}

// take takes one from a bucket that holds up to burst and gains one every each. If
// there is none, it is how long until there is.
func (q *quota) take(now time.Time, each time.Duration, burst float64) (wait time.Duration) {
	if q.at.IsZero() {
		q.level = burst
	} else {
		q.level = min(burst, q.level+float64(now.Sub(q.at))/float64(each))
	}
	q.at = now
	if q.level < 1 {
		return time.Duration((1 - q.level) * float64(each))
	}
	q.level--
	return 0
}

// until is a context that ends with the site.
func (s *site) until() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
