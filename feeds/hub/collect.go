package hub

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"seedcorn/feeds"
)

// MaxPages bounds how much of a listing is read: 500 repositories of 100 a page,
// newest first.
const MaxPages = 5

// A Collector reads sources of the kinds [feeds.KindHuggingFace],
// [feeds.KindDailyPapers] and [feeds.KindGitHub].
//
// Every page of a listing is asked for with what is known of it, its ETag and the
// hash of its body, and an unchanged page is not parsed. Of a changed page only
// those entries are returned whose substance is new: title, description, license,
// gate, base models, cited papers. A download count is no news; a license that
// changed is. What is listed is read to the end at each visit, up to [MaxPages],
// because an old model can be relicensed too.
type Collector struct {
	Client *Client
}

// A listing is one list of the API that a source is made of.
type listing struct {
	name    string
	service service
	url     string
	pages   int // how many are read at most
	read    func(raw json.RawMessage) (it feeds.Item, substance any, err error)
}

// errSkip is returned for an entry that is not to be listed, which is no fault.
var errSkip = errors.New("not listed")

// Collect visits src once; see [feeds.Collector]. Where a service's limit is used
// up, NotBefore says until when, along with the error.
func (c Collector) Collect(ctx context.Context, src feeds.Source, last feeds.State) (feeds.Pull, error) {
	lists, err := c.listings(src, memoryOf(last))
	if err != nil {
		return feeds.Pull{}, err
	}
	v := visit{client: c.Client, src: src, known: known(last.Entries), was: memoryOf(last), old: last.Entries, seen: make(map[feeds.ItemID]bool)}
	v.now.User = v.was.User
	for _, l := range lists {
		err := v.list(ctx, l)
		if feeds.TroubleOf(err) == feeds.TroubleGone && src.Kind == feeds.KindGitHub && !v.now.User {
			// Not an organization: a person's repositories are listed elsewhere.
			v.now.User = true
			l.url, l.read = c.ghList(handleOf(src), true), readRepo(src, handleOf(src), true)
			err = v.list(ctx, l)
		}
		if err != nil {
			pull := feeds.Pull{}
			var t *feeds.Trouble
			if errors.As(err, &t) {
				said := *t
				said.Source = src.ID
				if said.Kind == feeds.TroubleLimited {
					pull.NotBefore = time.Now().Add(said.RetryAfter)
				}
				err = &said
			}
			return pull, err
		}
	}
	return v.pull(last, c.Client.closedUntil(lists[0].service.name))
}

// handleOf returns the account that a source is about: from its id ("hf:Qwen",
// "gh:deepseek-ai"), else from its address (…?author=Qwen, …/orgs/deepseek-ai/repos,
// https://huggingface.co/Qwen). It is empty where there is none.
func handleOf(src feeds.Source) string {
	handle := ""
	for _, prefix := range []string{"hf:", "gh:"} {
		if h, ok := strings.CutPrefix(string(src.ID), prefix); ok {
			handle = h
		}
	}
	if u, err := url.Parse(src.URL); err == nil && handle == "" {
		parts := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
		switch {
		case u.Query().Get("author") != "":
			handle = u.Query().Get("author")
		case len(parts) >= 3 && (parts[len(parts)-3] == "orgs" || parts[len(parts)-3] == "users"):
			handle = parts[len(parts)-2]
		case len(parts) == 1:
			handle = parts[0]
		}
	}
	if !handleID.MatchString(handle) {
		return ""
	}
	return handle
}

// The fields that we ask of Hugging Face. The counts of downloads and likes that
// make every answer different are not among them, so that an organization that
// released nothing answers with the same bytes.
// Source: https://huggingface.co/docs/huggingface_hub/package_reference/hf_api (list_models, expand)
var (
	modelFields   = []string{"author", "baseModels", "cardData", "createdAt", "disabled", "gated", "lastModified", "library_name", "pipeline_tag", "private", "tags"}
	datasetFields = []string{"author", "cardData", "createdAt", "description", "disabled", "gated", "lastModified", "private", "tags"}
)

