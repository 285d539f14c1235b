package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/bot/message"
	"seedcorn/digest"
)

const (
	cadenceHint = "weekly, daily, weekdays, monthly, Mondays at 9, or five cron fields such as 0 9 * * 1,4"
	zoneHint    = "an IANA name such as Europe/Paris"
)

// checkZone says what is wrong with a time zone that a person gave.
func checkZone(zone string) error {
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || strings.EqualFold(zone, "local") {
		return &Problem{Param: "zone", Say: fmt.Sprintf("There is no time zone %q", clip(zone, 40)), Hint: zoneHint}
	}
	return nil
}

// due reads a cadence that a person gave, and says when it is next due.
func due(d Desk, when, zone string) (cron string, next time.Time, err error) {
	cron, next, err = d.Cadence(when, zone)
	switch {
	case errors.Is(err, digest.ErrNever):
		return "", next, &Problem{Param: "when", Say: "That day never comes", Hint: cadenceHint}
	case err != nil:
		return "", next, &Problem{Param: "when", Say: fmt.Sprintf("The time %q was not understood", clip(when, 40)), Hint: cadenceHint}
	}
	return cron, next, nil
}

// CadenceWords are five cron fields as a person types them, "Mondays at 9", or the
// fields themselves where there are no such words. Both are the same cadence.
func CadenceWords(cron string) string {
	f := strings.Fields(cron)
	if len(f) != 5 || f[3] != "*" {
		return cron
	}
	minute, err := strconv.Atoi(f[0])
	hour, err2 := strconv.Atoi(f[1])
	if err != nil || err2 != nil {
		return cron
	}
	name := map[string]string{"* *": "daily", "* 1-5": "weekdays", "1 *": "monthly"}[f[2]+" "+f[4]]
	if day, err := strconv.Atoi(f[4]); err == nil && f[2] == "*" && day >= 0 && day < 7 {
		name = time.Weekday(day).String() + "s"
	}
	if name == "" {
		return cron
	}
	if minute == 0 {
		return fmt.Sprintf("%s at %d", name, hour)
	}
	return fmt.Sprintf("%s at %d:%02d", name, hour, minute)
}

