module github.com/granary-go/granary/cluster/zk

go 1.26.0

require (
	github.com/go-zookeeper/zk v1.0.4
	github.com/granary-go/granary v0.0.0
)

replace github.com/granary-go/granary => ../..
