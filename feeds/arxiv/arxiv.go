// Package arxiv knows arXiv's manners: what its entries mean, how often it may
// be asked, and where a paper says who wrote it.
//
// What comes in, and what goes out:
//
//	entry of a listing or query ──[Refine]──────► the paper: id, version, license, links
//	source of kind arxiv        ──[Collector]───► a pull, or arXiv's own error as an error
//	arXiv id                    ──[Affiliations]► the front matter of its HTML page
//	arXiv id                    ──[GetRecord]───► versions and license from OAI-PMH
//
// The package does no HTTP and no feed parsing of its own. Package fetch parses
// and calls [Refine] for each entry; [Collector] stands before it with arXiv's
// gate; the look-ups go through a [feeds.Getter]. All of them share one gate,
// because arXiv's limit is one for all its services and all our machines.
package arxiv

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Spacing is the least time between two requests to any of arXiv's services, over
// all machines of one operator, on one connection.
// Source: https://info.arxiv.org/help/api/tou.html
const Spacing = 3 * time.Second

// GateKey is the key under which [feeds.Gate] spaces everything we ask of arXiv:
// RSS, API, OAI-PMH and HTML pages together.
const GateKey = "arxiv"

// Where arXiv's services live. Each function here takes the base it is to use, so
// that a mirror or a test can stand in.
const (
	ListingBase = "https://rss.arxiv.org"              // https://info.arxiv.org/help/rss.html
	QueryBase   = "https://export.arxiv.org/api/query" // https://info.arxiv.org/help/api/user-manual.html
	SiteBase    = "https://arxiv.org"                  // abstracts and HTML pages
	OAIBase     = "https://oaipmh.arxiv.org/oai"       // https://info.arxiv.org/help/oa/index.html
	absBase     = "https://arxiv.org/abs/"             // what we link to, whatever base we asked
	errorPath   = "/api/errors"                        // ids of the API's error entries
	nonExcl     = "LicenseRef-arXiv-nonexclusive-1.0"  // arXiv's own licenses have no SPDX id
	assumed     = "LicenseRef-arXiv-assumed-1991-2003" // papers from before there was a choice
)

// ListingURL returns the RSS address of one or more categories ("cs.CL", "cs.LG"),
// which arXiv answers in one document: an entry in several of them appears once.
// Source: https://info.arxiv.org/help/rss.html
func ListingURL(base string, cats ...string) string {
	escaped := make([]string, 0, len(cats))
	for _, c := range cats {
		if c = strings.TrimSpace(c); c != "" {
			escaped = append(escaped, url.PathEscape(c))
		}
	}
	return strings.TrimRight(base, "/") + "/rss/" + strings.Join(escaped, "+")
}

// QueryURL returns the API address of a search, newest submissions first. Start
// counts from 0. Limit is brought into 1..[MaxSlice].
// Source: https://info.arxiv.org/help/api/user-manual.html#_details_of_method_parameters
func QueryURL(base, query string, start, limit int) string {
	q := url.Values{
		"search_query": {query},
		"start":        {strconv.Itoa(max(start, 0))},
		"max_results":  {strconv.Itoa(min(max(limit, 1), MaxSlice))},
		"sortBy":       {"submittedDate"},
		"sortOrder":    {"descending"},
	}
	return strings.TrimRight(base, "/") + "?" + q.Encode()
}

// MaxSlice is the most entries that the API returns in one answer.
// Source: https://info.arxiv.org/help/api/user-manual.html#paging
const MaxSlice = 2000

// License names the license behind an arXiv license URL: an SPDX id, or a
// LicenseRef for arXiv's own terms, which permit arXiv to distribute and the
// reader to read. ok is false for anything that arXiv does not offer or has not
// offered. It is the license of the paper's text and says nothing about code,
// weights or data.
// Source: https://info.arxiv.org/help/license/index.html
func License(rightsURL string) (id string, ok bool) {
	u, err := url.Parse(strings.TrimSpace(rightsURL))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	path := strings.Trim(strings.ToLower(u.Path), "/")
	switch strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") {
	case "arxiv.org":
		switch path {
		case "licenses/nonexclusive-distrib/1.0", "licenses/nonexclusive-distrib/1.0/license.html":
			return nonExcl, true
		case "licenses/assumed-1991-2003", "licenses/assumed-1991-2003/license.html":
			return assumed, true
		}
	case "creativecommons.org":
		id, ok = creativeCommons[strings.TrimSuffix(path, "/legalcode")]
		return id, ok
	}
	return "", false
}

// The Creative Commons licenses that arXiv offers today (4.0 and CC0) and those
// of papers from 2009 to 2019 (3.0).
var creativeCommons = map[string]string{
	"licenses/by/4.0":       "CC-BY-4.0",
	"licenses/by-sa/4.0":    "CC-BY-SA-4.0",
	"licenses/by-nc-sa/4.0": "CC-BY-NC-SA-4.0",
	"licenses/by-nc-nd/4.0": "CC-BY-NC-ND-4.0",
	"publicdomain/zero/1.0": "CC0-1.0",
	"licenses/by/3.0":       "CC-BY-3.0",
	"licenses/by-nc-sa/3.0": "CC-BY-NC-SA-3.0",
	"licenses/publicdomain": "CC-PDDC",
}
