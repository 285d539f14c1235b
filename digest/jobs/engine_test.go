package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"seedcorn/digest"
	"seedcorn/digest/store"
	"seedcorn/feeds"
)

// The engine's suite runs on both databases. PostgreSQL is the server that
// SEEDCORN_TEST_POSTGRES names; without one its half is skipped, unless
// SEEDCORN_TEST_REQUIRE=1 makes that a failure.

// onEach runs a test on each engine; open opens the database as one more process would.
func onEach(t *testing.T, test func(t *testing.T, open func(t testing.TB) *store.DB)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			location := place(t, name)
			test(t, func(t testing.TB) *store.DB { return openStore(t, location) })
		})
	}
}

var schemas atomic.Int64

func place(t testing.TB, engine string) string {
	t.Helper()
	if engine == "sqlite" {
		return "sqlite:" + filepath.Join(t.TempDir(), "jobs.db")
	}
	server := os.Getenv("SEEDCORN_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatal("SEEDCORN_TEST_REQUIRE=1 and SEEDCORN_TEST_POSTGRES is not set")
		}
		t.Skip("SEEDCORN_TEST_POSTGRES is not set")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("seedcorn_jobs_%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := admin.Exec("CREATE SCHEMA " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP SCHEMA " + name + " CASCADE"); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func openStore(t testing.TB, location string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Also(t.Context(), base(db).Migrate); err != nil {
		t.Fatal(err)
	}
	return db
}

func base(db *store.DB) Base { return Base{Pool: db.Pool(), Engine: db.Engine()} }

// A hand is what an engine under test does: what is nil does nothing.
type hand struct {
	pull  func(context.Context, []feeds.Source) (Round, error)
	drain func(context.Context, digest.Lane) (int, time.Time, error)
}

func (h hand) Drain(ctx context.Context, l digest.Lane) (int, time.Time, error) {
	if h.drain == nil {
		return 0, time.Time{}, nil
	}
	return h.drain(ctx, l)
}

// newEngine prepares an engine in a hurry: it beats ten times a second and retries at
// once.
func newEngine(t testing.TB, db *store.DB, h hand, roles ...Role) *Engine {
	t.Helper()
	if h.pull == nil {
		h.pull = func(_ context.Context, s []feeds.Source) (Round, error) { return Round{Sources: len(s)}, nil }
	}
	e := &Engine{
		Base: base(db), Agenda: db, Roles: roles, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Pull: h.pull, Gated: map[feeds.SourceKind]bool{feeds.KindArXiv: true}, Deliveries: h,
		Editions: &Editions{
			Ledger: db,
			Compose: func(_ context.Context, _ digest.Subscription, p digest.Period, missed int) (digest.Digest, error) {
				return digest.Digest{Period: p, Merged: missed, Composed: p.To, Small: digest.SmallPrint{Looked: 1}}, nil
			},
			Render: func(digest.Subscription, digest.Digest) ([]digest.Part, error) {
				return []digest.Part{{Payload: []byte("x")}}, nil
			},
		},
		Beat: 100 * time.Millisecond, Missed: 600 * time.Millisecond, Grace: 300 * time.Millisecond, Ring: "1s", Poll: 50 * time.Millisecond,
		Retry: func(int) time.Duration { return time.Millisecond },
	}
	if err := e.Prepare(); err != nil {
		t.Fatal(err)
	}
	db.Outgoing(e.Outgoing)
	return e
}

// run runs an engine until stop is called, which the test's end does.
func run(t testing.TB, e *Engine) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() }) // tests that care stop it themselves
	return stop
}

// until waits for a condition, which must come.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // other processes: there is nothing to wait on
	}
}

// count counts jobs of a kind in states; of all states if none is given.
func count(t testing.TB, db *store.DB, kind Role, states ...rivertype.JobState) int {
	t.Helper()
	all, err := base(db).Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range all {
		if c.Kind == string(kind) && (len(states) == 0 || slices.Contains(states, rivertype.JobState(c.State))) {
			n += c.Jobs
		}
	}
	return n
}

