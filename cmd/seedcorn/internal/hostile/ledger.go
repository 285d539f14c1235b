package hostile

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Message is one that stands in a channel.
type Message struct {
	Platform  string
	Workspace string
	Channel   string
	ID        string
	Thread    string // the message or post that it stands below; "" in the channel itself
	Delivery  string // by metadata or nonce; "" if it names none
	Text      string // what people read of it
	At        time.Time
	Edits     int

	raw map[string]any // as it was posted
}

// Resent reports whether people are told that they may have seen it before.
func (m Message) Resent() bool { return strings.Contains(m.Text, "(resent)") }

// A Ledger is what people see in the channels of all platforms that share it.
type Ledger struct {
	mu       sync.Mutex
	channels map[string][]*Message // by platform and channel, oldest first
	order    []*Message
}

// NewLedger returns an empty one.
func NewLedger() *Ledger { return &Ledger{channels: map[string][]*Message{}} }

func (l *Ledger) add(m *Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := m.Platform + "/" + m.Channel
	l.channels[key] = append(l.channels[key], m)
	l.order = append(l.order, m)
}

// in are the messages of a channel, oldest first.
func (l *Ledger) in(platform, channel string) []*Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.channels[platform+"/"+channel])
}

func (l *Ledger) find(platform, channel, id string) *Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.channels[platform+"/"+channel]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].ID == id {
			return all[i]
		}
	}
	return nil
}

// edit changes a message in place.
func (l *Ledger) edit(m *Message, raw map[string]any, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.raw, m.Text = raw, text
	m.Edits++
}

// remove deletes a message.
func (l *Ledger) remove(m *Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := m.Platform + "/" + m.Channel
	drop := func(x *Message) bool { return x == m }
	l.channels[key] = slices.DeleteFunc(l.channels[key], drop)
	l.order = slices.DeleteFunc(l.order, drop)
}

// All returns every message in the order in which they came to stand.
func (l *Ledger) All() []Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Message, len(l.order))
	for i, m := range l.order {
		out[i] = *m
	}
	return out
}

// Len is how many messages stand.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.order)
}

// A Decided is a message that should be there, or should not: what the sender's own
// books say about one delivery.
type Decided struct {
	Delivery string
	Digest   string
	Part     int
	Platform string
	Channel  string // as in the ledger; "" if any will do, as for a person
	Sent     bool   // the books say that it was posted
	Resent   bool   // the books say that it was perhaps posted twice
}

// A Verdict is what a ledger says about the books. What is not a number is a
// sentence for each case.
type Verdict struct {
	Decided, Posted int
	Resent          int // marked for the reader, and in the books
	Lost            []string
	Doubled         []string
	Unmarked        []string // resent by the books, without a word to the reader, or the other way round
	Unordered       []string // a part above the one it continues
	Strange         []string // in no book, or in another channel, or sent by no book
}

// Faults are all the sentences, each with its kind.
func (v Verdict) Faults() (out []string) {
	for _, k := range []struct {
		name string
		list []string
	}{{"lost", v.Lost}, {"doubled", v.Doubled}, {"unmarked", v.Unmarked}, {"out of order", v.Unordered}, {"strange", v.Strange}} {
		for _, s := range k.list {
			out = append(out, k.name+": "+s)
		}
	}
	return out
}

// Judge holds a ledger against the books. A delivery that is sent must stand once;
// where the books say that it was posted again without knowing, it may stand more
// often, but for the first time marked; one that is not sent and never will be must not stand.
func Judge(seen []Message, books []Decided) Verdict {
	v := Verdict{Decided: len(books)}
	stands := map[string][]int{}
	for i, m := range seen {
		if m.Delivery == "" {
			v.Strange = append(v.Strange, fmt.Sprintf("message %s in %s names no delivery", m.ID, m.Channel))
			continue
		}
		stands[m.Delivery] = append(stands[m.Delivery], i)
	}
	type place struct {
		digest string
		part   int
	}
	first := map[place]int{}
	known := map[string]bool{}
	for _, d := range books {
		known[d.Delivery] = true
		at := stands[d.Delivery]
		name := fmt.Sprintf("delivery %s, part %d of digest %s, to %s %s", d.Delivery, d.Part, d.Digest, d.Platform, d.Channel)
		marked := 0
		for _, i := range at {
			m := seen[i]
			if m.Resent() {
				marked++
			}
			if m.Platform != d.Platform || d.Channel != "" && m.Channel != d.Channel {
				v.Strange = append(v.Strange, fmt.Sprintf("%s stands in %s %s", name, m.Platform, m.Channel))
			}
		}
		if len(at) > 0 {
			v.Posted++
			first[place{d.Digest, d.Part}] = at[0] + 1
		}
		switch {
		case len(at) == 0 && d.Sent:
			v.Lost = append(v.Lost, name)
		case len(at) > 0 && !d.Sent:
			v.Strange = append(v.Strange, name+" stands, and the books do not say so")
		case len(at) > 1 && (!d.Resent || marked < len(at)-1):
			v.Doubled = append(v.Doubled, fmt.Sprintf("%s stands %d times, %d marked", name, len(at), marked))
		case marked > 0 && !d.Resent:
			v.Unmarked = append(v.Unmarked, name+" is marked, and the books do not say so")
		case d.Resent && len(at) > 0:
			v.Resent++
		}
	}
	for id, at := range stands {
		if !known[id] {
			v.Strange = append(v.Strange, fmt.Sprintf("delivery %s stands in %s %d times and is in no book", id, seen[at[0]].Channel, len(at)))
		}
	}
	for p, at := range first {
		if before := first[place{p.digest, p.part - 1}]; p.part > 0 && (before == 0 || before > at) {
			v.Unordered = append(v.Unordered, fmt.Sprintf("part %d of digest %s stands above part %d", p.part, p.digest, p.part-1))
		}
	}
	slices.Sort(v.Strange)
	slices.Sort(v.Unordered)
	return v
}
