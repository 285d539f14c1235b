package tag

import "strings"

// A matcher finds every name of a set in a text in one pass: a trie over folded
// words. At each word it follows the longest name that begins there and goes on
// behind it, so "Google DeepMind" is never also "Google".
//
// The edges of the trie live in one open-addressing table keyed by (node, word):
// 120,000 names cost about 25 MB and a text costs one probe a word, two where a
// name begins. General multi-pattern automata do not fit: at this many names they
// take seconds and gigabytes to build.
type matcher struct {
	split bool     // part letters from digits
	words []word   // open addressing, a power of two: hash -> id, from 1
	noise uint32   // words with ids up to this one are as if they were not there
	comma uint32   // the id of a comma, where one inside a name matters; else 0
	first []uint32 // word id -> node reached from the root, 0 if none
	ends  []uint32 // node -> name id + 1, 0 if no name ends there
	edges []edge   // open addressing, a power of two
	used  int
}

type word struct {
	hash uint64
	id   uint32 // 0 in an empty slot
}

type edge struct {
	key uint64 // node<<32 | word, never 0
	to  uint32
}

// A match is a name found in a text: its id and the bytes it covers.
type match struct {
	name       uint32
	start, end int
}

// newMatcher returns a matcher with room for so many names. Noise are words that
// come and go inside of names: "Technical University (of) Munich".
func newMatcher(split bool, names int, noise ...string) *matcher {
	m := &matcher{split: split, first: make([]uint32, 1, names+1), ends: make([]uint32, 1, 2*names+1)}
	size := 64
	for size < 2*names {
		size *= 2
	}
	m.edges = make([]edge, size)
	m.words = make([]word, size)
	for _, w := range noise {
		m.noise = m.learn(hashOf([]byte(w)))
	}
	return m
}

// mindCommas makes a comma part names, unless the name itself has it: "Computer
// Science, University of Oxford" is no Science University.
func (m *matcher) mindCommas() {
	m.comma = m.learn(hashOf([]byte(","))) // no word folds to it
}

// id returns the id of the word with the given hash, 0 if no name has it.
func (m *matcher) id(hash uint64) uint32 {
	for i := slot(hash, len(m.words)); ; i = (i + 1) & (len(m.words) - 1) {
		if w := m.words[i]; w.hash == hash || w.id == 0 {
			return w.id
		}
	}
}

// learn returns the id of a word, a new one if it was not known.
func (m *matcher) learn(hash uint64) uint32 {
	if id := m.id(hash); id != 0 {
		return id
	}
	if 2*len(m.first) >= len(m.words) {
		old := m.words
		m.words = make([]word, 2*len(old))
		for _, w := range old {
			if w.id != 0 {
				m.settle(w)
			}
		}
	}
	id := uint32(len(m.first))
	m.first = append(m.first, 0)
	m.settle(word{hash, id})
	return id
}

func (m *matcher) settle(w word) {
	i := slot(w.hash, len(m.words))
	for m.words[i].id != 0 {
		i = (i + 1) & (len(m.words) - 1)
	}
	m.words[i] = w
}

func (m *matcher) node() uint32 {
	m.ends = append(m.ends, 0)
	return uint32(len(m.ends) - 1)
}

func slot(key uint64, size int) int {
	key *= 0x9E3779B97F4A7C15 // 2^64 / the golden ratio: spreads neighbors
	return int((key ^ key>>32) & uint64(size-1))
}

func (m *matcher) step(node, word uint32) uint32 {
	key := uint64(node)<<32 | uint64(word)
	for i := slot(key, len(m.edges)); ; i = (i + 1) & (len(m.edges) - 1) {
		switch m.edges[i].key {
		case key:
			return m.edges[i].to
		case 0:
			return 0
		}
	}
}

func (m *matcher) link(node, word, to uint32) {
	if 2*m.used >= len(m.edges) {
		old := m.edges
		m.edges = make([]edge, 2*len(old))
		for _, e := range old {
			if e.key != 0 {
				m.place(e)
			}
		}
	}
	m.place(edge{uint64(node)<<32 | uint64(word), to})
	m.used++
}

