package registry

import (
	_ "embed" // spdx.txt
	"strings"
	"sync"
)

// spdx.txt holds the ids of the SPDX License List (https://spdx.org/licenses/),
// one a line; a trailing "*" marks those approved by the Open Source Initiative.
//
//go:embed data/spdx.txt
var spdxText string

var spdxTable = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool, 800)
	for line := range strings.Lines(spdxText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, osi := strings.CutSuffix(line, "*")
		m[id] = osi
	}
	return m
})

// spdxIDs returns the set of SPDX ids.
func spdxIDs() map[string]bool {
	m := make(map[string]bool, 800)
	for id := range spdxTable() {
		m[id] = true
	}
	return m
}

// SPDX reports whether id is on the SPDX License List as embedded, and whether
// the list says that the Open Source Initiative approved it.
func SPDX(id string) (osiApproved, known bool) {
	osiApproved, known = spdxTable()[id]
	return osiApproved, known
}
