package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/bot/slack"
	"seedcorn/bot/terminal"
	"seedcorn/digest"
)

// places are the platforms that are configured, by name. The terminal always is.
type places map[string]bot.Platform

func (a *app) platforms(w *world, router *bot.Router) (places, error) {
	p := places{terminal.Name: a.terminal(router.Parse)}
	if s, err := a.slack(w, router); err != nil {
		return nil, err
	} else if s != nil {
		p[slack.Name] = s
	}
	if d, err := w.discord(router); err != nil {
		return nil, err
	} else if d != nil {
		p[discord.Name] = d
	}
	return p, nil
}

// slack returns Slack as a platform, nil if it is not configured: with the one token
// of a single workspace, or with those of the workspaces that installed us.
func (a *app) slack(w *world, router *bot.Router) (s *slack.Adapter, err error) {
	opt := slack.Options{
		Parse: router.Parse, Log: w.log,
		AppToken: slack.Secret(w.cfg.SlackAppToken.reveal()), SigningSecret: slack.Secret(w.cfg.SlackSigningSecret.reveal()),
		API: w.cfg.SlackURL, Unfurl: w.cfg.SlackUnfurl, Charts: w.cfg.SlackCharts,
		Left: func(ctx context.Context, workspace, person string) { w.personLeft(ctx, workspace, person, a.now()) },
		Gone: func(ctx context.Context, workspace, why string, at time.Time) {
			a.workspaceGone(ctx, w, s, workspace, why, at)
		},
	}
	switch {
	case w.cfg.SlackBotToken != "":
		opt.Tokens = slack.OneToken(w.cfg.SlackBotToken.reveal())
	case w.cfg.manyWorkspaces():
		opt.Tokens = tenants{w}
		opt.Install = &slack.Install{
			ClientID: w.cfg.SlackClientID, ClientSecret: slack.Secret(w.cfg.SlackClientSecret.reveal()),
			Redirect: strings.TrimSuffix(w.cfg.WebURL, "/") + "/slack/oauth",
			Store:    func(ctx context.Context, in slack.Installed) error { return w.workspaceInstalled(ctx, in, a.now()) },
		}
	default:
		return nil, nil
	}
	return slack.New(opt)
}

// discord returns Discord as a platform, nil if it is not configured.
func (w *world) discord(router *bot.Router) (*discord.Adapter, error) {
	if w.cfg.DiscordToken == "" {
		return nil, nil
	}
	return discord.New(discord.Options{
		Token: discord.Secret(w.cfg.DiscordToken.reveal()), PublicKey: w.cfg.DiscordPublicKey, ApplicationID: w.cfg.DiscordApplication,
		Base: w.cfg.DiscordURL, HTTPOnly: w.cfg.DiscordPublicKey != "", Commands: router.Table(), Log: w.log,
		Roster:  w.db.Shards("gateway of "+discord.Name, gatewayLease),
		Contact: w.cfg.Contact, Version: buildVersion(), Pictures: w.cfg.DiscordCharts == "picture",
	})
}

// mount adds the platforms' ways in over HTTP.
func (p places) mount(mux *http.ServeMux, h bot.Handler) {
	if s, ok := p[slack.Name].(*slack.Adapter); ok {
		mux.Handle("/slack/", s.Handler(h))
	}
	if d, ok := p[discord.Name].(*discord.Adapter); ok {
		mux.Handle("POST /discord/interactions", d.Handler(h))
	}
}

// reconnectAfter is how long to wait when a platform has let us go for good: its
// token may be replaced meanwhile, and hammering it would not help.
const reconnectAfter = 5 * time.Minute

// talk listens on every platform but the terminal until ctx ends. A platform that
// refuses us is named in the log and tried again later; the others go on.
func (p places) talk(ctx context.Context, w *world, h bot.Handler) *sync.WaitGroup {
	var all sync.WaitGroup
	for name, platform := range p {
		if name == terminal.Name {
			continue
		}
		all.Go(func() {
			for ctx.Err() == nil {
				run := func(ctx context.Context) error { return platform.Run(ctx, h) }
				if d, ok := platform.(*discord.Adapter); ok {
					run = func(ctx context.Context) error { return w.listenOnDiscord(ctx, d, h) }
				}
				again := reconnectAfter
				if err := run(ctx); err != nil && ctx.Err() == nil {
					w.log.Error("platform ended", "platform", name, "error", err, "again_in", again)
				} else if err == nil {
					again = time.Second // another process took over, or may have
				}
				select {
				case <-time.After(again):
				case <-ctx.Done():
				}
			}
		})
	}
	return &all
}

