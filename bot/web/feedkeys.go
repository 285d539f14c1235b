package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"seedcorn/bot"
	"seedcorn/digest"
)

// Readers keeps what people hold that opens the pages. A *store.DB is one.
type Readers interface {
	// PutFeedKey keeps a new key. The error is [digest.ErrTooManyKeys] if its owner has
	// as many as one may.
	PutFeedKey(ctx context.Context, k digest.FeedKey) error
	// FeedKeys returns a person's keys that hold at now, newest first.
	FeedKeys(ctx context.Context, platform, person string, now time.Time) ([]digest.FeedKey, error)
	// ReadByFeedKey returns a key by which somebody reads at now, whether it holds or
	// not; ok is false if there is none.
	ReadByFeedKey(ctx context.Context, id digest.FeedKeyID, now time.Time) (k digest.FeedKey, ok bool, err error)
	// RevokeFeedKey ends a key of a person's.
	RevokeFeedKey(ctx context.Context, platform, person string, id digest.FeedKeyID, now time.Time) error
	// SignOut ends a person's sessions that began by now.
	SignOut(ctx context.Context, platform, person string, now time.Time) error
	// SignedOut returns by when a person's sessions must have begun to hold no more; the
	// zero time if all hold.
	SignedOut(ctx context.Context, platform, person string) (time.Time, error)
}

// keyedFeeds are the feeds that have a private address: those of works, in which
// everyone who is let in reads the same. Digests are their workspace's, whose members
// change sooner than addresses do.
var keyedFeeds = []string{"/feed.atom", "/feed.json"}

// feedLife is how long a private address of a feed is good.
const feedLife = 90 * 24 * time.Hour

// feedKey is the parameter in which an address has its key: the id of a
// [digest.FeedKey] with our signature. It opens keyedFeeds and nothing else.
const feedKey = "key"

// maxKey is longer than any key is, in bytes.
const maxKey = 200

func (s *site) keyOf(id digest.FeedKeyID) (string, error) { return sealed(s.seal.feed, id) }

type byKeyKey struct{}

// byKey lets a feed reader pass whose key holds. One whose key was good is told what
// became of it, so that its owner knows where to look.
func (s *site) byKey(next http.Handler, key string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var id digest.FeedKeyID
		if s.Readers == nil || len(key) > maxKey || !unsealed(s.seal.feed, key, &id) {
			s.refuse(w, r, http.StatusUnauthorized, "This is not an address that we made, or not all of it. Sign in at "+s.absolute(r, "/login")+" to see yours.")
			return
		}
		k, ok, err := s.Readers.ReadByFeedKey(r.Context(), id, s.Now())
		again := " Who is let in makes another at " + s.absolute(r, "/login") + "."
		switch {
		case err != nil:
			s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
		case !ok:
			s.refuse(w, r, http.StatusGone, "This private address of a feed ended long ago."+again)
		case !k.Revoked.IsZero():
			s.refuse(w, r, http.StatusGone, "This private address of a feed was revoked on "+day(k.Revoked)+"."+again)
		case !k.Holds(s.Now()):
			s.refuse(w, r, http.StatusGone, "This private address of a feed was good until "+day(k.Until)+"."+again)
		case s.login(k.Platform) == nil:
			s.refuse(w, r, http.StatusUnauthorized, "This private address is of somebody who signed in where nobody can any more."+again)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), byKeyKey{}, key)))
		}
	})
}

// keyed is an address of a feed for whoever asked by a private one: a program that goes
// on from there has nothing else to show.
func (s *site) keyed(r *http.Request, address string) string {
	key, ok := r.Context().Value(byKeyKey{}).(string)
	u, err := url.Parse(address)
	if !ok || err != nil || !slices.Contains(keyedFeeds, u.Path) {
		return address
	}
	return withKey(u, key)
}

func withKey(u *url.URL, key string) string {
	q := u.Query()
	q.Set(feedKey, key)
	u.RawQuery = q.Encode()
	return u.String()
}

