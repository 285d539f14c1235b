package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seedcorn/bot"
)

// logKeys are the names of everything that a line of the log may carry, with what
// each means: whoever searches or counts lines can rely on them. A test holds every
// line of the program to this list.
//
// A line can be followed: what a person asked for has an invocation; the subscription
// it made has an id, which its digests name, and a digest's id is named by its
// deliveries.
var logKeys = map[string]string{
	"invocation":   "what a person asked for: the id that the platform gave it; on every line that it caused",
	"subscription": "id of a subscription: seedcorn subscriptions",
	"digest":       "id of a digest: its page is /digest/ID",
	"delivery":     "id of a message on its way: seedcorn deliveries show ID",
	"job":          "id of a background job: seedcorn jobs",
	"process":      "id of one run of the program, where several serve one database",

	"platform":  "name of a chat platform",
	"workspace": "the platform's id of a workspace",
	"channel":   "the platform's id of a channel",
	"person":    "the platform's id of a person",
	"command":   "what was asked: a name of the table that help prints",
	"param":     "the parameter that was being completed",
	"outcome":   "what became of it",
	"took":      "how long that took",

	"source": "id of a source: seedcorn sources list",

	"sources":               "how many were visited",
	"unchanged":             "how many of them had nothing new",
	"failed":                "how many of them could not be read",
	"items":                 "how many entries they brought",
	"works":                 "how many works that began, or that a digest tells of",
	"changes":               "how many changes of known works, such as of a license",
	"questions":             "how many were asked of services",
	"digests":               "how many were composed",
	"subscriptions":         "how many were due",
	"workspaces":            "how many tokens of workspaces were sealed anew",
	"removed":               "how many rows",
	"shards":                "how many connections to a gateway there are",
	"held":                  "how many of them are this process's",
	"sessions_left":         "how many more may be begun today",
	"subscriptions_resumed": "how many go on",
	"subscriptions_paused":  "how many stopped",
	"subscriptions_kept":    "how many stay as they were",

	"part":       "of a message in several parts, from 0",
	"attempt":    "how often it was tried",
	"state":      "of a delivery, a job or an incident",
	"kind":       "of a job or an incident",
	"words":      "what became of it, for a person",
	"hint":       "what to do about it",
	"now":        "the state that a job has got",
	"by":         "who did it",
	"why":        "because of what",
	"owner_told": "whether the owner of a subscription will read so",
	"since":      "a moment",
	"again_in":   "how long until the next attempt",

	"error":   "the chain of causes",
	"panic":   "what a command panicked with",
	"stack":   "where",
	"refused": "what a platform would not take",
	"shown":   "how it is shown instead",
	"name":    "of a workspace, as people call it",

	"code": "a platform's code for why it closed a connection",
	"type": "of a request of a platform's",

	"version": "of this program",
	"roles":   "what this process does",
	"at":      "where requests are answered: for pages and from platforms, by what the roles allow",
	"path":    "of a request",
	"shard":   "of a connection",
	"resume":  "whether a connection goes on where it was", "resumed": "how often it did",
	"token_deleted": "whether a workspace's token is forgotten",
}

func logsTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Lines of the log go to standard error, as text or, with " + prefix + "LOG_FORMAT=json, as\nJSON. Each has time, level and msg, and of the following names those that apply.\n\n")
	for _, name := range slices.Sorted(maps.Keys(logKeys)) {
		fmt.Fprintf(&b, "  %-22s %s\n", name, logKeys[name])
	}
	return &cobra.Command{Use: "logs", Short: "the names that lines of the log carry", Long: strings.TrimRight(b.String(), "\n")}
}

func newLogger(w io.Writer, cfg config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // checked when the configuration was read
	opt := &slog.HandlerOptions{Level: level, ReplaceAttr: scrubbed}
	if cfg.LogFormat == "json" {
		return slog.New(traced{slog.NewJSONHandler(w, opt)})
	}
	return slog.New(traced{slog.NewTextHandler(w, opt)})
}

// traced adds to each line what its context knows: for whose invocation it is.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if id := bot.InvocationOf(ctx); id != "" {
		named := false
		r.Attrs(func(a slog.Attr) bool { named = a.Key == "invocation"; return !named })
		if !named {
			r = r.Clone()
			r.AddAttrs(slog.String("invocation", id))
		}
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(a []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(a)} }
func (t traced) WithGroup(name string) slog.Handler   { return traced{t.Handler.WithGroup(name)} }

// secrets are what a text may hold that nobody must read in a log. Our own secrets
// have a type that does not print; these come in the words of others: in the address
// of a feed, in an error of a library.
var secrets = []struct {
	find *regexp.Regexp
	keep string
}{
	{regexp.MustCompile(`\b(xox[a-z]|xapp)-[A-Za-z0-9-]+`), "$1-<redacted>"},
	{regexp.MustCompile(`://[^/\s@"]+@`), "://<redacted>@"},
	{regexp.MustCompile(`(?i)([?&][^=&\s"]*(?:key|token|secret|sig|auth|pass|code)[^=&\s"]*=)[^&\s"]+`), "$1<redacted>"},
	{regexp.MustCompile(`(?i)\b(bearer|bot|basic) [A-Za-z0-9._~+/=-]{16,}`), "$1 <redacted>"},
	{regexp.MustCompile(`(hooks\.slack\.com/)[^\s"]+`), "$1<redacted>"},
	{regexp.MustCompile(`(/(?:webhooks|interactions)/[0-9]+/)[A-Za-z0-9._-]+`), "$1<redacted>"},
}

func scrub(s string) string {
	for _, x := range secrets {
		s = x.find.ReplaceAllString(s, x.keep)
	}
	return s
}

// scrubbed takes secrets out of an attribute's text.
func scrubbed(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(scrub(v.String()))
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			a.Value = slog.StringValue(scrub(x.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(scrub(x.String()))
		}
	}
	return a
}
