package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/digest"
	"seedcorn/feeds"
)

// BenchmarkAutocomplete measures what a person waits for while typing an option, on
// our side of the wire: a signed request is checked, decoded, completed from a store
// of 100,000 works, and answered. It reports the median and the 99th percentile over
// all options that complete; each typed text is a different one.
//
//	go test ./cmd/seedcorn -run - -bench Autocomplete -benchtime 2000x
func BenchmarkAutocomplete(b *testing.B) {
	works := 100_000
	if testing.Short() {
		works = 2_000
	}
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, now: time.Now}
	w, err := a.openWith(b.Context(), demoConfig("http://127.0.0.1:1", filepath.Join(b.TempDir(), "bench.db")))
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	r := rand.New(rand.NewPCG(3, 3))
	// Words as frequent as words are: a few everywhere, most hardly ever.
	zipf := rand.NewZipf(r, 1.1, 8, 60_000)
	word := func() string {
		n := zipf.Uint64()
		if n < uint64(len(benchWords)) {
			return benchWords[n]
		}
		return benchWords[n%uint64(len(benchWords))] + strconv.FormatUint(n, 36)
	}
	words := func(n int) string {
		var out []string
		for range n {
			out = append(out, word())
		}
		return strings.Join(out, " ")
	}
	for at := 0; at < works; at += 2000 {
		var entries []digest.Entry
		for i := at; i < min(at+2000, works); i++ {
			title := words(9)
			published := time.Now().Add(-time.Duration(i) * 30 * time.Minute)
			link := fmt.Sprintf("https://bench.example/%d", i)
			entries = append(entries, digest.Entry{Item: feeds.Item{
				ID: feeds.NewItemID("feed:bench", link), Source: "feed:bench", Kind: feeds.ItemPost, GUID: link, URL: link, Title: title, Summary: words(110),
				Published: published, Seen: published, Keys: []feeds.Key{{Scheme: feeds.KeyURL, Value: link}},
			}})
		}
		if _, err := w.db.Ingest(b.Context(), []digest.Arrival{{Entries: entries, At: time.Now()}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.db.Rest(b.Context()); err != nil {
		b.Fatal(err)
	}
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
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.5), "ms/median")
	b.ReportMetric(at(0.99), "ms/p99")
	b.ReportMetric(at(1), "ms/max")
}