// gatewayLease is how long after the death of a process on Discord's gateway the others
// take its place.
const gatewayLease = 20 * time.Second

// registerAfter is how long after the first failure commands are registered again.
const registerAfter = 5 * time.Second

// registerOnDiscord registers the commands and reports whether they are registered now.
// Until they are, there is nothing to be asked; what is there from before goes on.
func (w *world) registerOnDiscord(ctx context.Context, d *discord.Adapter, again time.Duration) bool {
	changed, err := d.Register(ctx, w.cfg.DiscordGuilds...)
	switch {
	case err != nil && ctx.Err() == nil:
		w.log.Error("registering commands", "platform", discord.Name, "error", err, "again_in", again)
	case changed:
		w.log.Info("commands registered", "platform", discord.Name)
	}
	return err == nil
}

// registerAgain registers the commands after a wait, and after longer ones until it
// succeeds or ctx ends.
func (w *world) registerAgain(ctx context.Context, d *discord.Adapter, wait time.Duration) {
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, time.Hour)
		if w.registerOnDiscord(ctx, d, wait) {
			return
		}
	}
}

// listenOnDiscord registers the commands and listens.
func (w *world) listenOnDiscord(ctx context.Context, d *discord.Adapter, h bot.Handler) error {
	ctx, stop := context.WithCancel(ctx)
	var again sync.WaitGroup
	defer again.Wait()
	defer stop()
	if !w.registerOnDiscord(ctx, d, registerAfter) {
		again.Go(func() { w.registerAgain(ctx, d, registerAfter) })
	}
	return d.Run(ctx, h)
}

func (a *app) manifestCommand() *cobra.Command {
	c := &cobra.Command{Use: "manifest", Short: "what to give Slack, Discord or Grafana"}
	var opt slack.ManifestOptions
	forSlack := &cobra.Command{
		Use: "slack", Short: "an app manifest (YAML), to be pasted at api.slack.com/apps under “From a manifest”", Args: cobra.NoArgs,
		Example: "  seedcorn manifest slack\n  seedcorn manifest slack --url https://bot.example.org",
		RunE: func(*cobra.Command, []string) error {
			text, err := slack.Manifest(opt, bot.Commands())
			if err != nil {
				return usagef("--url https://…, the public address of /slack/", "%v", err)
			}
			_, err = a.out.Write(text)
			return err
		},
	}
	forSlack.Flags().StringVar(&opt.Name, "name", "Seedcorn", "name of the app")
	forSlack.Flags().StringVar(&opt.URL, "url", "", "public address for requests; without it the app uses Socket Mode")
	forSlack.Flags().BoolVar(&opt.OAuth, "install", false, "for many workspaces: with the address at which they install it, which needs --url")
	forSlack.Flags().BoolVar(&opt.Unfurl, "unfurl", false, "also say what we know below links")
	pictures := true
	forDiscord := &cobra.Command{
		Use: "discord [APPLICATION-ID]", Short: "how to set up the bot: the invite links with the least permissions, and what each is for", Args: cobra.MaximumNArgs(1),
		Example: "  seedcorn manifest discord 123456789012345678",
		RunE: func(_ *cobra.Command, args []string) error {
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			in, err := discord.Manifest(id, pictures)
			if err != nil {
				return usagef("it is on the application's General Information page", "%v", err)
			}
			fmt.Fprintf(a.out, `1. Make an application at https://discord.com/developers/applications
   General Information has its Application ID: seedcorn manifest discord ID
   fills it in below. On the Bot page, Reset Token gives the token; leave the
   privileged intents off. To let people add it for themselves, tick User Install
   on the Installation page.

2. Open a link to add it.
   To a server (you need Manage Server there):
     %s
   To your own account (commands everywhere, digests in direct messages):
     %s

3. Run it:
     %sDISCORD_TOKEN=… seedcorn doctor     # is the token good, is anything missing?
     %sDISCORD_TOKEN=… seedcorn serve

`, in.Server, in.Person, prefix, prefix)
			t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "SCOPE\tWHAT FOR")
			for _, s := range in.Scopes {
				fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Why)
			}
			fmt.Fprintln(t, "\nPERMISSION\tWHAT FOR\tWITHOUT IT")
			for _, p := range in.Permissions {
				fmt.Fprintf(t, "%s\t%s\t%s\n", p.Name, p.Why, p.Without)
			}
			return t.Flush()
		},
	}
	forDiscord.Flags().BoolVar(&pictures, "pictures", true, "ask for Attach Files, for charts as pictures")
	c.AddCommand(forSlack, forDiscord)
	c.AddCommand(a.grafanaCommand())
	return c
}

// A finding is one line of "seedcorn doctor".
type finding struct {
	what string
	ok   bool
	say  string
	hint string
}

