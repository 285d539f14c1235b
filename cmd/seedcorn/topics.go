package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/digest/query"
)

func (a *app) topicsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "topics", Short: "named queries that people subscribe to: list, set, remove",
		Long: `A topic is a query with a name. People subscribe to it (/digest subscribe topic:NAME),
search in it, and build other queries of it (topic:reasoning country:FR). When a topic
is changed, all that is told about it changes with the next digest.`,
		Example: "  seedcorn topics list\n  seedcorn topics set long-context '\"long context\" OR \"million tokens\"' --about 'models that read much at once'",
	}
	list := &cobra.Command{
		Use: "list", Short: "all topics with their queries", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				if err := w.seed(ctx); err != nil {
					return err
				}
				topics, err := w.db.Topics(ctx)
				if err != nil {
					return err
				}
				t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "NAME\tABOUT\tQUERY")
				for _, x := range topics {
					fmt.Fprintf(t, "%s\t%s\t%s\n", x.Name, orWord(x.About, "-"), x.Query)
				}
				return t.Flush()
			})
		},
	}
	var about string
	set := &cobra.Command{
		Use: "set NAME QUERY", Short: "give a query a name, or a name another query", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				t := digest.Topic{Name: args[0], Query: strings.TrimSpace(args[1]), About: about}
				if old, err := w.db.Topic(ctx, t.Name); err == nil && !c.Flags().Changed("about") {
					t.About = old.About
				}
				q, err := w.checkTopic(ctx, t, a.now())
				if err != nil {
					return err
				}
				if err := w.db.PutTopic(ctx, t); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "topic:%s is %s\n", t.Name, q.Explain())
				return err
			})
		},
	}
	set.Flags().StringVar(&about, "about", "", "what it is about, in a few words")
	remove := &cobra.Command{
		Use: "remove NAME…", Short: "remove topics that nobody uses", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				for _, name := range args {
					if err := w.removeTopic(ctx, name); err != nil {
						return err
					}
					fmt.Fprintln(a.out, "removed", name)
				}
				return nil
			})
		},
	}
	c.AddCommand(list, set, remove)
	return c
}

var topicName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// checkTopic reads a topic as it will be read once it is stored, so that one which
// leads back to itself is found out.
func (w *world) checkTopic(ctx context.Context, t digest.Topic, now time.Time) (query.Query, error) {
	if !topicName.MatchString(t.Name) {
		return query.Query{}, usagef("small letters, digits and hyphens, such as long-context", "%q is no name for a topic", t.Name)
	}
	if t.Query == "" {
		return query.Query{}, usagef("such as 'reasoning country:FR'", "a topic needs a query")
	}
	if _, err := w.parse(ctx, t.Query, now); err != nil {
		return query.Query{}, err
	}
	names := w.names(ctx)
	stored := names.Topic
	names.Topic = func(name string) (string, bool) {
		if strings.EqualFold(name, t.Name) {
			return t.Query, true
		}
		return stored(name)
	}
	q, err := query.Parse("topic:"+t.Name, names, now)
	var syntax *query.SyntaxError
	if errors.As(err, &syntax) {
		return q, usagef("a topic may be made of others, but not of itself", "%s", syntax.Msg)
	}
	return q, err
}

// removeTopic removes a topic, unless somebody would miss it.
func (w *world) removeTopic(ctx context.Context, name string) error {
	uses := regexp.MustCompile(`(?i)topic:"?` + regexp.QuoteMeta(name) + `(?:[^a-z0-9-]|$)`)
	subs, err := w.db.Subscriptions(ctx)
	if err != nil {
		return err
	}
	if n := len(slices.DeleteFunc(subs, func(s digest.Subscription) bool { return !uses.MatchString(s.Query) })); n > 0 {
		return hinted(fmt.Errorf("topic %s is used by %s", name, bot.Count(n, "subscription")), "seedcorn subscriptions lists them; edit or remove them first")
	}
	topics, err := w.db.Topics(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(topics, func(t digest.Topic) bool { return uses.MatchString(t.Query) }); i >= 0 {
		return hinted(fmt.Errorf("topic %s is part of topic %s", name, topics[i].Name), "change that one first")
	}
	if err := w.db.DeleteTopic(ctx, name); err != nil {
		return hinted(err, "seedcorn topics list shows them")
	}
	return nil
}

// seedTopics puts the starter topics into a database that was never offered any.
func (w *world) seedTopics(ctx context.Context) error {
	offered, err := w.db.Meta(ctx, "topics")
	if err != nil || offered != "" {
		return err
	}
	have, err := w.db.Topics(ctx)
	if err != nil {
		return err
	}
	for _, t := range digest.StarterTopics {
		if !slices.ContainsFunc(have, func(x digest.Topic) bool { return x.Name == t.Name }) {
			if err := w.db.PutTopic(ctx, t); err != nil {
				return err
			}
		}
	}
	return w.db.SetMeta(ctx, "topics", "starter")
}
