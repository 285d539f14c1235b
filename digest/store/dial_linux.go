package store

import "syscall"

// giveUp has a connection end when what was sent is not acknowledged: TCP_USER_TIMEOUT,
// https://man7.org/linux/man-pages/man7/tcp.7.html. Keepalives are only sent where
// nothing is outstanding; without it a statement to a machine that is gone hangs for a
// quarter of an hour.
func giveUp(network, _ string, c syscall.RawConn) error {
	const userTimeout = 0x12
	var fault error
	if err := c.Control(func(fd uintptr) {
		if network != "unix" {
			fault = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, int(lostAfter.Milliseconds()))
		}
	}); err != nil {
		return err
	}
	return fault
}
