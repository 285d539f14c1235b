// Package kill lets a process die, as by SIGKILL, at a named step of a delivery's
// life. It is how the crash harness reaches moments that are too short to be hit from
// outside.
//
//	SEEDCORN_TEST_KILL=posted:3   dies when the third message was posted and not yet settled
package kill

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Steps are the moments of a delivery's life, in their order. Those that end in
// "ing" are somewhere within a call, the others before or after one.
var Steps = []string{
	"due",       // it is known who is owed a digest
	"composed",  // it is worded, and not stored
	"saving",    // its transaction is under way
	"saved",     // it is stored, with its messages
	"claiming",  //
	"claimed",   // in sending, and not posted
	"looking",   // an unsure one is being looked for
	"looked",    // and it is known whether it stands there
	"resending", // it is noted that it is posted again
	"posting",   //
	"posted",    // it stands there, and nobody has written that down
	"refused",   // it was answered with an error, and nobody has written that down
	"settling",  //
	"settled",   //
}

// A Switch ends the process when its step has come for the n-th time. A nil one
// never does.
type Switch struct {
	step string
	left atomic.Int64
}

// New reads "step:n". With "" there is no switch.
func New(value string) (*Switch, error) {
	if value == "" {
		return nil, nil
	}
	step, count, _ := strings.Cut(value, ":")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || !slices.Contains(Steps, step) {
		return nil, fmt.Errorf("%q is no step:number; the steps are %s", value, strings.Join(Steps, ", "))
	}
	s := &Switch{step: step}
	s.left.Store(int64(n))
	return s, nil
}

// At marks that a step has come.
func (s *Switch) At(step string) {
	if s.comes(step) {
		now()
	}
}

// During marks that a step begins, which takes up to about d. What it returns must be
// called at its end.
func (s *Switch) During(step string, d time.Duration) (done func()) {
	if !s.comes(step) {
		return func() {}
	}
	timer := time.AfterFunc(rand.N(d), now)
	return func() {
		if timer.Stop() {
			now() // it was over sooner
		}
		select {}
	}
}

func (s *Switch) comes(step string) bool {
	return s != nil && s.step == step && s.left.Add(-1) == 0
}

// now ends the process as the system would: nothing is flushed, nothing is said.
func now() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // until it has come through
}
