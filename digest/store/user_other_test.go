//go:build !unix

package store

import "os/exec"

func notRoot(*exec.Cmd, string) error { return nil }
