package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// declaration is what a Go identifier was declared for.
type declaration struct {
	what string
	desc protoreflect.Descriptor
}

// String names it for an error: "message PongerActor in ponger.proto".
func (d declaration) String() string {
	return fmt.Sprintf("the %s %s in %s", d.what, d.desc.Name(), d.desc.ParentFile().Path())
}

// identifiers lists what the code of a service declares in its Go package.
func identifiers(service *protogen.Service) []string {
	return []string{
		service.GoName,
		"New" + service.GoName + "Kind",
		service.GoName + "Factory",
		service.GoName + "Actor",
		service.GoName + "GrainClient",
		"Get" + service.GoName + "GrainClient",
	}
}

// declarations finds what the files of a request declare in a Go package: for
// their messages, as protoc-gen-go does, and for their services. The first
// one has the name; messages come before services.
func declarations(gen *protogen.Plugin, pkg protogen.GoImportPath) map[string]declaration {
	declared := make(map[string]declaration)
	declare := func(name, what string, desc protoreflect.Descriptor) {
		if _, taken := declared[name]; !taken {
			declared[name] = declaration{what: what, desc: desc}
		}
	}
	for _, file := range gen.Files {
		if file.GoImportPath == pkg {
			declareEnums(file.Enums, declare)
			declareMessages(file.Messages, declare)
		}
	}
	for _, file := range gen.Files {
		if file.GoImportPath != pkg {
			continue
		}
		for _, service := range file.Services {
			for _, identifier := range identifiers(service) {
				declare(identifier, "service", service.Desc)
			}
		}
	}
	return declared
}

type declareFunc func(name, what string, desc protoreflect.Descriptor)

func declareMessages(messages []*protogen.Message, declare declareFunc) {
	for _, message := range messages {
		declare(message.GoIdent.GoName, "message", message.Desc)
		declareEnums(message.Enums, declare)
		declareMessages(message.Messages, declare)
		for _, field := range message.Fields {
			if field.Oneof != nil && !field.Oneof.Desc.IsSynthetic() {
				declare(field.GoIdent.GoName, "oneof field", field.Desc)
			}
		}
	}
}

func declareEnums(enums []*protogen.Enum, declare declareFunc) {
	for _, enum := range enums {
		declare(enum.GoIdent.GoName, "enum", enum.Desc)
		for _, value := range enum.Values {
			declare(value.GoIdent.GoName, "enum value", value.Desc)
		}
	}
}
