//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"seedcorn/cmd/seedcorn/internal/cluster"
	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/cmd/seedcorn/internal/hostile"
	"seedcorn/cmd/seedcorn/internal/kill"
	"seedcorn/digest"
	"seedcorn/digest/store"
)

// options are how to run.
type options struct {
	Kills     int
	Database  string // "sqlite" or "postgres"
	Postgres  string // where schemas may be made
	Processes int
	Roles     string
	Seed      uint64
	Break     string
	Binary    string
	Stale     time.Duration
	Keep      string
	Verbose   bool
	Steps     []string      // to kill at; nil means all, and random times
	Calm      bool          // the platforms have no faults
	Outages   int           // how often the database dies, too; it is a cluster of our own then
	Life      time.Duration // the longest that a process lives; 0: seconds
	Old       string        // an older seedcorn, which works beside the one under test
	Failovers int           // how often another takes its place; they are a pair of our own then
}

// Tokens that must never be in a log.
const (
	botToken     = "xoxb-crash-do-not-print"
	appToken     = "xapp-crash-do-not-print"
	discordToken = "crash-do-not-print"
)

// Channels: many good ones, some in workspaces that do not let us read back, one that
// refuses everything.
const (
	goodChannels  = 24
	blindChannels = 4
	slackDead     = "CDEAD"
	discordDead   = "300000000000000000"
)

// owners are people that can be written to.
var owners = map[string]string{"slack": "U9999", "discord": "500000000000009999"}

func slackChannel(i int) string   { return fmt.Sprintf("C%04d", i) }
func slackBlind(i int) string     { return fmt.Sprintf("CB%03d", i) }
func discordChannel(i int) string { return strconv.Itoa(100000000000000000 + i) }
func discordBlind(i int) string   { return strconv.Itoa(200000000000000000 + i) }

// shares are how often a call goes wrong, and how.
var shares = map[hostile.Fault]float64{
	hostile.ThenError: 0.03, hostile.ThenReset: 0.03, hostile.ThenSilence: 0.01, hostile.ThenLoris: 0.005, hostile.ThenGarbage: 0.01,
	hostile.InsteadLimit: 0.02, hostile.InsteadPage: 0.005, hostile.InsteadDown: 0.03, hostile.InsteadReset: 0.02, hostile.InsteadSilence: 0.005,
}

// A harness is one run.
type harness struct {
	options
	dir      string
	binary   string
	location string // of the database
	site     string // of the sources
	slack    *hostile.Slack
	discord  *hostile.Discord
	db       *store.DB
	sql      *sql.DB
	say      func(format string, args ...any)
	began    time.Time

	mu     sync.Mutex
	rng    *rand.Rand
	kills  map[string]int // by step; "random"
	total  int
	faults []string
	starts map[digest.SubscriptionID]time.Time // cursor of each subscription when it was made

	cluster   *cluster.Cluster // nil unless it is ours
	pair      *cluster.Pair    // the same
	outages   int
	failovers int
	outage    time.Time // the end of the latest; zero: there was none
	down      bool
	gaveUp    int // processes that ended by themselves since there was no database

	byOld int        // messages that the older program posted
	old   []*process // of the older program, from before the newer one's migrations
}

// run runs the harness. The error is for what keeps it from judging.
func run(ctx context.Context, o options, say func(format string, args ...any)) (report, error) {
	h := newHarness(o, say)
	say("seed %d", o.Seed)
	stop, err := h.prepare(ctx)
	defer stop()
	if err != nil {
		return report{}, err
	}
	if err := h.storm(ctx); err != nil {
		return report{}, err
	}
	if err := h.retire(); err != nil {
		return report{}, err
	}
	stormed := time.Since(h.began)
	if err := h.calm(ctx); err != nil {
		return report{}, err
	}
	return h.judge(ctx, stormed)
}

func newHarness(o options, say func(format string, args ...any)) *harness {
	if o.Processes == 0 {
		o.Processes = map[string]int{"postgres": 3}[o.Database] + map[string]int{"sqlite": 1}[o.Database]
	}
	return &harness{
		options: o, say: say, began: time.Now(), rng: rand.New(rand.NewPCG(o.Seed, 1)),
		kills: map[string]int{}, starts: map[digest.SubscriptionID]time.Time{},
	}
}

