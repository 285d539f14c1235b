package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
	"seedcorn/feeds"
)

// licensed stores a work with weights under a license and returns it.
func licensed(t testing.TB, db *DB, guid, license string, class feeds.Openness) digest.Work {
	t.Helper()
	e := entry("hf:lab", guid, "Model "+guid, -5, owns(feeds.KeyHF, "lab/"+guid), weights("https://huggingface.co/lab/"+guid, license, class))
	ingest(t, db, e)
	w, err := db.WorkByKey(t.Context(), feeds.Key{Scheme: feeds.KeyHF, Value: "lab/" + guid})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// told stores a digest that tells about works, composed at t0 plus so much, with one
// message.
func told(t testing.TB, db *DB, sub digest.SubscriptionID, after time.Duration, works ...digest.Work) digest.DigestID {
	t.Helper()
	s, err := db.Subscription(t.Context(), sub)
	if errors.Is(err, ErrNotFound) {
		s = subscribed(t, db, sub, "channel of "+string(sub))
		s.Cursor = t0.Add(-1000 * time.Hour)
		err = db.PutSubscription(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
	var stories []digest.Story
	for _, w := range works {
		stories = append(stories, digest.StoryOf(w))
	}
	d := digest.Digest{
		Title: "This week", Period: digest.Period{From: s.Cursor, To: t0.Add(after)}, Composed: t0.Add(after),
		Sections: []digest.Section{{Key: digest.SectionOpen, Stories: stories}},
	}
	id, err := db.SaveDigest(t.Context(), s, d, t0.Add(after+time.Hour), messages(1)...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func correct(t testing.TB, db *DB, w digest.Work, field, value, by string, after time.Duration) {
	t.Helper()
	if err := db.Correct(t.Context(), digest.Correction{Work: w.ID, Field: field, Value: value, Because: "it says so", By: by, At: t0.Add(after)}); err != nil {
		t.Fatal(err)
	}
}

// says is how a digest reads: each story's license and errata.
func says(t testing.TB, db *DB, id digest.DigestID) string {
	t.Helper()
	d, err := db.Digest(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range d.Sections[0].Stories {
		line := s.Badge.License
		for _, e := range s.Errata {
			line += fmt.Sprintf(" [%s %s %s→%s %s]", e.Kind, e.What, e.From, e.To, e.By)
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}

// toEdit claims what is to be edited at t0 plus so much.
func toEdit(t testing.TB, db *DB, after time.Duration) []digest.Amendment {
	t.Helper()
	now := t0.Add(after)
	as, err := db.ClaimAmendments(t.Context(), now, now.Add(-5*time.Minute), 10)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

func settleEdit(t testing.TB, db *DB, a digest.Amendment, s digest.AmendmentState, after time.Duration) {
	t.Helper()
	if err := db.SettleAmendment(t.Context(), a, digest.AmendmentOutcome{State: s, NotBefore: t0.Add(after), Failed: true}); err != nil {
		t.Fatal(err)
	}
}

// A correction and the intent to edit what it contradicts are one: the digest reads
// anew at once, and the messages are to be edited a minute later, whatever dies
// meanwhile.
func TestCorrectionAmends(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		w, other := licensed(t, db, "a", "MIT", feeds.OpenWeights), licensed(t, db, "b", "MIT", feeds.OpenWeights)
		id := told(t, db, "s1", 0, w, other)
		without := told(t, db, "s2", 0, other)
		correct(t, db, w, "license", "CC-BY-NC-4.0", "Ada", time.Hour)
		correct(t, db, w, "license", "CC-BY-NC-4.0", "Ada", time.Hour+time.Second) // a second click
		if got, want := says(t, db, id), "CC-BY-NC-4.0 [corrected license →CC-BY-NC-4.0 Ada]; MIT"; got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
		if got := says(t, db, without); got != "MIT" {
			t.Errorf("a digest without it says %s", got)
		}
		if cs, err := db.Corrections(t.Context(), w.ID); err != nil || len(cs) != 1 {
			t.Errorf("two clicks are %d corrections (%v)", len(cs), err)
		}
		// There and back is no second click.
		back := licensed(t, db, "c", "MIT", feeds.OpenWeights)
		for i, value := range []string{"FR", "DE", "FR"} {
			correct(t, db, back, "country", value, "Ada", time.Duration(i)*time.Second)
		}
		if w, err := db.Work(t.Context(), back.ID); err != nil || fmt.Sprint(w.Countries) != "[FR]" {
			t.Errorf("there and back is %v (%v)", w.Countries, err)
		}
		if as := toEdit(t, db, time.Hour+59*time.Second); len(as) != 0 {
			t.Errorf("edited before others could come: %+v", as)
		}
		// Another one of this minute goes with it.
		correct(t, db, w, "country", "FR", "Ben", time.Hour+30*time.Second)
		db.Close() // the process ends between the correction and the edit
		db = p.open(t)
		as := toEdit(t, db, time.Hour+time.Minute)
		if len(as) != 1 || as[0].Digest != id || as[0].Attempt != 1 || as[0].Wanted != 2 {
			t.Fatalf("to be edited: %+v", as)
		}
		if again := toEdit(t, db, time.Hour+2*time.Minute); len(again) != 0 {
			t.Errorf("claimed twice: %+v", again)
		}
		settleEdit(t, db, as[0], digest.AmendmentDone, 0)
		if as := toEdit(t, db, 100*time.Hour); len(as) != 0 {
			t.Errorf("edited again: %+v", as)
		}
		// Taken back, it is said that it was.
		correct(t, db, w, "license", "", "Ada", 2*time.Hour)
		correct(t, db, w, "license", "", "Ada", 50*time.Hour) // there is nothing more to take back
		if got, want := says(t, db, id), "MIT [corrected country →FR Ben] [corrected license → Ada]; MIT"; got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
		if as := toEdit(t, db, 3*time.Hour); len(as) != 1 || as[0].Wanted != 3 || as[0].Attempt != 2 {
			t.Errorf("after it was taken back: %+v", as)
		}
	})
}

// What cannot be written with the correction undoes it.
func TestCorrectionAndIntentAreOne(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		told(t, db, "s1", 0, w)
		if _, err := db.write.ExecContext(t.Context(), "DROP TABLE amendments"); err != nil {
			t.Fatal(err)
		}
		if err := db.Correct(t.Context(), digest.Correction{Work: w.ID, Field: "country", Value: "FR", By: "Ada", At: t0}); err == nil {
			t.Error("no error")
		}
		now, err := db.Work(t.Context(), w.ID)
		if err != nil || now.Corrected {
			t.Errorf("corrected all the same (%v)", err)
		}
	})
}

// A license that changed at its source edits the digests that told otherwise, even
// under a name that the work had before.
func TestRelicensingAmends(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		w, older := licensed(t, db, "a", "MIT", feeds.OpenWeights), licensed(t, db, "z", "MIT", feeds.OpenWeights)
		id := told(t, db, "s1", 0, w)
		if into, err := db.Join(t.Context(), w.ID, older.ID, "Ada", "one thing"); err != nil {
			t.Fatal(err)
		} else if into == w.ID {
			w, older = older, w
			id = told(t, db, "s2", 0, w)
		}
		changed := entry("hf:lab", "a", "Model a", -5, owns(feeds.KeyHF, "lab/a"), weights("https://huggingface.co/lab/a", "CC-BY-NC-4.0", feeds.Restricted))
		if w.Title != "Model a" {
			changed = entry("hf:lab", "z", "Model z", -5, owns(feeds.KeyHF, "lab/z"), weights("https://huggingface.co/lab/z", "CC-BY-NC-4.0", feeds.Restricted))
		}
		if done := ingest(t, db, changed); done.Changes != 1 {
			t.Fatalf("ingested %+v", done)
		}
		if got, want := says(t, db, id), "relicensed weights MIT (open-weights)→CC-BY-NC-4.0 (restricted)"; !strings.Contains(got, want) {
			t.Errorf("it says %s, want %s", got, want)
		}
		if as := toEdit(t, db, 100*time.Hour); len(as) == 0 {
			t.Error("nothing is to be edited")
		}
		// Visited again with the same words, nothing more happens.
		ingest(t, db, changed)
		if as := toEdit(t, db, 100*time.Hour+time.Minute); len(as) != 0 {
			t.Errorf("again: %+v", as)
		}
	})
}

func TestAmendsOnlyWhatIsRead(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		var ids []digest.DigestID
		for i := range 7 {
			ids = append(ids, told(t, db, "s1", time.Duration(i)*time.Hour, w))
		}
		old := told(t, db, "s2", 0, w)
		correct(t, db, w, "country", "FR", "Ada", 24*time.Hour)
		for i, id := range ids {
			if got, want := strings.Contains(says(t, db, id), "corrected"), i >= 2; got != want {
				t.Errorf("digest %d of 7 is amended: %v", i+1, got)
			}
		}
		correct(t, db, w, "license", "Apache-2.0", "Ada", amendWithin+time.Hour)
		if got := says(t, db, old); strings.Contains(got, "license") || !strings.Contains(got, "country") {
			t.Errorf("after a month: %s", got)
		}
	})
}

// An amendment is fenced as a delivery is.
func TestAmendmentIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		told(t, db, "s1", 0, w)
		correct(t, db, w, "country", "FR", "Ada", 0)
		first := toEdit(t, db, time.Hour)
		if len(first) != 1 {
			t.Fatalf("claimed %+v", first)
		}
		second := toEdit(t, db, time.Hour+10*time.Minute) // its worker died
		if len(second) != 1 || second[0].Attempt != 2 || !second[0].Doubt || first[0].Doubt {
			t.Fatalf("claimed after it died: %+v", second)
		}
		settleEdit(t, db, first[0], digest.AmendmentGivenUp, 0) // it had not died after all
		state := func() string {
			t.Helper()
			got, err := db.Amendments(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(got)
		}
		if got := state(); got != "map[editing:1]" {
			t.Errorf("a late outcome: %s", got)
		}
		// Another correction while it is edited: this edit may not have seen it.
		correct(t, db, w, "license", "Apache-2.0", "Ada", time.Hour+11*time.Minute)
		settleEdit(t, db, second[0], digest.AmendmentDone, 0)
		if got := state(); got != "map[waiting:1]" {
			t.Errorf("with a second one: %s", got)
		}
		third := toEdit(t, db, 2*time.Hour)
		if len(third) != 1 || third[0].Wanted != 2 || third[0].Doubt {
			t.Fatalf("claimed %+v", third)
		}
		settleEdit(t, db, third[0], digest.AmendmentWaiting, 3*time.Hour)
		if early := toEdit(t, db, 2*time.Hour+time.Minute); len(early) != 0 {
			t.Errorf("before its time: %+v", early)
		}
		fourth := toEdit(t, db, 3*time.Hour)
		if len(fourth) != 1 || fourth[0].Tries != 1 {
			t.Fatalf("tried again: %+v", fourth)
		}
		settleEdit(t, db, fourth[0], digest.AmendmentGivenUp, 0)
		if as := toEdit(t, db, 1000*time.Hour); len(as) != 0 {
			t.Errorf("given up, and claimed: %+v", as)
		}
		correct(t, db, w, "country", "", "Ada", 4*time.Hour)
		if as := toEdit(t, db, 5*time.Hour); len(as) != 1 || as[0].Tries != 0 {
			t.Errorf("news about one that was given up: %+v", as)
		}
	})
}