// subscriptionFields are the questions about a subscription, as it is now.
func subscriptionFields(s digest.Subscription, in Place) []FormField {
	out := []FormField{
		{Param: "query", Label: "Query", Hint: "empty for everything; words and filters such as country:EU openness>=open-weights, or topic:NAME", Value: s.Query},
		{Param: "when", Label: "When", Hint: cadenceHint, Value: CadenceWords(s.Cadence), Required: true},
		{Param: "zone", Label: "Time zone", Hint: zoneHint, Value: s.Zone, Required: true},
	}
	if in.Followed && !s.Destination.Direct {
		out = append(out, FormField{Param: "publish", Label: "Also where this channel is followed?", Choices: []string{"yes", "no"}, Value: yesNo(s.Publish), Required: true})
	}
	return out
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// publishWords warn of a wish that the place cannot fulfil.
func publishWords(inv Invocation) []message.Block {
	if inv.Args["publish"] != "yes" || inv.Place.Followed {
		return nil
	}
	return []message.Block{message.SmallPrint{Items: []message.Line{message.Plain("publish has no effect here: only an announcement channel can be followed from other places.")}}}
}

// runEdit changes what a subscription is about, or when it comes. What it was told
// stays told: its next digest begins where the last one ended.
func runEdit(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	id, words, _ := strings.Cut(strings.TrimSpace(inv.Args["subscription"]), " ")
	words = strings.TrimSpace(words)
	if _, ok := inv.Args["query"]; !ok && words != "" {
		inv.Args["query"] = words // "edit s2f4k6 country:FR" needs no ceremony
	}
	if strings.EqualFold(id, "all") || strings.Contains(id, ",") {
		return Reply{}, problemf("say which; subscriptions shows the ids", "One subscription is changed at a time")
	}
	inv.Args["subscription"] = id
	subs, err := chosen(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	was := subs[0]
	text, newQuery := inv.Args["query"]
	if !newQuery && inv.Args["when"] == "" && inv.Args["zone"] == "" && inv.Args["publish"] == "" {
		return Reply{
			Document: message.Document{Summary: "Change " + orEverything(was.Query), Blocks: []message.Block{
				heading("Change a subscription", string(was.ID)), subscriptionFacts(was),
				message.SmallPrint{Items: []message.Line{message.Plain("Say what is to be different: "), {{Text: "edit " + id + " when:daily", Code: true}}}},
			}},
			Form: &Form{
				Title: "Change a subscription", Submit: "Change", Command: "edit",
				Fields: append([]FormField{{Param: "subscription", Label: "Subscription", Value: id, Fixed: true, Required: true}}, subscriptionFields(was, inv.Place)...),
			},
		}, nil
	}
	s := was
	if newQuery {
		s.Query = strings.TrimSpace(text)
	}
	q, err := d.ParseQuery(ctx, s.Query)
	if err != nil {
		return Reply{}, err
	}
	if s.Zone = cmp.Or(inv.Args["zone"], was.Zone); s.Zone != was.Zone {
		if err := checkZone(s.Zone); err != nil {
			return Reply{}, err
		}
	}
	cron, next, err := due(d, cmp.Or(inv.Args["when"], was.Cadence), s.Zone)
	if err != nil {
		return Reply{}, err
	}
	if s.Cadence = cron; s.Cadence != was.Cadence || s.Zone != was.Zone {
		s.Next = next
	}
	if p := inv.Args["publish"]; p != "" {
		s.Publish = p == "yes"
	}
	if s == was {
		return plainly("Nothing has changed: " + toldWords(s, q.Explain()) + "."), nil
	}
	if err := d.PutSubscription(ctx, s); err != nil {
		return Reply{}, err
	}
	say := sentenceCase(toldWords(s, q.Explain())) + "."
	if s.PausedUntil.After(d.Now()) {
		say += " It is paused, and stays so until it is resumed."
	} else {
		say += fmt.Sprintf(" The next digest comes on %s, and begins where the last one ended.", local(s.Next, s.Zone))
	}
	undo := fmt.Sprintf(`edit %s %s when:"%s" zone:%s publish:%s`, id, cmp.Or(was.Query, `query:""`), was.Cadence, was.Zone, yesNo(was.Publish))
	doc := message.Document{Summary: "Changed: " + orEverything(s.Query), Blocks: append([]message.Block{message.Paragraph{Text: message.Plain(say)}}, publishWords(inv)...)}
	doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "Preview", Command: strings.TrimSpace("preview " + s.Query)}, {Label: "Undo", Command: undo}}})
	return Reply{Document: doc, Public: !s.Destination.Direct}, nil
}

// toldWords say who is told what, and how often.
func toldWords(s digest.Subscription, about string) string {
	who := "this channel is"
	if s.Destination.Direct {
		who = "you are"
	}
	return fmt.Sprintf("%s told about %s, %s (%s)", who, about, CadenceWords(s.Cadence), s.Zone)
}

// subscriptionFacts are a subscription as it is.
func subscriptionFacts(s digest.Subscription) message.Fields {
	return message.Fields{Items: []message.Field{
		{Name: "Query", Value: message.Line{{Text: orEverything(s.Query), Code: s.Query != ""}}},
		{Name: "When", Value: message.Plain(CadenceWords(s.Cadence))},
		{Name: "Time zone", Value: message.Plain(s.Zone)},
		{Name: "Next", Value: message.Plain(local(s.Next, s.Zone))},
	}}
}

// commandHelp is the help of a command of the table.
func commandHelp(name string) message.Document {
	table := Commands()
	return helpOf(table[slices.IndexFunc(table, func(c Command) bool { return c.Name == name })])
}
