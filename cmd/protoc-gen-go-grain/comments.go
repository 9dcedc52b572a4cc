package main

import (
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// lineWidth is where the comments that this plugin words itself are broken.
// Comments of the .proto file keep their lines.
const lineWidth = 77

// The fields of a FileDescriptorProto that stand for its first line, where
// the comments of the whole file are.
const (
	syntaxField  = 12
	editionField = 14
)

// docComment writes the author's comment, a paragraph of the plugin's own and
// the one about deprecation, each of which may be empty, as one Go comment.
// Where the author has a paragraph about deprecation, that one counts.
func docComment(author, own, deprecated string) string {
	for line := range strings.Lines(author) {
		if strings.HasPrefix(strings.TrimSpace(line), "Deprecated:") {
			deprecated = ""
		}
	}
	var paragraphs []string
	for _, text := range []string{author, wrap(own), wrap(deprecated)} {
		if strings.TrimSpace(text) != "" {
			paragraphs = append(paragraphs, comment(text))
		}
	}
	return strings.Join(paragraphs, "//\n")
}

// comment puts slashes before each line, and a space after them where the
// line has none: "//go:embed" in a .proto file is no directive to Go.
func comment(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(trimBlankLines(text), "\n") {
		b.WriteString("//")
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			b.WriteByte(' ')
		}
		b.WriteString(strings.TrimRight(line, " \t\r") + "\n")
	}
	return b.String()
}

// trimBlankLines drops the first lines that are blank and the last ones; block
// comments have such.
func trimBlankLines(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	indent := len(text) - len(strings.TrimLeft(text, " \t\r\n"))
	return text[strings.LastIndexByte(text[:indent], '\n')+1:]
}

// wrap breaks a text into lines.
func wrap(text string) string {
	var b strings.Builder
	width := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case width == 0:
		case width+1+len(word) > lineWidth:
			b.WriteByte('\n')
			width = 0
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

// licence gives the comments above the first line of the .proto file, each
// followed by an empty line.
func licence(file *protogen.File) string {
	var b strings.Builder
	for _, field := range []int32{syntaxField, editionField} {
		location := file.Desc.SourceLocations().ByPath(protoreflect.SourcePath{field})
		for _, text := range append(location.LeadingDetachedComments, location.LeadingComments) {
			if strings.TrimSpace(text) != "" {
				b.WriteString(comment(text) + "\n")
			}
		}
	}
	return b.String()
}

// deprecation gives the paragraph that tells Go tools that a service or an rpc
// is deprecated, by itself or with its whole file; otherwise it is empty.
func deprecation(desc protoreflect.Descriptor) string {
	file := desc.ParentFile()
	switch {
	case isDeprecated(file):
		return "Deprecated: The entire proto file " + file.Path() + " is marked as deprecated."
	case isDeprecated(desc):
		return "Deprecated: Marked as deprecated in " + file.Path() + "."
	default:
		return ""
	}
}

func isDeprecated(desc protoreflect.Descriptor) bool {
	options, ok := desc.Options().(interface{ GetDeprecated() bool })
	return ok && options.GetDeprecated()
}
