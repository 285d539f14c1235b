package discord

import (
	"fmt"
	"strings"

	"seedcorn/bot/chart"
	"seedcorn/bot/message"
)

// attached begins the URL of a file that comes with the message.
const attached = "attachment://"

// maxAlt is the longest description of a picture.
// https://discord.com/developers/docs/components/reference#media-gallery-media-gallery-item-structure
const maxAlt = 1024

// picture adds a chart as a gallery of one PNG; false if it must be told as text.
func (r *renderer) picture(c message.Chart) bool {
	if len(c.Bars) == 0 {
		return false
	}
	b, err := chart.PNG(c, chart.Options{})
	if err != nil {
		return false // it is told as text, which says the same
	}
	if r.files == nil {
		r.files = map[string][]byte{}
	}
	name := fmt.Sprintf("chart-%d.png", len(r.files)+1)
	r.files[name] = b
	p := picture{Description: cut(strings.TrimSpace(oneLine(c.Alt)), maxAlt)}
	p.Media.URL = attached + name
	r.units = append(r.units, unit{parts: []component{{Type: typeGallery, Items: []picture{p}}}})
	return true
}
