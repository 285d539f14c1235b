package bot

import (
	"fmt"

	"seedcorn/bot/message"
	"seedcorn/digest"
)

// maxIncidents is how many incidents one message lists: after a week without a network
// every source is one.
const maxIncidents = 10

// Incidents tells whoever runs this program what is wrong with it, what to do, and
// what is over. One of the two must not be empty.
func Incidents(begun, over []digest.Incident) message.Document {
	title := fmt.Sprintf("Seedcorn needs you: %d things are wrong", len(begun))
	switch {
	case len(begun) == 0 && len(over) == 1:
		title = "Seedcorn: it is over"
	case len(begun) == 0:
		title = fmt.Sprintf("Seedcorn: %d things are over", len(over))
	case len(begun) == 1:
		title = "Seedcorn needs you: something is wrong"
	}
	d := message.Document{Summary: title, Blocks: []message.Block{message.Heading{Level: 1, Text: title}}}
	if len(begun) > 0 {
		d.Summary += ": " + begun[0].Say
	} else {
		d.Summary += ": " + over[0].Say
	}
	list := func(what []digest.Incident, line func(digest.Incident) message.Line) {
		var l message.List
		for i, x := range what {
			if i == maxIncidents {
				l.Items = append(l.Items, message.Plain(fmt.Sprintf("and %d more: seedcorn doctor lists all", len(what)-i)))
				break
			}
			l.Items = append(l.Items, line(x))
		}
		d.Blocks = append(d.Blocks, l)
	}
	if len(begun) > 0 {
		list(begun, func(i digest.Incident) message.Line {
			return message.Line{{Text: clip(i.Say, 300) + ". ", Bold: true}, {Text: "What to do: " + clip(i.Hint, 300) + "."}}
		})
	}
	if len(over) > 0 {
		if len(begun) > 0 {
			d.Blocks = append(d.Blocks, message.Heading{Level: 2, Text: "Over"})
		}
		list(over, func(i digest.Incident) message.Line {
			return message.Line{{Text: clip(i.Say, 300) + " "}, {Text: "(since " + day(i.Began) + ")", Quiet: true}}
		})
	}
	if len(begun) > 0 {
		d.Blocks = append(d.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("This is said once, and once more when it is over.")}})
	}
	return d
}
