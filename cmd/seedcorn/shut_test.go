package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

// A member who asked in a channel to be told alone, and has closed the direct messages
// since: the channel is told so once, in a message that calls nobody, and the
// subscription is paused. Resumed with the door still closed, it is paused again, and
// nobody is told a second time.
func TestClosedDoor(t *testing.T) {
	const member, door, channel = "300000000000000001", "400000000000000001", "100000000000000001"
	var mu sync.Mutex
	var public []string
	knocks := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "/users/@me/channels"):
			fmt.Fprintf(rw, `{"id":%q,"type":1}`, door)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/channels/"+door+"/messages"):
			knocks++
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprint(rw, `{"code":50007,"message":"Cannot send messages to this user"}`)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/channels/"+channel+"/messages"):
			public = append(public, string(body))
			fmt.Fprintf(rw, `{"id":"50000000000000000%d","channel_id":%q}`, len(public), channel)
		default:
			rw.WriteHeader(http.StatusNotFound)
			fmt.Fprint(rw, `{"code":0,"message":"404: Not Found"}`)
		}
	}))
	defer server.Close()
	cfg, err := loadConfig([]string{
		prefix + "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "shut.db"),
		prefix + "DISCORD_URL=" + server.URL, prefix + "DISCORD_TOKEN=t", prefix + "DISCORD_CHARTS=text",
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: func() time.Time { return now }}
	w, err := a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	router := bot.NewRouter(desk{w, a.now}, w.log)
	platforms, err := a.platforms(w, router)
	if err != nil {
		t.Fatal(err)
	}
	asker := bot.Person{ID: member, Name: "Ada @everyone", Direct: digest.Destination{Platform: "discord", Workspace: "@" + member, Channel: "@" + member, Direct: true}}
	place := bot.Place{Platform: "discord", Workspace: "200000000000000001", Channel: channel, Guarded: true}
	ask := func(command string, args map[string]string) string {
		return router.Handle(t.Context(), bot.Invocation{ID: "1", Place: place, Asker: asker, Command: command, Args: args}).Document.Summary
	}
	if say := ask("follow", map[string]string{"query": "country:FR", "when": "daily"}); say != "Subscribed" {
		t.Fatalf("follow is answered with %q", say)
	}
	subs, err := w.db.Subscriptions(t.Context())
	if err != nil || len(subs) != 1 || subs[0].Asked != place.Destination() || subs[0].Destination != asker.Direct {
		t.Fatalf("%+v, %v", subs, err)
	}
	for round := range 3 {
		now = now.Add(24 * time.Hour)
		sub, err := w.db.Subscription(t.Context(), subs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		d := digest.Digest{Title: "Today", Period: digest.Period{From: sub.Cursor, To: now}, Composed: now}
		parts, err := platforms.render(sub.Destination, bot.Digest(d))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.db.SaveDigest(t.Context(), sub, d, now.Add(24*time.Hour), parts...); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := w.deliveries(a, platforms).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		if knocks != round+1 || len(public) != 1 {
			t.Fatalf("round %d: knocked %d times, told the channel %d times", round, knocks, len(public))
		}
		mu.Unlock()
		if sub, err = w.db.Subscription(t.Context(), sub.ID); err != nil || !sub.PausedUntil.After(now) {
			t.Fatalf("round %d: paused until %v, %v", round, sub.PausedUntil, err)
		}
		if say := ask("resume", map[string]string{"subscription": string(sub.ID)}); say != "Resumed 1 subscription." {
			t.Fatalf("resume is answered with %q", say)
		}
	}
	var notice struct {
		Components json.RawMessage
		Mentions   struct{ Parse, Users, Roles []string } `json:"allowed_mentions"`
	}
	if err := json.Unmarshal([]byte(public[0]), &notice); err != nil {
		t.Fatal(err)
	}
	if m := notice.Mentions; m.Parse == nil || len(m.Parse)+len(m.Users)+len(m.Roles) > 0 {
		t.Errorf("the notice may call somebody: %s", public[0])
	}
	text := string(notice.Components)
	if !strings.Contains(text, "Ada") || strings.Contains(text, "@everyone") || strings.Contains(text, "FR") || !strings.Contains(text, "resume "+string(subs[0].ID)) {
		t.Errorf("the notice says %s", text)
	}
}
