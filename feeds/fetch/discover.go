package fetch

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"seedcorn/feeds"
)

// Found is a feed that a page announces, or that was found beside it.
type Found struct {
	URL   string
	Title string // as the page or the feed calls it; may be empty
	Type  string // "rss", "atom" or "json"
}

// maxFound bounds how many announced feeds of a page are returned.
const maxFound = 20

// Where feeds stand on sites that do not announce them, in the order in which they
// are tried: the defaults of WordPress, Hugo, Jekyll, Ghost and Substack.
var usualPaths = []string{"/feed", "/rss.xml", "/atom.xml", "/index.xml", "/feed.xml", "/feed.json", "/rss", "/blog/feed", "/blog/rss.xml"}

// The types by which pages announce feeds.
// Source: https://www.rssboard.org/rss-autodiscovery
var feedTypes = map[string]string{
	"application/rss+xml":   "rss",
	"application/atom+xml":  "atom",
	"application/feed+json": "json",
	"application/rdf+xml":   "rss",
}

// Discover returns the feeds of a web address, likeliest first: the address itself if
// it is a feed; what its page announces, feeds of comments last; else the first of a
// few usual places of the same site where there is a feed. An address without a
// scheme is taken for https.
//
// It fetches the page, and at most nine other addresses. The error is the page's own
// *[feeds.Trouble], or TroubleNotAFeed where no feed was found.
func Discover(ctx context.Context, getter feeds.Getter, address string) ([]Found, error) {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") && !strings.HasPrefix(strings.ToLower(address), "file:") {
		address = "https://" + address
	}
	resp, err := getter.Get(ctx, feeds.Request{URL: address, Accept: acceptFeeds + ", text/html;q=0.8"})
	if err != nil {
		return nil, err
	}
	if f, ok := asFeed(resp); ok {
		f.URL = address
		if resp.MovedTo != "" {
			f.URL = resp.MovedTo
		}
		return []Found{f}, nil
	}
	page, err := url.Parse(resp.URL)
	if err != nil {
		return nil, &feeds.Trouble{Kind: feeds.TroubleNotAFeed, Err: errors.New("the page's address cannot be read")}
	}
	text, _ := toUTF8(resp.Body, resp.Header.Get("Content-Type"))
	if found := announced(text, page); len(found) > 0 {
		return found, nil
	}
	for _, path := range usualPaths {
		at := page.ResolveReference(&url.URL{Path: path}).String()
		resp, err := getter.Get(ctx, feeds.Request{URL: at, Accept: acceptFeeds})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if kind := feeds.TroubleOf(err); kind == feeds.TroubleLimited || kind == feeds.TroubleTimeout {
			return nil, err // it was asked for no more
		}
		if err != nil {
			continue
		}
		if f, ok := asFeed(resp); ok {
			f.URL = at
			if resp.MovedTo != "" {
				f.URL = resp.MovedTo
			}
			return []Found{f}, nil
		}
	}
	what := "no feed is announced on the page, and none stands in the usual places"
	if title := pageTitle(text); title != "" {
		what += " beside \"" + title + "\""
	}
	return nil, &feeds.Trouble{Kind: feeds.TroubleNotAFeed, URL: Redact(page), Err: errors.New(what)}
}

// asFeed reports whether a response is a feed, and how it is called.
func asFeed(resp feeds.Response) (Found, bool) {
	text, _ := toUTF8(resp.Body, resp.Header.Get("Content-Type"))
	d, err := takeApart(text)
	if err != nil {
		return Found{}, false
	}
	r := reader{doc: d, src: feeds.Source{URL: resp.URL}, now: time.Now()}
	r.head()
	return Found{Title: r.title, Type: [...]string{formatRSS: "rss", formatAtom: "atom", formatJSON: "json"}[d.format]}, true
}

// announced returns the feeds that a page links to as its alternates.
func announced(page []byte, at *url.URL) []Found {
	var found, comments []Found
	base := at
	z := html.NewTokenizer(bytes.NewReader(page))
	for len(found)+len(comments) < maxFound {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		name, more := z.TagName()
		tag := string(name)
		if tag != "link" && tag != "base" {
			continue
		}
		attr := map[string]string{}
		for more {
			var k, v []byte
			k, v, more = z.TagAttr()
			attr[string(k)] = strings.TrimSpace(string(v))
		}
		href, err := url.Parse(attr["href"])
		if err != nil || attr["href"] == "" {
			continue
		}
		if tag == "base" {
			if base == at {
				base = at.ResolveReference(href)
			}
			continue
		}
		mime, _, _ := strings.Cut(strings.ToLower(attr["type"]), ";")
		typ := feedTypes[strings.TrimSpace(mime)]
		if typ == "" || !slices.Contains(strings.Fields(strings.ToLower(attr["rel"])), "alternate") {
			continue
		}
		u := base.ResolveReference(href)
		if checkURL(u) != nil {
			continue
		}
		u.Fragment = ""
		f := Found{URL: u.String(), Title: foldText(attr["title"], feeds.MaxTitle), Type: typ}
		same := func(o Found) bool { return o.URL == f.URL }
		if slices.ContainsFunc(found, same) || slices.ContainsFunc(comments, same) {
			continue
		}
		if strings.Contains(strings.ToLower(f.Title+" "+u.Path), "comments") {
			comments = append(comments, f)
		} else {
			found = append(found, f)
		}
	}
	return append(found, comments...)
}
