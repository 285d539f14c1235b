package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/bot/slack"
	"seedcorn/bot/web"
	"seedcorn/digest"
	"seedcorn/feeds"
)

var previewPlatforms = []string{"text", slack.Name, discord.Name, "web"}

func (a *app) previewCommand() *cobra.Command {
	var as, out string
	c := &cobra.Command{
		Use:   "preview [SUBSCRIPTION]",
		Short: "show the next digest of a subscription as its readers would see it",
		Long: `Compose what a subscription is owed so far and show it: in the terminal, or in the
browser as a platform would, drawn from the very bytes that would be posted. Nothing
is posted and nothing is remembered; no token is needed. Without a subscription it is
the one of the terminal.

In the browser it stays at the address that is printed, until interrupted; with --out
it is written to a file instead.`,
		Example: "  seedcorn preview\n  seedcorn preview s4kq2m8x7c --as slack\n  seedcorn preview s4kq2m8x7c --as discord --out digest.html",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(previewPlatforms, as) {
				return usagef("one of "+strings.Join(previewPlatforms, ", "), "there is no preview as %q", as)
			}
			switch {
			case out != "" && as == "text":
				return usagef("redirect the output", "--out is for a page")
			case out != "" && as == "web":
				return usagef("leave --out away, and look at the address that is printed", "pages of the archive lead to one another and do not fit into one file")
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				sub, err := w.subscriptionFor(ctx, args)
				if err != nil {
					return err
				}
				d, err := w.owed(ctx, a, sub)
				if err != nil {
					return err
				}
				if as == "text" {
					return a.show("text", a.out, w.posted(sub.Destination, d))
				}
				if as == "web" {
					desk := desk{w, a.now}
					return a.servePage(ctx, web.New(web.Options{
						Library: desk, Press: desk, Registry: w.reg, Archive: oneDigest{d}, Now: desk.Now, Log: w.log,
					}), "/digest/preview")
				}
				page, err := w.pageOf(as, sub.Destination, d)
				switch {
				case err != nil:
					return err
				case out != "":
					return a.keepPage(page, out)
				}
				return a.servePage(ctx, onePage(page), "/")
			})
		},
	}
	c.Flags().StringVar(&as, "as", "text", "text, slack, discord or web")
	c.Flags().StringVar(&out, "out", "", "write the page to this file")
	complete(c, "as", previewPlatforms...)
	return c
}

// subscriptionFor is the subscription that a person named, or the only one, or the
// terminal's.
func (w *world) subscriptionFor(ctx context.Context, args []string) (digest.Subscription, error) {
	subs, err := w.db.Subscriptions(ctx)
	if err != nil {
		return digest.Subscription{}, err
	}
	const hint = "seedcorn subscriptions lists the ids"
	if len(args) > 0 {
		i := slices.IndexFunc(subs, func(s digest.Subscription) bool { return string(s.ID) == args[0] })
		if i < 0 {
			return digest.Subscription{}, hinted(fmt.Errorf("there is no subscription %q", args[0]), hint)
		}
		return subs[i], nil
	}
	of := slices.DeleteFunc(slices.Clone(subs), func(s digest.Subscription) bool { return s.Destination.Platform != "terminal" })
	switch {
	case len(subs) == 1:
		return subs[0], nil
	case len(of) == 1:
		return of[0], nil
	case len(subs) == 0:
		return digest.Subscription{}, hinted(errors.New("there is no subscription"), "seedcorn subscriptions add begins one")
	}
	return digest.Subscription{}, usagef(hint, "which of %d subscriptions?", len(subs))
}

// owed composes what a subscription would be told if its digest were due now.
func (w *world) owed(ctx context.Context, a *app, sub digest.Subscription) (digest.Digest, error) {
	zone, err := time.LoadLocation(sub.Zone)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("the subscription's time zone: %w", err)
	}
	now := a.now()
	p := digest.Period{From: sub.Cursor.In(zone), To: now.In(zone)}
	if !p.From.Before(p.To) {
		return digest.Digest{}, hinted(fmt.Errorf("its last digest ended at %s, and nothing is owed yet", p.From.Format("Mon 2 Jan 15:04 MST")), "try again later")
	}
	return w.composeFor(ctx, sub.Destination, titleOf(sub, p), sub.Query, p, digest.Counting{Rule: digest.RuleShare, View: feeds.ViewHome}, now)
}

// pageOf is a digest to a destination as a page that shows what a platform would.
func (w *world) pageOf(as string, to digest.Destination, d digest.Digest) ([]byte, error) {
	p, parts, err := w.rendered(as, to, d)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = p.Preview(&page, parts)
	return page.Bytes(), err
}

// rendered is what would be posted of a digest to a destination, were it on a platform.
func (w *world) rendered(as string, to digest.Destination, d digest.Digest) (bot.Previewer, []bot.Part, error) {
	p, err := w.renderer(as)
	if err != nil {
		return nil, nil, err
	}
	parts, err := p.Render(w.posted(to, d))
	return p, parts, err
}

// A onePage is a site of one page.
type onePage []byte

func (p onePage) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(rw, r)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = rw.Write(p) // the reader may have left
}

// A pageRenderer is an adapter that has no token and is never asked to post.
type pageRenderer interface {
	bot.Platform
	bot.Previewer
}

func (w *world) renderer(as string) (pageRenderer, error) {
	router := bot.NewRouter(nil, w.log)
	if as == slack.Name {
		return slack.New(slack.Options{Tokens: slack.OneToken(""), Parse: router.Parse, Charts: w.cfg.SlackCharts, Log: w.log})
	}
	return discord.New(discord.Options{Token: "none", Commands: router.Table(), Pictures: w.cfg.DiscordCharts == "picture", Log: w.log})
}

// oneDigest is an archive of one.
type oneDigest struct{ d digest.Digest }

func (o oneDigest) Digest(_ context.Context, id digest.DigestID) (digest.Digest, bool, error) {
	return o.d, id == "preview", nil
}

func (o oneDigest) Digests(context.Context, int) ([]web.Edition, error) {
	return []web.Edition{{ID: "preview", Digest: o.d}}, nil
}

// keepPage writes a page to a file.
func (a *app) keepPage(page []byte, file string) error {
	if err := os.WriteFile(file, page, 0o644); err != nil {
		return hinted(fmt.Errorf("writing the page: %w", err), "choose a place that may be written")
	}
	_, err := fmt.Fprintln(a.errs, "written to", file)
	return err
}

// servePage shows a page on this machine until ctx ends.
func (a *app) servePage(ctx context.Context, h http.Handler, path string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("showing the page: %w", err)
	}
	server := newServer(h)
	ended := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer ended()
	fmt.Fprintf(a.out, "http://%s%s\n", l.Addr(), path)
	fmt.Fprintln(a.errs, "until interrupted")
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("showing the page: %w", err)
	}
	return nil
}
