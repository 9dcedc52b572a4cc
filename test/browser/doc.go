// Package browser drives the dashboard in a real browser, Debian's chromium without a window. Its
// tests run under `make test-all`, which installs that; elsewhere they skip. By hand:
//
//	GRANARY_TEST_SERVERS=- go test ./... -v -args -browser.shots=/tmp/shots
//
// keeps pictures of the page at three sizes in both themes.
package browser
