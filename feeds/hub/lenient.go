package hub

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What a service sends is a stranger's JSON: a license may be a list, a gate a
// boolean or a word, anything may be null. The types below read what they
// understand and are empty otherwise, so that one odd field does not lose an entry.

// text is a string, cut to [maxField] runes, on one line.
type text string

const maxField = 20_000

func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	var s string
	if len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil {
		*t = text(clip(strings.Join(strings.Fields(clip(s, 2*maxField)), " "), maxField))
	}
	return nil
}

// blob is a string of several lines, as it is; a longer one than [maxBlob] is dropped.
type blob string

const maxBlob = 2 * maxLicense

func (t *blob) UnmarshalJSON(b []byte) error {
	*t = ""
	var s string
	if len(b) > 0 && b[0] == '"' && len(b) <= maxBlob && json.Unmarshal(b, &s) == nil {
		*t = blob(s)
	}
	return nil
}

// texts is a list of strings, or one string.
type texts []string

const maxTexts = 500

func (l *texts) UnmarshalJSON(b []byte) error {
	*l = nil
	if len(b) > 0 && b[0] == '"' {
		var t text
		_ = t.UnmarshalJSON(b)
		if t != "" {
			*l = texts{string(t)}
		}
		return nil
	}
	var raw []json.RawMessage
	if json.Unmarshal(b, &raw) != nil {
		return nil
	}
	for _, r := range raw {
		var t text
		_ = t.UnmarshalJSON(r)
		if t != "" && len(*l) < maxTexts {
			*l = append(*l, clip(string(t), 300))
		}
	}
	return nil
}

// gate is how Hugging Face guards a repository: false, "auto" or "manual"; true
// was once used for auto.
type gate string

func (g *gate) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"auto"`, `true`:
		*g = "auto"
	case `"manual"`:
		*g = "manual"
	default:
		*g = ""
	}
	return nil
}

// flag is a boolean, false for anything else.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	*f = string(b) == "true"
	return nil
}

// moment is a time in RFC 3339, zero for anything else.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(b []byte) error {
	m.Time = time.Time{}
	var t text
	_ = t.UnmarshalJSON(b)
	if at, err := time.Parse(time.RFC3339, string(t)); err == nil && at.Year() > 1 && at.Year() < 9999 {
		m.Time = at.UTC()
	}
	return nil
}

// lenient decodes an object and stays empty for anything else.
type lenient[T any] struct{ v T }

func (l *lenient[T]) UnmarshalJSON(b []byte) error {
	var v T
	if len(b) > 0 && b[0] == '{' && json.Unmarshal(b, &v) == nil {
		l.v = v
	}
	return nil
}

// list decodes an array entry by entry, skipping those that do not decode, up to
// a number of entries.
type list[T any] []T

const maxEntries = 1000

func (l *list[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	var raw []json.RawMessage
	if json.Unmarshal(b, &raw) != nil {
		return nil
	}
	for _, r := range raw {
		var v T
		if len(*l) < maxEntries && len(r) > 0 && r[0] == '{' && json.Unmarshal(r, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// clip cuts s to n runes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// addNew appends s unless it is empty or there.
func addNew(l []string, s string) []string {
	if s == "" || slices.Contains(l, s) {
		return l
	}
	return append(l, s)
}

// plain makes a text fit to be kept: valid UTF-8, bounded.
func plain(b []byte, n int) string {
	return clip(strings.ToValidUTF8(string(b), string(utf8.RuneError)), n)
}
