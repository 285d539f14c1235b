package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seedcorn/digest"
	"seedcorn/digest/store"
)

// A paper is a digest with its messages and what a channel shows of them, in memory,
// by the promises of [Errata] and [Mender].
type paper struct {
	mu      sync.Mutex
	digest  digest.Digest
	rows    []digest.Delivery
	channel []string // what stands there, by part
	claims  []digest.Amendment
	settled []digest.AmendmentOutcome
	edits   int
	refuse  map[int]error // by part
	fail    error         // of Reword
	meet    func()        // while it is being read
	most    int           // edits in an hour; 0: as many as one likes
	begun   map[digest.DeliveryID][]time.Time
	now     time.Time
	held    map[digest.Lane]time.Time
	slots   int // that were reserved
}

// newPaper is a digest of so many stories, one to a message, all of them sent.
func newPaper(stories int) *paper {
	p := &paper{claims: []digest.Amendment{{Digest: "d", Attempt: 1, Wanted: 1}}, refuse: map[int]error{}}
	p.digest = digest.Digest{Sections: []digest.Section{{}}}
	for i := range stories {
		p.digest.Sections[0].Stories = append(p.digest.Sections[0].Stories, digest.Story{Title: fmt.Sprintf("story %d", i), Line: "a sentence", Also: []digest.StoryLink{{Name: "elsewhere"}}})
	}
	parts, _ := p.render(digest.Destination{}, p.digest)
	for i, part := range parts {
		p.rows = append(p.rows, digest.Delivery{
			ID: digest.DeliveryID(fmt.Sprint(i)), Digest: "d", To: digest.Destination{Platform: "test"}, Part: i,
			Payload: part.Payload, State: digest.Sent, Receipt: fmt.Sprint(i), Attempt: 1,
		})
		p.channel = append(p.channel, string(part.Payload))
	}
	return p
}

// erratum corrects a story.
func (p *paper) erratum(story int, because string) {
	s := &p.digest.Sections[0].Stories[story]
	s.Errata = append(s.Errata, digest.Erratum{Because: because, To: "FR"})
}

// render puts 70 characters at most into a message, and a story into one if it fits.
func (p *paper) render(_ digest.Destination, d digest.Digest) (out []digest.Part, err error) {
	for _, s := range d.Sections[0].Stories {
		text := s.Title + ", " + s.Line
		for _, l := range s.Also {
			text += ", " + l.Name
		}
		for _, e := range s.Errata {
			text += ", corrected to " + e.To + " " + e.Because
		}
		for {
			n := min(len(text), 70)
			out = append(out, digest.Part{Payload: []byte(text[:n])})
			if text = text[n:]; text == "" {
				break
			}
		}
	}
	return out, nil
}

func (p *paper) ClaimAmendments(context.Context, time.Time, time.Time, int) (out []digest.Amendment, err error) {
	out, p.claims = p.claims, nil
	return out, nil
}

func (p *paper) Amended(context.Context, digest.DigestID) (digest.Digest, []digest.Delivery, error) {
	rows := slices.Clone(p.rows)
	if p.meet != nil {
		p.meet()
	}
	return p.digest, rows, nil
}

func (p *paper) Reword(_ context.Context, d digest.Delivery, part digest.Part) (bool, error) {
	r := &p.rows[d.Part]
	if p.fail != nil || r.State != d.State || r.Attempt != d.Attempt || r.State != digest.Pending && r.State != digest.Sent {
		return false, p.fail
	}
	r.Payload = part.Payload
	return true, nil
}

func (p *paper) SettleAmendment(ctx context.Context, a digest.Amendment, o digest.AmendmentOutcome) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled = append(p.settled, o)
	return ctx.Err()
}

func (p *paper) Edit(_ context.Context, d digest.Delivery) error {
	p.edits++
	if err := p.refuse[d.Part]; err != nil {
		return err
	}
	i := slices.IndexFunc(p.rows, func(r digest.Delivery) bool { return r.Receipt == d.Receipt })
	if i < 0 || d.Receipt == "" {
		return &PostError{State: digest.Dead, Say: "no such message"}
	}
	p.channel[i] = string(d.Payload)
	return nil
}

