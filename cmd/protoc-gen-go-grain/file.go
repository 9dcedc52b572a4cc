package main

import (
	"bytes"
	_ "embed" // for the template
	"fmt"
	"go/format"
	"strings"
	"text/template"

	"google.golang.org/protobuf/compiler/protogen"
)

// suffix is what follows the name of the .proto file in that of the generated
// one. It ends in .pb.go as all generated protobuf code does, so that what
// passes over such files passes over this one.
const suffix = "_grain.pb.go"

// source is the generated file, with the holes that grainFile fills.
//
//go:embed grain.go.tmpl
var source string

var fileTemplate = template.Must(template.New("grain.go.tmpl").
	Funcs(template.FuncMap{"doc": docComment}).
	Parse(source))

// grainFile is what the template needs to know of a .proto file.
type grainFile struct {
	Licence    string
	Version    string
	Source     string
	Deprecated bool
	Package    string
	HasMethods bool
	Imports    []goImport
	Services   []grainService
}

// grainService is one service, and so one kind of grain.
type grainService struct {
	Kind       string // the name in the .proto file
	GoName     string
	Private    string // how unexported identifiers begin
	Comment    string
	Deprecated string
	Methods    []grainMethod
}

// grainMethod is one rpc.
type grainMethod struct {
	Name              string // the name in the .proto file, sent with each call
	GoName            string
	Comment           string
	Deprecated        string
	Request, Response string // Go types, without the star
	Reenterable       bool
	Options           string // Go code of the options that its calls have
	Doc, CallDoc      string // what its options mean
}

// generateFile writes the Go file of a .proto file whose services have passed
// checkServices.
func generateFile(gen *protogen.Plugin, file *protogen.File) error {
	var text bytes.Buffer
	if err := fileTemplate.Execute(&text, describeFile(gen, file)); err != nil {
		return err
	}
	code, err := format.Source(text.Bytes())
	if err != nil {
		return fmt.Errorf("the generated code is not Go, which is a fault of protoc-gen-go-grain: %w", err)
	}
	g := gen.NewGeneratedFile(file.GeneratedFilenamePrefix+suffix, file.GoImportPath)
	_, err = g.Write(code)
	return err
}

func describeFile(gen *protogen.Plugin, file *protogen.File) grainFile {
	described := grainFile{
		Licence:    licence(file),
		Version:    version,
		Source:     file.Desc.Path(),
		Deprecated: isDeprecated(file.Desc),
		Package:    string(file.GoPackageName),
	}
	imports := newImports(gen, file)
	for _, service := range file.Services {
		described.Services = append(described.Services, describeService(service, imports))
		described.HasMethods = described.HasMethods || len(service.Methods) > 0
	}
	described.Imports = imports.list
	return described
}

func describeService(service *protogen.Service, imports *imports) grainService {
	described := grainService{
		Kind:       string(service.Desc.Name()),
		GoName:     service.GoName,
		Private:    privateName(service),
		Comment:    string(service.Comments.Leading),
		Deprecated: deprecation(service.Desc),
	}
	for _, method := range service.Methods {
		options, _ := optionsOf(method.Desc) // checked before
		described.Methods = append(described.Methods, grainMethod{
			Name:       string(method.Desc.Name()),
			GoName:     method.GoName,
			Comment:    string(method.Comments.Leading),
			Deprecated: deprecation(method.Desc),
			Request:    imports.typeName(method.Input),
			Response:   imports.typeName(method.Output),

			Reenterable: options.reenterable,
			Options:     options.callOptions(),
			Doc:         options.methodDoc(),
			CallDoc:     options.callDoc(),
		})
	}
	return described
}

// privateName is how a service's unexported identifiers begin. Go names that
// differ give different ones, as all begin in upper case.
func privateName(service *protogen.Service) string {
	return strings.ToLower(service.GoName[:1]) + service.GoName[1:] + "Grain"
}
