package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"seedcorn/bot/message"
)

// A chart can be shown in three ways: by Slack's own block, which a workspace may
// refuse together with the whole message; as a picture, which wants the scope
// files:write; and as bars of text, which always works and is what a message holds.
//
// The other two are kept beside the message, in "charts", from the moment of
// composing: the blocks that would stand in place of the bars, and the numbers that a
// picture is drawn of. [Adapter.Post] tries them in turn. A refusal is certain, so
// nothing is posted twice; what a workspace refuses is remembered. A picture is drawn
// and uploaded when it is needed: the numbers are in the payload, so that a later
// attempt shows the same ones, and a picture in every payload would be forty times
// their size.

// A chartForm is how a chart in a message can be shown otherwise.
type chartForm struct {
	At     int               `json:"at"` // the first of its blocks
	N      int               `json:"n"`  // how many they are
	Native []json.RawMessage `json:"native,omitempty"`
	Data   chartData         `json:"data"`
}

// chartData is a chart as it is kept: a [message.Chart] without what is zero in it.
type chartData message.Chart

// MarshalJSON leaves out what reading it back puts in by itself.
func (c chartData) MarshalJSON() ([]byte, error) {
	raw, err := encode(message.Chart(c))
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return encode(dense(v))
}

// dense is JSON without the fields that are null, false, zero or empty. The elements of
// an array all stay: their places mean something.
func dense(v any) any {
	switch v := v.(type) {
	case []any:
		for i, x := range v {
			v[i] = dense(x)
		}
	case map[string]any:
		for k, x := range v {
			x = dense(x)
			v[k] = x
			switch x := x.(type) {
			case nil:
				delete(v, k)
			case bool:
				if !x {
					delete(v, k)
				}
			case string:
				if x == "" {
					delete(v, k)
				}
			case json.Number:
				if x == "0" {
					delete(v, k)
				}
			case []any:
				if len(x) == 0 {
					delete(v, k)
				}
			case map[string]any:
				if len(x) == 0 {
					delete(v, k)
				}
			}
		}
	}
	return v
}

// What Slack's own chart takes
// (https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block).
const (
	maxChartTitle  = 50
	maxChartLabel  = 20
	maxChartSeries = 6
	maxChartPoints = 20
	maxAlt         = 2000 // https://docs.slack.dev/reference/block-kit/blocks/image-block
)

// native is a chart as Slack's own block, nil if that cannot show it truly: it has no
// stacked areas, no intervals, and no holes where there is no value.
func (r *renderer) native(c message.Chart) any {
	if c.Kind == message.ChartStack || slices.ContainsFunc(c.Bars, func(b message.Bar) bool { return b.Missing || b.Low != nil || b.High != nil }) {
		return nil
	}
	title := clip(tidy(c.Title), maxChartTitle)
	n := len(c.Bars)
	if title == "" || n == 0 || n > maxChartPoints || len(c.Series) == 0 || len(c.Series) > maxChartSeries {
		return nil
	}
	var axis slack.DataVisualizationAxisConfig
	labels := distinct(n, func(i int) string { return c.Bars[i].Label })
	axis.Categories = labels
	var series []slack.DataVisualizationDataSeries
	names := distinct(len(c.Series), func(i int) string { return c.Series[i] })
	for i, name := range names {
		s := slack.DataVisualizationDataSeries{Name: name}
		for j, b := range c.Bars {
			v := 0.0
			if i < len(b.Values) {
				v = b.Values[i]
			}
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil
			}
			s.Data = append(s.Data, slack.DataVisualizationDataPoint{Label: labels[j], Value: math.Round(v*100) / 100})
		}
		series = append(series, s)
	}
	b := slack.DataVisualizationBlock{Type: slack.MBTDataVisualization, BlockID: r.id("b"), Title: title, Chart: slack.NewDataVisualizationBarChart(axis, series...)}
	if c.Kind == message.ChartLines {
		b.Chart = slack.NewDataVisualizationLineChart(axis, series...)
	}
	if b.Validate() != nil {
		return nil
	}
	return b
}

// distinct are names that fit, each different from the others.
func distinct(n int, name func(int) string) []string {
	out, have := make([]string, n), map[string]bool{}
	for i := range n {
		s := clip(either(tidy(name(i)), "–"), maxChartLabel)
		for k := 2; have[s]; k++ {
			tail := fmt.Sprintf(" %d", k)
			s = clip(either(tidy(name(i)), "–"), maxChartLabel-len(tail)) + tail
		}
		out[i], have[s] = s, true
	}
	return out
}

// The ways to show a chart, in the order in which they are tried.
const (
	chartNative  = "native"
	chartPicture = "picture"
	chartText    = "text"
)

