package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
)

// site is what people are sent to, whatever base the API was asked at.
const hfSite = "https://huggingface.co/"

// A Card is what Hugging Face says of a model or dataset: its listing, or its own
// page with the files as well.
type Card struct {
	ID      string // "org/name", in the owner's spelling
	Dataset bool
	License string // as declared; several are joined by ", "
	// LicenseName and LicenseURL are what the card gives beside license "other".
	LicenseName string
	LicenseURL  string
	Gated       string   // feeds.GatedNo, GatedAuto or GatedManual
	Bases       []string // base models, "org/name"
	Relation    string   // how it came from them: "finetune", "quantized", "adapter", "merge" or ""
	ArXiv       []string // ids that the card cites: its own paper, or anybody's
	Pipeline    string   // "text-generation"
	Library     string   // "transformers"
	Summary     string   // datasets only: the description
	Created     time.Time
	Modified    time.Time
	LicenseFile string // name of the LICENSE file in the repository; look-ups only
}

// Org is the organization or person whose repository it is.
func (c Card) Org() string {
	org, _, _ := strings.Cut(c.ID, "/")
	return org
}

// URL is the page of the repository.
func (c Card) URL() string {
	if c.Dataset {
		return hfSite + "datasets/" + c.ID
	}
	return hfSite + c.ID
}

// Artifact is the card as an artifact of a work.
func (c Card) Artifact() feeds.Artifact {
	a := feeds.Artifact{
		Kind: feeds.Weights, URL: c.URL(), License: c.License, LicenseName: c.LicenseName, LicenseURL: c.LicenseURL,
		Gated: c.Gated, Bases: c.Bases,
	}
	if c.Dataset {
		a.Kind = feeds.Data
	}
	return a
}

// derived reports whether a base model of the card is another organization's.
func (c Card) derived() bool {
	return slices.ContainsFunc(c.Bases, func(base string) bool {
		org, _, _ := strings.Cut(base, "/")
		return !strings.EqualFold(org, c.Org())
	})
}

// hfRepo is a repository as the API sends it.
// Source: https://huggingface.co/docs/hub/api
type hfRepo struct {
	ID       text            `json:"id"`
	Private  flag            `json:"private"`
	Disabled flag            `json:"disabled"`
	Gated    gate            `json:"gated"`
	Tags     texts           `json:"tags"`
	Pipeline text            `json:"pipeline_tag"`
	Library  text            `json:"library_name"`
	Summary  text            `json:"description"`
	Created  moment          `json:"createdAt"`
	Modified moment          `json:"lastModified"`
	Card     lenient[hfCard] `json:"cardData"`
	Bases    lenient[struct {
		Relation text `json:"relation"`
		Models   list[struct {
			ID text `json:"id"`
		}] `json:"models"`
	}] `json:"baseModels"`
	Siblings list[struct {
		Name text `json:"rfilename"`
	}] `json:"siblings"`
}

// hfCard is the head of a model card.
// Source: https://huggingface.co/docs/hub/model-cards#model-card-metadata
type hfCard struct {
	License     texts `json:"license"`
	LicenseName text  `json:"license_name"`
	LicenseLink texts `json:"license_link"`
	Base        texts `json:"base_model"`
	Relation    text  `json:"base_model_relation"`
}

