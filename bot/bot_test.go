package bot_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"seedcorn/bot"
	"seedcorn/bot/bottest"
	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
)

var update = flag.Bool("update", false, "write the replies of testdata/*.txtar anew")

// people of the pages. Who asks is said before the line, "ben> search x"; ada is
// meant where nobody is. An exclamation mark, "ada!> latest", is a direct message.
var people = map[string]bot.Person{
	"ada": {ID: "ada", Name: "Ada", Zone: "Europe/London", Manages: true},
	"ben": {ID: "ben", Name: "Ben"},
	"gus": {ID: "gus", Name: "Gus", Guest: true},
	"dia": {ID: "dia", Name: "Dia", Roles: []string{"7"}, Direct: digest.Destination{Platform: "test", Workspace: "w", Channel: "dia", Direct: true}},
	"eve": {ID: "eve", Name: "Eve", Direct: digest.Destination{Platform: "test", Workspace: "w", Channel: "eve", Direct: true}},
}

// A talk is one channel with one desk.
type talk struct {
	desk   *bottest.FakeDesk
	router *bot.Router
	log    bytes.Buffer
	ids    []string // of subscriptions, which are random, in the order of their making
	n      int
}

func newTalk() *talk {
	k := &talk{desk: bottest.Desk()}
	k.router = bot.NewRouter(k.desk, slog.New(slog.NewTextHandler(&k.log, nil)))
	return k
}

var asked = regexp.MustCompile(`^([a-z]+)(!?)> ?(.*)$`)

// invocation is what a line of a page asks. A line that is not understood is handed
// on by its first word, as adapters do.
func (k *talk) invocation(line string) bot.Invocation {
	k.n++
	who, direct := "ada", false
	if m := asked.FindStringSubmatch(line); m != nil {
		who, direct, line = m[1], m[2] != "", m[3]
	}
	for i, id := range k.ids {
		line = strings.ReplaceAll(line, fmt.Sprintf("SUB%d", i+1), id)
	}
	place := bot.Place{Platform: "test", Workspace: "w", Channel: "research"}
	if direct {
		place = bot.Place{Platform: "test", Workspace: "w", Channel: who, Direct: true}
	}
	command, args, err := k.router.Parse(line)
	rest := ""
	if err != nil {
		command, rest, _ = strings.Cut(line, " ")
		args = nil
	}
	return bot.Invocation{ID: fmt.Sprintf("i%d", k.n), Place: place, Asker: people[who], Command: command, Args: args, Rest: rest}
}

