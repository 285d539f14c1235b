package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// An incident is told once, its end once, whoever looks and however often.
func TestObserve(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		channel := digest.Destination{Platform: "test", Workspace: "w", Channel: "operators"}
		said := []string{}
		tell := func(begun, over []digest.Incident) (digest.Destination, []digest.Part, error) {
			var words []string
			for _, i := range begun {
				words = append(words, "begun "+i.Say)
			}
			for _, i := range over {
				words = append(words, "over "+i.Say)
			}
			said = append(said, strings.Join(words, ", "))
			return channel, []digest.Part{{Payload: []byte(strings.Join(words, ", ")), Summary: "incidents"}}, nil
		}
		disk := digest.Incident{Name: "disk:database", Kind: digest.IncidentDisk, Say: "full", Hint: "make room"}
		clock := digest.Incident{Name: "clock:here", Kind: digest.IncidentClock, Say: "off", Hint: "set it"}
		names := func(is []digest.Incident) (out []string) {
			for _, i := range is {
				out = append(out, i.Name)
			}
			return out
		}
		steps := []struct {
			at          time.Duration
			wrong       []digest.Incident
			mute        bool
			begun, over []string
			said        string
		}{
			{at: 0},
			{at: 1 * time.Minute, wrong: []digest.Incident{disk}, begun: []string{"disk:database"}, said: "begun full"},
			{at: 2 * time.Minute, wrong: []digest.Incident{disk}},
			// It is gone for a moment and comes back: the same incident.
			{at: 3 * time.Minute},
			{at: 4 * time.Minute, wrong: []digest.Incident{disk}},
			// Without a channel nobody is told; with one, what lasts is told then.
			{at: 5 * time.Minute, wrong: []digest.Incident{disk, clock}, mute: true, begun: []string{"clock:here"}},
			{at: 6 * time.Minute, wrong: []digest.Incident{disk, clock}, said: "begun off"},
			{at: 7 * time.Minute, wrong: []digest.Incident{disk}},
			{at: 66 * time.Minute, wrong: []digest.Incident{disk}, over: []string{"clock:here"}, said: "over off"},
			{at: 126 * time.Minute, over: []string{"disk:database"}, said: "over full"},
			{at: 127 * time.Minute},
			// The same thing once more is another incident.
			{at: 128 * time.Minute, wrong: []digest.Incident{disk}, begun: []string{"disk:database"}, said: "begun full"},
			// What began and ended without a channel is nobody's concern later.
			{at: 129 * time.Minute, wrong: []digest.Incident{clock, disk}, mute: true, begun: []string{"clock:here"}},
			{at: 200 * time.Minute, wrong: []digest.Incident{disk}, mute: true, over: []string{"clock:here"}},
			{at: 201 * time.Minute, wrong: []digest.Incident{disk}},
		}
		told := 0
		for _, s := range steps {
			said = said[:0]
			f := tell
			if s.mute {
				f = nil
			}
			begun, over, err := db.Observe(t.Context(), t0.Add(s.at), s.wrong, f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{s.begun, s.over}, [][]string{names(begun), names(over)}); diff != "" {
				t.Errorf("after %v: begun and over (-want +got):\n%s", s.at, diff)
			}
			if got := strings.Join(said, "; "); got != s.said {
				t.Errorf("after %v it said %q, want %q", s.at, got, s.said)
			}
			if s.said != "" {
				told++
			}
		}
		ds, err := db.Deliveries(t.Context(), digest.Pending, 100)
		if err != nil || len(ds) != told {
			t.Errorf("%d messages are on their way, want %d (%v)", len(ds), told, err)
		}
		for _, d := range ds {
			if d.Digest != "" || d.To != channel {
				t.Errorf("a message of digest %q goes to %+v", d.Digest, d.To)
			}
		}
		open, err := db.Incidents(t.Context())
		if err != nil || len(open) != 1 || open[0].Say != "full" || !open[0].Began.Equal(t0.Add(128*time.Minute)) {
			t.Errorf("open incidents: %+v (%v)", open, err)
		}
	})
}

// A message that can't be made leaves the incident untold, and several who look at
// once tell one message.
func TestObserveTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		wrong := []digest.Incident{{Name: "job:pull", Kind: digest.IncidentJob, Say: "given up", Hint: "look"}}
		broken := errors.New("the platform is away")
		if _, _, err := db.Observe(t.Context(), t0, wrong, func(_, _ []digest.Incident) (digest.Destination, []digest.Part, error) {
			return digest.Destination{}, nil, broken
		}); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, _, err := db.Observe(t.Context(), t0, wrong, func(begun, _ []digest.Incident) (digest.Destination, []digest.Part, error) {
					return digest.Destination{Platform: "test"}, []digest.Part{{Payload: fmt.Append(nil, len(begun)), Summary: "x"}}, nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if ds, err := db.Deliveries(t.Context(), "", 100); err != nil || len(ds) != 1 || string(ds[0].Payload) != "1" {
			t.Errorf("%d messages (%v)", len(ds), err)
		}
	})
}

func TestVitals(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		ingest(t, db, research()...)
		outgoing(t, db, "s1", "c1", 2)
		if _, _, err := db.Observe(t.Context(), t0, []digest.Incident{{Name: "disk:x", Kind: digest.IncidentDisk}}, nil); err != nil {
			t.Fatal(err)
		}
		s, err := db.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v, err := db.Vitals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v.Items != s.Items || v.Works != s.Works || v.Subscriptions != 1 || v.Deliveries[Outgoing{"test", digest.Pending}] != 2 || v.Incidents[digest.IncidentDisk] != 1 || v.Bytes < 10_000 {
			t.Errorf("%+v of %+v", v, s)
		}
	})
}

func TestDeadLanes(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		for i, words := range []string{"archived", "canceled", "archived"} {
			outgoing(t, db, digest.SubscriptionID(fmt.Sprint("s", i)), fmt.Sprint("c", i), 1)
			if _, err := db.write.ExecContext(t.Context(), "UPDATE deliveries SET state = 'dead', begun = $1, words = $2 WHERE channel = $3", millis(t0.Add(-time.Duration(i)*time.Hour)), words, fmt.Sprint("c", i)); err != nil {
				t.Fatal(err)
			}
		}
		for since, want := range map[time.Duration]int{-3 * time.Hour: 2, -time.Hour: 1} {
			got, err := db.DeadLanes(t.Context(), t0.Add(since))
			if diff := cmp.Diff([]digest.DeadLane{{Platform: "test", Workspace: "w", N: want, Words: "archived"}}, got); diff != "" || err != nil {
				t.Errorf("since %v: %v (-want +got):\n%s", since, err, diff)
			}
		}
	})
}

func TestRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		for _, s := range []struct {
			service string
			at      time.Duration
			on      bool
		}{{"github", 0, true}, {"github", time.Hour, true}, {"arxiv", 0, true}, {"arxiv", time.Hour, false}, {"openalex", 0, false}} {
			if err := db.Refused(t.Context(), s.service, t0.Add(s.at), s.on); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Refusing(t.Context())
		if diff := cmp.Diff(map[string]time.Time{"github": t0}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