func putSources(t testing.TB, db *store.DB, n int, kind feeds.SourceKind) []feeds.Source {
	t.Helper()
	out := make([]feeds.Source, n)
	for i := range out {
		out[i] = feeds.Source{ID: feeds.SourceID(fmt.Sprintf("%s:%04d", kind, i)), Kind: kind, URL: fmt.Sprintf("https://%s%d.example/", kind, i)}
	}
	if err := db.PutSources(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// subscribeDue puts n subscriptions that are due, each to a channel of its own in the
// workspace.
func subscribeDue(t testing.TB, db *store.DB, workspace string, n int) {
	t.Helper()
	for i := range n {
		s := weekly(digest.SubscriptionID(fmt.Sprintf("%s%03d", workspace, i)))
		s.Destination = digest.Destination{Platform: "test", Workspace: workspace, Channel: fmt.Sprint(i)}
		if err := db.PutSubscription(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrateTogetherAndOnlyForward(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			location := place(t, name)
			var all sync.WaitGroup
			faults := make([]error, 4)
			for i := range faults {
				all.Go(func() {
					db, err := store.Open(t.Context(), location)
					if err != nil {
						faults[i] = err
						return
					}
					defer db.Close()
					faults[i] = db.Also(t.Context(), base(db).Migrate)
				})
			}
			all.Wait()
			if err := errors.Join(faults...); err != nil {
				t.Fatal(err)
			}
			db := openStore(t, location)
			if _, err := db.Pool().Exec("INSERT INTO river_migration (line, version) VALUES ('main', 99)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Also(t.Context(), base(db).Migrate); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "number 99") {
				t.Errorf("tables of a newer program: %v, want %v", err, ErrNewer)
			}
		})
	}
}

// However many processes ring at once, each source is in one job, each subscription in
// one, each lane has one.
func TestBellsInsertOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		putSources(t, db, 300, feeds.KindFeed)
		putSources(t, db, 20, feeds.KindArXiv)
		subscribeDue(t, db, "w", 300)
		var ringing sync.WaitGroup
		for range 3 {
			e := newEngine(t, open(t), hand{}, Roles...)
			e.caughtUp = true
			for range 3 {
				ringing.Go(func() {
					for _, insert := range []func(context.Context) error{e.insertPulls, e.insertEditions} {
						if err := insert(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		ringing.Wait()
		c, err := base(db).clerk()
		if err != nil {
			t.Fatal(err)
		}
		list, err := c.JobList(t.Context(), river.NewJobListParams().First(1000))
		if err != nil {
			t.Fatal(err)
		}
		sources, subs, jobs := map[feeds.SourceID]int{}, map[digest.SubscriptionID]int{}, map[string]int{}
		for _, j := range list.Jobs {
			jobs[j.Kind+"/"+j.Queue]++
			var p pullArgs
			var s composeArgs
			if err := errors.Join(json.Unmarshal(j.EncodedArgs, &p), json.Unmarshal(j.EncodedArgs, &s)); err != nil {
				t.Fatal(err)
			}
			for _, id := range p.Sources {
				sources[id]++
				if gated := strings.HasPrefix(string(id), string(feeds.KindArXiv)+":"); gated != (j.Queue == queueGated) {
					t.Errorf("source %s is in queue %s", id, j.Queue)
				}
			}
			for _, id := range s.Subscriptions {
				subs[id]++
			}
		}
		for _, n := range sources {
			if n != 1 {
				t.Fatalf("sources are in %v jobs, want 1 each", sources)
			}
		}
		for _, n := range subs {
			if n != 1 {
				t.Fatalf("subscriptions are in %v jobs, want 1 each", subs)
			}
		}
		if len(sources) != 320 || len(subs) != 300 {
			t.Errorf("%d sources, %d subscriptions have jobs; want 320, 300", len(sources), len(subs))
		}
		if jobs["pull/pull"] != 5 || jobs["pull/pull-gated"] != 2 || jobs["compose/compose"] != 3 {
			t.Errorf("jobs %v; want 5 chunks of sources, 2 behind the gate, 3 of subscriptions", jobs)
		}
	})
}

// What is composed is told to its lane in the same transaction, and to nobody if it is
// not stored.
func TestOutgoingIsInTheTransaction(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		subscribeDue(t, db, "w", 2)
		e := newEngine(t, db, hand{}, RoleCompose)
		told := e.Outgoing
		fails := errors.New("after the job was inserted")
		db.Outgoing(func(ctx context.Context, tx *sql.Tx, to digest.Destination) error {
			if err := told(ctx, tx, to); err != nil {
				return err
			}
			return fails
		})
		if n, err := e.Editions.Run(t.Context(), time.Now()); n != 0 || !errors.Is(err, fails) {
			t.Fatalf("%d digests, %v; want 0 and the error of the last step", n, err)
		}
		if ds, err := db.Deliveries(t.Context(), "", 10); err != nil || len(ds) != 0 || count(t, db, RoleDeliver) != 0 {
			t.Errorf("%d deliveries, %d jobs (%v); want neither", len(ds), count(t, db, RoleDeliver), err)
		}
		fails = nil
		if n, err := e.Editions.Run(t.Context(), time.Now()); n != 2 || err != nil {
			t.Fatalf("%d digests, %v", n, err)
		}
		if n := count(t, db, RoleDeliver, rivertype.JobStateAvailable); n != 1 {
			t.Errorf("%d jobs for one lane, want 1", n)
		}
	})
}

// From a subscription that is due to a lane that is worked, by processes that share the
// roles.
func TestRoles(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		putSources(t, db, 10, feeds.KindFeed)
		subscribeDue(t, db, "w", 3)
		var pulled, drained atomic.Int32
		puller := newEngine(t, open(t), hand{
			pull: func(ctx context.Context, s []feeds.Source) (Round, error) {
				pulled.Add(int32(len(s)))
				var visits []digest.Visit
				for _, x := range s {
					visits = append(visits, digest.Visit{Source: x.ID, At: time.Now(), Unchanged: true})
				}
				return Round{Sources: len(s)}, db.Looked(ctx, visits)
			},
			drain: func(context.Context, digest.Lane) (int, time.Time, error) {
				t.Error("a process that pulls has delivered")
				return 0, time.Time{}, nil
			},
		}, RolePull)
		composer := newEngine(t, open(t), hand{pull: func(context.Context, []feeds.Source) (Round, error) {
			t.Error("a process that composes has pulled")
			return Round{}, nil
		}}, RoleCompose, RoleMaintain)
		deliverer := newEngine(t, open(t), hand{drain: func(_ context.Context, l digest.Lane) (int, time.Time, error) {
			if l != (digest.Lane{Platform: "test", Workspace: "w"}) {
				t.Errorf("lane %+v", l)
			}
			drained.Add(1)
			return 0, time.Time{}, nil
		}}, RoleDeliver)
		window := newEngine(t, open(t), hand{})
		for _, e := range []*Engine{puller, composer, deliverer, window} {
			e.Process.Roles = fmt.Sprint(e.Roles)
			run(t, e)
		}
		until(t, "everything is pulled", func() bool { return pulled.Load() == 10 })
		// Composing has waited for it; its bell rings in seconds, the test's at once.
		until(t, "digests are composed and delivered", func() bool {
			return drained.Load() > 0 && count(t, db, RoleCompose, rivertype.JobStateCompleted) > 0
		})
		until(t, "maintenance is done", func() bool { return count(t, db, RoleMaintain, rivertype.JobStateCompleted) == 1 })
		if pulled.Load() != 10 {
			t.Errorf("%d visits to 10 sources", pulled.Load())
		}
		ps, err := db.Processes(t.Context())
		if err != nil || len(ps) != 4 {
			t.Errorf("%d processes are known (%v), want 4", len(ps), err)
		}
	})
}

// A lane whose work fails or panics every time is set aside after some attempts and
// shown; the others go on; and somebody can have it tried again.
func TestPoisonIsSetAside(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		for _, w := range []string{"bad", "good", "worse"} {
			subscribeDue(t, db, w, 1)
		}
		var mu sync.Mutex
		tries, healed := map[string]int{}, false
		e := newEngine(t, db, hand{drain: func(_ context.Context, l digest.Lane) (int, time.Time, error) {
			mu.Lock()
			defer mu.Unlock()
			tries[l.Workspace]++
			switch {
			case healed:
			case l.Workspace == "bad":
				return 0, time.Time{}, errors.New("this row cannot be read")
			case l.Workspace == "worse":
				panic("poison")
			}
			return 0, time.Time{}, nil
		}}, RoleCompose, RoleDeliver)
		e.Ring = "1h" // one that rings while a job is being set aside may bring another
		run(t, e)
		until(t, "both are set aside", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateDiscarded) == 2 })
		until(t, "the good one is done", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateCompleted) >= 1 })
		// The lanes still have something to send; the bell leaves them alone.
		aside, err := e.setAside(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.insertLanes(t.Context(), aside); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, RoleDeliver, rivertype.JobStateAvailable, rivertype.JobStateRetryable, rivertype.JobStateScheduled); n > 1 {
			t.Errorf("%d jobs wait after the bell has rung; the ones that were set aside must not", n)
		}
		list, err := base(db).SetAside(t.Context(), 10)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d jobs are shown as set aside (%v), want 2", len(list), err)
		}
		slices.SortFunc(list, func(a, b Job) int { return cmp.Compare(string(a.Args), string(b.Args)) })
		for i, want := range []string{"this row cannot be read", "poison"} {
			if j := list[i]; j.Error != want || j.Attempt != 6 || j.Kind != "deliver" {
				t.Errorf("%+v, want 6 attempts and the error %q", j, want)
			}
		}
		mu.Lock()
		if tries["bad"] != 6 || tries["worse"] != 6 {
			t.Errorf("tried %v, want 6 times each", tries)
		}
		healed = true
		mu.Unlock()
		if err := base(db).Retry(t.Context(), list[0].ID); err != nil {
			t.Fatal(err)
		}
		until(t, "the retried one is done", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateDiscarded) == 1 })
		if err := base(db).Discard(t.Context(), list[1].ID); err != nil {
			t.Fatal(err)
		}
		if err := base(db).Discard(t.Context(), list[1].ID); !errors.Is(err, ErrNoJob) {
			t.Errorf("a job that is gone: %v, want %v", err, ErrNoJob)
		}
		if err := base(db).Retry(t.Context(), 1<<40); !errors.Is(err, ErrNoJob) {
			t.Errorf("a job that never was: %v, want %v", err, ErrNoJob)
		}
	})
}

