module github.com/granary-go/granary/test

go 1.26.0
