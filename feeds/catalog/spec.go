package catalog

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"seedcorn/feeds"
)

// A SpecError says why a text names no source, and what to type instead.
type SpecError struct {
	Spec   string // what was typed, shortened
	Reason string
	Help   string // one sentence for the person; may be empty
}

func (e *SpecError) Error() string { return fmt.Sprintf("reading source %q: %s", e.Spec, e.Reason) }

// Hint is what to try instead, or "".
func (e *SpecError) Hint() string { return e.Help }

const forms = `name a feed's address, arxiv:cs.CL+cs.AI, arxiv-query:all:"test-time compute", hf:Qwen, hf-papers, gh:deepseek-ai or gh:owner/repo`

// maxSpec is the longest text that can name a source, in bytes. The longest
// address that is safe everywhere is about this long:
// https://www.rfc-editor.org/rfc/rfc9110#section-4.1
const maxSpec = 8000

// Parse turns what a person types into a source with addresses of the real
// services. See [Bases.Parse].
func Parse(text string) (feeds.Source, error) { return DefaultBases.Parse(text) }

// Parse turns what a person types into a source: a feed's address,
// "arxiv:cs.CL+cs.AI", `arxiv-query:all:"test-time compute"`, "hf:Qwen",
// "hf-papers", "gh:deepseek-ai", or "gh:owner/repo" for that repository's
// releases. Pages and API addresses of arXiv, Hugging Face and GitHub are taken
// for the source behind them, and any [feeds.SourceID] is read back. A source of
// the starter list comes with its title, lab and standing.
//
// The error is a *[SpecError]. Nothing is fetched: the source may not exist.
func (b Bases) Parse(text string) (feeds.Source, error) {
	sp, err := parseSpec(text)
	if err != nil {
		return feeds.Source{}, err
	}
	b = b.filled()
	if r, ok := starterByID()[strings.ToLower(string(sp.id()))]; ok {
		return r.source(b), nil
	}
	return sp.source(b), nil
}

// A spec is the identity of a source: its kind and what it is of that kind.
type spec struct {
	kind feeds.SourceKind
	arg  string // address, categories, query, account, or owner/repo
}

var prefixes = map[feeds.SourceKind]string{
	feeds.KindFeed:        "feed:",
	feeds.KindArXiv:       "arxiv:",
	feeds.KindArXivQuery:  "arxiv-query:",
	feeds.KindHuggingFace: "hf:",
	feeds.KindDailyPapers: "hf-papers",
	feeds.KindGitHub:      "gh:",
	feeds.KindReleases:    "gh:",
}

func (s spec) id() feeds.SourceID { return feeds.SourceID(prefixes[s.kind] + s.arg) }

// arXivResults is how many entries a query asks for: a day of a busy query, and
// far below the 2,000 of one slice.
// https://info.arxiv.org/help/api/user-manual.html#3112-start-and-max_results-paging
const arXivResults = "100"

// source builds the source; b must be filled.
func (s spec) source(b Bases) feeds.Source {
	src := feeds.Source{ID: s.id(), Kind: s.kind}
	switch s.kind {
	case feeds.KindArXiv:
		// Categories are joined with a plus: https://info.arxiv.org/help/rss.html
		src.URL = b.ArXivRSS + "/rss/" + s.arg
		first, _, _ := strings.Cut(s.arg, "+")
		src.Site = "https://arxiv.org/list/" + first + "/recent"
		src.Title = "arXiv " + strings.ReplaceAll(s.arg, "+", ", ")
	case feeds.KindArXivQuery:
		src.URL = b.ArXivAPI + "/api/query?" + url.Values{
			"search_query": {s.arg},
			"sortBy":       {"submittedDate"},
			"sortOrder":    {"descending"},
			"max_results":  {arXivResults},
		}.Encode()
		src.Site = "https://arxiv.org/search/"
		src.Title = "arXiv query " + s.arg
	case feeds.KindHuggingFace:
		src.URL = b.HuggingFace + "/api/models?author=" + url.QueryEscape(s.arg)
		src.Site = DefaultBases.HuggingFace + "/" + s.arg
		src.Title = s.arg + " on Hugging Face"
	case feeds.KindDailyPapers:
		src.URL = b.HuggingFace + "/api/daily_papers"
		src.Site = DefaultBases.HuggingFace + "/papers"
		src.Title = "Hugging Face daily papers"
	case feeds.KindGitHub:
		src.URL = b.GitHubAPI + "/orgs/" + s.arg + "/repos"
		src.Site = DefaultBases.GitHub + "/" + s.arg
		src.Title = s.arg + " on GitHub"
	case feeds.KindReleases:
		src.URL = b.GitHub + "/" + s.arg + "/releases.atom"
		src.Site = DefaultBases.GitHub + "/" + s.arg + "/releases"
		src.Title = s.arg + " releases"
	default:
		src.URL = s.arg
	}
	return src
}

