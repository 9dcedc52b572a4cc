// Package ctx is called as a parameter of generated code.
package ctx
