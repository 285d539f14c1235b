package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"seedcorn/bot"
)

// helloWithin is how long a new connection may stay silent: Slack says hello at
// once. slack-go itself watches the pings from then on.
const helloWithin = 30 * time.Second

// maxUnder is how many requests are under way at once before the next one waits.
const maxUnder = 512

// Run implements [bot.Platform]. With an app token it is the way in over Socket
// Mode (https://docs.slack.dev/apis/events-api/using-socket-mode), which needs no
// public address; it connects again as often as the connection is lost and returns
// an error only if Slack does not accept the token. Without one the way in is
// [Adapter.Handler], and Run waits for ctx to end. Answers under way get ten
// seconds at the end.
func (a *Adapter) Run(ctx context.Context, h bot.Handler) error {
	var err error
	if a.opt.AppToken == "" {
		<-ctx.Done()
	} else {
		err = a.listen(ctx, h)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if a.Wait(end) != nil {
		a.log.Warn("stopping with answers under way", "platform", Name)
	}
	return err
}

// listen keeps one connection after another open.
func (a *Adapter) listen(ctx context.Context, h bot.Handler) error {
	wait := time.Second
	for {
		began := time.Now()
		err := a.connect(ctx, h)
		switch {
		case ctx.Err() != nil:
			return nil
		case refused(err):
			return fmt.Errorf("slack: opening a socket: %w", err)
		}
		if time.Since(began) > time.Minute {
			wait = time.Second
		}
		a.log.Warn("connecting again", "platform", Name, "again_in", wait, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		wait = min(2*wait, time.Minute)
	}
}

// refused reports whether Slack will not accept the token however often we ask.
func refused(err error) bool {
	if err == nil {
		return false
	}
	switch err.Error() {
	case "invalid_auth", "account_inactive", "not_authed", "token_revoked", "token_expired", "not_allowed_token_type", "missing_scope":
		return true
	}
	var status slack.StatusCodeError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

var errSilent = errors.New("connected, and no hello")

// connect runs one client of slack-go until it gives up, or we give it up.
func (a *Adapter) connect(ctx context.Context, h bot.Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	web := slack.New("", slack.OptionAppLevelToken(string(a.opt.AppToken)), slack.OptionAPIURL(a.api.base),
		slack.OptionHTTPClient(a.api.http), slack.OptionLog(log.New(io.Discard, "", 0)))
	client := socketmode.New(web, socketmode.OptionReadLimit(maxAnswer), socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()

	watch := time.NewTimer(a.helloWithin)
	watch.Stop()
	defer watch.Stop()
	under := make(chan struct{}, maxUnder)
	for {
		select {
		case err := <-ended:
			if cause := context.Cause(ctx); cause != nil && errors.Is(cause, errSilent) {
				return cause
			}
			return err
		case <-watch.C:
			cancel(errSilent)
		case ev := <-client.Events:
			switch ev.Type {
			case socketmode.EventTypeConnected:
				watch.Reset(a.helloWithin)
			case socketmode.EventTypeHello:
				watch.Stop()
				a.log.Info("connected", "platform", Name)
			case socketmode.EventTypeConnectionError:
				if e, ok := ev.Data.(*slack.ConnectionErrorEvent); ok && ctx.Err() == nil {
					if refused(e.ErrorObj) {
						cancel(nil)
						<-ended
						return e.ErrorObj
					}
					a.log.Warn("connecting", "platform", Name, "again_in", e.Backoff, "error", bare(e.ErrorObj))
				}
			case socketmode.EventTypeErrorWriteFailed:
				// Slack will send the request again; it is acknowledged as it was.
				a.log.Warn("acknowledging", "platform", Name, "error", "the connection was lost")
			default:
				if env, ok := envelopeOf(ev); ok {
					under <- struct{}{}
					go func() {
						defer func() { <-under }()
						a.receive(ctx, client, h, env)
					}()
				}
			}
		}
	}
}

// An envelope is one request of Socket Mode.
type envelope struct {
	ID      string          `json:"envelope_id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// envelopeOf is the envelope of an event of slack-go, read by ourselves: what
// slack-go does not know it never acknowledges, and Slack sends it again and again.
func envelopeOf(ev socketmode.Event) (envelope, bool) {
	var env envelope
	switch {
	case ev.Request != nil:
		env = envelope{ev.Request.EnvelopeID, ev.Request.Type, ev.Request.Payload}
	case ev.Type == socketmode.EventTypeErrorBadMessage:
		bad, ok := ev.Data.(*socketmode.ErrorBadMessage)
		if !ok || json.Unmarshal(bad.Message, &env) != nil {
			return envelope{}, false
		}
	}
	return env, env.ID != ""
}

// receive takes one envelope and acknowledges it.
func (a *Adapter) receive(ctx context.Context, client *socketmode.Client, h bot.Handler, env envelope) {
	ack, err := a.take(ctx, h, env.Type, env.ID, env.Payload)
	if err != nil {
		a.log.Warn("reading a request", "platform", Name, "type", clip(tidy(env.Type), 40), "error", err)
	}
	var body any
	if ack != nil {
		body = json.RawMessage(ack)
	}
	if err := client.AckCtx(ctx, env.ID, body); err != nil && ctx.Err() == nil {
		a.log.Warn("acknowledging", "platform", Name, "error", err)
		// Without any acknowledgment Slack would tell the person that we are gone.
		if err := client.AckCtx(ctx, env.ID, nil); err != nil {
			a.log.Warn("acknowledging", "platform", Name, "error", err)
		}
	}
}
