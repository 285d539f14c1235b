package web

import (
	"net"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// policy allows what the pages need: one stylesheet, pictures, a form that leads
// back here. There is no script to allow.
// https://www.w3.org/TR/CSP3/
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxTarget is the longest path and query that is read, in bytes: a query of
// query.MaxRunes in the longest percent-encoding that people's scripts have.
const maxTarget = 20 << 10

// guard lets through what may be answered: a GET of somebody who is let in, not
// too often, for a path in its one spelling; and what a person signed in may change of
// their own.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if !s.admits(r) {
			s.refuse(w, r, http.StatusForbidden, s.closedWords())
			return
		}
		if ok, wait := s.limiter.allow(s.client(r), s.Now()); !ok {
			h.Set("Retry-After", strconv.Itoa(wait))
			s.refuse(w, r, http.StatusTooManyRequests, "That was many requests in a short time. Wait a little and try again.")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !s.changes(r) {
			h.Set("Allow", "GET, HEAD")
			s.refuse(w, r, http.StatusMethodNotAllowed, "These pages can be read, not written to.")
			return
		}
		if len(r.URL.RequestURI()) > maxTarget {
			s.refuse(w, r, http.StatusRequestURITooLong, "This address is longer than anything here has.")
			return
		}
		// The mux would redirect "//host/" and "/a/../b" to their clean spelling. No page
		// links to another, so there is no need for a redirect that strangers steer.
		if p := r.URL.Path; !utf8.ValidString(p) || p == "" || path.Clean(p) != p || strings.ContainsAny(p, "\\\x00") {
			s.serve(s.nowhere)(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admits reports whether the asker is let in.
func (s *site) admits(r *http.Request) bool {
	peer, ok := address(r.RemoteAddr)
	switch s.Access {
	case Public, ByLogin: // the login comes later
		return true
	case ByProxy:
		return ok && s.believes(peer) && strings.TrimSpace(r.Header.Get(s.UserHeader)) != ""
	}
	return ok && peer.IsLoopback() && loopbackName(r.Host)
}

// believes reports whether a peer may say whom it let in.
func (s *site) believes(peer netip.Addr) bool {
	if len(s.Proxies) == 0 {
		return peer.IsLoopback()
	}
	for _, p := range s.Proxies {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

func (s *site) closedWords() string {
	if s.Access == ByProxy {
		return "These pages are open to those whom the login in front of them let in. Come by way of it."
	}
	return "These pages are open on this machine only, under a name such as localhost. Whoever runs them can choose otherwise."
}

// loopbackName reports whether host, with or without a port, can only mean this
// machine. https://www.rfc-editor.org/rfc/rfc6761#section-6.3
func loopbackName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// address is the IP address of a host and port.
func address(hostPort string) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(hostPort)
	return ap.Addr().Unmap(), err == nil
}

// refuse answers in a sentence, without a page: it is said before anything is
// known of the asker, and often.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, status int, words string) {
	reply{status: status, kind: "text/plain; charset=utf-8", body: []byte(words + "\n"), cache: "no-store"}.write(w, r)
}