var (
	repoID   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9._-]{1,96}$`)
	handleID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)
	relation = map[string]bool{"finetune": true, "quantized": true, "adapter": true, "merge": true}
	// Names that a license file goes by, as GitHub's detector knows them.
	licenseName = regexp.MustCompile(`(?i)^(un)?licen[sc]e([-._ ](?:md|txt|rst|pdf|model|code|[a-z0-9.-]{1,20}))?$|^copying(\.txt|\.md)?$`)
)

// card reads a repository. ok is false for what is not public or has no owner.
func (r hfRepo) card(dataset bool) (c Card, ok bool) {
	id := string(r.ID)
	if !repoID.MatchString(id) || bool(r.Private) || bool(r.Disabled) {
		return Card{}, false
	}
	head := r.Card.v
	c = Card{
		ID: id, Dataset: dataset, Gated: string(r.Gated), Pipeline: clip(string(r.Pipeline), 60), Library: clip(string(r.Library), 60),
		LicenseName: clip(string(head.LicenseName), 200), Created: r.Created.Time, Modified: r.Modified.Time,
	}
	if dataset {
		c.Summary = clip(string(r.Summary), feeds.MaxSummary)
	}
	licenses := head.License
	for _, tag := range r.Tags {
		kind, value, found := strings.Cut(tag, ":")
		if !found {
			continue
		}
		switch kind {
		case "license":
			if len(head.License) == 0 {
				licenses = addNew(licenses, value)
			}
		case "arxiv":
			if id, _, ok := feeds.ArXivID(value); ok {
				c.ArXiv = addNew(c.ArXiv, id)
			}
		case "base_model":
			c.addBase(value)
		}
	}
	c.License = clip(strings.Join(licenses, ", "), 300)
	for _, base := range head.Base {
		c.addBase(base)
	}
	for _, base := range r.Bases.v.Models {
		c.addBase(string(base.ID))
	}
	for _, rel := range []text{r.Bases.v.Relation, head.Relation} {
		if relation[string(rel)] && c.Relation == "" && len(c.Bases) > 0 {
			c.Relation = string(rel)
		}
	}
	for _, f := range r.Siblings {
		if licenseName.MatchString(string(f.Name)) && (c.LicenseFile == "" || len(f.Name) < len(c.LicenseFile)) {
			c.LicenseFile = string(f.Name)
		}
	}
	if len(head.LicenseLink) > 0 {
		c.LicenseURL = c.linked(head.LicenseLink[0])
	}
	return c, true
}

// addBase adds a base model, written "org/name" or "quantized:org/name".
func (c *Card) addBase(s string) {
	if rel, id, found := strings.Cut(s, ":"); found && relation[rel] {
		s = id
		if c.Relation == "" {
			c.Relation = rel
		}
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://huggingface.co/"), "hf.co/")
	if repoID.MatchString(s) && !strings.EqualFold(s, c.ID) && len(c.Bases) < 20 {
		c.Bases = addNew(c.Bases, s)
	}
}

// linked resolves a card's license_link, which is a URL or a file of the repository.
func (c Card) linked(link string) string {
	link = clip(strings.TrimSpace(link), 500)
	u, err := url.Parse(link)
	switch {
	case err != nil || link == "":
		return ""
	case u.Scheme == "http" || u.Scheme == "https":
		return link
	case u.Scheme != "" || u.Host != "" || strings.Contains(link, ".."):
		return ""
	}
	return c.URL() + "/blob/main/" + strings.TrimLeft(u.EscapedPath(), "./")
}

// Model looks up a model, "org/name": its license and gate, its base models, and
// the name of its LICENSE file.
func (c *Client) Model(ctx context.Context, id string) (Card, error) { return c.card(ctx, id, false) }

// Dataset looks up a dataset, "org/name".
func (c *Client) Dataset(ctx context.Context, id string) (Card, error) { return c.card(ctx, id, true) }

func (c *Client) card(ctx context.Context, id string, dataset bool) (Card, error) {
	if !repoID.MatchString(id) {
		return Card{}, fmt.Errorf("looking up %q on Hugging Face: want org/name", clip(id, 100))
	}
	kind, expand := "models", append(slices.Clone(modelFields), "siblings")
	if dataset {
		kind, expand = "datasets", append(slices.Clone(datasetFields), "siblings")
	}
	org, name, _ := strings.Cut(id, "/")
	var r hfRepo
	if err := c.lookUp(ctx, c.hf, id, c.hf.at(url.Values{"expand[]": expand}, "api", kind, org, name), &r); err != nil {
		return Card{}, err
	}
	card, ok := r.card(dataset)
	if !ok {
		return Card{}, fmt.Errorf("looking up %s: %w: it is private or disabled", id, ErrNotFound)
	}
	return card, nil
}

// Text is a license file as it stands in a repository.
type Text struct {
	Name string // of the file
	URL  string // the page a person would open
	SPDX string // GitHub only: what its detector makes of it; "NOASSERTION" where it cannot say
	Text string // at most 256 KiB
}

// LicenseFile reads a license file of a Hugging Face repository, "org/name" or
// "datasets/org/name". Name is what [Card.LicenseFile] says; empty means LICENSE.
// The error holds [ErrNotFound] if there is none, or the repository is gated.
func (c *Client) LicenseFile(ctx context.Context, repo, name string) (Text, error) {
	id, dataset := strings.CutPrefix(repo, "datasets/")
	if name == "" {
		name = "LICENSE"
	}
	if !repoID.MatchString(id) || !licenseName.MatchString(name) {
		return Text{}, fmt.Errorf("reading %q of %q: not a license file of a repository", clip(name, 100), clip(repo, 100))
	}
	path := append(strings.Split(repo, "/"), "resolve", "main", name)
	resp, err := c.fetch(ctx, c.hf, feeds.Request{URL: c.hf.at(nil, path...), Accept: "text/plain", MaxBytes: maxLicense})
	switch feeds.TroubleOf(err) {
	case feeds.TroubleGone, feeds.TroubleDenied:
		return Text{}, fmt.Errorf("reading %s of %s: %w: %w", name, repo, ErrNotFound, err)
	}
	if err != nil {
		return Text{}, fmt.Errorf("reading %s of %s: %w", name, repo, err)
	}
	if err := notText(resp.Body); err != nil {
		return Text{}, fmt.Errorf("reading %s of %s: %w", name, repo, badAnswer(err, c.hf))
	}
	return Text{Name: name, URL: Card{ID: id, Dataset: dataset}.URL() + "/blob/main/" + name, Text: plain(resp.Body, maxLicense)}, nil
}

// notText refuses what cannot be a license text: a page, a PDF, a pointer to a
// large file.
func notText(b []byte) error {
	head := bytes.ToLower(bytes.TrimSpace(b[:min(len(b), 512)]))
	switch {
	case len(head) == 0:
		return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("the file is empty")}
	case bytes.HasPrefix(head, []byte("<!doctype")), bytes.HasPrefix(head, []byte("<html")):
		return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("a web page in place of a text")}
	case bytes.HasPrefix(head, []byte("%pdf")), bytes.IndexByte(head, 0) >= 0, bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("the file is not a text")}
	}
	return nil
}

// Linked is what Hugging Face knows of a paper.
type Linked struct {
	Organization string // handle of the organization that lists the paper as its own; often empty
	Name         string // that organization's full name
	GitHub       string // "owner/name" of the paper's code, as its page says
	Project      string // URL of the paper's project page
	// Models and Datasets are the repositories whose cards cite the paper. Most are
	// other people's: a fine-tune cites the paper of its base. Compare [Card.Org] and
	// [Card.Bases].
	Models   []Card
	Datasets []Card
	Spaces   []string // "org/name" of demos
}

// PaperRepos looks up what is linked to a paper: the paper's own page, and all
// repositories that cite it. It makes two requests. The error holds [ErrNotFound]
// if Hugging Face has neither.
// Source: https://huggingface.co/docs/hub/paper-pages
func (c *Client) PaperRepos(ctx context.Context, arxivID string) (Linked, error) {
	id, _, ok := feeds.ArXivID(arxivID)
	if !ok {
		return Linked{}, fmt.Errorf("looking up %q on Hugging Face: want an arXiv id", clip(arxivID, 100))
	}
	var l Linked
	var page struct {
		hfPaper
		Error text `json:"error"`
	}
	found := false
	switch err := c.lookUp(ctx, c.hf, "arXiv:"+id, c.hf.at(nil, "api", "papers", id), &page); {
	case err == nil:
		found = true
		l.Organization, l.Name = page.Organization.v.handle()
		if k, ok := feeds.KeyOfURL(string(page.GitHub)); ok && k.Scheme == feeds.KeyGitHub {
			l.GitHub = k.Value
		}
		l.Project = httpURL(string(page.Project))
	case !errors.Is(err, ErrNotFound):
		return Linked{}, err
	}
	var repos struct {
		Models   list[hfRepo] `json:"models"`
		Datasets list[hfRepo] `json:"datasets"`
		Spaces   list[hfRepo] `json:"spaces"`
	}
	switch err := c.lookUp(ctx, c.hf, "arXiv:"+id, c.hf.at(nil, "api", "arxiv", id, "repos"), &repos); {
	case err == nil:
		found = true
	case !errors.Is(err, ErrNotFound):
		return Linked{}, err
	}
	if !found {
		return Linked{}, fmt.Errorf("looking up arXiv:%s on Hugging Face: %w", id, ErrNotFound)
	}
	for _, r := range repos.Models {
		if card, ok := r.card(false); ok && len(l.Models) < maxLinked {
			l.Models = append(l.Models, card)
		}
	}
	for _, r := range repos.Datasets {
		if card, ok := r.card(true); ok && len(l.Datasets) < maxLinked {
			l.Datasets = append(l.Datasets, card)
		}
	}
	for _, r := range repos.Spaces {
		if repoID.MatchString(string(r.ID)) && len(l.Spaces) < maxLinked {
			l.Spaces = append(l.Spaces, string(r.ID))
		}
	}
	return l, nil
}

// maxLinked bounds the repositories of one kind that a look-up returns.
const maxLinked = 200

// httpURL returns s if it is an absolute web address, else "".
func httpURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || len(s) > 500 {
		return ""
	}
	return s
}

// hfPaper is a paper of the daily papers, or its page.
type hfPaper struct {
	ID      text `json:"id"`
	Title   text `json:"title"`
	Summary text `json:"summary"`
	Authors list[struct {
		Name   text `json:"name"`
		Hidden flag `json:"hidden"`
	}] `json:"authors"`
	Published    moment         `json:"publishedAt"`
	Submitted    moment         `json:"submittedOnDailyAt"`
	GitHub       text           `json:"githubRepo"`
	Project      text           `json:"projectPage"`
	Organization lenient[hfOrg] `json:"organization"`
}

type hfOrg struct {
	Name     text `json:"name"`
	Fullname text `json:"fullname"`
}

// handle returns the organization's handle and name, both empty if the handle is none.
func (o hfOrg) handle() (handle, name string) {
	if !handleID.MatchString(string(o.Name)) {
		return "", ""
	}
	return string(o.Name), clip(string(o.Fullname), 200)
}
