package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"seedcorn/bot"
)

// The reasons for which a request is refused.
var (
	errUnsigned = errors.New("the request is not signed")
	errStale    = errors.New("the signature is too old, or of the future")
	errForged   = errors.New("the signature is not Slack's")
	errReplayed = errors.New("the request was made before")
)

// verify checks a request's signature over its raw body
// (https://docs.slack.dev/authentication/verifying-requests-from-slack): the HMAC of
// "v0:timestamp:body", compared in constant time, no older than five minutes.
func verify(secret Secret, h http.Header, body []byte, now time.Time) error {
	stamp, signature := h.Get("X-Slack-Request-Timestamp"), h.Get("X-Slack-Signature")
	if secret == "" || stamp == "" || signature == "" {
		return errUnsigned
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errUnsigned
	}
	if age := now.Unix() - at; age > int64(signedWithin.Seconds()) || age < -int64(signedWithin.Seconds()) {
		return errStale
	}
	given, err := hex.DecodeString(strings.TrimPrefix(signature, "v0="))
	if err != nil || !strings.HasPrefix(signature, "v0=") {
		return errForged
	}
	if !hmac.Equal(given, sign(secret, stamp, body)) {
		return errForged
	}
	return nil
}

func sign(secret Secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return mac.Sum(nil)
}

// Handler is the way in over HTTP: /slack/commands, /slack/interactive and
// /slack/events, and with [Options.Install] /slack/install and /slack/oauth. It
// answers 401 to what Slack did not sign in the last five minutes or has sent
// before, 413 to what is too large, 400 to what cannot be read.
func (a *Adapter) Handler(h bot.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/commands", a.signed(func(w http.ResponseWriter, r *http.Request, id string, body []byte) {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			http.Error(w, "no form", http.StatusBadRequest)
			return
		}
		if form.Get("ssl_check") == "1" { // Slack tries the certificate
			return
		}
		raw, err := formJSON(form)
		if err != nil {
			http.Error(w, "no form", http.StatusBadRequest)
			return
		}
		a.respond(w, r, h, kindCommand, id, raw)
	}))
	mux.HandleFunc("POST /slack/interactive", a.signed(func(w http.ResponseWriter, r *http.Request, id string, body []byte) {
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("payload") == "" {
			http.Error(w, "no payload", http.StatusBadRequest)
			return
		}
		a.respond(w, r, h, kindInteractive, id, []byte(form.Get("payload")))
	}))
	mux.HandleFunc("POST /slack/events", a.signed(func(w http.ResponseWriter, r *http.Request, id string, body []byte) {
		var c callback
		if err := json.Unmarshal(body, &c); err != nil {
			http.Error(w, "no event", http.StatusBadRequest)
			return
		}
		if c.Type == "url_verification" { // https://docs.slack.dev/reference/events/url_verification
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			io.WriteString(w, c.Challenge)
			return
		}
		a.respond(w, r, h, kindEvent, id, body)
	}))
	if a.opt.Install != nil {
		a.install(mux)
	}
	return mux
}

// signed lets through only what Slack signed, once.
func (a *Adapter) signed(next func(w http.ResponseWriter, r *http.Request, id string, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "cut short", http.StatusBadRequest)
			return
		}
		now := time.Now()
		err = verify(a.opt.SigningSecret, r.Header, body, now)
		id := r.Header.Get("X-Slack-Signature")
		if err == nil {
			if _, first := a.seen.begin("signature "+id, now); !first {
				err = errReplayed
			}
		}
		if err != nil {
			a.log.Warn("refusing a request", "platform", Name, "path", r.URL.Path, "error", err)
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		next(w, r, id, body)
	}
}

// respond takes a request and writes its acknowledgment.
func (a *Adapter) respond(w http.ResponseWriter, r *http.Request, h bot.Handler, kind, id string, raw []byte) {
	ack, err := a.take(r.Context(), h, kind, id[:min(len(id), 19)], raw)
	if err != nil {
		a.log.Warn("reading a request", "platform", Name, "path", r.URL.Path, "error", err)
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	if ack == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(ack)
}
