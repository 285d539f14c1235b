package tag

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

// attribute says who is behind an item. The releasing account, the source and the
// page's domain outrank affiliations and stand beside them; e-mail domains count
// where no affiliation was read; a linked account and a sentence count only where
// nothing better is known (rules C1, C2).
func (t *Tagger) attribute(it *feeds.Item, s *scan) []feeds.Attribution {
	at := it.Date()
	var labs []feeds.Attribution
	add := func(a feeds.Attribution) {
		for i := range labs {
			if labs[i].Lab == a.Lab && labs[i].Name == a.Name && (labs[i].Role == feeds.RoleLineage) == (a.Role == feeds.RoleLineage) {
				if labs[i].Home == a.Home {
					labs[i].Evidence = append(labs[i].Evidence, a.Evidence...)
					return
				}
			}
		}
		labs = append(labs, a)
	}
	for _, a := range t.releasers(it, at) {
		add(a)
	}
	for i, s := range it.Affiliations[:min(len(it.Affiliations), maxAffiliations)] {
		for _, a := range t.Affiliation(s, at) {
			if i == 0 {
				a.Role = feeds.RoleLead
			}
			for j := range a.Evidence {
				a.Evidence[j].Field = "affiliations[" + strconv.Itoa(i) + "]"
			}
			add(a)
		}
	}
	if len(labs) == 0 {
		for i, m := range it.Emails[:min(len(it.Emails), maxAffiliations)] {
			if a, ok := t.email(m, i, at); ok {
				add(a)
			}
		}
	}
	if len(labs) == 0 {
		for _, a := range t.linked(it, at) {
			add(a)
		}
	}
	if len(labs) == 0 {
		for _, a := range t.mentions(it, s, at) {
			add(a)
		}
	}
	for _, a := range t.lineage(it, s, labs, at) {
		add(a)
	}
	return labs
}

// attribution makes an attribution of an organization.
func (t *Tagger) attribution(o int32, role feeds.Role, basis feeds.Basis, at time.Time, e feeds.Evidence) feeds.Attribution {
	x := &t.names.orgs[o]
	home, control := x.seat(at)
	return feeds.Attribution{
		Lab: x.id, Name: x.name, Kind: x.kind, Role: role, Home: home, Control: control,
		Basis: basis, Evidence: []feeds.Evidence{e},
	}
}

// releasers returns who published the item: the account on a hub, the account in
// its link, the source's lab, or the lab whose site the link is on (rule C1).
func (t *Tagger) releasers(it *feeds.Item, at time.Time) []feeds.Attribution {
	if it.Account.Handle != "" {
		if l, ok := t.reg.ByHandle(it.Account.Service, it.Account.Handle); ok {
			return []feeds.Attribution{t.attribution(t.names.byID[l.ID], feeds.RoleReleaser, feeds.Publisher, at,
				feeds.Evidence{Field: "account", Quote: string(it.Account.Service) + "/" + it.Account.Handle, Rule: "C1", URL: it.URL})}
		}
		if it.Publisher == "" {
			return nil // somebody else's account: a fine-tune belongs to who released it
		}
	}
	page := unwrap(it.URL)
	account, onHub := accountOf(page)
	if onHub {
		if l, ok := t.reg.ByHandle(account.Service, account.Handle); ok {
			return []feeds.Attribution{t.attribution(t.names.byID[l.ID], feeds.RoleReleaser, feeds.Publisher, at,
				feeds.Evidence{Field: "url", Quote: string(account.Service) + "/" + account.Handle, Rule: "C1", URL: it.URL})}
		}
	}
	publisher := it.Publisher
	field, quote := "source", string(it.Source)
	if publisher == "" {
		if feed, ok := strings.CutPrefix(string(it.Source), "feed:"); ok {
			publisher = t.PublisherOf(feed)
		}
	}
	if quote == "" {
		quote = string(publisher)
	}
	site, onSite := t.site(page)
	if publisher != "" {
		o, ok := t.names.byID[publisher]
		if ok {
			// A page on the site of a lab inside the publisher is that lab's (rule C4).
			if onSite && t.within(site, o) {
				return []feeds.Attribution{t.attribution(site, feeds.RoleReleaser, feeds.Publisher, at,
					feeds.Evidence{Field: "url", Quote: hostOf(page), Rule: "C4", URL: it.URL})}
			}
			return []feeds.Attribution{t.attribution(o, feeds.RoleReleaser, feeds.Publisher, at,
				feeds.Evidence{Field: field, Quote: clip(quote, maxQuote), Rule: "C1", URL: it.URL})}
		}
	}
	if onSite {
		return []feeds.Attribution{t.attribution(site, feeds.RoleReleaser, feeds.Publisher, at,
			feeds.Evidence{Field: "url", Quote: hostOf(page), Rule: "C1", URL: it.URL})}
	}
	return nil
}

