package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/bot/web"
	"seedcorn/digest"
)

// Who reads which digest: those of channels, without what says the same; nobody what
// went to one person; who has signed in, those of their own workspaces.
func TestArchiveReaders(t *testing.T) {
	cfg, err := loadConfig([]string{prefix + "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()

	monday := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	names := map[digest.DigestID]string{}
	say := func(name string, to digest.Destination, query string, week int, parts ...digest.Part) digest.SubscriptionID {
		t.Helper()
		p := digest.Period{From: monday.AddDate(0, 0, 7*(week-1)), To: monday.AddDate(0, 0, 7*week)}
		sub := digest.Subscription{ID: digest.SubscriptionID("s" + name), Destination: to, Query: query, Cadence: "0 9 * * 1", Zone: "UTC", Created: p.From, Cursor: p.From, Next: p.To}
		if err := w.db.PutSubscription(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		id, err := w.db.SaveDigest(t.Context(), sub, digest.Digest{Title: name, Query: query, Period: p, Composed: p.To}, p.To.AddDate(0, 0, 7), parts...)
		if err != nil {
			t.Fatal(err)
		}
		names[id] = name
		return sub.ID
	}
	channel := func(platform, workspace string) digest.Destination {
		return digest.Destination{Platform: platform, Workspace: workspace, Channel: "C1"}
	}
	part := digest.Part{Payload: []byte("{}"), Summary: "one"}
	say("old", channel("slack", "T1"), "country:FR", -1)
	say("theirs", channel("slack", "T2"), "country:CN", 0)
	ended := say("ended", channel("slack", "T1"), "country:DE", 0, part)
	lost := say("lost", channel("slack", "T1"), "country:JP", 0)
	say("private", digest.Destination{Platform: "slack", Workspace: "T1", Channel: "U1", Direct: true}, "country:GB", 0, part)
	say("server", channel("discord", "T1"), "country:KR", 0)
	say("same1", channel("slack", "T1"), "", 0)
	say("same2", digest.Destination{Platform: "slack", Workspace: "T1", Channel: "C2"}, "", 0)
	say("own", digest.Destination{Platform: "terminal"}, "country:US", 0)
	for _, id := range []digest.SubscriptionID{ended, lost} {
		if err := w.db.DeleteSubscription(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}

	for _, tt := range []struct {
		name string
		who  *bot.Reader
		list []string // the pair that says the same is one of them
		read []string
	}{
		{"anyone", nil, []string{"ended", "old", "own", "same", "server", "theirs"}, []string{"ended", "old", "own", "same1", "same2", "server", "theirs"}},
		{"a member", &bot.Reader{Platform: "slack", ID: "U1", Workspaces: []string{"T1"}}, []string{"ended", "old", "own", "same"}, []string{"ended", "old", "own", "same1", "same2"}},
		{"a member elsewhere", &bot.Reader{Platform: "discord", ID: "U1", Workspaces: []string{"T1"}}, []string{"own", "server"}, []string{"own", "server"}},
		{"a member of nothing", &bot.Reader{Platform: "slack", ID: "U9"}, []string{"own"}, []string{"own"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if tt.who != nil {
				ctx = web.WithReader(ctx, *tt.who)
			}
			shelf := archive{w.db}
			editions, err := shelf.Digests(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			listed := map[string]bool{}
			for i, e := range editions {
				listed[strings.TrimRight(e.Title, "12")] = true
				if i > 0 && e.Period.To.After(editions[i-1].Period.To) {
					t.Error("not newest first")
				}
			}
			if len(editions) != len(tt.list) {
				t.Errorf("%d listed, want %d", len(editions), len(tt.list))
			}
			if diff := cmp.Diff(set(tt.list), listed); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
			if some, err := shelf.Digests(ctx, 1); err != nil || len(some) != 1 {
				t.Errorf("one listed: %d, %v", len(some), err)
			}
			read := map[string]bool{}
			for id, name := range names {
				d, ok, err := shelf.Digest(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					read[name] = true
				}
				if ok != (d.Title == name) {
					t.Errorf("%s: ok %t with the title %q", name, ok, d.Title)
				}
			}
			if diff := cmp.Diff(set(tt.read), read); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
	if _, ok, err := (archive{w.db}).Digest(context.Background(), "dnone"); ok || err != nil {
		t.Errorf("a digest that is not there: %t, %v", ok, err)
	}
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

func TestLoginConfig(t *testing.T) {
	const login, at, key = prefix + "WEB=login", prefix + "WEB_URL=https://b.example", prefix + "SECRET_KEY=" + testKeyA
	slackWay := []string{prefix + "SLACK_CLIENT_ID=1", prefix + "SLACK_CLIENT_SECRET=s", prefix + "SLACK_SIGNING_SECRET=x"}
	discordWay := []string{prefix + "DISCORD_TOKEN=t", prefix + "DISCORD_CLIENT_SECRET=s", prefix + "DISCORD_APPLICATION_ID=1"}
	for _, tt := range []struct {
		name string
		env  []string
		want string // in the error; "" for none
	}{
		{"by one", append(slackWay, login, at, key), ""},
		{"by the other", append(discordWay, login, at, key), ""},
		{"without a platform", []string{login, at, key}, "a platform to sign in with"},
		{"without an address", append(discordWay, login, key), prefix + "WEB_URL"},
		{"without a key", append(discordWay, login, at), "openssl rand"},
		{"without a bot", append(discordWay[1:], login, at, key), "a platform to sign in with"},
		{"without an id", append(discordWay[:2:2], login, at, key), "DISCORD_APPLICATION_ID"},
		{"a proxy", []string{prefix + "WEB=proxy", prefix + "WEB_PROXIES=10.0.0.0/8,192.0.2.7"}, ""},
		{"a proxy by name", []string{prefix + "WEB_PROXIES=proxy.example"}, "neither an address nor a network"},
		{"a slip", []string{prefix + "WEB=logins"}, "none of off, loopback, public, login, proxy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := loadConfig(append(tt.env[:len(tt.env):len(tt.env)], prefix+"DATABASE_URL=sqlite:x"))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if tt.name == "a proxy" && (len(c.proxies()) != 2 || c.proxies()[1].String() != "192.0.2.7/32") {
				t.Errorf("proxies %v", c.proxies())
			}
		})
	}
}

// A preview is drawn from what is posted, byte for byte, the way into the archive
// included; only the id of the digest is not known before there is one.
func TestPreviewIsWhatIsPosted(t *testing.T) {
	n := newNewsroom(t, prefix+"WEB=public", prefix+"WEB_URL=https://b.example/")
	for i, name := range []string{"slack", "discord"} {
		subs, err := n.w.db.Subscriptions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(subs, func(s digest.Subscription) bool { return s.Destination.Platform == name })
		ds, err := n.w.db.Digests(t.Context(), digest.SubscriptionID(fmt.Sprint("s", i)), 1)
		if err != nil || len(ds) != 1 || at < 0 {
			t.Fatal(err, len(ds), at)
		}
		_, parts, err := n.w.rendered(name, subs[at].Destination, ds[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		_, stand, err := n.w.db.Amended(t.Context(), ds[0].ID)
		if err != nil || len(stand) != len(parts) {
			t.Fatalf("%s: %d parts posted, %d shown, %v", name, len(stand), len(parts), err)
		}
		for k, p := range parts {
			shown := strings.ReplaceAll(string(p.Payload), string(digest.ThisDigest), string(ds[0].ID))
			if diff := cmp.Diff(string(stand[k].Payload), shown); diff != "" {
				t.Errorf("%s, part %d (-posted +shown):\n%s", name, k, diff)
			}
		}
		page, err := n.w.pageOf(name, subs[at].Destination, ds[0].Digest)
		if err != nil || !strings.Contains(string(page), "https://b.example/digest/") {
			t.Errorf("%s: %v, no way into the archive on the page", name, err)
		}
	}
}

// A posted digest leads to itself in the archive, where others can read that, on every
// platform and after a correction, too; what goes to one person, or stands on pages
// that nobody else can open, leads nowhere.
func TestDigestLeadsToTheArchive(t *testing.T) {
	const at = "https://b.example/digest/"
	n := newNewsroom(t, prefix+"WEB=public", prefix+"WEB_URL=https://b.example/")
	for i, name := range []string{"slack", "discord"} {
		ds, err := n.w.db.Digests(t.Context(), digest.SubscriptionID(fmt.Sprint("s", i)), 1)
		if err != nil || len(ds) != 1 {
			t.Fatal(err)
		}
		own := at + string(ds[0].ID)
		leads := func() {
			t.Helper()
			_, stand, err := n.w.db.Amended(t.Context(), ds[0].ID)
			if err != nil || len(stand) != 1 {
				t.Fatalf("%s: %+v, %v", name, stand, err)
			}
			if text := string(stand[0].Payload); strings.Count(text, at) != 1 || !strings.Contains(text, own) {
				t.Errorf("%s: no way to %s in %s", name, own, text)
			}
		}
		leads()
		page := httptest.NewRecorder()
		n.a.pages(n.w, n.platforms).ServeHTTP(page, httptest.NewRequest(http.MethodGet, own, nil))
		if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "A model of some size") {
			t.Errorf("%s: status %d, %s", own, page.Code, page.Body)
		}
		n.correct("country", []string{"DE", "US"}[i])
		n.later(2 * time.Minute)
		n.reads(i+1, "corrected on", "This digest in the archive")
		leads()
	}

	said := func(to digest.Destination, d digest.Digest, web, url string) string {
		n.w.cfg.Web, n.w.cfg.WebURL = web, url
		var b strings.Builder
		if err := message.HTML(&b, n.w.posted(to, d)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	to := digest.Destination{Platform: "slack", Workspace: "T1", Channel: slackChannel}
	direct := to
	direct.Direct = true
	for _, tt := range []struct {
		to       digest.Destination
		web, url string
		leads    bool
	}{
		{to, "public", "https://b.example", true},
		{to, "login", "https://b.example", true},
		{to, "proxy", "https://b.example", true},
		{direct, "public", "https://b.example", false},
		{to, "public", "", false},
		{to, "loopback", "https://b.example", false},
		{to, "off", "https://b.example", false},
	} {
		for _, d := range []digest.Digest{{Title: "This week"}, {}} {
			if text := said(tt.to, d, tt.web, tt.url); strings.Contains(text, at+string(digest.ThisDigest)) != tt.leads {
				t.Errorf("%+v: %s", tt, text)
			}
		}
	}
}
