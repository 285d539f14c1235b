package discord

import (
	"embed"
	"maps"
	"path"
	"slices"
	"strings"
)

// A language is a file named by its locale: in each line an English text of the table
// of commands, a tab, and the translation. Another file is another language; a text
// that a file leaves out stays English.
//
//go:embed locales/*.tsv
var localeFiles embed.FS

// locales are those that Discord's clients know.
// https://discord.com/developers/docs/reference#locales
var locales = []string{
	"id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR", "ro",
	"fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko",
}

// Translations are the names and descriptions of commands in other languages: by
// locale, then by the English text.
func Translations() map[string]map[string]string {
	out := map[string]map[string]string{}
	files, err := localeFiles.ReadDir("locales")
	if err != nil {
		return out // there are none
	}
	for _, f := range files {
		b, err := localeFiles.ReadFile(path.Join("locales", f.Name()))
		if err != nil {
			continue
		}
		texts := map[string]string{}
		for line := range strings.Lines(string(b)) {
			if english, other, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "\t"); ok {
				texts[english] = other
			}
		}
		out[strings.TrimSuffix(f.Name(), ".tsv")] = texts
	}
	return out
}

// apart reports what is wrong with the names of options that stand beside each other:
// in no language may two of them be the same, or Discord refuses all.
func (b *builder) apart(of string, options []parameter) {
	for _, locale := range slices.Concat([]string{""}, slices.Sorted(maps.Keys(b.translations))) {
		seen := map[string]string{}
		for _, o := range options {
			name := o.Name
			if t := o.Names[locale]; t != "" {
				name = t
			}
			if before, ok := seen[name]; ok {
				b.fail("in %s, %s and %s are both called %q in locale %q", of, before, o.Name, name, locale)
			}
			seen[name] = o.Name
		}
	}
}
