// Package examples is the module of the example programs; it holds no code
// itself. Each folder is one example, with a README.md; that of this folder says
// which one answers which question.
package examples