// A feedKeysView is a person's private addresses.
type feedKeysView struct {
	Keys  []feedKeyView
	Most  int
	Life  int    // of a new one, in days
	Query string // to begin with, in the form
	Wrong *wrong // with what was in the form
}

type feedKeyView struct {
	digest.FeedKey
	Feeds []link
}

// A feedFault is what is wrong with the form that makes a key.
type feedFault struct {
	wrong
	Status int
	Query  string
}

func (s *site) feedKeys(r *http.Request, who bot.Reader, fault *feedFault) (*feedKeysView, error) {
	if s.Readers == nil {
		return nil, nil
	}
	v := &feedKeysView{Most: digest.MostFeedKeys, Life: int(feedLife.Hours() / 24)}
	if fault != nil {
		v.Query, v.Wrong = fault.Query, &fault.wrong
	} else {
		a, err := asked(r)
		if err != nil {
			return nil, err
		}
		v.Query = a.Text
	}
	keys, err := s.Readers.FeedKeys(r.Context(), who.Platform, who.ID, s.Now())
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		key, err := s.keyOf(k.ID)
		if err != nil {
			return nil, fmt.Errorf("making a private address: %w", err)
		}
		x := feedKeyView{FeedKey: k}
		for i, name := range []string{"Atom", "JSON Feed"} {
			u, err := url.Parse(s.absolute(r, withQuery(keyedFeeds[i], "q", k.Query)))
			if err != nil {
				return nil, fmt.Errorf("making a private address: %w", err)
			}
			x.Feeds = append(x.Feeds, link{name, withKey(u, key)})
		}
		v.Keys = append(v.Keys, x)
	}
	return v, nil
}

// makeFeed makes a private address.
func (s *site) makeFeed(w http.ResponseWriter, r *http.Request) {
	who, ok := ReaderOf(r.Context())
	if !ok || s.Readers == nil {
		s.serve(s.nowhere)(w, r)
		return
	}
	fault, err := s.newFeed(r, who, strings.TrimSpace(r.PostForm.Get("q")))
	if err != nil || fault != nil {
		s.serve(func(r *http.Request) (reply, error) {
			if err != nil {
				return reply{}, err
			}
			return s.loginWith(r, fault)
		})(w, r)
		return
	}
	seeOther(w, "/login#feeds")
}

func (s *site) newFeed(r *http.Request, who bot.Reader, text string) (*feedFault, error) {
	a, err := asked(&http.Request{URL: &url.URL{RawQuery: url.Values{"q": {text}}.Encode()}})
	if err != nil {
		return nil, err
	}
	if _, _, err := s.parse(r.Context(), a); err != nil {
		w := wrongIn(err, text)
		if w == nil {
			return nil, fmt.Errorf("reading a query: %w", err)
		}
		return &feedFault{*w, http.StatusBadRequest, text}, nil
	}
	now := s.Now()
	err = s.Readers.PutFeedKey(r.Context(), digest.FeedKey{ID: digest.NewFeedKeyID(), Platform: who.Platform, Person: who.ID, Query: text, Made: now, Until: now.Add(feedLife)})
	if errors.Is(err, digest.ErrTooManyKeys) {
		return &feedFault{wrong{Msg: fmt.Sprintf("You have %d of them already", digest.MostFeedKeys), Hint: "Revoke one that nothing reads any more."}, http.StatusConflict, text}, nil
	}
	return nil, err
}

// revokeFeed ends a private address.
func (s *site) revokeFeed(w http.ResponseWriter, r *http.Request) {
	who, ok := ReaderOf(r.Context())
	if !ok || s.Readers == nil {
		s.serve(s.nowhere)(w, r)
		return
	}
	if err := s.Readers.RevokeFeedKey(r.Context(), who.Platform, who.ID, digest.FeedKeyID(r.PostForm.Get("id")), s.Now()); err != nil {
		s.serve(func(*http.Request) (reply, error) { return reply{}, err })(w, r)
		return
	}
	seeOther(w, "/login#feeds")
}
