package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seedcorn/digest"
)

// Every topic that a new database is offered can be read and says what it is about; they
// stand in the order of their names.
func TestStarterTopics(t *testing.T) {
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(t.Context(), demoConfig("http://127.0.0.1:1", filepath.Join(t.TempDir(), "t.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	last := ""
	for _, topic := range digest.StarterTopics {
		if _, err := w.checkTopic(t.Context(), topic, time.Now()); err != nil || topic.About == "" {
			t.Errorf("%s: %q: %v", topic.Name, topic.About, err)
		}
		if topic.Name <= last {
			t.Errorf("%s comes after %s", topic.Name, last)
		}
		last = topic.Name
	}
	if err := w.seedTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.db.Topics(t.Context()); err != nil || len(got) != len(digest.StarterTopics) {
		t.Errorf("%d stored, %v", len(got), err)
	}
}
