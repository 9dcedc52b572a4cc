package programs

// Words for programs that need no Debian package of scripts/setup.
const (
	shell    = "shell"    // built into bash
	golang   = "go"       // part of the Go distribution
	assumed  = "assumed"  // git and make: without them nobody is here
	standard = "standard" // in a Debian package that is marked essential, or required
)

// providers maps each program that anything here may run to what provides it: one of the words above, or the name of
// a Debian package, which scripts/setup must then list.
var providers = map[string]string{
	"go": golang, "gofmt": golang,
	"git": assumed, "make": assumed,

	".": shell, ":": shell, "[": shell, "builtin": shell, "cd": shell, "command": shell, "echo": shell, "eval": shell,
	"exec": shell, "exit": shell, "export": shell, "false": shell, "getopts": shell, "hash": shell, "kill": shell,
	"printf": shell, "pwd": shell, "read": shell, "return": shell, "set": shell, "shift": shell, "source": shell,
	"test": shell, "times": shell, "trap": shell, "true": shell, "type": shell, "ulimit": shell, "umask": shell,
	"unset": shell, "wait": shell,

	// coreutils
	"basename": standard, "cat": standard, "chmod": standard, "cp": standard, "cut": standard, "date": standard,
	"dirname": standard, "env": standard, "head": standard, "id": standard, "ln": standard, "ls": standard,
	"mkdir": standard, "mktemp": standard, "mv": standard, "nice": standard, "readlink": standard,
	"realpath": standard, "rm": standard, "rmdir": standard, "sha256sum": standard, "sleep": standard,
	"sort": standard, "stat": standard, "tail": standard, "tee": standard, "timeout": standard, "touch": standard,
	"tr": standard, "uname": standard, "uniq": standard, "wc": standard,
	// bash, dash, diffutils, findutils, grep, sed, dpkg, apt, util-linux
	"bash": standard, "sh": standard, "diff": standard, "find": standard, "xargs": standard, "grep": standard,
	"sed": standard, "dpkg-query": standard, "apt-get": standard, "unshare": standard,

	// scripts/setup itself uses sudo where there is one.
	"sudo": standard,

	"gcc":    "gcc",
	"protoc": "protobuf-compiler",
	"etcd":   "etcd-server",
	"java":   "openjdk-17-jre-headless",

	"redis-server": "redis-server",

	"chromium": "chromium", // which only make test-all installs
}

// provided tells whether a program needs no package.
func provided(provider string) bool {
	switch provider {
	case shell, golang, assumed, standard:
		return true
	}
	return false
}
