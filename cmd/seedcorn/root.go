package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is what every command shares: the process's streams and its time.
type app struct {
	in   io.Reader
	out  io.Writer
	errs io.Writer
	// now is the machine's time until a database is open and, with follows, that of the
	// database from then on: several machines serve one, and theirs may be hours apart.
	now     func() time.Time
	follows bool
}

// drift is how far the machine's clock is ahead of the one that we go by.
func (a *app) drift() time.Duration {
	if !a.follows {
		return 0
	}
	return time.Since(a.now())
}

const about = `Seedcorn reads the world's AI research feeds and tells you what came out,
from which country's labs, and what of it you may build on, and why.`

const examples = `  seedcorn demo                                   see this week's digest, no set-up
  seedcorn pull && seedcorn digest --since 7d     read the real feeds, print the digest
  seedcorn search 'reasoning country:CN,FR openness>=open-weights'`

// newRoot returns the whole command line.
func newRoot(in io.Reader, out, errs io.Writer) *cobra.Command {
	a := &app{in: in, out: out, errs: errs, now: time.Now, follows: true}
	root := &cobra.Command{
		Use:           "seedcorn",
		Short:         "open AI research by country and license, as a digest",
		Long:          about,
		Example:       examples,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       buildVersion(),
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.SetVersionTemplate("seedcorn {{.Version}}\n")
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err, c.CommandPath() + " --help shows what it takes"}
	})
	root.AddGroup(
		&cobra.Group{ID: "read", Title: "Read:"},
		&cobra.Group{ID: "gather", Title: "Gather:"},
		&cobra.Group{ID: "tags", Title: "Tags:"},
		&cobra.Group{ID: "run", Title: "Run:"},
	)
	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{"read", []*cobra.Command{a.demoCommand(), a.digestCommand(), a.previewCommand(), a.searchCommand(), a.whyCommand(), a.balanceCommand()}},
		{"gather", []*cobra.Command{a.sourcesCommand(), a.pullCommand(), a.lookupCommand()}},
		{"tags", []*cobra.Command{a.tagCommand(), a.labsCommand(), a.licensesCommand(), a.rulesCommand(), a.correctCommand(), a.correctionsCommand(), a.retagCommand(), a.splitCommand()}},
		{"run", []*cobra.Command{a.serveCommand(), a.subscriptionsCommand(), a.topicsCommand(), a.deliveriesCommand(), a.jobsCommand(), a.workspacesCommand(), a.readersCommand(), a.manifestCommand(), a.doctorCommand(), a.healthCommand(), a.backupCommand(), a.moveCommand(), a.retentionCommand()}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.AddCommand(environmentTopic(), queryTopic(), logsTopic())
	root.SetHelpCommandGroupID("run")
	root.SetCompletionCommandGroupID("run")
	// The help and the completion are cobra's; their words in the list are ours.
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for name, words := range map[string]string{"help": "help about a command or a topic", "completion": "completions for bash, zsh, fish or powershell"} {
		if c, _, err := root.Find([]string{name}); err == nil && c != root {
			c.Short = words
			if name == "help" {
				c.Run, c.RunE = nil, helpAbout
			}
		}
	}
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "print the version", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(out, "seedcorn %s\n", root.Version)
			return err
		},
	})
	unknownIsUsage(root)
	return root
}

// helpAbout prints the help of a command or topic. What is neither is an error of
// usage: cobra's own help shows the whole list and ends well.
func helpAbout(c *cobra.Command, args []string) error {
	about, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		hint := "seedcorn --help lists the commands and topics"
		if near := c.Root().SuggestionsFor(args[0]); len(near) > 0 && about == c.Root() {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return usagef(hint, "no command or topic %q", strings.Join(args, " "))
	}
	return about.Help()
}

// unknownIsUsage makes a command that is not there, or arguments that do not fit,
// an error of usage (exit 2) with a hint, for c and all below it.
func unknownIsUsage(c *cobra.Command) {
	if c.HasSubCommands() && c.RunE == nil && c.Run == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, sub := range c.Commands() { // "seedcorn topics" lists them, as "seedcorn sources" does
					if name := sub.Name(); sub.RunE != nil && (name == "list" || name == "show") && c.Name() != "labs" && sub.Args != nil && sub.Args(sub, nil) == nil {
						sub.SetContext(c.Context())
						return sub.RunE(sub, nil)
					}
				}
				return c.Help()
			}
			return noCommand(c, args[0])
		}
	} else if c.Args != nil {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) == nil {
				return nil
			}
			for n := len(args) - 1; n >= 0; n-- {
				if check(c, args[:n]) == nil {
					if c.HasSubCommands() {
						return noCommand(c, args[n])
					}
					return usagef("usage: "+c.UseLine(), "%q is too much for %s", args[n], c.CommandPath())
				}
			}
			_, wants, _ := strings.Cut(c.Use, " ")
			return usagef("usage: "+c.UseLine(), "%s needs %s", c.CommandPath(), wants)
		}
	}
	for _, sub := range c.Commands() {
		unknownIsUsage(sub)
	}
}

func noCommand(c *cobra.Command, name string) error {
	hint := c.CommandPath() + " --help lists the commands"
	if near := c.SuggestionsFor(name); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef(hint, "no command %q of %s", name, c.CommandPath())
}

// environmentTopic is the help page of all variables, printed from the struct
// that reads them.
func environmentTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Variables that seedcorn reads. Each has a twin that ends in _FILE and names a\nfile to read the value from. One with the prefix that is not listed is refused.\n\n")
	for _, f := range configFields() {
		fmt.Fprintf(&b, "  %s\n      %s", f.name, f.help)
		if f.value != "" {
			fmt.Fprintf(&b, " (default %s)", f.value)
		}
		b.WriteString("\n")
	}
	return &cobra.Command{Use: "environment", Short: "the variables that configure seedcorn", Long: strings.TrimRight(b.String(), "\n")}
}

func queryTopic() *cobra.Command {
	return &cobra.Command{Use: "query", Short: "the language of searches and subscriptions", Long: `A query is words and filters. Side by side they all must hold.

  test-time compute           both words (each also matches joined or split: testtime)
  "test-time compute"         the phrase, in this order
  reason*                     words that begin so
  a OR b   -a   NOT a   (…)   either, not, grouping; AND is understood

  country:CN,FR  country:EU  country:CN+HK  country:unknown
  lab:deepseek   lab:"Mistral AI"
  openness:open-weights   openness>=open-weights   openness:restricted,closed
  kind:paper,model,post,dataset,repo,release
  has:weights,code,data,paper,service
  license:MIT    category:cs.CL    source:arxiv    topic:NAME
  since:7d since:2w since:3mo since:monday since:2026-01-01   before:yesterday

A comma means "or". seedcorn search --explain says a query in plain English.`}
}
