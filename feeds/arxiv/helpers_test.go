package arxiv

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"seedcorn/feeds"
)

// getter is the least [feeds.Getter]: the real one lives in package fetch.
type getter struct{}

func (getter) Get(ctx context.Context, req feeds.Request) (feeds.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, req.URL, nil)
	if err != nil {
		return feeds.Response{}, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return feeds.Response{}, &feeds.Trouble{Kind: feeds.TroubleNetwork, URL: req.URL, Err: err}
	}
	defer resp.Body.Close()
	kind := feeds.TroubleStatus
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified:
		kind = ""
	case http.StatusNotFound, http.StatusGone:
		kind = feeds.TroubleGone
	case http.StatusTooManyRequests:
		kind = feeds.TroubleLimited
	}
	if kind != "" {
		return feeds.Response{}, &feeds.Trouble{Kind: kind, URL: req.URL, Status: resp.StatusCode, Err: fmt.Errorf("no answer")}
	}
	body, err := io.ReadAll(resp.Body)
	return feeds.Response{Status: resp.StatusCode, URL: resp.Request.URL.String(), Header: resp.Header, Body: body}, err
}

// serve starts a site on loopback for one test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// countingGate lets everyone pass and counts.
type countingGate struct {
	entered, inside, most int
	keys                  map[string]int
}

func (g *countingGate) Enter(ctx context.Context, key string) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if g.keys == nil {
		g.keys = make(map[string]int)
	}
	g.keys[key]++
	g.entered++
	g.inside++
	g.most = max(g.most, g.inside)
	return func() { g.inside-- }, nil
}
