package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"seedcorn/bot"
	"seedcorn/digest/jobs"
	"seedcorn/digest/vault"
)

// secret is a token or password. It prints as <redacted>, whoever prints it.
type secret string

func (secret) String() string                  { return "<redacted>" }
func (secret) GoString() string                { return "<redacted>" }
func (secret) MarshalText() ([]byte, error)    { return []byte("<redacted>"), nil }
func (s *secret) UnmarshalText(b []byte) error { *s = secret(strings.TrimSpace(string(b))); return nil }
func (s secret) reveal() string                { return string(s) }

// config is everything that the environment decides. Sources, topics and
// subscriptions are in the database. Every variable has a twin that ends in _FILE
// and names a file to read the value from, for secrets that are mounted.
type config struct {
	DatabaseURL string `env:"DATABASE_URL" help:"where works are kept: sqlite:PATH or postgres://…"`

	AllowPrivate bool   `env:"ALLOW_PRIVATE_NETWORKS" help:"let sources be on private addresses (true or false)"`
	Contact      string `env:"CONTACT" envDefault:"https://github.com/seedcorn/seedcorn" help:"URL or e-mail that our requests carry, so that a site can reach you"`

	Zone    string `env:"ZONE" envDefault:"UTC" help:"IANA time zone of periods and new subscriptions"`
	Cadence string `env:"CADENCE" envDefault:"Mondays at 9" help:"when the digest in the terminal is due"`

	ArXivRSS    string `env:"ARXIV_RSS_URL" envDefault:"https://rss.arxiv.org" help:"base URL of arXiv's listings"`
	ArXivAPI    string `env:"ARXIV_API_URL" envDefault:"https://export.arxiv.org" help:"base URL of arXiv's API"`
	ArXivPages  string `env:"ARXIV_PAGES_URL" envDefault:"https://arxiv.org" help:"base URL of arXiv's pages, for affiliations"`
	HuggingFace string `env:"HUGGINGFACE_URL" envDefault:"https://huggingface.co" help:"base URL of Hugging Face"`
	HFToken     secret `env:"HUGGINGFACE_TOKEN" help:"Hugging Face token; more requests are allowed with one"`
	GitHub      string `env:"GITHUB_URL" envDefault:"https://api.github.com" help:"base URL of GitHub's API"`
	GitHubToken secret `env:"GITHUB_TOKEN" help:"GitHub token; more requests are allowed with one"`
	OpenAlex    string `env:"OPENALEX_URL" envDefault:"https://api.openalex.org" help:"base URL of OpenAlex"`
	OpenAlexKey secret `env:"OPENALEX_KEY" help:"OpenAlex key; without one OpenAlex is not asked"`

	SlackBotToken      secret `env:"SLACK_BOT_TOKEN" help:"bot token of the app (xoxb-…); sets up Slack"`
	SlackAppToken      secret `env:"SLACK_APP_TOKEN" help:"app token (xapp-…) for Socket Mode, which needs no public address"`
	SlackSigningSecret secret `env:"SLACK_SIGNING_SECRET" help:"signing secret, for requests at /slack/ in place of Socket Mode"`
	SlackClientID      string `env:"SLACK_CLIENT_ID" help:"client id of the app, for many workspaces: each installs it at /slack/install"`
	SlackClientSecret  secret `env:"SLACK_CLIENT_SECRET" help:"client secret of the app"`
	SlackURL           string `env:"SLACK_URL" envDefault:"https://slack.com/api/" help:"base URL of Slack's Web API"`
	SlackCharts        string `env:"SLACK_CHARTS" envDefault:"auto" help:"how the balance is shown: native (Slack's own chart), picture, text; auto is the first of them that the workspace takes"`
	SlackUnfurl        bool   `env:"SLACK_UNFURL" help:"say what we know below links to arxiv.org and huggingface.co (true or false)"`

	SecretKey secret `env:"SECRET_KEY" help:"key that seals workspaces' tokens in the database: 32 bytes in hex or base64; several, parted by commas, to change it: the first seals, all open"`

	DiscordToken        secret   `env:"DISCORD_TOKEN" help:"token of the bot; sets up Discord"`
	DiscordPublicKey    string   `env:"DISCORD_PUBLIC_KEY" help:"the application's public key, for interactions at /discord/ in place of the gateway"`
	DiscordClientSecret secret   `env:"DISCORD_CLIENT_SECRET" help:"client secret of the application, to let people sign in to the pages"`
	DiscordApplication  string   `env:"DISCORD_APPLICATION_ID" help:"the application's id; asked of Discord if empty"`
	DiscordGuilds       []string `env:"DISCORD_GUILDS" help:"ids of servers to register commands in at once, for development; everywhere if empty"`
	DiscordURL          string   `env:"DISCORD_URL" envDefault:"https://discord.com/api/v10" help:"base URL of Discord's API"`
	DiscordCharts       string   `env:"DISCORD_CHARTS" envDefault:"picture" help:"how digests show charts: picture, which needs the permission Attach Files, or text"`
	DiscordPublish      bool     `env:"DISCORD_PUBLISH" help:"publish every digest that goes to an announcement channel; without it, those of subscriptions with publish:yes (true or false)"`

	Editors []string `env:"EDITORS" help:"whose corrections hold for everybody: workspaces (slack/T0123) or people (slack/T0123/U0456), separated by commas; if empty, the editors of the only workspace there is"`

	Lookups       bool     `env:"LOOKUPS" envDefault:"true" help:"look up affiliations and licenses that feeds do not carry (true or false)"`
	Web           string   `env:"WEB" envDefault:"loopback" help:"who may read the pages: off, loopback, public, login (members of our workspaces, by the platforms' OAuth), or proxy (whom a reverse proxy names in a header)"`
	WebURL        string   `env:"WEB_URL" help:"public address of the pages, for links in feeds and digests"`
	WebUserHeader string   `env:"WEB_USER_HEADER" envDefault:"X-Forwarded-User" help:"header in which the proxy names the reader"`
	WebProxies    []string `env:"WEB_PROXIES" help:"addresses or networks (CIDR) of reverse proxies whose word is taken for who asks; this machine if empty"`

	Listen string `env:"LISTEN" envDefault:"127.0.0.1:8080" help:"address of the pages, of /healthz and /readyz, and of the platforms' requests"`

	MetricsToken secret `env:"METRICS_TOKEN" help:"bearer token that lets others than this machine read /metrics"`
	Operator     string `env:"OPERATOR" help:"channel that is told what is wrong with seedcorn itself, such as slack:T0123/C0456 or discord:SERVER/CHANNEL; nobody if empty"`

	LogFormat string `env:"LOG_FORMAT" envDefault:"text" help:"text or json"`
	LogLevel  string `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
}

const prefix = "SEEDCORN_"

const defaultListen = "127.0.0.1:8080"

func loadConfigFromProcess() (config, error) { return loadConfig(os.Environ()) }

// foreign are variables with our prefix that tests read.
const foreign = prefix + "TEST_"

// loadConfig reads the environment. All faults come back at once, each naming its
// variable; a variable with our prefix that is not known is one.
func loadConfig(environ []string) (config, error) {
	vars := map[string]string{}
	var faults []error
	known := map[string]bool{}
	for _, f := range configFields() {
		known[f.name] = true
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, prefix) || strings.HasPrefix(name, foreign) {
			continue
		}
		plain, fromFile := strings.CutSuffix(name, "_FILE")
		switch {
		case known[name]:
			vars[name] = value
		case fromFile && known[plain]:
			b, err := os.ReadFile(value)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
				continue
			}
			vars[plain] = strings.TrimSpace(string(b))
		default:
			fault := fmt.Errorf("%s: not a variable of seedcorn's", name)
			if near := nearest(name, known); near != "" {
				fault = fmt.Errorf("%w; did you mean %s?", fault, near)
			}
			faults = append(faults, fault)
		}
	}
	var c config
	if err := env.ParseWithOptions(&c, env.Options{Prefix: prefix, Environment: vars}); err != nil {
		var all env.AggregateError
		if errors.As(err, &all) {
			for _, e := range all.Errors {
				var p env.ParseError
				if errors.As(e, &p) {
					faults = append(faults, fmt.Errorf("%s: %w", prefix+fieldVar(p.Name), p.Err))
					continue
				}
				faults = append(faults, e)
			}
		} else {
			faults = append(faults, err)
		}
	}
	faults = append(faults, c.check()...)
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return c, &usageError{fmt.Errorf("configuration: %w", errors.Join(faults...)), "seedcorn help environment lists every variable"}
	}
	return c, nil
}

// manyWorkspaces reports whether any workspace may install the app: there is no fixed
// token of one.
func (c *config) manyWorkspaces() bool { return c.SlackClientID != "" && c.SlackBotToken == "" }

// chats reports whether a chat is configured.
func (c *config) chats() bool {
	return c.SlackBotToken != "" || c.SlackClientID != "" || c.DiscordToken != ""
}

func (c *config) check() (faults []error) {
	for _, v := range []struct{ name, url string }{
		{"ARXIV_RSS_URL", c.ArXivRSS},
		{"ARXIV_API_URL", c.ArXivAPI},
		{"ARXIV_PAGES_URL", c.ArXivPages},
		{"HUGGINGFACE_URL", c.HuggingFace},
		{"GITHUB_URL", c.GitHub},
		{"OPENALEX_URL", c.OpenAlex},
		{"SLACK_URL", c.SlackURL},
		{"DISCORD_URL", c.DiscordURL},
	} {
		if u, err := url.Parse(v.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			faults = append(faults, fmt.Errorf("%s%s: %q is not an http or https URL", prefix, v.name, v.url))
		}
	}
	for _, t := range []struct {
		name, begins string
		value        secret
	}{{"SLACK_BOT_TOKEN", "xoxb-", c.SlackBotToken}, {"SLACK_APP_TOKEN", "xapp-", c.SlackAppToken}} {
		if t.value != "" && !strings.HasPrefix(t.value.reveal(), t.begins) {
			faults = append(faults, fmt.Errorf("%s%s: such a token begins with %s", prefix, t.name, t.begins))
		}
	}
	for _, e := range c.Editors {
		if parts := strings.Split(e, "/"); len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") || strings.TrimSpace(e) != e {
			faults = append(faults, fmt.Errorf("%sEDITORS: %q is neither a workspace such as slack/T0123 nor a person such as slack/T0123/U0456", prefix, e))
		}
	}
	if c.SlackBotToken != "" && c.SlackAppToken == "" && c.SlackSigningSecret == "" {
		faults = append(faults, fmt.Errorf("%sSLACK_BOT_TOKEN: without %sSLACK_APP_TOKEN or %sSLACK_SIGNING_SECRET nobody can ask anything", prefix, prefix, prefix))
	}
	if !slices.Contains([]string{"auto", "native", "picture", "text"}, c.SlackCharts) {
		faults = append(faults, fmt.Errorf("%sSLACK_CHARTS: %q is none of auto, native, picture, text", prefix, c.SlackCharts))
	}
	ring, err := vault.Parse(c.SecretKey.reveal())
	if err != nil {
		faults = append(faults, fmt.Errorf("%sSECRET_KEY: %w", prefix, err))
	}
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%sSLACK_CLIENT_ID: "+format, append([]any{prefix}, args...)...))
	}
	if (c.SlackClientID == "") != (c.SlackClientSecret == "") {
		fault("it goes with %sSLACK_CLIENT_SECRET: the app's page has both", prefix)
	}
	if c.manyWorkspaces() {
		if err == nil && ring.Empty() {
			fault("without %sSECRET_KEY there is nothing to seal tokens with; openssl rand -hex 32 makes one", prefix)
		}
		if c.WebURL == "" {
			fault("without %sWEB_URL nobody can be sent back to /slack/oauth", prefix)
		}
		if c.SlackAppToken == "" && c.SlackSigningSecret == "" {
			fault("without %sSLACK_APP_TOKEN or %sSLACK_SIGNING_SECRET nobody can ask anything", prefix, prefix)
		}
	}
	if c.DiscordCharts != "picture" && c.DiscordCharts != "text" {
		faults = append(faults, fmt.Errorf("%sDISCORD_CHARTS: %q is neither picture nor text", prefix, c.DiscordCharts))
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		faults = append(faults, fmt.Errorf("%sZONE: %q is not an IANA time zone such as Europe/Paris", prefix, c.Zone))
	}
	if _, err := jobs.ParseCadence(c.Cadence, "UTC"); err != nil {
		faults = append(faults, fmt.Errorf("%sCADENCE: %w", prefix, err))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("%sLISTEN: %q is not an address such as 127.0.0.1:8080 or :8080", prefix, c.Listen))
	}
	if !slices.Contains([]string{"off", "loopback", "public", "login", "proxy"}, c.Web) {
		faults = append(faults, fmt.Errorf("%sWEB: %q is none of off, loopback, public, login, proxy", prefix, c.Web))
	}
	for _, text := range c.WebProxies {
		if _, err := parseProxy(text); err != nil {
			faults = append(faults, fmt.Errorf("%sWEB_PROXIES: %q is neither an address nor a network such as 10.0.0.0/8", prefix, text))
		}
	}
	if c.Web == "login" {
		if c.WebURL == "" {
			faults = append(faults, fmt.Errorf("%sWEB: login needs %sWEB_URL, which people are sent back to", prefix, prefix))
		}
		if err == nil && ring.Empty() {
			faults = append(faults, fmt.Errorf("%sWEB: login needs %sSECRET_KEY, which signs sessions; openssl rand -hex 32 makes one", prefix, prefix))
		}
		if (c.SlackClientSecret == "" || c.SlackBotToken == "" && !c.manyWorkspaces()) && (c.DiscordClientSecret == "" || c.DiscordToken == "") {
			faults = append(faults, fmt.Errorf("%sWEB: login needs a platform to sign in with: %sSLACK_CLIENT_ID and %sSLACK_CLIENT_SECRET, or %sDISCORD_CLIENT_SECRET", prefix, prefix, prefix, prefix))
		}
	}
	if c.DiscordClientSecret != "" && c.DiscordApplication == "" {
		faults = append(faults, fmt.Errorf("%sDISCORD_CLIENT_SECRET: it goes with %sDISCORD_APPLICATION_ID", prefix, prefix))
	}
	if u, err := url.Parse(c.WebURL); c.WebURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		faults = append(faults, fmt.Errorf("%sWEB_URL: %q is not an http or https URL", prefix, c.WebURL))
	}
	if c.Operator != "" {
		if to, _ := c.operator(); to.Platform == "" || to.Channel == "" && to.Platform != "terminal" {
			faults = append(faults, fmt.Errorf("%sOPERATOR: %q does not name a channel, as slack:T0123/C0456 does", prefix, c.Operator))
		}
	}
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		faults = append(faults, fmt.Errorf("%sLOG_FORMAT: %q is neither text nor json", prefix, c.LogFormat))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		faults = append(faults, fmt.Errorf("%sLOG_LEVEL: %q is none of debug, info, warn, error", prefix, c.LogLevel))
	}
	if c.DatabaseURL == "" {
		dir, err := dataDir()
		if err != nil {
			return append(faults, fmt.Errorf("%sDATABASE_URL: not set, and %w", prefix, err))
		}
		c.DatabaseURL = "sqlite:" + filepath.Join(dir, databaseFile)
	}
	if !isLocation(c.DatabaseURL) {
		faults = append(faults, fmt.Errorf("%sDATABASE_URL: want sqlite:PATH or postgres://…", prefix))
	}
	return faults
}

// isLocation reports whether s can name a database.
func isLocation(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	return rest != "" && slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme)
}

// whereabouts says where a database is, without a password.
func whereabouts(location string) string {
	scheme, rest, _ := strings.Cut(location, ":")
	if scheme == "sqlite" {
		path, _, _ := strings.Cut(rest, "?")
		return "SQLite at " + path
	}
	u, err := url.Parse(location)
	if err != nil || u.Path == "" {
		return "PostgreSQL"
	}
	return "PostgreSQL at " + strings.TrimPrefix(u.Host+"/", "/") + strings.TrimPrefix(u.Path, "/")
}

// proxies are the networks of WEB_PROXIES, which check has read.
func (c *config) proxies() (out []netip.Prefix) {
	for _, text := range c.WebProxies {
		if p, err := parseProxy(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func parseProxy(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// databaseFile is the name of the database in [dataDir].
const databaseFile = "seedcorn.db"

// dataDir is where a user's data belongs: the XDG base directory for data
// (https://specifications.freedesktop.org/basedir-spec/latest/), and on macOS and
// Windows the system's own directory. A database that is in one of them already is
// never left behind because a folder or a variable appeared since.
func dataDir() (string, error) {
	var dirs []string
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		dirs = append(dirs, d)
	}
	system, err := os.UserConfigDir()
	if home, homeErr := os.UserHomeDir(); homeErr == nil {
		share := filepath.Join(home, ".local", "share")
		switch {
		case err != nil:
			dirs = append(dirs, share)
		case runtime.GOOS == "darwin" || runtime.GOOS == "windows":
			dirs = append(dirs, system, share)
		default:
			dirs = append(dirs, share, system)
		}
	} else if err == nil {
		dirs = append(dirs, system)
	}
	if len(dirs) == 0 {
		return "", fmt.Errorf("finding the user's data directory: %w", err)
	}
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "seedcorn", databaseFile)); err == nil {
			return filepath.Join(d, "seedcorn"), nil
		}
	}
	return filepath.Join(dirs[0], "seedcorn"), nil
}

// A configField describes one variable, for the help.
type configField struct{ name, value, help string }

func configFields() []configField {
	var out []configField
	for f := range fields(reflect.TypeFor[config]()) {
		out = append(out, configField{prefix + f.Tag.Get("env"), f.Tag.Get("envDefault"), f.Tag.Get("help")})
	}
	return out
}

func fieldVar(field string) string {
	f, _ := reflect.TypeFor[config]().FieldByName(field)
	return f.Tag.Get("env")
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// nearest returns the known name that differs least from name, if it differs
// little enough to be a slip.
func nearest(name string, known map[string]bool) string {
	return bot.Nearest(name, slices.Sorted(maps.Keys(known)))
}
