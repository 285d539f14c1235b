package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/slack"
	"seedcorn/digest"
	"seedcorn/digest/store"
	"seedcorn/digest/vault"
	"seedcorn/feeds"
)

// tenants are the workspaces that installed us, each with a token of its own. Nothing
// is kept in memory: a workspace that was removed by another process is gone here,
// too, and a thousand of them cost nothing.
type tenants struct{ w *world }

// Token implements [slack.Tokens].
func (t tenants) Token(ctx context.Context, workspace string) (string, error) {
	in, err := t.w.db.Installation(ctx, slack.Name, workspace)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && in.Sealed == "":
		return "", slack.ErrNoToken
	case err != nil:
		return "", err
	}
	token, err := t.w.ring.Open(in.Sealed, in.Key, in.Owner())
	if err != nil {
		return "", fmt.Errorf("the token of workspace %s: %w", workspace, err)
	}
	return token, nil
}

// workspaceInstalled keeps what a workspace gave us, and lets go on what was paused
// when it left.
func (w *world) workspaceInstalled(ctx context.Context, got slack.Installed, now time.Time) error {
	in := digest.Installation{Platform: slack.Name, Workspace: got.Workspace, Name: got.Name, Scopes: got.Scopes, By: got.By, At: now.UTC()}
	var err error
	if in.Sealed, in.Key, err = w.ring.Seal(string(got.Token), in.Owner()); err != nil {
		return err
	}
	resumed, err := w.db.PutInstallation(ctx, in)
	if err != nil {
		return err
	}
	w.log.Info("workspace installed", "platform", in.Platform, "workspace", in.Workspace, "name", in.Name, "by", in.By, "subscriptions_resumed", resumed)
	return nil
}

// skew is how far Slack's clock may be from ours.
const skew = 5 * time.Minute

// workspaceGone deletes the token of a workspace that removed us, and pauses what it
// is told. Word of it may come late and after the workspace has installed us again:
// where that is possible Slack is asked whether the token still holds.
func (a *app) workspaceGone(ctx context.Context, w *world, s *slack.Adapter, workspace, why string, at time.Time) {
	log := w.log.With("platform", slack.Name, "workspace", workspace, "why", why)
	in, err := w.db.Installation(ctx, slack.Name, workspace)
	recent := err == nil && in.Sealed != "" && in.At.After(at.Add(-skew))
	if recent || w.cfg.SlackBotToken != "" {
		token := w.cfg.SlackBotToken.reveal()
		if token == "" {
			token, err = w.ring.Open(in.Sealed, in.Key, in.Owner())
		} else {
			err = nil
		}
		if err == nil {
			id, alive, err := s.Workspace(ctx, slack.Secret(token))
			if err != nil || alive && id == workspace {
				log.Warn("workspace said to be gone, but its token holds", "error", err)
				return
			}
			if alive { // the one token is another workspace's
				return
			}
		}
	}
	had, paused, err := w.db.RemoveInstallation(ctx, slack.Name, workspace, a.now(), why)
	switch {
	case err != nil:
		log.Error("removing a workspace", "error", err)
	case had || paused > 0:
		log.Warn("workspace gone", "token_deleted", had, "subscriptions_paused", paused)
	}
}

// personLeft lets go of somebody whose account was deactivated: nothing of theirs is
// posted further, and nothing that they hold opens our pages.
func (w *world) personLeft(ctx context.Context, workspace, person string, now time.Time) {
	kept, paused, err := w.db.PersonLeft(ctx, slack.Name, workspace, person)
	_, shut := w.db.ShutOut(ctx, slack.Name, person, now)
	err = errors.Join(err, shut)
	switch {
	case err != nil:
		w.log.Error("letting a person go", "platform", slack.Name, "workspace", workspace, "person", person, "error", err)
	case kept+paused > 0:
		w.log.Info("a person has left", "platform", slack.Name, "workspace", workspace, "person", person, "subscriptions_kept", kept, "subscriptions_paused", paused)
	}
}

// tidyWorkspaces does at the start what could not be done while nobody ran: it seals
// with the current key what an older one sealed, and lets the one workspace of a fixed
// token go on if it is back.
func (a *app) tidyWorkspaces(ctx context.Context, w *world, s *slack.Adapter) {
	if w.cfg.SlackBotToken == "" {
		sealed, err := w.reseal(ctx)
		w.note(ctx, "sealing tokens again", err)
		if sealed > 0 {
			w.log.Info("tokens sealed with the current key", "workspaces", sealed)
		}
		return
	}
	suspended, err := w.db.Suspended(ctx, slack.Name)
	w.note(ctx, "reading what is suspended", err)
	if len(suspended) == 0 {
		return
	}
	id, alive, err := s.Workspace(ctx, slack.Secret(w.cfg.SlackBotToken.reveal()))
	w.note(ctx, "asking whose token it is", err)
	if !alive || !slices.Contains(suspended, id) {
		return
	}
	resumed, err := w.db.ResumeWorkspace(ctx, slack.Name, id)
	w.note(ctx, "resuming a workspace", err)
	w.log.Info("workspace is back", "platform", slack.Name, "workspace", id, "subscriptions_resumed", resumed)
}

