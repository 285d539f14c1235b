package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An api calls the Web API: one request for one call, and no second one whatever
// becomes of it. slack-go would do for most methods, but a post needs two things
// that it does not tell: whether the request can have left, and the exact bytes.
type api struct {
	base string // https://slack.com/api/
	site string // https://slack.com, whose pages ask a person
	host string
	http *http.Client
}

// A callError is a call that failed.
type callError struct {
	Method string
	Code   string        // Slack's own word: "channel_not_found"; "" if it said none
	Needed string        // the scope that was missing
	Detail string        // what blocks.validate found
	Status int           // of HTTP; 0 without an answer
	After  time.Duration // Retry-After
	Left   bool          // the request may have reached Slack
	Err    error
}

func (e *callError) Error() string {
	switch {
	case e.Code != "" && e.Detail != "":
		return fmt.Sprintf("calling %s: %s: %s", e.Method, e.Code, e.Detail)
	case e.Code != "" && e.Needed != "":
		return fmt.Sprintf("calling %s: %s (needs %s)", e.Method, e.Code, e.Needed)
	case e.Code != "":
		return fmt.Sprintf("calling %s: %s", e.Method, e.Code)
	case e.Err != nil:
		return fmt.Sprintf("calling %s: %v", e.Method, e.Err)
	}
	return fmt.Sprintf("calling %s: HTTP status %d", e.Method, e.Status)
}

func (e *callError) Unwrap() error { return e.Err }

// code is Slack's word in err, or "".
func code(err error) string {
	var e *callError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// call calls a method with arguments as JSON, or as a form if args is url.Values:
// the methods that read take nothing else
// (https://docs.slack.dev/apis/web-api/#methods_supporting_json). The answer is
// decoded into out, unless that is nil. The error is a *callError. The headers are
// there whenever there was an answer.
func (c *api) call(ctx context.Context, token, method string, args, out any) (http.Header, error) {
	var body []byte
	kind := "application/json; charset=utf-8"
	switch args := args.(type) {
	case url.Values:
		body, kind = []byte(args.Encode()), "application/x-www-form-urlencoded"
	case json.RawMessage:
		body = args
	default:
		var err error
		if body, err = encode(args); err != nil {
			return nil, &callError{Method: method, Err: err}
		}
	}
	left := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Once there is a connection, bytes may have gone out whatever the error says.
		GotConn: func(httptrace.GotConnInfo) { left = true },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+method, bytes.NewReader(body))
	if err != nil {
		return nil, &callError{Method: method, Err: errors.New("making the request")}
	}
	req.Header.Set("Content-Type", kind)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &callError{Method: method, Left: left, Err: bare(err)}
	}
	defer resp.Body.Close()
	fail := func(e callError) (http.Header, error) {
		e.Method, e.Status, e.Left, e.After = method, resp.StatusCode, true, retryAfter(resp.Header)
		return resp.Header, &e
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fail(callError{Err: fmt.Errorf("reading the answer: %w", bare(err))})
	}
	if len(raw) > maxAnswer {
		return fail(callError{Err: fmt.Errorf("an answer of more than %d bytes", maxAnswer)})
	}
	var said struct {
		OK     *bool  `json:"ok"`
		Error  string `json:"error"`
		Needed string `json:"needed"`
	}
	var faults struct {
		Errors []struct {
			Pointer string `json:"pointer"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(raw, &said); err != nil || said.OK == nil {
		return fail(callError{Err: fmt.Errorf("HTTP status %d without an answer of the API", resp.StatusCode)})
	}
	// An ok with another status is no answer of the API's.
	if !*said.OK || resp.StatusCode/100 != 2 {
		e := callError{Code: said.Error, Needed: said.Needed}
		if json.Unmarshal(raw, &faults) == nil { // other methods' errors are of other forms
			for _, f := range faults.Errors {
				e.Detail += fmt.Sprintf("at %s: %s; ", clip(tidy(f.Pointer), 80), clip(tidy(f.Message), 200))
			}
		}
		return fail(e)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			return fail(callError{Err: fmt.Errorf("reading the answer: %w", err)})
		}
	}
	return resp.Header, nil
}

// send posts to a response_url, whose address is a secret and stays out of errors.
// The error is a *callError.
func (c *api) send(ctx context.Context, hook string, body []byte) error {
	fail := func(e callError) error {
		e.Method = "response_url"
		return &e
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook, bytes.NewReader(body))
	if err != nil {
		return fail(callError{Err: errors.New("making the request")})
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(callError{Left: true, Err: bare(err)})
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fail(callError{Left: true, Status: resp.StatusCode, Err: fmt.Errorf("reading the answer: %w", bare(err))})
	}
	if resp.StatusCode != http.StatusOK {
		return fail(callError{Left: true, Status: resp.StatusCode, After: retryAfter(resp.Header)})
	}
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if json.Unmarshal(raw, &said) == nil && said.OK != nil && !*said.OK {
		return fail(callError{Left: true, Status: resp.StatusCode, Code: clip(tidy(said.Error), 60)})
	}
	return nil
}

// hookable reports whether a response_url is one of Slack's, so that nobody has us
// post into a private network.
func (c *api) hookable(hook string) bool {
	return c.slacks(hook, "hooks.slack.com", "hooks.slack-gov.com")
}

// slacks reports whether an address is the configured one's or, over TLS, one of hosts.
func (c *api) slacks(address string, hosts ...string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	return u.Host == c.host || u.Scheme == "https" && slices.Contains(hosts, strings.ToLower(u.Hostname()))
}

// bare is a transport's error without the address, which may hold a secret.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads Retry-After, which Slack gives in seconds
// (https://docs.slack.dev/apis/web-api/rate-limits).
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Hour)
}
