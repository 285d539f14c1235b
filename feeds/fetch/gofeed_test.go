package fetch

import (
	"bytes"
	"go/build"
	"html"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mmcdole/gofeed"

	"seedcorn/feeds"
)

// TestAsGofeedDoes reads gofeed's own test documents, as far as they are feeds to it,
// and compares how many entries it and we find. Each of them is broken or rare in a
// way that somebody once met.
func TestAsGofeedDoes(t *testing.T) {
	pkg, err := build.Import("github.com/mmcdole/gofeed", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = filepath.WalkDir(filepath.Join(pkg.Dir, "testdata"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		want, err := gofeed.NewParser().Parse(bytes.NewReader(body))
		if err != nil {
			return nil // what gofeed cannot read is no yardstick
		}
		n++
		name, _ := filepath.Rel(pkg.Dir, path)
		pull, err := Parse(body, "", testSource, feeds.State{}, testNow)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		if pull.Entries != len(want.Items) {
			t.Errorf("%s: %d entries, gofeed finds %d", name, pull.Entries, len(want.Items))
		}
		titles := map[string]bool{}
		for _, it := range pull.Items {
			titles[it.Title] = true
		}
		for _, it := range want.Items {
			// Escaped markup inside of XHTML is text; gofeed's form of it is ambiguous.
			if title := plainText(it.Title, feeds.MaxTitle); title != "" && !titles[title] && !titles[html.UnescapeString(it.Title)] {
				t.Errorf("%s: title %q is missing: %v", name, title, titles)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 500 {
		t.Errorf("only %d documents compared", n)
	}
	t.Logf("%d documents compared", n)
}
