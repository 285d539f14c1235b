package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/bot/terminal"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/digest/store"
)

func (d desk) Correct(ctx context.Context, c digest.Correction) (digest.Work, error) {
	return d.correct(ctx, c)
}

// correct stores a correction and returns its work. Digests that told about it are
// edited by whoever serves.
func (w *world) correct(ctx context.Context, c digest.Correction) (digest.Work, error) {
	if err := w.db.Correct(ctx, c); err != nil {
		return digest.Work{}, err
	}
	return w.db.Work(ctx, c.Work)
}

// Holds implements [bot.CorrectionDesk]: see [digest.Keeper]. Who sits at the terminal
// runs Seedcorn.
func (d desk) Holds(ctx context.Context, p bot.Place, person string) (bool, error) {
	if p.Platform == terminal.Name {
		return true, nil
	}
	k := digest.Keeper{Names: d.cfg.Editors, Others: d.cfg.manyWorkspaces()}
	if len(k.Names) == 0 && !k.Others {
		subs, err := d.db.Subscriptions(ctx)
		if err != nil {
			return false, err
		}
		k.Others = slices.ContainsFunc(subs, func(s digest.Subscription) bool {
			to := s.Destination
			return to.Platform != terminal.Name && (to.Platform != p.Platform || to.Workspace != p.Workspace)
		})
	}
	return k.Holds(p.Destination(), person), nil
}

func (d desk) Propose(ctx context.Context, p digest.Proposal) (digest.Proposal, error) {
	return d.db.Propose(ctx, p)
}

func (d desk) Proposals(ctx context.Context, work digest.WorkID) ([]digest.Proposal, error) {
	return d.db.Proposals(ctx, digest.ProposalOpen, work, 0)
}

func (d desk) Proposal(ctx context.Context, id int64) (digest.Proposal, bool, error) {
	p, err := d.db.Proposal(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return digest.Proposal{}, false, nil
	}
	return p, err == nil, err
}

func (d desk) Decide(ctx context.Context, id int64, accept bool, by, why string) (digest.Proposal, error) {
	return d.db.Decide(ctx, id, accept, by, why, d.now().UTC())
}

// amendments ties the editing of posted digests to the store and the platforms that
// can edit.
func (w *world) amendments(a *app, platforms places) *jobs.Amendments {
	m := &jobs.Amendments{
		Errata: w.db, Turns: w.db, Menders: map[string]jobs.Mender{}, Now: a.now,
		Render: func(to digest.Destination, d digest.Digest) ([]digest.Part, error) {
			return platforms.render(to, w.posted(to, d))
		},
		Filler: func(to digest.Destination) (digest.Part, error) {
			parts, err := platforms.render(to, bot.MovedUp())
			if err != nil {
				return digest.Part{}, err
			}
			return parts[0], nil
		},
		Note: func(x digest.Amendment, o digest.AmendmentOutcome) {
			w.metrics.Amended(o.Platform, string(o.State))
			w.log.Info("amendment", "digest", x.Digest, "attempt", x.Attempt, "state", o.State, "words", o.Words)
		},
	}
	for name, p := range platforms {
		if e, ok := p.(bot.Editor); ok {
			m.Menders[name] = mender{platform: p, editor: e, w: w}
		}
	}
	return m
}

// render makes the messages of a document for a destination.
func (p places) render(to digest.Destination, doc message.Document) ([]digest.Part, error) {
	platform := p[to.Platform]
	if platform == nil {
		return nil, fmt.Errorf("no platform %q is configured", to.Platform)
	}
	parts, err := platform.Render(doc)
	out := make([]digest.Part, len(parts))
	for i, part := range parts {
		out[i] = digest.Part(part)
	}
	return out, err
}

// A mender is a platform as amending sees it.
type mender struct {
	platform bot.Platform
	editor   bot.Editor
	w        *world
}

func (m mender) EditCap() (most int, per time.Duration) {
	if p, ok := m.platform.(bot.Publisher); ok {
		return p.EditCap()
	}
	return 0, 0
}

func (m mender) Pace() digest.Pace {
	if p, ok := m.platform.(bot.EditPacer); ok {
		return p.EditPace()
	}
	return digest.Pace{}
}

func (m mender) Edit(ctx context.Context, d digest.Delivery) error {
	err := m.editor.Edit(ctx, d.To, bot.DeliveryID(d.ID), bot.Receipt(d.Receipt), bot.Part{Payload: d.Payload, Summary: d.Summary})
	var e *bot.PostError
	if errors.As(err, &e) && e.Fate == bot.FateRetry && e.After > 0 {
		m.w.metrics.Limited(d.To.Platform)
	}
	return failedPost(err)
}

// notices ties telling people about proposals to the platforms on which they are.
func (w *world) notices(a *app, platforms places) *jobs.Notices {
	return &jobs.Notices{Queue: w.db, Now: a.now, Tell: func(ctx context.Context, n digest.Notice) error {
		if n.State != digest.ProposalOpen {
			return platforms.tell(ctx, n.Place.Platform, n.Place.Workspace, n.Person, fmt.Sprintf("answer-%d", n.ID), bot.Decided(n.Proposal))
		}
		editors, err := w.editorsOf(ctx, n.Place)
		if err != nil {
			return err
		}
		var faults []error
		for _, e := range editors {
			if e.person == n.Person && e.workspace == n.Place.Workspace && e.platform == n.Place.Platform {
				continue // their own
			}
			// One whose door is closed does not keep the others from hearing of it.
			faults = append(faults, platforms.tell(ctx, e.platform, e.workspace, e.person, fmt.Sprintf("proposal-%d-%s", n.ID, e.person), bot.Waiting(n.Proposal)))
		}
		return errors.Join(faults...)
	}}
}

