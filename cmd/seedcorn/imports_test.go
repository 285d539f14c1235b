package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The architecture, as a test. Four tables hold it: the layers, the rooms (what
// each package may import of this module), the homes (where each dependency
// lives) and the pure rooms (what must not reach outside). Every ban carries its
// reason, and the reason is what the failing test prints.
//
// The checker reads the files itself, with go/parser. It does not ask the go
// command: files opened here are part of the test cache's key, those that a child
// process opens are not, so a test that asks can pass from the cache after the
// imports have changed.

const module = "seedcorn"

// layers, from the conversation down to the world. A package may reach down,
// never up.
var layers = []string{"cmd", "bot", "digest", "feeds"}

const arrow = "the arrow is cmd -> bot -> digest -> feeds, never back"

// A room says what one package may import of this module, and why no more.
type room struct {
	may   []string // packages it may import
	tests []string // packages that only its tests may import
	why   string   // why everything else is banned
}

// rooms has every package of the module but those of cmd. A package that is not
// here fails; one that is here and does not exist yet is a plan.
var rooms = map[string]room{
	"feeds": {
		why: "feeds holds the words that all others speak in, so it can lean on nobody",
	},
	"feeds/fetch": {
		may: []string{"feeds"},
		why: "fetch brings documents and turns them into items; what they mean is for others to say",
	},
	"feeds/arxiv": {
		may: []string{"feeds"},
		why: "arxiv knows one publisher; it gets its documents through feeds.Getter and not from fetch",
	},
	"feeds/hub": {
		may: []string{"feeds"},
		why: "hub knows two services; it gets its documents through feeds.Getter and not from fetch",
	},
	"feeds/catalog": {
		may: []string{"feeds"},
		why: "catalog is a list of sources; a list fetches nothing and judges nothing",
	},
	"feeds/registry": {
		may: []string{"feeds"},
		why: "registry is cited facts; the rules that use them are in tag, so that a fact can be checked by itself",
	},
	"feeds/tag": {
		may: []string{"feeds", "feeds/registry"},
		why: "tag is a pure function of an item and the registry; a tag that needed a fetch could not be explained later",
	},

	"digest": {
		may: []string{"feeds", "feeds/registry", "feeds/tag", "digest/query"},
		why: "digest is pure: it is handed works and a time, and where they come from (fetch, store, jobs) is not its business",
	},
	"digest/query": {
		may: []string{"feeds"},
		why: "a query is parsed and matched against any subject; it must not know who keeps works or how",
	},
	"digest/rank": {
		may: []string{"feeds", "digest", "digest/query"},
		why: "rank orders what it is given; a rank that looked things up could not be told from its inputs",
	},
	"digest/store": {
		may:   []string{"feeds", "digest", "digest/query"},
		tests: []string{"digest/store/plenty"},
		why:   "store keeps what others have decided; it pulls nothing, tags nothing and starts no job",
	},
	"digest/vault": {
		why: "vault seals texts for their owners; what they are and where they lie is for others to know",
	},
	"digest/store/plenty": {
		may: []string{"feeds", "digest"},
		why: "plenty makes up works to measure with; it knows what a work is and not where works are kept",
	},
	"digest/jobs": {
		may: []string{"feeds", "digest", "digest/query", "digest/rank"},
		// The engine of the jobs wants a real database under it.
		tests: []string{"digest/store"},
		why:   "jobs speaks to storage, collectors and the tagger through small interfaces of its own, and cmd ties them",
	},

	"bot": {
		may: []string{"feeds", "feeds/registry", "digest", "digest/query", "bot/message"},
		tests: []string{
			"bot/bottest",
		},
		why: "bot is the table of commands; it knows platforms and storage by its own small interfaces only",
	},
	"bot/message": {
		may: []string{"feeds"},
		why: "message is the closed document that each platform must show; it has no words but its own",
	},
	"bot/chart": {
		may: []string{"bot/message"},
		why: "chart draws the numbers it is handed; what they mean has been said in words before",
	},
	"bot/bottest": {
		may: []string{"bot", "bot/message", "digest", "digest/query", "feeds", "feeds/registry"},
		why: "bottest is the suite that each platform must pass, so it cannot know one of them; its newsroom is in memory and needs no store",
	},
	"bot/slack":    adapter,
	"bot/discord":  adapter,
	"bot/terminal": adapter,
	"bot/web": {
		may:   []string{"feeds", "digest", "digest/query", "bot", "bot/chart", "bot/message"},
		tests: []string{"bot/bottest"},
		why:   "web is a window on the archive; it reads through an interface of its own and knows no other platform",
	},
}

// adapter is the room of a chat platform.
var adapter = room{
	may:   []string{"bot", "bot/chart", "bot/message", "digest", "feeds"},
	tests: []string{"bot/bottest"},
	why:   "an adapter shows messages and hands on invocations; an adapter that knew works would answer in its own way",
}

// A home says where one dependency lives.
type home struct {
	rooms []string // packages that may import it; nil means any
	tests bool     // rooms holds for tests only: nothing that ships may import it
	why   string
}

// homes has every dependency, by the start of its import path; the longest one
// that fits holds. A dependency that is not here fails: it is either light, and
// says so here, or it has one home. The packages of cmd may import any of them
// but those for tests.
var homes = map[string]home{
	"github.com/mmcdole/gofeed": {
		rooms: []string{"feeds/fetch"},
		why:   "a feed's quirks end in fetch; everybody else sees items",
	},
	"github.com/slack-go/slack": {
		rooms: []string{"bot/slack"},
		why:   "its minor versions break, and what breaks must be one folder",
	},
	"github.com/bwmarrin/discordgo": {
		rooms: []string{"bot/discord"},
		why:   "it sleeps, retries and locks behind our back, and one folder is enough to keep watch over",
	},
	"github.com/robfig/cron": {
		rooms: []string{"digest/jobs"},
		why:   "cron is only the bell; what is due is decided from the database, so nothing else may listen to it",
	},
	"github.com/riverqueue": {
		// The engine's drivers take their pool from whoever opened it. The store
		// hands out its *sql.DB, and the drivers stay with the jobs.
		rooms: []string{"digest/jobs"},
		why:   "the engine moves the work, the tables hold the truth; only jobs may confuse the two",
	},
	"modernc.org/sqlite": {
		rooms: []string{"digest/store"},
		why:   "everyone else speaks to the store, so that two engines give one answer",
	},
	"github.com/jackc/pgx": {
		rooms: []string{"digest/store"},
		why:   "everyone else speaks to the store, so that two engines give one answer",
	},
	"github.com/pressly/goose": {
		rooms: []string{"digest/store"},
		why:   "the schema has one owner",
	},
	"database/sql": {
		rooms: []string{"digest/store", "digest/jobs"},
		why:   "SQL is written in one room; jobs passes transactions through to its engine",
	},
	"github.com/prometheus": {
		rooms: []string{"bot/web"},
		why:   "packages count in plain fields and hooks; only the page that shows metrics knows their format",
	},
	"github.com/chromedp": {
		rooms: []string{"bot/web"}, tests: true,
		why: "a browser is how we look at pages in tests; the program itself starts none",
	},
	"github.com/spf13/cobra": {
		rooms: []string{},
		why:   "flags are read in cmd; a package that reads them cannot be used by another program",
	},
	"github.com/spf13/pflag": {
		rooms: []string{},
		why:   "flags are read in cmd; a package that reads them cannot be used by another program",
	},
	"github.com/caarlos0/env": {
		rooms: []string{},
		why:   "the environment is read once, in cmd, with all its faults told at once",
	},
	"github.com/schollz/progressbar": {
		rooms: []string{},
		why:   "only cmd knows whether a person is watching; packages report progress by a function",
	},
	"golang.org/x/term": {
		rooms: []string{"bot/terminal"},
		why:   "only the terminal's adapter and cmd may ask whether a person is watching",
	},
	"github.com/rogpeppe/go-internal/testscript": {
		rooms: []string{}, tests: true,
		why: "a script tests the whole program, which is cmd's; a package is tested by its own functions",
	},
	"github.com/rogpeppe/go-internal": {
		tests: true,
		why:   "its helpers are made for tests",
	},
	"github.com/cespare/xxhash": {
		rooms: []string{"feeds/fetch"},
		why:   "it tells a changed body from an unchanged one; a key that is stored or shown needs a hash nobody can collide",
	},
	"github.com/rivo/uniseg": {
		rooms: []string{"bot/message", "bot/slack", "bot/discord"},
		why:   "how wide a text stands is asked where text is laid out",
	},
	"github.com/gorilla/websocket": {
		rooms: []string{"bot/slack", "bot/discord"},
		why:   "the platforms' own libraries speak through it; an adapter that watches over a connection must name its type",
	},
	"github.com/santhosh-tekuri/jsonschema": {
		rooms: []string{"bot/discord", "bot/slack"}, tests: true,
		why: "a platform's published schema is a second opinion on what we send; the program itself sends what it has made",
	},
	"golang.org/x/image": {
		rooms: []string{"bot/chart"},
		why:   "pictures are drawn in one room, so that a chart looks the same wherever it is shown",
	},
	"github.com/yuin/goldmark": {
		rooms: []string{"bot/message"}, tests: true,
		why: "it reads our Markdown back as a second opinion; the program itself reads none",
	},
	"github.com/google/go-cmp": {
		tests: true,
		why:   "it panics on what it cannot compare, which is right in a test and nowhere else",
	},

	// Light, and at home anywhere.
	"golang.org/x/net/html":         {},
	"golang.org/x/net/idna":         {},
	"golang.org/x/net/publicsuffix": {},
	"golang.org/x/sync":             {},
	"golang.org/x/text":             {},
}

// pure rooms are functions of their arguments. What ships in them may not reach
// outside; their tests may.
var pure = map[string]string{
	"feeds/tag":    "a tag must come out the same tomorrow, with nothing but the item and the registry",
	"digest":       "the same works and the same time make the same digest",
	"digest/query": "a query means the same wherever it is asked",
	"digest/rank":  "the same works in the same order, or nobody can say why",
	"bot/chart":    "the same numbers make the same picture",
	"bot/message":  "a message is a value; showing it is for a platform",
}

// outside is what a pure room may not import.
var outside = []string{"database/sql", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "syscall"}

// platforms are the names that no other package may say, in code or in prose,
// with the one room of each. The rest of the house must work for a platform
// nobody has thought of yet, and a name is the first thing that leaks.
var platforms = map[string]string{
	"slack":   "bot/slack",
	"discord": "bot/discord",
}

// quoted has what one file may say all the same: names that stand in it as facts
// of the world and not as something we talk to.
var quoted = map[string][]string{
	// The web addresses of hosts where anyone may publish, which say nothing of who
	// made a work.
	"feeds/registry/hosting.go": {`"discord.com"`, `"discord.gg"`, `"slack.com"`},
}

func TestImports(t *testing.T) {
	for _, fault := range checkImports(t, root(t)) {
		t.Error(fault)
	}
}

func TestPlatformNames(t *testing.T) {
	for _, fault := range checkNames(t, root(t)) {
		t.Error(fault)
	}
}

// TestRules holds the tables to account: a rule about a room that is not on the
// plan rules nothing.
func TestRules(t *testing.T) {
	known := func(t *testing.T, where, pkg string) {
		t.Helper()
		if _, ok := rooms[pkg]; !ok {
			t.Errorf("%s speaks of %s, which is not among the rooms", where, pkg)
		}
	}
	for pkg, r := range rooms {
		if r.why == "" {
			t.Errorf("rooms: %s gives no reason", pkg)
		}
		for _, dep := range slices.Concat(r.may, r.tests) {
			known(t, "rooms: "+pkg, dep)
			if layer(dep) < layer(pkg) {
				t.Errorf("rooms: %s may import %s, but %s", pkg, dep, arrow)
			}
		}
	}
	for dep, h := range homes {
		if (h.rooms != nil || h.tests) && h.why == "" {
			t.Errorf("homes: %s gives no reason", dep)
		}
		for _, pkg := range h.rooms {
			known(t, "homes: "+dep, pkg)
		}
	}
	for pkg := range pure {
		known(t, "pure", pkg)
	}
	for _, pkg := range platforms {
		known(t, "platforms", pkg)
	}
}

// TestCheckers shows small wrong trees to the checkers: a guard that has never
// caught anyone guards nothing.
func TestCheckers(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // a part of the only fault; "" for none
	}{
		{
			name: "all in order",
			files: map[string]string{
				"feeds/feeds.go":             "package feeds\nimport _ \"time\"",
				"feeds/tag/tag.go":           "package tag\nimport (\n_ \"seedcorn/feeds\"\n_ \"seedcorn/feeds/registry\"\n)",
				"digest/store/store.go":      "package store\nimport _ \"github.com/jackc/pgx/v5/stdlib\"",
				"digest/jobs/jobs_test.go":   "package jobs_test\nimport _ \"seedcorn/digest/store\"",
				"bot/slack/slack.go":         "// Package slack speaks to Slack.\npackage slack\nimport _ \"github.com/slack-go/slack\"",
				"cmd/seedcorn/main.go":       "// Slack or Discord.\npackage main\nimport (\n_ \"seedcorn/bot/slack\"\n_ \"github.com/spf13/cobra\"\n)",
				"cmd/seedcorn/internal/a.go": "package internal\nimport _ \"seedcorn/digest/store\"",
				"feeds/testdata/x.go":        "package x\nimport _ \"seedcorn/bot\"",
				".hidden/x.go":               "package x\nimport _ \"seedcorn/bot\"",
				"feeds/notes.txt":            "import \"seedcorn/bot\" // Slack",
			},
		},
		{
			name:  "up the arrow",
			files: map[string]string{"feeds/feeds.go": "package feeds\nimport _ \"seedcorn/digest\""},
			want:  "feeds/feeds.go:2: feeds imports digest: " + arrow,
		},
		{
			name:  "up the arrow, in a test",
			files: map[string]string{"digest/rank/x_test.go": "package rank_test\nimport _ \"seedcorn/bot\""},
			want:  "digest/rank imports bot: " + arrow,
		},
		{
			name:  "into cmd",
			files: map[string]string{"bot/bot.go": "package bot\nimport _ \"seedcorn/cmd/seedcorn/internal\""},
			want:  "bot imports cmd/seedcorn/internal: " + arrow,
		},
		{
			name:  "sideways",
			files: map[string]string{"feeds/hub/hub.go": "package hub\nimport _ \"seedcorn/feeds/fetch\""},
			want:  "feeds/hub imports feeds/fetch: siblings do not import each other; hub knows two services",
		},
		{
			name:  "down, where nobody said so",
			files: map[string]string{"bot/terminal/t.go": "package terminal\nimport _ \"seedcorn/digest/store\""},
			want:  "bot/terminal imports digest/store: an adapter shows messages",
		},
		{
			name:  "what only tests may import",
			files: map[string]string{"digest/jobs/jobs.go": "package jobs\nimport _ \"seedcorn/digest/store\""},
			want:  "digest/jobs imports digest/store: only its tests may",
		},
		{
			name:  "a package that is not on the plan",
			files: map[string]string{"feeds/utils/u.go": "package utils"},
			want:  "feeds/utils is not on the plan",
		},
		{
			name:  "a room of its own beside the layers",
			files: map[string]string{"pkg/p.go": "package pkg"},
			want:  "pkg is not on the plan",
		},
		{
			name:  "away from home",
			files: map[string]string{"feeds/arxiv/a.go": "package arxiv\nimport _ \"github.com/mmcdole/gofeed\""},
			want:  "feeds/arxiv imports github.com/mmcdole/gofeed: its home is feeds/fetch: a feed's quirks end in fetch",
		},
		{
			name:  "away from home, in a test, by a later major version",
			files: map[string]string{"digest/x_test.go": "package digest\nimport _ \"github.com/robfig/cron/v3\""},
			want:  "its home is digest/jobs",
		},
		{
			name:  "cmd's own",
			files: map[string]string{"bot/bot.go": "package bot\nimport _ \"github.com/spf13/cobra\""},
			want:  "bot imports github.com/spf13/cobra: its home is cmd",
		},
		{
			name:  "a test's tool in what ships",
			files: map[string]string{"cmd/seedcorn/main.go": "package main\nimport _ \"github.com/google/go-cmp/cmp\""},
			want:  "cmd/seedcorn imports github.com/google/go-cmp/cmp: only tests may",
		},
		{
			name:  "a dependency without a home",
			files: map[string]string{"feeds/feeds.go": "package feeds\nimport _ \"example.com/left/pad\""},
			want:  "imports example.com/left/pad: it has no home",
		},
		{
			name:  "no home by a look-alike name",
			files: map[string]string{"digest/store/s.go": "package store\nimport _ \"github.com/jackc/pgxtra\""},
			want:  "imports github.com/jackc/pgxtra: it has no home",
		},
		{
			name:  "a pure room that reaches outside",
			files: map[string]string{"feeds/tag/tag.go": "package tag\nimport _ \"net/http\""},
			want:  "feeds/tag imports net/http: it is pure: a tag must come out the same",
		},
		{
			name:  "a platform's name in prose",
			files: map[string]string{"bot/bot.go": "package bot\n\n// Reply goes to SLACK.\ntype Reply int"},
			want:  "bot/bot.go:3: says slack outside bot/slack and cmd",
		},
		{
			name:  "a platform's name inside an identifier",
			files: map[string]string{"digest/digest.go": "package digest\nvar isDiscordish = false"},
			want:  "digest/digest.go:2: says discord",
		},
		{
			name:  "one platform in the room of another",
			files: map[string]string{"bot/slack/s.go": "package slack\nvar _ = \"discord\""},
			want:  "bot/slack/s.go:2: says discord",
		},
		{
			name:  "a platform's address, where addresses are listed",
			files: map[string]string{"feeds/registry/hosting.go": "package registry\nvar _ = \"discord.gg\""},
		},
		{
			name:  "more than its address",
			files: map[string]string{"feeds/registry/hosting.go": "package registry\nvar _ = \"discord.gg\" // Discord"},
			want:  "feeds/registry/hosting.go:2: says discord",
		},
		{
			name:  "a platform's name in SQL",
			files: map[string]string{"digest/store/schema/1.sql": "-- a slack channel"},
			want:  "digest/store/schema/1.sql:1: says slack",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				name = filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			got := append(checkImports(t, dir), checkNames(t, dir)...)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("faults in a tree without any: %q", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got faults %q, want one that says %q", got, tt.want)
			}
		})
	}
}

