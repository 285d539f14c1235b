package query

import (
	"slices"

	"seedcorn/feeds"
)

// Compile returns the plan of a query. Its expression selects every subject that
// matches, and perhaps more; with Exact set, exactly those. Phrases are planned as
// their words, since an index need not keep positions; dates that every match
// must satisfy become bounds, other dates are left to Match.
//
// The expression is simple: All and Any have two parts or more and are not nested
// in their own kind, and a None holds no None. A query that nothing can match is
// None of [Everything].
func (q Query) Compile() Plan {
	p := Plan{Exact: true}
	e := everything
	var top func(n node)
	top = func(n node) {
		switch n := n.(type) {
		case nil:
		case and:
			for _, part := range n {
				top(part)
			}
		case topic:
			top(n.part)
		case not:
			if b, ok := n.part.(bound); ok {
				b.before = !b.before // not since is before
				top(b)
				return
			}
			part, exact := compile(n, above)
			e, p.Exact = intersect(e, part), p.Exact && exact
		case bound:
			if n.before && (p.Before.IsZero() || n.at.Before(p.Before)) {
				p.Before = n.at
			} else if !n.before && n.at.After(p.Since) {
				p.Since = n.at
			}
		default:
			part, exact := compile(n, above)
			e, p.Exact = intersect(e, part), p.Exact && exact
		}
	}
	top(q.root)
	switch {
	case isNothing(e):
		p.Expr = None{Term{Text: Everything}}
	case !isEverything(e):
		p.Expr = e
	}
	return p
}

// A side says where an approximation may err: above selects too much, below too
// little. Under a negation the sides change places.
type side bool

const (
	above side = true
	below side = false
)

// Within this file, an empty All selects everything and an empty Any nothing.
var everything, nothing Expr = All{}, Any{}

func isEverything(e Expr) bool { a, ok := e.(All); return ok && len(a) == 0 }
func isNothing(e Expr) bool    { a, ok := e.(Any); return ok && len(a) == 0 }

// compile returns an expression that bounds n from the given side, and whether it
// selects exactly what n matches.
func compile(n node, s side) (Expr, bool) {
	switch n := n.(type) {
	case and:
		e, exact := everything, true
		for _, p := range n {
			part, ok := compile(p, s)
			e, exact = intersect(e, part), exact && ok
		}
		return e, exact
	case or:
		e, exact := nothing, true
		for _, p := range n {
			part, ok := compile(p, s)
			e, exact = unite(e, part), exact && ok
		}
		return e, exact
	case not:
		e, exact := compile(n.part, !s)
		return except(e), exact
	case topic:
		if n.part == nil {
			return everything, true
		}
		return compile(n.part, s)
	case classes:
		e := nothing
		for c := feeds.Unknown; c <= feeds.OpenSource; c++ {
			if n&(1<<c) != 0 {
				e = unite(e, Term{Text: fieldTerm(fieldOpenness, c.String())})
			}
		}
		return e, true
	case filter:
		e := nothing
		for _, v := range n.want {
			e = unite(e, Term{Text: fieldTerm(n.field, v)})
		}
		return e, true
	case text:
		e, exact := nothing, true
		for _, ph := range n.any {
			if len(ph.words) > 1 {
				exact = false
				if s == below {
					continue
				}
			}
			part := everything
			for i, w := range ph.words {
				part = intersect(part, Term{Text: wordTerm(w), Prefix: ph.prefix && i == len(ph.words)-1})
			}
			e = unite(e, part)
		}
		return e, exact
	}
	// A date that is not a bound.
	if s == above {
		return everything, false
	}
	return nothing, false
}

// WithoutPrefixes returns a plan that selects all that p does, perhaps more, and asks
// the index for no prefix; ok is false if p asks for none itself. A prefix may stand
// for thousands of terms, and an index that must gather what all of them select is
// slower than looking at the newest works one by one.
func (p Plan) WithoutPrefixes() (loose Plan, ok bool) {
	var loosen func(e Expr, s side) Expr
	loosen = func(e Expr, s side) Expr {
		switch e := e.(type) {
		case Term:
			switch {
			case !e.Prefix:
				return e
			case s == above:
				ok = true
				return everything
			}
			ok = true
			return nothing
		case All:
			out := everything
			for _, x := range e {
				out = intersect(out, loosen(x, s))
			}
			return out
		case Any:
			out := nothing
			for _, x := range e {
				out = unite(out, loosen(x, s))
			}
			return out
		case None:
			return except(loosen(e.Part, !s))
		}
		return e
	}
	if p.Expr == nil {
		return p, false
	}
	loose = p
	loose.Expr = loosen(p.Expr, above)
	if !ok {
		return p, false
	}
	loose.Exact = false
	switch {
	case isNothing(loose.Expr): // no superset of something is nothing, but an empty plan is
		loose.Expr = None{Term{Text: Everything}}
	case isEverything(loose.Expr):
		loose.Expr = nil
	}
	return loose, true
}

func intersect(a, b Expr) Expr {
	switch {
	case isNothing(a) || isEverything(b):
		return a
	case isNothing(b) || isEverything(a):
		return b
	}
	var all All
	for _, e := range []Expr{a, b} {
		if l, ok := e.(All); ok {
			for _, x := range l {
				all = addExpr(all, x)
			}
		} else {
			all = addExpr(all, e)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func unite(a, b Expr) Expr {
	switch {
	case isEverything(a) || isNothing(b):
		return a
	case isEverything(b) || isNothing(a):
		return b
	}
	var any Any
	for _, e := range []Expr{a, b} {
		if l, ok := e.(Any); ok {
			for _, x := range l {
				any = addExpr(any, x)
			}
		} else {
			any = addExpr(any, e)
		}
	}
	if len(any) == 1 {
		return any[0]
	}
	return any
}

// addExpr appends e unless it is a term that the list holds already.
func addExpr[L ~[]Expr](list L, e Expr) L {
	if t, ok := e.(Term); ok && slices.ContainsFunc(list, func(x Expr) bool { u, ok := x.(Term); return ok && u == t }) {
		return list
	}
	return append(list, e)
}

func except(e Expr) Expr {
	switch {
	case isEverything(e):
		return nothing
	case isNothing(e):
		return everything
	}
	if n, ok := e.(None); ok {
		return n.Part
	}
	return None{e}
}
