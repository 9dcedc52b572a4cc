package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/granary-go/granary/cluster/admin"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// maxRequest bounds the JSON of a request, in bytes.
const maxRequest = 4 << 20

// calling is what a call command line asks for.
type calling struct {
	connection

	service string
}

func newCall() *cobra.Command {
	var c calling
	cmd := &cobra.Command{
		Use:   "call KIND/IDENTITY METHOD [JSON]",
		Short: "call a grain",
		Long: `call calls a method of a grain with a request in JSON, and prints the answer in JSON. The
grain is activated if it is not active. Members allow it by admin.Allow(admin.Call).

The messages need not be known here: a member that hosts the kind describes them.
Without JSON the request is empty; - reads it from the standard input. Without a
METHOD that there is, the error names those there are.

To a kind whose actor is not generated from a service one sends a message: METHOD is
then its full name, which has a dot.`,
		Example: `  granary call Counter/counter-1 Add
  granary call Cart/alice AddItem '{"sku": "4711", "count": 2}'
  granary call Echo/a google.protobuf.StringValue '"hello"'`,
		Args:              cobra.RangeArgs(2, 3),
		ValidArgsFunction: c.completeCall,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, identity, err := grainOf(args[0])
			if err = errors.Join(err, c.check(), c.checkTime()); err != nil {
				return misuse(err)
			}
			text := "{}"
			if len(args) == 3 {
				text = args[2]
			}
			if text == "-" {
				data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxRequest+1))
				if err != nil {
					return err
				}
				if len(data) > maxRequest {
					return misuse(fmt.Errorf("the request on the standard input has more than %d bytes", maxRequest))
				}
				text = string(data)
			}
			return c.run(cmd, &pb.CallRequest{Kind: kind, Identity: identity, Method: args[1]}, text, len(args) == 2)
		},
	}
	c.flags(cmd, 10*time.Second)
	cmd.Flags().StringVar(&c.service, "service", "", "full name of the service, where it is not that of the kind")
	return cmd
}

// checkTime says whether members take a call of that time.
func (c *calling) checkTime() error {
	if c.timeout > admin.MaxCallTimeout {
		return fmt.Errorf("--timeout is %v: a call takes %v at most", c.timeout, admin.MaxCallTimeout)
	}
	return nil
}

func (c *calling) run(cmd *cobra.Command, request *pb.CallRequest, text string, empty bool) error {
	symbol := c.service
	if strings.Contains(request.Method, ".") {
		symbol = request.Method
	}
	described, address, err := askWhich(cmd.Context(), &c.connection, pb.AdminClient.Describe, &pb.DescribeRequest{Kind: request.Kind, Symbol: symbol})
	if err != nil {
		return err
	}
	files, err := protodesc.NewFiles(described.GetFiles())
	if err != nil {
		return fmt.Errorf("the member's descriptors cannot be used: %w", err)
	}
	input, err := inputOf(files, described.GetSymbol(), request)
	if err != nil {
		return err
	}
	types := dynamicpb.NewTypes(files)
	message := dynamicpb.NewMessage(input)
	if !empty {
		if err := (protojson.UnmarshalOptions{Resolver: types}).Unmarshal([]byte(text), message); err != nil {
			return misuse(fmt.Errorf("the request is no JSON of a %s: %w", input.FullName(), err))
		}
	}
	if request.Payload, err = proto.Marshal(message); err != nil {
		return misuse(fmt.Errorf("the request is no %s: %w", input.FullName(), err))
	}
	request.Type = string(input.FullName())
	request.TimeoutNanos = int64(c.timeout)
	r, err := c.send(cmd.Context(), address, request)
	if err != nil {
		return err
	}
	return c.show(cmd, files, types, r)
}

