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

	"seedcorn/bot/web"
	"seedcorn/digest"
	"seedcorn/digest/store"
	"seedcorn/feeds"
	"seedcorn/feeds/catalog"
)

// pages are the archive in the browser; nil if it is off.
func (a *app) pages(w *world) http.Handler {
	access := map[string]web.Access{"loopback": web.LoopbackOnly, "public": web.Public, "proxy": web.ByProxy}
	if w.cfg.Web == "off" {
		return nil
	}
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
		BaseURL: w.cfg.WebURL, Access: access[w.cfg.Web], UserHeader: w.cfg.WebUserHeader, Now: d.Now, Log: w.log,
	})
}

// An archive hands out the digests that went to channels. What went to one person is
// nobody else's, and neither is what nobody can say where it went.
type archive struct{ db *store.DB }

func (a archive) Digest(ctx context.Context, id digest.DigestID) (digest.Digest, bool, error) {
	d, err := a.db.Digest(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return digest.Digest{}, false, nil
	}
	if err != nil {
		return digest.Digest{}, false, err
	}
	shown, err := a.shown(ctx)
	return d.Digest, shown[d.Subscription], err
}

func (a archive) Digests(ctx context.Context, limit int) ([]web.Edition, error) {
	shown, err := a.shown(ctx)
	if err != nil {
		return nil, err
	}
	ds, err := a.db.Digests(ctx, "", 1000)
	var out []web.Edition
	for _, d := range ds {
		if shown[d.Subscription] && len(out) < limit {
			out = append(out, web.Edition{ID: d.ID, Digest: d.Digest})
		}
	}
	return out, err
}

func (a archive) shown(ctx context.Context) (map[digest.SubscriptionID]bool, error) {
	subs, err := a.db.Subscriptions(ctx)
	out := map[digest.SubscriptionID]bool{}
	for _, s := range subs {
		out[s.ID] = !s.Destination.Direct
	}
	return out, err
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
	server := newServer(a.pages(w))
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
	}, nil
}
