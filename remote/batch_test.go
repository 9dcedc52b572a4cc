package remote

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

var testSerial = &serial{self: "here:1"}

func encoded(t testing.TB, target string, env actor.MessageEnvelope) outbound {
	t.Helper()
	o := outbound{target: actor.NewPID("there:1", target), env: env}
	if err := testSerial.encode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// randomMessages returns messages between few processes, so that tables are used.
func randomMessages(t testing.TB, r *rand.Rand, n int) []outbound {
	all := make([]outbound, n)
	for i := range all {
		env := actor.MessageEnvelope{}
		switch r.IntN(5) {
		case 0:
			env.Message = &actor.Watch{Watcher: actor.NewPID("here:1", fmt.Sprint("w", r.IntN(3)))}
		case 1:
			env.Message = wrapperspb.Int64(r.Int64())
		default:
			env.Message = wrapperspb.String(strings.Repeat("x", r.IntN(200)*r.IntN(2)))
		}
		if r.IntN(2) == 0 {
			env.Sender = actor.NewPID([]string{nowhere, "", "here:1", "third:1"}[r.IntN(4)], fmt.Sprint("s", r.IntN(4)))
		}
		if r.IntN(4) == 0 {
			env.Header = actor.MessageHeader{"trace": fmt.Sprint(r.IntN(9)), "": "no key", "no value": ""}
		}
		all[i] = encoded(t, []string{"", "a", "b", "träge/1"}[r.IntN(4)], env)
	}
	return all
}

// generated returns what the generated code makes of the same messages.
func generated(e *batchEncoder, all []outbound) *remotepb.Batch {
	b := &remotepb.Batch{}
	index := func(n int, same func(int) bool) uint32 {
		for i := range n {
			if same(i) {
				return uint32(i)
			}
		}
		return uint32(n)
	}
	for _, o := range all {
		env := &remotepb.Envelope{Header: o.env.Header}
		env.Target = index(len(b.Targets), func(i int) bool { return b.Targets[i] == o.target.Id })
		if int(env.Target) == len(b.Targets) {
			b.Targets = append(b.Targets, o.target.Id)
		}
		if s := o.env.Sender; s != nil {
			pid := e.serial.pidOut(s)
			i := index(len(b.Senders), func(i int) bool { return proto.Equal(b.Senders[i], pid) })
			if int(i) == len(b.Senders) {
				b.Senders = append(b.Senders, pid)
			}
			env.Sender = i + 1
		}
		if o.control {
			env.Control = &remotepb.Control{}
			_ = proto.Unmarshal(o.data, env.Control)
			b.Envelopes = append(b.Envelopes, env)
			continue
		}
		env.Data = o.data
		env.Type = index(len(b.Types), func(i int) bool { return b.Types[i].Name == o.typ.name })
		if int(env.Type) == len(b.Types) {
			b.Types = append(b.Types, &remotepb.Type{Name: o.typ.name, Serializer: o.typ.serializer})
		}
		b.Envelopes = append(b.Envelopes, env)
	}
	return b
}

func TestBatchIsWhatGeneratedCodeReads(t *testing.T) {
	e := newBatchEncoder(testSerial)
	for seed := range uint64(300) {
		all := randomMessages(t, rand.New(rand.NewPCG(seed, 1)), int(seed%40))
		e.reset()
		for i := range all {
			e.add(&all[i])
		}
		var got remotepb.Batch
		if err := proto.Unmarshal(e.bytes(), &got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if want := generated(e, all); !proto.Equal(&got, want) {
			t.Fatalf("seed %d:\ngot  %v\nwant %v", seed, &got, want)
		}
	}
}

func TestBatchReadsWhatGeneratedCodeWrites(t *testing.T) {
	for seed := range uint64(300) {
		all := randomMessages(t, rand.New(rand.NewPCG(seed, 2)), int(seed%40))
		want := generated(newBatchEncoder(testSerial), all)
		data, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := readBatch(t, data)
		if !proto.Equal(got, want) {
			t.Fatalf("seed %d:\ngot  %v\nwant %v", seed, got, want)
		}
	}
}

// readBatch reads a batch with the hand-written code into the generated type.
func readBatch(t testing.TB, data []byte) *remotepb.Batch {
	t.Helper()
	b, err := parseBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	got := &remotepb.Batch{Targets: b.targets}
	for _, s := range b.senders {
		got.Senders = append(got.Senders, &remotepb.PID{Address: s.address, Id: s.id})
	}
	for _, y := range b.types {
		got.Types = append(got.Types, &remotepb.Type{Name: y.name, Serializer: y.serializer})
	}
	for raw := range b.envelopes() {
		var e envelope
		if err := e.parse(raw); err != nil {
			t.Fatal(err)
		}
		env := &remotepb.Envelope{Target: uint32(e.target), Sender: uint32(e.sender), Type: uint32(e.typ), Data: e.data, Header: e.header}
		if e.control != nil {
			env.Control = &remotepb.Control{}
			if err := proto.Unmarshal(e.control, env.Control); err != nil {
				t.Fatal(err)
			}
		}
		got.Envelopes = append(got.Envelopes, env)
	}
	if len(got.Envelopes) != b.count {
		t.Fatalf("counted %d envelopes, read %d", b.count, len(got.Envelopes))
	}
	return got
}

func TestBatchStaysWithinTheFrame(t *testing.T) {
	for _, size := range []int{0, 1, 100, batchBytes - 1, batchBytes, batchBytes + 1, DefaultMaxMessageSize} {
		header := actor.MessageHeader{}
		for i := range 100 {
			header[fmt.Sprint(i)] = ""
		}
		env := actor.MessageEnvelope{
			Message: wrapperspb.Bytes(make([]byte, size)), Header: header,
			Sender: actor.NewPID(strings.Repeat("a", maxAddress-2)+":1", "s"),
		}
		o := encoded(t, "target", env)
		e := newBatchEncoder(testSerial)
		for i := 0; !e.full(o.size); i++ {
			e.add(&o)
		}
		if got, most := len(e.bytes()), max(o.size, batchBytes)+batchOverhead; got > most {
			t.Errorf("messages of %d bytes: a batch of %d, at most %d", o.size, got, most)
		}
	}
}

func TestBatchHasAMostMessages(t *testing.T) {
	o := encoded(t, "a", actor.MessageEnvelope{Message: wrapperspb.String("")})
	e := newBatchEncoder(testSerial)
	for !e.full(o.size) {
		e.add(&o)
	}
	if e.count > batchMessages || batchMessages > maxBatchMessages {
		t.Errorf("%d messages in a batch", e.count)
	}
	if _, err := parseBatch(e.bytes()); err != nil {
		t.Error(err)
	}
}

func TestBatchMalformed(t *testing.T) {
	entry := func(field protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), value)
	}
	tests := map[string][]byte{
		"truncated":           {fieldEnvelopes<<3 | 2, 5, 1},
		"no tag":              {0xff},
		"field 0":             {0x02, 0},
		"bad sender":          entry(fieldSenders, "\xff"),
		"bad type":            entry(fieldTypes, "\x0a\x05x"),
		"a million envelopes": []byte(strings.Repeat(string(entry(fieldEnvelopes, "")), 1<<20)),
		"a million targets":   []byte(strings.Repeat(string(entry(fieldTargets, "")), 1<<20)),
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		if _, err := parseBatch(tests[name]); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v, want %v", name, err, errMalformed)
		}
	}
	unknown := slices.Concat(entry(100, "later"), entry(fieldTargets, "a"), []byte{0x78, 1})
	if b, err := parseBatch(unknown); err != nil || len(b.targets) != 1 {
		t.Errorf("fields of a later version: %v", err)
	}
}

