package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"seedcorn/bot/message"
	"seedcorn/digest"
	"seedcorn/feeds"
	"seedcorn/feeds/registry"
)

func runCorrect(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	w, err := oneWork(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	field, because := inv.Args["field"], strings.TrimSpace(inv.Args["because"])
	if field == "" || because == "" {
		return Reply{
			Document: commandHelp("correct"),
			Form: &Form{Title: "Fix a tag", Submit: "Fix it", Command: "correct", Fields: []FormField{
				{Param: "work", Label: "Work", Value: string(w.ID), Fixed: true, Required: true},
				{Param: "field", Label: "What is wrong?", Choices: digest.CorrectionFields, Value: field, Required: true},
				{Param: "value", Label: "What is right?", Hint: "a country, lab, license or class; empty takes an earlier correction back", Value: inv.Args["value"]},
				{Param: "because", Label: "How do you know?", Hint: "a link or a sentence", Value: because, Required: true},
			}},
		}, nil
	}
	value, err := CorrectedValue(field, inv.Args["value"])
	if err != nil {
		return Reply{}, err
	}
	by := cmp.Or(inv.Asker.Name, inv.Asker.ID)
	standing, holds, err := editor(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	if !standing || !holds {
		return propose(ctx, d, inv, w, digest.Proposal{
			Work: w.ID, Field: field, Value: value, Because: because, By: by, Person: inv.Asker.ID, Place: inv.Place.Destination(), At: d.Now().UTC(),
		}, standing)
	}
	c := digest.Correction{Work: w.ID, Field: field, Value: value, Because: because, By: by, At: d.Now().UTC()}
	now, err := d.Correct(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	return corrected(ctx, d, CorrectionWords(c), now)
}

// CorrectedValue checks a correction's value and gives it its canonical form: codes
// of countries, ids of labs and licenses, names of classes; "" takes earlier
// corrections back.
func CorrectedValue(field, value string) (string, error) {
	if !slices.Contains(digest.CorrectionFields, field) {
		return "", wrongValue("field", "one of "+strings.Join(digest.CorrectionFields, ", "), nil, "There is no tag %q", clip(field, 20))
	}
	if strings.TrimSpace(value) == "" {
		return "", nil
	}
	reg := registry.Default()
	var out []string
	for v := range strings.SplitSeq(value, ",") {
		v = strings.TrimSpace(v)
		switch field {
		case "country":
			c, ok := reg.ParseCountry(v)
			if !ok {
				return "", wrongValue("value", "an ISO 3166-1 code such as FR, or an English name", nearCountries(v), "There is no country %q", clip(v, 40))
			}
			v = string(c)
		case "lab":
			l, ok := reg.Lab(feeds.LabID(v))
			if found := reg.Find(v); !ok && len(found) == 1 {
				l, ok = found[0], true
			}
			if !ok {
				return "", wrongValue("value", "lab NAME shows the ids", nearLabs(v), "There is no lab %q", clip(v, 40))
			}
			v = string(l.ID)
		case "license":
			l, ok := reg.License(v)
			if !ok {
				return "", wrongValue("value", "license NAME shows them", nearLicenses(v), "There is no license %q", clip(v, 40))
			}
			v = l.ID
		case "openness":
			o, err := feeds.ParseOpenness(v)
			if err != nil {
				return "", wrongValue("value", "open-source, open-weights, restricted, closed or unknown", nil, "There is no class %q", clip(v, 20))
			}
			v = o.String()
		}
		out = append(out, v)
	}
	if len(out) > 1 && (field == "license" || field == "openness") {
		return "", wrongValue("value", "give one", nil, "A work has one %s", field)
	}
	return strings.Join(out, ","), nil
}

// wrongValue is a problem with one answer of a form, with what was perhaps meant.
func wrongValue(param, hint string, near []string, format string, args ...any) error {
	if len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return &Problem{Param: param, Hint: hint, Say: fmt.Sprintf(format, args...)}
}

// editor reports whether who asks is an editor here, and whether an editor's word
// said here holds for everybody.
func editor(ctx context.Context, d Desk, inv Invocation) (standing, holds bool, err error) {
	s, err := d.Settings(ctx, inv.Place)
	if err != nil {
		return false, false, err
	}
	standing = manages(inv.Asker, s) || listed(inv.Asker, s.Editors)
	holds, err = d.Holds(ctx, inv.Place, inv.Asker.ID)
	return standing, holds, err
}

// propose queues a correction and says so, to the channel: that is where its editors
// are.
func propose(ctx context.Context, d Desk, inv Invocation, w digest.Work, p digest.Proposal, standing bool) (Reply, error) {
	p, err := d.Propose(ctx, p)
	if errors.Is(err, digest.ErrTooMany) {
		return Reply{}, problemf("corrections shows them; an editor decides", "Many of your corrections wait already")
	}
	if err != nil {
		return Reply{}, err
	}
	p.Title = w.Title
	say := fmt.Sprintf("Thank you. It waits for an editor as number %d; until then nothing changes.", p.ID)
	if standing {
		say = fmt.Sprintf("It waits as number %d: tags are shared by several workspaces here, and whoever runs Seedcorn says whose editors speak for all.", p.ID)
	}
	doc := message.Document{Summary: ProposalWords(p), Blocks: []message.Block{
		message.Paragraph{Text: message.Plain(sentenceCase(ProposalWords(p)) + ".")},
		message.SmallPrint{Items: []message.Line{message.Plain(say)}},
		decisions(p),
	}}
	return Reply{Document: doc, Public: !inv.Place.Direct}, nil
}

// corrected tells everybody what holds now, on whose word, and why.
func corrected(ctx context.Context, d Desk, say string, w digest.Work) (Reply, error) {
	doc := WorkCard(w)
	doc.Summary = sentenceCase(say)
	doc.Blocks = slices.Insert(doc.Blocks, 0, message.Block(message.Paragraph{Text: message.Plain(sentenceCase(say) + ".")}))
	doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("Digests of the last weeks that told about it are edited and say so. why " + string(w.ID) + " shows every correction; an empty value takes one back.")}})
	return Reply{Document: doc, Public: true}, nil
}