func (c Collector) listings(src feeds.Source, was memory) ([]listing, error) {
	hub := c.Client
	handle := handleOf(src)
	if handle == "" && src.Kind != feeds.KindDailyPapers {
		return nil, fmt.Errorf("reading %s: it names no account", src.ID)
	}
	switch src.Kind {
	case feeds.KindHuggingFace:
		q := func(fields []string) url.Values {
			return url.Values{"author": {handle}, "sort": {"createdAt"}, "direction": {"-1"}, "limit": {"100"}, "expand[]": fields}
		}
		return []listing{
			{"models", hub.hf, hub.hf.at(q(modelFields), "api", "models"), MaxPages, readCard(src, handle, false)},
			{"datasets", hub.hf, hub.hf.at(q(datasetFields), "api", "datasets"), MaxPages, readCard(src, handle, true)},
		}, nil
	case feeds.KindDailyPapers:
		return []listing{{"papers", hub.hf, hub.hf.at(url.Values{"limit": {"100"}}, "api", "daily_papers"), 1, readPaper(src)}}, nil
	case feeds.KindGitHub:
		return []listing{{"repos", hub.gh, c.ghList(handle, was.User), MaxPages, readRepo(src, handle, was.User)}}, nil
	}
	return nil, fmt.Errorf("reading %s: this collector does not read sources of kind %q", src.ID, src.Kind)
}

// ghList is where the repositories of an organization, or of a person, are listed.
// Source: https://docs.github.com/rest/repos/repos#list-organization-repositories
func (c Collector) ghList(handle string, user bool) string {
	q := url.Values{"sort": {"created"}, "direction": {"desc"}, "per_page": {"100"}}
	kind := "orgs"
	if user {
		kind = "users"
	} else {
		q.Set("type", "public")
	}
	return c.Client.gh.at(q, kind, handle, "repos")
}

// memory is what the collector keeps in [feeds.State.Cursor]: each page that was
// read, with the number of its entries in [feeds.State.Entries].
type memory struct {
	Pages []page `json:"pages,omitempty"`
	User  bool   `json:"user,omitempty"` // GitHub: a person, not an organization
}

type page struct {
	List  string `json:"list"`
	URL   string `json:"url"`
	ETag  string `json:"etag,omitempty"`
	Since string `json:"since,omitempty"` // Last-Modified
	Body  string `json:"body,omitempty"`
	Next  string `json:"next,omitempty"`
	N     int    `json:"n"`
}

// memoryOf reads the cursor of a state. One that does not fit its entries is
// forgotten, at the price of a full read.
func memoryOf(s feeds.State) memory {
	var m memory
	if json.Unmarshal([]byte(s.Cursor), &m) != nil {
		return memory{}
	}
	n := 0
	for _, p := range m.Pages {
		if p.N < 0 || p.N > maxEntries {
			return memory{User: m.User}
		}
		n += p.N
	}
	if n*hashSize != len(s.Entries) {
		return memory{User: m.User}
	}
	return m
}

const hashSize = 8

type hash [hashSize]byte

func known(entries []byte) map[hash]bool {
	m := make(map[hash]bool, len(entries)/hashSize)
	for ; len(entries) >= hashSize; entries = entries[hashSize:] {
		m[hash(entries)] = true
	}
	return m
}

// visit is one visit to a source.
type visit struct {
	client  *Client
	src     feeds.Source
	known   map[hash]bool
	was     memory
	old     []byte // entries of was
	now     memory
	entries []byte
	changed bool
	items   []feeds.Item
	seen    map[feeds.ItemID]bool
	faults  []string
}

// remembered returns what is known of a page, and the hashes of its entries.
func (v *visit) remembered(list, address string) (p page, entries []byte, ok bool) {
	at := 0
	for _, p := range v.was.Pages {
		end := at + p.N*hashSize
		if p.List == list && p.URL == address {
			return p, v.old[at:end], true
		}
		at = end
	}
	return page{}, nil, false
}

