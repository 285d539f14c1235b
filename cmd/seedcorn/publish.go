package main

import (
	"context"
	"errors"
	"fmt"

	"seedcorn/bot"
	"seedcorn/bot/discord"
	"seedcorn/digest"
	"seedcorn/digest/jobs"
)

// publications ties publishing to the store and the platforms that can.
func (w *world) publications(a *app, platforms places) *jobs.Publications {
	p := &jobs.Publications{
		Board: w.db, Publishers: map[string]jobs.Publisher{}, Now: a.now,
		Note: func(p digest.Publication) {
			w.log.Info("publication", "delivery", p.Delivery, "platform", p.To.Platform, "channel", p.To.Channel, "attempt", p.Attempt, "state", p.State, "words", p.Words)
		},
	}
	for name, platform := range platforms {
		if x, ok := platform.(bot.Publisher); ok {
			p.Publishers[name] = publisher{x}
		}
	}
	if w.cfg.DiscordPublish {
		p.Always = append(p.Always, discord.Name)
	}
	return p
}

// A publisher is a platform as publishing sees it.
type publisher struct{ bot.Publisher }

func (p publisher) Publish(ctx context.Context, to digest.Destination, receipt string) error {
	return failedPost(p.Publisher.Publish(ctx, to, bot.Receipt(receipt)))
}

// failedPost is a platform's error as jobs know it.
func failedPost(err error) error {
	var e *bot.PostError
	if errors.As(err, &e) {
		state := map[bot.Fate]digest.DeliveryState{bot.FateRetry: digest.Pending, bot.FateUnsure: digest.Unsure, bot.FateDead: digest.Dead}[e.Fate]
		return &jobs.PostError{State: state, After: e.After, Scope: e.Scope, Say: e.Say, Err: e.Err}
	}
	return err
}

// publicationWords say what became of publishing a delivery, after what became of the
// delivery itself.
func publicationWords(p digest.Publication) string {
	switch p.State {
	case "":
		return ""
	case digest.PublishWaiting:
		if p.NotBefore.IsZero() {
			return "; to be published"
		}
		return fmt.Sprintf("; to be published after %s (%s)", p.NotBefore.Format("15:04 MST"), p.Words)
	case digest.PublishRefused:
		return "; not published: " + p.Words
	}
	return "; " + string(p.State)
}
