package registry

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

// sample is a dump of twenty records in the shape of schema v2, two of them no
// longer active. Facts: https://ror.org/ (CC0).
func sample(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/ror_v2.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func collect(t testing.TB, r io.Reader) (orgs []Org, err error) {
	t.Helper()
	for o, e := range ReadROR(r) {
		if e != nil {
			err = e
			continue
		}
		orgs = append(orgs, o)
	}
	return orgs, err
}

func TestReadROR(t *testing.T) {
	orgs, err := collect(t, bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	byID := make(map[feeds.LabID]Org)
	for _, o := range orgs {
		byID[o.ID] = o
	}
	if len(orgs) != 18 || len(byID) != 18 {
		t.Fatalf("%d organizations, want the 18 active ones", len(orgs))
	}
	want := Org{
		ID: "ror:00971b260", Name: "Google DeepMind (United Kingdom)",
		Labels: []string{"Google DeepMind (United Kingdom)"}, Aliases: []string{"DeepMind", "Google DeepMind"},
		Types: []string{"company", "funder"}, Country: "GB", Countries: []feeds.Country{"GB"},
		Domains: []string{"deepmind.google"}, Website: "https://www.deepmind.google",
		Wikipedia: "https://en.wikipedia.org/wiki/Google_DeepMind_(United_Kingdom)",
		Parents:   []feeds.LabID{"ror:00njsd438"},
	}
	if d := cmp.Diff(want, byID[want.ID]); d != "" {
		t.Error(d)
	}
	lab := byID[want.ID].Lab()
	wantLab := feeds.Lab{
		ID: want.ID, Name: want.Name, Aliases: want.Aliases, Ambiguous: []string{"Google DeepMind"}, Kind: feeds.Company,
		Parent: "ror:00njsd438", Seats: []feeds.Seat{{Home: "GB", Control: "GB"}}, Domains: want.Domains,
		Source: "https://ror.org/00971b260",
	}
	if d := cmp.Diff(wantLab, lab); d != "" {
		t.Error(d)
	}
	thu := byID["ror:03cve4549"].Lab()
	if d := cmp.Diff([]string{"THU"}, thu.Ambiguous); d != "" {
		t.Errorf("acronyms: %s", d)
	}
	if thu.Kind != feeds.University || thu.Domains[0] != "tsinghua.edu.cn" {
		t.Errorf("Tsinghua: %+v", thu)
	}
}

func TestReadRORStops(t *testing.T) {
	n := 0
	for range ReadROR(bytes.NewReader(sample(t))) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("read %d", n)
	}
}

func TestReadRORErrors(t *testing.T) {
	whole := string(sample(t))
	const v1 = `[{"id":"https://ror.org/03cve4549","name":"Tsinghua University","types":["Education"],"links":["http://www.tsinghua.edu.cn/"],"aliases":[],"status":"active"}]`
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "record 1 at byte 0: the data end in the middle: is the file complete?"},
		{"truncated in a record", whole[:len(whole)/2], "is the file complete?"},
		{"truncated between records", strings.TrimRight(whole[:strings.LastIndex(whole, ",\n{")], ",\n"), "is the file complete?"},
		{"HTML", "<html>404</html>", "invalid character '<'"},
		{"an object", `{"items":[]}`, "not a list of records: want the dump's JSON, schema v2"},
		{"schema v1", v1, "record 1 at byte 157: schema v1: want the JSON of schema v2"},
		{"bad id", `[{"id":"https://example.org/1","names":[{"value":"x"}],"status":"active"}]`, `bad id "https://example.org/1"`},
		{"no name", `[{"id":"https://ror.org/03cve4549","names":[],"status":"active"}]`, "ror:03cve4549 has no name"},
		{"a number for a name", `[{"id":"https://ror.org/03cve4549","names":3}]`, "cannot unmarshal number"},
		{"a record without end", `[{"id":"` + strings.Repeat("x", MaxRORRecord+1<<20), "a record of more than 4194304 bytes"},
		{"deep nesting", `[{"admin":` + strings.Repeat("[", 20_000), "exceeded max depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := collect(t, strings.NewReader(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "reading ROR dump: record ") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestReadRORFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	zipped := func(members map[string][]byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, body := range members {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(body); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	both := zipped(map[string][]byte{
		"v1.50-ror-data.csv":            []byte("id,name\n"),
		"v1.50-ror-data.json":           []byte(`[{"id":"https://ror.org/03cve4549","name":"x"}]`),
		"v1.50-ror-data_schema_v2.json": sample(t),
	})
	for _, c := range []struct {
		name, path string
		orgs       int
		want       string
	}{
		{"JSON", write("a.json", sample(t)), 18, ""},
		{"zip", write("b.zip", zipped(map[string][]byte{"v2.0-ror-data.json": sample(t)})), 18, ""},
		{"zip with both schemas", write("c.zip", both), 18, ""},
		{"zip without JSON", write("d.zip", zipped(map[string][]byte{"x.csv": nil})), 0, "no JSON inside the zip"},
		{"zip cut off", write("e.zip", both[:len(both)-40]), 0, "not a whole zip"},
		{"no such file", filepath.Join(dir, "none"), 0, "no such file"},
		{"a folder", dir, 0, "directory"},
		{"empty file", write("f.json", nil), 0, "is the file complete?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			var err error
			for _, e := range ReadRORFile(c.path) {
				if e != nil {
					err = e
				} else {
					n++
				}
			}
			if n != c.orgs || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d organizations, error %v; want %d, %q", n, err, c.orgs, c.want)
			}
		})
	}
}

