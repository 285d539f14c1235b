package jobs

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"seedcorn/digest"
	"seedcorn/digest/store"
)

// BenchmarkJobs is how many jobs that do nothing an engine does in a second, and how
// many it inserts.
//
//	go test ./digest/jobs -run - -bench Jobs -benchtime 1x
func BenchmarkJobs(b *testing.B) {
	const n = 5000
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				db := openStore(b, place(b, name))
				var done atomic.Int32
				e := newEngine(b, db, hand{drain: func(context.Context, digest.Lane) (int, time.Time, error) {
					done.Add(1)
					return 0, time.Time{}, nil
				}}, RoleDeliver)
				b.StartTimer()
				began := time.Now()
				for from := 0; from < n; from += 1000 {
					jobs := make([]river.InsertManyParams, 1000)
					for i := range jobs {
						jobs[i].Args = deliverArgs{"test", fmt.Sprint(from + i)}
					}
					if _, err := e.client.InsertMany(b.Context(), jobs); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(n/time.Since(began).Seconds(), "inserts/s")
				began = time.Now()
				stop := run(b, e)
				until(b, "all are done", func() bool { return done.Load() == n && count(b, db, RoleDeliver, rivertype.JobStateCompleted) == n })
				b.ReportMetric(n/time.Since(began).Seconds(), "jobs/s")
				if err := stop(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstStart is how long four processes need to prepare an empty database at
// once.
//
//	go test ./digest/jobs -run - -bench FirstStart -benchtime 1x
func BenchmarkFirstStart(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		location := place(b, "postgres")
		b.StartTimer()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				db, err := store.Open(b.Context(), location)
				if err != nil {
					b.Error(err)
					return
				}
				b.Cleanup(func() { db.Close() })
				if err := db.Also(b.Context(), Base{db.Pool(), db.Engine()}.Migrate); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
