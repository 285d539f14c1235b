package vault

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func raw(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), KeyBytes)) }

func mustParse(t testing.TB, text string) Ring {
	t.Helper()
	r, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// However a key is written, it is the same key.
func TestParse(t *testing.T) {
	// A key whose base64 has + and /, so that the two alphabets differ.
	b := []byte("\xfb\xef\xbe" + strings.Repeat("?>", 14) + "!")
	want := mustParse(t, hex.EncodeToString(b)).Current()
	for _, text := range []string{
		strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		"\n" + hex.EncodeToString(b) + " ,\n",
	} {
		if got := mustParse(t, text).Current(); got != want {
			t.Errorf("%q is key %s, want %s", text, got, want)
		}
	}
	if r := mustParse(t, " \n"); !r.Empty() || r.Current() != "" {
		t.Error("no key is a key")
	}
	a, c := hex.EncodeToString(raw('a')), hex.EncodeToString(raw('c'))
	if r := mustParse(t, c+","+a); r.Current() != mustParse(t, c).Current() {
		t.Error("the first key is not the current one")
	}
	for _, text := range []string{"hunter2", a[:62], a + "00", base64.StdEncoding.EncodeToString(raw('a')[:31]), "päßword", a + "," + a, a + " hunter2"} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("%q was taken for a key", text)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), a[:8]) {
			t.Errorf("the error gives the key away: %v", err)
		}
	}
}

func TestSealAndOpen(t *testing.T) {
	a, b := hex.EncodeToString(raw('a')), hex.EncodeToString(raw('b'))
	old, both, fresh := mustParse(t, a), mustParse(t, b+","+a), mustParse(t, b)
	const secret = "xoxb-1234-secret"
	sealed, id, err := old.Seal(secret, "chat/T1")
	if err != nil || id != old.Current() {
		t.Fatal(id, err)
	}
	if again, _, _ := old.Seal(secret, "chat/T1"); again == sealed {
		t.Error("the same secret is sealed the same twice: the nonce is not random")
	}
	if plain, _ := base64.StdEncoding.DecodeString(sealed); strings.Contains(sealed+string(plain), "1234") {
		t.Error("the secret is readable")
	}
	for name, r := range map[string]Ring{"the same ring": old, "after a new key came first": both} {
		if got, err := r.Open(sealed, id, "chat/T1"); got != secret || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	flipped := []byte(sealed)
	flipped[20] ^= 1
	tests := []struct {
		name              string
		ring              Ring
		sealed, id, owner string
		want              error
	}{
		{"the key is gone", fresh, sealed, id, "chat/T1", ErrUnknownKey},
		{"no keys at all", Ring{}, sealed, id, "chat/T1", ErrUnknownKey},
		{"in another's row", old, sealed, id, "chat/T2", ErrDamaged},
		{"the wrong key's id", both, sealed, fresh.Current(), "chat/T1", ErrDamaged},
		{"a bit flipped", old, string(flipped), id, "chat/T1", ErrDamaged},
		{"cut short", old, sealed[:12], id, "chat/T1", ErrDamaged},
		{"empty", old, "", id, "chat/T1", ErrDamaged},
		{"not base64", old, "%%%", id, "chat/T1", ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.ring.Open(tt.sealed, tt.id, tt.owner)
			if got != "" || !errors.Is(err, tt.want) {
				t.Errorf("%q, %v; want %v", got, err, tt.want)
			}
		})
	}
	if _, _, err := (Ring{}).Seal(secret, "x"); !errors.Is(err, ErrNoKey) {
		t.Errorf("sealing without a key: %v", err)
	}
}

func TestRingDoesNotPrint(t *testing.T) {
	r := mustParse(t, hex.EncodeToString(raw('k')))
	for _, s := range []string{fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s", r, r, r, r)} {
		if strings.Contains(s, "kkk") || strings.Contains(s, "aead") || !strings.Contains(s, "<redacted>") {
			t.Errorf("prints as %s", s)
		}
	}
}

func FuzzOpen(f *testing.F) {
	r := mustParse(f, hex.EncodeToString(raw('a')))
	sealed, id, _ := r.Seal("secret", "owner")
	f.Add(sealed)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := r.Open(s, id, "owner"); err == nil && got != "secret" {
			t.Errorf("%q opens as %q", s, got)
		}
	})
}
