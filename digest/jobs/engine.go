package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// A Role is a kind of background work that a process does.
type Role string

// The roles. Each has its jobs, and the process that has the role also looks what is
// due for it.
const (
	RolePull     Role = "pull"     // visits sources
	RoleEnrich   Role = "enrich"   // looks up what feeds did not say
	RoleCompose  Role = "compose"  // composes what is due
	RoleDeliver  Role = "deliver"  // posts what is in the outbox
	RoleMaintain Role = "maintain" // tidies up, daily
)

// Roles are all of them, in the order in which data flows.
var Roles = []Role{RolePull, RoleEnrich, RoleCompose, RoleDeliver, RoleMaintain}

// An Agenda is what the engine needs of storage: what is due, given out once, and who
// else is at work.
type Agenda interface {
	// TakeSources takes the sources that are due at now until a time, and hands them to
	// then in the same transaction. Each goes to one of all processes that ask.
	TakeSources(ctx context.Context, now, until time.Time, then func(context.Context, *sql.Tx, []feeds.Source) error) error
	// DueAmong returns those of ids that are still to be visited at now.
	DueAmong(ctx context.Context, ids []feeds.SourceID, now time.Time) ([]feeds.Source, error)
	// Looked notes visits that brought nothing.
	Looked(ctx context.Context, visits []digest.Visit) error
	// Waiting returns how many sources have been due since a time and were not visited.
	Waiting(ctx context.Context, since time.Time) (int, error)
	// TakeSubscriptions and DueSubscriptionsAmong are the same for digests.
	TakeSubscriptions(ctx context.Context, now, until time.Time, then func(context.Context, *sql.Tx, []digest.Subscription) error) error
	DueSubscriptionsAmong(ctx context.Context, ids []digest.SubscriptionID, now time.Time) ([]digest.Subscription, error)
	// Release gives back all that was taken.
	Release(ctx context.Context) error
	// Lanes returns the lanes in which something may go out at now.
	Lanes(ctx context.Context, now time.Time) ([]digest.Lane, error)
	// Beat notes that a process is alive and returns all that are known, with the
	// database's time. Leave removes one, and those silent since a time.
	Beat(ctx context.Context, p digest.Process) ([]digest.Process, time.Time, error)
	Leave(ctx context.Context, id string, silent time.Time) error
	// Meta and SetMeta remember a word under a name.
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
}

// A Base is the database in which jobs are kept: the pool that writes to it, which may
// be one connection, and its engine, "sqlite" or "postgres".
type Base struct {
	Pool   *sql.DB
	Engine string
}

func (b Base) driver() riverdriver.Driver[*sql.Tx] {
	if b.Engine == "postgres" {
		return quiet{riverdatabasesql.New(b.Pool)}
	}
	return quiet{riversqlite.New(b.Pool)}
}

// quiet is a driver that neither tells nor listens. Telling through PostgreSQL needs
// a connection of its own for every process, and on SQLite a table that is read twenty
// times a second, which is most of what an idle process would do. The processes look
// every second instead; and what a process inserts itself it is told without a
// database (River does so for drivers that cannot listen).
type quiet struct{ riverdriver.Driver[*sql.Tx] }

func (quiet) SupportsListener() bool     { return false }
func (quiet) SupportsListenNotify() bool { return false }

// ErrNewer is what a database is refused with whose tables of jobs a newer program has
// made.
var ErrNewer = errors.New("the tables of jobs were made by a newer version of this program")

