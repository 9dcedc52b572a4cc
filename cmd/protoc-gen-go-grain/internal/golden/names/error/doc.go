// Package error is called as a type of the language.
package error
