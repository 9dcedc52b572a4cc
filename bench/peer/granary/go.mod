module github.com/granary-go/granary/bench/peer/granary

go 1.26.0

require (
	github.com/granary-go/granary v0.0.0
	github.com/granary-go/granary/bench v0.0.0
)

replace (
	github.com/granary-go/granary => ../../..
	github.com/granary-go/granary/bench => ../..
)
