package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/digest"
	"seedcorn/digest/jobs"
	"seedcorn/digest/query"
	"seedcorn/feeds"
	"seedcorn/feeds/arxiv"
	"seedcorn/feeds/hub"
)

// lookupWindow is how far back works are asked about: what a monthly digest may
// still tell.
const lookupWindow = 35 * 24 * time.Hour

func (a *app) lookupCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "lookup [WORK]",
		Short: "ask arXiv, Hugging Face, GitHub and OpenAlex what feeds did not say",
		Long: `Look up affiliations of papers, repositories that belong to them, and license texts,
newest works first, within each service's limits. Answers are kept for a month, so the
command can be interrupted and run again. serve does the same in the background.

OpenAlex is asked only if ` + prefix + `OPENALEX_KEY is set.`,
		Example: "  seedcorn lookup --limit 200\n  seedcorn lookup 2501.12948",
		RunE: func(c *cobra.Command, args []string) error {
			if limit <= 0 {
				return usagef("a number of questions, such as 100", "--limit %d asks nothing", limit)
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				if !w.cfg.Lookups {
					return hinted(errors.New("look-ups are switched off"), "unset "+prefix+"LOOKUPS")
				}
				note := func(q jobs.Question, words string, err error) {
					if err != nil {
						words = "error: " + err.Error()
					}
					fmt.Fprintf(a.out, "%s: %s\n", q.Name, words)
				}
				if len(args) == 0 {
					n, err := w.lookUp(ctx, a.now(), limit, note)
					if err == nil {
						_, err = fmt.Fprintf(a.out, "%d questions asked\n", n)
					}
					return err
				}
				work, err := w.findWork(ctx, strings.Join(args, " "))
				if err != nil {
					return err
				}
				l, err := w.lookups(ctx, note)
				if err != nil {
					return err
				}
				_, err = l.Run(ctx, []digest.Work{work}, limit)
				return err
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 100, "how many questions at most")
	return c
}

func (w *world) lookups(ctx context.Context, note func(jobs.Question, string, error)) (*jobs.Lookups, error) {
	t, err := w.tags(ctx)
	if err != nil {
		return nil, err
	}
	return &jobs.Lookups{Notebook: w.db, Questions: w.questions, Tag: t.Tag, Now: time.Now, Note: func(q jobs.Question, words string, err error) {
		w.asked(ctx, q, err)
		if note != nil {
			note(q, words, err)
		}
	}}, nil
}

// lookUp asks about recent works, newest first.
func (w *world) lookUp(ctx context.Context, now time.Time, limit int, note func(jobs.Question, string, error)) (int, error) {
	l, err := w.lookups(ctx, note)
	if err != nil {
		return 0, err
	}
	works, err := w.db.WorksIn(ctx, digest.Period{From: now.Add(-lookupWindow), To: now.Add(time.Hour)}, query.Query{})
	if err != nil {
		return 0, fmt.Errorf("looking up: %w", err)
	}
	slices.SortStableFunc(works, func(a, b digest.Work) int { return b.First.Compare(a.First) })
	return l.Run(ctx, works, limit)
}

// questions are what can be asked about a work, the most telling first.
func (w *world) questions(work digest.Work) []jobs.Question {
	var out []jobs.Question
	for _, k := range work.Keys {
		switch {
		case k.Scheme == feeds.KeyArXiv && !k.Claim:
			id := k.Value
			needless := ""
			if slices.ContainsFunc(work.Labs, func(a feeds.Attribution) bool { return a.Basis == feeds.Affiliation }) {
				needless = "affiliations are known"
			}
			out = append(out, jobs.Question{
				Name: "arxiv-page:" + id, Service: "arxiv", About: "arXiv's page, for affiliations", Needless: needless,
				Ask: func(ctx context.Context) ([]feeds.Item, string, error) { return w.askArXiv(ctx, work, id) },
			})
			out = append(out, jobs.Question{
				Name: "hf-paper:" + id, Service: "huggingface", About: "Hugging Face, for the paper's code, weights and data",
				Ask: func(ctx context.Context) ([]feeds.Item, string, error) { return w.askPaper(ctx, work, id) },
			})
			if w.cfg.OpenAlexKey != "" {
				out = append(out, jobs.Question{
					Name: "openalex:" + id, Service: "openalex", About: "OpenAlex, for affiliations", Needless: needless,
					Ask: func(ctx context.Context) ([]feeds.Item, string, error) { return w.askOpenAlex(ctx, work, id) },
				})
			}
		}
	}
	for _, x := range work.Artifacts {
		k, ok := feeds.KeyOfURL(x.URL)
		if !ok {
			continue
		}
		switch k.Scheme {
		case feeds.KeyHF:
			repo := repoOf(x.URL, k.Value)
			out = append(out, jobs.Question{
				Name: "hf-license:" + k.Value, Service: "huggingface", About: "the LICENSE file of " + repo,
				Ask: func(ctx context.Context) ([]feeds.Item, string, error) { return w.askModel(ctx, work, x, repo) },
			})
			if len(x.Bases) > 0 && x.Kind == feeds.Weights {
				out = append(out, jobs.Question{
					Name: "hf-bases:" + k.Value, Service: "huggingface", About: "the licenses of what " + repo + " is derived from",
					Ask: func(ctx context.Context) ([]feeds.Item, string, error) { return w.askBases(ctx, work, x, repo) },
				})
			}
		case feeds.KeyGitHub:
			repo := repoOf(x.URL, k.Value)
			out = append(out, jobs.Question{
				Name: "github-license:" + k.Value, Service: "github", About: "the LICENSE file of " + repo,
				Ask: func(ctx context.Context) ([]feeds.Item, string, error) { return w.askRepo(ctx, work, x, repo) },
			})
		}
	}
	once := out[:0]
	for _, q := range out {
		if !slices.ContainsFunc(once, func(x jobs.Question) bool { return x.Name == q.Name }) {
			once = append(once, q)
		}
	}
	return once
}

