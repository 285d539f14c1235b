package slack

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A fake that satisfies somebody else's client is not just what our code expects:
// Slack's own client of Socket Mode (https://www.npmjs.com/package/@slack/socket-mode)
// connects to ours, takes a command, acknowledges it, and comes again when it is told
// to.
func TestSocketFakeSatisfiesSlacksClient(t *testing.T) {
	needNPM(t)
	script := filepath.Join(t.TempDir(), "client.cjs")
	if err := os.WriteFile(script, []byte(`
const { SocketModeClient } = require(process.argv[2]);
const c = new SocketModeClient({ appToken: 'xapp-test', clientOptions: { slackApiUrl: process.argv[3] } });
c.on('slash_commands', async ({ body, ack }) => { await ack({ text: 'theirs: ' + body.text + ' of ' + body.user_id }); });
c.on('error', (e) => { console.error('error', e); });
c.start().catch((e) => { console.error(e); process.exit(1); });
`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newSocketFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, node(), script, npm("@slack", "socket-mode"), f.srv.URL+"/api/")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cancel()
		<-ended
		if strings.Contains(out.String(), "error") {
			t.Errorf("their client is not content:\n%s", &out)
		}
	}()
	c := f.conn()
	c.hello()
	c.frame(9, "ping")
	c.command("e1", "search x")
	if a := c.ack(t); a.ID != "e1" || !strings.Contains(string(a.Payload), "theirs: search x of U1") {
		t.Errorf("acknowledged with %s %s", a.ID, a.Payload)
	}
	c.text(`{"type":"disconnect","reason":"refresh_requested","debug_info":{"host":"x"}}`)
	c = f.conn()
	c.hello()
	c.command("e2", "again")
	if a := c.ack(t); a.ID != "e2" {
		t.Errorf("after it was told to come again: %s", a.ID)
	}
}
