package main

import (
	"bytes"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/comments"
	_ "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/edition2023"
	_ "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/names"
	_ "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/options"
	_ "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/proto2"
	_ "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/services"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	modulePath = "github.com/granary-go/granary"
	thisFolder = "cmd/protoc-gen-go-grain" // below the module's root
)

// goldenFiles lists the .proto files of the golden cases, by the names under
// which their descriptors are registered: their paths below the module's root.
func goldenFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("internal/golden", func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".proto" {
			files = append(files, path.Join(thisFolder, filepath.ToSlash(name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// compiled makes the request of a compiler out of what protoc-gen-go has put
// into the Go package of a golden case: all but the comments.
func compiled(t *testing.T, name string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	req := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{name},
		Parameter:      new("module=" + modulePath),
	}
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		req.ProtoFile = append(req.ProtoFile, protodesc.ToFileDescriptorProto(file))
	}
	file, err := protoregistry.GlobalFiles.FindFileByPath(name)
	if err != nil {
		t.Fatalf("%v: is its Go package imported above?", err)
	}
	add(file)
	return req
}

// code reads Go source and gives it without comments.
func code(t *testing.T, text []byte) string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	// Lines that held comments are not to count.
	var out bytes.Buffer
	for _, declaration := range file.Decls {
		if err := format.Node(&out, token.NewFileSet(), declaration); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	for _, name := range goldenFiles(t) {
		t.Run(strings.TrimPrefix(name, thisFolder+"/internal/golden/"), func(t *testing.T) {
			response := respond(compiled(t, name))
			if response.Error != nil {
				t.Fatal(response.GetError())
			}
			committed := strings.TrimSuffix(name, ".proto") + suffix
			want, err := os.ReadFile(filepath.FromSlash(strings.TrimPrefix(committed, thisFolder+"/")))
			if len(response.GetFile()) == 0 {
				if err == nil {
					t.Errorf("%s is there, and nothing generates it", committed)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := response.GetFile()[0].GetName(); got != committed {
				t.Fatalf("wrote %s, want %s", got, committed)
			}
			got := code(t, []byte(response.GetFile()[0].GetContent()))
			if want := code(t, want); got != want {
				t.Errorf("%s is stale (make generate)\ngot\n%s\nwant\n%s", committed, got, want)
			}
		})
	}
}