func parseSpec(text string) (spec, error) {
	t := strings.TrimSpace(text)
	fail := func(reason, help string) (spec, error) {
		return spec{}, &SpecError{Spec: shorten(redact(t)), Reason: reason, Help: help}
	}
	switch {
	case t == "":
		return fail("it is empty", forms)
	case len(t) > maxSpec:
		return fail(fmt.Sprintf("it is longer than %d bytes", maxSpec), "")
	case strings.ContainsFunc(t, unicode.IsControl) || strings.ToValidUTF8(t, "") != t:
		return fail("it contains control characters", "type it again instead of pasting it")
	}
	lower := strings.ToLower(t)
	rest := func(p string) (string, bool) {
		if strings.HasPrefix(lower, p) && !strings.HasPrefix(lower, p+"//") {
			return strings.TrimSpace(t[len(p):]), true
		}
		return "", false
	}
	if lower == "hf-papers" {
		return spec{kind: feeds.KindDailyPapers}, nil
	}
	if arg, ok := rest("arxiv-query:"); ok {
		q, problem := cleanQuery(arg)
		if problem != "" {
			return fail(problem, `an example: arxiv-query:cat:cs.CL AND all:"test-time compute"`)
		}
		return spec{feeds.KindArXivQuery, q}, nil
	}
	if arg, ok := rest("arxiv:"); ok {
		cats, reason, help := categories(arg)
		if reason != "" {
			return fail(reason, help)
		}
		return spec{feeds.KindArXiv, cats}, nil
	}
	for _, p := range []string{"hf:", "huggingface:"} {
		if arg, ok := rest(p); ok {
			arg = strings.TrimPrefix(arg, "@")
			if org, _, cut := strings.Cut(arg, "/"); cut && handle.MatchString(org) {
				return fail("it names a repository, not an organization", "a whole organization is watched: hf:"+org)
			}
			if !hfName(arg) {
				return fail("it is not a Hugging Face account name", "an example: hf:Qwen")
			}
			return spec{feeds.KindHuggingFace, arg}, nil
		}
	}
	for _, p := range []string{"gh:", "github:"} {
		if arg, ok := rest(p); ok {
			sp, ok := gitHub(arg)
			if !ok {
				return fail("it is neither a GitHub account nor owner/repo", "examples: gh:deepseek-ai, gh:vllm-project/vllm")
			}
			return sp, nil
		}
	}
	// "feed:https://x/y" is an id of ours, and with "feed://x/y" also a custom of
	// old browsers.
	if strings.HasPrefix(lower, "feed://") {
		t = "https://" + t[len("feed://"):]
	} else if arg, ok := rest("feed:"); ok {
		t = arg
	}
	if !strings.Contains(t, "://") {
		host, _, _ := strings.Cut(t, "/")
		switch {
		case !strings.Contains(t, " ") && looksLikeHost(host):
			t = "https://" + t
		case handle.MatchString(t):
			return fail("it could be an account of several services", fmt.Sprintf("write hf:%s for Hugging Face or gh:%s for GitHub", t, t))
		default:
			return fail("it is not an address or a known kind of source", forms)
		}
	}
	return address(t)
}

