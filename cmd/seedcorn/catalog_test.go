package main

import (
	"strings"
	"testing"
	"time"

	"seedcorn/cmd/seedcorn/internal/demosite"
	"seedcorn/feeds"
	"seedcorn/feeds/catalog"
	"seedcorn/feeds/registry"
)

// The catalog and the registry do not import each other; that they speak of the
// same labs is held here.
func TestCatalogSpeaksOfRegisteredLabs(t *testing.T) {
	reg := registry.Default()
	for _, s := range catalog.Sources() {
		if s.Lab == "" {
			continue
		}
		if _, ok := reg.Lab(s.Lab); !ok {
			t.Errorf("%s is of lab %q, which the registry does not know", s.ID, s.Lab)
			continue
		}
		// A hub account belongs to one lab, whoever is asked.
		service, handle := feeds.HuggingFace, ""
		switch s.Kind {
		case feeds.KindHuggingFace:
			handle = strings.TrimPrefix(string(s.ID), "hf:")
		case feeds.KindGitHub:
			service, handle = feeds.GitHub, strings.TrimPrefix(string(s.ID), "gh:")
		default:
			continue
		}
		if owner, ok := reg.ByHandle(service, handle); !ok {
			t.Errorf("%s: the registry does not know whose account this is (the catalog says %s)", s.ID, s.Lab)
		} else if owner.ID != s.Lab {
			t.Errorf("%s is of lab %q in the catalog and of %q in the registry", s.ID, s.Lab, owner.ID)
		}
	}
}

// What the starter list promises to whoever reads a ratio made from it.
func TestCatalogCoversTheWorld(t *testing.T) {
	rows := catalog.Coverage(catalog.Sources(), homeOf)
	countries, labs, sources := 0, 0, 0
	for _, r := range rows {
		sources += r.Sources
		labs += r.Labs
		if r.Country != "" && r.Country != feeds.Nowhere && r.Country != feeds.International {
			countries++
		}
		t.Logf("%-4s %3d labs %3d sources %v", r.Country, r.Labs, r.Sources, r.Kinds)
	}
	if sources < 150 || labs < 60 || countries < 15 {
		t.Errorf("%d sources of %d labs in %d countries, want at least 150, 60 and 15", sources, labs, countries)
	}
}

// The demonstration shows the world, not one corner of it.
func TestDemoShowsTheWorld(t *testing.T) {
	labs, countries := map[feeds.LabID]bool{}, map[feeds.Country]bool{}
	for _, s := range demosite.Sources("http://127.0.0.1:1") {
		if s.Lab == "" {
			continue
		}
		if _, ok := registry.Default().Lab(s.Lab); !ok {
			t.Errorf("%s is of lab %q, which the registry does not know", s.ID, s.Lab)
		}
		labs[s.Lab] = true
		countries[homeOf(s.Lab)] = true
	}
	delete(countries, feeds.Nowhere)
	if len(labs) < 20 || len(countries) < 10 {
		t.Errorf("%d labs in %d countries, want at least 20 in 10", len(labs), len(countries))
	}
	t.Logf("%d labs in %d countries", len(labs), len(countries))
}

func homeOf(id feeds.LabID) feeds.Country {
	lab, ok := registry.Default().Lab(id)
	if !ok {
		return feeds.Nowhere
	}
	return lab.At(time.Time{}).Home
}
