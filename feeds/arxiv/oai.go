package arxiv

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"seedcorn/feeds"
)

// A Format is one of OAI-PMH's formats that carry arXiv's license.
// Source: https://info.arxiv.org/help/oa/index.html
type Format string

// The formats: [FormatArXiv] has authors one by one with their affiliations where
// submitters gave them, [FormatRaw] has the dates of all versions.
const (
	FormatArXiv Format = "arXiv"
	FormatRaw   Format = "arXivRaw"
)

// A Record is what OAI-PMH says of one paper.
type Record struct {
	ID         string
	License    string // URL, of the latest version; see [License]
	Title      string
	Authors    []Author
	Categories []string
	DOI        string
	Comments   string
	Journal    string
	Versions   []Version // FormatRaw only, oldest first as arXiv lists them
	Deleted    bool
}

// A Version is one version of a paper.
type Version struct {
	Number int
	Date   time.Time // zero if unreadable
}

// An Author is one author of a paper, as printed.
type Author struct {
	Name         string
	Affiliations []string
	Emails       []string
}

// GetRecord asks OAI-PMH at base for one paper behind arXiv's gate. The error is a
// *[feeds.Trouble]: of kind gone if there is no such paper, of kind refused if the
// service says no for another reason.
// Source: https://www.openarchives.org/OAI/openarchivesprotocol.html#GetRecord
func GetRecord(ctx context.Context, get feeds.Getter, gate feeds.Gate, base, id string, f Format) (Record, error) {
	id, _, ok := feeds.ArXivID(id)
	if !ok {
		return Record{}, errors.New("reading an arXiv record: not an arXiv id")
	}
	q := url.Values{"verb": {"GetRecord"}, "identifier": {"oai:arXiv.org:" + id}, "metadataPrefix": {string(f)}}
	resp, err := getBehind(ctx, get, gate, feeds.Request{URL: base + "?" + q.Encode(), Accept: "text/xml", MaxBytes: 1 << 20})
	if err != nil {
		return Record{}, fmt.Errorf("reading arXiv record %s: %w", id, err)
	}
	records, err := ParseRecords(resp.Body)
	if err != nil {
		return Record{}, fmt.Errorf("reading arXiv record %s: %w", id, err)
	}
	for _, r := range records {
		if r.ID == id {
			return r, nil
		}
	}
	return Record{}, fmt.Errorf("reading arXiv record %s: %w", id, &feeds.Trouble{
		Kind: feeds.TroubleMalformed, URL: base, Err: errors.New("the answer is about another paper"),
	})
}

func getBehind(ctx context.Context, get feeds.Getter, gate feeds.Gate, req feeds.Request) (feeds.Response, error) {
	leave, err := gate.Enter(ctx, GateKey)
	if err != nil {
		return feeds.Response{}, fmt.Errorf("waiting for arXiv's gate: %w", err)
	}
	defer leave()
	return get.Get(ctx, req)
}

type oaiRecord struct {
	Header struct {
		Status     string `xml:"status,attr"`
		Identifier string `xml:"identifier"`
	} `xml:"header"`
	Metadata struct {
		ArXiv *oaiArXiv `xml:"arXiv"`
		Raw   *oaiArXiv `xml:"arXivRaw"`
	} `xml:"metadata"`
}

type oaiArXiv struct {
	Title      string `xml:"title"`
	Categories string `xml:"categories"`
	License    string `xml:"license"`
	DOI        string `xml:"doi"`
	Comments   string `xml:"comments"`
	Journal    string `xml:"journal-ref"`
	Authors    struct {
		Text   string `xml:",chardata"` // arXivRaw: one string
		Author []struct {
			Keyname      string   `xml:"keyname"`
			Forenames    string   `xml:"forenames"`
			Suffix       string   `xml:"suffix"`
			Affiliations []string `xml:"affiliation"`
		} `xml:"author"`
	} `xml:"authors"`
	Versions []struct {
		Name string `xml:"version,attr"`
		Date string `xml:"date"`
	} `xml:"version"`
}

// ParseRecords reads every record of an OAI-PMH answer in the formats arXiv and
// arXivRaw; records in other formats are left out. Trouble of kind refused or gone
// means that the service answered with an error element.
func ParseRecords(body []byte) ([]Record, error) {
	var out []Record
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: err}
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "html", "HTML":
			return nil, &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: errors.New("a web page in place of OAI-PMH")}
		case "error":
			var e struct {
				Code string `xml:"code,attr"`
				Text string `xml:",chardata"`
			}
			if err := d.DecodeElement(&e, &start); err != nil {
				return nil, &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: err}
			}
			kind := feeds.TroubleRefused
			if e.Code == "idDoesNotExist" {
				kind = feeds.TroubleGone
			}
			return nil, &feeds.Trouble{Kind: kind, Err: fmt.Errorf("%s: %s", clip(e.Code, 60), clip(fold(e.Text), 200))}
		case "record":
			var r oaiRecord
			if err := d.DecodeElement(&r, &start); err != nil {
				return out, &feeds.Trouble{Kind: feeds.TroubleMalformed, Err: err}
			}
			if rec, ok := r.record(); ok {
				out = append(out, rec)
			}
		}
	}
}

func (r oaiRecord) record() (Record, bool) {
	id, _, ok := feeds.ArXivID(r.Header.Identifier)
	if !ok {
		return Record{}, false
	}
	m := r.Metadata.ArXiv
	if m == nil {
		m = r.Metadata.Raw
	}
	if r.Header.Status == "deleted" {
		return Record{ID: id, Deleted: true}, true
	}
	if m == nil {
		return Record{}, false
	}
	rec := Record{
		ID: id, License: strings.TrimSpace(m.License), Title: clip(fold(m.Title), feeds.MaxTitle),
		Categories: strings.Fields(m.Categories), DOI: strings.TrimSpace(m.DOI),
		Comments: clip(fold(m.Comments), 2000), Journal: clip(fold(m.Journal), 500),
	}
	for _, a := range m.Authors.Author {
		if len(rec.Authors) == feeds.MaxAuthors {
			break
		}
		author := Author{Name: fold(a.Forenames + " " + a.Keyname + " " + a.Suffix)}
		for _, where := range a.Affiliations {
			author.Affiliations = appendNew(author.Affiliations, where)
		}
		rec.Authors = append(rec.Authors, author)
	}
	if len(rec.Authors) == 0 {
		names, _ := people([]string{m.Authors.Text}, nil)
		for _, n := range names {
			rec.Authors = append(rec.Authors, Author{Name: n})
		}
	}
	for _, v := range m.Versions {
		n, err := strconv.Atoi(strings.TrimPrefix(v.Name, "v"))
		if err != nil || n < 1 || len(rec.Versions) == 1000 {
			continue
		}
		t, err := time.Parse("Mon, 2 Jan 2006 15:04:05 MST", strings.TrimSpace(v.Date))
		if err != nil {
			t = time.Time{}
		}
		rec.Versions = append(rec.Versions, Version{Number: n, Date: t.UTC()})
	}
	return rec, true
}

// fold makes one line of a text.
func fold(s string) string { return strings.Join(strings.Fields(s), " ") }
