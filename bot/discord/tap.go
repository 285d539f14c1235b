package discord

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// A tap listens on the gateway's connection below discordgo, for what
// that the library keeps to itself or gets wrong: the code with which the connection was
// closed, the interval of heartbeats, a call to reconnect while it is not ready yet, on
// which it would lock up, and word that the session is not valid, on which it would begin
// another at once, out of turn, and again and again.
//
// It follows the frames of https://www.rfc-editor.org/rfc/rfc6455#section-5.2 from the
// server, which are neither masked nor, as we connect, compressed.
type tap struct {
	net.Conn
	opening  atomic.Bool
	code     atomic.Int32 // of the close frame; 0 if there was none
	interval atomic.Int64 // nanoseconds; 0 before Hello
	invalid  atomic.Bool  // the session is none any more

	buf      []byte // what is not understood yet
	upgraded bool   // the HTTP answer is over
	skip     uint64 // bytes left of a frame that is not looked into
	lost     bool   // it is not what we know
	cut      error
}

// newTap listens to c, unless what c carries is encrypted.
func newTap(c net.Conn, encrypted bool) *tap {
	t := &tap{Conn: c, lost: encrypted}
	t.opening.Store(true)
	return t
}

// errReconnect ends a connection that Discord wants to have ended, errInvalid one whose
// session is not valid.
var (
	errReconnect = errors.New("the gateway asks to reconnect")
	errInvalid   = errors.New("the gateway says that the session is not valid")
)

// maxFrame is the longest frame that is looked into, maxHead the longest HTTP answer,
// maxWord the longest frame that has nothing to say but an operation.
const (
	maxFrame = 64 << 10
	maxHead  = 16 << 10
	maxWord  = 64
)

func (t *tap) Read(p []byte) (int, error) {
	if t.cut != nil {
		return 0, t.cut
	}
	n, err := t.Conn.Read(p)
	if n > 0 && !t.lost {
		t.follow(p[:n])
		if t.cut != nil {
			return 0, t.cut
		}
	}
	return n, err
}

func (t *tap) follow(p []byte) {
	if t.skip > 0 {
		n := min(t.skip, uint64(len(p)))
		t.skip -= n
		p = p[n:]
	}
	t.buf = append(t.buf, p...)
	if !t.upgraded {
		at := bytes.Index(t.buf, []byte("\r\n\r\n"))
		if at < 0 {
			t.lost = len(t.buf) > maxHead
			return
		}
		t.upgraded = true
		t.buf = t.buf[at+4:]
	}
	for t.frame() {
	}
}

// frame takes one frame off the buffer, if there is a whole one.
func (t *tap) frame() bool {
	if len(t.buf) < 2 {
		return false
	}
	head, n := 2, uint64(t.buf[1]&0x7f)
	switch n {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	if len(t.buf) < head {
		return false
	}
	switch head {
	case 4:
		n = uint64(binary.BigEndian.Uint16(t.buf[2:]))
	case 10:
		n = binary.BigEndian.Uint64(t.buf[2:])
	}
	if n > maxFrame {
		have := uint64(len(t.buf) - head)
		if have >= n {
			t.buf = t.buf[uint64(head)+n:]
			return true
		}
		t.skip, t.buf = n-have, nil
		return false
	}
	if uint64(len(t.buf)-head) < n {
		return false
	}
	opcode, payload := t.buf[0]&0xf, t.buf[head:head+int(n)]
	const text, closing = 1, 8
	switch {
	case opcode == closing && len(payload) >= 2:
		t.code.Store(int32(binary.BigEndian.Uint16(payload)))
	case opcode == text && (t.opening.Load() || t.interval.Load() == 0 || n <= maxWord):
		t.message(payload)
	}
	t.buf = append([]byte(nil), t.buf[head+int(n):]...)
	return t.cut == nil
}

// Operations of the gateway.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes
const (
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
)

func (t *tap) message(payload []byte) {
	var m struct {
		Op int             `json:"op"`
		D  json.RawMessage `json:"d"`
	}
	if json.Unmarshal(payload, &m) != nil {
		return
	}
	switch m.Op {
	case opHello:
		var hello struct {
			Interval int64 `json:"heartbeat_interval"`
		}
		if json.Unmarshal(m.D, &hello) == nil && hello.Interval > 0 {
			t.interval.Store(int64(min(time.Duration(hello.Interval)*time.Millisecond, 10*time.Minute)))
		}
	case opReconnect:
		if t.opening.Load() {
			t.cut = errReconnect
		}
	case opInvalid:
		// Its data say whether the session may be resumed all the same.
		t.invalid.Store(string(m.D) != "true")
		t.cut = errInvalid
	}
}
