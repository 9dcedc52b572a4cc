package main

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// run reads one request of protoc and writes the response. What is wrong with
// the .proto files or the options goes into the response, where protoc shows
// it; the error is for a request that cannot be read or answered.
func run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	req := new(pluginpb.CodeGeneratorRequest)
	if err := proto.Unmarshal(data, req); err != nil {
		return fmt.Errorf("the request on standard input is none of protoc: %w", err)
	}
	data, err = proto.Marshal(respond(req))
	if err != nil {
		return fmt.Errorf("encoding the response: %w", err)
	}
	_, err = out.Write(data)
	return err
}

// respond answers a request. protogen.Options.Run would do the same but for
// the error of a file whose Go package is unknown, which is better told with
// the command that mends it.
func respond(req *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorResponse {
	gen, err := protogen.Options{ParamFunc: refuseParameter}.New(req)
	if err != nil {
		if missing := withoutPackage(req); len(missing) > 0 {
			err = packageError(req, missing)
		}
		return &pluginpb.CodeGeneratorResponse{Error: new(err.Error())}
	}
	gen.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
		pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	gen.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO2
	gen.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2024
	if err := generate(gen); err != nil {
		gen.Error(err)
	}
	return gen.Response()
}

// refuseParameter is asked about every option that protogen does not know.
func refuseParameter(name, _ string) error {
	return fmt.Errorf("unknown option %q: protoc-gen-go-grain has "+
		"paths=import, paths=source_relative, module=PREFIX and M<file>=<import path>", name)
}

// generate writes the grain file of every file that has services, or none
// when anything is wrong with one of them.
func generate(gen *protogen.Plugin) error {
	var files []*protogen.File
	var problems []error
	for _, file := range gen.Files {
		if file.Generate && len(file.Services) > 0 {
			files = append(files, file)
			problems = append(problems, checkServices(gen, file)...)
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	for _, file := range files {
		if err := generateFile(gen, file); err != nil {
			return fmt.Errorf("%s: %w", file.Desc.Path(), err)
		}
	}
	return nil
}
