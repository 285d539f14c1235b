package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"seedcorn/digest"
)

// maxLooked is how many channels [Adapter.CheckChannels] looks at: with the two or three
// requests that each takes, and the limits kept, that is half a minute at most.
const maxLooked = 100

// CheckChannels looks at the channels that messages go to, one after another, and says of
// each what keeps us from posting there, or what will be missing: what Discord lets us do
// in it, by the server's roles and by the channel's own exceptions. Direct messages are
// left out, which nobody can look at without sending one. It changes nothing.
func (a *Adapter) CheckChannels(ctx context.Context, to []digest.Destination) (fs []Finding) {
	var all []digest.Destination
	seen := map[string]bool{}
	for _, d := range to {
		if d.Platform == Name && !d.Direct && isSnowflake(d.Channel) && !seen[d.Channel] {
			seen[d.Channel] = true
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil
	}
	looked := all[:min(len(all), maxLooked)]
	good := 0
	r := &rights{a: a, servers: map[string]*server{}}
	for _, d := range looked {
		f := r.of(ctx, d.Channel)
		if ctx.Err() != nil {
			return append(fs, Finding{What: "channels", Say: "looking at them took too long: " + ctx.Err().Error(), Hint: "try again"})
		}
		if f.OK {
			good++
		}
		if !f.OK || f.Hint != "" {
			fs = append(fs, f)
		}
	}
	say := fmt.Sprintf("we may post in %d of %d that subscriptions name", good, len(looked))
	if n := len(all) - len(looked); n > 0 {
		say += fmt.Sprintf("; %d more were not looked at", n)
	}
	return append([]Finding{{What: "channels", OK: good == len(looked), Say: say}}, fs...)
}

// A server is what is known of a guild: its roles, and which of them are ours.
type server struct {
	owner string
	roles map[string]int64 // permissions, by id
	mine  []string
	fault *Finding
}

// rights finds out what we may do where.
type rights struct {
	a       *Adapter
	servers map[string]*server
}

// A place is a channel as permissions see it.
// https://discord.com/developers/docs/resources/channel#channel-object
type place struct {
	channel
	ID         string `json:"id"`
	Name       string `json:"name"`
	GuildID    string `json:"guild_id"`
	ParentID   string `json:"parent_id"`
	Overwrites []struct {
		ID    string `json:"id"`
		Allow string `json:"allow"`
		Deny  string `json:"deny"`
	} `json:"permission_overwrites"`
	Thread *struct {
		Locked bool `json:"locked"`
	} `json:"thread_metadata"`
}

const (
	channelCategory  = 4
	channelDirectory = 14
)

func (p place) isThread() bool { return p.Type >= 10 && p.Type <= 12 }

// of is what is to be said of one channel.
func (r *rights) of(ctx context.Context, id string) Finding {
	bad := func(what, say, hint string) Finding { return Finding{What: what, Say: say, Hint: hint} }
	var ch place
	if f := r.read(ctx, "/channels/"+id, &ch); f != nil {
		f.What = "channel " + id
		return *f
	}
	what := "#" + cmp.Or(clean(ch.Name), id)
	g := r.server(ctx, ch.GuildID)
	if g.fault != nil {
		return bad(what, g.fault.Say, g.fault.Hint)
	}
	home := ch // whose exceptions count
	if ch.isThread() {
		if f := r.read(ctx, "/channels/"+ch.ParentID, &home); f != nil {
			return bad(what, "the channel that the thread is in: "+f.Say, f.Hint)
		}
	}
	forum := ch.Type == channelForum || ch.Type == channelMedia
	switch {
	case ch.Type == channelCategory || ch.Type == channelDirectory:
		return bad(what, "that kind of channel takes no messages", "subscribe in a text channel, a thread or a forum")
	case ch.isThread() && ch.Thread != nil && ch.Thread.Locked:
		return bad(what, "the thread is locked", "unlock it, or subscribe elsewhere")
	}
	if _, fits := ch.tagsFor(""); forum && !fits {
		return bad(what, "the forum asks for a tag on every post, and has none that we may set", "add a tag, or lift the rule")
	}
	may := g.may(home, r.a.botID)
	needs := []int64{permViewChannel, permSendMessages}
	switch {
	case ch.isThread():
		needs = []int64{permViewChannel, permSendInThreads}
	case forum:
		needs = append(needs, permSendInThreads) // for what follows the first message
	}
	var missing, useful, without []string
	for _, p := range Permissions(r.a.opt.Pictures) {
		switch {
		case may&p.bit != 0:
		case slices.Contains(needs, p.bit):
			missing = append(missing, p.Name)
		case p.bit == permAttachFiles || p.bit == permReadHistory:
			useful, without = append(useful, p.Name), append(without, p.Without)
		}
	}
	hint := func(names []string) string {
		return "in the channel's settings, under Permissions, let Seedcorn’s role have " + strings.Join(names, ", ")
	}
	switch {
	case len(missing) > 0:
		return bad(what, "we may not post there: missing "+strings.Join(append(missing, useful...), ", "), hint(append(missing, useful...)))
	case len(useful) > 0:
		return Finding{What: what, OK: true, Say: "missing " + strings.Join(useful, ", ") + ": " + strings.Join(without, "; "), Hint: hint(useful)}
	}
	return Finding{What: what, OK: true}
}

// read reads one thing, or says why it could not be.
func (r *rights) read(ctx context.Context, path string, into any) *Finding {
	out := r.a.do(ctx, call{method: http.MethodGet, path: path, bucket: path})
	e, spoken := out.refusal()
	switch {
	case out.ok() && json.Unmarshal(out.body, into) == nil:
		return nil
	case spoken && out.status/100 == 4 && out.status != http.StatusTooManyRequests:
		say, hint, _ := strings.Cut(refusalWords(out.status, e.Code), ". ")
		return &Finding{Say: inside(say), Hint: inside(hint)}
	}
	why := "the answer is not Discord's"
	if err := out.failure(); err != nil {
		why = err.Error()
	}
	return &Finding{Say: "Discord could not be asked: " + why, Hint: "try again"}
}

// inside is a sentence as part of another.
func inside(s string) string {
	s = strings.TrimSuffix(s, ".")
	if s == "" || strings.HasPrefix(s, "Seedcorn") || strings.HasPrefix(s, "Discord") {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func (r *rights) server(ctx context.Context, id string) *server {
	if g := r.servers[id]; g != nil {
		return g
	}
	g := &server{roles: map[string]int64{}}
	r.servers[id] = g
	var guild struct {
		Owner string `json:"owner_id"`
		Roles []struct {
			ID          string `json:"id"`
			Permissions string `json:"permissions"`
		} `json:"roles"`
	}
	var member struct {
		Roles []string `json:"roles"`
	}
	me, err := r.a.self(ctx)
	if err != nil {
		g.fault = &Finding{Say: err.Error(), Hint: "try again"}
		return g
	}
	if g.fault = r.read(ctx, "/guilds/"+id, &guild); g.fault == nil {
		g.fault = r.read(ctx, "/guilds/"+id+"/members/"+me, &member)
	}
	g.owner, g.mine = guild.Owner, member.Roles
	for _, x := range guild.Roles {
		g.roles[x.ID] = permissionsOf(x.Permissions)
	}
	g.mine = append(g.mine, id) // @everyone is the role of the server's own id
	return g
}

func permissionsOf(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// may is what a member may do in a channel.
// https://discord.com/developers/docs/topics/permissions#permission-overwrites
func (g *server) may(ch place, member string) int64 {
	const everything = -1
	may := int64(0)
	for _, id := range g.mine {
		may |= g.roles[id]
	}
	if g.owner == member || may&permAdministrator != 0 {
		return everything
	}
	apply := func(of func(id string) bool) {
		allow, deny := int64(0), int64(0)
		for _, o := range ch.Overwrites {
			if of(o.ID) {
				allow, deny = allow|permissionsOf(o.Allow), deny|permissionsOf(o.Deny)
			}
		}
		may = may&^deny | allow
	}
	apply(func(id string) bool { return id == ch.GuildID })
	apply(func(id string) bool { return id != ch.GuildID && slices.Contains(g.mine, id) })
	apply(func(id string) bool { return id == member })
	if may&permViewChannel == 0 {
		return 0 // who does not see a channel can do nothing in it
	}
	return may
}
