package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"seedcorn/feeds"
)

// Defaults of [Options], and what is not up to the operator.
const (
	defaultTimeout   = 20 * time.Second
	defaultMaxBytes  = 16 << 20
	defaultPerHost   = 2
	defaultUserAgent = "Seedcorn/1"

	// Browsers stop after twenty (https://fetch.spec.whatwg.org/#http-redirect-fetch);
	// a feed that needs more than five hops is in a loop.
	maxRedirects = 5
	// Validators longer than this are not worth sending back.
	maxValidator = 1024
	maxHeader    = 256 << 10
)

// Options configure a [Client]. The zero value is a polite client that refuses
// private addresses.
type Options struct {
	UserAgent string // product and version, "Seedcorn/1.4"
	Contact   string // a URL where whoever runs the other server learns who we are
	// AllowPrivate lets the client talk to loopback, private and link-local addresses.
	AllowPrivate bool
	Timeout      time.Duration // of one Get, redirects and body included, waiting at gates not; 0 means 20 s
	MaxBytes     int64         // of a body, compressed as well as decompressed; 0 means 16 MiB
	PerHost      int           // requests to one host at a time; 0 means 2
	// Gate, if set, is entered with the host's name before each request, after the
	// client's own limit per host.
	Gate feeds.Gate
	// Transport replaces the client's own, and with it the address policy, which is
	// enforced where connections are dialed. It must not decompress bodies, or
	// hashes and caps speak of something else.
	Transport http.RoundTripper
}

// A Client is a [feeds.Getter] with manners. It is safe for concurrent use; how
// many requests run at once over all hosts is the caller's choice.
type Client struct {
	http      *http.Client
	userAgent string
	timeout   time.Duration
	maxBytes  int64
	hosts     hostGate
	gate      feeds.Gate
}

var _ feeds.Getter = (*Client)(nil)

