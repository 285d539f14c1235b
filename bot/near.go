package bot

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"seedcorn/bot/message"
	"seedcorn/digest/query"
	"seedcorn/feeds/registry"
)

// mostNear is how many things an answer offers that were perhaps meant.
const mostNear = 3

// Nearest returns the name that differs least from what was typed, if it differs
// little enough to be a slip; a longer name that begins so is near, too.
func Nearest(typed string, names []string) string {
	var n near
	for _, name := range names {
		n.offer(typed, name)
	}
	if best := n.best(1); len(best) > 0 {
		return best[0]
	}
	return ""
}

// near gathers what differs little enough from what was typed to be a slip.
type near struct{ found []nearby }

type nearby struct {
	name string
	off  int
	lost int // letters of what was typed that the name does not have, in order
}

// offer weighs a thing by its name and its other names. One that begins as it was
// typed, or has a word that does, is as near as a slip of a letter or two.
func (n *near) offer(typed, name string, others ...string) {
	typed = strings.ToLower(strings.TrimSpace(typed))
	if typed == "" || len(typed) > 80 {
		return
	}
	least := 2 + len(typed)/4
	off := least
	for _, x := range append([]string{name}, others...) {
		low := strings.ToLower(x)
		switch {
		case len(typed) >= 3 && strings.HasPrefix(low, typed):
			off = min(off, 1)
		case len(typed) >= 4 && strings.Contains(low, " "+typed):
			off = min(off, 2)
		case max(len(low)-len(typed), len(typed)-len(low)) < off:
			off = min(off, distance(typed, low))
		}
	}
	if off < least {
		n.found = append(n.found, nearby{name, off, lost(typed, strings.ToLower(name))})
	}
}

// lost counts the letters of typed that are not found in name, one after the other: who
// leaves a letter out is more common than who takes another.
func lost(typed, name string) (n int) {
	for _, r := range typed {
		if _, after, ok := strings.Cut(name, string(r)); ok {
			name = after
		} else {
			n++
		}
	}
	return n
}

// best are the nearest, at most most of them.
func (n *near) best(most int) (out []string) {
	slices.SortStableFunc(n.found, func(a, b nearby) int { return cmp.Or(a.off-b.off, a.lost-b.lost, len(a.name)-len(b.name)) })
	for _, f := range n.found {
		if len(out) < most && !slices.Contains(out, f.name) {
			out = append(out, f.name)
		}
	}
	return out
}

func nearLabs(typed string) []string {
	var n near
	for _, l := range registry.Default().Labs() {
		n.offer(typed, l.Name, append(slices.Concat(l.Aliases, l.Ambiguous, l.Models), string(l.ID))...)
	}
	return n.best(mostNear)
}

func nearCountries(typed string) []string {
	var n near
	for _, c := range registry.Countries() {
		n.offer(typed, registry.CountryName(c))
	}
	return n.best(mostNear)
}

func nearLicenses(typed string) []string {
	var n near
	for _, l := range registry.Default().Licenses() {
		n.offer(typed, LicenseName(l.ID), append(l.Aliases, l.ID, l.Name)...)
	}
	return n.best(mostNear)
}

// Suggest returns near misses for the value of a query's field, best first, of the
// registry and of topics.
func Suggest(field, value string, topics []string) []string {
	switch field {
	case "lab":
		return nearLabs(value)
	case "country":
		return nearCountries(value)
	case "license":
		return nearLicenses(value)
	case "topic":
		var n near
		for _, t := range topics {
			n.offer(value, t)
		}
		return n.best(mostNear)
	}
	return nil
}

// noSuch says that there is nothing by a name, with what was perhaps meant as hint and
// as buttons; otherwise is the hint where nothing is near.
func noSuch(inv Invocation, param, say, otherwise string, near []string) *Problem {
	p := &Problem{Say: say, Hint: otherwise, Param: param}
	if len(near) > 0 {
		p.Hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	for _, n := range near {
		p.Try = append(p.Try, message.Action{Label: clip(n, maxTry), Command: again(inv, param, n)})
	}
	return p
}

// maxTry is how much of what was perhaps meant a button shows.
const maxTry = 60

// mended are the buttons that ask again with a query that was perhaps meant.
func mended(inv Invocation, src string, e *query.SyntaxError) (out []message.Action) {
	for _, x := range e.Instead[:min(len(e.Instead), mostNear)] {
		fixed := e.Mended(src, x)
		line := again(inv, "query", fixed)
		if inv.Command == "edit" { // whose first parameter is another
			line = "edit " + inv.Args["subscription"] + strings.TrimPrefix(again(Invocation{Command: inv.Command, Args: withoutKey(inv.Args, "subscription")}, "query", fixed), "edit")
		}
		if utf8.RuneCountInString(line) < 1500 {
			out = append(out, message.Action{Label: clip(fixed, maxTry), Command: line})
		}
	}
	return out
}

func withoutKey(args map[string]string, name string) map[string]string {
	out := map[string]string{}
	for k, v := range args {
		if k != name {
			out[k] = v
		}
	}
	return out
}
