package bot

import (
	"context"
	"slices"
	"strings"

	"seedcorn/digest"
)

// RolePrefix begins the id of a role in settings, where people stand beside roles:
// "role:42".
const RolePrefix = "role:"

// listed reports whether a person, or one of the person's roles, is in a list of
// settings.
func listed(who Person, list []string) bool {
	return slices.Contains(list, who.ID) || slices.ContainsFunc(who.Roles, func(r string) bool { return slices.Contains(list, RolePrefix+r) })
}

// manages reports whether a person manages a place: because the platform says so, or
// because the workspace's settings do.
func manages(who Person, s digest.Settings) bool {
	return !who.Guest && (who.Manages || listed(who, s.Managers))
}

// mayManage holds to the workspace's setting: anyone but guests, unless only those
// who manage the channel may; where nothing was set, the platform's own default
// holds. What a person alone is told is that person's business everywhere.
func (r *Router) mayManage(ctx context.Context, inv Invocation) error {
	if own, err := ownAlone(ctx, r.desk, inv); err != nil || own {
		return err
	}
	if inv.Asker.Guest {
		return problemf("ask a member of the channel", "Guests cannot change what a channel is told")
	}
	s, err := r.desk.Settings(ctx, inv.Place)
	if err != nil {
		return err
	}
	if s.OnlyManage(inv.Place.Guarded) && !inv.Place.Direct && !manages(inv.Asker, s) {
		hint := "ask someone who manages the channel, or look things up: that is open to all"
		if inv.Command == "subscribe" && inv.Asker.Direct != (digest.Destination{}) {
			hint = "follow tells you alone, in direct messages; or ask someone who manages the channel"
		}
		return problemf(hint, "Here only those who manage the channel can change what it is told")
	}
	return nil
}

// ownSubscriptions are what the asker alone is told, asked for from another place.
func ownSubscriptions(ctx context.Context, d Desk, inv Invocation) ([]digest.Subscription, error) {
	to := inv.Asker.Direct
	if inv.Place.Direct || to == (digest.Destination{}) {
		return nil, nil
	}
	return d.SubscriptionsOf(ctx, Place{Platform: to.Platform, Workspace: to.Workspace, Channel: to.Channel, Direct: to.Direct}, false)
}

// ownAlone reports whether an invocation names subscriptions, all of them the asker's
// own.
func ownAlone(ctx context.Context, d Desk, inv Invocation) (bool, error) {
	named := subscriptionIDs(inv)
	if len(named) == 0 || inv.Asker.Direct == (digest.Destination{}) {
		return false, nil
	}
	own, err := ownSubscriptions(ctx, d, inv)
	if err != nil {
		return false, err
	}
	for _, id := range named {
		if !slices.ContainsFunc(own, func(s digest.Subscription) bool { return string(s.ID) == id }) {
			return false, nil
		}
	}
	return true, nil
}

// subscriptionIDs are the ids that an invocation names.
func subscriptionIDs(inv Invocation) []string {
	ids := strings.FieldsFunc(inv.Args["subscription"], func(r rune) bool { return r == ' ' || r == ',' })
	if inv.Command == "edit" && len(ids) > 1 {
		ids = ids[:1] // the others are a query
	}
	return ids
}
