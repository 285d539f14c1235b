// Package hub reads the places where labs release things: the organizations of
// Hugging Face and GitHub, Hugging Face's daily papers, and, for look-ups, their
// model cards and license files and OpenAlex's record of a paper's affiliations.
//
// What comes in, and what goes out:
//
//	source hf:ORG, gh:ORG, hf-papers ──[Collector]──► items: models, datasets, repositories, papers
//	"org/name", "owner/name", arXiv id ──[Client]───► cards, license texts, linked repositories, institutions
//
// Nothing is judged here. A license is the string that its owner declared, a gate
// is what the hub says, a base model is recorded beside the model; what they
// amount to is for package tag.
//
// All requests go through a [feeds.Getter], to base URLs that can be configured
// and never anywhere else: the next page of a listing is taken from the answer's
// path and asked of the same base. Tokens are [Secret], and travel in a header to
// the service they are for.
package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"seedcorn/feeds"
)

// Where the services live unless [Options] say otherwise.
const (
	HuggingFaceBase = "https://huggingface.co"
	GitHubBase      = "https://api.github.com"
	OpenAlexBase    = "https://api.openalex.org"
)

// Options configure a [Client]. The zero value asks the public services without
// tokens, within their limits for strangers:
//
//	Hugging Face  500 API requests in 5 minutes, 1,000 with a free token  https://huggingface.co/docs/hub/rate-limits
//	GitHub        60 requests in an hour, 5,000 with a token              https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
//	OpenAlex      not asked at all without a key                          https://developers.openalex.org/guides/authentication
type Options struct {
	HuggingFace, GitHub, OpenAlex string // base URLs; empty for the public ones

	HuggingFaceToken, GitHubToken, OpenAlexKey Secret

	Contact string     // an address of mail that OpenAlex may write to; optional
	Gate    feeds.Gate // spaces requests by "huggingface", "github" and "openalex"; optional
}

// Secret is a token. It prints as <redacted> in every format.
type Secret string

const redacted = "<redacted>"

// String returns <redacted>.
func (s Secret) String() string { return redacted }

// GoString returns <redacted>.
func (s Secret) GoString() string { return redacted }

// Format writes <redacted> whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns <redacted>.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns <redacted>.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Errors of the look-ups, in the chain of what they return.
var (
	// ErrNotFound means that the service answered and has no such thing, or does not
	// show it to us.
	ErrNotFound = errors.New("not found")
	// ErrNoKey means that a service is not asked because no key is configured.
	ErrNoKey = errors.New("no key is configured")
)

// A Client asks the services. It is safe for concurrent use.
type Client struct {
	get  feeds.Getter
	gate feeds.Gate
	hf   service
	gh   service
	oa   service
	mail string

	mu     sync.Mutex
	closed map[string]time.Time // service -> when its limit resets, while it is used up
}

type service struct {
	name string
	base *url.URL
	// token returns the service's token, "" if it has none. It is a function because
	// package fmt prints unexported fields without asking their methods.
	token func() string
}