// PublisherOf returns the lab whose own feed a feed's URL is, or "".
func (t *Tagger) PublisherOf(feed string) feeds.LabID {
	feed = unwrap(feed)
	if a, ok := accountOf(feed); ok {
		if l, ok := t.reg.ByHandle(a.Service, a.Handle); ok {
			return l.ID
		}
		return ""
	}
	if hostOf(feed) == "huggingface.co" && strings.Trim(pathOf(feed), "/") != "" { // its own blog; single posts there are often partners'
		if l, ok := t.reg.ByHandle(feeds.HuggingFace, "huggingface"); ok {
			return l.ID
		}
	}
	if o, ok := t.site(feed); ok {
		return t.names.orgs[o].id
	}
	return ""
}

// Hosts below a lab's domain where the lab shows other people's work.
// Sources: https://citeseerx.ist.psu.edu, https://patents.google.com,
// https://scholar.google.com, https://books.google.com, https://play.google.com,
// https://apps.apple.com, https://marketplace.visualstudio.com, https://finance.yahoo.com
var othersWork = map[string]bool{
	"citeseerx.ist.psu.edu": true, "citeseer.ist.psu.edu": true, "adsabs.harvard.edu": true, "ui.adsabs.harvard.edu": true, "patents.google.com": true,
	"scholar.google.com": true, "books.google.com": true, "play.google.com": true, "news.google.com": true, "groups.google.com": true, "maps.google.com": true,
	"apps.apple.com": true, "podcasts.apple.com": true, "marketplace.visualstudio.com": true, "azuremarketplace.microsoft.com": true, "kaggle.com": true,
	"academic.microsoft.com": true, "ncbi.nlm.nih.gov": true, "pubmed.ncbi.nlm.nih.gov": true, "pmc.ncbi.nlm.nih.gov": true, "dash.harvard.edu": true,
	"openreview.net": true, "baijiahao.baidu.com": true, "baike.baidu.com": true, "tieba.baidu.com": true,
	"new.qq.com": true, "view.inews.qq.com": true, "cloud.tencent.com": true, "developer.aliyun.com": true, "dataverse.harvard.edu": true, "proceedings.mit.edu": true,
	"finance.yahoo.com": true, "news.yahoo.com": true, "reader.elsevier.com": true, "linkinghub.elsevier.com": true, "sciencedirect.com": true, "direct.mit.edu": true, "mitpress.mit.edu": true, "scholar.harvard.edu": true,
}

// site returns the organization whose site a page is on.
func (t *Tagger) site(page string) (int32, bool) {
	host := hostOf(page)
	if host == "" {
		return 0, false
	}
	for h := host; h != ""; {
		if othersWork[h] {
			return 0, false
		}
		_, h, _ = strings.Cut(h, ".")
	}
	if host == "build.nvidia.com" || host == "catalog.ngc.nvidia.com" { // other makers' models are there too
		if p := pathOf(page); !strings.HasPrefix(p, "/nvidia") && !strings.HasPrefix(p, "/orgs/nvidia") {
			return 0, false
		}
	}
	if registry.Hosting(host) && host != "huggingface.co" { // the host's own pages; on Hugging Face partners write there too
		first, _, _ := strings.Cut(strings.TrimPrefix(pathOf(page), "/"), "/")
		switch first {
		case "blog", "news", "research", "changelog", "press":
			if l, ok := t.reg.ByEmail(host); ok {
				i, known := t.names.byID[l.ID]
				return i, known
			}
		}
		return 0, false
	}
	if strings.Contains(pathOf(page), "/~") {
		return 0, false // a person's pages: she may have written it elsewhere, or only like it
	}
	return t.names.byDomain(t.reg, host, false)
}

// unwrap returns the page that an archive's link keeps a copy of.
func unwrap(raw string) string {
	if i := strings.Index(raw, "web.archive.org/web/"); i >= 0 {
		if j := strings.Index(raw[i:], "/http"); j >= 0 {
			return raw[i+j+1:]
		}
	}
	return raw
}

