package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/mmcdole/gofeed"
	gojson "github.com/mmcdole/gofeed/json"
)

type jsonItem = gojson.Item

// jsonHead is what entries of a JSON Feed inherit, and its title.
// Source: https://www.jsonfeed.org/version/1.1/#top-level
type jsonHead struct {
	Version     string            `json:"version"`
	Title       string            `json:"title"`
	HomePageURL string            `json:"home_page_url"`
	Author      *gojson.Author    `json:"author"`
	Authors     []*gojson.Author  `json:"authors"`
	Items       []json.RawMessage `json:"-"`
}

func (h jsonHead) authors() []string {
	list := h.Authors
	if len(list) == 0 && h.Author != nil {
		list = []*gojson.Author{h.Author}
	}
	return jsonAuthors(list)
}

func jsonAuthors(list []*gojson.Author) (names []string) {
	for _, a := range list {
		if a != nil {
			names = append(names, a.Name)
		}
	}
	return names
}

// splitJSON takes a JSON Feed apart. Its frame is the document without its items.
func splitJSON(text []byte) (*document, error) {
	d := &document{format: formatJSON}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, &errNotAFeed{"the document is JSON, but not a JSON Feed"}
	}
	head := map[string]json.RawMessage{}
	items, size, cut := false, 0, false
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			cut = true
			break
		}
		if name == "items" && !items {
			if items, cut = d.jsonItems(dec); cut {
				break
			}
			continue
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			cut = true
			break
		}
		switch name {
		case "version", "title", "home_page_url", "author", "authors":
			if size += len(value); size <= maxFrame {
				head[name] = value
			}
		}
	}
	if !cut {
		_, err := dec.Token()
		cut = err != nil
	}
	if !items {
		if strings.Contains(string(head["version"]), "jsonfeed.org") && cut {
			return nil, errors.New("the JSON Feed is cut off before its items")
		}
		return nil, &errNotAFeed{"the document is JSON, but not a JSON Feed"}
	}
	if cut && d.count == 0 {
		return nil, errors.New("the JSON Feed is cut off or broken before the end of its first item")
	}
	if cut {
		d.fault("the document is cut off or broken after entry %d", d.count)
	}
	if d.count > maxEntries {
		d.fault("the document has more than %d entries; only those were read", maxEntries)
	}
	frame, err := json.Marshal(head)
	if err != nil {
		return nil, errors.New("the head of the JSON Feed cannot be read")
	}
	d.frame = frame
	// The title is not inherited, and neither is the version.
	h := xxhash.New()
	for _, name := range []string{"home_page_url", "author", "authors"} {
		_, _ = h.Write(head[name])
		_, _ = h.Write([]byte{0})
	}
	d.inherit = h.Sum64()
	return d, nil
}

// jsonItems cuts the array of items out. Found is false if it is none, cut is true if
// it does not end as it should.
func (d *document) jsonItems(dec *json.Decoder) (found, cut bool) {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return false, true
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return true, true
		}
		d.count++
		switch {
		case d.count > maxEntries:
		case len(raw) > maxEntryBytes:
			d.fault("entry %d is larger than %d bytes and was left out", d.count, maxEntryBytes)
		default:
			d.entries = append(d.entries, raw)
		}
	}
	_, err := dec.Token()
	return true, err != nil
}

func readJSONHead(frame []byte) (h jsonHead) {
	// A head with a number for a title still has its other fields.
	_ = json.Unmarshal(frame, &h)
	return h
}

// readJSONItems has gofeed read a JSON Feed of the given items.
func readJSONItems(items [][]byte) ([]entry, error) {
	var b bytes.Buffer
	b.WriteString(`{"version":"https://jsonfeed.org/version/1.1","items":[`)
	for i, raw := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(raw)
	}
	b.WriteString("]}")
	f, err := (&gojson.Parser{}).Parse(&b)
	if err != nil {
		return nil, err
	}
	for _, it := range f.Items {
		if it == nil {
			return nil, errors.New("an item is null")
		}
	}
	common, err := (&gofeed.DefaultJSONTranslator{}).Translate(f)
	if err != nil {
		return nil, err
	}
	out := make([]entry, len(f.Items))
	for i, it := range f.Items {
		out[i] = entry{Item: common.Items[i], json: it, raw: items[min(i, len(items)-1)]}
	}
	return out, nil
}
