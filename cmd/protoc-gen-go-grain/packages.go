package main

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"google.golang.org/protobuf/types/pluginpb"
)

// withoutPackage lists the files of a request, generated or imported, whose Go
// package neither they nor an M option tell.
func withoutPackage(req *pluginpb.CodeGeneratorRequest) []string {
	mapped := make(map[string]bool)
	for param := range strings.SplitSeq(req.GetParameter(), ",") {
		if file, ok := strings.CutPrefix(param, "M"); ok {
			file, _, _ = strings.Cut(file, "=")
			mapped[file] = true
		}
	}
	var missing []string
	for _, file := range req.GetProtoFile() {
		if file.GetOptions().GetGoPackage() == "" && !mapped[file.GetName()] {
			missing = append(missing, file.GetName())
		}
	}
	return missing
}

// packageError tells how to say the Go packages of the missing files, with a
// command to copy: the options that were given and those that are missing.
func packageError(req *pluginpb.CodeGeneratorRequest, missing []string) error {
	opts := []string{cmp.Or(req.GetParameter(), "paths=source_relative")}
	for _, file := range missing {
		opts = append(opts, fmt.Sprintf("M%s=%s", file, exampleImportPath(file)))
	}
	opt := strings.Join(opts, ",")
	return fmt.Errorf(`no Go package is known for %s. Either write it into the file, for example

	option go_package = %q;

or say it to both plugins on the command line:

	protoc --go_out=. --go_opt=%s \
	  --go-grain_out=. --go-grain_opt=%s \
	  %s

with the import path of the folder that holds the generated code in place of example.com/…`,
		strings.Join(missing, ", "), exampleImportPath(missing[0]), opt, opt,
		strings.Join(req.GetFileToGenerate(), " "))
}

// exampleImportPath gives an import path that fits where the file lies.
func exampleImportPath(file string) string {
	dir := path.Dir(file)
	if dir == "." {
		dir = "messages"
	}
	return path.Join("example.com/app", dir)
}