// New returns a client that fetches with get. The error names every base URL that
// is not an absolute http or https URL.
func New(get feeds.Getter, opt Options) (*Client, error) {
	c := &Client{get: get, gate: opt.Gate, mail: opt.Contact, closed: make(map[string]time.Time)}
	var faults []error
	for _, s := range []struct {
		to    *service
		name  string
		base  string
		dflt  string
		token Secret
	}{
		{&c.hf, "huggingface", opt.HuggingFace, HuggingFaceBase, opt.HuggingFaceToken},
		{&c.gh, "github", opt.GitHub, GitHubBase, opt.GitHubToken},
		{&c.oa, "openalex", opt.OpenAlex, OpenAlexBase, opt.OpenAlexKey},
	} {
		if s.base == "" {
			s.base = s.dflt
		}
		u, err := url.Parse(strings.TrimRight(s.base, "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
			faults = append(faults, fmt.Errorf("base URL of %s: want http(s)://host[/path]", s.name))
			continue
		}
		*s.to = service{name: s.name, base: u, token: func() string { return string(s.token) }}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// at returns the URL of path, whose segments are escaped, under the service's base.
func (s service) at(q url.Values, path ...string) string {
	u := s.base.JoinPath(path...)
	u.RawQuery = q.Encode()
	return u.String()
}

// next returns where a listing goes on, by its Link header, on the service's own
// host whatever the header says; "" if it does not.
// Source: https://www.rfc-editor.org/rfc/rfc8288
func (s service) next(h http.Header) string {
	for _, value := range h.Values("Link") {
		for _, link := range strings.Split(clip(value, 8000), ",") {
			target, params, ok := strings.Cut(link, ">")
			if !ok || !strings.Contains(strings.ReplaceAll(params, " ", ""), `rel="next"`) {
				continue
			}
			_, target, ok = strings.Cut(target, "<")
			u, err := url.Parse(strings.TrimSpace(target))
			if !ok || err != nil || !strings.HasPrefix(u.Path, "/") {
				continue
			}
			u.Scheme, u.Host, u.User, u.Fragment = s.base.Scheme, s.base.Host, nil, ""
			return u.String()
		}
	}
	return ""
}

// Caps on what is read of an answer, after decompression.
const (
	maxList    = 12 << 20
	maxCard    = 4 << 20
	maxLicense = 256 << 10
)

// fetch makes one request of a service: behind its gate, with its token, and not
// at all while its limit is used up. A limit that the answer reports as used up
// is remembered. The error is a *[feeds.Trouble] wherever the cause is the
// service's, with no secret in it.
func (c *Client) fetch(ctx context.Context, s service, req feeds.Request) (feeds.Response, error) {
	if until := c.closedUntil(s.name); !until.IsZero() {
		return feeds.Response{}, &feeds.Trouble{
			Kind: feeds.TroubleLimited, URL: s.base.String(), RetryAfter: time.Until(until),
			Err: errors.New("the limit of requests is used up until " + until.UTC().Format(time.RFC3339)),
		}
	}
	if c.gate != nil {
		leave, err := c.gate.Enter(ctx, s.name)
		if err != nil {
			return feeds.Response{}, fmt.Errorf("waiting for the gate of %s: %w", s.name, err)
		}
		defer leave()
	}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	if token := s.token(); token != "" && s.name != c.oa.name {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if s.name == c.gh.name {
		// https://docs.github.com/rest/about-the-rest-api/api-versions
		req.Accept = "application/vnd.github+json"
		req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	}
	resp, err := c.get.Get(ctx, req)
	now := time.Now()
	if err != nil {
		return feeds.Response{}, c.explain(ctx, s, err, now)
	}
	if left, reset, ok := budget(resp.Header, now); ok && left == 0 {
		c.close(s.name, reset)
	}
	return resp, nil
}

// maxClosed bounds how long a header can keep us away.
const maxClosed = 2 * time.Hour

// budget reads how many requests are left, and when there will be more. Hugging
// Face sends `RateLimit: "api";r=499;t=81` with seconds to the reset
// (https://huggingface.co/docs/hub/rate-limits), GitHub X-RateLimit-Remaining and
// X-RateLimit-Reset in Unix seconds
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
func budget(h http.Header, now time.Time) (left int, reset time.Time, ok bool) {
	if v := h.Get("RateLimit"); v != "" {
		left, wait := -1, -1
		for _, part := range strings.Split(clip(v, 200), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				continue
			}
			switch name {
			case "r":
				left = n
			case "t":
				wait = n
			}
		}
		if left >= 0 && wait >= 0 {
			return left, now.Add(min(time.Duration(min(wait, 1<<20))*time.Second, maxClosed)), true
		}
	}
	left, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if err != nil || left < 0 {
		return 0, time.Time{}, false
	}
	at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0, time.Time{}, false
	}
	return left, time.Unix(min(at, now.Add(maxClosed).Unix()), 0), true
}

func (c *Client) close(name string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed[name] = until
}

// closedUntil returns when a service may be asked again, or zero if it may now.
func (c *Client) closedUntil(name string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.closed[name]
	if !ok {
		return time.Time{}
	}
	if !until.After(time.Now()) {
		delete(c.closed, name)
		return time.Time{}
	}
	return until
}

// explain turns what a getter reports into what it means at this service: GitHub
// says 403 where others say 429. It takes OpenAlex's key, which that service wants
// in the URL, out of whatever an error repeats.
func (c *Client) explain(ctx context.Context, s service, err error, now time.Time) error {
	clean := func(s string) string { return s }
	if key := s.token(); key != "" {
		clean = strings.NewReplacer(key, redacted, url.QueryEscape(key), redacted, url.PathEscape(key), redacted).Replace
	}
	var t *feeds.Trouble
	if !errors.As(err, &t) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text := clean(err.Error()); text != err.Error() {
			return errors.New(text)
		}
		return err
	}
	said := *t
	if s.name == c.gh.name && said.RetryAfter <= 0 && (said.Status == http.StatusForbidden || said.Status == http.StatusTooManyRequests) {
		said.RetryAfter = c.askReset(ctx, now)
	}
	if said.Kind == feeds.TroubleDenied && said.Status == http.StatusForbidden && said.RetryAfter > 0 {
		// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
		said.Kind = feeds.TroubleLimited
	}
	if said.Kind == feeds.TroubleLimited {
		if said.RetryAfter <= 0 {
			said.RetryAfter = window
		}
		said.RetryAfter = min(said.RetryAfter, maxClosed)
		c.close(s.name, now.Add(said.RetryAfter))
	}
	said.URL = clean(said.URL)
	if said.Err != nil {
		if text := clean(said.Err.Error()); text != said.Err.Error() {
			said.Err = errors.New(text)
		}
	}
	return &said
}

// window is how long we stay away from a service that names no time. It is the
// length of Hugging Face's windows (https://huggingface.co/docs/hub/rate-limits).
const window = 5 * time.Minute

// askReset asks GitHub how long its limit stays used up, 0 if it is not. The
// question itself is free.
// Source: https://docs.github.com/rest/rate-limit/rate-limit
func (c *Client) askReset(ctx context.Context, now time.Time) time.Duration {
	header := make(http.Header)
	if token := c.gh.token(); token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.get.Get(ctx, feeds.Request{URL: c.gh.at(nil, "rate_limit"), Accept: "application/json", Header: header, MaxBytes: maxCard})
	if err != nil {
		return 0 // then the 403 stands as it is
	}
	var a struct {
		Resources struct {
			Core struct {
				Remaining int   `json:"remaining"`
				Reset     int64 `json:"reset"`
			} `json:"core"`
		} `json:"resources"`
	}
	if object(resp.Body, &a) != nil || a.Resources.Core.Remaining > 0 || a.Resources.Core.Reset <= 0 {
		return 0
	}
	return min(max(time.Unix(a.Resources.Core.Reset, 0).Sub(now), time.Second), maxClosed)
}

// lookUp gets one JSON object into v. What the service does not have is ErrNotFound.
func (c *Client) lookUp(ctx context.Context, s service, what, address string, v any) error {
	resp, err := c.fetch(ctx, s, feeds.Request{URL: address, Accept: "application/json", MaxBytes: maxCard})
	switch feeds.TroubleOf(err) {
	case "":
	case feeds.TroubleGone:
		return fmt.Errorf("looking up %s: %w: %w", what, ErrNotFound, err)
	case feeds.TroubleDenied:
		if s.name == c.hf.name && s.token() == "" { // it answers 401 for what does not exist, and for what is private
			return fmt.Errorf("looking up %s: %w: %w", what, ErrNotFound, err)
		}
	}
	if err != nil {
		return fmt.Errorf("looking up %s: %w", what, err)
	}
	if err := object(resp.Body, v); err != nil {
		return fmt.Errorf("looking up %s: %w", what, badAnswer(err, s))
	}
	return nil
}

// object decodes a JSON object.
func object(body []byte, v any) error {
	if err := notJSON(body, '{'); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("the answer is not the JSON that was expected: " + clip(err.Error(), 200))}
	}
	return nil
}

// notJSON says what a body is that does not begin as the wanted JSON.
func notJSON(body []byte, want byte) error {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("the answer is empty")}
	case body[0] == want:
		return nil
	case body[0] == '<':
		return &feeds.Trouble{Kind: feeds.TroubleNotAFeed, Err: errors.New("a web page in place of JSON")}
	case body[0] == '{':
		var said struct{ Error, Message text }
		if json.Unmarshal(body, &said) == nil && said.Error+said.Message != "" {
			return &feeds.Trouble{Kind: feeds.TroubleRefused, Err: errors.New("the service answers: " + clip(string(said.Error+said.Message), 200))}
		}
	}
	return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("the answer is not the JSON that was expected")}
}

// badAnswer puts the service's address on a trouble with its answer.
func badAnswer(err error, s service) error {
	var t *feeds.Trouble
	if errors.As(err, &t) && t.URL == "" {
		said := *t
		said.URL = s.base.String()
		return &said
	}
	return err
}
