package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seedcorn/bot/slack"
	"seedcorn/digest"
)

// Whoever has left, as the platform says or the operator, holds nothing that opens the
// pages; everybody else does.
func TestReadersShutOut(t *testing.T) {
	cfg := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	t.Setenv(prefix+"DATABASE_URL", cfg)
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		root := newRoot(strings.NewReader(""), &out, io.Discard)
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(args, err)
		}
		return out.String()
	}
	loaded, err := loadConfig([]string{prefix + "DATABASE_URL=" + cfg})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), loaded)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	made := time.Now().Add(-time.Hour)
	for _, person := range []string{"U1", "U2", "U3"} {
		k := digest.FeedKey{ID: digest.NewFeedKeyID(), Platform: slack.Name, Person: person, Query: "lab:of" + person, Made: made, Until: made.Add(48 * time.Hour)}
		if err := w.db.PutFeedKey(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	w.personLeft(context.Background(), "T1", "U1", time.Now())
	if out := run("readers"); strings.Contains(out, "U1") || !strings.Contains(out, "lab:ofU2") || !strings.Contains(out, "never") {
		t.Errorf("after one left:\n%s", out)
	}
	if got, want := run("readers", "shut", "slack", "U2"), "slack U2 is signed out everywhere; 1 private address revoked\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if out := run("readers"); strings.Contains(out, "U2") || !strings.Contains(out, "U3") {
		t.Errorf("after one was shut out:\n%s", out)
	}
	for person, want := range map[string]bool{"U1": true, "U2": true, "U3": false} {
		if at, err := w.db.SignedOut(t.Context(), slack.Name, person); err != nil || at.IsZero() == want {
			t.Errorf("%s: signed out %v, %v", person, at, err)
		}
	}
}
