package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"seedcorn/feeds"
)

// What we like best, and that we take anything: many feeds are served as text/html.
const acceptFeeds = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"

// A Collector reads feeds: sources of [feeds.KindFeed] and [feeds.KindReleases], and
// of the arXiv kinds where it was given a refiner for them.
type Collector struct {
	get    feeds.Getter
	refine map[feeds.SourceKind]Refiner
}

var _ feeds.Collector = (*Collector)(nil)

// NewCollector returns a collector that fetches with getter. Refine, which may be
// nil, finishes the items of a kind of source; a kind that has a refiner is read as a
// feed, whatever it is. The refiner of [feeds.KindArXiv] also finishes what arXiv wrote
// in any other feed: a mirror of its listings, say.
func NewCollector(getter feeds.Getter, refine map[feeds.SourceKind]Refiner) *Collector {
	return &Collector{get: getter, refine: refine}
}

// Collect implements [feeds.Collector]. The source's URL is fetched as it stands.
func (c *Collector) Collect(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	refine, known := c.refine[src.Kind]
	if !known && src.Kind != feeds.KindFeed && src.Kind != feeds.KindReleases {
		return feeds.Pull{}, fmt.Errorf("collecting %s: a source of kind %q is not read as a feed", src.ID, src.Kind)
	}
	resp, err := c.get.Get(ctx, feeds.Request{
		URL:          src.URL,
		Accept:       acceptFeeds,
		ETag:         last.ETag,
		LastModified: last.LastModified,
		Hash:         last.Body,
	})
	if err != nil {
		return feeds.Pull{}, ofSource(err, src)
	}
	var pull feeds.Pull
	if resp.Status == 304 {
		pull = feeds.Pull{Unchanged: true, Entries: len(last.Entries) / 8, State: last}
	} else {
		// Links are relative to where the document really was.
		at := src
		at.URL = resp.URL
		if pull, err = parseDocument(resp.Body, resp.Header.Get("Content-Type"), at, last, time.Now(), refine, c.refine[feeds.KindArXiv]); err != nil {
			return feeds.Pull{}, err
		}
		pull.State.Body = resp.Hash
	}
	// A 304 need not repeat the validators: https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
	if resp.Status != 304 || resp.ETag != "" {
		pull.State.ETag = resp.ETag
	}
	if resp.Status != 304 || resp.LastModified != "" {
		pull.State.LastModified = resp.LastModified
	}
	pull.State.Cursor = last.Cursor
	pull.MovedTo = resp.MovedTo
	pull.NotBefore = resp.NotBefore
	return pull, nil
}

// ofSource puts the source's name on a trouble that has none.
func ofSource(err error, src feeds.Source) error {
	var t *feeds.Trouble
	if errors.As(err, &t) && t.Source == "" {
		named := *t
		named.Source = src.ID
		return &named
	}
	return err
}