// address reads an absolute URL.
func address(t string) (spec, error) {
	fail := func(reason, help string) (spec, error) {
		return spec{}, &SpecError{Spec: shorten(redact(t)), Reason: reason, Help: help}
	}
	u, err := url.Parse(t)
	if err != nil {
		return fail("it is not a well-formed address", forms)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fail("only http and https are read", "serve the file on a web server to read it")
	case u.Hostname() == "" || strings.ContainsAny(u.Host, " \"<>\\^`{|}"):
		return fail("the address has no host", forms)
	case u.User != nil:
		return fail("the address carries a user name or a password", "addresses are shown in digests and logs; use one without credentials")
	}
	u.Fragment, u.RawFragment = "", ""
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	switch port := u.Port(); {
	case port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443":
		u.Host = host
		if strings.Contains(host, ":") {
			u.Host = "[" + host + "]"
		}
	default:
		u.Host = net.JoinHostPort(host, port)
	}
	if sp, ok := service(u); ok {
		return sp, nil
	}
	if u.Path == "" {
		u.Path = "/"
	}
	out := u.String()
	if len(out) > maxSpec {
		return fail(fmt.Sprintf("it is longer than %d bytes", maxSpec), "")
	}
	return spec{feeds.KindFeed, out}, nil
}

// service recognizes pages and APIs of the services that have a kind of source of
// their own. ok is false for everything that is to be read as a feed.
func service(u *url.URL) (spec, bool) {
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch host := strings.TrimPrefix(u.Host, "www."); host {
	case "arxiv.org", "export.arxiv.org", "rss.arxiv.org":
		switch {
		case len(path) == 2 && slices.Contains([]string{"rss", "atom"}, path[0]),
			len(path) >= 2 && path[0] == "list":
			if cats, reason, _ := categories(path[1]); reason == "" {
				return spec{feeds.KindArXiv, cats}, true
			}
		case len(path) == 2 && path[0] == "api" && path[1] == "query":
			if q, problem := cleanQuery(u.Query().Get("search_query")); problem == "" {
				return spec{feeds.KindArXivQuery, q}, true
			}
		}
	case "huggingface.co", "hf.co":
		switch {
		case path[0] == "papers" && (len(path) == 1 || len(path) == 3 && path[1] == "date"),
			len(path) == 2 && path[0] == "api" && path[1] == "daily_papers":
			return spec{kind: feeds.KindDailyPapers}, true
		case len(path) == 2 && path[0] == "api" && (path[1] == "models" || path[1] == "datasets"):
			if a := u.Query().Get("author"); hfName(a) {
				return spec{feeds.KindHuggingFace, a}, true
			}
		case len(path) == 2 && path[0] == "organizations" && hfName(path[1]),
			len(path) == 1 && hfName(path[0]) && !slices.Contains(hfPages, strings.ToLower(path[0])):
			return spec{feeds.KindHuggingFace, path[len(path)-1]}, true
		}
	case "api.github.com":
		if len(path) == 3 && (path[0] == "orgs" || path[0] == "users") && path[2] == "repos" {
			return gitHub(path[1])
		}
	case "github.com":
		switch {
		case len(path) == 1 && !slices.Contains(ghPages, strings.ToLower(path[0])):
			return gitHub(path[0])
		case len(path) == 2 && path[0] == "orgs":
			return gitHub(path[1])
		case len(path) == 2 && !strings.HasSuffix(path[1], ".atom"),
			len(path) == 3 && (path[2] == "releases" || path[2] == "releases.atom"):
			return gitHub(path[0] + "/" + strings.TrimSuffix(path[1], ".git"))
		}
	}
	return spec{}, false
}

// Pages of the services that are not accounts.
var (
	hfPages = []string{"", "models", "datasets", "spaces", "blog", "docs", "papers", "posts", "pricing", "join", "login", "tasks", "learn", "api", "organizations", "collections", "chat", "settings", "new", "enterprise"}
	ghPages = []string{"", "about", "features", "pricing", "explore", "topics", "trending", "marketplace", "login", "join", "settings", "orgs", "sponsors", "security", "enterprise", "search"}
)