func hostOf(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
}

func pathOf(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return ""
	}
	return u.Path
}

// Paths of the hubs that are no accounts.
var notAccounts = map[string]bool{
	"blog": true, "docs": true, "papers": true, "learn": true, "models": true, "tasks": true, "join": true, "login": true, "pricing": true, "posts": true, "api": true,
	"organizations": true, "settings": true, "features": true, "topics": true, "orgs": true, "sponsors": true, "about": true, "marketplace": true, "apps": true,
	"trending": true, "search": true, "readme": true, "chat": true, "enterprise": true, "security": true, "explore": true, "news": true,
}

// accountOf returns the account that a hub's page belongs to.
func accountOf(page string) (feeds.Account, bool) {
	host := hostOf(page)
	var service feeds.Service
	switch host {
	case "huggingface.co", "hf.co":
		service = feeds.HuggingFace
	case "github.com", "raw.githubusercontent.com":
		service = feeds.GitHub
	case "modelscope.cn", "modelscope.ai":
		service = feeds.HuggingFace // labs keep one name on both hubs
	default:
		if user, ok := strings.CutSuffix(host, ".github.io"); ok && user != "" && !strings.Contains(user, ".") {
			return feeds.Account{Service: feeds.GitHub, Handle: user}, true
		}
		return feeds.Account{}, false
	}
	parts := strings.FieldsFunc(pathOf(page), func(r rune) bool { return r == '/' })
	for len(parts) > 0 && slices.Contains([]string{"datasets", "spaces", "collections", "models", "organization"}, parts[0]) {
		parts = parts[1:]
	}
	if len(parts) == 0 || notAccounts[strings.ToLower(parts[0])] {
		return feeds.Account{}, false
	}
	return feeds.Account{Service: service, Handle: parts[0]}, true
}

// email returns the organization, or at least the country, of an e-mail address or
// its domain (rule C2, level C).
func (t *Tagger) email(m string, i int, at time.Time) (feeds.Attribution, bool) {
	if len(m) > 320 { // https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
		return feeds.Attribution{}, false
	}
	host := m
	if _, h, found := strings.Cut(m, "@"); found {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, " <>.,;\"'"))
	e := feeds.Evidence{Field: "emails[" + strconv.Itoa(i) + "]", Quote: clip("@"+host, maxQuote), Rule: "C2"}
	if o, ok := t.names.byDomain(t.reg, host, true); ok {
		return t.attribution(o, feeds.RoleAuthor, feeds.EmailDomain, at, e), true
	}
	c, ok := domainCountry(host)
	if !ok || freeMail(host) {
		return feeds.Attribution{}, false
	}
	return feeds.Attribution{
		Name: host, Role: feeds.RoleAuthor, Home: c, Control: c, Basis: feeds.EmailDomain, Evidence: []feeds.Evidence{e},
	}, true
}

// freeMail reports whether host may be a national service open to everybody: its
// country domain says where the service is, not its user. Only institutional
// levels are trusted.
func freeMail(host string) bool {
	for _, level := range []string{".edu", ".ac.", ".edu.", ".gov", ".gov.", ".go.", "univ", "uni-", "tu-", ".res."} {
		if strings.Contains(host+".", level) {
			return false
		}
	}
	return strings.Count(host, ".") < 2
}

