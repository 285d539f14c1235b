package hub

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"

	"seedcorn/feeds"
)

const ghSite = "https://github.com/"

// A Repository is what GitHub says of a repository.
type Repository struct {
	ID          string // "owner/name", in the owner's spelling
	Description string
	License     string // SPDX id by GitHub's detector, "NOASSERTION" where it cannot say, "" where there is no file
	Homepage    string // URL, or empty
	Topics      []string
	Created     time.Time
	Pushed      time.Time
	Fork        bool
	Archived    bool
	Parent      string // of a fork, "owner/name"; look-ups only
}

// Owner is the organization or person whose repository it is.
func (r Repository) Owner() string {
	owner, _, _ := strings.Cut(r.ID, "/")
	return owner
}

// URL is the page of the repository.
func (r Repository) URL() string { return ghSite + r.ID }

// Artifact is the repository as an artifact of a work.
func (r Repository) Artifact() feeds.Artifact {
	return feeds.Artifact{Kind: feeds.Code, URL: r.URL(), License: r.License}
}

// ghRepo is a repository as the API sends it.
// Source: https://docs.github.com/rest/repos/repos
type ghRepo struct {
	FullName    text   `json:"full_name"`
	Description text   `json:"description"`
	Homepage    text   `json:"homepage"`
	Topics      texts  `json:"topics"`
	Private     flag   `json:"private"`
	Disabled    flag   `json:"disabled"`
	Fork        flag   `json:"fork"`
	Archived    flag   `json:"archived"`
	Created     moment `json:"created_at"`
	Pushed      moment `json:"pushed_at"`
	License     lenient[struct {
		SPDX text `json:"spdx_id"`
	}] `json:"license"`
	Parent lenient[struct {
		FullName text `json:"full_name"`
	}] `json:"parent"`
}

func (r ghRepo) repository() (Repository, bool) {
	if !repoID.MatchString(string(r.FullName)) || bool(r.Private) || bool(r.Disabled) {
		return Repository{}, false
	}
	out := Repository{
		ID: string(r.FullName), Description: clip(string(r.Description), 2000), License: clip(string(r.License.v.SPDX), 100),
		Homepage: httpURL(string(r.Homepage)), Created: r.Created.Time, Pushed: r.Pushed.Time, Fork: bool(r.Fork), Archived: bool(r.Archived),
	}
	if parent := string(r.Parent.v.FullName); repoID.MatchString(parent) {
		out.Parent = parent
	}
	for _, t := range r.Topics {
		if len(out.Topics) < 20 {
			out.Topics = append(out.Topics, clip(t, 50))
		}
	}
	return out, true
}

// Repo looks up a repository, "owner/name". One that was renamed comes back under
// its new name.
func (c *Client) Repo(ctx context.Context, id string) (Repository, error) {
	if !repoID.MatchString(id) {
		return Repository{}, fmt.Errorf("looking up %q on GitHub: want owner/name", clip(id, 100))
	}
	owner, name, _ := strings.Cut(id, "/")
	var r ghRepo
	if err := c.lookUp(ctx, c.gh, id, c.gh.at(nil, "repos", owner, name), &r); err != nil {
		return Repository{}, err
	}
	repo, ok := r.repository()
	if !ok {
		return Repository{}, fmt.Errorf("looking up %s: %w: it is private or disabled", id, ErrNotFound)
	}
	return repo, nil
}

// License looks up the license file of a repository, "owner/name": its text, and
// what GitHub's detector makes of it. The error holds [ErrNotFound] if there is none.
// Source: https://docs.github.com/rest/licenses/licenses#get-the-license-for-a-repository
func (c *Client) License(ctx context.Context, id string) (Text, error) {
	if !repoID.MatchString(id) {
		return Text{}, fmt.Errorf("reading the license of %q on GitHub: want owner/name", clip(id, 100))
	}
	owner, name, _ := strings.Cut(id, "/")
	var a struct {
		Name     text `json:"name"`
		Encoding text `json:"encoding"`
		Content  blob `json:"content"`
		License  lenient[struct {
			SPDX text `json:"spdx_id"`
		}] `json:"license"`
	}
	if err := c.lookUp(ctx, c.gh, "the license of "+id, c.gh.at(nil, "repos", owner, name, "license"), &a); err != nil {
		return Text{}, err
	}
	file := clip(string(a.Name), 200)
	if file == "" {
		file = "LICENSE"
	}
	t := Text{Name: file, URL: ghSite + id + "/blob/HEAD/" + url.PathEscape(file), SPDX: clip(string(a.License.v.SPDX), 100)}
	body := []byte(a.Content)
	if a.Encoding == "base64" {
		var err error
		if body, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(a.Content)), "")); err != nil {
			return Text{}, fmt.Errorf("reading the license of %s: %w", id, badAnswer(&feeds.Trouble{Kind: feeds.TroubleMalformed, Err: err}, c.gh))
		}
	}
	if err := notText(body); err != nil {
		return Text{}, fmt.Errorf("reading the license of %s: %w", id, badAnswer(err, c.gh))
	}
	t.Text = plain(body, maxLicense)
	return t, nil
}