func (p *paper) EditCap() (most int, per time.Duration) { return p.most, time.Hour }

// BeginEdit counts every message as published.
func (p *paper) BeginEdit(_ context.Context, id digest.DeliveryID, now time.Time, most int, per time.Duration) (free time.Time, err error) {
	if p.begun == nil {
		p.begun = map[digest.DeliveryID][]time.Time{}
	}
	p.begun[id] = slices.DeleteFunc(p.begun[id], func(at time.Time) bool { return !at.After(now.Add(-per)) })
	if len(p.begun[id]) >= most {
		return p.begun[id][0].Add(per), nil
	}
	p.begun[id] = append(p.begun[id], now)
	return free, nil
}

func (p *paper) Pace() digest.Pace {
	return digest.Pace{Workspace: digest.Rate{Every: time.Millisecond}}
}

func (p *paper) Reserve(_ context.Context, l digest.Lane, pace digest.Pace, n int) (digest.Slots, error) {
	if pace != p.Pace() || n != 1 || l.Workspace != " edits" {
		return digest.Slots{}, fmt.Errorf("%d slots in %v at %v", n, l, pace)
	}
	if wait := p.held[l].Sub(p.now); wait > 0 {
		return digest.Slots{At: time.Now().Add(wait)}, nil
	}
	p.slots++
	return digest.Slots{N: 1}, nil
}

func (p *paper) Hold(_ context.Context, to digest.Destination, _ digest.Scope, during time.Duration) error {
	p.held = map[digest.Lane]time.Time{to.Lane(): p.now.Add(during)}
	return nil
}

func (p *paper) amendments() *Amendments {
	if p.now.IsZero() {
		p.now = noon
	}
	return &Amendments{
		Errata: p, Turns: p, Render: p.render, Menders: map[string]Mender{"test": p}, Now: func() time.Time { return p.now },
		Filler: func(digest.Destination) (digest.Part, error) {
			return digest.Part{Payload: []byte("nothing more")}, nil
		},
	}
}

// run runs once and says what became of it.
func (p *paper) run(t *testing.T, a *Amendments) digest.AmendmentOutcome {
	t.Helper()
	messages := len(p.channel)
	if _, err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(p.channel) != messages {
		t.Fatalf("%d messages became %d", messages, len(p.channel))
	}
	if len(p.settled) == 0 {
		t.Fatal("nothing was settled")
	}
	return p.settled[len(p.settled)-1]
}

// Only what says something else is edited, and only as long as it does.
func TestAmend(t *testing.T) {
	p := newPaper(3)
	p.erratum(1, "it says so")
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || o.Words != "1 edited" {
		t.Errorf("outcome %+v", o)
	}
	want := []string{"story 0, a sentence, elsewhere", "story 1, a sentence, elsewhere, corrected to FR it says so", "story 2, a sentence, elsewhere"}
	if !slices.Equal(p.channel, want) || p.edits != 1 {
		t.Errorf("after %d edits the channel shows %q", p.edits, p.channel)
	}
	p.claims = []digest.Amendment{{Digest: "d", Attempt: 2}} // its outcome was lost
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || p.edits != 1 {
		t.Errorf("again: %+v, %d edits", o, p.edits)
	}
}

// A published message that was edited as often as it may be waits, the others of its
// digest do not; and what is found out meanwhile is one edit.
func TestAmendPublished(t *testing.T) {
	p := newPaper(2)
	p.most = 2
	again := func(at time.Duration, says string, stories ...int) digest.AmendmentOutcome {
		t.Helper()
		for _, i := range stories {
			p.digest.Sections[0].Stories[i].Line = says
		}
		p.now = noon.Add(at)
		p.claims = []digest.Amendment{{Digest: "d", Attempt: 1}}
		return p.run(t, p.amendments())
	}
	again(0, "first", 0)
	again(10*time.Minute, "second", 0)
	if o := again(20*time.Minute, "third", 0, 1); o.State != digest.AmendmentWaiting || o.Failed || !o.NotBefore.Equal(noon.Add(time.Hour)) || !strings.Contains(o.Words, "edited 2 times") {
		t.Errorf("a third time within the hour: %+v", o)
	}
	if !strings.Contains(p.channel[0], "second") || !strings.Contains(p.channel[1], "third") || p.edits != 3 {
		t.Errorf("after %d edits the channel shows %q", p.edits, p.channel)
	}
	again(30*time.Minute, "fourth", 0)
	if o := again(time.Hour, "", 1); o.State != digest.AmendmentDone || p.edits != 5 || !strings.Contains(p.channel[0], "fourth") {
		t.Errorf("after the hour: %+v, %d edits, the channel shows %q", o, p.edits, p.channel)
	}
}

