package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/digest/store/plenty"
)

// BenchmarkAutocomplete measures what a person waits for while typing an option, on
// our side of the wire: a signed request is checked, decoded, completed from a store
// of -works works (100,000), and answered. It reports the median and the 99th percentile over
// all options that complete; each typed text is a different one.
//
//	go test ./cmd/seedcorn -run - -bench Autocomplete -benchtime 2000x
func BenchmarkAutocomplete(b *testing.B) {
	a, w := plentiful(b)
	r := rand.New(rand.NewPCG(3, 3))
	word := plenty.Words(r)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	router := bot.NewRouter(desk{w, a.now}, w.log)
	adapter, err := discord.New(discord.Options{Token: "t", PublicKey: hex.EncodeToString(public), HTTPOnly: true, Log: w.log})
	if err != nil {
		b.Fatal(err)
	}
	handler := adapter.Handler(router)
	ask := func(command, param, typed string) (int, []byte) {
		body, err := json.Marshal(map[string]any{
			"id": "700000000000000001", "application_id": "900000000000000002", "type": 4, "token": "token", "guild_id": "200000000000000001", "channel_id": "100000000000000001",
			"member": map[string]any{"user": map[string]any{"id": "300000000000000001", "username": "ada"}, "permissions": "0"},
			"data": map[string]any{"id": "1", "name": "digest", "type": 1, "options": []any{map[string]any{"name": command, "type": 1, "options": []any{
				map[string]any{"name": param, "type": 3, "value": typed, "focused": true},
			}}}},
		})
		if err != nil {
			b.Fatal(err)
		}
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		req := httptest.NewRequest(http.MethodPost, "/discord/interactions", bytes.NewReader(body))
		req.Header.Set("X-Signature-Timestamp", stamp)
		req.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(private, append([]byte(stamp), body...))))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, req)
		return answer.Code, answer.Body.Bytes()
	}
	beginning := func(word string) string { return word[:1+r.IntN(len(word))] }
	kinds := []struct {
		command, param string
		typed          func() string
	}{
		{"work", "work", func() string { return beginning(word()) }},
		{"why", "work", func() string {
			return word() + " " + beginning(word())
		}},
		{"can-we-use", "work", func() string { return word() + " " + word() + " " + word() }},
		{"save", "work", func() string { return "" }},
		{"lab", "lab", func() string { return beginning("university of") }},
		{"country", "country", func() string { return beginning("united") }},
		{"license", "license", func() string { return beginning("apache") }},
		{"search", "query", func() string { return "reasoning country:FR lab:" + beginning("google") }},
		{"search", "query", func() string { return beginning("germany") }},
	}
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		k := kinds[len(took)%len(kinds)]
		typed := k.typed()
		began := time.Now()
		code, body := ask(k.command, k.param, typed)
		took = append(took, time.Since(began))
		if code != http.StatusOK || !bytes.Contains(body, []byte(`"choices"`)) {
			b.Fatalf("%s %s:%q is answered with %d %s", k.command, k.param, typed, code, body)
		}
		if k.param == "work" && typed == "" && bytes.Count(body, []byte(`"value"`)) != 25 {
			b.Fatalf("without a word: %s", body)
		}
	}
	reportTimes(b, took)
}
