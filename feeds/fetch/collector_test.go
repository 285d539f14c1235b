package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func TestCollector(t *testing.T) {
	etag, body := `"1"`, rssOf(`<item><title>One</title><link>/1</link></item>`)
	status := 200
	c, base := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/old":
			http.Redirect(w, r, "/feed", http.StatusMovedPermanently)
			return
		case status != 200:
			w.WriteHeader(status)
			return
		case etag != "" && r.Header.Get("If-None-Match") == etag:
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", etag)
		_, _ = io.WriteString(w, body)
	})
	collector := NewCollector(c, nil)
	src := feeds.Source{ID: "s", Kind: feeds.KindFeed, URL: base + "/feed"}
	visit := func(step string, last feeds.State, items int, unchanged bool) feeds.Pull {
		t.Helper()
		pull, err := collector.Collect(context.Background(), src, last)
		if err != nil || len(pull.Items) != items || pull.Unchanged != unchanged {
			t.Fatalf("%s: %d items, unchanged %t, %v", step, len(pull.Items), pull.Unchanged, err)
		}
		return pull
	}
	pull := visit("first", feeds.State{}, 1, false)
	if pull.Title != "T" || pull.State.ETag != etag {
		t.Errorf("title %q, state %+v", pull.Title, pull.State)
	}
	again := visit("304", pull.State, 0, true)
	if diff := cmp.Diff(pull.State, again.State); diff != "" || again.Entries != 1 {
		t.Errorf("%d entries, state (-want +got):\n%s", again.Entries, diff)
	}
	etag = ""
	visit("same body without validators", pull.State, 0, true)
	body = rssOf(`<item><title>Two</title><link>/2</link></item>`, `<item><title>One</title><link>/1</link></item>`)
	pull = visit("one new", pull.State, 1, false)
	if pull.Entries != 2 || pull.Items[0].Title != "Two" {
		t.Errorf("%d entries, %q", pull.Entries, pull.Items[0].Title)
	}
	src.URL = base + "/old"
	if pull = visit("moved", feeds.State{}, 2, false); pull.MovedTo != base+"/feed" {
		t.Errorf("moved to %q", pull.MovedTo)
	}

	status = 410
	_, err := collector.Collect(context.Background(), src, pull.State)
	var trouble *feeds.Trouble
	if !errors.As(err, &trouble) || trouble.Kind != feeds.TroubleGone || trouble.Source != "s" {
		t.Errorf("gone: %v", err)
	}
	status, body = 200, "<html><title>Moved house</title>"
	if _, err = collector.Collect(context.Background(), src, feeds.State{}); feeds.TroubleOf(err) != feeds.TroubleNotAFeed || !strings.Contains(err.Error(), "Moved house") {
		t.Errorf("a page: %v", err)
	}
	src.Kind = feeds.KindArXiv
	if _, err = collector.Collect(context.Background(), src, feeds.State{}); err == nil || feeds.TroubleOf(err) != "" {
		t.Errorf("kind without refiner: %v", err)
	}
	body = rssOf(`<item><title>One</title></item>`, `<item><title>Two</title></item>`)
	refined := NewCollector(c, map[feeds.SourceKind]Refiner{feeds.KindArXiv: func(it *feeds.Item, _ map[string][]string) bool { return it.Title == "Two" }})
	if pull, err = refined.Collect(context.Background(), src, feeds.State{}); err != nil || len(pull.Items) != 1 || pull.Items[0].Kind != feeds.ItemPaper {
		t.Errorf("refined: %+v, %v", pull.Items, err)
	}
}

func TestDiscover(t *testing.T) {
	feed := rssOf(`<item><title>One</title></item>`)
	pages := map[string]string{
		"/feed-itself": feed,
		"/page": `<html><head><base href="/sub/"><title>P</title>
<link rel="alternate" type="application/rss+xml" title="Comments" href="comments.xml">
<link rel="alternate" type="application/atom+xml; charset=utf-8" title="News &amp; more" href="atom.xml">
<link rel="ALTERNATE home" type="application/feed+json" href="https://cdn.example/feed.json">
<link rel="alternate" type="text/html" hreflang="fr" href="/fr"><link rel="stylesheet" type="application/rss+xml" href="/no">
<link rel="alternate" type="application/rss+xml" href="file:///etc/passwd"></head></html>`,
		"/bare":     `<html><title>Bare</title></html>`,
		"/feed":     `<html><title>Not this</title></html>`,
		"/atom.xml": `<feed xmlns="http://www.w3.org/2005/Atom"><title>Found it</title></feed>`,
	}
	asked := 0
	c, base := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/feed-itself", http.StatusMovedPermanently)
			return
		}
		p, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, p)
	})
	tests := []struct {
		path string
		want []Found
	}{
		{"/feed-itself", []Found{{base + "/feed-itself", "T", "rss"}}},
		{"/moved", []Found{{base + "/feed-itself", "T", "rss"}}},
		{"/page", []Found{{base + "/sub/atom.xml", "News & more", "atom"}, {"https://cdn.example/feed.json", "", "json"}, {base + "/sub/comments.xml", "Comments", "rss"}}},
		{"/bare", []Found{{base + "/atom.xml", "Found it", "atom"}}},
	}
	for _, test := range tests {
		got, err := Discover(context.Background(), c, base+test.path)
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.path, diff)
		}
	}
	delete(pages, "/atom.xml")
	asked = 0
	if _, err := Discover(context.Background(), c, base+"/bare"); feeds.TroubleOf(err) != feeds.TroubleNotAFeed || !strings.Contains(err.Error(), "Bare") || asked > 1+len(usualPaths) {
		t.Errorf("nothing there: %v after %d requests", err, asked)
	}
	if _, err := Discover(context.Background(), c, base+"/missing"); feeds.TroubleOf(err) != feeds.TroubleGone {
		t.Errorf("missing page: %v", err)
	}
	for _, address := range []string{"file:///etc/passwd", "file:x"} {
		if _, err := Discover(context.Background(), c, address); feeds.TroubleOf(err) != feeds.TroublePrivate {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func FuzzAnnounced(f *testing.F) {
	f.Add(`<link rel=alternate type=application/rss+xml href=x>`)
	f.Add(`<base href="http://[::1"><link rel=alternate type=application/atom+xml href="//y">`)
	f.Fuzz(func(t *testing.T, page string) {
		u, _ := redirectTarget(mustURL("https://x.example/a"), "/b")
		for _, found := range announced([]byte(page), u) {
			if !strings.HasPrefix(found.URL, "http://") && !strings.HasPrefix(found.URL, "https://") {
				t.Errorf("found %q", found.URL)
			}
		}
	})
}