// Migrate brings the engine's tables up to date, forward only. Programs that start at
// once are for the caller to keep apart.
func (b Base) Migrate(ctx context.Context) error {
	m, err := rivermigrate.New(b.driver(), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	known := m.AllVersions()
	newest := known[len(known)-1].Version
	have := 0
	if err := b.Pool.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM river_migration").Scan(&have); err != nil {
		have = 0 // the table is not there yet; if it is anything else, the migration says so
	}
	switch {
	case have > newest:
		return fmt.Errorf("%w: they are number %d, this one knows up to %d", ErrNewer, have, newest)
	case have == newest:
		return nil
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// A Chore is something to be done once a day.
type Chore struct {
	Name string
	Do   func(ctx context.Context, now time.Time) error
}

// An Errand is something that storage knows to be due and that needs a platform: it is
// looked after every now and then. Run returns how much of it was done.
type Errand struct {
	Name string
	Run  func(ctx context.Context) (int, error)
}

// An Engine does the background work of one process as jobs. It is made once, before
// the database is busy, and run once.
type Engine struct {
	Base
	Agenda  Agenda
	Roles   []Role           // of this process; none is fine
	Process digest.Process   // Roles, Host and Version, for people
	Now     func() time.Time // the same in all processes, whatever their machines' clocks say
	Log     *slog.Logger

	// What the jobs do. All are needed, whatever the roles: which process has which may
	// change while jobs wait.
	Pull       func(ctx context.Context, sources []feeds.Source) (Round, error)
	Gated      map[feeds.SourceKind]bool                         // kinds that queue for a gate
	Enrich     func(ctx context.Context, limit int) (int, error) // nil: nothing is looked up
	Editions   *Editions
	Deliveries interface {
		Drain(ctx context.Context, lane digest.Lane) (sent int, next time.Time, err error)
	}
	Errands []Errand // of who delivers
	Chores  []Chore
	// Hint says what to do about an error that means that storage takes no writes, as when
	// it is full; "" for any other. May be nil.
	Hint func(error) string
	// Idle is called when this process has come to the end of its work for now. May be nil.
	Idle func(ctx context.Context)

	// How soon a process that was killed is missed: it beats at one interval and is
	// missed after another. 0 means the usual.
	Beat, Missed time.Duration
	// Grace is how long jobs may go on after Run was told to end; then they are told
	// to stop, too. 0 means the usual.
	Grace time.Duration
	// Retry says when a job that failed so many times is tried again. nil means the usual.
	Retry func(failures int) time.Duration
	// Ring is the bell's interval, and Poll how often a queue is looked into. "" and 0
	// mean the usual.
	Ring string
	Poll time.Duration

	fault      atomic.Pointer[Fault]
	client     *river.Client[*sql.Tx]
	stopping   atomic.Bool
	quit       chan struct{} // closed with it
	delivering atomic.Int32
	rung       atomic.Int64
	began      time.Time // of Run
	caughtUp   bool      // see compose
	pulled     time.Time // when due sources were last asked for
	errands    time.Time // when they were last asked for
	beating    time.Time // since when this process has beaten without a pause
	lastBeat   time.Time // by the database's clock

	enrichNext atomic.Int64 // Unix time; see enrichEvery

	idling sync.Mutex
	busy   int
	rest   *time.Timer
}

// Intervals and bounds.
const (
	usualRing   = "5s"
	usualPoll   = time.Second // see quiet
	pullEvery   = time.Minute
	errandEvery = 20 * time.Second
	// chunk is how many sources are one job: enough that a round of thousands costs few
	// jobs and few transactions, few enough that several processes share a round.
	chunk = 64
	// gatedChunk: each of these waits seconds for its turn.
	gatedChunk = 16
	// editionChunk is how many subscriptions are one job.
	editionChunk = 128
	// enrichLimit bounds the questions of one job: at arXiv's three seconds each they
	// take about two minutes.
	enrichLimit = 40
	// How long what was given out belongs to its job: longer than the job can last.
	sourcesTaken       = time.Hour
	subscriptionsTaken = 10 * time.Minute
	// shortWait is up to when a lane is waited for inside of its job, to the moment.
	// Beyond, its job ends, and the bell, which looks a little ahead, brings a new one
	// when its time comes: a lane has one job, and one that slept for hours would keep a
	// new message from waking it.
	ahead     = 5 * time.Second // the bell's interval
	shortWait = ahead + time.Second
	// setAsideFor is how long a job that failed for good keeps its like away.
	setAsideFor = time.Hour
	// laneAsideFor is so for a lane: its deliveries count attempts of their own, and one
	// who dies over and over for another reason must not keep a workspace's digests back.
	laneAsideFor = time.Minute
	// catchUpWithin is how long the first digest after a start waits for the sources
	// that were due: what came out while we were down belongs into the digest that is
	// overdue.
	catchUpWithin = 10 * time.Minute

	// A process beats often, and is missed soon, since nothing else tells a job that is
	// being done from one whose process was killed. One that is missed wrongly (its
	// machine slept) has its jobs done twice, which is safe: deliveries are fenced by
	// attempt, digests by period, and a visit more is only a visit more.
	usualBeat   = 3 * time.Second
	usualMissed = 15 * time.Second
	// A job may run for as long as its timeout, and nobody but the beat tells whether
	// it does. This is for a job that hangs in a process that lives. River would look for
	// such ones by the clock of the machine that leads, so it is told to leave them to us.
	rescueAfter = time.Hour
	rescueNever = 30 * 24 * time.Hour

	// grace and stopWithin bound a stop: what runs may finish, then it is interrupted
	// and returned, and whoever hangs even then is left behind.
	grace      = 6 * time.Second
	stopWithin = 9 * time.Second
)

// Queues of jobs, with how many of each a process does at a time. Sources behind a gate
// have one of their own, so that nobody else waits for the gate.
const (
	queuePull     = "pull"
	queueGated    = "pull-gated"
	queueEnrich   = "enrich"
	queueCompose  = "compose"
	queueDeliver  = "deliver"
	queueErrand   = "errand"
	queueMaintain = "maintain"
)

var queues = map[Role]map[string]int{
	RolePull:     {queuePull: 2, queueGated: 1},
	RoleEnrich:   {queueEnrich: 1},
	RoleCompose:  {queueCompose: 2},
	RoleDeliver:  {queueDeliver: 200, queueErrand: 2}, // most of them wait for their platform
	RoleMaintain: {queueMaintain: 1},
}

// The arguments of jobs.
type (
	pullArgs struct {
		Sources []feeds.SourceID `json:"sources"`
	}
	enrichArgs  struct{}
	composeArgs struct {
		Subscriptions []digest.SubscriptionID `json:"subscriptions"`
	}
	deliverArgs struct { // a [digest.Lane]
		Platform  string `json:"platform"`
		Workspace string `json:"workspace"`
	}
	errandArgs struct {
		Name string `json:"name"`
	}
	maintainArgs struct{}
)

func (pullArgs) Kind() string     { return string(RolePull) }
func (enrichArgs) Kind() string   { return string(RoleEnrich) }
func (composeArgs) Kind() string  { return string(RoleCompose) }
func (deliverArgs) Kind() string  { return string(RoleDeliver) }
func (errandArgs) Kind() string   { return "errand" }
func (maintainArgs) Kind() string { return string(RoleMaintain) }

// once keeps a second job of the same arguments away while the first has not ended.
// Pulling and composing need no such thing: what they are about is given out once.
var once = river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}}

