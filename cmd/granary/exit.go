package main

import (
	"errors"
	"fmt"
)

// Exit statuses. helpStatus says the same to people.
const (
	succeeded  = 0
	failed     = 1
	misused    = 2
	incomplete = 3
	notAllowed = 4
	violated   = 5
	grainSaid  = 6
)

const helpStatus = `The exit status of every verb:

  0  all went well
  1  something failed: no member was reached, or it could not do it
  2  the command line makes no sense, by itself or to the member
  3  the answer is not complete: it was printed, and some of those who were asked
     did not answer; their names are on the standard error
  4  the member does not allow it, or not to you
  5  audit has found violations
  6  call: the grain has answered, with an error`

// errMisused marks errors of the command line itself.
var errMisused = errors.New("the command line makes no sense")

// misuse makes an error one of the command line.
func misuse(err error) error { return fmt.Errorf("%w:\n%w", errMisused, err) }

// exitError is an error with an exit status of its own.
type exitError struct {
	error

	status int
}

// Unwrap gives the error.
func (e exitError) Unwrap() error { return e.error }

func statusFor(err error) int {
	if own, ok := errors.AsType[exitError](err); ok {
		return own.status
	}
	return failed
}
