package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"nothing":       {nil, succeeded, "To look at a cluster:"},
		"help":          {[]string{"demo", "--help"}, succeeded, "granary demo --for 20s"},
		"version":       {[]string{"version"}, succeeded, "granary "},
		"unknown verb":  {[]string{"dmo"}, misused, `unknown command "dmo"`},
		"unknown flag":  {[]string{"demo", "--fro", "1s"}, misused, "unknown flag: --fro\nRun 'granary demo --help'"},
		"no duration":   {[]string{"demo", "--for", "20"}, misused, `invalid argument "20" for "--for" flag`},
		"arguments":     {[]string{"demo", "now"}, misused, `"now"`},
		"bad value":     {[]string{"demo", "--members", "1", "--rate", "0"}, misused, "--members is 1: choose from 2 to 9\n--rate is 0"},
		"member":        {[]string{"demo-member"}, misused, "this is started by granary demo"},
		"hidden member": {[]string{"--help"}, succeeded, "  version     print"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			status := execute(t.Context(), c.args, nil, &out, &out)
			if status != c.status || !strings.Contains(out.String(), c.want) {
				t.Errorf("status %d, want %d with %q:\n%s", status, c.status, c.want, out.String())
			}
			if strings.Contains(out.String(), "demo-member  ") {
				t.Error("the member process is no verb for people")
			}
		})
	}
}

func TestVersion(t *testing.T) {
	build := &debug.BuildInfo{Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"},
	}}
	if got := describe(build); !strings.HasPrefix(got, "granary (devel) commit 0123456789ab with changes, go1") {
		t.Error(got)
	}
	build = &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}
	if got := describe(build); !strings.HasPrefix(got, "granary v1.2.3, go1") {
		t.Error(got)
	}
	if got := describe(nil); !strings.HasPrefix(got, "granary (unknown), ") {
		t.Error(got)
	}
}
