package fetch

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// toUTF8 returns body as UTF-8 without a byte order mark, and a remark where it had
// to guess. It trusts, in this order: a byte order mark; the bytes themselves, for
// text that is valid UTF-8 and not ASCII is nothing else; the Content-Type; the XML
// declaration. Where nothing helps it reads windows-1252, in which every byte is a
// character, as the web does (https://encoding.spec.whatwg.org/#names-and-labels).
//
// Valid UTF-8 comes back as it is, not copied.
func toUTF8(body []byte, contentType string) (text []byte, remark string) {
	if rest, found := bytes.CutPrefix(body, []byte("\xef\xbb\xbf")); found {
		body = rest
	} else if e := utf16(body); e != nil {
		return decodeAll(e, body), ""
	}
	label := declared(body, contentType)
	if utf8.Valid(body) && !stateful(label) {
		return body, ""
	}
	if label != "" {
		if e, name := charset.Lookup(label); e != nil && name != "utf-8" && name != "replacement" {
			if !strings.HasPrefix(name, "utf-16") {
				return decodeAll(e, body), ""
			}
		}
	}
	good, bad := census(body)
	if good >= bad {
		return repair(body), fmt.Sprintf("%d bytes are not UTF-8 and were read as windows-1252", bad)
	}
	e, name := guess(body)
	return decodeAll(e, body), "the text is not UTF-8 and says not what it is; read as " + name
}

// declared returns the label of the charset that the headers or the XML declaration
// name, the headers' first (https://www.rfc-editor.org/rfc/rfc7303#section-3),
// unless they say UTF-8, which is the caller's own to see.
func declared(body []byte, contentType string) string {
	label := ""
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		label = params["charset"]
	}
	if label != "" && !strings.EqualFold(label, "utf-8") && !strings.EqualFold(label, "us-ascii") {
		return label
	}
	decl := bytes.TrimLeft(body[:min(len(body), 1024)], " \t\r\n")
	if !bytes.HasPrefix(decl, []byte("<?xml")) {
		return ""
	}
	if end := bytes.Index(decl, []byte("?>")); end >= 0 {
		decl = decl[:end]
	}
	_, after, found := bytes.Cut(decl, []byte("encoding"))
	if !found {
		return ""
	}
	after = bytes.TrimLeft(after, " \t\r\n=")
	if len(after) == 0 || after[0] != '"' && after[0] != '\'' {
		return ""
	}
	value, _, found := bytes.Cut(after[1:], after[:1])
	if !found {
		return ""
	}
	return string(value)
}

// utf16 returns the encoding of a body that starts with UTF-16's byte order mark, or
// with '<' or '{' as UTF-16 writes them.
func utf16(b []byte) encoding.Encoding {
	if len(b) < 4 {
		return nil
	}
	switch {
	case b[0] == 0xfe && b[1] == 0xff, b[0] == 0xff && b[1] == 0xfe:
		return unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM)
	case b[0] == 0 && (b[1] == '<' || b[1] == '{') && b[2] == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case b[1] == 0 && (b[0] == '<' || b[0] == '{') && b[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	}
	return nil
}

// stateful reports whether a label names an encoding that writes everything in
// seven-bit bytes, so that its text looks like ASCII.
func stateful(label string) bool {
	l := strings.ToLower(label)
	return strings.HasPrefix(l, "iso-2022-") || strings.HasPrefix(l, "csiso2022")
}

func decodeAll(e encoding.Encoding, b []byte) []byte {
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		// Decoders replace what they cannot read; if one fails, repair cannot.
		return repair(b)
	}
	return out
}

// census counts the multi-byte runes of b that are valid UTF-8, and the bytes that
// are not part of any.
func census(b []byte) (good, bad int) {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	return good, bad
}

// repair keeps what is valid UTF-8 and reads each other byte as windows-1252.
func repair(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/16)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(b[i]))
		} else {
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
	return out
}

// guess names the encoding of undeclared text by how its high bytes stand: in a
// Western text they are single accents among ASCII letters; in Cyrillic whole words
// are made of them; in Chinese they come in pairs that GB 18030 can read.
func guess(b []byte) (encoding.Encoding, string) {
	high, inWords := 0, 0
	for i, c := range b {
		if c < 0x80 {
			continue
		}
		high++
		if i > 0 && b[i-1] >= 0x80 || i+1 < len(b) && b[i+1] >= 0x80 {
			inWords++
		}
	}
	if inWords*10 < high*7 {
		return charmap.Windows1252, "windows-1252"
	}
	sample := b[:min(len(b), 64<<10)]
	if out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(sample); err == nil && bytes.Count(out, []byte("\uFFFD")) <= 1 {
		return simplifiedchinese.GB18030, "gb18030"
	}
	return charmap.Windows1251, "windows-1251"
}