// prepare builds, starts and fills everything that the program needs around it.
func (h *harness) prepare(ctx context.Context) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	h.dir = h.Keep
	if h.dir == "" {
		if h.dir, err = os.MkdirTemp("", "crash"); err != nil {
			return stop, err
		}
		stops = append(stops, func() { os.RemoveAll(h.dir) })
	}
	if h.dir, err = filepath.Abs(h.dir); err != nil {
		return stop, err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return stop, err
	}
	if h.binary = h.Binary; h.binary == "" {
		h.binary = filepath.Join(h.dir, "seedcorn-under-test")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", h.binary, "seedcorn/cmd/seedcorn").CombinedOutput(); err != nil {
			return stop, fmt.Errorf("building: %w\n%s", err, out)
		}
	}
	undo, err := h.database(ctx)
	if err != nil {
		return stop, err
	}
	stops = append(stops, undo)

	rules := hostile.Rules{Second: 50 * time.Millisecond, Late: 30 * time.Millisecond, Memory: 3 * h.Stale, Seed: h.Seed, Forget: h.Break == "forget", Lose: h.Break == "lose"}
	if !h.Calm {
		rules.Fault = hostile.Chance(h.Seed, shares)
	}
	ledger := hostile.NewLedger()
	forSlack := rules
	forSlack.Token = botToken
	forSlack.Team = func(c string) string {
		if strings.HasPrefix(c, "CB") {
			return "T2"
		}
		return "T1"
	}
	forSlack.Blind = func(c string) bool { return strings.HasPrefix(c, "CB") }
	forSlack.Refuse = func(c string) string { return map[string]string{slackDead: "is_archived"}[c] }
	if h.slack, err = hostile.NewSlack(forSlack, ledger); err != nil {
		return stop, err
	}
	stops = append(stops, h.slack.Close)
	forDiscord := rules
	forDiscord.Token = discordToken
	forDiscord.Blind = func(c string) bool { return strings.HasPrefix(c, "2") }
	forDiscord.Refuse = func(c string) string { return map[string]string{discordDead: "50001"}[c] }
	if h.discord, err = hostile.NewDiscord(forDiscord, ledger); err != nil {
		return stop, err
	}
	stops = append(stops, h.discord.Close)

	base, end, err := demosite.New(time.Now()).Start(ctx)
	if err != nil {
		return stop, err
	}
	stops = append(stops, end)
	h.site = base
	if err := h.before(ctx); err != nil {
		return stop, err
	}
	stops = append(stops, func() {
		for _, p := range h.old {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
	if h.db, err = store.Open(ctx, h.location); err != nil {
		return stop, err
	}
	stops = append(stops, func() { h.db.Close() })
	if err := errors.Join(h.db.PutSources(ctx, demosite.Sources(base)), h.db.SetMeta(ctx, "sources", "own")); err != nil {
		return stop, err
	}
	if out, err := h.command(ctx, "", "pull").CombinedOutput(); err != nil {
		return stop, fmt.Errorf("pulling: %w\n%s", err, out)
	}
	return stop, h.recurring(ctx)
}

// before has the older program make the database and work on it. Whatever opens it next
// brings the schema up to date under it.
func (h *harness) before(ctx context.Context) error {
	if h.Old == "" {
		return nil
	}
	cmd := h.command(ctx, "", "subscriptions")
	cmd.Path = h.Old
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the older program: %w\n%s", err, out)
	}
	if _, err := h.sql.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('sources', 'own')"); err != nil {
		return err
	}
	for slot := range max(1, h.Processes/2) {
		p, err := h.launch(ctx, h.Old, h.Processes+slot, "")
		if err != nil {
			return err
		}
		h.old = append(h.old, p)
	}
	for i, p := range h.old {
		for range 1200 {
			if p.serves() {
				break
			}
			time.Sleep(50 * time.Millisecond) // another process: there is nothing to wait on
		}
		if !p.serves() {
			return fmt.Errorf("the older program does not serve\n%s", h.tail(h.Processes+i))
		}
	}
	// The one that every new database is given is not ours.
	_, err := h.sql.ExecContext(ctx, "DELETE FROM subscriptions")
	return err
}

