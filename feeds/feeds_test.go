package feeds

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOpenness(t *testing.T) {
	var zero Openness
	if zero != Unknown || zero.Open() {
		t.Error("the zero value must be unknown, and unknown is never open")
	}
	for _, o := range []Openness{Unknown, Closed, Restricted, OpenWeights, OpenSource} {
		got, err := ParseOpenness(" " + strings.ToUpper(o.String()))
		if err != nil || got != o {
			t.Errorf("ParseOpenness(%q) = %v, %v", o, got, err)
		}
		b, err := json.Marshal(map[string]Openness{"o": o})
		var back map[string]Openness
		if err != nil || json.Unmarshal(b, &back) != nil || back["o"] != o {
			t.Errorf("%s does not survive JSON: %s, %v", o, b, err)
		}
	}
	if _, err := ParseOpenness("free"); err == nil {
		t.Error("“free” was taken for a class")
	}
	if s := Openness(99).String(); s != "unknown" {
		t.Errorf("a class that there is not is called %q", s)
	}
}

func TestLabAt(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	l := Lab{Seats: []Seat{
		{Home: "CN", Control: "CN", To: day("2025-06-01")},
		{Home: "SG", Control: "SG", From: day("2025-06-01"), To: day("2025-12-29")},
		{Home: "SG", Control: "US", From: day("2025-12-29")},
	}}
	for at, want := range map[string]string{"2020-01-01": "CN CN", "2025-05-31": "CN CN", "2025-06-01": "SG SG", "2025-12-29": "SG US", "2030-01-01": "SG US"} {
		if s := l.At(day(at)); string(s.Home+" "+s.Control) != want {
			t.Errorf("on %s: %s %s, want %s", at, s.Home, s.Control, want)
		}
	}
	if s := l.At(time.Time{}); s.Control != "US" {
		t.Errorf("today: %+v, want the last seat", s)
	}
	if s := (Lab{}).At(day("2025-01-01")); s.Home != Nowhere {
		t.Errorf("a lab without a seat is in %s", s.Home)
	}
}

func TestCountriesOf(t *testing.T) {
	labs := []Attribution{
		{Role: RoleLineage, Home: "US", Control: "US"},
		{Role: RoleAuthor, Home: "FR", Control: "FR"},
		{Role: RoleAuthor, Home: Nowhere, Control: Nowhere},
		{Role: RoleLead, Home: "GB", Control: "US"},
		{Role: RoleAuthor, Home: "GB", Control: "GB"},
	}
	if got := CountriesOf(labs, ViewHome); !slices.Equal(got, []Country{"GB", "FR"}) {
		t.Errorf("home: %v, want the lead's first, each once, and no lineage", got)
	}
	if got := CountriesOf(labs, ViewControl); !slices.Equal(got, []Country{"US", "FR", "GB"}) {
		t.Errorf("control: %v", got)
	}
}

func TestItemDate(t *testing.T) {
	seen := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name               string
		published, updated time.Time
		want               time.Time
	}{
		{"published", seen.AddDate(0, 0, -3), seen, seen.AddDate(0, 0, -3)},
		{"the year 1", time.Time{}, seen.AddDate(0, 0, -1), seen.AddDate(0, 0, -1)},
		{"the year 2099", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}, seen},
		{"tomorrow, where it is tomorrow already", seen.Add(20 * time.Hour), time.Time{}, seen.Add(20 * time.Hour)},
		{"none", time.Time{}, time.Time{}, seen},
	} {
		if got := (Item{Published: tt.published, Updated: tt.updated, Seen: seen}).Date(); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTrouble(t *testing.T) {
	cause := errors.New("connection refused")
	err := error(&Trouble{Kind: TroubleLimited, Source: "hf:Qwen", Status: 429, Err: cause})
	if got := err.Error(); got != "hf:Qwen: limited (HTTP 429): connection refused" {
		t.Errorf("error %q", got)
	}
	if !errors.Is(err, cause) || TroubleOf(err) != TroubleLimited || TroubleOf(cause) != "" {
		t.Error("the kind or the cause is lost")
	}
	var trouble *Trouble
	errors.As(err, &trouble)
	if got := trouble.Words(); got != "limited, HTTP 429" {
		t.Errorf("words %q", got)
	}
}

func TestNewItemID(t *testing.T) {
	a, b := NewItemID("feed:a", "1"), NewItemID("feed:b", "1")
	if a == b || a != NewItemID("feed:a", "1") || len(a) != 20 {
		t.Errorf("ids %q and %q", a, b)
	}
}
