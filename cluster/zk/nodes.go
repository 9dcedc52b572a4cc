package zk

import (
	"context"
	"errors"
	"path"
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"
)

// node is what the library gives of a node.
type node struct {
	data     []byte
	children []string
	stat     zk.Stat
	gone     bool
}

func get(ctx context.Context, c *client, path string) (node, error) {
	return call(ctx, c, func(conn *zk.Conn) (node, error) {
		data, stat, err := conn.Get(path)
		if err != nil {
			return node{}, err
		}
		return node{data: data, stat: *stat}, nil
	})
}

func children(ctx context.Context, c *client, path string) (node, error) {
	return call(ctx, c, func(conn *zk.Conn) (node, error) {
		names, stat, err := conn.Children(path)
		if err != nil {
			return node{}, err
		}
		return node{children: names, stat: *stat}, nil
	})
}

// create carries out operations that make nodes below a parent, and makes that, and those above it, where they are
// missing: all in one transaction.
func (s *store) create(ctx context.Context, c *client, parent string, ops ...any) error {
	for {
		missing, err := s.missing(ctx, c, parent)
		if err != nil {
			return err
		}
		_, err = call(ctx, c, func(conn *zk.Conn) ([]zk.MultiResponse, error) {
			return conn.Multi(append(missing, ops...)...)
		})
		if len(missing) == 0 || !errors.Is(err, zk.ErrNodeExists) {
			return err // or somebody else has made one of the missing meanwhile
		}
	}
}

// missing gives what makes the nodes that are missing of a path, in their order. It asks for all at once.
func (s *store) missing(ctx context.Context, c *client, p string) (ops []any, err error) {
	var paths []string
	for ; p != "/"; p = path.Dir(p) {
		paths = append(paths, p)
	}
	slices.Reverse(paths)
	there, err := each(paths, func(p string) (bool, error) {
		return call(ctx, c, func(conn *zk.Conn) (bool, error) {
			there, _, err := conn.Exists(p)
			return there, err
		})
	})
	for i, p := range paths {
		if !there[i] {
			ops = append(ops, &zk.CreateRequest{Path: p, Acl: s.acl})
		}
	}
	return ops, err
}

// atOnce bounds how many calls one call of the store makes at the same time.
const atOnce = 16

// each makes a call for each of some names, several at once, and gives what they gave, and their first error.
func each[T any](names []string, do func(name string) (T, error)) ([]T, error) {
	results, errs := make([]T, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i, name := range names {
		turn <- struct{}{}
		wg.Go(func() {
			results[i], errs[i] = do(name)
			<-turn
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return results, err
		}
	}
	return results, nil
}
