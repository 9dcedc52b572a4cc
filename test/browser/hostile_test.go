package browser

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/dashboard"
	"github.com/granary-go/granary/remote"
)

const hostileKind = `<img src=x onerror="window.hacked=1">`

// hostile are identities that would run a script, break out of the markup, turn a line round or fill the page.
var hostile = []string{
	`<script>window.hacked=1</script>`, `"><img src=x onerror="window.hacked=1">`, `javascript:window.hacked=1`, `{{constructor.constructor('window.hacked=1')()}}`,
	"gpj.\u202eexe.", "\x00\x1b[31mred\u2028", `</td></tr></table><iframe src="javascript:parent.hacked=1">`, strings.Repeat("long", 256),
}

// serve starts a member in this process and serves its dashboard.
func serve(t *testing.T, opts ...dashboard.Option) (*cluster.Cluster, *dashboard.Dashboard, string) {
	t.Helper()
	installed(t)
	board, served := dashboard.Serve(append(opts, dashboard.WithInterval(200*time.Millisecond))...)
	kind := cluster.NewKind(hostileKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	}))
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("<b>shop</b>", clustertest.NewRegistry().Provider(), remote.Configure("127.0.0.1", 0), kind, served,
		cluster.WithLabels(map[string]string{"<u>zone</u>": "<script>window.hacked=1</script>"})))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(board)
	t.Cleanup(server.Close)
	t.Cleanup(board.Close)
	return c, board, server.URL
}

// Whatever others have named, the page shows it as text: no script of theirs runs, and no element of theirs is made.
func TestHostileNames(t *testing.T) {
	c, _, url := serve(t)
	for _, id := range hostile {
		if _, err := c.Call(id, hostileKind, wrapperspb.String("")); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, url)
	p.await("the cluster's name", `document.querySelector('#cluster').textContent === '<b>shop</b>'`)
	p.await("the kind", `document.querySelector('#kinds strong')?.textContent === '`+hostileKind+`' && document.querySelector('#find-kind').value === '`+hostileKind+`'`)
	p.await("the label", `document.querySelector('#members').textContent.includes('<u>zone</u>=<script>')`)
	_ = gives[bool](p, `(document.querySelector('#find-list').click(), true)`)
	p.await("the grains", `document.querySelectorAll('#found tbody tr').length === 8`)
	shown := gives[string](p, `[...document.querySelectorAll('#found button.link')].map((b) => b.textContent).join('\n')`)
	for _, want := range []string{`<script>window.hacked=1</script>`, `gpj.\u202eexe.`, `\u0000\u001b[31mred\u2028`, `</td></tr></table><iframe`, `… (1,024 characters)`} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not among what is shown: %q", want, shown)
		}
	}
	for i := range hostile {
		_ = gives[bool](p, `(document.querySelector('#find-identity').value = '', document.querySelector('#find-list').click(), true)`)
		p.await("the grains again", `document.querySelectorAll('#found tbody button.link').length === 8`)
		_ = gives[bool](p, `(document.querySelectorAll('#found button.link')[`+string(rune('0'+i))+`].click(), true)`)
		p.await("an explanation", `document.querySelector('#find-said').textContent.includes('is active on') && document.querySelectorAll('#found .steps li').length >= 4`)
	}
	_ = gives[bool](p, `(document.querySelector('#find-identity').value = '<i>'.repeat(3500), document.querySelector('#find .main').click(), true)`)
	p.await("the refusal", `document.querySelector('#find-said.bad')?.textContent.includes('identity has 10500 bytes, the limit is 1024')`)
	if n := gives[int](p, `document.querySelectorAll('img, iframe, b b, main script, i i, u').length`); n > 0 {
		t.Errorf("%d elements are not the page's own", n)
	}
	if gives[bool](p, `'hacked' in window`) {
		t.Error("a script of a name has run")
	}
}

// A page too many is told why, tries again, and is served when there is room. A dashboard that ends is told of, too.
func TestRefusedPage(t *testing.T) {
	_, board, url := serve(t, dashboard.WithViewers(1))
	p := open(t, url)
	p.await("the first page", `document.querySelector('#health.good')`)
	q := p.another(url)
	q.await("the refusal", `document.querySelector('#banner').textContent.includes('as many pages are open as it serves at a time, 1')`)
	p.do("leave the first page", navigateAway)
	q.await("the second page", `document.querySelector('#health.good') && document.querySelector('#banner').hidden`)
	board.Close()
	q.await("the end", `document.querySelector('#banner').textContent.includes('Trying again in') && document.querySelector('#health.bad')`)
}

// What changes something is asked about first, by keyboard as well.
func TestDrain(t *testing.T) {
	c, _, url := serve(t, dashboard.WithAllow(admin.Drain), dashboard.WithAdmin(admin.Allow(admin.Drain)))
	p := open(t, url)
	p.await("the button", `document.querySelector('#members tbody button')`)
	_ = gives[bool](p, `(document.querySelector('#members tbody button').click(), true)`)
	p.await("the question", `document.querySelector('#confirm').open && document.querySelector('#confirm').textContent.includes('no way back')`)
	_ = gives[bool](p, `(document.querySelector('#confirm button[value=no]').click(), true)`)
	p.await("no", `!document.querySelector('#confirm').open`)
	p.await("the question again", `(document.querySelector('#members tbody button').click(), document.querySelector('#confirm').open)`)
	_ = gives[bool](p, `(document.querySelector('#confirm-yes').click(), true)`)
	p.await("the member leaves", `document.querySelector('#members tbody .badge').textContent === 'leaving'`)
	if c.View().Members[0].State.String() != "leaving" {
		t.Errorf("the member is %v", c.View().Members[0].State)
	}
}
