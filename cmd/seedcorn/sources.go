package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seedcorn/bot"
	"seedcorn/digest/store"
	"seedcorn/feeds"
	"seedcorn/feeds/catalog"
	"seedcorn/feeds/fetch"
)

func (a *app) sourcesCommand() *cobra.Command {
	var coverage, asJSON bool
	c := &cobra.Command{
		Use:   "sources",
		Short: "the places we look: list, add, check, import, export",
		Long: `The places we look. The first pull fills the list with the starter catalog: for
each lab the same kinds of source where they exist. --coverage counts them by
country, which is what a ratio between countries should be read against.`,
		Example: "  seedcorn sources add https://example.org/blog\n  seedcorn sources add hf:Qwen gh:deepseek-ai arxiv:cs.CL\n  seedcorn sources --coverage",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				if coverage {
					return a.coverage(ctx, w, asJSON)
				}
				return a.listSources(ctx, w, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&coverage, "coverage", false, "count sources by country and kind")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	list := &cobra.Command{
		Use: "list", Short: "every source with its health", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error { return a.listSources(ctx, w, asJSON) })
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	var lab string
	var official bool
	add := &cobra.Command{
		Use: "add SOURCE…", Short: "add a source: a URL, hf:ORG, gh:ORG, gh:OWNER/REPO, arxiv:CATEGORY, arxiv-query:QUERY, hf-papers",
		Long: `Add sources. A URL may be a feed or a page that links to one; it is looked at
once, and stored whether or not that works, which the output says.`,
		Example: "  seedcorn sources add https://example.org/blog --lab mistral-ai\n  seedcorn sources add hf:Qwen arxiv:cs.CL+cs.AI",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				var faults []error
				for _, spec := range args { // all or none where one is not understood
					if _, err := w.bases().Parse(spec); err != nil {
						faults = append(faults, &usageError{err: err, hint: hintOf(err)})
					}
				}
				if len(faults) > 0 {
					return errors.Join(faults...)
				}
				for _, spec := range args {
					faults = append(faults, a.addSource(ctx, w, spec, feeds.LabID(lab), official))
				}
				return errors.Join(faults...)
			})
		},
	}
	add.Flags().StringVar(&lab, "lab", "", "the lab whose own source this is (an id of seedcorn labs)")
	add.Flags().BoolVar(&official, "official", true, "with --lab: the lab speaks here, so its entries are attributed to it")
	each := func(use, short string, f func(context.Context, *world, feeds.SourceID) error) *cobra.Command {
		return &cobra.Command{
			Use: use + " SOURCE…", Short: short, Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return a.do(c.Context(), func(ctx context.Context, w *world) error {
					var faults []error
					for _, arg := range args {
						id, err := w.sourceID(ctx, arg)
						if err == nil {
							err = f(ctx, w, id)
						}
						if err == nil {
							_, err = fmt.Fprintf(a.out, "%sd %s\n", strings.TrimSuffix(use, "e")+"e", id)
						}
						faults = append(faults, err)
					}
					return errors.Join(faults...)
				})
			},
			ValidArgsFunction: a.completeSources,
		}
	}
	starter := &cobra.Command{
		Use: "starter", Short: "add the starter list: labs of many countries, the same kinds of source for each", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				if err := w.addStarter(ctx); err != nil {
					return err
				}
				_, err := fmt.Fprintf(a.out, "the starter list's %d sources are in the list\n", len(w.bases().Sources()))
				return err
			})
		},
	}
	remove := each("remove", "forget a source; the works it brought stay", func(ctx context.Context, w *world, id feeds.SourceID) error { return w.db.DeleteSource(ctx, id) })
	pause := each("pause", "stop visiting a source", func(ctx context.Context, w *world, id feeds.SourceID) error { return w.db.SetPaused(ctx, id, true) })
	resume := each("resume", "visit a paused source again", func(ctx context.Context, w *world, id feeds.SourceID) error { return w.db.SetPaused(ctx, id, false) })
	check := &cobra.Command{
		Use: "check [SOURCE…]", Short: "visit sources now and say what each answers; nothing is stored",
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error { return a.checkSources(ctx, w, args) })
		},
		ValidArgsFunction: a.completeSources,
	}
	imp := &cobra.Command{
		Use: "import FILE.opml", Short: "add the feeds of an OPML file (- is standard input)", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error { return a.importOPML(ctx, w, args[0]) })
		},
	}
	exp := &cobra.Command{
		Use: "export", Short: "print the sources as OPML", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.do(c.Context(), func(ctx context.Context, w *world) error {
				sources, err := w.db.Sources(ctx)
				if err != nil {
					return err
				}
				return catalog.WriteOPML(a.out, "Seedcorn sources", sources)
			})
		},
	}
	c.AddCommand(list, add, starter, remove, pause, resume, check, imp, exp)
	return c
}