// decisions are the buttons on a proposal.
func decisions(p digest.Proposal) message.Actions {
	id := strconv.FormatInt(p.ID, 10)
	return message.Actions{Items: []message.Action{
		{Label: "Accept", Command: "corrections " + id + " decision:accept"},
		{Label: "Decline", Command: "corrections " + id + " decision:decline", Danger: true},
		{Label: "Why is it tagged so?", Command: "why " + string(p.Work)},
	}}
}

// maxProposals is how many the list shows.
const maxProposals = 10

// mine keeps the proposals that somebody in a place is shown: all where an editor's
// word holds for everybody, else those that were made in the same workspace.
func mine(all []digest.Proposal, in Place, holds bool) []digest.Proposal {
	return slices.DeleteFunc(all, func(p digest.Proposal) bool {
		return !holds && (p.Place.Platform != in.Platform || p.Place.Workspace != in.Workspace || in.Workspace == "" && p.Place.Channel != in.Channel)
	})
}

func runCorrections(ctx context.Context, d Desk, inv Invocation) (Reply, error) {
	standing, holds, err := editor(ctx, d, inv)
	if err != nil {
		return Reply{}, err
	}
	if strings.TrimSpace(inv.Args["proposal"]) != "" {
		return decide(ctx, d, inv, standing, holds)
	}
	open, err := d.Proposals(ctx, "")
	if err != nil {
		return Reply{}, err
	}
	open = mine(open, inv.Place, holds)
	doc := message.Document{Summary: Count(len(open), "correction") + " waiting", Blocks: []message.Block{heading("Corrections that wait", Count(len(open), "proposal"))}}
	if len(open) == 0 {
		doc.Blocks = append(doc.Blocks, message.Paragraph{Text: message.Plain("None. Fix a tag on a work makes one.")})
		return Reply{Document: doc}, nil
	}
	for _, p := range open[:min(len(open), maxProposals)] {
		doc.Blocks = append(doc.Blocks, proposal(p))
		if standing {
			doc.Blocks = append(doc.Blocks, decisions(p))
		}
	}
	var small []message.Line
	if n := len(open) - maxProposals; n > 0 {
		small = append(small, message.Plain(fmt.Sprintf("And %d more, after these.", n)))
	}
	switch {
	case !standing:
		small = append(small, message.Plain("Editors decide: those whom settings names, and those who manage the channel."))
	case !holds:
		small = append(small, message.Plain("Tags are shared by several workspaces here: you can decline what was proposed in yours; whoever runs Seedcorn accepts, or says whose editors may."))
	}
	if len(small) > 0 {
		doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: small})
	}
	return Reply{Document: doc}, nil
}

