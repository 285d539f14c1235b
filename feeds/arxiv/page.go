package arxiv

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// Bounds of what is read of a page. The front matter of a paper of 5,000 authors
// fits; a page that does not is a page that means harm.
const (
	maxNodes   = 60_000
	maxDepth   = 120
	maxTextRun = 20_000  // bytes of one run of text
	maxText    = 1 << 20 // bytes of text in all
)

// A node is an element or, with no tag, a run of text.
type node struct {
	tag   string
	class string // " a b ", so that " a " finds a
	href  string
	text  string
	kids  []*node
}

func (n *node) has(class string) bool { return strings.Contains(n.class, " "+class+" ") }

// hasPart reports whether one of n's classes begins with prefix.
func (n *node) hasPart(prefix string) bool { return strings.Contains(n.class, " "+prefix) }

// each calls f for n and all below it in document order; f returns false to skip
// what is below. The depth is bounded by [maxDepth].
func (n *node) each(f func(*node) bool) {
	if !f(n) {
		return
	}
	for _, k := range n.kids {
		k.each(f)
	}
}

// Elements that never hold a paper's words.
var chrome = map[string]bool{
	"script": true, "style": true, "head": true, "nav": true, "dialog": true, "header": true,
	"footer": true, "svg": true, "form": true, "button": true, "template": true, "iframe": true,
	"noscript": true, "textarea": true, "select": true, "object": true, "figure": true, "title": true,
}

// Elements without an end tag. Source: https://html.spec.whatwg.org/multipage/syntax.html#void-elements
var void = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true,
	"input": true, "link": true, "meta": true, "source": true, "track": true, "wbr": true,
}

// frontMatter reads a page up to its first section and returns it as a tree, and
// whether the page is LaTeXML's at all. It works on tokens and stops early: the
// body of a paper, megabytes of formulas, is not looked at.
func frontMatter(page []byte) (root *node, latexml bool) {
	root = &node{tag: "#root"}
	stack := []*node{root}
	count, size, skipping, depth := 0, 0, "", 0
	z := html.NewTokenizer(bytes.NewReader(page))
	z.SetMaxBuf(1 << 20)
	for count < maxNodes && size < maxText {
		switch z.Next() {
		case html.ErrorToken:
			return root, latexml
		case html.TextToken:
			if skipping != "" {
				continue
			}
			raw := z.Text()
			if len(raw) > maxTextRun {
				raw = raw[:maxTextRun]
			}
			size += len(raw)
			top := stack[len(stack)-1]
			top.kids = append(top.kids, &node{text: strings.ToValidUTF8(string(raw), "")})
			count++
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			tag := string(name)
			if skipping != "" {
				if tag == skipping {
					depth++
				}
				continue
			}
			n := &node{tag: tag}
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				switch string(key) {
				case "class":
					n.class = " " + strings.Join(strings.Fields(clip(string(value), 500)), " ") + " "
				case "href":
					n.href = clip(string(value), 500)
				case "alttext":
					n.text = clip(string(value), 200)
				}
			}
			latexml = latexml || n.hasPart("ltx_")
			if n.has("ltx_section") || n.has("ltx_bibliography") || n.has("ltx_appendix") {
				return root, latexml
			}
			top := stack[len(stack)-1]
			switch {
			case chrome[tag] || n.has("ltx_page_footer") || n.has("ltx_TOC") || n.has("package-alerts"):
				skipping, depth = tag, 1
			case tag == "math":
				top.kids = append(top.kids, n) // its alttext says all
				skipping, depth = tag, 1
			case void[tag]:
				n.text = ""
				top.kids = append(top.kids, n)
			default:
				n.text = ""
				top.kids = append(top.kids, n)
				if len(stack) < maxDepth {
					stack = append(stack, n)
				}
			}
			count++
		case html.EndTagToken:
			name, _ := z.TagName()
			tag := string(name)
			if skipping != "" {
				if tag == skipping {
					if depth--; depth == 0 {
						skipping = ""
					}
				}
				continue
			}
			for i := len(stack) - 1; i > 0; i-- {
				if stack[i].tag == tag {
					stack = stack[:i]
					break
				}
			}
		}
	}
	return root, latexml
}
