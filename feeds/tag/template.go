package tag

import (
	"strings"

	"seedcorn/feeds/registry"
)

// maxLicenseText is how much of a LICENSE file is read, in bytes. The longest
// license on SPDX's list is below 100 KB.
const maxLicenseText = 256 << 10

// IdentifyText returns the id of the license whose text this is. The comparison is
// word for word, after case, layout, punctuation and copyright lines are folded
// away, against the texts that the registry knows by their hash and, for the short
// licenses in which names stand between the words, against templates. A word more
// or less is another license, and ok is false.
func (t *Tagger) IdentifyText(text string) (id string, ok bool) {
	if len(text) > maxLicenseText {
		return "", false
	}
	if l, known := t.reg.LicenseByText(text); known {
		return l.ID, true
	}
	words := strings.Fields(registry.NormalizeText(text))
	for _, tpl := range templates {
		if matchTemplate(tpl.words, words) {
			return tpl.id, true
		}
	}
	return "", false
}

// A template is a license's words. A word in brackets may be absent; "*" stands
// for up to twelve words that name a holder.
type template struct {
	id    string
	words []string
}

// The texts follow https://spdx.org/licenses/, whose matching guidelines let titles
// and the names of holders vary.
var templates = func() []template {
	mit := `permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files the software
		to deal in the software without restriction including without limitation the rights to use copy modify merge publish distribute sublicense and or
		sell copies of the software and to permit persons to whom the software is furnished to do so subject to the following conditions
		the above copyright notice and this permission notice shall be included in all copies or substantial portions of the software
		the software is provided as is without warranty of any kind express or implied including but not limited to the warranties of merchantability
		fitness for a particular purpose and noninfringement in no event shall the authors or copyright holders be liable for any claim damages or other
		liability whether in an action of contract tort or otherwise arising from out of or in connection with the software or the use or other dealings in
		the software`
	isc := `permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that the above
		copyright notice and this permission notice appear in all copies the software is provided as is and * disclaims all warranties with regard to
		this software including all implied warranties of merchantability and fitness in no event shall * be liable for any special direct indirect or
		consequential damages or any damages whatsoever resulting from loss of use data or profits whether in an action of contract negligence or other
		tortious action arising out of or in connection with the use or performance of this software`
	bsdHead := `redistribution and use in source and binary forms with or without modification are permitted provided that the following conditions are met
		[1] redistributions of source code must retain the above copyright notice this list of conditions and the following disclaimer
		[2] redistributions in binary form must reproduce the above copyright notice this list of conditions and the following disclaimer in the
		documentation and or other materials provided with the distribution`
	bsdThird := ` [3] neither the name of * nor the names of its contributors may be used to endorse or promote products derived from this software without
		specific prior written permission`
	bsdTail := ` this software is provided by the copyright holders and contributors as is and any express or implied warranties including but not limited to
		the implied warranties of merchantability and fitness for a particular purpose are disclaimed in no event shall the copyright [holder] [owner] or
		contributors be liable for any direct indirect incidental special exemplary or consequential damages including but not limited to procurement of
		substitute goods or services loss of use data or profits or business interruption however caused and on any theory of liability whether in contract
		strict liability or tort including negligence or otherwise arising in any way out of the use of this software even if advised of the possibility of
		such damage`
	title := func(words string) string { return words + " " }
	var out []template
	add := func(id, text string) { out = append(out, template{id, strings.Fields(text)}) }
	add("MIT", title("[the] [mit] [license] [mit]")+mit)
	add("ISC", title("[the] [isc] [license] [isc]")+isc)
	add("BSD-2-Clause", title("[the] [bsd] [2] [clause] [simplified] [license]")+bsdHead+bsdTail)
	add("BSD-3-Clause", title("[the] [bsd] [3] [clause] [new] [or] [revised] [license]")+bsdHead+bsdThird+bsdTail)
	return out
}()

// matchTemplate reports whether words are the template's, start to end.
func matchTemplate(tpl, words []string) bool {
	for i, w := range tpl {
		switch {
		case w == "*":
			for n := 1; n <= 12 && n <= len(words); n++ {
				if matchTemplate(tpl[i+1:], words[n:]) {
					return true
				}
			}
			return false
		case w[0] == '[':
			if len(words) > 0 && words[0] == w[1:len(w)-1] {
				words = words[1:]
			}
		case len(words) == 0 || words[0] != w:
			return false
		default:
			words = words[1:]
		}
	}
	return len(words) == 0
}
