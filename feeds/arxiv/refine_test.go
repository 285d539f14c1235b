package arxiv

import (
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func TestRefine(t *testing.T) {
	day := time.Date(2026, 4, 27, 4, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		in   feeds.Item
		ext  map[string][]string
		want feeds.Item
	}{{
		name: "new in a listing",
		in: feeds.Item{
			Source: "arxiv:cs.CL", GUID: "oai:arXiv.org:2604.22002v1", URL: "https://arxiv.org/abs/2604.22002",
			Title:      "Limits of Language Models in Detecting Some Thing",
			Summary:    "arXiv:2604.22002v1 Announce Type: new Abstract: We study it. Our code is available at https://github.com/Acme/Detect.",
			Published:  day,
			Authors:    []string{"Ada One, Bo Two"},
			Categories: []string{"cs.CL", "cs.AI"},
		},
		ext: map[string][]string{
			"arxiv:announce_type": {"new"}, "dc:rights": {"http://creativecommons.org/licenses/by/4.0/"},
			"dc:creator": {"Ada One, Bo Two,  Deepti"}, "arxiv:doi": {"10.1145/12345.67890"},
		},
		want: feeds.Item{
			Source: "arxiv:cs.CL", GUID: "arxiv:2604.22002", URL: "https://arxiv.org/abs/2604.22002", Kind: feeds.ItemPaper,
			Title:     "Limits of Language Models in Detecting Some Thing",
			Summary:   "We study it. Our code is available at https://github.com/Acme/Detect.",
			Published: day, Authors: []string{"Ada One", "Bo Two", "Deepti"}, Categories: []string{"cs.CL", "cs.AI"},
			Announce: feeds.AnnounceNew, Version: 1,
			Artifacts: []feeds.Artifact{
				{Kind: feeds.Paper, URL: "https://arxiv.org/abs/2604.22002", License: "http://creativecommons.org/licenses/by/4.0/"},
				{Kind: feeds.Code, URL: "https://github.com/Acme/Detect"},
			},
			Keys: []feeds.Key{
				{Scheme: feeds.KeyArXiv, Value: "2604.22002"},
				{Scheme: feeds.KeyDOI, Value: "10.1145/12345.67890"},
				{Scheme: feeds.KeyTitle, Value: "limits of language models in detecting some thing"},
				{Scheme: feeds.KeyGitHub, Value: "acme/detect", Claim: true},
			},
		},
	}, {
		name: "a revision is the same item, and its date is not the paper's",
		in: feeds.Item{
			Source: "arxiv:cs.CL", GUID: "oai:arXiv.org:2604.22002v3", Title: "T",
			Summary: "arXiv:2604.22002v3 Announce Type: replace-cross \nAbstract: Again.", Published: day,
		},
		ext: map[string][]string{"dc:rights": {"http://arxiv.org/licenses/nonexclusive-distrib/1.0/"}},
		want: feeds.Item{
			Source: "arxiv:cs.CL", GUID: "arxiv:2604.22002", URL: "https://arxiv.org/abs/2604.22002", Kind: feeds.ItemPaper, Title: "T",
			Summary: "Again.", Updated: day, Announce: feeds.AnnounceReplaceCross, Version: 3, Categories: []string{},
			Artifacts: []feeds.Artifact{{Kind: feeds.Paper, URL: "https://arxiv.org/abs/2604.22002", License: "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"}},
			Keys:      []feeds.Key{{Scheme: feeds.KeyArXiv, Value: "2604.22002"}},
		},
	}, {
		name: "an entry of a query: primary category first, affiliations, links in the comment",
		in: feeds.Item{
			Source: "arxiv:q", GUID: "http://arxiv.org/abs/astro-ph/0601001v1", Title: "T", Summary: "arXiv:wrong is not a prefix",
			Authors: []string{"Andrew Gould", "B. Scott Gaudi"}, Categories: []string{"hep-th", "astro-ph"}, Published: day, Updated: day,
		},
		ext: map[string][]string{
			"arxiv:primary_category@term": {"astro-ph"}, "arxiv:affiliation": {"Ohio State", "Ohio State", "CfA"},
			"arxiv:comment": {"62 pages, data at https://huggingface.co/datasets/Acme/Stars"},
		},
		want: feeds.Item{
			Source: "arxiv:q", GUID: "arxiv:astro-ph/0601001", URL: "https://arxiv.org/abs/astro-ph/0601001", Kind: feeds.ItemPaper, Title: "T",
			Summary: "arXiv:wrong is not a prefix", Version: 1, Published: day, Updated: day,
			Authors: []string{"Andrew Gould", "B. Scott Gaudi"}, Affiliations: []string{"Ohio State", "CfA"}, Categories: []string{"astro-ph", "hep-th"},
			Artifacts: []feeds.Artifact{{Kind: feeds.Paper, URL: "https://arxiv.org/abs/astro-ph/0601001"}, {Kind: feeds.Data, URL: "https://huggingface.co/datasets/Acme/Stars"}},
			Keys: []feeds.Key{
				{Scheme: feeds.KeyArXiv, Value: "astro-ph/0601001"},
				{Scheme: feeds.KeyHF, Value: "datasets/acme/stars", Claim: true},
			},
		},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ID = feeds.NewItemID(tt.in.Source, tt.want.GUID)
			if !Refine(&tt.in, tt.ext) {
				t.Fatal("dropped")
			}
			if diff := cmp.Diff(tt.want, tt.in); diff != "" {
				t.Errorf("item (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefineRevisionsShareAnID(t *testing.T) {
	a := feeds.Item{Source: "arxiv:cs.CL", GUID: "oai:arXiv.org:2604.22002v1"}
	b := feeds.Item{Source: "arxiv:cs.CL", GUID: "oai:arXiv.org:2604.22002v2"}
	if !Refine(&a, nil) || !Refine(&b, nil) || a.ID != b.ID || a.ID == "" {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
}

func TestRefineDropsWhatIsNoPaper(t *testing.T) {
	for _, it := range []feeds.Item{{}, {GUID: "https://blog.arxiv.org/2026/01/01/news"}, {GUID: "tag:x", URL: "https://example.org/abs/2604.22002"}} {
		if Refine(&it, nil) {
			t.Errorf("kept %+v", it)
		}
	}
}

func TestAPIError(t *testing.T) {
	it := feeds.Item{GUID: "https://arxiv.org/api/errors#incorrect_id_format_for_abc", Title: "Error", Summary: "incorrect id format for abc"}
	before := it
	if !Refine(&it, nil) || !cmp.Equal(it, before) {
		t.Errorf("Refine changed or dropped the error: %+v", it)
	}
	if m, ok := APIError(it); !ok || m != "incorrect id format for abc" {
		t.Errorf("APIError = %q, %v", m, ok)
	}
	it.Summary = ""
	if m, ok := APIError(it); !ok || m != "incorrect id format for abc" {
		t.Errorf("APIError from the id = %q, %v", m, ok)
	}
	if _, ok := APIError(feeds.Item{GUID: "https://example.org/api/errors#x"}); ok {
		t.Error("somebody else's error taken for arXiv's")
	}
}

func TestSplitNames(t *testing.T) {
	tests := map[string][]string{
		"Ada One, Bo Two and Cy Three":         {"Ada One", "Bo Two", "Cy Three"},
		"Ada One, Bo Two, and Cy Three, Jr.":   {"Ada One", "Bo Two", "Cy Three, Jr."},
		"A. Gould (Ohio State, USA), B. Gaudi": {"A. Gould (Ohio State, USA)", "B. Gaudi"},
		"Alexandra Anderson":                   {"Alexandra Anderson"},
		" , ,, ":                               nil,
		"A (B, C":                              {"A (B, C"},
	}
	for in, want := range tests {
		if got := splitNames(in); !slices.Equal(got, want) {
			t.Errorf("splitNames(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"code at", "Code is available at: https://github.com/avaxiao/ReToken.", "code https://github.com/avaxiao/ReToken github:avaxiao/retoken"},
		{"colon", "It works. Code: https://github.com/FrontisAI/OpenRSI", "code https://github.com/FrontisAI/OpenRSI github:frontisai/openrsi"},
		{"no scheme", "Multi-purpose code available at github.com/rodluger/planetplanet, enjoy.", "code https://github.com/rodluger/planetplanet github:rodluger/planetplanet"},
		{"models", "We release our models at https://huggingface.co/Acme/Big-7B under Apache-2.0.", "weights https://huggingface.co/Acme/Big-7B hf:acme/big-7b"},
		{"dataset on a Git host", "The dataset can be found at https://github.com/acme/data.", "data https://github.com/acme/data github:acme/data"},
		{"code and data", "Code and data are available at https://github.com/acme/both", "code https://github.com/acme/both github:acme/both"},
		{"two in a list", "Code and weights: https://github.com/a/b and https://huggingface.co/a/b", "code https://github.com/a/b github:a/b; weights https://huggingface.co/a/b hf:a/b"},
		{"project page", "Project page: https://zghhui.github.io/OmniNFT/", " https://zghhui.github.io/OmniNFT/ url:https://zghhui.github.io/OmniNFT"},
		{"brackets", "(code: https://github.com/a/b)", "code https://github.com/a/b github:a/b"},
		{"tex", `The code is publicly available at \url{https://github.com/a/b}.`, "code https://github.com/a/b github:a/b"},
		{"zenodo", "Data are available at https://doi.org/10.5281/zenodo.1234567.", "data https://doi.org/10.5281/zenodo.1234567 doi:10.5281/zenodo.1234567"},
		{"folder of a repository", "Code is available at https://github.com/google-research/google-research/tree/master/thing.", "code https://github.com/google-research/google-research/tree/master/thing"},
		{"theirs: we use", "We use the code available at https://github.com/rival/code for all baselines.", ""},
		{"theirs: based on", "Our system is based on the model released at https://huggingface.co/meta-llama/Llama-3.1-8B.", ""},
		{"theirs: downloaded", "The corpus was downloaded from https://huggingface.co/datasets/allenai/c4.", ""},
		{"a mention", "GPT-NeoX (https://github.com/EleutherAI/gpt-neox) is a library.", ""},
		{"other sentence", "Our code is available. See also https://github.com/rival/code", ""},
		{"front pages", "Code is available at https://github.com/ and models at https://huggingface.co/Acme", ""},
		{"a publisher's DOI", "Published version available at https://doi.org/10.1145/3106237.3106277", ""},
		{"shortener", "Code: https://aka.ms/echoverse", ""},
		{"journal's files", "Full resolution version at http://www.astronomy.example.edu/~gould/x.ps.gz", ""},
		{"credentials", "Code: https://user:pw@github.com/a/b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, l := range Links(tt.text) {
				s := string(l.Artifact) + " " + l.URL
				if l.Key.Scheme != "" {
					s += " " + string(l.Key.Scheme) + ":" + l.Key.Value
					if !l.Key.Claim {
						t.Errorf("%s is not a claim", s)
					}
				}
				got = append(got, s)
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("got  %q\nwant %q", s, tt.want)
			}
		})
	}
}

func FuzzRefine(f *testing.F) {
	f.Add("oai:arXiv.org:2604.22002v1", "arXiv:2604.22002v1 Announce Type: new Abstract: Code: https://github.com/a/b", "A, B (C, D) and E", "10.1/x y")
	f.Add("https://arxiv.org/api/errors#x", "https://huggingface.co/a/b and https://x.y/", ",", "")
	f.Fuzz(func(t *testing.T, guid, summary, creators, doi string) {
		it := feeds.Item{Source: "arxiv:x", GUID: guid, Title: summary, Summary: summary}
		if !Refine(&it, map[string][]string{"dc:creator": {creators}, "arxiv:doi": {doi}, "arxiv:comment": {creators + summary}}) {
			return
		}
		if _, bad := APIError(it); bad {
			return
		}
		if it.Kind != feeds.ItemPaper || len(it.Keys) == 0 || it.Keys[0].Claim || len(it.Authors) > feeds.MaxAuthors || len(it.Artifacts) > 1+2*maxLinks {
			t.Errorf("%+v", it)
		}
		if !strings.HasPrefix(it.URL, absBase) {
			t.Errorf("URL %q", it.URL)
		}
	})
}

func BenchmarkRefine(b *testing.B) {
	in := feeds.Item{
		Source: "arxiv:cs.CL", GUID: "oai:arXiv.org:2604.22002v1", Title: "Limits of Language Models in Detecting Some Thing",
		Summary: "arXiv:2604.22002v1 Announce Type: new Abstract: " + strings.Repeat("We study a thing at some length and find it so. ", 25) + "Code is available at https://github.com/a/b.",
	}
	ext := map[string][]string{"dc:creator": {"Ada One, Bo Two, Cy Three"}, "dc:rights": {"http://creativecommons.org/licenses/by/4.0/"}}
	b.ReportAllocs()
	for b.Loop() {
		it := in
		if !Refine(&it, ext) {
			b.Fatal("dropped")
		}
	}
}

var revision = regexp.MustCompile(`v\d+$`)

// TestRefineRecorded refines every entry of recorded listings and queries.
func TestRefineRecorded(t *testing.T) {
	type entry struct {
		GUID     string   `xml:"guid"`
		ID       string   `xml:"id"`
		Title    string   `xml:"title"`
		Desc     string   `xml:"description"`
		Summary  string   `xml:"summary"`
		Announce []string `xml:"announce_type"`
		Rights   []string `xml:"rights"`
		Creator  []string `xml:"creator"`
		DOI      []string `xml:"doi"`
		Comment  []string `xml:"comment"`
	}
	var doc struct {
		Items   []entry `xml:"channel>item"`
		Entries []entry `xml:"entry"`
	}
	total, links := 0, 0
	for _, name := range []string{
		"rss_cs_ai_2026-04-27.xml", "rss_cs_cl_2026-04-27.xml", "api_atom_2026-05-13.xml", "api_atom_2026-08_a.xml",
		"api_recorded_q_testing_s0_m100_cfe7536492ca.xml", "api_recorded_id_astro-ph_0601001_s0_m100_3150dca9dc76.xml",
	} {
		doc.Items, doc.Entries = nil, nil
		if err := xml.Unmarshal(data(t, name), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		entries := append(doc.Items, doc.Entries...)
		if len(entries) == 0 {
			t.Errorf("%s: no entries", name)
		}
		for _, e := range entries {
			it := feeds.Item{Source: "arxiv:x", GUID: e.GUID + e.ID, Title: fold(e.Title), Summary: fold(e.Desc + e.Summary)}
			if !Refine(&it, map[string][]string{
				"arxiv:announce_type": e.Announce, "dc:rights": e.Rights, "dc:creator": e.Creator, "arxiv:doi": e.DOI, "arxiv:comment": e.Comment,
			}) {
				t.Errorf("%s: dropped %s", name, e.GUID+e.ID)
				continue
			}
			total++
			links += len(it.Artifacts) - 1
			if revision.MatchString(it.GUID) || it.Version == 0 || strings.HasPrefix(it.Summary, "arXiv:") {
				t.Errorf("%s: %s version %d: %.60s", name, it.GUID, it.Version, it.Summary)
			}
			if len(e.Rights) > 0 {
				if _, ok := License(it.Artifacts[0].License); !ok {
					t.Errorf("%s: license %q not known", name, it.Artifacts[0].License)
				}
			}
		}
	}
	t.Logf("%d entries, %d links taken as the authors' own", total, links)
	if links == 0 {
		t.Error("no link found in any abstract")
	}
}
