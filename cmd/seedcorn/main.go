// Command seedcorn reads the world's AI research feeds and tells a team, where it
// talks, what came out this week, from which country's labs, and what of it one
// may build on.
//
// This package is the only code that knows every concrete type. It reads flags
// and environment (config.go), ties stores, collectors and renderers together
// (wire.go), and holds one file for each command. Everything that decides
// something lives below, in feeds, digest and bot.
//
// Exit status: 0 done, 1 failed, 2 not understood.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version = ""

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process around it, for tests.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first asks; a second one is not caught and ends the process
	root := newRoot(in, out, errs)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if errors.Is(err, syscall.EPIPE) {
		return 0 // the reader has left: seedcorn search … | head
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(errs, "error: interrupted; what was stored until then is kept")
		return 1
	}
	tell(errs, err)
	var u *usageError
	if errors.As(err, &u) {
		return 2
	}
	return 1
}

// tell prints an error as people are told: what is wrong, then what to do.
func tell(w io.Writer, err error) {
	fmt.Fprintf(w, "error: %v\n", err)
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(w, "hint: %s\n", h.Hint())
	}
}

// A usageError is a command line that was not understood.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.hint }

// A hintedError is a failure with a way out.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }
func (e *hintedError) Hint() string  { return e.hint }

func usagef(hint, format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...), hint}
}

func hinted(err error, hint string) error { return &hintedError{err, hint} }

// buildVersion is what "seedcorn version" prints and our requests carry.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "dev-" + s.Value[:12]
			}
		}
		if v := info.Main.Version; v != "" && !strings.HasPrefix(v, "(") {
			return v
		}
	}
	return "dev"
}