// repoOf is the repository's name in its owner's spelling: key is lower case.
func repoOf(url, key string) string {
	if i := strings.LastIndex(strings.ToLower(url), key); i >= 0 {
		return url[i : i+len(key)]
	}
	return key
}

// answerAbout begins an answer about a work: it carries the key that joins it, and the
// work's own date, so that it neither ages nor renews it.
func answerAbout(work digest.Work, guid, url string, key feeds.Key) feeds.Item {
	return feeds.Item{GUID: guid, URL: url, Title: work.Title, Published: work.First, Keys: []feeds.Key{key}}
}

func (w *world) askArXiv(ctx context.Context, work digest.Work, id string) ([]feeds.Item, string, error) {
	front, err := arxiv.Affiliations(ctx, w.client, w.gate(), w.cfg.ArXivPages, id)
	if errors.Is(err, arxiv.ErrNoHTML) {
		return nil, "there is no HTML page", nil
	}
	if err != nil {
		return nil, "", err
	}
	it := answerAbout(work, "arxiv-page:"+id, front.URL, feeds.Key{Scheme: feeds.KeyArXiv, Value: id})
	it.Affiliations, it.Emails, it.Artifacts = front.Affiliations, front.Emails, front.Artifacts
	it.Keys = append(it.Keys, front.Keys...)
	if len(it.Affiliations)+len(it.Emails)+len(it.Artifacts) == 0 {
		return nil, "the page prints no affiliation", nil
	}
	return []feeds.Item{it}, fmt.Sprintf("%d affiliations, %d e-mail domains, %d links", len(it.Affiliations), len(it.Emails), len(it.Artifacts)), nil
}

func (w *world) askPaper(ctx context.Context, work digest.Work, id string) ([]feeds.Item, string, error) {
	linked, err := w.hub.PaperRepos(ctx, id)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, "not known there", nil
	}
	if err != nil {
		return nil, "", err
	}
	key := feeds.Key{Scheme: feeds.KeyArXiv, Value: id}
	it := answerAbout(work, "hf-paper:"+id, w.cfg.HuggingFace+"/papers/"+id, key)
	if linked.GitHub != "" {
		url := "https://github.com/" + linked.GitHub
		it.Artifacts = append(it.Artifacts, feeds.Artifact{Kind: feeds.Code, URL: url})
		it.Keys = append(it.Keys, feeds.Key{Scheme: feeds.KeyGitHub, Value: strings.ToLower(linked.GitHub), Claim: true})
	}
	// Anybody's repository may cite a paper. Only those of the organization that lists
	// the paper as its own, or of a lab that the paper is known to be of, are its weights.
	mine := func(card hub.Card) bool {
		if linked.Organization != "" && strings.EqualFold(card.Org(), linked.Organization) {
			return true
		}
		l, ok := w.reg.ByHandle(feeds.HuggingFace, card.Org())
		return ok && slices.ContainsFunc(work.Labs, func(a feeds.Attribution) bool { return a.Counts() && a.Lab == l.ID })
	}
	others := 0
	for _, card := range append(linked.Models, linked.Datasets...) {
		if mine(card) && len(card.ArXiv) <= 1 {
			it.Artifacts = append(it.Artifacts, card.Artifact())
		} else {
			others++
		}
	}
	if linked.Organization != "" {
		it.Account = feeds.Account{Service: feeds.HuggingFace, Handle: linked.Organization}
	}
	words := fmt.Sprintf("%d repositories of its own, %d of others", len(it.Artifacts), others)
	if len(it.Artifacts) == 0 && linked.Organization == "" {
		return nil, words, nil
	}
	return []feeds.Item{it}, words, nil
}

