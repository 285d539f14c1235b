package discord

import "unicode/utf16"

// Limits of one message. Discord counts characters; which ones it does not say, so
// UTF-16 code units are counted, the most that any count can come to short of bytes.
const (
	// https://discord.com/developers/docs/components/reference
	maxComponents = 40 // nested ones count
	// https://discord.com/developers/docs/components/reference#text-display: of all
	// text displays of a message together.
	maxText     = 4000
	maxRow      = 5  // buttons side by side
	maxLabel    = 80 // of a button
	maxCustomID = 100
	maxOptions  = 25 // of a select menu, of a command, choices of an option
	maxOption   = 100
	maxTitle    = 45   // of a modal, and of a label in it
	maxHint     = 100  // a label's description
	maxFields   = 5    // of a modal that fits a phone
	maxInput    = 4000 // characters of a text input
	// https://discord.com/developers/docs/resources/message#create-message
	maxNonce = 25
	// https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-naming
	maxName        = 32
	maxDescription = 100
	maxCommand     = 8000 // all names, descriptions and values of a command
	// https://discord.com/developers/docs/resources/channel#start-thread-in-forum-or-media-channel
	maxThreadName = 100
	maxTags       = 5
)

// Limits of embeds, which others' messages have and ours do not; kept for the
// validator that judges messages of any kind.
// https://discord.com/developers/docs/resources/message#embed-object-embed-limits
const (
	maxContent     = 2000
	maxEmbeds      = 10
	maxEmbedTotal  = 6000 // over all embeds of a message
	maxEmbedTitle  = 256
	maxEmbedText   = 4096
	maxEmbedFields = 25
	maxFieldName   = 256
	maxFieldValue  = 1024
	maxFooter      = 2048
)

// maxLink is the longest URL that is made a link. A longer one, which no browser
// has to take, is written out.
const maxLink = 1500

// size is the length of s as the limits count it.
func size(s string) int {
	n := 0
	for _, r := range s {
		if k := utf16.RuneLen(r); k > 0 {
			n += k
		} else {
			n++
		}
	}
	return n
}

// cut returns the beginning of s that has at most most characters, with an ellipsis
// if that is not all of it. It is for labels only: text is never cut but split.
func cut(s string, most int) string {
	if size(s) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n+utf16.RuneLen(r) > most-1 {
			return s[:i] + "…"
		}
		n += utf16.RuneLen(r)
	}
	return s
}