// retire ends the older processes, which must have gone on until now, and counts what
// they did.
func (h *harness) retire() error {
	if h.Old == "" {
		return nil
	}
	for i, p := range h.old {
		select {
		case <-p.done:
			h.fault("the older program ended by itself: %v\n%s", p.err, h.tail(h.Processes+i))
		default:
		}
	}
	if err := h.interrupt(h.old); err != nil {
		h.fault("the older program: %v", err)
	}
	for _, p := range h.old {
		b, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(b) {
			switch {
			case bytes.Contains(line, []byte("panic")), bytes.Contains(line, []byte(`"level":"ERROR"`)) && !bytes.Contains(line, []byte(`"platform":`)): // platforms have faults of their own
				h.fault("the older program complains: %s", bytes.TrimSpace(line))
			case bytes.Contains(line, []byte(`"msg":"delivery"`)) && bytes.Contains(line, []byte(`"state":"sent"`)):
				h.byOld++
			}
		}
	}
	h.old = nil
	if h.byOld == 0 {
		h.fault("the older program posted nothing beside the newer one")
	}
	return nil
}

// database makes one, and a way to ask it directly.
func (h *harness) database(ctx context.Context) (undo func(), err error) {
	undo = func() {}
	if h.Outages+h.Failovers > 0 && h.Database != "postgres" {
		return undo, errors.New("--outages, --failovers: they are PostgreSQL's")
	}
	switch {
	case h.Outages > 0 && h.Failovers > 0:
		return undo, errors.New("--outages and --failovers are of two kinds of clusters: one of them")
	case h.Failovers > 0:
		if h.pair, err = cluster.StartPair(ctx); err != nil {
			return undo, err
		}
		undo, h.Postgres = h.pair.Stop, h.pair.URL
	case h.Outages > 0:
		if h.cluster, err = cluster.Start(ctx); err != nil {
			return undo, err
		}
		undo, h.Postgres = h.cluster.Stop, h.cluster.URL
	}
	stop := undo
	switch h.Database {
	case "sqlite":
		path := filepath.Join(h.dir, "crash.db")
		h.location = "sqlite:" + path
		h.sql, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
		return func() { h.sql.Close() }, err
	case "postgres":
		if h.Postgres == "" {
			return undo, errors.New("SEEDCORN_TEST_POSTGRES is not set")
		}
		u, err := url.Parse(h.Postgres)
		if err != nil {
			return undo, errors.New("SEEDCORN_TEST_POSTGRES is no URL")
		}
		name := fmt.Sprintf("seedcorn_crash_%d_%d", os.Getpid(), time.Now().UnixNano()%1_000_000)
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		h.location = u.String()
		if h.sql, err = sql.Open("pgx", h.location); err != nil {
			return undo, err
		}
		if _, err := h.sql.ExecContext(ctx, "CREATE SCHEMA "+name); err != nil {
			h.sql.Close()
			return undo, err
		}
		return func() {
			if h.Keep == "" {
				_, _ = h.sql.Exec("DROP SCHEMA " + name + " CASCADE") // it is a test's, and may stay
			}
			h.sql.Close()
			stop()
		}, nil
	}
	return undo, fmt.Errorf("--database: %q is neither sqlite nor postgres", h.Database)
}

// command is the program, with nothing in its environment but what we say.
func (h *harness) command(ctx context.Context, plan string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, h.binary, args...)
	bases := demosite.Bases(h.site)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "SEEDCORN_") {
			c.Env = append(c.Env, kv)
		}
	}
	for k, v := range map[string]string{
		"DATABASE_URL": h.location, "ALLOW_PRIVATE_NETWORKS": "true", "LISTEN": "127.0.0.1:0", "LOOKUPS": "false", "LOG_FORMAT": "json",
		"SLACK_URL": h.slack.URL, "SLACK_BOT_TOKEN": botToken, "SLACK_APP_TOKEN": appToken,
		"DISCORD_URL": h.discord.URL, "DISCORD_TOKEN": discordToken,
		"HUGGINGFACE_URL": bases.HuggingFace, "GITHUB_URL": bases.GitHubAPI, "ARXIV_RSS_URL": bases.ArXivRSS, "ARXIV_API_URL": bases.ArXivAPI, "ARXIV_PAGES_URL": bases.ArXivRSS,
		"TEST_MANNERS": "1ms", "TEST_KILL": plan, "TEST_STALE": h.stale(),
	} {
		c.Env = append(c.Env, "SEEDCORN_"+k+"="+v)
	}
	c.WaitDelay = 5 * time.Second
	c.Env = append(c.Env, "GOMAXPROCS=1")

	return c
}

