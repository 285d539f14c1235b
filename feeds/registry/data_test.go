package registry

import "testing"

// TestEmbedded runs the linter over the compiled-in data.
func TestEmbedded(t *testing.T) {
	for _, f := range embeddedFaults() {
		t.Error(f)
	}
}

// embeddedFaults parses and checks the embedded files, lines tracked.
func embeddedFaults() []Fault {
	p := parser{track: true}
	for _, f := range embedded() {
		p.file(f.name, f.text)
	}
	for _, c := range check(p.labs, p.licenses, p.variants) {
		p.faults = append(p.faults, p.place(c))
	}
	return p.faults
}
