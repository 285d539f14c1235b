package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What has one id is done once by all who share a database; what failed, or was claimed
// by one who died, may be done by another.
func TestOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		one, two := p.open(t), p.open(t)
		ctx := t.Context()
		n := 0
		act := func() error { n++; return nil }
		none := func() error { t.Error("done again"); return nil }
		if did, err := one.Once(ctx, "test/w/1", act); err != nil || !did || n != 1 {
			t.Fatal(did, n, err)
		}
		for _, db := range []*DB{one, two} {
			if did, err := db.Once(ctx, "test/w/1", none); err != nil || did {
				t.Error(did, err)
			}
		}
		// While one is at it, another waits.
		begun, finish := make(chan bool), make(chan bool)
		ended := make(chan error, 1)
		go func() {
			_, err := one.Once(ctx, "test/w/2", func() error {
				close(begun)
				<-finish
				return nil
			})
			ended <- err
		}()
		<-begun
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if did, err := two.Once(short, "test/w/2", none); did || err == nil {
			t.Errorf("while another is at it: %v, %v", did, err)
		}
		close(finish)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if did, err := two.Once(ctx, "test/w/2", none); err != nil || did {
			t.Error(did, err)
		}
		broken := errors.New("no")
		if did, err := one.Once(ctx, "test/w/3", func() error { return broken }); did || !errors.Is(err, broken) {
			t.Error(did, err)
		}
		if did, err := two.Once(ctx, "test/w/3", act); err != nil || !did {
			t.Errorf("after it failed: %v, %v", did, err)
		}
		// One who died has claimed it and done nothing.
		if mine, _, err := one.claimAct(ctx, "test/w/4"); err != nil || !mine {
			t.Fatal(mine, err)
		}
		if mine, done, err := two.claimAct(ctx, "test/w/4"); err != nil || mine || done {
			t.Error(mine, done, err)
		}
		age := func(id string, by time.Duration) {
			t.Helper()
			if _, err := one.write.ExecContext(ctx, "UPDATE acts SET begun = begun - $1 WHERE id = $2", by.Milliseconds(), id); err != nil {
				t.Fatal(err)
			}
		}
		age("test/w/4", actLease+time.Second)
		if did, err := two.Once(ctx, "test/w/4", act); err != nil || !did {
			t.Errorf("after its process died: %v, %v", did, err)
		}
		age("test/w/1", actsFor+time.Hour)
		if err := one.forgetActs(ctx); err != nil {
			t.Fatal(err)
		}
		if did, err := two.Once(ctx, "test/w/1", act); err != nil || !did {
			t.Errorf("a day later: %v, %v", did, err)
		}
		if did, err := two.Once(ctx, "test/w/4", none); err != nil || did {
			t.Errorf("what is not old was forgotten: %v, %v", did, err)
		}
	})
}