func (m *matcher) place(e edge) {
	i := slot(e.key, len(m.edges))
	for m.edges[i].key != 0 {
		i = (i + 1) & (len(m.edges) - 1)
	}
	m.edges[i] = e
}

// add puts a name into the trie under the given id and returns the id that the
// name has: another one if it was there before. ok is false for a name without
// any letter or digit.
func (m *matcher) add(name string, id uint32) (have uint32, ok bool) {
	if m.comma != 0 && strings.Contains(name, ",") {
		if plain := strings.ReplaceAll(name, ",", " "); strings.TrimSpace(plain) != "" {
			m.insert(plain, id)
		}
	}
	return m.insert(name, id)
}

func (m *matcher) insert(name string, id uint32) (have uint32, ok bool) {
	sc := scanner{text: name, split: m.split}
	node, last := uint32(0), 0
	for {
		t, more := sc.next()
		if !more {
			break
		}
		if node != 0 && m.comma != 0 && strings.Contains(name[last:t.start], ",") {
			to := m.step(node, m.comma)
			if to == 0 {
				to = m.node()
				m.link(node, m.comma, to)
			}
			node = to
		}
		last = t.end
		word := m.learn(sc.hash)
		if word <= m.noise {
			continue
		}
		if node == 0 {
			if m.first[word] == 0 {
				m.first[word] = m.node()
			}
			node = m.first[word]
			continue
		}
		to := m.step(node, word)
		if to == 0 {
			to = m.node()
			m.link(node, word, to)
		}
		node = to
	}
	if node == 0 {
		return 0, false
	}
	if m.ends[node] != 0 {
		return m.ends[node] - 1, true
	}
	m.ends[node] = id + 1
	return id, true
}

// find appends the names in text to out: leftmost first, the longest at each
// place, none overlapping.
func (m *matcher) find(text string, out []match) []match {
	sc := scanner{text: text, split: m.split}
	for {
		t, ok := sc.next()
		if !ok {
			return out
		}
		node := m.first[m.id(sc.hash)] // unknown word: id 0, node 0
		if node == 0 {
			continue
		}
		best, start, end := m.ends[node], t.start, t.end
		resume, last := sc.pos, t.end
		for {
			t, ok = sc.next()
			if !ok || apart(text[last:t.start]) {
				break
			}
			if m.comma != 0 && strings.Contains(text[last:t.start], ",") {
				if node = m.step(node, m.comma); node == 0 {
					break
				}
			}
			last = t.end
			word := m.id(sc.hash)
			if word == 0 {
				break
			}
			if word <= m.noise {
				continue
			}
			if node = m.step(node, word); node == 0 {
				break
			}
			if m.ends[node] != 0 {
				best, end, resume = m.ends[node], t.end, sc.pos
			}
		}
		sc.pos = resume
		if best != 0 {
			out = append(out, match{best - 1, start, end})
		}
	}
}

// apart reports whether what stands between two words ends a name: a line's end,
// a semicolon, a bar, a bracket that closes, or a full stop that is no abbreviation's.
func apart(gap string) bool {
	for i := 0; i < len(gap); i++ {
		switch gap[i] {
		case ';', '\n', '|', '!', '?', '"':
			return true
		case ':': // "Mi:dm" is one name
			if i+1 < len(gap) {
				return true
			}
		}
	}
	return false
}

// exact returns the id of the name that s is, as a whole.
func (m *matcher) exact(s string) (id uint32, ok bool) {
	sc := scanner{text: s, split: m.split}
	node, begun := uint32(0), false
	for {
		if _, more := sc.next(); !more {
			break
		}
		word := m.id(sc.hash)
		if word == 0 {
			return 0, false
		}
		if word <= m.noise {
			continue
		}
		if begun {
			node = m.step(node, word)
		} else {
			node, begun = m.first[word], true
		}
		if node == 0 {
			return 0, false
		}
	}
	if node == 0 || m.ends[node] == 0 {
		return 0, false
	}
	return m.ends[node] - 1, true
}