// To try a job again for which there is another by now only takes the old one away.
func TestRetryWhatIsThereAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		e := newEngine(t, db, hand{}, RoleDeliver) // and nobody works
		lane := []river.InsertManyParams{{Args: maintainArgs{}, InsertOpts: &river.InsertOpts{Queue: "nobody", UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
		}}}}}
		for range 2 {
			if _, err := e.client.InsertMany(t.Context(), lane); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Pool().Exec("UPDATE river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP WHERE id = (SELECT MIN(id) FROM river_job)"); err != nil {
				t.Fatal(err)
			}
		}
		list, err := base(db).SetAside(t.Context(), 10)
		if err != nil || len(list) != 1 || count(t, db, RoleMaintain) != 2 {
			t.Fatalf("%d jobs, %d of them set aside (%v); want 2 and 1", count(t, db, RoleMaintain), len(list), err)
		}
		if err := base(db).Retry(t.Context(), list[0].ID); err != nil {
			t.Error(err)
		}
		if n, m := count(t, db, RoleMaintain), count(t, db, RoleMaintain, rivertype.JobStateAvailable); n != 1 || m != 1 {
			t.Errorf("%d jobs, %d of them wait; want the one that does it", n, m)
		}
	})
}

// Among the sources of a job one cannot be stored: it is noted as broken, the others
// are visited, and the job ends well.
func TestSourceThatCannotBeStored(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		all := putSources(t, db, 5, feeds.KindFeed)
		bad := all[2].ID
		e := newEngine(t, db, hand{pull: func(ctx context.Context, s []feeds.Source) (Round, error) {
			if slices.ContainsFunc(s, func(x feeds.Source) bool { return x.ID == bad }) {
				return Round{}, errors.New("storing what sources brought: no such character")
			}
			var visits []digest.Visit
			for _, x := range s {
				visits = append(visits, digest.Visit{Source: x.ID, At: time.Now(), Unchanged: true})
			}
			return Round{Sources: len(s)}, db.Looked(ctx, visits)
		}}, RolePull)
		run(t, e)
		until(t, "the job has ended well", func() bool { return count(t, db, RolePull, rivertype.JobStateCompleted) == 1 })
		health, err := db.SourceHealth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range health {
			if (h.ID == bad) != (h.Failures == 1) || (h.ID == bad) == (h.Trouble == "") || h.LastLook.IsZero() {
				t.Errorf("%s: %d failures, trouble %q, last look %v", h.ID, h.Failures, h.Trouble, h.LastLook)
			}
		}
	})
}

