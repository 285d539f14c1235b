package main

import (
	"bytes"
	"fmt"
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

// Every command in the README's code blocks is one that the program has, with
// flags that it has. What runs without a network or a token is run.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```(?:sh|console)\n(.*?)```")
	runs := 0
	for _, m := range block.FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.Lines(m[1]) {
			for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "&&") {
				words := shellWords(strings.TrimSpace(part))
				for len(words) > 0 && strings.Contains(words[0], "=") {
					words = words[1:] // NAME=value before the command
				}
				if len(words) >= 3 && words[0] == "go" && words[1] == "run" && words[2] == "./cmd/seedcorn" {
					words = words[2:]
				} else if len(words) == 0 || words[0] != "seedcorn" {
					continue
				}
				runs++
				root := newRoot(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
				c, rest, err := root.Find(words[1:])
				if err != nil || c == root && len(words) > 1 && !strings.HasPrefix(words[1], "-") {
					t.Errorf("README: %q is no command (%v)", strings.Join(words, " "), err)
					continue
				}
				if err := c.ParseFlags(rest); err != nil {
					t.Errorf("README: %q: %v", strings.Join(words, " "), err)
				}
			}
		}
	}
	if runs < 20 {
		t.Errorf("only %d commands found in the README: has its form changed?", runs)
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
		case r == ' ' || r == '|' || r == '>':
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
