package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"seedcorn/bot"
	"seedcorn/bot/message"
	"seedcorn/digest"
)

var here = digest.Destination{Platform: Name, Workspace: guild, Channel: chanID}

func onePart(t testing.TB, a *Adapter) bot.Part {
	t.Helper()
	parts, err := a.Render(message.Document{Summary: "This week", Blocks: []message.Block{
		message.Heading{Level: 1, Text: "This week"},
		message.Story{Title: "A work", URL: "https://example.org/", Openness: 3, Actions: []message.Action{{Label: "Why?", Command: "why w1"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return parts[0]
}

func fate(t *testing.T, err error) *bot.PostError {
	t.Helper()
	var p *bot.PostError
	if !errors.As(err, &p) {
		t.Fatalf("error %v is no *bot.PostError", err)
	}
	if p.Say == "" {
		t.Error("the owner is told nothing")
	}
	return p
}

func TestPost(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	const id = bot.DeliveryID("d-0123456789/0/and-longer-than-a-nonce")
	first, err := a.Post(t.Context(), here, id, part, "")
	if err != nil {
		t.Fatal(err)
	}
	r := f.last(t, http.MethodPost, "/messages")
	if r.auth != "Bot token-of-a-test" {
		t.Errorf("authorization %q", r.auth)
	}
	check(t, r.body)
	var body struct {
		Nonce      string `json:"nonce"`
		Enforce    bool   `json:"enforce_nonce"`
		Flags      int
		Components []component
	}
	if err := json.Unmarshal(r.body, &struct {
		Nonce   *string `json:"nonce"`
		Enforce *bool   `json:"enforce_nonce"`
	}{&body.Nonce, &body.Enforce}); err != nil {
		t.Fatal(err)
	}
	if body.Nonce != nonce(id) || !body.Enforce || len(body.Nonce) > maxNonce || len(body.Nonce) < 20 {
		t.Errorf("nonce %q, enforced %v", body.Nonce, body.Enforce)
	}
	// Said again, it is the same message.
	again, err := a.Post(t.Context(), here, id, part, "")
	if err != nil || again != first {
		t.Errorf("a second post gives %q, %v, want %q", again, err, first)
	}
	// What follows is put below it.
	if _, err := a.Post(t.Context(), here, id+"2", part, first); err != nil {
		t.Fatal(err)
	}
	_, message, _ := readReceipt(first)
	if r := f.last(t, http.MethodPost, "/messages"); !strings.Contains(string(r.body), `"message_reference":{"message_id":"`+message+`","fail_if_not_exists":false}`) && !strings.Contains(string(r.body), `"message_reference":{"fail_if_not_exists":false,"message_id":"`+message+`"}`) {
		t.Errorf("no reference to %s in %s", message, r.body)
	}
	posts := len(f.messages[chanID])
	if err := a.Edit(t.Context(), here, id, first, part); err != nil {
		t.Fatal(err)
	}
	if r := f.last(t, http.MethodPatch, "/messages/"+message); !strings.Contains(string(r.body), "A work") || strings.Contains(string(r.body), "nonce") || !strings.Contains(string(r.body), strconv.Itoa(marks(id)[0])) {
		t.Errorf("edited with %s", r.body)
	}
	if n := len(f.messages[chanID]); n != posts {
		t.Errorf("an edit makes %d messages of %d", n, posts)
	}
}

func TestNonce(t *testing.T) {
	for _, tt := range []struct {
		id   bot.DeliveryID
		same bool
	}{{"dx7k3m9q2x-0", true}, {"", false}, {"a b", false}, {"é", false}, {bot.DeliveryID(strings.Repeat("x", 26)), false}} {
		got := nonce(tt.id)
		if (got == string(tt.id)) != tt.same || len(got) > maxNonce || got == "" {
			t.Errorf("nonce(%q) = %q", tt.id, got)
		}
	}
	seen := map[[2]int]bool{}
	for i := range 1000 {
		m := marks(bot.DeliveryID(fmt.Sprint(i)))
		if seen[m] || m[0] == m[1] || m[0] <= 0 || m[0] >= 1<<31 || m[1] <= 0 || m[1] >= 1<<31 {
			t.Fatalf("marks %v", m)
		}
		seen[m] = true
	}
}

// What can go wrong, and what becomes of the delivery.
func TestPostFates(t *testing.T) {
	page := "<html><title>Access denied</title></html>"
	answer := func(status int, body string, header ...string) func(http.ResponseWriter, *http.Request, func() []byte) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	code := func(c int) string { return fmt.Sprintf(`{"code":%d,"message":"No"}`, c) }
	hijack := func(w http.ResponseWriter, send string) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, send)
		if tcp, ok := c.(*net.TCPConn); ok && send == "" {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
	for _, tt := range []struct {
		name  string
		hook  func(http.ResponseWriter, *http.Request, func() []byte) bool
		fate  bot.Fate
		after time.Duration
		say   string
	}{
		{"429 in JSON", answer(429, `{"message":"You are being rate limited.","retry_after":0.65,"global":false}`, "X-RateLimit-Scope", "user"), bot.FateRetry, 650 * time.Millisecond, "wait"},
		{"429 for all routes", answer(429, `{"message":"You are being rate limited.","retry_after":3.5,"global":true}`, "X-RateLimit-Global", "true"), bot.FateRetry, 3500 * time.Millisecond, "wait"},
		{"429 in HTML", answer(429, page, "Retry-After", "7", "Content-Type", "text/html"), bot.FateRetry, 7 * time.Second, "wait"},
		{"429 in HTML that says nothing", answer(429, page), bot.FateRetry, time.Minute, "wait"},
		{"429 for ever", answer(429, `{"message":"x","retry_after":1e300}`), bot.FateRetry, maxWait, "wait"},
		{"slow mode", answer(400, code(20016)), bot.FateRetry, time.Minute, "wait"},
		{"token that was reset", answer(401, code(0)), bot.FateRetry, badTokenPause, "token"},
		{"removed from the server", answer(404, code(10004)), bot.FateDead, 0, "removed from it"},
		{"no server in common", answer(403, code(50278)), bot.FateDead, 0, "direct messages"},
		{"a server that is down", answer(503, `{"message":"Guild is unavailable","code":0}`), bot.FateUnsure, 0, "error of its own"},
		{"missing access", answer(403, code(50001)), bot.FateDead, 0, "cannot see"},
		{"missing permissions", answer(403, code(50013)), bot.FateDead, 0, "Send Messages"},
		{"closed direct messages", answer(403, code(50007)), bot.FateDead, 0, "direct messages"},
		{"403 of another kind", answer(403, code(1)), bot.FateDead, 0, "permissions"},
		{"403 of a proxy", answer(403, page), bot.FateRetry, 10 * time.Minute, "turned us away"},
		{"unknown channel", answer(404, code(10003)), bot.FateDead, 0, "does not exist"},
		{"404 of another kind", answer(404, ""), bot.FateDead, 0, "gone"},
		{"invalid form", answer(400, code(50035)), bot.FateDead, 0, "refused"},
		{"500", answer(500, ""), bot.FateUnsure, 0, "error of its own"},
		{"502", answer(502, page), bot.FateUnsure, 0, "error of its own"},
		{"503", answer(503, code(0)), bot.FateUnsure, 0, "error of its own"},
		{"200 with a page", answer(200, page), bot.FateUnsure, 0, "could not be read"},
		{"200 with another thing", answer(200, `{"id":"x"}`), bot.FateUnsure, 0, "could not be read"},
		{"reset", func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool { hijack(w, ""); return true }, bot.FateUnsure, 0, "did not answer"},
		{"cut", func(w http.ResponseWriter, _ *http.Request, store func() []byte) bool {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"id\":")
			return true
		}, bot.FateUnsure, 0, "did not answer"},
		{"slow", func(_ http.ResponseWriter, r *http.Request, _ func() []byte) bool {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			return true
		}, bot.FateUnsure, 0, "did not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.hook = tt.hook
			a := f.adapter(t, Options{Timeout: 300 * time.Millisecond})
			_, err := a.Post(t.Context(), here, "d1", onePart(t, a), "")
			p := fate(t, err)
			if p.Fate != tt.fate || p.After != tt.after || !strings.Contains(p.Say, tt.say) {
				t.Errorf("%s after %s: %s (%v); want %s after %s: …%s…", p.Fate, p.After, p.Say, p.Err, tt.fate, tt.after, tt.say)
			}
			scope := map[string]digest.Scope{
				"429 in JSON": digest.ScopeChannel, "429 for all routes": digest.ScopePlatform, "429 in HTML": digest.ScopePlatform, "429 in HTML that says nothing": digest.ScopePlatform,
				"token that was reset": digest.ScopePlatform, "429 for ever": digest.ScopeChannel, "slow mode": digest.ScopeChannel, "403 of a proxy": digest.ScopePlatform,
			}[tt.name]
			if p.Scope != scope {
				t.Errorf("what is to wait is %q, want %q", p.Scope, scope)
			}
			if n := f.count(http.MethodPost, "/messages"); n != 1 {
				t.Errorf("%d requests, want 1: nobody may repeat a post but the ledger", n)
			}
			if strings.Contains(fmt.Sprint(err, p.Say), "token-of-a-test") {
				t.Error("the token is in the error")
			}
		})
	}
}

func TestPostUnreachable(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	f.Close()
	_, err := a.Post(t.Context(), here, "d1", part, "")
	if p := fate(t, err); p.Fate != bot.FateRetry {
		t.Errorf("%s (%v), want retry: nothing was sent", p.Fate, p.Err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f = newFake(t)
	a = f.adapter(t, Options{})
	_, err = a.Post(ctx, here, "d1", part, "")
	if p := fate(t, err); p.Fate != bot.FateRetry || !errors.Is(err, context.Canceled) || len(f.all()) > 0 {
		t.Errorf("canceled: %s (%v), %d requests", p.Fate, p.Err, len(f.all()))
	}
	for _, to := range []string{"", "x", "1/../2", "@", "@x", "-1"} {
		_, err := a.Post(t.Context(), digest.Destination{Channel: to}, "d1", part, "")
		if p := fate(t, err); p.Fate != bot.FateDead || len(f.all()) > 0 {
			t.Errorf("channel %q: %s, %d requests", to, p.Fate, len(f.all()))
		}
	}
	if _, err := a.Post(t.Context(), here, "d1", part, "nonsense"); fate(t, err).Fate != bot.FateDead {
		t.Error("a receipt that is none was taken")
	}
}

// Buckets are kept to by what the headers say; a long wait is handed back, a short
// one is sat out, and a context ends it.
func TestBuckets(t *testing.T) {
	f := newFake(t)
	reset := "0.2"
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset-After", reset)
		return false
	}
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	post := func(ctx context.Context, id bot.DeliveryID) error {
		_, err := a.Post(ctx, here, id, part, "")
		return err
	}
	began := time.Now()
	for _, id := range []bot.DeliveryID{"a", "b"} {
		if err := post(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		reset = "30"
	}
	if d := time.Since(began); d < 200*time.Millisecond || d > 5*time.Second {
		t.Errorf("the second post came after %s, want 200 ms", d)
	}
	p := fate(t, post(t.Context(), "c"))
	if p.Fate != bot.FateRetry || p.After < 25*time.Second || f.count(http.MethodPost, "/messages") != 2 {
		t.Errorf("with 30 s to wait: %s after %s, %d requests", p.Fate, p.After, f.count(http.MethodPost, "/messages"))
	}
	// Another channel is another bucket.
	other := here
	other.Channel = "100000000000000002"
	if _, err := a.Post(t.Context(), other, "d", part, ""); err != nil {
		t.Fatal(err)
	}
	a.limits.mu.Lock()
	a.limits.buckets["POST /channels/"+chanID+"/messages"].reset = time.Now().Add(3 * time.Second)
	a.limits.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began = time.Now()
	if p := fate(t, post(ctx, "e")); p.Fate != bot.FateRetry || time.Since(began) > 2*time.Second {
		t.Errorf("a wait of 3 s was not ended by its context: %s after %s", p.Fate, time.Since(began))
	}
}

// A global limit stops every bucket.
func TestGlobalLimit(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		w.WriteHeader(429)
		_, _ = io.WriteString(w, `{"message":"x","retry_after":40,"global":true}`)
		return true
	}
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	for i, ch := range []string{chanID, "100000000000000002", "100000000000000003"} {
		to := here
		to.Channel = ch
		_, err := a.Post(t.Context(), to, "x", part, "")
		if p := fate(t, err); p.Fate != bot.FateRetry || p.After < 30*time.Second || len(f.all()) != 1 {
			t.Errorf("post %d: %s after %s, %d requests", i, p.Fate, p.After, len(f.all()))
		}
	}
}

// Long before Discord bans our address, posts stop by themselves.
func TestBreaker(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		refuse(w, 403, codeMissingAccess, "Missing Access")
		return true
	}
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	now := time.Now()
	for range maxInvalid - 1 {
		a.breaker.count(now)
	}
	if _, err := a.Post(t.Context(), here, "a", part, ""); fate(t, err).Fate != bot.FateDead {
		t.Error("the breaker opened too early")
	}
	_, err := a.Post(t.Context(), here, "b", part, "")
	if p := fate(t, err); p.Fate != bot.FateRetry || p.After != breakerPause || len(f.all()) != 1 {
		t.Errorf("%s after %s, %d requests; want a pause", p.Fate, p.After, len(f.all()))
	}
	if !a.breaker.allow(now, true) {
		t.Error("people get no answers any more")
	}
	if !a.breaker.allow(now.Add(11*time.Minute), false) {
		t.Error("the breaker stays open")
	}
	for range maxInvalidAnswer {
		a.breaker.count(now)
	}
	if a.breaker.allow(now, true) {
		t.Error("answers go on until the ban")
	}
}

// Accepted, then an error: the message is there once, and is found by its marks,
// since a message that is read back does not tell its nonce.
func TestFind(t *testing.T) {
	f := newFake(t)
	fail := true
	f.hook = func(w http.ResponseWriter, r *http.Request, store func() []byte) bool {
		if r.Method == http.MethodPost && fail {
			store()
			w.WriteHeader(500)
			return true
		}
		return false
	}
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	began := time.Now()
	_, err := a.Post(t.Context(), here, "d1", part, "")
	if fate(t, err).Fate != bot.FateUnsure {
		t.Fatal(err)
	}
	fail = false
	for i := range 250 {
		if _, err := a.Post(t.Context(), here, bot.DeliveryID(fmt.Sprint("other", i)), part, ""); err != nil && i == 0 {
			t.Fatal(err)
		}
		if i == 3 {
			break
		}
	}
	f.mu.Lock()
	// Somebody else's message that looks the same is not ours; and there are many.
	for i := range 230 {
		f.messages[chanID] = append(f.messages[chanID], map[string]any{"id": f.id(), "author": map[string]any{"id": userID}, "components": []map[string]any{{"type": 10, "id": marks("d9")[0]}, {"type": 17, "id": marks("d9")[1]}}, "content": fmt.Sprint(i)})
	}
	f.mu.Unlock()
	if _, err := a.Post(t.Context(), here, "late", part, ""); err != nil {
		t.Fatal(err)
	}
	for _, id := range []bot.DeliveryID{"d1", "other2", "late"} {
		r, ok, err := a.Find(t.Context(), here, id, began)
		if err != nil || !ok {
			t.Fatalf("%s is not found: %v", id, err)
		}
		if err := a.Edit(t.Context(), here, id, r, part); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []bot.DeliveryID{"d9", "never"} {
		if r, ok, err := a.Find(t.Context(), here, id, began); ok || err != nil {
			t.Errorf("%s is found as %s, %v", id, r, err)
		}
	}
	if _, ok, _ := a.Find(t.Context(), here, "d1", time.Now().Add(time.Hour)); ok {
		t.Error("a message of long before is found")
	}
	// Where a nonce is told, it is enough.
	m := found{Nonce: json.RawMessage(`"d5"`)}
	m.Author.ID = botID
	if !m.carries(botID, "d5") || m.carries(botID, "d6") || m.carries(userID, "d5") {
		t.Error("nonces are misjudged")
	}
}

func TestFindCannotLook(t *testing.T) {
	f := newFake(t)
	status, code := 403, codeMissingAccess
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/messages") {
			return false
		}
		refuse(w, status, code, "No")
		return true
	}
	a := f.adapter(t, Options{})
	if _, _, err := a.Find(t.Context(), here, "d1", time.Now()); !errors.Is(err, bot.ErrCannotLook) {
		t.Errorf("without the permission: %v", err)
	}
	status, code = 404, codeUnknownChannel
	if _, ok, err := a.Find(t.Context(), here, "d1", time.Now()); ok || err != nil {
		t.Errorf("without the channel: %v, %v", ok, err)
	}
	status, code = 500, 0
	if _, ok, err := a.Find(t.Context(), here, "d1", time.Now()); ok || err == nil || errors.Is(err, bot.ErrCannotLook) {
		t.Errorf("with an error of Discord's: %v, %v; it is not known, and can be asked again", ok, err)
	}
}

func TestPostDirect(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{})
	part := onePart(t, a)
	to := digest.Destination{Platform: Name, Workspace: "@" + userID, Channel: "@" + userID}
	for i := range 2 {
		r, err := a.Post(t.Context(), to, bot.DeliveryID(fmt.Sprint("d", i)), part, "")
		if err != nil || !strings.HasPrefix(string(r), "400000000000000001/") {
			t.Fatalf("%s, %v", r, err)
		}
	}
	if n := f.count(http.MethodPost, "/users/@me/channels"); n != 1 {
		t.Errorf("the channel was opened %d times", n)
	}
	if _, ok, err := a.Find(t.Context(), to, "d1", time.Now()); !ok || err != nil {
		t.Errorf("not found: %v", err)
	}
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		refuse(w, 403, codeDMClosed, "Cannot send messages to this user")
		return true
	}
	_, err := a.Post(t.Context(), to, "d3", part, "")
	if p := fate(t, err); p.Fate != bot.FateDead || !strings.Contains(p.Say, "direct messages are closed") {
		t.Errorf("%s: %s", p.Fate, p.Say)
	}
}

func TestPostForum(t *testing.T) {
	f := newFake(t)
	f.kinds[chanID] = map[string]any{"id": chanID, "type": channelForum, "available_tags": []map[string]any{
		{"id": "1", "name": "New weights"}, {"id": "2", "name": "Papers"}, {"id": "3", "name": "new weights", "moderated": true},
	}}
	a := f.adapter(t, Options{})
	parts, err := a.Render(message.Document{Summary: "This week: 2 works", Blocks: []message.Block{message.Heading{Level: 2, Text: "New weights"}, message.Paragraph{Text: message.Plain("x")}}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	first, err := a.Post(t.Context(), here, "d1", parts[0], "")
	if err != nil {
		t.Fatal(err)
	}
	ch, m, _ := readReceipt(first)
	if ch != m || f.threads[0]["name"] != "This week: 2 works" || fmt.Sprint(f.threads[0]["applied_tags"]) != "[1]" {
		t.Errorf("posted as %s: %v", first, f.threads)
	}
	if r := f.last(t, http.MethodPost, "/threads"); strings.Contains(string(r.body), "nonce") {
		t.Errorf("threads take no nonce: %s", r.body)
	}
	second, err := a.Post(t.Context(), here, "d2", parts[0], first)
	if at, _, _ := readReceipt(second); err != nil || at != ch {
		t.Errorf("the second part is at %s, %v; want it in %s", second, err, ch)
	}
	// Another process, which does not know yet that it is a forum, finds both.
	b := f.adapter(t, Options{})
	for id, want := range map[bot.DeliveryID]bot.Receipt{"d1": first, "d2": second} {
		if r, ok, err := b.Find(t.Context(), here, id, began); r != want || !ok || err != nil {
			t.Errorf("%s is found as %s, %v, %v; want %s", id, r, ok, err, want)
		}
	}
	if _, ok, err := b.Find(t.Context(), here, "d3", began); ok || err != nil {
		t.Errorf("what is not there is found: %v", err)
	}
	if n := f.count(http.MethodPost, "/messages"); n != 2 {
		t.Errorf("%d messages, want the try and the second part", n)
	}
}

func TestForumTags(t *testing.T) {
	payload := string(mustJSON(map[string]any{"components": []any{
		map[string]any{"type": 10, "content": "## This week\n### Build on it · 3 of 9\nx ### papers"}, map[string]any{"type": 10, "content": "### Papers"}, map[string]any{"type": 10, "content": "### “Quoted” \"title\""},
	}}))
	tag := func(id, name string) forumTag { return forumTag{ID: id, Name: name} }
	for _, tt := range []struct {
		name  string
		tags  []forumTag
		flags int
		want  string
		fits  bool
	}{
		{"by section", []forumTag{tag("1", "Other"), tag("2", "build on it"), tag("3", "Papers")}, 0, "[2 3]", true},
		{"a word that only begins so", []forumTag{tag("1", "Paper"), tag("2", "build on")}, 0, "[2]", true},
		{"none fits", []forumTag{tag("1", "Other")}, 0, "[]", true},
		{"none fits, one is wanted", []forumTag{{ID: "1", Name: "Staff", Moderated: true}, tag("2", "Other"), tag("3", "More")}, flagRequireTag, "[2]", true},
		{"one is wanted, and all are the moderators'", []forumTag{{ID: "1", Name: "Papers", Moderated: true}}, flagRequireTag, "[]", false},
		{"no more than five", []forumTag{tag("1", "papers"), tag("2", "papers"), tag("3", "papers"), tag("4", "papers"), tag("5", "papers"), tag("6", "papers")}, 0, "[1 2 3 4 5]", true},
	} {
		ids, fits := channel{AvailableTags: tt.tags, Flags: tt.flags}.tagsFor(payload)
		if fmt.Sprint(ids) != tt.want || fits != tt.fits {
			t.Errorf("%s: %v, %v, want %s, %v", tt.name, ids, fits, tt.want, tt.fits)
		}
	}
}

// A forum that has changed since it was looked at is looked at again, once.
func TestForumChanged(t *testing.T) {
	f := newFake(t)
	forum := map[string]any{"id": chanID, "type": channelForum, "available_tags": []map[string]any{{"id": "1", "name": "Papers"}}}
	f.kinds[chanID] = forum
	a := f.adapter(t, Options{})
	parts, err := a.Render(message.Document{Summary: "This week", Blocks: []message.Block{message.Heading{Level: 2, Text: "Papers"}, message.Paragraph{Text: message.Plain("x")}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Post(t.Context(), here, "d1", parts[0], ""); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.kinds[chanID] = map[string]any{"id": chanID, "type": channelForum, "flags": flagRequireTag, "available_tags": []map[string]any{{"id": "7", "name": "News"}}}
	f.mu.Unlock()
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/threads") {
			return false
		}
		var got struct {
			Tags []string `json:"applied_tags"`
		}
		f.mu.Lock()
		_ = json.Unmarshal(f.requests[len(f.requests)-1].body, &got)
		f.mu.Unlock()
		if fmt.Sprint(got.Tags) != "[7]" {
			refuse(w, 400, codeInvalidForm, "Invalid Form Body")
			return true
		}
		return false
	}
	if _, err := a.Post(t.Context(), here, "d2", parts[0], ""); err != nil {
		t.Errorf("with other tags: %v", err)
	}
	f.mu.Lock()
	f.kinds[chanID] = map[string]any{"id": chanID, "type": channelForum, "flags": flagRequireTag}
	f.mu.Unlock()
	before := f.count(http.MethodPost, "/threads")
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if strings.HasSuffix(r.URL.Path, "/threads") {
			refuse(w, 400, codeTagRequired, "A tag is required")
			return true
		}
		return false
	}
	var e *bot.PostError
	if _, err := a.Post(t.Context(), here, "d3", parts[0], ""); !errors.As(err, &e) || e.Fate != bot.FateDead || !strings.Contains(e.Say, "Add a tag") {
		t.Errorf("without a tag: %v", err)
	}
	if n := f.count(http.MethodPost, "/threads") - before; n != 1 {
		t.Errorf("tried %d times", n)
	}
}

// An archived thread is opened again; a locked one is not ours to open.
func TestArchivedThread(t *testing.T) {
	for _, locked := range []bool{false, true} {
		f := newFake(t)
		a := f.adapter(t, Options{})
		archived := true
		f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
			switch {
			case r.Method == http.MethodPatch && locked:
				refuse(w, 403, codeMissingPerms, "Missing Permissions")
			case r.Method == http.MethodPatch:
				archived = false
				_, _ = w.Write([]byte("{}"))
			case r.Method == http.MethodPost && archived:
				refuse(w, 400, codeArchived, "Thread is archived")
			default:
				return false
			}
			return true
		}
		_, err := a.Post(t.Context(), here, "d1", onePart(t, a), "")
		var e *bot.PostError
		if locked && (!errors.As(err, &e) || e.Fate != bot.FateDead || !strings.Contains(e.Say, "locked")) || !locked && err != nil {
			t.Errorf("locked %v: %v", locked, err)
		}
		if n, want := f.count(http.MethodPost, "/messages"), map[bool]int{false: 2, true: 1}[locked]; n != want {
			t.Errorf("locked %v: %d posts, want %d", locked, n, want)
		}
	}
}

// A digest that may stand there twice says so, where there is room.
func TestPostResent(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{})
	for _, tt := range []struct {
		name, summary, text string
		want                bool
	}{
		{"again", digest.Resend + " This week", "Nothing new.", true},
		{"for the first time", "This week", "Nothing new.", false},
		{"without room", digest.Resend + " This week", strings.Repeat("x", maxText-9), false},
	} {
		parts, err := a.Render(message.Document{Blocks: []message.Block{message.Paragraph{Text: message.Plain(tt.text)}}})
		if err != nil || len(parts) != 1 {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
		parts[0].Summary = tt.summary
		if _, err := a.Post(t.Context(), here, bot.DeliveryID(tt.name), parts[0], ""); err != nil {
			t.Fatal(err)
		}
		body := f.last(t, http.MethodPost, "/messages").body
		check(t, body)
		if got := strings.Contains(string(body), `-# (resent)`); got != tt.want {
			t.Errorf("%s: says so: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPublish(t *testing.T) {
	f := newFake(t)
	f.kinds[chanID] = map[string]any{"id": chanID, "type": channelAnnouncement}
	a := f.adapter(t, Options{})
	r, err := a.Post(t.Context(), here, "d1", onePart(t, a), "")
	if err != nil {
		t.Fatal(err)
	}
	if n := f.count(http.MethodPost, "/crosspost"); n != 0 {
		t.Fatal("published without being asked to")
	}
	if err := a.Publish(t.Context(), here, r); err != nil {
		t.Fatal(err)
	}
	plain := here
	plain.Channel = chanID[:len(chanID)-1] + "2"
	for _, tt := range []struct {
		name         string
		to           digest.Destination
		receipt      bot.Receipt
		status, code int
		body         string // in place of status and code
		fate         bot.Fate
		after        time.Duration
		say          string
	}{
		{"published already", here, r, 400, codePublished, "", "", 0, ""},
		{"the hour is used up", here, r, 429, 0, `{"message":"You are being rate limited.","retry_after":1800.5,"global":false}`, bot.FateRetry, 1800500 * time.Millisecond, "wait"},
		{"deleted", here, r, 404, codeUnknownMessage, "", bot.FateDead, 0, "deleted"},
		{"not allowed", here, r, 403, codeMissingPerms, "", bot.FateDead, 0, "may not publish"},
		{"an error of its own", here, r, 500, 0, "", bot.FateUnsure, 0, "of its own"},
		{"a plain channel", plain, receipt(plain.Channel, "1"), 0, 0, "", bot.FateDead, 0, "Only messages of announcement channels"},
		{"no receipt", here, "x", 0, 0, "", bot.FateDead, 0, "cannot be found"},
	} {
		a := f.adapter(t, Options{})
		f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
			if !strings.HasSuffix(r.URL.Path, "/crosspost") || tt.status == 0 {
				return false
			}
			if tt.body != "" {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
				return true
			}
			refuse(w, tt.status, tt.code, "no")
			return true
		}
		before := f.count(http.MethodPost, "/crosspost")
		err := a.Publish(t.Context(), tt.to, tt.receipt)
		if n := f.count(http.MethodPost, "/crosspost") - before; n > 1 || tt.status == 0 && n > 0 {
			t.Errorf("%s: asked %d times", tt.name, n)
		}
		if tt.fate == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var e *bot.PostError
		if !errors.As(err, &e) || e.Fate != tt.fate || e.After != tt.after || !strings.Contains(e.Say, tt.say) {
			t.Errorf("%s: %v, want %s after %s …%s…", tt.name, err, tt.fate, tt.after, tt.say)
		}
	}
}

// A strict Discord in a bubble of time: 50 requests in each second over all, five
// messages in five seconds in each channel, 80 ms for an answer.
type strict struct {
	mu       sync.Mutex
	second   int64
	inSecond int
	channels map[string][]time.Time
	limited  int
	posts    int
}

func (s *strict) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	time.Sleep(40 * time.Millisecond)
	s.mu.Lock()
	now := time.Now()
	h := http.Header{}
	answer := func(status int, text string) *http.Response {
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: io.NopCloser(strings.NewReader(text)), Request: r}
	}
	var resp *http.Response
	if now.Unix() != s.second {
		s.second, s.inSecond = now.Unix(), 0
	}
	s.inSecond++
	ch := r.URL.Path
	recent := s.channels[ch]
	for len(recent) > 0 && now.Sub(recent[0]) >= 5*time.Second {
		recent = recent[1:]
	}
	switch {
	case s.inSecond > 50:
		s.limited++
		resp = answer(429, `{"message":"x","retry_after":1,"global":true}`)
	case len(recent) >= 5:
		s.limited++
		resp = answer(429, `{"message":"x","retry_after":5}`)
	default:
		recent = append(recent, now)
		s.posts++
		h.Set("X-RateLimit-Limit", "5")
		h.Set("X-RateLimit-Remaining", fmt.Sprint(5-len(recent)))
		h.Set("X-RateLimit-Reset-After", fmt.Sprint(recent[0].Add(5*time.Second).Sub(now).Seconds()))
		parts := strings.Split(ch, "/")
		resp = answer(200, fmt.Sprintf(`{"id":"%d","channel_id":%q}`, 1000+s.posts, parts[len(parts)-2]))
		_ = body
	}
	s.channels[ch] = recent
	s.mu.Unlock()
	time.Sleep(40 * time.Millisecond)
	return resp, nil
}

// TestDeliver1000 posts a digest of two parts to a thousand channels at once. The
// least time that Discord's limits allow is that of 2,000 requests, the first 50 of
// them at once and 50 in each second after, and one answer's time.
func TestDeliver1000(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &strict{channels: map[string][]time.Time{}}
		a := newAdapter(t, Options{Transport: s})
		part := onePart(t, a)
		began := time.Now()
		var wg sync.WaitGroup
		const channels = 1000
		for i := range channels {
			wg.Go(func() {
				to := here
				to.Channel = fmt.Sprint(100000000000000000 + i)
				first := bot.Receipt("")
				for p := range 2 {
					for {
						r, err := a.Post(t.Context(), to, bot.DeliveryID(fmt.Sprint(i, "/", p)), part, first)
						var fail *bot.PostError
						if errors.As(err, &fail) && fail.Fate == bot.FateRetry {
							time.Sleep(fail.After)
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						first = r
						break
					}
				}
			})
		}
		wg.Wait()
		took, least := time.Since(began), time.Duration(2*channels/50-1)*time.Second+80*time.Millisecond
		t.Logf("%d posts in %s with %d requests refused; least %s, ratio %.3f", s.posts, took, s.limited, least, took.Seconds()/least.Seconds())
		if s.posts != 2*channels {
			t.Errorf("%d posts, want %d", s.posts, 2*channels)
		}
		if s.limited > 0 {
			t.Errorf("%d requests were refused", s.limited)
		}
		if ratio := took.Seconds() / least.Seconds(); ratio > 1.1 {
			t.Errorf("ratio to the least time is %.3f, more than 1.1", ratio)
		}
	})
}
