package demo

import (
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   []string // of the error; none if the options are good
	}{
		"defaults":    {func(*Options) {}, nil},
		"unattended":  {func(o *Options) { o.For = 20 * time.Second }, nil},
		"members":     {func(o *Options) { o.Members = 1 }, []string{"--members is 1", "from 2 to 9"}},
		"grains":      {func(o *Options) { o.Grains = 0 }, []string{"--grains is 0"}},
		"rate":        {func(o *Options) { o.Rate = -1 }, []string{"--rate is -1"}},
		"ping":        {func(o *Options) { o.Ping = 0 }, []string{"--ping is 0s", "50ms"}},
		"bound":       {func(o *Options) { o.Bound = 0 }, []string{"--recover-within is 0s"}},
		"kill":        {func(o *Options) { o.KillAfter = -time.Second }, []string{"--kill-after is -1s"}},
		"order":       {func(o *Options) { o.AddAfter = o.KillAfter }, []string{"--add-after is 5s", "after the kill at 5s"}},
		"dashboard":   {func(o *Options) { o.Dashboard = "0.0.0.0:80" }, []string{"--dashboard: ", "not on the loopback"}},
		"for":         {func(o *Options) { o.For = 13 * time.Second }, []string{"--for is 13s", "at least 16s"}},
		"negative":    {func(o *Options) { o.For = -time.Second }, []string{"--for is -1s"}},
		"round":       {func(o *Options) { o.Grains = 4001 }, []string{"--grains 4001 at --rate 400", "more than 10s"}},
		"all at once": {func(o *Options) { o.Members, o.Rate = 0, 0 }, []string{"--members", "--rate"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Defaults()
			c.change(&o)
			err := o.Validate()
			if (err == nil) != (len(c.want) == 0) {
				t.Fatalf("error %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q has no %q", err, part)
				}
			}
		})
	}
}