// A stop waits for what ends soon, interrupts what does not, and returns it to its
// queue as if it had never begun.
func TestStopReturnsWhatItHolds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		putSources(t, db, 2*chunk, feeds.KindFeed)
		var began sync.WaitGroup
		began.Add(2)
		release := make(chan struct{})
		e := newEngine(t, db, hand{pull: func(ctx context.Context, s []feeds.Source) (Round, error) {
			began.Done()
			if strings.HasSuffix(string(s[0].ID), ":0000") {
				<-release
				return Round{Sources: len(s)}, ctx.Err()
			}
			<-ctx.Done()
			return Round{}, fmt.Errorf("pulling: %w", context.Cause(ctx))
		}}, RolePull)
		stop := run(t, e)
		began.Wait()
		time.AfterFunc(e.Grace/3, func() { close(release) })
		start := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the stop took %v", d)
		}
		if done, back := count(t, db, RolePull, rivertype.JobStateCompleted), count(t, db, RolePull, rivertype.JobStateAvailable); done != 1 || back != 1 {
			t.Errorf("%d are done, %d returned; want 1, 1", done, back)
		}
		if ps, err := db.Processes(t.Context()); err != nil || len(ps) != 0 {
			t.Errorf("%d processes are left (%v)", len(ps), err)
		}
		// Somebody else goes on with it.
		run(t, newEngine(t, open(t), hand{}, RolePull))
		until(t, "the next process does it", func() bool { return count(t, db, RolePull, rivertype.JobStateCompleted) == 2 })
	})
}