// A digest never becomes longer, in messages, than it was.
func TestAmendFits(t *testing.T) {
	for _, tt := range []struct {
		name, because string
		want          string
		state         digest.AmendmentState
	}{
		{"as it is", "short", "story 0, a sentence, elsewhere, corrected to FR short", digest.AmendmentDone},
		{"without the reason", strings.Repeat("x", 60), "story 0, a sentence, elsewhere, corrected to FR ", digest.AmendmentDone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPaper(2)
			p.erratum(0, tt.because)
			if o := p.run(t, p.amendments()); o.State != tt.state || p.channel[0] != tt.want {
				t.Errorf("%+v, the channel shows %q", o, p.channel)
			}
		})
	}
	t.Run("without other places and sentences", func(t *testing.T) {
		p := newPaper(2)
		p.erratum(0, "x")
		p.digest.Sections[0].Stories[0].Line = strings.Repeat("y", 60)
		if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || p.channel[0] != "story 0, , corrected to FR " || p.channel[1] != "story 1, " {
			t.Errorf("%+v, the channel shows %q", o, p.channel)
		}
	})
	t.Run("not at all", func(t *testing.T) {
		p := newPaper(2)
		before := slices.Clone(p.channel)
		p.erratum(0, "x")
		p.digest.Sections[0].Stories[0].Title = strings.Repeat("y", 80)
		if o := p.run(t, p.amendments()); o.State != digest.AmendmentGivenUp || p.edits > 0 || !slices.Equal(p.channel, before) {
			t.Errorf("%+v after %d edits, the channel shows %q", o, p.edits, p.channel)
		}
	})
	t.Run("fewer than before", func(t *testing.T) {
		p := newPaper(3)
		p.digest.Sections[0].Stories = p.digest.Sections[0].Stories[:2]
		if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || p.channel[2] != "nothing more" {
			t.Errorf("%+v, the channel shows %q", o, p.channel)
		}
	})
}

// A message that is deleted is given up; those beside it are not, and neither is the
// subscription, of which nothing here knows.
func TestAmendRefused(t *testing.T) {
	gone := &PostError{State: digest.Dead, Say: "The message was deleted."}
	p := newPaper(2)
	p.erratum(0, "a")
	p.erratum(1, "b")
	p.refuse[0] = gone
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || !strings.Contains(o.Words, "deleted") || !strings.Contains(p.channel[1], "corrected") {
		t.Errorf("%+v, the channel shows %q", o, p.channel)
	}
	p = newPaper(1)
	p.erratum(0, "a")
	p.refuse[0] = gone
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentGivenUp || o.Words != gone.Say {
		t.Errorf("%+v", o)
	}
	// A platform without edits.
	p = newPaper(1)
	p.erratum(0, "a")
	a := p.amendments()
	a.Menders = nil
	if o := p.run(t, a); o.State != digest.AmendmentGivenUp || p.edits != 0 {
		t.Errorf("%+v", o)
	}
}

