// Package discord is Seedcorn at home on Discord.
//
// What comes in: what people type, press and fill in, over the gateway
// ([Adapter.Run]) or over HTTP ([Adapter.Handler]). Both hand the same raw JSON to
// one decoder, which makes a bot.Invocation of it; the reply goes back inside of
// Discord's deadlines, however slow the handler is.
//
//	gateway ──raw──┐                              ┌─ fast: the answer itself
//	               ├─► decode ─► bot.Handler ─────┤
//	HTTP ──verify──┘                              └─ slow: deferred, then an edit and follow-ups
//
// The gateway is connected to in shards, as many as it recommends, which the processes of
// one bot share among them ([Roster]). What comes over HTTP any of them may take.
//
// What goes out: message.Documents, rendered to the final bytes of messages
// ([Adapter.Render]), then posted so that each is said once ([Adapter.Post],
// [Adapter.Find]).
//
//	Document ─► units ─► messages within every limit ─► {components, allowed_mentions}
//	                                     Post: + nonce, enforce_nonce, marks ─► RequestWithBucketID
//
// # Components V2, not embeds
//
// A digest is a list of works, and what one does with a work (why?) belongs beside
// that work. With embeds all buttons of a message stand below its last embed, ten
// times "Why?" and no telling which is whose; a section of Components V2 has its
// button at its side, on a desktop and on a phone; what else can be done with the works
// of a message is in a menu below them. Containers keep the color bar
// that embeds are liked for (here: openness), text runs over the full width of a
// phone instead of an embed's narrow column, and a screen reader meets text and
// button in the order in which they are meant. What is lost, content as the line of
// a notification, is made up for by the heading, which is the first text of a
// digest and thus the line that a notification shows.
//
// A chart of a digest is a PNG with a description: colors and lengths are seen at a
// glance, which five shades of a text's gray are not, and what it says stands below in
// words, for those who do not see it. Where the permission to attach files is missing,
// the words go out alone. In answers, and without [Options.Pictures], a chart is bars of
// text.
//
// # Said once
//
// Each post carries a nonce made of the delivery id with enforce_nonce, so that
// Discord answers a repetition within some minutes with the first message. Later
// than that the channel is read. A message that is read back is not promised to
// carry its nonce, so the delivery is written into the message a second time: the
// numeric ids of its first components, which are ours to choose and which nobody
// sees, are a hash of it ([marks]).
//
// # discordgo
//
// The library's request functions are used with its retries off, and with a
// transport of our own below them: it strips the rate limit headers, so that
// discordgo never sleeps where no context can wake it, and keeps what was answered,
// so that a 429 in HTML is a 429. Waiting is done by [limiter], giving up by
// [breaker]. Its endpoint variables are left alone: whole URLs are passed to it, and
// the one that it makes itself (the gateway's) is answered by the transport.
package discord

import (
	"cmp"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"seedcorn/bot"
)

// Name is the platform's name in destinations.
const Name = "discord"

// apiVersion is spoken with everybody: REST, gateway and interactions.
// https://discord.com/developers/docs/reference#api-versioning
const apiVersion = "10"

// DefaultBase is where Discord's API is.
const DefaultBase = "https://discord.com/api/v" + apiVersion

// The library's version of the gateway is a variable that it reads when it
// connects. It is set once, before anything runs.
func init() { discordgo.APIVersion = apiVersion }

// A Secret is a token. It prints as <redacted> in every format.
type Secret string

const redacted = "<redacted>"

// String returns <redacted>.
func (Secret) String() string { return redacted }

// GoString returns <redacted>.
func (Secret) GoString() string { return redacted }

// Format writes <redacted> whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns <redacted>.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Options configure an adapter.
type Options struct {
	Token Secret // of the bot, without "Bot "
	// PublicKey is the application's, in hexadecimal; needed for [Adapter.Handler] and
	// with HTTPOnly.
	PublicKey string
	// ApplicationID may be left empty: Discord is asked for it when it is needed.
	ApplicationID string
	// Base is the API's URL; "" means [DefaultBase].
	Base string
	// Transport carries all REST requests; nil means a transport of its own with
	// sensible deadlines.
	Transport http.RoundTripper
	// Contact is where whoever runs this is found, a URL, and Version the program's: both
	// are told to Discord with each request.
	Contact, Version string
	// HTTPOnly makes [Adapter.Run] open no gateway: interactions come to
	// [Adapter.Handler].
	HTTPOnly bool
	// Roster shares the gateway's shards out among processes; nil means that this one has
	// them all.
	Roster Roster
	// Pictures makes the charts of digests attached PNGs with alternative text, which
	// need the permission Attach Files. Otherwise they are bars of text.
	Pictures bool
	// Translations are names and descriptions of commands in other languages: by
	// locale (https://discord.com/developers/docs/reference#locales), then by the
	// English text. What is missing stays English. nil means [Translations].
	Translations map[string]map[string]string
	// Commands is the table that is registered; nil means bot.Commands().
	Commands []bot.Command
	Log      *slog.Logger // nil means slog.Default()

	// Patience is how long an answer may take before Discord is told to wait; 0 means
	// 1.5 s, half of what Discord allows.
	Patience time.Duration
	// Timeout is how long one REST request may take; 0 means 20 s.
	Timeout time.Duration
	// OpenTimeout is how long the gateway may take until it is ready; 0 means 30 s.
	OpenTimeout time.Duration

	identifyEvery time.Duration  // 0 means what Discord asks for
	roots         *x509.CertPool // of the gateway; nil means the system's
}

