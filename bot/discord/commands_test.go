package discord

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seedcorn/bot"
)

func TestRegistrations(t *testing.T) {
	rs, err := newAdapter(t, Options{}).registrations()
	if err != nil {
		t.Fatal(err)
	}
	subs, guarded := map[string]parameter{}, map[string]bool{}
	for _, r := range rs {
		for _, o := range r.Options {
			subs[o.Name] = o
			guarded[o.Name] = r.Permissions == permManageChannels
		}
	}
	for _, c := range bot.Commands() {
		s, ok := subs[c.Name]
		if guarded[c.Name] != c.Manages {
			t.Errorf("%s needs the permission to manage channels: %v, want %v", c.Name, guarded[c.Name], c.Manages)
		}
		if !ok || s.Type != optionSubcommand || len(s.Options) != len(c.Params) {
			t.Errorf("%s is registered as %+v", c.Name, s)
		}
		optional := false
		for _, o := range s.Options {
			if o.Required && optional {
				t.Errorf("%s: %s is required and follows one that is not", c.Name, o.Name)
			}
			optional = optional || !o.Required
			if o.Autocomplete && len(o.Choices) > 0 {
				t.Errorf("%s: %s has choices and completions", c.Name, o.Name)
			}
		}
	}
	for _, r := range rs {
		t.Logf("%s: %d subcommands, %d of %d characters", r.Name, len(r.Options), r.weight(), maxCommand)
	}
	if !subs["why"].Options[0].Autocomplete || !subs["why"].Options[0].Required || len(subs["vote"].Options[1].Choices) != 3 {
		t.Errorf("why: %+v, vote: %+v", subs["why"], subs["vote"])
	}
}

func TestRegistrationsJudge(t *testing.T) {
	for _, tt := range []struct {
		name string
		cs   []bot.Command
		want string
	}{
		{"upper case", []bot.Command{{Name: "Why", About: "x"}}, `name "Why"`},
		{"space", []bot.Command{{Name: "can we", About: "x"}}, `name "can we"`},
		{"long name", []bot.Command{{Name: strings.Repeat("x", 33), About: "x"}}, "is not 1 to 32"},
		{"no description", []bot.Command{{Name: "why"}}, "description of why is empty"},
		{"long description", []bot.Command{{Name: "why", About: strings.Repeat("x", 101)}}, "longer than 100"},
		{"parameter", []bot.Command{{Name: "why", About: "x", Params: []bot.Param{{Name: "Work", About: "x"}}}}, `name "Work"`},
	} {
		_, err := newAdapter(t, Options{Commands: tt.cs}).registrations()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.name, err, tt.want)
		}
	}
	// Those that manage do not count among the others.
	var many []bot.Command
	for i := range 40 {
		many = append(many, bot.Command{Name: fmt.Sprint("c", i), About: "x", Manages: i%2 == 0})
	}
	rs, err := newAdapter(t, Options{Commands: many}).registrations()
	if err != nil || len(rs[0].Options) != 20 || len(rs[1].Options) != 20 {
		t.Errorf("40 commands: %d options, %v", len(rs[0].Options), err)
	}
	for i := range many {
		many[i].Manages = false
	}
	if _, err := newAdapter(t, Options{Commands: many}).registrations(); err == nil {
		t.Error("40 commands that do not manage are taken")
	}
	words := strings.Repeat("x", 100)
	many = nil
	for i := range 25 {
		c := bot.Command{Name: fmt.Sprint("c", i), About: words}
		for j := range 4 {
			c.Params = append(c.Params, bot.Param{Name: fmt.Sprint("p", j), About: words})
		}
		many = append(many, c)
	}
	if _, err := newAdapter(t, Options{Commands: many}).registrations(); err == nil || !strings.Contains(err.Error(), "8000") {
		t.Errorf("12,500 characters: %v", err)
	}
}

func TestTranslations(t *testing.T) {
	cs := []bot.Command{{Name: "why", About: "every tag", Params: []bot.Param{{Name: "value", About: "your word", Kind: bot.ParamChoice, Choices: []string{"useful"}}}}}
	rs, err := newAdapter(t, Options{Commands: cs, Translations: map[string]map[string]string{"fr": {"why": "pourquoi", "every tag": "chaque étiquette", "useful": "utile", "What is this?": "Qu'est-ce que c'est ?"}}}).registrations()
	if err != nil {
		t.Fatal(err)
	}
	s := rs[0].Options[0]
	if s.Names["fr"] != "pourquoi" || s.Descriptions["fr"] != "chaque étiquette" || s.Options[0].Choices[0].Names["fr"] != "utile" || rs[1].Names["fr"] != "Qu'est-ce que c'est ?" {
		t.Errorf("%+v", rs)
	}
	if s.Name != "why" || s.Options[0].Names != nil {
		t.Errorf("the command's own name is %q, and %v is not translated", s.Name, s.Options[0].Names)
	}
	if _, err := newAdapter(t, Options{Commands: cs, Translations: map[string]map[string]string{"fr": {"why": "Pour Quoi"}}}).registrations(); err == nil {
		t.Error("a name that Discord refuses is taken")
	}
}

