package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// modules is where the modules of the servers lie, from the root of the house.
const modules = "test/servers"

// A server is a program that tests start.
type server struct {
	name   string // of the program, and of the server
	folder string // of its module, below modules
	module string // the module whose version is the server's
	pkg    string // the package of the program
	flags  string // of the linker, besides those that make it small; VERSION stands for the version
	takes  string // how long a build takes when nothing is cached, for people
}

var catalogue = []server{
	{
		name: "etcd", folder: "etcd",
		module: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3",
		takes: "about 2 minutes on one core",
	},
	{
		name: "consul", folder: "consul",
		module: "github.com/hashicorp/consul", pkg: "github.com/hashicorp/consul",
		takes: "8 to 16 minutes on one core",
	},
	{
		name: "kube-apiserver", folder: "kubernetes",
		module: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver",
		// Without it the server says that it is v0.0.0-master.
		flags: "-X k8s.io/component-base/version.gitVersion=VERSION",
		takes: "about 12 minutes on one core",
	},
	{
		name: "ferretdb", folder: "ferretdb",
		module: "github.com/FerretDB/FerretDB", pkg: "github.com/granary-go/granary/test/servers/ferretdb",
		takes: "2 to 3 minutes on one core",
	},
}

// choose gives the servers of these names, in the order of the catalogue; all of them without names.
func choose(all []server, names []string) ([]server, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []server
	var known []string
	for _, s := range all {
		known = append(known, s.name)
		if slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no server %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// version reads which version of the server its module pins, without the network.
func (s server) version(ctx context.Context, root string) (string, error) {
	text, err := goCommand(ctx, filepath.Join(root, modules, s.folder), "mod", "edit", "-json").Output()
	if err != nil {
		return "", fmt.Errorf("%s: reading %s/%s/go.mod: %w", s.name, modules, s.folder, err)
	}
	var mod struct {
		Require []struct {
			Path    string `json:"Path"`
			Version string `json:"Version"`
		} `json:"Require"`
	}
	if err := json.Unmarshal(text, &mod); err != nil {
		return "", fmt.Errorf("%s: reading %s/%s/go.mod: %w", s.name, modules, s.folder, err)
	}
	for _, required := range mod.Require {
		if required.Path == s.module {
			return required.Version, nil
		}
	}
	return "", fmt.Errorf("%s: %s/%s/go.mod does not require %s", s.name, modules, s.folder, s.module)
}