// chartWays are what an operator may choose, with the ways that each allows.
var chartWays = map[string][]string{
	"auto":       {chartNative, chartPicture, chartText},
	chartNative:  {chartNative, chartText},
	chartPicture: {chartPicture, chartText},
	chartText:    {chartText},
}

// refusals remember which ways to show a chart a workspace refuses, and which it has
// taken. Its zero value knows nothing.
type refusals struct {
	mu    sync.Mutex
	known map[string]verdict // by workspace and way
}

type verdict struct {
	taken bool
	until time.Time
}

// A workspace may learn to show a chart, so its refusal counts for a day.
const refusalLife = 24 * time.Hour

func (r *refusals) set(workspace, way string, taken bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= memoryMost {
		r.known = map[string]verdict{}
	}
	r.known[workspace+"/"+way] = verdict{taken, now.Add(refusalLife)}
}

// refused reports whether a way was refused, and taken whether it was taken, of late.
func (r *refusals) get(workspace, way string, now time.Time) (refused, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.known[workspace+"/"+way]
	return ok && !v.taken && now.Before(v.until), ok && v.taken
}

// readPayload reads a payload of ours that has charts; ok is false if it has none,
// and is to be sent as it is.
func readPayload(raw []byte) (p payload, ok bool) {
	if !bytes.Contains(raw, []byte(`"charts":[`)) || json.Unmarshal(raw, &p) != nil || len(p.Charts) == 0 {
		return payload{}, false
	}
	return p, true
}

// with is the payload with its charts shown in the given way: instead returns what
// stands in place of a chart's bars, nil to leave them.
func (p payload) with(instead func(chartForm) []json.RawMessage) ([]byte, error) {
	var blocks []json.RawMessage
	at := 0
	for _, c := range p.Charts {
		if c.At < at || c.N < 1 || c.At+c.N > len(p.Blocks) {
			return nil, errors.New("a chart is not where the payload says")
		}
		blocks = append(blocks, p.Blocks[at:c.At]...)
		if other := instead(c); len(other) > 0 {
			blocks = append(blocks, other...)
		} else {
			blocks = append(blocks, p.Blocks[c.At:c.At+c.N]...)
		}
		at = c.At + c.N
	}
	p.Blocks, p.Charts = append(blocks, p.Blocks[at:]...), nil
	return encode(p)
}

func asText(chartForm) []json.RawMessage     { return nil }
func asNative(c chartForm) []json.RawMessage { return c.Native }

// safe is a payload as it can be sent where a refusal would go unnoticed or come too
// late: with Slack's own charts only in a workspace that has taken one.
func (a *Adapter) safe(workspace string, raw []byte) []byte {
	p, ok := readPayload(raw)
	if !ok {
		return raw
	}
	way := asText
	if _, taken := a.charts.get(workspace, chartNative, time.Now()); taken && a.opt.Charts != chartText && a.opt.Charts != chartPicture {
		way = asNative
	}
	out, err := p.with(way)
	if err != nil {
		return raw
	}
	return out
}

// refusesBlocks are the answers that say that a block was not taken, and nothing
// posted.
var refusesBlocks = map[string]bool{"invalid_blocks": true, "invalid_blocks_format": true, "invalid_arguments": true, "msg_blocks_too_long": true}

// inTurn sends a payload, its charts shown in the best way that the workspace takes.
// send makes one call; its error is a *callError.
func (a *Adapter) inTurn(ctx context.Context, token, workspace string, raw []byte, send func(payload []byte) error) error {
	p, ok := readPayload(raw)
	if !ok {
		return send(raw)
	}
	var refused []string
	for _, way := range chartWays[a.opt.Charts] {
		if no, _ := a.charts.get(workspace, way, time.Now()); no {
			continue
		}
		var body []byte
		var err error
		switch way {
		case chartNative:
			body, err = p.with(asNative)
		case chartPicture:
			pictures, perr := a.pictures(ctx, token, p)
			if perr != nil || len(pictures) == 0 {
				if code(perr) == "missing_scope" {
					a.charts.set(workspace, way, false, time.Now())
				} else if perr != nil {
					a.log.Warn("uploading a chart", "platform", Name, "workspace", workspace, "error", perr)
				}
				continue
			}
			body, err = p.with(func(c chartForm) []json.RawMessage { return pictures[c.At] })
		default:
			body, err = p.with(asText)
		}
		if err != nil {
			return &callError{Method: "chat.postMessage", Err: err}
		}
		err = send(body)
		if way == chartPicture {
			// A file that was just uploaded may not be ready to be shown.
			for wait := 500 * time.Millisecond; refusesBlocks[code(err)] && wait <= 4*time.Second && sleep(ctx, wait); wait *= 2 {
				err = send(body)
			}
		}
		if refusesBlocks[code(err)] && way != chartText {
			refused = append(refused, way)
			continue
		}
		if err == nil {
			if way != chartText {
				a.charts.set(workspace, way, true, time.Now())
			}
			// Only now is it known that the charts were at fault.
			for _, no := range refused {
				a.charts.set(workspace, no, false, time.Now())
				a.log.Info("charts are shown otherwise", "platform", Name, "workspace", workspace, "refused", no, "shown", way)
			}
		}
		return err
	}
	return &callError{Method: "chat.postMessage", Err: errors.New("there is no way to show a chart")}
}