func (w *world) askOpenAlex(ctx context.Context, work digest.Work, id string) ([]feeds.Item, string, error) {
	found, err := w.hub.Work(ctx, id)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, "not known there", nil
	}
	if err != nil {
		return nil, "", err
	}
	it := answerAbout(work, "openalex:"+id, found.ID, feeds.Key{Scheme: feeds.KeyArXiv, Value: id})
	for _, a := range found.Authorships {
		for _, raw := range a.Raw {
			if !slices.Contains(it.Affiliations, raw) {
				it.Affiliations = append(it.Affiliations, raw)
			}
		}
		if len(a.Raw) > 0 {
			continue
		}
		for _, in := range a.Institutions {
			name := in.Name
			if in.Country != "" {
				name += ", " + w.reg.CountryName(in.Country)
			}
			if !slices.Contains(it.Affiliations, name) {
				it.Affiliations = append(it.Affiliations, name)
			}
		}
	}
	if len(it.Affiliations) == 0 {
		return nil, "no affiliation there", nil
	}
	return []feeds.Item{it}, fmt.Sprintf("%d affiliations", len(it.Affiliations)), nil
}

// askModel reads a repository's card and its LICENSE file.
func (w *world) askModel(ctx context.Context, work digest.Work, x feeds.ArtifactTag, repo string) ([]feeds.Item, string, error) {
	name, dataset := strings.CutPrefix(repo, "datasets/")
	ask := w.hub.Model
	if dataset {
		ask = w.hub.Dataset
	}
	card, err := ask(ctx, name)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, "the repository is gone or gated", nil
	}
	if err != nil {
		return nil, "", err
	}
	it := answerAbout(work, "hf-license:"+repo, card.URL(), feeds.Key{Scheme: feeds.KeyHF, Value: strings.ToLower(repo)})
	artifact := card.Artifact()
	artifact.Kind, artifact.URL = x.Kind, x.URL
	words := "card read, no LICENSE file"
	text, err := w.hub.LicenseFile(ctx, repo, card.LicenseFile)
	switch {
	case err == nil:
		artifact.LicenseText, artifact.LicenseURL = text.Text, text.URL
		words = "card and " + text.Name + " read"
	case !errors.Is(err, hub.ErrNotFound):
		return nil, "", err
	}
	it.Artifacts = []feeds.Artifact{artifact}
	return []feeds.Item{it}, words, nil
}

// maxBases bounds the base models that are asked about: a merge may name dozens.
const maxBases = 5

// askBases reads what an artifact's base models declare, because it is no freer than
// they are (rule O4).
func (w *world) askBases(ctx context.Context, work digest.Work, x feeds.ArtifactTag, repo string) ([]feeds.Item, string, error) {
	artifact := feeds.Artifact{Kind: x.Kind, URL: x.URL, License: x.License, Bases: x.Bases[:min(len(x.Bases), maxBases)]}
	known := 0
	for _, base := range artifact.Bases {
		card, err := w.hub.Model(ctx, base)
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return nil, "", err
		}
		terms := card.License
		if strings.EqualFold(terms, "other") && card.LicenseName != "" {
			terms = card.LicenseName
		}
		if terms != "" {
			known++
		}
		artifact.BaseLicenses = append(artifact.BaseLicenses, terms)
	}
	words := fmt.Sprintf("%d of %d bases declare a license", known, len(artifact.Bases))
	if known == 0 {
		return nil, words, nil
	}
	it := answerAbout(work, "hf-bases:"+repo, x.URL, feeds.Key{Scheme: feeds.KeyHF, Value: strings.ToLower(repo)})
	it.Artifacts = []feeds.Artifact{artifact}
	return []feeds.Item{it}, words, nil
}

func (w *world) askRepo(ctx context.Context, work digest.Work, x feeds.ArtifactTag, repo string) ([]feeds.Item, string, error) {
	text, err := w.hub.License(ctx, repo)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, "there is no LICENSE file", nil
	}
	if err != nil {
		return nil, "", err
	}
	it := answerAbout(work, "github-license:"+repo, text.URL, feeds.Key{Scheme: feeds.KeyGitHub, Value: strings.ToLower(repo), Claim: true})
	it.Artifacts = []feeds.Artifact{{Kind: x.Kind, URL: x.URL, License: text.SPDX, LicenseURL: text.URL, LicenseText: text.Text}}
	return []feeds.Item{it}, text.Name + " read", nil
}