func (pullArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queuePull, MaxAttempts: 4}
}

func (enrichArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueEnrich, MaxAttempts: 4, UniqueOpts: once}
}

func (composeArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueCompose, MaxAttempts: 6}
}

func (deliverArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueDeliver, MaxAttempts: 6, UniqueOpts: once}
}

func (errandArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueErrand, MaxAttempts: 4, UniqueOpts: once}
}

func (maintainArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueMaintain, MaxAttempts: 4, UniqueOpts: once}
}

// Prepare makes the engine ready: its tables must be there. Until it runs it can only
// insert jobs.
func (e *Engine) Prepare() error {
	if e.Process.ID == "" {
		e.Process.ID = strings.ToLower(rand.Text()[:16])
	}
	for _, d := range []struct {
		v     *time.Duration
		usual time.Duration
	}{{&e.Beat, usualBeat}, {&e.Missed, usualMissed}, {&e.Grace, grace}, {&e.Poll, usualPoll}} {
		if *d.v <= 0 {
			*d.v = d.usual
		}
	}
	e.Ring = cmp.Or(e.Ring, usualRing)
	if e.Retry == nil {
		e.Retry = usualRetry
	}
	// Every process knows every kind, or the one that tidies up for all would throw
	// away the jobs of the others.
	workers := river.NewWorkers()
	river.AddWorker(workers, &pullWorker{e: e})
	river.AddWorker(workers, &enrichWorker{e: e})
	river.AddWorker(workers, &composeWorker{e: e})
	river.AddWorker(workers, &deliverWorker{e: e})
	river.AddWorker(workers, &errandWorker{e: e})
	river.AddWorker(workers, &maintainWorker{e: e})
	mine := map[string]river.QueueConfig{}
	for _, r := range e.Roles {
		for name, n := range queues[r] {
			mine[name] = river.QueueConfig{MaxWorkers: n}
		}
	}
	config := &river.Config{
		ID: e.Process.ID, Workers: workers, Queues: mine, PollOnly: true,
		FetchPollInterval: e.Poll, FetchCooldown: 10 * time.Millisecond,
		RescueStuckJobsAfter: rescueNever, SoftStopTimeout: e.Grace, RetryPolicy: retries{e.now, e.Retry},
		CompletedJobRetentionPeriod: time.Hour, CancelledJobRetentionPeriod: 24 * time.Hour, DiscardedJobRetentionPeriod: 7 * 24 * time.Hour,
		ReindexerSchedule: neverAgain{},                               // our table of jobs is small and short-lived
		Test:              river.TestConfig{Time: engineClock(e.now)}, // its only way to be told the time
		Logger:            slog.New(hushed{Handler: e.Log.Handler(), faulty: e.faulty}), ErrorHandler: teller{e},
	}
	if len(mine) == 0 {
		config.Queues = nil
	}
	client, err := river.NewClient(e.driver(), config)
	if err != nil {
		return fmt.Errorf("preparing jobs: %w", err)
	}
	e.client, e.quit = client, make(chan struct{})
	return nil
}