// reseal seals every token anew that the current key has not sealed. The error names
// the workspaces whose tokens do not open; the others are done all the same.
func (w *world) reseal(ctx context.Context) (n int, err error) {
	all, err := w.db.Installations(ctx)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, in := range all {
		if in.Sealed == "" || in.Key == w.ring.Current() {
			continue
		}
		token, err := w.ring.Open(in.Sealed, in.Key, in.Owner())
		if err == nil {
			var sealed, key string
			if sealed, key, err = w.ring.Seal(token, in.Owner()); err == nil {
				err = w.db.Reseal(ctx, in, sealed, key)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", in.Owner(), err))
			continue
		}
		n++
	}
	return n, errors.Join(faults...)
}

// diagnoseWorkspaces checks the tokens. Of many workspaces the first is checked whole,
// of the others only what is wrong is told, and all in one line if nothing is.
func (a *app) diagnoseWorkspaces(ctx context.Context, w *world, s *slack.Adapter, live bool) (out []finding) {
	if w.cfg.SlackBotToken != "" {
		for _, f := range s.Check(ctx, "", a.now) {
			out = append(out, finding{"slack " + f.What, f.OK, f.Say, f.Hint})
		}
		if live {
			out = append(out, a.showToSlack(ctx, w, s, "")...)
		}
		return out
	}
	all, err := w.db.Installations(ctx)
	if err != nil {
		return append(out, finding{"slack workspaces", false, err.Error(), ""})
	}
	all = slices.DeleteFunc(all, func(in digest.Installation) bool { return in.Platform != slack.Name || in.Sealed == "" })
	out = append(out, finding{"slack workspaces", true, fmt.Sprintf("%d have installed the app", len(all)), ""})
	if len(all) == 0 {
		out[0].hint = w.cfg.WebURL + "/slack/install is where they do"
	}
	for i, in := range all {
		if _, err := w.ring.Open(in.Sealed, in.Key, in.Owner()); err != nil {
			hint := "have the workspace install the app again"
			if errors.Is(err, vault.ErrUnknownKey) {
				hint = "add the key that was used before to " + prefix + "SECRET_KEY, behind the new one"
			}
			out = append(out, finding{"slack token of " + in.Workspace, false, err.Error(), hint})
			continue
		}
		if i >= workspacesChecked {
			continue
		}
		for _, f := range s.Check(ctx, in.Workspace, a.now) {
			if i == 0 || !f.OK {
				out = append(out, finding{"slack " + f.What, f.OK, fmt.Sprintf("%s: %s", cmp.Or(in.Name, in.Workspace), f.Say), f.Hint})
			}
		}
		if i == 0 && live {
			out = append(out, a.showToSlack(ctx, w, s, in.Workspace)...)
		}
	}
	return out
}

// showToSlack has Slack look at this week's digest, each message of it.
func (a *app) showToSlack(ctx context.Context, w *world, s *slack.Adapter, workspace string) (out []finding) {
	now := a.now()
	d, err := w.compose(ctx, "This week in open research", "", digest.Period{From: now.AddDate(0, 0, -7), To: now}, digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}, now)
	if err != nil {
		return []finding{{"slack digest", false, err.Error(), ""}}
	}
	parts, err := s.Render(bot.Digest(d))
	if err != nil {
		return []finding{{"slack digest", false, err.Error(), ""}}
	}
	for _, f := range s.CheckLive(ctx, workspace, parts) {
		out = append(out, finding{"slack " + f.What, f.OK, f.Say, f.Hint})
	}
	return out
}

// workspacesChecked bounds what doctor asks Slack.
const workspacesChecked = 25

func (a *app) workspacesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "workspaces", Short: "the workspaces that installed the app at /slack/install", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				all, err := w.db.Installations(ctx)
				if err != nil {
					return err
				}
				if len(all) == 0 {
					fmt.Fprintln(a.errs, "none; with "+prefix+"SLACK_CLIENT_ID set, /slack/install is where one installs the app")
					return nil
				}
				t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "WORKSPACE\tNAME\tSINCE\tBY\tSTATE")
				for _, in := range all {
					state := "installed"
					if !in.Removed.IsZero() {
						state = fmt.Sprintf("gone since %s: %s", in.Removed.Format(time.DateOnly), in.Why)
					} else if _, err := w.ring.Open(in.Sealed, in.Key, in.Owner()); err != nil {
						state = err.Error()
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", in.Workspace, orWord(in.Name, "-"), in.At.Format(time.DateOnly), orWord(in.By, "-"), state)
				}
				return t.Flush()
			})
		},
	}
	remove := &cobra.Command{
		Use: "remove WORKSPACE", Short: "revoke and delete a workspace's token, and pause what it is told", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				in, err := w.db.Installation(ctx, slack.Name, args[0])
				if err != nil || in.Sealed == "" {
					return hinted(fmt.Errorf("no workspace %q has the app installed", args[0]), "seedcorn workspaces lists them")
				}
				a.revoke(ctx, w, in)
				_, paused, err := w.db.RemoveInstallation(ctx, slack.Name, in.Workspace, a.now(), "removed by the operator")
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "removed %s (%s); %d of its subscriptions are paused until it installs the app again\n", in.Workspace, orWord(in.Name, "-"), paused)
				return err
			})
		},
	}
	c.AddCommand(remove)
	return c
}

// revoke has Slack forget a token, if it can be asked: it is deleted here in any case.
func (a *app) revoke(ctx context.Context, w *world, in digest.Installation) {
	token, err := w.ring.Open(in.Sealed, in.Key, in.Owner())
	if err == nil {
		var s *slack.Adapter
		// Only a token is revoked, so nothing is parsed and nobody's token looked up.
		s, err = slack.New(slack.Options{
			Tokens: slack.OneToken(""), API: w.cfg.SlackURL, Log: w.log,
			Parse: func(string) (string, map[string]string, error) { return "", nil, nil },
		})
		if err == nil {
			err = s.Revoke(ctx, slack.Secret(token))
		}
	}
	if err != nil {
		fmt.Fprintf(a.errs, "its token was not revoked at Slack: %v\nhint: an administrator of the workspace can remove the app there\n", err)
	}
}