// say returns the reply to a line as text.
func (k *talk) say(t testing.TB, line string) string {
	t.Helper()
	r := k.router.Handle(t.Context(), k.invocation(line))
	var b bytes.Buffer
	if r.Public {
		b.WriteString("[to everyone]\n")
	}
	if r.Replace {
		b.WriteString("[in place of the message]\n")
	}
	if f := r.Form; f != nil {
		fmt.Fprintf(&b, "[form %q of %s, button %q]\n", f.Title, f.Command, f.Submit)
		for _, x := range f.Fields {
			fmt.Fprintf(&b, "[  %s: %q", x.Param, x.Label)
			if x.Value != "" {
				fmt.Fprintf(&b, " = %q", x.Value)
			}
			if len(x.Choices) > 0 {
				fmt.Fprintf(&b, " of %q", x.Choices)
			}
			if x.Fixed {
				b.WriteString(", settled")
			}
			if x.Required {
				b.WriteString(", required")
			}
			b.WriteString("]\n")
		}
	}
	if err := message.Text(&b, r.Document, message.TextOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if r.Document.Summary == "" {
		t.Errorf("%q: the reply has no summary", line)
	}
	for _, s := range k.desk.Subscriptions() {
		if !slices.Contains(k.ids, string(s.ID)) {
			k.ids = append(k.ids, string(s.ID))
		}
	}
	out := b.String()
	for i, id := range k.ids {
		out = strings.ReplaceAll(out, id, fmt.Sprintf("SUB%d", i+1))
	}
	return labCount.ReplaceAllString(out, "N labs in the registry")
}

// labCount changes with the registry, which is none of this test's business.
var labCount = regexp.MustCompile(`\d+ labs in the registry`)

// Each file of a page is named by a typed line and holds the reply. A page is one
// conversation, from top to bottom.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	seen := map[string]bool{}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(page)
			if err != nil {
				t.Fatal(err)
			}
			k := newTalk()
			for i, f := range a.Files {
				line := f.Name
				got := k.say(t, line)
				if *update {
					a.Files[i].Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s (-want +got; -update writes it anew):\n%s", line, diff)
				}
				if m := asked.FindStringSubmatch(line); m != nil {
					line = m[3]
				}
				if command, _, err := k.router.Parse(line); err == nil {
					seen[command] = true
				}
			}
			if k.log.Len() > 0 {
				t.Errorf("what people get wrong is no fault of ours, and it was logged:\n%s", k.log.String())
			}
			if *update {
				if err := os.WriteFile(page, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	for _, c := range bot.Commands() {
		if !seen[c.Name] {
			t.Errorf("no page asks %s", c.Name)
		}
	}
}

// The limits are the narrowest of any platform's, whose adapter cites them, for the
// name and the description of a command and of a parameter, and for a list of choices.
func TestTable(t *testing.T) {
	r := newTalk().router
	name := regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)
	seen := map[string]bool{}
	for _, c := range r.Table() {
		if !name.MatchString(c.Name) || seen[c.Name] {
			t.Errorf("the name %q is not lower case, short and its own", c.Name)
		}
		seen[c.Name] = true
		if n := utf8.RuneCountInString(c.About); n == 0 || n > 100 {
			t.Errorf("%s: a description of %d letters", c.Name, n)
		}
		if c.Run == nil {
			t.Errorf("%s does nothing", c.Name)
		}
		params := map[string]bool{}
		for _, p := range c.Params {
			if n := utf8.RuneCountInString(p.About); !name.MatchString(p.Name) || params[p.Name] || n == 0 || n > 100 {
				t.Errorf("%s: parameter %q, described in %d letters", c.Name, p.Name, n)
			}
			params[p.Name] = true
			if (p.Kind == bot.ParamChoice) != (len(p.Choices) > 0) || len(p.Choices) > 25 {
				t.Errorf("%s: parameter %s is a %s with %d choices", c.Name, p.Name, p.Kind, len(p.Choices))
			}
		}
		command, args, err := r.Parse(c.Example)
		if err != nil || command != c.Name {
			t.Errorf("%s: its example %q asks %q, %v", c.Name, c.Example, command, err)
		}
		for _, p := range c.Params {
			if p.Required && args[p.Name] == "" {
				t.Errorf("%s: its example does not say %s", c.Name, p.Name)
			}
		}
	}
}

func TestParse(t *testing.T) {
	r := newTalk().router
	for _, tt := range []struct {
		line, command string
		args          map[string]string
	}{
		{"", "help", nil},
		{" / ", "help", nil},
		{"/latest", "latest", map[string]string{}},
		{"LATEST now", "latest", map[string]string{}},
		{"search  reasoning   country:CN", "search", map[string]string{"query": "reasoning country:CN"}},
		{"search\treasoning", "search", map[string]string{"query": "reasoning"}},
		{"search\nreasoning", "search", map[string]string{"query": "reasoning"}},
		{`search "test-time  compute" page:abc`, "search", map[string]string{"query": `"test-time  compute"`, "page": "abc"}},
		{"search “test time” since:1mo", "search", map[string]string{"query": `"test time" since:1mo`}},
		{"balance rule:lead since:3mo country:FR VIEW:control", "balance", map[string]string{"query": "country:FR", "rule": "lead", "since": "3mo", "view": "control"}},
		{`subscribe when:"Mondays at 9" zone:Europe/Paris country:EU`, "subscribe", map[string]string{"query": "country:EU", "when": "Mondays at 9", "zone": "Europe/Paris"}},
		{"subscribe query:x", "subscribe", map[string]string{"query": "query:x"}},
		{"work work:2501.12948", "work", map[string]string{"work": "2501.12948"}},
		{"work https://arxiv.org/abs/2501.12948", "work", map[string]string{"work": "https://arxiv.org/abs/2501.12948"}},
		{"correct w1 field:country value:CN because:https://example.org/a:b", "correct", map[string]string{"work": "w1", "field": "country", "value": "CN", "because": "https://example.org/a:b"}},
		{`correct w1 because:"I am: the author" field:lab`, "correct", map[string]string{"work": "w1", "field": "lab", "because": "I am: the author"}},
		{`search "never closed`, "search", map[string]string{"query": `"never closed`}},
	} {
		command, args, err := r.Parse(tt.line)
		if d := cmp.Diff(tt.args, args); err != nil || command != tt.command || d != "" {
			t.Errorf("Parse(%q) = %q, %v (-want +got):\n%s", tt.line, command, err, d)
		}
	}
}

// Whatever is typed gets an answer that a person can read.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "/", "search", "search \"", "help help", "correct a field:country value: because:\"", "work work:work:work", "settings a=b=c", "\x00", "ſearch x", "subscribe zone: when:"} {
		f.Add(s)
	}
	for _, c := range bot.Commands() {
		f.Add(c.Example)
	}
	for _, s := range bottest.Attacks {
		f.Add("search " + s)
		f.Add("license " + s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		k := newTalk()
		command, args, err := k.router.Parse(line)
		if err != nil {
			var p *bot.Problem
			if command != "" || args != nil || !errors.As(err, &p) || p.Say == "" || p.Hint == "" {
				t.Fatalf("Parse(%q) = %q, %v, %v", line, command, args, err)
			}
			command = line
		} else {
			i := slices.IndexFunc(bot.Commands(), func(c bot.Command) bool { return c.Name == command })
			if i < 0 {
				t.Fatalf("Parse(%q) finds %q, which is no command", line, command)
			}
			for name := range args {
				if !slices.ContainsFunc(bot.Commands()[i].Params, func(p bot.Param) bool { return p.Name == name }) {
					t.Errorf("Parse(%q) finds %q, which is no parameter of %s", line, name, command)
				}
			}
		}
		for _, who := range people {
			r := k.router.Handle(t.Context(), bot.Invocation{ID: "1", Place: bot.Place{Platform: "test"}, Asker: who, Command: command, Args: args})
			if len(r.Document.Blocks) == 0 {
				t.Errorf("%q: no answer", line)
			}
			if !utf8.ValidString(r.Document.Summary) && utf8.ValidString(line) {
				t.Errorf("%q: the answer %q is broken", line, r.Document.Summary)
			}
		}
		if k.log.Len() > 0 {
			t.Errorf("%q is logged as our fault: %s", line, k.log.String())
		}
	})
}

