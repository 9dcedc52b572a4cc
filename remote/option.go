package remote

import "google.golang.org/grpc"

// Option is what the layers above give to [NewRemote]; what a program chooses
// is in [Config].
type Option func(*Remote)

// Handshake is how a process introduces itself to its peers.
type Handshake struct {
	// Cluster is the name of the cluster. Processes connect only if theirs are
	// equal. Defaults to "", the name of those that are in no cluster.
	Cluster string
	// Member is the process's id as a member; empty for a client.
	// [Remote.SetMember] changes it.
	Member string
}

// WithHandshake sets how this process introduces itself.
func WithHandshake(h Handshake) Option {
	return func(r *Remote) {
		r.cluster = h.Cluster
		r.SetMember(h.Member)
	}
}

// Codec carries messages that are Go values and no protobuf messages from one
// process to another. Its methods are called by many goroutines at once. A
// panic in one of them costs the message, not the process.
type Codec interface {
	// Encode returns the name of the message's type and its serialised form.
	// ok is false if the message is not this codec's business.
	Encode(message any) (typeName string, data []byte, ok bool, err error)
	// Decode is the reverse. It must not keep data. ok is false if it does not
	// know typeName.
	Decode(typeName string, data []byte) (message any, ok bool, err error)
}

// WithCodec sets the codec for what is no protobuf message. There is one at most.
func WithCodec(codec Codec) Option {
	return func(r *Remote) { r.serial.codecs = append(r.serial.codecs, namedCodec{serializerCodec, codec}) }
}

// WithService lets the caller register further services on the remote's gRPC
// server. register is called once, during [Remote.Start].
func WithService(register func(grpc.ServiceRegistrar)) Option {
	return func(r *Remote) { r.services = append(r.services, register) }
}
