package discord

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"seedcorn/bot"
)

// maxInteraction is the most bytes of an interaction that are read; one with a
// message and all its embeds stays far below.
const maxInteraction = 1 << 20

// maxAge is how old, or how far ahead, a signed request may be. Discord signs the
// time and leaves judging it to us; a captured request is of no use for longer.
const maxAge = 5 * time.Minute

// Headers of a signed request.
// https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers
const (
	headerSignature = "X-Signature-Ed25519"
	headerTimestamp = "X-Signature-Timestamp"
)

// Handler takes interactions over HTTP, for the application's interactions endpoint
// URL. Whatever is not signed by Discord is answered with 401, a PING with a PONG.
// Without a public key everything is refused. Answers that take long are followed up
// after the request was answered; [Adapter.Run] waits for them when it ends.
func (a *Adapter) Handler(h bot.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "interactions are posted", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInteraction))
		if err != nil {
			status := http.StatusBadRequest
			var long *http.MaxBytesError
			if errors.As(err, &long) {
				status = http.StatusRequestEntityTooLarge
			}
			http.Error(w, "the request could not be read", status)
			return
		}
		stamp := r.Header.Get(headerTimestamp)
		if !verify(a.key, r.Header.Get(headerSignature), stamp, body) || !fresh(stamp, time.Now()) {
			http.Error(w, "invalid request signature", http.StatusUnauthorized)
			return
		}
		q, err := a.decode(body)
		if err != nil {
			a.log.Error("reading an interaction", "error", err)
			http.Error(w, "not an interaction", http.StatusBadRequest)
			return
		}
		a.answers.begin()
		first, after := a.respond(context.WithoutCancel(r.Context()), h, q)
		given := a.write(w, q, first)
		go func() {
			defer a.answers.end()
			after(given)
		}()
	})
}

// write gives the first answer as the answer to a request.
func (a *Adapter) write(w http.ResponseWriter, q ask, first callback) bool {
	b, err := encode(first)
	if err != nil {
		a.log.Error("answering", "invocation", q.id, "error", err)
		http.Error(w, "no answer", http.StatusInternalServerError)
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, err = w.Write(b)
	if flush := http.NewResponseController(w).Flush(); err == nil && !errors.Is(flush, http.ErrNotSupported) {
		err = flush
	}
	if err != nil {
		a.log.Error("answering", "invocation", q.id, "error", err)
	}
	return err == nil
}

// verify reports whether a signature in hexadecimal is the key's over timestamp and
// raw body.
func verify(key ed25519.PublicKey, signature, timestamp string, body []byte) bool {
	sig, err := hex.DecodeString(signature)
	if err != nil || len(sig) != ed25519.SignatureSize || len(key) != ed25519.PublicKeySize || timestamp == "" {
		return false
	}
	return ed25519.Verify(key, bytes.Join([][]byte{[]byte(timestamp), body}, nil), sig)
}

// fresh reports whether a timestamp, in Unix seconds, is of about now.
func fresh(timestamp string, now time.Time) bool {
	s, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(s, 0))
	return age <= maxAge && age >= -maxAge
}