// nobody is a process that panics on what no peer should get through.
type nobody struct{}

func (nobody) SendUserMessage(_ *actor.PID, env actor.MessageEnvelope) {
	if env.Message == nil {
		panic("a nil message")
	}
}

func (nobody) SendSystemMessage(*actor.PID, any) {}

func FuzzBatch(f *testing.F) {
	for seed := range uint64(5) {
		all := randomMessages(f, rand.New(rand.NewPCG(seed, 3)), int(seed*seed))
		data, err := proto.Marshal(generated(newBatchEncoder(testSerial), all))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{fieldEnvelopes<<3 | 2, 5, 1})
	logs := &logBook{}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(logs)))
	r := NewRemote(system, Configure("here", 1))
	r.serial.self = "here:1"
	system.ProcessRegistry.SetAddress("here:1")
	system.ProcessRegistry.Add(nobody{}, "a")
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newConn(r, nil, peer{address: "there:1"}, 1, 1)
		c.ep = newEndpoint(r, "there:1")
		_, parseErr := parseBatch(data)
		if err := c.reader.deliver(data); !errors.Is(err, errAcknowledged) && (err == nil) != (parseErr == nil) {
			t.Errorf("delivered with %v, read with %v", err, parseErr)
		}
		if logs.has("panicked") {
			t.Error("delivering panicked")
		}
		var want remotepb.Batch
		if proto.Unmarshal(data, &want) == nil && parseErr != nil && !errors.Is(parseErr, errTooMany) {
			t.Errorf("the generated code reads it, this does not: %v", parseErr)
		}
	})
}

// parseBatch reads a batch by itself.
func parseBatch(data []byte) (*batch, error) {
	b := &batch{known: make(typeTable), peer: "there:1"}
	return b, b.read(data)
}

// A peer that names ever new types makes the table grow up to its bound.
func TestTypesOfAPeerAreBounded(t *testing.T) {
	table := make(typeTable)
	for i := range 3 * maxKnownTypes {
		entry := appendPair(nil, fieldTypes, fmt.Sprint("no.Such", i), "")
		_, n := protowire.ConsumeVarint(entry[1:])
		got, err := table.entry(entry[1+n:])
		if err != nil || got.name != fmt.Sprint("no.Such", i) || got.message != nil {
			t.Fatalf("%+v, %v", got, err)
		}
		if len(table) > maxKnownTypes {
			t.Fatalf("the table has %d entries", len(table))
		}
	}
	before := len(table)
	if _, err := table.entry(appendStringField(nil, fieldFirst, strings.Repeat("n", maxKnownType))); err != nil || len(table) != before {
		t.Errorf("%v; the table has an entry for a name of %d bytes", err, maxKnownType)
	}
}

// A batch that is full has a buffer of the pool, before and after.
func TestFullBatchIsPooled(t *testing.T) {
	e := newBatchEncoder(testSerial)
	o := encoded(t, "target", actor.MessageEnvelope{Message: text("%s", strings.Repeat("x", 100))})
	for range 3 {
		for !e.full(o.size) {
			e.add(&o)
		}
		largest := bufferSizes[len(bufferSizes)-1]
		if data := e.detach(); len(data) > largest {
			t.Errorf("%d bytes; the largest buffers have %d", len(data), largest)
		}
		e.add(&o)
		if cap(e.buf) != largest {
			t.Errorf("the next one has a buffer of %d bytes, want one of the pool, %d", cap(e.buf), largest)
		}
	}
}
