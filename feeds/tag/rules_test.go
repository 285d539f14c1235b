package tag_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
	"seedcorn/feeds/tag"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestRules reads the pages in testdata: one file for each rule, one item and its
// tags for each case. They are meant to be read; go test -update rewrites the tags.
func TestRules(t *testing.T) {
	tagger := tag.New(registry.Default(), tag.WithOrganizations(slices.Values(rulesLongTail)))
	pages, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(a.Files); i++ {
				name, isItem := strings.CutSuffix(a.Files[i].Name, "/item")
				if !isItem {
					if i == 0 || strings.TrimSuffix(a.Files[i].Name, "/tags")+"/item" != a.Files[i-1].Name {
						t.Errorf("%s belongs to no item", a.Files[i].Name)
					}
					continue
				}
				it, err := parseItem(string(a.Files[i].Data))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got := printTags(tagger.Tag(it))
				if i+1 == len(a.Files) || a.Files[i+1].Name != name+"/tags" {
					if !*update {
						t.Fatalf("%s: no tags behind the item; run go test -update", name)
					}
					a.Files = slices.Insert(a.Files, i+1, txtar.File{Name: name + "/tags"})
				}
				if *update {
					a.Files[i+1].Data = []byte(got)
					continue
				}
				if diff := cmp.Diff(string(a.Files[i+1].Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(page, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// rulesLongTail are organizations that the pages use beside the registry's labs.
var rulesLongTail = []tag.Organization{
	{ID: "ror:00000001", Name: "Polar Bear Observatory", Acronyms: []string{"PBO"}, Aliases: []string{"Isbjørnobservatoriet"}, Domains: []string{"pbo.example"}, Country: "NO", Kind: feeds.StateLab},
	{ID: "ror:00000002", Name: "Northern Institute of Lace", Acronyms: []string{"NIL"}, Domains: []string{"lace.example"}, Country: "BE", Kind: feeds.University},
	{ID: "ror:00000003", Name: "Institute of Twin Names", Country: "FR"},
	{ID: "ror:00000004", Name: "Institute of Twin Names", Country: "JP"},
}

// parseItem reads an item written as "field: value" lines.
func parseItem(s string) (feeds.Item, error) {
	var it feeds.Item
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		field, value, ok := strings.Cut(line, ": ")
		if !ok {
			return it, fmt.Errorf("no field in %q", line)
		}
		if unquoted, found := strings.CutPrefix(value, "go:"); found { // for characters that do not show
			var s string
			if _, err := fmt.Sscanf(unquoted, "%q", &s); err != nil {
				return it, err
			}
			value = s
		}
		switch field {
		case "kind":
			it.Kind = feeds.ItemKind(value)
		case "title":
			it.Title = value
		case "text":
			it.Summary = value
		case "url":
			it.URL = value
		case "feed":
			it.Source = feeds.SourceID("feed:" + value)
		case "publisher":
			it.Publisher = feeds.LabID(value)
		case "account":
			service, handle, _ := strings.Cut(value, "/")
			it.Account = feeds.Account{Service: feeds.Service(service), Handle: handle}
		case "date":
			d, err := time.Parse(time.DateOnly, value)
			if err != nil {
				return it, err
			}
			it.Published = d
		case "affiliation":
			it.Affiliations = append(it.Affiliations, value)
		case "email":
			it.Emails = append(it.Emails, value)
		case "weights", "code", "data", "service", "paper":
			a := feeds.Artifact{Kind: feeds.ArtifactKind(field)}
			for p := range strings.SplitSeq(value, " | ") {
				k, v, _ := strings.Cut(p, "=")
				switch k {
				case "license":
					a.License = v
				case "name":
					a.LicenseName = v
				case "gated":
					a.Gated = v
				case "url":
					a.URL = v
				case "base":
					a.Bases = append(a.Bases, v)
				case "text":
					b, err := os.ReadFile(filepath.Join("testdata", "licenses", v))
					if err != nil {
						return it, err
					}
					a.LicenseText = string(b)
				default:
					return it, fmt.Errorf("no part %q of an artifact", k)
				}
			}
			it.Artifacts = append(it.Artifacts, a)
		default:
			return it, fmt.Errorf("no field %q", field)
		}
	}
	return it, nil
}

// printTags writes tags for people: a line for each lab, for the badge and for each
// artifact, each with its evidence.
func printTags(tags feeds.Tags) string {
	var b strings.Builder
	for _, l := range tags.Labs {
		id := string(l.Lab)
		if id == "" {
			id = "(" + l.Name + ")"
		}
		where := string(l.Home)
		if l.Control != l.Home {
			where += "/" + string(l.Control)
		}
		fmt.Fprintf(&b, "%s %s %s %s\n", id, l.Role, where, l.Basis)
		printEvidence(&b, l.Evidence)
	}
	if len(tags.Countries) > 0 {
		fmt.Fprintf(&b, "countries: %v", tags.Countries)
		if !slices.Equal(tags.Countries, tags.Control) {
			fmt.Fprintf(&b, ", control %v", tags.Control)
		}
		b.WriteByte('\n')
	}
	for _, a := range tags.Artifacts {
		fmt.Fprintf(&b, "%s %s", a.Kind, a.Openness)
		if a.License != "" {
			fmt.Fprintf(&b, " %s", a.License)
		}
		if len(a.Flags) > 0 {
			fmt.Fprintf(&b, " %v", a.Flags)
		}
		if a.Basis != "" {
			fmt.Fprintf(&b, " %s", a.Basis)
		}
		b.WriteByte('\n')
		printEvidence(&b, a.Evidence)
	}
	if tags.Badge != "" {
		fmt.Fprintf(&b, "badge: %s %s %v\n", tags.Badge, tags.Openness, tags.Flags)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func printEvidence(b *strings.Builder, es []feeds.Evidence) {
	for _, e := range es {
		fmt.Fprintf(b, "  %s: %s: %q\n", e.Rule, e.Field, e.Quote)
	}
}