// A job that listens to nobody does not keep the process.
func TestStopLeavesWhoHangs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		putSources(t, db, 1, feeds.KindFeed)
		began, release := make(chan struct{}), make(chan struct{})
		defer close(release)
		e := newEngine(t, db, hand{pull: func(context.Context, []feeds.Source) (Round, error) {
			close(began)
			<-release
			return Round{}, nil
		}}, RolePull)
		stop := run(t, e)
		<-began
		start := time.Now()
		if err := stop(); err == nil || !strings.Contains(err.Error(), "would not end") {
			t.Errorf("error %v, want one that says so", err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the stop took %v", d)
		}
	})
}

// kill makes the jobs of a queue running jobs of a process that is no more.
func kill(t *testing.T, db *store.DB, queue string) int {
	t.Helper()
	r, err := base(db).driver().GetExecutor().JobGetAvailable(t.Context(), &riverdriver.JobGetAvailableParams{ClientID: "killed", MaxAttemptedBy: 10, MaxToLock: 100, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	return len(r.Jobs)
}

// A process was killed over a lane. The lane's job still counts as running, so the lane
// can have no other; the others notice that its process is silent and take it over.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		subscribeDue(t, db, "w", 1)
		dead := newEngine(t, db, hand{}, RoleDeliver)
		if err := dead.beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := dead.Editions.Run(t.Context(), time.Now()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if n := kill(t, db, queueDeliver); n != 1 {
			t.Fatalf("%d jobs to die over, want 1", n)
		}
		if err := dead.insertLanes(t.Context(), nil); err != nil || count(t, db, RoleDeliver) != 1 {
			t.Fatalf("%d jobs (%v): a lane has one, even while its process is dead", count(t, db, RoleDeliver), err)
		}
		var drained atomic.Int32
		drain := hand{drain: func(context.Context, digest.Lane) (int, time.Time, error) { drained.Add(1); return 1, time.Time{}, nil }}
		run(t, newEngine(t, open(t), drain, RoleDeliver))
		run(t, newEngine(t, open(t), drain, RoleDeliver))
		until(t, "the lane is worked", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateCompleted) == 1 })
	})
}

