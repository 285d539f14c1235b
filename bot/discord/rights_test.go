package discord

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/digest"
)

// What keeps us from posting in a channel is said of each, with what to do about it.
func TestCheckChannels(t *testing.T) {
	f := newFake(t)
	const view, send, attach, history, inThreads, admin = "1024", "2048", "32768", "65536", "274877906944", "8"
	sum := func(bits ...string) string {
		n := int64(0)
		for _, b := range bits {
			n |= permissionsOf(b)
		}
		return fmt.Sprint(n)
	}
	all := sum(view, send, attach, history, inThreads)
	exception := func(id, allow, deny string) map[string]any {
		return map[string]any{"id": id, "type": 0, "allow": allow, "deny": deny}
	}
	text := func(more map[string]any) map[string]any {
		ch := map[string]any{"type": 0, "name": "research", "guild_id": guild}
		for k, v := range more {
			ch[k] = v
		}
		return ch
	}
	const role, other = "210000000000000001", "210000000000000002"
	const parent = "100000000000000900"
	tests := []struct {
		name     string
		channel  map[string]any
		everyone string // what all may do
		ours     string // and our role
		status   int    // of reading the channel
		code     int
		want     Finding // "" for nothing to say
	}{
		{name: "everything", channel: text(nil), everyone: all},
		{name: "by our role", channel: text(nil), everyone: view, ours: all},
		{name: "administrator", channel: text(map[string]any{"permission_overwrites": []any{exception(guild, "0", all)}}), ours: admin},
		{name: "no send", channel: text(nil), everyone: sum(view, attach, history), want: Finding{
			What: "#research", Say: "we may not post there: missing Send Messages", Hint: "in the channel's settings, under Permissions, let Seedcorn’s role have Send Messages",
		}},
		{name: "not seen", channel: text(map[string]any{"permission_overwrites": []any{exception(guild, "0", view)}}), everyone: all, want: Finding{
			What: "#research", Say: "we may not post there: missing View Channels, Send Messages, Read Message History, Attach Files", Hint: "in the channel's settings, under Permissions, let Seedcorn’s role have View Channels, Send Messages, Read Message History, Attach Files",
		}},
		{name: "the role's exception over that for all", channel: text(map[string]any{"permission_overwrites": []any{exception(role, view, "0"), exception(guild, "0", view)}}), everyone: all},
		{name: "another role's does not count", channel: text(map[string]any{"permission_overwrites": []any{exception(other, "0", send)}}), everyone: all},
		{name: "our own over the role's", channel: text(map[string]any{"permission_overwrites": []any{exception(botID, send, "0"), exception(role, "0", send)}}), everyone: all},
		{name: "no history, no files", channel: text(nil), everyone: sum(view, send), want: Finding{
			What: "#research", OK: true, Say: "missing Read Message History, Attach Files: an uncertain digest is posted again, marked (resent), until Discord answers; charts are told in words alone",
			Hint: "in the channel's settings, under Permissions, let Seedcorn’s role have Read Message History, Attach Files",
		}},
		{name: "a thread", channel: text(map[string]any{"type": 11, "parent_id": parent}), everyone: sum(view, attach, history, inThreads)},
		{name: "a thread of a closed channel", channel: text(map[string]any{"type": 11, "parent_id": parent}), everyone: sum(view, send, attach, history), want: Finding{
			What: "#research", Say: "we may not post there: missing Send Messages in Threads", Hint: "in the channel's settings, under Permissions, let Seedcorn’s role have Send Messages in Threads",
		}},
		{name: "a locked thread", channel: text(map[string]any{"type": 11, "parent_id": parent, "thread_metadata": map[string]any{"locked": true}}), everyone: all, want: Finding{
			What: "#research", Say: "the thread is locked", Hint: "unlock it, or subscribe elsewhere",
		}},
		{name: "a forum", channel: text(map[string]any{"type": 15}), everyone: all},
		{name: "a forum without threads", channel: text(map[string]any{"type": 15}), everyone: sum(view, send, attach, history), want: Finding{
			What: "#research", Say: "we may not post there: missing Send Messages in Threads", Hint: "in the channel's settings, under Permissions, let Seedcorn’s role have Send Messages in Threads",
		}},
		{name: "a forum that wants a tag", channel: text(map[string]any{"type": 15, "flags": 16, "available_tags": []any{map[string]any{"id": "1", "name": "x", "moderated": true}}}), everyone: all, want: Finding{
			What: "#research", Say: "the forum asks for a tag on every post, and has none that we may set", Hint: "add a tag, or lift the rule",
		}},
		{name: "a category", channel: text(map[string]any{"type": 4}), everyone: all, want: Finding{
			What: "#research", Say: "that kind of channel takes no messages", Hint: "subscribe in a text channel, a thread or a forum",
		}},
		{name: "deleted", status: 404, code: codeUnknownChannel, want: Finding{
			What: "channel " + chanID, Say: "the channel does not exist any more", Hint: "subscribe in another one",
		}},
		{name: "not to be seen", status: 403, code: codeMissingAccess, want: Finding{
			What: "channel " + chanID, Say: "Seedcorn cannot see the channel", Hint: "invite it again, or let it view the channel, then resume the subscription",
		}},
		{name: "trouble", status: 503, want: Finding{
			What: "channel " + chanID, Say: "Discord could not be asked: HTTP 503, not Discord's JSON", Hint: "try again",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.mu.Lock()
			f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
				var v any
				switch path := strings.TrimPrefix(r.URL.Path, "/api/v10"); path {
				case "/channels/" + chanID:
					if tt.status != 0 {
						if tt.code == 0 {
							w.WriteHeader(tt.status)
						} else {
							refuse(w, tt.status, tt.code, "No")
						}
						return true
					}
					v = tt.channel
				case "/channels/" + parent:
					v = text(nil)
				case "/guilds/" + guild:
					v = map[string]any{"id": guild, "owner_id": "1", "roles": []any{
						map[string]any{"id": guild, "permissions": tt.everyone}, map[string]any{"id": role, "permissions": tt.ours}, map[string]any{"id": other, "permissions": admin},
					}}
				case "/guilds/" + guild + "/members/" + botID:
					v = map[string]any{"roles": []string{role}}
				default:
					return false
				}
				_, _ = w.Write(mustJSON(v))
				return true
			}
			f.mu.Unlock()
			to := digest.Destination{Platform: Name, Workspace: guild, Channel: chanID}
			got := f.adapter(t, Options{Pictures: true}).CheckChannels(t.Context(), []digest.Destination{to, to, {Platform: Name, Workspace: "@1", Channel: "@1", Direct: true}, {Platform: "elsewhere", Channel: "1"}})
			want := []Finding{{What: "channels", OK: true, Say: "we may post in 1 of 1 that subscriptions name"}}
			if tt.want.What != "" {
				want = append(want, tt.want)
				if !tt.want.OK {
					want[0].OK, want[0].Say = false, "we may post in 0 of 1 that subscriptions name"
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	f.mu.Lock()
	f.hook = nil
	f.mu.Unlock()
	if got := f.adapter(t, Options{}).CheckChannels(t.Context(), nil); got != nil {
		t.Errorf("of no channel: %v", got)
	}
	before := f.count(http.MethodGet, "/channels/")
	var many []digest.Destination
	for i := range maxLooked + 7 {
		many = append(many, digest.Destination{Platform: Name, Workspace: guild, Channel: fmt.Sprint(100000000000001000 + i)})
	}
	if got := f.adapter(t, Options{}).CheckChannels(t.Context(), many); !strings.Contains(got[0].Say, "; 7 more were not looked at") || f.count(http.MethodGet, "/channels/")-before != maxLooked {
		t.Errorf("of too many, %d were looked at: %+v", f.count(http.MethodGet, "/channels/")-before, got[0])
	}
}
