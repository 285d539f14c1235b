package arxiv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"seedcorn/feeds"
)

// Bounds of a query that asks for more than one page.
const (
	// PageSize is how many entries we ask for at once. The API returns up to
	// [MaxSlice], but slowly, and asks for refinement of large queries.
	// Source: https://info.arxiv.org/help/api/user-manual.html#paging
	PageSize = 500
	// MaxPages bounds one visit: at [Spacing] apart it takes at least nine seconds.
	MaxPages = 4
)

// A Collector reads arXiv's listings ([feeds.KindArXiv]) and queries
// ([feeds.KindArXivQuery]) with arXiv's manners. Both fields are required.
//
// It does four things that a reader of feeds does not: it enters arXiv's gate
// before each request and leaves it when the answer is in; it turns the API's
// error-as-a-feed into an error; it knows on which days arXiv announces nothing,
// so that an empty listing is quiet on a Saturday and worth a remark on a Tuesday;
// and it remarks on a listing that is rebuilt every day with an old batch in it.
type Collector struct {
	Feed feeds.Collector // reads one document, with [Refine] as its hook; must not enter GateKey itself
	Gate feeds.Gate
}

// Collect visits src once; see [feeds.Collector]. A query whose address asks for
// more than [PageSize] entries is read in pages, each behind the gate, until a
// page brings something known (queries are sorted newest first), a page is not
// full, or [MaxPages] are read. A page that fails fails the visit, so that none
// is missed for good.
func (c Collector) Collect(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	mine := readMemory(last.Cursor)
	last.Cursor = mine.Feed
	var pull feeds.Pull
	var err error
	if src.Kind == feeds.KindArXivQuery {
		pull, err = c.query(ctx, src, last)
	} else {
		pull, err = c.page(ctx, src, last)
	}
	if err != nil {
		return pull, err
	}
	if src.Kind == feeds.KindArXiv {
		mine.judge(&pull, time.Now())
	}
	mine.Feed = pull.State.Cursor
	pull.State.Cursor = mine.String()
	return pull, nil
}

// page reads one document behind the gate.
func (c Collector) page(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	leave, err := c.Gate.Enter(ctx, GateKey)
	if err != nil {
		return feeds.Pull{}, fmt.Errorf("waiting for arXiv's gate: %w", err)
	}
	defer leave()
	pull, err := c.Feed.Collect(ctx, src, last)
	if err != nil {
		return pull, err
	}
	for _, it := range pull.Items {
		if message, bad := APIError(it); bad {
			return feeds.Pull{}, &feeds.Trouble{
				Kind: feeds.TroubleRefused, Source: src.ID, URL: src.URL,
				Err: errors.New("arXiv answers: " + clip(message, 300)),
			}
		}
	}
	return pull, nil
}

func (c Collector) query(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	first, pages, size := pagesOf(src.URL)
	if pages <= 1 {
		return c.page(ctx, src, last)
	}
	ask := func(n int) feeds.Source {
		s := src
		s.URL = pageURL(src.URL, first+n*size, size)
		return s
	}
	pull, err := c.page(ctx, ask(0), last)
	if err != nil || pull.Unchanged {
		return pull, err
	}
	pull.MovedTo = "" // one page's new address is not the query's
	for n, got := 1, pull; n < pages; n++ {
		if got.Entries < size || len(got.Items) < got.Entries {
			break
		}
		if got, err = c.page(ctx, ask(n), feeds.State{}); err != nil {
			return feeds.Pull{}, fmt.Errorf("page %d: %w", n+1, err)
		}
		pull.Items = append(got.Items, pull.Items...) // later pages are older
		pull.Faults = append(pull.Faults, got.Faults...)
		pull.Entries += got.Entries
	}
	return pull, nil
}

// pagesOf reads how many entries a query's address asks for, and in how many
// pages of which size they are read.
func pagesOf(raw string) (first, pages, size int) {
	u, err := url.Parse(raw)
	if err != nil {
		return 0, 1, 0
	}
	want, err := strconv.Atoi(u.Query().Get("max_results"))
	if err != nil || want <= PageSize {
		return 0, 1, want
	}
	start, err := strconv.Atoi(u.Query().Get("start"))
	if err != nil {
		start = 0
	}
	want = min(want, PageSize*MaxPages)
	return max(start, 0), (want + PageSize - 1) / PageSize, PageSize
}

