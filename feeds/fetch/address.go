package fetch

import (
	"fmt"
	"net/netip"
)

// A privateError says that policy forbids to talk to an address.
type privateError struct{ addr netip.Addr }

func (e *privateError) Error() string {
	return fmt.Sprintf("%s is not a public address; the operator must allow private networks first", e.addr)
}

// Addresses that are not somewhere on the public Internet.
// Sources: https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry
var special = prefixes(
	"0.0.0.0/8",          // this network
	"10.0.0.0/8",         // private use
	"100.64.0.0/10",      // shared address space behind carrier NAT
	"127.0.0.0/8",        // loopback
	"169.254.0.0/16",     // link-local; clouds keep their metadata service here
	"172.16.0.0/12",      // private use
	"192.0.0.0/24",       // IETF protocol assignments
	"192.0.2.0/24",       // documentation
	"192.88.99.0/24",     // deprecated 6to4 relay anycast
	"192.168.0.0/16",     // private use
	"198.18.0.0/15",      // benchmarking
	"198.51.100.0/24",    // documentation
	"203.0.113.0/24",     // documentation
	"224.0.0.0/4",        // multicast
	"240.0.0.0/4",        // reserved, and limited broadcast
	"168.63.129.16/32",   // Azure's host: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
	"100.100.100.200/32", // Alibaba Cloud's metadata; inside 100.64.0.0/10, named for the reader
	"::/127",             // unspecified and loopback
	"64:ff9b:1::/48",     // local-use translation
	"100::/64",           // discard only
	"2001::/23",          // IETF protocol assignments, Teredo among them
	"2001:db8::/32",      // documentation
	"3fff::/20",          // documentation
	"5f00::/16",          // segment routing
	"fc00::/7",           // unique local
	"fe80::/10",          // link-local
	"fec0::/10",          // deprecated site-local
	"ff00::/8",           // multicast
)

// Prefixes that carry an IPv4 address inside, and where it stands.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64: https://www.rfc-editor.org/rfc/rfc6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4: https://www.rfc-editor.org/rfc/rfc3056
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.1
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// checkAddress is asked by the dialer for each address that it is about to connect
// to, after the name was resolved: a name that resolves differently the second time,
// and a redirect, are checked like everything else.
func checkAddress(hostport string) error {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return fmt.Errorf("dialing: unreadable address")
	}
	if !public(ap.Addr()) {
		return &privateError{ap.Addr()}
	}
	return nil
}

// public reports whether a is an address of the public Internet.
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsValid() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	if a.Is6() {
		raw := a.As16()
		for _, c := range carriers {
			if c.prefix.Contains(a) {
				return public(netip.AddrFrom4([4]byte(raw[c.at : c.at+4])))
			}
		}
	}
	return true
}