// stale is what the program is told; "" leaves it as in life.
func (h *harness) stale() string {
	if h.Stale <= 0 {
		return ""
	}
	return h.Stale.String()
}

// roles are those of a process, as arguments.
func (h *harness) roles(slot int) []string {
	all := strings.Split(h.Roles, "/")
	if r := all[slot%len(all)]; r != "" && r != "all" {
		return []string{"--role", r}
	}
	return nil
}

// A process is one that runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done
	log  string
	from int64 // where in the log it begins
}

// start starts the program in a slot, which keeps its log.
func (h *harness) start(ctx context.Context, slot int, plan string) (*process, error) {
	return h.launch(ctx, h.binary, slot, plan)
}

func (h *harness) launch(ctx context.Context, binary string, slot int, plan string) (*process, error) {
	log, err := os.OpenFile(h.log(slot), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	fmt.Fprintf(log, "== start, to be killed at %q\n", plan)
	p := &process{cmd: h.command(context.WithoutCancel(ctx), plan, append([]string{"serve"}, h.roles(slot)...)...), done: make(chan struct{})}
	p.cmd.Path = binary
	p.cmd.Stdout, p.cmd.Stderr, p.log = log, log, log.Name()
	if p.from, err = log.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (h *harness) log(slot int) string {
	return filepath.Join(h.dir, fmt.Sprintf("process-%d.log", slot))
}

// killed reports whether a process has died by SIGKILL.
func (p *process) killed() bool {
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// serves reports whether a process has come so far that it serves: before, a signal
// finds nobody who would take it.
func (p *process) serves() bool {
	f, err := os.Open(p.log)
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, p.from, 1<<20))
	return err == nil && bytes.Contains(b, []byte(`"msg":"serving"`))
}

// Waits of the storm. A step that does not come is not waited for longer than
// stepWithin: then the kill comes at a random time after all.
func (h *harness) randomWithin() time.Duration { return cmp.Or(h.Life, 2500*time.Millisecond) }
func (h *harness) stepWithin() time.Duration   { return cmp.Or(h.Life, 4*time.Second) }

// storm kills until it has killed often enough.
func (h *harness) storm(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, h.Processes)
	for slot := range h.Processes {
		all.Go(func() {
			if errs[slot] = h.slot(ctx, slot); errs[slot] != nil {
				cancel()
			}
		})
	}
	all.Go(func() { h.fail(ctx) })
	all.Wait()
	return errors.Join(errs...)
}

// failOver lets another server take over under everybody, and yet another follow it.
func (h *harness) failOver(ctx context.Context) error {
	h.mu.Lock()
	h.down = true
	h.mu.Unlock()
	err := h.pair.FailOver(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.down, h.outage = false, time.Now()
	h.failovers++
	h.mu.Unlock()
	return h.pair.Follow(ctx)
}

// fail takes the database down now and then, as a crash does and as an operator does
// by turns, for up to two seconds; or lets another take over.
func (h *harness) fail(ctx context.Context) {
	times := h.Outages + h.Failovers
	for i := range times {
		for {
			h.mu.Lock()
			soon, over := h.total*(times+1) >= (i+1)*h.Kills, h.total >= h.Kills
			pause := time.Duration(h.rng.Int64N(int64(2 * time.Second)))
			h.mu.Unlock()
			if over || ctx.Err() != nil {
				return
			}
			if soon && h.pair != nil {
				if err := h.failOver(ctx); err != nil {
					h.fault("failing over: %v", err)
					return
				}
				break
			}
			if soon {
				h.mu.Lock()
				h.down = true
				h.mu.Unlock()
				how := []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT}[i%2]
				err := h.cluster.Down(how)
				time.Sleep(pause)
				if err = errors.Join(err, h.cluster.Up(ctx)); err != nil {
					h.fault("taking the database down (%s) and up: %v", how, err)
					return
				}
				h.mu.Lock()
				h.down, h.outage = false, time.Now()
				h.outages++
				h.mu.Unlock()
				break
			}
			time.Sleep(50 * time.Millisecond) // other processes: there is nothing to wait on
		}
	}
}

