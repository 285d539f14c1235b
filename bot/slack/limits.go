package slack

import "time"

// What Slack takes. Where the documentation is silent the number is what others
// measured, and ours stays below it.
const (
	// maxBlocks is of a message: https://docs.slack.dev/reference/block-kit/blocks
	maxBlocks = 50
	// blockBudget leaves room for what a later edit adds.
	blockBudget = 45
	// maxViewBlocks is of a modal or an App Home: https://docs.slack.dev/reference/views
	maxViewBlocks = 100
	// maxMessage is where chat.postMessage answers msg_blocks_too_long. It is nowhere
	// documented; about 13,200 characters of blocks, their JSON counted, were measured
	// in https://github.com/slackapi/bolt-js/issues/2509 and /2867.
	maxMessage = 13_200
	// messageBudget is for the JSON of a message's blocks, in bytes, of which there
	// are never fewer than characters.
	messageBudget = 12_000

	// https://docs.slack.dev/reference/block-kit/blocks/header-block
	maxHeader = 150
	// https://docs.slack.dev/reference/block-kit/blocks/section-block
	maxSection = 3000
	maxField   = 2000
	// https://docs.slack.dev/reference/block-kit/blocks/context-block
	maxContext = 10
	// https://docs.slack.dev/reference/block-kit/blocks/actions-block
	maxActions = 25
	// https://docs.slack.dev/reference/block-kit/block-elements/button-element
	maxButtonText  = 75
	maxButtonValue = 2000
	// https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element
	maxOverflow = 5
	// https://docs.slack.dev/reference/block-kit/composition-objects/option-object
	maxOptionText  = 75
	maxOptionValue = 150
	// block_id and action_id.
	maxID = 255
	// maxURL is of a button's link; others are not documented.
	maxURL = 3000
	// chunk is the most JSON that one block of text holds, in bytes: below maxSection,
	// and small enough that parts of a message fill well.
	chunk = 2800
	// maxFallback is the text of a notification. Slack takes 40,000 characters and
	// phones show two lines: https://api.slack.com/changelog/2018-04-truncating-really-long-messages
	maxFallback = 600

	// https://docs.slack.dev/reference/views
	maxViewTitle   = 24
	maxPrivate     = 3000
	maxInputLabel  = 2000
	maxSelectItems = 100
	maxInput       = 3000 // https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element

	// maxFault is what is said beside a question that was not understood. It is nowhere
	// documented; a phone shows about this much.
	maxFault = 200

	// A request must be acknowledged within three seconds:
	// https://docs.slack.dev/interactivity/handling-user-interaction
	ackWithin = 3 * time.Second
	// patience is how long a command waits for its answer before it is acknowledged
	// without: the answer follows by the response_url, and nobody sees a difference. So
	// that acknowledgments stay short however slow answers are, it is short.
	patience = 250 * time.Millisecond
	// formPatience is for a filled-in form, which closes with an empty acknowledgment:
	// what is wrong with it can be said in the acknowledgment only.
	formPatience = 1500 * time.Millisecond
	// A response_url serves five messages within thirty minutes:
	// https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
	hookUses = 5
	hookLife = 30 * time.Minute
	// signedWithin is the age of a signature that still counts:
	// https://docs.slack.dev/authentication/verifying-requests-from-slack
	signedWithin = 5 * time.Minute
	// maxRequest is the most we read of a request, of which Slack's are some kilobytes.
	maxRequest = 1 << 20
	// maxAnswer is the most we read of an answer.
	maxAnswer = 8 << 20
)
