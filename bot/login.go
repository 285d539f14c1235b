package bot

import "context"

// A Reader is somebody who has shown at a platform who they are, to read our pages.
type Reader struct {
	Platform   string
	ID         string   // of the person, there
	Name       string   // to be greeted by
	Workspaces []string // of those in which we are at work, the ones they are a member of
}

// A Login finds out who somebody is by a platform's OAuth 2.0 authorization code flow
// (https://www.rfc-editor.org/rfc/rfc6749#section-4.1). The browser is the caller's
// business: it keeps state and nonce until the person is back.
type Login interface {
	// Name is the platform's: short, lower case, fit for a path.
	Name() string
	// Label is the platform's name as people write it.
	Label() string
	// Ask is the platform's page that asks the person. It sends them back to callback
	// with a code, and with state.
	Ask(callback, state, nonce string) string
	// Answer trades the code for who it is. A [*Problem] is said to the person: one who
	// is in no workspace of ours is one.
	Answer(ctx context.Context, callback, code, nonce string) (Reader, error)
}
