module github.com/granary-go/granary/bench

go 1.26.0
