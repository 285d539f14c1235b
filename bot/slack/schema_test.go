package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// npm returns a program of the folder of npm packages that SEEDCORN_TEST_NPM names;
// "" if it names none. How the folder is filled stands in .ci/run.
func npm(path ...string) string {
	dir := os.Getenv("SEEDCORN_TEST_NPM")
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir, "node_modules"}, path...)...)
}

// node is the JavaScript engine to run them with: the folder's own, which is newer
// than a system's may be.
func node() string {
	if own, _ := filepath.Glob(npm("node-linux-*", "bin", "node")); len(own) > 0 {
		return own[0]
	}
	return "node"
}

func needNPM(t testing.TB) {
	t.Helper()
	if npm() == "" {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatal("SEEDCORN_TEST_REQUIRE=1, and SEEDCORN_TEST_NPM is not set")
		}
		t.Skip("SEEDCORN_TEST_NPM is not set")
	}
}

// theirSchema is the JSON Schema of Block Kit, generated from the types that Slack
// itself publishes (https://www.npmjs.com/package/@slack/types), with the limits that
// stand in their comments. It is nil where the packages are not at hand. Whatever any
// test of this package sends is held to it: see validator.check.
var theirSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	if npm() == "" {
		return nil, nil
	}
	var stderr bytes.Buffer
	cmd := exec.Command(node(), npm("ts-json-schema-generator", "bin", "ts-json-schema-generator.js"),
		"--path", npm("@slack", "types", "dist", "index.d.ts"), "--type", "KnownBlock", "--no-type-check")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("generating the schema: %w: %s", err, stderr.Bytes())
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	if n := limit(doc); n < 60 {
		return nil, fmt.Errorf("only %d limits were found in the comments: they are worded otherwise now", n)
	}
	if strings.Contains(string(out), "data_visualization") {
		return nil, errors.New("the types know data_visualization now: newerBlocks must not excuse it any more")
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("blocks.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("blocks.json")
})

// newerBlocks are the kinds of block that the types do not know yet. slack-go knows
// them, and its own rules hold them.
var newerBlocks = map[string]bool{"data_visualization": true}

var (
	lengthWords = regexp.MustCompile(`(?is)max(?:imum)?\s+length[^.]{0,60}?\bis\s+([\d,]+)(?:\s+characters)?`)
	itemWords   = regexp.MustCompile(`(?is)maximum\s+(?:number\s+of\s+\w+\s+is|of)\s+(\d+)|[Mm]aximum\s+(\d+)\s+(?:items|blocks|cards)`)
)

// limit turns the limits in the comments of a schema into limits, and returns how many.
func limit(v any) (n int) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			n += limit(x)
		}
	case map[string]any:
		if about, ok := v["description"].(string); ok {
			if m := lengthWords.FindStringSubmatch(about); m != nil {
				most, _ := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
				if v["type"] == "string" {
					v["maxLength"] = json.Number(strconv.Itoa(most))
				} else {
					// Of an object with a text the length is the text's.
					all := []any{map[string]any{"properties": map[string]any{"text": map[string]any{"maxLength": json.Number(strconv.Itoa(most))}}}}
					if ref := v["$ref"]; ref != nil { // which silences whatever stands beside it
						delete(v, "$ref")
						all = append(all, map[string]any{"$ref": ref})
					}
					v["allOf"] = all
				}
				n++
			}
			if m := itemWords.FindStringSubmatch(about); m != nil && v["type"] == "array" {
				v["maxItems"] = json.Number(m[1] + m[2])
				n++
			}
		}
		for _, x := range v {
			n += limit(x)
		}
	}
	return n
}

// schemaFaults are what Slack's own types find wrong with blocks.
func schemaFaults(blocks []json.RawMessage) (faults []string) {
	s, err := theirSchema()
	if err != nil {
		return []string{err.Error()}
	}
	if s == nil {
		return nil
	}
	for _, raw := range blocks {
		var kind struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(raw, &kind) == nil && newerBlocks[kind.Type] {
			continue
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("Slack's types refuse %.300s: %.600v", raw, err))
		}
	}
	return faults
}

// A guard that has never caught anyone guards nothing: what Slack's types refuse.
func TestSchema(t *testing.T) {
	needNPM(t)
	if _, err := theirSchema(); err != nil {
		t.Fatal(err)
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	plain := func(n int) string { return `{"type":"plain_text","text":"` + x(n) + `"}` }
	tests := []struct {
		name, block string
		bad         bool
	}{
		{"a divider", `{"type":"divider"}`, false},
		{"the longest header", `{"type":"header","text":` + plain(150) + `}`, false},
		{"a longer header", `{"type":"header","text":` + plain(151) + `}`, true},
		{"no text", `{"type":"header"}`, true},
		{"a kind that is not", `{"type":"heading","text":` + plain(1) + `}`, true},
		{"a field that is not", `{"type":"divider","colour":"red"}`, true},
		{"a long id", `{"type":"divider","block_id":"` + x(256) + `"}`, true},
		{"a section of the wrong text", `{"type":"section","text":{"type":"html","text":"x"}}`, true},
		{"a long section", `{"type":"section","text":` + plain(3001) + `}`, true},
		{"a button without a text", `{"type":"actions","elements":[{"type":"button","action_id":"a"}]}`, true},
		{"a button's long label", `{"type":"actions","elements":[{"type":"button","action_id":"a","text":` + plain(76) + `}]}`, true},
		{"a button's long value", `{"type":"actions","elements":[{"type":"button","action_id":"a","text":` + plain(3) + `,"value":"` + x(2001) + `"}]}`, true},
		{"a button's odd style", `{"type":"actions","elements":[{"type":"button","action_id":"a","text":` + plain(3) + `,"style":"loud"}]}`, true},
		{"too many actions", `{"type":"actions","elements":[` + strings.TrimSuffix(strings.Repeat(`{"type":"button","text":`+plain(3)+`},`, 26), ",") + `]}`, true},
		{"too much context", `{"type":"context","elements":[` + strings.TrimSuffix(strings.Repeat(plain(3)+",", 11), ",") + `]}`, true},
		{"rich text of an odd kind", `{"type":"rich_text","elements":[{"type":"rich_text_table","elements":[]}]}`, true},
		{"rich text", `{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"link","url":"https://example.org","text":"x","style":{"bold":true}}]}]}`, false},
		{"an image without words", `{"type":"image","image_url":"https://example.org/x.png"}`, true},
		{"an input without a label", `{"type":"input","element":{"type":"plain_text_input","action_id":"a"}}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if faults := schemaFaults([]json.RawMessage{json.RawMessage(tt.block)}); (len(faults) > 0) != tt.bad {
				t.Errorf("refused: %t, want %t: %q", len(faults) > 0, tt.bad, faults)
			}
		})
	}
}
