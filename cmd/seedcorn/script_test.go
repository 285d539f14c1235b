package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/digest"
	"seedcorn/feeds/catalog"
)

// The scripts in testdata run the program as a person would. They are pages one
// can read: what was typed, what came out.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"seedcorn": main})
}

func TestScripts(t *testing.T) {
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	hostile := httptest.NewServer(hostileSite())
	t.Cleanup(hostile.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			b := demosite.Bases(base)
			env.Setenv("SITE", base)
			env.Setenv("HOSTILE", hostile.URL)
			env.Setenv("SEEDCORN_DATABASE_URL", "sqlite:"+filepath.Join(env.WorkDir, "seedcorn.db"))
			env.Setenv("SEEDCORN_ALLOW_PRIVATE_NETWORKS", "true")
			env.Setenv("SEEDCORN_HUGGINGFACE_URL", b.HuggingFace)
			env.Setenv("SEEDCORN_GITHUB_URL", b.GitHubAPI)
			env.Setenv("SEEDCORN_ARXIV_RSS_URL", b.ArXivRSS)
			env.Setenv("SEEDCORN_ARXIV_API_URL", b.ArXivAPI)
			env.Setenv("SEEDCORN_ARXIV_PAGES_URL", b.ArXivRSS)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv(testManners, "1ms")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// lines N FILE holds a file to a number of lines.
			"lines": func(ts *testscript.TestScript, neg bool, args []string) {
				n := strings.Count(ts.ReadFile(args[1]), "\n")
				if (fmt.Sprint(n) == args[0]) == neg {
					ts.Fatalf("%s has %d lines", args[1], n)
				}
			},
		},
	})
}

// hostileSite serves what a stranger's server may answer.
func hostileSite() http.Handler {
	mux := http.NewServeMux()
	serve := func(path, mime, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mime)
			fmt.Fprint(w, body)
		})
	}
	const xml = "application/rss+xml"
	item := func(title, link, date, text string) string {
		return "<item><title>" + title + "</title><link>" + link + "</link><pubDate>" + date + "</pubDate><description>" + text + "</description></item>"
	}
	rss := func(items ...string) string {
		return `<?xml version="1.0"?><rss version="2.0"><channel><title>Hostile</title>` + strings.Join(items, "") + "</channel></rss>"
	}
	now := time.Now().UTC().Format(time.RFC1123Z)
	serve("/good.xml", xml, rss(item("A good entry of four words", "https://good.example/1", now, "We release weights.")))
	serve("/page.html", "text/html", `<html><head><title>A blog</title><link rel="alternate" type="application/rss+xml" href="/good.xml"></head><body>hello</body></html>`)
	serve("/html.xml", xml, "<!doctype html><html><head><title>Not found</title></head><body>sorry</body></html>")
	serve("/truncated.xml", xml, strings.TrimSuffix(rss(item("First of a truncated feed", "https://t.example/1", now, "x"), item("Second, cut off", "https://t.example/2", now, "x")), "</title><link>https://t.example/2</link><pubDate>"+now+"</pubDate><description>x</description></item></channel></rss>"))
	serve("/latin1.xml", xml, rss(item("Un mod\xe8le libre et ouvert", "https://l.example/1", now, "caf\xe9")))
	serve("/script.xml", xml, rss(item("&lt;script&gt;alert(1)&lt;/script&gt;An entry with a script", "https://s.example/1", now, "&lt;img src=x onerror=alert(1)&gt;text &#x1b;[31mred")))
	serve("/dates.xml", xml, rss(
		item("An entry of the year one", "https://d.example/1", "Mon, 01 Jan 0001 00:00:00 +0000", "x"),
		item("An entry of the year 2099", "https://d.example/2", "Thu, 01 Jan 2099 00:00:00 +0000", "x"),
		item("An entry without any date", "https://d.example/3", "", "x"),
		"<item><description></description></item>",
	))
	serve("/bomb.xml", xml, `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><rss version="2.0"><channel><title>&c;</title><item><title>&c;&c;&c; bomb entry of words</title><link>https://b.example/1</link></item></channel></rss>`)
	serve("/deep.xml", xml, rss("<item><title>A deep entry of words</title><link>https://deep.example/1</link>"+strings.Repeat("<x>", 100_000)+strings.Repeat("</x>", 100_000)+"</item>"))
	mux.HandleFunc("GET /huge.xml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", xml)
		fmt.Fprint(w, `<?xml version="1.0"?><rss version="2.0"><channel><title>Huge</title>`)
		chunk := bytes.Repeat([]byte("<!-- nothing to read here -->"), 1<<15)
		for range 40 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /private", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	mux.HandleFunc("GET /limited", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	mux.HandleFunc("GET /gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	return mux
}