// list reads one listing, page by page.
func (v *visit) list(ctx context.Context, l listing) error {
	address := l.url
	for n := 0; address != ""; n++ {
		if n == l.pages {
			if n > 1 {
				v.fault(fmt.Sprintf("%s: more than %d pages; the oldest were left out", l.name, n))
			}
			return nil
		}
		p, entries, ok := v.remembered(l.name, address)
		resp, err := v.client.fetch(ctx, l.service, feeds.Request{
			URL: address, Accept: "application/json", ETag: p.ETag, LastModified: p.Since, Hash: p.Body, MaxBytes: maxList,
		})
		if err != nil {
			return err
		}
		if ok && (resp.Status == http.StatusNotModified || p.Body != "" && resp.Hash == p.Body) {
			if next := l.service.next(resp.Header); next != "" { // a 304 need not repeat it
				p.Next = next
			}
			v.now.Pages = append(v.now.Pages, p)
			v.entries = append(v.entries, entries...)
			address = p.Next
			continue
		}
		if resp.Status == http.StatusNotModified {
			return &feeds.Trouble{Kind: feeds.TroubleMalformed, URL: l.service.base.String(), Status: resp.Status, Err: errors.New("an answer without a body to a question without conditions")}
		}
		v.changed = true
		next := l.service.next(resp.Header)
		entries, err = v.read(l, resp.Body)
		if err != nil {
			return badAnswer(err, l.service)
		}
		v.now.Pages = append(v.now.Pages, page{
			List: l.name, URL: address, ETag: resp.ETag, Since: resp.LastModified, Body: resp.Hash, Next: next, N: len(entries) / hashSize,
		})
		v.entries = append(v.entries, entries...)
		if slices.ContainsFunc(v.now.Pages, func(p page) bool { return p.List == l.name && p.URL == next }) {
			v.fault(l.name + ": the next page is one that was read")
			return nil
		}
		address = next
	}
	return nil
}

// read decodes a page and keeps what is new in it. The whole page must be JSON;
// an entry that makes no sense is a fault.
func (v *visit) read(l listing, body []byte) (entries []byte, err error) {
	raw, err := array(body)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxEntries {
		return nil, &feeds.Trouble{Kind: feeds.TroubleTooLarge, Err: fmt.Errorf("%d entries on a page", len(raw))}
	}
	for i, r := range raw {
		it, substance, err := l.read(r)
		if errors.Is(err, errSkip) {
			continue
		}
		if err != nil {
			v.fault(fmt.Sprintf("%s, entry %d: %v", l.name, i+1, err))
			continue
		}
		h := hashOf(substance)
		entries = append(entries, h[:]...)
		if !v.known[h] && !v.seen[it.ID] {
			v.seen[it.ID] = true
			v.items = append(v.items, it)
		}
	}
	return entries, nil
}

// array splits a JSON array into its entries.
func array(body []byte) ([]json.RawMessage, error) {
	if err := notJSON(body, '['); err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("the answer is broken JSON: " + clip(err.Error(), 200))}
	}
	return raw, nil
}

