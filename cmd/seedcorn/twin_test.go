package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/digest"
)

// npmPackage returns the folder, named by SEEDCORN_TEST_NPM, whose node_modules has a
// package. Without it the test is skipped, unless SEEDCORN_TEST_REQUIRE=1 says that it
// must be there.
func npmPackage(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("SEEDCORN_TEST_NPM")
	_, err := os.Stat(filepath.Join(dir, "node_modules", name, "package.json"))
	_, node := exec.LookPath("node")
	if dir != "" && err == nil && node == nil {
		return dir
	}
	if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
		t.Fatalf("SEEDCORN_TEST_REQUIRE=1 and SEEDCORN_TEST_NPM=%q has no %s (%v), or there is no node (%v)", dir, name, err, node)
	}
	t.Skipf("SEEDCORN_TEST_NPM names no folder with %s for node to run", name)
	return ""
}

// A twin is somebody else's Discord, in a process of its own.
type twin struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader

	API, Token, Guild, Bot, Channel, User string
}

func startTwin(t *testing.T) *twin {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "npm", "twin.mjs"), npmPackage(t, "discord-digital-twin"))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input; else the context ends it
		_ = c.Wait()
	})
	w := &twin{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	w.read(w)
	return w
}

func (w *twin) read(into any) {
	w.t.Helper()
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		w.t.Fatalf("the other side ended: %v", err)
	}
	if err := json.Unmarshal(line, into); err != nil {
		w.t.Fatalf("the other side said %.300s: %v", line, err)
	}
}

// A twinAnswer is what a person sees of the bot's answer.
type twinAnswer struct {
	Error    string
	Type     int
	Data     json.RawMessage
	Message  *twinMessage
	Messages []twinMessage
	Commands []struct {
		Name        string
		Permissions *string `json:"defaultMemberPermissions"`
	}
}

type twinMessage struct {
	ID         string
	Nonce      any
	Flags      int
	Author     struct{ ID string }
	Components json.RawMessage
}

func (w *twin) do(deed map[string]any) twinAnswer {
	w.t.Helper()
	b, err := json.Marshal(deed)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(w.in, "%s\n", b); err != nil {
		w.t.Fatal(err)
	}
	var a twinAnswer
	w.read(&a)
	if a.Error != "" {
		w.t.Fatalf("%s: %s", b, a.Error)
	}
	return a
}

// until does a thing until it is answered as wanted.
func (w *twin) until(what string, deed map[string]any, ok func(twinAnswer) bool) twinAnswer {
	w.t.Helper()
	var last twinAnswer
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if last = w.do(deed); ok(last) {
			return last
		}
	}
	w.t.Fatalf("%s did not happen; last: %.600s", what, fmt.Sprintf("%+v", last))
	return last
}

func slash(command, sub string, options ...any) map[string]any {
	return map[string]any{"do": "slash", "name": command, "options": []any{map[string]any{"name": sub, "type": 1, "options": options}}}
}

