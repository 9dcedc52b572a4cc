package main

import (
	"fmt"
	"strings"
	"testing"
)

// rpc is a method from Q to A of the package app.
func rpc(name string) string {
	return fmt.Sprintf(`method { name: %q input_type: ".app.Q" output_type: ".app.A" } `, name)
}

// service is a file app.proto with one service.
func service(name string, rpcs ...string) string {
	return fmt.Sprintf(`name: "app.proto" package: "app" {{PKG}} service { name: %q %s }`, name, strings.Join(rpcs, ""))
}

// withOption is the rpc Ask with something in the option (granary.method).
func withOption(text string) string {
	return strings.Replace(rpc("Ask"), "}", "options { [granary.method] { "+text+" } } }", 1)
}

func TestRefusals(t *testing.T) {
	streaming := func(field string) string {
		return strings.Replace(rpc("Watch"), "}", field+": true }", 1)
	}
	const watch = "app.proto: service Ponger, rpc Watch: it is a stream, "
	for name, c := range map[string]struct {
		files []string
		want  []string // a line each, or its beginning
	}{
		"streaming answers":  {[]string{service("Ponger", streaming("server_streaming"))}, []string{watch}},
		"streaming requests": {[]string{service("Ponger", streaming("client_streaming"))}, []string{watch}},
		"Init": {
			[]string{service("Ponger", rpc("Init"))},
			[]string{"app.proto: service Ponger, rpc Init: a grain's method cannot be called Init: " +
				"every grain has a method Init(id string); rename the rpc, for example to InitPonger"},
		},
		"snake case of a reserved name": {
			[]string{service("Ponger", rpc("receive_default"))},
			[]string{"app.proto: service Ponger, rpc receive_default: a grain's method cannot be called ReceiveDefault"},
		},
		"each reserved name, all at once": {
			[]string{service("Ponger", rpc("Terminate"), rpc("ID"), rpc("Grain"), rpc("OnActivate"), rpc("OnDeactivate"))},
			[]string{
				"app.proto: service Ponger, rpc Terminate: ",
				"app.proto: service Ponger, rpc ID: ",
				"app.proto: service Ponger, rpc Grain: ",
				"app.proto: service Ponger, rpc OnActivate: ",
				"app.proto: service Ponger, rpc OnDeactivate: ",
			},
		},
		"one Go name for two rpcs": {
			[]string{service("Ponger", rpc("get_it"), rpc("GetIt"))},
			[]string{
				"app.proto: service Ponger, rpc GetIt: the client's method GetIt is also that of the rpc get_it; rename one of them",
				"app.proto: service Ponger, rpc GetIt: the client's method GetItContext is also that of the rpc get_it",
			},
		},
		"an rpc called as a twin": {
			[]string{service("Ponger", rpc("Ping"), rpc("PingContext"))},
			[]string{"app.proto: service Ponger, rpc PingContext: the client's method PingContext is also that of the rpc Ping"},
		},
		"a twin called as an earlier rpc": {
			[]string{service("Ponger", rpc("PingContext"), rpc("Ping"))},
			[]string{"app.proto: service Ponger, rpc Ping: the client's method PingContext is also that of the rpc PingContext"},
		},
		"a message called as an actor": {
			[]string{service("Ponger", rpc("Ping")) + `message_type { name: "PongerActor" }`},
			[]string{"app.proto: service Ponger: its code declares PongerActor, " +
				"which is also declared for the message PongerActor in app.proto; rename one of them"},
		},
		"a message of another file of the package": {
			[]string{service("Ponger"), `name: "more.proto" {{PKG}} message_type { name: "NewPongerKind" }`},
			[]string{"app.proto: service Ponger: its code declares NewPongerKind, which is also declared for the message NewPongerKind in more.proto"},
		},
		"an enum's value": {
			[]string{service("Kind_NEW") + `enum_type { name: "Kind" value { name: "NEW" number: 0 } }`},
			[]string{"app.proto: service Kind_NEW: its code declares Kind_NEW, which is also declared for the enum value NEW in app.proto"},
		},
		"a oneof's field": {
			[]string{service("Box_Lid") + `message_type { name: "Box" oneof_decl { name: "part" }
				field { name: "lid" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0 } }`},
			[]string{"app.proto: service Box_Lid: its code declares Box_Lid, which is also declared for the oneof field lid in app.proto"},
		},
		"one Go name for two services": {
			[]string{service("ponger") + `service { name: "Ponger" }`},
			[]string{"app.proto: service Ponger: its code declares Ponger, which is also declared for the service ponger in app.proto"},
		},
		"a service called as another's actor": {
			[]string{service("PongerActor") + `service { name: "Ponger" }`},
			[]string{"app.proto: service Ponger: its code declares PongerActor, which is also declared for the service PongerActor in app.proto"},
		},
		"a file of the name of the output": {
			[]string{service("Ponger"), `name: "app_grain.proto" package: "grain" {{PKG}}`},
			[]string{"app.proto: its grains go to example.com/app/messages/app_grain.pb.go, as do the messages of app_grain.proto; rename one of the two files"},
		},
		"a timeout of nothing": {
			[]string{`name: "app.proto" package: "app" {{PKG}} service { name: "Ponger" ` + withOption("timeout { seconds: 0 }") + `}`},
			[]string{"app.proto: service Ponger, rpc Ask: the timeout of its option (granary.method) is 0 s and 0 ns; it must be positive"},
		},
		"a timeout of ages": {
			[]string{`name: "app.proto" package: "app" {{PKG}} service { name: "Ponger" ` + withOption("timeout { seconds: 300000000000 }") + `}`},
			[]string{"app.proto: service Ponger, rpc Ask: the timeout of its option (granary.method) is 300000000000 s and 0 ns; it must be positive, and"},
		},
		"a timeout that is none": {
			[]string{`name: "app.proto" package: "app" {{PKG}} service { name: "Ponger" ` + withOption("timeout { seconds: 1 nanos: -1 }") + `}`},
			[]string{"app.proto: service Ponger, rpc Ask: the timeout of its option (granary.method) is 1 s and -1 ns; "},
		},
		"the place in the file": {
			[]string{service("Ponger", rpc("Init")) + `source_code_info { location { path: [6, 0, 2, 0] span: [11, 2, 40] } }`},
			[]string{"app.proto:12:3: service Ponger, rpc Init: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			response := ask(t, "", c.files...)
			if len(response.GetFile()) != 0 {
				t.Error("files were generated all the same")
			}
			got := strings.Split(response.GetError(), "\n")
			if len(got) != len(c.want) {
				t.Fatalf("got %d errors, want %d:\n%s", len(got), len(c.want), response.GetError())
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %s\nwant %s…", got[i], want)
				}
			}
		})
	}
}

// What only looks like a clash is generated.
func TestNoClash(t *testing.T) {
	for name, file := range map[string]string{
		"rpcs called as Go words": service("Ponger", rpc("type"), rpc("func"), rpc("range")),
		"an rpc Id":               service("Ponger", rpc("Id")),
		"an rpc as its service":   service("Ponger", rpc("Ponger")),
		"an optional field":       service("Box_Lid") + `message_type { name: "Box" oneof_decl { name: "_lid" } field { name: "lid" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0 proto3_optional: true } }`,
		"no rpcs":                 service("Ponger"),
	} {
		if response := ask(t, "", file); response.Error != nil {
			t.Errorf("%s: %s", name, response.GetError())
		}
	}
}
