package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"seedcorn/bot"
)

// loggers are the methods that write a line or prepare one, with how many arguments
// stand before the names and values.
var loggers = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "Log": 3,
}

// Every line of the program carries names from the one list, and every name of the
// list is carried by a line.
func TestLogKeys(t *testing.T) {
	dir, used := root(t), map[string]bool{}
	files(t, dir, func(name string) {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "cmd/seedcorn/internal/") {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(dir, filepath.FromSlash(name)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range logged(fset, file) {
			if k.key == "" {
				t.Errorf("%s: the name of an attribute is not written out here, so it can't be held to the list", k.pos)
			} else if _, ok := logKeys[k.key]; !ok {
				t.Errorf("%s: %q is not among the log's names: use one of logKeys, or add it with what it means", k.pos, k.key)
			}
			used[k.key] = true
		}
	}, ".go")
	for key := range logKeys {
		if !used[key] {
			t.Errorf("no line carries %q", key)
		}
	}
}

// A loggedKey is the name of an attribute; "" where it is no literal.
type loggedKey struct {
	pos token.Position
	key string
}

// logged returns the names of attributes in a file: of calls of a logger's methods on
// something that is called log, and of slog's own constructors.
func logged(fset *token.FileSet, file *ast.File) (out []loggedKey) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		var on string
		switch x := sel.X.(type) {
		case *ast.Ident:
			on = x.Name
		case *ast.SelectorExpr:
			on = x.Sel.Name
		}
		skip, is := loggers[sel.Sel.Name]
		add := func(e ast.Expr) {
			k := loggedKey{pos: fset.Position(e.Pos())}
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				k.key, _ = strconv.Unquote(lit.Value)
			}
			out = append(out, k)
		}
		switch {
		case on == "slog" && (sel.Sel.Name == "String" || sel.Sel.Name == "Any" || sel.Sel.Name == "Int" || sel.Sel.Name == "Duration" || sel.Sel.Name == "Time" || sel.Sel.Name == "Bool"):
			if len(call.Args) == 2 {
				add(call.Args[0])
			}
		case is && strings.EqualFold(on, "log") && len(call.Args) > skip:
			if call.Ellipsis.IsValid() {
				// append([]any{"name", value}, more...): what stands there can be read.
				if inner, ok := call.Args[len(call.Args)-1].(*ast.CallExpr); ok {
					for _, a := range inner.Args {
						if list, ok := a.(*ast.CompositeLit); ok {
							for i := 0; i < len(list.Elts); i += 2 {
								add(list.Elts[i])
							}
						} else if lit, ok := a.(*ast.BasicLit); ok {
							add(lit)
							break
						}
					}
				}
				return true
			}
			for i := skip; i < len(call.Args); i += 2 {
				add(call.Args[i])
			}
		}
		return true
	})
	return out
}

// The reader of calls reads what a line may look like: a guard that sees nothing
// guards nothing.
func TestLogged(t *testing.T) {
	const text = `package x
func f() {
	log.Info("a", "one", 1, "two", 2)
	a.log.WarnContext(ctx, "b", "three", 3)
	s.Log.Error(what, "four", err)
	w.log.With("five", 5)
	t.Error("not", "a line")
	l.log.Error("bell: "+msg, append(kv, "six", err)...)
	t.log.Error(what, append([]any{"seven", 7, "eight", 8}, more...)...)
	log.Info("c", name, 1)
	slog.String("nine", "x")
}`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range logged(fset, file) {
		got = append(got, k.key)
	}
	if s := strings.Join(got, " "); s != "one two three four five six seven eight  nine" {
		t.Errorf("read %q", s)
	}
}

// A line that an invocation caused carries its id once, whoever writes it.
func TestTraced(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(&b, config{LogFormat: "json", LogLevel: "info"})
	ctx := bot.WithInvocation(t.Context(), "i1")
	log.InfoContext(ctx, "subscribed", "subscription", "s1")
	log.With("platform", "p").InfoContext(ctx, "answered", "invocation", "i1")
	log.Info("nobody asked")
	var got []string
	for line := range strings.Lines(b.String()) {
		if n := strings.Count(line, `"invocation"`); n > 1 {
			t.Errorf("the id stands %d times in %s", n, line)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(m["msg"], " ", m["invocation"]))
	}
	if s := strings.Join(got, "; "); s != "subscribed i1; answered i1; nobody asked <nil>" {
		t.Error(s)
	}
}

func TestNoSecretInTheLog(t *testing.T) {
	for _, text := range []string{
		"xoxb-123-456-sesame", "xapp-1-A0-sesame",
		"feed:https://reader:sesame@example.org/feed", "https://example.org/feed?user=1&apikey=sesame", "https://example.org/feed?token=sesame&page=2",
		`Post "https://hooks.slack.com/commands/T1/2/sesame": EOF`, "https://discord.com/api/v10/webhooks/123/sesame/messages/@original",
		"https://discord.com/api/v10/interactions/123/sesame/callback", "Authorization: Bearer sesame.sesame.sesame", "Authorization: Bot sesamesesamesesame.x",
		"https://slack.com/oauth?code=sesame", "postgres://seedcorn:sesame@db/seedcorn",
	} {
		for _, value := range []any{text, errors.New("asking: " + text), fmt.Errorf("a: %w", errors.New(text)), secret("sesame")} {
			for _, format := range []string{"text", "json"} {
				var b bytes.Buffer
				newLogger(&b, config{LogFormat: format, LogLevel: "info"}).Info("asking", "error", value)
				if strings.Contains(b.String(), "sesame") || !strings.Contains(b.String(), "redacted") {
					t.Errorf("%s", b.String())
				}
			}
		}
	}
	// What is no secret stays as it is.
	for _, text := range []string{"feed:https://example.org/feed?page=2", "HTTP 404 Not Found", "arxiv:cs.CL", "a bot said so", "me@example.org"} {
		if got := scrub(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if a := scrubbed(nil, slog.Int("works", 3)); a.Value.Int64() != 3 {
		t.Errorf("a number became %v", a)
	}
}
