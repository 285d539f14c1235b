package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/digest"
	"seedcorn/feeds"
	"seedcorn/feeds/catalog"
	"seedcorn/feeds/registry"
	"seedcorn/feeds/tag"
)

// maxLine bounds one JSON line of "seedcorn tag": a line is held in memory.
const maxLine = 64 << 20

func (a *app) tagCommand() *cobra.Command {
	var withDB bool
	c := &cobra.Command{
		Use:   "tag",
		Short: "tag items from standard input: JSON Lines in, JSON Lines out",
		Long: `Tag items with lab, country and openness, each with evidence. Offline and in input
order; every input line gives one output line.

In:  id, title, summary, url, source, published, authors[], affiliations[], emails[],
     artifacts[{kind,url,license,gated}]; all but id may be missing.
Out: id, labs[{id,role}], countries[] (where the lab sits), control[] (whose it is),
     openness, flags[], artifacts[{kind,license,openness,basis}], evidence[{field,quote,rule}].

A line that is not JSON is reported with its number, the rest goes on, and the exit
status is 1.`,
		Example: `  echo '{"id":"1","url":"https://huggingface.co/deepseek-ai/DeepSeek-R1","artifacts":[{"kind":"weights","license":"mit"}]}' | seedcorn tag`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if withDB {
				return a.do(c.Context(), func(ctx context.Context, w *world) error {
					t, err := w.tags(ctx)
					if err != nil {
						return err
					}
					return tagLines(ctx, t, a.in, a.out, a.errs)
				})
			}
			return tagLines(c.Context(), tag.New(registry.Default()), a.in, a.out, a.errs)
		},
	}
	c.Flags().BoolVar(&withDB, "organizations", false, "also know the organizations that were imported into the database")
	return c
}

// A tagInput is a line of "seedcorn tag".
type tagInput struct {
	ID           string           `json:"id"`
	Title        string           `json:"title"`
	Summary      string           `json:"summary"`
	URL          string           `json:"url"`
	Source       string           `json:"source"`
	Published    string           `json:"published"`
	Authors      []string         `json:"authors"`
	Affiliations []string         `json:"affiliations"`
	Emails       []string         `json:"emails"`
	Artifacts    []feeds.Artifact `json:"artifacts"`
}

// A tagOutput is an answer of "seedcorn tag".
type tagOutput struct {
	ID        string           `json:"id"`
	Labs      []tagLab         `json:"labs"`
	Countries []feeds.Country  `json:"countries"`
	Control   []feeds.Country  `json:"control"`
	Openness  feeds.Openness   `json:"openness"`
	Flags     []feeds.Flag     `json:"flags"`
	Artifacts []tagArtifact    `json:"artifacts"`
	Evidence  []feeds.Evidence `json:"evidence"`
}

type tagLab struct {
	ID   feeds.LabID `json:"id"`
	Name string      `json:"name,omitempty"`
	Role feeds.Role  `json:"role"`
}

type tagArtifact struct {
	Kind     feeds.ArtifactKind `json:"kind"`
	License  string             `json:"license"`
	Openness feeds.Openness     `json:"openness"`
	Basis    feeds.Basis        `json:"basis"`
	Flags    []feeds.Flag       `json:"flags,omitempty"`
}

// item turns a line into what the tagger reads. The source is a feed's URL: the
// lab whose feed it is, by the catalog or by its domain, is the publisher.
func (in tagInput) item(t *tag.Tagger, catalogLabs map[string]feeds.LabID) feeds.Item {
	it := feeds.Item{
		ID: feeds.ItemID(in.ID), URL: in.URL, Title: in.Title, Summary: in.Summary, Authors: in.Authors,
		Affiliations: in.Affiliations, Emails: in.Emails, Artifacts: in.Artifacts,
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, time.RFC1123Z, time.RFC1123, "Mon, 2 Jan 2006 15:04:05 -0700", "2006-01"} {
		if d, err := time.Parse(layout, in.Published); err == nil {
			it.Published = d.UTC()
			break
		}
	}
	if in.Source != "" {
		it.Publisher = cmp.Or(catalogLabs[feeds.CanonicalURL(in.Source)], t.PublisherOf(in.Source))
	}
	return it
}

