package message

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed document.html
var documentHTML string

var documentTemplate = template.Must(template.New("document").Funcs(template.FuncMap{
	"kind":     kindOf,
	"number":   Number,
	"overtime": func(c Chart) bool { return c.Kind != ChartBars },
	"interval": Bar.interval,
	"percent": func(v, most float64) float64 {
		if most <= 0 {
			return 0
		}
		return v / most * 100
	},
	"most": func(c Chart) float64 {
		m := 0.0
		for _, b := range c.Bars {
			m = max(m, b.Total())
		}
		return m
	},
}).Parse(documentHTML))

// HTML renders doc as one self-contained page that needs no script, no font and
// no other file, in light and dark, for a phone or a wide screen.
func HTML(w io.Writer, doc Document) error { return documentTemplate.Execute(w, doc) }

// kindOf names a block for the template, which cannot switch on types.
func kindOf(b Block) string {
	k := &kinder{}
	Document{Blocks: []Block{b}}.Visit(k)
	return k.name
}

type kinder struct{ name string }

func (k *kinder) Heading(Heading)           { k.name = "heading" }
func (k *kinder) Paragraph(Paragraph)       { k.name = "paragraph" }
func (k *kinder) List(List)                 { k.name = "list" }
func (k *kinder) Fields(Fields)             { k.name = "fields" }
func (k *kinder) SmallPrint(SmallPrint)     { k.name = "small" }
func (k *kinder) Rule(Rule)                 { k.name = "rule" }
func (k *kinder) Preformatted(Preformatted) { k.name = "pre" }
func (k *kinder) Story(Story)               { k.name = "story" }
func (k *kinder) Chart(Chart)               { k.name = "chart" }
func (k *kinder) Actions(Actions)           { k.name = "actions" }