func TestReword(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		id := told(t, db, "s1", 0, w)
		part := digest.Part{Payload: []byte(`{"text":"anew"}`), Summary: "anew"}
		reword := func(d digest.Delivery) bool {
			t.Helper()
			ok, err := db.Reword(ctx, d, part)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		_, ds, err := db.Amended(ctx, id)
		if err != nil || len(ds) != 1 || ds[0].State != digest.Pending {
			t.Fatalf("deliveries %+v (%v)", ds, err)
		}
		pending := ds[0]
		if !reword(pending) {
			t.Error("a pending one is not reworded")
		}
		claimed := claim(t, db, time.Hour, 1)[pending.ID]
		if string(claimed.Payload) != string(part.Payload) || claimed.Summary != "anew" {
			t.Errorf("claimed with %s", claimed.Payload)
		}
		part.Payload = []byte(`{"text":"too late"}`)
		if reword(pending) {
			t.Error("reworded while it was being sent")
		}
		sending := stored(t, db, pending.ID)
		if reword(sending) || string(stored(t, db, pending.ID).Payload) != `{"text":"anew"}` {
			t.Error("reworded while it is being sent")
		}
		sent := settle(t, db, claimed, digest.Outcome{State: digest.Sent, Receipt: "r"})
		if !reword(sent) || string(stored(t, db, pending.ID).Payload) != `{"text":"too late"}` {
			t.Error("a sent one is not reworded after its edit")
		}
		if d := cmp.Diff(sent.Receipt, stored(t, db, pending.ID).Receipt); d != "" {
			t.Error(d)
		}
	})
}