// What may work later is tried later, as the platform asks; not for ever.
func TestAmendLater(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		tries int
		state digest.AmendmentState
		wait  time.Duration
	}{
		{"asked to wait", &PostError{State: digest.Pending, After: 20 * time.Minute, Say: "slower"}, 0, digest.AmendmentWaiting, 20 * time.Minute},
		{"no answer", &PostError{State: digest.Unsure, Say: "no answer"}, 0, digest.AmendmentWaiting, 15 * time.Second},
		{"again and again", &PostError{State: digest.Unsure, Say: "no answer"}, 8, digest.AmendmentWaiting, 64 * time.Minute},
		{"anything else", errors.New("what?"), 1, digest.AmendmentWaiting, 30 * time.Second},
		{"too often", &PostError{State: digest.Unsure, Say: "no answer"}, maxTries, digest.AmendmentGivenUp, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPaper(2)
			p.claims[0].Tries = tt.tries
			p.erratum(0, "a")
			p.erratum(1, "b")
			p.refuse[0] = tt.err
			o := p.run(t, p.amendments())
			if o.State != tt.state || tt.wait > 0 && o.NotBefore.Sub(noon) != tt.wait {
				t.Errorf("%s, %v later: %s", o.State, o.NotBefore.Sub(noon), o.Words)
			}
			if strings.Contains(p.channel[1], "corrected") {
				t.Error("it went on although it was asked to wait")
			}
		})
	}
}

// An edit does not race the first posting: what is not sent yet is reworded where it
// waits, and what is being sent is waited for.
func TestAmendBeforeItIsSent(t *testing.T) {
	for _, state := range []digest.DeliveryState{digest.Sending, digest.Unsure} {
		t.Run(string(state), func(t *testing.T) { amendBeforeItIsSent(t, state) })
	}
}

func amendBeforeItIsSent(t *testing.T, onItsWay digest.DeliveryState) {
	p := newPaper(3)
	for i := range 3 {
		p.erratum(i, "a")
	}
	p.rows[1].State, p.rows[1].Receipt = digest.Pending, ""
	p.rows[2].State, p.rows[2].Receipt = onItsWay, ""
	o := p.run(t, p.amendments())
	if o.State != digest.AmendmentWaiting || o.NotBefore.Sub(noon) != sendingWait || p.edits != 1 {
		t.Errorf("%+v after %d edits", o, p.edits)
	}
	if !strings.Contains(string(p.rows[1].Payload), "corrected") || strings.Contains(string(p.rows[2].Payload), "corrected") {
		t.Errorf("waiting to be sent: %q, being sent: %q", p.rows[1].Payload, p.rows[2].Payload)
	}
	p.rows[2].State, p.rows[2].Receipt = digest.Sent, "2"
	p.claims = []digest.Amendment{{Digest: "d", Attempt: 2}}
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || !strings.Contains(p.channel[2], "corrected") {
		t.Errorf("when it is sent: %+v, %q", o, p.channel)
	}
	// One that is claimed in the very moment.
	p = newPaper(1)
	p.erratum(0, "a")
	p.rows[0].State, p.rows[0].Receipt = digest.Pending, ""
	p.meet = func() { p.rows[0].State, p.rows[0].Attempt = digest.Sending, 2 }
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentWaiting || strings.Contains(string(p.rows[0].Payload), "corrected") {
		t.Errorf("%+v, being sent: %q", o, p.rows[0].Payload)
	}
	// One that was never said says nothing.
	p = newPaper(1)
	p.erratum(0, "a")
	p.rows[0].State = digest.Dead
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || p.edits != 0 {
		t.Errorf("%+v after %d edits", o, p.edits)
	}
}

// Storage that fails between the edit and its note: it is edited again, to the same.
func TestAmendTwice(t *testing.T) {
	p := newPaper(1)
	p.erratum(0, "a")
	p.fail = errors.New("disk full")
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentWaiting || p.edits != 1 {
		t.Fatalf("%+v after %d edits", o, p.edits)
	}
	said := p.channel[0]
	if !p.settled[0].Doubt {
		t.Error("there is no doubt about what the message says")
	}
	p.fail = nil
	p.claims = []digest.Amendment{{Digest: "d", Attempt: 2, Doubt: true}}
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || p.edits != 2 || p.channel[0] != said {
		t.Errorf("%+v after %d edits: %q, was %q", o, p.edits, p.channel[0], said)
	}
	// Taken back meanwhile: the message is edited although its delivery says so already.
	p = newPaper(1)
	p.channel[0] = "story 0, corrected"
	p.claims[0].Doubt = true
	if o := p.run(t, p.amendments()); o.State != digest.AmendmentDone || p.edits != 1 || strings.Contains(p.channel[0], "corrected") {
		t.Errorf("%+v after %d edits: %q", o, p.edits, p.channel[0])
	}
}

