package discord

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"

	"seedcorn/digest"
)

// maxAnswer is how much of an answer is read: a hundred messages of the longest kind
// come to less.
const maxAnswer = 8 << 20

// A call is one request.
type call struct {
	method string
	path   string // below the base, beginning with a slash
	bucket string // what the rate limit is counted by: route and major parameter
	body   any
	files  []file // sent with the body
	// answer marks the answer to an interaction. Those are exempt from the global rate
	// limit, know no bot's token, and have a bucket each, which is not kept.
	// https://discord.com/developers/docs/interactions/receiving-and-responding#endpoints
	answer bool
	// brisk is a call that says at once how long to wait, where others wait for a moment:
	// who posts thousands has something else to do meanwhile.
	brisk bool
}

// An outcome is what became of a call.
type outcome struct {
	status int
	header http.Header
	body   []byte
	err    error         // no whole answer
	sent   bool          // perhaps Discord got it
	wait   time.Duration // it was not sent because this is how long to wait first
	scope  digest.Scope  // of a wait, or of a 429: how far it reaches
}

// ok reports whether Discord did what it was asked to.
func (o outcome) ok() bool { return o.err == nil && o.wait == 0 && o.status/100 == 2 }

// An apiError is Discord's JSON for a refusal.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
type apiError struct {
	Code       int             `json:"code"`
	Message    string          `json:"message"`
	RetryAfter float64         `json:"retry_after"`
	Global     bool            `json:"global"`
	Errors     json.RawMessage `json:"errors"`
}

// refusal is the body read as Discord's error; ok is false if somebody else answered,
// such as a proxy with a page of HTML.
func (o outcome) refusal() (e apiError, ok bool) {
	err := json.Unmarshal(o.body, &e)
	return e, err == nil && (e.Code != 0 || e.Message != "")
}

// failure words an outcome for the log.
func (o outcome) failure() error {
	switch {
	case o.err != nil:
		return o.err
	case o.wait > 0:
		return fmt.Errorf("not sent: wait %s", o.wait.Round(time.Millisecond))
	case o.ok():
		return nil
	}
	if e, ok := o.refusal(); ok {
		if len(e.Errors) > 0 {
			return fmt.Errorf("HTTP %d, code %d, %s: %s", o.status, e.Code, e.Message, cut(string(e.Errors), 500))
		}
		return fmt.Errorf("HTTP %d, code %d, %s", o.status, e.Code, e.Message)
	}
	return fmt.Errorf("HTTP %d, not Discord's JSON", o.status)
}

// retryAfter is how long a 429 asks to wait, by body or header; 0 if it does not say.
func (o outcome) retryAfter() time.Duration {
	if e, ok := o.refusal(); ok && e.RetryAfter > 0 {
		return seconds(e.RetryAfter)
	}
	for _, h := range []string{"X-RateLimit-Reset-After", "Retry-After"} {
		if f, err := strconv.ParseFloat(o.header.Get(h), 64); err == nil && f > 0 {
			return seconds(f)
		}
	}
	return 0
}

// maxWait is the longest wait that is believed.
const maxWait = 24 * time.Hour

func seconds(f float64) time.Duration {
	if f >= maxWait.Seconds() {
		return maxWait
	}
	return time.Duration(f * float64(time.Second))
}

// do sends one request, once, when the limits let it. It waits for a short pause and
// says how long a long one is, so that a job does not sit in it.
func (a *Adapter) do(ctx context.Context, c call) outcome {
	if !a.breaker.allow(time.Now(), c.answer) {
		return outcome{wait: breakerPause, scope: digest.ScopePlatform}
	}
	var release func(http.Header, int, time.Duration, bool)
	if !c.answer {
		var wait time.Duration
		var err error
		if release, wait, err = a.limits.acquire(ctx, c.method+" "+c.bucket, c.brisk); err != nil || wait > 0 {
			return outcome{err: err, wait: wait, scope: a.limits.scope(time.Now(), wait)}
		}
	}
	out := a.send(ctx, c)
	e, _ := out.refusal()
	limited := out.status == http.StatusTooManyRequests
	everywhere := limited && (e.Global || out.header.Get("X-RateLimit-Global") != "" || e.Message == "" && e.RetryAfter == 0)
	if limited {
		out.scope = digest.ScopeChannel // the route and its channel are the bucket
		if everywhere {
			out.scope = digest.ScopePlatform
		}
	}
	if release != nil {
		after := time.Duration(0)
		if limited {
			after = out.retryAfter()
		}
		release(out.header, out.status, after, everywhere)
	}
	// A limit that others share with us is not counted against us.
	// https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
	switch out.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		if !strings.EqualFold(out.header.Get("X-RateLimit-Scope"), "shared") {
			a.breaker.count(time.Now())
		}
	}
	return out
}