// A job that kills its process each time is set aside as well.
func TestJobThatKills(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		e := newEngine(t, db, hand{}, RoleDeliver)
		if _, err := e.client.Insert(t.Context(), deliverArgs{"test", "w"}, nil); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if n := kill(t, db, queueDeliver); n != 1 {
				t.Fatalf("death %d: %d jobs", i, n)
			}
			if err := e.rescue(t.Context(), map[string]bool{e.Process.ID: true}); err != nil {
				t.Fatal(err)
			}
		}
		list, err := base(db).SetAside(t.Context(), 10)
		if err != nil || len(list) != 1 || list[0].Error != "its process died" {
			t.Errorf("set aside are %+v (%v), want the one job", list, err)
		}
	})
}

// A storage that takes no writes for a while.
type unwilling struct {
	Agenda
	beats, writes atomic.Bool // that fail
	room          atomic.Int32
}

var errNoRoom = errors.New("no room")

func (u *unwilling) Beat(ctx context.Context, p digest.Process) ([]digest.Process, time.Time, error) {
	if u.beats.Load() {
		return nil, time.Time{}, errNoRoom
	}
	return u.Agenda.Beat(ctx, p)
}

func (u *unwilling) SetMeta(ctx context.Context, name, value string) error {
	u.room.Add(1)
	if u.writes.Load() {
		return errNoRoom
	}
	return u.Agenda.SetMeta(ctx, name, value)
}

// Lanes stands for whatever the bell does that writes.
func (u *unwilling) Lanes(ctx context.Context, now time.Time) ([]digest.Lane, error) {
	if u.writes.Load() {
		return nil, fmt.Errorf("finding lanes: %w", errNoRoom)
	}
	return u.Agenda.Lanes(ctx, now)
}

// A database that takes no writes is said to be so once, with what to do, and once more
// when it does again. One that is only full takes beats, and is found out by what fails;
// it is not believed to be well before it has taken something.
func TestStorageTakesNoWrites(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"beats fail", "only what is new fails"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
				db := open(t)
				u := &unwilling{Agenda: db}
				var log lines
				e := newEngine(t, db, hand{}, RoleDeliver)
				e.Agenda, e.Log = u, slog.New(slog.NewTextHandler(&log, nil))
				e.Hint = func(err error) string { return map[bool]string{true: "make room"}[errors.Is(err, errNoRoom)] }
				run(t, e)
				until(t, "it runs", func() bool { return e.Rung().Unix() > 0 })
				if e.Fault() != nil {
					t.Fatalf("at first: %+v", e.Fault())
				}
				u.writes.Store(true)
				u.beats.Store(how == "beats fail")
				until(t, "it is found out", func() bool { return e.Fault() != nil })
				if f := e.Fault(); f != nil && (f.Hint != "make room" || !errors.Is(f.Err, errNoRoom) || f.Since.IsZero()) {
					t.Errorf("%+v", f)
				}
				for range 3 {
					if how == "beats fail" {
						break
					}
					was := u.room.Load()
					until(t, "it is tried again", func() bool { return u.room.Load() > was })
				}
				e.judge(errNoRoom)
				if e.Fault() == nil {
					t.Error("it is believed to be well")
				}
				if n := log.count("cannot be written to"); n != 1 || log.count("make room") != 1 {
					t.Errorf("it is said %d times:\n%s", n, log.String())
				}
				u.beats.Store(false)
				u.writes.Store(false)
				until(t, "it is well again", func() bool { return e.Fault() == nil })
				until(t, "it is said", func() bool { return log.count("can be written to again") == 1 })
			})
		})
	}
}

// lines are those of a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) count(s string) int { return strings.Count(l.String(), s) }