// Rung is when the bell last rang.
func (e *Engine) Rung() time.Time { return time.Unix(e.rung.Load(), 0).UTC() }

// Run does jobs until ctx ends, and then for as long as is needed to finish or to
// return what it holds, which is at most ten seconds. The error says that it could not
// begin, or that jobs were left behind that would not end.
func (e *Engine) Run(ctx context.Context) error {
	e.began = e.Now()
	if err := e.beat(ctx); err != nil {
		return fmt.Errorf("starting jobs: %w", err)
	}
	if err := e.release(ctx); err != nil {
		return fmt.Errorf("starting jobs: %w", err)
	}
	// A stop is ours to order: the bell first, then the jobs, and the pool last.
	inside := context.WithoutCancel(ctx)
	if len(e.Roles) > 0 {
		if err := e.client.Start(inside); err != nil {
			return fmt.Errorf("starting jobs: %w", err)
		}
	}
	var ringing sync.WaitGroup
	ringing.Go(func() { e.beats(ctx) })
	var err error
	if len(e.Roles) > 0 {
		err = Bell{Every: e.Ring, Log: e.Log}.Run(ctx, e.ring)
	} else {
		<-ctx.Done()
	}
	e.stopping.Store(true)
	close(e.quit)
	ringing.Wait()
	if len(e.Roles) > 0 {
		within, cancel := context.WithTimeout(inside, e.Grace+stopWithin-grace)
		defer cancel()
		if stop := e.client.Stop(within); stop != nil {
			return errors.Join(err, errors.New("jobs would not end; they are done again by the next process"))
		}
	}
	e.quiesce()
	within, cancel := context.WithTimeout(inside, time.Second)
	defer cancel()
	if leave := e.Agenda.Leave(within, e.Process.ID, time.Time{}); leave != nil {
		e.Log.Debug("leaving", "error", leave) // then it is missed instead
	}
	return err
}

