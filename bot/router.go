package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"seedcorn/bot/message"
	"seedcorn/digest/query"
)

// A ParamKind says what a parameter takes, for completion and typed options.
type ParamKind string

// The kinds of parameter.
const (
	ParamText    ParamKind = "text"
	ParamQuery   ParamKind = "query"
	ParamWork    ParamKind = "work"
	ParamLab     ParamKind = "lab"
	ParamCountry ParamKind = "country"
	ParamLicense ParamKind = "license"
	ParamTopic   ParamKind = "topic"
	ParamSub     ParamKind = "subscription"
	ParamChoice  ParamKind = "choice"
	ParamSetting ParamKind = "setting" // name=value pairs
)

// A Param is a parameter of a command.
type Param struct {
	Name     string
	About    string
	Kind     ParamKind
	Required bool
	Choices  []string // of a ParamChoice
}

// A Command is one thing that can be asked, and its help.
//
// Typed, the parameters follow the name as "name:value" in any order; what is left
// over is the value of the first parameter, so that a search needs no ceremony.
type Command struct {
	Name    string // one word, lower case
	About   string // one line
	Params  []Param
	Example string
	Manages bool // changes what a channel is told
	Acts    bool // changes something, and is done once for one [Invocation.Once]
	Run     func(ctx context.Context, d Desk, inv Invocation) (Reply, error)
}

// Usage is the command as one types it.
func (c Command) Usage() string {
	s := c.Name
	for i, p := range c.Params {
		word := strings.ToUpper(p.Name)
		if i > 0 {
			word = p.Name + ":" + word
		}
		if !p.Required {
			word = "[" + word + "]"
		}
		s += " " + word
	}
	return s
}

// A Router answers invocations from a table of commands.
type Router struct {
	Watch Watcher // may be nil; set before the first invocation

	commands []Command
	desk     Desk
	log      *slog.Logger
	recent   recent
	searches chan struct{} // those of all works for completions
}

// NewRouter returns a router over [Commands].
func NewRouter(d Desk, log *slog.Logger) *Router {
	return &Router{commands: Commands(), desk: d, log: log, searches: make(chan struct{}, mostOthers)}
}

// Parse reads a typed line as an invocation of the table. An empty line asks for
// help.
func (r *Router) Parse(line string) (command string, args map[string]string, err error) {
	line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "/"))
	name, rest := line, ""
	if i := strings.IndexFunc(line, unicode.IsSpace); i >= 0 {
		name, rest = line[:i], line[i:]
	}
	name = strings.ToLower(name)
	if name == "" {
		return "help", nil, nil
	}
	for _, c := range r.commands { // "can we use it" is said without dashes
		if spoken := strings.ReplaceAll(c.Name, "-", " ") + " "; spoken != c.Name+" " && len(line) > len(spoken) && strings.EqualFold(line[:len(spoken)], spoken) {
			name, rest = c.Name, line[len(spoken):]
		}
	}
	c, ok := r.find(name)
	if !ok {
		return "", nil, noCommand(name, strings.TrimSpace(rest), r.commands)
	}
	args = map[string]string{}
	if len(c.Params) == 0 {
		return c.Name, args, nil
	}
	var left []string
	words := splitQuoted(rest)
	for i := 0; i < len(words); i++ {
		key, value, found := strings.Cut(words[i], ":")
		at := slices.IndexFunc(c.Params, func(p Param) bool { return strings.EqualFold(p.Name, key) })
		if !found || at < 0 || at == 0 && c.Params[0].Kind == ParamQuery {
			left = append(left, words[i])
			continue
		}
		args[c.Params[at].Name] = unquote(value)
	}
	if len(left) > 0 {
		args[c.Params[0].Name] = strings.Join(left, " ")
	}
	return c.Name, args, nil
}

