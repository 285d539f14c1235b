package discord

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
)

// A custom id is what a button hands back when it is pressed: the command that it
// stands for, as typed. Discord gives it 100 characters.
//
//	c:why w7k3m9q2xd            the command itself
//	c2:why w7k3m9q2xd           the same once more in one message
//	l:5f0c…:search reasoning…   a command that is longer: its hash, and its beginning
//	s:                          a menu: the command is in the value that was chosen
//	f:subscribe                 a form of the command
//
// Commands that are too long are remembered by their hash in memory, as many as
// memorySize. One that was forgotten, because the program was started anew or
// because it is very old, is given back as far as the custom id has it, in a form to
// be completed.
const (
	menuID   = "s:"
	hashSize = 16 // hexadecimal digits
)

// memorySize is how many long commands are remembered; 4,096 of them take about a
// megabyte.
const memorySize = 4096

// customID is the custom id of a command.
func (a *Adapter) customID(command string) string {
	command = strings.TrimSpace(oneLine(command))
	// Three characters are left for telling repetitions apart.
	if id := "c:" + command; size(id) <= maxCustomID-3 {
		return id
	}
	sum := sha256.Sum256([]byte(command))
	hash := hex.EncodeToString(sum[:])[:hashSize]
	a.long.keep(hash, command)
	room := maxCustomID - 3 - len("l:") - hashSize - len(":")
	known := ""
	for i := range command {
		if command[i] == ' ' && size(command[:i]) <= room {
			known = command[:i]
		}
	}
	return "l:" + hash + ":" + known
}

// again is a custom id's nth repetition in one message.
func again(id string, n int) string {
	kind, rest, _ := strings.Cut(id, ":")
	return kind + strconv.Itoa(n+1) + ":" + rest
}

// command is the typed line behind a custom id. whole is false if only its beginning
// is known; ok is false for an id that no version of this package made.
func (a *Adapter) command(id string) (line string, whole, ok bool) {
	kind, rest, found := strings.Cut(id, ":")
	if !found || kind == "" {
		return "", false, false
	}
	switch kind[:1] {
	case "c":
		return rest, true, rest != ""
	case "l":
		hash, known, _ := strings.Cut(rest, ":")
		if line, ok := a.long.recall(hash); ok {
			return line, true, true
		}
		return known, false, known != ""
	}
	return "", false, false
}

// A memory keeps the lines that were used last.
type memory struct {
	mu    sync.Mutex
	most  int
	order *list.List // of [2]string{hash, line}, newest first
	at    map[string]*list.Element
}

func newMemory(most int) *memory {
	return &memory{most: most, order: list.New(), at: map[string]*list.Element{}}
}

func (m *memory) keep(hash, line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.at[hash]; ok {
		m.order.MoveToFront(e)
		return
	}
	m.at[hash] = m.order.PushFront([2]string{hash, line})
	if m.order.Len() > m.most {
		last := m.order.Back()
		delete(m.at, m.order.Remove(last).([2]string)[0])
	}
}

func (m *memory) recall(hash string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.at[hash]
	if !ok {
		return "", false
	}
	m.order.MoveToFront(e)
	return e.Value.([2]string)[1], true
}
