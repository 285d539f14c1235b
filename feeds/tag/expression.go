package tag

import (
	"errors"
	"fmt"
	"strings"
)

// An expression is a parsed SPDX license expression: a leaf (id, perhaps with an
// exception) or two expressions joined by AND or OR.
//
// Grammar: https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/
// The parser is ours because the Go libraries for it (github/go-spdx,
// google/licensecheck) cannot be had from the module proxy this project builds
// from, and spdx/tools-golang, which can, reads documents but not expressions.
type expression struct {
	op          string // "AND", "OR" or "" for a leaf
	left, right *expression
	id          string // as written, without a trailing "+"
	later       bool   // a trailing "+": this version or any later one
	exception   string // after WITH
}

// Limits on what a stranger may make us parse.
const (
	maxExpression = 2_000 // bytes
	maxNesting    = 50    // parentheses
)

var errExpression = errors.New("not a license expression")

// parseExpression reads an SPDX expression. Operators may be in lower case, as
// SPDX 3 allows. Ids are not checked against any list.
func parseExpression(s string) (*expression, error) {
	if len(s) > maxExpression {
		return nil, fmt.Errorf("%w: longer than %d bytes", errExpression, maxExpression)
	}
	p := expressionParser{words: splitExpression(s)}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.words) {
		return nil, fmt.Errorf("%w: unexpected %q", errExpression, p.words[p.pos])
	}
	return e, nil
}

func splitExpression(s string) []string {
	s = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s)
	return strings.Fields(s)
}

type expressionParser struct {
	words []string
	pos   int
}

func (p *expressionParser) peek() string {
	if p.pos < len(p.words) {
		return p.words[p.pos]
	}
	return ""
}

func (p *expressionParser) operator(name string) bool {
	w := p.peek()
	if w == name || w == strings.ToLower(name) {
		p.pos++
		return true
	}
	return false
}

func (p *expressionParser) or(depth int) (*expression, error) {
	left, err := p.and(depth)
	for err == nil && p.operator("OR") {
		var right *expression
		right, err = p.and(depth)
		left = &expression{op: "OR", left: left, right: right}
	}
	return left, err
}

func (p *expressionParser) and(depth int) (*expression, error) {
	left, err := p.leaf(depth)
	for err == nil && p.operator("AND") {
		var right *expression
		right, err = p.leaf(depth)
		left = &expression{op: "AND", left: left, right: right}
	}
	return left, err
}

func (p *expressionParser) leaf(depth int) (*expression, error) {
	w := p.peek()
	p.pos++
	switch {
	case w == "(":
		if depth >= maxNesting {
			return nil, fmt.Errorf("%w: nested deeper than %d", errExpression, maxNesting)
		}
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.peek() != ")" {
			return nil, fmt.Errorf("%w: missing )", errExpression)
		}
		p.pos++
		return e, nil
	case !isLicenseID(w):
		return nil, fmt.Errorf("%w: %q is no license id", errExpression, w)
	}
	e := &expression{id: strings.TrimSuffix(w, "+"), later: strings.HasSuffix(w, "+")}
	if p.operator("WITH") {
		if e.exception = p.peek(); !isLicenseID(e.exception) {
			return nil, fmt.Errorf("%w: %q is no exception id", errExpression, e.exception)
		}
		p.pos++
	}
	return e, nil
}

// isLicenseID reports whether w has the form of an id: letters, digits, dots,
// hyphens, a colon after a DocumentRef, and perhaps a plus at the end.
func isLicenseID(w string) bool {
	w = strings.TrimSuffix(w, "+")
	switch strings.ToUpper(w) {
	case "", "AND", "OR", "WITH":
		return false
	}
	for i := 0; i < len(w); i++ {
		c := w[i]
		if ascii[c&0x7F] == 0 && c != '.' && c != '-' && c != ':' || c >= 0x80 {
			return false
		}
	}
	return true
}

// String writes the expression with upper-case operators and no more parentheses
// than needed.
func (e *expression) String() string {
	if e.op == "" {
		s := e.id
		if e.later {
			s += "+"
		}
		if e.exception != "" {
			s += " WITH " + e.exception
		}
		return s
	}
	side := func(x *expression) string {
		if e.op == "AND" && x.op == "OR" {
			return "(" + x.String() + ")"
		}
		return x.String()
	}
	return side(e.left) + " " + e.op + " " + side(e.right)
}