func (r *Router) find(name string) (Command, bool) {
	i := slices.IndexFunc(r.commands, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return r.commands[i], true
}

// noCommand says that there is no command of a name, and offers what was perhaps meant
// with the words that followed it: another command, or a search for all of it.
func noCommand(name, rest string, table []Command) error {
	var n near
	for _, c := range table {
		n.offer(name, c.Name)
	}
	p := &Problem{Say: fmt.Sprintf("There is no command %q", clip(name, 40)), Hint: "help lists what you can ask"}
	for _, c := range n.best(2) {
		line := strings.TrimSpace(c + " " + rest)
		p.Try = append(p.Try, message.Action{Label: clip(line, maxTry), Command: line})
	}
	if len(p.Try) > 0 {
		p.Hint = "did you mean " + strings.Join(n.best(2), " or ") + "?"
	} else if words := strings.TrimSpace(name + " " + rest); words != "" {
		p.Try = append(p.Try, message.Action{Label: "Search for it", Command: "search " + clip(words, 500)})
	}
	p.Try = append(p.Try, message.Action{Label: "What you can ask", Command: "help"})
	return p
}

// Handle implements [Handler].
func (r *Router) Handle(ctx context.Context, inv Invocation) Reply {
	began := time.Now()
	ctx = WithInvocation(ctx, inv.ID)
	reply, outcome := r.answer(ctx, inv)
	if r.Watch != nil {
		r.Watch(ctx, inv, outcome, time.Since(began))
	}
	return reply
}

func (r *Router) answer(ctx context.Context, inv Invocation) (Reply, Outcome) {
	c, ok := r.find(inv.Command)
	if !ok {
		return r.fail(ctx, inv, noCommand(inv.Command, inv.Rest, r.commands))
	}
	for _, p := range c.Params {
		if p.Required && strings.TrimSpace(inv.Args[p.Name]) == "" {
			return r.fail(ctx, inv, problemf("for example: "+c.Example, "%s needs %s: %s", c.Name, p.Name, p.About))
		}
	}
	if c.Manages {
		if err := r.mayManage(ctx, inv); err != nil {
			return r.fail(ctx, inv, err)
		}
	}
	reply, err := r.run(ctx, c, inv)
	if err != nil {
		return r.fail(ctx, inv, err)
	}
	return reply, Answered
}

// run runs a command. One that acts is run once for what a person did, whichever of our
// processes it reaches how often.
func (r *Router) run(ctx context.Context, c Command, inv Invocation) (reply Reply, err error) {
	if !c.Acts || inv.Once == "" {
		return c.Run(ctx, r.desk, inv)
	}
	id := strings.Join([]string{inv.Place.Platform, inv.Place.Workspace, inv.Once}, "/")
	did, err := r.desk.Once(ctx, id, func() error {
		reply, err = c.Run(ctx, r.desk, inv)
		return err
	})
	if err == nil && !did {
		reply = plainly("This arrived a second time. It was done when it came first, and is not done again.")
	}
	return reply, err
}

// fail words an error: a sentence and a way out for the person, the chain for the
// log.
func (r *Router) fail(ctx context.Context, inv Invocation, err error) (Reply, Outcome) {
	outcome := Declined
	noted := func(err error) {
		outcome = Failed
		r.log.ErrorContext(ctx, "command failed", "invocation", inv.ID, "command", inv.Command, "platform", inv.Place.Platform, "error", err)
	}
	var p *Problem
	var syntax *query.SyntaxError
	say, hint, fault := "Something went wrong on our side; it has been noted", "try again in a minute", ""
	var blocks []message.Block
	var try []message.Action
	switch {
	case errors.As(err, &syntax):
		say, hint, fault = fmt.Sprintf("query, column %d: %s", syntax.Col, syntax.Msg), syntax.Hint, "query"
		if src := inv.Args["query"]; src != "" {
			blocks = append(blocks, message.Preformatted{Text: syntax.Caret(src)})
			try = mended(inv, src, syntax)
		}
	case errors.As(err, &p):
		say, hint, fault, try = p.Say, p.Hint, p.Param, p.Try
		if p.Err != nil {
			noted(p.Err)
		}
	default:
		noted(err)
	}
	doc := message.Document{Summary: say, Blocks: append([]message.Block{message.Paragraph{Text: message.Plain(say + ".")}}, blocks...)}
	if hint != "" {
		doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("Hint: " + hint)}})
	}
	if len(try) > 0 {
		doc.Blocks = append(doc.Blocks, message.Actions{Items: try})
	}
	return Reply{Document: doc, Fault: fault}, outcome
}

// Table returns the commands, for manifests, registrations and the README.
func (r *Router) Table() []Command { return slices.Clone(r.commands) }

// splitQuoted splits at white space outside of double quotes, which stay.
func splitQuoted(s string) []string {
	var out []string
	word, quoted := strings.Builder{}, false
	for _, r := range strings.NewReplacer("“", `"`, "”", `"`).Replace(s) {
		switch {
		case r == '"':
			quoted = !quoted
			word.WriteRune(r)
		case !quoted && unicode.IsSpace(r):
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
		default:
			word.WriteRune(r)
		}
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// distance is the number of letters to insert, delete, replace or swap with a
// neighbor: the optimal string alignment distance.
func distance(a, b string) int {
	prev, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], prev[j-2]+1)
			}
		}
		prev, row = row, next
	}
	return row[len(b)]
}
