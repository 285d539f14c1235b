package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/store"
)

// The rush: every subscription is due in the same minute. The platforms are simulated,
// with the limits of real ones; the database is real, and so is the clock. Limits,
// waits and the time of a request are -scale times as fast as in the world. What counts
// is the ratio of the time to the least that the limits allow.
//
//	go test ./digest/jobs -run '^$' -bench Rush -benchtime 1x -scale 1
var scale = flag.Float64("scale", 4, "how many times faster than in the world simulated platforms are")

func scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / *scale) }

// A crowd is a simulated platform.
type crowd struct {
	pace digest.Pace
	took time.Duration // of a request
	// Limits: so many in so long, in a sliding window; 0 is none.
	all, channel limit
	// A workspace fills up by one every so often, to at most so many.
	every time.Duration
	most  float64
	whole time.Duration // Retry-After comes in whole ones of these; 0: exact

	mu      sync.Mutex
	windows map[string][]time.Time
	room    map[string]*room
	posted  map[digest.DeliveryID]int
	first   map[string]time.Time // by workspace
	last    time.Time
	asked   int
	refused map[digest.Scope]int
	parts   map[digest.DigestID]int
	faults  []string
	said    chan int // told how many stand there; may be nil
}

// A room is what a workspace still takes.
type room struct {
	left float64
	at   time.Time
}

type limit struct {
	n   int
	per time.Duration
}

func newCrowd(pace digest.Pace) *crowd {
	return &crowd{
		pace: pace, took: scaled(120 * time.Millisecond), windows: map[string][]time.Time{}, room: map[string]*room{}, posted: map[digest.DeliveryID]int{},
		first: map[string]time.Time{}, refused: map[digest.Scope]int{}, parts: map[digest.DigestID]int{},
	}
}

// strict is a platform that says what it allows: 50 requests a second in all, and 5 in
// 5 seconds to a channel. We ask for a little less.
func strict() *crowd {
	c := newCrowd(digest.Pace{Platform: digest.Rate{Every: scaled(2 * time.Second / 95)}, Channel: digest.Rate{Every: scaled(time.Second), Burst: 4}, Window: scaled(1050 * time.Millisecond)})
	c.all, c.channel = limit{50, scaled(time.Second)}, limit{5, scaled(5 * time.Second)}
	return c
}

// vague is a platform that allows about one message a second to a channel, and to a
// workspace 20 at once and 100 a minute, which nobody knows before it refuses.
func vague() *crowd {
	c := newCrowd(digest.Pace{Channel: digest.Rate{Every: scaled(1050 * time.Millisecond)}})
	c.channel = limit{2, scaled(2 * time.Second)}
	c.every, c.most, c.whole = scaled(time.Minute/100), 20, scaled(time.Second)
	return c
}

func (c *crowd) Pace() digest.Pace { return c.pace }

func (c *crowd) Find(context.Context, digest.Delivery) (string, bool, error) {
	return "", false, fmt.Errorf("nothing was ever in doubt")
}

func (c *crowd) Post(ctx context.Context, d digest.Delivery) (string, error) {
	// What has left arrives, whatever happens on our machine meanwhile.
	err := c.accept(d, time.Now().Add(c.took/2))
	time.Sleep(c.took)
	return "r" + string(d.ID), err
}

func (c *crowd) accept(d digest.Delivery, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	windows := []struct {
		name  string
		scope digest.Scope
		limit
	}{{"all", digest.ScopePlatform, c.all}, {"c " + d.To.Workspace + " " + d.To.Channel, digest.ScopeChannel, c.channel}}
	for _, w := range windows {
		recent := c.windows[w.name]
		for len(recent) > 0 && now.Sub(recent[0]) >= w.per {
			recent = recent[1:]
		}
		c.windows[w.name] = recent
		if w.n > 0 && len(recent) >= w.n {
			return c.refuse(w.scope, recent[0].Add(w.per).Sub(now))
		}
	}
	if c.every > 0 {
		r := c.room[d.To.Workspace]
		if r == nil {
			r = &room{c.most, now}
			c.room[d.To.Workspace] = r
		}
		r.left = min(c.most, r.left+float64(now.Sub(r.at))/float64(c.every))
		r.at = now
		if r.left < 1 {
			return c.refuse(digest.ScopeWorkspace, time.Duration((1-r.left)*float64(c.every)))
		}
		r.left--
	}
	for _, w := range windows {
		if w.n > 0 {
			c.windows[w.name] = append(c.windows[w.name], now)
		}
	}
	if c.posted[d.ID]++; c.posted[d.ID] > 1 {
		c.faults = append(c.faults, fmt.Sprintf("%s was posted twice", d.ID))
	}
	if c.parts[d.Digest] != d.Part {
		c.faults = append(c.faults, fmt.Sprintf("part %d of %s came after %d parts", d.Part, d.Digest, c.parts[d.Digest]))
	}
	c.parts[d.Digest]++
	c.last = now
	if c.said != nil {
		c.said <- len(c.posted)
	}
	if c.first[d.To.Workspace].IsZero() {
		c.first[d.To.Workspace] = now
	}
	return nil
}

