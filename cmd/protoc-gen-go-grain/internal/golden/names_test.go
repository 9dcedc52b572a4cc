package golden_test

import (
	"testing"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/names"
	clustermessages "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/names/cluster"
	ctxmessages "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/names/ctx"
	errormessages "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/names/error"
)

// longer is the answer of every method here whose messages are ranges.
func longer(r *names.Range, by int64) (*names.Range, error) {
	return &names.Range{Length: r.GetLength() + by}, nil
}

type typed struct{ grain }

func (*typed) Select(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 1)
}

func (*typed) Func(s *names.GoToString, _ cluster.GrainContext) (*names.GoToString, error) {
	return &names.GoToString{Length: s.GetLength() + 2}, nil
}

type counter struct{ grain }

func (*counter) CountWords(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 1)
}

func (*counter) XPrivate(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 2)
}

type importer struct{ grain }

func (*importer) Parameter(m *ctxmessages.Message, _ cluster.GrainContext) (*ctxmessages.Message, error) {
	return &ctxmessages.Message{Number: m.GetNumber() + 1}, nil
}

func (*importer) Import(m *clustermessages.Message, _ cluster.GrainContext) (*clustermessages.Message, error) {
	return &clustermessages.Message{Number: m.GetNumber() + 2}, nil
}

func (*importer) Builtin(m *errormessages.Message, _ cluster.GrainContext) (*errormessages.Message, error) {
	return &errormessages.Message{Number: m.GetNumber() + 3}, nil
}

type surrounded struct{ grain }

func (*surrounded) Context(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 1)
}

func (*surrounded) Receive(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 2)
}

func (*surrounded) Timeout(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 3)
}

func (*surrounded) Call(r *names.Range, _ cluster.GrainContext) (*names.Range, error) {
	return longer(r, 4)
}

func startNames(t *testing.T) *cluster.Cluster {
	t.Helper()
	return start(t,
		names.NewTypeKind(func() names.Type { return new(typed) }),
		names.NewWordCounterKind(func() names.WordCounter { return new(counter) }),
		names.NewImporterKind(func() names.Importer { return new(importer) }),
		names.NewContextKind(func() names.Context { return new(surrounded) }),
	)
}

func TestNames(t *testing.T) {
	c := startNames(t)
	ten := &names.Range{Length: 10}
	ranged := func(want int64) func(*names.Range, error) {
		return func(got *names.Range, err error) {
			t.Helper()
			answers(t, got, err, &names.Range{Length: want})
		}
	}

	ranged(11)(names.GetTypeGrainClient(c, "a").Select(ten))
	text, err := names.GetTypeGrainClient(c, "a").Func(&names.GoToString{Length: 10})
	answers(t, text, err, &names.GoToString{Length: 12})

	ranged(11)(names.GetWordCounterGrainClient(c, "a").CountWords(ten))
	ranged(12)(names.GetWordCounterGrainClient(c, "a").XPrivate(ten))

	surrounded := names.GetContextGrainClient(c, "a")
	ranged(11)(surrounded.Context(ten))
	ranged(11)(surrounded.ContextContext(t.Context(), ten))
	ranged(12)(surrounded.Receive(ten))
	ranged(13)(surrounded.Timeout(ten))
	ranged(14)(surrounded.Call(ten))

	importer := names.GetImporterGrainClient(c, "a")
	parameter, err := importer.Parameter(&ctxmessages.Message{Number: 10})
	answers(t, parameter, err, &ctxmessages.Message{Number: 11})
	imported, err := importer.Import(&clustermessages.Message{Number: 10})
	answers(t, imported, err, &clustermessages.Message{Number: 12})
	builtin, err := importer.Builtin(&errormessages.Message{Number: 10})
	answers(t, builtin, err, &errormessages.Message{Number: 13})
}

// What is sent are the names of the .proto file, so that members written in
// another style, or another language, understand each other.
func TestWireNames(t *testing.T) {
	c := startNames(t)
	call := func(method string) error {
		_, err := cluster.CallGrain[*names.Range](t.Context(), c, "word_counter", "a", method, new(names.Range))
		return err
	}
	if err := call("count_words"); err != nil {
		t.Errorf("by its name in the .proto file: %v", err)
	}
	if err := call("CountWords"); err == nil {
		t.Error("the Go name of an rpc was understood")
	}
}