// release takes back what was given out to jobs that are not there: the database was
// moved or restored without them.
func (e *Engine) release(ctx context.Context) error {
	all, err := e.Counts(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if (c.Kind == string(RolePull) || c.Kind == string(RoleCompose)) && c.State != "completed" && c.State != "discarded" && c.State != "cancelled" {
			return nil
		}
	}
	return e.Agenda.Release(ctx)
}

// has tells whether this process has a role.
func (e *Engine) has(r Role) bool { return slices.Contains(e.Roles, r) }

// ring asks the database what is due for the roles of this process and writes jobs
// for it. It decides nothing: two that ring at once write each job once.
func (e *Engine) ring(ctx context.Context) {
	e.rung.Store(e.Now().Unix())
	note := func(what string, err error) {
		if err != nil && ctx.Err() == nil && !e.failing(err) {
			e.Log.Error(what, "error", err)
		}
	}
	if e.has(RolePull) && e.Now().Sub(e.pulled) >= pullEvery-time.Second {
		e.pulled = e.Now()
		note("finding due sources", e.insertPulls(ctx))
	}
	if e.has(RoleCompose) {
		note("finding due digests", e.insertEditions(ctx))
	}
	aside, err := e.setAside(ctx)
	note("reading jobs that were set aside", err)
	if e.has(RoleDeliver) {
		note("finding due deliveries", e.insertLanes(ctx, aside))
	}
	if e.has(RoleDeliver) && e.Now().Sub(e.errands) >= errandEvery-time.Second {
		e.errands = e.Now()
		note("asking for errands", e.insertErrands(ctx, aside))
	}
	if e.has(RoleEnrich) && e.Enrich != nil && !aside[key(enrichArgs{})] {
		note("asking for look-ups", e.insertEnrich(ctx))
	}
	if e.has(RoleMaintain) && !aside[key(maintainArgs{})] {
		note("asking for maintenance", e.insertMaintain(ctx))
	}
}

func (e *Engine) insertPulls(ctx context.Context) error {
	now := e.Now()
	return e.Agenda.TakeSources(ctx, now, now.Add(sourcesTaken), func(ctx context.Context, tx *sql.Tx, due []feeds.Source) error {
		var fast, gated []feeds.SourceID
		for _, s := range due {
			if e.Gated[s.Kind] {
				gated = append(gated, s.ID)
			} else {
				fast = append(fast, s.ID)
			}
		}
		var jobs []river.InsertManyParams
		for ids := range slices.Chunk(fast, chunk) {
			jobs = append(jobs, river.InsertManyParams{Args: pullArgs{ids}})
		}
		for ids := range slices.Chunk(gated, gatedChunk) {
			jobs = append(jobs, river.InsertManyParams{Args: pullArgs{ids}, InsertOpts: &river.InsertOpts{Queue: queueGated}})
		}
		_, err := e.client.InsertManyTx(ctx, tx, jobs)
		return err
	})
}

func (e *Engine) insertEditions(ctx context.Context) error {
	now := e.Now()
	if !e.caughtUp && now.Sub(e.began) < catchUpWithin {
		waiting, err := e.Agenda.Waiting(ctx, e.began)
		if err != nil || waiting > 0 {
			return err
		}
	}
	e.caughtUp = true
	return e.Agenda.TakeSubscriptions(ctx, now, now.Add(subscriptionsTaken), func(ctx context.Context, tx *sql.Tx, due []digest.Subscription) error {
		// Those that may share a digest into one job.
		slices.SortFunc(due, func(a, b digest.Subscription) int {
			return strings.Compare(a.Query+"\x00"+a.Cadence+"\x00"+a.Zone+"\x00"+string(a.ID), b.Query+"\x00"+b.Cadence+"\x00"+b.Zone+"\x00"+string(b.ID))
		})
		var jobs []river.InsertManyParams
		for some := range slices.Chunk(due, editionChunk) {
			ids := make([]digest.SubscriptionID, len(some))
			for i, s := range some {
				ids[i] = s.ID
			}
			jobs = append(jobs, river.InsertManyParams{Args: composeArgs{ids}})
		}
		_, err := e.client.InsertManyTx(ctx, tx, jobs)
		return err
	})
}

