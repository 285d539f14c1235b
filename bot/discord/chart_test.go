package discord

import (
	"bytes"
	"errors"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"seedcorn/bot"
	"seedcorn/bot/chart"
	"seedcorn/bot/message"
)

// With pictures, a chart is a PNG that comes with the message, described in words;
// an answer to a command has text all the same.
func TestPicture(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{Pictures: true})
	parts, err := a.Render(everyBlock())
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	first, err := a.Post(t.Context(), here, "d1", parts[0], "")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Edit(t.Context(), here, "d1", first, parts[0]); err != nil {
		t.Fatal(err)
	}
	for _, r := range []request{f.last(t, http.MethodPost, "/messages"), f.last(t, http.MethodPatch, "/messages")} {
		check(t, r.body)
		body := string(r.body)
		if len(r.files) != 1 || strings.Contains(body, `"files"`) || !strings.Contains(body, `"attachments":[{"id":"0","filename":"chart-1.png","description":"Works: China 3, France 1.5."}]`) {
			t.Fatalf("%d files with %s", len(r.files), body)
		}
		img, err := png.Decode(bytes.NewReader(r.files[0]))
		if err != nil || img.Bounds().Dx() < 600 {
			t.Fatalf("%v", err)
		}
	}
	if _, ok, err := a.Find(t.Context(), here, "d1", f.began); !ok || err != nil {
		t.Errorf("it is not found: %v", err)
	}
	for _, m := range a.messages(everyBlock()) {
		if len(m.Files) > 0 {
			t.Error("an answer has a picture")
		}
	}
	// Too many bars for a picture are told as text.
	many := message.Chart{Title: "x", Alt: "x", Bars: make([]message.Bar, chart.MaxBars+1)}
	parts, err = a.Render(message.Document{Blocks: []message.Block{many}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, parts[0].Payload)
	if strings.Contains(string(parts[0].Payload), "files") {
		t.Error("a picture of 41 bars")
	}
}

// Where files may not be attached, the digest goes out without its picture, once, and
// is found like any other.
func TestPictureNotAllowed(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{Pictures: true})
	bars := message.Chart{Title: "", Alt: "Works: China 3.", Bars: []message.Bar{{Label: "China", Values: []float64{3}}}}
	parts, err := a.Render(message.Document{Blocks: []message.Block{bars, message.Rule{}, message.Paragraph{Text: message.Plain("that was all")}}})
	if err != nil {
		t.Fatal(err)
	}
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			refuse(w, 403, codeMissingPerms, "Missing Permissions")
			return true
		}
		return false
	}
	if _, err := a.Post(t.Context(), here, "d1", parts[0], ""); err != nil {
		t.Fatal(err)
	}
	if n := f.count(http.MethodPost, "/messages"); n != 2 {
		t.Errorf("%d requests, want one with the picture and one without", n)
	}
	body := f.last(t, http.MethodPost, "/messages").body
	check(t, body)
	if text := string(body); strings.Contains(text, "attachment") || !strings.Contains(text, "Works: China 3.") || !strings.Contains(text, `"nonce":"d1"`) {
		t.Errorf("sent %s", text)
	}
	f.mu.Lock()
	for _, m := range f.messages[chanID] {
		delete(m, "nonce") // which a message that is read back need not carry
	}
	f.mu.Unlock()
	if _, ok, err := a.Find(t.Context(), here, "d1", f.began); !ok || err != nil {
		t.Errorf("it is not found: %v", err)
	}
	// A permission that is missing for all of it is told as ever.
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		refuse(w, 403, codeMissingPerms, "Missing Permissions")
		return true
	}
	var e *bot.PostError
	if _, err := a.Post(t.Context(), here, "d2", parts[0], ""); !errors.As(err, &e) || e.Fate != bot.FateDead || !strings.Contains(e.Say, "may not post") {
		t.Errorf("%v", err)
	}
}