// lineFault says what is wrong with a line, in the words of JSON and not of Go.
func lineFault(err error) string {
	var t *json.UnmarshalTypeError
	switch {
	case errors.As(err, &t) && t.Field == "":
		return "not an object but " + article(t.Value)
	case errors.As(err, &t):
		return t.Field + ": " + article(t.Value) + " does not fit there"
	}
	return err.Error()
}

func article(noun string) string {
	noun, _, _ = strings.Cut(noun, " ") // "number 1.5"
	if strings.ContainsAny(noun[:min(1, len(noun))], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func tagLines(ctx context.Context, t *tag.Tagger, in io.Reader, out, errs io.Writer) error {
	labs := map[string]feeds.LabID{}
	for _, s := range catalog.Sources() {
		if s.Official {
			labs[feeds.CanonicalURL(s.URL)] = s.Lab
		}
	}
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	lines := bufio.NewReaderSize(in, 1<<20)
	bad := 0
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if ctx.Err() != nil {
			return errors.Join(w.Flush(), ctx.Err())
		}
		if err != nil && !errors.Is(err, errLineTooLong) {
			return errors.Join(w.Flush(), fmt.Errorf("line %d: %w", n, err))
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var item tagInput
		if err == nil {
			err = json.Unmarshal(line, &item)
		}
		if err == nil && item.ID == "" {
			err = errors.New("no id")
		}
		if err != nil {
			bad++
			fmt.Fprintf(errs, "line %d: %s\n", n, lineFault(err))
			continue
		}
		if err := enc.Encode(answer(item.ID, t.Tag(item.item(t, labs)))); err != nil {
			return err
		}
		if lines.Buffered() == 0 { // nothing waits: let the reader have it
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return hinted(fmt.Errorf("%d lines could not be read", bad), "each line is one JSON object with at least an id")
	}
	return nil
}

var errLineTooLong = fmt.Errorf("longer than %d MiB", maxLine>>20)

// readLine returns the next line, without its end. A line over the bound is read
// to its end and reported.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
			tooLong = len(line) > maxLine
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0, err == nil:
			if tooLong {
				return nil, errLineTooLong
			}
			return bytes.TrimRight(line, "\r\n"), nil
		default:
			return nil, err
		}
	}
}

func answer(id string, tags feeds.Tags) tagOutput {
	o := tagOutput{
		ID: id, Labs: []tagLab{}, Countries: seats(tags.Countries), Control: seats(tags.Control), Openness: tags.Openness,
		Flags: orEmpty(tags.Flags), Artifacts: []tagArtifact{}, Evidence: []feeds.Evidence{},
	}
	for _, l := range tags.Labs {
		o.Labs = append(o.Labs, tagLab{l.Lab, l.Name, l.Role})
		o.Evidence = append(o.Evidence, l.Evidence...)
	}
	for _, x := range tags.Artifacts {
		o.Artifacts = append(o.Artifacts, tagArtifact{x.Kind, x.License, x.Openness, x.Basis, x.Flags})
		o.Evidence = append(o.Evidence, x.Evidence...)
	}
	return o
}

