package slack

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The example of https://docs.slack.dev/authentication/verifying-requests-from-slack.
const (
	documentedStamp     = "1531420618"
	documentedBody      = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	documentedSignature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
)

func TestVerify(t *testing.T) {
	at := time.Unix(1531420618, 0)
	header := func(stamp, signature string) http.Header {
		h := http.Header{}
		h.Set("X-Slack-Request-Timestamp", stamp)
		h.Set("X-Slack-Signature", signature)
		return h
	}
	good := header(documentedStamp, documentedSignature)
	tests := []struct {
		name   string
		secret Secret
		h      http.Header
		body   string
		now    time.Time
		want   error
	}{
		{"as documented", testSecret, good, documentedBody, at, nil},
		{"at the end of five minutes", testSecret, good, documentedBody, at.Add(5 * time.Minute), nil},
		{"after five minutes", testSecret, good, documentedBody, at.Add(5*time.Minute + time.Second), errStale},
		{"of the future", testSecret, good, documentedBody, at.Add(-6 * time.Minute), errStale},
		{"another secret", "x", good, documentedBody, at, errForged},
		{"no secret", "", good, documentedBody, at, errUnsigned},
		{"another body", testSecret, good, documentedBody + "&text=x", at, errForged},
		{"cut short", testSecret, good, documentedBody[:100], at, errForged},
		{"another time", testSecret, header("1531420619", documentedSignature), documentedBody, at, errForged},
		{"no headers", testSecret, http.Header{}, documentedBody, at, errUnsigned},
		{"no number", testSecret, header("yesterday", documentedSignature), documentedBody, at, errUnsigned},
		{"no version", testSecret, header(documentedStamp, strings.TrimPrefix(documentedSignature, "v0=")), documentedBody, at, errForged},
		{"another version", testSecret, header(documentedStamp, "v1"+documentedSignature[2:]), documentedBody, at, errForged},
		{"half a signature", testSecret, header(documentedStamp, documentedSignature[:35]), documentedBody, at, errForged},
		{"empty", testSecret, header(documentedStamp, "v0="), documentedBody, at, errForged},
		{"no hexadecimals", testSecret, header(documentedStamp, "v0=zz"), documentedBody, at, errForged},
		{"a time without end", testSecret, header("99999999999999999999", documentedSignature), documentedBody, at, errUnsigned},
		{"the least of times", testSecret, header("-9223372036854775808", documentedSignature), documentedBody, at, errStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := verify(tt.secret, tt.h, []byte(tt.body), tt.now); !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	if got := "v0=" + hex.EncodeToString(sign(testSecret, documentedStamp, []byte(documentedBody))); got != documentedSignature {
		t.Errorf("our own signer says %s", got)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(documentedStamp, documentedSignature, documentedBody)
	f.Add("0", "v0=", "")
	f.Add("-9223372036854775808", "v0=00", "x")
	f.Fuzz(func(t *testing.T, stamp, signature, body string) {
		h := http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {signature}}
		err := verify(testSecret, h, []byte(body), time.Unix(1531420618, 0))
		if err == nil && (stamp != documentedStamp || signature != documentedSignature || body != documentedBody) {
			// Only the other spellings of the same signature may pass.
			if !strings.EqualFold(signature, documentedSignature) && hex.EncodeToString(sign(testSecret, stamp, []byte(body))) != strings.ToLower(strings.TrimPrefix(signature, "v0=")) {
				t.Errorf("%q, %q, %q passes", stamp, signature, body)
			}
		}
	})
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRefusals(t *testing.T) {
	now := time.Now()
	e := &echo{}
	a, logs := newAdapter(t, newFake(t), nil)
	h := a.Handler(e)
	change := func(r *http.Request, f func(*http.Request)) *http.Request { f(r); return r }
	once := signedRequest("/slack/commands", slash("help"), now)
	if w := do(h, once); w.Code != 200 {
		t.Fatalf("the good one: %d", w.Code)
	}
	again := signedRequest("/slack/commands", slash("help"), now)
	tests := []struct {
		name string
		r    *http.Request
		want int
	}{
		{"replayed", again, 401},
		{"replayed elsewhere", change(signedRequest("/slack/interactive", slash("help"), now), func(*http.Request) {}), 401},
		{"stale", signedRequest("/slack/commands", slash("old"), now.Add(-6*time.Minute)), 401},
		{"forged", change(signedRequest("/slack/commands", slash("x"), now), func(r *http.Request) { r.Header.Set("X-Slack-Signature", documentedSignature) }), 401},
		{"unsigned", change(signedRequest("/slack/commands", slash("x"), now), func(r *http.Request) { r.Header.Del("X-Slack-Signature") }), 401},
		{"too large", signedRequest("/slack/commands", "text="+strings.Repeat("x", maxRequest), now), 413},
		{"by GET", httptest.NewRequest("GET", "/slack/commands", nil), 405},
		{"elsewhere", signedRequest("/slack/other", "x", now), 404},
		{"no form", signedRequest("/slack/commands", "%zz", now), 400},
		{"nobody's command", signedRequest("/slack/commands", "text=help", now), 400},
		{"no payload", signedRequest("/slack/interactive", "x=y", now), 400},
		{"a payload that is no JSON", signedRequest("/slack/interactive", "payload=%7B", now), 400},
		{"an event that is no JSON", signedRequest("/slack/events", "{", now), 400},
		{"an event of other types", signedRequest("/slack/events", `{"type":5}`, now), 400},
		{"an event of no concern", signedRequest("/slack/events", `{"type":"event_callback","event_id":"E9","event":{"type":"team_join"}}`, now), 200},
		{"a click on nothing", signedRequest("/slack/interactive", "payload="+url.QueryEscape(`{"type":"block_actions","user":{"id":"U1"}}`), now), 200},
		{"a click of somebody else's", signedRequest("/slack/interactive", "payload="+url.QueryEscape(`{"type":"block_actions","user":{"id":"U1"},"actions":[{"action_id":"theirs","value":"x"}]}`), now), 200},
		{"a form of somebody else's", signedRequest("/slack/interactive", "payload="+url.QueryEscape(`{"type":"view_submission","user":{"id":"U1"},"view":{"callback_id":"seedcorn_form","private_metadata":"x"}}`), now), 400},
		{"Slack trying the certificate", signedRequest("/slack/commands", "ssl_check=1&token=x", now), 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := do(h, tt.r); w.Code != tt.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
	if n := len(e.all()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if !strings.Contains(logs.String(), "refusing a request") {
		t.Error("nothing in the log")
	}
}

func TestCutRequest(t *testing.T) {
	a, _ := newAdapter(t, newFake(t), nil)
	r := signedRequest("/slack/commands", slash("help"), time.Now())
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("text=he"), errReader{}))
	if w := do(a.Handler(&echo{}), r); w.Code != 400 {
		t.Errorf("%d", w.Code)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestURLVerification(t *testing.T) {
	a, _ := newAdapter(t, newFake(t), nil)
	w := do(a.Handler(&echo{}), signedRequest("/slack/events", `{"type":"url_verification","token":"x","challenge":"<b>3eZbrw1a"}`, time.Now()))
	if w.Code != 200 || w.Body.String() != "<b>3eZbrw1a" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%d %q %q", w.Code, w.Body, w.Header())
	}
}

// Whoever has no secret accepts nothing.
func TestNoSecret(t *testing.T) {
	a, _ := newAdapter(t, newFake(t), func(o *Options) { o.SigningSecret = "" })
	r := signedRequest("/slack/commands", slash("help"), time.Now())
	if w := do(a.Handler(&echo{}), r); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
}
