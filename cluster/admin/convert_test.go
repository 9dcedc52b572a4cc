package admin

import "testing"

// What is cut is cut between characters.
func TestClean(t *testing.T) {
	for text, want := range map[string]string{"abc": "abc", "abcdef": "abcd…", "abcéf": "abc…", "abéf": "abé…", "a\xffb": "a\uFFFDb"} {
		if got := clean(text, 4); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}
