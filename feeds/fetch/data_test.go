package fetch

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"seedcorn/feeds"
)

// TestRealFeeds pulls real captures from a loopback server and counts their entries.
func TestRealFeeds(t *testing.T) {
	dir := os.Getenv("SEEDCORN_TEST_DATA")
	if dir == "" {
		t.Skip("SEEDCORN_TEST_DATA is not set")
	}
	f, err := os.Open(filepath.Join(dir, "feeds", "MANIFEST.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	client := New(Options{AllowPrivate: true})
	collector := NewCollector(client, nil)

	read := 0
	for _, row := range rows[1:] {
		file, kind := row[0], row[1]
		want, err := strconv.Atoi(row[3])
		isFeed := strings.Contains(kind, "rss") || strings.Contains(kind, "atom")
		t.Run(file, func(t *testing.T) {
			src := feeds.Source{ID: feeds.SourceID("feed:" + file), Kind: feeds.KindFeed, URL: server.URL + "/" + file}
			if kind == "github-releases-atom" {
				src.Kind = feeds.KindReleases
			}
			pull, perr := collector.Collect(context.Background(), src, feeds.State{})
			if !isFeed {
				if kind := feeds.TroubleOf(perr); kind != feeds.TroubleNotAFeed {
					t.Errorf("trouble of a file that is no feed: %v", perr)
				}
				return
			}
			if perr != nil {
				t.Fatal(perr)
			}
			if err != nil {
				t.Fatalf("manifest's count: %v", err)
			}
			read++
			if pull.Entries != want || len(pull.Items) != want || len(pull.Faults) > 0 {
				t.Errorf("%d entries, %d items, faults %q, want %d", pull.Entries, len(pull.Items), pull.Faults, want)
			}
			for i, it := range pull.Items {
				if it.Title == "" || it.URL == "" || it.GUID == "" {
					t.Errorf("item without title, link or guid: %+v", it)
				}
				if i > 0 && it.Date().Before(pull.Items[i-1].Date()) {
					t.Errorf("item %d is older than the one before", i)
				}
				if strings.ContainsAny(it.Title, "\n\u202e\u200b") || strings.Contains(it.Title, "</") {
					t.Errorf("title is not plain: %q", it.Title)
				}
				if testing.Verbose() && i < 2 {
					t.Logf("%s | %.60s | %.100s | %v %v", it.Published.Format("2006-01-02"), it.Title, it.Summary, it.Authors, it.Artifacts)
				}
			}
			again, err := collector.Collect(context.Background(), src, pull.State)
			if err != nil || !again.Unchanged || len(again.Items) > 0 || again.Entries != want {
				t.Errorf("second visit: unchanged %t, %d items, %d entries, %v", again.Unchanged, len(again.Items), again.Entries, err)
			}
		})
	}
	if read < 40 {
		t.Errorf("only %d feeds read", read)
	}
}
