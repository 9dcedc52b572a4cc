package main

import (
	"fmt"
	"go/constant"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/types/typeutil"
)

// surface lists what a package exports, sorted. The house is the import path of the root.
func surface(pkg *types.Package, house string) []string {
	p := printer{pkg: pkg, prefix: house + "/"}
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			p.object(obj)
		}
	}
	slices.Sort(p.lines)
	return slices.Compact(p.lines)
}

// A printer collects the lines of one package.
type printer struct {
	pkg    *types.Package
	prefix string // of import paths of the house, which goes without saying
	lines  []string
}

func (p *printer) addf(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

func (p *printer) object(obj types.Object) {
	switch obj := obj.(type) {
	case *types.Const:
		p.addf("const %s %s = %s", obj.Name(), p.typ(obj.Type()), value(obj))
	case *types.Var:
		p.addf("var %s %s", obj.Name(), p.typ(obj.Type()))
	case *types.Func:
		p.addf("func %s", p.function(obj))
	case *types.TypeName:
		p.typeName(obj)
	}
}

func (p *printer) typeName(obj *types.TypeName) {
	if alias, ok := obj.Type().(*types.Alias); ok {
		p.addf("type %s%s = %s", obj.Name(), p.parameters(alias.TypeParams()), p.typ(alias.Rhs()))
		return
	}
	named, ok := obj.Type().(*types.Named)
	if !ok {
		return
	}
	head, owner := obj.Name()+p.parameters(named.TypeParams()), obj.Name()+bare(named.TypeParams())
	switch under := named.Underlying().(type) {
	case *types.Struct:
		p.addf("type %s struct", head)
		p.fields(owner, under, map[types.Type]bool{})
	case *types.Interface:
		p.addf("type %s interface", head)
		p.interfaceOf(owner, under)
	default:
		p.addf("type %s %s", head, p.typ(under))
	}
	if !types.IsInterface(named) {
		p.methods(owner, named)
	}
}

// fields adds the exported fields, those of embedded structs that have no exported name of their own too.
func (p *printer) fields(owner string, s *types.Struct, seen map[types.Type]bool) {
	for field := range s.Fields() {
		switch {
		case field.Exported() && field.Embedded():
			p.addf("type %s struct, embedded %s", owner, p.typ(field.Type()))
		case field.Exported():
			p.addf("type %s struct, %s %s", owner, field.Name(), p.typ(field.Type()))
		case field.Embedded() && !seen[field.Type()]:
			seen[field.Type()] = true
			embedded := field.Type()
			if pointer, ok := embedded.Underlying().(*types.Pointer); ok {
				embedded = pointer.Elem()
			}
			if inner, ok := embedded.Underlying().(*types.Struct); ok {
				p.fields(owner, inner, seen)
			}
		}
	}
}

// interfaceOf adds the methods, embedded ones too, and whether others can implement them.
func (p *printer) interfaceOf(owner string, i *types.Interface) {
	sealed := false
	for method := range i.Methods() {
		if method.Exported() {
			p.addf("type %s interface, %s", owner, p.function(method))
		} else {
			sealed = true
		}
	}
	if sealed {
		p.addf("type %s interface, unexported methods", owner)
	}
	for embedded := range i.EmbeddedTypes() {
		if union, ok := embedded.(*types.Union); ok {
			p.addf("type %s interface, %s", owner, p.typ(union))
		}
	}
}

// methods adds the methods that a value of the type, or a pointer to it, has, those of embedded types too.
func (p *printer) methods(owner string, named *types.Named) {
	for _, selection := range typeutil.IntuitiveMethodSet(named, nil) {
		if !selection.Obj().Exported() {
			continue
		}
		method, ok := selection.Obj().(*types.Func)
		if !ok {
			continue
		}
		star := ""
		if _, pointer := selection.Recv().(*types.Pointer); pointer {
			star = "*"
		}
		p.addf("method (%s%s) %s%s", star, owner, method.Name(), p.signature(selection.Type()))
	}
}

func (p *printer) function(f *types.Func) string {
	signature, ok := f.Type().(*types.Signature)
	if !ok {
		return f.Name()
	}
	return f.Name() + p.parameters(signature.TypeParams()) + p.signature(signature)
}

// signature is parameters and results, without type parameters, which function prints in front.
func (p *printer) signature(t types.Type) string {
	s, ok := t.(*types.Signature)
	if !ok {
		return ""
	}
	bare := types.NewSignatureType(nil, nil, nil, s.Params(), s.Results(), s.Variadic())
	return strings.TrimPrefix(p.typ(bare), "func")
}

func (p *printer) parameters(list *types.TypeParamList) string {
	var names []string
	for parameter := range list.TypeParams() {
		names = append(names, parameter.Obj().Name()+" "+p.typ(parameter.Constraint()))
	}
	return bracketed(names)
}

// bare is the list of type parameters as a receiver has it.
func bare(list *types.TypeParamList) string {
	var names []string
	for parameter := range list.TypeParams() {
		names = append(names, parameter.Obj().Name())
	}
	return bracketed(names)
}

func bracketed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// typ prints a type, with names of other packages by their path, below the root of ours if they are ours, and names of
// this one bare.
func (p *printer) typ(t types.Type) string {
	text := types.TypeString(t, func(other *types.Package) string {
		if other == p.pkg {
			return ""
		}
		return strings.TrimPrefix(other.Path(), p.prefix)
	})
	return nameless.ReplaceAllString(text, "")
}

// nameless are the names that the compiler gives to results that the source calls _.
var nameless = regexp.MustCompile(`#rv\d+ `)

// value prints a constant as the source would.
func value(c *types.Const) string {
	if named, ok := c.Type().(*types.Named); ok && named.String() == "time.Duration" {
		if n, exact := constant.Int64Val(c.Val()); exact {
			return time.Duration(n).String()
		}
	}
	return c.Val().ExactString()
}