// A platform that asks to go slower is left alone by all digests of its workspace, and
// that is no failure of theirs.
func TestAmendHoldsALane(t *testing.T) {
	p := newPaper(1)
	p.erratum(0, "a")
	p.refuse[0] = &PostError{State: digest.Pending, After: 10 * time.Minute, Say: "slower"}
	p.now = noon
	a := p.amendments()
	a.Lanes, a.Now = 1, func() time.Time { return p.now }
	if o := p.run(t, a); !o.Failed || p.edits != 1 {
		t.Fatalf("%+v after %d edits", o, p.edits)
	}
	p.claims = []digest.Amendment{{Digest: "d", Attempt: 2}}
	if o := p.run(t, a); o.Failed || o.State != digest.AmendmentWaiting || (o.NotBefore.Sub(noon)-10*time.Minute).Abs() > time.Minute || p.edits != 1 {
		t.Errorf("%+v after %d edits", o, p.edits)
	}
	p.now, p.refuse = p.now.Add(10*time.Minute), nil
	p.claims = []digest.Amendment{{Digest: "d", Attempt: 3}}
	if o := p.run(t, a); o.State != digest.AmendmentDone || p.edits != 2 || p.slots != 2 || o.Platform != "test" {
		t.Errorf("%+v after %d edits in %d slots", o, p.edits, p.slots)
	}
}

// Two processes edit in one workspace: their edits are as far apart as the platform wants
// them, on the clock of the database, posts are not held up, and a hold holds for both.
func TestEditsShareAPace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		const every = 50 * time.Millisecond
		pace := digest.Pace{Workspace: digest.Rate{Every: every}}
		to := digest.Destination{Platform: "test", Workspace: "w", Channel: "c"}
		var wg sync.WaitGroup
		began := time.Now()
		for range 2 {
			p := &Amendments{Turns: open(t), Now: time.Now}
			for range 4 {
				wg.Go(func() {
					if wait, err := p.turn(t.Context(), to, pace); wait != 0 || err != nil {
						t.Error(wait, err)
					}
				})
			}
		}
		wg.Wait()
		if took := time.Since(began); took < 7*every {
			t.Errorf("eight edits within %v, which lets one through in %v", took, every)
		}
		db := open(t)
		if s, err := db.Reserve(t.Context(), to.Lane(), pace, 1); s.N != 1 || err != nil {
			t.Errorf("a post waits for edits: %+v, %v", s, err)
		}
		p := &Amendments{Turns: db, Now: time.Now}
		if err := p.hold(t.Context(), to, &PostError{State: digest.Pending, After: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if wait, err := (&Amendments{Turns: open(t), Now: time.Now}).turn(t.Context(), to, pace); wait < 30*time.Minute || err != nil {
			t.Errorf("another process waits %v (%v)", wait, err)
		}
	})
}

type queue [][]digest.Notice

func (q *queue) TakeNotices(context.Context, time.Time, int) (out []digest.Notice, err error) {
	if len(*q) == 0 {
		return nil, nil
	}
	out, *q = (*q)[0], (*q)[1:]
	return out, nil
}

// A notice that cannot be said keeps no other back, and is not said again.
func TestNotices(t *testing.T) {
	n := func(id int64) digest.Notice { return digest.Notice{Proposal: digest.Proposal{ID: id}} }
	q := &queue{{n(1), n(2)}, {n(3)}}
	var said []int64
	notices := &Notices{Queue: q, Now: time.Now, Tell: func(_ context.Context, n digest.Notice) error {
		said = append(said, n.ID)
		if n.ID == 1 {
			return errors.New("the door is closed")
		}
		return nil
	}}
	told, err := notices.Run(t.Context())
	if told != 3 || !slices.Equal(said, []int64{1, 2, 3}) || err == nil || !strings.Contains(err.Error(), "proposal 1: the door is closed") {
		t.Errorf("told %d, said %v, %v", told, said, err)
	}
}
