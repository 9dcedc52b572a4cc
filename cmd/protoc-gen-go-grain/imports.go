package main

import (
	"fmt"
	"go/types"

	"google.golang.org/protobuf/compiler/protogen"
)

// templateNames are the names that the template uses within a file: those of
// its own imports, and of the parameters and variables inside whose scope it
// also writes the types of messages.
var templateNames = []string{
	"actor", "atomic", "cluster", "context", "proto", "time",
	"a", "c", "ctx", "factory", "grain", "id", "opts", "req", "set",
}

// goImport is one line of the import declaration.
type goImport struct {
	Name string
	Path string
}

// imports gives the packages of messages names under which one generated file
// imports them. protogen has such a thing, but knows nothing of parameters: a
// package called ctx would be hidden by the parameter ctx.
type imports struct {
	gen   *protogen.Plugin
	own   protogen.GoImportPath
	taken map[string]bool
	names map[protogen.GoImportPath]string
	list  []goImport // in the order of their first use
}

func newImports(gen *protogen.Plugin, file *protogen.File) *imports {
	taken := make(map[string]bool)
	for _, name := range templateNames {
		taken[name] = true
	}
	for _, name := range types.Universe.Names() {
		taken[name] = true
	}
	for name := range declarations(gen, file.GoImportPath) {
		taken[name] = true
	}
	return &imports{
		gen:   gen,
		own:   file.GoImportPath,
		taken: taken,
		names: make(map[protogen.GoImportPath]string),
	}
}

// typeName gives the Go type of a message as the file writes it, and imports
// its package where that is another one.
func (i *imports) typeName(message *protogen.Message) string {
	path := message.GoIdent.GoImportPath
	if path == i.own {
		return message.GoIdent.GoName
	}
	name, ok := i.names[path]
	if !ok {
		name = i.free(i.gen.FilesByPath[message.Desc.ParentFile().Path()].GoPackageName)
		i.names[path] = name
		i.list = append(i.list, goImport{Name: name, Path: string(path)})
	}
	return name + "." + message.GoIdent.GoName
}

// free takes the first name of ctx, ctx1, ctx2, … that is not in use.
func (i *imports) free(name protogen.GoPackageName) string {
	free := string(name)
	for n := 1; i.taken[free]; n++ {
		free = fmt.Sprintf("%s%d", name, n)
	}
	i.taken[free] = true
	return free
}
