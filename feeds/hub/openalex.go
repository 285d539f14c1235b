package hub

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"seedcorn/feeds"
)

// A Work is OpenAlex's record of a paper, as far as it says who wrote it.
type Work struct {
	ID          string // "https://openalex.org/W…"
	Authorships []Authorship
}

// An Authorship is one author of a paper.
type Authorship struct {
	Author       string
	First        bool // first author
	Institutions []Institution
	Raw          []string // affiliations as printed
}

// An Institution is what OpenAlex matched an affiliation to.
type Institution struct {
	Name    string
	ROR     feeds.LabID   // "ror:03cve4549", or empty
	Country feeds.Country // ISO 3166-1 alpha-2, or empty
}

var (
	rorForm     = regexp.MustCompile(`^https://ror\.org/(0[a-z0-9]{6}[0-9]{2})$`) // https://ror.readme.io/docs/identifier
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	workForm    = regexp.MustCompile(`^https://openalex\.org/W\d{1,15}$`)
)

// Work looks up a paper by its arXiv id, which OpenAlex knows by the DOI that
// arXiv gives it. Preprints are merged with their journal versions, so that the
// affiliations may be those of the later one. The error holds [ErrNoKey] where no
// key is configured, and [ErrNotFound] where OpenAlex does not know the paper:
// new ones take days or weeks to appear.
// Source: https://developers.openalex.org/api-reference/authentication (single look-ups are free)
func (c *Client) Work(ctx context.Context, arxivID string) (Work, error) {
	id, _, ok := feeds.ArXivID(arxivID)
	if !ok {
		return Work{}, fmt.Errorf("looking up %q at OpenAlex: want an arXiv id", clip(arxivID, 100))
	}
	if c.oa.token() == "" {
		return Work{}, fmt.Errorf("looking up arXiv:%s at OpenAlex: %w", id, ErrNoKey)
	}
	// OpenAlex takes its key in the URL only; [Client.explain] keeps it out of errors.
	q := url.Values{"select": {"id,authorships"}, "api_key": {c.oa.token()}}
	if c.mail != "" {
		q.Set("mailto", c.mail)
	}
	var a struct {
		ID          text `json:"id"`
		Authorships list[struct {
			Position text `json:"author_position"`
			Name     text `json:"raw_author_name"`
			Author   lenient[struct {
				Name text `json:"display_name"`
			}] `json:"author"`
			Institutions list[struct {
				Name    text `json:"display_name"`
				ROR     text `json:"ror"`
				Country text `json:"country_code"`
			}] `json:"institutions"`
			Raw texts `json:"raw_affiliation_strings"`
		}] `json:"authorships"`
	}
	if err := c.lookUp(ctx, c.oa, "arXiv:"+id, c.oa.at(q, "works", "doi:10.48550/arXiv."+id), &a); err != nil {
		return Work{}, err
	}
	var w Work
	if workForm.MatchString(string(a.ID)) {
		w.ID = string(a.ID)
	}
	for _, from := range a.Authorships {
		if len(w.Authorships) == feeds.MaxAuthors {
			break
		}
		to := Authorship{Author: clip(string(from.Name), 200), First: from.Position == "first"}
		if name := string(from.Author.v.Name); name != "" {
			to.Author = clip(name, 200)
		}
		for _, raw := range from.Raw {
			if len(to.Raw) < 20 {
				to.Raw = addNew(to.Raw, raw)
			}
		}
		for _, i := range from.Institutions {
			if len(to.Institutions) == 20 {
				break
			}
			inst := Institution{Name: clip(string(i.Name), 300)}
			if m := rorForm.FindStringSubmatch(string(i.ROR)); m != nil {
				inst.ROR = feeds.LabID("ror:" + m[1])
			}
			if cc := strings.ToUpper(string(i.Country)); countryForm.MatchString(cc) {
				inst.Country = feeds.Country(cc)
			}
			to.Institutions = append(to.Institutions, inst)
		}
		w.Authorships = append(w.Authorships, to)
	}
	return w, nil
}