// Account names. GitHub: letters, digits and single hyphens, at most 39; Hugging
// Face also allows dots and underscores.
// https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
// https://huggingface.co/docs/huggingface_hub/package_reference/utilities#huggingface_hub.utils.validate_repo_id
var (
	handle  = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?$`)
	ghOwner = regexp.MustCompile(`^[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}$`)
	ghRepo  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

func hfName(s string) bool {
	return handle.MatchString(s) && !strings.Contains(s, "--") && !strings.Contains(s, "..")
}

func gitHub(arg string) (spec, bool) {
	owner, repo, both := strings.Cut(strings.TrimPrefix(arg, "@"), "/")
	switch {
	case !ghOwner.MatchString(owner):
		return spec{}, false
	case !both:
		return spec{feeds.KindGitHub, owner}, true
	case !ghRepo.MatchString(repo) || repo == "." || repo == "..":
		return spec{}, false
	}
	return spec{feeds.KindReleases, owner + "/" + repo}, true
}

// archives of arXiv. Those with true are divided into subjects.
// https://arxiv.org/category_taxonomy
var archives = map[string]bool{
	"cs": true, "econ": true, "eess": true, "math": true, "physics": true, "q-bio": true, "q-fin": true, "stat": true,
	"astro-ph": true, "cond-mat": true, "nlin": true,
	"gr-qc": false, "hep-ex": false, "hep-lat": false, "hep-ph": false, "hep-th": false, "math-ph": false,
	"nucl-ex": false, "nucl-th": false, "quant-ph": false,
}

// maxCategories bounds one listing. arXiv's RSS holds at most 2,000 entries over
// all its categories: https://info.arxiv.org/help/rss.html
const maxCategories = 20

var subject = regexp.MustCompile(`^[A-Za-z-]{2,12}$`)

// categories reads "cs.cl+CS.AI" as "cs.AI+cs.CL": spelled as arXiv spells them,
// sorted, each once, so that one set of categories is one source. reason is ""
// where that worked.
func categories(arg string) (cats, reason, help string) {
	if _, _, ok := feeds.ArXivID(arg); ok {
		return "", "it names a paper, not a listing", "an example of a listing: arxiv:cs.CL"
	}
	const example = "examples: arxiv:cs.CL, arxiv:cs.CL+cs.AI+stat.ML; all of them: https://arxiv.org/category_taxonomy"
	var out []string
	for c := range strings.FieldsFuncSeq(arg, func(r rune) bool { return r == '+' || r == ',' || r == ' ' }) {
		archive, sub, divided := strings.Cut(c, ".")
		archive = strings.ToLower(archive)
		has, known := archives[archive]
		if !known || divided && (!has || !subject.MatchString(sub)) {
			return "", fmt.Sprintf("arXiv has no category %q", shorten(c)), example
		}
		if divided {
			// Two letters are written large (cs.CL, astro-ph.GA), words small
			// (physics.comp-ph, cond-mat.mtrl-sci).
			if len(sub) == 2 {
				sub = strings.ToUpper(sub)
			} else {
				sub = strings.ToLower(sub)
			}
			archive += "." + sub
		}
		out = append(out, archive)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	switch {
	case len(out) == 0:
		return "", "it names no category", example
	case len(out) > maxCategories:
		return "", fmt.Sprintf("more than %d categories in one listing", maxCategories), "make several sources of it"
	}
	return strings.Join(out, "+"), "", ""
}

// maxQuery is how long an arXiv query may be, in bytes; longer ones are refused
// by servers on the way.
const maxQuery = 1000

// cleanQuery folds white space and refuses what arXiv would answer with an error.
func cleanQuery(q string) (clean, problem string) {
	q = strings.Join(strings.Fields(q), " ")
	depth := 0
	for _, r := range q {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	switch {
	case q == "":
		return "", "the query is empty"
	case len(q) > maxQuery:
		return "", fmt.Sprintf("the query is longer than %d bytes", maxQuery)
	case strings.ContainsFunc(q, unicode.IsControl):
		return "", "the query contains control characters"
	case strings.Count(q, `"`)%2 != 0:
		return "", "the query has a quotation mark without its partner"
	case depth != 0:
		return "", "the query has a parenthesis without its partner"
	}
	return q, ""
}

// looksLikeHost reports whether s, typed without a scheme, is a host name with
// at least one dot, and perhaps a port.
func looksLikeHost(s string) bool {
	name, port, hasPort := strings.Cut(s, ":")
	if hasPort && (port == "" || strings.Trim(port, "0123456789") != "") {
		return false
	}
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && dot < len(name)-1 && !strings.ContainsAny(name, " @\"'<>\\")
}

// redact hides the user information and query of an address before it is shown
// in an error: both are where secrets travel.
func redact(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	rest, _, _ = strings.Cut(rest, "?")
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = "<redacted>@" + authority[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + authority + path
}

// shorten keeps an error readable.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if r := []rune(s); len(r) > 120 {
		return string(r[:117]) + "…"
	}
	return s
}