// When storage fails a person reads a sentence that is safe, and the log has the
// whole chain.
func TestDeskFails(t *testing.T) {
	const secret = "postgres://seedcorn:hunter2@db.internal/seedcorn"
	for _, c := range bot.Commands() {
		if c.Name == "help" {
			continue // it asks nobody
		}
		t.Run(c.Name, func(t *testing.T) {
			k := newTalk()
			line := c.Example
			if c.Name == "follow" {
				line = "dia> " + line // who can be written to
			}
			if c.Name == "unsubscribe" || c.Name == "pause" || c.Name == "resume" {
				k.say(t, "subscribe country:FR")
			}
			k.desk.Err = fmt.Errorf("reading works: %w", errors.New("connecting to "+secret+": refused"))
			got := k.say(t, line)
			want := "Something went wrong on our side; it has been noted.\nHint: try again in a minute\n"
			if got = strings.ReplaceAll(got, "\n\n", "\n"); got != want {
				t.Errorf("a person reads:\n%s", got)
			}
			log := k.log.String()
			for _, part := range []string{"reading works: connecting to ", "refused", "command=" + c.Name, "invocation=i"} {
				if !strings.Contains(log, part) {
					t.Errorf("%q is not in the log: %s", part, log)
				}
			}
			if n := strings.Count(log, "\n"); n != 1 {
				t.Errorf("%d lines in the log: %s", n, log)
			}
		})
	}
}

// A Problem's own words are for the person, its error for the log.
func TestProblem(t *testing.T) {
	k := newTalk()
	k.desk.Err = &bot.Problem{Say: "The archive is being moved", Hint: "come back at noon", Err: errors.New("dial tcp 10.0.0.1:5432")}
	if got := k.say(t, "latest"); got != "The archive is being moved.\n\nHint: come back at noon\n" {
		t.Errorf("a person reads:\n%s", got)
	}
	if log := k.log.String(); !strings.Contains(log, "10.0.0.1:5432") || strings.Contains(log, "come back") {
		t.Errorf("the log: %s", log)
	}
	if p := k.desk.Err; p.Error() != "The archive is being moved: dial tcp 10.0.0.1:5432" || (&bot.Problem{Say: "a"}).Error() != "a" {
		t.Errorf("as an error: %v", p)
	}
	if e := (&bot.PostError{Fate: bot.FateRetry, Say: "busy", Err: context.Canceled}); e.Error() != "posting (retry): context canceled" || !errors.Is(e, context.Canceled) {
		t.Errorf("as an error: %v", e)
	}
}