// Each language that comes with the program is as good as whole, and nothing is
// translated that is not in the table of commands.
func TestLocales(t *testing.T) {
	all := Translations()
	if len(all) == 0 {
		t.Fatal("no languages")
	}
	if _, err := newAdapter(t, Options{}).registrations(); err != nil {
		t.Error(err)
	}
	want := map[string]bool{chatAbout: true, manageCommand: true, manageAbout: true, messageCommand: true}
	for _, c := range bot.Commands() {
		want[c.Name], want[c.About] = true, true
		for _, p := range c.Params {
			want[p.Name], want[p.About] = true, true
			for _, v := range p.Choices {
				want[v] = true
			}
		}
	}
	for locale, texts := range all {
		var missing []string
		for english := range want {
			if texts[english] == "" {
				missing = append(missing, english)
			}
		}
		// A new command need not wait for its translators; a language that is left behind
		// does not count as one.
		if len(missing) > 0 {
			t.Logf("locales/%s.tsv has no line for %q", locale, missing)
		}
		if len(missing) > len(want)/10 {
			t.Errorf("locales/%s.tsv has no line for %d of %d texts", locale, len(missing), len(want))
		}
		for english := range texts {
			if !want[english] {
				t.Errorf("locales/%s.tsv translates %q, which no command says any more", locale, english)
			}
		}
	}
	// Judged like everything else.
	for _, tt := range []struct {
		name  string
		texts map[string]map[string]string
		want  string
	}{
		{"no locale", map[string]map[string]string{"de-DE": {}}, "no locale"},
		{"one name twice", map[string]map[string]string{"de": {"work": "x", "why": "x"}}, "both called"},
		{"the name of another", map[string]map[string]string{"de": {"work": "why"}}, "both called"},
		{"too long", map[string]map[string]string{"de": {"your list": strings.Repeat("ü", 101)}}, "too long"},
	} {
		if _, err := newAdapter(t, Options{Translations: tt.texts}).registrations(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Commands are sent when they differ from what Discord has, and only then; what
// Discord adds and reorders is no difference.
func TestRegister(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{Translations: map[string]map[string]string{}}) // the golden file is in English
	for i, want := range []bool{true, false, false} {
		changed, err := a.Register(t.Context())
		if err != nil || changed != want {
			t.Fatalf("time %d: changed %v, %v", i+1, changed, err)
		}
	}
	puts := f.count(http.MethodPut, "/applications/"+appID+"/commands")
	if puts != 1 {
		t.Errorf("sent %d times", puts)
	}
	golden(t, "commands.json", f.last(t, http.MethodPut, "/commands").body)
	f.mu.Lock()
	path := "/applications/" + appID + "/commands"
	f.commands[path] = []byte(strings.Replace(string(f.commands[path]), "every tag of a work", "all tags of a work", 1))
	f.mu.Unlock()
	if changed, err := a.Register(t.Context()); !changed || err != nil {
		t.Errorf("after a change: %v, %v", changed, err)
	}
	// A command that Discord keeps for itself is not thrown away.
	f.mu.Lock()
	f.commands[path] = []byte(`[{"id":"1","type":4,"name":"launch","handler":2},{"id":"2","type":1,"name":"old","description":"x"}]`)
	f.mu.Unlock()
	if changed, err := a.Register(t.Context()); !changed || err != nil {
		t.Errorf("after a change: %v, %v", changed, err)
	}
	if b := f.last(t, http.MethodPut, "/commands").body; !strings.Contains(string(b), `"launch"`) || strings.Contains(string(b), `"old"`) {
		t.Errorf("sent %s", b)
	}
	if changed, err := a.Register(t.Context(), guild, "200000000000000002"); !changed || err != nil {
		t.Errorf("in two servers: %v, %v", changed, err)
	}
	b := f.last(t, http.MethodPut, "/guilds/200000000000000002/commands").body
	if strings.Contains(string(b), "contexts") || strings.Contains(string(b), "integration_types") {
		t.Error("a server's command says where it may be used")
	}
	if _, err := a.Register(t.Context(), "x/../y"); err == nil {
		t.Error("a server's id that is none is taken")
	}
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if r.Method == http.MethodGet {
			refuse(w, 404, 0, "404: Not Found")
			return true
		}
		return false
	}
	if changed, err := a.Register(t.Context()); !changed || err != nil {
		t.Errorf("where none were ever registered: %v, %v", changed, err)
	}
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if r.Method == http.MethodPut || strings.Contains(r.URL.Path, "/guilds/") {
			refuse(w, 400, codeInvalidForm, "Invalid Form Body")
			return true
		}
		return false
	}
	if _, err := a.Register(t.Context(), guild); err == nil || !strings.Contains(err.Error(), "50035") {
		t.Errorf("refused: %v", err)
	}
}

