package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"seedcorn/bot"
	"seedcorn/digest"
)

// browse starts the site and a real Chromium in front of it. It is the one that
// SEEDCORN_TEST_CHROMIUM names, or chromium on the path. Without one the test is
// skipped, unless SEEDCORN_TEST_REQUIRE=1 says that it must be there.
func browse(t *testing.T, d *desk) (ctx context.Context, base string) {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv("SEEDCORN_TEST_CHROMIUM"), "chromium"))
	if err != nil {
		if os.Getenv("SEEDCORN_TEST_REQUIRE") == "1" {
			t.Fatalf("no Chromium: %v", err)
		}
		t.Skipf("no Chromium: %v", err)
	}
	opt := open(d)
	opt.Access = LoopbackOnly // as it is by default
	opt.BaseURL = ""
	server := httptest.NewServer(New(opt))
	t.Cleanup(server.Close)
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Its helpers write until they have noticed that it is gone.
		for range 100 {
			if err = os.RemoveAll(profile); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error(err)
	})
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"),
		// Nothing but this machine is there for it.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.WSURLReadTimeout(time.Minute),
	)...)
	t.Cleanup(cancel)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(browser, 20*time.Minute) // of a machine that does much else
	t.Cleanup(func() {
		cancel()
		if err := chromedp.Cancel(browser); err != nil {
			t.Logf("ending Chromium: %v", err)
		}
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return ctx, server.URL
}

// everyPage is where each page is, by what to call it: those of the site at base,
// those that say what is wrong, and the login before and after.
func everyPage(t *testing.T, base string) map[string]string {
	all := map[string]string{}
	for _, p := range append(slices.Clone(paths), "/digest/d000000000000", "/search?q=lab:nobody", "/search?q=a+OR", "/balance?rule=most", "/balance?q=country:", "/balance?since=soon&over=Atlantis", "/work/w-nobody", "/license/none", "/nowhere") {
		all[p] = base + p
	}
	opt := closed(new(now), door{name: "chat"}, door{name: "talk"})
	opt.BaseURL = ""
	opt.Readers = &cloakroom{keys: []digest.FeedKey{
		{ID: "k1", Platform: "chat", Person: ana.ID, Query: "reasoning country:CN,FR openness>=open-weights -lab:openai", Made: now, Until: now.AddDate(0, 0, 90), Read: now},
		{ID: "k2", Platform: "chat", Person: ana.ID, Made: now, Until: now.AddDate(0, 0, 90)},
	}}
	h := New(opt)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	all["/login"] = server.URL + "/login?next=/balance"
	// The same for ana.
	value, err := sealed(h.site.seal.session, session{Reader: bot.Reader{Platform: "chat", ID: ana.ID, Name: "Ana " + evil, Workspaces: ana.Workspaces}, Until: now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.AddCookie(&http.Cookie{Name: h.site.cookie(sessionCookie), Value: value})
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(inside.Close)
	all["/login, signed in"] = inside.URL + "/login?q=reasoning"
	all["/, signed in"] = inside.URL + "/"
	return all
}

// views are the widths and palettes in which each page is looked at.
var views = []struct {
	name   string
	width  int64
	scheme string
}{
	{"phone-light", 360, "light"}, {"phone-dark", 360, "dark"}, {"wide-light", 1280, "light"}, {"wide-dark", 1280, "dark"},
}

// TestBrowser looks at each page in each view: nothing scrolls sideways, nothing
// is blocked by the policy, no text is too faint to read, whatever can be used is
// large enough to be hit; and it leaves pictures for people to look at.
func TestBrowser(t *testing.T) {
	ctx, base := browse(t, full(60))
	all := everyPage(t, base)
	pictures := t.ArtifactDir()
	var complaints []string
	chromedp.ListenTarget(ctx, func(ev any) {
		if e, ok := ev.(*network.EventLoadingFailed); ok && !e.Canceled {
			complaints = append(complaints, e.ErrorText+" "+string(e.BlockedReason))
		}
	})
	for _, v := range views {
		err := chromedp.Run(ctx,
			network.Enable(),
			emulation.SetScriptExecutionDisabled(false),
			chromedp.EmulateViewport(v.width, 800),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}),
		)
		if err != nil {
			t.Fatal(err)
		}
		for p, at := range all {
			var out struct {
				Wide  int
				Faint []string
				Small []string
				Style string
			}
			var picture []byte
			if err := chromedp.Run(ctx, chromedp.Navigate(at), chromedp.Evaluate(look, &out), chromedp.FullScreenshot(&picture, 100)); err != nil {
				t.Fatalf("%s, %s: %v", v.name, p, err)
			}
			if out.Wide > int(v.width) {
				t.Errorf("%s, %s: %d wide, it scrolls sideways", v.name, p, out.Wide)
			}
			for _, f := range out.Faint {
				t.Errorf("%s, %s: faint: %s", v.name, p, f)
			}
			for _, f := range out.Small {
				t.Errorf("%s, %s: small: %s", v.name, p, f)
			}
			if out.Style == "" {
				t.Errorf("%s, %s: the stylesheet is not there", v.name, p)
			}
			name := strings.Trim(strings.NewReplacer("/", "_", "?", "_", "&", "_", "=", "-").Replace(p), "_")
			if err := os.WriteFile(filepath.Join(pictures, fmt.Sprintf("%s.%.40s.png", v.name, cmp.Or(name, "week"))), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(complaints) > 0 {
		t.Errorf("the browser could not load: %v", complaints)
	}
	t.Logf("pictures in %s", pictures)
}

// look measures the page that is open. Contrast is that of WCAG 2.2, 1.4.3; the
// least size of a target is 2.5.8's, from which links within a sentence are free.
const look = `(() => {
  const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return c.startsWith('color(srgb') ? [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1]; };
  const lum = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const paper = el => { let stack = []; for (let e = el; e; e = e.parentElement) { stack.push(parse(getComputedStyle(e).backgroundColor)); if (stack.at(-1)[3] === 1) break; } return stack.reduceRight((b, a) => over(a, b), [255, 255, 255, 1]); };
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const faint = new Set(), small = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
    if (!text || el.closest('title, .unseen, option')) continue;
    const st = getComputedStyle(el);
    let front, back;
    if (el.closest('.plot')) { front = parse(st.fill); back = paper(el.closest('figure')); }
    else if (el.namespaceURI.endsWith('svg')) { front = parse(st.fill); back = parse(getComputedStyle(el.previousElementSibling).fill); }
    else { back = paper(el); front = over(parse(st.color), back); }
    if (ratio(front, back) < 4.5) faint.add(el.tagName + '.' + el.getAttribute('class') + ' ' + text.slice(0, 30) + ' ' + ratio(front, back).toFixed(2));
  }
  for (const r of document.querySelectorAll('.bars rect, .key rect')) {
    const st = getComputedStyle(r), back = paper(r.closest('li'));
    if (Math.max(ratio(parse(st.fill), back), ratio(parse(st.stroke), back)) < 3) faint.add('rect ' + r.getAttribute('class'));
  }
  for (const el of document.querySelectorAll('button, input:not([type=hidden]), select, .button, header.site a, .facet a, summary')) {
    const b = el.getBoundingClientRect();
    if (b.width && (b.height < 24 || b.width < 24)) small.add(el.tagName + ' ' + el.textContent.slice(0, 30) + ' ' + b.width.toFixed(0) + 'x' + b.height.toFixed(0));
  }
  return {wide: document.documentElement.scrollWidth, faint: [...faint], small: [...small], style: getComputedStyle(document.querySelector('main')).maxWidth.replace('none', '')};
})()`

// TestAxe runs the rules of axe-core (https://github.com/dequelabs/axe-core) on
// each page, if SEEDCORN_TEST_AXE names its axe.min.js, which is not part of this
// program.
func TestAxe(t *testing.T) {
	file := os.Getenv("SEEDCORN_TEST_AXE")
	if file == "" {
		t.Skip("SEEDCORN_TEST_AXE names no axe.min.js")
	}
	axe, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, base := browse(t, full(60))
	all := everyPage(t, base)
	const run = `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => ({passes: r.passes.length, violations: r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | '))}))`
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	for _, v := range views[1:3] { // each width and each scheme once
		err := chromedp.Run(ctx,
			chromedp.EmulateViewport(v.width, 800),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}),
		)
		if err != nil {
			t.Fatal(err)
		}
		for p, at := range all {
			var out struct {
				Passes     int
				Violations []string
			}
			if err := chromedp.Run(ctx, chromedp.Navigate(at), chromedp.Evaluate(string(axe), nil), chromedp.Evaluate(run, &out, await)); err != nil || out.Passes == 0 {
				t.Fatalf("%s, %s: %d rules passed: %v", v.name, p, out.Passes, err)
			}
			for _, x := range out.Violations {
				t.Errorf("%s, %s: %s", v.name, p, x)
			}
		}
	}
}

// TestKeyboard searches without a mouse and without a script of the page: skip
// link, search box, result, back; and every stop on the way can be seen.
func TestKeyboard(t *testing.T) {
	ctx, base := browse(t, full(60))
	var main, found, title, at string
	var seen bool
	err := chromedp.Run(ctx,
		chromedp.EmulateViewport(1280, 800),
		chromedp.Navigate(base+"/search"),
		chromedp.KeyEvent(kb.Tab),
		chromedp.Evaluate(`document.activeElement.className`, &main),
	)
	if err != nil || main != "skip" {
		t.Fatalf("the first stop is %q: %v", main, err)
	}
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.activeElement.getBoundingClientRect().left >= 0`, &seen)); err != nil || !seen {
		t.Errorf("the skip link cannot be seen when it has the focus: %v", err)
	}
	press := func(keys ...string) chromedp.Tasks {
		var out chromedp.Tasks
		for _, k := range keys {
			out = append(out, chromedp.KeyEvent(k))
		}
		return out
	}
	if err := chromedp.Run(ctx, press(kb.Enter, kb.Tab), chromedp.Evaluate(`document.activeElement.id`, &at)); err != nil || at != "q" {
		t.Fatalf("behind the skip link is %q, want the search box: %v", at, err)
	}
	if err := chromedp.Run(ctx, chromedp.Evaluate(`(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))`, &seen)); err != nil || !seen {
		t.Errorf("the focus cannot be seen: %v", err)
	}
	err = chromedp.Run(ctx,
		press("m", "i", "s", "t", "r", "a", "l"),
		chromedp.ActionFunc(func(ctx context.Context) error {
			return chromedp.Run(ctx, awaitNew(press(kb.Enter)))
		}),
		chromedp.Location(&at),
		chromedp.Text(".story h3", &found, chromedp.ByQuery),
	)
	if err != nil || !strings.HasSuffix(at, "/search?q=mistral") || !strings.Contains(found, "Mistral AI report") {
		t.Fatalf("the search led to %s with %q: %v", at, found, err)
	}
	// Tab on to the first result and open it.
	for range 60 {
		var in bool
		if err := chromedp.Run(ctx, press(kb.Tab), chromedp.Evaluate(`!!document.activeElement.closest('.story h3')`, &in)); err != nil {
			t.Fatal(err)
		}
		if in {
			break
		}
	}
	if err := chromedp.Run(ctx, awaitNew(press(kb.Enter)), chromedp.Text("h1", &title, chromedp.ByQuery)); err != nil || title != found {
		t.Errorf("the first result %q led to %q: %v", found, title, err)
	}
}

// awaitNew does something and waits for the page that it leads to.
func awaitNew(do chromedp.Action) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := chromedp.RunResponse(ctx, do)
		return err
	})
}

// TestWithoutScript reads, narrows down and counts in a browser that runs none.
func TestWithoutScript(t *testing.T) {
	ctx, base := browse(t, full(60))
	var at, text string
	err := chromedp.Run(ctx,
		emulation.SetScriptExecutionDisabled(true),
		chromedp.EmulateViewport(360, 800),
		chromedp.Navigate(base+"/search?q=reasoning"),
		awaitNew(chromedp.Click(`.facet a`, chromedp.ByQuery)),
		chromedp.Location(&at),
	)
	if err != nil || !strings.Contains(at, "openness=") || !strings.Contains(at, "q=reasoning") {
		t.Fatalf("a facet led to %s: %v", at, err)
	}
	err = chromedp.Run(ctx,
		chromedp.Navigate(base+"/balance"),
		awaitNew(chromedp.Tasks{chromedp.SendKeys("#rule", "lead", chromedp.ByQuery), chromedp.Click("form.count button", chromedp.ByQuery)}),
		chromedp.Location(&at),
		chromedp.Text("caption#t", &text, chromedp.ByQuery),
	)
	if err != nil || !strings.Contains(at, "rule=lead") || !strings.Contains(text, "“lead”") {
		t.Errorf("counting led to %s, %q: %v", at, text, err)
	}
}