func TestComplete(t *testing.T) {
	k := newTalk()
	k.say(t, "subscribe country:FR")
	sub := string(k.desk.Subscriptions()[0].ID)
	for _, tt := range []struct {
		command, param, typed string
		first                 string // value of the best choice; "" for none at all
		all                   int    // how many choices; 0: any number
	}{
		{"balance", "rule", "", "share", 4},
		{"balance", "rule", "so", "sole", 1},
		{"balance", "rule", "zzz", "", 0},
		{"correct", "field", "L", "lab", 2},
		{"lab", "lab", "", "01-ai", 25},
		{"lab", "lab", "deepseek", "deepseek", 0},
		{"lab", "lab", "Google D", "google-deepmind", 0},
		{"lab", "lab", "深度求索", "deepseek", 0},
		{"lab", "lab", "no such lab at all", "", 0},
		{"country", "country", "", "", 25},
		{"country", "country", "franc", "FR", 1},
		{"country", "country", "fr", "FR", 0},
		{"country", "country", "korea", "", 0},
		{"license", "license", "llama3.1", "LicenseRef-scancode-llama-3.1-license-2024", 0},
		{"license", "license", "mit", "MIT", 0},
		{"license", "license", "MIT", "MIT", 0},
		{"license", "license", "a", "", 25},
		{"unsubscribe", "subscription", "", "all", 2},
		{"pause", "subscription", sub[:4], sub, 1},
		{"work", "work", "", string(k.desk.WorkID("DeepSeek-R1")), 12},
		{"work", "work", "qwen", string(k.desk.WorkID("Qwen3")), 1},
		{"work", "work", "Qwen3 Techn", string(k.desk.WorkID("Qwen3")), 1},
		{"work", "work", `"(:<>=*-,`, string(k.desk.WorkID("DeepSeek-R1")), 12},
		{"work", "work", "OR", "", 0},
		{"why", "work", "zzzzzz", "", 0},
		{"search", "query", "x", "x", 0},
		{"search", "query", "", "topic:europe", 0},
		{"search", "query", "country:FR ", "country:FR", 0},
		{"search", "query", "country:fran", "country:FR", 1},
		{"search", "query", "reasoning country:FR,ger", "reasoning country:FR,DE", 0},
		{"search", "query", "-country:fran", "-country:FR", 1},
		{"search", "query", "reasoning -lab:openai", "reasoning -lab:openai", 0},
		{"search", "query", "country:FR", "country:FR", 0},
		{"search", "query", "lab:deepse", "lab:deepseek", 0},
		{"search", "query", "topic:eur", "topic:europe", 1},
		{"search", "query", "openness>=open", "openness>=open-source", 3},
		{"search", "query", "license:llama3.1", "license:LicenseRef-scancode-llama-3.1-license-2024", 0},
		{"search", "query", "germa", "germa", 0},
		{"search", "query", `"no end`, "", 0},
		{"search", "query", strings.Repeat("x", 101), "", 0},
		{"settings", "set", "", "only-managers=yes", 0},
		{"settings", "set", "comm", "commercial=yes", 2},
		{"settings", "set", "eu=yes comm", "eu=yes commercial=yes", 2},
		{"settings", "set", "zzz", "", 0},
		{"search", "page", "x", "", 0},
		{"search", "none", "x", "", 0},
		{"none", "work", "x", "", 0},
	} {
		got := k.router.Complete(t.Context(), bot.Invocation{Command: tt.command, Place: bot.Place{Platform: "test", Workspace: "w", Channel: "research"}}, tt.param, tt.typed)
		if tt.first != "" && (len(got) == 0 || got[0].Value != tt.first) {
			t.Errorf("%s %s:%s: %.3q, want %s first", tt.command, tt.param, tt.typed, got, tt.first)
		}
		if tt.all > 0 && len(got) != tt.all {
			t.Errorf("%s %s:%s: %d choices, want %d", tt.command, tt.param, tt.typed, len(got), tt.all)
		}
		values := map[string]bool{}
		for _, c := range got {
			if n := utf8.RuneCountInString(c.Label); c.Value == "" || n == 0 || n > 100 || utf8.RuneCountInString(c.Value) > 100 || values[c.Value] {
				t.Errorf("%s %s:%s: the choice %q", tt.command, tt.param, tt.typed, c)
			}
			values[c.Value] = true
		}
		if len(got) > 25 {
			t.Errorf("%s %s:%s: %d choices", tt.command, tt.param, tt.typed, len(got))
		}
	}
	// Nothing to offer is no answer for a person; the log has it.
	k = newTalk() // one that has not read the newest works yet
	k.desk.Err = errors.New("disk full")
	for _, c := range []struct{ command, param string }{{"work", "work"}, {"unsubscribe", "subscription"}} {
		k.log.Reset()
		got := k.router.Complete(t.Context(), bot.Invocation{Command: c.command}, c.param, "")
		if len(got) > 1 || !strings.Contains(k.log.String(), "disk full") {
			t.Errorf("%s with a desk that fails: %q, log %q", c.command, got, k.log.String())
		}
	}
}