// decide closes a proposal with an editor's word.
func decide(ctx context.Context, d Desk, inv Invocation, standing, holds bool) (Reply, error) {
	text := strings.TrimPrefix(strings.TrimSpace(inv.Args["proposal"]), "#")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return Reply{}, problemf("corrections shows the numbers", "%q is no number of a proposal", clip(text, 20))
	}
	p, ok, err := d.Proposal(ctx, id)
	if err != nil {
		return Reply{}, err
	}
	if !ok || len(mine([]digest.Proposal{p}, inv.Place, holds)) == 0 {
		return Reply{}, problemf("corrections shows the numbers", "There is no proposal %d here", id)
	}
	decision, because := inv.Args["decision"], strings.TrimSpace(inv.Args["because"])
	switch {
	case decision == "":
		doc := message.Document{Summary: ProposalWords(p), Blocks: []message.Block{proposal(p)}}
		if standing && p.State == digest.ProposalOpen {
			doc.Blocks = append(doc.Blocks, decisions(p))
		}
		return Reply{Document: doc}, nil
	case decision != "accept" && decision != "decline":
		return Reply{}, problemf("accept or decline", "There is no decision %q", clip(decision, 20))
	case p.State != digest.ProposalOpen:
		return Reply{}, decidedBefore(p)
	case !standing:
		return Reply{}, problemf("ask an editor (settings names them), or someone who manages this channel", "Only editors decide about corrections")
	case decision == "accept" && !holds:
		return Reply{}, problemf("whoever runs Seedcorn accepts it, or says whose editors may", "Tags are shared by several workspaces here, so the editors of this one cannot accept")
	case decision == "decline" && because == "":
		return Reply{
			Document: commandHelp("corrections"),
			Form: &Form{Title: "Decline", Submit: "Decline", Command: "corrections", Fields: []FormField{
				{Param: "proposal", Label: "Proposal", Value: strconv.FormatInt(p.ID, 10), Fixed: true, Required: true},
				{Param: "decision", Label: "Decision", Choices: []string{"accept", "decline"}, Value: "decline", Fixed: true, Required: true},
				{Param: "because", Label: "Why not?", Hint: clip(ProposalWords(p), 90), Required: true},
			}},
		}, nil
	}
	by := cmp.Or(inv.Asker.Name, inv.Asker.ID)
	title := p.Title
	p, err = d.Decide(ctx, id, decision == "accept", by, because)
	if errors.Is(err, digest.ErrDecided) {
		return Reply{}, decidedBefore(p)
	}
	if err != nil {
		return Reply{}, err
	}
	p.Title = title
	reply := Reply{Document: Decided(p), Public: true, Replace: true}
	if p.State == digest.ProposalAccepted {
		works, err := d.FindWorks(ctx, string(p.Work))
		if err == nil && len(works) == 1 {
			reply, err = corrected(ctx, d, Decided(p).Summary, works[0])
		}
		if err != nil {
			return Reply{}, err
		}
		reply.Replace = true
	}
	return reply, nil
}

func decidedBefore(p digest.Proposal) error {
	return problemf("why "+string(p.Work)+" shows what holds", "%s %s it on %s", cmp.Or(p.DecidedBy, "Somebody"), p.State, day(p.DecidedAt))
}

// proposal words one that waits, or waited.
func proposal(p digest.Proposal) message.Block {
	value := message.Line{{Text: ProposalWords(p)}}
	if p.State != digest.ProposalOpen {
		value = append(value, message.Span{Text: fmt.Sprintf(" · %s by %s on %s", p.State, p.DecidedBy, day(p.DecidedAt)), Bold: true})
	} else {
		value = append(value, message.Span{Text: " · since " + day(p.At), Quiet: true})
	}
	return message.Fields{Items: []message.Field{{Name: "#" + strconv.FormatInt(p.ID, 10), Value: value}}}
}

// ProposalWords say what a proposal wants: "Ben proposes for “Gemma 3”: country United
// States, because …".
func ProposalWords(p digest.Proposal) string {
	out := cmp.Or(p.By, "Somebody") + " proposes"
	if p.Title != "" {
		out += " for “" + clip(p.Title, 70) + "”"
	}
	if p.Value == "" {
		return fmt.Sprintf("%s to take the correction of its %s back, because %s", out, p.Field, clip(p.Because, 300))
	}
	return fmt.Sprintf("%s: %s %s, because %s", out, p.Field, valueWords(p.Field, p.Value), clip(p.Because, 300))
}

// Waiting tells an editor that a proposal waits.
func Waiting(p digest.Proposal) message.Document {
	say := sentenceCase(ProposalWords(p))
	return message.Document{Summary: say, Blocks: []message.Block{
		message.Paragraph{Text: message.Plain(say + ".")},
		decisions(p),
		message.SmallPrint{Items: []message.Line{message.Plain("You are told because you are an editor. corrections lists all that wait.")}},
	}}
}

