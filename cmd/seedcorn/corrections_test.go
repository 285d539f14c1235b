package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/cmd/seedcorn/internal/hostile"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/feeds"
)

// A newsroom is the whole program with both platforms on loopback, at a time of its own.
type newsroom struct {
	*testing.T
	a         *app
	w         *world
	platforms places
	router    *bot.Router
	ledger    *hostile.Ledger
	slack     *hostile.Slack
	discord   *hostile.Discord
	now       time.Time
	logs      *lockedBuffer
	work      digest.WorkID
}

const (
	slackChannel   = "C1"
	discordChannel = "101"
	discordGuild   = "9001"
)

// newNewsroom has composed and delivered a digest that tells about one model to a
// channel of each platform and to the terminal.
func newNewsroom(t *testing.T, more ...string) *newsroom {
	t.Helper()
	n := &newsroom{T: t, ledger: hostile.NewLedger(), now: time.Now().UTC().Truncate(time.Second), logs: &lockedBuffer{}}
	var err error
	if n.slack, err = hostile.NewSlack(hostile.Rules{Second: -1}, n.ledger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.slack.Close)
	if n.discord, err = hostile.NewDiscord(hostile.Rules{Second: -1}, n.ledger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.discord.Close)
	cfg, err := loadConfig(append([]string{
		prefix + "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "news.db"),
		prefix + "SLACK_URL=" + n.slack.URL, prefix + "SLACK_BOT_TOKEN=xoxb-1", prefix + "SLACK_SIGNING_SECRET=" + signing,
		prefix + "DISCORD_URL=" + n.discord.URL, prefix + "DISCORD_TOKEN=t", prefix + "DISCORD_CHARTS=text",
	}, more...))
	if err != nil {
		t.Fatal(err)
	}
	n.a = &app{in: strings.NewReader(""), out: io.Discard, errs: n.logs, now: func() time.Time { return n.now }}
	if n.w, err = n.a.openWith(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.w.close(); err != nil {
			t.Error(err)
		}
	})
	n.router = bot.NewRouter(desk{n.w, n.a.now}, n.w.log)
	if n.platforms, err = n.a.platforms(n.w, n.router); err != nil {
		t.Fatal(err)
	}
	n.visit("MIT", feeds.OpenWeights)
	found, err := n.w.db.FindWork(t.Context(), "lab/model")
	if err != nil || len(found) != 1 {
		t.Fatalf("%d works, %v", len(found), err)
	}
	n.work = found[0].ID
	for i, to := range []digest.Destination{
		{Platform: "slack", Workspace: "T1", Channel: slackChannel}, {Platform: "discord", Workspace: discordGuild, Channel: discordChannel}, {Platform: "terminal"},
	} {
		err := n.w.db.PutSubscription(t.Context(), digest.Subscription{
			ID: digest.SubscriptionID(fmt.Sprint("s", i)), Destination: to, Cadence: "0 9 * * *", Zone: "UTC", Owner: "ada",
			Created: n.now, Cursor: n.now.AddDate(0, 0, -7), Next: n.now,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.w.editions(n.a, n.platforms).Run(t.Context(), n.a.now()); err != nil {
		t.Fatal(err)
	}
	n.deliver()
	if len(n.stand()) != 2 {
		t.Fatalf("%d messages stand:\n%s", n.ledger.Len(), n.logs)
	}
	return n
}

// deliver posts what is due, and runs every errand.
func (n *newsroom) deliver() {
	n.Helper()
	for _, x := range append([]jobs.Errand{{Name: "deliver", Run: n.w.deliveries(n.a, n.platforms).Run}}, n.w.errands(n.a, n.platforms)...) {
		if _, err := x.Run(n.Context()); err != nil {
			n.Errorf("%s: %v", x.Name, err)
		}
	}
}

// visit is what a source says of the model.
func (n *newsroom) visit(license string, class feeds.Openness) {
	n.Helper()
	at := n.now.AddDate(0, 0, -3)
	const url = "https://huggingface.co/lab/model"
	e := digest.Entry{
		Item: feeds.Item{
			ID: feeds.NewItemID("hf:lab", "model"), Source: "hf:lab", Kind: feeds.ItemModel, GUID: "model", URL: url, Title: "A model of some size", Published: at, Seen: at,
			Summary: "It is a model.", Keys: []feeds.Key{{Scheme: feeds.KeyHF, Value: "lab/model"}},
		},
		Tags: feeds.Tags{
			Artifacts: []feeds.ArtifactTag{{Kind: feeds.Weights, URL: url, License: license, Openness: class, Basis: feeds.Declared}},
			Labs:      []feeds.Attribution{{Lab: "mistral", Name: "Mistral AI", Role: feeds.RoleReleaser, Home: "FR", Control: "FR", Basis: feeds.Publisher}},
		},
	}
	if _, err := n.w.db.Ingest(n.Context(), []digest.Arrival{{At: n.now, Entries: []digest.Entry{e}}}); err != nil {
		n.Fatal(err)
	}
}

// stand are the messages in the two channels, by platform.
func (n *newsroom) stand() map[string]hostile.Message {
	n.Helper()
	out := map[string]hostile.Message{}
	for _, m := range n.ledger.All() {
		if m.Channel != slackChannel && m.Channel != discordChannel {
			continue
		}
		if _, twice := out[m.Platform]; twice {
			n.Errorf("a second message on %s:\n%s", m.Platform, m.Text)
		}
		out[m.Platform] = m
	}
	return out
}

// later lets time pass and what is due be done.
func (n *newsroom) later(d time.Duration) {
	n.now = n.now.Add(d)
	n.deliver()
}

// reads holds both messages to what they say and how often they were edited.
func (n *newsroom) reads(edits int, want ...string) {
	n.Helper()
	for name, m := range n.stand() {
		if m.Edits != edits {
			n.Errorf("on %s it was edited %d times, not %d\n%s", name, m.Edits, edits, n.logs)
		}
		for _, w := range want {
			no := strings.HasPrefix(w, "!")
			if strings.Contains(strings.ReplaceAll(m.Text, `\`, ""), strings.TrimPrefix(w, "!")) == no {
				n.Errorf("on %s %q is missing or too much in:\n%s", name, w, m.Text)
			}
		}
	}
}

func (n *newsroom) correct(field, value string) {
	n.Helper()
	if _, err := n.w.correct(n.Context(), digest.Correction{Work: n.work, Field: field, Value: value, Because: "the paper says so", By: "Ada", At: n.now}); err != nil {
		n.Fatal(err)
	}
}

// A correction edits what stands on every platform, says who and why, and posts
// nothing; taken back, that is said, too.
func TestCorrectionEditsDigests(t *testing.T) {
	n := newNewsroom(t)
	n.reads(0, "MIT", "!corrected on")
	n.correct("country", "DE")
	n.later(30 * time.Second)
	n.reads(0, "!corrected on")
	n.correct("license", "Apache-2.0") // within the minute: one edit for both
	n.later(31 * time.Second)
	n.reads(1, "corrected on", "by Ada: country is Germany because the paper says so", "license is Apache-2.0", "Apache-2.0", "Corrected since it was posted")
	n.later(time.Hour)
	n.reads(1)
	n.correct("country", "")
	n.later(2 * time.Minute)
	n.reads(2, "correction of the country taken back", "license is Apache-2.0", "!is Germany")
	// The archive says the same, and so does whoever asks for the latest digest.
	ds, err := n.w.db.Digests(t.Context(), "s0", 1)
	if err != nil || len(ds) != 1 {
		t.Fatal(err)
	}
	pages := n.a.pages(n.w, n.platforms)
	open := func(path string) *httptest.ResponseRecorder {
		page := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
		r.RemoteAddr = "127.0.0.1:1"
		pages.ServeHTTP(page, r)
		return page
	}
	if feed := open("/digests.atom").Body.String(); !strings.Contains(feed, "<updated>"+ds[0].Amended.Format(time.RFC3339)+"</updated>") {
		t.Errorf("amended at %v, and the feed says\n%s", ds[0].Amended, feed)
	}
	page := open("/digest/" + string(ds[0].ID))
	if body := page.Body.String(); page.Code != http.StatusOK || !strings.Contains(body, "license is Apache-2.0 because the paper says so") || !strings.Contains(body, "Corrected since it was posted") {
		t.Errorf("the archive's page, %d:\n%s", page.Code, body)
	}
	// What was said is kept.
	if n.w.log == nil || ds[0].Sections[0].Stories[0].Badge.License != "Apache-2.0" {
		t.Errorf("read anew: %+v", ds[0].Sections[0].Stories[0].Badge)
	}
}

// A license that a source changed edits what stands.
func TestRelicensingEditsDigests(t *testing.T) {
	n := newNewsroom(t)
	n.visit("CC-BY-NC-4.0", feeds.Restricted)
	n.later(2 * time.Minute)
	n.reads(1, "since this was posted: weights relicensed on", "MIT (open-weights) → CC-BY-NC-4.0 (restricted)")
	n.visit("MIT", feeds.OpenWeights)
	n.later(2 * time.Minute)
	n.reads(2, "!relicensed")
}

// The process dies after the correction and before the edit: the next one edits.
func TestAmendmentSurvives(t *testing.T) {
	n := newNewsroom(t)
	n.correct("country", "DE")
	if err := n.w.close(); err != nil {
		t.Fatal(err)
	}
	w, err := n.a.openWith(t.Context(), n.w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.w = w
	n.later(2 * time.Minute)
	n.reads(1, "country is Germany")
}

// An edit that is refused for ever is given up, and the subscription goes on.
func TestAmendmentRefused(t *testing.T) {
	n := newNewsroom(t)
	dead := func(channel string) string {
		return map[string]string{discordChannel: "10008"}[channel]
	}
	n.erase()
	n.discord.Change(func(r *hostile.Rules) { r.Refuse = dead })
	n.correct("country", "DE")
	n.later(2 * time.Minute)
	if all := n.stand(); len(all) != 1 || all["discord"].Edits != 0 {
		t.Errorf("after an edit of what was deleted there stand %v", all)
	}
	subs, err := n.w.db.Subscriptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range subs {
		if !s.PausedUntil.IsZero() {
			t.Errorf("subscription %s is paused: %s", s.ID, s.LastResult)
		}
	}
	if got, err := n.w.db.Amendments(t.Context()); err != nil || got[digest.AmendmentGivenUp] != 3 { // the terminal cannot edit
		t.Errorf("amendments %v, %v\n%s", got, err, n.logs)
	}
}

// An edit whose answer is lost is made again, to the same message.
func TestAmendmentLost(t *testing.T) {
	n := newNewsroom(t)
	lost := func(c hostile.Call) hostile.Fault {
		if c.Writes && c.N%2 == 0 {
			return hostile.ThenError
		}
		return hostile.InsteadDown
	}
	for _, change := range []func(func(*hostile.Rules)){n.slack.Change, n.discord.Change} {
		change(func(r *hostile.Rules) { r.Fault = lost })
	}
	n.correct("license", "Apache-2.0")
	for range 4 {
		n.later(10 * time.Minute)
	}
	for _, change := range []func(func(*hostile.Rules)){n.slack.Change, n.discord.Change} {
		change(func(r *hostile.Rules) { r.Fault = nil })
	}
	for range 4 {
		n.later(2 * time.Hour)
	}
	for name, m := range n.stand() { // exactly one stands on each
		if !strings.Contains(strings.ReplaceAll(m.Text, `\`, ""), "license is Apache-2.0") {
			t.Errorf("on %s:\n%s\n%s", name, m.Text, n.logs)
		}
	}
	if got, err := n.w.db.Amendments(t.Context()); err != nil || got[digest.AmendmentDone] != 2 {
		t.Errorf("amendments %v, %v", got, err)
	}
}

// erase deletes the message in Slack, as somebody there may.
func (n *newsroom) erase() {
	n.Helper()
	_, id, _ := strings.Cut(n.stand()["slack"].ID, "/")
	if id == "" {
		id = n.stand()["slack"].ID
	}
	req, err := http.NewRequestWithContext(n.Context(), http.MethodPost, n.slack.URL+"chat.delete", strings.NewReader(fmt.Sprintf(`{"channel":%q,"ts":%q}`, slackChannel, id)))
	if err != nil {
		n.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer xoxb-1")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.Fatal(err)
	}
	defer resp.Body.Close()
	if len(n.stand()) != 1 {
		n.Fatal("it is not deleted")
	}
}

// What somebody proposes waits; the editors are told once, and the proposer what
// became of it; accepted, the digests are edited and name both.
func TestProposalsEndToEnd(t *testing.T) {
	n := newNewsroom(t, prefix+"EDITORS=slack/T1")
	place := bot.Place{Platform: "slack", Workspace: "T1", Channel: slackChannel}
	if err := n.w.db.PutSettings(t.Context(), place.Destination(), digest.Settings{Editors: []string{"UADA", "role:9", "UBEN"}}); err != nil {
		t.Fatal(err)
	}
	ask := func(who, name, command string, args map[string]string) string {
		t.Helper()
		r := n.router.Handle(context.WithoutCancel(t.Context()), bot.Invocation{ID: who + command, Place: place, Asker: bot.Person{ID: who, Name: name, Guest: who == "UGUS"}, Command: command, Args: args})
		return r.Document.Summary
	}
	said := ask("UGUS", "Gus", "correct", map[string]string{"work": string(n.work), "field": "country", "value": "Germany", "because": "their page"})
	if !strings.Contains(said, "Gus proposes") {
		t.Fatalf("a guest is told %q\n%s", said, n.logs)
	}
	// People have channels of their own.
	private := func(part string) (out []string) {
		for _, m := range n.ledger.All() {
			if m.Channel != slackChannel && m.Channel != discordChannel && strings.Contains(m.Text, part) {
				out = append(out, m.Channel)
			}
		}
		return out
	}
	n.later(time.Minute)
	n.later(time.Hour)
	if got := private("Gus proposes"); len(got) != 2 {
		t.Errorf("editors were told in %v\n%s", got, n.logs)
	}
	n.reads(0, "!corrected")
	if got := ask("UGUS", "Gus", "corrections", map[string]string{"proposal": "1", "decision": "accept"}); !strings.Contains(got, "Only editors") {
		t.Errorf("a guest decides: %q", got)
	}
	if got := ask("UADA", "Ada", "corrections", map[string]string{"proposal": "1", "decision": "accept"}); !strings.Contains(got, "Ada accepted what Gus proposed") {
		t.Errorf("an editor is told %q", got)
	}
	n.later(2 * time.Minute)
	n.later(time.Hour)
	n.reads(1, "by Gus (accepted by Ada): country is Germany because their page")
	if got := private("Ada accepted what Gus proposed"); len(got) != 1 {
		t.Errorf("the proposer was told in %v\n%s", got, n.logs)
	}
	// An editor of another workspace speaks for nobody but their own.
	place.Workspace, place.Channel = "T2", "C2"
	if err := n.w.db.PutSettings(t.Context(), place.Destination(), digest.Settings{Editors: []string{"UEVE"}}); err != nil {
		t.Fatal(err)
	}
	if got := ask("UEVE", "Eve", "correct", map[string]string{"work": string(n.work), "field": "country", "value": "IT", "because": "why not"}); !strings.Contains(got, "Eve proposes") {
		t.Errorf("another's editor is told %q", got)
	}
	if w, err := n.w.db.Work(t.Context(), n.work); err != nil || fmt.Sprint(w.Countries) != "[DE]" {
		t.Errorf("it is of %v now (%v)", w.Countries, err)
	}
}

// The command line decides, too, and corrects by the same way.
func TestCorrectionsCommand(t *testing.T) {
	n := newNewsroom(t)
	var out bytes.Buffer
	t.Setenv(prefix+"DATABASE_URL", n.w.cfg.DatabaseURL)
	run := func(args ...string) (string, error) {
		out.Reset()
		root := newRoot(strings.NewReader(""), &out, io.Discard)
		root.SetArgs(args)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	for i, value := range []string{"DE", "IT"} {
		if _, err := n.w.db.Propose(t.Context(), digest.Proposal{Work: n.work, Field: "country", Value: value, Because: "x\x1b[2Jy", By: "Gus", Person: fmt.Sprint(i), Place: digest.Destination{Platform: "slack", Workspace: "T1"}, At: n.now}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := run("corrections", "list"); err != nil || !strings.Contains(got, "Gus proposes for “A model of some size”: country Germany") || strings.Contains(got, "\x1b") {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := run("corrections", "accept", "1"); err != nil || !strings.Contains(got, "accepted what Gus proposed: country Germany") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := run("corrections", "accept", "1"); err == nil || !strings.Contains(err.Error(), "was accepted by") {
		t.Errorf("accepted twice: %v", err)
	}
	if _, err := run("corrections", "decline", "2"); err == nil {
		t.Error("declined without a reason")
	}
	if got, err := run("corrections", "decline", "#2", "--because", "no"); err != nil || !strings.Contains(got, "declined") {
		t.Errorf("%q, %v", got, err)
	}
	for _, args := range [][]string{{"accept", "77"}, {"accept", "one"}, {"list", "--state", "lost"}} {
		if _, err := run(append([]string{"corrections"}, args...)...); err == nil {
			t.Errorf("corrections %v: no error", args)
		}
	}
	if _, err := run("correct", string(n.work), "license=Apache-2.0", "--because", "the card"); err != nil {
		t.Error(err)
	}
	if got, err := run("corrections", "list", "--state", "all"); err != nil || !strings.Contains(got, "3 digests to be edited") {
		t.Errorf("%q, %v", got, err)
	}
	n.now = time.Now().UTC()
	n.later(2 * time.Minute)
	n.reads(1, "country is Germany", "license is Apache-2.0")
}

// The exact bytes of an edited digest on each platform, to be looked at. -update
// writes them anew.
func TestEditedGoldens(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 9, 0, 0, 0, time.UTC) }
	story := digest.Story{
		Work: "w0123456789", Title: "A model of some size", URL: "https://huggingface.co/lab/model", Date: day(18), Line: "It is a model that does what models do.",
		Labs: []digest.StoryLab{{Lab: "mistral", Name: "Mistral AI", Country: "FR"}}, Badge: digest.Badge{Openness: feeds.OpenWeights, Artifact: feeds.Weights, License: "MIT"},
		Also: []digest.StoryLink{{Name: "arXiv", URL: "https://arxiv.org/abs/2611.00001"}},
	}
	quiet := story
	quiet.Work, quiet.Title, quiet.Also = "w9876543210", "Another model", nil
	d := digest.Digest{
		Title: "This week in open research", Period: digest.Period{From: day(16), To: day(23)}, Composed: day(23),
		Sections: []digest.Section{{Key: digest.SectionOpen, Title: "Build on it", Blurb: "weights, code or data under terms without limits", Stories: []digest.Story{story, quiet}}},
		Small:    digest.SmallPrint{Looked: 3, Registry: "of the test"},
	}
	w := digest.Work{ID: "w0123456789", Tags: feeds.Tags{
		Openness: feeds.Restricted, Badge: feeds.Weights, License: "CC-BY-NC-4.0", Flags: []feeds.Flag{feeds.FlagNonCommercial},
		Labs: []feeds.Attribution{{Lab: "mistral", Name: "Mistral AI", Role: feeds.RoleReleaser, Home: "FR", Control: "FR"}},
	}}
	amended := digest.Amend(d, map[digest.WorkID]digest.Work{w.ID: w}, map[digest.WorkID][]digest.Erratum{w.ID: {
		{At: day(24), Kind: digest.EventRelicensed, What: "weights", From: "MIT (open-weights)", To: "CC-BY-NC-4.0 (restricted)"},
		{At: day(25), Kind: digest.EventCorrected, What: "country", To: "FR", By: "Gus (accepted by Ada)", Because: "https://mistral.ai/news"},
	}})
	n := newNewsroom(t)
	for name := range n.platforms {
		before, err := n.platforms.render(digest.Destination{Platform: name}, bot.Digest(d))
		if err != nil {
			t.Fatal(err)
		}
		after, err := n.platforms.render(digest.Destination{Platform: name}, bot.Digest(amended))
		if err != nil || len(after) != len(before) {
			t.Fatalf("%s: %d messages became %d (%v)", name, len(before), len(after), err)
		}
		var got []byte
		for _, p := range after {
			var pretty bytes.Buffer
			if json.Indent(&pretty, p.Payload, "", "  ") != nil {
				pretty.Reset()
				pretty.Write(p.Payload)
			}
			got = append(append(got, pretty.Bytes()...), '\n')
		}
		file := filepath.Join("testdata", "edited-"+name+".golden")
		want, err := os.ReadFile(file)
		if os.Getenv("SEEDCORN_TEST_UPDATE") == "1" {
			err = os.WriteFile(file, got, 0o644)
			want = got
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s is not as in %s; SEEDCORN_TEST_UPDATE=1 writes it anew:\n%s", name, file, got)
		}
	}
}
