package discord

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Types of components.
// https://discord.com/developers/docs/components/reference#component-object-component-types
const (
	typeRow       = 1
	typeButton    = 2
	typeSelect    = 3
	typeInput     = 4
	typeSection   = 9
	typeText      = 10
	typeGallery   = 12
	typeSeparator = 14
	typeContainer = 17
	typeLabel     = 18
)

// Styles of buttons and inputs.
// https://discord.com/developers/docs/components/reference#button-button-styles
const (
	styleSecondary = 2
	styleDanger    = 4
	styleShort     = 1
	styleParagraph = 2
)

// Flags of messages.
// https://discord.com/developers/docs/resources/message#message-object-message-flags
const (
	flagEphemeral    = 1 << 6
	flagComponentsV2 = 1 << 15
)

// A component is any component of a message or modal: what its type has no use for
// is left out.
type component struct {
	Type        int         `json:"type"`
	ID          int         `json:"id,omitempty"`
	AccentColor int         `json:"accent_color,omitempty"`
	Content     string      `json:"content,omitempty"`
	Style       int         `json:"style,omitempty"`
	Label       string      `json:"label,omitempty"`
	Description string      `json:"description,omitempty"`
	CustomID    string      `json:"custom_id,omitempty"`
	Placeholder string      `json:"placeholder,omitempty"`
	Value       string      `json:"value,omitempty"`
	MaxLength   int         `json:"max_length,omitempty"`
	Required    *bool       `json:"required,omitempty"`
	Options     []choice    `json:"options,omitempty"`
	Components  []component `json:"components,omitempty"`
	Component   *component  `json:"component,omitempty"`
	Accessory   *component  `json:"accessory,omitempty"`
	Items       []picture   `json:"items,omitempty"`
}

// A picture is one of a gallery: an attachment, and what it shows in words.
type picture struct {
	Media struct {
		URL string `json:"url"`
	} `json:"media"`
	Description string `json:"description,omitempty"`
}

// A choice is an option of a select menu.
type choice struct {
	Label   string `json:"label"`
	Value   string `json:"value"`
	Default bool   `json:"default,omitempty"`
}

// count is how many components a component is, itself among them.
func (c component) count() int {
	n := 1
	for _, x := range c.Components {
		n += x.count()
	}
	if c.Accessory != nil {
		n += c.Accessory.count()
	}
	return n
}

// text is how many characters its text displays have.
func (c component) text() int {
	n := size(c.Content)
	for _, x := range c.Components {
		n += x.text()
	}
	return n
}

// An outgoing is a message as Discord takes it.
type outgoing struct {
	Flags           int         `json:"flags"`
	Components      []component `json:"components"`
	AllowedMentions mentions    `json:"allowed_mentions"`
	// Attachments describe the files that are sent with the message; Files are their
	// bytes, kept in the payload and taken out of it when it is sent.
	Attachments []attachment `json:"attachments,omitempty"`
	Files       []file       `json:"files,omitempty"`
}

// An attachment is a file of a message, by its place among the files.
// https://discord.com/developers/docs/reference#uploading-files
type attachment struct {
	ID          int    `json:"id,string"`
	Filename    string `json:"filename"`
	Description string `json:"description,omitempty"`
}

type file struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// mentions are who may be pinged by a message. The zero value is nobody.
// https://discord.com/developers/docs/resources/message#allowed-mentions-object
type mentions struct {
	Parse       nobody `json:"parse"`
	RepliedUser bool   `json:"replied_user"`
}

type nobody struct{}

// MarshalJSON writes an empty list.
func (nobody) MarshalJSON() ([]byte, error) { return []byte("[]"), nil }

// with is the message with further flags.
func (m outgoing) with(flags int) outgoing {
	m.Flags |= flags
	return m
}

// encode is JSON as it is kept and sent: nothing in it is meant for a web page, so
// that < and > stay what they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding a message: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func ptr[T any](v T) *T { return &v }