// What a click asks is what the button says, to the letter: each action of each reply
// parses to a command that runs.
func TestActionsAreCommands(t *testing.T) {
	k := newTalk()
	k.say(t, "subscribe openness>=open-weights")
	for _, line := range []string{"help", "latest", "preview country:FR", "search openness>=restricted", "work Qwen3", "why Qwen3", "lab deepseek", "country CN", "topics", "subscriptions", "saved"} {
		r := k.router.Handle(t.Context(), k.invocation(line))
		n := 0
		for _, b := range r.Document.Blocks {
			var actions []message.Action
			switch b := b.(type) {
			case message.Actions:
				actions = b.Items
			case message.Story:
				actions = b.Actions
			}
			for _, a := range actions {
				n++
				if _, _, err := k.router.Parse(a.Command); err != nil || a.Label == "" {
					t.Errorf("%s: the button %q asks %q: %v", line, a.Label, a.Command, err)
				}
			}
		}
		if n == 0 && line != "saved" {
			t.Errorf("%s: no buttons", line)
		}
	}
}

func TestVotesAreKept(t *testing.T) {
	k := newTalk()
	id := k.desk.WorkID("Qwen3")
	for _, tt := range []struct {
		line string
		want int
	}{{"ben> vote Qwen3", 1}, {"ben> vote Qwen3 value:not-useful", -1}, {"gus> vote Qwen3 value:useful", 1}, {"ben> vote Qwen3 value:none", 0}} {
		k.say(t, tt.line)
		if got := k.desk.Votes()[tt.line[:3]+" "+string(id)]; got != tt.want {
			t.Errorf("%s: %+d", tt.line, got)
		}
	}
}

