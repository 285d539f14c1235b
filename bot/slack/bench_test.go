package slack

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/bot"
)

// BenchmarkHTTPAck sends two hundred signed commands a second over loopback, each
// answered with a digest.
func BenchmarkHTTPAck(b *testing.B) {
	a, _ := newAdapter(b, newFake(b), nil)
	doc := everything()
	srv := httptest.NewServer(a.Handler(handler(func(context.Context, bot.Invocation) bot.Reply { return bot.Reply{Document: doc} })))
	defer srv.Close()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var took []time.Duration
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	i := 0
	for b.Loop() {
		<-tick.C
		i++
		r := signedRequest("/slack/commands", slash(fmt.Sprintf("latest %d", i)), time.Now())
		req, err := http.NewRequest(http.MethodPost, srv.URL+"/slack/commands", r.Body)
		if err != nil {
			b.Fatal(err)
		}
		req.Header = r.Header
		wg.Go(func() {
			began := time.Now()
			resp, err := srv.Client().Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Errorf("status %d", resp.StatusCode)
			}
			mu.Lock()
			took = append(took, time.Since(began))
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}

type manyTokens map[string]string

func (m manyTokens) Token(_ context.Context, workspace string) (string, error) {
	if t, ok := m[workspace]; ok {
		return t, nil
	}
	return "", ErrNoToken
}

// BenchmarkWorkspaces reports what a thousand workspaces of ten people each leave in
// memory after each of them has asked something.
func BenchmarkWorkspaces(b *testing.B) {
	for b.Loop() {
		tokens := manyTokens{}
		for i := range 1000 {
			tokens[fmt.Sprintf("T%d", i)] = fmt.Sprintf("xoxb-%d-%s", i, strings.Repeat("x", 40))
		}
		f := newFake(b)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		a, _ := newAdapter(b, f, func(o *Options) { o.Tokens = tokens })
		e := handler(func(context.Context, bot.Invocation) bot.Reply { return say("ok") })
		for i := range 1000 {
			for j := range 10 {
				raw := fmt.Sprintf(`{"team_id":"T%d","channel_id":"C1","user_id":"U%d","text":"help"}`, i, j)
				if _, err := a.take(b.Context(), e, kindCommand, fmt.Sprintf("%d.%d", i, j), []byte(raw)); err != nil {
					b.Fatal(err)
				}
			}
			f.calls = nil
		}
		settle(a)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB")
		runtime.KeepAlive(a)
	}
}