// button finds the custom id of a button, by the beginning of its command.
func button(t *testing.T, components json.RawMessage, begins string) string {
	t.Helper()
	var found string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if id, _ := v["custom_id"].(string); found == "" && strings.HasPrefix(id, begins) {
				found = id
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	var v any
	if err := json.Unmarshal(components, &v); err != nil {
		t.Fatal(err)
	}
	if walk(v); found == "" {
		t.Fatalf("no button %s… in %.500s", begins, components)
	}
	return found
}

// TestTwin is the whole loop with a Discord that others wrote for others' clients: the
// program as a process of its own connects, registers its commands, is asked, pressed
// and filled in, and posts the digest that is due, once.
func TestTwin(t *testing.T) {
	w := startTwin(t)
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	cfg := demoConfig(base, filepath.Join(t.TempDir(), "twin.db"))
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	to := digest.Destination{Platform: "discord", Workspace: w.Guild, Channel: w.Channel}
	open := func() *world {
		t.Helper()
		t.Setenv(testManners, "1ms")
		x, err := a.openWith(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	world := open()
	if _, err := world.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := world.db.PutSources(t.Context(), demosite.Sources(base)); err != nil {
		t.Fatal(err)
	}
	sub, err := world.newSubscription("", "weekly", "UTC", time.Now().AddDate(0, 0, -7))
	if err != nil {
		t.Fatal(err)
	}
	sub.Destination = to
	if err := world.db.PutSubscription(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	if err := world.close(); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := exec.CommandContext(ctx, "seedcorn", "serve")
	var log lockedBuffer
	c.Stdout, c.Stderr = &log, &log
	b := demosite.Bases(base)
	c.Env = append(os.Environ(),
		"SEEDCORN_DATABASE_URL="+cfg.DatabaseURL, "SEEDCORN_LISTEN=127.0.0.1:0", "SEEDCORN_ALLOW_PRIVATE_NETWORKS=true", "SEEDCORN_WEB=off",
		"SEEDCORN_HUGGINGFACE_URL="+b.HuggingFace, "SEEDCORN_GITHUB_URL="+b.GitHubAPI, "SEEDCORN_ARXIV_RSS_URL="+b.ArXivRSS, "SEEDCORN_ARXIV_API_URL="+b.ArXivAPI, "SEEDCORN_ARXIV_PAGES_URL="+b.ArXivRSS,
		"SEEDCORN_DISCORD_URL="+w.API, "SEEDCORN_DISCORD_TOKEN="+w.Token,
		"SEEDCORN_DISCORD_CHARTS=text", // the other side takes no files
		testManners+"=1ms",
	)
	c.WaitDelay = 20 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("the program said:\n%s", log.String())
		}
	})

	// It registers its commands, those that manage for those who may manage channels.
	w.until("registering", map[string]any{"do": "connected"}, func(x twinAnswer) bool { return len(x.Commands) >= 3 })
	for _, x := range w.do(map[string]any{"do": "connected"}).Commands {
		if guarded := x.Permissions != nil && *x.Permissions == "16"; guarded != (x.Name == "digest-manage") {
			t.Errorf("%s is for those with %v", x.Name, x.Permissions)
		}
	}
	// The digest that is due arrives.
	ours := func(x twinAnswer) (n int) {
		for _, m := range x.Messages {
			if m.Author.ID == w.Bot && strings.Contains(string(m.Components), "in open research\\n-#") {
				n++
			}
		}
		return n
	}
	w.until("the digest", map[string]any{"do": "messages"}, func(x twinAnswer) bool { return ours(x) > 0 })

	// A command is answered, a button below the answer, and a form.
	found := w.do(slash("digest", "search", map[string]any{"name": "query", "type": 3, "value": "openness>=open-weights"}))
	if found.Message == nil || !strings.Contains(string(found.Data), "Why?") && !strings.Contains(string(found.Message.Components), "Why?") {
		t.Fatalf("search is answered with %+v", found)
	}
	why := w.do(map[string]any{"do": "click", "message": found.Message.ID, "custom_id": button(t, found.Message.Components, "c:why ")})
	if why.Type != 4 || why.Message == nil || !strings.Contains(string(why.Data), "rule") {
		t.Errorf("why is answered with %.500s", why.Data)
	}
	form := w.do(slash("digest-manage", "subscribe"))
	var modal struct {
		CustomID string `json:"custom_id"`
	}
	if err := json.Unmarshal(form.Data, &modal); err != nil || form.Type != 9 || modal.CustomID != "f:subscribe" {
		t.Fatalf("subscribe is answered with %d %s", form.Type, form.Data)
	}
	done := w.do(map[string]any{"do": "modal", "custom_id": modal.CustomID, "fields": []any{
		map[string]string{"customId": "query", "value": "country:FR"}, map[string]string{"customId": "when", "value": "daily"}, map[string]string{"customId": "zone", "value": "Europe/Paris"},
	}})
	if done.Type != 4 || !strings.Contains(string(done.Data), "works from France") {
		t.Errorf("the form is answered with %d %.500s", done.Type, done.Data)
	}
	if left := w.do(map[string]any{"do": "slash", "name": "oldcorn"}); !strings.Contains(string(left.Data), "left over from an older version") {
		t.Errorf("a command that is gone is answered with %.500s", left.Data)
	}

	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
	// What it left: the digest was said once, and both subscriptions are kept.
	if n := ours(w.do(map[string]any{"do": "messages"})); n != 1 {
		t.Errorf("the digest stands there %d times", n)
	}
	world = open()
	defer world.close()
	ds, err := world.db.Deliveries(t.Context(), "", 20)
	if err != nil || len(ds) == 0 {
		t.Fatalf("%d deliveries, %v", len(ds), err)
	}
	for _, d := range ds {
		if d.State != digest.Sent || d.Attempt != 1 {
			t.Errorf("delivery %s is %s after %d attempts: %s", d.ID, d.State, d.Attempt, d.Words)
		}
	}
	subs, err := world.db.Subscriptions(t.Context())
	if err != nil || !slices.ContainsFunc(subs, func(s digest.Subscription) bool {
		return s.Destination == to && s.Query == "country:FR" && s.Zone == "Europe/Paris" && s.Owner == w.User
	}) {
		t.Errorf("subscriptions %+v, %v", subs, err)
	}
}
