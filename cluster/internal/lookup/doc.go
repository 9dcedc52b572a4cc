// Package lookup is what the identity lookups have in common: they say where an identity is active, and have it
// activated where it is not.
//
// There are two, with the same shape: package partition, the default, by which the members themselves remember, and
// package directory, which keeps entries in a database. Package cluster uses the one or the other. Here are what it
// tells them ([Config]), what they answer ([Activation] and the errors), and what both do in the same way: callers of
// one identity share a question ([Flights]), and strategies of the application choose members ([Chooser]).
package lookup
