package main

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// protoFile parses one FileDescriptorProto. Files without a syntax are proto3
// and have the messages Q and A; {{PKG}} stands for a go_package option.
func protoFile(t *testing.T, text string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	text = strings.ReplaceAll(text, "{{PKG}}", `options { go_package: "example.com/app/messages" }`)
	file := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal([]byte(text), file); err != nil {
		t.Fatalf("the test's own descriptor: %v", err)
	}
	if file.Syntax == nil {
		file.Syntax = new("proto3")
		file.MessageType = append(file.MessageType,
			&descriptorpb.DescriptorProto{Name: new("Q")},
			&descriptorpb.DescriptorProto{Name: new("A")})
	}
	return file
}

// ask hands files to the plugin, to be generated all of them.
func ask(t *testing.T, parameter string, files ...string) *pluginpb.CodeGeneratorResponse {
	t.Helper()
	req := &pluginpb.CodeGeneratorRequest{Parameter: new(parameter)}
	for _, text := range files {
		file := protoFile(t, text)
		req.ProtoFile = append(req.ProtoFile, file)
		req.FileToGenerate = append(req.FileToGenerate, file.GetName())
	}
	return respond(req)
}

// output asks for one file and returns its name and text.
func output(t *testing.T, parameter string, files ...string) (name, text string) {
	t.Helper()
	response := ask(t, parameter, files...)
	if response.Error != nil {
		t.Fatal(response.GetError())
	}
	if len(response.GetFile()) != 1 {
		t.Fatalf("got %d files, want 1", len(response.GetFile()))
	}
	return response.GetFile()[0].GetName(), response.GetFile()[0].GetContent()
}

const ponger = `name: "app/ponger.proto" package: "app" {{PKG}}
	service { name: "Ponger" method { name: "Ping" input_type: ".app.Q" output_type: ".app.A" } }`

func TestOutputName(t *testing.T) {
	for parameter, want := range map[string]string{
		"":                       "example.com/app/messages/ponger_grain.pb.go",
		"paths=import":           "example.com/app/messages/ponger_grain.pb.go",
		"paths=source_relative":  "app/ponger_grain.pb.go",
		"module=example.com/app": "messages/ponger_grain.pb.go",
		"Mapp/ponger.proto=example.com/other;pongs": "example.com/other/ponger_grain.pb.go",
	} {
		if name, _ := output(t, parameter, ponger); name != want {
			t.Errorf("with %q: wrote %s, want %s", parameter, name, want)
		}
	}
}

func TestPackageGivenByOption(t *testing.T) {
	const bare = `name: "ponger.proto"
		service { name: "Ponger" method { name: "Ping" input_type: ".Q" output_type: ".A" } }`
	_, text := output(t, "Mponger.proto=example.com/app/messages", bare)
	if !strings.Contains(text, "\npackage messages\n") {
		t.Errorf("no package clause of messages in:\n%s", text)
	}
}

func TestNoServicesNoFile(t *testing.T) {
	response := ask(t, "", `name: "messages.proto" {{PKG}}`)
	if response.Error != nil || len(response.GetFile()) != 0 {
		t.Errorf("got %v, want neither files nor an error", response)
	}
}

func TestImportedServicesAreNotGenerated(t *testing.T) {
	const imported = `name: "a.proto" package: "a" options { go_package: "example.com/a" } service { name: "S"
		method { name: "Init" input_type: ".a.Q" output_type: ".a.A" server_streaming: true } }`
	const main = `name: "main.proto" package: "main" {{PKG}} dependency: "a.proto"`
	response := respond(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{"main.proto"},
		ProtoFile:      []*descriptorpb.FileDescriptorProto{protoFile(t, imported), protoFile(t, main)},
	})
	if response.Error != nil || len(response.GetFile()) != 0 {
		t.Errorf("got %v, want neither files nor an error", response)
	}
}

