package golden_test

import (
	"testing"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/edition2023"
	oldproto "github.com/granary-go/granary/cmd/protoc-gen-go-grain/internal/golden/proto2"
)

type doubler struct{ grain }

func (*doubler) Double(n *oldproto.Number, _ cluster.GrainContext) (*oldproto.Number, error) {
	return &oldproto.Number{Value: new(2 * n.GetValue())}, nil
}

type halver struct{ grain }

func (*halver) Halve(n *edition2023.Number, _ cluster.GrainContext) (*edition2023.Number, error) {
	half := new(edition2023.Number)
	half.SetValue(n.GetValue() / 2)
	return half, nil
}

func TestSyntaxes(t *testing.T) {
	c := start(t,
		oldproto.NewDoublerKind(func() oldproto.Doubler { return new(doubler) }),
		edition2023.NewHalverKind(func() edition2023.Halver { return new(halver) }),
	)
	double, err := oldproto.GetDoublerGrainClient(c, "a").Double(&oldproto.Number{Value: new(int64(21))})
	answers(t, double, err, &oldproto.Number{Value: new(int64(42))})

	number, want := new(edition2023.Number), new(edition2023.Number)
	number.SetValue(42)
	want.SetValue(21)
	half, err := edition2023.GetHalverGrainClient(c, "a").Halve(number)
	answers(t, half, err, want)
}
