package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/digest"
)

// A locked buffer, for a process whose output is read while it runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve pulls what is due and prints the digest that is overdue, once; started
// again, it has nothing to say.
func TestServePrintsWhatIsDueOnce(t *testing.T) {
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv(testManners, "1ms")
	cfg := demoConfig(base, filepath.Join(t.TempDir(), "serve.db"))
	cfg.Listen = "127.0.0.1:0"
	var out lockedBuffer
	a := &app{in: strings.NewReader(""), out: &out, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.db.PutSources(t.Context(), demosite.Sources(base)); err != nil {
		t.Fatal(err)
	}
	// A subscription whose Monday was three weeks ago: the digests in between were missed.
	sub, err := w.newSubscription("", "weekly", "UTC", time.Now().AddDate(0, 0, -21))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.PutSubscription(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	serveUntil := func(done func() bool) {
		t.Helper()
		w, err := a.openWith(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.serve(ctx, w, everything(t)) }()
		for deadline := time.Now().Add(90 * time.Second); !done() && time.Now().Before(deadline); {
			select {
			case err := <-ended:
				t.Fatalf("serve ended by itself: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}
	serveUntil(func() bool { return strings.Contains(out.String(), "SMALL PRINT") })
	text := out.String()
	if n := strings.Count(text, "SMALL PRINT"); n != 1 {
		t.Fatalf("%d digests were printed, want 1:\n%s", n, text)
	}
	if !strings.Contains(text, "This digest covers") || !strings.Contains(text, "BUILD ON IT") {
		t.Errorf("the digest does not say that it covers missed periods, or has no works:\n%s", text)
	}
	// A second process finds it said.
	began := time.Now()
	serveUntil(func() bool { return time.Since(began) > 2*time.Second })
	if n := strings.Count(out.String(), "SMALL PRINT"); n != 1 {
		t.Errorf("%d digests were printed after a restart, want 1", n)
	}
	w, err = a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	ds, err := w.db.Deliveries(t.Context(), digest.Sent, 10)
	if err != nil || len(ds) != 1 {
		t.Errorf("%d deliveries are sent (%v), want 1", len(ds), err)
	}
	subs, err := w.db.Subscriptions(t.Context())
	if err != nil || len(subs) != 1 || !subs[0].Next.After(time.Now()) {
		t.Errorf("subscriptions %+v (%v): the next one must lie ahead", subs, err)
	}
}

func everything(t *testing.T) roleSet {
	t.Helper()
	has, err := parseRoles(nil)
	if err != nil {
		t.Fatal(err)
	}
	return has
}

func TestHealthPages(t *testing.T) {
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), demoConfig("http://127.0.0.1:1", filepath.Join(t.TempDir(), "health.db")))
	if err != nil {
		t.Fatal(err)
	}
	mux := healthPage(w, time.Now)
	get := func(path string) (int, map[string]any) {
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		var body map[string]any
		_ = json.Unmarshal(rec.Body.Bytes(), &body)
		return rec.Code, body
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := get(path); code != 200 || body["status"] != "ok" {
			t.Errorf("%s: %d %v", path, code, body)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if code, _ := get("/readyz"); code != 503 {
		t.Errorf("/readyz with the database closed: %d, want 503", code)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("/healthz with the database closed: %d, want 200", code)
	}
}
