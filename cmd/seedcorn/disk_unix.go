//go:build linux || darwin || freebsd

package main

import (
	"syscall"

	"seedcorn/digest"
)

// diskOf is the room on the disk that a file is on; the zero value if it can't be
// told.
func diskOf(path string) digest.Disk {
	var s syscall.Statfs_t
	if path == "" || syscall.Statfs(path, &s) != nil {
		return digest.Disk{}
	}
	return digest.Disk{Free: int64(s.Bavail) * int64(s.Bsize), Total: int64(s.Blocks) * int64(s.Bsize)}
}
