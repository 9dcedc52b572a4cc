package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Describe implements the service.
func (s *server) Describe(ctx context.Context, r *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	ctx, done, err := s.begin(ctx, Request{Operation: Describe, Kind: r.GetKind()})
	if err != nil {
		return nil, err
	}
	defer done()
	hosts, err := s.hostsOf(r.GetKind())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	a := s.askHosts(ctx, hosts, &pb.Ask{What: &pb.Ask_Describe{Describe: r}}, pb.Reason_REASON_NOT_SERVED, pb.Reason_REASON_NOT_ALLOWED)
	if a.GetFailure() != nil {
		return nil, refused(a.Failure)
	}
	return a.GetDescribe(), nil
}

// askHosts asks one host after the other as long as they fail for one of these reasons. If
// all do, it gives what the first has said.
func (s *server) askHosts(ctx context.Context, hosts []driver.Member, question *pb.Ask, next ...pb.Reason) (first *pb.Answer) {
	for _, m := range hosts[:min(len(hosts), maxHosts)] {
		a := s.ask(ctx, m, question)
		if first == nil {
			first = a
		}
		if a.GetFailure() == nil || !slices.Contains(next, a.GetFailure().GetReason()) {
			return a
		}
	}
	return first
}

// maxHosts bounds how many hosts of a kind are asked for what one of them is to answer.
const maxHosts = 8

// hostsOf gives the members that host a kind and so have its messages, at least one: this
// one first, if it does.
func (s *server) hostsOf(kind string) ([]driver.Member, error) {
	view, err := s.view()
	if err != nil {
		return nil, err
	}
	var found []driver.Member
	known := make(map[string]bool)
	for _, m := range view.Members {
		for _, k := range m.Kinds {
			known[k.Name] = true
		}
		switch {
		case !m.HasKind(kind):
		case m.ID == s.cluster.MemberID():
			found = slices.Insert(found, 0, m)
		default:
			found = append(found, m)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	names := slices.Sorted(maps.Keys(known))
	return nil, status.Errorf(codes.NotFound, "admin: no member hosts the kind %q; there are: %s",
		clean(kind, maxName), clean(strings.Join(names, ", "), maxText))
}

// localDescribe looks among the descriptors that are linked into this process.
func (s *server) localDescribe(r *pb.DescribeRequest) *pb.Answer {
	found, err := symbolOf(r.GetKind(), r.GetSymbol())
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_NOT_FOUND, clean(err.Error(), maxText))
	}
	files, err := filesOf(found.ParentFile())
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_INVALID, err.Error())
	}
	return &pb.Answer{What: &pb.Answer_Describe{Describe: &pb.DescribeResponse{
		Member: s.self(), Symbol: string(found.FullName()), Files: files,
	}}}
}

// symbolOf finds a symbol, or the service that has the name of the kind.
func symbolOf(kind, symbol string) (protoreflect.Descriptor, error) {
	if symbol != "" {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(symbol))
		if err != nil {
			return nil, fmt.Errorf("%q is not linked into this process", symbol)
		}
		return d, nil
	}
	var found []protoreflect.Descriptor
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			if s := f.Services().Get(i); string(s.Name()) == kind || string(s.FullName()) == kind {
				found = append(found, s)
			}
		}
		return true
	})
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no service is named as the kind %q: name the service, or the message that its actor takes, in full", kind)
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, d := range found {
		names[i] = string(d.FullName())
	}
	slices.Sort(names)
	return nil, fmt.Errorf("several services are named as the kind %q: choose one of %s", kind, strings.Join(names, ", "))
}

// filesOf gives a file and all that it imports, what is imported first.
func filesOf(f protoreflect.FileDescriptor) (*descriptorpb.FileDescriptorSet, error) {
	set, seen, size := new(descriptorpb.FileDescriptorSet), make(map[string]bool), 0
	var add func(f protoreflect.FileDescriptor) error
	add = func(f protoreflect.FileDescriptor) error {
		if seen[f.Path()] || f.IsPlaceholder() {
			return nil
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			if err := add(f.Imports().Get(i).FileDescriptor); err != nil {
				return err
			}
		}
		file := protodesc.ToFileDescriptorProto(f)
		if size += proto.Size(file); size > MaxDescriptors {
			return fmt.Errorf("the descriptors of %s and of what it imports have more than %d bytes", f.Path(), MaxDescriptors)
		}
		set.File = append(set.File, file)
		return nil
	}
	return set, add(f)
}
