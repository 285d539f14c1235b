package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"seedcorn/feeds"
)

const (
	// Text shrinks to a tenth, a repetitive feed to a fiftieth. What grows more than
	// this many times is made to hurt; the most that deflate can do is 1,032 times
	// (https://zlib.net/zlib_tech.html).
	maxRatio = 200
	// Under this size nothing hurts, whatever its ratio.
	ratioFrom = 1 << 20
	// A buffer that grew larger than this for one huge body is not kept.
	keepBuffer = 1 << 20
)

// Wire bodies are read into pooled buffers: nearly all of them turn out to be
// unchanged and never leave this file.
var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	gzips   = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// readBody reads a response's body, hashes it as it came, and decompresses it. The
// caps are limit bytes before and after decompression. A body whose hash is known
// comes back as nil without being decompressed; an empty body is not nil.
func readBody(resp *http.Response, limit int64, known string) (body []byte, hash string, err error) {
	if resp.ContentLength > limit {
		return nil, "", tooLarge(limit)
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= keepBuffer {
			buffers.Put(buf)
		}
	}()
	buf.Reset()
	if n := resp.ContentLength; n > 0 {
		// The header is only believed so far; what really comes grows the buffer.
		buf.Grow(int(min(n, keepBuffer)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		return nil, "", err
	}
	if int64(buf.Len()) > limit {
		return nil, "", tooLarge(limit)
	}
	wire := buf.Bytes()
	sum := sha256.Sum256(wire)
	hash = hex.EncodeToString(sum[:16])
	if hash == known {
		return nil, hash, nil
	}
	body, err = decompress(wire, resp.Header, limit)
	return body, hash, err
}

// decompress returns what the wire's bytes stand for, in a slice of its own. A feed
// that is itself a gzip file is unpacked as well, whatever its headers say.
func decompress(wire []byte, h http.Header, limit int64) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ",")))
	switch encoding {
	case "", "identity", "gzip", "x-gzip":
		if bytes.HasPrefix(wire, []byte{0x1f, 0x8b, 0x08}) {
			return gunzip(wire, limit)
		}
		// Some servers and proxies decompress and forget to say so.
		return bytes.Clone(notNil(wire)), nil
	case "deflate":
		return inflate(wire, limit)
	}
	return nil, &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: fmt.Errorf("the body is encoded as %q, which we did not ask for", clip(encoding, 40))}
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func gunzip(wire []byte, limit int64) ([]byte, error) {
	z := gzips.Get().(*gzip.Reader)
	defer gzips.Put(z)
	if err := z.Reset(bytes.NewReader(wire)); err != nil {
		return nil, badCompression(err)
	}
	// The last four bytes are the size, unless they lie.
	// Source: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
	hint := int64(binary.LittleEndian.Uint32(wire[max(0, len(wire)-4):]))
	return expand(z, int64(len(wire)), hint, limit)
}

// inflate reads the deflate coding, which is zlib's format by the standard and raw
// deflate by the habit of some servers.
// Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2
func inflate(wire []byte, limit int64) ([]byte, error) {
	raw := wire
	if len(raw) >= 2 && raw[0]&0x0f == 8 && (int(raw[0])<<8|int(raw[1]))%31 == 0 {
		raw = raw[2:] // the checksum after the data goes unread
	}
	return expand(flate.NewReader(bytes.NewReader(raw)), int64(len(wire)), int64(len(wire))*4, limit)
}

// expand reads r to its end, but not beyond limit, nor beyond what honest text can
// grow to from packed bytes.
func expand(r io.Reader, packed, hint, limit int64) ([]byte, error) {
	allowed := min(limit, max(ratioFrom, packed*maxRatio))
	out := make([]byte, 0, min(max(hint, 512), packed*maxRatio, limit)+bytes.MinRead)
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)) > limit:
			return nil, tooLarge(limit)
		case int64(len(out)) > allowed:
			return nil, &feeds.Trouble{Kind: feeds.TroubleTooLarge, Err: fmt.Errorf("the body grows more than %d times when decompressed", maxRatio)}
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, badCompression(err)
		}
	}
}

func tooLarge(limit int64) error {
	return &feeds.Trouble{Kind: feeds.TroubleTooLarge, Err: fmt.Errorf("the body is larger than %d bytes", limit)}
}

func badCompression(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &feeds.Trouble{Kind: feeds.TroubleNetwork, Err: errors.New("the compressed body is cut short")}
	}
	return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: fmt.Errorf("decompressing the body: %w", err)}
}
