package arxiv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"seedcorn/feeds"
)

// printFront prints a front matter as the test files do.
func printFront(f Front) string {
	var b strings.Builder
	for _, a := range f.Authors {
		fmt.Fprintf(&b, "author: %s", a.Name)
		if len(a.Affiliations) > 0 {
			fmt.Fprintf(&b, " | %s", strings.Join(a.Affiliations, "; "))
		}
		if len(a.Emails) > 0 {
			fmt.Fprintf(&b, " | %s", strings.Join(a.Emails, " "))
		}
		b.WriteByte('\n')
	}
	for _, a := range f.Affiliations {
		fmt.Fprintf(&b, "affiliation: %s\n", a)
	}
	for _, e := range f.Emails {
		fmt.Fprintf(&b, "email: %s\n", e)
	}
	for _, a := range f.Artifacts {
		fmt.Fprintf(&b, "link: %s %s\n", a.Kind, a.URL)
	}
	return b.String()
}

// TestParseFront reads the layouts in testdata/front, written after the shapes
// that LaTeXML gives to the classes named in each file's first line.
func TestParseFront(t *testing.T) {
	files, err := filepath.Glob("testdata/front/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d layouts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			page, want := layout(t, file)
			f, ok := ParseFront(page)
			if !ok {
				t.Fatal("not taken for a page of LaTeXML's")
			}
			if diff := cmp.Diff(want, printFront(f)); diff != "" {
				t.Errorf("front matter (-want +got):\n%s", diff)
			}
		})
	}
}

func layout(tb testing.TB, file string) (page []byte, want string) {
	tb.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range a.Files {
		switch f.Name {
		case "page.html":
			page = f.Data
		case "want":
			want = string(f.Data)
		}
	}
	return page, want
}

func TestAffiliations(t *testing.T) {
	page, _ := layout(t, "testdata/front/team.txtar")
	gate := &countingGate{}
	site := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/html/2412.19437":
			_, _ = w.Write(page)
		case "/html/2412.19437v2":
			_, _ = w.Write([]byte("<html><body><h1>HTML is not available for the source</h1></body></html>"))
		case "/html/2412.00500":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			http.NotFound(w, r)
		}
	})
	ctx := context.Background()
	f, err := Affiliations(ctx, getter{}, gate, site, "arXiv:2412.19437")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"DeepSeek-AI"}; !cmp.Equal(f.Affiliations, want) || f.URL != site+"/html/2412.19437" {
		t.Errorf("got %q from %s, want %q", f.Affiliations, f.URL, want)
	}
	if len(f.Keys) != 1 || f.Keys[0] != (feeds.Key{Scheme: feeds.KeyHF, Value: "deepseek-ai/deepseek-v3", Claim: true}) {
		t.Errorf("keys %v", f.Keys)
	}
	for _, id := range []string{"2412.19437v2", "2412.99999"} {
		if _, err := Affiliations(ctx, getter{}, gate, site, id); !errors.Is(err, ErrNoHTML) {
			t.Errorf("%s: %v, want ErrNoHTML", id, err)
		}
	}
	if _, err := Affiliations(ctx, getter{}, gate, site, "2412.00500"); errors.Is(err, ErrNoHTML) || feeds.TroubleOf(err) != feeds.TroubleStatus {
		t.Errorf("a server error came back as %v", err)
	}
	if _, err := Affiliations(ctx, getter{}, gate, site, "../../etc/passwd"); err == nil {
		t.Error("a path was taken for an id")
	}
	if gate.entered != 4 || gate.inside != 0 {
		t.Errorf("gate entered %d times, %d still inside", gate.entered, gate.inside)
	}
	shut, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Affiliations(shut, getter{}, gate, site, "2412.19437"); !errors.Is(err, context.Canceled) {
		t.Errorf("at a gate that is shut: %v", err)
	}
}

