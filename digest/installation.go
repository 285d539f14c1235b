package digest

import "time"

// An Installation is a workspace that has installed us and gave us a token of its
// own. Sealed is never the token itself: see package vault.
type Installation struct {
	Platform  string
	Workspace string
	Name      string
	Scopes    []string
	Sealed    string
	Key       string // id of the key that sealed it
	By        string // the person who installed us
	At        time.Time
	Removed   time.Time // zero while it is installed
	Why       string    // of the removal
}

// Owner is whose the sealed token is, as the vault wants it.
func (i Installation) Owner() string { return i.Platform + "/" + i.Workspace }
