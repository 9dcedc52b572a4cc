package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// reserved tells why an rpc cannot have a Go name.
var reserved = map[string]string{
	"Init":           "every grain has a method Init(id string)",
	"Terminate":      "every grain has a method Terminate()",
	"ReceiveDefault": "every grain has a method ReceiveDefault(actor.Context)",
	"ID":             "it would hide the method ID() of cluster.Grain, which grains embed",
	"Grain":          "grains embed cluster.Grain, and a field Grain admits no such method",
	"OnActivate":     "it is a grain's optional method for the begin of an activation",
	"OnDeactivate":   "it is a grain's optional method for the end of an activation",
}

// checkServices reports everything for which no code can be generated from a
// file, each with its place in the .proto file and what to do.
func checkServices(gen *protogen.Plugin, file *protogen.File) []error {
	problems := checkOutput(gen, file)
	declared := declarations(gen, file.GoImportPath)
	for _, service := range file.Services {
		for _, identifier := range identifiers(service) {
			if other := declared[identifier]; other.desc != service.Desc {
				problems = append(problems, problem(service.Desc,
					"its code declares %s, which is also declared for %s; rename one of them", identifier, other))
				break
			}
		}
		problems = append(problems, checkMethods(service)...)
	}
	return problems
}

// checkOutput sees to it that the file written is not that of another .proto
// file's messages.
func checkOutput(gen *protogen.Plugin, file *protogen.File) []error {
	for _, other := range gen.Files {
		if other.GeneratedFilenamePrefix+".pb.go" == file.GeneratedFilenamePrefix+suffix {
			return []error{problem(file.Desc,
				"its grains go to %s, as do the messages of %s; rename one of the two files",
				file.GeneratedFilenamePrefix+suffix, other.Desc.Path())}
		}
	}
	return nil
}

// checkMethods reports the rpcs that are streams or whose Go names cannot be.
func checkMethods(service *protogen.Service) []error {
	var problems []error
	taken := make(map[string]protoreflect.MethodDescriptor)
	for _, method := range service.Methods {
		desc := method.Desc
		if desc.IsStreamingClient() || desc.IsStreamingServer() {
			problems = append(problems, problem(desc,
				"it is a stream, and a grain answers one message with one message; drop the word stream, "+
					"or move the rpc to a file that is not given to protoc-gen-go-grain"))
		}
		if _, err := optionsOf(desc); err != nil {
			problems = append(problems, err)
		}
		if why, ok := reserved[method.GoName]; ok {
			problems = append(problems, problem(desc,
				"a grain's method cannot be called %s: %s; rename the rpc, for example to %s%s",
				method.GoName, why, method.GoName, service.GoName))
			continue
		}
		for _, name := range []string{method.GoName, method.GoName + "Context"} {
			if other, ok := taken[name]; ok {
				problems = append(problems, problem(desc,
					"the client's method %s is also that of the rpc %s; rename one of them", name, other.Name()))
				continue
			}
			taken[name] = desc
		}
	}
	return problems
}

// problem words an error about a file, a service or an rpc.
func problem(desc protoreflect.Descriptor, format string, args ...any) error {
	file := desc.ParentFile()
	where := file.Path()
	if location := file.SourceLocations().ByDescriptor(desc); location.Path != nil {
		where = fmt.Sprintf("%s:%d:%d", where, location.StartLine+1, location.StartColumn+1)
	}
	switch desc := desc.(type) {
	case protoreflect.MethodDescriptor:
		where += fmt.Sprintf(": service %s, rpc %s", desc.Parent().Name(), desc.Name())
	case protoreflect.ServiceDescriptor:
		where += fmt.Sprintf(": service %s", desc.Name())
	}
	return fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
}