// Every command in the README is run, in the README's order, against the demo's site:
// what a reader types must work as it stands there.
func TestReadmeCommands(t *testing.T) {
	site := demosite.New(time.Now())
	base, stop, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	hostile := httptest.NewServer(hostileSite())
	defer hostile.Close()
	ready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			http.NotFound(w, r)
		}
	}))
	defer ready.Close()
	dir := t.TempDir()
	b := demosite.Bases(base)
	for name, value := range map[string]string{
		"DATABASE_URL": "sqlite:" + filepath.Join(dir, "readme.db"), "ALLOW_PRIVATE_NETWORKS": "true", "LISTEN": "127.0.0.1:0", "LOG_LEVEL": "error",
		"HUGGINGFACE_URL": b.HuggingFace, "GITHUB_URL": b.GitHubAPI, "ARXIV_RSS_URL": b.ArXivRSS, "ARXIV_API_URL": b.ArXivAPI, "ARXIV_PAGES_URL": b.ArXivRSS,
	} {
		t.Setenv(prefix+name, value)
	}
	t.Setenv(testManners, "1ms")
	run := func(ctx context.Context, words []string) (string, error) {
		var out bytes.Buffer
		root := newRoot(strings.NewReader(""), &out, io.Discard)
		root.SetArgs(words)
		err := root.ExecuteContext(ctx)
		return out.String(), err
	}
	// What the README's reader has and we do not: a list that begins with the demo's,
	// a work in two places, a workspace, a dump, a file of feeds.
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	var joined digest.Work
	if err := a.do(t.Context(), func(ctx context.Context, w *world) error {
		if _, err := w.begin(ctx); err != nil {
			return err
		}
		if err := w.db.PutSources(ctx, demosite.Sources(base)); err != nil {
			return err
		}
		if _, err := w.pullAll(ctx, demosite.Sources(base), func(string) {}); err != nil {
			return err
		}
		if _, err := w.db.PutInstallation(ctx, digest.Installation{Platform: "slack", Workspace: "T0123456789", Sealed: "eA==", Key: "k", At: time.Now()}); err != nil {
			return err
		}
		joined, err = w.findWork(ctx, "Qwen3 Technical Report")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	dump, opml := filepath.Join(dir, "ror.json"), filepath.Join(dir, "feeds.opml")
	for path, text := range map[string]string{
		dump: `[{"id":"https://ror.org/03cve4549","status":"active","types":["education"],"names":[{"value":"Tsinghua University","types":["ror_display"]}],"locations":[{"geonames_details":{"country_code":"CN"}}]}]`,
		opml: `<opml version="2.0"><body><outline type="rss" text="x" xmlUrl="` + hostile.URL + `/good.xml"/></body></opml>`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours := strings.NewReplacer(
		"https://example.org/blog", hostile.URL+"/page.html",
		"https://example.org/post", joined.Places[len(joined.Places)-1].URL,
		"w7k3m9q2xd", string(joined.ID),
		"v2.8-2026-06-02-ror-data.zip", dump,
		"feeds.opml", opml,
		"digest.html", filepath.Join(dir, "digest.html"),
		"balance.png", filepath.Join(dir, "balance.png"),
		"/backups/seedcorn.db", filepath.Join(dir, "copy.db"),
		"postgres://seedcorn@db.internal/seedcorn", "sqlite:"+filepath.Join(dir, "moved.db"),
	)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range configFields() {
		if !strings.Contains(string(readme), "`"+f.name+"`") {
			t.Errorf("the README does not name %s", f.name)
		}
	}
	ran := map[string]int{}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.Lines(block[1]) {
			words := shellWords(ours.Replace(strings.TrimSpace(line)))
			for len(words) > 0 && strings.Contains(words[0], "=") {
				words = words[1:] // NAME=value before the command
			}
			if len(words) > 2 && strings.Join(words[:3], " ") == "go run ./cmd/seedcorn" {
				words = words[2:]
			}
			if len(words) < 2 || !strings.HasSuffix(words[0], "seedcorn") {
				continue
			}
			words = words[1:]
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			switch words[0] {
			case "serve": // until it is interrupted
				ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
				t.Setenv(prefix+"LISTEN", "127.0.0.1:0")
			case "health":
				t.Setenv(prefix+"LISTEN", strings.TrimPrefix(ready.URL, "http://"))
			case "sources":
				if words[1] == "starter" {
					ran["sources"]++ // in TestStarterList: here it would send the next pull to the network
					cancel()
					continue
				}
			}
			out, err := run(ctx, words)
			cancel()
			if err != nil {
				t.Errorf("README: seedcorn %s: %v\n%s", strings.Join(words, " "), err, out)
			}
			ran[words[0]]++
		}
	}
	untold := map[string]bool{"rules": true, "help": true, "completion": true} // told of in words
	for _, c := range newRoot(strings.NewReader(""), io.Discard, io.Discard).Commands() {
		if ran[c.Name()] == 0 && c.Runnable() && !c.Hidden && !untold[c.Name()] {
			t.Errorf("the README does not show %q", c.Name())
		}
	}
}

func TestStarterList(t *testing.T) {
	t.Setenv(prefix+"DATABASE_URL", "sqlite:"+filepath.Join(t.TempDir(), "starter.db"))
	for range 2 { // adding it again changes nothing
		var out bytes.Buffer
		root := newRoot(strings.NewReader(""), &out, io.Discard)
		root.SetArgs([]string{"sources", "starter"})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		root = newRoot(strings.NewReader(""), &out, io.Discard)
		root.SetArgs([]string{"sources", "list"})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Count(out.String(), "\n")-1, len(catalog.Sources()); got != want {
			t.Errorf("%d sources, want %d", got, want)
		}
	}
}

// shellWords splits a line as a shell would, for the quotes that the README uses.
func shellWords(s string) []string {
	var out []string
	var word strings.Builder
	quote, in := rune(0), false
	for _, r := range s {
		switch {
		case r == '#' && !in && quote == 0:
			return out
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ' || r == '|' || r == '>' || r == '<' || r == '&':
			if in {
				out = append(out, word.String())
				word.Reset()
				in = false
			}
			if r != ' ' {
				return out // what follows is another program's
			}
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in {
		out = append(out, word.String())
	}
	return out
}
