module github.com/granary-go/granary/examples

go 1.26.0

require (
	github.com/granary-go/granary v0.0.0
	google.golang.org/protobuf v1.36.12
)

replace github.com/granary-go/granary => ../