func (a *app) doctorCommand() *cobra.Command {
	var live bool
	c := &cobra.Command{
		Use: "doctor", Short: "check the database, the sources, the tokens and the clock, and say what to do", Args: cobra.NoArgs,
		Long: "Check what Seedcorn needs and say what to do about each fault. With --live this\nweek's digest is also shown to Slack, which says whether it would take it; nothing\nis posted.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				bad, all := 0, a.diagnose(ctx, w, live)
				for _, f := range all {
					mark := "good"
					if !f.ok {
						mark = "BAD "
						bad++
					}
					fmt.Fprintf(a.out, "%s  %-20s %s\n", mark, f.what, f.say)
					if f.hint != "" {
						fmt.Fprintf(a.out, "      hint: %s\n", f.hint)
					}
				}
				if bad > 0 {
					verb := "are"
					if bad == 1 {
						verb = "is"
					}
					return fmt.Errorf("%d of %d %s not well", bad, len(all), verb)
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&live, "live", false, "also have Slack look at this week's digest, without posting it")
	return c
}

func (a *app) diagnose(ctx context.Context, w *world, live bool) []finding {
	var out []finding
	add := func(what string, err error, say, hint string) {
		if err != nil {
			out = append(out, finding{what, false, err.Error(), hint})
			return
		}
		out = append(out, finding{what, true, say, ""})
	}
	stats, err := w.db.Stats(ctx)
	add("database", err, fmt.Sprintf("%s: %s, %s of %s, %s, %s", whereabouts(w.cfg.DatabaseURL), bot.Count(stats.Sources, "source"), bot.Count(stats.Works, "work"), bot.Count(stats.Items, "entry"), bot.Count(stats.Subscriptions, "subscription"), bot.Count(stats.Digests, "digest")), storeHint(err))
	if at, err := w.db.MovedAway(ctx); err != nil || !at.IsZero() {
		add("moved", cmp.Or(err, fmt.Errorf("everything here was moved to another database on %s", at.Format("2 Jan 2006 15:04 MST"))), "",
			"let "+prefix+"DATABASE_URL name that one; a seedcorn on each of the two would say everything twice")
	}
	health, err := w.sourceHealth(ctx)
	looked, broken := 0, 0
	for _, h := range health {
		if !h.LastLook.IsZero() && !h.Paused {
			looked++
		}
		if h.Failures > 0 && !h.Paused {
			broken++
		}
	}
	switch {
	case err == nil && len(health) == 0:
		err = errors.New("there is none")
	case err == nil && looked > 0 && broken == looked:
		err = fmt.Errorf("none of %d can be read", looked)
	}
	add("sources", err, fmt.Sprintf("%d, of which %d were visited and %d could not be read", len(health), looked, broken), "seedcorn pull visits them, seedcorn sources check says what each answers")
	dead, err := w.db.Deliveries(ctx, "dead", 1000)
	if err == nil && len(dead) > 0 {
		err = fmt.Errorf("refused for ever: %s", bot.Count(len(dead), "message"))
	}
	add("deliveries", err, "none is dead", "seedcorn deliveries list --state dead shows why; retry sends one again")
	out = append(out, a.diagnoseSelf(ctx, w)...)
	router := bot.NewRouter(desk{w, a.now}, w.log)
	s, err := a.slack(w, router)
	switch {
	case err != nil:
		add("slack", err, "", "check the "+prefix+"SLACK_… variables")
	case s == nil:
		add("slack", nil, "not configured: neither "+prefix+"SLACK_BOT_TOKEN nor "+prefix+"SLACK_CLIENT_ID is set", "")
	default:
		out = append(out, a.diagnoseWorkspaces(ctx, w, s, live)...)
	}
	d, err := w.discord(router)
	switch {
	case err != nil:
		add("discord", err, "", "check the "+prefix+"DISCORD_… variables")
	case d == nil:
		add("discord", nil, "not configured: "+prefix+"DISCORD_TOKEN is not set", "")
	default:
		found := d.Check(ctx)
		if !slices.ContainsFunc(found, func(f discord.Finding) bool { return !f.OK && (f.What == "token" || f.What == "reach") }) {
			subs, err := w.db.Subscriptions(ctx)
			if err != nil {
				add("discord channels", err, "", storeHint(err))
			}
			var to []digest.Destination
			for _, sub := range subs {
				to = append(to, sub.Destination)
			}
			found = append(found, d.CheckChannels(ctx, to)...)
		}
		for _, f := range found {
			out = append(out, finding{"discord " + f.What, f.OK, f.Say, f.Hint})
		}
	}
	return out
}
