package discord

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// The signatures that these tests make are such as Discord's own package for
// interactions accepts, and what it refuses we refuse. The folder of npm packages is
// named by SEEDCORN_TEST_NPM; without it the test is skipped, unless
// SEEDCORN_TEST_REQUIRE=1 says that it must be there.
func TestVerifyJudge(t *testing.T) {
	dir := os.Getenv("SEEDCORN_TEST_NPM")
	entry := filepath.Join(dir, "node_modules", "discord-interactions", "dist", "index.js")
	if _, err := os.Stat(entry); dir == "" || err != nil {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatalf("SEEDCORN_TEST_REQUIRE=1 and SEEDCORN_TEST_NPM=%q has no discord-interactions", dir)
		}
		t.Skip("SEEDCORN_TEST_NPM names no folder with discord-interactions")
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		Name, Key, Signature, Stamp, Body string
	}
	body := `{"type":1,"text":"é 🇫🇷 \u0000"}`
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	good := request{"as signed", hex.EncodeToString(public), hex.EncodeToString(ed25519.Sign(private, []byte(stamp+body))), stamp, body}
	all := []request{good}
	change := func(name string, f func(*request)) {
		r := good
		r.Name = name
		f(&r)
		all = append(all, r)
	}
	change("another body", func(r *request) { r.Body += " " })
	change("another time", func(r *request) { r.Stamp += "0" })
	change("another key", func(r *request) { r.Key = hex.EncodeToString(other) })
	change("another signature", func(r *request) { r.Signature = hex.EncodeToString(ed25519.Sign(private, []byte(body))) })
	change("half a signature", func(r *request) { r.Signature = r.Signature[:64] })
	change("no signature", func(r *request) { r.Signature = "" })
	change("no hexadecimal", func(r *request) { r.Signature = "zz" + r.Signature[2:] })
	asked, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "node", "-e", `
		const { verifyKey } = require(process.argv[1])
		const all = JSON.parse(require('fs').readFileSync(0, 'utf8'))
		Promise.all(all.map((r) => Promise.resolve().then(() => verifyKey(r.Body, r.Signature, r.Stamp, r.Key)).catch(() => false)))
			.then((said) => console.log(JSON.stringify(said.map(Boolean))))`, entry)
	c.Stdin, c.Stderr = bytes.NewReader(asked), os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var said []bool
	if err := json.Unmarshal(out, &said); err != nil || len(said) != len(all) {
		t.Fatalf("the judge said %s: %v", out, err)
	}
	for i, r := range all {
		key, err := hex.DecodeString(r.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got := verify(key, r.Signature, r.Stamp, []byte(r.Body)); got != said[i] || got != (i == 0) {
			t.Errorf("%s: we say %v, the judge %v", r.Name, got, said[i])
		}
	}
}
