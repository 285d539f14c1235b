package discord

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// validate judges a message by what Discord's documentation says and its schema does
// not: sums over a message, uniqueness, what excludes what. It is written from the
// documentation alone and shares nothing with the renderer but the constants.
func validate(payload []byte) []string {
	var bad []string
	fail := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	var m struct {
		Content    string           `json:"content"`
		Flags      int              `json:"flags"`
		Components []map[string]any `json:"components"`
		Embeds     []struct {
			Title, Description, URL string
			Footer                  struct{ Text string }
			Author                  struct{ Name string }
			Fields                  []struct{ Name, Value string }
		} `json:"embeds"`
		AllowedMentions *struct {
			Parse       *[]string `json:"parse"`
			Users       []string  `json:"users"`
			Roles       []string  `json:"roles"`
			RepliedUser bool      `json:"replied_user"`
		} `json:"allowed_mentions"`
		Nonce string `json:"nonce"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return []string{"invalid JSON: " + err.Error()}
	}
	if a := m.AllowedMentions; a == nil || a.Parse == nil || len(*a.Parse)+len(a.Users)+len(a.Roles) > 0 || a.RepliedUser {
		fail("allowed_mentions lets somebody be pinged")
	}
	if n := size(m.Content); n > maxContent {
		fail("content has %d characters", n)
	}
	if n := size(m.Nonce); n > maxNonce {
		fail("nonce has %d characters", n)
	}
	// https://discord.com/developers/docs/resources/message#embed-object-embed-limits
	if len(m.Embeds) > maxEmbeds {
		fail("%d embeds", len(m.Embeds))
	}
	total, urls := 0, map[string]bool{}
	for _, e := range m.Embeds {
		for _, l := range []struct {
			what string
			text string
			most int
		}{{"title", e.Title, maxEmbedTitle}, {"description", e.Description, maxEmbedText}, {"footer", e.Footer.Text, maxFooter}, {"author", e.Author.Name, maxEmbedTitle}} {
			total += size(l.text)
			if size(l.text) > l.most {
				fail("embed %s has %d characters", l.what, size(l.text))
			}
		}
		if len(e.Fields) > maxEmbedFields {
			fail("embed has %d fields", len(e.Fields))
		}
		for _, f := range e.Fields {
			total += size(f.Name) + size(f.Value)
			if f.Name == "" || f.Value == "" || size(f.Name) > maxFieldName || size(f.Value) > maxFieldValue {
				fail("embed field of %d and %d characters", size(f.Name), size(f.Value))
			}
		}
		if e.URL != "" {
			if urls[e.URL] {
				fail("two embeds of one URL: the second is not shown")
			}
			urls[e.URL] = true
			if u, err := url.Parse(e.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" {
				fail("embed URL %q", e.URL)
			}
		}
	}
	if total > maxEmbedTotal {
		fail("%d characters over all embeds", total)
	}
	v2 := m.Flags&flagComponentsV2 != 0
	if v2 && (m.Content != "" || len(m.Embeds) > 0) {
		fail("components V2 beside content or embeds")
	}
	// https://discord.com/developers/docs/components/reference
	count, text := 0, 0
	ids, numbers := map[string]bool{}, map[float64]bool{}
	var walk func(c map[string]any, parent float64)
	walk = func(c map[string]any, parent float64) {
		count++
		kind, _ := c["type"].(float64)
		str := func(k string) string { s, _ := c[k].(string); return s }
		if id, ok := c["id"].(float64); ok {
			if numbers[id] || id < 0 || id >= 1<<31 {
				fail("component id %v is used twice or is no 32-bit number", id)
			}
			numbers[id] = true
		}
		if id := str("custom_id"); id != "" {
			if ids[id] {
				fail("custom id %q twice", id)
			}
			ids[id] = true
			if size(id) > maxCustomID {
				fail("custom id of %d characters", size(id))
			}
		}
		list, _ := c["components"].([]any)
		allowed := map[float64][]float64{
			0:             {typeRow, typeSection, typeText, typeSeparator, typeContainer, typeGallery},
			typeContainer: {typeRow, typeSection, typeText, typeSeparator},
			typeSection:   {typeText, typeButton},
			typeRow:       {typeButton, typeSelect},
		}[parent]
		found := false
		for _, k := range allowed {
			found = found || k == kind
		}
		if !found {
			fail("component of type %v in one of type %v", kind, parent)
		}
		if !v2 && kind >= typeSection {
			fail("component of type %v without the flag for it", kind)
		}
		switch kind {
		case typeText:
			n := size(str("content"))
			text += n
			if n == 0 || strings.TrimSpace(str("content")) == "" {
				fail("empty text display")
			}
		case typeButton:
			if size(str("label")) > maxLabel || str("label") == "" {
				fail("label of %d characters", size(str("label")))
			}
			if (str("custom_id") == "") == (str("url") == "") {
				fail("a button has either a custom id or a URL")
			}
		case typeRow:
			if len(list) == 0 || len(list) > maxRow {
				fail("row of %d", len(list))
			}
			for _, x := range list {
				if x.(map[string]any)["type"].(float64) == typeSelect && len(list) > 1 {
					fail("a menu shares its row")
				}
			}
		case typeSelect:
			options, _ := c["options"].([]any)
			values := map[string]bool{}
			if len(options) == 0 || len(options) > maxOptions {
				fail("menu of %d options", len(options))
			}
			for _, o := range options {
				label, _ := o.(map[string]any)["label"].(string)
				value, _ := o.(map[string]any)["value"].(string)
				if label == "" || value == "" || size(label) > maxOption || size(value) > maxOption || values[value] {
					fail("menu option %q with value %q", label, value)
				}
				values[value] = true
			}
		case typeSection:
			if len(list) == 0 || len(list) > 3 || c["accessory"] == nil {
				fail("section of %d texts", len(list))
			}
		case typeGallery:
			items, _ := c["items"].([]any)
			if len(items) == 0 || len(items) > 10 {
				fail("gallery of %d", len(items))
			}
			for _, it := range items {
				alt, _ := it.(map[string]any)["description"].(string)
				if alt == "" || size(alt) > 1024 {
					fail("a picture with %d characters of alternative text", size(alt))
				}
			}
		case typeContainer:
			if len(list) == 0 {
				fail("empty container")
			}
		}
		for _, x := range list {
			walk(x.(map[string]any), kind)
		}
		if x, ok := c["accessory"].(map[string]any); ok {
			walk(x, kind)
		}
	}
	for _, c := range m.Components {
		walk(c, 0)
	}
	if count > maxComponents {
		fail("%d components", count)
	}
	if text > maxText {
		fail("%d characters of text", text)
	}
	if count == 0 && m.Content == "" && len(m.Embeds) == 0 {
		fail("empty message")
	}
	return bad
}

var (
	everybody = regexp.MustCompile(`(?i)@(everyone|here)`)
	mention   = regexp.MustCompile(`(^|[^\\])<(@|#|/|a?:|t:|id:)`)
	scheme    = regexp.MustCompile(`(?i)(^|[^\\(\w])(https?|discord|steam)://`)
)

// harmless looks for what Discord would make of a message's text beyond text:
// mentions, time stamps, emoji, links that are neither masked nor in angles, or not to the
// web.
func harmless(payload []byte) []string {
	var bad []string
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		return []string{err.Error()}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for k, x := range v {
				s, ok := x.(string)
				if m := everybody.FindString(s); ok && k == "label" && m != "" {
					bad = append(bad, "a label pings: "+m) // labels know no other markup
				}
				if ok && k == "content" {
					bad = append(bad, harmlessText(s)...)
				}
				if ok {
					continue
				}
				walk(x)
			}
		}
	}
	walk(v)
	return bad
}

var (
	codeSpan = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	masked   = regexp.MustCompile(`\]\(https?://[^\s()<>]+\)`)
	angled   = regexp.MustCompile(`(^|[^\\])<https?://[^\s()<>]+>`)
)

func harmlessText(s string) []string {
	var bad []string
	if m := everybody.FindString(s); m != "" {
		bad = append(bad, "pings: "+m)
	}
	// What is in code is shown as it is. An escaped backtick does not begin code.
	rest := codeSpan.ReplaceAllString(strings.NewReplacer(`\\`, "", "\\`", "").Replace(s), "x")
	if m := mention.FindString(rest); m != "" {
		bad = append(bad, fmt.Sprintf("mentions: %q in %q", m, rest))
	}
	if m := scheme.FindString(angled.ReplaceAllString(masked.ReplaceAllString(rest, "]x"), "${1}x")); m != "" {
		bad = append(bad, fmt.Sprintf("links: %q in %q", m, rest))
	}
	return bad
}
