package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Whoever comes and goes: in the end every shard is held, by one process, and nobody
// has two more than another; and then nobody lets one go any more.
func TestShareOut(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		total := 1 + rng.IntN(40)
		at := map[int]string{} // who holds a shard
		var living []string
		step := func(who string) (moved bool) {
			var held []heldShard
			for n := range total {
				if at[n] != "" {
					held = append(held, heldShard{total, n, at[n]})
				}
			}
			keep, take := shareOut(held, living, who, total)
			for n := range total {
				if at[n] == who && !slices.Contains(keep, n) {
					delete(at, n)
					moved = true
				}
			}
			for _, n := range take {
				if at[n] != "" {
					t.Fatalf("seed %d: %s takes shard %d from %s", seed, who, n, at[n])
				}
				at[n], moved = who, true
			}
			return moved
		}
		for round := range 6 {
			if len(living) > 1 && rng.IntN(2) == 0 {
				dead := living[rng.IntN(len(living))]
				living = slices.DeleteFunc(slices.Clone(living), func(s string) bool { return s == dead })
				for n, who := range at {
					if who == dead {
						delete(at, n)
					}
				}
			} else {
				living = append(living, fmt.Sprint("p", round))
			}
			quiet := 0
			for n := 0; quiet < 3; n++ {
				if n == 50 {
					t.Fatalf("seed %d: %d shards among %d processes do not come to rest: %v", seed, total, len(living), at)
				}
				quiet++
				rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
				for _, who := range living {
					if step(who) {
						quiet = 0
					}
				}
			}
			counts := map[string]int{}
			for _, who := range at {
				counts[who]++
			}
			least, most := total, 0
			for _, who := range living {
				least, most = min(least, counts[who]), max(most, counts[who])
			}
			if len(at) != total || most > least+1 {
				t.Fatalf("seed %d: of %d shards %d are held, by %v", seed, total, len(at), counts)
			}
		}
	}
}

// Shards are shared by all who live, those of the dead go to the others, and a larger
// number of them waits for the smaller to be let go.
func TestShards(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		const lease = time.Hour // which runs out only where the test says so
		a, b := p.open(t).Shards("gateway", lease), p.open(t).Shards("gateway", lease)
		share := func(s *Shards, who string, total int, want ...int) {
			t.Helper()
			got, err := s.Share(t.Context(), who, total)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Held, want) || got.For != lease {
				t.Errorf("%s holds %v of %d, want %v", who, got.Held, got.Total, want)
			}
		}
		yield := func(s *Shards, who string, total int, shards ...int) {
			t.Helper()
			for _, n := range shards {
				if err := s.Yield(t.Context(), who, total, n); err != nil {
					t.Fatal(err)
				}
			}
		}
		share(a, "a", 4, 0, 1, 2, 3)
		share(b, "b", 4)       // a does not know of it yet
		share(a, "a", 4, 0, 1) // and is to let two go
		share(b, "b", 4)       // which it has not done
		yield(b, "b", 4, 2)    // and nobody does for it
		share(b, "b", 4)
		yield(a, "a", 4, 2, 3)
		share(b, "b", 4, 2, 3)
		share(a, "a", 4, 0, 1)
		// Other connections are another matter.
		share(p.open(t).Shards("elsewhere", lease), "c", 1, 0)

		// b dies.
		if err := a.db.update(t.Context(), "killing", func(tx *tx) error {
			for _, q := range []string{"UPDATE shards SET lease_until = 1 WHERE holder = 'b'", "UPDATE shard_holders SET seen_until = 1 WHERE holder = 'b'"} {
				if _, err := tx.exec(t.Context(), q); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		share(a, "a", 4, 0, 1, 2, 3)
		// It was not dead, only slow: what it had is another's.
		share(b, "b", 4)

		// There are more.
		share(b, "b", 6)
		share(a, "a", 4)
		yield(a, "a", 4, 0, 1, 2)
		share(b, "b", 6)
		yield(a, "a", 4, 3)
		share(b, "b", 6, 0)
		share(a, "a", 4, 1, 2)
		if err := b.Leave(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		// Without b nobody says that there are six.
		share(a, "a", 4)
		yield(a, "a", 6, 1, 2)
		share(a, "a", 4, 0, 1, 2, 3)

		// Where a process of an earlier version has all of it, nobody takes any.
		if err := a.Leave(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := a.db.update(t.Context(), "as before", func(tx *tx) error {
			_, err := tx.exec(t.Context(), "INSERT INTO gates (name, next_at, holder, lease_until) VALUES ('alone:gateway', 0, 'old', 9999999999999)")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		share(a, "a", 4)
	})
}

// Many share at once: no shard is held twice.
func TestShardsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		const processes, total = 5, 12
		got := make(chan []int, processes)
		for i := range processes {
			s := p.open(t).Shards("gateway", time.Hour)
			go func() {
				held, err := s.Share(context.WithoutCancel(t.Context()), fmt.Sprint("p", i), total)
				if err != nil {
					t.Error(err)
				}
				got <- held.Held
			}()
		}
		seen := map[int]bool{}
		for range processes {
			for _, n := range <-got {
				if seen[n] {
					t.Errorf("shard %d is held twice", n)
				}
				seen[n] = true
			}
		}
		if len(seen) == 0 {
			t.Error("nobody has any")
		}
	})
}

// In one place sessions begin one after another, over all processes.
func TestShardsTurn(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		a, b := p.open(t).Shards("gateway", time.Hour), p.open(t).Shards("gateway", time.Hour)
		leave, err := a.Turn(t.Context(), 0, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(why string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if leave, err := b.Turn(ctx, 0, time.Hour); err == nil {
				leave()
				t.Error("another's turn came " + why)
			}
		}
		refused("while one begins")
		other, err := b.Turn(t.Context(), 1, time.Hour)
		if err != nil {
			t.Fatalf("in another place: %v", err)
		}
		other()
		leave()
		refused("at once after one began")
	})
}
