// Package vault keeps other people's secrets sealed while they lie in the database:
// the tokens of the workspaces that installed us.
//
//	secret, whose it is ──[Ring.Seal]──► sealed text, id of the key
//	sealed text, id of the key, whose it is ──[Ring.Open]──► secret
//
// The cipher is AES-256-GCM with a random nonce. Whose a secret is goes in as
// associated data: a sealed text that was moved into another workspace's row does not
// open there. A ring has several keys so that they can be changed: the first one
// seals, all of them open.
//
// What this is for: a copy of the database, a backup or a dump gives no token away.
// What it is not for: whoever can read the process's environment has the keys.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

// A Ring is some keys. Its zero value has none: it seals and opens nothing. It
// prints as <redacted>.
type Ring struct{ keys []key }

type key struct {
	id   string
	aead cipher.AEAD
}

func (Ring) String() string { return "<redacted>" }

// GoString keeps the keys out of %#v.
func (Ring) GoString() string { return "<redacted>" }

// Errors of a ring. None of them holds a part of a key or of a secret.
var (
	ErrNoKey      = errors.New("there is no key")
	ErrUnknownKey = errors.New("it was sealed with a key that is not among ours")
	ErrDamaged    = errors.New("it does not open: it was changed, or belongs to somebody else")
)

// Parse reads keys, parted by commas or white space: each 32 bytes, as 64 hexadecimal
// digits or in base64. The error says which of them is wrong and how, and nothing of
// what it is.
func Parse(text string) (Ring, error) {
	var r Ring
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
	for i, w := range words {
		raw, err := decode(w)
		if err != nil {
			return Ring{}, fmt.Errorf("key %d of %d: %w", i+1, len(words), err)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return Ring{}, fmt.Errorf("key %d of %d: %w", i+1, len(words), err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return Ring{}, fmt.Errorf("key %d of %d: %w", i+1, len(words), err)
		}
		// An id tells keys apart. Of a random key it tells nothing else.
		sum := sha256.Sum256(append([]byte("seedcorn key id\x00"), raw...))
		k := key{hex.EncodeToString(sum[:4]), aead}
		for _, other := range r.keys {
			if other.id == k.id {
				return Ring{}, fmt.Errorf("key %d of %d: it is there twice", i+1, len(words))
			}
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

var errForm = fmt.Errorf("want %d bytes as hexadecimal digits or base64", KeyBytes)

func decode(w string) ([]byte, error) {
	if len(w) == 2*KeyBytes {
		if raw, err := hex.DecodeString(w); err == nil {
			return raw, nil
		}
	}
	w = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(w, "="))
	raw, err := base64.RawStdEncoding.DecodeString(w)
	if err != nil {
		return nil, errForm // base64's own error quotes what it read
	}
	if len(raw) != KeyBytes {
		return nil, fmt.Errorf("%w, not %d bytes", errForm, len(raw))
	}
	return raw, nil
}

// Empty reports whether there is no key.
func (r Ring) Empty() bool { return len(r.keys) == 0 }

// Current is the id of the key that seals, "" if there is none.
func (r Ring) Current() string {
	if r.Empty() {
		return ""
	}
	return r.keys[0].id
}

// Seal seals a secret for its owner, and says with which key. The error is
// [ErrNoKey] if the ring is empty.
func (r Ring) Seal(secret, owner string) (sealed, keyID string, err error) {
	if r.Empty() {
		return "", "", fmt.Errorf("sealing: %w", ErrNoKey)
	}
	k := r.keys[0]
	return base64.StdEncoding.EncodeToString(k.aead.Seal(nil, nil, []byte(secret), []byte(owner))), k.id, nil
}

// Open returns a sealed secret. The error has [ErrUnknownKey] or [ErrDamaged] in its
// chain.
func (r Ring) Open(sealed, keyID, owner string) (string, error) {
	for _, k := range r.keys {
		if k.id != keyID {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(sealed)
		if err == nil {
			if raw, err = k.aead.Open(nil, nil, raw, []byte(owner)); err == nil {
				return string(raw), nil
			}
		}
		return "", fmt.Errorf("opening with key %s: %w", keyID, ErrDamaged)
	}
	return "", fmt.Errorf("opening with key %s: %w", keyID, ErrUnknownKey)
}
