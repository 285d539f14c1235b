package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/store"
)

// typed runs the program on a database as a person would, and returns what it printed.
func typed(t *testing.T, words ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(words, strings.NewReader(""), &o, &e)
	return o.String(), e.String(), code
}

func TestDeliveriesCommand(t *testing.T) {
	location := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	t.Setenv(prefix+"DATABASE_URL", location)
	db, err := store.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	due := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	ids := map[string]string{}
	for _, platform := range []string{"slack", "terminal"} {
		sub := digest.Subscription{ID: digest.SubscriptionID("s" + platform), Destination: digest.Destination{Platform: platform, Workspace: "T1", Channel: "C1"}, Cadence: "0 9 * * 1", Zone: "UTC", Cursor: due.AddDate(0, 0, -7), Next: due}
		if err := db.PutSubscription(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		id, err := db.SaveDigest(t.Context(), sub, digest.Digest{Title: "This week", Period: digest.Period{From: sub.Cursor, To: due}, Composed: due}, due.AddDate(0, 0, 7),
			digest.Part{Payload: []byte(`{"text":"hello"}`), Summary: "This week: 3 works"}, digest.Part{Payload: []byte("plain\n"), Summary: "details"})
		if err != nil {
			t.Fatal(err)
		}
		ids[platform], ids[platform+"2"] = string(digest.NewDeliveryID(id, 0)), string(digest.NewDeliveryID(id, 1))
	}
	claimed, err := db.Claim(t.Context(), digest.Lane{Platform: "terminal", Workspace: "T1"}, digest.Rate{}, due, time.Minute, 1)
	if err != nil || len(claimed) != 1 {
		t.Fatal(err, len(claimed))
	}
	db.Close()

	for _, tt := range []struct {
		words []string
		code  int
		want  []string
		not   string
	}{
		{[]string{"list"}, 0, []string{ids["slack"] + "  pending  slack T1/C1", "  never  ", ids["terminal"] + "  sending  terminal T1/C1"}, ""},
		{[]string{"list", "--platform", "terminal"}, 0, []string{ids["terminal"], ids["terminal2"]}, ids["slack"]},
		{[]string{"list", "--state", "sending"}, 0, []string{ids["terminal"]}, ids["terminal2"]},
		{[]string{"list", "--state", "sleeping"}, 2, []string{`error: --state: no state "sleeping"`, "hint: the states are pending, sending"}, ""},
		{[]string{"list", "--limit", "0"}, 2, []string{"--limit: 0 is out of range"}, ""},
		{[]string{"show", ids["slack"]}, 0, []string{"state ", "pending", "slack T1/C1", "This week: 3 works", "23 Nov 2026 09:00:00 UTC", "not tried yet", "16 bytes"}, "hello"},
		{[]string{"show", ids["slack"], "--payload"}, 0, []string{"{\n  \"text\": \"hello\"\n}"}, ""},
		{[]string{"show", ids["slack2"], "--payload"}, 0, []string{"\nplain\n"}, ""},
		{[]string{"show", "nosuch"}, 1, []string{"error: delivery nosuch: not found", "hint: seedcorn deliveries list"}, ""},
		{[]string{"show"}, 2, []string{"usage: seedcorn deliveries show ID"}, ""},
		{[]string{"retry", ids["terminal"]}, 1, []string{"is being posted at this moment"}, ""},
		{[]string{"retry", "nosuch"}, 1, []string{"not found"}, ""},
		{[]string{"cancel", ids["slack"]}, 0, []string{"cancel " + ids["slack"]}, ""},
		{[]string{"cancel", ids["slack"]}, 1, []string{"is dead already: canceled", "hint: retry would send it"}, ""},
		{[]string{"list", "--state", "dead"}, 0, []string{ids["slack"], ids["slack2"], "canceled"}, ids["terminal"]},
		{[]string{"retry", ids["slack"], ids["slack2"]}, 0, []string{"retry " + ids["slack"], "retry " + ids["slack2"]}, ""},
		{[]string{"list", "--state", "dead"}, 0, nil, ids["slack"]},
		{[]string{"send"}, 2, []string{`no command "send" of seedcorn deliveries`}, ""},
	} {
		out, errs, code := typed(t, append([]string{"deliveries"}, tt.words...)...)
		text := out + errs
		if code != tt.code {
			t.Errorf("%v: exit %d, want %d\n%s", tt.words, code, tt.code, text)
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q in\n%s", tt.words, want, text)
			}
		}
		if tt.not != "" && strings.Contains(text, tt.not) {
			t.Errorf("%v: %q in\n%s", tt.words, tt.not, text)
		}
	}

	out, _, _ := typed(t, "deliveries", "list", "--json")
	n := 0
	for line := range strings.Lines(out) {
		var d jsonDelivery
		if err := json.Unmarshal([]byte(line), &d); err != nil || d.ID == "" || d.State == "" || d.Payload != nil {
			t.Errorf("%v: %s", err, line)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d lines of JSON, want 4", n)
	}
	out, _, _ = typed(t, "deliveries", "show", ids["slack"], "--json", "--payload")
	var d struct{ Payload struct{ Text string } }
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Payload.Text != "hello" {
		t.Errorf("%v: %s", err, out)
	}

	// What is to be shown elsewhere, too, says so.
	if db, err = store.Open(t.Context(), location); err != nil {
		t.Fatal(err)
	}
	sent := digest.Settlement{ID: claimed[0].ID, Attempt: claimed[0].Attempt, Outcome: digest.Outcome{State: digest.Sent, Receipt: "r", Words: "sent"}}
	if err := db.Settle(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Announce(t.Context(), due.Add(time.Minute), "terminal"); n != 1 || err != nil {
		t.Fatalf("%d to be published, %v", n, err)
	}
	db.Close()
	for _, words := range [][]string{{"list", "--state", "sent"}, {"show", ids["terminal"]}} {
		if out, errs, _ := typed(t, append([]string{"deliveries"}, words...)...); !strings.Contains(out, "sent; to be published") {
			t.Errorf("%v: %s%s", words, out, errs)
		}
	}
}