// root returns the folder of the module, which is two above this package, where
// the go command runs its tests.
func root(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..")
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^module ` + module + `$`).Match(mod) {
		t.Fatalf("%s is not the root of module %s", dir, module)
	}
	return dir
}

// files calls visit for each file under dir that the go command would look at and
// whose name ends in one of the suffixes, with its path relative to dir, slashed.
func files(t *testing.T, dir string, visit func(name string), suffixes ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if p != dir && (base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor" || base == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if slices.Contains(suffixes, path.Ext(base)) {
			rel, err := filepath.Rel(dir, p)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkImports returns what is wrong with the imports of the module in dir, each
// fault with its place and the reason of the rule.
func checkImports(t *testing.T, dir string) []string {
	t.Helper()
	var faults []string
	unplanned := make(map[string]bool)
	files(t, dir, func(name string) {
		pkg := path.Dir(name)
		_, planned := rooms[pkg]
		if !planned && !under(pkg, "cmd/seedcorn") {
			if !unplanned[pkg] {
				unplanned[pkg] = true
				faults = append(faults, fmt.Sprintf("%s is not on the plan: give it a room here, and say what it may import and why", pkg))
			}
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(dir, filepath.FromSlash(name)), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatalf("reading imports: %v", err)
		}
		for _, spec := range file.Imports {
			dep, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("reading imports of %s: %v", name, err)
			}
			if why := ban(pkg, dep, strings.HasSuffix(name, "_test.go")); why != "" {
				line := fset.Position(spec.Pos()).Line
				faults = append(faults, fmt.Sprintf("%s:%d: %s imports %s: %s", name, line, pkg, strings.TrimPrefix(dep, module+"/"), why))
			}
		}
	}, ".go")
	return faults
}

// ban returns why pkg may not import dep, or "" where it may.
func ban(pkg, dep string, test bool) string {
	if ours, ok := strings.CutPrefix(dep, module+"/"); ok {
		return banOurs(pkg, ours, test)
	}
	if why, ok := pure[pkg]; ok && !test && slices.Contains(outside, dep) {
		return "it is pure: " + why
	}
	return banTheirs(pkg, dep, test)
}

// banOurs is ban for the packages of this module.
func banOurs(pkg, dep string, test bool) string {
	r := rooms[pkg]
	switch {
	case pkg == dep, under(pkg, "cmd/seedcorn"), slices.Contains(r.may, dep):
		return "" // pkg == dep is an external test
	case slices.Contains(r.tests, dep):
		if test {
			return ""
		}
		return "only its tests may; " + r.why
	case layer(dep) < layer(pkg):
		return arrow
	case path.Dir(dep) == path.Dir(pkg):
		return "siblings do not import each other; " + r.why
	}
	return r.why
}

// banTheirs is ban for the standard library and for other modules.
func banTheirs(pkg, dep string, test bool) string {
	best := ""
	for prefix := range homes {
		if under(dep, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	if best == "" {
		if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") {
			return "it has no home: give it one here, with its reason, or list it with the light ones"
		}
		return "" // the standard library
	}
	h := homes[best]
	switch {
	case h.tests && !test:
		return "only tests may: " + h.why
	case h.rooms == nil, slices.Contains(h.rooms, pkg), under(pkg, "cmd/seedcorn"):
		return ""
	case len(h.rooms) == 0:
		return "its home is cmd: " + h.why
	}
	return "its home is " + strings.Join(h.rooms, " and ") + ": " + h.why
}

// checkNames returns where the Go and SQL files of the module in dir name a
// platform outside its room.
func checkNames(t *testing.T, dir string) []string {
	t.Helper()
	var faults []string
	files(t, dir, func(name string) {
		if under(name, "cmd") {
			return
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.ToLower(string(text)), "\n") {
			for _, q := range quoted[name] {
				line = strings.ReplaceAll(line, q, "")
			}
			for _, platform := range slices.Sorted(maps.Keys(platforms)) {
				if home := platforms[platform]; strings.Contains(line, platform) && !under(name, home) {
					faults = append(faults, fmt.Sprintf("%s:%d: says %s outside %s and cmd: speak of the platform, or move it there", name, i+1, platform, home))
				}
			}
		}
	}, ".go", ".sql")
	return faults
}

// layer returns the index in layers of the layer that pkg is in: smaller is
// higher up.
func layer(pkg string) int {
	first, _, _ := strings.Cut(pkg, "/")
	return slices.Index(layers, first)
}

// under tells whether the slashed path p is dir or below it.
func under(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}
