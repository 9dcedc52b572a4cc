package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "print which granary this is",
		Long:  "version prints which granary this is. 'granary members' has the versions of members.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			text := describe(info)
			if !asJSON {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"version": text, "go": runtime.Version()})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// describe gives the version of a build: that of the module when it was
// installed by one, and the commit when it was built in a checkout.
func describe(info *debug.BuildInfo) string {
	version, revision, changed := "(unknown)", "", ""
	if info != nil {
		version = info.Main.Version
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = " commit " + s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with changes"
			}
		}
	}
	if version == "" {
		version = "(devel)"
	}
	return fmt.Sprintf("granary %s%s%s, %s %s/%s", version, revision, changed, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