// seats leaves out what is no country: a collective without a legal seat is in none
// (rule C7).
func seats(cs []feeds.Country) []feeds.Country {
	return orEmpty(slices.DeleteFunc(slices.Clone(cs), func(c feeds.Country) bool { return c == feeds.International }))
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (a *app) labsCommand() *cobra.Command {
	c := &cobra.Command{Use: "labs", Short: "the registry of labs: list, show, check, import"}
	var country string
	list := &cobra.Command{
		Use: "list", Short: "every lab with its country", Args: cobra.NoArgs, Example: "  seedcorn labs list --country CH",
		RunE: func(*cobra.Command, []string) error {
			reg := registry.Default()
			want, ok := reg.ParseCountry(country)
			if country != "" && !ok {
				return usagef("a code such as FR, or an English name", "no country %q", country)
			}
			t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tNAME\tKIND\tHOME\tCONTROL")
			for _, l := range reg.Labs() {
				seat := l.At(time.Time{})
				if country == "" || seat.Home == want || seat.Control == want {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.Name, l.Kind, seat.Home, seat.Control)
				}
			}
			return t.Flush()
		},
	}
	list.Flags().StringVar(&country, "country", "", "only labs of this country")
	show := &cobra.Command{
		Use: "show LAB", Short: "all that is known of a lab, with its source", Args: cobra.MinimumNArgs(1), Example: "  seedcorn labs show deepseek",
		RunE: func(_ *cobra.Command, args []string) error {
			name := strings.Join(args, " ")
			reg := registry.Default()
			labs := reg.Find(name)
			if l, ok := reg.Lab(feeds.LabID(name)); ok {
				labs = []feeds.Lab{l}
			}
			if len(labs) == 0 {
				ids := map[string]bool{}
				for _, l := range reg.Labs() {
					ids[string(l.ID)] = true
				}
				hint := "seedcorn labs list shows all of them"
				if near := nearest(strings.ToLower(name), ids); near != "" {
					hint = "did you mean " + near + "?"
				}
				return hinted(fmt.Errorf("no lab %q", name), hint)
			}
			for _, l := range labs {
				if err := a.show("text", a.out, bot.Lab(l)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	check := &cobra.Command{
		Use: "check [DIR]", Short: "check the registry, or registry files of your own, and report every fault", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			reg, faults := registry.Default(), []registry.Fault(nil)
			if len(args) == 1 {
				reg, faults = registry.Load(os.DirFS(args[0]))
			} else {
				faults = registry.Check(reg.Labs(), reg.Licenses())
			}
			for _, f := range faults {
				fmt.Fprintln(a.out, f)
			}
			if len(faults) > 0 {
				return hinted(fmt.Errorf("%d faults in the registry", len(faults)), "each line names the file, the line and the mend")
			}
			_, err := fmt.Fprintf(a.out, "registry %s: %d labs, %d licenses, no fault\n", reg.Version(), len(reg.Labs()), len(reg.Licenses()))
			return err
		},
	}
	imp := &cobra.Command{Use: "import", Short: "import organizations for the long tail"}
	ror := &cobra.Command{
		Use: "ror FILE", Short: "load a dump of the Research Organization Registry (its zip or JSON, schema v2)", Args: cobra.ExactArgs(1),
		Long: `Load a dump of the Research Organization Registry (https://ror.org, CC0) into the
database, so that affiliations of 120,000 organizations are known. It replaces an
earlier import. Dumps are published at https://doi.org/10.5281/zenodo.6347574.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error { return a.importROR(ctx, w, args[0]) })
		},
	}
	imp.AddCommand(ror)
	c.AddCommand(list, show, check, imp)
	return c
}

func (a *app) importROR(ctx context.Context, w *world, name string) error {
	began := a.now()
	n, err := w.db.ReplaceOrganizations(ctx, rorLabs(name))
	if err != nil {
		return hinted(fmt.Errorf("importing %s: %w", name, err), "want the zip or the JSON of a dump, schema v2; nothing was changed")
	}
	_, err = fmt.Fprintf(a.out, "%d organizations imported in %s; seedcorn retag applies them to what is stored\n", n, a.now().Sub(began).Round(100*time.Millisecond))
	return err
}

// rorLabs reads a dump as labs without registry entries: acronyms count only with
// support, as any ambiguous name does.
func rorLabs(name string) iter.Seq2[feeds.Lab, error] {
	return func(yield func(feeds.Lab, error) bool) {
		for o, err := range registry.ReadRORFile(name) {
			l := o.Lab()
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

func (a *app) licensesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "licenses [NAME]", Short: "the registry of licenses, or what one of them lets you do", Example: "  seedcorn licenses\n  seedcorn licenses 'llama 3.1'",
		RunE: func(_ *cobra.Command, args []string) error {
			reg := registry.Default()
			if len(args) > 0 {
				name := strings.Join(args, " ")
				l, ok := reg.License(name)
				if !ok {
					hint := "seedcorn licenses lists all of them; an unknown license is never taken for a known one"
					var names []string
					for _, l := range reg.Licenses() {
						names = append(append(names, l.ID, l.Name), l.Aliases...)
					}
					if near := bot.Nearest(name, names); near != "" {
						hint = "did you mean " + near + "?"
					}
					return hinted(fmt.Errorf("no license %q", name), hint)
				}
				return a.show("text", a.out, bot.License(l))
			}
			t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "LICENSE\tCLASS OF WEIGHTS\tFLAGS")
			for _, l := range reg.Licenses() {
				fmt.Fprintf(t, "%s\t%s\t%s\n", l.ID, l.Class, bot.Caution(l.ID, l.Flags))
			}
			return t.Flush()
		},
	}
	return c
}

func (a *app) rulesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rules", Short: "how things are counted and tagged: every rule, in words", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.show("text", a.out, bot.Rules()) },
	}
}

// author is who signs a correction on the command line.
func author() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "operator"
}

func (a *app) correctCommand() *cobra.Command {
	var because string
	c := &cobra.Command{
		Use:   "correct WORK FIELD=VALUE",
		Short: "overrule a tag of a work, signed and reversible",
		Long: `Overrule a tag. FIELD is country, lab, license or openness; several values are
separated by commas. A correction is kept with who, when and why, wins over the rules
whenever tags are computed again, and is undone with FIELD= (an empty value). Digests
of the last 30 days that told about the work are edited where they stand, by serve.`,
		Example: "  seedcorn correct 2501.12948 country=CN --because https://www.deepseek.com/\n  seedcorn correct w7k3m9q2xd license= --because 'the card was right'",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			field, value, ok := strings.Cut(args[1], "=")
			if !ok || !slices.Contains(digest.CorrectionFields, field) {
				return usagef("FIELD=VALUE, where FIELD is one of "+strings.Join(digest.CorrectionFields, ", "), "cannot correct %q", args[1])
			}
			if strings.TrimSpace(because) == "" {
				return usagef("--because URL, or a sentence", "a correction needs a reason")
			}
			value, err := bot.CorrectedValue(field, value)
			if err != nil {
				return usageOf(err)
			}
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				work, err := w.findWork(ctx, args[0])
				if err != nil {
					return err
				}
				now, err := w.correct(ctx, digest.Correction{Work: work.ID, Field: field, Value: value, Because: because, By: author(), At: a.now().UTC()})
				if err != nil {
					return err
				}
				return a.show("text", a.out, bot.Results(string(work.ID), []digest.Work{now}, false))
			})
		},
	}
	c.Flags().StringVar(&because, "because", "", "the reason: a URL or a sentence")
	return c
}

// usageOf turns a problem with what a person typed into an error of usage.
func usageOf(err error) error {
	var p *bot.Problem
	if errors.As(err, &p) && p.Err == nil {
		return usagef(p.Hint, "%s", strings.ToLower(p.Say[:1])+p.Say[1:])
	}
	return err
}

func (a *app) retagCommand() *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "retag",
		Short: "compute all tags again, after a change of the registry, and print what changed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				t, err := w.tags(ctx)
				if err != nil {
					return err
				}
				total, err := w.db.CountItems(ctx)
				if err != nil {
					return err
				}
				step, done := a.meter(total, "tagging")
				changes, err := w.db.Retag(ctx, t.Tag, func() { step("") })
				done()
				if err != nil {
					return err
				}
				if !quiet {
					for _, ch := range changes {
						fmt.Fprintf(a.out, "%s  %s\n    %s\n", ch.Work, ch.Title, ch)
					}
				}
				_, err = fmt.Fprintf(a.out, "%s tagged again, %s changed\n", bot.Count(total, "entry"), bot.Count(len(changes), "work"))
				return err
			})
		},
	}
	c.Flags().BoolVar(&quiet, "quiet", false, "print the count only")
	return c
}