func (a *app) completeSources(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	err := a.do(c.Context(), func(ctx context.Context, w *world) error {
		sources, err := w.db.Sources(ctx)
		for _, s := range sources {
			if strings.HasPrefix(string(s.ID), begin) {
				ids = append(ids, string(s.ID))
			}
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// sourceID finds the source that a person means by an id, a specification or a URL.
func (w *world) sourceID(ctx context.Context, text string) (feeds.SourceID, error) {
	sources, err := w.db.Sources(ctx)
	if err != nil {
		return "", err
	}
	ids := map[string]bool{}
	for _, s := range sources {
		if string(s.ID) == text || s.URL == text {
			return s.ID, nil
		}
		ids[string(s.ID)] = true
	}
	if s, err := w.bases().Parse(text); err == nil && ids[string(s.ID)] {
		return s.ID, nil
	}
	hint := "seedcorn sources list shows all of them"
	if near := nearest(text, ids); near != "" {
		hint = "did you mean " + near + "?"
	}
	return "", hinted(fmt.Errorf("no source %q", text), hint)
}

func (a *app) listSources(ctx context.Context, w *world, asJSON bool) error {
	if err := w.seed(ctx); err != nil {
		return err
	}
	health, err := w.sourceHealth(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(a.out)
		for _, h := range health {
			if err := enc.Encode(h); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SOURCE\tLAB\tCOUNTRY\tLAST READ\tHEALTH")
	for _, h := range health {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", h.ID, cmp.Or(string(h.Lab), "-"), cmp.Or(string(h.Country), "-"), ago(h.LastGood, a.now()), healthWords(h.Paused, h.Gone, h.Failures, h.Trouble, h.LastLook))
	}
	return t.Flush()
}

func healthWords(paused, gone bool, failures int, trouble string, last time.Time) string {
	switch {
	case paused:
		return "paused"
	case gone:
		return "gone"
	case failures > 0:
		return fmt.Sprintf("%d× %.60s", failures, trouble)
	case last.IsZero():
		return "not visited yet"
	}
	return "good"
}

func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

func (a *app) coverage(ctx context.Context, w *world, asJSON bool) error {
	if err := w.seed(ctx); err != nil {
		return err
	}
	sources, err := w.db.Sources(ctx)
	if err != nil {
		return err
	}
	rows := catalog.Coverage(sources, func(id feeds.LabID) feeds.Country {
		l, _ := w.reg.Lab(id)
		return l.At(time.Time{}).Home
	})
	if asJSON {
		enc := json.NewEncoder(a.out)
		for _, r := range rows {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	kinds := []feeds.SourceKind{feeds.KindFeed, feeds.KindHuggingFace, feeds.KindGitHub, feeds.KindReleases, feeds.KindArXiv, feeds.KindArXivQuery, feeds.KindDailyPapers}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "COUNTRY\tLABS\tSOURCES\t")
	for _, k := range kinds {
		fmt.Fprintf(t, "%s\t", strings.ToUpper(string(k)))
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		name := "no single lab"
		if r.Country != "" {
			name = w.reg.CountryName(r.Country)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t", name, r.Labs, r.Sources)
		for _, k := range kinds {
			fmt.Fprintf(t, "%s\t", strings.Replace(fmt.Sprint(r.Kinds[k]), "0", "-", btoi(r.Kinds[k] == 0)))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (a *app) addSource(ctx context.Context, w *world, spec string, lab feeds.LabID, official bool) error {
	src, err := w.bases().Parse(spec)
	if err != nil {
		return &usageError{err: err, hint: hintOf(err)}
	}
	if lab != "" {
		if _, ok := w.reg.Lab(lab); !ok {
			return usagef("seedcorn labs list shows the ids", "no lab %q", lab)
		}
		src.Lab, src.Official = lab, official
	}
	w.claim(&src)
	looked := a.firstLook(ctx, w, &src)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if looked != nil && feeds.TroubleOf(looked) == feeds.TroublePrivate {
		return hinted(fmt.Errorf("adding %w", looked), prefix+"ALLOW_PRIVATE_NETWORKS=true allows private addresses")
	}
	did := "added"
	if _, err := w.db.Source(ctx, src.ID); err == nil {
		did = "it was there already: updated"
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := w.db.PutSource(ctx, src); err != nil {
		return fmt.Errorf("adding %s: %w", spec, err)
	}
	if looked != nil {
		fmt.Fprintf(a.out, "%s %s, but a first look failed: %v\n", did, src.ID, looked)
	} else {
		fmt.Fprintf(a.out, "%s %s (%s)\n", did, src.ID, cmp.Or(src.Title, src.URL))
	}
	return a.beginList(ctx, w)
}

// beginList notes that the operator has begun a list of sources, and tells of the
// starter list, which is now left out.
func (a *app) beginList(ctx context.Context, w *world) error {
	first, err := w.begin(ctx)
	if first {
		fmt.Fprintf(a.errs, "This list is your own; seedcorn sources starter adds the starter list of %d sources.\n", len(w.bases().Sources()))
	}
	return err
}

// claim makes a source that nobody has claimed its lab's own where the registry
// knows its domain or account (rule C1).
func (w *world) claim(src *feeds.Source) {
	if src.Lab != "" {
		return
	}
	var lab feeds.Lab
	ok := false
	switch kind, handle, _ := strings.Cut(string(src.ID), ":"); kind {
	case "hf":
		lab, ok = w.reg.ByHandle(feeds.HuggingFace, handle)
	case "gh":
		owner, _, _ := strings.Cut(handle, "/")
		lab, ok = w.reg.ByHandle(feeds.GitHub, owner)
	case "feed":
		if u, err := url.Parse(src.URL); err == nil {
			lab, ok = w.reg.ByDomain(u.Hostname())
		}
	}
	if ok {
		src.Lab, src.Official = lab.ID, true
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// firstLook visits a new source once. A page that is not a feed is searched for
// one, and src then names the feed. The error is what the look came to.
func (a *app) firstLook(ctx context.Context, w *world, src *feeds.Source) error {
	if src.Kind == feeds.KindFeed {
		found, err := fetch.Discover(ctx, w.client, src.URL)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("no feed there, and the page links to none")
		}
		if found[0].URL != src.URL {
			feed, err := w.bases().Parse(found[0].URL)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s is a page; its feed is %s\n", src.URL, found[0].URL)
			feed.Site, feed.Lab, feed.Official = src.URL, src.Lab, src.Official
			*src = feed
		}
		if src.Title == "" || src.Title == src.URL {
			src.Title = cmp.Or(found[0].Title, src.Title)
		}
	}
	pull, err := w.collectors()[src.Kind].Collect(ctx, *src, feeds.State{})
	if err != nil {
		return err
	}
	if src.Title == "" || src.Title == src.URL {
		src.Title = cmp.Or(pull.Title, src.Title)
	}
	return nil
}

func (a *app) checkSources(ctx context.Context, w *world, args []string) error {
	if err := w.seed(ctx); err != nil {
		return err
	}
	all, err := w.db.Sources(ctx)
	if err != nil {
		return err
	}
	var want []feeds.Source
	for _, arg := range args {
		id, err := w.sourceID(ctx, arg)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(s feeds.Source) bool { return s.ID == id })
		want = append(want, all[i])
	}
	if len(args) == 0 {
		want = all
	}
	collectors, bad := w.collectors(), 0
	for _, s := range want {
		began := a.now()
		pull, err := collectors[s.Kind].Collect(ctx, s, feeds.State{})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		took := a.now().Sub(began).Round(time.Millisecond)
		if err != nil {
			bad++
			fmt.Fprintf(a.out, "bad   %s  %v\n", s.ID, err)
			continue
		}
		newest := time.Time{}
		for _, it := range pull.Items {
			if d := it.Date(); d.After(newest) {
				newest = d
			}
		}
		fmt.Fprintf(a.out, "good  %s  %s, newest %s, in %s\n", s.ID, bot.Count(pull.Entries, "entry"), ago(newest, a.now()), took)
		for _, f := range pull.Faults {
			fmt.Fprintf(a.out, "      %s\n", f)
		}
	}
	if bad > 0 {
		return hinted(fmt.Errorf("%d of %d sources could not be read", bad, len(want)), "seedcorn sources pause SOURCE stops visits to one")
	}
	return nil
}

func (a *app) importOPML(ctx context.Context, w *world, name string) error {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return hinted(fmt.Errorf("importing: %w", err), "want an OPML file, as feed readers export it; - is standard input")
		}
		defer f.Close()
		in = f
	}
	sources, faults, err := w.bases().ReadOPML(in)
	if err != nil {
		return hinted(fmt.Errorf("importing %s: %w", name, err), "want an OPML file, as feed readers export it")
	}
	step, done := a.meter(len(sources), "importing")
	added := 0
	for _, s := range sources {
		step(s.Title)
		// A file can say anything: a lab speaks only where its own domain or account does.
		s.Lab, s.Official = "", false
		w.claim(&s)
		if _, err := w.db.Source(ctx, s.ID); err == nil {
			continue // keep what is known of it: its lab, its pause
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := w.db.PutSource(ctx, s); err != nil {
			return fmt.Errorf("importing %s: %w", s.ID, err)
		}
		added++
	}
	done()
	for _, f := range faults {
		fmt.Fprintf(a.errs, "left out: %s\n", f)
	}
	fmt.Fprintf(a.out, "%d feeds in the file: %d added, %d were there already, %d left out\n", len(sources)+len(faults), added, len(sources)-added, len(faults))
	return a.beginList(ctx, w)
}
