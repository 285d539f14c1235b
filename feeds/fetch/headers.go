package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What a server may ask of us is bounded: nobody's typing error silences a source
// for a year.
const (
	maxRetryAfter = 24 * time.Hour
	maxNotBefore  = 24 * time.Hour
)

// retryAfter reads a Retry-After header, seconds or a date, as a wait between 0 and
// 24 hours. ok is false where there is none that can be read.
// Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
func retryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0, false
	}
	if d, ok := seconds(s, maxRetryAfter); ok {
		return d, true
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return 0, false
	}
	return min(max(t.Sub(now), 0), maxRetryAfter), true
}

// notBefore returns until when the answer is fresh, at most 24 hours from now, and
// the zero time where the server does not say or wants to be asked each time.
// Source: https://www.rfc-editor.org/rfc/rfc9111#section-4.2
func notBefore(h http.Header, now time.Time) time.Time {
	var fresh time.Duration
	found := false
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return time.Time{}
			case "max-age":
				if d, ok := seconds(strings.Trim(value, `"`), 365*24*time.Hour); ok && !found {
					fresh, found = d, true
				}
			}
		}
	}
	if !found {
		expires, err := http.ParseTime(h.Get("Expires"))
		if err != nil {
			return time.Time{}
		}
		date, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			date = now
		}
		fresh = expires.Sub(date)
	}
	if age, ok := seconds(h.Get("Age"), 365*24*time.Hour); ok {
		fresh -= age
	}
	if fresh <= 0 {
		return time.Time{}
	}
	return now.Add(min(fresh, maxNotBefore))
}

// seconds reads a number of seconds, at most limit. A number too large to read is
// the limit; a negative one is none.
func seconds(s string, limit time.Duration) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(limit/time.Second) {
		return limit, true
	}
	return time.Duration(n) * time.Second, true
}