// TestRORSize reads the public subset that the test data hold, put into the shape
// of a dump, and then as many records as the whole registry has.
func TestRORSize(t *testing.T) {
	data := os.Getenv("SEEDCORN_TEST_DATA")
	if data == "" {
		t.Skip("SEEDCORN_TEST_DATA is not set")
	}
	f, err := os.Open(filepath.Join(data, "ref", "ror_subset.tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	dump.WriteByte('[')
	rows := 0
	for i, line := range strings.Split(strings.TrimRight(string(body), "\n"), "\n") {
		c := strings.Split(line, "\t")
		if i == 0 || len(c) < 5 {
			continue
		}
		if rows > 0 {
			dump.WriteByte(',')
		}
		rows++
		rec, err := json.Marshal(map[string]any{
			"id": "https://ror.org/" + c[0], "status": "active", "types": strings.Split(c[3], "|"), "domains": []string{c[4]},
			"names":     []map[string]any{{"value": c[1], "types": []string{"ror_display", "label"}}},
			"locations": []map[string]any{{"geonames_details": map[string]string{"country_code": c[2]}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		dump.Write(rec)
	}
	dump.WriteByte(']')
	n, placed := 0, 0
	for o, err := range ReadROR(&dump) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if o.Country != feeds.Nowhere {
			placed++
		}
	}
	if n != rows || placed < rows*99/100 {
		t.Errorf("%d organizations of %d, %d with a country", n, rows, placed)
	}
}

func FuzzReadROR(f *testing.F) {
	f.Add(string(sample(f)))
	f.Add(`[{"id":"https://ror.org/03cve4549","names":[{"value":"x"}],"status":"active","links":["x"],"locations":[{}]}]`)
	f.Add(`[{"id":"https://ror.org/03cve4549","names":[{"value":" "}],"status":"active"}`)
	f.Add(`[[[`)
	f.Fuzz(func(t *testing.T, in string) {
		failed := false
		for o, err := range ReadROR(strings.NewReader(in)) {
			if failed {
				t.Fatal("the sequence goes on after an error")
			}
			if err != nil {
				failed = true
				continue
			}
			if o.Name == "" || !KnownCountry(o.Country) || o.Lab().Name == "" {
				t.Errorf("bad organization %+v", o)
			}
		}
	})
}

// BenchmarkReadROR reads a dump of records of the published size, about 2.3 KB
// each, indented as the published ones are; its rate says how long 120,000 take.
func BenchmarkReadROR(b *testing.B) {
	var recs []json.RawMessage
	if err := json.Unmarshal(sample(b), &recs); err != nil {
		b.Fatal(err)
	}
	const n = 2000
	dump := []byte("[")
	for i := range n {
		var buf bytes.Buffer
		if err := json.Indent(&buf, recs[i%len(recs)], "", "    "); err != nil {
			b.Fatal(err)
		}
		if i > 0 {
			dump = append(dump, ',')
		}
		dump = append(dump, buf.Bytes()...)
	}
	dump = append(dump, ']')
	b.SetBytes(int64(len(dump)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range ReadROR(bytes.NewReader(dump)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "orgs/s")
}

func ExampleReadROR() {
	const dump = `[{"id": "https://ror.org/05a28rw58", "status": "active", "types": ["education"],
		"names": [{"value": "ETH Zurich", "types": ["ror_display", "label"]}],
		"locations": [{"geonames_details": {"country_code": "CH"}}],
		"links": [{"type": "website", "value": "https://www.ethz.ch"}]}]`
	for org, err := range ReadROR(strings.NewReader(dump)) {
		fmt.Println(org.ID, org.Name, org.Country, org.Domains, err)
	}
	// Output: ror:05a28rw58 ETH Zurich CH [ethz.ch] <nil>
}
