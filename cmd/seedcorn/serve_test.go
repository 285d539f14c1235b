package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"seedcorn/bot/discord"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/cmd/seedcorn/internal/hostile"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/digest/store"
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
	var fault atomic.Pointer[jobs.Fault]
	mux := healthPage(w, time.Now, fault.Load)
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
	fault.Store(&jobs.Fault{Since: time.Unix(1, 0), Err: store.ErrFull, Hint: w.unwritable(store.ErrFull)})
	if code, body := get("/readyz"); code != 503 || body["since"] != "1970-01-01T00:00:01Z" || !strings.HasPrefix(fmt.Sprint(body["hint"]), "make room") {
		t.Errorf("/readyz with a full disk: %d %v", code, body)
	}
	fault.Store(nil)
	if code, _ := get("/readyz"); code != 200 {
		t.Errorf("/readyz afterwards: %d", code)
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

// A subscription that is edited keeps what it does not name, and its cursor: the next
// digest begins where the last one ended.
func TestSubscriptionsEdit(t *testing.T) {
	cfg := demoConfig("http://127.0.0.1:1", filepath.Join(t.TempDir(), "edit.db"))
	t.Setenv(prefix+"DATABASE_URL", cfg.DatabaseURL)
	cli := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(append([]string{"subscriptions"}, args...), strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	if code, out := cli("add", "--cadence", "Mondays at 9", "--zone", "Europe/Paris", "country:CN"); code != 0 {
		t.Fatal(out)
	}
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	was, err := w.db.Subscriptions(t.Context())
	if err != nil || len(was) != 1 {
		t.Fatal(was, err)
	}
	id := string(was[0].ID)
	for _, tt := range []struct {
		args                 []string
		code                 int
		say                  string
		query, cadence, zone string // afterwards
	}{
		{[]string{"--cadence", "Fridays at 16"}, 0, "changed", "country:CN", "0 16 * * 5", "Europe/Paris"},
		{[]string{"--query", "country:FR"}, 0, "France", "country:FR", "0 16 * * 5", "Europe/Paris"},
		{[]string{"--zone", "Asia/Tokyo"}, 0, "changed", "country:FR", "0 16 * * 5", "Asia/Tokyo"},
		{nil, 2, "hint: --query", "country:FR", "0 16 * * 5", "Asia/Tokyo"},
		{[]string{"--cadence", "TZ=0"}, 2, "hint: such as", "country:FR", "0 16 * * 5", "Asia/Tokyo"},
		{[]string{"--zone", "Mars/Olympus"}, 2, "IANA", "country:FR", "0 16 * * 5", "Asia/Tokyo"},
		{[]string{"--query", "openess:open"}, 2, "column", "country:FR", "0 16 * * 5", "Asia/Tokyo"},
	} {
		code, out := cli(append([]string{"edit", id}, tt.args...)...)
		if code != tt.code || !strings.Contains(out, tt.say) {
			t.Errorf("edit %q: exit %d, want %d and %q:\n%s", tt.args, code, tt.code, tt.say, out)
		}
		s, err := w.db.Subscription(t.Context(), was[0].ID)
		if err != nil || s.Query != tt.query || s.Cadence != tt.cadence || s.Zone != tt.zone {
			t.Errorf("edit %q made %+v (%v)", tt.args, s, err)
		}
		c, err := jobs.ParseCadence(s.Cadence, s.Zone)
		if err != nil || !s.Cursor.Equal(was[0].Cursor) || !s.Next.Equal(c.Next(time.Now())) {
			t.Errorf("edit %q: cursor %v, next %v (%v)", tt.args, s.Cursor, s.Next, err)
		}
	}
}

// A digest is composed while somebody changes the subscription: what is written back
// does not make it told twice.
func TestChangeDuringDigest(t *testing.T) {
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), demoConfig("http://127.0.0.1:1", filepath.Join(t.TempDir(), "change.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	read, err := w.newSubscription("", "daily", "UTC", time.Now().AddDate(0, 0, -2))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.PutSubscription(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	period := digest.Period{From: read.Cursor, To: read.Next}
	next := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	if _, err := w.db.SaveDigest(t.Context(), read, digest.Digest{Period: period}, next); err != nil {
		t.Fatal(err)
	}
	read.Query = "country:CN"
	if err := (desk{world: w, now: a.now}).PutSubscription(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	s, err := w.db.Subscription(t.Context(), read.ID)
	if err != nil || s.Query != "country:CN" || s.Cursor.Before(period.To.Truncate(time.Millisecond)) || !s.Next.Equal(next) {
		t.Errorf("%+v (%v): want the change, a cursor at %v and the next digest at %v", s, err, period.To, next)
	}
}

// A process without the role web has no pages, but answers probes.
func TestServeWithoutPages(t *testing.T) {
	for role, want := range map[string]int{"web": 200, "maintain": 404} {
		cfg := demoConfig("http://127.0.0.1:1", filepath.Join(t.TempDir(), "roles.db"))
		cfg.Listen = "127.0.0.1:0"
		var logs lockedBuffer
		cfg.LogLevel = "info"
		a := &app{in: strings.NewReader(""), out: io.Discard, errs: &logs, now: time.Now}
		w, err := a.openWith(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		has, err := parseRoles([]string{role})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.serve(ctx, w, has) }()
		address := ""
		for deadline := time.Now().Add(30 * time.Second); address == "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if _, rest, ok := strings.Cut(logs.String(), " at=http://"); ok {
				address, _, _ = strings.Cut(rest, "/")
			}
		}
		for path, code := range map[string]int{"/healthz": 200, "/readyz": 200, "/": want} {
			r, err := http.Get("http://" + address + path)
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != code {
				t.Errorf("role %s, %s: %d, want %d", role, path, r.StatusCode, code)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}
}

// Who could not register the commands at the start does so later, while the gateway's
// connection stands: without commands there is nothing to be asked.
func TestCommandsAreRegisteredAgain(t *testing.T) {
	n := newNewsroom(t)
	d := n.platforms[discord.Name].(*discord.Adapter)
	var refused atomic.Int32
	n.discord.Change(func(r *hostile.Rules) {
		r.Fault = func(c hostile.Call) hostile.Fault {
			if strings.HasSuffix(c.Method, "/commands") && refused.Add(1) <= 3 {
				return hostile.InsteadLimit
			}
			return hostile.None
		}
	})
	if n.w.registerOnDiscord(t.Context(), d, time.Second) {
		t.Fatal("registered, though it was refused")
	}
	n.w.registerAgain(t.Context(), d, time.Millisecond)
	if changed, err := d.Register(t.Context()); changed || err != nil {
		t.Errorf("nothing had been registered: changed %v, error %v", changed, err)
	}
	if logs := n.logs.String(); !strings.Contains(logs, "commands registered") || refused.Load() < 4 {
		t.Errorf("after %d calls the log says:\n%s", refused.Load(), logs)
	}
}