// A subscription is made as it was asked for, and by whom.
func TestSubscribed(t *testing.T) {
	k := newTalk()
	k.say(t, `ben> subscribe country:EU when:"Mondays at 9" zone:Europe/Paris`)
	k.say(t, "ben!> subscribe when:daily")
	subs := k.desk.Subscriptions()
	if len(subs) != 2 {
		t.Fatalf("%d subscriptions", len(subs))
	}
	want := digest.Subscription{
		ID: subs[0].ID, Destination: digest.Destination{Platform: "test", Workspace: "w", Channel: "research"}, Query: "country:EU", Cadence: "0 9 * * 1", Zone: "Europe/Paris",
		Owner: "ben", OwnerName: "Ben", Created: bottest.Now, Cursor: bottest.Now.AddDate(0, 0, -7), Next: bottest.Now.AddDate(0, 0, 7).Add(-4 * 60 * 60 * 1e9),
	}
	if d := cmp.Diff(want, subs[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := subs[1]; got.Destination.Channel != "ben" || got.Query != "" || got.Zone != "UTC" || reflect.DeepEqual(got.ID, subs[0].ID) {
		t.Errorf("in a direct message: %+v", got)
	}
}

// disputing is a desk about some of whose works the evidence disagrees.
type disputing struct {
	*bottest.FakeDesk
	n int
}

func (d disputing) Disputed(ctx context.Context, p digest.Period) ([]digest.Work, error) {
	works, err := d.FindWorks(ctx, "e")
	for len(works) < d.n {
		works = append(works, works...)
	}
	return works[:d.n], err
}

func TestDisputed(t *testing.T) {
	for n, want := range map[int]string{3: "why WORK shows both sides", 14: "And 4 more works"} {
		r := bot.NewRouter(disputing{bottest.Desk(), n}, slog.New(slog.DiscardHandler))
		reply := r.Handle(t.Context(), bot.Invocation{Command: "disputed", Args: map[string]string{}})
		var shown strings.Builder
		if err := message.Text(&shown, reply.Document, message.TextOptions{Width: 100}); err != nil {
			t.Fatal(err)
		}
		stories := 0
		for _, b := range reply.Document.Blocks {
			if _, ok := b.(message.Story); ok {
				stories++
			}
		}
		if stories != min(n, 10) || !strings.Contains(shown.String(), want) || strings.Contains(shown.String(), "disagree with itself.") {
			t.Errorf("%d disputed: %d stories\n%s", n, stories, &shown)
		}
	}
	for _, w := range []struct {
		work digest.Work
		want bool
	}{
		{digest.Work{}, false},
		{digest.Work{Tags: feeds.Tags{Labs: []feeds.Attribution{{}, {Disputed: true}}}}, true},
		{digest.Work{Tags: feeds.Tags{Flags: []feeds.Flag{feeds.FlagConflict}}}, true},
		{digest.Work{Tags: feeds.Tags{Artifacts: []feeds.ArtifactTag{{Basis: feeds.Conflict}}}}, true},
		{digest.Work{Tags: feeds.Tags{Flags: []feeds.Flag{feeds.FlagNonCommercial}}}, false},
	} {
		if got := digest.Disputed(w.work); got != w.want {
			t.Errorf("%+v: disputed %t", w.work, got)
		}
	}
}

// On a database that several workspaces share, the editors of one speak for that one
// alone: what they correct waits, they see and decline what their own people proposed,
// and nothing of what others did.
func TestCorrectionsOfSeveralWorkspaces(t *testing.T) {
	k := newTalk()
	k.desk.Keeper = digest.Keeper{Names: []string{"test/keepers"}}
	in := func(workspace, who, line string) string {
		t.Helper()
		inv := k.invocation(who + "> " + line)
		inv.Place.Workspace = workspace
		r := k.router.Handle(t.Context(), inv)
		var b bytes.Buffer
		if err := message.Text(&b, r.Document, message.TextOptions{Width: 200}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, tt := range []struct {
		workspace, who, line, want, not string
	}{
		{"w", "ada", "correct Gemma 3 field:country value:US because:x", "waits as number 1: tags are shared by several workspaces", "Ada set"},
		{"w", "ada", "corrections", "#1", ""},
		{"w", "ada", "corrections 1 decision:accept", "cannot accept", ""},
		{"other", "ada", "corrections", "0 proposals", "#1"},
		{"other", "ada", "corrections 1", "no proposal 1 here", "Gemma"},
		{"other", "ada", "corrections 1 decision:decline because:mine", "no proposal 1 here", ""},
		{"other", "ada", "work Gemma 3", "Google DeepMind [GB]", "PROPOSED"},
		{"w", "ada", "work Gemma 3", "PROPOSED, FOR AN EDITOR", ""},
		{"keepers", "ben", "corrections 1 decision:accept", "Only editors", ""},
		{"keepers", "ada", "corrections", "#1", ""},
		{"keepers", "ada", "corrections 1 decision:accept", "Google DeepMind [US]", ""},
		{"w", "ben", "correct Gemma 3 field:license value:MIT because:x", "number 2", ""},
		{"w", "ada", "corrections 2 decision:decline because:no", "Ada declined what Ben proposed", ""},
		{"keepers", "ada", "correct Gemma 3 field:license value:MIT because:x", "Ada set license to MIT because x", ""},
	} {
		if got := in(tt.workspace, tt.who, tt.line); !strings.Contains(got, tt.want) || tt.not != "" && strings.Contains(got, tt.not) {
			t.Errorf("%s in %s: %s: want %q and not %q in\n%s", tt.who, tt.workspace, tt.line, tt.want, tt.not, got)
		}
	}
}

// Who reads that two labs made a thing must read that one of them did not.
func TestStorySaysThatLabsAreDisputed(t *testing.T) {
	labs := []digest.StoryLab{{Name: "Mistral AI", Country: "FR", Disputed: true}, {Name: "OpenAI", Country: "US", Disputed: true}}
	text := func() string {
		var b strings.Builder
		if err := message.Text(&b, message.Document{Blocks: []message.Block{bot.Story(digest.Story{Title: "Heron", Labs: labs})}}, message.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := text(); !strings.Contains(got, "Mistral AI [FR], OpenAI [US], which is disputed") {
		t.Errorf("the story says %q", got)
	}
	labs[0].Disputed, labs[1].Disputed = false, false
	if got := text(); strings.Contains(got, "disputed") {
		t.Errorf("nothing is disputed, and the story says %q", got)
	}
}