func TestOutputIsTheSameEachTime(t *testing.T) {
	const other = `name: "b.proto" package: "b" options { go_package: "example.com/app/ctx" }
		service { name: "Other" }`
	const both = `name: "a.proto" package: "a" {{PKG}} dependency: "b.proto" service {
		name: "Ponger"
		method { name: "One" input_type: ".b.Q" output_type: ".a.A" }
		method { name: "Two" input_type: ".a.Q" output_type: ".b.A" } }`
	first := ask(t, "", other, both)
	for range 20 {
		if again := ask(t, "", other, both); !proto.Equal(first, again) {
			t.Fatalf("first\n%v\nthen\n%v", first, again)
		}
	}
}

func TestEditions(t *testing.T) {
	for _, edition := range []string{
		`syntax: "proto2"`,
		`syntax: "proto3"`,
		`syntax: "editions" edition: EDITION_2023`,
		`syntax: "editions" edition: EDITION_2024`,
	} {
		output(t, "", edition+` name: "e.proto" {{PKG}} message_type { name: "M" }
			service { name: "Echo" method { name: "Say" input_type: ".M" output_type: ".M" } }`)
	}
	response := ask(t, "", ponger)
	if response.GetMaximumEdition() != int32(descriptorpb.Edition_EDITION_2024) {
		t.Errorf("maximum edition is %d", response.GetMaximumEdition())
	}
}

func TestParameters(t *testing.T) {
	for parameter, want := range map[string]string{
		"colour=blue":                "unknown option \"colour\": protoc-gen-go-grain has paths=import, paths=source_relative, module=PREFIX and M<file>=<import path>",
		"paths=source_relative,gprc": "unknown option \"gprc\"",
		"paths=sideways":             "sideways",
		"Mapp/ponger.proto=messages": "messages",
	} {
		bare := strings.ReplaceAll(ponger, "{{PKG}}", "")
		if got := ask(t, parameter, ponger).GetError(); parameter[0] != 'M' && !strings.Contains(got, want) {
			t.Errorf("with %q: %q, want %q", parameter, got, want)
		}
		if got := ask(t, parameter, bare).GetError(); parameter[0] == 'M' && !strings.Contains(got, want) {
			t.Errorf("with %q: %q, want %q", parameter, got, want)
		}
	}
}

func TestNoPackageShowsTheCommand(t *testing.T) {
	const common = `name: "common/types.proto" package: "common"`
	const app = `name: "protos.proto" package: "app" dependency: "common/types.proto"
		service { name: "Ponger" method { name: "Ping" input_type: ".app.Q" output_type: ".common.A" } }`
	const want = `no Go package is known for common/types.proto, protos.proto. Either write it into the file, for example

	option go_package = "example.com/app/common";

or say it to both plugins on the command line:

	protoc --go_out=. --go_opt=paths=source_relative,Mcommon/types.proto=example.com/app/common,Mprotos.proto=example.com/app/messages \
	  --go-grain_out=. --go-grain_opt=paths=source_relative,Mcommon/types.proto=example.com/app/common,Mprotos.proto=example.com/app/messages \
	  common/types.proto protos.proto

with the import path of the folder that holds the generated code in place of example.com/…`
	if got := ask(t, "", common, app).GetError(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	const given = "module=example.com/x,Mcommon/types.proto=example.com/x/common"
	got := ask(t, given, common, app).GetError()
	if !strings.HasPrefix(got, "no Go package is known for protos.proto. ") ||
		!strings.Contains(got, "--go-grain_opt="+given+",Mprotos.proto=example.com/app/messages ") {
		t.Errorf("want protos.proto alone, and the options as given: %s", got)
	}
}

func TestRun(t *testing.T) {
	file := protoFile(t, ponger)
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file.GetName()},
		ProtoFile:      []*descriptorpb.FileDescriptorProto{file},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(bytes.NewReader(request), &out); err != nil {
		t.Fatal(err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out.Bytes(), response); err != nil {
		t.Fatal(err)
	}
	if _, want := output(t, "", ponger); response.GetFile()[0].GetContent() != want {
		t.Error("run answers otherwise than respond")
	}
	if err := run(strings.NewReader("syntax = \"proto3\";"), &out); err == nil {
		t.Error("a .proto file on standard input was taken for a request")
	}
}
