package main

import (
	"fmt"
	"os"
)

// version is that of the plugin, and so of what it generates: it is written
// into every file and changes with each release that changes the output.
const version = "(devel)"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Fprintln(os.Stdout, "protoc-gen-go-grain", version)
		return
	}
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "protoc-gen-go-grain: unknown argument %q: "+
			"protoc runs this program, for --go-grain_out; alone it only knows --version\n", os.Args[1])
		os.Exit(2)
	}
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "protoc-gen-go-grain:", err)
		os.Exit(1)
	}
}