// send is the request itself, through discordgo.
func (a *Adapter) send(ctx context.Context, c call) outcome {
	out := &outcome{}
	var connected atomic.Bool
	ctx = context.WithValue(ctx, outcomeKey{}, out)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	options := []discordgo.RequestOption{discordgo.WithContext(ctx), discordgo.WithRestRetries(0), discordgo.WithRetryOnRatelimit(false)}
	var err error
	switch {
	case c.answer:
		// A bucket of its own, which nobody keeps: discordgo never frees those that it makes.
		b := &discordgo.Bucket{Key: "answer", Remaining: 1}
		b.Lock()
		var body []byte
		if c.body != nil {
			if body, err = encode(c.body); err != nil {
				return outcome{err: err}
			}
		}
		_, err = a.session.RequestWithLockedBucket(c.method, a.opt.Base+c.path, "application/json", body, b, 0, options...)
	case len(c.files) > 0:
		var body []byte
		var kind string
		if body, kind, err = form(c.body, c.files); err != nil {
			return outcome{err: err}
		}
		_, err = a.session.RequestRaw(c.method, a.opt.Base+c.path, kind, body, c.method+" "+c.bucket, 0, options...)
	default:
		_, err = a.session.RequestWithBucketID(c.method, a.opt.Base+c.path, c.body, c.method+" "+c.bucket, options...)
	}
	if out.status == 0 && out.err == nil {
		// The transport saw no answer; discordgo's error says why.
		out.err = err
		if out.err == nil {
			out.err = errors.New("no answer")
		}
	}
	if out.err != nil {
		out.err = fmt.Errorf("%s %s: %w", c.method, a.public(c), bare(out.err))
		out.sent = out.status != 0 || !neverSent(out.err, a.rest.own, connected.Load())
	}
	return *out
}

// form is a body with files.
// https://discord.com/developers/docs/reference#uploading-files
func form(body any, files []file) (b []byte, contentType string, err error) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	write := func(header textproto.MIMEHeader, b []byte) {
		p, werr := w.CreatePart(header)
		if werr == nil {
			_, werr = p.Write(b)
		}
		err = errors.Join(err, werr)
	}
	payload, err := encode(body)
	write(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="payload_json"`}, "Content-Type": {"application/json"}}, payload)
	for i, f := range files {
		write(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="files[%d]"; filename=%q`, i, f.Name)}, "Content-Type": {"image/png"}}, f.Data)
	}
	err = errors.Join(err, w.Close())
	return out.Bytes(), w.FormDataContentType(), err
}

// public is a path that may be logged: the token of an interaction is a secret for
// its fifteen minutes.
func (a *Adapter) public(c call) string {
	if c.answer {
		return "/(answer)"
	}
	return c.path
}

// bare is an error of net/http without the URL, which may hold a token.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// neverSent reports whether a request that failed certainly did not reach Discord.
// Only our own transport tells whether it had a connection.
func neverSent(err error, own, connected bool) bool {
	if own && !connected {
		return true
	}
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.As(err, &cert) || errors.As(err, &host)
}

type outcomeKey struct{}

// A recorder is the transport below discordgo. It keeps what was answered, whole, for
// the call that asked, and hides the rate limit headers from discordgo, which would
// sleep on them.
type recorder struct {
	base http.RoundTripper
	own  bool
}

func newRecorder(base http.RoundTripper) *recorder {
	if base != nil {
		return &recorder{base: base}
	}
	return &recorder{own: true, base: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 15 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   64, // the pace of the global limit, with room
		IdleConnTimeout:       90 * time.Second,
	}}
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.base.RoundTrip(req)
	out, ok := req.Context().Value(outcomeKey{}).(*outcome)
	if !ok || err != nil {
		return resp, err
	}
	out.status, out.header = resp.StatusCode, resp.Header
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	_ = resp.Body.Close()
	if err != nil {
		out.err = fmt.Errorf("reading the answer: %w", err)
		return nil, err
	}
	if len(body) > maxAnswer {
		out.err = fmt.Errorf("reading the answer: longer than %d bytes", maxAnswer)
		return nil, out.err
	}
	out.body = body
	hidden := *resp
	hidden.Header = http.Header{}
	hidden.Body = io.NopCloser(bytes.NewReader(body))
	return &hidden, nil
}

// A limiter keeps to Discord's limits: so many requests in each bucket, by what the
// headers say, and 50 a second over all.
// https://discord.com/developers/docs/topics/rate-limits
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	global  time.Time // nothing before this
	recent  []time.Time
	at      int // oldest of recent
}

type bucket struct {
	turn      chan struct{} // holds one: requests of a bucket follow one another
	remaining int           // -1: not known
	reset     time.Time
	users     int
}

// Of the global limit. A window is a little longer than the second that Discord
// counts in, since requests do not arrive as evenly as they leave.
const (
	globalRequests = 50
	globalWindow   = 1020 * time.Millisecond
)

const (
	// patience is the longest wait for a bucket that is sat out.
	patience = 6 * time.Second
	// queue is the longest wait for the global limit that is sat out: that of a digest
	// to 1,000 channels at once, and as much again.
	queue = 45 * time.Second
	// briskWait is that of brisk calls. The global limit is kept before, by who posts:
	// see [Adapter.Pace].
	briskWait = time.Second
	// maxBuckets is from when on buckets that nobody waits for are forgotten.
	maxBuckets = 20_000
)