// An editorAt is an editor with where they are.
type editorAt struct{ platform, workspace, person string }

// editorsOf are the people who can decide about a proposal: the editors of its
// workspace, and, where the operator named somebody, those.
func (w *world) editorsOf(ctx context.Context, place digest.Destination) ([]editorAt, error) {
	var out []editorAt
	add := func(platform, workspace, person string) {
		e := editorAt{platform, workspace, person}
		if person != "" && !strings.HasPrefix(person, bot.RolePrefix) && !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	workspace := func(platform, workspace string) error {
		s, err := w.db.Settings(ctx, digest.Destination{Platform: platform, Workspace: workspace, Channel: place.Channel})
		for _, person := range s.Editors {
			add(platform, workspace, person)
		}
		return err
	}
	err := workspace(place.Platform, place.Workspace)
	for _, name := range w.cfg.Editors {
		platform, rest, _ := strings.Cut(name, "/")
		ws, person, one := strings.Cut(rest, "/")
		if one {
			add(platform, ws, person)
			continue
		}
		err = errors.Join(err, workspace(platform, ws))
	}
	return out, err
}

// tell writes to one person. Where that cannot be done nothing happens: the list of
// proposals is for them, too.
func (p places) tell(ctx context.Context, platform, workspace, person, id string, doc message.Document) error {
	c, ok := p[platform].(bot.Correspondent)
	if !ok || person == "" {
		return nil
	}
	parts, err := p[platform].Render(doc)
	if err != nil || len(parts) == 0 {
		return err
	}
	_, err = p[platform].Post(ctx, c.Direct(workspace, person), bot.DeliveryID(id), parts[0], "")
	return err
}

func (a *app) correctionsCommand() *cobra.Command {
	var state string
	var limit int
	c := &cobra.Command{
		Use: "corrections", Short: "corrections that people proposed: list, accept, decline",
		Long: `Corrections by people whose word does not hold at once. What is tagged is one record
that all workspaces share. The editors of the only workspace there is speak for it;
where there are several, ` + prefix + `EDITORS names those who do, and everybody else's
corrections wait here or in "/digest corrections". Whoever has this command may decide.

A correction that holds edits the digests of the last 30 days that told otherwise,
where they stand.`,
		Example: "  seedcorn corrections list\n  seedcorn corrections accept 3\n  seedcorn corrections decline 4 --because 'the card says so'",
	}
	list := &cobra.Command{
		Use: "list", Short: "proposals, and how many digests are still to be edited", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			states := []string{"open", "accepted", "declined", "all"}
			if !slices.Contains(states, state) {
				return usagef("one of "+strings.Join(states, ", "), "no state %q", state)
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				which := digest.ProposalState(state)
				if state == "all" {
					which = ""
				}
				ps, err := w.db.Proposals(ctx, which, "", limit)
				if err != nil {
					return err
				}
				t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "NUMBER\tSTATE\tSINCE\tWORK\tFROM\tPROPOSAL")
				for _, p := range ps {
					words := bot.ProposalWords(p)
					if p.DecidedBy != "" {
						words += fmt.Sprintf(" (%s by %s)", p.State, strings.TrimSuffix(p.DecidedBy+": "+p.Why, ": "))
					}
					fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.State, ago(p.At, a.now()), p.Work, p.Place.Platform+"/"+p.Place.Workspace, message.Tidy(words))
				}
				if err := t.Flush(); err != nil {
					return err
				}
				edits, err := w.db.Amendments(ctx)
				if n := edits[digest.AmendmentWaiting] + edits[digest.AmendmentEditing]; n > 0 {
					fmt.Fprintf(a.out, "\n%s to be edited; serve does it\n", bot.Count(n, "digest"))
				}
				return err
			})
		},
	}
	list.Flags().StringVar(&state, "state", "open", "open, accepted, declined or all")
	list.Flags().IntVar(&limit, "limit", 100, "how many at most")
	complete(list, "state", "open", "accepted", "declined", "all")
	decide := func(ctx context.Context, number string, accept bool, why string) error {
		id, err := strconv.ParseInt(strings.TrimPrefix(number, "#"), 10, 64)
		if err != nil {
			return usagef("seedcorn corrections list shows the numbers", "%q is no number", number)
		}
		return a.do(ctx, func(ctx context.Context, w *world) error {
			p, err := w.db.Decide(ctx, id, accept, author(), why, a.now().UTC())
			switch {
			case errors.Is(err, digest.ErrDecided):
				return hinted(fmt.Errorf("proposal %d was %s by %s", id, p.State, p.DecidedBy), "seedcorn why "+string(p.Work)+" shows what holds; seedcorn correct corrects it anew")
			case err != nil:
				return hinted(err, "seedcorn corrections list shows the numbers")
			}
			_, err = fmt.Fprintln(a.out, message.Tidy(bot.Decided(p).Summary))
			return err
		})
	}
	accept := &cobra.Command{
		Use: "accept NUMBER", Short: "let a proposal hold, for everybody", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return decide(c.Context(), args[0], true, "") },
	}
	var because string
	decline := &cobra.Command{
		Use: "decline NUMBER", Short: "turn a proposal down; its proposer is told why", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.TrimSpace(because) == "" {
				return usagef("--because URL, or a sentence", "its proposer will want to know why")
			}
			return decide(c.Context(), args[0], false, because)
		},
	}
	decline.Flags().StringVar(&because, "because", "", "the reason: a URL or a sentence")
	c.AddCommand(list, accept, decline)
	return c
}