// hostile are pages that mean harm; each must come back quickly and within bounds.
func hostile() map[string]string {
	return map[string]string{
		"deep":       strings.Repeat(`<span class="ltx_creator">`, 100_000),
		"deep block": `<div class="ltx_authors">` + strings.Repeat(`<div class="ltx_creator"><span class="ltx_personname">`, 50_000),
		"wide":       `<div class="ltx_authors"><span class="ltx_creator"><span class="ltx_personname">` + strings.Repeat("A B<sup>1</sup>, ", 100_000),
		"marks":      `<div class="ltx_authors"><span class="ltx_creator"><span class="ltx_personname">A B<br>` + strings.Repeat("<sup>1</sup>X University ", 100_000),
		"text":       `<div class="ltx_authors"><span class="ltx_personname">` + strings.Repeat("x", 5<<20),
		"mail":       `<div class="ltx_authors"><span class="ltx_personname">` + strings.Repeat("{a,b@", 200_000),
		"mail 2":     `<div class="ltx_authors"><span class="ltx_personname">` + strings.Repeat("a@b.c,", 200_000),
		"digits":     `<div class="ltx_authors"><span class="ltx_personname">` + strings.Repeat("1 A ", 200_000),
		"attributes": `<div class="ltx_authors ` + strings.Repeat("ltx_x ", 300_000) + `"><span class=ltx_personname>A B`,
		"unclosed":   `<div class="ltx_authors"><script>` + strings.Repeat("<b>", 100_000),
		"notes":      `<div class="ltx_authors"><span class="ltx_creator">` + strings.Repeat(`<span class="ltx_note ltx_role_thanks"><span class="ltx_note_content">A is with the University `, 20_000),
		"not utf-8":  "<div class=\"ltx_authors\"><span class=ltx_personname>A\xff B\xfe<sup>\xff</sup><br>\xff University",
		"breaks":     `<div class="ltx_authors"><span class="ltx_personname">` + strings.Repeat("University of X<br>", 60_000),
	}
}

func TestParseFrontHostile(t *testing.T) {
	for name, page := range hostile() {
		t.Run(name, func(t *testing.T) {
			f, _ := ParseFront([]byte(page))
			bounded(t, f)
		})
	}
}

func bounded(tb testing.TB, f Front) {
	tb.Helper()
	if len(f.Authors) > feeds.MaxAuthors || len(f.Affiliations) > maxAffiliations || len(f.Emails) > maxEmails || len(f.Artifacts) > maxLinks {
		tb.Errorf("%d authors, %d affiliations, %d addresses, %d links", len(f.Authors), len(f.Affiliations), len(f.Emails), len(f.Artifacts))
	}
	for _, a := range f.Affiliations {
		if utf8.RuneCountInString(a) > maxAffiliation || !utf8.ValidString(a) || strings.Contains(a, "<script") {
			tb.Errorf("affiliation %.80q", a)
		}
	}
}

func FuzzParseFront(f *testing.F) {
	files, err := filepath.Glob("testdata/front/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		page, _ := layout(f, file)
		f.Add(page)
	}
	f.Add([]byte(`<div class="ltx_authors"><math alttext="^{"></math><sup>1</sup>@x.y`))
	f.Fuzz(func(t *testing.T, page []byte) {
		front, _ := ParseFront(page)
		bounded(t, front)
	})
}

func BenchmarkParseFront(b *testing.B) {
	page, _ := layout(b, "testdata/front/neurips_marks.txtar")
	// A real page is mostly body, which must cost nothing.
	page = append(page[:len(page)-len("</body></html>")], []byte(strings.Repeat("<p class=\"ltx_p\">Body text with <math alttext=\"x\"></math>.</p>", 20_000))...)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ParseFront(page); !ok {
			b.Fatal("not read")
		}
	}
}

func data(tb testing.TB, name string) []byte {
	tb.Helper()
	dir := os.Getenv("SEEDCORN_TEST_DATA")
	if dir == "" {
		tb.Skip("SEEDCORN_TEST_DATA is not set")
	}
	b, err := os.ReadFile(filepath.Join(dir, "feeds", "arxiv", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