// What the engine says about itself has our names or none.
func TestHushed(t *testing.T) {
	var log lines
	faulty := false
	h := slog.New(hushed{Handler: slog.NewTextHandler(&log, nil), faulty: func() bool { return faulty }}).With("client_id", "c")
	h.Warn("soft stop timed out", "soft_stop_timeout", time.Second, "job_id", 7, "err", errNoRoom)
	h.Info("started")
	faulty = true
	h.Error("cannot fetch")
	want := `level=WARN msg="soft stop timed out (client_id c, soft_stop_timeout 1s)" job=7 error="no room"` + "\n"
	if _, got, _ := strings.Cut(log.String(), " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A job that hangs in a process that lives is given to another after an hour by the
// clock that all share; a lane's job may last for as long as it likes.
func TestJobThatHangs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		e := newEngine(t, db, hand{}, RoleDeliver, RoleEnrich)
		for _, args := range []river.JobArgs{deliverArgs{"test", "w"}, enrichArgs{}} {
			if _, err := e.client.Insert(t.Context(), args, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := kill(t, db, queueDeliver) + kill(t, db, queueEnrich); n != 2 {
			t.Fatalf("%d jobs run", n)
		}
		for _, x := range []struct {
			after          time.Duration
			lanes, lookups int
		}{{50 * time.Minute, 1, 1}, {70 * time.Minute, 1, 0}} {
			e.Now = func() time.Time { return time.Now().Add(x.after) }
			if err := e.rescue(t.Context(), map[string]bool{"killed": true}); err != nil {
				t.Fatal(err)
			}
			lanes, ups := count(t, db, RoleDeliver, rivertype.JobStateRunning), count(t, db, RoleEnrich, rivertype.JobStateRunning)
			if lanes != x.lanes || ups != x.lookups {
				t.Errorf("after %v %d lanes and %d look-ups run, want %d and %d", x.after, lanes, ups, x.lanes, x.lookups)
			}
		}
	})
}

// Nobody takes the jobs of a process that beats, and nobody judges who has not himself
// beaten for long enough: the database may have been away.
func TestLivingProcessKeepsItsJobs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		putSources(t, db, 1, feeds.KindFeed)
		var begun atomic.Int32
		release := make(chan struct{})
		slow := hand{pull: func(ctx context.Context, s []feeds.Source) (Round, error) {
			begun.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
			}
			return Round{Sources: len(s)}, ctx.Err()
		}}
		living, other := newEngine(t, db, slow, RolePull), newEngine(t, open(t), slow, RolePull)
		living.Missed, other.Missed = 3*time.Second, 3*time.Second // on a machine that does much else, too
		run(t, living)
		until(t, "the job has begun", func() bool { return begun.Load() == 1 })
		if err := other.beat(t.Context()); err != nil { // the first beat of a process judges nobody
			t.Fatal(err)
		}
		for start := time.Now(); time.Since(start) < 2*other.Missed; time.Sleep(other.Beat) {
			if err := other.beat(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, db, RolePull, rivertype.JobStateRunning); n != 1 || begun.Load() != 1 {
			t.Errorf("%d jobs run, begun %d times; want the one, once", n, begun.Load())
		}
		close(release)
		until(t, "it has ended", func() bool { return count(t, db, RolePull, rivertype.JobStateCompleted) == 1 })
	})
}

// A message comes in when its lane's job has looked for the last time but has not ended:
// the lane cannot have another job yet. The bell finds it.
func TestLostWakeUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		subscribeDue(t, db, "w", 1)
		var looked atomic.Int32
		var e *Engine
		e = newEngine(t, db, hand{drain: func(ctx context.Context, _ digest.Lane) (int, time.Time, error) {
			if looked.Add(1) == 1 {
				if n, err := e.Editions.Run(ctx, time.Now()); n != 1 || err != nil {
					t.Error(n, err)
				}
			}
			return 0, time.Time{}, nil // the first time it had looked before
		}}, RoleDeliver)
		if _, err := e.client.Insert(t.Context(), deliverArgs{"test", "w"}, nil); err != nil {
			t.Fatal(err)
		}
		run(t, e)
		until(t, "the lane is looked at again", func() bool { return looked.Load() >= 2 })
	})
}

