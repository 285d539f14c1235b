package arxiv

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/feeds"
)

const rawRecord = `<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><GetRecord><record>
<header><identifier>oai:arXiv.org:2501.12948</identifier><datestamp>2025-01-23</datestamp></header>
<metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>2501.12948</id><submitter>A B</submitter>
<version version="v1"><date>Wed, 22 Jan 2025 15:19:35 GMT</date><size>900kb</size></version>
<version version="v2"><date>not a date</date></version><version version="vx"/>
<title>DeepSeek-R1: Incentivizing
  Reasoning</title><authors>DeepSeek-AI, Daya Guo and Dejian Yang</authors><categories>cs.CL cs.AI</categories>
<doi>10.1038/x</doi><license>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</license></arXivRaw></metadata></record></GetRecord></OAI-PMH>`

func TestGetRecord(t *testing.T) {
	site := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		body := rawRecord
		switch q.Get("identifier") {
		case "oai:arXiv.org:9999.99999":
			body = `<OAI-PMH><error code="idDoesNotExist">no such paper</error></OAI-PMH>`
		case "oai:arXiv.org:9999.00001":
			body = `<OAI-PMH><error code="badArgument">no</error></OAI-PMH>`
		case "oai:arXiv.org:9999.00002":
			body = `<html><body>maintenance</body></html>`
		case "oai:arXiv.org:9999.00003":
			body = rawRecord[:400]
		}
		if q.Get("verb") != "GetRecord" || q.Get("metadataPrefix") == "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write([]byte(body))
	})
	gate := &countingGate{}
	got, err := GetRecord(t.Context(), getter{}, gate, site+"/oai", "arXiv:2501.12948v1", FormatRaw)
	if err != nil {
		t.Fatal(err)
	}
	want := Record{
		ID: "2501.12948", License: "http://arxiv.org/licenses/nonexclusive-distrib/1.0/", Title: "DeepSeek-R1: Incentivizing Reasoning",
		Authors: []Author{{Name: "DeepSeek-AI"}, {Name: "Daya Guo"}, {Name: "Dejian Yang"}}, Categories: []string{"cs.CL", "cs.AI"}, DOI: "10.1038/x",
		Versions: []Version{{1, time.Date(2025, 1, 22, 15, 19, 35, 0, time.UTC)}, {Number: 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	for id, kind := range map[string]feeds.TroubleKind{
		"9999.99999": feeds.TroubleGone, "9999.00001": feeds.TroubleRefused, "9999.00002": feeds.TroubleMalformed,
		"9999.00003": feeds.TroubleMalformed, "1234.56789": feeds.TroubleMalformed,
	} {
		if _, err := GetRecord(t.Context(), getter{}, gate, site+"/oai", id, FormatRaw); feeds.TroubleOf(err) != kind {
			t.Errorf("%s: %v, want trouble %q", id, err, kind)
		}
	}
	if _, err := GetRecord(t.Context(), getter{}, gate, site, "x&verb=Identify", FormatRaw); err == nil {
		t.Error("an argument was taken for an id")
	}
	if gate.inside != 0 || gate.keys[GateKey] != 6 {
		t.Errorf("gate %+v", gate)
	}
}

func TestParseRecordsRecorded(t *testing.T) {
	one, err := ParseRecords(data(t, "oai_arxiv-single.xml"))
	if err != nil || len(one) != 1 {
		t.Fatalf("%d records, %v", len(one), err)
	}
	r := one[0]
	if lic, ok := License(r.License); !ok || lic != nonExcl || r.ID != "1401.2122" || r.DOI != "10.1007/s11005-017-1013-4" || r.Authors[0].Name != "A. Sergyeyev" {
		t.Errorf("record %+v, license %s", r, lic)
	}
	many, err := ParseRecords(data(t, "oai_sample_records.xml"))
	if err != nil || len(many) < 5 {
		t.Fatalf("%d records, %v", len(many), err)
	}
	with := 0
	for _, r := range many {
		for _, a := range r.Authors {
			with += len(a.Affiliations)
		}
	}
	if with == 0 {
		t.Error("no affiliations in a file that has them")
	}
	if _, err := ParseRecords(data(t, "oai_arxiv-physics-hep-ex.xml")); err != nil {
		t.Error(err)
	}
}

func FuzzParseRecords(f *testing.F) {
	f.Add([]byte(rawRecord))
	f.Add([]byte(`<record><header status="deleted"><identifier>oai:arXiv.org:2501.12948</identifier></header></record>`))
	f.Add([]byte(strings.Repeat("<record>", 2000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		records, err := ParseRecords(body)
		if err != nil && feeds.TroubleOf(err) == "" {
			t.Errorf("an error without a kind: %v", err)
		}
		for _, r := range records {
			if r.ID == "" || len(r.Authors) > feeds.MaxAuthors {
				t.Errorf("%+v", r)
			}
		}
	})
}
