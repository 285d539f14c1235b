package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A judge is somebody else's client of Discord, discord.js, in a process of its own.
type judge struct {
	t     *testing.T
	in    io.Writer
	lines chan map[string]any
	saw   []map[string]any // not asked for yet
}

// newJudge starts discord.js. The folder of npm packages is named by
// SEEDCORN_TEST_NPM (.ci/run says what is in it); without it the test is skipped, unless
// SEEDCORN_TEST_REQUIRE=1 says that it must be there.
func newJudge(t *testing.T, d *Discord) *judge {
	t.Helper()
	dir := os.Getenv("SEEDCORN_TEST_NPM")
	_, err := os.Stat(filepath.Join(dir, "node_modules", "discord.js", "package.json"))
	_, node := exec.LookPath("node")
	if dir == "" || err != nil || node != nil {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatalf("SEEDCORN_TEST_REQUIRE=1 and SEEDCORN_TEST_NPM=%q has no discord.js (%v), or there is no node (%v)", dir, err, node)
		}
		t.Skip("SEEDCORN_TEST_NPM names no folder with discord.js for node to run")
	}
	c := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "judge.mjs"), dir, strings.TrimSuffix(d.URL, "/v10"), token)
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
	j := &judge{t: t, in: in, lines: make(chan map[string]any, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(j.lines)
		for r := bufio.NewScanner(out); r.Scan(); {
			var m map[string]any
			if json.Unmarshal(r.Bytes(), &m) == nil {
				j.lines <- m
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		for range j.lines {
		}
		<-read
		_ = c.Wait() // it has ended, or the test has
	})
	return j
}

func (j *judge) next() map[string]any {
	j.t.Helper()
	select {
	case m, ok := <-j.lines:
		if !ok {
			j.t.Fatal("discord.js has ended")
		}
		if m["saw"] == "trouble" {
			j.t.Errorf("discord.js is not content: %v", m)
		}
		return m
	case <-time.After(time.Minute):
		j.t.Fatal("discord.js says nothing for a minute")
		return nil
	}
}

// do has discord.js do something and returns what came of it.
func (j *judge) do(deed string, args map[string]any) any {
	j.t.Helper()
	line := map[string]any{"do": deed}
	for k, v := range args {
		line[k] = v
	}
	b, err := json.Marshal(line)
	if err != nil {
		j.t.Fatal(err)
	}
	if _, err := j.in.Write(append(b, '\n')); err != nil {
		j.t.Fatal(err)
	}
	for {
		m := j.next()
		if why, failed := m["error"]; failed && m["saw"] == nil {
			j.t.Fatalf("%s: %v", deed, why)
		}
		if did, ok := m["did"]; ok {
			return did
		}
		j.saw = append(j.saw, m)
	}
}

// sees waits until discord.js has seen something of a kind, and takes it.
func (j *judge) sees(kind string) map[string]any {
	j.t.Helper()
	for {
		for i, m := range j.saw {
			if m["saw"] == kind {
				j.saw = slices.Delete(j.saw, i, i+1)
				return m
			}
		}
		j.saw = append(j.saw, j.next())
	}
}

// unseen fails if discord.js has seen something of a kind that was not asked for.
func (j *judge) unseen(kind string) {
	j.t.Helper()
	for _, m := range j.saw {
		if m["saw"] == kind {
			j.t.Errorf("it saw %v", m)
		}
	}
}

// asked is a command as Discord sends it, in a server of a shard of two.
func asked(id string, shard int) map[string]any {
	return map[string]any{
		"id": id, "application_id": discordApp, "type": 2, "token": "secret-of-" + id, "version": 1, "channel_id": "100000000000000001", "locale": "en-GB", "guild_locale": "en-GB",
		"guild_id": fmt.Sprint(uint64(2000+shard) << 22), "context": 0, "authorizing_integration_owners": map[string]any{}, "entitlements": []any{}, "attachment_size_limit": 10 << 20, "app_permissions": "0",
		"member": map[string]any{
			"user":        map[string]any{"id": "300000000000000001", "username": "ada", "discriminator": "0", "global_name": nil, "avatar": nil},
			"permissions": "0", "roles": []any{}, "joined_at": "2024-01-01T00:00:00Z", "deaf": false, "mute": false, "flags": 0,
		},
		"data": map[string]any{"id": "1", "name": "digest", "type": 1, "options": []any{map[string]any{"name": "help", "type": 1}}},
	}
}

// A fake that satisfies somebody else's client is not just what our own code expects:
// discord.js logs in, is ready in every shard, answers, posts, waits when it is told to,
// is resumed after every way to lose a connection and begins anew where it cannot be.
func TestDiscordSatisfiesDiscordJS(t *testing.T) {
	t.Parallel()
	var limits atomic.Int32
	d := newDiscord(t, Rules{
		Second: 200 * time.Millisecond, Shards: 2, Places: 2, Heartbeat: 2 * time.Second,
		Refuse: func(c string) string {
			if c == "400000000000000004" {
				return "50001"
			}
			return ""
		},
		Fault: func(c Call) Fault {
			if strings.HasPrefix(c.Method, "POST /channels/{}/messages") && c.Channel == "400000000000000003" && limits.Add(1) == 1 {
				return InsteadLimit
			}
			return None
		},
	})
	j := newJudge(t, d)
	if got := j.do("refused", nil); got != "TokenInvalid" {
		t.Errorf("with a wrong token: %v", got)
	}

	j.do("login", nil)
	ready := j.sees("ready")
	if ready["user"] != discordUser || ready["application"] != discordApp || ready["shards"] != 2.0 {
		t.Errorf("ready: %v", ready)
	}
	j.sees("shard")
	j.sees("shard")
	if diff := cmp.Diff([]string{"0 of 2", "1 of 2"}, d.Shards()); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
	if got := j.do("commands", map[string]any{"commands": []any{map[string]any{"name": "digest", "description": "what came out", "options": []any{}}}}); fmt.Sprint(got) != "[digest]" {
		t.Errorf("registered: %v", got)
	}

	// Each shard is asked, and answers: at once, and after it said that it would.
	for shard := range 2 {
		id := fmt.Sprint(500000000000000001 + shard)
		if err := d.Dispatch(t.Context(), "INTERACTION_CREATE", asked(id, shard)); err != nil {
			t.Fatal(err)
		}
		got := j.sees("interaction")
		if got["id"] != id || got["name"] != "digest" || got["sub"] != "help" || got["user"] != "300000000000000001" || got["guild"] != fmt.Sprint(uint64(2000+shard)<<22) {
			t.Errorf("asked in shard %d: %v", shard, got)
		}
		if shard == 0 {
			j.do("reply", map[string]any{"id": id, "content": "at once"})
		} else if got := j.do("defer", map[string]any{"id": id, "content": "later"}); fmt.Sprint(got) != "[later later, and more]" {
			t.Errorf("answered later with %v", got)
		}
	}
	var answers []string
	for _, a := range d.Answers() {
		answers = append(answers, strings.TrimPrefix(a.Path, "interactions/")+" "+string(a.Body))
	}
	for i, want := range []string{`"at once"`, `"type":5`, `"later"`, `"later, and more"`} {
		if len(answers) != 4 || !strings.Contains(answers[i], want) {
			t.Fatalf("answers: %q", answers)
		}
	}

	// What it posts stands, once; its pace is that of the headers, without a 429.
	for i := range discordMessages + 2 {
		got, _ := j.do("send", map[string]any{"channel": "400000000000000001", "content": fmt.Sprint("message ", i)}).(map[string]any)
		if got["content"] != fmt.Sprint("message ", i) || got["author"] != discordUser || got["channel"] != "400000000000000001" {
			t.Errorf("sent: %v", got)
		}
	}
	j.unseen("429")
	if n := d.Counts()["limited"]; n > 0 {
		t.Errorf("%d calls were too many, so that the headers are not what discord.js goes by", n)
	}
	for range 2 {
		got, _ := j.do("send", map[string]any{"channel": "400000000000000002", "content": "once", "nonce": "n1"}).(map[string]any)
		if got["content"] != "once" || got["nonce"] != "n1" {
			t.Errorf("sent with a nonce: %v", got)
		}
		if edited := j.do("edit", map[string]any{"channel": "400000000000000002", "id": got["id"], "content": "once"}); edited != "once" {
			t.Errorf("edited: %v", edited)
		}
	}
	j.do("send", map[string]any{"channel": "400000000000000003", "content": "after a 429"})
	j.sees("429")
	for channel, want := range map[string]int{"400000000000000001": discordMessages + 2, "400000000000000002": 1, "400000000000000003": 1} {
		if got, _ := j.do("read", map[string]any{"channel": channel}).([]any); len(got) != want {
			t.Errorf("channel %s has %v", channel, got)
		}
	}
	if got := j.do("refusal", map[string]any{"channel": "400000000000000004"}); got != "403 50001" {
		t.Errorf("a channel that it may not see: %v", got)
	}
	if n := d.Counts()["early"]; n > 0 {
		t.Errorf("%d calls came before their time", n)
	}

	// Told to come again, cut off, and left without heartbeats, it is resumed, and hears
	// what was said meanwhile, once.
	for i, lose := range []func(){d.Reconnect, d.Cut, func() { d.Mute(true) }} {
		resumed := d.Sessions().Resumed
		lose()
		id := fmt.Sprint(600000000000000001 + i)
		if i == 1 {
			if n := d.Keep("INTERACTION_CREATE", asked(id, 1)); n != 1 {
				t.Errorf("%d sessions keep it", n)
			}
		}
		for range 2 {
			j.sees("resumed")
		}
		d.Mute(false)
		if i != 1 {
			if err := d.Dispatch(t.Context(), "INTERACTION_CREATE", asked(id, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if got := j.sees("interaction"); got["id"] != id {
			t.Errorf("asked while it was away: %v", got)
		}
		if n := d.Sessions().Resumed - resumed; n < 2 {
			t.Errorf("%d of 2 shards were resumed", n)
		}
	}
	j.unseen("interaction")

	// Where there is no such session any more, it begins anew.
	begun := d.Sessions().Begun
	d.Forget()
	d.Cut()
	for range 2 {
		j.sees("shard")
	}
	if n := d.Sessions().Begun - begun; n != 2 {
		t.Errorf("%d of 2 sessions were begun anew", n)
	}
	if n := d.Sessions().Hasty; n > 0 {
		t.Errorf("discord.js was in a hurry %d times: it keeps to the real interval", n)
	}
}
