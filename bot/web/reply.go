package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A handler answers a request that the guard let through.
type handler func(*http.Request) (reply, error)

// A reply is a whole answer. Everything here is small enough to be made before
// the first byte is sent, so that an error is never half a page.
type reply struct {
	status int    // 0 is 200
	kind   string // its media type
	body   []byte
	cache  string // Cache-Control; "" asks to come back with the ETag
	save   string // the name under which to save it
	to     string // a path of this site to go to instead
	next   string // where the rest is, of an answer in pages
	shared bool   // pages of others may show it
}

// lost is the error of asking for what is not there. It says so, and what to do.
type lost struct {
	Status int
	Title  string
	Words  string
	Links  []link // where to go on
}

func (l *lost) Error() string { return l.Title }

func missing(title, words string, links ...link) error {
	return &lost{http.StatusNotFound, title, words, links}
}

// serve turns what a handler says into an answer. What went wrong is logged here
// and nowhere else; the asker is told no more than that.
func (s *site) serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := h(r)
		var l *lost
		switch {
		case errors.As(err, &l):
			out, err = s.page("lost", l.Status, view{Title: l.Title, Body: l})
		case err != nil && r.Context().Err() != nil && errors.Is(err, context.Canceled):
			return // the asker has left
		}
		if err != nil {
			s.Log.Error("page failed", "path", r.URL.Path, "error", err)
			out, err = s.page("lost", http.StatusInternalServerError, view{Title: "That did not work", Body: &lost{
				Title: "That did not work", Words: "Something failed on our side, and is in our log. Trying again in a minute may help.",
			}})
		}
		if err != nil {
			s.Log.Error("page of errors failed", "error", err)
			s.refuse(w, r, http.StatusInternalServerError, "Something failed on our side.")
			return
		}
		out.write(w, r)
	}
}

// write sends the reply, or only says that the asker has it already.
// https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
func (p reply) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if p.to != "" {
		h.Set("Location", p.to)
		w.WriteHeader(http.StatusFound)
		return
	}
	status := p.status
	if status == 0 {
		status = http.StatusOK
	}
	if p.cache == "" {
		p.cache = "private, no-cache"
	}
	h.Set("Cache-Control", p.cache)
	h.Set("Content-Type", p.kind)
	if p.save != "" {
		h.Set("Content-Disposition", `attachment; filename="`+p.save+`"`)
	}
	if p.next != "" {
		h.Set("Link", "<"+p.next+`>; rel="next"`) // https://www.rfc-editor.org/rfc/rfc8288
	}
	if p.shared {
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if status == http.StatusOK {
		sum := sha256.Sum256(p.body)
		// Weak, because the body is the same with and without compression.
		tag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		h.Set("Vary", "Accept-Encoding")
		if matches(r.Header.Values("If-None-Match"), tag) {
			h.Del("Content-Type")
			h.Del("Content-Disposition")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		p.body = packed(h, r, p.body)
	}
	h.Set("Content-Length", strconv.Itoa(len(p.body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(p.body) // the asker may have left
	}
}

// matches compares entity tags weakly.
func matches(fields []string, tag string) bool {
	for _, f := range fields {
		for t := range strings.SplitSeq(f, ",") {
			t = strings.TrimSpace(t)
			if t == "*" || strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// packs is below the size of a network packet: smaller bodies gain nothing.
const packs = 1400

var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// packed is body compressed, if the asker can read that.
func packed(h http.Header, r *http.Request, body []byte) []byte {
	accepts := strings.FieldsFunc(strings.ToLower(r.Header.Get("Accept-Encoding")), func(c rune) bool { return c == ',' || c == ' ' })
	if len(body) < packs || h.Get("Content-Type") == "image/png" || // which is packed already
		!slices.Contains(accepts, "gzip") {
		return body
	}
	var b bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&b)
	_, err := z.Write(body)
	if errors.Join(err, z.Close()) != nil {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	return b.Bytes()
}
