package slack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
)

func TestManifest(t *testing.T) {
	for name, opt := range map[string]ManifestOptions{
		"socket": {},
		"http":   {Name: "Seedcorn (test)", Command: "/research", URL: "https://bot.example.org/", Unfurl: true, OAuth: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Manifest(opt, []bot.Command{{Name: "help", About: "what you can ask"}, {Name: "search", About: "works by \"words\""}, {Name: "other", About: "more: than that"}})
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "manifest-"+name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("golden (-want +got; -update writes it anew):\n%s", diff)
			}
			for _, s := range Scopes {
				if has := strings.Contains(string(got), "- \""+s.Name+"\""); has != (!s.Unfurl || opt.Unfurl) {
					t.Errorf("scope %s: %t", s.Name, has)
				}
			}
			if urls := strings.Contains(string(got), "request_url"); urls != (opt.URL != "") || strings.Contains(string(got), "socket_mode_enabled: true") == urls {
				t.Error("it must be a socket or requests")
			}
		})
	}
}

// The real table is described whole.
func TestManifestOfAllCommands(t *testing.T) {
	got, err := Manifest(ManifestOptions{}, bot.Commands())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range bot.Commands() {
		if !strings.Contains(string(got), "/digest "+c.Name+": ") {
			t.Errorf("%s is not described", c.Name)
		}
	}
}

func TestManifestFaults(t *testing.T) {
	for _, opt := range []ManifestOptions{
		{URL: "http://bot.example.org"}, {URL: "bot"}, {URL: "https://"}, {OAuth: true}, {Command: "digest"}, {Command: "/"}, {Command: "/two words"}, {Command: "/" + strings.Repeat("x", 40)},
	} {
		if out, err := Manifest(opt, bot.Commands()); err == nil {
			t.Errorf("%+v: printed %d bytes", opt, len(out))
		}
	}
	// A description too long for Slack ends with a whole line.
	var many []bot.Command
	for i := range 400 {
		many = append(many, bot.Command{Name: fmt.Sprintf("c%d", i), About: strings.Repeat("x", 50)})
	}
	if n := len(longDescription("/digest", many)); n > 4000 || n < 3000 {
		t.Errorf("a description of %d bytes", n)
	}
}

// Each scope says what it is for: an administrator has to decide about it.
func TestScopes(t *testing.T) {
	var names []string
	for _, s := range Scopes {
		if s.Why == "" || s.Without == "" {
			t.Errorf("%s gives no reason", s.Name)
		}
		names = append(names, s.Name)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(Scopes) {
		t.Error("a scope is there twice")
	}
	if got := scopeNames(false); slices.Contains(got, "links:read") || len(got) >= len(Scopes) {
		t.Errorf("without unfurling: %v", got)
	}
}