// A lane that can send nothing now is looked at again when it can, and not before. One
// that must wait long has no job meanwhile, so that a new message wakes it.
func TestLaneWaits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		var mu sync.Mutex
		var looks []time.Time
		var again time.Time
		e := newEngine(t, db, hand{drain: func(context.Context, digest.Lane) (int, time.Time, error) {
			mu.Lock()
			defer mu.Unlock()
			looks = append(looks, time.Now())
			if len(looks) == 1 {
				again = time.Now().Add(700 * time.Millisecond)
				return 0, again, nil
			}
			return 0, time.Now().Add(2 * time.Hour), nil
		}}, RoleDeliver)
		if _, err := e.client.Insert(t.Context(), deliverArgs{"test", "w"}, nil); err != nil {
			t.Fatal(err)
		}
		run(t, e)
		until(t, "the job has ended", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateCompleted) == 1 })
		mu.Lock()
		if len(looks) != 2 || looks[1].Before(again) {
			t.Errorf("looked at %v, want twice and not before %v", looks, again)
		}
		mu.Unlock()
		subscribeDue(t, db, "w", 1)
		if n, err := e.Editions.Run(t.Context(), time.Now()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		until(t, "the new message has woken it", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateCompleted) == 2 })
	})
}

// A new message does not wait for the next attempt of a lane whose last one failed.
func TestOutgoingWakesWhatWaits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		subscribeDue(t, db, "w", 1)
		var looked atomic.Int32
		e := newEngine(t, db, hand{drain: func(context.Context, digest.Lane) (int, time.Time, error) {
			if looked.Add(1) == 1 {
				return 0, time.Time{}, errors.New("no connection")
			}
			return 0, time.Time{}, nil
		}}, RoleDeliver)
		e.Retry = func(int) time.Duration { return time.Hour }
		if err := e.Prepare(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.client.Insert(t.Context(), deliverArgs{"test", "w"}, nil); err != nil {
			t.Fatal(err)
		}
		run(t, e)
		until(t, "it has failed", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateRetryable) == 1 })
		if n, err := e.Editions.Run(t.Context(), time.Now()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		until(t, "it is done", func() bool { return count(t, db, RoleDeliver, rivertype.JobStateCompleted) == 1 })
	})
}

// Maintenance is done once a day, by whomever; a chore that fails keeps no other.
func TestMaintain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		var good, bad atomic.Int32
		var ahead atomic.Int64 // of the clock, a time.Duration
		e := newEngine(t, db, hand{}, RoleMaintain)
		e.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		e.Chores = []Chore{
			{"panics", func(context.Context, time.Time) error {
				if bad.Add(1) == 1 {
					panic("poison")
				}
				return nil
			}},
			{"works", func(context.Context, time.Time) error { good.Add(1); return nil }},
		}
		run(t, e)
		until(t, "it is done", func() bool { return count(t, db, RoleMaintain, rivertype.JobStateCompleted) == 1 })
		if bad.Load() != 2 || good.Load() != 2 {
			t.Errorf("the bad chore was done %d times, the good one %d; want 2, 2", bad.Load(), good.Load())
		}
		if err := e.insertMaintain(t.Context()); err != nil || count(t, db, RoleMaintain) != 1 {
			t.Errorf("%d jobs (%v): a day has one", count(t, db, RoleMaintain), err)
		}
		ahead.Store(int64(24 * time.Hour))
		if err := e.insertMaintain(t.Context()); err != nil || count(t, db, RoleMaintain) != 2 {
			t.Errorf("%d jobs (%v): the next day has another", count(t, db, RoleMaintain), err)
		}
	})
}

// A database that was moved or restored without its jobs: what was given out to them is
// given out again, at once.
func TestJobsThatGotLost(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		db := open(t)
		putSources(t, db, 3, feeds.KindFeed)
		e := newEngine(t, db, hand{}, RolePull)
		if err := e.insertPulls(t.Context()); err != nil {
			t.Fatal(err)
		}
		taken := func() int {
			n := 3
			if err := db.TakeSources(t.Context(), time.Now(), time.Now(), func(_ context.Context, _ *sql.Tx, due []feeds.Source) error {
				n -= len(due)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := e.release(t.Context()); err != nil || taken() != 3 {
			t.Fatalf("%d of 3 sources are taken (%v): their job is there", taken(), err)
		}
		if _, err := db.Pool().Exec("DELETE FROM river_job"); err != nil {
			t.Fatal(err)
		}
		if err := e.release(t.Context()); err != nil || taken() != 0 {
			t.Errorf("%d of 3 sources are taken (%v): their job is not there", taken(), err)
		}
	})
}