// sleep waits, and reports whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

type imageBlock struct {
	Type    string  `json:"type"`
	BlockID string  `json:"block_id,omitempty"`
	Title   *plain  `json:"title,omitempty"`
	Alt     string  `json:"alt_text"`
	File    fileRef `json:"slack_file"`
}

type fileRef struct {
	ID string `json:"id"`
}

// picture is the block that shows an uploaded file in place of a chart.
func picture(c message.Chart, id string) (json.RawMessage, error) {
	b := imageBlock{Type: "image", Alt: clip(either(tidy(c.Alt), either(tidy(c.Title), "a chart")), maxAlt), File: fileRef{id}}
	if t := tidy(c.Title); t != "" {
		b.Title = words(t, maxAlt)
	}
	return encode(b)
}

// pictures draws and uploads the charts of a payload, and returns the blocks that
// show them, by the place of each. There are none where nobody can draw.
func (a *Adapter) pictures(ctx context.Context, token string, p payload) (map[int][]json.RawMessage, error) {
	if a.draw == nil {
		return nil, nil
	}
	out := map[int][]json.RawMessage{}
	for i, c := range p.Charts {
		png, err := a.draw(message.Chart(c.Data))
		if err != nil {
			return nil, fmt.Errorf("drawing a chart: %w", err)
		}
		id, err := a.upload(ctx, token, fmt.Sprintf("chart-%d.png", i+1), tidy(c.Data.Title), clip(tidy(c.Data.Alt), 1000), png)
		if err != nil {
			return nil, err
		}
		block, err := picture(message.Chart(c.Data), id)
		if err != nil {
			return nil, err
		}
		out[c.At] = []json.RawMessage{block}
	}
	return out, nil
}

// upload gives Slack a file that belongs to no channel yet, and returns its id
// (https://docs.slack.dev/messaging/working-with-files#upload). Nobody sees it but in
// the message that shows it.
func (a *Adapter) upload(ctx context.Context, token, name, title, alt string, content []byte) (string, error) {
	var where struct {
		URL string `json:"upload_url"`
		ID  string `json:"file_id"`
	}
	args := url.Values{"filename": {name}, "length": {fmt.Sprint(len(content))}}
	if alt != "" {
		args.Set("alt_txt", alt)
	}
	if _, err := a.api.call(ctx, token, "files.getUploadURLExternal", args, &where); err != nil {
		return "", err
	}
	if where.ID == "" || !a.api.uploadable(where.URL) {
		return "", errors.New("calling files.getUploadURLExternal: no address of Slack's in the answer")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where.URL, bytes.NewReader(content))
	if err != nil {
		return "", errors.New("uploading: making the request")
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := a.api.http.Do(req)
	if err != nil {
		return "", fmt.Errorf("uploading: %w", bare(err))
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)); err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("uploading: HTTP status %d", resp.StatusCode)
	}
	type file struct {
		ID    string `json:"id"`
		Title string `json:"title,omitempty"`
	}
	_, err = a.api.call(ctx, token, "files.completeUploadExternal", map[string]any{"files": []file{{where.ID, clip(title, 250)}}}, nil)
	return where.ID, err
}

// uploadable reports whether an address to upload to is one of Slack's.
func (c *api) uploadable(address string) bool {
	return c.slacks(address, "files.slack.com", "files.slack-gov.com")
}

// chartCost is how much more a chart may cost in a message than its bars do.
func chartCost(bars []piece, native []json.RawMessage, c message.Chart) int {
	text, other := 0, 0
	for _, p := range bars {
		text += p.cost + 1
	}
	for _, b := range native {
		other += cost(b) + 1
	}
	image := 200 + min(jsonLen(tidy(c.Alt)), 4*maxAlt) + jsonLen(tidy(c.Title))
	return max(0, max(other, image)-text)
}

// labelWidth is how wide names may be beside bars of text.
func labelWidth(c message.Chart) int {
	wide := 0
	for _, b := range c.Bars {
		wide = max(wide, utf8.RuneCountInString(tidy(b.Label)))
	}
	return min(wide, 24)
}