// A work that changes while a digest is composed: the digest says the old, and the
// change found no digest to amend.
func TestOvertakenWhileComposing(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		db := p.open(t)
		was, same := licensed(t, db, "a", "MIT", feeds.OpenWeights), licensed(t, db, "b", "MIT", feeds.OpenWeights)
		correct(t, db, was, "license", "Apache-2.0", "Ada", time.Minute)
		correct(t, db, same, "license", "MIT", "Ada", time.Minute)
		id := told(t, db, "s1", 0, was, same)
		if got, want := says(t, db, id), "Apache-2.0 [corrected license →Apache-2.0 Ada]; MIT"; got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
		if as := toEdit(t, db, time.Hour); len(as) != 1 || as[0].Digest != id {
			t.Errorf("to be edited: %+v", as)
		}
	})
}

func TestProposals(t *testing.T) {
	onBoth(t, func(t *testing.T, p place) {
		ctx := t.Context()
		db := p.open(t)
		w := licensed(t, db, "a", "MIT", feeds.OpenWeights)
		id := told(t, db, "s1", 0, w)
		propose := func(person, field, value string) (digest.Proposal, error) {
			return db.Propose(ctx, digest.Proposal{
				Work: w.ID, Field: field, Value: value, Because: "I read it", By: strings.ToUpper(person), Person: person,
				Place: digest.Destination{Platform: "test", Workspace: "w", Channel: "c"}, At: t0,
			})
		}
		must := func(p digest.Proposal, err error) digest.Proposal {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		one := must(propose("ben", "country", "FR"))
		two := must(propose("gus", "license", "Apache-2.0"))
		if again := must(propose("ben", "country", "FR")); again.ID != one.ID || two.ID == one.ID {
			t.Errorf("the same again is %d, not %d", again.ID, one.ID)
		}
		if _, err := propose("ben", "taste", "good"); err == nil {
			t.Error("a field that there is not")
		}
		if _, err := db.Propose(ctx, digest.Proposal{Work: "wnone", Field: "country"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("about no work: %v", err)
		}
		for i := 1; ; i++ {
			_, err := propose("ben", "lab", fmt.Sprint(i))
			if errors.Is(err, digest.ErrTooMany) && i == maxOpenOf {
				break
			}
			if err != nil || i > maxOpenOf {
				t.Fatalf("proposal %d: %v", i, err)
			}
		}
		if now, err := db.Work(ctx, w.ID); err != nil || now.Corrected {
			t.Errorf("proposed is corrected (%v)", err)
		}
		open, err := db.Proposals(ctx, digest.ProposalOpen, w.ID, 2)
		if err != nil || len(open) != 2 || open[0].ID != one.ID || open[0].Title != "Model a" || open[1].By != "GUS" {
			t.Errorf("open: %+v (%v)", open, err)
		}
		// Everyone is told once.
		told := func() (out string) {
			t.Helper()
			ns, err := db.TakeNotices(ctx, t0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range ns {
				if n.ID <= two.ID {
					out += fmt.Sprintf("%d %s;", n.ID, n.State)
				}
			}
			return out
		}
		if got, want := told(), fmt.Sprintf("%d open;%d open;", one.ID, two.ID); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		if got := told(); got != "" {
			t.Errorf("told again: %q", got)
		}
		// Accepted, it holds, is signed by both, and amends.
		if p, err := db.Decide(ctx, two.ID, true, "Ada", "", t0.Add(time.Hour)); err != nil || p.State != digest.ProposalAccepted || p.DecidedBy != "Ada" {
			t.Errorf("accepted: %+v (%v)", p, err)
		}
		if got, want := says(t, db, id), "Apache-2.0 [corrected license →Apache-2.0 GUS (accepted by Ada)]"; got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
		// Twice, and the other way round: it was decided.
		for _, accept := range []bool{true, false} {
			if p, err := db.Decide(ctx, two.ID, accept, "Eve", "", t0); !errors.Is(err, digest.ErrDecided) || p.DecidedBy != "Ada" {
				t.Errorf("decided again: %+v, %v", p, err)
			}
		}
		if cs, _ := db.Corrections(ctx, w.ID); len(cs) != 1 {
			t.Errorf("corrections %+v", cs)
		}
		if p, err := db.Decide(ctx, one.ID, false, "Ada", "the paper says Germany", t0); err != nil || p.Why != "the paper says Germany" {
			t.Errorf("declined: %+v (%v)", p, err)
		}
		if now, err := db.Work(ctx, w.ID); err != nil || len(now.Countries) > 0 {
			t.Errorf("declined, and it holds: %v (%v)", now.Countries, err)
		}
		if got, want := told(), fmt.Sprintf("%d declined;%d accepted;", one.ID, two.ID); got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
		if got := told(); got != "" {
			t.Errorf("answered again: %q", got)
		}
		if _, err := db.Decide(ctx, 999, true, "Ada", "", t0); !errors.Is(err, ErrNotFound) {
			t.Errorf("about none: %v", err)
		}
		if all, err := db.Proposals(ctx, "", "", 0); err != nil || len(all) != maxOpenOf+1 || all[0].ID < all[1].ID {
			t.Errorf("%d proposals (%v)", len(all), err)
		}
	})
}

// What a correction costs when a thousand channels were told about its work; and what
// it costs to write down which works a digest tells about.
func BenchmarkCorrectTold(b *testing.B) {
	for _, channels := range []int{1, 1000} {
		b.Run(fmt.Sprintf("channels=%d", channels), func(b *testing.B) {
			db := sqlitePlace(b).open(b)
			w := licensed(b, db, "a", "MIT", feeds.OpenWeights)
			for i := range channels {
				told(b, db, digest.SubscriptionID(fmt.Sprint("s", i)), 0, w)
			}
			for i := 0; b.Loop(); i++ {
				correct(b, db, w, "country", []string{"FR", "DE"}[i%2], "Ada", time.Duration(i)*time.Minute)
			}
			if got, err := db.Amendments(b.Context()); err != nil || got[digest.AmendmentWaiting] != channels {
				b.Errorf("to be edited: %v (%v)", got, err)
			}
		})
	}
}

func BenchmarkSaveDigest(b *testing.B) {
	db := sqlitePlace(b).open(b)
	var works []digest.Work
	for i := range 60 {
		works = append(works, licensed(b, db, fmt.Sprint("m", i), "MIT", feeds.OpenWeights))
	}
	for i := 0; b.Loop(); i++ {
		told(b, db, digest.SubscriptionID(fmt.Sprint("s", i)), 0, works...)
	}
}