// patiently does something with a database that may be down for a moment.
func (h *harness) patiently(ctx context.Context, f func() error) error {
	var err error
	for range 300 {
		if err = f(); err == nil || ctx.Err() != nil || h.Outages+h.Failovers == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// slot starts and kills one process after another.
func (h *harness) slot(ctx context.Context, slot int) error {
	for {
		h.mu.Lock()
		if h.total >= h.Kills || ctx.Err() != nil {
			h.mu.Unlock()
			return ctx.Err()
		}
		step, plan, wait := h.next()
		h.mu.Unlock()
		if err := h.feed(ctx, 3); err != nil {
			return err
		}
		began := time.Now()
		p, err := h.start(ctx, slot, plan)
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-p.done:
		case <-timer.C:
			step = "random"
			_ = p.cmd.Process.Kill()
		case <-ctx.Done():
			_ = p.cmd.Process.Kill()
		}
		timer.Stop()
		<-p.done
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !p.killed() && h.without(began) {
			continue // whoever watches over the program starts it again
		}
		if !p.killed() {
			return fmt.Errorf("the program ended by itself: %w\n%s", p.err, h.tail(slot))
		}
		h.mu.Lock()
		h.kills[step]++
		h.total++
		n := h.total
		h.mu.Unlock()
		if h.Verbose || n%50 == 0 {
			h.say("kill %d of %d: process %d, %s (%s); %d messages stand", n, h.Kills, slot, step, plan, h.slack.Ledger.Len())
		}
	}
}

// without reports whether there was no database at some time since began, and counts
// who gave up over it.
func (h *harness) without(began time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down || h.outage.After(began) {
		h.gaveUp++
		return true
	}
	return false
}

// next chooses how the next process dies. The harness is locked.
func (h *harness) next() (step, plan string, wait time.Duration) {
	steps := h.Steps
	if steps == nil {
		if h.rng.Float64() < 0.35 {
			return "random", "", 100*time.Millisecond + time.Duration(h.rng.Int64N(int64(h.randomWithin())))
		}
		steps = kill.Steps
	}
	step = steps[h.rng.IntN(len(steps))]
	n := 1
	if often[step] {
		n += h.rng.IntN(4)
	}
	return step, fmt.Sprintf("%s:%d", step, n), h.stepWithin()
}

// often are the steps that come several times in a short life.
var often = map[string]bool{"composed": true, "saving": true, "saved": true, "claiming": true, "claimed": true, "posting": true, "posted": true, "settling": true, "settled": true}

// tail is the end of a slot's log.
func (h *harness) tail(slot int) string {
	b, err := os.ReadFile(h.log(slot))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// recurring subscribes a few channels to every minute.
func (h *harness) recurring(ctx context.Context) error {
	for i, to := range []digest.Destination{
		{Platform: "slack", Workspace: "T1", Channel: slackChannel(0)},
		{Platform: "discord", Workspace: "G1", Channel: discordChannel(0)},
		{Platform: "slack", Workspace: "T2", Channel: slackBlind(0)},
		{Platform: "discord", Workspace: "G1", Channel: discordBlind(0)},
	} {
		now := time.Now()
		if err := h.subscribe(ctx, digest.Subscription{Destination: to, Query: "country:FR", Cadence: "* * * * *", Cursor: now.Add(-time.Duration(i+1) * time.Minute), Next: now}); err != nil {
			return err
		}
	}
	return nil
}

// feed lets n more subscriptions fall due.
func (h *harness) feed(ctx context.Context, n int) error {
	for range n {
		h.mu.Lock()
		k := h.rng.IntN(100)
		i := h.rng.IntN(goodChannels)
		b := h.rng.IntN(blindChannels)
		query := []string{"", "country:CN", "openness>=open-weights"}[h.rng.IntN(3)]
		h.mu.Unlock()
		var to digest.Destination
		switch {
		case k < 2:
			to = digest.Destination{Platform: "slack", Workspace: "T1", Channel: slackDead}
		case k < 4:
			to = digest.Destination{Platform: "discord", Workspace: "G1", Channel: discordDead}
		case k < 14:
			to = digest.Destination{Platform: "slack", Workspace: "T2", Channel: slackBlind(b)}
		case k < 20:
			to = digest.Destination{Platform: "discord", Workspace: "G1", Channel: discordBlind(b)}
		case k < 24:
			to = digest.Destination{Platform: "slack", Workspace: "T1", Channel: fmt.Sprintf("U%04d", i)}
		case k < 28:
			to = digest.Destination{Platform: "discord", Channel: "@" + strconv.Itoa(500000000000000000+i)}
		case k < 64:
			to = digest.Destination{Platform: "slack", Workspace: "T1", Channel: slackChannel(i)}
		default:
			to = digest.Destination{Platform: "discord", Workspace: "G1", Channel: discordChannel(i)}
		}
		now := time.Now()
		if err := h.subscribe(ctx, digest.Subscription{Destination: to, Query: query, Cadence: "0 9 * * 1", Cursor: now.AddDate(0, 0, -8), Next: now}); err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) subscribe(ctx context.Context, s digest.Subscription) error {
	s.ID, s.Zone, s.Created = digest.NewSubscriptionID(), "UTC", time.Now().UTC()
	s.Owner = owners[s.Destination.Platform] // who is told when a channel turns us away
	s.Cursor, s.Next = s.Cursor.UTC().Truncate(time.Millisecond), s.Next.UTC()
	h.mu.Lock()
	h.starts[s.ID] = s.Cursor
	h.mu.Unlock()
	return h.patiently(ctx, func() error { return h.db.PutSubscription(ctx, s) })
}

// calm lets the platforms be well and the program finish, and ends it as an operator
// would.
func (h *harness) calm(ctx context.Context) error {
	h.slack.Change(func(r *hostile.Rules) { r.Fault = nil })
	h.discord.Change(func(r *hostile.Rules) { r.Fault = nil })
	until := time.Now().Add(5 * time.Minute)
	for {
		running := make([]*process, h.Processes)
		for slot := range running {
			p, err := h.start(ctx, slot, "")
			if err != nil {
				return err
			}
			running[slot] = p
		}
		// The bells ring at the start and then seldom: a start costs less than the wait.
		for range 40 {
			if open, err := h.open(ctx); err != nil || open == 0 || ctx.Err() != nil {
				break
			}
			time.Sleep(200 * time.Millisecond) // another process: there is nothing to wait on
		}
		if err := h.interrupt(running); err != nil {
			return err
		}
		open, err := h.open(ctx)
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if open == 0 {
			return nil
		}
		if time.Now().After(until) {
			h.fault("%d deliveries and subscriptions are still open after five minutes without a fault", open)
			return nil
		}
		// Time passes: what waits for its next attempt need not do so here.
		if _, err := h.sql.ExecContext(ctx, "UPDATE deliveries SET not_before = 0 WHERE state IN ('pending', 'unsure')"); err != nil {
			return err
		}
	}
}

// interrupt ends processes as an operator does, and waits for them.
func (h *harness) interrupt(running []*process) error {
	for _, p := range running {
		for range 600 {
			if p.serves() {
				break
			}
			time.Sleep(50 * time.Millisecond) // another process: there is nothing to wait on
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	late := time.NewTimer(15 * time.Second) // ten, and some for a loaded machine
	defer late.Stop()
	for slot, p := range running {
		select {
		case <-p.done:
			if p.err != nil {
				return fmt.Errorf("an interrupt ended the program with: %w\n%s", p.err, h.tail(slot))
			}
		case <-late.C:
			h.fault("process %d did not end within ten seconds of an interrupt", slot)
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	return nil
}

// open counts what is not done yet: deliveries, and subscriptions that have been due
// for so long that no minute's digest is meant.
func (h *harness) open(ctx context.Context) (n int, err error) {
	var due int
	if err := h.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'sending', 'unsure')").Scan(&n); err != nil {
		return 0, err
	}
	err = h.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM subscriptions WHERE cadence <> '* * * * *' AND next_due <= $1 AND paused_until <= $1", time.Now().UnixMilli()).Scan(&due)
	return n + due, err
}

func (h *harness) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

// logs looks through what the processes wrote for what must not be there.
func (h *harness) logs() {
	for slot := range h.Processes {
		b, err := os.ReadFile(h.log(slot))
		if err != nil {
			h.fault("reading a log: %v", err)
			continue
		}
		for _, bad := range []string{"panic", "do-not-print", "DATA RACE"} {
			if at := bytes.Index(b, []byte(bad)); at >= 0 {
				h.fault("the log of process %d says %q: %s", slot, bad, b[max(0, at-200):min(len(b), at+600)])
			}
		}
	}
}