func newLimiter() *limiter {
	return &limiter{buckets: map[string]*bucket{}, recent: make([]time.Time, globalRequests)}
}

func (l *limiter) bucket(key string) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			now := time.Now()
			for k, old := range l.buckets {
				if old.users == 0 && !old.reset.After(now) {
					delete(l.buckets, k)
				}
			}
		}
		b = &bucket{turn: make(chan struct{}, 1), remaining: -1}
		l.buckets[key] = b
	}
	b.users++
	return b
}

// scope is how far a wait reaches that acquire has named: that of a bucket, unless the
// global limit makes for as long a one.
func (l *limiter) scope(now time.Time, wait time.Duration) digest.Scope {
	l.mu.Lock()
	defer l.mu.Unlock()
	if max(l.global.Sub(now), l.recent[l.at].Add(globalWindow).Sub(now)) > wait-50*time.Millisecond {
		return digest.ScopePlatform
	}
	return digest.ScopeChannel
}

// acquire waits until a request may be made and returns what to call after it. wait
// is not 0 if the wait would be long, or any that brisk would not take: then nothing is
// held. The error is the context's.
func (l *limiter) acquire(ctx context.Context, key string, brisk bool) (release func(h http.Header, status int, after time.Duration, everywhere bool), wait time.Duration, err error) {
	patience, queue := patience, queue
	if brisk {
		patience, queue = briskWait, briskWait
	}
	b := l.bucket(key)
	give := func() {
		l.mu.Lock()
		b.users--
		l.mu.Unlock()
	}
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		give()
		return nil, 0, fmt.Errorf("waiting for a turn: %w", ctx.Err())
	}
	drop := func() {
		<-b.turn
		give()
	}
	for {
		now := time.Now()
		l.mu.Lock()
		pause := time.Duration(0)
		if b.remaining == 0 {
			pause = b.reset.Sub(now)
		}
		pause = max(pause, l.global.Sub(now))
		if pause > patience {
			l.mu.Unlock()
			drop()
			return nil, pause, nil
		}
		if pause <= 0 {
			// A place in the global window.
			if pause = l.recent[l.at].Add(globalWindow).Sub(now); pause > queue {
				l.mu.Unlock()
				drop()
				return nil, pause, nil
			}
			at := now.Add(max(0, pause))
			l.recent[l.at] = at
			l.at = (l.at + 1) % len(l.recent)
			l.mu.Unlock()
			if err := sleep(ctx, pause); err != nil {
				drop()
				return nil, 0, err
			}
			l.mu.Lock()
			paused := l.global.After(time.Now())
			l.mu.Unlock()
			if paused {
				continue // while we stood in the queue
			}
			break
		}
		l.mu.Unlock()
		if err := sleep(ctx, pause); err != nil {
			drop()
			return nil, 0, err
		}
	}
	return func(h http.Header, status int, after time.Duration, everywhere bool) {
		l.update(b, h, status, after, everywhere)
		drop()
	}, 0, nil
}

// unnamedPause is the pause after a 429 that does not say for how long.
const unnamedPause = time.Minute

func (l *limiter) update(b *bucket, h http.Header, status int, after time.Duration, everywhere bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if status == http.StatusTooManyRequests {
		if after <= 0 {
			after = unnamedPause
		}
		if everywhere {
			l.global = later(l.global, now.Add(after))
			return
		}
		b.remaining, b.reset = 0, now.Add(after)
		return
	}
	b.remaining = -1
	n, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	f, err2 := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err == nil && err2 == nil && n >= 0 && f >= 0 {
		b.remaining, b.reset = n, now.Add(seconds(f))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sleep waits for d, or for the context, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the rate limit: %w", ctx.Err())
	}
}

// A breaker stands between us and the ban of our address that 10,000 invalid
// requests within ten minutes bring: those answered with 401, 403 or 429.
// https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
type breaker struct {
	mu      sync.Mutex
	minutes [10]struct {
		minute int64
		n      int
	}
}

// Posts stop at a fifth of what brings the ban; answers to people go on for longer.
const (
	maxInvalid       = 2_000
	maxInvalidAnswer = 8_000
	breakerPause     = time.Minute
)

func (b *breaker) count(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := now.Unix() / 60
	slot := &b.minutes[m%int64(len(b.minutes))]
	if slot.minute != m {
		slot.minute, slot.n = m, 0
	}
	slot.n++
}

// invalid is how many requests of the last ten minutes were.
func (b *breaker) invalid(now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, m := 0, now.Unix()/60
	for _, s := range b.minutes {
		if m-s.minute < int64(len(b.minutes)) {
			n += s.n
		}
	}
	return n
}

func (b *breaker) allow(now time.Time, answer bool) bool {
	n := b.invalid(now)
	return n < maxInvalid || answer && n < maxInvalidAnswer
}