// Decided tells what became of a proposal.
func Decided(p digest.Proposal) message.Document {
	what := fmt.Sprintf("%s %s", p.Field, valueWords(p.Field, p.Value))
	if p.Value == "" {
		what = "to take the correction of its " + p.Field + " back"
	}
	say := fmt.Sprintf("%s accepted what %s proposed: %s", cmp.Or(p.DecidedBy, "An editor"), cmp.Or(p.By, "somebody"), what)
	tail := ", because " + clip(p.Because, 300)
	if p.State == digest.ProposalDeclined {
		say = fmt.Sprintf("%s declined what %s proposed: %s", cmp.Or(p.DecidedBy, "An editor"), cmp.Or(p.By, "somebody"), what)
		tail = ", because " + cmp.Or(clip(p.Why, 300), "no reason was given")
	}
	say += tail
	doc := message.Document{Summary: say, Blocks: []message.Block{message.Paragraph{Text: message.Plain(say + ".")}}}
	if p.Title != "" {
		doc.Blocks = append(doc.Blocks, message.SmallPrint{Items: []message.Line{message.Plain("About “" + clip(p.Title, 100) + "”.")}})
	}
	doc.Blocks = append(doc.Blocks, message.Actions{Items: []message.Action{{Label: "Why is it tagged so?", Command: "why " + string(p.Work)}}})
	return doc
}

// aboutCorrections are the corrections of a work that hold, if asked for, and, for
// editors, what is proposed about it.
func aboutCorrections(ctx context.Context, d Desk, inv Invocation, w digest.Work, holding bool) ([]message.Block, error) {
	var out []message.Block
	if holding && w.Corrected {
		all, err := d.Corrections(ctx, w.ID)
		if err != nil {
			return nil, err
		}
		var small message.SmallPrint
		for i, c := range all {
			if c.Value != "" && !slices.ContainsFunc(all[i+1:], func(x digest.Correction) bool { return x.Field == c.Field }) {
				small.Items = append(small.Items, message.Plain(day(c.At)+": "+CorrectionWords(c)+"."))
			}
		}
		if len(small.Items) > 0 {
			out = append(out, small)
		}
	}
	open, err := d.Proposals(ctx, w.ID)
	if err != nil || len(open) == 0 {
		return out, err
	}
	standing, holds, err := editor(ctx, d, inv)
	if err != nil || !standing {
		return out, err
	}
	open = mine(open, inv.Place, holds)
	if len(open) > 0 {
		out = append(out, message.Heading{Level: 2, Text: "Proposed, for an editor to decide"})
	}
	for _, p := range open[:min(len(open), maxProposals)] {
		p.Title = "" // it stands above
		out = append(out, proposal(p), decisions(p))
	}
	return out, nil
}

// CorrectionWords say who corrected what, and why: "Ada set country to France because …".
func CorrectionWords(c digest.Correction) string {
	by := cmp.Or(c.By, "somebody")
	if c.Value == "" {
		return fmt.Sprintf("%s took the correction of %s back because %s", by, c.Field, cmp.Or(c.Because, "no reason was given"))
	}
	return fmt.Sprintf("%s set %s to %s because %s", by, c.Field, valueWords(c.Field, c.Value), cmp.Or(c.Because, "no reason was given"))
}

// valueWords are a correction's value as people call it.
func valueWords(field, value string) string {
	reg := registry.Default()
	var out []string
	for v := range strings.SplitSeq(value, ",") {
		switch field {
		case "country":
			v = reg.CountryName(feeds.Country(v))
		case "lab":
			if l, ok := reg.Lab(feeds.LabID(v)); ok {
				v = l.Name
			}
		case "license":
			v = LicenseName(v)
		case "openness":
			v = strings.ReplaceAll(v, "-", " ")
		}
		out = append(out, v)
	}
	return strings.Join(out, ", ")
}

// ErratumWords say below a story what was found out since its digest was posted.
func ErratumWords(e digest.Erratum) string {
	if e.Kind == digest.EventRelicensed {
		return fmt.Sprintf("since this was posted: %s relicensed on %s, %s → %s", cmp.Or(e.What, "it was"), day(e.At), termsWords(e.From), termsWords(e.To))
	}
	why := ""
	if e.Because != "" {
		why = " because " + clip(e.Because, 200)
	}
	by := ""
	if e.By != "" {
		by = " by " + e.By
	}
	if e.To == "" {
		return fmt.Sprintf("correction of the %s taken back on %s%s%s", e.What, day(e.At), by, why)
	}
	return fmt.Sprintf("corrected on %s%s: %s is %s%s", day(e.At), by, e.What, valueWords(e.What, e.To), why)
}

// MovedUp is what a message of an amended digest says that has nothing left to say.
func MovedUp() message.Document {
	const say = "Nothing more here: with its corrections, this digest fits into what stands above."
	return message.Document{Summary: say, Blocks: []message.Block{message.SmallPrint{Items: []message.Line{message.Plain(say)}}}}
}
