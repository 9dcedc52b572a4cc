package granaryotel_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scraped are the labels of each metric, as Prometheus gets them.
type scraped map[string]map[string]bool

var sample = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? `)

// scrape gets the metrics of a process by HTTP.
func (s scraped) scrape(t *testing.T, p *process) {
	t.Helper()
	server := httptest.NewServer(promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	defer server.Close()
	reply, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusOK {
		t.Fatal(reply.Status)
	}
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if m := sample.FindStringSubmatch(line); m != nil {
			if s[m[1]] == nil {
				s[m[1]] = make(map[string]bool)
			}
			for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
				s[m[1]][l[1]] = true
			}
		}
	}
}

var (
	labelName = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	braces    = regexp.MustCompile(`\{[^{}]*\}`)
	grouping  = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	quoted    = regexp.MustCompile(`"[^"]*"`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	word      = regexp.MustCompile(`\b[a-zA-Z_]\w*(\s*\()?`)
	operators = []string{"or", "and", "unless", "offset"}
	target    = []string{"job", "instance"} // what Prometheus adds
)

// uses gives the metrics of an expression, each with the labels that the expression
// wants of it or of all.
func uses(expr string) map[string][]string {
	metrics := make(map[string][]string)
	var common []string
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			common = append(common, strings.TrimSpace(l))
		}
	}
	rest := grouping.ReplaceAllString(expr, "")
	for _, m := range regexp.MustCompile(`(\w+)(\{[^{}]*\})`).FindAllStringSubmatch(rest, -1) {
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			metrics[m[1]] = append(metrics[m[1]], l[1])
		}
	}
	rest = ranges.ReplaceAllString(quoted.ReplaceAllString(braces.ReplaceAllString(rest, ""), ""), "")
	for _, w := range word.FindAllString(rest, -1) {
		if !strings.HasSuffix(w, "(") && !slices.Contains(operators, strings.TrimSpace(strings.TrimSuffix(w, "("))) {
			metrics[w] = append(metrics[w], common...)
		}
	}
	return metrics
}

// check reports what an expression wants that nobody exports.
func (s scraped) check(t *testing.T, where, expr string) {
	t.Helper()
	all := uses(expr)
	if len(all) == 0 {
		t.Errorf("%s has no metric: %s", where, expr)
	}
	for metric, labels := range all {
		has, exported := s[metric]
		if !exported {
			t.Errorf("%s wants %s, which nobody exports: %s", where, metric, expr)
			continue
		}
		for _, l := range labels {
			if !has[l] && !slices.Contains(target, l) {
				t.Errorf("%s wants %s of %s, which has %v: %s", where, l, metric, slices.Sorted(maps.Keys(has)), expr)
			}
		}
	}
}

// alertRules gives the expressions of the alerts, by their names.
func alertRules(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	exprs := make(map[string]string)
	for _, rule := range regexp.MustCompile(`- alert: (\w+)\n\s+expr: ((?:>-\n(?:\s{10,}.*\n)+)|.*\n)`).FindAllStringSubmatch(string(text), -1) {
		exprs[rule[1]] = strings.TrimPrefix(rule[2], ">-")
	}
	if n := strings.Count(string(text), "- alert:"); n == 0 || n != len(exprs) {
		t.Fatalf("of %d alerts, %d could be read", n, len(exprs))
	}
	return exprs
}

// dashboard gives the expressions and label sources of the dashboard.
func dashboard(t *testing.T) (exprs []string) {
	t.Helper()
	text, err := os.ReadFile("grafana/granary.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Type       string `json:"type"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, to := range p.Targets {
			exprs = append(exprs, to.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			exprs = append(exprs, regexp.MustCompile(`label_values\((.*), \w+\)`).ReplaceAllString(v.Definition, "$1"))
		}
	}
	return exprs
}

// What the dashboard and the alert rules ask for, a running cluster exports, and the
// dashboard shows every metric.
func TestDashboardAndAlerts(t *testing.T) {
	w := newWorld(t)
	member, client := exercise(t, w)
	all := make(scraped)
	all.scrape(t, member)
	all.scrape(t, client)
	for name, expr := range alertRules(t) {
		all.check(t, "the alert "+name, expr)
	}
	shown := make(map[string]bool)
	for _, expr := range dashboard(t) {
		all.check(t, "the dashboard", expr)
		for metric := range uses(expr) {
			shown[metric] = true
		}
	}
	for metric := range all {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(metric, "_sum"), "_count"), "_bucket")
		if strings.HasPrefix(metric, "granary_") && !shown[metric] && !shown[base+"_bucket"] {
			t.Errorf("the dashboard does not show %s", metric)
		}
	}
}

// The reader of expressions finds what is wrong with them.
func TestUsesOfExpressions(t *testing.T) {
	all := scraped{"granary_a_total": {"granary_kind": true}, "granary_b_bucket": {"le": true}}
	for expr, fine := range map[string]bool{
		`sum by (job, granary_kind) (rate(granary_a_total{granary_kind=~"x|y"}[5m])) > 1 * 1024`: true,
		`histogram_quantile(0.9, sum by (le) (rate(granary_b_bucket[$__rate_interval])))`:        true,
		`granary_a_total unless granary_a_total offset 10m or (granary_a_total)`:                 true,
		`granary_a_total / on (job) granary_c`:                                                   false,
		`granary_a_total{error_type!=""}`:                                                        false,
		`sum by (granary_method) (granary_a_total)`:                                              false,
	} {
		problems := false
		for metric, labels := range uses(expr) {
			has, exported := all[metric]
			problems = problems || !exported
			for _, l := range labels {
				problems = problems || !has[l] && !slices.Contains(target, l)
			}
		}
		if problems == fine {
			t.Errorf("%s: %v", expr, uses(expr))
		}
	}
}