// send makes the call at the member that has described it: a call may change something,
// so that no other is asked where it may have run.
func (c *calling) send(ctx context.Context, address string, request *pb.CallRequest) (*pb.CallResponse, error) {
	answer := c.connection
	answer.timeout += 2 * time.Second // what the member says about the end of the call's time gets here
	r, sent, err := askOnce(ctx, &answer, address, pb.AdminClient.Call, request)
	if err == nil {
		return r, nil
	}
	said := status.Convert(err)
	err = explained(address, err)
	switch said.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		if sent && !strings.HasPrefix(said.Message(), "admin:") { // which says that it was not made
			err = fmt.Errorf("nobody knows whether the call has run: %w", err)
		}
	}
	return nil, err
}

// inputOf finds the type of a request: the method's, or the message that is sent as it is.
func inputOf(files *protoregistry.Files, symbol string, request *pb.CallRequest) (protoreflect.MessageDescriptor, error) {
	found, err := files.FindDescriptorByName(protoreflect.FullName(symbol))
	if err != nil {
		return nil, fmt.Errorf("the member's descriptors do not hold %s: %w", printable(symbol), err)
	}
	switch d := found.(type) {
	case protoreflect.MessageDescriptor:
		request.Method = ""
		return d, nil
	case protoreflect.ServiceDescriptor:
		if m := d.Methods().ByName(protoreflect.Name(request.Method)); m != nil {
			return m.Input(), nil
		}
		return nil, misuse(fmt.Errorf("%s has no method %s; there are:%s", d.FullName(), printable(request.Method), methods(d)))
	default:
		return nil, misuse(fmt.Errorf("%s is neither a service nor a message", printable(symbol)))
	}
}

func methods(d protoreflect.ServiceDescriptor) string {
	var b strings.Builder
	for i := range d.Methods().Len() {
		m := d.Methods().Get(i)
		fmt.Fprintf(&b, "\n  %s(%s) returns (%s)", m.Name(), m.Input().FullName(), m.Output().FullName())
	}
	return b.String()
}

// show prints an answer. A grain's error has an exit status of its own.
func (c *calling) show(cmd *cobra.Command, files *protoregistry.Files, types *dynamicpb.Types, r *pb.CallResponse) error {
	if e := r.GetError(); e != nil {
		if c.asJSON {
			if err := printJSON(cmd.OutOrStdout(), e); err != nil {
				return err
			}
		}
		switch {
		case e.GetFromGrain():
			return exitError{fmt.Errorf("the grain has answered with an error (%s): %s", e.GetCodeName(), e.GetMessage()), grainSaid}
		case e.GetUnknownOutcome():
			return fmt.Errorf("nobody knows whether the call has run: %s", e.GetMessage())
		default:
			return errors.New(e.GetMessage())
		}
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(r.GetType()))
	if err != nil {
		return fmt.Errorf("the grain has answered with a %s, which its service does not describe: %d bytes", printable(r.GetType()), len(r.GetPayload()))
	}
	output, ok := found.(protoreflect.MessageDescriptor)
	if !ok {
		return fmt.Errorf("the grain has answered with a %s, which is no message", printable(r.GetType()))
	}
	message := dynamicpb.NewMessage(output)
	if err := proto.Unmarshal(r.GetPayload(), message); err != nil {
		return fmt.Errorf("the grain's answer cannot be read: %w", err)
	}
	data, err := protojson.MarshalOptions{EmitUnpopulated: true, Resolver: types}.Marshal(message)
	if err != nil {
		return err
	}
	return indented(cmd.OutOrStdout(), data)
}

// completeCall completes the grain, and then the methods of its kind.
func (c *calling) completeCall(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	if len(args) == 0 {
		return c.completeKinds("/")(cmd, args, word)
	}
	kind, _, err := grainOf(args[0])
	if err != nil || len(args) > 1 || c.check() != nil {
		return nil, none
	}
	c.timeout = completionPatience
	described, err := ask(cmd.Context(), &c.connection, pb.AdminClient.Describe, &pb.DescribeRequest{Kind: kind, Symbol: c.service})
	if err != nil {
		return nil, none
	}
	files, err := protodesc.NewFiles(described.GetFiles())
	if err != nil {
		return nil, none
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(described.GetSymbol()))
	service, ok := found.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		return nil, none
	}
	var out []string
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		out = append(out, string(m.Name())+"\t"+string(m.Input().Name()))
	}
	return out, none
}