func hashOf(substance any) (h hash) {
	b, err := json.Marshal(substance)
	if err != nil { // plain structs of strings always marshal
		return hash{}
	}
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

// fault remarks on something that was left out, twenty times at most.
func (v *visit) fault(s string) {
	if len(v.faults) < 20 {
		v.faults = append(v.faults, clip(s, 300))
	}
}

func (v *visit) pull(last feeds.State, notBefore time.Time) (feeds.Pull, error) {
	p := feeds.Pull{Entries: len(v.entries) / hashSize, NotBefore: notBefore, Faults: v.faults}
	if !v.changed && len(v.now.Pages) == len(v.was.Pages) {
		p.Unchanged, p.State = true, last
		return p, nil
	}
	cursor, err := json.Marshal(v.now)
	if err != nil {
		return feeds.Pull{}, fmt.Errorf("keeping the state of %s: %w", v.src.ID, err)
	}
	p.State = feeds.State{Cursor: string(cursor), Entries: v.entries}
	if len(v.now.Pages) > 0 {
		p.State.ETag, p.State.Body = v.now.Pages[0].ETag, v.now.Pages[0].Body
	}
	slices.SortStableFunc(v.items, func(a, b feeds.Item) int { return a.Published.Compare(b.Published) })
	p.Items = v.items
	if handle := handleOf(v.src); handle != "" && v.src.Kind == feeds.KindHuggingFace {
		p.Title = handle + " on Hugging Face"
	} else if handle != "" {
		p.Title = handle + " on GitHub"
	} else {
		p.Title = "Hugging Face daily papers"
	}
	return p, nil
}

// base is what all items of a source have in common.
func base(src feeds.Source, kind feeds.ItemKind, guid string) feeds.Item {
	it := feeds.Item{ID: feeds.NewItemID(src.ID, guid), Source: src.ID, Kind: kind, GUID: guid}
	if src.Official {
		it.Publisher = src.Lab
	}
	return it
}

// readCard reads an entry of a listing of models or datasets. An entry of another
// account is a fault: nobody is to be credited with what is not theirs.
func readCard(src feeds.Source, handle string, dataset bool) func(json.RawMessage) (feeds.Item, any, error) {
	return func(raw json.RawMessage) (feeds.Item, any, error) {
		var r hfRepo
		if err := object(raw, &r); err != nil {
			return feeds.Item{}, nil, errors.New("not a repository")
		}
		if r.Private || r.Disabled {
			return feeds.Item{}, nil, errSkip
		}
		c, ok := r.card(dataset)
		if !ok {
			return feeds.Item{}, nil, fmt.Errorf("%q is no repository's id", clip(string(r.ID), 100))
		}
		if !strings.EqualFold(c.Org(), handle) {
			return feeds.Item{}, nil, fmt.Errorf("%s is not of %s", c.ID, handle)
		}
		it := c.item(src)
		return it, []any{it.Title, it.Summary, it.Published, it.Keys, it.Artifacts}, nil
	}
}

// item makes an item of a card. The paper that a card cites is claimed only where
// it is the one paper cited and no base model is another organization's: a
// fine-tune cites the paper of its base.
func (c Card) item(src feeds.Source) feeds.Item {
	kind, guid := feeds.ItemModel, c.ID
	if c.Dataset {
		kind, guid = feeds.ItemDataset, "datasets/"+c.ID
	}
	it := base(src, kind, guid)
	it.Account = feeds.Account{Service: feeds.HuggingFace, Handle: c.Org()}
	it.URL, it.Title, it.Summary = c.URL(), c.ID, c.words()
	it.Published, it.Updated = c.Created, c.Modified
	it.Categories = addNew(addNew(nil, c.Pipeline), c.Library)
	it.Artifacts = []feeds.Artifact{c.Artifact()}
	it.Keys = []feeds.Key{{Scheme: feeds.KeyHF, Value: strings.ToLower(guid)}}
	if len(c.ArXiv) == 1 && !c.derived() {
		it.Keys = append(it.Keys, feeds.Key{Scheme: feeds.KeyArXiv, Value: c.ArXiv[0], Claim: true})
	}
	return it
}

// words says in a line what the card's metadata says.
func (c Card) words() string {
	var s []string
	what := "Model"
	if c.Dataset {
		what = "Dataset"
	}
	if c.Pipeline != "" {
		what = strings.ToUpper(c.Pipeline[:1]) + strings.ReplaceAll(c.Pipeline[1:], "-", " ") + " " + strings.ToLower(what)
	}
	if c.Library != "" {
		what += " for " + c.Library
	}
	s = append(s, what+".")
	switch {
	case c.License == "":
		s = append(s, "No license declared.")
	case c.LicenseName != "":
		s = append(s, "License: "+c.LicenseName+".")
	default:
		s = append(s, "License: "+c.License+".")
	}
	switch c.Gated {
	case feeds.GatedAuto:
		s = append(s, "Access on sharing contact data.")
	case feeds.GatedManual:
		s = append(s, "Access on approval.")
	}
	if len(c.Bases) > 0 {
		how := map[string]string{"finetune": "Fine-tuned from ", "quantized": "Quantized from ", "adapter": "Adapter for ", "merge": "Merged from "}[c.Relation]
		if how == "" {
			how = "Derived from "
		}
		s = append(s, how+strings.Join(c.Bases[:min(len(c.Bases), 3)], ", ")+".")
	}
	if c.Summary != "" {
		s = append(s, c.Summary)
	}
	return clip(strings.Join(s, " "), feeds.MaxSummary)
}

// readPaper reads an entry of the daily papers. The organization that lists the
// paper as its own is its account, and its name stands among the affiliations.
// Source: https://huggingface.co/docs/hub/paper-pages
func readPaper(src feeds.Source) func(json.RawMessage) (feeds.Item, any, error) {
	return func(raw json.RawMessage) (feeds.Item, any, error) {
		var r struct {
			Paper        lenient[hfPaper] `json:"paper"`
			Title        text             `json:"title"`
			Summary      text             `json:"summary"`
			Published    moment           `json:"publishedAt"`
			Organization lenient[hfOrg]   `json:"organization"`
		}
		if err := object(raw, &r); err != nil {
			return feeds.Item{}, nil, errors.New("not a paper")
		}
		p := r.Paper.v
		id, _, ok := feeds.ArXivID(string(p.ID))
		if !ok {
			return feeds.Item{}, nil, fmt.Errorf("%q is no arXiv id", clip(string(p.ID), 60))
		}
		if p.Title == "" {
			p.Title = r.Title
		}
		if p.Summary == "" {
			p.Summary = r.Summary
		}
		if p.Title == "" {
			return feeds.Item{}, nil, fmt.Errorf("%s has no title", id)
		}
		it := base(src, feeds.ItemPaper, "arxiv:"+id)
		it.URL = hfSite + "papers/" + id
		it.Title, it.Summary = clip(string(p.Title), feeds.MaxTitle), clip(string(p.Summary), feeds.MaxSummary)
		it.Published, it.Updated = p.Published.Time, p.Submitted.Time
		if it.Published.IsZero() {
			it.Published = r.Published.Time
		}
		for _, a := range p.Authors {
			if a.Name != "" && len(it.Authors) < feeds.MaxAuthors {
				it.Authors = append(it.Authors, clip(string(a.Name), 200))
			}
		}
		handle, name := p.Organization.v.handle()
		if handle == "" {
			handle, name = r.Organization.v.handle()
		}
		if handle != "" {
			it.Account = feeds.Account{Service: feeds.HuggingFace, Handle: handle}
			it.Affiliations = addNew(nil, name)
		}
		it.Keys = []feeds.Key{{Scheme: feeds.KeyArXiv, Value: id}}
		if title, ok := feeds.TitleKey(it.Title); ok {
			it.Keys = append(it.Keys, feeds.Key{Scheme: feeds.KeyTitle, Value: title})
		}
		it.Artifacts = []feeds.Artifact{{Kind: feeds.Paper, URL: "https://arxiv.org/abs/" + id}}
		if k, ok := feeds.KeyOfURL(string(p.GitHub)); ok && k.Scheme == feeds.KeyGitHub {
			k.Claim = true
			it.Keys = append(it.Keys, k)
			it.Artifacts = append(it.Artifacts, feeds.Artifact{Kind: feeds.Code, URL: ghSite + k.Value})
		}
		if k, ok := feeds.KeyOfURL(string(p.Project)); ok && k.Scheme == feeds.KeyURL && !onHub(k.Value) {
			k.Claim = true
			it.Keys = append(it.Keys, k)
		}
		return it, []any{it.Title, it.Summary, it.Published, it.Account, it.Keys, it.Artifacts, it.Authors}, nil
	}
}

// onHub reports whether a page is one of a hub's own, which stand for no one work.
func onHub(canonical string) bool {
	return strings.HasPrefix(canonical, "https://huggingface.co/") || strings.HasPrefix(canonical, ghSite)
}

// readRepo reads an entry of a listing of repositories. Forks are somebody else's
// work, and the repositories that make up a profile page are none.
func readRepo(src feeds.Source, handle string, user bool) func(json.RawMessage) (feeds.Item, any, error) {
	return func(raw json.RawMessage) (feeds.Item, any, error) {
		var r ghRepo
		if err := object(raw, &r); err != nil {
			return feeds.Item{}, nil, errors.New("not a repository")
		}
		if r.Private || r.Disabled || r.Fork {
			return feeds.Item{}, nil, errSkip
		}
		repo, ok := r.repository()
		if !ok {
			return feeds.Item{}, nil, fmt.Errorf("%q is no repository's name", clip(string(r.FullName), 100))
		}
		owner, name, _ := strings.Cut(repo.ID, "/")
		if !strings.EqualFold(owner, handle) {
			return feeds.Item{}, nil, fmt.Errorf("%s is not of %s", repo.ID, handle)
		}
		// https://docs.github.com/account-and-profile/how-tos/profile-customization
		if strings.EqualFold(name, ".github") || strings.EqualFold(name, ".github-private") || user && strings.EqualFold(name, owner) {
			return feeds.Item{}, nil, errSkip
		}
		it := base(src, feeds.ItemRepo, repo.ID)
		it.Account = feeds.Account{Service: feeds.GitHub, Handle: owner}
		it.URL, it.Title = repo.URL(), repo.ID
		it.Summary = repo.Description
		if repo.Archived {
			it.Summary = strings.TrimSpace(it.Summary + " (archived)")
		}
		it.Published, it.Updated = repo.Created, repo.Pushed
		it.Categories = repo.Topics
		it.Keys = []feeds.Key{{Scheme: feeds.KeyGitHub, Value: strings.ToLower(repo.ID)}}
		// A homepage is the owner's word on what the repository belongs to.
		if k, ok := feeds.KeyOfURL(repo.Homepage); ok && (k.Scheme == feeds.KeyArXiv || k.Scheme == feeds.KeyHF) {
			k.Claim = true
			it.Keys = append(it.Keys, k)
		}
		it.Artifacts = []feeds.Artifact{repo.Artifact()}
		return it, []any{it.Title, it.Summary, it.Published, it.Keys, it.Artifacts}, nil
	}
}