func (c *crowd) refuse(scope digest.Scope, after time.Duration) error {
	c.refused[scope]++
	if c.whole > 0 {
		after = (after + c.whole - 1) / c.whole * c.whole
	}
	return &PostError{State: digest.Pending, After: after, Scope: scope, Say: "slower"}
}

// said is the content of a digest of usual length.
func said(n int) digest.Digest {
	d := digest.Digest{Title: "This week", Period: digest.Period{From: rushed.Add(-7 * 24 * time.Hour), To: rushed}}
	s := digest.Section{Title: "New"}
	for i := range 20 {
		s.Stories = append(s.Stories, digest.Story{Work: digest.WorkID(fmt.Sprintf("w%d-%d", n, i)), Title: strings.Repeat("A title ", 10)})
	}
	d.Sections = []digest.Section{s}
	return d
}

var rushed = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// subscribe gives a channel of a workspace a digest of so many parts, composed for one
// of so many different queries.
func subscribe(tb testing.TB, db *store.DB, platform, workspace, channel string, query, parts int) {
	tb.Helper()
	sub := digest.Subscription{
		ID: digest.SubscriptionID(platform + workspace + channel), Destination: digest.Destination{Platform: platform, Workspace: workspace, Channel: channel},
		Query: strconv.Itoa(query), Cadence: "0 9 * * 1", Zone: "UTC", Cursor: rushed.Add(-7 * 24 * time.Hour), Next: rushed,
	}
	if err := db.PutSubscription(tb.Context(), sub); err != nil {
		tb.Fatal(err)
	}
	messages := make([]digest.Part, parts)
	for k := range messages {
		text, err := json.Marshal(strings.Repeat(fmt.Sprintf("%s, query %d, part %d. ", platform, query, k), 250))
		if err != nil {
			tb.Fatal(err)
		}
		messages[k] = digest.Part{Payload: text, Summary: "part"}
	}
	if _, err := db.SaveDigest(tb.Context(), sub, said(query), rushed.Add(7*24*time.Hour), messages...); err != nil {
		tb.Fatal(err)
	}
}

// work has processes with so many workers each work on lanes until nothing is left, as
// jobs of which there is one to a lane. It returns how long it took.
func work(tb testing.TB, processes []*Deliveries, workers int) time.Duration {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Minute)
	defer cancel()
	lanes, err := processes[0].Outbox.Lanes(ctx, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	queue := make(chan digest.Lane, len(lanes))
	for _, l := range lanes {
		queue <- l
	}
	var left, wg sync.WaitGroup
	left.Add(len(lanes))
	began := time.Now()
	for _, p := range processes {
		for range workers {
			wg.Go(func() {
				for l := range queue {
					_, next, err := p.Drain(ctx, l)
					switch {
					case err != nil:
						tb.Error(err)
						left.Done()
					case next.IsZero():
						left.Done()
					default:
						time.AfterFunc(time.Until(next), func() { queue <- l })
					}
				}
			})
		}
	}
	left.Wait()
	took := time.Since(began)
	close(queue)
	wg.Wait()
	return took
}

// onEngines runs a test on each engine, with a function that opens the database as one
// more process.
func onEngines[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, test func(t T, open func() *store.DB, size func() int64)) {
	opener := func(t T, location string) func() *store.DB {
		return func() *store.DB {
			// Several on one file, on a machine that does much else, wait long for one another.
			db, err := store.Open(t.Context(), location, store.WithBusyTimeout(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		}
	}
	t.Run("sqlite", func(t T) {
		path := filepath.Join(t.TempDir(), "seedcorn.db")
		test(t, opener(t, "sqlite:"+path), func() (n int64) {
			for _, p := range []string{path, path + "-wal"} {
				if info, err := os.Stat(p); err == nil {
					n += info.Size()
				}
			}
			return n
		})
	})
	t.Run("postgres", func(t T) {
		location := place(t, "postgres")
		sizes, err := sql.Open("pgx", location)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sizes.Close() })
		test(t, opener(t, location), func() (n int64) {
			if err := sizes.QueryRowContext(t.Context(), "SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = current_schema() AND c.relkind = 'r'").Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		})
	})
}

// couriers are processes on one database, each with its own connections.
func couriers(open func() *store.DB, n int, platforms map[string]Courier) (out []*Deliveries) {
	for range n {
		out = append(out, &Deliveries{Outbox: open(), Couriers: platforms, Now: time.Now, Turn: 20 * time.Second})
	}
	return out
}