func pageURL(raw string, start, size int) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	q := u.Query()
	q.Set("start", strconv.Itoa(start))
	q.Set("max_results", strconv.Itoa(size))
	u.RawQuery = q.Encode()
	return u.String()
}

// memory is what the collector keeps of its own in [feeds.State.Cursor].
type memory struct {
	Feed  string `json:"feed,omitempty"`  // the feed reader's cursor, handed back to it
	Batch string `json:"batch,omitempty"` // day of the newest batch seen, "2026-04-27"
}

func readMemory(cursor string) (m memory) {
	if err := json.Unmarshal([]byte(cursor), &m); err != nil {
		return memory{Feed: cursor}
	}
	return m
}

func (m memory) String() string {
	if m == (memory{}) {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil { // two strings always marshal
		return ""
	}
	return string(b)
}

// judge remarks on a listing that cannot be right, and calls an empty one on a
// day without announcement what it is: nothing new.
func (m *memory) judge(p *feeds.Pull, now time.Time) {
	for _, it := range p.Items {
		t := it.Published
		if it.Updated.After(t) {
			t = it.Updated
		}
		if day := t.In(eastern).Format(time.DateOnly); feeds.Believable(t, now) && day > m.Batch {
			m.Batch = day
		}
	}
	if p.Unchanged {
		return
	}
	due := lastBatch(now)
	switch {
	case p.Entries == 0 && due.Before(today(now)):
		p.Unchanged = true // a weekend, a holiday, or not yet midnight's batch
	case p.Entries == 0:
		p.Faults = append(p.Faults, "the listing is empty on a day on which arXiv announces (small categories have such days)")
	case m.Batch != "" && m.Batch < due.Format(time.DateOnly):
		p.Faults = append(p.Faults, fmt.Sprintf("stale: the listing was rebuilt, but its newest entry is of %s and a batch of %s was due",
			m.Batch, due.Format(time.DateOnly)))
	}
}

// settle is how long after midnight, when the listings are rebuilt, a batch may
// be late before we remark on it.
const settle = 6 * time.Hour

// eastern is arXiv's clock. Without a time zone database it is an hour off in
// summer, which [settle] covers.
var eastern = func() *time.Location {
	if l, err := time.LoadLocation("America/New_York"); err == nil {
		return l
	}
	return time.FixedZone("EST", -5*60*60)
}()

func today(now time.Time) time.Time {
	y, mo, d := now.In(eastern).Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, eastern)
}

// lastBatch returns the day (midnight Eastern) of the newest batch that must be
// out at now. Listings are rebuilt at midnight after the announcements of Sunday
// to Thursday, so they carry the dates Monday to Friday.
// Source: https://info.arxiv.org/help/rss.html, https://info.arxiv.org/help/availability.html
func lastBatch(now time.Time) time.Time {
	day := today(now.Add(-settle))
	for !announces(day) {
		y, m, d := day.Date()
		day = time.Date(y, m, d-1, 0, 0, 0, 0, eastern)
	}
	return day
}

// announces reports whether a listing of that day has entries for sure. arXiv
// names its deferred mailings from year to year
// (https://info.arxiv.org/help/availability.html#holiday); they have been United
// States holidays and days around Christmas. The test errs on the quiet side: on a
// day that may be one of them nothing is expected.
func announces(day time.Time) bool {
	_, month, d := day.Date()
	wd := day.Weekday()
	if wd == time.Saturday || wd == time.Sunday {
		return false
	}
	nth := (d-1)/7 + 1
	near := func(holiday int) bool { // a holiday on a weekend is kept on the next weekday
		return d == holiday || wd == time.Monday && (d == holiday+1 || d == holiday+2) || wd == time.Friday && d == holiday-1
	}
	switch month {
	case time.January:
		return d != 1 && d != 2 && !(wd == time.Monday && nth == 3) // New Year, Martin Luther King Day
	case time.May:
		return !(wd == time.Monday && d > 24) // Memorial Day
	case time.June:
		return !near(19) // Juneteenth
	case time.July:
		return !near(4)
	case time.September:
		return !(wd == time.Monday && nth == 1) // Labor Day
	case time.November:
		return !(wd == time.Thursday && nth == 4) && !(wd == time.Friday && (d-2)/7+1 == 4) // Thanksgiving and the day after
	case time.December:
		return d < 24
	}
	return true
}