// insertLanes inserts a job for each lane with something to send. This is also for the
// message that came in when its lane's job was just about to end, and could not have
// one of its own.
func (e *Engine) insertLanes(ctx context.Context, aside map[string]bool) error {
	lanes, err := e.Agenda.Lanes(ctx, e.Now().Add(ahead))
	if err != nil || len(lanes) == 0 {
		return err
	}
	var jobs []river.InsertManyParams
	for _, l := range lanes {
		if args := deliverArgs(l); !aside[key(args)] {
			jobs = append(jobs, river.InsertManyParams{Args: args})
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	_, err = e.client.InsertMany(ctx, jobs)
	return err
}

func (e *Engine) insertErrands(ctx context.Context, aside map[string]bool) error {
	var jobs []river.InsertManyParams
	for _, x := range e.Errands {
		if args := (errandArgs{x.Name}); !aside[key(args)] {
			jobs = append(jobs, river.InsertManyParams{Args: args})
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	_, err := e.client.InsertMany(ctx, jobs)
	return err
}

// Outgoing inserts the job of a destination's lane in the transaction that stores
// something to be sent there. A job that waits for its next attempt is woken.
func (e *Engine) Outgoing(ctx context.Context, tx *sql.Tx, to digest.Destination) error {
	r, err := e.client.InsertTx(ctx, tx, deliverArgs(to.Lane()), nil)
	if err != nil {
		return fmt.Errorf("inserting a job: %w", err)
	}
	if r.UniqueSkippedAsDuplicate && (r.Job.State == rivertype.JobStateScheduled || r.Job.State == rivertype.JobStateRetryable) {
		if _, err := e.client.JobRetryTx(ctx, tx, r.Job.ID); err != nil {
			return fmt.Errorf("waking a job: %w", err)
		}
	}
	return nil
}

func (e *Engine) insertEnrich(ctx context.Context) error {
	if !e.enrichDue() {
		return nil
	}
	_, err := e.client.Insert(ctx, enrichArgs{}, nil)
	return err
}

// maintained is under what storage remembers the last day of maintenance.
const maintained = "maintained"

func (e *Engine) insertMaintain(ctx context.Context) error {
	last, err := e.Agenda.Meta(ctx, maintained)
	if err != nil || last == e.Now().UTC().Format(time.DateOnly) {
		return err
	}
	_, err = e.client.Insert(ctx, maintainArgs{}, nil)
	return err
}

// setAside names the jobs that failed for good lately, by kind and arguments. Their
// like is not inserted for a while: the rest go on, and somebody can look at it.
func (e *Engine) setAside(ctx context.Context) (map[string]bool, error) {
	list, err := e.client.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateDiscarded).OrderBy(river.JobListOrderByFinalizedAt, river.SortOrderDesc).First(200))
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, j := range list.Jobs {
		during := setAsideFor
		if j.Kind == (deliverArgs{}).Kind() {
			during = laneAsideFor
		}
		if j.FinalizedAt != nil && e.Now().Sub(*j.FinalizedAt) < during {
			out[j.Kind+" "+canonical(j.EncodedArgs)] = true
		}
	}
	return out, nil
}

// key names a job by its kind and arguments.
func key(args river.JobArgs) string {
	b, _ := json.Marshal(args) // plain structs of strings
	return args.Kind() + " " + canonical(b)
}

// canonical writes JSON in one way: databases have theirs.
func canonical(b []byte) string {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	b, _ = json.Marshal(v)
	return string(b)
}

// beats notes at an interval that this process lives, and looks who does not.
func (e *Engine) beats(ctx context.Context) {
	t := time.NewTicker(e.Beat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			err := e.beat(ctx)
			if err == nil && e.faulty() {
				err = e.room(ctx)
			}
			if ctx.Err() == nil {
				e.judge(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// A Fault is why storage cannot be written to: then nothing is done, since nothing could
// be written down.
type Fault struct {
	Since time.Time
	Err   error
	Hint  string // what to do about it
}

// Fault returns what is wrong with storage; nil if nothing is known to be. It costs
// nothing: who beats finds out.
func (e *Engine) Fault() *Fault { return e.fault.Load() }

func (e *Engine) faulty() bool { return e.fault.Load() != nil }

// judge notes whether storage can be written to, and says so when that changes. While it
// cannot, whatever else fails over it is a detail.
func (e *Engine) judge(err error) {
	was := e.fault.Load()
	switch {
	case err == nil && was != nil && e.fault.CompareAndSwap(was, nil):
		e.Log.Info("the database can be written to again", "since", was.Since)
	case err != nil && was == nil:
		f := &Fault{Since: e.Now(), Err: err}
		if e.Hint != nil {
			f.Hint = e.Hint(err)
		}
		if f.Hint == "" {
			f.Hint = "is the database there? it is tried again by itself"
		}
		if e.fault.CompareAndSwap(nil, f) {
			e.Log.Error("the database cannot be written to", "error", err, "hint", f.Hint)
		}
	}
}

// failing reports whether an error is a detail of a fault that is said already, and says
// it if it is new.
func (e *Engine) failing(err error) bool {
	if e.Hint != nil && e.Hint(err) != "" {
		e.judge(err)
	}
	if !e.faulty() {
		return false
	}
	e.Log.Debug("it fails since the database cannot be written to", "error", err)
	return true
}

// room tries whether storage takes more than it has: a beat only changes what is there.
func (e *Engine) room(ctx context.Context) error {
	const name = "room"
	if err := e.Agenda.SetMeta(ctx, name, strings.Repeat("x", 64<<10)); err != nil {
		return err
	}
	return e.Agenda.SetMeta(ctx, name, "")
}

// beat notes that this process lives, and returns the jobs of those that do not to
// their queues. It judges others only after it has beaten for as long as they must have
// been silent: when a database comes back, the first to reach it must not take the
// others for dead.
func (e *Engine) beat(ctx context.Context) error {
	all, now, err := e.Agenda.Beat(ctx, e.Process)
	if err != nil {
		return err
	}
	if now.Sub(e.lastBeat) > e.Missed || now.Before(e.lastBeat) { // it was away, or its clock was set
		e.beating = now
	}
	e.lastBeat = now
	if now.Sub(e.beating) < e.Missed || len(e.Roles) == 0 {
		return nil
	}
	alive := map[string]bool{}
	for _, p := range all {
		alive[p.ID] = now.Sub(p.Seen).Abs() < e.Missed
	}
	return e.rescue(ctx, alive)
}

// rescue returns running jobs whose process is not alive to their queues. One that was
// begun as often as it may be is set aside: perhaps it kills.
func (e *Engine) rescue(ctx context.Context, alive map[string]bool) error {
	exec := e.client.Driver().GetExecutor()
	horizon := e.Now().Add(time.Minute) // all that run
	for after := int64(0); ; {
		running, err := exec.JobGetStuck(ctx, &riverdriver.JobGetStuckParams{AfterID: after, Max: 1000, StuckHorizon: horizon})
		if err != nil {
			return err
		}
		p := riverdriver.JobRescueManyParams{StuckHorizon: horizon}
		for _, j := range running {
			after = j.ID
			at, why := e.Now().UTC(), "its process died"
			if n := len(j.AttemptedBy); n > 0 && alive[j.AttemptedBy[n-1]] {
				if j.AttemptedAt == nil || at.Sub(*j.AttemptedAt) < rescueAfter || j.Kind == (deliverArgs{}).Kind() || j.Kind == (errandArgs{}).Kind() {
					continue
				}
				why = "it hangs"
			}
			words, err := json.Marshal(rivertype.AttemptError{At: at, Attempt: j.Attempt, Error: why})
			if err != nil {
				return err
			}
			state, final := rivertype.JobStateAvailable, (*time.Time)(nil)
			if j.Attempt >= j.MaxAttempts {
				state, final = rivertype.JobStateDiscarded, &at
			}
			p.ID, p.Error, p.State = append(p.ID, j.ID), append(p.Error, words), append(p.State, string(state))
			p.FinalizedAt, p.ScheduledAt = append(p.FinalizedAt, final), append(p.ScheduledAt, at)
			e.Log.Warn("a job is taken from its process", "job", j.ID, "kind", j.Kind, "attempt", j.Attempt, "why", why, "now", state)
		}
		if len(p.ID) > 0 {
			if _, err := exec.JobRescueMany(ctx, &p); err != nil {
				return err
			}
		}
		if len(running) < 1000 {
			return nil
		}
	}
}

func (e *Engine) now() time.Time { return e.Now() }

// An engineClock is the time by which the engine schedules. Within statements it takes
// the database's own.
type engineClock func() time.Time

func (c engineClock) Now() time.Time       { return c() }
func (c engineClock) NowOrNil() *time.Time { return nil }

// usualRetry is after 1, 5, 25, 125, … seconds.
func usualRetry(failures int) time.Duration {
	return time.Duration(math.Pow(5, float64(min(failures-1, 5)))) * time.Second
}

type retries struct {
	now   func() time.Time
	after func(failures int) time.Duration
}

func (r retries) NextRetry(j *rivertype.JobRow) time.Time {
	return r.now().Add(r.after(len(j.Errors) + 1))
}

// neverAgain is a schedule without a time.
type neverAgain struct{}

func (neverAgain) Next(t time.Time) time.Time { return t.AddDate(100, 0, 0) }

// hushed is a log without what the engine has to say about itself: its news are our
// details, and so are its complaints while it is known that the database is at fault.
// What it says beside its words is said in our names or, where we have none, in the words.
type hushed struct {
	slog.Handler
	faulty func() bool
	with   []slog.Attr
}

// named are our names of what the engine says.
var named = map[string]string{"error": "error", "err": "error", "job_id": "job", "job_kind": "kind", "kind": "kind", "attempt": "attempt"}

func (h hushed) level(l slog.Level) slog.Level {
	if l == slog.LevelInfo || h.faulty() {
		return slog.LevelDebug
	}
	return l
}

func (h hushed) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, h.level(l))
}

func (h hushed) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, h.level(r.Level), r.Message, r.PC)
	var rest []string
	add := func(a slog.Attr) bool {
		if name, ok := named[a.Key]; ok {
			out.AddAttrs(slog.Attr{Key: name, Value: a.Value})
		} else {
			rest = append(rest, a.Key+" "+a.Value.String())
		}
		return true
	}
	for _, a := range h.with {
		add(a)
	}
	r.Attrs(add)
	if len(rest) > 0 {
		out.Message += " (" + strings.Join(rest, ", ") + ")"
	}
	return h.Handler.Handle(ctx, out)
}

func (h hushed) WithAttrs(a []slog.Attr) slog.Handler {
	h.with = append(slices.Clone(h.with), a...)
	return h
}

func (h hushed) WithGroup(string) slog.Handler { return h }

// teller tells of jobs that fail.
type teller struct{ e *Engine }

func (t teller) HandleError(_ context.Context, j *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	if !t.e.failing(err) {
		t.tell(j, "error", err)
	}
	return nil
}

func (t teller) HandlePanic(_ context.Context, j *rivertype.JobRow, v any, trace string) *river.ErrorHandlerResult {
	t.tell(j, "panic", v, "stack", trace)
	return nil
}

func (t teller) tell(j *rivertype.JobRow, more ...any) {
	what := "job failed; it is tried again"
	if j.Attempt >= j.MaxAttempts {
		what = "job failed and is set aside; seedcorn jobs shows it"
	}
	t.e.Log.Error(what, append([]any{"job", j.ID, "kind", j.Kind, "attempt", j.Attempt}, more...)...)
}
