package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A source is one compiled .proto file, followed by nothing but what a plugin must be told about it.
type source struct {
	file *descriptorpb.FileDescriptorProto
	// all holds file and everything it imports, imports first, as CodeGeneratorRequest wants them.
	all []*descriptorpb.FileDescriptorProto
}

// compile compiles the file at name, a slashed path below root, from which its imports count too.
//
// Each file is compiled on its own. Files of one run may then declare the same names, as golden cases do.
func compile(ctx context.Context, root, name string) (source, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard, // comments reach the plugins this way
	}
	files, err := compiler.Compile(ctx, name)
	if err != nil {
		return source{}, fmt.Errorf("%s: %w", filepath.Join(root, name), err)
	}
	var s source
	seen := map[string]bool{}
	s.add(seen, files[0])
	s.file = s.all[len(s.all)-1]
	return s, nil
}

func (s *source) add(seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		s.add(seen, resolved(file, imports.Get(i)))
	}
	s.all = append(s.all, protoutil.ProtoFromFileDescriptor(file))
}

// resolved gives the whole descriptor of an import; what an import statement holds may be a placeholder of it.
func resolved(file protoreflect.FileDescriptor, imp protoreflect.FileImport) protoreflect.FileDescriptor {
	if linked, ok := file.(linker.File); ok {
		if dep := linked.FindImportByPath(imp.Path()); dep != nil {
			return dep
		}
	}
	return imp.FileDescriptor
}

// ours tells whether the file generates Go code of the house.
func (s *source) ours() bool {
	pkg := s.file.GetOptions().GetGoPackage()
	pkg, _, _ = strings.Cut(pkg, ";")
	return pkg == modulePath || strings.HasPrefix(pkg, modulePath+"/")
}
