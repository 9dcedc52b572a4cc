package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("browser.shots", "", "a folder for pictures of the page")

// patience bounds what is waited for: other tests want the machine, too.
const patience = 60 * time.Second

// navigateAway leaves a page, and with it its stream.
var navigateAway = chromedp.Navigate("about:blank")

// page is a page of a browser, and what it complained of.
type page struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex // guards complaints
	complaints []string
}

// open starts a browser of its own with a page. A test ends with an error if a script of the page has failed,
// or if its content security policy has kept something from it.
func open(t *testing.T, url string) *page {
	t.Helper()
	installed(t)
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: 'scripts/setup all' installs it", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	return newPage(ctx, t, url)
}

// installed skips a test where the browser is not asked for.
func installed(t *testing.T) {
	t.Helper()
	if os.Getenv("GRANARY_TEST_SERVERS") == "" {
		t.Skip("needs chromium, which `make test-all` installs")
	}
}

// another opens a second page in the same browser.
func (p *page) another(url string) *page { return newPage(p.ctx, p.t, url) }

func newPage(parent context.Context, t *testing.T, url string) *page {
	t.Helper()
	p := &page{t: t}
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(parent, chromedp.WithListener(p.heard))
	t.Cleanup(cancel)
	// The browser and the page live as long as the context of the first run.
	if err := chromedp.Do(p.ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	t.Cleanup(p.close)
	p.do("open "+url, chromedp.EmulateViewport(1600, 1000), chromedp.Navigate(url))
	return p
}

func (p *page) heard(e any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		thrown := chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}
		p.complaints = append(p.complaints, thrown.Error())
	case *log.EventEntryAdded:
		if strings.Contains(e.Entry.Text, "Content Security Policy") || e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			p.complaints = append(p.complaints, e.Entry.Text)
		}
	}
}

func (p *page) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.complaints {
		p.t.Errorf("the page complains: %s", c)
	}
	_ = chromedp.Cancel(p.ctx)
}

func (p *page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// await waits until an expression is true. It asks from outside, since the page's policy allows no code that is made of
// texts.
func (p *page) await(what, expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		held, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if held {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("%s: %q is not true in time (%v); the page shows:\n%s", what, expression, err, p.text())
		}
	}
}

// text is what the page shows, for messages.
func (p *page) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// gives evaluates an expression.
func gives[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// shoot keeps pictures, at three sizes in both themes, if that is wished.
func (p *page) shoot(name string) {
	if *shots == "" {
		return
	}
	p.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 900, 1600} {
			p.do("another size", chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
				})
				return err
			}))
			_ = gives[bool](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
			picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
			if err == nil {
				err = os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", name, theme, width)), picture, 0o644)
			}
			if err != nil {
				p.t.Fatal(err)
			}
		}
	}
	p.do("the size for docs/images", chromedp.EmulateViewport(1320, 800))
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(*shots, name+".png"), picture, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.do("the size as before", chromedp.EmulateViewport(1600, 1000))
}