func TestManifest(t *testing.T) {
	manifest := func(id string, pictures bool) Install {
		t.Helper()
		in, err := Manifest(id, pictures)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	in := manifest(appID, false)
	want := "https://discord.com/oauth2/authorize?client_id=" + appID + "&integration_type=0&permissions=274877975552&scope=bot+applications.commands"
	if in.Server != want {
		t.Errorf("server link %s, want %s", in.Server, want)
	}
	var bits int64
	for _, p := range in.Permissions {
		if p.Name == "" || p.Why == "" || p.Without == "" || p.bit == 0 || bits&p.bit != 0 {
			t.Errorf("permission %+v", p)
		}
		bits |= p.bit
	}
	if n := len(manifest(appID, true).Permissions); n != len(in.Permissions)+1 {
		t.Errorf("%d permissions with pictures", n)
	}
	if bits&permAdministrator != 0 {
		t.Error("asks to be an administrator")
	}
	if _, err := Manifest("&scope=identify", false); err == nil {
		t.Error("what is no id goes into the links")
	}
	if in := manifest("", false); !strings.Contains(in.Server, "APPLICATION_ID") {
		t.Error(in.Server)
	}
}

func TestCheck(t *testing.T) {
	f := newFake(t)
	a := f.adapter(t, Options{})
	if _, err := a.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	find := func(fs []Finding, what string) Finding {
		for _, x := range fs {
			if x.What == what {
				return x
			}
		}
		return Finding{}
	}
	fs := a.Check(t.Context())
	for _, what := range []string{"token", "clock", "intents", "interactions", "commands"} {
		if x := find(fs, what); !x.OK || x.Say == "" || x.Hint != "" {
			t.Errorf("%s: %+v", what, x)
		}
	}
	late := time.Hour
	app := map[string]any{"id": appID, "flags": 1<<19 | 1<<15, "verify_key": "ff", "interactions_endpoint_url": "https://example.org/"}
	f.hook = func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		w.Header().Set("Date", time.Now().Add(-late).UTC().Format(http.TimeFormat))
		switch {
		case strings.HasSuffix(r.URL.Path, "/applications/@me"):
			_, _ = w.Write(mustJSON(app))
			return true
		case strings.HasSuffix(r.URL.Path, "/commands"), strings.HasSuffix(r.URL.Path, "/guilds"):
			_, _ = w.Write([]byte("[]"))
			return true
		}
		return false
	}
	b := f.adapter(t, Options{PublicKey: strings.Repeat("00", 32), ApplicationID: "1"})
	fs = b.Check(t.Context())
	if x := find(fs, "commands"); !x.OK || !strings.Contains(x.Say, "serve does it when it starts") {
		t.Errorf("without commands: %+v", x)
	}
	for _, what := range []string{"clock", "application", "intents", "interactions", "public key", "servers"} {
		if x := find(fs, what); x.OK || x.Say == "" || x.Hint == "" {
			t.Errorf("%s: %+v", what, x)
		}
	}
	if x := find(fs, "intents"); !strings.Contains(x.Say, "server members, message content") {
		t.Error(x.Say)
	}
	f.hook = func(w http.ResponseWriter, _ *http.Request, _ func() []byte) bool {
		refuse(w, 401, 0, "401: Unauthorized")
		return true
	}
	if fs := f.adapter(t, Options{}).Check(t.Context()); len(fs) != 1 || fs[0].What != "token" || fs[0].OK {
		t.Errorf("%+v", fs)
	}
	f.Close()
	if fs := f.adapter(t, Options{}).Check(t.Context()); len(fs) != 1 || fs[0].What != "reach" || fs[0].OK {
		t.Errorf("%+v", fs)
	}
}

func TestNew(t *testing.T) {
	for name, o := range map[string]Options{
		"no token": {}, "HTTP without a key": {Token: "x", HTTPOnly: true}, "base": {Token: "x", Base: "ftp://x"}, "key": {Token: "x", PublicKey: "00"}, "key of letters": {Token: "x", PublicKey: strings.Repeat("zz", 32)},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	o := Options{Token: "Bot secret-token"}
	if s := fmt.Sprintf("%v %+v %#v %s", o, o, o, must(json.Marshal(o.Token))); strings.Contains(s, "secret") {
		t.Error("the token is printed: " + s)
	}
	a, err := New(o)
	if err != nil || a.session.Token != "Bot secret-token" || a.Name() != "discord" {
		t.Errorf("%v, %v", a, err)
	}
	if diff := cmp.Diff(a.session.MaxRestRetries, 0); diff != "" || a.session.ShouldRetryOnRateLimit || a.session.ShouldReconnectOnError {
		t.Error("discordgo repeats by itself")
	}
}
