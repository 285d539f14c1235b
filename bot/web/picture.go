package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"seedcorn/bot"
	"seedcorn/bot/chart"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

// Pictures of charts at addresses that stay: for feed readers and mail, and for the
// preview of a link in a chat. They are let out to whom the pages are; what is in them
// is in a page, too.

// picturePath is where the picture of a digest is.
func picturePath(id digest.DigestID) string { return pathTo("digest", id) + "/balance.png" }

// headChart is the chart at the head of a digest; ok is false if nothing was counted.
func headChart(d digest.Digest) (c message.Chart, ok bool) {
	for _, b := range bot.Digest(d).Blocks {
		if c, ok := b.(message.Chart); ok {
			return c, len(c.Bars) > 0
		}
	}
	return c, false
}

// mainChart is the chart that says the most about a series: the ratio over time where
// there is one, else the works over time, else the bars. ok is false if nothing was
// counted.
func mainChart(s digest.Series) (c message.Chart, ok bool) {
	for _, b := range bot.Series(s).Blocks {
		if x, is := b.(message.Chart); is {
			c, ok = x, len(x.Bars) > 0
		}
	}
	return c, ok
}

// picture draws a chart, once for all who ask within a while. It stays as good for as
// long as a reader may keep it, in seconds.
func (s *site) picture(r *http.Request, key string, c message.Chart, seconds int) (reply, error) {
	b, err := s.pictures.get(r.Context(), key, s.Now(), func(context.Context) ([]byte, error) { return chart.PNG(c, chart.Options{}) })
	if errors.Is(err, chart.ErrLetters) {
		return reply{}, missing("There is no picture of this", "It has names in letters that our pictures have not. The page has them.", link{"Balance", "/balance"})
	}
	if err != nil {
		return reply{}, fmt.Errorf("drawing a picture: %w", err)
	}
	out := reply{kind: "image/png", body: b}
	if s.Access == Public {
		out.cache, out.shared = fmt.Sprintf("public, max-age=%d", seconds), true
	}
	return out, nil
}

const (
	pictureFresh = 15 * 60      // of what is counted anew
	pictureKept  = 24 * 60 * 60 // of a digest, whose balance stays as it was
)

var noPicture = missing("There is no picture of this", "Nothing was counted, so there is nothing to draw.", link{"This week", "/"}, link{"Balance", "/balance"})

func (s *site) weekPNG(r *http.Request) (reply, error) {
	d, err := s.thisWeek(r.Context())
	if err != nil {
		return reply{}, err
	}
	c, ok := headChart(d)
	if !ok {
		return reply{}, noPicture
	}
	return s.picture(r, "week "+stamp(d.Composed), c, pictureFresh)
}

func (s *site) digestPNG(r *http.Request) (reply, error) {
	d, err := s.edition(r)
	if err != nil {
		return reply{}, err
	}
	c, ok := headChart(d)
	if !ok {
		return reply{}, noPicture
	}
	return s.picture(r, "digest "+r.PathValue("id"), c, pictureKept)
}

func (s *site) balancePNG(r *http.Request) (reply, error) {
	a, bad, err := s.ask(r)
	if err != nil {
		return reply{}, err
	}
	if bad != nil {
		return *faulty(bad.words()), nil
	}
	b, err := s.counted(r, a)
	if err != nil {
		return reply{}, err
	}
	c, ok := mainChart(b)
	if !ok {
		return reply{}, noPicture
	}
	return s.picture(r, "balance "+stamp(b.Period.To)+a.address(""), c, pictureFresh)
}

// A preview is what a chat shows of a link to a page. https://ogp.me
type preview struct {
	URL, Words    string
	Picture, Says string // of the page's chart, "" if it has none
}

// previewOf is what is told of a page where everybody may read it, by programs that
// sign in nowhere. path is the picture's, "" for none.
func (s *site) previewOf(r *http.Request, words, path string, c message.Chart) *preview {
	if s.Access != Public {
		return nil
	}
	p := &preview{URL: s.absolute(r, r.URL.RequestURI()), Words: clip(tidy(words), 300)}
	if path != "" {
		p.Picture, p.Says = s.absolute(r, path), clip(tidy(c.Alt), 400)
	}
	return p
}
