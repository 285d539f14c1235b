package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"seedcorn/feeds"
)

// getter is the least [feeds.Getter]: the real one lives in package fetch.
type getter struct{}

func (getter) Get(ctx context.Context, req feeds.Request) (feeds.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, req.URL, nil)
	if err != nil {
		return feeds.Response{}, err
	}
	for k, v := range req.Header {
		r.Header[k] = v
	}
	if req.ETag != "" {
		r.Header.Set("If-None-Match", req.ETag)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return feeds.Response{}, &feeds.Trouble{Kind: feeds.TroubleNetwork, URL: req.URL, Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return feeds.Response{}, &feeds.Trouble{Kind: feeds.TroubleNetwork, URL: req.URL, Err: err}
	}
	if req.MaxBytes > 0 && int64(len(body)) > req.MaxBytes {
		return feeds.Response{}, &feeds.Trouble{Kind: feeds.TroubleTooLarge, URL: req.URL}
	}
	var kind feeds.TroubleKind
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified:
		sum := sha256.Sum256(body)
		return feeds.Response{
			Status: resp.StatusCode, URL: resp.Request.URL.String(), Header: resp.Header, ETag: resp.Header.Get("ETag"),
			Body: body, Hash: hex.EncodeToString(sum[:]),
		}, nil
	case http.StatusNotFound, http.StatusGone:
		kind = feeds.TroubleGone
	case http.StatusTooManyRequests:
		kind = feeds.TroubleLimited
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = feeds.TroubleDenied
	default:
		kind = feeds.TroubleStatus
	}
	wait, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return feeds.Response{}, &feeds.Trouble{
		Kind: kind, URL: req.URL, Status: resp.StatusCode, RetryAfter: time.Duration(wait) * time.Second, Err: errors.New("asked " + req.URL),
	}
}

// world is a hub on loopback: answers by path, and a record of what was asked.
type world struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []*http.Request
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, answers: make(map[string]http.HandlerFunc)}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked = append(w.asked, r)
		h := w.answers[r.URL.Path]
		w.mu.Unlock()
		if h == nil {
			http.NotFound(rw, r)
			return
		}
		h(rw, r)
	}))
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

// json answers a path with a body, under an ETag made of it.
func (w *world) json(path, body string) {
	w.on(path, func(rw http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(body))
		tag := `"` + hex.EncodeToString(sum[:4]) + `"`
		rw.Header().Set("ETag", tag)
		rw.Header().Set("Content-Type", "application/json")
		if r.Header.Get("If-None-Match") == tag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(rw, body)
	})
}

func (w *world) on(path string, h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[path] = h
}

func (w *world) status(path string, code int, header ...string) {
	w.on(path, func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(code)
	})
}

// count returns how often a path was asked for.
func (w *world) count(path string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.asked {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func (w *world) client(opt Options) *Client {
	w.t.Helper()
	opt.HuggingFace, opt.GitHub, opt.OpenAlex = w.url, w.url, w.url
	c, err := New(getter{}, opt)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}
