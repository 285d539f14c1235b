package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/bot/message"
	"seedcorn/bot/slack"
	"seedcorn/bot/web"
	"seedcorn/digest"
	"seedcorn/digest/store"
	"seedcorn/feeds"
	"seedcorn/feeds/catalog"
)

// pages are the archive in the browser; nil if it is off. Those of platforms that can
// tell who somebody is are ways to sign in.
func (a *app) pages(w *world, platforms places) *web.Pages {
	access := map[string]web.Access{"loopback": web.LoopbackOnly, "public": web.Public, "proxy": web.ByProxy, "login": web.ByLogin}
	if w.cfg.Web == "off" {
		return nil
	}
	// Sessions are signed with the newest key; changing it ends them.
	key, _, _ := strings.Cut(w.cfg.SecretKey.reveal(), ",")
	d := desk{w, a.now}
	return web.New(web.Options{
		Library: d, Press: d, Registry: w.reg, Archive: archive{w.db},
		OPML: func(ctx context.Context, out io.Writer) error {
			sources, err := w.db.Sources(ctx)
			if err != nil {
				return err
			}
			// A feed's address may hold its reader's key, and the pages have other readers:
			// "sources export" is the whole list.
			sources = slices.DeleteFunc(sources, func(s feeds.Source) bool {
				return s.Kind == feeds.KindFeed && strings.ContainsAny(s.URL, "?@")
			})
			return catalog.WriteOPML(out, "Seedcorn sources", sources)
		},
		BaseURL: w.cfg.WebURL, Access: access[w.cfg.Web], UserHeader: w.cfg.WebUserHeader, Proxies: w.cfg.proxies(),
		Logins: platforms.logins(w), Readers: w.db, Secret: []byte(strings.TrimSpace(key)), Now: d.Now, Log: w.log,
	})
}

// posted is a digest as it is posted. It leads to the archive if others than this
// machine's users can read it there, which what goes to one person never can.
func (w *world) posted(to digest.Destination, d digest.Digest) message.Document {
	open := w.cfg.Web == "public" || w.cfg.Web == "login" || w.cfg.Web == "proxy"
	if !open || w.cfg.WebURL == "" || to.Direct {
		return bot.Digest(d)
	}
	return bot.Archived(bot.Digest(d), strings.TrimRight(w.cfg.WebURL, "/")+"/digest/"+string(digest.ThisDigest))
}

// logins are the platforms at which people can show who they are.
func (p places) logins(w *world) (out []bot.Login) {
	if s, ok := p[slack.Name].(*slack.Adapter); ok && w.cfg.SlackClientSecret != "" {
		out = append(out, s.Login(w.cfg.SlackClientID, slack.Secret(w.cfg.SlackClientSecret.reveal())))
	}
	if d, ok := p[discord.Name].(*discord.Adapter); ok && w.cfg.DiscordClientSecret != "" {
		out = append(out, d.Login(w.cfg.DiscordApplication, discord.Secret(w.cfg.DiscordClientSecret.reveal())))
	}
	return out
}

// An archive hands out the digests that went to channels. What went to one person is
// nobody else's, and neither is what nobody can say where it went. Who has signed in
// is shown what went to workspaces of theirs, and what was written to no workspace.
type archive struct{ db *store.DB }

func (a archive) Digest(ctx context.Context, id digest.DigestID) (digest.Digest, bool, error) {
	to, err := a.db.AddressOf(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !mayRead(ctx, to) {
		return digest.Digest{}, false, nil
	}
	if err != nil {
		return digest.Digest{}, false, err
	}
	d, err := a.db.Digest(ctx, id)
	return d.Digest, err == nil, err
}

// Digests leaves out what says the same: a hundred channels with one query are told
// one digest.
func (a archive) Digests(ctx context.Context, limit int) ([]web.Edition, error) {
	addresses, err := a.db.Addresses(ctx, 10_000)
	if err != nil {
		return nil, err
	}
	type saying struct {
		query    string
		from, to int64
	}
	said := map[saying]bool{}
	var out []web.Edition
	for _, at := range addresses {
		if !mayRead(ctx, at.To) {
			continue
		}
		d, err := a.db.Digest(ctx, at.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // it was removed just now
		}
		if err != nil {
			return nil, err
		}
		what := saying{d.Query, d.Period.From.UnixMilli(), d.Period.To.UnixMilli()}
		if said[what] {
			continue
		}
		said[what] = true
		if out = append(out, web.Edition{ID: d.ID, Digest: d.Digest}); len(out) == limit {
			break
		}
	}
	return out, nil
}

func mayRead(ctx context.Context, to digest.Destination) bool {
	who, signedIn := web.ReaderOf(ctx)
	switch {
	case to.Direct:
		return false
	case !signedIn || to.Workspace == "":
		return true
	}
	return to.Platform == who.Platform && slices.Contains(who.Workspaces, to.Workspace)
}

// newServer returns a server with bounds on what a client may take.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// browse serves the pages on a free port of loopback until stop is called.
func (a *app) browse(w *world) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("serving the pages: %w", err)
	}
	pages := a.pages(w, nil)
	server := newServer(pages)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("pages ended", "error", err)
		}
	}()
	return "http://" + l.Addr().String() + "/", func() {
		_ = server.Close() // there is nobody left to be waited for
		<-done
		pages.Close()
	}, nil
}