// check says what a platform has against us.
func (c *crowd) check(tb testing.TB, want int) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		tb.Error(f)
	}
	if len(c.posted) != want {
		tb.Errorf("%d messages stand there, want %d", len(c.posted), want)
	}
}

// ours is how often it refused for a rate that it had told us.
func (c *crowd) ours() int { return c.refused[digest.ScopePlatform] + c.refused[digest.ScopeChannel] }

// peak is the most memory that this process has had, 0 where nobody says.
func peak() int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) == 3 && f[0] == "VmHWM:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// A workspace with thousands of channels does not keep one with a single channel
// waiting: its message comes within what goes out in a second or two.
func TestSmallWorkspaceIsNotStarved(t *testing.T) {
	onEngines(t, func(t *testing.T, open func() *store.DB, _ func() int64) {
		s, db := strict(), open()
		const channels = 1000
		for c := range channels {
			subscribe(t, db, "strict", "large", fmt.Sprintf("c%d", c), 0, 1)
		}
		s.said = make(chan int, channels+1)
		small := digest.Lane{Platform: "strict", Workspace: "small"}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		if db.Engine() == "sqlite" {
			// One process, whose writers take turns. Several on one file poll for its lock,
			// and who gets it is chance: that is not the fairness in question.
			open = func() *store.DB { return db }
		}
		processes := couriers(open, 3, map[string]Courier{"strict": s})
		var wg sync.WaitGroup
		for _, p := range processes[:2] { // the same lane twice, even
			wg.Go(func() {
				if _, _, err := p.Drain(ctx, digest.Lane{Platform: "strict", Workspace: "large"}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		}
		for n := 0; n < 50; {
			n = <-s.said
		}
		subscribe(t, db, "strict", "small", "c", 1, 1)
		s.mu.Lock()
		before := len(s.posted) // however long the database took to write it down
		s.mu.Unlock()
		if n, _, err := processes[2].Drain(ctx, small); n != 1 || err != nil {
			t.Errorf("%d sent, %v", n, err)
		}
		s.mu.Lock()
		between := len(s.posted) - before
		// Without a turn of its own it would come last.
		if s.first["small"].IsZero() || between > channels*3/4 {
			t.Errorf("%d others were posted first", between)
		}
		s.mu.Unlock()
		stop()
		wg.Wait()
		s.check(t, len(s.posted))
	})
}

// Ten thousand channels in a hundred workspaces, half of them on each platform.
func BenchmarkRush(b *testing.B) {
	onEngines(b, func(b *testing.B, open func() *store.DB, size func() int64) {
		for b.Loop() {
			s, v := strict(), vague()
			db := open()
			began := time.Now()
			const channels = 100
			for w := range 100 {
				platform := [...]string{"strict", "vague"}[w%2]
				for c := range channels {
					subscribe(b, db, platform, fmt.Sprintf("w%d", w), fmt.Sprintf("c%d", c), (w*channels+c)%500, 1)
				}
			}
			b.ReportMetric(time.Since(began).Seconds(), "s/store")
			n := 4
			if db.Engine() == "sqlite" {
				n = 1
			}
			began = time.Now()
			took := work(b, couriers(open, n, map[string]Courier{"strict": s, "vague": v}), 100)
			s.check(b, 5000)
			v.check(b, 5000)
			least := scaled(time.Second * (5000 - 50) / 50) // the first 50 at once
			b.ReportMetric(took.Seconds()*(*scale), "s")
			b.ReportMetric(float64(took)/float64(least), "times-least")
			b.ReportMetric(float64(v.last.Sub(began))/float64(80*v.every), "times-least-vague") // 20 of 100 at once
			b.ReportMetric(float64(s.ours()+v.ours()), "429s")
			b.ReportMetric(float64(v.refused[digest.ScopeWorkspace]), "429s-unpublished")
			b.ReportMetric(float64(peak())/1e6, "MB-peak")
			b.ReportMetric(float64(size())/1e6, "MB-database")
		}
	})
}

// One digest to a thousand channels of one workspace.
func BenchmarkThousand(b *testing.B) {
	onEngines(b, func(b *testing.B, open func() *store.DB, _ func() int64) {
		for b.Loop() {
			s := strict()
			db := open()
			for c := range 1000 {
				subscribe(b, db, "strict", "w", fmt.Sprintf("c%d", c), 0, 1)
			}
			took := work(b, couriers(open, 1, map[string]Courier{"strict": s}), 4)
			s.check(b, 1000)
			b.ReportMetric(took.Seconds()*(*scale), "s")
			b.ReportMetric(float64(took)/float64(scaled(time.Second*(1000-50)/50)), "times-least")
			b.ReportMetric(float64(s.asked)/1000, "requests-per-message")
			b.ReportMetric(float64(s.ours()), "429s")
		}
	})
}