// New returns a client for the given options.
func New(o Options) *Client {
	c := &Client{
		userAgent: cmp.Or(o.UserAgent, defaultUserAgent),
		timeout:   cmp.Or(o.Timeout, defaultTimeout),
		maxBytes:  cmp.Or(o.MaxBytes, defaultMaxBytes),
		hosts:     hostGate{limit: cmp.Or(o.PerHost, defaultPerHost)},
		gate:      o.Gate,
	}
	if o.Contact != "" {
		// The form crawlers use: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5
		c.userAgent += " (+" + o.Contact + ")"
	}
	rt := o.Transport
	if rt == nil {
		rt = newTransport(o.AllowPrivate)
	}
	c.http = &http.Client{
		Transport: rt,
		// Redirects are followed in Get, where each hop is checked and gated.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// newTransport returns a transport that dials public addresses only, unless
// allowPrivate. It uses no proxy: behind one the address that is dialed would be the
// proxy's, and the policy would protect nothing.
func newTransport(allowPrivate bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the hash is of the wire's bytes
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Get implements [feeds.Getter]. It follows up to five redirects, each through the
// gate of its host. Headers of the request other than our own are not sent to
// another origin, and neither are a URL's user and password.
//
// A failure is a *[feeds.Trouble], except that the end of ctx, and a failure of the
// shared gate, are returned as they are: they say nothing about the server.
func (c *Client) Get(ctx context.Context, req feeds.Request) (feeds.Response, error) {
	u, err := url.Parse(strings.TrimSpace(req.URL))
	if err != nil {
		return feeds.Response{}, &feeds.Trouble{Kind: feeds.TroubleNetwork, URL: "(unreadable URL)", Err: errors.New("the URL cannot be read")}
	}
	first, moved := u, ""
	permanent := true
	left := c.timeout
	for hop := 0; ; hop++ {
		if err := checkURL(u); err != nil {
			return feeds.Response{}, trouble(feeds.TroublePrivate, u, err)
		}
		a, err := c.hop(ctx, u, req, sameOrigin(first, u), &left)
		if err != nil {
			return feeds.Response{}, err
		}
		if a.next == nil {
			a.MovedTo = moved
			return a.Response, nil
		}
		if hop == maxRedirects {
			return feeds.Response{}, trouble(feeds.TroubleStatus, u, fmt.Errorf("more than %d redirects", maxRedirects))
		}
		permanent = permanent && a.permanent
		u = a.next
		moved = ""
		// A move from https to http is followed, but not remembered.
		if permanent && (u.Scheme == "https" || first.Scheme == "http") {
			moved = u.String()
		}
	}
}

// answer is what one hop brought: a response, or where to go next.
type answer struct {
	feeds.Response
	next      *url.URL
	permanent bool
}

// hop makes one request under the gates of its host. The time it takes, waiting at
// the gates apart, is taken off left.
func (c *Client) hop(ctx context.Context, u *url.URL, req feeds.Request, trusted bool, left *time.Duration) (answer, error) {
	host := hostKey(u)
	leave, err := c.hosts.enter(ctx, host)
	if err != nil {
		return answer{}, fmt.Errorf("waiting for %s: %w", host, err)
	}
	defer leave()
	if c.gate != nil {
		leave, err := c.gate.Enter(ctx, host)
		if err != nil {
			return answer{}, fmt.Errorf("waiting for %s: %w", host, err)
		}
		defer leave()
	}

	start := time.Now()
	timed, cancel := context.WithTimeout(ctx, *left)
	defer cancel()
	defer func() { *left -= time.Since(start) }()

	hr, err := c.request(timed, u, req, trusted)
	if err != nil {
		return answer{}, trouble(feeds.TroubleNetwork, u, errors.New("the URL cannot be requested"))
	}
	resp, err := c.http.Do(hr)
	if err != nil {
		return answer{}, c.failed(ctx, u, err)
	}
	defer resp.Body.Close()
	return c.read(ctx, u, req, resp)
}

// request builds the GET. Accept-Encoding is ours, so that the transport leaves the
// body as it came.
func (c *Client) request(ctx context.Context, u *url.URL, req feeds.Request, trusted bool) (*http.Request, error) {
	hr, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if trusted {
		for name, values := range req.Header {
			hr.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	hr.Header.Set("User-Agent", c.userAgent)
	hr.Header.Set("Accept-Encoding", "gzip")
	hr.Header.Set("Accept", cmp.Or(req.Accept, "*/*"))
	if req.ETag != "" {
		hr.Header.Set("If-None-Match", req.ETag)
	}
	if req.LastModified != "" {
		hr.Header.Set("If-Modified-Since", req.LastModified)
	}
	return hr, nil
}

// read turns an HTTP response into an answer, or into the trouble it means.
func (c *Client) read(ctx context.Context, u *url.URL, req feeds.Request, resp *http.Response) (answer, error) {
	now := time.Now()
	switch code := resp.StatusCode; code {
	case http.StatusOK, http.StatusNotModified:
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		next, err := redirectTarget(u, resp.Header.Get("Location"))
		if err != nil {
			return answer{}, &feeds.Trouble{Kind: feeds.TroubleStatus, URL: Redact(u), Status: code, Err: err}
		}
		return answer{next: next, permanent: code == http.StatusMovedPermanently || code == http.StatusPermanentRedirect}, nil
	default:
		t := &feeds.Trouble{Kind: kindOfStatus(code), URL: Redact(u), Status: code}
		wait, ok := retryAfter(resp.Header, now)
		t.RetryAfter = wait
		if code == http.StatusServiceUnavailable && ok {
			t.Kind = feeds.TroubleLimited
		}
		return answer{}, t
	}

	a := answer{Response: feeds.Response{
		Status:       resp.StatusCode,
		URL:          u.String(),
		Header:       resp.Header,
		ETag:         validator(resp.Header.Get("ETag")),
		LastModified: validator(resp.Header.Get("Last-Modified")),
		NotBefore:    notBefore(resp.Header, now),
	}}
	if a.Status == http.StatusNotModified {
		a.Hash = req.Hash
		return a, nil
	}
	limit := cmp.Or(req.MaxBytes, c.maxBytes)
	body, hash, err := readBody(resp, limit, req.Hash)
	if err != nil {
		var t *feeds.Trouble
		if errors.As(err, &t) {
			t.URL = Redact(u)
			return answer{}, t
		}
		return answer{}, c.failed(ctx, u, err)
	}
	a.Hash = hash
	if body == nil {
		a.Status = http.StatusNotModified
		return a, nil
	}
	a.Body = body
	return a, nil
}

// failed names the trouble behind an error of the transport. The end of the
// caller's own context is no trouble of the source's.
func (c *Client) failed(ctx context.Context, u *url.URL, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("fetching %s: %w", Redact(u), context.Cause(ctx))
	}
	// A *url.Error repeats the URL, secrets included.
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var private *privateError
	var ne net.Error
	switch {
	case errors.As(err, &private):
		return trouble(feeds.TroublePrivate, u, private)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return trouble(feeds.TroubleTimeout, u, fmt.Errorf("no complete answer within %s", c.timeout))
	}
	return trouble(feeds.TroubleNetwork, u, err)
}

func trouble(kind feeds.TroubleKind, u *url.URL, err error) *feeds.Trouble {
	return &feeds.Trouble{Kind: kind, URL: Redact(u), Err: err}
}

func kindOfStatus(code int) feeds.TroubleKind {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return feeds.TroubleGone
	case http.StatusUnauthorized, http.StatusForbidden:
		return feeds.TroubleDenied
	case http.StatusTooManyRequests:
		return feeds.TroubleLimited
	}
	return feeds.TroubleStatus
}

// redirectTarget resolves a Location header. A user and password in it are dropped,
// unless it is relative and the URL had them.
func redirectTarget(u *url.URL, location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("redirect without a target")
	}
	ref, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("redirect to an unreadable target")
	}
	ref.User = nil
	next := u.ResolveReference(ref)
	if sameOrigin(u, next) {
		next.User = u.User
	}
	if next.Fragment == "" {
		next.Fragment = u.Fragment
	}
	return next, nil
}

// checkURL refuses what is not the web: file:, ftp:, a URL without a host.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("only http and https addresses are fetched, not %q", clip(u.Scheme, 20)+":")
	case u.Hostname() == "":
		return errors.New("the URL names no host")
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && hostKey(a) == hostKey(b) }

// hostKey is the host as gates know it: lower case, with a port only if it is an
// unusual one.
func hostKey(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		return net.JoinHostPort(host, p)
	}
	return host
}

func validator(s string) string {
	if len(s) > maxValidator {
		return ""
	}
	return s
}

// Redact returns the URL as it may be shown and logged: without user, password and
// fragment, and with the names of its query's parameters but not their values, any
// of which may be a token.
func Redact(u *url.URL) string {
	c := *u
	c.User, c.Fragment, c.RawFragment = nil, "", ""
	if c.RawQuery != "" {
		names := strings.Split(c.RawQuery, "&")
		for i, pair := range names {
			if name, _, found := strings.Cut(pair, "="); found {
				names[i] = clip(name, 40) + "=…"
			} else {
				names[i] = "…"
			}
		}
		c.RawQuery = strings.Join(names[:min(len(names), 20)], "&")
	}
	return clip(c.String(), 500)
}

// clip shortens s to at most n bytes, at a rune's edge.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
