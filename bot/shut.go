package bot

import (
	"cmp"

	"seedcorn/bot/message"
	"seedcorn/digest"
)

// Shut words, for the channel where a person asked to be told something alone, that
// this person cannot be written to any more. Everyone there reads it, so that it names
// the person, whom it is for, and says nothing of what the subscription is about; the
// name is text, which calls nobody. It is said once: the person reads the channel where
// they asked, and nobody else is bothered again.
func Shut(sub digest.Subscription) message.Document {
	name := clip(cmp.Or(sub.OwnerName, "the person who asked"), 60)
	say := "Seedcorn cannot write to " + name + " any more: the direct messages are closed. What was to be told there is paused."
	return message.Document{Summary: say, Blocks: []message.Block{
		message.Paragraph{Text: message.Plain(say)},
		message.SmallPrint{Items: []message.Line{message.Plain(sentenceCase(name) + ": allow direct messages from members of this server or workspace, then resume. Only you can.")}},
		message.Actions{Items: []message.Action{{Label: "Resume", Command: "resume " + string(sub.ID)}}},
	}}
}
