package hub

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

func TestSecretsStaySecret(t *testing.T) {
	const token = "hf_abc123"
	opt := Options{HuggingFaceToken: token, GitHubToken: token, OpenAlexKey: token}
	c, err := New(getter{}, opt)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "options", opt, "secret", opt.HuggingFaceToken)
	for _, v := range []any{opt.HuggingFaceToken, opt, &opt, c, c.hf} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	b, err := json.Marshal(opt.HuggingFaceToken)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	if s := out.String(); strings.Contains(s, token) || strings.Contains(s, fmt.Sprintf("%x", token)) {
		t.Errorf("the token is in %s", s)
	}
}

func TestNewRefusesBadBases(t *testing.T) {
	for _, base := range []string{"huggingface.co", "ftp://x", "https://user:pw@host", "https://host/?a=b", "://"} {
		if _, err := New(getter{}, Options{HuggingFace: base, GitHub: base}); err == nil || !strings.Contains(err.Error(), "huggingface") || !strings.Contains(err.Error(), "github") || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestBudget(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tests := []struct {
		header []string
		left   int
		wait   time.Duration
		ok     bool
	}{
		{[]string{"RateLimit", `"api";r=499;t=81`}, 499, 81 * time.Second, true},
		{[]string{"RateLimit", `"api"; r=0; t=140`}, 0, 140 * time.Second, true},
		{[]string{"RateLimit", `"api";r=0;t=99999999999999`}, 0, maxClosed, true},
		{[]string{"RateLimit", `"api";r=0;t=999999999`}, 0, maxClosed, true},
		{[]string{"RateLimit", `"api";r=-1;t=x`}, 0, 0, false},
		{[]string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1800000060"}, 0, time.Minute, true},
		{[]string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "9223372036854775807"}, 0, maxClosed, true},
		{[]string{"X-RateLimit-Remaining", "0"}, 0, 0, false},
		{nil, 0, 0, false},
	}
	for _, tt := range tests {
		h := http.Header{}
		for i := 0; i+1 < len(tt.header); i += 2 {
			h.Set(tt.header[i], tt.header[i+1])
		}
		left, reset, ok := budget(h, now)
		if left != tt.left || ok != tt.ok || ok && reset.Sub(now) != tt.wait {
			t.Errorf("%v: %d left, reset in %s, %v; want %d, %s, %v", tt.header, left, reset.Sub(now), ok, tt.left, tt.wait, tt.ok)
		}
	}
}

func TestLimits(t *testing.T) {
	soon := strconv.FormatInt(time.Now().Add(10*time.Minute).Unix(), 10)
	near := func(d, want time.Duration) bool { return d > want-10*time.Second && d <= want }
	t.Run("hugging face, 429 without a time", func(t *testing.T) {
		w := newWorld(t)
		w.status(models, http.StatusTooManyRequests)
		c := Collector{w.client(Options{})}
		p, err := c.Collect(t.Context(), hfAcme, feeds.State{})
		if feeds.TroubleOf(err) != feeds.TroubleLimited || !near(time.Until(p.NotBefore), window) {
			t.Fatalf("%v, not before %s", err, p.NotBefore)
		}
		if _, err = c.Collect(t.Context(), hfAcme, feeds.State{}); feeds.TroubleOf(err) != feeds.TroubleLimited || w.count(models) != 1 {
			t.Errorf("%v; asked %d times", err, w.count(models))
		}
		// The other services are not concerned.
		w.json("/repos/a/b", `{"full_name":"a/b"}`)
		if _, err := c.Client.Repo(t.Context(), "a/b"); err != nil {
			t.Error(err)
		}
	})
	t.Run("hugging face, used up by a good answer", func(t *testing.T) {
		w := newWorld(t)
		w.on(daily, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("RateLimit", `"api";r=0;t=120`)
			_, _ = io.WriteString(rw, `[]`)
		})
		c := Collector{w.client(Options{})}
		p, err := c.Collect(t.Context(), feeds.Source{ID: "hf-papers", Kind: feeds.KindDailyPapers}, feeds.State{})
		if err != nil || !near(time.Until(p.NotBefore), 2*time.Minute) {
			t.Errorf("%v, not before %s", err, p.NotBefore)
		}
	})
	t.Run("github, 403 and its own word", func(t *testing.T) {
		w := newWorld(t)
		w.status(repos, http.StatusForbidden)
		w.json("/rate_limit", `{"resources":{"core":{"limit":60,"remaining":0,"reset":`+soon+`}}}`)
		c := Collector{w.client(Options{})}
		p, err := c.Collect(t.Context(), feeds.Source{ID: "gh:acme", Kind: feeds.KindGitHub}, feeds.State{})
		var tr *feeds.Trouble
		if !errors.As(err, &tr) || tr.Kind != feeds.TroubleLimited || !near(tr.RetryAfter, 10*time.Minute) || !near(time.Until(p.NotBefore), 10*time.Minute) {
			t.Errorf("%v, not before %s", err, p.NotBefore)
		}
	})
	t.Run("github, 403 with Retry-After", func(t *testing.T) {
		w := newWorld(t)
		w.status(repos, http.StatusForbidden, "Retry-After", "60")
		_, err := Collector{w.client(Options{})}.Collect(t.Context(), feeds.Source{ID: "gh:acme", Kind: feeds.KindGitHub}, feeds.State{})
		if feeds.TroubleOf(err) != feeds.TroubleLimited || w.count("/rate_limit") != 0 {
			t.Error(err)
		}
	})
	t.Run("github, 403 that is a refusal", func(t *testing.T) {
		w := newWorld(t)
		w.status(repos, http.StatusForbidden)
		w.json("/rate_limit", `{"resources":{"core":{"remaining":59,"reset":`+soon+`}}}`)
		c := Collector{w.client(Options{})}
		for range 2 {
			if _, err := c.Collect(t.Context(), feeds.Source{ID: "gh:acme", Kind: feeds.KindGitHub}, feeds.State{}); feeds.TroubleOf(err) != feeds.TroubleDenied {
				t.Error(err)
			}
		}
	})
}

// gateFunc is a gate in three lines.
type gateFunc func(key string) error

func (g gateFunc) Enter(_ context.Context, key string) (func(), error) { return func() {}, g(key) }

func TestGate(t *testing.T) {
	w := newWorld(t)
	w.json("/repos/a/b", `{"full_name":"a/b"}`)
	var keys []string
	c := w.client(Options{Gate: gateFunc(func(k string) error { keys = append(keys, k); return nil })})
	if _, err := c.Repo(t.Context(), "a/b"); err != nil || !cmp.Equal(keys, []string{"github"}) {
		t.Errorf("%v, %q", err, keys)
	}
	shut := errors.New("shut")
	c = w.client(Options{Gate: gateFunc(func(string) error { return shut })})
	if _, err := c.Repo(t.Context(), "a/b"); !errors.Is(err, shut) {
		t.Error(err)
	}
}

func TestModel(t *testing.T) {
	w := newWorld(t)
	w.json("/api/models/acme/big", `{"id":"acme/big","gated":"auto","cardData":{"license":"other","license_name":"acme","license_link":"https://acme.example/license"},
		"baseModels":{"relation":"finetune","models":[{"id":"meta-llama/Llama-3.1-8B"},{"id":7}]},"tags":["arxiv:2601.00001","arxiv:2601.00001v2"],
		"siblings":[{"rfilename":"README.md"},{"rfilename":"LICENSE.md"},{"rfilename":"licenses/x"},{"rfilename":"model.safetensors"},3]}`)
	c := w.client(Options{})
	got, err := c.Model(t.Context(), "acme/big")
	if err != nil {
		t.Fatal(err)
	}
	want := Card{
		ID: "acme/big", License: "other", LicenseName: "acme", LicenseURL: "https://acme.example/license", Gated: feeds.GatedAuto,
		Bases: []string{"meta-llama/Llama-3.1-8B"}, Relation: "finetune", ArXiv: []string{"2601.00001"}, LicenseFile: "LICENSE.md",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("card (-want +got):\n%s", diff)
	}
	w.json("/api/models/acme/private", `{"id":"acme/private","private":true}`)
	w.status("/api/models/acme/hidden", http.StatusUnauthorized)
	w.json("/api/models/acme/page", `<html>`)
	w.json("/api/models/acme/cut", `{"id":"acme/c`)
	w.json("/api/models/acme/list", `[]`)
	for id, check := range map[string]func(error) bool{
		"acme/none":    func(err error) bool { return errors.Is(err, ErrNotFound) },
		"acme/private": func(err error) bool { return errors.Is(err, ErrNotFound) },
		"acme/hidden":  func(err error) bool { return errors.Is(err, ErrNotFound) },
		"acme/page":    func(err error) bool { return feeds.TroubleOf(err) == feeds.TroubleNotAFeed },
		"acme/cut":     func(err error) bool { return feeds.TroubleOf(err) == feeds.TroubleMalformed },
		"acme/list":    func(err error) bool { return feeds.TroubleOf(err) == feeds.TroubleMalformed },
		"acme":         func(err error) bool { return err != nil },
		"acme/../../x": func(err error) bool { return err != nil },
	} {
		if _, err := c.Model(t.Context(), id); !check(err) {
			t.Errorf("%s: %v", id, err)
		}
	}
	w.json("/api/datasets/acme/d", `{"id":"acme/d","cardData":{"license":"odc-by"}}`)
	if d, err := c.Dataset(t.Context(), "acme/d"); err != nil || d.Artifact().Kind != feeds.Data || d.License != "odc-by" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestLicenseFile(t *testing.T) {
	w := newWorld(t)
	answer := func(path, body string) {
		w.on(path, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, body) })
	}
	answer("/acme/big/resolve/main/LICENSE", "MIT License\n\nCopyright \xff")
	answer("/datasets/acme/d/resolve/main/LICENSE.txt", "CC0")
	answer("/acme/page/resolve/main/LICENSE", "<!DOCTYPE html><html>")
	answer("/acme/lfs/resolve/main/LICENSE", "version https://git-lfs.github.com/spec/v1")
	answer("/acme/pdf/resolve/main/LICENSE.pdf", "%PDF-1.7")
	answer("/acme/huge/resolve/main/LICENSE", strings.Repeat("x", maxLicense+1))
	answer("/acme/empty/resolve/main/LICENSE", " \n")
	w.status("/acme/gated/resolve/main/LICENSE", http.StatusForbidden)
	c := w.client(Options{})
	got, err := c.LicenseFile(t.Context(), "acme/big", "")
	if want := (Text{Name: "LICENSE", URL: "https://huggingface.co/acme/big/blob/main/LICENSE", Text: "MIT License\n\nCopyright \ufffd"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.LicenseFile(t.Context(), "datasets/acme/d", "LICENSE.txt"); err != nil || got.Text != "CC0" || got.URL != "https://huggingface.co/datasets/acme/d/blob/main/LICENSE.txt" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, tt := range []struct {
		repo, name string
		kind       feeds.TroubleKind
		none       bool
	}{
		{"acme/none", "", feeds.TroubleGone, true},
		{"acme/gated", "", feeds.TroubleDenied, true},
		{"acme/page", "", feeds.TroubleMalformed, false},
		{"acme/lfs", "", feeds.TroubleMalformed, false},
		{"acme/empty", "", feeds.TroubleMalformed, false},
		{"acme/pdf", "LICENSE.pdf", feeds.TroubleMalformed, false},
		{"acme/huge", "", feeds.TroubleTooLarge, false},
		{"acme/big", "../../../etc/passwd", "", false},
		{"acme/big", "README.md", "", false},
		{"big", "", "", false},
	} {
		_, err := c.LicenseFile(t.Context(), tt.repo, tt.name)
		if err == nil || feeds.TroubleOf(err) != tt.kind || errors.Is(err, ErrNotFound) != tt.none {
			t.Errorf("%s %s: %v", tt.repo, tt.name, err)
		}
	}
}

func TestPaperRepos(t *testing.T) {
	w := newWorld(t)
	w.json("/api/papers/2501.12948", `{"id":"2501.12948","title":"R1","githubRepo":"https://github.com/deepseek-ai/DeepSeek-R1","projectPage":"https://x.example/","organization":{"name":"deepseek-ai","fullname":"DeepSeek"}}`)
	w.json("/api/arxiv/2501.12948/repos", `{"models":[{"id":"deepseek-ai/DeepSeek-R1","cardData":{"license":"mit"}},{"id":"unsloth/R1-GGUF","tags":["base_model:deepseek-ai/DeepSeek-R1"]},null,{"id":"x"}],"datasets":[{"id":"a/d"}],"spaces":[{"id":"a/s"},{"id":"<"}]}`)
	w.json("/api/arxiv/2501.00001/repos", `{"models":[],"datasets":null}`)
	w.json("/api/papers/2501.00002", `{"id":"2501.00002","organization":"x"}`)
	w.status("/api/papers/2501.00003", http.StatusBadGateway)
	c := w.client(Options{})
	got, err := c.PaperRepos(t.Context(), "arXiv:2501.12948v2")
	if err != nil {
		t.Fatal(err)
	}
	want := Linked{
		Organization: "deepseek-ai", Name: "DeepSeek", GitHub: "deepseek-ai/deepseek-r1", Project: "https://x.example/",
		Models:   []Card{{ID: "deepseek-ai/DeepSeek-R1", License: "mit"}, {ID: "unsloth/R1-GGUF", Bases: []string{"deepseek-ai/DeepSeek-R1"}}},
		Datasets: []Card{{ID: "a/d", Dataset: true}}, Spaces: []string{"a/s"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("linked (-want +got):\n%s", diff)
	}
	for _, id := range []string{"2501.00001", "2501.00002"} {
		if got, err := c.PaperRepos(t.Context(), id); err != nil || !cmp.Equal(got, Linked{}) {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	if _, err := c.PaperRepos(t.Context(), "2501.99999"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.PaperRepos(t.Context(), "2501.00003"); errors.Is(err, ErrNotFound) || feeds.TroubleOf(err) != feeds.TroubleStatus {
		t.Error(err)
	}
	if _, err := c.PaperRepos(t.Context(), "x/y"); err == nil {
		t.Error("x/y was taken for an arXiv id")
	}
}

func TestGitHubLookUps(t *testing.T) {
	w := newWorld(t)
	w.json("/repos/acme/thing", `{"full_name":"Acme/Thing-Renamed","fork":true,"parent":{"full_name":"up/stream"},"license":{"spdx_id":"MIT"},"topics":["a"],"created_at":"2026-01-01T00:00:00Z"}`)
	content := base64.StdEncoding.EncodeToString([]byte("Apache License\n  Version 2.0\n"))
	w.json("/repos/acme/thing/license", `{"name":"LICENSE.md","html_url":"x","encoding":"base64","content":"`+content[:10]+`\n`+content[10:]+`","license":{"spdx_id":"Apache-2.0"}}`)
	w.json("/repos/acme/bad/license", `{"name":"LICENSE","encoding":"base64","content":"%%%"}`)
	w.json("/repos/acme/none/license", `{"name":"LICENSE","encoding":"none","content":"","license":{"spdx_id":"MIT"}}`)
	w.json("/repos/acme/huge/license", `{"name":"LICENSE","encoding":"base64","content":"`+strings.Repeat("QUFB", 300_000)+`"}`)
	w.json("/repos/acme/private", `{"full_name":"acme/private","private":true}`)
	c := w.client(Options{})
	r, err := c.Repo(t.Context(), "acme/thing")
	want := Repository{ID: "Acme/Thing-Renamed", License: "MIT", Topics: []string{"a"}, Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Fork: true, Parent: "up/stream"}
	if diff := cmp.Diff(want, r); err != nil || diff != "" {
		t.Errorf("%v, repository (-want +got):\n%s", err, diff)
	}
	if a := r.Artifact(); a.License != "MIT" || a.URL != "https://github.com/Acme/Thing-Renamed" || r.Owner() != "Acme" {
		t.Errorf("%+v", a)
	}
	l, err := c.License(t.Context(), "acme/thing")
	if wantText := (Text{Name: "LICENSE.md", URL: "https://github.com/acme/thing/blob/HEAD/LICENSE.md", SPDX: "Apache-2.0", Text: "Apache License\n  Version 2.0\n"}); err != nil || l != wantText {
		t.Errorf("%+v, %v", l, err)
	}
	for _, id := range []string{"acme/bad", "acme/none", "acme/huge"} {
		if _, err := c.License(t.Context(), id); feeds.TroubleOf(err) != feeds.TroubleMalformed {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := c.License(t.Context(), "acme/nothing"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.Repo(t.Context(), "acme/private"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	for _, id := range []string{"acme", "", "a/b/c", "../x"} {
		if _, err := c.Repo(t.Context(), id); err == nil {
			t.Errorf("Repo(%q) was asked", id)
		}
		if _, err := c.License(t.Context(), id); err == nil {
			t.Errorf("License(%q) was asked", id)
		}
	}
}

func TestOpenAlex(t *testing.T) {
	const key = "oa key&1"
	w := newWorld(t)
	w.on("/works/doi:10.48550/arXiv.2501.12948", func(rw http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("api_key") != key || q.Get("mailto") != "ops@acme.example" || q.Get("select") == "" {
			t.Errorf("asked %s", r.URL)
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("a token was sent")
		}
		_, _ = io.WriteString(rw, `{"id":"https://openalex.org/W123","authorships":[
		 {"author_position":"first","author":{"display_name":"Ada One"},"raw_author_name":"A. One","institutions":[{"display_name":"Tsinghua University","ror":"https://ror.org/03cve4549","country_code":"cn"}],"raw_affiliation_strings":["Tsinghua University, Beijing","Tsinghua University, Beijing"]},
		 {"author_position":"last","author":null,"raw_author_name":"B. Two","institutions":[{"display_name":"X","ror":"javascript:","country_code":"China"},null],"raw_affiliation_strings":null},7]}`)
	})
	w.status("/works/doi:10.48550/arXiv.2501.00001", http.StatusBadGateway)
	c := w.client(Options{OpenAlexKey: key, Contact: "ops@acme.example", HuggingFaceToken: "hf"})
	got, err := c.Work(t.Context(), "2501.12948v1")
	if err != nil {
		t.Fatal(err)
	}
	want := Work{ID: "https://openalex.org/W123", Authorships: []Authorship{
		{Author: "Ada One", First: true, Institutions: []Institution{{Name: "Tsinghua University", ROR: "ror:03cve4549", Country: "CN"}}, Raw: []string{"Tsinghua University, Beijing"}},
		{Author: "B. Two", Institutions: []Institution{{Name: "X"}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("work (-want +got):\n%s", diff)
	}
	if _, err := c.Work(t.Context(), "2501.99999"); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), "oa") && strings.Contains(err.Error(), "key&1") {
		t.Error(err)
	}
	_, err = c.Work(t.Context(), "2501.00001")
	if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "oa+key%261") || strings.Contains(err.Error(), key) {
		t.Errorf("%v", err)
	}
	var tr *feeds.Trouble
	if !errors.As(err, &tr) || strings.Contains(tr.URL, "oa+key") || tr.Status != http.StatusBadGateway {
		t.Errorf("trouble %+v", tr)
	}
	before := len(w.asked)
	if _, err := w.client(Options{}).Work(t.Context(), "2501.12948"); !errors.Is(err, ErrNoKey) || len(w.asked) != before {
		t.Errorf("without a key: %v", err)
	}
}

func FuzzLookUps(f *testing.F) {
	f.Add([]byte(`{"id":"acme/big","cardData":{"license":"mit","license_link":"../x"},"siblings":[{"rfilename":"LICENSE"}]}`))
	f.Add([]byte(`{"full_name":"a/b","license":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r hfRepo
		if object(body, &r) == nil {
			if c, ok := r.card(false); ok && (!strings.HasPrefix(c.URL(), hfSite) || len(c.Bases) > 20 || strings.Contains(c.LicenseURL, "javascript:")) {
				t.Errorf("%+v", c)
			}
		}
		var g ghRepo
		if object(body, &g) == nil {
			if repo, ok := g.repository(); ok && !repoID.MatchString(repo.ID) {
				t.Errorf("%+v", repo)
			}
		}
		var p hfPaper
		if object(body, &p) == nil {
			if h, _ := p.Organization.v.handle(); h != "" && !handleID.MatchString(h) {
				t.Errorf("%q", h)
			}
		}
	})
}
