// Package comments is a golden case: comments of all forms, and what is
// deprecated.
package comments