// An Adapter is Discord as a bot.Platform. It is safe for concurrent use.
type Adapter struct {
	opt     Options
	log     *slog.Logger
	key     ed25519.PublicKey
	session *discordgo.Session // for REST; never opened
	rest    *recorder
	limits  *limiter
	breaker *breaker
	typed   *bot.Router // only to read typed lines
	long    *memory

	answers drain // answers that are being followed up

	mu     sync.Mutex
	appID  string
	botID  string
	direct map[string]string  // channel of direct messages, by person
	kinds  map[string]channel // what is known of channels
}

var (
	_ bot.Platform      = (*Adapter)(nil)
	_ bot.Pacer         = (*Adapter)(nil)
	_ bot.Publisher     = (*Adapter)(nil)
	_ bot.Editor        = (*Adapter)(nil)
	_ bot.Correspondent = (*Adapter)(nil)
)

// New makes an adapter. The error names the option that is wrong; nothing is sent.
func New(opt Options) (*Adapter, error) {
	opt.Base = strings.TrimSuffix(cmp.Or(opt.Base, DefaultBase), "/")
	opt.Patience = cmp.Or(opt.Patience, 1500*time.Millisecond)
	opt.Timeout = cmp.Or(opt.Timeout, 20*time.Second)
	opt.OpenTimeout = cmp.Or(opt.OpenTimeout, 30*time.Second)
	opt.identifyEvery = cmp.Or(opt.identifyEvery, identifyEvery)
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Commands == nil {
		opt.Commands = bot.Commands()
	}
	if opt.Translations == nil {
		opt.Translations = Translations()
	}
	a := &Adapter{
		opt: opt, log: opt.Log, appID: opt.ApplicationID,
		limits: newLimiter(), breaker: &breaker{}, typed: bot.NewRouter(nil, opt.Log), long: newMemory(memorySize),
		direct: map[string]string{}, kinds: map[string]channel{},
	}
	if opt.Token == "" {
		return nil, errors.New("discord: the bot's token is missing")
	}
	if strings.HasPrefix(string(opt.Token), "Bot ") {
		a.opt.Token = opt.Token[len("Bot "):]
	}
	if !isWeb(opt.Base) {
		return nil, fmt.Errorf("discord: base %q is not an http or https URL", opt.Base)
	}
	if opt.PublicKey != "" {
		key, err := hex.DecodeString(strings.TrimSpace(opt.PublicKey))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("discord: the public key is not %d bytes in hexadecimal", ed25519.PublicKeySize)
		}
		a.key = key
	} else if opt.HTTPOnly {
		return nil, errors.New("discord: interactions over HTTP need the application's public key")
	}
	a.rest = newRecorder(opt.Transport)
	var err error
	if a.session, err = a.newSession(); err != nil {
		return nil, err
	}
	return a, nil
}

// newSession makes a session that neither retries, reconnects nor logs by itself.
func (a *Adapter) newSession() (*discordgo.Session, error) {
	s, err := discordgo.New("Bot " + string(a.opt.Token))
	if err != nil {
		return nil, fmt.Errorf("making a session: %w", err)
	}
	s.ShouldRetryOnRateLimit = false
	s.MaxRestRetries = 0
	s.ShouldReconnectOnError = false
	s.ShouldReconnectVoiceOnSessionError = false
	s.StateEnabled = false
	s.LogLevel = -1 // it would log bodies
	// https://discord.com/developers/docs/reference#user-agent
	s.UserAgent = fmt.Sprintf("DiscordBot (%s, %s)", cmp.Or(a.opt.Contact, "seedcorn"), cmp.Or(a.opt.Version, "1"))
	s.Client = &http.Client{Transport: a.rest, Timeout: a.opt.Timeout}
	// Interactions come without any intent; nothing else is listened to.
	// https://discord.com/developers/docs/events/gateway#gateway-intents
	s.Identify.Intents = discordgo.IntentsNone
	s.Compress = false
	return s, nil
}

// Name implements bot.Platform.
func (a *Adapter) Name() string { return Name }
