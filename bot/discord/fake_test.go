package discord

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A request is one that a fake got.
type request struct {
	method, path, auth string
	query              string
	body               []byte
	files              [][]byte
}

// A fake is Discord's REST as far as it is used: users, channels, messages,
// commands, answers. A hook may answer in its place, before or after the message is
// stored, in the ways in which the real one goes wrong.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	messages map[string][]map[string]any // by channel, oldest first
	kinds    map[string]map[string]any   // channels that are not plain
	threads  []map[string]any
	commands map[string][]byte // registered, by path
	hook     func(w http.ResponseWriter, r *http.Request, store func() []byte) bool
	next     int64
	began    time.Time
}

const (
	botID  = "900000000000000001"
	appID  = "900000000000000002"
	chanID = "100000000000000001"
	guild  = "200000000000000001"
	userID = "300000000000000001"
)

func newFake(t testing.TB) *fake {
	f := &fake{began: time.Now(), messages: map[string][]map[string]any{}, kinds: map[string]map[string]any{}, commands: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *fake) adapter(t testing.TB, opt Options) *Adapter {
	opt.Base = f.URL + "/api/v10"
	return newAdapter(t, opt)
}

func (f *fake) id() string {
	f.next++
	return strconv.FormatInt((time.Now().UnixMilli()-epoch)<<22+f.next, 10)
}

func (f *fake) all() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

// count is how many requests had a method and a path that contains a part.
func (f *fake) count(method, part string) int {
	n := 0
	for _, r := range f.all() {
		if r.method == method && strings.Contains(r.path, part) {
			n++
		}
	}
	return n
}

func (f *fake) last(t *testing.T, method, part string) request {
	t.Helper()
	rs := f.all()
	for i := len(rs) - 1; i >= 0; i-- {
		if rs[i].method == method && strings.Contains(rs[i].path, part) {
			return rs[i]
		}
	}
	t.Fatalf("no %s of %s among %d requests", method, part, len(rs))
	return request{}
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%d,"message":%q}`, code, message)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, files := readForm(r)
	path := strings.TrimPrefix(r.URL.Path, "/api/v10")
	f.mu.Lock()
	f.requests = append(f.requests, request{r.Method, path, r.Header.Get("Authorization"), r.URL.RawQuery, body, files})
	hook := f.hook
	f.mu.Unlock()
	store := func() []byte { return f.answer(r.Method, path, r, body) }
	if hook != nil && hook(w, r, store) {
		return
	}
	out := store()
	if out == nil {
		refuse(w, http.StatusNotFound, 0, "404: Not Found")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if string(out) == "null" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch {
	case strings.HasPrefix(string(out), `{"code":50008`):
		w.WriteHeader(http.StatusBadRequest)
	case strings.HasPrefix(string(out), `{"code":10008`):
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(out)
}

// readForm is a body, and the files that came with it.
func readForm(r *http.Request) (body []byte, files [][]byte) {
	mr, err := r.MultipartReader()
	if err != nil {
		body, _ = io.ReadAll(r.Body)
		return body, nil
	}
	for {
		p, err := mr.NextPart()
		if err != nil {
			return body, files
		}
		b, _ := io.ReadAll(p)
		if p.FormName() == "payload_json" {
			body = b
		} else if p.FormName() == fmt.Sprintf("files[%d]", len(files)) && p.FileName() != "" {
			files = append(files, b)
		}
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// answer does what a request asks and returns the answer's body; nil is 404.
func (f *fake) answer(method, path string, r *http.Request, body []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/users/@me":
		return mustJSON(map[string]any{"id": botID, "username": "seedcorn", "bot": true})
	case path == "/applications/@me":
		return mustJSON(map[string]any{"id": appID, "flags": 0, "verify_key": ""})
	case path == "/users/@me/channels":
		var in struct {
			Recipient string `json:"recipient_id"`
		}
		_ = json.Unmarshal(body, &in)
		return mustJSON(map[string]any{"id": "4" + in.Recipient[1:], "type": 1})
	case parts[0] == "applications" && parts[len(parts)-1] == "commands":
		if method == http.MethodPut {
			var in []map[string]any
			_ = json.Unmarshal(body, &in)
			for _, c := range in {
				// What Discord adds, and what it gives back in another way than it took it.
				c["id"], c["application_id"], c["version"], c["nsfw"] = f.id(), appID, f.id(), false
				if p, ok := c["default_member_permissions"].(float64); ok {
					c["default_member_permissions"] = strconv.Itoa(int(p))
				} else {
					c["default_member_permissions"] = nil
				}
				if _, ok := c["contexts"]; ok {
					c["contexts"] = []int{2, 0, 1}
				}
			}
			f.commands[path] = mustJSON(in)
		}
		if f.commands[path] == nil {
			return []byte("[]")
		}
		return f.commands[path]
	case parts[0] == "guilds" && len(parts) > 2 && parts[2] == "threads":
		return mustJSON(map[string]any{"threads": f.threads})
	case parts[0] == "channels" && len(parts) == 2:
		if k := f.kinds[parts[1]]; k != nil {
			return mustJSON(k)
		}
		return mustJSON(map[string]any{"id": parts[1], "type": 0})
	case parts[0] == "channels" && parts[2] == "threads" && len(parts) == 5:
		return mustJSON(map[string]any{"threads": []any{}, "has_more": false})
	case parts[0] == "channels" && len(parts) > 2 && parts[2] == "threads":
		var in struct {
			Name    string         `json:"name"`
			Message map[string]any `json:"message"`
			Tags    []string       `json:"applied_tags"`
		}
		_ = json.Unmarshal(body, &in)
		id := f.id()
		in.Message["id"], in.Message["channel_id"], in.Message["author"] = id, id, map[string]any{"id": botID}
		f.messages[id] = append(f.messages[id], in.Message)
		th := map[string]any{"id": id, "name": in.Name, "parent_id": parts[1], "owner_id": botID, "applied_tags": in.Tags}
		f.threads = append(f.threads, th)
		return mustJSON(th)
	case parts[0] == "channels" && parts[2] == "messages" && f.kinds[parts[1]] != nil && f.kinds[parts[1]]["type"] == channelForum:
		return []byte(`{"code":50008,"message":"Cannot send messages in a non-text channel"}`)
	case parts[0] == "channels" && parts[len(parts)-1] == "crosspost":
		return mustJSON(map[string]any{"id": parts[3], "channel_id": parts[1]})
	case parts[0] == "channels" && parts[2] == "messages" && len(parts) == 3:
		if method == http.MethodGet {
			after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
			limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
			page := []map[string]any{}
			for _, m := range f.messages[parts[1]] {
				if id, _ := strconv.ParseInt(m["id"].(string), 10, 64); id > after && len(page) < limit {
					read := map[string]any{}
					for k, v := range m {
						if k != "nonce" && k != "enforce_nonce" { // not promised when read back
							read[k] = v
						}
					}
					page = append([]map[string]any{read}, page...) // newest first
				}
			}
			return mustJSON(page)
		}
		var m map[string]any
		_ = json.Unmarshal(body, &m)
		// enforce_nonce: the same author and nonce get the first message.
		for _, old := range f.messages[parts[1]] {
			if m["enforce_nonce"] == true && old["nonce"] == m["nonce"] && m["nonce"] != nil {
				return mustJSON(old)
			}
		}
		m["id"], m["channel_id"], m["author"] = f.id(), parts[1], map[string]any{"id": botID}
		f.messages[parts[1]] = append(f.messages[parts[1]], m)
		return mustJSON(m)
	case parts[0] == "channels" && parts[2] == "messages" && len(parts) == 4 && method == http.MethodPatch:
		for _, m := range f.messages[parts[1]] {
			if m["id"] == parts[3] {
				_ = json.Unmarshal(body, &m)
				return mustJSON(m)
			}
		}
		return []byte(`{"code":10008,"message":"Unknown Message"}`)
	case parts[0] == "channels" && parts[2] == "messages" && len(parts) == 4:
		return mustJSON(map[string]any{"id": parts[3], "channel_id": parts[1]})
	case parts[0] == "interactions":
		return []byte("null")
	case parts[0] == "webhooks":
		return mustJSON(map[string]any{"id": f.id(), "channel_id": chanID})
	case path == "/gateway/bot":
		return nil
	}
	return nil
}
