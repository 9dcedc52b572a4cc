package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

var unreleased = regexp.MustCompile(`(?m)^## \[Unreleased\]\n`)

// releaseChangelog makes what is under "Unreleased" in a changelog a version of a day, and leaves an empty section for
// what comes next.
func releaseChangelog(file, version string, day time.Time) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed, err := changelog(string(text), version, day)
	if err != nil {
		return fmt.Errorf("%s: %w", "CHANGELOG.md", err)
	}
	return os.WriteFile(file, []byte(changed), 0o644)
}

func changelog(text, version string, day time.Time) (string, error) {
	heading := fmt.Sprintf("## [%s]", strings.TrimPrefix(version, "v"))
	at := unreleased.FindStringIndex(text)
	switch {
	case at == nil:
		return "", errors.New(`there is no section "## [Unreleased]": write it, with what users will notice`)
	case strings.Contains(text, "\n"+heading):
		return "", fmt.Errorf("there is the section %q already", heading)
	}
	section, _, _ := strings.Cut(text[at[1]:], "\n## ")
	if !strings.Contains("\n"+section, "\n- ") {
		return "", errors.New(`nothing is listed under "## [Unreleased]": write what users will notice`)
	}
	return text[:at[1]] + "\n" + heading + " - " + day.Format(time.DateOnly) + "\n" + text[at[1]:], nil
}