// linked returns the labs whose account holds what the item calls its own: "our
// code is available at github.com/x/y" (rule C2, level D), or an artifact of it.
func (t *Tagger) linked(it *feeds.Item, at time.Time) []feeds.Attribution {
	var out []feeds.Attribution
	add := func(link, field, quote string) {
		a, ok := accountOf(link)
		if !ok {
			if o, known := t.site(link); known && field == "summary" {
				out = append(out, t.attribution(o, feeds.RoleAuthor, feeds.Publisher, at,
					feeds.Evidence{Field: field, Quote: clip(quote, maxQuote), Rule: "C2", URL: link}))
			} else if host := hostOf(link); !known && field == "summary" && !freeMail(host) && !registry.Hosting(host) && !strings.Contains(pathOf(link), "/~") {
				if c, ok := domainCountry(host); ok {
					out = append(out, feeds.Attribution{
						Name: host, Role: feeds.RoleAuthor, Home: c, Control: c, Basis: feeds.Publisher,
						Evidence: []feeds.Evidence{{Field: field, Quote: clip(quote, maxQuote), Rule: "C2", URL: link}},
					})
				}
			}
			return
		}
		if l, ok := t.reg.ByHandle(a.Service, a.Handle); ok {
			o := t.names.byID[l.ID]
			if slices.ContainsFunc(out, func(x feeds.Attribution) bool { return x.Lab == l.ID }) {
				return
			}
			out = append(out, t.attribution(o, feeds.RoleReleaser, feeds.Publisher, at,
				feeds.Evidence{Field: field, Quote: clip(quote, maxQuote), Rule: "C2", URL: link}))
		}
	}
	for i, a := range it.Artifacts {
		if a.Kind == feeds.Weights || a.Kind == feeds.Code || a.Kind == feeds.Data {
			add(a.URL, "artifacts["+strconv.Itoa(i)+"]", a.URL)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, l := range ownLinks(it.Summary) {
		add(l.link, "summary", l.sentence)
	}
	return out
}

// Phrases by which a sentence offers what its link leads to, and phrases by which it
// says that it is borrowed.
var (
	ownPhrases = []string{
		"our code", "our project", "our data", "our dataset", "our model", "our models", "our website", "our implementation", "our benchmark", "we release", "we make", "we open", "we share",
		"we publish", "is available", "are available", "available at", "available on", "available via", "available here", "released at", "can be found", "found at", "publicly available",
		"project page", "project website", "code at", "code and data", "code https", "code http", "code github", "open sourced", "accessible at", "website",
	}
	borrowedPhrases = []string{
		"based on", "using the", "adapted from", "we use", "we used", "forked from", "built on", "third party", "following", "code of", "from the official", "official implementation of",
		"provided by", "we adopt", "we build on", "implemented in", "their code", "their", "original implementation", "originally",
	}
)

// An ownLink is a link that a sentence calls the authors' own.
type ownLink struct{ link, sentence string }

// ownLinks finds links to hubs that a text offers as its own: the sentence says
// that something of ours is available, released or found there.
func ownLinks(text string) []ownLink {
	var out []ownLink
	for _, host := range []string{"github.com/", "huggingface.co/", "https://", "http://"} {
		rest, base := text, 0
		for range 20 {
			i := strings.Index(rest, host)
			if i < 0 {
				break
			}
			start := base + i
			end := start
			for end < len(text) && text[end] > ' ' && !strings.ContainsRune("(){}[]<>,;\"'", rune(text[end])) && text[end] < 0x80 {
				end++
			}
			from, to := sentenceAround(text, start)
			s := text[from:to]
			link := text[start:end]
			if strings.HasPrefix(host, "http") {
				if strings.Contains(link, "github.com/") || strings.Contains(link, "huggingface.co/") {
					base = end
					rest = text[base:]
					continue
				}
			} else {
				link = "https://" + link
			}
			w := wordsOf(s)
			if w.has(ownPhrases...) && !w.has(borrowedPhrases...) {
				out = append(out, ownLink{strings.TrimRight(link, ".:!?"), s})
			}
			base = end
			rest = text[base:]
		}
	}
	return out
}

// sentenceAround returns the bounds of the sentence that position at is in.
func sentenceAround(text string, at int) (from, to int) {
	from, to = 0, len(text)
	for i := at - 1; i > 0; i-- {
		if sentenceEnd(text, i) {
			from = i + 1
			break
		}
	}
	for i := at; i < len(text); i++ {
		if sentenceEnd(text, i) {
			to = i + 1
			break
		}
	}
	return from, to
}

// sentenceEnd reports whether the byte at i ends a sentence: a line end, or a
// mark followed by space that is no abbreviation.
func sentenceEnd(text string, i int) bool {
	switch text[i] {
	case '\n':
		return true
	case '.', '!', '?':
		if i+1 < len(text) && text[i+1] != ' ' && text[i+1] != '\n' {
			return false
		}
		if text[i] == '.' && i >= 2 && (text[i-2] == '.' || text[i-2] == ' ') && ascii[text[i-1]&0x7F] != 0 && !isDigit(text[i-1]) {
			return false // "e.g.", "J. Smith"
		}
		for _, abb := range []string{"vs.", "al.", "Inc.", "Ltd.", "Fig.", "cf.", "etc."} {
			if strings.HasSuffix(text[max(0, i-4):i+1], abb) {
				return false
			}
		}
		return true
	case 0x82: // the last byte of the ideographic full stop 。 (E3 80 82)
		return i >= 2 && text[i-1] == 0x80 && text[i-2] == 0xE3
	}
	return false
}
